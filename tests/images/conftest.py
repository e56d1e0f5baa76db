"""Functions that several tests of pictures share: one makes a picture of noise, one gives pixels to compute with."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

RNG_SEED = 7


@pytest.fixture(scope="session")
def noise() -> Callable[..., Image.Image]:
    """The function that makes an RGB picture of independent random pixels."""

    def make(width: int, height: int, seed: int = RNG_SEED) -> Image.Image:
        values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        return Image.fromarray(values)

    return make


@pytest.fixture(scope="session")
def pixels_of() -> Callable[[Image.Image], np.ndarray]:
    """The function that gives the pixels of a picture as whole numbers that can be subtracted."""
    return lambda image: np.asarray(image).astype(int)
