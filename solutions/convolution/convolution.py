# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Convolution: from one window to the edges of a photograph
#
# A convolution layer lays a small kernel on every place of an image and asks the same question everywhere. In this
# notebook you write the layer in NumPy, forward and backward, then make it hundreds of times faster without changing a
# single value. You add max pooling, count how far a deep stack of layers sees, and in the end your code finds the edges
# of a photograph.
#
# | part | tasks | minutes | points |
# | --- | --- | --- | --- |
# | the layer | output size, forward, backward | 80 | 9 |
# | the fast layer | patches as rows, one matrix product | 55 | 7 |
# | pooling | forward, backward | 40 | 5 |
# | what a unit sees | receptive field | 15 | 2 |
# | milestone | Sobel edges | 20 | 3 |
# | in your own words | two written answers | 20 | 4 |
# | **together** | | **230** | **30** |
#
# **How the checks work.** Each task ends with a cell that calls `check`. It runs your function on visible cases and
# prints a table: what went well, and for the rest the largest error, its place, both values and often a hint. The
# grader runs the same cases and more, among them edge cases. When only edge cases fail, half of the points remain.
# Each function is judged by itself.
#
# **Rules.**
#
# - You may import NumPy and, of the standard library, `math`, `itertools`, `functools`, `collections`, `dataclasses`,
#   `typing`, `operator` and `numbers`. Nothing else is there when your notebook is graded.
# - Keep the names of the parameters: the grader may pass arguments by name. A result that is an array is an ndarray,
#   not a list; several results are a tuple or a list.
# - Do not write to the arguments: the caller still needs them. They may be views that are not contiguous.
# - `float64` in gives `float64` out. `float32` in may give either.
# - You may call functions that you wrote earlier. The model solutions do not: then a mistake costs its own task only.
# - **Every function raises `ValueError`** when the windows do not fit exactly (the stride does not divide, or the
#   kernel is larger than the padded image), when a kernel or a stride is less than 1, and when a padding is less
#   than 0.
#
# Letters in shapes: `N` images, `C` channels, `H` rows, `W` columns; `K` filters of `FH` rows and `FW` columns; `OH`
# and `OW` are the rows and columns of the result.

# %% nbgrader={"grade_id": "setup", "locked": true}
import matplotlib.pyplot as plt
import numpy as np

try:
    from neuralnotes import check, data, plots
except ImportError as error:
    raise ImportError(
        f"{error}. Run `make course` once, then start JupyterLab from the environment that it made (.venv)."
    ) from error

plots.use_style()
print("Ready: NumPy", np.__version__)

# %% [markdown]
# This is the photograph that you will find edges in.

# %%
plots.image_row([data.photograph()])

# %% [markdown]
# ## 1. Output size
#
# `conv_output_size(size, kernel, stride=1, padding=0) -> int`
#
# Difficulty 1 of 5, 10 minutes, 1 point.
#
# Along one axis an input has `size` cells. Put `padding` zeros at each of its two ends. A window of `kernel` cells
# starts at the first cell and moves by `stride` until it ends exactly at the last one. Return the number of places
# where it stands, as an `int`.
#
# Example: size 7, kernel 3, stride 2 gives windows at 0, 2 and 4, so the result is 3. Size 7, kernel 2, stride 3 gives
# windows at 0 and 3; the second ends at cell 4 and a third does not fit: `ValueError`. (Libraries often round down here
# and drop the last cells silently. We refuse, so that no pixel is lost without notice.)
#
# <details><summary>Hint 1</summary>
#
# How far can the window travel? Its first cell starts at 0. Where does it stand at the end?
# </details>
#
# <details><summary>Hint 2</summary>
#
# The window takes `(padded size - kernel) / stride` steps. Places are one more than steps.
# </details>
#
# <details><summary>Hint 3</summary>
#
# Compute the room for travel first. It must not be negative, and `room % stride` must be 0. `//` keeps an int an int.
# </details>

# %% nbgrader={"grade_id": "conv_output_size-solution", "solution": true}
def conv_output_size(size, kernel, stride=1, padding=0):
    """Number of places of a window along one axis.

    Args:
        size: Cells of the input.
        kernel: Cells of the window, at least 1.
        stride: Cells from one place to the next, at least 1.
        padding: Zeros added at each end, at least 0.

    Returns:
        The number of places, an int.

    Raises:
        ValueError: The windows do not fit exactly, or an argument is out of range.

    >>> conv_output_size(7, 3, stride=2)
    3
    """
    ### BEGIN SOLUTION
    room = size + 2 * padding - kernel
    if kernel < 1 or stride < 1 or padding < 0 or room < 0 or room % stride != 0:
        raise ValueError(f"kernel {kernel}, stride {stride}, padding {padding} do not fit an input of {size}")
    return room // stride + 1
    ### END SOLUTION


# %% [markdown]
# Which kernels and strides fit an input of 7 cells? Empty cells of the picture are refused.

