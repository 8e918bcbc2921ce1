# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Backpropagation: from one slope to a network that reads digits
#
# Training a network needs one thing again and again: how the loss changes when one of its numbers changes. You start
# with the slow way that is hard to get wrong. Then you write the fast way, backpropagation, and use the slow way to
# check it: first on a graph of single numbers, then layer by layer on arrays. In the end your own gradients train a
# network that reads handwritten digits. No library computes a derivative for you.
#
# | task | you write | minutes | points |
# | --- | --- | --- | --- |
# | 1 | slopes from differences: the slow way | 15 | 2 |
# | 2 | backpropagation on a graph of numbers | 35 | 4 |
# | 3 | the affine layer, forward | 5 | 1 |
# | 4 | the affine layer, backward | 20 | 3 |
# | 5 | ReLU, backward | 5 | 1 |
# | 6 | softmax and cross-entropy, with their gradient | 30 | 4 |
# | 7 | all gradients of a network of two layers | 40 | 4 |
# | 8 | milestone: train it on digits | 40 | 5 |
# | 9 | two written answers | 20 | 4 |
# | | **together** | **210** | **28** |
#
# The theory is in the chapter *Backpropagation and automatic differentiation*.
#
# **How checks work.** Each task ends with a cell that calls `check`. It runs your function on visible cases and prints
# a table: which went well, and for the others the largest error, its place, both values, and a hint when the mistake is
# a known one. The grader runs these cases and more, among them edge cases. When only edge cases fail, half of the
# points remain. The written answers are read by a person.
#
# **Rules.**
#
# - You may import NumPy and, of the standard library, `math`, `itertools`, `functools`, `collections`, `dataclasses`,
#   `typing`, `operator` and `numbers`. Nothing else is there when your notebook is graded; a cell of your own that
#   imports something else fails then, and with it only the functions that need it.
# - Keep the names of the parameters: the grader may pass arguments by name. A result that is an array is an ndarray,
#   not a list; several results are a tuple or a list.
# - Do not write to the arguments: they belong to the caller. They may be views that are not contiguous.
# - `float64` in gives `float64` out. `float32` in may give either.
# - You may call functions that you wrote in earlier tasks. The model solutions of tasks 1 to 7 do not: then a mistake
#   costs its own task only. Task 8 builds on task 7.
# - The cells between a stub and its check are yours to play in. They are not graded.
#
# Letters in shapes: `N` examples, `D` inputs, `M` outputs of a layer, `H` hidden units, `K` classes. One example is one
# row. `dx` is the gradient of the loss with respect to `x`: it has the shape of `x`.

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
digits = data.digits()
print("Ready: NumPy", np.__version__, "and digits of shape", digits.x_train.shape)

# %% [markdown]
# These are digits that nobody trains on. At the end your network reads them.

# %%
plots.image_row(1 - digits.x_test[:10], titles=[str(label) for label in digits.labels_test[:10]])

# %% [markdown]
# ## 1. Slopes from differences
#
# `numerical_gradient(f, x, h=1e-5) -> grad`
#
# Difficulty 1 of 5, 15 minutes, 2 points.
#
# `f` maps an array of the shape of `x` to a float. Return its gradient at `x`, by central differences with the step
# `h`: for each element $x_i$ by itself
#
# $$\frac{f(\ldots, x_i + h, \ldots) - f(\ldots, x_i - h, \ldots)}{2h}.$$
#
# `x` is a float64 array with any number of axes, and `grad` has its shape. When your function returns, `x` holds
# exactly the numbers that it held before.
#
# Example: $f(v) = v_0^2 + 3 v_1$ at $x = (1, 2)$. The first slope is $((1 + h)^2 - (1 - h)^2)/2h = 4h/2h = 2$, the
# second $6h/2h = 3$. So `grad` is `[2, 3]`, up to rounding.
#
# <details><summary>Hint 1</summary>
#
# One element moves, all others stay. So you need `f` twice for every element.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `for index in np.ndindex(x.shape)` visits the elements of an array with any number of axes; `x[index]` is one number.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# $(x + h) - h$ need not be $x$: floats round. Work on a copy of `x`, or keep the old number and put it back.
#
# </details>

# %% nbgrader={"grade_id": "numerical_gradient-solution", "solution": true}
def numerical_gradient(f, x, h=1e-5):
    """Gradient of a function by central differences.

    Args:
        f: Maps an array of the shape of x to a float.
        x: Where to take the gradient, any shape. It is unchanged on return.
        h: Step to each side.

    Returns:
        The gradient, of the shape of x.

    >>> np.round(numerical_gradient(lambda v: v[0] ** 2 + 3 * v[1], np.array([1.0, 2.0])), 6)
    array([2., 3.])
    """
    ### BEGIN SOLUTION
    grad = np.zeros(x.shape)
    point = x.copy()
    for index in np.ndindex(x.shape):
        point[index] = x[index] + h
        above = f(point)
        point[index] = x[index] - h
        below = f(point)
        point[index] = x[index]
        grad[index] = (above - below) / (2 * h)
    return grad
    ### END SOLUTION


