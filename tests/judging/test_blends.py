"""Blends: the two rules, verdicts at their thresholds, the command, and one line for every error."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pxs.cli import main
from pxs.commands.blend import verdict_sheet
from pxs.errors import ExpressionError, JudgeError, ScaleError
from pxs.expressions import BASIC, PAIRS, Mix, check_pair, convex, sum_of_directions, weigh
from pxs.faces.draw import draw
from pxs.faces.identity import Identity
from pxs.images import read_text
from pxs.judging.blends import KINDS, BlendThresholds, Verdict, judge_blends, verdict

strengths = st.floats(0.001, 2) | st.just(0.0)


class FixedMixes:
    """An expression judge that reads its mixes from a list."""

    name, role = "fake", "score"

    def __init__(self, mixes):
        self.mixes = mixes

    def judge(self, images):
        return self.mixes[: len(images)]


class GreyIdentity:
    """An identity judge for which the cosine to white is 0.6 for grey pictures, 1 for white ones."""

    name, role = "fake", "score"

    def embed(self, images):
        return np.array([[1, 0] if i.getpixel((0, 0))[0] == 255 else [0.6, 0.8] for i in images], np.float32)


def test_a_sum_has_both_intensities():
    assert sum_of_directions("happy", "sad", 0.7, 1.2) == Mix(happy=0.7, sad=1.2)


def test_a_convex_blend_lies_between_the_two():
    assert convex("happy", "sad", 1, 1) == Mix(happy=0.5, sad=0.5)
    assert convex("happy", "sad", 1, 3) == Mix(happy=0.75, sad=2.25)
    assert convex("happy", "sad", 0, 0) == Mix()


@given(strengths, strengths)
def test_a_convex_blend_adds_up_to_the_stronger_and_agrees_on_the_axes(a, b):
    mix = convex("fear", "disgust", a, b)
    assert sum(mix.values()) == pytest.approx(max(a, b), abs=1e-12)
    assert convex("fear", "disgust", a, 0) == sum_of_directions("fear", "disgust", a, 0)
    assert convex("disgust", "fear", b, a) == mix


def test_rules_have_names():
    assert weigh("sum", "happy", "sad", 1, 1) == Mix(happy=1, sad=1)
    assert weigh("convex", "happy", "sad", 1, 1) == Mix(happy=0.5, sad=0.5)
    with pytest.raises(ScaleError, match="unknown rule 'mean': choose from sum, convex"):
        weigh("mean", "happy", "sad", 1, 1)


ERRORS = {
    "unknown": (("happy", "surprise"), "did you mean 'surprised'"),
    "twice": (("fear", "fear"), "is one expression: blend two different ones"),
}


@pytest.mark.parametrize("error_case", ERRORS)
def test_an_invalid_pair_is_rejected_everywhere(error_case):
    pair, message = ERRORS[error_case]
    calls = [
        lambda: check_pair(*pair),
        lambda: sum_of_directions(*pair, 1, 1),
        lambda: convex(*pair, 1, 1),
        lambda: verdict(Mix(), 1, *pair),
    ]
    for call in calls:
        with pytest.raises(ExpressionError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("a", "b"), [(-0.1, 1), (1, float("nan")), ("strong", 1)])
def test_a_convex_blend_rejects_invalid_weights(a, b):
    with pytest.raises(ScaleError):
        convex("happy", "sad", a, b)


VERDICTS = {
    "both": (Mix(happy=0.5, sad=0.3), 0.9, Verdict("coherent")),
    "at the thresholds": (Mix(happy=0.3, sad=0.3), 0.5, Verdict("coherent")),
    "the first alone": (Mix(happy=0.9, sad=0.29), 0.9, Verdict("collapsed", "happy")),
    "the second alone": (Mix(sad=0.4), 0.9, Verdict("collapsed", "sad")),
    "neither": (Mix(happy=0.2, sad=0.2), 0.9, Verdict("conflicting")),
    "nothing at all": (Mix(), 1.0, Verdict("conflicting")),
    "someone else": (Mix(happy=0.9, sad=0.9), 0.49, Verdict("conflicting")),
    "a third is stronger": (Mix(happy=0.5, sad=0.5, fear=0.51), 0.9, Verdict("conflicting")),
    "a third is as strong": (Mix(happy=0.5, sad=0.4, fear=0.5), 0.9, Verdict("coherent")),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_verdicts(case):
    judged, similarity, expected = VERDICTS[case]
    assert verdict(judged, similarity, "happy", "sad") == expected
    assert verdict(judged, similarity, "sad", "happy") == expected


@given(st.lists(st.floats(0, 1), min_size=12, max_size=12), st.floats(-1, 1), st.sampled_from(PAIRS))
def test_only_a_collapsed_blend_has_a_dominant_expression(scores, similarity, pair):
    found = verdict(Mix.from_vector(scores), similarity, *pair)
    assert found.kind in KINDS
    assert (found.dominant in pair) == (found.kind == "collapsed")


def test_verdicts_depend_on_the_thresholds():
    judged = Mix(happy=0.5, sad=0.3)
    assert verdict(judged, 0.4, "happy", "sad", BlendThresholds(0.3, 0.4)) == Verdict("coherent")
    assert verdict(judged, 0.4, "happy", "sad", BlendThresholds(0.4, 0.4)) == Verdict("collapsed", "happy")
    assert str(verdict(judged, 0.4, "happy", "sad", BlendThresholds(0.4, 0.4))) == "collapsed into happy"


@pytest.mark.parametrize("wrong", [{"present": -0.1}, {"present": 1.1}, {"identity": float("nan")}, {"identity": "x"}])
def test_thresholds_out_of_range_are_refused(wrong):
    with pytest.raises(ScaleError, match="threshold"):
        BlendThresholds(**wrong)


def pictures(*greys):
    return [Image.new("RGB", (16, 16), (g, g, g)) for g in greys]


def test_blends_are_judged_by_mix_and_identity():
    mixes = [Mix(happy=0.8, sad=0.6), Mix(happy=0.8, fear=0.1)]
    judged = judge_blends(
        *pictures(255), pictures(255, 90), [("happy", "sad"), ("happy", "fear")], FixedMixes(mixes), GreyIdentity()
    )
    assert [j.judged for j in judged] == mixes
    assert [j.similarity for j in judged] == pytest.approx([1, 0.6])
    assert [str(j.verdict) for j in judged] == ["coherent", "collapsed into happy"]
    record = judged[1].record("a.png")
    assert (record["file"], record["verdict"], record["dominant"]) == ("a.png", "collapsed", "happy")


def test_pictures_and_pairs_must_be_equally_many():
    assert judge_blends(*pictures(255), [], [], FixedMixes([]), GreyIdentity()) == []
    with pytest.raises(ExpressionError, match="2 pairs were given for 1 pictures"):
        judge_blends(*pictures(255), pictures(9), PAIRS[:2], FixedMixes([]), GreyIdentity())


def test_errors_of_a_judge_are_raised():
    class Broken(FixedMixes):
        def judge(self, images):
            raise JudgeError("out of order")

    with pytest.raises(JudgeError, match="out of order"):
        judge_blends(*pictures(255), pictures(9), PAIRS[:1], Broken([]), GreyIdentity())


def test_the_sheet_has_a_cell_for_every_pair():
    mixes = [Mix({a: 1, b: 1}) for a, b in PAIRS]
    images = pictures(*range(10, 25))
    judged = judge_blends(*pictures(255), images, PAIRS, FixedMixes(mixes), GreyIdentity())
    made = verdict_sheet(images, judged)
    assert made.width > 5 * 200
    assert made.height > 3 * 200
    assert len({first for first, _ in PAIRS} | {second for _, second in PAIRS}) == len(BASIC)


# The command.


@pytest.fixture
def blend(tmp_path, monkeypatch, editor):
    """`pxs blend` on a drawn face with the session's editor; returns the status."""
    monkeypatch.setattr("pxs.editing.editor.load", lambda *_, **__: editor)
    draw(Identity.sample(400003)).save(tmp_path / "face.png")
    flags = {"--image-path": tmp_path / "face.png", "--out": tmp_path / "out", "--steps": 1}

    def run(**more):
        given = flags | {f"--{k.replace('_', '-')}": v for k, v in more.items()}
        return main(["blend", *[str(word) for flag in given.items() for word in flag]])

    return run


