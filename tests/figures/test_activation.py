"""The live figure of the activation functions: its numbers against the library and autograd, and a reader at work."""

import numpy as np
import pytest
import torch

from neuralnotes import activations
from neuralnotes.figures import Activation
from neuralnotes.figures.activation import FUNCTIONS

from .conftest import assert_readable, drag, swipe

NAME = "activation"


def test_functions_slopes_and_products_are_those_of_the_library(show) -> None:
    page = show(NAME)
    assert tuple(page.evaluate("Object.keys(module.FUNCTIONS)")) == FUNCTIONS
    x = torch.cat([torch.linspace(-12, 12, 193), torch.tensor([-700.0, -40, 0, 40, 700])]).double()
    script = "([name, x]) => x.map((a) => module.FUNCTIONS[name].map((g) => g(a)))"
    for name in FUNCTIONS:
        got = np.array(page.evaluate(script, [name, x.tolist()]))
        np.testing.assert_allclose(got[:, 0], getattr(activations, name)(x), rtol=1e-10, atol=1e-13)
        slopes = getattr(activations, f"{name}_backward")(torch.ones_like(x), x)
        np.testing.assert_allclose(got[:, 1], slopes, rtol=1e-10, atol=1e-13)

        for start, weight in ((-2.5, 1.0), (3.0, -1.7), (0.4, 2.0), (1.5, 3.9)):
            chain = page.evaluate("(all) => module.chain(...all)", [name, start, weight])
            # Autograd's derivative of each layer's output with respect to x is the product so far.
            inputs, products, before = [], [], torch.tensor(start, dtype=torch.float64, requires_grad=True)
            a = before
            for _ in range(10):
                inputs.append(a.item())
                h = getattr(activations, name)(a)
                products.append(torch.autograd.grad(h, before, retain_graph=True)[0].item())
                a = weight * h
            np.testing.assert_allclose(chain["inputs"], inputs, rtol=1e-9)
            np.testing.assert_allclose(chain["products"], products, rtol=1e-7, atol=1e-300)
            np.testing.assert_allclose(np.cumprod(chain["factors"]), products, rtol=1e-7, atol=1e-300)
    words = page.evaluate("[0, 1e-12, -0.009, 0.011, 1, -99, 101].map(module.verdict)")
    assert words == ["dead", "vanishing", "vanishing", "steady", "steady", "steady", "exploding"]


def test_a_reader_moves_the_input(show) -> None:
    page = show(NAME)
    text = page.locator(".nn-lines").inner_text
    assert "vanishes" in text()
    point = page.get_by_role("slider", name="Input x")
    drag(page, point, 120, 50)
    state = page.evaluate("shown.state()")
    assert state["x"] > 0 and f"f({state['x']:.2f})".replace("-", "−") in text()
    point.press("ArrowLeft")
    assert page.evaluate("shown.state().x") == pytest.approx(state["x"] - 0.1)
    point.press("Shift+ArrowLeft")
    assert page.evaluate("shown.state().x") == pytest.approx(state["x"] - 1.1)
    page.wait_for_function("document.querySelector('.nn-said').textContent.includes('vanishes')")

    page.get_by_label("Activation f", exact=True).select_option(label="ReLU")
    page.evaluate("shown.set({ name: 'relu', x: 2, weight: 1 })")
    assert "survives: ten layers make 1 out of 1" in text()
    weight = page.get_by_label("Weight w")
    weight.focus()
    weight.press("End")
    assert page.evaluate("shown.state().weight") == 4 and "explodes" in text()
    weight.press("Home")
    assert "exactly 0: layer 2 has slope 0" in text()
    assert "0: stops here" in page.locator("svg").nth(1).text_content()
    point.focus()
    for _ in range(3):
        point.press("Shift+ArrowLeft")
    assert page.evaluate("shown.state().x") == -1 and "layer 1 has slope 0" in text()

    for name in FUNCTIONS:  # nothing in the picture is not a number, at the ends of the ranges either
        for x, w in ((-5, -4), (5, 4), (5, -4), (0, 0)):
            page.evaluate("(state) => shown.set(state)", {"name": name, "x": x, "weight": w})
            picture = page.locator(".nn-fig").inner_html()
            assert "NaN" not in picture and "undefined" not in picture and "Infinity" not in picture
    state = page.evaluate("shown.state()")
    circles = page.locator(".nn-body circle").count()
    page.evaluate("shown.reset()")
    page.evaluate("(state) => shown.set(state)", state)
    assert page.evaluate("shown.state()") == state and page.locator(".nn-body circle").count() == circles
    script = "() => { try { shown.set({ name: 'step' }); } catch (error) { return error.message; } }"
    assert "no state" in page.evaluate(script)


def test_on_a_phone(show) -> None:
    page = show(NAME, {"name": "gelu", "x": -1, "weight": -2}, width=390, touch=True)
    assert_readable(page)
    point = page.get_by_role("slider", name="Input x")
    swipe(page, point, 60, 0)
    page.wait_for_function("shown.state().x > 0", timeout=3000)


def test_bad_props() -> None:
    for props in ({"name": "step"}, {"x": 6}, {"x": "1"}, {"x": float("nan")}, {"weight": -4.1}, {"weight": True}):
        with pytest.raises(ValueError):
            Activation(**props)
    assert Activation(name="relu", x=2, weight=0.5).props == {"name": "relu", "x": 2, "weight": 0.5}
