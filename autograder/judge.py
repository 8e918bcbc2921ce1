"""The judge: drives the student's process and gives points. No student code ever runs in this process.

``judge_notebook`` is one self-contained job: a clean notebook in, plain data out. It starts a kernel (a forked child of
the zygote), has it run the cells, then judges every task with ``neuralnotes.tasks.judging``. A cell that loops, exits
or eats the memory is left out and the others run again in a fresh kernel: it costs its own functions only.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import re
import secrets
import select
import socket
import subprocess
import symtable
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

import jupytext
import nbformat
import numpy
from nbformat import NotebookNode

import neuralnotes.tasks
from neuralnotes.tasks import Task, calling, wire
from neuralnotes.tasks.judging import Judge, PreparedCase, Result, without_cases

from . import assignments, confine, reading, sandbox

CELL_SECONDS = 15.0
NOTEBOOK_SECONDS = 90.0  # of all cells together; a hostile notebook cannot hold up the class for longer
READING_SECONDS = 60.0  # the same when it is read through
TASK_BUDGETS = 2.0  # how many times the limit of one call all calls of a function may take together
CALLS_SECONDS = 120.0  # of all calls of all functions together
NOT_RUN = "(not run: as it was released, and every function that it uses has full marks)\n"
MAX_REPLY = 64 * 2**20
MAX_RESTARTS = 40
MAX_MAGICS, MAX_MAGIC_SOURCE = 50, 20_000  # of a cell that is not plain Python: characters % ! ?, all characters
TASKS_FOLDER = Path(neuralnotes.tasks.__file__).parent


class KernelLost(Exception):
    """The student's process did not answer: ``status`` is ``timeout`` or ``died``."""

    def __init__(self, status: str, message: str):
        super().__init__(message)
        self.status = status


class ZygoteLost(RuntimeError):
    """The zygote did not answer: killed from outside, or out of resources. No fault of the submission's."""


class Zygote:
    """The program that forks kernels. Start-up costs what importing the environment's modules costs.

    Attributes:
        environment: What the kernels can import: ``numpy``, ``reading`` or ``torch``.
        level: The sandbox that they run in, one of ``sandbox.LEVELS``.
    """

    def __init__(self, environment: str, level: str):
        self.environment, self.level = environment, level
        self._cgroup = sandbox.Cgroup() if level != "none" else None
        self._scratch = tempfile.mkdtemp(prefix="kernels-")
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")}
        options = {
            "folder": str(TASKS_FOLDER), "fd": theirs.fileno(), "environment": environment, "level": level,
            "scratch": self._scratch, "cgroups": self._cgroup.folders if self._cgroup else [],
        }
        if environment == "reading":
            options["handed_in"] = str(reading.handed_in())
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).with_name("kernel.py")), json.dumps(options)],
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # what kills the judge with its whole group leaves somebody to clean up
            stdin=subprocess.DEVNULL,
            env={
                "PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore",
                "TMPDIR": tempfile.gettempdir(), **one_thread,
            },
        )
        theirs.close()
        self._control = mine

    def ask(self, request: dict, descriptors: tuple[int, ...] = ()) -> dict:
        """Send a request, with open files, and wait for the answer.

        Raises:
            ZygoteLost: There is no answer, or the zygote says that it cannot do it.
        """
        try:
            self._control.settimeout(60)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may have said why before it went
                socket.send_fds(self._control, [json.dumps(request).encode()], list(descriptors))
            try:
                answer = json.loads(self._control.recv(65536))
            except ConnectionResetError:  # it went without reading the request; what it said before comes next
                answer = json.loads(self._control.recv(65536))
        except (OSError, ValueError) as error:
            answer = {"error": "the process that starts kernels is gone"}
            cause = error
        else:
            cause = None
        if "error" in answer:
            self.close()  # the next submission gets a new one
            raise ZygoteLost(answer["error"]) from cause
        return answer

    @property
    def cgroup_kind(self) -> str:
        """What a control group limits; empty when there is none."""
        return self._cgroup.kind if self._cgroup else ""

    def start(self, options: dict, connection: socket.socket) -> dict:
        """Have a kernel forked: ``pid``, and what shuts it in."""
        if self._cgroup:
            self._cgroup.limit(options["memory"])
        return self.ask({"fork": options}, (connection.fileno(),))

    def close(self) -> None:
        """End the zygote and all its kernels. What they leave is removed here too: the zygote may be gone already."""
        self._control.close()
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        confine.remove_tree(self._scratch)
        if self._cgroup:
            self._cgroup.remove()


