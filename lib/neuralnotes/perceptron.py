"""The perceptron: prediction, learning rule, convergence, and the variants for data that no line separates.

Labels are -1 and +1, examples are rows. A point on the line counts as a mistake while learning, so that weights of zero
learn; where a prediction is needed, it is +1. Results have the device and the dtype of the arguments. No argument is
written to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neuralnotes.activations import sign


class PerceptronRun(NamedTuple):
    """What :func:`perceptron_fit` did.

    Attributes:
        w: Weights at the end, (D,).
        b: Bias at the end, 0-dimensional.
        mistakes: Row of each mistake, in the order in which they were made.
        epochs: Passes over the data, the last one included.
        converged: Whether a whole pass had no mistake.
        path: Weights before the first and after each mistake, with the bias as the last column,
            (len(mistakes) + 1, D + 1).

    Chapter: The perceptron (perceptron-learning-rule)
    """

    w: Tensor
    b: Tensor
    mistakes: list[int]
    epochs: int
    converged: bool
    path: Tensor


def _check_examples(x: Tensor, y: Tensor) -> None:
    if x.dim() != 2 or y.shape != x.shape[:1] or len(x) == 0:
        raise ValueError(f"expected x (N, D) and y (N,) with N > 0, got x {tuple(x.shape)} and y {tuple(y.shape)}")
    if not ((y == 1) | (y == -1)).all():
        raise ValueError("labels must be -1 or +1; turn labels of 0 and 1 into 2 * y - 1")


def _check_weights(x: Tensor, w: Tensor, b: Tensor) -> None:
    if w.shape != x.shape[-1:] or b.dim() != 0:
        raise ValueError(
            f"expected w {tuple(x.shape[-1:])} and a 0-dimensional b for x {tuple(x.shape)}, "
            f"got w {tuple(w.shape)} and b {tuple(b.shape)}"
        )


def _check_schedule(epochs: int, rate: float = 1.0) -> None:
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs}")
    if not 0 < rate < math.inf:
        raise ValueError(f"rate must be a positive number, got {rate}")


def _order(n: int, epochs: int, seed: int | None) -> Iterator[range | np.ndarray]:
    """The rows of each pass: as they stand, or in a new random order each time."""
    rng = None if seed is None else np.random.default_rng(seed)
    for _ in range(epochs):
        yield range(n) if rng is None else rng.permutation(n)


def perceptron_predict(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Class of each example: the side of the hyperplane ``w . x + b = 0`` on which it lies.

    Args:
        x: Examples, (N, D).
        w: Weights, (D,).
        b: Bias, 0-dimensional.

    Returns:
        -1 or +1 for each row, with the dtype of ``x``, (N,). A point on the hyperplane gets +1.

    Raises:
        ValueError: If the shapes do not fit.

    Source: Rosenblatt (1958), The perceptron: a probabilistic model for information storage and organization in the
    brain.

    Chapter: The perceptron (perceptron-model)

    >>> import torch
    >>> perceptron_predict(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([1.0, -1.0]), torch.tensor(0.0))
    tensor([ 1., -1.])
    """
    _check_weights(x, w, b)
    if x.dim() != 2:
        raise ValueError(f"expected x (N, D), got {tuple(x.shape)}")
    return sign(x @ w + b)  # (N,)


def perceptron_step(x: Tensor, y: Tensor, w: Tensor, b: Tensor, rate: float = 1.0) -> tuple[Tensor, Tensor]:
    """One step of the learning rule: nothing if the example is right, else ``w + rate y x`` and ``b + rate y``.

    Args:
        x: One example, (D,).
        y: Its label, -1 or +1, 0-dimensional.
        w: Weights, (D,).
        b: Bias, 0-dimensional.
        rate: Learning rate. From weights of zero it scales the weights and changes no prediction.

    Returns:
        The new ``w`` (D,) and ``b`` (), copies also where nothing changed.

    Raises:
        ValueError: If the shapes do not fit, the label is neither -1 nor +1, or the rate is not positive.

    Source: Rosenblatt (1958), The perceptron: a probabilistic model for information storage and organization in the
    brain.

    Chapter: The perceptron (perceptron-learning-rule)
    """
    if x.dim() != 1:
        raise ValueError(f"expected one example x (D,), got {tuple(x.shape)}")
    _check_examples(x[None], y[None])
    _check_weights(x, w, b)
    _check_schedule(1, rate)
    if y * (w @ x + b) > 0:
        return w.clone(), b.clone()
    return w + rate * y * x, b + rate * y


