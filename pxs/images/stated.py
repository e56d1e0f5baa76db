"""What a picture file states about its colours and its depth, beyond an ICC profile (`read_stated`)."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from PIL import Image

from pxs.errors import ImageError
from pxs.images.spaces import ADOBE_RGB, GAMMAS, HIGH_DYNAMIC_RANGE, PRIMARIES, SRGB, SRGB_PRIMARIES, Space

EXIF, INTEROPERABILITY = 0x8769, 0xA005
SRGB_GAMMA, NEAR_GAMMA, NEAR_PRIMARIES = 0.45455, 0.05, 0.01
_BITS, _SAMPLE_FORMAT, _LOW, _HIGH = 258, 339, (280, 340), (281, 341)  # tags of TIFF
_MOST_CHUNKS = 10_000
_CONTAINERS = (b"meta", b"iprp", b"ipco")


class Code(NamedTuple):
    """Primaries and transfer by their numbers in H.273, and whether black is 0 and white 255."""

    primaries: int
    transfer: int
    full: bool


@dataclass(frozen=True)
class Stated:
    """What a file states. space: of its colours; sRGB where it says nothing. over_profile: it outranks an ICC profile.

    bits: significant bits of a grey value; exact: whether they are those of the file's samples. low and high: its
    range of values. unsigned: values are. remarks: what could not be used, for warnings.
    """

    space: Space = SRGB
    over_profile: bool = False
    bits: int | None = None
    exact: bool = False
    low: float | None = None
    high: float | None = None
    unsigned: bool = False
    remarks: tuple[str, ...] = ()


def read_stated(image: Image.Image, name: str) -> Stated:
    """What an image states that was opened and not yet decoded; of a decoded one, what Pillow kept.

    Raises ImageError for a picture of high dynamic range (PQ or HLG), which has no one look as an 8-bit picture.
    """
    code, bits = None, None
    if image.format == "PNG":
        chunks = dict(_png_chunks(image))
        code, bits = _png_code(chunks.get(b"cICP", b"")), _one_byte(chunks.get(b"sBIT", b""))
    elif image.format in ("AVIF", "HEIF"):
        code = _box_code(image)
    hdr = HIGH_DYNAMIC_RANGE.get(_transfer(code, image.info.get("icc_profile")))
    if hdr:
        raise ImageError(f"{name} is a picture of high dynamic range ({hdr}): export it as a standard picture first")
    space, remarks = _space(image, code)
    over = code is not None and image.format == "PNG"
    if image.format != "TIFF":
        return Stated(space, over, bits, remarks=remarks)
    tags = getattr(image, "tag_v2", {})
    sample = _number(tags, _BITS)
    low, high = (next((v for v in (_number(tags, t) for t in pair) if v is not None), None) for pair in (_LOW, _HIGH))
    unsigned = _number(tags, _SAMPLE_FORMAT) in (None, 1)
    return Stated(space, over, int(sample) if sample else None, sample in (10, 12, 14), low, high, unsigned, remarks)


def _space(image: Image.Image, code: Code | None) -> tuple[Space, tuple[str, ...]]:
    """The space of the colours, by the order of precedence of the PNG specification; and remarks."""
    if code is not None:
        if code.primaries not in PRIMARIES or code.transfer not in GAMMAS or not code.full:
            return SRGB, (f"colours of the kind {tuple(map(int, code))} are taken as sRGB; they may be off",)
        return Space(PRIMARIES[code.primaries], GAMMAS[code.transfer]), ()
    if image.info.get("icc_profile"):
        return SRGB, ()
    if image.format == "PNG" and "srgb" not in image.info and {"gamma", "chromaticity"} & image.info.keys():
        return _measured_space(image.info.get("gamma"), image.info.get("chromaticity"))
    return (ADOBE_RGB if _is_adobe(image) else SRGB), ()


def _measured_space(gamma: float | None, chromaticity: tuple[float, ...] | None) -> tuple[Space, tuple[str, ...]]:
    """The space of the chunks gAMA and cHRM; values near those of sRGB are its own, rounded."""
    exponent: float | None = None
    primaries: tuple[float, ...] = SRGB_PRIMARIES
    if gamma is not None and abs(gamma / SRGB_GAMMA - 1) > NEAR_GAMMA:
        if not 0.05 <= gamma <= 20:
            return SRGB, (f"gamma {gamma:g} ignored; colours may be off",)
        exponent = 1 / gamma
    if chromaticity is not None and len(chromaticity) == 8:
        given = tuple(c if c <= 1 else c / 100_000 for c in (*chromaticity[2:], *chromaticity[:2]))
        if max(abs(a - b) for a, b in zip(given, SRGB_PRIMARIES, strict=True)) > NEAR_PRIMARIES:
            primaries = given
    space = Space(primaries, exponent)
    try:
        space.matrix()
    except ValueError as error:
        return SRGB, (f"chromaticities ignored ({error}); colours may be off",)
    return space, ()


def _is_adobe(image: Image.Image) -> bool:
    """Whether the EXIF data name Adobe RGB: by the number 2, or as uncalibrated with the interoperability rule R03."""
    if image.format == "PNG" and "exif" not in image.info:  # Pillow would decode it, to look behind the pixels
        return False
    try:
        exif = image.getexif()
        colours = exif.get_ifd(EXIF).get(0xA001)
        return colours == 2 or (colours != 1 and exif.get_ifd(INTEROPERABILITY).get(1) == "R03")
    except Exception:  # broken EXIF raises many classes of errors; the picture is still good
        return False


def _transfer(code: Code | None, profile: bytes | None) -> int:
    """The number of the transfer; that of an ICC profile stands in its tag `cicp`. 2 where nothing is said."""
    if code is not None and code.transfer in HIGH_DYNAMIC_RANGE:
        return code.transfer
    if profile and len(profile) >= 132:
        for at in range(132, min(132 + 12 * struct.unpack_from(">I", profile, 128)[0], len(profile) - 11), 12):
            signature, start, size = struct.unpack_from(">4sII", profile, at)
            if signature == b"cicp" and size >= 12 and start + 12 <= len(profile):
                return profile[start + 9]
    return 2


def _png_code(chunk: bytes) -> Code | None:
    return Code(chunk[0], chunk[1], chunk[3] == 1) if len(chunk) == 4 else None


def _one_byte(chunk: bytes) -> int | None:
    return chunk[0] if len(chunk) == 1 else None


def _number(tags: object, tag: int) -> float | None:
    """The first value of a TIFF tag, where it is a number."""
    value = tags.get(tag) if hasattr(tags, "get") else None
    value = value[0] if isinstance(value, tuple) and value else value
    return float(value) if isinstance(value, int | float) else None


@contextlib.contextmanager
def _rewound(image: Image.Image) -> Iterator[BinaryIO | None]:
    """The image's file from its first byte, as long as it is open; later reads go on where they were."""
    file = getattr(image, "fp", None)
    try:
        place = file.tell() if file else 0
    except (OSError, ValueError):  # closed
        file = None
    if file is None:
        yield None
        return
    try:
        file.seek(0)
        yield file
    finally:
        file.seek(place)


