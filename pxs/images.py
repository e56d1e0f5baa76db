"""Pictures in and out: everything between a file on disk and the pixels a model sees.

A picture enters through `open_image`, which accepts what people really have (rotated phone photos,
transparent PNGs, CMYK scans, 16-bit greys) and always returns a plain upright 8-bit sRGB image without
metadata, or one clear error. `fit` brings it to the size a model works at, and the `Fit` it returns carries
the edit back to the full-size picture. `sheet` and `animate` show many results at once, `save_png` and
`read_text` keep the settings next to the pixels, and `to_array`, `from_array` and `psnr` are the bridge to
numbers. Every file is written beside its target first and then moved into place, so a failure never leaves
half a file behind.
"""

import contextlib
import io
import math
import os
import re
import secrets
import stat
import tempfile
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from PIL import Image, ImageCms, ImageDraw, ImageFont, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from pxs.errors import ImageError, OutputError

T = TypeVar("T")
PathName = str | os.PathLike[str]
Source = PathName | Image.Image | np.ndarray

MAX_PIXELS = 50_000_000
"""Largest picture accepted, in pixels (width times height), checked before anything is decoded."""

MIN_SIDE = 16
"""Smallest side accepted, in pixels."""

MAX_ASPECT = 4.0
"""Largest ratio of the longer to the shorter side that `fit` accepts."""

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "GIF")
"""File formats that `open_image` reads; GIF, WEBP, PNG and TIFF only when they hold a single frame."""

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


# ------------------------------------------------------------------------------------------------------------
# Reading


def open_image(source: Source, background: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """Return `source` as a plain upright 8-bit sRGB image of mode RGB, without any metadata.

    `source` is a path, a PIL image, or a uint8 array of shape (height, width, 3); it is never changed. What
    happens to it: the EXIF rotation is applied; transparency of any kind is composited on `background` (three
    ints, 0..255); palette, grey, CMYK and LAB pictures become RGB; 16-bit greys are scaled (65535 becomes
    255), not clipped; an embedded ICC profile is converted to sRGB, and a broken one is ignored with a
    `UserWarning`. Pictures of floats are taken as grey in [0, 1] and refused if any value lies outside.
    16-bit colour keeps the upper 8 bits.

    Raises `ImageError` for a file that is missing, empty, a folder, truncated, not one of `FORMATS`, or
    animated, and for any picture of more than `MAX_PIXELS` pixels or with a side shorter than `MIN_SIDE`.
    """
    _check_background(background)
    picture, name = _read(source)
    flat = _flatten(picture, name, background)
    operation = _UPRIGHT.get(_orientation(picture))
    upright = flat if operation is None else flat.transpose(operation)
    clean = Image.new("RGB", upright.size)
    clean.paste(upright)
    return clean


def _check_background(background: tuple[int, int, int]) -> None:
    values = tuple(background)
    if len(values) != 3 or not all(isinstance(v, (int, np.integer)) and 0 <= v <= 255 for v in values):
        raise ImageError(f"background {background!r} is not a colour: give three whole numbers from 0 to 255")


def _read(source: Source) -> tuple[Image.Image, str]:
    """Decode any source; return the picture in its own mode and a name for it in messages."""
    if isinstance(source, Image.Image):
        return _decode(source, "the image"), "the image"
    if isinstance(source, np.ndarray):
        return _decode(_array_image(source), "the array"), "the array"
    if not isinstance(source, (str, os.PathLike)):
        raise ImageError(
            f"cannot read a picture from a {type(source).__name__}: give a path, a PIL image or an array"
        )
    path = os.fsdecode(source)
    return _read_file(path, _decode), repr(path)


def _array_image(array: np.ndarray) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ImageError(
            f"an array of type {array.dtype} and shape {array.shape} is not a picture: "
            "give uint8 of shape (height, width, 3)"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def _read_file(path: str, take: Callable[[Image.Image, str], T], formats: Sequence[str] = FORMATS) -> T:
    """Open the file and return what `take` gets from it; all that can go wrong becomes an `ImageError`."""
    _check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")  # a damaged tag is not the user's concern
            with Image.open(path, formats=formats) as opened:
                return take(opened, repr(path))
    except Image.DecompressionBombError as error:  # far above the limit, raised before the size can be read
        found = re.search(r"\d+", str(error))
        raise _too_large(repr(path), found.group() if found else "too many") from None
    except UnidentifiedImageError:
        raise ImageError(
            f"{path!r} is not a picture in a known format: give {' or '.join(formats)}"
        ) from None
    except PermissionError:
        raise ImageError(
            f"{path!r} must not be read by you: ask its owner for the right to read it"
        ) from None
    except ImageError:
        raise
    except Exception as error:  # the header itself is damaged; the readers raise about any class for that
        raise _damaged(repr(path), error) from None


def _check_file(path: str) -> None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise ImageError(f"{path!r} does not exist: check the spelling of the path") from None
    except (OSError, ValueError) as error:
        raise ImageError(
            f"{path!r} cannot be read ({_one_line(error)}): give the path of a picture"
        ) from None
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(f"{path!r} is a folder: give the path of one picture in it")
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f"{path!r} is not a regular file: give the path of a picture")
    if status.st_size == 0:
        raise ImageError(f"{path!r} is empty (0 bytes): copy or download the picture again")


def _decode(image: Image.Image, name: str) -> Image.Image:
    """Check the header, then decode; the result is a copy that needs no file any more."""
    _check_size(image, name)
    _check_side(image, name)
    try:
        _check_frames(image, name)
        key = _transparent_key(image)
        copy = image.copy()  # decodes
    except ImageError:
        raise
    except Exception as error:  # the decoders raise about any class for damaged data
        raise _damaged(name, error) from None
    copy.info.pop("transparency", None)
    if isinstance(key, (int, tuple, bytes)):  # a text chunk of that name is none
        copy.info["transparency"] = key
    return copy


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"{width} x {height} = {width * height}")


