"""Marks and feedback pages go back to Moodle and Canvas in the form that they import."""

from __future__ import annotations

import csv
import functools
import io
import tempfile
import zipfile
from pathlib import Path

import pytest

from autograder import __main__ as command_line
from autograder import export as module
from autograder import record, results
from autograder.assignments import open_gradebook
from autograder.collect import collect
from autograder.export import ExportError, export, pack_feedback, read_marks
from autograder.grade import gradebook_id
from neuralnotes import tasks

from .helpers import SLUG
from .test_collect import moodle, notebook, pack

OTHER = next(slug for slug in tasks.ASSIGNMENTS if slug != SLUG)
POINTS = {"by_machine": 10.0, "by_hand": 5.0}


@functools.cache
def empty_gradebook() -> bytes:
    """To make one takes nbgrader a second."""
    with tempfile.TemporaryDirectory() as folder:
        open_gradebook(Path(folder)).close()
        return (Path(folder) / "gradebook.db").read_bytes()


def grade_by_api(out: Path, marks: dict[str, dict[str, tuple]]) -> None:
    """A gradebook as ``grade`` leaves it: (machine's points, points by hand or None, late penalty) by slug, student."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "gradebook.db").write_bytes(empty_gradebook())
    with open_gradebook(out) as book:
        for slug, students in marks.items():
            book.add_assignment(slug)
            book.add_notebook(slug, slug)
            book.add_grade_cell("by_machine", slug, slug, max_score=POINTS["by_machine"], cell_type="code")
            book.add_grade_cell("by_hand", slug, slug, max_score=POINTS["by_hand"], cell_type="markdown")
            entries = {}
            for folder, (machine, hand, late) in students.items():
                student = gradebook_id(folder)
                book.update_or_create_student(student)
                with book.db.no_autoflush:
                    book.add_submission(slug, student)
                grade = book.find_grade("by_machine", slug, slug, student)
                grade.auto_score, grade.needs_manual_grade = machine, False
                grade = book.find_grade("by_hand", slug, slug, student)
                grade.manual_score, grade.needs_manual_grade = hand, hand is None
                book.find_submission_notebook(slug, slug, student).late_submission_penalty = late
                result = {"verdict": "pass" if machine == 10 else "fail"}
                judged = {"results": {"by_machine": result}, "sandbox": "", "cells": {}, "flags": []}
                results.store(out / "results", f"{slug}-{student}", judged, {})
                entries[folder] = {"key": f"{slug}-{student}", "recorded": True}
            results.write_index(out, slug, entries)
            book.db.commit()


def table(text: str | Path) -> list[list[str]]:
    text = text.read_bytes().decode("utf-8-sig") if isinstance(text, Path) else text
    return list(csv.reader(io.StringIO(text, newline="")))


def moodle_imports(text: str, maximum: float) -> dict[int, float]:
    """What Moodle's assignfeedback_offline does with a worksheet: grade by participant number."""
    rows = table(text.removeprefix("\ufeff"))
    identifier, grade, _ = (rows[0].index(name) for name in ("Identifier", "Grade", "Last modified (grade)"))
    found = {}
    for row in rows[1:]:
        value = row[grade]
        if value and 0 <= float(value) <= maximum:  # all others are skipped without a word
            found[int(row[identifier].removeprefix("Participant "))] = float(value)
    return found


def canvas_imports(text: str) -> dict[str, dict[str, float]]:
    """What Canvas's gradebook_importer does: grades by assignment title, by person."""
    rows = table(text)
    head = rows[0]
    assert "Student" in head[0] and "ID" in head[1] and "Section" in head[4]
    found: dict[str, dict[str, float]] = {}
    for row in rows[1:]:
        if "Points Possible" in row[0] or all(not cell or cell.strip() == "Manual Posting" for cell in row):
            continue
        for title, cell in zip(head[5:], row[5:], strict=True):
            if cell:
                found.setdefault(title, {})[row[1] or row[3]] = float(cell) if cell not in ("EX", "N/A") else cell
    return found


