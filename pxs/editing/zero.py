"""What intensity 0 gives: a neutral face, or the source itself.

    neutral   the edit by the neutral prompt, as PixelSmile has it: a face that the model draws anew
    source    the source; from intensity FULL on the edits are those of "neutral", to the bit

The flow from noise n to the latents z of the source is x_s = (1 - s) z + s n at noise level s. Its velocity is n - z.
The model, under the neutral prompt, predicts another; the difference is what it loses of the source:

    loss_s = n - z - v(x_s; neutral)
    v'(x) = v(x; mix) + (1 - w) loss_s,    w = min(a / FULL, 1),  a: the largest intensity of the mix, without its sign

At intensity 0 this leads to z, step by step. What the VAE loses of the source is added to the picture in the same way,
with weight 1 - w. Adaptive-origin guidance (arXiv 2602.03826) instead moves from the velocity under a learnt prompt to
the model's own; with the exact velocity of the source in its place, that holds small intensities back.
`python -m analysis.origin` compares these ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pxs.errors import ModelError, shown
from pxs.expressions import Mix
from pxs.images import from_array, to_array

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel
    from torch import Tensor

    from pxs.editing.sampling import Grid, Prepare, Velocity

ZEROS = ("neutral", "source")
FULL = 1.0  # the intensity from which on an edit is the model's alone


def check_zero(name: str) -> str:
    """Return `name` if it is one of ZEROS; else raise ModelError."""
    if not isinstance(name, str) or name not in ZEROS:
        raise ModelError(f"intensity 0 cannot be {shown(name)}: choose from {', '.join(ZEROS)}")
    return name


def model_share(mix: Mix, full: float = FULL) -> float:
    """w, the model's part in the edit of a mix, 0..1, where intensity 0 is the source."""
    return min(max(map(abs, mix.vector())) / full, 1.0)


def from_source(prepare: Prepare, source: Tensor, neutral: Tensor, shares: Sequence[float]) -> Prepare:
    """`prepare` with the velocity v' for rows with these shares w; other rows keep their bits.

    source (1, tokens, C): its packed latents z; neutral (1, L, D): embeddings of the neutral prompt. The latents of the
    first step must be the noise.
    """
    import torch

    def prepared(
        transformer: QwenImageTransformer2DModel, times: Tensor, control: Tensor, text: Tensor, grid: Grid
    ) -> Velocity:
        own = prepare(transformer, times, control, text, grid)
        alone = prepare(transformer, times, control, neutral.to(text), grid)
        part = 1 - torch.tensor(shares, device=text.device)[:, None, None]
        noise: list[Tensor] = []

        def velocity(index: int, latents: Tensor) -> Tensor:
            if index == 0:
                noise[:] = [latents[:1].float()]
            level = times[index].float() / times[0].float()
            change = noise[0] - source.to(noise[0])  # from z to the noise, over the level of the first step
            if not any(shares):
                return (change / times[0].float()).to(latents).expand_as(latents)
            predicted = own(index, latents)
            loss = change / times[0].float() - alone(index, (source.to(change) + level * change).to(latents)).float()
            return torch.where(part > 0, (predicted.float() + part * loss).to(predicted), predicted)

        return velocity

    return prepared


def with_detail(raw: Image.Image, fitted: Image.Image, decoded: Image.Image, share: float) -> Image.Image:
    """The model's picture, with what the VAE loses of the source where `share` w is below 1; at 0 the source itself.

    All are RGB of one size: `fitted` is the source, `decoded` what its latents decode to.
    """
    if share in (0, 1):
        return raw if share else fitted.copy()
    lost = to_array(fitted) - to_array(decoded)
    return from_array(np.clip(to_array(raw) + (1 - share) * lost, 0, 1))
