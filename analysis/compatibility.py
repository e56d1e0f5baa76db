"""Can one face show two expressions? A prediction from action units, made without any picture.

Each expression pulls five features of the face in one of two directions. A pull is the weighted sum of action units:

    brows        raised (1, 2) or lowered (4, and 9, which draws them down)
    lids         opened (5) or narrowed (6, 7, 43)
    lip corners  up (12) or down (15)
    lips         wide (12, 20) or tight (23)
    mouth        open (26) or pressed (24, and 23 in part)

Conflict is the share of these pulls that cancel: the sum of min(|p|, |q|) over the features where p and q have
opposite signs, divided by the sum of max(|p|, |q|) over all features; in [0, 1]. Sharing is the cosine of the two
vectors of action units: if it is high, the two expressions look alike, and a blend adds nothing.
Compatibility = (1 - conflict) * (1 - sharing).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from pxs.expressions import PAIRS, Pair, check_pair
from pxs.faces.action_units import NAMES, PROTOTYPES

Array = NDArray[np.float64]

FEATURES: dict[str, dict[str, float]] = {
    "brows": {"1": 0.5, "2": 0.5, "4": -1.0, "9": -0.5},
    "lids": {"5": 1.0, "6": -0.5, "7": -0.5, "43": -1.0},
    "lip corners": {"12": 1.0, "15": -1.0},
    "lips": {"12": 1.0, "20": 1.0, "23": -1.0},
    "mouth": {"26": 1.0, "24": -1.0, "23": -0.5},
}
"""How far an action unit at full contraction pulls a feature. This is our interpretation of FACS, not measured."""


def units(expression: str) -> Array:
    """Contraction of the action units of an expression, 0..1, left side first; (2 * len(NAMES),)."""
    sides = {side + unit: 0.0 for side in "LR" for unit in NAMES}
    for unit, weight in PROTOTYPES[expression].items():
        number, where = (unit[:-1], unit[-1]) if unit[-1] in "LR" else (unit, "LR")
        for side in where:
            sides[side + number] = weight
    return np.array(list(sides.values()))


def pulls(expression: str) -> Array:
    """The signed pull of an expression on each of FEATURES, mean of both sides; (5,)."""
    left, right = np.split(units(expression), 2)
    contraction = dict(zip(NAMES, (left + right) / 2, strict=True))
    return np.array([sum(w * contraction[u] for u, w in feature.items()) for feature in FEATURES.values()])


def conflict(first: str, second: str) -> float:
    """The share of the pulls of two expressions that cancel, in [0, 1]; ExpressionError unless they are a pair."""
    p, q = (pulls(name) for name in check_pair(first, second))
    opposed = np.where(p * q < 0, np.minimum(abs(p), abs(q)), 0)
    return float(opposed.sum() / np.maximum(abs(p), abs(q)).sum())


def sharing(first: str, second: str) -> float:
    """The cosine of the action units of two expressions, in [0, 1]. Raises ExpressionError unless they are a pair."""
    p, q = (units(name) for name in check_pair(first, second))
    return float(np.clip(p @ q / np.linalg.norm(p) / np.linalg.norm(q), 0, 1))


def compatibility(first: str, second: str) -> float:
    """(1 - conflict) * (1 - sharing), in [0, 1]. Raises ExpressionError unless they are a pair."""
    return (1 - conflict(first, second)) * (1 - sharing(first, second))


def predictions(pairs: list[Pair] | tuple[Pair, ...] = PAIRS) -> pd.DataFrame:
    """One row a pair: first, second, conflict, sharing, compatibility."""
    return pd.DataFrame(
        [
            {
                "first": a,
                "second": b,
                "conflict": conflict(a, b),
                "sharing": sharing(a, b),
                "compatibility": compatibility(a, b),
            }
            for a, b in pairs
        ]
    )


def rank_correlation(predicted: Array, measured: Array, resamples: int = 2000) -> dict[str, float | None]:
    """Spearman's rho of two quantities (N,), and its two-sided p by random permutation with a fixed seed.

    Both are None for fewer than 3 values, or if one quantity is constant.
    """
    if len(predicted) < 3 or np.ptp(predicted) == 0 or np.ptp(measured) == 0:
        return {"rho": None, "p": None}
    rng = np.random.default_rng(0)
    rho = float(spearmanr(predicted, measured).statistic)
    chance = [abs(spearmanr(predicted, rng.permutation(measured)).statistic) for _ in range(resamples)]
    extreme = np.sum(np.array(chance) >= abs(rho) - 1e-12)
    return {"rho": rho, "p": float((1 + extreme) / (1 + resamples))}
