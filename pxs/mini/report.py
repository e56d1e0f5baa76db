"""Measure the embedded model: python -m pxs.mini.report [--model MODEL] [--adapter own] [--styles STYLE ...].

Uses held-out people. Pictures are compared with the ground truth by PSNR (dB, RGB, mean over pictures). Times are
wall-clock times on this machine; "warm" means after a first run. `--out` writes results.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from pxs.editing.adapters import DEFAULT_ADAPTER, Choice
from pxs.editing.editor import Editor, load
from pxs.expressions import DOMAINS, Mix, sweep
from pxs.faces import STYLES
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds
from pxs.mini.accuracy import measure_style
from pxs.parsing import Parser, argument
from pxs.quantities import COUNT
from pxs.storage.provenance import versions, write_json

STEPS = 20
FIRST = 1_000  # index of the first held-out identity of the report; the build checks on earlier ones

ADAPTERS: dict[str, Choice] = {"none": None, "own": DEFAULT_ADAPTER}
FIGURES = {
    "vae_psnr": "VAE reconstruction, dB (the worse style)",
    "edit_psnr": "edits at intensity 1 against the ground truth, dB (the worse style)",
    "gain": "the same, on the pixels that change, less the PSNR of the unedited source, dB (the worse style)",
    "background_psnr": "the same, on the pixels that no expression changes, dB (the worse style)",
    "neutral_psnr": "neutral edit of a neutral face against its source, dB (the worse style)",
    "sweep_s": f"sweep of 4 intensities, {STEPS} steps, warm, s",
    "load_s": "load the model, imports included, in a fresh process, s",
    "import_s": "import pxs in a fresh process, s",
    "batch_speedup": "time of that sweep image by image, divided by its time as one batch",
    "batch_difference": "largest difference between the two, in latents",
}


def measure(
    identities: int, model: str = "mini", styles: Sequence[str] = tuple(DOMAINS), adapter: str = "none"
) -> dict[str, Any]:
    """The figures named in FIGURES, measured on this many people of each style, and the figures of each style.

    `adapter` is one of ADAPTERS.
    """
    editor = load(model, adapter=ADAPTERS[adapter])
    numbers = seeds("held_out", identities, FIRST)
    by_style: dict[str, Any] = {style: measure_style(editor, style, numbers, STEPS) for style in styles}
    keys = ("vae_psnr", "edit_psnr", "gain", "background_psnr", "neutral_psnr")
    worst = {key: min(figures[key] for figures in by_style.values()) for key in keys}
    return {
        **worst,
        **_sweep_times(editor),
        "load_s": _process_time("import pxs; pxs.load('mini')"),
        "import_s": _process_time("import pxs"),
        "identities": identities,
        "steps": STEPS,
        "styles": by_style,
        "provenance": editor.provenance | versions(),
    }


def _sweep_times(editor: Editor) -> dict[str, float]:
    """Warm times of a sweep as one batch and image by image, and the largest difference of their latents."""
    mixes = sweep("happy", (0, 0.5, 1, 1.5))
    portrait = editor.open(draw(Identity.sample(seeds("gallery", 1)[0])))

    def last(chosen: list[Mix]) -> Tensor:
        return list(portrait.steps(chosen, steps=STEPS))[-1].latents

    together = last(mixes)
    alone = [last([mix])[0] for mix in mixes]
    batched = _shortest(lambda: portrait.edit(mixes, steps=STEPS, progress=False))
    single = _shortest(lambda: [portrait.edit(mix, steps=STEPS, progress=False) for mix in mixes])
    difference = max(float((a - b).abs().max()) for a, b in zip(together, alone, strict=True))
    return {"sweep_s": batched, "batch_speedup": single / batched, "batch_difference": difference}


def _shortest(action: Callable[[], object], repeats: int = 3) -> float:
    """The shortest wall-clock time of `repeats` calls, in seconds."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return min(times)


def _process_time(code: str, repeats: int = 3) -> float:
    """The shortest time of `code` in `repeats` new Python processes, in seconds."""
    timed = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True)
        for _ in range(repeats)
    ]
    return min(float(run.stdout.split()[-1]) for run in runs)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status."""
    parser = Parser(prog="python -m pxs.mini.report", description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="mini", help="mini, mini-portrait, or a folder (default mini)")
    parser.add_argument("--styles", nargs="+", choices=STYLES, default=list(DOMAINS), help="default: human anime")
    parser.add_argument("--adapter", choices=ADAPTERS, default="none", help="none, or the model's own (default none)")
    parser.add_argument("--out", type=Path, help="folder for results.json")
    kind = argument(COUNT.named("identities"))
    parser.add_argument("--identities", type=kind, default=64, help="held-out identities of each style (default 64)")
    return parser.run(_report, arguments)


def _report(args: argparse.Namespace) -> None:
    results = measure(args.identities, args.model, args.styles, args.adapter)
    for key, meaning in FIGURES.items():
        print(f"{key:18} {results[key]:9.4g}   {meaning}")
    for style, figures in results["styles"].items():
        print(style, *(f"{e} {gain:.1f}" for e, gain in figures["gain_by_expression"].items()), sep="  ")
    if args.out:
        print(f"wrote {write_json(args.out / 'results.json', results)}")


if __name__ == "__main__":
    sys.exit(main())
