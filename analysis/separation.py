"""How well do expressions separate? Measures in the original feature space, because a 2-D map can mislead.

`Space` holds points and everything that does not depend on their labels. So a measure can be repeated under permuted
labels at little cost:

    silhouette   mean over points of (b - a) / max(a, b): a is the mean distance to the own class, b that to the nearest
                 other class
    purity       mean share of the k nearest points of other faces that have the same label
    probe        accuracy of a linear (ridge) classifier on faces that were not in its training set
    overlap      of two classes: 2 * (1 - balanced accuracy of that probe), clipped to 0..1: 0 is full separation, 1 is
                 chance level

Distances are cosine distances: a stronger expression lies further from the origin in the same direction. All points of
a face are in one fold, so no face is in both training and test. Neighbours are always points of other faces.

The chance level is measured by permutation: within each face, the names of the expressions are exchanged. All
intensities and seeds of an expression keep one common name, because they are not independent samples. Only the link
between feature and expression changes. p = (1 + permutations at least as extreme) / (1 + permutations). With two
expressions and F faces there are only 2^(F - 1) different outcomes: below 6 faces, no p can be under 0.05.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import permutation_test
from sklearn.metrics import silhouette_score
from sklearn.metrics.pairwise import cosine_distances
from sklearn.model_selection import GroupKFold

from pxs.errors import DataError
from pxs.expressions import check_pair

Array = NDArray[np.float64]
Labels = NDArray[np.str_]
Rows = NDArray[np.intp]
NEIGHBOURS = 10
FOLDS = 5
RIDGE = 0.3
"""Ridge penalty of the probe, for points scaled to a mean squared length of 1 and squared errors summed over rows."""


class Space:
    """Points (N, D) with the face of each (N,): distances, neighbours and the probe's operators, computed once.

    Raises DataError for fewer than 2 faces, or points that are not finite.
    """

    def __init__(self, points: ArrayLike, faces: ArrayLike) -> None:
        self.points: Array = np.asarray(points, dtype=np.float64)
        self.faces: NDArray[Any] = np.asarray(faces)
        if len(np.unique(self.faces)) < 2:
            raise DataError("all points are of one face: give 2 faces or more, since a probe is tested on other faces")
        if not np.isfinite(self.points).all():
            raise DataError("the features are not all finite: use dtype float32, or smaller intensities")

    @cached_property
    def distances(self) -> Array:
        """Cosine distances (N, N), 0 to 2."""
        found: Array = cosine_distances(self.points)
        np.fill_diagonal(found, 0)
        return found

    @cached_property
    def neighbours(self) -> Rows:
        """Indices (N, N): for each point the points of other faces, nearest first, then those of its own face."""
        apart = np.where(self.faces[:, None] == self.faces[None], np.inf, self.distances)
        return np.argsort(apart, axis=1, kind="stable")

    @cached_property
    def folds(self) -> list[tuple[Rows, Rows]]:
        """The rows (indices) of training and of test in each fold; a face is in one of the two."""
        count = min(FOLDS, len(np.unique(self.faces)))
        return list(GroupKFold(n_splits=count).split(self.points, groups=self.faces))

    @cached_property
    def operators(self) -> list[Array]:
        """For each fold the matrix (test rows, training rows) that maps training targets to test predictions.

        Ridge regression with an intercept, in its dual form. Predictions are linear in the targets, so new labels cost
        one matrix product.
        """
        return [_ridge(self.points[train], self.points[test]) for train, test in self.folds]

    def silhouette(self, labels: Labels) -> float:
        """The mean silhouette of labels (N,), -1 to 1."""
        return float(silhouette_score(self.distances, labels, metric="precomputed"))

    def purity(self, labels: Labels, neighbours: int = NEIGHBOURS) -> float:
        """Share of the nearest points of other faces that have the same label, 0 to 1; labels (N,).

        If there are fewer points of other faces than `neighbours`, all of them count.
        """
        fewest = min((self.faces != face).sum() for face in np.unique(self.faces))
        near = self.neighbours[:, : min(neighbours, fewest)]
        return float((labels[near] == labels[:, None]).mean())

    def predictions(self, labels: Labels) -> Labels:
        """The label (N,) that the probe predicts for each point after training on other faces; labels (N,)."""
        names, codes = np.unique(labels, return_inverse=True)
        targets = np.where(codes[:, None] == np.arange(len(names)), 1.0, -1.0)
        found = np.empty(len(labels), dtype=int)
        for (train, test), operator in zip(self.folds, self.operators, strict=True):
            found[test] = (operator @ targets[train]).argmax(axis=1)
        return names[found]

    def probe(self, labels: Labels) -> float:
        """Accuracy of the probe for labels (N,), 0 to 1."""
        return float((self.predictions(labels) == labels).mean())

    def overlap(self, labels: Labels) -> float:
        """Of labels (N,) of two classes: 2 * (1 - balanced accuracy of the probe), clipped to 0..1."""
        right = self.predictions(labels) == labels
        balanced = np.mean([right[labels == name].mean() for name in np.unique(labels)])
        return float(np.clip(2 * (1 - balanced), 0, 1))


def _ridge(train: Array, test: Array) -> Array:
    """The operator of one fold: predictions = operator @ targets, for targets with any number of columns."""
    centre = train.mean(axis=0)
    a, b = train - centre, test - centre
    kernel = a @ a.T
    scale = np.trace(kernel) / len(train) or 1.0
    solved = np.linalg.solve(kernel / scale + RIDGE * np.eye(len(train)), np.eye(len(train)) - 1 / len(train))
    operator: Array = b @ a.T / scale @ solved + 1 / len(train)
    return operator


@dataclass(frozen=True)
class Measured:
    """A measure and its chance level: mean, 5% and 95% quantile under permuted labels; p is one-sided."""

    value: float
    chance: float
    low: float
    high: float
    p: float


def against_chance(
    measure: Callable[[Labels], float],
    labels: Labels,
    faces: NDArray[Any],
    permutations: int = 200,
    seed: int = 0,
    larger: bool = True,
) -> Measured:
    """A measure of labels (N,) and its chance level: `permutations` of the labels within each face, see `permuted`.

    `faces` (N,) is the face of each point. `larger`: large values mean separation; set it False for an overlap.
    """
    rng = np.random.default_rng(seed)
    value = measure(labels)
    null = np.array([measure(permuted(labels, faces, rng)) for _ in range(permutations)])
    extreme = (null >= value - 1e-12) if larger else (null <= value + 1e-12)
    low, high = np.quantile(null, [0.05, 0.95])
    p = (1 + extreme.sum()) / (1 + permutations)
    return Measured(value, float(null.mean()), float(low), float(high), float(p))


def permuted(labels: Labels, faces: NDArray[Any], rng: np.random.Generator) -> Labels:
    """The labels (N,) with their names exchanged within each face (N,): rows that shared a name still share one."""
    shuffled = labels.copy()
    for face in np.unique(faces):
        rows = faces == face
        names, codes = np.unique(labels[rows], return_inverse=True)
        shuffled[rows] = rng.permutation(names)[codes]
    return shuffled


def pair_rows(labels: ArrayLike, first: str, second: str) -> NDArray[np.bool_]:
    """Which rows of labels (N,) have one of two names, (N,) bool.

    Raises ExpressionError if the two are not a pair of expressions, DataError if no row has one of them.
    """
    check_pair(first, second)
    given: Labels = np.asarray(labels)
    for name in (first, second):
        if not (given == name).any():
            raise DataError(f"no point shows {name!r}: collect it, or choose another pair")
    rows: NDArray[np.bool_] = (given == first) | (given == second)
    return rows


def centroid_cosines(points: Array, labels: ArrayLike, names: Sequence[str]) -> Array:
    """Cosines (C, C), -1 to 1, of the class centres of points (N, D) about the mean of the centres.

    `labels` (N,) are the classes of the points; rows and columns are in the order of `names`.
    """
    given: Labels = np.asarray(labels)
    centres = np.stack([points[given == name].mean(axis=0) for name in names])
    return _cosines(centres - centres.mean(axis=0))


def directions(points: Array, labels: ArrayLike, intensities: ArrayLike, names: Sequence[str]) -> Array:
    """The direction of each expression, (C, D): d = sum a x / sum a^2, the least-squares line x = a d through neutral.

    `points` (N, D) are relative to neutral; `labels` and `intensities` (N,) belong to them.
    """
    given: Labels = np.asarray(labels)
    a = np.asarray(intensities, dtype=np.float64)
    rows = [given == name for name in names]
    return np.stack([a[r] @ points[r] / (a[r] @ a[r]) for r in rows])


def angles(points: Array, labels: ArrayLike, intensities: ArrayLike, names: Sequence[str]) -> Array:
    """Degrees between every two of the `directions`, (C, C), 0 (the same) to 180."""
    cosines = _cosines(directions(points, labels, intensities, names))
    np.fill_diagonal(cosines, 1)
    found: Array = np.degrees(np.arccos(cosines.clip(-1, 1)))
    return found


def angle(points: Array, labels: ArrayLike, intensities: ArrayLike, first: str, second: str) -> float:
    """Degrees between the directions of two expressions, 0 (the same) to 180; raises as `pair_rows` does."""
    pair_rows(labels, first, second)
    return float(angles(points, labels, intensities, [first, second])[0, 1])


def _cosines(rows: Array) -> Array:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(lengths == 0, 1, lengths)
    found: Array = unit @ unit.T
    return found


def sign_flip(differences: ArrayLike, resamples: int = 10_000, seed: int = 0) -> float:
    """Two-sided p of a sign-flip test that N paired differences (N,) have a mean of 0.

    Exact, over all 2^N sign flips, if these are no more than `resamples`; otherwise over `resamples` random flips.
    Raises DataError without differences.
    """
    d = np.asarray(differences, dtype=np.float64)
    if not len(d):
        raise DataError("no differences were given: give at least one face that both editors edited")
    if len(d) == 1:  # SciPy wants two; both flips of one difference have the same distance from 0
        return 1.0
    found = permutation_test(
        (d,),
        _distance_from_zero,
        permutation_type="samples",
        alternative="greater",
        n_resamples=resamples,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def _distance_from_zero(d: Array, axis: int) -> Array:
    found: Array = abs(d.sum(axis=axis))
    return found
