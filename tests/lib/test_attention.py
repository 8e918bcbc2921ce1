from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from neuralnotes import attention


def random_mask(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < 0.6


def with_empty_row(mask):
    mask = mask.clone()
    mask[..., 1, :] = False
    return mask


def oracle(q, k, v, mask=None):
    """PyTorch's attention; with a row that has nothing to attend to, zeros instead of what softmax makes of it."""
    if mask is None:
        return F.scaled_dot_product_attention(q, k, v)
    alive = mask.any(dim=-1, keepdim=True)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask | ~alive)
    return torch.where(alive, out, 0.0)


# leading axes of q, k and v, then N, M, Dk, Dv, mask
CASES = {
    "plain": ((), (), 3, 4, 2, 5, None),
    "one query, one key": ((), (), 1, 1, 3, 2, None),
    "batch and heads": ((2, 3), (2, 3), 4, 3, 2, 2, None),
    "causal": ((2,), (2,), 4, 4, 3, 2, attention.causal_mask(4)),
    "mask for each example": ((2,), (2,), 3, 4, 2, 5, with_empty_row(random_mask(2, 3, 4))),
    "mask for each head": ((2, 3), (2, 3), 4, 3, 2, 2, random_mask(3, 1, 3, seed=1)),
    "padding": ((2,), (2,), 3, 4, 2, 2, attention.padding_mask(torch.tensor([4, 2]), 4)[:, None, :]),
    "all masked": ((2,), (2,), 3, 4, 2, 2, torch.zeros(3, 4, dtype=torch.bool)),
    "keys shared by the batch": ((2, 3), (3,), 2, 4, 2, 3, None),
}
cases = pytest.mark.parametrize("case", CASES)


def tensors(case, normal):
    lead_q, lead_k, n, m, dk, dv, mask = CASES[case]
    q, k, v = 2 * normal(*lead_q, n, dk), 2 * normal(*lead_k, m, dk), normal(*lead_k, m, dv)
    return q, k, v, mask, normal(*lead_q, n, dv)


