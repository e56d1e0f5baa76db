"""What is opened as a picture and what is refused: formats, transparency, depth, profiles, damage; the files are real,
those that no encoder would write put together by hand.
"""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from pxs.errors import ImageError, OutputError, PxsError
from pxs.images import FORMATS, MAX_PIXELS, open_image, opening, read_text


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
def test_every_format_is_opened_as_rgb_without_metadata(tmp_path: Path, pixels_of: Callable, suffix: str) -> None:
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
def test_exif_rotation_is_applied(tmp_path: Path, pixels_of: Callable, orientation: int, suffix: str) -> None:
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


def test_picture_with_broken_exif_opens(tmp_path: Path) -> None:
    path = saved(drawing(), tmp_path / "broken.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff")
    assert open_image(path).tobytes() == drawing().tobytes()


def test_all_metadata_is_removed(tmp_path: Path) -> None:
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


def test_text_chunk_named_transparency_changes_nothing(tmp_path: Path) -> None:
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
def test_deep_grey_is_scaled_not_clipped(tmp_path: Path, pixels_of: Callable, suffix: str) -> None:
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


def test_deep_colour(tmp_path: Path, pixels_of: Callable) -> None:
    ramp = np.linspace(0, 65535, 64).round().astype(">u2")
    row = np.stack([ramp, ramp[::-1], np.full(64, 65535, ">u2")], axis=1)
    data = png(64, 32, 16, 2, [row.astype(">u2").tobytes()] * 32)
    result = open_image(written(tmp_path / "deep.png", data))
    assert np.abs(pixels_of(result)[7] - row.astype(int) / 257).max() <= 1


def test_floats_are_grey_in_the_unit_range(tmp_path: Path, pixels_of: Callable) -> None:
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


def test_phone_photo_with_a_preview_opens(tmp_path: Path, pixels_of: Callable) -> None:
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


def test_srgb_profile_changes_nothing(tmp_path: Path, noise: Callable, pixels_of: Callable) -> None:
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
def test_truncated_files_are_refused(tmp_path: Path, noise: Callable, suffix: str, part: float) -> None:
    data = saved(noise(64, 64), tmp_path / f"whole.{suffix}").read_bytes()
    refusal(written(tmp_path / f"cut.{suffix}", data[: int(len(data) * part)]))


def test_damaged_pixels_are_refused(tmp_path: Path, noise: Callable) -> None:
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


def test_tiny_pictures_are_refused(tmp_path: Path, noise: Callable) -> None:
    assert open_image(noise(16, 16)).size == (16, 16)
    assert "15 x 40" in refusal(saved(noise(15, 40), tmp_path / "narrow.png"))
    assert "40 x 15" in refusal(np.asarray(noise(40, 15)))


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_animations_and_pages_are_refused(tmp_path: Path, noise: Callable, suffix: str) -> None:
    path = tmp_path / f"moving.{suffix}"
    noise(32, 32).save(path, save_all=True, append_images=[noise(32, 32, 1), noise(32, 32, 2)])
    message = refusal(path)
    assert "3 frames" in message
    assert "extract one" in message
    with Image.open(path) as opened:
        assert "3 frames" in refusal(opened)


def test_lazy_image_with_damaged_pixels_is_refused(tmp_path: Path, noise: Callable) -> None:
    data = saved(noise(64, 64), tmp_path / "whole.png").read_bytes()
    with Image.open(io.BytesIO(data[: len(data) // 2])) as opened:
        assert "damaged" in refusal(opened)


def test_image_errors_are_the_users_errors() -> None:
    assert issubclass(ImageError, PxsError)
    assert issubclass(OutputError, PxsError)
    assert issubclass(PxsError, ValueError)
