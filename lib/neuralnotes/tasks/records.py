"""What a graded function is: the ``Task`` record, its cases, misconceptions, budget and comparisons.

Everything about a graded function is derived from its record: the visible check in the notebook, the hidden cases, the
feedback, the class report and the tests of the grader itself.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

NUMPY_TASK_IMPORTS = frozenset(
    {"numpy", "math", "itertools", "functools", "collections", "dataclasses", "typing", "operator", "numbers"}
)


@dataclass(frozen=True)
class Case:
    """One call of the student's function.

    Attributes:
        name: What the student may be told about it, also when it is hidden ("stride 2, padding 1").
        arguments: Positional arguments: numbers, strings, arrays, and tuples, lists and dicts (str keys) of these.
            An array that is not contiguous reaches the function as a non-contiguous view.
        keywords: Keyword arguments, of the same kinds.
        edge: Whether it is an edge case. When only edge cases fail, half of the points remain.
        timed: Whether the task's ``Budget.at_least_faster_than`` applies to it.
    """

    name: str
    arguments: tuple = ()
    keywords: dict[str, Any] = field(default_factory=dict)
    edge: bool = False
    timed: bool = False


@dataclass(frozen=True)
class Misconception:
    """A wrong implementation that students really write, with the word that helps.

    Attributes:
        id: Short name in kebab case, shown to the instructor ("flipped-kernel").
        wrong: The wrong implementation. Self-contained (its source is pasted into notebooks of the demonstration
            class): it may use ``np`` and import what the task allows inside its body.
        hint: What the student reads: what seems to have happened and where to look, never the answer.
        matches: How to recognize it where equal outputs cannot (a trained model, say): called with a case and the value
            that the student's function returned. ``None``: recognized by equal outcomes on every case.
    """

    id: str
    wrong: Callable
    hint: str
    matches: Callable[[Case, Any], bool] | None = None


def variant(right: Callable, old: str, new: str) -> Callable:
    """A wrong implementation that differs from a right one in one place: most mistakes are like that.

    Args:
        right: A right implementation, self-contained.
        old: Text of its source, standing there exactly once.
        new: What stands there instead.

    Raises:
        ValueError: ``old`` does not stand exactly once in the source.
    """
    source = source_of(right)
    if source.count(old) != 1:
        raise ValueError(f"{right.__name__}: {old!r} stands {source.count(old)} times in the source, not once")
    source = source.replace(old, new)
    namespace: dict[str, Any] = {}
    exec(compile(source, f"<variant of {right.__name__}>", "exec"), dict(right.__globals__), namespace)
    function = namespace[right.__name__]
    function.source = source
    return function


def source_of(function: Callable) -> str:
    """Source of a function, also of one that ``variant`` made."""
    return getattr(function, "source", None) or textwrap.dedent(inspect.getsource(function))


@dataclass(frozen=True)
class Budget:
    """Limits on one call.

    Attributes:
        seconds: Wall-clock limit of one call; beyond it the verdict is ``timeout``.
        memory: Limit on the address space of the student's process, in bytes.
        at_least_faster_than: ``(factor, reference)``: on timed cases the function must be at least ``factor`` times
            faster than ``reference``, timed in the same run. ``None``: speed is not part of the task.
    """

    seconds: float = 10.0
    memory: int = 2 * 2**30
    at_least_faster_than: tuple[float, Callable] | None = None


@dataclass(frozen=True)
class Problem:
    """Why a value is not the expected one.

    Attributes:
        summary: Safe to show for a hidden case: it tells the kind of problem and no value.
        detail: With the largest error, its index, and both values. Shown for visible cases and to instructors.
    """

    summary: str
    detail: str


@dataclass(frozen=True)
class Close:
    """Compare numbers, arrays, and tuples and dicts of them: kind, shape, dtype, finiteness, values.

    The tolerances hold for float64 arguments. When an argument is float32 the result may have either precision, and
    ``rtol`` is ``float32_rtol``, relative also to the largest expected magnitude (sums cancel in single precision).
    """

    rtol: float = 1e-6
    atol: float = 1e-8
    float32_rtol: float = 1e-4

    def __call__(self, case: Case, expected: Any, got: Any) -> Problem | None:
        single = any(
            isinstance(leaf, np.ndarray) and leaf.dtype == np.float32
            for leaf in leaves((case.arguments, case.keywords))
        )
        return self._compare(expected, got, single, "the result")

    def _compare(self, expected: Any, got: Any, single: bool, what: str) -> Problem | None:
        if isinstance(expected, tuple):
            if not isinstance(got, (tuple, list)) or len(got) != len(expected):
                return _problem(f"{what} should be a tuple of {len(expected)}, not {describe(got)}")
            for i, (e, g) in enumerate(zip(expected, got, strict=True)):
                problem = self._compare(e, g, single, f"item {i} of {what}")
                if problem:
                    return problem
            return None
        if isinstance(expected, dict):
            if not isinstance(got, dict):
                return _problem(f"{what} should be a dict, not {describe(got)}")
            if set(got) != set(expected):
                return _problem(f"{what} should have the keys {', '.join(expected)}, not {', '.join(map(str, got))}")
            for key, e in expected.items():
                problem = self._compare(e, got[key], single, f"{what}[{key!r}]")
                if problem:
                    return problem
            return None
        if isinstance(expected, str):
            if not isinstance(got, str):
                return _problem(f"{what} should be a string, not {describe(got)}")
            if got == expected:
                return None
            return _problem(f"{what} is another string", f"got {got!r}, expected {expected!r}")
        if isinstance(expected, (bool, np.bool_)):
            if not isinstance(got, (bool, np.bool_)):
                return _problem(f"{what} should be a bool, not {describe(got)}")
            if bool(got) == bool(expected):
                return None
            return _problem(f"{what} is wrong", f"got {got}, expected {expected}")
        if isinstance(expected, (int, np.integer)):
            return self._integer(int(expected), got, what)
        if isinstance(expected, (float, np.floating)) or (isinstance(expected, np.ndarray) and expected.ndim == 0):
            return self._scalar(float(expected), got, single, what)
        return self._array(expected, got, single, what)

    def _integer(self, expected: int, got: Any, what: str) -> Problem | None:
        is_integer = isinstance(got, (int, np.integer)) and not isinstance(got, bool)
        if isinstance(got, np.ndarray) and got.ndim == 0 and got.dtype.kind in "iu":
            is_integer = True
        if not is_integer:
            said = f"{what} should be an int, not {describe(got)}"
            if isinstance(got, (float, np.floating)):
                return _problem(f"{said}; if it comes from a division, // keeps an int an int", f"got {float(got)!r}")
            return _problem(said)
        if int(got) != expected:
            return _problem(f"{what} is a wrong number", f"got {int(got)}, expected {expected}")
        return None

    def _scalar(self, expected: float, got: Any, single: bool, what: str) -> Problem | None:
        if isinstance(got, bool) or not isinstance(got, (int, float, np.generic, np.ndarray)):
            return _problem(f"{what} should be a single number, not {describe(got)}")
        array = np.asarray(got)
        if array.ndim != 0:
            return _problem(f"{what} should be a single number, not an array of shape {array.shape}")
        if array.dtype.kind not in "fiu":
            return _problem(f"{what} should be a real number, not {describe(got)}")
        if array.dtype.kind == "f" and array.dtype != np.float64 and not single:
            return _problem(f"{what} is {array.dtype}; float64 arguments give a float64 result")
        return self._values(np.asarray(expected), array.astype(np.float64), single, what)

    def _array(self, expected: np.ndarray, got: Any, single: bool, what: str) -> Problem | None:
        if not isinstance(got, np.ndarray):
            return _problem(f"{what} should be a NumPy array, not {describe(got)}")
        if got.shape != expected.shape:
            return _problem(
                f"{what} has the wrong shape", f"got shape {got.shape}, expected shape {expected.shape}"
            )
        if expected.dtype.kind == "b":
            if got.dtype != np.bool_:
                return _problem(f"{what} should be an array of bool, not of {got.dtype}")
            return self._exact(expected, got, what)
        if expected.dtype.kind in "iu":
            if got.dtype.kind not in "iu":
                return _problem(f"{what} should be an array of integers, not of {got.dtype}")
            return self._exact(expected, got, what)
        if got.dtype != np.float64 and not (single and got.dtype == np.float32):
            return _problem(f"{what} is an array of {got.dtype}; float64 arguments give a float64 result")
        return self._values(expected, got.astype(np.float64), single, what)

    @staticmethod
    def _exact(expected: np.ndarray, got: np.ndarray, what: str) -> Problem | None:
        wrong = np.argwhere(expected != got)
        if len(wrong) == 0:
            return None
        index = tuple(int(i) for i in wrong[0])
        return _problem(
            f"{what} has wrong entries",
            f"{len(wrong)} of {expected.size} entries differ; at {index} got {got[index]}, expected {expected[index]}",
        )

    def _values(self, expected: np.ndarray, got: np.ndarray, single: bool, what: str) -> Problem | None:
        expected = expected.astype(np.float64)
        numbers = np.isfinite(expected)
        rtol, atol = self.rtol, self.atol
        if single:
            rtol = self.float32_rtol
            atol = rtol * float(np.max(np.abs(expected), where=numbers, initial=1.0))
        with np.errstate(invalid="ignore"):
            # nothing is near infinity, whatever the tolerance makes of it
            near = numbers & (np.abs(got - expected) <= atol + rtol * np.abs(expected))
        if np.all(near):
            return None
        finite = np.isfinite(got)
        if not np.all(finite | ~numbers):
            index = tuple(int(i) for i in np.argwhere(~finite & numbers)[0])
            return _problem(
                f"{what} holds nan or inf",
                f"{int(np.sum(~finite))} of {got.size} values are nan or inf; at {index} got {got[index]}, "
                f"expected {expected[index]:.6g}",
            )
        same = near | (got == expected) | (np.isnan(got) & np.isnan(expected))
        if np.all(same):
            return None
        with np.errstate(invalid="ignore"):
            error = np.where(same, 0.0, np.nan_to_num(np.abs(got - expected), nan=np.inf))
        index = tuple(int(i) for i in np.unravel_index(int(np.argmax(error)), error.shape))
        if got.ndim == 0:
            return _problem(f"{what} is a wrong number", f"got {float(got):.10g}, expected {float(expected):.10g}")
        return _problem(
            f"{what} has wrong values",
            f"{int(np.sum(~same))} of {got.size} values differ; largest error {error[index]:.3g} at {index}: "
            f"got {got[index]:.6g}, expected {expected[index]:.6g}",
        )


def _problem(summary: str, detail: str = "") -> Problem:
    if not detail:
        return Problem(summary, summary)
    return Problem(summary, f"{summary}: {detail}")


def leaves(value: Any):
    """Yield the values inside nested tuples, lists and dicts."""
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, dict):
        yield from leaves(tuple(value.values()))
    else:
        yield value


def describe(value: Any) -> str:
    """Say what a value is, in a student's words: ``a list``, ``None``, ``an array of shape (2, 3)``."""
    if value is None:
        return "None (is a return missing?)"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, np.generic):
        return f"a NumPy {value.dtype} number"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, (bool, int, float)):
        return f"{'an' if type(value) is int else 'a'} {type(value).__name__}"
    name = getattr(value, "type_name", None) or type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


