"""The lamps of a picture and the map of the shadows that the key light casts."""

from __future__ import annotations

import math

import numpy as np

from pxs.faces.portraits.asset import Floats, Ints
from pxs.faces.portraits.kernels import Array, rasterise

SHADOW_SIDE, SHADOW_WIDTH = 448, 3.3
"""The shadow map: pixels, and units of 10 cm that it spans."""

Lamp = tuple[Array, Array, Array, Array, Array, Array]


def lamp(light: tuple[float, float, float, float], eyes: Floats, camera: Floats) -> Lamp:
    """The lights for (azimuth, elevation, strength, warmth) of a person, with an empty shadow map; see shading."""
    azimuth, elevation, strength, warmth = light
    key = _direction(azimuth, elevation)
    side = -1.0 if azimuth > 0 else 1.0
    fill = _direction(side * (35 + 0.3 * abs(azimuth)) if azimuth else 0.0, 5)
    rim = _direction(side * 135 if azimuth else 180.0, 35)
    warm = np.array([1 + 0.07 * warmth, 1.0, 1 - 0.10 * warmth])
    cool = np.array([1 - 0.04 * warmth, 1.0, 1 + 0.06 * warmth])
    colours = np.stack([1.05 * strength * warm, 0.30 * strength * cool, 0.34 * strength * cool]).astype(np.float32)
    ambient = (0.42 * cool).astype(np.float32)
    across = np.cross([0, 1, 0], key)
    across /= np.linalg.norm(across)
    up = np.cross(key, across)
    scale = SHADOW_SIDE / SHADOW_WIDTH
    middle = eyes + np.array([0, 0.05, -0.4])
    rows = [[*(across * scale), SHADOW_SIDE / 2 - scale * across @ middle]]
    rows += [[*(-up * scale), SHADOW_SIDE / 2 + scale * up @ middle], [*key, 0.0]]
    shadows = np.full((SHADOW_SIDE, SHADOW_SIDE), -1e9, np.float32)
    directions = np.stack([key, fill, rim]).astype(np.float32)
    return directions, colours, ambient, camera, np.array(rows, np.float32), shadows


def cast(lamp: Lamp, points: Floats, triangles: Ints) -> None:
    """Add a mesh to the shadow map in place."""
    matrix, shadows = lamp[4], lamp[5]
    seen = (points @ matrix[:, :3].T + matrix[:, 3]).astype(np.float32)
    rasterise(seen, triangles, 0, shadows, np.empty((1, 1), np.int32), np.empty((1, 1, 2), np.float32), False)


def _direction(azimuth: float, elevation: float) -> np.ndarray:
    a, e = math.radians(azimuth), math.radians(elevation)
    return np.array([math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)])
