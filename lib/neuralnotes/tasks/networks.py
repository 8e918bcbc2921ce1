"""Tasks of the assignment ``networks``: the forward pass, what one hidden layer can do, and what depth adds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LinearRegression, Ridge

from .. import data
from .records import Case, Close, Misconception, Problem, Task, describe, variant


def _double(array) -> torch.Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float64))


# -------------------------------------------------------------------------------------------- activation_and_slope


def _activation_oracle(name, z):
    functions = {
        "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu,
        "leaky_relu": torch.nn.functional.leaky_relu, "softplus": torch.nn.functional.softplus,
    }
    if name not in functions:
        raise ValueError(f"no activation {name!r}")
    tensor = _double(z).requires_grad_()
    a = functions[name](tensor)
    (slope,) = torch.autograd.grad(a.sum(), tensor)
    return a.detach().numpy(), slope.numpy()


def _activation_visible(rng):
    return [
        Case("sigmoid", ("sigmoid", 2 * rng.normal(size=(2, 3)))),
        Case("tanh", ("tanh", rng.normal(size=4))),
        Case("relu", ("relu", np.array([[-2.0, -0.1, 0.3], [1.5, -0.7, 4.0]]))),
        Case("leaky_relu", ("leaky_relu", np.array([-3.0, -0.5, 0.25, 2.0]))),
        Case("softplus", ("softplus", 2 * rng.normal(size=(3, 2)))),
        Case("relu at its kink", ("relu", np.array([-1.0, 0.0, 1.0])), edge=True),
        Case("sigmoid far out", ("sigmoid", np.array([-1000.0, 1000.0])), edge=True),
    ]


def _activation_hidden(rng):
    far = np.array([[-1e4, -800.0], [800.0, 1e4]])
    return [
        *(Case(f"{name}, three axes", (name, 1.5 * rng.normal(size=(2, 3, 4))))
          for name in ("sigmoid", "tanh", "relu", "leaky_relu", "softplus")),
        *(Case(f"{name} of huge numbers", (name, far), edge=True)
          for name in ("tanh", "softplus", "leaky_relu")),
        Case("leaky_relu at its kink", ("leaky_relu", np.array([[0.0, 1.0], [-1.0, 0.0]])), edge=True),
        Case("no examples at all", ("relu", np.zeros((0, 3))), edge=True),
        Case("an unknown name", ("sine", rng.normal(size=3)), edge=True),
        Case("float32", ("softplus", rng.normal(size=(2, 3)).astype(np.float32)), edge=True),
        Case("a view that is not contiguous", ("relu", rng.normal(size=(3, 8))[:, ::2]), edge=True),
    ]


def _activation_right(name, z):
    if name == "sigmoid":
        a = 0.5 * (1 + np.tanh(z / 2))
        return a, a * (1 - a)
    if name == "tanh":
        a = np.tanh(z)
        return a, 1 - a**2
    if name == "relu":
        return np.maximum(z, 0), np.where(z > 0, 1.0, 0.0)
    if name == "leaky_relu":
        return np.where(z > 0, z, 0.01 * z), np.where(z > 0, 1.0, 0.01)
    if name == "softplus":
        return np.logaddexp(0, z), 0.5 * (1 + np.tanh(z / 2))
    raise ValueError(name)


def _steep_kink(case: Case, value) -> bool:
    """Whether the values are right and the slope at a kink is 1, in one activation or in both."""
    name, z = case.arguments
    if name not in ("relu", "leaky_relu") or not np.any(z == 0) or not isinstance(value, (tuple, list)):
        return False
    if len(value) != 2 or any(_wrong_array("a part", part, z.shape) for part in value):
        return False
    a, slope = _activation_right(name, z)
    return np.allclose(value[0], a) and np.allclose(value[1], np.where(z == 0, 1.0, slope))


ACTIVATION_AND_SLOPE = Task(
    id="activation_and_slope", points=3, minutes=20, difficulty=2,
    signature="activation_and_slope(name, z) -> (a, slope)",
    visible=_activation_visible, hidden=_activation_hidden, oracle=_activation_oracle,
    misconceptions=(
        Misconception("sigmoid-slope-of-z", variant(_activation_right, "a, a * (1 - a)", "a, z * (1 - z)"),
                      "Look at the slope of the sigmoid: the product is made of the function's values, and yours is "
                      "made of its arguments."),
        Misconception("tanh-slope-of-z", variant(_activation_right, "a, 1 - a**2", "a, 1 - z**2"),
                      "Look at the slope of tanh: it is made of the function's value, and yours is made of its "
                      "argument."),
        Misconception("tanh-slope-of-the-sigmoid", variant(_activation_right, "a, 1 - a**2", "a, a * (1 - a)"),
                      "You give tanh the slope of the sigmoid. How steep is tanh at 0?"),
        Misconception("kink-is-steep",
                      variant(_activation_right, "np.where(z > 0, 1.0, 0.0)", "np.where(z >= 0, 1.0, 0.0)"),
                      "At exactly 0 ReLU and leaky ReLU have no slope of their own. Which of the two sides does the "
                      "statement choose?", matches=_steep_kink),
        Misconception("relu-slope-is-z", variant(_activation_right, "np.where(z > 0, 1.0, 0.0)", "np.maximum(z, 0)"),
                      "Look at ReLU: you return its value twice. What is the slope of the line a = z?"),
        Misconception("leaky-without-leak",
                      variant(variant(_activation_right, "0.01 * z", "0 * z"), "1.0, 0.01", "1.0, 0.0"),
                      "Your leaky ReLU does not leak: what does it do with negative numbers?"),
        Misconception("leaky-slope-zero", variant(_activation_right, "1.0, 0.01", "1.0, 0.0"),
                      "The values of the leaky ReLU are right, its slope on the negative side is not."),
        Misconception("leaky-sign", variant(_activation_right, "0.01 * z", "-0.01 * z"),
                      "Your leaky ReLU is positive on both sides of 0. On the left it is a line with a small positive "
                      "slope."),
        Misconception("softplus-overflows",
                      variant(variant(_activation_right, "np.logaddexp(0, z)", "np.log(1 + np.exp(z))"),
                              ", 0.5 * (1 + np.tanh(z / 2))\n    raise", ", np.exp(z) / (1 + np.exp(z))\n    raise"),
                      "Ordinary numbers are right, but exp(800) is larger than any float. Softplus of a large z is "
                      "harmless: rewrite the formula so that no large exponential appears."),
        Misconception("softplus-value-overflows",
                      variant(_activation_right, "np.logaddexp(0, z)", "np.log(1 + np.exp(z))"),
                      "The value of softplus is infinite for a large z, though the right answer is close to z. "
                      "Rewrite the formula so that no large exponential appears."),
        Misconception("softplus-clipped",
                      variant(_activation_right, "np.logaddexp(0, z)", "np.log(1 + np.exp(np.clip(z, -500, 500)))"),
                      "You cut off large numbers before the exponential. Then softplus stops growing, though it should "
                      "come close to z: rewrite the formula instead."),
        Misconception("tanh-overflows",
                      variant(_activation_right, "np.tanh(z)\n",
                              "(np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))\n"),
                      "tanh of a huge number is nan in your code: both parts of the fraction overflow. NumPy has this "
                      "function."),
        Misconception("sigmoid-overflows",
                      variant(_activation_right, "a = 0.5 * (1 + np.tanh(z / 2))",
                              "a = np.exp(z) / (1 + np.exp(z))"),
                      "Your sigmoid of 1000 is nan: infinity divided by infinity. Divide numerator and denominator by "
                      "the same thing, and see which exponential remains."),
        Misconception("unknown-name-passes", variant(_activation_right, "    raise ValueError(name)\n",
                                                     "    return None\n"),
                      "A name that is none of the five should raise ValueError. Your function goes on to its end and "
                      "returns None."),
        Misconception("slope-no-float", variant(_activation_right, "np.where(z > 0, 1.0, 0.0)", "z > 0"),
                      "The slopes of your ReLU are right, but not floats: True and False, or integers. float64 in "
                      "gives float64 out."),
        Misconception("slope-missing",
                      variant(variant(variant(variant(variant(
                          _activation_right, "a, a * (1 - a)", "a"), "a, 1 - a**2", "a"),
                          ", np.where(z > 0, 1.0, 0.0)", ""), ", np.where(z > 0, 1.0, 0.01)", ""),
                          "np.logaddexp(0, z), 0.5 * (1 + np.tanh(z / 2))", "np.logaddexp(0, z)"),
                      "You return the value alone. Two arrays are asked for: value and slope."),
    ),
)


# ----------------------------------------------------------------------------------------------------- mlp_forward


def _forward_oracle(x, weights, biases, activation):
    """A chain of ``torch.nn.Linear``, which keeps its weights the other way round."""
    functions = {
        "tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "square": torch.square, "cosine": torch.cos,
    }
    h, outputs = _double(x), []
    for number, (w, b) in enumerate(zip(weights, biases, strict=True), start=1):
        layer = torch.nn.Linear(*w.shape, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(_double(w).T)
            layer.bias.copy_(_double(b))
            h = layer(h)
        h = h if number == len(weights) else functions[activation](h)
        outputs.append(h.numpy())
    return tuple(outputs)


def _network(rng, *sizes, n=4):
    """Examples, weights and biases of a network of these sizes."""
    shapes = list(zip(sizes[:-1], sizes[1:], strict=True))
    return rng.normal(size=(n, sizes[0])), [rng.normal(size=s) for s in shapes], [rng.normal(size=s[1]) for s in shapes]


_EXAMPLE = (
    np.array([[1.0, 2.0]]),
    [np.array([[1.0, -1.0, 0.0], [0.0, 1.0, 2.0]]), np.array([[1.0], [2.0], [-1.0]])],
    [np.array([0.0, -2.0, 1.0]), np.array([0.5])],
)


def _forward_visible(rng):
    return [
        Case("the example, ReLU", (*_EXAMPLE, "relu")),
        Case("3-4-2, tanh", (*_network(rng, 3, 4, 2), "tanh")),
        Case("4-5-7-3, sigmoid", (*_network(rng, 4, 5, 7, 3), "sigmoid")),
        Case("no hidden layer", (*_network(rng, 3, 2), "tanh"), edge=True),
    ]


def _forward_hidden(rng):
    x, weights, biases = _network(rng, 6, 8, 4, n=3)
    views = x[:, ::2], [weights[0][::2, ::2], weights[1][::2, ::2]], [biases[0][::2], biases[1][::2]]
    single = x.astype(np.float32), [w.astype(np.float32) for w in weights], [b.astype(np.float32) for b in biases]
    return [
        Case("5-7-7-7-7-4, ReLU", (*_network(rng, 5, 7, 7, 7, 7, 4), "relu")),
        Case("as many of everything", (*_network(rng, 3, 3, 3, 3, n=3), "tanh")),
        Case("another activation", (*_network(rng, 2, 3, 4, 2), "cosine")),
        Case("the activation by its keyword", _network(rng, 3, 4, 5, 2), {"activation": "square"}),
        Case("a batch of one", (*_network(rng, 3, 4, 2, n=1), "relu"), edge=True),
        Case("an empty batch", (*_network(rng, 3, 4, 2, n=0), "tanh"), edge=True),
        Case("layers of one unit", (*_network(rng, 1, 1, 1, 1), "tanh"), edge=True),
        Case("no hidden layer, a square matrix", (*_network(rng, 3, 3, n=3), "relu"), edge=True),
        Case("twelve layers", (*_network(rng, *[3] * 13), "tanh"), edge=True),
        Case("float32 arrays", (*single, "relu"), edge=True),
        Case("views that are not contiguous", (*views, "tanh"), edge=True),
    ]


def _forward_right(x, weights, biases, activation):
    outputs = []
    h = x
    last = len(weights) - 1
    for index in range(len(weights)):
        h = h @ weights[index] + biases[index]
        if index < last:
            h = activation(h)
        outputs.append(h)
    return outputs


MLP_FORWARD = Task(
    id="mlp_forward", points=2, minutes=20, difficulty=2,
    signature="mlp_forward(x, weights, biases, activation) -> outputs",
    visible=_forward_visible, hidden=_forward_hidden, oracle=_forward_oracle, driver="with_activation",
    misconceptions=(
        Misconception("output-activated", variant(_forward_right, "index < last", "index <= last"),
                      "The hidden layers are right; the output layer is squeezed through the activation too. It stays "
                      "linear here."),
        Misconception("never-activated", variant(_forward_right, "index < last", "False"),
                      "The activation has no effect on your result: your layers together are one linear map."),
        Misconception("input-activated",
                      variant(variant(_forward_right, "        if index < last:\n            h = activation(h)\n", ""),
                              "h = h @ weights[index]", "h = activation(h) @ weights[index]"),
                      "The activation comes before the sum in your layers, so the input goes through it, and what a "
                      "hidden layer returns does not. A layer first sums and then activates."),
        Misconception("only-first-activated", variant(_forward_right, "index < last", "index == 0 < last"),
                      "Networks with one hidden layer are right. In deeper ones only the first hidden layer gets its "
                      "activation."),
        Misconception("no-biases", variant(_forward_right, " + biases[index]", ""),
                      "The biases have no effect on your result."),
        Misconception("bias-after-activation",
                      variant(variant(_forward_right, " + biases[index]", ""),
                              "h = activation(h)\n",
                              "h = activation(h) + biases[index]\n        else:\n            h = h + biases[index]\n"),
                      "The bias is added after the activation. It belongs to the sum that the activation gets."),
        Misconception("before-activation",
                      variant(variant(_forward_right, "        outputs.append(h)\n", ""),
                              "        if index < last:\n", "        outputs.append(h)\n        if index < last:\n"),
                      "Your output is right, but for the hidden layers you keep the numbers *before* the activation."),
        Misconception("output-only", variant(_forward_right, "return outputs", "return outputs[-1]"),
                      "Your output is there, but the outputs of the hidden layers are asked for as well, as a list."),
        Misconception("one-array", variant(_forward_right, "return outputs", "return np.array(outputs)"),
                      "You put the outputs of all layers into one array. Layers have different widths, so that works "
                      "by accident only: return the list."),
        Misconception("input-included", variant(_forward_right, "outputs = []", "outputs = [x]"),
                      "Your list begins with the input. It should hold one array for each layer of weights."),
        Misconception("every-layer-reads-the-input",
                      variant(_forward_right, "h = h @ weights[index]", "h = x @ weights[index]"),
                      "Every layer of yours reads x. From the second one on a layer reads what the one before it "
                      "wrote."),
        Misconception("weights-transposed", variant(_forward_right, "h @ weights[index]", "h @ weights[index].T"),
                      "The weights seem to be used the other way round. Each has the shape (inputs, outputs) of its "
                      "layer, and an example is a row."),
    ),
)


# ------------------------------------------------------------------------------------------------ count_parameters


def _count_oracle(sizes, bias=True):
    """Built, and counted by torch."""
    layers = [
        torch.nn.Linear(inputs, outputs, bias=bias, device="meta")
        for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True)
    ]
    return sum(parameter.numel() for layer in layers for parameter in layer.parameters())


def _count_visible(rng):
    return [
        Case("3-4-2, the example", ([3, 4, 2],)),
        Case("4-5-7-3", ([4, 5, 7, 3],)),
        Case("4-5-7-3 without biases", ([4, 5, 7, 3],), {"bias": False}),
        Case("an input layer alone", ([5],), edge=True),
    ]


def _count_hidden(rng):
    sizes = [int(size) for size in rng.integers(2, 30, size=6)]
    return [
        Case("3-4-4-1", ([3, 4, 4, 1],)),
        Case("five layers of weights", ([5, 7, 7, 7, 7, 4],)),
        Case("without biases, as the second argument", ([5, 7, 7, 7, 7, 4], False)),
        Case("no hidden layer", ([10, 3],)),
        Case("random sizes", (sizes,)),
        Case("random sizes, a tuple", (tuple(sizes[:4]),), {"bias": True}),
        Case("wide layers", ([150_528, 100_000, 1000],), edge=True),
        Case("layers of one unit", ([1, 1, 1],), edge=True),
    ]


def _count_right(sizes, bias=True):
    total = 0
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        total += inputs * outputs
        if bias:
            total += outputs
    return total


COUNT_PARAMETERS = Task(
    id="count_parameters", points=1, minutes=10, difficulty=1,
    signature="count_parameters(sizes, bias=True) -> count",
    visible=_count_visible, hidden=_count_hidden, oracle=_count_oracle,
    misconceptions=(
        Misconception("biases-forgotten", variant(_count_right, "        if bias:\n            total += outputs\n", ""),
                      "You count the weights only. Each unit that computes something has a bias as well."),
        Misconception("bias-always", variant(_count_right, "if bias:", "if True:"),
                      "The count is the same with bias=True and bias=False."),
        Misconception("bias-for-inputs", variant(_count_right, "total = 0", "total = sizes[0] if bias else 0"),
                      "You count a bias for each input. Inputs are given, they compute nothing."),
        Misconception("bias-from-the-inputs", variant(_count_right, "total += outputs", "total += inputs"),
                      "A layer has one bias for each unit that it computes, not for each that it reads."),
        Misconception("one-bias-a-layer", variant(_count_right, "total += outputs", "total += 1"),
                      "You count one bias for each layer. How many units does a layer have?"),
        Misconception("output-bias-forgotten",
                      variant(_count_right, "    return total", "    return total - sizes[-1] * bias"),
                      "The biases of the last layer are missing: the output units have them too."),
        Misconception("everything-connected",
                      variant(_count_right, "total += inputs * outputs", "total += sum(sizes) * outputs"),
                      "A layer reads the one right before it, not all layers."),
        Misconception("units-counted", variant(_count_right, "inputs * outputs", "outputs"),
                      "A unit has one weight for *each* of its inputs."),
    ),
)


# --------------------------------------------------------------------------------------- softmax_with_temperature


def _temperature_oracle(z, temperature):
    """Each share from the differences to all logits: 1 / sum_j exp((z_j - z_i) / T). Nothing to shift."""
    if temperature < 0:
        raise ValueError("a temperature is not negative")
    z = np.asarray(z, dtype=np.float64)
    difference = z[..., None, :] - z[..., :, None]  # entry (i, j): z_j - z_i
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        ratio = np.where(difference == 0, 0.0, difference / temperature)
        return 1.0 / np.sum(np.exp(ratio), axis=-1)


def _temperature_visible(rng):
    return [
        Case("the example, T = 10", (np.array([2.0, 1.0, -1.0]), 10.0)),
        Case("T = 1, a matrix (2, 3)", (rng.normal(size=(2, 3)), 1.0)),
        Case("T = 0.5, as many rows as columns", (rng.normal(size=(3, 3)), 0.5)),
        Case("T = 0, no tie", (np.array([[1.0, 3.0, 2.0], [0.5, -1.0, 0.0]]), 0.0), edge=True),
        Case("a negative temperature", (rng.normal(size=3), -1.0), edge=True),
    ]


def _temperature_hidden(rng):
    return [
        Case("T = 4, a vector", (3 * rng.normal(size=5), 4.0)),
        Case("T = 0.2, a matrix (4, 2)", (rng.normal(size=(4, 2)), 0.2)),
        Case("T = 3, three axes", (4 * rng.normal(size=(2, 3, 4)), 3.0)),
        Case("T by its keyword", (rng.normal(size=(2, 5)),), {"temperature": 2.5}),
        Case("T = 0, ties in one row", (np.array([[2.0, 1.0, 2.0, 2.0], [0.0, 1.0, -1.0, 0.5]]), 0.0), edge=True),
        Case("T = 0, nearly a tie", (np.array([1.0, 1.0 + 1e-12, 0.0]), 0.0), edge=True),
        Case("T = 0, three axes", (rng.normal(size=(2, 2, 3)), 0.0), edge=True),
        Case("differences as small as the temperature", (np.array([0.0, 1e-8, 3e-8]), 1e-8), edge=True),
        Case("T is infinite", (rng.normal(size=(2, 4)), float("inf")), edge=True),
        Case("a tiny temperature", (np.array([[1000.0, 999.0], [-5.0, 7.0]]), 1e-307), edge=True),
        Case("huge logits, rows far apart", (rng.normal(size=(2, 3)) + np.array([[5000.0], [-5000.0]]), 2.0),
             edge=True),
        Case("one class", (rng.normal(size=(3, 1)), 0.7), edge=True),
        Case("float32 logits", (rng.normal(size=(3, 4)).astype(np.float32), 1.5), edge=True),
        Case("a view that is not contiguous", (rng.normal(size=(3, 8))[:, ::2], 1.5), edge=True),
    ]


def _temperature_right(z, temperature):
    if temperature < 0:
        raise ValueError("negative temperature")
    top = z.max(axis=-1, keepdims=True)
    if temperature == 0:
        powers = np.where(z == top, 1.0, 0.0)
    else:
        with np.errstate(over="ignore"):
            powers = np.exp((z - top) / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


_ZERO_BRANCH = """    if temperature == 0:
        powers = np.where(z == top, 1.0, 0.0)
    else:
        with np.errstate(over="ignore"):
            powers = np.exp((z - top) / temperature)
