"""Tests of edits of single faces by the editor, by a group, and by the command, with a finder of known answers."""

import json

import numpy as np
import pytest
from fake_faces import FakeFinder, face, smooth, value
from PIL import Image

from pxs.cli import main
from pxs.editing.group import Group
from pxs.editing.photographs.pose import hold_still
from pxs.errors import ImageError, ScaleError
from pxs.expressions import Mix
from pxs.images import read_text

LEFT, RIGHT = face(x=110, y=170, side=180), face(x=300, y=210, side=150, roll=8)

pytestmark = pytest.mark.filterwarnings("ignore:model 'mini' was trained on drawn people")


@pytest.fixture
def found(monkeypatch):
    """The package finds LEFT and RIGHT in any picture."""
    for module in ("portrait", "photographs", "photographs.opening", "photographs.reading"):
        monkeypatch.setattr(f"pxs.editing.{module}.finder", lambda: FakeFinder(LEFT, RIGHT))
    monkeypatch.setattr("pxs.editing.photographs.installed", lambda: True)


@pytest.fixture
def picture(tmp_path):
    smooth().save(tmp_path / "two.png")
    return tmp_path / "two.png"


def changed(image, source):
    return (np.asarray(image) != np.asarray(source)).any(axis=2)


def test_one_face_is_edited_and_the_rest_keeps_its_bytes(editor, found):
    portrait = editor.open(smooth(), face=1)
    edits = portrait.edit(Mix(happy=1), steps=1, progress=False)
    where = changed(edits[0], smooth())
    assert edits[0].size == edits.source.size == (400, 400)
    assert where[150:280, 250:350].mean() > 0.5
    assert not where[:, :220].any()
    assert edits.raw[0].size == (128, 128)
    assert edits.provenance["face"] == " ".join(f"{side:.0f}" for side in RIGHT.box)
    assert list(portrait.faces) == [LEFT, RIGHT]


def test_a_square_portrait_is_edited_as_ever_without_a_face(editor, found):
    whole, (latents,) = editor.open(smooth((128, 128))), [editor.encode(smooth((128, 128)))]
    assert whole.cut is None
    assert (whole.latents == latents).all()


def test_neutral_is_the_empty_mix(editor, found):
    portrait = editor.open(smooth((128, 128)))
    neutral, empty = portrait.neutral(steps=1, progress=False), portrait.edit(Mix(), steps=1, progress=False)
    assert neutral.mixes == (Mix(),)
    assert np.array_equal(neutral[0], empty[0])


def test_faces_of_a_group_have_each_its_own_mix_and_place(editor, found):
    source = smooth()
    both = Group.open(editor, source).edit_each([Mix(happy=1), Mix(sad=1)], steps=1, progress=False)
    alone = [
        editor.open(source, face=i).edit(mix, steps=1, progress=False)[0]
        for i, mix in enumerate([Mix(happy=1), Mix(sad=1)])
    ]
    for image in alone:
        where = changed(image, source)
        assert np.array_equal(np.asarray(both[0])[where], np.asarray(image)[where])
    assert np.array_equal(changed(both[0], source), changed(alone[0], source) | changed(alone[1], source))
    assert json.loads(both.text(both.mixes[0])["mix"]) == [{"happy": 1.0}, {"sad": 1.0}]
    with pytest.raises(ScaleError, match="1 mixes were given for 2 faces"):
        Group.open(editor, source).edit_each([Mix(happy=1)], steps=1, progress=False)


def test_all_faces_of_a_group_take_the_same_mixes(editor, found):
    edits = Group.open(editor, smooth()).edit([Mix(happy=1), Mix()], steps=1, progress=False)
    assert (len(edits), edits.mixes) == (2, (Mix(happy=1), Mix()))
    assert changed(edits[0], smooth())[:, :180].any() and changed(edits[0], smooth())[:, 250:].any()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"only": "mouth"}, "needs the face"),
        ({"still": True}, "needs the face"),
        ({"face": 0, "only": "nose"}, "unknown part of a face 'nose'"),
        ({"face": 0, "box": (1, 1, 90, 90)}, "exclude each other"),
        ({"face": 5}, "there is no face 5"),
    ],
)
def test_options_that_do_not_fit(editor, found, options, words):
    with pytest.raises(ImageError, match=words):
        editor.open(smooth(), **options)


def test_the_head_is_held_still():
    one, moved = face(x=200, y=150, side=160), face(x=212, y=143, side=168, roll=6)
    source = smooth()

    class Two:
        def find(self, picture):
            return [one if picture is source else moved]

    angle, scale = np.deg2rad(6), 168 / 160
    y, x = np.mgrid[:400, :400] + 0.5
    far = scale * np.exp(1j * angle) * (x - 200 + 1j * (y - 150)) + 212 + 143j
    still = np.asarray(hold_still(source, source, by=FakeFinder(one)))
    assert np.array_equal(still, np.asarray(source))
    wanted = value(far.real, far.imag)[60:300, 100:300]
    edited = smooth()
    assert np.abs(np.asarray(hold_still(source, edited, by=Two()))[60:300, 100:300] - wanted).max() <= 2.5


def test_a_head_that_has_turned_to_a_side_is_refused():
    class Two:
        def __init__(self):
            self.faces = [face(yaw=0), face(yaw=20)]

        def find(self, picture):
            return [self.faces.pop(0)]

    with pytest.raises(ImageError, match="turns the head by 20 degrees"):
        hold_still(smooth(), smooth(), by=Two())


def run(picture, out, *words):
    return main(["edit", "--image-path", str(picture), "--output-dir", str(out), "--steps", "1", *words])


def test_the_command_gives_each_face_its_mix(editor, found, picture, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pxs.editing.editor.load", lambda *_, **__: editor)
    assert run(picture, tmp_path / "out", "--face", "0", "--mix", "happy=1", "--face", "1", "--mix", "sad=.5") == 0
    written = tmp_path / "out" / "two_happy_1+sad_0.5.png"
    assert capsys.readouterr().out == f"{written}\n"
    assert json.loads(read_text(written)["mix"]) == [{"happy": 1.0}, {"sad": 0.5}]
    where = changed(Image.open(written), Image.open(picture))
    assert where[:, :180].any() and where[:, 250:].any()


def test_the_command_takes_all_faces_and_neutral(editor, found, picture, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pxs.editing.editor.load", lambda *_, **__: editor)
    assert run(picture, tmp_path / "out", "--face", "all", "--expression", "neutral", "--only", "mouth") == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["two_neutral.png"]


@pytest.mark.filterwarnings("default")
def test_the_command_says_that_a_picture_is_no_portrait(editor, picture, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pxs.editing.editor.load", lambda *_, **__: editor)
    for names, words in (((), "no face was found"), ((face(side=120),), "--face largest")):
        monkeypatch.setattr("pxs.editing.photographs.finder", lambda names=names: FakeFinder(*names))
        monkeypatch.setattr("pxs.editing.photographs.installed", lambda: True)
        assert run(picture, tmp_path / str(len(names)), "--expression", "happy", "--scales", "1") == 0
        assert words in capsys.readouterr().err
