"""How a kernel is shut in: namespaces, a root with nothing in it, Landlock, seccomp, resource limits.

Loaded by path in the process that forks kernels (``kernel.py``). ``supervise`` runs first, ``Box`` is made once when
all is imported, ``Box.enter`` runs in every child before a student's code does. What the levels are, and whether they
work on this machine, is for ``sandbox.py``. Standard library only, apart from pyseccomp, which compiles the filter, and
py_landlock. Namespaces and mounts have no well-kept package: their system calls are made here.
"""

from __future__ import annotations

import base64
import ctypes
import errno
import fcntl
import importlib.util
import json
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

NOBODY = 65534
DEVICES = [os.devnull, "/dev/urandom"]
WORK = "/kernel"  # the working folder of a kernel with a root of its own
FOLDER_LIMIT = 64 * 2**20  # bytes of all files in the working folder
FILE_LIMIT = 16 * 2**20  # bytes of the largest file
INODE_LIMIT = 2048
PROCESS_LIMIT = 64  # processes and threads

# linux/sched.h
NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
# linux/mount.h
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE, MNT_DETACH = 1, 2, 4, 8, 0x4000, 0x40000, 2
AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE, OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = -100, 0x1000, 0x8000, 1, 4
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID = 1, 2
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}  # the others have one number on every architecture
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
# linux/prctl.h
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 22, 38

_libc = ctypes.CDLL(None, use_errno=True)


class Impossible(Exception):
    """This machine does not allow what the level needs; the text says what."""


def _call(name: str, *arguments) -> int:
    """Call a function of the C library.

    Raises:
        OSError: It failed.
    """
    value = getattr(_libc, name)(*arguments)
    if value == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return value


def _syscall(name: str, number: int, *arguments) -> int:
    """Make a system call that the C library has no function for, with integers (as 64 bits) and pointers."""
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    _libc.syscall.restype = ctypes.c_long
    value = _libc.syscall(ctypes.c_long(number), *wide)
    if value == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return value


def _mount(kind: str, target: str, flags: int, data: str = "") -> None:
    _call("mount", kind.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode() or None)


# ---------------------------------------------------------------------------------------------------- the supervisor


