"""Tests of what a result keeps of its source: opacity, colours, ICC profile and EXIF data; and the three formats."""

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from pxs.errors import ImageError, OutputError
from pxs.images import open_image, open_picture, read_text, save_picture

TEXT = {"seed": "7", "mix": '{"happy": 1.0}', "odd": "<a> & \u7b11"}


@cache
def swapped() -> bytes:
    """An sRGB profile whose red and green primaries are exchanged."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = data.index(b"rXYZ", 128), data.index(b"gXYZ", 128)
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data)


@pytest.fixture
def clear(noise: Callable) -> Image.Image:
    """A picture of noise whose opacity rises from 0 to 255."""
    image = noise(64, 32)
    image.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 64).round().astype(np.uint8), (32, 1))))
    return image


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_text_round_trip_in_every_format(tmp_path: Path, noise: Callable, suffix: str) -> None:
    path = save_picture(noise(32, 32), tmp_path / f"a.{suffix}", TEXT)
    assert read_text(path) == TEXT
    if suffix != "jpg":
        assert open_image(path).tobytes() == noise(32, 32).tobytes()


def test_other_formats_and_sizes_are_refused(tmp_path: Path, noise: Callable, clear: Image.Image) -> None:
    with pytest.raises(OutputError, match="does not end in"):
        save_picture(noise(32, 32), tmp_path / "a.bmp", {})
    with pytest.raises(ImageError, match="size"):
        save_picture(noise(32, 32), tmp_path / "a.png", {}, source=open_picture(clear))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_an_unchanged_picture_keeps_its_own_pixels(tmp_path: Path, clear: Image.Image, suffix: str) -> None:
    source = open_picture(clear)
    with Image.open(save_picture(source.image, tmp_path / f"a.{suffix}", {}, source=source)) as found:
        assert found.convert("RGBA").tobytes() == clear.tobytes()


def test_an_edit_composites_to_itself(tmp_path: Path, clear: Image.Image, pixels_of: Callable) -> None:
    """Where it is opaque enough for the change to be possible at all."""
    source = open_picture(clear)
    edited = Image.fromarray(np.clip(pixels_of(source.image) // 2 + 100, 0, 255).astype(np.uint8))
    path = save_picture(edited, tmp_path / "a.png", {}, source=source)
    with Image.open(path) as found:
        assert found.getchannel("A").tobytes() == clear.getchannel("A").tobytes()
    right = (slice(None), slice(60, None))
    assert np.abs(pixels_of(open_image(path))[right] - pixels_of(edited)[right]).max() <= 2


def test_a_jpeg_of_a_clear_picture_is_composited(tmp_path: Path, clear: Image.Image) -> None:
    source = open_picture(clear)
    with Image.open(save_picture(source.image, tmp_path / "a.jpg", {}, source=source)) as found:
        assert found.mode == "RGB"
        assert np.abs(np.asarray(found, int)[:, 0] - 255).max() < 40  # nothing opaque there


@pytest.mark.parametrize("suffix", ["png", "webp", "jpg"])
def test_the_profile_is_written_back(tmp_path: Path, noise: Callable, pixels_of: Callable, suffix: str) -> None:
    noise(32, 32).resize((64, 64)).save(tmp_path / "wide.png", icc_profile=swapped())
    source = open_picture(tmp_path / "wide.png")
    edited = Image.fromarray(255 - np.asarray(source.image))
    path = save_picture(edited, tmp_path / f"out.{suffix}", {}, source=source)
    with Image.open(path) as found:
        assert found.info["icc_profile"] == swapped()
        reference = ImageCms.profileToProfile(
            found.convert("RGB"),
            ImageCms.ImageCmsProfile(io.BytesIO(swapped())),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
    assert np.abs(pixels_of(reference) - pixels_of(edited)).mean() < (1 if suffix != "jpg" else 4)
    same = save_picture(source.image, tmp_path / f"same.{suffix}", {}, source=source)
    if suffix != "jpg":
        with Image.open(same) as found, Image.open(tmp_path / "wide.png") as before:
            assert found.convert("RGB").tobytes() == before.tobytes()


@pytest.mark.parametrize("suffix", ["png", "webp", "jpg"])
def test_exif_is_kept_but_for_place_thumbnail_and_rotation(tmp_path: Path, noise: Callable, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x0201] = "a maker", 6, 300
    exif.get_ifd(0x8769).update({0x9003: "2026:01:02 03:04:05", 0x927C: b"private", 0xA001: 2, 0xA002: 64, 0xA003: 48})
    exif.get_ifd(0x8825)[1] = "N"
    noise(64, 48).save(tmp_path / "phone.jpg", exif=exif)
    source = open_picture(tmp_path / "phone.jpg")
    path = save_picture(source.image, tmp_path / f"out.{suffix}", {}, source=source)
    assert b"private" not in path.read_bytes()
    with Image.open(path) as found:
        kept = found.getexif()
        details = kept.get_ifd(0x8769)
        assert kept.get(0x010F) == "a maker" and 0x0201 not in kept and kept.get(0x0112, 1) == 1
        assert not kept.get_ifd(0x8825)
        assert details[0x9003] == "2026:01:02 03:04:05"
        assert details[0xA001] == 1  # its pixels are sRGB now
        assert (details[0xA002], details[0xA003]) == found.size == (48, 64)


def test_tags_of_a_tiff_do_not_travel(tmp_path: Path, noise: Callable) -> None:
    noise(64, 48).save(tmp_path / "scan.tif", tiffinfo={0x010E: "a scan"})
    source = open_picture(tmp_path / "scan.tif")
    with Image.open(save_picture(source.image, tmp_path / "a.png", {}, source=source)) as found:
        assert dict(found.getexif()) == {0x010E: "a scan"}


def test_edits_keep_them(editor, tmp_path: Path, clear: Image.Image) -> None:
    import pxs

    clear.resize((128, 128)).save(tmp_path / "clear.png", icc_profile=swapped())
    with pytest.warns(UserWarning, match="drawn people"):
        edits = editor.open(tmp_path / "clear.png").edit(pxs.Mix(), steps=1, progress=False)
    (path,) = edits.save(tmp_path, names=["a.webp"])
    with Image.open(path) as found:
        assert found.mode == "RGBA" and found.info["icc_profile"] == swapped()
