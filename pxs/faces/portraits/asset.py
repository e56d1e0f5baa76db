"""The asset of the portraits, read once: the head, its shape space, what is fitted to it, and its textures.

Made by `python -m pxs.faces.build`. Lengths are in units of 10 cm, y up, z towards the viewer; x grows towards the
right side of the picture, which is the person's left.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


def floats(values: Any) -> Floats:
    """Any numbers as a float32 array."""
    return np.asarray(values, np.float32)


FILE = Path(__file__).parent / "assets" / "people.npz"
FULL = np.float32(1.6)


@dataclass(frozen=True)
class Sparse:
    """Offsets of several targets: target i moves the vertices indices[starts[i]:starts[i + 1]] by deltas (m, 3)."""

    starts: Ints
    indices: Ints
    deltas: Floats

    def add(self, points: Floats, weights: dict[int, float]) -> None:
        """Add the weighted targets to points (n, 3) in place, in the order of their numbers."""
        for number, weight in sorted(weights.items()):
            if weight:
                rows = slice(int(self.starts[number]), int(self.starts[number + 1]))
                points[self.indices[rows]] += np.float32(weight) * self.deltas[rows]


@dataclass(frozen=True)
class Fitted:
    """A mesh that follows the head: see making.sources.Proxy. Texture (h, w, 4) float32 0..1, or None for the eyes."""

    refs: Ints
    weights: Floats
    offsets: Floats
    uvs: Floats
    triangles: Ints
    texture: Floats | None

    def fit(self, base: Floats) -> Floats:
        """Its points (n, 3) on a head of any shape."""
        w = self.weights
        points: Floats = base[self.refs[:, 0]] * w[:, :1]
        points += base[self.refs[:, 1]] * w[:, 1:2]
        points += base[self.refs[:, 2]] * w[:, 2:]
        points += self.offsets
        return points


class Asset:
    """Everything in the file; parts are decoded at first use and kept."""

    def __init__(self, file: Path = FILE) -> None:
        with np.load(file, allow_pickle=False) as data:
            self._arrays: dict[str, Any] = {name: data[name] for name in data.files}
        self.index: dict[str, list[str]] = json.loads(self._arrays["index"].tobytes())
        self.points: Floats = self._arrays["points"]
        self.uvs = self._floats("uvs")
        self.triangles = self._ints("triangles")
        self.outside = int(self._arrays["outside"])
        self.eyes = (self._ints("left_eye"), self._ints("right_eye"))
        self.units = {name: i for i, name in enumerate(self.index["units"])}
        self._fitted: dict[str, Fitted] = {}
        self._skins: dict[str, Floats] = {}

    def _floats(self, name: str) -> Floats:
        return np.ascontiguousarray(self._arrays[name], np.float32)

    def _ints(self, name: str) -> Ints:
        return np.ascontiguousarray(self._arrays[name], np.int32)

    def _sparse(self, prefix: str) -> Sparse:
        starts, indices = self._ints(f"{prefix}/starts"), self._ints(f"{prefix}/indices")
        return Sparse(starts, indices, self._floats(f"{prefix}/deltas"))

    @cached_property
    def targets(self) -> Sparse:
        """The identity targets: shape.MACROS, then the low and the high side of each of shape.DETAILS."""
        return self._sparse("targets")

    @cached_property
    def face_units(self) -> Sparse:
        """The 52 face units, in the order of `units`."""
        return self._sparse("units")

    def fitted(self, key: str) -> Fitted:
        """A fitted mesh by "kind/name", such as "hair/bob01"."""
        if key not in self._fitted:
            weights, offsets, uvs = (self._floats(f"{key}/{n}") for n in ("weights", "offsets", "uvs"))
            name = f"{key}/texture"
            texture = _decode(self._arrays[name], "RGBA") if name in self._arrays else None
            self._fitted[key] = Fitted(
                self._ints(f"{key}/refs"), weights, offsets, uvs, self._ints(f"{key}/triangles"), texture
            )
        return self._fitted[key]

    def skin(self, name: str) -> Floats:
        """A skin (512, 512, 3) as linear light relative to the colour of the cheeks."""
        if name not in self._skins:
            half = _decode(self._arrays[f"skins/{name}"], "RGB")
            whole = np.concatenate([half, half[:, ::-1]], axis=1)
            self._skins[name] = (whole * FULL) ** 2
        return self._skins[name]


def _decode(data: NDArray[np.uint8], mode: str) -> Floats:
    with Image.open(io.BytesIO(data.tobytes())) as image:
        return np.ascontiguousarray(np.asarray(image.convert(mode), np.float32) / np.float32(255))


@cache
def asset() -> Asset:
    """The asset of the package, read once in a process."""
    return Asset()
