"""The data card of a data set (`card`): what is in it, how it came to be, on what terms, and what it is not for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pxs.data.ffe import Row
from pxs.errors import DataError
from pxs.expressions import EXPRESSIONS
from pxs.ffe import annotate, collect, generate, manifest
from pxs.ffe.annotate import Label
from pxs.ffe.collect import Subject
from pxs.ffe.generate import Made
from pxs.ffe.scores import KINDS
from pxs.ffe.verify import markdown

Split = Sequence[tuple[str, Row]]
USES = {
    "first": "the first pass of the annotation, as it came",
    "all": "the mean of all passes, as they came",
    "sure": "the mean of all passes, without labels in doubt",
    "verified": "the mean of all passes, without labels in doubt unless people accepted or corrected them",
}


def card(folder: Path, use: str, splits: Mapping[str, Split], agreed: Mapping[str, Any] | None) -> str:
    """The text of README.md, with the header that data-set hubs read."""
    subjects = manifest.read(folder, collect.STAGE, Subject)
    made = manifest.read(folder, generate.STAGE, Made)
    labels = manifest.read(folder, annotate.STAGE, Label)
    used = [s for s in subjects if not s.dropped]
    assert use in KINDS
    parts = [
        _header(used, splits),
        "# Faces with continuous scores of 12 expressions",
        "Rows of a source picture and two targets of different expressions, each with 12 scores from 0 (absent) to 1 "
        "(as strong as this face could show it), in the layout of FFE (PixelSmile, arXiv 2603.25728). Built by "
        "`pxs ffe`.",
        _counts(splits),
        "## How it came to be",
        _stage(
            "Collected",
            f"{len(subjects)} pictures, {len(used)} kept, of {len({s.person for s in used})} people",
            [s.dropped for s in subjects],
        ),
        _recognised(folder),
        _stage(
            "Generated", f"{sum(not m.error for m in made)} pictures by {_generator(folder)}", [m.error for m in made]
        ),
        "The generator was asked for one expression at one intensity. Whether it read the part of the prompt about "
        "mouth, brows, eyes and head depends on the method: those that set the expression by number do not.",
        _stage(
            "Annotated",
            f"{sum(not one.error for one in labels)} pictures, by {_judges(folder)}",
            [one.error for one in labels],
        ),
        _doubts(labels),
        f"Scores of this set: {USES[use]}.",
        "## Checked by people",
        markdown(agreed) if agreed else "By nobody.",
        "## Terms",
        _terms(used),
        "## What it is not for",
        "Scores say how a face looks to the annotators above, not what somebody feels. Do not decide over people with "
        "it, identify them, or pass an edited face off as a photograph.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def settings(folder: Path, stage: str, name: str) -> Any:
    """One of the settings that a stage ran with. Raises DataError for a manifest that is not there."""
    return manifest.settings_of(folder, stage).get(name, "")


def _recognised(folder: Path) -> str:
    who = settings(folder, collect.STAGE, "recogniser")
    if who:
        return f"The same person was recognised by {who}, or by its number where it is synthetic."
    return "No recogniser looked: each picture is a person of its own, unless it is synthetic and says who it is."


def _judges(folder: Path) -> str:
    return ", ".join(map(str, settings(folder, annotate.STAGE, "judges")))


def _header(used: Sequence[Subject], splits: Mapping[str, Split]) -> str:
    licences = sorted({s.licence for s in used})
    files = [f"  - split: {name}\n    path: data/{name}-*.parquet" for name, rows in splits.items() if rows]
    licence = licences[0] if len(licences) == 1 and licences[0] != "not stated" else "other"
    listed = "\n".join(files)
    return f"---\nlicense: {licence.lower()}\nconfigs:\n- config_name: default\n  data_files:\n{listed}\n---"


def _counts(splits: Mapping[str, Split]) -> str:
    lines = ["| | " + " | ".join(splits) + " |", "|---|" + "---|" * len(splits)]
    lines.append("| rows | " + " | ".join(str(len(rows)) for rows in splits.values()) + " |")
    lines.append(
        "| people | " + " | ".join(str(len({person for person, _ in rows})) for rows in splits.values()) + " |"
    )
    counts = {name: Counter(t.category for _, row in rows for t in row.targets) for name, rows in splits.items()}
    for expression in EXPRESSIONS:
        lines.append(f"| {expression} | " + " | ".join(str(counts[name][expression]) for name in splits) + " |")
    return "\n".join(lines)


def _stage(what: str, said: str, reasons: Sequence[str]) -> str:
    left_out = manifest.counted(reasons)
    listed = "; ".join(f"{reason}: {count}" for reason, count in left_out.items())
    return f"**{what}**: {said}." + (f" Left out: {listed}." if listed else " Nothing was left out.")


def _doubts(labels: Sequence[Label]) -> str:
    counts = manifest.counted(reason for label in labels for reason in label.doubts)
    if not counts:
        return "No label is in doubt."
    many = sum(bool(label.doubts) for label in labels)
    return (
        f"{many} labels are in doubt (several reasons can hold): "
        + "; ".join(f"{r}: {c}" for r, c in counts.items())
        + "."
    )


def _generator(folder: Path) -> str:
    said = settings(folder, generate.STAGE, "generator")
    if not isinstance(said, dict):
        raise DataError(
            f"{manifest.file_of(folder, generate.STAGE)} does not say who generated: run 'pxs ffe generate' again"
        )
    return ", ".join(f"{name} {value}" for name, value in said.items() if value)


def _terms(used: Sequence[Subject]) -> str:
    counts = Counter((s.licence, s.origin) for s in used)
    lines = ["| licence | origin | pictures |", "|---|---|---|"]
    lines += [f"| {licence} | {origin} | {count} |" for (licence, origin), count in sorted(counts.items())]
    return "\n".join(lines)
