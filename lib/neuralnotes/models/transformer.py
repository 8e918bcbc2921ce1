"""Transformer layers, an encoder and a decoder: thin torch modules on the plain functions of `neuralnotes.attention`.

Tokens are rows, (B, N, D): batch, position, feature. Masks are boolean, True where a query may attend. The projections
of attention have no bias. In a new module each of their entries has variance 1/D, so that queries, keys and values
start with the variance of the tokens.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from neuralnotes.attention import (
    causal_mask,
    layer_norm_forward,
    multi_head_attention,
    positional_encoding,
    scaled_dot_product_attention,
    split_heads,
)


class MultiHeadAttention(nn.Module):
    """Multi-head attention with its four weight matrices, 4 D**2 parameters.

    Args:
        d: Features of a token, D.
        num_heads: Number of heads; it must divide D.

    Raises:
        ValueError: If ``num_heads`` does not divide D.

    Source: Vaswani et al. (2017), Attention is all you need.

    Chapter: Attention and transformers (multi-head-attention)
    """

    def __init__(self, d: int, num_heads: int) -> None:
        super().__init__()
        if num_heads < 1 or d % num_heads:
            raise ValueError(f"num_heads must divide D: {num_heads} heads do not divide {d} columns")
        self.num_heads = num_heads
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Parameter(torch.randn(d, d) / d**0.5) for _ in range(4))

    def forward(self, x: Tensor, mask: Tensor | None = None, memory: Tensor | None = None) -> Tensor:
        """Return tokens (B, N, D): ``x`` attends to ``memory`` (B, M, D), or to itself; mask to (B, H, N, M)."""
        return multi_head_attention(x, self.w_q, self.w_k, self.w_v, self.w_o, self.num_heads, mask, memory)

    def weights(self, x: Tensor, mask: Tensor | None = None, memory: Tensor | None = None) -> Tensor:
        """Return the attention weights of each head, (B, H, N, M)."""
        q = split_heads(x @ self.w_q, self.num_heads)  # (B, H, N, D/H)
        k = split_heads((x if memory is None else memory) @ self.w_k, self.num_heads)  # (B, H, M, D/H)
        return scaled_dot_product_attention(q, k, k, mask)[1]


class LayerNorm(nn.Module):
    """Layer normalization with its scale and shift, 2 D parameters.

    Args:
        d: Features of a token, D.

    Source: Ba, Kiros and Hinton (2016), Layer normalization.

    Chapter: Activations, initialization and normalization
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(d))
        self.beta = nn.Parameter(torch.zeros(d))

    def forward(self, x: Tensor) -> Tensor:
        """Return normalized tokens, (..., D)."""
        return layer_norm_forward(x, self.gamma, self.beta)


class TransformerLayer(nn.Module):
    """Attention and a shared two-layer perceptron, each with a residual connection and layer normalization.

    Post-norm, the default: ``z = norm(x + attention(x))``, then ``norm(z + mlp(z))``. Pre-norm, ``norm_first``:
    ``z = x + attention(norm(x))``, then ``z + mlp(norm(z))``. With ``cross`` a third block stands between the two, in
    which the tokens attend to a memory, such as the output of an encoder.

    >>> layer = TransformerLayer(d=8, num_heads=2, hidden=32)
    >>> layer(torch.zeros(1, 5, 8)).shape
    torch.Size([1, 5, 8])
    >>> sum(p.numel() for p in layer.parameters())  # 4 D D + (2 D E + E + D) + 4 D
    840

    Args:
        d: Features of a token, D.
        num_heads: Number of heads; it must divide D.
        hidden: Hidden units of the perceptron, E.
        norm_first: Pre-norm in place of post-norm.
        cross: Whether the layer has cross-attention.

    Raises:
        ValueError: If ``num_heads`` does not divide D.

    Source: Vaswani et al. (2017), Attention is all you need; pre-norm: Xiong et al. (2020), On layer normalization in
        the transformer architecture.

    Chapter: Attention and transformers (transformer-layer)
    """

    def __init__(self, d: int, num_heads: int, hidden: int, norm_first: bool = False, cross: bool = False) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.attention = MultiHeadAttention(d, num_heads)
        self.attention_norm = LayerNorm(d)
        self.cross_attention = MultiHeadAttention(d, num_heads) if cross else None
        self.cross_norm = LayerNorm(d) if cross else None
        self.mlp = nn.Sequential(nn.Linear(d, hidden), nn.ReLU(), nn.Linear(hidden, d))
        self.mlp_norm = LayerNorm(d)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """Carry tokens through the layer.

        Args:
            x: Tokens, (B, N, D).
            mask: What tokens may attend to among themselves, broadcastable to (B, H, N, N).
            memory: Tokens to attend to, (B, M, D); a layer with cross-attention needs it, no other takes it.
            memory_mask: What tokens may attend to in the memory, broadcastable to (B, H, N, M).

        Returns:
            Tokens, (B, N, D).

        Raises:
            ValueError: If there is a memory and no cross-attention, or the other way round, or shapes do not fit.
        """
        if (memory is None) != (self.cross_attention is None):
            raise ValueError("a layer with cross-attention needs a memory, and a layer without takes none")
        x = self._block(x, lambda t: self.attention(t, mask), self.attention_norm)
        if memory is not None:
            x = self._block(x, lambda t: self.cross_attention(t, memory_mask, memory), self.cross_norm)
        return self._block(x, self.mlp, self.mlp_norm)

    def _block(self, x: Tensor, function: Callable[[Tensor], Tensor], norm: LayerNorm) -> Tensor:
        return x + function(norm(x)) if self.norm_first else norm(x + function(x))  # (B, N, D)


