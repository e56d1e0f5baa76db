"""Identity judges: images -> unit vectors whose cosine is high if two pictures show the same person.

`MiniIdentity` judges the drawn faces of this project; the judge of photographs is in arcface.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.encoders.networks import Embedder
from pxs.judging.weights import WEIGHTS


class IdentityJudge(Protocol):
    """Images -> unit vectors. `role` is "score": a judge is never part of a training loss."""

    name: str
    role: str

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Unit vectors (N, D), one per image (any mode and size).

        Raises UnjudgedError if it fails on some images, JudgeSetupError if it can judge none, both of them JudgeErrors.
        """
        ...


class MiniIdentity(Embedder):
    """A small margin-softmax (ArcFace) network, trained on drawn faces to ignore the expression."""

    name = "mini-identity"
    role = "score"
    weights, folder = "identity", WEIGHTS
