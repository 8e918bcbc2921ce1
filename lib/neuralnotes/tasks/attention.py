"""The graded functions of the assignment ``attention``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .. import data, date_reader
from ..attention import scaled_dot_product_attention as library_attention
from .records import Case, Close, Misconception, Problem, Task, describe, variant

# --- softmax ----------------------------------------------------------------------------------------------------------


def softmax_oracle(x, axis=-1):
    return torch.softmax(_tensor(x), dim=axis).numpy()


def softmax_visible(rng):
    return [
        Case("the example, [1, 2, 3]", (np.array([1.0, 2.0, 3.0]),)),
        Case("a matrix (2, 3), over the last axis", (rng.normal(size=(2, 3)),)),
        Case("a matrix (4, 3), over axis 0", (rng.normal(size=(4, 3)),), {"axis": 0}),
        Case("shape (2, 3, 4), over axis 1", (2 * rng.normal(size=(2, 3, 4)), 1)),
        Case("huge logits", (np.array([[1000.0, 1001.0, 999.0], [0.0, -2000.0, 1.0]]),), edge=True),
    ]


def softmax_hidden(rng):
    gaps = rng.normal(size=(3, 5))
    gaps[0, 1] = gaps[0, 4] = gaps[2, 0] = -np.inf
    return [
        Case("a vector", (3 * rng.normal(size=6),)),
        Case("a matrix (4, 4), over the last axis", (rng.normal(size=(4, 4)),)),
        Case("a matrix (4, 4), over axis 0", (rng.normal(size=(4, 4)),), {"axis": 0}),
        Case("shape (2, 3, 3), over axis -2", (rng.normal(size=(2, 3, 3)),), {"axis": -2}),
        Case("shape (3, 2, 2, 3), over axis 0", (rng.normal(size=(3, 2, 2, 3)), 0)),
        Case("one entry along the axis", (rng.normal(size=(3, 1)),), edge=True),
        Case("hugely negative logits", (rng.normal(size=(2, 4)) - 5000.0,), edge=True),
        Case("rows far apart", (rng.normal(size=(3, 4)) + np.array([[2000.0], [0.0], [-2000.0]]),), edge=True),
        Case("some logits are minus infinity", (gaps,), edge=True),
        Case("float32 logits", (rng.normal(size=(3, 4)).astype(np.float32),), edge=True),
        Case("a non-contiguous view", (rng.normal(size=(3, 8))[:, ::2],), edge=True),
    ]


def _softmax_right(x, axis=-1):
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


SOFTMAX = Task(
    id="softmax",
    points=2,
    minutes=10,
    difficulty=1,
    signature="softmax(x, axis=-1) -> y",
    visible=softmax_visible,
    hidden=softmax_hidden,
    oracle=softmax_oracle,
    misconceptions=(
        Misconception("no-shift", variant(_softmax_right, " - x.max(axis=axis, keepdims=True)", ""),
                      "Ordinary logits are right, but exp(1000) is larger than any float. Which number may you "
                      "subtract from all logits of a row without changing the answer?"),
        Misconception("global-shift", variant(_softmax_right, "x.max(axis=axis, keepdims=True)", "x.max()"),
                      "You seem to subtract one number from the whole array. A row far below the others then "
                      "underflows to 0 / 0: let every row have its own shift."),
        Misconception("axis-ignored", variant(_softmax_right, "    powers =", "    axis = -1\n    powers ="),
                      "Your answer is the same whatever `axis` says: you always normalize along the last one."),
        Misconception("first-axis", variant(_softmax_right, "    powers =", "    axis = 0\n    powers ="),
                      "Your answer adds up to 1 along the first axis. Look at which axis each reduction gets, and at "
                      "the default."),
        Misconception("whole-array", variant(_softmax_right, "    powers =", "    axis = None\n    powers ="),
                      "The whole array adds up to 1. Each vector along `axis` should do so by itself."),
        Misconception("lost-dimension", variant(variant(_softmax_right, "x.max(axis=axis, keepdims=True)", "x.max()"),
                                                "powers.sum(axis=axis, keepdims=True)", "powers.sum(axis=axis)"),
                      "The sum along an axis has one axis less, and then broadcasts the wrong way, or not at all. "
                      "Look up what `keepdims` does."),
        Misconception("minus-sign", variant(_softmax_right, "x - x.max(axis=axis, keepdims=True)",
                                            "x.min(axis=axis, keepdims=True) - x"),
                      "The largest logit gets the smallest probability: check the sign in the exponent."),
        Misconception("log-softmax",
                      variant(_softmax_right, "powers / powers.sum(axis=axis, keepdims=True)",
                              "x - x.max(axis=axis, keepdims=True) - np.log(powers.sum(axis=axis, keepdims=True))"),
                      "Your values are negative: they look like the logarithm of the answer."),
    ),
)

# --- causal_mask ------------------------------------------------------------------------------------------------------


def causal_mask_oracle(n):
    return torch.ones(n, n, dtype=torch.bool).tril().numpy()


def causal_mask_visible(rng):
    return [Case("n = 3, the example", (3,)), Case("n = 5", (5,)), Case("n = 1", (1,), edge=True)]


def causal_mask_hidden(rng):
    return [Case("n = 2", (2,)), Case("n = 4", (4,)), Case("n = 7", (7,)), Case("n = 40", (40,))]


def _causal(n):
    return np.arange(n)[:, None] >= np.arange(n)


CAUSAL_MASK = Task(
    id="causal_mask",
    points=1,
    minutes=5,
    difficulty=1,
    signature="causal_mask(n) -> mask",
    visible=causal_mask_visible,
    hidden=causal_mask_hidden,
    oracle=causal_mask_oracle,
    misconceptions=(
        Misconception("strict-past", variant(_causal, ">=", ">"),
                      "The diagonal is False: no position may attend to itself, and the first one to nothing. The "
                      "present is allowed too."),
        Misconception("future", variant(_causal, ">=", "<="),
                      "Each position sees the present and the future. Rows are queries, columns are keys: which side "
                      "of the diagonal is the past?"),
        Misconception("inverted", variant(_causal, ">=", "<"),
                      "Your mask marks what is blocked. In this assignment True means *may attend*."),
        Misconception("float-mask",
                      variant(_causal, "np.arange(n)[:, None] >= np.arange(n)", "np.tril(np.ones((n, n)))"),
                      "The pattern is right, but it is made of floats. A mask is boolean."),
        Misconception("integer-mask", variant(_causal, "np.arange(n)[:, None] >= np.arange(n)",
                                              "np.tril(np.ones((n, n), dtype=int))"),
                      "The pattern is right, but it is made of integers, and `~` and indexing treat those "
                      "differently. A mask is boolean."),
        Misconception("additive-mask", variant(_causal, "np.arange(n)[:, None] >= np.arange(n)",
                                               "np.where(np.arange(n)[:, None] >= np.arange(n), 0.0, -np.inf)"),
                      "You return what could be added to the scores, 0 and minus infinity. The mask itself is "
                      "boolean, True = may attend."),
        Misconception("only-the-present", variant(_causal, ">=", "=="),
                      "Each position sees itself only. The past is allowed too."),
    ),
)

# --- scaled_dot_product_attention -------------------------------------------------------------------------------------


def attention_oracle(q, k, v, mask=None):
    """Torch's own attention. It keeps the weights to itself: with the identity as values, they are its output."""
    q, k, v = _tensor(q), _tensor(k), _tensor(v)
    shape = (*q.shape[:-1], k.shape[-2])
    allowed = torch.from_numpy(np.array(np.broadcast_to(True if mask is None else mask, shape)))
    attend = torch.nn.functional.scaled_dot_product_attention
    identity = torch.eye(shape[-1], dtype=torch.float64).expand(*shape[:-2], shape[-1], shape[-1])
    some = allowed.any(dim=-1, keepdim=True)  # torch leaves rows with nothing to attend to undefined
    out = torch.where(some, attend(q, k, v, attn_mask=allowed), 0.0)
    weights = torch.where(some, attend(q, k, identity, attn_mask=allowed), 0.0)
    return out.numpy(), weights.numpy()


