// A formula wider than its line scrolls sideways. So that the keyboard can scroll it too, it takes the focus; one that
// fits does not, which keeps the way through a page with hundreds of formulas short.
const focusable = new WeakSet();

const observer = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth && !target.hasAttribute("tabindex")) {
      target.tabIndex = 0;
      focusable.add(target);
    } else if (target.scrollWidth <= target.clientWidth && focusable.delete(target)) {
      target.removeAttribute("tabindex");
    }
  }
});

/** Watch the displayed formulas of the page; call it again when they have been set anew. */
export function watchWidths() {
  for (const formula of document.querySelectorAll("mjx-container[display='true']")) observer.observe(formula);
}

const { startup } = window.MathJax.config;
const { pageReady } = startup;
startup.pageReady = () => pageReady().then(watchWidths);
