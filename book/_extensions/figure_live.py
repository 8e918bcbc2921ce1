"""The directive `{figure-live}`: a figure that moves in the reader's browser, with no kernel.

    ```{figure-live} perceptron
    :label: fig-live-perceptron
    :props: {"seed": 3}
    :alt: What a reader who cannot see it must know.
    The caption.
    ```

The figure is a module of `neuralnotes.figures`; its class checks the props. Until the module runs, in print, without
scripts and where motion is unwelcome, the page shows the still pictures of `book/_stills`, which `make stills` takes.
"""

from __future__ import annotations

import hashlib
import html
import json
import posixpath
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from PIL import Image
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from neuralnotes import figures
from neuralnotes.figures.figure import HERE, module_source

STILLS = Path(__file__).parents[1] / "_stills"
NARROW = 640  # CSS pixels: up to this width of the window the picture for phones is shown


class live_figure(nodes.General, nodes.Element):
    """The place of a figure; its two children are the still pictures, for wide and narrow windows."""


def check_props(name: str, text: str) -> dict:
    """Read the props of a figure and have its class check them.

    Raises:
        ValueError: There is no such figure, the text is not a JSON object, or the figure does not take these props.
    """
    if name not in figures.FIGURES:
        raise ValueError(f"there is no live figure {name!r}; there is {', '.join(figures.FIGURES)}")
    try:
        props = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"props are not JSON: {error}") from error
    if not isinstance(props, dict):
        raise ValueError(f"props must be a JSON object such as {{\"seed\": 3}}, not {text}")
    try:
        getattr(figures, figures.FIGURES[name])(**props)
    except TypeError as error:  # an unknown prop
        raise ValueError(str(error).replace(f"{figures.FIGURES[name]}.__init__()", name)) from error
    return props


class FigureLive(SphinxDirective):
    required_arguments = 1
    has_content = True
    option_spec = {"label": directives.unchanged, "props": directives.unchanged, "alt": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        name, label = self.arguments[0], self.options.get("label", "")
        for option, example in (("label", "fig-live-..."), ("alt", "what a reader who cannot see it must know")):
            if not self.options.get(option, "").strip():
                raise self.error(f"figure-live needs :{option}: {example}")
        if nodes.fully_normalize_name(label) in self.state.document.nameids:
            raise self.error(f"figure-live: the label {label} stands on this page already")
        if not self.content:
            raise self.error("figure-live needs a caption")
        try:
            props = check_props(name, self.options.get("props", "{}"))
        except ValueError as error:
            raise self.error(f"figure-live: {error}") from error
        alt = " ".join(self.options["alt"].split())
        place = live_figure("", module=name, label=label, props=json.dumps(props))
        folder = posixpath.relpath(STILLS.as_posix(), Path(self.env.srcdir).as_posix())
        for file in (f"{label}.webp", f"{label}-narrow.webp"):
            if not (STILLS / file).is_file():
                raise self.error(f"figure-live: {folder}/{file} is missing: run `make stills`")
            with Image.open(STILLS / file) as picture:
                place += nodes.image(uri=f"/{folder}/{file}", alt=alt, size=picture.size)
        figure = nodes.figure("", place, align="default", classes=["nn-figure-live"])
        self.set_source_info(figure)
        passage = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, passage)
        if not passage.children or not all(isinstance(child, nodes.paragraph) for child in passage.children):
            raise self.error("figure-live: the caption must be plain paragraphs")
        caption = nodes.caption("", "", *passage[0].children)
        self.set_source_info(caption)
        figure += caption
        if len(passage) > 1:
            figure += nodes.legend("", *passage.children[1:])
        self.options["name"] = label
        self.add_name(figure)
        for image in place.findall(nodes.image):
            self.set_source_info(image)
        return [figure]


def visit_live_figure(translator, node: live_figure) -> None:
    """Write the place with its still pictures; the loader puts the figure there."""
    builder = translator.builder
    wide, narrow = node.children
    paths = [posixpath.join(builder.imgpath, builder.images[image["uri"]]) for image in (wide, narrow)]
    sizes = ['width="{}" height="{}"'.format(*image["size"]) for image in (wide, narrow)]
    values = [html.escape(text) for text in (node["module"], node["label"], node["props"], wide["alt"])]
    version = builder.app.figure_versions[node["module"]]
    translator.body.append(
        f'<div class="nn-live" data-module="{values[0]}" data-label="{values[1]}" data-props="{values[2]}" '
        f'data-version="{version}"><picture class="nn-still">'
        f'<source media="(max-width: {NARROW}px)" srcset="{paths[1]}" {sizes[1]}>'
        f'<img src="{paths[0]}" {sizes[0]} loading="lazy" alt="{values[3]}">'
        "</picture></div>\n"
    )
    raise nodes.SkipNode


def visit_elsewhere(translator, node: live_figure) -> None:
    """Other formats show the still picture."""
    node.children = node.children[:1]


def depart_elsewhere(translator, node: live_figure) -> None:
    pass


def copy_modules(app: Sphinx) -> None:
    """Put the figures, each as one module, beside the site's other scripts."""
    app.figure_versions = {}
    if app.builder.format != "html":
        return
    target = Path(app.outdir) / "_static" / "figures"
    target.mkdir(parents=True, exist_ok=True)
    for name in figures.FIGURES:
        if (HERE / f"{name}.js").is_file():
            source = module_source(name)
            (target / f"{name}.js").write_text(source, encoding="utf-8")
            app.figure_versions[name] = hash_of(source)
    for file in ("load.js", "figures.css"):
        (target / file).write_text((HERE / file).read_text(encoding="utf-8"), encoding="utf-8")


def hash_of(text: str) -> str:
    """A short digest, which changes the address of a file whenever its content changes."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def add_assets(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Load the loader and the style on the pages that have a figure, and on no other."""
    if doctree is not None and next(iter(doctree.findall(live_figure)), None) is not None:
        app.add_js_file("figures/load.js", type="module")
        app.add_css_file("figures/figures.css")


def setup(app: Sphinx) -> dict[str, object]:
    app.add_node(live_figure, html=(visit_live_figure, None), latex=(visit_elsewhere, depart_elsewhere),
                 text=(visit_elsewhere, depart_elsewhere))
    app.add_directive("figure-live", FigureLive)
    app.connect("builder-inited", copy_modules)
    app.connect("html-page-context", add_assets)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
