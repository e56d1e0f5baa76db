"""Tests of colours and depths that a file states without an ICC profile, against published matrices and curves."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pxs.errors import ImageError
from pxs.images import open_image

# Published for D65: Adobe RGB (1998) to XYZ, section 4.3.5.3 of its specification; P3 and BT.2020 to XYZ; XYZ to sRGB.
ADOBE = [[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]]
P3 = [[0.486571, 0.265668, 0.198217], [0.228975, 0.691739, 0.079287], [0.0, 0.045113, 1.043944]]
BT2020 = [[0.636958, 0.144617, 0.168881], [0.2627, 0.677998, 0.059302], [0.0, 0.028073, 1.060985]]
TO_SRGB = [[3.2404542, -1.5371385, -0.4985314], [-0.969266, 1.8760108, 0.041556], [0.0556434, -0.2040259, 1.0572252]]


def curve(light: np.ndarray) -> np.ndarray:
    light = np.clip(light, 0, 1)
    return 255 * np.where(light < 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def light_of(values: np.ndarray) -> np.ndarray:
    return np.where(values < 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def expected(pixels: np.ndarray, matrix: list[list[float]] | None, decode: Callable) -> np.ndarray:
    light = decode(pixels / 255)
    return curve(light if matrix is None else light @ (np.array(TO_SRGB) @ np.array(matrix)).T)


def adobe_exif(number: int, rule: str | None) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = number
    if rule:
        exif.get_ifd(0xA005)[1] = rule
        exif.get_ifd(0x8769)[0xA005] = {1: rule}
    return exif.tobytes()


@pytest.mark.parametrize(
    ("suffix", "number", "rule"), [("tif", 2, None), ("png", 2, None), ("png", 65535, "R03"), ("webp", 65535, "R03")]
)
def test_adobe_rgb_by_exif(
    tmp_path: Path, noise: Callable, pixels_of: Callable, suffix: str, number: int, rule: str | None
) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    noise(32, 32).save(tmp_path / f"a.{suffix}", exif=adobe_exif(number, rule), **options)
    wanted = expected(pixels_of(noise(32, 32)), ADOBE, lambda v: v ** (563 / 256))
    assert np.abs(pixels_of(open_image(tmp_path / f"a.{suffix}")) - wanted).max() < 1


@pytest.mark.parametrize("exif", [adobe_exif(1, None), adobe_exif(65535, None), adobe_exif(65535, "R98")])
def test_other_exif_changes_no_colour(tmp_path: Path, noise: Callable, exif: bytes) -> None:
    noise(32, 32).save(tmp_path / "a.png", exif=exif)
    assert open_image(tmp_path / "a.png").tobytes() == noise(32, 32).tobytes()


@pytest.fixture
def stated(png: Callable, chunk: Callable, noise: Callable) -> Callable[..., bytes]:
    """A function that makes a PNG file of noise, with chunks before the pixels."""

    def make(*chunks: tuple[bytes, bytes]) -> bytes:
        rows = [row.tobytes() for row in np.asarray(noise(32, 32))]
        return png(32, 32, 8, 2, rows, *(chunk(kind, data) for kind, data in chunks))

    return make


def gama(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(100_000 * value))


def chrm(*values: float) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *(round(100_000 * v) for v in values))


P3_POINTS = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
SRGB_POINTS = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)


@pytest.mark.parametrize("gamma", [1.0, 0.55556, 0.33333])
def test_gamma(stated: Callable, noise: Callable, pixels_of: Callable, gamma: float) -> None:
    wanted = expected(pixels_of(noise(32, 32)), None, lambda v: v ** (1 / gamma))
    assert np.abs(pixels_of(open_image(stated(gama(gamma)))) - wanted).max() < 1


def test_chromaticities(stated: Callable, noise: Callable, pixels_of: Callable) -> None:
    wanted = expected(pixels_of(noise(32, 32)), P3, light_of)
    assert np.abs(pixels_of(open_image(stated(gama(0.45455), chrm(*P3_POINTS)))) - wanted).max() < 1


@pytest.mark.parametrize(
    "chunks",
    [
        [gama(0.45455), chrm(*SRGB_POINTS)],
        [gama(1.0), chrm(*P3_POINTS), (b"sRGB", b"\0")],  # which outranks both
        [(b"cICP", bytes([1, 13, 0, 1])), gama(1.0)],  # likewise
        [(b"cICP", bytes([1, 1, 0, 1]))],
    ],
    ids=["rounded", "sRGB", "cICP", "video"],
)
def test_srgb_in_other_words_changes_nothing(stated: Callable, noise: Callable, chunks: list) -> None:
    assert open_image(stated(*chunks)).tobytes() == noise(32, 32).tobytes()


@pytest.mark.parametrize(("code", "matrix"), [((12, 13), P3), ((9, 13), BT2020), ((1, 8), None), ((9, 8), BT2020)])
def test_cicp(stated: Callable, noise: Callable, pixels_of: Callable, code: tuple, matrix: list | None) -> None:
    decode = light_of if code[1] == 13 else lambda v: v
    wanted = expected(pixels_of(noise(32, 32)), matrix, decode)
    found = open_image(stated((b"cICP", bytes([*code, 0, 1]))))
    assert np.abs(pixels_of(found) - wanted).max() < 1


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_refused(stated: Callable, noise: Callable, transfer: int, name: str) -> None:
    with pytest.raises(ImageError, match=name):
        open_image(stated((b"cICP", bytes([9, transfer, 0, 1]))))
    for kind in ("AVIF", "HEIF"):
        content = encoded(noise(64, 64), kind)
        at = content.index(b"nclx")
        with pytest.raises(ImageError, match=name):
            open_image(content[: at + 4] + struct.pack(">HH", 9, transfer) + content[at + 8 :])


def encoded(image: Image.Image, kind: str) -> bytes:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    buffer = io.BytesIO()
    image.save(buffer, format=kind, quality=90)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_avif_and_heic_open_in_their_colours(pixels_of: Callable, kind: str) -> None:
    flat = Image.new("RGB", (64, 48), (200, 60, 90))
    content = encoded(flat, kind)
    assert np.abs(pixels_of(open_image(content)) - pixels_of(flat)).max() <= 3
    at = content.index(b"nclx")
    wide = content[: at + 4] + struct.pack(">HH", 12, 13) + content[at + 8 :]
    wanted = expected(pixels_of(flat), P3, light_of)
    assert np.abs(pixels_of(open_image(wide)) - wanted).max() <= 3


def test_heic_without_its_reader_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"pxs\[heif\]"):
        open_image(b"\0\0\0\x18ftypheic" + bytes(64))


@pytest.mark.parametrize(
    "chunks", [[gama(0.001)], [gama(0.45455), chrm(*[0.3] * 8)], [(b"cICP", bytes([77, 13, 0, 1]))]]
)
def test_colours_that_cannot_be_used_give_a_warning(stated: Callable, noise: Callable, chunks: list) -> None:
    with pytest.warns(UserWarning, match="off"):
        assert open_image(stated(*chunks)).tobytes() == noise(32, 32).tobytes()


def test_a_deep_grey_keeps_its_dark_levels(png: Callable, chunk: Callable, pixels_of: Callable) -> None:
    ramp = np.linspace(0, 65535, 64).round()
    rows = [ramp.astype(">u2").tobytes()] * 32
    found = open_image(png(64, 32, 16, 0, rows, chunk(*gama(1.0))))
    assert np.abs(pixels_of(found)[3, :, 0] - curve(ramp / 65535)).max() < 1


@pytest.mark.parametrize(
    ("values", "high", "words"),
    [
        (np.linspace(0, 4095, 1024), 4095, "12 bits"),
        (np.linspace(30, 1020, 1024), 1023, "10 bits"),
        (np.linspace(0, 255, 1024), 255, "8 bits"),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_greys_of_fewer_bits(tmp_path: Path, pixels_of: Callable, values, high, words, dtype) -> None:
    array = values.round().astype(dtype).reshape(32, 32)
    Image.fromarray(array).save(tmp_path / "deep.tif")
    with pytest.warns(UserWarning, match=words):
        found = open_image(tmp_path / "deep.tif")
    assert np.abs(pixels_of(found)[..., 0] - 255.0 * array / high).max() <= 0.51


def test_a_measured_range_beyond_16_bits(pixels_of: Callable) -> None:
    array = np.linspace(-5_000_000, 90_000_000, 1024).astype(np.int32).reshape(32, 32)
    with pytest.warns(UserWarning, match="-5000000 to 90000000"):
        found = pixels_of(open_image(Image.fromarray(array)))
    assert np.abs(found[..., 1] - 255 * (array + 5e6) / 95e6).max() <= 0.51


def test_a_stated_range(tmp_path: Path, pixels_of: Callable) -> None:
    array = np.linspace(100, 9000, 1024).astype(np.uint16).reshape(32, 32)
    Image.fromarray(array).save(tmp_path / "a.tif", tiffinfo={281: 10_000})
    with pytest.warns(UserWarning, match="states"):
        found = open_image(tmp_path / "a.tif")
    assert np.abs(pixels_of(found)[..., 2] - 255.0 * array / 10_000).max() <= 0.51


def test_significant_bits_of_a_png(png: Callable, chunk: Callable, pixels_of: Callable) -> None:
    ramp = np.linspace(0, 16000, 64).round()
    data = png(64, 32, 16, 0, [ramp.astype(">u2").tobytes()] * 32, chunk(b"sBIT", bytes([14])))
    with pytest.warns(UserWarning, match="14 bits"):
        found = open_image(data)
    assert np.abs(pixels_of(found)[3, :, 0] - 255 * ramp / 16383).max() <= 0.51
