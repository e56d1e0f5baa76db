"""How strong did the expression come out? Intensity of an edit of a drawn face, measured against ground truth.

A drawn identity can be drawn at any intensity, so the intensity of an edit is that of the nearest drawing:

    measured(image) = argmin over a of || image - draw(identity, a * expression) ||^2

No trained judge is involved; it needs to be known who the face is, so it works for drawn faces only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from pxs.expressions import COLOURS, Mix, check_expression
from pxs.faces.draw import draw
from pxs.faces.identity import Identity
from pxs.images import to_array

LADDER = np.linspace(0, 2, 81)
"""The intensities whose drawings an edit is compared with."""


def measured_intensity(
    images: Sequence[Image.Image], identity: Identity, expression: str, style: str = "human"
) -> np.ndarray:
    """Intensity (N,) in 0..2 of each image: that of the nearest drawing of this identity with this expression.

    Images are RGB, square, at least 16 pixels a side. Raises ExpressionError for an unknown expression.
    """
    check_expression(expression)
    rungs = np.stack([_pixels(draw(identity, Mix({expression: a}), style, images[0].width)) for a in LADDER])
    errors = np.stack([((rungs - _pixels(image)) ** 2).mean(axis=(1, 2, 3)) for image in images])
    return LADDER[errors.argmin(axis=1)]


def truth(identity: Identity, mixes: Sequence[Mix], style: str = "human", size: int = 128) -> list[Image.Image]:
    """The ground-truth drawing of each mix."""
    return [draw(identity, mix, style, size) for mix in mixes]


def intensity_figure(asked: Sequence[float], measured: Sequence[float], expression: str) -> Figure:
    """Measured against asked intensity, with the diagonal that a perfect editor would follow."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    top = max(*asked, *measured, 1.0)
    axes.plot([0, top], [0, top], color="#999999", linewidth=1, linestyle="--", label="asked = measured")
    axes.plot(asked, measured, marker="o", color=COLOURS[expression], label=expression)
    axes.set(
        xlabel="intensity asked for",
        ylabel="intensity of the nearest drawing",
        title=f"{expression}: does the face follow the number?",
    )
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _pixels(image: Image.Image) -> np.ndarray:
    return to_array(image.convert("RGB"))
