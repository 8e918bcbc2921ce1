# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Networks: what layers of simple units can do
#
# You write the forward pass of a network with any number of layers, and then look for what it is good for. One hidden
# layer draws any curve through given points. Many thin layers fold a line a thousand times. And a layer of units whose
# weights are drawn *at random* and never learned is enough to separate spirals that no straight line comes near: only
# the last layer is fitted, and that is least squares. Nothing here needs backpropagation; that is the next assignment.
#
# | task | you write | minutes | points |
# | --- | --- | --- | --- |
# | 1 | five activations and their slopes | 20 | 3 |
# | 2 | the forward pass of a network | 20 | 2 |
# | 3 | how many parameters it has | 10 | 1 |
# | 4 | softmax with a temperature | 20 | 3 |
# | 5 | one hidden layer through given points | 35 | 4 |
# | 6 | a deep network that folds a line | 35 | 4 |
# | 7 | the output layer, by least squares | 35 | 4 |
# | 8 | milestone: a boundary between spirals | 40 | 5 |
# | 9 | two written answers | 20 | 4 |
# | | **together** | **235** | **30** |
#
# The theory is in the chapter *Multi-layer networks*; softmax and least squares are in *Linear models*. What a
# temperature is, you read here.
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
# Letters in shapes: `N` examples, `D` inputs, `H` hidden units, `K` classes or outputs. One example is one row, and a
# layer computes `x @ w + b` with `w` of the shape (inputs, outputs).

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
# These are the points of the milestone. Which of the three pictures could one straight line divide?

# %%
pictures = {
    "moons": data.moons(400, noise=0.12, seed=0),
    "rings": data.circles(400, noise=0.08, seed=0),
    "spirals": data.spirals(600, noise=0.04, seed=0),
}
figure, axes = plt.subplots(1, 3, figsize=(9, 3))
for ax, (name, (x, labels)) in zip(axes, pictures.items(), strict=True):
    for label in np.unique(labels):
        ax.scatter(*x[labels == label].T, s=8, color=plots.SERIES[label], marker=plots.MARKERS[label])
    ax.set(title=name, aspect="equal")
plt.show()

# %% [markdown]
# ## 1. Activations and their slopes
#
# `activation_and_slope(name, z) -> (a, slope)`
#
# Difficulty 2 of 5, 20 minutes, 3 points.
#
# `z` is an array of any shape. Return two arrays of that shape: the activation of each number, and the derivative of
# the activation there.
#
# | `name` | activation $a = \phi(z)$ |
# | --- | --- |
# | `"sigmoid"` | $1 / (1 + e^{-z})$ |
# | `"tanh"` | $\tanh z$ |
# | `"relu"` | the larger of $z$ and 0 |
# | `"leaky_relu"` | $z$ if $z > 0$, else $0.01\,z$ |
# | `"softplus"` | $\log(1 + e^{z})$, a ReLU with a rounded corner |
#
# ReLU and leaky ReLU have a kink at 0, where there is no slope. There, return the slope of the negative side: 0 for
# ReLU, 0.01 for leaky ReLU. Raise `ValueError` for any other name.
#
# Your function has to be right for huge numbers of both signs, where an exponential overflows though the answer is
# harmless: softplus of 1000 is 1000, with slope 1.
#
# **Example.** For `z = [-1, 0, 2]`, `"relu"` gives `a = [0, 0, 2]` and `slope = [0, 0, 1]`. The sigmoid of 0 is 0.5,
# with slope 0.25; tanh of 0 is 0, with slope 1: four times as steep.
#
# <details><summary>Hint 1</summary>
#
# Three of the five slopes need no new exponential: the slope of the sigmoid is $a(1 - a)$, that of tanh is $1 - a^2$,
# and that of softplus is an activation that you have already.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `np.where(condition, this, that)` chooses element by element. Look closely at which side 0 itself belongs to.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# $e^{-|z|}$ never overflows. Multiply the fraction of the sigmoid by $e^{z}/e^{z}$ where $z$ is negative, and write
# $\log(1 + e^{z}) = \max(z, 0) + \log(1 + e^{-|z|})$. (Or find out what `np.logaddexp(0, z)` computes.)
#
# </details>


# %% nbgrader={"grade_id": "activation_and_slope-solution", "solution": true}
def activation_and_slope(name, z):
    """Activation of each number, and its derivative there.

    Args:
        name: "sigmoid", "tanh", "relu", "leaky_relu" or "softplus".
        z: Numbers, any shape.

    Returns:
        (a, slope), two arrays of the shape of z. At a kink the slope is that of the negative side.

    Raises:
        ValueError: There is no activation of that name.

    >>> a, slope = activation_and_slope("relu", np.array([-1.0, 0.0, 2.0]))
    >>> a, slope
    (array([0., 0., 2.]), array([0., 0., 1.]))
    """
    ### BEGIN SOLUTION
    small = np.exp(-np.abs(z))  # at most 1
    sigmoid = np.where(z > 0, 1, small) / (1 + small)
    if name == "sigmoid":
        return sigmoid, sigmoid * (1 - sigmoid)
    if name == "tanh":
        a = np.tanh(z)
        return a, 1 - a**2
    if name == "relu":
        return np.maximum(z, 0), np.where(z > 0, 1.0, 0.0)
    if name == "leaky_relu":
        return np.where(z > 0, z, 0.01 * z), np.where(z > 0, 1.0, 0.01)
    if name == "softplus":
        return np.maximum(z, 0) + np.log1p(small), sigmoid
    raise ValueError(f"no activation is called {name!r}")
    ### END SOLUTION


