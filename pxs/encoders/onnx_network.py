"""A recognition network from an ONNX file as a differentiable torch module.

It supports the operations of insightface's recognition networks (iResNet, MobileFaceNet) and no others. Each operation
is a function of tensors; its keyword arguments are the attributes listed at https://onnx.ai/onnx/operators.
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
    """The frozen graph of an ONNX file with one input and one output.

    `shape` is the shape of an input; the constructor runs the graph once on zeros (float32) of this shape.
    `takes_bytes`: the graph normalises its input itself, so it takes values in [0, 255], not in [-1, 1]. As in
    insightface, this is the case if Sub and Mul are among the first 8 nodes. `version`: the first 8 digits of the
    SHA-256 of the file. Raises JudgeError for a file that is missing or damaged, and for an unsupported operation.
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
        """Register the weights as buffers; store the nodes as (operation, names of inputs, name of output)."""
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
        self.nodes = [_node(onnx, node) for node in graph.node if node.op_type != "Constant"]

    def forward(self, x: Tensor) -> Tensor:
        """The output of the graph, for ArcFace one picture (1, 3, 112, 112) -> (1, 512), in the dtype of the input.

        Values are in [-1, 1], or in [0, 255] if `takes_bytes`. Differentiable in `x`. One picture per call, because
        many exported graphs contain a batch size of 1.
        """
        values: dict[str, Any] = {"": None, **dict(zip(self.names, self.buffers(), strict=True)), self.input: x}
        for operation, inputs, output in self.nodes:
            values[output] = operation(*(values[name] for name in inputs))
        result: Tensor = values[self.output]
        return result


def _node(onnx: Any, node: Any) -> tuple[Callable[..., Tensor], tuple[str, ...], str]:
    """The operation with its attributes, the names of its inputs, and the name of its output."""
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return partial(OPERATIONS[node.op_type], **attributes), tuple(node.input), node.output[0]


def _batch_norm(
    x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor, *, epsilon: float = 1e-5, **_: Any
) -> Tensor:
    """Batch normalisation as in inference; the ignored attributes are for training."""
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


def _gemm(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Tensor:
    product: Tensor = alpha * (a.T if transA else a) @ (b.T if transB else b)
    return product if c is None else product + beta * c


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, slope * x, x)


def _reshape(x: Tensor, shape: Tensor, **_: Any) -> Tensor:
    """A size of 0 is the size of `x` on that axis; a size of -1 is inferred."""
    return x.reshape([size or x.shape[axis] for axis, size in enumerate(shape.tolist())])


def _identity(x: Tensor, *_: Tensor, **__: Any) -> Tensor:
    return x


OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "Add": torch.add,
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "Dropout": _identity,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "Identity": _identity,
    "MatMul": torch.matmul,
    "Mul": torch.mul,
    "PRelu": _prelu,
    "Reshape": _reshape,
    "Sub": torch.sub,
}
