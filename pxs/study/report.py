"""The results of a study as files and as text: results.json, table.md and the scatter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pxs.storage.files import output_folder, replace_file
from pxs.storage.paths import PathName
from pxs.storage.provenance import write_json
from pxs.study.answers import read_answers
from pxs.study.bench import Sweep, judged
from pxs.study.figure import scatter
from pxs.study.key import RATING, SCALES, Key, read_key
from pxs.study.results import HES, results_of


def write_results(
    folder: PathName, files: Sequence[PathName], bench: PathName | None, out: PathName
) -> tuple[dict[str, Any], list[Path]]:
    """Score the study in `folder` and write results.json, table.md, scatter.svg and scatter.png to `out`.

    Returns the results and the paths. Raises DataError, before anything is written, for what cannot be scored.
    """
    key = read_key(folder)
    given = read_answers(key, files, folder)
    results = results_of(key, given, judged(bench, *_sweeps(key)) if bench else {})
    target = output_folder(out)
    written = [write_json(target / "results.json", results), target / "table.md"]
    replace_file(written[1], markdown(results).encode())
    return results, [*written, *scatter(results["methods"], target)]


def _sweeps(key: Key) -> tuple[dict[Sweep, str], dict[str, str]]:
    """The key of the edits of each sweep, and the expression of each task."""
    items = [item for item in key.items.values() if item.kind == RATING]
    return {(i.methods[0], i.task): i.edits[0] for i in items}, {i.task: i.expression for i in items}


def markdown(results: Mapping[str, Any]) -> str:
    """The results as text: who counts, means, strengths, agreement and judges."""
    who = results["raters"]
    lines = [f"{who['counted']} raters of {who['answered']} who answered ({who['asked']} asked)"]
    lines += [f"set apart: {rater}, {reason}" for rater, reason in who["set_apart"].items()]
    heads = [*SCALES, "HES"]
    lines += ["", f"| method | {' | '.join(heads)} | ratings |", "|---|" + "---|" * (len(heads) + 1)]
    for method, row in results["methods"].items():
        cells = [_cell(row[name]["mean"], row[name]["interval"]) for name in (*SCALES, HES)]
        lines.append(f"| **{method}** | {' | '.join(cells)} | {row['ratings']} |")
    if results["choices"]:
        lines += ["", f"| strength by choices | {' | '.join(SCALES)} |", "|---|---|---|"]
        for method in results["methods"]:
            of = [results["choices"][scale]["strengths"][method] for scale in SCALES]
            lines.append(f"| **{method}** | {' | '.join(_cell(one['value'], one['interval']) for one in of)} |")
    lines += ["", "| agreement | alpha | ICC(1,1) | ICC(2,1) | ICC(2,k) |", "|---|---|---|---|---|"]
    for scale, of in results["agreement"].items():
        cells = [_cell(of[name]) for name in ("alpha", "icc_1", "icc_2", "icc_2_k")]
        lines.append(f"| {scale}{' (' + of['reason'] + ')' if 'reason' in of else ''} | {' | '.join(cells)} |")
    if results["judges"]:
        lines += ["", "| judge | predicts | rank correlation | sweeps |", "|---|---|---|---|"]
        for name, of in results["judges"].items():
            lines.append(f"| {name} | {of['scale']} | {_cell(of['spearman'], of['interval'])} | {of['sweeps']} |")
    return "\n".join(lines) + "\n"


def _cell(value: float | None, ends: Sequence[float] | None = None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if ends is None else f"{value:.2f} ({ends[0]:.2f} to {ends[1]:.2f})"