def _qkv(rng, n, m, dk, dv, lead=(), scale=1.5):
    q, k = scale * rng.normal(size=(*lead, n, dk)), scale * rng.normal(size=(*lead, m, dk))
    return q, k, rng.normal(size=(*lead, m, dv))


def _mask(rng, *shape):
    """A mask of which every row allows something and, from two columns on, forbids something."""
    mask = rng.random(shape) < 0.5
    first = rng.integers(shape[-1], size=shape[:-1])[..., None]
    np.put_along_axis(mask, first, True, axis=-1)
    if shape[-1] > 1:
        np.put_along_axis(mask, (first + 1) % shape[-1], False, axis=-1)
    return mask


def _example_qkv():
    return np.array([[1.0, 0.0, 1.0, 0.0]]), np.array([[2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]]), np.array(
        [[10.0, 0.0], [0.0, 10.0]]
    )


def attention_visible(rng):
    blocked = _mask(rng, 3, 4)
    blocked[1] = False
    return [
        Case("the example", _example_qkv()),
        Case("q (3, 4), k (5, 4), v (5, 2)", _qkv(rng, 3, 5, 4, 2)),
        Case("a batch of 2, with a mask (2, 3, 4)", (*_qkv(rng, 3, 4, 6, 5, (2,)), _mask(rng, 2, 3, 4))),
        Case("(2, 2, 4, 4) with the causal mask (4, 4)", (*_qkv(rng, 4, 4, 3, 3, (2, 2)), _causal(4))),
        Case("a row with nothing to attend to", (*_qkv(rng, 3, 4, 2, 3), blocked), edge=True),
        Case("huge scores", _qkv(rng, 2, 3, 4, 2, scale=60.0), edge=True),
    ]


def attention_hidden(rng):
    half = np.ones((4, 1), dtype=bool)
    half[2] = False
    q, k, v = _qkv(rng, 3, 10, 8, 6)
    qs, ks, vs = (array.astype(np.float32) for array in _qkv(rng, 3, 4, 5, 2))
    no_key = np.zeros((2, 1, 4), dtype=bool)
    no_key[0] = True
    return [
        Case("q (4, 9), k (6, 9), v (6, 3)", _qkv(rng, 4, 6, 9, 3, scale=1.0)),
        Case("square: 4 queries, 4 keys, 4 features", _qkv(rng, 4, 4, 4, 4)),
        Case("self-attention, causal", (*_qkv(rng, 5, 5, 2, 4), _causal(5))),
        Case("two leading axes, a mask for each item", (*_qkv(rng, 2, 5, 3, 2, (2, 3)), _mask(rng, 2, 1, 1, 5))),
        Case("a mask over keys only, by keyword", _qkv(rng, 3, 4, 6, 2, (2,)), {"mask": _mask(rng, 4)}),
        Case("a mask that differs by batch and query", (*_qkv(rng, 3, 3, 5, 2, (2,)), _mask(rng, 2, 3, 3))),
        Case("a mask that allows everything", (*_qkv(rng, 2, 3, 4, 2), np.ones((2, 3), dtype=bool))),
        Case("one query, one key", _qkv(rng, 1, 1, 3, 2), edge=True),
        Case("batch of one", (*_qkv(rng, 2, 3, 4, 2, (1,)), _mask(rng, 1, 2, 3)), edge=True),
        Case("a mask over queries only, one of them blocked", (*_qkv(rng, 4, 3, 4, 2), half), edge=True),
        Case("an item of the batch whose keys are all blocked", (*_qkv(rng, 3, 4, 3, 2, (2,)), no_key), edge=True),
        Case("huge scores with a mask", (*_qkv(rng, 3, 4, 4, 2, scale=60.0), _mask(rng, 3, 4)), edge=True),
        Case("hugely negative scores", (np.full((2, 4), 50.0), -rng.random((3, 4)) - 40.0, v[:3]), edge=True),
        Case("float32", (qs, ks, vs, _mask(rng, 3, 4)), edge=True),
        Case("non-contiguous views", (q[:, ::2], k[:, ::2], v[:, ::2], _mask(rng, 3, 20)[:, ::2]), edge=True),
    ]


def _attention_right(q, k, v, mask=None):
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    top = scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = powers.sum(axis=-1, keepdims=True)
    weights = powers / np.where(total == 0, 1.0, total)
    return weights @ v, weights


# Attention, its gradients and the heads have their lines for the mask and the softmax in common, so also two mistakes.
def _mask_ignored(right):
    return variant(right, "    if mask is not None:\n        scores = np.where(mask, scores, -np.inf)\n", "")


def _nan_in_empty_rows(right):
    return variant(right, "powers = np.exp(scores - np.where(np.isfinite(top), top, 0.0))",
                   'with np.errstate(invalid="ignore"):\n        powers = np.exp(scores - top)')


