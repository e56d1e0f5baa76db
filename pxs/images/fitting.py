"""Resizes a picture to the size of a model (`fit`) and transfers the edit to the full size (`Fit.restore`)."""

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
    """A picture at full size and at the size of a model; made by `fit`.

    `source` is the full-size picture. `fitted` is the same picture at the size of the model. Both are RGB, and both are
    copies that nobody else changes.
    """

    source: Image.Image
    fitted: Image.Image

    @property
    def resized(self) -> bool:
        """Whether the two sizes differ."""
        return self.source.size != self.fitted.size

    def restore(self, edited: Image.Image) -> Image.Image:
        """Return the edit at the size of the source, with the source's detail where nothing was edited.

        Only the change is resized, not the picture: restored = source + resize(edited - fitted), in floats with Lanczos
        resampling, rounded and clipped to 0..255. If `edited` equals `fitted`, the result equals `source` bit for bit.
        If the picture was not resized, the result equals `edited` bit for bit.

        `edited` is an RGB image of the size of `fitted`; anything else raises `ImageError`.
        """
        check_rgb(edited)
        if edited.size != self.fitted.size:
            raise ImageError(f"the edited picture is {edited.size}: it must have the fitted size {self.fitted.size}")
        if not self.resized:
            return edited.copy()
        channels = zip(self.source.split(), self.fitted.split(), edited.split(), strict=True)
        return Image.merge("RGB", [_add_change(*channel) for channel in channels])


def fit(image: Image.Image, resolution: int, multiple: int = 16) -> tuple[Image.Image, Fit]:
    """Resize a picture to the size of a model; return it with the `Fit` that transfers edits to the full size.

    The area becomes about `resolution` squared (in pixels) and the aspect ratio is kept. Each side is then rounded to
    a multiple of `multiple` pixels, at least one multiple. Nothing is cropped and no border is added: the picture is
    resized to the rounded size with Lanczos resampling, so the aspect ratio changes by that rounding only. A picture
    that already has such a size is returned bit for bit.

    Raises `ImageError` when `image` is not RGB, when its aspect ratio is above `MAX_ASPECT`, and unless
    1 <= multiple <= resolution.
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
    """The size (width, height) in pixels to which `fit` resizes."""
    half = multiple / 2
    smallest, largest = (width - half) * (height - half), (width + half) * (height + half)
    if width % multiple == height % multiple == 0 and smallest <= resolution**2 <= largest:
        return width, height  # rounding can produce this size: keep it
    stretch = math.sqrt(width / height)
    sides = resolution * stretch, resolution / stretch
    return max(1, round(sides[0] / multiple)) * multiple, max(1, round(sides[1] / multiple)) * multiple


def _add_change(source: Image.Image, fitted: Image.Image, edited: Image.Image) -> Image.Image:
    """source + resize(edited - fitted) of one channel; all three images have mode L."""
    change = np.asarray(edited, dtype=np.float32) - np.asarray(fitted, dtype=np.float32)
    full = np.asarray(Image.fromarray(change).resize(source.size, Image.Resampling.LANCZOS))
    values = np.rint(np.asarray(source, dtype=np.float32) + full)
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def check_rgb(image: Image.Image) -> None:
    """Raise `ImageError` unless `image` is a PIL image of mode RGB."""
    if not isinstance(image, Image.Image) or image.mode != "RGB":
        found = f"mode {image.mode}" if isinstance(image, Image.Image) else type(image).__name__
        raise ImageError(f"expected a PIL image of mode RGB, got {found}: pass it through open_image first")
