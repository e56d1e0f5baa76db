"""Cuts a square out of a picture, around a face where its box is given (`crop_square`)."""

from __future__ import annotations

import math

from PIL import Image

from pxs.errors import ImageError
from pxs.images.fitting import check_rgb
from pxs.images.pixels import Box


def crop_square(image: Image.Image, side: int, box: Box | None = None) -> Image.Image:
    """Resize an RGB picture so that its shorter side is `side` pixels (Lanczos), and cut a square out of it.

    The steps, and their rounding, are those of the public PixelSmile script. Without a box the centre is cut out. With
    one (left, top, right, bottom, in pixels of `image`) the square is centred on the face horizontally. Vertically it
    takes the middle of the positions that hold the whole box; a box taller than the square is centred. The square stays
    inside of the picture.

    For about one picture in ten, such as those of shorter side 1030 for side 512, the script's rounding makes the
    resized picture one pixel too narrow. The last row or column is then black, there as here.

    Raises ImageError when `image` is not RGB or the box does not lie inside of it.
    """
    check_rgb(image)
    if box is not None:
        check_box(box, image.size)
    scale = max(side / image.width, side / image.height)
    resized = image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.LANCZOS)
    room = resized.width - side, resized.height - side
    left, top = (room[0] // 2, room[1] * 0.5) if box is None else _corner(box, scale, side)
    left, top = (int(max(0, min(start, most))) for start, most in zip((left, top), room, strict=True))
    return resized.crop((left, top, left + side, top + side))


def _corner(box: Box, scale: float, side: int) -> tuple[float, float]:
    """Left and top of the square that shows a box best, in pixels of the resized picture, before it is moved inside."""
    left, top, right, bottom = (c * scale for c in box)
    across = (left + right) / 2 - side / 2
    if bottom - top > side:
        return across, (top + bottom) / 2 - side / 2
    return across, top - (top - (bottom - side)) * 0.5


def check_box(box: Box, size: tuple[int, int]) -> Box:
    """Return a box (left, top, right, bottom) that lies inside of a picture of `size`; else raise ImageError."""
    width, height = size
    shown = " ".join(f"{c:g}" for c in box)
    if len(box) != 4 or not all(math.isfinite(c) for c in box):
        raise ImageError(f"the face box {shown} cannot be used: give left, top, right and bottom in pixels")
    left, top, right, bottom = box
    if not (left < right and top < bottom):
        raise ImageError(f"the face box {shown} is empty: right must exceed left, and bottom top")
    if left < 0 or top < 0 or right > width or bottom > height:
        raise ImageError(f"the face box {shown} reaches outside of the picture of {width} x {height} pixels: clip it")
    return left, top, right, bottom
