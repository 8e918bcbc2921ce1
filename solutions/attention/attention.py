# %% [markdown]
# # Attention
#
# You build attention from one softmax to a model that reads dates. At the end your functions turn
# *saturday, 14 march 1998* into *1998-03-14*, and you see where in the text they looked for each digit.
#
# | task | you write | minutes | points |
# | --- | --- | --- | --- |
# | 1 | a softmax that does not overflow | 10 | 2 |
# | 2 | a mask that hides the future | 5 | 1 |
# | 3 | scaled dot-product attention | 30 | 5 |
# | 4 | its backward pass, by hand | 40 | 6 |
# | 5 | several heads side by side | 30 | 5 |
# | 6 | additive attention | 20 | 3 |
# | 7 | sinusoidal positions | 15 | 3 |
# | 8 | milestone: a reader of dates | 30 | 5 |
#
# Together three hours and 30 points. Two short written answers, 2 points and about 10 minutes each, are read by a
# person.
#
# **How checks work.** Below each task stands a cell such as `check("...", ...)`. It runs a few cases and says which are
# right. The grader runs these and more: other shapes, other numbers, and the edges that a statement names. A task whose
# ordinary cases are all right and whose edges are not is worth half of its points.
#
# **Rules**
#
# - When graded, your code may import NumPy and, of the standard library, `math`, `itertools`, `functools`,
#   `collections`, `dataclasses`, `typing`, `operator` and `numbers`. Nothing else is there.
# - Write to none of your arguments: return new arrays.
# - Keep the names of the parameters: the grader may pass arguments by name. A result that is an array is an ndarray,
#   not a list; several results are a tuple or a list.
# - float64 in gives float64 out. float32 in may give either.
# - An array may be a view that is not contiguous. NumPy takes care of that if you let it.
# - A cell between stub and check is yours to play in. It is not graded.
#
# **Conventions.** Tokens are rows. A mask is boolean, and True means *may attend*.

# %% nbgrader={"grade_id": "setup", "locked": true}
import sys

import matplotlib.pyplot as plt
import numpy as np

try:
    from neuralnotes import check, data, date_reader, plots
except ImportError as error:
    raise ImportError("the course's library is missing: install the course (make course), then restart") from error

plots.use_style()
print(f"Ready: Python {sys.version.split()[0]}, NumPy {np.__version__}, {len(date_reader.parameters())} arrays.")

# %% [markdown]
# ## 1. Softmax
#
# `softmax(x, axis=-1) -> y`
#
# Difficulty 1 of 5, 10 minutes, 2 points.
#
# Turn numbers into shares. Along `axis`,
#
# $$y_i = \frac{e^{x_i}}{\sum_j e^{x_j}}.$$
#
# `x` has any number of axes, and `y` the same shape. For `[1, 2, 3]` the shares are 0.0900, 0.2447 and 0.6652.
#
# The formula as it stands fails where the answer is harmless: $e^{1000}$ is larger than any float. Your function has
# to be right for huge logits, positive and negative, also when the rows of one array are far apart. Some logits may
# be $-\infty$ (but never all of a row): their share is 0.
#
# <details><summary>Hint 1</summary>
#
# What happens to the shares when you add the same number to all logits? Write the fraction down and see what cancels.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Subtract the largest logit *of each row*. Then no exponent is positive, and the sum is at least 1.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Reductions such as `x.max(...)` and `x.sum(...)` drop the axis unless you pass `keepdims=True`. With it the result
# broadcasts against `x` for every `axis`.
#
# </details>


# %% nbgrader={"grade_id": "softmax-solution", "solution": true}
def softmax(x, axis=-1):
    """Turn logits into positive shares that add up to 1.

    Args:
        x: logits, any shape with at least one axis.
        axis: the axis along which the shares add up to 1.

    Returns:
        The shares, the shape of x. Example: softmax(np.array([1.0, 2.0, 3.0])) is [0.0900, 0.2447, 0.6652].
    """
    ### BEGIN SOLUTION
    powers = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return powers / np.sum(powers, axis=axis, keepdims=True)
    ### END SOLUTION


# %%
# Play: the same five logits, made larger and smaller. What happens at both ends?
logits = np.array([0.0, 1.0, 0.5, 2.0, -1.0])
factors = (0.1, 1.0, 10.0)
fig, ax = plt.subplots(figsize=(6.4, 2.4))
plots.heatmap(ax, softmax(np.outer(factors, logits)), row_labels=[f"{f:g} x" for f in factors], column_labels=logits)
ax.set_title("softmax of larger and larger logits")
plt.show()

