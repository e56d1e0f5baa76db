"""Bringing a picture to the size of a model (`fit`) and carrying the edit back to the full size (`Fit.restore`)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pxs.errors import ImageError

MAX_ASPECT = 4.0
"""Largest ratio of the longer to the shorter side that `fit` accepts."""


@dataclass(frozen=True, eq=False)
class Fit:
    """How a picture was brought to the size of a model, and the way back; made by `fit`.

    `source` is the full-size picture and `fitted` the same picture at the size of the model; both are RGB,
    and both are the Fit's own copies.
    """

    source: Image.Image
    fitted: Image.Image

    @property
    def resized(self) -> bool:
        """Whether the picture had to be resized at all."""
        return self.source.size != self.fitted.size

    def restore(self, edited: Image.Image) -> Image.Image:
        """Return the edit at the size of the source, with the source's detail where nothing was edited.

        The change is brought to the full size, not the picture: restored = source + resize(edited - fitted),
        computed in floats with Lanczos resampling, rounded and clipped to 0..255. An `edited` equal to
        `fitted` gives back the source bit for bit. When the picture was not resized, the result is `edited`
        bit for bit.

        `edited` is RGB of the size of `fitted`; anything else raises `ImageError`.
        """
        check_rgb(edited)
        if edited.size != self.fitted.size:
            raise ImageError(f"the edited picture is {edited.size}: it must have the fitted size {self.fitted.size}")
        if not self.resized:
            return edited.copy()
        channels = zip(self.source.split(), self.fitted.split(), edited.split(), strict=True)
        return Image.merge("RGB", [_add_change(*channel) for channel in channels])


def fit(image: Image.Image, resolution: int, multiple: int = 16) -> tuple[Image.Image, Fit]:
    """Resize the whole picture to the size of a model; return it with the `Fit` that leads back.

    The aspect ratio is kept, the area comes out at about `resolution` squared, and each side is rounded to a
    multiple of `multiple` pixels (at least one). Nothing is cropped and no border is added: the picture is
    resized straight to the rounded size with Lanczos resampling, so its proportions change by no more than
    that rounding. A picture that is already of such a size comes back bit for bit.

    Raises `ImageError` when `image` is not RGB, is longer than 4:1, or when not resolution >= multiple >= 1.
    """
    check_rgb(image)
    width, height = image.size
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"the picture is {width} x {height}, longer than {MAX_ASPECT:g}:1: crop it first")
    if not 1 <= multiple <= resolution:
        raise ImageError(f"resolution {resolution} with multiple {multiple}: both must be >= 1, the first the larger")
    size = _model_size(width, height, resolution, multiple)
    fitted = image.copy() if size == image.size else image.resize(size, Image.Resampling.LANCZOS)
    return fitted, Fit(source=image.copy(), fitted=fitted.copy())


def _model_size(width: int, height: int, resolution: int, multiple: int) -> tuple[int, int]:
    half = multiple / 2
    smallest, largest = (width - half) * (height - half), (width + half) * (height + half)
    if width % multiple == height % multiple == 0 and smallest <= resolution**2 <= largest:
        return width, height  # rounding could have produced this size: keep it
    stretch = math.sqrt(width / height)
    sides = resolution * stretch, resolution / stretch
    return max(1, round(sides[0] / multiple)) * multiple, max(1, round(sides[1] / multiple)) * multiple


def _add_change(source: Image.Image, fitted: Image.Image, edited: Image.Image) -> Image.Image:
    change = np.asarray(edited, dtype=np.float32) - np.asarray(fitted, dtype=np.float32)
    full = np.asarray(Image.fromarray(change).resize(source.size, Image.Resampling.LANCZOS))
    values = np.rint(np.asarray(source, dtype=np.float32) + full)
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def check_rgb(image: Image.Image) -> None:
    if not isinstance(image, Image.Image) or image.mode != "RGB":
        found = f"mode {image.mode}" if isinstance(image, Image.Image) else type(image).__name__
        raise ImageError(f"expected a PIL image of mode RGB, got {found}: pass it through open_image first")