# %% [markdown]
# How large should `h` be? The picture shows the error of your slope of $\sin$ at 1, whose true value is $\cos 1$, for
# steps from $10^{-1}$ to $10^{-13}$. Keep it in mind for task 9.

# %%
steps = np.logspace(-1, -13, 49)
slopes = [numerical_gradient(lambda v: float(np.sin(v[0])), np.ones(1), h=h)[0] for h in steps]
figure, ax = plt.subplots()
ax.loglog(steps, np.abs(np.array(slopes) - np.cos(1)), ".-", linewidth=1)
ax.axvline(1e-5, color=plots.NEUTRAL, linewidth=1)
ax.text(1.3e-5, 1e-3, "default h", color=plots.NEUTRAL)
ax.set(xlabel="step h", ylabel="error of the slope")
plt.show()

# %% nbgrader={"grade_id": "numerical_gradient", "grade": true}
check("numerical_gradient", numerical_gradient)

# %% [markdown]
# ## 2. Backpropagation on a graph
#
# `graph_backward(nodes) -> (values, gradients)`
#
# Difficulty 3 of 5, 35 minutes, 4 points.
#
# A computation is a list of nodes `(name, op, arguments)`. A node of the op `"input"` holds a number. Any other node
# names the nodes that it reads, and these stand earlier in the list:
#
# | op | arguments | value |
# | --- | --- | --- |
# | `"input"` | a float | the float |
# | `"add"`, `"sub"`, `"mul"` | `("a", "b")` | $a + b$, $a - b$, $a b$ |
# | `"max"` | `("a", "b")` | the larger of the two |
# | `"neg"`, `"exp"` | `("a",)` | $-a$, $e^a$ |
#
# Return two dicts, from every name to a float: the value of the node, and the gradient of the **last** node of the list
# with respect to it. The gradient is 0.0 where the last node does not depend on the node. A node may be read several
# times, also twice by the same node. At a tie of `max` the gradient goes to the first argument. A list may be hundreds
# of nodes long: visit each node once in each direction.
#
# Example: $p = xy$ and $f = p + x$ at $x = 2$, $y = -3$. Forward, $p = -6$ and $f = -4$. Backward, $f$ has the gradient
# 1, and `add` hands it on: 1 to $p$ and 1 to $x$. Then `mul` gives $1 \cdot y = -3$ to $x$ and $1 \cdot x = 2$ to $y$.
# Two gradients arrive at $x$, along two ways, and they add up: $1 - 3 = -2$.
#
# <details><summary>Hint 1</summary>
#
# Two loops over the same list. The first goes forward and computes values. The second goes backward: when it comes to a
# node, all nodes that read it have been visited, so its gradient is complete.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Start with the gradient 0.0 everywhere and 1.0 at the last node. At each node, hand to every argument *the gradient of
# the node times the local derivative*: what the node's value gains when that argument grows a little.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Use `+=`, not `=`, for what arrives at an argument. The local derivatives of `mul` are the *other* argument's value;
# that of `exp` is the node's own value, which you have already; `max` gives everything to the winner, `a >= b` decides.
#
# </details>

# %% nbgrader={"grade_id": "graph_backward-solution", "solution": true}
def graph_backward(nodes):
    """Values of a graph's nodes and gradients of its last node.

    Args:
        nodes: List of (name, op, arguments) in topological order; op is one of input, add, sub, mul, max, neg, exp.

    Returns:
        Two dicts from every node's name to a float: its value, and the gradient of the last node with respect to it.

    >>> nodes = [("x", "input", 2.0), ("y", "input", -3.0), ("p", "mul", ("x", "y")), ("f", "add", ("p", "x"))]
    >>> values, gradients = graph_backward(nodes)
    >>> values
    {'x': 2.0, 'y': -3.0, 'p': -6.0, 'f': -4.0}
    >>> gradients
    {'x': -2.0, 'y': 2.0, 'p': 1.0, 'f': 1.0}
    """
    ### BEGIN SOLUTION
    values = {}
    for name, op, arguments in nodes:
        if op == "input":
            values[name] = float(arguments)
            continue
        a, b = values[arguments[0]], values[arguments[-1]]  # the same one where an op reads one
        if op == "add":
            values[name] = a + b
        elif op == "sub":
            values[name] = a - b
        elif op == "mul":
            values[name] = a * b
        elif op == "max":
            values[name] = max(a, b)
        elif op == "neg":
            values[name] = -a
        else:
            values[name] = float(np.exp(a))

    gradients = dict.fromkeys(values, 0.0)
    gradients[nodes[-1][0]] = 1.0
    for name, op, arguments in reversed(nodes):
        if op == "input":
            continue
        first, second = arguments[0], arguments[-1]
        upstream = gradients[name]
        if op == "add":
            gradients[first] += upstream
            gradients[second] += upstream
        elif op == "sub":
            gradients[first] += upstream
            gradients[second] -= upstream
        elif op == "mul":
            gradients[first] += upstream * values[second]
            gradients[second] += upstream * values[first]
        elif op == "max":
            gradients[first if values[first] >= values[second] else second] += upstream
        elif op == "neg":
            gradients[first] -= upstream
        else:
            gradients[first] += upstream * values[name]
    return values, gradients
    ### END SOLUTION


