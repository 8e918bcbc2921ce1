"""Attention, its masks, positional encoding and layer normalization, forward and backward, written by hand.

Tokens are rows: queries (..., N, D_k), keys (..., M, D_k), values (..., M, D_v); weights are (..., N, M), and each row
adds up to 1. A mask is boolean, True where a query may attend to a key, and broadcasts to the shape of the weights. A
row with nothing to attend to gets zero weights and a zero output, in the backward pass too: never not-a-number.

Results have the device and the dtype of the arguments. No argument is written to.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def causal_mask(n: int, like: Tensor | None = None) -> Tensor:
    """Mask that lets each position attend to itself and to the past.

    >>> causal_mask(3)
    tensor([[ True, False, False],
            [ True,  True, False],
            [ True,  True,  True]])

    Args:
        n: Number of positions.
        like: A tensor on whose device the mask shall be; without it, torch's default device.

    Returns:
        Boolean mask, (n, n); row i is True in the columns 0 ... i.

    Raises:
        ValueError: If ``n`` is negative.

    Source: Vaswani et al. (2017), Attention is all you need.

    Chapter: Attention and transformers (masked-self-attention)
    """
    if n < 0:
        raise ValueError(f"n must not be negative, got {n}")
    position = torch.arange(n, device=None if like is None else like.device)
    return position[:, None] >= position  # (n, n)


def padding_mask(lengths: Tensor, n: int) -> Tensor:
    """Mask that hides the padding behind sequences shorter than ``n``.

    >>> padding_mask(torch.tensor([1, 3]), 3)
    tensor([[ True, False, False],
            [ True,  True,  True]])

    Args:
        lengths: Number of real tokens of each sequence, integers from 0 to ``n``, (B,).
        n: Number of positions in the batch.

    Returns:
        Boolean mask, (B, n), True for real tokens, on the device of ``lengths``. Index it ``[:, None, :]`` to hide keys
        in attention over (B, N, D), and ``[:, None, None, :]`` in multi-head attention.

    Raises:
        ValueError: If ``lengths`` is not a vector of integers from 0 to ``n``.

    Source: Vaswani et al. (2017), Attention is all you need.

    Chapter: Attention and transformers (masked-self-attention)
    """
    if lengths.dim() != 1 or lengths.dtype.is_floating_point or lengths.dtype == torch.bool:
        raise ValueError(f"lengths must be integers (B,), got {lengths.dtype} {tuple(lengths.shape)}")
    if not ((lengths >= 0) & (lengths <= n)).all():
        raise ValueError(f"lengths must lie in 0 ... {n}, got {lengths.tolist()}")
    return torch.arange(n, device=lengths.device) < lengths[:, None]  # (B, n)


def _check_mask(mask: Tensor | None, scores: Tensor) -> None:
    if mask is None:
        return
    if mask.dtype != torch.bool:
        raise ValueError(f"the mask must be boolean (True = may attend), got {mask.dtype}")
    sizes = zip(reversed(mask.shape), reversed(scores.shape), strict=False)
    if mask.dim() > scores.dim() or any(have not in (1, want) for have, want in sizes):
        raise ValueError(f"a mask {tuple(mask.shape)} does not broadcast to the weights, {tuple(scores.shape)}")


def _check_qkv(q: Tensor, k: Tensor, v: Tensor) -> None:
    fits = min(q.dim(), k.dim(), v.dim()) >= 2 and q.shape[-1] == k.shape[-1] and k.shape[-2] == v.shape[-2]
    if not fits:
        raise ValueError(
            "expected q (..., N, D_k), k (..., M, D_k) and v (..., M, D_v), "
            f"got q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)}"
        )


def masked_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Softmax over the last axis among the places that the mask allows; the others get exactly 0.

    >>> masked_softmax(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([True, True, False]))
    tensor([0.2689, 0.7311, 0.0000])

    Args:
        scores: Scores of any size, (..., M) with M at least 1.
        mask: Boolean, broadcastable to ``scores``, True = may attend; without it, every place may.

    Returns:
        Weights, the shape of ``scores``. A row adds up to 1, or is all 0 if it has nothing to attend to.

    Raises:
        ValueError: If the mask is not boolean or does not broadcast.

    Source: Vaswani et al. (2017), Attention is all you need.

    Chapter: Attention and transformers (masked-self-attention)
    """
    _check_mask(mask, scores)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    top = scores.detach().amax(dim=-1, keepdim=True)  # (..., 1); a shift does not change the result: no gradient
    top = top.masked_fill(top == -math.inf, 0.0)  # an empty row: exp(-inf - 0) = 0, but exp(-inf + inf) is no number
    powers = torch.exp(scores - top)  # (..., M)
    total = powers.sum(dim=-1, keepdim=True)  # (..., 1)
    return powers / total.masked_fill(total == 0, 1.0)


