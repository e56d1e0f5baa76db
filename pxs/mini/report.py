"""Measure the embedded model: python -m pxs.mini.report [--out DIR] [--identities N].

Uses held-out identities of both styles. Pictures are compared with the ground-truth drawing by PSNR (dB, RGB, mean over
pictures). Times are wall-clock times on this machine; "warm" means after a first run. `--out` writes results.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from pxs.editing.editor import Editor, load
from pxs.expressions import DOMAINS, EXPRESSIONS, Mix, sweep
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds
from pxs.images import psnr, to_array
from pxs.parsing import Parser, argument
from pxs.quantities import COUNT
from pxs.storage.provenance import versions, write_json

STEPS = 20
FIRST = 1_000  # index of the first held-out identity of the report; the build checks on earlier ones
TOLERANCE = 2 / 255  # background: pixels that no expression changes by more than this

FIGURES = {
    "vae_psnr": "VAE reconstruction, dB (the worse style)",
    "edit_psnr": "edits at intensity 1 against the drawing, dB (the worse style)",
    "background_psnr": "the same, on the pixels that no expression changes, dB (the worse style)",
    "neutral_psnr": "neutral edit of a neutral face against its source, dB (the worse style)",
    "sweep_s": f"sweep of 4 intensities, {STEPS} steps, warm, s",
    "load_s": "load the model, imports included, in a fresh process, s",
    "import_s": "import pxs in a fresh process, s",
    "batch_speedup": "time of that sweep image by image, divided by its time as one batch",
    "batch_difference": "largest difference between the two, in latents",
}


def measure(identities: int) -> dict[str, Any]:
    """The figures named in FIGURES, measured on this many identities of each style, and the figures of each style."""
    editor = load("mini", adapter=None)
    styles = {style: _picture_figures(editor, style, seeds("held_out", identities, FIRST)) for style in DOMAINS}
    keys = ("vae_psnr", "edit_psnr", "background_psnr", "neutral_psnr")
    worst = {key: min(styles[style][key] for style in DOMAINS) for key in keys}
    return {
        **worst,
        **_sweep_times(editor),
        "load_s": _process_time("import pxs; pxs.load('mini')"),
        "import_s": _process_time("import pxs"),
        "identities": identities,
        "steps": STEPS,
        "styles": styles,
        "provenance": editor.provenance | versions(),
    }


def background(identity: Identity, style: str) -> NDArray[np.bool_]:
    """Mask (128, 128) of the pixels that no expression at intensity 1 changes by more than TOLERANCE."""
    neutral = to_array(draw(identity, Mix(), style))
    masks = [
        np.abs(to_array(draw(identity, Mix({e: 1}), style)) - neutral).max(axis=2) <= TOLERANCE for e in EXPRESSIONS
    ]
    unchanged: NDArray[np.bool_] = np.logical_and.reduce(masks)
    return unchanged


def _picture_figures(editor: Editor, style: str, identities: list[int]) -> dict[str, Any]:
    """Mean PSNR (dB) of reconstructions and edits in one style; `identities` are seeds."""
    mixes = [Mix(), *(Mix({e: 1}) for e in EXPRESSIONS)]
    values: dict[str, list[float]] = {"vae_psnr": [], "neutral_psnr": [], "background_psnr": []}
    by_expression: dict[str, list[float]] = {e: [] for e in EXPRESSIONS}
    for seed in tqdm(identities, desc=style, mininterval=10):
        identity = Identity.sample(seed)
        source, mask = draw(identity, Mix(), style), background(identity, style)
        portrait = editor.open(source, style)
        values["vae_psnr"].append(psnr(to_array(editor.decode(portrait.latents)[0]), to_array(source)))
        neutral, *edits = portrait.edit(mixes, seed=seed, steps=STEPS, progress=False)
        values["neutral_psnr"].append(psnr(to_array(neutral), to_array(source)))
        for expression, mix, image in zip(EXPRESSIONS, mixes[1:], edits, strict=True):
            truth = to_array(draw(identity, mix, style))
            by_expression[expression].append(psnr(to_array(image), truth))
            values["background_psnr"].append(psnr(to_array(image), truth, mask))
    figures: dict[str, Any] = {key: float(np.mean(v)) for key, v in values.items()}
    figures["edit_psnr_by_expression"] = {e: float(np.mean(v)) for e, v in by_expression.items()}
    figures["edit_psnr"] = float(np.mean([v for psnrs in by_expression.values() for v in psnrs]))
    return figures


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
    parser.add_argument("--out", type=Path, help="folder for results.json")
    kind = argument(COUNT.named("identities"))
    parser.add_argument("--identities", type=kind, default=64, help="held-out identities of each style (default 64)")
    return parser.run(_report, arguments)


def _report(args: argparse.Namespace) -> None:
    results = measure(args.identities)
    for key, meaning in FIGURES.items():
        print(f"{key:18} {results[key]:9.4g}   {meaning}")
    if args.out:
        print(f"wrote {write_json(args.out / 'results.json', results)}")


if __name__ == "__main__":
    sys.exit(main())
