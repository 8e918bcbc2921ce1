"""Assignments: from the percent script in ``solutions/`` to the notebook in ``exercises/``.

``solutions/<slug>/<slug>.py`` is the one source. Its cell headers carry nbgrader's metadata in short; what can be
derived (points from the task records, the flags that follow from others, cell ids) is filled in here, and mistakes are
reported with the file and the cell.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import logging
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from neuralnotes import tasks

ROOT = Path(__file__).resolve().parent.parent
SOLUTIONS = ROOT / "solutions"
EXERCISES = ROOT / "exercises"

COURSE_ID = "neural-notes"
LOCK_SECONDS = 20.0  # how long to wait for another program that writes to the gradebook

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
}


class CannotStart(ValueError):
    """A command cannot start; the message says what to do. Nothing has been written."""


class NbgraderFailed(RuntimeError):
    """nbgrader gave up; the message holds the end of its log."""


class AssignmentError(CannotStart):
    """A source that cannot become an assignment; the message names the file and says what to do."""


def source_path(slug: str, solutions: Path = SOLUTIONS) -> Path:
    """Path of an assignment's percent script.

    Raises:
        AssignmentError: There is no such file, or no task records for it.
    """
    path = Path(solutions) / slug / f"{slug}.py"
    if not path.is_file():
        there = sorted(p.parent.name for p in Path(solutions).glob("*/*.py"))
        raise AssignmentError(f"{path}: there is no such assignment; there are: {', '.join(there) or 'none'}")
    if slug not in tasks.ASSIGNMENTS:
        raise AssignmentError(
            f"{path}: no task records; add lib/neuralnotes/tasks/{slug}.py and its name to tasks.ASSIGNMENTS"
        )
    return path


def read_source(slug: str, solutions: Path = SOLUTIONS) -> NotebookNode:
    """Read a percent script as a notebook with complete nbgrader metadata, solutions inside.

    Raises:
        AssignmentError: A header is malformed, a check cell has no record, a record has no check cell or no solution
            cell, a solution cell has no solution region, an id stands twice, or the code does not parse.
    """
    path = source_path(slug, solutions)
    try:
        notebook = jupytext.read(path, fmt="py:percent")
    except Exception as error:
        raise AssignmentError(f"{path}: not a percent script: {error}") from error
    records = {record.id: record for record in tasks.assignment(slug)}
    seen: set[str] = set()
    for index, cell in enumerate(notebook.cells):
        _complete_cell(path, cell, index, records, seen)
    for task_id in records:
        for kind, grade_id, flag in (("check", task_id, "grade"), ("solution", f"{task_id}-solution", "solution")):
            if not any(marks.get("grade_id") == grade_id and marks[flag] for marks in map(marks_of, notebook.cells)):
                raise AssignmentError(
                    f"{path}: the task record {task_id!r} has no {kind} cell; add a cell "
                    f'`# %% nbgrader={{"grade_id": "{grade_id}", "{flag}": true}}`'
                )
    result = nbformat.v4.new_notebook(cells=notebook.cells, metadata=NOTEBOOK_METADATA)
    result.nbformat_minor = 5
    nbformat.validate(result)
    return result


def marks_of(cell: NotebookNode) -> dict:
    """nbgrader's metadata of a cell; empty when it has none."""
    return cell.metadata.get("nbgrader", {})


