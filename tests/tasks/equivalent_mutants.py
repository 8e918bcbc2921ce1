"""Mutants of the solutions that compute the same thing: task id -> {change as ``tests.mutation`` prints it: why}."""

from __future__ import annotations

EQUIVALENT: dict[str, dict[str, str]] = {}
