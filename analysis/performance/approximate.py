"""What approximate ways cost: python -m analysis.performance.approximate [--tasks N] [--steps S] [--out DIR].

Each way edits the same drawn faces at the same intensities as the exact way. The table shows how much faster it is, how
similar its pictures are to the exact ones (PSNR in dB: median and worst over edits), and how judges score both: whether
the judged intensity follows the requested one (CLS-12), the judged intensity of the target at 1, and the identity
similarity (ID Sim). The exact way runs first and last, which shows drift. For other models use `pxs bench` with
--memory, --reuse or --steps.

DIR/results.json: {"device", "tasks", "steps", "ways": {name: {"seconds", "ratio", "psnr_median", ...}}}.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from analysis.performance.editing import describe
from pxs.benchmark.judge import Judges
from pxs.data.synthetic_bench import mini_bench
from pxs.data.tasks import Task
from pxs.editing.editor import Editor, load
from pxs.expressions import sweep
from pxs.images import psnr, to_array
from pxs.judging import expression_judge, identity_judge
from pxs.judging.measures import cls, identity_similarity
from pxs.parsing import Parser, argument
from pxs.quantities import COUNT, STEPS
from pxs.storage.provenance import write_json

Array = NDArray[np.floating]
ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
EXACT, AGAIN = "exact", "exact, again"
SAME = 99.0  # dB: the value for two equal pictures


@dataclass(frozen=True)
class Way:
    """The options with which an editor is loaded, and the number by which its steps are divided."""

    options: Mapping[str, Any]
    fewer: int = 1


WAYS = {
    EXACT: Way({}),
    "bfloat16": Way({"dtype": torch.bfloat16}),
    "fp8": Way({"memory": "fp8"}),
    "int8": Way({"memory": "int8"}),
    "nf4": Way({"memory": "nf4"}),
    "reuse 0.05": Way({"reuse": 0.05}),
    "reuse 0.1": Way({"reuse": 0.1}),
    "reuse 0.2": Way({"reuse": 0.2}),
    "half the steps": Way({}, 2),
    "a quarter of the steps": Way({}, 4),
    AGAIN: Way({}),
}
"""All ways, by name. Those whose package is not installed are left out of a run."""


@dataclass(frozen=True)
class Edited:
    """The edits of all T tasks at A intensities: seconds of editing; pixels, for each task (A, H, W, 3) in 0..1; the
    judged intensity of the target, 0..1, and the identity similarity, -1..1, both (T, A).
    """

    seconds: float
    pixels: list[Array]
    scores: Array
    similarity: Array


@dataclass(frozen=True)
class Cost:
    """A way compared with the exact one. ratio: exact time / its time; psnr in dB; cls -1..1; intensity 0..1."""

    seconds: float
    ratio: float
    psnr_median: float
    psnr_worst: float
    cls_12: float
    intensity_at_1: float
    id_sim: float


def ways() -> dict[str, Way]:
    """The entries of WAYS that can run here."""
    bits = find_spec("bitsandbytes") is not None
    return {name: way for name, way in WAYS.items() if bits or name not in ("int8", "nf4")}


def edited(way: Way, tasks: Sequence[Task], judges: Judges, steps: int) -> Edited:
    """Edit and judge all tasks in one way. Only editing is timed, not opening a picture or judging."""
    editor = load("mini", **way.options)
    _warm(editor, tasks[0])
    seconds, pixels, scores, similarity = 0.0, [], [], []
    for task in tqdm(tasks, leave=False, disable=not sys.stderr.isatty()):
        portrait = editor.open(task.open(), task.domain)
        mixes = sweep(task.expression, ALPHAS)
        _ = portrait.embeddings
        began = time.perf_counter()
        edits = portrait.edit(mixes, steps=max(1, steps // way.fewer), progress=False)
        seconds += time.perf_counter() - began
        pixels.append(np.stack([to_array(image) for image in edits]))
        scores.append([mix[task.expression] for mix in judges.expression.judge(edits.images)])
        vectors = judges.identity.embed([portrait.source, *edits])
        similarity.append(identity_similarity(np.repeat(vectors[:1], len(edits), axis=0), vectors[1:]))
    return Edited(seconds, pixels, np.array(scores), np.array(similarity))


def _warm(editor: Editor, task: Task) -> None:
    """Run a first edit, which prepares threads and kernels."""
    editor.open(task.open(), task.domain).edit(sweep(task.expression, ALPHAS), steps=2, progress=False)


def cost(made: Edited, exact: Edited) -> Cost:
    """Compare the edits of a way with the exact ones."""
    pairs = [
        (a, b)
        for own, reference in zip(made.pixels, exact.pixels, strict=True)
        for a, b in zip(own, reference, strict=True)
    ]
    quality = [min(SAME, psnr(a, b)) for a, b in pairs]
    return Cost(
        made.seconds,
        exact.seconds / made.seconds,
        float(np.median(quality)),
        float(min(quality)),
        cls(ALPHAS, made.scores),
        float(made.scores[:, -1].mean()),
        float(made.similarity.mean()),
    )


def measure(tasks: Sequence[Task], steps: int) -> Iterator[tuple[str, Cost]]:
    """Name and cost of every way that can run here; yields each when it is measured."""
    judges = Judges(expression_judge(), identity_judge())
    exact = None
    for name, way in ways().items():
        made = edited(way, tasks, judges, steps)
        exact = exact or made
        yield name, cost(made, exact)


HEADER = (
    "| way | s | faster | PSNR median | worst | CLS-12 | intensity at 1 | ID Sim |\n|---|---|---|---|---|---|---|---|"
)


def row(name: str, c: Cost) -> str:
    """One line of the table."""
    return (
        f"| {name} | {c.seconds:.1f} | {c.ratio:.2f} | {c.psnr_median:.1f} | {c.psnr_worst:.1f} | {c.cls_12:.3f} "
        f"| {c.intensity_at_1:.3f} | {c.id_sim:.3f} |"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table as it grows, write results.json; 2 after a mistake, which is printed as one line."""
    parser = Parser(
        prog="python -m analysis.performance.approximate", description="Measure what approximate ways cost."
    )
    parser.add_argument(
        "--tasks", type=argument(COUNT.named("tasks")), default=24, help="drawn faces, one expression each (default 24)"
    )
    parser.add_argument(
        "--steps", type=argument(STEPS), default=20, help="denoising steps of the exact way (default 20)"
    )
    parser.add_argument("--out", type=Path, help="folder for results.json")
    return parser.run(_report, arguments)


def _report(args: argparse.Namespace) -> None:
    tasks = mini_bench()[: args.tasks]
    costs: dict[str, dict[str, float]] = {}
    print(HEADER)
    for name, found in measure(tasks, args.steps):
        costs[name] = asdict(found)
        print(row(name, found), flush=True)
    if args.out:
        device = describe("cuda" if torch.cuda.is_available() else "cpu")
        facts = {"device": device, "tasks": len(tasks), "steps": args.steps, "ways": costs}
        print(write_json(args.out / "results.json", facts))


if __name__ == "__main__":
    sys.exit(main())
