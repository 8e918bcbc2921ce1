"""The command line: ``python -m autograder release|grade|demo``."""

from __future__ import annotations

import argparse
import collections
import sys
from pathlib import Path

from neuralnotes import tasks

from . import assignments


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m autograder", description="Release and grade assignments.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("release", help="write exercises/ from solutions/")
    command.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="default: all")
    command.add_argument("--check", action="store_true", help="write nothing; fail when exercises/ is out of step")

    command = commands.add_parser("grade", help="grade a class")
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument("--submitted", required=True, type=Path, metavar="DIR",
                         help="folder with <student>/<assignment>/<assignment>.ipynb")
    command.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the marks")
    command.add_argument("--student", action="append", metavar="NAME", help="grade this student only; may be repeated")
    command.add_argument("--jobs", type=int, metavar="N", help="processes side by side (default: the number of cores)")
    command.add_argument("--fresh", action="store_true", help="judge again what has been judged")
    command.add_argument("--no-sandbox", action="store_true",
                         help="grade although there is no operating-system sandbox (the only level so far)")

    command = commands.add_parser("demo", help="generate a demonstration class and grade it")
    command.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for submissions and marks")

    options = parser.parse_args(arguments)
    try:
        return {"release": run_release, "grade": run_grade, "demo": run_demo}[options.command](options)
    except assignments.CannotStart as error:
        print(f"autograder: {error}", file=sys.stderr)
        return 2
    except (OSError, RuntimeError) as error:
        print(f"autograder: {error}", file=sys.stderr)
        return 1


def run_release(options: argparse.Namespace) -> int:
    unknown = sorted(set(options.assignments) - set(tasks.ASSIGNMENTS))
    if unknown:
        raise assignments.AssignmentError(
            f"there is no assignment {unknown[0]!r}; there are {', '.join(tasks.ASSIGNMENTS)}"
        )
    for slug in options.assignments or tasks.ASSIGNMENTS:
        if options.check:
            if not assignments.in_step(slug):
                notebook = f"exercises/{slug}/{slug}.ipynb"
                print(f"{notebook} is out of step with solutions/: run `make exercises`", file=sys.stderr)
                return 1
        else:
            print(assignments.release(slug).relative_to(assignments.ROOT))
    return 0


def run_grade(options: argparse.Namespace) -> int:
    from . import judge
    from .grade import grade

    if options.jobs is not None and options.jobs < 1:
        raise assignments.CannotStart("--jobs needs at least 1")
    print(f"Student code runs in a {judge.SANDBOX}.", file=sys.stderr)
    everyone = grade(
        options.assignment, options.submitted, options.out, options.student, options.jobs, options.fresh
    )
    verdicts = collections.Counter(
        result["verdict"] for judged in everyone.values() for result in judged["results"].values()
    )
    print(f"{len(everyone)} submissions, {sum(verdicts.values())} tasks: "
          + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()))
    print(f"marks   {options.out / 'scores.csv'}\nreport  {options.out / 'report.html'}")
    return 0


def run_demo(options: argparse.Namespace) -> int:
    from .demo import write_class
    from .grade import grade

    for slug in tasks.ASSIGNMENTS:
        submitted, out = options.out / slug / "submitted", options.out / slug / "graded"
        students = write_class(slug, submitted)
        grade(slug, submitted, out)
        print(f"{slug}: {len(students)} submissions")
        print(f"  marks         {out / 'scores.csv'}\n  class report  {out / 'report.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
