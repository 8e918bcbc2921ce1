"""The training loop learns, stops, repeats itself, and says when it cannot go on."""

from __future__ import annotations

import io
import os
import sys

import numpy as np
import pytest
import torch
from torch import nn

from neuralnotes import data, optimizers, training

cross_entropy = nn.functional.cross_entropy


def network(seed, units=16, dropout=0.0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(2, units), nn.ReLU(), nn.Dropout(dropout), nn.Linear(units, 2))


def fit_moons(seed, *, make=lambda p: torch.optim.Adam(p, lr=0.03), model=None, epochs=40, **options):
    model = model or network(seed)
    history = training.fit(
        model,
        cross_entropy,
        data.moons(200, seed=seed),
        data.moons(200, seed=seed + 100),
        optimizer=make(model.parameters()),
        epochs=epochs,
        batch_size=20,
        seed=seed,
        metrics={"accuracy": training.accuracy},
        progress=False,
        **options,
    )
    return model, history


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.Adam(p, lr=0.03),
        lambda p: torch.optim.SGD(p, lr=0.3),
        lambda p: optimizers.Adam(p, 0.03),
        lambda p: optimizers.Momentum(p, 0.05),
    ],
    ids=["torch.Adam", "torch.SGD", "Adam", "Momentum"],
)
def test_it_learns_moons(make):
    held_out = training.repeat_over_seeds(
        lambda seed: fit_moons(seed, make=make, epochs=80)[1].validation_metrics["accuracy"][-1], range(3)
    )
    assert held_out.shape == (3,) and held_out.min() > 0.95


def test_history_agrees_with_the_trained_model():
    model, history = fit_moons(0, epochs=5)
    x, labels = data.moons(200, seed=100)
    outputs = model(torch.tensor(x, dtype=torch.float32))
    expected = cross_entropy(outputs, torch.tensor(labels)).item()
    assert history.validation_loss[-1] == pytest.approx(expected, rel=1e-5)
    assert history.validation_metrics["accuracy"][-1] == pytest.approx(
        training.accuracy(outputs.detach(), torch.tensor(labels))
    )
    assert len(history.train_loss) == len(history.validation_loss) == len(history.train_metrics["accuracy"]) == 5
    assert history.best_epoch == int(np.argmin(history.validation_loss)) and not history.stopped_early
    assert not model.training


def test_a_short_last_minibatch_counts_by_its_size():
    # Learning rate 0 as good as: the mean over minibatches of 3, 3 and 1 must be the mean over the 7 examples.
    x = np.arange(7.0)[:, None]
    weight = torch.tensor([[1.0]], dtype=torch.float64, requires_grad=True)
    history = training.fit(
        lambda x: x @ weight,
        lambda outputs, targets: (outputs - targets).square().mean(),
        (x, np.zeros((7, 1))),
        (x, np.zeros((7, 1))),
        optimizer=torch.optim.SGD([weight], lr=0.0),
        epochs=1,
        batch_size=3,
        seed=0,
        progress=False,
    )
    assert history.train_loss == history.validation_loss == pytest.approx([np.mean(np.arange(7.0) ** 2)])


def test_a_plain_function_of_tensors_trains_in_the_dtype_of_its_parameters():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3)).astype(np.float32)
    truth = np.array([[1.0], [-2.0], [0.5]])
    w = torch.zeros(3, 1, dtype=torch.float64, requires_grad=True)
    training.fit(
        lambda x: x @ w,
        nn.functional.mse_loss,
        (x, x @ truth),
        optimizer=optimizers.SGD([w], 0.1),
        epochs=60,
        batch_size=10,
        seed=0,
        progress=False,
    )
    np.testing.assert_allclose(w.detach().numpy(), truth, atol=1e-6)


def test_the_same_seed_gives_the_same_history_also_with_dropout():
    first = fit_moons(0, model=network(0, dropout=0.3), epochs=4)[1]
    torch.rand(3)  # what was drawn before makes no difference
    second = fit_moons(0, model=network(0, dropout=0.3), epochs=4)[1]
    assert first == second
    other = training.fit(
        (model := network(0, dropout=0.3)),
        cross_entropy,
        data.moons(200, seed=0),
        optimizer=torch.optim.Adam(model.parameters(), lr=0.03),
        epochs=4,
        batch_size=20,
        seed=1,
        progress=False,
    )
    assert other.train_loss != first.train_loss
    assert not model.training and other.validation_loss == [] and other.best_epoch is None


