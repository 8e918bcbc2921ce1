"""nbgrader's own commands: on what the grader leaves, and on submissions that never saw the grader's gate."""

from __future__ import annotations

import copy
import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from nbgrader.converters import Autograde, GenerateFeedback

from autograder import assignments, record
from autograder.__main__ import main
from autograder.assignments import open_gradebook, run_nbgrader
from autograder.demo import with_answers
from neuralnotes import tasks

from .helpers import ENVIRONMENT, FIRST, SLUG, TASKS, TOTAL, cell_of, code_cell, hand_in, raw, read_rows, returning

pytestmark = pytest.mark.slow


def nbgrader(course: Path, *arguments: str, expected: int = 0) -> str:
    """Run one of nbgrader's commands in a folder; returns its log."""
    done = subprocess.run([sys.executable, "-m", "nbgrader", *arguments], cwd=course, env=ENVIRONMENT, text=True,
                          capture_output=True, timeout=120)
    assert done.returncode == expected, (done.stdout + done.stderr)[-3000:]
    return done.stdout + done.stderr


def totals(course: Path) -> dict[str, float]:
    """Scores of the checked tasks by student, from the gradebook; None where a mark is missing."""
    found = {}
    with open_gradebook(course) as book:
        for submission in book.assignment_submissions(SLUG):
            marks = [g.auto_score for nb in submission.notebooks for g in nb.grades if g.name in TASKS]
            found[submission.student.id] = None if None in marks else sum(marks)
    return found


def page(course: Path, student: str) -> str:
    return (course / "feedback" / student / SLUG / f"{SLUG}.html").read_text(encoding="utf-8")


# -------------------------------------------------------------------------------------------- on what the grader leaves


@pytest.fixture(scope="module")
def course(tmp_path_factory, solved, release) -> Path:
    """A graded class of three, one of them late."""
    folder = tmp_path_factory.mktemp("course")
    for name, notebook in {
        "ada": solved, "blank": release, "one wrong": with_answers(solved, {FIRST: returning("1")}),
    }.items():
        hand_in(folder / "in" / name / SLUG, raw(notebook))
    (folder / "in" / "ada" / SLUG / "timestamp.txt").write_text("2026-03-01 13:00:00.000000 UTC")
    assert main(["grade", SLUG, "--submitted", str(folder / "in"), "--out", str(folder / "out"), "--jobs", "1"]) == 0
    return folder / "out"


EXPECTED = {"ada": TOTAL, "blank": 0, "one wrong": TOTAL - TASKS[FIRST].points}


def test_the_gradebook_holds_the_scores(course):
    by_student = dict.fromkeys(EXPECTED, 0.0)
    for row in read_rows(course):
        by_student[row["student"]] += float(row["score"])
    assert totals(course) == by_student == EXPECTED


