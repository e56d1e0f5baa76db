"""The picture at the top of the README: python -m analysis.gallery --out docs.

Six drawn faces that no model was trained on, three of each style, each with one expression at rising intensity.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

import pxs
from pxs.images import output_folder, sheet
from pxs.mini.faces import seeds

CAST = (
    ("happy", "human"),
    ("surprised", "anime"),
    ("angry", "human"),
    ("sad", "anime"),
    ("shy", "human"),
    ("disgust", "anime"),
)
SCALES = (0.0, 0.5, 1.0, 1.5)


def gallery(editor: pxs.Editor, first: int = 0) -> Image.Image:
    """Two sweeps in a row, labelled with the expression and the intensity."""
    rows = []
    for (expression, style), number in zip(CAST, seeds("gallery", len(CAST), first), strict=True):
        portrait = editor.open(pxs.draw(pxs.Identity.sample(number), style=style), style)
        rows.append(list(portrait.sweep(expression, SCALES, steps=20)))
    pairs = [a + b for a, b in zip(rows[::2], rows[1::2], strict=True)]
    names = [f"{CAST[i][0]} | {CAST[i + 1][0]}" for i in range(0, len(CAST), 2)]
    return sheet(pairs, row_labels=names, column_labels=[f"{a:g}" for a in SCALES] * 2)


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m analysis.gallery", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder for sweep.webp")
    args = parser.parse_args()
    path = output_folder(args.out) / "sweep.webp"
    gallery(pxs.load("mini")).save(path, quality=90)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
