"""Blends measured alike: both rules and several adapters, on the same faces and seeds, under the same judges.

    git show 3d967cf:pxs/mini/weights/adapter.safetensors > zero_shot.safetensors
    python -m analysis.blend_comparison --adapters zero_shot=zero_shot.safetensors taught=default --out out/blends

The paper interpolates between two prompts (`convex`: half of each at full intensity); the house adds both directions
(`sum`). An adapter of the paper's recipe never saw two expressions asked for at once, so its blends are zero-shot; the
one that comes with `mini` was taught to blend. Every picture gets the verdict of pxs/judging/blends.py from each judge;
a pair counts as coherent under a method if most of its pictures are. Drawings of the same mixes are the reference.

`--sheet N` writes N pictures for a person: see analysis/verdict_sheet.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

import pxs
from analysis.blends import Batch, BlendPlan, blend_faces, counts, pair_verdicts, table
from analysis.faces import NO_ADAPTER, Face, drawn_faces
from analysis.separation import sign_flip
from analysis.verdict_sheet import agreement, read_verdicts, write_sheet
from pxs.errors import DataError
from pxs.expressions import RULES
from pxs.judging import expression_judge, identity_judge
from pxs.judging.blends import BlendThresholds, judge_blends
from pxs.judging.expression import ExpressionJudge
from pxs.judging.identity import IdentityJudge
from pxs.judging.intervals import share_interval
from pxs.parsing import Parser, argument
from pxs.quantities import COUNT, SEED, STEPS
from pxs.storage.files import output_folder
from pxs.storage.provenance import write_json

FACES = (400003, 400011, 400020, 400031)


@dataclass(frozen=True)
class Compared:
    """What was compared: `rows` has the columns of `blends.table`, rule, and judge, one row a picture and judge;
    `batches` the pictures of each rule."""

    rows: pd.DataFrame
    batches: Mapping[str, Sequence[Batch]]


def compare(
    editors: Mapping[str, pxs.Editor],
    faces: Sequence[Face],
    plan: BlendPlan,
    judges: Sequence[ExpressionJudge],
    identity: IdentityJudge,
    thresholds: BlendThresholds = BlendThresholds(),  # noqa: B008
) -> Compared:
    """Blend under every rule, and have every judge judge each picture. Raises JudgeError if one fails."""
    batches = {
        rule: list(blend_faces(editors, faces, replace(plan, rule=rule), judges[0], identity, thresholds))
        for rule in RULES
    }
    parts = []
    for rule, made in batches.items():
        parts.append(table(made).assign(rule=rule, judge=judges[0].name))
        for judge in judges[1:]:
            again = [_judged_again(batch, plan, judge, identity, thresholds) for batch in made]
            parts.append(table(again).assign(rule=rule, judge=judge.name))
    return Compared(pd.concat(parts, ignore_index=True), batches)


def _judged_again(
    batch: Batch, plan: BlendPlan, judge: ExpressionJudge, identity: IdentityJudge, thresholds: BlendThresholds
) -> Batch:
    found = judge_blends(batch.face.picture, batch.images, plan.pairs, judge, identity, thresholds)
    return replace(batch, judged=found)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each judge, method and rule.

    Columns: judge, method, rule; how many pairs are coherent, collapsed and conflicting, by majority; low and high, the
    exact 95% interval of the share of coherent pairs; pictures, the share of coherent pictures; weaker, the mean judged
    intensity of the weaker expression; similarity, the mean cosine to the source.
    """
    found = []
    for (judge, method, rule), part in rows.groupby(["judge", "method", "rule"], sort=False):
        verdicts = pair_verdicts(part)
        kinds = counts(verdicts)[method]
        low, high = share_interval(kinds["coherent"], len(verdicts))
        means = {
            "low": low,
            "high": high,
            "pictures": float((part.verdict == "coherent").mean()),
            "weaker": float(part[["a", "b"]].min(axis=1).mean()),
            "similarity": float(part.similarity.mean()),
        }
        found.append({"judge": judge, "method": method, "rule": rule, **kinds, **means})
    return pd.DataFrame(found)


