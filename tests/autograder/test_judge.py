"""Kernel and judge: what student code can do costs its own functions, and never gains a point."""

from __future__ import annotations

import ast
import copy
import socket
import subprocess
import sys

import pytest

from autograder import judge
from autograder.demo import with_answers, wrong_source
from autograder.record import feedback

from .helpers import FIRST, RIGHT, SLUG, TASKS, full_but, judge_answer, results_of, returning, scores_of

short_deadlines = pytest.mark.usefixtures("short_deadlines")

# how student code reaches what it may not import
ESCAPE = "import collections; system = collections._sys.modules['os']"


def with_cell(notebook, source: str, place: int = -1):
    """A copy with one more cell of the student's own."""
    notebook = copy.deepcopy(notebook)
    cell = copy.deepcopy(next(c for c in notebook.cells if c.cell_type == "code"))
    cell.metadata, cell.source, cell.id = {}, source, "own-1"
    notebook.cells.insert(place % (len(notebook.cells) + 1), cell)
    return notebook


# --------------------------------------------------------------------------- what comes back, and what verdict it earns

VERDICTS = {
    "right": (RIGHT, "pass"),
    "stub": (returning("1", "raise NotImplementedError()"), "missing"),
    "no function": ("", "missing"),
    "another name": (returning("1", task="output_size"), "missing"),
    "not callable": (f"{FIRST} = 3", "missing"),
    "syntax error": (f"def {FIRST}(:\n    return 1", "error"),
    "cell fails before": ("1 / 0\n" + RIGHT, "error"),
    "cell fails after": (RIGHT + "1 / 0\n", "pass"),
    "raises": (returning("1", "raise KeyError('x')"), "error"),
    "recursion": (returning(f"{FIRST}(*arguments)"), "error"),
    "sys.exit": (returning("1", "raise SystemExit(0)"), "error"),
    "sys.exit in the cell": ("raise SystemExit(0)\n" + RIGHT, "error"),
    "os._exit": (returning("1", f"{ESCAPE}; system._exit(0)"), "error"),
    "os._exit in the cell": (f"{ESCAPE}; system._exit(0)\n" + RIGHT, "error"),
    "kills itself": (returning("1", f"{ESCAPE}; system.kill(system.getpid(), 9)"), "error"),
    "endless loop": (returning("1", "while True: pass"), "timeout"),
    "endless loop in the cell": (RIGHT + "while True: pass\n", "timeout"),
    "loop that catches all": (
        returning("1", "while True:\n    try:\n        while True: pass\n    except: pass"), "timeout",
    ),
    "too much memory": (returning("np.ones(10**12)"), "memory"),
    "too much memory, bytes": (returning("bytearray(10**11)"), "memory"),
    "too much memory, step by step": (returning("all", "all = []\nwhile True: all.append(bytearray(10**8))"), "memory"),
    "too much memory in the cell": ("x = np.ones(10**12)\n" + RIGHT, "memory"),
    "huge result": (returning("np.zeros(2 * 10**7)"), "fail"),
    "many huge results": (returning("[np.zeros(4 * 10**6) for _ in range(3)]"), "error"),
    "long string": (returning("'x' * 10**7"), "fail"),
    "surrogates": (returning("{'\\ud800' * 10**6: 1}"), "fail"),
    "surrogate in an error": (returning("1", "raise KeyError('\\ud800')"), "error"),
    "int of any size": (returning("10**1000"), "fail"),
    "int beyond any size": (returning("10**5000"), "fail"),
    "float for int": (returning("float(3)"), "fail"),
    "None": (returning("None"), "fail"),
    "list": (returning("[3]"), "fail"),
    "endless list": (returning("x", "x = []\nx.append(x)"), "fail"),
    "object array": (returning("np.array([3, None])"), "fail"),
    "matrix": (returning("np.matrix([[3]])"), "fail"),
    "masked array": (returning("np.ma.masked_array(3)"), "fail"),
    "complex": (returning("np.complex128(3)"), "fail"),
    "generator": (returning("(i for i in range(3))"), "fail"),
    "function": (returning("print"), "fail"),
    "nameless class": (returning("type('', (), {})()"), "fail"),
    "int subclass": (returning("type('int', (int,), {'__eq__': lambda a, b: True})(3)"), "fail"),
    "equal to everything": (
        returning("type('ndarray', (), {'__eq__': lambda a, b: True, '__array__': lambda s, *a, **k: np.ones(3)})()"),
        "fail",
    ),
    "array subclass": (returning("np.zeros(()).view(type('ndarray', (np.ndarray,), {}))"), "fail"),
    "50 MB printed": ("print('x' * 50_000_000)\n" + RIGHT + "\nfor _ in range(300): print('y' * 10**5)\n", "pass"),
    "prints in the call": (RIGHT.replace("    if kernel", "    print('x' * 10**7)\n    if kernel"), "pass"),
    "warnings": (RIGHT.replace("    if kernel", "    np.float64(1) / np.float64(0)\n    if kernel"), "pass"),
    "magics": ("%matplotlib inline\n!ls\nfiles = !ls\nnp.sum?\n%load_ext autoreload\n" + RIGHT, "pass"),
    "%%time": ("%%time\n" + RIGHT, "pass"),
    "%%capture": ("\n%%capture out --no-stderr\n" + RIGHT, "pass"),
    "%%bash": ("%%bash\necho 1\n" + RIGHT, "missing"),
    "named character": ("bullet = '\\N{BULLET}'\n" + RIGHT, "pass"),
    "lambda": (RIGHT.replace(f"def {FIRST}", "def f") + f"{FIRST} = lambda *a, **k: f(*a, **k)", "pass"),
    "allowed imports": (
        "from __future__ import annotations\nimport numpy.linalg, math, itertools, functools, dataclasses\n"
        "import collections, typing, operator, numbers\nfrom collections.abc import Callable\nfrom numpy import fft\n"
        + RIGHT, "pass",
    ),
    "own folder": ("with open('note.txt', 'w') as file:\n    file.write('x')\n" + RIGHT, "pass"),
    "a file too large": ("with open('big', 'wb') as file:\n    file.write(b'x' * 20_000_000)\n" + RIGHT, "error"),
}


