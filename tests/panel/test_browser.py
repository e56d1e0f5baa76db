"""The panel in JupyterLab and in an export, in a real browser: names, keys, a restarted kernel, a saved notebook."""

import contextlib
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from chromium import launched, needs_chromium, playwright

from pxs.expressions import EXPRESSIONS

ROOT = Path(__file__).parents[2]
PATIENCE = 300  # seconds
CELL = """import pxs
panel = pxs.Panel(pxs.load("mini", adapter=None).open(pxs.draw(pxs.Identity.sample(400003))), pxs.Mix(sad=1), steps=2)
panel"""

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def page():
    """A page of the system's browser, which reaches this machine alone."""
    with launched() as browser:
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(1000 * PATIENCE)
        page.route(lambda url: "//127.0.0.1:" not in url and not url.startswith("file:"), lambda route: route.abort())
        yield page


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a notebook of one panel."""
    folder = tmp_path_factory.mktemp("lab")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "panel.ipynb")
    return folder


@pytest.fixture(scope="module")
def lab(folder):
    """The address of the notebook in a JupyterLab."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    home = {name: str(folder / f".{name}") for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--port-retries=0"]
    options = [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}", "--LabApp.news_url=None"]
    environment = {**os.environ, **home, "PYTHONPATH": str(ROOT)}
    with open(folder / "lab.log", "wb") as log:
        server = subprocess.Popen([*command, *options], cwd=folder, env=environment, stdout=log, stderr=log)

    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/api/status?token={token}"):
                break
            assert server.poll() is None, (folder / "lab.log").read_text()
            time.sleep(0.2)
        yield f"{address}/lab/tree/panel.ipynb?reset&token={token}"
    finally:
        server.terminate()
        server.wait(PATIENCE)


def images(page):
    """The alternative texts of the pictures that are seen."""
    return [i.get_attribute("alt") for i in page.locator(".jp-OutputArea img").all() if i.is_visible()]


def test_a_panel_lives_is_restarted_and_is_exported(page, lab, folder):
    expect = playwright.expect
    expect.set_options(timeout=1000 * PATIENCE)
    page.goto(lab)
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()  # before, a cell would not be executed
    page.locator(".jp-Notebook .jp-Cell .cm-content").click()
    page.keyboard.press("Shift+Enter")
    sad = page.get_by_role("slider", name="intensity of sad")
    expect(sad).to_be_visible()
    expect(page.locator("img.pxs-edit")).to_have_attribute("alt", "edited: sad 1")
    assert page.get_by_role("slider").count() == 12
    for name in EXPRESSIONS:
        expect(page.get_by_role("slider", name=f"intensity of {name}", exact=True)).to_be_visible()
    assert images(page) == ["the source", "edited: sad 1"]  # and none of the picture beside the living panel

    sad.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("img.pxs-edit")).to_have_attribute("alt", "edited: sad 0.95")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator(".pxs-one img")).to_have_attribute("alt", "edited: sad 0.95")
    page.get_by_role("button", name=re.compile("Save: write sad 0.95, seed 42")).click()
    expect(page.get_by_role("status")).to_contain_text("written: sad_0.95_seed42.png")
    assert (folder / "sad_0.95_seed42.png").stat().st_size > 0
    page.get_by_role("button", name=re.compile("Remove: take sad 0.95")).click()
    expect(page.locator(".pxs-one")).to_have_count(0)

    page.keyboard.press("Control+s")
    page.locator(".jp-Notebook .jp-Cell .jp-InputPrompt").first.click()
    page.keyboard.press("Escape")
    page.keyboard.press("0")
    page.keyboard.press("0")
    page.get_by_role("dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    expect(page.get_by_text("to move its sliders, run the cell again")).to_be_visible()
    expect(page.get_by_role("slider")).to_have_count(0)
    assert images(page) == ["the source", "edited: sad 0.95"]

    exported = folder / "panel.html"
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(folder / "panel.ipynb")]
    subprocess.run(command, check=True, capture_output=True)
    page.goto(f"file://{exported}")
    expect(page.get_by_text("to move its sliders, run the cell again")).to_be_visible()
    seen = page.locator("figure img").all()
    assert [i.get_attribute("alt") for i in seen] == ["the source", "edited: sad 0.95"]
    assert all(i.evaluate("image => image.complete && image.naturalWidth > 0") for i in seen)
