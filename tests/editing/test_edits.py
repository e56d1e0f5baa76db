"""Edits, portraits and editors as people handle them: slices, one file or many, what notebooks show, pickles."""

import base64
import io
import pickle
import re
from html import unescape

import numpy as np
import pytest
from PIL import Image

import pxs
from pxs.editing.edits import Edits
from pxs.errors import ModelError, OutputError
from pxs.expressions import EXPRESSIONS, Mix
from pxs.images import Figure, open_image


def plain(level, size=(40, 30)):
    return Image.new("RGB", size, (level, level, level))


def edits_of(count, faces=1):
    """Edits of plain grey pictures: image i has level i, the raw picture of face f of image i level 100 f + i."""
    raw = tuple(plain(100 * f + i) for f in range(faces) for i in range(count))
    mixes = tuple(Mix(happy=i / 4) for i in range(count))
    return Edits(plain(200), tuple(map(plain, range(count))), mixes, seed=3, steps=2, raw=raw)


def levels(images):
    return [image.getpixel((0, 0))[0] for image in images]


def picture_and_alt(shown):
    """The picture and the alternative text in the HTML of something, checked to be its only picture."""
    [tag] = re.findall(r"<img[^>]*>", shown)
    data = base64.b64decode(re.search(r'src="data:image/png;base64,([^"]*)"', tag)[1])
    return Image.open(io.BytesIO(data)), unescape(re.search(r'alt="([^"]*)"', tag)[1])


@pytest.mark.parametrize("part", [slice(0, 2), slice(1, None), slice(None, None, -1), slice(3, 1), slice(-1, None)])
@pytest.mark.parametrize("faces", [1, 2])
def test_a_slice_of_edits_is_edits(part, faces):
    edits, wanted = edits_of(4, faces), list(range(4))[part]
    found = edits[part]
    assert isinstance(found, Edits) and (found.seed, found.steps, found.source) == (3, 2, edits.source)
    assert levels(found) == wanted and found.mixes == tuple(Mix(happy=i / 4) for i in wanted)
    assert levels(found.raw) == [100 * f + i for f in range(faces) for i in wanted]


def test_one_edit_is_saved_as_the_file_that_is_named(tmp_path):
    edits = edits_of(3)
    [path] = edits[1:2].save(tmp_path / "new" / "face.png")
    assert path == tmp_path / "new" / "face.png" and levels([open_image(path)]) == [1]
    assert [p.name for p in edits[2:].save(tmp_path / "face.webp")] == ["face.webp"]
    with pytest.raises(OutputError, match="exists"):
        edits[1:2].save(tmp_path / "new" / "face.png")


def test_one_file_for_several_edits_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(OutputError, match=r"names one file for 3 edits: give a folder, or one edit"):
        edits_of(3).save(tmp_path / "out" / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_called_like_a_picture_is_a_folder(tmp_path):
    (tmp_path / "x.png").mkdir()
    assert [p.parent.name for p in edits_of(2).save(tmp_path / "x.png")] == ["x.png", "x.png"]


def test_the_home_folder_is_meant_by_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    [path] = edits_of(1).save("~/out", stem="me")
    assert path == tmp_path / "out" / "me_neutral.png" and path.is_file()
    assert edits_of(3).animate("~/moving.gif") == tmp_path / "moving.gif"
    assert open_image("~/out/me_neutral.png").size == (40, 30)
    (tmp_path / "broken").mkdir()
    with pytest.raises(ModelError, match="model_index.json is missing"):
        pxs.load("~/broken")


def test_edits_show_their_sheet_with_a_text_in_its_place():
    edits = edits_of(3)
    image, alt = picture_and_alt(edits._repr_html_())
    assert image.tobytes() == edits.sheet().tobytes()
    assert alt == "The source and its edits: neutral; happy 0.25; happy 0.5"
    assert "3 edits of 40 x 30 pixels, seed 3, 2 steps" in edits._repr_html_()


def test_what_is_shown_cannot_break_out_of_its_text():
    shown = Figure(plain(0), 'a "quoted" <b>text</b>', "1 < 2")._repr_html_()
    assert picture_and_alt(shown)[1] == 'a "quoted" <b>text</b>' and "<b>" not in shown and "1 &lt; 2" in shown


def test_a_portrait_shows_its_picture_and_three_facts(editor):
    portrait = editor.open(pxs.draw(pxs.Identity.sample(3), size=144), "anime")
    image, alt = picture_and_alt(portrait._repr_html_())
    assert np.array_equal(np.asarray(image), np.asarray(portrait.source)) and "144 x 144 anime" in alt
    assert repr(portrait) == "Portrait(144 x 144 anime, edited whole, at 128 x 128, by mini)"
    assert "edited whole, at 128 x 128, by mini" in portrait._repr_html_()


def test_an_editor_shows_three_facts_and_the_twelve_expressions(editor):
    assert repr(editor) == "Editor(mini, cpu, float32, memory full, recipe fitted, 128 x 128 pixels)"
    assert all(name in editor._repr_html_() for name in (*EXPRESSIONS, "mini", "float32", "fitted"))
    assert repr(pxs.load("mini")).startswith("Editor(mini with adapter.safetensors, cpu")


@pytest.mark.parametrize(
    ("given", "mixes"),
    [
        ("happy", [Mix(happy=1)]),
        ("neutral", [Mix()]),
        ({"happy": 0.5, "sad": 0.25}, [Mix(happy=0.5, sad=0.25)]),
        (["sad", {"shy": 1}, Mix(fear=2)], [Mix(sad=1), Mix(shy=1), Mix(fear=2)]),
    ],
)
def test_a_mix_may_be_a_word_or_a_dictionary(editor, given, mixes):
    portrait = editor.open(pxs.draw(pxs.Identity.sample(3)))
    found, wanted = portrait.edit(given, steps=1), portrait.edit(mixes, steps=1)
    assert found.mixes == tuple(mixes) and [i.tobytes() for i in found] == [i.tobytes() for i in wanted]


def test_one_scale_is_a_sweep_of_one(editor):
    portrait = editor.open(pxs.draw(pxs.Identity.sample(3)))
    assert portrait.sweep("happy", 0.5, steps=1).mixes == (Mix(happy=0.5),)
    assert portrait.blend("happy", "sad", 1, steps=1).mixes == (Mix(happy=1, sad=1),)


def test_an_editor_is_pickled_as_its_recipe(adapter_file, tmp_path, monkeypatch):
    monkeypatch.chdir(adapter_file.parent)
    editor = pxs.load("mini", {"default": 0.5, adapter_file.name: 2}, reuse=0.25)
    edits = editor.open(pxs.draw(pxs.Identity.sample(3))).edit(Mix(happy=1), steps=2, progress=False)
    content = pickle.dumps((editor, edits))
    assert len(pickle.dumps(editor)) < 5000  # no weights
    monkeypatch.chdir(tmp_path)  # the other process has another folder
    other, same = pickle.loads(content)
    again = other.open(same.source).edit(same.mixes, same.seed, same.steps, progress=False)
    assert other is not editor and repr(other) == repr(editor)
    assert again.provenance == edits.provenance and again[0].tobytes() == edits[0].tobytes()


def test_an_editor_whose_adapter_has_changed_is_not_unpickled(adapter_file, tmp_path):
    copied = tmp_path / "mine.safetensors"
    copied.write_bytes(adapter_file.read_bytes())
    content = pickle.dumps(pxs.load("mini", copied))
    own = pxs.load("mini").checkpoint.adapters[0].file
    copied.write_bytes(own.read_bytes())
    with pytest.raises(ModelError, match="is another one here"):
        pickle.loads(content)
