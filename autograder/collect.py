"""``python -m autograder collect``: from the archives that Moodle and Canvas give to one folder per student.

Both pack everybody's files into one zip and write the student into the names:

- Moodle (mod_assign's downloader): ``Full Name_1234567_assignsubmission_file/work.ipynb``, before version 4.1 with one
  more ``_`` before the slash, or flat: ``Full Name_1234567_assignsubmission_file_work.ipynb``. The number is that of
  the participant in *this* assignment; the next assignment gives the same person another one.
- Canvas (its ``content_zipper.rb``): ``lovelaceada_LATE_1234_567890_work-2.ipynb``: the name without spaces, a mark
  when it came late, the user's id, the file's id, the file's name (``-2`` when it was handed in for the third time).

An archive is never unpacked: for each student one notebook is read, with limits that count what is really read, and
written under names that are made here.
"""

from __future__ import annotations

import collections
import csv
import datetime
import hashlib
import io
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from neuralnotes import tasks

from .assignments import CannotStart
from .gate import MAX_BYTES
from .record import safe_cell

TABLE = "students.csv"
COLUMNS = ("folder", "name", "lms", "id", "assignment", "file", "time", "late", "attachment", "sha256", "note")
MAX_FILES = 50_000  # in an archive of the LMS
MAX_OWN_FILES = 2_000  # in a zip that a student handed in
MAX_TOTAL = 8 * 2**30  # bytes that all archives of a run unpack to
# Moodle (most versions) and Canvas stamp a file with the time at which they pack it, not at which it was handed in;
# times that lie so close together for a whole class are taken for that
PACKING = datetime.timedelta(hours=1)

MOODLE = re.compile(r"(?P<name>.*?)(?:_(?P<id>\d+))?_assignsubmission_(?P<plugin>[a-z]+)(?:_(?P<rest>.*))?", re.DOTALL)
CANVAS = re.compile(
    r"(?:(?P<name>(?!LATE_).*?)_)?(?:(?P<late>LATE)_)?(?P<id>\d+|anon_[A-Za-z0-9]+)"
    r"_(?:(?P<attachment>\d+)_(?P<rest>.+)|(?:text|link)\.html)",
    re.DOTALL,
)
UNREADABLE = (  # what reading a damaged or hostile entry raises
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError,
    struct.error, OSError,
)


class CollectError(CannotStart):
    """The archives cannot be collected; nothing has been written."""


class TooLarge(ValueError):
    """An entry unpacks to more than the limit."""


class Spent(RuntimeError):
    """The run has unpacked as much as it may."""


@dataclass(frozen=True)
class Entry:
    """One file of a student in an archive.

    Attributes:
        archive: The open archive.
        info: The entry in it.
        path: The file's path as the student named it, in parts.
        time: The entry's time in UTC, if it has one.
        attachment: Canvas's id of the file; it grows with time.
        number: Its place in the archive.
    """

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    path: tuple[str, ...]
    time: datetime.datetime | None
    attachment: str = ""
    number: int = 0

    @property
    def order(self) -> tuple:
        """Sorts by age, the newest last."""
        return self.time or datetime.datetime.min, int(self.attachment or 0), self.number


@dataclass
class Owner:
    """A student (or a group) as an archive names it, with the files."""

    lms: str
    id: str
    name: str
    late: bool = False
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """What became of a student's files.

    Attributes:
        folder: The student's folder.
        status: ``new``, ``replaced``, ``unchanged``, ``kept`` (what was there is as new), ``empty`` or ``damaged``.
        notes: What the instructor should know.
    """

    folder: str
    status: str
    notes: tuple[str, ...] = ()


