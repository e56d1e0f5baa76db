"""Pictures inside a page: small, as data addresses, and without anything that their files say about themselves."""

from __future__ import annotations

import base64
import io

from PIL import Image


def data_address(image: Image.Image, side: int, quality: int = 82) -> str:
    """An RGB image of at most `side` pixels a side, as the address of a WebP inside a page. quality: 1 to 100."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=quality)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
