"""Kernel and judge: what student code can do costs its own functions, and never gains a point."""

from __future__ import annotations

import ast
import copy
import json
import socket
import subprocess
import sys
import time

import nbformat
import numpy as np
import pytest

from autograder import judge
from autograder.demo import with_answers, wrong_source
from autograder.record import feedback
from neuralnotes import tasks
from neuralnotes.tasks import calling, drivers, wire
from neuralnotes.tasks.judging import Result
from neuralnotes.tasks.records import Budget, Case, Task

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
    "async def": ("async " + RIGHT, "fail"),
    "class": (f"class {FIRST}:\n    def __init__(self, *a, **k): pass\n", "fail"),
    "reads what is typed": (returning("int(input())"), "error"),
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


# the frame in which run_calls() holds the request, and with it the token that replies need
TOKEN = """
def token():
    frame = system['sys']._getframe()
    while 'head' not in frame.f_locals:
        frame = frame.f_back
    return bytes.fromhex(frame.f_locals['head']['token'])

def reply(value=3):
    said, value = wire.encode({'status': 'returned'}), wire.encode(value)
    return token() + len(said).to_bytes(8, 'big') + len(value).to_bytes(8, 'big') + said + value

def send(payload):
    for connection in connections():
        try:
            connection.sendall(payload)
        except OSError:
            pass
"""

SPOILING = {
    "a reply too many": "send(reply())",
    "replies in the right form for all calls to come": "send(reply() * 100)",
    "an old reply": "send(bytes(16) + reply()[16:])",
    "bytes": "send(b'x')",
    "bytes, later": "system['threading'].Timer(0.05, send, [b'x' * 100]).start()",
    "an end, later": "system['threading'].Timer(0.05, os._exit, [0]).start()",
    "memory that is kept": "kept = globals().setdefault('kept', [])\nwhile True: kept.append(bytearray(10**7))",
}


@pytest.mark.slow
@short_deadlines
@pytest.mark.parametrize("name", SPOILING)
def test_what_a_function_leaves_behind_does_not_reach_the_others(name, solved):
    """A kernel that one function has spoilt is replaced before, or after, the next one is called in it."""
    answer = FORGE + TOKEN
    scores = scores_of(with_answers(copy.deepcopy(solved), {FIRST: answer + returning("1", SPOILING[name])}))
    assert scores == full_but(**{FIRST: 0})


@short_deadlines
def test_a_function_that_ends_the_process_is_called_once_more_at_most(solved, monkeypatch):
    forks = []
    made = judge.Kernel.__init__
    monkeypatch.setattr(judge.Kernel, "__init__", lambda *a: (forks.append(1), made(*a))[1])
    for task in (FIRST, "receptive_field"):
        forks.clear()
        source = returning("1", f"{ESCAPE}; system._exit(3)", task=task)
        assert scores_of(with_answers(copy.deepcopy(solved), {task: source})) == full_but(**{task: 0})
        # once in the kernel of the functions before it, once in a fresh one; then one for the functions after it
        assert len(forks) <= 3


@pytest.mark.slow
@short_deadlines
def test_all_calls_of_a_function_together_have_a_deadline(solved):
    """Each call keeps its own deadline, but 23 of them would hold up the class for more than a minute."""
    start = time.monotonic()
    slow = RIGHT.replace("    if kernel", "    _sys.modules['time'].sleep(3)\n    if kernel", 1)
    result = judge_answer(solved, f"from collections import _sys\n{slow}")
    assert (result.verdict, result.score) == ("timeout", 0)
    assert time.monotonic() - start < 20


@short_deadlines
def test_the_calls_of_a_function_are_alone_but_for_its_own_state(solved):
    """Fresh copies of the arguments for every call, also when all calls come in one message."""
    source = RIGHT.replace("def conv_output_size(size", "seen = []\ndef conv_output_size(size")
    greedy = "def conv2d_forward(x, w, b, stride=1, padding=0):\n    x[:] = 0\n    w[:] = 0\n    return x\n"
    result = results_of(with_answers(copy.deepcopy(solved), {FIRST: source, "conv2d_forward": greedy}))
    assert result[FIRST].verdict == "pass"
    assert result["conv2d_forward"].score == 0


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
    lost = judge.zygote()
    lost.process.kill()
    lost.process.wait()
    assert scores_of(solved) == full_but()
    lost = judge.zygote()
    lost.process.kill()
    with pytest.raises(judge.ZygoteLost):
        judge.Kernel(lost, frozenset({"numpy"}), 2**31)
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


