"""A small training loop: minibatches, a history, early stopping, and runs over several seeds.

The loop knows nothing of the model but that it maps a batch to outputs; a torch module will do, and so will a plain
function of tensors. The optimizer is one of `neuralnotes.optimizers` or of `torch.optim`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm


class TrainingDiverged(ArithmeticError):
    """The loss became infinite or not a number."""


@dataclass
class History:
    """What `fit` saw, one entry per epoch.

    Attributes:
        train_loss: mean over the examples, each taken as its minibatch came by, while the parameters moved.
        validation_loss: mean over the validation examples after the epoch; empty without validation data.
        train_metrics: for each metric, likewise.
        validation_metrics: for each metric, likewise.
        best_epoch: index of the epoch with the smallest validation loss; None without validation data.
        stopped_early: whether `patience` ended the training.
    """

    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    train_metrics: dict[str, list[float]] = field(default_factory=dict)
    validation_metrics: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int | None = None
    stopped_early: bool = False


def fit(
    model: Callable[[Tensor], Tensor],
    loss: Callable[[Tensor, Tensor], Tensor],
    train: tuple,
    validation: tuple | None = None,
    *,
    optimizer,
    epochs: int,
    batch_size: int,
    seed: int,
    metrics: Mapping[str, Callable[[Tensor, Tensor], float]] | None = None,
    patience: int | None = None,
    progress: bool = True,
) -> History:
    """Train a model on minibatches.

    The data goes to the device of the optimizer's parameters, floating-point numbers also to their dtype. The seed
    decides the order of the examples and whatever the model draws on the way, such as dropout masks; torch's own
    generators are put back afterwards. The same seed gives the same history on the same machine.

    Args:
        model: maps a batch (B, ...) to outputs (B, ...). A module is switched to training and evaluation mode, and is
            in evaluation mode on return.
        loss: maps outputs and targets to a scalar tensor, the mean over the batch.
        train: inputs (N, ...) and targets (N, ...), NumPy arrays or tensors.
        validation: the same for examples held out, or None.
        optimizer: holds the parameters; has `zero_grad()` and `step()`.
        epochs: how often every example is seen, at most.
        batch_size: examples per step; the last step of an epoch takes what is left.
        seed: of this run.
        metrics: functions of outputs and targets that return a mean over the batch, by name, e.g.
            `{"accuracy": accuracy}`.
        patience: stop after so many epochs in a row without a smaller validation loss, and at the end put the
            parameters of the best epoch back. None trains to the end and keeps the last parameters.
        progress: show a progress bar, in a terminal or to someone at a notebook. A notebook that is executed with
            nobody there, as for the book, gets none.

    Returns:
        The history. The model is trained in place.

    Raises:
        TrainingDiverged: if a loss is infinite or not a number; the parameters are those that gave it.
        ValueError: if the data are empty or differ in length, if `epochs`, `batch_size` or `patience` is less than 1,
            or if `patience` is given without validation data.

    Chapter: Gradient descent
    """
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1; got {epochs}.")
    if patience is not None and validation is None:
        raise ValueError("Early stopping watches the validation loss: give validation=(x, targets), or no patience.")
    if patience is not None and patience < 1:
        raise ValueError(f"patience must be at least 1; got {patience}.")
    metrics = dict(metrics or {})
    parameters = _parameters(optimizer)
    x, targets = _tensors(train, parameters[0], "train")
    held_out = None if validation is None else _tensors(validation, parameters[0], "validation")

    history = History(train_metrics={m: [] for m in metrics})
    if held_out is not None:
        history.validation_metrics = {m: [] for m in metrics}
    rng = np.random.default_rng(seed)
    best = None
    with _seeded(seed, x.device), tqdm(total=epochs, disable=not (progress and _watched()), leave=False) as bar:
        for epoch in range(epochs):
            _set_mode(model, training=True)
            sums = np.zeros(1 + len(metrics))
            for indices in minibatches(len(x), batch_size, rng):
                batch = torch.from_numpy(indices).to(x.device)
                optimizer.zero_grad()
                outputs = model(x[batch])
                value = loss(outputs, targets[batch])
                _check_finite(value.item(), "training", epoch)
                value.backward()
                optimizer.step()
                sums += len(indices) * _measure(value, outputs.detach(), targets[batch], metrics)
            _record(sums / len(x), history.train_loss, history.train_metrics)
            shown = f"loss {history.train_loss[-1]:.4f}"

            if held_out is not None:
                means = _evaluate(model, loss, *held_out, batch_size, metrics)
                _check_finite(means[0], "validation", epoch)
                _record(means, history.validation_loss, history.validation_metrics)
                shown += f", validation {history.validation_loss[-1]:.4f}"
                if history.best_epoch is None or means[0] < history.validation_loss[history.best_epoch]:
                    history.best_epoch = epoch
                    if patience is not None:
                        best = _snapshot(model, parameters)
            bar.set_postfix_str(shown, refresh=False)
            bar.update()
            if patience is not None and epoch - history.best_epoch >= patience:
                history.stopped_early = True
                break
    _set_mode(model, training=False)
    if best is not None:
        _restore(model, parameters, best)
    return history


def minibatches(n: int, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the indices of one epoch: every example once, in random order, `batch_size` at a time.

    Args:
        n: number of examples.
        batch_size: indices per minibatch; the last one holds what is left.
        rng: generator; each epoch draws a new order from it.

    Yields:
        (batch_size,), int64.

    Raises:
        ValueError: if `n` or `batch_size` is less than 1.

    Chapter: Gradient descent
    """
    if n < 1 or batch_size < 1:
        raise ValueError(f"minibatches needs at least 1 example and batch_size >= 1; got {n} and {batch_size}.")
    order = rng.permutation(n)
    for start in range(0, n, batch_size):
        yield order[start : start + batch_size]


