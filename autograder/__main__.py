"""The command line: ``python -m autograder release|collect|grade|export|feedback|report|demo``."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from pathlib import Path

from neuralnotes import tasks

from . import assignments

INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m autograder", description="Release and grade assignments.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("release", help="write exercises/ from solutions/")
    command.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="default: all")
    command.add_argument("--check", action="store_true", help="write nothing; fail when exercises/ is out of step")
    command.add_argument("--out", type=Path, metavar="DIR",
                         help="prepare this folder for nbgrader's exchange, and leave exercises/ alone")

    command = commands.add_parser("collect", help="from the archives of Moodle or Canvas to one folder per student")
    command.add_argument("archives", nargs="+", type=Path, metavar="ARCHIVE", help="zip with all submissions")
    command.add_argument("--assignment", required=True, metavar="ASSIGNMENT")
    command.add_argument("--submitted", required=True, type=Path, metavar="DIR", help="folder for the submissions")
    command.add_argument("--lms", choices=("moodle", "canvas"), help="where they are from (default: recognised)")

    command = commands.add_parser("grade", help="grade a class")
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument("--submitted", required=True, type=Path, metavar="DIR",
                         help="folder with <student>/<assignment>/<assignment>.ipynb")
    command.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the marks")
    command.add_argument("--student", action="append", metavar="NAME", help="grade this student only; may be repeated")
    command.add_argument("--jobs", type=int, metavar="N", help="processes side by side (default: the number of cores)")
    command.add_argument("--scheduler", metavar="ADDRESS",
                         help="judge on the workers of a Dask scheduler: tcp://host:port, or tls://host:port with the "
                              "certificates of Dask's own configuration files (distributed.comm.tls)")
    command.add_argument("--fresh", action="store_true", help="judge again what has been judged")
    command.add_argument("--secret", type=Path, metavar="FILE",
                         help="the course secret, from which the hidden cases are drawn; made on first use (default: "
                              "$NEURALNOTES_SECRET, or neural-notes/secret in the user's data folder)")
    command.add_argument("--db", metavar="URL",
                         help="the gradebook's database, such as postgresql://user@host/name (default: gradebook.db "
                              "in the folder for the marks)")
    command.add_argument("--no-sandbox", action="store_true",
                         help="grade with resource limits only: nothing keeps students' code from your files and the "
                              "network, and every output says so")

    command = commands.add_parser("export", help="marks for Moodle, Canvas, or as a plain table")
    command.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="default: all that were graded")
    command.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder with the marks, from `grade`")
    command.add_argument("--format", required=True, choices=("moodle", "canvas", "csv"))
    command.add_argument("--roster", type=Path, metavar="FILE",
                         help="Moodle's grading worksheet or Canvas's gradebook export, to be filled in")
    command.add_argument("--submitted", type=Path, metavar="DIR",
                         help="folder that `collect` filled: its students.csv tells who is who in Moodle or Canvas")
    command.add_argument("--to", type=Path, metavar="FILE", help="file to write (default: grades-FORMAT.csv in --out)")
    command.add_argument("--column", action="append", default=[], metavar="[ASSIGNMENT=]TITLE",
                         help="the roster's column for an assignment, where its title does not tell; may be repeated")
    command.add_argument("--rescale", action="store_true",
                         help="scale the points to the roster's maximum, where that is another one")
    command.add_argument("--allow-ungraded", action="store_true",
                         help="export although written answers are still to be graded by hand; they count 0")
    command.add_argument("--db", metavar="URL", help="the gradebook's database, if `grade` was given one")

    command = commands.add_parser("feedback", help="write the feedback pages again, after grading by hand; pack them")
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder with the marks, from `grade`")
    command.add_argument("--student", action="append", metavar="NAME", help="this student only; may be repeated")
    command.add_argument("--zip", type=Path, metavar="FILE", help="also pack the pages into a zip")
    command.add_argument("--submitted", type=Path, metavar="DIR",
                         help="folder that `collect` filled: the zip gets the names that Moodle or Canvas want")
    command.add_argument("--jobs", type=int, default=1, metavar="N", help="processes side by side (default: 1)")
    command.add_argument("--db", metavar="URL", help="the gradebook's database, if `grade` was given one")

    command = commands.add_parser("report", help="write the class report again")
    command.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder with the marks, from `grade`")
    command.add_argument("--db", metavar="URL", help="the gradebook's database, if `grade` was given one")

    command = commands.add_parser("demo", help="generate a demonstration class and grade it")
    command.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for submissions and marks")

    options = parser.parse_args(arguments)
    try:
        return {
            "release": run_release, "collect": run_collect, "grade": run_grade, "export": run_export,
            "feedback": run_feedback, "report": run_report, "demo": run_demo,
        }[options.command](options)
    except assignments.CannotStart as error:
        print(f"autograder: {error}", file=sys.stderr)
        return 2
    except (OSError, RuntimeError) as error:
        print(f"autograder: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nautograder: interrupted; what was done is kept, and the same command goes on from there",
              file=sys.stderr)
        return INTERRUPTED


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
        elif options.out:
            print(prepare_exchange(slug, options.out))
        else:
            print(assignments.release(slug).relative_to(assignments.ROOT))
    return 0


def prepare_exchange(slug: str, out: Path) -> Path:
    """Make the folder that `grade` writes to before anything is graded: nbgrader releases from it.

    Returns:
        The notebook that students get.
    """
    from . import record, secret

    assignments.prepare_course(slug, out)
    if not (out / record.OURS).exists():  # a run of the grader has settings of its own
        record.write_config(out, secret_file=secret.default_path(), level=None, db=None)
    return out / "release" / slug / f"{slug}.ipynb"


def run_collect(options: argparse.Namespace) -> int:
    from .collect import collect

    summary = collect(options.archives, options.assignment, options.submitted, options.lms)
    print(summary)
    return 0 if summary.complete else 1


def run_grade(options: argparse.Namespace) -> int:
    from .grade import NotGraded, grade, summary

    if options.jobs is not None and options.jobs < 1:
        raise assignments.CannotStart("--jobs needs at least 1")
    try:
        grade(
            options.assignment, options.submitted, options.out, options.student, options.jobs, options.scheduler,
            "none" if options.no_sandbox else None, options.fresh, options.secret, options.db,
        )
    except NotGraded:
        print(summary(options.assignment, options.out))
        raise
    print(summary(options.assignment, options.out))
    return 0


def run_export(options: argparse.Namespace) -> int:
    from .export import export

    columns = {}
    for text in options.column:
        slug, equals, title = text.partition("=")
        columns.update({slug: title} if equals and slug in tasks.ASSIGNMENTS else {"": text})
    written = export(
        options.out, options.assignments, options.format, options.roster, options.to, options.db, options.submitted,
        columns, options.rescale, options.allow_ungraded,
    )
    print(written)
    return 1 if written.unmatched else 0


def run_feedback(options: argparse.Namespace) -> int:
    from . import export, record

    if options.jobs < 1:
        raise assignments.CannotStart("--jobs needs at least 1")
    students = export.check_feedback(
        options.out, options.assignment, options.student, options.zip, options.submitted, options.db
    )
    written = record.write_feedback(options.assignment, options.out, students, options.db, options.jobs)
    print(f"{len(written)} pages in {options.out / 'feedback'}")
    if options.zip is None:
        return 0
    packed = export.pack_feedback(options.out, options.assignment, options.zip, written, options.submitted)
    print(packed)
    return 1 if packed.unmatched else 0


def run_report(options: argparse.Namespace) -> int:
    from . import export, report, results

    export.check_folder(options.out, options.db)
    if not any(results.index(options.out, slug) for slug in tasks.ASSIGNMENTS):
        raise assignments.CannotStart(f"{options.out}: nobody has been graded; run `grade` first")
    print(report.write(options.out, options.db))
    return 0


def run_demo(options: argparse.Namespace) -> int:
    from .demo import write_class
    from .grade import grade, summary

    for slug in tasks.ASSIGNMENTS:
        submitted, out = options.out / slug / "submitted", options.out / slug / "graded"
        write_class(slug, submitted)
        grade(slug, submitted, out, secret=options.out / "secret")
        print(summary(slug, out))
    return 0


if __name__ == "__main__":
    status = main()
    if status == INTERRUPTED:
        # what was cut off may hold a lock that Python would wait for at its end; the workers see when we are gone
        watchdog = threading.Timer(5.0, os._exit, [status])
        watchdog.daemon = True
        watchdog.start()
    sys.exit(status)
