"""The live figure of linear regression: its numbers against NumPy, and a reader at work."""

import json

import numpy as np
import pytest

from neuralnotes.figures import LinearRegression

from .conftest import assert_readable, drag, swipe

NAME = "linear_regression"
STATE = "shown.state()"


def design(points: np.ndarray, centered: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows (x, 1), where x counts from its mean or not, and the targets."""
    x = points[:, 0] - (points[:, 0].mean() if centered else 0)
    return np.c_[x, np.ones(len(x))], points[:, 1]


def sets() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    found = [np.round(rng.uniform(0, 5, (n, 2)), 2) for n in (5, 6, 8, 12) for _ in range(4)]
    found.append(np.array([[2, 1], [2, 2], [2, 3], [2, 4], [2, 4.5]]))  # no single best line
    return found


@pytest.mark.parametrize("centered", [False, True])
def test_bowl_and_fifty_steps_are_those_of_numpy(show, centered) -> None:
    page = show(NAME)
    for points in [*sets(), np.array(page.evaluate("module.POINTS"))]:
        design_matrix, y = design(points, centered)
        n = len(y)
        start = np.array([-0.7, 2.5])
        got = page.evaluate("""([points, centered, start]) => {
          const cases = module.inputs(points, centered);
          return { cases, least: module.leastSquares(cases), shape: module.curvature(cases),
            loss: module.loss(cases, start), gradient: module.gradient(cases, start),
            astray: module.astray(cases, start) };
        }""", [points.tolist(), centered, start.tolist()])
        np.testing.assert_allclose(got["cases"], np.c_[design_matrix[:, 0], y], atol=1e-12)
        least = np.linalg.lstsq(design_matrix, y, rcond=None)[0]
        np.testing.assert_allclose(got["least"], least, atol=1e-9)
        residual = design_matrix @ start - y
        gradient = design_matrix.T @ residual / n
        assert got["loss"] == pytest.approx((residual**2).mean() / 2, rel=1e-12)
        np.testing.assert_allclose(got["gradient"], gradient, atol=1e-12)
        way = least - start
        cosine = -gradient @ way / np.linalg.norm(gradient) / np.linalg.norm(way)
        assert got["astray"] == pytest.approx(np.degrees(np.arccos(cosine)), abs=1e-6)

        hessian = design_matrix.T @ design_matrix / n
        (low, high), vectors = np.linalg.eigh(hessian)
        shape = got["shape"]
        assert shape["high"] == pytest.approx(high, rel=1e-10) and shape["low"] == pytest.approx(low, abs=1e-10)
        steep = [np.cos(shape["angle"]), np.sin(shape["angle"])]
        assert abs(vectors[:, 1] @ steep) == pytest.approx(1, abs=1e-9)
        if low > 1e-9:
            assert shape["condition"] == pytest.approx(high / low, rel=1e-8)

        moves = [["all", 1.5 / high, 50], ["one", 0.04, 50], ["solve", 0.04, 1], ["one", 0.03, 3]]
        trail, w, turn = [start], start, 0
        for kind, rate, count in moves:
            for _ in range(count):
                if kind == "all":
                    w = w - rate * design_matrix.T @ (design_matrix @ w - y) / n
                elif kind == "solve":
                    w = least
                else:
                    row, target = design_matrix[turn % n], y[turn % n]
                    w, turn = w + rate * (target - row @ w) * row, turn + 1
                trail.append(w)
        script = "([points, centered, start, moves]) => module.walk(module.inputs(points, centered), start, moves)"
        walked = page.evaluate(script, [points.tolist(), centered, start.tolist(), moves])
        np.testing.assert_allclose(walked, trail, atol=1e-8)

        # Just below 2/lambda the run stays, just above it leaves.
        for rate, stays in ((1.98 / high, True), (2.2 / high, False)):
            last = page.evaluate(script, [points.tolist(), centered, start.tolist(), [["all", rate, 2000]]])[-1]
            assert (np.abs(last).max() < 100) == stays


def test_a_reader_steps_and_drags(show) -> None:
    page = show(NAME)
    text = page.locator(".nn-lines").inner_text
    points = np.array(page.evaluate("module.POINTS"))
    design_matrix, y = design(points, False)
    w = np.array([-0.6, 3])
    losses = []
    for _ in range(14):
        residual = design_matrix @ w - y
        losses.append((residual**2).mean() / 2)
        w = w - 0.18 * design_matrix.T @ residual / 8
    assert f"Step 12, on all cases: L went from {losses[11]:.4f} to {losses[12]:.4f}" in text()
    assert "κ = 93.6" in text() and "η < 2/10.7 = 0.186" in text()
    step = page.get_by_role("button", name="Step", exact=True)
    step.click()
    assert page.evaluate(STATE)["moves"] == [["all", 0.18, 13]] and f"to {losses[13]:.4f}" in text()
    page.wait_for_function("document.querySelector('.nn-said').textContent.includes('Step 13')")

    # The delta rule takes the points in turn, and the residual shrinks by the factor that it says.
    page.get_by_label("A step uses").select_option(label="one case, in turn")
    line = np.array(page.evaluate(STATE)["line"])
    step.click()
    before = points[0, 1] - line @ [points[0, 0], 1]
    factor = 1 - 0.18 * (points[0, 0] ** 2 + 1)
    numbers = [f"{x:.2f}".replace("-", "−") for x in (before, factor * before, factor)]
    assert f"on point 1: its residual y − ŷ went from {numbers[0]} to {numbers[1]}, times {numbers[2]}" in text()
    assert "Next is point 2" in text()
    page.get_by_role("button", name="To the minimum").click()
    least = np.linalg.lstsq(design_matrix, y, rcond=None)[0]
    np.testing.assert_allclose(page.evaluate(STATE)["line"], least, atol=1e-4)
    page.get_by_role("button", name="Start again").click()
    assert page.evaluate(STATE)["moves"] == [] and page.evaluate(STATE)["line"] == [-0.6, 3]

    # The line follows its two handles and its place in the bowl, and these follow the line.
    place = page.get_by_role("slider", name="The line as a point")
    drag(page, place, 40, 30)
    slope, height = page.evaluate(STATE)["line"]
    assert slope > 0 and 2 < height < 2.7 and page.evaluate(STATE)["start"] == [slope, height]
    drag(page, page.get_by_role("slider", name="Slope w").locator(".nn-grip"), 0, -30)
    assert page.evaluate(STATE)["line"][0] == pytest.approx(slope + 30 / 47.8 / 5, abs=0.02)
    assert page.evaluate(STATE)["line"][1] == pytest.approx(height)
    spoken = page.get_by_role("slider", name="Slope w").get_attribute("aria-valuetext")
    assert spoken == f"w = {page.evaluate(STATE)['line'][0]:.2f}"
    slope, box = page.evaluate(STATE)["line"][0], place.bounding_box()
    drag(page, page.get_by_role("slider", name="Intercept b").locator(".nn-grip"), 0, 40)
    assert page.evaluate(STATE)["line"] == [slope, pytest.approx(height - 40 / 47.8, abs=0.03)]
    assert place.bounding_box()["y"] > box["y"] + 30 and place.bounding_box()["x"] == pytest.approx(box["x"], abs=0.5)

    # A dragged point makes another bowl, with the line where it was.
    line, rings = page.evaluate(STATE)["line"], page.locator(".nn-ring").first.get_attribute("transform")
    point = page.get_by_role("slider", name="Point 8")
    drag(page, point, -20, 90)
    state = page.evaluate(STATE)
    assert state["points"][7][1] < 2.3 and state["points"][:7] == points[:7].tolist() and state["line"] == line
    assert page.locator(".nn-ring").first.get_attribute("transform") != rings and "another one" in text()


def test_centering_and_divergence(show) -> None:
    page = show(NAME)
    text = page.locator(".nn-lines").inner_text
    play = page.get_by_role("button", name="Play")
    page.get_by_label("Center x").check()
    assert "κ = 1.23" in text() and page.evaluate(STATE)["line"] == [-0.6, 3] and page.evaluate(STATE)["moves"] == []
    assert "x − 2.94) + 1.24" in page.locator(".nn-title").first.text_content()
    rate = page.get_by_label("Learning rate")
    rate.focus()
    while page.evaluate(STATE)["rate"] < 0.9:
        page.keyboard.press("ArrowRight")
    play.click()
    page.wait_for_function(f"{STATE}.moves.length && document.body.innerText.includes('four decimals')")
    (moves,) = page.evaluate(STATE)["moves"]
    assert moves[:2] == ["all", 0.9] and moves[2] < 8
    play.wait_for()

    # The same rate without centering: the steps grow until the figure stops.
    page.get_by_label("Center x").uncheck()
    assert "η = 0.9 is above it" in text() and "it diverges" in text()
    step = page.get_by_role("button", name="Step", exact=True)
    step.click()
    assert "The step was too long." in text()
    play.click()
    page.wait_for_function("document.body.innerText.includes('Diverged: after')")
    assert "NaN" not in page.locator(".nn-fig").inner_html() and page.get_by_text("off the map").count() == 1
    taken = page.evaluate(STATE)["moves"]
    step.click()
    assert page.evaluate(STATE)["moves"] == taken
    drag(page, page.get_by_role("slider", name="The line as a point"), -60, 60)  # it can be picked up again
    assert page.evaluate(STATE)["moves"] == [] and page.get_by_text("off the map").count() == 0


def test_with_the_keyboard_alone(show) -> None:
    page = show(NAME, {"steps": 0})
    page.get_by_role("button", name="Step", exact=True).press("Enter")
    page.get_by_role("slider", name="Slope w").press("ArrowRight")  # it goes up and down only
    assert page.evaluate(STATE)["moves"] == [["all", 0.18, 1]]
    page.get_by_role("button", name="Start again").press("Enter")
    for label, key, value in (
        ("The line as a point", "ArrowRight", [-0.55, 3]),
        ("The line as a point", "Shift+ArrowDown", [-0.55, 2.5]),
        ("Intercept b", "ArrowUp", [-0.55, 2.6]),
        ("Slope w", "ArrowUp", [-0.53, 2.6]),
    ):
        page.get_by_role("slider", name=label).press(key)
        assert page.evaluate(STATE)["line"] == pytest.approx(value)
    axes = page.locator(".nn-map .nn-axes").inner_html()
    page.get_by_role("slider", name="Point 3").press("ArrowLeft")
    page.keyboard.press("Shift+ArrowDown")
    assert page.evaluate(STATE)["points"][2] == [2.1, 1.6]
    for _ in range(3):  # the focus stays, also where the bowl gets other axes
        page.keyboard.press("Shift+ArrowRight")
    assert page.evaluate(STATE)["points"][2] == [5, 1.6] and page.locator(".nn-map .nn-axes").inner_html() != axes
    page.get_by_role("button", name="Step", exact=True).press("Enter")
    assert page.evaluate(STATE)["moves"] == [["all", 0.18, 1]]
    page.get_by_label("Squares").press("Space")
    assert page.locator(".nn-square").count() == 8


def test_axes_stay_while_the_run_goes_on(show) -> None:
    page = show(NAME, {"steps": 0})
    axes = page.locator(".nn-map .nn-axes").inner_html()
    for _ in range(5):
        page.get_by_role("button", name="Step", exact=True).click()
    page.get_by_role("button", name="To the minimum").click()
    assert page.locator(".nn-map .nn-axes").inner_html() == axes


def test_state_comes_back(show) -> None:
    page = show(NAME)
    picture = page.locator(".nn-panels").inner_html
    changes = ({}, {"centered": True, "rate": 0.5},
               {"cases": "one", "moves": [["all", 0.1, 3], ["one", 0.05, 9], ["solve", 0.1, 1]]},
               {"squares": True, "start": [0.25, -1], "points": [[k / 2, 4 - k / 3] for k in range(8)]})
    clips = "(text) => text.replace(/nn-clip-\\d+/g, 'clip')"
    for change in changes:
        page.evaluate("(change) => shown.set({ ...shown.state(), ...change })", change)
        saved, drawn = page.evaluate("JSON.stringify(shown.state())"), page.evaluate(clips, picture())
        page.evaluate("shown.reset()")
        page.evaluate("(saved) => shown.set(JSON.parse(saved))", saved)
        assert page.evaluate("JSON.stringify(shown.state())") == saved
        assert page.evaluate(clips, picture()) == drawn
        assert {"points", "moves", "line"} <= json.loads(saved).keys()
    script = "(bad) => { try { shown.set({ ...shown.state(), ...bad }); } catch (error) { return error.message; } }"
    bad = ({"points": [[1, 1]]}, {"points": [[9, 1]] * 8}, {"rate": 0}, {"cases": "none"}, {"start": [1]},
           {"centered": 1}, {"moves": [["all", 0.1, 0]]}, {"moves": [["most", 0.1, 1]]},
           {"moves": [["all", 0.1, 9000]]})
    for each in bad:
        assert "no state" in page.evaluate(script, each), each


def test_on_a_phone(show) -> None:
    page = show(NAME, width=390, touch=True)
    assert_readable(page)
    swipe(page, page.get_by_role("slider", name="Point 2"), 0, -60)
    page.wait_for_function("shown.state().points[1][1] > 2", timeout=3000)
    swipe(page, page.get_by_role("slider", name="The line as a point"), 0, 60)
    page.wait_for_function("shown.state().line[1] < 2", timeout=3000)


def test_props(show) -> None:
    points = [[0, 1], [1, 1], [2, 3], [3, 2], [4, 5]]
    page = show(NAME, {"points": points, "cases": "one", "steps": 3, "start": [1, 0], "centered": True})
    assert page.evaluate(STATE)["moves"] == [["one", 0.18, 3]]
    bad = [
        {"points": points[:4]}, {"points": [[0, 0, 0]] * 5}, {"points": [[0, 6]] * 5},
        {"points": [[0, float("nan")]] * 5}, {"centered": 1}, {"squares": "yes"}, {"rate": 0}, {"rate": 3},
        {"rate": True}, {"cases": "two"}, {"start": [1]}, {"start": [1, 11]}, {"start": [1, float("inf")]},
        {"steps": -1}, {"steps": 1.5}, {"steps": True},
    ]
    for props in bad:
        with pytest.raises(ValueError):
            LinearRegression(**props)
    assert LinearRegression(cases="one").props == {"cases": "one"}
    figure = LinearRegression(points=points)
    figure.state = page.evaluate(STATE)
    np.testing.assert_array_equal(figure.points, points)
    assert figure.line.shape == (2,) and figure.line.tolist() == page.evaluate(STATE)["line"]
