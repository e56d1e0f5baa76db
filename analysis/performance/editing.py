"""Editing speed: `pxs` against the public algorithm on stock diffusers, measured in one run.

    python -m analysis.performance.editing --out out/speed                 # the embedded model
    python -m analysis.performance.editing --size full --out out/speed     # the true size with random weights, on a GPU

Each case runs in the order ours, public, public, ours, so that a machine that becomes faster or slower favours neither
side. Before that, each side runs once with two steps as a warm-up. Each case named "without" switches one exact saving
off. Those named "bfloat16" and "reuse" are approximate; "compiled" blocks are slow at their first use; "graphs" are
CUDA graphs. Both sides have the adapter added to the weights, as `pxs.load` does it.

DIR/results.json: {"device", "cases": {name: {"ours_s", "public_s", "ratio", "peak_gb"}}}. ratio is public / ours;
peak_gb is the peak memory of our side: that of the process on a CPU, that of tensors on a GPU.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from analysis.performance.memory import timed
from analysis.performance.public import Public, stock_pipeline
from analysis.performance.random_model import random_pipeline
from pxs.editing.bundled import BUNDLED
from pxs.editing.checkpoints import Checkpoint, load_checkpoint
from pxs.editing.editor import Editor, load
from pxs.editing.exact import DEFAULT, Savings
from pxs.editing.options import LoadOptions
from pxs.editing.portrait import Portrait
from pxs.errors import ModelError
from pxs.expressions import EXPRESSIONS, Mix, sweep
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds
from pxs.parsing import Parser, argument
from pxs.quantities import Whole
from pxs.storage.provenance import write_json

ALPHAS = (0.0, 0.5, 1.0, 1.5)
STEPS = {"mini": 20, "full": 50}
FEWEST = 2  # with a single step the stock schedule divides by zero
SWITCHES = tuple(f.name for f in fields(Savings) if f.default is True)
"""The savings that are on by default."""

Action = Callable[[int], object]
"""Something to time, given the number of denoising steps."""


@dataclass(frozen=True)
class Case:
    """One task, as `pxs` does it and as the public algorithm does it."""

    name: str
    ours: Action
    public: Action


@dataclass(frozen=True)
class Result:
    """Seconds, each the mean of two runs; ratio: public / ours; peak_gb: the peak memory of our side."""

    ours_s: float
    public_s: float
    ratio: float
    peak_gb: float


def sized_cases(checkpoint: Checkpoint, side: int) -> Iterator[Case]:
    """The basic tasks on a square picture of `side` pixels: open it, move a slider, sweep."""
    checkpoint = replace(checkpoint, resolution=side)
    portrait, public = _portrait(Editor(checkpoint)), Public(checkpoint.pipe, _face(side))
    one, four = [Mix(happy=0.7)], sweep("happy", ALPHAS)
    yield Case(f"open {side}", lambda _: _portrait(portrait.editor), lambda _: public.open())
    yield Case(f"slider {side}", _edit(portrait, one), lambda steps: public.edits(one, steps))
    yield sweep_case(f"sweep {side}", portrait.editor, public, four)


def detailed_cases(checkpoint: Checkpoint, side: int) -> Iterator[Case]:
    """The gallery, 12 expressions at 4 intensities; the sweep without each saving, compiled, and with reuse."""
    checkpoint = replace(checkpoint, resolution=side)
    public, four = Public(checkpoint.pipe, _face(side)), sweep("happy", ALPHAS)
    gallery = [Mix({e: a}) for e in EXPRESSIONS for a in ALPHAS]
    yield sweep_case(f"gallery {side}", Editor(checkpoint), public, gallery)
    for switch in SWITCHES:
        editor = Editor(checkpoint, replace(DEFAULT, **{switch: False}))
        yield sweep_case(f"sweep {side} without {switch}", editor, public, four)
    yield sweep_case(f"sweep {side} compiled", Editor(checkpoint, compile=True), public, four)
    yield sweep_case(f"sweep {side} reuse 0.1", Editor(checkpoint, reuse=0.1), public, four)


def mini_cases(device: str) -> Iterator[Case]:
    """All cases of the embedded model; those in bfloat16 are compared with the public algorithm in float32."""
    checkpoint = load_checkpoint("mini", options=LoadOptions(device, torch.float32))
    side, four = checkpoint.resolution, sweep("happy", ALPHAS)
    yield Case("load", lambda _: load("mini", device=device), lambda _: _load_stock(device))
    yield from sized_cases(checkpoint, side)
    yield from detailed_cases(checkpoint, side)
    half = load_checkpoint("mini", options=LoadOptions(device, torch.bfloat16))
    public = Public(checkpoint.pipe, _face(side))
    yield sweep_case(f"sweep {side} bfloat16", Editor(half), public, four)
    yield sweep_case(f"sweep {side} bfloat16 compiled", Editor(half, compile=True), public, four)


def _load_stock(device: str) -> object:
    pipe: Any = stock_pipeline(BUNDLED["mini"])  # its methods have no types
    return pipe.to(device)


def full_cases(device: str) -> Iterator[Case]:
    """All cases of the true size with random weights, in bfloat16; details at the smaller of the two sizes."""
    checkpoint = Checkpoint(random_pipeline(device), "random weights", "", 512)
    for side in (512, 1024):
        yield from sized_cases(checkpoint, side)
    yield from detailed_cases(checkpoint, 512)
    public, four = Public(checkpoint.pipe, _face(512)), sweep("happy", ALPHAS)
    yield sweep_case("sweep 512 graphs", Editor(checkpoint, Savings(graphs=True)), public, four)


def sweep_case(name: str, editor: Editor, public: Public, mixes: Sequence[Mix]) -> Case:
    """The edits of one picture. The time to open the picture is included."""
    return Case(name, lambda steps: _edit(_portrait(editor), mixes)(steps), lambda steps: public.edits(mixes, steps))


def _edit(portrait: Portrait, mixes: Sequence[Mix]) -> Action:
    return lambda steps: portrait.edit(mixes, steps=steps, progress=False)


def _portrait(editor: Editor) -> Portrait:
    """The face, opened and with its prompts encoded."""
    portrait = editor.open(_face(editor.checkpoint.resolution))
    _ = portrait.embeddings  # computed at this first use
    return portrait


def _face(side: int) -> Image.Image:
    return draw(Identity.sample(seeds("gallery", 1)[0]), size=side)


def measure(case: Case, steps: int, device: str) -> Result:
    """Time a case in the order ours, public, public, ours, after a warm-up of each side."""
    case.ours(FEWEST), case.public(FEWEST)
    first, peak = timed(lambda: case.ours(steps), device)
    public = [timed(lambda: case.public(steps), device)[0] for _ in range(2)]
    last, later_peak = timed(lambda: case.ours(steps), device)
    ours_s, public_s = (first + last) / 2, sum(public) / 2
    return Result(ours_s, public_s, public_s / ours_s, max(peak, later_peak) / 1e9)


def run(size: str, steps: int, words: Sequence[str] = ()) -> dict[str, Any]:
    """The content of results.json, for the cases whose names contain one of the words, or for all without words.

    Raises ModelError for the full size without a GPU.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if size == "full" and device == "cpu":
        raise ModelError("--size full needs a GPU with 70 GB of memory, and there is none here: use --size mini")
    results = {}
    for case in (mini_cases if size == "mini" else full_cases)(device):
        if not words or any(word in case.name for word in words):
            results[case.name] = measure(case, steps, device)
            print(row(case.name, results[case.name]), flush=True)
    rounded = {name: {k: round(v, 4) for k, v in vars(r).items()} for name, r in results.items()}
    return {"device": describe(device), "cases": rounded}


