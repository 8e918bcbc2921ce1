"""What the theme and MyST-NB leave unnamed, or name twice, for a screen reader.

The templates in `book/_templates` that replace the theme's belong to the same task.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx

TOGGLE = re.compile(r'(<a class="reference internal"[^>]*>\s*)(.*?)(\s*</a>\s*<details[^>]*>\s*<summary)>', re.S)
TAG = re.compile(r"<[^>]*>")
PARAMETERS = re.compile(r'(<span class="sig-paren">\(</span>\s*)<dl>(.*?)</dl>', re.S)
CITATIONS = '<div role="list" class="citation-list">'
CELL_LABEL = ' aria-label="Toggle hidden content"'  # the text of the button says what it shows or hides


def name_toggles(contents: object) -> str:
    """Give each arrow of the table of contents the name of the branch that it opens."""
    def name(match: re.Match) -> str:
        title = TAG.sub("", match[2]).replace('"', "&quot;")
        return f'{match[1]}{match[2]}{match[3]} aria-label="{title}">'

    return TOGGLE.sub(name, str(contents))


def mend(body: str) -> str:
    """Take out what Sphinx, docutils and MyST-NB write and a screen reader stumbles over.

    A button that folds a cell is named by its text; the parameters of a signature are no list of definitions; and the
    entries of a bibliography are no list items.
    """
    def spans(match: re.Match) -> str:
        inner = match[2].replace("<dd>", '<span class="nn-parameter">').replace("</dd>", "</span>")
        return f'{match[1]}<span class="nn-parameters">{inner}</span>'

    body = body.replace(CELL_LABEL, "").replace(CITATIONS, CITATIONS.replace('role="list" ', ""))
    return PARAMETERS.sub(spans, body)


def prepare_page(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    context["name_toggles"] = name_toggles
    if "body" in context:
        context["body"] = mend(context["body"])


def setup(app: Sphinx) -> dict[str, object]:
    app.connect("html-page-context", prepare_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
