"""Tests of pictures in and out: odd and broken files, fitting and its way back, sheets, animations, text
chunks.

Every file is a real one, written to a temporary folder; those that no encoder would write are put together by
hand.
"""

import io
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from pxs.errors import ImageError, OutputError, PxsError
from pxs.images import (
    FORMATS,
    MAX_PIXELS,
    animate,
    fit,
    from_array,
    open_image,
    opening,
    output_folder,
    psnr,
    read_text,
    save_png,
    sheet,
    sheets,
    to_array,
)

RNG_SEED = 7


def noise(width: int, height: int, seed: int = RNG_SEED) -> Image.Image:
    """Return an RGB picture of independent random pixels."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def smooth(width: int, height: int, blue: int = 90) -> Image.Image:
    """Return an RGB picture of two gentle ramps, which survives lossy compression and resizing."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [40 + 160 * x / width, 30 + 180 * y / height, np.full(x.shape, blue)]
    return Image.fromarray(np.stack(planes, axis=-1).astype(np.uint8))


def drawing() -> Image.Image:
    """Return a 48 x 32 picture with a different colour in each quarter, so that every rotation shows."""
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:16, :24], pixels[:16, 24:] = (250, 20, 20), (20, 250, 20)
    pixels[16:, :24], pixels[16:, 24:] = (20, 20, 250), (240, 240, 20)
    return Image.fromarray(pixels)


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, rows: list[bytes], *extra: bytes) -> bytes:
    """Return a PNG file of unfiltered rows, with the extra chunks before the pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + data + chunk(b"IEND", b"")


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    """Save the image and return its path."""
    image.save(path, **options)
    return path


def written(path: Path, data: bytes) -> Path:
    """Write the bytes and return their path."""
    path.write_bytes(data)
    return path


def pixels_of(image: Image.Image) -> np.ndarray:
    """Return the pixels as whole numbers that can be subtracted."""
    return np.asarray(image).astype(int)


def refusal(source: object) -> str:
    """Return the message with which `open_image` refuses the source, after checking its form."""
    with pytest.raises(ImageError) as caught:
        open_image(source)
    message = str(caught.value)
    assert "\n" not in message
    if isinstance(source, (str, os.PathLike)):
        assert repr(os.fspath(source)) in message
    return message


# ------------------------------------------------------------------------------------------------------------
# Reading what people have


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp", "gif", "jpg"])
def test_every_format_gives_plain_rgb(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {"quality": 95} if suffix == "jpg" else {}
    path = saved(drawing(), tmp_path / f"picture.{suffix}", **options)
    result = open_image(path)
    assert type(result) is Image.Image
    assert (result.mode, result.size, result.info) == ("RGB", (48, 32), {})
    assert np.abs(pixels_of(result) - pixels_of(drawing())).mean() <= (6 if suffix == "jpg" else 0)


def test_path_may_be_a_string(tmp_path: Path) -> None:
    path = saved(drawing(), tmp_path / "picture.png")
    assert open_image(str(path)).tobytes() == drawing().tobytes()


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
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED_AS[orientation](np.asarray(drawing()))))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "maker of the camera"
    options = {"quality": 95, "subsampling": 0} if suffix == "jpg" else {}
    path = saved(stored, tmp_path / f"turned.{suffix}", exif=exif, **options)
    result = open_image(path)
    assert result.size == drawing().size
    assert np.abs(pixels_of(result) - pixels_of(drawing())).mean() < 6
    assert result.info == {}
    assert len(result.getexif()) == 0


def test_broken_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    path = saved(drawing(), tmp_path / "broken.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff")
    assert open_image(path).tobytes() == drawing().tobytes()


def test_no_metadata_survives(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x010E] = "a secret description"
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "somebody")
    path = saved(drawing(), tmp_path / "tagged.png", exif=exif, pnginfo=text, dpi=(300, 300))
    result = open_image(path)
    again = saved(result, tmp_path / "again.png")
    assert result.info == {}
    assert b"secret" not in again.read_bytes()
    assert b"somebody" not in again.read_bytes()


def test_alpha_is_composited_on_the_background(tmp_path: Path) -> None:
    image = Image.new("RGBA", (32, 32), (200, 100, 0, 128))
    image.paste((9, 8, 7, 0), (0, 0, 16, 32))
    path = saved(image, tmp_path / "alpha.png")
    result = open_image(path, background=(0, 50, 250))
    assert result.getpixel((3, 3)) == (0, 50, 250)
    expected = [(200 * 128 + 0 * 127) / 255, (100 * 128 + 50 * 127) / 255, 250 * 127 / 255]
    assert np.abs(np.array(result.getpixel((30, 3))) - expected).max() <= 1
    assert open_image(path).getpixel((3, 3)) == (255, 255, 255)


def test_grey_with_alpha(tmp_path: Path) -> None:
    image = Image.new("LA", (32, 32), (80, 255))
    image.paste((10, 0), (0, 0, 16, 32))
    result = open_image(saved(image, tmp_path / "la.png"), background=(1, 2, 3))
    assert result.getpixel((0, 0)) == (1, 2, 3)
    assert result.getpixel((31, 0)) == (80, 80, 80)


@pytest.mark.parametrize(("suffix", "key"), [("png", 1), ("png", bytes([255, 0, 255])), ("gif", 1)])
def test_palette_with_transparency(tmp_path: Path, suffix: str, key: object) -> None:
    image = Image.new("P", (32, 32), 0)
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.paste(1, (0, 0, 16, 32))
    path = saved(image, tmp_path / f"palette.{suffix}", transparency=key)
    result = open_image(path, background=(200, 0, 100))
    assert result.getpixel((0, 0)) == (200, 0, 100)
    assert result.getpixel((31, 0)) == (10, 20, 30)


def test_plain_palette_grey_and_bits(tmp_path: Path) -> None:
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
def test_one_grey_level_may_be_transparent(tmp_path: Path, depth: int) -> None:
    """The transparent level of the file is in the file's depth, the pixels are widened to 8 bits."""
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
def test_one_colour_may_be_transparent(tmp_path: Path, depth: int) -> None:
    kind = ">u1" if depth == 8 else ">u2"
    row = np.zeros((32, 3), kind)
    row[16:] = np.array([200, 100, 50]) if depth == 8 else np.array([51407, 25607, 12807])
    key = chunk(b"tRNS", struct.pack(">HHH", *row[31].tolist()))
    data = png(32, 32, depth, 2, [row.tobytes()] * 32, key)
    result = open_image(written(tmp_path / "colour.png", data), background=(1, 2, 3))
    assert result.getpixel((0, 0)) == (0, 0, 0)
    assert result.getpixel((31, 0)) == (1, 2, 3)


