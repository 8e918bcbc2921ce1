"""A network that learns in the plane, as a live figure: the class for notebooks. Figure: network_playground.js."""

from __future__ import annotations

import base64
import math

import numpy as np

from .figure import Figure

DATA = ("spirals", "moons", "circles", "xor", "blobs")
ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")
OPTIMIZERS = ("adamw", "sgd")
_CHOICES = {"data": DATA, "activation": ACTIVATIONS, "optimizer": OPTIMIZERS}
_WHOLE = {"points": (6, 400), "layers": (0, 4), "width": (1, 16), "batch": (1, 400), "seed": (0, 999)}
_WHOLE["epochs"] = (0, 1000)
_REAL = {"noise": (0, 0.8), "rate": (0, 10), "dropout": (0, 0.8), "decay": (0, 10)}


class NetworkPlayground(Figure):
    """A small network learns classes in the plane, with the losses on training and test points as it goes.

    The output is a softmax over the classes, the loss the mean cross entropy. AdamW shrinks each weight by ``rate *
    decay`` and takes an Adam step; SGD has momentum 0.9, and ``decay`` times the weight joins the gradient. Biases do
    not decay. Dropout zeroes hidden units and scales the others by ``1 / (1 - dropout)``, in training only.

    Args:
        data: one of `DATA`; in the manner of the functions of `neuralnotes.data`, with other random numbers.
        noise: standard deviation of the normal noise added to each coordinate, 0 to 0.8; the plane is 5.2 wide.
        points: number of training points, 6 to 400; there are 150 test points.
        layers: number of hidden layers, 0 to 4.
        width: units in each hidden layer, 1 to 16.
        activation: of the hidden layers, one of `ACTIVATIONS`.
        optimizer: one of `OPTIMIZERS`.
        rate: learning rate, 0 to 10.
        batch: size of a minibatch, 1 to 400.
        dropout: share of the hidden units that is dropped, 0 to 0.8.
        decay: weight decay, 0 to 10.
        seed: of the weights, the order of the points and the dropout, 0 to 999.
        epochs: how many epochs have been trained when the figure opens, 0 to 1000.
        more: whether the box with more settings is open.

    Raises:
        ValueError: if an argument is out of its range.

    Attributes:
        state: the settings above as the reader left them (without epochs and more); ``epoch``; ``probe``, the place
            asked about; and after training ``weights`` (float32 in base64), ``losses`` (one byte each on a logarithmic
            axis) and ``stride`` (epochs between two of them).

    Chapter: Multi-layer networks (network-capacity)
    """

    module = "network_playground"

    def __init__(
        self,
        *,
        data: str | None = None,
        noise: float | None = None,
        points: int | None = None,
        layers: int | None = None,
        width: int | None = None,
        activation: str | None = None,
        optimizer: str | None = None,
        rate: float | None = None,
        batch: int | None = None,
        dropout: float | None = None,
        decay: float | None = None,
        seed: int | None = None,
        epochs: int | None = None,
        more: bool | None = None,
    ):
        props = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        for name, allowed in _CHOICES.items():
            if props[name] not in (None, *allowed):
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {props[name]!r}")
        for name, (low, high) in _WHOLE.items():
            value = props[name]
            if value is not None and (type(value) is not int or not low <= value <= high):
                raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value!r}")
        for name, (low, high) in _REAL.items():
            value = props[name]
            number = type(value) in (int, float) and math.isfinite(value)
            if value is not None and not (number and low <= value <= high):
                raise ValueError(f"{name} must be a number from {low} to {high}, got {value!r}")
        if type(more) not in (type(None), bool):
            raise ValueError(f"more must be true or false, got {more!r}")
        super().__init__(**props)

    @property
    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weights (outputs, inputs) and biases (outputs,) of each layer, as float32; none before the first epoch."""
        state = self.state
        if not state.get("epoch"):
            return []
        text = state["weights"]
        theta = np.frombuffer(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), dtype="<f4")
        classes = 3 if state["data"] in ("spirals", "blobs") else 2
        sizes = [2, *[state["width"]] * state["layers"], classes]
        found = []
        for inputs, outputs in zip(sizes, sizes[1:], strict=False):
            w, b, theta = np.split(theta, [inputs * outputs, inputs * outputs + outputs])
            found.append((w.reshape(outputs, inputs), b))
        return found
