"""A whole class through ``python -m autograder grade``: rows, marks, exit status, grading again."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import time
from pathlib import Path

import pytest

from autograder import grade, record, results, workers
from autograder.__main__ import main
from autograder.demo import with_answers, wrong_source
from autograder.workers import _side_by_side as SIDE_BY_SIDE
from neuralnotes.tasks.judging import VERDICTS

from .helpers import (
    FIRST,
    RIGHT,
    SLUG,
    TASKS,
    TOTAL,
    code_cell,
    full_but,
    hand_in,
    in_this_process,
    raw,
    read_rows,
    returning,
    rows_of,
)

pytestmark = pytest.mark.slow

WRITING = '''def receptive_field(layers):
    if any(kernel < 1 or stride < 1 for kernel, stride in layers):
        raise ValueError("kernels and strides are at least 1")
    field, jump = 1, 1
    while layers:
        kernel, stride = layers.pop(0)
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field
'''
ODD_NAMES = [
    "Zoë O'Hara (group 2)", 'say "cheese"', "名前 😀", "a [x] b", "..dots", "...", "*", "{student_id}", "back\\slash",
    "--out", "%s", "new\nline", " space ", "=1+1", "feedback", "<b>bold", "a,b;'c", "[" + "y" * 250,
]
BYTES_NAME = os.fsdecode(b"caf\xe9")


def mistake(task: str, name: str) -> str:
    return wrong_source(TASKS[task], next(m for m in TASKS[task].misconceptions if m.id == name))


def submissions(solved, release) -> dict[str, bytes | dict]:
    """The class: name -> what is handed in."""
    everything = {
        "ada": raw(solved),
        "blank": raw(release),
        "fail": raw(with_answers(solved, {"conv2d_forward": mistake("conv2d_forward", "flipped-kernel")})),
        "edge": raw(with_answers(solved, {"max_pool2d_backward": mistake("max_pool2d_backward", "last-maximum")})),
        "written": raw(with_answers(solved, {"receptive_field": WRITING})),
        "slow": raw(with_answers(solved, {"conv2d_fast": mistake("conv2d_fast", "loops")})),
        "error": raw(with_answers(solved, {FIRST: f"def {FIRST}(:"})),
        "memory": raw(with_answers(solved, {FIRST: returning("np.ones(10**12)")})),
        "forbidden": raw(with_answers(solved, {FIRST: "import torch\n" + RIGHT})),
        "missing": raw(with_answers(solved, {FIRST: ""})),
        "cut": json.dumps(raw(solved)).encode()[:5000],
        "script": raw(with_answers(solved, {})),
    }
    hostile = "<script>alert(1)</script> \x00 \x1b[31m \ud800 " + "[" * 1000
    everything["script"]["cells"].append({"cell_type": "markdown", "metadata": {}, "source": hostile})
    everything["script"]["cells"].append(code_cell("print('\\ud800 <script>alert(2)</script> \\x1b[31m \\x00')"))
    return everything


@pytest.fixture(scope="module")
def graded(tmp_path_factory, solved, release):
    """The graded class: (folder of the submissions, --out, exit status, what was said)."""
    folder = tmp_path_factory.mktemp("class")
    submitted, out = folder / "handed in", folder / "marks of the class"
    for name, content in submissions(solved, release).items():
        hand_in(submitted / name / SLUG, content)
    for name in [*ODD_NAMES, BYTES_NAME]:
        hand_in(submitted / name / SLUG, raw(with_answers(solved, {FIRST: returning("1")})))
    (submitted / "nobody").mkdir()
    (submitted / ".git").mkdir()
    (submitted / "notes.txt").write_text("no student")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = main(["grade", SLUG, "--submitted", str(submitted), "--out", str(out), "--jobs", "2"])
    return submitted, out, status, said.getvalue()


@pytest.fixture
def again(graded, tmp_path, one_process):
    """A copy of the graded class to change: (submitted, out, a function that grades it)."""
    submitted, out = tmp_path / "submitted", tmp_path / "out"
    for name in ("ada", "blank", "fail"):
        shutil.copytree(graded[0] / name, submitted / name)
    shutil.copytree(graded[1], out)

    def run(*options: str) -> int:
        return main(["grade", SLUG, "--submitted", str(submitted), "--out", str(out), "--jobs", "1", *options])

    return submitted, out, run


def score(out: Path, student: str) -> float:
    return sum(float(row["score"]) for row in rows_of(out, student).values())


def in_gradebook(out: Path, student: str) -> dict[str, float]:
    """Scores by check cell, as nbgrader has them."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{out / 'gradebook.db'}", "neural-notes") as gradebook:
        notebook = gradebook.find_submission_notebook(SLUG, SLUG, grade.gradebook_id(student))
        return {g.name: g.score for g in notebook.grades if g.name in TASKS}


