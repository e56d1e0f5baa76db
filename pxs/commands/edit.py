"""`pxs edit`: pictures, at several intensities of an expression, in one mix, or by a preset; or a clip."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pxs.commands.arguments import (
    Commands,
    adapter_of,
    add_model,
    add_recipe,
    add_sampling,
    calibration_of_flags,
    load_editor,
    load_options,
    path,
    refuse_existing,
)
from pxs.commands.clips import Range, edit_one_clip, is_clip, refuse_clips, scale_or_range
from pxs.commands.face_flags import (
    add_faces,
    chosen_faces,
    edit_faces,
    has_own_mixes,
    mixes_like,
    mixes_of_faces,
    warn_of_whole_picture,
)
from pxs.commands.many import Asked, add_pictures, edit_pictures, in_format, the_one_file, use_preset
from pxs.errors import ExpressionError, UsageError
from pxs.expressions import EXPRESSIONS, NEUTRAL, Mix, check_expression, sweep
from pxs.parsing import argument, parsed
from pxs.quantities import PIXEL

if TYPE_CHECKING:
    from pxs.editing.photographs import Cut
    from pxs.images import Picture

SCALES = (0.0, 0.5, 1.0, 1.5)


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("edit", help="edit pictures", description="Edit pictures at intensities.")
    command.add_argument("--output-dir", type=path, required=True, help="folder for the edited pictures")
    command.add_argument("--expression", type=parsed(_word), help=f"neutral, or one of {', '.join(EXPRESSIONS)}")
    command.add_argument(
        "--scales",
        nargs="*",
        type=parsed(scale_or_range),
        metavar="A",
        help="intensities of the expression (default 0 0.5 1 1.5); of a clip one (default 1), or 0:1 from start to end",
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
    """`pxs edit`: check the input, load the model, edit what is missing, print the paths; the exit status."""
    file = the_one_file(args)
    if file is not None and is_clip(file):
        return edit_one_clip(args, file, *_ends(args))
    refuse_clips(args)
    mixes, asked = _mixes(args)
    calibration = calibration_of_flags(args)
    if file is None:
        return edit_pictures(args, mixes, asked, calibration)
    box = None if args.face_box is None else tuple(args.face_box)
    from pxs.editing.checkpoints import find_model, recipe_of, sides_of
    from pxs.editing.keeping import check_targets, keep
    from pxs.images import open_picture
    from pxs.storage.locks import writing

    picture = open_picture(file)
    folder, stem = Path(args.output_dir), Path(file).stem
    recipe = recipe_of(args.model_path, adapter_of(args), load_options(args))
    names = [in_format(recipe.file_name(stem, m, one), args.format) for m, one in zip(mixes, asked, strict=True)]
    faces = chosen_faces(args)
    if faces is not None:
        return _edit_faces(args, picture, faces.cuts(picture.image), mixes, folder, stem, names)
    prepared = recipe.prepare(picture.image, sides_of(find_model(args.model_path)), box)
    warn_of_whole_picture(picture.image)
    files = [folder / name for name in names]
    check_targets(files, mixes, args.seed, args.steps, args.domain, prepared, args.overwrite, calibration)
    with writing(folder):
        portrait = load_editor(args).open(picture, args.domain, box)
        progress = sys.stderr.isatty()
        keep(portrait, mixes, files, args.seed, args.steps, args.overwrite, progress, args.calibrated)
    print(*files, sep="\n")
    return 0


def _edit_faces(
    args: argparse.Namespace,
    picture: Picture,
    cuts: Sequence[Cut],
    mixes: Sequence[Mix],
    folder: Path,
    stem: str,
    names: Sequence[str],
) -> int:
    """Edit single faces of a picture and put them back."""
    from pxs.storage.locks import writing

    if has_own_mixes(args):
        names = [stem + "_" + "+".join(mix.slug for mix in mixes) + Path(names[0]).suffix]
    refuse_existing([folder / name for name in names], args.overwrite)
    with writing(folder):
        edits = edit_faces(args, load_editor(args), cuts, mixes, picture)
        files = edits.save(folder, stem, args.overwrite, names)
    print(*files, sep="\n")
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


def _ends(args: argparse.Namespace) -> tuple[Mix, Mix]:
    """The mixes in the first and in the last frame of a clip; raises UsageError for several."""
    scales: list[float | Range] = args.scales or []
    if len(scales) == 1 and isinstance(scales[0], Range):
        args.scales = list(scales[0])
        start, end = _mixes(args)[0]
        return start, end
    if args.scales is None and args.expression not in (None, NEUTRAL):
        args.scales = [1.0]
    if any(isinstance(scale, Range) for scale in scales) or len(mixes := _mixes(args)[0]) != 1:
        raise UsageError("a clip takes one mix, or one expression with one intensity or a range such as --scales 0:1")
    return mixes[0], mixes[0]


def _word(text: str) -> str:
    return text if text == NEUTRAL else check_expression(text)
