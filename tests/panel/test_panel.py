"""The panel, driven as a browser does it, by traits and clicks: its pictures, what a newer request does, its errors."""

import html
import io
import re
import subprocess
import sys
import threading

import ipywidgets
import pytest
from PIL import Image

import pxs
from pxs.errors import PxsError, ScaleError
from pxs.expressions import BASIC, COLOURS, EXPRESSIONS, Mix
from pxs.panel.view import View, jpeg, scaled
from pxs.panel.worker import MAX_STEPS, Request, previewed

PATIENCE = 60  # seconds after which a test gives up waiting for another thread
STEPS = 4


@pytest.fixture(scope="module")
def opened(editor):
    return editor.open(pxs.draw(pxs.Identity.sample(400003)))


@pytest.fixture
def portrait(opened, monkeypatch):
    """One whose `steps` a test may replace."""
    monkeypatch.setattr(opened, "steps", opened.steps)
    return opened


@pytest.fixture
def make(portrait):
    """Makes panels that are closed after the test."""
    made = []

    def panel(*args, **options):
        made.append(pxs.Panel(portrait, *args, **{"steps": STEPS, **options}))
        return made[-1]

    yield panel
    for each in made:
        each.close()


class Gate:
    """Stops an edit once its step `last` has been dealt with, until it is opened."""

    def __init__(self, portrait, last=0):
        self.reached, self.opened, self.seen = threading.Event(), threading.Event(), []
        self.last, self._steps = last, portrait.steps
        portrait.steps = self.steps

    def steps(self, mixes, seed, steps):
        for step in self._steps(mixes, seed, steps):
            self.seen.append((mixes[0], step.index))
            yield step
            if step.index >= self.last:
                self.reached.set()
                assert self.opened.wait(PATIENCE)

    def wait(self):
        assert self.reached.wait(PATIENCE)


def values(widget, trait="value"):
    """A list that grows by every new value of a trait."""
    seen = []
    widget.observe(lambda change: seen.append(change.new), trait)
    return seen


def shown(view):
    return Image.open(io.BytesIO(view.edit.value))


def line(view):
    return html.unescape(re.fullmatch(r"<code>(.*)</code>", view.line.value)[1])


def picture(edits):
    return jpeg(edits[0], edits[0].size)


@pytest.mark.parametrize(
    ("total", "after"), [(1, []), (2, []), (3, [2]), (5, [2, 4]), (20, [5, 10, 15]), (50, [12, 24, 36, 48])]
)
def test_previews_stand_between_the_steps(total, after):
    assert [index + 1 for index in range(total) if previewed(index, total)] == after


@pytest.mark.parametrize("mix", [Mix(), Mix(happy=0.7, surprised=0.5), Mix(confused=1.5)], ids=str)
def test_the_picture_is_that_of_portrait_edit(make, portrait, mix):
    panel = make(Mix(sad=1), seed=7)
    panel.wait(PATIENCE)
    for name in EXPRESSIONS:
        panel.view.sliders[name].value = mix[name]
    edits, expected = panel.wait(PATIENCE), portrait.edit(mix, seed=7, steps=STEPS, progress=False)
    assert edits[0].tobytes() == expected[0].tobytes()
    assert (edits.mixes, edits.seed, edits.steps) == (expected.mixes, expected.seed, expected.steps)
    assert edits.provenance == expected.provenance
    assert panel.view.edit.value == picture(expected)


def test_a_picture_of_another_size_comes_back_at_its_own(editor):
    portrait = editor.open(pxs.draw(pxs.Identity.sample(5), size=160))
    panel = pxs.Panel(portrait, Mix(fear=1), steps=3)
    edits = panel.wait(PATIENCE)
    panel.close()
    assert edits[0].tobytes() == portrait.edit(Mix(fear=1), steps=3, progress=False)[0].tobytes()
    assert shown(panel.view).size == (160, 160)


