"""Building a site of one or two pages with the book's own configuration: what has to stop the build does."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
FRONT_MATTER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
    format_version: 0.13
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A copy of the configuration with one page, `book/intro`, and a library of one module."""
    source = tmp_path / "source"
    for folder in ("_assets", "_extensions", "_static", "_templates"):
        shutil.copytree(ROOT / "book" / folder, source / "book" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (source / "book" / "_vendor").mkdir()
    shutil.copy(ROOT / "_config.yml", source)
    shutil.copy(ROOT / "book" / "concepts.csv", source / "book")
    shutil.copy(ROOT / "book" / "references.bib", source / "book")
    (source / "lib" / "neuralnotes").mkdir(parents=True)
    (source / "lib" / "neuralnotes" / "__init__.py").write_text("", encoding="utf-8")
    (source / "lib" / "neuralnotes" / "figures").symlink_to(ROOT / "lib" / "neuralnotes" / "figures")
    (source / "lib" / "neuralnotes" / "numbers_of_a_page.py").write_text("NUMBER = 41\n", encoding="utf-8")
    return source


def write_pages(book: Path, **pages: str) -> None:
    for name, text in pages.items():
        (book / "book" / f"{name}.md").write_text(text, encoding="utf-8")
    chapters = "".join(f"  - file: book/{name}\n" for name in pages if name != "intro")
    toc = "format: jb-book\nroot: book/intro\n" + (f"chapters:\n{chapters}" if chapters else "")
    (book / "_toc.yml").write_text(toc, encoding="utf-8")


def build(book: Path) -> subprocess.CompletedProcess:
    program = str(Path(sys.executable).with_name("jupyter-book"))
    command = [program, "build", ".", "--path-output", str(book.parent), "-W", "-n", "--keep-going"]
    environment = os.environ | {"PYTHONPATH": str(book / "lib"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=book, env=environment, text=True, timeout=300,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def configure(book: Path, old: str, new: str) -> None:
    config = book / "_config.yml"
    text = config.read_text(encoding="utf-8")
    assert old in text
    config.write_text(text.replace(old, new), encoding="utf-8")


def html(book: Path, page: str = "intro") -> str:
    return (book.parent / "_build" / "html" / "book" / f"{page}.html").read_text(encoding="utf-8")


def cell(code: str) -> str:
    return f"```{{code-cell}} ipython3\n{code}\n```\n"


def test_a_failing_cell_fails_the_build(book):
    write_pages(book, intro=FRONT_MATTER + "# Title\n\n" + cell("1 / 0"))
    result = build(book)
    assert result.returncode != 0
    assert "ZeroDivisionError" in result.stdout and "book/intro.md" in result.stdout


def test_a_cell_that_warns_fails_the_build(book):
    write_pages(book, intro=FRONT_MATTER + "# Title\n\n" + cell("import warnings\nwarnings.warn('look here')"))
    result = build(book)
    assert result.returncode != 0
    assert "stderr was found in the cell outputs" in result.stdout, result.stdout


def test_a_broken_reference_fails_the_build(book):
    write_pages(book, intro="# Title\n\nSee {ref}`nowhere`.\n")
    result = build(book)
    assert result.returncode != 0
    assert "undefined label: 'nowhere'" in result.stdout


def test_two_passages_with_one_concept_fail_the_build(book):
    write_pages(book, intro="# Title\n\n(chain-rule)=\nOne.\n", second="# Second\n\n(chain-rule)=\nTwo.\n")
    result = build(book)
    assert result.returncode != 0
    for part in ("(chain-rule)=", "intro.md, line 3", "second.md, line 3"):
        assert part in result.stdout


def test_the_concept_index_links_to_the_passage_and_follows_it(book):
    index = "# Index\n\n```{concept-index}\n```\n"
    write_pages(book, intro=index, second="# Some chapter\n\n## Some section\n\n(chain-rule)=\nThe passage.\n")
    result = build(book)
    assert result.returncode == 0, result.stdout
    assert "1 of 320 concepts" in html(book)
    assert '<a class="reference internal" href="second.html#chain-rule">Some section</a> (Some chapter)' in html(book)
    # Only the other page changes; the index has to be written again all the same.
    write_pages(book, intro=index, second="# Some chapter\n\nThe passage is gone.\n")
    result = build(book)
    assert result.returncode == 0, result.stdout
    assert "0 of 320 concepts" in html(book)
    assert "#chain-rule" not in html(book)


def test_a_change_in_the_library_computes_its_pages_again(book):
    use = cell("from neuralnotes import numbers_of_a_page\nprint('the number', numbers_of_a_page.NUMBER + 1)")
    other = cell("import time\nprint('computed at', time.time_ns())")
    write_pages(book, intro=FRONT_MATTER + "# Title\n\n" + use, second=FRONT_MATTER + "# Second\n\n" + other)
    result = build(book)
    assert result.returncode == 0, result.stdout
    assert "the number 42" in html(book)
    computed = html(book, "second").partition("computed at")[2][:30]
    (book / "lib" / "neuralnotes" / "numbers_of_a_page.py").write_text("NUMBER = 1233\n", encoding="utf-8")
    result = build(book)
    assert result.returncode == 0, result.stdout
    assert "the number 1234" in html(book)
    assert html(book, "second").partition("computed at")[2][:30] == computed


def test_buttons_follow_the_address_of_the_repository(book):
    notebook = {"cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Build it\n\nSome words."}],
                "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
                "nbformat": 4, "nbformat_minor": 5}
    (book / "exercises" / "build").mkdir(parents=True)
    (book / "exercises" / "build" / "build.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    write_pages(book, intro="# Title\n\nSome words.\n")
    toc = book / "_toc.yml"
    toc.write_text(toc.read_text(encoding="utf-8") + "chapters:\n  - file: exercises/build/build\n", encoding="utf-8")
    exercise = "../exercises/build/build"

    result = build(book)
    assert result.returncode == 0, result.stdout
    for page in (html(book), html(book, exercise)):
        assert "colab" not in page and "source-edit-button" not in page and "source-issues-button" not in page
    (link,) = re.findall(r'<a class="reference download internal"[^>]* href="([^"]*)"', html(book, exercise))
    downloaded = book.parent / "_build" / "html" / "exercises" / "build" / link
    assert json.loads(downloaded.read_text(encoding="utf-8"))["cells"][0]["source"] == notebook["cells"][0]["source"]

    configure(book, 'url: ""', "url: https://github.com/some-school/deep")
    result = build(book)
    assert result.returncode == 0, result.stdout
    base = "https://github.com/some-school/deep"
    assert f'href="{base}/edit/main/book/intro.md"' in html(book)
    assert f'href="{base}/blob/main/book/intro.md?plain=1"' in html(book)
    assert f'href="{base}/issues/new?' in html(book)
    colab = "https://colab.research.google.com/github/some-school/deep/blob/main/exercises/build/build.ipynb"
    assert f'href="{colab}"' in html(book, exercise)
    assert f'href="{base}/issues/new?' in html(book, exercise)
    assert "/edit/main/exercises" not in html(book, exercise)  # it is generated: there is nothing to edit


def test_a_sitemap_and_full_addresses_need_the_address_of_the_site(book):
    write_pages(book, intro="# Title\n\nThe first paragraph says what the page is about, in some words.\n\nMore.\n",
                second="---\ndescription: Said in the front matter.\n---\n\n# Second\n\nThe text of the second page.\n")
    result = build(book)
    assert result.returncode == 0, result.stdout
    folder = book.parent / "_build" / "html"
    assert not (folder / "sitemap.xml").exists()
    assert 'rel="canonical"' not in html(book) and "og:url" not in html(book)
    description = 'content="The first paragraph says what the page is about, in some words." />'
    assert f'<meta name="description" {description}' in html(book)
    assert f'<meta property="og:description" {description}' in html(book)
    assert '<meta property="og:title" content="Title" />' in html(book)
    assert '<meta name="description" content="Said in the front matter." />' in html(book, "second")

    configure(book, 'baseurl: ""', "baseurl: https://example.org/deep")
    result = build(book)
    assert result.returncode == 0, result.stdout
    site = "https://example.org/deep/book/"
    places = re.findall("<loc>(.*?)</loc>", (folder / "sitemap.xml").read_text(encoding="utf-8"))
    assert places == [site + "intro.html", site + "second.html"]
    assert f'<link rel="canonical" href="{site}intro.html" />' in html(book)
    assert f'<meta property="og:url" content="{site}second.html" />' in html(book, "second")
    assert "https://example.org/deep/" in (folder / "404.html").read_text(encoding="utf-8")


LIBRARY_PAGE = "# Some functions\n\n```{eval-rst}\n.. automodule:: neuralnotes.numbers_of_a_page\n   :members:\n```\n"
MODULE = '''"""Numbers.

Chapter: Some chapter ({label})
"""


def double(x):
    """Twice a number.

    Chapter: Some chapter ({label})
    """


def half(x):
    """Half a number.

    Chapter: A chapter to come (not-yet)
    """
'''


def write_library(book: Path, label: str) -> None:
    (book / "book" / "reference" / "api").mkdir(parents=True, exist_ok=True)
    (book / "book" / "reference" / "api" / "numbers.md").write_text(LIBRARY_PAGE, encoding="utf-8")
    module = book / "lib" / "neuralnotes" / "numbers_of_a_page.py"
    module.write_text(MODULE.format(label=label), encoding="utf-8")


def test_a_function_and_its_passage_link_to_each_other(book):
    chapter = "# Some chapter\n\n(twice)=\n## Twice\n\nDouble it.\n\n## Again\n\n(thrice)=\nAdd it.\n\nMore.\n"
    write_library(book, "twice")
    write_pages(book, intro="# Title\n\nWords.\n", second=chapter)
    toc = book / "_toc.yml"
    toc.write_text(toc.read_text(encoding="utf-8") + "  - file: book/reference/api/numbers\n", encoding="utf-8")
    result = build(book)
    assert result.returncode == 0, result.stdout
    api = html(book, "reference/api/numbers")
    link = 'href="../../second.html#twice">Twice</a>'
    assert api.count(link) == 2  # of the module and of the function
    assert "Chapter: A chapter to come" in api and "not-yet" not in api
    before, line = html(book, "second").partition('<p class="nn-library">')[::2]
    assert before.rstrip().endswith("</h2>")
    line = line.partition("</p>")[0]
    assert 'href="reference/api/numbers.html#module-neuralnotes.numbers_of_a_page"' in line
    assert 'href="reference/api/numbers.html#neuralnotes.numbers_of_a_page.double"' in line

    # Only the docstring changes; the passages have to be written again all the same.
    write_library(book, "thrice")
    (book / "book" / "reference" / "api" / "numbers.md").touch()
    result = build(book)
    assert result.returncode == 0, result.stdout
    assert re.search(r'Add it\.</p>\s*<p class="nn-library">', html(book, "second"))
    assert html(book, "second").count("nn-library") == 1

    write_library(book, "nowhere")
    result = build(book)
    assert result.returncode != 0
    assert "Chapter: Some chapter (nowhere): the label does not exist" in result.stdout


def test_the_table_of_execution_times_counts_cells_and_seconds(book):
    write_pages(book, intro="# Times\n\n```{execution-times}\n```\n",
                second=FRONT_MATTER + "# Slow page\n\n" + cell("import time\ntime.sleep(0.3)") + cell("1 + 1"))
    result = build(book)
    assert result.returncode == 0, result.stdout
    cells = re.findall(r"<td><p>(.*?)</p></td>", html(book))
    assert cells[0] == '<a class="reference internal" href="second.html">Slow page</a>'
    assert cells[1] == "2" and 0.3 <= float(cells[2]) < 60
    assert cells[3:5] == ["<strong>All pages</strong>", "2"]
