"""The panel, controlled through traits and clicks like in a browser: its pictures, its line of Python, its widgets."""

import base64
import html
import io
import re
import sys
import threading
import types

import ipywidgets
import numpy as np
import pytest
from PIL import Image

import pxs
from pxs.batch.presets import read_preset
from pxs.editing.request import previewed
from pxs.errors import PxsError, ScaleError
from pxs.expressions import BASIC, COLOURS, EXPRESSIONS, Mix
from pxs.images import open_image
from pxs.images.screen import jpeg, scaled
from pxs.panel.view import View

PATIENCE = 60  # seconds that a test waits for another thread
STEPS = 4


def values(widget, trait="value"):
    """A list to which every new value of a trait is added."""
    changes = []
    widget.observe(lambda change: changes.append(change.new), trait)
    return changes


def shown(view):
    return Image.open(io.BytesIO(view.edit.value))


def line(view):
    return html.unescape(re.fullmatch(r"<code>(.*)</code>", view.line.value)[1])


def alternatives(shown):
    return [html.unescape(text) for text in re.findall(r'<img alt="(.*?)"', shown)]


def pictures(shown):
    return [base64.b64decode(data) for data in re.findall(r'src="data:image/jpeg;base64,(.*?)"', shown)]


def picture(edits):
    return jpeg(edits[0], edits[0].size)


@pytest.mark.parametrize(
    ("total", "after"), [(1, []), (2, []), (3, [2]), (5, [2, 4]), (20, [5, 10, 15]), (50, [12, 24, 36, 48])]
)
def test_previews_follow_every_part_but_the_last(total, after):
    assert [index + 1 for index in range(total) if previewed(index, total)] == after


@pytest.mark.parametrize("mix", [Mix(), Mix(happy=0.7, surprised=0.5), Mix(confused=1.5)], ids=str)
def test_the_picture_equals_that_of_portrait_edit(make, portrait, mix):
    panel = make(Mix(sad=1), seed=7)
    panel.wait(PATIENCE)
    for name in EXPRESSIONS:
        panel.view.sliders[name].value = mix[name]
    edits, expected = panel.wait(PATIENCE), portrait.edit(mix, seed=7, steps=STEPS, progress=False)
    assert edits[0].tobytes() == expected[0].tobytes()
    assert (edits.mixes, edits.seed, edits.steps) == (expected.mixes, expected.seed, expected.steps)
    assert edits.provenance == expected.provenance
    assert panel.view.edit.value == picture(expected)


def test_an_edit_has_the_size_of_its_source(editor):
    portrait = editor.open(pxs.draw(pxs.Identity.sample(5), size=160))
    panel = pxs.Panel(portrait, Mix(fear=1), steps=3)
    edits = panel.wait(PATIENCE)
    panel.close()
    assert edits[0].tobytes() == portrait.edit(Mix(fear=1), steps=3, progress=False)[0].tobytes()
    assert shown(panel.view).size == (160, 160)


def test_seed_and_steps_change_the_picture(make, portrait):
    panel = make(Mix(happy=1))
    first = panel.wait(PATIENCE)
    panel.view.seed.value, panel.view.steps.value = 7, 3
    second = panel.wait(PATIENCE)
    assert (second.seed, second.steps) == (7, 3)
    assert second[0].tobytes() != first[0].tobytes()
    assert second[0].tobytes() == portrait.edit(Mix(happy=1), seed=7, steps=3, progress=False)[0].tobytes()


def test_the_line_of_python_gives_the_picture(make, portrait):
    panel = make(seed=11)
    panel.view.sliders["happy"].value = 0.1 + 0.2  # not 0.3
    panel.view.sliders["angry"].value = 1.15
    edits = panel.wait(PATIENCE)
    assert edits.mixes == (Mix(happy=0.3, angry=1.15),)
    assert line(panel.view) == f"portrait.edit(pxs.Mix(happy=0.3, angry=1.15), seed=11, steps={STEPS})"
    assert eval(line(panel.view), {"pxs": pxs, "portrait": portrait})[0].tobytes() == edits[0].tobytes()


def test_a_calibrated_panel_says_so_in_its_line_and_preset(tmp_path):
    calibrated = pxs.load("mini").open(pxs.draw(pxs.Identity.sample(400003)))
    panel = pxs.Panel(calibrated, Mix(fear=0.6), steps=2, calibrated=True)
    edits, said = panel.wait(PATIENCE), line(panel.view)
    preset = read_preset(panel.save_preset(tmp_path / "p.json"))
    panel.close()
    assert said == "portrait.edit(pxs.Mix(fear=0.6), seed=42, steps=2, calibrated=True)"
    assert eval(said, {"pxs": pxs, "portrait": calibrated})[0].tobytes() == edits[0].tobytes()
    assert edits[0] != calibrated.edit(Mix(fear=0.6), steps=2, progress=False)[0]
    assert preset.calibrated and preset.mixes == (Mix(fear=0.6),)


def test_progress_and_previews_precede_the_picture(make, portrait):
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
    strip = [cell.children[0].value for cell in panel.strip.box.children]
    assert [re.search(r"<figcaption>(.*?)</figcaption>", s)[1] for s in strip] == ["happy 1", "happy 1<br>fear 0.5"]
    assert [re.search(r'alt="(.*?)"', s)[1] for s in strip] == ["edited: happy 1", "edited: happy 1 + fear 0.5"]
    assert re.search(r'title="(.*?)"', strip[1])[1] == line(panel.view)
    assert sum(map(len, strip)) < 2 * 10_000


