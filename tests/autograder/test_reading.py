"""Reading a notebook through: what its cells show, for the person who reads it, and nothing that could harm them."""

from __future__ import annotations

import base64
import copy
import struct
import zlib

import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import judge, reading
from autograder.record import write_outputs
from neuralnotes import data, date_reader
from neuralnotes.tasks import wire

from .helpers import FIRST, SLUG, TASKS, returning

ESCAPE = "import collections; system = collections._sys.modules['os']"


def notebook_of(*sources: str):
    """The release's set-up cell and cells of a student's own, ``own-1`` and so on."""
    setup = nbformat.v4.new_code_cell(
        "import matplotlib.pyplot as plt\nimport numpy as np\nfrom neuralnotes import check, data, date_reader, plots\n"
    )
    setup.id, setup.metadata = "setup", {"nbgrader": {"grade_id": "setup", "locked": True}}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    for number, cell in enumerate(cells, 1):
        cell.id = f"own-{number}"
    return nbformat.v4.new_notebook(cells=[setup, *cells])


def read(*sources: str) -> dict[str, list[dict]]:
    shown = judge.read_through(SLUG, notebook_of(*sources))
    for cell in (nbformat.v4.new_code_cell(outputs=outputs) for outputs in shown.values()):
        nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))
    return shown


def brief(outputs: list[dict]) -> list[tuple[str, str]]:
    """Outputs as pairs: kind, and text where it has one."""
    return [
        (o["name"], o["text"]) if o["output_type"] == "stream"
        else ("value", o["data"]["text/plain"]) if "text/plain" in o["data"] else ("image", "")
        for o in outputs
    ]


@pytest.fixture(scope="module")
def shown(solved):
    return judge.read_through(SLUG, solved)


def test_a_solved_notebook_shows_its_text_and_pictures(shown, solved):
    assert not any(name == "stderr" for outputs in shown.values() for name, _ in brief(outputs)), shown
    play = {cell.id for cell in solved.cells if judge.is_run(cell) and "nbgrader" not in cell.metadata}
    assert play <= set(shown)
    pictures = [o for outputs in shown.values() for o in outputs if "image/png" in o.get("data", {})]
    assert len(pictures) >= 9
    assert all(reading.is_png(base64.b64decode(picture["data"]["image/png"])) for picture in pictures)
    checks = {cell.id for cell in solved.cells if judge.is_check(cell)}
    assert not checks & set(shown)


def test_outputs_stand_in_the_autograded_notebook(shown, solved):
    notebook = copy.deepcopy(solved)
    judged = judge.judge_notebook(SLUG, notebook, 0)
    write_outputs(notebook, judged, shown)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code" and not judge.is_check(cell):
            assert [dict(output) for output in cell.outputs] == shown.get(cell.id, [])
    write_outputs(notebook, judged, {})  # not read through: what the first pass kept
    texts = [output["text"] for cell in notebook.cells if judge.is_run(cell) for output in cell.outputs]
    assert texts == [f"Ready: NumPy {np.__version__}\n"]


def test_what_cells_show():
    shown = read(
        "print('a')\nimport numpy\nprint('b', end='')\n3 + 4",
        "plt.plot([1, 2])\nprint('before')\nplt.show()\nprint('after')",
        "figure, ax = plt.subplots()\nax.plot([1, 2]);",
        "plots.image_row([np.eye(3)])",
        "x = 3\nx;",
        "np.float64(1) / np.float64(0)\nnp.log(-1.0)\nprint('went on')",
        "print('first')\n1 / 0",
        "display(np.eye(1), 'text')",
        "None",
        "",
        "%timeit 3\n!ls\nget_ipython()",
        "input('name?')",
        "def f(:",
        "plt.plot([1])\n1 / 0",
    )
    assert brief(shown["own-1"]) == [("stdout", "a\nb"), ("value", "7")]
    assert brief(shown["own-2"]) == [("stdout", "before\n"), ("image", ""), ("stdout", "after\n")]
    assert brief(shown["own-3"]) == brief(shown["own-4"]) == [("image", "")]
    assert brief(shown["own-6"])[-1] == ("stdout", "went on\n")
    assert brief(shown["own-7"]) == [("stdout", "first\n"), ("stderr", "ZeroDivisionError: division by zero "
                                                                      "(line 2 of the cell)\n")]
    assert brief(shown["own-8"]) == [("value", "array([[1.]])"), ("value", "'text'")]
    assert not {"own-5", "own-9", "own-10", "own-11"} & set(shown)
    assert "EOFError" in shown["own-12"][-1]["text"]  # and it does not wait for anybody
    assert shown["own-13"][0]["text"].startswith("SyntaxError")
    assert [kind for kind, _ in brief(shown["own-14"])] == ["image", "stderr"]


