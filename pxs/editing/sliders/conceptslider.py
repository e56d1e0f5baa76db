"""ConceptSlider (arXiv 2311.12092): a small LoRA for each expression, under the neutral prompt; its strength is alpha.

Trained from text, strength +1 or -1 must predict v_neutral +/- (v_expression - v_neutral), the model's own velocities.
Trained from pictures ("visual slider"), strength score must predict the velocity towards the picture with that score.
The LoRAs act on the attention of the image tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from pxs.editing.sliders.lora import IMAGE_ATTENTION, GatedLora
from pxs.editing.sliders.slider import Slider
from pxs.expressions import EXPRESSIONS

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel
    from torch.utils.hooks import RemovableHandle

RANK = 4


class ConceptSlider(Slider):
    """12 LoRAs, trained from text."""

    def __init__(self, transformer: QwenImageTransformer2DModel, seed: int = 0) -> None:
        super().__init__(transformer, seed)
        self.lora = GatedLora(transformer, IMAGE_ATTENTION, len(EXPRESSIONS), RANK, seed)

    def steer(self, neutral: Tensor, text: Tensor, weights: Tensor) -> Tensor:
        """The neutral prompt, with each LoRA at its intensity."""
        self.lora.gates = weights[:, None]
        return neutral

    def rest(self) -> None:
        """Change nothing in the batches to come."""
        self.lora.gates = None

    def hook(self, transformer: QwenImageTransformer2DModel) -> list[RemovableHandle]:
        """Add the LoRAs to the transformer."""
        return self.lora.hook(transformer)


class VisualConceptSlider(ConceptSlider):
    """12 LoRAs, trained from pictures."""
