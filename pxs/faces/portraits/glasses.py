"""Glasses as geometry: two rims, a bridge and two temples, made of tubes and fitted to a head at rest."""

from __future__ import annotations

import math

import numpy as np

from pxs.faces.portraits.asset import Floats, Ints, asset, floats
from pxs.faces.portraits.geometry import face_vertices

SHAPES = {"round": (0.255, 0.235, 2.0), "square": (0.285, 0.205, 3.6), "wide": (0.30, 0.20, 2.7)}
"""Half width and half height of a lens (units of 10 cm), and the exponent of its super-ellipse."""

TUBE, SIDES, STEPS = 0.016, 6, 36


def glasses(kind: str, head: Floats) -> tuple[Floats, Ints]:
    """Points (n, 3) and triangles (t, 3) of glasses of a kind of SHAPES on a head at rest."""
    half_width, half_height, power = SHAPES[kind]
    left, right = (head[eye].mean(axis=0) for eye in asset().eyes)
    apart = float(left[0] - right[0]) / 2
    wide = max(half_width, apart * 0.86)
    centre_x = max(apart * 1.03, wide + 0.055)
    height = float(left[1] + right[1]) / 2 - 0.035
    front = _front(head, height)
    parts = []
    for side in (-1.0, 1.0):
        middle = np.array([side * centre_x, height, front])
        parts.append(_tube(_rim(middle, wide, half_height, power, side), closed=True))
        parts.append(_tube(_temple(head, side, centre_x + wide, height + 0.05, front), closed=False))
    arch = np.linspace(-1, 1, 9)
    gap = centre_x - wide
    bow = 0.03 * (1 - arch**2)
    bridge = floats(np.stack([arch * gap, height + 0.05 + bow, front + bow], axis=1))
    parts.append(_tube(bridge, closed=False))
    return _joined(parts)


def _front(head: Floats, height: float) -> float:
    """Depth of the lenses: before the lashes, and over the bridge of the nose."""
    face = head[face_vertices()]
    band = face[np.abs(face[:, 1] - height) < 0.22]
    near_eyes = band[(np.abs(band[:, 0]) > 0.15) & (np.abs(band[:, 0]) < 0.5)]
    return max(float(near_eyes[:, 2].max()) + 0.035, float(band[:, 2].max()) - 0.02)


def _rim(middle: Floats, wide: float, high: float, power: float, side: float) -> Floats:
    """Points on the edge of a lens; its outer end lies a little further back."""
    turn = np.linspace(0, 2 * math.pi, STEPS, endpoint=False)
    cosine, sine = np.cos(turn), np.sin(turn)
    x = np.sign(cosine) * np.abs(cosine) ** (2 / power) * wide
    y = np.sign(sine) * np.abs(sine) ** (2 / power) * high
    return middle + np.stack([side * x, y, -0.04 * np.clip(x / wide, 0, 1) ** 2], axis=1)


def _temple(head: Floats, side: float, start: float, height: float, front: float) -> Floats:
    """From the hinge back to above the ear."""
    ears = head[np.abs(head[:, 1] - height) < 0.3]
    reach = float(np.abs(ears[:, 0]).max()) - 0.20
    back = front - 1.05
    t = np.linspace(0, 1, 10)[:, None]
    bow = np.minimum(t * 3, 1.0)
    x = start + (reach - start) * bow
    return np.concatenate([side * x, height + 0.02 * t, front - 0.04 + (back - front) * t], axis=1)


def _tube(track: Floats, closed: bool) -> tuple[Floats, Ints]:
    """A tube of radius TUBE around a polyline (n, 3)."""
    count = len(track)
    ahead = np.roll(track, -1, axis=0) - np.roll(track, 1, axis=0)
    if not closed:
        ahead[0], ahead[-1] = track[1] - track[0], track[-1] - track[-2]
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    first = np.cross(ahead, np.where(np.abs(ahead[:, 2:]) < 0.8, [[0.0, 0.0, 1.0]], [[0.0, 1.0, 0.0]]))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(ahead, first)
    turn = np.linspace(0, 2 * math.pi, SIDES, endpoint=False)[None, :, None]
    points = track[:, None] + TUBE * (np.cos(turn) * first[:, None] + np.sin(turn) * second[:, None])
    rings = np.arange(count if closed else count - 1)
    a = (rings[:, None] * SIDES + np.arange(SIDES)).ravel()
    b = (rings[:, None] * SIDES + (np.arange(SIDES) + 1) % SIDES).ravel()
    c, d = (a + SIDES) % (count * SIDES), (b + SIDES) % (count * SIDES)
    triangles = np.concatenate([np.stack([a, b, c], axis=1), np.stack([b, d, c], axis=1)])
    return points.reshape(-1, 3), triangles


def _joined(parts: list[tuple[Floats, Ints]]) -> tuple[Floats, Ints]:
    starts = np.cumsum([0, *(len(points) for points, _ in parts)])
    points = np.concatenate([p for p, _ in parts]).astype(np.float32)
    triangles = np.concatenate([t + s for (_, t), s in zip(parts, starts, strict=False)]).astype(np.int32)
    return points, triangles