@pytest.fixture(scope="module")
def moodle_class(tmp_path_factory):
    """Four students from a Moodle archive, graded: (submitted, out)."""
    tmp_path = tmp_path_factory.mktemp("moodle")
    archive = pack(
        tmp_path / "a.zip", (moodle("Ada Lovelace", 101), notebook("a")), (moodle("Émile Zola", 102), notebook("b")),
        (moodle("=cmd|'x'", 103), notebook("c")), (moodle("Ada Lovelace", 104), notebook("d")),
    )
    collect([archive], SLUG, tmp_path / "in")
    folders = [row.name for row in sorted((tmp_path / "in").iterdir()) if row.is_dir()]
    by_number = {folder.rsplit(" ", 1)[-1]: folder for folder in folders}
    grade_by_api(tmp_path / "out", {SLUG: {
        by_number["101"]: (10.0, 5.0, 0.0), by_number["102"]: (7.5, 0.0, 2.0),
        next(f for f in folders if "103" in f): (1.0, 0.0, 4.0), by_number["104"]: (1 / 3, 2.0, 0.0),
    }})
    return tmp_path / "in", tmp_path / "out"


WORKSHEET = (
    "\ufeffIdentifier,\"Full name\",\"Email address\",Status,Grade,\"Maximum Grade\",\"Grade can be changed\","
    "\"Last modified (submission)\",\"Last modified (grade)\",\"Feedback comments\"\r\n"
    "\"Participant 104\",\"Ada Lovelace\",ada2@example.org,Submitted,,15.00,Yes,-,-,\"two\nlines, \"\"quoted\"\"\"\r\n"
    "\"Participant 102\",\"Émile Zola\",e@example.org,Submitted,3.00,15.00,Yes,-,\"Friday, 20 November\",\r\n"
    "\"Participant 999\",\"Not Here\",n@example.org,\"No submission\",,15.00,Yes,-,-,\r\n"
    "\"Participant 103\",\"=cmd|'x'\",c@example.org,Submitted,,15.00,Yes,-,-,\r\n"
    "\"Participant 101\",\"Ada Lovelace\",ada@example.org,Submitted,,15.00,Yes,-,-,\r\n"
)
GRADEBOOK = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Homework 2 (77),Convolution (78),Final Score\n"
    ",,,,,,Manual Posting,\n"
    "    Points Possible,,,,,10.00,15.00,(read only)\n"
    "\"Lovelace, Ada\",31,s31,ada,CS 1,9.00,,90\n"
    "\"Zola, Émile\",32,s32,zola@example.org,CS 1,,2.00,\n"
    "\"Excused, Eve\",33,s33,eve,CS 1,,EX,\n"
    "\"Student, Test\",99,,f00,CS 1,,,\n"
)


# --- the marks -----------------------------------------------------------------------------------------------------


def test_marks_are_those_of_nbgrader(moodle_class):
    submitted, out = moodle_class
    marks = {mark.lms["id"]: mark for mark in read_marks(out, [SLUG], submitted=submitted)}
    assert {i: mark.score for i, mark in marks.items()} == {
        "101": 15.0, "102": 5.5, "103": 0.0, "104": pytest.approx(1 / 3 + 2),
    }
    with open_gradebook(out) as book:
        for mark in marks.values():
            submission = book.find_submission(SLUG, gradebook_id(mark.student))
            assert mark.penalty == submission.late_submission_penalty
            assert mark.score == pytest.approx(max(0.0, submission.score - submission.late_submission_penalty))
            assert mark.max_score == submission.max_score == 15
            assert bool(mark.ungraded) == submission.needs_manual_grade


