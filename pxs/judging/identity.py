"""Identity: images -> unit vectors whose cosine tells whether two pictures show the same face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from pxs.judging.networks import load_network, to_batch


class IdentityJudge(Protocol):
    """Images -> unit vectors. `role` is "score" or "train", never both: what a loss looks through must not score."""

    name: str
    role: str

    def embed(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Unit vectors (N, D) float32, one an image (RGB, any size); raises JudgeError if the judge fails."""
        ...


class MiniIdentity:
    """A small margin-softmax (ArcFace) network, trained on drawn faces to look past their expression."""

    name = "mini-identity"
    role = "score"
    weights = "identity"

    def __init__(self) -> None:
        self.network = load_network(self.weights, 64)

    @torch.inference_mode()
    def embed(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Unit vectors (N, 64) float32, one an image (RGB, any size)."""
        return self.embed_pixels(to_batch(list(images))).numpy()

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Unit vectors (B, 64) from pixels (B, 3, 128, 128) in [-1, 1], differentiable."""
        return F.normalize(self.network(pixels.float()), dim=1)


class MiniIdentityLoss(MiniIdentity):
    """The same architecture, trained on other people: the one that training losses look through."""

    name = "mini-identity-loss"
    role = "train"
    weights = "identity_loss"
