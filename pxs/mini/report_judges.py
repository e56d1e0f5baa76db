"""Measure the embedded judges and encoders: python -m pxs.mini.report_judges [--out DIR] [--identities N].

Uses drawings of both styles, of identities that no network was trained on, with every expression at intensities 0.2,
0.4, 0.6, 0.8 and 1. `--out` writes results.json.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pxs.encoders.features import MiniFeatures
from pxs.encoders.identity import MiniIdentityEncoder
from pxs.encoders.networks import Embedder
from pxs.expressions import DOMAINS, EXPRESSIONS, Mix
from pxs.faces.identity import seeds
from pxs.faces.render import Drawing, render
from pxs.judging.expression import MiniExpression
from pxs.judging.identity import MiniIdentity
from pxs.mini.train_judges import auc, similarities
from pxs.parsing import Parser, argument
from pxs.quantities import COUNT
from pxs.storage.provenance import versions, write_json

FIRST = 20_000  # index of the first held-out identity; the checks of the build use others
INTENSITIES = (0.2, 0.4, 0.6, 0.8, 1.0)


def measure(identities: int) -> dict[str, Any]:
    """All figures on this many identities; those of the expression judge for each style."""
    chosen = seeds("held_out", identities, FIRST)
    networks: tuple[Embedder, ...] = (MiniIdentity(), MiniIdentityEncoder())
    return {
        "identities": identities,
        "expression": {style: _expression_figures(chosen, style) for style in DOMAINS},
        **{network.name.split()[0]: _identity_figures(network, chosen) for network in networks},
        "mini-features": _feature_figures(chosen),
        "versions": versions(),
    }


def _expression_figures(identities: list[int], style: str) -> dict[str, Any]:
    """Accuracy at intensity 1, mean score of the shown expression at each intensity (calibration), and errors."""
    drawings = [Drawing(n, Mix({e: a}), style) for n, e, a in product(identities, EXPRESSIONS, INTENSITIES)]
    scores = np.array([mix.vector() for mix in MiniExpression().judge(_images(drawings))])
    truth = np.array([d.mix.vector() for d in drawings])
    grid = scores.reshape(len(identities), len(EXPRESSIONS), len(INTENSITIES), len(EXPRESSIONS))
    own = np.stack([grid[:, i, :, i] for i in range(len(EXPRESSIONS))], axis=1)
    hits = grid[:, :, -1].argmax(axis=2) == np.arange(len(EXPRESSIONS))
    neutral = MiniExpression().judge(_images([Drawing(n, Mix(), style) for n in identities]))
    return {
        "accuracy": float(hits.mean()),
        "accuracy_of": dict(zip(EXPRESSIONS, hits.mean(axis=0).round(4).tolist(), strict=True)),
        "calibration": dict(zip(map(str, INTENSITIES), own.mean(axis=(0, 1)).round(4).tolist(), strict=True)),
        "mean_error": float(np.abs(scores - truth).mean()),
        "error_of_the_target": float(np.abs(own - np.array(INTENSITIES)).mean()),
        "strongest_in_a_neutral_face": float(np.mean([max(m.vector()) for m in neutral])),
    }


def _identity_figures(network: Embedder, identities: list[int]) -> dict[str, float]:
    """Mean cosine of pictures of the same person and of different people, and the area under the ROC curve."""
    drawings = [Drawing(n, Mix({e: 1}), style) for style, n, e in product(DOMAINS, identities, EXPRESSIONS)]
    people = np.unique([f"{d.style}{d.seed}" for d in drawings], return_inverse=True)[1]
    same, other = similarities(network.embed(_images(drawings)), people)
    return {"same": float(same.mean()), "other": float(other.mean()), "auc": auc(same, other)}


def _feature_figures(identities: list[int]) -> dict[str, float]:
    """The share of the pictures whose nearest picture of another person shows the same expression."""
    drawings = [Drawing(n, Mix({e: 1}), style) for style, n, e in product(DOMAINS, identities, EXPRESSIONS)]
    vectors = MiniFeatures().embed(_images(drawings))
    people = np.array([d.seed for d in drawings])
    shown = np.array([next(iter(d.mix)) for d in drawings])
    cosine = np.where(people[:, None] == people, -2, vectors @ vectors.T)
    return {"nearest_shows_the_same": float((shown[cosine.argmax(axis=1)] == shown).mean())}


def _images(drawings: list[Drawing]) -> list[Image.Image]:
    return [Image.fromarray(picture) for picture in render(drawings, workers=1)]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status."""
    parser = Parser(prog="python -m pxs.mini.report_judges", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="folder for results.json")
    kind = argument(COUNT.named("identities"))
    parser.add_argument("--identities", type=kind, default=24, help="held-out identities (default 24)")
    return parser.run(_report, arguments)


def _report(args: argparse.Namespace) -> None:
    results = measure(args.identities)
    for style, figures in results["expression"].items():
        print(f"expression, {style}: accuracy {figures['accuracy']:.3f}, calibration {figures['calibration']}")
        print(f"    mean error {figures['mean_error']:.4f}, of the target {figures['error_of_the_target']:.3f}")
    for name in ("mini-identity", "mini-identity-loss", "mini-features"):
        print(f"{name}: { ({k: round(v, 4) for k, v in results[name].items()}) }")
    if args.out:
        print(f"wrote {write_json(args.out / 'results.json', results)}")


if __name__ == "__main__":
    sys.exit(main())
