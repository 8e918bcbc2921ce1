"""The live figure of the perceptron: its numbers against NumPy and least squares, and a reader at work."""

import json

import numpy as np
import pytest
from scipy.optimize import nnls

from neuralnotes.figures import Perceptron
from neuralnotes.figures.perceptron import PRESETS

from .conftest import assert_readable, drag, swipe

NAME = "perceptron"


def perceptron(points: np.ndarray, limit: int) -> tuple[list[int], np.ndarray]:
    """The indices of the mistakes in cyclic order from w = 0, and the weights after each."""
    x, y = np.c_[points[:, :2], np.ones(len(points))], points[:, 2]
    w, mistakes, weights, right, i = np.zeros(3), [], [], 0, 0
    while len(mistakes) < limit and right < len(points):
        if y[i] * (x[i] @ w) <= 0:
            w = w + y[i] * x[i]
            mistakes.append(i)
            weights.append(w)
            right = 0
        else:
            right += 1
        i = (i + 1) % len(points)
    return mistakes, np.array(weights)


def margin(points: np.ndarray) -> float | None:
    """The distance of the origin from the hull of y (x, 1), by non-negative least squares; None where it is 0."""
    vectors = np.c_[points[:, :2], np.ones(len(points))] * points[:, 2:]
    # min |V' m|^2 + (sum m - 1)^2 over m >= 0 is reached at a multiple of the weights of the nearest point.
    weights, _ = nnls(np.vstack([vectors.T, np.ones(len(points))]), np.array([0, 0, 0, 1.0]))
    distance = np.linalg.norm(vectors.T @ weights) / weights.sum()
    return distance if distance > 1e-7 else None


def test_rule_mistakes_and_bound_are_those_of_python(show) -> None:
    page = show(NAME)
    presets = page.evaluate("module.PRESETS")
    assert tuple(sorted(presets)) == tuple(sorted(PRESETS))
    rng = np.random.default_rng(0)
    sets = [np.array(rows) for rows in presets.values()]
    for _ in range(40):
        points = np.round(rng.uniform(-3, 3, (rng.integers(3, 25), 3)), 2)
        side = points[:, :2] @ rng.normal(size=2) + rng.normal() + rng.choice([0, 2]) * rng.normal(size=len(points))
        sets.append(np.c_[points[:, :2], np.where(side > 0, 1, -1)])
    kinds = {True: 0, False: 0}
    for points in sets:
        mistakes, weights = perceptron(points, 500)
        got = page.evaluate("(points) => module.run(points, 500)", points.tolist())
        assert got["last"]["i"] == mistakes[-1] and got["next"] == (mistakes[-1] + 1) % len(points)
        np.testing.assert_allclose(got["w"], weights[-1], atol=1e-9)
        np.testing.assert_allclose(got["lengths"], np.linalg.norm(weights, axis=1), atol=1e-9)
        facts = page.evaluate("(points) => module.novikoff(points)", points.tolist())
        assert facts["radius"] == pytest.approx(np.sqrt((points[:, :2] ** 2).sum(1).max() + 1))
        gamma = margin(points)
        kinds[gamma is not None] += 1
        if gamma is None:
            assert facts["gamma"] is None and facts["bound"] is None and len(mistakes) == 500
        else:
            assert facts["gamma"] == pytest.approx(gamma, rel=1e-5)
            assert facts["bound"] == pytest.approx((facts["radius"] / gamma) ** 2, rel=1e-5)
            k = np.arange(1, len(mistakes) + 1)
            lengths = np.array(got["lengths"])
            assert len(mistakes) <= facts["bound"]
            assert (lengths <= facts["radius"] * np.sqrt(k) + 1e-9).all() and (lengths >= gamma * k - 1e-9).all()
    assert min(kinds.values()) > 10

    # Three points in the same place with two labels, and points whose lifted vectors are collinear.
    same, collinear = [[1, 1, 1], [1, 1, -1], [0, 2, 1]], [[0, 0, 1], [1, 1, 1], [2, 2, 1], [-1, -1, -1]]
    for points, separable in ((same, False), (collinear, True)):
        facts = page.evaluate("(points) => module.novikoff(points)", points)
        assert (facts["gamma"] is not None) == separable
        if separable:
            assert facts["gamma"] == pytest.approx(margin(np.array(points, dtype=float)), rel=1e-5)

    # A step changes the weights as the rule says, also from weights that were set by hand.
    assert page.evaluate("module.learn([1, 2, 3], [0.5, -0.25, -1])") == [0.5, 2.25, 2]
    assert page.evaluate("module.nextMistake([[1, 0, 1], [0, 1, 1], [-1, 0, 1]], [1, 0, 0], 2)") == 2
    assert page.evaluate("module.nextMistake([[1, 0, 1], [0, 1, 1], [-1, 0, 1]], [1, 0, 0], 0)") == 1
    assert page.evaluate("module.nextMistake([[1, 0, 1]], [1, 0, 0], 0)") == -1


