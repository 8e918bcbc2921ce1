"""Every way that a file can be broken: rows with a reason for its student, and full marks for everybody else."""

from __future__ import annotations

import copy
import gzip
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from autograder import gate, grade, workers
from autograder.__main__ import main
from autograder.gate import read_submission

from .helpers import SLUG, TOTAL, cell_of, hand_in, raw, read_rows, rows_of
from .test_attacks import gradebook_scores, lean, one_after_the_other, total

NAME = f"{SLUG}.ipynb"
READ_SECONDS = 3.0  # for the gate to read or refuse one file


def notebook_with(**fields) -> bytes:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [], **fields}).encode()


# -------------------------------------------------------- what cannot be read: name -> bytes, words of the reason

UNREADABLE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "white space": (b" \n\t ", "is empty"),
    "zeros": (bytes(1000), "is not JSON"),
    "text": (b"I did it on paper", "is not JSON"),
    "a Python dict": (b"{'nbformat': 4, 'cells': []}", "is not JSON"),
    "a web page": (b"<!DOCTYPE html><html><title>Sign in</title></html>", "is not JSON"),
    "merge conflict": (b'{\n<<<<<<< HEAD\n"nbformat": 4, "cells": []\n=======\n>>>>>>> mine\n}', "is not JSON"),
    "compressed": (gzip.compress(notebook_with()), "is not UTF-8"),
    "an archive": (b"PK\x03\x04\x14\x00\x00\x00\x08\x00" + bytes(range(256)), "is not UTF-8"),
    "binary": (bytes(range(256)) * 20, "is not UTF-8"),
    "UTF-16": (notebook_with().decode().encode("utf-16"), "is not UTF-8"),
    "UTF-16 without a mark": (notebook_with().decode().encode("utf-16-le"), "is not JSON"),
    "UTF-32": (notebook_with().decode().encode("utf-32"), "is not UTF-8"),
    "Latin-1": ('{"nbformat": 4, "cells": [], "x": "é"}'.encode("latin-1"), "is not UTF-8"),
    "surrogates as bytes": (b'{"nbformat": 4, "cells": [], "x": "\xed\xa0\x80"}', "is not UTF-8"),
    "overlong UTF-8": (b'{"nbformat": 4, "cells": [], "x": "\xc0\xaf"}', "is not UTF-8"),
    "NUL in a string": (b'{"nbformat": 4, "cells": [], "x": "\x00"}', "is not JSON"),
    "two notebooks": (notebook_with() * 2, "is not JSON"),
    "list": (b"[]", "no object"),
    "number": (b"4", "no object"),
    "null": (b"null", "no object"),
    "NaN": (b"NaN", "no object"),
    "string": (b'"nbformat"', "no object"),
    "no cells": (b'{"nbformat": 4}', "no list of cells"),
    "worksheets": (b'{"nbformat": 3, "worksheets": [{"cells": []}]}', "format is 3"),
    "no nbformat": (b'{"cells": []}', "format is None"),
    "the same key twice, the last no format": (b'{"nbformat": 4, "cells": [], "nbformat": 3}', "format is 3"),
    "5,000 deep": (b"[" * 5_000 + b"]" * 5_000, "is not JSON"),
    "5,000 deep in a cell": (b'{"nbformat": 4, "cells": [' + b"[" * 5_000 + b"]" * 5_000 + b"]}", "is not JSON"),
    "100,000 deep": (b'{"nbformat": 4, "cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is not JSON"),
    "100,000 objects deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "is not JSON"),
    "20,000,000 brackets": (b"[" * 20_000_000, "more than 1000000"),
    "an int of 10,000 digits": (b'{"nbformat": 4, "cells": [], "x": ' + b"9" * 10_000 + b"}", "is not JSON"),
    "2,001 cells": (notebook_with(cells=[{}] * 2_001), "2001 cells"),
    "a million empty cells": (b'{"nbformat": 4, "cells": [' + b"{}," * 999_999 + b"{}]}", "more than 1000000"),
    "as many empty cells as may be": (b'{"nbformat": 4, "cells": [' + b"{}," * 999_997 + b"{}]}", "999998 cells"),
    "six million empty lists": (b'{"nbformat": 4, "cells": [' + b"[]," * 6_000_000 + b"[]]}", "more than 1000000"),
    **{f"nbformat {repr(value)[:20]}": (notebook_with(nbformat=value), f"format is {str(value)[:20]}")
       for value in (2, 3, 5, 9, 0, -4, "4", 4.5, None, [4], {"4": 4}, False, 10**400)},
    **{f"cells are {value!r}": (notebook_with(cells=value), "no list of cells")
       for value in ({}, {"0": {}}, "cells", 5, None, True)},
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_has_a_reason(name, tmp_path, release):
    content, words = UNREADABLE[name]
    folder = tmp_path / "student" / SLUG
    hand_in(folder, content)
    start = time.monotonic()
    result = read_submission(folder, SLUG, release)
    assert time.monotonic() - start < READ_SECONDS
    assert (result.verdict, result.notebook) == ("unreadable", release)
    assert result.reason.startswith(NAME) and words in result.reason and len(result.reason) < 300
    assert result.reason.isprintable() and result.reason.encode()


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.3, 0.5, 0.9, 0.9999])
def test_a_file_that_was_cut_short(share, tmp_path, solved, release):
    data = json.dumps(raw(solved)).encode()
    folder = tmp_path / "student" / SLUG
    hand_in(folder, data[: int(share * len(data))])
    assert read_submission(folder, SLUG, release).verdict == "unreadable"


