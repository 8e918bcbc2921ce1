"""The transformer modules against PyTorch's own, with the same weights in float64."""

from __future__ import annotations

import doctest

import pytest
import torch
from torch import nn

from neuralnotes import attention
from neuralnotes.models import transformer
from neuralnotes.models.transformer import CausalDecoder, Encoder, MultiHeadAttention, TokenEmbedding, TransformerLayer

D, HEADS, HIDDEN = 8, 2, 12


def double(module, seed=0):
    """The module in float64 with random parameters everywhere, so that no bias, scale or shift is 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) / 2)
    return module


def copy_attention(theirs, ours):
    """Give torch's attention our weights; it stores (out, in) and has biases, which become 0."""
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.w_q.T, ours.w_k.T, ours.w_v.T]))
        theirs.out_proj.weight.copy_(ours.w_o.T)
        theirs.in_proj_bias.zero_()
        theirs.out_proj.bias.zero_()


def copy_rest(theirs, ours):
    norms = [ours.attention_norm, ours.mlp_norm]
    if ours.cross_attention is not None:
        norms.insert(1, ours.cross_norm)
        copy_attention(theirs.multihead_attn, ours.cross_attention)
    copy_attention(theirs.self_attn, ours.attention)
    with torch.no_grad():
        for number, norm in enumerate(norms, start=1):
            getattr(theirs, f"norm{number}").weight.copy_(norm.gamma)
            getattr(theirs, f"norm{number}").bias.copy_(norm.beta)
        for their, our in ((theirs.linear1, ours.mlp[0]), (theirs.linear2, ours.mlp[2])):
            their.weight.copy_(our.weight)
            their.bias.copy_(our.bias)


def torch_layer(ours, norm_first):
    kind = nn.TransformerEncoderLayer if ours.cross_attention is None else nn.TransformerDecoderLayer
    theirs = kind(D, HEADS, HIDDEN, dropout=0.0, batch_first=True, norm_first=norm_first, dtype=torch.float64)
    copy_rest(theirs, ours)
    return theirs


