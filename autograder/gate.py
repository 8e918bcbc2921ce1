"""The gate: from whatever a student handed in to a clean notebook, or a reason why there is none.

A submission is never trusted: only the *source* of known solution cells and of the student's own code and Markdown
cells survives. Everything else (the locked cells, tags, metadata, outputs, ids, the order of the assignment's cells)
comes from the release.
"""

from __future__ import annotations

import copy
import json
import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode

MAX_BYTES = 20 * 2**20
MAX_PARTS = 1_000_000  # lists and objects; parsed, each takes 70 bytes and time of its own
MAX_CELLS = 2_000
# In characters. The time to highlight or render a cell can grow with the square of its length.
MAX_SOURCE = 30_000
MAX_MARKDOWN = 10_000
MAX_SOURCES = 300_000  # of all cells together
MAX_BESIDE = 200  # bytes of a file beside the notebook
TIMESTAMP = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]*( ?([+-][\d:]+|[A-Za-z_]+(/[A-Za-z_]+)*))?"


@dataclass(frozen=True)
class Gated:
    """A submission after the gate.

    Attributes:
        notebook: The clean notebook; the release itself when there is nothing to read.
        verdict: "" when it was read, else ``missing`` or ``unreadable``.
        reason: Why it could not be read.
        notes: What was repaired, for the instructor.
        timestamp: When it was handed in, in UTC, as nbgrader writes it; "" when nobody says so.
        receipt: What nbgrader's exchange left to hand the feedback back by; "" when it did not come from there.
    """

    notebook: NotebookNode
    verdict: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()
    timestamp: str = ""
    receipt: str = ""


def read_submission(folder: Path, slug: str, release: NotebookNode) -> Gated:
    """Read ``<folder>/<slug>.ipynb`` and rebuild it from the release; read what the exchange left beside it."""
    gated = _read_notebook(Path(folder), slug, release)
    timestamp, note = read_timestamp(Path(folder))
    receipt, _ = _read_beside(Path(folder), "submission_secret.txt")
    if not re.fullmatch(r"[0-9a-zA-Z-]+", receipt):
        receipt = ""
    notes = (*gated.notes, *([note] if note else []))
    return replace(gated, timestamp=timestamp, receipt=receipt, notes=notes)


def read_timestamp(folder: Path) -> tuple[str, str]:
    """When a submission was handed in: ``timestamp.txt``, which nbgrader's exchange and ``zip_collect`` write.

    Returns:
        The time in UTC as nbgrader's exchange writes it and "", or "" and why the file says nothing (nothing, too, when
        there is none).
    """
    text, note = _read_beside(folder, "timestamp.txt")
    # the parser fills in what is missing with today's date, and opens files by the name of a time zone
    if re.fullmatch(TIMESTAMP, text, re.ASCII):
        from nbgrader.utils import parse_utc

        try:
            return f"{parse_utc(text):%Y-%m-%d %H:%M:%S.%f} UTC", ""
        except (ValueError, OverflowError):
            pass
    return "", note or (f"timestamp.txt holds no time: {text[:40]!r}" if text else "")


def _read_beside(folder: Path, name: str) -> tuple[str, str]:
    """A short text beside a notebook and "", or "" and why it was not read (nothing, too, when it is not there)."""
    path = folder / name
    try:
        if any(os.path.islink(step) for step in (folder.parent, folder, path)) or not path.exists():
            return "", f"{name} is a symbolic link and was not read" if os.path.islink(path) else ""
        if not path.is_file():
            return "", f"{name} is not a file"
        with path.open("rb") as file:
            data = file.read(MAX_BESIDE + 1)
    except OSError as error:
        return "", f"{name} cannot be read: {error.strerror}"
    if len(data) > MAX_BESIDE:
        return "", f"{name} has more than {MAX_BESIDE} bytes"
    text = data.decode("utf-8", "replace").strip()
    return text, "" if text else f"{name} is empty"


def _read_notebook(folder: Path, slug: str, release: NotebookNode) -> Gated:
    path = folder / f"{slug}.ipynb"

    def refuse(verdict: str, reason: str) -> Gated:
        return Gated(copy.deepcopy(release), verdict, reason)

    try:
        # a symbolic link is refused at every step of the way: it could point to anything
        for step in (Path(folder).parent, Path(folder), path):
            if os.path.islink(step):
                return refuse("unreadable", f"{step.name} is a symbolic link, not a file")
        if not path.exists():
            others = sorted(p.name for p in Path(folder).iterdir()) if Path(folder).is_dir() else []
            # names may hold what cannot be written again, or takes over the terminal that it is shown in
            shown = ["".join(c if c.isprintable() else "?" for c in name[:40]) for name in others[:5]]
            found = f"; found {', '.join(shown)}" if others else ""
            return refuse("missing", f"no {slug}.ipynb was handed in{found}")
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            return refuse("unreadable", f"{path.name} is not a file")
        if path.stat().st_size > MAX_BYTES:
            size = path.stat().st_size / 2**20
            return refuse("unreadable", f"{path.name} has {size:.0f} MB; the limit is {MAX_BYTES // 2**20}")
        data = path.read_bytes()
    except OSError as error:
        return refuse("unreadable", f"{path.name} cannot be read: {error.strerror}")
    if not data.strip():
        return refuse("unreadable", f"{path.name} is empty")
    if data.count(b"[") + data.count(b"{") > MAX_PARTS:
        return refuse("unreadable", f"{path.name} has more than {MAX_PARTS} lists and objects; clear its outputs")
    try:
        raw = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return refuse("unreadable", f"{path.name} is not UTF-8 text")
    except (ValueError, RecursionError) as error:
        return refuse("unreadable", f"{path.name} is not JSON: {str(error)[:100]}")
    problem = shape_problem(raw)
    if problem:
        return refuse("unreadable", f"{path.name} is not a notebook: {problem}")
    notebook, notes = rebuild(raw, release)
    return Gated(notebook, notes=tuple(notes))


