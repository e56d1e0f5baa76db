"""What the page offers to begin with: sample faces, and presets (mixes with a name)."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import NamedTuple

from PIL import Image

from pxs.expressions import DOMAINS, Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds

COUNT = 8
"""Sample faces of each style; those that `pxs faces` writes first."""

PRESETS = {
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


class Sample(NamedTuple):
    """A drawn face: its style, and its number among those of `pxs faces`."""

    style: str
    number: int

    @property
    def identity(self) -> int:
        """The number of its identity."""
        return seeds("gallery", 1, self.number)[0]

    @property
    def file(self) -> str:
        """The name that `pxs faces` gives it."""
        return f"{self.style}_{self.number:03d}_neutral.png"

    def check(self) -> Sample:
        """The sample. Raises ValueError if the page offers none such."""
        if self.style not in tuple(DOMAINS) or self.number not in range(COUNT):
            raise ValueError(f"there is no sample {self.style} {self.number}")
        return self


@lru_cache(maxsize=64)
def picture(sample: Sample) -> Image.Image:
    """The neutral face, RGB, 128 x 128."""
    return draw(Identity.sample(sample.identity), style=sample.style)


@lru_cache(maxsize=64)
def png(sample: Sample) -> bytes:
    """The neutral face as a PNG file."""
    buffer = io.BytesIO()
    picture(sample).save(buffer, format="PNG")
    return buffer.getvalue()