def _check_side(image: Image.Image, name: str) -> None:
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"{name} is {width} x {height} pixels: give a picture of at least {MIN_SIDE} on each side"
        )


def _check_frames(image: Image.Image, name: str) -> None:
    if image.format == "MPO":  # a phone photo: the further frames are previews or depth maps
        return
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise ImageError(
            f"{name} holds {frames} frames, not one still picture: extract one frame and give that"
        )


def _transparent_key(image: Image.Image) -> Any:
    """Return the transparent grey or colour of the header in the 8-bit scale of the decoded pixels, or None.

    The decoder widens 2-bit and 4-bit greys and narrows 16-bit colours, but leaves the key in the file's own
    scale. A 16-bit grey stays as it is, its pixels are compared before they are narrowed.
    """
    key = image.info.get("transparency")
    tiles = getattr(image, "tile", None)
    layout = tiles[0][3] if tiles else None
    if isinstance(key, int) and layout in ("L;2", "L;4"):
        return key * {"L;2": 85, "L;4": 17}[layout]
    if isinstance(key, tuple) and layout == "RGB;16B":
        return tuple(value >> 8 for value in key)
    return key


def _too_large(name: str, pixels: str) -> ImageError:
    return ImageError(f"{name} has {pixels} pixels, more than the limit of {MAX_PIXELS}: scale it down first")


def _damaged(name: str, error: BaseException) -> ImageError:
    return ImageError(
        f"{name} is damaged or cut short ({_one_line(error)}): copy or download the picture again"
    )


