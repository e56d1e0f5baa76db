"""From a decoded picture of any mode to sRGB: opacity, depth of greys, ICC profiles and stated colour spaces."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from pxs.errors import ImageError, one_line
from pxs.images.spaces import SRGB, to_levels, to_srgb_curve
from pxs.images.stated import Stated

DEPTHS = (8, 10, 12, 16)
"""Bits that integer greys are taken to have, where the file does not say: the fewest that hold them all."""

_GREY_MODES = ("1", "L", "LA", "La")
_COLOUR_MODES = ("L", "RGB", "CMYK", "LAB")


def split(image: Image.Image, name: str, stated: Stated) -> tuple[Image.Image, Image.Image | None, list[str]]:
    """The colours, the opacity (mode L; None if every pixel is opaque), and remarks for warnings.

    Colours have mode L, RGB, CMYK or LAB; those of more than 8 bits have mode F, in 0..1. Raises ImageError for values
    without a range.
    """
    if image.mode.startswith("I"):
        return _split_deep_grey(image, name, stated)
    if image.mode == "F":
        return _float_grey(image, name), None, []
    if image.has_transparency_data or image.mode in ("La", "RGBa"):
        grey = image.mode in _GREY_MODES
        both = image.convert("LA" if grey else "RGBA")
        return both.convert("L" if grey else "RGB"), both.getchannel("A"), []
    if image.mode == "1":
        return image.convert("L"), None, []
    return (image if image.mode in _COLOUR_MODES else image.convert("RGB")), None, []


def _split_deep_grey(
    image: Image.Image, name: str, stated: Stated
) -> tuple[Image.Image, Image.Image | None, list[str]]:
    values = np.asarray(image).astype(np.int64)
    if image.mode == "I" and stated.unsigned:
        values &= 0xFFFFFFFF
    low, high, remarks = _range(values, name, stated)
    colour = Image.fromarray(((values - low) / (high - low)).astype(np.float32))
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return colour, None, remarks
    return colour, Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)), remarks


def _range(values: NDArray[np.int64], name: str, stated: Stated) -> tuple[float, float, list[str]]:
    """The values that mean black and white: as stated, or else as measured; and what to warn of."""
    low, high = int(values.min()), int(values.max())
    floor, top = stated.low or 0.0, stated.high
    found = f"grey values from {low} to {high} are read as"
    if top is not None and floor < top and floor <= low and high <= top:
        return floor, top, [] if top == 65535 else [f"{found} {floor:g} to {top:g}, which the file states"]
    if stated.exact and stated.bits and low >= 0 and high < 2**stated.bits:
        return 0, 2**stated.bits - 1, []
    if low >= 0 and high <= 65535:
        known = (stated.bits, 16) if stated.bits and stated.bits < 16 else DEPTHS
        bits = next(b for b in known if high < 2**b) if high else 16
        return 0, 2**bits - 1, [] if bits == 16 else [f"{found} those of {bits} bits"]
    if low == high:
        raise ImageError(f"{name} has grey values from {low} to {high}: save it with 8 or 16 bits for each pixel")
    return low, high, [f"{found} black to white, as the file states no range"]


def _float_grey(image: Image.Image, name: str) -> Image.Image:
    values = np.asarray(image)
    if not (values.min() >= 0 and values.max() <= 1):  # NaN fails both comparisons
        raise ImageError(f"{name} has float values from {values.min():g} to {values.max():g}: scale them to 0..1")
    return image


def to_srgb(colour: Image.Image, profile: bytes | None, stated: Stated) -> tuple[Image.Image, list[str]]:
    """Colours of `split` as sRGB, mode RGB, by their ICC profile or the stated space; and remarks for warnings."""
    remarks = []
    if profile and not stated.over_profile:
        try:
            return _converted(eight_bits(colour), profile), []
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
            remarks.append(f"colour profile ignored ({one_line(error)}); colours may be off")
    if stated.space == SRGB or colour.mode not in ("F", "L", "RGB"):
        return eight_bits(colour).convert("RGB"), remarks
    if colour.mode == "F":
        light = stated.space.to_light(np.asarray(colour, dtype=np.float64))
        return Image.fromarray(to_levels(to_srgb_curve(light))).convert("RGB"), remarks
    return Image.fromarray(stated.space.to_srgb(np.asarray(colour))).convert("RGB"), remarks


def eight_bits(colour: Image.Image) -> Image.Image:
    """Greys in 0..1 (mode F) in mode L; any other image as it is."""
    if colour.mode != "F":
        return colour
    return Image.fromarray(np.rint(np.asarray(colour, dtype=np.float64) * 255).astype(np.uint8))


def _converted(colour: Image.Image, profile: bytes) -> Image.Image:
    converted = ImageCms.profileToProfile(
        colour,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None  # None only for a conversion in place
    return converted


def from_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """An sRGB image in the colours of an RGB profile. Raises ValueError for a profile that is not a way there."""
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.createProfile("sRGB"),
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, TypeError) as error:
        raise ValueError(one_line(error)) from None
    assert converted is not None
    return converted
