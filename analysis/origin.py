"""Where the scale of intensities begins: python -m analysis.origin.

At intensity 0 an editor draws a neutral face, and loses some of the likeness. Ways to begin at the source instead, on
drawn people that neither a training nor the benchmark has seen, each neutral in the source:

    neutral         nothing is done
    keep            the velocity moves from that under the prompt "Keep the image the same" to the model's own
    pulled          the velocity moves from the exact one of the source, (x - z) / s, to the model's own
    adaptive        adaptive-origin guidance (arXiv 2602.03826) with the exact velocity of the source as the origin
    source_latents  zero="source" (pxs/editing/zero.py), without the detail that the VAE loses
    source          zero="source"

The velocity's weight w is that of zero.py, with FULL = 1, for all. Prints for each way: ID Sim to the source (cosine of
the embedded judge), PSNR to the source and to the drawing of that intensity (dB; at most 99), the intensity that is
shown, that of the nearest drawing, and the passes of the transformer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from analysis.intensity import measured_intensity, truth
from pxs.editing.editor import load
from pxs.editing.portrait import Portrait
from pxs.editing.sampling import Grid, Prepare, Velocity, pack
from pxs.editing.zero import from_source, model_share, with_detail
from pxs.expressions import DOMAINS, EXPRESSIONS, NEUTRAL, Mix, sweep
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds
from pxs.images import psnr, to_array
from pxs.judging import identity_judge
from pxs.judging.identity import IdentityJudge
from pxs.parsing import Parser, argument
from pxs.quantities import COUNT, STEPS

INTENSITIES = (0.0, 0.1, 0.25, 0.5, 1.0)
MEASURES = ("ID Sim", "PSNR to the source", "PSNR to the drawing", "shown")
COLUMNS = dict(zip(MEASURES, ((0, 3, 4), (0,), (2, 3, 4), (1, 2, 3, 4)), strict=True))  # of INTENSITIES, in the table
FIRST = 6_000  # number of the first person among those held out
HIGHEST = 99.0  # PSNR of equal pictures
KEEP = "Keep the image the same"
SEED = 42


At = Callable[[str], Tensor]
"""The velocity (B, tokens, C) of a step: the model's "own", that under the "neutral" prompt or "keep", or the "exact"
one of the source."""

BLENDS: Mapping[str, Callable[[At, Tensor], Tensor]] = {
    "keep": lambda at, w: torch.lerp(at("keep"), at("own"), w),
    "pulled": lambda at, w: torch.lerp(at("exact"), at("own"), w),
    "adaptive": lambda at, w: at("own") + (1 - w) * (at("exact") - at("neutral")),
}
"""From the velocities of a step and weights w (B, 1, 1) to the velocity that is used."""

PASSES = {"neutral": "1", "keep": "2", "pulled": "1", "adaptive": "2", "source_latents": "1 + 1/N", "source": "1 + 1/N"}
"""Passes of the transformer, for each of N edits and each step."""


def blended(portrait: Portrait, way: str, shares: Sequence[float]) -> Prepare:
    """How to run the transformer for one of BLENDS, with these weights w."""
    editor, source = portrait.editor, pack(portrait.latents)
    [keep] = editor.recipe.encode(editor.pipe, portrait.prepared.described, [KEEP], editor.recipe.see)
    weights = torch.tensor(shares)[:, None, None]

    def prepared(transformer: Any, times: Tensor, control: Tensor, text: Tensor, grid: Grid) -> Velocity:
        all_rows = {"neutral": portrait.embeddings[NEUTRAL], "keep": keep}
        texts = {"own": text, **{name: one.repeat(len(text), 1, 1) for name, one in all_rows.items()}}
        runs = {name: editor.prepare(transformer, times, control, rows, grid) for name, rows in texts.items()}

        def velocity(index: int, latents: Tensor) -> Tensor:
            def at(name: str) -> Tensor:
                return (latents - source) / times[index] if name == "exact" else runs[name](index, latents)

            return BLENDS[way](at, weights)

        return velocity

    return prepared


def edits(portrait: Portrait, mixes: Sequence[Mix], steps: int) -> Iterator[tuple[str, list[Image.Image]]]:
    """The model's own pictures of mixes by each of PASSES."""
    editor, shares = portrait.editor, [model_share(mix) for mix in mixes]
    text = editor.recipe.interpolate(portrait.embeddings, mixes)
    corrected = from_source(editor.prepare, pack(portrait.latents), portrait.embeddings[NEUTRAL][None], shares)
    ways = {"neutral": editor.prepare, **{way: blended(portrait, way, shares) for way in BLENDS}}
    for way, prepare in {**ways, "source_latents": corrected}.items():
        *_, last = portrait.denoise(text, SEED, steps, prepare)
        pictures = portrait.preview(last.latents)
        yield way, pictures
    [decoded] = editor.decode(portrait.latents)
    yield "source", [with_detail(one, portrait.fitted, decoded, w) for one, w in zip(pictures, shares, strict=True)]


