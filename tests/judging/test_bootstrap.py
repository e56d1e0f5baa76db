"""The confidence interval: the percentile bootstrap of scipy, reproducible by its seed."""

import math

import numpy as np
import pytest
from scipy import stats

from pxs.expressions import EXPRESSIONS
from pxs.judging.measures import (
    accuracy,
    confidence_interval,
    linearity,
    mscr,
    scr,
)

EVERY = np.arange(12)


def column(*names: str) -> np.ndarray:
    """Targets, or predictions, by name."""
    return np.array([EXPRESSIONS.index(name) for name in names])


def faces(*names: str) -> np.ndarray:
    """Scores (N, 12) of faces that show one expression each and a little of every other."""
    return 0.1 + 0.8 * np.eye(12)[column(*names)]


def test_the_bootstrap_is_the_percentile_bootstrap_of_scipy():
    rng = np.random.default_rng(5)
    scores, targets = rng.random((60, 12)), rng.integers(12, size=60)
    scores[EVERY, targets[:12]] += 1
    hits = (scores.argmax(axis=1) == targets).astype(float)
    theirs = stats.bootstrap(
        (hits,), np.mean, method="percentile", n_resamples=500, confidence_level=0.9, rng=np.random.default_rng(3)
    ).confidence_interval
    ours = confidence_interval(accuracy, scores, targets, level=0.9, resamples=500, seed=3)
    assert ours == pytest.approx((theirs.low, theirs.high)) and ours[0] < accuracy(scores, targets) < ours[1]


def test_the_bootstrap_of_several_arrays_is_the_paired_one_of_scipy():
    a, b = np.random.default_rng(6).random((2, 40))
    theirs = stats.bootstrap(
        (a, b), lambda a, b: stats.pearsonr(a, b).statistic, paired=True, vectorized=False, method="percentile",
        n_resamples=300, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    assert confidence_interval(linearity, a, b, resamples=300) == pytest.approx((theirs.low, theirs.high))


def test_the_bootstrap_depends_on_its_seed_alone():
    values = np.random.default_rng(7).random(50)
    first = confidence_interval(np.mean, values, seed=1)
    np.random.default_rng().random(3)
    assert confidence_interval(np.mean, values, seed=1) == first != confidence_interval(np.mean, values, seed=2)


def test_a_higher_level_gives_a_wider_interval():
    values = np.random.default_rng(8).random(50)
    (low, high), (lower, higher) = (confidence_interval(np.mean, values, level=level) for level in (0.5, 0.99))
    assert lower < low < high < higher


def test_a_single_sample_has_an_interval_of_width_0():
    assert confidence_interval(accuracy, faces("shy"), column("shy")) == (1, 1)
    assert confidence_interval(accuracy, faces("sad"), column("shy")) == (0, 0)


def test_resamples_in_which_a_class_is_missing_are_dropped():
    scores, targets = faces("fear", "fear"), column("fear", "surprised")
    assert confidence_interval(lambda s, t: scr(s, t, "fear", "surprised"), scores, targets) == (0.5, 0.5)


def test_a_measure_that_is_always_nan_has_a_nan_interval():
    low, high = confidence_interval(mscr, faces("shy"), column("shy"), resamples=5)
    assert math.isnan(low) and math.isnan(high)