def test_export(course):
    nbgrader(course, "export")
    with (course / "grades.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert {name: float(row["score"]) for name, row in rows.items()} == EXPECTED
    # more points than ours: the written answers have some too
    assert all(float(row["max_score"]) > TOTAL for row in rows.values())
    assert rows["ada"]["timestamp"] == "2026-03-01 13:00:00"


def test_nbgraders_own_commands_give_the_same_marks(course):
    """Results gone, a due date, and the instructor's rule for late submissions: nbgrader's path and the grader's."""
    with open_gradebook(course) as book:
        book.find_assignment(SLUG).duedate = datetime(2026, 3, 1, 12)
        book.db.commit()
    with (course / "nbgrader_config.py").open("a") as file:
        file.write('c.LateSubmissionPlugin.penalty_method = "zero"\n')
    before = {name: page(course, name) for name in EXPECTED}
    shutil.rmtree(course / "results")
    for command in ("autograde", "generate_feedback"):
        nbgrader(course, command, SLUG, "--force")
    assert totals(course) == EXPECTED
    kept = [path for path in (course / "results").glob("*.json") if not path.name.endswith(".cells.json")]
    assert len(kept) == 3
    assert f"{FIRST}: 0 of" in page(course, "one wrong")
    assert "Late submission penalty" in page(course, "ada") and "Late submission penalty" not in before["ada"]
    assert page(course, "blank") == before["blank"]
    nbformat.validate(nbformat.read(course / "autograded" / "one wrong" / SLUG / f"{SLUG}.ipynb", as_version=4))


def test_zip_collect(tmp_path, solved, release):
    """An archive of a learning platform, unpacked by nbgrader, then graded."""
    out = tmp_path / "out"
    assignments.prepare_course(SLUG, out)
    record.write_config(out, secret_file=tmp_path / "secret", level=None, db=None)
    archive = out / "downloaded" / SLUG / "archive"
    archive.mkdir(parents=True)
    with zipfile.ZipFile(archive / "class.zip", "w") as file:
        for name, notebook in {"ada": solved, "bob": release}.items():
            file.writestr(f"{name}_attempt_2026-03-01 13:00:00_{SLUG}.ipynb", nbformat.writes(notebook))
    pattern = r".*/(?P<student_id>[a-z]+)_attempt_(?P<timestamp>[0-9: -]+)_(?P<file_id>\w+)"
    nbgrader(out, "zip_collect", SLUG, "--CourseDirectory.submitted_directory=inbox",
             f"--FileNameCollectorPlugin.named_regexp={pattern}")
    assert main(["grade", SLUG, "--submitted", str(out / "inbox"), "--out", str(out), "--jobs", "1"]) == 0
    assert totals(out) == {"ada": TOTAL, "bob": 0}
    with open_gradebook(out) as book:
        assert book.find_submission(SLUG, "ada").timestamp == datetime(2026, 3, 1, 13)


# ----------------------------------------------------------------------------- on submissions without the grader's gate


def test_a_class_that_never_saw_the_gate(tmp_path, solved, release):
    """What stops plain nbgrader, or gives points away there, and somebody honest who comes last."""
    course = tmp_path / "course"
    assignments.prepare_course(SLUG, course)
    record.write_config(course, secret_file=tmp_path / "secret", level=None, db=None)
    twice = raw(solved)
    twice["cells"] += copy.deepcopy(twice["cells"])
    newer = raw(solved)
    for cell in newer["cells"]:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"]["schema_version"] = 99
    forged = raw(release)
    for task in TASKS:
        check = cell_of(forged, task)
        check["metadata"]["tags"] = ["skip-execution"]
        check["metadata"]["nbgrader"].update(points=100, locked=False)
        check["outputs"] = raw(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[
            nbformat.v4.new_output("execute_result", data={"text/plain": "100"})])]))["cells"][0]["outputs"]
    forged["cells"].insert(0, code_cell("import sys\nsys.displayhook(100.0)"))
    forged["metadata"]["kernelspec"] = {"name": "evil", "display_name": "evil", "language": "evil"}
    everybody = {
        "a twice": twice, "b newer": newer, "c forged": forged, "d cut": json.dumps(twice)[:5000], "zoe": raw(solved),
    }
    for name, content in everybody.items():
        hand_in(course / "submitted" / name / SLUG, content)
    os.symlink(course / "gradebook.db", course / "submitted" / "c forged" / SLUG / "stolen.txt")

    nbgrader(course, "autograde", SLUG)
    expected = {"a twice": TOTAL, "b newer": TOTAL, "c forged": 0, "d cut": 0, "zoe": TOTAL}
    assert totals(course) == expected
    assert not (course / "autograded" / "c forged" / SLUG / "stolen.txt").exists()

    # a mark does not outlive a submission that cannot be read any more
    hand_in(course / "submitted" / "zoe" / SLUG, b"")
    config = record.settings(course)
    config.CourseDirectory.student_id = "[dz]*"
    config.Autograde.force = True
    for converter in (Autograde, GenerateFeedback):
        run_nbgrader(converter, SLUG, config)
    assert totals(course) == {**expected, "zoe": 0}
    assert "is empty" in page(course, "zoe") and "is not JSON" in page(course, "d cut")


# ----------------------------------------------------------------------------------------------- what students can run


@pytest.mark.parametrize("slug", tasks.ASSIGNMENTS)
def test_validate(slug, tmp_path):
    nbformat.write(assignments.read_source(slug), tmp_path / "solved.ipynb")
    assert "Success! Your notebook passes all the tests." in nbgrader(tmp_path, "validate", "solved.ipynb")


def test_validate_says_what_is_missing(tmp_path):
    nbformat.write(assignments.released(SLUG), tmp_path / "blank.ipynb")
    blank = nbgrader(tmp_path, "validate", "blank.ipynb")
    assert "failed" in blank and f"{tasks.assignment(SLUG)[0].id}: not written yet" in blank
