"""From outcomes to points: the one place where a student's answer is judged.

``Judge`` holds a task's cases, its oracle's answers and the outcomes of its misconceptions. It never runs the student's
code: it is handed a ``run`` that maps a case to its outcome, in this process (``check`` in a notebook) or in another
one (the grader).
"""

from __future__ import annotations

import builtins
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from . import drivers, wire
from .calling import DIED, FORBIDDEN, MEMORY, MISSING, RAISED, RETURNED, TIMEOUT, Outcome, call
from .records import Case, Misconception, Task, leaves

VERDICTS = ("pass", "partial", "fail", "error", "timeout", "memory", "missing", "forbidden", "unreadable")
PARTIAL_CREDIT = 0.5
SPEED_ATTEMPTS = 3
NUMBERS = (np.ndarray, np.generic, int, float)
MAX_WORDS = 1000  # characters of what is said about one case: a wrong result may hold keys or strings of any length


@dataclass(frozen=True)
class PreparedCase:
    """A case with its encoded arguments and the oracle's answer (``raises`` when the answer is a ValueError)."""

    case: Case
    visible: bool
    data: bytes
    expected: Any
    raises: bool


@dataclass(frozen=True)
class CaseResult:
    """How one case went. ``summary`` tells no value of a hidden case; ``detail`` does, and is for instructors."""

    name: str
    visible: bool
    edge: bool
    ok: bool
    value_ok: bool
    status: str
    summary: str
    detail: str
    seconds: float


@dataclass(frozen=True)
class Result:
    """The judgement of one task."""

    task: str
    score: float
    max_score: float
    verdict: str
    diagnosis: str
    hint: str
    seconds: float
    cases: tuple[CaseResult, ...] = ()

    def as_json(self) -> dict:
        # asdict() copies every value of every case, which takes longer than to judge some tasks
        return {**vars(self), "cases": [dict(vars(case)) for case in self.cases]}

    @staticmethod
    def from_json(data: dict) -> Result:
        return Result(**{**data, "cases": tuple(CaseResult(**case) for case in data["cases"])})


def without_cases(task: Task, verdict: str, reason: str) -> Result:
    """The result of a task whose function could not be called at all."""
    return Result(task.id, 0.0, float(task.points), verdict, reason, "", 0.0)