class Kernel:
    """One forked child that runs a submission."""

    def __init__(self, zygote: Zygote, allowed: frozenset[str], memory: int):
        self._zygote = zygote
        self._connection, theirs = socket.socketpair()
        with theirs:
            started = zygote.start({"allowed": sorted(allowed), "memory": memory, "cpu_seconds": 600}, theirs)
        self.pid, self.about = started["pid"], started["about"]

    def send(self, head: dict, body: bytes, seconds: float) -> None:
        """Send a request; ``reply`` reads its answers.

        Raises:
            KernelLost: The process did not take it within the time, or is gone, or has said more than it was asked.
        """
        self._token = secrets.token_bytes(16)  # a reply without it answers something else
        payload = wire.encode({**head, "token": self._token.hex()})
        sizes = len(payload).to_bytes(8, "big") + len(body).to_bytes(8, "big")
        try:
            if select.select([self._connection], [], [], 0)[0]:
                raise KernelLost(calling.DIED, "the process ended, or wrote nonsense")
            self._connection.settimeout(seconds)
            self._connection.sendall(sizes + payload + body)
        except TimeoutError:
            raise KernelLost(calling.TIMEOUT, f"no answer within {seconds:g} s") from None
        except OSError:
            raise KernelLost(calling.DIED, "the process ended") from None

    def reply(self, seconds: float) -> tuple[dict, bytes]:
        """Wait for the next reply to the last request: what is said about the cell or call, and an encoded value.

        Raises:
            KernelLost: No whole reply within the time, or the process is gone, or it wrote nonsense.
        """
        deadline = time.monotonic() + max(seconds, 0.0)
        try:
            start = self._receive(32, deadline)
            if start[:16] != self._token:
                raise KernelLost(calling.DIED, "the process wrote nonsense")
            sizes = int.from_bytes(start[16:24], "big"), int.from_bytes(start[24:], "big")
            if sum(sizes) > MAX_REPLY:
                raise KernelLost(calling.DIED, f"the result is larger than {MAX_REPLY // 2**20} MB")
            rest = self._receive(sum(sizes), deadline)
            reply = wire.decode(rest[: sizes[0]])
        except TimeoutError:
            raise KernelLost(calling.TIMEOUT, f"no answer within {seconds:g} s") from None
        except OSError:
            raise KernelLost(calling.DIED, "the process ended") from None
        except wire.WireError as error:
            raise KernelLost(calling.DIED, f"the process wrote nonsense: {error}") from None
        if not isinstance(reply, dict):
            raise KernelLost(calling.DIED, "the process wrote nonsense")
        return reply, rest[sizes[0] :]

    def _wait_for(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)

    def _receive(self, count: int, deadline: float) -> bytes:
        parts = []
        while count:
            self._wait_for(deadline)
            part = self._connection.recv(min(count, 1 << 20))
            if not part:
                raise KernelLost(calling.DIED, "the process ended (an exit, or a crash)")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        self._connection.close()
        self._zygote.ask({"kill": self.pid})


@dataclass
class CellRun:
    """How one cell went: ``ok``, ``error``, ``forbidden``, ``memory``, ``timeout`` or ``died``."""

    status: str = "ok"
    message: str = ""
    printed: str = ""


