"""The scatter of the published study: continuity across, identity upwards, their harmonic mean (HES) as the size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from pxs.study.key import HIGHEST, LOWEST
from pxs.study.resampling import LEVEL

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#332288", "#888888")
AREA = 120  # of a point, in square points, a unit of HES above the lowest


def scatter_figure(methods: Mapping[str, Mapping[str, Any]]) -> Figure:
    """The scatter of the `methods` in results, with intervals as lines."""
    figure = Figure(figsize=(5.6, 4.6), layout="constrained")
    axes = figure.subplots()
    for number, (name, row) in enumerate(methods.items()):
        (x, across), (y, up) = ((row[scale]["mean"], row[scale]["interval"]) for scale in ("continuity", "identity"))
        if x is None or y is None:
            continue
        colour, hes = COLOURS[number % len(COLOURS)], row["hes"]["mean"]
        if across and up:
            axes.plot(across, [y, y], color=colour, linewidth=1)
            axes.plot([x, x], up, color=colour, linewidth=1)
        axes.scatter([x], [y], s=20 + AREA * (hes - LOWEST), color=colour, alpha=0.45, linewidth=0)
        left = x > (LOWEST + HIGHEST) / 2
        axes.annotate(
            f"{name} ({hes:.2f})",
            (x, y),
            xytext=(-14 if left else 14, 10),
            textcoords="offset points",
            ha="right" if left else "left",
        )
    axes.set(xlim=(LOWEST - 0.1, HIGHEST + 0.1), ylim=(LOWEST - 0.1, HIGHEST + 0.1))
    axes.set(xlabel="continuity", ylabel="identity", title=f"Means of raters; lines: {LEVEL:.0%} intervals; size: HES")
    axes.title.set_fontsize(10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#eeeeee", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure


def scatter(methods: Mapping[str, Mapping[str, Any]], folder: Path) -> list[Path]:
    """Write scatter.svg and scatter.png; return their paths. Equal results give equal bytes."""
    figure, paths = scatter_figure(methods), [folder / "scatter.svg", folder / "scatter.png"]
    with matplotlib.rc_context({"svg.hashsalt": "scatter"}):
        figure.savefig(paths[0], metadata={"Date": None})
    figure.savefig(paths[1], dpi=150)
    return paths
