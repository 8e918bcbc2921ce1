"""The student's process: it runs the cells of a submission and maps arguments to outputs. It holds no test, no oracle.

Run as a program it is the *zygote*: it imports NumPy once, then forks a child for every submission it is asked to
serve, so that a child is ready in milliseconds; ``confine.py`` shuts it in. The zygote is started with
``python -I kernel.py <options>``, JSON with ``folder`` (of wire.py), ``fd`` (the socket at whose other end ``judge.py``
is), ``environment`` (a key of ``ENVIRONMENTS``), ``level`` (of the sandbox), ``scratch`` (a folder) and ``cgroups`` to
join. Nothing of ``neuralnotes`` is importable here: ``wire``, ``calling`` and ``drivers``, which need NumPy only, are
loaded by path.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import io
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

OPTIONS = json.loads(sys.argv[1])
if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    import confine

    sys.path.pop(0)
    if "fd" in OPTIONS:  # returns in the process that becomes the zygote
        try:
            confine.supervise(OPTIONS["level"], OPTIONS["scratch"], OPTIONS["cgroups"])
        except confine.Impossible as error:
            confine.report_failure(OPTIONS["fd"], error)
            sys.exit(1)
sys.path.insert(0, OPTIONS["folder"])
import calling  # noqa: E402
import drivers  # noqa: E402
import wire  # noqa: E402

sys.path.pop(0)
if OPTIONS["environment"] == "reading":
    sys.path.insert(0, str(Path(__file__).parent))
    import light

    sys.path.pop(0)

import collections  # noqa: E402, F401 - the modules that a task may allow are imported before forking
import dataclasses  # noqa: E402
import functools  # noqa: E402, F401
import itertools  # noqa: E402, F401
import math  # noqa: E402, F401
import numbers  # noqa: E402, F401
import operator  # noqa: E402, F401
import types  # noqa: E402
import typing  # noqa: E402, F401

import numpy as np  # noqa: E402

PRINT_LIMIT = 20_000  # characters of one cell's output that are kept
# what is imported before forking: modules by environment
ENVIRONMENTS = {
    "numpy": ("numpy.testing",),  # of NumPy's parts the one that asks the platform about itself
    "reading": (),
    "torch": ("torch", "torch.utils._python_dispatch"),
}
# what those modules and their libraries may import themselves, beside what the task allows
BESIDE = {"torch": frozenset({"torch", "typing_extensions", "sympy", "mpmath", "networkx", "jinja2", "filelock"})}
# what Python itself asks for in the name of the code that runs: for "\N{BULLET}", for a coroutine that nobody awaits,
# for x.__reduce__()
ALWAYS = {"__future__", "unicodedata", "warnings", "copyreg"}
LIGHT = {"neuralnotes": {"check", "data", "date_reader", "plots"}, "matplotlib": {"pyplot"}}
if OPTIONS["environment"] == "reading":
    BESIDE["reading"] = light.PACKAGES
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
        caller = sys._getframe(1).f_globals if globals is None else globals  # some libraries call __import__(name)
        if caller.get("__name__") != "__main__":
            return _real_import(name, globals, locals, fromlist, level)
        top = name.partition(".")[0]
        if top in allowed or top in ALWAYS:
            return _real_import(name, globals, locals, fromlist, level)
        reading = state["screen"] is not None
        if state["light"] and top in LIGHT:
            asked = set(fromlist or ()) if name == top else {name.split(".")[1]}
            if top != "neuralnotes" or asked <= LIGHT[top]:
                return _real_import(name, globals, locals, fromlist, level) if reading else Inert()
        if state["light"] == "locked":  # the release's own set-up cell: what is not there is not needed for grading
            standard = reading and top in sys.stdlib_module_names
            return _real_import(name, globals, locals, fromlist, level) if standard else Inert()
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


def receive_exactly(connection: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        try:
            part = connection.recv(min(count, 1 << 20))
        except ConnectionResetError:
            part = b""
        if not part:
            os._exit(0)  # the judge is gone
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def serve(connection: socket.socket, allowed: frozenset[str]) -> None:
    """Answer the judge's requests until the connection closes.

    A request is two sizes (8 bytes each), a head and a body: one cell, or one function's calls, whose arguments stand
    in the body one after the other. Each call has a reply of its own, sent as soon as it is there: the request's token
    (16 bytes), two sizes, what is said about it, and the value.
    """
    state = {"light": "", "forbidden": None, "screen": None}
    builtins.__import__ = make_import(allowed, state)
    sys.meta_path.insert(0, BlockForeign(allowed | BESIDE.get(OPTIONS["environment"], frozenset())))
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    namespace = module.__dict__
    namespace["get_ipython"] = lambda: Inert()
    namespace["display"] = lambda *values: show(values, state["screen"])
    while True:
        sizes = receive_exactly(connection, 16)
        head = wire.decode(receive_exactly(connection, int.from_bytes(sizes[:8], "big")))
        body = receive_exactly(connection, int.from_bytes(sizes[8:], "big"))
        if head["op"] == "cell":
            replies = [run_cell(head, namespace, state)]
        else:
            replies = run_calls(head, body, namespace, state)
        for reply, value in replies:
            payload = wire.encode(reply)
            sizes = len(payload).to_bytes(8, "big") + len(value).to_bytes(8, "big")
            connection.sendall(bytes.fromhex(head["token"]) + sizes + payload + value)


def show(values: tuple, screen) -> None:
    """In place of IPython's ``display``."""
    for value in values:
        if screen is not None and not isinstance(value, Inert):
            screen.value(value)


