"""One call of a student's function, and what came of it.

The same function serves ``check`` in a notebook and the student's process when graded. This module imports NumPy and
the standard library only, because that process loads it too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
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
    """

    status: str
    value: Any = None
    error_types: tuple[str, ...] = ()
    message: str = ""
    written: tuple = ()
    seconds: float = 0.0


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
    arguments, keywords = wire.decode(data)
    before = [wire.encode(argument) for argument in arguments], {k: wire.encode(v) for k, v in keywords.items()}
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
        return Outcome(status, error_types=names, message=message, seconds=seconds)
    written = [i for i, argument in enumerate(arguments) if wire.encode(argument) != before[0][i]]
    written += [k for k, argument in keywords.items() if wire.encode(argument) != before[1][k]]
    return Outcome(RETURNED, wire.fresh(value), written=tuple(written), seconds=seconds)
