"""Measure the embedded model: python -m pxs.mini.report [--out DIR] [--identities N].

Held-out identities, both styles. Pictures are compared with the ground-truth drawing in PSNR (dB, RGB, mean over
pictures); times are wall-clock on this machine, warm where that is said. `--out` writes results.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from pxs.expressions import DOMAINS, EXPRESSIONS, Mix, sweep
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds
from pxs.images import psnr, to_array
from pxs.storage.provenance import versions, write_json

STEPS = 20
FIRST = 1_000  # the first held-out identity of the report; the build looks at earlier ones
TOLERANCE = 2 / 255  # a pixel that no expression changes by more is background

FIGURES = {
    "vae_psnr": "VAE reconstruction, dB (the worse style)",
    "edit_psnr": "edits at intensity 1 against the drawing, dB (the worse style)",
    "background_psnr": "the same, only where no expression changes anything, dB (the worse style)",
    "neutral_psnr": "neutral edit of a neutral face against its source, dB (the worse style)",
    "sweep_s": f"sweep of 4 intensities, {STEPS} steps, warm, s",
    "load_s": "load the model, imports included, in a fresh process, s",
    "import_s": "import pxs in a fresh process, s",
    "batch_speedup": "one by one over batched time of that sweep",
    "batch_difference": "largest difference of the two in latents",
}


def measure(identities: int) -> dict[str, object]:
    """All figures; those of FIGURES, and per style and expression where they are made of parts."""
    import pxs

    editor = pxs.load("mini", adapter=None)
    parts = {style: _pictures(editor, style, seeds("held_out", identities, FIRST)) for style in DOMAINS}
    worst = {
        key: min(parts[s][key] for s in DOMAINS) for key in ("vae_psnr", "edit_psnr", "background_psnr", "neutral_psnr")
    }
    return {
        **worst,
        **_sweep_times(editor),
        "load_s": _fresh("import pxs; pxs.load('mini')"),
        "import_s": _fresh("import pxs"),
        "identities": identities,
        "steps": STEPS,
        "styles": parts,
        "provenance": editor.provenance | versions(),
    }


def background(identity: Identity, style: str) -> np.ndarray:
    """Mask (H, W) of the pixels that no expression at intensity 1 changes."""
    neutral = to_array(draw(identity, Mix(), style))
    masks = [
        np.abs(to_array(draw(identity, Mix({e: 1}), style)) - neutral).max(axis=2) <= TOLERANCE for e in EXPRESSIONS
    ]
    return np.logical_and.reduce(masks)


def _pictures(editor, style: str, numbers: list[int]) -> dict[str, object]:
    """Picture figures of one style."""
    mixes = [Mix(), *(Mix({e: 1}) for e in EXPRESSIONS)]
    rows: dict[str, list[float]] = {"vae_psnr": [], "neutral_psnr": [], "background_psnr": []}
    by_expression: dict[str, list[float]] = {e: [] for e in EXPRESSIONS}
    for number in tqdm(numbers, desc=style, mininterval=10):
        identity = Identity.sample(number)
        source, mask = draw(identity, Mix(), style), background(identity, style)
        portrait = editor.open(source, style)
        rows["vae_psnr"].append(psnr(to_array(editor.decode(portrait.latents)[0]), to_array(source)))
        neutral, *edits = portrait.edit(mixes, seed=number, steps=STEPS, progress=False)
        rows["neutral_psnr"].append(psnr(to_array(neutral), to_array(source)))
        for expression, mix, image in zip(EXPRESSIONS, mixes[1:], edits, strict=True):
            truth = to_array(draw(identity, mix, style))
            by_expression[expression].append(psnr(to_array(image), truth))
            rows["background_psnr"].append(psnr(to_array(image), truth, mask))
    figures: dict[str, object] = {key: float(np.mean(values)) for key, values in rows.items()}
    figures["edit_psnr_by_expression"] = {e: float(np.mean(v)) for e, v in by_expression.items()}
    figures["edit_psnr"] = float(np.mean([v for values in by_expression.values() for v in values]))
    return figures


def _sweep_times(editor) -> dict[str, float]:
    """Warm times of a sweep, batched and one by one, and how far their latents differ."""
    mixes = sweep("happy", (0, 0.5, 1, 1.5))
    portrait = editor.open(draw(Identity.sample(seeds("gallery", 1)[0])))

    def last(chosen: list[Mix]):
        return list(portrait.steps(chosen, steps=STEPS))[-1].latents

    together = last(mixes)
    alone = [last([mix])[0] for mix in mixes]
    batched = _best(lambda: portrait.edit(mixes, steps=STEPS, progress=False))
    single = _best(lambda: [portrait.edit(mix, steps=STEPS, progress=False) for mix in mixes])
    difference = max(float((a - b).abs().max()) for a, b in zip(together, alone, strict=True))
    return {"sweep_s": batched, "batch_speedup": single / batched, "batch_difference": difference}


def _best(action: Callable[[], object], repeats: int = 3) -> float:
    """The shortest of a few wall-clock times, in seconds."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return min(times)


def _fresh(code: str, repeats: int = 3) -> float:
    """Seconds that `code` takes in a fresh Python process; the shortest of a few."""
    timed = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True)
        for _ in range(repeats)
    ]
    return min(float(run.stdout.split()[-1]) for run in runs)


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m pxs.mini.report", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="folder for results.json")
    parser.add_argument("--identities", type=int, default=64, help="held-out identities of each style (default 64)")
    args = parser.parse_args()
    results = measure(args.identities)
    for key, meaning in FIGURES.items():
        print(f"{key:18} {results[key]:9.4g}   {meaning}")
    if args.out:
        print(f"wrote {write_json(args.out / 'results.json', results)}")


if __name__ == "__main__":
    main()
