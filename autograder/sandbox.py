"""Which sandbox this machine has, tried out rather than believed.

A level is started for real and a kernel of it tries what it must not be able to do: read and write outside its folder,
connect to a server, start a process, signal its parent, see the judge's environment. What ``confine.py`` does for a
level is described there; the guide for instructors says how to get a better one.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import platform
import secrets
import socket
import tempfile
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from . import confine
from .assignments import CannotStart

LEVELS = ("namespaces", "bubblewrap", "landlock", "none")
WHAT = {
    "namespaces": "own user, mount, PID, network and IPC namespaces",
    "bubblewrap": "a fresh set of namespaces for every kernel",
    "landlock": "no namespaces, and no file can be written",
    "none": "NOT SANDBOXED: a separate process with resource limits; it can read files, use the network and start "
    "processes",
}
HINT = "install bubblewrap, or see the instructor's guide; --no-sandbox grades without one"
PROBE_MEMORY = 2 * 2**30  # bytes
OVERHEAD = 640 * 2**20  # bytes that the processes of a control group take beside what a submission may
GIVEN = {"PATH", "LANG", "LC_CTYPE", "PYTHONWARNINGS", "TMPDIR", "PWD"}  # to kernels, of the environment
_count = itertools.count()


class NoSandbox(CannotStart):
    """This machine has no sandbox, or not the one that was asked for."""


@dataclass(frozen=True)
class Sandbox:
    """A level that works here.

    Attributes:
        level: One of ``LEVELS``.
        description: What is active and what is not, in one sentence.
    """

    level: str
    description: str


@cache
def best() -> Sandbox:
    """The best sandbox that works on this machine.

    Raises:
        NoSandbox: There is none.
    """
    if platform.system() != "Linux":
        system = platform.system()
        raise NoSandbox(f"there is no sandbox for students' code on {system}: --no-sandbox grades without one")
    reasons = []
    for level in LEVELS[:-1]:
        try:
            return at(level)
        except NoSandbox as error:
            reasons.append(str(error))
    raise NoSandbox(f"this machine has no sandbox for students' code: {HINT} ({'; '.join(reasons)})")


@cache
def at(level: str) -> Sandbox:
    """The sandbox of a level, tried out.

    Raises:
        NoSandbox: It does not work on this machine, or a kernel got out of it.
        ValueError: There is no such level.
    """
    if level not in LEVELS:
        raise ValueError(f"there is no sandbox level {level!r}; there are {', '.join(LEVELS)}")
    if level == "none":
        return Sandbox(level, WHAT[level])
    if platform.system() != "Linux":
        raise NoSandbox(f"{level}: this sandbox is there on Linux only, not on {platform.system()}")
    about, seen = _probe(level)
    if seen:
        warnings.warn(f"sandbox level {level} is refused: a kernel could {', '.join(seen)}", stacklevel=2)
        raise NoSandbox(f"{level}: a kernel could {', '.join(seen)}")
    group = about["cgroup"] or "no control group for memory"
    landlock = f"Landlock ABI {about['landlock']}" if about["landlock"] else "no Landlock"
    root = "" if about["nobody"] or os.geteuid() else "; as root without rights, as no other user can read this Python"
    return Sandbox(level, f"{level} ({WHAT[level]}; {landlock}, seccomp, resource limits, {group}{root})")


# what a kernel of the probe tries; it prints what it could do
TRIES = '''
import collections
os = collections._sys.modules["os"]
socket = collections._sys.modules["socket"]
def attempt(name, function):
    try:
        if function():
            print(name)
    except BaseException:
        pass
def write():
    with open(PLACE + "/written", "w") as file:
        return file.write("x")
def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return True
attempt("read a file of the judge's", lambda: TOKEN in open(PLACE + "/canary").read())
attempt("write outside its folder", write)
attempt("connect to a server", lambda: socket.create_connection((b"127.0.0.1", PORT), 0.2))
attempt("make a socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
attempt("start a process", fork)
attempt("signal the judge", lambda: os.kill(JUDGE, 0) is None)
attempt("signal its parent", lambda: os.getppid() and os.kill(os.getppid(), 0) is None)
attempt("see the judge's environment", lambda: open(f"/proc/{JUDGE}/environ", "rb").read())
attempt("find the judge's environment in its own", lambda: set(os.environ) & NAMES)
print("done")
'''


def _probe(level: str) -> tuple[dict, list[str]]:
    """Start a level and have a kernel try what it must not.

    Returns:
        What is active (``landlock``, ``nobody``, ``cgroup``), and what the kernel could do.

    Raises:
        NoSandbox: The level cannot be started.
    """
    from . import judge

    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="probe-") as place, socket.create_server(("127.0.0.1", 0)) as server:
        os.chmod(place, 0o777)  # it is not the file's permissions that are tried out
        Path(place, "canary").write_text(token)
        os.chmod(Path(place, "canary"), 0o666)
        names = {
            "PLACE": place, "TOKEN": token, "PORT": server.getsockname()[1], "JUDGE": os.getpid(),
            "NAMES": {name for name in os.environ if name not in GIVEN and not name.endswith("_NUM_THREADS")},
        }
        values = "".join(f"{name} = {value!r}\n" for name, value in names.items())
        zygote = judge.zygote("numpy", level)
        try:
            kernel = judge.Kernel(zygote, frozenset({"numpy", "collections"}), PROBE_MEMORY)
        except judge.ZygoteLost as error:
            raise NoSandbox(f"{level}: {error}") from error
        try:
            run = {"op": "cell", "name": "<probe>", "light": ""}
            kernel.send({**run, "source": values + TRIES}, b"", 10)
            done, _ = kernel.reply(10)
            seen = done["printed"].split("\n")[:-1]
            if done["status"] != "ok" or not seen or seen.pop() != "done":
                raise NoSandbox(f"{level}: the probe did not get to its end ({done['message']})")
            with contextlib.suppress(judge.KernelLost):  # this may be the end of it
                kernel.send({**run, "source": "os.execv('/bin/true', ['true'])"}, b"", 10)
                done, _ = kernel.reply(10)
                if done["status"] == "error":
                    return {**kernel.about, "cgroup": zygote.cgroup_kind}, seen
            return {}, [*seen, "run a program"]
        except judge.KernelLost as error:
            raise NoSandbox(f"{level}: the probe's kernel was lost: {error}") from error
        finally:
            kernel.close()


# --------------------------------------------------------------------------------------------------- control groups


class Cgroup:
    """A control group for a zygote and its kernels, as far as this machine lets us make one.

    Attributes:
        folders: Its folders, one for every controller in version 1; none when there is no control group.
        kind: What it limits, for people; empty when there is none.
    """

    def __init__(self):
        self._memory: Path | None = None
        self._swap: Path | None = None
        self.folders: list[str] = []
        self.kind = ""
        name = f"neuralnotes-{os.getpid()}-{next(_count)}"
        kinds = []
        for controller, parent in _parents().items():
            _sweep(parent)
            folder = parent / name
            try:
                folder.mkdir(exist_ok=True)
            except OSError:
                continue
            if str(folder) not in self.folders:
                self.folders.append(str(folder))
            memory = next((folder / n for n in ("memory.max", "memory.limit_in_bytes") if (folder / n).exists()), None)
            try:
                if controller == "pids":
                    (folder / "pids.max").write_text(str(2 * confine.PROCESS_LIMIT))
                    kinds.append("processes")
                elif memory:
                    self._memory = memory
                    self._swap = next((p for p in [folder / "memory.swap.max"] if p.exists()), None)
                    if self._swap:
                        self._swap.write_text("0")
                    kinds.insert(0, "memory")
            except OSError:
                self._memory = None
        if kinds:
            self.kind = f"control group for {' and '.join(kinds)}"

    def limit(self, memory: int) -> None:
        """Limit all processes of the group together to what a submission may take, and what the zygote takes."""
        if self._memory is None:
            return
        try:
            self._memory.write_text(str(memory + OVERHEAD))
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise  # else version 1: what the last kernel took is not given back yet, and its limit stays

    def remove(self) -> None:
        """Remove the group, when its processes are gone."""
        confine.remove_cgroups(self.folders)


def _sweep(parent: Path) -> None:
    """Remove groups of judges that are gone, with all that could have cleaned up after them."""
    for group in parent.glob("neuralnotes-*"):
        if not Path("/proc", group.name.split("-")[1]).exists():
            with contextlib.suppress(OSError):  # it is not empty, or somebody else was faster
                group.rmdir()


def _parents() -> dict[str, Path]:
    """Where groups can be made: the folder by controller, ``memory`` and ``pids``."""
    found, top = {}, Path("/sys/fs/cgroup")
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return found
    for controllers, path in (line.split(":", 2)[1:] for line in lines):
        for controller in {"memory", "pids"} & set(controllers.split(",")):
            found[controller] = top / controller / path.strip("/")
        if len(lines) == 1 and (top / "cgroup.controllers").exists():  # version 2
            folder = _delegated(top / path.strip("/"))
            found = {"memory": folder, "pids": folder} if folder else {}
    return {name: folder for name, folder in found.items() if os.access(folder, os.W_OK)}


def _delegated(own: Path) -> Path | None:
    """In version 2: this process's group, when it was handed to us to divide, with the controllers switched on.

    A group that has groups below it can have no process in it: this process moves to one below.
    """
    if own.name == "neuralnotes":
        own = own.parent
    try:
        marks = {"user.delegate", "trusted.delegate"} & set(os.listxattr(own))  # by systemd
        if not any(os.getxattr(own, mark) == b"1" for mark in marks):
            return None
        below = own / "neuralnotes"
        below.mkdir(exist_ok=True)
        for process in (own / "cgroup.procs").read_text().split():
            (below / "cgroup.procs").write_text(process)
        (own / "cgroup.subtree_control").write_text("+memory +pids")
    except OSError:
        return None
    return own
