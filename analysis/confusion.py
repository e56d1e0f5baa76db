"""One confusion, three times: by annotators, by a classifier, by a generator.

Three 12 x 12 matrices, rows what is shown or asked for, columns what is said of it, each row summing to 1:

    annotators   the stated shares of labels that the base model learnt from (pxs/mini/data.py, CONFUSION)
    classifier   what an expression judge sees in drawings of each expression
    generator    what the judge sees in edits towards each expression

What a judge says of a picture is taken softly: its 12 intensities, divided by their sum, averaged over pictures. The
highest intensity alone would hide every near miss. Two matrices are compared off the diagonal, where confusion is: by
Pearson's and Spearman's correlation of the 132 entries, and by chance when the expressions of one are renamed (Mantel).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image
from scipy.stats import spearmanr

import pxs
from analysis.faces import Face
from analysis.figures import bare, frame_pairs
from pxs.errors import DataError, JudgeError
from pxs.expressions import CONFUSABLE, EXPRESSIONS, Mix, check_expression
from pxs.judging.expression import ExpressionJudge
from pxs.mini.data import label_probabilities

FEWEST = 3  # expressions, so that there is something to correlate


def annotators(names: Sequence[str] = EXPRESSIONS) -> np.ndarray:
    """Labels given to pictures of each expression, (C, C) in the order of `names`; all 12 rows sum to 1."""
    at = [EXPRESSIONS.index(check_expression(name)) for name in names]
    return np.stack([label_probabilities(name) for name in EXPRESSIONS])[np.ix_(at, at)]


def said(mixes: Sequence[Mix], asked: Sequence[str], names: Sequence[str] = EXPRESSIONS) -> np.ndarray:
    """A judge's mixes, one a picture, as a matrix (C, C): row = asked, mean of intensities divided by their sum.

    Sums are over all 12, so with fewer `names` a row adds up to less than 1. A picture in which the judge sees nothing
    counts for nothing; a row of nothing but such pictures, or of none, is 0.
    """
    if len(mixes) != len(asked):
        raise JudgeError(f"{len(mixes)} mixes for {len(asked)} pictures: judge each picture once")
    seen = np.array([m.vector() for m in mixes]).reshape(-1, len(EXPRESSIONS)).clip(0)
    sums = seen.sum(axis=1, keepdims=True)
    shares = (seen / np.where(sums > 0, sums, 1))[:, [EXPRESSIONS.index(check_expression(name)) for name in names]]
    rows = [shares[(np.asarray(asked) == name) & (sums[:, 0] > 0)] for name in names]
    return np.stack([r.mean(axis=0) if len(r) else np.zeros(len(names)) for r in rows])


def classifier(
    judge: ExpressionJudge,
    faces: Sequence[Face],
    intensities: Sequence[float] = (0.5, 1.0),
    names: Sequence[str] = EXPRESSIONS,
) -> np.ndarray:
    """What the judge says of drawings: (C, C). Raises DataError for a face that was not drawn."""
    if any(face.identity is None for face in faces):
        raise DataError("a face that was not drawn has no drawings of expressions: choose drawn faces")
    plan = [(face, name, a) for face in faces for name in names for a in intensities]
    drawings = [pxs.draw(f.identity, Mix({name: a}), f.style, f.picture.width) for f, name, a in plan]
    return said(judge.judge(drawings), [name for _, name, _ in plan], names)


def generator(
    judge: ExpressionJudge,
    pictures: Sequence[Image.Image],
    table: pd.DataFrame,
    intensities: Sequence[float],
    names: Sequence[str] = EXPRESSIONS,
) -> np.ndarray:
    """What the judge says of edits: (C, C). `table` has the expression and intensity of each picture; those with one of
    the `intensities` count, so that classifier and generator are asked for the same.
    """
    chosen = np.flatnonzero(table.intensity.isin(list(intensities)))
    return said(judge.judge([pictures[i] for i in chosen]), table.expression.iloc[chosen].tolist(), names)


def correlation(first: np.ndarray, second: np.ndarray, permutations: int = 2000, seed: int = 0) -> dict[str, float]:
    """Off-diagonal agreement of two matrices (C, C): pearson, spearman, and p of pearson by renaming (one-sided).

    Raises DataError for fewer than 3 expressions, or a matrix without any confusion, whose correlation is undefined.
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


def off_diagonal(matrix: np.ndarray) -> np.ndarray:
    """The entries of a matrix (C, C) off its diagonal, (C * (C - 1),)."""
    return matrix[~np.eye(len(matrix), dtype=bool)]


def _pearson(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(off_diagonal(first), off_diagonal(second))[0, 1])


def correlations(matrices: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """`correlation` of every two matrices: one row a pair, columns first, second, pearson, spearman, p."""
    return pd.DataFrame(
        [{"first": a, "second": b, **correlation(matrices[a], matrices[b])} for a, b in combinations(matrices, 2)]
    )


def confusion_figure(matrices: Mapping[str, np.ndarray], names: Sequence[str] = EXPRESSIONS) -> Figure:
    """The matrices side by side; the diagonal is written, not coloured; the stated confusable pairs are framed."""
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
        axes.set(title=title, xlabel="said")
        axes.set_xticks(range(len(names)), names, rotation=55, ha="right", rotation_mode="anchor")
        bare(axes).tick_params(length=0)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylabel("shown or asked for")
    figure.colorbar(shown, ax=panels.tolist(), label="share", shrink=0.75, pad=0.01)
    return figure
