"""Tests of the measures of edits in photographs, with faces that are known in closed form."""

import numpy as np
import pytest
from fake_faces import face, smooth
from PIL import Image

from analysis.photographs import energy, main, people, perfect, row, touched
from pxs.editing.photographs import Cut
from pxs.expressions import Mix


def test_people_stand_in_front_of_the_photograph():
    behind = smooth((300, 160))
    before, after = people(behind, [431_104], [Mix(surprised=1)], head=96)
    different = (np.asarray(before) != np.asarray(behind)).any(axis=2)
    assert not different[:64].any() and not different[:, :102].any() and not different[:, 198:].any()
    assert different[64:, 102:198].mean() > 0.4
    assert not different[66:80, 102:106].any()  # beside the head, the photograph to the byte
    assert (np.asarray(after) != np.asarray(before)).any()


def test_a_perfect_edit_of_nothing_is_the_source_and_one_of_something_comes_near_it(capsys):
    source, cut = smooth(), Cut(smooth(), face(side=160))
    assert np.array_equal(perfect([cut], source, 64), source)
    y, x = np.mgrid[:400, :400]
    bump = 50 * np.exp(-(((x - 200) / 20) ** 2) - ((y - 165) / 20) ** 2)
    truth = Image.fromarray(np.rint(np.asarray(source) + bump[..., None]).astype(np.uint8))
    result = perfect([cut], truth, 128)
    assert np.abs(np.asarray(result).astype(int) - np.asarray(truth)).max() <= 12
    row("bump", [cut], result, truth)
    name, count, changed, unedited, outside, seam = capsys.readouterr().out.split()
    assert (name, count, outside) == ("bump", "1", "0")
    assert float(changed) > float(unedited) + 15
    assert float(seam) == pytest.approx(1, abs=0.05)


def test_the_rim_lies_within_what_an_edit_can_touch():
    cut = Cut(smooth(), face(side=160, roll=15))
    inside, rim = touched([cut])
    inverted = Image.fromarray(255 - np.asarray(cut.square))
    changed = (np.asarray(cut.put_back(inverted)) != np.asarray(smooth())).any(axis=2)
    assert rim.any() and not (rim & ~inside).any() and not (changed & ~inside).any()


def test_energy_is_that_of_the_slope():
    slope = np.tile(np.arange(0, 200, 2, dtype=np.uint8)[None, :, None], (50, 1, 3))
    assert energy(Image.fromarray(slope), np.ones((50, 100), bool)) == pytest.approx((2 / 255) ** 2)


def test_the_folder_is_required(capsys):
    assert main([]) == 2
    assert capsys.readouterr().err.count("--out") == 1
