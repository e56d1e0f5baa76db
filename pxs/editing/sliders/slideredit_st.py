"""SliderEdit (arXiv 2511.09715), ST-LoRA: in a prompt of several instructions, each has a slider of its own.

    y_t = W x_t + g_t B A x_t,   g_t = sum_i m_i(t) (1 - alpha_i)

m_i(t) is the share of instruction i in token t, see instructions.py; it is 0 for the tokens of the picture. The LoRA is
on the layers of the text stream alone. So up to the first attention a slider changes no token of another instruction.
At alpha 1 for all, the edit is the model's own by the whole prompt; at 0 the instruction is taken back.

Training has no targets: with the LoRA on the tokens of some instructions, the model must predict what it predicts under
a prompt of the others alone, and under the neutral prompt if there are none. The article trains prompts of up to three
of 35 instructions, this of one and of two: those of the targets of a row. Its text encoder looks both ways and its
prompts have no end that all instructions share; there the empty prompt stands for the neutral one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from pxs.editing.sliders.lora import TEXT, GatedLora
from pxs.editing.sliders.slider import Slider

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel
    from torch.utils.hooks import RemovableHandle

RANK = 16
TOKENS = 13
"""The tokens of one instruction and of what follows it, at the end of the prompt of one expression."""


class SelectiveSliderEdit(Slider):
    """One LoRA on the linear layers of the text stream, with a strength for every token."""

    def __init__(self, transformer: QwenImageTransformer2DModel, seed: int = 0) -> None:
        super().__init__(transformer, seed)
        self.lora = GatedLora(transformer, TEXT, 1, RANK, seed)

    def steer(self, neutral: Tensor, text: Tensor, weights: Tensor) -> Tensor:
        """The prompt of the expression, with the LoRA at 1 - alpha on the tokens of its instruction."""
        return self._at(text, (1 - weights.sum(dim=1, keepdim=True)).expand(-1, TOKENS))

    def steer_each(self, text: Tensor, shares: Tensor, weights: Tensor) -> Tensor:
        """The prompts of several instructions, with the LoRA at 1 - alpha of each on the tokens of its own.

        text (N, L, D): their embeddings. shares (T, 12) or (N, T, 12), T up to L: of the instruction of each expression
        in the last T tokens. weights (N, 12): the intensity of each.
        """
        return self._at(text, (shares * (1 - weights)[:, None]).sum(dim=-1))

    def _at(self, text: Tensor, strength: Tensor) -> Tensor:
        """Embeddings (N, L, D), with the LoRA at a strength (N, T) on their last T tokens."""
        self.lora.gates = F.pad(strength, (text.shape[1] - strength.shape[1], 0))[:, :, None]
        return text

    def rest(self) -> None:
        """Change nothing in the batches to come."""
        self.lora.gates = None

    def hook(self, transformer: QwenImageTransformer2DModel) -> list[RemovableHandle]:
        """Add the LoRA to the transformer."""
        return self.lora.hook(transformer)
