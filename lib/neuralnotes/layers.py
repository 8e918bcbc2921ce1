"""Fully connected layers and a two-layer network, with their backward passes written by hand.

``name_forward(x, ...)`` computes a layer's output. ``name_backward(dout, x, ...)`` takes the gradient ``dout`` of the
loss with respect to that output and returns the gradients with respect to the layer's inputs, each with the shape of
what it is the gradient of. Results have the device and the dtype of the arguments. No argument is written to.
"""

from __future__ import annotations

from torch import Tensor

from neuralnotes.activations import relu, relu_backward
from neuralnotes.losses import softmax_cross_entropy, softmax_cross_entropy_gradient


def _check_affine(x: Tensor, w: Tensor, b: Tensor) -> None:
    if x.dim() != 2 or w.dim() != 2 or b.dim() != 1 or x.shape[1] != w.shape[0] or b.shape[0] != w.shape[1]:
        raise ValueError(
            f"expected x (N, D), w (D, M) and b (M,), got x {tuple(x.shape)}, w {tuple(w.shape)} and b {tuple(b.shape)}"
        )


def affine_forward(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Affine layer ``x w + b``, one example per row.

    Args:
        x: Inputs, (N, D).
        w: Weights, (D, M); column m holds the weights of unit m.
        b: Biases, (M,).

    Returns:
        Outputs, (N, M).

    Raises:
        ValueError: If the shapes do not fit.

    Source: Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors.

    Chapter: Backpropagation and automatic differentiation (backprop-vjp-divide-conquer)
    """
    _check_affine(x, w, b)
    return x @ w + b  # (N, M)


def affine_backward(dout: Tensor, x: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Backward pass of :func:`affine_forward`.

    Args:
        dout: Gradient with respect to the output, (N, M).
        x: Inputs, (N, D).
        w: Weights, (D, M).
        b: Biases, (M,).

    Returns:
        ``dx`` (N, D), ``dw`` (D, M) and ``db`` (M,).

    Raises:
        ValueError: If the shapes do not fit.

    Source: Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors.

    Chapter: Backpropagation and automatic differentiation (backprop-vjp-divide-conquer)
    """
    _check_affine(x, w, b)
    if dout.shape != (len(x), len(b)):
        raise ValueError(f"dout must have the shape of the output, {(len(x), len(b))}, got {tuple(dout.shape)}")
    dx = dout @ w.T  # (N, D)
    dw = x.T @ dout  # (D, M), summed over the batch
    db = dout.sum(dim=0)  # (M,), the bias is added to every row
    return dx, dw, db


def two_layer_forward(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    """Logits of a network with one hidden layer: affine, ReLU, affine.

    Args:
        x: Inputs, (N, D).
        w1: Weights of the hidden layer, (D, H).
        b1: Biases of the hidden layer, (H,).
        w2: Weights of the output layer, (H, K).
        b2: Biases of the output layer, (K,).

    Returns:
        Logits, (N, K).

    Raises:
        ValueError: If the shapes do not fit.

    Source: Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors.

    Chapter: Backpropagation and automatic differentiation (backprop-delta-equations)
    """
    return affine_forward(relu(affine_forward(x, w1, b1)), w2, b2)  # (N, K)


def two_layer_gradients(
    x: Tensor, labels: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, weight_decay: float = 0.0
) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss of the two-layer classifier and its gradient with respect to every parameter.

    The loss is the mean softmax cross-entropy plus ``weight_decay / 2`` times the sum of the squared weights; the
    biases do not decay.

    Args:
        x: Inputs, (N, D).
        labels: Index of the right class of each row, integers, (N,).
        w1: Weights of the hidden layer, (D, H).
        b1: Biases of the hidden layer, (H,).
        w2: Weights of the output layer, (H, K).
        b2: Biases of the output layer, (K,).
        weight_decay: Strength of the penalty.

    Returns:
        The loss, 0-dimensional, and a dict with the gradients ``w1``, ``b1``, ``w2`` and ``b2``, each with the shape
        of its parameter.

    Raises:
        ValueError: If the shapes do not fit, the batch is empty, or a label is not an integer in 0 ... K-1.

    Source: Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors.

    Chapter: Backpropagation and automatic differentiation (backprop-delta-equations)
    """
    z1 = affine_forward(x, w1, b1)  # (N, H)
    a1 = relu(z1)  # (N, H)
    z2 = affine_forward(a1, w2, b2)  # (N, K)
    loss = softmax_cross_entropy(z2, labels) + weight_decay / 2 * ((w1**2).sum() + (w2**2).sum())  # ()

    dz2 = softmax_cross_entropy_gradient(z2, labels)  # (N, K)
    da1, dw2, db2 = affine_backward(dz2, a1, w2, b2)  # (N, H), (H, K), (K,)
    dz1 = relu_backward(da1, z1)  # (N, H)
    _, dw1, db1 = affine_backward(dz1, x, w1, b1)  # _, (D, H), (H,)
    return loss, {"w1": dw1 + weight_decay * w1, "b1": db1, "w2": dw2 + weight_decay * w2, "b2": db2}
