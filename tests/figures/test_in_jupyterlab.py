"""A figure in JupyterLab: it is shown, Python reads what the reader did, and Python can put it into a state."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import pytest

CELLS = [
    "from neuralnotes.figures import Perceptron\nfigure = Perceptron()\nfigure",
    "before = figure.state\nprint('points before:', len(figure.points))",
    "print('moved:', before != figure.state)",
]


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab of our own, with one notebook in it."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "figure.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_SETTINGS_DIR")
    home = {name: str(tmp_path / ".home") for name in folders}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
               "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True",
               "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=tmp_path, env=os.environ | home, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(address + "/api/status", timeout=2).close()
            break
        except (urllib.error.URLError, TimeoutError):
            assert server.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.2)
    yield address
    server.terminate()
    server.wait(30)


def test_python_reads_what_the_reader_did(lab, chromium):
    page = chromium.new_page(viewport={"width": 1200, "height": 1000})
    elsewhere = []
    page.on("request", lambda r: r.url.startswith((lab, "data:", "blob:", "ws:")) or elsewhere.append(r.url))
    page.goto(lab + "/lab/tree/figure.ipynb")
    cells = page.locator(".jp-CodeCell")
    cells.nth(2).wait_for(timeout=60_000)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    cells.nth(0).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    handle = page.locator(".nn-fig .nn-handle").first
    handle.wait_for(timeout=60_000)
    cells.nth(1).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    cells.nth(1).locator("pre", has_text="points before:").wait_for(timeout=30_000)
    handle.focus()
    page.keyboard.press("Shift+ArrowUp")
    cells.nth(2).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    cells.nth(2).locator("pre", has_text="moved: True").wait_for(timeout=30_000)
    assert elsewhere == []
    page.close()
