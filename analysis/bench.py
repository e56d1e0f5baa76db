"""Figures of the benchmark: response curves, identity against expression, and the shares of confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pxs.benchmark.judge import Record
from pxs.benchmark.outcome import Outcome
from pxs.benchmark.table import Figures
from pxs.judging.curves import identity_area

STYLES = {
    "truth": ("#000000", "--"),
    "source": ("#888888", ":"),
    "base": ("#D55E00", "-"),
    "words": ("#CC79A7", "-"),
    "pixelsmile": ("#0072B2", "-"),
}
"""Colour and line style of the built-in methods; others use OTHERS in turn."""
OTHERS = ("#009E73", "#E69F00", "#56B4E9", "#332288", "#882255")
LINES = ("-", "-.", ":")


def outcomes(records: Mapping[str, Sequence[Record]]) -> dict[str, Outcome]:
    """The outcome of each method that has at least one task without a fault."""
    return {name: Outcome(r) for name, r in records.items() if any(not one.fault for one in r)}


def response_figure(records: Mapping[str, Sequence[Record]]) -> Figure:
    """Judged against requested intensity of the target, one line a method: mean, and the middle half of the tasks.

    It ends at 1.5 times the sweep: judges end at 1, so beyond it lines are flat.
    """
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    axes = figure.subplots()
    found = outcomes(records)
    most = max((min(o.alphas[-1], 1.5 * o.levels.linear[-1]) for o in found.values()), default=1.5)
    axes.plot([0, 1, most], [0, 1, 1], color="#bbbbbb", linewidth=5, label="perfect (judges end at 1)")
    for name, outcome in found.items():
        colour, line = _look(name, records)
        low, high = np.quantile(outcome.target_scores, (0.25, 0.75), axis=0)
        mean, alphas = outcome.target_scores.mean(axis=0), outcome.alphas
        axes.fill_between(alphas, low, high, color=colour, alpha=0.12, linewidth=0)
        axes.plot(alphas, mean, line, color=colour, marker="o", markersize=3, label=name)
    axes.axvline(1, color="#bbbbbb", linewidth=0.8)
    axes.set(xlabel="requested intensity", ylabel="judged intensity", xlim=(0, most), ylim=(-0.02, 1.05))
    return _finished(figure, axes)


def identity_figure(records: Mapping[str, Sequence[Record]]) -> Figure:
    """Identity similarity against judged intensity along each method's sweep, and its area; dots at 0, 0.5, 1, last."""
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, outcome in outcomes(records).items():
        colour, line = _look(name, records)
        x, y = outcome.target_scores.mean(axis=0), outcome.similarity.mean(axis=0)
        marked = [outcome.alphas.index(a) for a in (0, 0.5, 1) if a in outcome.alphas] + [-1]
        axes.plot(x, y, line, color=colour, label=f"{name} (area {identity_area(x, y):.2f})")
        axes.plot(x[marked], y[marked], "o", color=colour, markersize=4)
    axes.set(xlabel="judged intensity of the target", ylabel="identity similarity to the source", xlim=(-0.02, 1.02))
    return _finished(figure, axes)


def confusion_shares(
    rows: Mapping[str, Figures], leave_out: Sequence[str] = ("truth", "source")
) -> dict[str, NDArray[np.float64]]:
    """For each method, a matrix (12, 12) at intensity 1: row = requested expression, column = strongest judged one.

    An entry is the share of the row's tasks, 0..1; a row sums to less than 1 where tasks failed or show nothing.
    """
    counts = {n: r for n, r in rows.items() if r.get("confusion") and n not in leave_out}
    return {n: np.array(r["confusion"]) / np.maximum(r["requested"], 1)[:, None] for n, r in counts.items()}


def _look(name: str, records: Mapping[str, object]) -> tuple[str, str]:
    if name in STYLES:
        return STYLES[name]
    turn, place = divmod([n for n in records if n not in STYLES].index(name), len(OTHERS))
    return OTHERS[place], LINES[turn % len(LINES)]


def _finished(figure: Figure, axes: Axes) -> Figure:
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
