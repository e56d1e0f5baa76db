"""From records to figures: one row a method, with confidence intervals, as JSON, Markdown and CSV.

General editing (Acc, mSCR, AUC, ID Sim, HES, PSNR, measured intensity) looks at intensity 1; linear control (CLS,
errors of intensity, leakage) at 0, 0.1, ..., 1. What lies beyond 1, figures at equal strength, and those of the parts
of a benchmark are reported apart. Pictures that failed count as 0: they show nothing, so Acc, CLS, ID Sim, HES and PSNR
fall, while mSCR, error and leakage do not tell them from a picture without expression.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pxs.benchmark.comparison import compare, differences
from pxs.benchmark.judge import Record
from pxs.benchmark.outcome import COLUMNS, LIMITS, Outcome
from pxs.benchmark.published import PUBLISHED
from pxs.benchmark.strength import at_strength, by_strength
from pxs.expressions import BASIC, CONFUSABLE, EXPRESSIONS
from pxs.judging import intervals, measures
from pxs.storage.files import output_folder, replace_file
from pxs.storage.provenance import write_json

Figures = dict[str, Any]


def measured(records: Sequence[Record]) -> Figures:
    """The figures of one method without intervals; how many tasks were run, failed, and are left out (see `Record`).

    A measure that no task has anything to say about is None.
    """
    o = Outcome(records)
    counts = {
        "tasks": len(records),
        "failed": sum(bool(r.error) for r in records),
        "failed_pictures": sum(r.failed for r in records),
        "left_out": sum(bool(r.fault) for r in records),
        "failures": {r.task: r.fault or r.error for r in records if r.error},
    }
    if not o.names:
        return {**dict.fromkeys(COLUMNS), **counts}
    full = o.scores[:, o.full]
    figures = {name: _mean(values) for name, values in o.values().items()}
    figures |= dict.fromkeys(_not_measured(records))
    of_pairs = {name: _number(measure(full, o.targets)) for name, measure in OF_PAIRS.items()}
    return {
        **{name: {**figures, **of_pairs}[name] for name in COLUMNS},
        **counts,
        "scr": {f"{a}/{b}": _number(measures.scr(full, o.targets, a, b)) for a, b in CONFUSABLE},
        "beyond": {
            f"{a:g}": {"score": _mean(o.target_scores[:, i]), "id_sim": _mean(o.similarity[:, i])}
            for i, a in enumerate(o.alphas)
            if a > 1
        },
        "strength": at_strength(o),
        "confusion": measures.confusion_matrix(full, o.targets).round(5).tolist(),
        "requested": np.bincount(o.targets, minlength=len(EXPRESSIONS)).tolist(),
    }


def _not_measured(records: Sequence[Record]) -> list[str]:
    """The measures over 12 or 6 expressions of which one has tasks, but none that could be done."""
    missing = {r.expression for r in records} - {r.expression for r in records if not r.fault}
    return [*(["acc_12", "cls_12"] if missing else []), *(["acc_6", "cls_6"] if missing & set(BASIC) else [])]


OF_PAIRS: dict[str, Callable[..., float]] = {
    "mscr": measures.mscr,
    "mscr_within": measures.mscr_within,
    "separability": measures.separability,
}


def summary(records: Sequence[Record]) -> Figures:
    """`measured`, with 95% intervals over tasks: exact for shares, else BCa (judging/intervals.py)."""
    o = Outcome(records)
    found = _intervals(o) if o.names else {}
    parts = [part for part in dict.fromkeys(r.part for r in records) if part]
    return {
        **measured(records),
        "parts": {part: measured([r for r in records if r.part == part]) for part in parts},
        "intervals": {name: [_number(v) for v in ends] for name, ends in found.items()},
    }


def _intervals(o: Outcome) -> dict[str, intervals.Interval]:
    full, values = o.scores[:, o.full], {name: v[~np.isnan(v)] for name, v in o.values().items()}
    shares = {"acc_6": values.pop("acc_6"), "acc_12": values.pop("acc_12")}
    del values["mscr"]
    sides = [side for pair in CONFUSABLE for side in measures.margins(full, o.targets, *pair)]
    return {
        **{name: intervals.share_interval(float(v.sum()), len(v)) for name, v in shares.items()},
        "mscr": _interval_of_pairs(o, measures.directed_confusion),
        "mscr_within": _interval_of_pairs(o, measures.directed_within),
        "separability": intervals.bca_interval(_separability, sides, (0, 1)),
        **{name: intervals.mean_interval(v, LIMITS.get(name, (0, 1))) for name, v in values.items() if len(v)},
    }


def _interval_of_pairs(o: Outcome, directed: Callable[..., tuple[np.ndarray, np.ndarray]]) -> intervals.Interval:
    found = [directed(o.scores[:, o.full], o.targets, *pair) for pair in CONFUSABLE]
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
    texts = (markdown(rows), by_strength(rows), by_part(rows), differences(pairs))
    replace_file(target / "table.md", "\n".join(filter(None, texts)).encode())
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


def by_part(rows: Mapping[str, Figures]) -> str:
    """The figures of each part of the benchmark; empty for one without parts."""
    if not any(row["parts"] for row in rows.values()):
        return ""
    lines = [f"| part | tasks | {' | '.join(COLUMNS.values())} |", "|---|---|" + "---|" * len(COLUMNS)]
    for name, row in rows.items():
        for part, of_part in row["parts"].items():
            cells = [_cell(of_part[c]) for c in COLUMNS]
            lines.append(f"| **{name}**, {part} | {of_part['tasks']} | {' | '.join(cells)} |")
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