# %% nbgrader={"grade_id": "softmax", "grade": true}
check("softmax", softmax)

# %% [markdown]
# ## 2. The causal mask
#
# `causal_mask(n) -> mask`
#
# Difficulty 1 of 5, 5 minutes, 1 point.
#
# A model that writes one token after the other must not look at tokens that are not written yet. Return an array (n,
# n) of bool. Row i belongs to position i as the one that looks, column j to position j as the one that is looked at.
# True means *may attend*: each position may attend to itself and to the past. For n = 3:
#
# ```
# [[ True False False]
#  [ True  True False]
#  [ True  True  True]]
# ```
#
# <details><summary>Hint 1</summary>
#
# Write the condition on i and j under which the entry is True. The diagonal belongs to it.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Compare a column of positions with a row of positions, or look up `np.tri`. Mind its dtype.
#
# </details>


# %% nbgrader={"grade_id": "causal_mask-solution", "solution": true}
def causal_mask(n):
    """Make the mask that lets each position attend to itself and to the past.

    Args:
        n: number of positions, at least 1.

    Returns:
        Array (n, n) of bool, True = may attend. Example: causal_mask(2) is [[True, False], [True, True]].
    """
    ### BEGIN SOLUTION
    position = np.arange(n)
    return position[:, None] >= position
    ### END SOLUTION


# %%
# Play: a word that is read from left to right.
word = "attention"
fig, ax = plt.subplots(figsize=(3.6, 3.6))
plots.heatmap(ax, causal_mask(len(word)), row_labels=word, column_labels=word, number_format=None)
ax.set(xlabel="looked at", ylabel="looks")
plt.show()

# %% nbgrader={"grade_id": "causal_mask", "grade": true}
check("causal_mask", causal_mask)

# %% [markdown]
# ## 3. Scaled dot-product attention
#
# `scaled_dot_product_attention(q, k, v, mask=None) -> (out, weights)`
#
# Difficulty 3 of 5, 30 minutes, 5 points.
#
# Each query compares itself with every key, and takes the mean of the values, weighted by how well the keys fit:
#
# $$A = \operatorname{softmax}\!\left(\frac{Q K^\top}{\sqrt{D_k}}\right), \qquad \text{out} = A V,$$
#
# with the softmax along the keys. $A$ holds the weights.
#
# | array | shape | |
# | --- | --- | --- |
# | `q` | (..., N, Dk) | N queries |
# | `k` | (..., M, Dk) | M keys |
# | `v` | (..., M, Dv) | one value for each key |
# | `mask` | broadcasts to (..., N, M) | bool, True = may attend; `None` allows everything |
# | `out` | (..., N, Dv) | |
# | `weights` | (..., N, M) | each row adds up to 1 |
#
# The dots stand for the same leading axes in all three arrays: none, a batch, batch and heads. The mask may have fewer
# axes, or axes of length 1.
#
# A blocked key gets the weight 0, and the others share the rest: the mask acts *before* the normalization. A row in
# which every key is blocked has nothing to attend to. Its weights are 0, and so is its output; nan is wrong. The
# scores may be huge.
#
# **Example.** `q = [[1, 0, 1, 0]]`, `k = [[2, 0, 0, 0], [0, 2, 0, 0]]` and `v = [[10, 0], [0, 10]]`. The dot products
# are 2 and 0, the scores 2 / 2 = 1 and 0 / 2 = 0. The weights are 0.7311 and 0.2689, and the output is `[7.311,
# 2.689]`.
#
# <details><summary>Hint 1</summary>
#
# `k.T` turns all axes around. `np.swapaxes(k, -1, -2)` swaps the last two only, and `@` takes care of the leading ones.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Give blocked keys the score $-\infty$ with `np.where`: $e^{-\infty} = 0$.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# In a row where all scores are $-\infty$ the largest one is too, and $-\infty - (-\infty)$ is nan. Which rows are
# these? `np.any(mask, axis=-1, keepdims=True)` knows, as soon as the mask has its full shape. Shift those rows by 0
# instead, and do not divide by their sum.
#
# </details>