# %%
# Play: all five, and their slopes. Which of them stop passing on changes of z far from 0, and on which side?
z = np.linspace(-5, 5, 201)
figure, axes = plt.subplots(1, 5, figsize=(11, 2.4), sharey=True)
for ax, name in zip(axes, ("sigmoid", "tanh", "relu", "leaky_relu", "softplus"), strict=True):
    a, slope = activation_and_slope(name, z)
    ax.plot(z, a, color=plots.BLUE)
    ax.plot(z, slope, color=plots.ORANGE, linestyle="--")
    ax.set(title=name, xlabel="$z$", ylim=(-1.2, 2.2))
axes[0].set_ylabel("activation; slope dashed")
plt.show()

# %% nbgrader={"grade_id": "activation_and_slope", "grade": true}
check("activation_and_slope", activation_and_slope)

# %% [markdown]
# ## 2. The forward pass
#
# `mlp_forward(x, weights, biases, activation) -> outputs`
#
# Difficulty 2 of 5, 20 minutes, 2 points.
#
# `x` (N, D) holds N examples; N may be 0. `weights` and `biases` are lists with one entry for each layer: the first
# weights have the shape (D, H1) and the first biases (H1,), the next ones (H1, H2) and (H2,), and so on. `activation`
# is a *function*, such as `np.tanh`: it takes an array and acts on each of its elements.
#
# Each layer reads the output of the layer before it. A hidden layer computes $H' = \phi(H W + b)$. The last layer is
# the output and stays linear: $\hat Y = H W + b$, without the activation.
#
# Return a list with the outputs of all layers, in order: (N, H1), (N, H2), ..., and last that of the network. It has as
# many entries as `weights`. With one entry in `weights` there is no hidden layer.
#
# **Example.** `x = [[1, 2]]`, weights `[[1, -1, 0], [0, 1, 2]]` and `[[1], [2], [-1]]`, biases `[0, -2, 1]` and
# `[0.5]`, and ReLU. The pre-activations of the hidden layer are `[1, -1, 5]`, so its output is `[[1, 0, 5]]`. The
# network's output is $1 \cdot 1 + 2 \cdot 0 - 1 \cdot 5 + 0.5 = -3.5$. The result is `[[[1, 0, 5]], [[-3.5]]]`, a list
# of two arrays.
#
# <details><summary>Hint 1</summary>
#
# Keep one variable for what the next layer reads. It starts as `x`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `zip(weights, biases)` goes through both lists together, and `enumerate` tells which layer is the last one.
#
# </details>


# %% nbgrader={"grade_id": "mlp_forward-solution", "solution": true}
def mlp_forward(x, weights, biases, activation):
    """Outputs of all layers of a multi-layer network.

    Args:
        x: Examples, (N, D).
        weights: One array for each layer, (inputs, outputs).
        biases: One array for each layer, (outputs,).
        activation: Function of an array, for the hidden layers.

    Returns:
        A list with one array for each layer, (N, outputs). The last one is the output, without activation.

    >>> weights = [np.array([[1.0, -1.0, 0.0], [0.0, 1.0, 2.0]]), np.array([[1.0], [2.0], [-1.0]])]
    >>> biases = [np.array([0.0, -2.0, 1.0]), np.array([0.5])]
    >>> mlp_forward(np.array([[1.0, 2.0]]), weights, biases, lambda z: np.maximum(z, 0))
    [array([[1., 0., 5.]]), array([[-3.5]])]
    """
    ### BEGIN SOLUTION
    outputs = []
    h = x
    for w, b in zip(weights, biases, strict=True):
        z = h @ w + b  # (N, outputs)
        h = activation(z)
        outputs.append(h)
    return [*outputs[:-1], z]
    ### END SOLUTION


# %%
# Play: a function of the plane, drawn at random. Deeper networks fold it more. What is left without an activation?
rng = np.random.default_rng(3)
line = np.linspace(-2, 2, 120)
grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
figure, axes = plt.subplots(1, 4, figsize=(9, 2.6), sharey=True)
networks = (("no activation", 4, lambda z: z), ("1 hidden layer", 1, np.tanh), ("2", 2, np.tanh), ("6", 6, np.tanh))
for ax, (name, hidden, activation) in zip(axes, networks, strict=True):
    sizes = [2] + [20] * hidden + [1]
    weights = [rng.normal(size=s) * 2 / np.sqrt(s[0]) for s in zip(sizes[:-1], sizes[1:], strict=True)]
    biases = [rng.normal(size=n) for n in sizes[1:]]
    output = mlp_forward(grid, weights, biases, activation)[-1].reshape(120, 120)
    ax.imshow(output, origin="lower", extent=(-2, 2, -2, 2), cmap=plots.diverging_colormap())
    ax.set(title=name, xlabel="$x_1$", xticks=(-2, 0, 2), yticks=(-2, 0, 2))
