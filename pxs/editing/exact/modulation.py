"""The modulation table: all adaLN vectors of a sweep, computed in one pass before its first step.

Every block turns the timestep, and nothing else, into shifts, scales and gates; a third of all weights does only that.
The timesteps are known beforehand and all edits of a batch share them, so a table of the vectors replaces those weights
in the loop: 224 MB for 50 steps of the full model instead of 13.6 GB a step. A table is made by the modules themselves,
from the exact timesteps, and lives for one sweep: it cannot outlast its schedule or an adapter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel


@dataclass(frozen=True)
class Modulation:
    """What modulates one step of a transformer with L blocks of width d, the same for all edits of a batch.

    image: (L, 6, K, d) with K = 2 groups of image tokens, target and control, under zero_cond_t, else K = 1.
    text: (L, 6, d). Each six are shift, scale and gate of attention, then of the MLP. out: (2, d), scale and shift of
    the last norm.
    """

    image: Tensor
    text: Tensor
    out: Tensor


Modulate = Callable[[int], Modulation]
"""From the index of a step to its modulation."""


class Table:
    """The modulation of every step: `table(index)`, for the steps at `times` (S,), noise levels in 0..1."""

    def __init__(self, transformer: QwenImageTransformer2DModel, times: Tensor) -> None:
        blocks, steps = transformer.transformer_blocks, len(times)
        clean = times[:1] * 0 if transformer.zero_cond_t else times[:0]  # control tokens are modulated as at time 0
        time = transformer.time_text_embed(torch.cat([times, clean]), times)
        image = torch.stack([block.img_mod(time) for block in blocks]).unflatten(-1, (6, -1))
        self.target, self.control = image[:, :steps], image[:, steps:]
        self.text = torch.stack([block.txt_mod(time[:steps]) for block in blocks]).unflatten(-1, (6, -1))
        self.out = transformer.norm_out.linear(transformer.norm_out.silu(time[:steps])).unflatten(-1, (2, -1))

    def __call__(self, index: int) -> Modulation:
        """The modulation of step `index`."""
        groups = torch.cat([self.target[:, index : index + 1], self.control], dim=1)
        return Modulation(groups.transpose(1, 2), self.text[:, index], self.out[index])


def each_step(transformer: QwenImageTransformer2DModel, times: Tensor) -> Modulate:
    """Without the saving: the same vectors, computed anew at every step."""
    return lambda index: Table(transformer, times[index : index + 1])(0)
