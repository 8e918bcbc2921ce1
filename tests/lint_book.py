"""Run ruff on the code cells of the book: ``python tests/lint_book.py`` (``make lint`` calls it).

The cells of a page are joined into one script, at the lines where they stand on the page, so that ruff's messages
point to the Markdown file.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CELL = re.compile(r"^```\{code-cell\}.*\n((?::[^\n]*\n|---\n(?:.*\n)*?---\n)*)((?:.*\n)*?)^```$", re.M)
EXAMPLE = re.compile(r"^(`{4,}).*\n(?:.*\n)*?\1$", re.M)  # shows how a page is written; holds no cell
# a page imports where it needs to, ends cells on an expression, shadows names from cell to cell, and calls an image I
IGNORE = "B018,E402,E741,F811,I001,W391"


def script(page: Path) -> str:
    """The code of a page as one script with the page's line numbers."""
    text = EXAMPLE.sub(lambda match: "\n" * match.group().count("\n"), page.read_text(encoding="utf-8"))
    lines = [""] * (text.count("\n") + 1)
    for match in CELL.finditer(text):
        first = text.count("\n", 0, match.start(2))
        for offset, line in enumerate(match.group(2).splitlines()):
            lines[first + offset] = "" if line.lstrip().startswith(("%", "!")) else line
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        count = 0
        for page in sorted((ROOT / "book").rglob("*.md")):
            code = script(page)
            if code.strip():
                target = Path(folder) / page.relative_to(ROOT).with_suffix(".md.py")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(code, encoding="utf-8")
                count += 1
        ruff = Path(sys.executable).with_name("ruff")
        command = [ruff, "check", "--quiet", "--config", ROOT / "pyproject.toml", "--ignore", IGNORE]
        command += ["--output-format", "concise", "."]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    print(result.stdout.replace(".md.py:", ".md:").replace(str(folder) + "/", ""), end="")
    print(result.stderr, end="", file=sys.stderr)
    print(f"book: {count} pages with code, {'clean' if result.returncode == 0 else 'see above'}")
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
