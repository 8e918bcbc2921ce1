"""The gate: whatever is handed in becomes a clean notebook or a reason, and costs no more than it has to."""

from __future__ import annotations

import copy
import json
import random
import re

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbconvert.exporters import HTMLExporter

from autograder import gate
from autograder.gate import read_submission, rebuild, shape_problem
from autograder.judge import is_check

from .helpers import FIRST, RIGHT, SLUG, cell_of, code_cell, full_but, gated, hand_in, raw, returning, scores_of

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

CANARY = "6f1d-canary"  # stands in everything that the gate may not let through


def json_values(max_leaves: int = 6):
    leaf = st.none() | st.booleans() | st.integers() | st.floats() | any_text()
    return st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text(), inner, max_size=3),
        max_leaves=max_leaves,
    )


def any_text():
    return st.text(st.characters(categories=["L", "N", "P", "S", "Z", "Cc", "Cs"]), max_size=30)


@st.composite
def mutations(draw, document: dict) -> dict:
    """A notebook that was cut, shuffled, doubled and scribbled over."""
    cells = [dict(cell) for cell in document["cells"]]
    random.Random(draw(st.integers())).shuffle(cells) if draw(st.booleans()) else None
    for _ in range(draw(st.integers(0, 8))):
        position = draw(st.integers(0, max(len(cells) - 1, 0)))
        actions = ["drop", "double", "junk", "own", "source", "metadata", "id", "kind", "grade_id", "smuggle"]
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
            cell["id"] = draw(json_values() | st.sampled_from([c["id"] for c in document["cells"]]))
        elif action == "kind":
            cell["cell_type"] = draw(st.sampled_from(["code", "markdown", "raw"]) | json_values())
        elif action == "smuggle":
            cell.update(outputs=[{"output_type": "stream", "name": "stdout", "text": CANARY}], attachments={CANARY: {}},
                        execution_count=CANARY, another=CANARY)
            if isinstance(cell.get("metadata"), dict):
                cell["metadata"] = {**cell["metadata"], "tags": [CANARY, "skip-execution"], "trusted": CANARY}
        elif isinstance(cell.get("metadata"), dict):
            ids = [c["metadata"]["nbgrader"]["grade_id"] for c in document["cells"] if "nbgrader" in c["metadata"]]
            cell["metadata"] = {"nbgrader": {"grade_id": draw(st.sampled_from(ids) | any_text())}}
    metadata = draw(json_values() | st.just({"neuralnotes": {"verdict": CANARY}, "kernelspec": {"name": CANARY}}))
    minor = draw(st.integers(0, 9) | json_values())
    return {"nbformat": 4, "nbformat_minor": minor, "metadata": metadata, "cells": cells}


@st.composite
def scribbled(draw, value):
    """A JSON value in which some part, at any depth, is replaced, left out or doubled."""
    if not isinstance(value, (dict, list)) or not value or draw(st.integers(0, 5)) == 0:
        return draw(json_values())
    if isinstance(value, dict):
        key = draw(st.sampled_from(sorted(value)))
        change = draw(st.sampled_from(["inside", "inside", "inside", "drop", "double"]))
        if change == "drop":
            return {k: v for k, v in value.items() if k != key}
        if change == "double":
            return {**value, draw(any_text()): value[key]}
        return {**value, key: draw(scribbled(value[key]))}
    place = draw(st.integers(0, len(value) - 1))
    change = draw(st.sampled_from(["inside", "inside", "inside", "drop", "double"]))
    if change == "drop":
        return value[:place] + value[place + 1 :]
    if change == "double":
        return value[:place] + [value[place]] + value[place:]
    return [*value[:place], draw(scribbled(value[place])), *value[place + 1 :]]


def assert_clean(notebook, release) -> None:
    """What holds for whatever comes through the gate."""
    nbformat.validate(notebook)
    text = nbformat.writes(notebook)
    assert text.encode() and CANARY not in text
    assert notebook.metadata == release.metadata
    # everything of the release that is not the student's to write, once, in its order and to the letter
    kept = [cell for cell in notebook.cells if not cell.id.startswith("own-")]
    assert [cell.id for cell in kept] == [cell.id for cell in release.cells]
    for cell, original in zip(kept, release.cells, strict=True):
        assert cell.metadata == original.metadata and cell.cell_type == original.cell_type
        theirs = original.metadata.get("nbgrader", {}).get("solution") or (
            "nbgrader" not in original.metadata and original.cell_type == "code"
        )
        assert theirs or cell.source == original.source
        assert set(cell) == set(original) and cell.get("outputs", []) == []
    own = [cell for cell in notebook.cells if cell.id.startswith("own-")]
    assert all(cell.metadata == {} and not is_check(cell) and cell.get("outputs", []) == [] for cell in own)
    assert all("attachments" not in cell and "another" not in cell for cell in notebook.cells)
    # nbgrader's own commands pass the gate's notebook through the gate again
    again, _ = rebuild(json.loads(text), release)
    assert again == notebook


