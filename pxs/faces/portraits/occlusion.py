"""How much of the sky each vertex sees: folds of the skin, ears and nostrils are darker than open skin."""

from __future__ import annotations

from functools import cache

import numpy as np

from pxs.faces.portraits.asset import Floats, asset, floats
from pxs.faces.portraits.kernels import rasterise, vertex_normals

DIRECTIONS, SIDE, SPAN = 64, 192, 4.6


@cache
def head_sky() -> Floats:
    """For each vertex of the base head the share (n,) of directions, 0.2..1, from which light reaches it."""
    parts = asset()
    points = parts.points
    triangles = parts.triangles
    normals = vertex_normals(points, triangles)
    centre = np.array([0, 7.0, 0.6])
    seen, total = np.zeros(len(points)), np.full(len(points), 1e-6)
    for direction in _sphere(DIRECTIONS):
        across = np.cross(direction, [0.31, 0.9, 0.2])
        across /= np.linalg.norm(across)
        axes = np.stack([across, np.cross(direction, across), direction])
        flat = (points - centre) @ axes.T
        flat[:, :2] = flat[:, :2] * (SIDE / SPAN) + SIDE / 2
        screen = flat.astype(np.float32)
        depth = np.full((SIDE, SIDE), -1e9, np.float32)
        rasterise(screen, triangles, 0, depth, np.empty((1, 1), np.int32), np.empty((1, 1, 2), np.float32), False)
        x, y = (np.clip(screen[:, k].astype(int), 0, SIDE - 1) for k in (0, 1))
        weight = np.maximum(normals @ direction, 0)
        seen += weight * (screen[:, 2] > depth[y, x] - 0.06)
        total += weight
    return floats(np.clip(0.2 + 0.9 * seen / total, 0, 1))


def _sphere(count: int) -> Floats:
    """Evenly spread directions (2 * count, 3), mirrored in pairs so that the halves of a head stay equal."""
    i = np.arange(count) + 0.5
    height = 1 - 2 * i / count
    turn = np.pi * (1 + 5**0.5) * i
    ring = np.sqrt(1 - height**2)
    first = np.stack([np.cos(turn) * ring, height, np.sin(turn) * ring], axis=1)
    return np.concatenate([first, first * [-1, 1, 1]])


def mouth_sky(points: Floats, base: Floats) -> Floats:
    """For points (n, 3) inside the mouth: 1 at the lips, falling to 0.1 with the distance behind them."""
    lips = np.float32(_lip_depth(base))
    sky: Floats = np.clip(1.0 - (lips - points[:, 2]) * np.float32(1.5), 0.1, 1).astype(np.float32)
    return sky


def _lip_depth(base: Floats) -> float:
    """Depth a little behind the front of the lips, from the front teeth."""
    teeth = asset().fitted("teeth/Teeth_Base").fit(base)
    return float(np.quantile(teeth[:, 2], 0.98))