def test_seed_and_steps_make_another_picture(make, portrait):
    panel = make(Mix(happy=1))
    first = panel.wait(PATIENCE)
    panel.view.seed.value, panel.view.steps.value = 7, 3
    second = panel.wait(PATIENCE)
    assert (second.seed, second.steps) == (7, 3)
    assert second[0].tobytes() != first[0].tobytes()
    assert second[0].tobytes() == portrait.edit(Mix(happy=1), seed=7, steps=3, progress=False)[0].tobytes()


def test_the_line_makes_the_picture(make, portrait):
    panel = make(seed=11)
    panel.view.sliders["happy"].value = 0.1 + 0.2  # not 0.3
    panel.view.sliders["angry"].value = 1.15
    edits = panel.wait(PATIENCE)
    assert edits.mixes == (Mix(happy=0.3, angry=1.15),)
    assert line(panel.view) == f"portrait.edit(pxs.Mix(happy=0.3, angry=1.15), seed=11, steps={STEPS})"
    assert eval(line(panel.view), {"pxs": pxs, "portrait": portrait})[0].tobytes() == edits[0].tobytes()


def test_progress_and_previews_lead_to_the_picture(make, portrait):
    panel = make()
    panel.wait(PATIENCE)
    pictures, counts = values(panel.view.edit), values(panel.view.progress)
    visible = values(panel.view.progress.layout, "visibility")
    panel.view.sliders["surprised"].value = 1
    edits = panel.wait(PATIENCE)
    steps = list(portrait.steps([Mix(surprised=1)], edits.seed, STEPS))
    preview = portrait.preview(steps[1].clean)[0]
    assert pictures == [jpeg(preview, preview.size), picture(edits)]
    assert counts == [0, 1, 2, 3, 4] and panel.view.progress.max == STEPS
    assert visible == ["visible", "hidden"]


def test_the_newest_request_wins(make, portrait):
    gate = Gate(portrait)
    panel = make(Mix(sad=1))
    gate.wait()
    lines, pictures = values(panel.view.line), values(panel.view.edit)
    panel.view.sliders["sad"].value = 0
    panel.view.sliders["happy"].value = 0.5
    gate.opened.set()
    edits = panel.wait(PATIENCE)
    panel.close()
    assert edits.mixes == (Mix(happy=0.5),)
    assert [index for mix, index in gate.seen if mix == Mix(sad=1)] == [0, 1]  # left at its next step
    assert [index for mix, index in gate.seen if mix == Mix(happy=0.5)] == [0, 1, 2, 3]
    assert {mix for mix, _ in gate.seen} == {Mix(sad=1), Mix(happy=0.5)}  # what lay between was never begun
    assert len(lines) == 1 and "happy=0.5" in lines[0]
    assert len(pictures) == 2 and pictures[-1] == picture(edits)  # a preview of the newest, and the newest


def test_cancel_goes_back_to_what_was_finished(make, portrait):
    panel = make(Mix(happy=1))
    first, before = panel.wait(PATIENCE), panel.view.line.value
    gate = Gate(portrait, last=1)
    panel.view.sliders["happy"].value = 0.2
    gate.wait()
    assert panel.view.edit.value != picture(first)  # a preview
    assert (panel.view.cancel.disabled, panel.view.keep.disabled) == (False, True)
    panel.view.cancel.click()
    assert panel.view.request == Request(Mix(happy=1), first.seed, STEPS)
    assert (panel.view.cancel.disabled, panel.view.keep.disabled) == (True, False)
    assert panel.wait(PATIENCE) is first
    gate.opened.set()
    panel.close()  # the thread has ended: it shows nothing any more
    assert panel.view.edit.value == picture(first) and panel.view.line.value == before
    assert panel.view.caption.value == "edit"
    assert gate.seen[-1] == (Mix(happy=0.2), 2)


