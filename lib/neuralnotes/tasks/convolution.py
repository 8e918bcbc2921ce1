"""The tasks of the assignment ``convolution``: from the output size of a convolution to the edges of a photograph.

Every misconception is self-contained, because its source is pasted into notebooks of the demonstration class.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from .records import Budget, Case, Misconception, Task, variant

# --- Oracles: torch in float64, or the definition counted out ---------------------------------------------------------


def count_windows(size, kernel, stride=1, padding=0):
    """Number of windows along one axis, counted one by one.

    Raises:
        ValueError: The windows do not fit exactly.
    """
    if kernel < 1 or stride < 1 or padding < 0:
        raise ValueError(f"kernel {kernel} and stride {stride} have to be at least 1, padding {padding} at least 0")
    ends = range(kernel, size + 2 * padding + 1, stride)
    if len(ends) == 0 or ends[-1] != size + 2 * padding:
        raise ValueError(f"windows of {kernel} with stride {stride} do not fit {size} with padding {padding} exactly")
    return len(ends)


def _require_fit(image_shape, kernel_shape, stride, padding):
    for size, kernel in zip(image_shape, kernel_shape, strict=True):
        count_windows(size, kernel, stride, padding)


def _tensors(*arrays):
    return [torch.tensor(array, dtype=torch.float64) for array in arrays]


def _conv2d(x, w, b, stride=1, padding=0):
    _require_fit(x.shape[2:], w.shape[2:], stride, padding)
    return F.conv2d(*_tensors(x, w, b), stride=stride, padding=padding).numpy()


def _conv2d_gradients(dout, x, w, b, stride=1, padding=0):
    _require_fit(x.shape[2:], w.shape[2:], stride, padding)
    leaves = [tensor.requires_grad_() for tensor in _tensors(x, w, b)]
    out = F.conv2d(*leaves, stride=stride, padding=padding)
    return tuple(gradient.numpy() for gradient in torch.autograd.grad(out, leaves, *_tensors(dout)))


def _unfold(x, kernel_height, kernel_width, stride=1, padding=0):
    _require_fit(x.shape[2:], (kernel_height, kernel_width), stride, padding)
    out_height = count_windows(x.shape[2], kernel_height, stride, padding)
    columns = F.unfold(*_tensors(x), (kernel_height, kernel_width), stride=stride, padding=padding)  # (N, C*FH*FW, L)
    return columns.transpose(1, 2).unflatten(1, (out_height, -1)).numpy().copy()


def _max_pool(x, size, stride):
    _require_fit(x.shape[2:], (size, size), stride, 0)
    return F.max_pool2d(*_tensors(x), size, stride).numpy()


def _max_pool_gradient(dout, x, size, stride):
    _require_fit(x.shape[2:], (size, size), stride, 0)
    leaf = _tensors(x)[0].requires_grad_()
    (gradient,) = torch.autograd.grad(F.max_pool2d(leaf, size, stride), leaf, *_tensors(dout))
    return gradient.numpy()


def _traced_field(layers):
    """Follow one output unit down to the input: the first and the last position it sees, layer by layer."""
    first = last = 0
    for kernel, stride in reversed(layers):
        if kernel < 1 or stride < 1:
            raise ValueError(f"kernel {kernel} and stride {stride} have to be at least 1")
        first, last = first * stride, last * stride + kernel - 1
    return last - first + 1


def _sobel(image):
    vertical = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], dtype=torch.float64)
    kernels = torch.stack([vertical, vertical.T])[:, None]
    gradients = F.conv2d(_tensors(image)[0][None, None], kernels, padding=1)[0]
    return torch.linalg.vector_norm(gradients, dim=0).numpy()


# --- conv_output_size -------------------------------------------------------------------------------------------------


def _sizes_visible(rng):
    return [
        Case("a 3-wide kernel on 5", (5, 3)),
        Case("stride 2", (7, 3, 2)),
        Case("the padding that keeps the size", (28, 5), {"padding": 2}),
        Case("stride and padding", (9, 5, 3, 1)),
        Case("a stride that does not divide", (7, 2, 3), edge=True),
    ]


def _sizes_hidden(rng):
    cases = [
        Case("a 1-wide kernel, stride 3", (7, 1, 3)),
        Case("the first layer of AlexNet", (227, 11), {"stride": 4}),
        Case("stride 2, padding 1", (33, 5, 2, 1)),
        Case("stride 4, padding 2", (12, 4), {"stride": 4, "padding": 2}),
    ]
    for i in range(4):
        kernel, stride, padding = int(rng.integers(2, 8)), int(rng.integers(1, 5)), int(rng.integers(1, 4))
        size = int(rng.integers(6, 30)) * stride + kernel - 2 * padding
        cases.append(Case(f"a random layer that fits ({i + 1})", (size, kernel, stride, padding)))
    return [
        *cases,
        Case("a kernel as large as the input", (6, 6, 4), edge=True),
        Case("a kernel as large as the padded input", (4, 8, 3, 2), edge=True),
        Case("a kernel one larger than the input", (5, 6), edge=True),
        Case("a kernel two strides larger than the padded input", (5, 11, 2, 1), edge=True),
        Case("a stride that does not divide, with padding", (224, 7, 2, 3), edge=True),
        Case("kernel 0", (5, 0), edge=True),
        Case("kernel -2", (5, -2), edge=True),
        Case("stride 0", (5, 3, 0), edge=True),
        Case("stride -1", (5, 3, -1), edge=True),
        Case("padding -1", (7, 3, 1, -1), edge=True),
    ]


def _size_right(size, kernel, stride=1, padding=0):
    room = size + 2 * padding - kernel
    if kernel < 1 or stride < 1 or padding < 0 or room < 0 or room % stride:
        raise ValueError("the windows do not fit")
    return room // stride + 1


CONV_OUTPUT_SIZE = Task(
    id="conv_output_size", points=1, minutes=10, difficulty=1,
    signature="conv_output_size(size, kernel, stride=1, padding=0) -> int",
    visible=_sizes_visible, hidden=_sizes_hidden, oracle=count_windows,
    misconceptions=(
        Misconception("float-division", variant(_size_right, "room // stride", "room / stride"),
                      "The number is right, but it is a float such as 3.0, and a size is an int. Look at the "
                      "division."),
        Misconception("floored-stride", variant(_size_right, " or room % stride", ""),
                      "A stride that does not divide was rounded down, so the last columns would be dropped silently. "
                      "Look at what the statement asks for when the windows do not end at the border."),
        Misconception("padding-added-once", variant(_size_right, "2 * padding", "padding"),
                      "Only one border seems to be padded. Draw the padded row and count its cells."),
        Misconception("plus-one-forgotten", variant(_size_right, " + 1", ""),
                      "You seem to count the steps that the window takes, not the places where it stands. Try size 3, "
                      "kernel 3."),
        Misconception("padding-outside-the-division",
                      variant(variant(_size_right, " or room % stride", ""),
                              "room // stride + 1", "(size - kernel) // stride + 1 + 2 * padding"),
                      "The padding seems to be added to the output. It belongs to the input, before the window takes "
                      "its steps."),
        Misconception("arguments-unchecked",
                      variant(_size_right, "kernel < 1 or stride < 1 or padding < 0 or room < 0 or ", ""),
                      "The sizes that fit are right. Look at what happens for a kernel larger than the padded input, "
                      "and for a kernel, stride or padding out of range."),
    ),
)


# --- conv2d_forward ---------------------------------------------------------------------------------------------------


def _layer(rng, batch, channels, image, filters, kernel):
    """Random x, w and b of a layer; ``image`` and ``kernel`` are (height, width)."""
    return (
        rng.normal(size=(batch, channels, *image)),
        rng.normal(size=(filters, channels, *kernel)),
        rng.normal(size=filters),
    )


def _worked_layer():
    x = np.array([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]])
    return x, np.array([[[[1.0, 0.0], [0.0, -2.0]]]]), np.array([0.5])


def _spread(array):
    """The same values as a view that is not contiguous."""
    return np.repeat(array, 2, axis=-1)[..., ::2]


def _forward_visible(rng):
    return [
        Case("two images, three channels, four filters", _layer(rng, 2, 3, (5, 5), 4, (3, 3))),
        Case("stride 2, padding 1", _layer(rng, 3, 2, (7, 7), 4, (3, 3)), {"stride": 2, "padding": 1}),
        Case("the worked example", _worked_layer(), edge=True),
        Case("an image that is not square", _layer(rng, 2, 2, (4, 6), 3, (3, 2)), edge=True),
        Case("a stride that does not divide", _layer(rng, 2, 1, (6, 6), 3, (3, 3)), {"stride": 2}, edge=True),
    ]


def _forward_hidden(rng):
    single = tuple(array.astype(np.float32) for array in _layer(rng, 2, 3, (6, 6), 4, (3, 3)))
    x, w, b = _layer(rng, 2, 3, (6, 6), 4, (3, 3))
    return [
        Case("defaults", _layer(rng, 3, 2, (6, 6), 4, (3, 3))),
        Case("stride 2", _layer(rng, 2, 3, (7, 7), 4, (3, 3)), {"stride": 2}),
        Case("padding 1", _layer(rng, 2, 3, (5, 5), 4, (3, 3)), {"padding": 1}),
        Case("an even kernel, padding 2", (*_layer(rng, 3, 2, (5, 5), 4, (4, 4)), 1, 2)),
        Case("stride 3, padding 1", (*_layer(rng, 2, 3, (8, 8), 5, (4, 4)), 3, 1)),
        Case("a batch of one", _layer(rng, 1, 3, (5, 5), 4, (2, 2)), edge=True),
        Case("one channel and one filter", _layer(rng, 2, 1, (5, 5), 1, (3, 3)), edge=True),
        Case(
            "neither image nor kernel is square",
            _layer(rng, 2, 3, (9, 6), 4, (3, 2)), {"stride": 2, "padding": 1}, edge=True,
        ),
        Case("a wide image, stride 2", _layer(rng, 2, 2, (4, 9), 3, (2, 3)), {"stride": 2}, edge=True),
        Case("a 1 x 1 kernel", _layer(rng, 2, 3, (4, 4), 5, (1, 1)), edge=True),
        Case("a kernel as large as the image", _layer(rng, 2, 3, (4, 4), 5, (4, 4)), edge=True),
        Case("a kernel as large as the padded image", _layer(rng, 2, 2, (2, 1), 3, (4, 3)), {"padding": 1}, edge=True),
        Case("a stride larger than the kernel", _layer(rng, 2, 2, (7, 7), 3, (1, 1)), {"stride": 3}, edge=True),
        Case("float32 arrays", single, {"padding": 1}, edge=True),
        Case("views that are not contiguous", (_spread(x), _spread(w), _spread(b)), {"padding": 1}, edge=True),
        Case("transposed views", (x.transpose(0, 1, 3, 2), np.asfortranarray(w), b), edge=True),
        *_refusals(lambda image, kernel: _layer(rng, 2, 2, image, 3, kernel)),
    ]


def _refusals(arguments):
    """Cases that must raise ValueError; ``arguments(image, kernel)`` are those up to the stride."""
    return [
        Case("a stride that does not divide the height", arguments((6, 7), (3, 3)), {"stride": 2}, edge=True),
        Case("a stride that does not divide the width", arguments((7, 6), (3, 3)), {"stride": 2}, edge=True),
        Case("a stride that does not divide, with padding", (*arguments((6, 6), (3, 3)), 2, 1), edge=True),
        Case("a kernel higher than the image", arguments((2, 5), (3, 3)), edge=True),
        Case("a kernel wider than the image", arguments((5, 2), (3, 3)), edge=True),
        Case("a kernel two strides larger than the image", arguments((1, 1), (3, 3)), {"stride": 1}, edge=True),
        Case("stride 0", arguments((5, 5), (3, 3)), {"stride": 0}, edge=True),
        Case("stride -1", arguments((5, 5), (3, 3)), {"stride": -1}, edge=True),
        Case("padding -1", arguments((5, 5), (3, 3)), {"padding": -1}, edge=True),
    ]


# An implementation named unchecked, here and below, is right wherever the layer fits, and never looks whether it does.


def _forward_unchecked(x, w, b, stride=1, padding=0):
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    rows, columns = (range(0, padded.shape[axis] - w.shape[axis] + 1, stride) for axis in (2, 3))
    out = np.zeros((len(x), len(w), len(rows), len(columns)))
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            patch = padded[:, :, top : top + w.shape[2], left : left + w.shape[3]]
            out[:, :, i, j] = np.einsum("ncab,kcab->nk", patch, w) + b
    return out


def _forward_window_unstrided(x, w, b, stride=1, padding=0):
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    height, width = ((padded.shape[axis] - w.shape[axis]) // stride + 1 for axis in (2, 3))
    out = np.zeros((len(x), len(w), height, width))
    for i in range(height):
        for j in range(width):
            patch = padded[:, :, i : i + w.shape[2], j : j + w.shape[3]]
            out[:, :, i, j] = np.einsum("ncab,kcab->nk", patch, w) + b
    return out


FLIPPED_HINT = (
    "You computed a true convolution: the kernel is turned upside down and left to right. The layer is a "
    "cross-correlation, which lays the kernel on the patch as it is."
)
FORGOTTEN_BIAS_HINT = "Every map is off by a constant of its own. Look at what is added once the products are summed."
FLOORED_HINT = (
    "The layers that fit are right. Where the stride does not divide, the last rows or columns were dropped silently; "
    "the statement asks for something else there."
)

CONV2D_FORWARD = Task(
    id="conv2d_forward", points=3, minutes=25, difficulty=2,
    signature="conv2d_forward(x, w, b, stride=1, padding=0) -> out",
    visible=_forward_visible, hidden=_forward_hidden, oracle=_conv2d,
    misconceptions=(
        Misconception("flipped-kernel", variant(_forward_unchecked, "patch, w)", "patch, w[:, :, ::-1, ::-1])"),
                      FLIPPED_HINT),
        Misconception("transposed-kernel", variant(_forward_unchecked, "kcab", "kcba"),
                      "The kernel seems to be transposed: its rows meet the columns of the patch. Compare the order of "
                      "the two last axes of the patch and of w."),
        Misconception("forgotten-bias", variant(_forward_unchecked, " + b\n", "\n"), FORGOTTEN_BIAS_HINT),
        Misconception("bias-once-per-channel",
                      variant(_forward_unchecked, 'np.einsum("ncab,kcab->nk", patch, w) + b',
                              'sum(np.einsum("nab,kab->nk", patch[:, c], w[:, c]) + b for c in range(x.shape[1]))'),
                      "The bias seems to be added once for every input channel. Look at which loop it stands in."),
        Misconception("window-without-stride", _forward_window_unstrided,
                      "The shape is right, but the window seems to move by one cell at each step. Look at where the "
                      "patch of output (i, j) begins."),
        Misconception("stride-inside-the-kernel",
                      variant(variant(_forward_window_unstrided, "(padded.shape[axis] - w.shape[axis]) // stride + 1",
                                      "padded.shape[axis] - stride * (w.shape[axis] - 1)"),
                              "i : i + w.shape[2], j : j + w.shape[3]]",
                              "i::stride, j::stride][:, :, : w.shape[2], : w.shape[3]]"),
                      "The stride seems to spread the kernel's cells apart (a dilated convolution). It is the step "
                      "between one patch and the next; inside a patch the cells are neighbors."),
        Misconception("padding-on-one-side",
                      variant(_forward_unchecked, "(padding, padding), (padding, padding)",
                              "(padding, 0), (padding, 0)"),
                      "Only the top and the left seem to be padded. Look at the pairs that np.pad takes for each "
                      "axis."),
        Misconception("every-axis-padded",
                      variant(_forward_unchecked, "((0, 0), (0, 0), (padding, padding), (padding, padding))",
                              "padding"),
                      "np.pad with a single number pads every axis, so images and channels of zeros appear too. Print "
                      "the shape of the padded array."),
        Misconception("floored-stride",
                      variant(_forward_unchecked, "    out =",
                              "    if stride < 1 or not rows or not columns:\n"
                              '        raise ValueError("the kernel does not fit")\n    out ='),
                      FLOORED_HINT),
    ),
)


# --- conv2d_backward --------------------------------------------------------------------------------------------------


def _backward_arguments(rng, batch, channels, image, filters, kernel, stride=1, padding=0):
    """Random dout, x, w and b. Where the layer does not fit, dout has the size rounded down, at least 1."""
    sizes = []
    for size, length in zip(image, kernel, strict=True):
        sizes.append(max(1, (size + 2 * max(padding, 0) - length) // max(stride, 1) + 1))
    return rng.normal(size=(batch, filters, *sizes)), *_layer(rng, batch, channels, image, filters, kernel)


def _backward_visible(rng):
    return [
        Case("two images, three channels, four filters", _backward_arguments(rng, 2, 3, (5, 5), 4, (3, 3))),
        Case(
            "stride 2, padding 1", _backward_arguments(rng, 3, 2, (7, 7), 4, (3, 3), 2, 1), {"stride": 2, "padding": 1}
        ),
        Case("the worked example", (np.array([[[[1.0, 2.0], [0.0, -1.0]]]]), *_worked_layer()), edge=True),
        Case("an image that is not square", _backward_arguments(rng, 2, 2, (4, 6), 3, (3, 2)), edge=True),
        Case(
            "a stride that does not divide",
            _backward_arguments(rng, 2, 1, (6, 6), 3, (3, 3), 2), {"stride": 2}, edge=True,
        ),
    ]


def _backward_hidden(rng):
    single = tuple(array.astype(np.float32) for array in _backward_arguments(rng, 2, 3, (5, 5), 4, (3, 3), 1, 1))
    wide = _backward_arguments(rng, 2, 3, (6, 6), 4, (3, 3), 1, 1)
    dout, x, w, b = _backward_arguments(rng, 2, 3, (6, 6), 4, (3, 3))

    def case(name, shapes, stride=1, padding=0, edge=True):
        return Case(
            name, _backward_arguments(rng, *shapes, stride, padding), {"stride": stride, "padding": padding}, edge
        )

    return [
        Case("defaults", _backward_arguments(rng, 3, 2, (6, 6), 4, (3, 3))),
        case("stride 2", (2, 3, (7, 7), 4, (3, 3)), 2, edge=False),
        case("padding 1", (2, 3, (5, 5), 4, (3, 3)), 1, 1, edge=False),
        Case("an even kernel, padding 2", (*_backward_arguments(rng, 3, 2, (5, 5), 4, (4, 4), 1, 2), 1, 2)),
        case("stride 3, padding 1", (2, 3, (8, 8), 5, (4, 4)), 3, 1, edge=False),
        case("a batch of one", (1, 3, (5, 5), 4, (2, 2))),
        case("one channel and one filter", (2, 1, (5, 5), 1, (3, 3)), 1, 1),
        case("neither image nor kernel is square", (2, 3, (9, 6), 4, (3, 2)), 2, 1),
        case("a wide image, stride 2", (2, 2, (4, 9), 3, (2, 3)), 2),
        case("a 1 x 1 kernel", (2, 3, (4, 4), 5, (1, 1))),
        case("a kernel as large as the image", (2, 3, (4, 4), 5, (4, 4))),
        case("a kernel as large as the padded image", (2, 2, (2, 1), 3, (4, 3)), 1, 1),
        case("a stride larger than the kernel, padding 1", (2, 2, (6, 6), 3, (2, 2)), 3, 1),
        Case("float32 arrays", single, {"padding": 1}, edge=True),
        Case("views that are not contiguous", tuple(map(_spread, wide)), {"padding": 1}, edge=True),
        Case(
            "transposed views",
            (dout.transpose(0, 1, 3, 2), x.transpose(0, 1, 3, 2), np.asfortranarray(w), b), edge=True,
        ),
        *_backward_refusals(rng),
    ]


def _backward_refusals(rng):
    cases = []
    for case in _refusals(lambda image, kernel: (image, kernel)):
        image, kernel, *rest = case.arguments
        stride, padding = rest or (case.keywords.get("stride", 1), case.keywords.get("padding", 0))
        arguments = _backward_arguments(rng, 2, 2, image, 3, kernel, stride, padding)
        cases.append(Case(case.name, arguments, {"stride": stride, "padding": padding}, edge=True))
    return cases


def _backward_unchecked(dout, x, w, b, stride=1, padding=0):
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dx, dw = np.zeros(padded.shape), np.zeros(w.shape)
    for n in range(len(x)):
        for i, j in np.ndindex(dout.shape[2:]):
            top, left = i * stride, j * stride
            rows, columns = slice(top, top + w.shape[2]), slice(left, left + w.shape[3])
            dw += dout[n, :, i, j, None, None, None] * padded[n, :, rows, columns]
            dx[n, :, rows, columns] += np.tensordot(dout[n, :, i, j], w, axes=1)
    dx = dx[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]]
    db = dout.sum(axis=(0, 2, 3))
    return dx, dw, db


CONV2D_BACKWARD = Task(
    id="conv2d_backward", points=5, minutes=45, difficulty=4,
    signature="conv2d_backward(dout, x, w, b, stride=1, padding=0) -> (dx, dw, db)",
    visible=_backward_visible, hidden=_backward_hidden, oracle=_conv2d_gradients,
    misconceptions=(
        Misconception("only-the-last-image",
                      variant(_backward_unchecked, "in range(len(x)):\n",
                              "in range(len(x)):\n        dw = np.zeros(w.shape)\n"),
                      "dw seems to come from the last image alone. The kernel is shared by the whole batch: look at "
                      "where dw is set to zero."),
        Misconception("bias-gradient-averaged", variant(_backward_unchecked, "dout.sum", "dout.mean"),
                      "db is an average. Any averaging is part of the loss and is in dout already: how many outputs "
                      "does b[k] touch?"),
        Misconception("batch-averaged", variant(_backward_unchecked, "dw, db\n", "dw / len(x), db / len(x)\n"),
                      "dw and db are divided by the number of images. Any averaging is part of the loss and is in dout "
                      "already."),
        Misconception("padding-kept",
                      variant(_backward_unchecked,
                              "dx = dx[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]]\n    ",
                              ""),
                      "dx has the shape of the padded image. It needs the shape of x: which rows and columns were "
                      "never in x?"),
        Misconception("overwritten-where-windows-overlap", variant(_backward_unchecked, "+= np.tensor", "= np.tensor"),
                      "Where windows overlap, a cell of x feeds several outputs, but dx keeps the contribution of the "
                      "last one only."),
        Misconception("flipped-twice", variant(_backward_unchecked, "w, axes", "w[:, :, ::-1, ::-1], axes"),
                      "dx uses the flipped kernel where it should not be flipped (or flips it twice). Which weight "
                      "joined x[i*stride + a, j*stride + c] to out[i, j] in the forward pass? The same one carries the "
                      "gradient back."),
        Misconception("window-without-stride", variant(_backward_unchecked, "i * stride, j * stride", "i, j"),
                      "With stride 1 all is right; with a larger one the patches are taken from the wrong place. Look "
                      "at where the patch of output (i, j) begins."),
        Misconception("arguments-unchecked", _backward_unchecked,
                      "The gradients are right. Look at the arguments that the forward pass refuses: the backward pass "
                      "refuses them too."),
    ),
)


# --- im2col -----------------------------------------------------------------------------------------------------------


def _im2col_visible(rng):
    return [
        Case("two images, three channels", (rng.normal(size=(2, 3, 6, 6)), 3, 3)),
        Case("stride 2, padding 1", (rng.normal(size=(3, 2, 7, 7)), 3, 3), {"stride": 2, "padding": 1}),
        Case("the worked example", (_worked_layer()[0], 2, 2), edge=True),
        Case("a window that is not square", (rng.normal(size=(2, 3, 5, 7)), 2, 3)),
        Case("a stride that does not divide", (rng.normal(size=(2, 2, 6, 6)), 3, 3), {"stride": 2}, edge=True),
    ]


def _im2col_hidden(rng):
    x = rng.normal(size=(2, 3, 6, 6))
    return [
        Case("defaults", (rng.normal(size=(3, 2, 5, 5)), 2, 2)),
        Case("stride 2", (rng.normal(size=(2, 3, 7, 7)), 3, 3, 2)),
        Case("padding 1", (rng.normal(size=(2, 3, 4, 4)), 3, 3), {"padding": 1}),
        Case("stride 3, padding 2", (rng.normal(size=(2, 3, 6, 6)), 4, 4, 3, 2)),
        Case("stride and padding by keyword", (x, 2, 2), {"stride": 2, "padding": 0}),
        Case("a batch of one", (rng.normal(size=(1, 2, 5, 5)), 2, 2), edge=True),
        Case("one channel", (rng.normal(size=(3, 1, 5, 5)), 3, 3), {"padding": 1}, edge=True),
        Case("a high image", (rng.normal(size=(2, 3, 9, 6)), 3, 2), {"stride": 2, "padding": 1}, edge=True),
        Case("a wide image", (rng.normal(size=(2, 2, 4, 9)), 2, 3), {"stride": 2}, edge=True),
        Case("a 1 x 1 window", (rng.normal(size=(2, 3, 4, 5)), 1, 1), edge=True),
        Case("a window as large as the padded image", (rng.normal(size=(2, 3, 2, 1)), 4, 3, 1, 1), edge=True),
        Case("a stride larger than the window", (rng.normal(size=(2, 2, 7, 7)), 1, 1), {"stride": 3}, edge=True),
        Case("float32 arrays", (x.astype(np.float32), 3, 3), edge=True),
        Case("a view that is not contiguous", (_spread(x), 3, 3), {"padding": 1}, edge=True),
        Case("a transposed view", (x.transpose(0, 1, 3, 2), 3, 3), edge=True),
        *_refusals(lambda image, kernel: (rng.normal(size=(2, 3, *image)), *kernel)),
        Case("a window of height 0", (x, 0, 3), edge=True),
        Case("a window of width 0", (x, 3, 0), edge=True),
    ]


def _im2col_unchecked(x, kernel_height, kernel_width, stride=1, padding=0):
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel_height, kernel_width), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]
    patches = windows.transpose(0, 2, 3, 1, 4, 5)
    return patches.reshape(*patches.shape[:3], -1)


IM2COL = Task(
    id="im2col", points=3, minutes=30, difficulty=3,
    signature="im2col(x, kernel_height, kernel_width, stride=1, padding=0) -> cols",
    visible=_im2col_visible, hidden=_im2col_hidden, oracle=_unfold,
    misconceptions=(
        Misconception("channel-minor-patches", variant(_im2col_unchecked, "1, 4, 5", "4, 5, 1"),
                      "Each patch holds the right numbers in another order: the channel changes fastest. The statement "
                      "wants all of channel 0 first, then all of channel 1."),
        Misconception("patches-column-by-column", variant(_im2col_unchecked, "4, 5", "5, 4"),
                      "Inside a channel each patch is read column by column. The statement wants it row by row."),
        Misconception("patches-as-columns",
                      variant(variant(_im2col_unchecked, "0, 2, 3, 1, 4, 5", "0, 1, 4, 5, 2, 3"),
                              "*patches.shape[:3], -1", "len(x), x.shape[1] * kernel_height * kernel_width, -1"),
                      "Your patches stand in columns, with all positions in one axis. Read the shape in the statement "
                      "again: the patch is the last axis."),
        Misconception("positions-flattened",
                      variant(_im2col_unchecked, "*patches.shape[:3], -1",
                              "-1, x.shape[1] * kernel_height * kernel_width"),
                      "The rows are right, but images and positions are flattened into one axis. Keep N, OH and OW "
                      "apart."),
        Misconception("positions-swapped", variant(_im2col_unchecked, "0, 2, 3, 1", "0, 3, 2, 1"),
                      "The patches are right, but cols[n, i, j] seems to hold the patch of row j and column i."),
        Misconception("reshape-without-transpose", variant(_im2col_unchecked, "patches.reshape", "windows.reshape"),
                      "The shape is right and the numbers are shuffled: reshape never reorders axes. Print the shape "
                      "just before it and see which axes have to move first."),
        Misconception("floored-stride",
                      variant(_im2col_unchecked, "    padded =",
                              "    if min(kernel_height, kernel_width, stride) < 1:\n"
                              '        raise ValueError("an argument is out of range")\n    padded ='),
                      FLOORED_HINT),
    ),
)


# --- conv2d_fast ------------------------------------------------------------------------------------------------------


def _fast_visible(rng):
    return [
        *_forward_visible(rng),
        Case(
            "102,400 outputs, timed", _layer(rng, 2, 2, (19, 19), 128, (2, 2)), {"padding": 1}, timed=True,
        ),
    ]


def _fast_loops(x, w, b, stride=1, padding=0):
    for size, kernel in zip(x.shape[2:], w.shape[2:], strict=True):
        room = size + 2 * padding - kernel
        if kernel < 1 or stride < 1 or padding < 0 or room < 0 or room % stride:
            raise ValueError("the windows do not fit")
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    kernel_height, kernel_width = w.shape[2:]
    height = (padded.shape[2] - kernel_height) // stride + 1
    width = (padded.shape[3] - kernel_width) // stride + 1
    out = np.empty((x.shape[0], w.shape[0], height, width))
    for n in range(x.shape[0]):
        for k in range(w.shape[0]):
            for i in range(height):
                for j in range(width):
                    top, left = i * stride, j * stride
                    patch = padded[n, :, top : top + kernel_height, left : left + kernel_width]
                    out[n, k, i, j] = np.sum(patch * w[k]) + b[k]
    return out


def _fast_unchecked(x, w, b, stride=1, padding=0):
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    patches = windows.transpose(0, 2, 3, 1, 4, 5)
    out = patches.reshape(*patches.shape[:3], -1) @ w.reshape(len(w), -1).T + b
    return out.transpose(0, 3, 1, 2)


CONV2D_FAST = Task(
    id="conv2d_fast", points=4, minutes=25, difficulty=3,
    signature="conv2d_fast(x, w, b, stride=1, padding=0) -> out",
    visible=_fast_visible, hidden=_forward_hidden, oracle=_conv2d,
    budget=Budget(seconds=60.0, at_least_faster_than=(20.0, _fast_loops)),
    misconceptions=(
        Misconception("loops", _fast_loops,
                      "The values are right, but most of the time goes into Python's loops. Which of them could one "
                      "matrix product do at once?"),
        Misconception("flipped-kernel", variant(_fast_unchecked, "w.reshape", "w[:, :, ::-1, ::-1].reshape"),
                      FLIPPED_HINT),
        Misconception("forgotten-bias", variant(_fast_unchecked, " + b\n", "\n"), FORGOTTEN_BIAS_HINT),
        Misconception("filters-last", variant(_fast_unchecked, "out.transpose(0, 3, 1, 2)", "out"),
                      "The filters are the last axis of your result. The statement wants them right after the batch: "
                      "move the axis."),
        Misconception("reshape-instead-of-transpose",
                      variant(_fast_unchecked, "transpose(0, 3, 1, 2)", "reshape(len(x), len(w), *out.shape[1:3])"),
                      "The shape is right and the numbers are shuffled: reshape never reorders axes. Which axis has to "
                      "move, and what moves axes?"),
        Misconception("patch-and-kernel-order-differ", variant(_fast_unchecked, "1, 4, 5", "4, 5, 1"),
                      "The patches and the kernels seem to be flattened in different orders, so channels meet the "
                      "wrong weights."),
        Misconception("floored-stride",
                      variant(_fast_unchecked, "    padded =",
                              '    if stride < 1:\n        raise ValueError("stride is out of range")\n    padded ='),
                      FLOORED_HINT),
    ),
)


# --- max_pool2d_forward -----------------------------------------------------------------------------------------------

WORKED_POOL = np.array([[[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 1.0, 7.0], [6.0, 0.0, 2.0, 2.0], [1.0, 3.0, 2.0, 1.0]]]])


def _pool_visible(rng):
    return [
        Case("two images, three channels", (rng.normal(size=(2, 3, 6, 6)), 2, 2)),
        Case("windows that overlap", (rng.normal(size=(3, 2, 7, 7)), 3, 2)),
        Case("the worked example", (WORKED_POOL, 2, 2), edge=True),
        Case("an image that is not square", (rng.normal(size=(2, 3, 4, 8)), 2, 2), edge=True),
        Case("a stride that does not divide", (rng.normal(size=(2, 3, 7, 7)), 2, 2), edge=True),
    ]


def _pool_hidden(rng):
    x = rng.normal(size=(2, 3, 6, 6))
    return [
        Case("size 3, stride 3", (rng.normal(size=(2, 3, 9, 9)), 3, 3)),
        Case("windows that overlap, stride 1", (rng.normal(size=(2, 3, 5, 5)), 3, 1)),
        Case("windows that leave gaps", (rng.normal(size=(2, 3, 8, 8)), 2, 3)),
        Case("negative values only", (-1.0 - rng.random(size=(2, 3, 6, 6)), 2, 2)),
        Case("a batch of one", (rng.normal(size=(1, 3, 6, 6)), 3, 1), edge=True),
        Case("a high image", (rng.normal(size=(2, 3, 9, 5)), 3, 2), edge=True),
        Case("a wide image", (rng.normal(size=(2, 3, 5, 9)), 3, 2), edge=True),
        Case("the whole image in one window", (rng.normal(size=(2, 3, 5, 5)), 5, 2), edge=True),
        Case("size 1, stride 1", (rng.normal(size=(2, 3, 3, 4)), 1, 1), edge=True),
        Case("size 1, stride 2", (rng.normal(size=(2, 3, 5, 5)), 1, 2), edge=True),
        Case("ties", (rng.integers(0, 3, size=(2, 3, 6, 6)).astype(np.float64), 2, 2), edge=True),
        Case("float32 arrays", (x.astype(np.float32), 2, 2), edge=True),
        Case("a view that is not contiguous", (_spread(x), 3, 1), edge=True),
        Case("a transposed view", (x.transpose(0, 1, 3, 2), 2, 2), edge=True),
        *_pool_refusals(lambda image: (rng.normal(size=(2, 3, *image)),)),
    ]


def _pool_refusals(arguments):
    """Cases that must raise ValueError; ``arguments(image)`` are those up to the size."""
    return [
        Case("a stride that does not divide the height", (*arguments((6, 7)), 3, 2), edge=True),
        Case("a stride that does not divide the width", (*arguments((7, 6)), 3, 2), edge=True),
        Case("a window higher than the image", (*arguments((2, 5)), 3, 1), edge=True),
        Case("a window wider than the image", (*arguments((5, 2)), 3, 1), edge=True),
        Case("a window two strides larger than the image", (*arguments((2, 2)), 6, 2), edge=True),
        Case("size 0", (*arguments((4, 4)), 0, 1), edge=True),
        Case("size -2", (*arguments((4, 4)), -2, 1), edge=True),
        Case("stride 0", (*arguments((4, 4)), 2, 0), edge=True),
        Case("stride -1", (*arguments((4, 4)), 2, -1), edge=True),
    ]


def _pool_unchecked(x, size, stride):
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]
    return windows.max(axis=(4, 5))


def _pool_clipped(x, size, stride):
    if size < 1 or stride < 1 or size > min(x.shape[2:]):
        raise ValueError("the window does not fit")
    height = -(-(x.shape[2] - size) // stride) + 1
    width = -(-(x.shape[3] - size) // stride) + 1
    out = np.zeros((*x.shape[:2], height, width))
    for i in range(height):
        for j in range(width):
            top, left = i * stride, j * stride
            out[:, :, i, j] = x[:, :, top : top + size, left : left + size].max(axis=(2, 3))
    return out


MAX_POOL2D_FORWARD = Task(
    id="max_pool2d_forward", points=2, minutes=15, difficulty=2,
    signature="max_pool2d_forward(x, size, stride) -> out",
    visible=_pool_visible, hidden=_pool_hidden, oracle=_max_pool,
    misconceptions=(
        Misconception("mean-pooling", variant(_pool_unchecked, "max(axis=(4, 5))", "sum(axis=(4, 5)) / size**2"),
                      "Each output is the average of its window. This layer keeps the largest value."),
        Misconception("maximum-from-zero", variant(_pool_unchecked, "(4, 5)", "(4, 5), initial=0.0"),
                      "A window of negative values gives 0, which is not in it. Look at what the maximum starts from."),
        Misconception("stride-taken-from-size", variant(_pool_unchecked, "::stride, ::stride", "::size, ::size"),
                      "The windows always stand side by side. Look at windows that overlap or leave gaps: which "
                      "argument is the step?"),
        Misconception("maximum-across-channels", variant(_pool_unchecked, "(4, 5)", "(1, 4, 5)"),
                      "The channels are gone: the maximum was taken across them too. Each channel is pooled by "
                      "itself."),
        Misconception("largest-magnitude", variant(_pool_unchecked, "return windows", "return np.abs(windows)"),
                      "The result seems to hold absolute values. The maximum of -3 and 1 is 1."),
        Misconception("floored-stride",
                      variant(_pool_unchecked, "    windows =",
                              "    if size < 1 or stride < 1:\n"
                              '        raise ValueError("size and stride are out of range")\n    windows ='),
                      FLOORED_HINT),
        Misconception("clipped-windows", _pool_clipped,
                      "The layers that fit are right. Where the stride does not divide, a window hung over the border "
                      "and was cut off; the statement asks for something else there."),
    ),
)


# --- max_pool2d_backward ----------------------------------------------------------------------------------------------


def _pool_gradient_case(rng, name, x, size, stride, edge=False):
    """A case with a random dout. Where the windows do not fit, its size is rounded down, at least 1."""
    sizes = [max(1, (length - size) // max(stride, 1) + 1) for length in x.shape[2:]]
    return Case(name, (rng.normal(size=(*x.shape[:2], *sizes)), x, size, stride), edge=edge)


def _pool_backward_visible(rng):
    return [
        _pool_gradient_case(rng, "two images, three channels", rng.normal(size=(2, 3, 6, 6)), 2, 2),
        _pool_gradient_case(rng, "windows that overlap", rng.normal(size=(3, 2, 7, 7)), 3, 2),
        Case("the worked example", (np.array([[[[10.0, 20.0], [30.0, 40.0]]]]), WORKED_POOL, 2, 2), edge=True),
        _pool_gradient_case(rng, "ties", np.repeat([[[[1.0, 0.0, 2.0, 2.0]]]], 4, axis=2), 2, 2, edge=True),
        _pool_gradient_case(rng, "a stride that does not divide", rng.normal(size=(2, 3, 7, 7)), 2, 2, edge=True),
    ]


def _pool_backward_hidden(rng):
    def case(name, shape, size, stride, edge=True):
        return _pool_gradient_case(rng, name, rng.normal(size=shape), size, stride, edge)

    dout, x = rng.normal(size=(2, 3, 4, 4)), rng.normal(size=(2, 3, 6, 6))
    return [
        case("size 3, stride 3", (2, 3, 9, 9), 3, 3, edge=False),
        case("windows that overlap, stride 1", (2, 3, 5, 5), 3, 1, edge=False),
        case("windows that leave gaps", (2, 3, 8, 8), 2, 3, edge=False),
        _pool_gradient_case(rng, "negative values only", -1.0 - rng.random(size=(2, 3, 6, 6)), 2, 2),
        Case("windows of 3 that move by 1", (dout, x, 3, 1)),
        case("a batch of one", (1, 3, 6, 6), 3, 1),
        case("a high image", (2, 3, 9, 5), 3, 2),
        case("a wide image", (2, 3, 5, 9), 3, 2),
        case("the whole image in one window", (2, 3, 5, 5), 5, 2),
        case("size 1, stride 1", (2, 3, 3, 4), 1, 1),
        case("size 1, stride 2", (2, 3, 5, 5), 1, 2),
        _pool_gradient_case(rng, "a constant image", np.full((2, 3, 6, 6), 0.5), 3, 3, edge=True),
        _pool_gradient_case(
            rng, "ties in windows that overlap", rng.integers(0, 3, size=(2, 3, 7, 7)).astype(np.float64), 3, 2,
            edge=True,
        ),
        _pool_gradient_case(
            rng, "flat regions of zeros, as after a ReLU", np.maximum(rng.normal(size=(2, 3, 6, 6)) - 0.8, 0.0), 2, 2,
            edge=True,
        ),
        Case("float32 arrays", (dout.astype(np.float32), x.astype(np.float32), 3, 1), edge=True),
        Case("views that are not contiguous", (_spread(dout), _spread(x), 3, 1), edge=True),
        Case("transposed views", (dout.transpose(0, 1, 3, 2), x.transpose(0, 1, 3, 2), 3, 1), edge=True),
        *(
            case(refused.name, (2, 3, *refused.arguments[0]), *refused.arguments[1:])
            for refused in _pool_refusals(lambda image: (image,))
        ),
    ]


def _pool_backward_unchecked(dout, x, size, stride):
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dout.shape):
        top, left = i * stride, j * stride
        window = x[n, c, top : top + size, left : left + size]
        row, column = np.unravel_index(window.argmax(), window.shape)
        dx[n, c, top + row, left + column] += dout[n, c, i, j]
    return dx


_pool_backward_right = variant(
    _pool_backward_unchecked, "    dx = np.zeros(x.shape)\n", """\
    rooms = x.shape[2] - size, x.shape[3] - size
    if size < 1 or stride < 1 or any(room < 0 or room % stride for room in rooms):
        raise ValueError("the windows do not fit")
    dx = np.zeros(x.shape)
