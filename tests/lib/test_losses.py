from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from neuralnotes import losses


def float64(values):
    return torch.tensor(values, dtype=torch.float64)


def signs(x):
    return torch.where(x > 0, 1.0, -1.0).double()


# name: (arguments from `normal`, the same loss in torch)
CASES = {
    "squared_error": (lambda normal: (normal(3, 4), normal(3, 4)), F.mse_loss),
    "absolute_error": (lambda normal: (normal(3, 4), normal(3, 4)), F.l1_loss),
    "huber": (lambda normal: (2 * normal(3, 4), normal(3, 4)), F.huber_loss),
    "huber_delta": (
        lambda normal: (2 * normal(3, 4), normal(3, 4), 0.4),
        lambda p, t, delta: F.huber_loss(p, t, delta=delta),
    ),
    "hinge": (lambda normal: (normal(7), signs(normal(7))), lambda s, y: F.relu(1 - y * s).mean()),
    "hinge_margin": (
        lambda normal: (normal(7), signs(normal(7)), 0.3),
        lambda s, y, m: F.relu(m - y * s).mean(),
    ),
    "multiclass_hinge": (
        lambda normal: (normal(5, 4), torch.tensor([0, 3, 1, 3, 2])),
        lambda s, y: 4 * F.multi_margin_loss(s, y),
    ),
    "multiclass_hinge_margin": (
        lambda normal: (normal(5, 4), torch.tensor([0, 3, 1, 3, 2]), 0.3),
        lambda s, y, m: 4 * F.multi_margin_loss(s, y, margin=m),
    ),
    "softmax_cross_entropy": (lambda normal: (normal(5, 4), torch.tensor([0, 3, 1, 3, 2])), F.cross_entropy),
    "softmax_cross_entropy_one_row": (lambda normal: (normal(1, 3), torch.tensor([1])), F.cross_entropy),
    "binary_cross_entropy": (
        lambda normal: (normal(4, 3), (normal(4, 3) > 0).double()),
        F.binary_cross_entropy_with_logits,
    ),
    "binary_cross_entropy_soft": (
        lambda normal: (normal(4, 3), normal(4, 3).sigmoid()),
        F.binary_cross_entropy_with_logits,
    ),
}
ELEMENTWISE = ["squared_error", "absolute_error", "huber", "hinge", "binary_cross_entropy"]
CHECK_THEIR_TARGETS = ("hinge", "binary", "multiclass", "softmax")
OVER_CLASSES = ["multiclass_hinge", "softmax_cross_entropy"]


def pair(name):
    return getattr(losses, name), getattr(losses, f"{name}_gradient")


def pair_of(case):
    (name,) = [name for name in ELEMENTWISE + OVER_CLASSES if case.startswith(name)]
    return pair(name)


@pytest.mark.parametrize("case", CASES)
def test_value_and_every_gradient(case, normal, check_gradients):
    make, oracle = CASES[case]
    loss, gradient = pair_of(case)
    prediction, *rest = make(normal)
    value = loss(prediction, *rest)
    assert value.shape == ()
    torch.testing.assert_close(value, oracle(prediction, *rest), rtol=1e-12, atol=0)
    check_gradients(
        lambda p: loss(p, *rest),
        [prediction],
        [gradient(prediction, *rest)],
        oracle=lambda p: oracle(p, *rest),
    )


@pytest.mark.parametrize("case", CASES)
def test_conduct(case, normal, check_conduct, device):
    for function in pair_of(case):
        check_conduct(function, CASES[case][0](normal), device, reads_values=case.startswith(CHECK_THEIR_TARGETS))


