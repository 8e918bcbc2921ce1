"""Cells that a reader may edit and run in the browser: code cells with the tag `live`.

They run in a Python that the site serves itself (`book/_vendor/pyodide`), with the standard library and nothing else,
after the other live cells in front of them on the page. A live cell that imports more stops the build. The page does
not depend on any of it: `live_python.js` adds a button to each such cell, and loads Python when it is pressed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

# Modules of the standard library that Python in a browser lacks, or that cannot do their work there.
MISSING = {
    "_tkinter", "curses", "dbm", "ensurepip", "fcntl", "grp", "idlelib", "lzma", "mmap", "msvcrt", "multiprocessing",
    "nt", "ossaudiodev", "pwd", "readline", "resource", "socket", "spwd", "sqlite3", "ssl", "subprocess", "syslog",
    "termios", "threading", "tkinter", "turtle", "turtledemo", "venv", "winreg", "winsound",
}


def is_live(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code" and "tag_live" in node["classes"]


def foreign_imports(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of each module that the source imports and a browser does not have."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        else:
            continue
        for name in names:
            first = name.partition(".")[0]
            if first not in sys.stdlib_module_names or first in MISSING:
                yield node.lineno, name


def check_cells(app: Sphinx, doctree: nodes.document) -> None:
    app.env.metadata[app.env.docname].pop("live_problem", None)
    for cell in doctree.findall(is_live):
        source = next(cell.findall(nodes.literal_block), None)
        problems = ["a live cell shows its code; take the tag remove-input away"] if source is None else []
        try:
            problems += [f"line {line} of the cell imports {name!r}, which Python in a browser does not have"
                         for line, name in foreign_imports(source.astext() if source is not None else "")]
        except SyntaxError as error:
            problems.append(f"line {error.lineno} of the cell is not plain Python ({error.msg})")
        for problem in problems:
            # Remembered, so that the next build reads the page again instead of passing over it.
            app.env.metadata[app.env.docname]["live_problem"] = True
            logger.warning("live: %s", problem, location=cell)


def pages_with_problems(app: Sphinx, env: object, *changes: set[str]) -> list[str]:
    return [name for name, metadata in env.metadata.items() if "live_problem" in metadata]


def add_assets(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Load the script and the style on pages that have a live cell, and on no other."""
    if doctree is not None and next(doctree.findall(is_live), None) is not None:
        app.add_css_file("live_python.css")
        app.add_js_file("live_python.js", type="module")


def setup(app: Sphinx) -> dict[str, object]:
    app.connect("doctree-read", check_cells)
    app.connect("env-get-outdated", pages_with_problems)
    app.connect("html-page-context", add_assets)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
