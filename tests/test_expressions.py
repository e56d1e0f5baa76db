"""Tests of the vocabulary: mixes as vectors, words and file names for them, prompts, and what is refused."""

import copy
import math
import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from pxs.errors import ExpressionError, PxsError, ScaleError
from pxs.expressions import (
    BASIC,
    COLOURS,
    CONFUSABLE,
    DOMAINS,
    EXPRESSIONS,
    MEANINGS,
    NEUTRAL,
    PAIRS,
    Mix,
    check_expression,
    prompt,
    sweep,
)
from pxs.quantities import SCALE

quick = settings(max_examples=60, deadline=None)
vectors = st.lists(st.floats(-100, 100), min_size=12, max_size=12)
names = st.sampled_from(EXPRESSIONS)
grid_mixes = st.dictionaries(names, st.integers(-40, 40).map(lambda n: n / 20), max_size=12).map(Mix)


def words(mix: Mix) -> list[str]:
    """The words that `Mix.parse` understands, from the text that `str` writes."""
    return [] if str(mix) == NEUTRAL else [part.replace(" ", "=") for part in str(mix).split(" + ")]


@quick
@given(vectors)
def test_a_mix_keeps_its_vector(values):
    assert Mix.from_vector(values).vector() == tuple(values)


@quick
@given(vectors, vectors)
def test_mixes_add_as_vectors(a, b):
    assert (Mix.from_vector(a) + Mix.from_vector(b)).vector() == tuple(x + y for x, y in zip(a, b, strict=True))


@quick
@given(vectors, st.floats(-100, 100))
def test_mixes_scale_as_vectors_from_either_side(values, factor):
    mix = Mix.from_vector(values)
    assert (mix * factor).vector() == (factor * mix).vector() == tuple(v * factor for v in values)


@quick
@given(vectors)
def test_a_mix_and_its_negative_cancel_to_neutral(values):
    mix = Mix.from_vector(values)
    assert mix + -1 * mix == Mix()


def test_arithmetic_leaves_the_operands_as_they_were():
    mix = Mix(happy=1)
    _ = mix + Mix(sad=1), mix * 3
    assert mix == Mix(happy=1)


@pytest.mark.parametrize("index, name", list(enumerate(EXPRESSIONS)))
def test_the_vector_follows_the_order_of_the_expressions(index, name):
    assert Mix.from_vector([float(i == index) for i in range(12)]) == Mix({name: 1})


@pytest.mark.parametrize("count", [0, 11, 13])
def test_a_vector_of_another_length_is_refused(count):
    with pytest.raises(ValueError):
        Mix.from_vector([1.0] * count)


def test_entries_of_zero_are_left_out():
    mix = Mix(happy=0, sad=-0.0, fear=0.5)
    assert dict(mix) == {"fear": 0.5} and len(mix) == 1 and "happy" not in mix


def test_an_absent_expression_reads_as_zero():
    assert Mix(fear=0.5)["happy"] == 0.0


def test_the_order_in_which_entries_are_given_does_not_matter():
    a, b = Mix({"sad": 0.2, "happy": 0.7}), Mix({"happy": 0.7, "sad": 0.2})
    assert a == b and hash(a) == hash(b) and str(a) == str(b) == "happy 0.7 + sad 0.2"


@quick
@given(grid_mixes, grid_mixes)
def test_mixes_are_equal_exactly_when_their_vectors_are(a, b):
    assert (a == b) == (a.vector() == b.vector())
    assert (a != b) or hash(a) == hash(b)


@quick
@given(vectors)
def test_a_copy_and_a_pickled_mix_are_equal_to_the_original(values):
    mix = Mix.from_vector(values)
    assert copy.deepcopy(mix) == pickle.loads(pickle.dumps(mix)) == mix
    assert hash(copy.deepcopy(mix)) == hash(mix)


def test_a_mix_is_not_equal_to_a_dictionary():
    assert Mix(happy=1) != {"happy": 1.0}


@quick
@given(vectors)
def test_words_with_all_digits_parse_to_the_same_mix(values):
    mix = Mix.from_vector(values)
    assert Mix.parse(f"{name}={value!r}" for name, value in mix.items()) == mix


@quick
@given(grid_mixes)
def test_the_text_of_a_mix_parses_to_the_same_mix(mix):
    assert Mix.parse(words(mix)) == mix


@quick
@given(grid_mixes)
def test_the_representation_evaluates_to_the_same_mix(mix):
    assert eval(repr(mix), {"Mix": Mix}) == mix


@quick
@given(grid_mixes, grid_mixes)
def test_slugs_are_plain_file_names_and_tell_mixes_apart(a, b):
    assert re.fullmatch(r"[A-Za-z0-9._+-]+", a.slug)
    assert (a == b) == (a.slug == b.slug)