def run_cell(request: dict, namespace: dict, state: dict) -> tuple[dict, bytes]:
    """Run one cell of the notebook: how it went, and what it showed where notebooks are read through."""
    state.update(light=request["light"], forbidden=None)
    printed = BoundedText()
    sys.stdout = sys.stderr = printed
    screen = None
    if OPTIONS["environment"] == "reading":
        screen = state["screen"] = light.Screen()
        sys.stdout, sys.stderr = light.Stream(screen, "stdout"), light.Stream(screen, "stderr")
    status, message = "ok", ""
    try:
        if screen is None:
            exec(compile(request["source"], request["name"], "exec", dont_inherit=True), namespace)
        else:
            light.run(request["source"], request["name"], namespace, screen)
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
    reply = {"status": status, "message": message, "printed": printed.getvalue()}
    return reply, wire.encode(screen.taken()) if screen else b""


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


def run_calls(head: dict, body: bytes, namespace: dict, state: dict) -> Iterator[tuple[dict, bytes]]:
    """Call one function on several cases: for each what is said about the call, and the encoded value."""
    driver = getattr(drivers, head["driver"]) if head["driver"] else None
    start = 0
    for size in head["sizes"]:
        outcome, value = run_call(namespace.get(head["function"]), body[start : start + size], driver, state)
        start += size
        reply: dict = {"status": outcome.status}
        if outcome.status == calling.RAISED or outcome.decides:
            reply |= {"error_types": list(outcome.error_types), "message": outcome.message}
        if outcome.written:
            reply["written"] = list(outcome.written)
        if outcome.operators:
            reply["operators"] = list(outcome.operators)
        yield reply, value
        if outcome.decides:
            return


def run_call(function, data: bytes, driver, state: dict) -> tuple[calling.Outcome, bytes]:
    """Call a function on one case."""
    if not callable(function) or isinstance(function, Inert):
        return calling.Outcome(calling.MISSING), b""
    state["forbidden"] = None
    sys.stdout = sys.stderr = BoundedText()
    operators: set[str] = set()
    try:
        with recorded(operators):
            outcome, value = calling.perform(function, data, driver)
    except KeyboardInterrupt:
        outcome, value = calling.Outcome(calling.RAISED, error_types=("KeyboardInterrupt", "BaseException")), b""
    except MemoryError:  # the value is there, but no room to encode it
        outcome, value = calling.Outcome(calling.MEMORY), b""
    finally:
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    if state["forbidden"]:
        return calling.Outcome(calling.FORBIDDEN, error_types=("ForbiddenImport",), message=state["forbidden"]), b""
    return dataclasses.replace(outcome, operators=tuple(sorted(operators))) if operators else outcome, value


def recorded(operators: set[str]) -> AbstractContextManager:
    """Where PyTorch is there, names the operators that are used ("aten.convolution")."""
    if "torch" not in sys.modules:
        return nullcontext()
    dispatch = importlib.import_module("torch.utils._python_dispatch")

    class Recorder(dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, used, kinds, args=(), kwargs=None):
            operators.add(str(used.overloadpacket))
            return used(*args, **(kwargs or {}))

    return Recorder()


def become_kernel(box: confine.Box, connection: int, report: int, options: dict) -> None:
    """Shut this process in, say so on the pipe ``report``, then serve. Nothing of a student's runs if that fails."""
    try:
        try:
            connection, report = box.settle([connection, report])
            box.enter(options)
            os.write(report, b"ready")
        except Exception as error:
            os.write(report, f"a kernel cannot be shut in: {type(error).__name__}: {error}".encode())
            raise
        os.close(report)
        # the system calls that would find out what kind of socket it is are closed
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, proto=0, fileno=connection)
        serve(stream, frozenset(options["allowed"]))
    finally:
        os._exit(1)


