# %% [markdown]
# # The perceptron and its relatives
#
# You build one unit and four ways to teach it: the perceptron's rule, the delta rule, logistic regression and softmax
# regression. You count the mistakes that a theorem allows, find by hand a network for a problem that no single unit
# solves, and at the end your functions read handwritten digits in two ways.
#
# | task | you write | minutes | points |
# | --- | --- | --- | --- |
# | 1 | a unit that answers +1 or -1 | 5 | 1 |
# | 2 | one pass of the perceptron's rule | 25 | 4 |
# | 3 | its mistakes, and the bound on them | 30 | 4 |
# | 4 | the delta rule, and the prices at a café | 15 | 3 |
# | 5 | logistic regression: loss and gradient | 30 | 4 |
# | 6 | softmax regression: loss and gradient | 30 | 4 |
# | 7 | XOR by hand, with two layers | 25 | 3 |
# | 8 | milestone: read digits in two ways | 30 | 5 |
#
# Together a little over three hours and 28 points. Two short written answers, 2 points and about 10 minutes each, are
# read by a person.
#
# The theory is in the chapters *Linear models* and *The perceptron*.
#
# **How checks work.** Below each task stands a cell such as `check("...", ...)`. It runs a few cases and says which are
# right. The grader runs these and more: other shapes, other numbers, and the edges that a statement names. A task whose
# ordinary cases are all right and whose edges are not is worth half of its points.
#
# **Rules**
#
# - When graded, your code may import NumPy and, of the standard library, `math`, `itertools`, `functools`,
#   `collections`, `dataclasses`, `typing`, `operator` and `numbers`. Nothing else is there.
# - Write to none of your arguments: return new arrays. Mind that `w += step` writes into the array `w`, and
#   `w = w + step` does not.
# - Keep the names of the parameters: the grader may pass arguments by name. A result that is an array is an ndarray,
#   not a list; several results are a tuple or a list.
# - float64 in gives float64 out. float32 in may give either.
# - An array may be a view that is not contiguous. NumPy takes care of that if you let it.
# - A task may be solved without the ones before it. Only task 8 calls your functions of tasks 2 and 6.
# - A cell between stub and check is yours to play in. It is not graded.
#
# **Conventions.** `x` is (N, D): N examples, each a row of D inputs. One unit has the weights `w` (D,) and the bias
# `b`, a number; K units side by side have `w` (D, K) and `b` (K,). A unit is **on at 0**.

# %% nbgrader={"grade_id": "setup", "locked": true}
import sys

import matplotlib.pyplot as plt
import numpy as np

try:
    from neuralnotes import check, data, plots
except ImportError as error:
    raise ImportError("the course's library is missing: install the course (make course), then restart") from error

plots.use_style()
digits = data.digits()
print(f"Ready: Python {sys.version.split()[0]}, NumPy {np.__version__}, {len(digits.x_train)} digits to learn from.")

# %% [markdown]
# ## 1. A unit
#
# `perceptron_predict(x, w, b) -> labels`
#
# Difficulty 1 of 5, 5 minutes, 1 point.
#
# For each row of `x` (N, D) form the sum $z = w \cdot x + b$. The label is +1 where $z \ge 0$ and -1 where $z < 0$: a
# row exactly on the line gets +1. Return an array (N,) of integers. There may be no rows at all.
#
# **Example.** With `w = [3, 4]` and `b = -10` the rows `[0, 0]`, `[1, 2]` and `[2, 1]` have the sums -10, 1 and 0, and
# the labels are `[-1, 1, 1]`.
#
# <details><summary>Hint 1</summary>
#
# `x @ w` is the sum of every row at once, an array (N,). The bias is added to each entry.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `np.where(condition, one, other)` chooses entry by entry.
#
# </details>


# %% nbgrader={"grade_id": "perceptron_predict-solution", "solution": true}
def perceptron_predict(x, w, b):
    """Say on which side of a line (a plane, a hyperplane) each row is.

    Args:
        x: examples, (N, D).
        w: weights, (D,).
        b: bias, a number.

    Returns:
        Array (N,) of integers: +1 where w . x + b >= 0, else -1. Example: perceptron_predict(np.array([[2.0, 1.0],
        [0.0, 0.0]]), np.array([3.0, 4.0]), -10.0) is [1, -1].
    """
    ### BEGIN SOLUTION
    return np.where(x @ w + b >= 0, 1, -1)
    ### END SOLUTION


