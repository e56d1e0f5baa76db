"""The report of an ablation: means over seeds, effects with intervals, published rows, and learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analysis.factorial import Contrast, Effect, effects, interaction, marginal
from analysis.figures import bare, save_figure
from pxs.benchmark.outcome import COLUMNS
from pxs.benchmark.published import ABLATION
from pxs.judging.intervals import holm
from pxs.storage.files import replace_file
from pxs.storage.provenance import write_json

SHOWN = ("acc_12", "mscr", "separability", "cls_12", "id_sim", "hes", "leakage", "changed_psnr", "measured_error")
"""The measures of the tables; results.json has all."""
FACTORS = ("labels", "kind", "contrast")
Content = Mapping[str, Any]


def values_of(cells: Sequence[Content], measure: str) -> tuple[list[tuple[str, int]], list[float]]:
    """The cells (group, seed) that have a value of a measure, and the values."""
    sound = [c for c in cells if c["figures"].get(measure) is not None]
    return [(c["cell"]["name"], c["cell"]["seed"]) for c in sound], [float(c["figures"][measure]) for c in sound]


def levels_of(cells: Sequence[Content]) -> dict[str, dict[str, str]]:
    """The levels of each group of the factorial plan: its name is "labels, kind, contrast"."""
    names = dict.fromkeys(c["cell"]["name"] for c in cells)
    return {name: dict(zip(FACTORS, name.split(", "), strict=True)) for name in names if name.count(", ") == 2}


def contrasts_of(levels: Mapping[str, Mapping[str, str]]) -> dict[str, Contrast]:
    """The effects of the factorial plan: main effects, and how each changes with another factor."""
    clean, scores = ("labels", "clean", "confused"), ("kind", "scores", "one-hot")
    symmetric, one_sided = ("contrast", "symmetric", "flow only"), ("contrast", "one-sided", "flow only")
    both = ("contrast", "symmetric", "one-sided")
    found = {f"{of[1]} − {of[2]}": marginal(levels, *of) for of in (clean, scores, one_sided, symmetric, both)}
    for of, by in ((clean, scores), (clean, symmetric), (scores, symmetric), (both, clean)):
        found[f"({of[1]} − {of[2]}) x ({by[1]} − {by[2]})"] = interaction(levels, of, by)
    return found


def paper_contrasts(cells: Sequence[Content]) -> dict[str, Contrast]:
    """Each row of the article's ablation against the full setting."""
    names = [n for n in dict.fromkeys(c["cell"]["name"] for c in cells) if n.count(", ") == 0 and n != "full"]
    return {f"{name} − full": {name: 1.0, "full": -1.0} for name in names}


def found_effects(cells: Sequence[Content], contrasts: Mapping[str, Contrast]) -> dict[str, dict[str, Effect]]:
    """The effects on each measure of SHOWN, from the cells of the groups that the contrasts name."""
    groups = {group for weights in contrasts.values() for group in weights}
    chosen = [c for c in cells if c["cell"]["name"] in groups]
    found = {}
    for measure in SHOWN:
        names, values = values_of(chosen, measure)
        if names:
            found[measure] = effects(names, values, contrasts)
    return found


def means(cells: Sequence[Content]) -> dict[str, dict[str, list[float]]]:
    """For each group and measure: mean, standard deviation over seeds (0 for one), and their number."""
    found: dict[str, dict[str, list[float]]] = {}
    for measure in COLUMNS:
        names, values = values_of(cells, measure)
        for group in dict.fromkeys(name for name, _ in names):
            own = [v for (name, _), v in zip(names, values, strict=True) if name == group]
            spread = float(np.std(own, ddof=1)) if len(own) > 1 else 0.0
            found.setdefault(group, {})[measure] = [float(np.mean(own)), spread, len(own)]
    return found


def mean_table(table: Mapping[str, Mapping[str, Sequence[float]]], seeds: int, tasks: int) -> str:
    """The means as Markdown; below them the published ablation, marked as such."""
    heads = " | ".join(COLUMNS[m] for m in SHOWN)
    lines = [f"| {seeds} seeds, {tasks} dev tasks | {heads} |", "|---|" + "---|" * len(SHOWN)]
    for name, row in table.items():
        cells = [f"{row[m][0]:.3f} ± {row[m][1]:.3f}" if m in row else "–" for m in SHOWN]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines.append(f"| *published: other pictures, other judges* |{' |' * len(SHOWN)}")
    for name, known in ABLATION.items():
        lines.append(f"| *{name}* | {' | '.join(f'{known[m]:.3f}' if m in known else '–' for m in SHOWN)} |")
    return "\n".join(lines) + "\n"


