"""Features: images -> vectors in which pictures of like faces lie together, for the contrastive loss and for maps.

A `FeatureJudge` only looks through the eyes of a training or of a map: it never scores (its `role` is "train").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from pxs.expressions import EXPRESSIONS, Mix
from pxs.judging.networks import load_network, to_batch


class FeatureJudge(Protocol):
    """Images -> vectors. `role` is "train": what losses look through must never score."""

    name: str
    role: str

    def embed(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Unit vectors (N, D) float32, one an image (RGB, any size)."""
        ...

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Unit vectors (B, D) from pixels (B, 3, H, W) in [-1, 1], differentiable."""
        ...


class MiniFeatures:
    """The image tower of a small CLIP, trained with captions on drawn faces."""

    name = "mini-features"
    role = "train"

    def __init__(self) -> None:
        self.network = load_network("features", 64)

    @torch.inference_mode()
    def embed(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Unit vectors (N, 64) float32, one an image (RGB, any size)."""
        return self.embed_pixels(to_batch(list(images))).numpy()

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Unit vectors (B, 64) from pixels (B, 3, 128, 128) in [-1, 1], differentiable."""
        return F.normalize(self.network(pixels.float()), dim=1)


STRENGTHS = ((0.35, "slightly"), (0.75, "clearly"), (float("inf"), "very"))
WORDS = (
    *("person", "character", "cropped", "side", "bob", "long", "bun", "curly", "none", "round", "square", "neutral"),
    *(f"{strength} {expression}" for _, strength in STRENGTHS for expression in EXPRESSIONS),
)


def caption(subject: str, hairstyle: str, glasses: str, mix: Mix) -> str:
    """What a caption says of a drawn face: subject, hair, glasses, and each expression with its strength."""
    shown = [f"{next(word for top, word in STRENGTHS if a <= top)} {e}" for e, a in mix.items()] or ["neutral"]
    return ", ".join([subject, hairstyle, glasses, *shown])


class TextTower(nn.Module):
    """Captions as word counts (B, V) -> unit vectors (B, size)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.embed = nn.Linear(len(WORDS), 128, bias=False)
        self.project = nn.Sequential(nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, size))

    def forward(self, counts: Tensor) -> Tensor:
        return F.normalize(self.project(self.embed(counts)).float(), dim=1)

    @staticmethod
    def count(text: str) -> Tensor:
        """Word counts (V,) float32 of a caption as `caption` writes it; unknown words are left out."""
        parts = re.split(r",\s*", text)
        return torch.tensor([float(parts.count(word)) for word in WORDS])
