"""Several processes that train together: joined once, and asked what holds in all or in any of them."""

from __future__ import annotations

from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, tensor

from pxs.errors import TrainingError
from pxs.training.settings import Settings


def join(settings: Settings) -> Accelerator:
    """Join the other processes. Raises TrainingError if the batch cannot be divided among them."""
    AcceleratorState._reset_state()  # a process has one such state, and it rejects another precision
    # The last block drops its text tokens, so some LoRA weights get no gradient.
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    accelerator = Accelerator(mixed_precision=settings.precision, kwargs_handlers=[unused])
    batch, processes = settings.batch, accelerator.num_processes
    if batch % processes:
        raise TrainingError(
            f"a batch of {batch} rows cannot be divided among {processes} processes: give a multiple of their number"
        )
    return accelerator


def all_finite(accelerator: Accelerator, value: Tensor) -> bool:
    """Whether a scalar is finite in every process; all processes get the same answer."""
    return bool(accelerator.reduce(value.detach().isfinite().float(), reduction="mean") == 1)


def any_holds(accelerator: Accelerator, condition: bool) -> bool:
    """Whether a condition holds in any process; all processes get the same answer."""
    flag = tensor(float(condition), device=accelerator.device)
    return bool(accelerator.reduce(flag, reduction="sum") > 0)
