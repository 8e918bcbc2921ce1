"""Backpropagation on a graph: the module's mathematics against neuralnotes and torch, and the figure in a browser."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuralnotes.autodiff import Value, maximum
from neuralnotes.figures import BackpropGraph

from .conftest import assert_readable, drag, swipe

DEFAULT = {"x": 3, "y": -4, "z": 2, "w": -1}

# (expression, inputs): what Value can do, shared parts and ties included
EXPRESSIONS = [
    ("(x*y + max(z, w))*2", DEFAULT),
    ("a*b + a", {"a": 3, "b": 4}),
    ("x*x", {"x": -1.5}),
    ("x*x*x - 2*x/3", {"x": 0.7}),
    ("-x^2 + (-x)^2 + x^-1", {"x": 1.3}),
    ("tanh(x*exp(-x*x))", {"x": 0.4}),
    ("sigmoid(w1*x1 + w2*x2 + b)", {"w1": 2, "x1": -1, "w2": -3, "x2": -2, "b": -3}),
    ("max(a, b)*c", {"a": 1, "b": 1, "c": 3}),
    ("min(a, b)*c", {"a": 1, "b": 1, "c": 3}),
    ("relu(x) + relu(y)*y", {"x": 0, "y": 0.5}),
    ("log(x*x + 1) / (1 + exp(-y)) - 3/y", {"x": -2, "y": 0.3}),
    ("a - (b - c) - a / b / c", {"a": 2, "b": -0.5, "c": 4}),
    ("x0_2*.5E1 - 2^-2*x0_2", {"x0_2": 2}),
    ("2^3*x + .5e1*(x + y)*(x + y)", {"x": 1, "y": -2}),
]
FUNCTIONS = {
    "max": maximum, "min": lambda a, b: -maximum(-a, -b), "exp": Value.exp, "log": Value.log,
    "tanh": Value.tanh, "sigmoid": Value.sigmoid, "relu": Value.relu,
}

RUN = """([expression, inputs]) => {
  const graph = module.parse(expression), values = module.forward(graph, inputs);
  const { gradients, edges } = module.backward(graph, values);
  return { value: values.at(-1), inputs: graph.inputs, edges, nodes: graph.nodes.length, values, all: gradients,
    gradients: graph.inputs.map((name) => gradients[graph.nodes.findIndex((node) => node.name === name)]),
    differences: graph.inputs.map((name) => module.differences(graph, inputs)[name]) };
}"""


def with_value(expression: str, inputs: dict) -> tuple[float, list[float]]:
    leaves = {name: Value(float(x)) for name, x in inputs.items()}
    result = eval(expression.replace("^", "**"), {**FUNCTIONS, **leaves})
    result.backward()
    return result.data.item(), [leaf.grad.item() for leaf in leaves.values()]


def random_expression(rng: np.random.Generator, depth: int) -> str:
    if depth == 0:
        return str(rng.choice(["a", "b", "c", "d"]))
    kind = rng.integers(9)
    left, right = random_expression(rng, depth - 1), random_expression(rng, rng.integers(depth))
    if kind < 5:
        return f"({left}{'+-*/*'[kind]}{right})"
    if kind == 5:
        return f"{rng.choice(['max', 'min'])}({left}, {right})"
    if kind == 6:
        return f"{rng.choice(['tanh', 'sigmoid', 'relu', 'exp'])}(-{left})"
    return f"log(({left})^2 + 1)" if kind == 7 else f"(1.5 - {left}*2)"


def test_values_and_gradients(show):
    page = show("backprop_graph")
    rng = np.random.default_rng(0)
    cases = list(EXPRESSIONS)
    while len(cases) < 60:
        inputs = dict(zip("abcd", np.round(1.5 * rng.normal(size=4), 2).tolist(), strict=True))
        cases.append((random_expression(rng, 3), inputs))
    checked = 0
    for expression, inputs in cases:
        used = {name: inputs[name] for name in page.evaluate("(e) => module.parse(e).inputs", expression)}
        value, gradients = with_value(expression, used)
        if not np.isfinite([value, *gradients]).all() or max(map(abs, gradients)) > 1e6:
            continue
        found = page.evaluate(RUN, [expression, used])
        np.testing.assert_allclose(found["value"], value, rtol=1e-12, atol=1e-12, err_msg=expression)
        np.testing.assert_allclose(found["gradients"], gradients, rtol=1e-9, atol=1e-11, err_msg=expression)
        kink = expression in ("max(a, b)*c", "min(a, b)*c", "relu(x) + relu(y)*y")
        if not kink:
            np.testing.assert_allclose(found["differences"], gradients, rtol=1e-5, atol=1e-6, err_msg=expression)
        for edge in found["edges"]:
            assert edge["share"] == pytest.approx(edge["upstream"] * edge["local"], rel=1e-12)
        for node in range(found["nodes"] - 1):  # each node has the sum of what arrived
            arrived = sum(edge["share"] for edge in found["edges"] if edge["to"] == node)
            assert arrived == pytest.approx(found["all"][node], rel=1e-12, abs=1e-300)
        checked += 1
    assert checked >= 45


def test_functions_that_value_does_not_have(show):
    """sin, cos, sqrt and a power with a variable exponent, against torch."""
    page = show("backprop_graph")
    for expression, inputs in [("sin(a*b) - cos(a)/b", {"a": 0.8, "b": -1.2}), ("sqrt(a + b*b)", {"a": 0.5, "b": 2.0}),
                               ("a^b + 2^a", {"a": 1.7, "b": -0.6}), ("a^b", {"a": 0.0, "b": 2.0})]:
        leaves = {name: torch.tensor(x, dtype=torch.float64, requires_grad=True) for name, x in inputs.items()}
        result = eval(expression.replace("^", "**"), {"sin": torch.sin, "cos": torch.cos, "sqrt": torch.sqrt}, leaves)
        result.backward()
        found = page.evaluate(RUN, [expression, inputs])
        np.testing.assert_allclose(found["value"], result.item(), rtol=1e-12)
        np.testing.assert_allclose(found["gradients"], [leaf.grad.item() for leaf in leaves.values()], rtol=1e-12)


def test_names_are_one_node_and_layout_keeps_the_order(show):
    page = show("backprop_graph")
    found = page.evaluate("""(expressions) => expressions.map((expression) => {
      const graph = module.parse(expression), { layers, routes } = module.arrange(graph);
      const depth = new Map(layers.flatMap((layer, l) => layer.map((item) => [item, l])));
      const placed = layers.flat().filter((item) => typeof item === "number").sort((a, b) => a - b);
      return { count: graph.nodes.length, placed,
        steps: routes.flatMap((route) => route.slice(1).map((item, i) => depth.get(item) - depth.get(route[i]))) };
    })""", ["x*x + x", *[expression for expression, _ in EXPRESSIONS]])
    assert found[0]["count"] == 3
    for graph in found:
        assert graph["placed"] == list(range(graph["count"]))
        assert set(graph["steps"]) == {1}  # every piece of an edge goes one layer on: none runs across a box
    places = page.evaluate("module.spread([0, 0.2, 5, 5], [1, 1, 1])")
    np.testing.assert_allclose(places, [-0.4, 0.6, 4.5, 5.5])


BAD = [
    ("x*", 2, "stops too early"), ("x + * y", 4, "missing before *"), ("2x", 1, "operator"),
    ("(x + y", 6, "closing parenthesis"), ("x)", 1, "never opened"), ("max(x)", 0, "takes 2 arguments, not 1"),
    ("foo(x)", 0, "no function foo"), ("exp x", 0, "function"), ("x $ y", 2, "$"), ("", 0, "Type"),
    ("1 + 2", 0, "no input"), ("f + x", 0, "result"), ("(x y)", 3, "operator"),
    ("a+b+c+d+e+g+h+i+j+k+l+m+n+o", 0, "27 nodes"), ("learning*2", 0, "too long"),
]


def test_a_bad_expression_says_where(show):
    page = show("backprop_graph")
    for expression, at, words in BAD:
        error = page.evaluate("(e) => { try { module.parse(e) } catch (x) { return [x.message, x.at] } }", expression)
        assert words in error[0]
        assert error[1] == at, expression
        # In the figure the last good graph stays
        page.fill(".nn-expression", expression)
        assert words in page.inner_text(".nn-problem")
        assert page.locator(".nn-box").count() == 8
        assert page.evaluate("shown.state().expression") == "(x*y + max(z, w))*2"
    page.fill(".nn-expression", "a*b")
    assert page.inner_text(".nn-problem") == ""
    assert page.locator(".nn-box").count() == 3


def test_a_reader_at_work(show):
    page = show("backprop_graph")
    assert page.evaluate("module.defaults.values") == DEFAULT
    values = page.locator(".nn-of-value").all_text_contents()
    assert sorted(values) == sorted(["3", "−4", "−12", "2", "−1", "2", "−10", "−20"])
    assert "starts with the gradient" in page.inner_text(".nn-happened")

    # Step by step to the end, with the keyboard
    step = page.get_by_role("button", name="Step")
    step.focus()
    page.keyboard.press("Enter")
    assert "f sends v₃ upstream 1 × local 2 = 2" in page.inner_text(".nn-happened")
    for _ in range(6):
        page.keyboard.press("Enter")
    assert page.locator("td.nn-orange").all_inner_texts() == ["−8", "6", "2", "0"]
    assert page.locator("td:last-child").all_inner_texts() == ["−8", "6", "2", "0"]
    assert "Every gradient is there" in page.inner_text(".nn-happened")

    # Drag the input x: 25 pixels are 0.5
    drag(page, page.locator(".nn-input").nth(0), 25, 0)
    assert page.evaluate("shown.state().values.x") == 3.5
    assert page.locator("td.nn-orange").all_inner_texts()[1] == "7"  # df/dy = 2x
    # The same with the keyboard
    page.locator(".nn-input").nth(0).focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowDown")
    assert page.evaluate("shown.state().values.x") == 2.4
    # ... and in the number field
    page.get_by_role("spinbutton", name="Value of w").fill("2")
    line = page.inner_text(".nn-happened")
    assert "v₂ is a max of two equal numbers" in line  # a tie: gradient 2 and 0, difference 1 and 1
    assert page.locator("td.nn-orange").all_inner_texts()[2:] == ["2", "0"]
    assert page.locator("td:last-child").all_inner_texts()[2:] == ["1", "1"]

    # Another expression: the graph follows, inputs that stay keep their values
    page.fill(".nn-expression", "x*x + y")
    assert page.locator(".nn-box").count() == 4
    assert page.evaluate("shown.state().values") == {"x": 2.4, "y": -4}
    page.get_by_label("Examples").select_option("a neuron")
    assert page.evaluate("shown.state().expression") == "sigmoid(w1*x1 + w2*x2 + b)"
    page.fill(".nn-expression", "log(x)")
    page.get_by_role("spinbutton", name="Value of x").fill("-1")
    assert "no finite number" in page.inner_text(".nn-happened")


def test_play_runs_and_pauses(show):
    page = show("backprop_graph")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("shown.state().step >= 7", timeout=8000)
    page.get_by_role("button", name="Pause").click()
    assert page.get_by_role("button", name="Play").is_visible()


def test_state_props_and_touch(show):
    page = show("backprop_graph", {"expression": "a*b + a", "values": {"a": 3, "b": 4}}, touch=True, width=350)
    assert page.evaluate("shown.state()") == {"expression": "a*b + a", "values": {"a": 3, "b": 4}, "step": 3}
    saved = {"expression": "tanh(q)*q", "values": {"q": 0.25}, "step": 4}
    page.evaluate("(state) => shown.set(state)", saved)
    assert page.evaluate("shown.state()") == saved
    page.evaluate("shown.set(shown.state())")
    assert page.evaluate("shown.state()") == saved
    assert page.input_value(".nn-expression") == "tanh(q)*q"
    bad_values = {"expression": "a", "values": {"a": "?"}, "step": 1}
    for garbage in ({}, {"expression": "a +", "values": {}, "step": 1}, bad_values):
        assert page.evaluate("(state) => { try { shown.set(state) } catch { return 'refused' } }", garbage) == "refused"
    assert page.evaluate("shown.state()") == saved

    # A finger on the input: touch events reach the same pointer handlers, and the page does not scroll under it
    swipe(page, page.locator(".nn-input"), 60, -60)
    assert page.evaluate("shown.state().values.q") == pytest.approx(1.5, abs=0.11)  # 0.25, and 0.1 for 5 pixels

    page.evaluate("shown.reset()")
    assert page.evaluate("shown.state().expression") == "a*b + a"


def test_phone(show):
    for expression in ("(x*y + max(z, w))*2", "(a+b)*(a+b)/(1+exp(-a*b)) + log(c^2+1) - sin(a)"):
        page = show("backprop_graph", {"expression": expression}, width=350, still=True)
        assert_readable(page)
        boxes = [box.bounding_box() for box in page.locator(".nn-input").all()]
        assert all(min(box["width"], box["height"]) >= 24 for box in boxes)


def test_the_class():
    figure = BackpropGraph(expression="a*b", values={"a": 2, "b": 0.5})
    assert figure.props == {"expression": "a*b", "values": {"a": 2, "b": 0.5}}
    assert BackpropGraph().props == {}
    assert BackpropGraph(expression="x0_2 + .5E1*b1 - 1.5e-3**b1").props["expression"].startswith("x0_2")
    figure.state = {"expression": "a*b", "values": {"a": 1, "b": 2}, "step": 3}
    assert figure.values == {"a": 1, "b": 2}
    assert figure.expression == "a*b"
    for expression in ("a *", "foo(a)", "max(a)", "1 + 2", "a % b", "a if b else c", "max + 1", "f + x", "a // 2",
                       "a + 1_000", "0x10*a", "2j*a", "é + 1", 3):
        with pytest.raises(ValueError, match="expression"):
            BackpropGraph(expression=expression)
    for values in ({"q": 1}, {"x": "3"}, {"x": float("nan")}):
        with pytest.raises(ValueError, match="values"):
            BackpropGraph(values=values)
