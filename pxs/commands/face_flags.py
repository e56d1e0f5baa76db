"""Flags of `pxs edit` that choose faces of a picture, and what they mean."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from pxs.errors import ExpressionError, UsageError
from pxs.expressions import Mix
from pxs.parsing import parsed

if TYPE_CHECKING:
    from pxs.editing.editor import Editor
    from pxs.editing.edits import Edits
    from pxs.editing.group import Alone
    from pxs.editing.photographs import Cut
    from pxs.images import Picture


def add_faces(command: argparse.ArgumentParser) -> None:
    """Declare the flags; `--mix` after a `--face` is of that face alone."""
    command.add_argument(
        "--face",
        action=_NextFace,
        dest="faces",
        type=parsed(_face),
        metavar="FACE",
        help="edit faces alone and put them back: largest, all, a number, or x,y,width,height; again for more faces",
    )
    command.add_argument(
        "--mix",
        nargs="+",
        action=_MixOfFace,
        metavar="NAME=A",
        help="several expressions at once, instead of --expression; after --face of that face alone",
    )
    command.add_argument(
        "--only", nargs="+", default=[], metavar="PART", help="limit the edit to mouth, eyes or brows, with --face"
    )
    command.add_argument("--still", action="store_true", help="keep the head in its pose, with --face")
    command.add_argument(
        "--force", action="store_true", help="with --face: go on though a face is small, turned or cut"
    )
    command.add_argument("--like", metavar="FILE", help="the expression of the largest face in another picture")


def _face(text: str) -> Any:
    from pxs.editing.photographs.choosing import parse_face

    return parse_face(text)


class _NextFace(argparse.Action):
    def __call__(self, parser: Any, args: argparse.Namespace, face: Any, option: str | None = None) -> None:
        args.faces = [*(args.faces or []), (face, None)]


class _MixOfFace(argparse.Action):
    def __call__(self, parser: Any, args: argparse.Namespace, words: Any, option: str | None = None) -> None:
        if args.faces and args.faces[-1][1] is None:
            args.faces = [*args.faces[:-1], (args.faces[-1][0], words)]
        elif args.faces or args.mix:
            raise UsageError("--mix was given twice: give it once, or once after each --face")
        else:
            args.mix = words


def mixes_of_faces(args: argparse.Namespace) -> list[Mix]:
    """One mix a face, where `--mix` follows each `--face`; else an empty list.

    Raises UsageError if flags about faces exclude each other, ExpressionError if some faces have a mix and others not.
    """
    faces = args.faces or []
    if not faces and (args.only or args.still or args.force):
        raise UsageError("--only, --still and --force are about a face: add --face largest")
    if faces and args.face_box is not None:
        raise UsageError("--face and --face-box exclude each other: --face takes a box as well, x,y,width,height")
    if len(faces) > 1 and any(face == "all" for face, _ in faces):
        raise UsageError("--face all stands alone: name single faces, or all")
    own = [Mix.parse(words) for _, words in faces if words is not None]
    others = args.mix or args.expression or args.scales is not None or args.like
    if own and (len(own) < len(faces) or others):
        raise ExpressionError("some faces have a mix of their own: give one after each --face, and no other expression")
    return own


def has_own_mixes(args: argparse.Namespace) -> bool:
    """Whether each of several faces has its own mix."""
    return len(args.faces or ()) > 1 and args.faces[0][1] is not None


def mixes_like(args: argparse.Namespace) -> list[Mix]:
    """The mix that `--like` reads from another picture, which is printed; an empty list without the flag."""
    if not args.like:
        return []
    if args.mix or args.expression or args.scales is not None:
        raise ExpressionError("--like, --mix and --expression exclude each other: give one of them")
    from pxs.editing.photographs.reading import read
    from pxs.images import open_image

    reading = read(open_image(args.like))
    print(f"pxs: {args.like} shows {reading}", file=sys.stderr)
    return [reading.mix]


def chosen_faces(args: argparse.Namespace) -> Alone | None:
    """The faces that `--face` names; None without it. Raises ImageError for an unknown part of a face."""
    from pxs.editing.group import Alone
    from pxs.editing.photographs.outline import check_regions

    if not args.faces:
        return None
    which = None if args.faces[0][0] == "all" else tuple(face for face, _ in args.faces)
    return Alone(which, check_regions(args.only) if args.only else (), args.still, args.force)


def faces_of_many(args: argparse.Namespace) -> Alone | None:
    """As `chosen_faces`, for many pictures; raises UsageError for a mix a face, ImageError without a finder."""
    from pxs.editing.photographs import finder

    if has_own_mixes(args):
        raise UsageError("a --mix after each of several --face is for one picture: give one mix, or name one file")
    faces = chosen_faces(args)
    if faces is not None and (faces.which is None or not all(isinstance(one, tuple) for one in faces.which)):
        finder()
    return faces


def edit_faces(
    args: argparse.Namespace, editor: Editor, cuts: Sequence[Cut], mixes: Sequence[Mix], picture: Picture
) -> Edits:
    """The edits of the faces of `picture`: each with its own mix, or all with each of `mixes`."""
    from pxs.editing.group import Group

    group = Group(editor, cuts, args.domain, args.still, picture)
    edit = group.edit_each if has_own_mixes(args) else group.edit
    return edit(mixes, args.seed, args.steps, sys.stderr.isatty(), args.calibrated)


def warn_of_whole_picture(picture: Image.Image) -> None:
    """Warn if the whole picture is edited though it is clearly no portrait; silent without the extra `photos`."""
    from pxs.editing.photographs import Faces, finder, installed
    from pxs.editing.photographs.choosing import doubt

    words = doubt(Faces(picture, finder().find(picture))) if installed() else ""
    if words:
        warnings.warn(f"the whole picture is edited, but {words}", stacklevel=2)
