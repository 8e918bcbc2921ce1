"""Suspiciously alike submissions: pairs of students whose functions are nearly the same code.

What two students share proves nothing: they may have worked together as they were told to, or read the same page. A
pair says where to look, and a person has to read both. The judge knows nothing of this, and no mark depends on it.

How it works. Every function of a student (from the solution cells and from cells of their own) is parsed, written out
again without comments, docstrings and annotations, and reduced by copydetect to its shape: every variable becomes V,
so that new names change nothing. All runs of ``RUN`` characters of that text are hashed. Runs that stand in the release
(the stubs, the play cells) do not count, nor do runs that more than ``common_limit`` students have: those are the
obvious way to write it, or something published. What is left of one function is compared with what is left of another:
the similarity is the share of the code that the other one covers too, and of the two directions the smaller.

Why these numbers. ``tests/autograder/test_similarity.py`` measures them. Between right answers to the same task by
different methods (172 pairs with code enough to compare) the similarity is 0.07 in the middle, 0.54 at the 99th
percentile, and 0.74 at most. Copies with new names, comments, order and layout have 1.00, and of the copies with a
statement more in each function 19 in 20 have 0.86 or more. Those answers were written to differ, so students who solve
a task in the obvious way will be closer to each other than that: ``SHORTEST`` leaves out what has too little code to be
told apart, ``common_limit`` what many have, and what remains is still no proof. A copy whose statements are shuffled or
rewritten throughout is not found.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy import sparse
from tqdm import tqdm

from . import results
from .gate import MAX_BYTES, cell_source, shape_problem

RUN = 25  # characters of reduced code, about one short statement: shorter runs are idioms that everybody writes
SHORTEST = 120  # characters of reduced code, about five statements
ALIKE = 0.85
MAX_CODE = 60_000  # characters of a student's code that are compared: ten times a whole solution
ROWS = 500  # functions compared with all the others at a time, which bounds the memory
REST = "a cell of code"


@dataclass(frozen=True)
class Function:
    """A function of one student, reduced.

    Attributes:
        student: The gradebook's name.
        name: Of the function; ``REST`` for what a cell holds outside functions.
        runs: Hashes of the runs of its code, (characters - RUN + 1,), in order.
    """

    student: str
    name: str
    runs: np.ndarray


@dataclass(frozen=True)
class Match:
    """Two functions that are alike: their names, the similarity (0 to 1), and the characters of code behind it."""

    first: str
    second: str
    similarity: float
    characters: int


@dataclass(frozen=True)
class Pair:
    """Two students (gradebook names) with functions that are alike, the longest first. It proves nothing."""

    first: str
    second: str
    matches: tuple[Match, ...]

    @property
    def characters(self) -> int:
        """How much code is alike: the strength of the hint."""
        return sum(match.characters for match in self.matches)


@dataclass(frozen=True)
class Common:
    """A function whose code many students have: too many to be pairs, so nobody is accused."""

    name: str
    students: tuple[str, ...]


def common_limit(students: int) -> int:
    """How many students may have a run of code before it counts as known to all: a tenth of the class, at least 5."""
    return max(5, students // 10)


def alike(slug: str, out: Path, progress: bool = True) -> list[Pair]:
    """Pairs of students with functions that are alike, the most code first.

    Args:
        slug: The assignment.
        out: The folder that ``grade`` wrote; its ``submitted/`` holds the clean notebooks.
        progress: Whether to show a progress bar when it takes long.
    """
    return compare(slug, out, progress)[0]


def compare(slug: str, out: Path, progress: bool = True) -> tuple[list[Pair], list[Common]]:
    """``alike``, and the functions that many share.

    Kept in ``<out>/results/<slug>.alike.json`` by content, with everybody's reduced code: after a regrade only the code
    that has changed is read again.
    """
    out = Path(out)
    release = (out / "release" / slug / f"{slug}.ipynb").read_bytes()
    paths = {
        path.parent.parent.name: path
        for path in sorted(out.glob(f"submitted/*/{slug}/{slug}.ipynb"))
        if path.is_file() and path.stat().st_size <= MAX_BYTES
    }
    program = _digest(Path(__file__).read_bytes(), version("copydetect").encode())
    key = _digest(program.encode(), release, *(os.fsencode(name) + path.read_bytes() for name, path in paths.items()))
    store = out / "results" / f"{slug}.alike.json"
    try:
        known = json.loads(store.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        known = {}
    if known.get("key") != key:
        before = known.get("code", {}) if known.get("program") == program else {}
        code, reduced = {}, {}
        for name in tqdm(paths, f"reading {slug}", unit="student", disable=not progress, delay=2):
            cells = own_code(paths[name].read_bytes())
            if cells:
                digest = _digest(*map(str.encode, cells))
                code[digest] = reduced[name] = before.get(digest) or reduce(cells)
        given = [cell_source(cell) for cell in json.loads(release)["cells"] if cell["cell_type"] == "code"]
        pairs, common = compare_reduced(reduced, reduce(given), progress)
        known = {"program": program, "key": key, "pairs": list(map(asdict, pairs)), "common": list(map(asdict, common)),
                 "code": code}
        results.write_whole(store, json.dumps(known))
    return (
        [
            Pair(pair["first"], pair["second"], tuple(Match(**match) for match in pair["matches"]))
            for pair in known["pairs"]
        ],
        [Common(one["name"], tuple(one["students"])) for one in known["common"]],
    )


def _digest(*parts: bytes) -> str:
    """Hash of several byte strings, each by itself."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def own_code(data: bytes) -> list[str]:
    """Sources of a notebook's solution cells and of the student's own code cells; none when it cannot be read.

    The notebooks are clean when ``grade`` put them there; nbgrader's own commands put there what students handed in.
    """
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError):
        return []
    if shape_problem(notebook) or "neuralnotes" in _dict(notebook.get("metadata")):  # unreadable, or missing
        return []
    return [
        source
        for cell in notebook["cells"]
        if (source := cell_source(cell)) and cell.get("cell_type") == "code"
        and (
            _dict(_dict(cell.get("metadata")).get("nbgrader")).get("solution")
            or str(cell.get("id")).startswith("own-")  # the gate's name for a cell that is not the assignment's
        )
    ]