# %%
# Play: AND and OR are the same weights with another bias. Which biases give which table?
corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
for b in (-2.5, -1.5, -0.5, 0.5):
    answers = perceptron_predict(corners, np.array([1.0, 1.0]), b)
    print(f"b = {b:4}: ", "  ".join(f"{p:.0f}{q:.0f} -> {a:+d}" for (p, q), a in zip(corners, answers, strict=True)))

# %% nbgrader={"grade_id": "perceptron_predict", "grade": true}
check("perceptron_predict", perceptron_predict)

# %% [markdown]
# ## 2. The perceptron's rule
#
# `perceptron_epoch(x, y, w, b, rate=1.0) -> (w, b, mistakes)`
#
# Difficulty 2 of 5, 25 minutes, 4 points.
#
# Make **one** pass over the rows of `x` (N, D), from the first to the last. The labels `y` (N,) are +1 and -1, `w` (D,)
# and `b` are the weights at the start, and `rate` is $\eta$. A row on its right side changes nothing. A row with
#
# $$y\,(w \cdot x + b) \le 0$$
#
# is a mistake, and is corrected at once, before the next row is looked at:
#
# $$w \leftarrow w + \eta\, y\, x, \qquad b \leftarrow b + \eta\, y.$$
#
# A row exactly on the line counts as a mistake, **also when its label is +1**. (With weights of 0 all rows are there,
# so this is what gets the learning started.) Return the new weights, the new bias, and the number of corrections as an
# int. Without rows nothing changes.
#
# **Example.** `x = [[1, 2], [3, 1]]`, `y = [1, -1]`, `w = [0, 0]`, `b = 0`. Row 1 is on the line, so `w` becomes
# `[1, 2]` and `b` becomes 1. Row 2 has the sum 3 + 2 + 1 = 6, but its label is -1: `w` becomes `[-2, 1]` and `b`
# becomes 0. There were 2 corrections.
#
# <details><summary>Hint 1</summary>
#
# A row must meet the weights that the rows before it have left. That takes a loop; no matrix product does it.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The product y (w . x + b) is positive exactly when the sum has the sign of the label. One `if` is enough for both
# classes.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# The bias follows the same rule as the weights: it is the weight of an input that is always 1.
#
# </details>


# %% nbgrader={"grade_id": "perceptron_epoch-solution", "solution": true}
def perceptron_epoch(x, y, w, b, rate=1.0):
    """Go over the rows once and correct every mistake.

    Args:
        x: examples, (N, D).
        y: labels, (N,), +1 or -1.
        w: weights at the start, (D,).
        b: bias at the start, a number.
        rate: size of a correction.

    Returns:
        (w, b, mistakes): new weights (D,), new bias, and the number of corrections, an int. Example: the rows [1, 2]
        and [3, 1] with the labels 1 and -1, from 0, give [-2, 1], 0 and 2.
    """
    ### BEGIN SOLUTION
    mistakes = 0
    for row, label in zip(x, y, strict=True):
        if label * (row @ w + b) <= 0:
            w = w + rate * label * row
            b = b + rate * label
            mistakes += 1
    return w, b, mistakes
    ### END SOLUTION


# %%
# Play: passes over two clouds until one goes well. Then take seed=0, where the clouds overlap, and watch the counts.
x, classes = data.blobs(n=60, noise=1.2, classes=2, seed=1)
y = np.where(classes == 1, 1, -1)
w, b = np.zeros(2), 0.0
for number in range(1, 13):
    w, b, mistakes = perceptron_epoch(x, y, w, b)
    print(f"pass {number}: {mistakes} corrections, w = {w.round(2)}, b = {b:g}")
    if mistakes == 0:
        break
fig, ax = plt.subplots(figsize=(4.8, 4))
plots.decision_regions(ax, lambda points: (points @ w + b >= 0).astype(int), x, classes)
plt.show()

# %% nbgrader={"grade_id": "perceptron_epoch", "grade": true}
check("perceptron_epoch", perceptron_epoch)

