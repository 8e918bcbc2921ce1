"""The live figure of the third coordinate: its fit against the library and scikit-learn, and a reader at work."""

import json
import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Error
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel

from neuralnotes.figures import FeatureLift
from neuralnotes.figures.feature_lift import FEATURES, PRESETS
from neuralnotes.linear_models import logistic_regression_gradients, logistic_regression_newton

from .conftest import assert_readable, drag, swipe

NAME = "feature_lift"
DECAY = 1e-3
CLASSIFY = """([points, options, places]) => {
  const { theta, plane, score, height, right } = module.classify(points, options);
  const scores = places.map((place) => score(...place)), heights = places.map((place) => height(...place));
  return { theta, plane, scores, heights, right: right(points) };
}"""
RIGHT = """([name, options]) => {
  const seed = module.SEEDS[name];
  const points = module.sample(name, 24, seed), fresh = module.sample(name, 100, 1000 + seed);
  const { right } = module.classify(points, options);
  return [right(points), right(fresh)];
}"""
PLACE = """([turn, tilt, range, points]) => {
  const { place } = module.camera(turn, tilt, range);
  return points.map((p) => place(...p));
}"""
CHOSEN = "(node) => node.selectedOptions[0].textContent"
VIEW = "[shown.state().turn, shown.state().tilt]"


def features(x: np.ndarray, points: np.ndarray, feature: str, center: list[float], width: float) -> np.ndarray:
    """What the classifier sees of places x (n, 2): (n, 3), or (n, points) with a bump on every point."""
    if feature == "every":
        return rbf_kernel(x, points[:, :2], gamma=1 / (2 * width**2))
    third = {"none": 0 * x[:, 0], "square": (x**2).sum(1), "product": x.prod(1),
             "bump": np.exp(-((x - center) ** 2).sum(1) / (2 * width**2))}[feature]
    return np.c_[x, third]


def edge_points(plane: np.ndarray, low: float, high: float) -> list[np.ndarray]:
    """Where the twelve edges of the box cross a plane, one edge after the other."""
    sides = [(-2, 2), (-2, 2), (low, high)]
    found = []
    for axis in range(3):
        one, two = (k for k in range(3) if k != axis)
        for a in sides[one]:
            for b in sides[two]:
                point = np.zeros(3)
                point[one], point[two] = a, b
                if plane[axis] != 0:
                    point[axis] = -(plane[:3] @ point + plane[3]) / plane[axis]
                    if sides[axis][0] < point[axis] < sides[axis][1]:
                        found.append(point)
    return found


def test_the_fit_is_that_of_python(show) -> None:
    page = show(NAME)
    rng = np.random.default_rng(0)
    assert page.evaluate("Object.keys(module.SEEDS)") == list(PRESETS)
    checked = 0
    for trial in range(8):
        points = np.c_[rng.uniform(-2, 2, (24, 2)), np.where(rng.random(24) < 0.5, 1, -1)]
        if trial >= 5:
            points = np.array(page.evaluate("(name) => module.sample(name, 24, 3)", PRESETS[trial - 5]), dtype=float)
        places = rng.uniform(-2, 2, (20, 2))
        for feature in FEATURES:
            center, width = rng.uniform(-2, 2, 2).tolist(), float(rng.choice([0.05, 0.3, 0.6, 2]))
            options = {"feature": feature, "center": center, "width": width}
            got = page.evaluate(CLASSIFY, [points.tolist(), options, places.tolist()])
            x, y = features(points[:, :2], points, feature, center, width), (points[:, 2] > 0).astype(float)

            w, b = logistic_regression_newton(torch.tensor(x), torch.tensor(y), weight_decay=DECAY, steps=60)
            np.testing.assert_allclose(got["theta"], [*w.tolist(), b.item()], rtol=1e-6, atol=1e-6)
            # The penalty of scikit-learn is |w|^2 / 2 beside C times the sum of the losses.
            model = LogisticRegression(C=1 / (DECAY * len(x)), solver="newton-cholesky", tol=1e-12, max_iter=500)
            model.fit(x, y)
            at = features(places, points, feature, center, width)
            np.testing.assert_allclose(got["scores"], model.decision_function(at), rtol=1e-5, atol=1e-5)
            assert got["right"] == (model.predict(x) == y).sum()
            assert got["heights"] == pytest.approx(got["scores"] if feature == "every" else at[:, 2])
            if feature == "every":
                assert got["plane"] == [0, 0, 1, 0]
            else:  # the plane is where the score is 0
                scores = np.c_[places, got["heights"], np.ones(20)] @ got["plane"]
                np.testing.assert_allclose(scores, got["scores"], atol=1e-9)

            theta = torch.tensor(got["theta"], dtype=torch.float64)
            loss, dw, db = logistic_regression_gradients(torch.tensor(x), torch.tensor(y), theta[:-1], theta[-1], DECAY)
            assert max(dw.abs().max(), abs(db)) < 1e-8
            script = "([x, y, theta]) => module.lossOf(x, y, theta)"
            value = page.evaluate(script, [x.tolist(), points[:, 2].tolist(), got["theta"]])
            assert value == pytest.approx(loss.item(), rel=1e-9)
            checked += 1
    assert checked == 8 * len(FEATURES)


