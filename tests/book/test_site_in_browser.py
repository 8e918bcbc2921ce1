"""The built website in a browser, one visit for each page and size.

A visit scrolls through the page and looks at everything at once: no request to another host, no error, formulas and
icons drawn, nothing wider than the window, nothing that moves while it loads, at most `BUDGET` over the wire, and what
axe finds in light and in dark.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.browser import QuietHandler, needs_chromium, note_errors, open_chromium, serve

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("NEURALNOTES_SITE", ROOT / "_build" / "html"))
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
BUDGET = 700_000  # bytes of a page with everything it loads, compressed
SHIFT = 0.1  # cumulative layout shift
# In dark only what depends on colors; on the phone all but the contrast, which is the same there and takes longest.
AXE_RUNS = {
    "desktop": {"light": {}, "dark": {"runOnly": ["color-contrast", "link-in-text-block"]}},
    "phone": {"light": {"rules": {"color-contrast": {"enabled": False}}}},
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SITE / "index.html").is_file(), reason=f"no website in {SITE}: run `make book`"),
    needs_chromium,
]

WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    const nodes = entry.sources.map(({ node }) => node?.nodeName + "." + (node?.className ?? ""));
    window.shifts.push([entry.value, entry.startTime, nodes]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""
SCROLL_THROUGH = """
async () => {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const height = document.documentElement.scrollHeight;
  for (let y = 0; y < height; y += 0.9 * innerHeight) { scrollTo(0, y); await pause(30); }
  scrollTo(0, 0);
  await pause(30);
}
"""
# The glyphs of a formula are hidden from a screen reader, which reads the MathML beside them; there are thousands.
RUN_AXE = """
async (settings) => {
  const options = { resultTypes: ["violations"], elementRef: false, preload: false, ...settings };
  const { violations } = await axe.run({ exclude: [["mjx-math"]] }, options);
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary}`));
}
"""


def page_names() -> list[str]:
    folders = [SITE / "book", SITE / "exercises"]
    pages = sorted(str(page.relative_to(SITE)) for folder in folders for page in folder.rglob("*.html"))
    return [*pages, "search.html", "genindex.html", "py-modindex.html"]


class Visit(NamedTuple):
    """What one visit saw."""

    elsewhere: list[str]
    errors: list[str]
    weights: dict[str, int]  # address -> bytes, compressed
    shift: float
    shifts: list
    width: int
    formula_errors: int
    missing_icons: int
    axe: dict[str, list[str]]  # theme -> findings


@pytest.fixture(scope="module")
def address():
    with serve(functools.partial(QuietHandler, directory=str(SITE))) as address:
        yield address + "/"


@pytest.fixture(scope="module")
def browser():
    with open_chromium() as chromium:
        yield chromium


@functools.cache
def compressed_size(path: Path) -> int:
    return len(gzip.compress(path.read_bytes(), 6))


def weigh(requested: set[str], address: str) -> dict[str, int]:
    """Compressed size of each file of the site that was asked for."""
    files = {url: SITE / url.removeprefix(address).partition("?")[0].partition("#")[0] for url in requested}
    return {url.removeprefix(address): compressed_size(path) for url, path in files.items() if path.is_file()}


def largest_burst(shifts: list) -> float:
    """Cumulative layout shift as browsers define it: the worst window of 5 seconds with gaps below 1 second."""
    worst, total, begin, last = 0.0, 0.0, float("-inf"), float("-inf")
    for value, start, _ in shifts:
        if start - last >= 1000 or start - begin >= 5000:
            total, begin = 0.0, start
        total, last = total + value, start
        worst = max(worst, total)
    return worst


def visit(browser, address: str, name: str, size: str) -> Visit:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light")
    try:
        page = context.new_page()
        elsewhere, errors, requested = [], [], set()
        page.on("request", lambda r: (requested.add(r.url) if r.url.startswith(address) else
                                      r.url.startswith(("data:", "blob:")) or elsewhere.append(r.url)))
        note_errors(page, errors)
        page.add_init_script(WATCH_SHIFTS)
        page.goto(address + name, wait_until="load")
        page.wait_for_function("!document.querySelector('article .math') || document.querySelector('mjx-container')")
        page.wait_for_function("!document.querySelector('i.fa, i.fas, i.far, i.fab, i.fa-solid')", timeout=5000)
        page.evaluate(SCROLL_THROUGH)
        page.wait_for_load_state("networkidle")
        shifts = page.evaluate("window.shifts")
        axe = {}
        page.add_script_tag(path=AXE)
        for theme, settings in AXE_RUNS[size].items():
            page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
            page.evaluate("document.getAnimations().forEach((animation) => animation.finish())")
            axe[theme] = page.evaluate(RUN_AXE, settings)
        return Visit(
            elsewhere, errors, weigh(requested, address), largest_burst(shifts), shifts,
            width=page.evaluate("document.documentElement.scrollWidth"),
            formula_errors=page.locator("mjx-merror").count(),
            missing_icons=page.locator("[data-fa-i2svg][data-icon='circle-question']").count(),
            axe=axe,
        )
    finally:
        context.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", page_names())
def test_a_page(browser, address, name, size):
    seen = visit(browser, address, name, size)
    total = sum(seen.weights.values())
    heaviest = sorted(seen.weights.items(), key=lambda item: -item[1])[:6]
    problems = [*(f"asks another host: {url}" for url in seen.elsewhere), *(f"error: {text}" for text in seen.errors)]
    problems += [f"{seen.formula_errors} formulas have an error"] * (seen.formula_errors > 0)
    problems += [f"{seen.missing_icons} icons are missing in icons.js"] * (seen.missing_icons > 0)
    problems += [f"{seen.width} pixels wide in a window of {SIZES[size][0]}"] * (seen.width > SIZES[size][0])
    problems += [f"{total / 1000:.0f} kB, budget {BUDGET / 1000:.0f}; most in {heaviest}"] * (total > BUDGET)
    problems += [f"moves while it loads: {seen.shift:.2f}, at most {SHIFT}; {json.dumps(seen.shifts)}"] * (
        seen.shift >= SHIFT)
    problems += [f"axe, {theme}: {finding}" for theme, findings in seen.axe.items() for finding in findings]
    assert not problems, "\n".join(problems)


def test_the_checks_notice_what_they_look_for(browser, tmp_path, monkeypatch):
    """A page with one fault of each kind, served like the site."""
    fault = tmp_path / "fault.html"
    (tmp_path / "heavy.js").write_bytes(os.urandom(BUDGET + 1000).replace(b"*/", b"--").join([b"/*", b"*/"]))
    fault.write_text("""<!DOCTYPE html><html lang="en"><head><title>Fault</title></head><body style="margin:0">
<div id="late"></div><main style="width: 2000px; height: 500px"><h1>One</h1><img src="missing.png">
<p style="color: #999; background: #fff">Too pale to read.</p></main>
<script src="heavy.js" charset="latin1"></script><script src="http://other.invalid/x.js"></script>
<script>setTimeout(() => { document.getElementById("late").style.height = "400px"; }, 100); throw Error("oh");</script>
</body></html>""", encoding="utf-8")
    monkeypatch.setattr(f"{__name__}.SITE", tmp_path)
    with serve(functools.partial(QuietHandler, directory=str(tmp_path))) as address:
        seen = visit(browser, address + "/", "fault.html", "desktop")
    assert seen.elsewhere == ["http://other.invalid/x.js"]
    assert any("oh" in text for text in seen.errors) and any("404" in text for text in seen.errors)
    assert sum(seen.weights.values()) > BUDGET
    assert seen.shift >= SHIFT
    assert seen.width > SIZES["desktop"][0]
    found = {theme: {finding.partition(":")[0] for finding in findings} for theme, findings in seen.axe.items()}
    assert {"image-alt", "color-contrast"} <= found["light"] and "color-contrast" in found["dark"]


def test_search_finds_words_without_a_server_of_ours(browser, address):
    """The search page works on the built files alone."""
    page = browser.new_page()
    elsewhere = []
    page.on("request", lambda r: r.url.startswith((address, "data:")) or elsewhere.append(r.url))
    page.goto(address + "search.html?q=gradient", wait_until="networkidle")
    page.wait_for_selector("#search-results ul.search li a")
    found = page.locator("#search-results ul.search li > a").evaluate_all("links => links.map((link) => link.href)")
    assert any("backprop-autodiff.html" in link for link in found)
    assert elsewhere == []
    page.close()


def test_the_search_button_leads_to_results(browser, address):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address + "book/intro.html", wait_until="networkidle")
    page.keyboard.press("Control+k")
    page.keyboard.type("gradient")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results ul.search li a")
    assert "search.html?q=gradient" in page.url
    page.close()


def test_a_copy_button_copies_the_cell(browser, address):
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(address + "book/training/backprop-autodiff.html", wait_until="networkidle")
    cell = page.locator("div.cell_input:visible div.highlight").filter(has=page.locator("button.copybtn")).first
    cell.scroll_into_view_if_needed()
    cell.hover()
    cell.locator("button.copybtn").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == cell.locator("pre").inner_text().strip()
    context.close()


def test_indices_in_the_text_are_smaller_than_letters(browser, address):
    """MathJax measures the font around a formula: what is done to formulas that wait must not mislead it."""
    page = browser.new_page()
    page.goto(address + "book/reference/notation.html", wait_until="networkidle")
    sizes = page.locator("span.math mjx-script mjx-mi").evaluate_all(
        """(letters) => letters.map((letter) => parseFloat(getComputedStyle(letter).fontSize)
           / parseFloat(getComputedStyle(letter.closest("mjx-container")).fontSize))"""
    )
    assert len(sizes) > 20
    assert max(sizes) < 0.75
    page.close()


def test_the_formula_menu_comes_when_it_is_asked_for(browser, address):
    context = browser.new_context()
    page = context.new_page()
    asked = []
    page.on("request", lambda r: asked.append(r.url.removeprefix(address)))
    page.goto(address + "book/training/backprop-autodiff.html", wait_until="networkidle")
    formulas = page.locator("mjx-container").count()
    assert not any(name.endswith("ui/menu.js") for name in asked)
    page.locator("article mjx-container").nth(3).click(button="right")
    page.locator(".CtxtMenu_Menu").first.wait_for()
    assert page.locator("mjx-container").count() == formulas
    assert page.locator("mjx-container mjx-assistive-mml math").count() == formulas
    context.close()


def test_the_keyboard_gets_the_formula_menu_too(browser, address):
    context = browser.new_context()
    page = context.new_page()
    page.goto(address + "book/guide/reader.html", wait_until="networkidle")
    page.locator("[data-nn-formula-menu]").press("Enter")
    page.wait_for_function("document.activeElement?.tagName === 'MJX-CONTAINER'")
    page.keyboard.press("Space")
    page.locator(".CtxtMenu_Menu").first.wait_for()
    page.reload(wait_until="networkidle")  # from now on it comes with every page
    page.wait_for_selector("mjx-container[tabindex='0']")
    context.close()


def test_wide_formulas_scroll_with_the_keyboard(browser, address):
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(address + "book/training/backprop-autodiff.html", wait_until="networkidle")
    formulas = page.locator("article mjx-container[display='true']").evaluate_all(
        "formulas => formulas.map((formula) => [formula.scrollWidth > formula.clientWidth, formula.tabIndex === 0])")
    assert any(wide for wide, _ in formulas) and not all(wide for wide, _ in formulas)
    assert all(wide == focusable for wide, focusable in formulas)
    page.close()


def test_a_missing_page_leads_back_from_any_depth(browser, tmp_path):
    """The site may stand in a folder of its server; the page finds it from the address that was asked for."""
    class Server(QuietHandler):
        def translate_path(self, path: str) -> str:
            inside = path.partition("?")[0].removeprefix("/course/")
            return str(SITE / inside) if path.startswith("/course/") else str(tmp_path / "nothing")

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            body = (SITE / "404.html").read_bytes()
            self.send_response(code)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    with serve(Server) as address, contextlib.closing(browser.new_page()) as page:
        base = address + "/course/"
        for place in ("nothing.html", "book/training/nothing.html", "a/b/c/d/nothing"):
            page.goto(base + place)
            page.wait_for_selector("a[data-page][href]")
            links = page.locator("a[data-page]").evaluate_all("links => links.map((link) => link.href)")
            assert links[0] == base + "book/intro.html"
            for link in links:
                assert (SITE / link.removeprefix(base)).is_file()
