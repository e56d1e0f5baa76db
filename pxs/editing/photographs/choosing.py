"""Which face of a picture is meant (`choose`), and whether it can be edited (`check_face`)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

from pxs.editing.photographs.faces import Face, Faces, describe
from pxs.errors import ImageError
from pxs.images import Box, check_box

Which = str | int | Box | Face
"""How a face is named: "largest", its number in `Faces`, a box (left, top, right, bottom) in pixels, or a `Face`."""

LARGEST = "largest"
SMALLEST = 64
"""Least size of a face, in pixels of the longer side of its box."""
MOST_TURN = 35.0
"""Largest turn of a head that is edited, in degrees."""
MOST_OUTSIDE = 0.15
"""Largest share of a face that may lie outside of the picture."""
PORTRAIT = 0.35
"""Least size of the face in a portrait, in shorter sides of the picture."""
AROUND = "force=True (--force) goes on"


def parse_face(text: str) -> str | int | Box:
    """The face that a word of the command line names: "largest", "all", a number, or x,y,width,height in pixels.

    Raises ImageError for another word.
    """
    if text in (LARGEST, "all"):
        return text
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 1 and numbers[0] >= 0 and numbers[0].is_integer():
        return int(numbers[0])
    if len(numbers) == 4 and all(map(math.isfinite, numbers)):
        x, y, width, height = numbers
        return x, y, x + width, y + height
    raise ImageError(f"{text!r} names no face: give largest, all, a number from 0 up, or x,y,width,height in pixels")


def choose(faces: Faces, which: Which) -> Face:
    """The face that is meant; raises ImageError if there is none such.

    A box means the face that covers most of it, or, where no face was found in it, the box itself.
    """
    if isinstance(which, Face):
        return which
    if isinstance(which, tuple):
        box = check_box(which, faces.source.size)
        covering = max(faces, key=lambda face: _shared(face.box, box), default=None)
        return covering if covering and _shared(covering.box, box) > 0.5 else Face(box)
    if which != LARGEST and (isinstance(which, bool) or not isinstance(which, int)):
        raise ImageError(f"{which!r} names no face: give 'largest', a number from 0 up, or a box in pixels")
    number = 0 if which == LARGEST else int(which)
    if not faces:
        raise ImageError("no face was found in the picture: give the box of the face, or another picture")
    if not 0 <= number < len(faces):
        raise ImageError(f"there is no face {number}: the picture has {_listed(faces)}")
    return faces[number]


def choose_all(faces: Faces, which: Sequence[Which] | None, force: bool = False) -> list[Face]:
    """The faces that are meant, each checked unless `force`; None means all that can be edited.

    Warns of each that is left out. Raises ImageError as `choose` and `check_face`, for a face that is named twice, and
    if none is left.
    """
    if which is None:
        return _all_usable(faces, force)
    chosen = [choose(faces, one) for one in which]
    for i, face in enumerate(chosen):
        if any(face is other for other in chosen[:i]):
            raise ImageError(f"the face of {describe(face)} is named twice: name each once")
        if not force:
            check_face(face, faces.source.size)
    return chosen


def _all_usable(faces: Faces, force: bool) -> list[Face]:
    usable: list[Face] = []
    choose(faces, LARGEST)  # raises where there is none
    for number, face in enumerate(faces):
        try:
            if not force:
                check_face(face, faces.source.size)
            usable.append(face)
        except ImageError as error:
            warnings.warn(f"face {number} is left out: {error}", stacklevel=2)
    if not usable:
        raise ImageError(f"none of the faces found ({_listed(faces)}) can be edited: give another picture")
    return usable


def check_face(face: Face, size: tuple[int, int]) -> None:
    """Raise ImageError for a face that is too small, turned too far, or cut by the border of a picture of `size`."""
    if face.size < SMALLEST:
        raise ImageError(
            f"the face is {describe(face)}, under {SMALLEST} pixels: enlarge the picture with care, or {AROUND}"
        )
    if face.turn > MOST_TURN:
        raise ImageError(
            f"the face of {describe(face)} is turned by {face.turn:.0f} degrees, more than {MOST_TURN:.0f}: "
            f"turn the picture, take another, or {AROUND}"
        )
    outside = 1 - _shared(face.box, (0.0, 0.0, float(size[0]), float(size[1])))
    if outside > MOST_OUTSIDE:
        raise ImageError(f"{outside:.0%} of the face of {describe(face)} lie outside of the picture: {AROUND}")


def _shared(box: Box, other: Box) -> float:
    """The share of `box` that `other` covers, 0..1."""
    width, height = (max(0.0, min(box[i + 2], other[i + 2]) - max(box[i], other[i])) for i in (0, 1))
    return width * height / ((box[2] - box[0]) * (box[3] - box[1]))


def _listed(faces: Faces) -> str:
    """The faces and their numbers, the first few of many."""
    shown = ", ".join(f"{i} ({describe(face)})" for i, face in enumerate(faces.found[:4]))
    return shown if len(faces) <= 4 else f"{shown} and others to {len(faces) - 1}"


def doubt(faces: Faces) -> str:
    """Why a picture is clearly no portrait, in words; empty where it is one, or may be."""
    if not faces:
        return "no face was found in it"
    size, side = faces[0].size, min(faces.source.size)
    if faces[0].turn > MOST_TURN:
        return f"its face is turned by {faces[0].turn:.0f} degrees"
    if size >= PORTRAIT * side:
        return ""
    count = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
    return f"it has {count}, the largest of {size:.0f} pixels: --face largest edits that one alone"
