"""Results on disk: what was judged, by content hash, and who has which result.

In ``<out>/results``: ``<key>.json`` is what decides the marks (phase 1), ``<key>.cells.json`` what the cells printed
and plotted (phase 2), ``<slug>.json`` the index (student -> entry). A key is the hash of all that a result depends on
(``judge.result_key``): the same file never means two things, so a run that was cut off goes on where it was, and a
regrade judges only what changed. Every file appears whole or not at all.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from nbformat import NotebookNode

from neuralnotes import tasks

from . import judge


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that it is never seen half-written, even when this process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)  # on a full disk half a file would only take more of it
        raise


def _read(path: Path) -> dict | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # not there, or spoilt by something that is not ours: done again
        return None
    return value if isinstance(value, dict) else None


def stored(folder: Path, key: str) -> dict | None:
    """What ``judge_notebook`` gave for this key, or None when it has not been judged."""
    result = _read(Path(folder) / f"{key}.json")
    return result if result and isinstance(result.get("results"), dict) else None


def stored_cells(folder: Path, key: str) -> dict:
    """What ``read_through`` gave for this key: cell id -> list of nbformat outputs; {} when there is nothing."""
    return _read(Path(folder) / f"{key}.cells.json") or {}


def store(folder: Path, key: str, judged: dict, cells: dict) -> None:
    """Keep both parts of a result."""
    store_text(folder, key, json.dumps(judged), json.dumps(cells))


def store_text(folder: Path, key: str, judged: str, cells: str) -> None:
    """Keep both parts of a result that are JSON already. The marks come last: where they stand, the rest does too."""
    write_whole(Path(folder) / f"{key}.cells.json", cells)
    write_whole(Path(folder) / f"{key}.json", judged)


def index(out: Path, slug: str) -> dict[str, dict]:
    """Who has which result.

    Returns:
        student -> ``{"key": of the result, "timestamp": as the gate gives it, "sandboxed": whether it was judged
        in one, "recorded": whether the gradebook and the feedback hold this result}``.
    """
    entries = _read(Path(out) / "results" / f"{slug}.json") or {}
    return {name: e for name, e in entries.items() if isinstance(e, dict) and isinstance(e.get("key"), str)}


def write_index(out: Path, slug: str, entries: dict[str, dict]) -> None:
    write_whole(Path(out) / "results" / f"{slug}.json", json.dumps(entries, indent=1))


def everyone(out: Path) -> dict[str, dict[str, dict]]:
    """Every result that is in ``out``, whichever run it is of.

    Returns:
        slug -> student -> what ``judge_notebook`` gave, but for ``cells`` and the ``cases`` of each result, which would
        fill the memory with a large class (``stored`` has them); slugs in the order of the course, students by name.
        Assignments that nobody was graded in are left out.
    """
    found: dict[str, dict[str, dict]] = {}
    for slug in tasks.ASSIGNMENTS:
        for name, entry in sorted(index(out, slug).items()):
            judged = stored(Path(out) / "results", entry["key"])
            if judged is not None:
                judged.pop("cells", None)
                for result in judged["results"].values():
                    result["cases"] = []
                found.setdefault(slug, {})[name] = judged
    return found


def judge_both(slug: str, notebook: NotebookNode, seed: int, level: str | None) -> tuple[dict, dict]:
    """Judge a clean notebook (phase 1), and run it once more for the person who reads it (phase 2)."""
    judged = judge.judge_notebook(slug, notebook, seed, level)
    passed = {name for name, result in judged["results"].items() if result["verdict"] == "pass"}
    return judged, judge.read_through(slug, notebook, level, passed)


def judge_once(
    slug: str,
    notebook: NotebookNode,
    seed: int,
    level: str | None,
    folder: Path,
    fresh: bool = False,
    key: str | None = None,
) -> dict:
    """Judge a clean notebook and keep the result, or read that of an equal one.

    Args:
        slug: The assignment.
        notebook: As the gate made it.
        seed: Of the hidden cases (``secret.seed_of``).
        level: Of the sandbox; None for the best that this machine has.
        folder: ``<out>/results``.
        fresh: Judge it even when there is a result.
        key: Its ``judge.result_key``, when that is known.

    Returns:
        What ``judge_notebook`` gives.
    """
    key = key or judge.result_key(slug, notebook, seed, level)
    known = None if fresh else stored(folder, key)
    if known is not None:
        return known
    judged, cells = judge_both(slug, notebook, seed, level)
    store(folder, key, judged, cells)
    return judged
