"""Tests of edits of clips by the embedded model, from the file to the file and by the command."""

import json

import av
import numpy as np
import pytest
from clip_files import read_clip, sound_of, write_clip
from fake_faces import FakeFinder, face, smooth

from pxs.cli import main
from pxs.expressions import Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity
from pxs.video.clips import KINDS, Clip
from pxs.video.editing import Course, edit_clip
from pxs.video.tracking import follow

pytestmark = pytest.mark.filterwarnings("ignore:model 'mini' was trained on drawn people")

ONE = face(x=200, y=150, side=160)


class Away(FakeFinder):
    """Finds a face in every picture but those that are black."""

    def find(self, picture):
        return [] if picture.getpixel((0, 0)) == (0, 0, 0) else super().find(picture)

    def near(self, picture, known):
        return next(iter(self.find(picture)), None)


@pytest.fixture
def source(tmp_path):
    """A lossless clip of five equal pictures, the third of which is black."""
    pictures = [np.asarray(smooth())] * 5
    pictures[2] = np.zeros_like(pictures[2])
    write_clip(tmp_path / "clip.mkv", pictures, sound="pcm_s16le")
    return tmp_path / "clip.mkv"


def changed(first, second):
    return (np.asarray(first) != np.asarray(second)).any(axis=2)


def test_only_the_face_changes_and_equal_frames_are_edited_equally(editor, source, tmp_path):
    clip = Clip(source)
    track = follow(clip.pictures(), "largest", Away(ONE))
    course = Course(Mix(happy=1), Mix(happy=1), steps=2)
    edit_clip(editor, clip, track, course, tmp_path / "out.mkv", KINDS["mkv"], progress=False)
    before, after = (read_clip(path)[0] for path in (source, tmp_path / "out.mkv"))
    assert not changed(before[2], after[2]).any()
    for number in (0, 1, 3, 4):
        where = changed(before[number], after[number])
        assert where[110:230, 150:250].mean() > 0.5
        assert not where[:60].any() and not where[:, :130].any() and not where[:, 270:].any()
        assert np.array_equal(after[number], after[0])  # one noise for all
    assert sound_of(source) == sound_of(tmp_path / "out.mkv")


def test_a_course_goes_evenly_from_start_to_end():
    course = Course(Mix(happy=0.5), Mix(happy=1, sad=-1))
    assert [course.at(share) for share in (0, 0.5, 1)] == [
        Mix(happy=0.5, sad=0),
        Mix(happy=0.75, sad=-0.5),
        Mix(happy=1, sad=-1),
    ]


def run(clip, out, *words):
    return main(["edit", str(clip), "--output-dir", str(out), "--steps", "2", "--format", "mkv", *words])


def test_the_command_follows_the_scale_and_counts(editor, source, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pxs.editing.editor.load", lambda *_, **__: editor)
    monkeypatch.setattr("pxs.editing.photographs.finder", lambda: Away(ONE))
    assert run(source, tmp_path / "out", "--expression", "happy", "--scales", "0:1") == 0
    written = tmp_path / "out" / "clip_happy_0_to_1.mkv"
    said = "4 frames edited, 1 kept as they were (the first: the face was lost)"
    assert capsys.readouterr().out == f"{said}\n{written}\n"
    after, portrait = read_clip(written)[0], editor.open(smooth(), face=ONE)
    for number, scale in ((0, 0), (1, 0.25), (4, 1)):
        wanted = portrait.edit(Mix(happy=scale), steps=2, progress=False)[0]
        assert np.abs(after[number].astype(int) - np.asarray(wanted)).max() <= 1
    with av.open(str(written)) as made:
        note = json.loads({key.lower(): value for key, value in made.metadata.items()}["comment"])
    assert (note["seed"], note["mix"], note["model"]) == (42, [{}, {"happy": 1.0}], "mini")
    assert run(source, tmp_path / "out", "--expression", "happy", "--scales", "0:1") == 2
    assert "exists" in capsys.readouterr().err


def test_one_intensity_holds_for_all_frames(editor, source, tmp_path, monkeypatch):
    monkeypatch.setattr("pxs.editing.editor.load", lambda *_, **__: editor)
    monkeypatch.setattr("pxs.editing.photographs.finder", lambda: Away(ONE))
    for words in (("--expression", "sad"), ("--face", "0", "--mix", "sad=1", "--overwrite", "--only", "mouth")):
        assert run(source, tmp_path / "out", *words) == 0
        after, before = (read_clip(path)[0] for path in (tmp_path / "out" / "clip_sad_1.mkv", source))
        assert np.array_equal(after[0], after[4]) and changed(after[0], before[0]).any()
    assert not changed(after[0], before[0])[:170].any()  # the mouth is below


def test_a_drawn_face_that_moves_is_found_and_followed(editor, tmp_path, monkeypatch, capsys):
    pytest.importorskip("ai_edge_litert", reason="the extra photos is not installed")
    monkeypatch.setattr("pxs.editing.editor.load", lambda *_, **__: editor)
    drawn, pictures = np.asarray(draw(Identity.sample(400_003), size=160)), []
    for number in range(5):
        picture = np.full((200, 260, 3), 110, np.uint8)
        if number != 3:
            picture[20:180, 20 + 8 * number : 180 + 8 * number] = drawn
        pictures.append(picture)
    write_clip(tmp_path / "clip.mkv", pictures)
    assert run(tmp_path / "clip.mkv", tmp_path / "out", "--expression", "surprised", "--scales", "1") == 0
    assert capsys.readouterr().out.startswith("4 frames edited, 1 kept as they were")
    after = read_clip(tmp_path / "out" / "clip_surprised_1.mkv")[0]
    places = []
    for number in (0, 1, 2, 4):
        where = changed(after[number], pictures[number])
        assert 0.02 < where.mean() < 0.5
        places.append(np.argwhere(where)[:, 1].mean() - 8 * number)
    assert np.ptp(places) < 4
    assert not changed(after[3], pictures[3]).any()
