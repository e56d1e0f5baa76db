"""Tests of the training sets: labels that are partly wrong, and pictures in the order of their drawings."""

import numpy as np
import pytest

from pxs.expressions import CONFUSABLE, EXPRESSIONS, Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity
from pxs.faces.render import Drawing, render
from pxs.mini.data import CONFUSION, assorted, label_probabilities

PARTNER = {a: b for pair in CONFUSABLE for a, b in (pair, pair[::-1])}


@pytest.mark.parametrize("shown", EXPRESSIONS)
def test_label_probabilities_sum_to_one_and_the_true_label_is_the_most_likely(shown):
    p = label_probabilities(shown)
    assert p.shape == (12,) and p.sum() == pytest.approx(1, abs=1e-12) and (p >= 0).all()
    assert EXPRESSIONS[p.argmax()] == shown and p.max() > 0.5


@pytest.mark.parametrize("shown", EXPRESSIONS)
def test_label_probabilities_are_the_stated_confusions(shown):
    p = dict(zip(EXPRESSIONS, label_probabilities(shown), strict=True))
    assert {k: v for k, v in p.items() if v and k != shown} == CONFUSION[shown]


def test_confusable_pairs_are_mislabelled_more_often_than_all_others():
    wrong = {(a, b): p for a in EXPRESSIONS for b, p in zip(EXPRESSIONS, label_probabilities(a), strict=True) if a != b}
    pairs = {k for k in wrong if PARTNER.get(k[0]) == k[1]}
    assert len(pairs) == 4
    assert min(wrong[k] for k in pairs) > 2 * max(p for k, p in wrong.items() if k not in pairs)


@pytest.mark.parametrize("style", ["human", "anime"])
def test_parallel_drawing_gives_the_same_pictures_in_the_same_order(style):
    drawings = assorted(range(5, 40), style, 2)
    serial = render(drawings, size=16, workers=1)
    assert len(drawings) == 70 and len({picture.tobytes() for picture in serial}) > 60
    assert np.array_equal(render(drawings, size=16, workers=2), serial)


def test_rendered_pictures_equal_those_of_draw():
    drawings = [Drawing(1, Mix(happy=1), "human"), Drawing(2, Mix(), "anime")]
    pictures = render(drawings, size=32)
    assert pictures.dtype == np.uint8 and pictures.shape == (2, 32, 32, 3)
    for picture, (seed, mix, style) in zip(pictures, drawings, strict=True):
        assert np.array_equal(picture, np.asarray(draw(Identity.sample(seed), mix, style, 32)))


def test_an_assortment_depends_on_its_seed_alone():
    assert assorted(range(9), "human", 3) == assorted(range(9), "human", 3)
    assert assorted(range(9), "human", 3) != assorted(range(9), "human", 3, seed=1)


def test_an_assortment_has_equally_many_drawings_of_each_identity_in_order():
    drawings = assorted([4, 2, 9], "anime", 3)
    assert [d.seed for d in drawings] == [4] * 3 + [2] * 3 + [9] * 3 and {d.style for d in drawings} == {"anime"}


def test_an_assortment_contains_neutral_faces_all_expressions_and_blends_up_to_intensity_1_5():
    mixes = [d.mix for d in assorted(range(200), "human", 4)]
    assert {len(mix) for mix in mixes} == {0, 1, 2}
    assert {name for mix in mixes for name in mix} == set(EXPRESSIONS)
    values = [value for mix in mixes for value in mix.values()]
    assert 0.1 <= min(values) < 0.2 and 1.4 < max(values) <= 1.5
