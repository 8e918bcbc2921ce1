"""``python -m autograder grade``: a class from submitted notebooks to marks."""

from __future__ import annotations

import copy
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import nbformat
from tqdm import tqdm

from neuralnotes import tasks

from . import judge, record, report
from .assignments import SOLUTIONS, CannotStart, prepare_course
from .gate import Gated, read_submission

OWN_FOLDERS = {(name,) for name in ("source", "release", "submitted", "autograded", "feedback", "results")}
NBGRADER_IGNORES = {".ipynb_checkpoints", "__pycache__", "feedback"}  # no student may have such a name there


class GradeError(CannotStart):
    """The run cannot start as it was asked for."""


class NotGraded(RuntimeError):
    """Some submissions could not be graded for a reason that is not theirs; the message names them."""


def find_students(submitted: Path, wanted: list[str] | None = None) -> list[str]:
    """Names of the student folders in ``submitted``.

    Raises:
        GradeError: No such folder, no student folder in it, or a wanted student is not there.
    """
    if not submitted.is_dir():
        raise GradeError(f"{submitted}: no such folder; --submitted is a folder with one folder per student")
    # hidden folders are those of tools (.git, .ipynb_checkpoints), unless there is an assignment in them
    students = sorted(
        p.name
        for p in submitted.iterdir()
        if p.is_dir() and (not p.name.startswith(".") or any((p / slug).exists() for slug in tasks.ASSIGNMENTS))
    )
    if not students:
        raise GradeError(
            f"{submitted}: no student folders in it; the layout is <student>/<assignment>/<assignment>.ipynb"
        )
    absent = sorted(set(wanted or ()) - set(students))
    if absent:
        raise GradeError(f"{submitted}: no folder for the student {absent[0]!r}")
    return sorted(set(wanted)) if wanted else students


def gradebook_id(student: str) -> str:
    """The name under which nbgrader knows a student: the folder's own, unless nbgrader could not find that again.

    nbgrader looks for files by shell patterns: a name that holds pattern characters would match others, and one that
    begins with a dot nothing.
    """
    if not re.search(r"^\.|[*?\[\]{}\\\x00-\x1f\ud800-\udfff]", student) and student not in NBGRADER_IGNORES:
        return student
    return re.sub(r"^\.|[^\w.@ -]", "_", student)[:50] + "-" + hashlib.sha256(os.fsencode(student)).hexdigest()[:8]


