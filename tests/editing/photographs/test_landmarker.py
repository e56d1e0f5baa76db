"""Tests of the finder that comes with the extra `photos`, on drawn and rendered faces and on two photographs."""

import numpy as np
import pytest
from PIL import Image

from pxs.expressions import Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity
from pxs.faces.portraits import Person, render

pytest.importorskip("ai_edge_litert", reason="the extra photos is not installed")

from pxs.editing.photographs import finder
from pxs.editing.photographs.landmarker import tiles
from pxs.editing.photographs.reading import read


def photograph(name):
    data = pytest.importorskip("skimage.data")
    return Image.fromarray(getattr(data, name)())


def test_the_astronaut_is_found_upright_and_turned():
    picture = photograph("astronaut")
    (one,) = finder().find(picture)
    assert np.allclose(one.box, (180, 70, 272, 179), atol=4)
    assert max(abs(one.roll), abs(one.yaw)) < 6
    assert np.allclose(one.points[[33, 263], :2].mean(axis=0), (226, 102), atol=3)
    (turned,) = finder().find(picture.rotate(-90))
    assert turned.roll == pytest.approx(90 + one.roll, abs=4)
    assert turned.size == pytest.approx(one.size, rel=0.06)


@pytest.mark.parametrize("face", [*range(400_003, 400_007), *range(431_200, 431_206)])
def test_a_face_upside_down_is_not_taken_for_an_upright_one(face):
    upright = draw(Identity.sample(face), size=256) if face < 431_000 else render(Person.sample(face), Mix())
    (one,) = finder().find(upright)
    for other in finder().find(upright.rotate(180)):  # it may be missed
        assert abs(other.roll - one.roll) % 360 == pytest.approx(180, abs=4)
        assert np.allclose(upright.width - other.points[:, :2], one.points[:, :2], atol=0.03 * one.size)


@pytest.mark.parametrize("picture", [Image.new("RGB", (300, 200), "blue"), "chelsea", "coffee"])
def test_a_cat_and_a_cup_and_nothing_are_not_faces(picture):
    assert finder().find(photograph(picture) if isinstance(picture, str) else picture) == []


def test_small_faces_in_a_large_picture_are_found_each_once():
    picture = Image.new("RGB", (1200, 800), "grey")
    places = [(60, 500), (500, 60), (1000, 620)]
    for number, place in enumerate(places):
        picture.paste(draw(Identity.sample(400_003 + number), size=128), place)
    found = finder().find(picture)
    assert len(found) == 3
    middles = sorted(((one.box[0] + one.box[2]) / 2, (one.box[1] + one.box[3]) / 2) for one in found)
    assert np.allclose(middles, [(x + 63, y + 75) for x, y in places], atol=6)


def test_a_hundred_faces_are_found_each_once():
    picture = Image.new("RGB", (800, 800), "grey")
    face = draw(Identity.sample(400_003), size=80)
    for number in range(100):
        picture.paste(face, (80 * (number % 10), 80 * (number // 10)))
    boxes = [one.box for one in finder().find(picture)]
    assert sorted(((box[0] + box[2]) // 160, (box[1] + box[3]) // 160) for box in boxes) == [
        (x, y) for x in range(10) for y in range(10)
    ]


def test_faces_that_overlap_are_two():
    picture = Image.new("RGB", (600, 400), "grey")
    picture.paste(render(Person.sample(431_201), Mix()), (60, 80))
    picture.paste(render(Person.sample(431_202), Mix()).crop((30, 0, 256, 256)), (220, 60))
    assert len(finder().find(picture)) == 2


def test_tiles_cover_the_picture_and_the_whole_comes_first():
    first, *rest = tiles((1000, 600))
    assert (first.x, first.y, first.side) == (500, 300, 1000)
    for side in {tile.side for tile in rest}:
        covered = np.zeros((600, 1000), bool)
        for tile in (tile for tile in rest if tile.side == side):
            left, top = tile.x - side / 2, tile.y - side / 2
            covered[round(top) : round(top + side), round(left) : round(left + side)] = True
        assert covered.all()


def test_the_expression_of_a_rendered_face_is_read():
    reading = read(render(Person.sample(431_004), Mix(surprised=1)))
    assert max(reading.mix, key=reading.mix.__getitem__) == "surprised"
    assert reading.mix["surprised"] == pytest.approx(1, abs=3 * reading.uncertainty["surprised"])
    assert "surprised" in str(reading) and "±" in str(reading)
