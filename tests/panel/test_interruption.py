"""The panel when an edit is replaced, cancelled, fails, or runs when the panel or the interpreter closes."""

import html
import re
import subprocess
import sys
import threading

import pytest

from pxs.editing.request import Request
from pxs.errors import PxsError
from pxs.expressions import Mix
from pxs.images.screen import jpeg
from pxs.quantities import STEPS as KIND

PATIENCE = 300  # seconds that a test waits for another thread
STEPS = 4


class Gate:
    """Pauses an edit after the step `last` until `opened` is set."""

    def __init__(self, portrait, last=0):
        self.reached, self.opened, self.steps_done = threading.Event(), threading.Event(), []
        self.last, self._steps = last, portrait.steps
        portrait.steps = self.steps

    def steps(self, mixes, seed, steps, calibrated):
        for step in self._steps(mixes, seed, steps, calibrated):
            self.steps_done.append((mixes[0], step.index))
            yield step
            if step.index >= self.last:
                self.reached.set()
                assert self.opened.wait(PATIENCE)

    def wait(self):
        assert self.reached.wait(PATIENCE)


def values(widget, trait="value"):
    """A list to which every new value of a trait is added."""
    changes = []
    widget.observe(lambda change: changes.append(change.new), trait)
    return changes


def line(view):
    return html.unescape(re.fullmatch(r"<code>(.*)</code>", view.line.value)[1])


def picture(edits):
    return jpeg(edits[0], edits[0].size)


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
    assert [index for mix, index in gate.steps_done if mix == Mix(sad=1)] == [0, 1]  # stopped after its current step
    assert [index for mix, index in gate.steps_done if mix == Mix(happy=0.5)] == [0, 1, 2, 3]
    assert {mix for mix, _ in gate.steps_done} == {Mix(sad=1), Mix(happy=0.5)}  # no request between them was started
    assert len(lines) == 1 and "happy=0.5" in lines[0]
    assert len(pictures) == 2 and pictures[-1] == picture(edits)  # a preview of the newest request, then its edit


def test_cancel_shows_the_last_finished_edit(make, portrait):
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
    panel.close()  # ends the thread, which then shows nothing
    assert panel.view.edit.value == picture(first) and panel.view.line.value == before
    assert panel.view.caption.value == "edit"
    assert gate.steps_done[-1] == (Mix(happy=0.2), 2)


@pytest.mark.parametrize("what", ["preview", "finish"])
def test_a_picture_decoded_during_cancel_is_not_shown(make, portrait, monkeypatch, what):
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
    with pytest.raises(PxsError, match="no edit is finished"):
        panel.wait(PATIENCE)
    panel.keep()
    assert panel.kept == [] and panel.edits is None and panel.view.keep.disabled
    assert panel.view.edit.value == panel.view.source.value
    assert eval(line(panel.view), {"portrait": portrait}) is portrait.source
    gate.opened.set()


def test_cancel_without_a_running_edit_changes_nothing(make):
    panel = make(Mix(happy=1))
    edits = panel.wait(PATIENCE)
    panel.view.cancel.click()
    assert panel.wait(PATIENCE) is edits and panel.view.request.mix == Mix(happy=1)


def test_wait_raises_after_its_timeout(make, portrait):
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


def test_an_error_between_steps_is_shown(make, portrait):
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


MOST = KIND.most

RUNNING = f"""
import threading, pxs
portrait = pxs.load("mini", adapter=None).open(pxs.draw(pxs.Identity.sample(1)))
view, begun = pxs.Panel(portrait, steps={MOST}).view, threading.Event()
view.progress.observe(lambda change: change.new > 1 and begun.set(), "value")
print(begun.wait({PATIENCE}) and not view.cancel.disabled)
"""


def test_the_interpreter_exits_cleanly_during_an_edit():
    done = subprocess.run([sys.executable, "-c", RUNNING], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
