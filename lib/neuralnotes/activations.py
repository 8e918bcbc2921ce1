"""Activation functions and their derivatives, written by hand.

One scheme throughout: ``name(x)`` is the function and ``name_backward(dout, x)`` its backward pass, where ``dout`` is
the gradient of the loss with respect to the output and the result is the gradient with respect to ``x``. A function
that acts on each element multiplies ``dout`` by its slope there. Softmax mixes the elements along one axis, so its
backward multiplies by a Jacobian without ever storing it.

Results have the device and the dtype of ``x``. No argument is written to.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def identity(x: Tensor) -> Tensor:
    """The activation of a linear unit: ``x`` itself.

    Args:
        x: Pre-activations, any shape.

    Returns:
        The same tensor, not a copy.

    Source: Widrow and Hoff (1960), Adaptive switching circuits.

    Chapter: Linear models (linear-regression)
    """
    return x


def identity_backward(dout: Tensor, x: Tensor) -> Tensor:
    """Backward pass of :func:`identity`: the slope is 1 everywhere.

    Args:
        dout: Gradient with respect to the output, the shape of ``x``.
        x: Pre-activations, any shape.

    Returns:
        Gradient with respect to ``x``: ``dout`` itself, not a copy.

    Source: Widrow and Hoff (1960), Adaptive switching circuits.

    Chapter: Linear models (linear-regression)
    """
    return dout


def heaviside(x: Tensor) -> Tensor:
    """Unit step: 1 for ``x >= 0``, else 0. Its slope is 0 wherever there is one, so that no gradient passes.

    Args:
        x: Pre-activations, any shape.

    Returns:
        Activations 0 or 1 with the dtype of ``x``, the shape of ``x``. Not-a-number stays not-a-number.

    Source: McCulloch and Pitts (1943), A logical calculus of the ideas immanent in nervous activity.

    Chapter: The perceptron (threshold-activations)
    """
    # The comparisons cover every number; what is left over is NaN and comes out as it is.
    return torch.where(x >= 0, 1.0, torch.where(x < 0, 0.0, x))


def sign(x: Tensor) -> Tensor:
    """Sign with two values: +1 for ``x >= 0``, else -1. (``torch.sign`` has a third value, 0 at 0.)

    Args:
        x: Pre-activations, any shape.

    Returns:
        Activations -1 or +1 with the dtype of ``x``, the shape of ``x``. Not-a-number stays not-a-number.

    Source: Rosenblatt (1958), The perceptron: a probabilistic model for information storage and organization in the
    brain.

    Chapter: The perceptron (threshold-activations)
    """
    return torch.where(x >= 0, 1.0, torch.where(x < 0, -1.0, x))


def _check_bound(bound: float) -> None:
    if not 0 < bound < float("inf"):
        raise ValueError(f"bound must be a positive number, got {bound}")


def clipped_linear(x: Tensor, bound: float = 1.0) -> Tensor:
    """Sign with a ramp: ``x / bound`` between ``-bound`` and ``bound``, -1 below and +1 above.

    The slope of the ramp has to be ``1 / bound``, else the function jumps at its ends.

    Args:
        x: Pre-activations, any shape.
        bound: Where the ramp ends.

    Returns:
        Activations from -1 to 1, the shape of ``x``.

    Raises:
        ValueError: If ``bound`` is not positive.

    Source: Collobert (2004), Large scale machine learning, where it is called hard tanh.

    Chapter: The perceptron (threshold-activations)
    """
    _check_bound(bound)
    return (x / bound).clamp(-1, 1)


def clipped_linear_backward(dout: Tensor, x: Tensor, bound: float = 1.0) -> Tensor:
    """Backward pass of :func:`clipped_linear`: the slope is ``1 / bound`` on the ramp and 0 beside it and at its ends.

    Args:
        dout: Gradient with respect to the output, the shape of ``x``.
        x: Pre-activations, any shape.
        bound: Where the ramp ends.

    Returns:
        Gradient with respect to ``x``, same shape.

    Raises:
        ValueError: If ``bound`` is not positive.

    Source: Collobert (2004), Large scale machine learning, where it is called hard tanh.

    Chapter: The perceptron (threshold-activations)
    """
    _check_bound(bound)
    return torch.where(x.abs() < bound, dout / bound, 0.0)


def sigmoid(x: Tensor) -> Tensor:
    """Logistic sigmoid ``1 / (1 + exp(-x))``, with values in (0, 1).

    Args:
        x: Pre-activations, any shape.

    Returns:
        Activations, the shape of ``x``. Large inputs of either sign do not overflow.

    Source: Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors.

    Chapter: Activations, initialization and normalization
    """
    return torch.sigmoid(x)


def sigmoid_backward(dout: Tensor, x: Tensor) -> Tensor:
    """Backward pass of :func:`sigmoid`: the slope is ``s (1 - s)``, at most 0.25.

    Args:
        dout: Gradient with respect to the output, the shape of ``x``.
        x: Pre-activations, any shape.

    Returns:
        Gradient with respect to ``x``, same shape.

    Source: Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors.

    Chapter: Backpropagation and automatic differentiation (sigmoid-derivative-fused-node)
    """
    # 1 - sigmoid(x) = sigmoid(-x), and the right-hand side keeps its digits where sigmoid(x) rounds to 1.
    return dout * torch.sigmoid(x) * torch.sigmoid(-x)


def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent ``2 sigmoid(2 x) - 1``, with values in (-1, 1).

    Args:
        x: Pre-activations, any shape.

    Returns:
        Activations, the shape of ``x``.

    Source: LeCun, Bottou, Orr and Müller (1998), Efficient BackProp.

    Chapter: Activations, initialization and normalization
    """
    return torch.tanh(x)


