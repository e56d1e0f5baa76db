"""From a person to the head at rest, and from face units to the moved head; poses; the framing of the camera."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pxs.faces.portraits.asset import Asset, Floats, Ints, asset, floats
from pxs.faces.portraits.person import Person
from pxs.faces.portraits.shape import MACROS, detail_weights, macro_weights

CAMERA_DISTANCE = 11.0
"""From the eyes to the camera, in units of 10 cm."""

RELAXED = {"browInnerUp": 0.45, "browOuterUpLeft": 0.15, "browOuterUpRight": 0.15}
"""Face units that are part of every resting face: strangers take the low brows of the base mesh for anger."""

NECK_PIVOT = (1.15, 1.1)
"""The head turns about a point so far below and behind the eyes (units)."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera at `place` (3,) that looks along -z; `focal` and `centre` (2,) are in shares of the picture."""

    place: Floats
    focal: float
    centre: tuple[float, float]

    def project(self, points: Floats, size: int) -> Floats:
        """Screen points (n, 3): x and y in pixels of a picture `size` wide, y down, and 1/depth."""
        inverse = 1 / (self.place[2] - points[:, 2])
        scale = np.float32(self.focal * size) * inverse
        x = np.float32(self.centre[0] * size) + scale * (points[:, 0] - self.place[0])
        y = np.float32(self.centre[1] * size) - scale * (points[:, 1] - self.place[1])
        return np.stack([x, y, inverse], axis=1).astype(np.float32)


def rest(person: Person) -> Floats:
    """The vertices (n, 3) of a person's head with a relaxed face, looking ahead."""
    parts = asset()
    weights = macro_weights(person.sex, person.age, person.origin, person.weight) + detail_weights(person.shape)
    points = parts.points.copy()
    parts.targets.add(points, dict(enumerate(weights)))
    assert len(weights) == len(MACROS) + 2 * len(person.shape)
    return move(points, RELAXED)


def move(points: Floats, units: dict[str, float]) -> Floats:
    """The vertices after the face units of the given strengths (in units of ARKit, 1 is full) have acted."""
    parts = asset()
    moved = points.copy()
    parts.face_units.add(moved, {parts.units[name]: strength for name, strength in units.items()})
    return moved


def rotation(yaw: float, pitch: float, roll: float) -> Floats:
    """A rotation (3, 3) from degrees: yaw to the right of the picture, pitch up, roll clockwise in the picture."""
    a, b, c = (math.radians(x) for x in (yaw, -pitch, -roll))
    about_y = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    about_z = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    return floats(about_z @ about_y @ about_x)


def eye_centre(points: Floats) -> Floats:
    """The point (3,) between the two eyeballs."""
    left, right = asset().eyes
    centre: Floats = (points[left].mean(axis=0) + points[right].mean(axis=0)) / 2
    return centre


class Neck:
    """Turns the head while the shoulders stay."""

    def __init__(self, eyes: Floats) -> None:
        self.pivot = np.array([0, eyes[1] - NECK_PIVOT[0], eyes[2] - NECK_PIVOT[1]], np.float32)

    def turn(self, points: Floats, matrix: Floats) -> Floats:
        """Points (n, 3) with the head turned by a rotation matrix; the neck blends into the shoulders."""
        share = np.clip((points[:, 1:2] - (self.pivot[1] - np.float32(0.75))) / np.float32(0.85), 0, 1)
        share = share * share * (3 - 2 * share)
        turned: Floats = points + share * ((points - self.pivot) @ matrix.T + self.pivot - points)
        return turned.astype(np.float32)


def face_vertices() -> Ints:
    """Numbers of the skin vertices of the face: between the ears, from the hair line to the chin."""
    parts: Asset = asset()
    used = np.unique(parts.triangles[: parts.outside])
    u, v = parts.uvs[used, 0] * 512 - 255.5, (1 - parts.uvs[used, 1]) * 512
    inside = (np.abs(u) < 158) & (v > 95) & (v < 380)
    return np.asarray(used[inside], np.int32)


def frame(person: Person, posed: Floats, eyes: Floats) -> Camera:
    """The camera that shows the resting, posed head as the person's `face_share` and `offset` say."""
    place = np.array([0, eyes[1], eyes[2] + CAMERA_DISTANCE], np.float32)
    flat = Camera(place, 1.0, (0.0, 0.0)).project(posed[face_vertices()], 1)
    low, high = flat[:, :2].min(axis=0), flat[:, :2].max(axis=0)
    focal = person.face_share / float(high[0] - low[0])
    middle = (low + high) / 2 * focal
    centre = (0.5 + person.offset[0] - float(middle[0]), 0.5 + person.offset[1] - float(middle[1]))
    return Camera(place, focal, centre)
