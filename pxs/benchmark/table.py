"""From records to figures: one row a method, with confidence intervals, as JSON, Markdown and CSV.

General editing (Acc, mSCR, AUC, ID Sim, HES, PSNR) looks at intensity 1; linear control (CLS, intensity error, leakage)
at 0, 0.1, ..., 1. What lies beyond 1 is reported apart. Pictures that failed count as 0: they show nothing, so mSCR, error
and leakage do not punish them, but Acc, CLS, ID Sim and HES do.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pxs.benchmark.edit import ALPHAS, LINEAR
from pxs.benchmark.judge import Record
from pxs.benchmark.published import PUBLISHED
from pxs.expressions import BASIC, CONFUSABLE, EXPRESSIONS, Mix
from pxs.judging import intervals, measures
from pxs.storage.files import output_folder, replace_file
from pxs.storage.provenance import write_json

FULL = ALPHAS.index(1.0)
COLUMNS = {
    "acc_6": "Acc-6 ↑",
    "acc_12": "Acc-12 ↑",
    "mscr": "mSCR ↓",
    "mscr_within": "mSCR within pair ↓",
    "separability": "pair AUC ↑",
    "cls_6": "CLS-6 ↑",
    "cls_12": "CLS-12 ↑",
    "id_sim": "ID Sim ↑",
    "hes": "HES ↑",
    "intensity_error": "error ↓",
    "leakage": "leakage ↓",
}

Figures = dict[str, Any]

LIMITS = {"cls_6": (-1, 1), "cls_12": (-1, 1), "id_sim": (-1, 1), "leakage": (0, len(EXPRESSIONS) - 1)}
"""Ends of the range of a measure, where they are not 0 and 1."""


class Outcome:
    """The records of one method as arrays of T tasks: what the measures are taken of. What failed counts as 0.

    A task with a fault, which no method can do, is left out. names (T,); targets (T,); scores (T, A, 12);
    asked (T, A, 12); similarity (T, A); A runs over ALPHAS.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        sound = [r for r in records if not r.fault]
        self.names = [r.task for r in sound]
        self.targets = np.array([EXPRESSIONS.index(r.expression) for r in sound], dtype=int)
        self.scores = np.array([r.scores for r in sound]).reshape(len(sound), len(ALPHAS), len(EXPRESSIONS))
        self.similarity = np.array([r.similarity for r in sound]).reshape(len(sound), len(ALPHAS))
        mixes = [[Mix({r.expression: a}).vector() for a in ALPHAS] for r in sound]
        self.asked = np.array(mixes).reshape(self.scores.shape)
        self.psnr = np.array([r.psnr[FULL] for r in sound if r.psnr])

    @property
    def target_scores(self) -> np.ndarray:
        """The judged intensity of the target, (T, A)."""
        return np.take_along_axis(self.scores, self.targets[:, None, None], axis=2)[..., 0]

    def values(self) -> dict[str, np.ndarray]:
        """One value a task (T,) of each measure that is their mean; NaN where a task has nothing to say about it.

        That of mSCR is the share of the other expression of its pair in the prediction.
        """
        full, line = self.scores[:, FULL], slice(len(LINEAR))
        basic = self.targets < len(BASIC)
        hit, kept = self.target_scores[:, FULL], self.similarity[:, FULL]
        r = np.atleast_1d(measures.linearity(LINEAR, self.target_scores[:, line]))
        pairs = list(zip(self.asked[:, line], self.scores[:, line], strict=True))
        predicted, other = measures.predictions(full), _partners(self.targets)
        return {
            "acc_6": _where(basic, measures.hits(full, self.targets, 6) if basic.any() else np.empty(0)),
            "acc_12": measures.hits(full, self.targets),
            "mscr": np.where(other < 0, np.nan, np.take_along_axis(predicted, other[:, None], axis=1)[:, 0]),
            "cls_6": _where(basic, r[basic]),
            "cls_12": r,
            "id_sim": kept,
            "hes": measures.harmonic(hit, kept),
            "intensity_error": np.array([measures.intensity_error(a, s) for a, s in pairs]),
            "leakage": np.array([measures.leakage(a, s) for a, s in pairs]),
        }


def _partners(targets: np.ndarray) -> np.ndarray:
    """The index of the expression that each target is confused with, -1 for targets without one."""
    pairs = {EXPRESSIONS.index(a): EXPRESSIONS.index(b) for one in CONFUSABLE for a, b in (one, one[::-1])}
    return np.array([pairs.get(int(t), -1) for t in targets], dtype=int)