"""
_QUIET = """    with np.errstate(all="ignore"):
        powers = np.exp((z - top) / temperature)
"""

def _zero_replaced(case: Case, value) -> bool:
    """Whether T = 0 was taken for some small number: the second largest logit keeps a share, and not an equal one."""
    z, temperature = (*case.arguments, *case.keywords.values())
    if temperature != 0 or z.ndim != 1 or _wrong_array("p", value, z.shape):
        return False
    second, first = np.argsort(z)[-2:]
    return bool(z[second] < z[first] and 1e-9 < value[second] < value[first] - 1e-9)


SOFTMAX_WITH_TEMPERATURE = Task(
    id="softmax_with_temperature", points=3, minutes=20, difficulty=2,
    signature="softmax_with_temperature(z, temperature) -> p",
    visible=_temperature_visible, hidden=_temperature_hidden, oracle=_temperature_oracle,
    misconceptions=(
        Misconception("temperature-ignored", variant(_temperature_right, "(z - top) / temperature", "z - top"),
                      "Your answer is the same at every temperature above 0."),
        Misconception("multiplied", variant(_temperature_right, "/ temperature", "* temperature"),
                      "High temperatures make your shares sharper; they should make them more equal. Which way round "
                      "does T act on the logits?"),
        Misconception("shares-divided",
                      variant(variant(_temperature_right, "(z - top) / temperature", "z - top"),
                              "return powers / powers.sum(axis=-1, keepdims=True)",
                              "return powers / powers.sum(axis=-1, keepdims=True) / (temperature or 1.0)"),
                      "You divide the shares by T, so they no longer add up to 1. T divides the logits, before the "
                      "softmax."),
        Misconception("shares-to-the-power-t",
                      variant(variant(_temperature_right, "(z - top) / temperature", "z - top"),
                              "    return powers", "    powers = powers**temperature\n    return powers"),
                      "You take powers of the shares with exponent T. What does T do to the exponent?"),
        Misconception("no-shift", variant(_temperature_right, "(z - top) / temperature", "z / temperature"),
                      "Ordinary logits are right, huge ones overflow. Only differences of logits count: which number "
                      "may you subtract from each row?"),
        Misconception("shift-after-division",
                      variant(_temperature_right, "np.exp((z - top) / temperature)",
                              "np.exp(z / temperature - (z / temperature).max(axis=-1, keepdims=True))"),
                      "At a tiny temperature z / T itself overflows, and infinity minus infinity is nan. In which "
                      "order are division and subtraction safe?"),
        Misconception("global-shift", variant(_temperature_right, "z.max(axis=-1, keepdims=True)", "z.max()"),
                      "You seem to shift the whole array by one number. A row far below the others then underflows: "
                      "every row needs its own shift."),
        Misconception("zero-divides", variant(_temperature_right, _ZERO_BRANCH, _QUIET),
                      "At T = 0 you divide by 0, and 0 / 0 is nan. The limit of the shares for T to 0 exists: write "
                      "down which logits keep something."),
        Misconception("tie-to-the-first",
                      variant(_temperature_right, "np.where(z == top, 1.0, 0.0)",
                              "np.eye(z.shape[-1])[np.argmax(z, axis=-1)]"),
                      "At T = 0 you give everything to the first of several equally large logits. Think of a small T: "
                      "can equal logits have different shares?"),
        Misconception("tie-not-shared",
                      variant(_temperature_right, "    return powers / powers.sum(axis=-1, keepdims=True)",
                              "    if temperature == 0:\n        return powers\n"
                              "    return powers / powers.sum(axis=-1, keepdims=True)"),
                      "At T = 0 each of several equally large logits gets a share of 1. Shares add up to 1."),
        Misconception("zero-replaced", variant(_temperature_right, _ZERO_BRANCH,
                                               "    temperature = max(temperature, 1e-8)\n" + _QUIET),
                      "You replace T = 0 by a small number. It shows when two logits differ by even less; the limit "
                      "itself is simple, so return it.", matches=_zero_replaced),
        Misconception("small-is-zero", variant(_temperature_right, "temperature == 0", "temperature < 1e-6"),
                      "You treat small temperatures like 0. A temperature of 1e-8 is not the limit: logits that differ "
                      "by as little still share."),
        Misconception("close-is-a-tie",
                      variant(_temperature_right, "np.where(z == top, 1.0, 0.0)",
                              "np.where(np.isclose(z, top), 1.0, 0.0)"),
                      "At T = 0 you count logits that are nearly the largest as ties. The statement says exactly "
                      "equal."),
        Misconception("zero-is-uniform", variant(_temperature_right, "np.where(z == top, 1.0, 0.0)", "np.ones_like(z)"),
                      "At T = 0 all your shares are equal. That is the other end: equal shares belong to an infinite "
                      "temperature."),
        Misconception("over-the-batch",
                      variant(variant(_temperature_right, "z.max(axis=-1", "z.max(axis=0"),
                              "powers.sum(axis=-1", "powers.sum(axis=0"),
                      "Your columns add up to 1. Each row is one case: its shares add up along the last axis."),
        Misconception("negative-accepted",
                      variant(_temperature_right, '    if temperature < 0:\n        raise ValueError("negative '
                                                  'temperature")\n', ""),
                      "A negative temperature should raise ValueError; you return something."),
    ),
)


# -------------------------------------------------------------------------------- networks judged by what they do


BUILT_OF = (np.float64, np.int64)  # a 2 is as good as a 2.0 in a network that is written down by hand


def _relu_network(x: np.ndarray, weights, biases) -> np.ndarray:
    """Values (N,) of a ReLU network with one output at numbers (N,)."""
    h = x[:, None]
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        h = np.maximum(h @ w + b, 0)
    return (h @ weights[-1] + biases[-1])[:, 0]


def _wrong_array(name: str, array: Any, shape: tuple, dtypes: tuple = (np.float64,)) -> str:
    """What is wrong with a returned array, or nothing. None in the shape: any length."""
    if not isinstance(array, np.ndarray):
        return f"{name} should be a NumPy array, not {describe(array)}"
    if array.dtype not in dtypes:
        return f"{name} should be a float64 array, not of {array.dtype}"
    if array.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True)):
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ("," if len(shape) == 1 else "") + ")"
        return f"{name} should have the shape {wanted}, not {array.shape}"
    return ""


def _same_text(text: str) -> Problem:
    return Problem(text, text)


def _wrong_values(got: np.ndarray, x: np.ndarray, y: np.ndarray, tolerance: float, where: str = "") -> Problem | None:
    """Compare what a network says at x with what it should say."""
    if not np.all(np.isfinite(got)):
        return _same_text("the network's output holds nan or inf")
    error = np.abs(got - y)
    if np.all(error <= tolerance):
        return None
    at = int(np.argmax(error))
    summary = f"the network's output is wrong{where}"
    return Problem(summary, f"{summary}: at x = {x[at]:.6g} it is {got[at]:.6g}, and should be {y[at]:.6g}")


def _behaves_like(
    wrong: Callable,
    outputs: Callable[[Case, Any], np.ndarray | None],
    truth: Callable[[Case], np.ndarray],
    telling: Callable[[Case], bool] = lambda case: True,
) -> Callable:
    """Recognize a mistake by what the network computes: there are many ways to write the same one.

    Args:
        wrong: The misconception.
        outputs: Maps a case and a returned network to its values where it is judged; None when it has no right form.
        truth: Maps a case to the right values there.
        telling: Whether different mistakes show differently in a case.
    """

    def matches(case: Case, value) -> bool:
        if not telling(case):
            return False
        mine = outputs(case, value)
        if mine is None:
            return False
        theirs = outputs(case, wrong(*case.arguments, **case.keywords))
        if theirs is None or np.allclose(theirs, truth(case), rtol=1e-6, atol=1e-6):
            return False
        return bool(np.allclose(mine, theirs, rtol=1e-6, atol=1e-6))

    return matches


# ------------------------------------------------------------------------------------------ interpolate_with_relus


def _places(knots: np.ndarray, outside: bool) -> np.ndarray:
    """Where an interpolating network is judged: at the knots, between them, and beyond them if asked for."""
    knots = np.asarray(knots, dtype=np.float64)
    shares = np.array([0.0, 0.2, 0.5, 0.77])
    between = (knots[:-1, None] + shares * np.diff(knots)[:, None]).ravel()
    if not outside:
        return np.append(between, knots[-1])
    reach = max(1.0, knots[-1] - knots[0]) * np.array([0.1, 1.0, 5.0])
    return np.concatenate([knots[0] - reach[::-1], between, knots[-1:], knots[-1] + reach])


def _interpolate_oracle(knots, values):
    inside, everywhere = _places(knots, False), _places(knots, True)
    return {
        "inside": (inside, np.interp(inside, knots, values)),
        "everywhere": (everywhere, np.interp(everywhere, knots, values)),
    }


def _points(rng, count, low=-2.0, high=2.0):
    """Knots in increasing order, not too close, and values."""
    gaps = rng.uniform(0.5, 1.5, size=count - 1)
    knots = low + (high - low) * np.append(0.0, np.cumsum(gaps)) / np.sum(gaps)
    return knots, rng.normal(size=count)


def _interpolate_visible(rng):
    return [
        Case("the example", (np.array([0.0, 1.0, 3.0]), np.array([1.0, 3.0, 2.0]))),
        Case("six points", _points(rng, 6)),
        Case("beyond the points", (np.array([-1.0, 0.0, 2.0]), np.array([2.0, -1.0, 0.5])), edge=True),
    ]


def _interpolate_hidden(rng):
    knots, values = _points(rng, 5, -2.0, 1.5)
    wide = np.zeros((2, 2 * len(knots)))
    wide[:, ::2] = knots, values
    return [
        Case("twelve points", _points(rng, 12)),
        Case("points on the negative side", _points(rng, 5, -9.0, -4.0)),
        Case("points far from 0", _points(rng, 7, 40.0, 50.0)),
        Case("evenly spaced, spacing 1", (np.arange(5.0), rng.normal(size=5))),
        Case("large values", (knots, 1000 + 300 * values)),
        Case("twelve points, and beyond", _points(rng, 12), edge=True),
        Case("two points", (np.array([-0.5, 1.5]), rng.normal(size=2)), edge=True),
        Case("one point", (np.array([0.7]), np.array([-1.3])), edge=True),
        Case("nearly a step", (np.array([-1.0, 0.0, 1e-4, 1.0]), np.array([0.0, 0.0, 1.0, 1.0])), edge=True),
        Case("all on one line", (np.array([0.0, 1.0, 3.0, 4.0]), np.array([1.0, 3.0, 7.0, 9.0])), edge=True),
        Case("float32 arrays", (knots.astype(np.float32), values.astype(np.float32)), edge=True),
        Case("views that are not contiguous", (wide[0, ::2], wide[1, ::2]), edge=True),
    ]


def _interpolate_right(knots, values):
    slopes = np.diff(values) / np.diff(knots)
    w1 = np.ones((1, len(knots)))
    b1 = -knots
    w2 = np.diff(slopes, prepend=0.0, append=0.0)
    b2 = values[:1] + 0.0
    return w1, b1, w2[:, None], b2


def _one_layer_form(case: Case, value) -> str:
    """What is wrong with the form of a returned network, or nothing."""
    knots = case.arguments[0]
    dtypes = (*BUILT_OF, np.float32) if knots.dtype == np.float32 else BUILT_OF
    if not isinstance(value, (tuple, list)) or len(value) != 4:
        return f"the result should be (w1, b1, w2, b2), not {describe(value)}"
    wrong = _wrong_array("w1", value[0], (1, None), dtypes)
    if wrong:
        return wrong
    units = value[0].shape[1]
    for name, array, shape in zip(("b1", "w2", "b2"), value[1:], ((units,), (units, 1), (1,)), strict=True):
        wrong = _wrong_array(name, array, shape, dtypes)
        if wrong:
            return wrong
    if units > len(knots):
        return f"the network has {units} hidden units; one for each of the {len(knots)} points is enough"
    return ""


def _one_layer_outputs(case: Case, value) -> np.ndarray | None:
    if _one_layer_form(case, value):
        return None
    w1, b1, w2, b2 = value
    with np.errstate(all="ignore"):
        return _relu_network(_places(case.arguments[0], case.edge), (w1, w2), (b1, b2))


def _one_layer_truth(case: Case) -> np.ndarray:
    return np.interp(_places(case.arguments[0], case.edge), *case.arguments)


def _compare_interpolation(case: Case, expected, got) -> Problem | None:
    wrong = _one_layer_form(case, got)
    if wrong:
        return _same_text(wrong)
    x, y = expected["everywhere" if case.edge else "inside"]
    tolerance = (1e-3 if case.arguments[0].dtype == np.float32 else 1e-6) * max(1.0, float(np.abs(y).max()))
    outputs = _one_layer_outputs(case, got)
    knots = case.arguments[0]
    inside = (x >= knots[0]) & (x <= knots[-1])
    return _wrong_values(outputs[inside], x[inside], y[inside], tolerance) or _wrong_values(
        outputs, x, y, tolerance, " beyond the first or the last point"
    )


def _like_interpolation(id: str, wrong: Callable, hint: str) -> Misconception:
    def telling(case: Case) -> bool:
        return len(case.arguments[0]) > 2

    return Misconception(id, wrong, hint, matches=_behaves_like(wrong, _one_layer_outputs, _one_layer_truth, telling))


INTERPOLATE_WITH_RELUS = Task(
    id="interpolate_with_relus", points=4, minutes=35, difficulty=3,
    signature="interpolate_with_relus(knots, values) -> (w1, b1, w2, b2)",
    visible=_interpolate_visible, hidden=_interpolate_hidden, oracle=_interpolate_oracle,
    compare=_compare_interpolation,
    misconceptions=(
        _like_interpolation("slopes-not-changes",
                            variant(_interpolate_right, "np.diff(slopes, prepend=0.0, append=0.0)",
                                    "np.append(slopes, 0.0)"),
                            "Each unit adds its slope to all those that started before it. So an output weight is not "
                            "the slope of a piece: it is what?"),
        _like_interpolation("no-offset", variant(_interpolate_right, "values[:1] + 0.0", "np.zeros(1)"),
                            "The shape is right, at the wrong height: left of all knots every unit is off. Which "
                            "parameter is left to make the first value?"),
        _like_interpolation("bias-sign", variant(_interpolate_right, "b1 = -knots", "b1 = knots + 0.0"),
                            "Your units bend at the mirror images of the knots. Where does x + b cross 0?"),
        _like_interpolation("last-bend-missing",
                            variant(_interpolate_right, "slopes, prepend=0.0, append=0.0",
                                    "slopes, prepend=0.0, append=slopes[-1:]"),
                            "Up to the last point all is right. Behind it your network goes on with the last slope; "
                            "it should stay flat."),
        _like_interpolation("even-spacing",
                            variant(_interpolate_right, "/ np.diff(knots)", "/ ((knots[-1] - knots[0]) / "
                                    "max(len(knots) - 1, 1))"),
                            "You use one distance for all pieces, as if the knots were evenly spaced. Each piece has "
                            "its own."),
        _like_interpolation("spacing-ignored", variant(_interpolate_right, " / np.diff(knots)", ""),
                            "You use the differences of the values as slopes. What is the run that belongs to the "
                            "rise?"),
        _like_interpolation("values-as-weights",
                            variant(_interpolate_right, "np.diff(slopes, prepend=0.0, append=0.0)", "values + 0.0"),
                            "The output weights are the values themselves. A ReLU unit is no bump: it goes on rising, "
                            "so think in slopes."),
        _like_interpolation("first-bend-missing",
                            variant(_interpolate_right, "np.diff(slopes, prepend=0.0, append=0.0)",
                                    "np.append(0.0, np.diff(slopes, append=0.0))"),
                            "The first piece is flat in your network: at the first knot the slope changes as well, "
                            "from 0."),
        Misconception("flat-weights", variant(_interpolate_right, "w2[:, None]", "w2"),
                      "w2 is a vector. A layer's weights have the shape (inputs, outputs), also with one output."),
        Misconception("offset-as-number", variant(_interpolate_right, "values[:1] + 0.0", "values[0] + 0.0"),
                      "b2 is a single number. A layer's biases have the shape (outputs,), also with one output."),
    ),
)


# ------------------------------------------------------------------------------------------------ sawtooth_network


def _sawtooth_places(depth: int, tip: float = 0.5) -> np.ndarray:
    """Numbers from 0 to 1: corners, middles of pieces, and others."""
    corners = np.array([0.0, 1.0])
    for _ in range(min(depth, 7)):  # what a tent sends to the corners that are there already
        corners = np.unique(np.concatenate([tip * corners, 1 - (1 - tip) * corners]))
    narrow = tip ** max(depth - 7, 0) * np.concatenate([corners, (corners[:-1] + corners[1:]) / 2])
    return np.unique(np.concatenate([
        narrow, 1 - (1 - tip) * narrow, np.random.default_rng(max(depth, 0)).uniform(size=50)
    ]))


def _sawtooth_oracle(depth, tip=0.5):
    """Three points and ``np.interp``, applied again and again: no unit and no matrix."""
    if depth < 0:
        raise ValueError("a depth is not negative")
    x = y = _sawtooth_places(depth, tip)
    for _ in range(depth):
        y = np.interp(y, [0.0, tip, 1.0], [0.0, 1.0, 0.0])
    return {"x": x, "y": y}


def _sawtooth_visible(rng):
    return [
        Case("depth 1, the tip in the middle", (1,)), Case("depth 1, the tip at 1/4", (1, 0.25)),
        Case("depth 2, the tip in the middle", (2,)), Case("depth 3, the tip at 0.6", (3, 0.6)),
        Case("depth 0, the line itself", (0, 0.3), edge=True),
    ]


def _sawtooth_hidden(rng):
    return [
        Case("depth 4, the tip in the middle", (4, 0.5)), Case("depth 6, the tip at 0.45", (6, 0.45)),
        Case("depth 10, 1024 pieces", (10,)), Case("the tip by its keyword", (5,), {"tip": 0.35}),
        Case("the tip near the end", (3, 0.98), edge=True), Case("depth 16, 65536 pieces", (16,), edge=True),
        Case("a negative depth", (-1,), edge=True),
    ]


def _sawtooth_right(depth, tip=0.5):
    if depth < 0:
        raise ValueError("negative depth")
    up, down = 1 / tip, 1 / (1 - tip)
    weights, biases = [], []
    read = np.ones((1, 1))
    for _ in range(depth):
        weights.append(read @ np.ones((1, 2)))
        biases.append(np.array([0.0, -tip]))
        read = np.array([[up], [-up - down]])
    weights.append(read)
    biases.append(np.zeros(1))
    return weights, biases


def _deep_form(case: Case, value) -> str:
    """What is wrong with the form of a returned deep network, or nothing."""
    depth = case.arguments[0]
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return f"the result should be (weights, biases), not {describe(value)}"
    for name, arrays in zip(("weights", "biases"), value, strict=True):
        if not isinstance(arrays, (tuple, list)):
            return f"{name} should be a list of arrays, not {describe(arrays)}"
        if len(arrays) != depth + 1:
            hidden = "1 hidden layer" if depth == 1 else f"{depth} hidden layers"
            wanted = f"{depth + 1} arrays, for {hidden} and the output" if depth else "1 array, for the output alone"
            return f"{name} should hold {wanted}, not {len(arrays)}"
    inputs = 1
    for index, (w, b) in enumerate(zip(*value, strict=True)):
        last = index == depth
        wrong = _wrong_array(f"weights[{index}]", w, (inputs, 1 if last else None), BUILT_OF)
        if wrong:
            return wrong
        inputs = w.shape[1]
        wrong = _wrong_array(f"biases[{index}]", b, (inputs,), BUILT_OF)
        if wrong:
            return wrong
        if inputs > 2:
            return f"hidden layer {index + 1} has {inputs} units; two are enough"
    return ""


def _deep_outputs(case: Case, value) -> np.ndarray | None:
    if case.arguments[0] < 0 or _deep_form(case, value):
        return None
    with np.errstate(all="ignore"):
        return _relu_network(_sawtooth_places(*case.arguments, **case.keywords), *value)


def _compare_sawtooth(case: Case, expected, got) -> Problem | None:
    wrong = _deep_form(case, got)
    if wrong:
        return _same_text(wrong)
    return _wrong_values(_deep_outputs(case, got), expected["x"], expected["y"], 1e-6)


def _like_sawtooth(id: str, wrong: Callable, hint: str, tip_matters: bool = False) -> Misconception:
    def truth(case: Case) -> np.ndarray:
        return _sawtooth_oracle(*case.arguments, **case.keywords)["y"]

    def telling(case: Case) -> bool:
        tip = (*case.arguments[1:], *case.keywords.values(), 0.5)[0]
        return tip != 0.5 or not tip_matters

    return Misconception(id, wrong, hint, matches=_behaves_like(wrong, _deep_outputs, truth, telling))


def _one_wide_layer(depth, tip=0.5):
    knots = np.array([0.0, 1.0])
    for _ in range(depth):
        knots = np.concatenate([tip * knots, (1 - (1 - tip) * knots)[-2::-1]])
    slopes = np.diff(np.arange(len(knots)) % 2.0) / np.diff(knots)
    return [np.ones((1, len(knots) - 1)), np.diff(slopes, prepend=0.0)[:, None]], [-knots[:-1], np.zeros(1)]


SAWTOOTH_NETWORK = Task(
    id="sawtooth_network", points=4, minutes=35, difficulty=4,
    signature="sawtooth_network(depth, tip=0.5) -> (weights, biases)",
    visible=_sawtooth_visible, hidden=_sawtooth_hidden, oracle=_sawtooth_oracle, compare=_compare_sawtooth,
    misconceptions=(
        _like_sawtooth("tip-in-the-middle",
                       variant(_sawtooth_right, "    up, down", "    tip = 0.5\n    up, down"),
                       "Your tent has its tip in the middle, wherever the argument asks for it."),
        _like_sawtooth("slope-turned-around", variant(_sawtooth_right, "-up - down", "-2 * up"),
                       "Right of the tip your tent falls as steeply as it rises left of it. That fits a tip in the "
                       "middle only: how far does it have to fall, and how much room is there?"),
        _like_sawtooth("slopes-of-the-middle",
                       variant(_sawtooth_right, "up, down = 1 / tip, 1 / (1 - tip)", "up, down = 2.0, 2.0"),
                       "Your tip is in the right place, but the slopes are still those of a tip in the middle. How "
                       "steep is the way from 0 up to 1?"),
        _like_sawtooth("never-comes-down", variant(_sawtooth_right, "-up - down", "-up"),
                       "Your tent goes up and then stays flat: the second unit has to cancel the rising slope *and* "
                       "make a falling one.", tip_matters=True),
        _like_sawtooth("slope-not-change", variant(_sawtooth_right, "-up - down", "-down"),
                       "The second unit has the new slope as its weight. It adds to the slope that is there already: "
                       "by how much does the slope change at the tip?", tip_matters=True),
        _like_sawtooth("bend-elsewhere", variant(_sawtooth_right, "[0.0, -tip]", "[0.0, -1.0]"),
                       "Your second unit starts at 1. Where is the tip of the tent?"),
        _like_sawtooth("bends-mirrored", variant(_sawtooth_right, "[0.0, -tip]", "[0.0, tip]"),
                       "Your second unit is on from the beginning. Where does x + b cross 0?"),
        _like_sawtooth("half-as-high",
                       variant(_sawtooth_right, "[[up], [-up - down]]", "[[up / 2], [-(up + down) / 2]]"),
                       "Your tent reaches 1/2 only. The next tent needs numbers from the whole of [0, 1]."),
        Misconception("too-shallow", variant(_sawtooth_right, "range(depth)", "range(depth - 1)"),
                      "A hidden layer is missing. Each tent that is put into the next one is a hidden layer of its "
                      "own."),
        Misconception("too-deep", variant(_sawtooth_right, "range(depth)", "range(depth + 1)"),
                      "There is one hidden layer too many. With depth 1 there is one hidden layer, and one tent."),
        Misconception("wide-instead", _one_wide_layer,
                      "The function is right, but you built it of one wide layer. The point is depth: two units a "
                      "layer, each layer folds what the one before it made."),
        Misconception("nothing-between",
                      variant(_sawtooth_right, "read @ np.ones((1, 2))",
                              "np.ones((1, 2)) if len(weights) == 0 else np.eye(2)"),
                      "The layers pass their two numbers on as they are. The layer of the next tent needs the *tent* "
                      "of the one before it: two units, read together."),
    ),
)


# ------------------------------------------------------------------------------------------------ fit_output_layer


def _fit_oracle(x, targets, w1, b1, weight_decay=0.0):
    """scikit-learn's regressions on the hidden layer; its penalty belongs to the sum, not to the mean."""
    hidden = torch.tanh(_double(x) @ _double(w1) + _double(b1)).numpy()
    model = Ridge(alpha=weight_decay * len(x), solver="svd") if weight_decay else LinearRegression()
    model.fit(hidden, np.asarray(targets, dtype=np.float64))
    outputs = targets.shape[1]
    return model.coef_.reshape(outputs, -1).T.copy(), np.array(model.intercept_).reshape(outputs)