def _attention_no_shift(q, k, v, mask=None):
    powers = np.exp(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]))
    if mask is not None:
        powers = powers * mask
    total = powers.sum(axis=-1, keepdims=True)
    weights = powers / np.where(total == 0, 1.0, total)
    return weights @ v, weights


ATTENTION = Task(
    id="scaled_dot_product_attention",
    points=5,
    minutes=30,
    difficulty=3,
    signature="scaled_dot_product_attention(q, k, v, mask=None) -> (out, weights)",
    visible=attention_visible,
    hidden=attention_hidden,
    oracle=attention_oracle,
    misconceptions=(
        Misconception("unscaled", variant(_attention_right, " / np.sqrt(q.shape[-1])", ""),
                      "Your weights are too sharp: the dot products go into the softmax at full size. What does the "
                      "word *scaled* in the name ask for?"),
        Misconception("scaled-by-d", variant(_attention_right, "np.sqrt(q.shape[-1])", "q.shape[-1]"),
                      "Your weights are too flat. The scores are divided by too much: which power of Dk brings their "
                      "variance back to 1?"),
        Misconception("scaled-by-values", variant(_attention_right, "q.shape", "v.shape"),
                      "The scale seems to come from the width of the values. The dot products add up terms over "
                      "another axis."),
        Misconception("multiplied-by-the-scale", variant(_attention_right, "/ np.sqrt", "* np.sqrt"),
                      "Your weights are much too sharp: the scale seems to make the scores larger instead of smaller."),
        Misconception("softmax-over-queries",
                      variant(variant(_attention_right, "scores.max(axis=-1", "scores.max(axis=-2"),
                              "powers.sum(axis=-1", "powers.sum(axis=-2"),
                      "The columns of your weights add up to 1. Each *query* shares out its attention: over which "
                      "axis do the keys run?"),
        Misconception("inverted-mask", variant(_attention_right, "np.where(mask", "np.where(~mask"),
                      "You attend exactly where the mask forbids it. True means *may attend*."),
        Misconception("mask-after-softmax",
                      variant(_mask_ignored(_attention_right), "    return",
                              "    if mask is not None:\n        weights = np.where(mask, weights, 0.0)\n    return"),
                      "You set weights to 0 after the softmax, so the rows no longer add up to 1, and blocked keys "
                      "still changed the others. The mask belongs before the normalization."),
        Misconception("mask-ignored", _mask_ignored(_attention_right),
                      "The mask does not change your answer."),
        Misconception("zero-scores", variant(_attention_right, "-np.inf", "0.0"),
                      "You give blocked keys the score 0, but exp(0) = 1 is still a share of the attention. Which "
                      "score has the exponential 0?"),
        Misconception("mask-added", variant(_attention_right, "np.where(mask, scores, -np.inf)", "scores + mask"),
                      "You add the boolean mask to the scores, that is 1 or 0. A blocked key should get no attention "
                      "at all."),
        Misconception("finite-fill", variant(_attention_right, "-np.inf", "-1e9"),
                      "In a row where all keys are blocked your weights are uniform; they should be 0. (A large "
                      "negative score hides keys well only as long as one key is left.)"),
        Misconception("finite-penalty",
                      variant(_attention_right, "np.where(mask, scores, -np.inf)", "scores - 1e9 * ~mask"),
                      "Subtracting a large number hides keys well as long as one key is left. In a row where all are "
                      "blocked the shift cancels, and the mask is gone."),
        Misconception("nan-in-empty-rows", _nan_in_empty_rows(_attention_right),
                      "A row in which everything is blocked gives nan: its largest score is minus infinity. Find out "
                      "which rows have nothing to attend to, and treat them apart."),
        Misconception("no-shift", _attention_no_shift,
                      "Ordinary scores are right, but huge ones overflow, or underflow to 0 / 0. Do here what made "
                      "your softmax safe."),
        Misconception("no-softmax", variant(variant(_attention_right, "-np.inf", "0.0"),
                                            "weights @ v, weights", "scores @ v, scores"),
                      "You weigh the values with the bare scores. The weights of a row should be positive and add up "
                      "to 1."),
        Misconception("plain-transpose", variant(_attention_right, "np.swapaxes(k, -1, -2)", "k.T"),
                      "One matrix works, a batch does not: `.T` turns all axes around. Only the last two should swap."),
        Misconception("swapped-results", variant(_attention_right, "weights @ v, weights", "weights, weights @ v"),
                      "Both results are there, in the other order: the output first, then the weights."),
    ),
)

# --- attention_backward -----------------------------------------------------------------------------------------------


def backward_oracle(dout, q, k, v, mask=None):
    """Torch's automatic differentiation of the library's forward pass."""
    q, k, v = (_tensor(array).requires_grad_() for array in (q, k, v))
    out, _ = library_attention(q, k, v, None if mask is None else torch.from_numpy(np.array(mask)))
    return tuple(gradient.numpy() for gradient in torch.autograd.grad(out, (q, k, v), _tensor(dout)))


def _backward(rng, n, m, dk, dv, lead=(), scale=1.0):
    return rng.normal(size=(*lead, n, dv)), *_qkv(rng, n, m, dk, dv, lead, scale)


def backward_visible(rng):
    blocked = _mask(rng, 3, 4)
    blocked[2] = False
    return [
        Case("the example", (np.array([[1.0, 0.0]]), *_example_qkv())),
        Case("q (3, 4), k (5, 4), v (5, 2)", _backward(rng, 3, 5, 4, 2)),
        Case("a batch of 2, with a mask", (*_backward(rng, 3, 4, 2, 5, (2,)), _mask(rng, 2, 3, 4))),
        Case("(2, 2, 3, 3) with the causal mask", (*_backward(rng, 3, 3, 4, 2, (2, 2)), _causal(3))),
        Case("a row with nothing to attend to", (*_backward(rng, 3, 4, 2, 3), blocked), edge=True),
    ]


