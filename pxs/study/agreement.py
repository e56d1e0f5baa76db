"""How far raters agree: Krippendorff's alpha, and intraclass correlations.

Tables are (R, U): a row a rater, a column a unit, NaN where a rater did not answer. What cannot be computed is None.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
NOMINAL, ORDINAL, INTERVAL = "nominal", "ordinal", "interval"


def krippendorff_alpha(table: ArrayLike, level: str = ORDINAL) -> float | None:
    """Krippendorff's alpha (2011) of a table (R, U), at most 1; 0 is chance, below it is worse.

    level: NOMINAL, ORDINAL or INTERVAL, by which distances count. None if no unit has two values, or if all values that
    can be compared are equal.
    """
    values = np.asarray(table, dtype=np.float64)
    levels = np.unique(values[~np.isnan(values)])
    counts = (values == levels[:, None, None]).sum(axis=1).astype(np.float64)
    together = counts.sum(axis=0)
    counts, together = counts[:, together >= 2], together[together >= 2]
    if not len(together):
        return None
    coincidences = (counts / (together - 1)) @ counts.T - np.diag((counts / (together - 1)).sum(axis=1))
    totals = coincidences.sum(axis=0)
    expected = np.outer(totals, totals) - np.diag(totals)
    distances = _distances(levels, totals, level)
    by_chance = float((expected * distances).sum()) / (totals.sum() - 1)
    return 1 - float((coincidences * distances).sum()) / by_chance if by_chance > 0 else None


def _distances(levels: Floats, totals: Floats, level: str) -> Floats:
    """Squared distances between values (V, V); of ranks, those of the midpoints of the values in between."""
    if level == NOMINAL:
        return 1 - np.eye(len(levels))
    places = np.cumsum(totals) - totals / 2 if level == ORDINAL else levels
    found: Floats = np.subtract.outer(places, places) ** 2
    return found


def icc_one(table: ArrayLike) -> float | None:
    """ICC(1,1): the agreement of single ratings by any raters (Shrout and Fleiss 1979), at most 1.

    From a one-way analysis of variance over units; units may have different numbers of ratings, those with one do not
    count. None with fewer than two units, or if no value differs.
    """
    values = np.asarray(table, dtype=np.float64)
    values = values[:, (~np.isnan(values)).sum(axis=0) >= 2]
    sizes = (~np.isnan(values)).sum(axis=0)
    units, total = len(sizes), int(sizes.sum())
    if units < 2:
        return None
    means = np.nanmean(values, axis=0)
    between = float((sizes * (means - np.nansum(values) / total) ** 2).sum()) / (units - 1)
    within = float(np.nansum((values - means) ** 2)) / (total - units)
    usual = (total - float((sizes**2).sum()) / total) / (units - 1)
    whole = between + (usual - 1) * within
    return (between - within) / whole if whole > 0 else None


def icc_two(table: ArrayLike) -> tuple[float, float] | None:
    """ICC(2,1) and ICC(2,k): agreement of single ratings, and of the mean of all R, with raters drawn at random.

    From a two-way analysis of variance (Shrout and Fleiss 1979), so only of a table without gaps. None for one with
    gaps, with fewer than two raters or units, or if no value differs.
    """
    values = np.asarray(table, dtype=np.float64)
    raters, units = values.shape
    if min(raters, units) < 2 or np.isnan(values).any():
        return None
    mean, of_units, of_raters = values.mean(), values.mean(axis=0), values.mean(axis=1)
    rows = float(raters * ((of_units - mean) ** 2).sum()) / (units - 1)
    columns = float(units * ((of_raters - mean) ** 2).sum()) / (raters - 1)
    rest = values - of_units - of_raters[:, None] + mean
    error = float((rest**2).sum()) / ((units - 1) * (raters - 1))
    single = rows + (raters - 1) * error + raters * (columns - error) / units
    several = rows + (columns - error) / units
    return ((rows - error) / single, (rows - error) / several) if min(single, several) > 0 else None