def test_the_right_feature_helps_and_a_wrong_one_does_not(show) -> None:
    page = show(NAME)

    def right(name: str, feature: str, center=(0, 0), width: float = 0.6) -> list[int]:
        return page.evaluate(RIGHT, [name, {"feature": feature, "center": center, "width": width}])

    assert right("rings", "square") == [24, 99] and right("xor", "product") == [24, 100]
    assert right("rings", "bump") == [24, 98] and right("xor", "bump", (1.1, 0.9)) == [24, 100]
    for name, feature, center in (("rings", "none", (0, 0)), ("rings", "product", (0, 0)), ("xor", "none", (0, 0)),
                                  ("xor", "square", (0, 0)), ("xor", "bump", (0, 0)), ("rings", "bump", (1.1, 0.9))):
        assert right(name, feature, center)[0] <= 14, (name, feature)
    for name in PRESETS:  # a bump on every point: all of the points seen, however narrow, but not the others
        narrow, good = right(name, "every", width=0.05), right(name, "every", width=0.5)
        assert narrow[0] == good[0] == 24 and narrow[1] <= 80 and good[1] >= 99
        assert right(name, "every", width=2)[0] == (21 if name == "moons" else 24)


def test_space(show) -> None:
    page = show(NAME)
    rng = np.random.default_rng(1)
    box = np.array([[a, b, h] for a in (-2, 2) for b in (-2, 2) for h in (0, 4)], dtype=float)
    for turn, tilt in ((0, 90), (0, 0), (-30, 22), (140, 60)):
        got = np.array(page.evaluate(PLACE, [turn, tilt, [0, 4], box.tolist()]))
        t, e = np.radians([turn, tilt])
        u = box / [2, 2, 2 / 0.9] - [0, 0, 0.9]
        spin = np.array([[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]])
        lean = np.array([[1, 0, 0], [0, np.cos(e), -np.sin(e)], [0, np.sin(e), np.cos(e)]])
        right, back, up = (u @ spin.T @ lean.T).T
        np.testing.assert_allclose(got, np.c_[170 + 100 * right, 181 - 100 * up, back], atol=1e-9)
        assert (got[:, :2] > 0).all() and (got[:, 0] < 340).all()

    planes = [[0.1, -0.3, 2, -4], [1, 2, 0, 0.3], [0, 0, 1, -1], [3, -1, -0.5, 0.7]]
    planes += rng.normal(size=(40, 4)).tolist()
    missed = 0
    for plane in planes:
        low, high = ([0, 4], [-2.5, 2.5])[rng.integers(2)]
        corners = page.evaluate("([plane, range]) => module.cut(plane, range)", [plane, [low, high]])
        expected = edge_points(np.array(plane), low, high)
        missed += not expected
        assert len(corners) == len(expected)
        for point in expected:
            assert np.abs(np.array(corners) - point).sum(1).min() < 1e-9
        if len(expected) < 3:
            continue
        turn, tilt = page.evaluate("([plane, range]) => module.edgeOn(plane, -30, 22, range)", [plane, [low, high]])
        assert tilt == (22 if plane[2] == 0 else 0) and -180 <= turn <= 180
        assert abs((turn + 30 + 180) % 360 - 180) <= 90.1
        seen = np.array(page.evaluate(PLACE, [turn, tilt, [low, high], corners]))[:, :2]
        assert np.linalg.svd(seen - seen.mean(0))[1][1] < 1  # the plane is a line, to half a unit or so
        # The nearer side is the one that a step toward the eye leads to.
        start = np.mean(expected, axis=0)
        steps = [start.tolist(), *(start + np.eye(3)).tolist()]
        depths = np.array(page.evaluate(PLACE, [-30, 22, [low, high], steps]))[:, 2]
        toward = -(depths[1:] - depths[0]) * [4, 4, ((high - low) / (2 * 0.9)) ** 2]
        side = page.evaluate("([plane, range]) => module.camera(-30, 22, range).facing(plane)", [plane, [low, high]])
        assert side == np.sign(np.array(plane[:3]) @ toward)
    assert missed < 20
    through = page.evaluate("module.cut([1, 1, 0, 0], [0, 4])")  # through four corners of the box
    assert {tuple(np.round(point, 9)) for point in through} == {(-2, 2, 0), (-2, 2, 4), (2, -2, 0), (2, -2, 4)}

    grid = np.linspace(-2, 2, 65)
    circle = (grid[None, :] ** 2 + grid[:, None] ** 2 - 1).ravel()
    ends = np.array(page.evaluate("(f) => module.zeroLines(f, 64)", circle.tolist())).reshape(-1, 2) / 16 - 2
    assert len(ends) > 100
    np.testing.assert_allclose(np.hypot(*ends.T), 1, atol=2e-3)
    angles = np.sort(np.arctan2(*ends.T))
    assert np.diff(angles).max() < 0.1  # all around
    assert page.evaluate("module.zeroLines([0, 0, 0, 0], 1)") == []

    for feature, heights, expected in (("none", [0], [0, 1]), ("bump", [1], [0, 1]), ("square", [0, 4], [0, 4]),
                                       ("square", [4.1], [0, 8]), ("product", [-2.5, 1], [-2.5, 2.5]),
                                       ("product", [-2.6], [-4, 4]), ("every", [-2, 7], [-10, 10]),
                                       ("every", [0], [-1, 1]), ("every", [0.28, -0.1], [-0.3, 0.3])):
        got = page.evaluate("([feature, heights]) => module.rangeOf(feature, heights)", [feature, heights])
        assert got == pytest.approx(expected), (feature, heights)