# %%
kernels, strides = range(1, 8), range(1, 5)
sizes = np.full((len(kernels), len(strides)), np.nan)
for row, kernel in enumerate(kernels):
    for column, stride in enumerate(strides):
        try:
            sizes[row, column] = conv_output_size(7, kernel, stride)
        except ValueError:
            pass  # stays empty
figure, ax = plt.subplots(figsize=(3.2, 3.8))
ax.set(xlabel="stride", ylabel="kernel", title="output size for 7 cells")
plots.heatmap(ax, sizes, row_labels=kernels, column_labels=strides, number_format=".0f")

# %% nbgrader={"grade_id": "conv_output_size", "grade": true}
check("conv_output_size", conv_output_size)

# %% [markdown]
# ## 2. The layer, forward
#
# `conv2d_forward(x, w, b, stride=1, padding=0) -> out`
#
# Difficulty 2 of 5, 25 minutes, 3 points.
#
# `x` has the shape (N, C, H, W), `w` (K, C, FH, FW), `b` (K,), and `out` (N, K, OH, OW). With $\tilde x$ for the padded
# images ($P$ rows of zeros above and below, $P$ columns left and right) and $S$ for the stride, the same in both
# directions,
#
# $$\text{out}_{n,k,i,j} = b_k + \sum_{c,a,d} \tilde x_{n,\,c,\,iS+a,\,jS+d}\; w_{k,c,a,d}.$$
#
# Deep learning calls this a convolution. Strictly it is a *cross-correlation*: the kernel is not flipped.
#
# Example: one image with the rows `1 2 3`, `4 5 6`, `7 8 9`, one kernel with the rows `1 0` and `0 -2`, bias 0.5. The
# first output is $1\cdot 1 - 2\cdot 5 + 0.5 = -8.5$; all four are `-8.5 -9.5` and `-11.5 -12.5`.
#
# `ValueError` as in the rules above. Loops are welcome here; speed comes later.
#
# <details><summary>Hint 1</summary>
#
# Write down which rows and columns of the padded image output (i, j) looks at. Only then think of the sum.
# </details>
#
# <details><summary>Hint 2</summary>
#
# `np.pad` takes one pair (before, after) for each axis: nothing for N and C, `padding` twice for H and W.
# </details>
#
# <details><summary>Hint 3</summary>
#
# Four loops, over n, k, i and j. Inside: cut the patch (C, FH, FW) out of image n, multiply it by `w[k]` element by
# element, sum, add `b[k]`.
# </details>

# %% nbgrader={"grade_id": "conv2d_forward-solution", "solution": true}
def conv2d_forward(x, w, b, stride=1, padding=0):
    """Two-dimensional cross-correlation of a batch of images with a bank of kernels.

    Args:
        x: Images, (N, C, H, W).
        w: Kernels, (K, C, FH, FW).
        b: Biases, (K,).
        stride: Step of the window in both directions.
        padding: Zeros added on all four sides.

    Returns:
        out, (N, K, OH, OW).

    Raises:
        ValueError: The windows do not fit exactly, or an argument is out of range.

    >>> x = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    >>> w = np.array([[[[1.0, 0.0], [0.0, -2.0]]]])
    >>> conv2d_forward(x, w, np.array([0.5]))[0, 0].tolist()
    [[-8.5, -9.5], [-11.5, -12.5]]
    """
    ### BEGIN SOLUTION
    (batch, _, height, width), (filters, _, kernel_height, kernel_width) = x.shape, w.shape
    rooms = height + 2 * padding - kernel_height, width + 2 * padding - kernel_width
    if min(kernel_height, kernel_width, stride) < 1 or padding < 0:
        raise ValueError("kernel and stride have to be at least 1, padding at least 0")
    if min(rooms) < 0 or any(room % stride for room in rooms):
        raise ValueError(f"kernels {w.shape}, stride {stride}, padding {padding} do not fit images {x.shape}")
    padded = np.pad(x, [(0, 0)] * 2 + [(padding, padding)] * 2)
    out = np.empty((batch, filters, rooms[0] // stride + 1, rooms[1] // stride + 1))
    for n, k, i, j in np.ndindex(out.shape):
        top, left = i * stride, j * stride
        patch = padded[n, :, top : top + kernel_height, left : left + kernel_width]  # (C, FH, FW)
        out[n, k, i, j] = np.sum(patch * w[k]) + b[k]
    return out
    ### END SOLUTION


# %% [markdown]
# A kernel is a question. This one asks: is there an X? Each 1 of the image that lies on a 1 of the kernel counts.

# %%
image = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]], dtype=float)
cross = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]], dtype=float)
response = conv2d_forward(image[None, None], cross[None, None], np.zeros(1))[0, 0]
figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.7), width_ratios=(5, 3, 3))
for ax, matrix, title in zip(axes, (image, cross, response), ("image", "kernel", "response"), strict=True):
    plots.heatmap(ax, matrix, number_format=".0f")
    ax.set_title(title)

# %% nbgrader={"grade_id": "conv2d_forward", "grade": true}
check("conv2d_forward", conv2d_forward)

