"""Methods compared with each other, paired over tasks: mean difference, interval, test, correction for how many.

The test is that of random signs (judging/intervals.py): if two methods do not differ, each difference could as well
have the other sign. The p values of a run are corrected together (Holm).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np

from pxs.benchmark.judge import Record
from pxs.benchmark.outcome import COLUMNS, LIMITS, Outcome
from pxs.judging.intervals import holm, mean_interval, sign_flip_test


def compare(
    records: Mapping[str, Sequence[Record]], without: Mapping[str, Collection[str]] = MappingProxyType({})
) -> list[dict[str, Any]]:
    """Every two methods, first minus second: {"first", "second", measure: a test}.

    A test has "difference", "interval", "tasks", "p" and "holm"; the interval is the BCa bootstrap of the mean
    difference (95%, of this measure alone). without: measures that methods do not have, by their names. Only tasks that
    both have count, each as its value in `Outcome.values`; a measure without such a task is left out.
    """
    values = {name: _by_task(Outcome(r)) for name, r in records.items()}
    found: list[dict[str, Any]] = []
    for first, second in combinations(values, 2):
        shared = [task for task in values[first] if task in values[second]]
        found.append({"first": first, "second": second})
        for measure in COLUMNS:
            if measure in without.get(first, ()) or measure in without.get(second, ()):
                continue
            pairs = [(values[first][t].get(measure), values[second][t].get(measure)) for t in shared]
            d = np.array([a - b for a, b in pairs if a is not None and b is not None], dtype=np.float64)
            d = d[~np.isnan(d)]
            if len(d):
                found[-1][measure] = _test(d, measure)
    tests = [entry for one in found for entry in one.values() if isinstance(entry, dict)]
    for test, corrected in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test["holm"] = float(corrected)
    return found


def _test(differences: np.ndarray, measure: str) -> dict[str, Any]:
    low, high = LIMITS.get(measure, (0, 1))
    ends = mean_interval(differences, (low - high, high - low))
    return {
        "difference": round(float(differences.mean()), 5),
        "interval": [round(float(end), 5) for end in ends],
        "tasks": len(differences),
        "p": sign_flip_test(differences),
    }


def _by_task(outcome: Outcome) -> dict[str, dict[str, float]]:
    """The values of each task by measure."""
    values = outcome.values() if outcome.names else {}
    return {task: {m: float(v[i]) for m, v in values.items()} for i, task in enumerate(outcome.names)}


def differences(pairs: Sequence[Mapping[str, Any]]) -> str:
    """The comparisons as a Markdown table: differences, intervals and corrected p values; empty without any."""
    measured = [name for name in COLUMNS if any(name in pair for pair in pairs)]
    if not measured:
        return ""
    heads = [COLUMNS[name] for name in measured]
    lines = [f"| difference (95% interval), p corrected | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for pair in pairs:
        cells = [_cell(pair[name]) if name in pair else "–" for name in measured]
        lines.append(f"| **{pair['first']}** − **{pair['second']}** | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(test: Mapping[str, Any]) -> str:
    p, (low, high) = test["holm"], test["interval"]
    return f"{test['difference']:+.3f} ({low:+.2f} to {high:+.2f}), {'<0.001' if p < 0.001 else f'{p:.3f}'}"
