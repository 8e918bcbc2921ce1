"""Percent scripts: what is wrong in one is said with the file's name; what is right becomes the released notebook."""

from __future__ import annotations

import json
import shutil

import pytest

from autograder import assignments
from autograder.__main__ import main
from autograder.assignments import AssignmentError, read_source, released
from neuralnotes import tasks

from .helpers import FIRST, SLUG

CHECK = f'check("{FIRST}", {FIRST})'
SOLUTION_HEADER = f'# %% nbgrader={{"grade_id": "{FIRST}-solution", "solution": true}}'
CHECK_HEADER = f'# %% nbgrader={{"grade_id": "{FIRST}", "grade": true}}'

# what is changed in the source, and words of the message
MISTAKES = {
    "no region": (("    ### BEGIN SOLUTION\n", ""), "BEGIN SOLUTION"),
    "no end": (("    ### END SOLUTION\n", ""), "END SOLUTION"),
    "region in a plain cell": ((SOLUTION_HEADER, "# %%"), "a solution region needs a header"),
    "solution cell gone": ((f"{FIRST}-solution", f"{FIRST}-answer"), f"{FIRST}-solution"),
    "check cell gone": ((f"{CHECK_HEADER}\n{CHECK}", ""), "has no check cell"),
    "id without a record": ((CHECK_HEADER, CHECK_HEADER.replace(FIRST, "output_size")), "no task record 'output_size'"),
    "another check": ((CHECK, f"check({FIRST})"), f'check("{FIRST}", {FIRST})'),
    "id twice": (('"grade_id": "im2col-solution"', '"grade_id": "setup"'), "'setup' stands twice"),
    "points in a check cell": ((CHECK_HEADER, CHECK_HEADER[:-1] + ', "points": 3}'), "points"),
    "written answer without points": ((', "points": 2}', "}"), "points"),
    "unknown key": ((CHECK_HEADER, CHECK_HEADER[:-1] + ', "hidden": true}'), "unknown nbgrader keys ['hidden']"),
    "no id": ((CHECK_HEADER, '# %% nbgrader={"grade": true}'), "grade_id"),
    "metadata that are no dict": ((CHECK_HEADER, "# %% nbgrader=[1]"), "grade_id"),
    "id that is no string": ((CHECK_HEADER, '# %% nbgrader={"grade_id": 3, "grade": true}'), "grade_id"),
    "header that does not parse": ((CHECK_HEADER, '# %% nbgrader={"grade_id": '), FIRST),
    "code that does not parse": (("import numpy as np\n", "import numpy as\n"), "does not parse"),
}


def source(slug: str = SLUG) -> str:
    return assignments.source_path(slug).read_text(encoding="utf-8")


def write(folder, text, slug: str = SLUG):
    path = folder / slug / f"{slug}.py"
    path.parent.mkdir()
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_file(name, tmp_path):
    (old, new), words = MISTAKES[name]
    assert old in source()
    path = write(tmp_path, source().replace(old, new, 1))
    with pytest.raises(AssignmentError) as error:
        read_source(SLUG, tmp_path)
    assert str(path) in str(error.value)
    assert words in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"x = 1\n", "# %%\nx = 1\n".encode("utf-16")])
def test_what_is_no_assignment(content, tmp_path):
    path = write(tmp_path, content)
    with pytest.raises(AssignmentError, match=str(path)):
        read_source(SLUG, tmp_path)


def test_unknown_assignments(tmp_path):
    with pytest.raises(AssignmentError, match="no such assignment.*backprop"):
        read_source("alchemy")
    path = write(tmp_path, "# %%\n", "alchemy")
    with pytest.raises(AssignmentError, match=f"{path}: no task records"):
        read_source("alchemy", tmp_path)


def test_a_mistake_stops_the_release_before_anything_is_written(tmp_path):
    write(tmp_path, source().replace("### BEGIN SOLUTION", "", 1))
    with pytest.raises(AssignmentError):
        assignments.prepare_course(SLUG, tmp_path / "course", tmp_path)
    assert not (tmp_path / "course").exists()


@pytest.mark.parametrize("slug", tasks.ASSIGNMENTS)
def test_exercises_are_in_step(slug):
    assert assignments.in_step(slug), "run `make exercises`"


@pytest.mark.parametrize("slug", tasks.ASSIGNMENTS)
def test_the_release_holds_no_solution(slug):
    solved, blank = read_source(slug), released(slug)
    text = json.dumps(blank)
    assert "BEGIN SOLUTION" not in text and "END SOLUTION" not in text
    assert [cell.id for cell in blank.cells] == [cell.id for cell in solved.cells]
    points = {task.id: task.points for task in tasks.assignment(slug)}
    for cell, answer in zip(blank.cells, solved.cells, strict=True):
        marks = cell.metadata.get("nbgrader", {})
        assert cell.metadata.get("tags") is None and not cell.get("outputs")
        if not marks.get("solution"):
            assert cell.source == answer.source
            assert marks.get("points") == points.get(marks.get("grade_id"))
        elif cell.cell_type == "code":
            # the stub agrees with the solution, line by line, outside the region
            before, rest = answer.source.split("    ### BEGIN SOLUTION\n")
            after = rest.split("    ### END SOLUTION")[1]
            assert cell.source.startswith(before) and cell.source.endswith(after)
            assert cell.source.count("raise NotImplementedError()") == 1
        else:
            assert cell.source != answer.source


def test_the_release_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(assignments, "in_step", lambda slug: slug != "backprop")
    assert main(["release", "--check", SLUG]) == 0
    assert main(["release", "--check"]) == 1
    assert "exercises/backprop/backprop.ipynb is out of step" in capsys.readouterr().err
    assert main(["release", "alchemy"]) == 2
    assert "alchemy" in capsys.readouterr().err


def test_release_writes_only_what_changed(tmp_path):
    shutil.copytree(assignments.EXERCISES / SLUG, tmp_path / SLUG)
    path = tmp_path / SLUG / f"{SLUG}.ipynb"
    before = path.stat().st_mtime_ns
    assert assignments.release(SLUG, tmp_path) == path
    assert path.stat().st_mtime_ns == before
    path.write_text("{}")
    assert not assignments.in_step(SLUG, tmp_path)
    assignments.release(SLUG, tmp_path)
    assert assignments.in_step(SLUG, tmp_path)