def accuracy(outputs: Tensor | np.ndarray, labels: Tensor | np.ndarray) -> float:
    """Return the share of examples whose predicted class is their label.

    Args:
        outputs: scores or logits (N, C), the largest wins, the first of equals; or (N,), logits of class 1 against
            class 0, class 1 above zero.
        labels: classes (N,).

    Returns:
        A number in [0, 1].

    Raises:
        ValueError: if the shapes do not fit or there are no examples.

    Chapter: Learning from data (regression-vs-classification)
    """
    if outputs.ndim not in (1, 2) or outputs.shape[:1] != labels.shape or len(labels) == 0:
        raise ValueError(
            f"accuracy needs outputs (N, C) or (N,) and labels (N,); got {tuple(outputs.shape)}, {tuple(labels.shape)}."
        )
    predicted = outputs.argmax(1) if outputs.ndim == 2 else outputs > 0
    return float((predicted == labels).sum()) / len(labels)


def repeat_over_seeds(run: Callable[[int], float | np.ndarray], seeds: Iterable[int]) -> np.ndarray:
    """Return the results of an experiment run once for each seed.

    Args:
        run: maps a seed to a number or to an array that has the same shape for every seed.
        seeds: e.g. `range(5)`.

    Returns:
        (seeds, ...), float64.

    Raises:
        ValueError: if there are no seeds or the results differ in shape.

    Chapter: Generalization and regularization
    """
    results = [np.asarray(run(seed), dtype=float) for seed in seeds]
    if not results:
        raise ValueError("repeat_over_seeds needs at least one seed.")
    shapes = {result.shape for result in results}
    if len(shapes) > 1:
        raise ValueError(f"run must return the same shape for every seed; it returned {sorted(shapes)}.")
    return np.stack(results)


def mean_and_spread(results: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and sample standard deviation over the runs.

    Args:
        results: (runs, ...), at least two runs.

    Returns:
        Mean (...) and standard deviation (...) with the divisor runs - 1.

    Raises:
        ValueError: if there are fewer than two runs: one run has no spread.

    Chapter: Generalization and regularization
    """
    results = np.asarray(results, dtype=float)
    if results.ndim < 1 or len(results) < 2:
        raise ValueError("A spread needs at least two runs; repeat the experiment over more seeds.")
    return results.mean(axis=0), results.std(axis=0, ddof=1)


# --- fit, step by step ------------------------------------------------------------------------------------------------


def _parameters(optimizer) -> list[Tensor]:
    if hasattr(optimizer, "param_groups"):  # torch.optim
        return [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return list(optimizer.parameters)


def _tensors(data: tuple, like: Tensor, what: str) -> tuple[Tensor, Tensor]:
    x, targets = (torch.as_tensor(array) for array in data)
    if len(x) == 0 or len(x) != len(targets):
        raise ValueError(f"{what} needs as many inputs as targets, at least one; got {len(x)} and {len(targets)}.")
    x, targets = (t.to(like.device, like.dtype if t.is_floating_point() else None) for t in (x, targets))
    return x, targets


def _measure(value: Tensor, outputs: Tensor, targets: Tensor, metrics: Mapping[str, Callable]) -> np.ndarray:
    return np.array([value.item()] + [float(metric(outputs, targets)) for metric in metrics.values()])


def _record(means: np.ndarray, losses: list[float], metrics: dict[str, list[float]]) -> None:
    losses.append(float(means[0]))
    for name, mean in zip(metrics, means[1:], strict=True):
        metrics[name].append(float(mean))


@torch.no_grad()
def _evaluate(model, loss, x: Tensor, targets: Tensor, batch_size: int, metrics: Mapping[str, Callable]) -> np.ndarray:
    _set_mode(model, training=False)
    sums = np.zeros(1 + len(metrics))
    for some_x, some_targets in zip(x.split(batch_size), targets.split(batch_size), strict=True):
        outputs = model(some_x)
        sums += len(some_x) * _measure(loss(outputs, some_targets), outputs, some_targets, metrics)
    return sums / len(x)


def _check_finite(value: float, what: str, epoch: int) -> None:
    if not math.isfinite(value):
        raise TrainingDiverged(
            f"The {what} loss is {value} in epoch {epoch + 1}. Try a smaller learning rate; if that does not help, "
            "look for infinite or missing numbers in the data, and for log(0), division by 0 or exp of a large number."
        )


def _set_mode(model, *, training: bool) -> None:
    if isinstance(model, nn.Module):
        model.train(training)


def _snapshot(model, parameters: list[Tensor]) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in _state(model, parameters)]


@torch.no_grad()
def _restore(model, parameters: list[Tensor], saved: list[Tensor]) -> None:
    for tensor, old in zip(_state(model, parameters), saved, strict=True):
        tensor.copy_(old)


def _state(model, parameters: list[Tensor]) -> list[Tensor]:
    # A module has more than its parameters: the running means of batch normalization, for one.
    return list(model.state_dict().values()) if isinstance(model, nn.Module) else parameters


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators of the CPU and of `device` inside the block, and put them back after it."""
    cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def _watched() -> bool:
    """Return whether someone can see a progress bar: at a terminal, or at a notebook that could ask for input."""
    if sys.stderr.isatty():
        return True
    # A program that executes a notebook (for the book, for a grade) tells the kernel that nobody answers questions.
    # Without this check the bar would stay in the notebook's output.
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython(), "kernel", None) if ipython else None
    return bool(getattr(kernel, "_allow_stdin", False))
