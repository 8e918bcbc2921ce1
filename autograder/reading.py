"""Reading a notebook through, the trusted side: what is handed in, and what of a kernel's output may be kept."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import tempfile
import zlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

import nbformat
import numpy as np
import platformdirs

import neuralnotes
from neuralnotes.tasks import wire

LIBRARY = Path(neuralnotes.__file__).parent
MAX_TEXT = 20_000  # bytes of one cell
MAX_IMAGE = 300_000  # bytes of one picture
MAX_PIXELS = 4_000  # of a picture's sides
MAX_NOTEBOOK = 2_000_000  # bytes of all that is kept of one notebook
SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"pHYs", b"tEXt", b"gAMA", b"sRGB"}


@cache
def handed_in() -> Path:
    """The arrays that the light library cannot compute itself, as an ``.npz`` file in the user's cache."""
    sources = [LIBRARY / "data.py", LIBRARY / "date_reader.py", LIBRARY / "date_reader.npz", Path(__file__)]
    digest = hashlib.sha256(version("scikit-learn").encode())
    for path in sources:
        digest.update(path.read_bytes())
    name = f"reading-{digest.hexdigest()[:16]}.npz"
    path = platformdirs.user_cache_path("neural-notes") / name
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path)
        except OSError:  # no home, or not writable
            path = Path(tempfile.mkdtemp(prefix="neural-notes-")) / name
            _write(path)
    return path


def _write(path: Path) -> None:
    from neuralnotes import data, date_reader

    split = data.digits()
    arrays = {f"digits {part}": array for part, array in split._asdict().items()}
    arrays |= {f"photograph {name}": data._sample_image(name) for name in ("china", "flower")}
    arrays |= {f"reader {name}": array for name, array in date_reader.parameters().items()}
    arrays["dates"] = np.array(date_reader.training_dates() + date_reader.held_out_dates())
    arrays["training dates"] = np.array(date_reader.TRAINING_DATES)
    partial = path.with_name(f"{path.stem}.{os.getpid()}.part.npz")
    np.savez_compressed(partial, **arrays)
    partial.replace(path)


def outputs(shown: bytes, room: int) -> list[dict]:
    """What a cell showed as nbformat outputs: text and PNG pictures only, nothing that a browser would run.

    Args:
        shown: A list of ``[kind, content]`` as ``light.Screen`` keeps it, encoded. It comes from a hostile process.
        room: Bytes that may still be kept.
    """
    try:
        items = wire.decode(shown) if shown else []
    except wire.WireError:
        return []
    kept, text_room = [], MAX_TEXT
    for item in items if isinstance(items, list) else []:
        kind, content = item if isinstance(item, list) and len(item) == 2 else (None, None)
        if kind == "image" and isinstance(content, np.ndarray) and content.dtype == np.uint8:
            picture = content.tobytes()
            if not is_png(picture):
                continue
            data = {"image/png": base64.b64encode(picture).decode()}
            one = nbformat.v4.new_output("display_data", data=data)
        elif kind in ("stdout", "stderr", "value") and isinstance(content, str) and content:
            content = content[:text_room].encode()[:text_room].decode(errors="ignore")
            text_room -= len(content.encode())
            if not content:
                continue
            if kind == "value":
                one = nbformat.v4.new_output("display_data", data={"text/plain": content})
            else:
                one = nbformat.v4.new_output("stream", name=kind, text=content)
        else:
            continue
        room -= size(one)
        if room < 0:
            break
        kept.append(dict(one))
    return kept


def size(output: dict) -> int:
    """Bytes of the content of an output."""
    texts = output["data"].values() if "data" in output else [output["text"]]
    return sum(len(text.encode()) for text in texts)


def is_png(data: bytes) -> bool:
    """Whether the bytes are a PNG picture of a sane size: whole chunks of the usual kinds, and nothing behind them."""
    if len(data) > MAX_IMAGE or not data.startswith(SIGNATURE):
        return False
    position, kinds = len(SIGNATURE), []
    while position < len(data):
        if len(data) - position < 12:
            return False
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if kind not in CHUNKS or end > len(data):
            return False
        if zlib.crc32(data[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return False
        if not kinds and (kind != b"IHDR" or length != 13):
            return False
        kinds.append(kind)
        position = end
    if not kinds or b"IDAT" not in kinds or kinds[-1] != b"IEND" or kinds.count(b"IEND") > 1:
        return False
    width, height = struct.unpack_from(">II", data, len(SIGNATURE) + 8)
    return 0 < width <= MAX_PIXELS and 0 < height <= MAX_PIXELS
