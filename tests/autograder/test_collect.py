"""Download archives of Moodle and Canvas, honest and hostile, become one folder per student."""

from __future__ import annotations

import csv
import io
import struct
import time
import unicodedata
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import __main__ as command_line
from autograder import collect as module
from autograder.collect import CollectError, Owner, collect, folder_of, read_table
from autograder.gate import read_submission
from autograder.grade import find_students, gradebook_id

from .helpers import SLUG

NOON = (2026, 11, 20, 12, 0, 0)


def notebook(text: str = "mine") -> bytes:
    return b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [], "by": "%s"}' % text.encode()


def pack(path: Path, *entries, when=NOON) -> Path:
    """Write a zip: (name or ZipInfo, content) or (name, content, time)."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # the same name twice is what some tests want
        for name, content, *rest in entries:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name, rest[0] if rest else when)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path


def own_zip(*entries) -> bytes:
    data = io.BytesIO()
    pack(data, *entries)
    return data.getvalue()


def moodle(name: str, number: int, file: str = "work.ipynb", form: str = "_assignsubmission_file/") -> str:
    return f"{name}_{number}{form}{file}"


def handed_in(submitted: Path) -> dict[str, bytes]:
    """Notebooks by folder; and nothing else stands in a student's folder but a time."""
    found = {}
    for folder in find_students(submitted):
        assert {p.name for p in (submitted / folder).iterdir()} == {SLUG}
        names = {p.name for p in (submitted / folder / SLUG).iterdir()}
        assert names <= {f"{SLUG}.ipynb", "timestamp.txt"}
        if f"{SLUG}.ipynb" in names:
            found[folder] = (submitted / folder / SLUG / f"{SLUG}.ipynb").read_bytes()
    return found


def statuses(summary) -> dict[str, str]:
    return {outcome.folder: outcome.status for outcome in summary.outcomes}


def notes_of(summary, folder: str) -> str:
    return "\n".join(note for outcome in summary.outcomes if outcome.folder == folder for note in outcome.notes)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# --- what the two programs write ---------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["_assignsubmission_file/", "_assignsubmission_file_/", "_assignsubmission_file_"])
def test_moodle_folder_old_folder_and_flat_form(tmp_path, form):
    archive = pack(
        tmp_path / "a.zip",
        (moodle("Ada Lovelace", 101, "anything at all.ipynb", form), notebook("ada")),
        (moodle("Émile Zola", 102, f"{SLUG}.ipynb", form), notebook("emile")),
    )
    summary = collect([archive], SLUG, tmp_path / "in")
    assert handed_in(tmp_path / "in") == {"Ada Lovelace 101": notebook("ada"), "Émile Zola 102": notebook("emile")}
    assert summary.lms == "moodle" and summary.complete
    rows = {row["folder"]: row for row in read_table(tmp_path / "in")}
    assert rows["Ada Lovelace 101"]["id"] == "101" and rows["Ada Lovelace 101"]["name"] == "Ada Lovelace"
    assert rows["Ada Lovelace 101"]["file"] == "anything at all.ipynb"
    assert "2 new" in str(summary)


def test_moodle_text_answers_groups_and_blind_marking(tmp_path):
    archive = pack(
        tmp_path / "a.zip",
        (moodle("Ada Lovelace", 101, "onlinetext.html", "_assignsubmission_onlinetext/"), b"<p>hello</p>"),
        (moodle("Ada Lovelace", 101), notebook("ada")),
        (moodle("Only Text", 102, "onlinetext.html", "_assignsubmission_onlinetext/"), b"<p>hello</p>"),
        (moodle("Group A", 7), notebook("group")),
        ("Default group_assignsubmission_file/x.ipynb", notebook("default")),
        (moodle("Participant", 103), notebook("blind")),
    )
    summary = collect([archive], SLUG, tmp_path / "in")
    assert handed_in(tmp_path / "in") == {
        "Ada Lovelace 101": notebook("ada"), "Group A 7": notebook("group"), "Default group": notebook("default"),
        "Participant 103": notebook("blind"),
    }
    assert statuses(summary)["Only Text 102"] == "empty"
    assert "no notebook was handed in; found onlinetext.html" in notes_of(summary, "Only Text 102")
    assert "Only Text 102" in find_students(tmp_path / "in")