class Submission:
    """A notebook's cells in a kernel, restarted when a cell or a call takes it down.

    Args:
        zygote: What forks the kernels.
        notebook: The clean notebook; its check cells do not run.
        tasks: Say what the cells may import, and how much memory they get.
        skipped: Ids of cells that need not run.
        seconds: Of all cells together.
    """

    def __init__(
        self, zygote: Zygote, notebook: NotebookNode, tasks: Sequence[Task], skipped: Set[str] = frozenset(),
        seconds: float | None = None,
    ):
        self._zygote = zygote
        self._allowed = frozenset.union(*(task.allowed for task in tasks))
        self._memory = max(task.budget.memory for task in tasks)
        self.cells = [cell for cell in notebook.cells if is_run(cell)]
        self.sources = [cell.source for cell in self.cells]  # as plain Python, once they have been run
        self.runs = [CellRun("skipped" if cell.id in skipped else "ok") for cell in self.cells]
        self.shown = [b"" for _ in self.cells]  # what they printed and plotted, where that is kept; encoded
        self._left_out = {index for index, run in enumerate(self.runs) if run.status == "skipped"}
        self._seconds_left = NOTEBOOK_SECONDS if seconds is None else seconds
        self._called: set[str] = set()  # functions, in this kernel
        self._spent: dict[str, float] = {}  # seconds, by function
        self._restarts = 0
        self._kernel: Kernel | None = None

    def start(self) -> None:
        """Fork a kernel and run all cells but those that took an earlier kernel down."""
        while True:
            self.close()
            self._restarts += 1
            self._called.clear()
            self._kernel = Kernel(self._zygote, self._allowed, self._memory)
            if self._run_cells():
                return

    def _run_cells(self) -> bool:
        for index, cell in enumerate(self.cells):
            if index in self._left_out:
                continue
            if self._seconds_left <= 0 or self._restarts > MAX_RESTARTS:
                self._left_out.add(index)
                self.runs[index] = CellRun(calling.TIMEOUT, "the notebook's time was used up by the cells before")
                continue
            start = time.monotonic()
            self.sources[index] = plain_python(self.sources[index])
            marks = cell.metadata.get("nbgrader", {})
            request = {
                "op": "cell",
                "name": f"<cell {index + 1}>",
                "source": self.sources[index],
                # the set-up cell and the student's own cells may ask for plots and data
                "light": "locked" if marks.get("locked") else "" if marks.get("solution") else "own",
            }
            try:
                self._kernel.send(request, b"", min(CELL_SECONDS, self._seconds_left))
                reply, self.shown[index] = self._kernel.reply(min(CELL_SECONDS, self._seconds_left))
            except KernelLost as lost:
                self._left_out.add(index)
                self.runs[index] = CellRun(lost.status, str(lost))
                return False
            finally:
                self._seconds_left -= time.monotonic() - start
            self.runs[index] = CellRun(*(_text(reply.get(key), 20_000) for key in ("status", "message", "printed")))
        return True

    def asker(self, judge: Judge) -> Callable[[PreparedCase], calling.Outcome]:
        """A ``run`` for the judge of one task: maps its cases, asked in their order, to the outcomes.

        The cases are sent together and each is answered as soon as it is done, so that the judge compares one value
        while the next is computed. A case that is timed is sent alone: nothing can be computed before the clock runs.
        """
        cases = judge.cases
        asked: set[int] = set()
        outcomes: Iterator[calling.Outcome] = iter(())

        def run(prepared: PreparedCase) -> calling.Outcome:
            nonlocal outcomes
            index = next(i for i, one in enumerate(cases) if one is prepared)
            if index in asked:
                self.close()  # asked again, to be timed: a fresh process remembers no answer
                return next(self.calls(judge.task, [prepared]))
            asked.add(index)
            if index == 0 or prepared.case.timed or cases[index - 1].case.timed:
                end = index + 1
                while end < len(cases) and not prepared.case.timed and not cases[end].case.timed:
                    end += 1
                outcomes = self.calls(judge.task, cases[index:end])
            return next(outcomes)

        return run

    def calls(self, task: Task, cases: Sequence[PreparedCase]) -> Iterator[calling.Outcome]:
        """Call a function on cases, one after the other; what takes the kernel down costs its own case.

        Where functions of other tasks have been called in a kernel that is lost, it may have been one of theirs that
        spoilt it: the call is made again in a fresh one.
        """
        position = 0
        while position < len(cases):
            if self._kernel is None:
                if self._restarts > MAX_RESTARTS:
                    yield calling.Outcome(calling.DIED, message="the process was lost too often")
                    return
                self.start()
            self._called.add(task.id)
            room = min(
                TASK_BUDGETS * task.budget.seconds - self._spent.get(task.id, 0.0),
                CALLS_SECONDS - sum(self._spent.values()),
            )
            if room <= 0:
                yield calling.Outcome(calling.TIMEOUT, message="its calls together took too long")
                return
            data = [prepared.data for prepared in cases[position:]]
            head = {"op": "calls", "function": task.id, "driver": task.driver, "sizes": [len(one) for one in data]}
            start = time.monotonic()
            try:
                self._kernel.send(head, b"".join(data), min(task.budget.seconds, room))
                while position < len(cases):
                    reply = self._kernel.reply(min(task.budget.seconds, room))
                    # the judge's own clock: a process could claim any speed
                    now = time.monotonic()
                    outcome = _outcome(*reply, now - start)
                    if outcome.status == calling.MEMORY:
                        raise KernelLost(calling.MEMORY, outcome.message)  # what fills it may be there to stay
                    room -= now - start
                    self._spent[task.id] = self._spent.get(task.id, 0.0) + now - start
                    start = now
                    position += 1
                    yield outcome
                    if outcome.decides:
                        return
            except KernelLost as lost:
                self._spent[task.id] = self._spent.get(task.id, 0.0) + time.monotonic() - start
                self.close()
                if len(self._called) > 1 and lost.status != calling.TIMEOUT:
                    continue
                position += 1
                yield calling.Outcome(lost.status, message=str(lost), seconds=time.monotonic() - start)

    def where(self, task: Task) -> CellRun | None:
        """How the last cell went that defines a function of this name, or else the cell that is meant to.

        None when there is no such cell, and when all cells went well.
        """
        if all(run.status in ("ok", "skipped") for run in self.runs):
            return None
        found = [run for source, run in zip(self.sources, self.runs, strict=True) if defines(source, task.id)]
        if found:
            return found[-1]
        for cell, run in zip(self.cells, self.runs, strict=True):
            if cell.metadata.get("nbgrader", {}).get("grade_id") == f"{task.id}-solution":
                return run
        return None

    def close(self) -> None:
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None