# %% [markdown]
# ## 3. How many mistakes?
#
# `novikoff(x, y, w, b) -> (mistakes, bound)`
#
# Difficulty 3 of 5, 30 minutes, 4 points.
#
# When some line separates the classes, the perceptron makes only so many mistakes, and then none ever again. Novikoff's
# theorem says how many. Write every row with its constant input, $\tilde x = (x, 1)$, and the separator with its bias,
# $\tilde w = (w, b)$. With the radius and the margin
#
# $$R = \max_n \lVert \tilde x_n \rVert, \qquad
#   \gamma = \min_n \frac{y_n\, \tilde w \cdot \tilde x_n}{\lVert \tilde w \rVert}$$
#
# a perceptron that starts at 0 corrects at most $(R / \gamma)^2$ times, in whatever order the rows come. Return two
# numbers.
#
# - `mistakes`, an int: start with weights and bias 0 and rate 1, and go over the rows in their order, pass after pass,
#   until a whole pass has no mistake. Count all corrections. The rule is that of task 2. Set no limit to the number of
#   passes: some problems need more than a thousand.
# - `bound`: $(R / \gamma)^2$ for the separator that you are given. It plays no part in the learning.
#
# If `(w, b)` does not separate the rows, with each of them strictly on its side, raise a `ValueError`. A row *on* the
# line is not strictly on its side. Check this first: then the theorem promises that your loop ends.
#
# **Example.** `x = [[1, 0], [0, 1]]`, `y = [1, -1]`, `w = [1, -1]`, `b = 0`. The rows with their constant are
# `[1, 0, 1]` and `[0, 1, 1]`, so $R = \sqrt 2$. Both products are 1 and the separator has the length $\sqrt 2$, so
# $\gamma = 1 / \sqrt 2$ and the bound is 4. The perceptron corrects 2 times: in its first pass both rows, in its second
# none.
#
# <details><summary>Hint 1</summary>
#
# `np.hstack([x, np.ones((len(x), 1))])` gives every row its constant input, and `np.append(w, b)` does the same to the
# separator. From there on there is no bias to take care of.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `np.linalg.norm(rows, axis=1)` has the length of each row. First work out all the products y (w . x), then look at
# the smallest.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# How do you know that a pass went well? Remember the count from before the pass and compare. If your loop does not end,
# interrupt the kernel: some row is counted as a mistake and never corrected.
#
# </details>


# %% nbgrader={"grade_id": "novikoff-solution", "solution": true}
def novikoff(x, y, w, b):
    """Count the mistakes of a perceptron, and the most that a separator allows.

    Args:
        x: examples, (N, D).
        y: labels, (N,), +1 or -1.
        w: weights of a separator, (D,).
        b: its bias, a number.

    Returns:
        (mistakes, bound): corrections that the perceptron makes from 0 until a whole pass is right, an int; and (R /
        margin) squared. Example: the rows [1, 0] and [0, 1] with the labels 1 and -1, and the separator (1, -1) with
        bias 0, give 2 and 4.

    Raises:
        ValueError: (w, b) leaves a row on its line or on the wrong side.
    """
    ### BEGIN SOLUTION
    rows = np.hstack([x, np.ones((len(x), 1))])  # (N, D + 1)
    separator = np.append(w, b)
    products = y * (rows @ separator)
    if np.min(products) <= 0:
        raise ValueError("(w, b) does not separate the rows")
    margin = np.min(products) / np.linalg.norm(separator)
    radius = np.max(np.linalg.norm(rows, axis=1))

    weights = np.zeros(len(separator))
    mistakes, before = 0, None
    while mistakes != before:  # until a pass has added none
        before = mistakes
        for row, label in zip(rows, y, strict=True):
            if label * (row @ weights) <= 0:
                weights = weights + label * row
                mistakes += 1
    return mistakes, (radius / margin) ** 2
    ### END SOLUTION


# %%
# Play: forty problems, their classes nearer and nearer to each other. No dot may lie above the dashed line.
rng = np.random.default_rng(0)
bounds, counts = [], []
for gap in np.linspace(0.5, 0.04, 40):
    w, b = rng.normal(size=2), rng.normal(scale=0.3)
    x = rng.uniform(-2, 2, size=(400, 2))
    distance = (x @ w + b) / np.sqrt(w @ w + b**2)
    x, y = x[abs(distance) > gap][:40], np.sign(distance[abs(distance) > gap][:40]).astype(int)
    mistakes, bound = novikoff(x, y, w, b)
    bounds.append(bound)
    counts.append(mistakes)
fig, ax = plt.subplots()
ax.loglog(bounds, counts, "o", color=plots.BLUE)
ax.loglog([min(bounds), max(bounds)], [min(bounds), max(bounds)], "--", color=plots.ACCENT)
ax.set(xlabel="bound", ylabel="mistakes")
plt.show()

# %% nbgrader={"grade_id": "novikoff", "grade": true}
check("novikoff", novikoff)

