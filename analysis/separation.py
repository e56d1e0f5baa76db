"""How well do expressions lie apart? Measures in the space of the features themselves, where maps do not mislead.

`Space` holds points with everything that does not depend on their labels, so that a measure can be taken again under
permuted labels at little cost:

    silhouette   mean over points of (b - a) / max(a, b): a the mean distance to the own class, b to the nearest other
    purity       mean share of the k nearest points of other faces that have the same label
    probe        accuracy of a linear (ridge) classifier on faces that it was not trained on
    overlap      of two classes: 2 * (1 - balanced accuracy of that probe), cut to 0..1: 0 told apart, 1 a coin toss

Distances are cosine distances, since a stronger expression should lie further out on the same ray, not elsewhere. Faces
are never split between training and test, and never count as each other's neighbours.

Chance is measured, not assumed: within each face, the names of the expressions are exchanged, all intensities and seeds
of an expression together, since these are no independent witnesses. Nothing is broken but the link between feature and
expression. p = (1 + permutations at least as extreme) / (1 + permutations). With two expressions and F faces there are
only 2^(F - 1) different outcomes: below 6 faces, no p can be under 0.05.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import silhouette_score
from sklearn.metrics.pairwise import cosine_distances
from sklearn.model_selection import GroupKFold

from pxs.errors import DataError
from pxs.judging.blends import check_pair

Labels = NDArray[np.str_]
NEIGHBOURS = 10
FOLDS = 5
RIDGE = 0.3
"""Strength of the probe's penalty, for points scaled to a mean squared length of 1 and counted in rows of training."""


