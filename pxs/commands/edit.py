"""`pxs edit`: one picture, at several intensities of an expression or in one mix."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pxs.commands.arguments import (
    adapter_of,
    add_model,
    add_picture,
    add_recipe,
    load_editor,
    load_options,
    refuse_existing,
    whole_number,
)
from pxs.errors import ExpressionError
from pxs.expressions import EXPRESSIONS, Mix, check_scale, sweep

if TYPE_CHECKING:
    from pxs.images import Box

SCALES = (0.0, 0.5, 1.0, 1.5)


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    command = commands.add_parser("edit", help="edit one picture", description="Edit one picture at intensities.")
    command.add_argument("--output-dir", required=True, help="folder for the edited pictures")
    command.add_argument("--expression", help=f"one of {', '.join(EXPRESSIONS)}")
    command.add_argument("--scales", nargs="*", metavar="A", help="intensities of the expression (default 0 0.5 1 1.5)")
    command.add_argument("--mix", nargs="+", metavar="NAME=A", help="several at once, instead of --expression")
    command.add_argument(
        "--face-box", nargs=4, metavar="N", help="left top right bottom of the face in pixels, for --recipe published"
    )
    add_picture(command)
    add_model(command)
    add_recipe(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs edit`: check everything that can be checked, load, edit, write, print the paths."""
    mixes, asked = _mixes(args)
    seed, steps = whole_number(args.seed, "seed", 0), whole_number(args.steps, "steps", 1)
    box = _box(args.face_box)
    from pxs.editing.checkpoints import find_model, recipe_of, resolution_of
    from pxs.images import open_image
    from pxs.storage.files import output_folder

    image = open_image(args.image_path)
    folder, stem = Path(args.output_dir), Path(args.image_path).stem
    recipe = recipe_of(args.model_path, adapter_of(args), load_options(args))
    recipe.prepare(image, resolution_of(find_model(args.model_path)), box)  # raises for a picture or box it cannot use
    names = [recipe.file_name(stem, mix, one) for mix, one in zip(mixes, asked, strict=True)]
    refuse_existing([folder / name for name in names], args.overwrite)
    editor = load_editor(args)
    output_folder(folder)
    edits = editor.open(image, args.data_type, box).edit(mixes, seed, steps, progress=sys.stderr.isatty())
    for path in edits.save(folder, stem, args.overwrite, names):
        print(path)


def _box(words: Sequence[str] | None) -> Box | None:
    """What to make of --face-box."""
    if words is None:
        return None
    left, top, right, bottom = (check_scale(word, "side of the face box") for word in words)
    return left, top, right, bottom


def _mixes(args: argparse.Namespace) -> tuple[list[Mix], list[tuple[str, float] | None]]:
    """What to make of --expression, --scales and --mix: the mixes, and the expression and intensity of each."""
    if args.mix and (args.expression or args.scales is not None):
        raise ExpressionError("--mix and --expression with --scales exclude each other: give one of them")
    if args.mix:
        return [Mix.parse(args.mix)], [None]
    if not args.expression:
        raise ExpressionError("no expression was given: use --expression NAME or --mix NAME=INTENSITY")
    scales = SCALES if args.scales is None else args.scales
    return sweep(args.expression, scales), [(args.expression, float(scale)) for scale in scales]
