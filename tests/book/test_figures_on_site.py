"""The live figures of the built website in a browser: each starts, answers the keyboard, and travels in an address."""

from __future__ import annotations

import json
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from test_site_in_browser import SITE, address, browser, pytestmark  # noqa: F401

WITH_FIGURES = sorted(str(path.relative_to(SITE)) for path in (SITE / "book").rglob("*.html")
                      if 'class="nn-live"' in path.read_text(encoding="utf-8"))
CONTROLS = ".nn-handle, [role=slider]:not(.nn-handle), input[type=range], input[type=checkbox], select"
KEYS = ["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "Space"]
GARBAGE = ["{", "null", "[]", "7", '"text"']


class Visitor:
    """A browser with its own settings; keeps what it said."""

    def __init__(self, context, address: str):  # noqa: F811
        self.context, self.address = context, address
        self.errors: list[str] = []
        self.warnings: list[str] = []
        self.requests: list[str] = []
        # Formulas take most of the time of a page, and no figure needs them.
        context.route("**/mathjax/**", lambda route: route.fulfill(content_type="text/javascript", body=""))

    def open(self, name: str, **query: str):
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: {"error": self.errors, "warning": self.warnings}.get(
            message.type, []).append(message.text))
        page.on("request", lambda request: self.requests.append(request.url.removeprefix(self.address)))
        page.goto(self.address + name + ("?" + urlencode(query) if query else ""), wait_until="load")
        return page


@pytest.fixture
def visitor(browser, address):  # noqa: F811
    """visitor(**settings of the browser) -> Visitor; an error on one of its pages fails the test."""
    made: list[Visitor] = []

    def visitor(**settings) -> Visitor:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light", **settings)
        made.append(Visitor(context, address))
        return made[-1]

    yield visitor
    for each in made:
        each.context.close()
    assert [error for each in made for error in each.errors] == []


def places(page) -> dict:
    """The places of the figures on a page, by their labels."""
    found = page.locator(".nn-live").all()
    return {place.get_attribute("data-label"): place for place in found}


def figure_in(place):
    """Scroll to a place as a reader does; the figure that comes there."""
    place.scroll_into_view_if_needed()
    link_of(place).wait_for(timeout=10_000)  # the loader adds it last
    return place.locator(".nn-fig")


def link_of(place):
    return place.get_by_role("button", name="Copy a link to this state")


def state_of(figure) -> dict:
    return figure.evaluate("(root) => root.figure.state()")


def shows_still(place) -> bool:
    """Whether the still picture is to be seen; a picture that does not load fails."""
    if place.locator(".nn-still").bounding_box()["height"] < 200:
        return False
    deadline = time.monotonic() + 10
    while not place.locator("img").evaluate("(img) => img.complete && img.naturalWidth > 0"):
        assert time.monotonic() < deadline, "the still picture does not load"
        time.sleep(0.1)
    return True


def states_of(page) -> dict[str, dict]:
    return {label: state_of(figure_in(place)) for label, place in places(page).items()}


def turn(page, figure) -> None:
    """Press keys on every control that is to be seen: each changes the state in which the figure opens."""
    controls = figure.locator(CONTROLS)
    assert controls.count()
    fresh = changed = state_of(figure)
    put = "(root, state) => root.figure.set(state)"
    for control in controls.all():
        # A change may take away the controls that come after it, or leave them nothing to change.
        figure.evaluate(put, fresh)
        if control.count() == 0 or not control.is_visible() or not control.is_enabled():
            continue
        before = state_of(figure)
        control.focus()
        for key in KEYS:
            page.keyboard.press(key)
            if state_of(figure) != before:
                break
        else:
            pytest.fail(f"no key changes anything: {control.evaluate('(node) => node.outerHTML')[:300]}")
        changed = state_of(figure)
    figure.evaluate(put, changed)


def test_every_page_with_a_figure_was_found():
    assert len(WITH_FIGURES) >= 5


@pytest.mark.parametrize("name", WITH_FIGURES)
def test_keyboard_link_reset_theme_and_print(visitor, name):
    site = visitor(permissions=["clipboard-read", "clipboard-write"])
    page = site.open(name)
    fresh = {}
    for label, place in places(page).items():
        figure = figure_in(place)
        fresh[label] = state_of(figure)
        turn(page, figure)
        assert state_of(figure) != fresh[label]
        link_of(place).press("Enter")
        place.get_by_role("button", name="Link copied").wait_for()

    # The address of the page and what was copied say the same, and open the same states.
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url and urlsplit(link).fragment == label
    changed = states_of(page)
    sent = {key: values[0] for key, values in parse_qs(urlsplit(link).query).items()}
    assert {key: json.loads(value) for key, value in sent.items()} == changed
    there = site.open(name, **sent)
    assert states_of(there) == changed
    there.close()

    page.emulate_media(media="print")
    for place in places(page).values():
        assert shows_still(place)
        assert not any(each.is_visible() for each in place.locator(".nn-fig, button").all())
    page.emulate_media(media="screen")

    paper = "(root) => getComputedStyle(root).backgroundColor"
    light = {label: place.locator(".nn-fig").evaluate(paper) for label, place in places(page).items()}
    switch = page.locator(".theme-switch-button:visible").first
    for _ in range(3):  # it goes round: automatic, light, dark
        if page.evaluate("document.documentElement.dataset.theme") != "dark":
            switch.click()
    for label, place in places(page).items():
        figure = place.locator(".nn-fig")
        assert figure.evaluate(paper) != light[label]
        assert state_of(figure) == changed[label]
        assert not shows_still(place)
        reset = place.get_by_role("button", name="Reset")
        reset.press("Enter")
        assert state_of(figure) == fresh[label]
        link_of(place).wait_for()
        assert reset.evaluate("(node) => document.activeElement === node")


@pytest.mark.parametrize("name", WITH_FIGURES)
def test_garbage_in_the_address(visitor, name):
    site = visitor()
    fresh = states_of(site.open(name))
    garbage = dict(zip(fresh, GARBAGE[WITH_FIGURES.index(name):] + GARBAGE, strict=False))
    assert states_of(site.open(name, **garbage)) == fresh
    for label, text in garbage.items():
        assert any(f"{label}: the state in the address cannot be read" in said for said in site.warnings), text


@pytest.mark.parametrize("name", WITH_FIGURES)
def test_where_motion_is_unwelcome(visitor, name):
    site = visitor(reduced_motion="reduce")
    page = site.open(name)
    started = set()
    for place in places(page).values():
        place.scroll_into_view_if_needed()
        start = place.get_by_role("button", name="Start the interactive figure")
        assert shows_still(place)
        module = f"_static/figures/{place.get_attribute('data-module')}.js"
        assert module in started or not any(url.startswith(module) for url in site.requests)
        assert place.locator(".nn-fig").count() == 0
        start.press("Enter")
        started.add(module)
        figure = figure_in(place)
        assert start.count() == 0 and not shows_still(place)
        page.wait_for_function("(place) => document.activeElement === place", arg=place.element_handle())
        page.keyboard.press("Tab")
        assert figure.evaluate("(root) => root.contains(document.activeElement)")


@pytest.mark.parametrize("name", WITH_FIGURES)
def test_without_scripts(visitor, name):
    page = visitor(java_script_enabled=False).open(name)
    for place in places(page).values():
        place.scroll_into_view_if_needed()
        assert shows_still(place) and len(place.locator("img").get_attribute("alt")) > 50
        assert place.locator("button").count() == 0
