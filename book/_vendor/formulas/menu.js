// MathJax's menu, on demand.
import { watchWidths } from "./scroll.js";

const KEY = "neuralnotes-formula-menu";
const MENU = "ui/menu";
const MathJax = window.MathJax;

/** Whether this reader has asked for the menu before. A browser without storage answers no. */
function isWanted() {
  try {
    return localStorage.getItem(KEY) === "on";
  } catch {
    return false;
  }
}

/** Fetch the menu and set the formulas of the page again, with it. */
async function load() {
  try {
    localStorage.setItem(KEY, "on");
  } catch {
    // No storage: the menu then lasts as long as the page.
  }
  await MathJax.loader.load(MENU);
  MathJax.startup.document.removeFromDocument(true);
  MathJax.startup.getComponents();
  MathJax.startup.makeMethods();
  await MathJax.typesetPromise();
  watchWidths();
}

let loading = isWanted() ? Promise.resolve() : null;
if (loading) MathJax.config.loader.load.push(MENU);

document.addEventListener("contextmenu", async (event) => {
  const place = event.target.closest?.(".math");
  if (loading || !place?.querySelector("mjx-container")) return;
  event.preventDefault();
  loading = load();
  await loading;
  const { clientX, clientY } = event;
  place.querySelector("mjx-container")?.dispatchEvent(
    new MouseEvent("contextmenu", { bubbles: true, cancelable: true, clientX, clientY, button: 2 }),
  );
}, { capture: true });

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-nn-formula-menu]");
  if (!button) return;
  loading ??= load();
  await loading;
  document.querySelector("mjx-container[tabindex]")?.focus();
});
