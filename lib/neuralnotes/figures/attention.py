"""Attention, number by number: the class for notebooks. The figure itself is attention.js."""

from __future__ import annotations

import math
import re

from .figure import Figure

HEADS = ("previous", "pronoun", "subject", "noun", "average")
MOST_WORDS = 11


class Attention(Figure):
    """One layer of self-attention whose weights are set by hand, so that every number has a reason.

    The tokens are START and the words of a sentence. Each is a vector of 20 features: what kind of word it is, number,
    gender and the like, and its position. Five heads with D_k = 4 look for different things. The reader types a
    sentence, picks a head and a row, switches the causal mask on, and turns the temperature; every number of the row
    can be unfolded.

    Args:
        sentence: 2 to 11 words; a word that is not in the figure's vocabulary counts as a thing.
        head: "previous" (word), "pronoun" (looks for its noun), "subject" (a verb looks for it), "noun" (an adjective
            looks for it) or "average".
        row: the token that asks, counted from 0, which is START. Default: one that the head is made for.
        causal: whether a token sees only itself and what stands before it.
        temperature: what the scores are divided by before the softmax, positive.

    Raises:
        ValueError: an argument is not as described.

    Attributes:
        state: the arguments as the reader has changed them, and ``key``, the token whose score is worked out.

    Chapter: Attention and transformers
    """

    module = "attention"

    def __init__(self, *, sentence: str | None = None, head: str | None = None, row: int | None = None,
                 causal: bool | None = None, temperature: float | None = None):
        words = None
        if sentence is not None:
            words = re.findall("[a-zà-ÿ]+", sentence.lower()) if isinstance(sentence, str) else []
            if not 2 <= len(words) <= MOST_WORDS:
                raise ValueError(f"sentence must have 2 to {MOST_WORDS} words, got {sentence!r}")
        if head is not None and head not in HEADS:
            raise ValueError(f"head must be one of {', '.join(HEADS)}, got {head!r}")
        last = MOST_WORDS if words is None else len(words)  # the default sentence has 11 words
        if row is not None and not (type(row) is int and 0 <= row <= last):
            raise ValueError(f"row must be an integer from 0 to {last}, got {row!r}")
        if causal is not None and not isinstance(causal, bool):
            raise ValueError(f"causal must be True or False, got {causal!r}")
        if temperature is not None and not (_is_number(temperature) and temperature > 0):
            raise ValueError(f"temperature must be a positive number, got {temperature!r}")
        super().__init__(sentence=sentence, head=head, row=row, causal=causal, temperature=temperature)

    @property
    def tokens(self) -> list[str]:
        """START and the words of the sentence as the reader left it."""
        return ["START", *re.findall("[a-zà-ÿ]+", self.read("sentence").lower())]


def _is_number(x) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x)
