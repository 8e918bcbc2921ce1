"""``python -m autograder grade``: a class from submitted notebooks to marks."""

from __future__ import annotations

import collections
import contextlib
import copy
import errno
import fcntl
import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from tqdm import tqdm

from neuralnotes import tasks

from . import judge, record, report, results, sandbox, workers
from . import secret as secrets
from .assignments import SOLUTIONS, CannotStart, prepare_course
from .gate import Gated, read_submission

OWN_FOLDERS = {(name,) for name in ("source", "release", "submitted", "autograded", "feedback", "results")}
NBGRADER_IGNORES = {".ipynb_checkpoints", "__pycache__", "feedback"}  # no student may have such a name there
NOT_SANDBOXED = "not-sandboxed.txt"
# of one submission in --out, measured with the plots of its own release: 0.7 MB of feedback page, 0.5 MB of autograded
# notebook, 0.45 MB of results, 0.1 MB of clean notebook and gradebook
BYTES_PER_SUBMISSION = 1.8e6


class GradeError(CannotStart):
    """The run cannot start as it was asked for."""


class DiskFull(RuntimeError):
    """The run was cut off because no space is left."""


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
    begins with a dot nothing. Its database has room for 128 characters.
    """
    odd = re.search(r"^\.|[*?\[\]{}\\\x00-\x1f\ud800-\udfff]", student)
    if not odd and student not in NBGRADER_IGNORES and len(student) <= 128:
        return student
    return re.sub(r"^\.|[^\w.@ -]", "_", student)[:50] + "-" + hashlib.sha256(os.fsencode(student)).hexdigest()[:8]


@dataclass(frozen=True)
class Run:
    """One run, after its checks: what it grades, where to, and how."""

    slug: str
    submitted: Path
    out: Path
    names: list[str]
    seed: int
    level: str | None
    jobs: int
    client: Any  # of a Dask scheduler, or None
    db: str | None
    fresh: bool
    progress: bool

    @property
    def results(self) -> Path:
        return self.out / "results"

    def clean(self, student: str) -> Path:
        """The notebook as the gate made it, where nbgrader looks for submissions."""
        return self.out / "submitted" / gradebook_id(student) / self.slug / f"{self.slug}.ipynb"

    def feedback(self, student: str) -> Path:
        return self.out / "feedback" / gradebook_id(student) / self.slug / f"{self.slug}.html"


def grade(
    slug: str,
    submitted: Path,
    out: Path,
    students: list[str] | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    level: str | None = None,
    fresh: bool = False,
    secret: Path | None = None,
    db: str | None = None,
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
        scheduler: Address of a Dask scheduler whose workers judge, in place of processes of this machine.
        level: Of the sandbox; None for the best there is, "none" for resource limits only.
        fresh: Judge again what has been judged.
        secret: File of the course secret; ``secret.default_path()`` when None.
        db: SQLAlchemy's address of the gradebook; ``<out>/gradebook.db`` when None.
        solutions: Folder of the assignment sources.
        progress: Whether to show progress bars, and to say what the run uses.

    Returns:
        Results by student, for every student that has been graded into ``out``, as ``results.everyone`` gives them.

    Raises:
        CannotStart: The run cannot start as it was asked for; nothing has been written.
        NotGraded: All is written, but some submissions have no marks for a reason that is not theirs.
        RuntimeError, OSError: The run was cut off (a full disk, a scheduler that is gone); what was judged is kept.
    """
    submitted, out = Path(submitted).resolve(), Path(out).resolve()
    names = _check_arguments(slug, submitted, out, students)
    say = _say if progress else _say_nothing
    with contextlib.ExitStack() as stack:
        client = None
        if scheduler:
            client, descriptions = workers.connect(scheduler, level)
            stack.callback(client.close)
            where = f"on {len(descriptions)} workers of {scheduler}"
        else:
            box = sandbox.at(level) if level else sandbox.best()
            level, descriptions, where = box.level, [box.description], "on this machine"
        for description in sorted(set(descriptions)):
            say(f"Student code runs {where}: {description}")
        _check_space(out, slug, names)
        record.check_gradebook(out, db)
        secret = secrets.default_path() if secret is None else Path(secret)
        content = _read_secret(secret, out, slug, fresh and not students)
        say(f"Hidden cases are drawn from the course secret {secret}.")
        if secrets.warning(secret):
            say(f"WARNING: {secrets.warning(secret)}")
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GradeError(f"{out}: --out cannot be made: {error.strerror}") from error
        stack.enter_context(only_run(out))
        run = Run(slug, submitted, out, names, secrets.seed_of(content), level, jobs or os.cpu_count() or 1, client,
                  db, fresh, progress)
        try:
            release = prepare_course(slug, out, solutions, db)
            secrets.remember(out, slug, content)
            # nbgrader's commands may run on another day or machine: the best level there, unless none was asked for
            record.write_config(out, secret_file=secret.absolute(), level=level if level == "none" else None, db=db)
            failed = _judge_and_record(run, release)
        except Exception as error:
            if _is_full(error):
                raise DiskFull(
                    f"{out}: no space is left there. What was judged is kept: make room, and run the same command again"
                ) from error
            raise
    if failed:
        reasons = [f"  {_shown(name)}: {reason}" for name, reason in sorted(failed.items())[:20]]
        more = [f"  and {len(failed) - 20} more"] if len(failed) > 20 else []
        head = f"{len(failed)} submissions could not be graded; run the same command again"
        raise NotGraded("\n".join([head, *reasons, *more]))
    return results.everyone(out)[slug]