# %% nbgrader={"grade_id": "scaled_dot_product_attention-solution", "solution": true}
def scaled_dot_product_attention(q, k, v, mask=None):
    """Let queries look up values by their keys.

    Args:
        q: queries, (..., N, Dk).
        k: keys, (..., M, Dk).
        v: values, (..., M, Dv).
        mask: bool, broadcastable to (..., N, M), True = may attend; None allows everything.

    Returns:
        out (..., N, Dv) and weights (..., N, M). A row with nothing to attend to is 0 in both. Example: the scores 1
        and 0 give the weights 0.7311 and 0.2689.
    """
    ### BEGIN SOLUTION
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])  # (..., N, M)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    top = np.max(scores, axis=-1, keepdims=True)  # (..., N, 1)
    powers = np.exp(scores - np.where(np.isfinite(top), top, 0.0))  # all 0 in a row with nothing to attend to
    total = np.sum(powers, axis=-1, keepdims=True)
    weights = powers / np.where(total == 0, 1.0, total)
    return weights @ v, weights
    ### END SOLUTION


# %%
# Play: why the scale. Random queries and keys of more and more dimensions; how much does the best of 16 keys get?
rng = np.random.default_rng(0)
dimensions = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256])
scaled, bare = [], []
for d in dimensions:
    q, k = rng.normal(size=(200, 1, d)), rng.normal(size=(200, 16, d))
    scaled.append(scaled_dot_product_attention(q, k, k)[1].max(axis=-1).mean())
    # multiplying the queries by the root takes the scale out again
    bare.append(scaled_dot_product_attention(q * np.sqrt(d), k, k)[1].max(axis=-1).mean())
fig, ax = plt.subplots()
for curve, color, name in ((bare, plots.ACCENT, "without scale"), (scaled, plots.BLUE, "with scale")):
    ax.semilogx(dimensions, curve, color=color, base=2)
    ax.annotate(name, (dimensions[-1], curve[-1]), xytext=(-4, 6), textcoords="offset points", ha="right", color=color)
ax.set(xlabel="dimensions of query and key", ylabel="mean largest weight", ylim=(0, 1.1))
plt.show()

# %% nbgrader={"grade_id": "scaled_dot_product_attention", "grade": true}
check("scaled_dot_product_attention", scaled_dot_product_attention)

# %% [markdown]
# ### Written answer 1 (2 points, 10 minutes)
#
# The entries of a query and of a key are independent, with mean 0 and variance 1. What is the variance of their dot
# product in $D_k$ dimensions? Use your answer, and the picture above, to explain what goes wrong in *training* when the
# scale is left out and $D_k$ is large. Four to six sentences.

# %% [markdown] nbgrader={"grade_id": "attention-written-1", "grade": true, "solution": true, "points": 2}
# Each product of two independent entries has mean 0 and variance 1, and the dot product adds up $D_k$ independent
# ones: its variance is $D_k$, its typical size $\sqrt{D_k}$. Without the scale the scores of random tokens therefore
# grow with the dimension, and the softmax puts nearly all of the weight on one key, as the upper curve of the picture
# shows. There the softmax is flat: its derivative $w_i(\delta_{ij} - w_j)$ is close to 0 when each weight is close to
# 0 or to 1. Hardly any gradient reaches the queries and keys, so they learn slowly or not at all, and the choice of
# the key is an accident of the initialization. Divided by $\sqrt{D_k}$ the scores have variance 1 in every dimension,
# and training starts with soft weights that can still move.
#
# **Rubric.** 1 point: variance $D_k$, with the reason (a sum of $D_k$ independent terms of variance 1). 1 point: a
# saturated softmax has a vanishing gradient, so queries and keys do not learn. "The numbers get too large" alone, or
# overflow as the reason, earns nothing for the second part.

