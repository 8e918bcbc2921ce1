"""The student's process: it runs the cells of a submission and maps arguments to outputs. It holds no test, no oracle.

Run as a program it is the *zygote*: it imports NumPy once, then forks a child for every submission it is asked to
serve, so that a child is ready in milliseconds. The zygote is started with ``python -I kernel.py <folder of wire.py>
<fd>``; ``judge.py`` is at the other end of the socket ``fd``. Nothing of ``neuralnotes`` is importable here: ``wire``,
``calling`` and ``drivers``, which need NumPy only, are loaded by path.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import resource
import signal
import socket
import sys

sys.path.insert(0, sys.argv[1])
import calling  # noqa: E402
import drivers  # noqa: E402
import wire  # noqa: E402

sys.path.pop(0)

import collections  # noqa: E402, F401 - the modules that a task may allow are imported before forking
import dataclasses  # noqa: E402, F401
import functools  # noqa: E402, F401
import itertools  # noqa: E402, F401
import math  # noqa: E402, F401
import numbers  # noqa: E402, F401
import operator  # noqa: E402, F401
import types  # noqa: E402
import typing  # noqa: E402, F401

import numpy as np  # noqa: E402

PRINT_LIMIT = 20_000  # characters of one cell's output that are kept
FILE_LIMIT = 16 * 2**20  # bytes of the largest file that a submission may write
ALWAYS = {"__future__", "unicodedata"}  # the compiler itself asks for the second when it meets "\N{BULLET}"
LIGHT = {"neuralnotes": {"check", "data", "date_reader", "plots"}, "matplotlib": {"pyplot"}}
_real_import = builtins.__import__


class Inert:
    """Stands for plots, data and ``check`` of the notebook: accepts anything, does nothing."""

    def __call__(self, *args, **kwargs):
        return self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key):
        return self

    def __array__(self, *args, **kwargs):
        # without this NumPy would take it for a sequence of sequences without end
        raise TypeError("the course's data and plots are left out when graded")

    def __iter__(self):
        return iter((self, self))

    def __len__(self):
        return 0

    def __str__(self):
        return "(left out when graded)"

    def __format__(self, specification):
        return str(self)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return False


class BoundedText(io.StringIO):
    """What a cell prints, up to a limit."""

    def write(self, text: str) -> int:
        room = PRINT_LIMIT - self.tell()
        if room > 0:
            super().write(text[:room])
        return len(text)


def make_import(allowed: frozenset[str], state: dict):
    """An ``__import__`` that gives the student's code what the task allows, and libraries whatever they need."""

    def guarded(name, globals=None, locals=None, fromlist=(), level=0):
        if globals is not None and globals.get("__name__") != "__main__":
            return _real_import(name, globals, locals, fromlist, level)
        top = name.partition(".")[0]
        if top in allowed or top in ALWAYS:
            return _real_import(name, globals, locals, fromlist, level)
        if state["light"] == "locked":
            return Inert()  # the release's own set-up cell: what the task does not allow is not needed for grading
        if state["light"] and top in LIGHT:
            asked = set(fromlist or ()) if name == top else {name.split(".")[1]}
            if top != "neuralnotes" or asked <= LIGHT[top]:
                return Inert()
        state["forbidden"] = f"{name} may not be imported when graded; allowed are {', '.join(sorted(allowed))}"
        raise calling.ForbiddenImport(state["forbidden"])

    return guarded


class BlockForeign:
    """Keeps libraries that the task does not allow from being imported by way of others."""

    def __init__(self, allowed: frozenset[str]):
        self.allowed = allowed

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in self.allowed or top in sys.stdlib_module_names:
            return None
        raise calling.ForbiddenImport(f"{name} is not there when graded")


