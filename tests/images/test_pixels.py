"""Tests of the conversion between images and float arrays, and of the peak signal-to-noise ratio."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from pxs.errors import ImageError
from pxs.images import from_array, psnr, to_array


def test_array_round_trip(noise: Callable) -> None:
    array = to_array(noise(40, 30))
    assert (array.shape, array.dtype) == ((30, 40, 3), np.float32)
    assert array.min() == 0
    assert array.max() == 1
    assert from_array(array).tobytes() == noise(40, 30).tobytes()


def test_from_array_rounds_and_clips(pixels_of: Callable) -> None:
    values = np.array([-3.0, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.0, 7.0]).reshape(1, 2, 3)
    assert pixels_of(from_array(values)).ravel().tolist() == [0, 0, 1, 255, 255, 255]


def test_invalid_images_and_arrays_are_refused() -> None:
    with pytest.raises(ImageError, match="mode L"):
        to_array(Image.new("L", (4, 4)))
    for array in [np.zeros((4, 4)), np.zeros((4, 4, 4)), np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4, 3))]:
        with pytest.raises(ImageError, match="not a picture of floats"):
            from_array(array)
    for bad in [np.nan, np.inf]:
        array = np.zeros((4, 4, 3))
        array[1, 2, 0] = bad
        with pytest.raises(ImageError, match="1 of 48"):
            from_array(array)


def test_psnr_with_and_without_a_mask() -> None:
    a, b = np.zeros((8, 8, 3)), np.full((8, 8, 3), 0.1)
    assert psnr(a, b) == pytest.approx(20)
    assert psnr(a, a) == math.inf
    b[:4] = 0
    assert psnr(a, b) == pytest.approx(20 + 10 * math.log10(2))
    mask = np.zeros((8, 8), bool)
    mask[:4] = True
    assert psnr(a, b, mask) == math.inf
    assert psnr(a, b, ~mask) == pytest.approx(20)


def test_psnr_refuses_other_shapes_and_invalid_masks() -> None:
    a = np.zeros((8, 8, 3))
    with pytest.raises(ImageError, match="shapes"):
        psnr(a, np.zeros((8, 1, 3)))
    for mask in [np.ones((8, 8)), np.ones((8, 4), bool)]:
        with pytest.raises(ImageError, match="does not fit"):
            psnr(a, a, mask)
    with pytest.raises(ImageError, match="no pixel"):
        psnr(a, a, np.zeros((8, 8), bool))
