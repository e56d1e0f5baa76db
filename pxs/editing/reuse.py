"""Reuse: a denoising step that hardly differs from an earlier one keeps what the other blocks had added then.

    r = what the first block adds to the target's tokens;  change = mean |r - r'| / mean |r'|

against r' of the last step that ran in full. Below a threshold, the step runs the first block only and adds what the
others had added in that step. This is approximate and off by default: the "first-block cache" of ParaAttention and
diffusers, but with a decision of its own for each edit, so that one seed stays one image, alone or among others; the
memory lives for one sweep only. `python -m analysis.performance.approximate` measures what it costs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Others = Callable[[Tensor, Tensor], Tensor]
"""From image (B, 2 tokens, d) and text (B, L, d) after the first block to the target (B, tokens, d) after the last."""


class Always:
    """Without reuse: every step runs all blocks."""

    def __call__(self, before: Tensor, image: Tensor, text: Tensor, others: Others) -> Tensor:
        """See `Reuse`."""
        return others(image, text)


class Reuse:
    """The memory of one sweep over a batch."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.first: Tensor | None = None
        self.added: Tensor | None = None

    def __call__(self, before: Tensor, image: Tensor, text: Tensor, others: Others) -> Tensor:
        """The target's tokens (B, tokens, d) after the last block, from those before and all after the first one."""
        rows = image[:, : before.shape[1]]
        first = rows - before
        due = self._due(first)
        if self.first is None or self.added is None or bool(due.all()):
            done = others(image, text)
            self.first, self.added = first, done - rows
            return done
        result = rows + self.added
        if bool(due.any()):
            result[due] = others(image[due], text[due])
            self.first[due], self.added[due] = first[due], result[due] - rows[due]
        return result

    def _due(self, first: Tensor) -> Tensor:
        """Which edits (B,) have to run in full."""
        if self.first is None:
            return torch.ones(len(first), dtype=torch.bool, device=first.device)
        change, size = (x.float().abs().mean(dim=(1, 2)) for x in (first - self.first, self.first))
        return change >= self.threshold * size
