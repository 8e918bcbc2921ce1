"""Live cells: which ones the build refuses, and that they run in a browser, from this site alone."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from live_python import foreign_imports
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils
from test_build import FRONT_MATTER, ROOT
from test_site_in_browser import SITE

from tests.browser import CHROMIUM, QuietHandler, open_chromium, serve

CELLS = [
    "number = 20\nprint('from the first cell')",
    "import math\n\n\ndef twice(x):\n    return 2 * x\n\n\nprint('twice', twice(number))\ntwice(math.sqrt(4))",
]
WITH_CELLS = sorted(str(path.relative_to(SITE)) for path in (SITE / "book").rglob("*.html")
                    if "tag_live" in path.read_text(encoding="utf-8"))


def cell(source: str, tags: str = "live") -> str:
    return f"```{{code-cell}} ipython3\n:tags: [{tags}]\n\n{source}\n```\n\n"


def build(folder: Path, **pages: str) -> str:
    """Build a site of these pages in `folder`, without running them; return the warnings."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    for name, text in pages.items():
        (source / f"{name}.md").write_text(FRONT_MATTER + text, encoding="utf-8")
    settings = {
        "extensions": ["myst_nb", "live_python"], "source_suffix": {".md": "myst-nb"}, "root_doc": "index",
        "html_theme": "basic", "nb_execution_mode": "off", "language": "en",
        "html_static_path": [str(ROOT / "book" / "_assets")],
        "html_favicon": str(ROOT / "book" / "_static" / "favicon.svg"),
    }
    warnings = io.StringIO()
    with patch_docutils(), docutils_namespace():
        Sphinx(source, None, folder / "html", folder / "doctrees", "html", settings, None, warnings).build()
    return re.sub(r"\x1b\[[0-9;]*m", "", warnings.getvalue())


@pytest.mark.parametrize(("source", "found"), [
    ("import math, os.path\nfrom collections import deque\nfrom xml.etree import ElementTree", []),
    ("import math\nimport numpy as np", [(2, "numpy")]),
    ("def f():\n    from torch.nn import Linear", [(2, "torch.nn")]),
    ("import threading", [(1, "threading")]),
    ("from . import here", [(1, ".")]),
    ("from neuralnotes.autodiff import Value", [(1, "neuralnotes.autodiff")]),
])
def test_what_a_browser_does_not_have_is_found(source, found):
    assert list(foreign_imports(source)) == found


def test_a_live_cell_that_imports_more_fails_the_build_with_file_and_line(tmp_path):
    page = "# Title\n\n" + cell("import math") + cell("import math\nimport numpy") + cell("import torch", "other")
    line = (FRONT_MATTER + page).splitlines().index("import numpy") + 1
    magic = "# Title\n\n" + cell("%timeit 1 + 1") + cell("print(1)", "live, remove-input")
    index = "# Start\n\n```{toctree}\none\nmagic\n```\n"
    for _ in range(2):  # the second build says it again
        warnings = build(tmp_path, index=index, one=page, magic=magic)
        (one,) = re.findall(r"one\.md:(\d+): WARNING: live: line 2 of the cell imports 'numpy'", warnings)
        assert line - 4 <= int(one) <= line  # from the fence of the cell to its last line
        assert re.search(r"magic\.md:\d+: WARNING: live: line 1 of the cell is not plain Python", warnings)
        assert re.search(r"magic\.md:\d+: WARNING: live: a live cell shows its code", warnings)
        assert "torch" not in warnings and "index.md" not in warnings


class Handler(QuietHandler):
    """Serves the small site; in `/plain/` no file has a type that a browser would run as WebAssembly."""

    def translate_path(self, path: str) -> str:
        path = path.partition("?")[0]
        if path.startswith(("/small/_static/pyodide/", "/plain/_static/pyodide/")):
            return str(ROOT / "book" / "_vendor" / "pyodide" / path.rpartition("/")[2])
        for prefix in ("/small", "/plain", "/without"):
            if path.startswith(f"{prefix}/"):
                return str(self.small / path.removeprefix(f"{prefix}/"))
        return str(SITE / path.removeprefix("/"))

    def guess_type(self, path: str) -> str:
        if path.endswith(".wasm") and self.path.startswith("/plain/"):
            return "application/octet-stream"
        return super().guess_type(path)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("live")
    cells = "".join(map(cell, CELLS)) + cell("print('not live')", "other")
    index = "# Title\n\n" + cells + "```{toctree}\nother\n```\n"
    assert build(folder, index=index, other="# No live cell\n\n" + cell("print(1)", "other")) == ""
    return folder / "html"


