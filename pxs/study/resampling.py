"""Intervals over raters and faces at once: both are drawn again, so that neither counts as all there are.

A rater who rates many sweeps is one rater, and a face that many have rated is one face. Each resample gives raters and
faces a weight (how often they were drawn), and an answer the product of both (Owen 2007, the pigeonhole bootstrap). All
methods share the resamples, so differences between methods have intervals of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 2000
LEVEL = 0.95


def weights(count: int, generator: np.random.Generator, resamples: int = RESAMPLES) -> Floats:
    """How often each of `count` is drawn in each resample, (resamples, count); the rows add up to `count`."""
    return generator.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)


def weighted_means(table: Floats, raters: Floats, faces: Floats) -> Floats:
    """The mean of a table (R, F), NaN where there is no answer, in each resample (B,); NaN where none was drawn.

    raters (B, R) and faces (B, F): their weights.
    """
    there = (~np.isnan(table)).astype(np.float64)
    total = ((raters @ np.nan_to_num(table)) * faces).sum(axis=1)
    count = ((raters @ there) * faces).sum(axis=1)
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def interval(drawn: Floats) -> tuple[float, float] | None:
    """The middle LEVEL of the resamples (B,); None if fewer than half of them have a value."""
    sound = drawn[np.isfinite(drawn)]
    if len(sound) * 2 < len(drawn) or not len(sound):
        return None
    low, high = np.quantile(sound, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)
