"""What is asked for: the table of parts and its rules, and the plan of intensities."""

import itertools
from collections import Counter

import pytest

from pxs.expressions import CONFUSABLE, EXPRESSIONS
from pxs.ffe.attributes import ANTAGONISTS, PARTS, STRENGTHS, TABLE, contradiction, markdown
from pxs.ffe.collect import kept
from pxs.ffe.compose import about, compose, library
from pxs.ffe.planning import Amount, choose, pairs_of, plan


@pytest.fixture(scope="module")
def prompts(tmp_path_factory):
    return compose(tmp_path_factory.mktemp("compose"), 8)


def test_no_prompt_that_is_kept_names_units_that_no_face_shows_at_once(prompts):
    against = [{first, second} for first, second, _ in ANTAGONISTS]
    for prompt in prompts:
        clash = any(pair <= {unit.rstrip("LR") for unit in prompt.units} for pair in against)
        assert clash == prompt.dropped.startswith("antagonists")
    assert sum(prompt.dropped.startswith("antagonists") for prompt in prompts) > 10


def test_sides_and_order_do_not_hide_a_contradiction():
    assert contradiction(["15", "12"]) and contradiction(["12L", "15L"]) and contradiction(["12", "15R"])
    assert not contradiction(["12L", "15R"]) and not contradiction(["1", "2", "4", "5", "20", "26"])


def test_every_expression_has_prompts_of_two_parts_at_three_strengths(prompts):
    names = {strength.name: strength.adverb for strength in STRENGTHS}
    good = [prompt for prompt in prompts if not prompt.dropped]
    assert {(p.expression, p.strength) for p in good} == set(itertools.product(EXPRESSIONS, names))
    assert max(Counter((p.expression, p.strength) for p in good).values()) <= 8
    for prompt in good:
        first, second = about(prompt, "anime").split(". ")
        assert first == f"Edit the character to show a {prompt.expression} expression"
        for part, words in prompt.parts.items():
            assert part in second.lower() and names[prompt.strength] in words
        assert set(prompt.parts) == set(TABLE[prompt.expression])


def test_units_of_one_expression_alone_are_asked_for(prompts):
    owners = {}
    for prompt in prompts:
        if not prompt.dropped:
            owners.setdefault(frozenset(prompt.units), set()).add(prompt.expression)
    assert all(len(names) == 1 for names in owners.values())


def test_the_table_can_be_read(prompts):
    text = markdown()
    for expression, parts in TABLE.items():
        assert set(parts) <= set(PARTS)
        for part, actions in parts.items():
            for action in actions:
                assert f"| {expression} | {part} | {action.words} | {' + '.join(action.units)} |" in text


def test_expressions_come_equally_often_and_each_person_has_a_confusable_pair():
    given = list(pairs_of(28, 3))
    assert all(pairs[0] in CONFUSABLE and len(pairs) == 3 for pairs in given)
    assert Counter(pairs[0] for pairs in given) == dict.fromkeys(CONFUSABLE, 14)
    others = Counter(name for pairs in given for pair in pairs[1:] for name in pair)
    assert set(others.values()) == {14} and len(others) == 8
    assert Counter(frozenset(pair) for pairs in given for pair in pairs[1:]).most_common(1)[0][1] == 2


def test_intensities_cover_each_band_evenly_and_a_longer_plan_begins_with_the_shorter(whole_set):
    one = kept(whole_set)[0]
    many = [type(one)(**{**vars(one), "name": f"s{i:03d}", "person": f"s{i:03d}"}) for i in range(120)]
    words = library(whole_set)
    whole = plan(many, words, Amount(pairs=2, each=2))
    assert [w.name for w in plan(many[:50], words, Amount(2, 2))] == [w.name for w in whole][: 50 * 4 * 3 * 2]
    for strength in STRENGTHS:
        asked = sorted(w.asked for w in whole if w.expression == "fear" and w.prompt.strength == strength.name)
        assert strength.low <= asked[0] and asked[-1] <= strength.high
        ideal = [strength.low + (i + 0.5) / len(asked) * (strength.high - strength.low) for i in range(len(asked))]
        farthest = max(abs(a - b) for a, b in zip(asked, ideal, strict=True))
        assert farthest < 0.05 * (strength.high - strength.low)
    first = {w.expression: w.asked for w in reversed(whole)}
    assert len(set(first.values())) == len(EXPRESSIONS)  # expressions do not move in step


def test_of_one_person_the_largest_faces_are_taken(whole_set):
    one = kept(whole_set)[0]
    several = [type(one)(**{**vars(one), "name": f"s{i}", "person": "p", "size": float(i % 3)}) for i in range(6)]
    assert [s.name for s in choose(several, 2)] == ["s2", "s5"]
