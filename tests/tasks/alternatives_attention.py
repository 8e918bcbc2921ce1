"""Right answers to the assignment ``attention`` in other styles than the solution's. Each stands alone."""

from __future__ import annotations

import math
from itertools import product

import numpy as np

# --- softmax ----------------------------------------------------------------------------------------------------------


def softmax_by_slices(x, axis=-1):
    out = np.empty_like(x)
    moved, target = np.moveaxis(x, axis, -1), np.moveaxis(out, axis, -1)
    for index in np.ndindex(moved.shape[:-1]):
        powers = [math.exp(value - max(moved[index])) for value in moved[index]]
        target[index] = [power / math.fsum(powers) for power in powers]
    return out


def softmax_by_log_sum_exp(x, axis=-1):
    return np.exp(x - np.logaddexp.reduce(x, axis=axis, keepdims=True))


def softmax_along_axis(x, axis=-1):
    def one(row):
        powers = np.exp(row - row.max())
        return powers / powers.sum()

    return np.apply_along_axis(one, axis, x)


def softmax_by_differences(x, axis=-1):
    rows = np.moveaxis(x, axis, -1)
    with np.errstate(over="ignore", invalid="ignore"):
        differences = rows[..., None, :] - rows[..., :, None]  # entry (i, j): x_j - x_i
        shares = 1.0 / np.exp(differences).sum(axis=-1)
    return np.moveaxis(np.where(np.isneginf(rows), 0.0, shares), -1, axis)


# --- causal_mask ------------------------------------------------------------------------------------------------------


def causal_mask_tri(n):
    return np.tri(n, dtype=bool)


def causal_mask_loops(n):
    mask = np.zeros((n, n), dtype=bool)
    for i in range(n):
        mask[i, : i + 1] = True
    return mask


def causal_mask_comprehension(n):
    return np.array([[j <= i for j in range(n)] for i in range(n)])


def causal_mask_not_future(n):
    return ~np.triu(np.ones((n, n), dtype=bool), 1)


# --- scaled_dot_product_attention -------------------------------------------------------------------------------------


