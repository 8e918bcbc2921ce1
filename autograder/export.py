"""``python -m autograder export`` and the zip of ``feedback``: marks and pages back to Moodle, Canvas, or plain files.

The marks are nbgrader's own (its ``Gradebook``): automatic points, the manual grades for written answers, late
penalties. What the two programs import, by their sources:

- Moodle's grading worksheet (assignfeedback_offline) finds a student by ``Identifier`` ("Participant 123", the number
  of *this* assignment), needs ``Grade`` and ``Last modified (grade)``, and skips a grade above the assignment's maximum
  without a word. Its gradebook imports any table with a column of user names, addresses or ID numbers.
- Canvas (``gradebook_importer.rb``) wants ``Student``, ``ID``, ... up to ``Section`` first, then one column per
  assignment titled ``Title (id)``; a title that it does not know becomes a new assignment. It finds a student by
  ``ID``, by the SIS columns, then by name.

With the file that the LMS gave (``--roster``) only the cells of the marks are filled in.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import case, func
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from neuralnotes import tasks

from . import results
from .assignments import CannotStart, database_url, open_gradebook
from .collect import read_table, safe_text
from .grade import gradebook_id
from .record import check_gradebook, safe_cell

FORMATS = ("moodle", "canvas", "csv")
VERDICTS = ("pass", "partial", "fail", "error", "timeout", "memory", "missing", "forbidden", "unreadable")
IDS = {"moodle": "identifier", "canvas": "id"}  # column of the LMS's own number
LOGINS = ("username", "sis login id", "email address", "email", "id number", "sis user id", "integration id")
NAMES = (
    ("full name",), ("student",), ("first name", "last name"), ("first name", "surname"), ("firstname", "lastname"),
)


class ExportError(CannotStart):
    """Nothing can be exported as it was asked for; nothing has been written."""


@dataclass(frozen=True)
class Mark:
    """A student's mark for an assignment.

    Attributes:
        student: The student's folder.
        assignment: The slug.
        score: Points, manual grades included and the late penalty taken off; at least 0.
        max_score: Points to be had.
        penalty: The late penalty in points.
        ungraded: Answers that nobody has graded by hand yet.
        verdicts: Number of tasks by verdict.
        logins: What else the student may be called in a roster.
        lms: What ``students.csv`` knows, as a row; empty when it does not.
    """

    student: str
    assignment: str
    score: float
    max_score: float
    penalty: float = 0.0
    ungraded: int = 0
    verdicts: Counter = field(default_factory=Counter)
    logins: tuple[str, ...] = ()
    lms: dict = field(default_factory=dict)


@dataclass
class Export:
    """What was written: the file, and what the instructor should know."""

    path: Path
    students: int = 0
    what: str = "marks"
    unmatched: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.students} {self.what} in {self.path}", *self.notes]
        if self.unmatched:
            lines += [f"{len(self.unmatched)} left out:", *(f"  {line}" for line in self.unmatched)]
        return "\n".join(safe_text(line) for line in lines)


def check_folder(out: Path, db: str | None = None) -> None:
    """Whether there is a gradebook that can be read.

    Raises:
        CannotStart: There is none, or it is of another version, locked, or out of reach.
    """
    out = Path(out)
    if not out.is_dir():
        raise ExportError(f"{out}: no such folder; --out is the folder that `grade` wrote the marks to")
    check_gradebook(out, db)
    url = make_url(database_url(out, db))
    if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).is_file()):
        raise ExportError(
            f"{url.database}: no gradebook there; --out is the folder that `grade` wrote the marks to "
            "(if that was with --db, give the same --db here)"
        )


def read_marks(out: Path, slugs: list[str], db: str | None = None, submitted: Path | None = None) -> list[Mark]:
    """The marks in the gradebook, by assignment and student.

    Args:
        out: The folder that ``grade`` wrote to.
        slugs: Assignments; all that were graded when empty.
        db: Address of the gradebook's database; ``gradebook.db`` in ``out`` when None.
        submitted: The folder that ``collect`` filled; its ``students.csv`` knows who is who in the LMS.

    Raises:
        ExportError: No gradebook, nothing graded, an assignment that is not there, or a grading run that was cut off.
    """
    for slug in slugs:
        if slug not in tasks.ASSIGNMENTS:
            raise ExportError(f"there is no assignment {slug!r}; there are {', '.join(tasks.ASSIGNMENTS)}")
    known: dict[tuple[str, str], dict] = {}
    if submitted is not None:
        rows = read_table(submitted)
        if not rows:
            raise ExportError(f"{submitted}: no students.csv in it; --submitted is the folder that `collect` filled")
        known = {(gradebook_id(row["folder"]), row["assignment"]): row for row in rows}
    found: list[Mark] = []
    check_folder(out, db)
    try:
        with open_gradebook(out, db) as gradebook:
            everyone = results.everyone(out)
            for slug in slugs or tasks.ASSIGNMENTS:
                judged = {gradebook_id(name): (name, value) for name, value in everyone.get(slug, {}).items()}
                marks = _marks_of(gradebook, slug, judged, known)
                if slugs and not marks:
                    raise ExportError(f"{out}: nobody has been graded in {slug!r}; run `grade` first")
                found += marks
    except SQLAlchemyError as error:
        reason = (str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__])[0]
        raise ExportError(f"{out}: the gradebook cannot be read: {reason}") from error
    if not found:
        raise ExportError(f"{out}: nobody has been graded; run `grade` first")
    for slug in dict.fromkeys(mark.assignment for mark in found):
        behind = [name for name, entry in results.index(out, slug).items() if not entry.get("recorded", True)]
        if behind:
            raise ExportError(
                f"{out}: {len(behind)} submissions to {slug} are judged but not in the gradebook yet "
                f"({_few(behind)}): run `grade` again"
            )
    return found


def _marks_of(gradebook, slug: str, judged: dict, known: dict) -> list[Mark]:
    """Marks of one assignment, in three queries for the whole class."""
    from nbgrader.api import Assignment, Grade, Student, SubmittedAssignment, SubmittedNotebook

    session = gradebook.db
    here = (Assignment, Assignment.id == SubmittedAssignment.assignment_id)
    people = (
        session.query(SubmittedAssignment.student_id, Student.email, Student.lms_user_id)
        .join(*here).join(Student, Student.id == SubmittedAssignment.student_id)
        .filter(Assignment.name == slug).order_by(SubmittedAssignment.student_id).all()
    )
    if not people:
        return []
    waiting = func.sum(case((Grade.needs_manual_grade, 1), else_=0))
    graded = (
        session.query(SubmittedAssignment.student_id, func.sum(Grade.score), waiting)
        .join(*here).join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
        .filter(Assignment.name == slug).group_by(SubmittedAssignment.student_id)
    )
    scores = {student: (score or 0.0, int(ungraded or 0)) for student, score, ungraded in graded}
    late = (
        session.query(SubmittedAssignment.student_id, func.sum(SubmittedNotebook.late_submission_penalty))
        .join(*here).join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .filter(Assignment.name == slug).group_by(SubmittedAssignment.student_id)
    )
    penalties = {student: penalty or 0.0 for student, penalty in late}
    max_score = gradebook.find_assignment(slug).max_score
    marks = []
    for student, email, lms_user_id in people:
        name, value = judged.get(student, (student, {"results": {}}))
        score, ungraded = scores.get(student, (0.0, 0))
        penalty = penalties.get(student, 0.0)
        row = known.get((student, slug), {})
        marks.append(Mark(
            row.get("folder") or name, slug, max(0.0, score - penalty), max_score, penalty, ungraded,
            Counter(result["verdict"] for result in value["results"].values()),
            tuple(filter(None, (student, name, email, lms_user_id))), row,
        ))
    return marks


def number(value: float) -> str:
    """A number as every program reads it: a decimal point, no exponent, four digits at most."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _few(names: Iterable[str], count: int = 5) -> str:
    names = list(names)
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")


