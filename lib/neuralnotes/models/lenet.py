"""LeNet-5, the network that read checks in the 1990s: two convolutions, two poolings, three dense layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu}
_POOLINGS = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}


class LeNet5(nn.Module):
    """LeNet-5 for images of 28 by 28 pixels, 61,706 parameters with ten classes.

    ============  ===============  ==============  ==========
    layer         output           made by         parameters
    ============  ===============  ==============  ==========
    images        (N, 1, 28, 28)
    conv1         (N, 6, 28, 28)   5x5, padding 2         156
    pool          (N, 6, 14, 14)   2x2, stride 2
    conv2         (N, 16, 10, 10)  5x5                  2,416
    pool          (N, 16, 5, 5)    2x2, stride 2
    flatten       (N, 400)
    dense1        (N, 120)                             48,120
    dense2        (N, 84)                              10,164
    dense3        (N, classes)     logits                 850
    ============  ===============  ==============  ==========

    The activation follows each convolution and the first two dense layers. ``LeNet5()`` has the activation and the
    pooling of 1998, ``LeNet5(activation="relu", pooling="max")`` those in use today. The network of 1998 differs in
    details: its averages are scaled and shifted by trained numbers, a map of its second convolution sees only some of
    the six maps, and its classes are compared with fixed pictures of the characters instead of a softmax; it has 60,000
    trained parameters.

    Args:
        classes: Number of classes.
        activation: ``"tanh"`` or ``"relu"``.
        pooling: ``"average"`` or ``"max"``.

    Raises:
        ValueError: If there is no such activation or pooling, or less than one class.

    Source: LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document recognition.

    Chapter: Convolutional networks (lenet5-82-errors)
    """

    def __init__(self, classes: int = 10, activation: str = "tanh", pooling: str = "average") -> None:
        super().__init__()
        if activation not in _ACTIVATIONS or pooling not in _POOLINGS:
            raise ValueError(
                f"activation must be one of {', '.join(_ACTIVATIONS)}, pooling one of {', '.join(_POOLINGS)}; "
                f"got {activation!r} and {pooling!r}"
            )
        if classes < 1:
            raise ValueError(f"classes must be at least 1, got {classes}")
        self.activation = _ACTIVATIONS[activation]
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)  # the images of 1998 came with this frame: 32 by 32
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.pool = _POOLINGS[pooling](2)
        self.dense1 = nn.Linear(16 * 5 * 5, 120)
        self.dense2 = nn.Linear(120, 84)
        self.dense3 = nn.Linear(84, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (N, classes) of images (N, 1, 28, 28).

        Raises:
            ValueError: If the images have another shape: the dense layers fix the size of what they flatten.
        """
        if x.dim() != 4 or x.shape[1:] != (1, 28, 28):
            raise ValueError(f"expected images (N, 1, 28, 28), got {tuple(x.shape)}")
        x = self.pool(self.activation(self.conv1(x)))  # (N, 6, 14, 14)
        x = self.pool(self.activation(self.conv2(x)))  # (N, 16, 5, 5)
        x = self.activation(self.dense1(x.flatten(1)))  # (N, 120)
        x = self.activation(self.dense2(x))  # (N, 84)
        return self.dense3(x)  # (N, classes)