def test_a_reader_steps_and_drags(show) -> None:
    page = show(NAME)
    text = page.locator(".nn-lines").inner_text
    handles = page.locator(".nn-handle[aria-label^=Point]")
    assert "Mistake 3 was point 10" in text()
    assert "(w, b) ← (0.70, 2.20, 0.00) − (−1.70, 1.20, 1.00) = (2.40, 1.00, −1.00)" in text()
    step = page.get_by_role("button", name="Step one mistake")
    for _ in range(3):
        step.click()
    assert page.evaluate("shown.state().mistakes") == 6 and "stops after 6 mistakes" in text()
    step.click()
    assert page.evaluate("shown.state().mistakes") == 6
    page.wait_for_function("document.querySelector('.nn-said').textContent.includes('Mistake 6')")

    # A point dragged across the line is a mistake, and the bound no longer speaks of this run.
    wrong = page.locator(".nn-wrong")
    assert wrong.count() == 0
    before = page.evaluate("shown.state().points[0]")
    drag(page, handles.nth(0), 170, -40)
    after = page.evaluate("shown.state()")
    assert after["points"][0][0] > before[0] + 1.5 and after["points"][0][1] > before[1]
    assert after["points"][0][2] == before[2]
    assert after["points"][1:] == page.evaluate("module.PRESETS.separable.slice(1)")
    assert wrong.count() == 1 and "a run that starts at w = 0" in text()
    step.click()
    assert page.evaluate("shown.state().weights") != after["weights"] and "The last mistake was point 1" in text()
    page.get_by_role("button", name="Start at w = 0").click()
    assert page.evaluate("shown.state().mistakes") == 0 and "weights" not in page.evaluate("shown.state()")
    assert wrong.count() == 12

    # The weight vector and the line move too.
    page.evaluate("shown.reset()")
    page.locator(".nn-foot button").evaluate("(node) => node.blur()")
    drag(page, page.get_by_role("slider", name="Tip of the weight"), 0, 60)
    moved = page.evaluate("shown.state().weights")
    assert moved[0] == pytest.approx(2.4, abs=0.02) and moved[1] < 0.6 and moved[2] == -1
    drag(page, page.get_by_role("slider", name="Middle of the line"), -40, 0)
    assert page.evaluate("shown.state().weights")[:2] == moved[:2] and page.evaluate("shown.state().weights[2]") > -0.5


