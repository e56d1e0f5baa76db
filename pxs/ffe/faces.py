"""What `collect` measures of the face in a picture, and what it may be (`measure`, `Limits`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.editing.photographs import Cut, FaceFinder

SIDE = 128  # of the face that sharpness is measured on, in pixels
GRID = 8  # rows and columns of differences in a print
NEAR = 5  # bits of two prints that differ in near duplicates, at most


@dataclass(frozen=True)
class Limits:
    """What a face must be to be kept.

    size: least longer side of its box, in pixels. sharpness: least value of `sharpness`. turn: largest angle of the
    head, in degrees.
    """

    size: float = 96.0
    sharpness: float = 20.0
    turn: float = 35.0


@dataclass(frozen=True)
class Measured:
    """A face: its box in pixels, longer side, sharpness, turn in degrees, and the print of its square."""

    box: tuple[float, float, float, float]
    size: float
    sharpness: float
    turn: float
    print: int


def measure(picture: Image.Image, finder: FaceFinder) -> tuple[Measured | None, str]:
    """The measures of the one face in an RGB picture; else None, and why."""
    found = finder.find(picture)
    if not found:
        return None, "no face"
    if len(found) > 1 and found[1].size > found[0].size / 2:
        return None, f"several faces: {len(found)}"
    face = found[0]
    left, top, right, bottom = face.box
    box = (max(0.0, left), max(0.0, top), min(float(picture.width), right), min(float(picture.height), bottom))
    square = Cut(picture, face).square
    return Measured(_rounded(box), round(face.size, 1), sharpness(square), round(face.turn, 1), difference(square)), ""


def fault(measured: Measured, limits: Limits) -> str:
    """Why a face is not kept, in words that begin with the kind of the fault; empty for one that is."""
    if measured.size < limits.size:
        return f"face too small: {measured.size:.0f} of {limits.size:.0f} pixels"
    if measured.sharpness < limits.sharpness:
        return f"blurred: sharpness {measured.sharpness:.1f} of {limits.sharpness:g}"
    if measured.turn > limits.turn:
        return f"head turned: {measured.turn:.0f} of {limits.turn:.0f} degrees"
    return ""


def sharpness(square: Image.Image) -> float:
    """The variance of the Laplacian of a face in grey values 0..255, at SIDE x SIDE pixels: low where it is blurred.

    A face with fewer pixels than SIDE has lost its fine detail, and has a low value too.
    """
    grey = np.asarray(square.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS), np.float64)
    middle = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * middle
    return round(float(laplacian.var()), 2)


def difference(square: Image.Image) -> int:
    """The print of a picture: GRID x GRID bits, each whether a cell is brighter than the one to its right."""
    small = square.convert("L").resize((GRID + 1, GRID), Image.Resampling.BOX)
    cells: NDArray[np.int64] = np.asarray(small, np.int64)
    bits = (cells[:, :-1] > cells[:, 1:]).ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def near(first: int, second: int) -> bool:
    """Whether two prints are those of near duplicates."""
    return (first ^ second).bit_count() <= NEAR


def _rounded(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = (round(side, 1) for side in box)
    return left, top, right, bottom
