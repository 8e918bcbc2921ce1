"""Right answers to the assignment ``convolution`` in other styles than the solution's. Each stands alone."""

from __future__ import annotations

import numpy as np

# --- conv_output_size -------------------------------------------------------------------------------------------------


def size_by_divmod(size, kernel, stride=1, padding=0):
    if min(kernel, stride) < 1 or padding < 0:
        raise ValueError("kernel and stride have to be at least 1, padding at least 0")
    if kernel > size + 2 * padding:
        raise ValueError("the kernel is larger than the padded input")
    steps, rest = divmod(size + 2 * padding - kernel, stride)
    if rest:
        raise ValueError("the stride does not divide")
    return steps + 1


def size_by_walking(size, kernel, stride=1, padding=0):
    if kernel < 1 or stride < 1 or padding < 0:
        raise ValueError
    count, position, last = 0, 0, size + 2 * padding - kernel
    while position < last:
        position += stride
        count += 1
    if position != last:
        raise ValueError("the windows do not end at the border")
    return count + 1


def size_as_numpy_integer(size, kernel, stride=1, padding=0):
    if not (kernel >= 1 and stride >= 1 and padding >= 0):
        raise ValueError
    starts = np.arange(-padding, size + padding - kernel + 1, stride)
    if starts.size == 0 or starts[-1] + kernel != size + padding:
        raise ValueError
    return np.int64(starts.size)


def size_by_rounding_a_float(size, kernel, stride=1, padding=0):
    if kernel <= 0 or stride <= 0 or padding < 0 or kernel > size + 2 * padding:
        raise ValueError
    out = (size - kernel + 2 * padding) / stride + 1
    if not out.is_integer():
        raise ValueError
    return int(out)


# --- conv2d_forward, conv2d_fast --------------------------------------------------------------------------------------


def forward_seven_loops(x, w, b, stride=1, padding=0):
    N, C, H, W = x.shape
    K, _, FH, FW = w.shape
    if stride < 1 or padding < 0 or FH < 1 or FW < 1 or FH > H + 2 * padding or FW > W + 2 * padding:
        raise ValueError
    if (H + 2 * padding - FH) % stride or (W + 2 * padding - FW) % stride:
        raise ValueError
    OH, OW = (H + 2 * padding - FH) // stride + 1, (W + 2 * padding - FW) // stride + 1
    out = np.zeros((N, K, OH, OW))
    for n in range(N):
        for k in range(K):
            for i in range(OH):
                for j in range(OW):
                    total = float(b[k])
                    for c in range(C):
                        for p in range(FH):
                            for q in range(FW):
                                row, column = i * stride + p - padding, j * stride + q - padding
                                if 0 <= row < H and 0 <= column < W:
                                    total += x[n, c, row, column] * w[k, c, p, q]
                    out[n, k, i, j] = total
    return out