@pytest.mark.parametrize("what", ["preview", "finish"])
def test_what_is_decoded_when_cancel_is_pressed_is_never_shown(make, portrait, monkeypatch, what):
    panel = make(Mix(happy=1))
    first = panel.wait(PATIENCE)
    decode, reached, opened = getattr(portrait, what), threading.Event(), threading.Event()

    def slow(*args):
        reached.set()
        assert opened.wait(PATIENCE)
        return decode(*args)

    monkeypatch.setattr(portrait, what, slow)
    panel.view.seed.value = 5
    assert reached.wait(PATIENCE)
    panel.view.cancel.click()
    opened.set()
    panel.close()
    assert panel.view.edit.value == picture(first) and panel.edits is first
    assert panel.view.message.value == ""


def test_cancel_of_the_first_edit_shows_the_source(make, portrait):
    gate = Gate(portrait, last=1)
    panel = make()
    gate.wait()
    assert panel.view.edit.value != panel.view.source.value
    panel.view.cancel.click()
    with pytest.raises(PxsError, match="no edit was finished"):
        panel.wait(PATIENCE)
    panel.keep()
    assert panel.kept == [] and panel.edits is None and panel.view.keep.disabled
    assert panel.view.edit.value == panel.view.source.value
    assert eval(line(panel.view), {"portrait": portrait}) is portrait.source
    gate.opened.set()


def test_cancel_with_nothing_running_changes_nothing(make):
    panel = make(Mix(happy=1))
    edits = panel.wait(PATIENCE)
    panel.view.cancel.click()
    assert panel.wait(PATIENCE) is edits and panel.view.request.mix == Mix(happy=1)


def test_waiting_ends_at_its_timeout(make, portrait):
    gate = Gate(portrait)
    panel = make()
    gate.wait()
    with pytest.raises(TimeoutError):
        panel.wait(0.01)
    gate.opened.set()
    assert panel.wait(PATIENCE).mixes == (Mix(),)


def test_an_error_is_shown_and_raised_by_wait(make, portrait):
    panel = make(Mix(happy=1))
    first, good = panel.wait(PATIENCE), portrait.steps

    def broken(*_):
        raise ValueError("no <b>memory</b>\nleft & lost")

    portrait.steps = broken
    panel.view.sliders["sad"].value = 1
    for _ in range(2):
        with pytest.raises(ValueError, match="left & lost"):
            panel.wait(PATIENCE)
    assert "no &lt;b&gt;memory&lt;/b&gt; left &amp; lost" in panel.view.message.value
    assert "<b>" not in panel.view.message.value and "\n" not in panel.view.message.value
    assert panel.view.edit.value == picture(first) and "sad" not in line(panel.view)
    assert (panel.view.cancel.disabled, panel.view.progress.layout.visibility) == (True, "hidden")
    portrait.steps = good
    panel.view.sliders["sad"].value = 0.5
    assert panel.wait(PATIENCE).mixes == (Mix(happy=1, sad=0.5),)
    assert panel.view.message.value == ""


def test_an_error_halfway_is_shown_too(make, portrait):
    good = portrait.steps

    def breaks(*args):
        yield next(good(*args))
        raise RuntimeError("the device is lost")

    portrait.steps = breaks
    panel = make()
    with pytest.raises(RuntimeError, match="the device is lost"):
        panel.wait(PATIENCE)
    assert "the device is lost" in panel.view.message.value
    assert panel.view.edit.value == panel.view.source.value and panel.view.keep.disabled


def test_keep_collects_edits_with_their_labels(make):
    panel = make(Mix(happy=1))
    first = panel.wait(PATIENCE)
    panel.view.keep.click()
    panel.view.keep.click()
    panel.view.sliders["fear"].value = 0.5
    second = panel.wait(PATIENCE)
    assert panel.kept == [first]
    panel.view.keep.click()
    assert panel.kept[0] is first and panel.kept[1] is second and len(panel.kept) == 2
    strip = panel.view.kept.value
    assert re.findall(r"<figcaption>(.*?)</figcaption>", strip) == ["happy 1", "happy 1<br>fear 0.5"]
    assert re.findall(r'title="(.*?)"', strip)[1] == line(panel.view)
    assert len(strip) < 2 * 10_000