def backward_hidden(rng):
    no_key = np.zeros((2, 1, 4), dtype=bool)
    no_key[0] = True
    dout, q, k, v = _backward(rng, 3, 10, 8, 6)
    single = tuple(array.astype(np.float32) for array in _backward(rng, 3, 4, 5, 2))
    return [
        Case("q (4, 9), k (6, 9), v (6, 3)", _backward(rng, 4, 6, 9, 3)),
        Case("square: 4 queries, 4 keys, 4 features", _backward(rng, 4, 4, 4, 4)),
        Case("self-attention, causal", (*_backward(rng, 5, 5, 2, 3), _causal(5))),
        Case("two leading axes, a mask for each item", (*_backward(rng, 2, 5, 3, 2, (2, 3)), _mask(rng, 2, 1, 1, 5))),
        Case("a mask over keys only, by keyword", _backward(rng, 3, 4, 6, 2, (2,)), {"mask": _mask(rng, 4)}),
        Case("one query, one key", _backward(rng, 1, 1, 3, 2), edge=True),
        Case("batch of one", (*_backward(rng, 2, 3, 4, 2, (1,)), _mask(rng, 1, 2, 3)), edge=True),
        Case("an item of the batch whose keys are all blocked", (*_backward(rng, 3, 4, 3, 2, (2,)), no_key), edge=True),
        Case("huge scores", _backward(rng, 3, 4, 4, 2, scale=60.0), edge=True),
        Case("float32", (*single, _mask(rng, 3, 4)), edge=True),
        Case("non-contiguous views", (dout[:, ::2], q[:, ::2], k[:, ::2], v[:, ::2]), edge=True),
    ]


def _backward_right(dout, q, k, v, mask=None):
    scale = np.sqrt(q.shape[-1])
    scores = q @ np.swapaxes(k, -1, -2) / scale
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    top = scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = powers.sum(axis=-1, keepdims=True)
    weights = powers / np.where(total == 0, 1.0, total)
    dweights = dout @ np.swapaxes(v, -1, -2)
    mean = (weights * dweights).sum(axis=-1, keepdims=True)
    dscores = weights * (dweights - mean) / scale
    return dscores @ k, np.swapaxes(dscores, -1, -2) @ q, np.swapaxes(weights, -1, -2) @ dout


BACKWARD = Task(
    id="attention_backward",
    points=6,
    minutes=40,
    difficulty=4,
    signature="attention_backward(dout, q, k, v, mask=None) -> (dq, dk, dv)",
    visible=backward_visible,
    hidden=backward_hidden,
    oracle=backward_oracle,
    misconceptions=(
        Misconception("no-row-term", variant(_backward_right, "(dweights - mean)", "dweights"),
                      "dv is right, dq and dk are not. A score also changes the other weights of its row, because "
                      "they add up to 1: that is the second term of the softmax's Jacobian."),
        Misconception("no-softmax-derivative", variant(_backward_right, "weights * (dweights - mean)",
                                                       "np.where(np.isfinite(scores), dweights, 0.0)"),
                      "dv is right, but the gradient of the weights goes straight to the scores. There is a softmax "
                      "between them."),
        Misconception("diagonal-jacobian", variant(_backward_right, "(dweights - mean)", "(1 - weights) * dweights"),
                      "w (1 - w) is how a weight changes with its *own* score. The other scores of the row change it "
                      "too: the Jacobian is not diagonal."),
        Misconception("column-term", variant(_backward_right, "dweights).sum(axis=-1", "dweights).sum(axis=-2"),
                      "The correction term of the softmax is summed along the other axis. Along which one did the "
                      "softmax normalize?"),
        Misconception("scale-lost", variant(_backward_right, "(dweights - mean) / scale", "(dweights - mean)"),
                      "dq and dk are too large by one constant factor. The forward pass divides the scores by "
                      "something; the chain rule meets that division again."),
        Misconception("unscaled", variant(_backward_right, "scale = np.sqrt(q.shape[-1])", "scale = 1.0"),
                      "These are the gradients of attention without a scale. Begin with exactly the forward pass of "
                      "task 3."),
        Misconception("scaled-twice", variant(_backward_right, "@ q,", "@ q / scale,"),
                      "dq is right and dk is too small by one constant factor: along that path the scale is counted "
                      "twice."),
        Misconception("keys-not-transposed",
                      variant(_backward_right, "np.swapaxes(dscores, -1, -2) @ q", "dscores @ q"),
                      "dk adds up over the queries. A matrix product with the scores' gradient as it stands adds up "
                      "over the keys."),
        Misconception("values-not-transposed",
                      variant(_backward_right, "np.swapaxes(weights, -1, -2) @ dout", "weights @ dout"),
                      "dv adds up over the queries that looked at a value. A matrix product with the weights as they "
                      "stand adds up over the keys."),
        Misconception("swapped-gradients", variant(_backward_right, "dscores @ k, np.swapaxes(dscores, -1, -2) @ q",
                                                   "np.swapaxes(dscores, -1, -2) @ q, dscores @ k"),
                      "The gradients look right, but those of q and k have changed places."),
        Misconception("mask-ignored", _mask_ignored(_backward_right),
                      "The mask does not change your answer. A blocked key gets no weight, and its score no gradient."),
        Misconception("nan-in-empty-rows", _nan_in_empty_rows(_backward_right),
                      "A row in which everything is blocked gives nan, and one nan spoils a whole matrix product. "
                      "Its weights and its gradient are 0."),
        Misconception("finite-fill", variant(_backward_right, "-np.inf", "-1e9"),
                      "In a row where everything is blocked your weights are not 0, so it still sends a gradient to "
                      "the values."),
    ),
)

# --- multi_head_attention ---------------------------------------------------------------------------------------------


