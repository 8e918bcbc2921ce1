from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LinearRegression, LogisticRegression

from neuralnotes import data, linear_models

CASES = pytest.mark.parametrize(("n", "d", "k"), [(7, 3, None), (7, 3, 2), (1, 2, None), (5, 1, 1), (2, 4, None)])


def problem(normal, n, d, k):
    outputs = () if k is None else (k,)
    return normal(n, d), normal(n, *outputs), normal(d, *outputs), normal(*outputs)


@CASES
def test_least_squares(n, d, k, normal):
    x, y, _, _ = problem(normal, n, d, k)
    w, b = linear_models.least_squares(x, y)
    design = np.hstack([x.numpy(), np.ones((n, 1))])
    expected = np.linalg.lstsq(design, y.numpy(), rcond=None)[0]
    np.testing.assert_allclose(np.concatenate([w.numpy(), b.numpy()[None]]), expected, rtol=1e-9, atol=1e-12)
    if n > d:
        reference = LinearRegression().fit(x.numpy(), y.numpy())
        np.testing.assert_allclose(w.numpy(), reference.coef_.T, rtol=1e-8)
        np.testing.assert_allclose(b.numpy(), reference.intercept_, rtol=1e-8)
        _, dw, db = linear_models.linear_regression_gradients(x, y, w, b)
        assert dw.abs().max() < 1e-12 and db.abs().max() < 1e-12, "at the minimum there is no slope"


def test_least_squares_survives_a_column_twice(normal):
    x, y = normal(9, 2), normal(9)
    w, b = linear_models.least_squares(x, y)
    double, same_b = linear_models.least_squares(torch.cat([x, x[:, 1:]], dim=1), y)
    torch.testing.assert_close(double, torch.stack([w[0], w[1] / 2, w[1] / 2]))
    torch.testing.assert_close(same_b, b)


@CASES
def test_linear_regression(n, d, k, normal, check_gradients):
    x, y, w, b = problem(normal, n, d, k)
    loss, dw, db = linear_models.linear_regression_gradients(x, y, w, b)
    torch.testing.assert_close(loss, F.mse_loss(x @ w + b, y) * (k or 1) / 2)
    check_gradients(
        lambda w, b: linear_models.linear_regression_gradients(x, y, w, b)[0],
        [w, b],
        [dw, db],
        oracle=lambda w, b: F.mse_loss(x @ w + b, y) * (k or 1) / 2,
    )


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@CASES
def test_logistic_regression(n, d, k, weight_decay, normal, check_gradients):
    x, _, w, b = problem(normal, n, d, k)
    y = torch.sigmoid(normal(n, *b.shape))

    def oracle(w, b):
        return F.binary_cross_entropy_with_logits(x @ w + b, y) + weight_decay / 2 * w.square().sum()

    loss, dw, db = linear_models.logistic_regression_gradients(x, y, w, b, weight_decay)
    torch.testing.assert_close(loss, oracle(w, b))
    check_gradients(
        lambda w, b: linear_models.logistic_regression_gradients(x, y, w, b, weight_decay)[0],
        [w, b],
        [dw, db],
        oracle=oracle,
    )


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_softmax_regression(weight_decay, normal, check_gradients):
    x, labels, w, b = normal(6, 3), torch.tensor([0, 3, 1, 2, 0, 1]), normal(3, 4), normal(4)

    def oracle(w, b):
        return F.cross_entropy(x @ w + b, labels) + weight_decay / 2 * w.square().sum()

    loss, dw, db = linear_models.softmax_regression_gradients(x, labels, w, b, weight_decay)
    torch.testing.assert_close(loss, oracle(w, b))
    check_gradients(
        lambda w, b: linear_models.softmax_regression_gradients(x, labels, w, b, weight_decay)[0],
        [w, b],
        [dw, db],
        oracle=oracle,
    )


