"""From records to figures: one row a method, with confidence intervals, as JSON, Markdown and CSV.

General editing (Acc, mSCR, ID Sim, HES, PSNR) looks at intensity 1; linear control (CLS, intensity error, leakage) at
0, 0.1, ..., 1. What lies beyond 1 is reported apart.
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
from pxs.expressions import CONFUSABLE, EXPRESSIONS, Mix
from pxs.judging import measures
from pxs.storage.files import output_folder, replace_file
from pxs.storage.provenance import write_json

FULL = ALPHAS.index(1.0)
COLUMNS = {
    "acc_6": "Acc-6 ↑",
    "acc_12": "Acc-12 ↑",
    "mscr": "mSCR ↓",
    "cls_6": "CLS-6 ↑",
    "cls_12": "CLS-12 ↑",
    "id_sim": "ID Sim ↑",
    "hes": "HES ↑",
    "intensity_error": "error ↓",
    "leakage": "leakage ↓",
}

Figures = dict[str, Any]


class Outcome:
    """The successful records of one method as arrays of T tasks: what the measures are taken of.

    targets (T,); scores (T, A, 12); asked (T, A, 12); similarity (T, A); A runs over ALPHAS.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        good = [r for r in records if not r.error]
        self.targets = np.array([EXPRESSIONS.index(r.expression) for r in good], dtype=int)
        self.scores = np.array([r.scores for r in good]).reshape(len(good), len(ALPHAS), len(EXPRESSIONS))
        self.similarity = np.array([r.similarity for r in good]).reshape(len(good), len(ALPHAS))
        mixes = [[Mix({r.expression: a}).vector() for a in ALPHAS] for r in good]
        self.asked = np.array(mixes).reshape(self.scores.shape)
        self.psnr = np.array([r.psnr[FULL] for r in good if r.psnr])

    @property
    def target_scores(self) -> np.ndarray:
        """The judged intensity of the target, (T, A)."""
        return np.take_along_axis(self.scores, self.targets[:, None, None], axis=2)[..., 0]


def summary(records: Sequence[Record], resamples: int = 1000) -> Figures:
    """The figures of one method, their 95% bootstrap intervals over tasks, and how many tasks were run and failed.

    A measure that no task has anything to say about is None.
    """
    failures = {r.task: r.error for r in records if r.error}
    counts = {"tasks": len(records), "failed": len(failures), "failures": failures}
    if len(failures) == len(records):
        return {**dict.fromkeys((*COLUMNS, "psnr")), "intervals": {}, **counts}
    o = Outcome(records)
    figures = {name: _number(measure(*arrays)) for name, (measure, arrays) in _measures(o).items()}
    intervals = {
        name: [_number(v) for v in measures.confidence_interval(measure, *arrays, resamples=resamples)]
        for name, (measure, arrays) in _measures(o).items()
    }
    return {
        **figures,
        "psnr": _number(o.psnr.mean()) if len(o.psnr) else None,
        **counts,
        "intervals": intervals,
        "scr": {f"{a}/{b}": _number(measures.scr(o.scores[:, FULL], o.targets, a, b)) for a, b in CONFUSABLE},
        "beyond": {
            f"{a:g}": {"score": _number(o.target_scores[:, i].mean()), "id_sim": _number(o.similarity[:, i].mean())}
            for i, a in enumerate(ALPHAS)
            if a > 1
        },
        "confusion": measures.confusion_matrix(o.scores[:, FULL], o.targets).tolist(),
    }


def _measures(o: Outcome) -> dict[str, tuple[Callable[..., float], tuple[np.ndarray, ...]]]:
    """Each column's measure with the arrays it is taken of, one row a task."""
    full, line = o.scores[:, FULL], slice(len(LINEAR))
    hit, kept, sweep = o.target_scores[:, FULL], o.similarity[:, FULL], o.target_scores[:, line]
    errors = np.stack([measures.intensity_errors(a[line], s[line]) for a, s in zip(o.asked, o.scores, strict=True)])
    leaks = np.array([measures.leakage(a[line], s[line]) for a, s in zip(o.asked, o.scores, strict=True)])
    return {
        "acc_6": (lambda s, t: measures.accuracy(s, t, 6), (full, o.targets)),
        "acc_12": (measures.accuracy, (full, o.targets)),
        "mscr": (measures.mscr, (full, o.targets)),
        "cls_6": (lambda s, t: measures.cls(LINEAR, s, t, 6), (sweep, o.targets)),
        "cls_12": (lambda s: measures.cls(LINEAR, s), (sweep,)),
        "id_sim": (np.mean, (kept,)),
        "hes": (measures.hes, (hit, kept)),
        "intensity_error": (np.mean, (errors,)),
        "leakage": (np.mean, (leaks,)),
    }


def write_results(records: Mapping[str, Sequence[Record]], folder: str | Path) -> dict[str, Figures]:
    """Write results.json, table.md and table.csv to `folder` and return the rows; raises OutputError."""
    rows = {name: summary(r) for name, r in records.items()}
    target = output_folder(folder)
    write_json(target / "results.json", rows)
    replace_file(target / "table.md", markdown(rows).encode())
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


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 5)