def forward_four_loops(x, w, b, stride=1, padding=0):
    if stride < 1 or padding < 0:
        raise ValueError
    padded = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)], mode="constant")
    rooms = [padded.shape[a] - w.shape[a] for a in (2, 3)]
    if min(rooms) < 0 or any(room % stride for room in rooms):
        raise ValueError
    out = np.empty((len(x), len(w), rooms[0] // stride + 1, rooms[1] // stride + 1), dtype=x.dtype)
    for n, k, i, j in np.ndindex(out.shape):
        patch = padded[n, :, i * stride : i * stride + w.shape[2], j * stride : j * stride + w.shape[3]]
        out[n, k, i, j] = np.vdot(patch, w[k]) + b[k]
    return out


def forward_loop_over_positions(x, w, b, stride=1, padding=0):
    if stride < 1 or padding < 0:
        raise ValueError
    N, C, H, W = x.shape
    padded = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    padded[:, :, padding : padding + H, padding : padding + W] = x
    rooms = [padded.shape[a] - w.shape[a] for a in (2, 3)]
    if min(rooms) < 0 or any(room % stride for room in rooms):
        raise ValueError
    out = np.empty((N, len(w), rooms[0] // stride + 1, rooms[1] // stride + 1))
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            patch = padded[:, :, i * stride : i * stride + w.shape[2], j * stride : j * stride + w.shape[3]]
            out[:, :, i, j] = patch.reshape(N, -1) @ w.reshape(len(w), -1).T + b
    return out


def forward_loop_over_offsets(x, w, b, stride=1, padding=0):
    if stride < 1 or padding < 0:
        raise ValueError
    padded = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    (FH, FW), (PH, PW) = w.shape[2:], padded.shape[2:]
    if FH > PH or FW > PW or (PH - FH) % stride or (PW - FW) % stride:
        raise ValueError
    out = 0
    for p in range(FH):
        for q in range(FW):
            shifted = padded[:, :, p : PH - FH + p + 1 : stride, q : PW - FW + q + 1 : stride]
            out = out + np.einsum("nchw,kc->nkhw", shifted, w[:, :, p, q])
    return out + b.reshape(1, -1, 1, 1)


def forward_einsum_on_windows(x, w, b, stride=1, padding=0):
    if stride < 1 or padding < 0:
        raise ValueError
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    if any(padded.shape[a] < w.shape[a] or (padded.shape[a] - w.shape[a]) % stride for a in (2, 3)):
        raise ValueError
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("ncijpq,kcpq->nkij", windows, w, optimize=True) + b[None, :, None, None]


def forward_as_strided(x, w, b, stride=1, padding=0):
    if stride < 1 or padding < 0:
        raise ValueError
    padded = np.ascontiguousarray(np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding))))
    if any(padded.shape[a] < w.shape[a] or (padded.shape[a] - w.shape[a]) % stride for a in (2, 3)):
        raise ValueError
    OH, OW = ((padded.shape[a] - w.shape[a]) // stride + 1 for a in (2, 3))
    sn, sc, sh, sw = padded.strides
    windows = np.lib.stride_tricks.as_strided(
        padded, (len(x), OH, OW, x.shape[1], *w.shape[2:]), (sn, sh * stride, sw * stride, sc, sh, sw), writeable=False
    )
    return np.moveaxis(np.tensordot(windows, w, axes=((3, 4, 5), (1, 2, 3))) + b, -1, 1)


def forward_im2col(x, w, b, stride=1, padding=0):
    if stride < 1 or padding < 0:
        raise ValueError
    N, C, H, W = x.shape
    K, _, FH, FW = w.shape
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    if H + 2 * padding < FH or W + 2 * padding < FW:
        raise ValueError
    if (H + 2 * padding - FH) % stride or (W + 2 * padding - FW) % stride:
        raise ValueError
    OH, OW = (H + 2 * padding - FH) // stride + 1, (W + 2 * padding - FW) // stride + 1
    columns = np.empty((C, FH, FW, N, OH, OW))
    for p in range(FH):
        for q in range(FW):
            shifted = padded[:, :, p : p + stride * OH : stride, q : q + stride * OW : stride]
            columns[:, p, q] = shifted.transpose(1, 0, 2, 3)
    out = w.reshape(K, -1) @ columns.reshape(C * FH * FW, -1) + b[:, None]
    return out.reshape(K, N, OH, OW).transpose(1, 0, 2, 3)


def forward_fourier(x, w, b, stride=1, padding=0):
    if stride < 1 or padding < 0:
        raise ValueError
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    PH, PW = padded.shape[2:]
    room_h, room_w = PH - w.shape[2], PW - w.shape[3]
    if min(room_h, room_w) < 0 or room_h % stride or room_w % stride:
        raise ValueError
    # a product of spectra is a convolution; the conjugate makes it a cross-correlation
    spectrum = np.einsum("nchw,kchw->nkhw", np.fft.rfft2(padded), np.conj(np.fft.rfft2(w, s=(PH, PW))))
    full = np.fft.irfft2(spectrum, s=(PH, PW))
    return full[:, :, : room_h + 1 : stride, : room_w + 1 : stride] + b[:, None, None]


def forward_broadcast(x, w, b, stride=1, padding=0):
    if stride < 1 or padding < 0:
        raise ValueError
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    if any(padded.shape[a] < w.shape[a] or (padded.shape[a] - w.shape[a]) % stride for a in (2, 3)):
        raise ValueError
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return (windows[:, None] * w[None, :, :, None, None]).sum(axis=(2, 5, 6)) + b[:, None, None]


# --- conv2d_backward --------------------------------------------------------------------------------------------------


def backward_all_loops(dout, x, w, b, stride=1, padding=0):
    N, C, H, W = x.shape
    K, _, FH, FW = w.shape
    if stride < 1 or padding < 0 or FH > H + 2 * padding or FW > W + 2 * padding:
        raise ValueError
    if (H + 2 * padding - FH) % stride or (W + 2 * padding - FW) % stride:
        raise ValueError
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(K)
    for n, k, i, j in np.ndindex(dout.shape):
        g = dout[n, k, i, j]
        db[k] += g
        for p in range(FH):
            for q in range(FW):
                row, column = i * stride + p - padding, j * stride + q - padding
                if 0 <= row < H and 0 <= column < W:
                    dw[k, :, p, q] += g * x[n, :, row, column]
                    dx[n, :, row, column] += g * w[k, :, p, q]
    return dx, dw, db


def backward_loop_over_offsets(dout, x, w, b, stride=1, padding=0):
    H, W = x.shape[2:]
    FH, FW = w.shape[2:]
    if stride < 1 or padding < 0 or FH > H + 2 * padding or FW > W + 2 * padding:
        raise ValueError
    if (H + 2 * padding - FH) % stride or (W + 2 * padding - FW) % stride:
        raise ValueError
    OH, OW = dout.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dpadded, dw = np.zeros(padded.shape), np.zeros(w.shape)
    for p in range(FH):
        for q in range(FW):
            where = np.s_[:, :, p : p + stride * OH : stride, q : q + stride * OW : stride]
            dw[:, :, p, q] = np.einsum("nkij,ncij->kc", dout, padded[where])
            dpadded[where] += np.einsum("nkij,kc->ncij", dout, w[:, :, p, q])
    return [dpadded[:, :, padding : padding + H, padding : padding + W], dw, np.einsum("nkij->k", dout)]


def backward_as_convolutions(dout, x, w, b, stride=1, padding=0):
    """dw correlates x with the dilated dout; dx correlates the dilated, padded dout with the flipped kernels."""
    windows_of = np.lib.stride_tricks.sliding_window_view
    (N, _, H, W), (K, _, FH, FW) = x.shape, w.shape
    rooms = H + 2 * padding - FH, W + 2 * padding - FW
    if stride < 1 or padding < 0 or min(rooms) < 0 or rooms[0] % stride or rooms[1] % stride:
        raise ValueError
    dilated = np.zeros((N, K, rooms[0] + 1, rooms[1] + 1))
    dilated[:, :, ::stride, ::stride] = dout
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dw = np.einsum("ncpqij,nkij->kcpq", windows_of(padded, dilated.shape[2:], axis=(2, 3)), dilated)
    full = np.pad(dilated, ((0, 0), (0, 0), (FH - 1, FH - 1), (FW - 1, FW - 1)))
    dx = np.einsum("nkijpq,kcpq->ncij", windows_of(full, (FH, FW), axis=(2, 3)), w[:, :, ::-1, ::-1])
    crop = slice(padding, padding + H), slice(padding, padding + W)
    return dx[(slice(None), slice(None), *crop)], dw, dilated.sum((0, 2, 3))


def backward_as_a_matrix(dout, x, w, b, stride=1, padding=0):
    """The gather indices of every patch, and their transpose as a scatter-add."""
    (N, C, H, W), (K, _, FH, FW) = x.shape, w.shape
    PH, PW = H + 2 * padding, W + 2 * padding
    if stride < 1 or padding < 0 or FH > PH or FW > PW or (PH - FH) % stride or (PW - FW) % stride:
        raise ValueError
    OH, OW = dout.shape[2:]
    rows = stride * np.arange(OH)[:, None, None, None] + np.arange(FH)[:, None]
    columns = stride * np.arange(OW)[:, None, None] + np.arange(FW)
    flat = (rows * PW + columns).reshape(OH * OW, FH * FW)
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding))).reshape(N, C, PH * PW)
    g = dout.reshape(N, K, OH * OW)
    dw = np.einsum("nkl,nclf->kcf", g, padded[:, :, flat]).reshape(w.shape)
    dpatches = np.einsum("nkl,kcf->nclf", g, w.reshape(K, C, FH * FW))
    dpadded = np.zeros((N, C, PH * PW))
    np.add.at(dpadded, (slice(None), slice(None), flat), dpatches)
    dx = dpadded.reshape(N, C, PH, PW)[:, :, padding : PH - padding, padding : PW - padding]
    return dx, dw, g.sum(axis=2).sum(axis=0)


