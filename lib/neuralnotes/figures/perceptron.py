"""The perceptron as a live figure: the class for notebooks. The figure itself is perceptron.js."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .figure import Figure, labeled_points

PRESETS = ("separable", "close", "xor")
_SIDE, _MOST = 3, 24


class Perceptron(Figure):
    """Drag points of two classes, step through the mistakes, and see each update and Novikoff's bound.

    Labels are +1 and -1. A point is a mistake when ``y (w.x + b) <= 0``, and then ``(w, b) <- (w, b) + y (x, 1)``: the
    bias is a third weight, of a constant input 1, and the learning rate is 1. A run starts at 0 and takes the mistakes
    in cyclic order.

    Args:
        preset: "separable", "close" (separable with a small margin, so that the bound is large) or "xor" (no line
            separates the points).
        points: rows ``[x1, x2, label]`` in place of a preset, 2 to 24 of them, coordinates from -3 to 3.
        mistakes: how many mistakes have been made when the figure opens, 0 to 1000.

    Raises:
        ValueError: if an argument is out of its range.

    Attributes:
        state: ``points`` (rows of x1, x2 and label), ``mistakes`` (how many were made since w = 0), and, where the
            weights are not those of a run over these points, ``weights`` (w1, w2, b).

    Source: Rosenblatt (1958), The perceptron; Novikoff (1962), On convergence proofs on perceptrons.

    Chapter: The perceptron (perceptron-learning-rule)
    """

    module = "perceptron"

    def __init__(
        self,
        *,
        preset: str | None = None,
        points: Sequence[Sequence[float]] | None = None,
        mistakes: int | None = None,
    ):
        if preset not in (None, *PRESETS):
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")
        if mistakes is not None and (type(mistakes) is not int or not 0 <= mistakes <= 1000):
            raise ValueError(f"mistakes must be a whole number from 0 to 1000, got {mistakes!r}")
        if points is not None:
            if preset is not None:
                raise ValueError("give preset or points, not both")
            points = labeled_points(points, _SIDE, _MOST)
        super().__init__(preset=preset, points=points, mistakes=mistakes)

    @property
    def points(self) -> np.ndarray:
        """The points where the reader left them, (n, 2)."""
        return np.array(self.read("points"), dtype=float)[:, :2]

    @property
    def labels(self) -> np.ndarray:
        """Their labels, (n,): 1 or -1."""
        return np.array(self.read("points"))[:, 2].astype(int)
