"""Loss functions and their gradients, written by hand.

One scheme throughout: ``name(prediction, target, ...)`` is the loss, a 0-dimensional tensor, the mean over the batch;
``name_gradient`` with the same arguments is the gradient of that mean with respect to the first of them, and has its
shape. Regression losses and the binary losses average over every element of the prediction, losses over classes over
the rows.

Results have the device and the dtype of the first argument. No argument is written to. Shapes must agree exactly:
the broadcasting of a prediction (N, 1) against a target (N,) is an error here, since it silently gives N * N losses.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neuralnotes.activations import log_softmax, sigmoid, softmax, softplus


def _check_same_shape(prediction: Tensor, target: Tensor) -> None:
    if prediction.shape != target.shape:
        raise ValueError(
            f"the shapes differ: {tuple(prediction.shape)} for the first argument and {tuple(target.shape)} for the "
            "targets; reshape one of them"
        )
    if prediction.numel() == 0:
        raise ValueError("the batch is empty: a mean over no examples is not defined")


def _check_class_labels(scores: Tensor, labels: Tensor) -> None:
    if scores.dim() != 2 or labels.shape != scores.shape[:1]:
        raise ValueError(f"expected scores (N, K) and labels (N,), got {tuple(scores.shape)} and {tuple(labels.shape)}")
    if scores.numel() == 0:
        raise ValueError("the batch is empty: a mean over no examples is not defined")
    if labels.dtype.is_floating_point or labels.dtype.is_complex or labels.dtype == torch.bool:
        raise ValueError(f"labels must be integers (class indices), got {labels.dtype}")
    classes = scores.shape[1]
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels must lie in 0 ... {classes - 1}, got {labels.min().item()} ... {labels.max().item()}")


def _check_delta(delta: float) -> None:
    if not delta > 0:
        raise ValueError(f"delta must be positive, got {delta}")


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error ``(p - t)**2``, without a factor 1/2.

    Args:
        prediction: Predictions ``p``, any shape.
        target: Targets ``t``, the shape of ``prediction``.

    Returns:
        The mean over all elements, 0-dimensional.

    Raises:
        ValueError: If the shapes differ or there are no elements.

    Source: Legendre (1805), Nouvelles méthodes pour la détermination des orbites des comètes.

    Chapter: Loss functions
    """
    _check_same_shape(prediction, target)
    return ((prediction - target) ** 2).mean()


def squared_error_gradient(prediction: Tensor, target: Tensor) -> Tensor:
    """Gradient of :func:`squared_error`: ``2 (p - t) / count``, proportional to the error.

    Args:
        prediction: Predictions ``p``, any shape.
        target: Targets ``t``, the shape of ``prediction``.

    Returns:
        Gradient with respect to ``prediction``, same shape.

    Raises:
        ValueError: If the shapes differ or there are no elements.

    Source: Legendre (1805), Nouvelles méthodes pour la détermination des orbites des comètes.

    Chapter: Loss functions
    """
    _check_same_shape(prediction, target)
    return 2 * (prediction - target) / prediction.numel()