def describe(device: str) -> str:
    """The name of the device "cuda" or "cpu", for people."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.processor() or platform.machine()} CPU, {torch.get_num_threads()} threads"


HEADER = "| case | ours, s | public, s | ratio | peak, GB |\n|---|---|---|---|---|"


def row(name: str, result: Result) -> str:
    """One line of the table."""
    return f"| {name} | {result.ours_s:.3f} | {result.public_s:.3f} | {result.ratio:.2f} | {result.peak_gb:.2f} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table as it grows, write results.json; 2 after a mistake, which is printed as one line."""
    parser = Parser(prog="python -m analysis.performance.editing", description="Measure editing speed.")
    parser.add_argument("--size", choices=tuple(STEPS), default="mini", help="the embedded model, or the true size")
    parser.add_argument(
        "--steps",
        type=argument(Whole("steps", FEWEST, 1000)),
        help="denoising steps (default 20 for mini, 50 for full)",
    )
    parser.add_argument("--only", nargs="+", default=(), metavar="WORD", help="cases whose names contain one of these")
    parser.add_argument("--out", help="folder for results.json")
    return parser.run(_report, arguments)


def _report(args: argparse.Namespace) -> None:
    steps = STEPS[args.size] if args.steps is None else args.steps
    print(HEADER)
    results = run(args.size, steps, args.only)
    if args.out:
        print(write_json(Path(args.out) / "results.json", results))


if __name__ == "__main__":
    sys.exit(main())