# --- im2col -----------------------------------------------------------------------------------------------------------


def im2col_loops(x, kernel_height, kernel_width, stride=1, padding=0):
    if kernel_height < 1 or kernel_width < 1 or stride < 1 or padding < 0:
        raise ValueError
    N, C, H, W = x.shape
    room_h, room_w = H + 2 * padding - kernel_height, W + 2 * padding - kernel_width
    if room_h < 0 or room_w < 0 or room_h % stride or room_w % stride:
        raise ValueError
    OH, OW = room_h // stride + 1, room_w // stride + 1
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    cols = np.zeros((N, OH, OW, C * kernel_height * kernel_width))
    for n, i, j in np.ndindex(N, OH, OW):
        top, left = i * stride, j * stride
        cols[n, i, j] = padded[n, :, top : top + kernel_height, left : left + kernel_width].ravel()
    return cols


def im2col_windows(x, kernel_height, kernel_width, stride=1, padding=0):
    if min(kernel_height, kernel_width, stride) < 1 or padding < 0:
        raise ValueError
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    rooms = padded.shape[2] - kernel_height, padded.shape[3] - kernel_width
    if min(rooms) < 0 or rooms[0] % stride or rooms[1] % stride:
        raise ValueError
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel_height, kernel_width), (2, 3))
    windows = windows[:, :, ::stride, ::stride].transpose(0, 2, 3, 1, 4, 5)
    return windows.reshape(*windows.shape[:3], -1)