def start_kernel(box: confine.Box, connection: int, options: dict) -> int:
    """Start a process that serves a submission; its process id.

    Raises:
        RuntimeError: It could not be shut in.
    """
    listen, report = os.pipe()
    options["parent"] = os.getpid() if box.level != "namespaces" else 0
    if box.level == "bubblewrap":
        inside = {"connection": connection, "report": report, "fork": options, "filter": box.filter_text()}
        own = Path(__file__).parent
        files = [__file__, confine.__file__, str(own / "light.py")]
        files += [str(Path(OPTIONS["folder"]) / name) for name in ("wire.py", "calling.py", "drivers.py")]
        if "handed_in" in OPTIONS:
            files += [OPTIONS["handed_in"], *(str(Path(OPTIONS["folder"]).parent / n) for n in ("plots.py", "data.py"))]
        mine = {key: value for key, value in OPTIONS.items() if key != "fd"}
        command = [sys.executable, "-I", __file__, json.dumps({**mine, "inside": inside})]
        child = box.bubblewrap(command, files, [connection, report], report).pid
    else:
        box.before_fork()
        child = os.fork()
        if child == 0:
            become_kernel(box, connection, report, options)
    os.close(report)
    said = b""
    while not said.endswith(b"ready") and (part := os.read(listen, 4096)):
        said += part
    os.close(listen)
    if not said.endswith(b"ready"):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise RuntimeError(said.decode(errors="replace").strip()[-500:] or "a kernel died while it was shut in")
    return child


def import_environment() -> None:
    """Import what kernels need, and use it once: what is loaded lazily is there before forking."""
    np.linalg.inv(np.eye(2))
    np.einsum("ij,jk->ik", np.eye(2), np.eye(2), optimize=True)
    np.lib.stride_tricks.sliding_window_view(np.zeros(4), 2)
    np.random.default_rng(0).normal()
    for name in ENVIRONMENTS[OPTIONS["environment"]]:
        importlib.import_module(name)
    if OPTIONS["environment"] == "reading":
        light.install(Path(OPTIONS["folder"]).parent, Path(OPTIONS["handed_in"]))
    if OPTIONS["environment"] == "torch":
        torch = sys.modules["torch"]
        with recorded(set()):  # the first operator that is recorded imports much
            torch.einsum("ij,jk->ik", torch.eye(2), torch.eye(2, requires_grad=True)).sum().backward()


def main() -> None:
    import_environment()
    visible = {"numpy"} | BESIDE.get(OPTIONS["environment"], frozenset()) - {"neuralnotes"}
    if "inside" in OPTIONS:
        inside = OPTIONS["inside"]
        box = confine.Box(OPTIONS["level"], visible, "", inside)
        become_kernel(box, inside["connection"], inside["report"], inside["fork"])
    try:
        box = confine.Box(OPTIONS["level"], visible, OPTIONS["scratch"])
    except confine.Impossible as error:
        confine.report_failure(OPTIONS["fd"], error)
        sys.exit(1)
    control = socket.socket(fileno=OPTIONS["fd"])
    folders: dict[int, str] = {}
    try:
        answer_judge(control, box, folders)
    except (ConnectionResetError, BrokenPipeError):  # the judge was interrupted in the middle of a request
        pass
    for child in folders:
        end_kernel(child)


def answer_judge(control: socket.socket, box: confine.Box, folders: dict[int, str]) -> None:
    """Start and end kernels as the judge asks, until it closes the connection.

    Args:
        control: the connection to the judge.
        box: what the kernels are confined in.
        folders: the folder of each kernel that is running, by process id; kept up to date here.
    """
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 65536, 1)
        if not message:
            return
        request = json.loads(message)
        if "fork" in request:
            options = {**request["fork"], "folder": box.make_folder()}
            try:
                child = start_kernel(box, descriptors[0], options)
                folders[child] = options["folder"]
                answer = {"pid": child, "about": box.about}
            except (OSError, RuntimeError) as error:
                box.remove_folder(options["folder"])
                answer = {"error": str(error)}
            os.close(descriptors[0])
        else:
            child = request["kill"]
            end_kernel(child)
            box.remove_folder(folders.pop(child))
            answer = {}
        control.sendall(json.dumps(answer).encode())


def end_kernel(child: int) -> None:
    """Kill a kernel, and what it may have started."""
    for kill in (os.killpg, os.kill):
        try:
            kill(child, signal.SIGKILL)
        except ProcessLookupError:
            pass
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()
