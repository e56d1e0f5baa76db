"""SliderEdit (arXiv 2511.09715), GST-LoRA: with a LoRA at full strength the expression's prompt gives the neutral edit.

Training has no targets: the LoRA learns to predict, under the expression's prompt, what the model predicts under the
neutral one. Its strength is then 1 - alpha: at 1 the edit is taken back, at 0 it is the model's own, below 0 it is
exaggerated. The article takes back to "keep the image the same"; here it is the neutral prompt, as for all methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from pxs.editing.sliders.lora import EVERY, GatedLora
from pxs.editing.sliders.slider import Slider

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel
    from torch.utils.hooks import RemovableHandle

RANK = 16


class SliderEdit(Slider):
    """One LoRA on all linear layers of the blocks."""

    def __init__(self, transformer: QwenImageTransformer2DModel, seed: int = 0) -> None:
        super().__init__(transformer, seed)
        self.lora = GatedLora(transformer, EVERY, 1, RANK, seed)

    def steer(self, neutral: Tensor, text: Tensor, weights: Tensor) -> Tensor:
        """The prompt of the expression, with the LoRA at 1 - alpha."""
        self.lora.gates = 1 - weights.sum(dim=1)[:, None, None]
        return text

    def rest(self) -> None:
        """Change nothing in the batches to come."""
        self.lora.gates = None

    def hook(self, transformer: QwenImageTransformer2DModel) -> list[RemovableHandle]:
        """Add the LoRA to the transformer."""
        return self.lora.hook(transformer)
