"""Fixtures for the tests of pictures; most of them are functions that make a picture or a file."""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pxs.errors import ImageError
from pxs.images import open_image

RNG_SEED = 7


@pytest.fixture(scope="session")
def noise() -> Callable[..., Image.Image]:
    """A function that makes an RGB picture of independent random pixels."""

    def make(width: int, height: int, seed: int = RNG_SEED) -> Image.Image:
        values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        return Image.fromarray(values)

    return make


@pytest.fixture(scope="session")
def pixels_of() -> Callable[[Image.Image], np.ndarray]:
    """A function that returns the pixels of a picture as signed integers, so that they can be subtracted."""
    return lambda image: np.asarray(image).astype(int)


@pytest.fixture
def drawing() -> Image.Image:
    """A 48 x 32 picture with a different colour in each quarter, so that every rotation changes it."""
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:16, :24], pixels[:16, 24:] = (250, 20, 20), (20, 250, 20)
    pixels[16:, :24], pixels[16:, 24:] = (20, 20, 250), (240, 240, 20)
    return Image.fromarray(pixels)


@pytest.fixture(scope="session")
def saved() -> Callable[..., Path]:
    """A function that saves an image and returns its path."""

    def save(image: Image.Image, path: Path, **options: object) -> Path:
        image.save(path, **options)
        return path

    return save


@pytest.fixture(scope="session")
def written() -> Callable[[Path, bytes], Path]:
    """A function that writes bytes and returns their path."""

    def write(path: Path, data: bytes) -> Path:
        path.write_bytes(data)
        return path

    return write


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.fixture(scope="session")
def chunk() -> Callable[[bytes, bytes], bytes]:
    """A function that returns one chunk of a PNG file from its type and its data."""
    return _chunk


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    """A function that returns a PNG file of unfiltered rows, with the extra chunks before the pixels."""

    def build(width: int, height: int, depth: int, colour: int, rows: list[bytes], *extra: bytes) -> bytes:
        header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
        data = _chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
        return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + data + _chunk(b"IEND", b"")

    return build


@pytest.fixture(scope="session")
def refusal() -> Callable[[object], str]:
    """A function that returns the message with which `open_image` refuses a source, after checking its form."""

    def message_for(source: object) -> str:
        with pytest.raises(ImageError) as caught:
            open_image(source)
        message = str(caught.value)
        assert "\n" not in message
        if isinstance(source, (str, os.PathLike)):
            assert repr(os.fspath(source)) in message
        return message

    return message_for