@dataclass(frozen=True)
class Task:
    """One graded function.

    Attributes:
        id: The student's function name, and the nbgrader ``grade_id`` of its check cell.
        points: Points for all cases right.
        minutes: How long a student is expected to need.
        difficulty: 1 (routine) to 5 (hard).
        signature: As shown to the student, e.g. ``"causal_mask(n) -> mask"``.
        visible: Maps a seeded generator to the cases that ``check`` runs in the notebook.
        hidden: Maps a seeded generator to the cases that only the grader runs.
        oracle: The reference, called like the function itself (through no driver: it gets the case's arguments as they
            are). Independent of the solution's method. When it raises ValueError, so must the function.
        compare: Maps ``(case, expected, got)`` to a ``Problem``, or None when ``got`` is right.
        misconceptions: At least four.
        driver: For what is not a plain call (a callback, a training loop): the name of a function in
            ``neuralnotes.tasks.drivers``, called with the student's function and the case's arguments in the student's
            process; what it returns is compared.
        allowed: Top-level modules that the submission may import.
        budget: Time, memory, and speed where it is part of the task.
        delegated: PyTorch operators that a call may not use because they are what is asked for ("aten.convolution"). A
            use is reported to the instructor and costs no points.
    """

    id: str
    points: float
    minutes: int
    difficulty: int
    signature: str
    visible: Callable[[np.random.Generator], list[Case]]
    hidden: Callable[[np.random.Generator], list[Case]]
    oracle: Callable
    misconceptions: tuple[Misconception, ...]
    compare: Callable[[Case, Any, Any], Problem | None] = Close()
    driver: str | None = None
    allowed: frozenset[str] = NUMPY_TASK_IMPORTS
    budget: Budget = Budget()
    delegated: frozenset[str] = frozenset()