def measure(people: int, steps: int) -> dict[str, NDArray[np.float64]]:
    """MEASURES x INTENSITIES of each way, means over people with two expressions each."""
    editor, judge = load("mini"), identity_judge("mini")
    found: dict[str, list[NDArray[np.float64]]] = {way: [] for way in PASSES}
    numbers = list(enumerate(seeds("held_out", people, FIRST)))
    for index, number in tqdm(numbers, desc="measure", leave=False, disable=not sys.stderr.isatty()):
        person, style = Identity.sample(number), list(DOMAINS)[index % 2]
        portrait = editor.open(draw(person, style=style), style)
        for name in (EXPRESSIONS[2 * index % 12], EXPRESSIONS[(2 * index + 7) % 12]):
            made = dict(edits(portrait, sweep(name, INTENSITIES), steps))
            shown = measured_intensity([one for way in PASSES for one in made[way]], person, name, style)
            drawings = truth(person, sweep(name, INTENSITIES), style, portrait.source.width)
            for way, row in zip(PASSES, shown.reshape(len(PASSES), -1), strict=True):
                found[way].append(np.array([*_compared(judge, portrait.source, drawings, made[way]), row]))
    return {way: np.mean(rows, axis=0) for way, rows in found.items()}


def _compared(
    judge: IdentityJudge, source: Image.Image, drawings: Sequence[Image.Image], pictures: Sequence[Image.Image]
) -> tuple[list[float], list[float], list[float]]:
    """The first three of MEASURES for pictures at INTENSITIES."""
    first, *others = judge.embed([source, *pictures])
    return (
        [float(first @ other) for other in others],
        [_psnr(one, source) for one in pictures],
        [_psnr(one, drawing) for one, drawing in zip(pictures, drawings, strict=True)],
    )


def _psnr(a: Image.Image, b: Image.Image) -> float:
    return min(psnr(to_array(a), to_array(b)), HIGHEST)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status."""
    parser = Parser(prog="python -m analysis.origin", description="Compare ways to begin at the source.")
    parser.add_argument("--people", type=argument(COUNT.named("people")), default=4, help="drawn people (default 4)")
    parser.add_argument("--steps", type=argument(STEPS), default=12, help="denoising steps (default 12)")
    return parser.run(_print, arguments)


def table(found: Mapping[str, NDArray[np.float64]]) -> str:
    """A Markdown table of what `measure` returns, a row a way."""
    heads = [f"{name} at {' / '.join(f'{INTENSITIES[i]:g}' for i in places)}" for name, places in COLUMNS.items()]
    lines = ["| " + " | ".join(["way", *heads, "passes"]) + " |", "|---" * (len(heads) + 2) + "|"]
    for way, rows in found.items():
        cells = []
        for name, places in COLUMNS.items():
            digits = 1 if name.startswith("PSNR") else 3
            cells.append(" / ".join(f"{rows[MEASURES.index(name), i]:.{digits}f}" for i in places))
        lines.append("| " + " | ".join([way, *cells, PASSES[way]]) + " |")
    return "\n".join(lines)


def _print(args: argparse.Namespace) -> None:
    print(table(measure(args.people, args.steps)))


if __name__ == "__main__":
    sys.exit(main())