@short_deadlines
@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name, solved):
    source, verdict = VERDICTS[name]
    result = judge_answer(solved, source)
    assert result.verdict == verdict, result.diagnosis
    assert result.score == (TASKS[FIRST].points if verdict == "pass" else 0)
    assert (result.diagnosis == "") == (verdict == "pass")
    for text in (result.diagnosis, feedback(result)):
        assert len(text.encode()) < 30_000  # bounded, and can be written to a file


FORBIDDEN = {
    "torch": "import torch",
    "torch, caught": "try:\n    import torch\nexcept ImportError:\n    torch = None",
    "scipy.signal": "from scipy.signal import correlate2d",
    "os": "import os",
    "sys": "import sys",
    "importlib": "import importlib",
    "sklearn": "import sklearn",
    "the library": "from neuralnotes.convolution import conv2d",
    "the library, whole": "import neuralnotes",
    "the records": "from neuralnotes.tasks import convolution",
    "the kernel's parts": "import wire, calling, drivers",
    "__import__": "__import__('torch')",
    "a relative import": "from . import tasks",
}


@short_deadlines
@pytest.mark.parametrize("where", ["cell", "function"])
@pytest.mark.parametrize("name", FORBIDDEN)
def test_forbidden_imports(name, where, solved):
    statement = FORBIDDEN[name]
    if where == "cell":
        source = f"{statement}\n{RIGHT}"
    else:
        indented = "".join(f"    {line}\n" for line in statement.splitlines())
        source = RIGHT.replace("    if kernel < 1", f"{indented}    if kernel < 1")
    result = judge_answer(solved, source)
    assert (result.verdict, result.score) == ("forbidden", 0)
    assert "may not be imported" in result.diagnosis


