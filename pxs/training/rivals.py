"""Trainings of other methods of linear control (pxs/editing/sliders), by the trainer of the workbench.

Each is a loss of one batch. s is the noise level, n the noise, z the latents of the source, x those of a target with
its score a, v the model's velocity without the method and u that with it; sg: without gradient.

    slideredit            |u(z_s; expression, LoRA at 1) - sg v(z_s; neutral)|^2
    slideredit_st         the same with the LoRA on the instruction's tokens; or, under a prompt "A and B", with it on
                          those of A against v(z_s; B), of B against v(z_s; A), of both against v(z_s; neutral)
    conceptslider         |u(z_s; +/-1) - sg (v(z_s; neutral) +/- (v(z_s; expression) - v(z_s; neutral)))|^2, both signs
    attributecontrol      the same at +/-a instead of +/-1, with a uniform in 0.1..1.5; the article goes to 5
    conceptslider_visual  |u(x_s; a) - (n - x)|^2
    saedit                |x - reconstruction of x|^2 over tokens x of the prompts; see saedit.py
    kslider               |u(x_s; a) - (n - x)|^2, and the source itself at intensity 0
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pxs.editing.sampling import pack, predict_velocity, unpack
from pxs.editing.sliders.registry import SLIDERS
from pxs.editing.sliders.saedit import TOKENS, SAEdit
from pxs.editing.sliders.slider import Slider
from pxs.editing.sliders.slideredit_st import SelectiveSliderEdit
from pxs.expressions import EXPRESSIONS
from pxs.training.cache import Batch

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel

Transformer = Callable[..., tuple[Tensor, ...]]
SMALLEST, LARGEST = 0.1, 1.5  # intensities that attributecontrol is trained at

CHANGES: dict[str, Any] = {"contrast": "none", "identity_weight": 0.0, "weight_decay": 0.0, "warmup": 10}
RATES = {
    "slideredit": 1e-3,
    "slideredit_st": 1e-3,
    "conceptslider": 2e-3,
    "conceptslider_visual": 2e-3,
    "attributecontrol": 2e-2,
    "saedit": 3e-3,
    "kslider": 1e-3,
}


@dataclass(frozen=True)
class Rows:
    """One row for each target of a batch, N = 2 B rows.

    source and target (N, C, h, w): latents; noise (N, C, h, w), sigma (N,). neutral and text (N, L, D): embeddings of
    the neutral prompt and of that of the target's expression. one_hot (N, 12): this expression. score (N,): its
    intensity. joint (N, M, D) and shares (N, T, 12): as in `Batch`. The two targets of a row are neighbours.
    """

    source: Tensor
    target: Tensor
    noise: Tensor
    sigma: Tensor
    neutral: Tensor
    text: Tensor
    one_hot: Tensor
    score: Tensor
    joint: Tensor | None = None
    shares: Tensor | None = None

    def at(self, intensity: Tensor) -> Tensor:
        """The weights (N, 12) that steer these rows to intensities (N,)."""
        return self.one_hot * intensity[:, None]

    def and_then(self, other: Rows) -> Rows:
        """These rows, then those of another."""
        there = {name: value for name, value in vars(self).items() if value is not None}
        return Rows(**{name: torch.cat([value, vars(other)[name]]) for name, value in there.items()})

    def of_first_targets(self) -> Rows:
        """Every second row: one for each row of the batch."""
        return Rows(**{name: value[::2] for name, value in vars(self).items() if value is not None})

    def mixed(self, clean: Tensor) -> Tensor:
        """(1 - s) x + s n of latents x (N, C, h, w)."""
        return clean + self.sigma[:, None, None, None] * (self.noise - clean)

    def velocity(self, transformer: Transformer, mixed: Tensor, text: Tensor) -> Tensor:
        """The velocity (N, C, h, w), float32, under embeddings (N, L, D)."""
        grid = (mixed.shape[2], mixed.shape[3])
        tokens = predict_velocity(transformer, pack(mixed), pack(self.source), text, self.sigma, grid)
        return unpack(tokens.float(), grid)


def rows_of(batch: Batch, noise: Tensor, sigma: Tensor) -> Rows:
    """The rows of a batch; noise (B, C, h, w) and sigma (B,) are shared by both targets of a row."""
    first, second = batch.categories.unbind(1)
    places = torch.stack([torch.zeros_like(first), (first != second).long()], dim=1)  # among the prompts of a row
    row = torch.arange(len(places), device=places.device)[:, None]
    branch = torch.arange(2, device=places.device)
    return Rows(
        source=batch.source.repeat_interleave(2, dim=0),
        target=batch.targets.flatten(0, 1),
        noise=noise.repeat_interleave(2, dim=0),
        sigma=sigma.repeat_interleave(2),
        neutral=batch.text[:, 0].repeat_interleave(2, dim=0),
        text=batch.text[row, 1 + places].flatten(0, 1),
        one_hot=F.one_hot(batch.categories, len(EXPRESSIONS)).to(batch.scores).flatten(0, 1),
        score=batch.scores[row, branch, places].flatten(),
        joint=None if batch.joint is None else batch.joint.repeat_interleave(2, dim=0),
        shares=None if batch.shares is None else batch.shares.repeat_interleave(2, dim=0),
    )


def of_other_target(values: Tensor) -> Tensor:
    """The values (N, ...) of rows, each with that of the other target in its place."""
    return values.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


def taken_back(slider: Slider, transformer: Transformer, rows: Rows) -> Tensor:
    """The loss of SliderEdit, a scalar: at intensity 0 its LoRA is at full strength."""
    mixed = rows.mixed(rows.source)
    teacher = _without(slider, transformer, rows, mixed, rows.neutral)
    text = slider.steer(rows.neutral, rows.text, rows.at(torch.zeros_like(rows.score)))
    return F.mse_loss(rows.velocity(transformer, mixed, text), teacher)


def taken_back_each(slider: Slider, transformer: Transformer, rows: Rows) -> Tensor:
    """The loss of SliderEdit's ST, a scalar: for prompts of one instruction or of two, as the noise decides.

    One of them a step: checkpointing runs the model again in the backward pass, with the gates that were set last.
    """
    single = bool(rows.noise[0, 0, 0, 0] < 0)
    return (taken_back if single else taken_back_of_two)(slider, transformer, rows)


def taken_back_of_two(slider: Slider, transformer: Transformer, rows: Rows) -> Tensor:
    """The loss of SliderEdit's ST for prompts of two instructions, a scalar: one, the other, or both are taken back."""
    once = rows.of_first_targets()
    every = rows.and_then(once)
    assert isinstance(slider, SelectiveSliderEdit) and every.joint is not None and every.shares is not None
    mixed = every.mixed(every.source)
    left = torch.cat([of_other_target(rows.text), once.neutral])
    teacher = _without(slider, transformer, every, mixed, left)
    kept = torch.cat([of_other_target(rows.one_hot), torch.zeros_like(once.one_hot)])
    text = slider.steer_each(every.joint, every.shares, kept)
    return F.mse_loss(every.velocity(transformer, mixed, text), teacher)