def test_canvas_names_late_marks_and_resubmissions(tmp_path):
    archive = pack(
        tmp_path / "a.zip",
        (f"lovelaceada_31_9001_{SLUG}-2.ipynb", notebook("ada")),
        (f"zolaemile_LATE_32_9002_{SLUG}.ipynb", notebook("emile")),
        ("o_brien2_33_9003_my_34_35_work.ipynb", notebook("brien")),
        ("anon_aB1c_9004_x.ipynb", notebook("anonymous")),
        ("LATE_anon_Ab1C_9005_x.ipynb", notebook("late anonymous")),
        ("_36_9006_x.ipynb", notebook("emoji name")),
        ("textonly_37_text.html", b"<p>hello</p>"),
        ("linkonly_LATE_38_link.html", b"<p>hello</p>"),
    )
    summary = collect([archive], SLUG, tmp_path / "in")
    notebooks = handed_in(tmp_path / "in")
    rows = {row["id"]: row for row in read_table(tmp_path / "in")}
    assert {rows[i]["folder"]: rows[i]["late"] for i in ("31", "32", "33", "36")} == {
        "lovelaceada 31": "", "zolaemile 32": "yes", "o_brien2 33": "", "36": "",
    }
    assert notebooks[rows["33"]["folder"]] == notebook("brien")
    assert rows["33"]["file"] == "my_34_35_work.ipynb" and rows["33"]["attachment"] == "9003"
    assert notebooks[rows["anon_aB1c"]["folder"]] == notebook("anonymous")
    assert notebooks[rows["anon_Ab1C"]["folder"]] == notebook("late anonymous") and rows["anon_Ab1C"]["late"] == "yes"
    assert rows["anon_aB1c"]["folder"].casefold() != rows["anon_Ab1C"]["folder"].casefold()
    assert statuses(summary)["textonly 37"] == statuses(summary)["linkonly 38"] == "empty"


def test_which_of_several_notebooks(tmp_path):
    later = (2026, 11, 21, 12, 0, 0)
    archive = pack(
        tmp_path / "a.zip",
        (moodle("Named", 1, f"{SLUG}.ipynb"), notebook("named")),
        (moodle("Named", 1, "scratch.ipynb"), notebook("scratch"), later),
        (moodle("Newest", 2, "b.ipynb"), notebook("newest"), later),
        (moodle("Newest", 2, "a.ipynb"), notebook("older")),
        (moodle("Deep", 3, f"folder/.ipynb_checkpoints/{SLUG}-checkpoint.ipynb"), notebook("checkpoint"), later),
        (moodle("Deep", 3, f"folder/{SLUG}.ipynb"), notebook("deep")),
        (moodle("None", 4, "essay.pdf"), b"%PDF"),
    )
    summary = collect([archive], SLUG, tmp_path / "in")
    assert handed_in(tmp_path / "in") == {
        "Named 1": notebook("named"), "Newest 2": notebook("newest"), "Deep 3": notebook("deep"),
    }
    assert "took the one named" in notes_of(summary, "Named 1") and "took the newest, b.ipynb" in notes_of(
        summary, "Newest 2"
    )
    assert notes_of(summary, "Deep 3") == ""
    # what the grader makes of a student without a notebook
    assert read_submission(tmp_path / "in" / "None 4" / SLUG, SLUG, {}).verdict == "missing"


def test_canvas_takes_the_last_upload_of_two_with_the_name(tmp_path):
    archive = pack(
        tmp_path / "a.zip",
        (f"ada_1_902_{SLUG}-1.ipynb", notebook("second")), (f"ada_1_901_{SLUG}.ipynb", notebook("first")),
    )
    collect([archive], SLUG, tmp_path / "in")
    assert handed_in(tmp_path / "in") == {"ada 1": notebook("second")}


