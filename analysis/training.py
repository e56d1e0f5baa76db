"""What a training did: loss curves, and what a judge says of edits before and after it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

import pxs
from analysis.confusion import said
from analysis.faces import Face
from analysis.figures import bare
from pxs.expressions import EXPRESSIONS, Mix
from pxs.judging.expression import ExpressionJudge
from pxs.training.trainer import TrainingStep

COLOURS = {"flow": "#0072B2", "contrast": "#D55E00", "identity": "#009E73"}


def loss_figure(steps: Sequence[TrainingStep], window: int = 10) -> Figure:
    """The parts of the loss over steps, each in its own panel: every step, and the mean over `window` of them.

    Validation (flow loss on held-back rows) is drawn as dots in the first panel.
    """
    parts = [name for name in COLOURS if name in steps[0].losses]
    figure = Figure(figsize=(3.6 * len(parts), 2.9), layout="constrained")
    numbers = np.array([s.index + 1 for s in steps])
    for axes, name in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts, strict=True):
        values = np.array([s.losses[name] for s in steps])
        axes.plot(numbers, values, color=COLOURS[name], alpha=0.25, linewidth=0.8)
        axes.plot(numbers, smooth(values, window), color=COLOURS[name])
        axes.set(title=name, xlabel="step", ylim=(min(0, values.min()), None))
        bare(axes)
    held_back = [(s.index + 1, s.validation) for s in steps if s.validation is not None]
    if held_back:
        axes = figure.axes[0]
        axes.plot(*zip(*held_back, strict=True), "o", color="black", markersize=4, label="held back")
        axes.legend(frameon=False, fontsize=8)
    return figure


def smooth(values: np.ndarray, window: int) -> np.ndarray:
    """The mean of each value and up to `window` - 1 before it, (N,)."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    first = np.maximum(np.arange(len(values)) - window + 1, 0)
    last = np.arange(len(values)) + 1
    return (sums[last] - sums[first]) / (last - first)


def judged_edits(
    editor: pxs.Editor, judge: ExpressionJudge, faces: Sequence[Face], steps: int = 12, seed: int = 42
) -> np.ndarray:
    """What the judge says of edits of the faces towards each expression at intensity 1: (12, 12), see `said`."""
    mixes = [Mix({name: 1}) for name in EXPRESSIONS]
    pictures = [
        picture
        for face in faces
        for picture in editor.open(face.picture, face.style).edit(mixes, seed, steps, progress=False)
    ]
    return said(judge.judge(pictures), list(EXPRESSIONS) * len(faces))


def pair_confusion(matrix: np.ndarray, first: str, second: str) -> float:
    """How much of the one is said of the other, the mean of both directions, 0..1; `matrix` (12, 12) as from `said`."""
    a, b = EXPRESSIONS.index(first), EXPRESSIONS.index(second)
    return float((matrix[a, b] + matrix[b, a]) / 2)
