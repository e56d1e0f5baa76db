"""Effects of a factorial experiment by least squares, with intervals over seeds.

Every cell is a group (one combination of levels) and a seed; the value is modelled as the mean of its group plus what
the seed adds to all groups:

    y[g, s] = mean[g] + block[s] + noise,   sum of block = 0

An effect is a contrast c of the group means. With X the design, b the fit and s^2 the mean square of the residuals on
N - rank(X) degrees of freedom, the effect is c'b with the variance s^2 c' (X'X)^- c, and its interval that of
Student's t. For a complete design this is the difference of means, with the variance s^2 sum(c^2) / seeds. Measures
between 0 and 1 have less spread near the ends, so intervals of effects on mSCR near 0 are rough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pxs.errors import DataError

Floats = NDArray[np.float64]
Contrast = Mapping[str, float]
"""The weight of each group; others have 0."""


@dataclass(frozen=True)
class Effect:
    """A contrast of group means, its interval, and the p of a t test of 0; None where groups have no value."""

    value: float | None
    low: float | None
    high: float | None
    p: float | None


def effects(
    cells: Sequence[tuple[str, int]], values: Sequence[float], contrasts: Mapping[str, Contrast], level: float = 0.95
) -> dict[str, Effect]:
    """The effect of each contrast, by name, from cells (group, seed) and their values (N,).

    An effect is None throughout if one of its groups has no cell; without spare degrees of freedom (one seed) it has a
    value alone. Raises DataError for another number of values than cells, and for no cell.
    """
    if not cells or len(cells) != len(values):
        raise DataError(f"{len(values)} values for {len(cells)} cells: give one each, and at least one")
    groups = sorted({group for group, _ in cells})
    design = _design(cells, groups)
    y = np.asarray(values, dtype=np.float64)
    inverse = np.linalg.pinv(design.T @ design)
    fitted = inverse @ design.T @ y
    spare = len(y) - int(np.linalg.matrix_rank(design))
    square = float(((y - design @ fitted) ** 2).sum() / spare) if spare > 0 else float("nan")
    return {
        name: _effect(weights, groups, fitted, square * inverse, spare, level) for name, weights in contrasts.items()
    }


def _design(cells: Sequence[tuple[str, int]], groups: Sequence[str]) -> Floats:
    """The design (N, G + S - 1): an indicator of each group, and the seeds coded so that their sum is 0."""
    seeds = sorted({seed for _, seed in cells})
    design = np.zeros((len(cells), len(groups) + len(seeds) - 1))
    for row, (group, seed) in zip(design, cells, strict=True):
        row[groups.index(group)] = 1
        place = seeds.index(seed)
        if place < len(seeds) - 1:
            row[len(groups) + place] = 1
        else:
            row[len(groups) :] = -1
    return design


def _effect(
    weights: Contrast, groups: Sequence[str], fitted: Floats, covariance: Floats, spare: int, level: float
) -> Effect:
    """One contrast of the fit."""
    if not set(weights) <= set(groups):
        return Effect(None, None, None, None)
    c = np.zeros(len(fitted))
    for group, weight in weights.items():
        c[groups.index(group)] = weight
    value = float(c @ fitted)
    if spare <= 0:
        return Effect(value, None, None, None)
    error = float(np.sqrt(max(c @ covariance @ c, 0.0)))
    reach = float(stats.t.ppf((1 + level) / 2, spare)) * error
    p = float(2 * stats.t.sf(abs(value) / error, spare)) if error > 0 else float(value == 0)
    return Effect(value, value - reach, value + reach, p)


def marginal(levels: Mapping[str, Mapping[str, str]], factor: str, first: str, second: str) -> dict[str, float]:
    """The contrast of `first` minus `second` of a factor, averaged over all others; `levels` by group and factor."""
    ends = {
        sign: [g for g, found in levels.items() if found[factor] == end] for sign, end in ((1, first), (-1, second))
    }
    return {group: sign / len(found) for sign, found in ends.items() for group in found}


def interaction(
    levels: Mapping[str, Mapping[str, str]], of: tuple[str, str, str], by: tuple[str, str, str]
) -> dict[str, float]:
    """How much the difference `of` (factor, first, second) changes from the second to the first level of `by`."""
    found: dict[str, float] = {}
    for sign, at in ((1.0, by[1]), (-1.0, by[2])):
        part = {group: own for group, own in levels.items() if own[by[0]] == at}
        found |= {group: sign * weight for group, weight in marginal(part, *of).items()}
    return found