def test_the_documented_text_and_slug():
    mix = Mix(surprised=0.5, happy=0.7)
    assert (str(mix), mix.slug) == ("happy 0.7 + surprised 0.5", "happy_0.7-surprised_0.5")
    assert (str(Mix()), Mix().slug) == (NEUTRAL, NEUTRAL)


@pytest.mark.parametrize("typo, meant", [
    ("hapy", "happy"), ("Happy", "happy"), ("surprise", "surprised"), ("confusd", "confused"), ("SLEEPY", "sleepy"),
    ("disgusted", "disgust"),
])  # fmt: skip
def test_a_misspelt_expression_suggests_the_nearest(typo, meant):
    with pytest.raises(ExpressionError, match=f"{typo!r}: did you mean {meant!r}"):
        check_expression(typo)


def test_a_name_like_no_other_lists_all_of_them():
    with pytest.raises(ExpressionError) as caught:
        check_expression("xyzzy")
    assert all(name in str(caught.value) for name in ("xyzzy", *EXPRESSIONS))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "nan", "inf", "much", "", None, [1], 1 + 2j])
def test_an_intensity_that_is_no_finite_number_is_refused_and_shown(value):
    with pytest.raises(ScaleError, match=f"happy {re.escape(repr(value))} is not"):
        Mix(happy=value)


@pytest.mark.parametrize("factor", [math.nan, math.inf, "x"])
def test_a_factor_that_is_no_finite_number_is_refused_and_shown(factor):
    with pytest.raises(ScaleError, match=re.escape(repr(factor))):
        Mix(happy=1) * factor


def test_a_sum_beyond_the_largest_number_is_refused():
    with pytest.raises(ScaleError, match="too large"):
        Mix(happy=1e6) + Mix(happy=1e6)


def test_an_expression_given_twice_is_refused():
    with pytest.raises(ExpressionError, match="'happy' is given twice"):
        Mix.parse(["happy=1", "sad=1", "happy=1"])


def test_an_expression_given_twice_is_refused_even_when_it_is_zero():
    with pytest.raises(ExpressionError, match="twice"):
        Mix.parse(["happy=0", "happy=1"])


def test_words_without_an_intensity_are_refused():
    with pytest.raises(ScaleError, match="'happy' is not NAME=INTENSITY"):
        Mix.parse(["happy"])


@pytest.mark.parametrize("call, value", [
    (lambda: Mix.parse(["happy=\nmuch"]), r"\nmuch"),
    (lambda: Mix.parse(["ha\nppy=1"]), r"ha\nppy"),
    (lambda: Mix.parse(["sa\nd"]), r"sa\nd"),
    (lambda: SCALE.parse("1\n2"), r"1\n2"),
    (lambda: prompt("ha\nppy"), r"ha\nppy"),
    (lambda: prompt("happy", "hu\nman"), r"hu\nman"),
    (lambda: sweep("sa\nd", [1]), r"sa\nd"),
    (lambda: Mix(happy=1)["sa\nd"], r"sa\nd"),
])  # fmt: skip
def test_messages_show_the_value_on_a_single_line(call, value):
    with pytest.raises(PxsError) as caught:
        call()
    assert value in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("domain, subject", [("human", "person"), ("anime", "character")])
@pytest.mark.parametrize("expression", [*EXPRESSIONS, NEUTRAL])
def test_the_prompt_is_the_published_sentence(domain, subject, expression):
    assert prompt(expression, domain) == f"Edit the {subject} to show a {expression} expression"


def test_a_prompt_for_another_domain_or_expression_is_refused():
    with pytest.raises(ExpressionError, match="'cat'"):
        prompt("happy", "cat")
    with pytest.raises(ExpressionError, match="'hapy'"):
        prompt("hapy")


def test_the_vocabulary_is_the_published_one():
    assert set(EXPRESSIONS) == {
        "angry", "confused", "contempt", "confident", "disgust", "fear", "happy", "sad", "shy", "sleepy", "surprised",
        "anxious",
    }  # fmt: skip
    assert len(EXPRESSIONS) == 12 and set(DOMAINS) == {"human", "anime"}


def test_the_pairs_are_all_fifteen_of_the_basic_six():
    assert len(set(map(frozenset, PAIRS))) == 15 and all(a != b for a, b in PAIRS)
    assert {name for pair in PAIRS for name in pair} == set(BASIC)
    assert set(map(frozenset, CONFUSABLE)) < set(map(frozenset, PAIRS))