PROPERTY = settings(max_examples=100, deadline=5000, derandomize=True, suppress_health_check=list(HealthCheck))


@PROPERTY
@given(data=st.data())
def test_a_changed_notebook_keeps_what_is_locked(data, release, tmp_path_factory):
    submitted = data.draw(mutations(raw(release)))
    result = through_a_file(tmp_path_factory, json.dumps(submitted).encode(), release)
    assert result.verdict == ""
    assert_clean(result.notebook, release)


@PROPERTY
@given(data=st.data())
def test_a_scribbled_notebook_is_read_or_refused(data, release, tmp_path_factory):
    submitted = data.draw(scribbled(raw(release)))
    for _ in range(data.draw(st.integers(0, 3))):
        submitted = data.draw(scribbled(submitted))
    result = through_a_file(tmp_path_factory, json.dumps(submitted).encode(), release)
    assert_clean(result.notebook, release)
    assert (result.verdict == "") == (shape_problem(submitted) == "")


@PROPERTY
@given(value=json_values(max_leaves=30))
def test_any_json_is_read_or_refused(value, release, tmp_path_factory):
    for content in (value, {"nbformat": 4, "cells": value}, {"nbformat": 4, "cells": [value, {"source": value}]}):
        result = through_a_file(tmp_path_factory, json.dumps(content).encode(), release)
        assert result.verdict in ("", "unreadable") and (result.verdict == "") == (result.reason == "")
        assert_clean(result.notebook, release)


@PROPERTY
@given(data=st.data())
def test_any_bytes_are_read_or_refused(data, release, tmp_path_factory):
    content = bytearray(json.dumps(raw(release)).encode())
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.sampled_from([0, 1, 1000]))] = data.draw(st.binary(max_size=5))
    result = through_a_file(tmp_path_factory, bytes(content), release)
    assert result.verdict in ("", "unreadable")
    assert len(result.reason) < 300 and result.reason.isprintable()
    assert_clean(result.notebook, release)


def through_a_file(tmp_path_factory, content: bytes, release):
    folder = tmp_path_factory.getbasetemp() / "of any content" / SLUG
    hand_in(folder, content)
    return read_submission(folder, SLUG, release)


def test_html_in_a_students_markdown_is_shown_as_text():
    text = gate.harmless_markdown("**bold**, $a < b$, <script>alert(1)</script> <!-- x --> <img src=x onerror=y()>")
    assert "<script" not in text and "<img" not in text and "<!--" not in text
    assert text.startswith("**bold**, $a < b$, &lt;script>alert(1)")
    assert gate.harmless_markdown(text) == text
    assert len(gate.harmless_markdown("<a" * gate.MAX_MARKDOWN)) == gate.MAX_MARKDOWN


MARKDOWN = {
    "a link that is a script": "[x](javascript:alert(1))",
    "written otherwise": "[x]( JaVaScRiPt:alert(1))",
    "in entities": "[x](&#106;avascript:alert(1))",
    "in angle brackets": "[x](<javascript:alert(1)>)",
    "by reference": "[x][y]\n\n[y]: javascript:alert(1)",
    "a page in a link": "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "a picture from elsewhere": "![x](http://example.org/who-reads-this.png)",
    "a picture by reference": "![x][y]\n\n[y]: http://example.org/who-reads-this.png",
    "a picture from the clipboard": "![image.png](attachment:image.png)",
    "a picture that is no picture": '![x](a.png "t\\" onerror=\\"alert(1)")',
    "TeX": r"$\href{javascript:alert(1)}{x}$ and $\require{html}\style{position:fixed}{x}$",
}


@pytest.mark.parametrize("name", MARKDOWN)
def test_markdown_that_is_rendered_runs_and_fetches_nothing(name):
    text = gate.harmless_markdown(MARKDOWN[name])
    assert gate.harmless_markdown(text) == text
    page = HTMLExporter().markdown2html({}, text)
    assert not re.search(r"<img|<script|(href|src)=\W*(javascript|data|attachment|%20)", page, re.IGNORECASE)
    assert r"\href" not in page and r"\style" not in page


def test_markdown_that_does_no_harm_stays_as_it_is():
    for text in ("**bold** and [a page](https://example.org/a_(b)), n! and $x[i](t)$", "# Title\n\n1. one\n2. two\n"):
        assert gate.harmless_markdown(text) == text.replace("](t)", "] (t)")


@PROPERTY
@given(text=st.text("![](:)<>a&#106;\\$`\n \"'^_*-|", max_size=60))
def test_any_markdown_can_be_rendered(text):
    harmless = gate.harmless_markdown(text)
    assert gate.harmless_markdown(harmless) == harmless
    HTMLExporter().markdown2html({}, harmless)
