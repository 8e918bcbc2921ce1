"""The optimizer race: the class for notebooks. The figure itself is optimizer_race.js."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .figure import Figure

METHODS = ("SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam")
BOUNDS = {  # of x and of y, on the map of each surface
    "ravine": ((-4, 4), (-2, 2)),
    "saddle": ((-2.5, 2.5), (-1.8, 1.8)),
    "rosenbrock": ((-2, 2), (-1, 3)),
}


class OptimizerRace(Figure):
    """Six optimizers from one start on one surface: their paths on the map, their losses against the step.

    The formulas are those of `neuralnotes.optimizers`, with the same default constants. The reader drags the start,
    sets the one learning rate, and leaves methods out.

    Args:
        surface: "ravine", ``(x**2 + condition * y**2) / 2``; "saddle", ``x**2/2 - y**2/2 + y**4/4 + 1/4``; or
            "rosenbrock", ``0.1 * (1 - x)**2 + (y - x**2)**2``. Default: the ravine.
        condition: condition number of the ravine, at least 1. Default: 20.
        rate: learning rate of all methods, positive. Default: what suits the surface.
        start: x and y of the start, on the map.
        methods: names among SGD, Momentum, Nesterov, AdaGrad, RMSprop and Adam. Default: all.
        noise: whether normal noise of standard deviation 0.5 is added to each component of each gradient.

    Raises:
        ValueError: an argument is not as described.

    Attributes:
        state: the arguments as the reader has changed them, and ``step``, from 0 to 200.

    Chapter: Optimizers
    """

    module = "optimizer_race"

    def __init__(self, *, surface: str | None = None, condition: float | None = None, rate: float | None = None,
                 start: Sequence[float] | None = None, methods: Sequence[str] | None = None, noise: bool | None = None):
        if surface is not None and surface not in BOUNDS:
            raise ValueError(f"surface must be one of {', '.join(BOUNDS)}, got {surface!r}")
        for name, value, least in (("condition", condition, 1), ("rate", rate, 0)):
            if value is not None and not (_is_number(value) and value >= least and value > 0):
                raise ValueError(f"{name} must be {'at least 1' if least else 'positive'}, got {value!r}")
        if start is not None:
            bounds = BOUNDS[surface or "ravine"]
            if len(start) != 2 or not all(_is_number(x) and low <= x <= high
                                          for x, (low, high) in zip(start, bounds, strict=True)):
                raise ValueError(f"start must be [x, y] on the map, {bounds}, got {start!r}")
            start = list(start)
        if methods is not None:
            if isinstance(methods, str) or not set(methods) <= set(METHODS):
                raise ValueError(f"methods must be a list of names among {', '.join(METHODS)}, got {methods!r}")
            methods = list(methods)
        if noise is not None and not isinstance(noise, bool):
            raise ValueError(f"noise must be True or False, got {noise!r}")
        super().__init__(surface=surface, condition=condition, rate=rate, start=start, methods=methods, noise=noise)

    @property
    def start(self) -> np.ndarray:
        """Where the reader has put the start, (2,)."""
        return np.array(self.read("start"), dtype=float)


def _is_number(x) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x)
