"""The built website, read as files: nothing from other hosts, no broken link, no picture without a description.

The tests read `_build/html` (or the folder named by NEURALNOTES_SITE) and are skipped where the site was not built.
"""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("NEURALNOTES_SITE", ROOT / "_build" / "html"))

pytestmark = pytest.mark.skipif(
    not (SITE / "index.html").is_file(),
    reason=f"no website in {SITE}: run `make book`, or name another folder in NEURALNOTES_SITE",
)

# What a browser fetches by itself when it shows a page; links that a reader has to press are not among them.
FETCHED = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "use": ("href", "xlink:href"),
    "image": ("href", "xlink:href"),
}
# <link> elements that name a page without fetching it.
NOT_FETCHED = {"canonical", "next", "prev", "index", "search", "author", "license", "alternate", "help", "copyright"}


@functools.cache
def parse(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@functools.cache
def pages() -> tuple[Path, ...]:
    return tuple(sorted(path for path in SITE.rglob("*.html") if "_static" not in path.relative_to(SITE).parts))


@functools.cache
def anchors(path: Path) -> frozenset[str]:
    soup = parse(path)
    return frozenset(tag.get("id") or tag.get("name") for tag in soup.find_all(lambda t: t.get("id") or t.get("name")))


def toc_files() -> list[str]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))

    def files(entry: object) -> list[str]:
        if isinstance(entry, list):
            return [name for item in entry for name in files(item)]
        if isinstance(entry, dict):
            own = [entry[key] for key in ("root", "file") if key in entry]
            return own + [name for key in ("parts", "chapters", "sections") for name in files(entry.get(key, []))]
        return []

    return files(toc)


def is_external(address: str) -> bool:
    parts = urlsplit(address.strip())
    return bool(parts.netloc) or parts.scheme in ("http", "https", "ftp")


def test_every_page_of_the_contents_is_built():
    missing = [name for name in toc_files() if not (SITE / name).with_suffix(".html").is_file()]
    assert not missing, f"in _toc.yml and not on the site: {missing}"


def test_every_page_of_the_book_is_in_the_contents():
    listed = set(toc_files())
    written = {str(path.relative_to(ROOT).with_suffix("")) for path in (ROOT / "book").rglob("*.md")
               if not any(part.startswith(("_", ".")) for part in path.relative_to(ROOT).parts)}
    assert written - listed == set(), "pages in book/ that _toc.yml does not list"


def test_no_page_fetches_anything_from_another_host():
    found = []
    for page in pages():
        for name, attributes in FETCHED.items():
            for tag in parse(page).find_all(name):
                if name == "link" and set(tag.get("rel", [])) <= NOT_FETCHED:
                    continue
                for attribute in attributes:
                    for part in tag.get(attribute, "").split(","):
                        if is_external(part.strip().split(" ")[0]):
                            found.append(f"{page.relative_to(SITE)}: <{name} {attribute}={part.strip()!r}>")
        for style in parse(page).find_all("style"):
            found += [f"{page.relative_to(SITE)}: {url}" for url in external_in_css(style.get_text())]
    assert not found, "\n".join(found)


def external_in_css(text: str) -> list[str]:
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    addresses = re.findall(r"url\(\s*['\"]?([^'\")]+)", text) + re.findall(r"@import\s+['\"]([^'\"]+)", text)
    return [address for address in addresses if is_external(address)]


def test_no_style_sheet_fetches_anything_from_another_host():
    found = [f"{path.relative_to(SITE)}: {address}" for path in SITE.rglob("*.css")
             for address in external_in_css(path.read_text(encoding="utf-8"))]
    assert not found, "\n".join(found)


def test_math_is_set_by_our_own_copy():
    with_math = [page for page in pages() if parse(page).select_one("article .math")]
    assert with_math, "no page with a formula was found"
    for page in with_math:
        scripts = [script["src"] for script in parse(page).find_all("script", src=True)]
        sources = [address for address in scripts if "mathjax" in address.lower()]
        assert len(sources) == 1, f"{page.relative_to(SITE)}: one MathJax expected, found {sources}"
        script = (page.parent / urlsplit(sources[0]).path).resolve()
        assert script.is_file() and script.is_relative_to(SITE.resolve()), f"{page.relative_to(SITE)}: {sources[0]}"
        assert (script.parent / "output/chtml/fonts/woff-v2/MathJax_Main-Regular.woff").is_file()


