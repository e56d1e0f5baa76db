"""Contact sheets: many images in labelled rows and columns."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from pxs.errors import ImageError

_SMALLEST_FONT = 9
_LABEL_COLOUR = (20, 20, 20)
_PADDING = 4
_ASCII_FOR = str.maketrans("\u2010\u2011\u2012\u2013\u2014\u2212\u2018\u2019\u201c\u201d\u00d7", "------''\"\"x")


def sheet(
    rows: Sequence[Sequence[Image.Image | None]],
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    scale: float = 1.0,
    gap: int = 4,
    font_size: int | None = None,
) -> Image.Image:
    """Return a labelled contact sheet of the images in `rows`: an RGB image with a white background.

    All cells have the same size: the largest width and the largest height, times `scale`. A smaller image is centred in
    its cell. None leaves a cell blank, and so does the missing end of a short row. At scale 1 the pixels are copied
    exactly. `gap` is the white space around every cell, in pixels. Row labels fill a strip at the left that is as wide
    as the longest label. Column labels fill a strip at the top. Their font shrinks until they fit a cell; labels that
    are still too wide are shortened with "...". `font_size` is in pixels; by default it depends on the height of the
    cells. Labels are drawn in ASCII: accents are removed, other letters become question marks.

    Raises `ImageError` when there is no image, when the number of labels differs from the number of rows or columns,
    and when `scale`, `gap` or `font_size` is out of range.
    """
    columns = max((len(row) for row in rows), default=0)
    _check_counts(rows, columns, row_labels, column_labels)
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


def wrapped_sheet(
    images: Sequence[Image.Image],
    labels: Sequence[str],
    columns: int = 8,
    scale: float = 1.0,
    font_size: int | None = None,
) -> Image.Image:
    """Return the images in rows of at most `columns`, each with its label above it; `scale`, `font_size` as in `sheet`.

    Raises `ImageError` when there are no images, and when the number of labels differs from the number of images.
    """
    if len(labels) != len(images):
        raise ImageError(f"{len(labels)} labels for {len(images)} images: give one label for each image")
    strips = [
        sheet([images[i : i + columns]], None, labels[i : i + columns], scale, font_size=font_size)
        for i in range(0, max(1, len(images)), columns)
    ]
    canvas = Image.new("RGB", (max(s.width for s in strips), sum(s.height for s in strips)), "white")
    top = 0
    for strip in strips:
        canvas.paste(strip, (0, top))
        top += strip.height
    return canvas


def _strip_width(texts: Sequence[str], font: ImageFont.FreeTypeFont) -> int:
    """The width in pixels of the strip for row labels; 0 without labels."""
    return math.ceil(max(map(font.getlength, texts))) + 2 * _PADDING if texts else 0


def _check_counts(
    rows: Sequence[Sequence[Image.Image | None]],
    columns: int,
    row_labels: Sequence[str] | None,
    column_labels: Sequence[str] | None,
) -> None:
    if not any(image is not None for row in rows for image in row):
        raise ImageError(f"a sheet of {len(rows)} rows and {columns} columns holds no image: give at least one")
    for what, labels, count in (("row", row_labels, len(rows)), ("column", column_labels, columns)):
        if labels is not None and len(labels) != count:
            raise ImageError(f"{len(labels)} {what} labels for {count} {what}s: give one label for each {what}")


def _check_measures(scale: float, gap: int, font_size: int | None) -> None:
    if not (math.isfinite(scale) and scale > 0):
        raise ImageError(f"sheet scale {scale!r} is out of range: give a number above 0, 1 for the true size")
    if gap < 0:
        raise ImageError(f"sheet gap {gap!r} is out of range: give 0 or more pixels")
    if font_size is not None and font_size < 1:
        raise ImageError(f"font size {font_size!r} is out of range: give 1 or more pixels, or None for the default")


def _cell_size(rows: Sequence[Sequence[Image.Image | None]], scale: float) -> tuple[int, int]:
    """The width and height in pixels of every cell."""
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
    """Draw the scaled image in the middle of the cell whose upper left corner is at `corner`."""
    if image is None:
        return
    size = _scaled(image.size, scale)
    rgb = image.convert("RGB")
    shown = rgb if size == rgb.size else rgb.resize(size, Image.Resampling.LANCZOS)
    canvas.paste(shown, (corner[0] + (cell[0] - size[0]) // 2, corner[1] + (cell[1] - size[1]) // 2))


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # it is, when a size is given
    return font


def _row_text(labels: Sequence[str] | None, size: int, height: int) -> tuple[list[str], ImageFont.FreeTypeFont]:
    """Return the labels on one line each, and a font that is not higher than a cell."""
    while size > 1 and sum(_font(size).getmetrics()) > height:
        size -= 1
    return [_one_line_ascii(label) for label in labels or ()], _font(size)


def _column_text(labels: Sequence[str] | None, size: int, width: int) -> tuple[list[str], ImageFont.FreeTypeFont]:
    """Return the labels on one line each, not wider than a cell, and one font for all of them."""
    texts = [_one_line_ascii(label) for label in labels or ()]
    while size > _SMALLEST_FONT and any(_font(size).getlength(text) > width for text in texts):
        size -= 1
    return [_shorten(text, _font(size), width) for text in texts], _font(size)


def _shorten(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Return `text` if it fits into `width` pixels; else its longest start that fits with "..."; else nothing."""
    if font.getlength(text) <= width:
        return text
    shorter = (text[:end].rstrip() + "..." for end in range(len(text) - 1, -1, -1))
    return next((short for short in shorter if font.getlength(short) <= width), "")


def _one_line_ascii(label: str) -> str:
    """Return the label on one line, without accents, in ASCII: the built-in font has no other letters."""
    decomposed = unicodedata.normalize("NFKD", " ".join(str(label).split()).translate(_ASCII_FOR))
    base = "".join(character for character in decomposed if not unicodedata.combining(character))
    return base.encode("ascii", "replace").decode("ascii")