def _fit_case(rng, n, d, h, k, scale=1.0):
    x = rng.uniform(-1, 1, size=(n, d))
    return x, rng.normal(size=(n, k)) + 1.5, scale * rng.normal(size=(d, h)), scale * rng.normal(size=h)


def _fit_example():
    """Four numbers on a line and one hidden unit, tanh x: the targets are 1 + 2 tanh x."""
    x = np.array([[-1.0], [0.0], [1.0], [2.0]])
    return x, 1 + 2 * np.tanh(x), np.ones((1, 1)), np.zeros(1)


def _fit_visible(rng):
    return [
        Case("the example", (*_fit_example(), 0.0)),
        Case("the example with weight decay", (*_fit_example(), 0.1)),
        Case("30 examples, 2 inputs, 5 hidden units", _fit_case(rng, 30, 2, 5, 1)),
        Case("with weight decay, 3 outputs", (*_fit_case(rng, 20, 2, 6, 3), 0.1)),
        Case("more hidden units than examples", (*_fit_case(rng, 6, 2, 15, 2), 0.01), edge=True),
    ]


def _fit_hidden(rng):
    x, targets, w1, b1 = _fit_case(rng, 12, 4, 8, 2)
    single = tuple(a.astype(np.float32) for a in _fit_case(rng, 20, 2, 4, 2))
    return [
        Case("40 examples, 3 inputs, 4 hidden units, 2 outputs", _fit_case(rng, 40, 3, 4, 2, 2.0)),
        Case("strong weight decay", (*_fit_case(rng, 15, 2, 5, 2), 3.0)),
        Case("weight decay by its keyword", _fit_case(rng, 25, 1, 3, 1, 2.0), {"weight_decay": 0.02}),
        Case("as many of everything", (*_fit_case(rng, 4, 4, 4, 4), 0.3)),
        Case("one example", (*_fit_case(rng, 1, 2, 3, 2), 0.5), edge=True),
        Case("one hidden unit", (*_fit_case(rng, 9, 2, 1, 1), 0.2), edge=True),
        Case("a hidden unit that is always on", (x, targets, w1, b1 + 40 * (np.arange(8) == 2), 0.05), edge=True),
        Case("very strong weight decay", (*_fit_case(rng, 10, 2, 4, 2), 1e6), edge=True),
        Case("float32 arrays", (*single, 0.1), edge=True),
        Case("views that are not contiguous", (x[:, ::2], targets[:, ::2], w1[::2, ::2], b1[::2], 0.1), edge=True),
    ]


