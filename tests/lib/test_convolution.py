from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from neuralnotes import convolution as conv

# N, C, H, W, K, FH, FW, stride, padding
CONVOLUTIONS = [
    (1, 1, 1, 1, 1, 1, 1, 1, 0),  # the smallest of all
    (2, 3, 5, 4, 2, 1, 1, 1, 0),  # 1x1: mixes channels
    (2, 2, 5, 6, 3, 3, 2, 1, 0),  # nothing square
    (1, 2, 7, 5, 3, 3, 1, 2, 1),
    (2, 1, 6, 9, 2, 2, 3, 2, 0),
    (1, 2, 5, 9, 2, 1, 1, 4, 0),  # gaps between the windows
    (1, 2, 4, 7, 2, 2, 2, 3, 2),  # padding and gaps
    (1, 2, 2, 3, 2, 4, 5, 1, 1),  # the kernel fits only thanks to the padding
    (2, 2, 4, 3, 3, 4, 3, 1, 0),  # the kernel covers the image
]
# size, stride, H, W
POOLINGS = [
    (1, 1, 2, 3),
    (2, 2, 4, 6),
    (2, 1, 2, 2),  # one window
    (3, 1, 5, 4),  # overlap
    (3, 2, 7, 5),  # overlap
    (1, 3, 4, 7),  # gaps
    (2, 3, 5, 8),  # gaps
]
# N, C, H, W, K, FH, FW, stride, padding
TRANSPOSED = [
    (1, 1, 1, 1, 1, 1, 1, 1, 0),
    (2, 3, 3, 2, 2, 3, 2, 1, 0),
    (1, 2, 3, 4, 3, 2, 2, 2, 0),
    (2, 2, 2, 3, 2, 4, 3, 2, 1),
    (1, 2, 3, 2, 2, 1, 2, 3, 0),  # gaps in the output
    (1, 2, 3, 3, 2, 5, 4, 1, 2),
]
# H, W, FH, FW, stride, padding, dilation
DILATED = [
    (5, 6, 3, 2, 1, 0, 2),  # the kernel spans the whole height
    (7, 9, 2, 3, 2, 0, 2),
    (6, 8, 3, 1, 1, 2, 4),  # spans 9 rows: fits only thanks to the padding
    (11, 8, 2, 2, 3, 1, 3),
    (4, 5, 1, 1, 1, 0, 7),  # one element has no gaps
]
INVALID = [
    # H, FH, stride, padding
    (5, 3, 3, 0),  # the stride does not divide
    (7, 2, 3, 0),
    (3, 4, 1, 0),  # the kernel does not fit
    (3, 6, 1, 1),
    (5, 3, 0, 0),
    (5, 3, -1, 0),
    (5, 3, 1, -1),
    (5, 0, 1, 0),
]
conv_cases = pytest.mark.parametrize(("n", "c", "h", "w", "k", "fh", "fw", "stride", "padding"), CONVOLUTIONS)
pool_cases = pytest.mark.parametrize(("size", "stride", "h", "w"), POOLINGS)
transposed_cases = pytest.mark.parametrize(("n", "c", "h", "w", "k", "fh", "fw", "stride", "padding"), TRANSPOSED)
POOLS = {
    "max": (conv.max_pool2d_forward, conv.max_pool2d_backward, F.max_pool2d),
    "average": (conv.average_pool2d_forward, conv.average_pool2d_backward, F.avg_pool2d),
}


@conv_cases
def test_conv2d(n, c, h, w, k, fh, fw, stride, padding, normal, check_gradients):
    x, kernels, b = normal(n, c, h, w), normal(k, c, fh, fw), normal(k)
    expected = F.conv2d(x, kernels, b, stride, padding)
    for forward in (conv.conv2d_forward, conv.conv2d_fast):
        torch.testing.assert_close(forward(x, kernels, b, stride, padding), expected, rtol=1e-11, atol=1e-12)
    dout = normal(*expected.shape)
    check_gradients(
        lambda x, kernels, b: (conv.conv2d_forward(x, kernels, b, stride, padding) * dout).sum(),
        [x, kernels, b],
        conv.conv2d_backward(dout, x, kernels, b, stride, padding),
        oracle=lambda x, kernels, b: (F.conv2d(x, kernels, b, stride, padding) * dout).sum(),
    )


