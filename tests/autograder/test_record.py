"""The record: gradebook, autograded notebooks and feedback pages, without a judge: the results are made up here."""

from __future__ import annotations

import copy
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder import assignments, gate, judge, record, results, secret
from autograder.assignments import CannotStart, open_gradebook, run_nbgrader
from autograder.gate import Gated
from neuralnotes import tasks
from neuralnotes.tasks.judging import CaseResult, Result

from .helpers import FIRST, SLUG, TASKS, TOTAL

WRITTEN = f"{SLUG}-written-1"
DUE = "2026-03-01 12:00:00.000000 UTC"
LATE = "2026-03-01 14:00:00.000000 UTC"
PASSWORD = "hunter2hunter2"
HIDDEN_DATA = "array of the hidden case 271828"


def judged(**scores: float) -> dict:
    """Results as the judge gives them: full points, apart from the tasks that are named."""
    found = {}
    for task in tasks.assignment(SLUG):
        score = scores.get(task.id, task.points)
        verdict = "pass" if score == task.points else "fail"
        cases = (
            CaseResult("ordinary", True, False, True, True, "returned", "", "right", 0.01),
            CaseResult("edge", False, True, score > 0, score > 0, "returned", "shape", HIDDEN_DATA, 0.01),
        )
        result = Result(task.id, float(score), float(task.points), verdict, "", "", 0.01, cases)
        found[task.id] = result.as_json()
    return {"results": found, "cells": {}, "sandbox": "made up", "flags": []}


NOTHING = dict.fromkeys(TASKS, 0.0)
CLASS = {  # name -> (points that differ from the full ones, written answer, when it was handed in)
    "ada": ({}, "Because of *this*.", "2026-03-01 10:00:00.000000 UTC"),
    "blank": (NOTHING, None, ""),
    "late": ({FIRST: 0.5}, "Because of that.", LATE),
    "Zoë 名": ({FIRST: 0.0}, None, DUE),
}


def put(course: Path, name: str, release, scores: dict, answer: str | None, timestamp: str = "", verdict: str = ""):
    """Hand in for somebody, and keep made-up results under the key that the judge would use; returns the key."""
    notebook = copy.deepcopy(release)
    for cell in notebook.cells:
        if answer is not None and cell.metadata.get("nbgrader", {}).get("grade_id") == WRITTEN:
            cell.source = answer
    if verdict:
        notebook.metadata["neuralnotes"] = {"verdict": verdict, "reason": "made up"}
    record.write_submission(Gated(notebook, verdict=verdict, timestamp=timestamp), course, name, SLUG)
    # results are by content: another play cell, or the same answers would have the same points
    marks = judged(**scores)
    seed = secret.seed_of(secret.read_secret(course / "secret"))
    key = judge.result_key(SLUG, notebook, seed, "none")
    results.store(course / "results", key, marks, {})
    return key