def tanh_backward(dout: Tensor, x: Tensor) -> Tensor:
    """Backward pass of :func:`tanh`: the slope is ``1 - tanh(x)**2``, at most 1.

    Args:
        dout: Gradient with respect to the output, the shape of ``x``.
        x: Pre-activations, any shape.

    Returns:
        Gradient with respect to ``x``, same shape.

    Source: LeCun, Bottou, Orr and Müller (1998), Efficient BackProp.

    Chapter: Activations, initialization and normalization
    """
    return dout * (1 - torch.tanh(x) ** 2)


def relu(x: Tensor) -> Tensor:
    """Rectified linear unit ``max(0, x)``.

    Args:
        x: Pre-activations, any shape.

    Returns:
        Activations, the shape of ``x``. Not-a-number stays not-a-number.

    Source: Nair and Hinton (2010), Rectified linear units improve restricted Boltzmann machines.

    Chapter: Activations, initialization and normalization
    """
    # `x <= 0` rather than `x > 0`: a comparison with NaN is false, and so NaN comes out instead of turning into 0.
    return torch.where(x <= 0, 0.0, x)


def relu_backward(dout: Tensor, x: Tensor) -> Tensor:
    """Backward pass of :func:`relu`: the slope is 1 for ``x > 0`` and 0 for ``x < 0``.

    At the kink every number from 0 to 1 is a subgradient; here, as in all common libraries, the slope at 0 is 0.

    Args:
        dout: Gradient with respect to the output, the shape of ``x``.
        x: Pre-activations, any shape.

    Returns:
        Gradient with respect to ``x``, same shape.

    Source: Nair and Hinton (2010), Rectified linear units improve restricted Boltzmann machines.

    Chapter: Activations, initialization and normalization
    """
    return torch.where(x <= 0, 0.0, dout)


def leaky_relu(x: Tensor, slope: float = 0.01) -> Tensor:
    """ReLU that keeps a small slope for negative inputs: ``x`` if ``x > 0``, else ``slope * x``.

    Args:
        x: Pre-activations, any shape.
        slope: Slope for negative inputs.

    Returns:
        Activations, the shape of ``x``.

    Source: Maas, Hannun and Ng (2013), Rectifier nonlinearities improve neural network acoustic models.

    Chapter: Activations, initialization and normalization
    """
    return torch.where(x > 0, x, slope * x)


def leaky_relu_backward(dout: Tensor, x: Tensor, slope: float = 0.01) -> Tensor:
    """Backward pass of :func:`leaky_relu`; at the kink 0 the slope is that of the negative side.

    Args:
        dout: Gradient with respect to the output, the shape of ``x``.
        x: Pre-activations, any shape.
        slope: Slope for negative inputs.

    Returns:
        Gradient with respect to ``x``, same shape.

    Source: Maas, Hannun and Ng (2013), Rectifier nonlinearities improve neural network acoustic models.

    Chapter: Activations, initialization and normalization
    """
    return torch.where(x > 0, dout, slope * dout)


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """Exponential linear unit: ``x`` if ``x > 0``, else ``alpha (exp(x) - 1)``.

    Args:
        x: Pre-activations, any shape.
        alpha: Minus the limit for large negative inputs.

    Returns:
        Activations, the shape of ``x``.

    Source: Clevert, Unterthiner and Hochreiter (2016), Fast and accurate deep network learning by exponential linear
    units (ELUs).

    Chapter: Activations, initialization and normalization
    """
    # The exponential is taken of min(x, 0): it would overflow for large x, in a branch whose value is not used.
    return torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0)))


def elu_backward(dout: Tensor, x: Tensor, alpha: float = 1.0) -> Tensor:
    """Backward pass of :func:`elu`: the slope is 1 for ``x > 0`` and ``alpha exp(x)`` otherwise.

    With ``alpha`` = 1 the function is smooth at 0; with any other value the slope at 0 is that of the negative side.

    Args:
        dout: Gradient with respect to the output, the shape of ``x``.
        x: Pre-activations, any shape.
        alpha: Minus the limit for large negative inputs.

    Returns:
        Gradient with respect to ``x``, same shape.

    Source: Clevert, Unterthiner and Hochreiter (2016), Fast and accurate deep network learning by exponential linear
    units (ELUs).

    Chapter: Activations, initialization and normalization
    """
    return torch.where(x > 0, dout, dout * alpha * torch.exp(x.clamp(max=0)))