def export(
    out: Path,
    slugs: list[str],
    format: str,
    roster: Path | None = None,
    to: Path | None = None,
    db: str | None = None,
    submitted: Path | None = None,
    columns: dict[str, str] | None = None,
    rescale: bool = False,
    allow_ungraded: bool = False,
) -> Export:
    """Write the marks of a class for an LMS, or plainly.

    Args:
        out: The folder that ``grade`` wrote to.
        slugs: Assignments; all that were graded when empty.
        format: One of ``FORMATS``.
        roster: The file that the LMS gave, to be filled in.
        to: The file to write; ``<out>/grades-<format>.csv`` when None.
        db: Address of the gradebook's database; ``gradebook.db`` in ``out`` when None.
        submitted: The folder that ``collect`` filled.
        columns: The roster's column for an assignment, where the title does not tell; "" stands for any assignment.
        rescale: Scale the points to the LMS's maximum where that is another one.
        allow_ungraded: Export to an LMS although written answers are still to be graded.

    Raises:
        ExportError: Nothing can be exported; nothing has been written.
    """
    marks = read_marks(out, slugs, db, submitted)
    path = Path(to) if to is not None else Path(out) / f"grades-{format}.csv"
    if not path.parent.is_dir() or path.is_dir():
        raise ExportError(f"{path}: --to has to be a file in a folder that exists")
    if roster is not None and (format == "csv" or path.resolve() == Path(roster).resolve()):
        raise ExportError(
            "--roster is a file of Moodle or Canvas: give --format moodle or canvas" if format == "csv"
            else f"{path}: choose another --to than the roster, which stays as the LMS gave it"
        )
    if (columns or rescale) and roster is None:
        raise ExportError("--column and --rescale are about a roster: give --roster")
    written = Export(path)
    waiting = [mark for mark in marks if mark.ungraded]
    if waiting:
        said = (
            f"{sum(mark.ungraded for mark in waiting)} answers of {len({mark.student for mark in waiting})} students "
            f"are still to be graded by hand ({_few(dict.fromkeys(mark.student for mark in waiting))})"
        )
        if format != "csv" and not allow_ungraded:
            raise ExportError(f"{said}: grade them in nbgrader's formgrader, or give --allow-ungraded")
        written.notes.append(f"{said}; they count 0")
    if roster is not None:
        text = _fill(Path(roster), marks, format, columns or {}, rescale, written)
    else:
        text = _table({"moodle": _moodle_rows, "canvas": _canvas_rows, "csv": _plain_rows}[format](marks))
        written.students = len(marks)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(text.encode("utf-8", "backslashreplace"))
    partial.replace(path)
    return written