@pytest.mark.parametrize(("h", "w", "fh", "fw", "stride", "padding", "dilation"), DILATED)
def test_dilated_conv2d(h, w, fh, fw, stride, padding, dilation, normal, check_gradients):
    x, kernels, b = normal(2, 2, h, w), normal(3, 2, fh, fw), normal(3)
    expected = F.conv2d(x, kernels, b, stride, padding, dilation)
    out = conv.conv2d_forward(x, kernels, b, stride, padding, dilation)
    torch.testing.assert_close(out, expected, rtol=1e-11, atol=1e-12)
    assert out.shape[2:] == (
        conv.conv_output_size(h, fh, stride, padding, dilation),
        conv.conv_output_size(w, fw, stride, padding, dilation),
    )
    # A dilated kernel is a larger kernel with zeros in its gaps.
    filled = kernels.new_zeros(3, 2, dilation * (fh - 1) + 1, dilation * (fw - 1) + 1)
    filled[:, :, ::dilation, ::dilation] = kernels
    torch.testing.assert_close(out, conv.conv2d_forward(x, filled, b, stride, padding), rtol=1e-11, atol=1e-12)
    dout = normal(*expected.shape)
    check_gradients(
        lambda x, kernels, b: (conv.conv2d_forward(x, kernels, b, stride, padding, dilation) * dout).sum(),
        [x, kernels, b],
        conv.conv2d_backward(dout, x, kernels, b, stride, padding, dilation),
        oracle=lambda x, kernels, b: (F.conv2d(x, kernels, b, stride, padding, dilation) * dout).sum(),
    )


def test_bad_dilation(normal):
    x, w, b = normal(1, 1, 6, 6), normal(1, 1, 3, 3), normal(1)
    assert conv.conv_output_size(7, 3, dilation=2) == 3
    calls = [
        lambda **options: conv.conv_output_size(6, 3, **options),
        lambda **options: conv.conv2d_forward(x, w, b, **options),
        lambda **options: conv.conv2d_backward(x, x, w, b, **options),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="dilation must be at least 1, got 0"):
            call(dilation=0)
        with pytest.raises(ValueError, match="kernel 3 with dilation 3, spanning 7 does not fit into 6 pixels"):
            call(dilation=3)
        with pytest.raises(ValueError, match="stride 2 does not divide size - span .* = 1 "):
            call(stride=2, dilation=2)
        with pytest.raises(TypeError, match="dilation must be an integer"):
            call(dilation=1.5)


@conv_cases
def test_autograd_goes_through_conv2d_fast(n, c, h, w, k, fh, fw, stride, padding, normal):
    leaves = [t.requires_grad_() for t in (normal(n, c, h, w), normal(k, c, fh, fw), normal(k))]
    out = conv.conv2d_fast(*leaves, stride, padding)
    dout = normal(*out.shape)
    got = torch.autograd.grad((out * dout).sum(), leaves)
    expected = conv.conv2d_backward(dout, *(t.detach() for t in leaves), stride, padding)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)


