"""Converts between images and arrays in [0, 1], and compares two pictures by PSNR."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.errors import ImageError
from pxs.images.fitting import check_rgb

Box = tuple[float, float, float, float]
"""A rectangle in a picture: left, top, right and bottom, in pixels."""


def to_array(image: Image.Image) -> NDArray[np.float32]:
    """Return an RGB image as a float32 array of shape (height, width, 3) in [0, 1].

    Raises `ImageError` for an image of another mode.
    """
    check_rgb(image)
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def from_array(array: NDArray[np.floating]) -> Image.Image:
    """Return a float array of shape (height, width, 3) in [0, 1] as an RGB image.

    Values are clipped to [0, 1] and rounded to the nearest of 256 levels. Raises `ImageError` for another shape, for an
    array of integers, and for NaN or infinite values.
    """
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape or not np.issubdtype(array.dtype, np.floating):
        raise ImageError(
            f"an array of type {array.dtype} and shape {array.shape} is not a picture of floats: "
            "give shape (height, width, 3) with values in [0, 1]"
        )
    invalid = int(np.count_nonzero(~np.isfinite(array)))
    if invalid:
        raise ImageError(f"{invalid} of {array.size} values are NaN or infinite: check the computation that made them")
    return Image.fromarray(np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8))


def psnr(a: NDArray[np.floating], b: NDArray[np.floating], mask: NDArray[np.bool_] | None = None) -> float:
    """Return the peak signal-to-noise ratio of two pictures, in decibels (dB); infinity for equal pictures.

    `a` and `b` are float arrays of the same shape (height, width, 3) in [0, 1]. `mask` is a bool array of shape
    (height, width); only the pixels where it is True count. Raises `ImageError` when the shapes differ, when `mask` has
    another dtype or shape, and when it selects no pixel.
    """
    if a.shape != b.shape or a.ndim != 3 or a.size == 0:
        raise ImageError(f"cannot compare pictures of shapes {a.shape} and {b.shape}: give two of one size")
    squares = (a.astype(np.float64) - b.astype(np.float64)) ** 2
    if mask is not None:
        _check_mask(mask, a.shape[:2])
        squares = squares[mask]
    error = float(squares.mean())
    return math.inf if error == 0 else -10 * math.log10(error)


def _check_mask(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> None:
    if mask.dtype != np.bool_ or mask.shape != shape:
        raise ImageError(f"a mask of type {mask.dtype} and shape {mask.shape} does not fit: give bool of shape {shape}")
    if not mask.any():
        raise ImageError("the mask selects no pixel: mark at least one as True")
