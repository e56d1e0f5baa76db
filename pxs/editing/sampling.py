"""The denoising loop: from noise to edited latents, all mixes of a picture in one batch.

    noise -> schedule -> denoise -> decode

Flow matching with Euler steps, x_{s'} = x_s + (s' - s) v, on the schedule of the checkpoint's own scheduler. Latents
travel packed, as tokens of 2 x 2 patches: (batch, h/2 * w/2, 4 * channels). `denoise` is a generator, so a caller can
draw previews, show progress or stop, without callbacks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from pxs.errors import ModelError

if TYPE_CHECKING:
    from diffusers import FlowMatchEulerDiscreteScheduler, QwenImageTransformer2DModel

Grid = tuple[int, int]
"""Rows and columns of latent pixels: picture height / 8, width / 8."""


Velocity = Callable[[int, Tensor], Tensor]
"""From the index of a step and packed latents (B, tokens, C) to their velocity, of the same shape."""

Prepare = Callable[["QwenImageTransformer2DModel", Tensor, Tensor, Tensor, Grid], Velocity]
"""Arguments as in `stock_velocity`."""


SCHEDULES: dict[str, dict[str, float | None]] = {
    "own": {},
    "few": {"base_shift": math.log(3), "max_shift": math.log(3), "shift_terminal": None},
}
"""What changes the scheduler's configuration: "own" is the checkpoint's; "few" is what adapters that are
distilled to 4 or 8 steps (Qwen-Image-Lightning) were trained on, a shift of 3 for every size."""


@dataclass(frozen=True)
class DenoisingStep:
    """One denoising step of a batch of B edits.

    index: 0-based; total: number of steps; sigma: noise level before the step, 1 (noise) to 0 (picture).
    latents: (B, tokens, channels) after the step; clean: the same shape, the one-step estimate x0 = x - sigma * v.
    """

    index: int
    total: int
    sigma: float
    latents: Tensor
    clean: Tensor


def pack(latents: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h/2 * w/2, 4 C); h and w even."""
    b, c, h, w = latents.shape
    return latents.view(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(b, h * w // 4, 4 * c)


def unpack(tokens: Tensor, grid: Grid) -> Tensor:
    """The reverse of `pack` for latents of `grid` = (h, w)."""
    b, _, c = tokens.shape
    h, w = grid
    return tokens.view(b, h // 2, w // 2, c // 4, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(b, c // 4, h, w)


def seeded_noise(seed: int, channels: int, grid: Grid) -> Tensor:
    """Packed noise (1, tokens, 4 * channels) in float32 from a CPU generator: one seed is one noise on any device."""
    generator = torch.Generator().manual_seed(seed)
    return pack(torch.randn(1, channels, *grid, generator=generator))


def pipeline_noise(seed: int, channels: int, grid: Grid, like: Tensor) -> Tensor:
    """Packed noise (1, tokens, 4 * channels) as the stock pipeline draws it: on the device and in the dtype of `like`.

    One seed is another noise on another kind of device or in another dtype.
    """
    generator = torch.Generator(like.device).manual_seed(seed)
    return pack(torch.randn(1, channels, *grid, generator=generator, device=like.device, dtype=like.dtype))


def reschedule(scheduler: FlowMatchEulerDiscreteScheduler, name: str) -> FlowMatchEulerDiscreteScheduler:
    """The scheduler with the changes of one of SCHEDULES; raises ModelError for another name."""
    return type(scheduler).from_config(scheduler.config, **SCHEDULES[check_schedule(name)])


def check_schedule(name: str) -> str:
    """Return `name` if it is one of SCHEDULES; else raise ModelError."""
    if name not in SCHEDULES:
        raise ModelError(f"unknown schedule {name!r}: choose from {', '.join(SCHEDULES)}")
    return name


def schedule(scheduler: FlowMatchEulerDiscreteScheduler, steps: int, tokens: int) -> FlowMatchEulerDiscreteScheduler:
    """A fresh scheduler set to `steps` steps for pictures of `tokens` tokens, shifted as the stock pipeline does."""
    from diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus import calculate_shift

    # The stretch to a terminal sigma divides by zero when the first step is also the last.
    terminal = scheduler.config.get("shift_terminal") if steps > 1 else None
    own = type(scheduler).from_config(scheduler.config, shift_terminal=terminal)
    names = ("base_image_seq_len", "max_image_seq_len", "base_shift", "max_shift")
    mu = calculate_shift(
        tokens, *(scheduler.config.get(n, d) for n, d in zip(names, (256, 4096, 0.5, 1.15), strict=True))
    )
    own.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)
    own.set_begin_index(0)
    return own


def predict_velocity(
    transformer: Callable[..., tuple[Tensor, ...]],
    latents: Tensor,
    control: Tensor,
    text: Tensor,
    times: Tensor,
    grid: Grid,
) -> Tensor:
    """The velocity (B, tokens, C) of packed latents (B, tokens, C) beside their packed sources, by one forward.

    `control` (B, tokens, C); `text` (B, L, D); `times` (B,) are noise levels, 0..1; `grid` is that of both pictures.
    """
    cell = (1, grid[0] // 2, grid[1] // 2)
    return transformer(
        hidden_states=torch.cat([latents, control], dim=1),
        encoder_hidden_states=text,
        timestep=times,
        img_shapes=[[cell, cell]] * len(latents),
        return_dict=False,
    )[0][:, : latents.shape[1]]


def stock_velocity(
    transformer: QwenImageTransformer2DModel, times: Tensor, control: Tensor, text: Tensor, grid: Grid
) -> Velocity:
    """The velocity as the transformer's own forward gives it.

    `times` (S,) are the noise levels of all steps, 0..1; `control` (1, tokens, C) is shared by all rows of `text`
    (B, L, D); `grid` is that of target and control alike.
    """
    batch = len(text)
    control = control.expand(batch, -1, -1)

    def velocity(index: int, latents: Tensor) -> Tensor:
        return predict_velocity(transformer, latents, control, text, times[index].expand(batch), grid)

    return velocity


def denoise(
    transformer: QwenImageTransformer2DModel,
    scheduler: FlowMatchEulerDiscreteScheduler,
    noise: Tensor,
    control: Tensor,
    text: Tensor,
    grid: Grid,
    steps: int,
    prepare: Prepare = stock_velocity,
) -> Iterator[DenoisingStep]:
    """Edit latents step by step.

    `noise` (1 or B, tokens, C) and `control`, the source's packed latents (1, tokens, C), are shared by all rows of
    `text` (B, L, D). `prepare` decides how the transformer is run. Raises ModelError, naming the step, if latents stop
    being finite.
    """
    own = schedule(scheduler, steps, noise.shape[1])
    times = own.timesteps.to(text.device)
    latents = noise.to(text).expand(len(text), -1, -1)
    with torch.inference_mode():
        velocity = prepare(transformer, times.to(text.dtype) / 1000, control.to(text), text, grid)
    for index, time in enumerate(times):
        sigma = float(own.sigmas[index])
        with torch.inference_mode():
            change = velocity(index, latents)
            clean = latents - sigma * change
            latents = own.step(change, time, latents, return_dict=False)[0]
        if not bool(torch.isfinite(latents).all()):
            rows = (~torch.isfinite(latents).flatten(1).all(dim=1)).nonzero().flatten().tolist()
            raise ModelError(
                f"latents of edits {rows} stopped being finite at step {index + 1} of {steps}: "
                "use dtype float32, or smaller intensities"
            )
        yield DenoisingStep(index, steps, sigma, latents, clean)
