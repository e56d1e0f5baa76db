"""The LoRA of a training: added to the transformer, and saved in the layout of diffusers with rank, alpha and base."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pxs.editing.adapters import Factors, find_adapters, read_factors
from pxs.editing.checkpoints import find_model
from pxs.errors import TrainingError
from pxs.training.settings import TARGETS, Settings
from pxs.training.sharding import full_tensor

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel

NAME = "default"


def add_adapter(transformer: QwenImageTransformer2DModel, settings: Settings) -> dict[str, Tensor]:
    """Freeze the transformer and add an untrained LoRA; returns its weights, float32, by name.

    A (rank, inputs) is Gaussian, drawn from the seed. B (outputs, rank) is zero, so the model computes the same.
    """
    from peft import LoraConfig

    module: Any = transformer
    module.requires_grad_(False)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules=list(TARGETS),
        init_lora_weights="gaussian",
    )
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        module.add_adapter(config, adapter_name=NAME)
    weights = trainable_weights(transformer)
    for p in weights.values():
        p.data = p.data.float()
    return weights


def find_start(settings: Settings) -> Path | None:
    """The file of the adapter that a training starts from, or None; "default" is the adapter of the model.

    Raises AdapterError if there is no such file.
    """
    if not settings.start:
        return None
    default = find_model(settings.model) / "adapter.safetensors"
    (file,) = find_adapters(settings.start, default if default.is_file() else None)
    return file


def read_start(file: Path, transformer: QwenImageTransformer2DModel, settings: Settings) -> dict[str, Factors]:
    """The factors by layer of an adapter to start from.

    Raises AdapterError for a file that cannot be read, and TrainingError for an adapter whose layers, rank or alpha
    differ from those of the settings.
    """
    layers = read_factors(file, transformer)
    module: Any = transformer
    targets = {name for name, _ in module.named_modules() if name.endswith(tuple(f".{t}" for t in TARGETS))}
    if layers.keys() != targets:
        raise TrainingError(f"{file} acts on {len(layers)} layers, a training on {len(targets)}: start from another")
    for factors in layers.values():
        rank, alpha = len(factors.a), factors.scaling * len(factors.a)
        if (rank, alpha) != (settings.rank, settings.alpha):
            raise TrainingError(f"{file} has rank {rank} and alpha {alpha:g}: set rank={rank} alpha={alpha:g}")
    return layers


def load_factors(transformer: QwenImageTransformer2DModel, layers: Mapping[str, Factors]) -> None:
    """Copy factors, by layer, into the LoRA of a transformer."""
    module: Any = transformer
    for name, factors in layers.items():
        layer = module.get_submodule(name)
        layer.lora_A[NAME].weight.data.copy_(factors.a)
        layer.lora_B[NAME].weight.data.copy_(factors.b)


def trainable_weights(transformer: QwenImageTransformer2DModel) -> dict[str, Tensor]:
    """The weights that a training updates, by name."""
    module: Any = transformer
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def adapter_bytes(transformer: QwenImageTransformer2DModel, base: str, recipe: str = "") -> bytes:
    """The LoRA as a safetensors file in the layout of diffusers, float32; `base` is the fingerprint of its model.

    `recipe` names the editing recipe that the adapter was trained for, see editing/recipes.py; empty for its default.

    All metadata is one entry: several entries have no fixed order, which would change the hash of the file.
    Every process must call this at the same time.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    state = get_peft_model_state_dict(transformer, adapter_name=NAME)
    tensors = {f"transformer.{k}": full_tensor(v).detach().float().contiguous().cpu() for k, v in sorted(state.items())}
    module: Any = transformer
    config = module.peft_config[NAME]
    notes = {
        "transformer.r": config.r,
        "transformer.lora_alpha": config.lora_alpha,
        "transformer.target_modules": sorted(config.target_modules),
        "pxs.base": base,
        **({"pxs.recipe": recipe} if recipe else {}),
    }
    metadata = {"lora_adapter_metadata": json.dumps(notes, sort_keys=True)}
    return save(tensors, metadata=metadata)
