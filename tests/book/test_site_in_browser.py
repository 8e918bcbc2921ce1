"""The built website in a browser: no request to another host, no error, formulas and icons drawn, fits a phone."""

from __future__ import annotations

import functools
import os
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: run `make setup`")

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("NEURALNOTES_SITE", ROOT / "_build" / "html"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SITE / "index.html").is_file(), reason=f"no website in {SITE}: run `make book`"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


def page_names() -> list[str]:
    folders = [SITE / "book", SITE / "exercises"]
    return sorted(str(page.relative_to(SITE)) for folder in folders for page in folder.rglob("*.html"))


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", page_names())
def test_a_page_loads_from_here_alone_and_without_errors(browser, address, name, size):
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    elsewhere, errors = [], []
    page.on("request", lambda r: r.url.startswith((address, "data:", "blob:")) or elsewhere.append(r.url))
    page.on("response", lambda r: r.status < 400 or errors.append(f"{r.status} {r.url}"))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: m.type != "error" or errors.append(m.text))
    page.goto(address + name, wait_until="networkidle")
    page.wait_for_function("() => !document.querySelector('article .math') || document.querySelector('mjx-container')")
    page.wait_for_function("() => !document.querySelector('i.fa, i.fas, i.far, i.fab, i.fa-solid')", timeout=5000)
    assert elsewhere == []
    assert errors == []
    assert page.locator("[data-fa-i2svg][data-icon='circle-question']").count() == 0, "an icon is missing in icons.js"
    assert page.locator("mjx-merror").count() == 0, "a formula has an error"
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than the window"
    context.close()
