"""Intervals equal those of scipy and closed forms, tests of pairs equal full enumeration, Holm's correction by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from pxs.errors import JudgeError, PxsError, ScaleError
from pxs.judging.intervals import (
    bca_interval,
    holm,
    mean_interval,
    mean_of_shares_interval,
    share_interval,
    sign_flip_test,
)
from pxs.judging.measures import auc

few = settings(max_examples=40, deadline=None)

SHARE = (0.0, 1.0)


@few
@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_the_interval_of_a_share_is_the_exact_one_of_scipy(counts, level):
    hits, count = counts
    theirs = stats.binomtest(hits, count).proportion_ci(level, method="exact")
    assert share_interval(hits, count, level) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_a_share_of_0_or_1_has_an_interval_that_narrows_with_the_tasks():
    assert share_interval(20, 20) == pytest.approx((0.025 ** (1 / 20), 1))
    assert share_interval(0, 198) == pytest.approx((0, 1 - 0.025 ** (1 / 198)))
    assert share_interval(3.5, 10)[0] > share_interval(3, 10)[0]
    assert all(map(math.isnan, share_interval(0, 0)))


def test_equally_large_groups_have_the_interval_of_all_their_tasks():
    assert mean_of_shares_interval([0.25, 0.5, 0, 0.25], [16] * 4) == pytest.approx(share_interval(16, 64))
    assert mean_of_shares_interval([0, 0], [10, 10]) == pytest.approx(share_interval(0, 20))
    unequal = mean_of_shares_interval([0, 0], [2, 200])
    assert unequal[1] > share_interval(0, 100)[1]
    assert all(map(math.isnan, mean_of_shares_interval([0, math.nan], [1, 0])))


def test_the_interval_of_a_mean_of_groups_covers_in_simulated_runs():
    rng = np.random.default_rng(0)
    rates, sizes = np.array([0.05, 0.3, 0.1, 0.4]), np.array([16, 17, 16, 17])
    ends = [mean_of_shares_interval(rng.binomial(sizes, rates) / sizes, sizes) for _ in range(400)]
    assert np.mean([low <= rates.mean() <= high for low, high in ends]) >= 0.95


def test_the_interval_of_a_mean_is_the_bca_bootstrap_of_scipy():
    values = np.random.default_rng(1).random(60) ** 3
    theirs = stats.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=700, confidence_level=0.9, rng=np.random.default_rng(4)
    ).confidence_interval
    ours = mean_interval(values, SHARE, level=0.9, resamples=700, seed=4)
    assert ours == pytest.approx((theirs.low, theirs.high)) and ours[0] < values.mean() < ours[1]


def test_the_interval_of_an_area_draws_from_each_sample_alone():
    rng = np.random.default_rng(2)
    a, b = rng.normal(1, 1, 16), rng.normal(0, 1, 21)
    labels = np.repeat([1, 0], [16, 21])
    assert float(auc(a, b)) == pytest.approx(metrics.roc_auc_score(labels, np.concatenate([a, b])))
    theirs = stats.bootstrap(
        (a, b), lambda x, y: metrics.roc_auc_score(np.repeat([1, 0], [len(x), len(y)]), np.concatenate([x, y])),
        method="BCa", vectorized=False, n_resamples=200, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    ours = bca_interval(auc, [a, b], SHARE, resamples=200)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.005)  # sums that are equal but for their last digit


def test_what_has_no_spread_may_still_hide_what_is_rare():
    assert mean_interval(np.ones(24), SHARE) == pytest.approx(share_interval(24, 24))
    assert mean_interval(np.zeros(24), SHARE) == pytest.approx(share_interval(0, 24))
    rare = 1 - 0.025 ** (1 / 24)
    assert mean_interval(np.zeros(24), (-1, 1)) == pytest.approx((-rare, rare))
    low, high = bca_interval(auc, [np.arange(5.0, 9), np.arange(4.0)], SHARE)
    assert (low, high) == pytest.approx((0.025 ** (1 / 4), 1))
    assert mean_interval([0.3], SHARE) == pytest.approx((0.3 * 0.025, 1 - 0.7 * 0.025))
    assert all(map(math.isnan, mean_interval([], SHARE)))


def test_an_interval_depends_on_its_seed_alone():
    values = np.random.default_rng(7).random(50)
    first = mean_interval(values, SHARE, seed=1)
    np.random.default_rng().random(3)
    assert mean_interval(values, SHARE, seed=1) == first != mean_interval(values, SHARE, seed=2)


@few
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_the_test_of_pairs_counts_all_patterns_of_signs(differences):
    patterns = itertools.product((1, -1), repeat=len(differences))
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) for signs in patterns]
    expected = np.mean([s >= abs(sum(differences)) for s in sums])
    assert sign_flip_test(differences) == pytest.approx(expected)


def test_of_right_and_wrong_it_is_the_test_of_mcnemar():
    differences = [1] * 2 + [-1] * 9 + [0] * 40
    assert sign_flip_test(differences) == pytest.approx(stats.binomtest(2, 11).pvalue)


def test_random_signs_come_near_the_permutation_test_of_scipy():
    d = np.random.default_rng(3).normal(0.3, 1, 16)
    exact = stats.permutation_test(
        (d,), lambda x, axis: x.mean(axis), permutation_type="samples", vectorized=True, n_resamples=np.inf
    ).pvalue
    assert sign_flip_test(d, flips=9_999) == pytest.approx(exact, abs=0.02)
    assert sign_flip_test(np.ones(198), flips=9_999) == pytest.approx(1 / 10_000)
    assert sign_flip_test([0, 0]) == 1 and math.isnan(sign_flip_test([]))


def test_holm_multiplies_the_smallest_by_how_many_there_are():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.04, math.nan, 0.5, 0.9]) == pytest.approx([0.12, math.nan, 1, 1], nan_ok=True)
    assert len(holm([])) == 0


@pytest.mark.parametrize(
    ("error", "says", "call"),
    [
        (ScaleError, "level 1", lambda: share_interval(1, 2, level=1)),
        (ScaleError, "level 95", lambda: mean_interval([1, 2], SHARE, level=95)),
        (ScaleError, "resamples 0", lambda: mean_interval([1, 2], SHARE, resamples=0)),
        (ScaleError, "3 hits of 2", lambda: share_interval(3, 2)),
        (ScaleError, "-1 hits", lambda: share_interval(-1, 2)),
        (JudgeError, "not finite", lambda: mean_interval([1, math.nan], SHARE)),
        (JudgeError, "not finite", lambda: sign_flip_test([math.inf])),
    ],
)
def test_a_mistake_is_one_line(error, says, call):
    with pytest.raises(PxsError) as caught:
        call()
    assert caught.type is error and says in str(caught.value) and "\n" not in str(caught.value)
