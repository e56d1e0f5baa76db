"""Writes animations, and results as PNG, WebP or JPEG files with text in them; reads the text."""

from __future__ import annotations

import html
import json
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
from pxs.images.picture import Picture
from pxs.storage.files import replacing
from pxs.storage.paths import PathName, check_path, exists


def animate(
    frames: Sequence[Image.Image],
    path: PathName,
    seconds: float = 2.0,
    ping_pong: bool = True,
    edited: bool = False,
) -> Path:
    """Write an endless animation of `frames` to `path`; return the path.

    The suffix chooses the format: `.gif`, `.webp`, or `.png` and `.apng` for an animated PNG. One pass from the first
    frame to the last takes `seconds`. With `ping_pong` the frames then run backwards to the first one. Equal
    neighbouring frames may be stored as one frame that is shown for longer. All frames of a GIF share one palette of
    256 colours and one fixed dither pattern, so that parts that do not move do not flicker. An existing file is
    replaced. On failure it is kept, and no partial file remains. edited: by a trained model, which the file then says
    as in `save_picture`; a GIF, which has no XMP data, in a comment.

    Raises `OutputError` for another suffix, for no frames, for frames of different sizes, for `seconds` that are not
    above 0, and when the file cannot be written.
    """
    target = check_path(path)
    suffix = target.suffix.lower()
    if suffix not in (".gif", ".webp", ".png", ".apng"):
        raise OutputError(f"{str(path)!r} does not end in the suffix of an animation: end it with .gif, .webp or .png")
    images = _animation_frames(frames)
    if not (math.isfinite(seconds) and seconds > 0):
        raise OutputError(f"an animation of {seconds!r} seconds is not possible: give a number above 0")
    options = _animation_options(suffix, 1000 * seconds / len(images)) | (_origin(suffix) if edited else {})
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


def _origin(suffix: str) -> dict[str, Any]:
    """The writer's options that tell that frames are edits."""
    xmp = _XMP.format(_SOURCE_TYPE)
    if suffix == ".gif":
        return {"comment": f"Digital source type: {EDITED}".encode()}
    return {"xmp": xmp.encode()} if suffix == ".webp" else {"pnginfo": _text_chunks({}, xmp)}


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


FORMAT_SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
"""Formats of results, and their suffixes."""


def save_picture(
    image: Image.Image,
    path: PathName,
    text: dict[str, str],
    overwrite: bool = False,
    source: Picture | None = None,
    quality: int = 95,
) -> Path:
    """Write an RGB `image` as .png, .webp (both lossless), or .jpg; return the path. `read_text` reads the text.

    source: the picture that `image` is an edit of, of the same size: the file keeps its opacity (but for JPEG), its
    colours and ICC profile, and its EXIF data. A file whose text names a "model" is an edit by it, and says so to other
    software: the digital source type of IPTC in its XMP data is EDITED. quality: of a JPEG, 1 to 95; at 95 its colours
    have full resolution.

    The folder is created if it is missing. On failure no partial file remains. Raises `OutputError` when the file
    exists (unless `overwrite`), for another suffix, for text that the format cannot store, and when the file cannot be
    written; `ImageError` for an image of another size than `source`.
    """
    target = check_path(path)
    kind = next((f for f, suffix in FORMAT_SUFFIXES.items() if suffix == target.suffix.lower()), None)
    if kind is None:
        raise OutputError(f"{str(path)!r} does not end in {', '.join(FORMAT_SUFFIXES.values())}: choose one of them")
    if not overwrite and exists(target):
        raise OutputError(f"{str(path)!r} exists already: choose another name or allow overwriting")
    options = _options(kind, text, quality)
    if source is not None:
        image = source.dress(image, alpha=kind != "jpeg")
        options |= {"icc_profile": source.profile} if source.profile else {}
        options |= {"exif": source.exif} if source.exif else {}
    with replacing(target) as file:
        image.save(file, format=kind.upper(), **options)
    return target


