"""Tests of opening pictures: every format, rotation, metadata, and sources in memory."""

import io
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from pxs.errors import ImageError
from pxs.images import open_image


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp", "gif", "jpg"])
def test_every_format_is_opened_as_rgb_without_metadata(
    tmp_path: Path, drawing: Image.Image, saved: Callable, pixels_of: Callable, suffix: str
) -> None:
    options = {"lossless": True} if suffix == "webp" else {"quality": 95} if suffix == "jpg" else {}
    path = saved(drawing, tmp_path / f"picture.{suffix}", **options)
    result = open_image(path)
    assert type(result) is Image.Image
    assert (result.mode, result.size, result.info) == ("RGB", (48, 32), {})
    assert np.abs(pixels_of(result) - pixels_of(drawing)).mean() <= (6 if suffix == "jpg" else 0)


def test_path_may_be_a_string(tmp_path: Path, drawing: Image.Image, saved: Callable) -> None:
    path = saved(drawing, tmp_path / "picture.png")
    assert open_image(str(path)).tobytes() == drawing.tobytes()


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "memoryview", "file", "read to its end", "stream", "path"])
def test_the_content_of_a_file_and_an_opened_file_are_pictures(
    tmp_path: Path, drawing: Image.Image, saved: Callable, kind: str
) -> None:
    path = saved(drawing, tmp_path / "picture.png")
    content = path.read_bytes()
    with open(path, "rb") as file:
        sources = {
            "bytes": content,
            "bytearray": bytearray(content),
            "memoryview": memoryview(content),
            "file": file,
            "read to its end": io.BytesIO(content),
            "stream": types.SimpleNamespace(read=io.BytesIO(content).read),
            "path": path,
        }
        sources["read to its end"].read()
        assert open_image(sources[kind]).tobytes() == drawing.tobytes()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda path: path.open(encoding="latin-1"), "opened as a text: open it with mode"),
        (lambda path: io.BytesIO(), "the file is empty"),
        (lambda path: io.BytesIO(path.read_bytes()[:60]), "damaged or cut short"),
    ],
)
def test_an_opened_file_without_a_picture_is_one_line(
    tmp_path: Path, drawing: Image.Image, saved: Callable, make: Callable, message: str
) -> None:
    with make(saved(drawing, tmp_path / "picture.png")) as file, pytest.raises(ImageError, match=message):
        open_image(file)


def test_a_closed_file_is_one_line(tmp_path: Path) -> None:
    file = io.BytesIO(b"x")
    file.close()
    with pytest.raises(ImageError, match="the opened file cannot be read"):
        open_image(file)


STORED_AS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(
    tmp_path: Path, drawing: Image.Image, saved: Callable, pixels_of: Callable, orientation: int, suffix: str
) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED_AS[orientation](np.asarray(drawing))))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "maker of the camera"
    options = {"quality": 95, "subsampling": 0} if suffix == "jpg" else {}
    path = saved(stored, tmp_path / f"turned.{suffix}", exif=exif, **options)
    result = open_image(path)
    assert result.size == drawing.size
    assert np.abs(pixels_of(result) - pixels_of(drawing)).mean() < 6
    assert result.info == {}
    assert len(result.getexif()) == 0


def test_picture_with_broken_exif_opens(tmp_path: Path, drawing: Image.Image, saved: Callable) -> None:
    path = saved(drawing, tmp_path / "broken.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff")
    assert open_image(path).tobytes() == drawing.tobytes()


def test_all_metadata_is_removed(tmp_path: Path, drawing: Image.Image, saved: Callable) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x010E] = "a secret description"
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "somebody")
    path = saved(drawing, tmp_path / "tagged.png", exif=exif, pnginfo=text, dpi=(300, 300))
    result = open_image(path)
    again = saved(result, tmp_path / "again.png")
    assert result.info == {}
    assert b"secret" not in again.read_bytes()
    assert b"somebody" not in again.read_bytes()


def test_text_chunk_named_transparency_changes_nothing(tmp_path: Path, drawing: Image.Image, saved: Callable) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("transparency", "none at all")
    path = saved(drawing, tmp_path / "named.png", pnginfo=text)
    assert open_image(path).tobytes() == drawing.tobytes()


def test_array_and_image_sources_are_not_changed(drawing: Image.Image) -> None:
    array = np.asarray(drawing).copy()
    result = open_image(array)
    result.putpixel((0, 0), (1, 1, 1))
    assert np.array_equal(array, np.asarray(drawing))
    source = drawing
    open_image(source).putpixel((0, 0), (1, 1, 1))
    assert source.tobytes() == drawing.tobytes()


def test_phone_photo_with_a_preview_opens(tmp_path: Path, drawing: Image.Image, pixels_of: Callable) -> None:
    path = tmp_path / "phone.jpg"
    drawing.save(path, format="MPO", save_all=True, append_images=[Image.new("RGB", (48, 32))], quality=95)
    with Image.open(path) as opened:
        assert opened.n_frames == 2
    assert np.abs(pixels_of(open_image(path)) - pixels_of(drawing)).mean() < 6