@pytest.fixture(scope="module")
def address(small):
    with serve(type("HandlerOfThisSite", (Handler,), {"small": small})) as address:
        yield address


@pytest.fixture(scope="module")
def context():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with open_chromium() as chromium:
        yield chromium.new_context()


def open_page(context, address: str, path: str):
    page = context.new_page()
    page.set_default_timeout(60_000)  # Python takes seconds to load, and longer where the machine is busy
    page.elsewhere, page.requested = [], []
    context.on("request", lambda r: (page.requested if r.url.startswith((address, "blob:", "data:"))
                                     else page.elsewhere).append(r.url))
    page.goto(address + path)
    return page


@pytest.fixture(scope="module")
def shared(context, address):
    """One page for the tests below: Python is loaded once."""
    page = open_page(context, address, "/small/index.html")
    yield page
    assert page.elsewhere == []


@pytest.fixture
def live(shared):
    """The live cells of the page, open and as they were written."""
    cells = shared.locator("div.cell.tag_live").all()
    for each in cells:
        if (button := each.get_by_role("button", name="Edit and run")).count():
            button.click()
        each.get_by_role("button", name="Reset").click()
    return cells


def run(cell, source: str | None = None) -> str:
    """Run a cell, with another source where one is given; return what it shows."""
    if source is not None:
        cell.get_by_role("textbox").fill(source)
    cell.get_by_role("button", name="Run").click()
    cell.get_by_text(re.compile("^(Done|Python reports an error|Stopped)")).wait_for()
    return cell.locator(".nn-live-python-output").inner_text().replace("\xa0", " ")


@pytest.mark.slow
def test_nothing_is_loaded_before_a_button_is_pressed(context, address):
    page = open_page(context, address, "/small/index.html")
    assert page.get_by_role("button", name="Edit and run").count() == 2
    assert not any("pyodide" in url or "worker" in url for url in page.requested)
    assert page.evaluate("""() => new Promise(resolve => new PerformanceObserver(
      (list, observer) => { observer.disconnect(); resolve(list.getEntries().reduce((sum, e) => sum + e.value, 0)); }
    ).observe({type: 'layout-shift', buffered: true}) || setTimeout(resolve, 500, 0))""") < 0.02
    assert any("live_python.js" in url for url in page.requested)
    page.requested.clear()
    page.goto(address + "/small/other.html")
    assert not any("live_python" in url for url in page.requested)
    page.close()


@pytest.mark.slow
def test_a_cell_runs_after_the_live_cells_before_it(live):
    assert run(live[1]) == "twice 40\n4.0\n"
    assert run(live[1], CELLS[1].replace("2 * x", "3 * x")) == "twice 60\n6.0\n"
    live[0].get_by_role("textbox").fill("number = 5")  # the change counts, in a new namespace
    assert run(live[1]) == "twice 15\n6.0\n"
    live[1].get_by_role("button", name="Reset").click()
    assert live[1].get_by_role("textbox").input_value() == CELLS[1]
    assert not live[1].locator(".nn-live-python-output").is_visible()


@pytest.mark.slow
def test_errors_are_shown_with_the_lines_of_the_cell(live):
    shown = run(live[1], "def f(x):\n    return 1 / x\n\n\nprint('before')\nf(0)")
    assert shown.startswith("before\nTraceback") and 'File "this cell", line 2, in f' in shown
    assert "return 1 / x" in shown and "ZeroDivisionError: division by zero" in shown and "driver" not in shown
    assert "SyntaxError" in (shown := run(live[1], "1 +")) and 'File "this cell", line 1' in shown
    assert "Traceback" not in shown or "ast.py" not in shown
    live[0].get_by_role("textbox").fill("number = missing")
    assert 'File "live cell 1 of this page", line 1' in run(live[1])
    assert "standard library only" in run(live[0], "import numpy")
    assert "lost sys.stdin" in run(live[0], "input()")
    assert "SystemExit" in run(live[0], "import sys; sys.exit(3)")
    assert run(live[0], "print(6 * 7)") == "42\n"  # and it goes on