# ----------------------------------------------------------------------------------------------------- rows and marks


def test_the_exit_status_is_zero(graded):
    assert graded[2] == 0


def test_the_summary_names_who_needs_a_look(graded):
    submitted, out, _, said = graded
    lines = [line.split(":", 1) for line in said.splitlines() if ":" in line]
    counts = {what.strip(): who.strip() for what, who in lines}
    assert counts["1 unreadable"] == "cut" and counts["1 forbidden"] == "forbidden" and counts["1 memory"] == "memory"
    assert counts[SLUG].startswith(f"{len(results.index(out, SLUG))} submissions, ")
    for path in (out / "report.html", out / "scores.csv", out / "feedback"):
        assert str(path) in said and path.exists()


def test_columns(graded):
    first = (graded[1] / "scores.csv").read_text(encoding="utf-8").splitlines()[0]
    assert first == "student,assignment,task,score,max_score,verdict,diagnosis,seconds"


def test_every_student_has_one_row_per_task(graded):
    submitted, out, *_ = graded
    rows = read_rows(out)
    names = {row["student"] for row in rows}
    assert len(names) == sum(path.is_dir() for path in submitted.iterdir()) - 1  # but for .git
    for name in names:
        mine = rows_of(out, name)
        for task, row in mine.items():
            assert row["assignment"] == SLUG
            assert float(row["max_score"]) == TASKS[task].points
            assert 0 <= float(row["score"]) <= TASKS[task].points
            assert row["verdict"] in VERDICTS
            assert float(row["seconds"]) >= 0
            assert (row["verdict"] == "pass") == (row["diagnosis"] == "") == (float(row["score"]) == TASKS[task].points)


@pytest.mark.parametrize(("student", "task", "verdict", "share", "words"), [
    ("fail", "conv2d_forward", "fail", 0, "flipped-kernel"),
    ("edge", "max_pool2d_backward", "partial", 0.5, "last-maximum"),
    ("written", "receptive_field", "partial", 0.5, "argument layers was written to"),
    ("slow", "conv2d_fast", "partial", 0.5, "loops"),
    ("error", FIRST, "error", 0, "SyntaxError"),
    ("memory", FIRST, "memory", 0, ""),
    ("forbidden", FIRST, "forbidden", 0, "torch"),
    ("missing", FIRST, "missing", 0, FIRST),
])
def test_a_verdict_costs_its_own_task_only(graded, student, task, verdict, share, words):
    rows = rows_of(graded[1], student)
    assert (rows[task]["verdict"], float(rows[task]["score"])) == (verdict, share * TASKS[task].points)
    assert words in rows[task]["diagnosis"]
    others = {key: float(row["score"]) for key, row in rows.items() if key != task}
    assert others == {key: points for key, points in full_but().items() if key != task}


def test_solution_blank_and_unreadable(graded):
    out = graded[1]
    assert score(out, "ada") == score(out, "script") == TOTAL
    assert {row["verdict"] for row in rows_of(out, "blank").values()} == {"missing"}
    assert {row["verdict"] for row in rows_of(out, "nobody").values()} == {"missing"}
    assert {row["verdict"] for row in rows_of(out, "cut").values()} == {"unreadable"}
    assert score(out, "blank") == score(out, "nobody") == score(out, "cut") == 0


