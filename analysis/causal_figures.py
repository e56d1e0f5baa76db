"""Figures of patching, and of the attention to a word over the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from PIL import Image

from analysis.figures import bare
from analysis.patching import STREAMS, by_block
from pxs.expressions import Pair

Array = NDArray[np.float64]
STREAM_COLOURS = {"text": "#D55E00", "image": "#0072B2"}


def block_figure(patches: pd.DataFrame, pairs: Sequence[Pair]) -> Figure:
    """How far the outcome follows a patch of one block at all steps: a row a pair, a column an editor.

    Lines are means over faces, bands one standard deviation; dashed is the judged intensity of the donor's expression.
    `patches` is a table of `measure_patches`.
    """
    editors = list(patches.editor.unique())
    figure = Figure(figsize=(3.9 * len(editors) + 1.6, 2.5 * len(pairs) + 1.1), layout="constrained")
    panels = figure.subplots(len(pairs), len(editors), sharex=True, sharey=True, squeeze=False)
    for row, pair in zip(panels, pairs, strict=True):
        for axes, editor in zip(row, editors, strict=True):
            for stream in STREAMS:
                found, colour = by_block(patches, editor, pair, stream), STREAM_COLOURS[stream]
                low, high = found.position - found.sd, found.position + found.sd
                axes.fill_between(found.index, low, high, color=colour, alpha=0.18, linewidth=0)
                axes.plot(found.index, found.position, marker="o", color=colour, label=f"{stream} stream: position")
                axes.plot(found.index, found.b, "--", color=colour, linewidth=1.2, label=f"{stream} stream: judged")
            axes.set_title(f"{pair[0]} ← {pair[1]}: {editor}", fontsize=10)
            axes.set_xticks(found.index)
            axes.axhline(0, color="#cccccc", linewidth=0.8, zorder=0)
            axes.axhline(1, color="#cccccc", linewidth=0.8, zorder=0)
            bare(axes)
        row[0].set_ylabel("position (0 receiver, 1 donor)\nand judged intensity", fontsize=9)
    for axes in panels[-1]:
        axes.set_xlabel("patched after block, at all steps")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return figure


def attention_figure(maps: Mapping[str, Array], changes: Mapping[str, Array], picture: Image.Image) -> Figure:
    """Where the word is read, over the picture: a row an entry of `maps`, a column a block; at the right what changes.

    Entries of `maps` are (blocks, rows, columns), on one colour scale; those of `changes` (rows, columns), each from 0
    to its own maximum.
    """
    blocks = len(next(iter(maps.values())))
    figure = Figure(figsize=(1.25 * (blocks + 1) + 1.6, 1.3 * len(maps) + 0.6), layout="constrained")
    panels = figure.subplots(len(maps), blocks + 1, squeeze=False)
    high = max(float(values.max()) for values in maps.values())
    for row, (name, values) in zip(panels, maps.items(), strict=True):
        for axes, one in zip(row, values, strict=False):
            shown = _over(axes, picture, one, high, "inferno")
        _over(row[-1], picture, changes[name], float(changes[name].max()), "viridis")
        row[0].set_ylabel(name)
    for axes, title in zip(panels[0], [*(f"block {b}" for b in range(blocks)), "edit - neutral"], strict=True):
        axes.set_title(title, fontsize=10)
    label = "attention to the word\n(1: as much as to any token)"
    figure.colorbar(shown, ax=panels.ravel().tolist(), label=label, shrink=min(1, 2 / len(maps)), pad=0.01)
    return figure


def _over(axes: Axes, picture: Image.Image, values: Array, high: float, colours: str) -> AxesImage:
    """Values (rows, columns), 0 to `high`, over the grey picture."""
    rows, columns = values.shape
    frame = (0, columns, rows, 0)
    axes.imshow(np.asarray(picture.convert("L")), cmap="gray", extent=frame)
    shown = axes.imshow(values, cmap=colours, vmin=0, vmax=high, alpha=0.6, extent=frame, interpolation="bilinear")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return shown