def test_plain_table(tmp_path):
    marks = {SLUG: {"=1+1": (10.0, None, 0.0), "bob": (4.0, 1.0, 0.5)}, OTHER: {"bob": (10.0, 5.0, 0.0)}}
    grade_by_api(tmp_path / "out", marks)
    written = export(tmp_path / "out", [], "csv")
    rows = [dict(zip(table(written.path)[0], row, strict=True)) for row in table(written.path)[1:]]
    assert [(row["student"], row["assignment"], row["score"], row["max_score"], row["ungraded"], row["late_penalty"],
             row["pass"], row["fail"]) for row in rows] == [
        (student, slug, *rest) for slug in tasks.ASSIGNMENTS for student, s, *rest in [
            ("'=1+1", SLUG, "10", "15", "1", "0", "1", "0"), ("bob", SLUG, "4.5", "15", "0", "0.5", "0", "1"),
            ("bob", OTHER, "15", "15", "0", "0", "1", "0"),
        ] if s == slug
    ]
    assert "1 answers of 1 students are still to be graded by hand (=1+1)" in str(written)
    assert len(table(export(tmp_path / "out", [OTHER], "csv").path)) == 2


def test_ungraded_answers_have_to_be_allowed(tmp_path, capsys):
    grade_by_api(tmp_path / "out", {SLUG: {"ada": (10.0, None, 0.0), "bob": (4.0, 1.0, 0.0)}})
    arguments = ["export", SLUG, "--out", str(tmp_path / "out"), "--format", "canvas", "--to", str(tmp_path / "x.csv")]
    assert command_line.main(arguments) == 2
    assert "1 answers of 1 students are still to be graded by hand (ada)" in capsys.readouterr().err
    assert not (tmp_path / "x.csv").exists()
    assert command_line.main([*arguments, "--allow-ungraded"]) == 0
    assert canvas_imports((tmp_path / "x.csv").read_text()) == {SLUG: {"ada": 10.0, "bob": 5.0}}


# --- Moodle --------------------------------------------------------------------------------------------------------


def test_moodle_worksheet_comes_back_filled(moodle_class, tmp_path):
    submitted, out = moodle_class
    roster = tmp_path / "worksheet.csv"
    roster.write_bytes(WORKSHEET.encode())
    written = export(out, [SLUG], "moodle", roster, tmp_path / "to.csv", submitted=submitted)
    text = (tmp_path / "to.csv").read_bytes().decode()
    assert moodle_imports(text, 15) == {101: 15.0, 102: 5.5, 103: 0.0, 104: 2.3333}
    assert text.startswith("\ufeffIdentifier") and "\r\n" in text and written.unmatched == []
    before, after = table(WORKSHEET.removeprefix("\ufeff")), table(text.removeprefix("\ufeff"))
    assert [row[:4] + row[5:] for row in after] == [row[:4] + row[5:] for row in before]
    assert after[3][4] == ""  # who handed in nothing keeps what was there
    assert roster.read_bytes() == WORKSHEET.encode()


def test_moodle_without_a_roster(moodle_class, tmp_path):
    submitted, out = moodle_class
    written = export(out, [], "moodle", to=tmp_path / "to.csv", submitted=submitted)
    text = written.path.read_text()
    assert moodle_imports(text, 15) == {101: 15.0, 102: 5.5, 103: 0.0, 104: 2.3333}
    assert not any(cell[:1] in ("=", "+", "@") for row in table(text) for cell in row if cell)
    # nobody's number is known: a table for the gradebook's import, by user name
    rows = table(export(out, [], "moodle", to=tmp_path / "to.csv").path)
    assert rows[0] == ["Username", "Full name", SLUG] and len(rows) == 5


