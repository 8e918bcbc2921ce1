from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from sklearn.svm import SVC

from neuralnotes import data, perceptron


def separable(n=30, gap=0.2, seed=0):
    x, labels = data.separable(n, gap, seed)
    return torch.from_numpy(x), torch.from_numpy(2.0 * labels - 1)


def widest(x, y):
    """The separator with the largest margin when the bias counts as a weight: a hard-margin machine without a bias."""
    augmented = np.hstack([x.numpy(), np.ones((len(x), 1))])
    mirrored = y.numpy()[:, None] * augmented  # all of these must be on the positive side
    machine = SVC(kernel="linear", C=1e8, tol=1e-9)
    # A point and its mirror image: the machine's own bias is then zero.
    machine.fit(np.vstack([mirrored, -mirrored]), np.repeat([1, -1], len(x)))
    w = torch.tensor(machine.coef_[0])
    return w[:-1], w[-1]


def by_hand(x, y, epochs=1000):
    """The learning rule once more, on lists of numbers with the bias as a weight."""
    weights, mistakes = [0.0] * (len(x[0]) + 1), []
    for epoch in range(1, epochs + 1):
        wrong = 0
        for n, (row, label) in enumerate(zip(x, y, strict=True)):
            row = [*row, 1.0]
            if label * sum(a * b for a, b in zip(weights, row, strict=True)) <= 0:
                weights = [a + label * b for a, b in zip(weights, row, strict=True)]
                mistakes.append(n)
                wrong += 1
        if not wrong:
            return weights, mistakes, epoch, True
    return weights, mistakes, epochs, False


def test_predictions(normal, device, check_conduct):
    x, w, b = normal(6, 3), normal(3), normal()
    expected = torch.tensor([1.0 if sum(row * w) + b >= 0 else -1.0 for row in x], dtype=torch.float64)
    assert torch.equal(perceptron.perceptron_predict(x, w, b), expected)
    on_the_line = perceptron.perceptron_predict(torch.zeros(1, 3), torch.zeros(3), torch.tensor(0.0))
    assert on_the_line.item() == 1
    check_conduct(perceptron.perceptron_predict, [x, w, b], device)


