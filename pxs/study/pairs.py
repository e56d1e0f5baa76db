"""Strengths from choices between two: Bradley and Terry (1952), by the iteration of Hunter (2004)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
ROUNDS, CLOSE = 10_000, 1e-10
HALF = 0.5
"""Of a win, that each of two methods is given beyond what was observed, so that one that never loses has a strength."""


def bradley_terry(wins: ArrayLike) -> Floats:
    """Log strengths (M,) with mean 0, of greatest likelihood; P(i beats j) = 1 / (1 + exp(s_j - s_i)).

    wins (M, M): how often row beat column, ties as half to each. Every method must have won and lost, directly or over
    others, against every other: `with_halves` makes sure.
    """
    table = np.asarray(wins, dtype=np.float64) * (1 - np.eye(len(np.asarray(wins))))
    won, games = table.sum(axis=1), table + table.T
    strength = np.ones(len(table))
    for _ in range(ROUNDS):
        shares = (games / np.add.outer(strength, strength)).sum(axis=1)
        new = won / shares
        new /= np.exp(np.log(new).mean())
        if np.abs(np.log(new) - np.log(strength)).max() < CLOSE:
            break
        strength = new
    found: Floats = np.log(new)
    return found - found.mean()


def with_halves(wins: ArrayLike) -> Floats:
    """Wins (M, M) with half a win more to either side of every two methods; of two methods alone, the strengths are
    then log((a + 1/2) / (b + 1/2)) apart."""
    table = np.asarray(wins, dtype=np.float64)
    found: Floats = table + HALF * (1 - np.eye(len(table)))
    return found
