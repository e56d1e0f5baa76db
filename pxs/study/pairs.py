"""Strengths from choices between two: Bradley and Terry (1952), by Newton's method on the log likelihood."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
ROUNDS, CLOSE, FARTHEST = 100, 1e-12, 1.0  # FARTHEST: what a strength moves in one round
HALF = 0.5
"""Of a win, that each of two methods is given beyond what was observed, so that one that never loses has a strength."""


def bradley_terry(wins: ArrayLike) -> Floats:
    """Log strengths (M,) with mean 0, of greatest likelihood; P(i beats j) = 1 / (1 + exp(s_j - s_i)).

    wins (M, M): how often row beat column, ties as half to each. Every method must have won and lost, directly or over
    others, against every other: `with_halves` makes sure.
    """
    table = np.asarray(wins, dtype=np.float64)
    games = (table + table.T) * (1 - np.eye(len(table)))
    won = (table * (1 - np.eye(len(table)))).sum(axis=1)
    strengths = np.zeros(len(table))
    for _ in range(ROUNDS):
        chances = 1 / (1 + np.exp(np.subtract.outer(strengths, strengths).T))
        spread = games * chances * (1 - chances)
        curvature = np.diag(spread.sum(axis=1)) - spread
        step = np.linalg.solve(curvature + 1 / len(table), won - (games * chances).sum(axis=1))
        strengths += step * min(1.0, FARTHEST / max(np.abs(step).max(), CLOSE))
        if np.abs(step).max() < CLOSE:
            break
    found: Floats = strengths - strengths.mean()
    return found


def with_halves(wins: ArrayLike) -> Floats:
    """Wins (M, M) with half a win more to either side of every two methods; of two methods alone, the strengths are
    then log((a + 1/2) / (b + 1/2)) apart."""
    table = np.asarray(wins, dtype=np.float64)
    found: Floats = table + HALF * (1 - np.eye(len(table)))
    return found
