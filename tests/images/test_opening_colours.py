"""Tests of opening pictures: transparency, palettes, bit depths, colour modes and ICC profiles.

No encoder writes some of these files, so the tests build them chunk by chunk.
"""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from pxs.images import open_image


def test_alpha_is_composited_on_the_background(tmp_path: Path, saved: Callable) -> None:
    image = Image.new("RGBA", (32, 32), (200, 100, 0, 128))
    image.paste((9, 8, 7, 0), (0, 0, 16, 32))
    path = saved(image, tmp_path / "alpha.png")
    result = open_image(path, background=(0, 50, 250))
    assert result.getpixel((3, 3)) == (0, 50, 250)
    expected = [(200 * 128 + 0 * 127) / 255, (100 * 128 + 50 * 127) / 255, 250 * 127 / 255]
    assert np.abs(np.array(result.getpixel((30, 3))) - expected).max() <= 1
    assert open_image(path).getpixel((3, 3)) == (255, 255, 255)


def test_grey_with_alpha(tmp_path: Path, saved: Callable) -> None:
    image = Image.new("LA", (32, 32), (80, 255))
    image.paste((10, 0), (0, 0, 16, 32))
    result = open_image(saved(image, tmp_path / "la.png"), background=(1, 2, 3))
    assert result.getpixel((0, 0)) == (1, 2, 3)
    assert result.getpixel((31, 0)) == (80, 80, 80)


@pytest.mark.parametrize(("suffix", "key"), [("png", 1), ("png", bytes([255, 0, 255])), ("gif", 1)])
def test_palette_with_transparency(tmp_path: Path, saved: Callable, suffix: str, key: object) -> None:
    image = Image.new("P", (32, 32), 0)
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.paste(1, (0, 0, 16, 32))
    path = saved(image, tmp_path / f"palette.{suffix}", transparency=key)
    result = open_image(path, background=(200, 0, 100))
    assert result.getpixel((0, 0)) == (200, 0, 100)
    assert result.getpixel((31, 0)) == (10, 20, 30)


def test_opaque_palette_grey_and_one_bit_pictures(tmp_path: Path, saved: Callable) -> None:
    palette = Image.new("P", (32, 32), 1)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    bits = Image.new("1", (32, 32), 1)
    bits.putpixel((0, 0), 0)
    assert open_image(saved(palette, tmp_path / "p.png")).getpixel((5, 5)) == (40, 50, 60)
    assert open_image(saved(Image.new("L", (32, 32), 77), tmp_path / "l.png")).getpixel((5, 5)) == (
        77,
        77,
        77,
    )
    opened = open_image(saved(bits, tmp_path / "1.png"))
    assert (opened.getpixel((0, 0)), opened.getpixel((1, 0))) == ((0, 0, 0), (255, 255, 255))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_one_grey_level_may_be_transparent(
    tmp_path: Path, written: Callable, png: Callable, chunk: Callable, depth: int
) -> None:
    """The transparent level in the file has the bit depth of the file; the decoded pixels have 8 bits."""
    highest = 2**depth - 1
    row = np.full(32, highest - 1, np.uint8)
    row[16:] = highest
    bits = np.unpackbits(row[:, None], axis=1)[:, 8 - depth :]
    key = chunk(b"tRNS", struct.pack(">H", highest))
    data = png(32, 32, depth, 0, [np.packbits(bits).tobytes()] * 32, key)
    result = open_image(written(tmp_path / "grey.png", data), background=(250, 0, 0))
    level = round(255 * (highest - 1) / highest)
    assert result.getpixel((0, 0)) == (level, level, level)
    assert result.getpixel((31, 0)) == (250, 0, 0)


@pytest.mark.parametrize("depth", [8, 16])
def test_one_colour_may_be_transparent(
    tmp_path: Path, written: Callable, png: Callable, chunk: Callable, depth: int
) -> None:
    kind = ">u1" if depth == 8 else ">u2"
    row = np.zeros((32, 3), kind)
    row[16:] = np.array([200, 100, 50]) if depth == 8 else np.array([51407, 25607, 12807])
    key = chunk(b"tRNS", struct.pack(">HHH", *row[31].tolist()))
    data = png(32, 32, depth, 2, [row.tobytes()] * 32, key)
    result = open_image(written(tmp_path / "colour.png", data), background=(1, 2, 3))
    assert result.getpixel((0, 0)) == (0, 0, 0)
    assert result.getpixel((31, 0)) == (1, 2, 3)