# %% [markdown]
# Your graph, drawn: values above the nodes, gradients below them. Which input would you change, and in which direction,
# to make $f$ smaller? Change the numbers and look again.

# %%
nodes = [
    ("x", "input", 3.0),
    ("y", "input", -4.0),
    ("z", "input", 2.0),
    ("w", "input", -1.0),
    ("two", "input", 2.0),
    ("xy", "mul", ("x", "y")),
    ("m", "max", ("z", "w")),
    ("s", "add", ("xy", "m")),
    ("f", "mul", ("s", "two")),
]
values, gradients = graph_backward(nodes)
plots.computational_graph(nodes, values, gradients)

# %% nbgrader={"grade_id": "graph_backward", "grade": true}
check("graph_backward", graph_backward)

# %% [markdown]
# ## 3. The affine layer, forward
#
# `affine_forward(x, w, b) -> out`
#
# Difficulty 1 of 5, 5 minutes, 1 point.
#
# From single numbers to arrays: `x` has the shape (N, D), one example in each row, `w` has (D, M) and `b` has (M,).
# Return `out` with the shape (N, M),
#
# $$\text{out}_{nm} = \sum_d x_{nd}\, w_{dm} + b_m.$$
#
# Example: `x = [[1, 2], [3, 0]]`, `w = [[1, 0, 2], [0, 1, -1]]`, `b = [0.5, 0, 1]`. The first row of the product is
# `[1, 2, 2 - 2]`, and with `b` it is `[1.5, 2, 1]`. The second is `[3.5, 0, 7]`.
#
# <details><summary>Hint 1</summary>
#
# The sum over `d` is a matrix product. Put the shapes side by side: (N, D) and (D, M).
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# When you add an array of shape (M,) to one of shape (N, M), NumPy adds it to every row.
#
# </details>

# %% nbgrader={"grade_id": "affine_forward-solution", "solution": true}
def affine_forward(x, w, b):
    """Affine layer.

    Args:
        x: Examples, (N, D).
        w: Weights, (D, M).
        b: Biases, (M,).

    Returns:
        x w + b, (N, M).

    >>> x, w = np.array([[1.0, 2.0], [3.0, 0.0]]), np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]])
    >>> affine_forward(x, w, np.array([0.5, 0.0, 1.0]))
    array([[1.5, 2. , 1. ],
           [3.5, 0. , 7. ]])
    """
    ### BEGIN SOLUTION
    return x @ w + b
    ### END SOLUTION


# %% [markdown]
# A layer asks every image the same few questions. Here is one question, written by hand: is there more ink on the left
# than on the right? Which digits answer yes, and which no?

# %%
question = np.ones((8, 8))
question[:, 4:] = -1
answers = affine_forward(digits.x_test.reshape(-1, 64), question.reshape(64, 1), np.zeros(1))[:, 0]  # (N,)
order = np.argsort(answers)[[0, 1, 2, 3, -4, -3, -2, -1]]
plots.image_row(1 - digits.x_test[order], titles=[f"{answers[i]:.1f}" for i in order])

# %% nbgrader={"grade_id": "affine_forward", "grade": true}
check("affine_forward", affine_forward)

# %% [markdown]
# ## 4. The affine layer, backward
#
# `affine_backward(dout, x, w, b) -> (dx, dw, db)`
#
# Difficulty 2 of 5, 20 minutes, 3 points.
#
# Some loss depends on `out`, the result of the layer. Its gradient with respect to `out` arrives as `dout`, with the
# shape (N, M). Return the gradients with respect to `x`, `w` and `b`. Each has the shape of what it belongs to.
#
# Example, with `x` and `w` of task 3 and `dout = [[1, 0, -1], [0, 2, 1]]`:
#
# - The bias of output 0 serves both examples. It gets 1 from the first and 0 from the second, together 1. So `db` is
#   `[1, 2, 0]`.
# - `w[0, 0]` multiplies `x[0, 0] = 1` in the first example and `x[1, 0] = 3` in the second. It gets
#   $1 \cdot 1 + 3 \cdot 0 = 1$. All of `dw` is `[[1, 6, 2], [2, 0, -2]]`.
# - `x[0, 0]` meets the row `[1, 0, 2]` of `w`, so it gets $1 \cdot 1 + 0 \cdot 0 + (-1) \cdot 2 = -1$. All of `dx` is
#   `[[-1, 1], [2, 1]]`.
#
# <details><summary>Hint 1</summary>
#
# Write out one element of `out` for N = 1, D = 2, M = 1 and take its derivatives. Then ask, for each of `x`, `w` and
# `b`: in which elements of `out` does this number take part? The contributions of all of them add up.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The shapes almost decide it. `dx` is (N, D), made from `dout` (N, M) and `w` (D, M): which matrix has to be
# transposed?
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `dx` is `dout` times the transpose of `w`. `dw` is the transpose of `x` times `dout`. `db` is a sum over the examples.
# There is no division by N: if the loss is a mean, that factor is already in `dout`.
#
# </details>

