"""Backpropagation on the graph of an expression: the class for notebooks. The figure itself is backprop_graph.js."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping

from .figure import Figure

_FUNCTIONS = {"max": 2, "min": 2, "exp": 1, "log": 1, "tanh": 1, "sigmoid": 1, "relu": 1, "sin": 1, "cos": 1, "sqrt": 1}
_DEFAULT = "(x*y + max(z, w))*2"


class BackpropGraph(Figure):
    """An expression as a graph: values flow forward, then gradients backward, edge by edge.

    The reader edits the expression, drags the inputs, and steps through both passes. A table puts the gradient of each
    input beside its central finite difference.

    Args:
        expression: numbers, names, ``+ - * / ^``, parentheses, and the functions max, min, exp, log, tanh, sigmoid,
            relu, sin, cos and sqrt. Every other name is an input. Default: ``(x*y + max(z, w))*2``.
        values: a number for each input; an input without one gets a small number.

    Raises:
        ValueError: the expression cannot be read, or a value belongs to no input or is not a finite number.

    Attributes:
        state: ``expression``, ``values`` (a number for each input) and ``step`` (how much of the two passes is shown).

    Chapter: Backpropagation and automatic differentiation.
    """

    module = "backprop_graph"

    def __init__(self, *, expression: str | None = None, values: Mapping[str, float] | None = None):
        names = _inputs(_DEFAULT if expression is None else expression)
        for name, value in (values or {}).items():
            if name not in names:
                raise ValueError(f"values has {name!r}, but the inputs of the expression are {', '.join(names)}")
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ValueError(f"values[{name!r}] must be a finite number, got {value!r}")
        super().__init__(expression=expression, values=None if values is None else dict(values))

    @property
    def expression(self) -> str:
        """The expression as the reader left it."""
        return self.read("expression")

    @property
    def values(self) -> dict[str, float]:
        """The inputs as the reader left them, by name."""
        return dict(self.read("values"))


def _inputs(expression: str) -> list[str]:
    """The names of the inputs in the order of their appearance, after checking that the figure can read the text."""
    if not isinstance(expression, str):
        raise ValueError(f"expression must be text, got {expression!r}")
    strange = re.search(r"//|(?<!\w)\d+[_xXoObBjJ]|[^\s\w.+\-*/^(),]", expression, re.ASCII)
    if strange:  # Python would read some of it, such as 1_000, 0x10 and //, but the figure does not
        raise ValueError(f"expression {expression!r}: {strange[0]!r} is not something the figure can read")
    try:
        tree = ast.parse(expression.strip().replace("^", "**"), mode="eval")
    except SyntaxError as error:
        raise ValueError(f"expression {expression!r} cannot be read: {error.msg} at character {error.offset}") from None
    allowed = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Constant, ast.Load,
               ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub, ast.UAdd)
    found: dict[tuple[int, int], str] = {}
    functions = set()
    for node in ast.walk(tree):
        number = not isinstance(node, ast.Constant) or type(node.value) in (int, float)
        if not isinstance(node, allowed) or not number:
            raise ValueError(f"expression {expression!r}: {ast.unparse(node)!r} is not something the figure can read")
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if len(node.args) != _FUNCTIONS.get(name) or node.keywords:
                raise ValueError(f"expression {expression!r}: {ast.unparse(node)!r} is no call of "
                                 f"{', '.join(_FUNCTIONS)} with the right number of arguments")
            functions.add(id(node.func))
        if isinstance(node, ast.Name) and id(node) not in functions:
            if node.id in _FUNCTIONS or node.id == "f" or len(node.id) > 6:
                raise ValueError(f"expression {expression!r}: {node.id!r} cannot be the name of an input")
            found[node.lineno, node.col_offset] = node.id
    if not found:
        raise ValueError(f"expression {expression!r} has no input, so there is nothing to differentiate")
    return list(dict.fromkeys(found[place] for place in sorted(found)))
