"""Opens pictures of any common format as upright 8-bit sRGB images; every failure becomes one clear error."""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import warnings
from collections.abc import Callable
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pxs.errors import ImageError, one_line
from pxs.images.colours import split, to_srgb
from pxs.images.picture import Colour, Picture, kept_exif, usable_profile
from pxs.images.stated import Stated, read_stated
from pxs.optional import require
from pxs.storage.paths import PathName

T = TypeVar("T")
Source = PathName | bytes | bytearray | memoryview | BinaryIO | Image.Image | NDArray[np.uint8] | Picture
"""What is opened: a path, a file's content, a file opened for reading bytes, a PIL image, a uint8 array (height, width,
3), RGB, or a `Picture`."""

MAX_PIXELS = 50_000_000
"""Largest accepted picture, in pixels (width times height). The check comes before decoding."""

MAX_FILE = 16 * MAX_PIXELS
"""Largest content that is read from an opened file, in bytes."""

MIN_SIDE = 16
"""Smallest accepted side, in pixels."""

HEIC = "HEIF"
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", HEIC, "BMP", "TIFF", "PPM", "GIF")
"""File formats that are read, HEIF with the package pillow-heif; all only when they hold a single frame."""

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".heic", ".heif", ".hif"),
    *(".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm", ".gif"),
)
"""Suffixes of files that are taken for pictures where a folder is given."""

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
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_TURNED = (5, 6, 7, 8)  # orientations that exchange width and height


def open_image(source: Source, background: Colour = (255, 255, 255)) -> Image.Image:
    """Return `source` as an upright 8-bit sRGB image of mode RGB, without any metadata.

    `source` is a path ("~" is the home folder), the bytes of a file, an opened file, which is read from its start, a
    PIL image, or a uint8 array of shape (height, width, 3). It is never changed. The result is a new image, made in
    these steps. The EXIF rotation is applied. Transparency of any kind is composited on `background` (three ints,
    0..255). Palette, grey, CMYK and LAB pictures become RGB. Greys of more than 8 bits are scaled by their range: 65535
    becomes 255. A range that is stated by the file, or is that of fewer bits, is used with a `UserWarning`. 16-bit
    colour keeps the upper 8 bits. A picture of floats is a grey picture in [0, 1]. Colours become sRGB: from the ICC
    profile, or else as cICP, gAMA, cHRM or EXIF (Adobe RGB) state them; a broken profile is ignored with a
    `UserWarning`.

    Raises `ImageError` for a file that is missing, empty, a folder, truncated, animated, of high dynamic range, or not
    one of `FORMATS`. Also raises it for a picture of more than `MAX_PIXELS` pixels, with a side shorter than
    `MIN_SIDE`, or with floats outside [0, 1]; for an array of another dtype or shape; and for a `background` that is
    not a colour.
    """
    picture, remarks = _open(source, background)
    _warn(remarks)
    return picture.image


def open_picture(source: Source, background: Colour = (255, 255, 255)) -> Picture:
    """Return `source` with what a result should keep: opacity, ICC profile and EXIF data; else as `open_image`."""
    picture, remarks = _open(source, background)
    _warn(remarks)
    return picture


def _warn(remarks: list[str]) -> None:
    for remark in remarks:
        warnings.warn(remark, stacklevel=3)


def _open(source: Source, background: Colour) -> tuple[Picture, list[str]]:
    """The picture, and what to warn of."""
    _check_background(background)
    if isinstance(source, Picture):
        return source, []
    (decoded, stated), name = _load(source)
    colour, alpha, remarks = split(decoded, name, stated)
    rgb, more = to_srgb(colour, decoded.info.get("icc_profile"), stated)
    turn = _UPRIGHT.get(_orientation(decoded))
    upright = _clean(rgb, turn)
    profile = None if stated.over_profile or more else usable_profile(decoded.info.get("icc_profile"), decoded.mode)
    opacity = None if alpha is None else _clean(alpha, turn)
    own = upright if profile is None else _clean(colour.convert("RGB"), turn)
    behind = Image.new("RGB", upright.size, tuple(background))
    image = upright if opacity is None else Image.composite(upright, behind, opacity)
    exif = kept_exif(decoded, image.size, own_colours=profile is not None)
    colours = None if own is image else own
    picture = Picture(image, opacity, colours, profile, exif, background)
    return picture, [f"{name}: {remark}" for remark in (*stated.remarks, *remarks, *more)]


