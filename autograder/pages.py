"""Feedback pages: nbgrader's own page, complete in itself and fast enough for a large class.

``FeedbackPage`` is the exporter of nbgrader's ``generate_feedback``, too (``record.write_config`` says so), so a page
is the same whoever made it. A formula stands as TeX text: typesetting takes 2 MB of scripts, from a third-party host or
in every page.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

import nbgrader
from jinja2 import DictLoader
from nbconvert.exporters import HTMLExporter, TemplateExporter
from nbconvert.filters import DataTypeFilter, Highlight2HTML
from nbformat import NotebookNode
from traitlets.config import Config

# A page shows what a student wrote and what student code printed: no script in it runs, and nothing is fetched.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
CHARSET = '<meta charset="utf-8" />'
NO_MATHJAX = '{%- macro mathjax(url="") -%}{%- endmacro -%}'


class FeedbackPage(HTMLExporter):
    """nbgrader's feedback page without anything from another host."""

    def __init__(self, **keywords):
        super().__init__(extra_loaders=[DictLoader({"mathjax.html.j2": NO_MATHJAX})], **keywords)
        self.sanitize_html = True
        # the statements are the same for everybody, and so are many answers
        self._markdown = lru_cache(maxsize=1000)(lambda source: HTMLExporter.markdown2html(self, {}, source))
        highlight = Highlight2HTML(pygments_lexer="python", parent=self)
        self._highlight = lru_cache(maxsize=1000)(lambda source: highlight(source))

    def default_filters(self):
        yield from super().default_filters()
        yield "markdown2html", lambda source: self._markdown(source)
        yield "highlight_code", lambda source, **_: self._highlight(source)
        yield "filter_data_type", DataTypeFilter(parent=self)

    def from_notebook_node(self, nb: NotebookNode, resources=None, **keywords):
        for cell in nb.cells:
            for output in cell.get("outputs", ()):
                for kind in ("image/png", "image/jpeg"):
                    if kind in output.get("data", {}):
                        output.metadata.setdefault(kind, {}).setdefault("alt", "picture that this cell made")
        # HTMLExporter's own method reads the whole page again to give pictures a text: 60 % of the time of a page
        page, resources = TemplateExporter.from_notebook_node(self, nb, self._init_resources(resources), **keywords)
        if CHARSET not in page:
            raise RuntimeError("nbgrader's feedback template has changed: there is no place for the page's policy")
        policy = f'{CHARSET}\n<meta http-equiv="Content-Security-Policy" content="{POLICY}" />'
        return page.replace(CHARSET, policy, 1), resources


@cache
def exporter() -> FeedbackPage:
    """This process's exporter, set up as nbgrader's ``GenerateFeedback`` sets it up."""
    formgrader = Path(nbgrader.__file__).parent / "server_extensions" / "formgrader"
    config = Config()
    config.HTMLExporter.template_name = "feedback"
    config.HTMLExporter.extra_template_basedirs = [str(formgrader / "templates")]
    css = formgrader / "static" / "node_modules" / "bootstrap" / "dist" / "css"
    config.HTMLExporter.extra_template_paths = [str(css)]
    config.Exporter.default_preprocessors = []
    return FeedbackPage(config=config)


def feedback_page(notebook: NotebookNode, slug: str, marks: dict) -> str:
    """A student's feedback page.

    Args:
        notebook: The autograded notebook; changed on the way.
        slug: The assignment.
        marks: ``{"score", "max_score", "late_penalty", "grades": {grade_id: [score, points]}, "comments": {grade_id:
            text or None}}``.

    Returns:
        HTML.
    """
    for cell in notebook.cells:
        nbgrader_marks = cell.metadata.get("nbgrader", {})
        grade_id = nbgrader_marks.get("grade_id")
        if nbgrader_marks.get("solution"):
            nbgrader_marks["comment"] = marks["comments"][grade_id]
        if nbgrader_marks.get("grade"):
            nbgrader_marks["score"], nbgrader_marks["points"] = marks["grades"][grade_id]
    about = {key: marks[key] for key in ("score", "max_score", "late_penalty")}
    resources = {"nbgrader": {"notebook": slug, **about}, "metadata": {"name": slug, "path": ""}}
    return exporter().from_notebook_node(notebook, resources)[0]