def _dict(value) -> dict:
    return value if isinstance(value, dict) else {}


def reduce(cells: list[str]) -> list[list[str]]:
    """The functions of some code cells as ``[name, reduced code]``; what stands outside, by cell, as ``REST``."""
    from copydetect.utils import filter_code  # brings Matplotlib with it: only where there is something to compare

    found, left = [], MAX_CODE
    for cell in cells:
        cell = cell[:left]
        left -= len(cell)
        parts = split(cell)
        outside = "\n".join(code for name, code in parts if not name)
        for name, code in [*(part for part in parts if part[0]), (REST, outside)]:
            found.append([name, filter_code(code, "", language="python")[0]])
    return [[name, code] for name, code in found if len(code) >= RUN]


def split(source: str) -> list[tuple[str, str]]:
    """A cell's functions and classes by name, and what stands outside (under ""), without what does not run."""
    try:
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.arg):
                node.annotation = None
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                node.returns = None
            body = getattr(node, "body", None)
            if isinstance(body, list):  # strings that stand alone are comments
                node.body = [one for one in body if not _is_string(one)] or [ast.Pass()]
        return [
            (node.name if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) else "",
             ast.unparse(node))
            for node in tree.body
        ]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [("", source)]  # no Python, or nested beyond reason: compared as it stands


def _is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def runs_of(code: str) -> np.ndarray:
    """Hashes of the runs of some reduced code, (characters - RUN + 1,)."""
    from copydetect.utils import hashed_kgrams

    return hashed_kgrams(code, RUN).astype(np.int64)


def covered(chosen: np.ndarray) -> int:
    """Characters of a function's code that some of its runs cover (bool, one for each run)."""
    places = np.flatnonzero(chosen)
    # each adds what the one before it does not cover already
    return RUN + int(np.minimum(np.diff(places), RUN).sum()) if len(places) else 0


def compare_reduced(
    reduced: dict[str, list[list[str]]], given: list[list[str]], progress: bool = False
) -> tuple[list[Pair], list[Common]]:
    """Compare everybody with everybody.

    Args:
        reduced: A student's functions as ``reduce`` gives them, by student.
        given: What everybody was given, likewise.
        progress: Whether to show a progress bar when it takes long.
    """
    functions = [
        Function(student, name, runs_of(code)) for student, found in reduced.items() for name, code in found
    ]
    boilerplate = _union([runs_of(code) for _, code in given])
    students = np.unique([function.student for function in functions])
    owner = np.searchsorted(students, [function.student for function in functions])
    # in how many students' code a run stands
    by_student: list[list[np.ndarray]] = [[] for _ in students]
    for index, function in zip(owner, functions, strict=True):
        by_student[index].append(function.runs)
    runs, count = np.unique(np.concatenate([np.empty(0, np.int64), *map(_union, by_student)]), return_counts=True)
    limit = common_limit(len(reduced))
    common = runs[count > limit]
    ignored = np.union1d(boilerplate, common)

    kept, kept_owner, widely = [], [], {}
    for index, function in zip(owner, functions, strict=True):
        given_to_all, known_to_all = np.isin(function.runs, boilerplate), np.isin(function.runs, common)
        size = covered(~given_to_all)
        if size < SHORTEST:
            continue
        if covered(~given_to_all & known_to_all) >= ALIKE * size:
            widely.setdefault(function.name, set()).add(function.student)
        if covered(~given_to_all & ~known_to_all) >= SHORTEST:
            kept.append(function)
            kept_owner.append(index)
    found = similar([function.runs for function in kept], np.array(kept_owner, int), ignored, progress)
    common_functions = [Common(name, tuple(sorted(who))) for name, who in sorted(widely.items()) if len(who) > limit]
    return _pairs(kept, found), common_functions