def test_fit_leaves_the_global_generators_alone():
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    fit_moons(0, model=network(0, dropout=0.3), epochs=1)
    assert torch.equal(torch_before, torch.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])


class Walk:
    """An optimizer that walks a parameter along a path, whatever the gradient."""

    def __init__(self, parameter, path):
        self.parameters, self.path = [parameter], iter(path)

    def zero_grad(self):
        self.parameters[0].grad = None

    @torch.no_grad()
    def step(self):
        self.parameters[0].fill_(next(self.path))


def walk(path, patience, model=None):
    """Train on a loss that is the square of the parameter, one step an epoch."""
    position = model.position if model else torch.tensor(9.0, requires_grad=True)
    history = training.fit(
        model or (lambda x: position.expand(len(x))),
        lambda outputs, targets: outputs.square().mean(),
        (np.zeros(2), np.zeros(2)),
        (np.zeros(2), np.zeros(2)),
        optimizer=Walk(position, path),
        epochs=len(path),
        batch_size=2,
        seed=0,
        patience=patience,
        progress=False,
    )
    return position.item(), history


def test_early_stopping_restores_the_best_parameters():
    position, history = walk([5.0, 2.0, 3.0, 2.0, 1.0, 0.0], patience=2)
    assert history.stopped_early and history.best_epoch == 1
    assert history.validation_loss == [25.0, 4.0, 9.0, 4.0], "an equal loss is no progress"
    assert position == 2.0


def test_patience_is_counted_from_the_last_progress():
    position, history = walk([5.0, 6.0, 4.0, 6.0, 3.0, 6.0], patience=2)
    assert not history.stopped_early and history.best_epoch == 4
    assert position == 3.0, "the best parameters come back also when the epochs run out"


def test_without_patience_the_last_parameters_stay():
    position, history = walk([1.0, 5.0], patience=None)
    assert position == 5.0 and history.best_epoch == 0


def test_early_stopping_restores_buffers_too():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.position = nn.Parameter(torch.tensor(9.0))
            self.register_buffer("seen", torch.tensor(0))

        def forward(self, x):
            if self.training:
                self.seen += 1
            return self.position.expand(len(x))

    model = Counter()
    walk([1.0, 2.0, 3.0], patience=2, model=model)
    assert model.position.item() == 1.0 and model.seen.item() == 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_training(bad):
    position = torch.tensor(1.0, requires_grad=True)
    taken = []

    def loss(outputs, targets):
        taken.append(1)
        return outputs.mean() * (bad if len(taken) == 4 else 1.0)

    with pytest.raises(training.TrainingDiverged, match=f"training loss is {bad} in epoch 2.*smaller learning rate"):
        training.fit(
            lambda x: position.expand(len(x)),
            loss,
            (np.zeros(6), np.zeros(6)),
            optimizer=torch.optim.SGD([position], lr=0.1),
            epochs=5,
            batch_size=2,
            seed=0,
            progress=False,
        )
    assert position.item() == pytest.approx(0.7), "three good steps, none from the bad loss"


def test_a_validation_loss_that_is_no_number_stops_the_training():
    with pytest.raises(training.TrainingDiverged, match="validation loss is inf in epoch 1"):
        walk([1e30], patience=None)


def test_a_learning_rate_that_is_too_large_is_reported():
    with pytest.raises(training.TrainingDiverged):
        fit_moons(0, make=lambda p: torch.optim.SGD(p, lr=1e20))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"batch_size": 0}, "batch_size >= 1"),
        ({"patience": 3}, "give validation="),
        ({"patience": 0, "validation": (np.zeros((4, 2)), np.zeros(4, int))}, "patience must be at least 1"),
        ({"train": (np.zeros((4, 2)), np.zeros(3, int))}, "got 4 and 3"),
        ({"train": (np.zeros((0, 2)), np.zeros(0, int))}, "at least one"),
        ({"validation": (np.zeros((0, 2)), np.zeros(0, int))}, "validation needs"),
    ],
)
def test_bad_arguments(change, message):
    model = network(0)
    given = {"train": (np.zeros((4, 2)), np.zeros(4, int)), "epochs": 1, "batch_size": 2, "seed": 0, "progress": False}
    given |= change
    with pytest.raises(ValueError, match=message):
        training.fit(model, cross_entropy, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), **given)