def attention_guarded_nan(q, k, v, mask=None):
    scores = np.einsum("...nd,...md->...nm", q, k) / math.sqrt(k.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    with np.errstate(invalid="ignore"):
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        weights = np.nan_to_num(powers / powers.sum(-1, keepdims=True), nan=0.0)
    return np.einsum("...nm,...mv->...nv", weights, v), weights


def attention_large_number(q, k, v, mask=None):
    scores = (q / np.sqrt(q.shape[-1])) @ k.swapaxes(-1, -2)
    if mask is None:
        mask = np.ones(scores.shape, dtype=bool)
    scores = np.where(mask, scores, -1e30)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    weights = weights * np.broadcast_to(mask, weights.shape).any(axis=-1, keepdims=True)
    return weights @ v, weights


def attention_masked_powers(q, k, v, mask=None):
    scores = np.matmul(q, np.moveaxis(k, -1, -2)) * k.shape[-1] ** -0.5
    allowed = np.ones(scores.shape, dtype=bool) if mask is None else np.broadcast_to(mask, scores.shape)
    lowest = scores.min(axis=-1, keepdims=True)
    top = np.where(allowed, scores, lowest).max(axis=-1, keepdims=True)
    powers = np.exp(np.minimum(scores - top, 0.0)) * allowed
    weights = powers / np.maximum(powers.sum(axis=-1, keepdims=True), np.finfo(scores.dtype).tiny)
    return weights @ v, weights


def attention_row_by_row(q, k, v, mask=None):
    lead, n, m = q.shape[:-2], q.shape[-2], k.shape[-2]
    allowed = np.broadcast_to(True if mask is None else mask, (*lead, n, m))
    weights, out = np.zeros((*lead, n, m)), np.zeros((*lead, n, v.shape[-1]))
    for index in np.ndindex(*lead):
        for i in range(n):
            chosen = allowed[index][i]
            if not chosen.any():
                continue
            scores = k[index][chosen] @ q[index][i] / math.sqrt(q.shape[-1])
            powers = np.exp(scores - scores.max())
            weights[index][i, chosen] = powers / powers.sum()
            out[index][i] = weights[index][i, chosen] @ v[index][chosen]
    return out, weights


def attention_scalar_loops(q, k, v, mask=None):
    n, m, width = q.shape[-2], k.shape[-2], q.shape[-1]
    shape = (*q.shape[:-1], m)
    weights, out = np.zeros(shape), np.zeros((*q.shape[:-1], v.shape[-1]))
    allowed = np.ones(shape, dtype=bool) if mask is None else np.broadcast_to(mask, shape)
    for *lead, i in product(*map(range, q.shape[:-2]), range(n)):
        at = tuple(lead)
        keys = [j for j in range(m) if allowed[(*at, i, j)]]
        scores = {j: sum(q[(*at, i, d)] * k[(*at, j, d)] for d in range(width)) / width**0.5 for j in keys}
        powers = {j: math.exp(scores[j] - max(scores.values())) for j in keys}
        for j in keys:
            weights[(*at, i, j)] = powers[j] / sum(powers.values())
            for c in range(v.shape[-1]):
                out[(*at, i, c)] += weights[(*at, i, j)] * v[(*at, j, c)]
    return [out, weights]


# --- attention_backward -----------------------------------------------------------------------------------------------


def backward_einsum(dout, q, k, v, mask=None):
    scores = np.einsum("...nd,...md->...nm", q, k) / np.sqrt(q.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    with np.errstate(invalid="ignore"):
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights = np.nan_to_num(powers / powers.sum(axis=-1, keepdims=True))
    out = np.einsum("...nm,...mv->...nv", weights, v)
    # the row term is dout . out: sum_m w_m (dout . v_m)
    dscores = weights * (np.einsum("...nv,...mv->...nm", dout, v) - np.sum(dout * out, axis=-1)[..., None])
    dscores /= np.sqrt(q.shape[-1])
    return (
        np.einsum("...nm,...md->...nd", dscores, k),
        np.einsum("...nm,...nd->...md", dscores, q),
        np.einsum("...nm,...nv->...mv", weights, dout),
    )


def backward_full_jacobian(dout, q, k, v, mask=None):
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    allowed = np.ones(scores.shape, dtype=bool) if mask is None else np.broadcast_to(mask, scores.shape)
    scores = np.where(allowed, scores, -1e30)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True)) * allowed
    weights = weights / np.where(allowed.any(-1, keepdims=True), weights.sum(axis=-1, keepdims=True), 1.0)
    jacobian = weights[..., :, None] * (np.eye(k.shape[-2]) - weights[..., None, :])  # (..., N, M, M)
    dweights = dout @ v.swapaxes(-1, -2)
    dscores = np.squeeze(jacobian @ dweights[..., None], -1) / math.sqrt(q.shape[-1])
    return [dscores @ k, dscores.swapaxes(-1, -2) @ q, weights.swapaxes(-1, -2) @ dout]


def backward_row_by_row(dout, q, k, v, mask=None):
    dq, dk, dv = np.zeros(q.shape), np.zeros(k.shape), np.zeros(v.shape)
    root = math.sqrt(q.shape[-1])
    allowed = np.broadcast_to(True if mask is None else mask, (*q.shape[:-1], k.shape[-2]))
    for index in np.ndindex(*q.shape[:-1]):
        lead = index[:-1]
        for_real = np.flatnonzero(allowed[index])
        if len(for_real) == 0:
            continue
        keys, values = k[lead][for_real], v[lead][for_real]
        scores = keys @ q[index] / root
        weights = np.exp(scores - scores.max())
        weights /= weights.sum()
        gradient = values @ dout[index]
        dscores = weights * (gradient - weights @ gradient)
        dq[index] = dscores @ keys / root
        dk[lead][for_real] += np.outer(dscores, q[index]) / root
        dv[lead][for_real] += np.outer(weights, dout[index])
    return dq, dk, dv


