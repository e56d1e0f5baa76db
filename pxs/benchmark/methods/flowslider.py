"""FlowSlider (arXiv 2604.02088), without training: the source is moved along the flow by two differences of velocities.

    z_s = (1 - s) x + s n                    the source x with noise n at level s
    y_s = y + z_s - x                        the edit y with the same noise; at first y = x
    fidelity = v(y_s; neutral) - v(z_s; neutral),    steering = v(y_s; expression) - v(y_s; neutral)
    y <- y + (s' - s) (fidelity + alpha steering)    from level s to s'

The sum of both at alpha 1 is FlowEdit's update. At alpha 0 the edit is the source. The article works with models of
text alone; here all velocities also see the source, and its prompt is the neutral one.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pxs.benchmark.methods.linear import Linear, intensities, prompts
from pxs.editing.portrait import Portrait
from pxs.editing.sampling import DenoisingStep, pack, schedule


class FlowSlider(Linear):
    """The source moved by fidelity and steering."""

    name = "flowslider"

    @torch.inference_mode()
    def steps_of(self, portrait: Portrait, expression: str, weights: Tensor) -> Iterator[DenoisingStep]:
        """Move the source towards an expression, step by step."""
        c, editor = self.context, portrait.editor
        neutral, target = prompts(portrait, expression, len(weights))
        source = pack(portrait.latents).to(target)
        noise = editor.recipe.noise(c.seed, portrait.latents.shape[1], portrait.grid, target).to(target)
        own = schedule(editor.pipe.scheduler, c.steps, source.shape[1])
        times = own.timesteps.to(target) / 1000
        control, transformer = source, editor.pipe.transformer
        plain, edited = (editor.prepare(transformer, times, control, t, portrait.grid) for t in (neutral, target))
        alone = editor.prepare(transformer, times, control, neutral[:1], portrait.grid)
        alpha = intensities(weights, expression).to(target)[:, None, None]
        edit = source.expand(len(weights), -1, -1)
        for index, (level, following) in enumerate(zip(own.sigmas[:-1].tolist(), own.sigmas[1:].tolist(), strict=True)):
            noisy = source + level * (noise - source)
            moved = edit + noisy - source
            under_neutral = plain(index, moved)
            steering = edited(index, moved) - under_neutral
            edit = edit + (following - level) * (under_neutral - alone(index, noisy) + alpha * steering)
            yield DenoisingStep(index, c.steps, level, edit, edit)