def dot_product_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Attention with the plain scores ``q . k``.

    >>> k, v = torch.eye(2), torch.tensor([[10.0], [20.0]])
    >>> out, weights = dot_product_attention(torch.tensor([[1.0, 0.0]]), k, v)
    >>> out, weights
    (tensor([[12.6894]]), tensor([[0.7311, 0.2689]]))

    Args:
        q: Queries, (..., N, D_k).
        k: Keys, (..., M, D_k).
        v: Values, (..., M, D_v).
        mask: Boolean, broadcastable to (..., N, M), True = may attend.

    Returns:
        Outputs (..., N, D_v), a weighted mean of the values for each query, and the weights (..., N, M).

    Raises:
        ValueError: If the shapes do not fit, or the mask is not boolean or does not broadcast.

    Source: Luong, Pham and Manning (2015), Effective approaches to attention-based neural machine translation.

    Chapter: Attention and transformers (attention-matrix-form)
    """
    _check_qkv(q, k, v)
    weights = masked_softmax(q @ k.transpose(-2, -1), mask)  # (..., N, M)
    return weights @ v, weights


def scaled_dot_product_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Attention with the scores ``q . k / sqrt(D_k)``.

    The dot product of two vectors of D_k independent components of variance 1 has variance D_k; the root keeps the
    scores at variance 1, whatever the dimension, and the softmax away from saturation.

    >>> q, k, v = torch.ones(1, 4), torch.tensor([[1.0] * 4, [0.5] * 4]), torch.tensor([[10.0], [20.0]])
    >>> out, weights = scaled_dot_product_attention(q, k, v)  # scores 4 / 2 and 2 / 2
    >>> out, weights
    (tensor([[12.6894]]), tensor([[0.7311, 0.2689]]))

    Args:
        q: Queries, (..., N, D_k).
        k: Keys, (..., M, D_k).
        v: Values, (..., M, D_v).
        mask: Boolean, broadcastable to (..., N, M), True = may attend.

    Returns:
        Outputs (..., N, D_v) and weights (..., N, M).

    Raises:
        ValueError: If the shapes do not fit, or the mask is not boolean or does not broadcast.

    Source: Vaswani et al. (2017), Attention is all you need.

    Chapter: Attention and transformers (scaled-dot-product-attention)
    """
    return dot_product_attention(q / math.sqrt(q.shape[-1]), k, v, mask)


