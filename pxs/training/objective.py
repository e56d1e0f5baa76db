"""One training step's loss: both branches of every row in one forward and one decode.

x_t = (1 - s) x + s n          the two targets of a row share the noise n and the noise level s
e   = e_neutral + sum over what it is asked for of score_i (e_i - e_neutral)
v   = transformer(x_t, s, e, source);    x0 = x_t - s v, decoded to pixels when a loss looks at them
loss = flow + contrast_weight * contrast + identity_weight * identity
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pxs.editing.sampling import pack, unpack
from pxs.training import losses
from pxs.training.cache import Batch
from pxs.training.settings import Settings

Decode = Callable[[Tensor], Tensor]
"""Normalised latents (B, C, h, w) -> pixels (B, 3, H, W) in [-1, 1], differentiable."""


@dataclass(frozen=True)
class Objective:
    """What is minimised: weights and forms from the settings, and the frozen networks that losses look through.

    `features` and `identity` are the `embed_pixels` of judges, or None where the settings leave that loss out.
    """

    settings: Settings
    decode: Decode
    features: Callable[[Tensor], Tensor] | None
    identity: Callable[[Tensor, Tensor], Tensor] | None

    @property
    def looks_at_pixels(self) -> bool:
        """Whether any loss needs the clean estimate decoded."""
        return self.settings.contrasts or self.settings.identifies

    def __call__(self, transformer: Callable, batch: Batch, noise: Tensor, sigma: Tensor) -> dict[str, Tensor]:
        """The parts of the loss, scalars by name, and their weighted sum as "loss".

        noise (B, C, h, w) and sigma (B,) in 0..1 are those of the rows, shared by their branches.
        """
        count, grid = len(sigma), batch.source.shape[2:]
        clean = batch.targets.flatten(0, 1)
        noise, s = noise.repeat_interleave(2, dim=0), sigma.repeat_interleave(2)
        mixed = (1 - s[:, None, None, None]) * clean + s[:, None, None, None] * noise
        tokens = predict(transformer, mixed, batch.source.repeat_interleave(2, dim=0), s, text_of(batch))
        velocity = unpack(tokens.float(), grid)
        parts = {"flow": losses.flow_matching(velocity, noise, clean)}
        total = parts["flow"]
        if self.looks_at_pixels:
            pixels = self.decode(losses.clean_estimate(mixed, velocity, s))
            if self.settings.contrasts:
                parts["contrast"] = self._contrast(self.features(pixels).unflatten(0, (count, 2)), batch.features)
                total = total + self.settings.contrast_weight * parts["contrast"]
            if self.settings.identifies:
                shown, truth = self.identity(pixels, batch.landmarks.flatten(0, 1)), batch.identity.flatten(0, 1)
                parts["identity"] = losses.identity_loss(shown, truth, 1000 * s, self.settings.gate)
                total = total + self.settings.identity_weight * parts["identity"]
        return {"loss": total, **parts}

    def _contrast(self, shown: Tensor, truth: Tensor) -> Tensor:
        """The mean contrast over rows; both (B, 2, F)."""
        form = losses.FORMS[self.settings.form]
        if self.settings.contrast == "one_sided":
            return losses.one_sided_contrast(shown[:, 0], truth[:, 0], truth[:, 1], form).mean()
        return losses.symmetric_contrast(shown[:, 0], shown[:, 1], truth[:, 0], truth[:, 1], form).mean()


def text_of(batch: Batch) -> Tensor:
    """The branches' prompt embeddings (2 B, L, D), interpolated to their scores as `conditioning.interpolate` does."""
    neutral, *others = batch.text[:, None].unbind(2)
    weights = batch.scores[..., None, None].unbind(2)
    parts = [weight * (other - neutral) for weight, other in zip(weights, others, strict=True)]
    return (neutral + sum(parts)).flatten(0, 1)


def predict(transformer: Callable, mixed: Tensor, source: Tensor, sigma: Tensor, text: Tensor) -> Tensor:
    """The packed velocity (B, tokens, 4 C) of latents (B, C, h, w) at noise levels (B,), beside their sources."""
    tokens = pack(mixed)
    cell = (1, mixed.shape[2] // 2, mixed.shape[3] // 2)
    return transformer(
        hidden_states=torch.cat([tokens, pack(source)], dim=1),
        encoder_hidden_states=text,
        timestep=sigma,
        img_shapes=[[cell, cell]] * len(mixed),
        return_dict=False,
    )[0][:, : tokens.shape[1]]


def draws(settings: Settings, step: int, places: Sequence[int], shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Noise (B, *shape) and noise levels (B,) in 0..1 of the rows at `places` of a step's batch.

    Levels are uniform, then shifted as diffusers shifts those of sampling (arXiv 2403.03206, eq. 23). All derive
    from (seed, step, place) alone, so that neither a kill nor the number of processes changes them.
    """
    pairs = []
    for place in places:
        generator = torch.Generator().manual_seed(hash_of(settings.seed, step, place))
        pairs.append((torch.randn(*shape, generator=generator), torch.rand((), generator=generator)))
    noise, sigma = zip(*pairs, strict=True)
    levels, shift = torch.stack(sigma), settings.shift
    return torch.stack(noise), shift * levels / (1 + (shift - 1) * levels)


def hash_of(*numbers: int) -> int:
    """A seed of 63 bits from several whole numbers, the same on every machine."""
    import numpy as np

    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
