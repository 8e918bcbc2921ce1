"""Take the still pictures of the live figures again: `make stills` (needs Chromium).

A page shows them in print, without scripts, where motion is unwelcome, and until the figure itself is there. Each
figure of the book is opened by itself in the state that its props give, and photographed for wide and narrow windows.
`fingerprints.json` holds a digest of what each picture was taken of; a test compares it, so that no picture stays
behind when its figure changes.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from neuralnotes.figures.figure import standalone

HERE = Path(__file__).parent
BOOK = HERE.parent
# CSS pixels that a figure gets on a page: in windows of 1024, and of 1400 and more; and on a phone of 390.
WIDTHS = {"": 736, "-narrow": 342}
DIRECTIVE = re.compile(r"^(?:`{3,}|:{3,})\{figure-live\}[ \t]+(?P<name>\S+)[ \t]*\n"
                       r"(?P<options>(?:[ \t]*:\w+:.*\n|[ \t]+\S.*\n)*)", re.M)
OPTION = re.compile(r"^[ \t]*:(?P<key>\w+):[ \t]*(?P<value>.*(?:\n(?![ \t]*:\w+:).*)*)", re.M)


class Placed(NamedTuple):
    label: str
    name: str
    props: dict


def placed_figures(book: Path = BOOK) -> Iterator[Placed]:
    """Every live figure on the pages of the book."""
    for page in sorted(book.rglob("*.md")):
        text = re.sub(r"^(`{4,}).*?^\1", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)  # not the examples
        for found in DIRECTIVE.finditer(text):
            options = {option["key"]: option["value"].strip() for option in OPTION.finditer(found["options"])}
            yield Placed(options["label"], found["name"], json.loads(options.get("props", "{}")))


def fingerprint(figure: Placed) -> str:
    """What a still picture depends on."""
    return hashlib.sha256(standalone(figure.name, figure.props, still=True).encode()).hexdigest()


def take(figures: list[Placed]) -> Iterator[tuple[str, bytes]]:
    """Photograph figures: file names and their contents (WebP, one pixel for each CSS pixel)."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox", "--disable-gpu"],
        )
        for suffix, width in WIDTHS.items():
            page = chromium.new_page(viewport={"width": width, "height": 900})
            for figure in figures:
                page.set_content(standalone(figure.name, figure.props, still=True))
                page.wait_for_function("window.shown")
                page.wait_for_timeout(300)
                page.add_style_tag(content=".nn-foot { visibility: hidden }")
                picture = Image.open(io.BytesIO(page.locator(".nn-fig").screenshot())).convert("RGB")
                yield f"{figure.label}{suffix}.webp", encode(picture)
        chromium.close()


def encode(picture: Image.Image) -> bytes:
    """WebP without loss, in 64 colors: the lines and words of a figure stay sharp, and it is half as large."""
    content = io.BytesIO()
    few = picture.quantize(64, dither=Image.Dither.NONE).convert("RGB")
    few.save(content, "WEBP", lossless=True, quality=100, method=6)
    return content.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="also those whose figure has not changed")
    options = parser.parse_args()
    figures = list(placed_figures())
    kept = HERE / "fingerprints.json"
    before = {} if options.all or not kept.is_file() else json.loads(kept.read_text(encoding="utf-8"))
    now = {figure.label: fingerprint(figure) for figure in figures}
    changed = [figure for figure in figures if before.get(figure.label) != now[figure.label]]
    for name, content in take(changed) if changed else ():
        (HERE / name).write_bytes(content)
        print(f"{name}: {len(content) / 1000:.0f} kB", file=sys.stderr)
    for old in HERE.glob("*.webp"):
        if old.stem.removesuffix("-narrow") not in now:
            old.unlink()
    kept.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
