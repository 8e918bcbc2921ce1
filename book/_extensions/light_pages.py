"""Pages that load fast and stand still while they do.

Pictures get the size they will have, so that nothing moves when they arrive, and all but the first of a page wait until
the reader comes near. After a build, what no reader sees is taken out of the files: from the theme's style sheet two
thousand icons of a font that the site does not use (`icons.js` has the icons), from computed pictures the digits beyond
a hundredth of a point.
"""

from __future__ import annotations

import base64
import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

THEME_CSS = "_static/styles/pydata-sphinx-theme.css"
ICON_FONTS = "_static/vendor/fontawesome"
FONT_FACE = re.compile(r"@font-face\{[^{}]*Font Awesome[^{}]*\}")
ICON = re.compile(r"(?:^|(?<=[{}]))(?:\.fa[a-z0-9-]*(?:::?[a-z]+)?,?)+\{[^{}]*\}")

TEXT = re.compile(r"<text[\s>]")
METADATA = re.compile(r"<\?xml[^>]*\?>|<!DOCTYPE[^>]*>|<!--.*?-->|<metadata>.*?</metadata>", re.S)
PATH = re.compile(r'(?<= )(d|points|x|y|transform)="([^"]*)"')
EMBEDDED = re.compile(r'"data:image/png;base64,([^"]*)"')
NUMBER = re.compile(r"-?\d+\.\d+")
SCALE = re.compile(r"scale\([^)]*\)|matrix\([^)]*\)|rotate\([^)]*\)")
SVG_SIZE = re.compile(r'<svg\b[^>]*?\swidth="([\d.]+)(pt|px)?"[^>]*?\sheight="([\d.]+)(?:pt|px)?"', re.S)
IMAGE = re.compile(r"<img\b[^>]*>")


def slim_theme(css: str) -> str:
    """Drop the icon font from the theme's style sheet.

    Raises:
        ValueError: The style sheet holds no icon font: the theme has changed.
    """
    slim = FONT_FACE.sub("", css)
    if slim == css:
        raise ValueError("the theme's style sheet declares no icon font any more")
    return ICON.sub("", slim)


def lighter_png(text: str) -> str:
    """The same pixels in fewer bytes: Matplotlib writes every picture in color and with transparency (both base64)."""
    data = base64.b64decode(text)
    with Image.open(io.BytesIO(data)) as picture:
        pixels = picture.convert("RGBA")
    if pixels.getextrema()[3] == (255, 255):
        red, green, blue, _ = pixels.split()
        pixels = red if red.tobytes() == green.tobytes() == blue.tobytes() else pixels.convert("RGB")
    smaller = io.BytesIO()
    pixels.save(smaller, "PNG", optimize=True)
    return base64.b64encode(min(data, smaller.getvalue(), key=len)).decode()


def slim_svg(svg: str) -> str:
    """Round the coordinates of a picture to a hundredth, and drop what is not drawn."""
    def shorten(match: re.Match) -> str:
        name, value = match.groups()
        kept = SCALE.findall(value)
        value = SCALE.sub("\0", value)
        value = NUMBER.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), value)
        for part in kept:
            value = value.replace("\0", part, 1)
        return f'{name}="{" ".join(value.split())}"'

    svg = METADATA.sub("", svg)
    svg = PATH.sub(shorten, svg)
    svg = EMBEDDED.sub(lambda match: f'"data:image/png;base64,{lighter_png(match[1])}"', svg)
    if not TEXT.search(svg):  # between pieces of text, white space would count
        svg = re.sub(r">\s+<", "><", svg)
    return svg.strip() + "\n"


def picture_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a picture in CSS pixels; None where an SVG does not say."""
    if path.suffix != ".svg":
        with Image.open(path) as picture:
            return picture.size
    match = SVG_SIZE.search(path.read_text(encoding="utf-8")[:2000])
    if not match:
        return None
    unit = 1 if match[2] == "px" or match[2] is None else 4 / 3
    return round(float(match[1]) * unit), round(float(match[3]) * unit)


def reserve_space(body: str, size_of: Callable[[str], tuple[int, int] | None]) -> str:
    """Write the size into every `<img>` of a page that has none; all but the first load when they are needed.

    Args:
        body: HTML.
        size_of: maps the file name of a picture to its size, or to None where it is not known.
    """
    first = True

    def complete(match: re.Match) -> str:
        nonlocal first
        tag, is_first, first = match[0], first, False
        address = re.search(r'\ssrc="([^"]*)"', tag)
        size = size_of(unquote(address[1]).rpartition("/")[2]) if address else None
        extra = ""
        if size and not re.search(r"\s(width|height|style)=", tag):
            extra += f' width="{size[0]}" height="{size[1]}"'
        if not is_first and "loading=" not in tag:
            extra += ' loading="lazy"'
        return tag[:4] + extra + tag[4:]

    return IMAGE.sub(complete, body)


def prepare_page(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    if not doctree or "body" not in context:
        return
    sources = {target: source for source, target in app.builder.images.items()}

    def size_of(name: str) -> tuple[int, int] | None:
        return picture_size(Path(app.srcdir, sources[name])) if name in sources else None

    context["body"] = reserve_space(context["body"], size_of)


def slim_files(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    shutil.rmtree(Path(app.outdir, ICON_FONTS), ignore_errors=True)
    sheet = Path(app.outdir, THEME_CSS)
    try:
        sheet.write_text(slim_theme(sheet.read_text(encoding="utf-8")), encoding="utf-8")
    except ValueError as error:
        raise ExtensionError(f"light_pages: {error}; look at what {THEME_CSS} loads") from error
    for name in set(app.builder.images.values()):
        path = Path(app.outdir, app.builder.imagedir, name)
        if path.suffix == ".svg" and path.is_file():
            path.write_text(slim_svg(path.read_text(encoding="utf-8")), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, object]:
    app.connect("html-page-context", prepare_page)
    app.connect("build-finished", slim_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
