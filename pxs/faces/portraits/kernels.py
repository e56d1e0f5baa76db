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
    """Compile at first use and keep the machine code on disk; numba has no type hints, hence the one ignore."""
    return numba.njit(function, cache=True, fastmath=True)  # type: ignore[no-any-return]


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
def rasterise(screen: Array, triangles: Array, base: int, depth: Array, ident: Array, bary: Array) -> None:
    """Write the triangles into the buffers under the numbers base, base + 1, ...; the nearest surface wins."""
    height, width = depth.shape
    for i in range(triangles.shape[0]):
        a, b, c = triangles[i]
        x0, y0, z0 = screen[a, 0], screen[a, 1], screen[a, 2]
        x1, y1, z1 = screen[b, 0], screen[b, 1], screen[b, 2]
        x2, y2, z2 = screen[c, 0], screen[c, 1], screen[c, 2]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        left, right = max(0, int(math.floor(min(x0, x1, x2)))), min(width - 1, int(math.ceil(max(x0, x1, x2))))
        top, bottom = max(0, int(math.floor(min(y0, y1, y2)))), min(height - 1, int(math.ceil(max(y0, y1, y2))))
        inverse = 1 / area
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                px, py = x + np.float32(0.5), y + np.float32(0.5)
                w1 = ((px - x0) * (y2 - y0) - (x2 - x0) * (py - y0)) * inverse
                w2 = ((x1 - x0) * (py - y0) - (px - x0) * (y1 - y0)) * inverse
                w0 = 1 - w1 - w2
                if w0 < 0 or w1 < 0 or w2 < 0:
                    continue
                z = w0 * z0 + w1 * z1 + w2 * z2
                if z > depth[y, x]:
                    depth[y, x] = z
                    ident[y, x] = base + i
                    bary[y, x, 0] = w1
                    bary[y, x, 1] = w2


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
