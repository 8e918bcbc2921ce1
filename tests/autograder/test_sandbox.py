"""The sandbox: what a kernel cannot do at each level that this machine has; honest work passes at all of them."""

from __future__ import annotations

import ast
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from autograder import confine, judge, sandbox
from neuralnotes.tasks import calling

from .helpers import SLUG, TOTAL

ROOT = Path(judge.__file__).parent.parent
MEMORY = 2 * 2**30


def has(level: str) -> bool:
    try:
        return bool(sandbox.at(level))
    except sandbox.NoSandbox:
        return False


@pytest.fixture(scope="module", params=sandbox.LEVELS)
def any_level(request) -> str:
    if not has(request.param):
        pytest.skip(f"this machine has no level {request.param}")
    return request.param


@pytest.fixture(scope="module", params=sandbox.LEVELS[:-1])
def level(request) -> str:
    """A level that protects."""
    if not has(request.param):
        pytest.skip(f"this machine has no level {request.param}")
    return request.param


def kernel_of(level: str, memory: int = MEMORY, environment: str = "numpy", allowed=("numpy", "collections")):
    return contextlib.closing(judge.Kernel(judge.zygote(environment, level), frozenset(allowed), memory))


def run(kernel: judge.Kernel, source: str, seconds: float = 20.0, **names) -> dict:
    """Run source as a cell, with what reaches every module of the standard library, and names."""
    start = "import collections\nmodules = collections._sys.modules\nos, socket = modules['os'], modules['socket']\n"
    start += "def load(name): return modules['importlib'].import_module(name)\n"
    start += "".join(f"{name} = {value!r}\n" for name, value in names.items())
    cell = {"op": "cell", "name": "<cell 1>", "light": "", "source": start + textwrap.dedent(source)}
    kernel.send(cell, b"", seconds)
    return kernel.reply(seconds)[0]


@pytest.fixture(scope="module")
def kernel(level):
    """One kernel for all that does not end it."""
    with kernel_of(level) as one:
        yield one


def printed(done: dict) -> list[str]:
    assert done["status"] == "ok", done
    return done["printed"].split("\n")[:-1]


def refused(kernel: judge.Kernel, statements: str, **names) -> list[str]:
    """Errors of statements, one by line; fails when one of them goes through."""
    source = "for line in LINES:\n    try:\n        exec(line)\n        print('DONE ' + line)\n" \
             "    except Exception as error:\n        print(type(error).__name__, getattr(error, 'errno', None))\n"
    lines = textwrap.dedent(statements).strip().splitlines()
    found = printed(run(kernel, source, LINES=lines, **names))
    assert len(found) == len(lines)
    assert not [line for line in found if line.startswith("DONE")]
    return found


# ---------------------------------------------------------------------------------------------------------- the levels


def test_the_best_level_is_tried_out_and_said():
    best = sandbox.best()
    assert best.level == next(level for level in sandbox.LEVELS if has(level))
    assert best is sandbox.best()
    assert best == sandbox.at(best.level)
    assert best.level in best.description


def test_no_sandbox_has_to_be_asked_for_and_says_what_it_is(monkeypatch):
    assert sandbox.at("none").description.startswith("NOT SANDBOXED")
    monkeypatch.setattr(sandbox.platform, "system", lambda: "Darwin")
    with pytest.raises(sandbox.NoSandbox, match="on Linux only, not on Darwin"):
        sandbox.at.__wrapped__("namespaces")
    with pytest.raises(sandbox.NoSandbox, match="no sandbox for students' code on Darwin: --no-sandbox"):
        sandbox.best.__wrapped__()
    with pytest.raises(ValueError, match="no sandbox level 'docker'"):
        sandbox.at("docker")


def test_a_level_that_leaks_is_refused(monkeypatch):
    """The probe of the level without a sandbox: it finds everything, so a level that did nothing would be refused."""
    about, seen = sandbox._probe("none")
    assert {"read a file of the judge's", "write outside its folder", "connect to a server", "make a socket",
            "start a process", "signal the judge", "signal its parent", "see the judge's environment",
            "run a program"} == set(seen)
    monkeypatch.setattr(sandbox, "_probe", lambda level: (about, seen))
    with pytest.warns(UserWarning, match="is refused: a kernel could read a file"):
        with pytest.raises(sandbox.NoSandbox, match="a kernel could"):
            sandbox.at.__wrapped__("namespaces")


def test_honest_work_has_full_marks(any_level, solved):
    judged = judge.judge_notebook(SLUG, solved, 0, any_level)
    assert sum(result["score"] for result in judged["results"].values()) == TOTAL
    assert {cell["status"] for cell in judged["cells"].values()} <= {"ok", "skipped"}