@short_deadlines
def test_an_import_of_ones_own_cell_costs_the_functions_that_use_it(solved):
    notebook = with_answers(solved, {FIRST: RIGHT.replace("    if kernel < 1", "    t.eye(1)\n    if kernel < 1")})
    results = results_of(with_cell(notebook, "import torch as t", place=5))
    assert results[FIRST].verdict == "forbidden" and "torch" in results[FIRST].diagnosis
    assert {key: result.score for key, result in results.items()} == full_but(**{FIRST: 0})


@short_deadlines
def test_what_is_forbidden_in_a_cell_without_functions_costs_nothing(solved):
    assert scores_of(with_cell(solved, "import torch, os\nfrom google.colab import drive", place=5)) == full_but()


@short_deadlines
def test_allowed_imports_of_ones_own_cell_serve_all_functions(solved):
    notebook = with_answers(solved, {FIRST: RIGHT.replace("    if kernel < 1", "    m.sqrt(4)\n    if kernel < 1")})
    assert scores_of(with_cell(notebook, "import math as m", place=5)) == full_but()


PATCHES = {
    "numpy's comparisons": "np.allclose = np.array_equal = np.testing.assert_allclose = lambda *a, **k: True",
    "numpy's ufuncs": "np.abs = np.isfinite = lambda *a, **k: True",
    "print": "print = lambda *a, **k: None",
    "builtins": "b = print.__self__; b.all = b.any = lambda *a: True; b.isinstance = lambda *a: True",
    "exceptions": "AssertionError = ValueError = NotImplementedError = Exception",
    "display hook": "get_ipython().displayhook = None; display(1)",
    "check": "check = lambda *a: 1000",
    "kernel's own parts": "import collections; m = collections._sys.modules; "
    "m['wire'].encode = m['wire'].decode = m['calling'].call = lambda *a: b''",
}


@short_deadlines
@pytest.mark.parametrize("name", PATCHES)
def test_patching_gains_nothing(name, solved):
    notebook = with_answers(solved, {FIRST: returning("1")})
    scores = scores_of(with_cell(notebook, PATCHES[name], place=2))
    assert scores[FIRST] == 0
    assert all(score <= TASKS[key].points for key, score in scores.items())


# ------------------------------------------------------------------------------------------------- forging on the wire

FORGE = """
import collections
system = collections._sys.modules
wire, os, socket = system['wire'], system['os'], system['socket']

def connections():
    found = []
    for number in range(3, 30):
        try:
            found.append(socket.socket(fileno=os.dup(number)))
        except OSError:
            pass
    return found

def send(payload):
    for connection in connections():
        try:
            connection.sendall(len(payload).to_bytes(8, 'big') + payload)
        except OSError:
            pass
"""

FORGED = {
    "a verdict": "wire.encode({'status': 'pass', 'score': 1000})",
    "a status that is an array": "wire.encode(dict.fromkeys(('status', 'message', 'error_types'), np.ones(2)))",
    "other types": "wire.encode({'status': 'raised', 'error_types': [np.ones(2), None], 'message': [1], 'written': 3})",
    "right that is wrong": "wire.encode({'status': 'returned', 'value': 1, 'written': [np.ones(1), 'x' * 10**6]})",
    "no reply": "wire.encode([1, 2])",
    "no encoding": "b'x' * 100",
    "nothing": "b''",
    "a huge size": "b'\\xff' * 16",
    "one blob used often": "(lambda h: len(h).to_bytes(8, 'big') + h + bytes(8_000_000))("
    "('{\"blobs\": [8000000], \"tree\": [\"list\", ['"
    " + ', '.join(['[\"array\", \"<f8\", [1000000], \"C\", 0]'] * 10_000) + ']]}').encode())",
    "a million brackets": "(30_000_000).to_bytes(8, 'big') + b'[' * 30_000_000",
    "surrogates": "wire.encode({'status': 'raised', 'error_types': ['\\ud800'], 'message': '\\ud800' * 1000})",
}


