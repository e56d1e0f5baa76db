"""Tests of following a face through pictures, with a finder whose answers are known for each of them."""

import numpy as np
import pytest
from fake_faces import face
from PIL import Image

from pxs.errors import ImageError
from pxs.video.tracking import follow


class Scripted:
    """Finds what it was told for each picture, whose first pixel is its number; `near` may find nothing."""

    def __init__(self, *script, near=True):
        self.script, self.nearby, self.searched = script, near, []

    def find(self, picture):
        number = picture.getpixel((0, 0))[0]
        self.searched.append(number)
        return sorted(self.script[number], key=lambda one: -one.size)

    def near(self, picture, known):
        found = self.script[picture.getpixel((0, 0))[0]]
        places = [abs(one.box[0] - known.box[0]) for one in found]
        return found[places.index(min(places))] if found and self.nearby else None


def pictures(count):
    return [Image.new("RGB", (400, 400), (number, 0, 0)) for number in range(count)]


def middles(track):
    """The middle between the eyes of each frame, from left to right; None where it is left alone."""
    return [None if one is None else float(one[[33, 263], 0].mean()) for one in track.places]


def test_a_face_that_moves_evenly_is_where_it_was():
    finder = Scripted(*([face(x=100 + 6 * number)] for number in range(12)))
    track = follow(pictures(12), "largest", finder)
    assert middles(track) == pytest.approx([100 + 6 * number for number in range(12)], abs=1e-3)
    assert track.reasons == () and finder.searched == [0]  # then it is sought at its place alone
    assert track.face(3).size == pytest.approx(face().size, abs=1e-3)
    assert track.face(12) is None


def test_landmarks_that_tremble_are_calmed():
    random = np.random.default_rng(0).normal(0, 2, 60)
    track = follow(pictures(60), "largest", Scripted(*([face(x=200 + shift)] for shift in random)))
    assert np.diff(middles(track)).std() < 0.3 * np.diff(random).std()


def test_the_same_face_is_followed_though_a_larger_one_comes():
    other = [face(x=300, side=250)]
    finder = Scripted([face(x=100)], *([face(x=102), *other] for _ in range(3)), near=False)
    assert middles(follow(pictures(4), "largest", finder)) == pytest.approx([100, 102, 102, 102], abs=1)


def test_where_the_face_is_lost_frames_are_left_alone():
    finder = Scripted([face(x=100)], [face(x=104)], [], [face(x=320)], [face(x=110, side=380)], [face(x=112)])
    track = follow(pictures(6), "largest", finder)
    assert [one is None for one in track.places] == [False, False, True, True, True, False]
    assert track.reasons == ("the face was lost",) * 3
    assert middles(track)[5] == pytest.approx(112)


def test_frames_before_the_first_face_are_left_alone():
    track = follow(pictures(3), "largest", Scripted([], [face()], [face()]))
    assert [one is None for one in track.places] == [True, False, False]
    assert "no face was found" in track.reasons[0]


def test_smoothing_stays_within_a_run():
    finder = Scripted([face(x=100)], [face(x=100)], [], [face(x=130)], [face(x=130)])
    assert middles(follow(pictures(5), "largest", finder)) == pytest.approx([100, 100, None, 130, 130], abs=1e-3)


def test_a_turned_face_is_left_alone_but_followed():
    finder = Scripted([face()], [face(yaw=50)], [face()])
    track = follow(pictures(3), "largest", finder)
    assert [one is None for one in track.places] == [False, True, False] and "turned by 50" in track.reasons[0]
    assert follow(pictures(3), "largest", finder, force=True).reasons == ()


def test_a_face_is_named_by_number_or_box():
    two = [face(x=110, side=150), face(x=290, side=200)]
    for which, place in ((0, 290), (1, 110), ((60, 80, 160, 230), 110)):
        assert middles(follow(pictures(2), which, Scripted(two, two))) == pytest.approx([place] * 2)


@pytest.mark.parametrize(
    ("found", "which", "words"),
    [
        ([], "largest", "no face was found"),
        ([face(side=60)], "largest", "under 64 pixels"),
        ([face()], 3, "there is no face 3"),
        ([face(x=100, side=150)], (300, 300, 390, 390), "no face was found in the box"),
        ([face()], (300, 300, 900, 900), "outside of the picture"),
    ],
)
def test_a_clip_without_a_face_that_can_be_edited(found, which, words):
    with pytest.raises(ImageError, match=f"none of the 2 frames .*{words}"):
        follow(pictures(2), which, Scripted(found, found))
