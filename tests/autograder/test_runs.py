"""Runs that survive: killed, interrupted, on a full disk, twice at once, with any number of workers, on Dask."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from autograder import assignments, grade, judge, results, secret, workers
from autograder.__main__ import main
from autograder.demo import with_answers
from autograder.workers import Job

from .helpers import ENVIRONMENT, FIRST, RIGHT, SLUG, TASKS, TOTAL, code_cell, hand_in, raw, read_rows, returning

pytestmark = pytest.mark.slow

def own_cell(notebook, source: str) -> dict:
    """A submission with a cell of its own at the end: no other has the same result."""
    document = raw(notebook)
    document["cells"].append(code_cell(source))
    return document


def command(submitted: Path, out: Path, *options: str) -> list[str]:
    return ["grade", SLUG, "--submitted", str(submitted), "--out", str(out), *options]


def marks(out: Path) -> list[dict[str, str]]:
    return [{**row, "seconds": ""} for row in read_rows(out)]


def in_gradebook(out: Path) -> dict[str, float]:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{out / 'gradebook.db'}", "neural-notes") as gradebook:
        submissions = gradebook.assignment_submissions(SLUG)
        found = {
            s.student.id: sum(g.score for notebook in s.notebooks for g in notebook.grades if g.name in TASKS)
            for s in submissions
        }
        assert len(found) == len(submissions)  # nobody twice
    return found


def judged_files(out: Path) -> dict[str, int]:
    """Results that are there, with the time at which they were written."""
    found = {}
    for path in (out / "results").glob("?" * 64 + ".json"):
        with contextlib.suppress(FileNotFoundError):
            found[path.name] = path.stat().st_mtime_ns
    return found


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory, solved, release) -> Path:
    """A class of six, every notebook another one."""
    folder = tmp_path_factory.mktemp("runs") / "submitted"
    for name, content in {
        "right": raw(solved),
        "blank": raw(release),
        "wrong": raw(with_answers(solved, {FIRST: returning("1")})),
        "forbidden": raw(with_answers(solved, {FIRST: "import torch\n" + RIGHT})),
        "cut": "{",
        "own": own_cell(solved, "print('of my own')"),
    }.items():
        hand_in(folder / name / SLUG, content)
    return folder


@pytest.fixture(scope="module")
def graded(handed_in) -> Path:
    """The class, graded by two processes without a break: what every other run has to arrive at."""
    out = handed_in.parent / "graded"
    assert main(command(handed_in, out, "--jobs", "2")) == 0
    assert {row["student"]: row["verdict"] for row in marks(out) if row["task"] == FIRST} == {
        "right": "pass", "blank": "missing", "wrong": "fail", "forbidden": "forbidden", "cut": "unreadable",
        "own": "pass",
    }
    assert in_gradebook(out)["right"] == TOTAL
    return out


def same_as(graded: Path, out: Path) -> bool:
    assert marks(out) == marks(graded)
    assert in_gradebook(out) == in_gradebook(graded)
    for name in in_gradebook(graded):
        assert (out / "feedback" / name / SLUG / f"{SLUG}.html").is_file()
    assert not any(entry["recorded"] is not True for entry in results.index(out, SLUG).values())
    return True


# ------------------------------------------------------------------------------------------------- killed, interrupted


@pytest.fixture
def orphans():
    """Processes whose parents are gone become children of this one; a function that waits until there are none."""
    subreaper = 36  # PR_SET_CHILD_SUBREAPER
    libc = ctypes.CDLL(None)
    if not sys.platform.startswith("linux") or libc.prctl(subreaper, 1, 0, 0, 0):
        pytest.skip("orphans can only be counted on Linux")
    before = set(psutil.Process().children(recursive=True))

    def left(seconds: float) -> list[str]:
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            found = []
            for process in set(psutil.Process().children(recursive=True)) - before:
                with contextlib.suppress(psutil.NoSuchProcess):
                    found.append(" ".join(process.cmdline()))
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    yield left
    libc.prctl(subreaper, 0, 0, 0, 0)


def heed_interrupts() -> None:
    """A shell starts what stands before `&` with Ctrl-C ignored, and so would be everything that these tests start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(submitted: Path, out: Path, *options: str) -> subprocess.Popen:
    with (out.parent / "log").open("w") as log:
        return subprocess.Popen([sys.executable, "-m", "autograder", *command(submitted, out, *options)],
                                env=ENVIRONMENT, stdout=log, stderr=log, start_new_session=True,
                                preexec_fn=heed_interrupts)


