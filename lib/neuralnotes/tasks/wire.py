"""Plain values to bytes and back: what crosses between the judge and the student's process.

Numbers, strings, None, arrays of numbers or bools, and tuples, lists and dicts (str keys) of them. Never pickle:
decoding runs no code, so the judge can read what a hostile process wrote. Anything else becomes ``Opaque``, which names
its type. This module imports NumPy and the standard library only, because the student's process loads it too.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

MAX_DEPTH = 20
MAX_ITEMS = 50_000  # of one list, tuple or dict
MAX_TEXT = 2**17  # characters of one string
MAX_ARRAY = 32 * 2**20  # bytes of one array
MAX_HEADER = 2 * 2**20  # bytes of JSON: parsed, it takes many times as much memory, and time
MAX_INT_BITS = 4096


_to_json = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode  # _tree() has bounded the depth


class WireError(ValueError):
    """The bytes are not an encoded value."""


@dataclass(frozen=True)
class Opaque:
    """Stands for a value that cannot cross: an object of another type."""

    type_name: str


def encode(value) -> bytes:
    """Encode a value; what cannot cross is replaced by ``Opaque``."""
    blobs: list[bytes] = []
    tree = _tree(value, blobs, 0)
    header = _to_json({"tree": tree, "blobs": [len(blob) for blob in blobs]}).encode()
    if len(header) > MAX_HEADER:
        blobs, header = [], _to_json({"tree": ["opaque", "value of too many parts"], "blobs": []}).encode()
    return len(header).to_bytes(8, "big") + header + b"".join(blobs)


def decode(data: bytes):
    """Decode bytes made by ``encode``. Arrays are fresh and writable.

    Raises:
        WireError: The bytes are malformed.
    """
    try:
        size = int.from_bytes(data[:8], "big")
        if size > MAX_HEADER:
            raise WireError("the header is too large")
        header = json.loads(data[8 : 8 + size].decode())
        blobs, position = [], 8 + size
        for length in header["blobs"]:
            if not isinstance(length, int) or length < 0:
                raise WireError("a blob has no valid length")
            blobs.append(data[position : position + length])
            position += length
        if position != len(data):
            raise WireError("the lengths do not add up")
        return _value(header["tree"], blobs, 0)
    except WireError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError, MemoryError) as error:
        raise WireError(f"malformed value: {type(error).__name__}") from error


def fresh(value):
    """A deep copy by way of the wire: what the student's process would receive."""
    return decode(encode(value))


def _tree(value, blobs: list[bytes], depth: int):
    if depth > MAX_DEPTH:
        return ["opaque", "structure nested too deeply"]
    kind = type(value)  # exact types: a subclass may lie about itself
    if value is None or kind is bool or kind is float:  # JSON writes a float so that the same one is read
        return value
    if kind is int:
        return value if value.bit_length() <= MAX_INT_BITS else ["opaque", "enormous int"]
    if kind is str:
        return value if len(value) <= MAX_TEXT else ["opaque", f"string of {len(value)} characters"]
    if kind is np.ndarray:
        if value.dtype.kind not in "biufc":
            return ["opaque", f"array of dtype {value.dtype}"[:100]]
        if value.nbytes > MAX_ARRAY:
            return ["opaque", f"array of {value.nbytes / 2**20:.0f} MB"]
        contiguous = value.flags.c_contiguous or value.flags.f_contiguous
        order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
        blobs.append(value.tobytes(order=order))
        layout = order if contiguous else "strided"
        return ["array", value.dtype.str, list(value.shape), layout, len(blobs) - 1]
    if isinstance(value, np.generic) and value.dtype.kind in "biufc":
        blobs.append(value.tobytes())
        return ["scalar", value.dtype.str, len(blobs) - 1]
    # a namedtuple is a tuple and a defaultdict a dict: read with the plain type's own methods, whatever it overrides
    for plain in (tuple, list):
        if issubclass(kind, plain):
            if plain.__len__(value) > MAX_ITEMS:
                return ["opaque", f"{kind.__name__} of more than {MAX_ITEMS} items"]
            return [plain.__name__, [_tree(item, blobs, depth + 1) for item in plain.__iter__(value)]]
    if issubclass(kind, dict) and all(type(key) is str for key in dict.keys(value)):
        if dict.__len__(value) > MAX_ITEMS:
            return ["opaque", f"{kind.__name__} of more than {MAX_ITEMS} items"]
        return ["dict", [[key, _tree(item, blobs, depth + 1)] for key, item in dict.items(value)]]
    if kind is Opaque:
        return ["opaque", value.type_name]
    return ["opaque", str(kind.__name__)[:100]]


@lru_cache(maxsize=100)
def _dtype(text) -> np.dtype:
    if not isinstance(text, str) or len(text) > 8:
        raise WireError("not a dtype")
    dtype = np.dtype(text)
    if dtype.kind not in "biufc":
        raise WireError(f"dtype {dtype} does not cross")
    return dtype


def _text(text) -> str:
    """A string that can be written to a file: lone surrogates cannot."""
    if not isinstance(text, str):
        raise WireError("not a string")
    return text.encode("utf-8", "replace").decode()


def _take(blobs: list[bytes | None], index: int) -> bytes:
    """A blob, once: a few bytes that name one blob many times would grow to any size."""
    blob, blobs[index] = blobs[index], None
    if blob is None:
        raise WireError("a blob is used twice")
    return blob


def _value(tree, blobs: list[bytes | None], depth: int):
    kind = type(tree)
    if tree is None or kind is bool or kind is float:
        return tree
    if kind is int:
        if tree.bit_length() > MAX_INT_BITS:
            raise WireError("an enormous int")
        return tree
    if kind is str:
        return _text(tree)
    if depth > MAX_DEPTH + 1 or kind is not list or not tree:  # one deeper: the word that it was too deep
        raise WireError("not a value")
    kind, *rest = tree
    if kind == "opaque":
        return Opaque(_text(rest[0])[:200])
    if kind == "scalar":
        dtype, blob = _dtype(rest[0]), _take(blobs, rest[1])
        if len(blob) != dtype.itemsize:
            raise WireError("a scalar has the wrong size")
        return np.frombuffer(blob, dtype)[0]
    if kind == "array":
        text, shape, layout, index = rest
        dtype, blob = _dtype(text), _take(blobs, index)
        if min(shape, default=0) < 0:
            raise WireError("a shape has to hold sizes")
        if math.prod(shape) * dtype.itemsize != len(blob):
            raise WireError("an array has the wrong size")
        order = "F" if layout == "F" else "C"
        array = np.frombuffer(blob, dtype).reshape(shape, order=order).copy(order=order)
        if layout == "strided" and array.ndim:
            # the argument was a non-contiguous view, so the function gets one: every other item of a wider array
            wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), dtype)
            wide[..., ::2] = array
            return wide[..., ::2]
        return array
    if kind in ("tuple", "list"):
        items = [_value(item, blobs, depth + 1) for item in rest[0]]
        return tuple(items) if kind == "tuple" else items
    if kind == "dict":
        return {_text(key): _value(item, blobs, depth + 1) for key, item in rest[0]}
    raise WireError(f"unknown kind {kind!r}")
