"""What all figures share: saving as PNG and SVG, and labels that do not lie on each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pxs.storage.files import output_folder

VERDICT_COLOURS = {"coherent": "#009E73", "collapsed": "#E69F00", "conflicting": "#9E9E9E"}
"""Okabe & Ito's green and orange and a grey: told apart by every kind of colour vision, and in print by lightness."""


def save_figure(figure: Figure, folder: str | Path, name: str) -> Path:
    """Write {name}.png (150 dpi) and {name}.svg, the same bytes for the same figure; returns the path of the PNG."""
    target = output_folder(folder)
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(target / f"{name}.svg", metadata={"Date": None})
    figure.savefig(target / f"{name}.png", dpi=150)
    return target / f"{name}.png"


def bare(axes: Axes) -> Axes:
    """Take away the top and right spines."""
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def frame_pairs(axes: Axes, names: Sequence[str], pairs: Sequence[tuple[str, str]], colour: str = "#D55E00") -> None:
    """Frame the two cells of each pair in a matrix whose rows and columns are `names`; pairs not in it are left out."""
    for a, b in pairs:
        if a in names and b in names:
            for column, row in ((names.index(a), names.index(b)), (names.index(b), names.index(a))):
                corner = column - 0.5, row - 0.5
                axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=colour, linewidth=1.8))


def label_at_right(axes: Axes, points: np.ndarray, labels: Sequence[str], size: float = 8) -> None:
    """Write the labels of points (N, 2), N > 0, in a column right of the axes, ordered by height, with thin leaders."""
    order = np.argsort(-points[:, 1], kind="stable")
    to_axes = axes.transData + axes.transAxes.inverted()
    dots = to_axes.transform(points)
    pitch = size * 1.25 / 72 / (axes.get_figure(root=True).get_figheight() * axes.get_position().height)
    for index, height in zip(order, spread(dots[order, 1], pitch), strict=True):
        x, y = dots[index]
        elbow = {"color": "#cccccc", "linewidth": 0.7, "transform": axes.transAxes, "clip_on": False, "zorder": 0.5}
        axes.plot([x, 1.01, 1.03], [y, height, height], **elbow)
        axes.text(1.04, height, labels[index], fontsize=size, va="center", transform=axes.transAxes)


def spread(heights: np.ndarray, pitch: float) -> np.ndarray:
    """Falling heights (N,), moved as little as needed (in squares) until neighbours are `pitch` or more apart and all
    lie in 0..1, if there is room for that.
    """
    slack = heights + pitch * np.arange(len(heights))
    blocks: list[list[float]] = []  # of equal slack: sum, count; a falling sequence of means results
    for value in slack:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] < blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + count]
    level = np.concatenate([np.full(count, total / count) for total, count in blocks])
    return np.clip(level, min(1, pitch * (len(heights) - 1)), 1) - pitch * np.arange(len(heights))
