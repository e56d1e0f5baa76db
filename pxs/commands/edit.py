"""`pxs edit`: one picture or many, at several intensities of an expression, in one mix, or by a preset."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pxs.commands.arguments import (
    Commands,
    adapter_of,
    add_model,
    add_recipe,
    add_sampling,
    load_editor,
    load_options,
    parsed,
    real_number,
    refuse_existing,
)
from pxs.commands.many import Asked, add_pictures, edit_pictures, in_format, the_one_file, use_preset
from pxs.errors import ExpressionError
from pxs.expressions import EXPRESSIONS, Mix, check_expression, sweep

SCALES = (0.0, 0.5, 1.0, 1.5)


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("edit", help="edit pictures", description="Edit pictures at intensities.")
    command.add_argument("--output-dir", required=True, help="folder for the edited pictures")
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
    add_sampling(command)
    add_pictures(command)
    add_model(command)
    add_recipe(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """`pxs edit`: check the input, load the model, edit, write the pictures and print their paths; the exit status."""
    mixes, asked = _mixes(args)
    path = the_one_file(args)
    if path is None:
        return edit_pictures(args, mixes, asked)
    box = None if args.face_box is None else tuple(args.face_box)
    from pxs.editing.checkpoints import find_model, recipe_of, sides_of
    from pxs.images import open_picture
    from pxs.storage.files import output_folder

    picture = open_picture(path)
    folder, stem = Path(args.output_dir), Path(path).stem
    recipe = recipe_of(args.model_path, adapter_of(args), load_options(args))
    recipe.prepare(picture.image, sides_of(find_model(args.model_path)), box)  # raises for what it cannot use
    names = [in_format(recipe.file_name(stem, m, one), args.format) for m, one in zip(mixes, asked, strict=True)]
    refuse_existing([folder / name for name in names], args.overwrite)
    editor = load_editor(args)
    output_folder(folder)
    edits = editor.open(picture, args.data_type, box).edit(mixes, args.seed, args.steps, progress=sys.stderr.isatty())
    for file in edits.save(folder, stem, args.overwrite, names):
        print(file)
    return 0


def _mixes(args: argparse.Namespace) -> tuple[list[Mix], list[Asked]]:
    """The mixes that the flags describe, and the expression and intensity of each."""
    preset = use_preset(args)
    if preset:
        return preset, [None] * len(preset)
    if args.mix and (args.expression or args.scales is not None):
        raise ExpressionError("--mix and --expression with --scales exclude each other: give one of them")
    if args.mix:
        return [Mix.parse(args.mix)], [None]
    if not args.expression:
        raise ExpressionError("no expression was given: use --expression NAME, --mix NAME=INTENSITY or --preset NAME")
    scales = SCALES if args.scales is None else args.scales
    return sweep(args.expression, scales), [(args.expression, scale) for scale in scales]
