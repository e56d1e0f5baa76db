"""SliderEdit's ST: the mix becomes a prompt with one instruction for each of its expressions, each with a slider.

happy 0.5 + surprised 1 is edited by "... happy expression and ... surprised expression", with the slider of the first
instruction at a half and that of the second at full. A mix of one expression is edited by its own prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from PIL import Image
from torch import Tensor

from pxs.benchmark.methods.context import Context
from pxs.benchmark.methods.sliders import Trained
from pxs.data.tasks import Task
from pxs.editing.portrait import Portrait
from pxs.editing.sampling import DenoisingStep
from pxs.editing.sliders import ST
from pxs.editing.sliders.instructions import joint_prompt, shares
from pxs.editing.sliders.registry import hooked
from pxs.editing.sliders.slideredit_st import SelectiveSliderEdit
from pxs.errors import DataError
from pxs.expressions import Mix


class Selective(Trained):
    """ST with its weights; unlike the other methods it edits mixes of several expressions."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, ST)

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """One edit a mix; the prompt of one without any expression is that of the task's, with its slider at 0.

        Raises DataError for an expression that the weights were not trained for, ModelError as `slider`.
        """
        self.slider()
        if wrong := [word for mix in mixes for word in mix if not self.supports(word)]:
            raise DataError(f"{self.name} was not trained for {wrong[0]}: leave it out, or give other weights")
        portrait = self.context.editor(None).open(task.open(), task.domain)
        named = [tuple(mix) or (task.expression,) for mix in mixes]
        edits: dict[int, Image.Image] = {}
        for words in dict.fromkeys(named):
            places = [i for i, own in enumerate(named) if own == words]
            steps = partial(self.steps_of_each, portrait, words)
            edits |= zip(places, self.edited(portrait, [mixes[i] for i in places], steps), strict=True)
        return [edits[i] for i in range(len(mixes))]

    def steps_of_each(self, portrait: Portrait, words: Sequence[str], weights: Tensor) -> Iterator[DenoisingStep]:
        """Denoise under the joint prompt of several expressions, each with a slider, at intensities weights (N, 12)."""
        c, slider, pipe = self.context, self.slider(), portrait.editor.pipe
        assert isinstance(slider, SelectiveSliderEdit)
        text = embedded(portrait, words).expand(len(weights), -1, -1)
        own = slider.steer_each(text, shares(pipe, words, portrait.domain).to(weights), weights)
        with hooked(pipe.transformer, slider):
            yield from portrait.denoise(own, c.seed, c.steps)


def embedded(portrait: Portrait, words: Sequence[str]) -> Tensor:
    """Embeddings (L, D) of the joint prompt of some expressions about a portrait."""
    if len(words) == 1:
        return portrait.embeddings[words[0]]
    editor = portrait.editor
    return editor.encode_prompts(editor.pipe, portrait.prepared.described, [joint_prompt(words, portrait.domain)])[0]
