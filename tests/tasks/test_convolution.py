"""The assignment ``convolution``: its oracles against a second method, worked numbers, and the speed asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuralnotes.tasks import convolution as records
from neuralnotes.tasks.judging import Judge
from tests.tasks.alternatives_convolution import ALTERNATIVES

TASKS = {task.id: task for task in records.TASKS}
ORACLE = {task.id: task.oracle for task in records.TASKS}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((7, 1, 3), 3), ((7, 3), 5), ((227, 11, 4), 55), ((28, 5, 1, 2), 28), ((224, 3, 1, 1), 224), ((224, 2, 2), 112),
    ],
)
def test_known_output_sizes(arguments, expected):
    assert ORACLE["conv_output_size"](*arguments) == expected


def test_a_stride_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        ORACLE["conv_output_size"](7, 2, 3)


def test_the_cross_kernel_on_the_binary_image():
    image = [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
    x, w = np.array(image, float)[None, None], np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]], float)[None, None]
    out = ORACLE["conv2d_forward"](x, w, np.zeros(1))[0, 0]
    np.testing.assert_array_equal(out, [[4, 3, 4], [2, 4, 3], [2, 3, 4]])


@pytest.mark.parametrize(
    ("image", "stride", "padding"), [((4, 6), 1, 0), ((4, 6), 1, 1), ((5, 7), 2, 1), ((5, 8), 3, 2)]
)
def test_the_oracles_of_the_layer_against_sums_written_out(image, stride, padding):
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(2, 2, *image)), rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3)
    loops = ALTERNATIVES["conv2d_forward"][0]
    out = loops(x, w, b, stride, padding)
    np.testing.assert_allclose(ORACLE["conv2d_forward"](x, w, b, stride, padding), out, rtol=1e-10)
    dout = rng.normal(size=out.shape)
    for exact, array, place in zip(
        ORACLE["conv2d_backward"](dout, x, w, b, stride, padding), (x, w, b), range(3), strict=True
    ):
        numerical = np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            moved = [x.copy(), w.copy(), b.copy()]
            moved[place][index] += 0.5  # the output is linear in each array, so any step is exact
            numerical[index] = np.sum(dout * (ORACLE["conv2d_forward"](*moved, stride, padding) - out)) / 0.5
        np.testing.assert_allclose(exact, numerical, rtol=1e-9, atol=1e-9)
    patches = ALTERNATIVES["im2col"][0](x, 3, 3, stride, padding)
    np.testing.assert_array_equal(ORACLE["im2col"](x, 3, 3, stride, padding), patches)


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 1), (3, 2), (2, 3), (1, 2)])
def test_the_pooling_oracles_send_ties_to_the_first_cell(size, stride):
    rng = np.random.default_rng(1)
    side = size + 3 * stride
    x = rng.integers(0, 3, size=(4, 3, side, side + stride)).astype(np.float64)
    out = ALTERNATIVES["max_pool2d_forward"][0](x, size, stride)
    np.testing.assert_array_equal(ORACLE["max_pool2d_forward"](x, size, stride), out)
    dout = rng.normal(size=out.shape)
    np.testing.assert_allclose(
        ORACLE["max_pool2d_backward"](dout, x, size, stride),
        ALTERNATIVES["max_pool2d_backward"][0](dout, x, size, stride), rtol=1e-12, atol=1e-15,
    )


@pytest.mark.parametrize(
    "layers",
    [[(3, 1)] * 4, [(3, 2), (3, 1)], [(5, 1), (2, 2), (5, 1), (2, 2)], [(2, 3), (4, 2), (3, 1)], [(1, 2), (3, 1)]],
)
def test_the_receptive_field_is_the_extent_of_the_gradient(layers):
    x = torch.zeros(1, 1, 200, dtype=torch.float64, requires_grad=True)
    y = x
    for kernel, stride in layers:
        y = torch.nn.functional.conv1d(y, torch.ones(1, 1, kernel, dtype=torch.float64), stride=stride)
    (gradient,) = torch.autograd.grad(y[0, 0, 1], x)
    touched = torch.nonzero(gradient[0, 0]).flatten()
    assert ORACLE["receptive_field"](layers) == int(touched[-1] - touched[0]) + 1


def test_known_receptive_fields():
    assert ORACLE["receptive_field"]([(3, 1)] * 5) == ORACLE["receptive_field"]([(11, 1)]) == 11
    assert [ORACLE["receptive_field"]([(4, 1)] * depth) for depth in range(4)] == [1, 4, 7, 10]


def test_the_sobel_oracle_against_scipy():
    from scipy import ndimage

    image = np.random.default_rng(2).random((9, 13))
    gx, gy = (ndimage.sobel(image, axis=axis, mode="constant") for axis in (1, 0))
    np.testing.assert_allclose(ORACLE["sobel_edges"](image), np.hypot(gx, gy), rtol=1e-12)


def test_the_timed_case_is_large_enough_and_the_loops_get_half():
    judge = Judge(TASKS["conv2d_fast"])
    (timed,) = [prepared for prepared in judge.cases if prepared.case.timed]
    assert timed.expected.size >= 1e5
    result = judge.judge(judge.run_here(ALTERNATIVES["conv2d_forward"][1]))
    assert (result.verdict, result.score, result.diagnosis) == ("partial", result.max_score / 2, "loops")
