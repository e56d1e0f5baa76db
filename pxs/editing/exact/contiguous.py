"""Contiguous zero_cond_t: target and control tokens are two halves of the image tokens.

Under zero_cond_t control tokens are modulated as at time 0. The stock model marks every token with its group and picks
shift, scale and gate for each, so that three tensors as large as the activations are written at every modulation. But
the groups are contiguous and, with one source of the target's size, equally long: seen as (B, 2, tokens / 2, d), the
activations take one vector a group by broadcasting, which multiplies the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Spread = Callable[[Tensor, int], Tensor]
"""From vectors (6, K, d) of K groups to (6, G, n, d) that broadcast to tokens seen as (B, G, tokens / G, d)."""


def by_group(vectors: Tensor, tokens: int) -> Tensor:
    """The vectors as they are, one a group: (6, K, 1, d)."""
    return vectors[:, :, None]


def by_token(vectors: Tensor, tokens: int) -> Tensor:
    """Without the saving: the vectors of every token, written out: (6, 1, tokens, d)."""
    groups = vectors.shape[1]
    group = torch.arange(tokens, device=vectors.device) // (tokens // groups)
    return vectors[:, group][:, None]