@dataclass
class Summary:
    """A run: one outcome per student and archive, and what was skipped."""

    lms: str
    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether everything in the archives could be read."""
        return all(outcome.status != "damaged" for outcome in self.outcomes)

    def __str__(self) -> str:
        counts = collections.Counter(outcome.status for outcome in self.outcomes)
        words = {
            "new": "new", "replaced": "replaced by a newer one", "unchanged": "unchanged",
            "kept": "kept (not newer than what is there)", "empty": "without a notebook", "damaged": "unreadable",
        }
        said = ", ".join(f"{counts[status]} {text}" for status, text in words.items() if counts[status])
        lines = [f"{self.lms}: {len(self.outcomes)} students: {said or 'nothing'}"]
        lines += [f"  {outcome.folder}: {note}" for outcome in self.outcomes for note in outcome.notes]
        return "\n".join(lines + [f"  {note}" for note in self.notes])


def collect(archives: list[Path], slug: str, submitted: Path, lms: str | None = None) -> Summary:
    """Bring the submissions in downloaded archives into ``submitted/<student>/<slug>/<slug>.ipynb``.

    Args:
        archives: Zip files as Moodle or Canvas gives them.
        slug: The assignment.
        submitted: The folder; made when it is not there. Its ``students.csv`` keeps who is who in the LMS.
        lms: "moodle" or "canvas"; recognised when None.

    Returns:
        What was done, by student.

    Raises:
        CollectError: Nothing can be collected; nothing has been written.
    """
    submitted = Path(submitted)
    if slug not in tasks.ASSIGNMENTS:
        raise CollectError(f"there is no assignment {slug!r}; there are {', '.join(tasks.ASSIGNMENTS)}")
    if submitted.exists() and not submitted.is_dir():
        raise CollectError(f"{submitted}: --submitted has to be a folder")
    table = read_table(submitted)
    opened: list[zipfile.ZipFile] = []
    try:
        for path in archives:
            opened.append(_open(path))
        kinds = [recognise(archive, lms) for archive in opened]
        if len(set(kinds)) > 1:
            raise CollectError(f"archives of both {' and '.join(sorted(set(kinds)))}: collect them one after the other")
        summary = Summary(kinds[0])
        budget = Budget(MAX_TOTAL)
        submitted.mkdir(parents=True, exist_ok=True)
        for archive in opened:
            _collect_one(archive, slug, submitted, table, summary, budget)
    finally:
        for archive in opened:
            archive.close()
    return summary


class Budget:
    """The bytes that may still be unpacked."""

    def __init__(self, left: int) -> None:
        self.left = left

    def read(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int = MAX_BYTES) -> bytes:
        """The content of an entry; what its header says about its size is not believed.

        Raises:
            TooLarge: It unpacks to more than ``limit``.
            Spent: The run may not unpack any more.
        """
        if self.left <= limit:
            raise Spent(f"the archives unpack to more than {MAX_TOTAL / 2**30:.0f} GB; collect fewer at a time")
        with archive.open(info) as file:
            data = file.read(limit + 1)
        self.left -= len(data)
        if len(data) > limit:
            raise TooLarge(f"unpacks to more than {limit / 2**20:.0f} MB")
        return data


def _open(path: Path) -> zipfile.ZipFile:
    if not Path(path).is_file():
        raise CollectError(f"{path}: no such file; give the zip that Moodle or Canvas let you download")
    try:
        archive = zipfile.ZipFile(path)
    except UNREADABLE as error:
        raise CollectError(f"{path}: not a zip file, or cut short ({error}); download it again") from error
    if len(archive.infolist()) > MAX_FILES:
        archive.close()
        raise CollectError(f"{path}: more than {MAX_FILES} files in it; that is no download of one assignment")
    return archive


def recognise(archive: zipfile.ZipFile, lms: str | None = None) -> str:
    """Which LMS an archive is from: "moodle" or "canvas".

    Raises:
        CollectError: No name in it looks like one of the LMS's.
    """
    names = [parts for info in archive.infolist() if (parts := _parts(info)) and not info.is_dir()]
    counts = {
        "moodle": sum(any(MOODLE.fullmatch(part) for part in parts) for parts in names),
        "canvas": sum(bool(CANVAS.fullmatch(parts[-1])) for parts in names),
    }
    best = lms or max(counts, key=counts.get)  # Moodle when there are as many
    if counts[best]:
        return best
    example = {
        "moodle": "Full Name_1234567_assignsubmission_file/work.ipynb",
        "canvas": "nameofstudent_123_4567_work.ipynb",
    }
    found = ", ".join("/".join(parts)[:60] for parts in names[:3]) or "no file"
    raise CollectError(
        f"{archive.filename}: no name in it is like those of {best if lms else 'Moodle or Canvas'} "
        f"({' or '.join(example[kind] for kind in ([lms] if lms else example))}); found {found}. "
        "Download all submissions of the assignment as one zip, and do not pack it anew"
    )


def _parts(info: zipfile.ZipInfo) -> tuple[str, ...]:
    """The path of an entry in parts; () for what macOS adds to a zip."""
    name = info.filename
    if not info.flag_bits & 0x800:  # no word on the encoding: zip says cp437, most programs write UTF-8
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    parts = tuple(part for part in re.split(r"[/\\]", name) if part not in ("", ".", ".."))
    return () if "__MACOSX" in parts or (parts and parts[-1].startswith("._")) else parts


def _hidden(path: tuple[str, ...]) -> bool:
    """Whether a file is a tool's (.ipynb_checkpoints/, .git/, .DS_Store)."""
    return any(part.startswith(".") for part in path)


