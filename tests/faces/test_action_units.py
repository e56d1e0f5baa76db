"""Tests of the action units of each expression, of their sums in blends, and of their saturation."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxs.expressions import EXPRESSIONS, PAIRS, Mix
from pxs.faces.action_units import CEILING, NAMES, PROTOTYPES, actions, saturate

quick = settings(max_examples=60, deadline=None)
floats = st.floats(-50, 50)
mixes = st.dictionaries(st.sampled_from(EXPRESSIONS), st.floats(-4, 4), max_size=12).map(Mix)


def vector(mix: Mix) -> list[float]:
    """The contractions of a mix, first the left side, then the right side."""
    action = actions(mix)
    return [*action.left.values(), *action.right.values()]


def cosine(a: list[float], b: list[float]) -> float:
    """The cosine of two vectors: 1 for the same direction, 0 for no common unit."""
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


def moved(units: dict[str, float]) -> set[str]:
    """The units whose contraction is not 0."""
    return {unit for unit, value in units.items() if value != 0}


@pytest.mark.parametrize("expression, units", [
    ("happy", {"6", "12"}),
    ("sad", {"1", "4", "15"}),
    ("angry", {"4", "5", "7", "23"}),
    ("surprised", {"1", "2", "5", "26"}),
    ("fear", {"1", "2", "4", "5", "7", "20", "26"}),
])  # fmt: skip
def test_basic_expressions_use_the_units_of_the_published_prototypes(expression, units):
    action = actions(Mix({expression: 1}))
    assert moved(action.left) == moved(action.right) == units


def test_disgust_wrinkles_the_nose_and_lifts_the_lip():
    assert {"9", "10"} <= moved(actions(Mix(disgust=1)).left)


def test_contempt_is_one_sided_at_the_mouth():
    action = actions(Mix(contempt=1))
    assert moved(action.left) == set() and moved(action.right) == {"12", "14"}


def test_fear_contains_all_units_of_surprise():
    assert moved(actions(Mix(surprised=1)).left) < moved(actions(Mix(fear=1)).left)


def test_every_expression_has_a_prototype_of_known_units():
    assert set(PROTOTYPES) == set(EXPRESSIONS)
    assert {unit.rstrip("LR") for units in PROTOTYPES.values() for unit in units} <= set(NAMES)
    assert all(0 < abs(weight) <= 1 for units in PROTOTYPES.values() for weight in units.values())


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_units_marked_with_a_side_move_that_side_only(expression):
    action = actions(Mix({expression: 1}))
    for unit, weight in PROTOTYPES[expression].items():
        number = unit.rstrip("LR")
        assert action.side("left")[number] == (0 if unit.endswith("R") else weight)
        assert action.side("right")[number] == (0 if unit.endswith("L") else weight)
        assert action.both(number) == pytest.approx(weight / 2 if unit[-1] in "LR" else weight)


def test_every_unit_is_moved_by_some_expression():
    used = [actions(Mix({name: 1})) for name in EXPRESSIONS]
    assert set().union(*(moved(a.left) | moved(a.right) for a in used)) == set(NAMES)


def test_the_neutral_face_is_relaxed():
    assert set(vector(Mix())) == {0.0}


@pytest.mark.parametrize("a, b", list(itertools.combinations(EXPRESSIONS, 2)))
def test_units_of_a_blend_add_up_below_saturation(a, b):
    blend = vector(Mix({a: 0.5, b: 0.4}))
    parts = zip(vector(Mix({a: 0.5})), vector(Mix({b: 0.4})), strict=True)
    assert blend == pytest.approx([x + y for x, y in parts])


@quick
@given(st.floats(-1, 1))
def test_saturation_does_not_change_values_up_to_one(x):
    assert saturate(x) == x


@quick
@given(floats, floats)
def test_saturation_is_monotonic(x, y):
    assert (saturate(x) <= saturate(y)) or x > y


@quick
@given(st.floats(1, 3), st.floats(0.01, 1))
def test_saturation_grows_above_one_but_slower_than_its_input(x, more):
    assert 0 < saturate(x + more) - saturate(x) < more


@quick
@given(floats)
def test_saturation_is_an_odd_function_below_the_ceiling(x):
    assert saturate(-x) == -saturate(x) and abs(saturate(x)) <= CEILING


def test_the_slope_of_saturation_is_continuous_at_one():
    assert (saturate(1 + 1e-5) - saturate(1)) / 1e-5 == pytest.approx(1, abs=1e-4)


@quick
@given(mixes)
def test_no_unit_of_any_mix_exceeds_the_ceiling(mix):
    assert max(map(abs, vector(mix))) <= CEILING


@quick
@given(mixes)
def test_the_negative_of_a_mix_moves_every_unit_the_other_way(mix):
    assert vector(-1 * mix) == [-x for x in vector(mix)]


def test_fear_and_surprise_share_more_units_than_any_other_basic_pair():
    shared = {pair: cosine(vector(Mix({pair[0]: 1})), vector(Mix({pair[1]: 1}))) for pair in PAIRS}
    assert set(max(shared, key=shared.get)) == {"fear", "surprised"}
    assert sorted(shared.values())[-2] < 0.7 < max(shared.values())


def test_all_expressions_have_clearly_different_units():
    pairs = itertools.combinations(EXPRESSIONS, 2)
    assert max(cosine(vector(Mix({a: 1})), vector(Mix({b: 1}))) for a, b in pairs) < 0.8