@pytest.mark.parametrize("name", [*ODD_NAMES, BYTES_NAME], ids=ascii)
def test_names_that_hold_anything(graded, name):
    written = {BYTES_NAME: "caf\\udce9", "=1+1": "'=1+1"}.get(name, name)  # as a file and a spreadsheet can take it
    assert score(graded[1], written) == TOTAL - TASKS[FIRST].points
    assert sum(in_gradebook(graded[1], name).values()) == TOTAL - TASKS[FIRST].points


def test_the_gradebook_agrees_with_the_scores(graded):
    submitted, out, *_ = graded
    for path in submitted.iterdir():
        if path.is_dir() and path.name not in (".git", BYTES_NAME, "=1+1"):
            scores = {task: float(row["score"]) for task, row in rows_of(out, path.name).items()}
            assert in_gradebook(out, path.name) == scores, path.name


def test_feedback_for_everyone_and_no_expected_value_of_a_hidden_case(graded):
    submitted, out, *_ = graded
    for path in submitted.iterdir():
        if path.is_dir() and path.name != ".git":
            page = out / "feedback" / grade.gradebook_id(path.name) / SLUG / f"{SLUG}.html"
            assert page.is_file(), path.name
    text = (out / "feedback" / "fail" / SLUG / f"{SLUG}.html").read_text(encoding="utf-8")
    hint = next(m.hint for m in TASKS["conv2d_forward"].misconceptions if m.id == "flipped-kernel")
    assert hint[:30] in text
    # a wrong hidden case is named, with what kind of problem it is, and none of its numbers
    result = results.stored(out / "results", results.index(out, SLUG)["fail"]["key"])
    hidden = [c for c in result["results"]["conv2d_forward"]["cases"] if not c["visible"] and not c["ok"]]
    assert all(case["name"] in text for case in hidden)
    telling = [case for case in hidden if case["detail"] != case["summary"]]
    assert telling
    for case in telling:
        assert case["detail"] not in text
        for number in case["detail"].replace(",", " ").split():
            if "." in number and len(number) > 6:
                assert number.rstrip(".;:") not in text, case


def test_the_report_is_one_page_that_names_misconceptions(graded):
    text = (graded[1] / "report.html").read_text(encoding="utf-8")
    assert "flipped kernel" in text and "NOT SANDBOXED" not in text
    assert "<b>bold" not in text and "&lt;b&gt;bold" in text and "alert(" not in text


def test_without_a_sandbox_every_output_says_so(again, capsys):
    submitted, out, run = again
    assert run("--student", "ada", "--no-sandbox") == 0
    said = capsys.readouterr()
    assert "NOT SANDBOXED" in said.err and "1 JUDGED WITHOUT A SANDBOX" in said.out
    assert (out / "not-sandboxed.txt").read_text().splitlines()[1:] == [f"{SLUG}\tada"]
    assert "NOT SANDBOXED" in (out / "report.html").read_text(encoding="utf-8")
    assert score(out, "ada") == TOTAL
    # the mark stays until a run with a sandbox has judged the notebook
    assert run("--student", "fail") == 0
    assert (out / "not-sandboxed.txt").exists()
    assert run() == 0
    assert not (out / "not-sandboxed.txt").exists()
    assert "NOT SANDBOXED" not in (out / "report.html").read_text(encoding="utf-8")


# -------------------------------------------------------------------------------------------------------- once more


def marks_and_books(out: Path) -> tuple[str, dict]:
    return (out / "scores.csv").read_text(encoding="utf-8"), in_gradebook(out, "fail")


def test_grading_again_changes_nothing_and_takes_no_time(again):
    submitted, out, run = again
    assert run() == 0  # the copied course settles in its new place
    before = marks_and_books(out)
    written = (out / "autograded" / "fail" / SLUG / f"{SLUG}.ipynb").stat().st_mtime_ns
    start = time.monotonic()
    assert run() == 0
    assert time.monotonic() - start < 5
    assert marks_and_books(out) == before
    assert (out / "autograded" / "fail" / SLUG / f"{SLUG}.ipynb").stat().st_mtime_ns == written


