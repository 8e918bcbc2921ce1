"""What holds for every graded task: the grader's own proof."""

from __future__ import annotations

import doctest
import re
from collections import OrderedDict, defaultdict, namedtuple
from importlib import import_module

import numpy as np
import pytest

from autograder import assignments
from neuralnotes import tasks
from neuralnotes.checking import CheckFailed, check, report
from neuralnotes.tasks.judging import Judge

TASKS = [(slug, task) for slug in tasks.ASSIGNMENTS for task in tasks.assignment(slug)]
IDS = [task.id for _, task in TASKS]
every_task = pytest.mark.parametrize(("slug", "task"), TASKS, ids=IDS)

_judges: dict[str, Judge] = {}


def judge_of(task) -> Judge:
    if task.id not in _judges:
        _judges[task.id] = Judge(task)
    return _judges[task.id]


def judged(task, function):
    judge = judge_of(task)
    with np.errstate(all="ignore"):  # wrong answers divide by zero
        return judge.judge(judge.run_here(function))


def failures(result) -> list[str]:
    return [f"{case.name}: {case.detail}" for case in result.cases if not case.ok]


@every_task
def test_the_solution_gets_full_marks(slug, task):
    result = judged(task, assignments.solution_functions(slug)[task.id])
    assert result.verdict == "pass", failures(result)
    assert result.score == result.max_score == task.points


@pytest.mark.parametrize("slug", ["networks", "backprop", "convolution"])  # the others give their examples in prose
def test_the_worked_examples_of_the_docstrings_are_right(slug):
    functions = assignments.solution_functions(slug)
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
    for name, function in functions.items():
        (example,) = finder.find(function, name, module=False, globs={"np": np, **functions})
        assert example.examples, f"{name} has no worked example"
        assert runner.run(example).failed == 0, name


@every_task
def test_every_alternative_gets_full_marks(slug, task):
    alternatives = import_module(f"tests.tasks.alternatives_{slug}").ALTERNATIVES[task.id]
    assert len(alternatives) >= 3
    for alternative in alternatives:
        result = judged(task, alternative)
        assert result.verdict == "pass", (alternative.__name__, failures(result))


@every_task
def test_the_stub_scores_zero(slug, task):
    def stub(*arguments, **keywords):
        raise NotImplementedError()

    result = judged(task, stub)
    assert (result.score, result.verdict) == (0, "missing")


@every_task
def test_every_misconception_loses_points_and_is_named(slug, task):
    assert len(task.misconceptions) >= 4
    assert len({m.id for m in task.misconceptions}) == len(task.misconceptions)
    for misconception in task.misconceptions:
        result = judged(task, misconception.wrong)
        assert result.score < task.points, f"{misconception.id} gets full marks"
        assert result.diagnosis == misconception.id, f"{misconception.id}: {result.diagnosis}; {failures(result)}"
        assert result.hint == misconception.hint


@every_task
def test_another_seed_gives_other_hidden_cases_and_the_same_marks(slug, task):
    other = Judge(task, seed=1)
    result = other.judge(other.run_here(assignments.solution_functions(slug)[task.id]))
    assert result.verdict == "pass", failures(result)


@every_task
def test_there_are_visible_and_hidden_cases_with_names_of_their_own(slug, task):
    cases = judge_of(task).cases
    names = [prepared.case.name for prepared in cases]
    assert len(set(names)) == len(names)
    assert any(prepared.visible and not prepared.case.edge for prepared in cases)
    assert sum(not prepared.visible for prepared in cases) >= 3


@every_task
def test_the_notebook_states_what_the_record_says(slug, task):
    text = "\n".join(c.source for c in assignments.read_source(slug).cells if c.cell_type == "markdown")
    part = next((p for p in re.split(r"(?m)^## ", text) if f"`{task.signature.split('(')[0]}" in p), None)
    assert part, f"no section for {task.id}"
    assert re.search(rf"\b{task.points:g} points?\b", part), f"{task.points:g} points are not announced"
    assert re.search(rf"\b{task.minutes} min", part), f"{task.minutes} minutes are not announced"
    assert f"{task.difficulty} of 5" in part


@every_task
def test_check_is_silent_about_nothing(slug, task, capsys):
    check(task.id, assignments.solution_functions(slug)[task.id])
    assert "right" in capsys.readouterr().out
    with pytest.raises(CheckFailed):
        check(task.id, task.misconceptions[0].wrong) if not _only_hidden(task) else check(task.id, lambda *a, **k: None)


def _only_hidden(task) -> bool:
    visible = Judge(task, hidden=False)
    return visible.judge(visible.run_here(task.misconceptions[0].wrong)).verdict == "pass"


@every_task
@pytest.mark.parametrize("value", [None, "text", float("nan"), (), [[]], {}, object(), 1 + 2j])
def test_a_value_of_another_kind_scores_zero(slug, task, value):
    result = judged(task, lambda *arguments, **keywords: value)
    assert (result.score, result.verdict) == (0, "fail"), failures(result)


def test_containers_of_the_allowed_modules_are_containers():
    solution = assignments.solution_functions("backprop")["graph_backward"]

    def ordered(nodes):
        values, gradients = solution(nodes)
        return namedtuple("Pair", "values gradients")(OrderedDict(values), defaultdict(float, gradients))

    assert judged(tasks.task("graph_backward"), ordered).verdict == "pass"


def test_an_exception_of_the_students_own_does_not_carry_a_hidden_case():
    def talkative(n):
        raise type(f"Leak{n}", (Exception,), {})()

    result = judged(tasks.task("causal_mask"), talkative)
    assert all("Leak" not in case.summary for case in result.cases)


def test_report_of_a_stub_says_what_to_do():
    _, task = TASKS[0]

    def stub(*arguments, **keywords):
        raise NotImplementedError()

    assert "NotImplementedError" in report(judged(task, stub))
