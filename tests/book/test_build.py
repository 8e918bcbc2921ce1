"""Building a site of one or two pages with the book's own configuration: what has to stop the build does."""

from __future__ import annotations

import os
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
    for folder in ("_assets", "_extensions", "_static"):
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
