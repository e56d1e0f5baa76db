"""Who is the same person: pictures whose embeddings are near, and pictures that say so (`people`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pxs.judging.identity import IdentityJudge

BLOCK = 1024  # embeddings that are compared with all at once
SAME = {"dlib": 0.9, "arcface": 0.4, "mobilefacenet": 0.4, "facenet": 0.7, "mini": 0.6}
"""Cosine from which two pictures count as the same person, by recogniser. Rules of thumb from the use of these
networks; none was measured here. Raise it where different people are joined, lower it where one person has several
names."""


def same_person(recogniser: IdentityJudge | None) -> float:
    """The cosine from which a recogniser is taken to see the same person; 0.5 for one that is not among SAME."""
    name = recogniser.name.split()[0].split("-")[0] if recogniser else ""
    return SAME.get(name, 0.5)


class Groups:
    """Disjoint groups of 0..count-1; each is named by its lowest member."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def of(self, member: int) -> int:
        """The lowest member of the group."""
        while self._above[member] != member:
            self._above[member] = self._above[self._above[member]]
            member = self._above[member]
        return member

    def join(self, first: int, second: int) -> None:
        """Make one group of two."""
        low, high = sorted((self.of(first), self.of(second)))
        self._above[high] = low


def people(embeddings: NDArray[np.float32], numbers: Sequence[int], least: float) -> list[int]:
    """For each picture the first one of the same person.

    embeddings (N, D): unit vectors, D may be 0 where no recogniser looked. numbers (N,): of synthetic people, below 0
    where unknown: equal ones are one person, different ones are two, whatever the recogniser says. least: the cosine
    from which two pictures are one person. Groups grow by single links, so two that differ can be joined by one in
    between.
    """
    groups = Groups(len(numbers))
    known: dict[int, int] = {}
    for place, number in enumerate(numbers):
        if number >= 0:
            groups.join(known.setdefault(number, place), place)
    given = np.asarray(numbers)
    for start in range(0, len(numbers) if embeddings.shape[1] else 0, BLOCK):
        block = slice(start, start + BLOCK)
        alike = embeddings[block] @ embeddings.T >= least
        alike &= (given[block, None] < 0) | (given[None] < 0) | (given[block, None] == given[None])
        for first, second in np.argwhere(alike):
            groups.join(start + int(first), int(second))
    return [groups.of(place) for place in range(len(numbers))]
