"""Intervals and tests for figures of a benchmark: exact ones for shares, BCa for means, paired tests with correction.

A percentile bootstrap of a share of 1 is 1 to 1, however few tasks there are. So shares get the exact interval of
Clopper and Pearson, and samples without any spread what a value that is too rare to be seen could still do.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from pxs.errors import JudgeError, ScaleError
from pxs.quantities import SEED, Real, Whole

Floats = NDArray[np.float64]
Interval = tuple[float, float]
FLIPS = (
    50_000  # of signs, in a paired test: the smallest p of a test must survive the correction for a thousand of them
)
RESAMPLES = 2_000
MANY = Whole("resamples", 1, 1_000_000, f"such as {RESAMPLES}")
LEVEL = Real("level", 0.001, 0.999, "such as 0.95")
CONSTANT = 1e-12  # what spreads less has no spread


def share_interval(hits: float, count: float, level: float = 0.95) -> Interval:
    """The exact interval (Clopper and Pearson) of a share, in [0, 1].

    `hits` of `count` tasks; both may be fractions, where ties are split or tasks weigh differently. NaN for a count of
    0. Raises ScaleError for hits outside [0, count] and a level outside (0, 1).
    """
    outside = (1 - LEVEL(level)) / 2
    if not 0 <= hits <= count:
        raise ScaleError(f"{hits!r} hits of {count!r} are no share: give 0 hits up to the count")
    if count == 0:
        return float("nan"), float("nan")
    low = 0.0 if hits == 0 else float(stats.beta.ppf(outside, hits, count - hits + 1))
    high = 1.0 if hits == count else float(stats.beta.ppf(1 - outside, hits + 1, count - hits))
    return low, high


def mean_of_shares_interval(shares: ArrayLike, counts: ArrayLike, level: float = 0.95) -> Interval:
    """The interval of the mean of shares (G,) of groups of `counts` (G,) tasks, in [0, 1]; NaN if a group is empty.

    It is that of Clopper and Pearson for the mean share of as many tasks as a mean over the groups is worth,
    G^2 / sum(1 / n): their number, if the groups are equally large. Where the shares differ between the groups, it is
    wider than it need be: the count of hits then varies less than that of equal shares (Hoeffding 1956).
    """
    parts, sizes = np.asarray(shares, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    if not (sizes > 0).all() or np.isnan(parts).any():
        return float("nan"), float("nan")
    worth = len(sizes) ** 2 / float((1 / sizes).sum())
    return share_interval(min(worth, float(parts.mean()) * worth), worth, level)


def mean_interval(
    values: ArrayLike, limits: Interval, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """The BCa bootstrap interval (Efron 1987) of the mean of values (N,) within `limits`; see `bca_interval`."""
    return bca_interval(lambda sample, axis: sample.mean(axis=axis), [values], limits, level, resamples, seed)


def bca_interval(
    statistic: Callable[..., Any],
    samples: Sequence[ArrayLike],
    limits: Interval,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The BCa bootstrap interval of `statistic(*samples, axis=)`; each of the samples (N,) is drawn from alone.

    Where no resample differs, it is what is too rare to be seen: in a share q = 1 - ((1 - level) / 2)^(1/N), N that of
    the smallest sample, anything within `limits` may happen. For a share of 0 or 1 that is the exact interval.
    Deterministic in `seed`. NaN for an empty sample. Raises JudgeError for values that are not finite, ScaleError for a
    level outside (0, 1) or fewer than 1 resamples.
    """
    outside = (1 - LEVEL(level)) / 2
    resamples, seed = MANY(resamples), SEED(seed)
    arrays = [np.asarray(sample, dtype=np.float64) for sample in samples]
    if not all(np.isfinite(array).all() for array in arrays):
        raise JudgeError("a value is not finite: judge that image again or leave it out")
    fewest = min(len(array) for array in arrays)
    if fewest == 0:
        return float("nan"), float("nan")
    value = float(statistic(*arrays, axis=-1))
    drawn, ends = _bootstrap(statistic, arrays, level, resamples, seed)
    if np.ptp(drawn) <= CONSTANT:
        rare = 1 - outside ** (1 / fewest)
        return value - rare * (value - limits[0]), value + rare * (limits[1] - value)
    low, high = ends if np.isfinite(ends).all() else np.quantile(drawn, (outside, 1 - outside))
    return float(low), float(high)


def _bootstrap(
    statistic: Callable[..., Any], arrays: Sequence[Floats], level: float, resamples: int, seed: int
) -> tuple[Floats, Floats]:
    """The statistic of the resamples (R,), and the ends of the BCa interval (2,), NaN where it has none."""
    if min(len(array) for array in arrays) < 2 or all(np.ptp(array) <= CONSTANT for array in arrays):
        return np.zeros(1), np.full(2, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # 0 / 0 in the acceleration of what has no spread
        found = stats.bootstrap(
            tuple(arrays),
            statistic,
            n_resamples=resamples,
            vectorized=True,
            confidence_level=level,
            method="BCa",
            rng=np.random.default_rng(seed),
        )
    return np.asarray(found.bootstrap_distribution), np.array(found.confidence_interval)


def sign_flip_test(differences: ArrayLike, flips: int = FLIPS, seed: int = 0) -> float:
    """The two-sided p of paired differences (N,) under random signs (Fisher's test of pairs); deterministic in `seed`.

    The share of sign patterns whose sum is at least as far from 0: of all 2^N where these are no more than `flips`,
    else of `flips` random ones and that which was observed. 1 without a difference, NaN without a pair. Raises
    JudgeError for values that are not finite.
    """
    found = np.asarray(differences, dtype=np.float64)
    if not np.isfinite(found).all():
        raise JudgeError("a difference is not finite: judge that image again or leave it out")
    if found.ndim != 1 or not len(found):
        return float("nan")
    found = found[found != 0]
    if not len(found):
        return 1.0
    observed = abs(found.sum()) - 1e-9 * np.abs(found).sum()
    if 2 ** min(len(found), 60) <= flips:
        patterns = (np.arange(2 ** len(found))[:, None] >> np.arange(len(found))) & 1
        return float((np.abs((1 - 2 * patterns) @ found) >= observed).mean())
    return float((1 + (np.abs(_signs(flips, len(found), seed) @ found) >= observed).sum()) / (1 + flips))


@lru_cache(maxsize=4)
def _signs(flips: int, count: int, seed: int) -> NDArray[np.float32]:
    """Random signs (flips, count); kept, since the tests of a table have the same."""
    drawn = np.random.default_rng(seed).integers(2, size=(flips, count), dtype=np.int8)
    return (drawn * 2 - 1).astype(np.float32)


def holm(values: ArrayLike) -> Floats:
    """The p values (K,) corrected for how many there are (Holm 1979), in their order; NaN stays and does not count.

    The k-th smallest of K is multiplied by K - k + 1; none becomes smaller than a smaller one, or greater than 1.
    """
    p = np.asarray(values, dtype=np.float64)
    corrected = np.full(p.shape, np.nan)
    order = [i for i in np.argsort(p, kind="stable") if not np.isnan(p[i])]
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, float(p[place]) * (len(order) - rank)))
        corrected[place] = largest
    return corrected