def time_of(info: zipfile.ZipInfo) -> datetime.datetime | None:
    """The time of an entry, in UTC without a zone; zip's own times are those of an unknown place, taken as of here."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == 0x5455 and size >= 5 and len(extra) >= 9 and extra[4] & 1:  # "UT": seconds since 1970
            seconds = struct.unpack("<i", extra[5:9])[0]
            return datetime.datetime.fromtimestamp(seconds, datetime.UTC).replace(tzinfo=None)
        extra = extra[4 + size:]
    try:
        if info.date_time[:3] <= (1980, 1, 1):  # zip's zero: not known
            return None
        return datetime.datetime(*info.date_time).astimezone(datetime.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return None


def owners_of(archive: zipfile.ZipFile, lms: str) -> tuple[list[Owner], list[str]]:
    """The students of an archive with their files, and the names that belong to nobody."""
    owners: dict[tuple[str, str], Owner] = {}
    stray = []
    for number, info in enumerate(archive.infolist()):
        parts = _parts(info)
        if not parts:
            continue
        if lms == "moodle":
            found = next(((i, m) for i, part in enumerate(parts) if (m := MOODLE.fullmatch(part))), None)
            match, rest = (found[1], parts[found[0] + 1:]) if found else (None, ())
            if match and match["rest"]:
                rest = (match["rest"], *rest)
        else:
            match = CANVAS.fullmatch(parts[-1])
            rest = (match["rest"],) if match and match["rest"] else ()
        if match is None:
            if not info.is_dir():
                stray.append("/".join(parts))
            continue
        fields = match.groupdict()
        # Canvas's id is the person; Moodle's may be wanting (a group called "Default group")
        key = (fields["id"] or "", "" if lms == "canvas" and fields["id"] else fields["name"] or "")
        owner = owners.setdefault(key, Owner(lms, fields["id"] or "", (fields["name"] or "").strip()))
        owner.late |= bool(fields.get("late"))
        if rest and not _hidden(rest) and not info.is_dir():
            owner.entries.append(Entry(archive, info, rest, time_of(info), fields.get("attachment") or "", number))
    return list(owners.values()), stray


def _collect_one(
    archive: zipfile.ZipFile, slug: str, submitted: Path, table: list[dict], summary: Summary, budget: Budget
) -> None:
    owners, stray = owners_of(archive, summary.lms)
    if stray:
        shown = ", ".join(safe_text(name)[:60] for name in stray[:3])
        summary.notes.append(f"{len(stray)} files belong to no student and were left out: {shown}")
    times = [entry.time for owner in owners for entry in owner.entries if entry.time]
    real_times = len(times) > 1 and max(times) - min(times) > PACKING
    if times and not real_times:
        summary.notes.append(
            f"no timestamp.txt: the times in {Path(archive.filename).name} lie within an hour, so they are those of "
            "its making; late penalties need another source"
        )
    names = collections.Counter(owner.name for owner in owners)
    try:
        for owner in owners:
            folder = folder_of(owner, slug, table, alone=names[owner.name] == 1)
            known = next((row for row in table if row["folder"] == folder and row["assignment"] == slug), None)
            outcome, row = _collect_student(owner, folder, slug, submitted, known, real_times, budget)
            summary.outcomes.append(outcome)
            if known is not None:
                known.update(row)
            else:
                table.append(row)
    finally:
        write_table(submitted, table)


def _collect_student(
    owner: Owner, folder: str, slug: str, submitted: Path, known: dict | None, real_times: bool, budget: Budget
) -> tuple[Outcome, dict]:
    """Read a student's notebook and write it when it is new; the outcome and the row of the table."""
    data, chosen, status, notes = _notebook_of(owner, slug, budget)
    row = dict(known) if known else dict.fromkeys(COLUMNS, "")
    row.update(folder=folder, name=owner.name, lms=owner.lms, id=owner.id, assignment=slug)
    home = submitted / folder / slug
    path = home / f"{slug}.ipynb"
    if any(step.is_symlink() for step in (home.parent, home)):
        note = f"{home} is a symbolic link: not written; remove it and collect again"
        return Outcome(folder, "damaged", (*notes, note)), row
    there = path.read_bytes() if path.is_file() and not path.is_symlink() else None
    if data is None:
        if there is not None:
            notes.append("nothing newer in the archive; the notebook that is there stays")
            return Outcome(folder, "kept", tuple(notes)), row
        home.mkdir(parents=True, exist_ok=True)
        row["note"] = "; ".join(notes)
        return Outcome(folder, status, tuple(notes)), row
    details = {
        "file": "/".join(chosen.path), "time": chosen.time.isoformat() if chosen.time else "",
        "late": "yes" if owner.late else "", "attachment": chosen.attachment,
        "sha256": hashlib.sha256(data).hexdigest(), "note": "; ".join(notes),
    }
    # equal to what was collected last: what a person has mended since stays
    if there == data or (there is not None and known and known["sha256"] == details["sha256"]):
        if known is None:
            row.update(details)
        return Outcome(folder, "unchanged", tuple(notes)), row
    if there is not None and not _newer(chosen, known, path):
        notes.append("another notebook is there that is as new; to take this one, remove that first")
        return Outcome(folder, "kept", tuple(notes)), row
    home.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        return Outcome(folder, "damaged", (*notes, f"{path} is a folder: not written; remove it")), row
    stamp = home / "timestamp.txt"
    if real_times and chosen.time:
        _write(stamp, f"{chosen.time:%Y-%m-%d %H:%M:%S} UTC\n".encode())
    else:
        stamp.unlink(missing_ok=True)  # that of the notebook before
    _write(path, data)
    row.update(details)
    return Outcome(folder, "new" if there is None else "replaced", tuple(notes)), row