def test_cmyk_jpeg_is_converted(tmp_path: Path, saved: Callable) -> None:
    image = Image.new("CMYK", (48, 32), (0, 255, 255, 0))
    image.paste((255, 0, 0, 0), (24, 0, 48, 32))
    result = open_image(saved(image, tmp_path / "cmyk.jpg", quality=95))
    assert np.abs(np.array(result.getpixel((3, 16))) - (255, 0, 0)).max() < 12
    assert np.abs(np.array(result.getpixel((44, 16))) - (0, 255, 255)).max() < 12


def test_lab_tiff_is_converted(tmp_path: Path, saved: Callable) -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(Image.new("RGB", (32, 32), (200, 30, 60)), to_lab)
    result = open_image(saved(lab, tmp_path / "lab.tif"))
    assert np.abs(np.array(result.getpixel((5, 5))) - (200, 30, 60)).max() <= 4


@pytest.mark.parametrize("suffix", ["png", "tif", "ppm"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path, saved: Callable, pixels_of: Callable, suffix: str) -> None:
    ramp = np.linspace(0, 65535, 64 * 64).round().astype(np.uint16).reshape(64, 64)
    result = open_image(saved(Image.fromarray(ramp), tmp_path / f"deep.{suffix}"))
    assert np.abs(pixels_of(result) - ramp[..., None] / 257).max() <= 0.51
    assert result.getpixel((63, 63)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_16_bit_grey_images_in_memory(mode: str) -> None:
    image = Image.new(mode, (32, 32), 257 * 99)
    assert open_image(image).getpixel((4, 4)) == (99, 99, 99)


def test_16_bit_grey_with_a_transparent_level(
    tmp_path: Path, written: Callable, png: Callable, chunk: Callable
) -> None:
    row = np.full(32, 40001, ">u2")
    row[16:] = 40000
    key = chunk(b"tRNS", struct.pack(">H", 40000))
    result = open_image(written(tmp_path / "deep.png", png(32, 32, 16, 0, [row.tobytes()] * 32, key)))
    assert result.getpixel((0, 0)) == (156, 156, 156)
    assert result.getpixel((31, 0)) == (255, 255, 255)


def test_16_bit_colour(tmp_path: Path, written: Callable, png: Callable, pixels_of: Callable) -> None:
    ramp = np.linspace(0, 65535, 64).round().astype(">u2")
    row = np.stack([ramp, ramp[::-1], np.full(64, 65535, ">u2")], axis=1)
    data = png(64, 32, 16, 2, [row.astype(">u2").tobytes()] * 32)
    result = open_image(written(tmp_path / "deep.png", data))
    assert np.abs(pixels_of(result)[7] - row.astype(int) / 257).max() <= 1


def test_floats_are_grey_values_in_0_to_1(
    tmp_path: Path, saved: Callable, refusal: Callable, pixels_of: Callable
) -> None:
    ramp = np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(32, 32)
    result = open_image(saved(Image.fromarray(ramp), tmp_path / "float.tif"))
    assert np.abs(pixels_of(result)[..., 1] - ramp * 255).max() <= 0.51
    assert "2" in refusal(Image.fromarray(ramp * 2))
    assert "nan" in refusal(Image.fromarray(np.full((32, 32), np.nan, np.float32)))


def swapped_profile() -> bytes:
    """An sRGB profile whose red and green primaries are exchanged."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = data.index(b"rXYZ", 128), data.index(b"gXYZ", 128)
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_profile_is_converted(tmp_path: Path, saved: Callable, mode: str) -> None:
    image = Image.new("RGB", (32, 32), (220, 30, 60)).convert(mode)
    path = saved(image, tmp_path / "profile.png", icc_profile=swapped_profile())
    result = open_image(path)
    assert np.abs(np.array(result.getpixel((5, 5))) - (30, 220, 60)).max() <= 2
    assert result.info == {}


def test_srgb_profile_changes_nothing(tmp_path: Path, saved: Callable, noise: Callable, pixels_of: Callable) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = saved(noise(32, 32), tmp_path / "srgb.png", icc_profile=profile)
    assert np.abs(pixels_of(open_image(path)) - pixels_of(noise(32, 32))).max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_unusable_profile_is_ignored_with_a_warning(
    tmp_path: Path, drawing: Image.Image, saved: Callable, mode: str
) -> None:
    """The profile is random bytes, or it is a profile for colours in a grey picture."""
    profile = b"not a profile....." * 20 if mode == "RGB" else swapped_profile()
    image = drawing.convert(mode)
    path = saved(image, tmp_path / "broken.png", icc_profile=profile)
    with pytest.warns(UserWarning, match=r"broken\.png.*profile ignored") as caught:
        result = open_image(path)
    assert result.tobytes() == image.convert("RGB").tobytes()
    assert caught[0].filename == __file__