# %% [markdown]
# ## 4. The backward pass of attention
#
# `attention_backward(dout, q, k, v, mask=None) -> (dq, dk, dv)`
#
# Difficulty 4 of 5, 40 minutes, 6 points.
#
# `dout` (..., N, Dv) is the gradient of some loss with respect to `out` of task 3. Return its gradients with respect to
# `q`, `k` and `v`, each with the shape of its array.
#
# Walk back through the forward pass: from `out` to the values and the weights, from the weights to the scores, from the
# scores to the queries and keys. With $w$ a row of weights and $g$ the gradient with respect to that row, the softmax
# hands on
#
# $$\frac{\partial L}{\partial s_j} = w_j \Bigl(g_j - \sum_m g_m w_m\Bigr).$$
#
# A blocked key has weight 0, and so its score gets no gradient. A row with nothing to attend to sends no gradient
# anywhere. Your function does not depend on task 3: compute the weights again inside it.
#
# **Example.** In the example of task 3 take `dout = [[1, 0]]`. Then `dv = [[0.7311, 0], [0.2689, 0]]`. The gradient
# of the weights is `[10, 0]`, that of the scores $0.7311 \cdot (10 - 7.311) = 1.966$ and $-1.966$. With the scale 1/2
# this gives `dq = [[1.966, -1.966, 0, 0]]` and `dk = [[0.983, 0, 0.983, 0], [-0.983, 0, -0.983, 0]]`.
#
# <details><summary>Hint 1</summary>
#
# For a matrix product `C = A @ B` the gradients are `dA = dC @ B.T` and `dB = A.T @ dC`. The forward pass has two such
# products. The shapes leave you no choice.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `out = weights @ v` gives `dv` and the gradient of the weights. Then comes the formula above, along the keys, for
# all rows at once: one sum with `keepdims=True`.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# The scores are `q @ k.T / sqrt(Dk)`. The division is a step of its own: do it to the gradient once, before the last
# two products.
#
# </details>


# %% nbgrader={"grade_id": "attention_backward-solution", "solution": true}
def attention_backward(dout, q, k, v, mask=None):
    """Carry a gradient back through scaled dot-product attention.

    Args:
        dout: gradient with respect to the output, (..., N, Dv).
        q: queries, (..., N, Dk).
        k: keys, (..., M, Dk).
        v: values, (..., M, Dv).
        mask: bool, broadcastable to (..., N, M), True = may attend; None allows everything.

    Returns:
        dq, dk and dv, with the shapes of q, k and v. Example: if one query has the weights 0.7311 and 0.2689, and dout
        is [[1, 0]], then dv is [[0.7311, 0], [0.2689, 0]].
    """
    ### BEGIN SOLUTION
    scale = np.sqrt(q.shape[-1])
    scores = q @ np.swapaxes(k, -1, -2) / scale  # (..., N, M)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    top = np.max(scores, axis=-1, keepdims=True)  # (..., N, 1)
    powers = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = np.sum(powers, axis=-1, keepdims=True)
    weights = powers / np.where(total == 0, 1.0, total)  # (..., N, M)

    dv = np.swapaxes(weights, -1, -2) @ dout  # (..., M, Dv)
    dweights = dout @ np.swapaxes(v, -1, -2)  # (..., N, M)
    dscores = weights * (dweights - np.sum(weights * dweights, axis=-1, keepdims=True)) / scale
    return dscores @ k, np.swapaxes(dscores, -1, -2) @ q, dv
    ### END SOLUTION


# %%
# Play: a second opinion. Central differences know nothing of your derivation.
rng = np.random.default_rng(1)
q, k, v, dout = (rng.normal(size=shape) for shape in ((3, 4), (5, 4), (5, 2), (3, 2)))
step = 1e-5
for name, mine, array in zip("qkv", attention_backward(dout, q, k, v), (q, k, v), strict=True):
    numerical = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        losses = []
        for sign in (1, -1):
            moved = array.copy()
            moved[index] += sign * step
            arrays = {"q": q, "k": k, "v": v, name: moved}
            losses.append(np.sum(dout * scaled_dot_product_attention(**arrays)[0]))
        numerical[index] = (losses[0] - losses[1]) / (2 * step)
    print(f"d{name}: largest difference {np.abs(mine - numerical).max():.1e}")

# %% nbgrader={"grade_id": "attention_backward", "grade": true}
check("attention_backward", attention_backward)

