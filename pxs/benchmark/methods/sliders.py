"""The trained methods of linear control (pxs/editing/sliders), each with weights for one model.

Those for `mini` come with the package; `pxs train --method NAME` makes others, `--weights NAME=FILE` names them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pxs.benchmark.methods.context import BUNDLED, Context
from pxs.benchmark.methods.linear import Linear, prompts
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
    """A method of SLIDERS; its weights are loaded at the first use. Raises AdapterError for a file of another kind.

    `lacks` says how to make weights where there are none, and is else empty: a bench then goes on without the method.
    """

    def __init__(self, context: Context, name: str) -> None:
        super().__init__(context)
        self.name = name
        self.path = Path(context.weights.get(name, BUNDLED / f"{name}.safetensors"))
        self.how = f"train them with pxs train --method {name}, and give --weights {name}=FILE"
        self.lacks = "" if name in context.weights or self.path.is_file() else f"no weights: {self.how}"
        self.notes: Mapping[str, Any] = {} if self.lacks else read_notes(self.path, name)
        self._slider: Slider | None = None

    @property
    def provenance(self) -> dict[str, str]:
        """What an edit depends on, with the hash of the weights; raises as `slider`."""
        self.slider()
        return {**super().provenance, "weights_hash": file_hash(self.path)}

    @property
    def cost(self) -> Cost:
        """What its training cost; nothing where there are no weights."""
        return Cost(**self.notes.get("cost", {}))

    def supports(self, expression: str) -> bool:
        """Whether its weights were trained for an expression."""
        return expression in self.notes.get("expressions", ())

    def slider(self) -> Slider:
        """The method with its weights; raises ModelError for those of another model, AdapterError for damaged ones."""
        if self._slider is None:
            editor = self.context.editor(None)
            base = editor.checkpoint.fingerprint
            if self.notes.get("base") != base:
                raise ModelError(f"method {self.name!r} has no weights for {self.context.model!r}: {self.how}")
            slider = SLIDERS[self.name](editor.pipe.transformer)
            load_into(slider, self.path, self.name, base)
            self._slider = slider.requires_grad_(False).to(editor.pipe.transformer.device)
        return self._slider

    def steps_of(self, portrait: Portrait, expression: str, weights: Tensor) -> Iterator[DenoisingStep]:
        """Denoise under the embeddings that the slider gives, with its hooks."""
        c, slider = self.context, self.slider()
        neutral, target = prompts(portrait, expression, len(weights))
        prepare = paced(portrait.editor.prepare, slider, neutral, target, weights)
        with hooked(portrait.editor.pipe.transformer, slider):
            yield from portrait.denoise(target, c.seed, c.steps, prepare)


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
