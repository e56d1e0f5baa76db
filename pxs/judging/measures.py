"""Measures of edits from judged numbers: accuracy, confusion and linearity of expressions, and identity.

The measures of FFE-Bench (Acc, SCR, CLS, ID Sim, HES) are those that PixelSmile (arXiv 2603.25728, sections 3.2 and 5,
appendix) defines; it calls the SCR of one pair BCR. N_i are the edits towards expression i. What differs, and why:

- Judge: the article takes all intensities and the dominant expression from one vision-language model (Gemini 3 Pro).
  Here any judge gives 12 scores, and the dominant expression is the highest of them. So one answer serves all
  measures, and a face without any score above 0 is an error instead of an expression.
- Acc-6: the article does not say whether the prediction is among 6 or among 12. Here it is among the basic 6.
- CLS: the article's intensities are uniform on [0, alpha_max] and it does not state alpha_max (the sweeps of its figure
  4 reach 3). The benchmark here uses 0, 0.1, ..., 1, the range of the scores that editors are trained on, and the
  article's with `--protocol paper`. A constant sweep, for which Pearson's r is not defined, counts as 0: it does not
  follow the request.
- ID Sim: the article averages the cosines of three recognisers (ArcFace, AdaFace, FaceNet). Here it is the cosine of
  the identity judge that was chosen, or the mean of several.
- HES: the article gives 2 S_E S_ID / (S_E + S_ID). Here it is taken of each edit and then averaged, so that expression
  on one face cannot make up for identity on another. It is at most the value of the two means.

- Ties: where k expressions share the highest score, the prediction is each of them to 1 / k. The article says nothing.

mSCR is 0 for an editor that makes every face happy. So two of our own measures stand beside it: `mscr_within`, the
confusion given that the judge says one of the pair, and `separability`, of the margin between the two scores instead of
the highest score. Intensity error and leakage are also our own.

In all functions, `scores` is (N, 12) float, one row per image: judged intensities in the order of EXPRESSIONS.
`targets` is (N,) int: the index in EXPRESSIONS of the requested expression. The prediction of a row is its highest
score, shared at a tie. A row without a score above 0 shows no expression and has no prediction.
A measure without any row that counts is NaN. Empty input, wrong shapes and numbers that are not finite raise an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pxs.errors import ExpressionError, JudgeError, PxsError, ScaleError, one_line
from pxs.expressions import BASIC, CONFUSABLE, EXPRESSIONS, check_expression

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CONSTANT = 2e-5  # a sweep with a smaller range of intensities is constant: records have five decimals
ADVICE = {JudgeError: "judge that image again or leave it out", ScaleError: "give values such as 0 0.5 1 1.5"}


def predictions(scores: ArrayLike) -> Floats:
    """The prediction of each row as shares (N, 12): 1 for the highest score, 1 / k for each of k equally high ones.

    A row without a score above 0 has no prediction and is all 0. scores (N, 12). Raises JudgeError for invalid input.
    """
    return _predict(_numbers(scores, "scores", ("N", len(EXPRESSIONS)), JudgeError))


def hits(scores: ArrayLike, targets: ArrayLike, among: int = 12) -> Floats:
    """The share of the target in the prediction of each row, in [0, 1]; (M,), see `accuracy` for `among`."""
    scores, targets = _checked_scores(scores, targets)
    if _check_among(among) == 6:
        basic = targets < len(BASIC)
        scores, targets = scores[basic, : len(BASIC)], targets[basic]
    found: Floats = _predict(scores)[np.arange(len(targets)), targets]
    return found


def accuracy(scores: ArrayLike, targets: ArrayLike, among: int = 12) -> float:
    """Acc-12 or Acc-6 of FFE-Bench: the mean of `hits`, in [0, 1].

    scores (N, 12), targets (N,). `among=6` uses only the rows whose target is one of the BASIC six, and predictions
    among these six; NaN if there is no such row. Raises JudgeError for invalid input.
    """
    return _mean(hits(scores, targets, among))


def confusion_matrix(scores: ArrayLike, targets: ArrayLike) -> Floats:
    """How often target i was predicted as j: counts (12, 12), row = target, column = prediction, over all 12.

    scores (N, 12), targets (N,). A row of scores counts 1 in all, split at a tie, and 0 without a prediction. Raises
    JudgeError for invalid input.
    """
    scores, targets = _checked_scores(scores, targets)
    matrix = np.zeros((len(EXPRESSIONS), len(EXPRESSIONS)))
    np.add.at(matrix, targets, _predict(scores))
    return matrix


def directed_confusion(scores: ArrayLike, targets: ArrayLike, first: str, second: str) -> tuple[Floats, Floats]:
    """C(a->b) and C(b->a), (2,), and their numbers of rows N_a and N_b, (2,); a and b are `first` and `second`.

    C(i->j), the directed confusion, is the share of N_i whose prediction is j; NaN without such a row. Raises as `scr`.
    """
    scores, targets = _checked_scores(scores, targets)
    predicted, pair = _predict(scores), _pair(first, second)
    rates = [_mean(predicted[targets == i, j]) for i, j in (pair, pair[::-1])]
    return np.array(rates), np.array([float((targets == i).sum()) for i in pair])


def directed_within(scores: ArrayLike, targets: ArrayLike, first: str, second: str) -> tuple[Floats, Floats]:
    """C(a->b) / (C(a->a) + C(a->b)) and the same of b, (2,), and the rows predicted as one of the pair, (2,).

    The confusion given that the judge says one of the pair; NaN for a target of which it never does. Raises as `scr`.
    """
    scores, targets = _checked_scores(scores, targets)
    predicted, pair = _predict(scores), _pair(first, second)
    own = np.array([predicted[targets == i, i].sum() for i in pair])
    other = np.array([predicted[targets == i, j].sum() for i, j in (pair, pair[::-1])])
    said = own + other
    return np.divide(other, said, out=np.full(2, np.nan), where=said > 0), said


def margins(scores: ArrayLike, targets: ArrayLike, first: str, second: str) -> tuple[Floats, Floats]:
    """The score of `first` minus that of `second`, of the rows with target `first` and of those with `second`."""
    scores, targets = _checked_scores(scores, targets)
    a, b = _pair(first, second)
    margin = scores[:, a] - scores[:, b]
    return margin[targets == a], margin[targets == b]


def auc(above: NDArray[Any], below: NDArray[Any], axis: int = -1) -> Any:
    """The share of the pairs of one of `above` (..., M) and one of `below` (..., N) that are in this order; (...).

    The area under the ROC curve; a tie counts half. The samples lie along the last axis, and `axis` says so.
    """
    differences = above[..., :, None] - below[..., None, :]
    return ((differences > 0) + 0.5 * (differences == 0)).mean(axis=(-2, -1))


def scr(scores: ArrayLike, targets: ArrayLike, first: str, second: str) -> float:
    """SCR, the structural confusion rate of a pair, BCR in the article: (C(a->b) + C(b->a)) / 2.

    C(i->j), the directed confusion, is the share of N_i whose prediction is j.

    scores (N, 12), targets (N,), a and b the names `first` and `second`, predictions among all 12. In [0, 1]: 0 if the
    two are never confused, 0.5 if they have collapsed into one, 1 if they are swapped; NaN if one of them is never a
    target. Raises JudgeError for invalid input, ExpressionError unless the names are two different expressions.
    """
    return float(directed_confusion(scores, targets, first, second)[0].mean())


def mscr(scores: ArrayLike, targets: ArrayLike, pairs: Sequence[tuple[str, str]] = CONFUSABLE) -> float:
    """Mean structural confusion rate: the mean of `scr` over the pairs, in [0, 1]; NaN if it is NaN for one of them.

    scores (N, 12), targets (N,). The default pairs are the two of the article. Raises JudgeError for
    invalid input, ExpressionError for invalid pairs.
    """
    return float(np.mean([scr(scores, targets, *pair) for pair in _checked_pairs(pairs)]))


def mscr_within(scores: ArrayLike, targets: ArrayLike, pairs: Sequence[tuple[str, str]] = CONFUSABLE) -> float:
    """mSCR given that the judge says one of the pair: the mean of `directed_within`, in [0, 1]. Our own measure.

    0.5: the pair has collapsed, also where a third expression is judged most of the time; NaN if the judge says neither
    for one of the targets. Raises as `mscr`.
    """
    return float(np.mean([directed_within(scores, targets, *pair)[0] for pair in _checked_pairs(pairs)]))


def separability(scores: ArrayLike, targets: ArrayLike, pairs: Sequence[tuple[str, str]] = CONFUSABLE) -> float:
    """The mean over the pairs of the `auc` of their `margins`, in [0, 1]. Our own measure.

    1: the margin tells every edit towards the one from every edit towards the other, 0.5: it tells nothing. NaN if one
    expression of a pair is never a target. Raises as `mscr`.
    """
    samples = [margins(scores, targets, *pair) for pair in _checked_pairs(pairs)]
    if not all(len(side) for sample in samples for side in sample):
        return float("nan")
    return float(np.mean([auc(*sample) for sample in samples]))


def linearity(scales: ArrayLike, scores: ArrayLike) -> float | Floats:
    """Pearson correlation of requested and judged intensity of the target along a sweep; in [-1, 1].

    r = sum (a - mean a)(s - mean s) / sqrt(sum (a - mean a)^2 sum (s - mean s)^2). It is 0 if s is constant, that is,
    if its range is at most 2e-5. scales (A,); scores (A,) -> a float, or (S, A) for S sweeps -> (S,).
    Raises ScaleError unless scales has at least two different numbers, JudgeError for invalid scores.
    """
    scales = _numbers(scales, "scales", ("A",), ScaleError)
    if np.ptp(scales) == 0:
        raise ScaleError(f"the only scale is {scales[0]:g}: a correlation needs at least two different ones")
    scores = _array(scores, "scores of the target", JudgeError)
    shape = scales.shape if scores.ndim == 1 else ("S", len(scales))
    rows = np.atleast_2d(_numbers(scores, "scores of the target", shape, JudgeError))
    x, y = scales - scales.mean(), rows - rows.mean(axis=1, keepdims=True)
    flat = np.ptp(rows, axis=1) <= CONSTANT
    norms = np.linalg.norm(x) * np.linalg.norm(y, axis=1)
    r = np.where(flat, 0.0, np.clip(y @ x / np.where(flat, 1.0, norms), -1, 1))
    return float(r[0]) if scores.ndim == 1 else r


def cls(scales: ArrayLike, scores: ArrayLike, targets: ArrayLike | None = None, among: int = 12) -> float:
    """CLS-12 or CLS-6, the control linearity score of FFE-Bench: the mean of `linearity` over sweeps, in [-1, 1].

    scales (A,); scores (S, A), the judged intensity of the target of each sweep; targets (S,), required for `among=6`,
    which uses only the sweeps whose target is one of the BASIC six, and is NaN without such a sweep.
    Raises ScaleError or JudgeError as `linearity`, JudgeError for missing or invalid targets.
    """
    r = np.atleast_1d(linearity(scales, scores))
    if targets is not None:
        targets = _indices(targets, len(r))
    if _check_among(among) == 6:
        if targets is None:
            raise JudgeError("targets are None: a CLS among 6 needs the target of each sweep")
        r = r[targets < len(BASIC)]
    return _mean(r)


def identity_similarity(source: ArrayLike, edits: ArrayLike) -> Floats:
    """ID Sim: the cosine <s, e> / (|s| |e|) of identity vectors of one recogniser, of each row, (N,) in [-1, 1].

    source (N, D) and edits (N, D), of any length except 0. Raises JudgeError for invalid input.
    """
    source = _numbers(source, "identity vectors of the source", ("N", "D"), JudgeError)
    edits = _numbers(edits, "identity vectors of the edits", source.shape, JudgeError)
    lengths = np.linalg.norm(source, axis=1), np.linalg.norm(edits, axis=1)
    for what, length in zip(("source", "edits"), lengths, strict=True):
        if not length.all():
            raise JudgeError(f"identity vector {length.argmin()} of the {what} is 0: {ADVICE[JudgeError]}")
    unit_source, unit_edits = source / lengths[0][:, None], edits / lengths[1][:, None]
    cosines: Floats = np.clip((unit_source * unit_edits).sum(axis=1), -1, 1)
    return cosines


def harmonic(expression_scores: ArrayLike, similarities: ArrayLike) -> Floats:
    """The harmonic mean 2ab / (a + b) of expression score a and ID Sim b of each edit; 0 if one of them is <= 0.

    expression_scores (N,), the judged intensities of the target in [0, 1], and similarities (N,) in [-1, 1] -> (N,) in
    [0, 1], between a and b if both are positive. Raises JudgeError for invalid input.
    """
    a = _numbers(expression_scores, "expression scores", ("N",), JudgeError)
    b = _numbers(similarities, "similarities", a.shape, JudgeError)
    positive = (a > 0) & (b > 0)
    return np.where(positive, 2 * a * (b / np.where(positive, a + b, 1.0)), 0.0)


def hes(expression_scores: ArrayLike, similarities: ArrayLike) -> float:
    """HES, the harmonic editing score: the mean over edits of `harmonic`, 2 S_E S_ID / (S_E + S_ID), in [0, 1].

    expression_scores (N,) and similarities (N,). Raises JudgeError for invalid input.
    """
    return _mean(harmonic(expression_scores, similarities))


def intensity_errors(asked: ArrayLike, judged: ArrayLike) -> Floats:
    """The mean of |asked - judged| over the 12 expressions, per row, (N,) in [0, 1]; our own measure.

    asked (N, 12) and judged (N, 12) in [0, 1]. `asked` is clipped to [0, 1], the range of a judge. Raises ScaleError
    for invalid `asked`, JudgeError for invalid `judged`.
    """
    asked, judged = _checked_intensities(asked, judged)
    errors: Floats = np.abs(asked.clip(0, 1) - judged).mean(axis=1)
    return errors


def intensity_error(asked: ArrayLike, judged: ArrayLike) -> float:
    """The mean of |asked - judged| over all 12 expressions and all rows, in [0, 1]: the mean of `intensity_errors`.

    asked (N, 12), clipped to [0, 1], and judged (N, 12). Our own measure. Raises ScaleError for invalid `asked`,
    JudgeError for invalid `judged`.
    """
    return _mean(intensity_errors(asked, judged))


def leakage(asked: ArrayLike, judged: ArrayLike) -> float:
    """The sum of judged intensities over the expressions that were not asked for (0 or less); the mean over rows.

    asked (N, 12) and judged (N, 12) in [0, 1]; the result is in [0, 12]. Our own measure. Raises ScaleError for invalid
    `asked`, JudgeError for invalid `judged`.
    """
    asked, judged = _checked_intensities(asked, judged)
    return _mean(np.where(asked <= 0, judged, 0.0).sum(axis=1))


def _array(values: ArrayLike, what: str, error: type[PxsError], dtype: type | None = None) -> NDArray[Any]:
    """`values` as an array; raises `error`, whose message calls them `what`, if that is impossible."""
    try:
        return np.asarray(values, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as failure:
        raise error(f"{what} are not an array of numbers ({one_line(failure)}): give rows of equal length") from None


def _numbers(values: ArrayLike, what: str, shape: tuple[int | str, ...], error: type[PxsError]) -> Floats:
    """`values` as finite float64 of `shape`, in which a letter is any length except 0; else raise `error`."""
    array = _array(values, what, error, np.float64)
    sizes = zip(array.shape, shape, strict=False)
    if array.ndim != len(shape) or not all(n and (n == w or isinstance(w, str)) for n, w in sizes):
        raise error(f"{what} have the shape {array.shape}: give ({', '.join(map(str, shape))}), nothing empty")
    finite = np.isfinite(array)
    if not finite.all():
        place = np.argwhere(~finite)[0].tolist()
        raise error(f"{what} hold {array[tuple(place)]} at {place}: {ADVICE[error]}")
    return array


def _indices(targets: ArrayLike, count: int) -> Ints:
    """`targets` as `count` indices in EXPRESSIONS; else raise JudgeError."""
    array = _array(targets, "targets", JudgeError)
    if array.shape != (count,) or not np.issubdtype(array.dtype, np.integer):
        raise JudgeError(f"targets are {array.dtype} of shape {array.shape}: give {count} integers, one per row")
    wrong = array[(array < 0) | (array >= len(EXPRESSIONS))]
    if len(wrong):
        raise JudgeError(f"target {wrong[0]} is not the index of an expression: give 0 to {len(EXPRESSIONS) - 1}")
    return array.astype(np.int64)


def _checked_scores(scores: ArrayLike, targets: ArrayLike) -> tuple[Floats, Ints]:
    """`scores` (N, 12) and `targets` (N,), checked."""
    scores = _numbers(scores, "scores", ("N", len(EXPRESSIONS)), JudgeError)
    return scores, _indices(targets, len(scores))


def _checked_intensities(asked: ArrayLike, judged: ArrayLike) -> tuple[Floats, Floats]:
    """`asked` (N, 12) and `judged` (N, 12), checked."""
    judged = _numbers(judged, "judged intensities", ("N", len(EXPRESSIONS)), JudgeError)
    return _numbers(asked, "intensities asked", judged.shape, ScaleError), judged


def _check_among(among: int) -> int:
    """Return `among` if it is 6 or 12; else raise JudgeError."""
    if among not in (len(BASIC), len(EXPRESSIONS)):
        raise JudgeError(f"among {among!r} expressions: give 6 for the basic ones or 12 for all")
    return among


def _predict(scores: Floats) -> Floats:
    """The prediction of each row of checked scores (N, E) as shares (N, E)."""
    highest = scores.max(axis=1, initial=0, keepdims=True)
    tied = (scores == highest) & (highest > 0)
    shares: Floats = tied / np.maximum(tied.sum(axis=1, keepdims=True), 1)
    return shares


def _pair(first: str, second: str) -> tuple[int, int]:
    """The indices of two different expressions; raises ExpressionError."""
    a, b = (EXPRESSIONS.index(check_expression(name)) for name in (first, second))
    if a == b:
        raise ExpressionError(f"the pair {first!r}, {second!r} is one expression: name two, such as fear, surprised")
    return a, b


def _checked_pairs(pairs: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    if not pairs:
        raise ExpressionError("no pairs were given: give at least one, such as fear, surprised")
    return pairs


def _mean(values: NDArray[Any]) -> float:
    """The mean, NaN of an empty array."""
    return float(values.mean()) if len(values) else float("nan")
