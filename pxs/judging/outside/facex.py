"""The network of the package facex: 200 x 200 grey pixels in three equal channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.expressions import NEUTRAL
from pxs.judging.outside.emotions import Emotions


class FacexJudge(Emotions):
    """Seven emotions by the package facex, whose weights alone are used."""

    name = "facex"
    file = "facex/assets/model_optimized.tflite"
    labels = ("angry", "disgust", "fear", "happy", NEUTRAL, "sad", "surprised")

    def pixels(self, grey: Image.Image) -> NDArray[np.float32]:
        """(200, 200, 3) in 0..1."""
        pixels: NDArray[np.float32] = np.asarray(grey.resize((200, 200)).convert("RGB"), np.float32)
        return pixels / np.float32(255)
