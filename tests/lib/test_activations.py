from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from neuralnotes import activations as act

# name, further arguments, the same function in torch
ELEMENTWISE = [
    ("identity", (), lambda x: x * 1),
    ("sigmoid", (), F.sigmoid),
    ("tanh", (), F.tanh),
    ("relu", (), F.relu),
    ("leaky_relu", (), F.leaky_relu),
    ("leaky_relu", (0.3,), lambda x: F.leaky_relu(x, 0.3)),
    ("elu", (), F.elu),
    ("elu", (0.7,), lambda x: F.elu(x, 0.7)),
    ("gelu", (), F.gelu),
    ("softplus", (), F.softplus),
    ("clipped_linear", (), F.hardtanh),
    ("clipped_linear", (2.5,), lambda x: F.hardtanh(x / 2.5)),
]
ALONG_AXIS = [
    (name, (axis,), lambda x, f=f, axis=axis: f(x, dim=axis))
    for name, f in (("softmax", F.softmax), ("log_softmax", F.log_softmax))
    for axis in (-1, 0, 1)
]
ALONG_AXIS += [(name, (), f) for name, _, f in ALONG_AXIS[::3]]  # the default is the last axis
ALL = pytest.mark.parametrize(("name", "extra", "oracle"), ELEMENTWISE + ALONG_AXIS)


def pair(name):
    return getattr(act, name), getattr(act, f"{name}_backward")


@ALL
def test_forward_and_every_gradient(name, extra, oracle, normal, check_gradients):
    forward, backward = pair(name)
    x, dout = 2 * normal(3, 4, 2), normal(3, 4, 2)
    torch.testing.assert_close(forward(x, *extra), oracle(x), rtol=1e-12, atol=1e-14)
    check_gradients(
        lambda x: (forward(x, *extra) * dout).sum(),
        [x],
        [backward(dout, x, *extra)],
        oracle=lambda x: (oracle(x) * dout).sum(),
    )


@ALL
def test_conduct(name, extra, oracle, normal, check_conduct, device):
    forward, backward = pair(name)
    x, dout = 2 * normal(3, 4, 2), normal(3, 4, 2)
    is_identity = name == "identity"
    check_conduct(lambda x: forward(x, *extra), [x], device, may_return_argument=is_identity)
    check_conduct(lambda dout, x: backward(dout, x, *extra), [dout, x], device, may_return_argument=is_identity)


@pytest.mark.parametrize(("name", "below"), [("heaviside", 0.0), ("sign", -1.0)])
def test_steps(name, below, normal, device, check_conduct):
    step = getattr(act, name)
    x = torch.tensor([-math.inf, -1e-300, -0.0, 0.0, 1e-300, math.inf], dtype=torch.float64)
    assert step(x).tolist() == [below, below, 1, 1, 1, 1]
    assert step(torch.tensor(math.nan)).isnan(), "not-a-number is not hidden"
    x = normal(3, 4)
    expected = torch.heaviside(x, torch.ones_like(x)) * (1 - below) + below
    assert torch.equal(step(x), expected)
    check_conduct(step, [x], device)
    leaf = x.clone().requires_grad_()
    result = step(leaf)
    assert not result.requires_grad or not torch.autograd.grad(result.sum(), leaf)[0].any(), "the slope is 0"


def test_the_ramp_does_not_jump():
    for bound in (0.5, 1.0, 2.0):
        ends = torch.tensor([-bound, bound], dtype=torch.float64)
        assert act.clipped_linear(ends, bound).tolist() == [-1, 1]
        torch.testing.assert_close(act.clipped_linear(ends * (1 - 1e-9), bound), ends / bound, rtol=0, atol=1e-8)
        assert not act.clipped_linear_backward(torch.ones(2), ends, bound).any()
    for bound in (0.0, -1.0, math.inf, math.nan):
        for f in (lambda b: act.clipped_linear(torch.ones(1), b),
                  lambda b: act.clipped_linear_backward(torch.ones(1), torch.ones(1), b)):
            with pytest.raises(ValueError, match="bound must be"):
                f(bound)


@pytest.mark.parametrize(("name", "slope"), [("relu", 0.0), ("leaky_relu", 0.01), ("elu", 1.0)])
def test_slope_at_the_kink(name, slope):
    forward, backward = pair(name)
    zero = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    dout = torch.tensor([3.0, -2.0], dtype=torch.float64)
    torch.testing.assert_close(backward(dout, zero.detach()), slope * dout, rtol=0, atol=0)
    # Autograd through the forward function agrees even here.
    (gradient,) = torch.autograd.grad((forward(zero) * dout).sum(), zero)
    torch.testing.assert_close(gradient, slope * dout, rtol=0, atol=0)


@pytest.mark.parametrize(("name", "extra", "oracle"), [case for case in ELEMENTWISE if case[0] != "leaky_relu"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_large_inputs_overflow_nowhere(name, extra, oracle, dtype):
    forward, backward = pair(name)
    x = torch.tensor([-1e4, -200.0, 0.0, 200.0, 1e4], dtype=dtype, requires_grad=True)
    torch.testing.assert_close(forward(x, *extra), oracle(x))
    assert forward(x, *extra).isfinite().all()
    slopes = backward(torch.ones_like(x), x.detach(), *extra)
    (expected,) = torch.autograd.grad(forward(x, *extra).sum(), x)
    assert expected.isfinite().all()
    torch.testing.assert_close(slopes, expected)


def test_relu_lets_not_a_number_through():
    assert torch.isnan(act.relu(torch.tensor([math.nan]))).all()


def test_slopes_at_zero():
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    for name, slope in (("sigmoid", 0.25), ("tanh", 1.0), ("gelu", 0.5), ("softplus", 0.5)):
        assert pair(name)[1](one, zero).item() == pytest.approx(slope, abs=1e-15)


def test_tails_keep_their_digits():
    x = torch.tensor([-20.0], dtype=torch.float64)
    one = torch.ones_like(x)
    # Phi(-20) and its neighbors are far below the spacing of the floating-point numbers near 1.
    assert act.gelu(x).item() == pytest.approx(-20 * 2.753624118606234e-89, rel=1e-12)
    assert act.softplus(x).item() == pytest.approx(math.log1p(math.exp(-20)), rel=1e-12)
    assert act.sigmoid_backward(one, -2 * x).item() == pytest.approx(math.exp(-40), rel=1e-12)


def test_softmax_depends_on_differences_only(normal):
    x = normal(4, 5)
    for shift in (1000.0, -1000.0, 1e8):
        torch.testing.assert_close(act.softmax(x + shift), act.softmax((x + shift) - shift), rtol=1e-12, atol=0)
    worked = act.softmax(torch.tensor([1.2, 0.9, 0.4], dtype=torch.float64))
    torch.testing.assert_close(worked, torch.tensor([0.457, 0.338, 0.205], dtype=torch.float64), rtol=0, atol=5e-4)


def test_softmax_of_huge_logits():
    x = torch.tensor([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4]], dtype=torch.float64)
    third = 1 / 3
    expected = torch.tensor([[1.0, 0.0, 0.0], [third, third, third]], dtype=torch.float64)
    torch.testing.assert_close(act.softmax(x), expected, rtol=1e-15, atol=0)
    log_expected = torch.tensor([[0.0, -1e4, -2e4], [-math.log(3)] * 3], dtype=torch.float64)
    torch.testing.assert_close(act.log_softmax(x), log_expected, rtol=1e-15, atol=0)