""")


def _pool_backward_averaged(dout, x, size, stride):
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dout.shape):
        dx[n, c, i * stride : i * stride + size, j * stride : j * stride + size] += dout[n, c, i, j] / size**2
    return dx


def _pool_backward_corner(dout, x, size, stride):
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dout.shape):
        dx[n, c, i * stride, j * stride] += dout[n, c, i, j]
    return dx


_pool_backward_every_tie = variant(
    variant(_pool_backward_right, "row, column = np.unravel_index(window.argmax(), window.shape)",
            "largest = window == window.max()"),
    "top + row, left + column] += dout", "top : top + size, left : left + size] += largest * dout",
)

MAX_POOL2D_BACKWARD = Task(
    id="max_pool2d_backward", points=3, minutes=25, difficulty=3,
    signature="max_pool2d_backward(dout, x, size, stride) -> dx",
    visible=_pool_backward_visible, hidden=_pool_backward_hidden, oracle=_max_pool_gradient,
    misconceptions=(
        Misconception("shared-between-ties",
                      variant(_pool_backward_every_tie, "dout[n, c, i, j]", "dout[n, c, i, j] / largest.sum()"),
                      "Where several cells of a window are equally large, the gradient is divided between them. The "
                      "statement gives it to one of them."),
        Misconception("copied-to-every-tie", _pool_backward_every_tie,
                      "Where several cells of a window are equally large, each of them receives the whole gradient. "
                      "The statement gives it to one of them."),
        Misconception("last-maximum",
                      variant(_pool_backward_right, "np.unravel_index(window.argmax(), window.shape)",
                              "np.argwhere(window == window.max())[-1]"),
                      "On a tie the gradient goes to the last of the largest cells. Look at which one the statement "
                      "names."),
        Misconception("ties-column-by-column",
                      variant(_pool_backward_right, "row, column = np.unravel_index(window.argmax()",
                              "column, row = np.unravel_index(window.T.argmax()"),
                      "On a tie the window is searched column by column. Row-major order is row by row."),
        Misconception("overwritten-where-windows-overlap", variant(_pool_backward_unchecked, "+= dout", "= dout"),
                      "A cell can be the maximum of several windows when they overlap, but dx keeps the gradient of "
                      "the last one only."),
        Misconception("spread-over-the-window", _pool_backward_averaged,
                      "The gradient is spread evenly over the window, as for average pooling. Which cells did the "
                      "output depend on?"),
        Misconception("always-the-corner", _pool_backward_corner,
                      "The gradient always goes to the top left cell of a window. Look for the cell that was the "
                      "maximum."),
        Misconception("multiplied-by-the-maximum",
                      variant(_pool_backward_unchecked, "dout[n, c, i, j]", "dout[n, c, i, j] * window.max()"),
                      "The right cells receive a gradient, but it is multiplied by the value there. What is the slope "
                      "of max(a, b) in the larger argument?"),
        Misconception("arguments-unchecked", _pool_backward_unchecked,
                      "The gradients are right. Look at the arguments that the forward pass refuses: the backward pass "
                      "refuses them too."),
    ),
)


# --- receptive_field --------------------------------------------------------------------------------------------------


def _field_visible(rng):
    return [
        Case("one layer", ([(5, 2)],)),
        Case("two 3-wide layers, stride 1", ([(3, 1), (3, 1)],)),
        Case("a stride between two layers", ([(3, 2), (3, 1)],)),
        Case("LeNet-5 up to its second pooling", ([(5, 1), (2, 2), (5, 1), (2, 2)],)),
        Case("no layers", ([],), edge=True),
    ]


def _field_hidden(rng):
    drawn = [
        [(int(kernel), int(stride)) for kernel, stride in rng.integers((2, 1), (7, 4), size=(length, 2))]
        for length in (3, 4, 6)
    ]
    return [
        Case("five 3-wide layers", ([(3, 1)] * 5,)),
        Case("VGG-16 up to its last pooling", (
            [(3, 1)] * 2 + [(2, 2)] + [(3, 1)] * 2 + [(2, 2)] + ([(3, 1)] * 3 + [(2, 2)]) * 3,
        )),
        Case("kernels and strides that differ", ([(7, 2), (3, 3), (2, 1), (4, 2), (5, 1)],)),
        *(Case(f"random layers ({i + 1})", (layers,)) for i, layers in enumerate(drawn)),
        Case("one 1-wide layer with a stride", ([(1, 3)],), edge=True),
        Case("1-wide layers with strides in between", ([(1, 2), (3, 1), (1, 3), (2, 1)],), edge=True),
        Case("a 1-wide layer in the end", ([(3, 2), (3, 2), (1, 1)],), edge=True),
        Case("kernel 0", ([(3, 1), (0, 1)],), edge=True),
        Case("kernel -1 in the first layer", ([(-1, 1), (5, 1)],), edge=True),
        Case("stride 0 in the last layer", ([(3, 1), (3, 0)],), edge=True),
        Case("stride -2 in the first layer", ([(3, -2), (1, 1)],), edge=True),
    ]


def _field_right(layers):
    field, step = 1, 1
    for kernel, stride in layers:
        if kernel < 1 or stride < 1:
            raise ValueError("kernel and stride have to be at least 1")
        field += (kernel - 1) * step
        step *= stride
    return field


RECEPTIVE_FIELD = Task(
    id="receptive_field", points=2, minutes=15, difficulty=2,
    signature="receptive_field(layers) -> int",
    visible=_field_visible, hidden=_field_hidden, oracle=_traced_field,
    misconceptions=(
        Misconception("strides-ignored", variant(_field_right, "        step *= stride\n", ""),
                      "Right while every stride is 1. After a stride of 2, neighbors in a map are two cells apart in "
                      "the input: what does the next kernel see?"),
        Misconception("product-of-kernels", variant(_field_right, "+= (kernel - 1) * step", "*= kernel"),
                      "The kernel sizes are multiplied. Neighboring windows overlap: draw two 3-wide layers and "
                      "count."),
        Misconception("minus-one-forgotten", variant(_field_right, "(kernel - 1)", "kernel"),
                      "Every layer adds one step too many. The first cell of its window is already in the field."),
        Misconception("own-stride-first", variant(_field_right, "1) * step", "1) * step * stride"),
                      "Each layer's own stride seems to widen its own kernel. A layer's stride spreads its outputs: "
                      "which kernels does that concern?"),
        Misconception("last-layer-first", variant(_field_right, "in layers", "in reversed(layers)"),
                      "The list is read from its end. Its first entry is the layer next to the input."),
        Misconception("only-the-previous-stride", variant(_field_right, "step *= stride", "step = stride"),
                      "Only the stride of the layer just before seems to count. Strides build up: compare three layers "
                      "of stride 2."),
        Misconception("arguments-unchecked",
                      variant(_field_right, "        if kernel < 1 or stride < 1:\n"
                              '            raise ValueError("kernel and stride have to be at least 1")\n', ""),
                      "The fields are right. Look at what happens when a kernel or a stride is less than 1."),
    ),
)


# --- sobel_edges ------------------------------------------------------------------------------------------------------

WORKED_IMAGE = np.array([[0.0, 0.0, 1.0, 1.0]] * 4)


def _disc(size, center, radius):
    """A bright disc on a ground that grows lighter to the right."""
    rows, columns = np.mgrid[:size, :size]
    inside = (rows - center[0]) ** 2 + (columns - center[1]) ** 2 <= radius**2
    return np.where(inside, 0.9, 0.4 * columns / size)


def _sobel_visible(rng):
    return [
        Case("the worked example", (WORKED_IMAGE,)),
        Case("a random image", (rng.random((6, 6)),)),
        Case("a bright disc", (_disc(12, (5, 6), 3.5),)),
        Case("an image that is not square", (rng.random((4, 7)),), edge=True),
        Case("a single pixel", (np.array([[0.7]]),), edge=True),
    ]


def _sobel_hidden(rng):
    image = rng.random((8, 8))
    return [
        Case("a larger random image", (rng.random((15, 15)),)),
        Case("a larger disc", (_disc(20, (9, 11), 6.0),)),
        Case("a diagonal edge", (np.tri(9) * 0.8,)),
        Case("negative values", (rng.normal(size=(7, 7)),)),
        Case("a high image", (rng.random((9, 4)),), edge=True),
        Case("one row", (rng.random((1, 6)),), edge=True),
        Case("one column", (rng.random((5, 1)),), edge=True),
        Case("two by two pixels", (rng.random((2, 2)),), edge=True),
        Case("a constant image", (np.full((5, 5), 0.5),), edge=True),
        Case("a black image", (np.zeros((4, 5)),), edge=True),
        Case("a float32 image", (image.astype(np.float32),), edge=True),
        Case("a view that is not contiguous", (_spread(image),), edge=True),
        Case("a transposed view", (image.T[:, :6],), edge=True),
    ]


def _sobel_right(image):
    height, width = image.shape
    padded = np.pad(image, 1)
    gx, gy = np.zeros((height, width)), np.zeros((height, width))
    kernel = np.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    for a in range(3):
        for c in range(3):
            gx += kernel[a, c] * padded[a : a + height, c : c + width]
            gy += kernel[c, a] * padded[a : a + height, c : c + width]
    magnitude = np.sqrt(gx**2 + gy**2)
    return magnitude


SOBEL_EDGES = Task(
    id="sobel_edges", points=3, minutes=20, difficulty=2,
    signature="sobel_edges(image) -> magnitude",
    visible=_sobel_visible, hidden=_sobel_hidden, oracle=_sobel,
    misconceptions=(
        Misconception("absolute-values-summed",
                      variant(_sobel_right, "np.sqrt(gx**2 + gy**2)", "np.abs(gx) + np.abs(gy)"),
                      "You seem to add |gx| and |gy|. Purely horizontal and vertical edges come out right, slanted "
                      "ones too strong: the magnitude is the length of the vector (gx, gy)."),
        Misconception("square-root-forgotten", variant(_sobel_right, "np.sqrt(gx**2 + gy**2)", "gx**2 + gy**2"),
                      "These are squared magnitudes. What is the length of the vector (gx, gy)?"),
        Misconception("border-lost", variant(_sobel_right, "return magnitude", "return magnitude[1:-1, 1:-1]"),
                      "The result is smaller than the image by one pixel on each side. Which padding keeps the size "
                      "for a 3 x 3 kernel?"),
        Misconception("border-repeated", variant(_sobel_right, "(image, 1)", '(image, 1, mode="edge")'),
                      "The inside is right and the border is not: it seems to be padded with copies of the border "
                      "pixels. The statement pads with zeros."),
        Misconception("one-direction-only", variant(_sobel_right, "np.sqrt(gx**2 + gy**2)", "np.abs(gx)"),
                      "Only changes from left to right are found. Look at what happens to an edge that runs "
                      "horizontally."),
        Misconception("prewitt-kernel", variant(_sobel_right, "[-2.0, 0.0, 2.0]", "[-1.0, 0.0, 1.0]"),
                      "All rows of your kernel seem to weigh the same. The Sobel kernel gives the middle row another "
                      "weight."),
        Misconception("scaled-to-one",
                      variant(_sobel_right, "return magnitude", "return magnitude / max(magnitude.max(), 1e-12)"),
                      "The magnitudes seem to be divided by their maximum. The statement wants them as they come out; "
                      "scale only for the picture."),
    ),
)


TASKS = (
    CONV_OUTPUT_SIZE, CONV2D_FORWARD, CONV2D_BACKWARD, IM2COL, CONV2D_FAST, MAX_POOL2D_FORWARD, MAX_POOL2D_BACKWARD,
    RECEPTIVE_FIELD, SOBEL_EDGES,
)
