"""A tiny trained model that reads written-out dates by attention: 12,544 numbers, shipped beside this module.

``saturday, 14 march 1998`` -> ``1998-03-14``. Each character is embedded, one layer of self-attention lets it see its
neighborhood, and ten learned queries, one per character of the ISO date, attend to the text. The values are the bare
characters, without position or neighborhood: what the model writes is mixed from the characters that it looked at.
Where it looks depends on the whole text, since the keys know the neighborhood.

The parameters were trained by ``benchmarks/train_date_reader.py`` on 30,000 dates; the remaining 6,525 were held out.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import data
from .attention import multi_head_attention, positional_encoding, scaled_dot_product_attention

HEADS = 4
TRAINING_DATES = 30_000
_DATES = 36_525
_FILE = Path(__file__).with_name("date_reader.npz")


def parameters() -> dict[str, np.ndarray]:
    """Return the trained parameters.

    Returns:
        A fresh dict of float64 arrays, for V = 42 characters (padding and start mark included), D = 32 features and
        E = 64 hidden units: ``embedding`` (V, D); ``w_q``, ``w_k``, ``w_v``, ``w_o`` (D, D) of the self-attention;
        ``queries`` (10, D); ``w_keys``, ``w_values`` (D, D); ``w_hidden`` (D, E); ``w_out`` (E, V).

    Raises:
        FileNotFoundError: If the file of the parameters is missing from the installation.

    Chapter: Attention and transformers (attention-transformers)
    """
    with np.load(_FILE, allow_pickle=False) as file:
        return {name: file[name].astype(np.float64) for name in file.files}


@cache
def _all_dates() -> tuple[tuple[str, str], ...]:
    return tuple(data.dates(_DATES, seed=0))


def training_dates() -> list[tuple[str, str]]:
    """Return the pairs (text, ISO text) that the model was trained on.

    Chapter: Attention and transformers (attention-transformers)
    """
    return list(_all_dates()[:TRAINING_DATES])


def held_out_dates() -> list[tuple[str, str]]:
    """Return the pairs (text, ISO text) of the dates that the model has not seen, in any way of writing.

    Chapter: Attention and transformers (attention-transformers)
    """
    return list(_all_dates()[TRAINING_DATES:])


def read(characters: Tensor, parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Read dates.

    Args:
        characters: Texts as indices of ``data.date_vocabulary()``, filled up with 0, int64, (N, T).
        parameters: As returned by :func:`parameters`, as tensors.

    Returns:
        Logits of the ten characters of each ISO date, (N, 10, V), and the alignment (N, 10, T): how much each of them
        looked at each character of the text.

    Source: Vaswani et al. (2017), Attention is all you need.

    Chapter: Attention and transformers (attention-transformers)
    """
    p = parameters
    n, length = characters.shape
    real = characters != data.Vocabulary.padding  # (N, T)
    embedded = p["embedding"][characters]  # (N, T, D)
    x = embedded + positional_encoding(length, embedded.shape[2], like=embedded)  # (N, T, D)
    attended = multi_head_attention(x, p["w_q"], p["w_k"], p["w_v"], p["w_o"], HEADS, real[:, None, None, :])
    keys = (x + attended) @ p["w_keys"]  # (N, T, D), know their neighborhood
    values = embedded @ p["w_values"]  # (N, T, D), know nothing but their character
    queries = p["queries"].expand(n, -1, -1)  # (N, 10, D)
    found, alignment = scaled_dot_product_attention(queries, keys, values, real[:, None, :])
    hidden = torch.relu((found + queries) @ p["w_hidden"])  # (N, 10, E)
    return hidden @ p["w_out"], alignment
