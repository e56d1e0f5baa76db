"""Random numbers that stay the same on every machine and with every version of numpy.

Only the raw 64-bit output of PCG64 is used, whose stream numpy guarantees; the rest is done here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Chance:
    """A stream of random numbers from one or several integers."""

    def __init__(self, *seeds: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seeds))

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """A number between low and high, all equally likely."""
        return low + (high - low) * (int(self._bits.random_raw()) >> 11) / (1 << 53)

    def bell(self, mean: float = 0.0, spread: float = 1.0) -> float:
        """A number near `mean` with standard deviation `spread`, never further than 3.5 spreads (sum of 4 uniforms)."""
        return mean + spread * 3**0.5 * (sum(self.uniform() for _ in range(4)) - 2)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.uniform() < probability

    def pick(self, choices: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One of the choices, with probabilities in proportion to the weights (equal without them)."""
        shares = list(weights) if weights is not None else [1.0] * len(choices)
        left = self.uniform() * sum(shares)
        for choice, share in zip(choices, shares, strict=True):
            left -= share
            if left < 0:
                return choice
        return choices[-1]
