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
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy
from nbformat import NotebookNode

import neuralnotes.tasks
from neuralnotes.tasks import Task, calling, wire
from neuralnotes.tasks.judging import Judge, PreparedCase, Result, without_cases

CELL_SECONDS = 15.0
NOTEBOOK_SECONDS = 90.0  # of all cells together; a hostile notebook cannot hold up the class for longer
MAX_REPLY = 64 * 2**20
MAX_RESTARTS = 40
MAX_MAGICS, MAX_MAGIC_SOURCE = 50, 20_000  # of a cell that is not plain Python: characters % ! ?, all characters
TASKS_FOLDER = Path(neuralnotes.tasks.__file__).parent
SANDBOX = "separate process with resource limits (not an operating-system sandbox)"


class KernelLost(Exception):
    """The student's process did not answer: ``status`` is ``timeout`` or ``died``."""

    def __init__(self, status: str, message: str):
        super().__init__(message)
        self.status = status


class ZygoteLost(RuntimeError):
    """The zygote did not answer: killed from outside, or out of resources. No fault of the submission's."""


class Zygote:
    """The program that forks kernels. One per judge; start-up costs what importing NumPy costs."""

    def __init__(self):
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")}
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).with_name("kernel.py")), str(TASKS_FOLDER), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore", **one_thread},
        )
        theirs.close()
        self._control = mine

    def ask(self, request: dict, descriptors: tuple[int, ...] = ()) -> dict:
        try:
            self._control.settimeout(60)
            socket.send_fds(self._control, [json.dumps(request).encode()], list(descriptors))
            return json.loads(self._control.recv(65536))
        except (OSError, ValueError) as error:
            self.process.kill()
            self.process.wait()  # the next submission gets a new one
            raise ZygoteLost("the process that starts kernels is gone") from error

    def close(self) -> None:
        self._control.close()
        self.process.wait(timeout=10)


class Kernel:
    """One forked child that runs a submission."""

    def __init__(self, zygote: Zygote, allowed: frozenset[str], memory: int):
        self._zygote = zygote
        self._folder = tempfile.TemporaryDirectory(prefix="kernel-", ignore_cleanup_errors=True)
        self._connection, theirs = socket.socketpair()
        options = {
            "allowed": sorted(allowed), "memory": memory, "folder": self._folder.name, "cpu_seconds": 600,
        }
        self.pid = zygote.ask({"fork": options}, (theirs.fileno(),))["pid"]
        theirs.close()

    def ask(self, request: dict, seconds: float) -> dict:
        """Send a request and wait for the reply.

        Raises:
            KernelLost: No whole reply within the time, or the process is gone, or it wrote nonsense.
        """
        deadline = time.monotonic() + seconds
        payload = wire.encode(request)
        try:
            self._wait_for(deadline)
            self._connection.sendall(len(payload).to_bytes(8, "big") + payload)
            size = int.from_bytes(self._receive(8, deadline), "big")
            if size > MAX_REPLY:
                raise KernelLost(calling.DIED, f"the result is larger than {MAX_REPLY // 2**20} MB")
            reply = wire.decode(self._receive(size, deadline))
        except TimeoutError:
            raise KernelLost(calling.TIMEOUT, f"no answer within {seconds:g} s") from None
        except OSError:
            raise KernelLost(calling.DIED, "the process ended") from None
        except wire.WireError as error:
            raise KernelLost(calling.DIED, f"the process wrote nonsense: {error}") from None
        if not isinstance(reply, dict):
            raise KernelLost(calling.DIED, "the process wrote nonsense")
        return reply

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
        try:
            self._zygote.ask({"kill": self.pid})
        finally:
            self._folder.cleanup()


@dataclass
class CellRun:
    """How one cell went: ``ok``, ``error``, ``forbidden``, ``memory``, ``timeout`` or ``died``."""

    status: str = "ok"
    message: str = ""
    printed: str = ""


class Submission:
    """A notebook's cells in a kernel, restarted when a cell or a call takes it down."""

    def __init__(self, zygote: Zygote, notebook: NotebookNode, allowed: frozenset[str], memory: int):
        self._zygote, self._allowed, self._memory = zygote, allowed, memory
        self.cells = [cell for cell in notebook.cells if cell.cell_type == "code" and not is_check(cell)]
        self.sources = [cell.source for cell in self.cells]  # as plain Python, once they have been run
        self.runs = [CellRun() for _ in self.cells]
        self._left_out: set[int] = set()
        self._seconds_left = NOTEBOOK_SECONDS
        self._restarts = 0
        self._kernel: Kernel | None = None

    def start(self) -> None:
        """Fork a kernel and run all cells but those that took an earlier kernel down."""
        while True:
            self.close()
            self._restarts += 1
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
                reply = self._kernel.ask(request, min(CELL_SECONDS, self._seconds_left))
            except KernelLost as lost:
                self._left_out.add(index)
                self.runs[index] = CellRun(lost.status, str(lost))
                return False
            finally:
                self._seconds_left -= time.monotonic() - start
            self.runs[index] = CellRun(*(_text(reply.get(key), 20_000) for key in ("status", "message", "printed")))
        return True

    def call(self, task: Task, prepared: PreparedCase) -> calling.Outcome:
        """Call a function on one case, in a fresh kernel when the last one is gone."""
        if self._kernel is None:
            if self._restarts > MAX_RESTARTS:
                return calling.Outcome(calling.DIED, message="the process was lost too often")
            self.start()
        arguments, keywords = wire.decode(prepared.data)
        request = {
            "op": "call", "function": task.id, "driver": task.driver, "arguments": arguments, "keywords": keywords,
        }
        start = time.monotonic()
        try:
            reply = self._kernel.ask(request, task.budget.seconds)
        except KernelLost as lost:
            self.close()
            return calling.Outcome(lost.status, message=str(lost), seconds=time.monotonic() - start)
        elapsed = time.monotonic() - start
        return _outcome(reply, elapsed)

    def where(self, task: Task) -> CellRun | None:
        """How the last cell went that defines a function of this name, or else the cell that is meant to."""
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