# %% [markdown]
# ## 5. Several heads
#
# `multi_head_attention(x, w_q, w_k, w_v, w_o, num_heads, mask=None) -> out`
#
# Difficulty 3 of 5, 30 minutes, 5 points.
#
# One attention has one opinion of what belongs together. H heads have H opinions, each on its own part of the
# columns, for the price of one:
#
# 1. Project the tokens `x` (B, N, D) to queries `x @ w_q`, keys `x @ w_k` and values `x @ w_v`. All weights are (D,
#    D), and there is no bias.
# 2. Head h uses the columns from h D/H up to, but not including, (h + 1) D/H of each projection. It is scaled
#    dot-product attention, with the scale of *its* width.
# 3. Put the heads' outputs side by side in the same order, (B, N, D), and multiply by `w_o`.
#
# `mask` is boolean, True = may attend, and broadcasts to (B, H, N, N). A row with nothing to attend to gets a zero
# output from its head. Raise `ValueError` when `num_heads` does not divide D.
#
# **Example.** One sequence of two tokens, `x = [[[1, 0], [0, 1]]]`, two heads, and the identity for all four weights.
# Head 0 sees the column (1, 0). For the first token its scores are 1 and 0, its weights 0.7311 and 0.2689, its output
# 0.7311; for the second token both scores are 0, and the output is 0.5. Head 1 does the same the other way round.
# Together: `[[[0.7311, 0.5], [0.5, 0.7311]]]`.
#
# You may call your function of task 3, but then this one is only as right as that one. The model solution stands alone.
#
# <details><summary>Hint 1</summary>
#
# A loop over the heads with slices of columns is a fine solution. Where does the mask have to be sliced, if it has
# only two axes, or an axis of length 1? `np.broadcast_to(mask, (B, H, N, N))` makes that simple.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Without a loop: reshape (B, N, D) to (B, N, H, D/H), then move the axis of the heads in front of the tokens. Now
# batch and heads are leading axes, and the mask fits as it is.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# On the way back do the same in the opposite order: first move the axis, then reshape. A reshape alone mixes the
# tokens.
#
# </details>


# %% nbgrader={"grade_id": "multi_head_attention-solution", "solution": true}
def multi_head_attention(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    """Let tokens attend to each other with several heads.

    Args:
        x: tokens, (B, N, D).
        w_q: projection to queries, (D, D).
        w_k: projection to keys, (D, D).
        w_v: projection to values, (D, D).
        w_o: output projection, (D, D).
        num_heads: number of heads H.
        mask: bool, broadcastable to (B, H, N, N), True = may attend; None allows everything.

    Returns:
        Tokens, (B, N, D). Example: x = [[[1, 0], [0, 1]]], identity weights and two heads give
        [[[0.7311, 0.5], [0.5, 0.7311]]].

    Raises:
        ValueError: num_heads does not divide D.
    """
    ### BEGIN SOLUTION
    b, n, d = x.shape
    if d % num_heads != 0:
        raise ValueError(f"{num_heads} heads do not divide {d} columns")

    def split(projected):
        return projected.reshape(b, n, num_heads, d // num_heads).swapaxes(1, 2)  # (B, H, N, D/H)

    q, k, v = split(x @ w_q), split(x @ w_k), split(x @ w_v)
    scores = q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1])  # (B, H, N, N)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    top = np.max(scores, axis=-1, keepdims=True)  # (B, H, N, 1)
    powers = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = np.sum(powers, axis=-1, keepdims=True)
    out = powers / np.where(total == 0, 1.0, total) @ v  # (B, H, N, D/H)
    return out.swapaxes(1, 2).reshape(b, n, d) @ w_o
    ### END SOLUTION


# %%
# Play: does the mask keep the future hidden? Change the last of six tokens: which outputs move?
rng = np.random.default_rng(2)
x = rng.normal(size=(1, 6, 8))
weights = [rng.normal(size=(8, 8)) / np.sqrt(8) for _ in range(4)]
changed = x.copy()
changed[0, -1] += 1.0
for name, mask in (("no mask", None), ("causal mask", causal_mask(6))):
    before, after = (multi_head_attention(tokens, *weights, num_heads=2, mask=mask) for tokens in (x, changed))
    print(f"{name:12s} moved by", np.abs(after - before).max(axis=-1)[0].round(3))

# %% nbgrader={"grade_id": "multi_head_attention", "grade": true}
check("multi_head_attention", multi_head_attention)

