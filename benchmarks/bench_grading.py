"""Grading a class beside plain nbgrader, in one run, as ratios.

``python benchmarks/bench_grading.py [--submissions 1000] [--plain 8]``. Both grade the same notebooks of one
assignment, from submitted files to gradebook, autograded notebooks and feedback pages, on two cores:

* plain nbgrader: ``nbgrader autograde`` and ``nbgrader generate_feedback`` as installed, two processes on halves of
  the class, each with a gradebook of its own (with one for both, a submission now and then fails). Its
  tests are the notebook's own check cells, which hold the visible cases only.
* ours: ``python -m autograder grade --jobs 2``: visible and hidden cases, outside the student's process, sandboxed.

Start-up is part of both. Every submission differs from all others, so that nothing is graded once for two. Of ten
students three have all functions right, six have one wrong, each another one in another way, and one handed in a blank
notebook; endless loops and the like would only measure their time limits.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import nbformat
import psutil

from autograder import assignments, judge, sandbox
from autograder.demo import with_answers, wrong_source
from autograder.gate import rebuild
from neuralnotes import tasks

ROOT = Path(__file__).resolve().parent.parent
PLAIN_CONFIG = '''c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.course_id = "neural-notes"
'''


def write_class(slug: str, folder: Path, count: int) -> list[str]:
    """Write ``count`` submissions, no two alike."""
    solved, blank = assignments.read_source(slug), assignments.released(slug)
    mistakes = itertools.cycle(
        with_answers(solved, {task.id: wrong_source(task, misconception)})
        for rank in range(4)
        for task in tasks.assignment(slug)
        for misconception in task.misconceptions[rank : rank + 1]
    )
    names = []
    for number in range(count):
        name, kind = f"student-{number:04d}", number % 10
        notebook = blank if kind == 9 else solved if kind % 3 == 0 else next(mistakes)
        document = json.loads(nbformat.writes(notebook))
        document["cells"].append({"cell_type": "code", "id": "mine", "metadata": {}, "outputs": [],
                                  "execution_count": None, "source": f"print('notes of student {number}')"})
        path = folder / name / slug / f"{slug}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(document), encoding="utf-8")
        names.append(name)
    return names


def seconds_of(commands: dict[Path, list[str]]) -> float:
    """Run a command in each of some folders, side by side, and wait for all."""
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "lib")]),
    }
    start = time.monotonic()
    running = [
        subprocess.Popen([sys.executable, "-m", *command], cwd=folder, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, env={**environment, "NEURALNOTES_SECRET": str(folder / "secret")})
        for folder, command in commands.items()
    ]
    for process in running:
        said, _ = process.communicate()
        if process.returncode:
            raise SystemExit(said.decode()[-3000:])
    return time.monotonic() - start


def check_pages(folder: Path, slug: str, count: int) -> None:
    pages = len(list(folder.glob(f"**/feedback/*/{slug}/{slug}.html")))
    if pages != count:
        raise SystemExit(f"{folder.name}: {pages} feedback pages for {count} submissions")


def grade_plainly(slug: str, folder: Path, count: int) -> float:
    """Seconds that plain nbgrader takes for a class."""
    names = write_class(slug, folder / "class", count)
    halves = [folder / "0", folder / "1"]
    for number, half in enumerate(halves):
        assignments.prepare_course(slug, half)
        (half / "nbgrader_config.py").write_text(PLAIN_CONFIG.format(root=str(half)))
        for name in names[number::2]:
            shutil.copytree(folder / "class" / name, half / "submitted" / name)
    total = sum(
        seconds_of({half: ["nbgrader", command, slug] for half in halves})
        for command in ("autograde", "generate_feedback")
    )
    check_pages(folder, slug, count)
    return total


class Memory(threading.Thread):
    """Watches this process's children: the largest sum of their proportional set sizes, in bytes."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak, self._done = 0, threading.Event()

    def run(self) -> None:
        while not self._done.wait(1.0):
            total = 0
            for process in psutil.Process().children(recursive=True):
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:
                    pass  # it has just ended, or is not ours to look at
            self.peak = max(self.peak, total)

    def stop(self) -> int:
        self._done.set()
        self.join()
        return self.peak


def grade_ours(slug: str, folder: Path, count: int) -> tuple[float, int]:
    """Seconds that our command takes for a class, and the memory of all its processes in bytes."""
    write_class(slug, folder / "in", count)
    memory = Memory()
    memory.start()
    seconds = seconds_of({folder: ["autograder", "grade", slug, "--submitted", str(folder / "in"),
                                   "--out", str(folder / "out"), "--jobs", "2"]})
    check_pages(folder, slug, count)
    return seconds, memory.stop()


def judging(slug: str) -> tuple[list[float], list[float]]:
    """Seconds to judge the solved notebook, again and again, in a warm process, and those that its functions took."""
    clean, _ = rebuild(json.loads(nbformat.writes(assignments.read_source(slug))), assignments.released(slug))
    solutions = assignments.solution_functions(slug)
    seconds, own = [], []
    for _ in range(22):
        start = time.perf_counter()
        judge.judge_notebook(slug, clean, 0)
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        for one in judge.judges(slug, 0):
            run = one.run_here(solutions[one.task.id])
            for prepared in one.cases:
                run(prepared)
        own.append(time.perf_counter() - start)
    return seconds[2:], own[2:]  # the first two warm up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assignment", default="convolution", choices=tasks.ASSIGNMENTS)
    parser.add_argument("--submissions", type=int, default=200, help="of our run")
    parser.add_argument("--plain", type=int, default=8, help="submissions of plain nbgrader's run")
    options = parser.parse_args()
    print(f"sandbox: {sandbox.best().description}")
    print("\njudging one solved notebook (no gradebook), milliseconds")
    for slug in tasks.ASSIGNMENTS:
        ms, own = ([1000 * s for s in seconds] for seconds in judging(slug))
        print(f"  {slug:12s} median {median(ms):6.1f}   fastest {min(ms):6.1f}   slowest {max(ms):6.1f}"
              f"   of which its own functions {median(own):6.1f}")
    folder = Path(tempfile.mkdtemp(prefix="bench-grading-"))
    try:
        plain = grade_plainly(options.assignment, folder / "plain", options.plain)
        ours, memory = grade_ours(options.assignment, folder / "ours", options.submissions)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    each = plain / options.plain, ours / options.submissions
    print(f"\na class of {options.assignment}, from submitted files to feedback pages, two cores, seconds")
    print(f"  plain nbgrader  {options.plain:5d} submissions  {plain:7.1f}   each {each[0]:.3f}")
    print(f"  ours            {options.submissions:5d} submissions  {ours:7.1f}   each {each[1]:.3f}"
          f"   all processes {memory / 2**20:.0f} MiB")
    print(f"  ratio           {each[0] / each[1]:.1f} (above 1: ours is faster)")


if __name__ == "__main__":
    main()
