"""The record: results into nbgrader's gradebook, autograded notebooks and feedback, and into ``scores.csv``.

nbgrader stays the book-keeper. ``JudgeExecute`` takes the place of its ``Execute`` preprocessor: instead of running the
notebook it leaves in each check cell the outputs from which ``SaveAutoGrades`` reads the score. ``nbgrader autograde``
and the formgrader's button take the same path through the ``nbgrader_config.py`` that ``grade`` writes.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import textwrap
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Int, Unicode

from neuralnotes import tasks
from neuralnotes.tasks.judging import Result

from . import judge
from .assignments import course_config, run_nbgrader
from .gate import rebuild

NOT_JUDGED = ("missing", "unreadable", "error")  # verdicts on a whole notebook: nothing to judge, or no judge
COLUMNS = ("student", "assignment", "task", "score", "max_score", "verdict", "diagnosis", "seconds")

PREPROCESSORS = [  # nbgrader's own list, with its Execute replaced
    "autograder.record.JudgeExecute",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]

CONFIG = '''"""nbgrader in this folder: its commands and the formgrader use the course's own judge."""

c = get_config()  # noqa: F821 - nbgrader defines it
c.CourseDirectory.root = {root!r}
c.CourseDirectory.course_id = "neural-notes"
c.Autograde.autograde_preprocessors = {preprocessors!r}
c.JudgeExecute.results_folder = {results!r}
c.JudgeExecute.seed = {seed}
'''


class JudgeExecute(NbGraderPreprocessor):
    """In place of nbgrader's ``Execute``: judge the notebook, and write scores and feedback into its check cells."""

    results_folder = Unicode("results", help="Folder of the judged results").tag(config=True)
    seed = Int(0, help="Seed of the hidden cases").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        slug = resources["nbgrader"]["assignment"]
        # a notebook may come here without the gate (nbgrader's own commands): tags and outputs do not survive this
        release = Path(resources["nbgrader"]["db_url"].removeprefix("sqlite:///")).parent / "release" / slug
        template = nbformat.read(release / f"{slug}.ipynb", as_version=4)
        clean, _ = rebuild(json.loads(nbformat.writes(nb)), template)
        gate = nb.metadata.get("neuralnotes")
        if isinstance(gate, dict) and gate.get("verdict") in NOT_JUDGED and isinstance(gate.get("reason"), str):
            clean.metadata["neuralnotes"] = {"verdict": gate["verdict"], "reason": gate["reason"]}
        result = judge_cached(slug, clean, self.seed, Path(self.results_folder))
        write_outputs(clean, result)
        return clean, resources


def cached(folder: Path, key: str) -> dict | None:
    """The result of an earlier run, or None."""
    try:
        return json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there, or cut short by a full disk
        return None


def judge_cached(
    slug: str, notebook: NotebookNode, seed: int, folder: Path, fresh: bool = False, key: str | None = None
) -> dict:
    """Judge a clean notebook, or read the result of an equal one (``key`` is its ``result_key`` when known)."""
    key = key or judge.result_key(slug, notebook, seed)
    known = None if fresh else cached(folder, key)
    if known is not None:
        return known
    result = judge.judge_notebook(slug, notebook, seed)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{key}.{os.getpid()}.part"
    partial.write_text(json.dumps(result), encoding="utf-8")
    partial.replace(folder / f"{key}.json")  # whole or not at all
    return result


def write_outputs(notebook: NotebookNode, result: dict) -> None:
    """Put what the cells printed, and the judgement of each check cell, into the notebook."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if judge.is_check(cell):
            _write_judgement(cell, Result.from_json(result["results"][grade_id]))
            continue
        run = result["cells"].get(cell.id)
        if run and run["printed"]:
            cell.outputs.append(nbformat.v4.new_output("stream", name="stdout", text=run["printed"]))
        # a play cell of the release may fail for want of plots and data, which says nothing about the student
        written = cell.metadata.get("nbgrader", {}).get("solution") or cell.id.startswith("own-")
        if run and run["status"] != "ok" and written:
            cell.outputs.append(nbformat.v4.new_output("stream", name="stdout", text=run["message"] + "\n"))


def _write_judgement(cell: NotebookNode, result: Result) -> None:
    text = nbformat.v4.new_output("stream", name="stdout", text=feedback(result) + "\n")
    # SaveAutoGrades reads the first execute_result as the score, and would read an output on stderr as zero
    score = nbformat.v4.new_output("execute_result", data={"text/plain": repr(result.score)}, execution_count=1)
    cell.outputs = [text, score]
    cell.execution_count = 1


def feedback(result: Result) -> str:
    """What the student reads: the cases by name, what was expected of them, the hint; no data of a hidden case."""
    lines = [f"{result.task}: {result.score:g} of {result.max_score:g} points ({result.verdict})"]
    if not result.cases:
        lines.append(f"  {result.diagnosis}")
    if result.verdict == "missing" and result.cases:
        lines.append("  not written yet")
        return "\n".join(lines)
    width = max((len(case.name) for case in result.cases), default=0)
    for case in result.cases:
        mark = "ok   " if case.ok else "WRONG"
        what = "" if case.visible else "(hidden) "
        shown = case.detail if case.visible else case.summary
        lines.append(f"  {mark}  {case.name:{width}s}  {what}{shown}".rstrip())
    if result.hint:
        lines += textwrap.wrap(f"Hint: {result.hint}", width=100, subsequent_indent="      ")
    if result.verdict == "partial":
        lines.append("The ordinary cases are right: half of the points.")
    return "\n".join(lines)


def record_in_gradebook(slug: str, course: Path, students: list[str], seed: int) -> None:
    """Record judged submissions (in ``course/submitted``) with nbgrader: gradebook, autograded notebooks, feedback."""
    from nbgrader.converters import Autograde, GenerateFeedback

    results = str(course / "results")
    text = CONFIG.format(root=str(course), results=results, seed=seed, preprocessors=PREPROCESSORS)
    (course / "nbgrader_config.py").write_text(text, encoding="utf-8")
    if not students:
        return
    config = course_config(course)
    config.Autograde.autograde_preprocessors = PREPROCESSORS
    config.JudgeExecute.results_folder = results
    config.JudgeExecute.seed = seed
    config.BaseConverter.logfile = ""
    for student in students:
        for step in ("autograded", "feedback"):
            shutil.rmtree(course / step / student / slug, ignore_errors=True)
    for converter in (Autograde, GenerateFeedback):
        run_nbgrader(converter, slug, config)


def write_scores(path: Path, slug: str, judged: dict[str, dict]) -> None:
    """Write ``scores.csv``: one row per student and task.

    Args:
        path: The file.
        slug: The assignment.
        judged: Results by student, as ``judge_notebook`` gives them.
    """
    partial = path.with_suffix(".part")
    # the name of a folder may hold bytes that are no UTF-8
    with partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for student in sorted(judged):
            for task in tasks.assignment(slug):
                r = Result.from_json(judged[student]["results"][task.id])
                points = f"{r.score:g}", f"{r.max_score:g}"
                row = student, slug, r.task, *points, r.verdict, " ".join(r.diagnosis.split()), f"{r.seconds:.3f}"
                writer.writerow([safe_cell(value) for value in row])
    partial.replace(path)


def safe_cell(value: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if value[:1] in ("=", "+", "@", "\t", "\r") or value[:2] == "-=" else value
