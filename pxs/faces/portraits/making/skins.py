"""The skins of MakeHuman, laid out anew: the head alone, on a cylinder, as shares of the person's own skin colour.

MakeHuman's skins paint a whole body in 512 x 512 pixels and hold the hair roots of the scalp. Here each becomes a map
of the head relative to the colour of its cheeks, without hair roots, symmetric, so that one stored half is enough.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from pxs.faces.portraits.kernels import rasterise
from pxs.faces.portraits.making.sources import Floats, Ints, Sources

SIDE = 512
FULL = 1.6
"""Stored value 255 stands for a relative brightness of FULL squared (linear light)."""


def skin_files(sources: Sources) -> dict[str, list[str]]:
    """Files of the skins by "age_origin_sex", without those that have clothes painted on."""
    files: dict[str, list[str]] = {}
    for file in sorted(sources.makehuman.glob("skins/*/textures/*.png")):
        if "suit" not in file.name:
            files.setdefault(file.parent.parent.name, []).append(str(file))
    return files


class Layout:
    """Where each pixel of the new map lies in the old texture."""

    def __init__(self, uvs: Floats, triangles: Ints, old_uvs: Floats, old_triangles: Ints, radius: Floats) -> None:
        screen = np.stack([uvs[:, 0] * SIDE, (1 - uvs[:, 1]) * SIDE, 1 + radius], axis=1).astype(np.float32)
        seam = np.ptp(uvs[triangles][..., 0], axis=1) > 0.3
        faces = np.ascontiguousarray(triangles[~seam])
        depth = np.zeros((SIDE, SIDE), np.float32)
        ident = np.full((SIDE, SIDE), -1, np.int32)
        bary = np.zeros((SIDE, SIDE, 2), np.float32)
        rasterise(screen, faces, 0, depth, ident, bary, False)
        self.covered = ident >= 0
        corners = old_uvs[old_triangles[~seam][np.maximum(ident, 0)]]
        shares = np.concatenate([1 - bary.sum(axis=-1, keepdims=True), bary], axis=-1)
        self.where = np.einsum("yxk,yxkc->yxc", shares, corners)

    def read(self, texture: Floats) -> Floats:
        """The old texture (h, w, 3) on the new map (SIDE, SIDE, 3), by bilinear sampling; gaps take the mean."""
        height, width = texture.shape[:2]
        x, y = self.where[..., 0] * width - 0.5, (1 - self.where[..., 1]) * height - 0.5
        left, top = np.floor(x).astype(int), np.floor(y).astype(int)
        fx, fy = (x - left)[..., None], (y - top)[..., None]
        rows = [np.clip(top + i, 0, height - 1) for i in (0, 1)]
        columns = [np.clip(left + i, 0, width - 1) for i in (0, 1)]
        upper = texture[rows[0], columns[0]] * (1 - fx) + texture[rows[0], columns[1]] * fx
        lower = texture[rows[1], columns[0]] * (1 - fx) + texture[rows[1], columns[1]] * fx
        picture: Floats = (upper * (1 - fy) + lower * fy).astype(np.float32)
        picture[~self.covered] = picture[self.covered].mean(axis=0)
        return picture


def relative_map(picture: Floats, cheeks: np.ndarray, scalp: Floats, chroma_loss: float) -> Floats:
    """A skin (SIDE, SIDE, 3) in sRGB 0..1 as linear light relative to the mean of its cheeks, symmetric, no scalp hair.

    `chroma_loss` 0..1 takes out differences of hue: relative to the red-brown dark skins of MakeHuman, lips are blue.
    """
    linear = picture**2.2
    tone = linear[cheeks].mean(axis=0)
    share = linear / tone
    share = (share + share[:, ::-1]) / 2
    share += chroma_loss * (share.mean(axis=2, keepdims=True) - share)
    ratio: Floats = np.clip(share * (1 - scalp[..., None]) + scalp[..., None], 0, FULL**2).astype(np.float32)
    return ratio


def encode(ratio: Floats) -> bytes:
    """The left half of a relative map as WebP."""
    levels = np.sqrt(ratio[:, : SIDE // 2]) / FULL * 255 + 0.5
    stream = io.BytesIO()
    Image.fromarray(levels.astype(np.uint8)).save(stream, "WEBP", quality=88, method=6)
    return stream.getvalue()
