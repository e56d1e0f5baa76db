"""The flags of `pxs edit` for presets, formats and many pictures, and the editing of many (`edit_pictures`)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pxs.commands.arguments import adapter_of, load_options, path
from pxs.commands.clips import FORMATS as CLIPS
from pxs.commands.face_flags import faces_of_many
from pxs.errors import ImageError, UsageError
from pxs.expressions import Mix
from pxs.parsing import argument
from pxs.quantities import WORKERS

if TYPE_CHECKING:
    from pxs.editing.calibration import Calibration

ENGINES = ("local", "ray")  # as in batch/run, whose import would take a second
SHOWN = 20  # failures and warnings that are named; the index has all
Asked = tuple[str, float] | None
"""The expression and intensity that were asked for, if it was one."""


def add_pictures(command: argparse.ArgumentParser) -> None:
    """Flags that choose the pictures, a preset, the format of the results, and who edits."""
    command.add_argument(
        "pictures",
        nargs="*",
        type=path,
        metavar="PICTURE",
        help="files, folders, patterns such as 'a/**/*.jpg'; or a clip",
    )
    command.add_argument("--image-path", nargs="+", type=path, default=[], metavar="PICTURE", help="the same as a flag")
    command.add_argument(
        "--preset",
        metavar="NAME|FILE",
        help="mixes, seed and steps from a JSON file or an edited picture; or an expression, or basic",
    )
    command.add_argument(
        "--format",
        choices=("jpeg", "png", "webp", *CLIPS),
        help="of the results (default the recipe's); of a clip mp4 (default), or mkv, which is lossless",
    )
    command.add_argument(
        "--workers", type=argument(WORKERS), default=1, metavar="N", help="processes for many pictures"
    )
    command.add_argument("--engine", default="local", choices=ENGINES, help="local, or ray for a cluster of machines")
    command.set_defaults(seed=None, steps=None, domain=None)  # where there is none, the preset's


def use_preset(args: argparse.Namespace) -> list[Mix]:
    """The mixes of --preset, none without; seed, steps and kind of face are filled in where no flag gives them.

    Raises UsageError for a preset that cannot be used, or one beside other flags that choose mixes.
    """
    from pxs.batch.presets import Preset, read_preset

    if args.preset and (args.mix or args.expression or args.scales is not None):
        raise UsageError("--preset excludes --mix, --expression and --scales: give one of them")
    preset = read_preset(args.preset) if args.preset else Preset(())
    for name in ("seed", "steps", "domain", "zero"):
        if getattr(args, name) is None:
            setattr(args, name, getattr(preset, name))
    args.calibrated = args.calibrated or preset.calibrated
    return list(preset.mixes)


def the_one_file(args: argparse.Namespace) -> str | None:
    """The picture, if one file is named; None for folders, patterns and several. Raises ImageError without any."""
    from pxs.batch.finding import is_one_file

    args.pictures = [*args.pictures, *args.image_path]
    if not args.pictures:
        raise ImageError("no picture was given: name files, folders or patterns (--image-path)")
    return args.pictures[0] if is_one_file(args.pictures) else None


def in_format(name: str, form: str | None) -> str:
    """A file name with the suffix of a format."""
    from pxs.images import FORMAT_SUFFIXES

    return name if form is None else name.rpartition(".")[0] + FORMAT_SUFFIXES[form]


def edit_pictures(
    args: argparse.Namespace, mixes: Sequence[Mix], asked: Sequence[Asked], calibration: Calibration | None = None
) -> int:
    """Edit many pictures, print what was done; the exit status: 1 if any failed, else 0."""
    from pxs.batch.finding import find_pictures
    from pxs.batch.presets import Preset
    from pxs.batch.run import edit_many
    from pxs.batch.work import Settings
    from pxs.editing.checkpoints import identity_of, recipe_of

    if args.face_box is not None:
        raise UsageError("--face-box is for one picture: leave it out, or name one file")
    faces = faces_of_many(args)
    folder = Path(args.output_dir)
    model = args.model_path, adapter_of(args), load_options(args)
    recipe, pictures = recipe_of(*model), find_pictures(args.pictures, folder)

    def name_files(stem: str) -> list[str]:
        names = (recipe.file_name(stem, mix, one) for mix, one in zip(mixes, asked, strict=True))
        return [in_format(name, args.format) for name in names]

    preset = Preset(tuple(mixes), args.seed, args.steps, args.domain, faces, args.calibrated)
    settings = Settings(preset, folder, *model)
    identity = identity_of(*model) | ({} if calibration is None else {"calibration": calibration.sha256})
    summary = edit_many(
        *(pictures, settings, identity, name_files, args.engine, args.workers, args.overwrite),
        progress=sys.stderr.isatty(),
    )
    _report_warnings(summary.warned)
    print(f"{summary.edited} edited, {summary.known} done before, {len(summary.failed)} failed")
    print(*summary.files, sep="\n")
    for line in _first([f"{name}: {error}" for name, error in summary.failed.items()]):
        print(f"pxs: {line}", file=sys.stderr)
    return 1 if summary.failed else 0


def _report_warnings(warned: dict[str, list[str]]) -> None:
    lines = []
    for text, names in warned.items():
        others = f" (and {len(names) - 1} others)" if len(names) > 1 else ""
        lines.append(f"{names[0]}{others}: {text}")
    for line in _first(lines):
        print(f"pxs: warning: {line}", file=sys.stderr)


def _first(lines: list[str]) -> list[str]:
    more = [f"and {len(lines) - SHOWN} more: see index.jsonl"] if len(lines) > SHOWN else []
    return [*lines[:SHOWN], *more]