def _one_line(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) when there is none or the EXIF data is broken."""
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # broken EXIF raises about any class; it must not cost the user the picture
        return 1


def _flatten(image: Image.Image, name: str, background: tuple[int, int, int]) -> Image.Image:
    colour, alpha = _split(image, name)
    rgb = _to_srgb(colour, image.info.get("icc_profile"), name)
    if alpha is None:
        return rgb
    return Image.composite(rgb, Image.new("RGB", rgb.size, tuple(background)), alpha)


def _split(image: Image.Image, name: str) -> tuple[Image.Image, Image.Image | None]:
    """Return the colours (mode L, RGB, CMYK or LAB) and the opacity (mode L, or None when all is opaque)."""
    if image.mode.startswith("I"):
        return _split_deep_grey(image, name)
    if image.mode == "F":
        return _unit_grey(image, name), None
    if image.has_transparency_data or image.mode in ("La", "RGBa"):
        grey = image.mode in _GREY_MODES
        both = image.convert("LA" if grey else "RGBA")
        return both.convert("L" if grey else "RGB"), both.getchannel("A")
    if image.mode == "1":
        return image.convert("L"), None
    return (image if image.mode in _COLOUR_MODES else image.convert("RGB")), None


def _split_deep_grey(image: Image.Image, name: str) -> tuple[Image.Image, Image.Image | None]:
    values = np.asarray(image).astype(np.int64)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ImageError(
            f"{name} has grey values from {low} to {high}: save it with 8 or 16 bits for each pixel"
        )
    colour = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return colour, None
    return colour, Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))


def _unit_grey(image: Image.Image, name: str) -> Image.Image:
    values = np.asarray(image)
    if not (values.min() >= 0 and values.max() <= 1):  # NaN fails both
        raise ImageError(
            f"{name} has float values from {values.min():g} to {values.max():g}: scale them to 0..1"
        )
    return Image.fromarray(np.rint(values * 255).astype(np.uint8))


def _to_srgb(colour: Image.Image, profile: bytes | None, name: str) -> Image.Image:
    if profile:
        try:
            return ImageCms.profileToProfile(
                colour,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
            warnings.warn(
                f"{name}: colour profile ignored ({_one_line(error)}); colours may be off", stacklevel=4
            )
    return colour.convert("RGB")


# ------------------------------------------------------------------------------------------------------------
# Fitting to the size of a model, and back


@dataclass(frozen=True, eq=False)
class Fit:
    """How a picture was brought to the size of a model, and the way back; made by `fit`.

    `source` is the full-size picture and `fitted` the same picture at the size of the model; both are RGB,
    and both are the Fit's own copies.
    """

    source: Image.Image
    fitted: Image.Image

    @property
    def resized(self) -> bool:
        """Whether the picture had to be resized at all."""
        return self.source.size != self.fitted.size

    def restore(self, edited: Image.Image) -> Image.Image:
        """Return the edit at the size of the source, with the source's detail where nothing was edited.

        The change is brought to the full size, not the picture: restored = source + resize(edited - fitted),
        computed in floats with Lanczos resampling, rounded and clipped to 0..255. An `edited` equal to
        `fitted` gives back the source bit for bit. When the picture was not resized, the result is `edited`
        bit for bit.

        `edited` is RGB of the size of `fitted`; anything else raises `ImageError`.
        """
        _check_rgb(edited)
        if edited.size != self.fitted.size:
            raise ImageError(
                f"the edited picture is {edited.size}: it must have the fitted size {self.fitted.size}"
            )
        if not self.resized:
            return edited.copy()
        channels = zip(self.source.split(), self.fitted.split(), edited.split(), strict=True)
        return Image.merge("RGB", [_add_change(*channel) for channel in channels])


def fit(image: Image.Image, resolution: int, multiple: int = 16) -> tuple[Image.Image, Fit]:
    """Resize the whole picture to the size of a model; return it with the `Fit` that leads back.

    The aspect ratio is kept, the area comes out at about `resolution` squared, and each side is rounded to a
    multiple of `multiple` pixels (at least one). Nothing is cropped and no border is added: the picture is
    resized straight to the rounded size with Lanczos resampling, so its proportions change by no more than
    that rounding. A picture that is already of such a size comes back bit for bit.

    Raises `ImageError` when `image` is not RGB, is longer than 4:1, or when not resolution >= multiple >= 1.
    """
    _check_rgb(image)
    width, height = image.size
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"the picture is {width} x {height}, longer than {MAX_ASPECT:g}:1: crop it first")
    if not 1 <= multiple <= resolution:
        raise ImageError(
            f"resolution {resolution} with multiple {multiple}: both must be >= 1, the first the larger"
        )
    size = _model_size(width, height, resolution, multiple)
    fitted = image.copy() if size == image.size else image.resize(size, Image.Resampling.LANCZOS)
    return fitted, Fit(source=image.copy(), fitted=fitted.copy())


def _model_size(width: int, height: int, resolution: int, multiple: int) -> tuple[int, int]:
    half = multiple / 2
    smallest, largest = (width - half) * (height - half), (width + half) * (height + half)
    if width % multiple == height % multiple == 0 and smallest <= resolution**2 <= largest:
        return width, height  # rounding could have produced this size: keep it
    stretch = math.sqrt(width / height)
    sides = resolution * stretch, resolution / stretch
    return max(1, round(sides[0] / multiple)) * multiple, max(1, round(sides[1] / multiple)) * multiple


def _add_change(source: Image.Image, fitted: Image.Image, edited: Image.Image) -> Image.Image:
    change = np.asarray(edited, dtype=np.float32) - np.asarray(fitted, dtype=np.float32)
    full = np.asarray(Image.fromarray(change).resize(source.size, Image.Resampling.LANCZOS))
    values = np.rint(np.asarray(source, dtype=np.float32) + full)
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _check_rgb(image: Image.Image) -> None:
    if not isinstance(image, Image.Image) or image.mode != "RGB":
        found = f"mode {image.mode}" if isinstance(image, Image.Image) else type(image).__name__
        raise ImageError(f"expected a PIL image of mode RGB, got {found}: pass it through open_image first")


# ------------------------------------------------------------------------------------------------------------
# Contact sheets

_SMALLEST_FONT = 9
_LABEL_COLOUR = (20, 20, 20)
_PADDING = 4
_ASCII_FOR = str.maketrans(
    "\u2010\u2011\u2012\u2013\u2014\u2212\u2018\u2019\u201c\u201d\u00d7", "------''\"\"x"
)


def sheet(
    rows: Sequence[Sequence[Image.Image | None]],
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    scale: float = 1.0,
    gap: int = 4,
    font_size: int | None = None,
) -> Image.Image:
    """Return a labelled contact sheet of the images in `rows`, an RGB image on white.

    All cells have the same size, that of the widest and the highest image times `scale`; a smaller image is
    centred in its cell, and None or the missing end of a short row leaves a cell blank. At scale 1 the pixels
    are copied exactly. Between the cells and around them lie `gap` white pixels. Row labels stand in a strip
    at the left that is as wide as its longest text; column labels stand in a strip at the top, and shrink and
    then end in "..." where they are wider than a cell. `font_size` is in pixels and follows the height of the
    cells by default. Labels are drawn in ASCII: accents are
    dropped, and a letter without a counterpart becomes a question mark.

    Raises `ImageError` (a `ValueError`) when there is no image at all, when the number of labels differs from
    the number of rows or columns, or when `scale`, `gap` or `font_size` is out of range.
    """
    columns = max((len(row) for row in rows), default=0)
    _check_sheet(rows, columns, row_labels, column_labels)
    _check_measures(scale, gap, font_size)
    cell = _cell_size(rows, scale)
    size = font_size or max(12, round(cell[1] / 14))
    left_texts, left_font = _row_text(row_labels, size, cell[1])
    top_texts, top_font = _column_text(column_labels, size, cell[0])
    left = _strip_width(left_texts, left_font)
    top = sum(top_font.getmetrics()) + _PADDING if top_texts else 0
    xs = [left + gap + i * (cell[0] + gap) for i in range(columns)]
    ys = [top + gap + i * (cell[1] + gap) for i in range(len(rows))]
    canvas = Image.new("RGB", (xs[-1] + cell[0] + gap, ys[-1] + cell[1] + gap), "white")
    for y, row in zip(ys, rows, strict=True):
        for x, image in zip(xs, row, strict=False):
            _paste(canvas, image, (x, y), cell, scale)
    draw = ImageDraw.Draw(canvas)
    for y, text in zip(ys, left_texts, strict=False):
        draw.text((left - _PADDING, y + cell[1] / 2), text, _LABEL_COLOUR, left_font, anchor="rm")
    for x, text in zip(xs, top_texts, strict=False):
        draw.text((x + cell[0] / 2, (top + gap) / 2), text, _LABEL_COLOUR, top_font, anchor="mm")
    return canvas


def _strip_width(texts: Sequence[str], font: ImageFont.FreeTypeFont) -> int:
    return math.ceil(max(map(font.getlength, texts))) + 2 * _PADDING if texts else 0


def _check_sheet(
    rows: Sequence[Sequence[Image.Image | None]],
    columns: int,
    row_labels: Sequence[str] | None,
    column_labels: Sequence[str] | None,
) -> None:
    if not any(image is not None for row in rows for image in row):
        raise ImageError(
            f"a sheet of {len(rows)} rows and {columns} columns holds no image: give at least one"
        )
    for what, labels, count in (("row", row_labels, len(rows)), ("column", column_labels, columns)):
        if labels is not None and len(labels) != count:
            raise ImageError(
                f"{len(labels)} {what} labels for {count} {what}s: give one label for each {what}"
            )


def _check_measures(scale: float, gap: int, font_size: int | None) -> None:
    if not (math.isfinite(scale) and scale > 0):
        raise ImageError(f"sheet scale {scale!r} is out of range: give a number above 0, 1 for the true size")
    if gap < 0:
        raise ImageError(f"sheet gap {gap!r} is out of range: give 0 or more pixels")
    if font_size is not None and font_size < 1:
        raise ImageError(
            f"font size {font_size!r} is out of range: give 1 or more pixels, or None to choose by itself"
        )


def _cell_size(rows: Sequence[Sequence[Image.Image | None]], scale: float) -> tuple[int, int]:
    sizes = [_scaled(image.size, scale) for row in rows for image in row if image is not None]
    return max(width for width, _ in sizes), max(height for _, height in sizes)


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _paste(
    canvas: Image.Image,
    image: Image.Image | None,
    corner: tuple[int, int],
    cell: tuple[int, int],
    scale: float,
) -> None:
    if image is None:
        return
    size = _scaled(image.size, scale)
    rgb = image.convert("RGB")
    shown = rgb if size == rgb.size else rgb.resize(size, Image.Resampling.LANCZOS)
    canvas.paste(shown, (corner[0] + (cell[0] - size[0]) // 2, corner[1] + (cell[1] - size[1]) // 2))


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=size)


def _row_text(
    labels: Sequence[str] | None, size: int, height: int
) -> tuple[list[str], ImageFont.FreeTypeFont]:
    """Return one-line texts and a font no higher than a cell."""
    while size > 1 and sum(_font(size).getmetrics()) > height:
        size -= 1
    return [_flat(label) for label in labels or ()], _font(size)


def _column_text(
    labels: Sequence[str] | None, size: int, width: int
) -> tuple[list[str], ImageFont.FreeTypeFont]:
    """Return one-line texts and the font, common to all, at which they are no wider than a cell."""
    texts = [_flat(label) for label in labels or ()]
    while size > _SMALLEST_FONT and any(_font(size).getlength(text) > width for text in texts):
        size -= 1
    return [_shorten(text, _font(size), width) for text in texts], _font(size)


def _shorten(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Return `text`, or the longest beginning of it that fits with "..." after it, or nothing."""
    if font.getlength(text) <= width:
        return text
    shorter = (text[:end].rstrip() + "..." for end in range(len(text) - 1, -1, -1))
    return next((short for short in shorter if font.getlength(short) <= width), "")