def test_reset_is_one_request_with_all_sliders_at_0(make, portrait):
    panel = make(Mix(happy=1, sad=0.5, shy=0.2), seed=9)
    panel.wait(PATIENCE)
    begun = values(panel.view.progress, "value")
    panel.view.reset.click()
    edits = panel.wait(PATIENCE)
    assert all(slider.value == 0 for slider in panel.view.sliders.values())
    assert (edits.mixes, edits.seed) == ((Mix(),), 9)
    assert begun.count(0) == 1
    assert edits[0].tobytes() == portrait.edit(Mix(), seed=9, steps=STEPS, progress=False)[0].tobytes()


def test_close_ends_the_thread_and_the_widgets(make, portrait):
    panel = make(Mix(happy=1))
    edits = panel.wait(PATIENCE)
    gate = Gate(portrait)
    panel.view.sliders["happy"].value = 0.5
    gate.wait()
    panel.close(patience=0)
    gate.opened.set()
    panel.close()
    assert not any(thread.name == "pxs-panel" for thread in threading.enumerate())
    assert panel.view.box.comm is None and panel.view.sliders["happy"].comm is None
    assert panel.wait(PATIENCE) is edits and panel.edits is edits
    with pytest.raises(PxsError, match="this panel is closed"):
        panel.view.sliders["happy"].value = 1


RUNNING = f"""
import threading, pxs
portrait = pxs.load("mini", adapter=None).open(pxs.draw(pxs.Identity.sample(1)))
view, begun = pxs.Panel(portrait, steps={MAX_STEPS}).view, threading.Event()
view.progress.observe(lambda change: change.new > 1 and begun.set(), "value")
print(begun.wait({PATIENCE}) and not view.cancel.disabled)
"""


def test_a_running_edit_neither_keeps_nor_breaks_the_interpreter():
    done = subprocess.run([sys.executable, "-c", RUNNING], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_sliders_are_the_vocabulary_and_wait_for_the_hand(make):
    panel = make()
    view = panel.view
    assert tuple(view.sliders) == EXPRESSIONS and EXPRESSIONS[: len(BASIC)] == BASIC
    assert all(slider.description == name for name, slider in view.sliders.items())
    assert all((s.min, s.max, s.continuous_update) == (0, 1.5, False) for s in view.sliders.values())
    style = view.box.children[0].value
    for name in EXPRESSIONS:
        assert f"pxs-{name}" in view.sliders[name]._dom_classes
        assert re.search(rf"\.pxs-{name} [^}}]*{COLOURS[name]}", style)


def test_it_displays_itself(make):
    panel = make()
    bundle = panel._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == panel.view.box.model_id
    assert isinstance(panel.view.box, ipywidgets.VBox)


def test_a_large_picture_is_shown_small():
    view = View(Image.new("RGB", (1200, 900)))
    assert shown(view).size == (512, 384)
    assert (view.edit.layout.width, view.edit.layout.height) == ("320px", "240px")
    assert scaled((128, 128), 256) == (256, 256) and scaled((3, 1000), 100) == (1, 100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mix": Mix(happy=1.6)}, "happy 1.6 is not on its slider"),
        ({"mix": Mix(sad=-0.1)}, "sad -0.1 is not on its slider"),
        ({"seed": -1}, "seed -1 is out of range"),
        ({"steps": 0}, "steps 0 is out of range"),
    ],
)
def test_what_sliders_cannot_show_is_one_line(portrait, options, message):
    with pytest.raises(ScaleError, match=message):
        pxs.Panel(portrait, **options)
    assert not any(thread.name == "pxs-panel" for thread in threading.enumerate())


def test_without_ipywidgets_one_line_says_what_to_install(portrait, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(PxsError, match=r'pip install "pxs\[notebooks\]"'):
        pxs.Panel(portrait)
