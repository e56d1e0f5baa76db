"""Identity encoders: frozen networks that embed the identity of a face, for the identity loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from pxs.encoders.networks import Embedder


class IdentityEncoder(Protocol):
    """Faces in pixels -> unit vectors. `role` is "train": an encoder of a loss never scores."""

    name: str
    role: str

    def landmarks(self, pixels: Tensor, names: Sequence[str] | None = None) -> Tensor:
        """Landmarks (B, P, 2) of the faces in pixels (B, 3, H, W) floating in [-1, 1], for their alignment.

        A landmark is (x, y) in pixels. Not differentiable. Raises JudgeError for a picture without a face; the message
        contains its entry in `names`.
        """
        ...

    def embed_pixels(self, pixels: Tensor, landmarks: Tensor) -> Tensor:
        """Unit vectors (B, D) float32 of the faces at `landmarks` (B, P, 2) in pixels (B, 3, H, W) in [-1, 1].

        Differentiable in `pixels`.
        """
        ...


class MiniIdentityEncoder(Embedder):
    """A small margin-softmax (ArcFace) network for drawn faces, trained on other people than the identity judge."""

    name = "mini-identity-loss"
    role = "train"
    weights = "identity"

    def landmarks(self, pixels: Tensor, names: Sequence[str] | None = None) -> Tensor:
        """An empty tensor (B, 0, 2): drawn faces are aligned. `pixels` (B, 3, H, W)."""
        return pixels.new_empty(len(pixels), 0, 2)

    def embed_pixels(self, pixels: Tensor, landmarks: Tensor | None = None) -> Tensor:
        """Unit vectors (B, 64) float32 from pixels (B, 3, 128, 128) in [-1, 1], differentiable; ignores `landmarks`."""
        return super().embed_pixels(pixels)