def _png_chunks(image: Image.Image) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the short chunks before the pixels."""
    with _rewound(image) as file:
        if file is None:
            return
        file.seek(8)
        for _ in range(_MOST_CHUNKS):
            head = file.read(8)
            if len(head) < 8 or head[4:] == b"IDAT":
                return
            length = struct.unpack(">I", head[:4])[0]
            if length <= 32:
                yield head[4:], file.read(length)
                file.seek(4, 1)
            else:
                file.seek(length + 4, 1)


def _box_code(image: Image.Image) -> Code | None:
    """The colours of the first `nclx` box of an AVIF or HEIC file."""
    with _rewound(image) as file:
        content = file.read(1 << 20) if file else b""
    if not content:
        known = image.info.get("nclx_profile") or {}
        if not {"color_primaries", "transfer_characteristics"} <= known.keys():
            return None
        return Code(int(known["color_primaries"]), int(known["transfer_characteristics"]), True)
    return next(_codes(content, 0, len(content)), None)


def _codes(content: bytes, start: int, end: int) -> Iterator[Code]:
    """All `nclx` codes among the boxes between two places. The decoder has widened a video range already."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, start)
        if size < 8:
            return
        stop = min(start + size, end)
        if kind in _CONTAINERS:
            yield from _codes(content, start + (12 if kind == b"meta" else 8), stop)
        elif kind == b"colr" and content[start + 8 : start + 12] == b"nclx" and stop >= start + 18:
            primaries, transfer = struct.unpack_from(">HH", content, start + 12)
            yield Code(primaries, transfer, True)
        start += size