def test_a_reader_chooses_drags_and_looks(show) -> None:
    page = show(NAME)
    text = page.locator(".nn-lines").inner_text
    state = "shown.state()"
    assert "24 of 24 points right" in text() and "every disk lies above it" in text() and "99 right" in text()
    feature, wrong = page.get_by_label("Third coordinate"), page.locator("svg.nn-plot").first.locator(".nn-wrong")
    assert wrong.count() == 0
    # Each stem leads from a lifted point straight down or up to the plane.
    points = page.evaluate("shown.state().points")
    w1, w2, w3, b = page.evaluate(CLASSIFY, [points, {"feature": "square"}, []])["theta"]
    ends = [[[x1, x2, x1**2 + x2**2], [x1, x2, -(w1 * x1 + w2 * x2 + b) / w3]] for x1, x2, _ in points]
    places = np.array(page.evaluate(PLACE, [-30, 22, [0, 4], sum(ends, [])]))[:, :2].reshape(-1, 4)
    script = "(all) => all.map((node) => node.getAttribute('d').match(/[\\d.-]+/g).map(Number))"
    stems = page.locator(".nn-stem").evaluate_all(script)
    assert len(stems) == len(points) == 24
    np.testing.assert_allclose(sorted(stems), sorted(places.tolist()), atol=0.06)
    feature.select_option(label="none: φ = 0")
    assert "13 of 24 points right. A line in the plane leaves 11" in text() and wrong.count() == 11
    feature.select_option(label="x₁·x₂")
    assert "Even with this third coordinate, the plane leaves 11" in text()
    assert page.get_by_label("Width s of a bump").is_disabled()
    feature.select_option(label="one bump")
    assert "14 of 24" in text()
    center = page.get_by_role("slider", name="Center c of the bump")
    unit = page.locator(".nn-frame").bounding_box()["width"] / 4
    drag(page, center, -1.1 * unit, 0.9 * unit)
    assert np.abs(page.evaluate("shown.state().center")).max() < 0.06 and "24 of 24" in text()
    page.wait_for_function("document.querySelector('.nn-said').textContent.includes('24 of 24')")

    # A point dragged into the middle is on the wrong side, and its number is said.
    before = page.evaluate("shown.state().points")
    disk = next(i for i, (a, b, y) in enumerate(before) if y > 0 and a < -1.2)
    drag(page, page.locator(".nn-handle[aria-label^=Point]").nth(disk), -before[disk][0] * unit, before[disk][1] * unit)
    after = page.evaluate("shown.state().points")
    assert np.abs(after[disk][:2]).max() < 0.06
    assert after[:disk] + after[disk + 1:] == before[:disk] + before[disk + 1:]
    assert "23 of 24" in text() and wrong.count() == 1
    assert page.get_by_label("Points", exact=True).evaluate(CHOSEN) == "your own"
    page.get_by_role("button", name=f"Flip point {disk + 1}").click()
    assert page.evaluate("shown.state().points")[disk][2] == -1 and "24 of 24" in text()

    # The vertical axis grows only where a point would leave it.
    feature.select_option(label="x₁² + x₂²")
    ticks = page.locator("svg.nn-space .nn-faint").all_text_contents
    assert ticks() == ["0", "4"]
    drag(page, page.locator(".nn-handle[aria-label^=Point]").nth(disk), 1.9 * unit, 1.9 * unit)
    assert ticks() == ["0", "8"]

    # The view: along the plane every point is on its own side of a line; a drag turns and tilts.
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("button", name="Look along the plane").click()
    assert page.evaluate("shown.state().tilt") == 0
    corners = page.locator(".nn-sheet").evaluate("(node) => node.getAttribute('d').match(/[\\d.-]+/g).map(Number)")
    assert np.linalg.svd(np.reshape(corners, (-1, 2)) - np.reshape(corners, (-1, 2)).mean(0))[1][1] < 1
    page.get_by_role("button", name="Look from above").click()
    assert page.evaluate(VIEW) == [0, 90]
    script = """(nodes) => nodes.map((node) => node.getBoundingClientRect())
      .map(({ x, y, width, height }) => [x + width / 2, y + height / 2]).sort(([a], [b]) => a - b)"""
    shapes = ["svg.nn-space .nn-mark", "svg.nn-plot:not(.nn-space) .nn-mark"]
    lifted, flat = (np.array(page.locator(shape).evaluate_all(script)) for shape in shapes)
    lifted, flat = ((each - each.mean(0)) / np.abs(each - each.mean(0)).max() for each in (lifted, flat))
    np.testing.assert_allclose(lifted, flat, atol=0.03)
    drag(page, page.locator(".nn-view"), 60, -40)
    turn, tilt = page.evaluate(VIEW)
    assert -45 < turn < -15 and 60 < tilt < 80
    page.get_by_role("button", name="Look aslant").click()
    assert page.evaluate(VIEW) == [-30, 22]
    assert page.evaluate(state)["points"] == before

    # A bump on every point: narrow ones learn the points by heart.
    feature.select_option(label="a bump on every point")
    width = page.get_by_label("Width s of a bump")
    width.press("Home")
    assert "24 of 24" in text() and "64 right" in text()
    page.get_by_label("Show the fresh points").check()
    assert page.locator(".nn-fresh > *").count() == 100
    page.get_by_label("Points", exact=True).select_option(label="XOR")
    assert "XOR points were" in text()


