/** Shows the live figures of a page: each when it comes near the screen, or at a press where motion is unwelcome. */

const WORDS = {
  en: { start: "Start the interactive figure", copy: "Copy a link to this state", copied: "Link copied", failed: "The figure could not be shown:" },
};
const words = WORDS[(document.documentElement.lang || "en").slice(0, 2)] ?? WORDS.en;
const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

async function show(place) {
  const { module, props, label, version } = place.dataset;
  const { mount } = await import(new URL(`./${module}.js?v=${version}`, import.meta.url));
  place.querySelector(".nn-start")?.remove();
  place.classList.add("nn-shown");
  const still = place.querySelector(".nn-still");
  still.setAttribute("aria-hidden", "true");
  place.setAttribute("role", "group");
  place.setAttribute("aria-label", still.querySelector("img").alt);
  let shown;
  try {
    shown = mount(place, JSON.parse(props));
  } catch (error) {
    place.classList.remove("nn-shown");
    place.append(Object.assign(document.createElement("p"), { className: "nn-failed", textContent: `${words.failed} ${error.message}` }));
    throw error;
  }
  const wanted = new URLSearchParams(location.search).get(label);
  if (wanted) {
    try {
      shown.set(JSON.parse(wanted));
    } catch (error) {  // the link was mistyped or is of an older version of the figure: the figure opens as it is
      console.warn(`${label}: the state in the address cannot be read (${error.message})`);
      shown.reset();
    }
  }
  const copy = Object.assign(document.createElement("button"), { type: "button", className: "nn-button", textContent: words.copy });
  copy.addEventListener("click", async () => {
    const address = new URL(location.href);
    address.searchParams.set(label, JSON.stringify(shown.state()));
    address.hash = label;
    history.replaceState(null, "", address);
    await navigator.clipboard?.writeText(address.href);
    copy.textContent = words.copied;
    setTimeout(() => (copy.textContent = words.copy), 2000);
  });
  shown.element.querySelector(".nn-foot").prepend(copy);
}

const near = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((each) => each.isIntersecting)) {
    near.unobserve(entry.target);
    show(entry.target);
  }
}, { rootMargin: "400px" });

for (const place of document.querySelectorAll(".nn-live")) {
  if (calm) {
    const start = Object.assign(document.createElement("button"), { type: "button", className: "nn-button nn-start", textContent: words.start });
    start.addEventListener("click", async () => {
      await show(place);
      place.tabIndex = -1;
      place.focus(); // the button that had the focus is gone
    });
    place.prepend(start);
  } else {
    near.observe(place);
  }
}
