"""Hair on a person: mirrored or not, and kept out of the eyes."""

from __future__ import annotations

import numpy as np

from pxs.faces.portraits.asset import Fitted, Floats, floats
from pxs.faces.portraits.geometry import eye_centre
from pxs.faces.portraits.maps import smooth

FRINGES = ("hair/bob01", "hair/bob02", "hair/short03", "hair/Braid01")
"""Hair whose fringe would hang over an eye."""


def hair_points(style: str, mesh: Fitted, head: Floats, mirrored: bool) -> Floats:
    """The points (n, 3) of a hair mesh on a head at rest; a fringe over the eyes is lifted above the brows."""
    points = mesh.fit(head)
    eyes = eye_centre(head)
    if style in FRINGES:
        points = _lift_fringe(points, eyes)
    if mirrored:
        points = points * floats([-1, 1, 1])
    return np.ascontiguousarray(points, np.float32)


def _lift_fringe(points: Floats, eyes: Floats) -> Floats:
    """Squeeze what hangs in front of the face into the band above the brows."""
    line, top = eyes[1] + 0.36, eyes[1] + 0.85
    y = points[:, 1]
    share = smooth(eyes[2] - 0.4, eyes[2] - 0.15, points[:, 2]) * smooth(0.8, 0.62, np.abs(points[:, 0]))
    low = eyes[1] - 0.9
    squeezed = line + (top - line) * (y - low) / (top - low)
    lifted = points.copy()
    lifted[:, 1] = np.where(y < top, y + share * (np.maximum(squeezed, line) - y), y)
    return lifted
