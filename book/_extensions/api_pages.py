"""The API pages: what they leave out, and the link from each function to the chapter that derives it."""

from __future__ import annotations

import re
from typing import NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

REMARK = re.compile(r"^(\s*)(Source|Chapter):\s*$")
CHAPTER = re.compile(r"^Chapter: (?P<title>.+?)\.?$", re.S)


class _Example(NamedTuple):
    field: int


FIELD = type(_Example.field)


def skip_fields(app: Sphinx, what: str, name: str, member: object, skip: bool, options: object) -> bool | None:
    """Leave out the fields of a named tuple: its docstring describes them."""
    return True if isinstance(member, FIELD) else None


def join_remarks(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Turn `Source:` and `Chapter:` with an indented block below them into one paragraph, `Chapter: title`."""
    result: list[str] = []
    remaining = list(lines)
    while remaining:
        line = remaining.pop(0)
        remark = REMARK.match(line)
        if not remark:
            result.append(line)
            continue
        block: list[str] = []
        while remaining and remaining[0].startswith(remark[1] + " "):
            block.append(remaining.pop(0).strip())
        result += ["", f"{remark[1]}{remark[2]}: {' '.join(block)}", ""]
    lines[:] = result


class ChapterLinks(SphinxPostTransform):
    """Link `Chapter: title` to the page of that title; a chapter that is not written yet stays plain text."""

    default_priority = 600

    def run(self, **kwargs: object) -> None:
        folder = self.config.api_pages_folder
        if not self.env.docname.startswith(folder):
            return
        pages = {title.astext(): name for name, title in self.env.titles.items() if not name.startswith(folder)}
        for paragraph in list(self.document.findall(nodes.paragraph)):
            match = CHAPTER.match(paragraph.astext())
            if match and match["title"] in pages:
                address = self.app.builder.get_relative_uri(self.env.docname, pages[match["title"]])
                link = nodes.reference("", match["title"], internal=True, refuri=address)
                paragraph.children = []
                paragraph += [nodes.Text("Chapter: "), link]


def setup(app: Sphinx) -> dict[str, object]:
    app.add_config_value("api_pages_folder", "book/reference/api/", "env", str)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("autodoc-process-docstring", join_remarks, priority=400)  # before napoleon reads the sections
    app.add_post_transform(ChapterLinks)
    return {"version": "2", "parallel_read_safe": True, "parallel_write_safe": True}