# %% [markdown]
# ## 6. Additive attention
#
# `additive_attention(queries, keys, values, w_q, w_k, w_a) -> (out, weights)`
#
# Difficulty 2 of 5, 20 minutes, 3 points.
#
# The first attention in translation compared query and key by a small network with one hidden layer of A units, so they
# may have different widths:
#
# $$s(q, k) = w_a \cdot \tanh(q W_q + k W_k).$$
#
# Here `queries` is (N, Dq), `keys` (M, Dkey) and `values` (M, Dv); `w_q` is (Dq, A), `w_k` (Dkey, A) and `w_a` (A,).
# The weights (N, M) are the softmax of the scores along the keys, and the output is (N, Dv), as before. There is no
# mask and no scale. The scores may be huge.
#
# **Example.** `queries = [[1, 0]]`, `keys = [[1], [-1]]`, `values = [[4], [8]]`, `w_q = [[1], [0]]`, `w_k = [[1]]`,
# `w_a = [2]`. The hidden unit is tanh(1 + 1) = 0.9640 for the first key and tanh(1 - 1) = 0 for the second. The
# scores are 1.928 and 0, the weights 0.8730 and 0.1270, and the output is `[[4.508]]`.
#
# <details><summary>Hint 1</summary>
#
# The hidden layer has three axes: query, key, unit. Only two of them are summed over, and at different times.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `queries @ w_q` is (N, A), `keys @ w_k` is (M, A). Give each an axis of length 1 in the right place, and their sum
# broadcasts to (N, M, A).
#
# </details>


# %% nbgrader={"grade_id": "additive_attention-solution", "solution": true}
def additive_attention(queries, keys, values, w_q, w_k, w_a):
    """Attend with the scores w_a . tanh(q W_q + k W_k).

    Args:
        queries: (N, Dq).
        keys: (M, Dkey).
        values: (M, Dv).
        w_q: projection of the queries, (Dq, A).
        w_k: projection of the keys, (Dkey, A).
        w_a: weights of the hidden units, (A,).

    Returns:
        out (N, Dv) and weights (N, M). Example: the scores 1.928 and 0 give the weights 0.8730 and 0.1270.
    """
    ### BEGIN SOLUTION
    hidden = np.tanh((queries @ w_q)[:, None, :] + (keys @ w_k)[None, :, :])  # (N, M, A)
    scores = hidden @ w_a  # (N, M)
    powers = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    weights = powers / np.sum(powers, axis=1, keepdims=True)
    return weights @ values, weights
    ### END SOLUTION


# %%
# Play: a score that no dot product gives. Two hidden units make a detector for "query and key are nearly equal".
numbers = np.linspace(-2.0, 2.0, 9)[:, None]
ones = np.ones_like(numbers)
# the last feature is 1, so that its weight works as a bias: the units are tanh(4 (q - k + 1)) and tanh(4 (q - k - 1))
w_q, w_k, w_a = np.array([[4.0, 4.0], [4.0, -4.0]]), np.array([[-4.0, -4.0]]), np.array([3.0, -3.0])
_, weights = additive_attention(np.hstack([numbers, ones]), numbers, numbers, w_q, w_k, w_a)
fig, ax = plt.subplots(figsize=(4.8, 4.8))
plots.heatmap(ax, weights, row_labels=numbers[:, 0], column_labels=numbers[:, 0])
ax.set(xlabel="key", ylabel="query")
plt.show()

# %% nbgrader={"grade_id": "additive_attention", "grade": true}
check("additive_attention", additive_attention)

# %% [markdown]
# ## 7. Where a token stands
#
# `positional_encoding(n, d, base=10000.0) -> encoding`
#
# Difficulty 2 of 5, 15 minutes, 3 points.
#
# Attention does not know the order of its tokens: shuffle them, and the outputs are shuffled, nothing else. So the
# position is written into the token, as a row of sines and cosines that turn at different speeds. Return (n, d); in
# the row of position p = 0, 1, ..., n-1 the entry of column i = 0, 1, ..., d-1 is
#
# $$\sin\!\left(\frac{p}{\text{base}^{\,i/d}}\right) \text{ for even } i, \qquad
#   \cos\!\left(\frac{p}{\text{base}^{\,(i-1)/d}}\right) \text{ for odd } i.$$
#
# The two columns of a pair turn at the same speed. d may be odd: then the last column is a sine without its cosine.
#
# **Example.** For n = 3 and d = 4 the exponents are 0 and 2/4, so the columns turn by 1 and by 1/100 at each step.
# Row 1 is `[0.8415, 0.5403, 0.0100, 0.99995]`, row 2 `[0.9093, -0.4161, 0.0200, 0.9998]`, and row 0 `[0, 1, 0, 1]`.
#
# <details><summary>Hint 1</summary>
#
# Make an array of the d column numbers, and from it the even number of each pair: 0, 0, 2, 2, 4, ...
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# One array of angles (n, d) by broadcasting, then the sine of some columns and the cosine of the others: `np.where`,
# or two slices with step 2.
#
# </details>


