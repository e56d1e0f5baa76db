"""Measure the calibration of an adapter, or of another method, on drawn faces.

    python -m analysis.calibration --lora-path FILE
    python -m analysis.calibration --method kslider --out kslider.calibration.json

The file is written beside the adapter, where `portrait.edit(..., calibrated=True)` and `--calibrated` find it. The
intensity that an edit shows is that of the nearest drawing (analysis.intensity): no judge takes part, so a judge can
measure afterwards what calibration is worth. The people are those of "dev", as for the choice of any setting.
Curves are means over people, made to rise by isotonic regression.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.isotonic import IsotonicRegression
from tqdm.auto import tqdm

from analysis.intensity import measured_intensity
from pxs.benchmark.methods import CONTROLLED, choose
from pxs.benchmark.methods.calibrated import measured
from pxs.data.tasks import Task
from pxs.editing.adapters import DEFAULT_ADAPTER, find_adapter
from pxs.editing.calibration import Calibration, calibration_path
from pxs.editing.checkpoints import ADAPTER_FILE, find_model
from pxs.errors import AdapterError, OutputError, UsageError
from pxs.expressions import DOMAINS, EXPRESSIONS, Mix, sweep
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds
from pxs.parsing import Parser, argument, parsed
from pxs.quantities import COUNT, STEPS
from pxs.storage.files import replace_file
from pxs.storage.paths import check_path, exists

Edit = Callable[[Task, Sequence[Mix]], Sequence[Image.Image]]
"""How a method edits, as `Method.edit`."""

ASKED = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5)
FIRST = 5_000  # number of the first person among those of "dev"; the tasks have others
LEAST = 1e-3  # by which a point of a curve must exceed the one before to be kept


def measure(edit: Edit, people: Sequence[int], asked: Sequence[float] = ASKED) -> dict[str, NDArray[np.float64]]:
    """What edits show (N, len(asked)) by expression, on N people in each domain."""
    shown: dict[str, list[NDArray[np.float64]]] = {name: [] for name in EXPRESSIONS}
    tasks = [(number, style, name) for style in DOMAINS for number in people for name in EXPRESSIONS]
    for number, style, name in tqdm(tasks, desc="measure", leave=False, disable=not sys.stderr.isatty()):
        person = Identity.sample(number)
        task = Task(f"{style}_{number}_{name}", style, name, picture=draw(person, style=style))
        shown[name].append(measured_intensity(edit(task, sweep(name, asked)), person, name, style))
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
    parser = Parser(prog="python -m analysis.calibration", description="Measure the calibration of an adapter.")
    parser.add_argument("--method", default="pixelsmile", choices=tuple(CONTROLLED), help="(default pixelsmile)")
    parser.add_argument("--model-path", default="mini", help="a model of drawn faces (default mini)")
    parser.add_argument("--lora-path", default=DEFAULT_ADAPTER, help="the adapter (default the model's own)")
    parser.add_argument("--weights", type=parsed(check_path), help="of another method (default those of mini)")
    parser.add_argument("--out", type=parsed(check_path), help="the JSON file (default beside the adapter)")
    parser.add_argument("--people", type=argument(COUNT.named("people")), default=6, help="of each domain (default 6)")
    parser.add_argument("--steps", type=argument(STEPS), default=12, help="denoising steps (default 12)")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    return parser.run(_measure, arguments)


def _measure(args: argparse.Namespace) -> None:
    own = args.method == "pixelsmile"
    if not own and args.out is None:
        raise UsageError(f"--out is missing: name the file for the calibration of {args.method}")
    out = args.out or calibration_path(_adapter(args.model_path, args.lora_path))
    if exists(out) and not args.overwrite:
        raise OutputError(f"{str(out)!r} exists: choose another file or add --overwrite")
    weights = {args.method: args.weights} if args.weights else {}
    settings = {"model": args.model_path, "adapter": args.lora_path, "steps": args.steps, "weights": weights}
    method = choose([args.method], **settings)[args.method]
    shown = measure(method.edit, seeds("dev", args.people, FIRST))
    calibration = fit(measured(getattr(method, "provenance", {})), shown)
    replace_file(out, calibration.content())
    for name in calibration.asked:
        asked = (calibration(Mix({name: a}))[name] for a in ASKED[1:])
        print(f"{name:10} " + " ".join(f"{a:.2f}" for a in asked))
    print(out)


def _adapter(model: str, choice: str) -> Path:
    """The file of the adapter that is to be measured; AdapterError without one."""
    if choice != DEFAULT_ADAPTER:
        return find_adapter(choice)
    own = find_model(model) / ADAPTER_FILE
    if not own.is_file():
        raise AdapterError(f"model {model!r} has no adapter of its own: name one with --lora-path")
    return own


if __name__ == "__main__":
    sys.exit(main())