axes[0].set_ylabel("$x_2$")
plt.show()

# %% nbgrader={"grade_id": "mlp_forward", "grade": true}
check("mlp_forward", mlp_forward)

# %% [markdown]
# ## 3. Counting parameters
#
# `count_parameters(sizes, bias=True) -> count`
#
# Difficulty 1 of 5, 10 minutes, 1 point.
#
# `sizes` lists the number of units of each layer, from the inputs to the outputs: `[3, 4, 2]` is a network with 3
# inputs, 4 hidden units and 2 outputs. Every unit is connected to all units of the layer before it, and every unit
# that computes something has a bias, unless `bias` is False. Inputs compute nothing. Return the number of parameters,
# an int.
#
# **Example.** `[3, 4, 2]` has $3 \cdot 4 + 4 \cdot 2 = 20$ weights and $4 + 2 = 6$ biases: 26 parameters, or 20 with
# `bias=False`. `[5]` has no layer that computes anything: 0.
#
# <details><summary>Hint 1</summary>
#
# What are the shapes of the weights and biases of `mlp_forward`? `zip(sizes[:-1], sizes[1:])` gives the pairs of
# neighbors.
#
# </details>


# %% nbgrader={"grade_id": "count_parameters-solution", "solution": true}
def count_parameters(sizes, bias=True):
    """Number of weights and biases of a fully connected network.

    Args:
        sizes: Units of each layer, from the inputs to the outputs.
        bias: Whether units have a bias.

    Returns:
        The count, an int.

    >>> count_parameters([3, 4, 2])
    26
    >>> count_parameters([3, 4, 2], bias=False)
    20
    """
    ### BEGIN SOLUTION
    weights = sum(inputs * outputs for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True))
    return weights + (sum(sizes[1:]) if bias else 0)
    ### END SOLUTION


# %%
# Play: three networks for digits of 64 pixels. So different, and of nearly the same size.
for sizes in ([64, 133, 10], [64, 69, 69, 10], [64, 46, 46, 46, 46, 10]):
    print(f"{'-'.join(map(str, sizes)):>22}: {count_parameters(sizes):6,} parameters")

# %% nbgrader={"grade_id": "count_parameters", "grade": true}
check("count_parameters", count_parameters)

# %% [markdown]
# ## 4. Softmax with a temperature
#
# `softmax_with_temperature(z, temperature) -> p`
#
# Difficulty 2 of 5, 20 minutes, 3 points.
#
# A classifier with K outputs, the *logits* $z_1, \ldots, z_K$, turns them into probabilities of K classes by a softmax.
# A temperature $T$ says how sure the answer sounds. It divides the logits; $T = 1$ is the softmax that you know. Along
# the last axis,
#
# $$p_i = \frac{e^{z_i/T}}{\sum_j e^{z_j/T}}.$$
#
# `z` has the shape (..., K), and so has `p`. The larger $T$, the more equal the shares; `float("inf")` gives $1/K$
# each.
#
# - `temperature` 0 means the limit $T \to 0$: the largest logit gets everything. Where several are exactly equal and
#   largest, they share equally.
# - Raise `ValueError` when `temperature` is negative.
# - Huge logits and tiny temperatures (`1e-307` is a fine float) must not end in nan or infinity.
#
# **Example.** For `z = [2, 1, -1]`, $T = 1$ gives `[0.705, 0.259, 0.035]` and $T = 10$ gives `[0.378, 0.342, 0.280]`.
# At $T = 0$ it is `[1, 0, 0]`, and `[3, 3, 0]` gives `[0.5, 0.5, 0]`.
#
# <details><summary>Hint 1</summary>
#
# Only differences of logits count. Subtract the largest logit of each row, and no exponent is positive.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Subtract first, then divide: a difference of exactly 0 stays 0 at any temperature above 0, and a negative one may
# well become $-\infty$. What is $e^{-\infty}$?
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# At $T = 0$: which entries are equal to the largest of their row? Give each of them 1, the others 0, and let the last
# line of your function do the rest.
#
# </details>