# %% [markdown]
# ## 3. The layer, backward
#
# `conv2d_backward(dout, x, w, b, stride=1, padding=0) -> (dx, dw, db)`
#
# Difficulty 4 of 5, 45 minutes, 5 points.
#
# `dout` (N, K, OH, OW) is the gradient of a loss with respect to the layer's output. Return its gradients with respect
# to `x`, `w` and `b`, each with the shape of its array. Nothing is averaged here: any averaging is part of the loss
# and is in `dout` already.
#
# Example: with `x`, `w` and `b` of the example before and `dout` with the rows `1 2` and `0 -1`, `db` is `[2]`, `dw`
# has the rows `0 2` and `6 8`, and `dx` has the rows `1 2 0`, `0 -3 -4` and `0 0 2`.
#
# `ValueError` for whatever the forward pass refuses.
#
# <details><summary>Hint 1</summary>
#
# Go back to the formula of the forward pass. Each of its products joins one cell of the padded image, one weight and
# one output. The product rule gives one contribution to the cell and one to the weight. Contributions add up.
# </details>
#
# <details><summary>Hint 2</summary>
#
# Use the loops of the forward pass. With `g = dout[n, k, i, j]`, the kernel `w[k]` receives `g` times the patch, and
# the patch receives `g` times `w[k]`. Mind `+=`.
# </details>
#
# <details><summary>Hint 3</summary>
#
# Collect the gradient of the *padded* images in an array of zeros of their shape. In the end cut off the border: it
# holds gradients of zeros that were never part of `x`.
# </details>

# %% nbgrader={"grade_id": "conv2d_backward-solution", "solution": true}
def conv2d_backward(dout, x, w, b, stride=1, padding=0):
    """Gradients of a convolution layer.

    Args:
        dout: Gradient with respect to the output, (N, K, OH, OW).
        x: Images, (N, C, H, W).
        w: Kernels, (K, C, FH, FW).
        b: Biases, (K,).
        stride: Step of the window in both directions.
        padding: Zeros added on all four sides.

    Returns:
        dx (N, C, H, W), dw (K, C, FH, FW) and db (K,).

    Raises:
        ValueError: The windows do not fit exactly, or an argument is out of range.

    >>> x = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    >>> w = np.array([[[[1.0, 0.0], [0.0, -2.0]]]])
    >>> dx, dw, db = conv2d_backward(np.array([[[[1.0, 2.0], [0.0, -1.0]]]]), x, w, np.array([0.5]))
    >>> dx[0, 0].tolist()
    [[1.0, 2.0, 0.0], [0.0, -3.0, -4.0], [0.0, 0.0, 2.0]]
    >>> dw[0, 0].tolist(), db.tolist()
    ([[0.0, 2.0], [6.0, 8.0]], [2.0])
    """
    ### BEGIN SOLUTION
    (_, _, height, width), (_, _, kernel_height, kernel_width) = x.shape, w.shape
    rooms = height + 2 * padding - kernel_height, width + 2 * padding - kernel_width
    if min(kernel_height, kernel_width, stride) < 1 or padding < 0:
        raise ValueError("kernel and stride have to be at least 1, padding at least 0")
    if min(rooms) < 0 or any(room % stride for room in rooms):
        raise ValueError(f"kernels {w.shape}, stride {stride}, padding {padding} do not fit images {x.shape}")
    padded = np.pad(x, [(0, 0)] * 2 + [(padding, padding)] * 2)
    dpadded, dw = np.zeros(padded.shape), np.zeros(w.shape)
    for n, k, i, j in np.ndindex(dout.shape):
        rows = slice(i * stride, i * stride + kernel_height)
        columns = slice(j * stride, j * stride + kernel_width)
        dw[k] += dout[n, k, i, j] * padded[n, :, rows, columns]
        dpadded[n, :, rows, columns] += dout[n, k, i, j] * w[k]
    dx = dpadded[:, :, padding : padding + height, padding : padding + width]
    return dx, dw, dout.sum(axis=(0, 2, 3))
    ### END SOLUTION


# %% [markdown]
# Compare with central differences at every element of `dx`, `dw` and `db`. The largest differences should be tiny,
# around $10^{-9}$ or less.

# %%
rng = np.random.default_rng(3)
arrays = {"x": rng.normal(size=(2, 2, 5, 5)), "w": rng.normal(size=(3, 2, 3, 3)), "b": rng.normal(size=3)}
dout = rng.normal(size=(2, 3, 3, 3))
gradients = conv2d_backward(dout, **arrays, stride=2, padding=1)
h = 1e-5
for (name, array), gradient in zip(arrays.items(), gradients, strict=True):
    numerical = np.zeros(array.shape)
    for index in np.ndindex(array.shape):
        up, down = array.copy(), array.copy()
        up[index] += h
        down[index] -= h
        change = conv2d_forward(**{**arrays, name: up}, stride=2, padding=1)
        change -= conv2d_forward(**{**arrays, name: down}, stride=2, padding=1)
        numerical[index] = np.sum(dout * change) / (2 * h)
    print(f"d{name}: largest difference {np.max(np.abs(gradient - numerical)):.1e}")

