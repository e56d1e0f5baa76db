"""Opens pictures of any common format as upright 8-bit sRGB images; every failure becomes one clear error."""

from __future__ import annotations

import io
import os
import re
import stat
import warnings
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from pxs.errors import ImageError, one_line
from pxs.storage.paths import PathName

T = TypeVar("T")
Source = PathName | Image.Image | NDArray[np.uint8]
"""What `open_image` accepts: a path, a PIL image, or a uint8 array of shape (height, width, 3), RGB."""

MAX_PIXELS = 50_000_000
"""Largest accepted picture, in pixels (width times height). The check comes before decoding."""

MIN_SIDE = 16
"""Smallest accepted side, in pixels."""

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "GIF")
"""File formats that `open_image` reads; GIF, WEBP, PNG and TIFF only when they hold a single frame."""

TransparentKey = int | tuple[int, ...] | bytes
"""The transparent grey level or palette index, the transparent colour, or the opacity of each palette entry."""

_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_GREY_MODES = ("1", "L", "LA", "La")
_COLOUR_MODES = ("L", "RGB", "CMYK", "LAB")


def open_image(source: Source, background: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """Return `source` as an upright 8-bit sRGB image of mode RGB, without any metadata.

    `source` is a path, a PIL image, or a uint8 array of shape (height, width, 3). It is never changed. The result is a
    new image, made in these steps. The EXIF rotation is applied. Transparency of any kind is composited on `background`
    (three ints, 0..255). Palette, grey, CMYK and LAB pictures become RGB. 16-bit greys are scaled (65535 becomes 255),
    not clipped. 16-bit colour keeps the upper 8 bits. A picture of floats is a grey picture in [0, 1]. An embedded ICC
    profile is converted to sRGB; a broken profile is ignored with a `UserWarning`.

    Raises `ImageError` for a file that is missing, empty, a folder, truncated, animated, or not one of `FORMATS`. Also
    raises it for a picture of more than `MAX_PIXELS` pixels, with a side shorter than `MIN_SIDE`, or with floats
    outside [0, 1]; for an array of another dtype or shape; and for a `background` that is not a colour.
    """
    _check_background(background)
    picture, name = _load(source)
    flat = _flatten(picture, name, background)
    operation = _UPRIGHT.get(_orientation(picture))
    upright = flat if operation is None else flat.transpose(operation)
    clean = Image.new("RGB", upright.size)
    clean.paste(upright)
    return clean


def _check_background(background: tuple[int, int, int]) -> None:
    values = tuple(background)
    if len(values) != 3 or not all(isinstance(v, (int, np.integer)) and 0 <= v <= 255 for v in values):
        raise ImageError(f"background {background!r} is not a colour: give three integers from 0 to 255")


def _load(source: Source) -> tuple[Image.Image, str]:
    """Decode any source; return the picture in its own mode, and its name for messages."""
    if isinstance(source, Image.Image):
        return _decode(source, "the image"), "the image"
    if isinstance(source, np.ndarray):
        return _decode(_image_of_array(source), "the array"), "the array"
    if not isinstance(source, (str, os.PathLike)):
        raise ImageError(f"cannot read a picture from a {type(source).__name__}: give a path, a PIL image or an array")
    path = os.fsdecode(source)
    return read_file(path, _decode), repr(path)


def _image_of_array(array: NDArray[np.uint8]) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ImageError(
            f"an array of type {array.dtype} and shape {array.shape} is not a picture: "
            "give uint8 of shape (height, width, 3)"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def read_file(path: str, extract: Callable[[Image.Image, str], T], formats: tuple[str, ...] = FORMATS) -> T:
    """Open the picture file and return `extract(image, name)`; `name` is the quoted path, for messages.

    Raises `ImageError` for every failure: a missing, unreadable or damaged file, or a format outside `formats`.
    """
    _check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")  # a damaged tag does not affect the pixels
            with Image.open(path, formats=formats) as opened:
                return extract(opened, repr(path))
    except Image.DecompressionBombError as error:  # raised by PIL far above our limit, before we can read the size
        found = re.search(r"\d+", str(error))
        raise _too_large_error(repr(path), found.group() if found else "too many") from None
    except UnidentifiedImageError:
        raise ImageError(f"{path!r} is not a picture in a known format: give {' or '.join(formats)}") from None
    except PermissionError:
        raise ImageError(f"{path!r} cannot be read (permission denied): ask its owner for permission") from None
    except ImageError:
        raise
    except Exception as error:  # a damaged header: the readers raise many classes of errors
        raise damaged_error(repr(path), error) from None


def _check_file(path: str) -> None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise ImageError(f"{path!r} does not exist: check the spelling of the path") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{path!r} cannot be read ({one_line(error)}): give the path of a picture") from None
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(f"{path!r} is a folder: give the path of one picture in it")
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f"{path!r} is not a regular file: give the path of a picture")
    if status.st_size == 0:
        raise ImageError(f"{path!r} is empty (0 bytes): copy or download the picture again")


def _decode(image: Image.Image, name: str) -> Image.Image:
    """Check the header, then decode; the result is a copy that no longer needs the file."""
    check_size(image, name)
    _check_side(image, name)
    try:
        _check_frames(image, name)
        key = _transparent_key(image)
        copy = image.copy()  # decodes
    except ImageError:
        raise
    except Exception as error:  # damaged data: the decoders raise many classes of errors
        raise damaged_error(name, error) from None
    copy.info.pop("transparency", None)
    if key is not None:
        copy.info["transparency"] = key
    return copy


def check_size(image: Image.Image, name: str) -> None:
    """Raise `ImageError` if the image has more than `MAX_PIXELS` pixels; `name` is its name in the message."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large_error(name, f"{width} x {height} = {width * height}")


def _check_side(image: Image.Image, name: str) -> None:
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"{name} is {width} x {height} pixels: give a picture of at least {MIN_SIDE} on each side")


def _check_frames(image: Image.Image, name: str) -> None:
    if image.format == "MPO":  # a phone photo: the other frames are previews or depth maps
        return
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise ImageError(f"{name} holds {frames} frames, not one still picture: extract one frame and give that")


def _transparent_key(image: Image.Image) -> TransparentKey | None:
    """Return the transparent value of the header, in the 8-bit scale of the decoded pixels; None if there is none.

    The decoder widens 2-bit and 4-bit greys to 8 bits and narrows 16-bit colours, but it does not scale the key. The
    key of a 16-bit grey is not scaled either: `_split_deep_grey` compares it with the 16-bit pixels. A text chunk named
    "transparency" is not a key.
    """
    key = image.info.get("transparency")
    tiles = getattr(image, "tile", None)
    layout = tiles[0][3] if tiles else None
    if isinstance(key, int) and layout in ("L;2", "L;4"):
        return key * {"L;2": 85, "L;4": 17}[layout]
    if isinstance(key, tuple) and layout == "RGB;16B":
        return tuple(value >> 8 for value in key)
    return key if isinstance(key, (int, tuple, bytes)) else None


def _too_large_error(name: str, pixels: str) -> ImageError:
    return ImageError(f"{name} has {pixels} pixels, more than the limit of {MAX_PIXELS}: scale it down first")


def damaged_error(name: str, error: BaseException) -> ImageError:
    """The `ImageError` for a picture that cannot be decoded; `name` is its name in the message."""
    return ImageError(f"{name} is damaged or cut short ({one_line(error)}): copy or download the picture again")


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1 (upright) when it is missing or the EXIF data is broken."""
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # broken EXIF raises many classes of errors; the picture is still good
        return 1


def _flatten(image: Image.Image, name: str, background: tuple[int, int, int]) -> Image.Image:
    """Return the picture in sRGB, composited on the background where it is transparent."""
    colour, alpha = _split(image, name)
    rgb = _to_srgb(colour, image.info.get("icc_profile"), name)
    if alpha is None:
        return rgb
    return Image.composite(rgb, Image.new("RGB", rgb.size, tuple(background)), alpha)


def _split(image: Image.Image, name: str) -> tuple[Image.Image, Image.Image | None]:
    """Return the colours (mode L, RGB, CMYK or LAB), and the opacity (mode L; None if every pixel is opaque)."""
    if image.mode.startswith("I"):
        return _split_deep_grey(image, name)
    if image.mode == "F":
        return _float_grey(image, name), None
    if image.has_transparency_data or image.mode in ("La", "RGBa"):
        grey = image.mode in _GREY_MODES
        both = image.convert("LA" if grey else "RGBA")
        return both.convert("L" if grey else "RGB"), both.getchannel("A")
    if image.mode == "1":
        return image.convert("L"), None
    return (image if image.mode in _COLOUR_MODES else image.convert("RGB")), None


def _split_deep_grey(image: Image.Image, name: str) -> tuple[Image.Image, Image.Image | None]:
    """Return a picture of 16-bit greys in mode L, and its opacity as in `_split`."""
    values = np.asarray(image).astype(np.int64)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ImageError(f"{name} has grey values from {low} to {high}: save it with 8 or 16 bits for each pixel")
    colour = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return colour, None
    return colour, Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))


def _float_grey(image: Image.Image, name: str) -> Image.Image:
    """Return a picture of floats in [0, 1] in mode L."""
    values = np.asarray(image)
    if not (values.min() >= 0 and values.max() <= 1):  # NaN fails both comparisons
        raise ImageError(f"{name} has float values from {values.min():g} to {values.max():g}: scale them to 0..1")
    return Image.fromarray(np.rint(values * 255).astype(np.uint8))


def _to_srgb(colour: Image.Image, profile: bytes | None, name: str) -> Image.Image:
    """Convert colours from their ICC profile to sRGB; without a valid profile, convert the mode only."""
    if profile:
        try:
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
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
            warnings.warn(f"{name}: colour profile ignored ({one_line(error)}); colours may be off", stacklevel=4)
    return colour.convert("RGB")
