"""Measures: judged numbers -> how well expressions were hit, told apart, graded, and how well identity was kept.

The measures of FFE-Bench (Acc, SCR, CLS, ID Sim, HES) follow the descriptions in PixelSmile (arXiv 2603.25728),
whose exact formulas are unpublished: the formulas here are ours. Intensity error and leakage are our own measures.

Throughout, `scores` is (N, 12) float, one row an image: judged intensities in the order of EXPRESSIONS; `targets` is
(N,) int: the index in EXPRESSIONS of what was asked for. The prediction of a row is its highest score, at a tie the
one that comes first in EXPRESSIONS; a row without a score above 0 shows no expression and predicts nothing. A measure
that no row has anything to say about is NaN; empty input, wrong shapes and numbers that are not finite are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pxs.errors import ExpressionError, JudgeError, PxsError, ScaleError, one_line
from pxs.expressions import BASIC, CONFUSABLE, EXPRESSIONS, check_expression, check_scale

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CONSTANT = 2e-5  # a sweep of intensities that spreads no further than this is flat: records have five decimals
NOTHING = -1  # the prediction for a row without a score above 0
ADVICE = {JudgeError: "judge that image again or leave it out", ScaleError: "give values such as 0 0.5 1 1.5"}


def accuracy(scores: ArrayLike, targets: ArrayLike, among: int = 12) -> float:
    """Acc-12 or Acc-6 of FFE-Bench: mean over rows of [prediction = target], in [0, 1].

    scores (N, 12), targets (N,). `among=6` counts only the rows whose target is one of the BASIC six, and predicts
    among their six columns; NaN if there is no such row. Raises JudgeError for input that cannot be used.
    """
    scores, targets = _judged(scores, targets)
    if _check_among(among) == 6:
        basic = targets < len(BASIC)
        scores, targets = scores[basic, : len(BASIC)], targets[basic]
    return _mean(_predict(scores) == targets)


def confusion_matrix(scores: ArrayLike, targets: ArrayLike) -> Ints:
    """How often target i was predicted as j: counts (12, 12), row = target, column = prediction, over all 12.

    scores (N, 12), targets (N,). The entries sum to N less the rows that predict nothing. Raises JudgeError for input
    that cannot be used.
    """
    scores, targets = _judged(scores, targets)
    predicted = _predict(scores)
    matrix = np.zeros((len(EXPRESSIONS), len(EXPRESSIONS)), dtype=np.int64)
    shown = predicted != NOTHING
    np.add.at(matrix, (targets[shown], predicted[shown]), 1)
    return matrix


def scr(scores: ArrayLike, targets: ArrayLike, first: str, second: str) -> float:
    """SCR, the structural confusion rate of a pair (a, b): 1/2 [P(predicted b | target a) + P(predicted a | target b)].

    scores (N, 12), targets (N,), a and b the names `first` and `second`, predictions among all 12. In [0, 1]: 0 if the
    two are never confused, 0.5 if they have collapsed into one, 1 if they are swapped; NaN if one of them is never a
    target. After PixelSmile. Raises JudgeError for input that cannot be used, ExpressionError for names that are not
    two of the 12.
    """
    a, b = (EXPRESSIONS.index(check_expression(name)) for name in (first, second))
    if a == b:
        raise ExpressionError(f"the pair {first!r}, {second!r} is one expression: name two, such as fear, surprised")
    scores, targets = _judged(scores, targets)
    predicted = _predict(scores)
    return (_mean(predicted[targets == a] == b) + _mean(predicted[targets == b] == a)) / 2


def mscr(scores: ArrayLike, targets: ArrayLike, pairs: Sequence[tuple[str, str]] = CONFUSABLE) -> float:
    """Mean structural confusion rate: the mean of `scr` over the pairs, in [0, 1]; NaN if it is NaN for one of them.

    scores (N, 12), targets (N,). After PixelSmile; the pairs are the two that the paper names. Raises JudgeError for
    input that cannot be used, ExpressionError for pairs that cannot.
    """
    if not pairs:
        raise ExpressionError("no pairs were given: give at least one, such as fear, surprised")
    return float(np.mean([scr(scores, targets, first, second) for first, second in pairs]))


def linearity(alphas: ArrayLike, scores: ArrayLike) -> float | Floats:
    """Pearson correlation of the intensity asked for and the one judged in the target, along a sweep; in [-1, 1].

    r = sum (a - mean a)(s - mean s) / sqrt(sum (a - mean a)^2 sum (s - mean s)^2), and 0 where s is constant, which
    means that it spreads by no more than 1e-6. alphas (A,); scores (A,) -> a float, or (S, A), S sweeps -> (S,).
    After PixelSmile. Raises ScaleError for alphas that are not at least two different numbers, JudgeError for scores
    that cannot be used.
    """
    alphas = _numbers(alphas, "alphas", ("A",), ScaleError)
    if np.ptp(alphas) == 0:
        raise ScaleError(f"the only alpha is {alphas[0]:g}: a correlation needs at least two different ones")
    scores = _array(scores, "scores of the target", JudgeError)
    shape = alphas.shape if scores.ndim == 1 else ("S", len(alphas))
    rows = np.atleast_2d(_numbers(scores, "scores of the target", shape, JudgeError))
    x, y = alphas - alphas.mean(), rows - rows.mean(axis=1, keepdims=True)
    flat = np.ptp(rows, axis=1) <= CONSTANT
    norms = np.linalg.norm(x) * np.linalg.norm(y, axis=1)
    r = np.where(flat, 0.0, np.clip(y @ x / np.where(flat, 1.0, norms), -1, 1))
    return float(r[0]) if scores.ndim == 1 else r


def cls(alphas: ArrayLike, scores: ArrayLike, targets: ArrayLike | None = None, among: int = 12) -> float:
    """CLS-12 or CLS-6, the control linearity score of FFE-Bench: the mean of `linearity` over sweeps, in [-1, 1].

    alphas (A,); scores (S, A), the judged intensities of each sweep's target; targets (S,), needed for `among=6`, which
    counts only the sweeps whose target is one of the BASIC six and is NaN if there is none. After PixelSmile. Raises
    ScaleError or JudgeError as `linearity` does, JudgeError for targets that are missing or cannot be used.
    """
    r = np.atleast_1d(linearity(alphas, scores))
    if targets is not None:
        targets = _indices(targets, len(r))
    if _check_among(among) == 6:
        if targets is None:
            raise JudgeError("targets are None: a CLS among 6 needs the target of each sweep")
        r = r[targets < len(BASIC)]
    return _mean(r)


def identity_similarity(source: ArrayLike, edits: ArrayLike) -> Floats:
    """ID Sim of FFE-Bench: the cosine <s, e> / (|s| |e|) of identity vectors, row by row, (N,) in [-1, 1].

    source (N, D) and edits (N, D), of any length but 0. Raises JudgeError for input that cannot be used.
    """
    source = _numbers(source, "identity vectors of the source", ("N", "D"), JudgeError)
    edits = _numbers(edits, "identity vectors of the edits", source.shape, JudgeError)
    lengths = np.linalg.norm(source, axis=1), np.linalg.norm(edits, axis=1)
    for what, length in zip(("source", "edits"), lengths, strict=True):
        if not length.all():
            raise JudgeError(f"identity vector {length.argmin()} of the {what} is 0: {ADVICE[JudgeError]}")
    unit_source, unit_edits = source / lengths[0][:, None], edits / lengths[1][:, None]
    return np.clip((unit_source * unit_edits).sum(axis=1), -1, 1)


def harmonic(expression_scores: ArrayLike, similarities: ArrayLike) -> Floats:
    """The harmonic mean 2ab / (a + b) of expression score a and ID Sim b of each edit, and 0 where either is <= 0.

    expression_scores (N,), the judged intensity of the target, and similarities (N,) -> (N,), between a and b where
    both are positive, so in [0, 1]. After PixelSmile. Raises JudgeError for input that cannot be used.
    """
    a = _numbers(expression_scores, "expression scores", ("N",), JudgeError)
    b = _numbers(similarities, "similarities", a.shape, JudgeError)
    good = (a > 0) & (b > 0)
    return np.where(good, 2 * a * (b / np.where(good, a + b, 1.0)), 0.0)


def hes(expression_scores: ArrayLike, similarities: ArrayLike) -> float:
    """HES, the harmonic editing score of FFE-Bench: the mean of `harmonic` over edits, in [0, 1].

    expression_scores (N,) and similarities (N,). Raises JudgeError for input that cannot be used.
    """
    return _mean(harmonic(expression_scores, similarities))


def intensity_errors(asked: ArrayLike, judged: ArrayLike) -> Floats:
    """Of each row, the mean over the 12 expressions of |asked - judged|, (N,) in [0, 1]; our own measure.

    asked (N, 12) and judged (N, 12). A judge reports 0 to 1, so what was asked above 1 is cut at 1, below 0 at 0.
    Raises ScaleError for intensities asked that cannot be used, JudgeError for judged ones.
    """
    asked, judged = _asked(asked, judged)
    return np.abs(asked.clip(0, 1) - judged).mean(axis=1)


def intensity_error(asked: ArrayLike, judged: ArrayLike) -> float:
    """The mean of |asked - judged| over all 12 expressions and all rows, in [0, 1]: the mean of `intensity_errors`.

    asked (N, 12), cut to [0, 1], and judged (N, 12). Our own measure. Raises ScaleError or JudgeError for input that
    cannot be used.
    """
    return _mean(intensity_errors(asked, judged))


def leakage(asked: ArrayLike, judged: ArrayLike) -> float:
    """What shows unasked: judged intensities summed over expressions asked at 0 or less, mean over rows; in [0, 12].

    asked (N, 12) and judged (N, 12). Our own measure. Raises ScaleError for intensities asked that cannot be used,
    JudgeError for judged ones.
    """
    asked, judged = _asked(asked, judged)
    return _mean(np.where(asked <= 0, judged, 0.0).sum(axis=1))


def confidence_interval(
    measure: Callable[..., float], *arrays: ArrayLike, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap (Efron): the (1 - level)/2 and (1 + level)/2 quantiles of `measure` over resampled rows.

    Each resample draws N of the N rows with replacement, the same ones in all arrays (N, ...), and calls
    `measure(*arrays)`; where that is NaN, as when a class is missing, it is dropped. Deterministic in `seed`. Both
    ends are in the measure's own range, or NaN if every resample was. Raises JudgeError for arrays that are none,
    empty or unequally long, ScaleError for a level outside (0, 1) or no resamples.
    """
    samples = [_array(array, "arrays", JudgeError) for array in arrays]
    lengths = [len(sample) if sample.ndim else 0 for sample in samples]
    if len(set(lengths)) != 1 or 0 in lengths:
        raise JudgeError(f"arrays of {lengths} rows cannot be resampled: give at least one, all equally long")
    if not 0 < check_scale(level, "level") < 1:
        raise ScaleError(f"level {level!r} is not between 0 and 1: give for example 0.95")
    if resamples < 1:
        raise ScaleError(f"resamples {resamples!r} are too few: give at least 1, better 1000")
    draws = np.random.default_rng(seed).integers(lengths[0], size=(resamples, lengths[0]))
    values = np.array([measure(*(sample[rows] for sample in samples)) for rows in draws], dtype=float)
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _array(values: ArrayLike, what: str, error: type[PxsError], dtype: type | None = None) -> NDArray:
    """`values` as an array; else raise `error`."""
    try:
        return np.asarray(values, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as failure:
        raise error(f"{what} are no array of numbers ({one_line(failure)}): give rows of equal length") from None


def _numbers(values: ArrayLike, what: str, shape: tuple[int | str, ...], error: type[PxsError]) -> Floats:
    """`values` as finite float64 of a shape in which a letter stands for any length but 0; else raise `error`."""
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
        raise JudgeError(f"targets are {array.dtype} of shape {array.shape}: give {count} whole numbers, one a row")
    wrong = array[(array < 0) | (array >= len(EXPRESSIONS))]
    if len(wrong):
        raise JudgeError(f"target {wrong[0]} is no index of an expression: give 0 to {len(EXPRESSIONS) - 1}")
    return array.astype(np.int64)


def _judged(scores: ArrayLike, targets: ArrayLike) -> tuple[Floats, Ints]:
    """`scores` (N, 12) and `targets` (N,), checked."""
    scores = _numbers(scores, "scores", ("N", len(EXPRESSIONS)), JudgeError)
    return scores, _indices(targets, len(scores))


def _asked(asked: ArrayLike, judged: ArrayLike) -> tuple[Floats, Floats]:
    """`asked` (N, 12) and `judged` (N, 12), checked."""
    judged = _numbers(judged, "judged intensities", ("N", len(EXPRESSIONS)), JudgeError)
    return _numbers(asked, "intensities asked", judged.shape, ScaleError), judged


def _check_among(among: int) -> int:
    """Return `among` if it is 6 or 12; else raise JudgeError."""
    if among not in (len(BASIC), len(EXPRESSIONS)):
        raise JudgeError(f"among {among!r} expressions: give 6 for the basic ones or 12 for all")
    return among


def _predict(scores: Floats) -> Ints:
    """The column of the highest score of each row, NOTHING where none is above 0."""
    return np.where(scores.max(axis=1, initial=0) > 0, scores.argmax(axis=1), NOTHING)


def _mean(values: NDArray) -> float:
    """The mean; of no values NaN."""
    return float(values.mean()) if len(values) else float("nan")
