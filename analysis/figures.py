"""Shared by all figures: saving as PNG and SVG, frames, and labels that do not overlap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from pxs.storage.files import output_folder

Array = NDArray[np.float64]
VERDICT_COLOURS = {"coherent": "#009E73", "collapsed": "#E69F00", "conflicting": "#9E9E9E"}
"""Green and orange of Okabe & Ito, and a grey: distinct for every kind of colour vision, and by lightness in print."""


def save_figure(figure: Figure, folder: str | Path, name: str) -> Path:
    """Write {name}.png (150 dpi) and {name}.svg; return the path of the PNG. Equal figures give equal bytes."""
    target = output_folder(folder)
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(target / f"{name}.svg", metadata={"Date": None})
    figure.savefig(target / f"{name}.png", dpi=150)
    return target / f"{name}.png"


def bare(axes: Axes) -> Axes:
    """Remove the top and right spines; return the axes."""
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def frame_pairs(axes: Axes, names: Sequence[str], pairs: Sequence[tuple[str, str]], colour: str = "#D55E00") -> None:
    """Frame the two cells of each pair in a matrix with rows and columns `names`; pairs of other names are skipped."""
    for a, b in pairs:
        if a in names and b in names:
            for column, row in ((names.index(a), names.index(b)), (names.index(b), names.index(a))):
                corner = column - 0.5, row - 0.5
                axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=colour, linewidth=1.8))


def label_at_right(axes: Axes, points: Array, labels: Sequence[str], size: float = 8) -> None:
    """Write the labels of points (N, 2), N > 0, in a column right of the axes, by height, with thin leader lines."""
    order = np.argsort(-points[:, 1], kind="stable")
    to_axes = axes.transData + axes.transAxes.inverted()
    dots = to_axes.transform(points)
    figure = axes.get_figure(root=True)
    assert figure is not None
    pitch = size * 1.25 / 72 / (figure.get_figheight() * axes.get_position().height)
    for index, height in zip(order, spread(dots[order, 1], pitch), strict=True):
        x, y = dots[index]
        style: dict[str, Any] = {"color": "#cccccc", "linewidth": 0.7, "clip_on": False, "zorder": 0.5}
        axes.plot([x, 1.01, 1.03], [y, height, height], transform=axes.transAxes, **style)
        axes.text(1.04, height, labels[index], fontsize=size, va="center", transform=axes.transAxes)


def spread(heights: Array, pitch: float) -> Array:
    """Move descending heights (N,) until neighbours are `pitch` or more apart, and all are in 0..1 if they fit.

    The sum of squared moves is minimal, by isotonic regression (pool adjacent violators).
    """
    slack = heights + pitch * np.arange(len(heights))
    blocks: list[list[float]] = []  # sum and count of each block; the means of the blocks descend
    for value in slack:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] < blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + count]
    level = np.concatenate([np.full(count, total / count) for total, count in blocks])
    moved: Array = np.clip(level, min(1, pitch * (len(heights) - 1)), 1) - pitch * np.arange(len(heights))
    return moved
