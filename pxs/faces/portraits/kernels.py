"""The rasteriser: compiled loops over triangles and samples. Single-threaded, so the same bits on every thread count.

Arrays are float32 unless said otherwise. A screen point is (x, y, 1/depth) in samples, y down. Buffers have the shape
(height, width): `depth` holds 1/depth of the nearest surface (0: nothing), `ident` its triangle (-1: nothing), `bary`
its barycentric coordinates (height, width, 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(function: Kernel) -> Kernel:
    """Compile at first use and keep the machine code on disk."""
    return numba.njit(function, cache=True, fastmath=True)


@compiled
def vertex_normals(points: Array, triangles: Array) -> Array:
    """Unit normals (n, 3) of a mesh: the area-weighted mean over the triangles at each point."""
    normals = np.zeros_like(points)
    for i in range(triangles.shape[0]):
        a, b, c = triangles[i]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            normals[k, 0] += nx
            normals[k, 1] += ny
            normals[k, 2] += nz
    for i in range(normals.shape[0]):
        length = math.sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2) + 1e-12
        normals[i, 0] /= length
        normals[i, 1] /= length
        normals[i, 2] /= length
    return normals


@compiled
def rasterise(
    screen: Array, triangles: Array, base: int, depth: Array, ident: Array, bary: Array, front_only: bool
) -> None:
    """Write the triangles into the buffers under the numbers base, base + 1, ...; the nearest surface wins.

    With an `ident` of shape (1, 1) only the depth is written. `front_only` leaves out triangles seen from behind
    (those whose corners run clockwise on a screen with y down are seen from the front here: area < 0).
    """
    height, width = depth.shape
    depth_only = ident.shape[0] == 1
    half = np.float32(0.5)
    for i in range(triangles.shape[0]):
        a, b, c = triangles[i]
        x0, y0, z0 = screen[a, 0], screen[a, 1], screen[a, 2]
        ux, uy, uz = screen[b, 0] - x0, screen[b, 1] - y0, screen[b, 2] - z0
        vx, vy, vz = screen[c, 0] - x0, screen[c, 1] - y0, screen[c, 2] - z0
        area = ux * vy - vx * uy
        if abs(area) < 1e-9 or (front_only and area > 0):
            continue
        left = max(0, int(math.ceil(x0 + min(0, ux, vx) - half)))
        right = min(width - 1, int(math.floor(x0 + max(0, ux, vx) - half)))
        top = max(0, int(math.ceil(y0 + min(0, uy, vy) - half)))
        bottom = min(height - 1, int(math.floor(y0 + max(0, uy, vy) - half)))
        inverse = 1 / area
        ux, uy, vx, vy = ux * inverse, uy * inverse, vx * inverse, vy * inverse
        for y in range(top, bottom + 1):
            py = y + half - y0
            for x in range(left, right + 1):
                px = x + half - x0
                w1 = px * vy - vx * py
                w2 = ux * py - px * uy
                if w1 < 0 or w2 < 0 or w1 + w2 > 1:
                    continue
                z = z0 + w1 * uz + w2 * vz
                if z > depth[y, x]:
                    depth[y, x] = z
                    if not depth_only:
                        ident[y, x] = base + i
                        bary[y, x, 0] = w1
                        bary[y, x, 1] = w2


@compiled
def downsample(image: Array, layer: Array, samples: int) -> Array:
    """Lay premultiplied `layer` (h, w, 4) over image (h, w, 3) and average squares of `samples` x `samples`."""
    size = image.shape[0] // samples
    out = np.zeros((size, size, 3), np.float32)
    share = np.float32(1.0 / (samples * samples))
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            rest = 1 - layer[y, x, 3]
            for k in range(3):
                value = image[y, x, k] * rest + layer[y, x, k]
                out[y // samples, x // samples, k] += min(value, np.float32(2.0)) * share
    return out


@compiled
def strand_directions(points: Array, uvs: Array, triangles: Array) -> Array:
    """Unit vectors (n, 3) along which v of the texture grows: where the strands of most hair textures run."""
    out = np.zeros_like(points)
    for i in range(triangles.shape[0]):
        a, b, c = triangles[i]
        du1, dv1 = uvs[b, 0] - uvs[a, 0], uvs[b, 1] - uvs[a, 1]
        du2, dv2 = uvs[c, 0] - uvs[a, 0], uvs[c, 1] - uvs[a, 1]
        det = du1 * dv2 - du2 * dv1
        if abs(det) < 1e-9:
            continue
        sign = np.float32(1.0) if det > 0 else np.float32(-1.0)
        for k in range(3):
            d = ((points[c, k] - points[a, k]) * du1 - (points[b, k] - points[a, k]) * du2) * sign
            out[a, k] += d
            out[b, k] += d
            out[c, k] += d
    for i in range(out.shape[0]):
        length = math.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2) + 1e-12
        out[i, 0] /= length
        out[i, 1] /= length
        out[i, 2] /= length
    return out
