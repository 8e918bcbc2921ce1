"""The gate: whatever is handed in becomes a clean notebook or a reason, and costs no more than it has to."""

from __future__ import annotations

import copy
import json
import os
import random

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder import gate
from autograder.gate import read_submission, rebuild, shape_problem
from autograder.judge import is_check

from .helpers import FIRST, RIGHT, SLUG, cell_of, code_cell, full_but, gated, hand_in, raw, returning, scores_of

DEEP = b'{"nbformat": 4, "cells": ' + b"[" * 5000 + b"]" * 5000 + b"}"

UNREADABLE = {
    "empty": b"",
    "white space": b" \n\t ",
    "text": b"I did it on paper",
    "half a file": None,  # filled in below: the first half of a right notebook
    "binary": bytes(range(256)) * 20,
    "utf-16": "{}".encode("utf-16"),
    "latin-1": '{"nbformat": 4, "cells": [], "x": "é"}'.encode("latin-1"),
    "list": b"[]",
    "number": b"4",
    "null": b"null",
    "no cells": b'{"nbformat": 4}',
    "cells are a dict": b'{"nbformat": 4, "cells": {}}',
    "nbformat 3": b'{"nbformat": 3, "worksheets": [{"cells": []}]}',
    "nbformat 9": b'{"nbformat": 9, "cells": []}',
    "nbformat missing": b'{"cells": []}',
    "nbformat text": b'{"nbformat": "4", "cells": []}',
    "deep": b"[" * 5000 + b"]" * 5000,
    "endless number": b'{"nbformat": 4, "cells": [], "x": ' + b"9" * 10_000 + b"}",
    "too many cells": json.dumps({"nbformat": 4, "cells": [{}] * 2001}).encode(),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_broken_file_is_unreadable_with_a_reason(name, tmp_path, solved, release):
    content = UNREADABLE[name]
    if content is None:
        content = json.dumps(raw(solved)).encode()
        content = content[: len(content) // 2]
    result = gated(tmp_path, content, release)
    assert result.verdict == "unreadable"
    assert f"{SLUG}.ipynb" in result.reason and len(result.reason) < 300
    assert result.notebook == release


def test_deep_json_in_a_notebook_is_no_crash(tmp_path, release):
    assert gated(tmp_path, DEEP, release).verdict == "unreadable"


def test_a_byte_order_mark_is_no_reason(tmp_path, solved, release):
    result = gated(tmp_path, b"\xef\xbb\xbf" + json.dumps(raw(solved)).encode(), release)
    assert result.verdict == ""
    assert scores_of(result.notebook) == full_but()


def test_what_is_no_file(tmp_path, solved, release):
    def verdict(folder) -> tuple[str, str]:
        result = read_submission(folder, SLUG, release)
        assert result.notebook == release
        return result.verdict, result.reason

    right = hand_in(tmp_path / "right" / SLUG, raw(solved))
    assert verdict(tmp_path / "nobody" / SLUG)[0] == "missing"
    (tmp_path / "nothing" / SLUG).mkdir(parents=True)
    assert verdict(tmp_path / "nothing" / SLUG)[0] == "missing"

    other = tmp_path / "other" / SLUG
    other.mkdir(parents=True)
    (other / "Untitled (1).ipynb").write_bytes(right.read_bytes())
    assert verdict(other) == ("missing", f"no {SLUG}.ipynb was handed in; found Untitled (1).ipynb")

    bytes_name = tmp_path / "bytes" / SLUG
    bytes_name.mkdir(parents=True)
    with open(os.path.join(os.fsencode(bytes_name), b"\xff\xfe.ipynb"), "wb"):
        pass
    word, reason = verdict(bytes_name)
    assert word == "missing" and reason.encode()  # can be written to a file

    folder = tmp_path / "folder" / SLUG
    (folder / f"{SLUG}.ipynb").mkdir(parents=True)
    assert verdict(folder)[0] == "unreadable"

    pipe = tmp_path / "pipe" / SLUG
    pipe.mkdir(parents=True)
    os.mkfifo(pipe / f"{SLUG}.ipynb")
    assert verdict(pipe)[0] == "unreadable"

    file_for_folder = tmp_path / "file" / SLUG
    file_for_folder.parent.mkdir()
    file_for_folder.write_text("x")
    assert verdict(file_for_folder)[0] in ("missing", "unreadable")


@pytest.mark.parametrize("which", ["file", "assignment folder", "student folder", "dangling"])
def test_symbolic_links_are_refused(which, tmp_path, solved, release):
    right = hand_in(tmp_path / "right" / SLUG, raw(solved))
    folder = tmp_path / "cheat" / SLUG
    if which == "student folder":
        (tmp_path / "cheat").symlink_to(tmp_path / "right")
    elif which == "assignment folder":
        folder.parent.mkdir()
        folder.symlink_to(right.parent)
    else:
        folder.mkdir(parents=True)
        (folder / f"{SLUG}.ipynb").symlink_to(right if which == "file" else tmp_path / "nowhere")
    result = read_submission(folder, SLUG, release)
    assert (result.verdict, result.notebook) == ("unreadable", release)
    assert "symbolic link" in result.reason


def test_a_file_over_the_limit_is_not_read(tmp_path, release, monkeypatch):
    folder = tmp_path / "student" / SLUG
    path = hand_in(folder, b"{}")
    os.truncate(path, 200 * 2**20)  # sparse: it takes no room on the disk

    def read(self):
        raise AssertionError("the file was read")

    monkeypatch.setattr(type(path), "read_bytes", read)
    result = read_submission(folder, SLUG, release)
    assert result.verdict == "unreadable"
    assert "200 MB" in result.reason


# ---------------------------------------------------------------------------- repairs: each with the points it deserves


def change(name):
    def register(function):
        CHANGES[name] = function
        return function

    return register


CHANGES = {}


@change("cells without ids, as notebook format 4.4 has them")
def _(document):
    document["nbformat_minor"] = 4
    for cell in document["cells"]:
        cell.pop("id", None)


@change("sources as one string")  # elsewhere they are lists of lines
def _(document):
    for cell in document["cells"]:
        cell["source"] = "".join(cell["source"])


@change("all metadata of nbgrader gone")
def _(document):
    for cell in document["cells"]:
        cell["metadata"] = {}


@change("a schema version of the future")
def _(document):
    for cell in document["cells"]:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"]["schema_version"] = 99


@change("metadata that are no metadata")
def _(document):
    document["metadata"] = 7
    cell_of(document, FIRST)["metadata"] = [1, 2]
    document["cells"].append({"cell_type": "code", "metadata": {"nbgrader": 5}, "source": "1"})
    document["cells"].append({"cell_type": "code", "metadata": {"nbgrader": {"grade_id": ["a"]}}, "source": "1"})


@change("a copied answer")
def _(document):
    document["cells"].insert(9, copy.deepcopy(cell_of(document, f"{FIRST}-solution")))


@change("every cell twice")
def _(document):
    document["cells"] = [copy.deepcopy(cell) for cell in document["cells"] for _ in range(2)]


@change("test cells deleted")
def _(document):
    document["cells"] = [c for c in document["cells"] if not c["metadata"].get("nbgrader", {}).get("grade")]


@change("only the answers left")
def _(document):
    document["cells"] = [c for c in document["cells"] if c["metadata"].get("nbgrader", {}).get("solution")]


@change("test cells first")
def _(document):
    document["cells"].sort(key=lambda c: not c["metadata"].get("nbgrader", {}).get("grade", False))


@change("cells in reverse order")
def _(document):
    document["cells"].reverse()


@change("answers turned into Markdown")
def _(document):
    for cell in document["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["cell_type"] = "markdown"


@change("an answer moved to a cell of one's own")
def _(document):
    cell = cell_of(document, f"{FIRST}-solution")
    document["cells"].remove(cell)
    document["cells"].append(code_cell(cell["source"]))


@change("points and flags changed")
def _(document):
    marks = cell_of(document, FIRST)["metadata"]["nbgrader"]
    marks.update(points=1000, locked=False, solution=True, grade=False)
    cell_of(document, f"{FIRST}-solution")["metadata"]["nbgrader"].update(grade=True, points=1000, locked=True)


@change("tags that skip")
def _(document):
    for cell in document["cells"]:
        cell["metadata"]["tags"] = ["skip-execution", "raises-exception", "remove-cell"]


@change("cells that are none")
def _(document):
    document["cells"] += [None, 5, "cell", [], {}, {"cell_type": "code"}, {"cell_type": 3, "source": "x"}]
    document["cells"] += [code_cell(7), code_cell([1]), code_cell(None), {"cell_type": "markdown", "source": {}}]


@change("a kernel of another language")
def _(document):
    document["metadata"] = {"kernelspec": {"name": "bash", "language": "bash"}, "neuralnotes": {"verdict": "pass"}}


@change("lone surrogates and control characters")
def _(document):
    document["cells"].append(code_cell("text = '\ud800'"))
    document["cells"].append({"cell_type": "markdown", "source": "\ud800 \x00 \x1b[31m \u202e", "metadata": {}})
    document["cells"].append(code_cell("\x00"))


@change("a cell that is far too long")
def _(document):
    document["cells"].append(code_cell("x = 1\n" * 100_000))


@change("outputs that lie")
def _(document):
    cell = cell_of(document, FIRST)
    cell["outputs"] = [{"output_type": "execute_result", "data": {"text/plain": "1000"}, "metadata": {}}]


@pytest.mark.parametrize("name", CHANGES)
def test_a_right_submission_keeps_its_points(name, tmp_path, solved, release):
    document = raw(solved)
    CHANGES[name](document)
    result = gated(tmp_path, document, release)
    assert result.verdict == ""
    nbformat.validate(result.notebook)
    nbformat.writes(result.notebook).encode()
    assert scores_of(result.notebook) == full_but()


@pytest.mark.parametrize("name", CHANGES)
def test_a_wrong_answer_gains_nothing(name, tmp_path, solved, release):
    document = raw(solved)
    cell_of(document, f"{FIRST}-solution")["source"] = returning("1")
    CHANGES[name](document)
    result = gated(tmp_path, document, release)
    assert scores_of(result.notebook) == full_but(**{FIRST: 0})


@pytest.mark.parametrize("name", CHANGES)
def test_a_blank_notebook_gains_nothing(name, tmp_path, release):
    document = raw(release)
    CHANGES[name](document)
    assert set(scores_of(gated(tmp_path, document, release).notebook).values()) == {0}


def test_a_deleted_answer_is_missing_and_the_others_stand(tmp_path, solved, release):
    document = raw(solved)
    document["cells"].remove(cell_of(document, f"{FIRST}-solution"))
    result = gated(tmp_path, document, release)
    assert scores_of(result.notebook) == full_but(**{FIRST: 0})
    assert any(FIRST in note for note in result.notes)


def test_the_later_definition_counts_as_in_a_notebook(tmp_path, solved, release):
    document = raw(solved)
    cell_of(document, f"{FIRST}-solution")["source"] = returning("1")
    document["cells"].append(code_cell(RIGHT))
    assert scores_of(gated(tmp_path, document, release).notebook) == full_but()


def test_all_cells_together_are_bounded(tmp_path, solved, release):
    document = raw(solved)
    document["cells"] += [code_cell("# " + "x" * 20_000) for _ in range(30)]
    document["cells"] += [{"cell_type": "markdown", "source": "[" * 30_000, "metadata": {}}]
    notebook = gated(tmp_path, document, release).notebook
    assert len(nbformat.writes(notebook)) < 2 * gate.MAX_SOURCES
    assert scores_of(notebook) == full_but()
    one = raw(solved)
    one["cells"] += [{"cell_type": "markdown", "source": "[" * 30_000, "metadata": {}}]
    last = gated(tmp_path, one, release).notebook.cells[-1]
    assert last.source == "[" * gate.MAX_MARKDOWN


# -------------------------------------------------------------------------------------------------------- properties


def json_values():
    leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    return st.recursive(leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                                          max_size=3), max_leaves=6)


def any_text():
    return st.text(st.characters(categories=["L", "N", "P", "S", "Z", "Cc", "Cs"]), max_size=30)


@st.composite
def mutations(draw, document: dict) -> dict:
    """A notebook that was cut, shuffled, doubled and scribbled over."""
    cells = [dict(cell) for cell in document["cells"]]
    random.Random(draw(st.integers())).shuffle(cells) if draw(st.booleans()) else None
    for _ in range(draw(st.integers(0, 8))):
        position = draw(st.integers(0, max(len(cells) - 1, 0)))
        actions = ["drop", "double", "junk", "own", "source", "metadata", "id", "kind", "grade_id"]
        action = draw(st.sampled_from(actions))
        if action == "junk":
            cells.insert(position, draw(json_values()))
            continue
        if action == "own":
            kind = draw(st.sampled_from(["code", "markdown", "raw", "odd"]))
            cells.insert(position, {"cell_type": kind, "source": draw(any_text()), "metadata": {}})
            continue
        if not cells or not isinstance(cells[position], dict):
            continue
        cell = cells[position] = copy.deepcopy(cells[position])
        if action == "drop":
            del cells[position]
        elif action == "double":
            cells.insert(draw(st.integers(0, len(cells))), copy.deepcopy(cell))
        elif action == "source":
            cell["source"] = draw(any_text() | st.lists(any_text(), max_size=3) | json_values())
        elif action == "metadata":
            cell["metadata"] = draw(json_values() | st.fixed_dictionaries({"nbgrader": json_values()}))
        elif action == "id":
            cell["id"] = draw(json_values())
        elif action == "kind":
            cell["cell_type"] = draw(st.sampled_from(["code", "markdown", "raw"]) | json_values())
        elif isinstance(cell.get("metadata"), dict):
            ids = [c["metadata"]["nbgrader"]["grade_id"] for c in document["cells"] if "nbgrader" in c["metadata"]]
            cell["metadata"] = {"nbgrader": {"grade_id": draw(st.sampled_from(ids) | any_text())}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_rebuild_never_fails_and_keeps_what_is_locked(data, release):
    submitted = data.draw(mutations(raw(release)))
    assert shape_problem(submitted) == ""
    notebook, _ = rebuild(submitted, release)
    nbformat.validate(notebook)
    nbformat.writes(notebook).encode()
    # everything of the release that is not the student's to write, in its order and to the letter
    kept = [cell for cell in notebook.cells if not cell.id.startswith("own-")]
    assert [cell.id for cell in kept] == [cell.id for cell in release.cells]
    for cell, original in zip(kept, release.cells, strict=True):
        assert cell.metadata == original.metadata and cell.cell_type == original.cell_type
        theirs = original.metadata.get("nbgrader", {}).get("solution") or (
            "nbgrader" not in original.metadata and original.cell_type == "code"
        )
        assert theirs or cell.source == original.source
    own = [cell for cell in notebook.cells if cell.id.startswith("own-")]
    assert all("nbgrader" not in cell.metadata and not is_check(cell) for cell in own)
    # nbgrader's own commands pass the gate's notebook through the gate again
    again, _ = rebuild(json.loads(nbformat.writes(notebook)), release)
    assert again == notebook


@settings(max_examples=200, deadline=None)
@given(raw_value=json_values())
def test_shape_problem_never_fails(raw_value):
    assert isinstance(shape_problem(raw_value), str)
    assert isinstance(shape_problem({"nbformat": raw_value, "cells": raw_value}), str)


def test_html_in_a_students_markdown_is_shown_as_text():
    text = gate.harmless_markdown("**bold**, $a < b$, <script>alert(1)</script> <!-- x --> <img src=x onerror=y()>")
    assert "<script" not in text and "<img" not in text and "<!--" not in text
    assert text.startswith("**bold**, $a < b$, &lt;script>alert(1)")
    assert gate.harmless_markdown(text) == text
    assert len(gate.harmless_markdown("<a" * gate.MAX_MARKDOWN)) == gate.MAX_MARKDOWN