# %% nbgrader={"grade_id": "conv2d_backward", "grade": true}
check("conv2d_backward", conv2d_backward)

# %% [markdown]
# ## 4. Patches as rows
#
# `im2col(x, kernel_height, kernel_width, stride=1, padding=0) -> cols`
#
# Difficulty 3 of 5, 30 minutes, 3 points.
#
# Every output of the layer is the inner product of a patch with a kernel. Inner products of many rows with many rows
# are one matrix product, and matrix products are what computers are best at. So lay the patches out as rows: `cols`
# has the shape (N, OH, OW, C·FH·FW), and `cols[n, i, j]` is the patch under the window at (i, j). Inside a patch
# channel 0 comes first, row by row, then channel 1, and so on: the order in which `w[k].ravel()` lays out a kernel.
#
# Example: for the image with the rows `1 2 3`, `4 5 6`, `7 8 9` and a window of 2 by 2, `cols` has the shape (1, 2, 2,
# 4); `cols[0, 0, 0]` is `1 2 4 5` and `cols[0, 0, 1]` is `2 3 5 6`.
#
# `ValueError` as in the rules above.
#
# <details><summary>Hint 1</summary>
#
# With loops over n, i and j: cut the patch (C, FH, FW) out and `ravel()` it.
# </details>
#
# <details><summary>Hint 2</summary>
#
# Fewer loops: fix a place (a, d) inside the window. Which cells of the padded image lie there, over all windows? A
# slice with a step: rows `a`, `a + stride`, ...
# </details>
#
# <details><summary>Hint 3</summary>
#
# Fill an array of shape (N, OH, OW, C, FH, FW), one (a, d) at a time, with `transpose` bringing the channels behind the
# positions. Only then reshape. (No loop at all: `np.lib.stride_tricks.sliding_window_view`.)
# </details>

# %% nbgrader={"grade_id": "im2col-solution", "solution": true}
def im2col(x, kernel_height, kernel_width, stride=1, padding=0):
    """Lay out every patch of every image as a row.

    Args:
        x: Images, (N, C, H, W).
        kernel_height: Rows of the window.
        kernel_width: Columns of the window.
        stride: Step of the window in both directions.
        padding: Zeros added on all four sides.

    Returns:
        cols, (N, OH, OW, C * kernel_height * kernel_width), channel-major inside a patch.

    Raises:
        ValueError: The windows do not fit exactly, or an argument is out of range.

    >>> im2col(np.arange(1.0, 10.0).reshape(1, 1, 3, 3), 2, 2)[0, 0].tolist()
    [[1.0, 2.0, 4.0, 5.0], [2.0, 3.0, 5.0, 6.0]]
    """
    ### BEGIN SOLUTION
    batch, channels, height, width = x.shape
    rooms = height + 2 * padding - kernel_height, width + 2 * padding - kernel_width
    if min(kernel_height, kernel_width, stride) < 1 or padding < 0:
        raise ValueError("kernel and stride have to be at least 1, padding at least 0")
    if min(rooms) < 0 or any(room % stride for room in rooms):
        raise ValueError(f"windows {kernel_height} by {kernel_width} with stride {stride} do not fit {x.shape}")
    padded = np.pad(x, [(0, 0)] * 2 + [(padding, padding)] * 2)
    rows, columns = (room // stride + 1 for room in rooms)
    cols = np.empty((batch, rows, columns, channels, kernel_height, kernel_width))
    for a, d in np.ndindex(kernel_height, kernel_width):
        cells = padded[:, :, a : a + stride * rows : stride, d : d + stride * columns : stride]  # (N, C, OH, OW)
        cols[:, :, :, :, a, d] = cells.transpose(0, 2, 3, 1)
    return cols.reshape(batch, rows, columns, channels * kernel_height * kernel_width)
    ### END SOLUTION


# %% [markdown]
# The numbers 0 to 15 in an image of 4 by 4, and the nine patches of 2 by 2, one in a row. How often does each number
# appear on the right, and why?

# %%
image = np.arange(16.0).reshape(4, 4)
rows = im2col(image[None, None], 2, 2).reshape(9, 4)
figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.8))
for ax, matrix, title in zip(axes, (image, rows), ("image", "patches as rows"), strict=True):
    plots.heatmap(ax, matrix, number_format=".0f", limits=(0, 15))
    ax.set_title(title)

# %% nbgrader={"grade_id": "im2col", "grade": true}
check("im2col", im2col)

