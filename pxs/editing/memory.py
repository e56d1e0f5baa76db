"""Where the weights lie, and in how many bits, so that a model fits into a device.

    mode      blocks of the transformer     modulation, text encoder    needs, for Qwen-Image-Edit
    full      as loaded, on the device      on the device               the whole model
    offload   as loaded, on the device      streamed when they work     half of it
    fp8       8 bits, on the device         streamed                    a quarter
    int8      8 bits, on the device         streamed                    a quarter
    nf4       4 bits, on the device         streamed                    a sixth

Streaming is exact: layers that work once an edit (a third of the transformer does nothing but modulate, and its table
is made before the first step) stay in the computer's memory and visit the device one by one, by the group offloading of
diffusers. Fewer bits are approximate, see quantised.py. `pxs info --estimate` prints the needs of a model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from pxs.editing.quantised import BITS, check_bits, has_fp8, modulates, quantise
from pxs.errors import ModelError

if TYPE_CHECKING:
    from diffusers import QwenImageEditPlusPipeline

MODES = ("full", "offload", *BITS)
AUTO = "auto"
GPU_SIZES_GB = (24, 48, 80, 141)  # GB of common GPUs
ASSUMED_BATCH = 4  # edits that the estimate has at work at once
TEXT_TOKENS = 300  # text tokens of a prompt with its picture, about
VALUES_PER_TOKEN = 16  # values a token and channel that a block holds at its worst: attention 12, MLP 10
USABLE_SHARE = 0.92  # share of a device's memory that can be counted on


def check_mode(mode: str) -> str:
    """Return `mode` if it is one; else raise ModelError."""
    if mode not in (AUTO, *MODES):
        raise ModelError(f"unknown memory mode {mode!r}: choose from {', '.join((AUTO, *MODES))}")
    return mode


@dataclass(frozen=True)
class Sizes:
    """Numbers of parameters of a checkpoint, and what decides the size of its activations.

    blocks: linear layers of the transformer's blocks, without modulation. leaf: the largest tensor that is streamed.
    width: channels of the transformer.
    """

    blocks: int
    modulation: int
    rest: int
    text_encoder: int
    vae: int
    leaf: int
    width: int


def sizes(folder: Path) -> Sizes:
    """Of a checkpoint folder, from the headers of its files; nothing is loaded. Raises ModelError without weights."""
    transformer, encoder, vae = (dict(_shapes(folder / part)) for part in ("transformer", "text_encoder", "vae"))
    modulation = {n: c for n, c in transformer.items() if modulates(n)}
    blocks = {n: c for n, c in transformer.items() if n.startswith("transformer_blocks") and n not in modulation}
    if not (transformer and encoder and vae):
        raise ModelError(f"{str(folder)!r} lacks weights as safetensors: download the checkpoint again")
    config = json.loads((folder / "transformer" / "config.json").read_text())
    total = sum(transformer.values())
    inside, modulating = sum(blocks.values()), sum(modulation.values())
    return Sizes(
        inside,
        modulating,
        total - inside - modulating,
        sum(encoder.values()),
        sum(vae.values()),
        max((*encoder.values(), *modulation.values())),
        config["num_attention_heads"] * config["attention_head_dim"],
    )


def _shapes(folder: Path) -> Iterator[tuple[str, int]]:
    from safetensors import safe_open

    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118
                yield name, math.prod(tensors.get_slice(name).get_shape())


def estimate(s: Sizes, dtype: torch.dtype, resolution: int) -> dict[str, float]:
    """Gigabytes (1e9 bytes) that each mode needs on the device for ASSUMED_BATCH edits at resolution x resolution.

    Weights are counted exactly; activations by the most that a block of the transformer holds: computed, not measured.
    """
    each, tokens = dtype.itemsize, 2 * (resolution // 16) ** 2 + TEXT_TOKENS
    work = ASSUMED_BATCH * tokens * s.width * VALUES_PER_TOKEN * each
    always = each * (s.rest + s.vae) + work
    streamed = always + each * s.leaf
    needs: dict[str, float] = {
        "full": always + each * (s.blocks + s.modulation + s.text_encoder),
        "offload": streamed + each * s.blocks,
    }
    needs |= {mode: streamed + of_each * s.blocks for mode, of_each in BITS.items()}
    return {mode: count / 1e9 for mode, count in needs.items()}


def choose(mode: str, folder: Path, dtype: torch.dtype, resolution: int, device: str) -> str:
    """The mode itself, or for "auto" the first that fits into the device; raises ModelError if none does."""
    if check_mode(mode) in BITS:
        check_bits(mode, device)
    if mode != AUTO:
        return mode
    if not device.startswith("cuda"):
        return "full"
    free, needs = torch.cuda.mem_get_info(device)[0] / 1e9, estimate(sizes(folder), dtype, resolution)
    for candidate, need in needs.items():
        if need <= USABLE_SHARE * free and (candidate != "fp8" or has_fp8(device)):
            return choose(candidate, folder, dtype, resolution, device)
    raise ModelError(
        f"{device} has {free:.1f} GB free and the smallest mode needs {min(needs.values()):.1f}: free some, or take "
        "device='cpu'"
    )


def place(pipe: QwenImageEditPlusPipeline, mode: str, device: str) -> None:
    """Bring a loaded pipeline, adapters added, to where `mode` has it. Raises ModelError without bitsandbytes."""
    if mode == "full":
        pipe.to(device)
        return
    if mode in BITS:
        quantise(pipe.transformer, mode)
    blocks = pipe.transformer.transformer_blocks
    streamed = [pipe.text_encoder, *(b.img_mod for b in blocks), *(b.txt_mod for b in blocks)]
    for module in streamed:
        _stream(module, device)
    elsewhere = {id(m) for module in streamed for m in module.modules()}
    for module in (m for part in (pipe.transformer, pipe.vae) for m in part.modules()):
        if id(module) not in elsewhere:
            module._apply(lambda tensor: tensor.to(device), recurse=False)


def _stream(module: nn.Module, device: str) -> None:
    """Keep a module's weights on the CPU; each layer visits the device for as long as it works."""
    from diffusers.hooks import apply_group_offloading

    apply_group_offloading(
        module, onload_device=torch.device(device), offload_device=torch.device("cpu"), offload_type="leaf_level"
    )