@pytest.mark.parametrize("label", [-1.0, 1.0])
def test_one_step(label, normal):
    x, w, b = normal(3), normal(3), normal()
    y = torch.tensor(label, dtype=torch.float64)
    new_w, new_b = perceptron.perceptron_step(x, y, w, b, rate=0.5)
    if label * (w @ x + b) > 0:
        assert torch.equal(new_w, w) and new_b == b
    else:
        torch.testing.assert_close(new_w, w + 0.5 * label * x)
        torch.testing.assert_close(new_b, b + 0.5 * label)
    zero = torch.zeros(3, dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    assert torch.equal(perceptron.perceptron_step(x, y, *zero)[0], label * x), "a point on the line is a mistake"


@pytest.mark.parametrize("seed", range(5))
def test_the_run_is_the_one_made_by_hand(seed):
    x, y = separable(seed=seed)
    run = perceptron.perceptron_fit(x, y, epochs=1000)
    weights, mistakes, epochs, converged = by_hand(x.tolist(), y.tolist())
    assert (run.mistakes, run.epochs, run.converged) == (mistakes, epochs, converged)
    assert run.converged
    torch.testing.assert_close(torch.cat([run.w, run.b[None]]), torch.tensor(weights, dtype=torch.float64))
    assert run.path.shape == (len(mistakes) + 1, 3) and not run.path[0].any()
    augmented = torch.cat([x, torch.ones(len(x), 1)], dim=1)
    steps = y[run.mistakes, None] * augmented[run.mistakes]
    torch.testing.assert_close(run.path[1:] - run.path[:-1], steps)
    assert torch.equal(perceptron.perceptron_predict(x, run.w, run.b), y)


def test_the_rate_only_scales_the_weights():
    x, y = separable(seed=3)
    one, small = (perceptron.perceptron_fit(x, y, rate=rate) for rate in (1.0, 0.125))
    assert one.mistakes == small.mistakes
    torch.testing.assert_close(0.125 * one.path, small.path)


def test_a_seed_shuffles():
    x, y = separable(seed=1)
    runs = [perceptron.perceptron_fit(x, y, epochs=1000, seed=seed) for seed in (1, 1, 2)]
    assert runs[0].mistakes == runs[1].mistakes != runs[2].mistakes
    assert all(torch.equal(perceptron.perceptron_predict(x, run.w, run.b), y) for run in runs)


@pytest.mark.parametrize("seed", range(20))
def test_mistakes_never_exceed_the_bound(seed):
    x, y = separable(n=20, gap=0.1, seed=seed)
    w, b = widest(x, y)
    bound = perceptron.novikoff_bound(x, y, w, b)
    run = perceptron.perceptron_fit(x, y, epochs=100_000)
    assert run.converged and 0 < len(run.mistakes) <= bound < math.inf
    # The lengths on the way lie in the wedge of the proof.
    k = torch.arange(len(run.path))
    length, radius = run.path.norm(dim=1), math.sqrt((x**2).sum(1).max() + 1)
    gamma = radius / bound.sqrt()
    assert (length >= gamma * k - 1e-9).all() and (length <= radius * k.sqrt() + 1e-9).all()


def test_the_bound_by_its_definition(normal):
    x, y = separable(seed=4)
    w, b = widest(x, y)
    augmented, weights = torch.cat([x, torch.ones(len(x), 1)], 1), torch.cat([w, b[None]])
    gamma = min((label * (row @ weights) / weights.norm()).item() for row, label in zip(augmented, y, strict=True))
    radius = max(row.norm().item() for row in augmented)
    assert perceptron.novikoff_bound(x, y, w, b).item() == pytest.approx((radius / gamma) ** 2)
    assert perceptron.novikoff_bound(x, y, 7 * w, 7 * b).item() == pytest.approx((radius / gamma) ** 2)
    assert perceptron.novikoff_bound(x, -y, w, b).item() == math.inf
    # Nothing is better than the widest margin.
    for _ in range(50):
        other = weights + 0.1 * normal(3)
        assert perceptron.novikoff_bound(x, y, other[:2], other[2]) >= (radius / gamma) ** 2 - 1e-6


def test_margin():
    w, b = torch.tensor([3.0, 4.0]), torch.tensor(-10.0)
    assert perceptron.margin(torch.zeros(1, 2), torch.tensor([-1.0]), w, b).item() == 2.0
    x, y = torch.tensor([[6.0, 8.0], [2.0, 1.0]]), torch.tensor([1.0, -1.0])
    assert perceptron.margin(x, y, w, b).item() == 0.0
    assert perceptron.margin(x, -y, w, b).item() == -8.0
    with pytest.raises(ValueError, match="w is zero"):
        perceptron.margin(x, y, torch.zeros(2), b)


def test_data_that_no_line_separates():
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([-1.0, 1.0, 1.0, -1.0])
    run = perceptron.perceptron_fit(x, y, epochs=50)
    assert not run.converged and run.epochs == 50 and len(run.mistakes) >= 50
    assert len(torch.unique(run.path, dim=0)) == 4, "the weights go round in a circle"
    w, b = perceptron.pocket_fit(x, y, seed=0)
    assert (perceptron.perceptron_predict(x, w, b) == y).sum() == 3, "the best that a line can do"


def test_the_variants_do_better_where_classes_overlap():
    errors = {"last": [], "averaged": [], "pocket": []}
    for seed in range(5):
        x, labels = data.blobs(200, noise=1.6, classes=2, seed=seed)
        x, y = torch.from_numpy(x), torch.from_numpy(2.0 * labels - 1)
        run = perceptron.perceptron_fit(x, y, epochs=20, seed=0)
        for name, (w, b) in {
            "last": run[:2],
            "averaged": perceptron.averaged_perceptron_fit(x, y, epochs=20, seed=0),
            "pocket": perceptron.pocket_fit(x, y, epochs=20, seed=0),
        }.items():
            errors[name].append((perceptron.perceptron_predict(x, w, b) != y).sum().item())
        # The pocket holds the best of all weights that the plain rule goes through.
        on_the_way = [(perceptron.perceptron_predict(x, step[:2], step[2]) != y).sum().item() for step in run.path]
        assert errors["pocket"][-1] == min(on_the_way)
    assert sum(errors["pocket"]) <= sum(errors["averaged"]) < sum(errors["last"])


def test_the_average_by_its_definition():
    x, y = separable(n=7, seed=2)
    weights, total = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    augmented = torch.cat([x, torch.ones(7, 1)], 1)
    for _, n in itertools.product(range(3), range(7)):
        if y[n] * (weights @ augmented[n]) <= 0:
            weights = weights + y[n] * augmented[n]
        total += weights
    w, b = perceptron.averaged_perceptron_fit(x, y, epochs=3)
    torch.testing.assert_close(torch.cat([w, b[None]]), total / 21)


def test_several_classes():
    digits = data.digits()
    x = torch.from_numpy(digits.x_train[:300]).flatten(1).double()
    labels = torch.from_numpy(digits.labels_train[:300])
    w, b = perceptron.multiclass_perceptron_fit(x, labels, 10, epochs=200)
    assert ((x @ w + b).argmax(1) == labels).all(), "these are separable, so that it stops without an error"
    assert not w.sum(1).any() and b.sum() == 0, "what one class gains another loses"
    # Two classes: the difference of the two columns is the perceptron, but for ties.
    x, y = separable(seed=5)
    w, b = perceptron.multiclass_perceptron_fit(x, ((y + 1) / 2).long(), 2, epochs=1000)
    assert torch.equal(perceptron.perceptron_predict(x, w[:, 1] - w[:, 0], b[1] - b[0]), y)


FITS = [
    lambda x, y: perceptron.perceptron_fit(x, y, epochs=5)[:2],
    lambda x, y: perceptron.averaged_perceptron_fit(x, y, epochs=2),
    lambda x, y: perceptron.pocket_fit(x, y, epochs=2),
    lambda x, y: perceptron.multiclass_perceptron_fit(x, ((y + 1) / 2).long(), 2, epochs=2),
]


@pytest.mark.parametrize("fit", FITS, ids=["plain", "averaged", "pocket", "several classes"])
def test_conduct(fit, device, check_conduct):
    x, y = separable(n=12, seed=6)
    check_conduct(fit, [x, y], device, reads_values=True)


def test_conduct_of_bound_and_margin(device, check_conduct):
    x, y = separable(n=12, seed=6)
    w, b = widest(x, y)
    check_conduct(perceptron.margin, [x, y, w, b], device, reads_values=True)
    check_conduct(perceptron.novikoff_bound, [x, y, w, b], device, reads_values=True)


def test_errors():
    x, y = separable(n=4)
    for fit in (perceptron.perceptron_fit, perceptron.averaged_perceptron_fit, perceptron.pocket_fit):
        with pytest.raises(ValueError, match="2 \\* y - 1"):
            fit(x, (y + 1) / 2)
        with pytest.raises(ValueError, match=r"y \(3,\)"):
            fit(x, y[:3])
        with pytest.raises(ValueError, match="N > 0"):
            fit(x[:0], y[:0])
        with pytest.raises(ValueError, match="epochs"):
            fit(x, y, epochs=0)
    for rate in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="rate"):
            perceptron.perceptron_fit(x, y, rate=rate)
    w, b = torch.zeros(2, dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    with pytest.raises(ValueError, match="0-dimensional b"):
        perceptron.perceptron_predict(x, w, torch.zeros(1))
    with pytest.raises(ValueError, match=r"expected x \(N, D\)"):
        perceptron.perceptron_predict(x[0], w, b)
    with pytest.raises(ValueError, match="one example"):
        perceptron.perceptron_step(x, y, w, b)
    with pytest.raises(ValueError, match="integers in 0 ... 1"):
        perceptron.multiclass_perceptron_fit(x, torch.tensor([0, 1, 2, 0]), 2)
    with pytest.raises(ValueError, match="integers"):
        perceptron.multiclass_perceptron_fit(x, y, 2)
    with pytest.raises(ValueError, match="labels"):
        perceptron.multiclass_perceptron_fit(x, torch.tensor([0, 1]), 2)