def new_course(folder: Path, db: str | None = None, due: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    assignments.prepare_course(SLUG, folder, db=db)
    record.write_config(folder, secret_file=folder / "secret", level="none", db=db)
    if due:
        with open_gradebook(folder, db) as book:
            book.find_assignment(SLUG).duedate = datetime(2026, 3, 1, 12)
            book.db.commit()
    return folder


def fill(course: Path, release) -> dict[str, str]:
    """Hand in for the class: key by gradebook id."""
    keys = {}
    for name, (scores, answer, timestamp) in CLASS.items():
        own = nbformat.v4.new_code_cell(f"# {name}", id="own-1")  # no two notebooks of the class are equal
        notebook = copy.deepcopy(release)
        notebook.cells.append(own)
        keys[name] = put(course, name, notebook, scores, answer, timestamp)
    return keys


def dump(course: Path, db: str | None = None) -> dict:
    """All that a gradebook says of the class, but for its own ids."""
    found = {}
    with open_gradebook(course, db) as book:
        for submission in book.assignment_submissions(SLUG):
            (notebook,) = submission.notebooks
            found[submission.student.id] = {
                "timestamp": submission.timestamp,
                "score": notebook.score,
                "max_score": notebook.max_score,
                "penalty": notebook.late_submission_penalty,
                "needs_manual_grade": notebook.needs_manual_grade,
                "grades": {
                    g.name: (g.auto_score, g.manual_score, g.extra_credit, g.score, g.max_score, g.needs_manual_grade)
                    for g in notebook.grades
                },
                "comments": {c.name: (c.auto_comment, c.manual_comment) for c in notebook.comments},
            }
    return found


def mark_by_hand(course: Path, name: str, db: str | None = None) -> None:
    with open_gradebook(course, db) as book:
        grade = book.find_grade(WRITTEN, SLUG, SLUG, name)
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = 1.5, 0.25, False
        book.find_comment(WRITTEN, SLUG, SLUG, name).manual_comment = "Well said, *almost*."
        book.db.commit()


def page(course: Path, name: str) -> str:
    return (course / "feedback" / name / SLUG / f"{SLUG}.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def template(tmp_path_factory, release) -> Path:
    """A course with its class handed in, not recorded yet."""
    return new_course(tmp_path_factory.mktemp("record") / "course")


@pytest.fixture
def course(template, tmp_path) -> Path:
    shutil.copytree(template, tmp_path / "course")
    record.write_config(tmp_path / "course", secret_file=tmp_path / "course" / "secret", level="none", db=None)
    return tmp_path / "course"


@pytest.fixture
def recorded(course, release) -> Path:
    record.record_class(SLUG, course, fill(course, release), progress=False)
    return course


# --------------------------------------------------------------------------------------------------------- what is left


def test_marks_of_a_class(recorded):
    found = dump(recorded)
    assert set(found) == set(CLASS)
    for name, (scores, answer, timestamp) in CLASS.items():
        grades = found[name]["grades"]
        assert {task: grades[task][0] for task in TASKS} == {t: scores.get(t, TASKS[t].points) for t in TASKS}
        assert not any(grades[task][5] for task in TASKS)
        # nobody has to look at a written answer that is not there
        assert (grades[WRITTEN][0], grades[WRITTEN][5]) == ((0.0, False) if answer is None else (None, True))
        assert found[name]["comments"][WRITTEN] == ("No response." if answer is None else None, None)
        assert (found[name]["timestamp"] is None) == (not timestamp)


def test_both_ways_leave_the_same(recorded, release, tmp_path, monkeypatch):
    """nbgrader's own autograde and generate_feedback, and ours: after a regrade with marks by hand, and late ones."""
    monkeypatch.setattr(judge, "judge_notebook", lambda *_: pytest.fail("the results are known"))
    (recorded / "nbgrader_config.py").write_text(
        f'{record.LOADS_OURS}\nc = get_config()\nc.LateSubmissionPlugin.penalty_method = "zero"\n'
    )
    theirs = tmp_path / "theirs"
    shutil.copytree(recorded, theirs)
    record.write_config(theirs, secret_file=theirs / "secret", level="none", db=None)
    for folder in (recorded, theirs):
        mark_by_hand(folder, "ada")
        mark_by_hand(folder, "late")
        put(folder, "Zoë 名", release, NOTHING, None, verdict="unreadable")
    keys = fill(recorded, release)
    keys["Zoë 名"] = put(recorded, "Zoë 名", release, NOTHING, None, verdict="unreadable")
    record.record_class(SLUG, recorded, keys, progress=False)

    from nbgrader.converters import Autograde, GenerateFeedback

    config = record.settings(theirs)
    config.Autograde.force = config.GenerateFeedback.force = True
    shutil.rmtree(theirs / "autograded"), shutil.rmtree(theirs / "feedback")
    for converter in (Autograde, GenerateFeedback):
        run_nbgrader(converter, SLUG, config)

    ours = dump(recorded)
    assert dump(theirs) == ours
    assert ours["late"]["penalty"] == ours["late"]["score"] > 0 and ours["ada"]["penalty"] is None
    assert ours["ada"]["score"] == TOTAL + 1.75 and ours["ada"]["needs_manual_grade"]
    assert ours["Zoë 名"]["score"] == 0  # the marks of the attempt before are gone
    for name in CLASS:
        assert page(theirs, name) == page(recorded, name)
        notebooks = [f / "autograded" / name / SLUG / f"{SLUG}.ipynb" for f in (recorded, theirs)]
        mine, his = (nbformat.read(path, as_version=4) for path in notebooks)
        nbformat.validate(mine)
        assert mine.cells == his.cells


def test_late_penalty_of_ones_own(course, release):
    (course / "my_penalty.py").write_text(
        "from nbgrader.plugins import BasePlugin\n\n\nclass PerHour(BasePlugin):\n"
        "    def late_submission_penalty(self, student_id, score, total_seconds_late):\n"
        "        return total_seconds_late / 3600\n"
    )
    config = f"{record.LOADS_OURS}\nc = get_config()\nc.AssignLatePenalties.plugin_class = 'my_penalty.PerHour'\n"
    (course / "nbgrader_config.py").write_text(config)
    keys = fill(course, release)
    record.record_class(SLUG, course, keys, progress=False)
    assert {name: marks["penalty"] for name, marks in dump(course).items()} == {**dict.fromkeys(CLASS), "late": 2.0}
    assert "penalty (Score: -2.0)" in page(course, "late")


def test_a_late_penalty_that_fails(course, release):
    (course / "bad_penalty.py").write_text(
        "from nbgrader.plugins import BasePlugin\n\n\nclass Bad(BasePlugin):\n"
        "    def late_submission_penalty(self, *_):\n        raise KeyError('group')\n"
    )
    config = f"{record.LOADS_OURS}\nc = get_config()\nc.AssignLatePenalties.plugin_class = 'bad_penalty.Bad'\n"
    (course / "nbgrader_config.py").write_text(config)
    with pytest.raises(record.GradebookError, match="the late penalty Bad failed for late: KeyError"):
        record.record_class(SLUG, course, fill(course, release), progress=False)
    assert dump(course) == {}
    (course / "nbgrader_config.py").write_text(config.replace("bad_penalty.Bad", "nowhere.Bad"))
    with pytest.raises(CannotStart, match="nbgrader_config.py: the late penalty named there cannot be used"):
        record.check_gradebook(course)


def test_feedback_after_grading_by_hand(recorded):
    before = page(recorded, "late")
    mark_by_hand(recorded, "ada")
    assert record.write_feedback(SLUG, recorded, ["ada"]) == ["ada"]
    after = page(recorded, "ada")
    assert "Well said, <em>almost</em>." in after and f"Score: {TOTAL + 1.75} /" in after
    assert page(recorded, "late") == before
    assert record.write_feedback(SLUG, recorded) == sorted(CLASS)
    with pytest.raises(CannotStart, match="has not been graded for 'nobody'"):
        record.write_feedback(SLUG, recorded, ["nobody", "ada"])


def test_feedback_before_grading(tmp_path):
    with pytest.raises(CannotStart, match="has not been graded there"):
        record.write_feedback(SLUG, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_page_is_complete_in_itself(recorded):
    text = page(recorded, "Zoë 名")
    assert "<script" not in text and "@import" not in text
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?!#|data:|http://getbootstrap)[^"'\s>]*//""", text)
    assert not [address for address in re.findall(r"url\(([^)]*)\)", text) if "//" in address]
    assert f'http-equiv="Content-Security-Policy" content="{record.pages.POLICY}"' in text
    assert HIDDEN_DATA not in text and "(hidden) shape" in text


def test_a_page_disarms_what_student_code_printed(course, release):
    cell = next(c for c in release.cells if c.metadata.get("nbgrader", {}).get("grade_id") == f"{FIRST}-solution")
    key = put(course, "mallory", release, {}, None)
    markup = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    hostile = [
        nbformat.v4.new_output("display_data", data={"text/html": markup}),
        nbformat.v4.new_output("display_data", data={"application/javascript": "alert(3)"}),
        nbformat.v4.new_output("display_data", data={"image/png": "iVBORw0KGgo="}),
        nbformat.v4.new_output("stream", name="stdout", text="</pre><script>alert(4)</script>"),
    ]
    results.store(course / "results", key, judged(), {cell.id: hostile})
    record.record_class(SLUG, course, {"mallory": key}, progress=False)
    text = page(course, "mallory")
    assert "<script>" not in text and "onerror=alert" not in text.replace("&lt;img src=x onerror=alert", "")
    assert "&lt;script&gt;alert(4)" in text
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in text and 'alt="picture' in text


def test_pages_in_processes(course, release, monkeypatch):
    monkeypatch.setattr(record, "BATCH", 2)
    batches = []
    record.record_class(SLUG, course, fill(course, release), jobs=2, progress=False, done=batches.append)
    assert sorted(sum(batches, [])) == sorted(CLASS) and [len(batch) for batch in batches] == [2, 2]
    assert all(f"{FIRST}: " in page(course, name) for name in CLASS)


def test_a_batch_is_recorded_whole_or_not_at_all(course, release, monkeypatch):
    monkeypatch.setattr(record, "BATCH", 2)
    keys, recorded = fill(course, release), []
    save = record._save

    def dies_late(book, source, graded, config):
        if recorded:
            monkeypatch.setattr(book.db, "commit", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        save(book, source, graded, config)

    monkeypatch.setattr(record, "_save", dies_late)
    with pytest.raises(KeyboardInterrupt):
        record.record_class(SLUG, course, keys, progress=False, done=recorded.extend)
    assert sorted(dump(course)) == sorted(recorded) == sorted(list(CLASS)[:2])
    monkeypatch.setattr(record, "_save", save)
    record.record_class(SLUG, course, keys, progress=False)
    assert sorted(dump(course)) == sorted(CLASS)


def test_a_task_that_was_added_since(recorded, release):
    """nbgrader makes no place for the marks of a cell that an earlier release did not have."""
    with open_gradebook(recorded) as book:
        book.db.delete(book.find_grade(FIRST, SLUG, SLUG, "ada"))
        book.db.commit()
    record.record_class(SLUG, recorded, fill(recorded, release), progress=False)
    assert dump(recorded)["ada"]["grades"][FIRST][0] == TASKS[FIRST].points


def test_a_result_that_is_gone(recorded, release):
    keys = fill(recorded, release)
    (recorded / "results" / f"{keys['ada']}.json").unlink()
    with pytest.raises(RuntimeError, match="the result of ada is gone; run the same command again"):
        record.record_class(SLUG, recorded, keys, progress=False)


def test_a_submission_takes_the_place_of_the_one_before(course, release):
    folder = course / "submitted" / "ada" / SLUG
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "more.txt").write_text("x")
    (folder / "link").symlink_to("/etc/passwd")
    record.write_submission(Gated(release, timestamp=DUE), course, "ada", SLUG)
    assert sorted(path.name for path in folder.iterdir()) == [f"{SLUG}.ipynb", "timestamp.txt"]
    record.write_submission(Gated(release), course, "ada", SLUG)
    assert [path.name for path in folder.iterdir()] == [f"{SLUG}.ipynb"]
    nbformat.validate(nbformat.read(folder / f"{SLUG}.ipynb", as_version=4))


def test_nbgraders_autograde_with_another_secret(recorded):
    """The hidden cases would be others: nobody gets marks by them, and the marks that are there stay."""
    from nbgrader.converters import Autograde

    secret.remember(recorded, SLUG, b"another secret than the file's")
    before = dump(recorded)
    config = record.settings(recorded)
    config.Autograde.force = True
    with pytest.raises(assignments.NbgraderFailed, match="graded into .* with another course secret"):
        run_nbgrader(Autograde, SLUG, config)
    assert dump(recorded) == before


# -------------------------------------------------------------------------------------------------- nbgrader's settings


def test_an_instructors_settings_stay(course):
    mine = course / "nbgrader_config.py"
    assert record.LOADS_OURS in mine.read_text()
    mine.write_text(f"{record.LOADS_OURS}\nc = get_config()\nc.LimitOutput.max_lines = 7\n")
    record.write_config(course, secret_file=Path("/somewhere/else"), level=None, db=None)
    config = record.settings(course)
    assert config.LimitOutput.max_lines == 7 and config.JudgeExecute.secret_file == "/somewhere/else"
    assert mine.read_text().endswith("max_lines = 7\n")


@pytest.mark.parametrize(("text", "message"), [
    ("c = get_config()\n", "does not load the grader's own settings.* load_subconfig"),
    ("c = get_config(\n", "nbgrader's settings cannot be read: SyntaxError"),
    ("import nowhere\n", "nbgrader's settings cannot be read: ModuleNotFoundError"),
])
def test_settings_that_cannot_be_used(course, text, message):
    (course / "nbgrader_config.py").write_text(text)
    with pytest.raises(CannotStart, match=message):
        record.check_gradebook(course)


# -------------------------------------------------------------------------------------------------------- the gradebook


def sqlite_file(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_gradebook_that_is_fine(recorded, tmp_path):
    before = (recorded / "gradebook.db").read_bytes()
    record.check_gradebook(recorded)
    assert (recorded / "gradebook.db").read_bytes() == before
    record.check_gradebook(tmp_path / "not there yet")
    assert not (tmp_path / "not there yet").exists()
    (tmp_path / "gradebook.db").touch()  # SQLite takes an empty file for a new database
    record.check_gradebook(tmp_path)


@pytest.mark.parametrize(("version", "message"), [
    ("724cde206c17", "made by an older nbgrader.*`nbgrader db upgrade`"),
    (None, "made by an older nbgrader"),
    ("ffffffffffff", "made by a newer nbgrader"),
])
def test_a_gradebook_of_another_version(recorded, version, message):
    change = f"UPDATE alembic_version SET version_num = '{version}'" if version else "DROP TABLE alembic_version"
    sqlite_file(recorded / "gradebook.db", change)
    with pytest.raises(CannotStart, match=message):
        record.check_gradebook(recorded)


def test_no_gradebook(tmp_path):
    path = tmp_path / "gradebook.db"
    path.write_text("student,score\nada,3\n" * 10)
    with pytest.raises(CannotStart, match="this file is not a gradebook; move it away"):
        record.check_gradebook(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(CannotStart, match="is not a file"):
        record.check_gradebook(tmp_path)
    path.rmdir()
    sqlite_file(path, "CREATE TABLE birds (name TEXT)")
    with pytest.raises(CannotStart, match="other tables than a gradebook"):
        record.check_gradebook(tmp_path)


@pytest.mark.parametrize("url", ["gradebook.db", "postgres://me:hunter2@host/db", "://hunter2", "nothing://x/hunter2"])
def test_an_address_that_is_none(tmp_path, url):
    with pytest.raises(CannotStart, match="no address of a gradebook") as caught:
        record.check_gradebook(tmp_path, url)
    assert "hunter2" not in str(caught.value)


def test_a_server_that_does_not_answer(tmp_path):
    with pytest.raises(CannotStart, match="the gradebook cannot be opened: .*refused") as caught:
        record.check_gradebook(tmp_path, "postgresql://me:hunter2@127.0.0.1:9/marks")
    assert "hunter2" not in str(caught.value)


def test_another_gradebook_than_before(course):
    record.write_config(course, secret_file=Path("x"), level=None, db="postgresql://me:hunter2@127.0.0.1:9/marks")
    assert (course / record.OURS).stat().st_mode & 0o777 == 0o600
    with pytest.raises(CannotStart, match=r"postgresql\+psycopg2://me:\*\*\*@127.0.0.1:9/marks; give it with --db"):
        record.check_gradebook(course)


def hold(path: Path, seconds: float) -> threading.Thread:
    """Another program that writes to the gradebook for a time."""
    ready = threading.Event()

    def write():
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        ready.set()
        time.sleep(seconds)
        connection.execute("ROLLBACK")
        connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    assert ready.wait(10)
    return thread


def test_another_program_writes(course, release, monkeypatch):
    keys = fill(course, release)
    other = hold(course / "gradebook.db", 1.0)
    record.record_class(SLUG, course, keys, progress=False)  # waits
    other.join()
    before = dump(course)
    assert set(before) == set(CLASS)

    monkeypatch.setattr(assignments, "LOCK_SECONDS", 0.2)
    other = hold(course / "gradebook.db", 1.5)
    with pytest.raises(CannotStart, match="another program has been writing"):
        record.check_gradebook(course)
    with pytest.raises(record.GradebookError, match="another program has been writing.* are kept"):
        record.record_class(SLUG, course, keys, progress=False)
    other.join()
    assert dump(course) == before


# ----------------------------------------------------------------------------------------------------------- timestamps


@pytest.mark.parametrize(("text", "expected"), [
    ("2026-03-01 12:00:00.000000 UTC", "2026-03-01 12:00:00.000000 UTC"),
    ("2026-03-01 12:00:00 Europe/Berlin\n", "2026-03-01 11:00:00.000000 UTC"),
    ("2026-03-01T12:00:00+02:00", "2026-03-01 10:00:00.000000 UTC"),
    ("2026-03-01 12:00", "2026-03-01 12:00:00.000000 UTC"),
    ("", "is empty"),
    ("soon", "holds no time: 'soon'"),
    ("12", "holds no time"),
    ("2026-02-31 10:00", "holds no time"),
    ("9999-12-31 23:59:59 -1000", "holds no time"),
    ("2026-01-01 00:00:00 /dev/zero", "holds no time"),
    ("2026-01-01 00:00:00 ../../../../dev/zero", "holds no time"),
    ("\x1b[31m" * 10**6, "more than 200 bytes"),
    (b"\xff\xfe2\x00", "holds no time"),
    (None, ""),
])
def test_timestamps(tmp_path, release, text, expected):
    folder = tmp_path / "ada" / SLUG
    folder.mkdir(parents=True)
    if text is not None:
        (folder / "timestamp.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    gated = gate.read_submission(folder, SLUG, release)
    assert gated.verdict == "missing"
    if expected.endswith("UTC"):
        assert (gated.timestamp, gated.notes) == (expected, ())
    else:
        assert gated.timestamp == "" and len(gated.notes) == bool(expected)
        assert expected in "".join(gated.notes) and len("".join(gated.notes)) < 200
        assert "\x1b" not in "".join(gated.notes)


def test_a_timestamp_that_is_no_file(tmp_path, release):
    folder = tmp_path / "ada" / SLUG
    folder.mkdir(parents=True)
    (folder / "timestamp.txt").symlink_to("/dev/zero")
    assert gate.read_timestamp(folder) == ("", "timestamp.txt is a symbolic link and was not read")
    (folder / "timestamp.txt").unlink()
    (folder / "timestamp.txt").mkdir()
    assert gate.read_timestamp(folder) == ("", "timestamp.txt is not a file")


def test_gradebook_is_nbgraders_own(recorded):
    """What was written is found by nbgrader's own functions, under the course's name."""
    with Gradebook(f"sqlite:///{recorded / 'gradebook.db'}", "neural-notes") as book:
        assert book.average_assignment_code_score(SLUG) == pytest.approx(
            sum(sum(scores.get(t, TASKS[t].points) for t in TASKS) for scores, *_ in CLASS.values()) / len(CLASS)
        )
        listed = {entry["student"]: entry for entry in book.submission_dicts(SLUG)}
        assert set(listed) == set(CLASS) and listed["ada"]["needs_manual_grade"]


# ----------------------------------------------------------------------------------------------------------- PostgreSQL


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL server of our own, behind a socket in a temporary folder: the URL of its empty database."""
    folders = [*map(Path, os.environ["PATH"].split(os.pathsep)), *sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
    programs = [folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()]
    if not programs:
        pytest.skip("PostgreSQL is not installed here (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    who = {"user": "nobody", "cwd": folder} if os.geteuid() == 0 else {"cwd": folder}  # it refuses to run as root
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")

    def run(program: str, *arguments: str) -> None:
        with (folder / "log.txt").open("ab") as log:
            command = [str(programs[-1] / program), "-D", str(folder / "data"), *arguments]
            done = subprocess.run(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, timeout=60, **who)
        assert done.returncode == 0, (folder / "log.txt").read_text()

    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    try:
        run("initdb", "-U", "grader", "-A", "scram-sha-256", "--pwfile", str(folder / "password"), "-E", "UTF8", "-N")
        run("pg_ctl", "-w", "-o", f"-k {folder} -c listen_addresses='' -c fsync=off", "start")
        yield f"postgresql://grader:{PASSWORD}@/postgres?host={folder}"
        run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_postgresql(server, recorded, release, tmp_path, monkeypatch):
    """The same class in a real server: the same marks, ours and by nbgrader's own autograde; the password is safe."""
    monkeypatch.setattr(judge, "judge_notebook", lambda *_: pytest.fail("the results are known"))
    course = tmp_path / "postgresql"
    record.check_gradebook(course, server)
    new_course(course, server)
    shutil.copy(recorded / "secret", course / "secret")
    record.check_gradebook(course, server)
    record.record_class(SLUG, course, fill(course, release), db=server, progress=False)
    assert dump(course, server) == dump(recorded)
    mark_by_hand(course, "ada", server)
    assert record.write_feedback(SLUG, course, ["ada"], db=server) == ["ada"]
    assert "Well said" in page(course, "ada") and page(course, "late") == page(recorded, "late")

    from nbgrader.converters import Autograde

    config = record.settings(course, server)
    config.Autograde.force = True
    run_nbgrader(Autograde, SLUG, config)
    mark_by_hand(recorded, "ada")
    record.record_class(SLUG, recorded, fill(recorded, release), progress=False)
    assert dump(course, server) == dump(recorded)

    assert not (course / "gradebook.db").exists()
    keeping = [path for path in course.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert [path.name for path in keeping] == [record.OURS] and keeping[0].stat().st_mode & 0o777 == 0o600
    with pytest.raises(CannotStart, match="authentication failed") as caught:
        record.check_gradebook(tmp_path / "new", server.replace(PASSWORD, "wr0ng"))
    assert "wr0ng" not in str(caught.value)
    with pytest.raises(CannotStart, match="give it with --db"):
        record.check_gradebook(course)
