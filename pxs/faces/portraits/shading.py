"""Light on surfaces, as compiled loops over the samples of a picture: opaque surfaces, then hair in layers.

A `lamp` is the tuple (directions (3, 3), colours (3, 3), ambient (3,), camera (3,), matrix (3, 4), shadows (q, q)):
three lights, the first of which casts shadows; `matrix` takes a point to pixels and height in the map `shadows`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pxs.faces.portraits.kernels import compiled

SKIN, EYE, TEETH, CLOTH, MOUTH, PLASTIC = range(6)

NEAR = np.array(
    [(0, 0), (4, 1), (-4, -1), (1, -4), (-1, 4), (2, 2), (-2, -2), (2, -2), (-2, 2), (5, 4), (-5, -4), (4, -5), (-4, 5)]
)
"""Places (rows, columns) around a pixel of the shadow map that are averaged."""

SHADOW_BIAS = 0.05
HAIR_SHADOW = 0.45


@compiled
def _shadow(lamp: Any, x: Any, y: Any, z: Any, places: Any) -> Any:
    """Share of the key light that reaches a point, 0..1, averaged over the first `places` of NEAR in the shadow map."""
    matrix, depth = lamp[4], lamp[5]
    sx = x * matrix[0, 0] + y * matrix[0, 1] + z * matrix[0, 2] + matrix[0, 3]
    sy = x * matrix[1, 0] + y * matrix[1, 1] + z * matrix[1, 2] + matrix[1, 3]
    sz = x * matrix[2, 0] + y * matrix[2, 1] + z * matrix[2, 2]
    side = depth.shape[0]
    ix, iy = int(sx), int(sy)
    if ix < 5 or iy < 5 or ix >= side - 5 or iy >= side - 5:
        return np.float32(1.0)
    lit: Any = np.float32(0.0)
    for k in range(places):
        dy, dx = NEAR[k, 0], NEAR[k, 1]
        if sz > depth[iy + dy, ix + dx] - SHADOW_BIAS:
            lit += np.float32(1.0)
    return lit / np.float32(places)


@compiled
def _corners(texture: Any, u: Any, v: Any) -> Any:
    """The four texels around u, v (v up) of a texture (h, w, c), clamped to its edge, and their bilinear weights."""
    height, width = texture.shape[0], texture.shape[1]
    x, y = u * width - np.float32(0.5), (1 - v) * height - np.float32(0.5)
    x0, y0 = int(math.floor(x)), int(math.floor(y))
    fx, fy = x - x0, y - y0
    x0, y0 = min(max(x0, 0), width - 1), min(max(y0, 0), height - 1)
    x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
    a, b, c, d = (1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy
    return x0, y0, x1, y1, a, b, c, d


@compiled
def _fetch(texture: Any, u: Any, v: Any) -> Any:
    """The first three channels of a texture (h, w, c) at u, v (v up), bilinear, clamped to the edge."""
    x0, y0, x1, y1, a, b, c, d = _corners(texture, u, v)
    return (
        texture[y0, x0, 0] * a + texture[y0, x1, 0] * b + texture[y1, x0, 0] * c + texture[y1, x1, 0] * d,
        texture[y0, x0, 1] * a + texture[y0, x1, 1] * b + texture[y1, x0, 1] * c + texture[y1, x1, 1] * d,
        texture[y0, x0, 2] * a + texture[y0, x1, 2] * b + texture[y1, x0, 2] * c + texture[y1, x1, 2] * d,
    )


@compiled
def _grey_alpha(texture: Any, u: Any, v: Any) -> Any:
    """Channels 0 and 3 of a texture (h, w, 4) at u, v (v up), bilinear."""
    x0, y0, x1, y1, a, b, c, d = _corners(texture, u, v)
    return (
        texture[y0, x0, 0] * a + texture[y0, x1, 0] * b + texture[y1, x0, 0] * c + texture[y1, x1, 0] * d,
        texture[y0, x0, 3] * a + texture[y0, x1, 3] * b + texture[y1, x0, 3] * c + texture[y1, x1, 3] * d,
    )


@compiled
def _surface(
    r: Any,
    g: Any,
    b: Any,
    nx: Any,
    ny: Any,
    nz: Any,
    vx: Any,
    vy: Any,
    vz: Any,
    lit: Any,
    lamp: Any,
    kind: Any,
    open_sky: Any,
) -> Any:
    """Light that leaves a surface of albedo (r, g, b) towards the viewer, per channel."""
    directions, colours, ambient = lamp[0], lamp[1], lamp[2]
    sky = (np.float32(0.62) + np.float32(0.38) * ny) * open_sky
    red, green, blue = r * ambient[0] * sky, g * ambient[1] * sky, b * ambient[2] * sky
    cavity = np.float32(0.55) + np.float32(0.45) * open_sky
    for i in range(3):
        lx, ly, lz = directions[i, 0], directions[i, 1], directions[i, 2]
        d = nx * lx + ny * ly + nz * lz
        s = lit if i == 0 else np.float32(1.0)
        hx, hy, hz = lx + vx, ly + vy, lz + vz
        length = np.float32(1.0) / (math.sqrt(hx * hx + hy * hy + hz * hz) + np.float32(1e-9))
        nh = max(np.float32(0.0), (nx * hx + ny * hy + nz * hz) * length)
        n2 = nh * nh
        n4 = n2 * n2
        n8 = n4 * n4
        n16 = n8 * n8
        wr = wg = wb = np.float32(0.12)
        sr = s
        if kind == 0:
            f = 1 - max(np.float32(0.0), (vx * hx + vy * hy + vz * hz) * length)
            f2 = f * f
            fresnel = np.float32(0.035) + np.float32(0.9) * f2 * f2 * f
            gloss = (np.float32(1.5) * n16 + np.float32(0.9) * n16 * n16 * n8) * fresnel
            wr, wg, wb = np.float32(0.40), np.float32(0.22), np.float32(0.16)
            sr = np.float32(0.09) + np.float32(0.91) * s
        elif kind == 1:
            p = n16 * n16
            p = p * p * p * p
            p = p * p * p
            gloss = np.float32(2.2) * min(np.float32(1.0), p * np.float32(4.0)) + np.float32(0.02) * n8
        elif kind == 2:
            gloss = np.float32(0.22) * n16 * n16
        elif kind == 5:
            gloss = np.float32(0.5) * n16 * n16 * n16
        else:
            gloss = np.float32(0.015) * n8
        gloss = gloss * s * max(np.float32(0.0), min(np.float32(1.0), 4 * d)) * open_sky
        red += colours[i, 0] * (r * max(np.float32(0.0), (d + wr) / (1 + wr)) * sr * cavity + gloss)
        green += colours[i, 1] * (g * max(np.float32(0.0), (d + wg) / (1 + wg)) * s * cavity + gloss)
        blue += colours[i, 2] * (b * max(np.float32(0.0), (d + wb) / (1 + wb)) * s * cavity + gloss)
    return red, green, blue


@compiled
def _under_lid(ident: Any, y: Any, x: Any, step: Any, skin_end: Any) -> Any:
    """0..1: how close a sample lies below skin, as the eyeball does below the lid; looks up to 4 steps upwards."""
    near = np.float32(0.0)
    for k in range(1, 5):
        row = y - k * step
        if row >= 0 and 0 <= ident[row, x] < skin_end:
            near += np.float32(0.25)
    return near


@compiled
def shade_opaque(
    image: Any,
    buffers: Any,
    base: Any,
    mesh: Any,
    texture: Any,
    relief: Any,
    tint: Any,
    sky: Any,
    lamp: Any,
    kind: Any,
    step: Any,
    skin_end: Any,
) -> Any:
    """Colour the samples of one mesh in image (height, width, 3).

    buffers: (ident, bary); mesh: (points, normals, uvs, triangles); texture (h, w, 3); relief (h, w, 3), or (1, 1, 3)
    for none; sky (n,): how much of the sky each vertex sees; step: samples between the looks of `_under_lid`.
    """
    ident, bary = buffers
    points, normals, uvs, triangles = mesh
    camera = lamp[3]
    count = triangles.shape[0]
    bumpy = relief.shape[0] > 1
    for y in range(ident.shape[0]):
        for x in range(ident.shape[1]):
            i = ident[y, x] - base
            if i < 0 or i >= count:
                continue
            a, b, c = triangles[i]
            w1, w2 = bary[y, x, 0], bary[y, x, 1]
            w0 = 1 - w1 - w2
            u = uvs[a, 0] * w0 + uvs[b, 0] * w1 + uvs[c, 0] * w2
            v = uvs[a, 1] * w0 + uvs[b, 1] * w1 + uvs[c, 1] * w2
            nx = normals[a, 0] * w0 + normals[b, 0] * w1 + normals[c, 0] * w2
            ny = normals[a, 1] * w0 + normals[b, 1] * w1 + normals[c, 1] * w2
            nz = normals[a, 2] * w0 + normals[b, 2] * w1 + normals[c, 2] * w2
            px = points[a, 0] * w0 + points[b, 0] * w1 + points[c, 0] * w2
            py = points[a, 1] * w0 + points[b, 1] * w1 + points[c, 1] * w2
            pz = points[a, 2] * w0 + points[b, 2] * w1 + points[c, 2] * w2
            sees = sky[a] * w0 + sky[b] * w1 + sky[c] * w2
            dark: Any = np.float32(1.0)
            if bumpy:
                slope, fall, crease = _fetch(relief, u, v)
                dark = max(np.float32(0.3), 1 - np.float32(0.20) * crease)
                flat = 1 / (math.sqrt(nx * nx + nz * nz) + np.float32(1e-6))
                tx, tz = nz * flat, -nx * flat
                nx, ny, nz = nx - slope * tx, ny + fall, nz - slope * tz
            length: Any = 1 / (math.sqrt(nx * nx + ny * ny + nz * nz) + np.float32(1e-9))
            nx, ny, nz = nx * length, ny * length, nz * length
            vx, vy, vz = camera[0] - px, camera[1] - py, camera[2] - pz
            length = 1 / math.sqrt(vx * vx + vy * vy + vz * vz)
            vx, vy, vz = vx * length, vy * length, vz * length
            if nx * vx + ny * vy + nz * vz < 0 and kind != 0:
                nx, ny, nz = -nx, -ny, -nz
            if kind == 1 or kind == 2 or kind == 4:
                sees = sees * (
                    1 - (np.float32(0.5) if kind == 2 else np.float32(0.75)) * _under_lid(ident, y, x, step, skin_end)
                )
            red, green, blue = _fetch(texture, u, v)
            red, green, blue = red * tint[0] * dark, green * tint[1] * dark * dark, blue * tint[2] * dark * dark
            key = lamp[0]
            lit: Any = np.float32(0.0)
            if nx * key[0, 0] + ny * key[0, 1] + nz * key[0, 2] > np.float32(-0.42):  # else no key light arrives
                lit = _shadow(lamp, px, py, pz, 13)
            o = _surface(red, green, blue, nx, ny, nz, vx, vy, vz, lit, lamp, kind, sees)
            image[y, x, 0] = o[0]
            image[y, x, 1] = o[1]
            image[y, x, 2] = o[2]


@compiled
def _strand(lamp: Any, colour: Any, level: Any, n: Any, t: Any, view: Any, lit: Any, gloss: Any) -> Any:
    """Light from hair (Kajiya and Kay 1989): n normal, t strand direction, level the texture's grey times 2."""
    directions, colours, ambient = lamp[0], lamp[1], lamp[2]
    sky = np.float32(0.6) + np.float32(0.3) * n[1]
    red = colour[0] * level * ambient[0] * sky
    green = colour[1] * level * ambient[1] * sky
    blue = colour[2] * level * ambient[2] * sky
    for i in range(3):
        lx, ly, lz = directions[i, 0], directions[i, 1], directions[i, 2]
        s = lit if i == 0 else np.float32(1.0)
        d = n[0] * lx + n[1] * ly + n[2] * lz
        wrapped = max(np.float32(0.0), (d + np.float32(0.35)) / np.float32(1.35))
        hx, hy, hz = lx + view[0], ly + view[1], lz + view[2]
        length = 1 / (math.sqrt(hx * hx + hy * hy + hz * hz) + np.float32(1e-9))
        th = (t[0] * hx + t[1] * hy + t[2] * hz) * length
        across = max(np.float32(0.0), 1 - th * th)
        shine = across**24 * gloss * max(np.float32(0.0), min(np.float32(1.0), 2 * d + np.float32(0.3)))
        red += (
            colours[i, 0] * s * level * (colour[0] * wrapped + shine * (np.float32(0.05) + np.float32(0.6) * colour[0]))
        )
        green += (
            colours[i, 1] * s * level * (colour[1] * wrapped + shine * (np.float32(0.05) + np.float32(0.6) * colour[1]))
        )
        blue += (
            colours[i, 2] * s * level * (colour[2] * wrapped + shine * (np.float32(0.05) + np.float32(0.6) * colour[2]))
        )
    return red, green, blue