@cases
def test_scaled_dot_product_attention(case, normal, check_gradients):
    q, k, v, mask, dout = tensors(case, normal)
    out, weights = attention.scaled_dot_product_attention(q, k, v, mask)
    torch.testing.assert_close(out, oracle(q, k, v, mask), rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(weights @ v, out, rtol=1e-12, atol=1e-13)
    alive = torch.ones_like(weights, dtype=torch.bool) if mask is None else mask.expand_as(weights)
    assert (weights[~alive] == 0).all()
    torch.testing.assert_close(weights.sum(-1), alive.any(-1).double(), rtol=1e-12, atol=0)
    check_gradients(
        lambda q, k, v: (attention.scaled_dot_product_attention(q, k, v, mask)[0] * dout).sum(),
        [q, k, v],
        attention.attention_backward(dout, q, k, v, mask),
        oracle=lambda q, k, v: (oracle(q, k, v, mask) * dout).sum(),
    )


@cases
def test_dot_product_attention_is_the_unscaled_one(case, normal):
    q, k, v, mask, _ = tensors(case, normal)
    out, weights = attention.dot_product_attention(q, k, v, mask)
    scaled_out, scaled_weights = attention.scaled_dot_product_attention(q * math.sqrt(q.shape[-1]), k, v, mask)
    torch.testing.assert_close(out, scaled_out, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(weights, scaled_weights, rtol=1e-11, atol=1e-12)
    if mask is None:
        expected = F.softmax(q @ k.transpose(-2, -1), dim=-1)
        torch.testing.assert_close(weights, expected, rtol=1e-12, atol=1e-14)


def test_a_fully_masked_row_is_zero_and_the_others_are_not_touched(normal):
    q, k, v, dout = normal(3, 2), normal(4, 2), normal(4, 5), normal(3, 5)
    mask = torch.ones(3, 4, dtype=torch.bool)
    mask[1] = False
    out, weights = attention.scaled_dot_product_attention(q, k, v, mask)
    assert out[1].tolist() == [0.0] * 5
    assert weights[1].tolist() == [0.0] * 4
    unmasked, _ = attention.scaled_dot_product_attention(q, k, v)
    assert torch.equal(out[[0, 2]], unmasked[[0, 2]])
    dq, dk, dv = attention.attention_backward(dout, q, k, v, mask)
    assert dq[1].tolist() == [0.0, 0.0]
    without = attention.attention_backward(dout[[0, 2]], q[[0, 2]], k, v)
    torch.testing.assert_close(dk, without[1], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(dv, without[2], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_huge_scores(dtype):
    q = torch.tensor([[300.0], [-300.0]], dtype=dtype)
    k = torch.tensor([[300.0], [0.0], [-300.0]], dtype=dtype)
    _, weights = attention.scaled_dot_product_attention(q, k, k)
    assert weights.tolist() == [[1, 0, 0], [0, 0, 1]]
    mask = torch.tensor([[False, True, True], [True, True, False]])
    _, weights = attention.scaled_dot_product_attention(q, k, k, mask)
    assert weights.tolist() == [[0, 1, 0], [0, 1, 0]]
    for gradient in attention.attention_backward(torch.ones_like(q), q, k, k, mask):
        assert gradient.isfinite().all()


def test_masked_softmax(normal, check_gradients):
    scores, mask = normal(3, 4), random_mask(3, 4)
    expected = F.softmax(scores.masked_fill(~mask, -math.inf), dim=-1)
    assert mask.any(dim=-1).all()
    torch.testing.assert_close(attention.masked_softmax(scores, mask), expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(attention.masked_softmax(scores), F.softmax(scores, dim=-1), rtol=1e-12, atol=1e-14)
    # Autograd through an empty row is 0, not NaN.
    scores.requires_grad_()
    total = (attention.masked_softmax(scores, with_empty_row(mask)) * normal(3, 4)).sum()
    (gradient,) = torch.autograd.grad(total, scores)
    assert gradient[1].tolist() == [0.0] * 4
    assert gradient.isfinite().all()
    assert gradient[0].abs().max() > 0


def test_additive_attention_against_a_loop(normal, check_gradients):
    n, m, dq, dkey, dv, a = 3, 4, 2, 5, 3, 6
    queries, keys, values = normal(n, dq), normal(m, dkey), normal(m, dv)
    w_q, w_k, w_a = normal(dq, a), normal(dkey, a), normal(a)
    scores = torch.stack(
        [torch.stack([w_a @ torch.tanh(torch.cat([w_q, w_k]).T @ torch.cat([q, k])) for k in keys]) for q in queries]
    )
    out, weights = attention.additive_attention(queries, keys, values, w_q, w_k, w_a)
    torch.testing.assert_close(weights, F.softmax(scores, dim=-1), rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(out, F.softmax(scores, dim=-1) @ values, rtol=1e-11, atol=1e-13)

    mask = with_empty_row(random_mask(n, m))
    out, weights = attention.additive_attention(queries, keys, values, w_q, w_k, w_a, mask)
    torch.testing.assert_close(weights, attention.masked_softmax(scores, mask), rtol=1e-11, atol=1e-13)
    assert out[1].tolist() == [0.0] * dv

    batched, _ = attention.additive_attention(torch.stack([queries, 2 * queries]), keys, values, w_q, w_k, w_a)
    torch.testing.assert_close(
        batched[1], attention.additive_attention(2 * queries, keys, values, w_q, w_k, w_a)[0], rtol=1e-12, atol=1e-13
    )


def torch_multi_head(x, w_q, w_k, w_v, w_o, heads):
    d = x.shape[-1]
    module = torch.nn.MultiheadAttention(d, heads, bias=False, batch_first=True, dtype=x.dtype, device=x.device)
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.cat([w_q.T, w_k.T, w_v.T]))
        module.out_proj.weight.copy_(w_o.T)
    return module


@pytest.mark.parametrize(("batch", "n", "d", "heads"), [(2, 5, 6, 3), (1, 4, 6, 1), (2, 3, 4, 4), (1, 1, 2, 2)])
def test_multi_head_attention(batch, n, d, heads, normal):
    x, weights = normal(batch, n, d), [normal(d, d) for _ in range(4)]
    module = torch_multi_head(x, *weights, heads)
    expected, _ = module(x, x, x, need_weights=False)
    out = attention.multi_head_attention(x, *weights, heads)
    torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-11)

    causal = attention.causal_mask(n)
    expected, _ = module(x, x, x, attn_mask=~causal, need_weights=False)  # there True = may not attend
    torch.testing.assert_close(
        attention.multi_head_attention(x, *weights, heads, causal), expected, rtol=1e-10, atol=1e-11
    )

    per_head = random_mask(batch, heads, n, n)
    per_head[..., 0] = True  # no empty row: there the module gives NaN
    expected, _ = module(x, x, x, attn_mask=~per_head.flatten(0, 1), need_weights=False)
    torch.testing.assert_close(
        attention.multi_head_attention(x, *weights, heads, per_head), expected, rtol=1e-10, atol=1e-11
    )

    empty = torch.zeros(n, n, dtype=torch.bool)
    assert (attention.multi_head_attention(x, *weights, heads, empty) == 0).all()


def test_heads_use_their_own_columns_in_order(normal):
    x, (w_q, w_k, w_v) = normal(2, 4, 6), [normal(6, 6) for _ in range(3)]
    out = attention.multi_head_attention(x, w_q, w_k, w_v, torch.eye(6).double(), 3)
    for head in range(3):
        own = slice(2 * head, 2 * head + 2)
        expected, _ = attention.scaled_dot_product_attention(x @ w_q[:, own], x @ w_k[:, own], x @ w_v[:, own])
        torch.testing.assert_close(out[..., own], expected, rtol=1e-11, atol=1e-12)


def test_masks():
    assert attention.causal_mask(3).tolist() == [[True, False, False], [True, True, False], [True, True, True]]
    assert attention.causal_mask(0).shape == (0, 0)
    mask = attention.padding_mask(torch.tensor([2, 0, 3]), 3)
    assert mask.tolist() == [[True, True, False], [False, False, False], [True, True, True]]
    assert mask.dtype == attention.causal_mask(1).dtype == torch.bool


@pytest.mark.parametrize(("n", "d", "base"), [(7, 6, 10000.0), (3, 5, 10000.0), (4, 1, 10000.0), (5, 4, 100.0)])
def test_positional_encoding(n, d, base):
    code = attention.positional_encoding(n, d, base, like=torch.zeros(0, dtype=torch.float64))
    assert code.shape == (n, d)
    for p in range(n):
        for i in range(d):
            wave = math.sin(p / base ** (i / d)) if i % 2 == 0 else math.cos(p / base ** ((i - 1) / d))
            assert code[p, i].item() == pytest.approx(wave, abs=1e-14)
    if d % 2 == 0:
        torch.testing.assert_close((code**2).sum(1), torch.full((n,), d / 2).double(), rtol=1e-13, atol=0)


def test_positional_encoding_of_far_positions_is_exact_in_float32():
    exact = attention.positional_encoding(100_000, 4, like=torch.zeros(0, dtype=torch.float64))
    code = attention.positional_encoding(100_000, 4)
    assert code.dtype == torch.get_default_dtype() == torch.float32
    assert torch.equal(code, exact.float())
    assert torch.equal(attention.positional_encoding(4, 4), attention.positional_encoding(4, 4, 10000.0))


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5), (1, 1)])
@pytest.mark.parametrize("epsilon", [1e-5, 0.1])
def test_layer_norm(shape, epsilon, normal, check_gradients):
    x, gamma, beta, dout = 3 * normal(*shape) + 1, normal(shape[-1]), normal(shape[-1]), normal(*shape)
    expected = F.layer_norm(x, shape[-1:], gamma, beta, epsilon)
    out = attention.layer_norm_forward(x, gamma, beta, epsilon)
    torch.testing.assert_close(out, expected, rtol=1e-11, atol=1e-12)
    check_gradients(
        lambda x, gamma, beta: (attention.layer_norm_forward(x, gamma, beta, epsilon) * dout).sum(),
        [x, gamma, beta],
        attention.layer_norm_backward(dout, x, gamma, epsilon),
        oracle=lambda x, gamma, beta: (F.layer_norm(x, shape[-1:], gamma, beta, epsilon) * dout).sum(),
    )


def test_layer_norm_of_a_constant_token_is_beta(normal):
    gamma, beta = normal(4), normal(4)
    x = torch.full((2, 4), 7.0, dtype=torch.float64)
    assert torch.equal(attention.layer_norm_forward(x, gamma, beta), beta.expand(2, 4))
    for gradient in attention.layer_norm_backward(normal(2, 4), x, gamma):
        assert gradient.isfinite().all()


def test_layer_norm_default_epsilon(normal):
    x, gamma, beta, dout = 1e-3 * normal(2, 4), normal(4), normal(4), normal(2, 4)
    expected = F.layer_norm(x, (4,), gamma, beta)
    torch.testing.assert_close(attention.layer_norm_forward(x, gamma, beta), expected, rtol=1e-10, atol=1e-12)
    default = attention.layer_norm_backward(dout, x, gamma)
    assert torch.equal(default[0], attention.layer_norm_backward(dout, x, gamma, 1e-5)[0])


@cases
def test_conduct(case, normal, check_conduct, device):
    q, k, v, mask, dout = tensors(case, normal)
    check_conduct(attention.scaled_dot_product_attention, [q, k, v, mask], device)
    check_conduct(attention.dot_product_attention, [q, k, v, mask], device)
    check_conduct(attention.attention_backward, [dout, q, k, v, mask], device)


def test_conduct_of_the_rest(normal, check_conduct, device):
    mask = with_empty_row(random_mask(3, 4))
    arguments = [normal(3, 2), normal(4, 5), normal(4, 3), normal(2, 6), normal(5, 6), normal(6), mask]
    check_conduct(attention.additive_attention, arguments, device)
    check_conduct(attention.masked_softmax, [normal(3, 4), mask], device)
    check_conduct(attention.masked_softmax, [normal(3, 4)], device)
    weights = [normal(6, 6) / 2 for _ in range(4)]
    check_conduct(attention.multi_head_attention, [normal(2, 5, 6), *weights, 3, random_mask(5, 5)], device)
    check_conduct(attention.layer_norm_forward, [normal(2, 3, 5), normal(5), normal(5)], device)
    check_conduct(attention.layer_norm_backward, [normal(2, 3, 5), normal(2, 3, 5), normal(5)], device)
    check_conduct(lambda like: attention.positional_encoding(6, 5, like=like), [normal(1)], device)
    check_conduct(lambda like: attention.causal_mask(6, like=like), [normal(1)], device)
    lengths = torch.tensor([1, 4, 0])
    check_conduct(lambda lengths: attention.padding_mask(lengths, 4), [lengths], device, reads_values=True)


def test_bad_input(normal):
    q, k, v = normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 6)
    for function in (attention.dot_product_attention, attention.scaled_dot_product_attention):
        for arguments in [(q[..., :3], k, v), (q, k, v[:, :4]), (q[0, 0], k, v)]:
            with pytest.raises(ValueError, match="expected q"):
                function(*arguments)
        with pytest.raises(ValueError, match="boolean"):
            function(q, k, v, torch.ones(3, 5))
        for shape in [(5, 3), (2, 2, 3, 5), (3, 3, 5)]:
            with pytest.raises(ValueError, match="broadcast"):
                function(q, k, v, torch.ones(shape, dtype=torch.bool))
    with pytest.raises(ValueError, match="dout"):
        attention.attention_backward(normal(2, 1, 6), q, k, v)
    x, w = normal(2, 3, 4), normal(4, 4)
    for heads in (3, 0, -1, 8):
        with pytest.raises(ValueError, match="num_heads must divide D"):
            attention.multi_head_attention(x, w, w, w, w, heads)
    with pytest.raises(ValueError, match="four weights"):
        attention.multi_head_attention(x, w, w[:, :2], w, w, 2)
    with pytest.raises(ValueError, match="four weights"):
        attention.multi_head_attention(x[0], w, w, w, w, 2)
    with pytest.raises(ValueError, match="expected queries"):
        attention.additive_attention(normal(3, 2), normal(4, 5), normal(4, 3), normal(2, 6), normal(5, 7), normal(6))
    with pytest.raises(ValueError, match="expected queries"):
        attention.additive_attention(normal(3, 2), normal(4, 5), normal(3, 3), normal(2, 6), normal(5, 6), normal(6))
    for lengths in (torch.tensor([1.0]), torch.tensor(1), torch.tensor([4]), torch.tensor([-1]), torch.tensor([True])):
        with pytest.raises(ValueError, match="lengths"):
            attention.padding_mask(lengths, 3)
    with pytest.raises(ValueError, match="negative"):
        attention.causal_mask(-1)
    for arguments in [(0, 4), (4, 0), (4, 4, 0.0)]:
        with pytest.raises(ValueError, match="positive"):
            attention.positional_encoding(*arguments)
    with pytest.raises(ValueError, match="gamma and beta"):
        attention.layer_norm_forward(x, normal(3), normal(3))
    with pytest.raises(ValueError, match="gamma and beta"):
        attention.layer_norm_forward(x, normal(4), normal(1))
    with pytest.raises(ValueError, match="dout"):
        attention.layer_norm_backward(x[0], x, normal(4))
