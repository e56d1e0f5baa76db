"""Tests of the kinds of numbers: what is taken, what is refused, and that no other error escapes."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pxs.errors import ScaleError
from pxs.expressions import Mix, sweep
from pxs.quantities import COUNT, SCALE, SEED, SHARE, SIZE, STEPS, WORKERS

WHOLE = (SEED, STEPS, COUNT, SIZE, WORKERS)
REAL = (SCALE, SHARE)
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(), st.binary(),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.text(), st.integers(), max_size=2),
    st.decimals(), st.fractions(), st.integers(0, 2**63 - 1).map(np.int64), st.floats(width=32).map(np.float32),
    st.booleans().map(np.bool_), st.integers(0, 9).map(torch.tensor), st.just(object()), st.just(np.zeros(3)),
)  # fmt: skip


@pytest.mark.parametrize("kind", WHOLE)
@given(value=ANYTHING)
def test_anything_is_a_whole_number_within_the_range_or_a_scale_error_of_one_line(kind, value):
    try:
        found = kind(value)
    except ScaleError as error:
        assert "\n" not in str(error) and kind.name in str(error)
    else:
        assert type(found) is int and kind.least <= found <= kind.most and found == int(value)


@pytest.mark.parametrize("kind", REAL)
@given(value=ANYTHING)
def test_anything_is_a_finite_number_within_the_range_or_a_scale_error_of_one_line(kind, value):
    try:
        found = kind(value)
    except ScaleError as error:
        assert "\n" not in str(error) and kind.name in str(error)
    else:
        assert type(found) is float and math.isfinite(found) and kind.least <= found <= kind.most


@pytest.mark.parametrize("kind", (*WHOLE, *REAL))
@given(text=st.text())
def test_any_text_is_a_number_or_a_scale_error(kind, text):
    try:
        found = kind.parse(text)
    except ScaleError as error:
        assert "\n" not in str(error)
    else:
        assert found == float(text)


@given(st.integers(0, 2**64 - 1))
def test_a_seed_is_read_as_it_is_written(number):
    assert SEED.parse(str(number)) == SEED(number) == number


@given(st.floats(-1e6, 1e6))
def test_a_scale_is_read_as_it_is_written(number):
    assert SCALE.parse(repr(number)) == SCALE(number) == number


@pytest.mark.parametrize("value", [True, False, 4.0, "7", None, np.True_, np.float64(4), [4], 4 + 0j])
def test_what_looks_like_a_whole_number_and_is_none_is_refused(value):
    with pytest.raises(ScaleError, match="steps .* is not a whole number: give 1 to 1000"):
        STEPS(value)


@pytest.mark.parametrize("value", [np.int64(7), np.uint8(7), torch.tensor(7), np.array(7)])
def test_whole_numbers_of_other_libraries_are_taken(value):
    assert STEPS(value) == 7 and type(STEPS(value)) is int


def test_a_message_never_holds_thousands_of_digits():
    for call in (lambda: SEED(10**5000), lambda: SEED.parse("9" * 5000), lambda: SCALE.parse("9" * 5000)):
        with pytest.raises(ScaleError) as caught:
            call()
        assert len(str(caught.value)) < 300


def test_several_are_read_once_from_an_iterator():
    drawn = []
    numbers = (drawn.append(x) or x for x in (0, 0.5, 1))
    assert SCALE.several(numbers) == [0, 0.5, 1] and drawn == [0, 0.5, 1]


@pytest.mark.parametrize("given_values", ["05", b"05", {0: 1}, 5, None, [], iter([])])
def test_what_is_no_list_of_numbers_is_refused(given_values):
    with pytest.raises(ScaleError):
        SCALE.several(given_values)


def test_an_endless_iterator_ends_in_an_error():
    with pytest.raises(ScaleError, match="more than 10000 entries"):
        SCALE.several(iter(lambda: 0.5, None))


def test_a_text_is_not_the_scales_of_its_letters():
    with pytest.raises(ScaleError, match="'05' is not a list"):
        sweep("happy", "05")
    assert sweep("happy", (x for x in (0.5, 1))) == [Mix(happy=0.5), Mix(happy=1)]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
def test_several_keep_values_and_order(values):
    assert SEED.several(iter(values)) == values
