"""How long the code of each page ran: the directive `{execution-times}`.

The seconds are those that the notebook cache noted when the page was executed last.
"""

from __future__ import annotations

from concept_index import table
from docutils import nodes
from myst_nb.core.execute.base import ExecutionResult
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

MARK = "execution_times"  # noted in the metadata of a page that holds the table


class ExecutionTimesNode(nodes.General, nodes.Element):
    """Holds the place of the table until every page has been read."""


class ExecutionTimes(SphinxDirective):
    has_content = False

    def run(self) -> list[nodes.Node]:
        self.env.metadata[self.env.docname][MARK] = True
        return [ExecutionTimesNode()]


def executed_pages(env: BuildEnvironment) -> list[tuple[str, ExecutionResult]]:
    """The pages whose cells were run, the slowest first."""
    results = ((name, data.get("exec_data")) for name, data in env.nb_metadata.items())
    return sorted(((name, result) for name, result in results if result and result["runtime"] is not None),
                  key=lambda item: (-item[1]["runtime"], item[0]))


def count_cells(env: BuildEnvironment, docname: str) -> int:
    """How many code cells a page has."""
    cells = env.get_doctree(docname).findall(nodes.container)
    return sum(cell.get("nb_element") == "cell_code" for cell in cells)


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for place in list(doctree.findall(ExecutionTimesNode)):
        pages = executed_pages(app.env)
        counts = {name: count_cells(app.env, name) for name, _ in pages}
        rows = []
        for name, result in pages:
            link = nodes.reference("", app.env.titles[name].astext(), internal=True,
                                   refuri=app.builder.get_relative_uri(docname, name))
            rows.append([link, nodes.Text(str(counts[name])), nodes.Text(f"{result['runtime']:.1f}")])
        total = sum(result["runtime"] for _, result in pages)
        rows.append([nodes.strong("", "All pages"), nodes.Text(str(sum(counts.values()))), nodes.Text(f"{total:.1f}")])
        place.replace_self(table(["Page", "Code cells", "Seconds"], [70, 15, 15], rows, "nn-times"))


def pages_with_times(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Have the table written again in every build: any page may have been executed."""
    return sorted(name for name in env.found_docs if MARK in env.metadata[name])


def setup(app: Sphinx) -> dict[str, object]:
    app.add_node(ExecutionTimesNode)
    app.add_directive("execution-times", ExecutionTimes)
    app.connect("env-updated", pages_with_times)
    app.connect("doctree-resolved", fill)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