def test_links_within_the_site_lead_somewhere():
    broken = []
    for page in pages():
        for link in parse(page).find_all("a", href=True):
            address = urlsplit(link["href"])
            if address.scheme or address.netloc or link["href"].startswith("#") and len(link["href"]) == 1:
                continue
            target = (page.parent / unquote(address.path)).resolve() if address.path else page
            if target.is_dir():
                target = target / "index.html"
            if not target.is_file():
                broken.append(f"{page.relative_to(SITE)}: {link['href']} (no such file)")
            elif address.fragment and target.suffix == ".html" and unquote(address.fragment) not in anchors(target):
                broken.append(f"{page.relative_to(SITE)}: {link['href']} (no such place on the page)")
    assert not broken, "\n".join(broken)


def test_every_picture_has_a_description():
    bare = []
    for page in pages():
        for image in parse(page).select("article img, main img"):
            text = image.get("alt", "").strip()
            # Sphinx and MyST-NB fill in the file's name when nobody wrote a description.
            if not text or text == image.get("src") or re.fullmatch(r"\S+\.(svg|png|jpe?g|gif|webp)", text):
                bare.append(f"{page.relative_to(SITE)}: {image.get('src')} (alt={text!r})")
    assert not bare, "pictures without a description:\n" + "\n".join(sorted(set(bare)))


def test_every_file_that_a_page_loads_is_there():
    missing = []
    for page in pages():
        for name, attributes in FETCHED.items():
            for tag in parse(page).find_all(name):
                if name == "link" and set(tag.get("rel", [])) <= NOT_FETCHED:
                    continue
                for attribute in attributes:
                    value = tag.get(attribute, "")
                    parts = value.split(",") if attribute == "srcset" else [value]
                    for address in (part.strip().split(" ")[0] for part in parts):
                        path = unquote(urlsplit(address).path)
                        if path and not address.startswith("data:") and not (page.parent / path).is_file():
                            missing.append(f"{page.relative_to(SITE)}: <{name} {attribute}={address!r}>")
    assert not missing, "\n".join(missing)


def test_every_page_of_the_book_describes_itself():
    bare = []
    for name in toc_files():
        page = parse((SITE / name).with_suffix(".html"))
        description = page.find("meta", attrs={"name": "description"})
        if not description or not 20 <= len(description["content"]) <= 200:
            bare.append(f"{name}: {description}")
    assert not bare, "pages without a description (the first paragraph, or the front matter):\n" + "\n".join(bare)


def test_descriptions_do_not_repeat():
    files = [(SITE / name).with_suffix(".html") for name in toc_files()]
    texts = [tag["content"] for path in files for tag in parse(path).select("meta[name=description]")]
    assert sorted(set(texts)) == sorted(texts)


def test_no_cell_printed_an_error():
    trouble = ".cell_output .output.traceback, .cell_output .output.stderr"
    found = [str(page.relative_to(SITE)) for page in pages() if parse(page).select_one(trouble)]
    assert not found, f"pages with a traceback or a warning in a cell's output: {found}"


def test_exercises_can_be_downloaded():
    notebooks = sorted(path.stem for path in (ROOT / "exercises").glob("*/*.ipynb"))
    assert notebooks, "exercises/ holds no notebooks: run `make exercises`"
    page = parse(SITE / "book/guide/assignments.html")
    offered = sorted(Path(urlsplit(link["href"]).path).stem for link in page.select("a.download"))
    assert offered == notebooks
    for name in notebooks:
        page = SITE / "exercises" / name / f"{name}.html"
        (link,) = parse(page).select(".nn-notebook a.download")
        downloaded = (page.parent / unquote(urlsplit(link["href"]).path)).read_bytes()
        assert downloaded == (ROOT / "exercises" / name / f"{name}.ipynb").read_bytes()
