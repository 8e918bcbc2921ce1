"""The record: results into nbgrader's gradebook, autograded notebooks and feedback pages, and into ``scores.csv``.

nbgrader stays the book-keeper, and there are two ways to the same marks. ``record_class`` is the grader's own: a whole
class in one session of nbgrader's ``Gradebook``, pages side by side in processes. ``GateExporter`` and ``JudgeExecute``
are for nbgrader's commands and the formgrader's button: in place of nbgrader's own exporter and ``Execute`` (the
settings that ``write_config`` leaves in the course folder say so), one reads submissions through the gate, the other
judges instead of running the notebook, and leaves in each check cell the outputs that ``SaveAutoGrades`` reads.
"""

from __future__ import annotations

import csv
import itertools
import json
import multiprocessing
import os
import shutil
import sqlite3
import sys
import textwrap
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path

import nbformat
import sqlalchemy
from alembic.script import ScriptDirectory
from jupyter_core.paths import jupyter_config_path
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader import api, utils
from nbgrader.preprocessors import AssignLatePenalties, LimitOutput, NbGraderPreprocessor
from sqlalchemy import exc, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import selectinload
from tqdm import tqdm
from traitlets import Unicode
from traitlets.config import Config, PyFileConfigLoader

from neuralnotes import tasks
from neuralnotes.tasks.judging import Result

from . import assignments, judge, pages, results, secret
from .assignments import CannotStart, notebook_text, open_gradebook
from .gate import Gated, read_submission
from .results import write_whole

NOT_JUDGED = ("missing", "unreadable", "error")  # verdicts on a whole notebook: nothing to judge, or no judge
COLUMNS = ("student", "assignment", "task", "score", "max_score", "verdict", "diagnosis", "seconds")
BATCH = 40  # students in one transaction: so much is done again when the run is killed
OURS, INSTRUCTORS = "neural_notes_config.py", "nbgrader_config.py"

PREPROCESSORS = [  # nbgrader's own list, with its Execute replaced
    "autograder.record.JudgeExecute",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]

CONFIG = '''"""nbgrader in this folder: its commands and the formgrader use the course's own judge.

Every run of the grader writes this file anew. Settings of your own belong into nbgrader_config.py.
"""

import os

root = os.path.dirname(os.path.abspath(__file__))
c = get_config()  # noqa: F821 - nbgrader defines it
c.CourseDirectory.root = root
c.CourseDirectory.db_url = {url}
c.CourseDirectory.course_id = {course_id!r}
c.Autograde.exporter_class = "autograder.record.GateExporter"
c.Autograde.autograde_preprocessors = {preprocessors!r}
c.Autograde.pre_convert_hook = "autograder.record.remove_links"
c.GenerateFeedback.exporter_class = "autograder.pages.FeedbackPage"
c.JudgeExecute.results_folder = os.path.join(root, "results")
c.JudgeExecute.secret_file = {secret_file!r}
c.JudgeExecute.level = {level!r}
'''

BESIDE = ("timestamp.txt", "submission_secret.txt")  # files of the exchange that come with a notebook

LOADS_OURS = f'load_subconfig("{OURS}")'
INSTRUCTORS_CONFIG = f'''"""Settings of this course, for the grader, nbgrader's commands and the formgrader.

This file is yours: it is never written again.
"""

{LOADS_OURS}  # noqa: F821 - the course's own judge; nbgrader defines this function
c = get_config()  # noqa: F821

# for example:
# c.LateSubmissionPlugin.penalty_method = "zero"
'''


class GradebookError(RuntimeError):
    """The gradebook could not be written; the message says what to do. What stands in it is whole."""


# -------------------------------------------------------------------------------------------------- nbgrader's settings


