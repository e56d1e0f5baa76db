"""CUDA graphs: the kernels of a step, recorded once a sweep and replayed, so that the GPU never waits for Python.

Small pictures keep a GPU busy for less time than Python takes to start the kernels. A graph starts all of them at once.
It holds on to addresses, so its inputs are copied to where it reads them; the kernels, and so the numbers, stay the
same. Recorded anew for each sweep: a graph does not see that an adapter came, or that its weight changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pxs.errors import ModelError

Function = Callable[..., Tensor | tuple[Tensor, ...]]
"""From tensors to one or several tensors, without looking at their values."""


@dataclass(frozen=True)
class Recorded:
    """A graph, and the tensors that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    outputs: Tensor | tuple[Tensor, ...]

    def __call__(self, *tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Copies of what the graph writes, for tensors of the shapes that were recorded."""
        for own, given in zip(self.inputs, tensors, strict=True):
            own.copy_(given)
        self.graph.replay()
        return self.outputs.clone() if isinstance(self.outputs, Tensor) else tuple(o.clone() for o in self.outputs)


class Replayed:
    """A function whose first call, for each new set of shapes, runs it, whose second records and whose others replay.

    Compilers and libraries prepare themselves in the first call, which a recording could not hold.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        self.known: dict[tuple[torch.Size, ...], Function] = {}

    def __call__(self, *tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
        """What the function returns for these tensors."""
        shapes = tuple(t.shape for t in tensors)
        if shapes not in self.known:
            self.known[shapes] = self.function
            return self.function(*tensors)
        if self.known[shapes] is self.function:
            self.known[shapes] = record(self.function, tensors)
        return self.known[shapes](*tensors)


def record(function: Function, tensors: tuple[Tensor, ...]) -> Recorded:
    """A graph of the function for tensors of these shapes."""
    inputs, graph = tuple(t.clone() for t in tensors), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = function(*inputs)
    return Recorded(graph, inputs, outputs)


def check_device(tensor: Tensor) -> Tensor:
    """Return `tensor` if it is on a GPU; else raise ModelError."""
    if tensor.device.type != "cuda":
        raise ModelError(f"CUDA graphs need a GPU and the model is on {tensor.device}: load it with graphs=False")
    return tensor
