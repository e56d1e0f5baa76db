"""The page in a real browser, as people use it, under its own policy; no request may leave this machine.

Runs where playwright and a Chromium are installed; skipped elsewhere.
"""

import io
import re
import zipfile
from urllib.parse import urlsplit

import pytest
from app_client import opened, png
from chromium import launched, needs_chromium, playwright

import pxs
from pxs.app.desk import Limits
from pxs.expressions import EXPRESSIONS, Mix
from pxs.images import read_text

expect = playwright.expect
pytestmark = needs_chromium
PATIENCE = 600_000  # milliseconds that a test waits for the page
CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]

GIVEN = """([kind, bytes, name]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
  const event = kind === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
  document.body.dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def browser():
    with launched(*CAMERA) as opened:
        yield opened


class Visitor:
    """A page that is open in a browser, and what it asked for."""

    def __init__(self, browser, app, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(PATIENCE)
        self.page, self.requests, self.errors = context.new_page(), [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(app.address)
        self.expect("status", "neutral · seed 42 · 2 steps")

    def expect(self, name, words):
        expect(self.page.locator(f"#{name}")).to_contain_text(words, timeout=PATIENCE)

    def expect_source(self, name):
        expect(self.page.locator("#before")).to_have_attribute("alt", f"the source, {name}", timeout=PATIENCE)

    def expect_kept(self, count):
        expect(self.page.locator("#kept li")).to_have_count(count, timeout=PATIENCE)

    def value(self, name):
        return float(self.page.input_value(f"#{name}"))

    def upload(self, name, content):
        self.page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": content})

    def drag(self, name, start, end):
        """Press the mouse at a place in an element (shares of its width and height), and let go at another."""
        box = self.page.locator(f"#{name}").bounding_box()
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        self.page.mouse.move(*places[1], steps=3)
        self.page.mouse.up()

    def download(self, button):
        with self.page.expect_download(timeout=PATIENCE) as found:
            self.page.click(button)
        return found.value.suggested_filename, found.value.path().read_bytes()


@pytest.fixture
def visit(browser):
    """A function that opens the page of an app; afterwards, no page has had errors or asked another machine."""
    found = []

    def open_page(app, **options):
        found.append(Visitor(browser, app, **options))
        return found[-1]

    yield open_page
    for one in found:
        one.page.context.close()
        hosts = {urlsplit(url).hostname for url in one.requests if not url.startswith(("data:", "blob:"))}
        assert hosts == {"127.0.0.1"} and one.errors == []


def drawn(seed):
    """A face that nobody else has opened, and its file."""
    image = pxs.draw(pxs.Identity.sample(seed))
    return image, png(image)


def expected(editor, image, mix, seed=42):
    return editor.open(image).edit(mix, seed, 2, progress=False)[0].tobytes()


def test_move_wipe_keep_and_download(visit, app, editor):
    visitor = visit(app)
    page = visitor.page
    page.get_by_role("slider", name="happy", exact=True).focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    visitor.expect("status", "happy 0.2 ·")
    visitor.drag("mix-sad", (0.02, 0.5), (0.99, 0.5))
    visitor.expect("status", "happy 0.2 + sad 1.5 ·")
    visitor.expect("command", "sad=1.5")
    visitor.expect("python", "sad=1.5")
    name, content = visitor.download("#save")
    assert name == "human_000_neutral_happy_0.2-sad_1.5.png"
    assert opened(content).tobytes() == expected(editor, drawn(400000)[0], Mix(happy=0.2, sad=1.5))
    visitor.drag("frame", (0.1, 0.1), (0.5, 0.1))
    assert visitor.value("wipe") == pytest.approx(50, abs=1)
    assert "50%" in page.evaluate("getComputedStyle(document.getElementById('before')).clipPath")
    page.click("#keep")
    visitor.expect_kept(1)
    page.click("text=Delight")
    visitor.expect("status", "happy 0.8 + surprised 0.5 ·")
    page.click("#keep")
    visitor.expect_kept(2)
    with zipfile.ZipFile(io.BytesIO(visitor.download("#zip")[1])) as archive:
        assert archive.read(archive.namelist()[0]) == content and len(archive.namelist()) == 3
    assert visitor.download("#gif")[1].startswith(b"GIF89a")
    page.click("#kept li:first-child .again")  # back to the first
    visitor.expect("status", "happy 0.2 + sad 1.5 ·")
    page.get_by_role("button", name="remove happy 0.2 + sad 1.5").click()
    visitor.expect_kept(1)


def test_pad_presets_and_details(visit, app):
    visitor = visit(app)
    page = visitor.page
    page.select_option("#up", "fear")
    visitor.drag("pad", (0.5, 0.5), (1 / 3, 1 / 3))
    visitor.expect("status", "happy 0.5 + fear 1 ·")
    page.focus("#pad")
    page.keyboard.press("ArrowDown")
    visitor.expect("status", "happy 0.5 + fear 0.95 ·")
    expect(page.locator("#pad")).to_have_attribute("aria-valuetext", "happy 0.5, fear 0.95")
    page.fill("#seed", "9")
    page.keyboard.press("Tab")
    visitor.expect("status", "seed 9 ·")
    name, preset = visitor.download("#preset")
    assert name == "happy_0.5-fear_0.95.json"
    page.click("#reset")
    visitor.expect("status", "neutral ·")
    visitor.upload(name, preset)
    visitor.expect("status", "happy 0.5 + fear 0.95 · seed 9 ·")


def test_pictures_come_by_button_drop_paste_and_camera_and_ours_bring_their_settings(visit, app, editor, monkeypatch):
    visitor = visit(app)
    page, (source, content) = visitor.page, drawn(77)
    visitor.upload("mia.png", content)
    visitor.expect_source("mia.png")
    page.fill("#mix-happy", "1")
    visitor.expect("status", "happy 1 ·")
    _, saved = visitor.download("#save")
    assert opened(saved).tobytes() == expected(editor, source, Mix(happy=1))
    page.click("#reset")
    for kind, seed in (("drop", 78), ("paste", 79)):
        page.evaluate(GIVEN, [kind, list(drawn(seed)[1]), f"{kind}.png"])
        visitor.expect_source(f"{kind}.png")
    visitor.expect("status", "neutral ·")
    visitor.upload("saved.png", saved)
    visitor.expect("status", "happy 1 ·")
    visitor.expect_source("mia.png")
    visitor.expect("note", "Picture, sliders and seed are those of saved.png.")
    assert visitor.value("mix-happy") == 1 and read_text(visitor.download("#save")[1]) == read_text(saved)
    visitor.upload("no.png", b"no picture")
    visitor.expect("status", "not a picture")
    visitor.upload("big.png", b"x" * 400_000)
    visitor.expect("status", "make it smaller")
    page.click("#styles >> text=anime")
    page.get_by_role("button", name="anime 3").click()
    visitor.expect_source("anime_002_neutral.png")
    monkeypatch.setattr(app.desk, "limits", Limits())  # a camera's picture is large
    page.reload()
    page.click("#camera")
    expect(page.locator("#video")).to_be_visible()
    page.click("#shoot")
    visitor.expect_source("camera.png")


def test_everything_has_a_name_and_fits_a_narrow_window(visit, app):
    visitor = visit(app, viewport={"width": 320, "height": 640}, color_scheme="dark")
    page = visitor.page
    for name in EXPRESSIONS:
        assert page.get_by_role("slider", name=name, exact=True).count() == 1
    assert page.get_by_role("slider").count() == len(EXPRESSIONS) + 2  # the wipe and the pad
    for role in ("slider", "button", "combobox", "spinbutton", "img", "region"):
        every = page.get_by_role(role)
        assert every.count() == page.get_by_role(role, name=re.compile(r"\w")).count() > 0, role
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    page.get_by_role("slider", name="confused").scroll_into_view_if_needed()
    expect(page.locator("#after")).to_be_in_viewport()  # the picture stays in sight
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"


def test_a_place_in_the_queue_is_shown(visit, app):
    visitor = visit(app)
    with app.held():
        visitor.page.fill("#mix-happy", "0.5")
        visitor.expect("status", "waiting: place 1 in the queue")
    visitor.expect("status", "happy 0.5 ·")


def test_reload_and_restart(visit, app, make_app, editor):
    visitor = visit(app)
    page, (source, content) = visitor.page, drawn(80)
    visitor.upload("zoe.png", content)
    page.fill("#mix-angry", "0.8")
    visitor.expect("status", "angry 0.8 ·")
    page.click("#keep")
    visitor.expect_kept(1)
    page.reload()
    visitor.expect("status", "angry 0.8 ·")
    visitor.expect_source("zoe.png")
    visitor.expect_kept(1)
    assert visitor.value("mix-angry") == 0.8
    visitor.upload("ada.png", content)
    visitor.expect_source("ada.png")
    app.stop()
    visitor.expect("banner", "pxs app")
    make_app(port=app.port)
    visitor.expect("note", "started again")
    expect(page.locator("#banner")).to_be_hidden()
    visitor.expect_source("ada.png")
    visitor.expect("status", "angry 0.8 ·")
    assert opened(visitor.download("#save")[1]).tobytes() == expected(editor, source, Mix(angry=0.8))