def _outcome(reply: dict, elapsed: float) -> calling.Outcome:
    """Read a reply as an outcome. It comes from a hostile process: nothing in it is taken on trust."""
    status = _text(reply.get("status"))
    if status not in (calling.RETURNED, calling.RAISED, calling.FORBIDDEN, calling.MISSING, calling.MEMORY):
        return calling.Outcome(calling.DIED, message="the process wrote nonsense", seconds=elapsed)
    names = reply.get("error_types")
    names = tuple(_text(name, 100) for name in names[:20]) if isinstance(names, list) else ()
    written = reply.get("written")
    written = tuple(w for w in written[:50] if type(w) in (int, str)) if isinstance(written, list) else ()
    message = _text(reply.get("message"), 500)
    # the judge's own clock: a process could claim any speed
    return calling.Outcome(status, reply.get("value"), names, message, written, elapsed)


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
        isinstance(node, ast.FunctionDef) and node.name == name
        or isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name
        for node in nodes
    )


def is_check(cell: NotebookNode) -> bool:
    marks = cell.metadata.get("nbgrader", {})
    return bool(marks.get("grade")) and not marks.get("solution")


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


def result_key(slug: str, notebook: NotebookNode, seed: int) -> str:
    """Hash of everything that a result depends on: the cells, the tasks, the judge, the environment, the seed."""
    cells = [
        (cell.id, cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    parts = [slug, seed, sys.version, _code_fingerprint(), notebook.metadata.get("neuralnotes"), cells]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@cache
def _code_fingerprint() -> str:
    digest = hashlib.sha256(numpy.__version__.encode())
    for path in [*sorted(TASKS_FOLDER.glob("*")), Path(__file__), Path(__file__).with_name("kernel.py")]:
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


_judges: dict[tuple[str, int], Judge] = {}
_zygote: Zygote | None = None


def zygote() -> Zygote:
    """This process's zygote, started on first use."""
    global _zygote
    if _zygote is None or _zygote.process.poll() is not None:
        _zygote = Zygote()
    return _zygote


def judges(slug: str, seed: int) -> list[Judge]:
    """The judges of an assignment's tasks, kept for the whole run: oracles and misconceptions are computed once."""
    found = []
    for task in neuralnotes.tasks.assignment(slug):
        if (task.id, seed) not in _judges:
            _judges[task.id, seed] = Judge(task, seed)
        found.append(_judges[task.id, seed])
    return found


def judge_notebook(slug: str, notebook: NotebookNode, seed: int) -> dict:
    """Judge one clean notebook.

    Args:
        slug: The assignment.
        notebook: The notebook as the gate made it. ``metadata["neuralnotes"]`` holds ``verdict`` and ``reason`` when
            there was nothing to read.
        seed: Seed of the hidden cases.

    Returns:
        ``{"results": {task id: Result as JSON}, "cells": {cell id: {"status", "message", "printed"}}, "sandbox": ...}``
    """
    tasks = neuralnotes.tasks.assignment(slug)
    gate = notebook.metadata.get("neuralnotes")
    if gate:
        results = {task.id: without_cases(task, gate["verdict"], gate["reason"]) for task in tasks}
        return {"results": {key: r.as_json() for key, r in results.items()}, "cells": {}, "sandbox": SANDBOX}
    allowed = frozenset.union(*(task.allowed for task in tasks))
    memory = max(task.budget.memory for task in tasks)
    submission = Submission(zygote(), notebook, allowed, memory)
    results: dict[str, Result] = {}
    with contextlib.closing(submission):
        submission.start()
        for judge in judges(slug, seed):
            results[judge.task.id] = _judge_task(judge, submission)
    cells = {cell.id: vars(run) for cell, run in zip(submission.cells, submission.runs, strict=True)}
    return {"results": {key: r.as_json() for key, r in results.items()}, "cells": cells, "sandbox": SANDBOX}


def _judge_task(judge: Judge, submission: Submission) -> Result:
    task = judge.task
    run = submission.where(task)
    if run is not None and run.status == "forbidden":
        return without_cases(task, "forbidden", f"its cell did not run: {run.message}")
    first = submission.call(task, judge.cases[0])
    if first.status == calling.MISSING:
        if run is None or run.status == "ok":
            return without_cases(task, "missing", f"no function {task.id} in the notebook")
        verdict = run.status if run.status in ("forbidden", "timeout", "memory") else "error"
        return without_cases(task, verdict, f"its cell did not run: {run.message}")
    pending, seen = [first], set()  # the first case has been called already

    def run_case(prepared: PreparedCase) -> calling.Outcome:
        if prepared.case.name in seen:
            submission.close()  # asked again, to be timed: a fresh process remembers no answer
        seen.add(prepared.case.name)
        return pending.pop() if pending else submission.call(task, prepared)

    result = judge.judge(run_case)
    forbidden = next((r for r in submission.runs if r.status == "forbidden"), None)
    if result.verdict == "error" and "NameError" in result.diagnosis and forbidden:
        # the name was to come from an import that was refused
        return replace(result, verdict="forbidden", diagnosis=f"{forbidden.message}; {result.diagnosis}")
    return result
