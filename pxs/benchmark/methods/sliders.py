"""The trained methods of linear control (pxs/editing/sliders), each with weights for one model.

Those for `mini` come with the package; `pxs train --method NAME` makes others, `--weights NAME=FILE` names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pxs.benchmark.methods.context import BUNDLED, Context
from pxs.benchmark.methods.linear import Linear, denoised, prompts
from pxs.editing.portrait import Portrait
from pxs.editing.sampling import DenoisingStep, Grid, Prepare, Velocity
from pxs.editing.sliders.files import Cost, load_into, read_notes
from pxs.editing.sliders.registry import SLIDERS, hooked
from pxs.editing.sliders.slider import Slider
from pxs.errors import ModelError
from pxs.storage.hashes import file_hash

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel


class Trained(Linear):
    """A method of SLIDERS; its weights are loaded at the first use."""

    def __init__(self, context: Context, name: str) -> None:
        super().__init__(context)
        self.name = name
        self._slider: Slider | None = None

    @property
    def provenance(self) -> dict[str, str]:
        """What an edit depends on, with the hash of the weights."""
        return {**super().provenance, "weights_hash": file_hash(self.file)}

    @property
    def file(self) -> Path:
        """The file of the weights; raises ModelError if none is named and none comes with the package."""
        named = self.context.weights.get(self.name)
        path = Path(named) if named else BUNDLED / f"{self.name}.safetensors"
        if not named and read_notes(path)["base"] != self.context.editor(None).checkpoint.fingerprint:
            raise ModelError(
                f"method {self.name!r} has no weights for {self.context.model!r}: train them with pxs train --method "
                f"{self.name}, and give --weights {self.name}=FILE"
            )
        return path

    @property
    def cost(self) -> Cost:
        """What its training cost."""
        return Cost(**read_notes(self.file)["cost"])

    def supports(self, expression: str) -> bool:
        """Whether its weights were trained for an expression."""
        return expression in read_notes(self.file)["expressions"]

    def slider(self) -> Slider:
        """The method with its weights."""
        if self._slider is None:
            editor = self.context.editor(None)
            slider = SLIDERS[self.name](editor.pipe.transformer)
            load_into(slider, self.file, self.name, editor.checkpoint.fingerprint)
            self._slider = slider.requires_grad_(False).to(editor.pipe.transformer.device)
        return self._slider

    def steps_of(self, portrait: Portrait, expression: str, weights: Tensor) -> Iterator[DenoisingStep]:
        """Denoise under the embeddings that the slider gives, with its hooks."""
        c, slider = self.context, self.slider()
        neutral, target = prompts(portrait, expression, len(weights))
        prepare = paced(portrait.editor.prepare, slider, neutral, target, weights)
        with hooked(portrait.editor.pipe.transformer, slider):
            yield from denoised(portrait, target, c.seed, c.steps, prepare)
        slider.rest()


def paced(prepare: Prepare, slider: Slider, neutral: Tensor, target: Tensor, weights: Tensor) -> Prepare:
    """`prepare` under the embeddings that a slider gives for the weights (N, 12) of each step.

    neutral, target (N, L, D): embeddings of the neutral prompt and of the expression's.
    """

    def prepared(
        transformer: QwenImageTransformer2DModel, times: Tensor, control: Tensor, text: Tensor, grid: Grid
    ) -> Velocity:
        known: list[tuple[Tensor, Velocity]] = []

        def velocity(index: int, latents: Tensor) -> Tensor:
            now = slider.paced(weights, index / len(times))
            if not known or not torch.equal(known[0][0], now):
                own = slider.steer(neutral, target, now)
                known[:] = [(now, prepare(transformer, times, control, own, grid))]
            return known[0][1](index, latents)

        return velocity

    return prepared
