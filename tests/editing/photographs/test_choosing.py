"""Tests of which face is meant, and which faces are refused."""

import numpy as np
import pytest
from fake_faces import FakeFinder, face, smooth

from pxs.editing.photographs import Faces, parse_face
from pxs.editing.photographs.choosing import check_face, choose, choose_all, doubt
from pxs.errors import ImageError

LARGE, SMALL = face(x=120, y=130, side=200), face(x=320, y=300, side=120)


@pytest.fixture
def faces():
    return Faces(smooth(), FakeFinder(SMALL, LARGE).find(None))


def test_words_of_the_command_line():
    words = {"largest": "largest", "all": "all", "2": 2, "10,20,30,40": (10, 20, 40, 60)}
    assert {text: parse_face(text) for text in words} == words


@pytest.mark.parametrize("text", ["", "small", "-1", "1.5", "1,2", "1,2,3,4,5", "nan,1,2,3", "a,b,c,d"])
def test_words_that_name_no_face(text):
    with pytest.raises(ImageError, match="names no face"):
        parse_face(text)


def test_a_face_by_size_number_and_box(faces):
    assert choose(faces, "largest") is choose(faces, 0) is LARGE
    assert choose(faces, 1) is SMALL
    assert choose(faces, SMALL.box) is SMALL
    assert choose(faces, (0.0, 350.0, 60.0, 400.0)).points is None


@pytest.mark.parametrize("which", [2, -1, True, 1.0, "second", (0, 0, 500, 10), (5, 5, 5, 9)])
def test_faces_that_are_not_there(faces, which):
    with pytest.raises(ImageError):
        choose(faces, which)


def test_a_picture_without_a_face():
    with pytest.raises(ImageError, match="no face was found"):
        choose(Faces(smooth(), []), "largest")


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (face(side=80), "under 64 pixels"),
        (face(roll=40), "turned by 40 degrees"),
        (face(yaw=-50), "turned by 50 degrees"),
        (face(x=20), "lie outside"),
    ],
)
def test_faces_that_cannot_be_edited(one, words):
    with pytest.raises(ImageError, match=words):
        check_face(one, (400, 400))
    assert choose_all(Faces(smooth(), [one]), ["largest"], force=True) == [one]


def test_all_faces_that_can_be_edited(faces):
    tiny = face(x=40, y=360, side=50)
    with pytest.warns(UserWarning, match="face 2 is left out"):
        assert choose_all(Faces(smooth(), [*faces, tiny]), None) == [LARGE, SMALL]
    with pytest.raises(ImageError, match="none of the faces found"), pytest.warns(UserWarning):
        choose_all(Faces(smooth(), [tiny]), None)


def test_a_face_named_twice(faces):
    with pytest.raises(ImageError, match="named twice"):
        choose_all(faces, [0, "largest"])


def test_what_is_clearly_no_portrait(faces):
    assert doubt(faces) == ""
    assert "no face" in doubt(Faces(smooth(), []))
    assert "1 face, the largest of 86" in doubt(Faces(smooth(), [SMALL]))
    assert "turned by 90" in doubt(Faces(smooth(), [face(roll=90)]))


def test_the_picture_with_numbers_marks_every_face(faces):
    shown = np.asarray(faces.picture)
    for one in faces:
        left, top, right, bottom = (round(side) for side in one.box)
        column = (shown[:, (left + right) // 2] == (255, 212, 0)).all(axis=1)
        assert column[top - 2 : top + 3].any() and column[bottom - 2 : bottom + 3].any()
    assert repr(faces).startswith("Faces(0: 144 px at ")
