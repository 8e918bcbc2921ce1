"""Linear, logistic and softmax regression: closed forms where there are any, and gradients for descent.

Examples are rows, x (N, D). With one output the weights are w (D,) and the bias is 0-dimensional; with K outputs they
are w (D, K) and b (K,). All losses are means over the examples, and all three gradients have one form,
``x^T (prediction - target) / N``. Results have the device and the dtype of the arguments. No argument is written to.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from neuralnotes.activations import sigmoid
from neuralnotes.losses import (
    binary_cross_entropy,
    binary_cross_entropy_gradient,
    softmax_cross_entropy,
    softmax_cross_entropy_gradient,
)


def _check_affine(x: Tensor, w: Tensor, b: Tensor, outputs: tuple[int, ...]) -> None:
    if x.dim() != 2 or w.dim() not in outputs or w.shape[0] != x.shape[1] or b.shape != w.shape[1:]:
        shapes = " or ".join({1: "w (D,) and b ()", 2: "w (D, K) and b (K,)"}[dim] for dim in outputs)
        raise ValueError(
            f"expected x (N, D), {shapes}, got x {tuple(x.shape)}, w {tuple(w.shape)} and b {tuple(b.shape)}"
        )


def _check_targets(x: Tensor, y: Tensor, shape: tuple[int, ...]) -> None:
    if y.shape != shape or len(x) == 0:
        raise ValueError(f"expected {len(x)} targets {shape}, at least one, got {tuple(y.shape)}")


def least_squares(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Linear regression in closed form: the weights with the smallest mean squared error.

    Solved by the singular value decomposition, which works with the condition number of the inputs and not with its
    square, as the normal equations do. Columns that depend on each other leave a choice: the shortest solution is
    returned, the bias counting as a weight.

    Args:
        x: Inputs, (N, D).
        y: Targets, (N,) for one output or (N, K).

    Returns:
        ``w`` (D,) and ``b`` (), or ``w`` (D, K) and ``b`` (K,).

    Raises:
        ValueError: If the shapes do not fit or there are no examples.

    Source: Legendre (1805), Nouvelles méthodes pour la détermination des orbites des comètes.

    Chapter: Linear models (linear-regression)

    >>> import torch
    >>> w, b = least_squares(torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([1.0, 3.0, 5.0]))
    >>> print(f"{w.item():.3f} {b.item():.3f}")
    2.000 1.000
    """
    if x.dim() != 2 or y.dim() not in (1, 2):
        raise ValueError(f"expected x (N, D) and y (N,) or (N, K), got x {tuple(x.shape)} and y {tuple(y.shape)}")
    _check_targets(x, y, (len(x), *y.shape[1:]))
    ones = x.new_ones(len(x), 1)
    design = torch.cat([x, ones], dim=1)  # (N, D + 1)
    solution = torch.linalg.pinv(design) @ y  # (D + 1,) or (D + 1, K)
    return solution[:-1], solution[-1]


def delta_rule_step(x: Tensor, y: Tensor, w: Tensor, rate: float) -> Tensor:
    """One step of the delta rule on one case: ``w + rate (y - w . x) x``.

    It goes down the gradient of half the squared error of this case, and multiplies the error by ``1 - rate |x|^2``.

    Args:
        x: Inputs of one case, (D,).
        y: Target, 0-dimensional.
        w: Weights, (D,).
        rate: Learning rate.

    Returns:
        The new weights, (D,).

    Raises:
        ValueError: If the shapes do not fit.

    Source: Widrow and Hoff (1960), Adaptive switching circuits.

    Chapter: Linear models (delta-rule)

    >>> import torch
    >>> x, prices = torch.tensor([5.0, 2.0, 3.0]), torch.tensor([0.5, 0.5, 0.5])
    >>> delta_rule_step(x, torch.tensor(8.5), prices, 1 / 35)
    tensor([1.0000, 0.7000, 0.8000])
    """
    if x.dim() != 1 or w.shape != x.shape or y.dim() != 0:
        raise ValueError(
            f"expected x (D,), a 0-dimensional y and w (D,), "
            f"got x {tuple(x.shape)}, y {tuple(y.shape)} and w {tuple(w.shape)}"
        )
    return w + rate * (y - w @ x) * x


