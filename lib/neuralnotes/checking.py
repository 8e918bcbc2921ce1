"""The check that a student runs in a notebook: ``check("softmax", softmax)``."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import cache

from . import tasks
from .tasks.judging import Judge, Result


class CheckFailed(AssertionError):
    """Some visible case went wrong; the message is the table of cases."""

    def _render_traceback_(self) -> list[str]:
        # IPython asks for this: the table is what helps, the frames of the checker are not
        return str(self).splitlines()


@cache
def _judge(task_id: str) -> Judge:
    return Judge(tasks.task(task_id), hidden=False)


def check(task_id: str, function: Callable) -> None:
    """Run the visible cases of a task and print a table of them.

    Args:
        task_id: The task's name, which is the function's.
        function: Your implementation.

    Raises:
        CheckFailed: Some case went wrong. Its message says which, with the largest error, its place, both values, and a
            hint when the mistake is a known one.
        KeyError: There is no such task.
        TypeError: ``function`` cannot be called.
    """
    judge = _judge(task_id)
    if not callable(function):
        raise TypeError(f"check({task_id!r}, ...) needs your function, not {function!r}")
    result = judge.judge(judge.run_here(function))
    if result.verdict != "pass":
        raise CheckFailed(report(result))
    print(report(result))


def report(result: Result) -> str:
    """The table of cases, as text.

    Args:
        result: A judgement of the visible cases.

    Returns:
        What to fix, for a person to read: a line per case, and the hint when the mistake is a known one.
    """
    if result.verdict == "missing":
        return f"{result.task}: not written yet. Replace `raise NotImplementedError()` by your code and run this again."
    width = max((len(case.name) for case in result.cases), default=0)
    lines = [f"{result.task}: {sum(case.ok for case in result.cases)} of {len(result.cases)} visible cases right"]
    for case in result.cases:
        mark = "ok   " if case.ok else "WRONG"
        lines.append(f"  {mark}  {case.name:{width}s}  {case.detail}".rstrip())
    if result.hint:
        # narrow, because `nbgrader validate` cuts long lines
        lines += textwrap.wrap(f"Hint: {result.hint}", width=80, subsequent_indent="      ")
    if result.verdict == "partial":
        lines.append("The ordinary cases are right: as it stands this is worth half of the points.")
    return "\n".join(lines)