# %% nbgrader={"grade_id": "softmax_with_temperature-solution", "solution": true}
def softmax_with_temperature(z, temperature):
    """Turn logits into shares that are sharper or more equal.

    Args:
        z: Logits, (..., K).
        temperature: At least 0; 0 stands for the limit.

    Returns:
        The shares, (..., K). They add up to 1 along the last axis.

    Raises:
        ValueError: The temperature is negative.

    >>> np.round(softmax_with_temperature(np.array([2.0, 1.0, -1.0]), 10.0), 3)
    array([0.378, 0.342, 0.28 ])
    >>> softmax_with_temperature(np.array([3.0, 3.0, 0.0]), 0.0)
    array([0.5, 0.5, 0. ])
    """
    ### BEGIN SOLUTION
    if temperature < 0:
        raise ValueError(f"a temperature is at least 0, not {temperature}")
    below = z - np.max(z, axis=-1, keepdims=True)  # 0 for the largest, negative for the others
    if temperature == 0:
        powers = np.where(below == 0, 1.0, 0.0)
    else:
        with np.errstate(over="ignore"):  # minus infinity is fine here
            powers = np.exp(below / temperature)
    return powers / np.sum(powers, axis=-1, keepdims=True)
    ### END SOLUTION


# %%
# Play: the same logits, from cold to hot.
temperatures = (0.0, 0.3, 1.0, 3.0, 10.0, float("inf"))
shares = np.stack([softmax_with_temperature(np.array([2.0, 1.0, -1.0, 1.5]), t) for t in temperatures])
figure, ax = plt.subplots(figsize=(4.5, 3))
plots.heatmap(ax, shares, row_labels=[f"T = {t:g}" for t in temperatures], column_labels=["2", "1", "-1", "1.5"])
ax.set_title("shares of the logits 2, 1, -1 and 1.5")
plt.show()

# %% nbgrader={"grade_id": "softmax_with_temperature", "grade": true}
check("softmax_with_temperature", softmax_with_temperature)

# %% [markdown]
# ## 5. One hidden layer through given points
#
# `interpolate_with_relus(knots, values) -> (w1, b1, w2, b2)`
#
# Difficulty 3 of 5, 35 minutes, 4 points.
#
# Nothing is trained here: you *build* a network. Given are numbers `knots` (P,) in increasing order and `values` (P,).
# Return the parameters of a network with one input, one hidden layer of ReLU units and one output,
#
# $$\hat y(x) = b_2 + \sum_{k=1}^{H} w_{2,k} \, \max(0,\; w_{1,k}\, x + b_{1,k}),$$
#
# that passes through every point and is a straight line from each point to the next. Before the first point and after
# the last one it is flat: it stays at the first and at the last value.
#
# Shapes: `w1` (1, H), `b1` (H,), `w2` (H, 1), `b2` (1,), ready for `mlp_forward`. H is yours to choose, up to P: one
# unit for each point is enough. What counts is what your network computes, between the points too; there is more than
# one right answer. There may be as few as one point.
#
# **Example.** The points (0, 1), (1, 3) and (3, 2). The network gives 1 at $x = -5$, 2 at 0.5, 3 at 1, 2.5 at 2, and 2
# at $x = 10$.
#
# <details><summary>Hint 1</summary>
#
# Draw the curve of the example on paper, and below it the curve of one unit $\max(0, x - 1)$. What does a unit do to
# the slope of the sum, and where?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Let every unit have $w_{1,k} = 1$, and let unit $k$ start at knot $k$. Left of all knots only $b_2$ is left. At knot
# $k$ the slope of the network changes by $w_{2,k}$.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# In the example the slopes are 0, 2, -1/2, 0, from the far left to the far right. The output weights are what happens
# between neighbors in that list. `np.diff` takes differences, and its arguments `prepend` and `append` may save a line.
#
# </details>


# %% nbgrader={"grade_id": "interpolate_with_relus-solution", "solution": true}
def interpolate_with_relus(knots, values):
    """Parameters of a one-hidden-layer ReLU network that joins points by straight lines.

    Args:
        knots: Where the points are, (P,), increasing.
        values: What the network gives there, (P,).

    Returns:
        (w1, b1, w2, b2), of the shapes (1, H), (H,), (H, 1) and (1,), with H at most P. The network is flat before the
        first point and after the last.

    >>> w1, b1, w2, b2 = interpolate_with_relus(np.array([0.0, 1.0, 3.0]), np.array([1.0, 3.0, 2.0]))
    >>> x = np.array([[-5.0], [0.5], [1.0], [2.0], [10.0]])
    >>> (np.maximum(x @ w1 + b1, 0) @ w2 + b2)[:, 0]
    array([1. , 2. , 3. , 2.5, 2. ])
    """
    ### BEGIN SOLUTION
    slopes = np.diff(values) / np.diff(knots)  # (P - 1,), of the pieces between the points
    changes = np.diff(slopes, prepend=0.0, append=0.0)  # (P,), at the points
    return np.ones((1, len(knots))), -knots, changes[:, None], values[:1].copy()
    ### END SOLUTION


# %%
# Play: a curve that you know, from more and more units. By what factor does the error fall when their number doubles?
def curve(x):
    return np.sin(3 * x) + 0.3 * x