def _normal_cdf(x: Tensor) -> Tensor:
    # (1 + erf) / 2 loses every digit for large negative x; the complementary error function does not.
    return 0.5 * torch.erfc(-x / math.sqrt(2))


def gelu(x: Tensor) -> Tensor:
    """Gaussian error linear unit ``x Phi(x)``, where ``Phi`` is the standard normal distribution function.

    Args:
        x: Pre-activations, any shape.

    Returns:
        Activations, the shape of ``x``: the exact function, not its tanh approximation.

    Source: Hendrycks and Gimpel (2016), Gaussian error linear units (GELUs).

    Chapter: Activations, initialization and normalization
    """
    return x * _normal_cdf(x)


def gelu_backward(dout: Tensor, x: Tensor) -> Tensor:
    """Backward pass of :func:`gelu`: the slope is ``Phi(x) + x phi(x)`` with ``phi`` the standard normal density.

    Args:
        dout: Gradient with respect to the output, the shape of ``x``.
        x: Pre-activations, any shape.

    Returns:
        Gradient with respect to ``x``, same shape.

    Source: Hendrycks and Gimpel (2016), Gaussian error linear units (GELUs).

    Chapter: Activations, initialization and normalization
    """
    density = torch.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)
    return dout * (_normal_cdf(x) + x * density)


def softplus(x: Tensor) -> Tensor:
    """Smooth version of the ReLU, ``log(1 + exp(x))``.

    Args:
        x: Pre-activations, any shape.

    Returns:
        Activations, the shape of ``x``. Large inputs do not overflow.

    Source: Dugas, Bengio, Bélisle, Nadeau and Garcia (2001), Incorporating second-order functional knowledge for
    better option pricing.

    Chapter: Activations, initialization and normalization
    """
    # log(e^x + e^0) as one operation: it takes the larger exponent out first.
    return torch.logaddexp(x, torch.zeros_like(x))


def softplus_backward(dout: Tensor, x: Tensor) -> Tensor:
    """Backward pass of :func:`softplus`: the slope is the logistic sigmoid.

    Args:
        dout: Gradient with respect to the output, the shape of ``x``.
        x: Pre-activations, any shape.

    Returns:
        Gradient with respect to ``x``, same shape.

    Source: Dugas, Bengio, Bélisle, Nadeau and Garcia (2001), Incorporating second-order functional knowledge for
    better option pricing.

    Chapter: Activations, initialization and normalization
    """
    return dout * torch.sigmoid(x)


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Softmax ``exp(x_i) / sum_j exp(x_j)`` along one axis: positive numbers that add up to 1.

    Only differences count, ``softmax(x + c) = softmax(x)``, so the largest element is subtracted first and no
    exponential overflows.

    Args:
        x: Logits, any shape with at least one axis.
        axis: The axis along which the results add up to 1.

    Returns:
        Probabilities, the shape of ``x``.

    Source: Bridle (1990), Probabilistic interpretation of feedforward classification network outputs.

    Chapter: Loss functions
    """
    powers = torch.exp(x - x.amax(dim=axis, keepdim=True))
    return powers / powers.sum(dim=axis, keepdim=True)


def softmax_backward(dout: Tensor, x: Tensor, axis: int = -1) -> Tensor:
    """Backward pass of :func:`softmax`.

    The Jacobian ``y_i (delta_ij - y_j)`` is symmetric; times ``dout`` it is ``y_i (dout_i - sum_j dout_j y_j)``.

    Args:
        dout: Gradient with respect to the output, the shape of ``x``.
        x: Logits, any shape with at least one axis.
        axis: The axis of the softmax.

    Returns:
        Gradient with respect to ``x``, same shape; it adds up to 0 along ``axis``.

    Source: Bridle (1990), Probabilistic interpretation of feedforward classification network outputs.

    Chapter: Loss functions
    """
    y = softmax(x, axis)
    return y * (dout - (dout * y).sum(dim=axis, keepdim=True))


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Logarithm of the softmax, right even where the softmax itself rounds to 0.

    Args:
        x: Logits, any shape with at least one axis.
        axis: The axis of the softmax.

    Returns:
        Log-probabilities, the shape of ``x``.

    Source: Blanchard, Higham and Higham (2021), Accurately computing the log-sum-exp and softmax functions.

    Chapter: Loss functions
    """
    shifted = x - x.amax(dim=axis, keepdim=True)
    return shifted - torch.log(torch.exp(shifted).sum(dim=axis, keepdim=True))


def log_softmax_backward(dout: Tensor, x: Tensor, axis: int = -1) -> Tensor:
    """Backward pass of :func:`log_softmax`: ``dout_i - softmax(x)_i sum_j dout_j``.

    Args:
        dout: Gradient with respect to the output, the shape of ``x``.
        x: Logits, any shape with at least one axis.
        axis: The axis of the softmax.

    Returns:
        Gradient with respect to ``x``, same shape; it adds up to 0 along ``axis``.

    Source: Blanchard, Higham and Higham (2021), Accurately computing the log-sum-exp and softmax functions.

    Chapter: Loss functions
    """
    return dout - softmax(x, axis) * dout.sum(dim=axis, keepdim=True)