def wait_until(condition, running: subprocess.Popen, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert running.poll() is None, "the run ended before the moment came"
        assert time.monotonic() < deadline
        time.sleep(0.005)


MOMENTS = {
    "judging": lambda out: len(judged_files(out)) >= 2,
    "recording": lambda out: (out / "autograded").is_dir() and any((out / "autograded").iterdir()),
}


@pytest.mark.parametrize(("moment", "how"), [("judging", "parent"), ("judging", "Ctrl-C"), ("recording", "parent")])
def test_cut_off_and_started_again(moment, how, handed_in, graded, tmp_path, orphans, one_process, solved):
    submitted, out = tmp_path / "submitted", tmp_path / "out"
    shutil.copytree(handed_in, submitted)
    if moment == "judging":  # a kernel that is busy: it must not stay so; by the next run this one has handed in again
        hand_in(submitted / "blank" / SLUG, own_cell(solved, "while True:\n    pass"))
    else:
        shutil.copytree(graded / "results", out / "results")
        (out / "results" / f"{SLUG}.json").unlink()
    running = start(submitted, out, "--jobs", "2")
    try:
        wait_until(lambda: MOMENTS[moment](out), running)
        if how == "all":
            os.killpg(running.pid, signal.SIGKILL)
        elif how == "parent":
            os.kill(running.pid, signal.SIGKILL)
        else:
            os.killpg(running.pid, signal.SIGINT)  # what a terminal does
        status = running.wait(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
    said = (tmp_path / "log").read_text()
    if how == "Ctrl-C":
        assert status == 130 and "interrupted" in said and "Traceback" not in said, said[-3000:]
    else:
        assert status == -signal.SIGKILL
    assert orphans(10) == []

    before = judged_files(out)
    shutil.copytree(handed_in / "blank", submitted / "blank", dirs_exist_ok=True)
    assert main(command(submitted, out, "--jobs", "1")) == 0
    after = judged_files(out)
    assert {name: after[name] for name in before} == before  # nothing was judged twice
    assert same_as(graded, out)


# --------------------------------------------------------------------------------------- refused before it has begun


def tree(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def refused(capsys, arguments: list[str], folder: Path, *words: str) -> None:
    """The run does not start, says why in one error, and nothing in a folder has changed."""
    before = tree(folder)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("autograder: ") == 1 and all(word in error for word in words), error
    assert tree(folder) == before


@pytest.fixture
def again(graded, tmp_path, one_process) -> tuple[Path, Path]:
    """A copy of two of the graded class: (submitted, out)."""
    for name in ("right", "wrong"):
        shutil.copytree(graded.parent / "submitted" / name, tmp_path / "submitted" / name)
    shutil.copytree(graded, tmp_path / "out")
    return tmp_path / "submitted", tmp_path / "out"


def test_the_second_of_two_runs_is_refused(again, tmp_path, capsys):
    submitted, out = again
    with grade.only_run(out):
        refused(capsys, command(submitted, out), tmp_path, "another run")
    with grade.only_run(out):  # it was given back
        pass


def test_a_changed_secret(again, graded, tmp_path, capsys, monkeypatch):
    submitted, out = again
    other = tmp_path / "other secret"
    secret.read_secret(other)
    refused(capsys, command(submitted, out, "--secret", str(other)), tmp_path, "--secret", "--fresh", str(other))
    refused(capsys, command(submitted, out, "--secret", str(other), "--fresh", "--student", "right"), tmp_path,
            "--student")
    absent = tmp_path / "not there"
    refused(capsys, command(submitted, out, "--secret", str(absent)), tmp_path, "not there", "--fresh")
    before = judged_files(out)
    assert main(command(submitted, out, "--secret", str(other), "--fresh", "--jobs", "1")) == 0
    assert marks(out) == marks(graded)
    assert len(set(judged_files(out)) - set(before)) == 2  # under other keys: the cases were others
    # from now on it is the old one that is refused
    refused(capsys, command(submitted, out), tmp_path, "--fresh")
    assert main(command(submitted, out, "--secret", str(other), "--jobs", "1")) == 0


def test_a_secret_that_others_can_read_is_said(again, tmp_path, capsys):
    submitted, out = again
    path = tmp_path / "open secret"
    path.write_text("for everybody to read")
    path.chmod(0o644)
    assert main(command(submitted, out, "--secret", str(path), "--fresh", "--jobs", "1")) == 0
    assert "WARNING" in capsys.readouterr().err


def test_too_little_space(handed_in, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6))
    refused(capsys, command(handed_in, tmp_path / "new" / "out"), tmp_path, "MB are free", "--out")


# --------------------------------------------------------------------------------------------------------- a full disk


@contextlib.contextmanager
def small_disk(folder: Path, monkeypatch):
    """A folder in which 600 kB can be written, by a file system of that size or, where that is not allowed, by us."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        written = []

        def limited(path, text):
            written.append(len(text))
            if sum(written) > 300_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            write_whole(path, text)

        write_whole = results.write_whole
        monkeypatch.setattr(results, "write_whole", limited)
        yield lambda: monkeypatch.setattr(results, "write_whole", write_whole)
        return
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(handed_in, graded, tmp_path, capsys, monkeypatch, one_process):
    monkeypatch.setattr(grade, "BYTES_PER_SUBMISSION", 0)  # the check at the start would have refused it
    out = tmp_path / "disk" / "out"
    with small_disk(tmp_path / "disk", monkeypatch) as make_room:
        assert main(command(handed_in, out, "--jobs", "1")) == 1
        error = capsys.readouterr().err
        assert error.count("autograder: ") == 1 and "no space" in error and "same command" in error
        before = judged_files(out)
        assert before and not list((out / "results").glob("*.part"))
        make_room()
        assert main(command(handed_in, out, "--jobs", "1")) == 0
        after = judged_files(out)
        assert {name: after[name] for name in before} == before
        assert same_as(graded, out)


# ------------------------------------------------------------------------------------------------ any number of workers


@pytest.mark.parametrize("jobs", ["1", "8"])
def test_the_same_marks_for_any_number_of_processes(jobs, handed_in, graded, tmp_path):
    assert main(command(handed_in, tmp_path / "out", "--jobs", jobs)) == 0
    assert same_as(graded, tmp_path / "out")


def test_a_fault_that_is_not_theirs_ends_the_run(monkeypatch):
    def all_fail(jobs, count):
        yield from ((job, OSError(errno.EMFILE, "too many open files")) for job in jobs)

    monkeypatch.setattr(workers, "_side_by_side", all_fail)
    outcomes = []
    with pytest.raises(RuntimeError, match="10 submissions in a row .* too many open files"):
        for outcome in workers.here((Job(str(n), SLUG, "", 0, None, "") for n in range(1000)), 2):
            outcomes.append(outcome)
    assert len(outcomes) == workers.IN_A_ROW


# --------------------------------------------------------------------------------------------------------------- Dask


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Cluster:
    """A scheduler and its workers, as programs of their own on this machine."""

    def __init__(self, folder: Path):
        self.folder, self.address = folder, f"tcp://127.0.0.1:{free_port()}"
        self.programs: list[subprocess.Popen] = []
        self.start("dask_scheduler", "--host", "127.0.0.1", "--port", self.address.rpartition(":")[2], "--no-show")

    def start(self, program: str, *options: str) -> subprocess.Popen:
        with (self.folder / f"{len(self.programs)}.log").open("w") as log:
            # one failure is enough to know a job that kills its worker; three take long
            environment = {**ENVIRONMENT, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
            running = subprocess.Popen([sys.executable, "-m", f"distributed.cli.{program}", "--no-dashboard", *options],
                                       env=environment, cwd=self.folder, stdout=log, stderr=log)
        self.programs.append(running)
        return running

    def worker(self, nanny: str = "--no-nanny", threads: int = 1) -> subprocess.Popen:
        folder = self.folder / f"worker {len(self.programs)}"
        return self.start("dask_worker", self.address, nanny, "--nthreads", str(threads), "--local-directory", folder,
                          "--host", "127.0.0.1")

    def close(self) -> None:
        for program in reversed(self.programs):
            program.terminate()
        for program in self.programs:
            try:
                program.wait(timeout=10)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """One worker that can be killed, and one with two threads that its nanny starts again."""
    found = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        found.first = found.worker()
        found.second = found.worker("--nanny", 2)
        yield found
    finally:
        found.close()


def ready(cluster: Cluster, count: int) -> None:
    import distributed

    with distributed.Client(cluster.address, timeout=30, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)


def test_on_dask_with_a_worker_killed_on_the_way(cluster, handed_in, graded, tmp_path, monkeypatch):
    ready(cluster, 2)
    out = tmp_path / "out"
    killed = []

    def store_text(folder, key, *parts):
        keep(folder, key, *parts)
        if not killed:  # it has had work, and has some waiting
            killed.append(cluster.first.pid)
            cluster.first.kill()

    keep = results.store_text
    monkeypatch.setattr(results, "store_text", store_text)
    assert main(command(handed_in, out, "--scheduler", cluster.address)) == 0
    assert killed and cluster.first.wait(timeout=10) == -signal.SIGKILL
    assert same_as(graded, out)


def test_a_job_that_kills_its_worker_is_a_row_with_a_reason(cluster, handed_in, tmp_path, monkeypatch, capsys):
    ready(cluster, 1)

    def do_or_die(slug, text, *rest):  # sent to the worker as it is here
        import os

        from autograder.workers import do

        if "of my own" in text:
            os._exit(9)
        return do(slug, text, *rest)

    monkeypatch.setattr(workers, "do", do_or_die)
    for name in ("right", "own"):
        shutil.copytree(handed_in / name, tmp_path / "submitted" / name)
    arguments = command(tmp_path / "submitted", tmp_path / "out", "--scheduler", cluster.address)
    assert main(arguments) == 1
    assert "own: KilledWorker" in capsys.readouterr().err
    rows = {(row["student"], row["task"]): row for row in marks(tmp_path / "out")}
    assert all(rows["right", task]["verdict"] == "pass" for task in TASKS)
    assert all(rows["own", task]["verdict"] == "error" for task in TASKS)
    monkeypatch.undo()
    ready(cluster, 1)
    assert main(arguments) == 0
    assert in_gradebook(tmp_path / "out") == {"right": TOTAL, "own": TOTAL}


def test_a_worker_with_other_code_is_refused(cluster, handed_in, tmp_path, monkeypatch, capsys):
    ready(cluster, 1)
    monkeypatch.setattr(judge, "code_fingerprint", lambda: "of another day")
    refused(capsys, command(handed_in, tmp_path / "out", "--scheduler", cluster.address), tmp_path, "another version")


def test_a_job_checks_the_code_itself():
    with pytest.raises(workers.OtherCode, match="another version"):
        workers.do(SLUG, "{}", 0, None, "of another day")


def test_a_scheduler_without_workers(tmp_path, handed_in, capsys, monkeypatch):
    monkeypatch.setattr(workers, "ANSWER_SECONDS", 5.0)
    alone = Cluster(tmp_path)
    try:
        with pytest.raises(assignments.CannotStart, match="has no workers"):
            workers.connect(alone.address, None)
    finally:
        alone.close()


@pytest.mark.parametrize("address", ["nothing there", "silent", "127.0.0.1:8786", "tcp://", "http://127.0.0.1:1"])
def test_a_scheduler_that_does_not_answer(address, handed_in, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(workers, "ANSWER_SECONDS", 3.0)
    with socket.socket() as silent:  # takes the connection, and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = {
            "nothing there": f"tcp://127.0.0.1:{free_port()}", "silent": f"tcp://127.0.0.1:{silent.getsockname()[1]}",
        }.get(address, address)
        begin = time.monotonic()
        refused(capsys, command(handed_in, tmp_path / "out", "--scheduler", address), tmp_path, address)
        assert time.monotonic() - begin < 10


def test_a_scheduler_that_goes_away(tmp_path, solved, monkeypatch):
    monkeypatch.setattr(workers, "ANSWER_SECONDS", 20.0)
    short = Cluster(tmp_path)
    try:
        short.worker()
        client, sandboxes = workers.connect(short.address, None)
        assert len(sandboxes) == 1
        text = json.dumps(raw(solved))
        jobs = (Job(str(n), SLUG, text, n, None, judge.code_fingerprint()) for n in range(100))
        outcomes = []
        with contextlib.closing(client), pytest.raises(RuntimeError, match="scheduler is gone"):
            for _, outcome in workers.on_dask(jobs, client):
                assert not isinstance(outcome, Exception)
                outcomes.append(outcome)
                short.programs[0].kill()
        assert 1 <= len(outcomes) < 100
    finally:
        short.close()
