"""Reads the expression of a face into a `Mix`, with its uncertainty (`read`).

The finder's network states how far 52 face units of ARKit are contracted. A linear map, fitted on rendered people whose
mix is known (`python -m analysis.reading`), turns them into intensities of the 12 expressions. Its error on other
rendered people is the uncertainty. On photographs no truth is known: read it as a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

from pxs.editing.photographs.choosing import LARGEST, Which, check_face, choose
from pxs.editing.photographs.faces import Face, FaceFinder, Faces, Points, finder
from pxs.errors import ImageError
from pxs.expressions import EXPRESSIONS, Mix

TABLE = Path(__file__).with_name("reading.safetensors")
MOST = 1.5
"""Largest intensity that is read."""


@dataclass(frozen=True)
class Reading:
    """An expression as it was read from a face.

    mix: intensities above their uncertainty, the others are 0. uncertainty: one standard error of each of the 12.
    """

    mix: Mix
    uncertainty: dict[str, float]

    def __str__(self) -> str:
        shown = [f"{name} {value:.2f} ± {self.uncertainty[name]:.2f}" for name, value in self.mix.items()]
        return ", ".join(shown) or f"neutral (each expression within ± {max(self.uncertainty.values()):.2f})"


def read(picture: Image.Image, which: Which = LARGEST, by: FaceFinder | None = None, force: bool = False) -> Reading:
    """The expression of one face of an RGB picture.

    Raises ImageError if the face is not there, cannot be judged (too small, turned, or cut; not with `force`), or if
    only its box is known, and without the extra `photos`.
    """
    face = choose(Faces(picture, (by or finder()).find(picture)), which)
    if not face.units:
        raise ImageError("no face was found in the box, so its expression cannot be read: give another")
    if not force:
        check_face(face, picture.size)
    return read_face(face)


def read_face(face: Face) -> Reading:
    """The expression of a face whose units are known."""
    table = _table()
    values = table["weights"] @ features(face)
    errors = table["errors"]
    mix = {
        name: float(np.clip(round(value, 2), 0, MOST))
        for name, value, error in zip(EXPRESSIONS, values.tolist(), errors.tolist(), strict=True)
        if value > error
    }
    return Reading(Mix(mix), dict(zip(EXPRESSIONS, map(float, errors), strict=True)))


def features(face: Face) -> Points:
    """What the linear map sees of a face, (F,): its units in the order of their names, its angles, and 1."""
    units = [value for _, value in sorted(face.units.items())]
    return np.array([*units, *(angle / 10 for angle in (face.roll, face.yaw, face.pitch)), 1.0])


@lru_cache(maxsize=1)
def _table() -> dict[str, Points]:
    """weights (12, F) and errors (12,)."""
    return {name: values.astype(np.float64) for name, values in load_file(TABLE).items()}