@pytest.mark.slow
@short_deadlines
@pytest.mark.parametrize("name", FORGED)
def test_forged_replies_gain_nothing_and_harm_nobody_else(name, solved):
    answer = FORGE + returning("1", f"send({FORGED[name]})")
    results = results_of(with_answers(copy.deepcopy(solved), {FIRST: answer}))
    assert results[FIRST].score == 0
    assert results[FIRST].verdict in ("error", "fail")
    assert len(feedback(results[FIRST])) < 30_000 and feedback(results[FIRST]).encode()
    assert all(result.score <= result.max_score for result in results.values())
    if name == list(FORGED)[-1]:
        assert scores_of(solved) == full_but()  # the next student


@pytest.mark.slow
@short_deadlines
def test_replies_in_advance_do_not_reach_the_other_functions_points(solved):
    """A function that answers twice is out of step from then on: nothing that it says later may count for more."""
    answer = FORGE + returning("1", "send(wire.encode({'status': 'returned', 'value': 3}))")
    scores = scores_of(with_answers(copy.deepcopy(solved), {FIRST: answer}))
    assert scores[FIRST] == 0
    assert all(score <= TASKS[key].points for key, score in scores.items())


@short_deadlines
def test_nothing_to_be_found_in_the_kernel(solved):
    """No module, object or frame of the student's process holds a record, an oracle or the library."""
    hunt = '''
import collections
system = collections._sys
ours = ("neuralnotes", "torch", "scipy", "sklearn", "autograder")
names = sorted(name for name in system.modules if name.split(".")[0] in ours)
gc = system.modules.get("gc") or __builtins__["__import__"].__globals__["_real_import"]("gc")
for thing in gc.get_objects():
    kind = type(thing)
    if kind.__name__ in ("Task", "Misconception", "Judge", "Case", "PreparedCase"):
        names.append(kind.__name__)
for function in gc.get_objects():
    if type(function).__name__ == "function" and "oracle" in function.__name__.lower():
        names.append(function.__name__)
frame = system._getframe()
while frame:
    names += [n for n in (*frame.f_locals, *frame.f_globals) if n in ("expected", "oracle", "hidden", "judge", "TASKS")]
    frame = frame.f_back
print("found", names)
'''
    judged = judge.judge_notebook(SLUG, with_cell(solved, hunt, place=2), 0)
    run = judged["cells"]["own-1"]
    assert (run["status"], run["printed"]) == ("ok", "found []\n"), run


# ---------------------------------------------------------------------------------------------- accounts and time

@short_deadlines
def test_what_is_printed_is_kept_up_to_a_limit(solved):
    judged = judge.judge_notebook(SLUG, with_cell(solved, "print('here', '\\ud800')\nprint('x' * 10**6)", place=2), 0)
    printed = judged["cells"]["own-1"]["printed"]
    assert printed.startswith("here ?\nxxx") and len(printed) == 20_000


@pytest.mark.slow
@short_deadlines
def test_a_cell_that_takes_the_kernel_down_leaves_the_earlier_and_later_cells(solved):
    notebook = with_cell(solved, f"{ESCAPE}; system._exit(3)", place=20)
    notebook = with_cell(notebook, "while True: pass", place=30)
    assert scores_of(notebook) == full_but()


@pytest.mark.slow
@short_deadlines
def test_many_cells_that_exit_are_bounded(solved, monkeypatch):
    monkeypatch.setattr(judge, "MAX_RESTARTS", 5)
    notebook = copy.deepcopy(solved)
    for _ in range(20):
        notebook = with_cell(notebook, f"{ESCAPE}; system._exit(3)")
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    results_of(notebook)  # ends, with a result for every task


@pytest.mark.slow
@short_deadlines
def test_the_cells_together_have_a_deadline(solved, monkeypatch):
    monkeypatch.setattr(judge, "NOTEBOOK_SECONDS", 3.0)
    notebook = solved
    for _ in range(3):
        notebook = with_cell(notebook, "while True: pass", place=1)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    results = results_of(notebook)
    assert {result.score for result in results.values()} == {0}
    assert {result.verdict for result in results.values()} == {"timeout"}


