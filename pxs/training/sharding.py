"""Weights that several GPUs share out (FSDP2): as a whole where they are saved, in parts where they are taken up.

`accelerate launch --use_fsdp --fsdp_version 2 -m pxs.training` trains a model that fits no single GPU: every process
holds a part of each weight, as a DTensor. What is saved does not depend on how many there were, so a training goes on
with any number. Without sharding both functions return what they are given.
"""

from __future__ import annotations

from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor


def whole(tensor: Tensor) -> Tensor:
    """The full tensor; of one that is shared out, every process must ask at the same time."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def shared_like(tensor: Tensor, own: Tensor) -> Tensor:
    """A full tensor, which every process has, shared out as `own` is; nothing is sent."""
    if not isinstance(own, DTensor):
        return tensor
    return distribute_tensor(tensor.to(own.device), own.device_mesh, own.placements, src_data_rank=None)