def test_a_students_own_zip(tmp_path):
    deep = own_zip(("x.ipynb", notebook("too deep")))
    bad_crc = bytearray(own_zip(("x.ipynb", notebook() * 50)))
    bad_crc[45] ^= 0xFF
    archive = pack(
        tmp_path / "a.zip",
        (moodle("Mac", 1, "work.zip"), own_zip((f"w/{SLUG}.ipynb", notebook("zip")), ("__MACOSX/w/._x.ipynb", b""))),
        (moodle("Twice", 2, "work.zip"), own_zip(("inner.zip", deep))),
        (moodle("Broken", 3, "work.zip"), b"PK\x03\x04 this is no zip"),
        (moodle("Both", 4, "work.zip"), own_zip((f"{SLUG}.ipynb", notebook("in the zip")))),
        (moodle("Both", 4, "other.ipynb"), notebook("beside")),
        (moodle("Bad crc", 5, "work.zip"), bytes(bad_crc)),
    )
    summary = collect([archive], SLUG, tmp_path / "in")
    assert handed_in(tmp_path / "in") == {"Mac 1": notebook("zip"), "Both 4": notebook("beside")}
    assert "a zip in a zip is not opened" in notes_of(summary, "Twice 2")
    assert "cannot be opened" in notes_of(summary, "Broken 3") and "cannot be read" in notes_of(summary, "Bad crc 5")
    assert summary.complete  # a student's own zip is the student's


# --- times ---------------------------------------------------------------------------------------------------------


