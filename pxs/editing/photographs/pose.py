"""Keeps the head still: an edit is warped back onto the pose of its source (`hold_still`)."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pxs.editing.photographs.faces import EYES, Face, FaceFinder, finder
from pxs.errors import ImageError

RIGID = (168, 6, 197, 195, 33, 133, 362, 263, 10, 338, 109, 127, 356)
"""Landmarks that an expression hardly moves: the bridge of the nose, corners of the eyes, forehead, temples."""
MOST_TURN, MOST_ERROR = 12.0, 0.06
"""What a shift, turn and scale cannot take back: degrees out of the plane, and the mean error in eye distances."""


def hold_still(source: Image.Image, edited: Image.Image, by: FaceFinder | None = None) -> Image.Image:
    """`edited` shifted, turned and scaled so that the head lies as in `source`; both RGB and of one size.

    Raises ImageError where no face is found in one of them, and where the head has turned out of the plane.
    """
    found = by or finder()
    before, after = (_only_face(found, picture) for picture in (source, edited))
    here, there = (face.points[list(RIGID), :2] @ (1, 1j) for face in (before, after))  # type: ignore[index]
    scale, shift = similarity(here, there)
    eyes = np.abs(here[RIGID.index(EYES[0])] - here[RIGID.index(EYES[1])])
    error = float(np.abs(scale * here + shift - there).mean() / eyes)
    turned = max(abs(before.yaw - after.yaw), abs(before.pitch - after.pitch))
    if turned > MOST_TURN or error > MOST_ERROR:
        raise ImageError(
            f"the edit turns the head by {turned:.0f} degrees out of the picture's plane and moves its bones by "
            f"{error:.0%} of the eye distance, which cannot be taken back: leave still out, or lower the intensity"
        )
    x, y = shift.real, shift.imag  # landmarks and Pillow's matrix both count from the picture's corner
    matrix = (scale.real, -scale.imag, x, scale.imag, scale.real, y)
    padded = Image.fromarray(np.pad(np.asarray(edited), ((PAD, PAD), (PAD, PAD), (0, 0)), mode="edge"))
    moved = (*matrix[:2], x + PAD, *matrix[3:5], y + PAD)
    return padded.transform(source.size, Image.Transform.AFFINE, moved, Image.Resampling.BICUBIC)


PAD = 64


def similarity(points: np.ndarray, onto: np.ndarray) -> tuple[complex, complex]:
    """Complex scale and shift such that scale * points + shift fits `onto` best; points are x + iy, (N,)."""
    offsets = points - points.mean()
    scale = complex(np.vdot(offsets, onto - onto.mean()) / np.vdot(offsets, offsets).real)
    return scale, complex(onto.mean() - scale * points.mean())


def _only_face(by: FaceFinder, picture: Image.Image) -> Face:
    """The largest face of a picture, with landmarks; raises ImageError without one."""
    faces = [face for face in by.find(picture) if face.points is not None]
    if not faces:
        raise ImageError("the head cannot be held still, as no face is found in the edit: leave still out")
    return faces[0]