def limit(memory: int, seconds: int) -> None:
    """Set the resource limits of this process."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def receive_exactly(connection: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = connection.recv(min(count, 1 << 20))
        if not part:
            os._exit(0)  # the judge is gone
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def serve(connection: socket.socket, allowed: frozenset[str]) -> None:
    """Answer the judge's requests until the connection closes."""
    state = {"light": "", "forbidden": None}
    builtins.__import__ = make_import(allowed, state)
    sys.meta_path.insert(0, BlockForeign(allowed))
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    namespace = module.__dict__
    namespace["get_ipython"] = lambda: Inert()
    namespace["display"] = Inert()
    while True:
        size = int.from_bytes(receive_exactly(connection, 8), "big")
        request = wire.decode(receive_exactly(connection, size))
        if request["op"] == "cell":
            reply = run_cell(request, namespace, state)
        else:
            reply = run_call(request, namespace, state)
        payload = wire.encode(reply)
        connection.sendall(len(payload).to_bytes(8, "big") + payload)


def run_cell(request: dict, namespace: dict, state: dict) -> dict:
    """Run one cell of the notebook."""
    state.update(light=request["light"], forbidden=None)
    printed = BoundedText()
    sys.stdout = sys.stderr = printed
    status, message = "ok", ""
    try:
        exec(compile(request["source"], request["name"], "exec", dont_inherit=True), namespace)
        if state["forbidden"]:
            status, message = "forbidden", state["forbidden"]  # the code caught the error: asking is what counts
    except BaseException as error:
        status = "error"
        if state["forbidden"] or isinstance(error, calling.ForbiddenImport):
            status = "forbidden"
        elif isinstance(error, MemoryError):
            status = "memory"
        message = describe_error(error, request["name"])
    finally:
        state["light"] = ""
        sys.stdout = sys.__stdout__
        sys.stderr = sys.__stderr__
    return {"status": status, "message": message, "printed": printed.getvalue()}


def describe_error(error: BaseException, cell_name: str) -> str:
    """Type, text and the student's line."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == cell_name:
            line = trace.tb_lineno
        trace = trace.tb_next
    try:
        text = str(error.msg if isinstance(error, SyntaxError) else error)[:300]
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" + (f" (line {line} of the cell)" if line else "")


def run_call(request: dict, namespace: dict, state: dict) -> dict:
    """Call one function on one case."""
    function = namespace.get(request["function"])
    if not callable(function) or isinstance(function, Inert):
        return {"status": calling.MISSING}
    state["forbidden"] = None
    sys.stdout = sys.stderr = BoundedText()
    driver = getattr(drivers, request["driver"]) if request["driver"] else None
    try:
        outcome = calling.call(function, wire.encode((request["arguments"], request["keywords"])), driver)
    except KeyboardInterrupt:
        outcome = calling.Outcome(calling.RAISED, error_types=("KeyboardInterrupt", "BaseException"))
    finally:
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    if state["forbidden"]:
        outcome = calling.Outcome(calling.FORBIDDEN, error_types=("ForbiddenImport",), message=state["forbidden"])
    return {
        "status": outcome.status,
        "value": outcome.value,
        "error_types": list(outcome.error_types),
        "message": outcome.message,
        "written": list(outcome.written),
        "seconds": outcome.seconds,
    }


def become_child(connection: socket.socket, control: socket.socket, options: dict) -> None:
    """After the fork: cut the child off, then serve."""
    control.close()
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.chdir(options["folder"])
    limit(options["memory"], options["cpu_seconds"])
    try:
        serve(connection, frozenset(options["allowed"]))
    finally:
        os._exit(1)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[2]))
    np.linalg.inv(np.eye(2))  # loads what is loaded lazily
    np.einsum("ij,jk->ik", np.eye(2), np.eye(2), optimize=True)
    np.lib.stride_tricks.sliding_window_view(np.zeros(4), 2)
    np.random.default_rng(0).normal()
    import numpy.testing  # noqa: F401 - of NumPy's parts the one that asks the platform about itself
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 65536, 1)
        if not message:
            return
        request = json.loads(message)
        if "fork" in request:
            child = os.fork()
            if child == 0:
                become_child(socket.socket(fileno=descriptors[0]), control, request["fork"])
            os.close(descriptors[0])
            control.sendall(json.dumps({"pid": child}).encode())
        else:
            for kill in (os.killpg, os.kill):
                try:
                    kill(request["kill"], signal.SIGKILL)
                except ProcessLookupError:
                    pass
            _, status = os.waitpid(request["kill"], 0)
            control.sendall(json.dumps({"status": status}).encode())


if __name__ == "__main__":
    main()
