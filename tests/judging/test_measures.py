"""The measures equal closed forms, scikit-learn and scipy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn import metrics
from sklearn.metrics.pairwise import paired_cosine_distances

from pxs.expressions import CONFUSABLE, EXPRESSIONS
from pxs.judging.measures import (
    accuracy,
    cls,
    confusion_matrix,
    directed_within,
    harmonic,
    hes,
    hits,
    identity_similarity,
    intensity_error,
    intensity_errors,
    leakage,
    linearity,
    mscr,
    mscr_within,
    scr,
    separability,
)

ALPHAS = np.array([0, 0.25, 0.5, 0.75, 1, 1.5])


EVERY = np.arange(12)


NAN = float("nan")


few = settings(max_examples=60, deadline=None)


intensities = st.floats(0, 1, width=32)


@st.composite
def judgements(draw, least: int = 1):
    """Scores (N, 12), above 0 and coarse so that ties occur, and targets (N,)."""
    n = draw(st.integers(least, 12))
    scores = draw(arrays(float, (n, 12), elements=st.sampled_from([0.1, 0.5, 0.6, 1])))
    return scores, draw(arrays(np.int64, n, elements=st.integers(0, 11)))


@st.composite
def sweeps(draw):
    """Scores (S, A) of at least one sweep, each of which visibly changes."""
    scores = draw(arrays(float, (draw(st.integers(1, 5)), len(ALPHAS)), elements=intensities))
    scores[:, 2] = (scores[:, 1] + 0.5) % 1
    return scores


def column(*names: str) -> np.ndarray:
    """Targets, or predictions, by name."""
    return np.array([EXPRESSIONS.index(name) for name in names])


def faces(*names: str) -> np.ndarray:
    """Scores (N, 12) of faces that show one expression each and a little of every other."""
    return 0.1 + 0.8 * np.eye(12)[column(*names)]


def untied(scores: np.ndarray) -> np.ndarray:
    """The scores with a slightly higher one for the earlier of two equal expressions."""
    return scores + 1e-6 * np.arange(12, 0, -1)


def split(scores: np.ndarray) -> list[dict[int, float]]:
    """Of each row, the share of every expression that has the highest score: written out, one row after the other."""
    shares = []
    for row in scores.tolist():
        tied = [j for j, s in enumerate(row) if s == max(row) and s > 0]
        shares.append({j: 1 / len(tied) for j in tied})
    return shares


@few
@given(judgements())
def test_accuracy_without_ties_is_that_of_scikit_learn(judged):
    scores, targets = untied(judged[0]), judged[1]
    assert accuracy(scores, targets) == pytest.approx(metrics.accuracy_score(targets, scores.argmax(axis=1)))
    basic = targets < 6
    if basic.any():
        predicted = scores[basic, :6].argmax(axis=1)
        assert accuracy(scores, targets, among=6) == pytest.approx(metrics.accuracy_score(targets[basic], predicted))


@few
@given(judgements())
def test_the_confusion_matrix_without_ties_is_that_of_scikit_learn(judged):
    scores, targets = untied(judged[0]), judged[1]
    expected = metrics.confusion_matrix(targets, scores.argmax(axis=1), labels=EVERY)
    assert confusion_matrix(scores, targets).tolist() == expected.tolist()


@few
@given(judgements())
def test_ties_are_split_among_all_that_share_the_highest_score(judged):
    scores, targets = judged
    expected = split(scores)
    assert hits(scores, targets) == pytest.approx([e.get(t, 0) for e, t in zip(expected, targets, strict=True)])
    matrix = np.zeros((12, 12))
    for one, target in zip(expected, targets, strict=True):
        for j, share in one.items():
            matrix[target, j] += share
    assert confusion_matrix(scores, targets) == pytest.approx(matrix)


def test_an_edit_that_is_as_angry_as_disgusted_counts_half():
    scores = faces("angry")
    scores[0, EXPRESSIONS.index("disgust")] = scores.max()
    assert accuracy(scores, column("angry")) == accuracy(scores, column("disgust"), among=6) == 0.5
    both = np.vstack([scores, scores])
    assert scr(both, column("angry", "disgust"), "angry", "disgust") == 0.5


def test_the_confusion_within_a_pair_looks_only_at_answers_of_the_pair():
    targets = column(*["fear"] * 4, *["surprised"] * 4)
    scores = faces("happy", "happy", "fear", "surprised", "surprised", "surprised", "shy", "shy")
    assert scr(scores, targets, "fear", "surprised") == 1 / 8
    assert mscr_within(scores, targets, [("fear", "surprised")]) == (1 / 2 + 0) / 2
    rates, said = directed_within(scores, targets, "surprised", "fear")
    assert rates.tolist() == [0, 0.5] and said.tolist() == [2, 2]


def test_an_editor_that_makes_all_faces_happy_is_not_confused_but_not_separated_either():
    targets = column("fear", "surprised", "angry", "disgust")
    scores = faces(*["happy"] * 4)
    assert mscr(scores, targets) == 0 and math.isnan(mscr_within(scores, targets))
    assert separability(scores, targets) == 0.5


@few
@given(judgements(least=6))
def test_separability_is_the_area_under_the_curve_of_scikit_learn(judged):
    scores, targets = judged
    targets[:4] = column("fear", "surprised", "angry", "disgust")
    areas = []
    for first, second in CONFUSABLE:
        a, b = column(first, second)
        of_pair = (targets == a) | (targets == b)
        areas.append(metrics.roc_auc_score(targets[of_pair] == a, scores[of_pair, a] - scores[of_pair, b]))
    assert separability(scores, targets) == pytest.approx(np.mean(areas))


def test_a_margin_separates_where_the_highest_score_does_not():
    scores = np.full((4, 12), 0.1)
    targets = column("fear", "surprised", "fear", "surprised")
    scores[:, EXPRESSIONS.index("fear")] = [0.9, 0.8, 0.9, 0.8]
    assert mscr(scores, targets, [("fear", "surprised")]) == 0.5
    assert separability(scores, targets, [("fear", "surprised")]) == 1
    assert math.isnan(separability(scores, targets))


def test_among_six_neither_other_targets_nor_other_predictions_count():
    scores, targets = faces("anxious", "sad", "shy"), column("happy", "sad", "shy")
    scores[0, 0] = 0.2
    assert accuracy(scores, targets) == pytest.approx(2 / 3) and accuracy(scores, targets, among=6) == 1
    scores[0, 1] = 0.3
    assert accuracy(scores, targets, among=6) == 0.5


def test_a_face_without_expression_has_no_prediction():
    scores, targets = np.vstack([np.zeros(12), faces("happy")]), column("happy", "happy")
    assert accuracy(scores, targets) == accuracy(scores, targets, among=6) == 0.5
    assert confusion_matrix(scores, targets).sum() == 1
    assert scr(np.vstack([np.zeros(12), faces("sad", "sad")]), column("happy", "happy", "sad"), "happy", "sad") == 0.25


def test_without_a_basic_target_what_is_measured_among_six_is_nan():
    assert math.isnan(accuracy(faces("shy"), column("shy"), among=6))
    assert math.isnan(cls(ALPHAS, [ALPHAS], column("shy"), among=6))


def test_perfect_predictions_are_all_on_the_diagonal():
    scores = faces(*EXPRESSIONS)
    assert accuracy(scores, EVERY) == accuracy(scores, EVERY, among=6) == 1 and mscr(scores, EVERY) == 0
    assert np.array_equal(confusion_matrix(scores, EVERY), np.eye(12))


@pytest.mark.parametrize("pair", CONFUSABLE)
@pytest.mark.parametrize("order", [1, -1])
def test_a_pair_that_collapsed_into_one_has_a_confusion_rate_of_one_half(pair, order):
    first, second = pair[::order]
    assert scr(faces(first, first, first), column(first, second, second), first, second) == 0.5


def test_a_pair_that_is_swapped_has_a_confusion_rate_of_one():
    assert scr(faces("fear", "surprised"), column("surprised", "fear"), "fear", "surprised") == 1


def test_confusion_with_a_third_expression_does_not_count_for_the_pair():
    assert scr(faces("anxious", "happy"), column("fear", "surprised"), "fear", "surprised") == 0


def test_both_directions_of_confusion_have_the_same_weight():
    scores = faces("surprised", "fear", "fear", "fear", "surprised", "surprised")
    targets = column("fear", "fear", "fear", "fear", "surprised", "surprised")
    assert scr(scores, targets, "fear", "surprised") == (1 / 4 + 0) / 2


def test_the_mean_confusion_rate_is_that_over_the_two_pairs_of_the_paper():
    targets = column("fear", "surprised", "angry", "disgust")
    scores = faces("fear", "fear", "disgust", "angry")
    assert mscr(scores, targets) == (0.5 + 1) / 2
    assert mscr(scores, targets, pairs=[("angry", "disgust")]) == 1


def test_the_confusion_rate_is_nan_without_one_of_the_targets():
    targets = column("fear", "angry", "disgust")
    scores = faces("fear", "angry", "disgust")
    assert math.isnan(scr(scores, targets, "fear", "surprised")) and math.isnan(mscr(scores, targets))


@few
@given(judgements(least=2))
def test_the_confusion_rate_is_symmetric_and_is_read_from_the_confusion_matrix(judged):
    scores, targets = untied(judged[0]), judged[1]
    targets[:2] = a, b = column("fear", "surprised")
    matrix = metrics.confusion_matrix(targets, scores.argmax(axis=1), labels=EVERY)
    expected = (matrix[a, b] / matrix[a].sum() + matrix[b, a] / matrix[b].sum()) / 2
    assert scr(scores, targets, "fear", "surprised") == pytest.approx(expected)
    assert scr(scores, targets, "surprised", "fear") == pytest.approx(expected)


@few
@given(sweeps())
def test_linearity_is_the_correlation_of_scipy(scores):
    expected = [stats.pearsonr(ALPHAS, row).statistic for row in scores]
    assert linearity(ALPHAS, scores) == pytest.approx(expected, abs=1e-9)
    assert linearity(ALPHAS, scores[0]) == pytest.approx(expected[0], abs=1e-9)
    assert cls(ALPHAS, scores) == pytest.approx(np.mean(expected), abs=1e-9)


@few
@given(st.floats(-1, 1), st.floats(1e-3, 1))
def test_a_straight_line_has_linearity_1_at_any_offset_and_slope(height, slope):
    rows = np.stack([height + slope * ALPHAS, height - slope * ALPHAS])
    assert linearity(ALPHAS, rows) == pytest.approx([1, -1]) and (np.abs(linearity(ALPHAS, rows)) <= 1).all()


@few
@given(intensities, arrays(float, len(ALPHAS), elements=st.floats(-9e-6, 9e-6)))
def test_a_constant_sweep_has_linearity_0_despite_rounding(level, noise):
    assert linearity(ALPHAS, level + noise) == 0
    assert linearity(ALPHAS, [level + noise, ALPHAS]) == pytest.approx([0, 1])


def test_a_small_rise_above_rounding_is_linear():
    assert linearity(ALPHAS, 0.3 + 1e-4 * ALPHAS) == pytest.approx(1)


def test_one_sweep_gives_a_float_and_several_give_an_array():
    assert isinstance(linearity([0, 1], [0.2, 0.4]), float)
    assert linearity([0, 1], [[0.2, 0.4], [0.4, 0.2], [0.3, 0.3]]) == pytest.approx([1, -1, 0])


def test_among_six_only_sweeps_of_basic_expressions_count():
    scores, targets = np.stack([ALPHAS, -ALPHAS, np.zeros(6)]), column("disgust", "anxious", "happy")
    assert cls(ALPHAS, scores, targets, among=6) == pytest.approx(1 / 2)
    assert cls(ALPHAS, scores, targets) == pytest.approx(0, abs=1e-12)


vectors = arrays(float, (4, 3), elements=st.floats(0.1, 10) | st.floats(-10, -0.1))


@few
@given(vectors, vectors, st.floats(1e-3, 1e3))
def test_identity_similarity_is_the_cosine_of_scikit_learn_at_any_length(source, edits, factor):
    ours = identity_similarity(source, factor * edits)
    assert ours == pytest.approx(1 - paired_cosine_distances(source, edits), abs=1e-9) and (np.abs(ours) <= 1).all()


def test_identity_similarity_is_one_for_the_same_vector_minus_one_for_its_opposite_zero_at_right_angles():
    source, edits = [[3, 4], [3, 4], [3, 4]], [[3, 4], [-6, -8], [-4, 3]]
    assert identity_similarity(source, edits) == pytest.approx([1, -1, 0])


@few
@given(arrays(float, (2, 5), elements=st.floats(1e-300, 1)))
def test_the_harmonic_mean_is_that_of_scipy_and_lies_between_its_parts(parts):
    a, b = parts
    ours = harmonic(a, b)
    assert ours == pytest.approx(stats.hmean(parts, axis=0), rel=1e-9)
    assert (ours >= parts.min(axis=0) * (1 - 1e-12)).all() and (ours <= parts.max(axis=0) * (1 + 1e-12)).all()
    assert harmonic(b, a) == pytest.approx(ours) and hes(a, b) == pytest.approx(ours.mean())


@few
@given(st.floats(-1, 0), st.floats(-1, 1))
def test_the_harmonic_mean_is_0_without_expression_or_identity(none, other):
    assert harmonic([none, other, 0.4], [other, none, 0.8]) == pytest.approx([0, 0, 0.64 / 1.2])
    assert hes([none, 0.4], [other, 0.8]) == pytest.approx(0.64 / 2.4)


def test_the_intensity_error_is_the_mean_difference_over_all_twelve():
    asked, judged = np.zeros((2, 12)), np.zeros((2, 12))
    asked[0, 0], judged[0, 0], judged[0, 3], judged[1, 5] = 0.8, 0.5, 0.3, 0.6
    assert intensity_errors(asked, judged) == pytest.approx([0.6 / 12, 0.6 / 12])
    assert intensity_error(asked, np.ones((2, 12))) == pytest.approx((11 + 0.2 + 12) / 24)


@few
@given(arrays(float, (3, 12), elements=intensities), arrays(float, (3, 12), elements=intensities))
def test_the_intensity_error_is_that_of_scikit_learn(asked, judged):
    assert intensity_error(asked, judged) == pytest.approx(metrics.mean_absolute_error(asked, judged))
    assert intensity_errors(asked, asked).tolist() == [0, 0, 0]


def test_requested_intensities_are_clipped_to_the_range_of_a_judge():
    asked, judged = np.zeros((1, 12)), np.zeros((1, 12))
    asked[0, :2], judged[0, 0] = (1.5, -0.5), 1
    assert intensity_error(asked, judged) == 0


def test_leakage_is_the_sum_over_expressions_not_asked_for():
    asked, judged = np.zeros((3, 12)), np.full((3, 12), 0.1)
    asked[0, 0], asked[1, :] = 0.7, 1.5
    judged[0, 0] = 0.9
    assert leakage(asked[:1], judged[:1]) == pytest.approx(1.1) and leakage(asked[1:2], judged[1:2]) == 0
    assert leakage(asked, judged) == pytest.approx((1.1 + 0 + 1.2) / 3)
    assert leakage(-asked, judged) == pytest.approx((1.1 + 0.9 + 1.2 + 1.2) / 3)


MEASURES = [
    ("accuracy", 0, 1, accuracy),
    ("basic accuracy", 0, 1, lambda scores, targets: accuracy(scores, targets, among=6)),
    ("confusion matrix", 0, 12, confusion_matrix),
    ("mscr", 0, 1, mscr),
    ("cls", -1, 1, lambda scores, targets: cls(EVERY, scores, targets, among=6)),
    ("hes", 0, 1, lambda scores, targets: hes(scores[:, 0], scores[:, 1])),
    ("intensity error", 0, 1, lambda scores, targets: intensity_error(np.eye(12)[targets], scores)),
    ("leakage", 0, 12, lambda scores, targets: leakage(np.eye(12)[targets], scores)),
]


@pytest.mark.parametrize(("low", "high", "measure"), [m[1:] for m in MEASURES], ids=[m[0] for m in MEASURES])
@few
@given(data=st.data())
def test_measures_stay_in_range_and_do_not_depend_on_the_order_of_rows(low, high, measure, data):
    scores, targets = data.draw(judgements(least=6))
    targets[:4] = column(*CONFUSABLE[0], *CONFUSABLE[1])
    order = data.draw(st.permutations(range(len(targets))))
    value = measure(scores, targets)
    assert np.all(low <= value) and np.all(value <= high)
    assert measure(scores[order], targets[order]) == pytest.approx(value)
