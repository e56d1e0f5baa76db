"""Identity against expression along a sweep of intensities, as in figure 4 of the PixelSmile article, and its area."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pxs.errors import JudgeError


def identity_area(scores: ArrayLike, similarities: ArrayLike) -> float:
    """The area under identity over expression, in [-1, 1]; our own measure.

    scores (A,), judged intensities of the target in [0, 1], and similarities (A,) in [-1, 1], of one sweep or the means
    of many. Points are joined in the order of their scores; points with one score count as their mean. Below the lowest
    score the similarity counts as there, above the highest as 0: who never reaches a strong expression has no area
    there. So an unchanged picture has an area near 0, and 1 is a full expression on a face whose identity never falls.
    Raises JudgeError for input of other shapes or numbers.
    """
    x, y = (np.asarray(values, dtype=np.float64) for values in (scores, similarities))
    if x.ndim != 1 or x.shape != y.shape or not len(x) or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise JudgeError(f"scores {x.shape} and similarities {y.shape} are no curve: give two equal lists of numbers")
    if x.min() < 0 or x.max() > 1:
        raise JudgeError(f"scores from {x.min():g} to {x.max():g}: give judged intensities from 0 to 1")
    places, which = np.unique(x, return_inverse=True)
    heights = np.bincount(which, weights=y) / np.bincount(which)
    return float(places[0] * heights[0] + np.trapezoid(heights, places))
