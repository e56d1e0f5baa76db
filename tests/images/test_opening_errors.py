"""Tests of opening pictures: every source that is not a valid picture raises one clear error."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pxs.errors import ImageError, OutputError, PxsError
from pxs.images import FORMATS, MAX_PIXELS, open_image, opening, read_text


def test_grey_values_beyond_16_bits_are_refused(refusal: Callable) -> None:
    assert "70000" in refusal(Image.new("I", (32, 32), 70000))
    assert "-1" in refusal(Image.new("I", (32, 32), -1))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((32, 32), np.uint8),
        np.zeros((32, 32, 4), np.uint8),
        np.zeros((32, 32, 3), np.float32),
        np.zeros((0, 32, 3), np.uint8),
    ],
)
def test_arrays_of_another_shape_or_dtype_are_refused(refusal: Callable, array: np.ndarray) -> None:
    assert str(array.shape) in refusal(array)


def test_other_types_and_backgrounds_are_refused(drawing: Image.Image, refusal: Callable) -> None:
    assert "int" in refusal(5)
    for background in [(0, 0), (0, 0, 256), (0.5, 0, 0), "red"]:
        with pytest.raises(ImageError, match="background"):
            open_image(drawing, background=background)


def test_missing_folder_empty_and_text_files(tmp_path: Path, written: Callable, refusal: Callable) -> None:
    assert "does not exist" in refusal(tmp_path / "missing.png")
    assert "folder" in refusal(tmp_path)
    assert "0 bytes" in refusal(written(tmp_path / "empty.png", b""))
    message = refusal(written(tmp_path / "text.png", b"these are words, not pixels\n" * 50))
    assert all(name in message for name in FORMATS)
    assert "cannot be read" in refusal(tmp_path / "nul\0byte.png")
    assert "cannot be read" in refusal(written(tmp_path / "file", b"x") / "below.png")


def test_error_for_an_unreadable_file_names_the_permission(
    tmp_path: Path, drawing: Image.Image, saved: Callable, refusal: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = saved(drawing, tmp_path / "private.png")
    monkeypatch.setattr(Image, "open", forbid)
    assert "permission denied" in refusal(path)


def test_pipe_is_refused_without_reading_from_it(tmp_path: Path, refusal: Callable) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "regular file" in refusal(tmp_path / "pipe.png")


def test_format_outside_the_list_is_refused(
    tmp_path: Path, drawing: Image.Image, saved: Callable, refusal: Callable
) -> None:
    assert "known format" in refusal(saved(drawing, tmp_path / "picture.ico"))


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "tif", "webp"])
@pytest.mark.parametrize("part", [0.1, 0.35, 0.6, 0.9])
def test_truncated_files_are_refused(
    tmp_path: Path, saved: Callable, written: Callable, refusal: Callable, noise: Callable, suffix: str, part: float
) -> None:
    data = saved(noise(64, 64), tmp_path / f"whole.{suffix}").read_bytes()
    refusal(written(tmp_path / f"cut.{suffix}", data[: int(len(data) * part)]))


def test_damaged_pixels_are_refused(
    tmp_path: Path, saved: Callable, written: Callable, refusal: Callable, noise: Callable
) -> None:
    data = bytearray(saved(noise(64, 64), tmp_path / "whole.png").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    assert "damaged" in refusal(written(tmp_path / "damaged.png", bytes(data)))


@pytest.mark.parametrize("size", [(7072, 7072), (12000, 9000), (50000, 40000)])
def test_giant_pictures_are_refused_by_their_header(
    tmp_path: Path, written: Callable, refusal: Callable, png: Callable, size: tuple[int, int]
) -> None:
    """The sizes are above our limit, above the size at which PIL warns, and above the one at which it raises."""
    path = written(tmp_path / "giant.png", png(*size, 8, 2, []))
    message = refusal(path)
    assert str(size[0] * size[1]) in message
    assert str(MAX_PIXELS) in message
    with pytest.raises(ImageError, match=str(MAX_PIXELS)):
        read_text(path)


def test_limit_holds_for_images_in_memory(
    drawing: Image.Image, refusal: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "MAX_PIXELS", 48 * 32)
    assert open_image(drawing).size == (48, 32)
    monkeypatch.setattr(opening, "MAX_PIXELS", 48 * 32 - 1)
    assert "48 x 32 = 1536" in refusal(drawing)


def test_small_pictures_are_refused(tmp_path: Path, saved: Callable, refusal: Callable, noise: Callable) -> None:
    assert open_image(noise(16, 16)).size == (16, 16)
    assert "15 x 40" in refusal(saved(noise(15, 40), tmp_path / "narrow.png"))
    assert "40 x 15" in refusal(np.asarray(noise(40, 15)))


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_animations_and_pages_are_refused(tmp_path: Path, refusal: Callable, noise: Callable, suffix: str) -> None:
    path = tmp_path / f"moving.{suffix}"
    noise(32, 32).save(path, save_all=True, append_images=[noise(32, 32, 1), noise(32, 32, 2)])
    message = refusal(path)
    assert "3 frames" in message
    assert "extract one" in message
    with Image.open(path) as opened:
        assert "3 frames" in refusal(opened)


def test_opened_image_with_damaged_pixels_is_refused(
    tmp_path: Path, saved: Callable, refusal: Callable, noise: Callable
) -> None:
    data = saved(noise(64, 64), tmp_path / "whole.png").read_bytes()
    with Image.open(io.BytesIO(data[: len(data) // 2])) as opened:
        assert "damaged" in refusal(opened)


def test_image_errors_are_value_errors() -> None:
    assert issubclass(ImageError, PxsError)
    assert issubclass(OutputError, PxsError)
    assert issubclass(PxsError, ValueError)