@pytest.mark.slow
def test_a_notebook_is_read_through(level, solved):
    shown = judge.read_through(SLUG, solved, level)
    assert any(output.get("data", {}).get("image/png") for outputs in shown.values() for output in outputs)


# -------------------------------------------------------------------------------------------------- files, environment


def test_no_file_of_the_machine_can_be_read(kernel, tmp_path):
    gradebook = tmp_path / "gradebook.db"
    gradebook.write_text("marks")
    for path in (gradebook, tmp_path):
        path.chmod(0o777)
    for error in refused(
        kernel,
        """
        open('/etc/passwd').read()
        open('/etc/hostname').read()
        open(GRADEBOOK).read()
        os.listdir(ROOT + '/solutions')
        open(ROOT + '/lib/neuralnotes/tasks/convolution.py').read()
        open(f'/proc/{JUDGE}/environ').read()
        open(f'/proc/{JUDGE}/mem', 'rb').read(1)
        os.listdir('/proc/1')
        os.listdir('/proc/self/fd')
        open('/dev/mem', 'rb').read(1)
        """,
        GRADEBOOK=str(gradebook), ROOT=str(ROOT), JUDGE=os.getpid(),
    ):
        assert error.split()[0] in ("FileNotFoundError", "PermissionError"), error


def test_of_the_home_folder_no_more_than_the_way_to_python_is_seen(kernel):
    found = run(kernel, "print(os.listdir(HOME))", HOME=str(Path.home()))
    if found["status"] == "ok":
        roads = {Path(path).relative_to(Path.home()).parts[0] for path in (sys.base_prefix, sys.prefix)
                 if Path(path).is_relative_to(Path.home())}
        assert set(ast.literal_eval(found["printed"])) <= roads


@pytest.mark.parametrize("name", ["scipy", "torch", "neuralnotes", "nbgrader", "pyseccomp", "matplotlib"])
def test_no_other_library_is_there(kernel, name):
    """Neither in memory nor on disk, for code that goes around the guarded import."""
    source = """
    print(sorted(m for m in modules if m.partition('.')[0] == NAME and NAME != 'pyseccomp'))
    found = []
    for folder in [*modules['sys'].path, '/usr/lib/python3/dist-packages', '/usr/local/lib/python3.11/dist-packages']:
        for entry in (NAME, NAME + '.py', NAME + '/__init__.py'):
            try:
                open(folder + '/' + entry).close()
                found.append(folder)
            except IsADirectoryError:
                try:
                    found += os.listdir(folder + '/' + entry)
                except OSError:
                    pass
            except OSError:
                pass
    print(found)
    """
    assert printed(run(kernel, source, NAME=name)) == ["[]", "[]"]


def test_the_environment_and_the_files_that_are_open_tell_nothing(kernel, monkeypatch):
    found = printed(run(kernel, """
    print(sorted(name for name in os.environ if not name.endswith('_NUM_THREADS')))
    opened = []
    for number in range(200):
        try:
            os.fstat(number)
            opened.append(number)
        except OSError:
            pass
    print(opened)
    print(os.getuid() not in (0,), os.getgid() not in (0,), [g for g in os.getgroups() if g == 0])
    """))
    assert set(ast.literal_eval(found[0])) <= {"LANG", "LC_CTYPE", "PATH", "PYTHONWARNINGS", "TMPDIR", "PWD"}
    assert found[1] == "[0, 1, 2, 3]"
    if os.getuid() == 0 and kernel.about["nobody"]:
        assert found[2] == "True True []"


def test_nothing_can_be_written_but_the_working_folder(kernel, level, tmp_path):
    tmp_path.chmod(0o777)
    there = tmp_path / "there"
    there.write_text("marks")
    there.chmod(0o666)
    os.utime(there, (1, 1))
    refused(
        kernel,
        """
        open(PLACE + '/written', 'w')
        open('/tmp/written', 'w')
        open('/dev/shm/written', 'w')
        open('/written', 'w')
        open(modules['numpy'].__file__, 'a')
        open(modules['json'].__file__, 'a')
        os.mkdir('/usr/written')
        os.symlink('/etc/passwd', 'link')
        os.mknod('node')
        os.chmod('.', 0o777)
        os.memfd_create('hidden')
        open(PLACE + '/there', 'a')
        os.truncate(PLACE + '/there', 0)
        os.open(PLACE + '/there', os.O_RDONLY | os.O_TRUNC)
        os.utime(PLACE + '/there')
        os.rename(PLACE + '/there', PLACE + '/moved')
        os.unlink(PLACE + '/there')
        os.link(PLACE + '/there', 'link')
        """,
        PLACE=str(tmp_path),
    )
    assert list(tmp_path.iterdir()) == [there]
    assert there.read_text() == "marks"
    assert there.stat().st_mtime == 1
    if level != "landlock":  # where no file can be written at all
        assert printed(run(kernel, "open('mine', 'w').write('x')\nprint(open('mine').read())")) == ["x"]