def test_the_command_writes_15_pictures_a_sheet_and_their_verdicts(blend, tmp_path, capsys):
    assert blend(rule="convex", seed=3) == 0
    out = tmp_path / "out"
    results = json.loads((out / "results.json").read_text())
    assert [(row["first"], row["second"]) for row in results["pairs"]] == list(PAIRS)
    for row in results["pairs"]:
        text = read_text(out / row["file"])
        assert json.loads(text["mix"]) == {row["first"]: 0.5, row["second"]: 0.5}
        assert text["seed"] == "3"
        thresholds = BlendThresholds(**results["thresholds"])
        found = verdict(Mix(row["judged"]), row["similarity"], row["first"], row["second"], thresholds)
        assert (row["verdict"], row["dominant"]) == (found.kind, found.dominant)
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.width > 1000
    assert len(list(out.iterdir())) == 15 + 2
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 15 + 15 + 2
    assert printed[0].startswith("happy + sad")


COMMAND_ERRORS = {
    "unknown rule": ({"rule": "mean"}, "unknown rule 'mean'"),
    "no intensity": ({"intensity": 0}, "intensity 0 blends nothing"),
    "threshold": ({"present": 2}, "present 2 is too large: give 0 to 1"),
    "not a number": ({"identity": "high"}, "'high' is not a number"),
    "judge": ({"identity_judge": "me"}, "unknown identity judge 'me'"),
    "picture": ({"image_path": "no.png"}, "no.png"),
}


@pytest.mark.parametrize("error_case", COMMAND_ERRORS)
def test_an_error_is_one_line_and_writes_nothing(error_case, blend, tmp_path, capsys):
    wrong, message = COMMAND_ERRORS[error_case]
    assert blend(**wrong) == 2
    printed = capsys.readouterr()
    assert (printed.out, len(printed.err.splitlines())) == ("", 1)
    assert message in printed.err
    assert not (tmp_path / "out").exists()


def test_results_are_not_replaced_unasked(blend, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.json").write_text("mine")
    assert blend() == 2
    assert "results.json' exists" in capsys.readouterr().err
    assert (tmp_path / "out" / "results.json").read_text() == "mine"