def _complete_cell(path: Path, cell: NotebookNode, index: int, records: dict, seen: set[str]) -> None:
    where = f"{path}, cell {index + 1} ({cell.source.strip().splitlines()[0][:50] if cell.source.strip() else 'empty'})"
    metadata = cell.metadata.pop("nbgrader", None)
    cell.metadata.clear()
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
        code = "\n".join(line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!")))
        try:
            ast.parse(code)
        except SyntaxError as error:
            raise AssignmentError(f"{where}: the code does not parse: {error}") from error
    cell.id = f"cell-{index + 1:03d}"
    if metadata is None:
        if BEGIN in cell.source:
            raise AssignmentError(
                f'{where}: a solution region needs a header `nbgrader={{"grade_id": "...", "solution": true}}`'
            )
        return
    if not isinstance(metadata, dict) or not isinstance(metadata.get("grade_id"), str):
        raise AssignmentError(f'{where}: nbgrader metadata needs a "grade_id", a string')
    grade_id = metadata["grade_id"]
    if grade_id in seen:
        raise AssignmentError(f"{where}: the grade_id {grade_id!r} stands twice")
    seen.add(grade_id)
    grade, solution = bool(metadata.get("grade", False)), bool(metadata.get("solution", False))
    unknown = set(metadata) - {"grade_id", "grade", "solution", "locked", "points"}
    if unknown:
        raise AssignmentError(f"{where}: unknown nbgrader keys {sorted(unknown)}")
    if grade and not solution:
        if grade_id not in records:
            raise AssignmentError(
                f"{where}: there is no task record {grade_id!r}; there are {', '.join(records)} "
                f"(lib/neuralnotes/tasks/{path.stem}.py)"
            )
        if "points" in metadata:
            raise AssignmentError(f"{where}: points of a checked cell come from the task record; remove them here")
        if cell.source.strip() != f'check("{grade_id}", {grade_id})':
            raise AssignmentError(f'{where}: a check cell holds exactly `check("{grade_id}", {grade_id})`')
        points = records[grade_id].points
    elif grade:
        if not isinstance(metadata.get("points"), (int, float)):
            raise AssignmentError(f'{where}: a written answer needs "points", a number')
        points = metadata["points"]
    if solution and cell.cell_type == "code" and not (
        cell.source.count(BEGIN) == cell.source.count(END) == 1 and cell.source.index(BEGIN) < cell.source.index(END)
    ):
        raise AssignmentError(f"{where}: a solution cell holds one region `{BEGIN}` ... `{END}`")
    cell.metadata["nbgrader"] = {
        "grade": grade,
        "grade_id": grade_id,
        "locked": bool(metadata.get("locked", grade and not solution)),
        "schema_version": 3,
        "solution": solution,
        "task": False,
        **({"points": points} if grade else {}),
    }
    cell.id = re.sub(r"[^A-Za-z0-9_-]", "-", grade_id)[:64]


def solution_source(slug: str, task_id: str, solutions: Path = SOLUTIONS) -> str:
    """Source of one function's solution cell."""
    for cell in read_source(slug, solutions).cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == f"{task_id}-solution":
            return cell.source
    raise AssignmentError(f"{source_path(slug, solutions)}: no solution cell `{task_id}-solution`")


def solution_functions(slug: str, solutions: Path = SOLUTIONS) -> dict:
    """The solutions of an assignment, by task id: the namespace that its solution cells define."""
    namespace: dict = {"__name__": "solutions"}
    exec("import numpy as np", namespace)
    for cell in read_source(slug, solutions).cells:
        marks = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and marks.get("solution"):
            exec(compile(cell.source, str(source_path(slug, solutions)), "exec"), namespace)
    return {record.id: namespace[record.id] for record in tasks.assignment(slug)}


def fingerprint(slug: str, solutions: Path = SOLUTIONS) -> str:
    """Hash of everything that a release is made of."""
    generator = Path(__file__).read_text(encoding="utf-8")
    return hashlib.sha256((generator + nbformat.writes(read_source(slug, solutions))).encode()).hexdigest()


def database_url(course: Path, db: str | None = None) -> str:
    """The gradebook's URL: ``db``, or the file ``gradebook.db`` in the course folder."""
    if db is None:
        return f"sqlite:///{Path(course).resolve() / 'gradebook.db'}"
    return re.sub("^postgresql://", "postgresql+psycopg2://", db)  # SQLAlchemy would ask for another driver


def course_config(course: Path, db: str | None = None):
    """nbgrader's configuration for a course folder, without what an instructor may have added."""
    from traitlets.config import Config

    config = Config()
    config.CourseDirectory.root = str(course)
    config.CourseDirectory.db_url = database_url(course, db)
    config.CourseDirectory.course_id = COURSE_ID
    config.Exchange.root = str(course / "exchange")
    return config


def open_gradebook(course: Path, db: str | None = None):
    """nbgrader's gradebook of a course, to be used in a ``with``; an empty one is made where there is none."""
    from nbgrader.api import Gradebook

    _put_programs_on_path()
    url = database_url(course, db)
    if url.startswith("sqlite"):
        # how long to wait for another program that writes; SQLite itself gives up after five seconds
        url += ("&" if "?" in url else "?") + f"timeout={LOCK_SECONDS:g}"
    return Gradebook(url, COURSE_ID)


def in_gradebook(slug: str, course: Path, db: str | None = None) -> bool:
    """Whether the gradebook is there and knows an assignment."""
    from nbgrader.api import MissingEntry

    if db is None and not (course / "gradebook.db").is_file():
        return False
    with open_gradebook(course, db) as book:
        try:
            book.find_assignment(slug)
        except MissingEntry:
            return False
    return True


def _put_programs_on_path() -> None:
    # nbgrader calls the program `alembic`; without an activated environment it is not on the path
    beside_python = str(Path(sys.executable).parent)
    if beside_python not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([beside_python, os.environ.get("PATH", "")])


def prepare_course(slug: str, course: Path, solutions: Path = SOLUTIONS, db: str | None = None) -> NotebookNode:
    """Make (or bring up to date) the folder that nbgrader works in: source, release, and the gradebook's assignment.

    Args:
        slug: The assignment.
        course: The folder; made when it is not there.
        solutions: Folder of the assignment sources.
        db: URL of the gradebook; the file ``gradebook.db`` in the course folder when None.

    Returns:
        The release notebook: what students get.
    """
    from nbgrader.converters import GenerateAssignment

    course = Path(course).resolve()
    stamp = course / "source" / f".{slug}.fingerprint"
    release = course / "release" / slug / f"{slug}.ipynb"
    mark = fingerprint(slug, solutions)
    made = stamp.is_file() and release.is_file() and stamp.read_text() == mark
    if not (made and in_gradebook(slug, course, db)):
        source = course / "source" / slug
        source.mkdir(parents=True, exist_ok=True)
        nbformat.write(read_source(slug, solutions), source / f"{slug}.ipynb")
        config = course_config(course, db)
        config.GenerateAssignment.force = True
        config.GenerateAssignment.create_assignment = True
        run_nbgrader(GenerateAssignment, slug, config)
        notebook = nbformat.read(release, as_version=4)
        # nbgrader keeps the source's cells; the file itself is written again so that its bytes depend on them alone
        release.write_text(notebook_text(notebook), encoding="utf-8")
        stamp.write_text(mark)
    return nbformat.read(release, as_version=4)


def run_nbgrader(converter: type, slug: str, config) -> None:
    """Run one of nbgrader's converters over an assignment.

    Raises:
        NbgraderFailed: nbgrader failed on some notebook; it has gone on with the others.
    """
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory

    _put_programs_on_path()
    written = io.StringIO()
    log = logging.Logger(f"neuralnotes.{converter.__name__}")
    handler = logging.StreamHandler(written)
    handler.setLevel(logging.ERROR)
    log.addHandler(handler)
    directory = CourseDirectory(config=config)
    directory.assignment_id = slug
    running = converter(coursedir=directory, config=config, parent=None)
    running.log = log
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of SQLAlchemy, about nbgrader's own use of it
            running.start()
    except (NbGraderException, SystemExit) as error:
        log_end = _without_password(written.getvalue()[-2000:], config.CourseDirectory.db_url)
        raise NbgraderFailed(f"nbgrader's {converter.__name__} failed on {slug}:\n{log_end}") from error


def _without_password(text: str, url: str) -> str:
    from sqlalchemy.engine import make_url

    password = make_url(url).password
    return text.replace(str(password), "***") if password else text


def notebook_text(notebook: NotebookNode) -> str:
    """A notebook as text that depends on nothing but its content."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def released(slug: str, solutions: Path = SOLUTIONS) -> NotebookNode:
    """The notebook that students get. The course's own is kept in ``_build/course`` until its source changes."""
    if Path(solutions) == SOLUTIONS:
        return prepare_course(slug, ROOT / "_build" / "course", solutions)
    with tempfile.TemporaryDirectory() as folder:
        return prepare_course(slug, Path(folder), solutions)


def release(slug: str, exercises: Path = EXERCISES, solutions: Path = SOLUTIONS) -> Path:
    """Write ``exercises/<slug>/<slug>.ipynb``: what students get, without solutions.

    Returns:
        The notebook's path. The file is written only when its content changes.
    """
    text = notebook_text(released(slug, solutions))
    path = Path(exercises) / slug / f"{slug}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path


def in_step(slug: str, exercises: Path = EXERCISES, solutions: Path = SOLUTIONS) -> bool:
    """Whether the notebook in ``exercises/`` is the one that ``solutions/`` gives."""
    path = Path(exercises) / slug / f"{slug}.ipynb"
    return path.is_file() and path.read_text(encoding="utf-8") == notebook_text(released(slug, solutions))
