"""K-Slider (Kontinuous Kontext, arXiv 2510.08532): a scale and the instruction predict an offset of the modulation.

    PE(s) = [sin(pi s), cos(pi s)];  [shift, scale] = MLP([Linear(PE(s)), words])

It is added to shift and scale of the text stream before its MLP, the same in all blocks and at all steps. The article
feeds the pooled CLIP embedding of the instruction; this architecture has none, so `words` is the mean of the
instruction's tokens. A LoRA of rank 4 on all layers is trained with it. The last layer starts at zero. Scales are those
of the article, 0..1: more is cut to 1, since sine and cosine repeat.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pxs.editing.sliders.lora import EVERY, GatedLora
from pxs.editing.sliders.slider import Slider

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel
    from torch.utils.hooks import RemovableHandle

HIDDEN = 256  # width of the network; 6144 as published, for prompts of all kinds
RANK = 4
INSTRUCTION = slice(-13, -5)
"""The rows of the instruction in the embeddings of a prompt, counted from the end."""


class TextModulation(nn.Module):
    """The offset of the text's modulation; `offsets` (B, 2, d): shift and scale of the batches to come, None is off."""

    def __init__(self, transformer: QwenImageTransformer2DModel, hidden: int, seed: int = 0) -> None:
        super().__init__()
        words, width = transformer.config.joint_attention_dim, transformer.inner_dim
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.position = nn.Linear(2, hidden)
            sizes = (hidden + words, hidden, hidden, hidden)
            layers = [nn.Sequential(nn.Linear(a, b), nn.ReLU()) for a, b in zip(sizes, sizes[1:], strict=False)]
            self.network = nn.Sequential(*layers, nn.Linear(hidden, 2 * width))
        last: Any = self.network[-1]
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.offsets: Tensor | None = None
        self._normed: dict[nn.Module, Tensor] = {}

    def forward(self, scales: Tensor, text: Tensor) -> Tensor:
        """The offsets (B, 2, d) for scales (B,) in 0..1 and embeddings of prompts (B, L, D)."""
        angles = math.pi * scales.to(self.position.weight)
        position = self.position(torch.stack([angles.sin(), angles.cos()], dim=-1))
        words = text[:, INSTRUCTION].to(position).mean(dim=1)
        offsets: Tensor = self.network(torch.cat([position, words], dim=-1)).unflatten(-1, (2, -1))
        return offsets

    def hook(self, transformer: QwenImageTransformer2DModel) -> list[RemovableHandle]:
        """Add the offsets in every block of the transformer; returns the handles that remove them.

        The block computes n (1 + scale) + shift of the normalised text n and gives it to its MLP. The offset adds
        n d_scale + d_shift to what the MLP gets.
        """
        handles = []
        for block in transformer.transformer_blocks:
            keep, add = self._hooks(block.txt_mlp)
            handles += [block.txt_norm2.register_forward_hook(keep), block.txt_mlp.register_forward_pre_hook(add)]
        return handles

    def _hooks(self, block: nn.Module) -> tuple[Any, Any]:
        def keep(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            self._normed[block] = output

        def add(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
            normed = self._normed.pop(block)
            if self.offsets is None:
                return None
            shift, scale = self.offsets.to(normed).unsqueeze(2).unbind(1)
            return (args[0] + normed * scale + shift, *args[1:])

        return keep, add


class KSlider(Slider):
    """The offset of the modulation and the LoRA."""

    def __init__(self, transformer: QwenImageTransformer2DModel, seed: int = 0) -> None:
        super().__init__(transformer, seed)
        self.modulation = TextModulation(transformer, HIDDEN, seed)
        self.lora = GatedLora(transformer, EVERY, 1, RANK, seed)

    def steer(self, neutral: Tensor, text: Tensor, weights: Tensor) -> Tensor:
        """The prompt of the expression, with the scale in the modulation."""
        self.modulation.offsets = self.modulation(weights.sum(dim=1).clamp(0, 1), text)
        self.lora.gates = weights.new_ones(len(text), 1, 1)
        return text

    def rest(self) -> None:
        """Change nothing in the batches to come."""
        self.modulation.offsets = self.lora.gates = None

    def hook(self, transformer: QwenImageTransformer2DModel) -> list[RemovableHandle]:
        """Add both parts to the transformer."""
        return [*self.modulation.hook(transformer), *self.lora.hook(transformer)]