def test_the_courses_data_are_the_real_ones():
    shown = read(
        "s = data.digits()\nprint([a.shape for a in s], float(s.x_train.sum()), int(s.labels_test.sum()))",
        "print(float(data.photograph().sum()), data.photograph('flower', color=True, shrink=8).shape)",
        "p = date_reader.parameters()\nprint(sorted(p), float(p['embedding'].sum()), p['embedding'].dtype)",
        "print(date_reader.training_dates()[:2], date_reader.held_out_dates()[-1], len(date_reader.held_out_dates()))",
        "split = data.digits()\nsplit.x_train[:] = 0\nprint(float(data.digits().x_train.sum()))",
        "data.digits(test_size=100)",
        "data.mnist()",
        "print(check('x', 3), data.moons(4)[0].shape, plots.BLUE)",
    )
    split, p = data.digits(), date_reader.parameters()
    said = {key: brief(outputs)[0][1].rstrip("\n") for key, outputs in shown.items()}
    assert said["own-1"] == f"{[a.shape for a in split]} {split.x_train.sum()} {split.labels_test.sum()}"
    assert said["own-2"] == f"{float(data.photograph().sum())} (53, 80, 3)"
    assert said["own-3"] == f"{sorted(p)} {float(p['embedding'].sum())} float64"
    held_out = date_reader.held_out_dates()
    assert said["own-4"] == f"{date_reader.training_dates()[:2]} {held_out[-1]} {len(held_out)}"
    assert said["own-5"] == str(split.x_train.sum())
    assert "its own split only" in said["own-6"] and "mnist() is not there" in said["own-7"]
    assert said["own-8"] == f"None (4, 2) {'#0072B2'}"


FORBIDDEN = ["import torch", "import scipy.signal", "from sklearn import datasets", "import os",
             "from neuralnotes import convolution", "import neuralnotes.tasks", "from neuralnotes.tasks import wire"]


def test_nothing_of_the_methods_is_there():
    modules = (
        "import collections\nnames = {n.split('.')[0] for n in collections._sys.modules}\n"
        "print(sorted(names & {'torch', 'scipy', 'sklearn', 'autograder', 'IPython', 'nbformat'}))\n"
        "print(sorted(n for n in collections._sys.modules if n.startswith('neuralnotes')))"
    )
    loader = "import collections\ncollections._sys.modules['importlib'].import_module({!r})"
    shown = read(modules, *FORBIDDEN, *(loader.format(name) for name in ("torch", "scipy", "sklearn")))
    assert brief(shown["own-1"]) == [("stdout", "[]\n['neuralnotes', 'neuralnotes.data', 'neuralnotes.date_reader', "
                                      "'neuralnotes.plots']\n")]
    for number, source in enumerate(FORBIDDEN, 2):
        assert "may not be imported when graded" in shown[f"own-{number}"][-1]["text"], source
    for number in range(2 + len(FORBIDDEN), 5 + len(FORBIDDEN)):
        assert "is not there when graded" in shown[f"own-{number}"][-1]["text"]