def test_softmax_of_two_classes_is_logistic(normal):
    x, labels, w, b = normal(6, 3), torch.tensor([0, 1, 1, 0, 1, 0]), normal(3, 2), normal(2)
    loss, dw, db = linear_models.softmax_regression_gradients(x, labels, w, b)
    same, dv, dc = linear_models.logistic_regression_gradients(x, labels, w[:, 1] - w[:, 0], b[1] - b[0])
    torch.testing.assert_close(loss, same)
    torch.testing.assert_close(dw, torch.stack([-dv, dv], dim=1))
    torch.testing.assert_close(db, torch.stack([-dc, dc]))


def test_huge_scores_stay_finite():
    x, w, b = torch.eye(2, dtype=torch.float64), torch.tensor([1e4, -1e4], dtype=torch.float64), torch.tensor(0.0)
    b = b.double()
    loss, dw, db = linear_models.logistic_regression_gradients(x, torch.tensor([0, 1]), w, b)
    assert loss.item() == pytest.approx(1e4) and torch.isfinite(dw).all() and torch.isfinite(db)


def test_the_cafe():
    """The bill of the notes: five coffees, two juices, three slices of toast."""
    x, total, prices = torch.tensor([5.0, 2.0, 3.0]), torch.tensor(8.5), torch.full((3,), 0.5)
    new = linear_models.delta_rule_step(x, total, prices, 1 / 35)
    torch.testing.assert_close(new, torch.tensor([1.0, 0.7, 0.8]))
    torch.testing.assert_close(total - x @ new, (total - x @ prices) * (1 - 38 / 35))


def test_the_delta_rule_goes_down_the_gradient(normal, device, check_conduct):
    x, y, w = normal(4), normal(), normal(4)
    leaf = w.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((y - leaf @ x) ** 2 / 2, leaf)
    torch.testing.assert_close(linear_models.delta_rule_step(x, y, w, 0.3), w - 0.3 * gradient)
    check_conduct(lambda x, y, w: linear_models.delta_rule_step(x, y, w, 0.3), [x, y, w], device)


def test_descent_reaches_least_squares(normal):
    x, y = normal(30, 3), normal(30)
    w, b, losses = linear_models.gradient_descent(
        linear_models.linear_regression_gradients, x, y, torch.zeros_like(x[0]), torch.zeros_like(y[0]), 0.3, 500
    )
    exact_w, exact_b = linear_models.least_squares(x, y)
    torch.testing.assert_close(w, exact_w)
    torch.testing.assert_close(b, exact_b)
    assert losses.shape == (501,) and (losses.diff() <= 1e-15).all()


def test_descent_makes_the_steps_that_torch_makes(normal):
    x, labels = normal(12, 3), torch.arange(12) % 4
    start = normal(3, 4), normal(4)
    w, b, losses = linear_models.gradient_descent(
        linear_models.softmax_regression_gradients, x, labels, *start, 0.7, 20, weight_decay=0.1
    )
    leaves = [t.clone().requires_grad_() for t in start]
    optimizer = torch.optim.SGD([{"params": leaves[:1], "weight_decay": 0.1}, {"params": leaves[1:]}], lr=0.7)
    for step in range(20):
        optimizer.zero_grad()
        loss = F.cross_entropy(x @ leaves[0] + leaves[1], labels)
        torch.testing.assert_close(losses[step], (loss + 0.05 * leaves[0].square().sum()).detach())
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(w, leaves[0].detach())
    torch.testing.assert_close(b, leaves[1].detach())


