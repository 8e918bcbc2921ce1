"""The receptive field of a stack of layers as a live figure."""

from __future__ import annotations

from collections.abc import Sequence

from .figure import Figure

PRESETS = ("two-3x3", "one-5x5", "five-3x3", "one-11x11", "pooling", "strides", "lenet-5")


class ReceptiveField(Figure):
    """Stack convolution and pooling layers, drag over their cells, and see which pixels a cell depends on.

    In a chapter this is the directive ``{figure-live} receptive_field`` with the same props.

    Args:
        preset: the stack that the figure opens with, one of `PRESETS`.
        layers: the stack itself in place of a preset: kind ("conv" or "pool"), kernel (1 to 11) and stride (1 to 3)
            of 1 to 6 layers, the first layer first.

    Raises:
        ValueError: if there is no such preset, or a layer is not of this form.

    Attributes:
        state: layers: as above; at: layer (0 is the image) and index of the chosen cell.

    Chapter: Convolutional networks
    """

    module = "receptive_field"

    def __init__(self, *, preset: str | None = None, layers: Sequence[tuple[str, int, int]] | None = None):
        if preset not in (None, *PRESETS):
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")
        if layers is not None:
            if preset is not None:
                raise ValueError("give a preset or layers, not both")
            if not 1 <= len(layers) <= 6:
                raise ValueError(f"there must be 1 to 6 layers, got {len(layers)}")
            layers = [_layer(layer) for layer in layers]
        super().__init__(preset=preset, layers=layers)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Kernel and stride of each layer as it stands now: what `neuralnotes.convolution.receptive_field` takes."""
        return [(kernel, stride) for _, kernel, stride in self.read("layers")]


def _layer(layer: Sequence) -> list:
    if len(layer) != 3 or layer[0] not in ("conv", "pool"):
        raise ValueError(f"a layer is ('conv' or 'pool', kernel, stride), got {layer!r}")
    for name, value, most in (("kernel", layer[1], 11), ("stride", layer[2], 3)):
        if isinstance(value, bool) or value not in range(1, most + 1):
            raise ValueError(f"the {name} of a layer must be a whole number from 1 to {most}, got {value!r}")
    return list(layer)
