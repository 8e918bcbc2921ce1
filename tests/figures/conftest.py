"""A browser in which a figure stands alone on a page."""

from __future__ import annotations

import pytest

from neuralnotes.figures.figure import standalone
from tests.browser import needs_chromium, note_errors, open_chromium

SMALLEST = 9.6  # CSS pixels of a text in a drawing, on a phone


def pytest_collection_modifyitems(items) -> None:
    for item in items:
        if "tests/figures/" in item.path.as_posix():
            item.add_marker(pytest.mark.slow)
            item.add_marker(needs_chromium)


@pytest.fixture(scope="module")
def chromium():
    with open_chromium() as chromium:
        yield chromium


@pytest.fixture
def show(chromium, tmp_path):
    """show(name, props, width=760, still=False) -> a page with the figure on it; an error on the page fails the test.

    In the page, `module` is the figure's module (with everything it exports) and `shown` is what `mount` returned:
    `page.evaluate("shown.state()")`, `page.evaluate("([x]) => module.forward(x)", [x])`.
    """
    errors: list[str] = []
    contexts = []

    def show(name: str, props: dict | None = None, *, width: int = 760, still: bool = False, touch: bool = False):
        file = tmp_path / f"{len(contexts)}.html"
        file.write_text(standalone(name, props, still=still), encoding="utf-8")
        context = chromium.new_context(viewport={"width": width, "height": 900}, has_touch=touch)
        contexts.append(context)
        page = context.new_page()
        note_errors(page, errors)
        page.goto(file.as_uri())
        page.wait_for_function("window.shown", timeout=10_000)
        return page

    yield show
    for context in contexts:
        context.close()
    assert errors == []


def drag(page, locator, dx: float, dy: float) -> None:
    """Drag the middle of an element by some pixels, with the mouse."""
    box = locator.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx / 2, y + dy / 2)
    page.mouse.move(x + dx, y + dy)
    page.mouse.up()


def swipe(page, locator, dx: float, dy: float) -> None:
    """Drag the middle of an element by some pixels, with a finger.

    In several moves: a browser that takes the first ones for scrolling breaks the drag off.
    """
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    client = page.context.new_cdp_session(page)
    client.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for part in (0.25, 0.5, 0.75, 1):
        point = {"x": x + part * dx, "y": y + part * dy}
        client.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    client.detach()


def assert_readable(page) -> None:
    """Nothing is wider than the window, and no text of a drawing is smaller than it may be."""
    assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"]
    texts = page.evaluate("""Array.from(document.querySelectorAll(".nn-fig svg text"))
      .filter((text) => text.checkVisibility() && text.textContent)
      .map((text) => [parseFloat(getComputedStyle(text).fontSize), text.getScreenCTM(), text.textContent])
      .map(([size, { a, b }, words]) => [size * Math.hypot(a, b), words])""")
    assert texts and min(texts)[0] > SMALLEST, min(texts)
