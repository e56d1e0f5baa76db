"""Writing files whole or not at all: PNGs with text chunks, animations, and the folders they go to."""

from __future__ import annotations

import contextlib
import math
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pxs.errors import OutputError, one_line
from pxs.images.opening import PathName, check_size, damaged, read_file


def animate(frames: Sequence[Image.Image], path: PathName, seconds: float = 2.0, ping_pong: bool = True) -> Path:
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
            raise OutputError(f"text key {key!r} cannot be stored in a PNG: use 1 to 79 printable Latin-1 characters")
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise OutputError(f"the text {value!r} of {key!r} cannot be stored in a PNG: remove zeros and surrogates")
        chunks.add_text(key, value)
    return chunks


def read_text(path: PathName) -> dict[str, str]:
    """Return the text chunks of the PNG file `path` as a dictionary, empty when it has none.

    Raises `ImageError` for a file that is missing, damaged or not a PNG.
    """
    return read_file(os.fsdecode(path), _take_text, formats=("PNG",))


def _take_text(image: Image.Image, name: str) -> dict[str, str]:
    check_size(image, name)
    try:
        return {key: str(value) for key, value in image.text.items()}  # decodes: chunks may come last
    except Exception as error:  # the decoders raise about any class for damaged data
        raise damaged(name, error) from None


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
        raise OutputError(f"{str(path)!r} is a file, not a folder: choose another folder for the results") from None
    except (OSError, ValueError) as error:
        raise OutputError(f"{str(path)!r} cannot be used ({one_line(error)}): choose another folder") from None


def _write_atomically(target: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Let `write` fill a new file beside `target`, then move it there; on failure nothing is left behind."""
    beside = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with open(beside, "xb") as file:
            write(file)
        os.replace(beside, target)
    except (OSError, ValueError) as error:
        raise OutputError(f"{str(target)!r} cannot be written ({one_line(error)}): choose another place") from None
    finally:
        _remove(beside)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError, ValueError):  # it was never made, or its folder has gone
        path.unlink(missing_ok=True)
