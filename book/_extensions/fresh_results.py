"""Keep the results on the pages in step with the library.

The cache of executed notebooks is keyed by the cells of a page. A page whose cells are unchanged would therefore keep
the numbers that an older version of `neuralnotes` computed. This extension remembers, for every page, a digest of the
library files that its cells import (and of what those import in turn) and of the data files that they name; when the
digest changes, the page's cached result is dropped and the page is executed again.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from jupyter_cache import get_cache
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

logger = logging.getLogger(__name__)

PACKAGE = "neuralnotes"
CELL = re.compile(r"^(`{3,})\{code-cell\}[^\n]*\n(.*?)^\1[ \t]*$", re.M | re.S)
DATA_FILE = re.compile(r"[\w./-]+\.(json|csv|npz|npy|txt)")
OPTIONS = re.compile(r"\A(---\n.*?^---[ \t]*\n|(?::[^\n]*\n)+)", re.M | re.S)


def imported_names(source: str, package: str = "") -> Iterator[str]:
    """Yield the dotted names that Python source imports: modules, or names inside modules.

    Args:
        source: Python source.
        package: The dotted name of the package that the source belongs to; relative imports start there.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            start = ".".join([*parts, node.module] if node.module else parts)
            yield from (f"{start}.{alias.name}" for alias in node.names)


def module_files(name: str, library: Path) -> Iterator[Path]:
    """Yield the library files that stand for a dotted name; none for a name from elsewhere.

    Of a package inside the library every file counts, because a package may import its modules by computed names.
    """
    first, *rest = name.split(".")
    if first != PACKAGE or not (library / PACKAGE / "__init__.py").is_file():
        return
    yield library / PACKAGE / "__init__.py"
    if rest and (library / PACKAGE / f"{rest[0]}.py").is_file():
        yield library / PACKAGE / f"{rest[0]}.py"
    elif rest and (library / PACKAGE / rest[0]).is_dir():
        yield from sorted((library / PACKAGE / rest[0]).rglob("*.py"))


def library_files(source: str, library: Path) -> set[Path]:
    """Find every file of the library that the source needs, directly or through other modules of the library."""
    needed: set[Path] = set()
    waiting = [(source, "")]
    while waiting:
        for name in imported_names(*waiting.pop()):
            for path in module_files(name, library):
                if path not in needed:
                    needed.add(path)
                    waiting.append((path.read_text(encoding="utf-8"), ".".join(path.parent.relative_to(library).parts)))
    return needed


def page_source(text: str) -> str:
    """Join the Python of a page's code cells, without cell options and without magics."""
    cells = (OPTIONS.sub("", body) for _, body in CELL.findall(text))
    lines = "\n".join(cells).splitlines()
    return "\n".join("pass" if line.startswith(("%", "!")) else line for line in lines)


def named_files(source: str, folder: Path) -> set[Path]:
    """Find the files that the source names in its strings, as paths from the page's folder."""
    texts = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    return {folder / text for text in texts if isinstance(text, str) and DATA_FILE.fullmatch(text)
            and (folder / text).is_file()}


def page_digest(text: str, library: Path, folder: Path) -> str:
    """Digest of the files behind a page's cells, in the library and beside the page; empty for a page without any."""
    source = page_source(text)
    files = library_files(source, library) | named_files(source, folder)
    if not files:
        return ""
    digest = hashlib.sha256()
    for name, path in sorted((os.path.relpath(path, library), path) for path in files):
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def record_path(app: Sphinx) -> Path:
    return Path(app.env.mystnb_config.execution_cache_path, "library.json")


def page_digests(env: BuildEnvironment, library: Path) -> dict[str, str]:
    digests: dict[str, str] = {}
    for name in sorted(env.found_docs):
        path = Path(env.doc2path(name))
        if path.suffix == ".md":
            try:
                digests[name] = page_digest(path.read_text(encoding="utf-8"), library, path.parent)
            except SyntaxError as error:
                # Executing the page says what is wrong and where; without a digest nothing old is kept for it.
                logger.info("%s: a cell is not valid Python (%s)", path, error)
    return digests


def drop_stale(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Drop the cached results of pages whose library files changed; have those pages read again."""
    if env.mystnb_config.execution_mode != "cache":
        return []
    record = record_path(app)
    known = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    digests = page_digests(env, Path(app.srcdir, "lib"))
    pages = {name: str(Path(env.doc2path(name))) for name in sorted(env.found_docs)}
    fresh = {name for name, digest in digests.items() if digest == known.get(name, "")}
    stale = [name for name in pages if name not in fresh and pages[name].endswith(".md")]
    kept = {pages[name] for name in fresh}
    if record.parent.is_dir():
        # Results of pages that are gone are dropped too: a page that comes back under another name would match them.
        cache = get_cache(str(record.parent))
        for item in cache.list_cache_records():
            if item.uri not in kept:
                cache.remove_cache(item.pk)
    return [name for name in stale if name not in added]


def remember(app: Sphinx, exception: Exception | None) -> None:
    """Write the digests down, after a build that went through: only then are the pages what the library computes."""
    if exception is None and app.env is not None and app.env.mystnb_config.execution_mode == "cache":
        record = record_path(app)
        record.parent.mkdir(parents=True, exist_ok=True)
        digests = page_digests(app.env, Path(app.srcdir, "lib"))
        record.write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, object]:
    app.connect("env-get-outdated", drop_stale)
    app.connect("build-finished", remember)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
