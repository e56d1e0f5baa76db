"""Whether judges can read the truth, and whether they agree: `python -m analysis.judges --out FOLDER`.

People whose mix is known are rendered (or drawn, `--style`), and every judge that is installed looks at them. For each
judge of expression and each expression that it can name: how often it is the judge's first choice at intensity 1, among
those it can name, and the rank correlation of its score with the intensity, a mean over people. A judge with a first
choice under FIRST or a correlation under RANK is no judge of that expression. Then the agreement: correlations of the
scores of the basic six, over all pictures, between judges and with the truth. For judges of identity: the mean cosine
of pictures of one person with other expressions, that of other people, and the share of pairs that are in order (AUC).
A picture in which a judge finds no face has the scores 0.

People are numbered by group: strengths of face units and the map of the judge `units` were set on "calibrate", figures
are reported on "report". Pictures and scores stay in FOLDER, and a second run makes and judges only what is missing.
judges.json and judges.md hold the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import stats

from pxs.errors import JudgeError
from pxs.expressions import BASIC, EXPRESSIONS, Mix
from pxs.faces import RENDERED, STYLES, side
from pxs.faces.render import Drawing, render_one
from pxs.images import open_image, save_png
from pxs.judging import EXPRESSION_JUDGES, IDENTITY_JUDGES, expression_judge, identity_judge
from pxs.judging.each import values_or_reasons
from pxs.judging.measures import auc
from pxs.parsing import Parser, argument
from pxs.quantities import COUNT
from pxs.storage.files import output_folder, replace_file
from pxs.storage.paths import exists
from pxs.storage.provenance import write_json

GROUPS = {"calibrate": 420_000, "report": 431_000}
SCALES = (0.25, 0.5, 0.75, 1.0, 1.25)
FIRST, RANK = 0.5, 0.6
NAMED = {"fer": BASIC, "facex": BASIC, "pyfeat": BASIC}
"""The expressions that a judge can name; all 12 for others."""
ASKED = ("mini", "units", "fer", "facex", "pyfeat")
"""Judges of expression that need neither a service nor a full-size model."""

Floats = NDArray[np.float64]


def shown(expressions: Sequence[str]) -> list[Mix]:
    """The mixes that a person shows: none, and each expression at SCALES."""
    return [Mix(), *(Mix({expression: scale}) for expression in expressions for scale in SCALES)]


class Sheet:
    """People with their mixes on disk, and what each judge says of them.

    scores: by judge, (P, M, 12), 0 where it failed. vectors: by judge of identity, (P, M, D), 0 where it failed.
    """

    def __init__(self, folder: Path, numbers: Sequence[int], style: str, mixes: Sequence[Mix]) -> None:
        self.folder, self.numbers, self.style = output_folder(folder), list(numbers), style
        self.mixes = list(mixes)
        self.truth = np.array([mix.vector() for mix in self.mixes]).clip(0, 1)

    def pictures(self, number: int) -> list[Image.Image]:
        """The pictures of a person, one a mix; made where they are missing."""
        found = []
        for mix in self.mixes:
            file = output_folder(self.folder / self.style / str(number)) / f"{mix.slug}.png"
            if not exists(file):
                save_png(render_one(Drawing(number, mix, self.style), side(self.style)), file, {"mix": str(mix)})
            found.append(open_image(file))
        return found

    def judged(self, judge: Any, kind: str) -> Floats:
        """What a judge gives for all people (P, M, D), 0 where it fails; kept in a file of its own by person."""
        rows = []
        for number in self.numbers:
            place = output_folder(self.folder / self.style / str(number) / "judged")
            file = place / f"{kind} {judge.name}.json"
            known: dict[str, list[float]] = json.loads(file.read_text()) if exists(file) else {}
            if any(mix.slug not in known for mix in self.mixes):
                ask = judge.judge if kind == "expression" else judge.embed
                values, _ = values_or_reasons(ask, self.pictures(number))
                known |= {m.slug: _numbers(v) for m, v in zip(self.mixes, values, strict=True)}
                write_json(file, known)
            found = [known[mix.slug] for mix in self.mixes]
            size = max(map(len, found))
            rows.append([row or [0.0] * (size or len(EXPRESSIONS)) for row in found])
        return np.array(rows)


def _numbers(value: Any) -> list[float]:
    """A mix or a vector as numbers; nothing for a picture that was not judged."""
    if value is None:
        return []
    return list(value.vector()) if isinstance(value, Mix) else np.asarray(value, float).round(6).tolist()


def installed(make: Any, names: Sequence[str]) -> dict[str, Any]:
    """The judges of these names that can be used here; the others are told on standard error."""
    found = {}
    for name in names:
        try:
            found[name] = make(name)
        except JudgeError as error:
            print(f"without {name}: {error}", file=sys.stderr)
    return found


def reading(mixes: Sequence[Mix], scores: Floats, named: Sequence[str]) -> dict[str, dict[str, Any]]:
    """How a judge with `scores` (P, M, 12) reads each expression: its mean score at SCALES, top1, rank, and where its
    other first choices go."""
    columns = [EXPRESSIONS.index(name) for name in named]
    found = {}
    for expression in named:
        places = [i for i, mix in enumerate(mixes) if not mix or expression in mix]
        if len(places) < 2:
            continue
        target = scores[:, places, EXPRESSIONS.index(expression)]
        full = next(i for i in places if mixes[i][expression] == 1)
        chosen = scores[:, full][:, columns]
        first = [named[int(row.argmax())] if row.max() > 0 else "nothing" for row in chosen]
        found[expression] = {
            "scores": target.mean(axis=0).round(3).tolist(),
            "top1": round(float(np.mean([name == expression for name in first])), 3),
            "rank": round(float(np.mean([rank_correlation(row) for row in target])), 3),
            "else": {name: first.count(name) for name in sorted(set(first) - {expression})},
        }
    return found


def rank_correlation(values: Sequence[float] | Floats) -> float:
    """Spearman's correlation of values with their own order; 0 if they are all equal."""
    if np.ptp(values) == 0:
        return 0.0
    return float(stats.spearmanr(np.arange(len(values)), values).statistic)


