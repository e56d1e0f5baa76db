"""The page in a real browser, as people use it; no request may leave this machine.

Needs Chromium (`apt-get install chromium`). Without it these tests are left out, but for CI, which must have it.
"""

import io
import os
import shutil
import zipfile
from urllib.parse import urlsplit

import pytest
from PIL import Image

import pxs
from pxs.expressions import Mix
from pxs.images import read_text

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None and not os.environ.get("CI"):
    pytest.skip("no Chromium is installed", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api")
PATIENCE = 600_000  # milliseconds that a test waits for the page

DROPPED = """([kind, bytes, name]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
  const event = kind === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
  document.body.dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def app(make_app):
    return make_app()


class Visitor:
    """A page that is open in a browser, and what it asked for."""

    def __init__(self, browser, app):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
        context.set_default_timeout(PATIENCE)
        self.page, self.requests, self.errors = context.new_page(), [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(app.place.address)
        self.expect("status", "neutral · seed 42 · 20 steps")
        self.page.fill("#steps", "2")
        self.page.dispatch_event("#steps", "change")
        self.expect("status", "neutral · seed 42 · 2 steps")

    def expect(self, name, words):
        sync_api.expect(self.page.locator(f"#{name}")).to_contain_text(words, timeout=PATIENCE)

    def value(self, name):
        return float(self.page.input_value(f"#{name}"))

    def set(self, name, value):
        """Move a slider as a mouse does: the page gets its value, then that it was let go."""
        self.page.locator(f"#mix-{name}").fill(str(value))

    def download(self, button):
        with self.page.expect_download(timeout=PATIENCE) as found:
            self.page.click(button)
        return found.value.suggested_filename, found.value.path().read_bytes()


@pytest.fixture
def visit(browser):
    """A function that opens the page of an app; afterwards, no page has had errors or asked another machine."""
    found = []

    def open_page(app):
        found.append(Visitor(browser, app))
        return found[-1]

    yield open_page
    for one in found:
        one.page.context.close()
        hosts = {urlsplit(url).hostname for url in one.requests if not url.startswith(("data:", "blob:"))}
        assert hosts == {"127.0.0.1"} and one.errors == []


@pytest.fixture
def visitor(visit, app):
    return visit(app)


def drawn(seed, style="human"):
    image = pxs.draw(pxs.Identity.sample(seed), style=style)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return image, buffer.getvalue()


def pixels(content):
    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGB").tobytes()


def expected(editor, image, mix, seed=42, domain="human"):
    return editor.open(image, domain).edit(mix, seed, 2, progress=False)[0].tobytes()


def test_move_wipe_keep_and_download(visitor, editor):
    page, source = visitor.page, drawn(400000)[0]
    page.focus("#mix-happy")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    visitor.expect("status", "happy 0.2 ·")
    box = page.locator("#mix-sad").bounding_box()
    page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] / 2, steps=3)
    page.mouse.up()
    visitor.expect("status", "happy 0.2 + sad 1.5 ·")
    assert "sad=1.5" in page.text_content("#command") and "sad=1.5" in page.text_content("#python")
    name, content = visitor.download("#save")
    assert name == "human_000_neutral_happy_0.2-sad_1.5.png"
    assert pixels(content) == expected(editor, source, Mix(happy=0.2, sad=1.5))
    frame = page.locator("#frame").bounding_box()
    page.mouse.move(frame["x"] + 5, frame["y"] + 50)
    page.mouse.down()
    page.mouse.move(frame["x"] + frame["width"] / 2, frame["y"] + 50, steps=3)
    page.mouse.up()
    assert visitor.value("wipe") == pytest.approx(50, abs=1)
    shown = page.evaluate("getComputedStyle(document.getElementById('before')).clipPath")
    assert shown.startswith("inset(0") and "50%" in shown
    page.click("#keep")
    page.click("text=Delight")
    visitor.expect("status", "happy 0.8 + surprised 0.5 ·")
    page.click("#keep")
    page.wait_for_selector("#webp:enabled")
    archive = zipfile.ZipFile(io.BytesIO(visitor.download("#zip")[1]))
    assert archive.read(archive.namelist()[0]) == content and len(archive.namelist()) == 3
    assert visitor.download("#gif")[1].startswith(b"GIF89a")
    page.click("#kept li:first-child >> text=Remove")
    page.wait_for_function("document.querySelectorAll('#kept li').length === 1")


def test_pad_presets_and_details(visitor):
    page = visitor.page
    page.select_option("#up", "fear")
    pad = page.locator("#pad").bounding_box()
    page.mouse.click(pad["x"] + pad["width"] / 3, pad["y"] + pad["height"] / 3)
    visitor.expect("status", "happy 0.5 + fear 1 ·")
    page.keyboard.press("Tab")
    page.focus("#pad")
    page.keyboard.press("ArrowDown")
    visitor.expect("status", "happy 0.5 + fear 0.95 ·")
    page.fill("#seed", "9")
    page.dispatch_event("#seed", "change")
    visitor.expect("status", "seed 9 ·")
    name, preset = visitor.download("#preset")
    assert name == "happy_0.5-fear_0.95.json"
    page.click("#reset")
    visitor.expect("status", "neutral ·")
    page.set_input_files("#file", {"name": name, "mimeType": "application/json", "buffer": preset})
    visitor.expect("status", "happy 0.5 + fear 0.95 ·")


def test_upload_drop_paste_and_a_file_of_ours(visitor, editor):
    page = visitor.page
    source, content = drawn(77)
    page.set_input_files("#file", {"name": "mia.png", "mimeType": "image/png", "buffer": content})
    page.wait_for_function("document.getElementById('before').alt.includes('mia.png')")
    visitor.set("happy", 1)
    visitor.expect("status", "happy 1 ·")
    _, saved = visitor.download("#save")
    assert pixels(saved) == expected(editor, source, Mix(happy=1))
    page.click("#reset")
    for kind, seed in (("drop", 78), ("paste", 79)):
        page.evaluate(DROPPED, [kind, list(drawn(seed)[1]), f"{kind}ed.png"])
        page.wait_for_function(f"document.getElementById('before').alt.includes('{kind}ed.png')")
    visitor.expect("status", "neutral ·")
    page.set_input_files("#file", {"name": "saved.png", "mimeType": "image/png", "buffer": saved})
    visitor.expect("status", "happy 1 ·")
    assert "mia.png" in page.get_attribute("#before", "alt") and visitor.value("mix-happy") == 1
    visitor.expect("note", "Picture, sliders and seed are those of saved.png.")
    assert read_text(visitor.download("#save")[1]) == read_text(saved)
    page.set_input_files("#file", {"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"})
    visitor.expect("status", "not a picture")
    page.set_input_files("#file", {"name": "big.png", "mimeType": "image/png", "buffer": b"x" * 400_000})
    visitor.expect("status", "make it smaller")


def test_reload_and_restart(visit, make_app, editor):
    app = make_app()
    visitor = visit(app)
    page, (source, content) = visitor.page, drawn(80)
    page.set_input_files("#file", {"name": "zoe.png", "mimeType": "image/png", "buffer": content})
    visitor.set("angry", 0.8)
    visitor.expect("status", "angry 0.8 ·")
    page.click("#keep")
    page.wait_for_selector("#kept li")
    page.reload()
    visitor.expect("status", "angry 0.8 ·")
    assert visitor.value("mix-angry") == 0.8 and "zoe.png" in page.get_attribute("#before", "alt")
    assert page.locator("#kept li").count() == 1
    page.set_input_files("#file", {"name": "ada.png", "mimeType": "image/png", "buffer": content})
    page.wait_for_function("document.getElementById('before').alt.includes('ada.png')")
    app.stop()
    visitor.expect("banner", "pxs app")
    make_app(port=app.place.port)
    visitor.expect("note", "started again")
    assert page.is_hidden("#banner")
    page.wait_for_function("document.getElementById('before').alt.includes('ada.png')")
    visitor.expect("status", "angry 0.8 ·")
    assert pixels(visitor.download("#save")[1]) == expected(editor, source, Mix(angry=0.8))