def perceptron_fit(
    x: Tensor, y: Tensor, epochs: int = 100, rate: float = 1.0, seed: int | None = None
) -> PerceptronRun:
    """Learn from mistakes, starting at zero, until a whole pass has none or the passes are used up.

    Args:
        x: Examples, (N, D).
        y: Labels, -1 or +1, (N,).
        epochs: Most passes over the data.
        rate: Learning rate.
        seed: With a seed each pass has a new random order; without, the rows are taken as they stand.

    Returns:
        The run, with the weights after every mistake.

    Raises:
        ValueError: If the shapes do not fit, there are no examples, a label is neither -1 nor +1, there is no pass, or
            the rate is not positive.

    Source: Rosenblatt (1958), The perceptron: a probabilistic model for information storage and organization in the
    brain.

    Chapter: The perceptron (perceptron-learning-rule)

    >>> import torch
    >>> x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> run = perceptron_fit(x, torch.tensor([-1.0, -1.0, -1.0, 1.0]))  # AND
    >>> run.converged, len(run.mistakes), perceptron_predict(x, run.w, run.b).tolist()
    (True, 18, [-1.0, -1.0, -1.0, 1.0])
    """
    _check_examples(x, y)
    _check_schedule(epochs, rate)
    y = y.to(x.dtype)
    w, b = x.new_zeros(x.shape[1]), x.new_zeros(())
    mistakes: list[int] = []
    path = [torch.cat([w, b[None]])]
    passes, converged = 0, False
    for order in _order(len(x), epochs, seed):
        passes, before = passes + 1, len(mistakes)
        for n in order:
            if y[n] * (w @ x[n] + b) <= 0:
                w, b = w + rate * y[n] * x[n], b + rate * y[n]
                mistakes.append(int(n))
                path.append(torch.cat([w, b[None]]))
        if len(mistakes) == before:
            converged = True
            break
    return PerceptronRun(w, b, mistakes, passes, converged, torch.stack(path))


def averaged_perceptron_fit(
    x: Tensor, y: Tensor, epochs: int = 10, seed: int | None = None
) -> tuple[Tensor, Tensor]:
    """Mean of the weights over all examples seen, which does not jump with the last mistake.

    Args:
        x: Examples, (N, D).
        y: Labels, -1 or +1, (N,).
        epochs: Passes over the data; all of them are made.
        seed: With a seed each pass has a new random order; without, the rows are taken as they stand.

    Returns:
        The averaged ``w`` (D,) and ``b`` ().

    Raises:
        ValueError: As :func:`perceptron_fit`.

    Source: Freund and Schapire (1999), Large margin classification using the perceptron algorithm.

    Chapter: The perceptron (linear-separability)
    """
    _check_examples(x, y)
    _check_schedule(epochs)
    y = y.to(x.dtype)
    w, b = x.new_zeros(x.shape[1]), x.new_zeros(())
    total_w, total_b = torch.zeros_like(w), torch.zeros_like(b)
    for order in _order(len(x), epochs, seed):
        for n in order:
            w, b = perceptron_step(x[n], y[n], w, b)
            total_w, total_b = total_w + w, total_b + b
    return total_w / (epochs * len(x)), total_b / (epochs * len(x))


def pocket_fit(x: Tensor, y: Tensor, epochs: int = 100, seed: int | None = None) -> tuple[Tensor, Tensor]:
    """Perceptron that keeps in its pocket the weights with the fewest errors so far.

    After every mistake the new weights are tried on all examples, so that the pocket can only get better (the version
    with the ratchet).

    Args:
        x: Examples, (N, D).
        y: Labels, -1 or +1, (N,).
        epochs: Most passes over the data; it stops early when the pocket has no error.
        seed: With a seed each pass has a new random order; without, the rows are taken as they stand.

    Returns:
        The best ``w`` (D,) and ``b`` () met.

    Raises:
        ValueError: As :func:`perceptron_fit`.

    Source: Gallant (1990), Perceptron-based learning algorithms.

    Chapter: The perceptron (linear-separability)
    """
    _check_examples(x, y)
    _check_schedule(epochs)
    y = y.to(x.dtype)
    w, b = x.new_zeros(x.shape[1]), x.new_zeros(())
    pocket, fewest = (w, b), int((perceptron_predict(x, w, b) != y).sum())
    for order in _order(len(x), epochs, seed):
        for n in order:
            if y[n] * (w @ x[n] + b) > 0:
                continue
            w, b = w + y[n] * x[n], b + y[n]
            errors = int((perceptron_predict(x, w, b) != y).sum())
            if errors < fewest:
                pocket, fewest = (w, b), errors
        if fewest == 0:
            break
    return pocket


