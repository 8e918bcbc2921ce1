"""Linear regression as a live figure: the class for notebooks. The figure itself is linear_regression.js."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .figure import Figure

CASES = ("all", "one")
_SIDE = 5


class LinearRegression(Figure):
    """A line through points, and the same line as a point in the bowl of its loss.

    The loss is ``L = (1/2N) sum (w x + b - y)**2``. The reader drags the points, the line, or its place in the bowl,
    and takes steps of gradient descent on all cases, or of the delta rule on one case in turn:
    ``w += rate (y - w x - b) x`` and ``b += rate (y - w x - b)``.

    Args:
        points: 5 to 12 rows ``[x, y]``, coordinates from 0 to 5. Default: eight points along a rising line.
        centered: whether x counts from its mean, so that the line is ``w (x - mean) + b``. Default: False.
        rate: learning rate, above 0 and at most 2. Default: 0.18.
        cases: "all" for steps on all cases, "one" for the delta rule. Default: "all".
        start: ``[slope, height at x = 0]`` of the first line, each from -10 to 10. Default: ``[-0.6, 3]``.
        steps: how many steps have been taken when the figure opens, 0 to 2000. Default: 12.
        squares: whether the squares on the residuals are drawn. Default: False.

    Raises:
        ValueError: an argument is not as described.

    Attributes:
        state: the arguments as the reader has changed them; ``moves``, rows ``[kind, rate, count]`` of what was done
            since the start, where kind is "all", "one" or "solve" (the least-squares line); and ``line``, the present
            line as slope and height at x = 0.

    Chapter: Linear models (quadratic-error-bowl)
    """

    module = "linear_regression"

    def __init__(
        self,
        *,
        points: Sequence[Sequence[float]] | None = None,
        centered: bool | None = None,
        rate: float | None = None,
        cases: str | None = None,
        start: Sequence[float] | None = None,
        steps: int | None = None,
        squares: bool | None = None,
    ):
        if points is not None:
            rows = np.array(points, dtype=float)
            if rows.ndim != 2 or rows.shape[1] != 2 or not 5 <= len(rows) <= 12:
                raise ValueError(f"points must be 5 to 12 rows [x, y], got the shape {rows.shape}")
            if not ((rows >= 0) & (rows <= _SIDE)).all():
                raise ValueError(f"the coordinates of points must be between 0 and {_SIDE}")
            points = rows.tolist()
        for name, value in (("centered", centered), ("squares", squares)):
            if value is not None and not isinstance(value, bool):
                raise ValueError(f"{name} must be True or False, got {value!r}")
        if rate is not None and not (_is_number(rate) and 0 < rate <= 2):
            raise ValueError(f"rate must be above 0 and at most 2, got {rate!r}")
        if cases not in (None, *CASES):
            raise ValueError(f"cases must be one of {', '.join(CASES)}, got {cases!r}")
        if start is not None:
            if len(start) != 2 or not all(_is_number(x) and abs(x) <= 10 for x in start):
                raise ValueError(f"start must be [slope, height at x = 0], each from -10 to 10, got {start!r}")
            start = list(start)
        if steps is not None and (type(steps) is not int or not 0 <= steps <= 2000):
            raise ValueError(f"steps must be a whole number from 0 to 2000, got {steps!r}")
        super().__init__(points=points, centered=centered, rate=rate, cases=cases, start=start, steps=steps,
                         squares=squares)

    @property
    def points(self) -> np.ndarray:
        """The points where the reader left them, (N, 2)."""
        return np.array(self.read("points"), dtype=float)

    @property
    def line(self) -> np.ndarray:
        """The line where the reader left it: slope and height at x = 0, (2,)."""
        return np.array(self.read("line"), dtype=float)


def _is_number(x) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x)