def test_a_worksheet_in_another_language_and_a_comma_for_the_maximum(moodle_class, tmp_path):
    submitted, out = moodle_class
    text = WORKSHEET.removeprefix("\ufeff").replace("Participant", "Teilnehmer/in").replace("15.00", '"15,00"')
    for english, german in (("Identifier", "ID"), ("Full name", "Vollständiger Name"), (",Grade,", ",Bewertung,"),
                            ("Maximum Grade", "Bestwertung")):
        text = text.replace(english, german)
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(ExportError, match="--column"):
        export(out, [SLUG], "moodle", tmp_path / "r.csv", tmp_path / "to.csv", submitted=submitted)
    written = export(out, [SLUG], "moodle", tmp_path / "r.csv", tmp_path / "to.csv", submitted=submitted,
                     columns={"": "Bewertung"})
    assert {row[0]: row[4] for row in table(tmp_path / "to.csv")[1:]} == {
        "Teilnehmer/in 104": "2.3333", "Teilnehmer/in 102": "5.5", "Teilnehmer/in 999": "", "Teilnehmer/in 103": "0",
        "Teilnehmer/in 101": "15",
    }
    assert written.students == 4


def test_another_maximum_is_refused_or_rescaled(moodle_class, tmp_path, capsys):
    submitted, out = moodle_class
    (tmp_path / "r.csv").write_text(WORKSHEET.replace("15.00", "100.00"))
    arguments = ["export", SLUG, "--out", str(out), "--format", "moodle", "--roster", str(tmp_path / "r.csv"),
                 "--submitted", str(submitted), "--to", str(tmp_path / "to.csv")]
    assert command_line.main(arguments) == 2
    assert "15 points, in the LMS the maximum is 100" in capsys.readouterr().err
    assert not (tmp_path / "to.csv").exists()
    assert command_line.main([*arguments, "--rescale"]) == 0
    assert moodle_imports((tmp_path / "to.csv").read_text(), 100)[102] == pytest.approx(5.5 / 15 * 100, abs=1e-4)


def test_the_worksheet_of_another_assignment_is_noticed(moodle_class, tmp_path):
    submitted, out = moodle_class
    (tmp_path / "r.csv").write_text(WORKSHEET.replace("Participant 102", "Participant 7").replace("999", "102"))
    written = export(out, [SLUG], "moodle", tmp_path / "r.csv", tmp_path / "to.csv", submitted=submitted)
    assert written.students == 3 and len(written.unmatched) == 1
    assert "is that of Not Here" in written.unmatched[0]


def test_a_group_gives_its_mark_to_every_member(tmp_path):
    collect([pack(tmp_path / "a.zip", (moodle("Group A", 7), notebook()))], SLUG, tmp_path / "in")
    grade_by_api(tmp_path / "out", {SLUG: {"Group A 7": (10.0, 1.0, 0.0)}})
    (tmp_path / "r.csv").write_text(
        "Identifier,Full name,Status,Group,Grade,Last modified (grade)\n"
        "Participant 7,Somebody Else,,Group B,,-\nParticipant 8,Ada,,Group A,,-\nParticipant 9,Bob,,Group A,,-\n"
    )
    export(tmp_path / "out", [SLUG], "moodle", tmp_path / "r.csv", tmp_path / "to.csv", submitted=tmp_path / "in")
    assert moodle_imports((tmp_path / "to.csv").read_text(), 15) == {8: 11.0, 9: 11.0}


# --- Canvas --------------------------------------------------------------------------------------------------------


def test_canvas_gradebook_comes_back_filled(tmp_path, capsys):
    archive = pack(
        tmp_path / "a.zip", ("lovelaceada_31_900_x.ipynb", notebook()), ("zolaémile_LATE_32_901_x.ipynb", notebook()),
        ("excusedeve_33_902_x.ipynb", notebook()), ("stranger_55_903_x.ipynb", notebook()),
    )
    collect([archive], SLUG, tmp_path / "in")
    grade_by_api(tmp_path / "out", {SLUG: {
        "lovelaceada 31": (10.0, 5.0, 0.0), "zolaémile 32": (3.0, 0.25, 0.0), "excusedeve 33": (1.0, 0.0, 0.0),
        "stranger 55": (2.0, 0.0, 0.0),
    }})
    (tmp_path / "r.csv").write_text(GRADEBOOK)
    arguments = ["export", "--out", str(tmp_path / "out"), "--format", "canvas", "--roster", str(tmp_path / "r.csv"),
                 "--submitted", str(tmp_path / "in"), "--to", str(tmp_path / "to.csv")]
    assert command_line.main(arguments) == 1  # written, but one was not found
    said = capsys.readouterr().out
    assert "stranger 55" in said and "no row has the number 55" in said and "left as it was, EX" in said
    text = (tmp_path / "to.csv").read_text()
    rows = {row[1]: row for row in table(text)}
    assert {i: rows[i][6] for i in ("31", "32", "33", "99")} == {"31": "15", "32": "3.25", "33": "EX", "99": ""}
    before, after = table(GRADEBOOK), table(text)
    assert [row[:6] + row[7:] for row in after] == [row[:6] + row[7:] for row in before]


