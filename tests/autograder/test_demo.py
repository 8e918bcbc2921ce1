"""The demonstration class: everybody in it gets what they deserve."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from autograder import demo, judge
from autograder.assignments import solution_source
from neuralnotes import tasks

from .helpers import results_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=tasks.ASSIGNMENTS)
def demonstration(request):
    return request.param, demo.class_of(request.param)


def test_the_class(demonstration, monkeypatch):
    slug, students = demonstration
    records = tasks.assignment(slug)
    points = {task.id: task.points for task in records}
    first = records[0].id
    # the endless loop need not take its ten seconds
    one = judge.judges(slug, 0)[0]
    monkeypatch.setattr(one, "task", replace(one.task, budget=replace(one.task.budget, seconds=2.0)))
    monkeypatch.setattr(judge, "CELL_SECONDS", 2.0)

    results = {name: results_of(notebook, slug) for name, notebook in students.items()}
    scores = {name: {key: r.score for key, r in by_task.items()} for name, by_task in results.items()}
    assert scores["ada"] == points
    assert {r.verdict for r in results["blank"].values()} == {"missing"} and set(scores["blank"].values()) == {0}
    assert scores["syntax-error"] == {**points, first: 0}
    assert results["syntax-error"][first].verdict == "error"
    assert scores["endless-loop"] == {**points, first: 0}
    assert results["endless-loop"][first].verdict == "timeout"
    most = max(len(task.misconceptions) for task in records)
    for name, verdict in (("memory-hog", "memory"), ("forbidden-import", "forbidden")):
        assert scores[name] == {**points, first: 0}
        assert results[name][first].verdict == verdict
    assert scores["alike"] == scores["alike-too"] == points
    assert len(students) == 8 + most
    for rank in range(most):
        mine = results[f"mistakes-{rank + 1}"]
        changed = {task.id for task in records if rank < len(task.misconceptions)}
        for task in records:
            if rank < len(task.misconceptions):
                assert mine[task.id].score < task.points, (rank, task.id)
                assert mine[task.id].diagnosis == task.misconceptions[rank].id
                assert mine[task.id].hint == task.misconceptions[rank].hint
            elif not any(re.search(rf"\b{other}\(", solution_source(slug, task.id)) for other in changed):
                # a milestone may call the functions before it, and then their mistakes are its own
                assert mine[task.id].score == task.points, (rank, task.id, mine[task.id].diagnosis)