def _fit_right(x, targets, w1, b1, weight_decay=0.0):
    hidden = np.tanh(x @ w1 + b1)
    mean, middle = hidden.mean(axis=0), targets.mean(axis=0)
    centered = hidden - mean
    gram = centered.T @ centered / len(x) + weight_decay * np.eye(len(b1))
    w2 = np.linalg.solve(gram, centered.T @ (targets - middle) / len(x))
    b2 = middle - mean @ w2
    return w2, b2


def _fit_penalty_misplaced(x, targets, w1, b1, weight_decay=0.0):
    wide = np.hstack([np.ones((len(x), 1)), np.tanh(x @ w1 + b1)])
    penalty = weight_decay * np.diag(np.append(np.ones(len(b1)), 0.0))
    both = np.linalg.solve(wide.T @ wide / len(x) + penalty, wide.T @ targets / len(x))
    return both[1:], both[0]


def _close_to(case: Case, value, *suspects: Callable) -> bool:
    """Whether the result is that of one of these, in a case with weight decay and more examples than parameters."""
    x, targets, w1, b1 = case.arguments[:4]
    decay = (*case.arguments[4:], *case.keywords.values(), 0.0)[0]
    if not decay or len(x) <= len(b1) + 1 or x.dtype != np.float64:
        return False
    close = Close(rtol=1e-4, atol=1e-5)
    return any(close(case, suspect(x, targets, w1, b1, decay), value) is None for suspect in suspects)