def im2col_as_strided(x, kernel_height, kernel_width, stride=1, padding=0):
    if min(kernel_height, kernel_width, stride) < 1 or padding < 0:
        raise ValueError
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    rooms = padded.shape[2] - kernel_height, padded.shape[3] - kernel_width
    if min(rooms) < 0 or rooms[0] % stride or rooms[1] % stride:
        raise ValueError
    N, C = x.shape[:2]
    shape = (N, rooms[0] // stride + 1, rooms[1] // stride + 1, C, kernel_height, kernel_width)
    sn, sc, sh, sw = padded.strides
    view = np.lib.stride_tricks.as_strided(padded, shape, (sn, stride * sh, stride * sw, sc, sh, sw))
    return view.reshape(*shape[:3], C * kernel_height * kernel_width)


def im2col_by_indices(x, kernel_height, kernel_width, stride=1, padding=0):
    if min(kernel_height, kernel_width, stride) < 1 or padding < 0:
        raise ValueError
    N, C, H, W = x.shape
    PH, PW = H + 2 * padding, W + 2 * padding
    if kernel_height > PH or kernel_width > PW or (PH - kernel_height) % stride or (PW - kernel_width) % stride:
        raise ValueError
    padded = np.zeros((N, C, PH, PW), dtype=x.dtype)
    padded[:, :, padding : padding + H, padding : padding + W] = x
    rows = np.arange(0, PH - kernel_height + 1, stride)
    columns = np.arange(0, PW - kernel_width + 1, stride)
    c, p, q = (index.ravel() for index in np.indices((C, kernel_height, kernel_width)))
    return padded[:, c, rows[:, None, None] + p, columns[None, :, None] + q]


# --- max pooling ------------------------------------------------------------------------------------------------------


def pool_loops(x, size, stride):
    N, C, H, W = x.shape
    if size < 1 or stride < 1 or size > H or size > W or (H - size) % stride or (W - size) % stride:
        raise ValueError
    out = np.zeros((N, C, (H - size) // stride + 1, (W - size) // stride + 1))
    for n, c, i, j in np.ndindex(out.shape):
        best = -float("inf")
        for p in range(size):
            for q in range(size):
                best = max(best, x[n, c, i * stride + p, j * stride + q])
        out[n, c, i, j] = best
    return out


def pool_windows(x, size, stride):
    if size < 1 or stride < 1 or min(x.shape[2:]) < size or any((n - size) % stride for n in x.shape[2:]):
        raise ValueError
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    return windows[:, :, ::stride, ::stride].max(axis=(-1, -2))


def pool_by_offsets(x, size, stride):
    H, W = x.shape[2:]
    if size < 1 or stride < 1 or size > min(H, W) or (H - size) % stride or (W - size) % stride:
        raise ValueError
    out = None
    for p in range(size):
        for q in range(size):
            shifted = x[:, :, p : H - size + p + 1 : stride, q : W - size + q + 1 : stride]
            out = shifted.copy() if out is None else np.maximum(out, shifted)
    return out


def pool_rows_then_columns(x, size, stride):
    if size < 1 or stride < 1:
        raise ValueError
    for axis in (2, 3):
        room = x.shape[axis] - size
        if room < 0 or room % stride:
            raise ValueError
        starts = range(0, room + 1, stride)
        x = np.stack([np.take(x, range(s, s + size), axis=axis).max(axis=axis) for s in starts], axis=axis)
    return x


def pool_backward_loops(dout, x, size, stride):
    H, W = x.shape[2:]
    if size < 1 or stride < 1 or size > H or size > W or (H - size) % stride or (W - size) % stride:
        raise ValueError
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dout.shape):
        best, place = -float("inf"), None
        for p in range(size):
            for q in range(size):
                if x[n, c, i * stride + p, j * stride + q] > best:
                    best, place = x[n, c, i * stride + p, j * stride + q], (i * stride + p, j * stride + q)
        dx[(n, c, *place)] += dout[n, c, i, j]
    return dx


def pool_backward_scatter(dout, x, size, stride):
    N, C, H, W = x.shape
    if size < 1 or stride < 1 or size > min(H, W) or (H - size) % stride or (W - size) % stride:
        raise ValueError
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]
    rows, columns = np.divmod(windows.reshape(*windows.shape[:4], -1).argmax(axis=-1), size)
    rows += stride * np.arange(dout.shape[2])[:, None]
    columns += stride * np.arange(dout.shape[3])
    dx = np.zeros(x.shape)
    np.add.at(dx, (np.arange(N)[:, None, None, None], np.arange(C)[:, None, None], rows, columns), dout)
    return dx


def pool_backward_by_offsets(dout, x, size, stride):
    H, W = x.shape[2:]
    if size < 1 or stride < 1 or size > min(H, W) or (H - size) % stride or (W - size) % stride:
        raise ValueError
    spots = [
        np.s_[:, :, p : H - size + p + 1 : stride, q : W - size + q + 1 : stride]
        for p in range(size) for q in range(size)
    ]
    largest = np.max([x[spot] for spot in spots], axis=0)
    dx, free = np.zeros(x.shape), np.ones(dout.shape, dtype=bool)
    for spot in spots:  # row-major order: the first cell equal to the maximum takes the gradient
        takes = free & (x[spot] == largest)
        dx[spot] += np.where(takes, dout, 0.0)
        free &= ~takes
    return dx


def pool_backward_bincount(dout, x, size, stride):
    N, C, H, W = x.shape
    if size < 1 or stride < 1 or size > min(H, W) or (H - size) % stride or (W - size) % stride:
        raise ValueError
    cells = np.arange(x.size).reshape(x.shape)
    winners = []
    for n, c, i, j in np.ndindex(dout.shape):
        where = n, c, slice(i * stride, i * stride + size), slice(j * stride, j * stride + size)
        winners.append(cells[where].ravel()[np.argmax(x[where])])
    return np.bincount(winners, weights=dout.ravel(), minlength=x.size).reshape(x.shape)


# --- receptive_field --------------------------------------------------------------------------------------------------


def field_from_the_output(layers):
    field = 1
    for kernel, stride in layers[::-1]:
        if kernel < 1 or stride < 1:
            raise ValueError
        field = (field - 1) * stride + kernel
    return field


def field_by_recursion(layers):
    if not layers:
        return 1
    (kernel, stride), *above = layers
    if kernel < 1 or stride < 1:
        raise ValueError
    return kernel + stride * (field_by_recursion(above) - 1)


def field_by_products(layers):
    if any(min(layer) < 1 for layer in layers):
        raise ValueError
    kernels = [kernel for kernel, _ in layers]
    strides = [stride for _, stride in layers]
    return 1 + sum((k - 1) * int(np.prod(strides[:i], dtype=np.int64)) for i, k in enumerate(kernels))


def field_as_numpy_integer(layers):
    table = np.array(layers, dtype=np.int64).reshape(-1, 2)
    if (table < 1).any():
        raise ValueError
    steps = np.concatenate([[1], np.cumprod(table[:, 1])[:-1]])[: len(table)]
    return 1 + np.sum((table[:, 0] - 1) * steps)


# --- sobel_edges ------------------------------------------------------------------------------------------------------


def sobel_loops(image):
    padded = np.pad(image, 1)
    kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    out = np.zeros(image.shape)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            patch = padded[i : i + 3, j : j + 3]
            out[i, j] = (np.sum(patch * kernel) ** 2 + np.sum(patch * kernel.T) ** 2) ** 0.5
    return out


def sobel_flipped_kernels(image):
    # a flipped Sobel kernel is minus the kernel, and the magnitude does not see the sign
    kernels = np.array([[[1, 0, -1], [2, 0, -2], [1, 0, -1]], [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]], dtype=float)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, 1), (3, 3))
    return np.linalg.norm(np.einsum("ijpq,kpq->kij", windows, kernels), axis=0)