class Judge:
    """Judges answers to one task.

    Args:
        task: The record.
        seed: Seed of the hidden cases. The visible ones are the same everywhere.
        hidden: Whether to judge the hidden cases too (the grader) or the visible ones only (a notebook).
    """

    def __init__(self, task: Task, seed: int = 0, hidden: bool = True):
        self.task = task
        number = zlib.crc32(task.id.encode())
        cases = [(case, True) for case in task.visible(np.random.default_rng(number))]
        if hidden:
            cases += [(case, False) for case in task.hidden(np.random.default_rng([seed, number]))]
        # ordinary cases first: when a run ends early, only an answer that had all of them right may keep points
        cases.sort(key=lambda pair: pair[0].edge)
        self.cases = [self._prepare(case, visible) for case, visible in cases]
        self._reference_seconds: dict[str, float] = {}

    def _prepare(self, case: Case, visible: bool) -> PreparedCase:
        data = wire.encode((case.arguments, case.keywords))
        arguments, keywords = wire.decode(data)
        try:
            expected, raises = self.task.oracle(*arguments, **keywords), False
        except ValueError:
            expected, raises = None, True
        return PreparedCase(case, visible, data, expected, raises)

    @property
    def driver(self) -> Callable | None:
        return getattr(drivers, self.task.driver) if self.task.driver else None

    def run_here(self, function: Callable) -> Callable[[PreparedCase], Outcome]:
        """A ``run`` for a function that lives in this process."""
        return lambda prepared: call(function, prepared.data, self.driver)

    def judge(self, run: Callable[[PreparedCase], Outcome]) -> Result:
        """Judge the function behind ``run``: call it on every case, give points, and name its misconception."""
        outcomes, results = self._run_all(run)
        return self._result(outcomes, results)

    def _run_all(self, run) -> tuple[list[Outcome], list[CaseResult]]:
        outcomes, results = [], []
        for prepared in self.cases:
            outcome = run(prepared)
            outcomes.append(outcome)
            results.append(self._case_result(prepared, outcome, run))
            if outcome.decides:
                break  # the verdict is known, and the rest of the class is waiting
        return outcomes, results

    def _case_result(self, prepared: PreparedCase, outcome: Outcome, run) -> CaseResult:
        case = prepared.case

        def result(summary: str, detail: str = "", value_ok: bool = False) -> CaseResult:
            ok = value_ok and not summary
            return CaseResult(
                case.name, prepared.visible, case.edge, ok, value_ok, outcome.status, summary[:MAX_WORDS],
                (detail or summary)[:MAX_WORDS], outcome.seconds,
            )

        if outcome.status in (RAISED, FORBIDDEN):
            if prepared.raises and outcome.status == RAISED and "ValueError" in outcome.error_types:
                return result("", value_ok=True)
            name = known_exception(outcome.error_types)
            if prepared.raises and outcome.status == RAISED:
                return result(f"raised {name} where a ValueError is expected", f"{name}: {outcome.message}")
            return result(f"raised {name}", f"{name}: {outcome.message}")
        if outcome.status == MEMORY:  # the message is the student's, and could tell a hidden case
            return result("more memory than allowed was asked for", outcome.message)
        if outcome.status != RETURNED:
            return result(outcome.message or outcome.status)
        if prepared.raises:
            return result("returned a value where a ValueError is expected")
        problem = self.task.compare(case, prepared.expected, outcome.value)
        if problem:
            return result(problem.summary, problem.detail)
        if outcome.written:
            names = ", ".join(self._argument_name(which) for which in outcome.written)
            return result(f"the value is right, but the argument {names} was written to", value_ok=True)
        if case.timed and self.task.budget.at_least_faster_than:
            summary = self._too_slow(prepared, outcome, run)
            if summary:
                return result(summary, value_ok=True)
        return result("", value_ok=True)

    def _argument_name(self, which: int | str) -> str:
        if isinstance(which, str):
            return which
        names = re.findall(r"(\w+)", re.sub(r"=[^,)]*", "", self.task.signature.split("->")[0]))[1:]
        return names[which] if 0 <= which < len(names) else f"number {which + 1}"

    def _too_slow(self, prepared: PreparedCase, outcome: Outcome, run) -> str:
        """Say that a right answer is too slow, or nothing. Machines are noisy: both sides get several attempts."""
        factor, reference = self.task.budget.at_least_faster_than
        seconds, name = outcome.seconds, prepared.case.name
        for attempt in range(SPEED_ATTEMPTS):
            if name not in self._reference_seconds or attempt:
                # timed again beside each further attempt, so that both meet the same load
                measured = call(reference, prepared.data).seconds
                self._reference_seconds[name] = max(measured, self._reference_seconds.get(name, 0.0))
            if self._reference_seconds[name] >= factor * seconds:
                return ""
            if attempt and 4 * self._reference_seconds[name] < factor * seconds:
                break  # noise does not explain as much
            for again in (run(prepared), run(prepared)):
                if again.status == RETURNED and not self.task.compare(prepared.case, prepared.expected, again.value):
                    seconds = min(seconds, again.seconds)
        ratio = self._reference_seconds[name] / seconds
        return f"the value is right, but only {ratio:.1f} times faster than the loops; {factor:g} times are asked for"

    def _result(self, outcomes: list[Outcome], results: list[CaseResult]) -> Result:
        points = float(self.task.points)
        seconds = sum(outcome.seconds for outcome in outcomes)
        bad = [(outcome, result) for outcome, result in zip(outcomes, results, strict=True) if not result.ok]
        if not bad:
            return Result(self.task.id, points, points, "pass", "", "", seconds, tuple(results))
        misconception = self._recognize(outcomes, results)
        hint = misconception.hint if misconception else ""
        ordinary = [(outcome, result) for outcome, result in bad if not result.edge and not result.value_ok]
        forbidden = [pair for pair in bad if pair[0].status == FORBIDDEN]
        if ordinary or forbidden:
            outcome, result = (forbidden or ordinary)[0]
            score, verdict = 0.0, self._verdict(outcome)
        else:
            _, result = bad[0]
            score, verdict = points * PARTIAL_CREDIT, "partial"
        if verdict == "missing":
            diagnosis = "not written yet"
        elif misconception:
            diagnosis = misconception.id
        else:
            where = f"case '{result.name}'"
            shown = result.detail if result.visible or result.status in (RAISED, FORBIDDEN) else result.summary
            diagnosis = f"{where}: {shown}"
        return Result(self.task.id, score, points, verdict, diagnosis, hint, seconds, tuple(results))

    @staticmethod
    def _verdict(outcome: Outcome) -> str:
        if outcome.status == RAISED:
            return "missing" if outcome.error_types[:1] == ("NotImplementedError",) else "error"
        return {
            RETURNED: "fail", FORBIDDEN: "forbidden", TIMEOUT: "timeout", MEMORY: "memory", DIED: "error",
            MISSING: "missing",
        }[outcome.status]

    @cached_property
    def _misconception_runs(self) -> list[tuple[Misconception, list[Outcome], list[CaseResult]]]:
        runs = []
        for misconception in self.task.misconceptions:
            with np.errstate(all="ignore"):
                runs.append((misconception, *self._run_all(self.run_here(misconception.wrong))))
        return runs

    def _recognize(self, outcomes: list[Outcome], results: list[CaseResult]) -> Misconception | None:
        """The misconception whose outcomes are those of the student: on every case, else on the ordinary ones."""
        for misconception in self.task.misconceptions:
            if misconception.matches is None:
                continue
            for prepared, outcome in zip(self.cases, outcomes, strict=False):
                if outcome.status == RETURNED and misconception.matches(prepared.case, outcome.value):
                    return misconception
        equal = [run for run in self._misconception_runs if run[0].matches is None]
        for ordinary_only in (False, True):
            for misconception, wrong_outcomes, wrong_results in equal:
                pairs = list(zip(outcomes, results, wrong_outcomes, wrong_results, strict=False))
                if ordinary_only:
                    pairs = [pair for pair in pairs if not pair[1].edge]
                some_failure = any(not result.ok for _, result, _, _ in pairs)
                if some_failure and len(outcomes) == len(wrong_outcomes) and all(_same(*pair) for pair in pairs):
                    return misconception
        return None


