"""AttributeControl (arXiv 2403.17064): a vector for each expression, added to one token of the neutral prompt.

    e'_row = e_row + sum_i alpha_i d_i

The row is that of the subject, "person" or "character", as published. Under it the model must predict
v_neutral + alpha (v_expression - v_neutral). The first fifth of the steps runs without the vectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pxs.editing.sliders.slider import Slider, added
from pxs.expressions import EXPRESSIONS

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel

SUBJECT = -11  # row of the word "person" or "character" in the embeddings of a prompt, counted from the end
DELAY = 0.2


class AttributeControl(Slider):
    """Vectors (12, D), at first zero."""

    def __init__(self, transformer: QwenImageTransformer2DModel, seed: int = 0) -> None:
        super().__init__(transformer, seed)
        self.vectors = nn.Parameter(torch.zeros(len(EXPRESSIONS), transformer.config.joint_attention_dim))

    def paced(self, weights: Tensor, share: float) -> Tensor:
        """0 in the first fifth of the denoising."""
        return weights if share >= DELAY else torch.zeros_like(weights)

    def steer(self, neutral: Tensor, text: Tensor, weights: Tensor) -> Tensor:
        """The neutral prompt, with the vectors added to the subject."""
        return added(neutral, SUBJECT, weights.to(self.vectors) @ self.vectors)
