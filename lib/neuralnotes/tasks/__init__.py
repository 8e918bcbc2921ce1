"""The graded tasks: one module per assignment, each a tuple ``TASKS`` of ``Task`` records."""

from __future__ import annotations

from importlib import import_module

from .records import Budget, Case, Close, Misconception, Problem, Task

__all__ = ["ASSIGNMENTS", "Budget", "Case", "Close", "Misconception", "Problem", "Task", "assignment", "task"]

ASSIGNMENTS = ("perceptron", "networks", "backprop", "convolution", "attention")


def assignment(slug: str) -> tuple[Task, ...]:
    """The tasks of one assignment, in the order of its notebook.

    Raises:
        KeyError: There is no such assignment.
    """
    if slug not in ASSIGNMENTS:
        raise KeyError(f"there is no assignment {slug!r}; there are {', '.join(ASSIGNMENTS)}")
    return import_module(f".{slug}", __name__).TASKS


def task(task_id: str) -> Task:
    """The record of one graded function.

    Raises:
        KeyError: No assignment has a task of that name.
    """
    known = []
    for slug in ASSIGNMENTS:
        for record in assignment(slug):
            if record.id == task_id:
                return record
            known.append(record.id)
    raise KeyError(f"there is no task {task_id!r}; there are {', '.join(known)}")