def run_with_stderr(monkeypatch, terminal, progress):
    class Stream(io.StringIO):
        def isatty(self):
            return terminal

    stream = Stream()
    monkeypatch.setattr(sys, "stderr", stream)
    model = network(0)
    training.fit(
        model,
        cross_entropy,
        data.moons(20),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        epochs=2,
        batch_size=5,
        seed=0,
        progress=progress,
    )
    return stream.getvalue()


def test_progress_is_for_someone_who_watches(monkeypatch):
    assert "0/2" in run_with_stderr(monkeypatch, terminal=True, progress=True)
    assert run_with_stderr(monkeypatch, terminal=True, progress=False) == ""
    assert run_with_stderr(monkeypatch, terminal=False, progress=True) == ""


@pytest.mark.slow
def test_a_notebook_shows_progress_to_a_reader_and_keeps_none_when_executed():
    manager = pytest.importorskip("jupyter_client.manager")
    code = (
        "import torch; from neuralnotes import data, training\n"
        "model = torch.nn.Linear(2, 2)\n"
        "history = training.fit(model, torch.nn.functional.cross_entropy, data.moons(20), epochs=2, batch_size=5,\n"
        "    seed=0, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))\n"
        "print(len(history.train_loss))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    kernel, client = manager.start_new_kernel(kernel_name="python3", env=environment)
    streams = {}
    try:
        for reader in (True, False):  # JupyterLab lets a cell ask for input, nbclient does not
            messages = []
            client.execute_interactive(code, allow_stdin=reader, output_hook=messages.append, timeout=120)
            streams[reader] = {
                m["content"]["name"]: m["content"]["text"] for m in messages if m["msg_type"] == "stream"
            }
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
    assert streams[False] == {"stdout": "2\n"}
    assert set(streams[True]) == {"stdout", "stderr"}


# --- pieces -----------------------------------------------------------------------------------------------------------


def test_minibatches_hold_every_example_once():
    rng = np.random.default_rng(0)
    first, second = (list(training.minibatches(10, 4, rng)) for _ in range(2))
    assert [len(batch) for batch in first] == [4, 4, 2]
    assert sorted(np.concatenate(first)) == list(range(10))
    assert not np.array_equal(np.concatenate(first), np.concatenate(second)), "each epoch has its own order"
    again = list(training.minibatches(10, 4, np.random.default_rng(0)))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    for arguments in ((0, 4), (10, 0)):
        with pytest.raises(ValueError, match="batch_size >= 1"):
            next(training.minibatches(*arguments, rng))


@pytest.mark.parametrize("convert", [np.array, torch.tensor])
def test_accuracy(convert):
    assert training.accuracy(convert([[1.0, 2.0], [2.0, 1.0], [0.0, 0.0]]), convert([1, 1, 0])) == pytest.approx(2 / 3)
    assert training.accuracy(convert([0.1, -0.1, 0.0, 5.0]), convert([1, 0, 1, 1])) == 0.75
    with pytest.raises(ValueError, match=r"\(3, 2\), \(2,\)"):
        training.accuracy(convert([[1.0, 2.0]] * 3), convert([1, 1]))
    with pytest.raises(ValueError, match=r"\(0,\)"):
        training.accuracy(convert([]), convert([]))


def test_repeat_over_seeds_and_spread():
    results = training.repeat_over_seeds(lambda seed: [seed, 10.0], [1, 2, 6])
    np.testing.assert_array_equal(results, [[1, 10], [2, 10], [6, 10]])
    mean, spread = training.mean_and_spread(results)
    np.testing.assert_allclose(mean, [3.0, 10.0])
    np.testing.assert_allclose(spread, [np.sqrt(7.0), 0.0])
    with pytest.raises(ValueError, match="at least one seed"):
        training.repeat_over_seeds(lambda seed: seed, [])
    with pytest.raises(ValueError, match="same shape"):
        training.repeat_over_seeds(lambda seed: np.zeros(seed), [1, 2])
    with pytest.raises(ValueError, match="at least two runs"):
        training.mean_and_spread([1.0])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_data_follow_the_model_to_the_gpu():
    model, history = fit_moons(0, model=network(0).cuda(), patience=5)
    assert all(p.is_cuda for p in model.parameters())
    assert max(history.validation_metrics["accuracy"]) > 0.95
