from __future__ import annotations

from dataclasses import replace

import pytest

from autograder import assignments, judge, workers
from neuralnotes import tasks

from .helpers import FIRST, SLUG, in_this_process


@pytest.fixture(scope="session")
def solved():
    """The assignment with its solutions."""
    return assignments.read_source(SLUG)


@pytest.fixture(scope="session")
def release():
    """What students get."""
    return assignments.released(SLUG)


@pytest.fixture
def one_process(monkeypatch):
    """The grader judges in this process."""
    monkeypatch.setattr(workers, "_side_by_side", in_this_process)


@pytest.fixture
def short_deadlines(monkeypatch):
    """Three tasks only, with deadlines of seconds: what is honest takes milliseconds, endless loops are many."""
    monkeypatch.setattr(judge, "CELL_SECONDS", 2.0)
    records = []
    for one in judge.judges(SLUG, 0):
        if one.task.id in (FIRST, "conv2d_forward", "receptive_field"):
            budget = replace(one.task.budget, seconds=4.0, memory=1000 * 2**20)
            records.append(replace(one.task, budget=budget))
            monkeypatch.setattr(one, "task", records[-1])
    monkeypatch.setattr(tasks, "assignment", lambda slug: tuple(records))