# %% [markdown]
# ## 4. The delta rule
#
# `delta_rule(x, y, w, rate) -> w`
#
# Difficulty 2 of 5, 15 minutes, 3 points.
#
# Every week you eat at the same café, and every week you get one bill for everything. You know the portions and the
# total, and want to know the prices. Start with a guess, and let every bill correct it.
#
# `x` (N, D) has one row for each week, with the portions of D things; `y` (N,) has the totals in euros; `w` (D,) is the
# guess of the prices; `rate` is $\eta$. Go over the weeks **once, in their order**. Each week predicts its total with
# the prices of the moment, and moves them by
#
# $$\hat y = w \cdot x, \qquad w \leftarrow w + \eta\,(y - \hat y)\,x.$$
#
# Return the prices after the last week. There is no bias. (It is gradient descent on $\tfrac12 (\hat y - y)^2$, one
# case at a time.)
#
# **Example.** One week with 5 coffees, 2 juices and 3 toasts costs 8.50. The guess is 0.50 for each, so the predicted
# total is 5.00, and 3.50 is missing. With $\eta = 1/35$ the prices rise by 0.50, 0.20 and 0.30, to `[1.00, 0.70,
# 0.80]`. With these the same week would cost 8.80: now 0.30 too much.
#
# <details><summary>Hint 1</summary>
#
# For one week `y[i] - x[i] @ w` is a number, and the step is that number times the row.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The second week has to see the prices that the first one has left. Make new prices with `w = w + ...` inside the loop.
#
# </details>


# %% nbgrader={"grade_id": "delta_rule-solution", "solution": true}
def delta_rule(x, y, w, rate):
    """Correct weights by the error of one case after the other.

    Args:
        x: inputs, (N, D).
        y: targets, (N,).
        w: weights at the start, (D,).
        rate: learning rate.

    Returns:
        The weights after one pass, (D,). Example: x = [[5, 2, 3]], y = [8.5], w = [0.5, 0.5, 0.5] and rate = 1/35
        give [1.0, 0.7, 0.8].
    """
    ### BEGIN SOLUTION
    for row, target in zip(x, y, strict=True):
        w = w + rate * (target - row @ w) * row
    return w
    ### END SOLUTION


# %%
# Play: the true prices are 0.50, 1.50 and 1.00. How fast are they found, and what if the rate is 1/15 or 1/10?
rng = np.random.default_rng(1)
true = np.array([0.5, 1.5, 1.0])
portions = rng.integers(0, 6, size=(60, 3)).astype(float)
history = [np.full(3, 0.5)]
for week in portions:
    history.append(delta_rule(week[None], np.array([week @ true]), history[-1], 1 / 35))
fig, ax = plt.subplots()
for prices, price, name, color in zip(
    np.transpose(history), true, ("coffee", "juice", "toast"), (plots.BLUE, plots.ACCENT, plots.INK), strict=True
):
    ax.plot(prices, color=color)
    ax.axhline(price, color=color, linestyle=":", linewidth=1)
    ax.annotate(name, (60, prices[-1]), xytext=(4, 0), textcoords="offset points", va="center", color=color)
ax.set(xlabel="week", ylabel="price (euro)")
plt.show()

# %% nbgrader={"grade_id": "delta_rule", "grade": true}
check("delta_rule", delta_rule)

# %% [markdown]
# ## 5. Logistic regression
#
# `logistic_gradient(x, y, w, b) -> (loss, dw, db)`
#
# Difficulty 3 of 5, 30 minutes, 4 points.
#
# Now the unit says how sure it is. With $z = w \cdot x + b$ the probability of class 1 is
#
# $$\hat y = \sigma(z) = \frac{1}{1 + e^{-z}},$$
#
# and the loss is the mean over the N rows of minus the logarithm of the probability of the right class:
#
# $$L = -\frac1N \sum_n \bigl[\, y_n \log \hat y_n + (1 - y_n) \log (1 - \hat y_n) \,\bigr].$$
#
# Here `x` is (N, D) and the labels `y` (N,) are **0 and 1**. Return the loss and its gradients with respect to `w` (D,)
# and `b`, a number:
#
# $$\frac{\partial L}{\partial w} = \frac1N X^\top (\hat y - y), \qquad
#   \frac{\partial L}{\partial b} = \frac1N \sum_n (\hat y_n - y_n).$$
#
# The logits $z$ may be huge, in both directions. A row that is hopelessly wrong has a large loss, about $|z|$, and
# neither infinity nor nan.
#
# **Example.** `x = [[2, 1], [0, -1]]`, `y = [1, 0]`, `w = [1, -2]`, `b = 0`. The logits are 0 and 2, the probabilities
# 0.5 and 0.8808. The loss is (0.6931 + 2.1269) / 2 = 1.4100. The errors are -0.5 and 0.8808, so `dw` is
# `[-0.5000, -0.6904]` and `db` is 0.1904.
#
# <details><summary>Hint 1</summary>
#
# For z = 1000 the probability of class 0 is so small that it is rounded to 0, and log 0 is minus infinity. Do not take
# the logarithm of a probability. Put $\hat y = 1 / (1 + e^{-z})$ into the loss and simplify.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $-\log \hat y = \log(1 + e^{-z})$ and $-\log(1 - \hat y) = \log(1 + e^{z})$. Look up `np.logaddexp`: it adds two
# exponentials and takes the logarithm without overflow.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Both cases in one: $\log(1 + e^z) - y z$. Check it for y = 0 and for y = 1.
#
# </details>