def test_worked_numbers():
    # Softmax and gradient at the logits (1.2, 0.9, 0.4), class 0.
    logits, label = float64([[1.2, 0.9, 0.4]]), torch.tensor([0])
    gradient = losses.softmax_cross_entropy_gradient(logits, label)
    torch.testing.assert_close(gradient, float64([[-0.543, 0.338, 0.205]]), rtol=0, atol=5e-4)
    value = losses.softmax_cross_entropy(logits, label).item()
    assert value == pytest.approx(math.log(1 + math.exp(-0.3) + math.exp(-0.8)), rel=1e-12)
    # Margin 1: outputs of at least 1 on the right side cost nothing, a wrong sign costs more than 1.
    assert losses.hinge(float64([1.5]), torch.tensor([1])).item() == 0.0
    assert losses.hinge(float64([-0.5]), torch.tensor([1])).item() == 1.5
    # Scores 3.2, 5.1, -1.7 with the first class right: max(0, 2.9) + max(0, -3.9).
    assert losses.multiclass_hinge(float64([[3.2, 5.1, -1.7]]), torch.tensor([0])).item() == pytest.approx(2.9)
    # Squared error has no factor 1/2; Huber has one.
    assert losses.squared_error(float64([3.0]), float64([1.0])).item() == 4.0
    assert losses.huber(float64([1.5, 4.0]), float64([1.0, 1.0]), 1.0).item() == (0.125 + 2.5) / 2


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("absolute_error", [1.0, -2.0], [1.0, -2.0]),
        ("hinge", [1.0, -1.0], [1.0, -1.0]),
        ("multiclass_hinge", [[2.0, 1.0]], [0]),  # the second class is behind the first by exactly the margin
    ],
)
def test_the_slope_at_a_kink_is_zero(name, first, second):
    loss, gradient = pair(name)
    first = float64(first).requires_grad_()
    second = float64(second) if name != "multiclass_hinge" else torch.tensor(second)
    assert (gradient(first.detach(), second) == 0).all()
    (by_autograd,) = torch.autograd.grad(loss(first, second), first)
    assert (by_autograd == 0).all()


def test_huber_has_no_kink():
    gradient = losses.huber_gradient(float64([0.5, 0.5 + 1e-12]), float64([0.0, 0.0]), 0.5)
    torch.testing.assert_close(gradient, float64([0.25, 0.25]), rtol=1e-11, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_huge_logits(dtype):
    logits, labels = torch.tensor([[1e4, 0.0, -1e4], [1e4, 0.0, -1e4]], dtype=dtype), torch.tensor([0, 2])
    assert losses.softmax_cross_entropy(logits, labels).item() == 1e4  # 0 for the right row, 20000 for the wrong one
    assert losses.softmax_cross_entropy_gradient(logits, labels).tolist() == [[0.0, 0.0, 0.0], [0.5, 0.0, -0.5]]
    logits, targets = torch.tensor([1e4, -1e4], dtype=dtype), torch.tensor([1, 1])
    assert losses.binary_cross_entropy(logits, targets).item() == 5e3
    assert losses.binary_cross_entropy_gradient(logits, targets).tolist() == [0.0, -0.5]


def test_confident_and_right_is_small_but_not_zero():
    loss = losses.binary_cross_entropy(float64([50.0]), torch.tensor([1]))
    assert loss.item() == pytest.approx(math.exp(-50), rel=1e-12)


@pytest.mark.parametrize("function", [f for name in OVER_CLASSES for f in pair(name)])
def test_bad_class_labels(function, normal):
    scores = normal(2, 3)
    for labels, message in [
        (torch.tensor([0, 3]), "0 ... 2"),
        (torch.tensor([-1, 0]), "0 ... 2"),
        (torch.tensor([0.0, 1.0]), "integers"),
        (torch.tensor([True, False]), "integers"),
        (torch.tensor([[0], [1]]), r"labels \(N,\)"),
        (torch.tensor([0]), r"labels \(N,\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            function(scores, labels)
    with pytest.raises(ValueError, match="empty"):
        function(scores[:0], torch.tensor([], dtype=torch.long))
    with pytest.raises(ValueError, match=r"scores \(N, K\)"):
        function(scores[0], torch.tensor([0, 1, 2]))


@pytest.mark.parametrize("function", [f for name in ELEMENTWISE for f in pair(name)])
def test_shapes_must_agree(function):
    ones = torch.ones(4, dtype=torch.float64)
    with pytest.raises(ValueError, match="shapes differ"):
        function(ones[:, None], ones)  # would broadcast to 16 losses
    with pytest.raises(ValueError, match="empty"):
        function(ones[:0], ones[:0])


def test_bad_targets_and_parameters():
    for function in pair("hinge"):
        with pytest.raises(ValueError, match="-1 or"):
            function(float64([1.0, 1.0]), torch.tensor([0, 1]))
    for function in pair("binary_cross_entropy"):
        for bad in (-0.1, 1.1, math.nan):
            with pytest.raises(ValueError, match="between 0 and 1"):
                function(float64([1.0, 1.0]), float64([1.0, bad]))
    for function in pair("huber"):
        for delta in (0.0, -1.0):
            with pytest.raises(ValueError, match="delta"):
                function(float64([1.0]), float64([1.0]), delta)