def _options(kind: str, text: dict[str, str], quality: int) -> dict[str, Any]:
    """The writer's options for a format; raises `OutputError` for text that it cannot store."""
    source = _SOURCE_TYPE if "model" in text else ""
    if kind == "png":
        return {"pnginfo": _text_chunks(text, _XMP.format(source) if source else "")}
    content = json.dumps(text)
    if kind == "webp":
        description = _DESCRIPTION.format(html.escape(content, quote=False))
        return {"lossless": True, "exact": True, "xmp": _XMP.format(description + source).encode()}
    if len(content) > 65_533:
        raise OutputError(f"a comment of {len(content)} bytes does not fit into a JPEG: give at most 65,533")
    subsampling = {"subsampling": 0} if quality >= 95 else {}
    origin = {"xmp": _XMP.format(source).encode()} if source else {}
    return {"quality": quality, "comment": content.encode(), **subsampling, **origin}


EDITED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""The digital source type, in IPTC's vocabulary, of a picture that a trained model has changed."""
_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">{}</rdf:Description></rdf:RDF></x:xmpmeta>'
)
_DESCRIPTION = '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description>'
_SOURCE_TYPE = f"<Iptc4xmpExt:DigitalSourceType>{EDITED}</Iptc4xmpExt:DigitalSourceType>"
_XMP_CHUNK = "XML:com.adobe.xmp"


def save_png(image: Image.Image, path: PathName, text: dict[str, str], overwrite: bool = False) -> Path:
    """Write `image` as a PNG file with `text` as its text chunks; return the path. `read_text` reads the text.

    Keys are 1 to 79 Latin-1 characters, values any text; otherwise as `save_picture`. Raises `OutputError` also when
    the name does not end in `.png`.
    """
    if Path(path).suffix.lower() != ".png":
        raise OutputError(f"{str(path)!r} does not end in .png: give the name of a PNG file")
    return save_picture(image, path, text, overwrite)


def _text_chunks(text: dict[str, str], xmp: str = "") -> PngInfo:
    """The text as PNG chunks, and XMP where there is some; raises `OutputError` for text that a PNG cannot store."""
    chunks = PngInfo()
    for key, value in text.items():
        if not re.fullmatch(r"[\x20-\x7e\xa1-\xff]{1,79}", key):
            raise OutputError(f"text key {key!r} cannot be stored in a PNG: use 1 to 79 printable Latin-1 characters")
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise OutputError(
                f"the text {value!r} of {key!r} cannot be stored in a PNG: remove null characters and surrogates"
            )
        chunks.add_text(key, value)
    if xmp:
        chunks.add_itxt(_XMP_CHUNK, xmp)
    return chunks


def read_text(source: PathName | bytes) -> dict[str, str]:
    """Return the text that `save_picture` stored in a file, or the text chunks of any PNG; empty if there is none.

    source: the path of the file, or its content.

    Raises `ImageError` for a file that is missing, damaged or not PNG, JPEG or WebP.
    """
    given = source if isinstance(source, bytes) else os.fsdecode(source)
    return read_file(given, _text_of, formats=("PNG", "JPEG", "WEBP"))


def _text_of(image: Image.Image, name: str) -> dict[str, str]:
    """The text of an opened file."""
    check_size(image, name)
    try:
        if isinstance(image, PngImageFile):
            chunks = image.text.items()  # decodes: chunks may follow the pixels
            return {key: str(value) for key, value in chunks if key != _XMP_CHUNK}
        if image.format == "WEBP":
            found = re.search(rb'xml:lang="x-default">(.*?)</rdf:li>', image.info.get("xmp", b""), re.DOTALL)
            return _noted(html.unescape(found[1].decode()) if found else "")
        return _noted(image.info.get("comment", b"").decode())
    except Exception as error:  # damaged data: the decoders raise many classes of errors
        raise damaged_error(name, error) from None


def _noted(content: str) -> dict[str, str]:
    """Text that was stored as JSON; empty where it is anything else, such as a comment of a camera."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