def same_gradients(ours, theirs, inputs):
    """Outputs agree, and so do the gradients of a random weighting of them with respect to every input."""
    leaves = [[x.clone().requires_grad_() for x in inputs] for _ in range(2)]
    results = [function(*arguments) for function, arguments in zip((ours, theirs), leaves, strict=True)]
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-11)
    weight = torch.randn(results[0].shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for result in results:
        (result * weight).sum().backward()
    for our, their in zip(*leaves, strict=True):
        torch.testing.assert_close(our.grad, their.grad, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("cross", [False, True])
def test_multi_head_attention(masked, cross, normal):
    ours = double(MultiHeadAttention(D, HEADS))
    theirs = nn.MultiheadAttention(D, HEADS, batch_first=True, dtype=torch.float64)
    copy_attention(theirs, ours)
    x, memory = normal(3, 5, D), normal(3, 7, D)
    other = memory if cross else x
    mask = torch.rand(5, other.shape[1], generator=torch.Generator().manual_seed(0)) < 0.7 if masked else None
    blocked = None if mask is None else ~mask
    expected, weights = theirs(x, other, other, attn_mask=blocked, average_attn_weights=False)
    torch.testing.assert_close(ours(x, mask, memory if cross else None), expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(ours.weights(x, mask, memory if cross else None), weights, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_layer(norm_first, masked, normal):
    ours = double(TransformerLayer(D, HEADS, HIDDEN, norm_first))
    theirs = torch_layer(ours, norm_first)
    mask = attention.causal_mask(5) if masked else None
    blocked = None if mask is None else ~mask
    same_gradients(lambda x: ours(x, mask), lambda x: theirs(x, src_mask=blocked), [normal(2, 5, D)])


@pytest.mark.parametrize("norm_first", [False, True])
def test_layer_with_cross_attention(norm_first, normal):
    ours = double(TransformerLayer(D, HEADS, HIDDEN, norm_first, cross=True))
    theirs = torch_layer(ours, norm_first)
    mask, real = attention.causal_mask(5), attention.padding_mask(torch.tensor([7, 3]), 7)

    def their_result(x, memory):
        return theirs(x, memory, tgt_mask=~mask, memory_key_padding_mask=~real)

    same_gradients(
        lambda x, memory: ours(x, mask, memory, real[:, None, None, :]),
        their_result,
        [normal(2, 5, D), normal(2, 7, D)],
    )


@pytest.mark.parametrize("norm_first", [False, True])
def test_gradients_of_a_layer(norm_first, normal):
    ours = double(TransformerLayer(4, 2, 6, norm_first, cross=True))
    parameters = list(ours.parameters())

    def function(x, memory, *_):
        return ours(x, attention.causal_mask(3), memory)

    leaves = [normal(2, 3, 4).requires_grad_(), normal(2, 4, 4).requires_grad_(), *parameters]
    assert torch.autograd.gradcheck(function, leaves)


def test_parameters_of_a_layer():
    def count(**options):
        return sum(p.numel() for p in TransformerLayer(D, HEADS, HIDDEN, **options).parameters())

    mlp = D * HIDDEN + HIDDEN + HIDDEN * D + D
    assert count() == count(norm_first=True) == 4 * D * D + mlp + 4 * D
    assert count(cross=True) == 8 * D * D + mlp + 6 * D


@pytest.mark.parametrize("norm_first", [False, True])
def test_encoder(norm_first, normal):
    ours = double(Encoder(D, HEADS, HIDDEN, layers=2, norm_first=norm_first))
    norm = nn.LayerNorm(D, dtype=torch.float64) if norm_first else None
    if norm_first:
        with torch.no_grad():
            norm.weight.copy_(ours.norm.gamma)
            norm.bias.copy_(ours.norm.beta)
    layers = [torch_layer(layer, norm_first) for layer in ours.layers]
    real = attention.padding_mask(torch.tensor([5, 3]), 5)

    def theirs(x):
        for layer in layers:
            x = layer(x, src_key_padding_mask=~real)
        return norm(x) if norm_first else x

    same_gradients(lambda x: ours(x, real), theirs, [normal(2, 5, D)])


def test_an_encoder_ignores_padding_and_its_length(normal):
    encoder = double(Encoder(D, HEADS, HIDDEN, layers=2))
    x = normal(1, 3, D)
    longer = torch.cat([x, 100 * normal(1, 4, D)], dim=1)
    real = attention.padding_mask(torch.tensor([3]), 7)
    torch.testing.assert_close(encoder(longer, real)[:, :3], encoder(x), rtol=1e-11, atol=1e-12)


def test_without_positions_an_encoder_is_equivariant(normal):
    encoder, x = double(Encoder(D, HEADS, HIDDEN, layers=2)), normal(2, 6, D)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(encoder(x[:, order]), encoder(x)[:, order], rtol=1e-10, atol=1e-11)


def test_embedding():
    embedding = double(TokenEmbedding(10, D))
    tokens = torch.tensor([[3, 1, 3]])
    code = attention.positional_encoding(3, D, like=embedding.vectors)
    assert torch.equal(embedding(tokens), embedding.vectors[tokens] + code)
    embedding.positions = False
    assert torch.equal(embedding(tokens)[0, 0], embedding(tokens)[0, 2])


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_decoder_sees_the_past_only(norm_first):
    decoder = double(CausalDecoder(10, D, HEADS, HIDDEN, layers=2, norm_first=norm_first))
    tokens = torch.randint(10, (2, 6), generator=torch.Generator().manual_seed(0))
    logits = decoder(tokens)
    assert logits.shape == (2, 6, 10)
    for position in range(6):
        changed = tokens.clone()
        changed[:, position] = (changed[:, position] + 1) % 10
        moved = (decoder(changed) - logits).abs().amax(dim=(0, 2)) > 1e-6
        assert moved.tolist() == [n >= position for n in range(6)]


def test_a_decoder_reads_its_memory(normal):
    decoder, memory = double(CausalDecoder(10, D, HEADS, HIDDEN, layers=2, cross=True)), normal(2, 4, D)
    tokens, real = torch.zeros(2, 3, dtype=torch.long), attention.padding_mask(torch.tensor([4, 2]), 4)
    changed = memory.clone()
    changed[:, 2:] += 1.0
    moved = (decoder(tokens, changed, real) - decoder(tokens, memory, real)).abs().amax(dim=(1, 2))
    assert moved[0] > 1e-6
    assert moved[1] == 0


def test_generate_appends_the_most_probable_token():
    decoder = double(CausalDecoder(10, D, HEADS, HIDDEN, layers=1))
    tokens = torch.tensor([[1, 2], [7, 0]])
    written = decoder.generate(tokens, 4)
    assert written.shape == (2, 6)
    assert torch.equal(written[:, :2], tokens)
    assert torch.equal(written[:, 2:], decoder(written)[:, 1:-1].argmax(-1))
    assert torch.equal(decoder.generate(tokens, 0), tokens)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_modules_follow_their_inputs(dtype, device):
    decoder = CausalDecoder(10, D, HEADS, HIDDEN, layers=1, cross=True).to(device, dtype)
    encoder = Encoder(D, HEADS, HIDDEN, layers=1, norm_first=True).to(device, dtype)
    memory = encoder(torch.ones(2, 4, D, device=device, dtype=dtype), torch.ones(2, 4, dtype=torch.bool, device=device))
    logits = decoder(torch.zeros(2, 3, dtype=torch.long, device=device), memory)
    assert (logits.dtype, logits.device.type) == (dtype, device.type)


def test_bad_input(normal):
    with pytest.raises(ValueError, match="num_heads must divide D"):
        MultiHeadAttention(8, 3)
    with pytest.raises(ValueError, match="memory"):
        double(TransformerLayer(D, HEADS, HIDDEN))(normal(1, 2, D), memory=normal(1, 2, D))
    with pytest.raises(ValueError, match="memory"):
        double(TransformerLayer(D, HEADS, HIDDEN, cross=True))(normal(1, 2, D))
    with pytest.raises(ValueError, match=r"memory \(B, M, D\)"):
        double(MultiHeadAttention(D, HEADS))(normal(2, 3, D), None, normal(1, 4, D))
    with pytest.raises(ValueError, match=r"tokens \(B, N, D\)"):
        attention.split_heads(normal(3, D), 2)


@pytest.mark.parametrize("module", [attention, transformer], ids=["attention", "transformer"])
def test_examples(module):
    tried = doctest.testmod(module)
    assert tried.attempted > 0
    assert tried.failed == 0