def test_with_the_keyboard_alone(show) -> None:
    page = show(NAME, {"points": [[1, 1, 1], [-1, -1, 1], [1, -1, -1], [-1, 1, -1]], "feature": "none"})
    text = page.locator(".nn-lines").inner_text
    assert "2 of 4 points right" in text() and "fresh" not in text()  # the minimum has w = 0: no line is better
    assert page.locator(".nn-sheet").get_attribute("d") == ""
    page.get_by_label("Third coordinate").select_option(label="x₁·x₂")
    assert "4 of 4 points right" in text() and "every disk lies above" in text()
    point = page.locator(".nn-handle[aria-label^=Point]").first
    point.focus()
    point.press("ArrowUp")
    point.press("Shift+ArrowLeft")
    assert page.evaluate("shown.state().points[0]") == [0.5, 1.05, 1]
    assert page.locator(".nn-chosen").count() == 2
    page.keyboard.press("Enter")
    assert page.evaluate("shown.state().points[0][2]") == -1
    label = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(label).startswith("Point 1, triangle")
    page.locator(".nn-handle[aria-label^=Point]").nth(1).press("Enter")  # the last disk stays a disk
    assert page.evaluate("shown.state().points[1][2]") == 1
    assert page.get_by_role("button", name="Flip point 2").is_disabled()

    view = page.get_by_role("slider", name="View of the space")
    view.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(VIEW) == [-25, 27]
    assert view.get_attribute("aria-valuenow") == "-25" and "27°" in view.get_attribute("aria-valuetext")
    page.get_by_label("Turn the view").press("ArrowLeft")
    assert page.evaluate("shown.state().turn") == -26
    page.get_by_label("Third coordinate").select_option(label="one bump")
    center = page.get_by_role("slider", name="Center c")
    center.press("ArrowRight")
    assert page.evaluate("shown.state().center") == [1.15, 0.9]
    for _ in range(30):
        view.press("ArrowDown")
    assert page.evaluate("shown.state().tilt") == 90