def test_every_expression_and_neutral_have_a_colour_of_their_own():
    assert set(COLOURS) == {*EXPRESSIONS, NEUTRAL}
    assert all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in COLOURS.values())
    assert len(set(COLOURS.values())) == len(COLOURS)


@quick
@given(names, st.lists(st.floats(-3, 3), min_size=1, max_size=9))
def test_a_sweep_has_one_mix_per_scale_in_order(expression, scales):
    assert [mix[expression] for mix in sweep(expression, scales)] == scales
    assert all(set(mix) <= {expression} for mix in sweep(expression, iter(scales)))


@pytest.mark.parametrize("expression, scales, error, text", [
    ("happy", [], ScaleError, "no scales"),
    ("happy", [0.5, math.nan], ScaleError, "nan"),
    ("happy", ["much"], ScaleError, "'much'"),
    ("hapy", [], ExpressionError, "'hapy'"),
    (NEUTRAL, [1], ExpressionError, "'neutral'"),
])  # fmt: skip
def test_a_sweep_along_nothing_is_refused(expression, scales, error, text):
    with pytest.raises(error, match=text):
        sweep(expression, scales)


@quick
@given(vectors, vectors, st.floats(0.01, 100))
def test_differences_negatives_and_quotients_are_those_of_vectors(a, b, divisor):
    first, second = Mix.from_vector(a), Mix.from_vector(b)
    assert (first - second).vector() == tuple(x - y for x, y in zip(a, b, strict=True))
    assert (-first).vector() == tuple(-x for x in a)
    assert (first / divisor).vector() == tuple(x / divisor for x in a)


@quick
@given(st.lists(vectors, max_size=4))
def test_a_sum_of_mixes_is_that_of_their_vectors(rows):
    expected = [sum(column) for column in zip(*rows, strict=True)] or [0.0] * 12
    found = sum(map(Mix.from_vector, rows))
    assert (found.vector() if rows else (0.0,) * 12) == tuple(expected)


@pytest.mark.parametrize("call", [
    lambda: Mix() + 1, lambda: 1 + Mix(), lambda: sum([Mix()], 3), lambda: Mix() - 1, lambda: 1 - Mix(),
    lambda: 1 / Mix(),
])  # fmt: skip
def test_a_mix_and_a_number_do_not_add_up(call):
    with pytest.raises(TypeError):
        call()


@pytest.mark.parametrize(
    "divisor, error", [(0, "divided by 0"), (0.0, "divided by 0"), (math.nan, "nan"), ("x", "'x'")]
)
def test_a_mix_is_divided_by_a_number_alone(divisor, error):
    with pytest.raises(ScaleError, match=error):
        Mix(happy=1) / divisor


@pytest.mark.parametrize("word, meant", [
    ("smile", "happy"), ("Smiling", "happy"), ("laugh", "happy"), ("joyful", "happy"), ("tired", "sleepy"),
    ("worried", "anxious"), ("afraid", "fear"), ("scared", "fear"), ("mad", "angry"), ("furious", "angry"),
    ("proud", "confident"), ("puzzled", "confused"), ("shocked", "surprised"), ("embarrassed", "shy"),
    ("crying", "sad"), ("sneer", "contempt"), ("yuck", "disgust"), ("astonishd", "surprised"),
])  # fmt: skip
def test_another_word_suggests_what_it_means(word, meant):
    with pytest.raises(ExpressionError, match=f"{word!r}: did you mean {meant!r}"):
        check_expression(word)


def test_no_word_means_two_expressions():
    words = [word for meanings in MEANINGS.values() for word in meanings.split()]
    assert set(MEANINGS) == set(EXPRESSIONS) and len(set(words)) == len(words) and not set(words) & set(EXPRESSIONS)


def test_neutral_says_that_it_is_the_empty_mix():
    with pytest.raises(ExpressionError, match=r"'neutral': it has no intensity, and is the empty mix, Mix\(\)"):
        Mix(neutral=1)


def test_one_scale_stands_for_a_list_of_one():
    assert sweep("happy", 0.5) == sweep("happy", [0.5]) == [Mix(happy=0.5)]
    with pytest.raises(ScaleError, match="scale True is not a number"):
        sweep("happy", True)


@pytest.mark.parametrize("jedi", [True, False])
def test_tab_offers_the_expressions(jedi):
    shell = InteractiveShell()
    shell.push({"Mix": Mix, "mix": Mix()})
    shell.Completer.use_jedi = jedi

    def offered(line):
        with provisionalcompleter():
            return {found.text for found in shell.Completer.completions(line, len(line))}

    assert {"sad=", "shy=", "sleepy=", "surprised="} <= offered("Mix(s")
    assert set(EXPRESSIONS) <= {text.strip('"]') for text in offered('mix["')}