def multi_head_oracle(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    """One sequence and one head at a time, by slices."""
    batch, n, d = x.shape
    if num_heads < 1 or d % num_heads:
        raise ValueError(f"num_heads = {num_heads} does not divide D = {d}")
    width = d // num_heads
    allowed = np.broadcast_to(True if mask is None else mask, (batch, num_heads, n, n))
    side_by_side = np.empty(x.shape)
    for b in range(batch):
        tokens = x[b].astype(np.float64)
        for h in range(num_heads):
            columns = slice(h * width, (h + 1) * width)
            q, k, v = (tokens @ w[:, columns] for w in (w_q, w_k, w_v))
            side_by_side[b, :, columns] = attention_oracle(q, k, v, allowed[b, h])[0]
    return side_by_side @ w_o


def _multi_head(rng, batch, n, d, heads):
    weights = (rng.normal(size=(d, d)) / math.sqrt(d) for _ in range(4))
    return 1.5 * rng.normal(size=(batch, n, d)), *weights, heads


def multi_head_visible(rng):
    empty = _mask(rng, 3, 3)
    empty[0] = False
    return [
        Case("x (2, 3, 4), 2 heads", _multi_head(rng, 2, 3, 4, 2)),
        Case("x (2, 4, 6), 3 heads, causal", (*_multi_head(rng, 2, 4, 6, 3), _causal(4))),
        Case("x (2, 3, 4), 1 head", _multi_head(rng, 2, 3, 4, 1)),
        Case("4 heads do not divide D = 6", _multi_head(rng, 1, 2, 6, 4), edge=True),
        Case("a row with nothing to attend to", (*_multi_head(rng, 2, 3, 4, 2), empty), edge=True),
    ]


def multi_head_hidden(rng):
    x, w_q, w_k, w_v, w_o, _ = _multi_head(rng, 2, 3, 8, 2)
    single = tuple(a.astype(np.float32) for a in _multi_head(rng, 2, 3, 4, 2)[:5])
    return [
        Case("x (2, 5, 8), 2 heads", _multi_head(rng, 2, 5, 8, 2)),
        Case("x (3, 4, 8), 4 heads, a mask by sequence", (*_multi_head(rng, 3, 4, 8, 4), _mask(rng, 3, 1, 1, 4))),
        Case("x (2, 3, 6), 2 heads, a mask by head", (*_multi_head(rng, 2, 3, 6, 2), _mask(rng, 2, 3, 3))),
        Case("x (2, 2, 4), a mask (B, H, N, N)", (*_multi_head(rng, 2, 2, 4, 2), _mask(rng, 2, 2, 2, 2))),
        Case("everything 4: batch, tokens, features, heads", _multi_head(rng, 4, 4, 4, 4)),
        Case("the mask by keyword", _multi_head(rng, 2, 3, 4, 2), {"mask": _causal(3)}),
        Case("batch of one", _multi_head(rng, 1, 3, 4, 2), edge=True),
        Case("one token", _multi_head(rng, 2, 1, 4, 2), edge=True),
        Case("2 heads do not divide D = 5", _multi_head(rng, 1, 2, 5, 2), edge=True),
        Case("more heads than features", _multi_head(rng, 1, 2, 4, 8), edge=True),
        Case("huge tokens", (40.0 * x, w_q, w_k, w_v, w_o, 2), edge=True),
        Case("float32", (*single, 2, _causal(3)), edge=True),
        Case("non-contiguous views", (x[..., ::2], *(w[::2, ::2] for w in (w_q, w_k, w_v, w_o)), 2), edge=True),
    ]


def _multi_head_right(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    b, n, d = x.shape
    if d % num_heads:
        raise ValueError("num_heads must divide D")
    q, k, v = ((x @ w).reshape(b, n, num_heads, d // num_heads).transpose(0, 2, 1, 3) for w in (w_q, w_k, w_v))
    scores = q @ k.swapaxes(2, 3) / np.sqrt(d // num_heads)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    top = scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = powers.sum(axis=-1, keepdims=True)
    weights = powers / np.where(total == 0, 1.0, total)
    return (weights @ v).transpose(0, 2, 1, 3).reshape(b, n, d) @ w_o


def _heads_no_check(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    b, n, d = x.shape
    out = np.zeros((b, n, d))
    width = d // num_heads
    allowed = np.broadcast_to(True if mask is None else mask, (b, num_heads, n, n))
    for h in range(num_heads):
        q, k, v = (x @ w[:, h * width : (h + 1) * width] for w in (w_q, w_k, w_v))
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(max(width, 1))
        top = np.max(scores, axis=-1, keepdims=True, where=allowed[:, h], initial=-1e300)
        powers = np.where(allowed[:, h], np.exp(np.where(allowed[:, h], scores - top, 0.0)), 0.0)
        weights = powers / np.maximum(powers.sum(axis=-1, keepdims=True), 1e-300)
        out[:, :, h * width : (h + 1) * width] = weights @ v
    return out @ w_o


MULTI_HEAD = Task(
    id="multi_head_attention",
    points=5,
    minutes=30,
    difficulty=3,
    signature="multi_head_attention(x, w_q, w_k, w_v, w_o, num_heads, mask=None) -> out",
    visible=multi_head_visible,
    hidden=multi_head_hidden,
    oracle=multi_head_oracle,
    misconceptions=(
        Misconception("interleaved-heads",
                      variant(variant(_multi_head_right, "num_heads, d // num_heads).transpose(0, 2, 1, 3)",
                                      "d // num_heads, num_heads).transpose(0, 3, 1, 2)"),
                              "v).transpose(0, 2, 1, 3)", "v).transpose(0, 2, 3, 1)"),
                      "Each of your heads takes every H-th column. Head h uses neighboring columns, h D/H to (h+1) "
                      "D/H: look at the order of the two new axes in your reshape."),
        Misconception("split-without-transpose",
                      variant(variant(_multi_head_right, "n, num_heads, d // num_heads).transpose(0, 2, 1, 3)",
                                      "num_heads, n, d // num_heads)"),
                              "v).transpose(0, 2, 1, 3)", "v)"),
                      "A reshape straight to (B, H, N, D/H) mixes tokens with features. First split the columns, "
                      "then move the axis of the heads."),
        Misconception("merged-without-transpose", variant(_multi_head_right, "v).transpose(0, 2, 1, 3)", "v)"),
                      "The heads are split well but not put back together well: before the last reshape a token's "
                      "heads have to lie side by side again."),
        Misconception("no-output-projection", variant(_multi_head_right, " @ w_o", ""),
                      "Your heads stand side by side, but nothing mixes them: one of the arguments is never used."),
        Misconception("scaled-by-model-width", variant(_multi_head_right, "np.sqrt(d // num_heads)", "np.sqrt(d)"),
                      "Each head works with D/H features, not D. Which of them belongs into the scale?"),
        Misconception("unscaled", variant(_multi_head_right, " / np.sqrt(d // num_heads)", ""),
                      "The scores of the heads are not scaled."),
        Misconception("one-head",
                      variant(variant(_multi_head_right, "    q, k, v =", "    num_heads = 1\n    q, k, v ="),
                              "(weights @ v)", "(weights[:, :1] @ v)"),
                      "One head is right, several are not: every head gives the same answer, that of one head over "
                      "all columns."),
        Misconception("transposed-weights",
                      variant(variant(_multi_head_right, "x @ w)", "x @ w.T)"), "@ w_o", "@ w_o.T"),
                      "You multiply by the transposed weights. Here tokens are rows and a projection is x @ w."),
        Misconception("inverted-mask", variant(_multi_head_right, "np.where(mask", "np.where(~mask"),
                      "You attend exactly where the mask forbids it. True means *may attend*."),
        Misconception("mask-ignored", _mask_ignored(_multi_head_right),
                      "The mask does not change your answer."),
        Misconception("nan-in-empty-rows", _nan_in_empty_rows(_multi_head_right),
                      "A row in which everything is blocked gives nan. As in task 3, it should attend to nothing."),
        Misconception("finite-fill", variant(_multi_head_right, "-np.inf", "-1e9"),
                      "A row in which everything is blocked gets uniform weights. As in task 3, it should attend to "
                      "nothing."),
        Misconception("no-check", _heads_no_check,
                      "The values are right, but when the heads do not divide the columns you return something all "
                      "the same, and some columns are lost without a word."),
    ),
)

# --- additive_attention -----------------------------------------------------------------------------------------------


def additive_oracle(queries, keys, values, w_q, w_k, w_a):
    """The definition, one query, one key and one hidden unit at a time."""
    queries, keys, values, w_q, w_k, w_a = (a.astype(np.float64) for a in (queries, keys, values, w_q, w_k, w_a))
    weights = np.empty((len(queries), len(keys)))
    for i, query in enumerate(queries):
        scores = []
        for key in keys:
            units = (math.tanh(math.fsum([*(query * w_q[:, a]), *(key * w_k[:, a])])) for a in range(len(w_a)))
            scores.append(math.fsum(w * unit for w, unit in zip(w_a, units, strict=True)))
        powers = [math.exp(score - max(scores)) for score in scores]
        weights[i] = np.array(powers) / math.fsum(powers)
    return np.einsum("nm,mv->nv", weights, values), weights


def _additive(rng, n, m, dq, dkey, dv, a, scale=1.0):
    return (
        rng.normal(size=(n, dq)),
        rng.normal(size=(m, dkey)),
        rng.normal(size=(m, dv)),
        rng.normal(size=(dq, a)) / math.sqrt(dq),
        rng.normal(size=(dkey, a)) / math.sqrt(dkey),
        scale * rng.normal(size=a),
    )


def additive_visible(rng):
    example = (
        np.array([[1.0, 0.0]]),
        np.array([[1.0], [-1.0]]),
        np.array([[4.0], [8.0]]),
        np.array([[1.0], [0.0]]),
        np.array([[1.0]]),
        np.array([2.0]),
    )
    return [
        Case("the example", example),
        Case("3 queries, 4 keys, every width different", _additive(rng, 3, 4, 2, 5, 3, 6, 1.5)),
        Case("3 queries, 3 keys, every width 4", _additive(rng, 3, 3, 4, 4, 4, 4, 1.5)),
        Case("huge scores", _additive(rng, 2, 3, 3, 2, 2, 4, 1000.0), edge=True),
    ]


def additive_hidden(rng):
    single = tuple(array.astype(np.float32) for array in _additive(rng, 3, 4, 2, 3, 2, 5))
    wide = _additive(rng, 3, 4, 8, 6, 4, 10)
    views = tuple(a[..., ::2] for a in wide[:3]) + (wide[3][::2, ::2], wide[4][::2, ::2], wide[5][::2])
    return [
        Case("5 queries, 2 keys, every width different", _additive(rng, 5, 2, 4, 3, 2, 7)),
        Case("4 queries, 4 keys, every width different", _additive(rng, 4, 4, 2, 3, 5, 6, 2.0)),
        Case("2 queries, 5 keys, every width 3", _additive(rng, 2, 5, 3, 3, 3, 3, 2.0)),
        Case("one hidden unit", _additive(rng, 3, 4, 2, 3, 2, 1, 2.0)),
        Case("one query, one key", _additive(rng, 1, 1, 2, 3, 2, 4), edge=True),
        Case("hugely negative scores", (*_additive(rng, 2, 3, 3, 2, 2, 4)[:5], np.full(4, -3000.0)), edge=True),
        Case("float32", single, edge=True),
        Case("non-contiguous views", views, edge=True),
    ]


def _additive_right(queries, keys, values, w_q, w_k, w_a):
    hidden = np.tanh((queries @ w_q)[:, None, :] + keys @ w_k)
    scores = hidden @ w_a
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = powers / powers.sum(axis=1, keepdims=True)
    return weights @ values, weights


ADDITIVE = Task(
    id="additive_attention",
    points=3,
    minutes=20,
    difficulty=2,
    signature="additive_attention(queries, keys, values, w_q, w_k, w_a) -> (out, weights)",
    visible=additive_visible,
    hidden=additive_hidden,
    oracle=additive_oracle,
    misconceptions=(
        Misconception("no-tanh", variant(_additive_right, "np.tanh", ""),
                      "Every query gets the same weights. Without a bend in between, the query's part of the score "
                      "is the same for all keys, and the softmax takes it out."),
        Misconception("tanh-apart", variant(_additive_right, "np.tanh((queries @ w_q)[:, None, :] + keys @ w_k)",
                                            "np.tanh(queries @ w_q)[:, None, :] + np.tanh(keys @ w_k)"),
                      "Every query gets the same weights. Query and key have to meet *inside* the hyperbolic tangent."),
        Misconception("product", variant(_additive_right, "np.tanh((queries @ w_q)[:, None, :] + keys @ w_k)",
                                         "np.tanh(queries @ w_q)[:, None, :] * np.tanh(keys @ w_k)"),
                      "You multiply the query's hidden units with the key's: that is a dot-product attention. Look "
                      "at the name of this one."),
        Misconception("tanh-outside",
                      variant(variant(_additive_right, "np.tanh", ""), "hidden @ w_a", "np.tanh(hidden @ w_a)"),
                      "Your scores lie between -1 and 1: the hyperbolic tangent acts on the finished score. It "
                      "belongs to the hidden units."),
        Misconception("no-output-weights", variant(_additive_right, "hidden @ w_a", "hidden.sum(axis=2)"),
                      "The hidden units are added up as they are: one of the arguments is never used."),
        Misconception("no-softmax", variant(_additive_right, "weights @ values, weights", "scores @ values, scores"),
                      "You weigh the values with the bare scores. The weights of a row should be positive and add up "
                      "to 1."),
        Misconception("softmax-over-queries",
                      variant(variant(_additive_right, "scores.max(axis=1", "scores.max(axis=0"),
                              "powers.sum(axis=1", "powers.sum(axis=0"),
                      "The columns of your weights add up to 1. Each *query* shares out its attention over the keys."),
        Misconception("scaled", variant(_additive_right, "hidden @ w_a", "hidden @ w_a / np.sqrt(len(w_a))"),
                      "Your weights are too flat. Dot products need a scale; the formula of additive attention has "
                      "none."),
        Misconception("keys-as-values", variant(_additive_right, "weights @ values", "weights @ keys"),
                      "The weights are right, but you average the keys with them."),
        Misconception("no-shift", variant(_additive_right, " - scores.max(axis=1, keepdims=True)", ""),
                      "Ordinary scores are right, but huge ones overflow, or underflow to 0 / 0. Do here what made "
                      "your softmax safe."),
    ),
)

# --- positional_encoding ----------------------------------------------------------------------------------------------


def encoding_oracle(n, d, base=10000.0):
    """The definition, one entry at a time."""
    entries = [
        math.sin(p / base ** (i / d)) if i % 2 == 0 else math.cos(p / base ** ((i - 1) / d))
        for p in range(n)
        for i in range(d)
    ]
    return np.array(entries).reshape(n, d)


def encoding_visible(rng):
    return [
        Case("n = 3, d = 4, the example", (3, 4)),
        Case("n = 6, d = 8", (6, 8)),
        Case("n = 5, d = 6, base 50", (5, 6, 50.0)),
        Case("n = 4, d = 5: an odd number of columns", (4, 5), edge=True),
    ]


def encoding_hidden(rng):
    return [
        Case("n = 7, d = 6", (7, 6)),
        Case("n = 4, d = 12", (4, 12)),
        Case("n = d = 8", (8, 8)),
        Case("n = 10, d = 4, base 20", (10, 4), {"base": 20.0}),
        Case("n = 5, d = 2", (5, 2)),
        Case("one position", (1, 6), edge=True),
        Case("one column", (6, 1), edge=True),
        Case("n = 9, d = 7, base 100", (9, 7, 100.0), edge=True),
        Case("a thousand positions", (1000, 4), edge=True),
    ]


def _encoding_right(n, d, base=10000.0):
    i = np.arange(d)
    angle = np.arange(n)[:, None] / base ** ((i - i % 2) / d)
    return np.where(i % 2 == 0, np.sin(angle), np.cos(angle))


def _encoding_even_only(n, d, base=10000.0):
    out = np.zeros((n, d))
    angle = np.arange(n)[:, None] / base ** (np.arange(0, d, 2) / d)
    out[:, 0::2] = np.sin(angle)
    out[:, 1::2] = np.cos(angle)
    return out


ENCODING = Task(
    id="positional_encoding",
    points=3,
    minutes=15,
    difficulty=2,
    signature="positional_encoding(n, d, base=10000.0) -> encoding",
    visible=encoding_visible,
    hidden=encoding_hidden,
    oracle=encoding_oracle,
    misconceptions=(
        Misconception("halves", variant(_encoding_right, "np.where(i % 2 == 0, np.sin(angle), np.cos(angle))",
                                        "np.concatenate([np.sin(angle[:, ::2]), np.cos(angle[:, 1::2])], axis=1)"),
                      "All your sines come first and the cosines after them. Here they alternate: sine in the even "
                      "columns, cosine in the odd ones."),
        Misconception("own-exponent", variant(_encoding_right, "(i - i % 2)", "i"),
                      "The even columns are right. An odd column turns as fast as its even neighbor on the left: "
                      "look at its exponent again."),
        Misconception("base-ignored", variant(_encoding_right, "/ base", "/ 10000.0"),
                      "Your answer is the same whatever `base` says."),
        Misconception("doubled-exponent", variant(_encoding_right, "(i - i % 2)", "2 * (i - i % 2)"),
                      "The exponent runs to nearly 2. Some books number the *pairs* of columns and write 2i; here i "
                      "is already the number of the column."),
        Misconception("halved-exponent", variant(_encoding_right, "(i - i % 2)", "(i // 2)"),
                      "The exponent runs to nearly 1/2: it seems to use the number of the pair. Here i is the number "
                      "of the column."),
        Misconception("swapped",
                      variant(_encoding_right, "np.sin(angle), np.cos(angle)", "np.cos(angle), np.sin(angle)"),
                      "Sine and cosine have changed places. Position 0 should begin with sin(0) = 0."),
        Misconception("from-one", variant(_encoding_right, "np.arange(n)", "np.arange(1, n + 1)"),
                      "Your first row is that of position 1. Positions count from 0."),
        Misconception("multiplied", variant(_encoding_right, "/ base", "* base"),
                      "The columns turn faster and faster. They should turn slower and slower: where does the power "
                      "of the base stand?"),
        Misconception("even-only", _encoding_even_only,
                      "An even number of columns works. With an odd one there is one cosine column less than there "
                      "are sine columns."),
        Misconception("transposed", variant(_encoding_right, "np.cos(angle))", "np.cos(angle)).T"),
                      "Your array is (d, n). Positions are rows, as tokens are."),
    ),
)

# --- read_dates -------------------------------------------------------------------------------------------------------

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def iso_date(text: str) -> str:
    """What a written-out date means, by rules: the truth that ``read_dates`` is compared with.

    Raises:
        ValueError: The text is no date in one of the ways of writing of ``neuralnotes.data.dates``.
    """
    dotted = re.fullmatch(r"(\d\d)\.(\d\d)\.(\d{2,4})", text)
    if dotted:
        day, month, year = map(int, dotted.groups())
    else:
        names = [word for word in re.findall(r"[a-z]+", text) if word[:3] in _MONTHS]
        numbers = re.findall(r"\d+", text)
        if len(names) != 1 or len(numbers) != 2:
            raise ValueError(f"{text!r} is no date in a known way of writing")
        month = _MONTHS.index(names[0][:3]) + 1
        day, year = map(int, numbers)
    if year < 100:
        year += 1900 if year >= 70 else 2000
    return f"{year:04d}-{month:02d}-{day:02d}"


def read_oracle(characters, parameters):
    vocabulary = data.date_vocabulary()
    truth = vocabulary.encode([iso_date(text) for text in vocabulary.decode(characters)], length=10)
    tensors = {name: _tensor(array) for name, array in parameters.items()}
    _, alignment = date_reader.read(torch.from_numpy(np.array(characters)), tensors)
    return truth, alignment.numpy()


@dataclass(frozen=True)
class ReadsDates:
    """Compares what was read with the true dates, and the alignment with that of the model.

    Attributes:
        accuracy: The share of dates that have to be exactly right.
    """

    accuracy: float = 0.95

    def __call__(self, case: Case, expected: Any, got: Any) -> Problem | None:
        truth, alignment = expected
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            return _problem(f"the result should be a tuple (dates, alignment), not {describe(got)}")
        dates, weights = got
        if not isinstance(dates, np.ndarray) or dates.dtype.kind not in "iu":
            return _problem(f"dates should be an array of integers, one index per character, not {describe(dates)}")
        if dates.shape != truth.shape:
            return _problem("dates has the wrong shape", f"got shape {dates.shape}, expected shape {truth.shape}")
        problem = Close()(case, alignment, weights)
        right = np.all(dates == truth, axis=1)
        if np.mean(right) < self.accuracy:
            first = int(np.argmin(right))
            where = "; the alignment is not that of the model either" if problem else "; the alignment is right"
            return _problem(
                f"{np.mean(right):.0%} of the dates are read right, {self.accuracy:.0%} are asked for{where}",
                f"{_text(case.arguments[0][first])!r} was read as {_text(dates[first])!r}, not {_text(truth[first])!r}",
            )
        if problem is None:
            return None
        summary = problem.summary.replace("the result", "alignment")
        if weights_are_off(weights, alignment):
            summary += "; each row should add up to 1 over the characters of the text, with 0 on the padding"
        return _problem(f"the dates are read well, but {summary}", problem.detail.replace("the result", "alignment"))


def weights_are_off(weights: Any, alignment: np.ndarray) -> bool:
    """Whether rows do not add up to 1, or something lies on the padding (where the model's alignment is 0)."""
    if not isinstance(weights, np.ndarray) or weights.shape != alignment.shape:
        return False
    padding = np.all(alignment == 0, axis=1, keepdims=True)
    return not np.allclose(weights.sum(axis=-1), 1.0) or bool(np.any(np.where(padding, weights, 0.0) != 0))


def _text(indices: np.ndarray) -> str:
    characters = data.date_vocabulary().characters
    return "".join(characters[i - 2] if 2 <= i < len(characters) + 2 else "?" for i in indices.tolist() if i != 0)


def _problem(summary: str, detail: str = "") -> Problem:
    return Problem(summary, f"{summary}: {detail}" if detail else summary)


def _dates(rng, n):
    pairs = date_reader.held_out_dates()
    return [pairs[i][0] for i in rng.choice(len(pairs), size=n, replace=False)]


def _read(name, texts, length=None, edge=False):
    characters = data.date_vocabulary().encode(texts, length)
    return Case(name, (characters, date_reader.parameters()), edge=edge)


# One text for each way of writing.
_EIGHT_WAYS = (
    "9 october 2031",
    "march 14, 1998",
    "saturday, 14 march 1998",
    "tuesday, november 30, 2027",
    "5 feb 76",
    "the 3rd of may, 2021",
    "01.12.2009",
    "14.03.98",
)


def read_visible(rng):
    return [
        _read("20 dates that the model has never seen", _dates(rng, 20)),
        _read("'saturday, 14 march 1998'", ["saturday, 14 march 1998"], edge=True),
    ]


def read_hidden(rng):
    return [
        _read("40 dates that the model has never seen", _dates(rng, 40)),
        _read("each way of writing, and more padding", _EIGHT_WAYS, length=33),
        _read("a batch of one, without padding", ["the 3rd of may, 2021"], edge=True),
    ]


def _read_right(characters, parameters):
    def attend(q, k, v, mask):
        scores = np.where(mask, q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]), -np.inf)
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights = powers / powers.sum(axis=-1, keepdims=True)
        return weights @ v, weights

    p = parameters
    n, t = characters.shape
    embedded = p["embedding"][characters]
    d = embedded.shape[2]
    i = np.arange(d)
    angle = np.arange(t)[:, None] / 10000.0 ** ((i - i % 2) / d)
    x = embedded + np.where(i % 2 == 0, np.sin(angle), np.cos(angle))
    real = (characters != 0)[:, None, :]
    q, k, v = ((x @ p[name]).reshape(n, t, 4, d // 4).swapaxes(1, 2) for name in ("w_q", "w_k", "w_v"))
    attended = attend(q, k, v, real[:, None])[0].swapaxes(1, 2).reshape(n, t, d) @ p["w_o"]
    queries = np.broadcast_to(p["queries"], (n, 10, d))
    found, alignment = attend(queries, (x + attended) @ p["w_keys"], embedded @ p["w_values"], real)
    logits = np.maximum(0.0, (found + queries) @ p["w_hidden"]) @ p["w_out"]
    return logits.argmax(axis=-1), alignment


READ = Task(
    id="read_dates",
    points=5,
    minutes=30,
    difficulty=3,
    signature="read_dates(characters, parameters) -> (dates, alignment)",
    visible=read_visible,
    hidden=read_hidden,
    oracle=read_oracle,
    compare=ReadsDates(),
    misconceptions=(
        Misconception("padding-not-masked",
                      variant(_read_right, "np.where(mask, q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]), -np.inf)",
                              "q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])"),
                      "Your model looks at the padding behind the short texts as if it were text. Both attentions "
                      "need a mask."),
        Misconception("padding-seen-by-self-attention", variant(_read_right, "real[:, None]", "True"),
                      "The reading does not look at the padding, but the self-attention before it does: it needs a "
                      "mask too."),
        Misconception("no-position",
                      variant(_read_right, "embedded + np.where(i % 2 == 0, np.sin(angle), np.cos(angle))",
                              "embedded"),
                      "Your model knows which characters are in the text but not where they stand: something is "
                      "missing from x."),
        Misconception("no-residual", variant(_read_right, "(x + attended)", "attended"),
                      "The keys know the neighborhood of a character but no longer the character itself: x is added "
                      "to what the self-attention returns."),
        Misconception("values-from-context",
                      variant(_read_right, 'embedded @ p["w_values"]', '(x + attended) @ p["w_values"]'),
                      "The alignment is right, what is read is not. The values are made of the bare embedding, the "
                      "keys of the context: compare your two lines with the recipe."),
        Misconception("queries-forgotten", variant(_read_right, "(found + queries)", "found"),
                      "The alignment is right, what is read is not. The hidden layer has to know *which* character "
                      "of the date it is writing, too."),
    ),
)


def _tensor(array) -> torch.Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float64))


TASKS: tuple[Task, ...] = (SOFTMAX, CAUSAL_MASK, ATTENTION, BACKWARD, MULTI_HEAD, ADDITIVE, ENCODING, READ)
