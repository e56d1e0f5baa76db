"""The LoRA of a training: put on the transformer, and saved as diffusers loads it, with rank, alpha and its base."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pxs.editing.adapters import Factors, find_adapters, read_factors
from pxs.editing.checkpoints import find_model
from pxs.errors import TrainingError
from pxs.training.settings import TARGETS, Settings
from pxs.training.sharding import whole

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel

NAME = "default"


def add_adapter(transformer: QwenImageTransformer2DModel, settings: Settings) -> dict[str, Tensor]:
    """Freeze the transformer and put an untrained LoRA on it; returns its weights, float32, by name.

    A is Gaussian, drawn from the seed; B is zero, so the model's function is unchanged.
    """
    from peft import LoraConfig

    transformer.requires_grad_(False)
    config = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, target_modules=list(TARGETS), init_lora_weights="gaussian"
    )
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        transformer.add_adapter(config, adapter_name=NAME)
    weights = trained(transformer)
    for p in weights.values():
        p.data = p.data.float()
    return weights


def find_start(settings: Settings) -> Path | None:
    """The file of the adapter that a training goes on from, if any; "default" is the model's own. AdapterError."""
    if not settings.start:
        return None
    own = find_model(settings.model) / "adapter.safetensors"
    (file,) = find_adapters(settings.start, own if own.is_file() else None)
    return file


def read_start(file: Path, transformer: QwenImageTransformer2DModel, settings: Settings) -> dict[str, Factors]:
    """The factors of an adapter to go on from, which must have this rank and alpha on the same layers.

    Raises AdapterError, and TrainingError for one of another kind.
    """
    layers = read_factors(file, transformer)
    own = {name for name, _ in transformer.named_modules() if name.endswith(tuple(f".{t}" for t in TARGETS))}
    if layers.keys() != own:
        raise TrainingError(f"{file} acts on {len(layers)} layers, a training on {len(own)}: start from another")
    for factors in layers.values():
        rank, alpha = len(factors.a), factors.scaling * len(factors.a)
        if (rank, alpha) != (settings.rank, settings.alpha):
            raise TrainingError(f"{file} has rank {rank} and alpha {alpha:g}: set rank={rank} alpha={alpha:g}")
    return layers


def take_up(transformer: QwenImageTransformer2DModel, layers: Mapping[str, Factors]) -> None:
    """Give the LoRA on a transformer these factors."""
    for name, factors in layers.items():
        layer = transformer.get_submodule(name)
        layer.lora_A[NAME].weight.data.copy_(factors.a)
        layer.lora_B[NAME].weight.data.copy_(factors.b)


def trained(transformer: QwenImageTransformer2DModel) -> dict[str, Tensor]:
    """The weights that a training moves, by name."""
    return {name: p for name, p in transformer.named_parameters() if p.requires_grad}


def adapter_bytes(transformer: QwenImageTransformer2DModel, base: str) -> bytes:
    """The LoRA as a safetensors file in diffusers layout, float32; `base` is the fingerprint of the model under it.

    All metadata is one entry, since several come out in no fixed order and would change the file's hash.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    state = get_peft_model_state_dict(transformer, adapter_name=NAME)
    tensors = {f"transformer.{k}": whole(v).detach().float().contiguous().cpu() for k, v in sorted(state.items())}
    config = transformer.peft_config[NAME]
    notes = {
        "transformer.r": config.r,
        "transformer.lora_alpha": config.lora_alpha,
        "transformer.target_modules": sorted(config.target_modules),
        "pxs.base": base,
    }
    metadata = {"lora_adapter_metadata": json.dumps(notes, sort_keys=True)}
    return save(tensors, metadata=metadata)