def differences(rows: pd.DataFrame) -> pd.DataFrame:
    """For each judge, the rise in the share of coherent pictures a pair between rules and between editors.

    Columns: judge, what ("A, sum - A, convex"), rise, the mean over pairs, p of a two-sided sign-flip test over pairs
    (not corrected), and pairs, their number.
    """
    found = []
    for judge, part in rows.assign(good=(rows.verdict == "coherent").astype(float)).groupby("judge", sort=False):
        shares = part.groupby(["method", "rule", "first", "second"], sort=False).good.mean()
        shares = shares.unstack(["method", "rule"])
        methods, rules = list(part.method.unique()), list(part.rule.unique())
        sides = [((m, rules[0]), (m, rule)) for m in methods for rule in rules[1:]]
        sides += [((a, rule), (b, rule)) for rule in rules for i, a in enumerate(methods) for b in methods[:i]]
        for one, other in sides:
            d = (shares[one] - shares[other]).to_numpy(dtype=float)
            what = f"{', '.join(one)} - {', '.join(other)}"
            found.append({"judge": judge, "what": what, "rise": d.mean(), "p": sign_flip(d), "pairs": len(d)})
    return pd.DataFrame(found)


def named_adapters(texts: Sequence[str]) -> dict[str, str]:
    """Adapters by name from texts NAME=FILE; "base", without an adapter, is always among them.

    Raises DataError for a text of another form and a name that comes twice.
    """
    found = {"base": NO_ADAPTER[-1]}
    for text in texts:
        name, equals, file = text.partition("=")
        if not (name and equals and file) or name in found:
            raise DataError(f"{text!r} is not a new NAME=FILE: give for example taught=default")
        found[name] = file
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status."""
    parser = Parser(prog="python -m analysis.blend_comparison", description="Compare rules and adapters of blends.")
    parser.add_argument("--out", type=Path, required=True, help="folder for results.json and the sheet")
    parser.add_argument("--adapters", nargs="*", default=["taught=default"], metavar="NAME=FILE")
    parser.add_argument("--model", default="mini", help="as --model-path of pxs (default mini)")
    parser.add_argument("--faces", type=argument(SEED.named("face")), nargs="+", default=list(FACES), metavar="NUMBER")
    parser.add_argument("--style", default="human", help="of the drawn faces: human or anime")
    parser.add_argument("--seeds", type=argument(SEED), nargs="+", default=[42, 43])
    parser.add_argument("--steps", type=argument(STEPS), default=12)
    parser.add_argument("--judges", nargs="+", default=["mini"], metavar="NAME", help="expression judges")
    parser.add_argument("--likeness", default="mini", help="identity judge")
    parser.add_argument("--sheet", type=argument(COUNT.named("sheet")), metavar="N", help="pictures for a person")
    parser.add_argument("--filled", type=Path, metavar="FILE", help="verdicts.csv of the sheet in --out, filled in")
    return parser.run(_report, arguments)


def _report(args: argparse.Namespace) -> None:
    if args.filled is not None:
        print(agreement(read_verdicts(args.filled, args.out / "sheet" / "key.csv")).round(3).to_string(index=False))
        return
    adapters = named_adapters(args.adapters)
    faces, out = drawn_faces(args.faces, args.style), output_folder(args.out)
    judges = [expression_judge(name) for name in args.judges]
    identity, plan = identity_judge(args.likeness), BlendPlan(seeds=args.seeds, steps=args.steps)
    editors = {n: pxs.load(args.model, adapter=None if f in NO_ADAPTER else f) for n, f in adapters.items()}
    found = compare(editors, faces, plan, judges, identity)
    rows, tests = summary(found.rows), differences(found.rows)
    print(rows.round(2).to_string(index=False), tests.round(3).to_string(index=False), sep="\n\n")
    tables = {"summary": rows, "differences": tests, "pictures": found.rows}
    provenance = {name: editor.provenance for name, editor in editors.items()}
    records = {name: one.to_dict("records") for name, one in tables.items()}
    write_json(out / "results.json", {**records, "provenance": provenance})
    if args.sheet:
        print(*write_sheet(found.batches, found.rows, args.sheet, out / "sheet"), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