def _flat(label: str) -> str:
    """Return the label on one line in ASCII, all that the built-in font can draw; accents are dropped."""
    decomposed = unicodedata.normalize("NFKD", " ".join(str(label).split()).translate(_ASCII_FOR))
    base = "".join(character for character in decomposed if not unicodedata.combining(character))
    return base.encode("ascii", "replace").decode("ascii")


# ------------------------------------------------------------------------------------------------------------
# Writing files


def animate(
    frames: Sequence[Image.Image], path: PathName, seconds: float = 2.0, ping_pong: bool = True
) -> Path:
    """Write an endlessly looping animation of `frames` to `path` and return the path.

    The suffix chooses the format: `.gif`, `.webp`, or `.png` and `.apng` for an animated PNG. One pass from
    the first frame to the last takes `seconds`; with `ping_pong` the frames then run backwards to the first
    one. Equal neighbouring frames may be stored as one frame that is shown for longer. A GIF gets one palette
    of 256 colours for all frames and a dither pattern that stands still, so that still parts do not flicker.
    An existing file is replaced, and on failure nothing is left behind.

    Raises `OutputError` for another suffix, for no frames, frames of unequal size, `seconds` that is not
    above 0, and when the file cannot be written.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in (".gif", ".webp", ".png", ".apng"):
        raise OutputError(f"{str(path)!r} has no suffix of an animation: end it with .gif, .webp or .png")
    images = _animation_frames(frames)
    if not (math.isfinite(seconds) and seconds > 0):
        raise OutputError(f"an animation of {seconds!r} seconds is not possible: give a number above 0")
    options = _animation_options(suffix, 1000 * seconds / len(images))
    images = _share_palette(images) if suffix == ".gif" else images
    played = images + images[-2:0:-1] if ping_pong else images
    _write_atomically(
        target, lambda file: played[0].save(file, save_all=True, append_images=played[1:], loop=0, **options)
    )
    return target


def _animation_frames(frames: Sequence[Image.Image]) -> list[Image.Image]:
    images = [frame.convert("RGB") for frame in frames]
    if not images:
        raise OutputError("an animation of 0 frames is not possible: give at least one image")
    sizes = sorted({image.size for image in images})
    if len(sizes) > 1:
        raise OutputError(f"the frames of an animation have different sizes {sizes}: bring them to one size")
    return images


def _animation_options(suffix: str, milliseconds: float) -> dict[str, Any]:
    if suffix == ".gif":  # counts in hundredths of a second, and players distrust fewer than two
        return {"format": "GIF", "duration": max(20, 10 * round(milliseconds / 10)), "optimize": False}
    duration = max(1, round(milliseconds))
    if suffix == ".webp":
        return {"format": "WEBP", "duration": duration, "quality": 90}
    return {"format": "PNG", "duration": duration}


def _share_palette(images: list[Image.Image]) -> list[Image.Image]:
    """Return the images in mode P, all with the same palette of 256 colours, dithered by a fixed pattern."""
    step = max(1, math.ceil(math.sqrt(len(images) * images[0].width * images[0].height / 100_000)))
    sample = np.concatenate([np.asarray(image)[::step, ::step] for image in images])
    palette = Image.fromarray(sample).quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=1)
    pattern = _dither_pattern(images[0].size, amplitude=8)
    return [_dithered(image, pattern).quantize(palette=palette, dither=Image.Dither.NONE) for image in images]


def _dither_pattern(size: tuple[int, int], amplitude: float) -> np.ndarray:
    """Return a tiled 8 x 8 ordered pattern of shape (height, width, 1), mean 0, within +-amplitude/2."""
    order = np.zeros((1, 1))
    for _ in range(3):
        order = np.block([[4 * order, 4 * order + 2], [4 * order + 3, 4 * order + 1]])
    width, height = size
    tiled = np.tile(order, (math.ceil(height / 8), math.ceil(width / 8)))[:height, :width, None]
    return ((tiled + 0.5) / 64 - 0.5) * amplitude


def _dithered(image: Image.Image, pattern: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(np.asarray(image) + pattern), 0, 255).astype(np.uint8))


def save_png(image: Image.Image, path: PathName, text: dict[str, str], overwrite: bool = False) -> Path:
    """Write `image` as PNG with `text` as its text chunks, for `read_text` to find, and return the path.

    Keys are 1 to 79 Latin-1 characters, values any text. On failure nothing is left behind. Raises
    `OutputError` when the file exists (unless `overwrite`), when its name does not end in `.png`, when its
    folder is missing or cannot be written, and when a key or a value cannot be stored.
    """
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise OutputError(f"{str(path)!r} does not end in .png: give the name of a PNG file")
    if not overwrite and os.path.lexists(target):
        raise OutputError(f"{str(path)!r} exists already: choose another name or allow overwriting")
    chunks = _text_chunks(text)
    _write_atomically(target, lambda file: image.save(file, format="PNG", pnginfo=chunks))
    return target


def _text_chunks(text: dict[str, str]) -> PngInfo:
    chunks = PngInfo()
    for key, value in text.items():
        if not re.fullmatch(r"[\x20-\x7e\xa1-\xff]{1,79}", key):
            raise OutputError(
                f"text key {key!r} cannot be stored in a PNG: use 1 to 79 printable Latin-1 characters"
            )
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise OutputError(
                f"the text {value!r} of {key!r} cannot be stored in a PNG: remove zeros and surrogates"
            )
        chunks.add_text(key, value)
    return chunks


def read_text(path: PathName) -> dict[str, str]:
    """Return the text chunks of the PNG file `path` as a dictionary, empty when it has none.

    Raises `ImageError` for a file that is missing, damaged or not a PNG.
    """
    return _read_file(os.fsdecode(path), _take_text, formats=("PNG",))


def _take_text(image: Image.Image, name: str) -> dict[str, str]:
    _check_size(image, name)
    try:
        return {key: str(value) for key, value in image.text.items()}  # decodes: chunks may come last
    except Exception as error:  # the decoders raise about any class for damaged data
        raise _damaged(name, error) from None


def output_folder(path: PathName) -> Path:
    """Create the folder `path` and its parents where missing; return it once a file could be written in it.

    Raises `OutputError` when it is not a folder, or cannot be created or written.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except FileExistsError:
        raise OutputError(
            f"{str(path)!r} is a file, not a folder: choose another folder for the results"
        ) from None
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{str(path)!r} cannot be used ({_one_line(error)}): choose another folder"
        ) from None