# ---------------------------------------------------------- what is no file: name -> how it comes about, verdict

Maker = Callable[[Path, Path], None]  # called with <student>/<assignment>, and a right notebook elsewhere
NO_FILE: dict[str, tuple[Maker, str, str]] = {}


def no_file(name: str, verdict: str, words: str) -> Callable[[Maker], Maker]:
    def register(make: Maker) -> Maker:
        NO_FILE[name] = make, verdict, words
        return make

    return register


@no_file("no folder", "missing", f"no {NAME} was handed in")
def _(folder, right):
    folder.parent.mkdir(parents=True)


@no_file("an empty folder", "missing", f"no {NAME} was handed in")
def _(folder, right):
    folder.mkdir(parents=True)


@no_file("another name", "missing", "found Untitled (1).ipynb")
def _(folder, right):
    folder.mkdir(parents=True)
    (folder / "Untitled (1).ipynb").write_bytes(right.read_bytes())


@no_file("another case", "missing", f"found {NAME.title()}")
def _(folder, right):
    folder.mkdir(parents=True)
    (folder / NAME.title()).write_bytes(right.read_bytes())


@no_file("a name of bytes", "missing", "found ??.ipynb")
def _(folder, right):
    folder.mkdir(parents=True)
    with open(os.path.join(os.fsencode(folder), b"\xff\xfe.ipynb"), "wb"):
        pass


@no_file("names that take a terminal over", "missing", "found")
def _(folder, right):
    folder.mkdir(parents=True)
    for name in ("\x1b[31mred", "new\nline", "\u202egnp.exe", "x" * 255):
        (folder / name).write_bytes(b"")


@no_file("a folder", "unreadable", "is not a file")
def _(folder, right):
    (folder / NAME).mkdir(parents=True)


@no_file("a folder with the notebook in it", "unreadable", "is not a file")
def _(folder, right):
    hand_in(folder / NAME, right.read_bytes())


@no_file("a pipe", "unreadable", "is not a file")
def _(folder, right):
    folder.mkdir(parents=True)
    os.mkfifo(folder / NAME)


@no_file("a socket", "unreadable", "is not a file")
def _(folder, right):
    folder.mkdir(parents=True)
    here = os.open(".", os.O_RDONLY)
    os.chdir(folder)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(NAME)
    os.fchdir(here)
    os.close(here)