@compiled
def blend_strands(
    layer: Any,
    depth: Any,
    screen: Any,
    order: Any,
    mesh: Any,
    strands: Any,
    texture: Any,
    colour: Any,
    lamp: Any,
    bias: Any,
    gloss: Any,
) -> Any:
    """Lay a mesh of hair cards over the layer (height, width, 4), premultiplied, nearest triangle first.

    depth is that of the opaque surfaces; bias lets cards that lie on the skin show; order lists triangles by nearness.
    """
    points, normals, uvs, triangles = mesh
    height, width = depth.shape
    camera = lamp[3]
    for q in range(order.shape[0]):
        a, b, c = triangles[order[q]]
        x0, y0, x1, y1, x2, y2 = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-6:
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
                left_over = 1 - layer[y, x, 3]
                z = w0 * screen[a, 2] + w1 * screen[b, 2] + w2 * screen[c, 2]
                if left_over < 0.02 or z * (1 + bias) < depth[y, x]:
                    continue
                u = uvs[a, 0] * w0 + uvs[b, 0] * w1 + uvs[c, 0] * w2
                v = uvs[a, 1] * w0 + uvs[b, 1] * w1 + uvs[c, 1] * w2
                level, alpha = _grey_alpha(texture, u, v)
                if alpha < 0.02:
                    continue
                alpha = alpha * left_over
                n = (
                    normals[a, 0] * w0 + normals[b, 0] * w1 + normals[c, 0] * w2,
                    normals[a, 1] * w0 + normals[b, 1] * w1 + normals[c, 1] * w2,
                    normals[a, 2] * w0 + normals[b, 2] * w1 + normals[c, 2] * w2,
                )
                vx = camera[0] - points[a, 0]
                vy = camera[1] - points[a, 1]
                vz = camera[2] - points[a, 2]
                length = 1 / math.sqrt(vx * vx + vy * vy + vz * vz)
                view = (vx * length, vy * length, vz * length)
                if n[0] * view[0] + n[1] * view[1] + n[2] * view[2] < 0:
                    n = (-n[0], -n[1], -n[2])
                t = (strands[a, 0], strands[a, 1], strands[a, 2])
                lit = _shadow(
                    lamp,
                    points[a, 0] * w0 + points[b, 0] * w1 + points[c, 0] * w2,
                    points[a, 1] * w0 + points[b, 1] * w1 + points[c, 1] * w2,
                    points[a, 2] * w0 + points[b, 2] * w1 + points[c, 2] * w2,
                    5,
                )
                level = level * 2
                o = _strand(lamp, colour, level * level, n, t, view, np.float32(0.4) + np.float32(0.6) * lit, gloss)
                layer[y, x, 0] += o[0] * alpha
                layer[y, x, 1] += o[1] * alpha
                layer[y, x, 2] += o[2] * alpha
                layer[y, x, 3] += alpha