def sobel_complex(image):
    """One complex kernel, gx + i gy; its absolute value is the magnitude."""
    height, width = image.shape
    padded = np.zeros((height + 2, width + 2))
    padded[1:-1, 1:-1] = image
    kernel = np.array([[-1 - 1j, -2j, 1 - 1j], [-2, 0, 2], [-1 + 1j, 2j, 1 + 1j]])
    return np.abs(sum(kernel[p, q] * padded[p : p + height, q : q + width] for p in range(3) for q in range(3)))


def sobel_separable(image):
    def smooth(a):
        return a[:-2] + 2 * a[1:-1] + a[2:]

    padded = np.pad(image.astype(np.float64), 1)
    gx = smooth(padded)[:, 2:] - smooth(padded)[:, :-2]
    gy = (smooth(padded.T)[:, 2:] - smooth(padded.T)[:, :-2]).T
    return np.hypot(gx, gy)


FAST = [
    forward_loop_over_positions,
    forward_loop_over_offsets,
    forward_einsum_on_windows,
    forward_as_strided,
    forward_im2col,
    forward_fourier,
]

ALTERNATIVES = {
    "conv_output_size": [size_by_divmod, size_by_walking, size_as_numpy_integer, size_by_rounding_a_float],
    "conv2d_forward": [forward_seven_loops, forward_four_loops, *FAST, forward_broadcast],
    "conv2d_backward": [
        backward_all_loops, backward_loop_over_offsets, backward_as_convolutions, backward_as_a_matrix
    ],
    "im2col": [im2col_loops, im2col_windows, im2col_as_strided, im2col_by_indices],
    "conv2d_fast": FAST,
    "max_pool2d_forward": [pool_loops, pool_windows, pool_by_offsets, pool_rows_then_columns],
    "max_pool2d_backward": [
        pool_backward_loops, pool_backward_scatter, pool_backward_by_offsets, pool_backward_bincount
    ],
    "receptive_field": [field_from_the_output, field_by_recursion, field_by_products, field_as_numpy_integer],
    "sobel_edges": [sobel_loops, sobel_flipped_kernels, sobel_complex, sobel_separable],
}