@short_deadlines
def test_the_kernel_program_imports_numpy_and_the_standard_library_only():
    """Neither the site's packages of the course nor the tests are in the process that student code runs in."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    options = {"folder": str(judge.TASKS_FOLDER), "fd": theirs.fileno(), "environment": "numpy", "level": "none"}
    probe = (
        "import runpy, sys; sys.argv = ['kernel.py', sys.argv[1]]\n"
        "runpy.run_path(sys.path[0] + '/autograder/kernel.py', run_name='kernel')\n"
        "print(sorted({n.partition('.')[0] for n in sys.modules} - set(sys.stdlib_module_names)))"
    )
    root = str(judge.Path(judge.__file__).parent.parent)
    done = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {root!r})\n" + probe,
                           json.dumps(options)], capture_output=True, text=True, check=True)
    ours.close(), theirs.close()
    names = {name for name in ast.literal_eval(done.stdout) if not name.startswith("_")}
    assert names - {"sitecustomize"} == {"numpy", "calling", "drivers", "wire"}


# ------------------------------------------------------------------------------------- play cells that need not run

USES = {
    "nothing of them": (RIGHT, set()),
    "a global": (RIGHT.replace("    if kernel", "    rng.normal()\n    if kernel"), {"rng"}),
    "a global, further inside": (RIGHT.replace("    if kernel", "    f = lambda: [plain for _ in '']\n    if kernel"),
                                 {"plain"}),
    "a local of the same name": (RIGHT.replace("    if kernel", "    rng = 3\n    if kernel"), set()),
    "by reflection": (RIGHT.replace("    if kernel", "    eval('rng')\n    if kernel"), None),
    "what a cell needs that is needed": (RIGHT.replace("    if kernel", "    responses[0]\n    if kernel"),
                                         {"responses", "edges", "photo"}),
}


@pytest.mark.parametrize("name", USES)
def test_play_cells_run_when_their_names_are_used(name, solved):
    source, names = USES[name]
    play = {cell.id: cell.source for cell in solved.cells if judge.is_run(cell) and "nbgrader" not in cell.metadata}
    run = play.keys() - judge.unneeded(SLUG, with_answers(solved, {FIRST: source}))
    bound = {i: judge.names_of(judge.plain_python(source)).bound for i, source in play.items()}
    if names is None:
        assert run == play.keys()
    else:
        assert run >= {i for i in play if bound[i] & names}  # and those that these need in turn
        assert bool(run) == bool(names)


def test_play_cells_that_were_changed_run(solved):
    notebook = copy.deepcopy(solved)
    changed = [cell for cell in notebook.cells if judge.is_run(cell) and "nbgrader" not in cell.metadata][2]
    changed.source += "\nnp.seterr(all='raise')"
    play = {cell.id for cell in notebook.cells if judge.is_run(cell) and "nbgrader" not in cell.metadata}
    assert changed.id not in judge.unneeded(SLUG, notebook)
    assert judge.unneeded(SLUG, notebook) < play
    assert "own-1" not in judge.unneeded(SLUG, with_cell(notebook, "np.random.seed(0)"))


@short_deadlines
def test_an_answer_may_use_what_a_play_cell_defines(solved):
    """``plain`` is a list in a play cell that would be skipped otherwise."""
    source = RIGHT.replace("    if kernel", "    plain[0]\n    if kernel")
    judged = judge.judge_notebook(SLUG, with_answers(solved, {FIRST: source}), 0)
    assert judged["results"][FIRST]["verdict"] == "pass", judged["results"][FIRST]
    assert {run["status"] for run in judged["cells"].values()} >= {"ok", "skipped"}


# ------------------------------------------------------------------------------------------------- tasks in PyTorch

def correlate(x, w):
    """The reference: plain loops."""
    height, width = (x.shape[axis] - w.shape[axis] + 1 for axis in (2, 3))
    patches = [[x[:, :, i : i + w.shape[2], j : j + w.shape[3]] for j in range(width)] for i in range(height)]
    return np.einsum("ijncab,kcab->nkij", np.array(patches), w)


TORCH_TASK = Task(
    id="correlate", points=2, minutes=10, difficulty=2, signature="correlate(x, w) -> out",
    visible=lambda rng: [Case("a batch", (rng.normal(size=(2, 3, 5, 5)), rng.normal(size=(4, 3, 3, 3))))],
    hidden=lambda rng: [Case("another", (rng.normal(size=(1, 2, 4, 6)), rng.normal(size=(3, 2, 2, 3))))],
    oracle=correlate, misconceptions=(), driver="tensors", allowed=frozenset({"torch", "math"}),
    budget=Budget(memory=6 * 2**30), delegated=frozenset({"aten.convolution"}),
)
UNFOLDED = """
patches = F.unfold(x, w.shape[2:])
    out = torch.einsum("npl,kp->nkl", patches, w.reshape(len(w), -1))
    return out.reshape(len(x), len(w), x.shape[2] - w.shape[2] + 1, -1)
"""
TORCH_ANSWERS = {
    "F.conv2d": ("return F.conv2d(x, w)", True),
    "torch.conv2d": ("return torch.conv2d(x, w)", True),
    "nn.Conv2d": ("layer = torch.nn.Conv2d(3, 4, 3, bias=False).double()\n"
                  "    layer.weight = torch.nn.Parameter(w)\n    return layer(x)", True),
    "unfold and einsum": (UNFOLDED.strip(), False),
    "wrong": ("return x", False),
    "writes": ("out = x[:, :1, 2:, 2:] * 0\n    x += 1\n    return out", False),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCH_ANSWERS)
def test_delegation_to_the_operation_itself_is_flagged(name, monkeypatch):
    monkeypatch.setattr(tasks, "assignment", lambda slug: (TORCH_TASK,))
    body, flagged = TORCH_ANSWERS[name]
    cell = nbformat.v4.new_code_cell(
        f"import torch\nimport torch.nn.functional as F\n\ndef correlate(x, w):\n    {body}\n", id="own-1"
    )
    judged = judge.judge_notebook("torch-task", nbformat.v4.new_notebook(cells=[cell]), 0)
    result = Result.from_json(judged["results"]["correlate"])
    assert (result.score == 2) == (name not in ("wrong", "writes")), result  # a flag costs no points
    said = "correlate used aten.convolution, the operation that was asked for"
    assert judged["flags"] == ([said] if flagged else [])


def test_tensors_cross_as_arrays():
    x = np.arange(6.0).reshape(2, 3)
    outcome = calling.call(lambda a, b, k: (a + 1, {"b": b["x"].requires_grad_() * 2}, [k]),
                           wire.encode(((x, {"x": x}), {"k": 3})), drivers.tensors)
    np.testing.assert_array_equal(outcome.value[0], x + 1)
    np.testing.assert_array_equal(outcome.value[1]["b"], x * 2)
    assert outcome.value[2] == [3] and outcome.written == ()
    assert calling.call(lambda a: a.add_(1), wire.encode(((x,), {})), drivers.tensors).written == (0,)