def _newer(chosen: Entry, known: dict | None, path: Path) -> bool:
    """Whether a notebook is newer than the one that is there."""
    before = None
    if known is None:  # not collected
        before = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC).replace(tzinfo=None)
    else:
        try:
            before = datetime.datetime.fromisoformat(known["time"])
        except ValueError:  # its archive had no times
            if chosen.attachment.isdigit() and known["attachment"].isdigit():
                return int(chosen.attachment) > int(known["attachment"])
    return chosen.time is not None and before is not None and chosen.time > before


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(path.name + ".part")
    partial.unlink(missing_ok=True)  # were it a link, writing would follow it
    partial.write_bytes(data)
    partial.replace(path)


def _notebook_of(owner: Owner, slug: str, budget: Budget) -> tuple[bytes | None, Entry | None, str, list[str]]:
    """The notebook that counts: its content, its entry, else None twice and why; notes."""
    notes: list[str] = []
    usable = [entry for entry in owner.entries if _usable(entry, notes)]
    notebooks = [entry for entry in usable if entry.path[-1].lower().endswith(".ipynb")]
    archives = [entry for entry in usable if entry.path[-1].lower().endswith(".zip")]
    status = "empty"
    if archives and notebooks:
        notes.append("a zip was handed in beside the notebook; it was not opened")
    elif archives:
        for entry in sorted(archives, key=lambda entry: entry.order):
            try:
                data = budget.read(entry.archive, entry.info)
            except UNREADABLE as error:
                status = _blame(entry, error)
                notes.append(f"{safe_text(entry.path[-1])} cannot be read: {_reason(error)}")
                continue
            try:
                notebooks += _inside(entry, data, notes)
            except UNREADABLE as error:
                notes.append(f"the zip {safe_text(entry.path[-1])} cannot be opened: {_reason(error)}")
    if not notebooks:
        found = ", ".join(safe_text(entry.path[-1]) for entry in usable[:5])
        notes.append(f"no notebook was handed in{f'; found {found}' if found else ''}")
        return None, None, status, notes
    notebooks.sort(key=lambda entry: entry.order)
    named = [entry for entry in notebooks if _is_named(entry, slug, owner.lms)]
    candidates = named or notebooks
    if len(notebooks) > 1:
        why = f"the one named {slug}.ipynb" if len(named) == 1 else "the newest"
        taken = safe_text("/".join(candidates[-1].path))
        notes.append(f"{len(notebooks)} notebooks were handed in; took {why}, {taken}")
    chosen = candidates[-1]
    try:
        return budget.read(chosen.archive, chosen.info), chosen, "", notes
    except UNREADABLE as error:
        notes.append(f"{safe_text(chosen.path[-1])} cannot be read: {_reason(error)}")
        return None, None, _blame(chosen, error), notes