# %% nbgrader={"grade_id": "logistic_gradient-solution", "solution": true}
def logistic_gradient(x, y, w, b):
    """Mean loss of logistic regression, and its gradients.

    Args:
        x: examples, (N, D).
        y: labels, (N,), 0 or 1.
        w: weights, (D,).
        b: bias, a number.

    Returns:
        (loss, dw, db): a number, an array (D,) and a number. Example: one row [1.0] of class 1 with the weight 0 and
        the bias 0 gives log 2 = 0.6931, [-0.5] and -0.5.
    """
    ### BEGIN SOLUTION
    z = x @ w + b  # (N,)
    loss = np.mean(np.logaddexp(0, z) - y * z)
    probability = np.exp(-np.logaddexp(0, -z))
    error = (probability - y) / len(x)
    return loss, x.T @ error, np.sum(error)
    ### END SOLUTION


# %%
# Play: your gradient against differences; then gradient descent on two clouds that overlap.
x, y = data.blobs(n=120, noise=1.3, classes=2, seed=1)
w, b, h = np.array([0.3, -0.2]), 0.1, 1e-6
_, dw, db = logistic_gradient(x, y, w, b)
slopes = [
    (logistic_gradient(x, y, w + h * e, b)[0] - logistic_gradient(x, y, w - h * e, b)[0]) / (2 * h) for e in np.eye(2)
]
print("dw", dw, "  differences", np.array(slopes))
for _ in range(500):
    loss, dw, db = logistic_gradient(x, y, w, b)
    w, b = w - 0.5 * dw, b - 0.5 * db
print(f"after 500 steps: loss {loss:.3f}, {np.mean((x @ w + b >= 0) == y):.0%} right")
fig, ax = plt.subplots(figsize=(4.8, 4))
plots.decision_regions(ax, lambda points: (points @ w + b >= 0).astype(int), x, y)
plt.show()

# %% nbgrader={"grade_id": "logistic_gradient", "grade": true}
check("logistic_gradient", logistic_gradient)

# %% [markdown]
# ### Written answer 1 (2 points, 10 minutes)
#
# Two clouds of points overlap, so no line separates them. What does the perceptron's rule do on them, pass after pass,
# and what does gradient descent on the logistic loss do? Then the opposite: the classes *are* separable. Where do the
# weights of logistic regression go in the long run, and why? Four to six sentences.

# %% [markdown] nbgrader={"grade_id": "perceptron-written-1", "grade": true, "solution": true, "points": 2}
# On overlapping clouds every line leaves a mistake, so every pass of the perceptron has a correction: the weights never
# come to rest, and how good the line is depends on when you stop. The logistic loss is convex and, when no line
# separates, has a lowest point at finite weights: gradient descent with a small enough rate settles there, on a line
# that balances the errors by how wrong they are. On separable classes there is no lowest point. Take weights that
# separate and multiply them by a number greater than 1: every row's probability of its right class grows, so the loss
# falls. The direction of the weights settles, but their length grows without bound (slowly, because the gradient fades
# as the rows become right), and all probabilities go to 0 or 1. Weight decay, or stopping early, ends the growth. The
# perceptron is the one that stops here: after finitely many corrections there is nothing left to correct.
#
# **Rubric.** 1 point: on inseparable classes the perceptron goes on changing and logistic regression settles, with a
# reason for each (every line makes a mistake; a lowest point at finite weights). 1 point: on separable classes the
# length of the logistic weights grows without bound, because longer weights in the same direction always have a lower
# loss. "It overfits" alone earns nothing for the second part.

