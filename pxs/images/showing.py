"""How a notebook shows a picture: with a text that stands for it where it cannot be seen, and a line of facts below."""

from __future__ import annotations

import base64
import html
import io
from typing import NamedTuple

from PIL import Image

from pxs.storage.paths import PathName, check_path


class Showing(NamedTuple):
    """What a notebook shows: a picture, or the content of a PNG file.

    alt: what stands for the picture where it cannot be seen; caption: a line below it; width: in CSS pixels, or None.
    """

    picture: Image.Image | bytes
    alt: str
    caption: str = ""
    width: int | None = None


class Shown:
    """Base of what a notebook shows as a picture; a subclass says in `_shown` what that is."""

    __slots__ = ()

    def _shown(self) -> Showing:
        raise NotImplementedError

    def _repr_png_(self) -> bytes:
        return _content(self._shown().picture)

    def _repr_html_(self) -> str:
        picture, alt, caption, width = self._shown()
        below = f'<figcaption style="opacity: 0.75">{html.escape(caption)}</figcaption>' if caption else ""
        size = f'width="{width}"' if width else ""
        return f'<figure style="margin: 0">{element(_content(picture), alt, more=size)}{below}</figure>'


class Figure(Shown):
    """A picture, by its image or its PNG file, with the text that stands for it; shows itself in a notebook.

    width: in CSS pixels, by default that of the picture.
    """

    def __init__(self, picture: Image.Image | PathName, alt: str, caption: str = "", width: int | None = None) -> None:
        found = picture if isinstance(picture, Image.Image) else check_path(picture).read_bytes()
        self._showing = Showing(found, alt, caption, width)

    def _shown(self) -> Showing:
        return self._showing


def element(content: bytes, alt: str, kind: str = "png", more: str = "") -> str:
    """The HTML element of a picture file, which it contains. more: further attributes."""
    data = base64.b64encode(content).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/{kind};base64,{data}"{more and f" {more}"}>'


def _content(picture: Image.Image | bytes) -> bytes:
    """The picture as a PNG file."""
    if isinstance(picture, bytes):
        return picture
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
