"""Do methods stand in the same order here as in the article? `python -m analysis.order BENCH`, a folder of pxs bench.

For each measure of linear control that the article publishes, prints the methods that were measured in both, the best
of the article first, and Kendall's tau of the two orders: 1 for the same order, -1 for the reverse. Its p is exact: how
often a random order agrees or disagrees at least as much. Pictures, judges and the base model are others than the
article's, and the methods had a short training, so the order is all that can be compared.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import kendalltau, permutation_test

from pxs.benchmark.outcome import COLUMNS
from pxs.benchmark.published import PUBLISHED
from pxs.errors import DataError
from pxs.parsing import Parser
from pxs.storage.parsing import parse_json
from pxs.storage.paths import check_path

SAME = {
    "SAEdit": "saedit",
    "ConceptSlider": "conceptslider",
    "AttributeControl": "attributecontrol",
    "K-Slider": "kslider",
    "SliderEdit": "slideredit",
    "PixelSmile without training": "base",
    "PixelSmile": "pixelsmile",
}
"""Methods of the article, and their names in `pxs bench`."""
MEASURES = ("cls_6", "cls_12", "id_sim", "hes")
LEAST = 3  # methods that can be ordered


class Order(NamedTuple):
    """The methods measured in both, the best of the article first: (name, published, here); and how the orders agree.

    tau: Kendall's tau-b, -1..1; p: its two-sided p over all orders, 0..1.
    """

    methods: list[tuple[str, float, float]]
    tau: float
    p: float


def order(rows: Mapping[str, Mapping[str, Any]], measure: str) -> Order | None:
    """The order by a measure of `rows`, as in results.json; None if fewer than LEAST methods have it in both."""
    both = [
        (name, known[measure], float(rows[own][measure]))
        for name, own in SAME.items()
        if measure in (known := PUBLISHED[name]) and rows.get(own, {}).get(measure) is not None
    ]
    if len(both) < LEAST:
        return None
    both.sort(key=lambda one: -one[1])
    _, published, here = zip(*both, strict=True)
    test = permutation_test(
        (here,), lambda own: kendalltau(published, own).statistic, permutation_type="pairings", n_resamples=np.inf
    )
    return Order(both, float(test.statistic), float(test.pvalue))


def markdown(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The orders by all measures as one table. Raises DataError if there is none."""
    lines = ["| measure | methods: published, here | Kendall's tau | p |", "|---|---|---|---|"]
    for measure in MEASURES:
        if found := order(rows, measure):
            shown = "; ".join(f"{name} {published:.2f}, {here:.2f}" for name, published, here in found.methods)
            lines.append(f"| {COLUMNS[measure]} | {shown} | {found.tau:+.2f} | {found.p:.2f} |")
    if len(lines) == 2:
        raise DataError(f"fewer than {LEAST} methods of the article were measured: pxs bench --methods all")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status."""
    parser = Parser(prog="python -m analysis.order", description="Compare the order of methods with the published one.")
    parser.add_argument("bench", type=Path, help="folder of pxs bench")
    return parser.run(_report, arguments)


def _report(args: argparse.Namespace) -> None:
    file = check_path(args.bench) / "results.json"
    try:
        rows = parse_json(file.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read ({error}): give a folder that pxs bench has written") from None
    print(markdown(rows))


if __name__ == "__main__":
    sys.exit(main())