# %% nbgrader={"grade_id": "positional_encoding-solution", "solution": true}
def positional_encoding(n, d, base=10000.0):
    """Encode positions as sines and cosines of different wavelengths.

    Args:
        n: number of positions.
        d: number of columns.
        base: the larger it is, the slower the last columns turn.

    Returns:
        Array (n, d). Example: positional_encoding(2, 2) is [[0, 1], [0.8415, 0.5403]].
    """
    ### BEGIN SOLUTION
    column = np.arange(d)
    angle = np.arange(n)[:, None] / base ** ((column - column % 2) / d)  # (n, d)
    return np.where(column % 2 == 0, np.sin(angle), np.cos(angle))
    ### END SOLUTION


# %%
# Play: sixty positions, each a row. Then: how similar is position 30 to the others?
encoding = positional_encoding(60, 32)
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
left.imshow(encoding, aspect="auto", cmap=plots.diverging_colormap(), vmin=-1, vmax=1)
left.set(xlabel="column", ylabel="position", title="encoding")
right.plot(encoding @ encoding[30], color=plots.BLUE)
right.set(xlabel="position", ylabel="dot product", title="similarity with position 30")
plt.show()

# %% nbgrader={"grade_id": "positional_encoding", "grade": true}
check("positional_encoding", positional_encoding)

# %% [markdown]
# ## 8. Milestone: read dates
#
# `read_dates(characters, parameters) -> (dates, alignment)`
#
# Difficulty 3 of 5, 30 minutes, 5 points.
#
# Somebody has trained a tiny model, and you get its 12,544 numbers. The model itself is for you to put together, **from
# your own functions** of tasks 3, 5 and 7: if one of those is wrong, this one will misread. Finish them first.
#
# `characters` (N, T) holds N texts as integers, one for each character, filled up with 0 at the right. `parameters`
# is a dict of arrays (V = 42 different characters, D = 32, E = 64):
#
# | name | shape | |
# | --- | --- | --- |
# | `embedding` | (V, D) | one row for each character |
# | `w_q`, `w_k`, `w_v`, `w_o` | (D, D) | self-attention with **4 heads** |
# | `queries` | (10, D) | one for each character of YYYY-MM-DD, the same for every text |
# | `w_keys`, `w_values` | (D, D) | what the reading attends to |
# | `w_hidden`, `w_out` | (D, E), (E, V) | from what was found to a character |
#
# The recipe, in shapes:
#
# 1. `embedded` (N, T, D): the row of `embedding` for each character. `x`: that plus the positional encoding, base
#    10000.
# 2. `context` (N, T, D): `x` plus what multi-head self-attention returns for `x`. Now a 1 may know that it stands
#    before a 4 and a blank.
# 3. The keys are `context @ w_keys`. The values are `embedded @ w_values`: bare characters, without place or context.
#    What the model writes is mixed from the characters that its attention points to; where it points may depend on
#    the whole text.
# 4. `found` (N, 10, D) and `alignment` (N, 10, T): scaled dot-product attention of the ten queries.
# 5. `hidden` (N, 10, E): ReLU of `(found + queries) @ w_hidden`, and the logits (N, 10, V) are `hidden @ w_out`.
# 6. `dates` (N, 10): the index of the largest logit, an array of integers.
#
# The padding (0) is no text: in **both** attentions only real characters may be attended to. Return `dates` and
# `alignment`. You are graded on what is read: on dates that the model has never seen, at least 95 % have to be exactly
# right, with the alignment that belongs to them.
#
# **Example.** The text *14.03.98* is `[7, 10, 5, 6, 9, 5, 15, 14]`, and the row of `dates` should be
# `[7, 15, 15, 14, 4, 6, 9, 4, 7, 10]`, which is *1998-03-14*.
#
# <details><summary>Hint 1</summary>
#
# `parameters["embedding"][characters]` looks up all characters of all texts at once.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `real = characters != 0` is (N, T). For the self-attention the mask broadcasts to (N, 4, T, T), for the reading to
# (N, 10, T). In both the last axis is the one that is attended to: `real[:, None, None, :]` and `real[:, None, :]`.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# The queries need the same leading axis as keys and values: `np.broadcast_to(queries, (N, 10, D))`.
#
# </details>