def _table(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([safe_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _plain_rows(marks: list[Mark]) -> list[list[str]]:
    head = ["student", "assignment", "score", "max_score", "ungraded", "late_penalty", *VERDICTS]
    return [head] + [
        [mark.student, mark.assignment, number(mark.score), number(mark.max_score), str(mark.ungraded),
         number(mark.penalty), *(str(mark.verdicts[verdict]) for verdict in VERDICTS)]
        for mark in marks
    ]


def _by_student(marks: list[Mark]) -> dict[str, dict[str, Mark]]:
    students: dict[str, dict[str, Mark]] = {}
    for mark in marks:
        students.setdefault(mark.student, {})[mark.assignment] = mark
    return students


def _moodle_rows(marks: list[Mark]) -> list[list[str]]:
    """The grading worksheet where the participants' numbers are known, else a table for the gradebook's import."""
    slugs = list(dict.fromkeys(mark.assignment for mark in marks))
    if len(slugs) == 1 and all(mark.lms.get("lms") == "moodle" and mark.lms["id"] for mark in marks):
        head = ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)"]
        return [head] + [
            [f"Participant {mark.lms['id']}", mark.lms["name"], number(mark.score), number(mark.max_score), "-"]
            for mark in marks
        ]
    rows = [["Username", "Full name", *slugs]]
    for student, by_slug in _by_student(marks).items():
        name = next((mark.lms["name"] for mark in by_slug.values() if mark.lms), "")
        rows.append([student, name, *(number(by_slug[s].score) if s in by_slug else "" for s in slugs)])
    return rows


def _canvas_rows(marks: list[Mark]) -> list[list[str]]:
    slugs = list(dict.fromkeys(mark.assignment for mark in marks))
    maxima = {mark.assignment: mark.max_score for mark in marks}
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *slugs],
            ["    Points Possible", "", "", "", "", *(number(maxima[slug]) for slug in slugs)]]
    for student, by_slug in _by_student(marks).items():
        row = next((mark.lms for mark in by_slug.values() if mark.lms.get("lms") == "canvas"), {})
        name, id = row.get("name") or student, row.get("id", "")
        id = id if id.isdigit() else ""
        login = "" if id else student
        points = [number(by_slug[slug].score) if slug in by_slug else "" for slug in slugs]
        rows.append([name, id, "", login, "", *points])
    return rows


