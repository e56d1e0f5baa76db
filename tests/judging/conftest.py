"""Pictures for the tests of several judges."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def picture():
    """A function that creates a picture of independent random pixels."""

    def make(seed=0, size=(40, 30)):
        values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        return Image.fromarray(values)

    return make