def _where(chosen: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The values at the places that are chosen, NaN elsewhere."""
    found = np.full(len(chosen), np.nan)
    found[chosen] = values
    return found


def measured(records: Sequence[Record]) -> Figures:
    """The figures of one method without intervals; how many tasks were run, failed, or could not be done by any method.

    A measure that no task has anything to say about is None.
    """
    o = Outcome(records)
    counts = {
        "tasks": len(records) - sum(bool(r.fault) for r in records),
        "failed": sum(bool(r.error) and not r.fault for r in records),
        "failed_pictures": sum(r.failed for r in records if not r.fault),
        "failures": {r.task: r.error for r in records if r.error and not r.fault},
        "faults": {r.task: r.fault for r in records if r.fault},
    }
    if not o.names:
        return {**dict.fromkeys((*COLUMNS, "psnr")), **counts}
    full = o.scores[:, FULL]
    figures = {name: _mean(values) for name, values in o.values().items()}
    of_pairs = {name: _number(measure(full, o.targets)) for name, measure in OF_PAIRS.items()}
    return {
        **{name: {**figures, **of_pairs}[name] for name in COLUMNS},
        "psnr": _mean(o.psnr),
        **counts,
        "scr": {f"{a}/{b}": _number(measures.scr(full, o.targets, a, b)) for a, b in CONFUSABLE},
        "beyond": {
            f"{a:g}": {"score": _mean(o.target_scores[:, i]), "id_sim": _mean(o.similarity[:, i])}
            for i, a in enumerate(ALPHAS)
            if a > 1
        },
        "confusion": measures.confusion_matrix(full, o.targets).tolist(),
    }


OF_PAIRS: dict[str, Callable[..., float]] = {
    "mscr": measures.mscr,
    "mscr_within": measures.mscr_within,
    "separability": measures.separability,
}


def summary(records: Sequence[Record]) -> Figures:
    """`measured`, with the 95% intervals of the figures over tasks: exact for shares, else BCa (judging/intervals.py)."""
    o = Outcome(records)
    found = _intervals(o) if o.names else {}
    return {**measured(records), "intervals": {name: [_number(v) for v in ends] for name, ends in found.items()}}


def _intervals(o: Outcome) -> dict[str, intervals.Interval]:
    full, values = o.scores[:, FULL], {name: v[~np.isnan(v)] for name, v in o.values().items()}
    shares = {"acc_6": values.pop("acc_6"), "acc_12": values.pop("acc_12")}
    del values["mscr"]
    sides = [side for pair in CONFUSABLE for side in measures.margins(full, o.targets, *pair)]
    return {
        **{name: intervals.share_interval(float(v.sum()), len(v)) for name, v in shares.items()},
        "mscr": _interval_of_pairs(o, measures.directed_confusion),
        "mscr_within": _interval_of_pairs(o, measures.directed_within),
        "separability": intervals.bca_interval(_separability, sides, (0, 1)),
        **{name: intervals.mean_interval(v, LIMITS.get(name, (0, 1))) for name, v in values.items()},
    }


def _interval_of_pairs(o: Outcome, directed: Callable[..., tuple[np.ndarray, np.ndarray]]) -> intervals.Interval:
    found = [directed(o.scores[:, FULL], o.targets, *pair) for pair in CONFUSABLE]
    rates, counts = (np.concatenate(part) for part in zip(*found, strict=True))
    return intervals.mean_of_shares_interval(rates, counts)


def _separability(*sides: np.ndarray, axis: int = -1) -> Any:
    """The mean AUC of pairs of samples, as measures.separability takes it of rows."""
    return np.mean([measures.auc(a, b, axis) for a, b in zip(sides[::2], sides[1::2], strict=True)], axis=0)


def write_results(records: Mapping[str, Sequence[Record]], folder: str | Path) -> dict[str, Figures]:
    """Write results.json, comparisons.json, table.md and table.csv to `folder`; return the rows. Raises OutputError."""
    rows, pairs = {name: summary(r) for name, r in records.items()}, compare(records)
    target = output_folder(folder)
    write_json(target / "results.json", rows)
    write_json(target / "comparisons.json", {"pairs": pairs})
    replace_file(target / "table.md", "\n".join(filter(None, (markdown(rows), differences(pairs)))).encode())
    replace_file(target / "table.csv", comma_separated(rows).encode())
    return rows


def markdown(rows: Mapping[str, Figures], published: bool = True) -> str:
    """The table with intervals; below the measured rows the published ones, marked as other data and judges."""
    count = max((int(row["tasks"]) for row in rows.values()), default=0)
    lines = [
        f"| measured here, {count} tasks | {' | '.join(COLUMNS.values())} | failed |",
        "|---|" + "---|" * (len(COLUMNS) + 1),
    ]
    for name, row in rows.items():
        cells = [_cell(row[c], row["intervals"].get(c)) for c in COLUMNS]
        lines.append(f"| **{name}** | {' | '.join(cells)} | {row['failed']} |")
    if published:
        lines.append(f"| *published: other pictures, other judges* |{' |' * (len(COLUMNS) + 1)}")
        for name, known in PUBLISHED.items():
            lines.append(f"| *{name}* | {' | '.join(_published(known, c) for c in COLUMNS)} | |")
    return "\n".join(lines) + "\n"


def comma_separated(rows: Mapping[str, Figures]) -> str:
    """The same as CSV: the ends of the intervals, the source, and the published CLS of two expressions are columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["source", "method", *(f"{c}{e}" for c in COLUMNS for e in ("", "_low", "_high")), "tasks", "failed", "cls_2"]
    )
    for name, row in rows.items():
        cells = [v for c in COLUMNS for v in (row[c], *row["intervals"].get(c, (None, None)))]
        writer.writerow(["measured", name, *cells, row["tasks"], row["failed"], None])
    for name, known in PUBLISHED.items():
        cells = [v for c in COLUMNS for v in (known.get(c), None, None)]
        writer.writerow(["published", name, *cells, None, None, known.get("cls_2")])
    return text.getvalue()


def _published(known: Mapping[str, float], column: str) -> str:
    """The cell of a published figure; the CLS of two expressions stands in the column of six, marked."""
    if column == "cls_6" and "cls_2" in known:
        return f"{_cell(known['cls_2'])} (2 expressions)"
    return _cell(known.get(column))


def _cell(value: float | None, interval: Sequence[float] | None = None) -> str:
    if value is None:
        return "–"
    if not interval or None in interval:
        return f"{value:.3f}"
    return f"{value:.3f} ({interval[0]:.2f}–{interval[1]:.2f})"


def _mean(values: np.ndarray) -> float | None:
    """The mean of the values that are not NaN, None without any."""
    sound = values[~np.isnan(values)]
    return _number(float(sound.mean())) if len(sound) else None


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 5)
