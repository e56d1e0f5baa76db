"""The face that outside judges look at: the largest one, found once a picture for all of them."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.editing.photographs import Face, finder
from pxs.errors import ImageError, JudgeError, JudgeSetupError
from pxs.judging.each import judge_each

REMEMBERED = 512  # pictures

_known: OrderedDict[str, Face | None] = OrderedDict()


def check_finder() -> None:
    """Raise JudgeSetupError, which names the extra, if faces cannot be found here."""
    try:
        finder()
    except ImageError as error:
        raise JudgeSetupError(str(error)) from None


def vectors(
    embed: Callable[[Image.Image, str], NDArray[np.float32]], images: Sequence[Image.Image], width: int
) -> NDArray[np.float32]:
    """What `embed` gives (width,) for each RGB image and its name, stacked (N, width).

    Raises UnjudgedError for images without a face; the message contains the number of the picture, counted from 0.
    """
    rows = judge_each(lambda i, image: embed(image.convert("RGB"), f"picture {i}"), images)
    return np.stack(rows) if rows else np.empty((0, width), np.float32)


def largest_face(picture: Image.Image, name: str) -> Face:
    """The largest face in an RGB picture. Raises JudgeError, which calls the picture `name`, if there is none."""
    key = hashlib.sha256(f"{picture.size} ".encode() + picture.tobytes()).hexdigest()
    if key not in _known:
        found = finder().find(picture)
        _known[key] = found[0] if found else None
        if len(_known) > REMEMBERED:
            _known.popitem(last=False)
    face = _known[key]
    if face is None:
        raise JudgeError(f"{name}: no face is found in it: leave it out, or give a larger face")
    return face