# --- multi_head_attention ---------------------------------------------------------------------------------------------


def heads_by_slices(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    if num_heads < 1 or x.shape[2] % num_heads:
        raise ValueError("the heads do not divide the columns")
    batch, n, d = x.shape
    width = d // num_heads
    allowed = np.broadcast_to(True if mask is None else mask, (batch, num_heads, n, n))
    heads = []
    for h in range(num_heads):
        part = slice(h * width, (h + 1) * width)
        q, k, v = x @ w_q[:, part], x @ w_k[:, part], x @ w_v[:, part]
        scores = np.where(allowed[:, h], q @ k.transpose(0, 2, 1) / np.sqrt(width), -np.inf)
        top = np.nan_to_num(scores.max(axis=-1, keepdims=True), neginf=0.0)
        powers = np.exp(scores - top)
        heads.append(powers / np.maximum(powers.sum(axis=-1, keepdims=True), 1e-30) @ v)
    return np.concatenate(heads, axis=-1) @ w_o


def heads_by_einsum(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    d = x.shape[-1]
    if d % num_heads != 0:
        raise ValueError(f"{num_heads} does not divide {d}")
    q, k, v = (
        np.einsum("bnd,dhe->bhne", x, w.reshape(d, num_heads, d // num_heads)) for w in (w_q, w_k, w_v)
    )
    scores = np.einsum("bhne,bhme->bhnm", q, k) / np.sqrt(d / num_heads)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    with np.errstate(invalid="ignore"):
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights = np.nan_to_num(powers / powers.sum(axis=-1, keepdims=True))
    return np.einsum("bhnm,bhme,hed->bnd", weights, v, w_o.reshape(num_heads, d // num_heads, d))


def heads_summed(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    batch, n, d = x.shape
    width, rest = divmod(d, num_heads)
    if rest:
        raise ValueError("D is not a multiple of num_heads")
    allowed = np.broadcast_to(True if mask is None else mask, (batch, num_heads, n, n))
    out = np.zeros(x.shape)
    for b, h, i in product(range(batch), range(num_heads), range(n)):
        columns = np.arange(h * width, (h + 1) * width)
        seen = np.flatnonzero(allowed[b, h, i])
        if seen.size:
            scores = (x[b, seen] @ w_k[:, columns]) @ (x[b, i] @ w_q[:, columns]) / math.sqrt(width)
            powers = np.exp(scores - scores.max())
            # side by side and then w_o is the same as the sum over heads of each head times its rows of w_o
            out[b, i] += (powers / powers.sum()) @ (x[b, seen] @ w_v[:, columns]) @ w_o[columns]
    return out


def heads_by_split(x, w_q, w_k, w_v, w_o, num_heads, mask=None):
    if x.shape[-1] % num_heads:
        raise ValueError("num_heads")
    q, k, v = (np.stack(np.split(x @ w, num_heads, axis=-1), axis=1) for w in (w_q, w_k, w_v))
    scores = q @ np.swapaxes(k, 2, 3) / np.sqrt(q.shape[-1])
    if mask is None:
        mask = np.True_
    scores = np.where(mask, scores, -1e30)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True)) * mask
    weights = powers / (powers.sum(axis=-1, keepdims=True) + 1e-300)
    heads = weights @ v
    return np.concatenate([heads[:, h] for h in range(num_heads)], axis=2) @ w_o


# --- additive_attention -----------------------------------------------------------------------------------------------


def additive_loops(queries, keys, values, w_q, w_k, w_a):
    weights = np.zeros((len(queries), len(keys)))
    for i in range(len(queries)):
        scores = np.array([np.dot(w_a, np.tanh(queries[i] @ w_q + keys[j] @ w_k)) for j in range(len(keys))])
        powers = np.exp(scores - scores.max())
        weights[i] = powers / powers.sum()
    return weights.dot(values), weights


def additive_concatenated(queries, keys, values, w_q, w_k, w_a):
    n, m = len(queries), len(keys)
    both = np.concatenate([np.repeat(queries, m, axis=0), np.tile(keys, (n, 1))], axis=1)  # (N M, Dq + Dkey)
    scores = (np.tanh(both @ np.vstack([w_q, w_k])) @ w_a).reshape(n, m)
    weights = np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))
    return weights @ values, weights


def additive_einsum(queries, keys, values, w_q, w_k, w_a):
    q, k = np.einsum("nd,da->na", queries, w_q), np.einsum("md,da->ma", keys, w_k)
    scores = np.einsum("nma,a->nm", np.tanh(np.add(q[:, np.newaxis], k)), w_a)
    scores -= scores.max(axis=1)[:, np.newaxis]
    weights = np.exp(scores)
    weights /= weights.sum(axis=1)[:, np.newaxis]
    return [np.einsum("nm,mv->nv", weights, values), weights]


# --- positional_encoding ----------------------------------------------------------------------------------------------


def encoding_slices(n, d, base=10000.0):
    out = np.zeros((n, d))
    speed = np.exp(-math.log(base) * np.arange(0, d, 2) / d)
    angle = np.arange(n)[:, np.newaxis] * speed
    out[:, 0::2] = np.sin(angle)
    out[:, 1::2] = np.cos(angle)[:, : d // 2]
    return out


def encoding_loops(n, d, base=10000.0):
    out = np.empty((n, d))
    for p in range(n):
        for i in range(0, d, 2):
            out[p, i] = math.sin(p / math.pow(base, i / d))
            if i + 1 < d:
                out[p, i + 1] = math.cos(p / math.pow(base, i / d))
    return out


def encoding_phases(n, d, base=10000.0):
    pair, odd = np.divmod(np.arange(d), 2)
    return np.sin(np.outer(np.arange(n), np.power(float(base), -2.0 * pair / d)) + odd * np.pi / 2)


def encoding_complex(n, d, base=10000.0):
    turns = np.exp(1j * np.arange(n)[:, None] / base ** (np.arange(0, d, 2) / d))
    return np.stack([turns.imag, turns.real], axis=-1).reshape(n, -1)[:, :d]


# --- read_dates -------------------------------------------------------------------------------------------------------


def read_text_by_text(characters, parameters):
    """Cuts each text to its length: without padding there is nothing to mask."""

    def attend(q, k, v):
        scores = q @ k.T / math.sqrt(q.shape[1])
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights = powers / powers.sum(axis=1, keepdims=True)
        return weights @ v, weights

    embedding, queries = parameters["embedding"], parameters["queries"]
    d = embedding.shape[1]
    dates = np.zeros((len(characters), len(queries)), dtype=int)
    alignment = np.zeros((len(characters), len(queries), characters.shape[1]))
    for row, text in enumerate(characters):
        embedded = embedding[text[text != 0]]
        x = embedded.copy()
        for i in range(d):
            wave = np.cos if i % 2 else np.sin
            x[:, i] += wave(np.arange(len(x)) / 10000 ** ((i - i % 2) / d))
        heads = []
        for h in range(4):
            part = slice(h * d // 4, (h + 1) * d // 4)
            heads.append(attend(*(x @ parameters[name][:, part] for name in ("w_q", "w_k", "w_v")))[0])
        context = x + np.hstack(heads) @ parameters["w_o"]
        found, weights = attend(queries, context @ parameters["w_keys"], embedded @ parameters["w_values"])
        hidden = (found + queries) @ parameters["w_hidden"]
        hidden[hidden < 0] = 0
        dates[row] = (hidden @ parameters["w_out"]).argmax(axis=1)
        alignment[row, :, : len(x)] = weights
    return dates, alignment


def read_einsum(characters, parameters):
    p = parameters
    real = characters > 0
    embedded = np.take(p["embedding"], characters, axis=0)
    _, t, d = embedded.shape
    angle = np.arange(t)[:, None] / 10000.0 ** (np.arange(0, d, 2) / d)
    x = embedded + np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(t, d)
    q, k, v = (np.einsum("ntd,dhe->nhte", x, p[w].reshape(d, 4, -1)) for w in ("w_q", "w_k", "w_v"))
    scores = np.where(real[:, None, None], np.einsum("nhte,nhse->nhts", q, k) / np.sqrt(d / 4), -1e30)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    context = x + np.einsum("nhts,nhse,hed->ntd", weights, v, p["w_o"].reshape(4, -1, d))
    scores = np.einsum("od,ntd->not", p["queries"], context @ p["w_keys"]) / np.sqrt(d)
    alignment = np.exp(np.where(real[:, None], scores, -np.inf) - scores.max(axis=-1, keepdims=True))
    alignment /= alignment.sum(axis=-1, keepdims=True)
    found = np.einsum("not,ntd->nod", alignment, embedded @ p["w_values"])
    logits = (found + p["queries"]).dot(p["w_hidden"]).clip(0).dot(p["w_out"])
    return [np.argmax(logits, axis=2).astype(np.int32), alignment]


def read_through_projected_embeddings(characters, parameters):
    """Values only depend on the character, so they are computed once for each character, not once for each place."""
    n, t = characters.shape
    d = parameters["embedding"].shape[1]
    position, column = np.mgrid[:t, :d]
    angle = position / 10000.0 ** ((column // 2 * 2) / d)
    x = parameters["embedding"][characters] + np.where(column % 2, np.cos(angle), np.sin(angle))
    blocked = characters == 0
    context = np.zeros_like(x)
    for h in range(4):
        part = slice(h * d // 4, (h + 1) * d // 4)
        q, k, v = (x @ parameters[name][:, part] for name in ("w_q", "w_k", "w_v"))
        scores = q @ k.transpose(0, 2, 1) / (d // 4) ** 0.5
        scores[np.broadcast_to(blocked[:, None, :], scores.shape)] = -np.inf
        powers = np.exp(scores - scores.max(axis=2, keepdims=True))
        context += powers / powers.sum(axis=2, keepdims=True) @ v @ parameters["w_o"][part]
    keys = (x + context) @ parameters["w_keys"]
    scores = parameters["queries"] @ keys.transpose(0, 2, 1) / d**0.5
    scores[np.broadcast_to(blocked[:, None, :], scores.shape)] = -np.inf
    powers = np.exp(scores - scores.max(axis=2, keepdims=True))
    alignment = powers / powers.sum(axis=2, keepdims=True)
    values = (parameters["embedding"] @ parameters["w_values"])[characters]
    hidden = np.maximum((alignment @ values + parameters["queries"]) @ parameters["w_hidden"], 0)
    return (hidden @ parameters["w_out"]).argmax(-1), alignment


ALTERNATIVES = {
    "softmax": [softmax_by_slices, softmax_by_log_sum_exp, softmax_along_axis, softmax_by_differences],
    "causal_mask": [causal_mask_tri, causal_mask_loops, causal_mask_comprehension, causal_mask_not_future],
    "scaled_dot_product_attention": [
        attention_guarded_nan,
        attention_large_number,
        attention_masked_powers,
        attention_row_by_row,
        attention_scalar_loops,
    ],
    "attention_backward": [backward_einsum, backward_full_jacobian, backward_row_by_row],
    "multi_head_attention": [heads_by_slices, heads_by_einsum, heads_summed, heads_by_split],
    "additive_attention": [additive_loops, additive_concatenated, additive_einsum],
    "positional_encoding": [encoding_slices, encoding_loops, encoding_phases, encoding_complex],
    "read_dates": [read_text_by_text, read_einsum, read_through_projected_embeddings],
}
