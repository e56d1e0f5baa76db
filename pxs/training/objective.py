"""The loss of one training step: both branches of every row in one forward pass and one decoding.

x_t = (1 - s) x + s n          the two targets x of a row share the noise n and the noise level s
e   = e_neutral + sum over the expressions i of score_i (e_i - e_neutral)
v   = transformer(x_t, s, e, source);    x0 = x_t - s v, decoded to pixels if a loss needs them
loss = flow + contrast_weight * contrast + identity_weight * identity

With the recipe "pixelsmile" the decoded pixels are clipped to [-1, 1], as the stock VAE does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pxs.editing.conditioning import weighted_sum
from pxs.editing.sampling import pack, predict_velocity, unpack
from pxs.training import losses
from pxs.training.cache import Batch
from pxs.training.settings import Settings

Decode = Callable[[Tensor], Tensor]
"""Normalised latents (B, C, h, w) -> pixels (B, 3, H, W) in [-1, 1], differentiable."""

Transformer = Callable[..., tuple[Tensor, ...]]
"""The transformer of the model, or a stand-in with the same arguments."""


@dataclass(frozen=True)
class Objective:
    """The loss: weights and forms from the settings, the decoder, and the frozen encoders.

    `features` and `identity` are the `embed_pixels` of the encoders; None for a loss that the settings do not use.
    `landmarks` detects the landmarks (B, P, 2) of generated faces in pixels (B, 3, H, W), for the recipe "pixelsmile";
    without it they are those of the targets.
    """

    settings: Settings
    decode: Decode
    features: Callable[[Tensor], Tensor] | None
    identity: Callable[[Tensor, Tensor], Tensor] | None
    landmarks: Callable[[Tensor], Tensor] | None = None

    @property
    def needs_pixels(self) -> bool:
        """Whether any loss needs the decoded clean estimate."""
        return self.settings.contrasts or self.settings.identifies

    def __call__(self, transformer: Transformer, batch: Batch, noise: Tensor, sigma: Tensor) -> dict[str, Tensor]:
        """The parts of the loss, scalars by name, and their weighted sum as "loss".

        noise (B, C, h, w) and sigma (B,) in [0, 1] are one per row: both branches share them.
        """
        height, width = batch.source.shape[2:]
        grid = (height, width)
        clean = batch.targets.flatten(0, 1)
        noise, s = noise.repeat_interleave(2, dim=0), sigma.repeat_interleave(2)
        mixed = (1 - s[:, None, None, None]) * clean + s[:, None, None, None] * noise
        control = pack(batch.source.repeat_interleave(2, dim=0))
        tokens = predict_velocity(transformer, pack(mixed), control, conditioned(batch), s, grid)
        velocity = unpack(tokens.float(), grid)
        parts = {"flow": losses.flow_matching(velocity, noise, clean)}
        total = parts["flow"]
        if self.needs_pixels:
            pixels = self.decode(losses.clean_estimate(mixed, velocity, s))
            pixels = pixels.clamp(-1, 1) if self.settings.published else pixels
            if self.settings.contrasts:
                parts["contrast"] = self._contrast(pixels, batch)
                total = total + self.settings.contrast_weight * parts["contrast"]
            if self.settings.identifies:
                parts["identity"] = self._identity(pixels, batch, s)
                total = total + self.settings.identity_weight * parts["identity"]
        return {"loss": total, **parts}

    def _contrast(self, pixels: Tensor, batch: Batch) -> Tensor:
        """The contrastive loss, a scalar; pixels (2 B, 3, H, W) in [-1, 1]."""
        assert self.features is not None and batch.features is not None
        return self._mean_contrast(self.features(pixels).unflatten(0, (-1, 2)), batch.features)

    def _identity(self, pixels: Tensor, batch: Batch, sigma: Tensor) -> Tensor:
        """The identity loss, a scalar; pixels (2 B, 3, H, W) in [-1, 1], sigma (2 B,) in [0, 1]."""
        assert self.identity is not None and batch.landmarks is not None and batch.identity is not None
        detected = self.landmarks(pixels) if self.landmarks else batch.landmarks.flatten(0, 1)
        generated, truth = self.identity(pixels, detected), batch.identity.flatten(0, 1)
        form = losses.batch_identity_loss if self.settings.published else losses.identity_loss
        return form(generated, truth, 1000 * sigma, self.settings.gate)

    def _mean_contrast(self, generated: Tensor, truth: Tensor) -> Tensor:
        """The mean contrast over rows, a scalar; both (B, 2, F)."""
        form = losses.FORMS[self.settings.form]
        if self.settings.contrast == "one_sided":
            return losses.one_sided_contrast(generated[:, 0], truth[:, 0], truth[:, 1], form).mean()
        return losses.symmetric_contrast(generated[:, 0], generated[:, 1], truth[:, 0], truth[:, 1], form).mean()


def conditioned(batch: Batch) -> Tensor:
    """The prompt embeddings of all branches (2 B, L, D): the neutral one plus the scored directions of `batch.text`."""
    neutral, *others = batch.text[:, None].unbind(2)
    weights = batch.scores[..., None, None].unbind(2)
    both = neutral.expand(-1, batch.scores.shape[1], -1, -1)
    return weighted_sum(both, others, weights).flatten(0, 1)


def draws(settings: Settings, step: int, places: Sequence[int], shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Noise (B, *shape) and noise levels (B,) in [0, 1], float32, of the rows at `places` of the batch of a step.

    The noise is Gaussian. The levels are uniform, then shifted as in the samplers of diffusers (arXiv 2403.03206,
    eq. 23). Both depend only on (seed, step, place): not on interruptions, and not on the number of processes. With
    the recipe "pixelsmile" the uniform levels are rounded up to thousandths, above 0.
    """
    pairs = []
    for place in places:
        generator = torch.Generator().manual_seed(hash_of(settings.seed, step, place))
        pairs.append((torch.randn(*shape, generator=generator), torch.rand((), generator=generator)))
    noise, sigma = zip(*pairs, strict=True)
    levels, shift = torch.stack(sigma), settings.shift
    if settings.published:
        levels = (1000 - (1000 * levels).floor()) / 1000  # the entry of the schedule that the public trainer takes
    return torch.stack(noise), shift * levels / (1 + (shift - 1) * levels)


def hash_of(*numbers: int) -> int:
    """A seed of 63 bits from several integers of 0 or more, the same on every machine."""
    import numpy as np

    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
