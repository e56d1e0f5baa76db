"""Tests of the way from a picture to a level square around a face and back, against closed forms."""

import math

import numpy as np
import pytest
from fake_faces import HIGH, WIDE, face, smooth, value
from PIL import Image

from pxs.editing.photographs import Cut, Face
from pxs.errors import ImageError


def array(image):
    return np.asarray(image).astype(int)


def inverted(image):
    return Image.fromarray(255 - np.asarray(image))


def in_frame(one, side, size):
    """Across and down from the eyes' middle, in sides of the square, of every pixel of a picture of `size`."""
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    eyes = one.points[[33, 263], :2]
    middle, axis = eyes.mean(axis=0), (eyes[1] - eyes[0]) / np.linalg.norm(eyes[1] - eyes[0])
    x, y = x - middle[0], y - middle[1]
    return (x * axis[0] + y * axis[1]) / side, (y * axis[0] - x * axis[1]) / side


@pytest.mark.parametrize("roll", [-25, 0, 12, 90])
def test_the_square_is_level_and_lies_as_the_training_pictures_do(roll):
    one = face(roll=roll, side=160)
    cut = Cut(smooth(), one)
    assert cut.side == 160
    assert np.allclose(cut.level(one.points[[33, 263], :2]), [(0.31 * 160, 0.45 * 160), (0.69 * 160, 0.45 * 160)])


@pytest.mark.parametrize("roll", [-25, 0, 12, 90])
def test_the_square_shows_the_picture_at_the_turned_places(roll):
    cut = Cut(smooth(), face(roll=roll, side=160))
    across, down = (np.mgrid[:160, :160] + 0.5)[::-1] - 80
    angle = math.radians(roll)
    to_centre = 0.05 * 160  # of the square, below the eyes
    x = 200 - math.sin(angle) * to_centre + math.cos(angle) * across - math.sin(angle) * down
    y = 150 + math.cos(angle) * to_centre + math.sin(angle) * across + math.cos(angle) * down
    assert np.abs(array(cut.square) - value(x, y)).max() <= 2.5  # half a pixel beside it, 3


@pytest.mark.parametrize("roll", [-25, 0, 12, 90])
def test_an_edit_comes_back_to_where_it_was_made(roll):
    picture, one = smooth(), face(roll=roll, side=160)
    cut = Cut(picture, one)
    y, x = np.mgrid[:160, :160] + 0.5
    bump = 60 * np.exp(-(((x - 80) / 10) ** 2) - ((y - 100) / 14) ** 2)
    edited = Image.fromarray(np.rint(array(cut.square) + bump[..., None]).astype(np.uint8))
    across, down = in_frame(one, 160, picture.size)
    wanted = 60 * np.exp(-((across * 160 / 10) ** 2) - ((160 * (down + 0.45) - 100) / 14) ** 2)
    assert np.abs(array(cut.put_back(edited)) - array(picture) - wanted[..., None]).max() <= 3


@pytest.mark.parametrize("roll", [0, 12])
def test_outside_of_the_outline_and_its_rim_every_byte_is_kept(roll):
    picture, one = smooth(), face(roll=roll, side=160)
    cut = Cut(picture, one)
    changed = (array(cut.put_back(inverted(cut.square))) != array(picture)).any(axis=2)
    across, down = in_frame(one, 160, picture.size)
    below = np.where(down > 0.1, (down - 0.1) / 1.2, down - 0.1)
    assert not changed[(across / (WIDE + 0.06)) ** 2 + (below / (HIGH + 0.06)) ** 2 > 1].any()
    inner = (across / (WIDE - 0.02)) ** 2 + (below / (HIGH - 0.02)) ** 2 < 1
    assert changed[inner & (down < 0.45)].mean() > 0.99


def test_the_square_itself_put_back_changes_nothing():
    random = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8))
    cut = Cut(random, face(roll=17))
    assert np.array_equal(cut.put_back(cut.square), random)


def test_a_box_alone_is_cut_out_without_resampling():
    random = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8))
    cut = Cut(random, Face((150.0, 100.0, 218.0, 168.0)))
    assert cut.side == 100
    rows, columns = array(random), array(cut.square)
    starts = [(y, x) for y in range(201) for x in range(301) if np.array_equal(rows[y, x : x + 100], columns[0])]
    assert len(starts) == 1
    y, x = starts[0]
    assert np.array_equal(rows[y : y + 100, x : x + 100], columns)
    assert (x + 50, y + 57) == (184, 134)


def test_a_shift_of_all_colours_is_taken_back_at_the_rim():
    picture, one = smooth(), face(side=160)
    cut = Cut(picture, one)
    shifted = Image.fromarray((array(cut.square) + 8).astype(np.uint8))
    assert np.abs(array(cut.put_back(shifted)) - array(picture)).max() <= 2


def test_an_edit_keeps_clear_of_a_face_that_overlaps():
    picture, left, right = smooth(), face(x=150, side=160), face(x=214, side=160)
    edits = [Cut(picture, one, [other]) for one, other in ((left, right), (right, left))]
    changed = [(array(cut.put_back(inverted(cut.square))) != array(picture)).any(axis=2) for cut in edits]
    assert (changed[0] & changed[1]).mean() < 0.001
    assert not changed[0][:, 190:].any()
    assert not changed[1][:, :174].any()
    assert changed[0][150, 140] and changed[1][150, 224]


@pytest.mark.parametrize(("part", "rows"), [("mouth", (0.25, 0.25)), ("eyes", (0, 0)), ("brows", (-0.1, -0.1))])
def test_an_edit_of_a_part_stays_there(part, rows):
    picture, one = smooth(), face(side=200)
    cut = Cut(picture, one, only=[part])
    changed = np.flatnonzero((array(cut.put_back(inverted(cut.square))) != array(picture)).any(axis=(1, 2)))
    assert 150 + 200 * (rows[0] - 0.06) <= changed[0] < changed[-1] <= 150 + 200 * (rows[1] + 0.06)


def test_a_part_needs_landmarks():
    with pytest.raises(ImageError, match="landmarks"):
        Cut(smooth(), Face((10.0, 10.0, 90.0, 90.0)), only=["mouth"])


def test_a_face_at_the_border_is_cut_with_repeated_pixels_and_put_back():
    picture, one = smooth(), face(x=30, y=40, side=160)
    cut = Cut(picture, one)
    assert cut.square.size == (160, 160)
    assert np.array_equal(array(cut.square)[:20, :20], np.broadcast_to(array(picture)[0, 0], (20, 20, 3)))
    after = cut.put_back(inverted(cut.square))
    assert after.size == picture.size
    assert (array(after)[40, 30] != array(picture)[40, 30]).any()


def test_an_edit_of_another_size_is_refused():
    cut = Cut(smooth(), face())
    with pytest.raises(ImageError, match="must have the size"):
        cut.put_back(Image.new("RGB", (128, 128)))
