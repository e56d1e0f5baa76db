"""AttributeControl without training ("naive"): the mean difference of the prompts' embeddings, at one token.

The subject's token comes before the expression's word, and the text encoder looks back only, so the difference is zero
there: it is added to the word of the expression instead, in the neutral prompt. What the article takes as a mean over
prompts is here the difference for the portrait itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from pxs.benchmark.methods.linear import Linear, intensities, prompts
from pxs.editing.conditioning import WORD
from pxs.editing.portrait import Portrait
from pxs.editing.sampling import DenoisingStep
from pxs.editing.sliders.slider import added


class NaiveAttributeControl(Linear):
    """The neutral prompt whose word moves towards that of the expression."""

    name = "attributecontrol_naive"

    def steps_of(self, portrait: Portrait, expression: str, weights: Tensor) -> Iterator[DenoisingStep]:
        """Denoise under the neutral prompt with its word moved by the intensities."""
        c = self.context
        neutral, target = prompts(portrait, expression, len(weights))
        change = intensities(weights, expression)[:, None] * (target - neutral)[:, WORD].float()
        return portrait.denoise(added(neutral, WORD, change), c.seed, c.steps)
