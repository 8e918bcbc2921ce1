"""Mutation test of the grader: which small slips in the solutions would still get full marks?

``python -m tests.mutation [ASSIGNMENT ...]`` changes one thing at a time in the solution of every task (an operator, a
comparison, a constant, an axis, a sign, a dropped statement) and grades the result like a submission. A mutant that
keeps full marks is a hole in the cases, unless it computes the same thing; those are listed, with the reason, in
``tests/tasks/equivalent_mutants.py``.
"""

from __future__ import annotations

import ast
import copy
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import nbformat

from autograder import assignments, judge
from neuralnotes import tasks
from neuralnotes.tasks.judging import Judge

BINARY = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}
COMPARE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}
SECONDS = 10.0  # an endless loop is no survivor


@dataclass(frozen=True)
class Mutant:
    """One changed solution."""

    slug: str
    task: str
    change: str
    source: str


def mutants(slug: str, task_id: str, source: str) -> Iterator[Mutant]:
    """Every mutant of one solution cell."""
    tree = ast.parse(source)
    function = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == task_id)
    for position, node in enumerate(ast.walk(function)):
        for number, _ in enumerate(changes(node, function)):
            changed = copy.deepcopy(tree)
            target = next(n for n in changed.body if isinstance(n, ast.FunctionDef) and n.name == task_id)
            place = list(ast.walk(target))[position]
            before = ast.unparse(node)
            apply = list(changes(place, target))[number]
            after = apply()
            ast.fix_missing_locations(changed)
            line = source.splitlines()[getattr(node, "lineno", function.lineno) - 1].strip()
            change = f"{line}  |  {before.splitlines()[0]} -> {after.splitlines()[0]}"
            change = after if after.startswith("dropped: ") else change
            yield Mutant(slug, task_id, change, ast.unparse(changed))


def changes(node: ast.AST, function: ast.FunctionDef) -> Iterator:
    """The changes that a node admits: callables that make them and return the new text."""
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in BINARY:
        yield lambda: _set(node, "op", BINARY[type(node.op)]())
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARE:
        yield lambda: _set(node, "ops", [COMPARE[type(node.ops[0])]()])
    if isinstance(node, ast.BoolOp):
        yield lambda: _set(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield lambda: _set(node, "value", not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield lambda: _set(node, "value", node.value + 1)
        yield lambda: _set(node, "value", node.value - 1)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not, ast.Invert)):
        yield lambda: _set(node, "op", ast.UAdd() if isinstance(node.op, ast.USub) else None)
    if isinstance(node, (ast.If, ast.IfExp)):
        yield lambda: _set(node, "test", ast.Constant(True))
        yield lambda: _set(node, "test", ast.Constant(False))
    for name in ("body", "orelse"):
        block = getattr(node, name, None)
        if not isinstance(block, list):
            continue
        for index, statement in enumerate(block):
            is_docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if not isinstance(statement, (ast.Return, ast.FunctionDef, ast.Pass)) and not is_docstring:
                yield lambda block=block, index=index: _drop(block, index)


def _set(node: ast.AST, field: str, value) -> str:
    if field == "op" and value is None:  # "not x" and "~x" become x
        value = ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()
        if isinstance(node.op, ast.Not):
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        else:
            node.operand, value = ast.UnaryOp(ast.Invert(), node.operand), ast.Invert()
    setattr(node, field, value)
    return ast.unparse(node)


def _drop(block: list, index: int) -> str:
    text = ast.unparse(block[index]).splitlines()[0]
    block[index] = ast.Pass()
    return f"dropped: {text}"


def survives(mutant: Mutant) -> bool:
    """Whether a mutant gets full marks."""
    judged = _judge(mutant.task)
    notebook = assignments.read_source(mutant.slug)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == f"{mutant.task}-solution":
            cell.source = mutant.source
    notebook = nbformat.v4.new_notebook(
        cells=[c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("solution") or "import" in c.source]
    )
    marker = judge.Submission(judge.zygote(), notebook, [judged.task])
    try:
        marker.start()
        return judged.judge(marker.asker(judged)).verdict == "pass"
    finally:
        marker.close()


_judges: dict[str, Judge] = {}


def _judge(task_id: str) -> Judge:
    if task_id not in _judges:
        task = tasks.task(task_id)
        quick = replace(task.budget, seconds=min(task.budget.seconds, SECONDS))
        _judges[task_id] = Judge(replace(task, budget=quick, misconceptions=()))
    return _judges[task_id]


def survivors(slug: str, jobs: int = 2) -> tuple[int, list[Mutant]]:
    """Number of mutants of an assignment's solutions, and those that keep full marks."""
    everything = [
        mutant
        for task in tasks.assignment(slug)
        for mutant in mutants(slug, task.id, assignments.solution_source(slug, task.id))
    ]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        alive = list(pool.map(survives, everything, chunksize=8))
    return len(everything), [mutant for mutant, lives in zip(everything, alive, strict=True) if lives]


def main(slugs: list[str]) -> int:
    from tests.tasks.equivalent_mutants import EQUIVALENT

    for slug in slugs or tasks.ASSIGNMENTS:
        count, alive = survivors(slug)
        holes = [mutant for mutant in alive if mutant.change not in EQUIVALENT.get(mutant.task, {})]
        print(f"{slug}: {len(alive)} of {count} mutants keep full marks ({len(alive) / count:.1%}), "
              f"{len(alive) - len(holes)} of them shown to be equivalent")
        for mutant in holes:
            print(f"  {mutant.task}: {mutant.change}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
