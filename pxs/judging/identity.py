"""Identity: images -> unit vectors whose cosine tells whether two pictures show the same face.

The judges here know drawn faces of this project; those for photographs are in arcface.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image

from pxs.encoders.networks import Embedder
from pxs.judging.weights import WEIGHTS


class IdentityJudge(Protocol):
    """Images -> unit vectors. `role` is "score" or "train", never both: what a loss looks through must not score."""

    name: str
    role: str

    def embed(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Unit vectors (N, D) float32, one an image (RGB, any size); raises JudgeError if the judge fails."""
        ...


class MiniIdentity(Embedder):
    """A small margin-softmax (ArcFace) network, trained on drawn faces to look past their expression."""

    name = "mini-identity"
    role = "score"
    weights, folder = "identity", WEIGHTS
