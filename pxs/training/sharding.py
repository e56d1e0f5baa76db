"""Weights sharded over several GPUs (FSDP2): gathered to save them, sharded again to restore them.

`accelerate launch --use_fsdp --fsdp_version 2 -m pxs train` trains a model that is too large for one GPU. Every process
holds a part of each weight, as a DTensor. States hold full tensors, so a training resumes with any number of processes.
Without sharding both functions return their input.
"""

from __future__ import annotations

from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor


def full_tensor(tensor: Tensor) -> Tensor:
    """The full tensor, of any shape and dtype. For a sharded tensor, every process must call this at the same time."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def sharded_like(tensor: Tensor, own: Tensor) -> Tensor:
    """A full tensor, equal in every process, sharded like `own`, which has the same shape. Nothing is sent."""
    if not isinstance(own, DTensor):
        return tensor
    return distribute_tensor(tensor.to(own.device), own.device_mesh, own.placements, src_data_rank=None)
