"""The intensity of an edit without a judge: that of the nearest true picture of the same face.

    measured(image) = argmin over a of || image - truth(a * expression) ||^2

The truth is known at RUNGS; between two of them the picture is taken to change linearly, pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.expressions import Mix, check_expression
from pxs.images import to_array

RUNGS = tuple(round(0.1 * i, 1) for i in range(21))
"""The intensities of the true pictures, from none to where faces hardly change any more."""


def nearest_intensity(
    images: Sequence[Image.Image], truth: Callable[[Mix], Image.Image], expression: str
) -> NDArray[np.float64]:
    """Intensity (N,), 0..2, of each image: that of the nearest point on the path of true pictures.

    Images are RGB and of one size, which is also that of `truth(mix)`. Raises ExpressionError for an unknown
    expression.
    """
    check_expression(expression)
    rungs = np.stack([_row(truth(Mix({expression: a}))) for a in RUNGS])
    rows = np.stack([_row(image) for image in images])
    inner, own = rungs @ rungs.T, rows @ rungs.T
    square, first, second = np.diag(inner), own[:, :-1], own[:, 1:]
    along = np.diag(inner, 1)
    length = square[:-1] - 2 * along + square[1:]
    ahead = (second - first) - (along - square[:-1])
    share = np.clip(np.divide(ahead, length, out=np.zeros_like(ahead), where=length > 0), 0, 1)
    error = square[:-1] - 2 * first - 2 * share * ahead + share**2 * length
    place = error.argmin(axis=1)
    found = np.array(RUNGS)[place] + share[np.arange(len(rows)), place] * np.diff(RUNGS)[place]
    rounded: NDArray[np.float64] = found.round(4)
    return rounded


def _row(image: Image.Image) -> NDArray[np.float64]:
    return to_array(image.convert("RGB")).astype(np.float64).ravel()
