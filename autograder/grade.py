"""``python -m autograder grade``: a class from submitted notebooks to marks."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import nbformat
from neuralnotes import tasks
from tqdm import tqdm

from . import judge, record, report
from .assignments import SOLUTIONS, prepare_course
from .gate import Gated, read_submission


class GradeError(ValueError):
    """The run cannot start; the message says what to do. Nothing has been written."""


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

    nbgrader looks for files by shell patterns, so a name that holds pattern characters would match others, or nothing.
    """
    if not re.search(r"[*?\[\]{}\\\x00-\x1f\ud800-\udfff]", student) and student not in NBGRADER_IGNORES:
        return student
    return re.sub(r"[^\w.@ -]", "_", student)[:50] + "-" + hashlib.sha256(os.fsencode(student)).hexdigest()[:8]


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
) -> tuple[dict[str, dict], list[str]]:
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
        Results by student, for every student that has been graded into ``out``, and the names of those whose notebooks
        could not be graded for a reason that is not theirs.

    Raises:
        GradeError: The run cannot start.
        AssignmentError: The assignment's source is malformed, or nbgrader failed to record the results.
    """
    submitted, out = Path(submitted).resolve(), Path(out).resolve()
    if slug not in tasks.ASSIGNMENTS:
        raise GradeError(f"there is no assignment {slug!r}; there are {', '.join(tasks.ASSIGNMENTS)}")
    names = find_students(submitted, students)
    if out.is_relative_to(submitted) or submitted.is_relative_to(out):
        inside = submitted.relative_to(out).parts[:1] if submitted.is_relative_to(out) else ()
        if inside in [(), *((name,) for name in OWN_FOLDERS)]:
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
    keys = {name: judge.result_key(slug, notebook, seed) for name, notebook in notebooks.items()}
    failed = _judge_all(slug, notebooks, keys, seed, results, jobs or os.cpu_count() or 1, fresh, progress)
    for name, reason in failed.items():
        # rows without points, under a key of their own: the next run finds no result of this notebook and judges it again
        notebook = _hand_to_nbgrader(Gated(release, "error", f"not graded, run the same command again: {reason}"), out, name, slug)
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
    return everyone, sorted(failed)


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


def _judge_all(slug, notebooks: dict, keys: dict, seed: int, results: Path, jobs: int, fresh: bool, progress: bool) -> None:
    if not fresh:
        notebooks = {name: nb for name, nb in notebooks.items() if record.cached(results, keys[name]) is None}
    if not notebooks:
        return
    bar = tqdm(total=len(notebooks), desc=f"judging {slug}", unit="submission", disable=not progress)
    with bar, ProcessPoolExecutor(
        max_workers=min(jobs, len(notebooks)), mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker
    ) as pool:
        waiting = [
            pool.submit(record.judge_cached, slug, notebook, seed, results, fresh, keys[name])
            for name, notebook in notebooks.items()
        ]
        for future in as_completed(waiting):
            try:
                future.result()
            except BrokenProcessPool as error:
                raise RuntimeError("a judging process was killed from outside; run the same command again") from error
            bar.update()
