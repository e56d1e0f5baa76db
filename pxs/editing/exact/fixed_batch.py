"""Batches of one fixed size, so that an edit comes out with the same bits alone and among others.

The edits of a batch do not touch each other. But a machine adds up sums in an order that depends on the size of the
batch, so the same edit differs in its last bits between batches, visibly in bfloat16. Between batches of one size it
does not; the last is filled with copies of its last edit. The editor decodes each of these edits alone, for the same
reason. Compiled blocks then also see one shape only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pxs.editing.sampling import Grid, Prepare, Velocity

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel


def fixed(prepare: Prepare, size: int) -> Prepare:
    """`prepare` for any number of edits, in batches of exactly `size`."""

    def prepared(
        transformer: QwenImageTransformer2DModel, times: Tensor, control: Tensor, text: Tensor, grid: Grid
    ) -> Velocity:
        batches = [prepare(transformer, times, control, part, grid) for part in full(text, size)]

        def velocity(index: int, latents: Tensor) -> Tensor:
            parts = zip(batches, full(latents, size), strict=True)
            return torch.cat([batch(index, part) for batch, part in parts])[: len(latents)]

        return velocity

    return prepared


def full(rows: Tensor, size: int) -> tuple[Tensor, ...]:
    """`rows` (B, ...) in parts of `size`, the last one filled with copies of the last row."""
    missing = -len(rows) % size
    return torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])]).split(size)