def is_judge(read: Mapping[str, Any]) -> bool:
    """Whether a judge that reads an expression so is a judge of it."""
    return bool(read["top1"] >= FIRST and read["rank"] >= RANK)


def agreement(scores: Mapping[str, Floats], truth: Floats) -> dict[str, dict[str, float | None]]:
    """Pearson's correlations between judges, and with the truth (M, 12), over all pictures and the basic six."""
    basic = len(BASIC)
    people = len(next(iter(scores.values())))
    columns = {"truth": np.tile(truth[:, :basic], (people, 1)).ravel()}
    columns |= {name: values[..., :basic].ravel() for name, values in scores.items()}
    return {a: {b: _correlation(x, y) for b, y in columns.items()} for a, x in columns.items()}


def _correlation(x: Floats, y: Floats) -> float | None:
    return round(float(np.corrcoef(x, y)[0, 1]), 3) if np.ptp(x) and np.ptp(y) else None


def likeness(vectors: Floats) -> dict[str, float]:
    """Of a judge of identity with vectors (P, M, D): cosines to the neutral picture of the same and of other people."""
    own = np.einsum("pmd,pd->pm", vectors[:, 1:], vectors[:, 0]).ravel()
    across = vectors[:, 0] @ vectors[:, 0].T
    others = across[~np.eye(len(across), dtype=bool)]
    found = {"same": own.mean(), "same_lowest": own.min(), "other": others.mean(), "auc": auc(own, others)}
    return {name: round(float(value), 3) for name, value in found.items()}


def tables(found: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    read = found["reading"]
    lines = ["| first choice at 1 / rank correlation | " + " | ".join(read) + " |", "|---|" + "---|" * len(read)]
    for expression in EXPRESSIONS:
        if any(expression in of_judge for of_judge in read.values()):
            lines.append(f"| {expression} | {' | '.join(_cell(r.get(expression)) for r in read.values())} |")
    lines += ["", "| correlation | " + " | ".join(found["agreement"]) + " |"]
    lines.append("|---|" + "---|" * len(found["agreement"]))
    for name, row in found["agreement"].items():
        lines.append(f"| {name} | {' | '.join('–' if v is None else f'{v:.2f}' for v in row.values())} |")
    lines += ["", "| identity | same person | lowest | other people | AUC |", "|---|---|---|---|---|"]
    for name, row in found["likeness"].items():
        lines.append(f"| {name} | {' | '.join(f'{v:.3f}' for v in row.values())} |")
    return "\n".join(lines) + "\n"


def _cell(read: Mapping[str, Any] | None) -> str:
    """A judge's figures for one expression; in brackets where it is no judge of it."""
    if read is None:
        return "–"
    text = f"{read['top1']:.2f} / {read['rank']:.2f}"
    return text if is_judge(read) else f"({text})"


def report(sheet: Sheet, expression: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, Any]:
    """Look at everybody, write the figures to the sheet's folder, and return them."""
    scores = {name: sheet.judged(judge, "expression") for name, judge in expression.items()}
    vectors = {name: sheet.judged(judge, "identity") for name, judge in identity.items()}
    found = {
        "people": len(sheet.numbers),
        "pictures": len(sheet.numbers) * len(sheet.mixes),
        "style": sheet.style,
        "without a face": {n: int((~v.any(axis=2)).sum()) for n, v in vectors.items()},
        "reading": {n: reading(sheet.mixes, v, NAMED.get(n, EXPRESSIONS)) for n, v in scores.items()},
        "agreement": agreement(scores, sheet.truth) if scores else {},
        "likeness": {n: likeness(v) for n, v in vectors.items()},
    }
    write_json(sheet.folder / "judges.json", found)
    replace_file(sheet.folder / "judges.md", tables(found).encode())
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status is 0, or 2 after a mistake."""
    parser = Parser(prog="python -m analysis.judges", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for pictures and figures")
    parser.add_argument("--group", choices=GROUPS, default="report")
    parser.add_argument("--style", choices=STYLES, default=RENDERED)
    parser.add_argument("--people", type=argument(COUNT.named("people")), default=14, help="how many (default 14)")
    parser.add_argument("--expressions", nargs="+", choices=EXPRESSIONS, default=list(EXPRESSIONS))
    parser.add_argument("--expression-judges", nargs="*", choices=EXPRESSION_JUDGES, default=ASKED)
    parser.add_argument("--identity-judges", nargs="*", choices=IDENTITY_JUDGES, default=IDENTITY_JUDGES)

    def action(options: argparse.Namespace) -> None:
        start = GROUPS[options.group]
        sheet = Sheet(options.out, range(start, start + options.people), options.style, shown(options.expressions))
        judges = installed(expression_judge, options.expression_judges)
        found = report(sheet, judges, installed(identity_judge, options.identity_judges))
        print(f"{found['people']} people, {found['pictures']} pictures, style {found['style']}")
        print(tables(found), end="")

    return parser.run(action, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