# %% [markdown]
# ## 6. Softmax regression
#
# `softmax_regression_gradient(x, labels, w, b, weight_decay=0.0) -> (loss, dw, db)`
#
# Difficulty 3 of 5, 30 minutes, 4 points.
#
# One unit for each of K classes, and a softmax that turns their sums into probabilities. With `x` (N, D), `w` (D, K)
# and `b` (K,):
#
# $$Z = X W + b, \qquad \hat Y_{nk} = \frac{e^{Z_{nk}}}{\sum_j e^{Z_{nj}}}, \qquad
#   L = -\frac1N \sum_n \log \hat Y_{n,\,\text{label}_n} + \frac{\lambda}{2} \sum_{dk} W_{dk}^2.$$
#
# The `labels` (N,) are integers from 0 to K-1; a class may have no row. $\lambda$ is `weight_decay`; it acts on the
# weights and not on the biases. Write $Y$ for the labels as rows with a single 1, at the right class. Return the loss
# and the gradients
#
# $$\frac{\partial L}{\partial W} = \frac1N X^\top (\hat Y - Y) + \lambda W, \qquad
#   \frac{\partial L}{\partial b} = \frac1N \sum_n (\hat Y_n - Y_n),$$
#
# of the shapes (D, K) and (K,). The logits may be huge, and rows may be far apart.
#
# **Example.** `x = [[1, 2]]`, `labels = [0]`, `w = [[1, 0], [0, 1]]`, `b = [1, 0]`. Both logits are 2, both
# probabilities 1/2, and the loss is 0.6931. The errors are -0.5 and 0.5, so `dw = [[-0.5, 0.5], [-1, 1]]` and
# `db = [-0.5, 0.5]`. With `weight_decay=0.1` the loss is 0.1 larger, and `dw = [[-0.4, 0.5], [-1, 1.1]]`.
#
# <details><summary>Hint 1</summary>
#
# You may take the same number from all logits of a row. Take the largest: then no exponential overflows.
# `keepdims=True` keeps the shapes right.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Do not take the logarithm of a probability that may be 0. The logarithm of the softmax is
# $z_k - \log \sum_j e^{z_j}$.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `a[np.arange(n), labels]` picks one entry of each row. Use it for the loss, and to subtract 1 at the right class.
#
# </details>


# %% nbgrader={"grade_id": "softmax_regression_gradient-solution", "solution": true}
def softmax_regression_gradient(x, labels, w, b, weight_decay=0.0):
    """Mean cross-entropy of softmax regression with weight decay, and its gradients.

    Args:
        x: examples, (N, D).
        labels: right classes, (N,), integers from 0 to K - 1.
        w: weights, (D, K).
        b: biases, (K,).
        weight_decay: factor of half the sum of all squared weights in the loss.

    Returns:
        (loss, dw, db): a number and arrays (D, K) and (K,). Example: one row [1.0] of class 0 with two classes and
        parameters of 0 gives log 2 = 0.6931, [[-0.5, 0.5]] and [-0.5, 0.5].
    """
    ### BEGIN SOLUTION
    n = len(x)
    logits = x @ w + b  # (N, K)
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    loss = -np.mean(log_p[np.arange(n), labels]) + weight_decay / 2 * np.sum(w**2)
    error = np.exp(log_p)
    error[np.arange(n), labels] -= 1
    error = error / n
    return loss, x.T @ error + weight_decay * w, np.sum(error, axis=0)
    ### END SOLUTION


# %%
# Play: three clouds, three units. What happens to the regions, and to w, with weight_decay=0.3?
x, labels = data.blobs(n=150, noise=0.7, classes=3, seed=2)
w, b = np.zeros((2, 3)), np.zeros(3)
for _ in range(300):
    loss, dw, db = softmax_regression_gradient(x, labels, w, b, weight_decay=0.0)
    w, b = w - 0.5 * dw, b - 0.5 * db
print(f"loss {loss:.3f}, {np.mean(np.argmax(x @ w + b, axis=1) == labels):.0%} right, w =\n{w.round(2)}")
fig, ax = plt.subplots(figsize=(4.8, 4))
plots.decision_regions(ax, lambda points: np.argmax(points @ w + b, axis=1), x, labels)
plt.show()

# %% nbgrader={"grade_id": "softmax_regression_gradient", "grade": true}
check("softmax_regression_gradient", softmax_regression_gradient)

