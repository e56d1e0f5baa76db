"""Colour spaces that a file names without an ICC profile, and the closed-form way from them to sRGB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

D65 = (0.3127, 0.329)
SRGB_PRIMARIES = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, *D65)
PIXELS_AT_ONCE = 1 << 20
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True)
class Space:
    """An RGB space of three primaries.

    primaries: x and y of red, green, blue and white. gamma: the exponent from stored values to light; None for sRGB's
    own curve.
    """

    primaries: tuple[float, ...] = SRGB_PRIMARIES
    gamma: float | None = None

    def to_light(self, values: Floats) -> Floats:
        """Linear light in 0..1 of stored values in 0..1, of any shape."""
        return from_srgb_curve(values) if self.gamma is None else values**self.gamma

    def matrix(self) -> Floats:
        """From linear light in this space to linear light in sRGB, (3, 3); raises ValueError for flat primaries."""
        try:
            return np.linalg.inv(_to_xyz(SRGB_PRIMARIES)) @ _adapt(self.primaries[6:]) @ _to_xyz(self.primaries)
        except (np.linalg.LinAlgError, ZeroDivisionError) as error:
            raise ValueError("its primaries span no colours") from error

    def to_srgb(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pixels (height, width, 3) in sRGB, rounded; colours outside of it are clipped. Grey (height, width) too."""
        table = self.to_light(np.arange(256) / 255)
        if pixels.ndim == 2:
            return to_levels(to_srgb_curve(table))[pixels]
        matrix, flat = self.matrix().T, pixels.reshape(-1, 3)
        result = np.empty_like(flat)
        for start in range(0, len(flat), PIXELS_AT_ONCE):
            part = slice(start, start + PIXELS_AT_ONCE)
            result[part] = to_levels(to_srgb_curve(table[flat[part]] @ matrix))
        return result.reshape(pixels.shape)


SRGB = Space()
ADOBE_RGB = Space((0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *D65), 563 / 256)

PRIMARIES = {
    1: SRGB_PRIMARIES,
    2: SRGB_PRIMARIES,  # unspecified
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.31, 0.316),
    5: (0.64, 0.33, 0.29, 0.6, 0.15, 0.06, *D65),
    6: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *D65),
    7: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *D65),
    9: (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, *D65),
    11: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.314, 0.351),
    12: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, *D65),
}
"""Primaries by their number in ITU-T H.273, as cICP and nclx give it."""

GAMMAS = {1: None, 2: None, 4: 2.2, 5: 2.8, 6: None, 8: 1.0, 13: None, 14: None, 15: None}
"""Exponents by the number of the transfer in H.273. The curves of video cameras (1, 6, 14, 15) are shown as sRGB's."""

HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}


def from_srgb_curve(values: Floats) -> Floats:
    """Linear light in 0..1 of sRGB values in 0..1."""
    return np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0) + 0.055) / 1.055) ** 2.4)


def to_srgb_curve(light: Floats) -> Floats:
    """sRGB values in 0..1 of linear light, which is clipped to 0..1."""
    clipped = np.clip(light, 0, 1)
    return np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)


def to_levels(values: Floats) -> NDArray[np.uint8]:
    """Values in 0..1 as the nearest of 256 levels."""
    return np.rint(values * 255).astype(np.uint8)


def _xyz(x: float, y: float) -> Floats:
    """The colour of luminance 1 with these chromaticities."""
    if not y > 0:
        raise ZeroDivisionError
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _to_xyz(primaries: tuple[float, ...]) -> Floats:
    red, green, blue, white = (_xyz(*primaries[i : i + 2]) for i in (0, 2, 4, 6))
    columns = np.stack([red, green, blue], axis=1)
    return columns * np.linalg.solve(columns, white)


def _adapt(white: tuple[float, ...]) -> Floats:
    """From colours under a white to those under D65, by Bradford's cone responses."""
    scale = (_BRADFORD @ _xyz(*D65)) / (_BRADFORD @ _xyz(*white))
    return np.linalg.inv(_BRADFORD) @ np.diag(scale) @ _BRADFORD
