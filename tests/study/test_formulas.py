"""The formulas of a study against published examples, closed forms, and sums that are written out."""

import itertools

import numpy as np
import pytest

from pxs.study.agreement import INTERVAL, NOMINAL, ORDINAL, icc_one, icc_two, krippendorff_alpha
from pxs.study.pairs import bradley_terry, with_halves
from pxs.study.resampling import interval, weighted_means, weights

N = np.nan
KRIPPENDORFF = np.array(  # Krippendorff (2011), "Computing Krippendorff's alpha-reliability", four observers
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
        [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
    ]
)
SHROUT = np.array(  # Shrout and Fleiss (1979), table 2: six targets, four judges; here a row a judge
    [[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]]
)
BASEBALL = np.array(  # Agresti, Categorical Data Analysis: the American League East of 1987, wins of row over column
    [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ]
)


@pytest.mark.parametrize(("level", "published"), [(NOMINAL, 0.743), (ORDINAL, 0.815), (INTERVAL, 0.849)])
def test_alpha_is_that_of_the_published_example(level, published):
    assert krippendorff_alpha(KRIPPENDORFF, level) == pytest.approx(published, abs=5e-4)


def alpha_by_pairs(table, distance):
    """Krippendorff's alpha from its definition: mean distance within units over mean distance between any two."""
    units = [column[~np.isnan(column)] for column in table.T]
    units = [unit for unit in units if len(unit) > 1]
    every = np.concatenate(units)
    within = sum(distance(a, b) / (len(unit) - 1) for unit in units for a, b in itertools.permutations(unit, 2)) / len(
        every
    )
    between = sum(distance(a, b) for a, b in itertools.permutations(every, 2)) / (len(every) * (len(every) - 1))
    return 1 - within / between


def test_alpha_is_its_definition_on_random_tables():
    random = np.random.default_rng(3)
    for _ in range(5):
        table = random.integers(1, 6, (4, 9)).astype(float)
        table[random.random(table.shape) < 0.3] = np.nan
        assert krippendorff_alpha(table, INTERVAL) == pytest.approx(alpha_by_pairs(table, lambda a, b: (a - b) ** 2))
        assert krippendorff_alpha(table, NOMINAL) == pytest.approx(alpha_by_pairs(table, lambda a, b: a != b))


def test_alpha_without_overlap_or_differences_is_none():
    assert krippendorff_alpha([[1, N], [N, 2]]) is None
    assert krippendorff_alpha([[3, 3], [3, 3]]) is None
    assert krippendorff_alpha(np.full((2, 0), N)) is None


def test_icc_are_those_of_shrout_and_fleiss():
    assert icc_one(SHROUT) == pytest.approx(0.17, abs=5e-3)
    single, several = icc_two(SHROUT)
    assert (single, several) == (pytest.approx(0.29, abs=5e-3), pytest.approx(0.62, abs=5e-3))


def test_icc_of_units_with_gaps_leaves_out_single_ratings():
    gaps = np.array([[1, 2, 5, N, 4], [1, 3, 5, 2, N], [2, N, 4, N, N]])
    sizes, columns = [3, 2, 3], [np.array([1, 1, 2]), np.array([2, 3]), np.array([5, 5, 4])]
    every = np.concatenate(columns)
    between = sum(n * (c.mean() - every.mean()) ** 2 for n, c in zip(sizes, columns, strict=True)) / 2
    within = sum(((c - c.mean()) ** 2).sum() for c in columns) / (8 - 3)
    usual = (8 - sum(n**2 for n in sizes) / 8) / 2
    assert icc_one(gaps) == pytest.approx((between - within) / (between + (usual - 1) * within))
    assert icc_two(gaps) is None


def test_icc_of_perfect_agreement_is_1_and_of_nothing_none():
    assert icc_one([[1, 3, 5], [1, 3, 5]]) == icc_two([[1, 3, 5], [1, 3, 5]])[0] == 1
    assert icc_one([[2, 2], [2, 2]]) is None and icc_two([[2, 2], [2, 2]]) is None
    assert icc_one([[1, 2, 3]]) is None and icc_two([[1, 2, 3]]) is None


def test_strengths_are_those_of_the_published_example():
    strengths = bradley_terry(BASEBALL)
    assert strengths - strengths[-1] == pytest.approx([1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0], abs=5e-3)


def test_strengths_give_each_method_as_many_wins_as_it_had():
    wins = np.random.default_rng(1).integers(1, 9, (5, 5)) * (1 - np.eye(5))
    strengths = bradley_terry(wins)
    chances = 1 / (1 + np.exp(strengths[None] - strengths[:, None]))
    assert ((wins + wins.T) * chances * (1 - np.eye(5))).sum(axis=1) == pytest.approx(wins.sum(axis=1))
    assert strengths.sum() == pytest.approx(0)


def test_two_methods_have_the_log_of_their_odds():
    one, other = bradley_terry(with_halves([[0, 7], [2, 0]]))
    assert one - other == pytest.approx(np.log(7.5 / 2.5))
    never = bradley_terry(with_halves([[0, 9], [0, 0]]))
    assert never[0] - never[1] == pytest.approx(np.log(9.5 / 0.5))


def test_resamples_vary_as_raters_and_faces_do():
    """The variance of a mean under the weights, by the moments of the multinomial distribution."""
    random = np.random.default_rng(0)
    table = random.normal(3, 1, (6, 9)) + random.normal(0, 1, (6, 1)) + random.normal(0, 1, (1, 9))
    generator = np.random.default_rng(1)
    drawn = weighted_means(table, weights(6, generator, 40_000), weights(9, generator, 40_000))
    raters, faces = (np.eye(n) + 1 - 1 / n for n in table.shape)
    second = np.einsum("ij,kl,ik,jl->", table, table, raters, faces) / table.size**2
    assert drawn.mean() == pytest.approx(table.mean(), abs=0.02)
    assert drawn.var() == pytest.approx(second - table.mean() ** 2, rel=0.04)


def test_a_weighted_mean_leaves_out_what_was_not_answered():
    table = np.array([[1, N], [3, 5]])
    drawn = weighted_means(table, np.array([[1.0, 1], [2, 0], [0, 2]]), np.array([[1.0, 1], [0, 2], [1, 1]]))
    assert drawn[[0, 2]] == pytest.approx([3, 4])
    assert np.isnan(drawn[1])


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Raters and faces differ: an interval that takes answers as independent would hold it in half of the cases."""
    random, hits = np.random.default_rng(5), 0
    for _ in range(200):
        table = 3 + random.normal(0, 0.5, (20, 1)) + random.normal(0, 0.5, (1, 20)) + random.normal(0, 0.5, (20, 20))
        generator = np.random.default_rng(0)
        low, high = interval(weighted_means(table, weights(20, generator, 400), weights(20, generator, 400)))
        hits += low <= 3 <= high
    assert 180 <= hits <= 199


def test_an_interval_needs_most_of_the_resamples():
    assert interval(np.array([1.0, N, N])) is None
    assert interval(np.full(4, 2.0)) == (2, 2)