@no_file("200 MB", "unreadable", "has 200 MB; the limit is 20")
def _(folder, right):
    os.truncate(hand_in(folder, b"{}"), 200 * 2**20)  # sparse: it takes no room on the disk


@no_file("one byte too many", "unreadable", "the limit is 20")
def _(folder, right):
    os.truncate(hand_in(folder, b"{}"), gate.MAX_BYTES + 1)


@no_file("a link to a notebook", "unreadable", "symbolic link")
def _(folder, right):
    folder.mkdir(parents=True)
    (folder / NAME).symlink_to(right)


@no_file("a relative link within the folder", "unreadable", "symbolic link")
def _(folder, right):
    folder.mkdir(parents=True)
    (folder / "mine.ipynb").write_bytes(right.read_bytes())
    (folder / NAME).symlink_to("mine.ipynb")


@no_file("a link to a device", "unreadable", "symbolic link")
def _(folder, right):
    folder.mkdir(parents=True)
    (folder / NAME).symlink_to("/dev/zero")


@no_file("a dangling link", "unreadable", "symbolic link")
def _(folder, right):
    folder.mkdir(parents=True)
    (folder / NAME).symlink_to("nowhere")


@no_file("a link to itself", "unreadable", "symbolic link")
def _(folder, right):
    folder.mkdir(parents=True)
    (folder / NAME).symlink_to(NAME)


@no_file("the folder a link", "unreadable", "symbolic link")
def _(folder, right):
    folder.parent.mkdir(parents=True)
    folder.symlink_to(right.parent)


@no_file("the folder a link in a circle", "unreadable", "symbolic link")
def _(folder, right):
    folder.parent.mkdir(parents=True)
    folder.symlink_to(folder)


@no_file("a file for the folder", "missing", f"no {NAME} was handed in")
def _(folder, right):
    folder.parent.mkdir(parents=True)
    folder.write_bytes(right.read_bytes())


@pytest.mark.parametrize("name", NO_FILE)
def test_what_is_no_file(name, tmp_path, solved, release):
    make, verdict, words = NO_FILE[name]
    right = hand_in(tmp_path / "right" / SLUG, raw(solved))
    folder = tmp_path / "student" / SLUG
    make(folder, right)
    result = read_submission(folder, SLUG, release)
    assert (result.verdict, result.notebook) == (verdict, release)
    assert words in result.reason and len(result.reason) < 300
    assert result.reason.isprintable() and result.reason.encode()


def test_the_students_folder_may_be_a_link_no_more_than_the_file(tmp_path, solved, release):
    hand_in(tmp_path / "right" / SLUG, raw(solved))
    (tmp_path / "cheat").symlink_to(tmp_path / "right")
    result = read_submission(tmp_path / "cheat" / SLUG, SLUG, release)
    assert result.verdict == "unreadable" and "symbolic link" in result.reason


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_may_not_be_read(what, tmp_path, solved, release):
    folder = tmp_path / "student" / SLUG
    path = hand_in(folder, raw(solved))
    closed = path if what == "file" else folder
    closed.chmod(0)
    try:
        if os.access(closed, os.R_OK):
            pytest.skip("this user may read everything")
        result = read_submission(folder, SLUG, release)
    finally:
        closed.chmod(0o700)
    assert result.verdict == "unreadable" and "cannot be read" in result.reason


def test_a_file_over_the_limit_is_not_read(tmp_path, release, monkeypatch):
    folder = tmp_path / "student" / SLUG
    NO_FILE["200 MB"][0](folder, tmp_path)

    def read(*arguments, **more):
        raise AssertionError("the file was read")

    monkeypatch.setattr(Path, "read_bytes", read)
    monkeypatch.setattr(json, "loads", read)
    assert "200 MB" in read_submission(folder, SLUG, release).reason


