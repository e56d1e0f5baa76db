"""Measure the embedded judges on held-out drawings: python -m pxs.mini.report_judges [--out DIR] [--identities N].

Identities that no network was trained on, both styles; every expression at 0.2, 0.4, ..., 1. `--out` writes JSON.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from pxs.encoders.features import MiniFeatures
from pxs.encoders.identity import MiniIdentityEncoder
from pxs.expressions import DOMAINS, EXPRESSIONS, Mix
from pxs.faces.identity import seeds
from pxs.faces.render import Drawing, render
from pxs.judging.expression import MiniExpression
from pxs.judging.identity import MiniIdentity
from pxs.mini.train_judges import auc, similarities
from pxs.storage.provenance import versions, write_json

FIRST = 20_000  # the first held-out identity; the build's own checks look at others
INTENSITIES = (0.2, 0.4, 0.6, 0.8, 1.0)


def measure(identities: int) -> dict[str, object]:
    """All figures, per style where that is said."""
    numbers = seeds("held_out", identities, FIRST)
    return {
        "identities": identities,
        "expression": {style: _expression(numbers, style) for style in DOMAINS},
        **{judge.name.split()[0]: _identity(judge, numbers) for judge in (MiniIdentity(), MiniIdentityEncoder())},
        "mini-features": _features(numbers),
        "versions": versions(),
    }


def _expression(numbers: list[int], style: str) -> dict[str, object]:
    """Accuracy at intensity 1, mean judged intensity at each asked one (calibration), and errors over all 12 scores."""
    plan = [Drawing(n, Mix({e: a}), style) for n, e, a in product(numbers, EXPRESSIONS, INTENSITIES)]
    judged = np.array([mix.vector() for mix in MiniExpression().judge(_images(plan))])
    asked = np.array([d.mix.vector() for d in plan])
    grid = judged.reshape(len(numbers), len(EXPRESSIONS), len(INTENSITIES), len(EXPRESSIONS))
    own = np.stack([grid[:, i, :, i] for i in range(len(EXPRESSIONS))], axis=1)
    hits = grid[:, :, -1].argmax(axis=2) == np.arange(len(EXPRESSIONS))
    neutral = MiniExpression().judge(_images([Drawing(n, Mix(), style) for n in numbers]))
    return {
        "accuracy": float(hits.mean()),
        "accuracy_of": dict(zip(EXPRESSIONS, hits.mean(axis=0).round(4).tolist(), strict=True)),
        "calibration": dict(zip(map(str, INTENSITIES), own.mean(axis=(0, 1)).round(4).tolist(), strict=True)),
        "mean_error": float(np.abs(judged - asked).mean()),
        "error_of_the_target": float(np.abs(own - np.array(INTENSITIES)).mean()),
        "strongest_in_a_neutral_face": float(np.mean([max(m.vector()) for m in neutral])),
    }


def _identity(judge: MiniIdentity, numbers: list[int]) -> dict[str, float]:
    """Cosines of the same person with different expressions, and of different people, and how well they separate."""
    plan = [Drawing(n, Mix({e: 1}), style) for style, n, e in product(DOMAINS, numbers, EXPRESSIONS)]
    people = np.unique([f"{d.style}{d.seed}" for d in plan], return_inverse=True)[1]
    same, other = similarities(judge.embed(_images(plan)), people)
    return {"same": float(same.mean()), "other": float(other.mean()), "auc": auc(same, other)}


def _features(numbers: list[int]) -> dict[str, float]:
    """How often the nearest picture of another person shows the same expression."""
    plan = [Drawing(n, Mix({e: 1}), style) for style, n, e in product(DOMAINS, numbers, EXPRESSIONS)]
    vectors = MiniFeatures().embed(_images(plan))
    people = np.array([d.seed for d in plan])
    shown = np.array([next(iter(d.mix)) for d in plan])
    cosine = np.where(people[:, None] == people, -2, vectors @ vectors.T)
    return {"nearest_shows_the_same": float((shown[cosine.argmax(axis=1)] == shown).mean())}


def _images(plan: list[Drawing]) -> list[Image.Image]:
    return [Image.fromarray(p) for p in render(plan, workers=1)]


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m pxs.mini.report_judges", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="folder for results.json")
    parser.add_argument("--identities", type=int, default=24, help="held-out identities (default 24)")
    args = parser.parse_args()
    results = measure(args.identities)
    for style, row in results["expression"].items():
        print(f"expression, {style}: accuracy {row['accuracy']:.3f}, calibration {row['calibration']}")
        print(f"    mean error {row['mean_error']:.4f}, of the target {row['error_of_the_target']:.3f}")
    for name in ("mini-identity", "mini-identity-loss", "mini-features"):
        print(f"{name}: { ({k: round(v, 4) for k, v in results[name].items()}) }")
    if args.out:
        print(f"wrote {write_json(args.out / 'results.json', results)}")


if __name__ == "__main__":
    main()
