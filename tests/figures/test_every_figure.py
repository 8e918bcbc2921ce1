"""What holds for every live figure: its size, its props, a phone, the theme, and readers who cannot see it."""

from __future__ import annotations

import gzip
import inspect
from pathlib import Path

import pytest
from playwright.sync_api import Error

from neuralnotes import figures
from neuralnotes.figures.figure import HERE, module_source

from .conftest import assert_readable

AXE = Path(__file__).resolve().parents[1] / "book" / "vendor" / "axe.min.js"
BUDGET = 25_000  # bytes of a module, compressed; the kit that all share is counted apart

UNFOLD = "document.querySelectorAll('details').forEach((each) => (each.open = true))"
RUN_AXE = """async () => {
  const rules = { "target-size": { enabled: true }, region: { enabled: false } };
  const { violations } = await axe.run(".nn-fig", { rules, resultTypes: ["violations"] });
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary}`));
}"""
WORDS = """() => [...document.querySelectorAll(".nn-fig *")]
  .filter((node) => node.checkVisibility() && [...node.childNodes].some((child) => child.nodeType === 3 && child.data))
  .map((node) => getComputedStyle(node)[node instanceof SVGElement ? "fill" : "color"])"""
# What is drawn on a canvas does not follow the theme by itself.
DRAWN = """() => [...document.querySelectorAll(".nn-fig :is(image, canvas)")].filter((node) => node.checkVisibility())
  .map((node) => node.getAttribute("href") ?? node.toDataURL())"""
# Every part of the state replaced by something else: refused, or taken in a way that can be shown and sent on.
FUZZ = """(garbage) => {
  const fresh = shown.state(), wrong = [];
  for (const key of Object.keys(fresh)) {
    for (const value of garbage) {
      try {
        shown.set({ ...fresh, [key]: value });
      } catch {
        continue;
      }
      const state = shown.state(), text = JSON.stringify(state);
      if (/NaN|undefined|Infinity/.test(document.querySelector(".nn-fig").innerHTML)) wrong.push([key, value, "NaN"]);
      try {
        shown.set(JSON.parse(text));
        if (JSON.stringify(shown.state()) !== text) wrong.push([key, value, "another state"]);
      } catch (error) {
        wrong.push([key, value, error.message]);
      }
    }
  }
  return wrong;
}"""


@pytest.fixture(params=figures.FIGURES)
def name(request) -> str:
    return request.param


def unnamed(page) -> list[str]:
    """The roles of what can have the focus and has no name, as a screen reader meets it."""
    client = page.context.new_cdp_session(page)
    found = client.send("Accessibility.getFullAXTree")["nodes"]
    client.detach()
    focusable = [node for node in found if not node["ignored"] and any(
        each["name"] == "focusable" and each["value"]["value"] for each in node.get("properties", []))]
    assert len(focusable) > 3
    return [node["role"]["value"] for node in focusable if node["role"]["value"] != "RootWebArea"
            and not node.get("name", {}).get("value", "").strip()]


def test_it_is_one_small_module(name):
    assert len(gzip.compress((HERE / f"{name}.js").read_bytes(), 9)) < BUDGET
    assert "import " not in module_source(name)


def test_python_and_javascript_take_the_same_props(show, name):
    page = show(name)
    cls = getattr(figures, figures.FIGURES[name])
    parameters = inspect.signature(cls).parameters.values()
    assert page.evaluate("Object.keys(module.defaults)") == [each.name for each in parameters]
    assert all(each.kind is each.KEYWORD_ONLY and each.default is None for each in parameters)
    assert cls().props == {}
    with pytest.raises(Error, match=f"{name} has no prop nothing; it has "):
        page.evaluate("module.mount(document.body, { nothing: 1 })")
    with pytest.raises(TypeError, match="nothing"):
        cls(nothing=1)
    with pytest.raises(RuntimeError, match="no state before it is shown"):
        cls().read("step")


def test_every_reader_can_use_it(show, name):
    page = show(name)
    page.add_script_tag(path=AXE)
    page.evaluate(UNFOLD)
    assert unnamed(page) == []
    assert page.evaluate(RUN_AXE) == []

    words, drawn = page.evaluate(WORDS), page.evaluate(DRAWN)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_function(f"(drawn) => ({DRAWN})().every((picture, i) => picture !== drawn[i])", arg=drawn)
    assert drawn or name not in ("network_playground", "optimizer_race")
    assert words and not set(words) & set(page.evaluate(WORDS))
    assert page.evaluate(RUN_AXE) == []

    for width in (350, 672):  # a page's column on a phone and in a window of 1280 pixels
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate(UNFOLD)
        assert_readable(page)


def test_a_state_with_a_wrong_part_is_refused_or_put_right(show, name):
    page = show(name)
    garbage = [None, "x", -1, 1e12, [1], {}, ["x", "y"]]
    assert page.evaluate(FUZZ, garbage) == []
    for whole in (None, [], 7, "text"):
        with pytest.raises(Error, match="this is no state of"):
            page.evaluate("(state) => shown.set(state)", whole)