def write_config(course: Path, *, secret_file: Path, level: str | None, db: str | None) -> None:
    """Write the settings with which nbgrader's commands and the formgrader work in a course folder.

    Args:
        course: The folder.
        secret_file: The course secret.
        level: Of the sandbox; None for the best that there is.
        db: URL of the gradebook; the file ``gradebook.db`` in the course folder when None.
    """
    url = repr(assignments.database_url(course, db)) if db else '"sqlite:///" + os.path.join(root, "gradebook.db")'
    text = CONFIG.format(
        url=url, course_id=assignments.COURSE_ID, preprocessors=PREPROCESSORS, secret_file=str(secret_file),
        level=level or "",
    )
    path = course / OURS
    # a password may stand in the URL: nobody else may read it, not even while it is being written
    partial = path.with_name(f"{OURS}.{os.getpid()}.part")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)
    if not (course / INSTRUCTORS).exists():
        write_whole(course / INSTRUCTORS, INSTRUCTORS_CONFIG)


def settings(course: Path, db: str | None = None) -> Config:
    """nbgrader's settings in a course folder, with those of the instructor.

    Raises:
        CannotStart: The instructor's file cannot be read, or does not load ours.
    """
    course = Path(course).resolve()
    if str(course) not in sys.path:
        sys.path.append(str(course))  # as nbgrader does: a late penalty of one's own may be a module in this folder
    merged = Config()
    for folder in (*reversed(jupyter_config_path()), str(course)):
        path = Path(folder) / INSTRUCTORS
        if not path.is_file():
            continue
        try:
            merged.merge(PyFileConfigLoader(INSTRUCTORS, path=str(folder)).load_config())
        except Exception as error:  # it is a program: anything can go wrong in it
            raise CannotStart(f"{path}: nbgrader's settings cannot be read: {type(error).__name__}: {error}") from error
    mine = course / INSTRUCTORS
    if mine.is_file() and OURS not in mine.read_text(encoding="utf-8", errors="replace"):
        raise CannotStart(
            f"{mine} does not load the grader's own settings, and nbgrader's commands would run the students' code "
            f"here without a sandbox; write this at its top: {LOADS_OURS}"
        )
    merged.merge(assignments.course_config(course, db))
    try:
        _late_penalties(merged)
    except Exception as error:
        raise CannotStart(f"{mine}: the late penalty named there cannot be used: {error}") from error
    return merged


# ------------------------------------------------------------------------------------------------------- the gradebook


def check_gradebook(course: Path, db: str | None = None) -> None:
    """Whether marks can be written to the gradebook. Writes nothing.

    Raises:
        CannotStart: It is of another version, locked, out of reach, or no gradebook; or nbgrader's settings in the
            folder are wrong. The message says what to do.
    """
    course = Path(course).resolve()
    if course.is_dir():
        settings(course, db)
        _check_same_gradebook(course, db)
    url = _url(assignments.database_url(course, db))
    shown = url.render_as_string(hide_password=True)
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite and not (url.database and Path(url.database).exists()):
        return
    if sqlite:
        _check_sqlite(Path(url.database))
    try:
        engine = sqlalchemy.create_engine(url, connect_args={} if sqlite else {"connect_timeout": 10})
        with engine.connect() as connection:
            there = set(sqlalchemy.inspect(connection).get_table_names())
            version = None
            if "alembic_version" in there:
                version = connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).scalar()
        engine.dispose()
    except ImportError as error:
        raise CannotStart(f"{shown}: Python has no driver for this database: {error}") from error
    except exc.DBAPIError as error:
        raise CannotStart(f"{shown}: the gradebook cannot be opened: {_reason(error, url)}") from error
    if not there:
        return
    scripts = ScriptDirectory(str(Path(api.__file__).parent / "alembic"))
    if version == scripts.get_current_head():
        return
    if not {"assignment", "student", "grade"} <= there:
        raise CannotStart(f"{shown}: this database holds other tables than a gradebook; give another one with --db")
    known = {script.revision for script in scripts.walk_revisions()}
    if version is None or version in known:
        raise CannotStart(
            f"{shown}: the gradebook was made by an older nbgrader. Make a copy of it, run `nbgrader db upgrade` in "
            f"{course}, and start again"
        )
    raise CannotStart(
        f"{shown}: the gradebook was made by a newer nbgrader (version {version} of its tables). Install that one, or "
        "give another gradebook with --db"
    )