def known_exception(error_types: tuple[str, ...]) -> str:
    """Name of an exception as anybody may read it: one of the student's own could carry a hidden case in its name."""
    for name in error_types:
        known = getattr(builtins, name, None)
        if name == "ForbiddenImport" or isinstance(known, type) and issubclass(known, BaseException):
            return name
    return "an error"


def _same(mine: Outcome, my_result: CaseResult, other: Outcome, other_result: CaseResult) -> bool:
    if my_result.ok != other_result.ok or mine.status != other.status or mine.written != other.written:
        return False
    if my_result.ok:
        return True
    if mine.status == RAISED:
        # a stub's NotImplementedError is no misconception
        return mine.error_types[:1] == other.error_types[:1] != ("NotImplementedError",)
    return mine.status == RETURNED and _alike(mine.value, other.value)


def _alike(a: Any, b: Any) -> bool:
    """Whether two returned values hold the same numbers, up to rounding."""
    mine, others = list(leaves(a)), list(leaves(b))
    if len(mine) != len(others):
        return False
    for x, y in zip(mine, others, strict=True):
        if type(x) is int and type(y) is int:  # of any size: NumPy's are bounded
            if x != y:
                return False
        elif isinstance(x, NUMBERS) and isinstance(y, NUMBERS):
            x, y = np.asarray(x), np.asarray(y)
            if x.shape != y.shape or (x.dtype.kind == "f") != (y.dtype.kind == "f"):
                return False
            if x.dtype.kind == "O" or y.dtype.kind == "O":  # an int beyond 64 bits, and something else
                return False
            if not np.allclose(x, y, rtol=1e-5, atol=1e-7, equal_nan=True):
                return False
        elif type(x) is not type(y) or x != y:
            return False
    return True