# %% [markdown]
# ## 7. XOR by hand
#
# `xor_by_hand(n=2) -> (w1, b1, w2, b2)`
#
# Difficulty 3 of 5, 25 minutes, 3 points.
#
# No single unit computes XOR, which is on when exactly one of two inputs is. Two layers can, and no learning is needed:
# find the weights with pencil and paper. All units of this task are threshold units, $H(z) = 1$ for $z \ge 0$ and 0
# otherwise, and the inputs are 0 and 1:
#
# $$h = H(x W_1 + b_1), \qquad \text{out} = H(h \cdot w_2 + b_2).$$
#
# With n inputs there are **n hidden units**: `w1` is (n, n), `b1` (n,), `w2` (n,) and `b2` a number. The weights that
# come into hidden unit j are *column* j of `w1`. Any network that gives the right answers is right.
#
# For n = 2 return a network for XOR. That is worth half of the points. For the other half, let n be any number from 1
# up: the output is on when an **odd** number of inputs is on. XOR is the case n = 2.
#
# **Example.** A network for AND, in the same form: `w1 = [[1, 0], [0, 1]]`, `b1 = [-1, -1]`, `w2 = [1, 1]`, `b2 = -2`.
# Hidden unit 1 repeats the first input ($1 \cdot 1 + 0 - 1 = 0$ is on), hidden unit 2 the second, and the output needs
# both.
#
# <details><summary>Hint 1</summary>
#
# Draw the four corners of the square. XOR is on in a stripe between two parallel lines. Let each hidden unit be one of
# the lines: what do OR and AND have to do with them?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# When both hidden units depend on the number of inputs that are on, the first may say *at least one* and the second
# *at least two*. The output wants the first and not the second.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# For any n let hidden unit k say *at least k are on*. Write down which hidden units are on when 0, 1, 2, 3, ... inputs
# are. Which signs in `w2` make the sum 0, 1, 0, 1, ...?
#
# </details>


# %% nbgrader={"grade_id": "xor_by_hand-solution", "solution": true}
def xor_by_hand(n=2):
    """Weights of a two-layer network of threshold units that is on when an odd number of its inputs is.

    Args:
        n: number of inputs, and of hidden units; 2 is XOR.

    Returns:
        (w1, b1, w2, b2) of the shapes (n, n), (n,), (n,) and a number.
    """
    ### BEGIN SOLUTION
    count = np.arange(1, n + 1)
    w1 = np.ones((n, n))
    b1 = 0.5 - count  # hidden unit k is on when at least k inputs are
    w2 = np.where(count % 2 == 1, 1.0, -1.0)  # with m inputs on the sum is 1 - 1 + 1 - ... of m terms
    return w1, b1, w2, -0.5
    ### END SOLUTION


# %%
# Play: the truth table of your network, hidden units included. No line separates the inputs by the output. And h?
w1, b1, w2, b2 = xor_by_hand()
print("input   h       out")
for row in corners:
    hidden = (row @ w1 + b1 >= 0).astype(int)
    print(row.astype(int), " ", hidden, " ", int(hidden @ w2 + b2 >= 0))

# %% nbgrader={"grade_id": "xor_by_hand", "grade": true}
check("xor_by_hand", xor_by_hand)

# %% [markdown]
# ## 8. Milestone: read digits in two ways
#
# `train_digits(x, labels, method, epochs, rate, seed) -> (w, b)`
#
# Difficulty 3 of 5, 30 minutes, 5 points.
#
# Put your functions to work on real digits. **This task builds on tasks 2 and 6**: call your own `perceptron_epoch` and
# `softmax_regression_gradient`. `x` (N, D) holds one image in each row, 64 pixels from 0 to 1; `labels` (N,) are
# integers from 0, and the number of classes K is `labels.max() + 1`. Return `w` (D, K) and `b` (K,), one column for
# each class. A new image is read as the class with the largest $x \cdot w_k + b_k$. Everything starts at 0.
#
# - `method="softmax"`: softmax regression. Each of `epochs` passes is one step of gradient descent on all rows, with
#   the learning rate `rate` and without weight decay. Nothing is random.
# - `method="perceptron"`: one perceptron for each class, which separates it (+1) from all the others (-1). Make one
#   generator, `rng = np.random.default_rng(seed)`. In each of `epochs` passes draw a new order of the rows, and let
#   each of the K perceptrons go over the rows once in that order. After so few passes the weights still swing with
#   every mistake. So return **the mean of the weights at the ends of all passes**, and the mean of the biases too.
#
# What counts is what your classifiers can do, on digits that they have not seen: **at least 90 % right with the
# perceptrons, at least 93 % with softmax regression**, and its probabilities have to be good too: a mean loss of at
# most 0.3. The same holds when the digits come sorted by class, when only some classes are there, when there is a
# single row, and for points of the plane, where the biases matter. Sizes and rates are chosen so that the recipe above
# gets there with room to spare.
#
# **Example.** 600 digits, `epochs=6` and `method="perceptron"` make 60 calls of `perceptron_epoch`: 10 classes, 6
# passes. The result has the shapes (64, 10) and (10,).
#
# <details><summary>Hint 1</summary>
#
# Write the softmax half first: a loop of four lines. Run the check; one of its two cases should be right.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `np.where(labels == k, 1, -1)` are the labels for the perceptron of class k, `w[:, k]` are its weights. Put the new
# weights back into their column. `order = rng.permutation(len(x))` is a new order, and `x[order]` are the rows in it.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# For the mean, add `w` to a second array at the end of each pass, and divide by `epochs` at the very end. The
# perceptrons go on from `w`, not from the mean.
#
# </details>


