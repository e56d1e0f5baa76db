"""Figures of blends: the sheet of pairs, the balance of a pair, the effect of thresholds, and the map of the pairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from analysis.blends import PUBLISHED_COHERENT, Batch
from analysis.figures import VERDICT_COLOURS, bare, label_at_right
from pxs.expressions import COLOURS, Pair
from pxs.judging.blends import KINDS, BlendThresholds, JudgedBlend


def named_pairs(batches: Sequence[Batch], pairs: Iterable[Pair]) -> tuple[list[list[Image.Image]], pd.DataFrame]:
    """The pictures of some pairs, a row a pair, a picture a batch; and a table of their verdicts in the same order.

    `batches` as for `pair_sheet`. Pairs that were not blended are skipped; without any that was, the first four.
    """
    blended = {frozenset((one.first, one.second)): index for index, one in enumerate(batches[0].judged)}
    chosen = [blended[frozenset(pair)] for pair in pairs if frozenset(pair) in blended] or [*blended.values()][:4]
    names = [f"{one.first} + {one.second}" for one in (batches[0].judged[index] for index in chosen)]
    words = {batch.method: [_words(batch.judged[index]) for index in chosen] for batch in batches}
    return [[batch.images[index] for batch in batches] for index in chosen], pd.DataFrame(words, names)


def _words(one: JudgedBlend) -> str:
    return f"→ {one.verdict.dominant}" if one.verdict.dominant else one.verdict.kind


def pair_sheet(batches: Sequence[Batch], columns: int = 3) -> Figure:
    """Every pair on one face: the pictures of all methods side by side, each with its verdict in words and colour.

    `batches` are of one face, one batch a method, with the same pairs in the same order.
    """
    count, methods = len(batches[0].judged), len(batches)
    rows, columns = -(-count // columns), min(columns, count)
    figure = Figure(figsize=(columns * (1.15 * methods + 0.25), rows * 1.75 + 0.3))
    figure.set_layout_engine("constrained", wspace=0.04, hspace=0.04)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for index, axes in zip(range(count), grid.flat, strict=False):
        _pictures(axes, [b.images[index] for b in batches], [b.judged[index] for b in batches])
    for axes in grid[0, : min(count, columns)]:
        axes.set_title(axes.get_title(), fontsize=10, weight="bold", pad=20)
        for i, batch in enumerate(batches):
            axes.text(i + 0.5, -0.03, batch.method, ha="center", va="bottom", fontsize=8, color="#555555")
    return figure


def _pictures(axes: Axes, images: Sequence[Image.Image], judged: Sequence[JudgedBlend]) -> None:
    """Pictures of unit width in a row; under each a coloured bar, and below it the verdict."""
    for i, (image, one) in enumerate(zip(images, judged, strict=True)):
        axes.imshow(np.asarray(image), extent=(i + 0.02, i + 0.98, 1, 0))
        colour = VERDICT_COLOURS[one.verdict.kind]
        axes.fill_between([i + 0.02, i + 0.98], 1.0, 1.045, color=colour, linewidth=0)
        axes.text(i + 0.5, 1.08, _words(one), ha="center", va="top", fontsize=8)
    axes.set(xlim=(0, len(images)), ylim=(1.24, 0))
    axes.set_title(f"{judged[0].first} + {judged[0].second}", fontsize=10, weight="bold", pad=6)


def grid_figure(grids: Mapping[str, Sequence[Image.Image]], pair: Pair, scales: Sequence[float]) -> Figure:
    """Each method's blends at all pairs of intensities, the first expression upwards, the second to the right.

    One method below the other, so that the faces are large.

    Each value of `grids` holds len(scales) ** 2 pictures, the first expression changes slowest.
    """
    figure = Figure(figsize=(6.4, 6.6 * len(grids)), layout="constrained")
    count = len(scales)
    for axes, (method, images) in zip(figure.subplots(len(grids), 1, squeeze=False).flat, grids.items(), strict=True):
        for i, image in enumerate(images):
            row, column = divmod(i, count)
            axes.imshow(np.asarray(image), extent=(column + 0.02, column + 0.98, row + 0.02, row + 0.98))
        axes.set(xlim=(0, count), ylim=(0, count), title=method)
        axes.set_xticks(np.arange(count) + 0.5, [f"{a:g}" for a in scales])
        axes.set_yticks(np.arange(count) + 0.5, [f"{a:g}" for a in scales])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel(f"{pair[1]} →", color=COLOURS[pair[1]], weight="bold")
        axes.set_ylabel(f"{pair[0]} →", color=COLOURS[pair[0]], weight="bold")
    return figure


def balance_figure(verdicts: pd.DataFrame, thresholds: BlendThresholds) -> Figure:
    """Judged intensity of both expressions of each pair, one panel a method. If the dots lie apart, one dominates."""
    methods = list(verdicts.method.unique())
    pairs = verdicts[["first", "second"]].drop_duplicates()
    figure = Figure(figsize=(3.6 * len(methods) + 1.2, 0.3 * len(pairs) + 1.5), layout="constrained")
    for axes, method in zip(figure.subplots(1, len(methods), sharey=True, squeeze=False).flat, methods, strict=True):
        _balance(axes, verdicts[verdicts.method == method], thresholds)
        axes.set_title(method)
    figure.axes[0].set_yticks(range(len(pairs)), [f"{p.first} + {p.second}" for p in pairs.itertuples()])
    figure.axes[0].set_ylim(len(pairs) - 0.4, -0.6)
    names = dict.fromkeys([*pairs["first"], *pairs["second"]])
    dots = [Line2D([], [], marker="o", linestyle="", color=COLOURS[name], label=name) for name in names]
    figure.legend(handles=dots, loc="outside upper center", ncols=len(dots), frameon=False, handletextpad=0.1)
    return figure


def _balance(axes: Axes, part: pd.DataFrame, thresholds: BlendThresholds) -> None:
    axes.axvline(thresholds.present, color="#999999", linewidth=1, linestyle="--")
    for y, row in enumerate(part.itertuples()):
        axes.plot([row.a, row.b], [y, y], color="#cccccc", linewidth=2, zorder=1)
        axes.scatter([row.a, row.b], [y, y], s=42, color=[COLOURS[row.first], COLOURS[row.second]], zorder=2)
        words = f"→ {row.dominant}" if row.dominant else row.verdict
        axes.text(1.08, y, words, va="center", fontsize=9, color=VERDICT_WORDS[row.verdict])
    axes.set(xlim=(-0.04, 1.6), xlabel="judged intensity (mean)", xticks=[0, 0.25, 0.5, 0.75, 1])
    axes.tick_params(axis="y", length=0)
    bare(axes).spines["left"].set_visible(False)


VERDICT_WORDS = {"coherent": "#00694d", "collapsed": "#8a5f00", "conflicting": "#555555"}
"""VERDICT_COLOURS, dark enough for text."""


def threshold_figure(effect: pd.DataFrame, name: str, used: float) -> Figure:
    """The number of pairs with each verdict against the value of one threshold, one panel a method.

    The dashed line is the threshold in use, the dotted one the number of pairs that PixelSmile calls coherent.
    """
    methods = list(effect.method.unique())
    figure = Figure(figsize=(3.2 * len(methods) + 0.6, 3.3), layout="constrained")
    for axes, method in zip(figure.subplots(1, len(methods), sharey=True, squeeze=False).flat, methods, strict=True):
        part = effect[effect.method == method]
        axes.stackplot(part.value, part[list(KINDS)].T, colors=[VERDICT_COLOURS[k] for k in KINDS], labels=KINDS)
        axes.axvline(used, color="black", linewidth=1, linestyle="--")
        axes.axhline(PUBLISHED_COHERENT, color="black", linewidth=1, linestyle=":")
        axes.set(title=method, xlabel=f"threshold: {name}", xlim=(part.value.min(), part.value.max()))
        bare(axes).margins(0)
    figure.axes[0].set_ylabel("pairs")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
    return figure


def compatibility_figure(verdicts: pd.DataFrame, predicted: pd.DataFrame, present: float) -> Figure:
    """The map of the pairs, one panel a method: intensity of the weaker expression against predicted compatibility.

    Each half of a dot has the colour of one expression of the pair. The dashed line is the threshold at which an
    expression counts as present.
    """
    methods = list(verdicts.method.unique())
    figure = Figure(figsize=(5.0 * len(methods), 4.8), layout="constrained")
    for axes, method in zip(figure.subplots(1, len(methods), sharey=True, squeeze=False).flat, methods, strict=True):
        both = verdicts[verdicts.method == method].merge(predicted, on=["first", "second"])
        axes.axhline(present, color="#999999", linewidth=1, linestyle="--")
        axes.set(xlim=(0.1, 1.08), ylim=(-0.08, 1.08), title=method, xlabel="compatibility predicted from action units")
        for row in both.itertuples():
            halves = {"markerfacecolor": COLOURS[row.first], "markerfacecoloralt": COLOURS[row.second]}
            axes.plot(row.compatibility, row.weaker, "o", ms=13, fillstyle="left", markeredgecolor="white", **halves)
        names = [f"{row.first} + {row.second}" for row in both.itertuples()]
        figure.draw_without_rendering()
        label_at_right(bare(axes), both[["compatibility", "weaker"]].to_numpy(), names)
    figure.axes[0].set_ylabel("judged intensity of the weaker expression (mean)")
    return figure
