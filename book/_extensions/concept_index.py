"""The concept index: which page teaches each concept of `book/concepts.csv`.

A passage that teaches a concept carries the concept's id as a MyST label, `(chain-rule)=`. The directive
`{concept-index}` becomes one table per topic, with a link to each passage that exists. Two passages that claim the
same concept stop the build.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

TOPICS = {
    "01-ml-foundations": "Learning from data",
    "02-neuron-perceptron": "The perceptron",
    "03-linear-models": "Linear models",
    "04-mlp-capacity": "Multi-layer networks",
    "05-backprop-autodiff": "Backpropagation and automatic differentiation",
    "06-losses": "Loss functions",
    "07-metric-learning": "Metric learning",
    "08-gradient-descent": "Gradient descent",
    "09-optimizers": "Optimizers",
    "10-second-order": "Second-order methods",
    "11-activations-init-normalization": "Activations, initialization and normalization",
    "12-generalization-regularization": "Generalization and regularization",
    "13-cnn": "Convolutional networks",
    "14-cnn-architectures": "Convolutional architectures",
    "15-vision-beyond-classification": "Vision beyond classification",
    "16-transfer-and-domains": "Transfer and domains",
    "17-sequences-rnn": "Sequences and recurrent networks",
    "18-attention-transformers": "Attention and transformers",
    "19-nlp-and-llms": "Language models",
    "20-representation-and-generative": "Representation and generative models",
    "21-interpretability-and-fairness": "Interpretability and fairness",
    "22-history-and-tools": "History and tools",
}
COLUMNS = ("id", "seed", "section", "concept", "kind", "check")
LABEL = re.compile(r"^\(([A-Za-z0-9][A-Za-z0-9._-]*)\)=\s*$")
FENCE = re.compile(r"^\s*(`{3,}|~{3,}|:{3,})")
CODE_DIRECTIVES = ("{code", "{eval-rst", "{literalinclude", "{math", "{raw")


class Concept(NamedTuple):
    id: str
    topic: str
    name: str
    notes: str


def read_concepts(path: Path) -> list[Concept]:
    """Read and check the list of concepts.

    Raises:
        ValueError: The file lacks a column, or a row is empty, repeats an id or names an unknown topic.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
        if missing:
            first = ",".join(COLUMNS)
            raise ValueError(f"{path}: column {', '.join(missing)} is missing; the first line must be {first}")
        concepts: dict[str, Concept] = {}
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if any(not (row[name] or "").strip() for name in COLUMNS):
                raise ValueError(f"{where}: every column needs a value ({','.join(COLUMNS)})")
            topic, separator, notes = (part.strip() for part in row["section"].partition(" | "))
            if topic not in TOPICS:
                raise ValueError(f"{where}: unknown topic {topic!r}; use one of {', '.join(TOPICS)}")
            if not separator:
                raise ValueError(f"{where}: section must read 'topic | place in the notes', got {row['section']!r}")
            if row["id"] in concepts:
                raise ValueError(f"{where}: the id {row['id']!r} is used twice; rename one of the two concepts")
            # The list separates the sections of one set of notes by bare commas.
            concepts[row["id"]] = Concept(row["id"], topic, row["concept"].strip(), re.sub(r",(?=\S)", ", ", notes))
    return list(concepts.values())


def find_labels(text: str) -> list[tuple[str, int]]:
    """List the MyST labels of a page with their line numbers, leaving out what stands in code."""
    labels: list[tuple[str, int]] = []
    open_fences: list[tuple[str, bool]] = []  # the fence, and whether it holds code
    for number, line in enumerate(text.splitlines(), start=1):
        match = FENCE.match(line)
        fence = match[1] if match else ""
        inside, in_code = open_fences[-1] if open_fences else ("", False)
        if fence and inside and fence.startswith(inside) and line.strip() == fence:
            open_fences.pop()
        elif fence and not in_code:
            # A fence with {name} is a directive and holds MyST, unless the directive holds code.
            info = line.strip()[len(fence):].strip()
            open_fences.append((fence, not info.startswith("{") or info.startswith(CODE_DIRECTIVES)))
        elif not in_code and (label := LABEL.match(line)):
            labels.append((label[1], number))
    return labels


def find_duplicates(pages: Iterable[Path], concepts: Iterable[Concept]) -> list[str]:
    """Say, for each concept that several passages claim, where they are."""
    known = {concept.id for concept in concepts}
    places: dict[str, list[str]] = {}
    for page in sorted(pages):
        for label, line in find_labels(page.read_text(encoding="utf-8")):
            if label in known:
                places.setdefault(label, []).append(f"{page}, line {line}")
    return [f"({label})= stands in {' and in '.join(found)}" for label, found in places.items() if len(found) > 1]


class ConceptIndexNode(nodes.General, nodes.Element):
    """Holds the place of the tables until every page has been read."""


