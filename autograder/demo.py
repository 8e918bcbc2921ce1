"""A demonstration class, generated from the task records.

In it: the solution, a blank, students' mistakes, broken code, two submissions that are suspiciously alike.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from neuralnotes import tasks
from neuralnotes.tasks import Misconception, Task
from neuralnotes.tasks.records import source_of

from .assignments import SOLUTIONS, read_source, released

# What the two students who are suspiciously alike wrote into a cell of their own: the same, with other names.
EXPERIMENT = '''def sketch_of(numbers, rows=5):
    """A histogram in letters."""
    low, high = float(np.min(numbers)), float(np.max(numbers))
    edges = np.linspace(low, high, rows + 1)
    lines = []
    for left, right in zip(edges[:-1], edges[1:]):
        inside = (numbers >= left) & ((numbers < right) | (right == high))
        lines.append(str(round(left, 2)) + " " + "#" * int(np.sum(inside)))
    return "\\n".join(lines)


print(sketch_of(np.sin(np.arange(50))))
'''
NEW_NAMES = {"sketch_of": "show", "numbers": "data", "rows": "n", "edges": "b", "lines": "text", "inside": "mask"}


def with_answers(notebook: NotebookNode, answers: dict[str, str]) -> NotebookNode:
    """A copy of a notebook in which some solution cells hold other code.

    Args:
        notebook: An assignment, with or without solutions.
        answers: Source by task id.
    """
    result = copy.deepcopy(notebook)
    for cell in result.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        task_id = grade_id.removesuffix("-solution")
        if grade_id.endswith("-solution") and task_id in answers:
            cell.source = answers[task_id]
    return result


def wrong_source(task: Task, misconception: Misconception) -> str:
    """Source of a misconception, under the name that the task asks for."""
    return re.sub(r"\bdef\s+\w+\(", f"def {task.id}(", source_of(misconception.wrong), count=1)


def with_own_cell(notebook: NotebookNode, source: str) -> NotebookNode:
    """A copy of a notebook with a code cell of the student's own at its end."""
    result = copy.deepcopy(notebook)
    result.cells.append(nbformat.v4.new_code_cell(source))
    return result


def class_of(slug: str, solutions: Path = SOLUTIONS) -> dict[str, NotebookNode]:
    """The demonstration submissions to an assignment, by student."""
    solved = read_source(slug, solutions)
    blank = released(slug, solutions)
    records = tasks.assignment(slug)
    first = records[0].id
    students = {
        "ada": solved,
        "blank": blank,
        "syntax-error": with_answers(solved, {first: f"def {first}(:\n    return"}),
        "endless-loop": with_answers(solved, {first: f"def {first}(*_, **keywords):\n    while True:\n        pass"}),
        "memory-hog": with_answers(solved, {first: f"def {first}(*_, **keywords):\n    return np.ones(10**12)"}),
        "forbidden-import": with_answers(solved, {first: f"import torch\n\n\ndef {first}(*_):\n    pass"}),
    }
    other_names = re.sub(r"\w+", lambda word: NEW_NAMES.get(word[0], word[0]), EXPERIMENT)
    students["alike"] = with_own_cell(solved, EXPERIMENT)
    students["alike-too"] = with_own_cell(solved, other_names.replace("A histogram in letters.", "My own idea."))
    # one student per rank of misconception: the first mistake of every task, the second of every task, ...
    for rank in range(max(len(task.misconceptions) for task in records)):
        answers = {
            task.id: wrong_source(task, task.misconceptions[rank])
            for task in records
            if rank < len(task.misconceptions)
        }
        students[f"mistakes-{rank + 1}"] = with_answers(solved, answers)
    return students


def write_class(slug: str, folder: Path, solutions: Path = SOLUTIONS) -> list[str]:
    """Write the demonstration class as ``<folder>/<student>/<slug>/<slug>.ipynb``, with a file that was cut short.

    Returns:
        The students' names.
    """
    students = class_of(slug, solutions)
    for name, notebook in students.items():
        path = Path(folder) / name / slug / f"{slug}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
    cut_short = Path(folder) / "cut-short" / slug / f"{slug}.ipynb"
    cut_short.parent.mkdir(parents=True, exist_ok=True)
    cut_short.write_text(nbformat.writes(students["ada"])[:1000], encoding="utf-8")
    return sorted([*students, "cut-short"])