def absolute_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error ``|p - t|``.

    Args:
        prediction: Predictions ``p``, any shape.
        target: Targets ``t``, the shape of ``prediction``.

    Returns:
        The mean over all elements, 0-dimensional.

    Raises:
        ValueError: If the shapes differ or there are no elements.

    Source: Koenker and Bassett (1978), Regression quantiles.

    Chapter: Loss functions
    """
    _check_same_shape(prediction, target)
    return (prediction - target).abs().mean()


def absolute_error_gradient(prediction: Tensor, target: Tensor) -> Tensor:
    """Gradient of :func:`absolute_error`: ``sign(p - t) / count``, whatever the size of the error.

    At the kink, an error of 0, every slope from -1 to 1 is a subgradient; 0 is taken.

    Args:
        prediction: Predictions ``p``, any shape.
        target: Targets ``t``, the shape of ``prediction``.

    Returns:
        Gradient with respect to ``prediction``, same shape.

    Raises:
        ValueError: If the shapes differ or there are no elements.

    Source: Koenker and Bassett (1978), Regression quantiles.

    Chapter: Loss functions
    """
    _check_same_shape(prediction, target)
    return torch.sign(prediction - target) / prediction.numel()


def huber(prediction: Tensor, target: Tensor, delta: float = 1.0) -> Tensor:
    """Huber loss of the error ``e = p - t``: ``e**2 / 2`` up to ``|e| = delta``, ``delta (|e| - delta / 2)`` beyond.

    Value and slope are continuous at ``delta``: there is no kink.

    Args:
        prediction: Predictions ``p``, any shape.
        target: Targets ``t``, the shape of ``prediction``.
        delta: Size of the error, in the unit of the targets, at which the parabola turns into a line.

    Returns:
        The mean over all elements, 0-dimensional.

    Raises:
        ValueError: If the shapes differ, there are no elements, or ``delta`` is not positive.

    Source: Huber (1964), Robust estimation of a location parameter.

    Chapter: Loss functions
    """
    _check_same_shape(prediction, target)
    _check_delta(delta)
    error = prediction - target
    size = error.abs()
    return torch.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta)).mean()


def huber_gradient(prediction: Tensor, target: Tensor, delta: float = 1.0) -> Tensor:
    """Gradient of :func:`huber`: the error, cut off at ``-delta`` and ``delta``, divided by the number of elements.

    Args:
        prediction: Predictions ``p``, any shape.
        target: Targets ``t``, the shape of ``prediction``.
        delta: Size of the error, in the unit of the targets, at which the parabola turns into a line.

    Returns:
        Gradient with respect to ``prediction``, same shape.

    Raises:
        ValueError: If the shapes differ, there are no elements, or ``delta`` is not positive.

    Source: Huber (1964), Robust estimation of a location parameter.

    Chapter: Loss functions
    """
    _check_same_shape(prediction, target)
    _check_delta(delta)
    return (prediction - target).clamp(-delta, delta) / prediction.numel()


def _hinge_shortfall(scores: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    _check_same_shape(scores, labels)
    if not ((labels == 1) | (labels == -1)).all():
        raise ValueError("labels must be -1 or +1; for labels 0 and 1 pass 2 * labels - 1")
    y = labels.to(scores.dtype)
    return margin - y * scores, y


def hinge(scores: Tensor, labels: Tensor, margin: float = 1.0) -> Tensor:
    """Binary margin loss ``max(0, margin - y s)``: it costs nothing to be right by at least the margin.

    Args:
        scores: Scores ``s``, any shape, usually (N,).
        labels: Classes ``y``, each -1 or +1, the shape of ``scores``.
        margin: The margin, in the unit of the scores.

    Returns:
        The mean over all elements, 0-dimensional.

    Raises:
        ValueError: If the shapes differ, there are no elements, or a label is neither -1 nor +1.

    Source: Cortes and Vapnik (1995), Support-vector networks.

    Chapter: Loss functions
    """
    shortfall, _ = _hinge_shortfall(scores, labels, margin)
    return torch.where(shortfall <= 0, 0.0, shortfall).mean()


def hinge_gradient(scores: Tensor, labels: Tensor, margin: float = 1.0) -> Tensor:
    """Gradient of :func:`hinge`: ``-y / count`` where the margin is missed, else 0.

    At the kink, ``y s = margin``, the slope is taken as 0.

    Args:
        scores: Scores ``s``, any shape, usually (N,).
        labels: Classes ``y``, each -1 or +1, the shape of ``scores``.
        margin: The margin, in the unit of the scores.

    Returns:
        Gradient with respect to ``scores``, same shape.

    Raises:
        ValueError: If the shapes differ, there are no elements, or a label is neither -1 nor +1.

    Source: Cortes and Vapnik (1995), Support-vector networks.

    Chapter: Loss functions
    """
    shortfall, y = _hinge_shortfall(scores, labels, margin)
    return torch.where(shortfall <= 0, 0.0, -y) / scores.numel()


def _multiclass_shortfall(scores: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """By how much each class comes too close to the right one, (N, K), 0 for that one; and its column, (N, 1)."""
    _check_class_labels(scores, labels)
    column = labels.long()[:, None]  # (N, 1)
    right = scores.gather(1, column)  # (N, 1)
    return (scores - right + margin).scatter(1, column, 0.0), column


def multiclass_hinge(scores: Tensor, labels: Tensor, margin: float = 1.0) -> Tensor:
    """Multi-class margin loss: the sum over the wrong classes j of ``max(0, s_j - s_y + margin)``.

    Args:
        scores: Scores ``s``, (N, K).
        labels: Index ``y`` of the right class of each row, integers, (N,).
        margin: The margin, in the unit of the scores.

    Returns:
        The mean over the N rows, 0-dimensional; the terms of a row are summed.

    Raises:
        ValueError: If the shapes do not fit, the batch is empty, or a label is not an integer in 0 ... K-1.

    Source: Weston and Watkins (1999), Support vector machines for multi-class pattern recognition.

    Chapter: Loss functions
    """
    shortfall, _ = _multiclass_shortfall(scores, labels, margin)
    return torch.where(shortfall <= 0, 0.0, shortfall).sum(dim=1).mean()


def multiclass_hinge_gradient(scores: Tensor, labels: Tensor, margin: float = 1.0) -> Tensor:
    """Gradient of :func:`multiclass_hinge`.

    In each row, every wrong class that comes too close has the slope 1, and the right class minus their number; all of
    it divided by N. At a kink, where a wrong class is behind by exactly the margin, its slope is taken as 0.

    Args:
        scores: Scores ``s``, (N, K).
        labels: Index ``y`` of the right class of each row, integers, (N,).
        margin: The margin, in the unit of the scores.

    Returns:
        Gradient with respect to ``scores``, (N, K).

    Raises:
        ValueError: If the shapes do not fit, the batch is empty, or a label is not an integer in 0 ... K-1.

    Source: Weston and Watkins (1999), Support vector machines for multi-class pattern recognition.

    Chapter: Loss functions
    """
    shortfall, column = _multiclass_shortfall(scores, labels, margin)
    too_close = (shortfall > 0).to(scores.dtype)  # (N, K)
    return too_close.scatter(1, column, -too_close.sum(dim=1, keepdim=True)) / len(scores)


def softmax_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy ``-log softmax(z)_y`` of the right class, computed from the logits.

    Args:
        logits: Logits ``z``, (N, K), of any size: nothing overflows.
        labels: Index ``y`` of the right class of each row, integers, (N,).

    Returns:
        The mean over the N rows in nats, 0-dimensional.

    Raises:
        ValueError: If the shapes do not fit, the batch is empty, or a label is not an integer in 0 ... K-1.

    Source: Bridle (1990), Probabilistic interpretation of feedforward classification network outputs.

    Chapter: Loss functions
    """
    _check_class_labels(logits, labels)
    return -log_softmax(logits).gather(1, labels.long()[:, None]).mean()


