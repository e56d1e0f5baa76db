"""The figures of the PixelSmile article (arXiv 2603.25728, sections 3.2 and 5) from the records of a run.

General editing (Acc, mSCR, ID Sim, HES) is reported at intensity 1 and at 3, linear control (CLS) over the uniform
intensities from 0 to alpha_max, and identity against expression along all of them, with its area. CLS-2 is that of
happy and surprised, which sliders have. HES stands as the mean over edits, and as that of the two means, since the
article's formula can be read either way. What failed counts as 0.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pxs.benchmark.judge import Record
from pxs.benchmark.outcome import Outcome
from pxs.benchmark.published import PUBLISHED
from pxs.benchmark.table import no_intensity, published_in
from pxs.data.levels import FULL
from pxs.expressions import EXPRESSIONS
from pxs.judging import measures
from pxs.judging.curves import identity_area
from pxs.storage.files import output_folder, replace_file
from pxs.storage.provenance import write_json

SLIDERS = ("happy", "surprised")
"""The expressions of CLS-2."""
AT = (FULL, 3.0)
GENERAL = {
    "acc_6": "Acc-6 ↑",
    "acc_12": "Acc-12 ↑",
    "mscr": "mSCR ↓",
    "id_sim": "ID Sim ↑",
    "hes": "HES ↑",
    "hes_of_means": "HES of means ↑",
}
CONTROL = {"cls_6": "CLS-6 ↑", "cls_12": "CLS-12 ↑", "cls_2": "CLS-2 ↑", "area": "area ↑"}
LINEAR = {**CONTROL, "hes": GENERAL["hes"], "id_sim": GENERAL["id_sim"]}
"""The columns of linear control."""

Figures = dict[str, Any]


def measured(records: Sequence[Record], general: bool = False) -> Figures:
    """The figures of one method: those of CONTROL, those of GENERAL by intensity in "at", and the points of "curve".

    general: it is a general editor: one line in "at", and nothing of CONTROL. A figure that no task has anything to say
    about is None.
    """
    o = Outcome(records)
    counts = {"general": general, "tasks": len(records), "failed": sum(bool(r.error) for r in records)}
    if not o.names:
        return {**dict.fromkeys(CONTROL), "at": {}, "curve": [], **counts}
    scores, similar = o.target_scores.mean(axis=0), o.similarity.mean(axis=0)
    points = zip(o.alphas, scores.tolist(), similar.tolist(), strict=True)
    control = {**_control(o), "area": _number(identity_area(scores, similar))}
    at = AT[:1] if general else AT
    return {
        **(dict.fromkeys(CONTROL) if general else control),
        "at": {f"{alpha:g}": _general(o, o.alphas.index(alpha)) for alpha in at if alpha in o.alphas},
        "curve": [[_number(value) for value in point] for point in points],
        **counts,
    }


def _control(o: Outcome) -> Figures:
    """CLS over all expressions, over the basic six, and over SLIDERS."""
    sweeps = o.target_scores[:, o.levels.sweep]
    slides = np.isin(o.targets, [EXPRESSIONS.index(name) for name in SLIDERS])
    return {
        "cls_6": _number(measures.cls(o.levels.linear, sweeps, o.targets, among=6)),
        "cls_12": _number(measures.cls(o.levels.linear, sweeps)),
        "cls_2": _number(measures.cls(o.levels.linear, sweeps[slides])) if slides.any() else None,
    }


def _general(o: Outcome, place: int) -> Figures:
    """Acc, mSCR, ID Sim and HES of the edits at one intensity, the `place`-th."""
    scores, target, similar = o.scores[:, place], o.target_scores[:, place], o.similarity[:, place]
    of_means = measures.harmonic([target.mean()], [similar.mean()])
    return {
        "acc_6": _number(measures.accuracy(scores, o.targets, 6)),
        "acc_12": _number(measures.accuracy(scores, o.targets)),
        "mscr": _number(measures.mscr(scores, o.targets)),
        "id_sim": _number(float(similar.mean())),
        "hes": _number(measures.hes(target, similar)),
        "hes_of_means": _number(float(of_means[0])),
    }


def write_paper(
    records: Mapping[str, Sequence[Record]],
    folder: str | Path,
    judges: Mapping[str, Any],
    general: Collection[str] = (),
    absent: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Write paper.json, paper.md and paper.csv to `folder`; return the table. Raises OutputError.

    `judges` names who judged, and is written with the figures. general: which methods are general editors; absent: why
    others were not run.
    """
    rows = {name: measured(r, name in general) for name, r in records.items()}
    rows |= {name: {**measured([], name in general), "not_run": reason} for name, reason in absent.items()}
    target = output_folder(folder)
    write_json(target / "paper.json", {"judges": judges, "methods": rows})
    table = markdown(rows)
    replace_file(target / "paper.md", f"{table}\n{_names(judges)}\n".encode())
    replace_file(target / "paper.csv", comma_separated(rows).encode())
    return table


def _names(judges: Mapping[str, Any]) -> str:
    recognisers = judges["identity"]
    mean = f"the mean of {len(recognisers)} recognisers, " if len(recognisers) > 1 else ""
    return f"Expression by {judges['expression']}; ID Sim is {mean}{', '.join(recognisers)}."


def markdown(rows: Mapping[str, Figures]) -> str:
    """The table in its two groups, measured rows above the published ones, of other judges.

    General editing has a line for each intensity of AT; linear control has HES and ID Sim at 1.
    """
    editing = [
        (name, at, figures)
        for name, row in rows.items()
        for at, figures in (row["at"] or {_unmeasured(row): dict.fromkeys(GENERAL)}).items()
    ]
    control = [
        (name, "" if row["at"] else _unmeasured(row), {**row["at"].get(f"{FULL:g}", {}), **row})
        for name, row in rows.items()
        if not row["general"]
    ]
    groups = [_group("general editing", GENERAL, editing), _group("linear control", LINEAR, control)]
    return "\n".join([groups[0], *no_intensity(rows), groups[1]])


def _unmeasured(row: Figures) -> str:
    """Why a row has no figures, in place of an intensity."""
    return f"not run: {row['not_run']}" if "not_run" in row else ""


def _group(title: str, columns: Mapping[str, str], lines: Sequence[tuple[str, str, Figures]]) -> str:
    """One group of the table, from the name, the intensity and the figures of each line."""
    written = [f"| {title}, measured here | at | {' | '.join(columns.values())} |", "|---|---|" + "---|" * len(columns)]
    for name, at, figures in lines:
        written.append(f"| **{name}** | {at} | {' | '.join(_cell(figures.get(c)) for c in columns)} |")
    written.append(f"| *published: other pictures, other judges* | |{' |' * len(columns)}")
    for name, known in published_in(tuple(columns)):
        written.append(f"| *{name}* | | {' | '.join(_cell(known.get(c)) for c in columns)} |")
    return "\n".join(written) + "\n"


def comma_separated(rows: Mapping[str, Figures]) -> str:
    """The same as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["source", "method", "at", *GENERAL, *CONTROL])
    for name, row in rows.items():
        for alpha, general in row["at"].items():
            writer.writerow(["measured", name, alpha, *(general[c] for c in GENERAL), *(row[c] for c in CONTROL)])
    for name, known in PUBLISHED.items():
        writer.writerow(["published", name, "", *(known.get(c) for c in (*GENERAL, *CONTROL))])
    return text.getvalue()


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 5)