class ConceptIndex(SphinxDirective):
    """`{concept-index}`: one section per topic, one row per concept."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        concepts = load(self.env)
        self.env.note_dependency(str(concepts_path(self.env)))
        result: list[nodes.Node] = [ConceptIndexNode(kind="summary")]
        for topic, title in TOPICS.items():
            if not any(concept.topic == topic for concept in concepts):
                continue
            # The heading is made now, so that the page's table of contents lists the topics.
            section = nodes.section("", nodes.title(title, title), ids=[f"topic-{topic}"], names=[f"topic-{topic}"])
            section += ConceptIndexNode(kind="table", topic=topic)
            result.append(section)
        return result


def concepts_path(env: BuildEnvironment) -> Path:
    return Path(env.srcdir, env.config.concept_index_file)


def load(env: BuildEnvironment) -> list[Concept]:
    path = concepts_path(env)
    if not path.is_file():
        raise ExtensionError(f"concept-index: {path} does not exist; concept_index_file names the list of concepts")
    try:
        return read_concepts(path)
    except ValueError as error:
        raise ExtensionError(f"concept-index: {error}") from error


def check_duplicates(app: Sphinx, env: BuildEnvironment) -> None:
    pages = [Path(env.doc2path(name)) for name in env.found_docs]
    duplicates = find_duplicates((page for page in pages if page.suffix == ".md"), load(env))
    if duplicates:
        problem = "concept-index: a concept has one passage; rename or remove a label: "
        raise ExtensionError(problem + "; ".join(duplicates))


def pages_with_index(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Have the index written again in every build: a label may have come, moved or gone on any page."""
    return sorted(name for name in env.found_docs if has_index(env, name))


def has_index(env: BuildEnvironment, docname: str) -> bool:
    path = Path(env.doc2path(docname))
    return path.suffix == ".md" and "{concept-index}" in path.read_text(encoding="utf-8")


def enclosing_titles(env: BuildEnvironment, docname: str, label_id: str) -> list[str]:
    """Titles from the page's down to that of the section in which (or before which) the label stands."""
    written = Path(env.doctreedir, f"{docname}.doctree").stat().st_mtime_ns
    return titles_of_labels(env, docname, written).get(label_id, [])


@functools.cache  # hundreds of labels are asked for, and reading a chapter's doctree takes half a second
def titles_of_labels(env: BuildEnvironment, docname: str, written: int) -> dict[str, list[str]]:
    """The enclosing titles of every label of a page; `written` is when its doctree was, so that a new one is read."""
    found: dict[str, list[str]] = {}

    def visit(node: nodes.Element, titles: list[str]) -> None:
        title = next((child for child in node.children if isinstance(child, nodes.title)), None)
        if isinstance(node, nodes.section) and title is not None:  # an exercise holds a section without a title
            titles = [*titles, title.astext()]
        for label_id in node.get("ids", ()):
            found.setdefault(label_id, titles)
        for child in node.children:
            if isinstance(child, nodes.Element):
                visit(child, titles)

    visit(env.get_doctree(docname), [])
    return found


def link_to(env: BuildEnvironment, builder: Builder, docname: str, concept: Concept) -> nodes.Node:
    labels = env.get_domain("std").anonlabels
    if concept.id not in labels:
        return nodes.inline("", "not yet written", classes=["nn-missing"])
    target, label_id = labels[concept.id][:2]
    titles = enclosing_titles(env, target, label_id) or [env.titles[target].astext()]
    chapter, section = titles[0], titles[-1] if len(titles) > 1 else ""
    address = builder.get_relative_uri(docname, target) + "#" + label_id
    link = nodes.reference("", section or chapter, internal=True, refuri=address)
    place = nodes.inline("", "", link)
    # Within its own topic the chapter need not be named again.
    if section and chapter != TOPICS[concept.topic]:
        place += nodes.Text(f" ({chapter})")
    return place


def table(header: list[str], widths: list[int], rows: list[list[nodes.Node]], name: str) -> nodes.Node:
    group = nodes.tgroup(cols=len(header))
    for width in widths:
        group += nodes.colspec(colwidth=width)

    def row(cells: list[nodes.Node]) -> nodes.row:
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))

    group += nodes.thead("", row([nodes.Text(name) for name in header]))
    group += nodes.tbody("", *(row(cells) for cells in rows))
    return nodes.table("", group, classes=[name])


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    places = list(doctree.findall(ConceptIndexNode))
    if not places:
        return
    concepts = load(app.env)
    labels = app.env.get_domain("std").anonlabels
    written = sum(concept.id in labels for concept in concepts)
    for place in places:
        if place["kind"] == "summary":
            text = f"{written} of {len(concepts)} concepts have a passage in the book."
            place.replace_self(nodes.paragraph("", text))
            continue
        rows = [
            [nodes.Text(concept.name), link_to(app.env, app.builder, docname, concept), nodes.Text(concept.notes)]
            for concept in concepts
            if concept.topic == place["topic"]
        ]
        place.replace_self(table(["Concept", "In the book", "In the notes"], [45, 30, 25], rows, "nn-concepts"))


def setup(app: Sphinx) -> dict[str, object]:
    app.add_config_value("concept_index_file", "book/concepts.csv", "env", str)
    app.add_node(ConceptIndexNode)
    app.add_directive("concept-index", ConceptIndex)
    app.connect("env-check-consistency", check_duplicates)
    app.connect("env-updated", pages_with_index)
    app.connect("doctree-resolved", fill)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