class TokenEmbedding(nn.Module):
    """A learned vector for each token, plus the sinusoidal code of its position.

    Args:
        vocabulary: Number of different tokens, V.
        d: Features of a token, D.
        positions: Whether the code of the position is added.

    Source: Vaswani et al. (2017), Attention is all you need.

    Chapter: Attention and transformers (positional-encoding)
    """

    def __init__(self, vocabulary: int, d: int, positions: bool = True) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(vocabulary, d))
        self.positions = positions

    def forward(self, tokens: Tensor) -> Tensor:
        """Map integers (B, N) from 0 to V - 1 to tokens (B, N, D)."""
        x = self.vectors[tokens]  # (B, N, D)
        return x + positional_encoding(x.shape[1], x.shape[2], like=x) if self.positions else x


class Encoder(nn.Module):
    """A stack of transformer layers in which every token sees every other.

    Args:
        d: Features of a token, D.
        num_heads: Number of heads; it must divide D.
        hidden: Hidden units of each perceptron.
        layers: Number of layers.
        norm_first: Pre-norm layers, with one more normalization at the end of the stack.

    Raises:
        ValueError: If ``num_heads`` does not divide D.

    Source: Vaswani et al. (2017), Attention is all you need.

    Chapter: Attention and transformers (encoder-decoder-transformer-types)
    """

    def __init__(self, d: int, num_heads: int, hidden: int, layers: int, norm_first: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TransformerLayer(d, num_heads, hidden, norm_first) for _ in range(layers))
        self.norm = LayerNorm(d) if norm_first else nn.Identity()

    def forward(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """Carry tokens through the stack.

        Args:
            x: Tokens, (B, N, D).
            real: Boolean, (B, N), False for padding, which nobody attends to, as
                :func:`neuralnotes.attention.padding_mask` makes it.

        Returns:
            Tokens, (B, N, D). What stands at padding is of no use.
        """
        mask = None if real is None else real[:, None, None, :]  # (B, 1, 1, N)
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x)


class CausalDecoder(nn.Module):
    """A model of the next token: embedding, masked transformer layers, and logits.

    >>> decoder = CausalDecoder(vocabulary=10, d=8, num_heads=2, hidden=32, layers=1)
    >>> decoder(torch.tensor([[3, 1, 4]])).shape  # logits of what follows 3, of what follows 3 1, ...
    torch.Size([1, 3, 10])

    Args:
        vocabulary: Number of different tokens, V.
        d: Features of a token, D.
        num_heads: Number of heads; it must divide D.
        hidden: Hidden units of each perceptron.
        layers: Number of layers.
        norm_first: Pre-norm layers, with one more normalization at the end of the stack.
        cross: Whether each layer attends to a memory too: the decoder of an encoder-decoder.

    Raises:
        ValueError: If ``num_heads`` does not divide D.

    Source: Vaswani et al. (2017), Attention is all you need.

    Chapter: Attention and transformers (encoder-decoder-transformer-types)
    """

    def __init__(
        self,
        vocabulary: int,
        d: int,
        num_heads: int,
        hidden: int,
        layers: int,
        norm_first: bool = False,
        cross: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(vocabulary, d)
        self.layers = nn.ModuleList(TransformerLayer(d, num_heads, hidden, norm_first, cross) for _ in range(layers))
        self.norm = LayerNorm(d) if norm_first else nn.Identity()
        self.readout = nn.Linear(d, vocabulary)

    def forward(self, tokens: Tensor, memory: Tensor | None = None, real: Tensor | None = None) -> Tensor:
        """Return the logits of the token that follows each position.

        Args:
            tokens: Integers from 0 to V - 1, (B, N).
            memory: Output of an encoder, (B, M, D), for a decoder with cross-attention.
            real: Boolean, (B, M), False for padding in the memory.

        Returns:
            Logits, (B, N, V). Those at position n depend on the tokens 0 ... n only, and on the memory.

        Raises:
            ValueError: If there is a memory and no cross-attention, or the other way round, or shapes do not fit.
        """
        mask = causal_mask(tokens.shape[1], like=tokens)  # (N, N)
        memory_mask = None if real is None else real[:, None, None, :]  # (B, 1, 1, M)
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, mask, memory, memory_mask)
        return self.readout(self.norm(x))

    @torch.no_grad()
    def generate(self, tokens: Tensor, steps: int, memory: Tensor | None = None, real: Tensor | None = None) -> Tensor:
        """Append the most probable next token, ``steps`` times.

        Args:
            tokens: What is there already, at least a start mark, (B, N).
            steps: Number of tokens to append.
            memory: As in :meth:`forward`.
            real: As in :meth:`forward`.

        Returns:
            ``tokens`` and what follows, (B, N + steps).

        Raises:
            ValueError: As :meth:`forward`.
        """
        for _ in range(steps):
            following = self(tokens, memory, real)[:, -1].argmax(dim=-1)  # (B,)
            tokens = torch.cat([tokens, following[:, None]], dim=1)
        return tokens