def supervise(level: str, scratch: str, cgroups: Iterable[str]) -> None:
    """Fork: this process waits, cleans up when the other one or the judge is gone, and exits; the other one returns.

    Args:
        level: One of ``sandbox.LEVELS``. At ``namespaces`` the process that returns is the first of its namespaces.
        scratch: A folder that is removed at the end.
        cgroups: Folders of the control groups that the other process joins, removed at the end.

    Raises:
        Impossible: There are no namespaces to be had, or a control group cannot be joined.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the judge's to handle
    judge = _open_process(os.getppid())
    if level == "namespaces":
        _enter_namespaces()
    parent = os.getpid()
    zygote = os.fork()
    if zygote == 0:
        _die_with_parent(parent if level != "namespaces" else 0)
        try:
            for group in cgroups:
                Path(group, "cgroup.procs").write_text("0")
        except OSError as error:
            raise Impossible(f"the control group {group} cannot be joined: {error.strerror}") from error
        if judge is not None:
            os.close(judge)
        return
    signal.signal(signal.SIGTERM, lambda *_: os.kill(zygote, signal.SIGKILL))
    os.closerange(3, judge if judge is not None else 65536)
    if judge is not None:
        os.closerange(judge + 1, 65536)
    watched = _open_process(zygote)
    if judge is not None and watched is not None:
        select.select([judge, watched], [], [])
        os.kill(zygote, signal.SIGKILL)  # the judge is gone; or the zygote, which is not reaped yet
    _, status = os.waitpid(zygote, 0)
    remove_tree(scratch)
    remove_cgroups(cgroups)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _open_process(pid: int) -> int | None:
    """A descriptor that becomes readable when a process ends; None where there is no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _die_with_parent(parent: int) -> None:
    """Have the kernel end this process when its parent ends. ``parent`` is 0 where it cannot be seen from here."""
    if sys.platform == "linux":
        _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def remove_tree(folder: str) -> None:
    """Remove a folder that a student's code may have filled."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:  # folders in folders in folders
        subprocess.run(["rm", "-rf", "--", folder], check=False)


def remove_cgroups(cgroups: Iterable[str]) -> None:
    """Remove control groups. Processes that have just been killed may still be in them for a moment."""
    for group in cgroups:
        for _ in range(100):
            try:
                os.rmdir(group)
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.01)
            else:
                break


def _enter_namespaces() -> None:
    """Move to a new user namespace, with new network, IPC and host name; children get a new PID namespace.

    Root is root in it, and there is a nobody to become; an ordinary user is nobody.

    Raises:
        Impossible: The machine does not allow it.
    """
    process, uid, gid = os.getpid(), os.geteuid(), os.getegid()
    ready, go = os.pipe()
    helper = os.fork()
    if helper == 0:  # the maps are written from outside: only there root may map more than itself
        os.close(go)
        code = 1
        try:
            if os.read(ready, 1):
                _write_maps(process, uid, gid)
                code = 0
        finally:
            os._exit(code)
    os.close(ready)
    try:
        _call("unshare", NEWUSER | NEWPID | NEWNET | NEWIPC | NEWUTS)
        os.write(go, b"1")
    except OSError as error:
        raise Impossible(f"no user namespace: {error.strerror}") from error
    finally:
        os.close(go)
        _, status = os.waitpid(helper, 0)
    if status:
        raise Impossible("the user namespace's maps cannot be written")


def has_nobody() -> bool:
    """Whether there is a nobody to become: some containers have a single user."""
    for name in ("uid_map", "gid_map"):
        ranges = (map(int, line.split()) for line in Path("/proc/self", name).read_text().splitlines())
        if not any(first <= NOBODY < first + count for first, _, count in ranges):
            return False
    return True


def _write_maps(process: int, uid: int, gid: int) -> None:
    folder = Path(f"/proc/{process}")
    if uid == 0 and has_nobody():
        (folder / "uid_map").write_text(f"0 0 1\n{NOBODY} {NOBODY} 1\n")
        (folder / "gid_map").write_text(f"0 0 1\n{NOBODY} {NOBODY} 1\n")
    else:
        (folder / "setgroups").write_text("deny")
        (folder / "uid_map").write_text(f"{NOBODY} {uid} 1\n")
        (folder / "gid_map").write_text(f"{NOBODY} {gid} 1\n")


# ----------------------------------------------------------------------------------------------------- what is to see


def standard_library() -> list[str]:
    """Folders of Python's standard library. Some hold a ``site-packages``, which must not be seen."""
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    return sorted({sysconfig.get_path(name, vars=base) for name in ("stdlib", "platstdlib")})


SITES = ("site-packages", "dist-packages")


def packages(names: Iterable[str]) -> list[str]:
    """Folders and files of installed packages: those named, and those that are loaded."""
    found = []
    for name in sorted({*names, *(n for n in sys.modules if "." not in n and n[0] != "_")}):
        module = sys.modules.get(name)
        spec = module.__spec__ if module else importlib.util.find_spec(name)
        for path in (spec.submodule_search_locations or [spec.origin]) if spec and spec.origin != "built-in" else ():
            if path and Path(path).parent.name in SITES:
                found.append(os.path.abspath(path))
    return found


def libraries(beside: list[str]) -> list[str]:
    """Shared libraries of this process that are not in the folders ``beside``."""
    found = set()
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = line[line.index("/") :] if "/" in line else ""
        if ".so" in os.path.basename(path) and not path.endswith("(deleted)"):
            if not any(path.startswith(folder + "/") for folder in beside):
                found.add(path)
    return sorted(found)