def test_text_chunk_named_like_a_header_field_is_harmless(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("transparency", "none at all")
    path = saved(drawing(), tmp_path / "named.png", pnginfo=text)
    assert open_image(path).tobytes() == drawing().tobytes()


def test_cmyk_jpeg(tmp_path: Path) -> None:
    image = Image.new("CMYK", (48, 32), (0, 255, 255, 0))
    image.paste((255, 0, 0, 0), (24, 0, 48, 32))
    result = open_image(saved(image, tmp_path / "cmyk.jpg", quality=95))
    assert np.abs(np.array(result.getpixel((3, 16))) - (255, 0, 0)).max() < 12
    assert np.abs(np.array(result.getpixel((44, 16))) - (0, 255, 255)).max() < 12


def test_lab_tiff(tmp_path: Path) -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(Image.new("RGB", (32, 32), (200, 30, 60)), to_lab)
    result = open_image(saved(lab, tmp_path / "lab.tif"))
    assert np.abs(np.array(result.getpixel((5, 5))) - (200, 30, 60)).max() <= 4


@pytest.mark.parametrize("suffix", ["png", "tif", "ppm"])
def test_deep_grey_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    ramp = np.linspace(0, 65535, 64 * 64).round().astype(np.uint16).reshape(64, 64)
    result = open_image(saved(Image.fromarray(ramp), tmp_path / f"deep.{suffix}"))
    assert np.abs(pixels_of(result) - ramp[..., None] / 257).max() <= 0.51
    assert result.getpixel((63, 63)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_deep_grey_modes_of_images_in_memory(mode: str) -> None:
    image = Image.new(mode, (32, 32), 257 * 99)
    assert open_image(image).getpixel((4, 4)) == (99, 99, 99)


def test_deep_grey_with_a_transparent_level(tmp_path: Path) -> None:
    row = np.full(32, 40001, ">u2")
    row[16:] = 40000
    key = chunk(b"tRNS", struct.pack(">H", 40000))
    result = open_image(written(tmp_path / "deep.png", png(32, 32, 16, 0, [row.tobytes()] * 32, key)))
    assert result.getpixel((0, 0)) == (156, 156, 156)
    assert result.getpixel((31, 0)) == (255, 255, 255)


def test_wider_grey_than_16_bits_is_refused() -> None:
    assert "70000" in refusal(Image.new("I", (32, 32), 70000))
    assert "-1" in refusal(Image.new("I", (32, 32), -1))


def test_deep_colour(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64).round().astype(">u2")
    row = np.stack([ramp, ramp[::-1], np.full(64, 65535, ">u2")], axis=1)
    data = png(64, 32, 16, 2, [row.astype(">u2").tobytes()] * 32)
    result = open_image(written(tmp_path / "deep.png", data))
    assert np.abs(pixels_of(result)[7] - row.astype(int) / 257).max() <= 1


def test_floats_are_grey_in_the_unit_range(tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(32, 32)
    result = open_image(saved(Image.fromarray(ramp), tmp_path / "float.tif"))
    assert np.abs(pixels_of(result)[..., 1] - ramp * 255).max() <= 0.51
    assert "2" in refusal(Image.fromarray(ramp * 2))
    assert "nan" in refusal(Image.fromarray(np.full((32, 32), np.nan, np.float32)))


def test_array_and_image_sources_are_not_changed() -> None:
    array = np.asarray(drawing()).copy()
    result = open_image(array)
    result.putpixel((0, 0), (1, 1, 1))
    assert np.array_equal(array, np.asarray(drawing()))
    source = drawing()
    open_image(source).putpixel((0, 0), (1, 1, 1))
    assert source.tobytes() == drawing().tobytes()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((32, 32), np.uint8),
        np.zeros((32, 32, 4), np.uint8),
        np.zeros((32, 32, 3), np.float32),
        np.zeros((0, 32, 3), np.uint8),
    ],
)
def test_arrays_of_another_form_are_refused(array: np.ndarray) -> None:
    assert str(array.shape) in refusal(array)


def test_other_types_and_backgrounds_are_refused() -> None:
    assert "int" in refusal(5)
    for background in [(0, 0), (0, 0, 256), (0.5, 0, 0), "red"]:
        with pytest.raises(ImageError, match="background"):
            open_image(drawing(), background=background)


def test_phone_photo_with_a_preview_opens(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    drawing().save(path, format="MPO", save_all=True, append_images=[Image.new("RGB", (48, 32))], quality=95)
    with Image.open(path) as opened:
        assert opened.n_frames == 2
    assert np.abs(pixels_of(open_image(path)) - pixels_of(drawing())).mean() < 6


# ------------------------------------------------------------------------------------------------------------
# Colour profiles


def swapped_profile() -> bytes:
    """Return an sRGB profile whose red and green primaries are exchanged."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = data.index(b"rXYZ", 128), data.index(b"gXYZ", 128)
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_profile_is_converted(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGB", (32, 32), (220, 30, 60)).convert(mode)
    path = saved(image, tmp_path / "profile.png", icc_profile=swapped_profile())
    result = open_image(path)
    assert np.abs(np.array(result.getpixel((5, 5))) - (30, 220, 60)).max() <= 2
    assert result.info == {}


def test_srgb_profile_changes_nothing(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = saved(noise(32, 32), tmp_path / "srgb.png", icc_profile=profile)
    assert np.abs(pixels_of(open_image(path)) - pixels_of(noise(32, 32))).max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_unusable_profile_is_ignored_with_a_warning(tmp_path: Path, mode: str) -> None:
    """Either the profile is garbage, or it is one for colours in a grey picture."""
    profile = b"this is no profile" * 20 if mode == "RGB" else swapped_profile()
    image = drawing().convert(mode)
    path = saved(image, tmp_path / "broken.png", icc_profile=profile)
    with pytest.warns(UserWarning, match=r"broken\.png.*profile ignored") as caught:
        result = open_image(path)
    assert result.tobytes() == image.convert("RGB").tobytes()
    assert caught[0].filename == __file__


# ------------------------------------------------------------------------------------------------------------
# Refusing what is no picture


def test_missing_folder_empty_and_text_files(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "missing.png")
    assert "folder" in refusal(tmp_path)
    assert "0 bytes" in refusal(written(tmp_path / "empty.png", b""))
    message = refusal(written(tmp_path / "text.png", b"these are words, not pixels\n" * 50))
    assert all(name in message for name in FORMATS)
    assert "cannot be read" in refusal(tmp_path / "nul\0byte.png")
    assert "cannot be read" in refusal(written(tmp_path / "file", b"x") / "below.png")


def test_forbidden_file_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = saved(drawing(), tmp_path / "private.png")
    monkeypatch.setattr(Image, "open", forbid)
    assert "right to read" in refusal(path)


def test_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "regular file" in refusal(tmp_path / "pipe.png")


def test_format_outside_the_list_is_refused(tmp_path: Path) -> None:
    assert "known format" in refusal(saved(drawing(), tmp_path / "picture.ico"))


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "tif", "webp"])
@pytest.mark.parametrize("part", [0.1, 0.35, 0.6, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, part: float) -> None:
    data = saved(noise(64, 64), tmp_path / f"whole.{suffix}").read_bytes()
    refusal(written(tmp_path / f"cut.{suffix}", data[: int(len(data) * part)]))


def test_damaged_pixels_are_refused(tmp_path: Path) -> None:
    data = bytearray(saved(noise(64, 64), tmp_path / "whole.png").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    assert "damaged" in refusal(written(tmp_path / "damaged.png", bytes(data)))


@pytest.mark.parametrize("size", [(7072, 7072), (12000, 9000), (50000, 40000)])
def test_giant_pictures_are_refused_by_their_header(tmp_path: Path, size: tuple[int, int]) -> None:
    """The three sizes lie above the own limit, and above the two at which PIL warns and raises."""
    path = written(tmp_path / "giant.png", png(*size, 8, 2, []))
    message = refusal(path)
    assert str(size[0] * size[1]) in message
    assert str(MAX_PIXELS) in message
    with pytest.raises(ImageError, match=str(MAX_PIXELS)):
        read_text(path)


def test_limit_holds_for_images_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "MAX_PIXELS", 48 * 32)
    assert open_image(drawing()).size == (48, 32)
    monkeypatch.setattr(opening, "MAX_PIXELS", 48 * 32 - 1)
    assert "48 x 32 = 1536" in refusal(drawing())


def test_tiny_pictures_are_refused(tmp_path: Path) -> None:
    assert open_image(noise(16, 16)).size == (16, 16)
    assert "15 x 40" in refusal(saved(noise(15, 40), tmp_path / "narrow.png"))
    assert "40 x 15" in refusal(np.asarray(noise(40, 15)))


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_animations_and_pages_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"moving.{suffix}"
    noise(32, 32).save(path, save_all=True, append_images=[noise(32, 32, 1), noise(32, 32, 2)])
    message = refusal(path)
    assert "3 frames" in message
    assert "extract one" in message
    with Image.open(path) as opened:
        assert "3 frames" in refusal(opened)


def test_lazy_image_with_damaged_pixels_is_refused(tmp_path: Path) -> None:
    data = saved(noise(64, 64), tmp_path / "whole.png").read_bytes()
    with Image.open(io.BytesIO(data[: len(data) // 2])) as opened:
        assert "damaged" in refusal(opened)


def test_image_errors_are_the_users_errors() -> None:
    assert issubclass(ImageError, PxsError)
    assert issubclass(OutputError, PxsError)
    assert issubclass(PxsError, ValueError)


# ------------------------------------------------------------------------------------------------------------
# Fitting and restoring

SIDES = st.integers(64, 900)


@given(SIDES, SIDES, st.sampled_from([256, 500, 512]), st.sampled_from([8, 16, 64]))
@settings(max_examples=60, deadline=None)
def test_fitted_size(width: int, height: int, resolution: int, multiple: int) -> None:
    if max(width, height) > 3 * min(width, height):
        height = width
    fitted, way = fit(Image.new("RGB", (width, height), (9, 90, 200)), resolution, multiple)
    assert fitted.width % multiple == 0
    assert fitted.height % multiple == 0
    ideal = np.sqrt(np.array([width / height, height / width])) * resolution
    assert np.abs(np.array(fitted.size) - ideal).max() <= multiple
    assert np.abs(pixels_of(fitted) - (9, 90, 200)).max() == 0  # no border of another colour
    again, _ = fit(fitted, resolution, multiple)
    assert again.tobytes() == fitted.tobytes()
    assert way.resized == (fitted.size != (width, height))
    assert way.restore(fitted).size == (width, height)


@pytest.mark.parametrize("size", [(512, 512), (640, 400), (256, 1024)])
def test_picture_of_the_models_size_is_untouched(size: tuple[int, int]) -> None:
    source, edited = noise(*size), noise(*size, seed=1)
    fitted, way = fit(source, 512)
    assert not way.resized
    assert fitted.tobytes() == source.tobytes()
    assert way.restore(edited).tobytes() == edited.tobytes()


@pytest.mark.parametrize("size", [(300, 200), (90, 120)], ids=["larger", "smaller"])
def test_unedited_picture_is_restored_bit_for_bit(size: tuple[int, int]) -> None:
    source = noise(*size)
    fitted, way = fit(source, 128)
    assert fitted.size != source.size
    assert way.restore(fitted).tobytes() == source.tobytes()


def test_restoring_keeps_detail_where_nothing_was_edited() -> None:
    source = noise(512, 512)
    fitted, way = fit(source, 128)
    edited = fitted.copy()
    edited.paste((255, 0, 0), (0, 0, 64, 128))
    restored = way.restore(edited)
    same = np.zeros((512, 512), bool)
    same[:, 256 + 16 :] = True  # beyond the reach of the resampling kernel
    assert psnr(to_array(restored), to_array(source), same) == math.inf
    assert psnr(to_array(restored), to_array(source), ~same) < 20


def test_restored_change_is_the_edit() -> None:
    """A change of constant strength arrives at full size unchanged, whatever its sign."""
    calm = Image.new("RGB", (300, 300), (100, 100, 100))
    small, way = fit(calm, 96)
    brighter = Image.fromarray((pixels_of(small) + np.array([20, -30, 155])).astype(np.uint8))
    assert np.abs(pixels_of(way.restore(brighter)) - (120, 70, 255)).max() <= 1


def test_restoring_clips() -> None:
    source = Image.fromarray(np.tile(np.array([[[0], [255]]], np.uint8), (256, 128, 3)))
    fitted, way = fit(source, 64)
    darker = Image.fromarray((pixels_of(fitted) - 60).clip(0, 255).astype(np.uint8))
    restored = pixels_of(way.restore(darker))
    assert np.abs(restored[:, 0::2] - 0).max() == 0
    assert np.abs(restored[32:-32, 33:-32:2] - 195).max() <= 2


def test_fit_owns_its_pictures() -> None:
    source = noise(300, 300)
    fitted, way = fit(source, 96)
    edited, expected = fitted.copy(), source.tobytes()
    source.paste((0, 0, 0), (0, 0, 300, 300))
    fitted.paste((0, 0, 0), (0, 0, 96, 96))
    assert way.restore(edited).tobytes() == expected


def test_fit_refusals() -> None:
    fit(Image.new("RGB", (400, 100)), 64)
    with pytest.raises(ImageError, match="401 x 100"):
        fit(Image.new("RGB", (401, 100)), 64)
    with pytest.raises(ImageError, match="100 x 401"):
        fit(Image.new("RGB", (100, 401)), 64)
    with pytest.raises(ImageError, match="mode L"):
        fit(Image.new("L", (64, 64)), 64)
    with pytest.raises(ImageError, match="ndarray"):
        fit(np.zeros((64, 64, 3), np.uint8), 64)
    for resolution, multiple in [(0, 16), (8, 16), (64, 0)]:
        with pytest.raises(ImageError, match=f"resolution {resolution} with multiple {multiple}"):
            fit(noise(64, 64), resolution, multiple)


def test_restore_refuses_another_size_or_mode() -> None:
    _, way = fit(noise(100, 100), 64)
    with pytest.raises(ImageError, match=r"\(100, 100\).*\(64, 64\)"):
        way.restore(noise(100, 100))
    with pytest.raises(ImageError, match="RGBA"):
        way.restore(Image.new("RGBA", (64, 64)))


# ------------------------------------------------------------------------------------------------------------
# Sheets


def test_sheet_without_labels_places_exact_pixels() -> None:
    first, second = noise(40, 30), noise(40, 30, seed=1)
    result = sheet([[first, None], [None, second]], gap=3)
    assert result.size == (3 + 2 * 43, 3 + 2 * 33)
    assert result.crop((3, 3, 43, 33)).tobytes() == first.tobytes()
    assert result.crop((46, 36, 86, 66)).tobytes() == second.tobytes()
    blank = pixels_of(result)
    blank[3:33, 3:43] = blank[36:66, 46:86] = 255
    assert blank.min() == 255


def test_sheet_scale_and_unequal_rows() -> None:
    result = sheet([[noise(40, 30)], [Image.new("RGB", (20, 20)), noise(40, 30)]], scale=0.5, gap=0)
    assert result.size == (40, 30)
    pixels = pixels_of(result)
    assert pixels[:15, 20:].min() == 255  # the missing cell
    assert ink(result.crop((0, 15, 20, 30))) == (5, 2, 15, 12)  # the smaller image is centred
    assert pixels[:15, :20].min() < 255


def ink(region: Image.Image) -> tuple[int, int, int, int] | None:
    """Return the box of everything that is not white."""
    return Image.eval(region.convert("L"), lambda value: 255 - value).getbbox()


def test_labels_are_whole_and_stay_in_their_strips() -> None:
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


def test_labels_are_smooth_and_dark() -> None:
    white = Image.new("RGB", (96, 96), "white")
    values = np.unique(pixels_of(sheet([[white]], ["smile"])))
    assert values.min() < 60
    assert len(values) > 10  # edges in between: not a bitmap font


def test_long_label_is_shortened_with_dots() -> None:
    font = sheets._font(9)
    text = sheets._shorten("surprise and anger", font, 40)
    assert text.endswith("...")
    assert "surprise".startswith(text[:-3])
    assert font.getlength(text) <= 40
    assert sheets._shorten("short", font, 400) == "short"
    assert sheets._shorten("anything", font, 1) == ""


def test_labels_beyond_ascii_are_spelled_in_ascii() -> None:
    assert sheets._flat("\u22122 \u00d7 \u00c9t\u00e9\n\u7b11") == "-2 x Ete ?"


def test_low_cells_get_low_row_labels() -> None:
    result = sheet([[Image.new("RGB", (64, 8), "white")]], ["gyQ|"], font_size=30, gap=0)
    assert result.height == 8
    box = ink(result)
    assert box is not None
    assert box[3] - box[1] < 8


@pytest.mark.parametrize("rows", [[], [[]], [[None, None], [None]]])
def test_sheet_without_images_is_refused(rows: list[list[None]]) -> None:
    with pytest.raises(ValueError, match="holds no image"):
        sheet(rows)


def test_sheet_refuses_wrong_labels_and_measures() -> None:
    rows = [[noise(20, 20)]]
    with pytest.raises(ValueError, match="2 row labels for 1 rows"):
        sheet(rows, row_labels=["a", "b"])
    with pytest.raises(ValueError, match="0 column labels for 1 columns"):
        sheet(rows, column_labels=[])
    for options in [{"scale": 0}, {"scale": math.nan}, {"gap": -1}, {"font_size": 0}]:
        with pytest.raises(ValueError, match="out of range"):
            sheet(rows, **options)


# ------------------------------------------------------------------------------------------------------------
# Animations

FRAMES = [smooth(64, 48, blue) for blue in (60, 90, 120, 150)]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "apng"])
@pytest.mark.parametrize(("ping_pong", "count"), [(True, 6), (False, 4)])
def test_animation_plays_the_frames(tmp_path: Path, suffix: str, ping_pong: bool, count: int) -> None:
    path = animate(FRAMES, tmp_path / f"moving.{suffix}", seconds=1.0, ping_pong=ping_pong)
    order = [0, 1, 2, 3, 2, 1][:count]
    with Image.open(path) as opened:
        assert opened.n_frames == count
        assert opened.info.get("loop", 0) == 0
        for index, frame in enumerate(order):
            opened.seek(index)
            shown = pixels_of(opened.convert("RGB"))
            assert opened.info["duration"] == pytest.approx(250, abs=1)
            errors = [np.abs(shown - pixels_of(candidate)).mean() for candidate in FRAMES]
            assert int(np.argmin(errors)) == frame
            assert errors[frame] < 7
    assert os.listdir(tmp_path) == [path.name]


def test_gif_does_not_flicker_where_nothing_moves(tmp_path: Path) -> None:
    frames = [smooth(64, 64) for _ in range(3)]
    for index, frame in enumerate(frames):
        frame.paste((255, 80 * index, 0), (20, 4, 40, 20))
    path = animate(frames, tmp_path / "still.gif")
    shown = []
    with Image.open(path) as opened:
        for index in range(opened.n_frames):
            opened.seek(index)
            shown.append(pixels_of(opened.convert("RGB")))
    assert len(shown) == 4
    still = np.ones((64, 64), bool)
    still[4:20, 20:40] = False
    assert all(np.array_equal(one[still], shown[0][still]) for one in shown)
    assert not np.array_equal(shown[0], shown[1])


def test_one_frame_and_two_frames(tmp_path: Path) -> None:
    with Image.open(animate(FRAMES[:1], tmp_path / "one.gif")) as opened:
        assert opened.n_frames == 1
    with Image.open(animate(FRAMES[:2], tmp_path / "two.gif")) as opened:
        assert opened.n_frames == 2


def test_animation_refusals(tmp_path: Path) -> None:
    for name in ["moving.mp4", "moving", "moving.jpg"]:
        with pytest.raises(OutputError, match=name):
            animate(FRAMES, tmp_path / name)
    with pytest.raises(OutputError, match="0 frames"):
        animate([], tmp_path / "a.gif")
    with pytest.raises(OutputError, match="different sizes"):
        animate([noise(32, 32), noise(32, 33)], tmp_path / "a.gif")
    for seconds in [0, -1.0, math.inf]:
        with pytest.raises(OutputError, match="seconds"):
            animate(FRAMES, tmp_path / "a.gif", seconds=seconds)
    with pytest.raises(OutputError, match="nowhere"):
        animate(FRAMES, tmp_path / "nowhere" / "a.gif")
    assert os.listdir(tmp_path) == []


def test_failing_animation_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "old.webp", b"the old file")

    def fail(self: Image.Image, file: io.BufferedWriter, **_: object) -> None:
        file.write(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OutputError, match="No space left"):
        animate(FRAMES, path)
    assert os.listdir(tmp_path) == ["old.webp"]
    assert path.read_bytes() == b"the old file"


# ------------------------------------------------------------------------------------------------------------
# PNG files with text, and folders

TEXT = {
    "prompt": "a smiling face",
    "name": "Zo\u00eb \u2212 \u7b11\u9854 \U0001f600",
    "lines": "one\ntwo",
    "empty": "",
}


def test_text_round_trip(tmp_path: Path) -> None:
    path = save_png(noise(20, 20), tmp_path / "result.png", TEXT)
    assert read_text(path) == TEXT
    assert all(type(value) is str for value in read_text(path).values())
    with Image.open(path) as opened:
        assert opened.convert("RGB").tobytes() == noise(20, 20).tobytes()


@given(
    st.dictionaries(
        st.text("abcxyz_-", min_size=1, max_size=79),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200),
        max_size=4,
    )
)
@settings(max_examples=40, deadline=None)
def test_any_text_round_trip(tmp_path_factory: pytest.TempPathFactory, text: dict[str, str]) -> None:
    path = tmp_path_factory.mktemp("text") / "result.png"
    assert read_text(save_png(Image.new("RGB", (4, 4)), path, text)) == text


def test_read_text_refusals(tmp_path: Path) -> None:
    assert read_text(saved(noise(20, 20), tmp_path / "bare.png")) == {}
    for path in [saved(noise(20, 20), tmp_path / "a.jpg"), tmp_path / "missing.png", tmp_path]:
        with pytest.raises(ImageError, match=path.name):
            read_text(path)
    data = save_png(noise(64, 64), tmp_path / "whole.png", TEXT).read_bytes()
    with pytest.raises(ImageError, match="damaged"):
        read_text(written(tmp_path / "cut.png", data[: len(data) // 2]))


@pytest.mark.parametrize(
    ("key", "value"),
    [("", "x"), ("k" * 80, "x"), ("\u7b11", "x"), ("a\nb", "x"), ("k", "a\0b"), ("k", "\ud800")],
)
def test_text_that_cannot_be_stored(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(OutputError, match="cannot be stored") as caught:
        save_png(noise(20, 20), tmp_path / "result.png", {key: value})
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_existing_file_is_kept(tmp_path: Path) -> None:
    path = save_png(noise(20, 20), tmp_path / "result.png", {"n": "1"})
    with pytest.raises(OutputError, match=r"result\.png.*exists"):
        save_png(noise(20, 20), path, {"n": "2"})
    assert read_text(path) == {"n": "1"}


def test_overwriting_replaces_the_file_as_a_whole(tmp_path: Path) -> None:
    """Who still holds the old file, here by a second link, keeps all of it."""
    path = save_png(noise(20, 20), tmp_path / "result.png", {"n": "1"})
    os.link(path, tmp_path / "held.png")
    save_png(noise(20, 20), path, {"n": "2"}, overwrite=True)
    assert read_text(path) == {"n": "2"}
    assert read_text(tmp_path / "held.png") == {"n": "1"}
    assert sorted(os.listdir(tmp_path)) == ["held.png", "result.png"]


def test_dangling_link_counts_as_existing(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(tmp_path / "nothing.png")
    with pytest.raises(OutputError, match="exists"):
        save_png(noise(20, 20), tmp_path / "link.png", {})


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    file = written(tmp_path / "file", b"x")
    (tmp_path / "folder.png").mkdir()
    for path in [tmp_path / "missing" / "a.png", file / "a.png", tmp_path / "folder.png"]:
        with pytest.raises(OutputError) as caught:
            save_png(noise(20, 20), path, {}, overwrite=True)
        assert repr(str(path)) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(OutputError, match=r"\.png"):
        save_png(noise(20, 20), tmp_path / "a.jpg", {})
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.png"]


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_failing_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(self: Image.Image, file: io.BufferedWriter, **_: object) -> None:
        file.write(b"half a file")
        raise error

    monkeypatch.setattr(Image.Image, "save", fail)
    expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        save_png(noise(20, 20), tmp_path / "result.png", {})
    assert os.listdir(tmp_path) == []


def test_file_has_the_usual_permissions(tmp_path: Path) -> None:
    plain = written(tmp_path / "plain", b"x")
    path = save_png(noise(20, 20), tmp_path / "result.png", {})
    assert path.stat().st_mode == plain.stat().st_mode


def test_output_folder(tmp_path: Path) -> None:
    folder = output_folder(tmp_path / "a" / "b")
    assert folder == tmp_path / "a" / "b"
    assert folder.is_dir()
    written(folder / "kept.txt", b"x")
    assert output_folder(str(folder)) == folder
    assert os.listdir(folder) == ["kept.txt"]


def test_output_folder_refusals(tmp_path: Path) -> None:
    file = written(tmp_path / "file", b"x")
    with pytest.raises(OutputError, match="is a file"):
        output_folder(file)
    for path in [file / "below", tmp_path / "nul\0byte"]:
        with pytest.raises(OutputError, match="cannot be used"):
            output_folder(path)


# ------------------------------------------------------------------------------------------------------------
# Numbers


def test_array_round_trip() -> None:
    array = to_array(noise(40, 30))
    assert (array.shape, array.dtype) == ((30, 40, 3), np.float32)
    assert array.min() == 0
    assert array.max() == 1
    assert from_array(array).tobytes() == noise(40, 30).tobytes()


def test_from_array_rounds_and_clips() -> None:
    values = np.array([-3.0, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.0, 7.0]).reshape(1, 2, 3)
    assert pixels_of(from_array(values)).ravel().tolist() == [0, 0, 1, 255, 255, 255]


def test_array_refusals() -> None:
    with pytest.raises(ImageError, match="mode L"):
        to_array(Image.new("L", (4, 4)))
    for array in [np.zeros((4, 4)), np.zeros((4, 4, 4)), np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4, 3))]:
        with pytest.raises(ImageError, match="not a picture of floats"):
            from_array(array)
    for bad in [np.nan, np.inf]:
        array = np.zeros((4, 4, 3))
        array[1, 2, 0] = bad
        with pytest.raises(ImageError, match="1 of 48"):
            from_array(array)


def test_psnr() -> None:
    a, b = np.zeros((8, 8, 3)), np.full((8, 8, 3), 0.1)
    assert psnr(a, b) == pytest.approx(20)
    assert psnr(a, a) == math.inf
    b[:4] = 0
    assert psnr(a, b) == pytest.approx(20 + 10 * math.log10(2))
    mask = np.zeros((8, 8), bool)
    mask[:4] = True
    assert psnr(a, b, mask) == math.inf
    assert psnr(a, b, ~mask) == pytest.approx(20)


def test_psnr_refusals() -> None:
    a = np.zeros((8, 8, 3))
    with pytest.raises(ImageError, match="shapes"):
        psnr(a, np.zeros((8, 1, 3)))
    for mask in [np.ones((8, 8)), np.ones((8, 4), bool)]:
        with pytest.raises(ImageError, match="does not fit"):
            psnr(a, a, mask)
    with pytest.raises(ImageError, match="no pixel"):
        psnr(a, a, np.zeros((8, 8), bool))