def _union(parts: list[np.ndarray]) -> np.ndarray:
    return np.unique(np.concatenate([np.empty(0, np.int64), *parts]))


def similar(
    runs: list[np.ndarray], owner: np.ndarray, ignored: np.ndarray, progress: bool = False, least: float = ALIKE
) -> list[tuple[int, int, float, int]]:
    """Functions of different owners that are alike. An index of all runs finds those that are worth a closer look.

    Args:
        runs: Of each function.
        owner: Of each function, a number.
        ignored: Runs that do not count.
        progress: Whether to show a progress bar when it takes long.
        least: The least similarity.

    Returns:
        ``(i, j, similarity, characters)`` with ``owner[i] < owner[j]``. The similarity is the share of a function's
        code (what counts of it) that stands in the other one too, 0 to 1, and the characters how much that is; both of
        the function of which it is less.
    """
    # the runs that count as columns of one index; -1 for those that do not
    every, columns = np.unique(np.concatenate([np.empty(0, np.int64), *runs]), return_inverse=True)
    columns = np.where(np.isin(every, ignored), -1, np.arange(len(every)))[columns]
    columns = np.split(columns, np.cumsum([len(one) for one in runs])[:-1])
    sizes = np.array([covered(one >= 0) for one in columns])
    rows = np.repeat(np.arange(len(runs)), [np.sum(one >= 0) for one in columns])
    flat = np.concatenate([np.empty(0, int), *[one[one >= 0] for one in columns]])
    shape = len(runs), len(every) + 1
    times = sparse.csr_array((np.ones(len(flat), np.int32), (rows, flat)), shape)  # how often a run stands there
    there = times.astype(bool).astype(np.int32)
    times_across, there_across = times.T.tocsr(), there.T.tocsr()
    marked = np.zeros(len(every) + 1, bool)

    def shared(i: int, j: int) -> int:
        marked[columns[j]] = True
        marked[-1] = False  # where the -1 went; the last column of the index is a spare one
        result = covered(marked[columns[i]])
        marked[columns[j]] = False
        return result

    found = []
    for start in tqdm(range(0, len(runs), ROWS), "comparing", disable=not progress, delay=2):
        chunk = slice(start, start + ROWS)
        mine, theirs = times[chunk] @ there_across, there[chunk] @ times_across
        mine.sort_indices()
        theirs.sort_indices()  # now both name the same pairs in the same order
        first, second = np.repeat(np.arange(mine.shape[0]), np.diff(mine.indptr)) + start, mine.indices
        # each run covers RUN characters at most: with fewer in common, seen from either side, it cannot be enough
        near = (owner[first] < owner[second]) & (mine.data * RUN >= least * sizes[first])
        near &= theirs.data * RUN >= least * sizes[second]
        for i, j in zip(first[near].tolist(), second[near].tolist(), strict=True):
            characters = shared(i, j), shared(j, i)
            share = float(min(characters[0] / sizes[i], characters[1] / sizes[j]))
            if share >= least:
                found.append((i, j, share, min(characters)))
    return found


def _pairs(functions: list[Function], found: list[tuple[int, int, float, int]]) -> list[Pair]:
    """Pairs of students from pairs of functions."""
    by_students: dict[tuple[str, str], list[tuple[int, int, float, int]]] = {}
    for match in found:
        by_students.setdefault((functions[match[0]].student, functions[match[1]].student), []).append(match)
    pairs = []
    for (first, second), matches in by_students.items():
        # a function has one partner: that of the same name before others, then the most alike
        matches.sort(key=lambda m: (functions[m[0]].name != functions[m[1]].name, -m[2], -m[3], m[0], m[1]))
        taken: set[int] = set()
        chosen = []
        for i, j, share, characters in matches:
            if not taken & {i, j}:
                taken |= {i, j}
                chosen.append(Match(functions[i].name, functions[j].name, round(share, 3), characters))
        chosen.sort(key=lambda match: (-match.characters, match.first))
        pairs.append(Pair(first, second, tuple(chosen)))
    return sorted(pairs, key=lambda pair: (-pair.characters, pair.first, pair.second))
