"""Identity: images -> unit vectors whose cosine tells whether two pictures show the same face.

The judges here know drawn faces of this project; those for photographs are in arcface.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image
from torch import Tensor

from pxs.judging.networks import Embedder

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a face, in pixels."""


class IdentityJudge(Protocol):
    """Images -> unit vectors. `role` is "score" or "train", never both: what a loss looks through must not score."""

    name: str
    role: str

    def embed(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Unit vectors (N, D) float32, one an image (RGB, any size); raises JudgeError if the judge fails."""
        ...


class IdentityLoss(Protocol):
    """What an identity loss looks through: faces in pixels -> unit vectors. `role` is "train"."""

    name: str
    role: str

    def landmarks(self, pixels: Tensor, names: Sequence[str] | None = None) -> Tensor:
        """Points (B, P, 2) to align the faces in pixels (B, 3, H, W) in [-1, 1] by; those of true pictures.

        Not differentiable. Raises JudgeError for a picture without a face, which it calls by its name in `names`.
        """
        ...

    def embed_pixels(self, pixels: Tensor, landmarks: Tensor) -> Tensor:
        """Unit vectors (B, D) of the faces at `landmarks` in pixels (B, 3, H, W) in [-1, 1], differentiable."""
        ...


class MiniIdentity(Embedder):
    """A small margin-softmax (ArcFace) network, trained on drawn faces to look past their expression."""

    name = "mini-identity"
    role = "score"
    weights = "identity"


class MiniIdentityLoss(MiniIdentity):
    """The same architecture, trained on other people: the one that training losses look through."""

    name = "mini-identity-loss"
    role = "train"
    weights = "identity_loss"

    def landmarks(self, pixels: Tensor, names: Sequence[str] | None = None) -> Tensor:
        """None, (B, 0, 2): drawn faces lie where they should."""
        return pixels.new_empty(len(pixels), 0, 2)

    def embed_pixels(self, pixels: Tensor, landmarks: Tensor | None = None) -> Tensor:
        """Unit vectors (B, 64) from pixels (B, 3, 128, 128) in [-1, 1], differentiable; `landmarks` do not matter."""
        return super().embed_pixels(pixels)