def test_one_student_alone_and_fresh(again):
    submitted, out, run = again
    before = [row for row in read_rows(out) if row["student"] != "fail"]
    written = {path.name: path.stat().st_mtime_ns for path in (out / "results").iterdir()}
    assert run("--student", "fail", "--fresh") == 0
    changed = {name for name, at in written.items() if (out / "results" / name).stat().st_mtime_ns != at}
    key = results.index(out, SLUG)["fail"]["key"]
    assert changed == {f"{key}.json", f"{key}.cells.json", f"{SLUG}.json"}
    assert [row for row in read_rows(out) if row["student"] != "fail"] == before
    assert float(rows_of(out, "fail")["conv2d_forward"]["score"]) == 0


def test_a_better_a_worse_and_an_unreadable_resubmission(again, solved):
    submitted, out, run = again
    hand_in(submitted / "fail" / SLUG, raw(solved))
    hand_in(submitted / "ada" / SLUG, raw(with_answers(solved, {FIRST: returning("1")})))
    assert run() == 0
    assert score(out, "fail") == sum(in_gradebook(out, "fail").values()) == TOTAL
    assert score(out, "ada") == sum(in_gradebook(out, "ada").values()) == TOTAL - TASKS[FIRST].points

    hand_in(submitted / "fail" / SLUG, "{")
    shutil.rmtree(submitted / "ada" / SLUG)
    assert run() == 0
    assert score(out, "fail") == sum(in_gradebook(out, "fail").values()) == 0
    assert score(out, "ada") == sum(in_gradebook(out, "ada").values()) == 0
    assert {row["verdict"] for row in rows_of(out, "fail").values()} == {"unreadable"}
    page = (out / "feedback" / "fail" / SLUG / f"{SLUG}.html").read_text(encoding="utf-8")
    assert "is not JSON" in page


def test_a_new_time_of_handing_in_is_recorded_and_not_judged_again(again):
    from nbgrader.api import Gradebook

    submitted, out, run = again
    (submitted / "ada" / SLUG / "timestamp.txt").write_text("2026-11-21 12:00:00 UTC")
    judged = {path: path.stat().st_mtime_ns for path in (out / "results").glob("?" * 64 + ".*")}
    assert run() == 0
    with Gradebook(f"sqlite:///{out / 'gradebook.db'}", "neural-notes") as gradebook:
        assert str(gradebook.find_submission(SLUG, "ada").timestamp) == "2026-11-21 12:00:00"
    assert {path: path.stat().st_mtime_ns for path in (out / "results").glob("?" * 64 + ".*")} == judged


def test_a_manual_grade_survives(again, solved):
    from nbgrader.api import Gradebook

    submitted, out, run = again
    written = f"{SLUG}-written-1"

    def manual(value: float | None = None) -> float:
        with Gradebook(f"sqlite:///{out / 'gradebook.db'}", "neural-notes") as gradebook:
            found = gradebook.find_grade(written, SLUG, SLUG, "ada")
            if value is not None:
                found.manual_score, found.needs_manual_grade = value, False
                gradebook.db.commit()
            return found.manual_score

    manual(1.5)
    hand_in(submitted / "ada" / SLUG, raw(with_answers(solved, {FIRST: returning("1")})))
    assert run("--fresh") == 0
    assert manual() == 1.5
    assert score(out, "ada") == TOTAL - TASKS[FIRST].points


def test_a_broken_index_or_result_is_judged_again(again):
    submitted, out, run = again
    expected = [{**row, "seconds": ""} for row in read_rows(out) if row["student"] in ("ada", "blank", "fail")]
    index = out / "results" / f"{SLUG}.json"
    key = results.index(out, SLUG)["fail"]["key"]
    (out / "results" / f"{key}.json").write_text('{"results": {')
    index.write_text('{"ada":')
    assert run() == 0
    assert [{**row, "seconds": ""} for row in read_rows(out)] == expected