def effect_table(found: Mapping[str, Mapping[str, Effect]]) -> str:
    """Effects as Markdown: value, 95% interval, p corrected over the effects on one measure (Holm)."""
    if not found:
        return ""
    lines = [f"| effect (95%), p corrected | {' | '.join(COLUMNS[m] for m in found)} |", "|---|" + "---|" * len(found)]
    corrected = {m: holm([float("nan") if e.p is None else e.p for e in of.values()]) for m, of in found.items()}
    for place, name in enumerate(next(iter(found.values()))):
        cells = [_cell(of[name], float(corrected[m][place])) for m, of in found.items()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(effect: Effect, p: float) -> str:
    if effect.value is None:
        return "–"
    if effect.low is None:
        return f"{effect.value:+.3f}"
    return f"{effect.value:+.3f} ({effect.low:+.3f} to {effect.high:+.3f}), {'<0.001' if p < 0.001 else f'{p:.3f}'}"


def curves(cells: Sequence[Content]) -> dict[str, dict[int, list[float]]]:
    """mSCR along the training by group and step: one value a seed."""
    found: dict[str, dict[int, list[float]]] = {}
    for content in (c for c in cells if c["cell"]["name"].count(", ") == 2):
        for step, row in content["curve"].items():
            if row["mscr"] is not None:
                found.setdefault(content["cell"]["name"], {}).setdefault(int(step), []).append(float(row["mscr"]))
    return found


def curve_figure(found: Mapping[str, Mapping[int, Sequence[float]]]) -> Figure:
    """mSCR over steps: the mean over seeds, and the range of the seeds."""
    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    axes = bare(figure.subplots())
    for (name, points), colour in zip(found.items(), ("#D55E00", "#0072B2", "#009E73", "#CC79A7"), strict=False):
        steps = sorted(points)
        axes.plot(steps, [np.mean(points[s]) for s in steps], marker="o", color=colour, label=name)
        axes.fill_between(
            steps,
            [min(points[s]) for s in steps],
            [max(points[s]) for s in steps],
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
    axes.set(xlabel="training steps", ylabel="mSCR", ylim=(0, None))
    axes.legend(frameon=False, fontsize=8)
    return figure


def write_report(cells: Sequence[Content], folder: Path) -> dict[str, Any]:
    """Write table.md, results.json and, if there is a curve, curve.png; the content of results.json."""
    table, curve = means(cells), curves(cells)
    levels = levels_of(cells)
    of_factors = found_effects(cells, contrasts_of(levels)) if levels else {}
    of_rows = found_effects(cells, paper_contrasts(cells)) if paper_contrasts(cells) else {}
    seeds = len({c["cell"]["seed"] for c in cells})
    texts = [mean_table(table, seeds, cells[0]["figures"]["tasks"]), effect_table(of_factors), effect_table(of_rows)]
    if curve:
        save_figure(curve_figure(curve), folder, "curve")
        texts.append(_curve_table(curve))
    replace_file(folder / "table.md", "\n".join(filter(None, texts)).encode())
    content = {
        "means": table,
        "effects": {m: {n: asdict(e) for n, e in of.items()} for m, of in of_factors.items()},
        "against full": {m: {n: asdict(e) for n, e in of.items()} for m, of in of_rows.items()},
        "curve": curve,
        "seconds": sum(c["seconds"] for c in cells),
    }
    write_json(folder / "results.json", content)
    return content


def _curve_table(found: Mapping[str, Mapping[int, Sequence[float]]]) -> str:
    steps = sorted({step for points in found.values() for step in points})
    lines = [f"| mSCR after steps | {' | '.join(map(str, steps))} |", "|---|" + "---|" * len(steps)]
    for name, points in found.items():
        lines.append(f"| {name} | {' | '.join(f'{np.mean(points[s]):.3f}' if s in points else '–' for s in steps)} |")
    return "\n".join(lines) + "\n"
