"""Contact sheets of a model: python -m pxs.mini.sheet --out FOLDER [--model MODEL] [--style STYLE] [--people N].

edits.webp      held-out people x (source, the 12 expressions at intensity 1)
compared.webp   the first of them, each truth above edit

The people are those of `python -m pxs.mini.report`: no model was trained on them, and no setting was chosen by them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from pxs.editing.editor import Editor, load
from pxs.expressions import EXPRESSIONS, Mix
from pxs.faces import STYLES, domain
from pxs.faces.identity import seeds
from pxs.images import sheet
from pxs.mini.accuracy import Face
from pxs.mini.report import FIRST, STEPS
from pxs.parsing import Parser, argument
from pxs.quantities import COUNT
from pxs.storage.files import output_folder

COMPARED = 6  # people of compared.webp
COLUMNS = ("source", *EXPRESSIONS)
Row = list[Image.Image]


def edited(editor: Editor, face: Face, number: int) -> Row:
    """The source and its edits to every expression at intensity 1; `number` is the seed of the noise."""
    portrait = editor.open(face.source, domain(face.style))
    return [face.source, *portrait.edit([Mix({e: 1}) for e in EXPRESSIONS], seed=number, steps=STEPS, progress=False)]


def sheets(editor: Editor, style: str, people: int) -> tuple[Image.Image, Image.Image]:
    """Both sheets of this many people of one style."""
    rows: list[Row] = []
    both: list[Row] = []
    for number in tqdm(seeds("held_out", people, FIRST), desc=style, mininterval=10):
        face = Face.sample(number, style, editor.checkpoint.resolution)
        rows.append(edited(editor, face, number))
        if len(rows) <= COMPARED:
            truth = np.rint(face.truth * 255).astype(np.uint8)
            both += [[Image.fromarray(picture) for picture in truth], rows[-1]]
    return sheet(rows, column_labels=COLUMNS), sheet(both, ["truth", "edit"] * (len(both) // 2), COLUMNS)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status."""
    parser = Parser(prog="python -m pxs.mini.sheet", description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="mini", help="a bundled model, or a folder (default mini)")
    parser.add_argument("--style", choices=STYLES, default="human", help="of the people (default human)")
    parser.add_argument("--people", type=argument(COUNT.named("people")), default=24, help="how many (default 24)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the two sheets")
    return parser.run(_make, arguments)


def _make(args: argparse.Namespace) -> None:
    folder = output_folder(args.out)
    made = sheets(load(args.model), args.style, args.people)
    for name, page in zip(("edits.webp", "compared.webp"), made, strict=True):
        page.save(folder / name, quality=80, method=6)
        print(f"wrote {folder / name}")


if __name__ == "__main__":
    sys.exit(main())
