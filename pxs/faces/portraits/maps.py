"""Procedural maps of the head (512 x 512, on the cylinder of the asset): where hair, beard, blush and wrinkles are.

Positions are pixels of the map of the base head: the eyes lie at (201, 207) and (311, 207), the mouth at (256, 312),
the tip of the chin at (256, 375), the front hair line at y = 92. All maps are symmetric about x = 255.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pxs.faces.portraits.asset import Floats, floats

SIDE = 512
CENTRE = (SIDE - 1) / 2


def _grid() -> tuple[Floats, Floats]:
    """Distance from the middle line (SIDE, SIDE) and height y, in pixels."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    return np.abs(x - np.float32(CENTRE)), y


def smooth(low: float, high: float, x: Floats) -> Floats:
    """0 below low, 1 above high, a smooth step between; low > high steps downwards."""
    t = np.clip((x - np.float32(low)) / np.float32(high - low), 0, 1)
    result: Floats = t * t * (3 - 2 * t)
    return result


def blurred(values: Floats, radius: float) -> Floats:
    """A blur of a map (h, w) by two passes of a box of 2 x radius + 1 pixels; `radius` is rounded up."""
    half = max(1, math.ceil(radius))
    result = values.astype(np.float64)
    for _ in range(2):
        for axis in (0, 1):
            result = _box(result, half, axis)
    return result.astype(np.float32)


def _box(values: NDArray[np.float64], half: int, axis: int) -> NDArray[np.float64]:
    pads = [(half + 1, half) if k == axis else (0, 0) for k in (0, 1)]
    sums = np.cumsum(np.pad(values, pads, mode="edge"), axis=axis)
    width = 2 * half + 1
    high = np.take(sums, range(width, sums.shape[axis]), axis=axis)
    low = np.take(sums, range(0, sums.shape[axis] - width), axis=axis)
    return (high - low) / width


def _blob(distance: float, y: float, width: float, height: float) -> Floats:
    """A Gaussian at +-`distance` from the middle line."""
    side, row = _grid()
    blob: Floats = np.exp(-(((side - distance) / width) ** 2) - ((row - y) / height) ** 2).astype(np.float32)
    return blob


@cache
def scalp(soft: float = 10, lift: float = 0) -> Floats:
    """Where hair grows on the head: 0..1; `lift` pixels raise the hair line at the front, more at the temples."""
    side, y = _grid()
    line = np.interp(side, [0, 60, 95, 118, 140, 172, 190, 256], [90, 92, 98, 140, 205, 205, 215, 330])
    line = line - lift * np.interp(side, [0, 40, 80, 120, 150], [0.8, 0.9, 1.5, 0.4, 0])
    wave = 4 * np.sin(side * 0.35) + 3 * np.sin(side * 0.13 + 1)
    return smooth(soft, -soft, (y - line + wave * 0.4).astype(np.float32))


@cache
def masks() -> dict[str, Floats]:
    """Where beards grow and cheeks redden, each (SIDE, SIDE), 0..1: moustache, chin, cheeks, lips, blush, freckles."""
    side, y = _grid()
    rough = noise(3)
    edge = floats(2.5 * (rough + rough[:, ::-1]))
    lips = smooth(1.15, 0.8, np.sqrt((side / 40) ** 2 + ((y - 312) / 19) ** 2).astype(np.float32))
    moustache = smooth(1.2, 0.6, np.sqrt((side / (50 + edge)) ** 2 + ((y - 291) / 16) ** 2).astype(np.float32))
    goatee = smooth(1.25, 0.65, np.sqrt((side / (48 + edge)) ** 2 + ((y - 352) / 34) ** 2).astype(np.float32))
    sides = smooth(
        -16, 16, (side - np.interp(y, [200, 240, 280, 300, 330], [150, 138, 112, 88, 50]) + edge).astype(np.float32)
    )
    jaw = smooth(238, 262, y + edge) * sides
    under = smooth(325, 345, y + edge) * smooth(170, 130, side)
    throat = smooth(425, 395, y + edge)
    front = smooth(166, 150, side)
    cheeks = np.maximum(jaw, under) * throat * front
    burns = smooth(150, 158, side + edge * 0.5) * smooth(178, 170, side) * smooth(190, 205, y) * smooth(262, 250, y)
    nose = _blob(0, 235, 22, 40)
    return {
        "lips": lips,
        "moustache": moustache * (1 - lips),
        "goatee": goatee * (1 - lips),
        "full": np.maximum(np.maximum(np.maximum(cheeks, goatee), moustache), burns * 0.8) * (1 - lips),
        "blush": np.maximum(_blob(70, 252, 42, 30), 0.3 * nose),
        "freckles": np.clip(_blob(60, 245, 46, 28) + _blob(0, 235, 30, 26) + 0.25 * _blob(0, 150, 90, 40), 0, 1),
        "redness": np.clip(_blob(70, 252, 36, 26) + _blob(0, 262, 22, 16) + 0.5 * _blob(0, 365, 26, 16), 0, 1),
    }