def test_students_are_found_by_login_address_and_name_only_when_unique(tmp_path):
    grade_by_api(tmp_path / "out", {SLUG: {
        "ada": (10.0, 5.0, 0.0), "ZOLA@example.org": (1.0, 0.0, 0.0), "Eve Twin": (2.0, 0.0, 0.0),
        "Cy Solo": (3.0, 0.0, 0.0), "Solo, Cy": (4.0, 0.0, 0.0),
    }})
    rows = GRADEBOOK + '"Twin, Eve",40,,t1,CS 1,,,\n"Twin, Eve",41,,t2,CS 1,,,\n"Solo, Cy",42,,c1,CS 1,,,\n'
    (tmp_path / "r.csv").write_text(rows)
    written = export(tmp_path / "out", [SLUG], "canvas", tmp_path / "r.csv", tmp_path / "to.csv")
    marks = {row[1]: row[6] for row in table(tmp_path / "to.csv")}
    assert (marks["31"], marks["32"], marks["40"], marks["41"], marks["42"]) == ("15", "1", "", "", "")
    assert len(written.unmatched) == 2
    assert any("2 rows have this name" in line and "Eve Twin" in line for line in written.unmatched)
    assert any("Cy Solo and Solo, Cy" in line and "fill it in by hand" in line for line in written.unmatched)


def test_canvas_with_semicolons_and_a_column_by_name(tmp_path):
    grade_by_api(tmp_path / "out", {SLUG: {"ada": (2.5, 5.0, 0.0)}, OTHER: {"ada": (1.0, 1.5, 0.0)}})
    text = "Student;ID;SIS Login ID;Section;Homework 2 (77);Homework 3 (78)\n    Points Possible;;;;15;15,00\n" \
           "Lovelace, Ada;31;ada;CS 1;;\n"
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(ExportError, match=f"--column {tasks.ASSIGNMENTS[0]}=TITLE"):
        export(tmp_path / "out", [], "canvas", tmp_path / "r.csv", tmp_path / "to.csv")
    columns = {SLUG: "Homework 3", OTHER: "Homework 2 (77)"}
    export(tmp_path / "out", [], "canvas", tmp_path / "r.csv", tmp_path / "to.csv", columns=columns)
    assert (tmp_path / "to.csv").read_text() == text.replace("CS 1;;", "CS 1;2.5;7.5")


def test_canvas_without_a_roster(tmp_path):
    grade_by_api(tmp_path / "out", {SLUG: {"=ada": (10.0, 5.0, 0.0)}, OTHER: {"bob": (1.0, 1.5, 0.0)}})
    text = export(tmp_path / "out", [], "canvas").path.read_text()
    assert canvas_imports(text) == {SLUG: {"'=ada": 15.0}, OTHER: {"bob": 2.5}}
    assert table(text)[1][0] == "    Points Possible" and table(text)[1][5:] == ["15", "15"]


