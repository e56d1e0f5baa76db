"""The pictures of README.md and docs/results.md: python -m analysis.gallery --out docs --figures FILE.png ...

sweep.webp: six drawn faces that no model was trained on, three of each style, each with one expression at rising
intensity. The figures are those that the notebooks wrote, reduced in size.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

import pxs
from pxs.faces.identity import seeds
from pxs.images import open_image, sheet
from pxs.parsing import Parser
from pxs.storage.files import output_folder

CAST = (
    ("happy", "human"),
    ("surprised", "anime"),
    ("angry", "human"),
    ("sad", "anime"),
    ("shy", "human"),
    ("disgust", "anime"),
)
SCALES = (0.0, 0.5, 1.0, 1.5)
SIDE = 1600  # maximal width and height of a figure, pixels


def gallery(editor: pxs.Editor, first: int = 0) -> Image.Image:
    """Sweeps of the CAST, two in each row, labelled with expression and intensity, of the faces from `first` on."""
    rows = []
    for (expression, style), number in zip(CAST, seeds("gallery", len(CAST), first), strict=True):
        portrait = editor.open(pxs.draw(pxs.Identity.sample(number), style=style), style)
        rows.append(list(portrait.sweep(expression, SCALES, steps=20)))
    pairs = [a + b for a, b in zip(rows[::2], rows[1::2], strict=True)]
    names = [f"{CAST[i][0]} | {CAST[i + 1][0]}" for i in range(0, len(CAST), 2)]
    return sheet(pairs, row_labels=names, column_labels=[f"{a:g}" for a in SCALES] * 2)


def figures(sources: Sequence[Path], folder: Path) -> Iterator[Path]:
    """Convert PNG figures to WebP of at most SIDE x SIDE pixels, with the same names; yields each new file."""
    for source in sources:
        with open_image(source) as picture:
            picture.thumbnail((SIDE, SIDE))
            target = folder / f"{source.stem}.webp"
            picture.save(target, quality=90)
        yield target


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status."""
    parser = Parser(prog="python -m analysis.gallery", description="Make the pictures of the documentation.")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder for sweep.webp and the figures")
    parser.add_argument("--figures", type=Path, nargs="*", default=[], help="PNG figures of the notebooks")
    return parser.run(_make, arguments)


def _make(args: argparse.Namespace) -> None:
    folder = output_folder(args.out)
    made = [*figures(args.figures, folder), folder / "sweep.webp"]
    gallery(pxs.load("mini")).save(made[-1], quality=90)
    print(*made, sep="\n")


if __name__ == "__main__":
    sys.exit(main())