def build_root(visible: list[str]) -> None:
    """Replace this process's root by one that holds nothing but the given files and folders, read-only.

    Raises:
        OSError: The machine does not allow it.
    """
    _call("unshare", NEWNS)
    _call("mount", None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
    # a mount attribute: what to set, what to clear, propagation, user namespace; 64 bits each
    attribute = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, 0)
    read_only = ctypes.byref(attribute), ctypes.sizeof(attribute)
    taken, covers = [], []
    for path in [*visible, *DEVICES]:
        flags = OPEN_TREE_CLONE | AT_RECURSIVE | os.O_CLOEXEC
        tree = _syscall("open_tree", OPEN_TREE, AT_FDCWD, os.fsencode(path), flags)
        if path not in DEVICES:
            _syscall("mount_setattr", MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH | AT_RECURSIVE, *read_only)
        taken.append((path, tree, os.path.isdir(path)))
    root = "/tmp"  # covered from here on, in this process only
    _mount("tmpfs", root, MS_NOSUID | MS_NODEV, "mode=0755,size=1m")
    for path, tree, folder in taken:
        target = Path(root + path)
        (target if folder else target.parent).mkdir(parents=True, exist_ok=True)
        if not folder:
            target.touch()
        _syscall("move_mount", MOVE_MOUNT, tree, b"", AT_FDCWD, os.fsencode(target), MOVE_MOUNT_F_EMPTY_PATH)
        os.close(tree)
        for name in SITES if folder else ():
            if (target / name).is_dir():
                covers.append(target / name)
                _mount("tmpfs", str(target / name), MS_NOSUID | MS_NODEV, "mode=0755,size=1m")
    for cover in covers:
        _syscall("mount_setattr", MOUNT_SETATTR, AT_FDCWD, os.fsencode(cover), 0, *read_only)
    Path(root + WORK).mkdir()
    os.chdir(root)
    pivot = PIVOT_ROOT.get(os.uname().machine)
    if pivot is None:
        raise OSError(errno.ENOSYS, f"pivot_root's number is not known on {os.uname().machine}")
    _syscall("pivot_root", pivot, b".", b".")
    _call("umount2", b".", MNT_DETACH)  # the old root lay on top of the new one
    os.chdir("/")
    _syscall("mount_setattr", MOUNT_SETATTR, AT_FDCWD, b"/", 0, *read_only)


# ------------------------------------------------------------------------------------------------------- system calls

# what NumPy, Matplotlib, torch and the interpreter need; every other system call fails with EPERM
ALLOWED = """
read write readv writev pread64 pwrite64 preadv pwritev close close_range lseek dup dup2 dup3 pipe pipe2 sendfile
access faccessat faccessat2 stat lstat fstat newfstatat statx statfs fstatfs readlink readlinkat
getcwd chdir fchdir getdents getdents64 fadvise64 fsync fdatasync flock umask
mmap munmap mremap mprotect madvise brk msync membarrier
rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait sigaltstack restart_syscall pause alarm
setitimer getitimer
poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2 recvfrom
clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times getrusage
getpid getppid gettid getuid geteuid getgid getegid getresuid getresgid getgroups getpgrp getpgid getsid
getcpu sched_yield sched_getaffinity sched_getparam sched_getscheduler getpriority getrlimit sysinfo uname getrandom
futex set_robust_list get_robust_list rseq set_tid_address arch_prctl exit exit_group
""".split()
# where a kernel has a folder of its own to write to
WRITING = """
open openat openat2 creat mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 ftruncate truncate fallocate
utimensat
""".split()
CLONE_THREAD = 0x10000
F_SETOWN, PR_SET_NAME, PR_GET_NAME, TCGETS = 8, 15, 16, 0x5401
# of these commands of fcntl: duplicate, flags, locks. Not F_SETOWN and F_SETSIG: they send signals
FCNTL = [fcntl.F_DUPFD, fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL, fcntl.F_SETFL, fcntl.F_GETLK, fcntl.F_SETLK,
         fcntl.F_SETLKW, fcntl.F_DUPFD_CLOEXEC] if sys.platform == "linux" else []
