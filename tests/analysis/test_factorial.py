"""Effects by least squares equal closed forms: a paired t test, and the analysis of variance of a complete design."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from analysis.factorial import effects, interaction, marginal
from pxs.errors import DataError

LEVELS = {
    f"{a}{b}{c}": {"first": a, "second": b, "third": c} for a, b, c in product(("x", "y"), ("l", "r"), ("1", "2", "3"))
}


def complete(seeds=5):
    rng = np.random.default_rng(3)
    table = {group: rng.normal(size=seeds) for group in LEVELS}
    cells = [(group, seed) for group in LEVELS for seed in range(seeds)]
    return table, cells, [table[group][seed] for group, seed in cells]


def test_two_groups_are_a_paired_t_test():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 6))
    cells = [(group, seed) for group in "ab" for seed in range(6)]
    found = effects(cells, [*a, *b], {"a - b": {"a": 1, "b": -1}})["a - b"]
    known = stats.ttest_rel(a, b)
    ends = known.confidence_interval(0.95)
    assert (found.value, found.low, found.high, found.p) == pytest.approx(
        ((a - b).mean(), ends.low, ends.high, known.pvalue)
    )


def test_effects_of_a_complete_design_are_those_of_its_analysis_of_variance():
    table, cells, values = complete()
    y = np.array(list(table.values()))
    noise = y - y.mean(axis=1, keepdims=True) - y.mean(axis=0) + y.mean()
    spare = (len(y) - 1) * (y.shape[1] - 1)
    square = (noise**2).sum() / spare
    main = marginal(LEVELS, "third", "3", "1")
    changed = interaction(LEVELS, ("first", "y", "x"), ("second", "r", "l"))
    found = effects(cells, values, {"main": main, "changed": changed})

    def mean(*parts):
        return np.mean([table[g] for g in LEVELS if all(p in g for p in parts)])

    assert found["main"].value == pytest.approx(mean("3") - mean("1"))
    by_hand = (mean("y", "r") - mean("x", "r")) - (mean("y", "l") - mean("x", "l"))
    assert found["changed"].value == pytest.approx(by_hand)
    for effect, weights in ((found["main"], 8 / 16), (found["changed"], 12 / 9)):
        error = np.sqrt(square * weights / 5)
        assert effect.high - effect.low == pytest.approx(2 * stats.t.ppf(0.975, spare) * error)
        assert effect.p == pytest.approx(2 * stats.t.sf(abs(effect.value) / error, spare))


def test_what_a_seed_adds_to_all_groups_is_no_noise():
    table, cells, values = complete()
    shifted = [value + 100 * seed for value, (_, seed) in zip(values, cells, strict=True)]
    contrast = {"main": marginal(LEVELS, "first", "y", "x")}
    assert vars(effects(cells, shifted, contrast)["main"]) == pytest.approx(
        vars(effects(cells, values, contrast)["main"]), rel=1e-6
    )


def test_a_group_without_a_cell_has_no_effect_and_one_seed_no_interval():
    one = effects([("a", 0), ("b", 0)], [1.0, 3.0], {"b - a": {"b": 1, "a": -1}, "c - a": {"c": 1, "a": -1}})
    assert one["b - a"].value == pytest.approx(2) and one["b - a"].low is None and one["c - a"].value is None
    with pytest.raises(DataError, match="1 values for 2 cells"):
        effects([("a", 0), ("b", 0)], [1.0], {})