# ------------------------------------------------------------------------------------------------------- exit status


@pytest.mark.parametrize("case", ["no folder", "empty", "a file", "no such student", "no such assignment", "jobs",
                                  "inside", "the course", "brackets", "out is a file"])
def test_bad_arguments_write_nothing(case, tmp_path, capsys, solved):
    submitted, out, slug, more = tmp_path / "submitted", tmp_path / "out", SLUG, []
    hand_in(submitted / "ada" / SLUG, raw(solved))
    if case == "no folder":
        submitted = tmp_path / "nowhere"
    elif case == "empty":
        shutil.rmtree(submitted / "ada")
    elif case == "a file":
        submitted = submitted / "ada" / SLUG / f"{SLUG}.ipynb"
    elif case == "no such student":
        more = ["--student", "bob"]
    elif case == "no such assignment":
        slug = "alchemy"
    elif case == "jobs":
        more = ["--jobs", "0"]
    elif case == "inside":
        out = submitted / "marks"
    elif case == "the course":
        out = tmp_path
    elif case == "brackets":
        out = tmp_path / "marks [1]"
    elif case == "out is a file":
        out.write_text("x")
    before = sorted(tmp_path.rglob("*"))
    assert main(["grade", slug, "--submitted", str(submitted), "--out", str(out), *more]) == 2
    assert capsys.readouterr().err.count("autograder: ") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_missing_arguments():
    for arguments in ([], ["grade"], ["grade", SLUG], ["grade", SLUG, "--out", "x"], ["mark"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2


def do_or_die(slug, text, *rest):
    """In place of ``workers.do``: dies on some notebooks, as a bug or the system's killer would make it."""
    if '"verdict"' not in text:
        if "KILL THE JUDGE" in text:
            os._exit(9)
        if "CONFUSE THE JUDGE" in text:
            raise KeyError("a bug")
    return do(slug, text, *rest)


do = workers.do


def test_a_failure_of_ours_is_said_and_mended_by_the_next_run(again, solved, monkeypatch, capsys):
    submitted, out, run = again
    for name, words in (("fail", "KILL"), ("blank", "CONFUSE")):
        document = raw(solved)
        document["cells"].append(code_cell(f"# {words} THE JUDGE"))
        hand_in(submitted / name / SLUG, document)
    monkeypatch.setattr(workers, "_side_by_side", SIDE_BY_SIDE)
    monkeypatch.setattr(workers, "do", do_or_die)
    assert run() == 1
    said, error = capsys.readouterr()
    assert "3 error: blank, error, fail" in said
    assert "2 submissions could not be graded" in error and "fail:" in error and "blank: KeyError" in error
    assert score(out, "ada") == TOTAL
    for name in ("fail", "blank"):  # no mark of an earlier run is left
        assert {row["verdict"] for row in rows_of(out, name).values()} == {"error"}
        assert score(out, name) == sum(in_gradebook(out, name).values()) == 0
    monkeypatch.setattr(workers, "do", do)
    monkeypatch.setattr(workers, "_side_by_side", in_this_process)
    assert run() == 0
    assert score(out, "fail") == sum(in_gradebook(out, "fail").values()) == TOTAL


def test_the_names_in_the_gradebook_are_distinct():
    names = [*ODD_NAMES, BYTES_NAME, "a (x) b", "a _x_ b", "a {x} b", "a [x] b-1"]
    ids = [grade.gradebook_id(name) for name in names]
    assert len(set(ids)) == len(names)
    assert all(len(os.fsencode(one)) <= 255 and one.encode() for one in ids)


@pytest.mark.parametrize(("value", "cell"), [("=1+1", "'=1+1"), ("+1", "'+1"), ("@a", "'@a"), ("-1", "-1"), ("", "")])
def test_no_cell_is_a_formula(value, cell):
    assert record.safe_cell(value) == cell