# ------------------------------------------------------------------------------------------- checks, before all else


def _check_arguments(slug: str, submitted: Path, out: Path, students: list[str] | None) -> list[str]:
    if slug not in tasks.ASSIGNMENTS:
        raise GradeError(f"there is no assignment {slug!r}; there are {', '.join(tasks.ASSIGNMENTS)}")
    names = find_students(submitted, students)
    overwritten = submitted.is_relative_to(out) and submitted.relative_to(out).parts[:1] in OWN_FOLDERS
    if out.is_relative_to(submitted) or overwritten:
        raise GradeError(f"{out}: --out has to be a folder of its own, apart from the submissions in {submitted}")
    if re.search(r"[*?\[\]]", str(out)):
        raise GradeError(f"{out}: nbgrader cannot work in a folder with *, ?, [ or ] in its name; choose another --out")
    existing = _existing(out)
    if not existing.is_dir():
        raise GradeError(f"{out}: --out cannot be made: {existing} is a file")
    return names


def _existing(path: Path) -> Path:
    """The path itself, or the nearest of its parents that is there."""
    return next(p for p in (path, *path.parents) if p.exists())


def _check_space(out: Path, slug: str, names: list[str]) -> None:
    new = set(names) - set(results.index(out, slug))
    needed, free = len(new) * BYTES_PER_SUBMISSION, shutil.disk_usage(_existing(out)).free
    if free < needed:
        raise GradeError(
            f"{out}: grading {len(new)} submissions takes about {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are "
            "free there; make room, or choose another --out"
        )


def _read_secret(path: Path, out: Path, slug: str, everybody_again: bool) -> bytes:
    if everybody_again:
        return secrets.read_secret(path)
    if secrets.remembered(out, slug) and not path.exists():  # a new one would only be refused
        raise secrets.SecretError(
            f"{path}: the course secret with which {slug} was graded into {out} is not there. Put it back, point "
            "--secret to it, or judge everybody again with a new one: --fresh, without --student"
        )
    content = secrets.read_secret(path)
    secrets.check_same(out, slug, content, path)
    return content