def _outcome(reply: dict, value: bytes, elapsed: float) -> calling.Outcome:
    """Read a reply as an outcome. It comes from a hostile process: nothing in it is taken on trust.

    Raises:
        KernelLost: It is no outcome.
    """
    status = _text(reply.get("status"))
    if status not in (calling.RETURNED, calling.RAISED, calling.FORBIDDEN, calling.MISSING, calling.MEMORY):
        raise KernelLost(calling.DIED, "the process wrote nonsense")
    try:
        value = wire.decode(value) if status == calling.RETURNED else None
    except wire.WireError as error:
        raise KernelLost(calling.DIED, f"the process wrote nonsense: {error}") from None
    names, operators = (
        tuple(_text(name, 100) for name in found[:50]) if isinstance(found := reply.get(key), list) else ()
        for key in ("error_types", "operators")
    )
    written = reply.get("written")
    written = tuple(w for w in written[:50] if type(w) in (int, str)) if isinstance(written, list) else ()
    message = _text(reply.get("message"), 500)
    return calling.Outcome(status, value, names, message, written, elapsed, operators)


def _text(value, limit: int = 100) -> str:
    """A string out of a hostile reply: cut, and empty when it is none."""
    return value[:limit] if type(value) is str else ""


def defines(source: str, name: str) -> bool:
    """Whether a cell defines a function, or assigns to its name."""
    if name not in source:
        return False
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return re.search(rf"\bdef\s+{name}\b", source) is not None
    return any(
        isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name == name
        or isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name
        for node in nodes
    )