def attention_backward(
    dout: Tensor, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Backward pass of :func:`scaled_dot_product_attention` with respect to queries, keys and values.

    >>> q, k, v = torch.ones(1, 4), torch.tensor([[1.0] * 4, [0.5] * 4]), torch.tensor([[10.0], [20.0]])
    >>> dq, dk, dv = attention_backward(torch.ones(1, 1), q, k, v)
    >>> dv  # the weights
    tensor([[0.7311],
            [0.2689]])

    Args:
        dout: Gradient with respect to the outputs, (..., N, D_v).
        q: Queries, (..., N, D_k).
        k: Keys, (..., M, D_k).
        v: Values, (..., M, D_v).
        mask: Boolean, broadcastable to (..., N, M), True = may attend.

    Returns:
        ``dq``, ``dk`` and ``dv``, with the shapes of ``q``, ``k`` and ``v``.

    Raises:
        ValueError: If the shapes do not fit, or the mask is not boolean or does not broadcast.

    Source: Vaswani et al. (2017), Attention is all you need.

    Chapter: Attention and transformers (attention-backward)
    """
    out, weights = scaled_dot_product_attention(q, k, v, mask)  # (..., N, D_v), (..., N, M)
    if dout.shape != out.shape:
        raise ValueError(f"dout must have the shape of the output, {tuple(out.shape)}, got {tuple(dout.shape)}")
    dv = weights.transpose(-2, -1) @ dout  # (..., M, D_v)
    dweights = dout @ v.transpose(-2, -1)  # (..., N, M)
    # The softmax's Jacobian, row by row. Where a weight is 0, masked or not, its score gets no gradient.
    dscores = weights * (dweights - (dweights * weights).sum(dim=-1, keepdim=True))  # (..., N, M)
    dscores = dscores / math.sqrt(q.shape[-1])
    dq = dscores @ k  # (..., N, D_k)
    dk = dscores.transpose(-2, -1) @ q  # (..., M, D_k)
    # Leading axes that were broadcast in the forward pass were used several times: their gradients add up.
    return dq.sum_to_size(q.shape), dk.sum_to_size(k.shape), dv.sum_to_size(v.shape)


def additive_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    w_q: Tensor,
    w_k: Tensor,
    w_a: Tensor,
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Attention with the scores ``w_a . tanh(q W_q + k W_k)``; queries and keys may differ in dimension.

    >>> q, k, v = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0], [-1.0]]), torch.tensor([[4.0], [8.0]])
    >>> w_q, w_k, w_a = torch.tensor([[1.0], [0.0]]), torch.tensor([[1.0]]), torch.tensor([2.0])
    >>> additive_attention(q, k, v, w_q, w_k, w_a)[1]  # scores 2 tanh(2) and 0
    tensor([[0.8730, 0.1270]])

    Args:
        queries: Queries, (..., N, D_q).
        keys: Keys, (..., M, D_key).
        values: Values, (..., M, D_v).
        w_q: Projection of the queries, (D_q, A).
        w_k: Projection of the keys, (D_key, A).
        w_a: Weights of the hidden units, (A,).
        mask: Boolean, broadcastable to (..., N, M), True = may attend.

    Returns:
        Outputs (..., N, D_v) and weights (..., N, M).

    Raises:
        ValueError: If the shapes do not fit, or the mask is not boolean or does not broadcast.

    Source: Bahdanau, Cho and Bengio (2015), Neural machine translation by jointly learning to align and translate.

    Chapter: Attention and transformers (additive-attention)
    """
    shapes = [tuple(t.shape) for t in (queries, keys, values, w_q, w_k, w_a)]
    fits = min(queries.dim(), keys.dim(), values.dim()) >= 2 and keys.shape[-2] == values.shape[-2]
    hidden = tuple(w_a.shape)
    if not fits or len(hidden) != 1 or shapes[3:5] != [(queries.shape[-1], *hidden), (keys.shape[-1], *hidden)]:
        raise ValueError(
            "expected queries (..., N, D_q), keys (..., M, D_key), values (..., M, D_v), w_q (D_q, A), w_k (D_key, A) "
            f"and w_a (A,), got {', '.join(map(str, shapes))}"
        )
    projected_q = (queries @ w_q)[..., :, None, :]  # (..., N, 1, A)
    projected_k = (keys @ w_k)[..., None, :, :]  # (..., 1, M, A)
    scores = torch.tanh(projected_q + projected_k) @ w_a  # (..., N, M)
    weights = masked_softmax(scores, mask)  # (..., N, M)
    return weights @ values, weights


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Cut the columns of projected tokens into heads.

    >>> split_heads(torch.arange(8.0).reshape(1, 2, 4), num_heads=2)[0, 1]  # the second head
    tensor([[2., 3.],
            [6., 7.]])

    Args:
        x: Projected tokens, (B, N, D).
        num_heads: Number of heads H; it must divide D.

    Returns:
        (B, H, N, D/H): head h has the columns ``h D/H`` to ``(h + 1) D/H``, a view of ``x`` where that is possible.

    Raises:
        ValueError: If ``x`` does not have three axes or ``num_heads`` does not divide D.

    Source: Vaswani et al. (2017), Attention is all you need.

    Chapter: Attention and transformers (multi-head-attention)
    """
    if x.dim() != 3:
        raise ValueError(f"expected tokens (B, N, D), got {tuple(x.shape)}")
    batch, n, d = x.shape
    if num_heads < 1 or d % num_heads:
        raise ValueError(f"num_heads must divide D: {num_heads} heads do not divide {d} columns")
    return x.reshape(batch, n, num_heads, d // num_heads).transpose(1, 2)  # (B, H, N, D/H)


def multi_head_attention(
    x: Tensor,
    w_q: Tensor,
    w_k: Tensor,
    w_v: Tensor,
    w_o: Tensor,
    num_heads: int,
    mask: Tensor | None = None,
    memory: Tensor | None = None,
) -> Tensor:
    """Multi-head attention: H attentions side by side, each on D / H of the projected columns.

    Without ``memory`` it is self-attention: queries, keys and values come from ``x``. With it, it is cross-attention:
    ``x`` asks, and keys and values come from ``memory``. Head h uses the columns ``h D/H`` to ``(h + 1) D/H`` of each
    projection; the heads' outputs are put side by side in the same order and mixed by ``w_o``.

    >>> x, eye = torch.eye(2)[None], torch.eye(2)
    >>> multi_head_attention(x, eye, eye, eye, eye, num_heads=2)
    tensor([[[0.7311, 0.5000],
             [0.5000, 0.7311]]])

    Args:
        x: Tokens, (B, N, D).
        w_q: Projection to queries, (D, D).
        w_k: Projection to keys, (D, D).
        w_v: Projection to values, (D, D).
        w_o: Output projection, (D, D).
        num_heads: Number of heads H; it must divide D.
        mask: Boolean, broadcastable to (B, H, N, M), True = may attend.
        memory: Tokens to attend to, (B, M, D); without it, ``x`` itself, and M is N.

    Returns:
        Tokens, (B, N, D).

    Raises:
        ValueError: If ``num_heads`` does not divide D, the shapes do not fit, or the mask is not boolean or does not
            broadcast.

    Source: Vaswani et al. (2017), Attention is all you need.

    Chapter: Attention and transformers (multi-head-attention)
    """
    shapes = [tuple(w.shape) for w in (w_q, w_k, w_v, w_o)]
    if x.dim() != 3 or shapes != [(x.shape[2], x.shape[2])] * 4:
        raise ValueError(f"expected x (B, N, D) and four weights (D, D), got {tuple(x.shape)} and {shapes}")
    if memory is None:
        memory = x
    elif memory.dim() != 3 or memory.shape[::2] != x.shape[::2]:
        raise ValueError(f"expected a memory (B, M, D) for x {tuple(x.shape)}, got {tuple(memory.shape)}")
    q, k, v = (split_heads(t @ w, num_heads) for t, w in ((x, w_q), (memory, w_k), (memory, w_v)))
    out, _ = scaled_dot_product_attention(q, k, v, mask)  # (B, H, N, D/H)
    side_by_side = out.transpose(1, 2).reshape(x.shape)  # (B, N, D)
    return side_by_side @ w_o  # (B, N, D)


def positional_encoding(n: int, d: int, base: float = 10000.0, like: Tensor | None = None) -> Tensor:
    """Sinusoidal code of each position, to be added to the tokens.

    Column i is ``sin(p / base**(i / d))`` if i is even and ``cos(p / base**((i - 1) / d))`` if it is odd, for the
    positions p = 0 ... n-1. The wavelengths go from 2 pi to nearly 2 pi ``base`` positions.

    >>> positional_encoding(2, 4)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])

    Args:
        n: Number of positions.
        d: Number of columns.
        base: Ratio that spreads the wavelengths.
        like: A tensor whose device and dtype the result shall have; without it, torch's defaults.

    Returns:
        The code, (n, d), computed in float64 and then rounded.

    Raises:
        ValueError: If ``n`` or ``d`` is less than 1, or ``base`` is not positive.

    Source: Vaswani et al. (2017), Attention is all you need.

    Chapter: Attention and transformers (positional-encoding)
    """
    if n < 1 or d < 1 or not base > 0:
        raise ValueError(f"n and d must be at least 1 and base positive, got n = {n}, d = {d}, base = {base}")
    device = None if like is None else like.device
    position = torch.arange(n, dtype=torch.float64, device=device)[:, None]  # (n, 1)
    column = torch.arange(d, device=device)  # (d,)
    angle = position / base ** ((column - column % 2).double() / d)  # (n, d), equal in the columns of a pair
    code = torch.where(column % 2 == 0, torch.sin(angle), torch.cos(angle))  # (n, d)
    return code.to(torch.get_default_dtype() if like is None else like.dtype)


def _check_layer_norm(x: Tensor, gamma: Tensor, beta: Tensor | None = None) -> None:
    width = tuple(x.shape[-1:])
    if tuple(gamma.shape) != width or (beta is not None and tuple(beta.shape) != width) or width in ((), (0,)):
        shapes = [tuple(t.shape) for t in (x, gamma, beta) if t is not None]
        raise ValueError(f"expected x (..., D) with D at least 1, and gamma and beta (D,), got {shapes}")


def _normalize(x: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Each token with mean 0 and variance 1 over its features, (..., D), and 1 / its deviation, (..., 1)."""
    centered = x - x.mean(dim=-1, keepdim=True)  # (..., D)
    variance = (centered**2).mean(dim=-1, keepdim=True)  # (..., 1), divided by D, not D - 1
    scale = torch.rsqrt(variance + epsilon)  # (..., 1)
    return centered * scale, scale


