"""Do people's recognisers tell rendered people apart, and know each of them again in every expression?

    python -m analysis.likeness --people 24 --out out/likeness

People are rendered neutral and in each of the 12 expressions at 1, and every recogniser of photographs that is
installed (`pxs judges` shows which there are) looks at them. The distance of two pictures is that of their vectors: of
dlib's descriptors as they are, of unit vectors elsewhere. Each recogniser has a distance below which it takes two
pictures for one person's; the goal is that different people are at least APART, and the same person in any expression
below TOGETHER, both shares of that distance: 0.45 and 0.40 for dlib. Printed are, by recogniser,

    different people   over all pairs of neutral pictures: the smallest distance, and the share of pairs under the goal
    the same person    neutral against each expression: the largest distance, the share over the goal, and in what

and who the nearest two people and the farthest same person are. Pictures in which a recogniser finds no face are left
out of its figures and counted. Pictures and vectors stay in FOLDER, and a second run makes and judges only what is
missing. FOLDER/results.json holds the figures; FOLDER/likeness.png and .svg show the distances and these pictures.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray
from PIL import Image

from analysis.figures import bare, save_figure
from analysis.judges import GROUPS, Floats, Sheet
from pxs.errors import JudgeError
from pxs.expressions import EXPRESSIONS, Mix
from pxs.faces import RENDERED
from pxs.ffe.grouping import same_person
from pxs.judging import recognisers
from pxs.judging.identity import IdentityJudge
from pxs.judging.outside.dlib import SAME, DlibIdentity
from pxs.parsing import Parser, argument, parsed
from pxs.quantities import SEED, Whole
from pxs.storage.paths import check_path
from pxs.storage.provenance import versions, write_json

APART, TOGETHER = 0.75, 2 / 3
"""The goals, as shares of the distance below which a recogniser sees one person."""
MIXES = (Mix(), *(Mix({name: 1}) for name in EXPRESSIONS))
PEOPLE = Whole("people", 2, 1000, "13 pictures each")
FIRST = SEED.named("number of the first person")
COLOURS = {"different people": "#0072B2", "the same person": "#E69F00"}
BIN = 0.025


@dataclass(frozen=True)
class Recogniser:
    """A recogniser of photographs: its vectors in their own scale, and the goals as distances of them."""

    name: str
    embed: Callable[[Sequence[Image.Image]], NDArray[np.float32]]
    apart: float
    together: float


def in_its_scale(judge: IdentityJudge) -> Recogniser:
    """dlib by its descriptors, any other by its unit vectors, for which a cosine says who is the same person."""
    if isinstance(judge, DlibIdentity):
        return Recogniser(f"{judge.name} descriptors", judge.describe, APART * SAME, TOGETHER * SAME)
    same = math.sqrt(2 - 2 * same_person(judge))
    return Recogniser(judge.name, judge.embed, APART * same, TOGETHER * same)


def distances(vectors: Floats) -> tuple[Floats, Floats]:
    """Of vectors (P, M, D), neutral first: between different people, neutral (P, P), each pair once; and of each
    person's other pictures to the neutral one (P, M - 1). NaN where there is no pair or a vector is 0."""
    seen = np.where(vectors.any(axis=2, keepdims=True), vectors, np.nan)
    neutral = seen[:, 0]
    others = np.linalg.norm(neutral[:, None] - neutral, axis=2)
    others[np.tril_indices(len(others))] = np.nan
    return others, np.linalg.norm(seen[:, 1:] - seen[:, :1], axis=2)


