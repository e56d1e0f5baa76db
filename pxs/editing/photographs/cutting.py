"""`Cut`: a level square around one face, and the way back.

The square lies as in the pictures that models of faces are trained on: the eyes level, their outer corners EYE_SPAN of
its side apart, at EYE_HEIGHT. It has the picture's own scale, so that cutting loses nothing but by the turn. What was
edited in it is put back by the inverse turn, within a soft mask that follows the outline of the face; outside of the
mask the picture is equal to the byte.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.editing.photographs.faces import EYES, Face
from pxs.editing.photographs.outline import depths, lowered, outline, region_outlines
from pxs.errors import ImageError
from pxs.images.fitting import carry, changed_share, check_rgb

EYE_SPAN, EYE_HEIGHT = 0.38, 0.45
"""Means of the drawn and rendered faces that mini is trained on, in sides of the picture."""
BOX_SPAN, BOX_HEIGHT = 0.68, 0.57
"""The same for a face that is known by its box alone: its longer side, and the height of its centre."""
SOFT, SOFT_REGION = 0.05, 0.03
"""Width of the rim of the mask, in sides of the square; for a part of the face."""
CELLS = 256
"""Most cells along a side of the mask, which is smooth; it is enlarged bilinearly."""
COLOUR_CELLS, COLOUR_REACH, COLOUR_CHANGE = 64, 0.12, 16.0
"""How colours are matched at the rim: cells a side, reach in sides, the change (levels) that is taken for an edit."""

Matrix = tuple[float, float, float, float, float, float]
Floats = NDArray[np.float32]


class Cut:
    """A square around one face of an RGB picture.

    others: further faces of the picture, of which the edit keeps clear. only: parts of the face that the edit is
    limited to, see `REGIONS`; all of it when empty. Raises ImageError for a part of a face whose landmarks are unknown.
    """

    def __init__(self, picture: Image.Image, face: Face, others: Sequence[Face] = (), only: Sequence[str] = ()) -> None:
        check_rgb(picture)
        if only and face.points is None:
            raise ImageError("a part of the face needs its landmarks, and no face was found in the box")
        self.picture, self.face, self.others, self.only = picture, face, tuple(others), tuple(only)
        self.side, self._centre = _frame(face)
        cosine, sine = (f(math.radians(face.roll)) for f in (math.cos, math.sin))
        self._turn = np.array([[cosine, -sine], [sine, cosine]])

    @property
    def notes(self) -> dict[str, str]:
        """What was cut, for the provenance of edits."""
        box = " ".join(f"{side:.0f}" for side in self.face.box)
        return {"face": box, **({"only": " ".join(self.only)} if self.only else {})}

    def level(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (N, 2) of the picture in pixels of the square."""
        return (points - self._centre) @ self._turn + self.side / 2

    def back(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (N, 2) of the square in pixels of the picture."""
        return (points - self.side / 2) @ self._turn.T + self._centre

    @cached_property
    def square(self) -> Image.Image:
        """The square, RGB; beyond the border of the picture the outermost pixels are repeated."""
        corners = self.back(np.array([(0, 0), (self.side, 0), (0, self.side), (self.side, self.side)], float))
        low, high = np.floor(corners.min(axis=0)).astype(int) - 2, np.ceil(corners.max(axis=0)).astype(int) + 2
        left, top = np.clip(low, 0, np.array(self.picture.size) - 1)
        right, bottom = np.clip(high, 1, self.picture.size)
        part = np.asarray(self.picture.crop((left, top, right, bottom)))
        missing = ((top - low[1], high[1] - bottom), (left - low[0], high[0] - right), (0, 0))
        padded = Image.fromarray(np.pad(part, np.maximum(missing, 0), mode="edge"))
        shift = self._centre - self._turn @ np.full(2, self.side / 2) - np.minimum(low, (left, top))
        matrix = _matrix(self._turn, shift)
        return padded.transform((self.side, self.side), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)

    @cached_property
    def mask(self) -> Floats:
        """How much of an edit is put back, (cells, cells) in 0..1 over the square; 0 at its border."""
        cells = min(CELLS, self.side)
        soft = SOFT * self.side
        depth = self._depth(self.face, cells, soft)
        for other in self.others:
            depth = np.minimum(depth, depth - np.maximum(self._depth(other, cells, soft), 0))
        if self.only and self.face.points is not None:
            soft = SOFT_REGION * self.side
            rings = region_outlines(self.face.points, self.only)
            part = np.max([depths(self.level(ring), cells, self.side) for ring in rings], axis=0)
            depth = np.minimum(depth, part / soft + 1)
        border = (np.minimum(np.arange(cells), np.arange(cells)[::-1]) / cells) * self.side / soft
        depth = np.minimum(depth, np.minimum(border[:, None], border[None]))
        share = np.clip(depth, 0, 1)
        return (share * share * (3 - 2 * share)).astype(np.float32)

    def _depth(self, face: Face, cells: int, soft: float) -> NDArray[np.float64]:
        """How deep each cell lies inside of a face and its rim, in widths of the rim: 1 on the outline."""
        return depths(lowered(self.level(outline(face))), cells, self.side) / soft + 1

    def put_back(self, edited: Image.Image) -> Image.Image:
        """The picture with an edit of the square in the place of the face.

        `edited` is RGB and has the size of `square`; else ImageError. Where it equals `square`, and outside of the
        mask, the picture keeps its bytes.
        """
        check_rgb(edited)
        if edited.size != self.square.size:
            raise ImageError(f"the edited square is {edited.size}: it must have the size {self.square.size}")
        result = np.asarray(self.picture).copy()
        left, top, right, bottom = self._reach()
        if right <= left or bottom <= top:
            return Image.fromarray(result)
        shift = self._turn.T @ (np.array([left, top]) - self._centre) + self.side / 2
        size = right - left, bottom - top
        matrix = _matrix(self._turn.T, shift)

        def warp(values: Floats, how: Image.Resampling = Image.Resampling.BICUBIC) -> Floats:
            return _warped(values, size, matrix, how)

        mask = np.clip(warp(_enlarged(self.mask, self.side), Image.Resampling.BILINEAR), 0, 1)
        changed = warp(changed_share(self.square, edited), Image.Resampling.BILINEAR)
        small, new = (np.asarray(i, np.float32) for i in (self.square, edited))
        matched = _matched_colours(small, new, self.mask)
        full = result[top:bottom, left:right].astype(np.float32)
        for c in range(3):
            values = carry(full[..., c], small[..., c], new[..., c], changed, warp)
            offset = warp(_enlarged(matched[..., c], self.side), Image.Resampling.BILINEAR)
            full[..., c] += mask * (values + offset - full[..., c])
        result[top:bottom, left:right] = np.clip(np.rint(full), 0, 255).astype(np.uint8)
        return Image.fromarray(result)

    def _reach(self) -> tuple[int, int, int, int]:
        """The rectangle of the picture that the mask can touch."""
        rows, columns = (np.flatnonzero(self.mask.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return 0, 0, 0, 0
        step = self.side / len(self.mask)
        x, y = ((s[0] - 1) * step for s in (columns, rows))
        right, bottom = ((s[-1] + 2) * step for s in (columns, rows))
        corners = self.back(np.array([(x, y), (right, y), (x, bottom), (right, bottom)]))
        low = np.clip(np.floor(corners.min(axis=0)), 0, self.picture.size).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)), 0, self.picture.size).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _frame(face: Face) -> tuple[int, NDArray[np.float64]]:
    """Side of the square around a face, in pixels, and its centre (x, y) in the picture."""
    if face.points is None:
        left, top, right, bottom = face.box
        side = max(2, round(face.size / BOX_SPAN))
        centre = np.array([(left + right) / 2, (top + bottom) / 2 + (0.5 - BOX_HEIGHT) * side])
        return side, np.round(centre - side / 2) + side / 2  # whole pixels: nothing is resampled
    eyes = face.points[list(EYES)]
    side = max(2, round(float(np.linalg.norm(eyes[1] - eyes[0])) / EYE_SPAN))
    down = np.array([-math.sin(math.radians(face.roll)), math.cos(math.radians(face.roll))])
    return side, eyes[:, :2].mean(axis=0) + (0.5 - EYE_HEIGHT) * side * down


def _matrix(turn: NDArray[np.float64], shift: NDArray[np.float64]) -> Matrix:
    """As Pillow takes it: from a point of the output to one of the input."""
    return (*map(float, turn[0]), float(shift[0]), *map(float, turn[1]), float(shift[1]))  # type: ignore[return-value]


def _warped(values: Floats, size: tuple[int, int], matrix: Matrix, how: Image.Resampling) -> Floats:
    """Values (height, width) of a plane at the points of another of `size` (width, height)."""
    return np.asarray(Image.fromarray(values).transform(size, Image.Transform.AFFINE, matrix, how), np.float32)


def _enlarged(values: Floats, side: int) -> Floats:
    return np.asarray(Image.fromarray(values).resize((side, side), Image.Resampling.BILINEAR), np.float32)


def _matched_colours(square: Floats, edited: Floats, mask: Floats) -> Floats:
    """What to add to an edit so that its colours meet the picture's at the rim, (cells, cells, 3) in levels.

    The smoothed difference of both along the rim, where they differ little; the farther from the rim, the smoother.
    """
    cells = COLOUR_CELLS
    small, new = (_shrunk(values, cells) for values in (square, edited))
    difference = small - new
    share = _shrunk(np.repeat(mask[..., None], 3, axis=2), cells)[..., :1]
    change = np.abs(difference).max(axis=2, keepdims=True) / COLOUR_CHANGE
    weight = 4 * share * (1 - share) / (1 + change**2)
    steps = (np.arange(cells) + 0.5) / cells
    kernel = np.exp(-0.5 * ((steps[:, None] - steps) / COLOUR_REACH) ** 2)
    total, sums = (np.einsum("ij,jkc,kl->ilc", kernel, v, kernel) for v in (weight, weight * difference))
    return (sums / (total + 1e-3)).astype(np.float32)


def _shrunk(values: Floats, cells: int) -> Floats:
    """Means over cells, (cells, cells, channels)."""
    planes = [Image.fromarray(np.ascontiguousarray(values[..., c])) for c in range(values.shape[2])]
    return np.stack([np.asarray(p.resize((cells, cells), Image.Resampling.BOX), np.float32) for p in planes], axis=2)