# --- filling in what the LMS gave


@dataclass
class Roster:
    """A table of the LMS: its cells, and how they were written."""

    path: Path
    rows: list[list[str]]
    delimiter: str
    newline: str
    bom: bool

    @property
    def head(self) -> list[str]:
        return [cell.strip() for cell in self.rows[0]]

    def column(self, *names: str) -> int | None:
        """The column with one of these titles (in lower case)."""
        titles = [title.lower() for title in self.head]
        return next((titles.index(name) for name in names if name in titles), None)

    def text(self) -> str:
        text = io.StringIO()
        csv.writer(text, delimiter=self.delimiter, lineterminator=self.newline).writerows(self.rows)
        return ("\ufeff" if self.bom else "") + text.getvalue()


def read_roster(path: Path) -> Roster:
    """Read a CSV file as Moodle and Canvas write it: with commas or semicolons, with or without a byte order mark.

    Raises:
        ExportError: It cannot be read, or has no table in it.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise ExportError(f"{path}: the roster cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ExportError(f"{path}: the roster is no UTF-8 text; download it as CSV, not as a spreadsheet") from error
    bom, text = text.startswith("\ufeff"), text.removeprefix("\ufeff")
    first = text.splitlines()[0] if text.strip() else ""
    delimiter = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise ExportError(f"{path}: the roster is no CSV file: {error}") from error
    if len(rows) < 2 or len(rows[0]) < 2:
        raise ExportError(f"{path}: the roster has no table in it; download it from Moodle or Canvas as CSV")
    return Roster(Path(path), rows, delimiter, "\r\n" if "\r\n" in text else "\n", bom)


def _fill(
    path: Path, marks: list[Mark], format: str, columns: dict[str, str], rescale: bool, written: Export
) -> str:
    """The roster with the marks in it; what could not be matched goes to ``written``."""
    roster = read_roster(path)
    slugs = list(dict.fromkeys(mark.assignment for mark in marks))
    if "" in columns and len(slugs) > 1:
        raise ExportError(f"--column needs the assignment's name in front: --column {slugs[0]}={columns['']!r}")
    people = People(roster, format)
    targets = {slug: _column_for(roster, slug, format, columns, len(slugs)) for slug in slugs}
    if len(set(targets.values())) < len(slugs):
        raise ExportError(f"{path}: two assignments would go to one column; name one assignment, or give --column")
    maxima = {slug: _maximum(roster, targets[slug], format) for slug in slugs}
    for slug in slugs:
        ours = next(mark.max_score for mark in marks if mark.assignment == slug)
        if maxima[slug] is not None and abs(maxima[slug] - ours) > 0.005 and not rescale:
            raise ExportError(
                f"{path}: {slug} has {number(ours)} points, in the LMS the maximum is {number(maxima[slug])}: change "
                "that in the LMS and download the file again, or give --rescale"
            )
    taken: dict[tuple[int, str], list[Mark]] = {}
    for mark in marks:
        rows, reason = people.find(mark)
        if not rows:
            written.unmatched.append(f"{mark.student} ({mark.assignment}, {number(mark.score)}): {reason}")
        for row in rows:
            taken.setdefault((row, mark.assignment), []).append(mark)
    locked = roster.column("grade can be changed") if format == "moodle" else None
    for (index, slug), found in sorted(taken.items()):
        if len(found) > 1:
            names = " and ".join(mark.student for mark in found)
            written.unmatched.append(f"{names} ({slug}): both are like {people.shown(index)}; fill it in by hand")
            continue
        row, (mark,) = roster.rows[index], found
        row += [""] * (targets[slug] + 1 - len(row))
        before = row[targets[slug]].strip()
        if format == "canvas" and before.upper() in ("EX", "N/A"):
            written.notes.append(f"{people.shown(index)} ({slug}): left as it was, {before}")
            continue
        if locked is not None and locked < len(row) and row[locked].strip().lower() == "no":
            written.notes.append(f"{people.shown(index)}: left as it was, the grade cannot be changed in Moodle")
            continue
        factor = maxima[slug] / mark.max_score if rescale and maxima[slug] is not None and mark.max_score else 1.0
        row[targets[slug]] = number(mark.score * factor)
        written.students += 1
    return roster.text()


def _column_for(roster: Roster, slug: str, format: str, columns: dict[str, str], count: int) -> int:
    """The roster's column for an assignment."""
    head = roster.head
    wanted = columns.get(slug) or columns.get("")
    if wanted:
        found = [i for i, title in enumerate(head) if title == wanted or re.sub(r" \(\d+\)$", "", title) == wanted]
        if len(found) != 1:
            raise ExportError(f"{roster.path}: {len(found)} columns {wanted!r}; there are: {', '.join(head)}")
        return found[0]
    if format == "moodle" and roster.column("grade") is not None:
        if count > 1:
            raise ExportError(f"{roster.path}: a grading worksheet is of one assignment; say which one to export")
        return roster.column("grade")
    plain = re.sub(r"[\W_]+", " ", slug).lower()
    found = [
        i for i, title in enumerate(head)
        if plain == re.sub(r"[\W_]+", " ", re.sub(r" \(\d+\)$", "", title)).strip().lower()
    ]
    if len(found) != 1:
        raise ExportError(
            f"{roster.path}: {len(found) or 'no'} columns are called {slug!r}; say which with "
            f"--column {slug}=TITLE; there are: {', '.join(head)}"
        )
    return found[0]


