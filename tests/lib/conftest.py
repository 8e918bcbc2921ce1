"""What the tests of the library share: the devices, random tensors, and two checks.

``check_gradients`` compares a hand-written gradient with the truth at every element. ``check_conduct`` runs a function
the ways in which a user may call it (other devices, float32, views) and looks at what it does to its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, NO_CUDA])])
def device(request) -> torch.device:
    return torch.device(request.param)


@pytest.fixture
def normal() -> Callable[..., Tensor]:
    """``normal(2, 3)``: a float64 tensor of normal numbers, others at each call, the same in every run of a test."""
    generator = torch.Generator().manual_seed(20260131)
    return lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)


def central_differences(function: Callable[..., Tensor], inputs: Sequence[Tensor], which: int, h: float) -> Tensor:
    """Gradient of a scalar function with respect to one of its inputs, two evaluations per element."""
    probe = [t.detach().clone() for t in inputs]
    x = probe[which].reshape(-1)  # a view: the clone is contiguous
    assert x.data_ptr() == probe[which].data_ptr()
    gradient = torch.empty_like(x)
    for element in range(x.numel()):
        value = x[element].item()
        x[element] = value + h
        above = function(*probe).item()
        x[element] = value - h
        below = function(*probe).item()
        x[element] = value
        gradient[element] = (above - below) / (2 * h)
    return gradient.reshape(probe[which].shape)


def assert_gradients(
    function: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    gradients: Sequence[Tensor],
    oracle: Callable[..., Tensor] | None = None,
    h: float = 1e-5,
) -> None:
    """Compare gradients at every element with central differences and with autograd.

    ``function(*inputs)`` is a scalar; ``gradients`` are those under test, one per input. Autograd goes through
    ``function`` and also, where there is one, through ``oracle``, the same function written by someone else.
    """
    assert len(gradients) == len(inputs)
    for number, (x, gradient) in enumerate(zip(inputs, gradients, strict=True)):
        assert x.dtype == torch.float64, "gradients are checked in float64"
        assert gradient.shape == x.shape, f"input {number}: gradient {gradient.shape} for {x.shape}"
        expected = central_differences(function, inputs, number, h)
        torch.testing.assert_close(
            gradient, expected, rtol=1e-6, atol=1e-8, msg=lambda m, n=number: f"input {n}, central differences: {m}"
        )
    for name, differentiable in (("own forward", function), ("oracle", oracle)):
        if differentiable is None:
            continue
        leaves = [x.detach().clone().requires_grad_() for x in inputs]
        with torch.enable_grad():
            expected = torch.autograd.grad(differentiable(*leaves), leaves)
        for number, (gradient, truth) in enumerate(zip(gradients, expected, strict=True)):
            torch.testing.assert_close(
                gradient,
                truth,
                rtol=1e-10,
                atol=1e-12,
                msg=lambda m, n=number, name=name: f"input {n}, autograd through the {name}: {m}",
            )


@pytest.fixture
def check_gradients() -> Callable[..., None]:
    return assert_gradients


def _results(value) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return list(value.values())
    return [result for part in value for result in _results(part)]


def _map(arguments: Sequence, change: Callable[[Tensor], Tensor]) -> list:
    return [change(a) if isinstance(a, Tensor) else a for a in arguments]


def strided_copy(x: Tensor) -> Tensor:
    """The same values as a view with reversed axes and gaps, so that nothing about its layout can be relied on."""
    if x.dim() == 0:
        return x.clone()
    view = x.new_zeros(*reversed(x.shape), 2)[..., 0].permute(*reversed(range(x.dim())))
    view.copy_(x)
    assert x.numel() < 2 or not view.is_contiguous()
    return view


def assert_conduct(
    function: Callable,
    arguments: Sequence,
    device: torch.device,
    may_return_argument: bool = False,
    reads_values: bool = False,
) -> None:
    """Call ``function`` with float64 CPU arguments, moved and changed in every way that must make no difference.

    ``reads_values`` says that it cannot run on tensors without data, because it checks labels, say.
    """
    reference = _results(function(*_map(arguments, torch.clone)))

    given = _map(arguments, lambda t: t.clone().to(device))
    kept = _map(given, torch.clone)
    results = _results(function(*given))
    assert len(results) == len(reference)
    for before, after in zip(kept, given, strict=True):
        if isinstance(before, Tensor):
            assert torch.equal(before, after), "an argument was written to"
    memory = {t.untyped_storage().data_ptr() for t in given if isinstance(t, Tensor)}
    for result, expected in zip(results, reference, strict=True):
        assert result.device.type == device.type
        assert result.dtype == expected.dtype
        if not may_return_argument:
            assert result.untyped_storage().data_ptr() not in memory, "a result shares memory with an argument"
        # The order of summation differs from device to device: 1e-9 relative is far above float64's rounding.
        torch.testing.assert_close(result.cpu(), expected, rtol=1e-9, atol=1e-12)

    if not reads_values:
        # Tensors without data: whatever is left on the CPU cannot be mixed with them, on a machine without a GPU too.
        for result, expected in zip(_results(function(*_map(given, lambda t: t.to("meta")))), results, strict=True):
            assert (result.device.type, result.dtype, result.shape) == ("meta", expected.dtype, expected.shape)

    for result, expected in zip(_results(function(*_map(given, strided_copy))), results, strict=True):
        torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-14)

    single = _results(function(*_map(given, lambda t: t.float() if t.is_floating_point() else t)))
    for result, expected in zip(single, results, strict=True):
        if expected.is_floating_point():
            assert result.dtype == torch.float32, "float32 in must give float32 out"
            torch.testing.assert_close(result.double(), expected, rtol=1e-4, atol=1e-5)
        else:
            assert torch.equal(result, expected)


@pytest.fixture
def check_conduct() -> Callable[..., None]:
    return assert_conduct