def _blame(entry: Entry, error: BaseException) -> str:
    """Damage in the archive of the LMS is the download's; in a student's own zip it is the student's, as is size."""
    ours = isinstance(error, Spent) or (entry.archive.filename is not None and not isinstance(error, TooLarge))
    return "damaged" if ours else "empty"


def _reason(error: BaseException) -> str:
    return safe_text(str(error))[:150] or type(error).__name__


def _usable(entry: Entry, notes: list[str]) -> bool:
    """Whether an entry is a plain file that can be read without a password."""
    kind = stat.S_IFMT(entry.info.external_attr >> 16)
    name = safe_text(entry.path[-1])
    if kind not in (0, stat.S_IFREG):
        notes.append(f"{name} is a link or a device, not a file: left out")
        return False
    if entry.info.flag_bits & 1:
        notes.append(f"{name} is encrypted: left out")
        return False
    return True


def _inside(entry: Entry, data: bytes, notes: list[str]) -> list[Entry]:
    """The notebooks in a student's own zip; a zip in that is not opened."""
    if data.count(b"PK\x01\x02") > MAX_OWN_FILES:  # before any of them becomes an object
        raise TooLarge(f"more than {MAX_OWN_FILES} files in it")
    archive = zipfile.ZipFile(io.BytesIO(data))
    found = []
    for number, info in enumerate(archive.infolist()):
        parts = _parts(info)
        if info.is_dir() or not parts or _hidden(parts):
            continue
        inner = Entry(archive, info, (entry.path[-1], *parts), time_of(info), entry.attachment, number)
        if parts[-1].lower().endswith(".zip"):
            notes.append(f"{safe_text('/'.join(inner.path))}: a zip in a zip is not opened")
        elif parts[-1].lower().endswith(".ipynb") and _usable(inner, notes):
            found.append(inner)
    # a student can write any time into a zip: when it was handed in is the time of the zip itself
    ranked = sorted(found, key=lambda inner: inner.order)
    return [
        Entry(inner.archive, inner.info, inner.path, entry.time, entry.attachment, number)
        for number, inner in enumerate(ranked)
    ]