def _maximum(roster: Roster, column: int, format: str) -> float | None:
    """The LMS's maximum for a column, where the roster says it."""
    said: set[str] = set()
    if format == "canvas":
        said = {row[column] for row in roster.rows[1:] if row and "Points Possible" in row[0] and len(row) > column}
    elif (place := roster.column("maximum grade")) is not None:
        said = {row[place] for row in roster.rows[1:] if len(row) > place and row[place].strip()}
    values = set()
    for text in said:
        try:
            values.add(float(text.strip().replace(",", ".")))
        except ValueError:  # "(read only)", a scale of words
            continue
    return values.pop() if len(values) == 1 else None


class People:
    """Finds students in a roster: by the LMS's number, then by login, then by name, each only where it is unique."""

    def __init__(self, roster: Roster, format: str) -> None:
        self.roster, self.format = roster, format
        self.id = roster.column(IDS[format])
        first = [row[0] for row in roster.rows[1:] if row]
        if format == "moodle" and self.id is None and all(re.fullmatch(r"\D+\d+", cell.strip()) for cell in first):
            self.id = 0  # the worksheet in another language: "Teilnehmer/in 123"
        self.logins = [i for i, title in enumerate(roster.head) if title.lower() in LOGINS]
        self.names: list[int] = []
        for titles in NAMES:
            places = [roster.column(title) for title in titles]
            if not self.names and None not in places:
                self.names = places
        self.group = roster.column("group") if format == "moodle" else None
        if self.id is None and not self.logins and not self.names:
            raise ExportError(
                f"{roster.path}: no column says who is who (such as {IDS[format].capitalize()}, Username, Email "
                f"address, Full name); there are: {', '.join(roster.head)}"
            )
        self.by: dict[tuple[str, object], list[int]] = {}
        for index, row in enumerate(roster.rows[1:], 1):
            if not any(cell.strip() for cell in row) or (format == "canvas" and "Points Possible" in row[0]):
                continue
            for key in self._keys(row):
                self.by.setdefault(key, []).append(index)

    def _cell(self, row: list[str], place: int | None) -> str:
        return row[place].strip() if place is not None and place < len(row) else ""

    def _keys(self, row: list[str]) -> set[tuple[str, object]]:
        keys: set[tuple[str, object]] = set()
        id = self._cell(row, self.id)
        if self.format == "moodle":  # "Participant 123"
            id = match[0] if (match := re.search(r"\d+$", id)) else ""
        keys.add(("id", id))
        keys |= {("login", self._cell(row, place).casefold()) for place in self.logins}
        keys |= _name_keys(" ".join(self._cell(row, place) for place in self.names))
        keys.add(("group", _squashed(self._cell(row, self.group))))
        return {(kind, value) for kind, value in keys if value}

    def shown(self, index: int) -> str:
        """A row as a person knows it."""
        row = self.roster.rows[index]
        return " ".join(filter(None, (self._cell(row, place) for place in self.names or [self.id, *self.logins])))

    def find(self, mark: Mark) -> tuple[list[int], str]:
        """The rows of a student (of a group: of all its members), or why there is none."""
        name = mark.lms.get("name", "")
        if group := self.by.get(("group", _squashed(name))) if name else None:
            return group, ""
        reasons = []
        if mark.lms.get("lms") == self.format and (id := mark.lms["id"]):
            rows = self.by.get(("id", id), [])
            other = [row for row in rows if not self._like(name, self.shown(row))]
            if rows and not other:
                return (rows, "") if len(rows) == 1 else ([], f"{len(rows)} rows have the number {id}")
            if other:  # a number of another assignment, or of a group
                return [], f"the number {id} is that of {self.shown(other[0])}; is the roster of this assignment?"
            reasons.append(f"no row has the number {id}")
        logins = {("login", value.casefold()) for value in mark.logins}
        names = set().union(*(_name_keys(value) for value in (name, mark.student) if value))
        for kind, keys in (("login", logins), ("name", names)):
            rows = sorted({row for key in keys for row in self.by.get(key, [])})
            if len(rows) == 1:
                return rows, ""
            if rows:
                return [], f"{len(rows)} rows have this {kind}"
        reasons.append("no row has this login, address or name")
        if not mark.lms:
            reasons.append("students.csv of `collect` would help: --submitted")
        return [], "; ".join(reasons)

    def _like(self, name: str, shown: str) -> bool:
        """Whether two names may be the same person's: Moodle's numbers of two assignments overlap."""
        if self.format == "canvas" or not self.names or not name:
            return True
        words = [set(re.findall(r"\w+", text.casefold())) for text in (name, shown)]
        return bool(words[0] & words[1])