def test_the_working_folder_cannot_be_filled_beyond_its_limit(level):
    with kernel_of(level) as kernel:
        source = """
        written = files = 0
        try:
            for number in range(40):
                with open(str(number), 'wb', 0) as file:
                    for _ in range(4):
                        written += file.write(bytes(2**20))
        except OSError as error:
            print(error.errno)
        try:
            while files < 5000:
                open('f' + str(files), 'w').close()
                files += 1
        except OSError:
            pass
        print(written, files)
        """
        errors = printed(run(kernel, source))
        written, files = map(int, errors.pop().split())
        assert len(errors) == 1
        assert written <= confine.FOLDER_LIMIT
        if level != "bubblewrap":  # it has no limit for empty files: their memory is the control group's to count
            assert files <= confine.INODE_LIMIT


def test_nothing_is_left_for_the_next_kernel(level):
    with kernel_of(level) as first:
        run(first, "modules['numpy'].left = 1\nopen('left', 'w').write('x')")
    with kernel_of(level) as second:
        found = printed(run(second, "print(os.path.exists('left'), hasattr(modules['numpy'], 'left'))"))
        assert found == ["False False"]


# ------------------------------------------------------------------------------------------------- network, processes


def test_there_is_no_network(kernel):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        refused(
            kernel,
            """
            socket.create_connection((b'127.0.0.1', PORT), 0.5)
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            socket.socket(socket.AF_UNIX)
            socket.socketpair()
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
            """,
            PORT=server.getsockname()[1],
        )
        with pytest.raises(BlockingIOError):
            server.accept()


def test_no_process_and_no_program_can_be_started(kernel):
    """At most 30 forks, and children that end at once: the machine is safe should the sandbox fail."""
    assert printed(run(kernel, """
    started = 0
    for _ in range(30):
        try:
            child = os.fork()
        except OSError:
            continue
        if child == 0:
            os._exit(0)
        started += 1
    print(started)
    """)) == ["0"]
    refused(
        kernel,
        """
        os.execv('/bin/true', ['true'])
        os.posix_spawn('/bin/true', ['true'], {})
        load('subprocess').run(['/bin/true'])
        load('subprocess').run([modules['sys'].executable, '-c', '0'])
        """,
    )


def test_threads_are_few(kernel):
    """They are allowed, up to a number that cannot hurt."""
    assert int(printed(run(kernel, """
    threading = load('threading')
    stop, threads = threading.Event(), []
    try:
        for _ in range(300):
            thread = threading.Thread(target=stop.wait, args=(10,))
            thread.start()
            threads.append(thread)
    except RuntimeError:
        pass
    stop.set()
    print(len(threads))
    """))[0]) in range(1, 300)


def test_nobody_can_be_signalled_or_traced(kernel):
    """Signal 0 only: it does nothing should the sandbox fail."""
    zygote = kernel._zygote.process.pid
    refused(
        kernel,
        """
        os.kill(JUDGE, 0)
        os.kill(ZYGOTE, 0)
        os.kill(-1, 0)
        os.killpg(JUDGE, 0)
        os.kill(os.getppid() or JUDGE, 0)
        load('signal').pidfd_send_signal(os.pidfd_open(JUDGE), 0)
        load('fcntl').fcntl(3, 8, JUDGE)
        """,
        JUDGE=os.getpid(), ZYGOTE=zygote,
    )


