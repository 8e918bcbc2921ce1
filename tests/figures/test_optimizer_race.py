"""The optimizer race: the module's steps against neuralnotes.optimizers with autograd, and the figure in a browser."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuralnotes import optimizers
from neuralnotes.figures import OptimizerRace
from neuralnotes.figures.optimizer_race import BOUNDS, METHODS

from .conftest import assert_readable, drag, swipe

SURFACES = {
    "ravine": lambda p, k: (p[0] ** 2 + k * p[1] ** 2) / 2,
    "saddle": lambda p, k: p[0] ** 2 / 2 - p[1] ** 2 / 2 + p[1] ** 4 / 4 + 1 / 4,
    "rosenbrock": lambda p, k: 0.1 * (1 - p[0]) ** 2 + (p[1] - p[0] ** 2) ** 2,
}
RUN = "([name, setting, steps]) => module.run(name, setting, steps)"


def path_with_autograd(name: str, surface: str, condition: float, rate: float, start, noise, steps: int):
    p = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = getattr(optimizers, name)([p], rate)
    points, losses = [p.tolist()], []
    for step in range(steps + 1):
        p.grad = None
        loss = SURFACES[surface](p, condition)
        losses.append(loss.item())
        if step == steps:
            return points, losses
        loss.backward()
        if noise is not None:
            p.grad += torch.tensor(noise[step], dtype=torch.float64)
        optimizer.step()
        points.append(p.tolist())


def test_fifty_steps_of_each_method(show):
    page = show("optimizer_race")
    noise = page.evaluate("module.noises()")
    assert np.shape(noise) == (200, 2)
    assert np.std(noise) == pytest.approx(0.5, rel=0.1)
    cases = [("ravine", 20, 0.03, [-3.5, 1.2], False), ("ravine", 50, 0.01, [3, -2], True),
             ("saddle", 1, 0.05, [-2, 0.02], False), ("saddle", 1, 0.02, [1.5, -0.3], True),
             ("rosenbrock", 1, 0.1, [-1.3, 2], False)]
    for surface, condition, rate, start, noisy in cases:
        for name in METHODS:
            setting = {"surface": surface, "condition": condition, "rate": rate, "start": start, "noise": noisy}
            found = page.evaluate(RUN, [name, setting, 50])
            points, losses = path_with_autograd(name, surface, condition, rate, start, noise if noisy else None, 50)
            np.testing.assert_allclose(found["points"], points, rtol=1e-8, atol=1e-9, err_msg=f"{name} {setting}")
            np.testing.assert_allclose(found["losses"], losses, rtol=1e-7, atol=1e-12, err_msg=f"{name} {setting}")
            assert found["diverged"] is None
            below = [step for step, loss in enumerate(losses) if loss < 1e-3]
            assert found["reached"] == (below[0] if below else None)


def test_values_gradients_and_contours(show):
    page = show("optimizer_race")
    rng = np.random.default_rng(0)
    for surface, f in SURFACES.items():
        for x, y in rng.normal(size=(20, 2)):
            p = torch.tensor([x, y], dtype=torch.float64, requires_grad=True)
            value = f(p, 12.0)
            value.backward()
            found = page.evaluate("""([name, x, y]) => {
              const surface = module.surfaces[name];
              return [surface.value(x, y, 12), ...surface.gradient(x, y, 12)];
            }""", [surface, x, y])
            np.testing.assert_allclose(found, [value.item(), *p.grad.tolist()], rtol=1e-12, atol=1e-12)
        setting = page.evaluate("(name) => JSON.parse(JSON.stringify(module.surfaces[name]))", surface)
        assert (tuple(setting["x"]), tuple(setting["y"])) == BOUNDS[surface]
        for minimum in setting["minima"]:
            p = torch.tensor(minimum, dtype=torch.float64, requires_grad=True)
            f(p, 12.0).backward()
            assert f(p, 12.0).item() == 0
            assert p.grad.tolist() == [0, 0]
        pieces = page.evaluate("""(surface) => {
          const { value, x, y } = module.surfaces[surface];
          return module.contour((a, b) => value(a, b, 12), 1, x, y, 64, 56);
        }""", surface)
        on_line = [f(torch.tensor(point, dtype=torch.float64), 12.0).item() for piece in pieces for point in piece]
        assert len(on_line) > 100
        assert np.abs(np.array(on_line) - 1).max() < 0.08  # linear interpolation on a grid of 1/64 of the map


def test_where_the_ravine_diverges(show):
    """The three rates that the text under the ravine names, from both sides."""
    page = show("optimizer_race")
    text = page.inner_text(".nn-note >> nth=0")
    for k, name, limit in [(20, "SGD", 2), (20, "Momentum", 3.8), (50, "Nesterov", 3.8 / 2.8)]:
        for factor in (0.97, 1.03):
            setting = {"surface": "ravine", "condition": k, "rate": factor * limit / k, "start": [0, 1], "noise": False}
            losses = page.evaluate(RUN, [name, setting, 2000])["losses"]
            assert (losses[-1] > 1e3) == (factor > 1), (name, factor)
    assert all(part in text for part in ("2/κ = 0.1", "3.8/κ = 0.19", "1.36/κ = 0.0679"))
    setting = {"surface": "ravine", "condition": 20, "rate": 0.2, "start": [-3, 1], "noise": False}
    found = page.evaluate(RUN, ["SGD", setting, 200])
    assert found["diverged"] == len(found["losses"]) - 1
    assert found["losses"][-1] > 1e6 >= found["losses"][-2]


def test_a_reader_at_work(show):
    page = show("optimizer_race")
    state = page.evaluate("shown.state()")
    assert (state["surface"], state["step"], state["start"], state["rate"]) == ("ravine", 40, [-3.5, 1.2], 0.06)

    def drawn() -> list[str]:
        return [line.get_attribute("d") for line in page.locator(".nn-run").all()]

    before, axes = drawn(), page.locator(".nn-axes").all_text_contents()
    start = page.get_by_role("slider", name="Start of all methods")
    drag(page, start, 60, 40)
    moved = page.evaluate("shown.state().start")
    assert moved[0] > -3
    assert moved[1] < 1.2
    assert all(a != b for a, b in zip(before, drawn(), strict=True))
    assert page.locator(".nn-axes").all_text_contents() == axes
    # The numbers shown are those of the run
    setting = {key: page.evaluate("shown.state()")[key] for key in ("surface", "condition", "rate", "start", "noise")}
    loss = page.evaluate(RUN, ["AdaGrad", setting, 40])["losses"][-1]
    assert page.locator("tbody tr").nth(3).locator("td").first.inner_text() == page.evaluate(
        "(x) => Number(x.toPrecision(2)).toString()", loss)
    start.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    expected = [moved[0] + 8 / 50, min(2, moved[1] + 40 / 50)]
    np.testing.assert_allclose(page.evaluate("shown.state().start"), expected, atol=1e-3)

    # A method less; a rate at which some diverge
    page.get_by_role("checkbox", name="Adam").uncheck()
    assert page.evaluate("shown.state().methods") == list(METHODS[:5])
    assert not page.locator(".nn-badge.nn-ink").nth(1).is_visible()
    rate = page.get_by_role("slider", name="Learning rate")
    rate.focus()
    page.keyboard.press("End")
    line = page.inner_text(".nn-happened")
    assert "Diverged: SGD (step" in line
    assert "diverged (" in page.locator("tbody tr").nth(0).inner_text()
    assert page.locator(".nn-diverged").count() == 6  # SGD, momentum and Nesterov, on the map and on the chart

    # Noise changes the paths; another surface brings its own start and rate
    page.evaluate("shown.reset()")
    before = drawn()
    page.get_by_role("checkbox", name="Noisy gradients").check()
    assert drawn() != before
    assert "standard deviation 0.5" in page.inner_text(".nn-fig")
    page.get_by_role("combobox", name="Surface").select_option("saddle")
    assert page.evaluate("shown.state().start") == [-2, 0.02]
    assert "saddle at (0, 0)" in page.inner_text(".nn-fig")
    assert not page.get_by_role("slider", name="Condition number").is_visible()


def test_play_and_step(show):
    page = show("optimizer_race")
    page.get_by_role("button", name="Step").click()
    assert page.evaluate("shown.state().step") == 41
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("shown.state().step >= 46", timeout=8000)
    page.get_by_role("button", name="Pause").click()
    page.evaluate("shown.set({ ...shown.state(), step: 200 })")
    page.get_by_role("button", name="Step").click()
    assert page.evaluate("shown.state().step") == 0  # after the end comes the start


def test_state_props_and_phone(show):
    props = {"surface": "saddle", "methods": ["SGD", "Adam"], "rate": 0.04}
    page = show("optimizer_race", props, width=350, touch=True)
    assert_readable(page)
    saved = {"surface": "rosenbrock", "condition": 10, "rate": 0.004, "start": [0.5, 0.25], "methods": ["RMSprop"],
             "noise": True, "step": 17}
    page.evaluate("(state) => shown.set(state)", saved)
    assert page.evaluate("shown.state()") == saved
    rate = page.get_by_role("slider", name="Learning rate")
    assert rate.get_attribute("aria-valuetext") == "0.004"  # not among the slider's own values
    before = page.inner_text("table")
    page.evaluate("shown.set(shown.state())")
    assert page.evaluate("shown.state()") == saved
    assert page.inner_text("table") == before
    for garbage in ({}, {"surface": "hill"}, {"step": -1}, {"start": [1]}, {"methods": ["LBFGS"]}):
        state = {**saved, **garbage} if garbage else {}
        assert page.evaluate("(state) => { try { shown.set(state) } catch { return 'refused' } }", state) == "refused"
    assert page.evaluate("shown.state()") == saved

    swipe(page, page.get_by_role("slider", name="Start of all methods"), 40, 0)
    assert page.evaluate("shown.state().start[0]") > 0.8

    assert tuple(page.evaluate("module.defaults.methods")) == METHODS


def test_the_class():
    figure = OptimizerRace(surface="saddle", rate=0.1, start=(-1, 0.5), methods=["SGD"], noise=True)
    assert figure.props == {"surface": "saddle", "rate": 0.1, "start": [-1, 0.5], "methods": ["SGD"], "noise": True}
    figure.state = {"start": [1, 2]}
    np.testing.assert_array_equal(figure.start, [1, 2])
    for bad in ({"surface": "hill"}, {"rate": 0}, {"rate": "x"}, {"condition": 0.5}, {"start": [9, 0]}, {"start": [1]},
                {"methods": "SGD"}, {"methods": ["LBFGS"]}, {"noise": 1}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            OptimizerRace(**bad)