# %% nbgrader={"grade_id": "train_digits-solution", "solution": true}
def train_digits(x, labels, method, epochs, rate, seed):
    """Train a linear classifier of several classes.

    Args:
        x: examples, (N, D).
        labels: right classes, (N,), integers from 0 to K - 1.
        method: "perceptron", one against the rest, or "softmax".
        epochs: passes over the rows.
        rate: learning rate.
        seed: of the order in which the perceptrons meet the rows.

    Returns:
        (w, b) of the shapes (D, K) and (K,). Example: with 64 inputs and labels up to 9 they are (64, 10) and (10,).
    """
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    classes = int(np.max(labels)) + 1
    w, b = np.zeros((x.shape[1], classes)), np.zeros(classes)
    if method == "softmax":
        for _ in range(epochs):
            _, dw, db = softmax_regression_gradient(x, labels, w, b)
            w, b = w - rate * dw, b - rate * db
        return w, b
    w_sum, b_sum = np.zeros(w.shape), np.zeros(b.shape)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for k in range(classes):
            signs = np.where(labels[order] == k, 1, -1)
            w[:, k], b[k], _ = perceptron_epoch(x[order], signs, w[:, k], b[k], rate)
        w_sum, b_sum = w_sum + w, b_sum + b
    return w_sum / epochs, b_sum / epochs
    ### END SOLUTION


# %%
# Play: both classifiers on 1437 digits, then on 360 others. The perceptrons see another order with each seed.
x_train, x_test = digits.x_train.reshape(-1, 64), digits.x_test.reshape(-1, 64)
shares = {}
for seed in range(4):
    for method, epochs, rate in (("perceptron", 6, 1.0), ("softmax", 200, 2.0)):
        w, b = train_digits(x_train, digits.labels_train, method, epochs, rate, seed)
        share = np.mean(np.argmax(x_test @ w + b, axis=1) == digits.labels_test)
        shares.setdefault(method, []).append(share)
for method, values in shares.items():
    print(f"{method:10s} ", "  ".join(f"{share:.1%}" for share in values))

# %%
# Play: what each class looks for. Blue pixels speak for the class, orange ones against it.
fig, axes = plt.subplots(2, 10, figsize=(9, 2.2))
for row, (method, epochs, rate) in zip(axes, (("perceptron", 6, 1.0), ("softmax", 200, 2.0)), strict=True):
    w, b = train_digits(x_train, digits.labels_train, method, epochs, rate, seed=0)
    limit = np.abs(w).max()
    for k, ax in enumerate(row):
        ax.imshow(w[:, k].reshape(8, 8), cmap=plots.diverging_colormap(), vmin=-limit, vmax=limit)
        ax.set(xticks=[], yticks=[], title=str(k) if method == "perceptron" else "")
    row[0].set_ylabel(method, fontsize=8)
plt.show()

# %% nbgrader={"grade_id": "train_digits", "grade": true}
check("train_digits", train_digits)

# %% [markdown]
# ### Written answer 2 (2 points, 10 minutes)
#
# Suppose a single threshold unit computed XOR of two inputs 0 and 1. Write down the inequality that each of the four
# rows asks of $w_1$, $w_2$ and $b$, and show that they contradict each other. Then explain, with the hidden units of
# task 7, why a second layer helps: where do the four rows go? Four to six sentences.

# %% [markdown] nbgrader={"grade_id": "perceptron-written-2", "grade": true, "solution": true, "points": 2}
# The rows 00 and 11 have to be off, 01 and 10 on: $b < 0$, $w_1 + w_2 + b < 0$, $w_2 + b \ge 0$ and $w_1 + b \ge 0$.
# The last two add up to $w_1 + w_2 + 2b \ge 0$, the first two to $w_1 + w_2 + 2b < 0$: no numbers satisfy both. The
# hidden units map the four corners of the square to new places. With *at least one* and *at least two* as hidden units
# 00 goes to (0, 0), both 01 and 10 go to (1, 0), and 11 goes to (1, 1). There one line, $h_1 - h_2 = 0.5$, has (1, 0)
# on one side and the two others on the other. The output unit is still only a line; it draws it among features in which
# a line is enough.
#
# **Rubric.** 1 point: the four inequalities and the contradiction (the sum of two against the sum of the others, or an
# argument as complete). 1 point: the hidden units move the rows to places that one line separates, with the places of
# the student's own network named. "Two layers are more powerful" alone earns nothing for the second part.