def test_kept_edits_are_saved_and_removed(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    panel = make(Mix(happy=1), seed=3)
    first = panel.wait(PATIENCE)
    panel.keep()
    panel.view.sliders["fear"].value = 0.5
    second = panel.wait(PATIENCE)
    panel.keep()
    cells = panel.strip.box.children
    save, remove = cells[0].children[1].children
    save.click()
    assert [p.name for p in tmp_path.iterdir()] == ["happy_1_seed3.png"]
    assert open_image("happy_1_seed3.png").tobytes() == first[0].tobytes()
    assert "written: happy_1_seed3.png" in panel.view.message.value
    save.click()
    assert "exists" in panel.view.message.value and "alert" in panel.view.message.value
    remove.click()
    assert panel.kept == [second] and panel.strip.box.children == (cells[1],)
    assert cells[0].comm is None and save.comm is None and cells[1].comm is not None
    panel.remove(first)  # is not there any more
    assert panel.kept == [second]


@pytest.mark.parametrize(("mix", "warned"), [
    (Mix(), None), (Mix(happy=1, sad=1), None), (Mix(happy=1, sad=1, shy=0.45), None),
    (Mix(happy=1, sad=0.5, shy=1.5), "happy, sad, shy: models are trained on 2 strong expressions at most"),
])  # fmt: skip
def test_many_strong_sliders_are_warned_of(make, mix, warned):
    panel = make(mix)
    panel.wait(PATIENCE)
    assert (warned in panel.view.warning.value) if warned else panel.view.warning.value == ""
    panel.reset()
    assert panel.view.warning.value == ""


def test_a_picture_unlike_the_training_is_warned_of(editor):
    noise = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    with pytest.warns(UserWarning, match="drawn characters only"):
        portrait = editor.open(Image.fromarray(noise).resize((160, 120)))
    panel = pxs.Panel(portrait, steps=1)
    assert "was trained on drawn people and drawn characters only" in html.unescape(panel.view.warning.value)
    panel.close()


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


def test_sliders_are_the_expressions_and_update_on_release(make):
    panel = make()
    view = panel.view
    assert tuple(view.sliders) == EXPRESSIONS and EXPRESSIONS[: len(BASIC)] == BASIC
    assert all(slider.description == name for name, slider in view.sliders.items())
    assert all((s.min, s.max, s.continuous_update) == (0, 1.5, False) for s in view.sliders.values())
    style = view.box.children[0].value
    for name in EXPRESSIONS:
        assert f"pxs-{name}" in view.sliders[name]._dom_classes
        assert re.search(rf"\.pxs-{name} [^}}]*{COLOURS[name]}", style)


def test_a_panel_displays_itself_and_a_picture_of_itself(make, monkeypatch):
    displayed, updated = [], []

    def display(what, display_id=None):
        displayed.append((what, display_id))
        return types.SimpleNamespace(update=updated.append)

    monkeypatch.setattr("IPython.display.display", display)
    panel = make(Mix(happy=1))
    panel.wait(PATIENCE)
    panel._ipython_display_()
    (box, _), (still, name) = displayed
    assert box is panel.view.box and isinstance(box, ipywidgets.VBox) and name in box._dom_classes
    assert alternatives(still.data) == ["the source", "edited: happy 1"] and "run the cell again" in still.data
    assert pictures(still.data) == [panel.view.source.value, panel.view.edit.value]
    assert f".{name}-still {{ display: none; }}" in box.children[0].value and f'class="{name}-still"' in still.data
    panel.view.sliders["sad"].value = 0.5
    panel.wait(PATIENCE)
    [again] = updated
    assert alternatives(again.data) == ["the source", "edited: happy 1 + sad 0.5"]
    assert pictures(again.data)[1] == panel.view.edit.value
    assert panel.view.names.alternatives["edit"] == "edited: happy 1 + sad 0.5"


def test_a_large_picture_is_displayed_smaller():
    view = View(Image.new("RGB", (1200, 900)))
    assert shown(view).size == (512, 384)
    assert (view.edit.layout.width, view.edit.layout.height) == ("320px", "240px")
    assert scaled((128, 128), 256) == (256, 256) and scaled((3, 1000), 100) == (1, 100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mix": Mix(happy=1.6)}, "happy 1.6 is too large: give 0 to 1.5, the range of its slider"),
        ({"mix": Mix(sad=-0.1)}, "sad -0.1 is too small: give 0 to 1.5"),
        ({"seed": -1}, "seed -1 is too small"),
        ({"steps": 0}, "steps 0 is too small"),
    ],
)
def test_values_outside_the_ranges_are_one_line(portrait, options, message):
    with pytest.raises(ScaleError, match=message):
        pxs.Panel(portrait, **options)
    assert not any(thread.name == "pxs-panel" for thread in threading.enumerate())


def test_without_ipywidgets_one_line_says_what_to_install(portrait, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(PxsError, match=r'pip install "pxs\[notebooks\]"'):
        pxs.Panel(portrait)


def test_a_preset_is_what_sliders_and_fields_say(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    panel = make(Mix(happy=0.7, sad=0.2), seed=9)
    panel.wait(PATIENCE)
    panel.view.preset.click()
    found = read_preset("happy_0.7-sad_0.2.json")
    assert (found.mixes, found.seed, found.steps) == ((Mix(happy=0.7, sad=0.2),), 9, STEPS)
    assert "--preset happy_0.7-sad_0.2.json" in panel.view.message.value
    panel.view.preset.click()
    assert "exists" in panel.view.message.value
    assert panel.save_preset(tmp_path / "mine.json").read_bytes() == (tmp_path / "happy_0.7-sad_0.2.json").read_bytes()
