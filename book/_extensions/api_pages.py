"""The API pages: what they leave out, and the links between each function and the passage that derives it.

A docstring names its chapter, and in parentheses the label of the passage:

    Chapter: Backpropagation and automatic differentiation (autodiff-engine)

From this one line the API page links to the passage, and the passage to the API page.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from concept_index import enclosing_titles
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)

REMARK = re.compile(r"^(\s*)(Source|Chapter):\s*$")
CHAPTER_LINE = re.compile(r"^\s*Chapter: \S")
CHAPTER = re.compile(r"^Chapter: (?P<title>.+?)(?: \((?P<label>[a-z0-9-]+)\))?\.?$", re.S)


class _Example(NamedTuple):
    field: int


FIELD = type(_Example.field)


def skip_fields(app: Sphinx, what: str, name: str, member: object, skip: bool, options: object) -> bool | None:
    """Leave out the fields of a named tuple: its docstring describes them."""
    return True if isinstance(member, FIELD) else None


def join_remarks(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Make `Source:` and `Chapter:`, with what stands behind or indented below them, a paragraph each."""
    result: list[str] = []
    remaining = list(lines)
    while remaining:
        line = remaining.pop(0)
        if CHAPTER_LINE.match(line):
            result += ["", line, ""]
            continue
        remark = REMARK.match(line)
        if not remark:
            result.append(line)
            continue
        block: list[str] = []
        while remaining and remaining[0].startswith(remark[1] + " "):
            block.append(remaining.pop(0).strip())
        result += ["", f"{remark[1]}{remark[2]}: {' '.join(block)}", ""]
    lines[:] = result


def note_passage(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Remember which passages the docstrings on a page name."""
    for line in lines:
        match = CHAPTER.match(line.strip())
        if match and match["label"]:
            mentions(app.env).setdefault(app.env.docname, []).append((match["label"], what, name))


def mentions(env: BuildEnvironment) -> dict[str, list[tuple[str, str, str]]]:
    """For each page of the library: the label of a passage, what names it (`function`, ...) and its full name."""
    if not hasattr(env, "api_mentions"):
        env.api_mentions = {}
    return env.api_mentions


def forget_page(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    mentions(env).pop(docname, None)


def merge_pages(app: Sphinx, env: BuildEnvironment, docnames: set[str], other: BuildEnvironment) -> None:
    mentions(env).update({name: found for name, found in mentions(other).items() if name in docnames})


class Passage(NamedTuple):
    """Where a label stands."""

    docname: str
    anchor: str
    title: str  # of the section; empty for the page itself


def find_passage(env: BuildEnvironment, label: str) -> Passage | None:
    """Find the passage that a label of the book marks; None while it is not written."""
    labels = env.get_domain("std").anonlabels
    if label not in labels:
        return None
    docname, anchor = labels[label][:2]
    titles = enclosing_titles(env, docname, anchor)
    return Passage(docname, anchor, titles[-1] if len(titles) > 1 else "")


def passages(env: BuildEnvironment) -> dict[str, Passage | None]:
    labels = {label for found in mentions(env).values() for label, _, _ in found}
    return {label: find_passage(env, label) for label in sorted(labels)}


def pages_to_write(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Have both ends of a link written again when a passage or a mention of it has come, moved or gone."""
    found = passages(env)
    now = {(page, *mention, found[mention[0]]) for page, page_mentions in mentions(env).items()
           for mention in page_mentions}
    before = getattr(env, "api_links", set())
    env.api_links = now
    ends = {page for *rest, passage in now ^ before for page in (rest[0], passage.docname if passage else "")}
    return sorted(ends & env.found_docs)


class ChapterLinks(SphinxPostTransform):
    """Link `Chapter: title (label)` to the passage with that label, and `Chapter: title` to the page.

    A chapter that is not written yet stays plain text. A label that is missing in a chapter that is written, or that
    stands in another chapter, is a warning.
    """

    default_priority = 600

    def run(self, **kwargs: object) -> None:
        folder = self.config.api_pages_folder
        if not self.env.docname.startswith(folder):
            return
        pages = {title.astext(): name for name, title in self.env.titles.items() if not name.startswith(folder)}
        for paragraph in list(self.document.findall(nodes.paragraph)):
            match = CHAPTER.match(paragraph.astext())
            if not match:
                continue
            passage = find_passage(self.env, match["label"]) if match["label"] else None
            page = pages.get(match["title"])
            if match["label"] and (passage.docname if passage else None) != page:
                where = f"stands in {passage.docname}" if passage else "does not exist"
                logger.warning("Chapter: %s (%s): the label %s", *match.group("title", "label"), where,
                               location=paragraph)
            paragraph.children = []
            paragraph += nodes.Text("Chapter: ")
            paragraph += self.link(page, "", match["title"]) if page else nodes.Text(match["title"])
            if passage and passage.title:
                paragraph += [nodes.Text(", "), self.link(passage.docname, passage.anchor, passage.title)]

    def link(self, docname: str, anchor: str, text: str) -> nodes.reference:
        address = self.app.builder.get_relative_uri(self.env.docname, docname)
        return nodes.reference("", text, internal=True, refuri=f"{address}#{anchor}" if anchor else address)


class LibraryLinks(SphinxPostTransform):
    """At a passage that docstrings name, link to their functions: `In the library: autodiff.maximum`."""

    default_priority = 600

    def run(self, **kwargs: object) -> None:
        docname = self.env.docname
        labels = self.env.get_domain("std").anonlabels
        users: dict[str, list[nodes.reference]] = {}
        for page, found in sorted(mentions(self.env).items()):
            for label, what, name in found:
                if label in labels and labels[label][0] == docname:
                    anchor = f"module-{name}" if what == "module" else name
                    address = self.app.builder.get_relative_uri(docname, page) + "#" + anchor
                    text = nodes.literal("", name.removeprefix("neuralnotes."))
                    users.setdefault(labels[label][1], []).append(
                        nodes.reference("", "", text, internal=True, refuri=address))
        for anchor, links in users.items():
            place = next(node for node in self.document.findall(nodes.Element) if anchor in node.get("ids", ()))
            line = nodes.paragraph("", "In the library: ", classes=["nn-library"])
            for link in links:
                line += [nodes.Text(", "), link] if len(line) > 1 else [link]
            if isinstance(place, nodes.section):
                place.insert(1, line)  # below its title
            else:
                place.parent.insert(place.parent.index(place) + 1, line)


def setup(app: Sphinx) -> dict[str, object]:
    app.add_config_value("api_pages_folder", "book/reference/api/", "env", str)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("autodoc-process-docstring", join_remarks, priority=400)  # before napoleon reads the sections
    app.connect("autodoc-process-docstring", note_passage, priority=450)  # after join_remarks
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
    app.connect("env-updated", pages_to_write)
    app.add_post_transform(ChapterLinks)
    app.add_post_transform(LibraryLinks)
    return {"version": "3", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