CREASES: dict[str, tuple[tuple[tuple[tuple[float, float], ...], float, float], ...]] = {
    "forehead": (
        (((0, 128), (40, 124), (80, 132), (110, 146)), 3.2, 0.9),
        (((0, 146), (40, 142), (80, 150), (112, 164)), 3.2, 1.0),
        (((0, 163), (36, 159), (72, 164)), 2.8, 0.8),
    ),
    "furrow": (
        (((12, 205), (13, 190), (10, 172)), 3.0, 1.2),
        (((0, 200), (0, 183)), 2.4, 0.3),
    ),
    "nose": (
        (((8, 222), (17, 230), (24, 243)), 2.4, 0.8),
        (((4, 210), (16, 214), (26, 224)), 2.4, 0.8),
        (((0, 203), (14, 202)), 2.4, 0.7),
    ),
    "crow": (
        (((88, 203), (103, 196), (116, 186)), 2.2, 0.9),
        (((89, 209), (106, 207), (122, 203)), 2.2, 1.0),
        (((88, 216), (103, 219), (118, 224)), 2.2, 0.9),
        (((36, 226), (52, 232), (70, 230)), 2.6, 0.7),
    ),
    "cheek": ((((24, 268), (38, 280), (48, 296), (52, 314)), 5.0, 0.9),),
    "corner": ((((46, 306), (49, 316), (47, 328)), 2.6, 0.9), (((50, 318), (54, 332), (52, 346)), 3.0, 0.5)),
    "chin": ((((0, 342), (16, 344), (28, 350)), 3.0, 0.8),),
}
"""Wrinkles by name: polylines (distance from the middle line, y), their width in pixels and their depth."""


@dataclass(frozen=True)
class Relief:
    """A part of the map with a relief: top left corner (y, x); values (h, w, 3): slopes right and down, darkness."""

    corner: tuple[int, int]
    values: Floats


@cache
def creases() -> dict[str, tuple[Relief, Relief]]:
    """For each of CREASES the relief on the left and on the right half of the picture."""
    reliefs = {}
    for name, lines in CREASES.items():
        depth = np.zeros((SIDE, SIDE), np.float32)
        for line, width, strength in lines:
            depth = np.maximum(depth, np.float32(strength) * _line(line, width))
        right = _relief(depth)
        corner = (right.corner[0], SIDE - right.corner[1] - right.values.shape[1])
        left = Relief(corner, np.ascontiguousarray(right.values[:, ::-1] * floats([-1, 1, 1])))
        reliefs[name] = (left, right)
    return reliefs


def _line(points: tuple[tuple[float, float], ...], width: float) -> Floats:
    """Closeness (SIDE, SIDE) to a polyline on the right half, 1 on it, fading over `width` pixels and at its ends."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    x = x - np.float32(CENTRE)
    best = np.zeros((SIDE, SIDE), np.float32)
    steps = [np.linspace(0, 1, 40)[:, None] * (np.array(b) - a) + a for a, b in zip(points, points[1:], strict=False)]
    track = np.concatenate(steps)
    for i, (px, py) in enumerate(track):
        fade = min(1.0, 4 * min(i + 3, len(track) - i) / len(track))
        if points[0][0] == 0:
            fade = min(1.0, 4 * (len(track) - i) / len(track))
        top, left = int(py - 4 * width), int(px + CENTRE - 4 * width)
        window = (slice(max(top, 0), int(py + 4 * width) + 1), slice(max(left, 0), int(px + CENTRE + 4 * width) + 1))
        near = np.exp(-((x[window] - px) ** 2 + (y[window] - py) ** 2) / (2 * (width / 1.6) ** 2))
        best[window] = np.maximum(best[window], np.float32(fade) * near)
    best[:, : SIDE // 2] = 0
    return best


def _relief(depth: Floats) -> Relief:
    """The relief of a map of depths, cut to where it is not flat; the middle line has no slope across it."""
    whole = np.maximum(depth, depth[:, ::-1])
    down, right = (floats(slope) for slope in np.gradient(-blurred(whole, 1)))
    rows, columns = np.flatnonzero(depth.any(axis=1)), np.flatnonzero(depth.any(axis=0))
    window = (slice(rows[0] - 3, rows[-1] + 4), slice(max(columns[0] - 3, SIDE // 2), columns[-1] + 4))
    values = np.stack([right[window] * 1.6, down[window] * 1.6, depth[window]], axis=-1).astype(np.float32)
    return Relief((window[0].start, window[1].start), np.ascontiguousarray(values))


@cache
def noise(blur: float) -> Floats:
    """Smooth noise (SIDE, SIDE) with mean 0 and standard deviation 1; always the same, to be shifted per person."""
    raw = np.random.PCG64(np.random.SeedSequence([12, int(blur * 10)])).random_raw(SIDE * SIDE)
    field = floats((raw >> np.uint64(40)) / (1 << 24)).reshape(SIDE, SIDE)
    if blur:
        tiled = np.tile(field, (2, 2))
        field = blurred(tiled, blur)[SIDE // 2 : SIDE // 2 + SIDE, SIDE // 2 : SIDE // 2 + SIDE]
    result: Floats = ((field - field.mean()) / field.std()).astype(np.float32)
    return result
