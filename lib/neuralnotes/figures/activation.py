"""Activation functions as a live figure: the class for notebooks. The figure itself is activation.js."""

from __future__ import annotations

import math

from .figure import Figure

FUNCTIONS = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "softplus")
_RANGES = {"x": (-5, 5), "weight": (-4, 4)}


class Activation(Figure):
    """Move along an activation function and see its slope, and the product of the slopes through ten layers.

    The ten layers have one unit each: ``a_1 = x``, ``h_l = f(a_l)`` and ``a_{l+1} = weight * h_l``. The figure shows
    the factor of each layer in the derivative of ``h_10`` with respect to ``x``, and the product of the factors so far.

    Args:
        name: the function, named as in `neuralnotes.activations`; one of `FUNCTIONS`.
        x: input of the first layer, from -5 to 5.
        weight: the weight between two layers, from -4 to 4.

    Raises:
        ValueError: if an argument is out of its range.

    Attributes:
        state: ``name``, ``x`` and ``weight`` as the reader left them.

    Chapter: Activations, initialization and normalization
    """

    module = "activation"

    def __init__(self, *, name: str | None = None, x: float | None = None, weight: float | None = None):
        if name not in (None, *FUNCTIONS):
            raise ValueError(f"name must be one of {', '.join(FUNCTIONS)}, got {name!r}")
        for key, value in (("x", x), ("weight", weight)):
            low, high = _RANGES[key]
            number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
            if value is not None and not (number and low <= value <= high):
                raise ValueError(f"{key} must be a number from {low} to {high}, got {value!r}")
        super().__init__(name=name, x=x, weight=weight)
