"""Two-dimensional convolution and pooling, forward and backward, written by hand.

What deep learning calls convolution is cross-correlation: the kernel is not flipped. Images are (N, C, H, W): example,
channel, row, column. Stride, padding and dilation are the same in both directions; the padding is zeros, on all four
sides.

The direct version rests on one idea: fix an offset (i, j) inside the kernel, and the pixels that this kernel element
meets are a strided slice of the image, as large as the output. A convolution is then a sum of F_H * F_W small matrix
products, its two backward passes and the transposed convolution are the same loop read in other directions.

A stride must divide exactly: a window that would hang over the edge is an error here, where many libraries quietly
drop the last rows. Results have the device and the dtype of the arguments. No argument is written to.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def _check_integer(name: str, value: int, least: int) -> int:
    try:
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return value


def _check_image(name: str, x: Tensor) -> None:
    if x.dim() != 4:
        raise ValueError(f"{name} must have the four axes (N, C, H, W), got the shape {tuple(x.shape)}")


def _check_weights(x: Tensor, w: Tensor, b: Tensor, transposed: bool) -> None:
    _check_image("x", x)
    ins, outs = (0, 1) if transposed else (1, 0)
    layout = "(C, K, FH, FW)" if transposed else "(K, C, FH, FW)"
    if w.dim() != 4 or w.shape[ins] != x.shape[1] or b.shape != (w.shape[outs],):
        raise ValueError(
            f"expected x (N, C, H, W), w {layout} and b (K,), "
            f"got x {tuple(x.shape)}, w {tuple(w.shape)} and b {tuple(b.shape)}"
        )


def _check_dout(dout: Tensor, shape: Sequence[int]) -> None:
    if tuple(dout.shape) != tuple(shape):
        raise ValueError(f"dout must have the shape of the output, {tuple(shape)}, got {tuple(dout.shape)}")


def conv_output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Number of places where a kernel fits along one axis: ``(size - kernel + 2 padding) / stride + 1``.

    A dilated kernel counts with the pixels that it spans, ``dilation (kernel - 1) + 1``, for ``kernel``.

    Args:
        size: Number of pixels along the axis, at least 1.
        kernel: Number of kernel elements along the axis, at least 1.
        stride: Step from one place to the next, in pixels, at least 1.
        padding: Zeros added at each end, at least 0.
        dilation: Pixels from one kernel element to the next, at least 1; 1 leaves no gaps.

    Returns:
        The number of output pixels along the axis, at least 1.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If an argument is too small, the kernel does not fit, or the stride does not divide.

    Source: Dumoulin and Visin (2016), A guide to convolution arithmetic for deep learning.

    Chapter: Convolutional networks (conv-output-size)
    """
    size = _check_integer("size", size, 1)
    kernel = _check_integer("kernel", kernel, 1)
    stride = _check_integer("stride", stride, 1)
    padding = _check_integer("padding", padding, 0)
    dilation = _check_integer("dilation", dilation, 1)
    span = dilation * (kernel - 1) + 1
    name = f"kernel {kernel}" if dilation == 1 else f"kernel {kernel} with dilation {dilation}, spanning {span}"
    room = size - span + 2 * padding
    if room < 0:
        raise ValueError(
            f"a {name} does not fit into {size} pixels with padding {padding}: use a smaller kernel or more padding"
        )
    if room % stride:
        raise ValueError(
            f"stride {stride} does not divide size - {'kernel' if dilation == 1 else 'span'} + 2 * padding = {room} "
            f"(size {size}, {name}, padding {padding}): change one of them"
        )
    return room // stride + 1