def _clean(image: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    """A copy of the pixels alone, turned."""
    upright = image if turn is None else image.transpose(turn)
    clean = Image.new(upright.mode, upright.size)
    clean.paste(upright)
    return clean


def _check_background(background: tuple[int, int, int]) -> None:
    values = tuple(background)
    if len(values) != 3 or not all(isinstance(v, (int, np.integer)) and 0 <= v <= 255 for v in values):
        raise ImageError(f"background {background!r} is not a colour: give three integers from 0 to 255")


def _load(source: Source) -> tuple[tuple[Image.Image, Stated], str]:
    """Decode any source; return the picture in its own mode with what it states, and its name for messages."""
    if isinstance(source, Image.Image):
        return _decode(source, "the image"), "the image"
    if isinstance(source, np.ndarray):
        return _decode(_image_of_array(source), "the array"), "the array"
    if not isinstance(source, (str, os.PathLike)):
        return read_file(_content(source), _decode), "the file"
    path = os.path.expanduser(os.fsdecode(source))
    return read_file(path, _decode), repr(path)


def _content(source: object) -> bytes:
    """The bytes of a file, from its content or from the opened file."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if not hasattr(source, "read"):
        raise ImageError(f"cannot read a picture from a {type(source).__name__}: give a path, a PIL image or an array")
    try:
        if hasattr(source, "seek"):
            source.seek(0)
        content = source.read(MAX_FILE + 1)
    except (OSError, ValueError) as error:  # a closed file, one that is not open for reading, a text that is none
        raise ImageError(f"the opened file cannot be read ({one_line(error)}): give its path") from None
    if not isinstance(content, bytes):
        raise ImageError('the file was opened as a text: open it with mode "rb", or give its path')
    if len(content) > MAX_FILE:
        raise ImageError(f"the opened file has more than {MAX_FILE} bytes: scale the picture down first")
    return content


def _image_of_array(array: NDArray[np.uint8]) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ImageError(
            f"an array of type {array.dtype} and shape {array.shape} is not a picture: "
            "give uint8 of shape (height, width, 3)"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def upright_size(source: PathName | bytes) -> tuple[int, int]:
    """Width and height of a picture, by its path or content, as it is shown; its pixels are not decoded.

    Raises `ImageError` for what `open_image` refuses before it decodes.
    """
    return read_file(source if isinstance(source, bytes) else os.fsdecode(source), _size_of)


def _size_of(image: Image.Image, name: str) -> tuple[int, int]:
    check_size(image, name)
    _check_side(image, name)
    _check_frames(image, name)
    width, height = image.size
    return (height, width) if _orientation(image) in _TURNED else (width, height)


def read_file(source: str | bytes, extract: Callable[[Image.Image, str], T], formats: tuple[str, ...] = FORMATS) -> T:
    """Open a picture file, by its path or its content, and return `extract(image, name)`; `name` is for messages.

    Raises `ImageError` for every failure: a missing, unreadable or damaged file, or a format outside `formats`.
    """
    name = "the file" if isinstance(source, bytes) else repr(source)
    _check_file(source)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")  # a damaged tag does not affect the pixels
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(file, formats=_readable(source, formats)) as opened:
                return extract(opened, name)
    except Image.DecompressionBombError as error:  # raised by PIL far above our limit, before we can read the size
        found = re.search(r"\d+", str(error))
        raise _too_large_error(name, found.group() if found else "too many") from None
    except UnidentifiedImageError:
        raise ImageError(f"{name} is not a picture in a known format: give {' or '.join(formats)}") from None
    except PermissionError:
        raise ImageError(f"{name} cannot be read (permission denied): ask its owner for permission") from None
    except ImageError:
        raise
    except Exception as error:  # a damaged header: the readers raise many classes of errors
        raise damaged_error(name, error) from None


def _readable(source: str | bytes, formats: tuple[str, ...]) -> tuple[str, ...]:
    """The formats that Pillow may try. Raises `ImageError` for a HEIC file without its reader, pillow-heif."""
    head = source[:12] if isinstance(source, bytes) else _head(source)
    if HEIC not in formats or head[4:8] != b"ftyp" or head[8:12] not in _HEIC_BRANDS:
        return tuple(f for f in formats if f != HEIC)
    require("pillow_heif", "heif", ImageError).register_heif_opener()
    return (HEIC, *(f for f in formats if f == "AVIF"))


def _head(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(12)


def _check_file(path: str | bytes) -> None:
    if isinstance(path, bytes):
        if not path:
            raise ImageError("the file is empty (0 bytes): copy or download the picture again")
        return
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


def _decode(image: Image.Image, name: str) -> tuple[Image.Image, Stated]:
    """Check the header, then decode; a copy that no longer needs the file, and what the file states about it."""
    check_size(image, name)
    _check_side(image, name)
    try:
        _check_frames(image, name)
        key = _transparent_key(image)
        stated = read_stated(image, name)
        copy = image.copy()  # decodes
    except ImageError:
        raise
    except Exception as error:  # damaged data: the decoders raise many classes of errors
        raise damaged_error(name, error) from None
    if image.format == "TIFF":  # whose EXIF data Pillow does not copy
        with contextlib.suppress(Exception):  # broken EXIF raises many classes of errors
            copy.info["exif"] = image.getexif().tobytes()
    copy.info.pop("transparency", None)
    if key is not None:
        copy.info["transparency"] = key
    return copy, stated


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
    key of a 16-bit grey is not scaled either: `split` compares it with the 16-bit pixels. A text chunk named
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