def figures(numbers: Sequence[int], vectors: Floats, by: Recogniser) -> dict[str, Any]:
    """The figures by a recogniser from its vectors (P, M, D) of people with these numbers; 0 where it found no face.

    Raises JudgeError if that leaves no pair of one of the two kinds.
    """
    others, own = distances(vectors)
    pairs, same = others[~np.isnan(others)], own[~np.isnan(own)]
    if not len(pairs) or not len(same):
        raise JudgeError("a recogniser finds a face in too few pictures to compare any: take more --people")
    a, b = np.unravel_index(np.nanargmin(others), others.shape)
    person, expression = np.unravel_index(np.nanargmax(own), own.shape)
    far = dict(zip(EXPRESSIONS, (own > by.together).sum(axis=0).tolist(), strict=False))
    return {
        "apart": round(by.apart, 3),
        "together": round(by.together, 3),
        "pairs": len(pairs),
        "smallest": round(float(pairs.min()), 3),
        "share_too_near": round(float((pairs < by.apart).mean()), 4),
        "nearest": [numbers[a], numbers[b]],
        "same": len(same),
        "largest": round(float(same.max()), 3),
        "share_too_far": round(float((same > by.together).mean()), 4),
        "too_far": {name: far[name] for name in sorted(far, key=lambda e: -far[e]) if far[name]},
        "farthest": [numbers[person], EXPRESSIONS[expression]],
        "without_a_face": int((~vectors.any(axis=2)).sum()),
    }


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = [
        "| recogniser | different people: smallest | too near | the same person: largest | too far | without a face |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in found.items():
        (a, b), (person, expression) = row["nearest"], row["farthest"]
        far = ", ".join(f"{shown} {count}" for shown, count in row["too_far"].items()) or "none"
        lines.append(
            f"| {name} | {row['smallest']:.2f} ({a}, {b}) "
            f"| {row['share_too_near']:.1%} of {row['pairs']} under {row['apart']:.2f} "
            f"| {row['largest']:.2f} ({person}, {expression}) "
            f"| {row['share_too_far']:.1%} of {row['same']} over {row['together']:.2f}: {far} "
            f"| {row['without_a_face']} |"
        )
    return "\n".join(lines)


def draw(found: Mapping[str, Mapping[str, Any]], vectors: Mapping[str, Floats], sheet: Sheet) -> Figure:
    """One row a recogniser: the distances of both kinds, the nearest two people, the farthest two pictures of one."""
    figure = Figure(figsize=(13.6, 2.95 * len(found)), layout="constrained")
    for part, (name, row) in zip(figure.subfigures(len(found), 1, squeeze=False)[:, 0], found.items(), strict=True):
        left, near, far = part.subfigures(1, 3, width_ratios=[1.2, 1, 1], wspace=0.03)
        _histograms(left.subplots(), name, distances(vectors[name]), (row["apart"], row["together"]))
        (a, b), (person, expression) = row["nearest"], row["farthest"]
        neutral = {number: sheet.pictures(number)[0] for number in (a, b, person)}
        other = sheet.pictures(person)[1 + EXPRESSIONS.index(expression)]
        _pair(near, f"nearest two people: {row['smallest']:.2f}", {f"person {n}": neutral[n] for n in (a, b)})
        title = f"the same person, farthest: {row['largest']:.2f}"
        _pair(far, title, {f"person {person}, neutral": neutral[person], f"{expression} 1": other})
    return figure


def _histograms(axes: Axes, name: str, pairs: tuple[Floats, Floats], goals: tuple[float, float]) -> None:
    """The distances between people, and those of the same person, as shares, with the goals as lines."""
    edges = np.arange(0, max(map(np.nanmax, pairs)) + BIN, BIN)
    for (label, colour), values in zip(COLOURS.items(), pairs, strict=True):
        known = values[~np.isnan(values)]
        weights = np.full(len(known), 100 / len(known))
        axes.hist(known, edges, weights=weights, color=colour, alpha=0.65, label=f"{label}, {len(known)} pairs")
    for (label, colour), goal, side in zip(COLOURS.items(), goals, ("above", "below"), strict=True):
        axes.axvline(goal, color=colour, linestyle="--", linewidth=1.6, label=f"goal: {label} {side} {goal:.2f}")
    axes.set(xlabel=f"distance: {name}", ylabel="share of pairs, %", xlim=(0, edges[-1]))
    bare(axes).legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, fontsize=8, frameon=False)


def _pair(figure: SubFigure, title: str, pictures: Mapping[str, Image.Image]) -> None:
    """Two pictures side by side, each with its name."""
    figure.suptitle(title, fontsize=11)
    for axes, (name, picture) in zip(figure.subplots(1, 2), pictures.items(), strict=True):
        axes.imshow(np.asarray(picture))
        axes.set_axis_off()
        axes.set_title(name, fontsize=9)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status: 0, or 2 after a mistake."""
    parser = Parser(prog="python -m analysis.likeness", description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=argument(PEOPLE), default=24, help="how many (default 24)")
    parser.add_argument("--first", type=argument(FIRST), default=GROUPS["report"], help="number of the first person")
    parser.add_argument("--out", type=parsed(check_path), required=True, help="folder for pictures and figures")
    return parser.run(_report, arguments)


def _report(args: argparse.Namespace) -> None:
    numbers = range(args.first, SEED.named("number of the last person")(args.first + args.people - 1) + 1)
    judges = [in_its_scale(judge) for judge in recognisers()]
    sheet = Sheet(args.out, numbers, RENDERED, MIXES)
    vectors = {judge.name: sheet.judged(judge, "identity") for judge in judges}
    found = {judge.name: figures(numbers, vectors[judge.name], judge) for judge in judges}
    facts = {"people": args.people, "first": args.first}
    write_json(args.out / "results.json", {**facts, "recognisers": found, "versions": versions()})
    print(f"{args.people} people, {args.people * len(MIXES)} pictures; figure: ", end="")
    print(save_figure(draw(found, vectors, sheet), args.out, "likeness"))
    print(table(found))


if __name__ == "__main__":
    sys.exit(main())