def layer_norm_forward(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Layer normalization: one mean and one deviation per token, over its features.

    >>> layer_norm_forward(torch.tensor([[1.0, 3.0], [10.0, 30.0]]), torch.ones(2), torch.zeros(2))
    tensor([[-1.0000,  1.0000],
            [-1.0000,  1.0000]])

    Args:
        x: Tokens, (..., D).
        gamma: Scale of each feature, (D,).
        beta: Shift of each feature, (D,).
        epsilon: Added to the variance, so that a constant token gives ``beta`` and no division by 0.

    Returns:
        Normalized tokens, the shape of ``x``.

    Raises:
        ValueError: If the shapes do not fit.

    Source: Ba, Kiros and Hinton (2016), Layer normalization.

    Chapter: Activations, initialization and normalization
    """
    _check_layer_norm(x, gamma, beta)
    normalized, _ = _normalize(x, epsilon)
    return gamma * normalized + beta  # (..., D)


def layer_norm_backward(dout: Tensor, x: Tensor, gamma: Tensor, epsilon: float = 1e-5) -> tuple[Tensor, Tensor, Tensor]:
    """Backward pass of :func:`layer_norm_forward`.

    >>> dx, dgamma, dbeta = layer_norm_backward(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 3.0]]), torch.ones(2))
    >>> dgamma, dbeta
    (tensor([-1.0000,  0.0000]), tensor([1., 0.]))

    Args:
        dout: Gradient with respect to the output, the shape of ``x``.
        x: Tokens, (..., D).
        gamma: Scale of each feature, (D,).
        epsilon: Added to the variance.

    Returns:
        ``dx`` (..., D), ``dgamma`` (D,) and ``dbeta`` (D,).

    Raises:
        ValueError: If the shapes do not fit.

    Source: Ba, Kiros and Hinton (2016), Layer normalization.

    Chapter: Activations, initialization and normalization
    """
    _check_layer_norm(x, gamma)
    if dout.shape != x.shape:
        raise ValueError(f"dout must have the shape of the output, {tuple(x.shape)}, got {tuple(dout.shape)}")
    normalized, scale = _normalize(x, epsilon)  # (..., D), (..., 1)
    dgamma = (dout * normalized).sum_to_size(gamma.shape)  # (D,)
    dbeta = dout.sum_to_size(gamma.shape)  # (D,)
    dnormalized = dout * gamma  # (..., D)
    # Mean and deviation depend on every feature of the token: what they take away is the part of the gradient along
    # (1, ..., 1) and the part along the normalized token.
    along_mean = dnormalized.mean(dim=-1, keepdim=True)  # (..., 1)
    along_token = (dnormalized * normalized).mean(dim=-1, keepdim=True)  # (..., 1)
    dx = scale * (dnormalized - along_mean - normalized * along_token)  # (..., D)
    return dx, dgamma, dbeta
