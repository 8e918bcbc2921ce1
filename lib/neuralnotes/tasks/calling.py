"""One call of a student's function, and what came of it.

The same function serves ``check`` in a notebook and the student's process when graded. This module imports NumPy and
the standard library only, because that process loads it too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

try:
    from . import wire
except ImportError:  # loaded by path, outside the package, in the student's process
    import wire

RETURNED, RAISED, FORBIDDEN, MISSING = "returned", "raised", "forbidden", "missing"
TIMEOUT, MEMORY, DIED = "timeout", "memory", "died"


class ForbiddenImport(ImportError):
    """The student's code asked for a module that the task does not allow."""


@dataclass(frozen=True)
class Outcome:
    """What came of one call.

    Attributes:
        status: ``returned``, ``raised``, ``forbidden``, ``timeout``, ``memory``, ``died`` or ``missing``.
        value: What was returned, as it crosses the wire.
        error_types: Names of the exception's class and of its bases, most specific first.
        message: The exception's text, or the reason of another status.
        written: Arguments that were written to: positions (int) and keywords (str).
        seconds: Wall-clock seconds of the call.
        operators: Names of the PyTorch operators that it used, where they are recorded ("aten.convolution").
    """

    status: str
    value: Any = None
    error_types: tuple[str, ...] = ()
    message: str = ""
    written: tuple = ()
    seconds: float = 0.0
    operators: tuple[str, ...] = ()

    @property
    def decides(self) -> bool:
        """Whether no further call of the function is needed: it is a stub, or forbidden, or took the process down."""
        stub = self.error_types[:1] == ("NotImplementedError",)
        return stub or self.status in (TIMEOUT, MEMORY, DIED, FORBIDDEN, MISSING)


def call(function: Callable, data: bytes, driver: Callable | None = None) -> Outcome:
    """Call a function on fresh copies of its arguments.

    Args:
        function: The student's function.
        data: ``wire.encode((arguments, keywords))``.
        driver: Called as ``driver(function, *arguments, **keywords)`` when given.

    Returns:
        The outcome. Exceptions of the function become outcomes, also SystemExit; only KeyboardInterrupt passes, so that
        a student can stop an endless loop in a notebook.
    """
    outcome, value = perform(function, data, driver)
    return replace(outcome, value=wire.decode(value)) if outcome.status == RETURNED else outcome


def perform(function: Callable, data: bytes, driver: Callable | None = None) -> tuple[Outcome, bytes]:
    """Like ``call``, with the returned value beside the outcome, encoded for the wire."""
    arguments, keywords = wire.decode(data)
    start = time.perf_counter()
    try:
        value = driver(function, *arguments, **keywords) if driver else function(*arguments, **keywords)
        seconds = time.perf_counter() - start
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        seconds = time.perf_counter() - start
        status = RAISED
        if isinstance(error, ForbiddenImport):
            status = FORBIDDEN
        elif isinstance(error, MemoryError):  # NumPy raises a subclass
            status = MEMORY
        names = tuple(base.__name__ for base in type(error).__mro__)
        try:
            message = str(error)[:500]
        except Exception:
            message = ""
        return Outcome(status, error_types=names, message=message, seconds=seconds), b""
    written = () if wire.encode((arguments, keywords)) == data else _written(arguments, keywords, data)
    return Outcome(RETURNED, written=written, seconds=seconds), wire.encode(value)


def _written(arguments: tuple, keywords: dict, data: bytes) -> tuple:
    """Which arguments differ from what they were decoded from."""
    before, named = wire.decode(data)
    pairs = [*enumerate(zip(arguments, before, strict=True)), *((k, (v, named[k])) for k, v in keywords.items())]
    return tuple(key for key, (now, then) in pairs if wire.encode(now) != wire.encode(then))
