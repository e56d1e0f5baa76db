"""Keeps the head still: an edit is warped back onto the pose of its source (`hold_still`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.editing.photographs.faces import EYES, Face, FaceFinder, Points, finder
from pxs.errors import ImageError

RIGID = (168, 6, 197, 195, 33, 133, 362, 263, 10, 338, 109, 127, 356)
"""Landmarks that an expression hardly moves: the bridge of the nose, corners of the eyes, forehead, temples."""
MOST_TURN, MOST_ERROR = 12.0, 0.06
"""What a shift, turn and scale cannot take back: degrees out of the plane, and the mean error in eye distances."""


def hold_still(source: Image.Image, edited: Image.Image, by: FaceFinder | None = None) -> Image.Image:
    """`edited` shifted, turned and scaled so that the head lies as in `source`; both RGB and of one size.

    Beyond the border of `edited` its outermost pixels are repeated. Raises ImageError where no face is found in one of
    the pictures, and where the head has turned out of the plane of the picture.
    """
    found = by or finder()
    before, before_points = _head(found, source)
    after, after_points = _head(found, edited)
    here, there = (points[list(RIGID), :2] @ np.array([1, 1j]) for points in (before_points, after_points))
    scale, shift = similarity(here, there)
    eyes = np.linalg.norm(before_points[EYES[0], :2] - before_points[EYES[1], :2])
    error = float(np.abs(scale * here + shift - there).mean() / eyes)
    turned = max(abs(before.yaw - after.yaw), abs(before.pitch - after.pitch))
    if turned > MOST_TURN or error > MOST_ERROR:
        raise ImageError(
            f"the edit turns the head by {turned:.0f} degrees out of the picture's plane and moves its bones by "
            f"{error:.0%} of the eye distance, which cannot be taken back: leave still out, or lower the intensity"
        )
    pad = max(source.size) // 4
    padded = Image.fromarray(np.pad(np.asarray(edited), ((pad, pad), (pad, pad), (0, 0)), mode="edge"))
    matrix = (scale.real, -scale.imag, shift.real + pad, scale.imag, scale.real, shift.imag + pad)
    return padded.transform(source.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)


def similarity(points: NDArray[np.complex128], onto: NDArray[np.complex128]) -> tuple[complex, complex]:
    """Complex scale and shift such that scale * points + shift fits `onto` best; points (N,) are x + iy."""
    offsets = points - points.mean()
    scale = complex(np.vdot(offsets, onto - onto.mean()) / np.vdot(offsets, offsets).real)
    return scale, complex(onto.mean() - scale * points.mean())


def _head(by: FaceFinder, picture: Image.Image) -> tuple[Face, Points]:
    """The largest face of a picture and its landmarks; raises ImageError without one."""
    for face in by.find(picture):
        if face.points is not None:
            return face, face.points
    raise ImageError("the head cannot be held still, as no face is found in the edit: leave still out")