def test_with_the_keyboard_alone(show) -> None:
    page = show(NAME, {"preset": "xor", "mistakes": 0})
    text = page.locator(".nn-lines").inner_text
    assert "every point on the line" in text() and "never ends" in text()
    point = page.locator(".nn-handle[aria-label^=Point]").first
    point.focus()
    point.press("ArrowUp")
    point.press("Shift+ArrowLeft")
    assert page.evaluate("shown.state().points[0]") == [0, 1.2, -1]
    point.press("Enter")
    assert page.evaluate("shown.state().points[0]") == [0, 1.2, 1]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Point 1, class +1")
    assert "never ends" not in text() and "is " in text()
    page.keyboard.press("Delete")
    assert page.evaluate("shown.state().points.length") == 3
    page.get_by_role("button", name="Add a point").press("Enter")
    assert page.evaluate("shown.state().points.length") == 4
    page.get_by_role("button", name="Flip point 4").press("Space")
    assert page.evaluate("shown.state().points[3][2]") == -1
    page.get_by_role("button", name="Remove point 4").press("Space")
    page.keyboard.press("Delete")
    page.keyboard.press("Delete")
    assert page.evaluate("shown.state().points.length") == 2
    weight = page.get_by_role("slider", name="Tip of the weight")
    weight.press("ArrowRight")
    assert page.evaluate("shown.state().weights") == [0.1, 0, 0]
    page.get_by_label("Points", exact=True).select_option(label="separable")
    assert page.evaluate("shown.state().mistakes") == 0 and page.evaluate("shown.state().points.length") == 12

    # Double clicks flip a point and add one.
    point.dblclick()
    assert page.evaluate("shown.state().points[0][2]") == 1
    plane = page.locator("svg.nn-plot").first.bounding_box()
    page.mouse.dblclick(plane["x"] + 0.5 * plane["width"], plane["y"] + 0.7 * plane["height"])
    assert page.evaluate("shown.state().points.length") == 13


def test_state_comes_back(show) -> None:
    page = show(NAME)
    picture = page.locator(".nn-panels").inner_html
    for state in ("{}", '{"mistakes": 5}', '{"mistakes": 2, "weights": [1, -0.5, 0.25]}'):
        page.evaluate("(state) => shown.set({ ...shown.state(), ...JSON.parse(state) })", state)
        saved, drawn = page.evaluate("JSON.stringify(shown.state())"), picture()
        page.evaluate("shown.reset()")
        page.evaluate("(saved) => shown.set(JSON.parse(saved))", saved)
        assert page.evaluate("JSON.stringify(shown.state())") == saved
        assert picture().count("nn-line") == drawn.count("nn-line")
        assert json.loads(saved).keys() <= {"points", "mistakes", "weights"}
    for bad in ("{}", '{"points": [[9, 0, 1], [0, 0, 1]]}', '{"points": [[0, 0, 1], [1, 1, -1]], "weights": [1, 2]}'):
        script = "(bad) => { try { shown.set(JSON.parse(bad)); } catch (error) { return error.message; } }"
        assert "no state" in page.evaluate(script, bad)


def test_on_a_phone(show) -> None:
    page = show(NAME, {"preset": "close", "mistakes": 20}, width=390, touch=True)
    assert_readable(page)
    point = page.locator(".nn-handle[aria-label^=Point]").first
    swipe(page, point, -60, 0)
    page.wait_for_function("shown.state().points[0][0] < 1.2", timeout=3000)


def test_props(show) -> None:
    page = show(NAME, {"points": [[0, 0, 1], [1, 1, -1]], "mistakes": 1})
    chosen = "(node) => node.selectedOptions[0].textContent"
    assert page.get_by_label("Points", exact=True).evaluate(chosen) == "your own"
    bad = [
        {"preset": "moons"}, {"mistakes": -1}, {"mistakes": 1.5}, {"mistakes": True}, {"points": [[0, 0, 1]]},
        {"points": [[0, 0], [1, 1]]}, {"points": [[0, 4, 1], [0, 0, 1]]}, {"points": [[0, 0, 0], [0, 0, 1]]},
        {"points": [[0, float("nan"), 1], [0, 0, 1]]}, {"preset": "xor", "points": [[0, 0, 1], [1, 1, -1]]},
    ]
    for props in bad:
        with pytest.raises(ValueError):
            Perceptron(**props)
    assert Perceptron(preset="xor").props == {"preset": "xor"}
    figure = Perceptron(points=[[0, 0, 1], [1, 1, -1]])
    figure.state = page.evaluate("shown.state()")
    np.testing.assert_array_equal(figure.points, [[0, 0], [1, 1]])
    np.testing.assert_array_equal(figure.labels, [1, -1])
