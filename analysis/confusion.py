"""Confusion matrices of annotators, of a classifier and of a generator, and their correlation.

Three 12 x 12 matrices. A row is the expression that is shown or requested, a column the answer; each row sums to 1:

    annotators   the shares of labels that the base model was trained on (pxs/mini/data.py, CONFUSION)
    classifier   the answers of an expression judge for drawings of each expression
    generator    the answers of the judge for edits towards each expression

The answer for a picture is soft: its 12 judged intensities, divided by their sum; the answers of all pictures of a row
are averaged. The strongest intensity alone would hide a second expression that is nearly as strong. Two matrices are
compared off the diagonal, where confusion is: Pearson's and Spearman's correlation of the 132 entries, and a p from
random renaming of the expressions of one matrix (Mantel test).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import spearmanr

import pxs
from analysis.faces import Face
from analysis.figures import bare, frame_pairs
from pxs.errors import DataError, JudgeError
from pxs.expressions import CONFUSABLE, EXPRESSIONS, Mix, check_expression
from pxs.judging.expression import ExpressionJudge
from pxs.mini.data import label_probabilities

Matrix = NDArray[np.float64]
FEWEST = 3  # expressions: with two there are too few entries to correlate


def annotators(names: Sequence[str] = EXPRESSIONS) -> Matrix:
    """The shares of labels for pictures of each expression, (C, C) in the order of `names`; with all 12, rows sum to 1.

    Raises ExpressionError for an unknown name.
    """
    at = [EXPRESSIONS.index(check_expression(name)) for name in names]
    return np.stack([label_probabilities(name) for name in EXPRESSIONS])[np.ix_(at, at)]


def soft_confusion(mixes: Sequence[Mix], requested: Sequence[str], names: Sequence[str] = EXPRESSIONS) -> Matrix:
    """The confusion matrix (C, C) of judged mixes and requested expressions, one of each a picture.

    An entry is the mean, over the pictures of its row, of an intensity divided by the sum of all 12. So with fewer
    `names` a row sums to less than 1. Pictures without any judged expression are left out; a row without pictures is 0.
    Raises JudgeError unless there is one mix a picture.
    """
    if len(mixes) != len(requested):
        raise JudgeError(f"{len(mixes)} mixes for {len(requested)} pictures: judge each picture once")
    scores = np.array([m.vector() for m in mixes]).reshape(-1, len(EXPRESSIONS)).clip(0)
    sums = scores.sum(axis=1, keepdims=True)
    shares = (scores / np.where(sums > 0, sums, 1))[:, [EXPRESSIONS.index(check_expression(name)) for name in names]]
    rows = [shares[(np.asarray(requested) == name) & (sums[:, 0] > 0)] for name in names]
    return np.stack([r.mean(axis=0) if len(r) else np.zeros(len(names)) for r in rows])


def classifier(
    judge: ExpressionJudge,
    faces: Sequence[Face],
    intensities: Sequence[float] = (0.5, 1.0),
    names: Sequence[str] = EXPRESSIONS,
) -> Matrix:
    """The matrix (C, C) of a judge for drawings of the faces. Raises DataError for a face that was not drawn."""
    drawings, requested = [], []
    for face in faces:
        if face.identity is None:
            raise DataError("a face that was not drawn has no drawings of expressions: choose drawn faces")
        for name, a in product(names, intensities):
            drawings.append(pxs.draw(face.identity, Mix({name: a}), face.style, face.picture.width))
            requested.append(name)
    return soft_confusion(judge.judge(drawings), requested, names)


def generator(
    judge: ExpressionJudge,
    pictures: Sequence[Image.Image],
    table: pd.DataFrame,
    intensities: Sequence[float],
    names: Sequence[str] = EXPRESSIONS,
) -> Matrix:
    """The matrix (C, C) of a judge for edits. `table` has columns expression and intensity, one row a picture.

    Only pictures at one of the `intensities` count, so that classifier and generator are compared at the same ones.
    """
    chosen = np.flatnonzero(table.intensity.isin(list(intensities))).tolist()
    return soft_confusion(judge.judge([pictures[i] for i in chosen]), table.expression.iloc[chosen].tolist(), names)


def correlation(first: Matrix, second: Matrix, permutations: int = 2000, seed: int = 0) -> dict[str, float]:
    """Off-diagonal correlation of two matrices (C, C): pearson, spearman, and the one-sided p of a Mantel test.

    Raises DataError for fewer than 3 expressions, and for equal entries off a diagonal: no correlation is defined then.
    """
    count = len(first)
    if count < FEWEST:
        raise DataError(f"{count} expressions are too few to correlate their confusion: give {FEWEST} or more")
    if np.ptp(off_diagonal(first)) == 0 or np.ptp(off_diagonal(second)) == 0:
        raise DataError("a matrix has the same entry everywhere off its diagonal: there is nothing to correlate")
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(count) for _ in range(permutations)]
    r = _pearson(first, second)
    chance = np.array([_pearson(first, second[np.ix_(o, o)]) for o in orders])
    p = (1 + (chance >= r - 1e-12).sum()) / (1 + permutations)
    rho = spearmanr(off_diagonal(first), off_diagonal(second)).statistic
    return {"pearson": r, "spearman": float(rho), "p": float(p)}


def off_diagonal(matrix: Matrix) -> Matrix:
    """The entries of a matrix (C, C) off its diagonal, (C * (C - 1),)."""
    return matrix[~np.eye(len(matrix), dtype=bool)]


def _pearson(first: Matrix, second: Matrix) -> float:
    return float(np.corrcoef(off_diagonal(first), off_diagonal(second))[0, 1])


def correlations(matrices: Mapping[str, Matrix]) -> pd.DataFrame:
    """The `correlation` of every two matrices: one row a pair, columns first, second, pearson, spearman, p."""
    return pd.DataFrame(
        [{"first": a, "second": b, **correlation(matrices[a], matrices[b])} for a, b in combinations(matrices, 2)]
    )


def confusion_figure(matrices: Mapping[str, Matrix], names: Sequence[str] = EXPRESSIONS) -> Figure:
    """The matrices side by side. The diagonal has numbers instead of colours; the confusable pairs are framed."""
    figure = Figure(figsize=(4.1 * len(matrices) + 0.9, 4.9), layout="constrained")
    panels = figure.subplots(1, len(matrices), sharey=True, squeeze=False)[0]
    top = max(off_diagonal(matrix).max() for matrix in matrices.values())
    for axes, (title, matrix) in zip(panels, matrices.items(), strict=True):
        off = np.where(np.eye(len(names), dtype=bool), np.nan, matrix)
        shown = axes.imshow(off, cmap="cividis", vmin=0, vmax=top)
        axes.set_facecolor("#e4e4e4")
        for i, value in enumerate(np.diag(matrix)):
            axes.text(i, i, f"{value:.2f}".lstrip("0"), ha="center", va="center", fontsize=6.5, color="#444444")
        frame_pairs(axes, names, CONFUSABLE)
        axes.set(title=title, xlabel="answer")
        axes.set_xticks(range(len(names)), names, rotation=55, ha="right", rotation_mode="anchor")
        bare(axes).tick_params(length=0)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylabel("shown or requested")
    figure.colorbar(shown, ax=panels.tolist(), label="share", shrink=0.75, pad=0.01)
    return figure
