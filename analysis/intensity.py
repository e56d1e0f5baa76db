"""How strong is the expression in an edit? The intensity of an edit of a drawn face, measured against ground truth.

A drawn identity can be drawn at any intensity. The intensity of an edit is that of the nearest drawing, see
pxs/judging/nearest.py. This needs no trained judge, but it needs the identity of the face.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

import pxs
from pxs.expressions import COLOURS, Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity
from pxs.images import psnr, to_array
from pxs.judging.nearest import nearest_intensity


def measured_intensity(
    images: Sequence[Image.Image], identity: Identity, expression: str, style: str = "human"
) -> NDArray[np.float64]:
    """Intensity (N,), 0..2, of each image: that of the nearest drawing of this identity with this expression.

    Images are RGB, square, of one size, at least 16 pixels a side. Raises ExpressionError for an unknown expression.
    """
    return nearest_intensity(images, lambda mix: draw(identity, mix, style, images[0].width), expression)


def compare_with_truth(
    edits: pxs.Edits, requested: Sequence[float], identity: Identity | None, expression: str, style: str = "human"
) -> pd.DataFrame:
    """One row an edit of a sweep: intensity requested, and measured; PSNR in dB to the drawing of the same mix; change.

    The change is the mean absolute difference to the source, 0..255. Without an identity, a picture of your own,
    measured and psnr_db are missing (None).
    """
    change = [float(255 * abs(to_array(e) - to_array(edits.source)).mean()) for e in edits]
    table = pd.DataFrame({"requested": list(requested), "measured": None, "psnr_db": None, "change": change})
    if identity is None:
        return table
    drawings = truth(identity, edits.mixes, style, edits.source.width)
    fidelity = [psnr(to_array(e), to_array(d)) for e, d in zip(edits, drawings, strict=True)]
    return table.assign(measured=measured_intensity(list(edits), identity, expression, style), psnr_db=fidelity)


def truth(identity: Identity, mixes: Sequence[Mix], style: str = "human", size: int = 128) -> list[Image.Image]:
    """The ground-truth drawing of each mix, RGB, `size` pixels square."""
    return [draw(identity, mix, style, size) for mix in mixes]


def intensity_figure(requested: Sequence[float], measured: Sequence[float], expression: str) -> Figure:
    """Measured against requested intensity, with the diagonal of a perfect editor."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    top = max(*requested, *measured, 1.0)
    axes.plot([0, top], [0, top], color="#999999", linewidth=1, linestyle="--", label="requested = measured")
    axes.plot(requested, measured, marker="o", color=COLOURS[expression], label=expression)
    axes.set(
        xlabel="requested intensity",
        ylabel="intensity of the nearest drawing",
        title=f"{expression}: judged by the nearest drawing",
    )
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