# %% nbgrader={"grade_id": "affine_backward-solution", "solution": true}
def affine_backward(dout, x, w, b):
    """Gradients of an affine layer.

    Args:
        dout: Gradient of the loss with respect to the layer's result, (N, M).
        x: Examples, (N, D).
        w: Weights, (D, M).
        b: Biases, (M,).

    Returns:
        (dx, dw, db), of the shapes of x, w and b.

    >>> x, w = np.array([[1.0, 2.0], [3.0, 0.0]]), np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]])
    >>> dx, dw, db = affine_backward(np.array([[1.0, 0.0, -1.0], [0.0, 2.0, 1.0]]), x, w, np.zeros(3))
    >>> dx
    array([[-1.,  1.],
           [ 2.,  1.]])
    >>> dw
    array([[ 1.,  6.,  2.],
           [ 2.,  0., -2.]])
    >>> db
    array([1., 2., 0.])
    """
    ### BEGIN SOLUTION
    dx = dout @ w.T
    dw = x.T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db
    ### END SOLUTION


# %% [markdown]
# Now use task 1 to check task 4. This is the **gradient check**, and it works for any layer. Invent a `dout`. Then the
# sum of `dout * out` is a loss whose gradient with respect to `out` is exactly `dout`, and differences of that loss
# have to agree with your formulas. In float64 a relative error of $10^{-7}$ or less is what right formulas give here;
# $10^{-2}$ is a mistake, not noise.

# %%
def relative_error(a, b):
    """Largest difference, as a share of the largest number."""
    return np.max(np.abs(a - b)) / max(np.max(np.abs(a)), np.max(np.abs(b)))


rng = np.random.default_rng(0)
x, w, b = rng.normal(size=(5, 4)), rng.normal(size=(4, 3)), rng.normal(size=3)
dout = rng.normal(size=(5, 3))
dx, dw, db = affine_backward(dout, x, w, b)
print("dx", relative_error(dx, numerical_gradient(lambda v: np.sum(dout * affine_forward(v, w, b)), x)))
print("dw", relative_error(dw, numerical_gradient(lambda v: np.sum(dout * affine_forward(x, v, b)), w)))
print("db", relative_error(db, numerical_gradient(lambda v: np.sum(dout * affine_forward(x, w, v)), b)))

# %% nbgrader={"grade_id": "affine_backward", "grade": true}
check("affine_backward", affine_backward)

# %% [markdown]
# ## 5. ReLU, backward
#
# `relu_backward(dout, x) -> dx`
#
# Difficulty 1 of 5, 5 minutes, 1 point.
#
# Forward, ReLU is $\max(x, 0)$ for each element. Backward, `dout` arrives, of the shape of `x`, whatever that is.
# Return `dx`. At $x = 0$ there is a kink and no derivative: this course takes the slope 0 there, as most libraries do.
#
# Example: `dout = [1, 2, 3]`, `x = [-1, 0, 1]` gives `dx = [0, 0, 3]`.
#
# <details><summary>Hint 1</summary>
#
# Where did the forward pass let the number through? There the gradient passes through, and nowhere else.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `x > 0` is an array of booleans. Times an array of floats, True counts as 1 and False as 0.
#
# </details>

# %% nbgrader={"grade_id": "relu_backward-solution", "solution": true}
def relu_backward(dout, x):
    """Gradient of ReLU.

    Args:
        dout: Gradient of the loss with respect to max(x, 0), any shape.
        x: What went into the ReLU, of the same shape.

    Returns:
        The gradient with respect to x, of the same shape.

    >>> relu_backward(np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 1.0]))
    array([0., 0., 3.])
    """
    ### BEGIN SOLUTION
    return dout * (x > 0)
    ### END SOLUTION


# %% [markdown]
# The gradient check again, this time with a trap. The points are $-1$, $0$ and $1$. What do the differences say at 0,
# and why? So a gradient check that fails near a kink need not mean a mistake: move the point and check again.

# %%
points = np.array([-1.0, 0.0, 1.0])
print("yours      ", relu_backward(np.ones(3), points))
print("differences", numerical_gradient(lambda v: np.sum(np.maximum(v, 0)), points))

