"""Pictures for the browser: their sizes, and their JPEG files."""

from __future__ import annotations

import io

from PIL import Image


def jpeg(image: Image.Image, size: tuple[int, int]) -> bytes:
    """The image (RGB) resized to `size` (width, height), as a JPEG file."""
    buffer = io.BytesIO()
    resized = image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
    resized.save(buffer, format="JPEG", quality=92, subsampling=0)
    return buffer.getvalue()


def scaled(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """The size (width, height) proportional to `size` with a longest side of `longest` pixels; each side at least 1."""
    width, height = (max(1, round(side * longest / max(size))) for side in size)
    return width, height
