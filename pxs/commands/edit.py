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
    refuse_existing,
)
from pxs.commands.face_flags import (
    add_faces,
    cuts_of,
    edit_faces,
    has_own_mixes,
    mixes_like,
    mixes_of_faces,
    warn_of_whole_picture,
)
from pxs.errors import ExpressionError
from pxs.expressions import EXPRESSIONS, NEUTRAL, Mix, check_expression, sweep
from pxs.parsing import argument, parsed
from pxs.quantities import PIXEL, SCALE

SCALES = (0.0, 0.5, 1.0, 1.5)


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("edit", help="edit one picture", description="Edit one picture at intensities.")
    command.add_argument("--output-dir", required=True, help="folder for the edited pictures")
    command.add_argument("--expression", type=parsed(_word), help=f"neutral, or one of {', '.join(EXPRESSIONS)}")
    command.add_argument(
        "--scales",
        nargs="*",
        type=argument(SCALE),
        metavar="A",
        help="intensities of the expression (default 0 0.5 1 1.5)",
    )
    add_faces(command)
    command.add_argument(
        "--face-box",
        nargs=4,
        type=argument(PIXEL),
        metavar="N",
        help="left top right bottom of the face in pixels, for --recipe published",
    )
    add_picture(command)
    add_model(command)
    add_recipe(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs edit`: check the input, load the model, edit, write the pictures and print their paths."""
    mixes, asked = _mixes(args)
    box = None if args.face_box is None else tuple(args.face_box)
    from pxs.editing.checkpoints import find_model, recipe_of, sides_of
    from pxs.images import open_image
    from pxs.storage.files import output_folder

    image = open_image(args.image_path)
    folder, stem = Path(args.output_dir), Path(args.image_path).stem
    recipe = recipe_of(args.model_path, adapter_of(args), load_options(args))
    cuts = cuts_of(args, image)
    if not cuts:
        recipe.prepare(image, sides_of(find_model(args.model_path)), box)  # raises for a picture or box it cannot use
        warn_of_whole_picture(image)
    names = [recipe.file_name(stem, mix, one) for mix, one in zip(mixes, asked, strict=True)]
    if has_own_mixes(args):
        names = [stem + "_" + "+".join(mix.slug for mix in mixes) + Path(names[0]).suffix]
    refuse_existing([folder / name for name in names], args.overwrite)
    editor = load_editor(args)
    output_folder(folder)
    if cuts:
        edits = edit_faces(args, editor, cuts, mixes)
    else:
        portrait = editor.open(image, args.data_type, box)
        edits = portrait.edit(mixes, args.seed, args.steps, progress=sys.stderr.isatty())
    for path in edits.save(folder, stem, args.overwrite, names):
        print(path)


def _mixes(args: argparse.Namespace) -> tuple[list[Mix], list[tuple[str, float] | None]]:
    """The mixes that the flags describe, and the expression and intensity of each."""
    if (own := mixes_of_faces(args)) or (own := mixes_like(args)):
        return own, [None] * len(own)
    if args.mix and (args.expression or args.scales is not None):
        raise ExpressionError("--mix and --expression with --scales exclude each other: give one of them")
    if args.mix:
        return [Mix.parse(args.mix)], [None]
    if not args.expression:
        raise ExpressionError("no expression was given: use --expression NAME or --mix NAME=INTENSITY")
    if args.expression == NEUTRAL:
        if args.scales is not None:
            raise ExpressionError("neutral has no intensity: leave --scales out")
        return [Mix()], [None]
    scales = SCALES if args.scales is None else args.scales
    return sweep(args.expression, scales), [(args.expression, scale) for scale in scales]


def _word(text: str) -> str:
    return text if text == NEUTRAL else check_expression(text)
