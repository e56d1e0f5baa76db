"""`pxs edit` of a clip: what its flags mean there, and the editing (`edit_one_clip`)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

from pxs.commands.arguments import calibration_of_flags, load_editor, refuse_existing
from pxs.errors import UsageError
from pxs.expressions import Mix
from pxs.quantities import SCALE

FORMATS = ("mp4", "mkv")  # as in video/clips, whose import would take a second


class Range(NamedTuple):
    """Intensities from the first frame of a clip to its last."""

    first: float
    last: float


def scale_or_range(text: str) -> float | Range:
    """An intensity, or two with a colon between; raises ScaleError for anything else."""
    first, colon, last = text.partition(":")
    return Range(SCALE.parse(first), SCALE.parse(last)) if colon else SCALE.parse(text)


def refuse_clips(args: argparse.Namespace) -> None:
    """Raise UsageError where pictures are edited, but a flag or an input is for a clip."""
    clips = [name for name in args.pictures if is_clip(name)]
    if clips:
        raise UsageError(f"{clips[0]!r} is a clip: give it alone")
    if args.format in FORMATS:
        raise UsageError(f"--format {args.format} is for a clip: choose jpeg, png or webp")
    if any(isinstance(scale, Range) for scale in args.scales or ()):
        raise UsageError("a range such as 0:1 in --scales is for a clip, and stands alone: give single intensities")


def is_clip(file: str) -> bool:
    """Whether a file is one by its suffix."""
    from pxs.video.clips import SUFFIXES

    return file.lower().endswith(SUFFIXES)


def edit_one_clip(args: argparse.Namespace, file: str, start: Mix, end: Mix) -> int:
    """Follow the face of a clip, edit it in every frame, print what was done and the path; the exit status."""
    which = _the_one_face(args)
    if args.format not in (None, *FORMATS):
        raise UsageError(f"--format {args.format} is for pictures: choose {' or '.join(FORMATS)}")
    from tqdm.auto import tqdm

    from pxs.editing.photographs import finder
    from pxs.editing.photographs.outline import check_regions
    from pxs.storage.locks import writing
    from pxs.video.clips import KINDS, Clip
    from pxs.video.editing import Course, edit_clip
    from pxs.video.tracking import follow

    only = check_regions(args.only) if args.only else ()
    kind, folder = KINDS[args.format or "mp4"], Path(args.output_dir)
    target = folder / f"{Path(file).stem}_{_slug(start, end)}{kind.suffix}"
    refuse_existing([target], args.overwrite)
    calibration_of_flags(args)  # raises before the long look
    clip, progress = Clip(file), sys.stderr.isatty()
    frames = tqdm(clip.pictures(), "look", clip.frames, leave=False, unit="frame", disable=not progress)
    track = follow(frames, which, finder(), args.force)
    course = Course(start, end, args.seed, args.steps, args.domain, only, args.calibrated)
    with writing(folder):
        edit_clip(load_editor(args), clip, track, course, target, kind, progress)
    left = len(track.reasons)
    print(f"{len(track.places) - left} frames edited, {left} kept as they were{_why(track.reasons)}", target, sep="\n")
    return 0


def _the_one_face(args: argparse.Namespace) -> str | int | tuple[float, float, float, float]:
    """What names the face; raises UsageError for several, and for flags that are for pictures."""
    if args.face_box is not None or args.still:
        raise UsageError("--face-box and --still are for pictures: leave them out, a clip is edited at its face alone")
    if len(args.faces or ()) > 1 or args.faces and args.faces[0][0] == "all":
        raise UsageError("one face of a clip is edited: name one (--face largest), and edit the result again")
    return args.faces[0][0] if args.faces else "largest"


def _slug(start: Mix, end: Mix) -> str:
    """The mixes as part of a file name."""
    if start == end:
        return start.slug
    (name,) = {*start, *end}
    return f"{name}_{start.get(name, 0):g}_to_{end.get(name, 0):g}"


def _why(reasons: tuple[str, ...]) -> str:
    return f" (the first: {reasons[0]})" if reasons else ""