def _write_atomically(target: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Let `write` fill a new file beside `target`, then move it there; on failure nothing is left behind."""
    beside = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with open(beside, "xb") as file:
            write(file)
        os.replace(beside, target)
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{str(target)!r} cannot be written ({_one_line(error)}): choose another place"
        ) from None
    finally:
        _remove(beside)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError, ValueError):  # it was never made, or its folder has gone
        path.unlink(missing_ok=True)


# ------------------------------------------------------------------------------------------------------------
# Pixels as numbers


def to_array(image: Image.Image) -> np.ndarray:
    """Return an RGB image as a float32 array of shape (height, width, 3) in [0, 1].

    Raises `ImageError` for an image of another mode.
    """
    _check_rgb(image)
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def from_array(array: np.ndarray) -> Image.Image:
    """Return a float array of shape (height, width, 3) in [0, 1] as an RGB image.

    Values are rounded to the nearest of the 256 levels; those outside [0, 1] are clipped. Raises `ImageError`
    for another shape, for whole numbers, and for NaN or infinite values.
    """
    if (
        array.ndim != 3
        or array.shape[2] != 3
        or 0 in array.shape
        or not np.issubdtype(array.dtype, np.floating)
    ):
        raise ImageError(
            f"an array of type {array.dtype} and shape {array.shape} is not a picture of floats: "
            "give shape (height, width, 3) with values in [0, 1]"
        )
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise ImageError(
            f"{bad} of {array.size} values are NaN or infinite: check the computation that made them"
        )
    return Image.fromarray(np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8))


def psnr(a: np.ndarray, b: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Return the peak signal-to-noise ratio of two pictures, in decibels.

    `a` and `b` are float arrays of one shape (height, width, 3) in [0, 1].
    With `mask`, a bool array of shape (height, width), only the pixels where it is True count. Equal pictures
    give infinity. Raises `ImageError` when the shapes differ or the mask is of another type or selects
    nothing.
    """
    if a.shape != b.shape or a.ndim != 3 or a.size == 0:
        raise ImageError(f"cannot compare pictures of shapes {a.shape} and {b.shape}: give two of one size")
    squares = (a.astype(np.float64) - b.astype(np.float64)) ** 2
    if mask is not None:
        _check_mask(mask, a.shape[:2])
        squares = squares[mask]
    error = float(squares.mean())
    return math.inf if error == 0 else -10 * math.log10(error)


def _check_mask(mask: np.ndarray, shape: tuple[int, ...]) -> None:
    if mask.dtype != np.bool_ or mask.shape != shape:
        raise ImageError(
            f"a mask of type {mask.dtype} and shape {mask.shape} does not fit: give bool of shape {shape}"
        )
    if not mask.any():
        raise ImageError("the mask selects no pixel: mark at least one as True")