SYSTEM_CALLS = {  # name: number on x86-64
    "ptrace": 101, "process_vm_readv": 310, "unshare": 272, "setns": 308, "mount": 165, "umount2": 166, "bpf": 321,
    "pivot_root": 155, "chroot": 161, "io_uring_setup": 425, "keyctl": 250, "perf_event_open": 298, "userfaultfd": 323,
    "memfd_create": 319, "open_by_handle_at": 304, "name_to_handle_at": 303, "execveat": 322, "kexec_load": 246,
    "init_module": 175, "reboot": 169, "swapon": 167, "pidfd_open": 434, "pidfd_getfd": 438, "tkill": 200,
    "tgkill": 234, "fork": 57, "vfork": 58, "shmget": 29, "msgget": 68, "sethostname": 170, "setuid": 105,
    "prctl": 157, "personality": 135, "sendmsg": 46, "open_tree": 428, "fsopen": 430, "io_setup": 206,
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")
def test_system_calls_that_are_closed(kernel):
    source = """
    ctypes = load('ctypes')
    library = ctypes.CDLL(None, use_errno=True)
    for name, number in CALLS.items():
        if library.syscall(number, *[ctypes.c_long(-1)] * 6) != -1 or ctypes.get_errno() != 1:
            print(name, ctypes.get_errno())
    library.syscall(435, None, 0)
    print(ctypes.get_errno())
    """
    assert printed(run(kernel, source, CALLS=SYSTEM_CALLS)) == ["38"]  # clone3 alone, and it says "not there"


# ------------------------------------------------------------------------------------------------- memory, and the end


def test_memory_beyond_the_budget_is_stopped(level):
    with kernel_of(level, memory=600 * 2**20) as kernel:
        assert run(kernel, "filled = bytearray(700 * 2**20)")["status"] == "memory"
        assert run(kernel, "filled = bytearray(100 * 2**20)")["status"] == "ok"


def test_the_control_group_stops_what_the_address_space_does_not(level):
    """It kills the kernel and not the zygote."""
    zygote = judge.zygote("numpy", level)
    if "memory" not in zygote.cgroup_kind:
        pytest.skip("no control group for memory can be made here")
    with kernel_of(level) as kernel:
        zygote._cgroup._memory.write_text(str(300 * 2**20))
        with pytest.raises(judge.KernelLost) as lost:
            run(kernel, "filled = bytearray(b'x') * (500 * 2**20)")
        assert lost.value.status == calling.DIED
    with kernel_of(level) as kernel:
        assert printed(run(kernel, "print('well')")) == ["well"]
    assert zygote is judge.zygote("numpy", level)


def family(process: int) -> set[int]:
    """A process and all that descend from it."""
    found = {process}
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
            found |= family(int(child))
    return found


def alive(process: int) -> bool:
    """Whether there is such a process; one that nobody has waited for counts."""
    return Path(f"/proc/{process}").exists()


def wait_until(condition, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_kernel_leaves_nothing_behind(any_level, tmp_path, monkeypatch):
    monkeypatch.setattr(judge.tempfile, "tempdir", str(tmp_path))
    tmp_path.chmod(0o755)
    zygote = judge.Zygote("numpy", any_level)
    try:
        with contextlib.closing(judge.Kernel(zygote, frozenset({"numpy"}), MEMORY)):
            pass
        before = family(zygote.process.pid)
        folders = sorted(tmp_path.rglob("*"))
        with contextlib.closing(judge.Kernel(zygote, frozenset({"numpy", "collections"}), MEMORY)) as kernel:
            with pytest.raises(judge.KernelLost):
                run(kernel, "while True: pass", seconds=0.3)
        assert wait_until(lambda: family(zygote.process.pid) == before)
        assert sorted(tmp_path.rglob("*")) == folders
        made = zygote._cgroup.folders if zygote._cgroup else []
    finally:
        zygote.close()
    assert wait_until(lambda: not any(map(alive, before)))
    assert list(tmp_path.iterdir()) == []
    assert not any(map(os.path.exists, made))


@pytest.mark.parametrize("which", ["judge", "zygote"])
def test_all_goes_when_the_judge_or_the_zygote_is_killed(any_level, which, tmp_path, monkeypatch):
    """In the middle of an endless loop, by SIGKILL."""
    monkeypatch.setattr(judge.tempfile, "tempdir", str(tmp_path))
    tmp_path.chmod(0o755)
    listen, say = os.pipe()
    one = os.fork()  # a judge of its own
    if one == 0:
        try:
            zygote = judge.Zygote("numpy", any_level)
            kernel = judge.Kernel(zygote, frozenset({"numpy"}), MEMORY)
            kernel.send({"op": "cell", "name": "x", "light": "", "source": "while True: pass"}, b"", 5)
            made = zygote._cgroup.folders if zygote._cgroup else []
            os.write(say, " ".join([str(zygote.process.pid), *made]).encode())
            zygote.process.wait()
            zygote.close()
        finally:
            os._exit(0)
    os.close(say)
    supervisor, *made = os.read(listen, 4096).decode().split()
    os.close(listen)
    everyone = family(int(supervisor))
    assert len(everyone) >= 3
    os.kill(one if which == "judge" else int(supervisor), signal.SIGKILL)
    os.waitpid(one, 0)
    assert wait_until(lambda: not any(map(alive, everyone)))
    assert wait_until(lambda: not any(map(os.path.exists, made)))
    assert wait_until(lambda: not list(tmp_path.iterdir()))


# ------------------------------------------------------------------------------- an ordinary user, other environments

ORDINARY = """
import sys
sys.path.insert(0, sys.argv[1])
from autograder import assignments, judge, sandbox
solved = assignments.read_source("convolution")
for level in sandbox.LEVELS:
    try:
        sandbox.at(level)
    except sandbox.NoSandbox:
        continue
    judged = judge.judge_notebook("convolution", solved, 0, level)
    print(level, float(sum(result["score"] for result in judged["results"].values())))
"""
# Python may lie in root's home, which nobody can enter: in a mount namespace of its own it is made to lie open
OPENED = """
set -e
mount --bind "$1" /mnt
mount -t tmpfs -o mode=755 none "$2"
mkdir -p "$1"
mount --bind /mnt "$1"
"""


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(not shutil.which("setpriv") or not shutil.which("unshare"), reason="no util-linux")
def test_an_ordinary_user_has_the_same_levels(tmp_path):
    program = tmp_path / "ordinary.py"
    program.write_text(ORDINARY)
    closed = [f for f in reversed([*Path(sys.base_prefix).parents]) if not f.stat().st_mode & 1]
    command = ["unshare", "--mount", "sh", "-c", f"{OPENED if closed else ''}\nshift 2\nexec \"$@\"", "sh",
               sys.base_prefix, str(closed[0] if closed else ""), "setpriv", "--reuid", str(confine.NOBODY), "--regid",
               str(confine.NOBODY), "--clear-groups", sys.executable, "-B", "-", str(ROOT)]
    with program.open() as file:
        done = subprocess.run(command, stdin=file, capture_output=True, text=True, timeout=120,
                              env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "OMP_NUM_THREADS": "1"})
    if "Permission denied" in done.stderr and not done.stdout:
        pytest.skip("an ordinary user cannot read Python or the course here")
    expected = [f"{level} {TOTAL:.1f}" for level in sandbox.LEVELS if has(level)]
    assert done.stdout.split("\n")[:-1] == expected, done.stderr


@pytest.mark.slow
def test_torch_works_where_it_is_allowed(level):
    with kernel_of(level, 8 * 2**30, "torch", ("numpy", "torch", "collections")) as kernel:
        assert printed(run(kernel, """
        import torch
        layer = torch.nn.Conv2d(3, 4, 3)
        loss = layer(torch.randn(2, 3, 16, 16)).square().mean() + torch.linalg.inv(torch.eye(3)).sum()
        loss.backward()
        optimizer = torch.optim.Adam(layer.parameters())
        optimizer.step()
        print(torch.from_numpy(modules['numpy'].ones(3)).sum().item(), layer.weight.grad.shape)
        """, seconds=60)) == ["3.0 torch.Size([4, 3, 3, 3])"]
        refused(kernel, "open('/etc/passwd')\nos.fork()\nsocket.socket()\nload('scipy')")


@pytest.mark.slow
def test_where_there_are_no_user_namespaces_landlock_is_taken():
    """As in a container, and on Ubuntu: here in a user namespace that allows none below it."""
    if not has("landlock") or not has("namespaces") or not shutil.which("unshare"):
        pytest.skip("no Landlock or no namespaces here to begin with")
    program = "from autograder import sandbox; print(sandbox.best().level)\n" \
              "try: sandbox.at('namespaces')\nexcept sandbox.NoSandbox as error: print(error)"
    script = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    level, reason = done.stdout.splitlines()
    assert level == "landlock"
    assert reason.startswith("namespaces: no user namespace: ")


def test_groups_of_judges_that_are_gone_are_removed(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for process in (gone.pid, os.getpid()):
        (tmp_path / f"neuralnotes-{process}-0").mkdir()
    sandbox._sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"neuralnotes-{os.getpid()}-0"]


def test_a_delegated_control_group_is_divided(tmp_path):
    """Version 2, with plain files in the place of the kernel's: this machine may have version 1."""
    own = tmp_path / "some.scope"
    own.mkdir()
    (own / "cgroup.procs").write_text("123\n")
    assert sandbox._delegated(own) is None
    assert [path.name for path in own.iterdir()] == ["cgroup.procs"]
    try:
        os.setxattr(own, "user.delegate", b"1")
    except OSError:
        pytest.skip("this file system keeps no extended attributes")
    assert sandbox._delegated(own) == own
    assert (own / "neuralnotes/cgroup.procs").read_text() == "123"
    assert (own / "cgroup.subtree_control").read_text() == "+memory +pids"
    assert sandbox._delegated(own / "neuralnotes") == own
