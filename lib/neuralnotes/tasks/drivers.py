"""Drivers: how to exercise a function that is not a plain call on arrays.

A driver is called as ``driver(function, *arguments)`` in the process that holds the student's function, and returns
plain values. It holds no reference output: this module imports NumPy and the standard library only, because the
student's process loads it too.
"""

from __future__ import annotations

import numpy as np


def differentiate(function, kind: str, x: np.ndarray, coefficients: np.ndarray, h: float | None = None):
    """Hand ``function`` a scalar function of an array to differentiate.

    Args:
        function: ``numerical_gradient(f, x, h=1e-5)``.
        kind: Which function of x: ``quadratic``, ``cubic`` or ``sine``, the sum of coefficients times x**2, x**3 or
            sin x; ``wave``, the sine of the sum of coefficients times x, whose slopes depend on all elements.
        x: Where to differentiate.
        coefficients: One for each element of x.
        h: Step; left to the function's default when None.
    """
    powers = {"quadratic": lambda v: v**2, "cubic": lambda v: v**3, "sine": np.sin}

    def f(v):
        if not isinstance(v, np.ndarray) or v.shape != x.shape:
            got = getattr(v, "shape", type(v).__name__)
            raise TypeError(f"f was called with {got}; it takes an array of x's shape")
        if kind == "wave":
            return float(np.sin(np.sum(coefficients * v)))
        return float(np.sum(coefficients * powers[kind](v)))

    return function(f, x) if h is None else function(f, x, h=h)


def tensors(function, *arguments, **keywords):
    """Hand ``function`` its arrays as PyTorch tensors, and give its results back as arrays.

    The tensors share the arrays' memory, so that what is written to them is noticed.
    """
    import torch

    def exchanged(value, kind: type, exchange):
        if isinstance(value, kind):
            return exchange(value)
        if isinstance(value, (tuple, list)):
            return type(value)(exchanged(item, kind, exchange) for item in value)
        if isinstance(value, dict):
            return {key: exchanged(item, kind, exchange) for key, item in value.items()}
        return value

    arguments, keywords = exchanged((arguments, keywords), np.ndarray, torch.from_numpy)
    return exchanged(function(*arguments, **keywords), torch.Tensor, lambda tensor: tensor.detach().numpy())


def with_activation(function, *arguments, **keywords):
    """Hand ``function`` an activation function in the place of its name, the one string among the arguments."""
    functions = {
        "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0), "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "square": np.square, "cosine": np.cos,
    }

    def exchanged(value):
        return functions[value] if isinstance(value, str) else value

    return function(*map(exchanged, arguments), **{name: exchanged(value) for name, value in keywords.items()})