x = np.linspace(-2, 2, 2001)
figure, axes = plt.subplots(1, 3, figsize=(9, 2.6), sharey=True)
for ax, units in zip(axes, (9, 17, 33), strict=True):
    knots = np.linspace(-2, 2, units)
    w1, b1, w2, b2 = interpolate_with_relus(knots, curve(knots))
    y = (np.maximum(x[:, None] @ w1 + b1, 0) @ w2 + b2)[:, 0]
    ax.plot(x, curve(x), color=plots.NEUTRAL)
    ax.plot(x, y, color=plots.ORANGE)
    ax.plot(knots, curve(knots), "o", color=plots.ORANGE, markersize=4)
    ax.set(title=f"{units} units, largest error {np.abs(y - curve(x)).max():.3f}", xlabel="$x$")
plt.show()

# %% nbgrader={"grade_id": "interpolate_with_relus", "grade": true}
check("interpolate_with_relus", interpolate_with_relus)

# %% [markdown]
# ## 6. A deep network that folds a line
#
# `sawtooth_network(depth, tip=0.5) -> (weights, biases)`
#
# Difficulty 4 of 5, 35 minutes, 4 points.
#
# Again a network to build. The chapter folds the interval from 0 to 1 in its middle; you fold it anywhere. A *tent*
# with its tip at $c$, $0 < c < 1$, goes up from 0 to 1 and back down:
#
# $$\tau(x) = \frac{x}{c} \;\text{ for } x \le c, \qquad \tau(x) = \frac{1 - x}{1 - c} \;\text{ for } x > c.$$
#
# Put a tent into a tent and there are two peaks; once more, and there are four: $\tau(\tau(\ldots \tau(x) \ldots))$
# with `depth` times $\tau$ zigzags up and down in $2^{\text{depth}}$ straight pieces. They are equally long if $c$ is
# 1/2.
#
# Return the lists `weights` and `biases` of a ReLU network that computes this function for $0 \le x \le 1$ (elsewhere
# it may do anything), with $c$ = `tip`: one input, exactly `depth` hidden layers with **one or two units each**, and
# one linear output. So each list has `depth + 1` entries, in the shapes of `mlp_forward`: (inputs, outputs) and
# (outputs,).
#
# `depth` 0 is a network without hidden layer that returns $x$ itself. Raise `ValueError` for a negative depth.
#
# **Example.** With `depth` 1 and `tip` 0.25 the network gives 0, 1/2, 1, 2/3, 1/3, 0 at
# $x = 0, \frac18, \frac14, \frac12, \frac34, 1$. With `depth` 2 and the tip in the middle it gives 0, 1, 0, 1, 0 at
# $x = 0, \frac14, \frac12, \frac34, 1$, and its weights have the shapes (1, 2), (2, 2) and (2, 1).
#
# <details><summary>Hint 1</summary>
#
# First `depth` 1, of two units that start at 0 and at $c$, as in task 5. What is the slope left of the tip, and by how
# much does it change there? After 1 the curve need not be flat.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The first hidden layer holds two numbers, and *the output layer of depth 1* reads the tent off them. In a deeper
# network both units of the second hidden layer have to read that tent. So what is in the (2, 2) matrix?
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Let R (2, 1) be the matrix that reads a tent off a hidden layer, and A (1, 2) the one that hands a number to the two
# units of a layer. The network is A, then R times A as often as needed, then R. The biases of all hidden layers are the
# same.
#
# </details>


# %% nbgrader={"grade_id": "sawtooth_network-solution", "solution": true}
def sawtooth_network(depth, tip=0.5):
    """A deep, thin ReLU network that puts a tent into a tent, again and again.

    Args:
        depth: Number of hidden layers, at least 0.
        tip: Where the tent has its tip, between 0 and 1.

    Returns:
        (weights, biases), lists of depth + 1 arrays each, (inputs, outputs) and (outputs,). No hidden layer has more
        than two units.

    Raises:
        ValueError: The depth is negative.

    >>> weights, biases = sawtooth_network(2)
    >>> h = np.array([[0.0], [0.25], [0.5], [0.75], [1.0]])
    >>> for w, b in zip(weights[:-1], biases[:-1]):
    ...     h = np.maximum(h @ w + b, 0)
    >>> (h @ weights[-1] + biases[-1])[:, 0]
    array([0., 1., 0., 1., 0.])
    """
    ### BEGIN SOLUTION
    if depth < 0:
        raise ValueError(f"a depth is at least 0, not {depth}")
    up, down = 1 / tip, -1 / (1 - tip)  # slopes left and right of the tip
    hand_on = np.array([[1.0, 1.0]])
    read = np.array([[1.0]])  # off the input: the number itself
    weights, biases = [], []
    for _ in range(depth):
        weights.append(read @ hand_on)
        biases.append(np.array([0.0, -tip]))
        read = np.array([[up], [down - up]])  # off a hidden layer: its tent
    return [*weights, read], [*biases, np.array([0.0])]
    ### END SOLUTION


