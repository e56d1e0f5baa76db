"""A real browser for tests of pages: a Chromium of this machine, driven by playwright. Skips where one is missing."""

import contextlib
import shutil

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright", exc_type=ImportError)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium")


@contextlib.contextmanager
def launched(*flags):
    """The browser, with more flags of its command line."""
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *flags])
        yield browser
        browser.close()