@pytest.mark.slow
def test_output_has_a_limit(live):
    shown = run(live[0], "for i in range(100_000):\n    print(i)")
    assert "output is cut here" in shown and 20_000 <= len(shown) < 20_200
    assert run(live[0], "print('x' * 19_990)") == "x" * 19_990 + "\n"


@pytest.mark.slow
def test_keys(shared, live):
    editor = live[0].get_by_role("textbox")
    editor.fill("")
    editor.focus()
    shared.keyboard.type("for i in range(2):")
    shared.keyboard.press("Enter")
    shared.keyboard.type("print(i)")
    shared.keyboard.press("Enter")
    shared.keyboard.press("Tab")
    shared.keyboard.type("pass")
    assert editor.input_value() == "for i in range(2):\n    print(i)\n        pass"
    shared.keyboard.press("Control+z")
    assert "pass" not in editor.input_value()
    editor.fill("print('by key')")
    shared.keyboard.press("Control+Enter")
    live[0].get_by_text("Done.").wait_for()
    assert live[0].locator(".nn-live-python-output").inner_text() == "by key\n"
    shared.keyboard.press("Escape")
    shared.keyboard.press("Tab")
    assert shared.evaluate("document.activeElement.textContent") == "Run"


@pytest.mark.slow
def test_a_loop_without_an_end_is_stopped_and_the_next_run_works(live):
    live[0].get_by_role("textbox").fill("print('started')\nwhile True:\n    pass")
    live[0].get_by_role("button", name="Run").click()
    live[0].get_by_text("started", exact=True).wait_for()
    assert live[0].get_by_role("button", name="Run").is_disabled()
    live[0].get_by_role("button", name="Stop").click()
    assert live[0].get_by_text("Stopped.").is_visible()
    # while one cell runs, starting another stops it
    live[0].get_by_role("button", name="Run").click()
    live[0].get_by_text("started", exact=True).wait_for()
    live[1].get_by_role("textbox").fill("1")
    live[1].get_by_role("button", name="Run").click()
    live[0].get_by_text("Stopped.").wait_for()
    live[1].get_by_role("button", name="Stop").click()  # the first cell would never end
    live[1].get_by_text("Stopped.").wait_for()
    assert run(live[0], "print('again')") == "again\n"


@pytest.mark.slow
def test_a_server_that_does_not_know_wasm_will_do(context, address):
    page = open_page(context, address, "/plain/index.html")
    first = page.locator("div.cell.tag_live").first
    first.get_by_role("button", name="Edit and run").click()
    assert "Loading Python, 6 MB" in first.get_by_role("status").inner_text()
    assert run(first) == "from the first cell\n"
    assert any(url.endswith("pyodide.asm.wasm") for url in page.requested) and page.elsewhere == []
    page.close()


@pytest.mark.slow
def test_where_python_is_not_there_the_page_says_so(context, address):
    page = open_page(context, address, "/without/index.html")
    first = page.locator("div.cell.tag_live").first
    first.get_by_role("button", name="Edit and run").click()
    first.get_by_text("Python could not be loaded").wait_for()
    assert first.get_by_role("button", name="Run").is_enabled()
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_CELLS)
def test_each_live_cell_of_the_book_prints_in_the_browser_what_the_page_shows(context, address, name):
    source = BeautifulSoup((SITE / name).read_text(encoding="utf-8"), "html.parser").select("div.cell.tag_live")
    page = open_page(context, address, f"/{name}")
    for index, expected in enumerate(source):
        shown = page.locator("div.cell.tag_live").nth(index)
        shown.get_by_role("button", name="Edit and run").click()
        output = run(shown)
        written = expected.select_one(".cell_output")
        assert output.split() == (written.get_text().split() if written else [])
    assert page.elsewhere == []
    page.close()