# ----------------------------------------------------------------------- what is odd, and costs nothing at all


def encoded(text: str) -> Callable[[dict], bytes]:
    """A notebook with a member before all others."""
    return lambda content: b"{" + text.encode() + b", " + json.dumps(content).encode()[1:]


READABLE: dict[str, Callable[[dict], bytes]] = {
    "byte order mark": lambda content: b"\xef\xbb\xbf" + json.dumps(content).encode(),
    "not escaped": lambda content: json.dumps(content, ensure_ascii=False).encode(),
    "white space around": lambda content: b"\n\n " + json.dumps(content).encode() + b"\r\n\n",
    "lines of Windows": lambda content: json.dumps(content, indent=1).replace("\n", "\r\n").encode(),
    "NaN and infinity": encoded('"x": [NaN, Infinity, -Infinity, 1e999, -0.0, 1e-999]'),
    "huge numbers": encoded('"x": [' + "9" * 4_000 + ", 1e308]"),
    "keys twice": encoded('"nbformat": 9, "cells": "none", "metadata": 3'),
    "lone surrogates": encoded(r'"x\ud800": "\ud800\udc00\udfff"'),
    "deep, but not too deep": encoded('"x": ' + "[" * 400 + "]" * 400),
    "nbformat 4.0": lambda content: json.dumps({**content, "nbformat": 4.0}).encode(),
    "minor of the future": lambda content: json.dumps({**content, "nbformat_minor": 99}).encode(),
    "minor that is none": lambda content: json.dumps({**content, "nbformat_minor": "five"}).encode(),
    "no metadata": lambda content: json.dumps({**content, "metadata": None}).encode(),
}


@pytest.mark.parametrize("name", READABLE)
def test_what_is_odd_is_read_all_the_same(name, tmp_path, solved, release):
    right, folder = tmp_path / "right" / SLUG, tmp_path / "student" / SLUG
    hand_in(right, raw(solved))
    hand_in(folder, READABLE[name](raw(solved)))
    result = read_submission(folder, SLUG, release)
    assert result.verdict == ""
    assert result.notebook == read_submission(right, SLUG, release).notebook


# ------------------------------------------------------------------------------------------- a class of these


def doubled(content: dict) -> None:
    content["cells"] = [copy.deepcopy(cell) for cell in content["cells"] for _ in range(2)]


def moved(content: dict) -> None:
    content["cells"].reverse()


def untested(content: dict) -> None:
    marks = [cell["metadata"].get("nbgrader", {}) for cell in content["cells"]]
    content["cells"] = [cell for cell, mark in zip(content["cells"], marks, strict=True)
                        if not mark.get("grade") or mark["solution"]]


def pictured(content: dict) -> None:
    """Pictures from the clipboard, as every Jupyter keeps them: beside the source, which the gate leaves out."""
    picture = {"source": "![a.png](attachment:a.png)", "attachments": {"a.png": {"image/png": "iVBORw0KGgo="}}}
    cell_of(content, f"{SLUG}-written-1").update(picture)
    content["cells"].append({"cell_type": "markdown", "id": "mine", "metadata": {}, **picture})


CHANGED = {"doubled cells": doubled, "moved cells": moved, "deleted tests": untested, "pictures": pictured}
STUDENTS = [
    "Zoë O'Hara (2)", 'say "cheese"', "😀" * 63, "new\nline", "tab\tbed", "..dots", "-rf", "--help", "~",
    "$HOME", "`id`", "'; drop table grade; --", "%s%n", "{0}", "\x1b[31mred", "\u202etxt.exe", "e\u0301", "\u00e9",
    "y" * 255, "zero\u200bwidth", "gradebook.db", SLUG, "submitted", "back\\slash", "trailing.", " ", "*",
    "<img src=x onerror=alert(1)>", "A", "a",
    os.fsdecode(b"not \xff UTF-8"), os.fsdecode(b"\xfe" * 255),
]


