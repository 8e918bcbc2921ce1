"""The arithmetic of a convolution as a live figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .figure import Figure

FILTERS = ("identity", "mean", "sobel-vertical", "sobel-horizontal", "sharpen", "laplacian")
_RANGES = {"size": (4, 10), "kernel": (1, 5), "stride": (1, 4), "padding": (0, 3), "dilation": (1, 3)}


class ConvolutionArithmetic(Figure):
    """Drag a kernel over a padded input; in a second view, edit a kernel and see what it does to a photograph.

    In a chapter this is the directive ``{figure-live} convolution_arithmetic`` with the same props.

    Args:
        mode: "grid" (sizes on a grid) or "photo" (kernels on a photograph): the view it opens in.
        size: rows and columns of the input, 4 to 10.
        kernel: rows and columns of the kernel, 1 to 5.
        stride: 1 to 4.
        padding: rings of zeros around the input, 0 to 3.
        dilation: distance between the input cells that neighbors in the kernel read, 1 to 3.
        flip: flip the kernel: a true convolution in place of the cross-correlation.
        image: the numbers of the input, (size, size); gives `size` too.
        weights: the numbers of the kernel on the grid, (kernel, kernel); gives `kernel` too.
        filter: the kernel that the photograph opens with, one of `FILTERS`.

    Raises:
        ValueError: if an argument is out of its range, or the kernel does not fit into the padded input.

    Attributes:
        state: mode, flip, size, kernel, stride, padding, dilation; at: row and column of the output cell that the
            window makes; seen: a 1 for every output cell that is filled in, else 0; filter: the nine weights on the
            photograph; spot: row and column of the result where the photograph is looked at.

    Chapter: Convolutional networks
    """

    module = "convolution_arithmetic"

    def __init__(
        self,
        *,
        mode: str | None = None,
        size: int | None = None,
        kernel: int | None = None,
        stride: int | None = None,
        padding: int | None = None,
        dilation: int | None = None,
        flip: bool | None = None,
        image: Sequence[Sequence[float]] | None = None,
        weights: Sequence[Sequence[float]] | None = None,
        filter: str | None = None,
    ):
        if mode not in (None, "grid", "photo"):
            raise ValueError(f"mode must be 'grid' or 'photo', got {mode!r}")
        if filter not in (None, *FILTERS):
            raise ValueError(f"filter must be one of {', '.join(FILTERS)}, got {filter!r}")
        if flip not in (None, True, False):
            raise ValueError(f"flip must be true or false, got {flip!r}")
        for name, given, matrix in (("size", size, image), ("kernel", kernel, weights)):
            if matrix is not None and given is not None and given != len(matrix):
                raise ValueError(f"{name} is {given}, but the numbers given have {len(matrix)} rows: leave {name} out")
        image, weights = _square("image", image), _square("weights", weights)
        numbers = {
            "size": size if image is None else len(image),
            "kernel": kernel if weights is None else len(weights),
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
        }
        for name, value in numbers.items():
            low, high = _RANGES[name]
            if value is not None and (isinstance(value, bool) or value not in range(low, high + 1)):
                raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value!r}")
        opened = {"size": 7, "kernel": 3, "padding": 1, "dilation": 1}
        opened.update({name: value for name, value in numbers.items() if value is not None})
        reach = opened["dilation"] * (opened["kernel"] - 1) + 1
        if reach > opened["size"] + 2 * opened["padding"]:
            raise ValueError(f"the kernel reaches over {reach} cells, but the padded input has fewer")
        super().__init__(mode=mode, **numbers, flip=flip, image=image, weights=weights, filter=filter)

    @property
    def filter_weights(self) -> np.ndarray:
        """The kernel on the photograph as it stands now, (3, 3)."""
        return np.array(self.read("filter"), dtype=float).reshape(3, 3)


def _square(name: str, matrix: Sequence[Sequence[float]] | None) -> list[list[float]] | None:
    if matrix is None:
        return None
    rows = [[float(x) for x in row] for row in matrix]
    if any(len(row) != len(rows) for row in rows) or not all(math.isfinite(x) for row in rows for x in row):
        raise ValueError(f"{name} must be a square of finite numbers, got rows of {[len(row) for row in rows]} numbers")
    return [[int(x) if x.is_integer() else x for x in row] for row in rows]