def _is_named(entry: Entry, slug: str, lms: str) -> bool:
    stem = entry.path[-1][: -len(".ipynb")].lower()
    if lms == "canvas":
        stem = re.sub(r"-\d+$", "", stem) if stem != slug.lower() else stem
    return stem == slug.lower()


def safe_text(text: str) -> str:
    """A name for a message: no control characters, nothing that cannot be printed."""
    return "".join(c if c.isprintable() else "?" for c in text)


def folder_of(owner: Owner, slug: str, table: list[dict], alone: bool = True) -> str:
    """The name of a student's folder: that of an earlier archive, or the name and the id.

    Args:
        owner: The student.
        slug: The assignment.
        table: What is known of earlier archives.
        alone: Whether nobody else in this archive has the name.
    """
    same = [row for row in table if row["lms"] == owner.lms]
    for row in same:  # a number of Moodle's counts for its assignment only
        if owner.id and row["id"] == owner.id and (owner.lms == "canvas" or row["assignment"] == slug):
            return row["folder"]
    if owner.lms == "moodle":
        folders = {row["folder"] for row in same if row["name"] == owner.name}
        rows = [row for row in same if row["folder"] in folders]
        if alone and len(folders) == 1 and (not owner.id or all(row["assignment"] != slug for row in rows)):
            return folders.pop()
    folder = _clean(" ".join(part for part in (_clean(owner.name, 80), _clean(owner.id, 40)) if part)) or "student"
    if _fold(folder) in {_fold(row["folder"]) for row in table}:
        key = "\0".join((owner.lms, owner.id, owner.name, slug if owner.lms == "moodle" else ""))
        folder += "-" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return folder


def _fold(folder: str) -> str:
    """Equal for names that some file system takes for the same."""
    return unicodedata.normalize("NFKC", folder).upper().casefold()


def _clean(name: str, length: int = 125) -> str:
    """A name that any file system and nbgrader take: letters, digits, marks of any script, and ``_ - @ .`` inside."""
    name = unicodedata.normalize("NFC", name)
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" or c in "_-@. " else "_" for c in name[: 4 * length])
    kept = re.sub(r"[ _]*_[ _]*", "_", re.sub(r" +", " ", kept))[:length]
    while len(kept.encode()) > length:
        kept = kept[:-1]
    return kept.strip(" .@-_")


def read_table(submitted: Path) -> list[dict]:
    """The rows of ``students.csv``; none when there is no such file.

    Raises:
        CollectError: It cannot be read, or is not what ``collect`` wrote.
    """
    path = Path(submitted) / TABLE
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = [{key: _unsafe_cell(row.get(key) or "") for key in COLUMNS} for row in reader]
            absent = sorted(set(COLUMNS) - set(reader.fieldnames or ()))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CollectError(f"{path}: cannot be read ({error}); mend it or move it away") from error
    if absent:
        raise CollectError(f"{path}: no column {absent[0]!r}; mend it or move it away")
    return rows


def write_table(submitted: Path, rows: list[dict]) -> None:
    """Write ``students.csv``, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in sorted(rows, key=lambda row: (row["folder"], row["assignment"])):
        writer.writerow([safe_cell(row[key]) for key in COLUMNS])
    _write(Path(submitted) / TABLE, text.getvalue().encode("utf-8", "backslashreplace"))


def _unsafe_cell(value: str) -> str:
    """The value of a cell that ``safe_cell`` made."""
    return value[1:] if value.startswith("'") and safe_cell(value[1:]) == value else value