def test_times_are_written_when_they_are_not_those_of_the_packing(tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Zurich")
    time.tzset()
    try:
        archive = pack(
            tmp_path / "a.zip",
            (moodle("Ada", 1), notebook("a"), (2026, 11, 19, 12, 0, 0)),
            (moodle("Bob", 2), notebook("b"), (2026, 7, 1, 12, 0, 0)),
            (moodle("Unknown", 3), notebook("c"), (1980, 1, 1, 0, 0, 0)),
        )
        collect([archive], SLUG, tmp_path / "in")
    finally:
        monkeypatch.undo()
        time.tzset()
    stamp = "{}/" + SLUG + "/timestamp.txt"
    assert (tmp_path / "in" / stamp.format("Ada 1")).read_text() == "2026-11-19 11:00:00 UTC\n"
    assert (tmp_path / "in" / stamp.format("Bob 2")).read_text() == "2026-07-01 10:00:00 UTC\n"
    assert not (tmp_path / "in" / stamp.format("Unknown 3")).exists()


def test_the_gate_and_nbgrader_read_the_times(tmp_path):
    from nbgrader.utils import parse_utc

    info = zipfile.ZipInfo(moodle("Ada", 1), NOON)
    info.extra = struct.pack("<HHBi", 0x5455, 5, 1, 1_700_000_000)  # seconds since 1970, whatever the zone
    archive = pack(tmp_path / "a.zip", (info, notebook()), (moodle("Bob", 2), notebook()))
    collect([archive], SLUG, tmp_path / "in")
    stamp = (tmp_path / "in" / "Ada 1" / SLUG / "timestamp.txt").read_text()
    assert parse_utc(stamp.strip()).isoformat() == "2023-11-14T22:13:20"


def test_times_of_the_packing_are_not_taken_for_those_of_the_students(tmp_path):
    archive = pack(tmp_path / "a.zip", (moodle("Ada", 1), notebook("a")), (moodle("Bob", 2), notebook("b")))
    summary = collect([archive], SLUG, tmp_path / "in")
    assert not list((tmp_path / "in").rglob("timestamp.txt"))
    assert "no timestamp.txt" in str(summary)


# --- again ---------------------------------------------------------------------------------------------------------


def test_collecting_again(tmp_path):
    day = [(2026, 11, d, 12, 0, 0) for d in (1, 2, 3)]
    first = pack(
        tmp_path / "1.zip", (moodle("Ada", 1), notebook("1")), (moodle("Bob", 2), notebook("b")),
        (moodle("Gone", 3), notebook("gone")), when=day[0],
    )
    second = pack(
        tmp_path / "2.zip", (moodle("Ada", 1), notebook("2")), (moodle("Bob", 2), notebook("b")),
        (moodle("New", 4), notebook("new")), when=day[1],
    )
    submitted = tmp_path / "in"
    collect([first], SLUG, submitted)
    before = tree(submitted)
    assert set(statuses(collect([first], SLUG, submitted)).values()) == {"unchanged"}
    assert tree(submitted) == before
    summary = collect([second], SLUG, submitted)
    assert statuses(summary) == {"Ada 1": "replaced", "Bob 2": "unchanged", "New 4": "new"}
    expected = {"Ada 1": notebook("2"), "Bob 2": notebook("b"), "Gone 3": notebook("gone"), "New 4": notebook("new")}
    assert handed_in(submitted) == expected
    summary = collect([first], SLUG, submitted)  # the older one again
    assert statuses(summary)["Ada 1"] == "kept" and "as new" in notes_of(summary, "Ada 1")
    assert handed_in(submitted) == expected
    # both at once, in the wrong order: the same
    collect([second, first], SLUG, tmp_path / "other")
    assert handed_in(tmp_path / "other") == expected
    # withdrawn: what is there stays
    third = pack(tmp_path / "3.zip", (moodle("Ada", 1, "sorry.txt"), b"I withdrew"), when=day[2])
    assert statuses(collect([third], SLUG, submitted)) == {"Ada 1": "kept"}
    assert handed_in(submitted) == expected


def test_what_a_person_mended_stays_until_the_student_hands_in_anew(tmp_path):
    submitted, file = tmp_path / "in", tmp_path / "in" / "Ada 1" / SLUG / f"{SLUG}.ipynb"
    days = [(2026, 11, d, 12, 0, 0) for d in (1, 2, 3)]
    for day, content, expected in zip(days, ("a", "a", "b"), ("unchanged", "unchanged", "replaced"), strict=True):
        archive = pack(tmp_path / "a.zip", (moodle("Ada", 1), notebook(content)), when=day)
        if day == days[0]:
            collect([archive], SLUG, submitted)
            file.write_bytes(notebook("mended"))
        assert statuses(collect([archive], SLUG, submitted)) == {"Ada 1": expected}
        assert file.read_bytes() == (notebook("mended") if expected == "unchanged" else notebook("b"))


def test_a_lost_table_loses_nobody(tmp_path):
    submitted = tmp_path / "in"
    archive = pack(tmp_path / "1.zip", (moodle("Ada", 1), notebook("1")))
    collect([archive], SLUG, submitted)
    table = (submitted / "students.csv").read_bytes()
    (submitted / "students.csv").unlink()
    assert statuses(collect([archive], SLUG, submitted)) == {"Ada 1": "unchanged"}
    assert (submitted / "students.csv").read_bytes() == table


def test_a_student_keeps_the_folder_from_one_assignment_to_the_next(tmp_path):
    from neuralnotes import tasks

    other = next(slug for slug in tasks.ASSIGNMENTS if slug != SLUG)
    submitted = tmp_path / "in"
    collect([pack(tmp_path / "1.zip", (moodle("Ada", 1), notebook()), (moodle("Twin", 2), notebook()),
                  (moodle("Twin", 3), notebook()))], SLUG, submitted)
    # Moodle numbers the participants of every assignment anew, and 1 is somebody else now
    second = pack(tmp_path / "2.zip", (moodle("Ada", 11), notebook()), (moodle("Twin", 1), notebook()))
    collect([second], other, submitted)
    rows = {(row["assignment"], row["id"]): row["folder"] for row in read_table(submitted)}
    assert rows[SLUG, "1"] == rows[other, "11"] == "Ada 1"
    assert rows[SLUG, "2"] == "Twin 2" and rows[SLUG, "3"] == "Twin 3"
    assert rows[other, "1"] == "Twin 1"  # which of the two twins it is nobody can know
    # Canvas numbers persons
    for slug in (SLUG, other):
        collect([pack(tmp_path / "3.zip", ("ada_1_2_x.ipynb", notebook()))], slug, tmp_path / "canvas")
    assert find_students(tmp_path / "canvas") == ["ada 1"]


# --- hostile -------------------------------------------------------------------------------------------------------


def outside(tmp_path: Path, submitted: Path) -> dict[str, bytes]:
    return {name: data for name, data in tree(tmp_path).items() if not name.startswith(submitted.name + "/")}


@pytest.mark.parametrize(
    "name",
    [
        "../../evil_1_assignsubmission_file/x.ipynb", "/etc/evil_1_assignsubmission_file/x.ipynb",
        "evil_1_assignsubmission_file/../../../x.ipynb", "C:\\evil_1_assignsubmission_file\\x.ipynb",
        ".._1_assignsubmission_file/x.ipynb", "a/../.._1_assignsubmission_file/x.ipynb",
        "~_1_assignsubmission_file/x.ipynb", "CON. . _1_assignsubmission_file/x.ipynb",
        "x" * 300 + "_1_assignsubmission_file/x.ipynb", "é" * 300 + "_1_assignsubmission_file/" + "y" * 300 + ".ipynb",
        '"a" \'b\' *?[]{}|<>:_1_assignsubmission_file/x.ipynb', "🦊 हिन्दी عربى_1_assignsubmission_file/🦊.ipynb",
        "=cmd|' /C calc'!A1_1_assignsubmission_file/x.ipynb", "\x1b[31mred\n_1_assignsubmission_file/x.ipynb",
    ],
)
def test_names_that_contain_anything(tmp_path, name):
    archive, submitted = pack(tmp_path / "a.zip", (name, notebook())), tmp_path / "in"
    before = outside(tmp_path, submitted)
    summary = collect([archive], SLUG, submitted)
    assert outside(tmp_path, submitted) == before
    (folder,) = handed_in(submitted)
    assert gradebook_id(folder) == folder and len(folder.encode()) < 200 and folder == folder.strip(". ")
    assert "\x1b" not in str(summary)
    (row,) = read_table(submitted)
    assert row["folder"] == folder and row["id"] == "1"
    with (submitted / "students.csv").open(newline="", encoding="utf-8") as file:
        assert not any(cell[:1] in "=+@" for line in csv.reader(file) for cell in line if cell)
    assert statuses(collect([archive], SLUG, submitted)) == {folder: "unchanged"}  # and the name is found again


def test_cp437_and_unmarked_utf8_names(tmp_path):
    class Raw(zipfile.ZipInfo):
        def _encodeFilenameFlags(self):  # what programs write that do not say which encoding
            return self.raw, 0

    entries = []
    for raw in ("Zoë_1_assignsubmission_file/x.ipynb".encode(), "Zoë_2_assignsubmission_file/x.ipynb".encode("cp437")):
        info = Raw("placeholder")
        info.raw = raw
        entries.append((info, notebook()))
    collect([pack(tmp_path / "a.zip", *entries)], SLUG, tmp_path / "in")
    assert find_students(tmp_path / "in") == ["Zoë 1", "Zoë 2"]


def test_links_devices_passwords_and_duplicates(tmp_path):
    def special(mode: int, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, NOON)
        info.external_attr = mode << 16
        return info

    archive = pack(
        tmp_path / "a.zip",
        (special(0o120777, moodle("Link", 1)), b"/etc/passwd"),
        (special(0o020666, moodle("Device", 2)), b""),
        (moodle("Locked", 3), notebook()),
        (moodle("Double", 4), notebook("first")), (moodle("Double", 4), notebook("second")),
        (moodle("Fine", 5), notebook("fine")),
    )
    data = bytearray(archive.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag "encrypted" of the third entry
        place = -1
        for _ in range(3):
            place = data.index(magic, place + 1)
        data[place + offset] |= 1
    archive.write_bytes(bytes(data))
    summary = collect([archive], SLUG, tmp_path / "in")
    assert handed_in(tmp_path / "in") == {"Double 4": notebook("second"), "Fine 5": notebook("fine")}
    for folder, word in (("Link 1", "link"), ("Device 2", "device"), ("Locked 3", "encrypted"), ("Double 4", "2 not")):
        assert word in notes_of(summary, folder)
    assert not any(path.is_symlink() for path in (tmp_path / "in").rglob("*"))


def test_bombs_cost_their_own_points_only(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_OWN_FILES", 20)
    big = b"\0" * (module.MAX_BYTES + 1)
    archive = pack(
        tmp_path / "a.zip",
        (moodle("Bomb", 1), big),
        (moodle("Own bomb", 2, "b.zip"), own_zip(("x.ipynb", big))),
        (moodle("Many", 3, "m.zip"), own_zip(*((f"{i}.ipynb", b"") for i in range(21)))),
        (moodle("Liar", 4), big),
        (moodle("Fine", 5), notebook("fine")),
    )
    data = bytearray(archive.read_bytes())
    place = -1
    for _ in range(4):
        place = data.index(b"PK\x01\x02", place + 1)
    data[place + 24 : place + 28] = struct.pack("<I", 100)  # "unpacks to 100 bytes"
    archive.write_bytes(bytes(data))
    summary = collect([archive], SLUG, tmp_path / "in")
    assert handed_in(tmp_path / "in") == {"Fine 5": notebook("fine")}
    assert statuses(summary)["Bomb 1"] == "empty" and "more than 20 MB" in notes_of(summary, "Bomb 1")
    assert "more than 20 MB" in notes_of(summary, "Own bomb 2") and "more than 20 files" in notes_of(summary, "Many 3")


def test_what_a_run_unpacks_is_limited_in_total(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_TOTAL", module.MAX_BYTES + 100)
    archive = pack(
        tmp_path / "a.zip", (moodle("Ada", 1), b"1" * 200), (moodle("Bob", 2), b"2"), (moodle("Cy", 3), b"3")
    )
    summary = collect([archive], SLUG, tmp_path / "in")
    assert handed_in(tmp_path / "in") == {"Ada 1": b"1" * 200}
    assert not summary.complete and "collect fewer at a time" in notes_of(summary, "Bob 2")


def test_damage_in_the_download_costs_one_student_and_is_said(tmp_path):
    archive = pack(tmp_path / "a.zip", (moodle("Ada", 1), notebook("a") * 99), (moodle("Bob", 2), notebook("b")))
    data = bytearray(archive.read_bytes())
    data[80] ^= 0xFF
    archive.write_bytes(bytes(data))
    summary = collect([archive], SLUG, tmp_path / "in")
    assert handed_in(tmp_path / "in") == {"Bob 2": notebook("b")}
    assert not summary.complete and statuses(summary)["Ada 1"] == "damaged"
    arguments = ["collect", str(archive), "--assignment", SLUG, "--submitted", str(tmp_path / "in")]
    assert command_line.main(arguments) == 1


def test_links_in_the_folder_are_not_followed(tmp_path):
    submitted, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    (submitted / "Bob 2" / SLUG).mkdir(parents=True)
    elsewhere.mkdir()
    (submitted / "Ada 1").symlink_to(elsewhere)
    (submitted / "Bob 2" / SLUG / f"{SLUG}.ipynb").symlink_to(elsewhere / "target")
    (submitted / "Bob 2" / SLUG / f"{SLUG}.ipynb.part").symlink_to(elsewhere / "target")
    archive = pack(tmp_path / "a.zip", (moodle("Ada", 1), notebook()), (moodle("Bob", 2), notebook("b")))
    summary = collect([archive], SLUG, submitted)
    assert list(elsewhere.iterdir()) == []
    assert "symbolic link" in notes_of(summary, "Ada 1")
    assert (submitted / "Bob 2" / SLUG / f"{SLUG}.ipynb").read_bytes() == notebook("b")


@pytest.mark.parametrize("case", ["no file", "no zip", "truncated", "empty", "strangers", "forced", "mixed", "table",
                                  "assignment", "folder"])
def test_one_clear_error_and_nothing_written(tmp_path, capsys, case):
    submitted = tmp_path / "in"
    good = pack(tmp_path / "good.zip", (moodle("Ada", 1), notebook()))
    archives, slug, options, word = [good, tmp_path / "other.zip"], SLUG, [], ""
    if case == "no file":
        word = "no such file"
    elif case == "no zip":
        archives[1].write_bytes(b"<html>please log in</html>")
        word = "not a zip"
    elif case == "truncated":
        archives[1].write_bytes(good.read_bytes()[:-30])
        word = "cut short"
    elif case == "empty":
        pack(archives[1])
        word = "found no file"
    elif case == "strangers":
        pack(archives[1], ("homework/ada.ipynb", notebook()))
        word = "homework/ada.ipynb"
    elif case == "forced":
        archives, options, word = [good], ["--lms", "canvas"], "canvas"
    elif case == "mixed":
        pack(archives[1], ("ada_1_2_x.ipynb", notebook()))
        word = "canvas and moodle"
    elif case == "table":
        submitted.mkdir()
        (submitted / "students.csv").write_text("student,mail\nada,a@b\n")
        archives, word = [good], "no column"
    elif case == "assignment":
        archives, slug, word = [good], "no-such", "there is no assignment"
    elif case == "folder":
        submitted.write_text("a file")
        archives, word = [good], "has to be a folder"
    before = tree(tmp_path)
    arguments = ["collect", *map(str, archives), "--assignment", slug, "--submitted", str(submitted), *options]
    assert command_line.main(arguments) == 2
    error = capsys.readouterr().err
    assert word in error and "Traceback" not in error
    assert tree(tmp_path) == before and (submitted.exists() == (case in ("table", "folder")))


# --- any name ------------------------------------------------------------------------------------------------------

names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="_\0"), max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.lists(names, min_size=1, max_size=6), st.sampled_from(["moodle", "canvas"]))
def test_any_name_keeps_students_apart_and_inside(tmp_path_factory, students, lms):
    tmp_path = tmp_path_factory.mktemp("any")
    form = "{}_{}_assignsubmission_file/x.ipynb" if lms == "moodle" else "{}_{}_7_x.ipynb"
    entries = [(form.format(name, 100 + i), notebook(str(i))) for i, name in enumerate(students)]
    collect([pack(tmp_path / "a.zip", *entries)], SLUG, tmp_path / "in", lms)
    found = handed_in(tmp_path / "in")
    assert sorted(found.values()) == sorted(notebook(str(i)) for i in range(len(students)))
    assert {p.name for p in tmp_path.iterdir()} == {"a.zip", "in"}
    folders = {unicodedata.normalize("NFKC", folder).casefold() for folder in found}
    assert len(folders) == len(students)
    assert all(gradebook_id(folder) == folder for folder in found)
    rows = read_table(tmp_path / "in")
    assert {row["id"]: found[row["folder"]] for row in rows} == {
        str(100 + i): notebook(str(i)) for i in range(len(students))
    }


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400), st.text(max_size=400))
def test_a_folder_is_always_one_safe_component(name, number):
    folder = folder_of(Owner("moodle", number, name), SLUG, [])
    assert folder not in ("", ".", "..") and not set(folder) & set('/\\:*?"<>|[]{}\0\n')
    assert folder == folder.strip(" .") and len(folder.encode()) < 200
    again = [{"lms": "moodle", "id": "other", "name": "x", "assignment": SLUG, "folder": folder.upper()}]
    assert folder_of(Owner("moodle", number, name), SLUG, again).upper() != folder.upper()


def test_an_archive_of_a_whole_lecture_is_quick(tmp_path):
    entries = [(moodle(f"Student {i}", i), notebook(str(i))) for i in range(400)]
    archive = pack(tmp_path / "a.zip", *entries)
    start = time.perf_counter()
    collect([archive], SLUG, tmp_path / "in")
    assert len(handed_in(tmp_path / "in")) == 400
    assert time.perf_counter() - start < 10


def test_errors_are_cannot_start(tmp_path):
    with pytest.raises(CollectError, match="no such file"):
        collect([tmp_path / "nothing.zip"], SLUG, tmp_path / "in")