# %% nbgrader={"grade_id": "relu_backward", "grade": true}
check("relu_backward", relu_backward)

# %% [markdown]
# ## 6. Softmax and cross-entropy
#
# `softmax_cross_entropy(logits, labels) -> (loss, dlogits)`
#
# Difficulty 3 of 5, 30 minutes, 4 points.
#
# The last layer of a classifier gives each class a number, its *logit*. Softmax turns a row of logits $z$ into
# probabilities, and the loss is the mean over the examples of minus the logarithm of the right class's probability:
#
# $$p_{nk} = \frac{e^{z_{nk}}}{\sum_j e^{z_{nj}}}, \qquad L = -\frac{1}{N} \sum_n \log p_{n, y_n}.$$
#
# `logits` has the shape (N, K), `labels` (N,) with integers from 0 to K - 1. Return the loss, one number, and its
# gradient with respect to `logits`, (N, K). Both have to be right for huge logits too: $e^{1000}$ is larger than any
# float, but the loss of `[1000, 1001]` is as harmless as that of `[0, 1]`. And a right class with logit $-2000$ beside
# a wrong one with logit 0 costs 2000, not infinity.
#
# Example: `logits = [[0, 0], [0, log 3]]`, `labels = [0, 1]`. The probabilities are `[1/2, 1/2]` and `[1/4, 3/4]`, so
# the loss is $(\log 2 + \log \tfrac{4}{3})/2 = 0.4904$. The gradient is `[[-0.25, 0.25], [0.125, -0.125]]`: each row
# sums to 0, and is negative for the right class, whose logit should grow.
#
# <details><summary>Hint 1</summary>
#
# Softmax does not change when you subtract the same number from all logits of a row. Which number makes every exponent
# at most 0?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Do not take the logarithm of a probability that may have become 0. Work out $\log p_{nk}$ on paper: it is the logit
# minus the logarithm of a sum, and that sum is at least 1 once you have subtracted the row's maximum.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# For one example $\partial L/\partial z_k$ is $p_k$, minus 1 at the right class. `p[np.arange(n), labels]` picks the
# right class of every row. The mean over N examples divides the gradient by N as well.
#
# </details>

# %% nbgrader={"grade_id": "softmax_cross_entropy-solution", "solution": true}
def softmax_cross_entropy(logits, labels):
    """Mean cross-entropy of a softmax, and its gradient.

    Args:
        logits: (N, K).
        labels: Right classes, (N,), integers from 0 to K - 1.

    Returns:
        (loss, dlogits): a number, and an array (N, K).

    >>> loss, dlogits = softmax_cross_entropy(np.array([[0.0, 0.0], [0.0, np.log(3.0)]]), np.array([0, 1]))
    >>> round(float(loss), 4)
    0.4904
    >>> np.round(dlogits, 6)
    array([[-0.25 ,  0.25 ],
           [ 0.125, -0.125]])
    """
    ### BEGIN SOLUTION
    n = len(labels)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[np.arange(n), labels].mean()
    dlogits = np.exp(log_p)
    dlogits[np.arange(n), labels] -= 1
    return loss, dlogits / n
    ### END SOLUTION


# %% [markdown]
# The gradient of four examples with three classes, times 4 to undo the mean. The right classes are 0, 1, 2 and 0. Which
# example is already answered well, and which one pulls hardest?

