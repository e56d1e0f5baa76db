"""Identity encoders: the frozen networks that an identity loss compares faces with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from pxs.encoders.networks import Embedder


class IdentityEncoder(Protocol):
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


class MiniIdentityEncoder(Embedder):
    """A small margin-softmax (ArcFace) network, trained on other people than the judge of identity."""

    name = "mini-identity-loss"
    role = "train"
    weights = "identity"

    def landmarks(self, pixels: Tensor, names: Sequence[str] | None = None) -> Tensor:
        """None, (B, 0, 2): drawn faces lie where they should."""
        return pixels.new_empty(len(pixels), 0, 2)

    def embed_pixels(self, pixels: Tensor, landmarks: Tensor | None = None) -> Tensor:
        """Unit vectors (B, 64) from pixels (B, 3, 128, 128) in [-1, 1], differentiable; `landmarks` do not matter."""
        return super().embed_pixels(pixels)
