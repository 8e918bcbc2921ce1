"""The similarity check: what it says of honest work, of copies in disguise, of a large and of a hostile class."""

from __future__ import annotations

import ast
import copy
import inspect
import itertools
import json
import random
import time
from functools import cache
from importlib import import_module
from pathlib import Path

import nbformat
import numpy as np
import pytest

from autograder import demo, similarity
from autograder.assignments import ROOT, solution_source
from autograder.demo import with_answers
from neuralnotes import tasks

from .helpers import SLUG, TASKS


@cache
def answers(task_id: str, slug: str) -> list[str]:
    """Right answers to a task, each by another method: the alternatives that the tests of the tasks keep."""
    others = import_module(f"tests.tasks.alternatives_{slug}").ALTERNATIVES[task_id]
    return [*map(inspect.getsource, others), solution_source(slug, task_id)]


EVERY_TASK = [(slug, task.id) for slug in tasks.ASSIGNMENTS for task in tasks.assignment(slug)]
NOTHING = np.empty(0, np.int64)


@cache
def code_of(source: str) -> str:
    """The reduced code of the longest function of a source, without its signature (everybody was given that)."""
    found = []
    for name, code in similarity.split(source):
        body = "\n".join(map(ast.unparse, ast.parse(code).body[0].body)) if name else code
        found += [reduced for _, reduced in similarity.reduce([body])]
    return max(found, key=len, default="")


def long_enough(source: str) -> bool:
    return len(code_of(source)) >= similarity.SHORTEST


def share(first: str, second: str) -> float:
    runs = [similarity.runs_of(code_of(source)) for source in (first, second)]
    found = similarity.similar(runs, np.arange(2), NOTHING, least=0.0)
    return found[0][2] if found else 0.0  # functions without a run in common are no pair at all


class Renaming(ast.NodeTransformer):
    """Other names for every variable, argument and function that the source itself defines."""

    def __init__(self, tree: ast.AST):
        nodes = list(ast.walk(tree))
        self.own = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self.own |= {n.arg for n in nodes if isinstance(n, ast.arg)}

    def visit_Name(self, node):
        return ast.Name(f"my_{node.id}_2", node.ctx) if node.id in self.own else node

    def visit_arg(self, node):
        return ast.arg(f"my_{node.arg}_2")


def renamed(source: str) -> str:
    tree = ast.parse(source)
    return ast.unparse(Renaming(tree).visit(tree))


def laid_out_anew(source: str) -> str:
    """The same code with comments, other indentation and other quotes."""
    lines = ast.unparse(ast.parse(source)).splitlines()
    wide = [line.replace("    ", "        ") for line in lines]
    return "\n".join(f"{line}  # my own idea\n" for line in wide)