def shape_problem(raw) -> str:
    """What keeps parsed JSON from being a notebook of format 4, or nothing."""
    if not isinstance(raw, dict):
        return "its top level is no object"
    if raw.get("nbformat") != 4:
        return f"its format is {str(raw.get('nbformat'))[:20]}; save it as nbformat 4 (any Jupyter since 2015)"
    if not isinstance(raw.get("cells"), list):
        return "it has no list of cells"
    if len(raw["cells"]) > MAX_CELLS:
        return f"it has {len(raw['cells'])} cells; the limit is {MAX_CELLS}"
    return ""


def cell_source(cell) -> str | None:
    """The source of a raw cell, or None when it has none that can be used."""
    if not isinstance(cell, dict):
        return None
    source = cell.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str) or len(source) > MAX_SOURCE:
        return None
    return source.encode("utf-8", "replace").decode("utf-8")  # lone surrogates cannot be written again


# In Markdown that is rendered for the instructor: HTML; pictures (attachments are left out, and nbconvert gives up on a
# picture without its attachment); links to anything but a web page; what TeX can do beside formulas.
HTML, PICTURE, LINK = r"<(?=[A-Za-z/!?])", r"!(?=\[)", r"\](?=[(:])(?![(:]\s*https?://)"
TEX = r"\\(?=(href|url|require|style|class|cssId)\b)"


def harmless_markdown(source: str) -> str:
    """A student's Markdown in which HTML is shown as text, and so are pictures and links that are no web address.

    It is rendered in the instructor's browser: a script in it, or a link that is one, would run there.
    """
    source = re.sub(HTML, "&lt;", source)
    # a space, which ends a link and harms no formula
    return re.sub(f"{PICTURE}|{LINK}|{TEX}", lambda found: f"{found[0]} ", source)[:MAX_MARKDOWN]


def rebuild(raw: dict, release: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """Put a submission's answers and own cells into a fresh copy of the release.

    Args:
        raw: The submission as parsed JSON, of the right outer shape.
        release: The release notebook.

    Returns:
        The clean notebook and notes on what was repaired.
    """
    notebook, notes = copy.deepcopy(release), []
    template = {c.metadata["nbgrader"]["grade_id"]: c for c in notebook.cells if "nbgrader" in c.metadata}
    released_sources = {c.source for c in notebook.cells if "nbgrader" not in c.metadata and c.cell_type == "markdown"}
    released_code = {c.id: c for c in notebook.cells if "nbgrader" not in c.metadata and c.cell_type == "code"}
    # programs that write notebook format 4.4 drop the ids; those play cells are known by what stands in them
    ids = {cell.get("id") for cell in raw["cells"] if isinstance(cell, dict) and isinstance(cell.get("id"), str)}
    without_id = {c.source: c.id for c in released_code.values() if c.id not in ids}
    answered: set[str] = set()
    own: dict[str, list[NotebookNode]] = {}  # cells of the student, by the id of the template cell that they follow
    anchor = ""
    characters = 0
    for index, cell in enumerate(raw["cells"]):
        source = cell_source(cell)
        if source is None:
            notes.append(f"cell {index + 1} has no readable source")
            continue
        marks = cell.get("metadata")
        marks = marks.get("nbgrader") if isinstance(marks, dict) else None
        grade_id = marks.get("grade_id") if isinstance(marks, dict) else None
        known = template.get(grade_id) if isinstance(grade_id, str) else None
        if known is not None and not known.metadata["nbgrader"]["solution"]:
            anchor = known.id
            continue  # a locked cell: the release's stands
        kind, cell_id = cell.get("cell_type"), cell.get("id")
        if kind == "markdown" and source in released_sources:
            continue
        characters += len(source)
        if characters > MAX_SOURCES:
            notes.append(f"cell {index + 1} is left out: the cells together have more than {MAX_SOURCES} characters")
            continue
        if known is not None and grade_id not in answered:
            answered.add(grade_id)
            known.source = source if known.cell_type == "code" else harmless_markdown(source)
            anchor = known.id
            continue
        if known is not None:
            notes.append(f"cell {index + 1} repeats {grade_id!r}: kept as the student's own cell")
        if not isinstance(cell_id, str) or cell_id not in released_code:
            cell_id = without_id.get(source)
        if kind == "code" and cell_id in released_code:
            # a play cell of the release, perhaps changed: the student's version takes its place
            released_code.pop(cell_id).source = source
            anchor = cell_id
            continue
        if kind == "code" and source.strip():
            own.setdefault(anchor, []).append(nbformat.v4.new_code_cell(source))
        elif kind == "markdown" and source.strip():
            own.setdefault(anchor, []).append(nbformat.v4.new_markdown_cell(harmless_markdown(source)))
    for grade_id, cell in template.items():
        if cell.metadata["nbgrader"]["solution"] and grade_id not in answered:
            notes.append(f"the cell {grade_id!r} is gone")
            if cell.cell_type == "code":
                cell.source = ""  # its function may stand in another cell; the stub must not overwrite it
    cells = list(own.get("", []))
    for cell in notebook.cells:
        cells += [cell, *own.get(cell.id, [])]
    released = {cell.id for cell in release.cells}
    for number, cell in enumerate((cell for cell in cells if cell.id not in released), 1):
        cell.id = f"own-{number}"
    notebook.cells = cells
    return notebook, notes