@pytest.fixture(scope="module")
def graded(tmp_path_factory, solved):
    """A class of broken files and of odd names, and one honest student: (folder, --out, exit status)."""
    folder = tmp_path_factory.mktemp("broken")
    submitted, out = folder / "submitted", folder / "out"
    content = raw(lean(solved))
    right = hand_in(folder / "right" / SLUG, content)
    for name, (data, _) in UNREADABLE.items():
        hand_in(submitted / name / SLUG, data)
    for name, (make, _, _) in NO_FILE.items():
        make(submitted / name / SLUG, right)
    for name, change in CHANGED.items():
        changed = copy.deepcopy(content)
        change(changed)
        hand_in(submitted / name / SLUG, changed)
    (submitted / "a file among the folders").write_text("x")
    (submitted / "zz linked").symlink_to(submitted / "zzz")
    for name in STUDENTS:
        hand_in(submitted / name / SLUG, b"{")
    hand_in(submitted / "zzz" / SLUG, content)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(workers, "here", one_after_the_other)
        monkeypatch.setenv("NEURALNOTES_SECRET", str(folder / "secret"))
        # nothing here is hostile, and without a sandbox one file more is written that holds the names
        command = ["grade", SLUG, "--submitted", str(submitted), "--out", str(out), "--jobs", "1", "--no-sandbox"]
        status = main(command)
    return submitted, out, status


def written(name: str) -> str:
    """A student's name as ``scores.csv`` has it: what is no UTF-8 cannot be written."""
    return name.encode("utf-8", "backslashreplace").decode()


@pytest.mark.slow
def test_the_run_goes_on_and_everybody_has_a_row_per_task(graded):
    submitted, out, status = graded
    assert status == 0
    expected = {*UNREADABLE, *NO_FILE, *CHANGED, *STUDENTS, "zz linked", "zzz"}
    assert {row["student"] for row in read_rows(out)} == set(map(written, expected))
    for name in expected:
        rows_of(out, written(name))


@pytest.mark.slow
def test_the_honest_have_full_marks(graded):
    scores = gradebook_scores(graded[1])
    for name in ("zzz", *CHANGED):
        assert total(graded[1], name) == sum(scores[name].values()) == TOTAL


@pytest.mark.slow
@pytest.mark.parametrize("name", [*UNREADABLE, *NO_FILE, "zz linked"])
def test_what_is_broken_has_no_points_and_a_reason(graded, name):
    rows = rows_of(graded[1], name)
    verdict, words = NO_FILE[name][1:] if name in NO_FILE else ("unreadable", "")
    for row in rows.values():
        assert (row["verdict"], float(row["score"])) == (verdict, 0)
        assert words in row["diagnosis"] and row["diagnosis"].isprintable()


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDENTS, ids=lambda name: ascii(name)[:30])
def test_a_name_that_holds_anything(graded, name):
    submitted, out, _ = graded
    assert {row["verdict"] for row in rows_of(out, written(name)).values()} == {"unreadable"}
    page = out / "feedback" / grade.gradebook_id(name) / SLUG / f"{SLUG}.html"
    assert "is not JSON" in page.read_text(encoding="utf-8")
    clean = out / "submitted" / grade.gradebook_id(name) / SLUG / NAME
    nbformat.validate(nbformat.read(clean, as_version=4))


@pytest.mark.slow
def test_the_gradebook_has_everybody_and_no_points_for_what_is_broken(graded):
    scores = gradebook_scores(graded[1])
    for name in [*UNREADABLE, *NO_FILE, "zz linked", *STUDENTS]:
        assert set(scores[grade.gradebook_id(name)].values()) == {0}, ascii(name)
    assert len(scores) == len(UNREADABLE) + len(NO_FILE) + len(CHANGED) + len(STUDENTS) + 2


@pytest.mark.slow
def test_no_name_is_taken_for_markup(graded):
    page = (graded[1] / "report.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert not any(character in page for character in "\x1b\x00")
