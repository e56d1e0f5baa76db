"""A recognition network from an ONNX file as a torch module, so that gradients go through it.

It knows the operations of insightface's recognition networks (iResNet, MobileFaceNet) and refuses others. Each is a
function of tensors; its keyword arguments are the attributes that https://onnx.ai/onnx/operators gives it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pxs.errors import JudgeError, one_line
from pxs.optional import require


class OnnxNetwork(nn.Module):
    """The graph of an ONNX file, frozen; differentiable in its one input.

    `shape` is that of an input in float32, which it is tried with. `takes_bytes` tells whether the graph itself begins
    by subtracting and scaling, and so takes 0..255 and not [-1, 1], as insightface tells it too: Sub and Mul are among
    the first 8 nodes. `version` is the first 8 digits of the file's SHA-256. Raises JudgeError for a file that is
    missing or damaged, and for an operation that is not known here.
    """

    def __init__(self, path: str | Path, shape: Sequence[int]) -> None:
        super().__init__()
        onnx = require("onnx", "faces")
        try:
            content = Path(path).read_bytes()
            self.version = hashlib.sha256(content).hexdigest()[:8]
            self._build(onnx, onnx.load_model_from_string(content).graph)
            with torch.no_grad():
                self(torch.zeros(*shape))
        except Exception as error:
            raise JudgeError(
                f"the network {path} cannot be run ({one_line(error)}): download it again, or use another model pack"
            ) from None

    def _build(self, onnx: Any, graph: Any) -> None:
        """Weights as buffers, and the graph as a list of (operation, names of its inputs, name of its output)."""
        unknown = sorted({node.op_type for node in graph.node} - OPERATIONS.keys() - {"Constant"})
        if unknown:
            raise JudgeError(f"unknown operation {', '.join(unknown)}")
        weights = {weight.name: weight for weight in graph.initializer}
        weights |= {node.output[0]: node.attribute[0].t for node in graph.node if node.op_type == "Constant"}
        self.names = list(weights)
        for number, weight in enumerate(weights.values()):
            self.register_buffer(f"weight{number}", torch.tensor(onnx.numpy_helper.to_array(weight)))
        (self.input,) = {value.name for value in graph.input} - weights.keys()
        (self.output,) = (value.name for value in graph.output)
        self.takes_bytes = {"Sub", "Mul"} <= {node.op_type for node in graph.node[:8]}
        self.steps = [_step(onnx, node) for node in graph.node if node.op_type != "Constant"]

    def forward(self, x: Tensor) -> Tensor:
        """The graph's output for its input, as a rule pictures (1, 3, 112, 112) -> (1, 512).

        One picture at a time: many exports have a batch of one written into their shapes.
        """
        values = {"": None, **dict(zip(self.names, self.buffers(), strict=True)), self.input: x}
        for operation, inputs, output in self.steps:
            values[output] = operation(*(values[name] for name in inputs))
        return values[self.output]


def _step(onnx: Any, node: Any) -> tuple[Callable[..., Tensor], tuple[str, ...], str]:
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return partial(OPERATIONS[node.op_type], **attributes), tuple(node.input), node.output[0]


def _batch_norm(x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor, *, epsilon=1e-5, **_) -> Tensor:
    """As in inference; the other attributes matter to training only."""
    return F.batch_norm(x, mean, var, scale, bias, eps=epsilon)


def _conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    kernel_shape: Sequence[int] = (),
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    group: int = 1,
) -> Tensor:
    top, left, bottom, right = pads
    return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, strides, 0, dilations, group)


def _flatten(x: Tensor, *, axis: int = 1) -> Tensor:
    return x.reshape(math.prod(x.shape[:axis]), -1)


def _gemm(a: Tensor, b: Tensor, c: Tensor | None = None, *, alpha=1.0, beta=1.0, transA=0, transB=0) -> Tensor:
    product = alpha * (a.T if transA else a) @ (b.T if transB else b)
    return product if c is None else product + beta * c


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, slope * x, x)


def _reshape(x: Tensor, shape: Tensor, **_) -> Tensor:
    """A size of 0 is that of `x`, one of -1 what is left; nothing here is empty."""
    return x.reshape([size or x.shape[axis] for axis, size in enumerate(shape.tolist())])


def _same(x: Tensor, *_, **__) -> Tensor:
    return x


OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "Add": torch.add,
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "Dropout": _same,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "Identity": _same,
    "MatMul": torch.matmul,
    "Mul": torch.mul,
    "PRelu": _prelu,
    "Reshape": _reshape,
    "Sub": torch.sub,
}