def linear_regression_gradients(x: Tensor, y: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Loss and gradient of linear regression: half the squared error, summed over the outputs, mean over the examples.

    The half is what the delta rule has; :func:`neuralnotes.losses.squared_error` leaves it out.

    Args:
        x: Inputs, (N, D).
        y: Targets, (N,) or (N, K).
        w: Weights, (D,) or (D, K).
        b: Bias, () or (K,).

    Returns:
        The loss, 0-dimensional; ``dw`` and ``db`` with the shapes of ``w`` and ``b``.

    Raises:
        ValueError: If the shapes do not fit or there are no examples.

    Source: Widrow and Hoff (1960), Adaptive switching circuits.

    Chapter: Linear models (linear-regression)
    """
    _check_affine(x, w, b, (1, 2))
    _check_targets(x, y, (len(x), *w.shape[1:]))
    error = x @ w + b - y  # (N,) or (N, K)
    loss = (error**2).sum() / (2 * len(x))
    return loss, x.T @ error / len(x), error.sum(dim=0) / len(x)


def _penalty(w: Tensor, weight_decay: float) -> Tensor:
    return weight_decay / 2 * (w**2).sum()


def logistic_regression_gradients(
    x: Tensor, y: Tensor, w: Tensor, b: Tensor, weight_decay: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss and gradient of logistic regression: the mean negative log-likelihood of labels 0 and 1.

    The probability of label 1 is ``sigmoid(w . x + b)``. The loss adds ``weight_decay / 2`` times the sum of the
    squared weights; the bias does not decay. Several columns are several independent yes-or-no questions; the mean is
    over them too.

    Args:
        x: Inputs, (N, D).
        y: Targets from 0 to 1, usually 0 or 1, (N,) or (N, K).
        w: Weights, (D,) or (D, K).
        b: Bias, () or (K,).
        weight_decay: Strength of the penalty.

    Returns:
        The loss in nats, 0-dimensional; ``dw`` and ``db`` with the shapes of ``w`` and ``b``.

    Raises:
        ValueError: If the shapes do not fit, there are no examples, or a target is outside 0 ... 1.

    Source: Cox (1958), The regression analysis of binary sequences.

    Chapter: Linear models (logistic-likelihood)
    """
    _check_affine(x, w, b, (1, 2))
    _check_targets(x, y, (len(x), *w.shape[1:]))
    z = x @ w + b  # (N,) or (N, K)
    y = y.to(z.dtype)
    dz = binary_cross_entropy_gradient(z, y)  # the shape of z
    return binary_cross_entropy(z, y) + _penalty(w, weight_decay), x.T @ dz + weight_decay * w, dz.sum(dim=0)


def softmax_regression_gradients(
    x: Tensor, labels: Tensor, w: Tensor, b: Tensor, weight_decay: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss and gradient of softmax regression: the mean negative log-likelihood of the right classes.

    The probabilities are the softmax of the scores ``x w + b``. The loss adds ``weight_decay / 2`` times the sum of the
    squared weights; the biases do not decay.

    Args:
        x: Inputs, (N, D).
        labels: Index of the right class of each row, integers, (N,).
        w: Weights, (D, K); column k belongs to class k.
        b: Biases, (K,).
        weight_decay: Strength of the penalty.

    Returns:
        The loss in nats, 0-dimensional; ``dw`` (D, K) and ``db`` (K,).

    Raises:
        ValueError: If the shapes do not fit, there are no examples, or a label is not an integer in 0 ... K-1.

    Source: Bridle (1990), Probabilistic interpretation of feedforward classification network outputs.

    Chapter: Linear models (softmax-regression)
    """
    _check_affine(x, w, b, (2,))
    _check_targets(x, labels, (len(x),))
    z = x @ w + b  # (N, K)
    dz = softmax_cross_entropy_gradient(z, labels)  # (N, K)
    return softmax_cross_entropy(z, labels) + _penalty(w, weight_decay), x.T @ dz + weight_decay * w, dz.sum(dim=0)


def gradient_descent(
    gradients: Callable[..., tuple[Tensor, Tensor, Tensor]],
    x: Tensor,
    y: Tensor,
    w: Tensor,
    b: Tensor,
    rate: float,
    steps: int,
    **options: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Go down the gradient over all examples, a fixed number of steps.

    Args:
        gradients: One of the functions above, ``gradients(x, y, w, b, **options) -> (loss, dw, db)``.
        x: Inputs, (N, D).
        y: Targets or labels, as ``gradients`` takes them.
        w: Weights to start from.
        b: Bias to start from.
        rate: Learning rate.
        steps: Number of steps, 0 or more.
        **options: Further arguments of ``gradients``, such as ``weight_decay``.

    Returns:
        ``w`` and ``b`` at the end, and the loss before each step and at the end, (steps + 1,).

    Raises:
        ValueError: If the rate is not positive, ``steps`` is negative, or ``gradients`` finds fault with the arguments.

    Source: Cauchy (1847), Méthode générale pour la résolution des systèmes d'équations simultanées.

    Chapter: Linear models (linear-regression)
    """
    if not 0 < rate < math.inf or steps < 0:
        raise ValueError(f"rate must be a positive number and steps at least 0, got {rate} and {steps}")
    w, b = w.clone(), b.clone()
    losses = []
    for _ in range(steps):
        loss, dw, db = gradients(x, y, w, b, **options)
        losses.append(loss)
        w, b = w - rate * dw, b - rate * db
    losses.append(gradients(x, y, w, b, **options)[0])
    return w, b, torch.stack(losses)


def logistic_regression_newton(
    x: Tensor, y: Tensor, weight_decay: float = 0.0, steps: int = 20
) -> tuple[Tensor, Tensor]:
    """Logistic regression by Newton's method, from zero: a least-squares problem solved again and again.

    Each step solves for the minimum of the parabola that touches the loss, so that a few steps reach the minimum.
    A full step may overshoot where the loss is flat; it is halved until the loss falls.

    Args:
        x: Inputs, (N, D).
        y: Labels, 0 or 1, (N,).
        weight_decay: Strength of the penalty. Without it, separable classes have no minimum: the weights grow.
        steps: Most steps; it stops when a step no longer lowers the loss.

    Returns:
        ``w`` (D,) and ``b`` ().

    Raises:
        ValueError: As :func:`logistic_regression_gradients`, or if there is no step.

    Source: Cox (1958), The regression analysis of binary sequences.

    Chapter: Linear models (logistic-regression)
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    w, b = x.new_zeros(x.shape[1:]), x.new_zeros(())
    loss, dw, db = logistic_regression_gradients(x, y, w, b, weight_decay)
    design = torch.cat([x, x.new_ones(len(x), 1)], dim=1)  # (N, D + 1)
    decay = torch.diag(torch.cat([weight_decay * torch.ones_like(w), torch.zeros_like(b)[None]]))
    for _ in range(steps):
        p = sigmoid(x @ w + b)  # (N,)
        hessian = design.T @ (design * (p * (1 - p))[:, None]) / len(x) + decay  # (D + 1, D + 1)
        # The pseudo-inverse, because columns that depend on each other make the Hessian singular.
        step = torch.linalg.pinv(hessian, hermitian=True) @ torch.cat([dw, db[None]])
        length = 1.0
        while length > 1e-4:
            trial = w - length * step[:-1], b - length * step[-1]
            trial_loss, trial_dw, trial_db = logistic_regression_gradients(x, y, *trial, weight_decay)
            if trial_loss < loss:
                break
            length /= 2
        else:
            break  # no step lowers the loss: this is the minimum, as far as rounding lets it be seen
        (w, b), loss, dw, db = trial, trial_loss, trial_dw, trial_db
    return w, b
