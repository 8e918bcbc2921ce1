"""nbgrader on top: its own commands, the formgrader and ``validate`` work on what the grader leaves."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder import assignments
from autograder.__main__ import main
from autograder.demo import with_answers
from neuralnotes import tasks

from .helpers import FIRST, SLUG, TASKS, TOTAL, hand_in, raw, read_rows, returning

pytestmark = pytest.mark.slow

TOKEN = "only-for-this-test"
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(assignments.ROOT), str(assignments.ROOT / "lib")]),
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "MPLBACKEND": "agg",
}


@pytest.fixture(scope="module")
def course(tmp_path_factory, solved, release) -> Path:
    """A graded class of three."""
    folder = tmp_path_factory.mktemp("course")
    for name, notebook in {
        "ada": solved, "blank": release, "one wrong": with_answers(solved, {FIRST: returning("1")}),
    }.items():
        hand_in(folder / "in" / name / SLUG, raw(notebook))
    assert main(["grade", SLUG, "--submitted", str(folder / "in"), "--out", str(folder / "out"), "--jobs", "1"]) == 0
    return folder / "out"


def totals(course: Path) -> dict[str, float]:
    """Scores of the checked tasks by student, from the gradebook."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "neural-notes") as gradebook:
        return {
            s.student.id: sum(g.score for notebook in s.notebooks for g in notebook.grades if g.name in TASKS)
            for s in gradebook.assignment_submissions(SLUG)
        }


EXPECTED = {"ada": TOTAL, "blank": 0, "one wrong": TOTAL - TASKS[FIRST].points}


def test_the_gradebook_holds_the_scores(course):
    by_student = dict.fromkeys(EXPECTED, 0.0)
    for row in read_rows(course):
        by_student[row["student"]] += float(row["score"])
    assert totals(course) == by_student == EXPECTED


def nbgrader(course: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "nbgrader", *arguments], cwd=course, env=ENVIRONMENT, text=True,
                          capture_output=True, timeout=120)


@pytest.mark.parametrize("known", [True, False], ids=["results known", "results gone"])
def test_nbgraders_own_commands_give_the_same_marks(course, known):
    if not known:
        shutil.rmtree(course / "results")
    for command in ("autograde", "generate_feedback"):
        done = nbgrader(course, command, SLUG, "--force")
        assert done.returncode == 0, done.stderr[-2000:]
    assert totals(course) == EXPECTED
    if not known:
        assert len(list((course / "results").glob("*.json"))) == 3
    page = course / "feedback" / "one wrong" / SLUG / f"{SLUG}.html"
    assert f"{FIRST}: 0 of" in page.read_text(encoding="utf-8")
    autograded = nbformat.read(course / "autograded" / "one wrong" / SLUG / f"{SLUG}.ipynb", as_version=4)
    nbformat.validate(autograded)


@pytest.fixture(scope="module")
def formgrader(course):
    """A Jupyter server with the formgrader on the graded class: a function that asks it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (course.parent / "server.log").open("w+")
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1",
         "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={course}",
         "--ServerApp.jpserver_extensions={'nbgrader.server_extensions.formgrader': True}"],
        cwd=course, env=ENVIRONMENT, stdout=log, stderr=subprocess.STDOUT,
    )

    def ask(path: str, method: str = "GET") -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", method=method,
                                         data=b"" if method == "POST" else None,
                                         headers={"Authorization": f"token {TOKEN}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                ask("api/status")
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    pytest.fail((course.parent / "server.log").read_text()[-3000:])
                time.sleep(0.25)
        yield ask
    finally:
        server.kill()
        server.wait(timeout=20)
        log.close()


def test_the_formgrader_lists_the_class_with_its_scores(formgrader):
    listed = {s["student"]: s for s in json.loads(formgrader(f"formgrader/api/submissions/{SLUG}"))}
    assert {name: s["score"] for name, s in listed.items()} == EXPECTED
    # more points than ours: the written answers have some too
    assert all(s["autograded"] and s["max_score"] > TOTAL for s in listed.values())
    assert "formgrader" in formgrader(f"formgrader/manage_submissions/{SLUG}").lower()
    assert "formgrader" in formgrader("formgrader/").lower()


def test_the_formgrader_shows_a_graded_notebook(formgrader, course):
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "neural-notes") as gradebook:
        notebook = gradebook.find_submission_notebook(SLUG, SLUG, "one wrong").id
    page = formgrader(f"formgrader/submissions/{notebook}/")
    assert f"{FIRST}: 0 of" in page


def test_the_formgraders_autograde_button(formgrader, course):
    answer = json.loads(formgrader(f"formgrader/api/submission/{SLUG}/one%20wrong/autograde", "POST"))
    assert answer["success"], answer
    assert totals(course) == EXPECTED


# ----------------------------------------------------------------------------------------------- what students can run


@pytest.mark.parametrize("slug", tasks.ASSIGNMENTS)
def test_validate(slug, tmp_path):
    first = tasks.assignment(slug)[0].id
    nbformat.write(assignments.released(slug), tmp_path / "blank.ipynb")
    nbformat.write(assignments.read_source(slug), tmp_path / "solved.ipynb")
    blank = nbgrader(tmp_path, "validate", "blank.ipynb").stdout
    assert "failed" in blank and f"{first}: not written yet" in blank
    solved = nbgrader(tmp_path, "validate", "solved.ipynb")
    assert "Success! Your notebook passes all the tests." in solved.stdout, (solved.stdout + solved.stderr)[-2000:]
