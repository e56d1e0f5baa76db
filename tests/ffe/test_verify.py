"""People's checks: who is asked what, agreement against published examples, and what becomes of labels."""

import json
from datetime import datetime

import numpy as np
import pytest

from pxs.errors import DataError, PxsError
from pxs.expressions import EXPRESSIONS
from pxs.ffe.annotate import Label
from pxs.ffe.asking import Asked, Effort, Item, check_verdict, plan_questions, read_asked, write_asked
from pxs.ffe.manifest import add, file_of, read, write
from pxs.ffe.pages import write_pages
from pxs.ffe.scores import scores_of
from pxs.ffe.verify import agreement, verify
from pxs.ffe.widget import Verifier

N = np.nan
KRIPPENDORFF = [  # Krippendorff (2011), four observers; alpha for intervals 0.849
    [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
    [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
]
SHROUT = [[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]]
"""Shrout and Fleiss (1979), table 2, a row a judge: ICC(1,1) 0.17, ICC(2,1) 0.29."""
AT = "2026-05-01T10:00:00+00:00"


def label(number, expression="happy", own=0.5, doubts=(), error=""):
    scores = {} if error else {**dict.fromkeys(EXPRESSIONS, 0.0), expression: own}
    passes = [list(scores.values())] if scores else []
    return Label(
        f"s{number}/{expression}_{own}", f"k{number}", f"s{number}", f"s{number}", expression, own, ["judge"], passes,
        scores, -2.0, list(doubts), error,
    )  # fmt: skip


def said_of(table, expression="happy"):
    """Verdicts of raters whose scores of one expression are a table (R, U), NaN where they did not answer."""
    items = {f"i{u}": Item(f"p{u}", "k", dict.fromkeys(EXPRESSIONS, 0.0)) for u in range(len(table[0]))}
    said = {}
    for number, row in enumerate(table):
        values = {f"i{u}": value for u, value in enumerate(row) if not np.isnan(value)}
        zeros = dict.fromkeys(EXPRESSIONS, 0.0)
        said[f"r{number}"] = {
            i: {"verdict": "corrected", "scores": {**zeros, expression: v / 10}} for i, v in values.items()
        }
    return Asked(items, {rater: tuple(own) for rater, own in said.items()}), said


def test_alpha_is_that_of_krippendorffs_example():
    found = agreement(*said_of(KRIPPENDORFF, "fear"))
    assert found["expressions"]["fear"]["alpha"] == pytest.approx(0.849, abs=5e-4)
    assert found["expressions"]["happy"] == {"alpha": None, "icc_1": None, "icc_2": None}  # all are 0
    assert (found["people"], found["seen_twice"]) == (4, 11)


def test_icc_are_those_of_shrout_and_fleiss():
    row = agreement(*said_of(SHROUT, "shy"))["expressions"]["shy"]
    assert (row["icc_1"], row["icc_2"]) == (pytest.approx(0.17, abs=5e-3), pytest.approx(0.29, abs=5e-3))


def test_without_an_overlap_agreement_is_empty_and_says_why():
    found = agreement(*said_of([[1, 2, N, N], [N, N, 3, 4]]))
    assert found["seen_twice"] == 0 and "no picture was checked by two people" in found["why_empty"]
    assert found["rejecting"] is None
    assert all(value is None for row in found["expressions"].values() for value in row.values())


def test_all_doubts_and_a_share_of_the_rest_are_asked_and_a_share_of_these_twice():
    labels = [label(i, doubts=["x"] if i < 10 else ()) for i in range(90)] + [
        label(90 + i, error="e") for i in range(5)
    ]
    asked = plan_questions(labels, Effort(raters=3, share=0.5, overlap=0.3), seed=1)
    pictures = {item.picture for item in asked.items.values()}
    assert len(pictures) == 50 and {one.name for one in labels[:10]} <= pictures
    assert not pictures & {one.name for one in labels[90:]}
    seen = [sum(name in own for own in asked.raters.values()) for name in asked.items]
    assert sorted(seen) == [1] * 35 + [2] * 15
    sizes = [len(own) for own in asked.raters.values()]
    assert max(sizes) - min(sizes) <= 1
    same = plan_questions(labels, Effort(raters=3, share=0.5, overlap=0.3), seed=1)
    assert [item.picture for item in same.items.values()] == [item.picture for item in asked.items.values()]
    assert set(same.raters).isdisjoint(asked.raters)
    with pytest.raises(DataError, match="larger --share"):
        plan_questions(labels[10:90], Effort(share=0), seed=1)


@pytest.fixture
def asked(data_set):
    """Questions about a data set: two people, all labels, half of them twice."""
    found = plan_questions(read(data_set, "labels", Label), Effort(2, 1.0, 0.5), seed=0)
    write_pages(found, data_set)
    return found


def answer(asked, rater, item, verdict="accepted", **scores):
    said = {"item": item, "verdict": verdict, "at": AT, "seconds": 1.5}
    return said | ({"scores": {**asked.items[item].scores, **scores}} if scores else {})


def files_of(asked, folder, answers):
    """Files as the page saves them."""
    made = []
    for rater, own in answers.items():
        made.append(folder / f"verdicts-{rater}.json")
        made[-1].write_text(json.dumps({"study": asked.study, "rater": rater, "answers": own}))
    return made


def test_corrections_become_scores_with_who_and_when(data_set, asked, tmp_path):
    (first, own), (second, others) = asked.raters.items()
    twice = [name for name in own if name in others]
    once = [name for name in own if name not in others]
    answers = {
        first: [
            answer(asked, first, twice[0], "corrected", sad=0.4),
            answer(asked, first, twice[1], "rejected"),
            answer(asked, first, twice[2], "rejected"),
            answer(asked, first, once[0], "corrected", shy=0.25),
            answer(asked, first, once[1], "rejected"),
        ],
        second: [
            answer(asked, second, twice[0]),
            answer(asked, second, twice[1], "corrected", sad=0.2),
            answer(asked, second, twice[2], "rejected"),
        ],
    }
    done, agreed = verify(data_set, files_of(asked, tmp_path, answers))
    by_item = {name: next(v for v in done if v.name == item.picture) for name, item in asked.items.items()}
    status = [by_item[name].status for name in (*twice[:3], *once[:3])]
    assert status == ["corrected", "rejected", "rejected", "corrected", "rejected", "not answered"]
    before = asked.items[twice[0]].scores["sad"]
    assert by_item[twice[0]].scores["sad"] == pytest.approx((0.4 + before) / 2, abs=1e-4)
    assert by_item[once[0]].scores["shy"] == 0.25
    verdicts = by_item[twice[0]].verdicts
    assert [(v["rater"], v["verdict"], v["at"], v["seconds"]) for v in verdicts] == [
        (first, "corrected", AT, 1.5),
        (second, "accepted", AT, 1.5),
    ]
    used = scores_of(data_set, "verified")
    gone = {asked.items[name].picture for name in (*twice[1:3], once[1])}
    assert set(used) == {one.name for one in read(data_set, "labels", Label)} - gone
    assert used[by_item[once[0]].name]["shy"] == 0.25
    assert agreed["seen_twice"] == 3 and -1 <= agreed["rejecting"] <= 1


def test_labels_in_doubt_are_used_only_if_people_saw_them(data_set):
    labels = read(data_set, "labels", Label)
    doubted = [
        type(one)(**{**vars(one), "doubts": ["the passes disagree"]}) if i < 4 else one for i, one in enumerate(labels)
    ]
    write(data_set, "labels", len(doubted), {}, doubted)
    asked = plan_questions(doubted, Effort(1, 0.0, 0.0), seed=0)
    write_asked(asked, data_set)
    rater, items = next(iter(asked.raters.items()))
    seen = files_of(
        asked, data_set, {rater: [answer(asked, rater, items[0]), answer(asked, rater, items[1], "rejected")]}
    )
    verify(data_set, seen)
    kept = set(scores_of(data_set, "verified"))
    assert kept == {one.name for one in labels[4:]} | {asked.items[items[0]].picture}
    assert set(scores_of(data_set, "sure")) == {one.name for one in labels[4:]}
    assert set(scores_of(data_set, "all")) == {one.name for one in labels}


def test_a_file_twice_counts_once_and_two_different_answers_are_refused(data_set, asked, tmp_path):
    rater, items = next(iter(asked.raters.items()))
    file = files_of(asked, tmp_path, {rater: [answer(asked, rater, items[0])]})
    assert verify(data_set, [*file, *file])[1]["answers"] == 1
    other = files_of(asked, data_set, {rater: [answer(asked, rater, items[0], "rejected")]})
    with pytest.raises(DataError, match="another answer"):
        verify(data_set, [*file, *other])


def test_what_is_no_verdict_is_refused(asked):
    (rater, items), (_, others) = asked.raters.items()
    good = answer(asked, rater, items[0], "corrected", sad=0.3)
    assert check_verdict(asked, rater, good)[1]["scores"]["sad"] == 0.3
    foreign = next(name for name in others if name not in items)
    bad = [
        [], "x", {}, good | {"item": foreign}, good | {"verdict": "maybe"}, good | {"scores": {"sad": 1}},
        good | {"scores": good["scores"] | {"sad": 1.5}}, good | {"at": "yesterday"},
        good | {"at": "2026-05-01T10:00:00"},
        good | {"seconds": -1}, good | {"scores": None},
    ]  # fmt: skip
    for said in bad:
        with pytest.raises(PxsError):
            check_verdict(asked, rater, said)
    with pytest.raises(DataError, match="nobody who was asked"):
        check_verdict(asked, "x", good)


def test_labels_that_changed_after_people_were_asked_are_noticed(data_set, asked, tmp_path):
    rater, items = next(iter(asked.raters.items()))
    file = files_of(asked, tmp_path, {rater: [answer(asked, rater, items[0])]})
    verify(data_set, file)
    labels = read(data_set, "labels", Label)
    write(data_set, "labels", len(labels), {}, labels[:-1])
    add(data_set, "labels", type(labels[0])(**{**vars(labels[-1]), "key": "another"}))
    with pytest.raises(DataError, match="has changed since people were asked"):
        verify(data_set, file)
    with pytest.raises(DataError, match="has changed since it was verified"):
        scores_of(data_set, "verified")


def test_questions_are_read_as_they_were_written(data_set, asked):
    assert read_asked(data_set) == asked
    key = data_set / "verify" / "key.json"
    key.write_text(key.read_text().replace(next(iter(asked.items)), "0000000000"))
    with pytest.raises(DataError, match="is not the key that was written"):
        read_asked(data_set)


def test_the_widget_keeps_answers_where_the_page_does(data_set, asked):
    verifier = Verifier(data_set, rater=1)
    rater, items = next(iter(asked.raters.items()))
    assert [item["id"] for item in verifier.view.data["items"]] == list(items)
    verifier.take(answer(asked, rater, items[0]))
    assert verifier.problem == ""
    verifier.take({"item": items[1], "verdict": "perhaps"})
    assert "perhaps" in verifier.problem
    verifier.view._handle_custom_msg(
        answer(asked, rater, items[1], "rejected"), []
    )  # as the page in the notebook sends
    assert [one["verdict"] for one in verifier.answers] != [] and len(verifier.answers) == 2
    verifier.close()
    again = Verifier(data_set, rater=rater)
    assert len(again.view.answers) == 2
    again.close()
    assert verify(data_set)[1]["answers"] == 2
    assert file_of(data_set, "verified").is_file()
    for nobody in (0, 3, "x"):
        with pytest.raises(PxsError, match="is not asked here"):
            Verifier(data_set, rater=nobody)


def test_moments_keep_their_zone(asked):
    rater, items = next(iter(asked.raters.items()))
    kept = check_verdict(asked, rater, answer(asked, rater, items[0]) | {"at": "2026-05-01T12:00:00.5Z"})[1]
    assert datetime.fromisoformat(kept["at"]).utcoffset().total_seconds() == 0
