"""Measure the calibration of an editor of drawn faces: python -m analysis.calibration --out FILE.

The intensity that an edit shows is that of the nearest drawing (analysis.intensity): no judge takes part, so a judge
can measure afterwards what calibration is worth. The people are those of "dev", as for the choice of any setting.
Curves are means over people, made to rise by isotonic regression.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from tqdm.auto import tqdm

from analysis.intensity import measured_intensity
from pxs.editing.calibration import Calibration
from pxs.editing.editor import Editor, load
from pxs.expressions import DOMAINS, EXPRESSIONS, Mix, sweep
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds
from pxs.parsing import Parser, argument, parsed
from pxs.quantities import COUNT, STEPS
from pxs.storage.files import replace_file
from pxs.storage.paths import check_path

ASKED = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5)
FIRST = 5_000  # number of the first person among those of "dev"; the tasks have others
LEAST = 1e-3  # by which a point of a curve must exceed the one before to be kept


def measure(editor: Editor, people: Sequence[int], steps: int) -> dict[str, NDArray[np.float64]]:
    """What edits show (N, len(ASKED)) by expression, on N people in each domain."""
    shown: dict[str, list[NDArray[np.float64]]] = {name: [] for name in EXPRESSIONS}
    faces = [(number, style) for style in DOMAINS for number in people]
    for number, style in tqdm(faces, desc="measure", leave=False, disable=not sys.stderr.isatty()):
        person = Identity.sample(number)
        portrait = editor.open(draw(person, style=style), style)
        for name in EXPRESSIONS:
            edits = portrait.edit(sweep(name, ASKED), seed=number, steps=steps, progress=False)
            shown[name].append(measured_intensity(edits, person, name, style))
    return {name: np.stack(rows) for name, rows in shown.items()}


def fit(adapter: str, shown: Mapping[str, NDArray[np.float64]], asked: Sequence[float] = ASKED) -> Calibration:
    """The calibration of an adapter (its hash) from what edits showed (N, A) when `asked` (A,), from 0 on, was asked.

    What is shown at 0 is taken off, so that 0 asks for 0. An expression whose mean never rises gets no curve.
    """
    curves = {}
    for name, rows in shown.items():
        mean = rows.mean(axis=0)
        rising = IsotonicRegression().fit_transform(asked, mean - mean[0])
        kept = [0]
        for i, value in enumerate(rising):
            if value > rising[kept[-1]] + LEAST:
                kept.append(i)
        if len(kept) > 1:
            curves[name] = ([float(asked[i]) for i in kept], [round(float(rising[i]), 4) for i in kept])
    return Calibration(adapter, {n: c[0] for n, c in curves.items()}, {n: c[1] for n, c in curves.items()})


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status."""
    parser = Parser(prog="python -m analysis.calibration", description="Measure a calibration of mini's adapter.")
    parser.add_argument("--out", type=parsed(check_path), required=True, help="the JSON file")
    parser.add_argument("--people", type=argument(COUNT.named("people")), default=6, help="of each domain (default 6)")
    parser.add_argument("--steps", type=argument(STEPS), default=12, help="denoising steps (default 12)")
    return parser.run(_measure, arguments)


def _measure(args: argparse.Namespace) -> None:
    editor = load("mini")
    shown = measure(editor, seeds("dev", args.people, FIRST), args.steps)
    calibration = fit(editor.checkpoint.adapter_hash, shown)
    replace_file(args.out, calibration.content())
    for name in calibration.asked:
        asked = (calibration(Mix({name: a}))[name] for a in ASKED[1:])
        print(f"{name:10} " + " ".join(f"{a:.2f}" for a in asked))
    print(args.out)


if __name__ == "__main__":
    sys.exit(main())