# %%
# Play: how many straight pieces for how many parameters? (This uses your functions of tasks 2 and 3.) Move the
# tip: what changes, and what does not?
tip = 0.5
x = np.linspace(0, 1, 4097)
figure, axes = plt.subplots(1, 4, figsize=(9, 2.2), sharey=True)
for ax, depth in zip(axes, (1, 2, 3, 5), strict=True):
    weights, biases = sawtooth_network(depth, tip)
    y = mlp_forward(x[:, None], weights, biases, lambda z: np.maximum(z, 0))[-1][:, 0]
    pieces = 1 + np.sum(np.diff(np.sign(np.diff(y))) != 0)  # up, down, up, ...
    count = count_parameters([1] + [len(b) for b in biases])
    ax.plot(x, y, color=plots.BLUE, linewidth=1)
    ax.set(title=f"{depth} deep: {count} parameters,\n{pieces} pieces", xlabel="$x$")
plt.show()

# %% nbgrader={"grade_id": "sawtooth_network", "grade": true}
check("sawtooth_network", sawtooth_network)

# %% [markdown]
# ## 7. Fit the output layer
#
# `fit_output_layer(x, targets, w1, b1, weight_decay=0.0) -> (w2, b2)`
#
# Difficulty 3 of 5, 35 minutes, 4 points.
#
# Now a network learns. Its hidden layer is given and stays as it is: $A = \tanh(X W_1 + b_1)$. Only the output layer
# $\hat Y = A W_2 + b_2$ is free, and in it the error is an ordinary least-squares problem with one lowest point. Return
# the $W_2$ and $b_2$ that make
#
# $$L = \frac{1}{2N} \sum_{i=1}^{N} \sum_{k=1}^{K} (\hat y_{ik} - y_{ik})^2 + \frac{\lambda}{2} \sum W_2^2$$
#
# smallest. Shapes: `x` (N, D), `targets` (N, K), `w1` (D, H), `b1` (H,); the result `w2` (H, K), `b2` (K,). $\lambda$
# is `weight_decay`. The penalty is on the weights, not on the biases. With $\lambda = 0$ the best weights are unique in
# every case that is graded; with $\lambda > 0$ they always are, also with more hidden units than examples. Solve for
# the lowest point itself: gradient descent would take very many steps to come as close as the check asks.
#
# **Example.** One input, one hidden unit with weight 1 and bias 0, `x = [[-1], [0], [1], [2]]`, and the targets are
# exactly $1 + 2 \tanh x$. Without weight decay, `w2` is `[[2]]` and `b2` is `[1]`. With $\lambda = 0.1$ the weight
# shrinks to 1.646, and the bias makes up for it: 1.085.
#
# <details><summary>Hint 1</summary>
#
# Put a column of ones beside $A$: (N, H + 1). Then the biases are one more row of weights, and $\hat Y$ is one product.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Write $\tilde A$ for that wide array, $\tilde W$ for its weights. Where the loss is smallest its gradient is 0:
# $\frac1N \tilde A^\top (\tilde A \tilde W - Y) + \lambda P \tilde W = 0$. P is diagonal. Which of its entries is not
# 1?
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Bring all that multiplies $\tilde W$ to one side and the rest to the other: (a square matrix) $\tilde W$ = (a right
# side). `np.linalg.solve` does the rest, for all columns at once. At the end take the rows apart again.
#
# </details>


# %% nbgrader={"grade_id": "fit_output_layer-solution", "solution": true}
def fit_output_layer(x, targets, w1, b1, weight_decay=0.0):
    """Best output layer on top of a given hidden layer of tanh units.

    Args:
        x: Examples, (N, D).
        targets: What the network should give, (N, K).
        w1: Weights of the hidden layer, (D, H).
        b1: Its biases, (H,).
        weight_decay: Factor of half the sum of the squared output weights, beside half the mean squared error.

    Returns:
        (w2, b2), of the shapes (H, K) and (K,).

    >>> x = np.array([[-1.0], [0.0], [1.0], [2.0]])
    >>> w2, b2 = fit_output_layer(x, 1 + 2 * np.tanh(x), np.array([[1.0]]), np.array([0.0]))
    >>> np.round(w2, 6), np.round(b2, 6)
    (array([[2.]]), array([1.]))
    """
    ### BEGIN SOLUTION
    n = len(x)
    hidden = np.tanh(x @ w1 + b1)  # (N, H)
    wide = np.hstack([hidden, np.ones((n, 1))])  # (N, H + 1)
    penalty = np.diag(np.append(np.full(len(b1), weight_decay), 0.0))  # the last row belongs to the biases
    both = np.linalg.solve(wide.T @ wide / n + penalty, wide.T @ targets / n)  # (H + 1, K)
    return both[:-1], both[-1]
    ### END SOLUTION


# %%
# Play: a curve learned from 25 noisy points, with 30 hidden units that are drawn and never move. What does the weight
# decay do to it?
rng = np.random.default_rng(0)
x = rng.uniform(-2, 2, size=(25, 1))
y = curve(x) + 0.15 * rng.normal(size=x.shape)
w1, b1 = 3 * rng.normal(size=(1, 30)), 3 * rng.normal(size=30)
places = np.linspace(-2, 2, 400)[:, None]
figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True)
for ax, weight_decay in zip(axes, (1e-10, 1e-3, 1.0), strict=True):
    w2, b2 = fit_output_layer(x, y, w1, b1, weight_decay)
    ax.plot(x, y, "o", color=plots.NEUTRAL, markersize=3)
    ax.plot(places, np.tanh(places @ w1 + b1) @ w2 + b2, color=plots.ORANGE)
    ax.set(title=f"weight decay {weight_decay:g}", xlabel="$x$", ylim=(-2.2, 2.2))