def test_an_answer_may_not_import_matplotlib(solved):
    notebook = copy.deepcopy(solved)
    cell = next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == f"{FIRST}-solution")
    cell.source = "import matplotlib.pyplot as plt\n" + returning("1")
    notebook.cells = [c for c in notebook.cells if c.id in ("setup", cell.id)]
    assert "matplotlib.pyplot may not be imported" in judge.read_through(SLUG, notebook)[cell.id][0]["text"]


def test_limits():
    noise = "plt.imshow(np.random.default_rng(0).random((900, 900, 3)), interpolation='none')"
    shown = read(
        "print('é' * 10**6)",
        "for i in range(10**5): print(i)",
        "'x' * 10**6",
        f"plt.figure(figsize=(30, 30))\n{noise}",
        "for i in range(50):\n    plt.plot([i])\n    plt.show()",
        "figure = plt.figure(figsize=(1000, 1))",
        "plt.figure(figsize=(1e9, 1e9))",
        "class A:\n    def __repr__(self): return 7\nA()",
        "class B:\n    def __repr__(self): raise KeyError('x')\nB()",
        "print('still here')",
    )
    for number in (1, 2, 3):
        assert 19_000 < sum(len(text.encode()) for _, text in brief(shown[f"own-{number}"])) <= reading.MAX_TEXT
    assert "is left out" in shown["own-4"][-1]["text"]
    assert sum(kind == "image" for kind, _ in brief(shown["own-5"])) == 20
    width, height = struct.unpack(">II", base64.b64decode(shown["own-6"][0]["data"]["image/png"])[16:24])
    assert max(width, height) <= reading.MAX_PIXELS
    assert all(kind == "stderr" for key in ("own-8", "own-9") for kind, _ in brief(shown[key]))
    assert brief(shown["own-10"]) == [("stdout", "still here\n")]


def test_a_notebook_keeps_so_many_bytes(monkeypatch):
    monkeypatch.setattr(reading, "MAX_NOTEBOOK", 30_000)
    shown = read("print('x' * 15_000)", "print('y' * 15_000)\n", "print('z' * 15_000)", "print(1)")
    sizes = {key: sum(map(reading.size, outputs)) for key, outputs in shown.items()}
    assert sizes["own-1"] == 15_001 and sum(sizes.values()) <= 30_000


def test_a_cell_that_takes_the_kernel_down_is_left_out(monkeypatch):
    monkeypatch.setattr(judge, "CELL_SECONDS", 2.0)
    shown = read("x = 1\nprint(x)", f"{ESCAPE}; system._exit(3)", "while True: print('y' * 10**5)", "print(x + 1)")
    assert [text for key in shown for _, text in brief(shown[key])] == [
        "1\n", "the process ended (an exit, or a crash)\n", "no answer within 2 s\n", "2\n",
    ]


def test_the_whole_has_a_deadline(monkeypatch):
    monkeypatch.setattr(judge, "READING_SECONDS", 1.0)
    shown = read("print(1)", "while True: pass", "print(2)")
    assert "no answer within" in shown["own-2"][0]["text"] or "used up" in shown["own-2"][0]["text"]
    assert "used up" in shown["own-3"][0]["text"]


def test_a_notebook_that_could_not_be_read_is_not_run():
    notebook = notebook_of("print(1)")
    notebook.metadata["neuralnotes"] = {"verdict": "unreadable", "reason": "x"}
    assert judge.read_through(SLUG, notebook) == {}


# ------------------------------------------------------------------------------------------------- forged outputs

def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int = 1, height: int = 1, *more: bytes, end: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = b"".join([header, *more, chunk(b"IDAT", zlib.compress(b"\0\0")), chunk(b"IEND", b"")])
    return reading.SIGNATURE + body + end