class Space:
    """Points (N, D) with the face of each (N,): distances, neighbours and the probe's operators, computed once.

    Raises DataError for fewer than 2 faces, or points that are not finite.
    """

    def __init__(self, points: np.ndarray, faces: Sequence[object]) -> None:
        self.points, self.faces = np.asarray(points, dtype=np.float64), np.asarray(faces)
        if len(np.unique(self.faces)) < 2:
            raise DataError("all points are of one face: give 2 faces or more, since a probe is tested on other faces")
        if not np.isfinite(self.points).all():
            raise DataError("the features are not all finite: use dtype float32, or smaller intensities")

    @cached_property
    def distances(self) -> np.ndarray:
        """Cosine distances (N, N), 0 to 2."""
        found = cosine_distances(self.points)
        np.fill_diagonal(found, 0)
        return found

    @cached_property
    def strangers(self) -> np.ndarray:
        """For each point the others of other faces, nearest first: indices (N, N), those of the own face last."""
        apart = np.where(self.faces[:, None] == self.faces[None], np.inf, self.distances)
        return np.argsort(apart, axis=1, kind="stable")

    @cached_property
    def folds(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rows of training and of test, by faces."""
        count = min(FOLDS, len(np.unique(self.faces)))
        return list(GroupKFold(n_splits=count).split(self.points, groups=self.faces))

    @cached_property
    def operators(self) -> list[np.ndarray]:
        """Of each fold the matrix (test, training) that takes targets of training to the probe's outputs for the test.

        Ridge regression with an intercept, in its dual form: the outputs are linear in the targets, so new labels cost
        one product.
        """
        return [_ridge(self.points[train], self.points[test]) for train, test in self.folds]

    def silhouette(self, labels: Labels) -> float:
        """The mean silhouette, -1 to 1."""
        return float(silhouette_score(self.distances, labels, metric="precomputed"))

    def purity(self, labels: Labels, neighbours: int = NEIGHBOURS) -> float:
        """Share of the nearest points of other faces that have the same label, 0 to 1.

        As many neighbours as there are points of other faces, if these are fewer.
        """
        fewest = min((self.faces != face).sum() for face in np.unique(self.faces))
        near = self.strangers[:, : min(neighbours, fewest)]
        return float((labels[near] == labels[:, None]).mean())

    def predictions(self, labels: Labels) -> Labels:
        """What the probe says of each point, trained on other faces."""
        names, codes = np.unique(labels, return_inverse=True)
        targets = np.where(codes[:, None] == np.arange(len(names)), 1.0, -1.0)
        found = np.empty(len(labels), dtype=int)
        for (train, test), operator in zip(self.folds, self.operators, strict=True):
            found[test] = (operator @ targets[train]).argmax(axis=1)
        return names[found]

    def probe(self, labels: Labels) -> float:
        """Accuracy of the probe, 0 to 1."""
        return float((self.predictions(labels) == labels).mean())

    def overlap(self, labels: Labels) -> float:
        """Of two classes: 2 * (1 - balanced accuracy of the probe), cut to 0..1."""
        right = self.predictions(labels) == labels
        balanced = np.mean([right[labels == name].mean() for name in np.unique(labels)])
        return float(np.clip(2 * (1 - balanced), 0, 1))


def _ridge(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Outputs = operator @ targets, for targets of any number of columns."""
    centre = train.mean(axis=0)
    a, b = train - centre, test - centre
    kernel = a @ a.T
    scale = np.trace(kernel) / len(train) or 1.0
    solved = np.linalg.solve(kernel / scale + RIDGE * np.eye(len(train)), np.eye(len(train)) - 1 / len(train))
    return b @ a.T / scale @ solved + 1 / len(train)


@dataclass(frozen=True)
class Measured:
    """A measure and its chance level: mean, 5% and 95% quantile under exchanged labels; p is one-sided."""

    value: float
    chance: float
    low: float
    high: float
    p: float


def against_chance(
    measure: Callable[[Labels], float],
    labels: Sequence[str],
    faces: Sequence[object],
    permutations: int = 200,
    seed: int = 0,
    larger: bool = True,
) -> Measured:
    """A measure of labels (N,) beside its permutation baseline: names exchanged within each face, `seed` fixed.

    `larger`: large values speak for separation; for an overlap set it False.
    """
    labels, faces = np.asarray(labels), np.asarray(faces)
    rng = np.random.default_rng(seed)
    value = measure(labels)
    null = np.array([measure(permuted(labels, faces, rng)) for _ in range(permutations)])
    extreme = (null >= value - 1e-12) if larger else (null <= value + 1e-12)
    low, high = np.quantile(null, [0.05, 0.95])
    p = (1 + extreme.sum()) / (1 + permutations)
    return Measured(value, float(null.mean()), float(low), float(high), float(p))


def permuted(labels: Labels, faces: np.ndarray, rng: np.random.Generator) -> Labels:
    """The labels (N,), with their names exchanged within each face: rows that had one name still have one."""
    shuffled = labels.copy()
    for face in np.unique(faces):
        rows = faces == face
        names, codes = np.unique(labels[rows], return_inverse=True)
        shuffled[rows] = rng.permutation(names)[codes]
    return shuffled


def pair_rows(labels: Sequence[str], first: str, second: str) -> np.ndarray:
    """Which rows have one of two labels, (N,) bool; raises ExpressionError for no pair, DataError if one is missing."""
    check_pair(first, second)
    labels = np.asarray(labels)
    for name in (first, second):
        if not (labels == name).any():
            raise DataError(f"no point shows {name!r}: collect it, or choose another pair")
    return (labels == first) | (labels == second)


def centroid_cosines(points: np.ndarray, labels: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Cosines (C, C) of the class centres of points (N, D) about the mean of the centres, in the order of `names`."""
    labels = np.asarray(labels)
    centres = np.stack([points[labels == name].mean(axis=0) for name in names])
    return _cosines(centres - centres.mean(axis=0))


def directions(
    points: np.ndarray, labels: Sequence[str], intensities: Sequence[float], names: Sequence[str]
) -> np.ndarray:
    """Where each expression leads, (C, D): d = sum a x / sum a^2, the least-squares line x = a d through neutral.

    `points` (N, D) are relative to neutral.
    """
    labels, a = np.asarray(labels), np.asarray(intensities, dtype=float)
    rows = [labels == name for name in names]
    return np.stack([a[r] @ points[r] / (a[r] @ a[r]) for r in rows])


def angles(points: np.ndarray, labels: Sequence[str], intensities: Sequence[float], names: Sequence[str]) -> np.ndarray:
    """Degrees between every two directions, (C, C), 0 (the same) to 180; `points` (N, D) are relative to neutral."""
    cosines = _cosines(directions(points, labels, intensities, names))
    np.fill_diagonal(cosines, 1)
    return np.degrees(np.arccos(cosines.clip(-1, 1)))


def angle(points: np.ndarray, labels: Sequence[str], intensities: Sequence[float], first: str, second: str) -> float:
    """Degrees between the directions of two expressions, 0 (the same) to 180; raises as `pair_rows` does."""
    pair_rows(labels, first, second)
    return float(angles(points, labels, intensities, [first, second])[0, 1])


def _cosines(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(lengths == 0, 1, lengths)
    return unit @ unit.T


def sign_flip(differences: Sequence[float], resamples: int = 10_000, seed: int = 0) -> float:
    """Two-sided p that N paired differences have a mean of 0: how often flipped signs give one as far from it.

    All 2^N flips if these are no more than `resamples` (then p is exact), else that many drawn. Raises DataError for
    none.
    """
    d = np.asarray(differences, dtype=float)
    if not len(d):
        raise DataError("no differences were given: give at least one face that both editors edited")
    if 2 ** len(d) <= resamples:
        signs = 1 - 2 * ((np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1)
        return float((abs(signs @ d) >= abs(d.sum()) - 1e-12).mean())
    signs = np.random.default_rng(seed).choice([-1, 1], size=(resamples, len(d)))
    return float((1 + (abs(signs @ d) >= abs(d.sum()) - 1e-12).sum()) / (1 + resamples))
