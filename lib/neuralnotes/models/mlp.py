"""The multi-layer perceptron: dense layers with an activation between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from neuralnotes import activations
from neuralnotes.layers import affine_forward

_ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "softplus")


def _check_sizes(sizes: Sequence[int]) -> None:
    if len(sizes) < 2 or any(type(size) is not int or size < 1 for size in sizes):
        raise ValueError(f"sizes must be two or more positive whole numbers, inputs first, got {list(sizes)}")


def parameter_count(sizes: Sequence[int]) -> int:
    """Number of weights and biases of a multi-layer perceptron.

    A layer of M units on D inputs has D M weights and M biases.

    Args:
        sizes: Inputs, units of each hidden layer, outputs.

    Returns:
        The count.

    Raises:
        ValueError: If there are fewer than two sizes or one is not a positive whole number.

    Source: Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors.

    Chapter: Multi-layer networks (params-26-and-41)

    >>> parameter_count([3, 4, 2]), parameter_count([5, 7, 7, 7, 7, 4])
    (26, 242)
    """
    _check_sizes(sizes)
    return sum((d + 1) * m for d, m in zip(sizes[:-1], sizes[1:], strict=True))


def mlp_parameters(
    sizes: Sequence[int],
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> list[tuple[Tensor, Tensor]]:
    """Random weights and zero biases to start from.

    The weights of a layer with D inputs are normal with variance 1 / D, so that each unit starts with a pre-activation
    of about the size of its inputs.

    Args:
        sizes: Inputs, units of each hidden layer, outputs.
        seed: Of the generator; the numbers do not depend on the device.
        dtype: Of the parameters.
        device: Of the parameters.

    Returns:
        For each layer ``w`` (D, M) and ``b`` (M,).

    Raises:
        ValueError: If there are fewer than two sizes or one is not a positive whole number.

    Source: LeCun, Bottou, Orr and Müller (1998), Efficient BackProp.

    Chapter: Multi-layer networks (mlp-layer-equation)
    """
    _check_sizes(sizes)
    generator = torch.Generator().manual_seed(seed)
    parameters = []
    for d, m in zip(sizes[:-1], sizes[1:], strict=True):
        w = torch.randn(d, m, generator=generator, dtype=dtype) / d**0.5
        parameters.append((w.to(device), torch.zeros(m, dtype=dtype, device=device)))
    return parameters


def mlp_forward(
    x: Tensor, parameters: Sequence[tuple[Tensor, Tensor]], activation: Callable[[Tensor], Tensor] = torch.tanh
) -> list[Tensor]:
    """Outputs of every layer, the network's output last.

    The activation follows every layer but the last.

    Args:
        x: Inputs, (N, D).
        parameters: For each layer ``w`` (D, M) and ``b`` (M,), each layer as wide as the next one expects.
        activation: Applied entry by entry.

    Returns:
        One tensor (N, M) per layer.

    Raises:
        ValueError: If there is no layer or the shapes do not fit.

    Source: Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors.

    Chapter: Multi-layer networks (mlp-layer-equation)
    """
    if not parameters:
        raise ValueError("a network has at least one layer")
    outputs = []
    for number, (w, b) in enumerate(parameters, start=1):
        x = affine_forward(x, w, b)  # (N, M)
        if number < len(parameters):
            x = activation(x)
        outputs.append(x)
    return outputs


class MLP(nn.Module):
    """Multi-layer perceptron: dense layers, the activation after each but the last.

    The weights start as :func:`mlp_parameters` says; a ReLU network starts with twice the variance, because ReLU
    halves the mean square.

    Args:
        sizes: Inputs, units of each hidden layer, outputs.
        activation: Name of a function of :mod:`neuralnotes.activations` that works entry by entry, such as ``"relu"``.
        seed: Of the starting weights; ``None`` draws from PyTorch's own generator.

    Raises:
        ValueError: If the sizes are not right or there is no such activation.

    Source: Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors.

    Chapter: Multi-layer networks (mlp-layer-equation)

    >>> sum(p.numel() for p in MLP([3, 4, 4, 1]).parameters())
    41
    """

    def __init__(self, sizes: Sequence[int], activation: str = "relu", seed: int | None = None) -> None:
        super().__init__()
        if activation not in _ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(_ACTIVATIONS)}, got {activation!r}")
        self.activation = getattr(activations, activation)
        gain = 2**0.5 if activation == "relu" else 1.0
        seed = torch.randint(2**62, ()).item() if seed is None else seed
        start = mlp_parameters(sizes, seed, dtype=torch.get_default_dtype())
        self.weights = nn.ParameterList([gain * w for w, _ in start])
        self.biases = nn.ParameterList([b for _, b in start])

    def layers(self, x: Tensor) -> list[Tensor]:
        """Return the outputs of every layer for inputs (N, D), as :func:`mlp_forward` does."""
        return mlp_forward(x, list(zip(self.weights, self.biases, strict=True)), self.activation)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs (N, K) of inputs (N, D).

        Raises:
            ValueError: If the inputs have another width.
        """
        return self.layers(x)[-1]