def distilled(slider: Slider, transformer: Transformer, rows: Rows) -> Tensor:
    """The loss of a slider at -1 and +1, a scalar."""
    return _guided(slider, transformer, rows, torch.ones_like(rows.sigma))


def distilled_at_random(slider: Slider, transformer: Transformer, rows: Rows) -> Tensor:
    """The loss of a slider at -a and +a, a scalar; a follows from the noise, so nothing else must be drawn."""
    uniform = torch.special.ndtr(rows.noise[:, 0, 0, 0])
    return _guided(slider, transformer, rows, SMALLEST + (LARGEST - SMALLEST) * uniform)


def _guided(slider: Slider, transformer: Transformer, rows: Rows, scale: Tensor) -> Tensor:
    mixed = rows.mixed(rows.source)
    neutral = _without(slider, transformer, rows, mixed, rows.neutral)
    change = scale[:, None, None, None] * (_without(slider, transformer, rows, mixed, rows.text) - neutral)
    both = rows.and_then(rows)
    text = slider.steer(both.neutral, both.text, both.at(torch.cat([scale, -scale])))
    student = both.velocity(transformer, torch.cat([mixed, mixed]), text)
    return F.mse_loss(student, torch.cat([neutral + change, neutral - change]))


def towards_targets(slider: Slider, transformer: Transformer, rows: Rows) -> Tensor:
    """The flow loss at the scores of the targets, a scalar."""
    text = slider.steer(rows.neutral, rows.text, rows.at(rows.score))
    return F.mse_loss(rows.velocity(transformer, rows.mixed(rows.target), text), rows.noise - rows.target)


def towards_targets_and_source(slider: Slider, transformer: Transformer, rows: Rows) -> Tensor:
    """The flow loss at the scores of the targets, and of the source at intensity 0, a scalar."""
    still = Rows(**{**vars(rows), "target": rows.source, "score": torch.zeros_like(rows.score)})
    return towards_targets(slider, transformer, rows.and_then(still))


def reconstructed(slider: Slider, transformer: Transformer, rows: Rows) -> Tensor:
    """The loss of SAEdit's autoencoder on the instruction's tokens, a scalar; the transformer takes no part in it."""
    assert isinstance(slider, SAEdit)
    return slider.error(torch.cat([rows.neutral, rows.text])[:, -TOKENS:].float())


@torch.no_grad()
def _without(slider: Slider, transformer: Transformer, rows: Rows, mixed: Tensor, text: Tensor) -> Tensor:
    """The velocity of the model itself."""
    slider.rest()
    return rows.velocity(transformer, mixed, text)


LOSSES: Mapping[str, Callable[[Slider, Transformer, Rows], Tensor]] = {
    "slideredit": taken_back,
    "slideredit_st": taken_back_each,
    "conceptslider": distilled,
    "conceptslider_visual": towards_targets,
    "attributecontrol": distilled_at_random,
    "saedit": reconstructed,
    "kslider": towards_targets_and_source,
}


class Rival:
    """A method in training: its weights are those of `slider`, a part of the transformer; `loss` as an `Objective`."""

    def __init__(self, transformer: QwenImageTransformer2DModel, method: str, seed: int) -> None:
        module: Any = transformer
        module.requires_grad_(False)
        self.method, self.slider = method, SLIDERS[method](transformer, seed)
        self.slider.hook(transformer)
        module.add_module("rival", self.slider)

    def __call__(self, transformer: Transformer, batch: Batch, noise: Tensor, sigma: Tensor) -> dict[str, Tensor]:
        """The loss of a batch as "loss" and as "flow", a scalar."""
        loss = LOSSES[self.method](self.slider, transformer, rows_of(batch, noise, sigma))
        return {"loss": loss, "flow": loss}
