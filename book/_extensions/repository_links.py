"""Links to the public repository, all from `repository: url:` of `_config.yml`; without one there are none.

Every page gets buttons for its source, an edit and an issue. A notebook of `exercises/` gets, below its title, a link
to download it and (where the repository is on GitHub) one that opens it in Colab. It is generated from `solutions/`, so
there is nothing to edit in it.
"""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config

LINKS = "nn-notebook"  # class of the line with the links
EDIT_BUTTONS = {"source-edit-button"}


def switch_buttons(app: Sphinx, config: Config) -> None:
    """The theme's buttons are there when the address is."""
    options = config.html_theme_options
    has_address = bool(options.get("repository_url"))
    for name in ("use_repository_button", "use_edit_page_button", "use_issues_button", "use_source_button"):
        options[name] = has_address


def is_exercise(docname: str) -> bool:
    return docname.startswith("exercises/")


def colab_address(options: dict[str, str], docname: str) -> str:
    """Where Colab opens a notebook of the repository; empty where it cannot."""
    url = options.get("repository_url", "").rstrip("/").removesuffix(".git")
    if not url.startswith("https://github.com/"):
        return ""
    place = url.removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{place}/blob/{options.get('repository_branch')}/{docname}.ipynb"


def add_download(app: Sphinx, doctree: nodes.document) -> None:
    """Put a link to the notebook below its title."""
    docname = app.env.docname
    if not is_exercise(docname):
        return
    name = Path(docname).name + ".ipynb"
    download = addnodes.download_reference("", "", nodes.Text(f"Download {name}"), reftarget=name, refdoc=docname)
    links = nodes.paragraph("", "", download, classes=[LINKS])
    title = next(doctree.findall(nodes.title))
    title.parent.insert(title.parent.index(title) + 1, links)
    # The same as Sphinx's collector of downloads does for the role, which has run by now.
    filename = app.env.relfn2path(name, docname)[0]
    app.env.dependencies[docname].add(filename)
    download["filename"] = app.env.dlfiles.add_file(docname, filename)


def add_colab(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Beside the download, where Colab can open the notebook: written anew whenever the address changes."""
    address = colab_address(app.config.html_theme_options, docname)
    for links in doctree.findall(nodes.paragraph):
        if LINKS in links["classes"] and address:
            links += [nodes.Text(" "), nodes.reference("", "Open in Colab", refuri=address)]


def drop_edit_button(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: object) -> None:
    if is_exercise(pagename):
        for button in context.get("header_buttons", []):
            if "buttons" in button:
                button["buttons"] = [entry for entry in button["buttons"] if entry["label"] not in EDIT_BUTTONS]


def setup(app: Sphinx) -> dict[str, object]:
    app.connect("config-inited", switch_buttons)
    app.connect("doctree-read", add_download)
    app.connect("doctree-resolved", add_colab)
    app.connect("html-page-context", drop_edit_button, priority=900)  # after the theme has made its buttons
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
