"""Linear layers of the transformer's blocks in 8 or 4 bits; modulation and all else stay as they are.

    fp8    float8 e4m3, a scale a row of weights and a token; PyTorch alone; computes in 8 bits: faster on new GPUs
    int8   LLM.int8 (arXiv 2208.07339), by bitsandbytes
    nf4    QLoRA's 4 bits (arXiv 2305.14314), by bitsandbytes; computes in 16 bits

All are approximate, and quantise what the adapters have been added to.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import ScalingType, scaled_mm

from pxs.errors import ModelError
from pxs.optional import require

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel

BITS = {"fp8": 1.0, "int8": 1.0, "nf4": 0.5 + 1 / 64}
"""Bytes a weight takes; nf4 has a scale of 8 bits for every 64."""

FP8 = torch.float8_e4m3fn
FP8_GPU = (8, 9)  # the compute capability from which GPUs multiply in 8 bits


def modulates(name: str) -> bool:
    """Whether a layer of the transformer, by its name, is of modulation."""
    return ".img_mod." in name or ".txt_mod." in name


def check_bits(mode: str, device: str) -> None:
    """Raise ModelError if a device, or what is installed, cannot do this mode."""
    if mode == "fp8":
        if not has_fp8(device):
            raise ModelError(
                f"memory mode 'fp8' needs a GPU of compute capability 8.9, which {device} is not: int8 fits"
            )
        return
    require("bitsandbytes", "quantised", ModelError)


def has_fp8(device: str) -> bool:
    """Whether a device multiplies in float8: new GPUs do, and any CPU, though not faster."""
    return not device.startswith("cuda") or torch.cuda.get_device_capability(device) >= FP8_GPU


def quantise(transformer: QwenImageTransformer2DModel, mode: str) -> None:
    """Turn the linear layers of the blocks, but for modulation, into those of a mode of BITS, in place."""
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)  # a line for every call of int8
    for name, layer in list(transformer.named_modules()):
        if isinstance(layer, nn.Linear) and name.startswith("transformer_blocks") and not modulates(f"{name}."):
            new = LAYERS[mode](layer)
            new.bias = layer.bias
            transformer.set_submodule(name, new.requires_grad_(False).train(layer.training))


class Float8Linear(nn.Module):
    """A linear layer in float8: W = scale * Q, a scale a row; its input is scaled a token at a time."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        weight, scale = scaled(layer.weight.data)
        self.weight, self.scale = nn.Parameter(weight, requires_grad=False), nn.Parameter(scale, requires_grad=False)
        self.bias = None

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out) in the dtype of `x`."""
        tokens, scale = scaled(x.flatten(0, -2))
        rows = ScalingType.RowWise
        y = scaled_mm(tokens, self.weight.t(), scale, rows, self.scale.t(), rows, output_dtype=torch.bfloat16)
        y = y.to(x.dtype) if self.bias is None else y.to(x.dtype) + self.bias
        return y.unflatten(0, x.shape[:-1])


def scaled(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of x (N, C) as float8 of full range, and their scales (N, 1) in float32: x = scale * rows."""
    largest = torch.finfo(FP8).max
    scale = x.abs().amax(dim=1, keepdim=True).float().clamp(min=1e-12) / largest
    return (x.float() / scale).clamp(-largest, largest).to(FP8), scale


def _int8(layer: nn.Linear) -> nn.Module:
    bits = require("bitsandbytes", "quantised", ModelError).nn
    new = bits.Linear8bitLt(*_shape(layer), has_fp16_weights=False, threshold=6.0, device="meta")
    new.weight = bits.Int8Params(layer.weight.data, requires_grad=False, has_fp16_weights=False)
    return new


def _nf4(layer: nn.Linear) -> nn.Module:
    bits, data = require("bitsandbytes", "quantised", ModelError).nn, layer.weight.data
    new = bits.Linear4bit(*_shape(layer), compute_dtype=data.dtype, quant_type="nf4", device="meta")
    new.weight = bits.Params4bit(data, requires_grad=False, quant_type="nf4", quant_storage=torch.uint8)
    return new


def _shape(layer: nn.Linear) -> tuple[int, int, bool]:
    return layer.in_features, layer.out_features, layer.bias is not None


LAYERS = {"fp8": Float8Linear, "int8": _int8, "nf4": _nf4}
