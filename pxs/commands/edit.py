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
from pxs.commands.many import Asked, add_pictures, edit_pictures, in_format, the_one_file, use_preset
from pxs.errors import ExpressionError
from pxs.expressions import EXPRESSIONS, NEUTRAL, Mix, check_expression, sweep
from pxs.parsing import argument, parsed
from pxs.quantities import PIXEL, SCALE

SCALES = (0.0, 0.5, 1.0, 1.5)


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("edit", help="edit pictures", description="Edit pictures at intensities.")
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
    cuts = cuts_of(args, picture.image)
    if not cuts:
        recipe.prepare(picture.image, sides_of(find_model(args.model_path)), box)  # raises for what it cannot use
        warn_of_whole_picture(picture.image)
    names = [in_format(recipe.file_name(stem, m, one), args.format) for m, one in zip(mixes, asked, strict=True)]
    if has_own_mixes(args):
        names = [stem + "_" + "+".join(mix.slug for mix in mixes) + Path(names[0]).suffix]
    refuse_existing([folder / name for name in names], args.overwrite)
    editor = load_editor(args)
    output_folder(folder)
    if cuts:
        edits = edit_faces(args, editor, cuts, mixes, picture)
    else:
        portrait = editor.open(picture, args.data_type, box)
        edits = portrait.edit(mixes, args.seed, args.steps, progress=sys.stderr.isatty())
    for file in edits.save(folder, stem, args.overwrite, names):
        print(file)
    return 0


def _mixes(args: argparse.Namespace) -> tuple[list[Mix], list[Asked]]:
    """The mixes that the flags describe, and the expression and intensity of each."""
    preset = use_preset(args)
    own = mixes_of_faces(args) or mixes_like(args)
    if preset and own:
        raise ExpressionError("--preset has mixes of its own: leave out --like and the mixes of faces")
    if given := own or preset:
        return given, [None] * len(given)
    if args.mix and (args.expression or args.scales is not None):
        raise ExpressionError("--mix and --expression with --scales exclude each other: give one of them")
    if args.mix:
        return [Mix.parse(args.mix)], [None]
    if not args.expression:
        raise ExpressionError("no expression was given: use --expression NAME, --mix NAME=INTENSITY or --preset NAME")
    if args.expression == NEUTRAL:
        if args.scales is not None:
            raise ExpressionError("neutral has no intensity: leave --scales out")
        return [Mix()], [None]
    scales = SCALES if args.scales is None else args.scales
    return sweep(args.expression, scales), [(args.expression, scale) for scale in scales]


def _word(text: str) -> str:
    return text if text == NEUTRAL else check_expression(text)
