"""Do people's recognisers tell rendered people apart, and know each of them again in every expression?

    python -m analysis.likeness --people 24 --out out/likeness

People are rendered neutral and in each of the 12 expressions at 1, and every recogniser of photographs that is
installed (`pxs judges` shows which there are) looks at them. The distance of two pictures is the length of the
difference of the recogniser's unit vectors, 0 to 2. Printed are, by recogniser,

    different people   over all pairs of neutral pictures: the smallest distance, and the share of pairs below APART
    the same person    neutral against each expression: the largest distance, and the share above TOGETHER

and who the nearest two people and the farthest same person are. Pictures in which a recogniser finds no face are left
out of its figures and counted. Pictures and vectors stay in FOLDER, and a second run makes and judges only what is
missing. FOLDER/results.json holds the figures; FOLDER/likeness.png and .svg show the distances and these pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from PIL import Image

from analysis.figures import bare, save_figure
from analysis.judges import GROUPS, Floats, Sheet
from pxs.errors import JudgeError
from pxs.expressions import EXPRESSIONS, Mix
from pxs.faces import RENDERED
from pxs.judging import recognisers
from pxs.parsing import Parser, argument, parsed
from pxs.quantities import SEED, Whole
from pxs.storage.paths import check_path
from pxs.storage.provenance import versions, write_json

APART, TOGETHER = 0.45, 0.40
"""The goal: different people at least APART, the same person at most TOGETHER."""

MIXES = (Mix(), *(Mix({name: 1}) for name in EXPRESSIONS))
PEOPLE = Whole("people", 2, 1000, "13 pictures each")
FIRST = SEED.named("number of the first person")
COLOURS = {"different people": "#0072B2", "the same person": "#E69F00"}
BIN = 0.025


def distances(vectors: Floats) -> tuple[Floats, Floats]:
    """Of unit vectors (P, M, D), neutral first: between different people, neutral (P, P), each pair once; and of each
    person's other pictures to the neutral one (P, M - 1). NaN where there is no pair or a vector is 0."""
    seen = np.where(vectors.any(axis=2, keepdims=True), vectors, np.nan)
    neutral = seen[:, 0]
    others = np.linalg.norm(neutral[:, None] - neutral, axis=2)
    others[np.tril_indices(len(others))] = np.nan
    return others, np.linalg.norm(seen[:, 1:] - seen[:, :1], axis=2)


def figures(numbers: Sequence[int], vectors: Floats) -> dict[str, Any]:
    """The figures of a recogniser with vectors (P, M, D) of people with these numbers; 0 where it found no face.

    Raises JudgeError if that leaves no pair of one of the two kinds.
    """
    others, own = distances(vectors)
    pairs, same = others[~np.isnan(others)], own[~np.isnan(own)]
    if not len(pairs) or not len(same):
        raise JudgeError("a recogniser finds a face in too few pictures to compare any: take more --people")
    a, b = np.unravel_index(np.nanargmin(others), others.shape)
    person, expression = np.unravel_index(np.nanargmax(own), own.shape)
    return {
        "pairs": len(pairs),
        "smallest": round(float(pairs.min()), 3),
        "share_too_near": round(float((pairs < APART).mean()), 4),
        "nearest": [numbers[a], numbers[b]],
        "same": len(same),
        "largest": round(float(same.max()), 3),
        "share_too_far": round(float((same > TOGETHER).mean()), 4),
        "farthest": [numbers[person], EXPRESSIONS[expression]],
        "without_a_face": int((~vectors.any(axis=2)).sum()),
    }


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = [
        f"| recogniser | different people: smallest | under {APART:.2f} | the same person: largest "
        f"| over {TOGETHER:.2f} | without a face |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in found.items():
        (a, b), (person, expression) = row["nearest"], row["farthest"]
        lines.append(
            f"| {name} | {row['smallest']:.2f} ({a}, {b}) | {row['share_too_near']:.1%} of {row['pairs']} "
            f"| {row['largest']:.2f} ({person}, {expression}) | {row['share_too_far']:.1%} of {row['same']} "
            f"| {row['without_a_face']} |"
        )
    return "\n".join(lines)


def draw(found: Mapping[str, Mapping[str, Any]], vectors: Mapping[str, Floats], sheet: Sheet) -> Figure:
    """One row a recogniser: the distances of both kinds, the nearest two people, the farthest two pictures of one."""
    figure = Figure(figsize=(12.6, 3.5 * len(found)), layout="constrained")
    for part, (name, row) in zip(figure.subfigures(len(found), 1, squeeze=False)[:, 0], found.items(), strict=True):
        left, near, far = part.subfigures(1, 3, width_ratios=[1.35, 1, 1], wspace=0.03)
        _histograms(left.subplots(), name, *distances(vectors[name]))
        (a, b), (person, expression) = row["nearest"], row["farthest"]
        neutral = {number: sheet.pictures(number)[0] for number in (a, b, person)}
        other = sheet.pictures(person)[1 + EXPRESSIONS.index(expression)]
        _pair(near, f"nearest two people: {row['smallest']:.2f}", {f"person {n}": neutral[n] for n in (a, b)})
        title = f"the same person, farthest: {row['largest']:.2f}"
        _pair(far, title, {f"person {person}, neutral": neutral[person], f"{expression} 1": other})
    return figure


def _histograms(axes: Axes, name: str, others: Floats, own: Floats) -> None:
    """The distances between people, and those of the same person, as shares, with the goals as lines."""
    edges = np.arange(0, np.nanmax(np.append(others, own)) + BIN, BIN)
    for (label, colour), values in zip(COLOURS.items(), (others, own), strict=True):
        known = values[~np.isnan(values)]
        weights = np.full(len(known), 100 / len(known))
        axes.hist(known, edges, weights=weights, color=colour, alpha=0.65, label=f"{label}, {len(known)} pairs")
    for (label, colour), goal in zip(COLOURS.items(), (APART, TOGETHER), strict=True):
        side = "above" if goal == APART else "below"
        axes.axvline(goal, color=colour, linestyle="--", linewidth=1.6, label=f"goal: {label} {side} {goal:.2f}")
    axes.set(xlabel=f"distance by {name}", ylabel="share of pairs, %", xlim=(0, edges[-1]))
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
    judges = recognisers()
    sheet = Sheet(args.out, numbers, RENDERED, MIXES)
    vectors = {judge.name: sheet.judged(judge, "identity") for judge in judges}
    found = {name: figures(numbers, of_judge) for name, of_judge in vectors.items()}
    facts = {"people": args.people, "first": args.first, "apart": APART, "together": TOGETHER}
    write_json(args.out / "results.json", {**facts, "recognisers": found, "versions": versions()})
    print(f"{args.people} people, {args.people * len(MIXES)} pictures; figure: ", end="")
    print(save_figure(draw(found, vectors, sheet), args.out, "likeness"))
    print(table(found))


if __name__ == "__main__":
    sys.exit(main())