def is_run(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and not is_check(cell)


def is_check(cell: NotebookNode) -> bool:
    marks = cell.metadata.get("nbgrader", {})
    return bool(marks.get("grade")) and not marks.get("solution")


@lru_cache(maxsize=1000)
def plain_python(source: str) -> str:
    """Turn IPython's magics and shell lines into plain calls, which do nothing in the kernel."""
    try:
        ast.parse(source)
        return source
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    measured = re.match(r"\s*%%(time|timeit|capture|prun)\b[^\n]*\n", source)
    if measured:  # these run their cell, and so do we
        return plain_python(source[measured.end() :])
    if len(source) > MAX_MAGIC_SOURCE or len(re.findall(r"[%!?]", source)) > MAX_MAGICS:
        return source  # IPython reads the cell anew for every magic: hostile code could keep it busy for minutes
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return TransformerManager().transform_cell(source)
    except Exception:  # IPython gives up in many ways on what is not Python; the kernel will report the syntax error
        return source


@dataclass(frozen=True)
class Names:
    """Names at the top level of a cell: those that it binds, and those that it or its functions use or bind."""

    bound: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()


@lru_cache(maxsize=1000)
def names_of(source: str) -> Names:
    """The names of a cell of plain Python; none when it does not compile, since it binds nothing then."""
    try:
        return Names(*_symbols(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Names()


def _symbols(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """Names that code binds, and those that it uses or binds, in functions too."""
    top = symtable.symtable(source, "cell", "exec")
    symbols = top.get_symbols()
    used = {symbol.get_name() for symbol in symbols}
    tables = top.get_children()
    while tables:
        table = tables.pop()
        used.update(symbol.get_name() for symbol in table.get_symbols() if symbol.is_global())
        tables += table.get_children()
    bound = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported() or s.is_namespace()}
    return frozenset(bound), frozenset(used)


@cache
def free_names(source: str) -> frozenset[str]:
    """The names that a cell of the release uses before it binds them."""
    return frozenset(_free(ast.parse(plain_python(source)).body, set()))


def _free(statements: Sequence[ast.stmt], bound: set[str]) -> set[str]:
    """Names that statements use before they bind them. What is bound on the way is added to ``bound``."""
    free: set[str] = set()
    for statement in statements:
        if isinstance(statement, ast.For):
            free |= _symbols(ast.unparse(statement.iter))[1] - bound
            bound |= _symbols(ast.unparse(statement.target))[1]
            free |= _free(statement.body, bound) | _free(statement.orelse, bound)
            continue
        binds, uses = _symbols(ast.unparse(statement))
        if isinstance(statement, ast.Assign):  # what is on the left of the sign is bound, and not used
            uses = _symbols(ast.unparse(statement.value))[1] | (
                _symbols("\n".join(map(ast.unparse, statement.targets)))[1] - binds
            )
        elif isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef):
            uses = uses - binds
        free |= uses - bound
        if isinstance(statement, ast.Assign | ast.Import | ast.ImportFrom | ast.FunctionDef):
            bound |= binds
    return free


REFLECTION = {"eval", "exec", "globals", "locals", "vars", "dir", "compile", "get_ipython"}


def unneeded(slug: str, notebook: NotebookNode, passed: Set[str] | None = None) -> set[str]:
    """Ids of the release's own play cells that nothing else depends on.

    They are as they were released, and no name that they bind is used by an answer, by the student's own cells or by a
    play cell that is needed.

    Args:
        slug: The assignment.
        notebook: The notebook as the gate made it.
        passed: When given, a play cell that uses a graded function which is not among these is needed too.
    """
    released = play_cells(slug)
    sources = {cell.id: cell.source for cell in notebook.cells if is_run(cell)}
    names = {i: names_of(plain_python(source)) for i, source in sources.items()}
    left = {i for i, source in sources.items() if source in released}
    # the student's cells may use a name in any way; those of the release bind theirs at the top, for themselves
    asks = {i: free_names(sources[i]) if i in left else found.used for i, found in names.items()}
    if any(asks[i] & REFLECTION for i in names.keys() - left):
        return set()
    graded = {task.id for task in neuralnotes.tasks.assignment(slug)}
    if passed is not None:
        left = {i for i in left if names[i].used & graded <= passed}
    used = graded.union(*(asks[i] for i in names.keys() - left))
    while needed := {i for i in left if names[i].bound & used}:
        left -= needed
        used = used.union(*(asks[i] for i in needed))
    return left


@cache
def play_cells(slug: str) -> frozenset[str]:
    """Sources of the cells of a release that are there to play with; none where the release's source is not."""
    path = assignments.SOLUTIONS / slug / f"{slug}.py"
    if not path.is_file():
        return frozenset()
    cells = jupytext.read(path, fmt="py:percent").cells
    return frozenset(c.source for c in cells if c.cell_type == "code" and "nbgrader" not in c.metadata)


def result_key(slug: str, notebook: NotebookNode, seed: int, level: str | None = None) -> str:
    """Hash of everything that a result depends on: the cells, the tasks, the judge, the environment, the seed.

    Which sandbox it was makes no difference, but that there was none does.
    """
    cells = [
        (cell.id, cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    gate = notebook.metadata.get("neuralnotes")
    parts = [slug, seed, level == "none", sys.version, code_fingerprint(), gate, cells]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@cache
def code_fingerprint() -> str:
    """Hash of the code that judges: workers with another one would give other marks."""
    digest = hashlib.sha256(numpy.__version__.encode())
    own = [Path(__file__).with_name(name) for name in ("judge.py", "kernel.py", "confine.py", "light.py", "reading.py")]
    for path in [*sorted(TASKS_FOLDER.glob("*")), *own]:
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


_judges: dict[tuple[str, int], Judge] = {}
_zygotes: dict[tuple[str, str], Zygote] = {}


def zygote(environment: str = "numpy", level: str | None = None) -> Zygote:
    """This process's zygote, started on first use and when the last one died.

    Args:
        environment: What its kernels can import: ``numpy``, ``reading`` or ``torch``.
        level: The sandbox, one of ``sandbox.LEVELS``; None for the best that this machine has.
    """
    level = level or sandbox.best().level
    found = _zygotes.get((environment, level))
    if found is not None and found.process.poll() is not None:
        found.close()
        found = None
    if found is None:
        found = _zygotes[environment, level] = Zygote(environment, level)
    return found


def judges(slug: str, seed: int) -> list[Judge]:
    """The judges of an assignment's tasks, kept for the whole run: oracles and misconceptions are computed once."""
    found = []
    for task in neuralnotes.tasks.assignment(slug):
        if (task.id, seed) not in _judges:
            _judges[task.id, seed] = Judge(task, seed)
        found.append(_judges[task.id, seed])
    return found


def judge_notebook(slug: str, notebook: NotebookNode, seed: int, level: str | None = None) -> dict:
    """Judge one clean notebook.

    Args:
        slug: The assignment.
        notebook: The notebook as the gate made it. ``metadata["neuralnotes"]`` holds ``verdict`` and ``reason`` when
            there was nothing to read.
        seed: Seed of the hidden cases.
        level: The sandbox, one of ``sandbox.LEVELS``; None for the best that this machine has.

    Returns:
        ``{"results": {task id: Result as JSON}, "cells": {cell id: {"status", "message", "printed"}}, "sandbox":
        description, "flags": [what a person should look at]}``
    """
    tasks = neuralnotes.tasks.assignment(slug)
    gate = notebook.metadata.get("neuralnotes")
    if gate:
        results = {task.id: without_cases(task, gate["verdict"], gate["reason"]) for task in tasks}
        return _judged(results, {}, "no student code was run", [])
    box = sandbox.at(level) if level else sandbox.best()
    environment = "torch" if any("torch" in task.allowed for task in tasks) else "numpy"
    submission = Submission(zygote(environment, box.level), notebook, tasks, unneeded(slug, notebook))
    results: dict[str, Result] = {}
    flags: list[str] = []
    with contextlib.closing(submission):
        submission.start()
        for judge in judges(slug, seed):
            results[judge.task.id] = _judge_task(judge, submission, flags)
    cells = {cell.id: vars(run) for cell, run in zip(submission.cells, submission.runs, strict=True)}
    return _judged(results, cells, box.description, flags)


def _judged(results: dict[str, Result], cells: dict[str, dict], description: str, flags: list[str]) -> dict:
    as_json = {key: result.as_json() for key, result in results.items()}
    return {"results": as_json, "cells": cells, "sandbox": description, "flags": flags}


def read_through(
    slug: str, notebook: NotebookNode, level: str | None = None, passed: Set[str] | None = None
) -> dict[str, list[dict]]:
    """Run a clean notebook's cells in order, for the person who reads it; it decides nothing.

    The course's data and plots work here. A cell that takes the kernel down is left out and the others run again.

    Args:
        slug: The assignment.
        notebook: The notebook as the gate made it.
        level: The sandbox, one of ``sandbox.LEVELS``; None for the best that this machine has.
        passed: Functions with full marks. A play cell of the release that the student left alone and that uses no
            other shows what it shows for everybody: it says so, and takes no time. None: all cells run.

    Returns:
        nbformat outputs by cell id: text and PNG pictures, within limits. Check cells, and cells that show nothing,
        are not in it.
    """
    if notebook.metadata.get("neuralnotes"):
        return {}  # there was nothing to read
    tasks = neuralnotes.tasks.assignment(slug)
    box = sandbox.at(level) if level else sandbox.best()
    skipped = set() if passed is None else unneeded(slug, notebook, passed)
    submission = Submission(zygote("reading", box.level), notebook, tasks, skipped, READING_SECONDS)
    with contextlib.closing(submission):
        submission.start()
    shown, room = {}, reading.MAX_NOTEBOOK
    for cell, run, data in zip(submission.cells, submission.runs, submission.shown, strict=True):
        found = reading.outputs(data, room)
        if run.status == "skipped":
            found.append(nbformat.v4.new_output("stream", name="stdout", text=NOT_RUN))
        elif run.status != "ok":
            found.append(nbformat.v4.new_output("stream", name="stderr", text=f"{run.message or run.status}\n"))
        room -= sum(map(reading.size, found))
        if found:
            shown[cell.id] = found
    return shown


def _judge_task(judge: Judge, submission: Submission, flags: list[str]) -> Result:
    task = judge.task
    run = submission.where(task)
    if run is not None and run.status == "forbidden":
        return without_cases(task, "forbidden", f"its cell did not run: {run.message}")
    ask = submission.asker(judge)
    first = ask(judge.cases[0])
    if first.status == calling.MISSING:
        if run is None or run.status == "ok":
            return without_cases(task, "missing", f"no function {task.id} in the notebook")
        verdict = run.status if run.status in ("forbidden", "timeout", "memory") else "error"
        return without_cases(task, verdict, f"its cell did not run: {run.message}")
    pending, operators = [first], set()  # the first case has been called already

    def run_case(prepared: PreparedCase) -> calling.Outcome:
        outcome = pending.pop() if pending else ask(prepared)
        operators.update(outcome.operators)
        return outcome

    result = judge.judge(run_case)
    # a name may be hidden from the record, and may get there by accident: a person looks
    flags += [f"{task.id} used {name}, the operation that was asked for" for name in sorted(operators & task.delegated)]
    forbidden = next((r for r in submission.runs if r.status == "forbidden"), None)
    if result.verdict == "error" and "NameError" in result.diagnosis and forbidden:
        # the name was to come from an import that was refused
        return replace(result, verdict="forbidden", diagnosis=f"{forbidden.message}; {result.diagnosis}")
    return result
