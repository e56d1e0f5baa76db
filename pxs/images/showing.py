"""How a notebook shows a picture: with a text that stands for it where it cannot be seen, and a line of facts below."""

from __future__ import annotations

import base64
import html
import io
from typing import NamedTuple

from PIL import Image


class Showing(NamedTuple):
    """What a notebook shows. alt: what stands for the image where it cannot be seen; caption: a line below it."""

    image: Image.Image
    alt: str
    caption: str = ""


class Shown:
    """Base of what a notebook shows as a picture; a subclass says in `_shown` what that is."""

    __slots__ = ()

    def _shown(self) -> Showing:
        raise NotImplementedError

    def _repr_png_(self) -> bytes:
        return file_bytes(self._shown().image)

    def _repr_html_(self) -> str:
        image, alt, caption = self._shown()
        below = f'<figcaption style="opacity: 0.75">{html.escape(caption)}</figcaption>' if caption else ""
        return f'<figure style="margin: 0">{element(file_bytes(image), alt)}{below}</figure>'


class Figure(Shown):
    """An image with its alternative text and a caption, to show in a notebook."""

    def __init__(self, image: Image.Image, alt: str, caption: str = "") -> None:
        self.image, self.alt, self.caption = image, alt, caption

    def _shown(self) -> Showing:
        return Showing(self.image, self.alt, self.caption)


def element(content: bytes, alt: str, kind: str = "png", more: str = "") -> str:
    """The HTML element of a picture file, which it contains. more: further attributes."""
    data = base64.b64encode(content).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/{kind};base64,{data}"{more and f" {more}"}>'


def file_bytes(image: Image.Image) -> bytes:
    """The image as a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
