"""`pxs edit`: one picture, at several intensities of an expression or in one mix."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pxs.commands.arguments import (
    Commands,
    adapter_of,
    add_model,
    add_picture,
    add_recipe,
    load_editor,
    load_options,
    parsed,
    path,
    real_number,
)
from pxs.errors import ExpressionError
from pxs.expressions import EXPRESSIONS, Mix, check_expression, sweep

SCALES = (0.0, 0.5, 1.0, 1.5)


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("edit", help="edit one picture", description="Edit one picture at intensities.")
    command.add_argument("--output-dir", type=path, required=True, help="folder for the edited pictures")
    command.add_argument("--expression", type=parsed(check_expression), help=f"one of {', '.join(EXPRESSIONS)}")
    command.add_argument(
        "--scales",
        nargs="*",
        type=real_number("scale"),
        metavar="A",
        help="intensities of the expression (default 0 0.5 1 1.5)",
    )
    command.add_argument("--mix", nargs="+", metavar="NAME=A", help="several at once, instead of --expression")
    command.add_argument(
        "--face-box",
        nargs=4,
        type=real_number("side of the face box"),
        metavar="N",
        help="left top right bottom of the face in pixels, for --recipe published",
    )
    add_picture(command)
    add_model(command)
    add_recipe(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs edit`: check the input, load the model, edit what is missing, and print the paths of the pictures."""
    mixes, asked = _mixes(args)
    box = None if args.face_box is None else tuple(args.face_box)
    from pxs.editing.checkpoints import find_model, recipe_of, sides_of
    from pxs.editing.keeping import check_targets, keep
    from pxs.images import open_image
    from pxs.storage.locks import writing

    image = open_image(args.image_path)
    folder, stem = Path(args.output_dir), Path(args.image_path).stem
    recipe = recipe_of(args.model_path, adapter_of(args), load_options(args))
    prepared = recipe.prepare(image, sides_of(find_model(args.model_path)), box)
    files = [folder / recipe.file_name(stem, mix, one) for mix, one in zip(mixes, asked, strict=True)]
    check_targets(files, mixes, args.seed, args.steps, args.data_type, prepared, args.overwrite)
    with writing(folder):
        portrait = load_editor(args).open(image, args.data_type, box)
        keep(portrait, mixes, files, args.seed, args.steps, args.overwrite, progress=sys.stderr.isatty())
    print(*files, sep="\n")


def _mixes(args: argparse.Namespace) -> tuple[list[Mix], list[tuple[str, float] | None]]:
    """The mixes that --expression, --scales and --mix describe, and the expression and intensity of each."""
    if args.mix and (args.expression or args.scales is not None):
        raise ExpressionError("--mix and --expression with --scales exclude each other: give one of them")
    if args.mix:
        return [Mix.parse(args.mix)], [None]
    if not args.expression:
        raise ExpressionError("no expression was given: use --expression NAME or --mix NAME=INTENSITY")
    scales = SCALES if args.scales is None else args.scales
    return sweep(args.expression, scales), [(args.expression, scale) for scale in scales]
