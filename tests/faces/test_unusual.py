"""Unusual looks: exact truth like all others, every trait for somebody, and outside what training draws."""

from collections import Counter

import numpy as np
import pytest

from pxs.expressions import Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity
from pxs.faces.unusual import TRAITS, traits, unusual, unusual_identity
from pxs.images import to_array


def test_everybody_has_a_trait_and_each_trait_is_certain_for_a_fourth():
    found = [traits(number) for number in range(400)]
    assert all(found) and found == [traits(number) for number in range(400)]
    each = Counter(name for names in found for name in names)
    assert set(each) == set(TRAITS) and all(150 < n < 240 for n in each.values())  # 100 + 0.3 * 300


@pytest.mark.parametrize("style", ["human", "anime"])
def test_pictures_are_the_same_every_time_and_change_with_the_mix_alone(style):
    for number in range(4):
        first, again = (unusual(number, Mix(happy=1), style, 64) for _ in range(2))
        assert first.tobytes() == again.tobytes() and first.size == (64, 64)
        assert first.tobytes() != unusual(number, Mix(), style, 64).tobytes()
        assert first.tobytes() != draw(Identity.sample(number), Mix(happy=1), style, 64).tobytes()


def test_drawn_looks_are_outside_the_ranges_of_all_others():
    rng = np.random.default_rng(0)
    usual = [Identity.sample(number) for number in range(2000)]
    for number in range(40):
        found = unusual_identity(number, TRAITS, rng)
        for field in ("hair", "fantasy_hair", "glasses"):
            assert getattr(found, field) not in {getattr(one, field) for one in usual}
        for place, own in enumerate(found.pose):
            values = [one.pose[place] for one in usual]
            assert not min(values) - 0.01 <= own <= max(values) + 0.01
        assert not 0 <= found.fringe <= 1 and found.skin == Identity.sample(number).skin


def test_light_alone_darkens_one_side_and_moves_nothing():
    number = next(n for n in range(1000) if traits(n) == ("light",))
    usual, lit = to_array(draw(Identity.sample(number), size=64)), to_array(unusual(number, Mix(), "human", 64))
    ratio = (lit**2.2).sum(axis=2) / (usual**2.2).sum(axis=2).clip(1e-3)
    inside = ratio[usual.sum(axis=2) > 0.3]
    assert 0.15 < inside.min() < 0.5 and 0.8 < inside.max() < 1.3
    assert np.abs(np.diff(ratio, axis=0))[usual[1:].sum(axis=2) > 0.5].max() < 0.2  # no edge of its own


def test_rendered_people_have_them_too():
    from pxs.faces.portraits import Person, render

    number = next(n for n in range(1000) if traits(n) == ("hair", "pose"))
    picture = unusual(number, Mix(), "person", 64)
    assert picture.size == (64, 64) and picture.tobytes() != render(Person.sample(number), Mix(), 64).tobytes()