def grade(
    slug: str,
    submitted: Path,
    out: Path,
    students: list[str] | None = None,
    jobs: int | None = None,
    fresh: bool = False,
    seed: int = 0,
    solutions: Path = SOLUTIONS,
    progress: bool = True,
) -> dict[str, dict]:
    """Grade an assignment.

    Args:
        slug: The assignment.
        submitted: Folder with ``<student>/<slug>/<slug>.ipynb``.
        out: Folder for gradebook.db, autograded/, feedback/, report.html and scores.csv; made when it is not there.
        students: Grade these only; the others keep their rows.
        jobs: Processes that judge side by side; the number of cores when None.
        fresh: Judge again what has been judged.
        seed: Seed of the hidden cases.
        solutions: Folder of the assignment sources.
        progress: Whether to show a progress bar.

    Returns:
        Results by student, for every student that has been graded into ``out``.

    Raises:
        GradeError: The run cannot start.
        AssignmentError: The assignment's source is malformed.
        NotGraded: All is written, but some submissions have no marks for a reason that is not theirs.
    """
    submitted, out = Path(submitted).resolve(), Path(out).resolve()
    if slug not in tasks.ASSIGNMENTS:
        raise GradeError(f"there is no assignment {slug!r}; there are {', '.join(tasks.ASSIGNMENTS)}")
    names = find_students(submitted, students)
    overwritten = submitted.is_relative_to(out) and submitted.relative_to(out).parts[:1] in OWN_FOLDERS
    if out.is_relative_to(submitted) or overwritten:
        raise GradeError(f"{out}: --out has to be a folder of its own, apart from the submissions in {submitted}")
    if re.search(r"[*?\[\]]", str(out)):
        raise GradeError(f"{out}: nbgrader cannot work in a folder with *, ?, [ or ] in its name; choose another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GradeError(f"{out}: --out cannot be made: {error.strerror}") from error
    release = prepare_course(slug, out, solutions)

    results, notebooks = out / "results", {}
    for name in names:
        gated = read_submission(submitted / name / slug, slug, release)
        notebooks[name] = _hand_to_nbgrader(gated, out, name, slug)
        for note in gated.notes if progress else ():
            tqdm.write(f"{name}: {note}", file=sys.stderr)
    keys = {name: judge.result_key(slug, notebook, seed) for name, notebook in notebooks.items()}
    failed = _judge_all(slug, notebooks, keys, seed, results, jobs or os.cpu_count() or 1, fresh, progress)
    for name, reason in failed.items():
        # rows without points, under another key: the next run finds no result of the real notebook and judges it again
        gated = Gated(copy.deepcopy(release), "error", f"not graded, run the same command again: {reason}")
        notebook = _hand_to_nbgrader(gated, out, name, slug)
        keys[name] = judge.result_key(slug, notebook, seed)
        record.judge_cached(slug, notebook, seed, results)

    index = results / f"{slug}.json"
    known = record.cached(results, slug) or {}
    changed = [
        name for name in names
        if fresh
        or known.get(name) != keys[name]
        or not (out / "feedback" / gradebook_id(name) / slug / f"{slug}.html").is_file()
    ]
    everyone = {name: record.cached(results, key) for name, key in sorted({**known, **keys}.items())}
    everyone = {name: judged for name, judged in everyone.items() if judged is not None}
    record.write_scores(out / "scores.csv", slug, everyone)
    (out / "report.html").write_text(report.page(slug, everyone), encoding="utf-8", errors="backslashreplace")
    record.record_in_gradebook(slug, out, [gradebook_id(name) for name in changed], seed)
    index.write_text(json.dumps({**known, **keys}, indent=1), encoding="utf-8")
    if failed:
        reasons = "\n".join(f"  {name}: {reason}" for name, reason in failed.items())
        raise NotGraded(f"{len(failed)} submissions could not be graded; run the same command again\n{reasons}")
    return everyone


def _hand_to_nbgrader(gated: Gated, out: Path, student: str, slug: str) -> nbformat.NotebookNode:
    """Write the clean notebook where nbgrader looks for submissions."""
    notebook = gated.notebook
    if gated.verdict:
        notebook.metadata["neuralnotes"] = {"verdict": gated.verdict, "reason": gated.reason}
    folder = out / "submitted" / gradebook_id(student) / slug
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{slug}.ipynb")
    return notebook


def _start_worker() -> None:
    import torch

    torch.set_num_threads(1)  # as many workers as cores: more threads each would only queue up


def _judge_all(
    slug: str, notebooks: dict, keys: dict, seed: int, results: Path, jobs: int, fresh: bool, progress: bool
) -> dict[str, str]:
    """Judge what has no result yet; return why some could not be judged, by student."""
    if not fresh:
        notebooks = {name: nb for name, nb in notebooks.items() if record.cached(results, keys[name]) is None}

    def judge_these(names, workers: int) -> dict[str, str]:
        failed = {}
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(names)), context, _start_worker) as pool:
            futures = {
                pool.submit(record.judge_cached, slug, notebooks[name], seed, results, fresh, keys[name]): name
                for name in names
            }
            for future in as_completed(futures):
                error = future.exception()
                if error is not None:
                    failed[futures[future]] = f"{type(error).__name__}: {str(error)[:300]}"
                bar.update(error is None)
        return failed

    still: dict[str, str] = {}
    with tqdm(total=len(notebooks), desc=f"judging {slug}", unit="submission", disable=not progress) as bar:
        # a process that dies takes those waiting with it; alone, each of them has its own second chance
        for name in judge_these(list(notebooks), jobs) if notebooks else ():
            still.update(judge_these([name], 1))
    return still