def test_defaults_are_stride_1_and_no_padding(normal):
    x, w, b = normal(1, 2, 4, 5), normal(3, 2, 2, 3), normal(3)
    expected = F.conv2d(x, w, b)
    torch.testing.assert_close(conv.conv2d_forward(x, w, b), expected, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(conv.conv2d_fast(x, w, b), expected, rtol=1e-12, atol=1e-13)
    assert conv.im2col(x, 2, 3).shape == (1, 3, 3, 12)
    assert conv.conv_output_size(4, 2) == 3


def test_the_kernel_is_not_flipped():
    image = [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
    x = torch.tensor([[image]], dtype=torch.float64)
    cross = torch.tensor([[[[1, 0, 1], [0, 1, 0], [1, 0, 1]]]], dtype=torch.float64)
    zero = torch.zeros(1, dtype=torch.float64)
    assert conv.conv2d_forward(x, cross, zero)[0, 0].tolist() == [[4, 3, 4], [2, 4, 3], [2, 3, 4]]
    right_neighbor = torch.tensor([[[[0, 0, 1]]]], dtype=torch.float64)
    assert conv.conv2d_forward(x, right_neighbor, zero)[0, 0].tolist() == [row[2:] for row in image]


@conv_cases
def test_im2col_and_its_transpose(n, c, h, w, k, fh, fw, stride, padding, normal):
    x = normal(n, c, h, w)
    cols = conv.im2col(x, fh, fw, stride, padding)
    # torch.nn.functional.unfold has the same rows as columns, (N, C*FH*FW, OH*OW).
    expected = F.unfold(x, (fh, fw), padding=padding, stride=stride).transpose(1, 2).reshape(cols.shape)
    assert torch.equal(cols, expected)
    assert cols.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()

    other = normal(*cols.shape)
    image = conv.col2im(other, x.shape, fh, fw, stride, padding)
    folded = F.fold(other.flatten(1, 2).transpose(1, 2), (h, w), (fh, fw), padding=padding, stride=stride)
    torch.testing.assert_close(image, folded, rtol=1e-12, atol=1e-13)
    # The definition of a transpose: <im2col(x), y> = <x, col2im(y)>.
    torch.testing.assert_close((cols * other).sum(), (x * image).sum(), rtol=1e-11, atol=1e-12)


def test_im2col_is_channel_major_inside_a_patch():
    x = torch.arange(2 * 9, dtype=torch.float64).reshape(1, 2, 3, 3)
    assert conv.im2col(x, 2, 2)[0, 1, 0].tolist() == [3, 4, 6, 7, 12, 13, 15, 16]


@pool_cases
@pytest.mark.parametrize("kind", POOLS)
def test_pooling(kind, size, stride, h, w, normal, check_gradients):
    forward, backward, oracle = POOLS[kind]
    x = normal(2, 3, h, w)
    expected = oracle(x, size, stride)
    torch.testing.assert_close(forward(x, size, stride), expected, rtol=1e-12, atol=1e-14)
    dout = normal(*expected.shape)
    check_gradients(
        lambda x: (forward(x, size, stride) * dout).sum(),
        [x],
        [backward(dout, x, size, stride)],
        oracle=lambda x: (oracle(x, size, stride) * dout).sum(),
    )


@pool_cases
def test_ties_in_the_maximum_go_to_the_first_in_row_major_order(size, stride, h, w, normal):
    x = normal(2, 3, h, w).sign().clamp(min=0)  # zeros and ones: most windows have ties
    oh, ow = (h - size) // stride + 1, (w - size) // stride + 1
    dout = normal(2, 3, oh, ow)
    expected = torch.zeros_like(x)
    for n in range(2):
        for c in range(3):
            for i in range(oh):
                for j in range(ow):
                    window = [(i * stride + p, j * stride + q) for p in range(size) for q in range(size)]
                    best = max(window, key=lambda pixel: x[n, c, *pixel].item())  # max() keeps the first of equals
                    expected[n, c, *best] += dout[n, c, i, j]
    torch.testing.assert_close(conv.max_pool2d_backward(dout, x, size, stride), expected, rtol=1e-12, atol=1e-14)


def test_negative_images_are_not_pooled_with_zeros():
    x = torch.full((1, 1, 2, 2), -3.0, dtype=torch.float64)
    assert conv.max_pool2d_forward(x, 2, 2).item() == -3.0
    assert conv.max_pool2d_backward(torch.ones(1, 1, 1, 1).double(), x, 2, 2).tolist() == [[[[1, 0], [0, 0]]]]


@transposed_cases
def test_transposed_convolution(n, c, h, w, k, fh, fw, stride, padding, normal, check_gradients):
    x, kernels, b = normal(n, c, h, w), normal(c, k, fh, fw), normal(k)
    expected = F.conv_transpose2d(x, kernels, b, stride, padding)
    out = conv.conv_transpose2d_forward(x, kernels, b, stride, padding)
    torch.testing.assert_close(out, expected, rtol=1e-11, atol=1e-12)
    assert out.shape[2] == conv.conv_transpose_output_size(h, fh, stride, padding)
    dout = normal(*expected.shape)
    check_gradients(
        lambda x, kernels, b: (conv.conv_transpose2d_forward(x, kernels, b, stride, padding) * dout).sum(),
        [x, kernels, b],
        conv.conv_transpose2d_backward(dout, x, kernels, b, stride, padding),
        oracle=lambda x, kernels, b: (F.conv_transpose2d(x, kernels, b, stride, padding) * dout).sum(),
    )


@transposed_cases
def test_it_is_the_transpose_of_the_convolution(n, c, h, w, k, fh, fw, stride, padding, normal):
    x, kernels = normal(n, c, h, w), normal(c, k, fh, fw)
    none = torch.zeros(k, dtype=torch.float64)
    image = conv.conv_transpose2d_forward(x, kernels, none, stride, padding)
    dx, _, _ = conv.conv2d_backward(x, image, kernels, torch.zeros(c, dtype=torch.float64), stride, padding)
    torch.testing.assert_close(image, dx, rtol=1e-12, atol=1e-13)


def test_output_sizes():
    for size in range(1, 9):
        for kernel in range(1, 6):
            for stride in range(1, 4):
                for padding in range(3):
                    places = list(range(-padding, size + padding - kernel + 1, stride))
                    exact = places and places[-1] + kernel == size + padding
                    if exact:
                        out = conv.conv_output_size(size, kernel, stride, padding)
                        assert type(out) is int
                        assert out == len(places)
                        assert conv.conv_transpose_output_size(out, kernel, stride, padding) == size
                    else:
                        with pytest.raises(ValueError):
                            conv.conv_output_size(size, kernel, stride, padding)
    assert conv.conv_output_size(7, 1, 3) == 3  # 3 divides 7 - 1, not 7 + 1


def test_receptive_field():
    assert conv.receptive_field([]) == 1
    assert conv.receptive_field([(3, 1)]) == 3
    assert conv.receptive_field([(3, 1), (3, 1), (3, 1)]) == 7
    assert conv.receptive_field([(3, 2), (3, 1)]) == 7  # the first stride counts for what follows,
    assert conv.receptive_field([(3, 1), (3, 2)]) == 5  # the last stride for nothing
    for layers in ([(0, 1)], [(3, 0)], [(3, 1), (2, -1)]):
        with pytest.raises(ValueError, match="at least 1"):
            conv.receptive_field(layers)
    with pytest.raises(TypeError, match="integer"):
        conv.receptive_field([(3.0, 1)])


@pytest.mark.parametrize(
    "layers", [[(3, 1), (2, 2), (3, 1)], [(5, 2), (3, 2)], [(2, 2), (2, 2), (3, 1)], [(1, 3), (2, 1)]]
)
def test_receptive_field_is_what_one_output_pixel_reads(layers):
    field = conv.receptive_field(layers)
    x = torch.zeros(1, 1, field, field, dtype=torch.float64)
    none = torch.zeros(1, dtype=torch.float64)
    inputs, kernels = [x], []
    for kernel, stride in layers:
        kernels.append(torch.ones(1, 1, kernel, kernel, dtype=torch.float64))
        inputs.append(conv.conv2d_forward(inputs[-1], kernels[-1], none, stride))
    assert inputs[-1].shape == (1, 1, 1, 1)
    gradient = torch.ones_like(inputs[-1])
    for x, w, (_, stride) in zip(reversed(inputs[:-1]), reversed(kernels), reversed(layers), strict=True):
        gradient, _, _ = conv.conv2d_backward(gradient, x, w, none, stride)
    read = gradient[0, 0].nonzero()
    assert (read.max(dim=0).values - read.min(dim=0).values + 1).tolist() == [field, field]


def test_receptive_field_of_dilated_layers():
    dilations = (1, 2, 4)
    field = conv.receptive_field([(2 * dilation + 1, 1) for dilation in dilations])
    assert field == 15  # three dilated layers see what seven plain ones see
    x, w = torch.zeros(1, 1, field, field).double(), torch.ones(1, 1, 3, 3).double()
    none = torch.zeros(1, dtype=torch.float64)
    inputs = [x]
    for dilation in dilations:
        inputs.append(conv.conv2d_forward(inputs[-1], w, none, dilation=dilation))
    gradient = torch.ones_like(inputs[-1])
    assert gradient.shape == (1, 1, 1, 1)
    for x, dilation in zip(reversed(inputs[:-1]), reversed(dilations), strict=True):
        gradient, _, _ = conv.conv2d_backward(gradient, x, w, none, dilation=dilation)
    assert (gradient > 0).all()


@pytest.mark.parametrize(("h", "fh", "stride", "padding"), INVALID)
@pytest.mark.parametrize("axis", [2, 3])
def test_bad_sizes_raise_everywhere(h, fh, stride, padding, axis, normal):
    shape, kernel = [1, 1, 5, 5], [1, 1, 1, 1]
    shape[axis], kernel[axis] = h, fh
    if stride > 1:
        shape[5 - axis], kernel[5 - axis] = 1, 1  # the other axis is fine
    x, w, b = normal(*shape), normal(*kernel), normal(1)
    calls = [
        lambda: conv.conv_output_size(h, fh, stride, padding),
        lambda: conv.conv2d_forward(x, w, b, stride, padding),
        lambda: conv.conv2d_fast(x, w, b, stride, padding),
        lambda: conv.conv2d_backward(x, x, w, b, stride, padding),
        lambda: conv.im2col(x, *kernel[2:], stride, padding),
        lambda: conv.col2im(x, x.shape, *kernel[2:], stride, padding),
    ]
    if padding == 0:
        square = normal(1, 1, h, h)
        calls += [
            lambda: conv.max_pool2d_forward(square, fh, stride),
            lambda: conv.max_pool2d_backward(square, square, fh, stride),
            lambda: conv.average_pool2d_forward(square, fh, stride),
            lambda: conv.average_pool2d_backward(square, square, fh, stride),
        ]
    for call in calls:
        with pytest.raises(ValueError, match="stride|kernel|padding"):
            call()


def test_only_one_axis_has_to_be_wrong_in_pooling(normal):
    for shape in [(1, 1, 4, 5), (1, 1, 5, 4)]:
        for pool in (conv.max_pool2d_forward, conv.average_pool2d_forward):
            with pytest.raises(ValueError, match="does not divide"):
                pool(normal(*shape), 2, 2)


def test_bad_transposed_sizes(normal):
    x, w, b = normal(1, 1, 2, 2), normal(1, 1, 3, 3), normal(1)
    for stride, padding in [(0, 0), (1, -1), (1, 2)]:
        for call in (
            lambda s=stride, p=padding: conv.conv_transpose2d_forward(x, w, b, s, p),
            lambda s=stride, p=padding: conv.conv_transpose2d_backward(x, x, w, b, s, p),
        ):
            with pytest.raises(ValueError, match="stride|padding"):
                call()


def test_bad_shapes(normal):
    x, w, b = normal(2, 3, 5, 5), normal(4, 3, 3, 3), normal(4)
    for arguments in [(x[0], w, b), (x[:, :2], w, b), (x, w[0], b), (x, w, b[:1]), (x, w, b[:, None])]:
        for forward in (conv.conv2d_forward, conv.conv2d_fast):
            with pytest.raises(ValueError, match=r"\(N, C, H, W\)"):
                forward(*arguments)
    with pytest.raises(ValueError, match=r"\(C, K, FH, FW\)"):
        conv.conv_transpose2d_forward(x, w, b)
    with pytest.raises(ValueError, match="dout"):
        conv.conv2d_backward(normal(2, 4, 1, 1), x, w, b)
    with pytest.raises(ValueError, match="dout"):
        conv.max_pool2d_backward(normal(2, 3, 1, 1), x, 1, 1)
    with pytest.raises(ValueError, match="dout"):
        conv.average_pool2d_backward(normal(2, 3, 1, 1), x, 1, 1)
    with pytest.raises(ValueError, match="dout"):
        conv.conv_transpose2d_backward(normal(2, 4, 1, 1), x, normal(3, 4, 1, 1), b)
    with pytest.raises(ValueError, match="cols must have"):
        conv.col2im(normal(2, 3, 3, 27), (2, 3, 5, 6), 3, 3)
    for pool in (conv.max_pool2d_forward, conv.average_pool2d_forward):
        with pytest.raises(ValueError, match="four axes"):
            pool(x[0], 1, 1)
    with pytest.raises(ValueError, match="four axes"):
        conv.im2col(x[0], 1, 1)
    with pytest.raises(TypeError, match="integer"):
        conv.conv2d_forward(x, w, b, 1.0)


def test_conduct(normal, check_conduct, device):
    x, w, b, dout = normal(2, 2, 7, 5), normal(3, 2, 3, 1), normal(3), normal(2, 3, 4, 4)
    check_conduct(conv.conv2d_forward, [x, w, b, 2, 1], device)
    check_conduct(conv.conv2d_fast, [x, w, b, 2, 1], device)
    check_conduct(conv.conv2d_forward, [x, w, b, 1, 1, 2], device)
    check_conduct(conv.conv2d_backward, [normal(2, 3, 5, 7), x, w, b, 1, 1, 2], device)
    check_conduct(conv.conv2d_backward, [dout, x, w, b, 2, 1], device)
    check_conduct(conv.conv2d_fast, [x, normal(3, 2, 1, 1), b], device)
    check_conduct(conv.im2col, [x, 3, 1, 2, 1], device)
    check_conduct(conv.im2col, [x, 1, 1], device)
    check_conduct(lambda cols: conv.col2im(cols, (2, 2, 7, 5), 3, 1, 2, 1), [normal(2, 4, 4, 6)], device)
    check_conduct(lambda cols: conv.col2im(cols, (2, 2, 7, 5), 1, 1), [normal(2, 7, 5, 2)], device)
    for size, stride, oh, ow in [(3, 2, 3, 2), (1, 1, 7, 5), (3, 1, 5, 3), (1, 2, 4, 3)]:
        for forward, backward, _ in POOLS.values():
            check_conduct(forward, [x, size, stride], device)
            check_conduct(backward, [normal(2, 2, oh, ow), x, size, stride], device)
    ties = x.sign()
    check_conduct(conv.max_pool2d_backward, [normal(2, 2, 5, 3), ties, 3, 1], device)
    kernels, dout = normal(2, 3, 3, 2), normal(2, 3, 13, 8)
    check_conduct(conv.conv_transpose2d_forward, [x, kernels, b, 2, 1], device)
    check_conduct(conv.conv_transpose2d_backward, [dout, x, kernels, b, 2, 1], device)


def test_an_empty_batch_is_an_empty_result(normal):
    x, w, b = normal(0, 2, 4, 4), normal(3, 2, 2, 2), normal(3)
    assert conv.conv2d_forward(x, w, b).shape == (0, 3, 3, 3)
    assert conv.conv2d_fast(x, w, b).shape == (0, 3, 3, 3)
    assert conv.max_pool2d_forward(x, 2, 2).shape == (0, 2, 2, 2)
    assert conv.conv2d_backward(normal(0, 3, 3, 3), x, w, b)[1].tolist() == torch.zeros(3, 2, 2, 2).tolist()
