"""What every live figure has in common: one JavaScript module, and in a notebook a state that Python reads."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import anywidget
import numpy as np
import traitlets

HERE = Path(__file__).parent
_KIT_IMPORT = re.compile(r'^import \{[^}]*\} from "\./kit\.js";\n', re.M)


def module_source(name: str) -> str:
    """The JavaScript of a figure as one module, which is what a notebook needs: the kit, then the figure itself.

    Args:
        name: the name of the module, such as "perceptron".

    Returns:
        Source that imports nothing.
    """
    source, count = _KIT_IMPORT.subn("", (HERE / f"{name}.js").read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f'{name}.js must have exactly one line \'import {{ ... }} from "./kit.js";\'')
    return (HERE / "kit.js").read_text(encoding="utf-8") + "\n" + source


def standalone(name: str, props: dict | None = None, *, still: bool = False) -> str:
    """A figure as one HTML page that needs nothing else: to look at while it is written, to test, to photograph.

    Args:
        name: the name of the module, such as "perceptron".
        props: what the figure is made with.
        still: whether the page is for a still picture.

    Returns:
        HTML. In the page's scripts `module` is the module and `shown` what its `mount` returned.
    """
    css = (HERE / "figures.css").read_text(encoding="utf-8")
    source, options = (json.dumps(x).replace("</", "<\\/") for x in (module_source(name), {"still": still}))
    given = json.dumps(props or {}).replace("</", "<\\/")
    return f"""<!doctype html>
<html lang="en" data-theme="light">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{name}</title>
<link rel="icon" href="data:,">
<style>
body {{ background: #fff; font-family: system-ui, sans-serif; margin: 0; }}
html[data-theme="dark"] body {{ background: #121212; }}
{css}</style></head>
<body><main><div id="figure"></div></main>
<script type="module">
const source = new Blob([{source}], {{ type: "text/javascript" }});
window.module = await import(URL.createObjectURL(source));
window.shown = window.module.mount(document.getElementById("figure"), {given}, {options});
</script></body></html>
"""


def labeled_points(points: Sequence[Sequence[float]], side: float, most: int) -> list[list[float]]:
    """Check points of two classes that a page or a notebook gives to a figure.

    Args:
        points: rows ``[x1, x2, label]``, labels 1 and -1.
        side: largest absolute value of a coordinate.
        most: largest number of points; there are at least two.

    Returns:
        The rows, with whole numbers as labels.

    Raises:
        ValueError: if they are something else.
    """
    rows = np.array(points, dtype=float)
    if rows.ndim != 2 or rows.shape[1] != 3 or not 2 <= len(rows) <= most:
        raise ValueError(f"points must be 2 to {most} rows [x1, x2, label], got the shape {rows.shape}")
    if not (np.abs(rows[:, :2]) <= side).all():
        raise ValueError(f"the coordinates of points must be between -{side} and {side}")
    if not np.isin(rows[:, 2], (-1, 1)).all():
        raise ValueError("the labels of points, in the third column, must be 1 or -1")
    return [[x1, x2, int(label)] for x1, x2, label in rows.tolist()]


class Figure(anywidget.AnyWidget):
    """A live figure in a notebook. Make one of its subclasses; the last value of a cell is shown.

    A subclass names its module in `module` and takes its props as keyword arguments. An argument that is None keeps
    the default of the JavaScript module.

    Attributes:
        props: what the figure was made with.
        state: what the reader has changed since; set it to put the figure into a state.
    """

    module = ""
    props = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    def __init_subclass__(cls, **options):
        if "module" in vars(cls):  # not the class that traitlets derives when it adds traits to an object
            cls._esm = module_source(cls.module)
            cls._css = (HERE / "figures.css").read_text(encoding="utf-8")
        super().__init_subclass__(**options)

    def __init__(self, **props):
        super().__init__(props={name: value for name, value in props.items() if value is not None})

    def read(self, key: str):
        """One part of the state.

        Raises:
            RuntimeError: The figure has not been shown yet, so it has no state.
        """
        if not self.state:
            raise RuntimeError("the figure has no state before it is shown: make it the last value of a cell, run that "
                               "cell, and read it in the next one")
        return self.state[key]