# %% [markdown]
# ## 5. The fast layer
#
# `conv2d_fast(x, w, b, stride=1, padding=0) -> out`
#
# Difficulty 3 of 5, 25 minutes, 4 points.
#
# The same values as `conv2d_forward`, at least 20 times faster than loops over n, k, i and j with a vectorized inner
# product. The check times both, on a layer with 102,400 outputs. Right but too slow is half of the points.
#
# Example: as in task 2, the outputs are `-8.5 -9.5` and `-11.5 -12.5`.
#
# `ValueError` as in the rules above.
#
# <details><summary>Hint 1</summary>
#
# Patches as rows, kernels as rows: all the outputs are inner products of one with the other.
# </details>
#
# <details><summary>Hint 2</summary>
#
# `cols @ w.reshape(K, -1).T` has the shape (N, OH, OW, K). `reshape` never reorders axes; `transpose` does.
# </details>
#
# <details><summary>Hint 3</summary>
#
# Call your function of task 4, or write the patches down again here. Add `b` while K is still the last axis, then
# `transpose(0, 3, 1, 2)`. No loop over images, filters or positions is left.
# </details>

# %% nbgrader={"grade_id": "conv2d_fast-solution", "solution": true}
def conv2d_fast(x, w, b, stride=1, padding=0):
    """Two-dimensional cross-correlation as one matrix product.

    Args:
        x: Images, (N, C, H, W).
        w: Kernels, (K, C, FH, FW).
        b: Biases, (K,).
        stride: Step of the window in both directions.
        padding: Zeros added on all four sides.

    Returns:
        out, (N, K, OH, OW).

    Raises:
        ValueError: The windows do not fit exactly, or an argument is out of range.

    >>> x = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    >>> w = np.array([[[[1.0, 0.0], [0.0, -2.0]]]])
    >>> conv2d_fast(x, w, np.array([0.5]))[0, 0].tolist()
    [[-8.5, -9.5], [-11.5, -12.5]]
    """
    ### BEGIN SOLUTION
    (_, _, height, width), (_, _, kernel_height, kernel_width) = x.shape, w.shape
    rooms = height + 2 * padding - kernel_height, width + 2 * padding - kernel_width
    if min(kernel_height, kernel_width, stride) < 1 or padding < 0:
        raise ValueError("kernel and stride have to be at least 1, padding at least 0")
    if min(rooms) < 0 or any(room % stride for room in rooms):
        raise ValueError(f"kernels {w.shape}, stride {stride}, padding {padding} do not fit images {x.shape}")
    padded = np.pad(x, [(0, 0)] * 2 + [(padding, padding)] * 2)
    # a view: no number is copied until the matrix product needs it
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel_height, kernel_width), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]  # (N, C, OH, OW, FH, FW)
    out = np.tensordot(windows, w, axes=((1, 4, 5), (1, 2, 3))) + b  # (N, OH, OW, K)
    return out.transpose(0, 3, 1, 2)
    ### END SOLUTION


# %% [markdown]
# The same layer twice. (Yours of task 2 may be fast already. The check compares with the four loops.)

# %%
rng = np.random.default_rng(5)
layer = rng.normal(size=(4, 3, 16, 16)), rng.normal(size=(8, 3, 3, 3)), rng.normal(size=8)
slow, fast = conv2d_forward(*layer, padding=1), conv2d_fast(*layer, padding=1)
print(f"{slow.size} outputs, largest difference {np.max(np.abs(slow - fast)):.1e}")
# %timeit -n 1 -r 3 conv2d_forward(*layer, padding=1)
# %timeit -n 1 -r 3 conv2d_fast(*layer, padding=1)

# %% nbgrader={"grade_id": "conv2d_fast", "grade": true}
check("conv2d_fast", conv2d_fast)

# %% [markdown]
# ## 6. Max pooling, forward
#
# `max_pool2d_forward(x, size, stride) -> out`
#
# Difficulty 2 of 5, 15 minutes, 2 points.
#
# A window of `size` by `size` moves over each channel by `stride`, without padding, and keeps the largest value. `x`
# has the shape (N, C, H, W), `out` (N, C, OH, OW). Windows may overlap (a stride less than the size) or leave gaps (a
# stride greater than the size); the last one ends exactly at the border.
#
# Example: from the rows `1 5 2 0`, `3 4 1 7`, `6 0 2 2`, `1 3 2 1`, size 2 and stride 2 keep `5 7` and `6 2`.
#
# `ValueError` as in the rules above, with `size` for the kernel.
#
# <details><summary>Hint 1</summary>
#
# The geometry is that of the convolution. Only what happens to a patch is different, and each channel stays by itself.
# </details>
#
# <details><summary>Hint 2</summary>
#
# Loops over i and j are enough: cut the patch (N, C, size, size) out and take `max` over its last two axes.
# </details>

