"""A third coordinate as a live figure: the class for notebooks. The figure itself is feature_lift.js."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .figure import Figure, labeled_points

PRESETS = ("rings", "xor", "moons")
FEATURES = ("none", "square", "product", "bump", "every")
_SIDE, _MOST = 2, 40


class FeatureLift(Figure):
    """Lift points of two classes out of the plane by a feature, so that a plane can divide what no line can.

    The classifier is logistic regression on ``(x1, x2, phi)``, at the minimum of the mean loss plus 0.0005 times the
    sum of the squared weights (the bias does not decay). With "every" its inputs are one bump on each point instead,
    ``exp(-|x - x_i|^2 / 2 s^2)``, and the height drawn is the score. Disks are class +1, triangles class -1.

    Args:
        preset: "rings", "xor" or "moons": 24 points, and 100 fresh ones drawn in the same way to test on.
        points: rows ``[x1, x2, label]`` in place of a preset, 2 to 40 of them, coordinates from -2 to 2, labels 1
            and -1, both of them there. There are no fresh points then.
        feature: the third coordinate: "none" (0), "square" (x1^2 + x2^2), "product" (x1 x2), "bump" (one bump) or
            "every" (a bump on every point).
        center: the center ``(x1, x2)`` of the one bump, from -2 to 2.
        width: the width s of a bump, 0.05 to 2.
        turn: how far the view is turned, in degrees from -180 to 180.
        tilt: how far it is tilted: 0 from the side, 90 from above.
        fresh: whether the fresh points are shown.

    Raises:
        ValueError: if an argument is out of its range.

    Attributes:
        state: all arguments by name, as the reader left them; ``preset`` is None where ``points`` were given.

    Source: Cover (1965), Geometrical and statistical properties of systems of linear inequalities; Aizerman, Braverman
        and Rozonoer (1964), Theoretical foundations of the potential function method (the bumps).

    Chapter: Learning from data (feature-map-and-rbf-kernel)
    """

    module = "feature_lift"

    def __init__(
        self,
        *,
        preset: str | None = None,
        points: Sequence[Sequence[float]] | None = None,
        feature: str | None = None,
        center: Sequence[float] | None = None,
        width: float | None = None,
        turn: float | None = None,
        tilt: float | None = None,
        fresh: bool | None = None,
    ):
        if preset not in (None, *PRESETS):
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")
        if feature not in (None, *FEATURES):
            raise ValueError(f"feature must be one of {', '.join(FEATURES)}, got {feature!r}")
        for name, value, low, high in (("width", width, 0.05, 2), ("turn", turn, -180, 180), ("tilt", tilt, 0, 90)):
            if value is not None and (isinstance(value, bool) or not low <= value <= high):
                raise ValueError(f"{name} must be from {low} to {high}, got {value!r}")
        if fresh not in (None, True, False):
            raise ValueError(f"fresh must be True or False, got {fresh!r}")
        if center is not None:
            center = [float(x) for x in center]
            if len(center) != 2 or not all(abs(x) <= _SIDE for x in center):
                raise ValueError(f"center must be two numbers from -{_SIDE} to {_SIDE}, got {center}")
        if points is not None:
            if preset is not None:
                raise ValueError("give preset or points, not both")
            points = labeled_points(points, _SIDE, _MOST)
            if len({label for *_, label in points}) < 2:
                raise ValueError("the labels of points, in the third column, must be 1 and -1, both of them there")
        super().__init__(preset=preset, points=points, feature=feature, center=center, width=width, turn=turn,
                         tilt=tilt, fresh=fresh)

    @property
    def points(self) -> np.ndarray:
        """The points where the reader left them, (n, 2)."""
        return np.array(self.read("points"), dtype=float)[:, :2]

    @property
    def labels(self) -> np.ndarray:
        """Their labels, (n,): 1 for a disk, -1 for a triangle."""
        return np.array(self.read("points"))[:, 2].astype(int)

    @property
    def center(self) -> np.ndarray:
        """The center of the one bump, (2,)."""
        return np.array(self.read("center"), dtype=float)