@contextlib.contextmanager
def only_run(out: Path) -> Iterator[None]:
    """Hold ``out`` for this run. The lock dies with its process, however that ends.

    Raises:
        GradeError: Another run is at work there.
    """
    with open(out / ".lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GradeError(f"{out}: another run is grading into this folder; wait until it has ended") from None
        yield


def _is_full(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that a disk is full. SQLite and nbgrader say it in words."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if any(words in str(error) for words in (os.strerror(errno.ENOSPC), "database or disk is full")):
            return True
        error = error.__cause__ or error.__context__
    return False


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)


def _say_nothing(line: str) -> None:
    pass


# ---------------------------------------------------------------------------------------------------------- the run


def _judge_and_record(run: Run, release: nbformat.NotebookNode) -> dict[str, str]:
    """All of a run after its checks; returns why some could not be judged, by student."""
    entries = {}
    for name in run.names:
        gated = read_submission(run.submitted / name / run.slug, run.slug, release)
        for note in gated.notes if run.progress else ():
            _say(f"{_shown(name)}: {note}")
        entries[name] = _entry(run, name, gated)
    failed = _judge(run, entries)
    for name, reason in failed.items():
        # rows without points, under another key: the next run finds no result of the real notebook and judges it again
        gated = Gated(copy.deepcopy(release), "error", f"not graded, run the same command again: {reason}")
        entries[name] = _entry(run, name, gated)
        results.judge_once(run.slug, gated.notebook, run.seed, run.level, run.results, key=entries[name]["key"])

    known = results.index(run.out, run.slug)
    for name, entry in entries.items():
        before = known.get(name)
        unchanged = before and not run.fresh and {**before, "recorded": False} == entry
        entry["recorded"] = bool(unchanged and before.get("recorded") and run.feedback(name).is_file())
    known.update(entries)
    results.write_index(run.out, run.slug, known)
    _write_marks(run.out)
    _record(run, known)
    report.write(run.out, run.db, run.progress)
    return failed


def _entry(run: Run, student: str, gated: Gated) -> dict:
    """Hand a clean notebook to nbgrader; what the index says of it until it is recorded."""
    if gated.verdict:
        gated.notebook.metadata["neuralnotes"] = {"verdict": gated.verdict, "reason": gated.reason}
    record.write_submission(gated, run.out, gradebook_id(student), run.slug)
    key = judge.result_key(run.slug, gated.notebook, run.seed, run.level)
    return {"key": key, "timestamp": gated.timestamp, "sandboxed": run.level != "none", "recorded": False}


def _judge(run: Run, entries: dict[str, dict]) -> dict[str, str]:
    """Judge what has no result yet; return why some could not be judged, by student."""
    students: dict[str, list[str]] = {}  # who has the notebook of a key: equal ones are judged once
    for name, entry in entries.items():
        students.setdefault(entry["key"], []).append(name)
    if not run.fresh:
        students = {key: names for key, names in students.items() if results.stored(run.results, key) is None}
    code = judge.code_fingerprint()
    jobs = (
        # read again from where the gate left it: a class of notebooks need not be in memory
        workers.Job(key, run.slug, run.clean(names[0]).read_text(encoding="utf-8"), run.seed, run.level, code)
        for key, names in students.items()
    )
    outcomes = workers.on_dask(jobs, run.client) if run.client else workers.here(jobs, run.jobs)
    failed = {}
    total = sum(map(len, students.values()))
    with (
        contextlib.closing(outcomes),
        tqdm(total=total, desc=f"judging {run.slug}", unit="submission", disable=not (run.progress and total)) as bar,
    ):
        for key, outcome in outcomes:
            if isinstance(outcome, Exception):
                failed.update(dict.fromkeys(students[key], workers.describe(outcome)))
            else:
                results.store_text(run.results, key, *outcome)
            bar.update(len(students[key]))
    return failed


def _record(run: Run, entries: dict[str, dict]) -> None:
    """Gradebook, autograded notebooks and feedback of those whose results are not in them yet."""
    waiting = {gradebook_id(name): name for name in run.names if not entries[name]["recorded"]}

    def done(ids: list[str]) -> None:
        for one in ids:
            entries[waiting[one]]["recorded"] = True
        results.write_index(run.out, run.slug, entries)

    keys = {one: entries[name]["key"] for one, name in waiting.items()}
    record.record_class(run.slug, run.out, keys, db=run.db, jobs=run.jobs, progress=run.progress, done=done)


def _write_marks(out: Path) -> None:
    """What covers every assignment that is in ``out``: scores.csv, and who was judged without a sandbox."""
    record.write_scores(out / "scores.csv", results.everyone(out))
    unsandboxed = [
        f"{slug}\t{_shown(name)}"
        for slug in tasks.ASSIGNMENTS
        for name, entry in sorted(results.index(out, slug).items())
        if not entry["sandboxed"]
    ]
    if unsandboxed:
        head = "These submissions were judged without a sandbox (--no-sandbox): what their code did was not contained."
        results.write_whole(out / NOT_SANDBOXED, "\n".join([head, *unsandboxed, ""]))
    else:
        (out / NOT_SANDBOXED).unlink(missing_ok=True)


# ------------------------------------------------------------------------------------------------------ at the end


def summary(slug: str, out: Path) -> str:
    """What a person reads at the end of a run: how many, how they did, who needs a look, what to open next."""
    everyone = results.everyone(out).get(slug, {})
    verdicts = collections.Counter(r["verdict"] for judged in everyone.values() for r in judged["results"].values())
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    lines = [f"{slug}: {len(everyone)} submissions, {sum(verdicts.values())} tasks: {counts}"]
    for reason, rows in report.needs_a_look(everyone).items():
        names = list(dict.fromkeys(name for name, _, _ in rows))
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        lines.append(f"  {len(names):4d} {reason}: {', '.join(map(_shown, names[:5]))}{more}")
    unsandboxed = sum(not entry["sandboxed"] for entry in results.index(out, slug).values())
    if unsandboxed:
        lines.append(f"  {unsandboxed:4d} JUDGED WITHOUT A SANDBOX: {out / NOT_SANDBOXED}")
    return "\n".join([
        *lines,
        f"open next  {out / 'report.html'}",
        f"marks      {out / 'scores.csv'}",
        f"feedback   {out / 'feedback'}",
    ])


def _shown(name: str) -> str:
    """A student's name as a terminal can show it."""
    return name if name.isprintable() else ascii(name)[1:-1]
