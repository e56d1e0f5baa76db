"""What is in a data set, in numbers and one figure (`statistics`, `write_statistics`).

FOLDER/statistics.json, statistics.png      counts, scores, doubts, and how people look where they are described
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pxs.errors import UsageError
from pxs.expressions import COLOURS, EXPRESSIONS
from pxs.ffe import annotate, describe, manifest
from pxs.ffe.annotate import Label
from pxs.ffe.collect import kept
from pxs.ffe.describe import CHOICES, Description
from pxs.ffe.tables import markdown_table
from pxs.optional import require
from pxs.storage.files import replace_file
from pxs.storage.provenance import write_json

BINS = 10
TABLE, FIGURE = "statistics.json", "statistics.png"


def statistics(folder: Path) -> dict[str, Any]:
    """People, pictures, and for each expression: pictures, doubts, a histogram of its own scores (BINS bins of 0..1),
    and the mean difference of two passes. Raises DataError as `manifest.read`."""
    labels = [label for label in manifest.read(folder, annotate.STAGE, Label) if not label.error]
    subjects = kept(folder)
    described = manifest.recover(folder, describe.STAGE, Description).values()
    return {
        "people": len({subject.person for subject in subjects}),
        "sources": len(subjects),
        "pictures": len(labels),
        "in_doubt": sum(bool(label.doubts) for label in labels),
        "expressions": {name: _of_expression(name, labels) for name in EXPRESSIONS},
        "described": {name: dict(Counter(d.words[name] for d in described if not d.error)) for name in CHOICES},
    }


def _of_expression(name: str, labels: list[Label]) -> dict[str, Any]:
    own = [label for label in labels if label.expression == name]
    scores = [label.scores[name] for label in own]
    twice = [np.ptp([row[EXPRESSIONS.index(name)] for row in label.passes]) for label in own if len(label.passes) > 1]
    return {
        "pictures": len(own),
        "in_doubt": sum(bool(label.doubts) for label in own),
        "histogram": np.histogram(scores, BINS, (0, 1))[0].tolist(),
        "passes_apart": float(np.mean(twice)) if twice else None,
    }


def write_statistics(folder: Path) -> tuple[dict[str, Any], list[Path]]:
    """Write the numbers and the figure; both, and their files. Raises UsageError without matplotlib."""
    found = statistics(folder)
    figure = require("matplotlib.figure", "study", UsageError).Figure(figsize=(9, 6), layout="constrained")
    counts, scores, doubts, people = figure.subplots(2, 2).ravel()
    rows = found["expressions"]
    colours = [COLOURS[name] for name in EXPRESSIONS]
    counts.barh(EXPRESSIONS, [rows[name]["pictures"] for name in EXPRESSIONS], color=colours)
    counts.set(title="pictures", xlabel="count")
    counts.invert_yaxis()
    _draw_scores(scores, rows)
    shares = [rows[name]["in_doubt"] / max(1, rows[name]["pictures"]) for name in EXPRESSIONS]
    doubts.barh(EXPRESSIONS, shares, color=colours)
    doubts.set(title="labels in doubt", xlabel="share", xlim=(0, 1))
    doubts.invert_yaxis()
    _draw_people(people, found["described"])
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=150, format="png")
    replace_file(folder / FIGURE, buffer.getvalue())
    return found, [write_json(folder / TABLE, found), folder / FIGURE]


def _draw_scores(axes: Any, rows: Mapping[str, Any]) -> None:
    """The histograms of the scores of the expression asked for, one on the other."""
    below = np.zeros(BINS)
    middles = (np.arange(BINS) + 0.5) / BINS
    for name in EXPRESSIONS:
        heights = np.array(rows[name]["histogram"])
        axes.bar(middles, heights, 0.9 / BINS, bottom=below, color=COLOURS[name])
        below += heights
    axes.set(title="scores of the expression asked for", xlabel="score", ylabel="pictures", xlim=(0, 1))


def _draw_people(axes: Any, described: Mapping[str, Mapping[str, int]]) -> None:
    """How people look, by the words of the model; a note where nobody was described."""
    entries = [(f"{name}: {word}", count) for name, words in described.items() for word, count in sorted(words.items())]
    axes.set(title="people, as a model describes them")
    if entries:
        axes.barh([label for label, _ in entries], [count for _, count in entries], color="#888888")
        axes.invert_yaxis()
        axes.set_xlabel("count")
    else:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "nobody was described (pxs ffe describe)", ha="center", transform=axes.transAxes)


def markdown(found: Mapping[str, Any]) -> str:
    """The numbers as a table for people."""
    counts = f"{found['people']} people, {found['pictures']} pictures, {found['in_doubt']} labels in doubt"
    rows = [
        (name, row["pictures"], row["in_doubt"], None if row["passes_apart"] is None else f"{row['passes_apart']:.3f}")
        for name, row in found["expressions"].items()
    ]
    return f"{counts}\n\n{markdown_table(('expression', 'pictures', 'in doubt', 'difference of the passes'), rows)}"
