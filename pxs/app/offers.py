"""What the page offers to begin with: sample faces, and mixes with a name."""

from __future__ import annotations

import io
import threading
from functools import lru_cache
from typing import NamedTuple

from PIL import Image

from pxs.errors import ImageError
from pxs.expressions import Mix
from pxs.faces import RENDERED, STYLES, domain, side
from pxs.faces.identity import seeds
from pxs.faces.render import Drawing, render_one

COUNT = 8
"""Sample faces of each style; those that `pxs faces` writes first."""

MIXES = {
    "Polite smile": Mix(happy=0.4),
    "Delight": Mix(happy=0.8, surprised=0.5),
    "Bittersweet": Mix(happy=0.4, sad=0.6),
    "Outrage": Mix(angry=0.9, disgust=0.4),
    "Alarm": Mix(fear=0.7, surprised=0.6),
    "Doubt": Mix(confused=0.8, contempt=0.3),
    "Stage fright": Mix(anxious=0.8, shy=0.4),
    "Drowsy": Mix(sleepy=1),
}
"""At most two expressions each: mini was trained on no more at a time."""

_one_at_a_time = threading.Lock()


class Sample(NamedTuple):
    """A synthetic face: its style, and its number among those of `pxs faces`."""

    style: str
    number: int

    @property
    def identity(self) -> int:
        """The number of its person."""
        return seeds("gallery", 1, self.number)[0]

    @property
    def file(self) -> str:
        """The name that `pxs faces` gives it."""
        return f"{self.style}_{self.number:03d}_neutral.png"

    @property
    def domain(self) -> str:
        """The kind of face."""
        return domain(self.style)

    @property
    def line(self) -> str:
        """The call of Python that makes it."""
        if self.style == RENDERED:
            return f"pxs.render(pxs.Person.sample({self.identity}))"
        style = "" if self.style == "human" else f', style="{self.style}"'
        return f"pxs.draw(pxs.Identity.sample({self.identity}){style})"

    def check(self) -> Sample:
        """The sample. Raises ImageError if the page offers none such."""
        if self.style not in STYLES or self.number not in range(COUNT):
            raise ImageError(f"there is no sample face {self.style} {self.number}: choose one that is shown")
        return self


def picture(sample: Sample) -> Image.Image:
    """The neutral face, RGB, 128 x 128, of a rendered person 256 x 256."""
    with _one_at_a_time:
        return _picture(sample)


@lru_cache(maxsize=64)
def _picture(sample: Sample) -> Image.Image:
    return render_one(Drawing(sample.identity, Mix(), sample.style), side(sample.style))


def png(sample: Sample) -> bytes:
    """The neutral face as a PNG file."""
    buffer = io.BytesIO()
    picture(sample).save(buffer, format="PNG")
    return buffer.getvalue()


def every_sample() -> list[Sample]:
    """All samples; the rendered ones, which take longest to make, last."""
    return [Sample(style, number) for style in STYLES for number in range(COUNT)]