def _url(text: str) -> sqlalchemy.engine.URL:
    try:
        url = make_url(text)
        url.get_dialect()
    except (exc.ArgumentError, ValueError):
        raise CannotStart(  # without the text: there may be a password in it
            "--db is no address of a gradebook; write it as sqlite:////home/me/gradebook.db or "
            "postgresql://user@host/database"
        ) from None
    return url


def _check_same_gradebook(course: Path, db: str | None) -> None:
    """Refuse to go on with another gradebook than the one that nbgrader's settings in the folder name."""
    if not (course / INSTRUCTORS).is_file():
        return
    named = PyFileConfigLoader(INSTRUCTORS, path=str(course)).load_config().CourseDirectory.get("db_url")
    if named and make_url(named) != make_url(assignments.database_url(course, db)):
        hidden = make_url(named).render_as_string(hide_password=True)
        raise CannotStart(
            f"the marks of {course} are in the gradebook {hidden}; give it with --db, or use another --out"
        )


def _check_sqlite(path: Path) -> None:
    try:
        if not path.is_file():
            raise CannotStart(f"{path}: the gradebook is not a file; move it away or give another one with --db")
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise CannotStart(f"{path}: the gradebook cannot be read: {error.strerror}") from error
    if start and start != b"SQLite format 3\0":
        raise CannotStart(f"{path}: this file is not a gradebook; move it away or give another one with --db")
    with closing(sqlite3.connect(path, timeout=assignments.LOCK_SECONDS, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            reason = LOCKED if "locked" in str(error) else f"nothing can be written to the gradebook: {error}"
            raise CannotStart(f"{path}: {reason}") from error


LOCKED = (
    "another program has been writing to the gradebook for a long time (an open formgrader, or an nbgrader command?); "
    "end it and run the same command again"
)


def _reason(error: exc.DBAPIError, url: sqlalchemy.engine.URL) -> str:
    lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
    return lines[0].replace(str(url.password), "***") if url.password else lines[0]


@contextmanager
def _clear_errors(course: Path, db: str | None):
    """Say what to do when the database fails (its session has taken back what was not whole), or a process does."""
    try:
        yield
    except exc.DBAPIError as error:
        url = make_url(assignments.database_url(course, db))
        reason = LOCKED if "database is locked" in str(error.orig) else _reason(error, url)
        shown = url.render_as_string(hide_password=True)
        raise GradebookError(f"{shown}: {reason}. Marks that were written before are kept") from error
    except BrokenProcessPool as error:
        raise RuntimeError(
            "a process that writes pages was killed, perhaps for want of memory. Run the same command again, with a "
            "smaller --jobs; nothing is lost"
        ) from error


def record_class(
    slug: str,
    course: Path,
    students: dict[str, str],
    *,
    db: str | None = None,
    jobs: int = 1,
    progress: bool = True,
    done: Callable[[list[str]], None] | None = None,
) -> None:
    """Record judged submissions: gradebook, autograded notebooks, feedback pages.

    Their marks in the gradebook are those that nbgrader's ``OverwriteCells``, ``SaveAutoGrades`` and
    ``AssignLatePenalties`` would leave: marks and comments that a person gave stay, and wait for another look.

    Args:
        slug: The assignment.
        course: nbgrader's folder, with ``submitted/`` as ``write_submission`` leaves it and the results.
        students: Key of the result by gradebook id.
        db: URL of the gradebook; the file ``gradebook.db`` in the course folder when None.
        jobs: Processes that write pages side by side; 1 for this one alone.
        progress: Whether to show a progress bar.
        done: Called with the gradebook ids of each batch that is recorded and on disk.

    Raises:
        CannotStart: The instructor's settings are wrong.
        GradebookError: The database failed; the batches before are kept.
        RuntimeError: A result is not there.
    """
    if not students:
        return
    course = Path(course).resolve()
    config = settings(course, db)
    limits = Config(LimitOutput=config.LimitOutput)
    with ExitStack() as stack:
        stack.enter_context(_clear_errors(course, db))
        book = stack.enter_context(open_gradebook(course, db))
        source = Source(book, slug)
        each = _in_processes(stack, jobs, len(students))
        bar = stack.enter_context(
            tqdm(total=len(students), desc=f"recording {slug}", unit="submission", disable=not progress)
        )
        for batch in _batched(students, BATCH):
            arguments = [(slug, course, name, students[name], source.checksums, limits) for name in batch]
            graded = each(_autograded, arguments)
            _save(book, source, dict(zip(batch, graded, strict=True)), config)
            marks = source.marks(book, batch)
            each(_feedback, [(slug, course, name, marks[name]) for name in batch])
            if done:
                done(list(batch))
            bar.update(len(batch))


def write_feedback(
    slug: str, course: Path, students: Iterable[str] | None = None, db: str | None = None, jobs: int = 1
) -> list[str]:
    """Write the feedback pages again, with the marks and comments that people have given since.

    Args:
        slug: The assignment.
        course: nbgrader's folder.
        students: Gradebook ids; everybody who has been graded when None.
        db: URL of the gradebook; the file ``gradebook.db`` in the course folder when None.
        jobs: Processes side by side; 1 for this one alone.

    Returns:
        The gradebook ids whose pages were written.

    Raises:
        CannotStart: Nothing has been graded, or somebody has not.
        GradebookError: The database failed.
    """
    course = Path(course).resolve()
    settings(course, db)
    if not assignments.in_gradebook(slug, course, db):
        raise CannotStart(f"{course}: {slug} has not been graded there; run `python -m autograder grade` first")
    with ExitStack() as stack:
        stack.enter_context(_clear_errors(course, db))
        book = stack.enter_context(open_gradebook(course, db))
        source = Source(book, slug)
        graded = [s.student.id for s in book.assignment_submissions(slug)]
        names = [name for name in sorted(graded) if _notebook_path(course, "autograded", name, slug).is_file()]
        absent = sorted(set(students or ()) - set(names))
        if absent:
            raise CannotStart(f"{course}: {slug} has not been graded for {absent[0]!r}")
        names = names if students is None else [name for name in names if name in set(students)]
        each = _in_processes(stack, jobs, len(names))
        for batch in _batched(names, BATCH):
            marks = source.marks(book, batch)
            each(_feedback, [(slug, course, name, marks[name]) for name in batch])
    return names


def _batched(items: Iterable[str], size: int) -> Iterable[tuple[str, ...]]:
    items = iter(items)
    while batch := tuple(itertools.islice(items, size)):
        yield batch


def _in_processes(stack: ExitStack, jobs: int, count: int) -> Callable:
    """A function that maps another over a list of arguments: here, or in processes when there is enough to do."""
    if jobs == 1 or count < 2 * BATCH:  # to start a process takes as long as some dozens of pages
        return lambda function, arguments: [function(*each) for each in arguments]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["autograder.record"])  # to import nbgrader takes seconds: once is enough
    pool = stack.enter_context(ProcessPoolExecutor(jobs, context))
    return lambda function, arguments: list(pool.map(function, *zip(*arguments, strict=True), chunksize=4))


class Source:
    """What the gradebook knows of an assignment: plain data, read once."""

    def __init__(self, book: api.Gradebook, slug: str):
        notebook = book.find_notebook(slug, slug)
        self.assignment, self.notebook = notebook.assignment.id, notebook.id
        self.grade_cells = {cell.name: cell.id for cell in notebook.grade_cells}
        self.solution_cells = {cell.name: cell.id for cell in notebook.solution_cells}
        self.points = {cell.name: cell.max_score for cell in notebook.grade_cells}
        self.checksums = {cell.name: cell.checksum for cell in notebook.source_cells}

    def marks(self, book: api.Gradebook, students: Iterable[str]) -> dict[str, dict]:
        """What stands in the gradebook for some students, as ``pages.feedback_page`` takes it."""
        these = (
            api.SubmittedAssignment.assignment_id == self.assignment,
            api.SubmittedNotebook.notebook_id == self.notebook,
            api.SubmittedAssignment.student_id.in_(students),
        )

        def of(*columns):
            return select(api.SubmittedAssignment.student_id, *columns).join(
                api.SubmittedNotebook, api.SubmittedNotebook.assignment_id == api.SubmittedAssignment.id
            ).where(*these)

        found = {}
        totals = of(api.SubmittedNotebook.score, api.SubmittedNotebook.late_submission_penalty)
        for student, score, penalty in book.db.execute(totals):
            found[student] = {
                "score": score - (penalty or 0), "max_score": sum(self.points.values()), "late_penalty": penalty or 0,
                "grades": {}, "comments": {},
            }
        for kind, cells, value in (
            ("grades", api.Grade, api.Grade.score), ("comments", api.Comment, api.Comment.comment),
        ):
            rows = of(api.BaseCell.name, value).join(cells, cells.notebook_id == api.SubmittedNotebook.id)
            for student, name, mark in book.db.execute(rows.join(api.BaseCell, api.BaseCell.id == cells.cell_id)):
                found[student][kind][name] = [mark, self.points[name]] if kind == "grades" else mark
        return found


def _save(book: api.Gradebook, source: Source, graded: dict[str, dict], config: Config) -> None:
    """Save a batch of students in one transaction.

    Args:
        book: The gradebook.
        source: What it knows of the assignment.
        graded: By gradebook id what ``_autograded`` gives.
        config: nbgrader's settings.

    Raises:
        GradebookError: The instructor's own late penalty failed.
    """
    late, db = _late_penalties(config), book.db
    there = set(db.scalars(select(api.Student.id).where(api.Student.id.in_(graded))))
    db.add_all(api.Student(id=name) for name in graded if name not in there)
    known = {
        submission.student_id: submission
        for submission in db.scalars(
            select(api.SubmittedAssignment)
            .where(api.SubmittedAssignment.assignment_id == source.assignment)
            .where(api.SubmittedAssignment.student_id.in_(graded))
            .options(
                selectinload(api.SubmittedAssignment.notebooks).selectinload(api.SubmittedNotebook.grades),
                selectinload(api.SubmittedAssignment.notebooks).selectinload(api.SubmittedNotebook.comments),
            )
        )
    }
    notebooks = {}
    for name, marks in graded.items():
        submission = known.get(name)
        if submission is None:
            submission = api.SubmittedAssignment(assignment_id=source.assignment, student_id=name)
        if marks["timestamp"]:
            submission.timestamp = utils.parse_utc(marks["timestamp"])
        notebook = next((nb for nb in submission.notebooks if nb.notebook_id == source.notebook), None)
        if notebook is None:
            notebook = api.SubmittedNotebook(notebook_id=source.notebook, assignment=submission)
        notebooks[name] = notebook
        grades = {grade.cell_id: grade for grade in notebook.grades}
        for cell, cell_id in source.grade_cells.items():
            grade = grades.get(cell_id) or api.Grade(cell_id=cell_id, notebook=notebook)
            grade.auto_score = marks["scores"][cell]
            grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
        comments = {comment.cell_id: comment for comment in notebook.comments}
        for cell, cell_id in source.solution_cells.items():
            comment = comments.get(cell_id) or api.Comment(cell_id=cell_id, notebook=notebook)
            comment.auto_comment = marks["comments"][cell]
        notebook.late_submission_penalty = None
        db.add_all([submission, notebook, *notebook.grades, *notebook.comments])
    db.flush()
    for name, notebook in notebooks.items() if late.enabled else ():
        seconds = notebook.assignment.total_seconds_late
        if seconds <= 0:
            continue
        try:
            penalty = late.plugin_inst.late_submission_penalty(name, notebook.score, seconds)
        except Exception as error:
            what = f"{type(late.plugin_inst).__name__} failed for {name}: {type(error).__name__}: {error}"
            raise GradebookError(f"the late penalty {what}. Marks that were written before are kept") from error
        if penalty is not None:
            notebook.late_submission_penalty = min(max(penalty, 0), notebook.score)
    db.commit()
    db.expunge_all()  # a class need not be in memory


def _late_penalties(config: Config) -> AssignLatePenalties:
    late = AssignLatePenalties(config=config)
    late.init_plugin()
    return late


# -------------------------------------------------------------------------------------------------- notebooks and pages


def write_submission(gated: Gated, course: Path, gradebook_id: str, slug: str) -> None:
    """Write a clean notebook, and what the exchange left beside it, where nbgrader looks for submissions."""
    path = _notebook_path(course, "submitted", gradebook_id, slug)
    for other in path.parent.iterdir() if path.parent.is_dir() else ():
        if other.is_dir() and not other.is_symlink():
            shutil.rmtree(other)
        elif other != path:
            other.unlink()
    write_whole(path, notebook_text(gated.notebook))
    for name, text in zip(BESIDE, (gated.timestamp, gated.receipt), strict=True):
        if text:
            write_whole(path.with_name(name), text)


def _notebook_path(course: Path, step: str, gradebook_id: str, slug: str) -> Path:
    return course / step / gradebook_id / slug / f"{slug}.ipynb"


def _autograded(slug: str, course: Path, student: str, key: str, checksums: dict[str, str], limits: Config) -> dict:
    """Write a student's autograded notebook; returns what the gradebook has to know of it."""
    submitted = _notebook_path(course, "submitted", student, slug)
    notebook = nbformat.from_dict(json.loads(submitted.read_text(encoding="utf-8")))
    judged = results.stored(course / "results", key)
    if judged is None:
        raise RuntimeError(f"{course / 'results'}: the result of {student} is gone; run the same command again")
    write_outputs(notebook, judged, results.stored_cells(course / "results", key))
    scores, comments = {}, {}
    notebook, _ = LimitOutput(config=limits).preprocess(notebook, {})
    for cell in notebook.cells:
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("grade_id") in checksums:
            marks["checksum"] = checksums[marks["grade_id"]]
        if utils.is_grade(cell):
            scores[marks["grade_id"]] = utils.determine_grade(cell)[0]
        if utils.is_solution(cell):
            blank = marks["checksum"] == utils.compute_checksum(cell)
            comments[marks["grade_id"]] = "No response." if blank else None
    path = _notebook_path(course, "autograded", student, slug)
    write_whole(path, notebook_text(notebook))
    handed_in, copied = submitted.with_name("timestamp.txt"), path.with_name("timestamp.txt")
    timestamp = handed_in.read_text(encoding="utf-8") if handed_in.is_file() else ""
    if timestamp:
        write_whole(copied, timestamp)
    else:
        copied.unlink(missing_ok=True)
    return {"scores": scores, "comments": comments, "timestamp": timestamp}


def _feedback(slug: str, course: Path, student: str, marks: dict) -> None:
    path = _notebook_path(course, "autograded", student, slug)
    notebook = nbformat.from_dict(json.loads(path.read_text(encoding="utf-8")))
    page = pages.feedback_page(notebook, slug, marks)
    folder = course / "feedback" / student / slug
    write_whole(folder / f"{slug}.html", page)
    for name in BESIDE:  # by these nbgrader's exchange hands the page to the one who handed in, and to nobody else
        handed_in = course / "submitted" / student / slug / name
        if handed_in.is_file():
            write_whole(folder / name, handed_in.read_text(encoding="utf-8"))
        else:
            (folder / name).unlink(missing_ok=True)


class GateExporter(NotebookExporter):
    """In place of nbconvert's: what students handed in is read through the gate, whatever it is."""

    def from_filename(self, filename: str, resources=None, **keywords):
        about, folders = resources["nbgrader"], self.parent.coursedir
        slug = about["assignment"]
        submitted = Path(folders.format_path(folders.submitted_directory, about["student"], slug))
        if Path(filename).parent != submitted:
            return super().from_filename(filename, resources, **keywords)  # our own, from the autograded folder
        release = Path(folders.format_path(folders.release_directory, ".", slug)) / f"{slug}.ipynb"
        gated = read_submission(submitted, slug, _release(release))
        if gated.verdict:
            gated.notebook.metadata["neuralnotes"] = {"verdict": gated.verdict, "reason": gated.reason}
        else:
            _keep_verdict(Path(filename), gated.notebook)
        for note in gated.notes:
            self.log.warning("%s: %s", about["student"], note)
        return self.from_notebook_node(gated.notebook, resources, **keywords)


@cache
def _release(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def _keep_verdict(path: Path, notebook: NotebookNode) -> None:
    """Keep what the gate said the first time: where there was nothing to read, it left the release and a verdict."""
    metadata = json.loads(path.read_bytes().decode("utf-8-sig")).get("metadata")
    said = metadata.get("neuralnotes") if isinstance(metadata, dict) else None
    if isinstance(said, dict) and said.get("verdict") in NOT_JUDGED and isinstance(said.get("reason"), str):
        # a student could write this, too, and would get no points
        notebook.metadata["neuralnotes"] = {"verdict": said["verdict"], "reason": said["reason"][:1000]}


def remove_links(assignment: str, student: str, notebooks: list[str]) -> None:
    """Remove links and devices from a submission: nbgrader would copy what is behind them."""
    for folder in {Path(notebook).parent for notebook in notebooks}:
        for path in [path for path in folder.rglob("*") if path.is_symlink() or not (path.is_file() or path.is_dir())]:
            path.unlink()


class JudgeExecute(NbGraderPreprocessor):
    """In place of nbgrader's ``Execute``: judge the notebook, and write scores and feedback into its check cells."""

    results_folder = Unicode("results", help="Folder of the judged results").tag(config=True)
    secret_file = Unicode(help="File of the course secret").tag(config=True)
    level = Unicode("", help="Level of the sandbox; the best that there is when empty").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        slug, folder = resources["nbgrader"]["assignment"], Path(self.results_folder)
        path = Path(self.secret_file) if self.secret_file else None
        content = secret.read_secret(path)
        secret.check_same(folder.parent, slug, content, path)
        secret.remember(folder.parent, slug, content)
        seed = secret.seed_of(content)
        gate = nb.metadata.get("neuralnotes")
        if gate:  # nbformat has sorted the keys; the hash of a result knows them in the gate's order
            nb.metadata["neuralnotes"] = {"verdict": gate["verdict"], "reason": gate["reason"]}
        key = judge.result_key(slug, nb, seed, self.level or None)
        judged = results.judge_once(slug, nb, seed, self.level or None, folder, key=key)
        write_outputs(nb, judged, results.stored_cells(folder, key))
        return nb, resources


def write_outputs(notebook: NotebookNode, result: dict, cells: dict) -> None:
    """Put what the cells show, and the judgement of each check cell, into the notebook.

    Args:
        notebook: A clean notebook.
        result: What ``judge.judge_notebook`` gave.
        cells: What ``judge.read_through`` gave; {} when the notebook has not been read through.
    """
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        marks = cell.metadata.get("nbgrader", {})
        if judge.is_check(cell):
            _write_judgement(cell, Result.from_json(result["results"][marks["grade_id"]]))
            continue
        run = result["cells"].get(cell.id, {"status": "ok", "message": "", "printed": ""})
        if cells:
            cell.outputs = [nbformat.from_dict(output) for output in cells.get(cell.id, [])]
        elif run["printed"]:
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=run["printed"])]
        said = any(run["message"] in output.get("text", "") for output in cell.outputs)
        # without plots and data a play cell of the release may fail, which says nothing about the student
        written = marks.get("solution") or cell.id.startswith("own-")
        if run["status"] not in ("ok", "skipped") and written and not said:
            text = f"When graded: {run['message']}\n"
            cell.outputs.append(nbformat.v4.new_output("stream", name="stdout", text=text))


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


# ----------------------------------------------------------------------------------------------------------- scores.csv


def write_scores(path: Path, everyone: dict[str, dict[str, dict]]) -> None:
    """Write ``scores.csv``: one row per student and task.

    Args:
        path: The file.
        everyone: slug -> student -> what ``judge_notebook`` gives, as ``results.everyone`` collects it.
    """
    partial = path.with_suffix(".part")
    # the name of a folder may hold bytes that are no UTF-8
    with partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for slug, judged in everyone.items():
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