def conv_transpose_output_size(size: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """Output size of a transposed convolution along one axis: ``stride (size - 1) + kernel - 2 padding``.

    It undoes :func:`conv_output_size` for the same kernel, stride and padding.

    Args:
        size: Number of pixels along the axis, at least 1.
        kernel: Number of kernel elements along the axis, at least 1.
        stride: Step in the output from one input pixel to the next, at least 1.
        padding: Pixels cut off at each end of the output, at least 0.

    Returns:
        The number of output pixels along the axis, at least 1.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If an argument is too small or the padding cuts everything off.

    Source: Dumoulin and Visin (2016), A guide to convolution arithmetic for deep learning.

    Chapter: Vision beyond classification
    """
    size = _check_integer("size", size, 1)
    kernel = _check_integer("kernel", kernel, 1)
    stride = _check_integer("stride", stride, 1)
    padding = _check_integer("padding", padding, 0)
    result = stride * (size - 1) + kernel - 2 * padding
    if result < 1:
        raise ValueError(f"padding {padding} cuts off the whole output: use less padding")
    return result


def receptive_field(layers: Iterable[tuple[int, int]]) -> int:
    """Side of the square of input pixels that one output pixel of a stack of layers depends on.

    Args:
        layers: A pair (kernel, stride) for each convolution or pooling layer, the first layer first. A dilated kernel
            counts with the pixels that it spans.

    Returns:
        The side in input pixels; 1 for an empty stack.

    Raises:
        TypeError: If a kernel or a stride is not an integer.
        ValueError: If a kernel or a stride is less than 1.

    Source: Araujo, Norris and Sim (2019), Computing receptive fields of convolutional neural networks.

    Chapter: Convolutional networks (receptive-field)
    """
    field = 1
    jump = 1  # distance in input pixels between neighbors of the current layer
    for kernel, stride in layers:
        field += (_check_integer("kernel", kernel, 1) - 1) * jump
        jump *= _check_integer("stride", stride, 1)
    return field


def _pad(x: Tensor, padding: int) -> Tensor:
    if padding == 0:
        return x
    n, c, h, w = x.shape
    padded = x.new_zeros(n, c, h + 2 * padding, w + 2 * padding)
    padded[:, :, padding:-padding, padding:-padding] = x
    return padded


def _crop(x: Tensor, padding: int) -> Tensor:
    if padding == 0:
        return x
    return x[:, :, padding:-padding, padding:-padding].contiguous()


def _met(image: Tensor, i: int, j: int, stride: int, oh: int, ow: int) -> Tensor:
    """View (N, C, OH, OW) of the pixels that kernel element (i, j) meets as the kernel moves over the image."""
    return image[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride]


def _gather(image: Tensor, w: Tensor, stride: int, oh: int, ow: int, dilation: int = 1) -> Tensor:
    """(N, C, H, W) and (K, C, FH, FW) -> (N, K, OH, OW): each output pixel collects from its window."""
    out = image.new_zeros(len(image), len(w), oh, ow)
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            met = _met(image, dilation * i, dilation * j, stride, oh, ow)
            out = out + torch.einsum("nchw,kc->nkhw", met, w[:, :, i, j])
    return out


def _spread(maps: Tensor, w: Tensor, stride: int, height: int, width: int, dilation: int = 1) -> Tensor:
    """(N, K, OH, OW) and (K, C, FH, FW) -> (N, C, H, W): the transpose of `_gather`, each pixel gives to its window."""
    n, _, oh, ow = maps.shape
    image = maps.new_zeros(n, w.shape[1], height, width)
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            met = _met(image, dilation * i, dilation * j, stride, oh, ow)
            met += torch.einsum("nkhw,kc->nchw", maps, w[:, :, i, j])
    return image


def _kernel_gradient(maps: Tensor, image: Tensor, fh: int, fw: int, stride: int, dilation: int = 1) -> Tensor:
    """(N, K, OH, OW) and (N, C, H, W) -> (K, C, FH, FW): how each map goes with what each kernel element met."""
    oh, ow = maps.shape[2:]
    dw = maps.new_zeros(maps.shape[1], image.shape[1], fh, fw)
    for i in range(fh):
        for j in range(fw):
            met = _met(image, dilation * i, dilation * j, stride, oh, ow)
            dw[:, :, i, j] = torch.einsum("nkhw,nchw->kc", maps, met)
    return dw


def _conv_output_shape(
    x: Tensor, w: Tensor, b: Tensor, stride: int, padding: int, dilation: int = 1
) -> tuple[int, int, int, int]:
    _check_weights(x, w, b, transposed=False)
    oh = conv_output_size(x.shape[2], w.shape[2], stride, padding, dilation)
    ow = conv_output_size(x.shape[3], w.shape[3], stride, padding, dilation)
    return x.shape[0], w.shape[0], oh, ow


def conv2d_forward(
    x: Tensor, w: Tensor, b: Tensor, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Tensor:
    """Two-dimensional cross-correlation of images with kernels, plus a bias.

    Args:
        x: Images, (N, C, H, W).
        w: Kernels, (K, C, FH, FW).
        b: Biases, (K,).
        stride: Step of the kernel in both directions, in pixels.
        padding: Zeros around the image.
        dilation: Pixels from one kernel element to the next in both directions; above 1, the kernel has gaps.

    Returns:
        Feature maps, (N, K, OH, OW); the sizes are those of :func:`conv_output_size`.

    Raises:
        TypeError: If stride, padding or dilation is not an integer.
        ValueError: If the shapes do not fit, stride < 1, padding < 0, dilation < 1, the kernel does not fit, or the
            stride does not divide.

    Source: LeCun et al. (1989), Backpropagation applied to handwritten zip code recognition.

    Chapter: Convolutional networks (conv-layer-shapes)
    """
    _, _, oh, ow = _conv_output_shape(x, w, b, stride, padding, dilation)
    return _gather(_pad(x, padding), w, stride, oh, ow, dilation) + b[:, None, None]  # (N, K, OH, OW)


def conv2d_backward(
    dout: Tensor, x: Tensor, w: Tensor, b: Tensor, stride: int = 1, padding: int = 0, dilation: int = 1
) -> tuple[Tensor, Tensor, Tensor]:
    """Backward pass of :func:`conv2d_forward`.

    Args:
        dout: Gradient with respect to the output, (N, K, OH, OW).
        x: Images, (N, C, H, W).
        w: Kernels, (K, C, FH, FW).
        b: Biases, (K,).
        stride: Step of the kernel in both directions, in pixels.
        padding: Zeros around the image.
        dilation: Pixels from one kernel element to the next in both directions; above 1, the kernel has gaps.

    Returns:
        ``dx`` (N, C, H, W), ``dw`` (K, C, FH, FW) and ``db`` (K,).

    Raises:
        TypeError: If stride, padding or dilation is not an integer.
        ValueError: As for the forward pass, or if ``dout`` does not have the shape of the output.

    Source: LeCun et al. (1989), Backpropagation applied to handwritten zip code recognition.

    Chapter: Convolutional networks (cnn-training)
    """
    _check_dout(dout, _conv_output_shape(x, w, b, stride, padding, dilation))
    padded = _pad(x, padding)  # (N, C, H + 2P, W + 2P)
    dx = _crop(_spread(dout, w, stride, *padded.shape[2:], dilation), padding)  # (N, C, H, W)
    dw = _kernel_gradient(dout, padded, w.shape[2], w.shape[3], stride, dilation)  # (K, C, FH, FW)
    db = dout.sum(dim=(0, 2, 3))  # (K,)
    return dx, dw, db


def im2col(x: Tensor, kernel_height: int, kernel_width: int, stride: int = 1, padding: int = 0) -> Tensor:
    """Lay out every window of an image as a row, so that a convolution becomes one matrix product.

    Args:
        x: Images, (N, C, H, W).
        kernel_height: Height FH of the window.
        kernel_width: Width FW of the window.
        stride: Step of the window in both directions, in pixels.
        padding: Zeros around the image.

    Returns:
        The windows, (N, OH, OW, C * FH * FW): within one window channel by channel, row by row. Always a copy.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If the shape does not fit, a size is too small, the window does not fit, or the stride does not
            divide.

    Source: Chellapilla, Puri and Simard (2006), High performance convolutional neural networks for document processing.

    Chapter: Convolutional networks (conv-layer-shapes)
    """
    _check_image("x", x)
    oh = conv_output_size(x.shape[2], kernel_height, stride, padding)
    ow = conv_output_size(x.shape[3], kernel_width, stride, padding)
    windows = _pad(x, padding).unfold(2, kernel_height, stride).unfold(3, kernel_width, stride)
    windows = windows.permute(0, 2, 3, 1, 4, 5)  # (N, OH, OW, C, FH, FW), still a view of the image
    copied = windows.clone(memory_format=torch.contiguous_format)
    return copied.view(len(x), oh, ow, x.shape[1] * kernel_height * kernel_width)


def col2im(
    cols: Tensor,
    shape: Sequence[int],
    kernel_height: int,
    kernel_width: int,
    stride: int = 1,
    padding: int = 0,
) -> Tensor:
    """Transpose of :func:`im2col`: add every window back to its place. Pixels in several windows get their sum.

    It is the backward pass of :func:`im2col`, not its inverse.

    Args:
        cols: Windows, (N, OH, OW, C * FH * FW).
        shape: The shape (N, C, H, W) of the images.
        kernel_height: Height FH of the window.
        kernel_width: Width FW of the window.
        stride: Step of the window in both directions, in pixels.
        padding: Zeros around the image; what falls on them is dropped.

    Returns:
        Images of the given shape, (N, C, H, W).

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If ``cols`` does not have the shape that :func:`im2col` gives, a size is too small, the window does
            not fit, or the stride does not divide.

    Source: Chellapilla, Puri and Simard (2006), High performance convolutional neural networks for document processing.

    Chapter: Convolutional networks
    """
    n, c, height, width = shape
    oh = conv_output_size(height, kernel_height, stride, padding)
    ow = conv_output_size(width, kernel_width, stride, padding)
    expected = (n, oh, ow, c * kernel_height * kernel_width)
    if tuple(cols.shape) != expected:
        raise ValueError(f"cols must have the shape {expected} for these images, got {tuple(cols.shape)}")
    windows = cols.reshape(n, oh, ow, c, kernel_height, kernel_width)
    windows = windows.permute(0, 3, 1, 2, 4, 5)  # (N, C, OH, OW, FH, FW)
    padded = cols.new_zeros(n, c, height + 2 * padding, width + 2 * padding)
    for i in range(kernel_height):
        for j in range(kernel_width):
            met = _met(padded, i, j, stride, oh, ow)
            met += windows[..., i, j]
    return _crop(padded, padding)


def conv2d_fast(x: Tensor, w: Tensor, b: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """The values of :func:`conv2d_forward` by one matrix product, at the price of copying every window.

    Args:
        x: Images, (N, C, H, W).
        w: Kernels, (K, C, FH, FW).
        b: Biases, (K,).
        stride: Step of the kernel in both directions, in pixels.
        padding: Zeros around the image.

    Returns:
        Feature maps, (N, K, OH, OW).

    Raises:
        TypeError: If stride or padding is not an integer.
        ValueError: As for :func:`conv2d_forward`.

    Source: Chellapilla, Puri and Simard (2006), High performance convolutional neural networks for document processing.

    Chapter: Convolutional networks (conv-layer-shapes)
    """
    n, k, oh, ow = _conv_output_shape(x, w, b, stride, padding)
    cols = im2col(x, w.shape[2], w.shape[3], stride, padding)  # (N, OH, OW, C*FH*FW)
    flat = cols.view(n, oh * ow, cols.shape[3])  # (N, OH*OW, C*FH*FW)
    out = w.reshape(k, -1) @ flat.transpose(1, 2)  # (N, K, OH*OW)
    return (out + b[:, None]).view(n, k, oh, ow)


def _pool_output_shape(x: Tensor, size: int, stride: int) -> tuple[int, int, int, int]:
    _check_image("x", x)
    return *x.shape[:2], conv_output_size(x.shape[2], size, stride), conv_output_size(x.shape[3], size, stride)


def _pool_windows(x: Tensor, size: int, stride: int) -> Tensor:
    """(N, C, OH, OW, size * size): the pixels of each window in row-major order."""
    return x.unfold(2, size, stride).unfold(3, size, stride).flatten(start_dim=4)


def max_pool2d_forward(x: Tensor, size: int, stride: int) -> Tensor:
    """Largest pixel of each square window.

    Args:
        x: Images, (N, C, H, W).
        size: Side of the window, in pixels.
        stride: Step of the window; less than ``size`` and windows overlap, more and they leave gaps.

    Returns:
        Pooled images, (N, C, OH, OW).

    Raises:
        TypeError: If size or stride is not an integer.
        ValueError: If the shape does not fit, size or stride < 1, the window does not fit, or the stride does not
            divide.

    Source: Ranzato, Huang, Boureau and LeCun (2007), Unsupervised learning of invariant feature hierarchies with
    applications to object recognition.

    Chapter: Convolutional networks (pooling-max-avg)
    """
    _pool_output_shape(x, size, stride)
    return _pool_windows(x, size, stride).amax(dim=4)  # (N, C, OH, OW)


def max_pool2d_backward(dout: Tensor, x: Tensor, size: int, stride: int) -> Tensor:
    """Backward pass of :func:`max_pool2d_forward`: the gradient goes to the pixel that won its window.

    If several pixels of a window tie, the first in row-major order gets all of it. A pixel that wins in several windows
    gets their sum, a pixel in a gap gets 0.

    Args:
        dout: Gradient with respect to the output, (N, C, OH, OW).
        x: Images, (N, C, H, W).
        size: Side of the window, in pixels.
        stride: Step of the window, in pixels.

    Returns:
        ``dx``, (N, C, H, W).

    Raises:
        TypeError: If size or stride is not an integer.
        ValueError: As for the forward pass, or if ``dout`` does not have the shape of the output.

    Source: Ranzato, Huang, Boureau and LeCun (2007), Unsupervised learning of invariant feature hierarchies with
    applications to object recognition.

    Chapter: Convolutional networks (pooling-max-avg)
    """
    n, c, oh, ow = _pool_output_shape(x, size, stride)
    _check_dout(dout, (n, c, oh, ow))
    winner = _pool_windows(x, size, stride).argmax(dim=4)  # (N, C, OH, OW), the first of equals
    top = stride * torch.arange(oh, device=x.device)[:, None]  # (OH, 1)
    left = stride * torch.arange(ow, device=x.device)  # (OW,)
    width = x.shape[3]
    pixel = (top + winner // size) * width + left + winner % size  # (N, C, OH, OW), index into the flattened image
    dx = dout.new_zeros(n, c, x.shape[2] * width)
    return dx.scatter_add(2, pixel.flatten(2), dout.flatten(2)).view(x.shape)


def average_pool2d_forward(x: Tensor, size: int, stride: int) -> Tensor:
    """Mean of each square window.

    Args:
        x: Images, (N, C, H, W).
        size: Side of the window, in pixels.
        stride: Step of the window; less than ``size`` and windows overlap, more and they leave gaps.

    Returns:
        Pooled images, (N, C, OH, OW).

    Raises:
        TypeError: If size or stride is not an integer.
        ValueError: If the shape does not fit, size or stride < 1, the window does not fit, or the stride does not
            divide.

    Source: LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document recognition.

    Chapter: Convolutional networks (pooling-max-avg)
    """
    _pool_output_shape(x, size, stride)
    return _pool_windows(x, size, stride).mean(dim=4)  # (N, C, OH, OW)


def average_pool2d_backward(dout: Tensor, x: Tensor, size: int, stride: int) -> Tensor:
    """Backward pass of :func:`average_pool2d_forward`: every pixel of a window gets the same share.

    Args:
        dout: Gradient with respect to the output, (N, C, OH, OW).
        x: Images, (N, C, H, W).
        size: Side of the window, in pixels.
        stride: Step of the window, in pixels.

    Returns:
        ``dx``, (N, C, H, W).

    Raises:
        TypeError: If size or stride is not an integer.
        ValueError: As for the forward pass, or if ``dout`` does not have the shape of the output.

    Source: LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document recognition.

    Chapter: Convolutional networks (pooling-max-avg)
    """
    n, c, oh, ow = _pool_output_shape(x, size, stride)
    _check_dout(dout, (n, c, oh, ow))
    dx = dout.new_zeros(x.shape)
    for i in range(size):
        for j in range(size):
            met = _met(dx, i, j, stride, oh, ow)
            met += dout / size**2
    return dx


def _conv_transpose_output_shape(
    x: Tensor, w: Tensor, b: Tensor, stride: int, padding: int
) -> tuple[int, int, int, int]:
    _check_weights(x, w, b, transposed=True)
    height = conv_transpose_output_size(x.shape[2], w.shape[2], stride, padding)
    width = conv_transpose_output_size(x.shape[3], w.shape[3], stride, padding)
    return x.shape[0], w.shape[1], height, width


def conv_transpose2d_forward(x: Tensor, w: Tensor, b: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """Transposed convolution: each input pixel puts a scaled copy of the kernel into a larger image.

    As a linear map it is the transpose of :func:`conv2d_forward` with the same kernels, stride and padding, that is,
    the computation of ``dx`` in :func:`conv2d_backward`. It is not its inverse.

    Args:
        x: Feature maps, (N, C, H, W).
        w: Kernels, (C, K, FH, FW): input channels first.
        b: Biases, (K,).
        stride: Step in the output from one input pixel to the next.
        padding: Pixels cut off all around the output.

    Returns:
        Images, (N, K, S (H - 1) + FH - 2 P, S (W - 1) + FW - 2 P).

    Raises:
        TypeError: If stride or padding is not an integer.
        ValueError: If the shapes do not fit, stride < 1, padding < 0, or the padding cuts everything off.

    Source: Zeiler, Krishnan, Taylor and Fergus (2010), Deconvolutional networks.

    Chapter: Vision beyond classification
    """
    _, _, height, width = _conv_transpose_output_shape(x, w, b, stride, padding)
    image = _spread(x, w, stride, height + 2 * padding, width + 2 * padding)
    return _crop(image, padding) + b[:, None, None]  # (N, K, height, width)


def conv_transpose2d_backward(
    dout: Tensor, x: Tensor, w: Tensor, b: Tensor, stride: int = 1, padding: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Backward pass of :func:`conv_transpose2d_forward`; ``dx`` is an ordinary convolution of ``dout``.

    Args:
        dout: Gradient with respect to the output, (N, K, S (H - 1) + FH - 2 P, S (W - 1) + FW - 2 P).
        x: Feature maps, (N, C, H, W).
        w: Kernels, (C, K, FH, FW).
        b: Biases, (K,).
        stride: Step in the output from one input pixel to the next.
        padding: Pixels cut off all around the output.

    Returns:
        ``dx`` (N, C, H, W), ``dw`` (C, K, FH, FW) and ``db`` (K,).

    Raises:
        TypeError: If stride or padding is not an integer.
        ValueError: As for the forward pass, or if ``dout`` does not have the shape of the output.

    Source: Zeiler, Krishnan, Taylor and Fergus (2010), Deconvolutional networks.

    Chapter: Vision beyond classification
    """
    _check_dout(dout, _conv_transpose_output_shape(x, w, b, stride, padding))
    padded = _pad(dout, padding)
    dx = _gather(padded, w, stride, *x.shape[2:])  # (N, C, H, W)
    dw = _kernel_gradient(x, padded, w.shape[2], w.shape[3], stride)  # (C, K, FH, FW)
    db = dout.sum(dim=(0, 2, 3))  # (K,)
    return dx, dw, db
