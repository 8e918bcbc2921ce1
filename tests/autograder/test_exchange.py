"""nbgrader's exchange, from release to feedback, with the grader in the middle: what a course on JupyterHub does."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.__main__ import main

from .helpers import ENVIRONMENT, SLUG, TOTAL, read_rows

pytestmark = pytest.mark.slow


def test_from_release_to_feedback(tmp_path, solved):
    marks, student, exchange = tmp_path / "marks", tmp_path / "student", tmp_path / "exchange"
    student.mkdir(), exchange.mkdir()
    exchange.chmod(0o777)  # as on a hub, where everybody writes there

    def nbgrader(folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *arguments, f"--Exchange.root={exchange}"],
            cwd=folder, env={**ENVIRONMENT, "HOME": str(folder)}, text=True, capture_output=True, timeout=120,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stderr

    assert main(["release", SLUG, "--out", str(marks)]) == 0
    nbgrader(marks, "release_assignment", SLUG)
    nbgrader(student, "fetch_assignment", SLUG, "--course", "neural-notes")
    fetched = student / SLUG / f"{SLUG}.ipynb"
    assert "BEGIN SOLUTION" not in fetched.read_text(encoding="utf-8")
    nbformat.write(solved, fetched)
    nbgrader(student, "submit", SLUG, "--course", "neural-notes")
    nbgrader(marks, "collect", SLUG, "--CourseDirectory.submitted_directory=inbox")

    assert main(["grade", SLUG, "--submitted", str(marks / "inbox"), "--out", str(marks), "--jobs", "1"]) == 0
    rows = read_rows(marks)
    assert {row["student"] for row in rows} == {os.environ.get("USER") or getpass.getuser()}
    assert sum(float(row["score"]) for row in rows) == TOTAL

    nbgrader(marks, "release_feedback", SLUG)
    nbgrader(student, "fetch_feedback", SLUG, "--course", "neural-notes")
    pages = list((student / SLUG / "feedback").rglob(f"{SLUG}.html"))
    assert len(pages) == 1
    assert "points (pass)" in pages[0].read_text(encoding="utf-8")
