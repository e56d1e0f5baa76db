"""One face, followed from frame to frame (`follow`): a face is known by its place, that near the last one's.

Who it is is not looked at, so after a cut another person in the same place is taken for the first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.editing.photographs import Face, FaceFinder, Faces, Which
from pxs.editing.photographs.choosing import check_face, choose
from pxs.errors import ImageError

NEAR, ALIKE = 0.5, 1.5
"""How far a face may be from its last place, in sizes of it, and by which factor larger or smaller."""
WINDOW, SIGMA = 3, 1.5
"""Landmarks are smoothed over so many frames before and after, by a Gaussian of this standard deviation in frames."""

Places = NDArray[np.float32]


@dataclass(frozen=True)
class Track:
    """A face through a clip. places: (478, 3) landmarks a frame, smoothed over time; None where it is left alone.

    reasons: why, one for each of the frames that are left alone, in order.
    """

    places: tuple[Places | None, ...]
    reasons: tuple[str, ...]

    def face(self, number: int) -> Face | None:
        """The face in a frame, counted from 0; None where it is left alone."""
        if number >= len(self.places):
            return None
        points = self.places[number]
        return None if points is None else _face(points)


def follow(pictures: Iterable[Image.Image], which: Which, by: FaceFinder, force: bool = False) -> Track:
    """Follow the face that `which` names in the first frame where there is one.

    Frames where it is lost, or (unless `force`) too small, turned or cut by the border, are left alone. Raises
    ImageError if that are all.
    """
    places: list[Places | None] = []
    reasons: list[str] = []
    last: Face | None = None
    for picture in pictures:
        try:
            found = _first(picture, which, by) if last is None else _next(picture, last, by)
            last = found
            if not force:
                check_face(found, picture.size)
            places.append(_points(found))
        except ImageError as error:
            places.append(None)
            reasons.append(str(error))
    if len(reasons) == len(places):
        raise ImageError(f"none of the {len(places)} frames has a face that can be edited: {reasons[-1]}")
    return Track(tuple(smoothed(places)), tuple(reasons))


def _first(picture: Image.Image, which: Which, by: FaceFinder) -> Face:
    face = choose(Faces(picture, by.find(picture)), which)
    if face.points is None:
        raise ImageError("no face was found in the box: give another")
    return face


def _next(picture: Image.Image, last: Face, by: FaceFinder) -> Face:
    """The face of the frame before in this one: sought at its place, then everywhere; ImageError if it is lost."""
    near = by.near(picture, last)
    if near is not None and _is_same(near, last):
        return near
    same = [face for face in by.find(picture) if _is_same(face, last)]
    if not same:
        raise ImageError("the face was lost")
    return min(same, key=lambda face: _distance(face, last))


def _is_same(face: Face, last: Face) -> bool:
    factor = max(face.size, last.size) / min(face.size, last.size)
    return _distance(face, last) <= NEAR * last.size and factor <= ALIKE


def _distance(face: Face, other: Face) -> float:
    return math.dist(_centre(face), _centre(other))


def _centre(face: Face) -> tuple[float, float]:
    left, top, right, bottom = face.box
    return (left + right) / 2, (top + bottom) / 2


def _points(face: Face) -> Places:
    assert face.points is not None  # of faces that were found
    return face.points.astype(np.float32)


def _face(points: Places) -> Face:
    low, high = points[:, :2].min(axis=0).tolist(), points[:, :2].max(axis=0).tolist()
    return Face((low[0], low[1], high[0], high[1]), points.astype(np.float64))


def smoothed(places: Sequence[Places | None]) -> list[Places | None]:
    """Landmarks smoothed over time, within each run of frames that have them.

    The window is symmetric, and shorter towards the ends of a run, so a face that moves evenly is where it was.
    """
    result: list[Places | None] = []
    for number, points in enumerate(places):
        if points is None:
            result.append(None)
            continue
        reach = 0
        while reach < WINDOW and _all_there(places, number - reach - 1, number + reach + 1):
            reach += 1
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SIGMA) ** 2)
        near = np.stack([one for one in places[number - reach : number + reach + 1] if one is not None])
        result.append(np.tensordot(weights / weights.sum(), near, axes=1).astype(np.float32))
    return result


def _all_there(places: Sequence[Places | None], *numbers: int) -> bool:
    return all(0 <= number < len(places) and places[number] is not None for number in numbers)
