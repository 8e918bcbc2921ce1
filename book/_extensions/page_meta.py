"""What a page says about itself: a description, the preview that a shared link shows, its address; and the sitemap.

The description is the front matter's `description:`, or the first paragraph of the page. Absolute addresses, which the
sitemap, canonical links and previews need, begin with `html: baseurl:` of `_config.yml`; while that is empty there are
none, and no sitemap.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from xml.sax.saxutils import escape as escape_xml

from docutils import nodes
from sphinx.application import Sphinx

LEAST, MOST = 50, 200  # characters of a description
NOT_PROSE = (nodes.Admonition, nodes.figure, nodes.table, nodes.topic, nodes.bullet_list, nodes.container)


def plain_text(paragraph: nodes.paragraph) -> str:
    """The words of a paragraph, with formulas left in TeX."""
    return " ".join(paragraph.astext().split())


def shorten(text: str, most: int = MOST) -> str:
    """Cut a text after a sentence, or after a word where the first sentence is too long."""
    if len(text) <= most:
        return text
    end = max(text.rfind(mark, 0, most) for mark in (". ", "? ", "! "))
    return text[: end + 1] if end >= LEAST else text[: text.rfind(" ", 0, most - 1)].rstrip(",;: ") + "…"


def first_paragraph(doctree: nodes.document) -> str:
    """The first paragraph of running text that says something; empty where a page has none."""
    for paragraph in doctree.findall(nodes.paragraph):
        parent = paragraph.parent
        while parent is not None and not isinstance(parent, NOT_PROSE):
            parent = parent.parent
        text = plain_text(paragraph)
        if parent is None and len(text) >= LEAST:
            return text
    return ""


def description_of(app: Sphinx, pagename: str, doctree: nodes.document) -> str:
    return shorten(app.env.metadata[pagename].get("description", "") or first_paragraph(doctree))


def add_tags(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    context["html_baseurl"] = base_of(app)
    if doctree is None:
        return
    title = app.env.titles[pagename].astext()
    properties = {"og:type": "article", "og:site_name": app.config.html_title, "og:title": title}
    description = description_of(app, pagename, doctree)
    tags = []
    if description:
        tags.append(f'<meta name="description" content="{escape(description)}" />')
        properties["og:description"] = description
    if app.config.html_baseurl:
        properties["og:url"] = address_of(app, pagename)
        properties["og:image"] = base_of(app) + "_static/" + app.config.page_meta_image
    tags += [f'<meta property="{name}" content="{escape(value)}" />' for name, value in properties.items()]
    context["metatags"] = context.get("metatags", "") + "\n    " + "\n    ".join(tags)


def base_of(app: Sphinx) -> str:
    """Where the site will stand, with a slash at the end; empty while that is not known."""
    return app.config.html_baseurl.rstrip("/") + "/" if app.config.html_baseurl else ""


def address_of(app: Sphinx, pagename: str) -> str:
    return base_of(app) + app.builder.get_target_uri(pagename)


def write_sitemap(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    sitemap = Path(app.outdir, "sitemap.xml")
    if not app.config.html_baseurl:
        sitemap.unlink(missing_ok=True)
        return
    addresses = (escape_xml(address_of(app, name)) for name in sorted(app.env.found_docs))
    places = "".join(f"  <url><loc>{address}</loc></url>\n" for address in addresses)
    sitemap.write_text('<?xml version="1.0" encoding="UTF-8"?>\n'
                       f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{places}</urlset>\n',
                       encoding="utf-8")


def setup(app: Sphinx) -> dict[str, object]:
    app.add_config_value("page_meta_image", "screenshot.png", "html", str)
    app.connect("html-page-context", add_tags)
    app.connect("build-finished", write_sitemap)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
