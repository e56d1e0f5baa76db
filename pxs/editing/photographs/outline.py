"""Outlines of a face and of its parts, and how deep inside of them a point lies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pxs.editing.photographs.faces import Face, Points
from pxs.errors import ImageError

Polygon = NDArray[np.float64]
"""Corners (N, 2) in order, x and y."""

OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""The landmarks along the outline of the face."""
JAW = 0.2
"""By how much the lower half of the outline is lengthened, since an opening mouth lowers the chin."""

REGIONS: dict[str, tuple[tuple[int, ...], ...]] = {
    "mouth": ((61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),),
    "eyes": (
        (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
        (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
    ),
    "brows": ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)),
}
"""The parts that an edit can be limited to, each with the landmarks along its outlines."""


def outline(face: Face) -> Polygon:
    """The outline of a face, in pixels of its picture; an ellipse in its box where there are no landmarks."""
    if face.points is not None:
        return face.points[list(OVAL), :2]
    left, top, right, bottom = face.box
    angles = np.linspace(0, 2 * np.pi, len(OVAL), endpoint=False)
    x = (left + right) / 2 + (right - left) / 2 * np.sin(angles)
    return np.stack([x, (top + bottom) / 2 - (bottom - top) / 2 * np.cos(angles)], axis=1)


def lowered(polygon: Polygon) -> Polygon:
    """An upright outline of a face whose lower half reaches JAW farther down."""
    middle = (polygon[:, 1].min() + polygon[:, 1].max()) / 2
    down = np.maximum(polygon[:, 1] - middle, 0)
    return polygon + np.stack([np.zeros(len(polygon)), JAW * down], axis=1)


def check_regions(only: str | Sequence[str]) -> tuple[str, ...]:
    """The names of parts of a face, one or several; raises ImageError for none and for one that does not exist."""
    names = (only,) if isinstance(only, str) else tuple(only)
    unknown = [name for name in names if name not in REGIONS]
    if unknown or not names:
        raise ImageError(f"unknown part of a face {', '.join(map(repr, unknown))}: choose from {', '.join(REGIONS)}")
    return names


def region_outlines(points: Points, names: Sequence[str]) -> list[Polygon]:
    """The outlines of parts of a face, from its landmarks."""
    return [points[list(ring), :2] for name in names for ring in REGIONS[name]]


def depths(polygon: Polygon, cells: int, side: float) -> NDArray[np.float64]:
    """How deep the middle of each of `cells` x `cells` cells of a square of `side` lies inside of a polygon.

    (cells, cells); the distance to the polygon in its own unit, negative outside.
    """
    steps = (np.arange(cells) + 0.5) * side / cells
    x, y = np.meshgrid(steps, steps)
    nearest, inside = np.full(x.shape, np.inf), np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy
        along = np.clip(((x - ax) * dx + (y - ay) * dy) / length, 0, 1) if length else np.zeros(x.shape)
        nearest = np.minimum(nearest, np.hypot(x - ax - along * dx, y - ay - along * dy))
        if dy:
            inside ^= ((ay > y) != (by > y)) & (x < dx * (y - ay) / dy + ax)
    return np.where(inside, nearest, -nearest)
