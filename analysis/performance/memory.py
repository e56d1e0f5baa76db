"""The time and the peak memory of an action, on a GPU or a CPU."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch


def timed(action: Callable[[], object], device: str) -> tuple[float, int]:
    """Seconds that an action takes on a device ("cuda" or "cpu"), and its peak memory in bytes."""
    memory = GpuMemory() if device.startswith("cuda") else CpuMemory()
    start = time.perf_counter()
    action()
    memory.wait()
    return time.perf_counter() - start, memory.peak()


class GpuMemory:
    """Peak memory of tensors on the GPU since this object was created."""

    def __init__(self) -> None:
        self.wait()
        torch.cuda.reset_peak_memory_stats()

    def wait(self) -> None:
        """Wait until the GPU has finished its work."""
        torch.cuda.synchronize()

    def peak(self) -> int:
        """The peak in bytes."""
        return torch.cuda.max_memory_allocated()


class CpuMemory:
    """Peak memory of the process since this object was created.

    On systems that cannot reset the peak, it is the peak since the process started.
    """

    def __init__(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return

    def wait(self) -> None:
        """Return at once: CPU work is finished when its call returns."""

    def peak(self) -> int:
        """The peak in bytes."""
        try:
            line = next(s for s in Path("/proc/self/status").read_text().splitlines() if s.startswith("VmHWM"))
            return int(line.split()[1]) * 1024
        except OSError:
            import resource

            unit = 1 if sys.platform == "darwin" else 1024
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
