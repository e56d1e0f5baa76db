"""Blending pairs: judged pictures, verdicts by majority, thresholds, and compatibility from action units."""

import numpy as np
import pandas as pd
import pytest

import pxs
from analysis import blends
from analysis.blend_figures import balance_figure, compatibility_figure, grid_figure, pair_sheet, threshold_figure
from analysis.blends import DRAWN, BlendPlan, blend_faces, choose_pairs, grid_mixes, judge_again, pair_verdicts, table
from analysis.compatibility import compatibility, conflict, predictions, pulls, rank_correlation, sharing
from analysis.faces import drawn_faces
from analysis.figures import spread
from pxs.errors import ExpressionError, ScaleError
from pxs.expressions import BASIC, PAIRS, Mix
from pxs.judging.blends import BlendThresholds


def rows(*pictures, method="base", pair=("happy", "sad")):
    """A table of pictures given as (a, b, similarity), judged with the default thresholds."""
    columns = ["method", "face", "seed", "first", "second", "a", "b", "third", "third_intensity", "similarity"]
    found = [(method, "1", i, *pair, a, b, "", 0.0, s) for i, (a, b, s) in enumerate(pictures)]
    return judge_again(pd.DataFrame(found, columns=columns), BlendThresholds())


@pytest.fixture
def run(editor, brightness, alike):
    plan = BlendPlan([("happy", "sad"), ("sad", "fear")], seeds=(1, 2), steps=1)
    return plan, list(blend_faces({"base": editor}, drawn_faces([7, 8]), plan, brightness, alike))


def test_every_face_is_edited_with_every_seed_and_drawn_once(run):
    plan, batches = run
    assert [(b.method, b.face.name, b.seed) for b in batches] == [
        (m, f, s) for f in ("7", "8") for m, s in ((DRAWN, 0), ("base", 1), ("base", 2))
    ]
    identity = pxs.Identity.sample(7)
    for image, mix in zip(batches[0].images, plan.mixes(), strict=True):
        assert image.tobytes() == pxs.draw(identity, mix).tobytes()


def test_the_table_holds_the_judged_values(run, brightness):
    _, batches = run
    found = table(batches)
    assert len(found) == 3 * 2 * 2
    judged = brightness.judge(batches[1].images)
    first = found[(found.method == "base") & (found.face == "7") & (found.seed == 1)]
    assert first.a.tolist() == [judged[0]["happy"], judged[1]["sad"]]
    assert first.b.tolist() == [judged[0]["sad"], judged[1]["fear"]]
    assert first.third.tolist() == ["", "happy"]
    assert (found.similarity > 0.999).all()
    pd.testing.assert_frame_equal(judge_again(found, BlendThresholds()), found)


def test_plans_are_checked():
    assert len(BlendPlan().mixes()) == 15
    assert BlendPlan([("happy", "sad")], 1.0, "convex").mixes() == [Mix(happy=0.5, sad=0.5)]
    with pytest.raises(ScaleError, match="unknown rule"):
        BlendPlan(rule="mean")
    with pytest.raises(ScaleError, match="are too few"):
        BlendPlan(seeds=())
    with pytest.raises(ExpressionError, match="is one expression"):
        BlendPlan([("sad", "sad")])


def test_pairs_can_be_chosen():
    assert choose_pairs([]) == list(PAIRS)
    assert choose_pairs([["fear", "sad"]]) == [("fear", "sad")]
    with pytest.raises(ExpressionError, match="did you mean 'sad'"):
        choose_pairs([["fear", "sadd"]])
    for wrong in (["fear"], ["a", "b", "c"], "ab"):
        with pytest.raises(ScaleError, match="is not a pair"):
            choose_pairs([wrong])