def test_state_comes_back(show) -> None:
    page = show(NAME)

    def picture() -> str:
        return re.sub(r"nn-clip-\d+", "", page.locator(".nn-panels").inner_html())

    parts = [{"preset": "xor", "feature": "bump", "center": [0.5, -1]}, {"turn": 99.5, "tilt": 90, "fresh": True},
             {"preset": None, "feature": "every", "width": 0.37}]
    for part in parts:
        page.evaluate("(part) => shown.set({ ...shown.state(), ...part })", part)
        saved, drawn = page.evaluate("JSON.stringify(shown.state())"), picture()
        assert json.loads(saved).items() >= part.items()
        page.evaluate("shown.reset()")
        assert picture() != drawn
        page.evaluate("(saved) => shown.set(JSON.parse(saved))", saved)
        assert page.evaluate("JSON.stringify(shown.state())") == saved and picture() == drawn
    for bad in ({"points": [[0, 0, 1]]}, {"points": [[0, 0, 1], [3, 0, -1]]}, {"feature": "cube"},
                {"preset": "toString"}, {"tilt": 91}):
        with pytest.raises(Error, match="no state of feature_lift"):
            page.evaluate("(bad) => shown.set({ ...shown.state(), ...bad })", bad)


def test_on_a_phone(show) -> None:
    page = show(NAME, {"feature": "bump"}, width=390, touch=True)
    assert_readable(page)
    swipe(page, page.get_by_role("slider", name="Center c"), -60, 30)
    page.wait_for_function("shown.state().center[0] < 0.7", timeout=3000)
    swipe(page, page.locator(".nn-view"), 80, 3)
    page.wait_for_function("shown.state().turn < -45", timeout=3000)


def test_props(show) -> None:
    points = [[0, 0, 1], [1, 1, -1]]
    page = show(NAME, {"points": points, "center": [0, 0.5]})
    assert page.get_by_label("Points", exact=True).evaluate(CHOSEN) == "your own"
    bad = [
        {"preset": "spirals"}, {"feature": "cube"}, {"width": 0}, {"width": True}, {"turn": 181}, {"tilt": -1},
        {"fresh": "yes"}, {"center": [0]}, {"center": [0, 3]}, {"points": [[0, 0, 1]]}, {"points": [[0, 0], [1, 1]]},
        {"points": [[0, 0, 1], [0, 1, 1]]}, {"points": [[0, 3, 1], [0, 0, -1]]}, {"points": [[0, 0, 0], [0, 0, 1]]},
        {"points": [[0, float("nan"), 1], [0, 0, -1]]}, {"preset": "xor", "points": points},
    ]
    for props in bad:
        with pytest.raises(ValueError):
            FeatureLift(**props)
    for feature in FEATURES:
        assert FeatureLift(preset="xor", feature=feature).props == {"preset": "xor", "feature": feature}
    assert page.evaluate("module.FEATURES") == list(FEATURES)
    figure = FeatureLift(points=points)
    figure.state = page.evaluate("shown.state()")
    np.testing.assert_array_equal(figure.points, [[0, 0], [1, 1]])
    np.testing.assert_array_equal(figure.labels, [1, -1])
    np.testing.assert_array_equal(figure.center, [0, 0.5])
