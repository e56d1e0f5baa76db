"""What full-size output is worth: `Fit.restore` against plain upsampling and against carrying the change alone.

    python -m analysis.restoring

Drawn faces, each with 3 expressions, at 1, 2 and 4 times the side that the model edits at. The edit is perfect: it is
the drawn truth, fitted to the model's size. So all that is lost is lost on the way to the full size. A pixel counts as
changed where the truth differs from the source at full size. The numbers are PSNR (dB) over all pixels of a kind.

    carried    source + resize(edited - fitted), what `Fit.restore` returned before it knew a mask
    upsampled  resize(edited): the model's own picture
    restored   Fit.restore
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.expressions import Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds
from pxs.images import Fit, fit

SIDE = 128  # of the model's picture
SCALES = (1, 2, 4)
PEOPLE = 6
EXPRESSIONS = ("happy", "surprised", "angry")
WAYS = ("carried", "upsampled", "restored")

Errors = dict[tuple[int, str, bool], tuple[float, int]]
"""Sum of squared errors and number of values, by scale, way, and whether the pixels changed."""


def outputs(way: Fit, edited: Image.Image) -> dict[str, NDArray[np.float32]]:
    """The full-size output of each of WAYS, (height, width, 3), 0..255."""
    source, small, change = (np.asarray(i, np.float32) for i in (way.source, way.fitted, edited))
    channels = [
        Image.fromarray(c).resize(way.source.size, Image.Resampling.LANCZOS) for c in (change - small).T.swapaxes(1, 2)
    ]
    carried = np.clip(np.rint(source + np.stack([np.asarray(c) for c in channels], axis=2)), 0, 255)
    upsampled = edited.resize(way.source.size, Image.Resampling.LANCZOS)
    return {
        "carried": carried,
        "upsampled": np.asarray(upsampled, np.float32),
        "restored": np.asarray(way.restore(edited), np.float32),
    }


def pairs(scale: int, people: int = PEOPLE) -> Iterator[tuple[Image.Image, Image.Image]]:
    """Drawn faces of SIDE * scale pixels, neutral and with an expression."""
    for number in seeds("gallery", people):
        for style in ("human", "anime"):
            neutral = draw(Identity.sample(number), style=style, size=SIDE * scale)
            for expression in EXPRESSIONS:
                yield neutral, draw(Identity.sample(number), Mix({expression: 1}), style, size=SIDE * scale)


def measure(people: int = PEOPLE) -> Errors:
    """The errors of all ways at all SCALES."""
    errors: Errors = defaultdict(lambda: (0.0, 0))
    for scale in SCALES:
        for source, truth in pairs(scale, people):
            _, way = fit(source, SIDE)
            wanted = np.asarray(truth, np.float32)
            changed = (np.asarray(source) != np.asarray(truth)).any(axis=2)
            for name, image in outputs(way, fit(truth, SIDE)[0]).items():
                for kind in (True, False):
                    squares = (image - wanted)[changed == kind] ** 2
                    total, count = errors[scale, name, kind]
                    errors[scale, name, kind] = total + float(squares.sum(dtype=np.float64)), count + squares.size
    return errors


def decibels(total: float, count: int) -> float:
    """PSNR from a sum of squared errors of `count` values in 0..255."""
    return 10 * math.log10(255**2 * count / total) if total else math.inf


def main() -> None:
    """Print the table."""
    errors = measure()
    print(f"{'':14}" + "".join(f"{name:>22}" for name in WAYS))
    print(f"{'':14}" + len(WAYS) * f"{'changed':>11}{'unchanged':>11}")
    for scale in SCALES:
        cells = [decibels(*errors[scale, name, kind]) for name in WAYS for kind in (True, False)]
        print(f"{SIDE * scale:4} px, {scale}x   " + "".join(f"{cell:11.2f}" for cell in cells))


if __name__ == "__main__":
    main()