NOT_PNG = {
    "nothing": b"", "the signature": reading.SIGNATURE, "HTML": b"<script>alert(1)</script>",
    "HTML behind the signature": reading.SIGNATURE + b"<script>alert(1)</script>",
    "HTML behind the end": png(end=b"<b>"),
    "cut short": png()[:-1], "huge": png(10**6, 1), "empty": png(0, 1), "odd chunk": png(1, 1, chunk(b"evIL", b"x")),
    "wrong sum": png()[:-6] + b"xx" + png()[-4:], "too many bytes": png(1, 1, chunk(b"tEXt", b"x" * 300_000)),
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>", "two ends": png() + chunk(b"IEND", b""),
    "no header": reading.SIGNATURE + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
}


def test_only_png_pictures_are_kept():
    assert reading.is_png(png())
    for name, picture in NOT_PNG.items():
        assert not reading.is_png(picture), name
        assert reading.outputs(wire.encode([["image", np.frombuffer(picture, np.uint8)]]), 10**6) == [], name


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 100), st.integers(0, 100))
def test_any_bytes_are_png_or_not(junk, start, end):
    whole = png(1, 1, chunk(b"tEXt", b"a" * 40))
    changed = whole[:start] + junk + whole[end:]
    assert not reading.is_png(changed) or changed.startswith(whole[:33])


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(["image", "stdout", "stderr", "value", "html"]) | st.text(max_size=5)
                         | st.none() | st.integers(), max_size=3) | st.integers() | st.none(), max_size=5),
       st.integers(0, 100))
def test_forged_outputs_are_plain_or_gone(items, room):
    for shown in (wire.encode(items), wire.encode(items)[:-1], b"junk"):
        for output in reading.outputs(shown, room):
            assert output["output_type"] in ("stream", "display_data")
            assert set(output.get("data", {})) <= {"text/plain"}


def test_forged_replies_bring_nothing_that_a_browser_runs():
    forge = (
        "import collections\nlight = collections._sys.modules['light']\n"
        "light.Screen.taken = lambda self: [['html', '<script>'], ['image', np.frombuffer(b'<svg>', np.uint8)],"
        " {'text/html': 'x'}, ['value', '<script>alert(1)</script>'], ['stdout', 3], 7]"
    )
    shown = read(forge)
    assert brief(shown["own-1"]) == [("value", "<script>alert(1)</script>")]  # as text; viewers escape it


@pytest.mark.slow
def test_a_play_cell_is_left_out_where_it_would_show_what_it_shows_for_everybody(solved):
    """It runs when a function that it uses is not right, when the student changed it, when another cell needs it."""
    every = set(TASKS)
    play = judge.play_cells(SLUG)
    cells = {cell.id: cell.source for cell in solved.cells if cell.cell_type == "code" and cell.source in play}
    left_out = {i for i, shown in judge.read_through(SLUG, solved, passed=every).items()
                if any(output.get("text") == judge.NOT_RUN for output in shown)}
    assert left_out and left_out <= set(cells)
    user = next(i for i in sorted(left_out) if judge.names_of(cells[i]).used & every)
    wrong = next(iter(judge.names_of(cells[user]).used & every))

    shown = judge.read_through(SLUG, solved, passed=every - {wrong})
    assert all(output.get("text") != judge.NOT_RUN for output in shown.get(user, []))
    changed = copy.deepcopy(solved)
    next(cell for cell in changed.cells if cell.id == user).source += "\nprint('mine')"
    assert judge.read_through(SLUG, changed, passed=every)[user][0]["text"].endswith("mine\n")
    bound = next(iter(judge.names_of(cells[user]).bound - {"figure", "ax", "axes"}))
    own = nbformat.v4.new_code_cell(f"print('is', '{bound}' , {bound} is not None)", id="own-1")
    needing = copy.deepcopy(solved)
    needing.cells.append(own)
    shown = judge.read_through(SLUG, needing, passed=every)
    assert shown["own-1"][0]["text"].startswith("is") and user in shown
    assert all(output.get("text") != judge.NOT_RUN for output in shown[user])