@pytest.mark.slow
def test_a_remembered_answer_is_not_fast(solved):
    """Timing a slow function again must not meet its memory of the first time."""
    loops = wrong_source(TASKS["conv2d_fast"], next(m for m in TASKS["conv2d_fast"].misconceptions if m.id == "loops"))
    remembering = loops.replace("def conv2d_fast", "def by_loops") + '''
ANSWERS = {}
def conv2d_fast(x, w, b, stride=1, padding=0):
    key = x.tobytes(), w.tobytes(), b.tobytes(), x.shape, w.shape, stride, padding
    if key not in ANSWERS:
        ANSWERS[key] = by_loops(x, w, b, stride, padding)
    return ANSWERS[key]
'''
    result = judge_answer(solved, remembering, "conv2d_fast")
    assert (result.verdict, result.score) == ("partial", TASKS["conv2d_fast"].points / 2)


@short_deadlines
def test_magics_cannot_keep_the_judge_busy():
    source = "x = = 1\n" + "a = !ls\n" * 5000
    assert judge.plain_python(source) == source


@pytest.mark.slow
@pytest.mark.parametrize("source", ["-" * 29_000 + "1", "a" + ".b" * 14_000, "1+" * 14_000 + "1", "not " * 7_000 + "1",
                                    "(" * 29_000, "lambda:" * 4_000 + "1", "\x00", "f'{" * 9_000])
@short_deadlines
def test_source_that_strains_the_parser(source, solved):
    assert judge_answer(solved, source + "\n" + RIGHT).verdict in ("missing", "error", "memory", "pass")
    judge.defines(source, "a")


@pytest.mark.slow
@short_deadlines
def test_a_lost_zygote_is_replaced(solved):
    judge.zygote().process.kill()
    judge.zygote().process.wait()
    assert scores_of(solved) == full_but()
    judge.zygote().process.kill()
    with pytest.raises(judge.ZygoteLost):
        judge.Kernel(judge._zygote, frozenset({"numpy"}), 2**31)
    assert scores_of(solved) == full_but()


@short_deadlines
def test_the_key_of_a_result_depends_on_all_that_decides_it(solved):
    key = judge.result_key(SLUG, solved, 0)
    assert key == judge.result_key(SLUG, copy.deepcopy(solved), 0)
    assert key != judge.result_key(SLUG, solved, 1)
    assert key != judge.result_key("attention", solved, 0)
    assert key != judge.result_key(SLUG, with_answers(solved, {FIRST: RIGHT}), 0)
    assert key != judge.result_key(SLUG, with_cell(solved, "", place=3), 0)
    gone = copy.deepcopy(solved)
    gone.metadata["neuralnotes"] = {"verdict": "unreadable", "reason": "x"}
    assert key != judge.result_key(SLUG, gone, 0)


@pytest.mark.slow
@short_deadlines
def test_kernels_leave_no_process_and_no_folder(solved, tmp_path, monkeypatch):
    monkeypatch.setattr(judge.tempfile, "tempdir", str(tmp_path))
    before = children(judge.zygote().process.pid)
    results_of(with_answers(solved, {FIRST: returning("1", "while True: pass")}))
    assert children(judge.zygote().process.pid) == before == []
    assert list(tmp_path.iterdir()) == []


def children(pid: int) -> list[str]:
    return open(f"/proc/{pid}/task/{pid}/children").read().split()


@short_deadlines
def test_the_kernel_program_imports_numpy_and_the_standard_library_only():
    """Neither the site's packages of the course nor the tests are in the process that student code runs in."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    probe = (
        "import runpy, sys; sys.argv = ['kernel.py', sys.argv[1], sys.argv[2]]\n"
        "runpy.run_path(sys.path[0] + '/autograder/kernel.py', run_name='kernel')\n"
        "print(sorted({n.partition('.')[0] for n in sys.modules} - set(sys.stdlib_module_names)))"
    )
    root = str(judge.Path(judge.__file__).parent.parent)
    done = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {root!r})\n" + probe,
                           str(judge.TASKS_FOLDER), str(theirs.fileno())], capture_output=True, text=True, check=True)
    ours.close(), theirs.close()
    names = {name for name in ast.literal_eval(done.stdout) if not name.startswith("_")}
    assert names - {"sitecustomize"} == {"numpy", "calling", "drivers", "wire"}
