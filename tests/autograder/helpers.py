"""What the tests of the grader share: submissions in the making, and the marks that they get."""

from __future__ import annotations

import contextlib
import copy
import csv
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat

from autograder import assignments, judge, workers
from autograder.demo import with_answers
from autograder.gate import Gated, read_submission
from neuralnotes import tasks
from neuralnotes.tasks.judging import Result

SLUG = "convolution"
TASKS = {task.id: task for task in tasks.assignment(SLUG)}
TOTAL = sum(task.points for task in TASKS.values())
FIRST = "conv_output_size"  # the task that most tests change; its solution is RIGHT
RIGHT = '''def conv_output_size(size, kernel, stride=1, padding=0):
    if kernel < 1 or stride < 1 or padding < 0 or kernel > size + 2 * padding:
        raise ValueError("the kernel does not fit")
    if (size + 2 * padding - kernel) % stride:
        raise ValueError("the stride does not divide")
    return (size + 2 * padding - kernel) // stride + 1
'''

TOKEN = "only-for-this-test"
# of programs that are started beside the tests: the course, and the virtual environment's own commands
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(assignments.ROOT), str(assignments.ROOT / "lib")]),
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "MPLBACKEND": "agg",
}


def returning(expression: str, before: str = "pass", task: str = FIRST) -> str:
    """Source of a function that runs ``before`` and returns an expression, whatever it is called with."""
    body = "".join(f"    {line}\n" for line in before.splitlines())
    return f"def {task}(*arguments, **keywords):\n{body}    return {expression}\n"


def raw(notebook) -> dict:
    """A notebook as the JSON of its file."""
    return json.loads(nbformat.writes(notebook))


def code_cell(source, **fields) -> dict:
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None, **fields}


def cell_of(document: dict, grade_id: str) -> dict:
    """A raw notebook's cell, by its grade_id."""
    return next(c for c in document["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def hand_in(folder: Path, content, slug: str = SLUG) -> Path:
    """Write ``<folder>/<slug>.ipynb``: bytes, text or a raw notebook."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        content = json.dumps(content)
    path = folder / f"{slug}.ipynb"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def gated(tmp_path: Path, content, release) -> Gated:
    """What the gate makes of a submission."""
    folder = tmp_path / "student" / SLUG
    hand_in(folder, content)
    return read_submission(folder, SLUG, release)


def results_of(notebook, slug: str = SLUG) -> dict[str, Result]:
    """Judge a clean notebook: results by task, one for each."""
    judged = judge.judge_notebook(slug, notebook, 0)["results"]
    assert list(judged) == [task.id for task in tasks.assignment(slug)]
    return {key: Result.from_json(result) for key, result in judged.items()}


def scores_of(notebook) -> dict[str, float]:
    return {key: result.score for key, result in results_of(notebook).items()}


def full_but(**scores: float) -> dict[str, float]:
    """Full points for every task, apart from those that are named."""
    return {**{task.id: task.points for task in tasks.assignment(SLUG)}, **scores}


def judge_answer(solved, source: str, task: str = FIRST) -> Result:
    """The result of one changed answer; the other tasks must not lose anything."""
    results = results_of(with_answers(copy.deepcopy(solved), {task: source}))
    assert {key: result.score for key, result in results.items()} == full_but(**{task: results[task].score})
    return results[task]


def read_rows(out: Path) -> list[dict[str, str]]:
    with (out / "scores.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def rows_of(out: Path, student: str) -> dict[str, dict[str, str]]:
    """Rows of a student by task; one for each task, in order."""
    rows = [row for row in read_rows(out) if row["student"] == student]
    assert [row["task"] for row in rows] == list(TASKS)
    return {row["task"]: row for row in rows}


@contextlib.contextmanager
def jupyter_server(course: Path) -> Iterator[tuple[str, str]]:
    """A Jupyter server with the formgrader on a graded class: (its address, the token to send)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, log = f"http://127.0.0.1:{port}", course.parent / "server.log"
    with log.open("w") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={port}",
             "--ip=127.0.0.1", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}",
             f"--ServerApp.root_dir={course}",
             "--ServerApp.jpserver_extensions={'nbgrader.server_extensions.formgrader': True}"],
            cwd=course, env=ENVIRONMENT, stdout=file, stderr=subprocess.STDOUT,
        )
    asked = urllib.request.Request(f"{address}/api/status", headers={"Authorization": f"token {TOKEN}"})
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(asked, timeout=10).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(log.read_text()[-3000:]) from None
                time.sleep(0.25)
        yield address, TOKEN
    finally:
        server.kill()
        server.wait(timeout=20)


def in_this_process(jobs, count):
    """In place of ``workers._side_by_side``, where a test is not about processes: they take seconds to start."""
    for job in jobs:
        try:
            yield job, workers.do(job.slug, job.text, job.seed, job.level, job.code)
        except Exception as error:
            yield job, error