def test_a_pair_gets_the_verdict_of_most_pictures():
    both, left, none = (0.9, 0.9, 1.0), (0.9, 0.1, 1.0), (0.0, 0.0, 1.0)
    found = pair_verdicts(rows(both, both, left)).iloc[0]
    assert (found.verdict, found.coherent, found.collapsed) == ("coherent", pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert pair_verdicts(rows(both, none)).iloc[0].verdict == "conflicting"
    assert pair_verdicts(rows(both, left)).iloc[0].verdict == "collapsed"


def test_pictures_of_one_expression_each_are_a_collapse_whatever_the_mean():
    found = pair_verdicts(rows((0.9, 0.0, 1), (0.0, 0.9, 1), (0.95, 0.0, 1))).iloc[0]
    assert (found.verdict, found.dominant) == ("collapsed", "happy")
    assert found.a > 0.3 <= found.b
    assert found.weaker == 0


def test_counts_and_agreement():
    pictures = pd.concat([rows((0.9, 0.9, 1), pair=pair) for pair in (("surprised", "happy"), ("angry", "happy"))])
    verdicts = pair_verdicts(pictures)
    assert blends.counts(verdicts) == {"base": {"coherent": 2, "collapsed": 0, "conflicting": 0}}
    assert blends.agreement(verdicts, blends.PUBLISHED) == {"base": 1}


def test_a_higher_threshold_never_makes_a_pair_coherent():
    rng = np.random.default_rng(0)
    pictures = pd.concat([rows(*rng.random((3, 3)), pair=pair) for pair in PAIRS])
    effect = blends.threshold_effect(pictures, "present", np.linspace(0, 1, 11), BlendThresholds())
    assert (effect.coherent.diff().dropna() <= 0).all()
    assert (effect[["coherent", "collapsed", "conflicting"]].sum(axis=1) == 15).all()
    with pytest.raises(ScaleError, match="1.5 is too large"):
        blends.threshold_effect(pictures, "present", [1.5], BlendThresholds())


def test_the_first_expression_of_a_grid_changes_slowest():
    mixes = grid_mixes(["happy", "sad"], [0, 1])
    assert mixes == [Mix(), Mix(sad=1), Mix(happy=1), Mix(happy=1, sad=1)]
    with pytest.raises(ScaleError, match="no intensities"):
        grid_mixes(["happy", "sad"], [])


def test_opposed_action_units_conflict():
    assert conflict("happy", "sad") > conflict("happy", "surprised") > conflict("sad", "disgust") == 0
    assert sharing("surprised", "fear") == max(sharing(a, b) for a, b in PAIRS)
    for a, b in PAIRS:
        assert compatibility(a, b) == pytest.approx((1 - conflict(b, a)) * (1 - sharing(b, a)))
        assert 0 <= compatibility(a, b) <= 1
    np.testing.assert_allclose(pulls("happy"), [0, -0.5, 1, 1, 0])
    # sad and happy: only the lip corners cancel, 1 of a sum of 2.6 (brows 0.1, lids 0.5, corners 1, lips 1)
    assert conflict("happy", "sad") == pytest.approx(1 / 2.6)
    assert predictions().compatibility.between(0, 1).all()
    with pytest.raises(ExpressionError, match="is one expression"):
        conflict("sad", "sad")


def test_rank_correlation_is_undefined_for_few_or_constant_values():
    assert rank_correlation(np.arange(8.0), np.arange(8.0) ** 3)["rho"] == pytest.approx(1)
    assert rank_correlation(np.arange(8.0), np.arange(8.0) ** 3)["p"] < 0.01
    assert rank_correlation(np.arange(2.0), np.arange(2.0)) == {"rho": None, "p": None}
    assert rank_correlation(np.arange(8.0), np.ones(8)) == {"rho": None, "p": None}


def test_labels_are_spread_as_little_as_needed():
    np.testing.assert_allclose(spread(np.array([0.9, 0.5, 0.1]), 0.1), [0.9, 0.5, 0.1])
    np.testing.assert_allclose(spread(np.array([0.5, 0.5, 0.5]), 0.1), [0.6, 0.5, 0.4])
    low = spread(np.array([0.02, 0.01, 0.0]), 0.1)
    np.testing.assert_allclose(low, [0.2, 0.1, 0.0])


def test_figures_show_every_pair(run):
    plan, batches = run
    sheet = pair_sheet(batches[:2])
    assert {a.get_title() for a in sheet.axes} >= {"happy + sad", "sad + fear"}
    verdicts = pair_verdicts(table(batches))
    balance = balance_figure(verdicts, BlendThresholds())
    assert [t.get_text() for t in balance.axes[0].get_yticklabels()] == ["happy + sad", "sad + fear"]
    effect = blends.threshold_effect(table(batches), "present", [0.2, 0.4], BlendThresholds())
    assert len(threshold_figure(effect, "present", 0.3).axes) == 2
    assert len(compatibility_figure(verdicts, predictions(plan.pairs), 0.3).axes) == 2
    grid = grid_figure({"base": batches[0].images * 2}, ("happy", "sad"), [0, 1])
    assert len(grid.axes[0].images) == 4
    assert set(verdicts["first"]) | set(verdicts["second"]) <= set(BASIC)