# %%
logits = np.array([[1.0, 0.0, 0.0], [0.0, 5.0, 0.0], [4.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
labels = np.array([0, 1, 2, 0])
loss, dlogits = softmax_cross_entropy(logits, labels)
numerical = numerical_gradient(lambda v: float(softmax_cross_entropy(v, labels)[0]), logits)
print("loss", loss, "   relative error of the gradient", relative_error(dlogits, numerical))
figure, ax = plt.subplots(figsize=(3.4, 3.4))
plots.heatmap(ax, 4 * dlogits, row_labels=[str(row) for row in logits], column_labels=[0, 1, 2])
ax.set(xlabel="class", ylabel="logits")
plt.show()

# %% nbgrader={"grade_id": "softmax_cross_entropy", "grade": true}
check("softmax_cross_entropy", softmax_cross_entropy)

# %% [markdown]
# ## 7. A network of two layers
#
# `two_layer_gradients(x, labels, w1, b1, w2, b2, weight_decay=0.0) -> (loss, grads)`
#
# Difficulty 4 of 5, 40 minutes, 4 points.
#
# Now put the layers together: affine, ReLU, affine, softmax.
#
# $$h = \max(x W_1 + b_1, 0), \qquad z = h W_2 + b_2,$$
#
# $$L = \text{mean cross-entropy of } z \;+\; \frac{\lambda}{2} \Big( \sum W_1^2 + \sum W_2^2 \Big).$$
#
# Shapes: `x` (N, D), `labels` (N,), `w1` (D, H), `b1` (H,), `w2` (H, K), `b2` (K,); $\lambda$ is `weight_decay`. Return
# the loss and a dict `grads` with exactly the keys `"w1"`, `"b1"`, `"w2"` and `"b2"`. The penalty is on the
# weights, not on the biases.
#
# Example: `x = [[1, 2]]`, `labels = [0]`, `w1 = [[1, -1], [0, 1]]`, `b1 = [0, -2]`, `w2 = [[1, 3], [5, 7]]`,
# `b2 = [2, 0]`.
#
# - Forward: before the ReLU `[1, -1]`, after it `[1, 0]`. The logits are `[3, 3]`, both classes have the probability
#   1/2, and the loss is $\log 2 = 0.6931$.
# - Backward: at the logits `[-0.5, 0.5]`. So `b2` gets `[-0.5, 0.5]` and `w2` gets `[[-0.5, 0.5], [0, 0]]`. Both hidden
#   units get 1, but the second was off, so below the ReLU there is `[1, 0]`. That is the gradient of `b1`, and `w1`
#   gets `[[1, 0], [2, 0]]`.
# - With `weight_decay=0.1` the loss grows by $0.05 \cdot (3 + 84) = 4.35$, and `w1` gets `[[1.1, -0.1], [2, 0.1]]`.
#
# <details><summary>Hint 1</summary>
#
# Go forward first and keep what the backward pass needs: the numbers before the ReLU and after it. Then go through the
# same steps in reverse order, each one taking what the one above it handed down.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# You have every piece: tasks 3 to 6. Call them, or write their few lines here again. In the backward pass the second
# affine layer's input is `h`, the first one's is `x`.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# The derivative of $\frac{\lambda}{2} \sum W^2$ is $\lambda W$. Add it to the two weight gradients at the end. When a
# gradient is wrong, compare all four with task 1, in the order `b2`, `w2`, `b1`, `w1` of the backward pass: the first
# that disagrees is where to look.
#
# </details>

# %% nbgrader={"grade_id": "two_layer_gradients-solution", "solution": true}
def two_layer_gradients(x, labels, w1, b1, w2, b2, weight_decay=0.0):
    """Loss of the network affine, ReLU, affine, softmax, and the gradients of its parameters.

    Args:
        x: Examples, (N, D).
        labels: Right classes, (N,), integers from 0 to K - 1.
        w1: Weights of the first layer, (D, H).
        b1: Its biases, (H,).
        w2: Weights of the second layer, (H, K).
        b2: Its biases, (K,).
        weight_decay: Factor of half the sum of all squared weights in the loss.

    Returns:
        (loss, grads): a number, and a dict with the keys w1, b1, w2 and b2.

    >>> x, labels = np.array([[1.0, 2.0]]), np.array([0])
    >>> w1, b1 = np.array([[1.0, -1.0], [0.0, 1.0]]), np.array([0.0, -2.0])
    >>> w2, b2 = np.array([[1.0, 3.0], [5.0, 7.0]]), np.array([2.0, 0.0])
    >>> loss, grads = two_layer_gradients(x, labels, w1, b1, w2, b2)
    >>> round(float(loss), 4)
    0.6931
    >>> grads["w1"]
    array([[1., 0.],
           [2., 0.]])
    """
    ### BEGIN SOLUTION
    n = len(x)
    before = x @ w1 + b1  # (N, H)
    hidden = np.maximum(before, 0)
    logits = hidden @ w2 + b2  # (N, K)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    penalty = weight_decay / 2 * (np.sum(w1**2) + np.sum(w2**2))
    loss = -log_p[np.arange(n), labels].mean() + penalty

    dlogits = np.exp(log_p)
    dlogits[np.arange(n), labels] -= 1
    dlogits /= n
    dbefore = (dlogits @ w2.T) * (before > 0)  # (N, H)
    grads = {
        "w1": x.T @ dbefore + weight_decay * w1,
        "b1": dbefore.sum(axis=0),
        "w2": hidden.T @ dlogits + weight_decay * w2,
        "b2": dlogits.sum(axis=0),
    }
    return loss, grads
    ### END SOLUTION


# %% [markdown]
# All four gradients against differences, on a small network. Then count: how often does each way evaluate the network
# of task 8, with its 64 inputs, 48 hidden units and 10 classes, for *one* step of training?

# %%
rng = np.random.default_rng(1)
x, labels = rng.normal(size=(6, 4)), rng.integers(0, 3, 6)
parameters = {
    "w1": rng.normal(size=(4, 5)),
    "b1": rng.normal(size=5),
    "w2": rng.normal(size=(5, 3)),
    "b2": rng.normal(size=3),
}
loss, grads = two_layer_gradients(x, labels, **parameters, weight_decay=0.1)
for name, value in parameters.items():

    def loss_of(v, name=name):
        return two_layer_gradients(x, labels, **{**parameters, name: v}, weight_decay=0.1)[0]

    print(f"{name}  relative error {relative_error(grads[name], numerical_gradient(loss_of, value)):.1e}")
count = 64 * 48 + 48 + 48 * 10 + 10
print(f"\n{count} parameters: differences evaluate the network {2 * count} times,")
print("your function goes forward once and backward once")

# %% nbgrader={"grade_id": "two_layer_gradients", "grade": true}
check("two_layer_gradients", two_layer_gradients)

# %% [markdown]
# ## 8. Milestone: a network that reads digits
#
# `train_classifier(x, labels, hidden_units, epochs, learning_rate, batch_size, seed) -> (w1, b1, w2, b2)`
#
# Difficulty 4 of 5, 40 minutes, 5 points.
#
# Train the network of task 7 by gradient descent on small batches, and return its parameters. **This task builds on
# task 7:** call your own `two_layer_gradients`. `x` has the shape (N, D), `labels` (N,); the number of classes K is
# `labels.max() + 1`.
#
# - Make one generator, `rng = np.random.default_rng(seed)`, and draw everything random from it.
# - Draw the weights from a normal distribution with mean 0 and standard deviation
#   $\sqrt{2 / \text{inputs of the layer}}$. (Then the numbers keep their size from layer to layer.) Biases start at 0.
# - In every epoch draw a new order of the examples and go through it in batches of `batch_size`. The last batch may be
#   smaller. Each example is used once in every epoch.
# - After each batch move every parameter against its gradient:
#   $\theta \leftarrow \theta - \eta \, \partial L / \partial \theta$, where $\eta$ is `learning_rate`. There is no
#   weight decay here.
#
# Example: 7 examples, `batch_size=3`, `epochs=2` make three steps an epoch, with 3, 3 and 1 examples, six steps in all.
# With 64 inputs, 48 hidden units and 10 classes the result has the shapes (64, 48), (48,), (48, 10) and (10,).
#
# What counts is what your network can do. It is graded on data that it has not seen: **at least 93 % of held-out digits
# right**, with several sizes and seeds, also when the digits come sorted by class; and the same on points of the plane,
# where one class lies inside a circle and the other outside. Data, sizes and rates are chosen so that the recipe above
# gets there with room to spare. A check takes a second.
#
# <details><summary>Hint 1</summary>
#
# Start with the shapes. Write the set-up, return it, and run the check: it will say that the accuracy is too low, and
# the shapes are settled. Then add one epoch, then all.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `rng.permutation(n)` gives an order. `range(0, n, batch_size)` gives the starts of the batches, and a slice
# `order[start:start + batch_size]` that runs over the end is simply shorter.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# An array of integers picks rows: `x[batch]`, `labels[batch]`. Pass these to `two_layer_gradients`, then subtract
# `learning_rate * grads["w1"]` from `w1`, and so on. If the loss grows, look at the sign.
#
# </details>

# %% nbgrader={"grade_id": "train_classifier-solution", "solution": true}
def train_classifier(x, labels, hidden_units, epochs, learning_rate, batch_size, seed):
    """Train the network affine, ReLU, affine, softmax by gradient descent on batches.

    Args:
        x: Examples, (N, D).
        labels: Right classes, (N,), integers from 0 to K - 1.
        hidden_units: Number H of hidden units.
        epochs: How often each example is used.
        learning_rate: Step size.
        batch_size: Examples in a batch; the last batch of an epoch may be smaller.
        seed: Of the one generator that everything random comes from.

    Returns:
        (w1, b1, w2, b2), of the shapes (D, H), (H,), (H, K) and (K,).

    >>> corners, xor = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
    >>> w1, b1, w2, b2 = train_classifier(corners, xor, 16, 400, 0.5, 3, seed=0)
    >>> np.argmax(np.maximum(corners @ w1 + b1, 0) @ w2 + b2, axis=1)
    array([0, 1, 1, 0])
    """
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    inputs, classes = x.shape[1], int(labels.max()) + 1
    parameters = {
        "w1": rng.normal(size=(inputs, hidden_units)) * np.sqrt(2 / inputs),
        "b1": np.zeros(hidden_units),
        "w2": rng.normal(size=(hidden_units, classes)) * np.sqrt(2 / hidden_units),
        "b2": np.zeros(classes),
    }
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch_size):
            batch = order[start : start + batch_size]
            _, grads = two_layer_gradients(x[batch], labels[batch], **parameters)
            for name in parameters:
                parameters[name] = parameters[name] - learning_rate * grads[name]
    return parameters["w1"], parameters["b1"], parameters["w2"], parameters["b2"]
    ### END SOLUTION


# %% [markdown]
# Train on 1437 digits and read 360 others, with five seeds. One number would tell little: look at the spread.

# %%
def classify(x, w1, b1, w2, b2):
    return np.argmax(np.maximum(x @ w1 + b1, 0) @ w2 + b2, axis=1)


x_train, x_test = digits.x_train.reshape(-1, 64), digits.x_test.reshape(-1, 64)
for seed in range(5):
    network = train_classifier(x_train, digits.labels_train, 48, 12, 0.5, 32, seed)
    trained = np.mean(classify(x_train, *network) == digits.labels_train)
    held_out = np.mean(classify(x_test, *network) == digits.labels_test)
    print(f"seed {seed}: {trained:.1%} of the training digits right, {held_out:.1%} of the held-out ones")

# %% [markdown]
# What has training done to the first layer? With `epochs=0` you get the weights as they were drawn. Each picture is one
# hidden unit, its column of `w1` after training minus the same column before: blue pixels now count more than at the
# start, orange ones less. Why does the left margin stay as it was? And what may be the matter with a unit whose picture
# is all but empty?

# %%
start = train_classifier(x_train, digits.labels_train, 48, 0, 0.5, 32, seed)
change = (network[0] - start[0]).T.reshape(48, 8, 8)
limit = np.abs(change).max()
figure, axes = plt.subplots(4, 12, figsize=(7.2, 2.6))
for ax, picture in zip(axes.flat, change, strict=True):
    ax.imshow(picture, cmap=plots.diverging_colormap(), vmin=-limit, vmax=limit)
    ax.axis("off")
plt.show()

# %% [markdown]
# And what does it misread? Would you have read these right?

# %%
read = classify(x_test, *network)
wrong = np.flatnonzero(read != digits.labels_test)[:8]
plots.image_row(1 - digits.x_test[wrong], titles=[f"{digits.labels_test[i]} read as {read[i]}" for i in wrong])

# %% nbgrader={"grade_id": "train_classifier", "grade": true}
check("train_classifier", train_classifier)

# %% [markdown]
# ## 9. In your own words
#
# About 10 minutes and 2 points each. A few sentences are enough.
#
# **Question 1.** Look at the picture of task 1 again. From right to left the error of the central difference first
# falls, then rises. What are the two sources of the error, how does each depend on $h$, and which step would you choose
# in float64 for a function whose values and derivatives are about 1?

# %% [markdown] nbgrader={"grade_id": "backprop-written-1", "grade": true, "solution": true, "points": 2}
# **Truncation.** By Taylor's theorem the central difference is $f'(x) + \frac{h^2}{6} f'''(x) + \ldots$: the even terms
# cancel, and an error proportional to $h^2$ remains. It is the right branch of the picture, which falls by a factor 100
# for each factor 10 of $h$.
#
# **Rounding.** Each value of $f$ is known to about $\varepsilon |f|$ only, with $\varepsilon \approx 10^{-16}$. The
# difference of two nearly equal values keeps that absolute error, and the division by $2h$ enlarges it to about
# $\varepsilon / h$. It is the left branch, ragged because rounding is erratic.
#
# The sum $h^2/6 + \varepsilon/h$ is smallest where $h^3 \approx 3\varepsilon$, that is for $h$ of about
# $\varepsilon^{1/3} \approx 10^{-5}$; the error left is about $10^{-10}$ or $10^{-11}$.
#
# *Rubric. 1 point: both sources, with $h^2$ and $1/h$ (in words is enough). 1 point: the best step balances them, at
# about $10^{-5}$; any value from $10^{-6}$ to $10^{-4}$ with that reason counts, a value without a reason does not.*

# %% [markdown]
# **Question 2.** Suppose you start `train_classifier` with every entry of `w1` equal to 0.1 and every entry of `w2`
# equal to 0.1, biases 0. After training, what do the hidden units have in common, and why? (Follow the gradients of
# task 7.) And what changes if only `w2` is drawn at random?

# %% [markdown] nbgrader={"grade_id": "backprop-written-2", "grade": true, "solution": true, "points": 2}
# **All hidden units stay equal.** The columns of `w1` and the entries of `b1` are equal, so all units compute the same
# number, forward. Backward, unit $j$ receives `dlogits @ w2.T`, and the rows of `w2` are equal, so all units receive
# the same gradient; their masks are equal too. Hence the columns of the gradient of `w1` are equal, and so are the rows
# of the gradient of `w2`, because all units put in the same value. Every step moves equal numbers by equal amounts: the
# network has one hidden unit, 48 times.
#
# **A random `w2` is enough to break the symmetry.** The units are equal in the first forward pass, but now each
# receives its own gradient through its own row of `w2`. After the first step the columns of `w1` differ. (A random `w1`
# alone is enough as well: then the units compute different numbers.)
#
# *Rubric. 1 point: the units stay equal, with the reason that equal units get equal gradients. 1 point: with a random
# `w2` the gradients of the units differ from the first step on, so they become different.*