# %% nbgrader={"grade_id": "max_pool2d_forward-solution", "solution": true}
def max_pool2d_forward(x, size, stride):
    """Largest value of each window, channel by channel.

    Args:
        x: Images, (N, C, H, W).
        size: Rows and columns of the window.
        stride: Step of the window in both directions.

    Returns:
        out, (N, C, OH, OW).

    Raises:
        ValueError: The windows do not fit exactly, or an argument is out of range.

    >>> x = np.array([[[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 1.0, 7.0], [6.0, 0.0, 2.0, 2.0], [1.0, 3.0, 2.0, 1.0]]]])
    >>> max_pool2d_forward(x, 2, 2)[0, 0].tolist()
    [[5.0, 7.0], [6.0, 2.0]]
    """
    ### BEGIN SOLUTION
    batch, channels, height, width = x.shape
    rooms = height - size, width - size
    if min(size, stride) < 1 or min(rooms) < 0 or any(room % stride for room in rooms):
        raise ValueError(f"windows of {size} with stride {stride} do not fit images {x.shape}")
    out = np.empty((batch, channels, rooms[0] // stride + 1, rooms[1] // stride + 1))
    for i, j in np.ndindex(out.shape[2:]):
        top, left = i * stride, j * stride
        out[:, :, i, j] = x[:, :, top : top + size, left : left + size].max(axis=(2, 3))
    return out
    ### END SOLUTION


# %% [markdown]
# A small image, and the same image after one and after two poolings with size 2 and stride 2. What survives, what is
# lost?

# %%
photo = data.photograph(shrink=4)[:104, :160]
once = max_pool2d_forward(photo[None, None], 2, 2)
twice = max_pool2d_forward(once, 2, 2)
plots.image_row([photo, once[0, 0], twice[0, 0]], [f"{m.shape[-2]} by {m.shape[-1]}" for m in (photo, once, twice)])

# %% nbgrader={"grade_id": "max_pool2d_forward", "grade": true}
check("max_pool2d_forward", max_pool2d_forward)

# %% [markdown]
# ## 7. Max pooling, backward
#
# `max_pool2d_backward(dout, x, size, stride) -> dx`
#
# Difficulty 3 of 5, 25 minutes, 3 points.
#
# `dout` (N, C, OH, OW) is the gradient with respect to the output of the pooling of task 6. Return the gradient with
# respect to `x`. Each window passes its gradient on to the cell that was its maximum. When several cells are equally
# large, the first one in row-major order gets it: the topmost, and among those the leftmost. Where windows overlap, a
# cell may be the maximum of several.
#
# Example: for the image of task 6 and `dout` with the rows `10 20` and `30 40`, `dx` has the rows `0 10 0 0`, `0 0 0
# 20`, `30 0 40 0` and `0 0 0 0`. The last window, with the rows `2 2` and `2 1`, holds a tie: its first 2 gets the 40.
#
# `ValueError` for whatever the forward pass refuses.
#
# <details><summary>Hint 1</summary>
#
# A small change of a cell that is not the maximum changes nothing. A small change of the maximum changes the output by
# as much.
# </details>
#
# <details><summary>Hint 2</summary>
#
# `window.argmax()` numbers the cells row by row and returns the first of the largest. How do you get row and column
# from that number?
# </details>
#
# <details><summary>Hint 3</summary>
#
# `np.unravel_index(window.argmax(), window.shape)` gives row and column inside the window. Add the window's corner, and
# add the gradient with `+=`.
# </details>

# %% nbgrader={"grade_id": "max_pool2d_backward-solution", "solution": true}
def max_pool2d_backward(dout, x, size, stride):
    """Gradient of max pooling; a tie goes to the first cell in row-major order.

    Args:
        dout: Gradient with respect to the output, (N, C, OH, OW).
        x: Images, (N, C, H, W).
        size: Rows and columns of the window.
        stride: Step of the window in both directions.

    Returns:
        dx, (N, C, H, W).

    Raises:
        ValueError: The windows do not fit exactly, or an argument is out of range.

    >>> x = np.array([[[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 1.0, 7.0], [6.0, 0.0, 2.0, 2.0], [1.0, 3.0, 2.0, 1.0]]]])
    >>> dout = np.array([[[[10.0, 20.0], [30.0, 40.0]]]])
    >>> max_pool2d_backward(dout, x, 2, 2)[0, 0].tolist()
    [[0.0, 10.0, 0.0, 0.0], [0.0, 0.0, 0.0, 20.0], [30.0, 0.0, 40.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    ### BEGIN SOLUTION
    _, _, height, width = x.shape
    rooms = height - size, width - size
    if min(size, stride) < 1 or min(rooms) < 0 or any(room % stride for room in rooms):
        raise ValueError(f"windows of {size} with stride {stride} do not fit images {x.shape}")
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dout.shape):
        top, left = i * stride, j * stride
        window = x[n, c, top : top + size, left : left + size]
        row, column = np.unravel_index(window.argmax(), window.shape)
        dx[n, c, top + row, left + column] += dout[n, c, i, j]
    return dx
    ### END SOLUTION


# %% [markdown]
# Let every output ask for the same small change (`dout` is 1 everywhere) and see which cells hear it. With stride 1 the
# windows of size 3 overlap: a number counts the windows in which the cell is the maximum.

# %%
image = np.random.default_rng(7).integers(0, 100, size=(7, 7)).astype(float)
counts = max_pool2d_backward(np.ones((1, 1, 5, 5)), image[None, None], 3, 1)[0, 0]
figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.4))
for ax, matrix, title in zip(axes, (image, counts), ("image", "windows won"), strict=True):
    plots.heatmap(ax, matrix, number_format=".0f")
    ax.set_title(title)

# %% nbgrader={"grade_id": "max_pool2d_backward", "grade": true}
check("max_pool2d_backward", max_pool2d_backward)

# %% [markdown]
# ## 8. Receptive field
#
# `receptive_field(layers) -> int`
#
# Difficulty 2 of 5, 15 minutes, 2 points.
#
# `layers` is a list of pairs `(kernel, stride)`, the layer next to the input first; convolution and pooling look alike
# here. Return how many input cells, along one axis, lie between the first and the last one that a unit of the last
# layer depends on, both included: an `int`. The empty list gives 1, for a pixel sees itself.
#
# Example: two layers `(3, 1)` see 5 cells: three neighbors, each of which sees three. With `[(3, 2), (3, 1)]` those
# neighbors stand two cells apart, so it is $3 + 2\cdot 2 = 7$.
#
# `ValueError` when a kernel or a stride is less than 1.
#
# <details><summary>Hint 1</summary>
#
# Draw `[(3, 2), (3, 1)]` on paper: a row of input cells, above it the units of the first layer, above them one of the
# second.
# </details>
#
# <details><summary>Hint 2</summary>
#
# Each layer makes the field grow by `kernel - 1` steps. How long is a step, counted in input cells?
# </details>
#
# <details><summary>Hint 3</summary>
#
# Keep two numbers: the field so far, and the distance in the input between neighbors of the current map. Both start
# at 1. A layer's own stride changes the distance only after its kernel has been counted.
# </details>

# %% nbgrader={"grade_id": "receptive_field-solution", "solution": true}
def receptive_field(layers):
    """Input cells along one axis that a unit of the last layer sees.

    Args:
        layers: Pairs (kernel, stride), the layer next to the input first.

    Returns:
        The extent of the field, an int.

    Raises:
        ValueError: A kernel or a stride is less than 1.

    >>> receptive_field([(3, 2), (3, 1)])
    7
    """
    ### BEGIN SOLUTION
    field, distance = 1, 1
    for kernel, stride in layers:
        if kernel < 1 or stride < 1:
            raise ValueError(f"kernel {kernel} and stride {stride} have to be at least 1")
        field += (kernel - 1) * distance
        distance *= stride
    return field
    ### END SOLUTION


# %% [markdown]
# How the field grows: thirteen convolutions 3 wide, alone, and with the poolings of VGG-16 between them.

# %%
plain = [(3, 1)] * 13
vgg = [(3, 1)] * 2 + [(2, 2)] + [(3, 1)] * 2 + [(2, 2)] + ([(3, 1)] * 3 + [(2, 2)]) * 3
figure, ax = plt.subplots()
ax.set(xlabel="layers", ylabel="receptive field (input cells)", xticks=range(0, 19, 3))
beside, before = ({"xytext": (x, -4), "textcoords": "offset points", "ha": a} for x, a in ((9, "left"), (-9, "right")))
for layers, label, color, place in (
    (plain, "convolutions only", plots.BLUE, beside), (vgg, "with poolings (VGG-16)", plots.ACCENT, before)
):
    fields = [receptive_field(layers[:depth]) for depth in range(len(layers) + 1)]
    ax.plot(fields, "o-", color=color)
    ax.annotate(f"{label}: {fields[-1]}", (len(layers), fields[-1]), **place, color=color)

# %% nbgrader={"grade_id": "receptive_field", "grade": true}
check("receptive_field", receptive_field)

# %% [markdown]
# ## 9. Milestone: edges of a photograph
#
# `sobel_edges(image) -> magnitude`
#
# Difficulty 2 of 5, 20 minutes, 3 points.
#
# An edge is a place where the brightness changes quickly. The Sobel kernels measure the change from left to right and
# from top to bottom:
#
# $$G_x = \begin{pmatrix} -1 & 0 & 1 \\ -2 & 0 & 2 \\ -1 & 0 & 1 \end{pmatrix}, \qquad G_y = G_x^\top .$$
#
# Cross-correlate `image` (H, W) with both, with a zero padding of 1, and return the length of the vector of the two
# responses at every pixel, $\sqrt{g_x^2 + g_y^2}$. `magnitude` has the shape of `image`.
#
# Example: four rows `0 0 1 1` give the rows `0 3.162 4.243 4.243`, `0 4 4 4`, `0 4 4 4` and `0 3.162 4.243 4.243`. The
# edge in the middle is 4 strong. So is the right border: against the zeros outside, white is an edge too.
#
# There is nothing to refuse: a padding of 1 makes the kernel fit any image that has a pixel.
#
# <details><summary>Hint 1</summary>
#
# Your layer can do this: one image with one channel, and two kernels. Mind the two axes that `image` lacks.
# </details>
#
# <details><summary>Hint 2</summary>
#
# Kernels of shape (2, 1, 3, 3), biases zero, padding 1. The result (1, 2, H, W) holds both responses.
# </details>
#
# <details><summary>Hint 3</summary>
#
# Without the layer: `padded[a : a + H, d : d + W]` is the image shifted by (a, d). Add nine shifted copies, each times
# its weight.
# </details>

# %% nbgrader={"grade_id": "sobel_edges-solution", "solution": true}
def sobel_edges(image):
    """Strength of the edge at every pixel.

    Args:
        image: Gray values, (H, W).

    Returns:
        magnitude, (H, W).

    >>> sobel_edges(np.array([[0.0, 0.0, 1.0, 1.0]] * 4)).round(3).tolist()[:2]
    [[0.0, 3.162, 4.243, 4.243], [0.0, 4.0, 4.0, 4.0]]
    """
    ### BEGIN SOLUTION
    # the kernel is an outer product: weights 1 2 1 along the edge, a difference across it
    padded = np.pad(image, 1)
    down = padded[:-2] + 2 * padded[1:-1] + padded[2:]  # (H, W + 2)
    across = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]  # (H + 2, W)
    gx = down[:, 2:] - down[:, :-2]
    gy = across[2:] - across[:-2]
    return np.sqrt(gx**2 + gy**2)
    ### END SOLUTION


# %% [markdown]
# The photograph and its edges. Look for edges that you would draw and the code does not, and the other way round.

# %%
photo = data.photograph()
edges = sobel_edges(photo)
figure, axes = plt.subplots(1, 2, figsize=(7.2, 2.7))
axes[0].imshow(photo)
axes[1].imshow(edges, vmax=np.quantile(edges, 0.99))  # the strongest 1 % all white
for ax in axes:
    ax.set_axis_off()

# %% [markdown]
# The same by the fast layer of task 5. Each response finds the edges that lie across its direction; bright and dark are
# the two signs.

# %%
kernel = np.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
responses = conv2d_fast(photo[None, None], np.stack([kernel, kernel.T])[:, None], np.zeros(2), padding=1)[0]
print(f"largest difference from your edges: {np.max(np.abs(np.hypot(*responses) - edges)):.1e}")
plots.image_row(responses, ["left to right", "top to bottom"], limits=(-2, 2))

# %% nbgrader={"grade_id": "sobel_edges", "grade": true}
check("sobel_edges", sobel_edges)

# %% [markdown]
# ## 10. In your own words: moving the image
#
# 10 minutes, 2 points, graded by a person.
#
# It is often said that convolutional networks are invariant to translation. Take a one-dimensional signal with a single
# bump and a convolution with stride 1 followed by max pooling with size 2 and stride 2. What happens to the output of
# the convolution, and what to the output of the pooling, when the signal moves by one cell? Which word describes the
# convolution better than "invariant"? (3 to 6 sentences. You may add a cell and try it.)

# %% [markdown] nbgrader={"grade_id": "convolution-written-1", "grade": true, "solution": true, "points": 2}
# Away from the border the output of the convolution moves by one cell too and keeps its values. That is *equivariance*:
# shift, then convolve, is the same as convolve, then shift. Invariance would mean that the output does not change at
# all.
#
# Max pooling with stride 2 keeps its output only when the move does not carry the maximum into another window: for
# example `0 1 2 0 0 0` and the shifted `0 0 1 2 0 0` give `1 2 0` and `0 2 0`. So it is a little tolerant, not
# invariant; only a shift by two cells moves its output cleanly by one. A global maximum or average over all positions
# would be invariant (borders aside).
#
# **Rubric.** 1 point: the output of the convolution moves along, and the word *equivariant* (or an equivalent
# definition). 1 point: pooling tolerates a small shift only in part, with a reason or an example: it depends on where
# the windows lie. No point is lost for leaving out the border.

# %% [markdown]
# ## 11. In your own words: where the time goes
#
# 10 minutes, 2 points, graded by a person.
#
# Tasks 2 and 5 multiply the same numbers. Why is one of them so much faster? And what does the fast way cost: how many
# times more numbers than `x` does the result of task 4 hold, for a kernel of 3 by 3, stride 1 and padding 1? (3 to 6
# sentences.)

# %% [markdown] nbgrader={"grade_id": "convolution-written-2", "grade": true, "solution": true, "points": 2}
# The number of multiplications is the same. The loops pay the price of the Python interpreter and of a few small NumPy
# calls for every single output, microseconds for a handful of multiplications that take nanoseconds. The fast version
# pays it once: one call runs compiled loops over contiguous memory, uses the processor's vector instructions, and works
# block by block, so that numbers are used again while they are in the cache.
#
# The price is memory: with stride 1 and padding 1 there are as many positions as pixels, and each row holds 9 numbers
# per channel, so `cols` holds 9 times as many numbers as `x`. (A window view copies nothing, but the matrix product
# makes the copy when it needs it.) For large images or kernels one works through the batch in pieces, or takes another
# algorithm.
#
# **Rubric.** 1 point: the same arithmetic, but the interpreter's overhead per output against one compiled, contiguous
# matrix product. 1 point: factor 9, with a reason (each pixel lies in nine windows, or 9 numbers per position and
# channel).