FIOCLEX, FIONCLEX, FIONREAD = 0x5451, 0x5450, 0x541B


def compile_filter(writing: bool) -> bytes:
    """The seccomp filter, as the BPF program that the kernel takes.

    No process, socket, signal to others, namespace, mount, tracing or key: what is not listed fails with EPERM. Threads
    are allowed.

    Args:
        writing: Whether files may be written. Landlock alone does not see to that: before its third version it lets
            files be cut off, and it never minds a change of their times.

    Raises:
        Impossible: There is no libseccomp.
    """
    try:
        import pyseccomp as seccomp
    except (ImportError, RuntimeError) as error:  # the package, or the library that it stands on
        raise Impossible("no seccomp: the library libseccomp2 is not installed") from error
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))

    def allow(name: str, *conditions) -> None:
        try:
            rules.add_rule(seccomp.ALLOW, name, *conditions)
        except (OSError, ValueError):
            pass  # this architecture or this libseccomp has no such call: it stays forbidden

    for name in ALLOWED + (WRITING if writing else []):
        allow(name)
    if not writing:
        to_write = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
        allow("open", seccomp.Arg(1, seccomp.MASKED_EQ, to_write, 0))
        allow("openat", seccomp.Arg(2, seccomp.MASKED_EQ, to_write, 0))
    allow("clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, CLONE_THREAD))
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags cannot be seen: the C library falls back to clone
    allow("sendto", seccomp.Arg(4, seccomp.EQ, 0))  # on the one socket that there is, to nobody else
    allow("prlimit64", seccomp.Arg(0, seccomp.EQ, 0), seccomp.Arg(2, seccomp.EQ, 0))  # its own, to read
    for command in FCNTL:
        allow("fcntl", seccomp.Arg(1, seccomp.EQ, command))
    for command in (TCGETS, FIOCLEX, FIONCLEX, FIONREAD):
        allow("ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, command))
    for command in (PR_SET_NAME, PR_GET_NAME):
        allow("prctl", seccomp.Arg(0, seccomp.EQ, command))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def load_filter(program: bytes) -> None:
    """Put a seccomp filter on this process, for good."""

    class Program(ctypes.Structure):  # struct sock_fprog
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    loaded = Program(len(program) // 8, program)
    _call("prctl", PR_SET_SECCOMP, 2, ctypes.byref(loaded), 0, 0)


def drop_privileges(become_nobody: bool) -> None:
    """Give up every capability, for good; when root also become nobody, if wanted."""
    if become_nobody and os.geteuid() == 0:
        os.setgroups([])
        for capability in range(64):
            if _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == -1:
                break  # the last one was before
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    if sys.platform == "linux":
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # the version with 64 capabilities; this process
        _call("capset", header, (ctypes.c_uint32 * 6)())
        _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)


def limit(memory: int, seconds: int, processes: int | None = None) -> None:
    """Set the resource limits of this process: bytes of address space, CPU seconds, processes of its user."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if processes is not None:
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))


# ------------------------------------------------------------------------------------------------------------ the box


class Box:
    """What is prepared once, when all is imported, so that a child is shut in within milliseconds.

    Args:
        level: One of ``sandbox.LEVELS``.
        names: Packages that may be seen.
        scratch: A folder to make working folders in, where the level has no root of its own.

    Attributes:
        about: What is active beside the level: ``{"landlock": ABI or 0, "nobody": whether root becomes an ordinary
            user}``.

    Raises:
        Impossible: The machine does not allow what the level needs.
    """

    def __init__(self, level: str, names: Iterable[str], scratch: str, inside: dict | None = None):
        self.level, self.scratch = level, scratch
        self.about = {"landlock": 0, "nobody": True}
        self._filter, self._landlock, self._proc, self._own = b"", None, None, None
        self.visible: list[str] = []
        self._null = os.open(os.devnull, os.O_RDWR)
        if level == "none":
            return
        if inside:  # bubblewrap has hidden the rest; py_landlock does not find the C library there
            self._filter = base64.b64decode(inside["filter"])
            return
        folders = standard_library() + packages(names)  # before our own helpers are loaded
        self.visible = folders + libraries(folders)
        self._filter = compile_filter(writing=level != "landlock")
        if level == "landlock":
            # what is imported late must be there: nobody has to get at Python
            roads = {parent for path in folders for parent in (Path(path), *Path(path).parents)}
            open_to_all = all(parent.stat().st_mode & 0o001 for parent in roads if parent.is_dir())
            self.about["nobody"] = has_nobody() and open_to_all
        if level == "bubblewrap":
            if not shutil.which("bwrap"):
                raise Impossible("bubblewrap is not installed")
            return  # the program in bubblewrap does the rest
        if os.path.exists("/proc/self/oom_score_adj"):
            self._proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
        if level == "namespaces":
            self._own = os.open("/proc/self/ns/pid", os.O_RDONLY)
            try:
                import py_landlock

                py_landlock.get_abi_version()  # finds the C library while the programs that it needs are there
            except (ImportError, py_landlock.LandlockError):
                pass
            try:
                build_root(self.visible)
                _call("sethostname", b"kernel", 6)
            except OSError as error:
                raise Impossible(f"no root of its own: {error.strerror}") from error
        self._prepare_landlock()

    def _prepare_landlock(self) -> None:
        import py_landlock

        try:
            self.about["landlock"] = int(py_landlock.get_abi_version())
        except py_landlock.LandlockError as error:
            if self.level == "landlock":
                raise Impossible("no Landlock in this kernel") from error
            return
        rules = py_landlock.Landlock(strict=False)
        if self.level == "landlock":
            access = py_landlock.AccessFs
            for folder in standard_library():
                rules.add_path_rule(folder, access=access.READ_DIR)  # names only
                rules.allow_read(*(entry.path for entry in os.scandir(folder)
                                   if entry.is_dir() and entry.name not in SITES))
                rules.add_path_rule(*(entry.path for entry in os.scandir(folder) if entry.is_file()),
                                    access=access.READ_FILE)
            for path in self.visible[len(standard_library()) :]:
                rules.add_path_rule(path, access=access.READ_FILE | (access.READ_DIR if os.path.isdir(path) else 0))
            rules.add_path_rule(*DEVICES, access=access.READ_FILE | access.WRITE_FILE)
        else:
            rules.allow_read("/").allow_read_write(WORK)
            rules.add_path_rule(os.devnull, access=py_landlock.AccessFs.WRITE_FILE)
        self._landlock = rules

    def before_fork(self) -> None:
        """Give the next child a PID namespace of its own: the last one's ended with its first process."""
        if self.level == "namespaces":
            _call("setns", self._own, NEWPID)
            _call("unshare", NEWPID)

    def settle(self, keep: list[int]) -> list[int]:
        """In the child: close all files but some.

        Args:
            keep: Descriptors that stay open.

        Returns:
            Their new numbers, from 3 on.
        """
        if self._proc is not None:
            # when memory runs out it is this process that goes
            score = os.open("self/oom_score_adj", os.O_WRONLY, dir_fd=self._proc)
            os.write(score, b"1000")
            os.close(score)
        high = [fcntl.fcntl(number, fcntl.F_DUPFD, 100) for number in keep]
        for number in (0, 1, 2):
            os.dup2(self._null, number)
        kept = [os.dup2(number, 3 + index) for index, number in enumerate(high)]
        os.closerange(3 + len(kept), 65536)
        return kept

    def enter(self, options: dict) -> None:
        """In the child: shut it in, for good.

        Args:
            options: ``memory`` in bytes, ``cpu_seconds``, ``folder`` to work in, ``parent``'s process id.
        """
        if self.level != "bubblewrap":  # which has done it
            os.setsid()
        if self.level == "namespaces":
            _call("unshare", NEWNS | NEWIPC)
            _mount("tmpfs", WORK, MS_NOSUID | MS_NODEV | MS_NOEXEC,
                   f"mode=0777,size={FOLDER_LIMIT},nr_inodes={INODE_LIMIT}")
        os.chdir(options["folder"])
        if self._landlock is not None:
            self._landlock.apply()  # before privileges go: its paths are opened here
        if self.level != "none":
            drop_privileges(self.about["nobody"])
        if self.level != "bubblewrap":  # which is the first process of its namespace, and dies with its parent anyway
            _die_with_parent(options["parent"])
        limit(options["memory"], options["cpu_seconds"], PROCESS_LIMIT if self.level == "namespaces" else None)
        if self._filter:
            load_filter(self._filter)

    def make_folder(self) -> str:
        """The working folder of the next kernel. At ``landlock`` it can write nothing: no limit would hold there."""
        return tempfile.mkdtemp(dir=self.scratch) if self.level == "none" else \
            self.scratch if self.level == "landlock" else WORK

    def remove_folder(self, folder: str) -> None:
        if self.level == "none":
            remove_tree(folder)

    def bubblewrap(self, command: list[str], files: list[str], keep: list[int], report: int) -> subprocess.Popen:
        """Start a program in bubblewrap.

        Args:
            command: The interpreter and its arguments.
            files: What it may see beside what the environment needs.
            keep: Descriptors that it inherits.
            report: Where its error messages go.
        """
        program = shutil.which("bwrap")
        python, real = command[0], os.path.realpath(command[0])
        arguments = [
            program, "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
            "--clearenv", "--hostname", "kernel", "--uid", str(NOBODY), "--gid", str(NOBODY),
        ]
        for name in os.environ:
            if name.endswith("_NUM_THREADS") or name in ("LANG", "PYTHONWARNINGS"):
                arguments += ["--setenv", name, os.environ[name]]
        links = {f"/{name}": os.readlink(f"/{name}") for name in ("lib", "lib64") if os.path.islink(f"/{name}")}
        covers = []
        for path in self.visible:
            arguments += ["--ro-bind", path, path]
            if os.path.isdir(path):
                covers += [f"{path}/{name}" for name in SITES if os.path.isdir(f"{path}/{name}")]
                arguments += [word for cover in covers if cover.startswith(path) for word in ("--tmpfs", cover)]
            elif ".so" in path:  # a library is looked for by the names that link to it
                beside = os.scandir(os.path.dirname(path))
                links |= {e.path: path for e in beside if e.is_symlink() and os.path.realpath(e.path) == path}
        for loader in [*Path("/lib64").glob("ld-linux*"), *Path("/lib").glob("ld-linux*")]:
            if loader.is_symlink():
                links[f"{loader.parent.resolve()}/{loader.name}"] = os.path.realpath(loader)
        if python != real:
            links[python] = real
        configuration = f"{sys.prefix}/pyvenv.cfg"
        for path in [real, *files, *([configuration] if os.path.isfile(configuration) else [])]:
            arguments += ["--ro-bind", path, path]
        for name, target in links.items():
            arguments += ["--symlink", target, name]
        for cover in covers:
            arguments += ["--remount-ro", cover]
        for device in DEVICES:
            arguments += ["--dev-bind", device, device]
        arguments += ["--perms", "0777", "--size", str(FOLDER_LIMIT),
                      "--tmpfs", WORK, "--remount-ro", "/", "--chdir", WORK, "--", *command]
        return subprocess.Popen(arguments, pass_fds=keep, stdin=subprocess.DEVNULL, stderr=report)

    def filter_text(self) -> str:
        """The seccomp filter, for the program in bubblewrap, which cannot compile it."""
        return base64.b64encode(self._filter).decode()


def report_failure(descriptor: int, error: Exception) -> None:
    """Tell the judge why there is no zygote."""
    with socket.socket(fileno=descriptor) as control:
        control.sendall(json.dumps({"error": str(error)}).encode())
