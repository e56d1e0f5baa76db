"""Faces made of numbers: the landmarks that the package uses, on an ellipse that is known in closed form."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from pxs.editing.photographs import Face
from pxs.editing.photographs.outline import OVAL, REGIONS

WIDE, HIGH = 0.30, 0.36
"""Half axes of the outline, by the side of the square that is cut; its centre is 0.1 below the eyes."""


def face(x=200.0, y=150.0, side=200.0, roll=0.0, yaw=0.0, units=None):
    """A face whose eyes' middle lies at (x, y), for which a square of `side` pixels is cut."""
    points = np.zeros((478, 3))
    angles = np.linspace(0, 2 * np.pi, len(OVAL), endpoint=False)
    points[list(OVAL), 0] = WIDE * np.sin(angles)
    points[list(OVAL), 1] = 0.1 - HIGH * np.cos(angles)
    parts = {"mouth": [(0, 0.25)], "eyes": [(-0.15, 0), (0.15, 0)], "brows": [(-0.15, -0.1), (0.15, -0.1)]}
    for name, middle in parts.items():
        for ring, (across, down) in zip(REGIONS[name], middle, strict=True):
            turns = np.linspace(0, 2 * np.pi, len(ring), endpoint=False)
            points[list(ring), 0] = across - 0.04 * np.cos(turns)
            points[list(ring), 1] = down - 0.02 * np.sin(turns)
    points[33, :2], points[263, :2] = (-0.19, 0), (0.19, 0)
    points[[168, 6, 197, 195], 1] = -0.01, 0.02, 0.05, 0.08
    points[[133, 362], 0] = -0.11, 0.11
    points[[454, 234], 2] = np.array([-1, 1]) * WIDE * math.tan(math.radians(yaw))
    cosine, sine = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    turned = points * side
    turned[:, :2] = turned[:, :2] @ np.array([[cosine, sine], [-sine, cosine]]) + (x, y)
    low, high = turned[list(OVAL), :2].min(axis=0), turned[list(OVAL), :2].max(axis=0)
    return Face((*low.tolist(), *high.tolist()), turned, 1.0, units or {})


class FakeFinder:
    """Finds the faces that it was given, in any picture."""

    def __init__(self, *faces):
        self.faces = sorted(faces, key=lambda one: -one.size)

    def find(self, picture):
        return list(self.faces)

    def near(self, picture, face):
        return min(self.faces, key=lambda one: math.dist(one.box, face.box), default=None)


def smooth(size=(400, 400)):
    """A picture that changes slowly, from a formula; `value` gives the same formula at any point."""
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    return Image.fromarray(np.rint(value(x, y)).astype(np.uint8))


def value(x, y):
    """Red, green and blue of `smooth` at points (x, y), which count from the corner of the picture."""
    waves = [np.sin(x / 11) + np.cos(y / 9), np.sin((x + y) / 13), np.cos(x / 8 - y / 12)]
    return np.stack([110 + 30 * w for w in waves], axis=-1)
