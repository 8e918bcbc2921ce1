"""Tasks of the assignment ``backprop``: from finite differences to a network that learns to read digits."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits

from .records import Budget, Case, Close, Misconception, Problem, Task, describe, variant


def _double(array) -> torch.Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float64))


def _numbers(*tensors: torch.Tensor | None) -> tuple[np.ndarray, ...]:
    return tuple(t.detach().numpy() for t in tensors)


# ---------------------------------------------------------------------------------------------- numerical_gradient


def _numerical_oracle(kind, x, coefficients, h=None):
    # what central differences give in exact arithmetic: (f(x + h) - f(x - h)) / 2h, worked out by hand
    h = 1e-5 if h is None else h
    if kind == "wave":
        return np.cos(np.sum(coefficients * x)) * np.sin(coefficients * h) / h
    slope = {"quadratic": 2 * x, "cubic": 3 * x**2 + h**2, "sine": np.cos(x) * np.sin(h) / h}[kind]
    return coefficients * slope


def _numerical_visible(rng):
    return [
        Case("a quadratic of a vector", ("quadratic", rng.normal(size=4), rng.normal(size=4))),
        Case("a sum of sines of a matrix", ("sine", rng.normal(size=(2, 3)), rng.normal(size=(2, 3)))),
        Case("a cubic with a large step h", ("cubic", rng.normal(size=3), rng.normal(size=3), 0.5)),
        Case("a function that mixes the elements", ("wave", rng.normal(size=3), rng.normal(size=3))),
    ]


def _numerical_hidden(rng):
    return [
        Case("a cubic of a matrix", ("cubic", rng.normal(size=(3, 2)), rng.normal(size=(3, 2)))),
        Case("a larger step", ("sine", rng.normal(size=5), rng.normal(size=5), 0.25)),
        Case("a mix of the elements, with a larger step",
             ("wave", rng.normal(size=(2, 2)), rng.normal(size=(2, 2)), 0.1)),
        Case("an array of three axes", ("sine", rng.normal(size=(2, 3, 2)), rng.normal(size=(2, 3, 2)))),
        Case("a vector of one element", ("cubic", rng.normal(size=1), rng.normal(size=1)), edge=True),
        Case("x is a view that is not contiguous",
             ("quadratic", rng.normal(size=(3, 6))[:, ::2], rng.normal(size=(3, 3))), edge=True),
        Case("x is a transposed matrix", ("cubic", rng.normal(size=(4, 3)).T, rng.normal(size=(3, 4))), edge=True),
    ]


def _central_differences(f, x, h=1e-5):
    grad = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        old = x[index]
        x[index] = old + h
        above = f(x)
        x[index] = old - h
        below = f(x)
        grad[index] = (above - below) / (2 * h)
        x[index] = old
    return grad


def _all_at_once(f, x, h=1e-5):
    return np.ones_like(x) * (f(x + h) - f(x - h)) / (2 * h)


NUMERICAL_GRADIENT = Task(
    id="numerical_gradient", points=2, minutes=15, difficulty=1,
    signature="numerical_gradient(f, x, h=1e-5) -> grad",
    visible=_numerical_visible, hidden=_numerical_hidden, oracle=_numerical_oracle, driver="differentiate",
    compare=Close(rtol=1e-6, atol=1e-7),
    misconceptions=(
        Misconception("forward-difference",
                      variant(variant(_central_differences, "x[index] = old - h", "x[index] = old"), "(2 * h)", "h"),
                      "This is the one-sided difference. Its error shrinks with h, the central one's with h squared: "
                      "look at both sides of x."),
        Misconception("not-halved", variant(_central_differences, "(2 * h)", "h"),
                      "Every value is twice too large: how far apart are the two points at which you evaluate f?"),
        Misconception("all-elements-at-once", _all_at_once,
                      "All elements move together, so you get the slope along one diagonal. A partial derivative "
                      "moves one element and holds the others."),
        Misconception("x-not-restored",
                      variant(_central_differences, "        x[index] = old\n    return", "    return"),
                      "After an element's turn it keeps its moved value, so the later derivatives are taken "
                      "elsewhere and x comes back changed."),
        Misconception("x-restored-inexactly",
                      variant(_central_differences, "x[index] = old\n    return", "x[index] += h\n    return"),
                      "x comes back slightly different. Adding and subtracting h rounds: save the old value and put "
                      "it back."),
        Misconception("own-step", variant(_central_differences, "grad =", "h = 1e-5\n    grad ="),
                      "The argument h has no effect on your result."),
        Misconception("flat-gradient", variant(_central_differences, "return grad", "return grad.reshape(-1)"),
                      "The numbers are right, the shape is not: the gradient has the shape of x."),
    ),
)


# -------------------------------------------------------------------------------------------------- graph_backward

_UNARY, _BINARY = ("neg", "exp"), ("add", "mul", "max", "sub")


def _graph_oracle(nodes):
    tensors: dict[str, torch.Tensor] = {}
    apply = {
        "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
        "max": lambda a, b: torch.where(a >= b, a, b), "neg": lambda a: -a, "exp": torch.exp,
    }
    for name, op, arguments in nodes:
        if op == "input":
            tensors[name] = torch.tensor(float(arguments), dtype=torch.float64, requires_grad=True)
        else:
            tensors[name] = apply[op](*(tensors[a] for a in arguments))
            tensors[name].retain_grad()
    tensors[nodes[-1][0]].backward()
    values = {name: float(t.detach()) for name, t in tensors.items()}
    return values, {name: 0.0 if t.grad is None else float(t.grad) for name, t in tensors.items()}


def _random_graph(rng, inputs: int, operations: int, ops=_UNARY + _BINARY):
    nodes = [(f"x{i}", "input", float(rng.normal())) for i in range(inputs)]
    for i in range(operations):
        op = str(rng.choice(ops))
        # exp of anything large would drown the rest, so it reads inputs only
        names = [n[0] for n in (nodes[:inputs] if op == "exp" else nodes)]
        # the newest node takes part, so that the last one depends on most of them
        first = names[-1] if op != "exp" and i else str(rng.choice(names))
        if op == "max":  # ties have cases of their own
            values = _graph_right(nodes)[0]
            names = [name for name in names if not np.isclose(values[name], values[first])]
        arguments = (first,) if op in _UNARY else (first, str(rng.choice(names)))
        if op in _BINARY and rng.random() < 0.5:
            arguments = arguments[::-1]
        nodes.append((f"n{i}", op, arguments))
    return nodes


def _graph_visible(rng):
    worked = [
        ("x", "input", 3.0), ("y", "input", -4.0), ("z", "input", 2.0), ("w", "input", -1.0), ("two", "input", 2.0),
        ("xy", "mul", ("x", "y")), ("m", "max", ("z", "w")), ("s", "add", ("xy", "m")), ("f", "mul", ("s", "two")),
    ]
    return [
        Case("(xy + max(z, w)) * 2 at (3, -4, 2, -1)", (worked,)),
        Case("a node that is used twice", ([("x", "input", 3.0), ("f", "mul", ("x", "x"))],)),
        Case("exp(-(x - y))", ([
            ("x", "input", 0.5), ("y", "input", 2.0), ("d", "sub", ("x", "y")), ("n", "neg", ("d",)),
            ("f", "exp", ("n",)),
        ],)),
        Case("a tie in max", ([("a", "input", 1.5), ("b", "input", 1.5), ("f", "max", ("a", "b"))],), edge=True),
    ]


def _graph_hidden(rng):
    doubling = [("x0", "input", 1.0)] + [(f"x{i + 1}", "add", (f"x{i}", f"x{i}")) for i in range(40)]
    chain = [("n0", "input", 0.5)] + [(f"n{i + 1}", "neg", (f"n{i}",)) for i in range(300)]
    unused = [
        ("x", "input", 2.0), ("y", "input", 5.0), ("unused", "mul", ("x", "y")), ("f", "mul", ("x", "x")),
    ]
    diamond = [
        ("x", "input", float(rng.normal())), ("a", "exp", ("x",)), ("b", "mul", ("a", "x")), ("c", "sub", ("a", "b")),
        ("d", "mul", ("b", "c")), ("e", "max", ("d", "a")), ("g", "sub", ("b", "e")), ("f", "add", ("d", "g")),
    ]
    return [
        Case("a sub that reads the larger first", ([
            ("x", "input", 4.0), ("y", "input", -3.0), ("d", "sub", ("x", "y")), ("f", "mul", ("d", "y"))],)),
        Case("max of the second", ([
            ("x", "input", -1.0), ("y", "input", 3.0), ("m", "max", ("x", "y")), ("f", "mul", ("m", "x"))],)),
        Case("a diamond", (diamond,)),
        Case("a random graph of 8 operations", (_random_graph(rng, 3, 8),)),
        Case("a random graph of 20 operations", (_random_graph(rng, 4, 20, ("add", "sub", "max", "neg", "exp")),)),
        Case("a node that the last one does not depend on", (unused,)),
        Case("an input alone", ([("x", "input", -2.5)],), edge=True),
        Case("the last node is an input", ([
            ("x", "input", 0.5), ("a", "exp", ("x",)), ("y", "input", 2.0)],), edge=True),
        Case("a tie of a node with itself", ([("x", "input", 2.0), ("f", "max", ("x", "x"))],), edge=True),
        Case("a tie between computed nodes", ([
            ("x", "input", 3.0), ("y", "input", 3.0), ("a", "neg", ("x",)), ("b", "neg", ("y",)),
            ("m", "max", ("a", "b")), ("f", "mul", ("m", "m"))],), edge=True),
        Case("a chain of 300 nodes", (chain,), edge=True),
        Case("40 doublings of one node", (doubling,), edge=True),
    ]


def _graph_right(nodes):
    values, gradients = {}, {}
    for name, op, a in nodes:
        gradients[name] = 0.0
        if op == "input":
            values[name] = a
            continue
        v = [values[k] for k in a]
        if op == "add":
            values[name] = v[0] + v[1]
        elif op == "sub":
            values[name] = v[0] - v[1]
        elif op == "mul":
            values[name] = v[0] * v[1]
        elif op == "max":
            values[name] = max(v)
        elif op == "neg":
            values[name] = -v[0]
        else:
            values[name] = float(np.exp(v[0]))
    gradients[nodes[-1][0]] = 1.0
    for name, op, a in reversed(nodes):
        if op == "input":
            continue
        g, v = gradients[name], [values[k] for k in a]
        local = {
            "add": (1.0, 1.0), "sub": (1.0, -1.0), "mul": (v[-1], v[0]),
            "max": (float(v[0] >= v[-1]), float(v[0] < v[-1])),
            "neg": (-1.0,), "exp": (values[name],),
        }[op]
        for k, slope in zip(a, local, strict=True):
            gradients[k] += slope * g
    return values, gradients


GRAPH_BACKWARD = Task(
    id="graph_backward", points=4, minutes=35, difficulty=3,
    signature="graph_backward(nodes) -> (values, gradients)",
    visible=_graph_visible, hidden=_graph_hidden, oracle=_graph_oracle, budget=Budget(seconds=5.0),
    misconceptions=(
        Misconception("gradient-overwritten", variant(_graph_right, "+= slope * g", "= slope * g"),
                      "A node that is used twice gets a gradient along each use. What happens in your code to the "
                      "first one when the second arrives?"),
        Misconception("product-not-swapped", variant(_graph_right, "(v[-1], v[0])", "(v[0], v[-1])"),
                      "Look at mul: the derivative of a*b with respect to a is not a."),
        Misconception("sub-adds", variant(_graph_right, '"sub": (1.0, -1.0)', '"sub": (1.0, 1.0)'),
                      "Look at sub: raising its second argument lowers the result."),
        Misconception("exp-of-the-argument", variant(_graph_right, '"exp": (values[name],)', '"exp": (v[0],)'),
                      "Look at exp: its derivative is the value that the forward pass has just computed, not its "
                      "argument."),
        Misconception("max-to-both", variant(_graph_right, "(float(v[0] >= v[-1]), float(v[0] < v[-1]))", "(1.0, 1.0)"),
                      "max routes its gradient to the argument that won; the other one gets nothing."),
        Misconception("tie-to-both", variant(_graph_right, "float(v[0] < v[-1])", "float(v[0] <= v[-1])"),
                      "At a tie of max both arguments get the gradient in your code; by convention the first one "
                      "takes it."),
        Misconception("tie-to-second",
                      variant(_graph_right, "(float(v[0] >= v[-1]), float(v[0] < v[-1]))",
                              "(float(v[0] > v[-1]), float(v[0] <= v[-1]))"),
                      "At a tie of max the second argument gets the gradient in your code; by convention the first "
                      "takes it."),
        Misconception("inputs-only",
                      variant(_graph_right, "return values, gradients",
                              'return values, {name: gradients[name] for name, op, _ in nodes if op == "input"}'),
                      "Both dicts hold every node, the computed ones too: their gradients are what flows back."),
        Misconception("local-derivatives-only", variant(_graph_right, "+= slope * g", "+= slope"),
                      "These are the local derivatives. The chain rule multiplies each by the gradient that arrives "
                      "from above."),
    ),
)


# ------------------------------------------------------------------------------------------------- affine and ReLU


def _affine_arrays(rng, n, d, m):
    return rng.normal(size=(n, d)), rng.normal(size=(d, m)), rng.normal(size=m)


def _affine_oracle(x, w, b):
    return torch.nn.functional.linear(_double(x), _double(w).T, _double(b)).numpy()


def _affine_visible(rng):
    return [
        Case("3 examples, 4 inputs, 2 outputs", _affine_arrays(rng, 3, 4, 2)),
        Case("as many inputs as outputs", _affine_arrays(rng, 4, 3, 3)),
        Case("a batch of one", _affine_arrays(rng, 1, 3, 2), edge=True),
    ]


def _affine_hidden(rng):
    x, w, b = _affine_arrays(rng, 5, 6, 4)
    return [
        Case("5 examples, 2 inputs, 7 outputs", _affine_arrays(rng, 5, 2, 7)),
        Case("one output", _affine_arrays(rng, 6, 3, 1), edge=True),
        Case("one input", _affine_arrays(rng, 3, 1, 4), edge=True),
        Case("as many examples as outputs", _affine_arrays(rng, 4, 5, 4)),
        Case("float32 arrays", tuple(a.astype(np.float32) for a in (x, w, b)), edge=True),
        Case("views that are not contiguous", (x[:, ::2], w[::2].copy()[:, ::2], b[::2]), edge=True),
        Case("transposed views", (x.T.copy().T, w.T.copy().T, b), edge=True),
    ]


def _affine_right(x, w, b):
    out = x @ w
    return out + b


AFFINE_FORWARD = Task(
    id="affine_forward", points=1, minutes=5, difficulty=1,
    signature="affine_forward(x, w, b) -> out",
    visible=_affine_visible, hidden=_affine_hidden, oracle=_affine_oracle,
    misconceptions=(
        Misconception("no-bias", variant(_affine_right, "out + b", "out"), "The bias b has no effect on your result."),
        Misconception("bias-subtracted", variant(_affine_right, "out + b", "out - b"),
                      "The bias has the wrong sign."),
        Misconception("weights-reshaped", variant(_affine_right, "x @ w", "x @ w.T.reshape(w.shape)"),
                      "The weights are in another order. A reshape is not a transpose, and w needs neither: (N, D) "
                      "times (D, M)."),
        Misconception("mean-instead-of-sum", variant(_affine_right, "x @ w", "x @ w / x.shape[1]"),
                      "The product is divided by the number of inputs; a matrix product sums."),
        Misconception("bias-per-example", variant(_affine_right, "out + b", "out + np.resize(b, len(x))[:, None]"),
                      "b has one number for each output (column), not one for each example (row)."),
        Misconception("x-written", variant(_affine_right, "out = x @ w", "out = x @ w\n    x *= 1.5"),
                      "Your function changes x, which belongs to the caller."),
    ),
)


def _affine_backward_oracle(dout, x, w, b):
    leaves = [_double(a).requires_grad_() for a in (x, w, b)]
    out = torch.nn.functional.linear(leaves[0], leaves[1].T, leaves[2])
    return _numbers(*torch.autograd.grad(out, leaves, grad_outputs=_double(dout)))


def _affine_backward_case(rng, n, d, m):
    return rng.normal(size=(n, m)), *_affine_arrays(rng, n, d, m)


def _affine_backward_visible(rng):
    return [
        Case("3 examples, 4 inputs, 2 outputs", _affine_backward_case(rng, 3, 4, 2)),
        Case("as many examples as inputs and outputs", _affine_backward_case(rng, 3, 3, 3)),
        Case("a batch of one", _affine_backward_case(rng, 1, 3, 2), edge=True),
    ]


def _affine_backward_hidden(rng):
    dout, x, w, b = _affine_backward_case(rng, 4, 6, 6)
    return [
        Case("6 examples, 2 inputs, 5 outputs", _affine_backward_case(rng, 6, 2, 5)),
        Case("as many inputs as outputs", _affine_backward_case(rng, 5, 4, 4)),
        Case("one output", _affine_backward_case(rng, 4, 3, 1), edge=True),
        Case("one input", _affine_backward_case(rng, 4, 1, 3), edge=True),
        Case("float32 arrays", tuple(a.astype(np.float32) for a in (dout, x, w, b)), edge=True),
        Case("views that are not contiguous", (dout[:, ::2], x[:, ::2], w[::2, ::2], b[::2]), edge=True),
    ]


def _affine_backward_right(dout, x, w, b):
    dx = dout @ w.T
    dw = x.T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db


AFFINE_BACKWARD = Task(
    id="affine_backward", points=3, minutes=20, difficulty=2,
    signature="affine_backward(dout, x, w, b) -> (dx, dw, db)",
    visible=_affine_backward_visible, hidden=_affine_backward_hidden, oracle=_affine_backward_oracle,
    misconceptions=(
        Misconception("averaged-over-batch",
                      variant(variant(_affine_backward_right, "x.T @ dout", "x.T @ dout / len(x)"),
                              "dout.sum(axis=0)", "dout.mean(axis=0)"),
                      "dw and db are divided by the number of examples. If the loss is a mean, that 1/N is already "
                      "in dout."),
        Misconception("bias-not-summed", variant(_affine_backward_right, "dout.sum(axis=0)", "dout"),
                      "The same b serves every example, so its gradients add up: what is the shape of b?"),
        Misconception("bias-keeps-axis", variant(_affine_backward_right, "sum(axis=0)", "sum(axis=0, keepdims=True)"),
                      "db has the right numbers in the shape (1, M); a gradient has the shape of what it belongs to."),
        Misconception("bias-summed-over-outputs", variant(_affine_backward_right, "sum(axis=0)", "sum(axis=1)"),
                      "db is summed over the outputs. Sum over what shares the bias."),
        Misconception("order-swapped", variant(_affine_backward_right, "return dx, dw, db", "return dw, dx, db"),
                      "The gradients come in another order than (dx, dw, db)."),
        Misconception("weights-reshaped",
                      variant(_affine_backward_right, "dout @ w.T", "dout @ w.reshape(w.shape[::-1])"),
                      "A reshape is not a transpose: it changes which numbers meet."),
        Misconception("upstream-forgotten", variant(_affine_backward_right, "x.T @ dout", "x.T @ np.ones_like(dout)"),
                      "dw does not depend on dout in your code. The chain rule multiplies by what arrives from above."),
    ),
)


def _relu_oracle(dout, x):
    leaf = _double(x).requires_grad_()
    (gradient,) = torch.autograd.grad(torch.nn.functional.relu(leaf), leaf, grad_outputs=_double(dout))
    return gradient.numpy()


def _relu_visible(rng):
    return [
        Case("a matrix", (rng.normal(size=(3, 4)), rng.normal(size=(3, 4)))),
        Case("a vector", (rng.normal(size=6), np.array([-2.0, -0.5, 1e-6, 0.5, 2.0, -1e-6]))),
        Case("x holds zeros", (np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 1.0])), edge=True),
    ]


def _relu_hidden(rng):
    dout, x = rng.normal(size=(4, 6)), rng.normal(size=(4, 6))
    return [
        Case("an array of four axes", (rng.normal(size=(2, 3, 2, 2)), rng.normal(size=(2, 3, 2, 2)))),
        Case("large values", (10 * rng.normal(size=(5, 3)), 100 * rng.normal(size=(5, 3)))),
        Case("all of x is zero", (rng.normal(size=(2, 3)), np.zeros((2, 3))), edge=True),
        Case("all of x is negative", (rng.normal(size=(2, 3)), -1 - rng.random((2, 3))), edge=True),
        Case("float32 arrays", (dout.astype(np.float32), x.astype(np.float32)), edge=True),
        Case("views that are not contiguous", (dout[:, ::2], x[:, ::2]), edge=True),
    ]


def _relu_right(dout, x):
    return dout * (x > 0)


def _relu_in_place(dout, x):
    dout[x <= 0] = 0
    return dout


RELU_BACKWARD = Task(
    id="relu_backward", points=1, minutes=5, difficulty=1,
    signature="relu_backward(dout, x) -> dx",
    visible=_relu_visible, hidden=_relu_hidden, oracle=_relu_oracle,
    misconceptions=(
        Misconception("slope-one-at-zero", variant(_relu_right, "x > 0", "x >= 0"),
                      "Look at x = 0. The kink has no derivative; this course, like PyTorch, takes 0 there."),
        Misconception("mask-of-the-gradient", variant(_relu_right, "x > 0", "dout > 0"),
                      "The mask asks for the sign of the wrong array: what decided in the forward pass what went "
                      "through?"),
        Misconception("upstream-forgotten", variant(_relu_right, "dout * (x > 0)", "(x > 0) * 1.0"),
                      "This is the local slope. The chain rule multiplies it by what arrives from above."),
        Misconception("times-the-value", variant(_relu_right, "(x > 0)", "np.maximum(x, 0)"),
                      "dout is multiplied by the ReLU's value; multiply by its slope."),
        Misconception("dout-written", _relu_in_place,
                      "The numbers are right, but dout itself was overwritten: it belongs to the caller."),
    ),
)


# ------------------------------------------------------------------------------------------- softmax_cross_entropy


def _cross_entropy_oracle(logits, labels):
    leaf = _double(logits).requires_grad_()
    loss = torch.nn.functional.cross_entropy(leaf, torch.from_numpy(np.array(labels, dtype=np.int64)))
    (gradient,) = torch.autograd.grad(loss, leaf)
    return float(loss.detach()), gradient.numpy()


def _cross_entropy_visible(rng):
    return [
        Case("3 examples, 4 classes", (rng.normal(size=(3, 4)), np.array([0, 3, 1]))),
        Case("as many examples as classes", (2 * rng.normal(size=(3, 3)), np.array([2, 2, 0]))),
        Case("logits of a thousand", (np.array([[1000.0, 1001.0], [-1000.0, 0.0]]), np.array([0, 1])), edge=True),
    ]


def _cross_entropy_hidden(rng):
    logits = rng.normal(size=(4, 6))
    mixed = np.array([[800.0, 799.0, 0.0], [-800.0, -799.0, -801.0], [0.1, 0.2, 0.3]])
    return [
        Case("8 examples, 5 classes", (3 * rng.normal(size=(8, 5)), rng.integers(0, 5, 8))),
        Case("6 examples, 2 classes", (rng.normal(size=(6, 2)), rng.integers(0, 2, 6))),
        Case("5 examples of one class", (rng.normal(size=(5, 4)), np.full(5, 2))),
        Case("a batch of one", (rng.normal(size=(1, 3)), np.array([1])), edge=True),
        Case("one class only", (rng.normal(size=(3, 1)), np.zeros(3, dtype=int)), edge=True),
        Case("the right class is hopeless", (np.array([[0.0, 2000.0, -500.0]]), np.array([2])), edge=True),
        Case("rows of very different size", (mixed, np.array([0, 1, 2])), edge=True),
        Case("float32 logits", (logits.astype(np.float32), np.array([1, 0, 5, 2])), edge=True),
        Case("views that are not contiguous", (logits[:, ::2], np.array([2, 9, 0, 9, 1, 9, 0, 9])[::2]), edge=True),
        Case("labels of 8 bits", (rng.normal(size=(4, 3)), np.array([0, 2, 1, 1], dtype=np.uint8)), edge=True),
    ]


def _cross_entropy_right(logits, labels):
    n = len(logits)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[np.arange(n), labels].mean()
    dlogits = np.exp(log_p)
    dlogits[np.arange(n), labels] -= 1
    return loss, dlogits / n


SOFTMAX_CROSS_ENTROPY = Task(
    id="softmax_cross_entropy", points=4, minutes=30, difficulty=3,
    signature="softmax_cross_entropy(logits, labels) -> (loss, dlogits)",
    visible=_cross_entropy_visible, hidden=_cross_entropy_hidden, oracle=_cross_entropy_oracle,
    misconceptions=(
        Misconception("sum-not-mean",
                      variant(variant(_cross_entropy_right, ".mean()", ".sum()"), "dlogits / n", "dlogits"),
                      "Loss and gradient are N times too large: the loss is the mean over the batch."),
        Misconception("gradient-not-averaged", variant(_cross_entropy_right, "dlogits / n", "dlogits"),
                      "The loss is a mean over N examples, the gradient is not: where does the 1/N go?"),
        Misconception("no-shift",
                      variant(_cross_entropy_right, "logits - logits.max(axis=1, keepdims=True)", "logits * 1.0"),
                      "exp overflows for large logits. A softmax does not change when the same number is taken from "
                      "every logit of a row."),
        Misconception("shift-by-one-number",
                      variant(_cross_entropy_right, "logits.max(axis=1, keepdims=True)", "logits.max()"),
                      "One number is taken from the whole batch, so a row of much smaller logits underflows: each "
                      "row has its own maximum."),
        Misconception("log-of-zero",
                      variant(_cross_entropy_right,
                              "shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))",
                              "np.log(np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True))"),
                      "A hopeless class gets probability 0 and then its logarithm: work out log softmax without "
                      "passing through the probability."),
        Misconception("softmax-over-batch",
                      variant(variant(_cross_entropy_right, "logits.max(axis=1, keepdims=True)",
                                      "logits.max(axis=0, keepdims=True)"),
                              "np.exp(shifted).sum(axis=1, keepdims=True)",
                              "np.exp(shifted).sum(axis=0, keepdims=True)"),
                      "The softmax runs down the batch. Each row is one example: its probabilities sum to one."),
        Misconception("probabilities-as-gradient", variant(_cross_entropy_right, "labels] -= 1", "labels] -= 0"),
                      "dlogits holds the probabilities: something happens at the right class."),
        Misconception("diagonal-only",
                      variant(_cross_entropy_right, "return loss, dlogits / n",
                              "return loss, dlogits * (np.arange(logits.shape[1]) == np.asarray(labels)[:, None]) / n"),
                      "Only the right class has a gradient in your code. Every logit changes every probability."),
        Misconception("logits-written",
                      variant(_cross_entropy_right, "shifted = logits - logits.max(axis=1, keepdims=True)",
                              "logits -= logits.max(axis=1, keepdims=True)\n    shifted = logits"),
                      "The numbers are right, but logits itself was changed (-= works in place)."),
    ),
)


# --------------------------------------------------------------------------------------------- two_layer_gradients


def _two_layer_oracle(x, labels, w1, b1, w2, b2, weight_decay=0.0):
    leaves = [_double(a).requires_grad_() for a in (w1, b1, w2, b2)]
    hidden = torch.nn.functional.linear(_double(x), leaves[0].T, leaves[1]).relu()
    logits = torch.nn.functional.linear(hidden, leaves[2].T, leaves[3])
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(np.array(labels, dtype=np.int64)))
    loss = loss + weight_decay / 2 * (leaves[0].square().sum() + leaves[2].square().sum())
    gradients = _numbers(*torch.autograd.grad(loss, leaves))
    return float(loss.detach()), dict(zip(("w1", "b1", "w2", "b2"), gradients, strict=True))


def _two_layer_case(rng, n, d, h, k):
    return (
        rng.normal(size=(n, d)), rng.integers(0, k, n), rng.normal(size=(d, h)), rng.normal(size=h),
        rng.normal(size=(h, k)), rng.normal(size=k),
    )


def _two_layer_visible(rng):
    return [
        Case("5 examples, 4 inputs, 6 hidden, 3 classes", _two_layer_case(rng, 5, 4, 6, 3)),
        Case("with weight decay", _two_layer_case(rng, 4, 3, 5, 2), {"weight_decay": 0.3}),
        Case("a batch of one", _two_layer_case(rng, 1, 3, 4, 2), edge=True),
    ]


def _two_layer_hidden(rng):
    x, labels, w1, b1, w2, b2 = _two_layer_case(rng, 4, 6, 8, 3)
    dead = _two_layer_case(rng, 3, 2, 4, 3)
    dead[3][:] = -100.0
    kink = (np.array([[1.0, 1.0], [2.0, -1.0]]), np.array([0, 1]), np.array([[1.0, 0.5], [-1.0, 0.25]]), np.zeros(2),
            np.array([[0.3, -0.2], [0.1, 0.4]]), np.zeros(2))
    return [
        Case("as many of everything", _two_layer_case(rng, 4, 4, 4, 4)),
        Case("strong weight decay", _two_layer_case(rng, 6, 3, 4, 5), {"weight_decay": 2.0}),
        Case("weight decay as the seventh argument", (*_two_layer_case(rng, 5, 4, 3, 2), 0.1)),
        Case("large logits", (100 * x, labels, 5 * w1, b1, 5 * w2, b2), edge=True),
        Case("every hidden unit is off", dead, {"weight_decay": 0.5}, edge=True),
        Case("a hidden unit exactly at its kink", kink, edge=True),
        Case("float32 arrays", tuple(a if a is labels else a.astype(np.float32) for a in (x, labels, w1, b1, w2, b2)),
             edge=True),
        Case("views that are not contiguous", (x[:, ::2], labels, w1[::2, ::2], b1[::2], w2[::2], b2), edge=True),
    ]


def _two_layer_right(x, labels, w1, b1, w2, b2, weight_decay=0.0):
    n = len(x)
    before = x @ w1 + b1
    hidden = np.maximum(before, 0)
    logits = hidden @ w2 + b2
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[np.arange(n), labels].mean()
    loss = loss + weight_decay / 2 * ((w1**2).sum() + (w2**2).sum())
    dlogits = np.exp(log_p)
    dlogits[np.arange(n), labels] -= 1
    dlogits /= n
    dhidden = dlogits @ w2.T
    dbefore = dhidden * (before > 0)
    grads = {
        "w1": x.T @ dbefore + weight_decay * w1,
        "b1": dbefore.sum(axis=0),
        "w2": hidden.T @ dlogits + weight_decay * w2,
        "b2": dlogits.sum(axis=0),
    }
    return loss, grads


TWO_LAYER_GRADIENTS = Task(
    id="two_layer_gradients", points=4, minutes=40, difficulty=4,
    signature="two_layer_gradients(x, labels, w1, b1, w2, b2, weight_decay=0.0) -> (loss, grads)",
    visible=_two_layer_visible, hidden=_two_layer_hidden, oracle=_two_layer_oracle,
    misconceptions=(
        Misconception("no-relu-mask", variant(_two_layer_right, "dhidden * (before > 0)", "dhidden"),
                      "The gradient passes through the ReLU as if it were not there: units that were off must stop "
                      "it."),
        Misconception("decay-in-loss-only",
                      variant(variant(_two_layer_right, "dbefore + weight_decay * w1", "dbefore"),
                              "dlogits + weight_decay * w2", "dlogits"),
                      "The weight decay is in the loss, but not in its gradient."),
        Misconception("decay-in-gradient-only",
                      variant(_two_layer_right, "+ weight_decay / 2 * ((w1**2).sum() + (w2**2).sum())", "+ 0"),
                      "The weight decay is in the gradient, but not in the loss."),
        Misconception("decay-doubled",
                      variant(variant(_two_layer_right, "dbefore + weight_decay * w1",
                                      "dbefore + 2 * weight_decay * w1"),
                              "dlogits + weight_decay * w2", "dlogits + 2 * weight_decay * w2"),
                      "The decay's gradient is twice too large: the loss has a factor 1/2 so that the 2 of the "
                      "square cancels."),
        Misconception("decay-on-biases",
                      variant(variant(_two_layer_right, "dbefore.sum(axis=0)",
                                      "dbefore.sum(axis=0) + weight_decay * b1"),
                              "dlogits.sum(axis=0)", "dlogits.sum(axis=0) + weight_decay * b2"),
                      "The biases are decayed too; the penalty is on the weights only."),
        Misconception("not-averaged", variant(_two_layer_right, "    dlogits /= n\n", ""),
                      "The loss is a mean over the batch; the 1/N is missing from the gradient."),
        Misconception("relu-skipped-in-w2",
                      variant(_two_layer_right, "hidden.T @ dlogits", "before.T @ dlogits"),
                      "The gradient of w2 multiplies what the second layer received in the forward pass: that is the "
                      "output of the ReLU."),
        Misconception("kink-passes", variant(_two_layer_right, "before > 0", "before >= 0"),
                      "A hidden unit exactly at 0 lets the gradient through in your code; the slope there is 0."),
    ),
)


# ------------------------------------------------------------------------------------------------ train_classifier

HELD_OUT = 360  # digits kept back
REQUIRED_ACCURACY = 0.93


def _digits():
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(2718).permutation(len(images))
    return images[order] / 16.0, labels[order]


def _ring(rng, n):
    """Two classes that no line separates: inside and outside of a circle."""
    x = rng.uniform(-1.5, 1.5, size=(n, 2))
    return x, (np.sum(x**2, axis=1) > 1.0).astype(np.int64)


def _train_oracle(x, labels, hidden_units, epochs, learning_rate, batch_size, seed):
    # not the weights (any initialization will do), but what they have to be good at: examples that were held out
    if len(x) == 1:
        held_out = x, labels
    elif x.shape[1] == 2:
        held_out = _ring(np.random.default_rng(31), 500)
    else:
        images, digits = _digits()
        held_out = images[-HELD_OUT:], digits[-HELD_OUT:]
    return {"x": held_out[0], "labels": held_out[1]}


def _train_visible(rng):
    images, digits = _digits()
    # 1437 digits: no batch size divides that, so the last batch of every epoch is smaller
    return [Case("digits", (images[:-HELD_OUT], digits[:-HELD_OUT], 48, 12, 0.5, 32, 0))]


_SORTED = "digits in the order of their class"


def _train_hidden(rng):
    images, digits = _digits()
    x, labels = images[:-HELD_OUT], digits[:-HELD_OUT]
    by_class = np.argsort(labels, kind="stable")
    return [
        Case("digits, another seed", (x, labels, 96, 12, 0.5, 32, int(rng.integers(1, 1000)))),
        Case(_SORTED, (x[by_class], labels[by_class], 96, 12, 0.4, 32, 3)),
        Case("two classes, inside and outside of a circle",
             (*_ring(np.random.default_rng(13), 600), 24, 40, 0.5, 32, 1)),
        Case("a single example of ten classes", (images[:1], np.array([9]), 16, 20, 0.5, 8, 6), edge=True),
        Case("a batch size larger than the data",
             (*_ring(np.random.default_rng(14), 400), 32, 200, 1.0, 1000, 4), edge=True),
    ]


def accuracy(x: np.ndarray, labels: np.ndarray, w1, b1, w2, b2) -> float:
    """Share of examples that the network affine, ReLU, affine gives to their class."""
    return float(np.mean(np.argmax(np.maximum(x @ w1 + b1, 0) @ w2 + b2, axis=1) == labels))


def _weights(case: Case, value) -> tuple[np.ndarray, ...] | str:
    """The four arrays of a returned network, or what is wrong with them."""
    x, labels, hidden_units = case.arguments[:3]
    if not isinstance(value, (tuple, list)) or len(value) != 4:
        return f"the result should be (w1, b1, w2, b2), not {describe(value)}"
    classes = int(labels.max()) + 1
    shapes = {"w1": (x.shape[1], hidden_units), "b1": (hidden_units,), "w2": (hidden_units, classes), "b2": (classes,)}
    for (name, shape), array in zip(shapes.items(), value, strict=True):
        if not isinstance(array, np.ndarray) or array.dtype != np.float64:
            return f"{name} should be a float64 array, not {describe(array)}"
        if array.shape != shape:
            return f"{name} should have the shape {shape}, not {array.shape}"
    return tuple(value)


def _compare_network(case: Case, expected, got) -> Problem | None:
    weights = _weights(case, got)
    if isinstance(weights, str):
        return Problem(weights, weights)
    if not all(np.all(np.isfinite(array)) for array in weights):
        return Problem("the weights hold nan or inf: the training diverged", "the weights hold nan or inf")
    with np.errstate(all="ignore"):
        reached = accuracy(expected["x"], expected["labels"], *weights)
    if reached >= REQUIRED_ACCURACY:
        return None
    text = f"{reached:.1%} of the held-out examples are right; {REQUIRED_ACCURACY:.0%} are asked for"
    return Problem(text, text)


def _train_right(x, labels, hidden_units, epochs, learning_rate, batch_size, seed):
    rng = np.random.default_rng(seed)
    classes = int(labels.max()) + 1
    w1 = rng.normal(size=(x.shape[1], hidden_units)) * np.sqrt(2 / x.shape[1])
    b1 = np.zeros(hidden_units)
    w2 = rng.normal(size=(hidden_units, classes)) * np.sqrt(2 / hidden_units)
    b2 = np.zeros(classes)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch_size):
            batch = order[start:start + batch_size]
            before = x[batch] @ w1 + b1
            hidden = np.maximum(before, 0)
            logits = hidden @ w2 + b2
            p = np.exp(logits - logits.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            p[np.arange(len(batch)), labels[batch]] -= 1
            p /= len(batch)
            back = (p @ w2.T) * (before > 0)
            w1 = w1 - learning_rate * (x[batch].T @ back)
            b1 = b1 - learning_rate * back.sum(axis=0)
            w2 = w2 - learning_rate * (hidden.T @ p)
            b2 = b2 - learning_rate * p.sum(axis=0)
    return w1, b1, w2, b2


def _identical_units(case: Case, value) -> bool:
    weights = _weights(case, value)
    return not isinstance(weights, str) and bool(np.allclose(weights[0], weights[0][:, :1]))


def _diverged(case: Case, value) -> bool:
    weights = _weights(case, value)
    if isinstance(weights, str):
        return False
    return not all(np.all(np.isfinite(w)) for w in weights) or max(float(np.abs(w).max()) for w in weights) > 1e3


def _full_batch_exists(case: Case) -> bool:
    x, batch_size = case.arguments[0], case.arguments[5]
    return len(x) >= batch_size


def _biases_untouched(case: Case, value) -> bool:
    weights = _weights(case, value)
    if isinstance(weights, str) or weights[1].any() or weights[3].any() or _identical_units(case, value):
        return False
    return _full_batch_exists(case) and accuracy(*case.arguments[:2], *weights) < 0.6


def _never_in_a_batch(case: Case, value) -> bool:
    weights = _weights(case, value)
    if isinstance(weights, str) or _full_batch_exists(case) or weights[1].any() or weights[3].any():
        return False
    return accuracy(*case.arguments[:2], *weights) < 0.5  # else only the biases were left alone


def _remembers_the_last_classes(case: Case, value) -> bool:
    """Whether the answers of a network that saw the classes in order lean to the ones that it saw last."""
    weights = _weights(case, value)
    if isinstance(weights, str) or case.name != _SORTED or not all(np.all(np.isfinite(w)) for w in weights):
        return False
    x, labels = case.arguments[:2]
    answers = np.argmax(np.maximum(x @ weights[0] + weights[1], 0) @ weights[2] + weights[3], axis=1)
    return bool(np.mean(answers >= 8) > 2 * np.mean(labels >= 8))


def _transposed(case: Case, value) -> bool:
    if not isinstance(value, (tuple, list)) or len(value) != 4:
        return False
    x, _, hidden_units = case.arguments[:3]
    return getattr(value[0], "shape", None) == (hidden_units, x.shape[1])


TRAIN_CLASSIFIER = Task(
    id="train_classifier", points=5, minutes=40, difficulty=4,
    signature="train_classifier(x, labels, hidden_units, epochs, learning_rate, batch_size, seed) -> (w1, b1, w2, b2)",
    visible=_train_visible, hidden=_train_hidden, oracle=_train_oracle, compare=_compare_network,
    budget=Budget(seconds=60.0),
    misconceptions=(
        Misconception("identical-units",
                      variant(variant(_train_right, "rng.normal(size=(x.shape[1], hidden_units))",
                                      "np.ones((x.shape[1], hidden_units))"),
                              "rng.normal(size=(hidden_units, classes))", "np.ones((hidden_units, classes))"),
                      "All hidden units have the same weights: they started equal, so they get equal gradients for "
                      "ever.",
                      matches=_identical_units),
        Misconception("gradient-ascent",
                      variant(variant(variant(variant(
                          _train_right, "w1 - learning", "w1 + learning"), "b1 - learning", "b1 + learning"),
                          "w2 - learning", "w2 + learning"), "b2 - learning", "b2 + learning"),
                      "The weights grew beyond all bounds. Does each step go down the gradient, or up?",
                      matches=_diverged),
        Misconception("never-updated", variant(_train_right, "in range(epochs)", "in range(0)"),
                      "The network answers like a freshly initialized one. Are the updated weights kept, in every "
                      "batch of every epoch?", matches=_biases_untouched),
        Misconception("not-shuffled", variant(_train_right, "rng.permutation(len(x))", "np.arange(len(x))"),
                      "Where the examples come in the order of their class, your network answers with the classes "
                      "that it saw last. Draw a new order in every epoch.", matches=_remembers_the_last_classes),
        Misconception("last-batch-dropped", variant(_train_right, "range(0, len(x), batch_size)",
                                                    "range(0, len(x) - batch_size + 1, batch_size)"),
                      "With a batch size larger than the number of examples nothing is learned: a last batch that is "
                      "not full counts too.", matches=_never_in_a_batch),
        Misconception("weights-transposed", variant(_train_right, "return w1, b1, w2, b2", "return w1.T, b1, w2.T, b2"),
                      "The weights come back transposed: w1 is (inputs, hidden units).", matches=_transposed),
    ),
)


TASKS = (
    NUMERICAL_GRADIENT, GRAPH_BACKWARD, AFFINE_FORWARD, AFFINE_BACKWARD, RELU_BACKWARD, SOFTMAX_CROSS_ENTROPY,
    TWO_LAYER_GRADIENTS, TRAIN_CLASSIFIER,
)
