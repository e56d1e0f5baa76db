"""Figures of entanglement: pairs before and after, cosines of classes, and separation over blocks and timesteps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import bare, frame_pairs
from analysis.separation import Array
from pxs.expressions import Pair

EDITOR_COLOURS = {"base": "#9E9E9E", "adapter": "#0072B2"}
PAIR_UNITS = {
    "overlap": "overlap (0 separate, 1 chance level)",
    "pair silhouette": "silhouette",
    "angle": "angle, degrees",
}


def pair_figure(pairs: pd.DataFrame, measure: str = "overlap") -> Figure:
    """One measure of each pair at each place, one dot an editor. The bar behind a dot is the chance level, 5% to 95%.

    `pairs` is a table of `measure_pairs`.
    """
    part = pairs[pairs.measure == measure]
    places, editors = list(part.place.unique()), list(part.editor.unique())
    names = list(dict.fromkeys(zip(part["first"], part["second"], strict=True)))
    height = 0.42 * len(places) * max(1, len(editors)) / 1.5 + 1.5
    figure = Figure(figsize=(4.4 * len(names) + 1.6, height), layout="constrained")
    for axes, pair in zip(figure.subplots(1, len(names), sharey=True, squeeze=False).flat, names, strict=True):
        for k, editor in enumerate(editors):
            rows = part[(part.editor == editor) & (part["first"] == pair[0]) & (part["second"] == pair[1])]
            y = np.arange(len(places)) + 0.28 * (k - (len(editors) - 1) / 2)
            axes.barh(y, rows.high - rows.low, 0.2, rows.low, color="#e6e6e6", zorder=1)
            axes.scatter(rows.value, y, s=52, color=EDITOR_COLOURS[editor], label=editor, zorder=3)
        axes.set(title=f"{pair[0]} and {pair[1]}", xlabel=PAIR_UNITS[measure])
        axes.set_yticks(range(len(places)), places)
        bare(axes).grid(axis="x", color="#eeeeee", zorder=0)
    figure.axes[0].invert_yaxis()
    handles, labels = figure.axes[0].get_legend_handles_labels()
    chance = figure.axes[0].patches[0]
    figure.legend(
        [*handles, chance], [*labels, "chance, 5% to 95%"], loc="outside upper center", ncols=3, frameon=False
    )
    return figure


def cosine_figure(cosines: Mapping[str, Array], names: Sequence[str], pairs: Sequence[Pair]) -> Figure:
    """Cosines (C, C) of class centres, -1 to 1, one panel an editor; the pairs are framed."""
    figure = Figure(figsize=(4.3 * len(cosines) + 1.1, 4.8), layout="constrained")
    panels = figure.subplots(1, len(cosines), sharey=True, squeeze=False)[0]
    for axes, (editor, matrix) in zip(panels, cosines.items(), strict=True):
        shown = axes.imshow(matrix, cmap="PuOr", vmin=-1, vmax=1)
        frame_pairs(axes, names, pairs, "black")
        axes.set_xticks(range(len(names)), names, rotation=55, ha="right", rotation_mode="anchor")
        axes.set_title(editor)
        bare(axes).tick_params(length=0)
    panels[0].set_yticks(range(len(names)), names)
    figure.colorbar(shown, ax=panels.tolist(), label="cosine of class centres", shrink=0.75, pad=0.01)
    return figure


def landscape_figure(
    landscapes: Mapping[tuple[str, str], pd.DataFrame], sigmas: Sequence[float], title: str, label: str
) -> Figure:
    """Separation over blocks (upwards) and denoising steps (to the right).

    `landscapes` maps (title, editor) to a table of `landscape`: one row of panels a title, one column an editor. All
    panels share one colour scale. `sigmas` is the noise level, 1 to 0, before each step.
    """
    rows, columns = (list(dict.fromkeys(key[i] for key in landscapes)) for i in (0, 1))
    figure = Figure(figsize=(4.6 * len(columns) + 1.4, 2.5 * len(rows) + 1.0), layout="constrained")
    figure.suptitle(title)
    low = min(float(t.to_numpy().min()) for t in landscapes.values())
    high = max(float(t.to_numpy().max()) for t in landscapes.values())
    panels = figure.subplots(len(rows), len(columns), sharex=True, sharey=True, squeeze=False)
    for i, what in enumerate(rows):
        for j, editor in enumerate(columns):
            axes, table = panels[i, j], landscapes[what, editor]
            shown = axes.imshow(table, cmap="viridis", vmin=low, vmax=high, origin="lower", aspect="auto")
            axes.set_yticks(range(len(table)), table.index)
            axes.set_xticks(range(len(table.columns)), [f"{s}\n{sigmas[s]:.2f}" for s in table.columns], fontsize=7.5)
            bare(axes).tick_params(length=0)
            axes.set_title(f"{what}: {editor}", fontsize=10)
    for axes in panels[-1]:
        axes.set_xlabel("denoising step, and noise level σ before it")
    for axes in panels[:, 0]:
        axes.set_ylabel("block")
    figure.colorbar(shown, ax=panels.ravel().tolist(), label=label, shrink=0.8, pad=0.01)
    return figure


def line_figure(lines: Mapping[tuple[str, str], pd.Series], sigmas: Sequence[float], title: str, label: str) -> Figure:
    """Separation over denoising steps. `lines` maps (title, editor) to values: a panel a title, a line an editor."""
    panels, editors = (list(dict.fromkeys(key[i] for key in lines)) for i in (0, 1))
    figure = Figure(figsize=(4.6 * len(panels) + 0.6, 3.4), layout="constrained")
    figure.suptitle(title)
    for axes, what in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False).flat, panels, strict=True):
        for editor in editors:
            line = lines[what, editor]
            axes.plot(line.index, line, marker="o", markersize=4, color=EDITOR_COLOURS[editor], label=editor)
        axes.set(title=what, xlabel="denoising step, and noise level σ before it")
        axes.set_xticks(line.index, [f"{s}\n{sigmas[s]:.2f}" for s in line.index], fontsize=7.5)
        axes.axhline(0, color="#999999", linewidth=0.8)
        bare(axes)
    figure.axes[0].set_ylabel(label)
    figure.axes[0].legend(frameon=False)
    return figure