def _squashed(name: str) -> str:
    """A name as Canvas writes it into file names."""
    return re.sub(r"\W", "", name).casefold()


def _name_keys(name: str) -> set[tuple[str, object]]:
    words = tuple(sorted(re.findall(r"\w+", name.casefold())))  # "Lovelace, Ada" is "Ada Lovelace"
    return {("name", words), ("name", _squashed(name))} if words else set()


# --- feedback


def check_feedback(
    out: Path,
    slug: str,
    students: list[str] | None = None,
    to: Path | None = None,
    submitted: Path | None = None,
    db: str | None = None,
) -> list[str] | None:
    """Whether the feedback pages of an assignment can be written and packed.

    Args:
        out: The folder that ``grade`` wrote to.
        slug: The assignment.
        students: Folders of students; everybody when None.
        to: The zip, if there is to be one.
        submitted: The folder that ``collect`` filled, if the zip is for an LMS.
        db: Address of the gradebook's database.

    Returns:
        The gradebook ids of ``students``.

    Raises:
        CannotStart: Something is not as it has to be.
    """
    marks = {gradebook_id(mark.student): mark for mark in read_marks(out, [slug], db)}
    ids = None if students is None else [gradebook_id(name) for name in students]
    absent = [name for name, id in zip(students or (), ids or (), strict=True) if id not in marks]
    if absent:
        raise ExportError(f"{out}: {absent[0]!r} has not been graded in {slug!r}")
    if to is not None and (not Path(to).parent.is_dir() or Path(to).is_dir()):
        raise ExportError(f"{to}: --zip has to be a file in a folder that exists")
    if submitted is not None:
        if to is None:
            raise ExportError("--submitted is about the names in a zip: give --zip")
        _rows_of(submitted, slug)
    return ids


