"""SAEdit (arXiv 2510.05081): a direction among the features of a sparse autoencoder, added to one token of the prompt.

    z = TopK(relu(E (x / |x|) + b)),  x ~ |x| (D z + c)      |x|: the root mean square of an embedding
    g = unit of max(pool z(expression) - pool z(neutral), 0), its FEATURES largest entries; pool: largest of all tokens
    e'_row = e_row + |e_row| D (w g),  w = min(exp(15 alpha t) - 1, 15 alpha) at the share t of the denoising

As the decoder is linear, this is dec(z + w g) - dec(z) added to the embedding, so intensity 0 changes nothing; the
article replaces the embedding by its reconstruction. It takes g from 102 pairs of sentences, here it is from the two
prompts about the portrait; and the row is that of the expression's word, since the subject comes before it. The article
trains 65,536 features on 800 million tokens, this 4 times the width on the prompts of the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pxs.editing.conditioning import WORD
from pxs.editing.sliders.slider import Slider, added

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel

TOKENS = 13  # rows from the end: the instruction and what follows it
WIDER, ACTIVE, FEATURES = 4, 16, 8
GAIN = 15.0


class SAEdit(Slider):
    """The sparse autoencoder of the text encoder's embeddings."""

    def __init__(self, transformer: QwenImageTransformer2DModel, seed: int = 0) -> None:
        super().__init__(transformer, seed)
        width = transformer.config.joint_attention_dim
        generator = torch.Generator().manual_seed(seed)
        features = F.normalize(torch.randn(WIDER * width, width, generator=generator), dim=1)
        self.encoder, self.decoder = nn.Parameter(features), nn.Parameter(features.T.clone())
        self.threshold, self.centre = nn.Parameter(torch.zeros(WIDER * width)), nn.Parameter(torch.zeros(width))

    def codes(self, text: Tensor) -> Tensor:
        """The features (..., K) of embeddings (..., D), at most ACTIVE of them above 0."""
        every = F.relu(F.linear(_unit(text) - self.centre, self.encoder, self.threshold))
        least = every.topk(ACTIVE, dim=-1).values[..., -1:]
        return torch.where(every >= least, every, torch.zeros_like(every))

    def error(self, text: Tensor) -> Tensor:
        """The mean squared error of the reconstruction of embeddings (..., D) of root mean square 1, a scalar."""
        return F.mse_loss(F.linear(self.codes(text), self.decoder) + self.centre, _unit(text))

    def direction(self, neutral: Tensor, text: Tensor) -> Tensor:
        """The direction D g (N, D) from embeddings (N, L, D) of the neutral prompt and of the expressions'."""
        pooled = [self.codes(rows[:, -TOKENS:].float()).amax(dim=1) for rows in (text, neutral)]
        gain = F.relu(pooled[0] - pooled[1])
        least = gain.topk(FEATURES, dim=-1).values[:, -1:]
        return F.linear(F.normalize(torch.where(gain >= least, gain, torch.zeros_like(gain)), dim=1), self.decoder)

    def paced(self, weights: Tensor, share: float) -> Tensor:
        """The weights w at a share of the denoising."""
        return torch.minimum((GAIN * weights * share).exp() - 1, GAIN * weights)

    def steer(self, neutral: Tensor, text: Tensor, weights: Tensor) -> Tensor:
        """The neutral prompt with the direction added to its word."""
        scale = neutral[:, WORD].float().square().mean(dim=1, keepdim=True).sqrt()
        return added(neutral, WORD, weights.sum(dim=1, keepdim=True) * scale * self.direction(neutral, text))


def _unit(text: Tensor) -> Tensor:
    """Embeddings (..., D) divided by their root mean square."""
    return text / text.square().mean(dim=-1, keepdim=True).sqrt().clamp(min=1e-6)