def multiclass_perceptron_fit(
    x: Tensor, labels: Tensor, classes: int, epochs: int = 10, seed: int | None = None
) -> tuple[Tensor, Tensor]:
    """Perceptron with one weight vector per class; the class with the largest score wins.

    At a mistake the example is added to the weights of its own class and subtracted from those of the class that won.
    At a tie the first class wins.

    Args:
        x: Examples, (N, D).
        labels: Index of the class of each row, integers, (N,).
        classes: Number of classes K.
        epochs: Most passes over the data; it stops early after one without a mistake.
        seed: With a seed each pass has a new random order; without, the rows are taken as they stand.

    Returns:
        ``w`` (D, K) and ``b`` (K,).

    Raises:
        ValueError: If the shapes do not fit, there are no examples, a label is not an integer in 0 ... K-1, or there is
            no pass.

    Source: Duda and Hart (1973), Pattern classification and scene analysis, on Kesler's construction.

    Chapter: The perceptron (linear-separability)
    """
    if x.dim() != 2 or labels.shape != x.shape[:1] or len(x) == 0:
        raise ValueError(
            f"expected x (N, D) and labels (N,) with N > 0, got x {tuple(x.shape)} and labels {tuple(labels.shape)}"
        )
    if labels.is_floating_point() or labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels must be integers in 0 ... {classes - 1}")
    _check_schedule(epochs)
    w, b = x.new_zeros(x.shape[1], classes), x.new_zeros(classes)
    targets = labels.tolist()
    for order in _order(len(x), epochs, seed):
        mistakes = 0
        for n in order:
            guess, target = int((x[n] @ w + b).argmax()), targets[n]
            if guess != target:
                w[:, target] += x[n]
                w[:, guess] -= x[n]
                b[target] += 1
                b[guess] -= 1
                mistakes += 1
        if mistakes == 0:
            break
    return w, b


def margin(x: Tensor, y: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Smallest signed distance ``y (w . x + b) / |w|`` of an example from the hyperplane: negative if one is wrong.

    Args:
        x: Examples, (N, D).
        y: Labels, -1 or +1, (N,).
        w: Weights, (D,), not all zero.
        b: Bias, 0-dimensional.

    Returns:
        The margin in the units of ``x``, 0-dimensional.

    Raises:
        ValueError: If the shapes do not fit, there are no examples, a label is neither -1 nor +1, or ``w`` is zero.

    Source: Novikoff (1962), On convergence proofs on perceptrons.

    Chapter: The perceptron (hyperplane-distance)
    """
    _check_examples(x, y)
    _check_weights(x, w, b)
    length = torch.linalg.vector_norm(w)
    if length == 0:
        raise ValueError("w is zero: there is no hyperplane to be at a distance from")
    return (y * (x @ w + b)).min() / length


def novikoff_bound(x: Tensor, y: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Most mistakes that the perceptron can make on these data: ``(R / gamma)**2``.

    The bias counts as the weight of a constant input 1. ``R`` is the length of the longest example with this input,
    ``gamma`` the smallest ``y (w . x + b) / |(w, b)|``. Any separating ``(w, b)`` gives a bound; the one with the
    largest ``gamma`` gives the best.

    Args:
        x: Examples, (N, D).
        y: Labels, -1 or +1, (N,).
        w: Weights that separate the classes, (D,).
        b: Bias, 0-dimensional.

    Returns:
        The bound, 0-dimensional; infinite if ``(w, b)`` does not separate the classes.

    Raises:
        ValueError: If the shapes do not fit, there are no examples, or a label is neither -1 nor +1.

    Source: Novikoff (1962), On convergence proofs on perceptrons.

    Chapter: The perceptron (perceptron-convergence)
    """
    _check_examples(x, y)
    _check_weights(x, w, b)
    squared_radius = (x**2).sum(dim=1).max() + 1
    smallest = (y * (x @ w + b)).min()
    if not smallest > 0:
        return torch.full_like(smallest, math.inf)
    return squared_radius * (w @ w + b**2) / smallest**2