# %% nbgrader={"grade_id": "read_dates-solution", "solution": true}
def read_dates(characters, parameters):
    """Read written-out dates by attention.

    Args:
        characters: texts as indices, filled up with 0 at the right, (N, T).
        parameters: dict of the trained arrays.

    Returns:
        dates (N, 10), the indices of the characters of each ISO date, and alignment (N, 10, T), how much each of them
        looked at each character of the text. Example: [[7, 10, 5, 6, 9, 5, 15, 14]], "14.03.98", is read as
        [[7, 15, 15, 14, 4, 6, 9, 4, 7, 10]], "1998-03-14".
    """
    ### BEGIN SOLUTION
    p = parameters
    n, length = characters.shape
    real = characters != 0  # (N, T)
    embedded = p["embedding"][characters]  # (N, T, D)
    d = embedded.shape[-1]
    x = embedded + positional_encoding(length, d)
    context = x + multi_head_attention(
        x, p["w_q"], p["w_k"], p["w_v"], p["w_o"], num_heads=4, mask=real[:, None, None, :]
    )
    queries = np.broadcast_to(p["queries"], (n, 10, d))
    found, alignment = scaled_dot_product_attention(
        queries, context @ p["w_keys"], embedded @ p["w_values"], mask=real[:, None, :]
    )
    hidden = np.maximum(0.0, (found + queries) @ p["w_hidden"])  # (N, 10, E)
    return np.argmax(hidden @ p["w_out"], axis=-1), alignment
    ### END SOLUTION


# %%
# Play: attention made visible. Write dates of your own; which ways of writing does the model not know?
texts = ["saturday, 14 march 1998", "the 3rd of may, 2021", "14.03.98"]
vocabulary = data.date_vocabulary()
dates, alignment = read_dates(vocabulary.encode(texts), date_reader.parameters())
fig, axes = plt.subplots(len(texts), 1, figsize=(6.4, 9.5), layout="constrained")
for ax, text, date, rows in zip(axes, texts, vocabulary.decode(dates), alignment, strict=True):
    plots.heatmap(ax, rows[:, : len(text)], row_labels=date, column_labels=text, number_format=None, limits=(0, 1))
    ax.set_title(f"{text}  \N{RIGHTWARDS ARROW}  {date}")
plt.show()

# %%
# Play: all dates that the model has never seen. What is special about those that it misreads?
pairs = date_reader.held_out_dates()
wrong = []
for start in range(0, len(pairs), 500):
    written, true = zip(*pairs[start : start + 500], strict=True)
    dates, _ = read_dates(vocabulary.encode(written), date_reader.parameters())
    read = vocabulary.decode(dates)
    wrong += [pair[:2] for pair in zip(written, read, true, strict=True) if pair[1] != pair[2]]
print(f"{1 - len(wrong) / len(pairs):.2%} of {len(pairs)} dates read exactly right")
for text, date in wrong[:5]:
    print(f"  {text} was read as {date}")

# %% nbgrader={"grade_id": "read_dates", "grade": true}
check("read_dates", read_dates)

# %% [markdown]
# ### Written answer 2 (2 points, 10 minutes)
#
# In *14.03.98* the year is short. Which character does the model look at when it writes the first two digits of the
# year, and why is that enough? Then: suppose the values were made of `context` instead of the bare `embedded`. The
# model could be trained to read just as well. Would the heat map still show what it has read? Four to six sentences.

# %% [markdown] nbgrader={"grade_id": "attention-written-2", "grade": true, "solution": true, "points": 2}
# It looks at the 9, the tens digit of the year. The years run from 1970 to 2069, so the tens digit alone decides the
# century: 7, 8 and 9 belong to 19.., the others to 20... The value of the 9 and the query, which knows that it writes
# the first or second digit of the year, are all that the hidden layer needs. With values made of the context the heat
# map would explain much less: the self-attention has already copied information from other characters, so the model
# could look at one place, a comma for instance, and read there what it had gathered from everywhere. The weights say
# from which *vectors* the output is mixed, and they say from which characters only as long as a vector stands for its
# character alone. Even then they are not the whole story: the keys know the context, so the *choice* of the place
# carries information, as when the model reads the 0 of a month off a letter that has nothing to do with the month.
#
# **Rubric.** 1 point: the tens digit, with the reason that the range of years makes it decide the century (a
# different character is fine if it is what the student's heat map shows, and if the reason fits). 1 point: with
# contextual values the weights no longer tell where the information comes from, because self-attention has moved it
# before.
