"""`pxs edit`: one picture, at several intensities of an expression or in one mix."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pxs.commands.arguments import Commands, add_model, add_picture, load_editor, parsed, real_number, refuse_existing
from pxs.errors import ExpressionError
from pxs.expressions import EXPRESSIONS, Mix, check_expression, sweep

SCALES = (0.0, 0.5, 1.0, 1.5)


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("edit", help="edit one picture", description="Edit one picture at intensities.")
    command.add_argument("--output-dir", required=True, help="folder for the edited PNGs")
    command.add_argument("--expression", type=parsed(check_expression), help=f"one of {', '.join(EXPRESSIONS)}")
    command.add_argument(
        "--scales",
        nargs="*",
        type=real_number("scale"),
        metavar="A",
        help="intensities of the expression (default 0 0.5 1 1.5)",
    )
    command.add_argument("--mix", nargs="+", metavar="NAME=A", help="several at once, instead of --expression")
    add_picture(command)
    add_model(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs edit`: check the input, load the model, edit, write the pictures and print their paths."""
    mixes = _mixes(args)
    from pxs.images import open_image
    from pxs.storage.files import output_folder

    image = open_image(args.image_path)
    folder, stem = Path(args.output_dir), Path(args.image_path).stem
    refuse_existing([folder / f"{stem}_{mix.slug}.png" for mix in mixes], args.overwrite)
    editor = load_editor(args)
    output_folder(folder)
    edits = editor.open(image, args.data_type).edit(mixes, args.seed, args.steps, progress=sys.stderr.isatty())
    for path in edits.save(folder, stem, args.overwrite):
        print(path)


def _mixes(args: argparse.Namespace) -> list[Mix]:
    """The mixes that --expression, --scales and --mix describe."""
    if args.mix and (args.expression or args.scales is not None):
        raise ExpressionError("--mix and --expression with --scales exclude each other: give one of them")
    if args.mix:
        return [Mix.parse(args.mix)]
    if not args.expression:
        raise ExpressionError("no expression was given: use --expression NAME or --mix NAME=INTENSITY")
    return sweep(args.expression, SCALES if args.scales is None else args.scales)
