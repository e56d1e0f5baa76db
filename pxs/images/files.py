"""Writes animations, JPEG files with a comment, and PNG files with text chunks; reads the text chunks."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from pxs.errors import OutputError
from pxs.images.opening import check_size, damaged_error, read_file
from pxs.storage.files import replacing
from pxs.storage.paths import PathName, exists


def animate(frames: Sequence[Image.Image], path: PathName, seconds: float = 2.0, ping_pong: bool = True) -> Path:
    """Write an endless animation of `frames` to `path`; return the path.

    The suffix chooses the format: `.gif`, `.webp`, or `.png` and `.apng` for an animated PNG. One pass from the first
    frame to the last takes `seconds`. With `ping_pong` the frames then run backwards to the first one. Equal
    neighbouring frames may be stored as one frame that is shown for longer. All frames of a GIF share one palette of
    256 colours and one fixed dither pattern, so that parts that do not move do not flicker. An existing file is
    replaced. On failure it is kept, and no partial file remains.

    Raises `OutputError` for another suffix, for no frames, for frames of different sizes, for `seconds` that are not
    above 0, and when the file cannot be written.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in (".gif", ".webp", ".png", ".apng"):
        raise OutputError(f"{str(path)!r} does not end in the suffix of an animation: end it with .gif, .webp or .png")
    images = _animation_frames(frames)
    if not (math.isfinite(seconds) and seconds > 0):
        raise OutputError(f"an animation of {seconds!r} seconds is not possible: give a number above 0")
    options = _animation_options(suffix, 1000 * seconds / len(images))
    images = _share_palette(images) if suffix == ".gif" else images
    sequence = images + images[-2:0:-1] if ping_pong else images
    with replacing(target) as file:
        sequence[0].save(file, save_all=True, append_images=sequence[1:], loop=0, **options)
    return target


def _animation_frames(frames: Sequence[Image.Image]) -> list[Image.Image]:
    """The frames in RGB; raises `OutputError` if there are none or their sizes differ."""
    images = [frame.convert("RGB") for frame in frames]
    if not images:
        raise OutputError("an animation of 0 frames is not possible: give at least one image")
    sizes = sorted({image.size for image in images})
    if len(sizes) > 1:
        raise OutputError(f"the frames of an animation have different sizes {sizes}: bring them to one size")
    return images


def _animation_options(suffix: str, milliseconds: float) -> dict[str, Any]:
    """The writer's options for frames that are shown for `milliseconds` each."""
    if suffix == ".gif":  # its unit is 10 ms, and players do not respect durations below 20 ms
        return {"format": "GIF", "duration": max(20, 10 * round(milliseconds / 10)), "optimize": False}
    duration = max(1, round(milliseconds))
    if suffix == ".webp":
        return {"format": "WEBP", "duration": duration, "quality": 90}
    return {"format": "PNG", "duration": duration}


def _share_palette(images: list[Image.Image]) -> list[Image.Image]:
    """Return the images in mode P with one palette of 256 colours, dithered by one fixed pattern."""
    stride = max(1, math.ceil(math.sqrt(len(images) * images[0].width * images[0].height / 100_000)))
    sample = np.concatenate([np.asarray(image)[::stride, ::stride] for image in images])
    palette = Image.fromarray(sample).quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=1)
    pattern = _dither_pattern(images[0].size, amplitude=8)
    return [_dithered(image, pattern).quantize(palette=palette, dither=Image.Dither.NONE) for image in images]


def _dither_pattern(size: tuple[int, int], amplitude: float) -> NDArray[np.float64]:
    """Return the 8 x 8 Bayer pattern, tiled to (height, width, 1), with mean 0, within +-amplitude/2."""
    order = np.zeros((1, 1))
    for _ in range(3):
        order = np.block([[4 * order, 4 * order + 2], [4 * order + 3, 4 * order + 1]])
    width, height = size
    tiled = np.tile(order, (math.ceil(height / 8), math.ceil(width / 8)))[:height, :width, None]
    pattern: NDArray[np.float64] = ((tiled + 0.5) / 64 - 0.5) * amplitude
    return pattern


def _dithered(image: Image.Image, pattern: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(np.asarray(image) + pattern), 0, 255).astype(np.uint8))


def save_png(image: Image.Image, path: PathName, text: dict[str, str], overwrite: bool = False) -> Path:
    """Write `image` as a PNG file with `text` as its text chunks; return the path. `read_text` reads the text.

    Keys are 1 to 79 Latin-1 characters, values any text. The folder is created if it is missing. On failure no partial
    file remains. Raises `OutputError` when the file exists (unless `overwrite`), when its name does not end in `.png`,
    when the file cannot be written, and when a key or a value cannot be stored.
    """
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise OutputError(f"{str(path)!r} does not end in .png: give the name of a PNG file")
    if not overwrite and exists(target):
        raise OutputError(f"{str(path)!r} exists already: choose another name or allow overwriting")
    chunks = _text_chunks(text)
    with replacing(target) as file:
        image.save(file, format="PNG", pnginfo=chunks)
    return target


def save_jpeg(image: Image.Image, path: PathName, comment: str, overwrite: bool = False) -> Path:
    """Write an RGB `image` as a JPEG file of Pillow's default quality with a comment; return the path.

    The comment is written in UTF-8, at most 65,533 bytes. The folder is created if it is missing. On failure no partial
    file remains. Raises `OutputError` when the file exists (unless `overwrite`), when its name does not end in `.jpg`
    or `.jpeg`, when the comment is too long, and when the file cannot be written.
    """
    target, content = Path(path), comment.encode()
    if target.suffix.lower() not in (".jpg", ".jpeg"):
        raise OutputError(f"{str(path)!r} does not end in .jpg: give the name of a JPEG file")
    if not overwrite and exists(target):
        raise OutputError(f"{str(path)!r} exists already: choose another name or allow overwriting")
    if len(content) > 65_533:
        raise OutputError(f"a comment of {len(content)} bytes does not fit into a JPEG: give at most 65,533")
    with replacing(target) as file:
        image.save(file, format="JPEG", comment=content)
    return target


def _text_chunks(text: dict[str, str]) -> PngInfo:
    """The text as PNG chunks; raises `OutputError` for a key or a value that a PNG cannot store."""
    chunks = PngInfo()
    for key, value in text.items():
        if not re.fullmatch(r"[\x20-\x7e\xa1-\xff]{1,79}", key):
            raise OutputError(f"text key {key!r} cannot be stored in a PNG: use 1 to 79 printable Latin-1 characters")
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise OutputError(
                f"the text {value!r} of {key!r} cannot be stored in a PNG: remove null characters and surrogates"
            )
        chunks.add_text(key, value)
    return chunks


def read_text(path: PathName) -> dict[str, str]:
    """Return the text chunks of the PNG file `path`; an empty dictionary if the file has none.

    Raises `ImageError` for a file that is missing, damaged or not a PNG.
    """
    return read_file(os.fsdecode(path), _text_of, formats=("PNG",))


def _text_of(image: Image.Image, name: str) -> dict[str, str]:
    """The text chunks of an opened PNG file."""
    check_size(image, name)
    assert isinstance(image, PngImageFile)  # `read_file` was asked for PNG only
    try:
        return {key: str(value) for key, value in image.text.items()}  # decodes: chunks may follow the pixels
    except Exception as error:  # damaged data: the decoders raise many classes of errors
        raise damaged_error(name, error) from None