def _decay_ignored(case: Case, value) -> bool:
    return _close_to(case, value, lambda x, targets, w1, b1, decay: _fit_oracle(x, targets, w1, b1))


def _penalty_misplaced(case: Case, value) -> bool:
    """The 0 of the penalty is at the other end than the ones, whichever end that is."""
    def reversed_units(x, targets, w1, b1, decay):
        w2, b2 = _fit_penalty_misplaced(x, targets, w1[:, ::-1], b1[::-1], decay)
        return w2[::-1], b2

    return _close_to(case, value, _fit_penalty_misplaced, reversed_units)


_CENTERED = """    mean, middle = hidden.mean(axis=0), targets.mean(axis=0)
"""

FIT_OUTPUT_LAYER = Task(
    id="fit_output_layer", points=4, minutes=35, difficulty=3,
    signature="fit_output_layer(x, targets, w1, b1, weight_decay=0.0) -> (w2, b2)",
    visible=_fit_visible, hidden=_fit_hidden, oracle=_fit_oracle,
    compare=Close(rtol=1e-6, atol=1e-7, float32_rtol=2e-3),
    misconceptions=(
        Misconception("decay-ignored",
                      variant(_fit_right, "weight_decay * np.eye(len(b1))", "1e-12 * np.eye(len(b1))"),
                      "The weight decay has no effect on your result.", matches=_decay_ignored),
        Misconception("decay-in-the-sum",
                      variant(variant(_fit_right, "centered.T @ centered / len(x)", "centered.T @ centered"),
                              "(targets - middle) / len(x)", "(targets - middle)"),
                      "Your penalty is too weak, by a factor that is the number of examples. The squared errors are "
                      "averaged, the penalty is not."),
        Misconception("decay-doubled", variant(_fit_right, "weight_decay * np.eye", "2 * weight_decay * np.eye"),
                      "Your penalty is twice too strong. Both terms of the loss carry a factor 1/2: what is left of "
                      "each in the gradient?"),
        Misconception("decay-halved", variant(_fit_right, "weight_decay * np.eye", "weight_decay / 2 * np.eye"),
                      "Your penalty is half as strong as it should be. Both terms of the loss carry a factor 1/2: what "
                      "is left of each in the gradient?"),
        Misconception("decay-on-the-bias",
                      variant(_fit_right, "    mean, middle = hidden.mean(axis=0), targets.mean(axis=0)\n"
                                          "    centered = hidden - mean\n"
                                          "    gram = centered.T @ centered / len(x) + weight_decay * np.eye(len(b1))\n"
                                          "    w2 = np.linalg.solve(gram, centered.T @ (targets - middle) / len(x))\n"
                                          "    b2 = middle - mean @ w2\n",
                              "    wide = np.hstack([hidden, np.ones((len(x), 1))])\n"
                              "    gram = wide.T @ wide / len(x) + weight_decay * np.eye(len(b1) + 1)\n"
                              "    both = np.linalg.solve(gram, wide.T @ targets / len(x))\n"
                              "    w2, b2 = both[:-1], both[-1]\n"),
                      "Without weight decay all is right. With it, the bias is pulled toward 0 too; the penalty is on "
                      "the weights only."),
        Misconception("penalty-at-the-other-end", _fit_penalty_misplaced,
                      "Without weight decay all is right. With it, one weight goes free and the bias pays in its "
                      "place: your ones stand at one end of the wide array, and the 0 of the penalty at the other.",
                      matches=_penalty_misplaced),
        Misconception("decay-averaged-over-outputs",
                      variant(_fit_right, "weight_decay * np.eye", "targets.shape[1] * weight_decay * np.eye"),
                      "With one output all is right. With several your penalty is too strong: the squared errors are "
                      "summed over the outputs, and averaged over the examples only."),
        Misconception("no-bias",
                      variant(_fit_right, _CENTERED,
                              "    mean, middle = np.zeros(len(b1)), np.zeros(targets.shape[1])\n"),
                      "Your output layer has no bias: b2 is 0."),
        Misconception("bias-is-the-mean", variant(_fit_right, "b2 = middle - mean @ w2", "b2 = middle"),
                      "The weights are right. The bias is the mean of the targets in your code: that would be right "
                      "if the hidden units had mean 0."),
        Misconception("no-activation", variant(_fit_right, "np.tanh(x @ w1 + b1)", "x @ w1 + b1"),
                      "The output layer reads the hidden units before their tanh."),
        Misconception("hidden-bias-forgotten", variant(_fit_right, "x @ w1 + b1", "x @ w1"),
                      "The biases b1 of the hidden units have no effect on your result."),
        Misconception("relu-instead", variant(_fit_right, "np.tanh(x @ w1 + b1)", "np.maximum(x @ w1 + b1, 0)"),
                      "The hidden units of this task are tanh units."),
    ),
)