# --- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, word",
    [
        (["--out", "{tmp}/nowhere", "--format", "csv"], "no such folder"),
        (["--out", "{tmp}", "--format", "csv"], "no gradebook there"),
        (["--out", "{tmp}/empty", "--format", "csv"], "nobody has been graded"),
        (["--out", "{tmp}/junk", "--format", "csv"], "not a gradebook"),
        (["--out", "{tmp}/empty", "--format", "csv", "--db", "sqlite:///{tmp}/none.db"], "no gradebook there"),
        (["--out", "{tmp}/empty", "--format", "csv", "--db", "nonsense"], "--db"),
        (["no-such", "--out", "{tmp}/out", "--format", "csv"], "there is no assignment"),
        ([OTHER, "--out", "{tmp}/out", "--format", "csv"], "nobody has been graded in"),
        (["--out", "{tmp}/out", "--format", "csv", "--to", "{tmp}/no/such/folder.csv"], "--to"),
        (["--out", "{tmp}/out", "--format", "csv", "--roster", "{tmp}/r.csv"], "give --format"),
        (["--out", "{tmp}/out", "--format", "canvas", "--roster", "{tmp}/r.csv", "--to", "{tmp}/r.csv"], "another"),
        (["--out", "{tmp}/out", "--format", "canvas", "--roster", "{tmp}/none.csv"], "cannot be read"),
        (["--out", "{tmp}/out", "--format", "canvas", "--roster", "{tmp}/binary.csv"], "no UTF-8"),
        (["--out", "{tmp}/out", "--format", "canvas", "--roster", "{tmp}/text.csv"], "no table"),
        (["--out", "{tmp}/out", "--format", "canvas", "--roster", "{tmp}/strange.csv"], "who is who"),
        (["--out", "{tmp}/out", "--format", "canvas", "--roster", "{tmp}/nocolumn.csv"], "--column"),
        (["--out", "{tmp}/out", "--format", "canvas", "--roster", "{tmp}/r.csv", "--column", "No"], "0 columns"),
        (["--out", "{tmp}/out", "--format", "canvas", "--column", "No"], "give --roster"),
        (["--out", "{tmp}/out", "--format", "canvas", "--submitted", "{tmp}/empty"], "no students.csv"),
    ],
)
def test_one_clear_error_and_nothing_written(tmp_path, capsys, arguments, word):
    grade_by_api(tmp_path / "out", {SLUG: {"ada": (1.0, 1.0, 0.0)}})
    grade_by_api(tmp_path / "empty", {})
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "gradebook.db").write_text("this is no database, and longer than a header")
    (tmp_path / "r.csv").write_text(GRADEBOOK)
    (tmp_path / "binary.csv").write_bytes(b"PK\x03\x04\xff\xfe\x00")
    (tmp_path / "text.csv").write_text("hello\n")
    (tmp_path / "strange.csv").write_text("a,b,convolution\n1,2,3\n")
    (tmp_path / "nocolumn.csv").write_text("Student,ID,Section,Quiz (1)\nada,1,x,\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert command_line.main(["export", *(text.format(tmp=tmp_path) for text in arguments)]) == 2
    error = capsys.readouterr().err
    assert word in error and "Traceback" not in error and len(error.splitlines()) == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_run_that_was_cut_off_is_not_exported(tmp_path):
    grade_by_api(tmp_path / "out", {SLUG: {"ada": (1.0, 1.0, 0.0)}})
    entries = results.index(tmp_path / "out", SLUG)
    entries["ada"]["recorded"] = False
    results.write_index(tmp_path / "out", SLUG, entries)
    with pytest.raises(ExportError, match="run `grade` again"):
        export(tmp_path / "out", [], "csv")


# --- feedback ------------------------------------------------------------------------------------------------------


def pages(out: Path, *folders: str) -> list[str]:
    for folder in folders:
        page = out / "feedback" / gradebook_id(folder) / SLUG / f"{SLUG}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"<p>{folder}</p>")
    return [gradebook_id(folder) for folder in folders]


def unpacked(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_feedback_for_moodle_canvas_and_plainly(tmp_path):
    collect([pack(tmp_path / "m.zip", (moodle("Ada/Love_lace: x", 101), notebook()))], SLUG, tmp_path / "m")
    collect([pack(tmp_path / "m2.zip", (moodle("Zola Émile", 102), notebook()))], SLUG, tmp_path / "m")
    out = tmp_path / "out"
    students = pages(out, "Love_lace_x 101", "Zola Émile 102", "by hand")
    packed = pack_feedback(out, SLUG, tmp_path / "f.zip", students, tmp_path / "m")
    names = unpacked(tmp_path / "f.zip")
    assert "by hand" in packed.unmatched[0] and packed.students == 2
    for name, number in zip(names, ("101", "102"), strict=True):
        folder, file = name.split("/")  # as Moodle's assignfeedback_file_zip_importer takes it apart
        parts = folder.split("_", 4)
        assert parts[1:4] == [number, "assignsubmission", "file"] and file == f"{SLUG}.html"
    assert names[f"Zola Émile_102_assignsubmission_file_/{SLUG}.html"] == "<p>Zola Émile 102</p>"

    collect([pack(tmp_path / "c.zip", ("o_brien2_LATE_31_900_x.ipynb", notebook()))], SLUG, tmp_path / "c")
    packed = pack_feedback(out, SLUG, tmp_path / "f.zip", pages(out, "o_brien2 31"), tmp_path / "c")
    (name,) = unpacked(tmp_path / "f.zip")
    # as Canvas's infer_comment_context_from_filename takes it apart
    assert [part for part in name.split("_") if part.isdigit()][:2] == ["31", "900"]
    results.write_index(out, SLUG, {"we?rd": {"key": "x"}})
    pack_feedback(out, SLUG, tmp_path / "f.zip", pages(out, "we?rd"))
    assert unpacked(tmp_path / "f.zip") == {f"we?rd/{SLUG}.html": "<p>we?rd</p>"}


def test_the_feedback_command(tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    grade_by_api(out, {SLUG: {"ada": (1.0, 1.0, 0.0), "we?rd": (1.0, 1.0, 0.0)}})
    asked = []

    def write_feedback(slug, out, students, db, jobs):
        asked.append((slug, students, db, jobs))
        return pages(out, *(students or ["ada", "we?rd"]))

    monkeypatch.setattr(record, "write_feedback", write_feedback)
    arguments = ["feedback", SLUG, "--out", str(out), "--zip", str(tmp_path / "f.zip")]
    assert command_line.main([*arguments, "--student", "we?rd", "--jobs", "2"]) == 0
    assert asked == [(SLUG, [gradebook_id("we?rd")], None, 2)]
    assert list(unpacked(tmp_path / "f.zip")) == [f"we?rd/{SLUG}.html"]
    assert command_line.main(arguments) == 0
    assert asked[1] == (SLUG, None, None, 1) and len(unpacked(tmp_path / "f.zip")) == 2
    for wrong, word in ((["--student", "nobody"], "'nobody' has not been graded"), (["--jobs", "0"], "--jobs"),
                        (["--submitted", str(tmp_path)], "no students.csv"), (["--zip", str(tmp_path)], "--zip")):
        assert command_line.main([*arguments, *wrong]) == 2
        assert word in capsys.readouterr().err
    assert len(asked) == 2


def test_the_report_command(tmp_path, monkeypatch, capsys):
    from autograder import report

    grade_by_api(tmp_path / "out", {SLUG: {"ada": (1.0, 1.0, 0.0)}})
    monkeypatch.setattr(report, "write", lambda out, db=None: out / "report.html")
    assert command_line.main(["report", "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "report.html")
    assert command_line.main(["report", "--out", str(tmp_path)]) == 2


def test_numbers_have_a_point_and_no_exponent():
    assert [module.number(x) for x in (0, 15.0, 2.5, 1 / 3, 1e-9, 123456.78)] == ["0", "15", "2.5", "0.3333", "0",
                                                                              "123456.78"]
