"""Resizes a picture to the size of a model (`fit`) and transfers the edit to the full size (`Fit.restore`).

`python -m analysis.restoring` measures the second against plain upsampling, on drawn faces with a known full-size edit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.errors import ImageError

MAX_ASPECT = 4.0
"""Largest ratio of the longer to the shorter side that `fit` accepts."""

UNCHANGED, CHANGED = 4.0, 24.0
"""Changes of a pixel, in levels of 0..255: up to the first it keeps the source's detail, from the second on none."""


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

            restored = source + resize(edited - fitted) - m * (source - resize(fitted))

        The first two terms carry the change to the source. They keep its detail everywhere, also that of a mouth or a
        frown that is no longer there. The third term takes the detail away where the picture changed: there m is 1, and
        the result is the resized edit. m is 0 where the largest change of a channel is UNCHANGED levels or less, 1 from
        CHANGED levels on, linear between, and resized bilinearly. All else is Lanczos resampling in floats, rounded and
        clipped to 0..255. If `edited` equals `fitted`, the result equals `source` bit for bit. If the picture was not
        resized, the result equals `edited` bit for bit.

        `edited` is an RGB image of the size of `fitted`; anything else raises `ImageError`.
        """
        check_rgb(edited)
        if edited.size != self.fitted.size:
            raise ImageError(f"the edited picture is {edited.size}: it must have the fitted size {self.fitted.size}")
        if not self.resized:
            return edited.copy()
        resample = partial(_resized, size=self.source.size)
        changed = resample(changed_share(self.fitted, edited), how=Image.Resampling.BILINEAR)
        channels = zip(self.source.split(), self.fitted.split(), edited.split(), strict=True)
        planes = [carry(_floats(s), _floats(f), _floats(e), changed, resample) for s, f, e in channels]
        return Image.merge("RGB", [_plane(plane) for plane in planes])


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


def changed_share(fitted: Image.Image, edited: Image.Image) -> NDArray[np.float32]:
    """How much of each pixel is taken as changed, (height, width) in 0..1, of two RGB images of one size."""
    change = np.abs(_floats(edited) - _floats(fitted)).max(axis=2)
    return np.clip((change - UNCHANGED) / (CHANGED - UNCHANGED), 0, 1).astype(np.float32)


def carry(
    source: NDArray[np.float32],
    fitted: NDArray[np.float32],
    edited: NDArray[np.float32],
    changed: NDArray[np.float32],
    resample: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """One channel of an edit, carried to its source by the formula of `Fit.restore`; neither rounded nor clipped.

    `resample` turns a plane that lies as `fitted` and `edited` into one that lies as `source` and `changed`.
    """
    detail = source - resample(fitted)
    return source + resample(edited - fitted) - changed * detail


def _plane(values: NDArray[np.float32]) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _floats(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image, dtype=np.float32)


def _resized(
    values: NDArray[np.float32], size: tuple[int, int], how: Image.Resampling = Image.Resampling.LANCZOS
) -> NDArray[np.float32]:
    """Values (height, width) at another `size` (width, height)."""
    return np.asarray(Image.fromarray(values).resize(size, how), dtype=np.float32)


def check_rgb(image: Image.Image) -> None:
    """Raise `ImageError` unless `image` is a PIL image of mode RGB."""
    if not isinstance(image, Image.Image) or image.mode != "RGB":
        found = f"mode {image.mode}" if isinstance(image, Image.Image) else type(image).__name__
        raise ImageError(f"expected a PIL image of mode RGB, got {found}: pass it through open_image first")