# -------------------------------------------------------------------------------------------------- train_boundary

REQUIRED_ACCURACY = 0.97
HELD_OUT = 1000  # fresh points of the same kind
MOONS, RINGS, SPIRALS = "moons", "rings", "spirals"


@cache
def boundary_points(kind: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 2) of one kind, and their classes."""
    if kind == MOONS:
        return data.moons(n, noise=0.12, seed=seed)
    if kind == RINGS:
        return data.circles(n, noise=0.08, seed=seed)
    return data.spirals(n, noise=0.04, classes=3, seed=seed)


def _moved(kind: str, x: np.ndarray) -> np.ndarray:
    """The same points in other units, where a case says so."""
    return x if kind.isalpha() else x * np.array([50.0, 0.02]) + np.array([300.0, -1.0])


def _boundary_case(name: str, kind: str, n: int, seed: int, hidden_units: int, draw: int, edge: bool = False) -> Case:
    x, labels = boundary_points(kind.split(",")[0], n, seed)
    return Case(name, (_moved(kind, x), labels, hidden_units, draw), edge=edge)


def _boundary_visible(rng):
    return [
        _boundary_case("two moons", MOONS, 400, 0, 120, 0),
        _boundary_case("two rings", RINGS, 400, 0, 120, 0),
        _boundary_case("three spirals", SPIRALS, 600, 0, 150, 0),
    ]


def _boundary_hidden(rng):
    seeds = [int(seed) for seed in rng.integers(1, 10_000, size=6)]
    return [
        _boundary_case("moons, fresh points", MOONS, 400, seeds[0], 120, seeds[0]),
        _boundary_case("rings, fresh points", RINGS, 400, seeds[1], 120, seeds[1]),
        _boundary_case("spirals, fresh points", SPIRALS, 600, seeds[2], 200, seeds[2]),
        _boundary_case("spirals in other units", SPIRALS + ", moved", 600, seeds[3], 150, seeds[3], edge=True),
        _boundary_case("as many hidden units as points", RINGS, 200, seeds[4], 200, seeds[4], edge=True),
    ]


def _boundary_oracle(x, labels, hidden_units, seed):
    """Not the weights (any draw will do), but what they have to be good at: fresh points of the same kind."""
    moved = float(np.abs(x).max()) > 10
    kind = SPIRALS
    if labels.max() == 1:
        kind = MOONS if x[:, 0].max() > 1.6 else RINGS  # the right-hand moon reaches to 2
    held_out, classes = boundary_points(kind, HELD_OUT, 2718)
    return {"x": _moved(kind + (", moved" if moved else ""), held_out), "labels": classes}


def boundary_accuracy(x: np.ndarray, labels: np.ndarray, w1, b1, w2, b2) -> float:
    """Share of points that a network with tanh hidden units gives to their class."""
    return float(np.mean(np.argmax(np.tanh(x @ w1 + b1) @ w2 + b2, axis=1) == labels))


def _boundary_network(case: Case, value) -> tuple | str:
    """The four arrays of a returned network, or what is wrong with them."""
    _, labels, hidden_units, _ = case.arguments
    if not isinstance(value, (tuple, list)) or len(value) != 4:
        return f"the result should be (w1, b1, w2, b2), not {describe(value)}"
    classes = int(labels.max()) + 1
    shapes = ((2, hidden_units), (hidden_units,), (hidden_units, classes), (classes,))
    for name, array, shape in zip(("w1", "b1", "w2", "b2"), value, shapes, strict=True):
        wrong = _wrong_array(name, array, shape)
        if wrong:
            return wrong
    return tuple(value)


def _compare_boundary(case: Case, expected, got) -> Problem | None:
    network = _boundary_network(case, got)
    if isinstance(network, str):
        return _same_text(network)
    if not all(np.all(np.isfinite(array)) for array in network):
        return _same_text("the network holds nan or inf")
    with np.errstate(all="ignore"):
        reached = boundary_accuracy(expected["x"], expected["labels"], *network)
    if reached >= REQUIRED_ACCURACY:
        return None
    return _same_text(f"{reached:.1%} of the held-out points are right; {REQUIRED_ACCURACY:.0%} are asked for")


def _boundary_right(x, labels, hidden_units, seed):
    rng = np.random.default_rng(seed)
    spread = x.std(axis=0)
    w1 = 2 * rng.normal(size=(2, hidden_units)) / spread[:, None]
    b1 = 2 * rng.normal(size=hidden_units) - x.mean(axis=0) @ w1
    targets = np.eye(labels.max() + 1)[labels]
    hidden = np.tanh(x @ w1 + b1)
    wide = np.hstack([hidden, np.ones((len(x), 1))])
    penalty = 1e-3 * np.append(np.ones(hidden_units), 0.0)
    both = np.linalg.solve(wide.T @ wide / len(x) + np.diag(penalty), wide.T @ targets / len(x))
    return w1, b1, both[:-1], both[-1]


_PENALIZED = "np.linalg.solve(wide.T @ wide / len(x) + np.diag(penalty), wide.T @ targets / len(x))"


def _judged_right(case: Case, network) -> bool:
    return _compare_boundary(case, _boundary_oracle(*case.arguments), network) is None


def _all_units_alike(case: Case, value) -> bool:
    network = _boundary_network(case, value)
    return not isinstance(network, str) and bool(np.allclose(network[0], network[0][:, :1]))


def _no_hidden_biases(case: Case, value) -> bool:
    network = _boundary_network(case, value)
    if isinstance(network, str) or _all_units_alike(case, value) or _judged_right(case, network):
        return False
    return not network[1].any()


def _untrained_output(case: Case, value) -> bool:
    """Whether the output weights look drawn: they are far from the best ones, which fit the training points too."""
    network = _boundary_network(case, value)
    if isinstance(network, str) or _all_units_alike(case, value) or _no_hidden_biases(case, value):
        return False
    if network[3].any():
        return False
    return boundary_accuracy(*case.arguments[:2], *network) < 0.75


def _almost_linear(case: Case, value) -> bool:
    """Whether all hidden units stay in the straight part of tanh."""
    network = _boundary_network(case, value)
    if isinstance(network, str) or _judged_right(case, network):
        return False
    return float(np.quantile(np.abs(case.arguments[0] @ network[0] + network[1]), 0.9)) < 0.3


def _saturated(case: Case, value) -> bool:
    """Whether nearly all hidden units are stuck at their ends, as they are when units of measurement are ignored."""
    network = _boundary_network(case, value)
    if isinstance(network, str) or float(np.abs(case.arguments[0]).max()) < 10 or _judged_right(case, network):
        return False
    return float(np.median(np.abs(case.arguments[0] @ network[0] + network[1]))) > 5


def _wants_standardized(case: Case, value) -> bool:
    """Whether the network is right if somebody standardizes the points first."""
    network = _boundary_network(case, value)
    if isinstance(network, str) or _judged_right(case, network):
        return False
    x = case.arguments[0]
    held_out = _boundary_oracle(*case.arguments)
    with np.errstate(all="ignore"):
        places = (held_out["x"] - x.mean(axis=0)) / x.std(axis=0)
        return boundary_accuracy(places, held_out["labels"], *network) >= REQUIRED_ACCURACY


def _overfitted(case: Case, value) -> bool:
    """Whether the network is perfect on its few points and poor on others."""
    network = _boundary_network(case, value)
    x, labels, hidden_units, _ = case.arguments
    if isinstance(network, str) or hidden_units < len(x) or _judged_right(case, network):
        return False
    return boundary_accuracy(x, labels, *network) > 0.99


TRAIN_BOUNDARY = Task(
    id="train_boundary", points=5, minutes=40, difficulty=4,
    signature="train_boundary(x, labels, hidden_units, seed) -> (w1, b1, w2, b2)",
    visible=_boundary_visible, hidden=_boundary_hidden, oracle=_boundary_oracle, compare=_compare_boundary,
    misconceptions=(
        Misconception("identical-units",
                      variant(variant(_boundary_right, "rng.normal(size=(2, hidden_units))",
                                      "np.ones((2, hidden_units))"),
                              "2 * rng.normal(size=hidden_units)", "0.5 * np.ones(hidden_units)"),
                      "All hidden units are the same, so together they are worth one. Draw them at random.",
                      matches=_all_units_alike),
        Misconception("hidden-biases-zero",
                      variant(_boundary_right, "2 * rng.normal(size=hidden_units) - x.mean(axis=0) @ w1",
                              "np.zeros(hidden_units)"),
                      "Your hidden biases are all 0, so the lines at which the units switch all go through the "
                      "origin, and what the network computes is odd, up to a constant: opposite points get opposite "
                      "answers. Draw the biases too.", matches=_no_hidden_biases),
        Misconception("output-not-fitted",
                      variant(_boundary_right, "both[:-1], both[-1]",
                              "rng.normal(size=both[:-1].shape), np.zeros(len(both[-1]))"),
                      "The network is right about no more of its own points than chance: the output layer looks "
                      "drawn, not fitted.", matches=_untrained_output),
        Misconception("nearly-linear",
                      variant(variant(_boundary_right, "2 * rng.normal(size=(2", "0.01 * rng.normal(size=(2"),
                              "2 * rng.normal(size=hidden", "0.01 * rng.normal(size=hidden"),
                      "Your hidden units get numbers close to 0, where tanh is a straight line: the network is hardly "
                      "more than a linear model. How large should the weights be drawn?", matches=_almost_linear),
        Misconception("standardized-points",
                      variant(_boundary_right, "    rng = np.random.default_rng(seed)\n",
                              "    rng = np.random.default_rng(seed)\n    x = (x - x.mean(axis=0)) / x.std(axis=0)\n"),
                      "Your network is right about standardized points, but it is given the points themselves. Build "
                      "the shift and the scale into w1 and b1.", matches=_wants_standardized),
        Misconception("units-of-measurement",
                      variant(variant(_boundary_right, "x.std(axis=0)", "np.ones(2)"),
                              "- x.mean(axis=0) @ w1", "- 0.0"),
                      "Points around 0 of size 1 work. In other units nearly all your hidden units are stuck at -1 or "
                      "1: measure where the points lie and how far they spread before you draw the weights.",
                      matches=_saturated),
        Misconception("no-weight-decay",
                      variant(_boundary_right, _PENALIZED, "np.linalg.lstsq(wide, targets, rcond=None)[0]"),
                      "With as many hidden units as points your network is perfect on its points and poor on fresh "
                      "ones. What keeps the output weights small?", matches=_overfitted),
    ),
)


TASKS = (
    ACTIVATION_AND_SLOPE, MLP_FORWARD, COUNT_PARAMETERS, SOFTMAX_WITH_TEMPERATURE, INTERPOLATE_WITH_RELUS,
    SAWTOOTH_NETWORK, FIT_OUTPUT_LAYER, TRAIN_BOUNDARY,
)