@pytest.mark.parametrize("weight_decay", [0.01, 1.0])
def test_newton_finds_what_scikit_learn_finds(weight_decay, normal):
    x, labels = data.blobs(80, noise=1.5, classes=2, seed=1)
    reference = LogisticRegression(C=1 / (80 * weight_decay), tol=1e-12, max_iter=10_000).fit(x, labels)
    w, b = linear_models.logistic_regression_newton(torch.from_numpy(x), torch.from_numpy(labels), weight_decay)
    np.testing.assert_allclose(w.numpy(), reference.coef_[0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(b.item(), reference.intercept_[0], rtol=1e-5, atol=1e-6)
    _, dw, db = linear_models.logistic_regression_gradients(
        torch.from_numpy(x), torch.from_numpy(labels), w, b, weight_decay
    )
    assert dw.abs().max() < 1e-7 and db.abs() < 1e-7


def test_newton_survives_separable_classes_and_equal_columns():
    x, labels = data.separable(30, 0.3)
    x = torch.from_numpy(np.hstack([x, x[:, :1]]))
    w, b = linear_models.logistic_regression_newton(x, torch.from_numpy(labels))
    assert torch.isfinite(w).all() and ((x @ w + b > 0) == (torch.from_numpy(labels) == 1)).all()
    assert w[0].item() == pytest.approx(w[2].item(), rel=1e-6)


@pytest.mark.parametrize(
    "name", ["linear_regression_gradients", "logistic_regression_gradients", "softmax_regression_gradients"]
)
def test_conduct_of_gradients(name, normal, device, check_conduct):
    x, w, b = normal(5, 3), normal(3, 2), normal(2)
    y = {"linear": normal(5, 2), "logistic": torch.sigmoid(normal(5, 2)), "softmax": torch.tensor([0, 1, 1, 0, 1])}
    reads = name != "linear_regression_gradients"
    check_conduct(getattr(linear_models, name), [x, y[name.partition("_")[0]], w, b], device, reads_values=reads)


def test_conduct_of_fits(normal, device, check_conduct):
    x, y = normal(9, 2), normal(9)
    labels = (y > 0).long()
    check_conduct(linear_models.least_squares, [x, y], device)
    check_conduct(
        lambda x, labels: linear_models.logistic_regression_newton(x, labels, 0.1), [x, labels], device,
        reads_values=True,
    )
    check_conduct(
        lambda x, y, w, b: linear_models.gradient_descent(
            linear_models.linear_regression_gradients, x, y, w, b, 0.1, 3
        ),
        [x, y, normal(2), normal()], device,
    )


def test_errors(normal):
    x, y, w, b = problem(normal, 4, 3, None)
    every = (
        linear_models.linear_regression_gradients, linear_models.logistic_regression_gradients,
        linear_models.softmax_regression_gradients,
    )
    for gradients in every:
        with pytest.raises(ValueError, match=r"w \(2,\)"):
            gradients(x, y, w[:2], b)
        with pytest.raises(ValueError, match="expected"):
            gradients(x, y, w, y)
        with pytest.raises(ValueError, match="at least one"):
            gradients(x[:0], y[:0].long(), normal(3, 2), normal(2))
    with pytest.raises(ValueError, match=r"b \(4, 1\)|targets \(4, 2\)"):
        linear_models.linear_regression_gradients(x, y, normal(3, 2), normal(2))
    with pytest.raises(ValueError, match="targets"):
        linear_models.linear_regression_gradients(x, y[:, None], w, b)
    with pytest.raises(ValueError, match="integer"):
        linear_models.softmax_regression_gradients(x, y, normal(3, 2), normal(2))
    with pytest.raises(ValueError):
        linear_models.least_squares(x, y[:3])
    with pytest.raises(ValueError, match=r"y \(N,\)"):
        linear_models.least_squares(x, b)
    with pytest.raises(ValueError, match="0-dimensional y"):
        linear_models.delta_rule_step(x[0], y, w, 0.1)
    for rate, steps in ((0.0, 1), (math.nan, 1), (0.1, -1)):
        with pytest.raises(ValueError, match="rate must be"):
            linear_models.gradient_descent(every[0], x, y, w, b, rate, steps)
    with pytest.raises(ValueError, match="steps"):
        linear_models.logistic_regression_newton(x, (y > 0).long(), steps=0)
