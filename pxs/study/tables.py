"""Answers as arrays: who passes the attention checks, the table of ratings, and the list of choices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pxs.study.answers import Given
from pxs.study.key import PAIR, RATING, SCALES, Key
from pxs.study.resampling import Floats

PASS = 0.75
"""The share of the statements on checks that must be right. Random answers pass in 4 of 100 cases, with all checks."""


@dataclass(frozen=True)
class Table:
    """The ratings of those who count. values: (R, M, F) by scale, NaN without an answer; the axes have these names."""

    raters: list[str]
    methods: list[str]
    faces: list[str]
    values: Mapping[str, Floats]


def checks_passed(key: Key, given: Given) -> dict[str, tuple[int, int]]:
    """How many statements on attention checks each rater has right, and of how many."""
    found = {}
    for rater, answers in given.items():
        right = [
            low <= answer.values[scale] <= high
            for answer in answers.values()
            for scale, (low, high) in key.items[answer.item].expects.items()
        ]
        found[rater] = sum(right), len(right)
    return found


def passes(right: int, of: int) -> bool:
    """Whether a rater counts: who has answered no check has shown nothing."""
    return of > 0 and right >= PASS * of


def ratings(key: Key, given: Given) -> Table:
    """The ratings as a table."""
    sweeps = {(item.methods[0], item.task) for item in key.items.values() if item.kind == RATING}
    raters, methods, faces = list(given), key.methods, sorted({task for _, task in sweeps})
    values = {scale: np.full((len(raters), len(methods), len(faces)), np.nan) for scale in SCALES}
    for row, rater in enumerate(raters):
        for answer in given[rater].values():
            item = key.items[answer.item]
            if item.kind == RATING:
                for scale in SCALES:
                    place = row, methods.index(item.methods[0]), faces.index(item.task)
                    values[scale][place] = answer.values[scale]
    return Table(raters, methods, faces, values)


@dataclass(frozen=True)
class Choices:
    """All choices between two sweeps, one an entry.

    raters, faces, first, second (N,): indices into the names of raters, faces and methods; first is the method whose
    name comes first. worth (N,) by scale: 1 where first was chosen, 0 where second was, 1/2 for no difference.
    """

    names: Mapping[str, list[str]]
    raters: NDArray[np.int64]
    faces: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    worth: Mapping[str, Floats]

    def wins(self, scale: str, weights: Floats | float = 1.0) -> Floats:
        """How often row was chosen over column (M, M), ties as half to each; each choice counts `weights` (N,)."""
        found = np.zeros((len(self.names["methods"]),) * 2)
        np.add.at(found, (self.first, self.second), weights * self.worth[scale])
        np.add.at(found, (self.second, self.first), weights * (1 - self.worth[scale]))
        return found

    def table(self, scale: str) -> Floats:
        """One row a rater, one column a face and two methods (R, U), NaN where a rater was not asked."""
        units = np.unique(np.stack([self.faces, self.first, self.second]), axis=1, return_inverse=True)[1].ravel()
        found = np.full((len(self.names["raters"]), units.max(initial=-1) + 1), np.nan)
        found[self.raters, units] = self.worth[scale]
        return found


def choices(key: Key, given: Given) -> Choices:
    """The choices of these raters."""
    faces = sorted({item.task for item in key.items.values() if item.kind == PAIR})
    names = {"raters": list(given), "faces": faces, "methods": key.methods}
    rows, worth = [], []
    for number, rater in enumerate(given):
        for answer in given[rater].values():
            item = key.items[answer.item]
            if item.kind == PAIR:
                ordered = sorted(item.methods)
                turned = list(item.methods) != ordered
                rows.append([number, faces.index(item.task), *map(key.methods.index, ordered)])
                worth.append([1 - answer.values[s] if turned else answer.values[s] for s in SCALES])
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    values = np.array(worth, dtype=np.float64).reshape(-1, len(SCALES)).T
    return Choices(names, columns[0], columns[1], columns[2], columns[3], dict(zip(SCALES, values, strict=True)))