def with_a_statement_more(source: str) -> str:
    """The same code with a statement that does nothing in the middle of each function."""
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            node.body.insert(len(node.body) // 2, ast.parse("unused = len('nothing')").body[0])
    return ast.unparse(tree)


# ------------------------------------------------------------------------------------------- the evidence for ALIKE


def honest_similarities() -> np.ndarray:
    """Of right answers to the same task that were written by different methods."""
    found = []
    for slug, task_id in EVERY_TASK:
        for first, second in itertools.combinations(answers(task_id, slug), 2):
            if long_enough(first) and long_enough(second):
                found.append(share(first, second))
    return np.array(found)


def copied_similarities(disguise) -> np.ndarray:
    sources = [source for slug, task_id in EVERY_TASK for source in answers(task_id, slug)]
    return np.array([share(source, disguise(source)) for source in sources if long_enough(source)])


@pytest.mark.slow
def test_honest_answers_stay_below_the_threshold():
    found = honest_similarities()
    print("honest", len(found), np.quantile(found, [0.5, 0.9, 0.95, 0.99, 1]).round(2))
    assert len(found) > 100
    assert found.max() < similarity.ALIKE - 0.05


@pytest.mark.slow
@pytest.mark.parametrize("disguise", [renamed, laid_out_anew, lambda source: renamed(laid_out_anew(source))],
                         ids=["renamed", "laid out anew", "both"])
def test_new_names_comments_and_layout_change_nothing(disguise):
    found = copied_similarities(disguise)
    assert len(found) > 50
    assert found.min() > 0.99, found.min()


@pytest.mark.slow
def test_most_copies_with_a_statement_more_are_found():
    found = copied_similarities(with_a_statement_more)
    print("a statement more", len(found), np.quantile(found, [0, 0.01, 0.05, 0.5]).round(2))
    assert np.mean(found >= similarity.ALIKE) > 0.9


# --------------------------------------------------------------------------------------------------- a class on disk


def other_answers(rank: int) -> dict[str, str]:
    """A right answer to every task, under the name that the task asks for."""
    found = {}
    for task_id in TASKS:
        choices = answers(task_id, SLUG)
        if task_id == "conv2d_forward":  # most of these stand among the answers to conv2d_fast too
            choices = [source for source in choices if source not in answers("conv2d_fast", SLUG)]
        tree = ast.parse(choices[rank % len(choices)])
        tree.body[0].name = task_id
        found[task_id] = ast.unparse(tree)
    return found


def hand_over(out: Path, students: dict) -> Path:
    """Write clean notebooks as ``grade`` does: ``<out>/submitted/<student>/...`` and the release."""
    (out / "release" / SLUG).mkdir(parents=True, exist_ok=True)
    release = ROOT / "exercises" / SLUG / f"{SLUG}.ipynb"
    (out / "release" / SLUG / f"{SLUG}.ipynb").write_bytes(release.read_bytes())
    for name, notebook in students.items():
        path = out / "submitted" / name / SLUG / f"{SLUG}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(notebook if isinstance(notebook, bytes) else nbformat.writes(notebook).encode())
    return out


def with_own_cells(notebook, *sources: str):
    result = copy.deepcopy(notebook)
    for number, source in enumerate(sources, 1):
        result = demo.with_own_cell(result, source)
        result.cells[-1].id = f"own-{number}"
    return result


def names_of(pairs: list[similarity.Pair]) -> set[tuple[str, str]]:
    return {(pair.first, pair.second) for pair in pairs}


@pytest.fixture(scope="module")
def honest(release):
    """Four submissions by different methods, and a blank one."""
    return {**{f"honest-{i}": with_answers(release, other_answers(i)) for i in range(4)}, "blank": release}


@pytest.fixture(scope="module")
def copied(release):
    """honest-2 again: other names, layout and comments, and every function in another cell, the last one first."""
    disguised = [renamed(laid_out_anew(source)) for source in other_answers(2).values()]
    return with_own_cells(with_answers(release, dict.fromkeys(TASKS, "")), *reversed(disguised))


def test_a_copy_in_disguise_is_found_and_nobody_else(tmp_path, honest, copied):
    out = hand_over(tmp_path, {**honest, "copy": copied})
    pairs = similarity.alike(SLUG, out, progress=False)
    assert names_of(pairs) == {("copy", "honest-2")}
    assert {match.first for match in pairs[0].matches} == {match.second for match in pairs[0].matches} > {"im2col"}
    assert all(match.similarity >= similarity.ALIKE for match in pairs[0].matches)
    assert pairs[0].characters == sum(match.characters for match in pairs[0].matches) > 1000


def test_one_copied_function_is_found_under_another_name(tmp_path, honest):
    taken = other_answers(3)["conv2d_backward"].replace("def conv2d_backward(", "def my_helper(")
    out = hand_over(tmp_path, {**honest, "taker": with_own_cells(honest["blank"], taken)})
    (pair,) = similarity.alike(SLUG, out, progress=False)
    assert (pair.first, pair.second) == ("honest-3", "taker")
    assert [(match.first, match.second, match.similarity) for match in pair.matches] == [
        ("conv2d_backward", "my_helper", 1.0)
    ]


def test_nothing_is_compared_of_blank_and_unreadable_submissions(tmp_path, release):
    unreadable = copy.deepcopy(release)
    unreadable.metadata["neuralnotes"] = {"verdict": "unreadable", "reason": "not JSON"}
    out = hand_over(tmp_path, {"a": release, "b": release, "c": unreadable, "d": unreadable, "e": b"no notebook"})
    assert similarity.compare(SLUG, out, progress=False) == ([], [])


@pytest.mark.parametrize("students", [{}, {"alone": None}], ids=["empty", "one student"])
def test_classes_without_a_pair(tmp_path, honest, students):
    out = hand_over(tmp_path, dict.fromkeys(students, honest["honest-0"]))
    assert similarity.alike(SLUG, out, progress=False) == []


def test_short_functions_and_given_code_do_not_count(tmp_path, release):
    short = [f"def {name}(x):\n    return np.maximum(x, 0.0) * np.sum(x, axis=-1)" for name in ("f", "g", "h")]
    given = [cell.source for cell in release.cells if cell.cell_type == "code" and "nbgrader" not in cell.metadata]
    assert sum(map(len, given)) > 1000
    both = with_own_cells(release, *short, *given)
    out = hand_over(tmp_path, {"a": both, "b": both})
    assert similarity.alike(SLUG, out, progress=False) == []


def test_what_many_have_accuses_nobody(tmp_path, honest):
    alike = {f"s{i}": honest["honest-1"] for i in range(similarity.common_limit(10) + 1)}
    pairs, common = similarity.compare(SLUG, hand_over(tmp_path, {**alike, "other": honest["honest-0"]}), False)
    assert pairs == []
    assert {one.name: one.students for one in common}["im2col"] == tuple(sorted(alike))
    del alike["s0"]  # one fewer, and they are few enough to be named
    pairs, common = similarity.compare(SLUG, hand_over(tmp_path / "fewer", alike), False)
    assert names_of(pairs) == set(itertools.combinations(sorted(alike), 2)) and common == []


def test_the_result_is_kept_until_a_file_changes(tmp_path, honest, copied, monkeypatch):
    out = hand_over(tmp_path, {**honest, "copy": copied})
    first = similarity.compare(SLUG, out, progress=False)
    read = []
    reduce = similarity.reduce
    monkeypatch.setattr(similarity, "reduce", lambda cells: read.append(cells) or reduce(cells))
    assert similarity.compare(SLUG, out, progress=False) == first and read == []
    hand_over(out, {"copy": honest["honest-0"]})
    assert names_of(similarity.alike(SLUG, out, progress=False)) == {("copy", "honest-0")}
    assert len(read) == 1  # the release; the others' code, and now the copy's, is known
    (out / "results" / f"{SLUG}.alike.json").write_text('{"key": ')
    assert names_of(similarity.alike(SLUG, out, progress=False)) == {("copy", "honest-0")}


HOSTILE = {
    "no Python": "def conv2d_forward(:\n" * 1000,
    "null bytes": "\0" * 30_000,
    "deep brackets": "(" * 15_000 + ")" * 15_000,
    "deep minus": "x = " + "-" * 29_000 + "1",
    "long sum": "x = " + "+".join(["1"] * 14_000),
    "long chain": "x = a" + ".b" * 14_000,
    "quotes": '"' * 29_999,
    "half formats": "f'{" * 9_000,
    "one word": "a" * 30_000,
    "much code": "".join(f"x{i} = {i} * x{i}\n" for i in range(1500)),
    "the same over and over": "def f():\n" + "    x[i] = y[i] + z[i]\n" * 1300,
}


@pytest.mark.slow
def test_hostile_code_costs_its_own_comparison_only(tmp_path, honest, copied):
    students = {**honest, "copy": copied}
    for number, source in enumerate(HOSTILE.values()):
        students[f"hostile-{number}"] = with_own_cells(honest["blank"], *[source] * 9)  # as much as the gate lets in
    start = time.process_time()
    pairs = similarity.alike(SLUG, hand_over(tmp_path, students), progress=False)
    assert time.process_time() - start < 2.0 * len(HOSTILE)
    assert names_of(pairs) == {("copy", "honest-2")}


def test_raw_submissions_cannot_stop_it(tmp_path, honest, copied):
    """nbgrader's own commands leave in submitted/ what students handed in."""
    cell = {"cell_type": "code", "source": "x = 1", "metadata": {"nbgrader": [1]}, "id": 5}
    bad = [{**cell, "source": 3}, {**cell, "metadata": None}, 7, None, cell, {"cell_type": "code"}]
    raw = [b"", b"[" * 100_000, b"\xff\xfe", b"[]", b'{"nbformat": 4, "cells": 3}', b'{"nbformat": 4, "cells": [],',
           json.dumps({"nbformat": 4, "metadata": [], "cells": bad}).encode()]
    students = {**honest, "copy": copied, **{f"raw-{i}": data for i, data in enumerate(raw)}}
    assert names_of(similarity.alike(SLUG, hand_over(tmp_path, students), progress=False)) == {("copy", "honest-2")}


# -------------------------------------------------------------------------------------------------------- a large class


def large_class(count: int, copies: int, seed: int = 0) -> dict[str, list[str]]:
    """Cells of many students, who all write their own statements between those of an answer, and of some who copy."""
    rng = random.Random(seed)

    def expression(depth: int = 3) -> str:
        if depth == 0 or rng.random() < 0.2:
            return rng.choice(["x", "1", "2.5", "x.shape[0]", "np.pi"])
        form = rng.choice(["({}+{})", "({}*{})", "f({},{})", "x[{}]", "({}//{})", "({}>{})", "np.dot({},{})"])
        return form.format(expression(depth - 1), expression(depth - 1))

    def own_version(task_id: str) -> str:
        tree = ast.parse(rng.choice(answers(task_id, SLUG)))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                more = [[one, *ast.parse(f"y{rng.randrange(10**9)} = {expression()}").body] for one in node.body]
                node.body = [one for two in more for one in two]
        return ast.unparse(tree)

    students = {f"s{i}": list(map(own_version, TASKS)) for i in range(count - copies)}
    for i in range(copies):
        students[f"t{i}"] = [renamed(source) for source in students[f"s{i}"]]
    return students


@pytest.mark.slow
def test_a_large_class_takes_seconds():
    students = large_class(100, copies=5)
    start = time.process_time()
    pairs, _ = similarity.compare_reduced({name: similarity.reduce(cells) for name, cells in students.items()}, [])
    print("100 students:", round(time.process_time() - start, 1), "s")
    assert time.process_time() - start < 30
    assert {(f"s{i}", f"t{i}") for i in range(5)} <= names_of(pairs)
