"""The library's methods beside what a user would pick instead (torch), in one run, as ratios.

``python benchmarks/bench_library.py``: each pair is run in turn, A B A B ..., on one thread; the table holds the
median of the pairwise ratios and their range. Above 1: the library is slower. It is written to be read; this says
what that costs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F

from neuralnotes import attention, autodiff, convolution, layers

PAIRS = 15


def ratios(ours: Callable[[], object], theirs: Callable[[], object]) -> list[float]:
    """Ratio of the times of two functions, measured in turn."""
    result = []
    for pair in range(PAIRS + 2):
        seconds = []
        for function in (ours, theirs):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
        if pair >= 2:  # the first two warm up
            result.append(seconds[0] / seconds[1])
    return result


def cases() -> dict[str, tuple[Callable, Callable]]:
    """Name -> (the library's way, torch's way) on the same tensors."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    x, w, b = normal(16, 8, 28, 28), normal(16, 8, 3, 3), normal(16)
    dout = normal(16, 16, 28, 28)
    q, k, v = normal(8, 4, 128, 32), normal(8, 4, 128, 32), normal(8, 4, 128, 32)
    mask = attention.causal_mask(128)
    examples, w1, w2 = normal(64, 64), normal(64, 128), normal(128, 10)
    labels = torch.randint(10, (64,), generator=generator)

    def engine() -> None:
        first, second = autodiff.Value(w1), autodiff.Value(w2)
        autodiff.softmax_cross_entropy((autodiff.Value(examples) @ first).tanh() @ second, labels).backward()

    def torch_autograd() -> None:
        first, second = w1.clone().requires_grad_(), w2.clone().requires_grad_()
        F.cross_entropy((examples @ first).tanh() @ second, labels).backward()

    def torch_convolution_backward() -> None:
        torch.ops.aten.convolution_backward(
            dout, x, w, [16], [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [True, True, True]
        )

    return {
        "conv2d_forward, 16x8x28x28, 3x3": (
            lambda: convolution.conv2d_forward(x, w, b, padding=1), lambda: F.conv2d(x, w, b, padding=1)
        ),
        "conv2d_backward, the same": (
            lambda: convolution.conv2d_backward(dout, x, w, b, padding=1), torch_convolution_backward
        ),
        "scaled_dot_product_attention, causal, 8x4x128x32": (
            lambda: attention.scaled_dot_product_attention(q, k, v, mask),
            lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=mask),
        ),
        "affine_forward, 64x64 @ 64x128": (
            lambda: layers.affine_forward(examples, w1, w1[0]), lambda: F.linear(examples, w1.T, w1[0])
        ),
        "gradient of a two-layer network, 64x64-128-10": (engine, torch_autograd),
    }


def main() -> None:
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread, median of {PAIRS} pairs (range)")
    for name, pair in cases().items():
        measured = ratios(*pair)
        print(f"  {name:52s} {median(measured):6.2f} times torch's time  ({min(measured):.2f} to {max(measured):.2f})")


if __name__ == "__main__":
    main()