plt.show()

# %% nbgrader={"grade_id": "fit_output_layer", "grade": true}
check("fit_output_layer", fit_output_layer)

# %% [markdown]
# ## 8. Milestone: a boundary between spirals
#
# `train_boundary(x, labels, hidden_units, seed) -> (w1, b1, w2, b2)`
#
# Difficulty 4 of 5, 40 minutes, 5 points.
#
# `x` (N, 2) holds points of the plane and `labels` (N,) their classes, integers from 0 to K - 1, where K is
# `labels.max() + 1`. Return a network with one hidden layer of tanh units that tells the classes apart. **This task
# builds on task 7:** call your own `fit_output_layer`.
#
# - Make one generator, `rng = np.random.default_rng(seed)`, and draw `w1` (2, H) and `b1` (H,) from it, with H =
#   `hidden_units`. How large to draw them is for you to find out: weights that are too small leave every unit in the
#   straight part of tanh, weights that are too large make every unit a step.
# - The targets are one-hot: (N, K), with 1 in the column of the right class and 0 elsewhere. Fit the output layer to
#   them, with a weight decay of your choice. `w2` is (H, K), `b2` (K,).
# - The class of a point is the column of the largest output.
#
# What counts is what your network can do: it is graded on **1000 points that it has not seen, of which at least 97 %
# must be right**. The points are two moons, two rings, and three spirals. A linear model gets 88 %, 51 % and 69 % of
# them.
#
# Edges: the points may come in other units of measurement, far from 0 and spread differently in the two directions; and
# there may be as many hidden units as points.
#
# **Example.** 600 points in three spirals and 150 hidden units: the arrays have the shapes (2, 150), (150,), (150, 3)
# and (3,), and the model solution gets more than 99 % of the fresh points right.
#
# <details><summary>Hint 1</summary>
#
# First get the shapes right: `np.eye(K)[labels]` is one-hot. Then draw the regions in the cell below the stub, and try
# standard deviations of 0.1, 1 and 10 for `w1` and `b1`. Do not forget to draw `b1`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Without weight decay, as many units as points can run through every point, and nothing holds the curve in between.
# Try a weight decay of 1e-10, of 1e-3 and of 1, and look at what the last cell below says about fresh points.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Other units: a network on the standardized points `(x - mean) / spread` would be fine, but yours gets `x` itself.
# With $w$ and $b$ drawn for standardized points, $\frac{x - m}{s} \cdot w + b$ is again $x \cdot w_1 + b_1$. With which
# $w_1$ and which $b_1$?
#
# </details>


# %% nbgrader={"grade_id": "train_boundary-solution", "solution": true}
def train_boundary(x, labels, hidden_units, seed):
    """Tell classes of points apart with random hidden units and a fitted output layer.

    Args:
        x: Points, (N, 2).
        labels: Their classes, (N,), integers from 0 to K - 1.
        hidden_units: Number H of tanh units.
        seed: Of the one generator that everything random comes from.

    Returns:
        (w1, b1, w2, b2), of the shapes (2, H), (H,), (H, K) and (K,).

    >>> corners, xor = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
    >>> w1, b1, w2, b2 = train_boundary(corners, xor, 20, seed=0)
    >>> np.argmax(np.tanh(corners @ w1 + b1) @ w2 + b2, axis=1)
    array([0, 1, 1, 0])
    """
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    middle, spread = x.mean(axis=0), x.std(axis=0)
    w1 = rng.normal(scale=2.0, size=(2, hidden_units)) / spread[:, None]
    b1 = rng.normal(scale=2.0, size=hidden_units) - middle @ w1
    targets = np.eye(labels.max() + 1)[labels]  # (N, K)
    w2, b2 = fit_output_layer(x, targets, w1, b1, weight_decay=1e-3)
    return w1, b1, w2, b2
    ### END SOLUTION


# %% [markdown]
# The regions that your network gives to each class. Where is it sure of itself though it has never seen a point there?


# %%
def classify(x, w1, b1, w2, b2):
    return np.argmax(np.tanh(x @ w1 + b1) @ w2 + b2, axis=1)


fresh = {
    "moons": data.moons(1000, noise=0.12, seed=1),
    "rings": data.circles(1000, noise=0.08, seed=1),
    "spirals": data.spirals(1000, noise=0.04, seed=1),
}
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.2))
for ax, (name, (x, labels)) in zip(axes, pictures.items(), strict=True):
    network = train_boundary(x, labels, 150, seed=0)
    right = np.mean(classify(fresh[name][0], *network) == fresh[name][1])
    plots.decision_regions(ax, lambda points, network=network: classify(points, *network), x, labels)
    ax.set_title(f"{name}: {right:.1%} of fresh points")
