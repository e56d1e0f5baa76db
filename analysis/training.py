"""The effect of a training: loss curves, and the judged confusion of edits before and after it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm.auto import tqdm

import pxs
from analysis.confusion import Matrix, soft_confusion
from analysis.faces import Face
from analysis.figures import bare
from pxs.data.synthetic_ffe import write_synthetic_set
from pxs.expressions import EXPRESSIONS, Mix
from pxs.judging.expression import ExpressionJudge
from pxs.storage.hashes import file_hash
from pxs.training.settings import Settings
from pxs.training.trainer import TrainingStep

COLOURS = {"flow": "#0072B2", "contrast": "#D55E00", "identity": "#009E73"}


def drawn_table(folder: Path, count: int, seed: int) -> Path:
    """The FFE file of `count` drawn rows below `folder`; drawn if it is not there. Each count and seed has its own."""
    table = folder / f"data_{count}_seed{seed}" / "train.jsonl"
    if not table.exists():
        write_synthetic_set(table.parent, count, seed=seed)
    return table


def training_folder(folder: Path, settings: Settings, table: Path) -> Path:
    """Where a training with these settings and rows writes: each combination has a folder of its own.

    So a second run of a notebook continues its training, and one with another setting does not meet the first one.
    """
    key = json.dumps({**vars(settings), "rows": file_hash(table)}, sort_keys=True)
    return folder / f"adapter_{settings.contrast}_{sha256(key.encode()).hexdigest()[:6]}"


def loss_figure(steps: Sequence[TrainingStep], window: int = 10) -> Figure:
    """The parts of the loss over steps, each in its own panel: every step, and the running mean over `window` steps.

    Dots in the first panel are the validation loss: the flow loss on held-out rows.
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
    held_out = [(s.index + 1, s.validation) for s in steps if s.validation is not None]
    if held_out:
        axes = figure.axes[0]
        axes.plot(*zip(*held_out, strict=True), "o", color="black", markersize=4, label="held out")
        axes.legend(frameon=False, fontsize=8)
    return figure


def smooth(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The running mean (N,) of values (N,): each value and up to `window` - 1 before it."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    first = np.maximum(np.arange(len(values)) - window + 1, 0)
    last = np.arange(len(values)) + 1
    means: NDArray[np.float64] = (sums[last] - sums[first]) / (last - first)
    return means


def judged_edits(
    editor: pxs.Editor, judge: ExpressionJudge, faces: Sequence[Face], steps: int = 12, seed: int = 42
) -> Matrix:
    """The `soft_confusion` (12, 12) of edits of the faces to each expression at intensity 1."""
    mixes = [Mix({name: 1}) for name in EXPRESSIONS]
    pictures = [
        picture
        for face in tqdm(faces, desc="faces", leave=False)
        for picture in editor.open(face.picture, face.style).edit(mixes, seed, steps, progress=False)
    ]
    return soft_confusion(judge.judge(pictures), list(EXPRESSIONS) * len(faces))


def pair_confusion(matrix: Matrix, first: str, second: str) -> float:
    """The mean of the two entries of a pair in a matrix (12, 12) of `soft_confusion`, 0..1."""
    a, b = EXPRESSIONS.index(first), EXPRESSIONS.index(second)
    return float((matrix[a, b] + matrix[b, a]) / 2)
