"""`pxs edit --face` of many pictures: in each the face is found, edited alone and put back."""

import json

import numpy as np
import pytest
from fake_faces import FakeFinder, face, smooth
from PIL import Image

from pxs.batch.presets import Preset
from pxs.batch.work import key_of
from pxs.cli import main
from pxs.editing.group import Alone
from pxs.expressions import Mix

pytestmark = pytest.mark.filterwarnings("ignore:model 'mini' was trained on drawn people")

LEFT, RIGHT = face(x=110, y=170, side=180), face(x=300, y=210, side=150)


class Finder(FakeFinder):
    """Finds LEFT and RIGHT in every picture but those of one colour."""

    def find(self, picture):
        return [] if picture.getpixel((0, 0)) == picture.getpixel((9, 0)) else super().find(picture)


@pytest.fixture
def pictures(editor, monkeypatch, tmp_path):
    """A folder with two pictures of two faces and a blue one."""
    monkeypatch.setattr("pxs.editing.editor.load", lambda *_, **__: editor)
    for module in ("photographs", "photographs.opening"):
        monkeypatch.setattr(f"pxs.editing.{module}.finder", lambda: Finder(LEFT, RIGHT))
    folder = tmp_path / "pictures"
    folder.mkdir()
    smooth().save(folder / "a.png")
    smooth().transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "b.png")
    Image.new("RGB", (400, 400), "blue").save(folder / "none.png")
    return folder


def edit(pictures, *words):
    return main(["edit", str(pictures), "--output-dir", str(pictures.parent / "out"), "--steps", "1", *words])


def changed(pictures, name):
    before, after = Image.open(pictures / f"{name}.png"), Image.open(pictures.parent / "out" / f"{name}_happy_1.png")
    return (np.asarray(before) != np.asarray(after)).any(axis=2)


def test_the_face_of_each_is_edited_and_a_picture_without_one_is_named(pictures, capsys):
    assert edit(pictures, "--face", "largest", "--mix", "happy=1") == 1
    said = capsys.readouterr()
    assert said.out.startswith("2 edited, 0 done before, 1 failed\n")
    assert said.err.startswith("pxs: none.png: no face was found in the picture") and said.err.count("\n") == 1
    for name in ("a", "b"):
        where = changed(pictures, name)
        assert where[100:250, 60:160].mean() > 0.5 and not where[:, 220:].any()


def test_what_is_done_is_known_by_the_faces_too(pictures, capsys):
    (pictures / "none.png").unlink()
    for words, count in ((("--face", "1"), "2 edited, 0"), (("--face", "1"), "0 edited, 2")):
        assert edit(pictures, *words, "--expression", "happy", "--scales", "1") == 0
        assert capsys.readouterr().out.startswith(f"{count} done before, 0 failed\n")
    assert edit(pictures, "--face", "all", "--expression", "happy", "--scales", "1") == 2
    assert "with other settings" in capsys.readouterr().err
    assert edit(pictures, "--face", "all", "--mix", "happy=1", "--only", "mouth", "--overwrite") == 0
    records = [json.loads(line) for line in (pictures.parent / "out" / "index.jsonl").read_text().splitlines()]
    assert len({record["key"] for record in records}) == 2
    where = changed(pictures, "a")
    assert where[:, :200].any() and where[:, 200:].any() and where.mean() < 0.05


def test_keys_differ_by_all_that_is_said_about_faces():
    choices = [
        None,
        Alone(),
        Alone(("largest",)),
        Alone((0,)),
        Alone((1,)),
        Alone((0, 1)),
        Alone(((1.0, 2.0, 30.0, 40.0),)),
        Alone((0,), ("mouth",)),
        Alone((0,), (), True),
        Alone((0,), (), False, True),
    ]
    keys = [key_of("a" * 64, {"model": "m"}, Preset((Mix(happy=1),), faces=faces), ".png") for faces in choices]
    assert len(set(keys)) == len(choices)


def test_a_mix_for_each_face_is_for_one_picture(pictures, capsys):
    assert edit(pictures, "--face", "0", "--mix", "happy=1", "--face", "1", "--mix", "sad=1") == 2
    assert "is for one picture" in capsys.readouterr().err
    assert not (pictures.parent / "out").exists()