def softmax_cross_entropy_gradient(logits: Tensor, labels: Tensor) -> Tensor:
    """Gradient of :func:`softmax_cross_entropy`: ``(softmax(z) - one_hot(y)) / N``.

    Args:
        logits: Logits ``z``, (N, K), of any size: nothing overflows.
        labels: Index ``y`` of the right class of each row, integers, (N,).

    Returns:
        Gradient with respect to ``logits``, (N, K); each row adds up to 0.

    Raises:
        ValueError: If the shapes do not fit, the batch is empty, or a label is not an integer in 0 ... K-1.

    Source: Bridle (1990), Probabilistic interpretation of feedforward classification network outputs.

    Chapter: Backpropagation and automatic differentiation (sigmoid-derivative-fused-node)
    """
    _check_class_labels(logits, labels)
    one_hot = torch.zeros_like(logits).scatter(1, labels.long()[:, None], 1.0)  # (N, K)
    return (softmax(logits) - one_hot) / len(logits)


def _check_probabilities(logits: Tensor, targets: Tensor) -> Tensor:
    _check_same_shape(logits, targets)
    if not ((targets >= 0) & (targets <= 1)).all():
        raise ValueError("targets must lie between 0 and 1; for labels -1 and +1 pass (labels + 1) / 2")
    return targets.to(logits.dtype)


def binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy ``-t log(p) - (1 - t) log(1 - p)`` with ``p = sigmoid(z)``, computed from the logits.

    Args:
        logits: Logits ``z``, any shape and of any size: nothing overflows. Several columns are independent yes-or-no
            questions (multi-label classification).
        targets: Probabilities ``t`` from 0 to 1, usually 0 or 1, the shape of ``logits``.

    Returns:
        The mean over all elements in nats, 0-dimensional.

    Raises:
        ValueError: If the shapes differ, there are no elements, or a target is outside 0 ... 1.

    Source: Solla, Levin and Fleisher (1988), Accelerated learning in layered neural networks.

    Chapter: Loss functions
    """
    t = _check_probabilities(logits, targets)
    # -log sigmoid(z) = softplus(-z). Both terms are positive: nothing cancels, however sure the answer.
    return (t * softplus(-logits) + (1 - t) * softplus(logits)).mean()


def binary_cross_entropy_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    """Gradient of :func:`binary_cross_entropy`: ``(sigmoid(z) - t) / count``.

    Args:
        logits: Logits ``z``, any shape and of any size: nothing overflows.
        targets: Probabilities ``t`` from 0 to 1, usually 0 or 1, the shape of ``logits``.

    Returns:
        Gradient with respect to ``logits``, same shape.

    Raises:
        ValueError: If the shapes differ, there are no elements, or a target is outside 0 ... 1.

    Source: Solla, Levin and Fleisher (1988), Accelerated learning in layered neural networks.

    Chapter: Loss functions
    """
    t = _check_probabilities(logits, targets)
    return (sigmoid(logits) - t) / logits.numel()
