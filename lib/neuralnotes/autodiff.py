"""Reverse-mode automatic differentiation on arrays.

A `Value` holds an array, remembers the operation and the parents that made it, and knows how to turn a gradient with
respect to itself into gradients with respect to its parents. `Value.backward` visits the nodes once, last to first.
Torch tensors are the storage (so device and dtype follow the inputs); torch's own autograd is not used.

Source: Rumelhart, Hinton and Williams (1986); Baydin et al. (2018), "Automatic differentiation in machine learning".
Chapter: Backpropagation and automatic differentiation (autodiff-engine)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

__all__ = ["Value", "gradient_error", "graph", "maximum", "softmax_cross_entropy", "topological_order"]


class Value:
    """A node of the computational graph: an array, its gradient, and how it was computed.

    Arithmetic (`+ - * / ** @`) and the methods below build the graph; shapes broadcast as in NumPy.

    Args:
        data: floating-point tensor of any shape (stored, not copied), or a number, list or NumPy array (copied;
            integers become float64).
        name: shown by `repr` and `graph`.

    Attributes:
        data: tensor with the value.
        grad: tensor of the same shape, or None before a `backward` has reached the node.
        op: name of the operation; "input" for a leaf.
        parents: the Values it was computed from; empty for a leaf.
        local_backward: maps the gradient of the node to one gradient for each parent.

    Raises:
        TypeError: `data` is an integer, boolean or complex tensor.

    Chapter: Backpropagation and automatic differentiation (autodiff-engine)
    """

    __array_ufunc__ = None  # NumPy array * Value: let Value.__rmul__ answer

    def __init__(self, data, name: str = "", *, op: str = "input", parents: tuple[Value, ...] = (),
                 local_backward: Callable[[torch.Tensor], tuple[torch.Tensor, ...]] | None = None):
        if not isinstance(data, torch.Tensor):
            data = torch.from_numpy(np.array(data, order="C"))
            data = data if data.is_floating_point() else data.to(torch.float64)
        if not data.is_floating_point():
            raise TypeError(f"Value needs floating-point data, not {data.dtype}: convert it with .double() or .float()")
        self.data = data.detach()
        self.grad: torch.Tensor | None = None
        self.name, self.op, self.parents, self.local_backward = name, op, parents, local_backward

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.data.shape)

    def __repr__(self) -> str:
        label = f"{self.name}: " if self.name else ""
        if self.data.numel() != 1:
            return f"Value({label}{self.op}, shape={self.shape})"
        grad = "None" if self.grad is None else f"{self.grad.item():.6g}"
        return f"Value({label}{self.op}, data={self.data.item():.6g}, grad={grad})"

    def backward(self, gradient=None) -> None:
        """Set `grad` of every node that this one depends on.

        Leaves add to the gradient they already have (set `leaf.grad = None` to start afresh); nodes in between start
        from nothing at each call, so that a second call never counts a path twice.

        Args:
            gradient: gradient with respect to this node, of its shape; 1 when left out, which needs a single number.

        Raises:
            ValueError: the node holds several numbers and no `gradient` is given, or its shape is another.
        """
        if gradient is None and self.data.numel() != 1:
            raise ValueError(f"backward starts from a single number, and this Value has shape {self.shape}: "
                             "reduce it with .sum() or .mean(), or pass the gradient of the loss with respect to it")
        seed = torch.ones_like(self.data) if gradient is None else _as_value(gradient, self).data
        if seed.shape != self.data.shape:
            raise ValueError(f"backward: gradient of shape {tuple(seed.shape)} for a Value of shape {self.shape}")
        order = topological_order(self)
        for node in order:
            if node.parents:
                node.grad = None
        _accumulate(self, seed)
        for node in reversed(order):
            shares = node.local_backward(node.grad) if node.parents else ()
            for parent, share in zip(node.parents, shares, strict=True):
                _accumulate(parent, share)

    # Arithmetic. Each operation is its value and, for each parent, upstream gradient g times local derivative.

    def __add__(self, other):
        a, b = _pair("add", self, other)
        return _node("add", a.data + b.data, (a, b), lambda g: (g, g))

    def __sub__(self, other):
        a, b = _pair("sub", self, other)
        return _node("sub", a.data - b.data, (a, b), lambda g: (g, -g))

    def __mul__(self, other):
        a, b = _pair("mul", self, other)
        return _node("mul", a.data * b.data, (a, b),
                     lambda g: (g * b.data, g * a.data))

    def __truediv__(self, other):
        a, b = _pair("div", self, other)
        return _node("div", a.data / b.data, (a, b), lambda g: (g / b.data, -g * a.data / b.data**2))

    def __neg__(self):
        return _node("neg", -self.data, (self,), lambda g: (-g,))

    def __pow__(self, exponent: float):
        if not isinstance(exponent, (int, float)):
            raise TypeError(f"pow: the exponent must be a plain number, not {type(exponent).__name__}; "
                            "write a ** b as (a.log() * b).exp()")
        slope = (lambda x: exponent * x ** (exponent - 1)) if exponent else torch.zeros_like
        return _node(f"pow{exponent:g}", self.data**exponent, (self,), lambda g: (g * slope(self.data),))

    def __matmul__(self, other):
        a, b = _as_value(self, other), _as_value(other, self)
        if min(a.data.ndim, b.data.ndim) < 2 or a.shape[-1] != b.shape[-2]:
            raise ValueError(f"matmul: shapes {a.shape} and {b.shape} do not fit: it needs (..., n, k) and "
                             "(..., k, m); reshape a vector to one row or one column")
        return _node("matmul", a.data @ b.data, (a, b), lambda g: (g @ b.data.mT, a.data.mT @ g))

    def __radd__(self, other):
        return _as_value(other, self) + self

    def __rsub__(self, other):
        return _as_value(other, self) - self

    def __rmul__(self, other):
        return _as_value(other, self) * self

    def __rtruediv__(self, other):
        return _as_value(other, self) / self

    def __rmatmul__(self, other):
        return _as_value(other, self) @ self

    # Element by element

    def exp(self) -> Value:
        y = self.data.exp()
        return _node("exp", y, (self,), lambda g: (g * y,))

    def log(self) -> Value:
        return _node("log", self.data.log(), (self,), lambda g: (g / self.data,))

    def tanh(self) -> Value:
        y = self.data.tanh()
        return _node("tanh", y, (self,), lambda g: (g * (1 - y**2),))

    def sigmoid(self) -> Value:
        y = self.data.sigmoid()
        return _node("sigmoid", y, (self,), lambda g: (g * y * (1 - y),))

    def relu(self) -> Value:
        """max(x, 0), with slope 0 at 0."""
        return _node("relu", self.data.clamp(min=0), (self,), lambda g: (g * (self.data > 0),))

    # Reductions and shape

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Value:
        axes = tuple(range(self.data.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        kept = self.data.sum(axes, keepdim=True) if axes else self.data
        value = kept if keepdims or not axes else self.data.sum(axes)
        return _node("sum", value, (self,), lambda g: (g.reshape(kept.shape).expand(self.shape),))

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Value:
        total = self.sum(axis, keepdims)
        return total / (self.data.numel() // total.data.numel())

    def reshape(self, *shape: int) -> Value:
        return _node("reshape", self.data.reshape(*shape), (self,), lambda g: (g.reshape(self.shape),))

    @property
    def T(self) -> Value:
        """The last two axes exchanged."""
        return _node("transpose", self.data.mT, (self,), lambda g: (g.mT,))

    def __getitem__(self, index) -> Value:
        """Any NumPy-style index; an element that is picked several times collects all of its gradients."""
        def scatter(g):
            positions = torch.arange(self.data.numel(), device=self.data.device).reshape(self.shape)[index]
            flat = torch.zeros_like(self.data).flatten()
            return (flat.index_add(0, positions.flatten(), g.flatten()).reshape(self.shape),)
        return _node("index", self.data[index], (self,), scatter)


def maximum(a: Value | float, b: Value | float) -> Value:
    """Larger of two, element by element; the gradient goes to the larger one, and to the first in a tie.

    Args:
        a: a Value of any shape, or a number or array if `b` is a Value.
        b: likewise; the shapes broadcast.

    Returns:
        Value of the broadcast shape.

    Raises:
        TypeError: neither of them is a Value.
        ValueError: the shapes do not broadcast.

    Chapter: Backpropagation and automatic differentiation (graph-max-sum-product)
    """
    a, b = _pair("max", a, b)
    first = a.data >= b.data
    return _node("max", torch.where(first, a.data, b.data), (a, b), lambda g: (g * first, g * ~first))


def softmax_cross_entropy(logits: Value, labels) -> Value:
    """Mean of -log softmax(logits)[label] over the batch, as one node; right for huge logits.

    Args:
        logits: (N, C).
        labels: integers from 0 to C - 1, (N,).

    Returns:
        Value of shape (); its gradient with respect to the logits is (softmax - one_hot) / N.

    Raises:
        ValueError: the shapes do not fit, or a label is not an integer from 0 to C - 1.

    Chapter: Backpropagation and automatic differentiation (sigmoid-derivative-fused-node)
    """
    labels = torch.as_tensor(labels, device=logits.data.device)
    if logits.data.ndim != 2 or labels.shape != logits.shape[:1] or labels.is_floating_point():
        raise ValueError(f"softmax_cross_entropy: needs logits (N, C) and N integer labels, not shapes {logits.shape} "
                         f"and {tuple(labels.shape)} with labels of type {labels.dtype}")
    rows, labels = torch.arange(len(labels), device=labels.device), labels.long()
    if len(labels) == 0 or labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(f"softmax_cross_entropy: needs at least one label, each from 0 to {logits.shape[1] - 1}")
    log_probabilities = logits.data.log_softmax(1)  # (N, C)

    def local_backward(g):
        slope = log_probabilities.exp()
        slope[rows, labels] -= 1
        return (g * slope / len(labels),)
    return _node("softmax_cross_entropy", -log_probabilities[rows, labels].mean(), (logits,), local_backward)


def topological_order(root: Value) -> list[Value]:
    """Every node that a Value depends on, each after all of its parents, without recursion.

    Args:
        root: the last node.

    Returns:
        The nodes; `root` is the last.

    Chapter: Backpropagation and automatic differentiation (computational-graph)
    """
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        node, parents_done = stack.pop()
        if parents_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(node.parents))
    return order


def graph(value: Value) -> tuple[list[tuple], dict, dict]:
    """The graph behind a Value, ready for `neuralnotes.plots.computational_graph`.

    Args:
        value: the last node.

    Returns:
        Three things. The nodes, a list of (name, op, arguments) in topological order, where the arguments are the
        names of the parents, or the number (the tensor) itself for an input; a node without a name is called v1, v2,
        ... by its place in the order. The values, a dict from name to float (tensor). The gradients, likewise; empty
        before `backward`.

    Raises:
        ValueError: two different nodes have the same name.

    Chapter: Backpropagation and automatic differentiation (autodiff-engine)
    """
    order = topological_order(value)
    names = {node: node.name or f"v{position}" for position, node in enumerate(order, start=1)}
    if len(set(names.values())) < len(order):
        twice = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
        raise ValueError(f"graph: the names {twice} are used by more than one node; give each node its own")
    plain = {node: _plain(node.data) for node in order}
    nodes = [(names[node], node.op, tuple(names[parent] for parent in node.parents) if node.parents else plain[node])
             for node in order]
    values = {names[node]: plain[node] for node in order}
    return nodes, values, {names[node]: _plain(node.grad) for node in order if node.grad is not None}


def gradient_error(f: Callable[..., Value], *inputs: torch.Tensor, h: float = 1e-5) -> float:
    """How far `backward` is from central differences, over every element of every input.

    Args:
        f: maps one Value for each input to a Value that holds a single number.
        inputs: float64 tensors of any shape.
        h: step of the central difference.

    Returns:
        The largest difference between the two over the largest gradient of the same input; the worst input counts, and
        NaN is worse than any number.

    Raises:
        TypeError: an input is not a float64 tensor (a difference in float32 is mostly rounding).

    Chapter: Backpropagation and automatic differentiation (four-ways-to-differentiate)
    """
    if any(not isinstance(x, torch.Tensor) or x.dtype != torch.float64 for x in inputs):
        raise TypeError("gradient_error needs float64 tensors: convert them with .double()")
    leaves, errors = [Value(x.clone()) for x in inputs], [0.0]
    f(*leaves).backward()
    for leaf in leaves:
        analytic = torch.zeros_like(leaf.data) if leaf.grad is None else leaf.grad
        numerical = torch.zeros_like(leaf.data)
        for index in np.ndindex(leaf.shape):
            center = leaf.data[index].item()
            leaf.data[index] = center + h
            above = f(*leaves).data.item()
            leaf.data[index] = center - h
            numerical[index] = (above - f(*leaves).data.item()) / (2 * h)
            leaf.data[index] = center
        if leaf.data.numel():
            scale = torch.stack([analytic, numerical]).abs().max()
            errors.append(((analytic - numerical).abs().max() / scale).item() if scale != 0 else 0.0)
    return float(np.max(errors))


def _node(op: str, data: torch.Tensor, parents: tuple[Value, ...], local_backward) -> Value:
    return Value(data, op=op, parents=parents, local_backward=local_backward)


def _as_value(x, like: Value) -> Value:
    """Turn a constant into a leaf with the dtype and device of its partner."""
    return x if isinstance(x, Value) else Value(Value(x).data.to(like.data))


def _pair(op: str, a, b) -> tuple[Value, Value]:
    if not isinstance(a, Value) and not isinstance(b, Value):
        raise TypeError(f"{op}: at least one of the two must be a Value, not {type(a).__name__} and {type(b).__name__}")
    a, b = _as_value(a, b), _as_value(b, a)
    try:
        torch.broadcast_shapes(a.shape, b.shape)
    except RuntimeError:
        raise ValueError(f"{op}: shapes {a.shape} and {b.shape} do not broadcast") from None
    return a, b


def _accumulate(node: Value, share: torch.Tensor) -> None:
    """Add to a gradient, summed over the axes that broadcasting stretched."""
    new = share.ndim - node.data.ndim  # axes that broadcasting put in front
    stretched = [new + i for i, size in enumerate(node.shape)
                 if size == 1 and share.shape[new + i] != 1]
    if new or stretched:
        share = share.sum([*range(new), *stretched]).reshape(node.shape)
    share = share.to(node.data.dtype)
    node.grad = share.clone() if node.grad is None else node.grad + share


def _plain(tensor: torch.Tensor):
    return tensor.item() + 0.0 if tensor.numel() == 1 else tensor  # + 0.0 turns -0.0 into 0.0