def _rows_of(submitted: Path, slug: str) -> dict[str, dict]:
    """The rows of an assignment in ``students.csv``, by gradebook id."""
    rows = {gradebook_id(row["folder"]): row for row in read_table(submitted) if row["assignment"] == slug}
    if not rows:
        raise ExportError(f"{submitted}: no students.csv with {slug} in it; --submitted is the folder of `collect`")
    return rows


def pack_feedback(out: Path, slug: str, to: Path, students: list[str], submitted: Path | None = None) -> Export:
    """Pack feedback pages into a zip.

    With ``students.csv`` of ``collect`` the names are those by which the LMS returns the pages: for Moodle ("Upload
    multiple feedback files in a zip") ``Full Name_123_assignsubmission_file_/<slug>.html``, for Canvas ("Upload
    submissions") ``name_123_4567_<slug>.html``. Without it: ``<student>/<slug>.html``.

    Args:
        out: The folder that ``grade`` wrote to.
        slug: The assignment.
        to: The zip; written whole or not at all.
        students: Gradebook ids of those whose pages are packed.
        submitted: The folder that ``collect`` filled.
    """
    rows = _rows_of(submitted, slug) if submitted is not None else {}
    written = Export(Path(to), what="pages")
    folders = {gradebook_id(name): name for name in results.index(out, slug)}
    partial = Path(to).with_name(Path(to).name + ".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for student in students:
            folder = folders.get(student, student).encode("utf-8", "replace").decode()
            name = f"{folder}/{slug}.html" if submitted is None else _feedback_name(rows.get(student), slug)
            if not name:
                written.unmatched.append(f"{student}: its number in the LMS is not known; return the page by hand")
                continue
            archive.write(Path(out) / "feedback" / student / slug / f"{slug}.html", name)
            written.students += 1
    partial.replace(to)
    return written


def _feedback_name(row: dict | None, slug: str) -> str:
    """The name by which the LMS knows whose page it is; "" when it could not."""
    if row is None:
        return ""
    if row["lms"] == "moodle" and row["id"].isdigit():
        # Moodle splits at "_": the second part has to be the number
        name = re.sub(r'[_/\\:*?"<>|\x00-\x1f]+', " ", row["name"]).strip(" .~") or "student"
        return f"{name}_{row['id']}_assignsubmission_file_/{slug}.html"
    if row["lms"] == "canvas" and row["id"].isdigit() and row["attachment"].isdigit():
        # Canvas takes the first two parts that are numbers: the person's and the file's
        name = re.sub(r"[\W\d_]", "", row["name"]) or "student"
        return f"{name}_{row['id']}_{row['attachment']}_{slug}.html"
    return ""
