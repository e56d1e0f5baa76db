"""`Picture`: what was read from a picture file, with all that a result written beside it should keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from pxs.errors import ImageError
from pxs.images.colours import from_srgb
from pxs.images.stated import EXIF, INTEROPERABILITY

Colour = tuple[int, int, int]

_MAKER_NOTE, _COLOUR_SPACE, _SIDES = 0x927C, 0xA001, (0xA002, 0xA003)
_KEPT = {0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749, 0x8298} | set(
    range(0x9C9B, 0x9CA0)
)  # description, camera, resolution, program, time, artist, host, rating, copyright; those of Windows
_MOST_EXIF = 65_000  # bytes; a JPEG file has room for 65,533


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture file as it was read; made by `open_picture`.

    image: upright 8-bit sRGB, mode RGB, composited on `background`. alpha: its opacity, mode L, or None. colours: the
    pixels in the file's own colours before compositing, mode RGB; None where they are those of `image`. profile: the
    ICC profile of these colours, or None for sRGB. exif: the EXIF data to keep, without the place, thumbnails, the
    maker's notes and the rotation; empty without any.
    """

    image: Image.Image
    alpha: Image.Image | None = None
    colours: Image.Image | None = None
    profile: bytes | None = None
    exif: bytes = b""
    background: Colour = (255, 255, 255)

    def dress(self, edited: Image.Image, alpha: bool = True) -> Image.Image:
        """An edit of `image` in the colours of the file, with its opacity if `alpha`: mode RGB or RGBA.

        Pixels that equal those of `image` get the file's own values, bit for bit. Raises ImageError for another size.
        """
        if edited.mode != "RGB" or edited.size != self.image.size:
            raise ImageError(f"an edit of {edited.mode} {edited.size} is not of the picture's size {self.image.size}")
        opacity = self.alpha if alpha else None
        flat = edited if opacity is None else _uncomposited(edited, opacity, self.background)
        result = flat if self.profile is None else from_srgb(flat, self.profile)
        if self.colours is not None and (self.alpha is None) == (opacity is None):
            same = (np.asarray(edited) == np.asarray(self.image)).all(axis=2)
            if opacity is not None:
                same |= np.asarray(opacity) == 0
            result = Image.fromarray(np.where(same[..., None], np.asarray(self.colours), np.asarray(result)))
        if opacity is not None:
            result.putalpha(opacity)
        return result


def usable_profile(profile: bytes | None, mode: str) -> bytes | None:
    """The ICC profile, if RGB pixels can be written in it."""
    if not profile or mode not in ("RGB", "RGBA", "RGBa", "RGBX", "P"):
        return None
    try:
        from_srgb(Image.new("RGB", (1, 1)), profile)
    except ValueError:
        return None
    return profile


def _uncomposited(edited: Image.Image, opacity: Image.Image, background: Colour) -> Image.Image:
    """The colours that give `edited` when they are composited with this opacity."""
    share = np.asarray(opacity, dtype=np.float32)[..., None] / 255
    behind = np.asarray(background, dtype=np.float32) * (1 - share)
    values = (np.asarray(edited, dtype=np.float32) - behind) / np.maximum(share, 1 / 255)
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def kept_exif(image: Image.Image, size: tuple[int, int], own_colours: bool) -> bytes:
    """The EXIF data of an opened image that a result of `size` (width, height) keeps; see `Picture.exif`.

    own_colours: the result stays in the colours of the file; else it is said to be sRGB. Broken data give none.
    """
    try:
        found = image.getexif()
        details: dict[int, Any] = dict(found.get_ifd(EXIF))
        kept = Image.Exif()
        for tag in sorted(_KEPT & set(found)):
            kept[tag] = found[tag]
        for tag in (_MAKER_NOTE, INTEROPERABILITY):
            details.pop(tag, None)
        if _COLOUR_SPACE in details and not own_colours:
            details[_COLOUR_SPACE] = 1
        details.update({tag: side for tag, side in zip(_SIDES, size, strict=True) if tag in details})
        if details:
            kept.get_ifd(EXIF).update(details)
        content = kept.tobytes() if details or len(kept) else b""
        return content if len(content) <= _MOST_EXIF else b""
    except Exception:  # broken EXIF raises many classes of errors; the picture is still good
        return b""