plt.show()

# %% [markdown]
# How many random units does it take? Ten draws for each number of units, on the spirals.

# %%
units = (3, 5, 10, 20, 40, 80, 160)
(x, labels), (x_fresh, labels_fresh) = pictures["spirals"], fresh["spirals"]
scores = np.array([
    [np.mean(classify(x_fresh, *train_boundary(x, labels, h, seed)) == labels_fresh) for seed in range(10)]
    for h in units
])
figure, ax = plt.subplots(figsize=(5, 3))
ax.plot(units, scores, "o", color=plots.SKY, markersize=3)
ax.plot(units, scores.mean(axis=1), color=plots.BLUE)
ax.set(xscale="log", xlabel="hidden units", ylabel="fresh points right")
plt.show()

# %% [markdown]
# As many hidden units as points: 200 and 200, in rings. What happens here without weight decay?

# %%
x, labels = data.circles(200, noise=0.08, seed=2)
network = train_boundary(x, labels, 200, seed=0)
own, new = classify(x, *network) == labels, classify(fresh["rings"][0], *network) == fresh["rings"][1]
print(f"{np.mean(own):.1%} of its own points right, {np.mean(new):.1%} of fresh ones")
figure, ax = plt.subplots(figsize=(3.4, 3.2))
plots.decision_regions(ax, lambda points: classify(points, *network), x, labels)
plt.show()

# %% nbgrader={"grade_id": "train_boundary", "grade": true}
check("train_boundary", train_boundary)

# %% [markdown]
# ## 9. In your own words
#
# About 10 minutes and 2 points each. A few sentences are enough.
#
# **Question 1.** Task 5 proves a theorem: whatever continuous function you take on a closed interval, a network with
# one hidden layer of ReLU units comes as close to it as you like, everywhere on the interval, if it may have enough
# units. Where does the argument need that the function is continuous? Give one function for which *no* such network is
# closer than 0.4 everywhere on the interval from -1 to 1, and say why. And name two things that the theorem leaves open
# to somebody who wants to *train* a network on data.

# %% [markdown] nbgrader={"grade_id": "networks-written-1", "grade": true, "solution": true, "points": 2}
# **Continuity.** On a closed, bounded interval a continuous function is uniformly continuous: one spacing of the knots
# is fine enough everywhere, so that the function changes by less than $\varepsilon$ from one knot to the next. The line
# between two knots stays between its ends, and so the error is below $\varepsilon$. A step from 0 to 1 at $x = 0$ has
# no such spacing. And indeed no network comes close: its output is continuous, so just left and just right of 0 it has
# nearly the same value, and that cannot be closer than 1/2 to both 0 and 1.
#
# **Left open.** How many units are needed (with many inputs it may be astronomically many); whether training finds
# these weights, since the theorem only says that they exist; and whether a network that fits the data is right about
# new points, all the more with noise in the data.
#
# *Rubric. 1 point: a function with a jump of at least 0.8, with the reason that the network is continuous (or that no
# spacing of knots is fine enough). 1 point: two of the three: the number of units, finding the weights, new data.*

# %% [markdown]
# **Question 2.** Give every hidden layer of task 6 three units in place of two, and let it fold the interval into a
# zigzag of three straight pieces: up, down, and up again. How many straight pieces has the network with $d \ge 1$ such
# hidden layers, and how many parameters? How many hidden units does a ReLU network with *one* hidden layer need at
# least for the same function, and how many parameters is that? Give the numbers for $d = 6$. Does this show that deep
# networks are better than wide ones?

# %% [markdown] nbgrader={"grade_id": "networks-written-2", "grade": true, "solution": true, "points": 2}
# **Deep.** Each layer makes three pieces of every piece: $3^d$. The first hidden layer has 6 parameters, each of the
# others $9 + 3 = 12$, the output 4: together $6 + 12(d - 1) + 4 = 12d - 2$. For $d = 6$: 729 pieces from 70 parameters.
#
# **Wide.** Each unit of a single hidden layer bends the curve at one place, so H units make at most $H + 1$ pieces. The
# same function needs at least $3^d - 1$ units, with three parameters each and one bias at the output: at least
# $3(3^d - 1) + 1$. For $d = 6$: 728 units and 2185 parameters.
#
# **No.** It shows that *there are* functions for which depth saves exponentially many units, here one that repeats
# itself under folding. It says nothing about the functions that data come from, and nothing about training: these
# weights were built by hand, and a slightly wrong weight in the first layers ruins the teeth.
#
# *Rubric. 1 point: $3^d$ pieces, $12d - 2$ parameters, and at least $3^d - 1$ units (also $3^d$) with about $3 \cdot
# 3^d$ parameters; a slip in a constant is forgiven. 1 point: one function is no general rule, or the weights were not
# learned; an unqualified yes earns nothing.*
