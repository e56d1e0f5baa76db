"""Tests of contact sheets: cells hold exact pixels, and labels are complete and inside their strips."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from pxs.images import sheet, sheets


def test_sheet_without_labels_places_exact_pixels(noise: Callable, pixels_of: Callable) -> None:
    first, second = noise(40, 30), noise(40, 30, seed=1)
    result = sheet([[first, None], [None, second]], gap=3)
    assert result.size == (3 + 2 * 43, 3 + 2 * 33)
    assert result.crop((3, 3, 43, 33)).tobytes() == first.tobytes()
    assert result.crop((46, 36, 86, 66)).tobytes() == second.tobytes()
    blank = pixels_of(result)
    blank[3:33, 3:43] = blank[36:66, 46:86] = 255
    assert blank.min() == 255


def test_sheet_scale_and_unequal_rows(noise: Callable, pixels_of: Callable) -> None:
    result = sheet([[noise(40, 30)], [Image.new("RGB", (20, 20)), noise(40, 30)]], scale=0.5, gap=0)
    assert result.size == (40, 30)
    pixels = pixels_of(result)
    assert pixels[:15, 20:].min() == 255  # the missing cell
    assert ink(result.crop((0, 15, 20, 30))) == (5, 2, 15, 12)  # the smaller image is centred
    assert pixels[:15, :20].min() < 255


def ink(region: Image.Image) -> tuple[int, int, int, int] | None:
    """The bounding box of all pixels that are not white."""
    return Image.eval(region.convert("L"), lambda value: 255 - value).getbbox()


def test_labels_are_complete_and_inside_their_strips() -> None:
    white = Image.new("RGB", (96, 80), "white")
    labels = ["-2", "a label much wider than the cell it belongs to", "gyjpQ|"]
    result = sheet([[white] * 3] * 2, ["a rather long name for a row", "b"], labels, gap=4)
    top = result.height - 2 * 84 - 4
    left = result.width - 3 * 100 - 4
    assert top > 8
    assert left > 100
    for index in range(3):
        column = result.crop((left + 4 + 100 * index - 2, 0, left + 100 * (index + 1) + 2, result.height))
        box = ink(column)
        assert box is not None
        assert box[0] > 0
        assert box[2] < column.width
        assert box[1] > 0
        assert box[3] <= top + 4
    strip = ink(result.crop((0, top + 4, left + 4, top + 84)))
    assert strip is not None
    assert strip[0] > 0
    assert strip[2] <= left


def test_labels_are_dark_and_antialiased(pixels_of: Callable) -> None:
    white = Image.new("RGB", (96, 96), "white")
    values = np.unique(pixels_of(sheet([[white]], ["smile"])))
    assert values.min() < 60
    assert len(values) > 10  # antialiased edges: not a bitmap font


def test_long_label_is_shortened_with_dots() -> None:
    font = sheets._font(9)
    text = sheets._shorten("surprise and anger", font, 40)
    assert text.endswith("...")
    assert "surprise".startswith(text[:-3])
    assert font.getlength(text) <= 40
    assert sheets._shorten("short", font, 400) == "short"
    assert sheets._shorten("anything", font, 1) == ""


def test_labels_are_converted_to_ascii() -> None:
    assert sheets._one_line_ascii("\u22122 \u00d7 \u00c9t\u00e9\n\u7b11") == "-2 x Ete ?"


def test_row_labels_are_not_higher_than_their_cells() -> None:
    result = sheet([[Image.new("RGB", (64, 8), "white")]], ["gyQ|"], font_size=30, gap=0)
    assert result.height == 8
    box = ink(result)
    assert box is not None
    assert box[3] - box[1] < 8


@pytest.mark.parametrize("rows", [[], [[]], [[None, None], [None]]])
def test_sheet_without_images_is_refused(rows: list[list[None]]) -> None:
    with pytest.raises(ValueError, match="holds no image"):
        sheet(rows)


def test_sheet_refuses_wrong_numbers_of_labels_and_invalid_options(noise: Callable) -> None:
    rows = [[noise(20, 20)]]
    with pytest.raises(ValueError, match="2 row labels for 1 rows"):
        sheet(rows, row_labels=["a", "b"])
    with pytest.raises(ValueError, match="0 column labels for 1 columns"):
        sheet(rows, column_labels=[])
    for options in [{"scale": 0}, {"scale": math.nan}, {"gap": -1}, {"font_size": 0}]:
        with pytest.raises(ValueError, match="out of range"):
            sheet(rows, **options)
