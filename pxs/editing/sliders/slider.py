"""`Slider`: what the methods of this room have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel
    from torch.utils.hooks import RemovableHandle


class Slider(nn.Module, ABC):
    """A method's trainable part. Untrained (but for SAEdit) it changes nothing: the transformer computes the same bits.

    Created from the transformer that it is for, and from the seed of its first weights.
    """

    def __init__(self, transformer: QwenImageTransformer2DModel, seed: int = 0) -> None:
        super().__init__()

    @abstractmethod
    def steer(self, neutral: Tensor, text: Tensor, weights: Tensor) -> Tensor:
        """Set the intensities of the batches to come; returns the embeddings (N, L, D) to run the transformer with.

        neutral, text (N, L, D): embeddings of the neutral prompt and of the prompt of each row's expression. weights
        (N, 12): the intensity at the expression of each row, else 0.
        """

    def paced(self, weights: Tensor, share: float) -> Tensor:
        """The weights (N, 12) to steer with at a share of the denoising, 0 at its first step, below 1 at its last."""
        return weights

    def rest(self) -> None:
        """Change nothing in the batches to come."""

    def hook(self, transformer: QwenImageTransformer2DModel) -> list[RemovableHandle]:
        """Register hooks on layers of the transformer; returns the handles that remove them."""
        return []


def added(text: Tensor, row: int, change: Tensor) -> Tensor:
    """Embeddings (N, L, D) with a change (N, D) added to one row, in the dtype of the embeddings."""
    place = torch.zeros(text.shape[1], device=text.device)
    place[row] = 1
    return (text + place[:, None] * change[:, None]).to(text.dtype)
