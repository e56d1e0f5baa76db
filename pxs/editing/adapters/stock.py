"""What stock diffusers makes of an adapter file, found by running its own loader on a copy of the model.

The copy has the shapes of the model but no weights: each tensor is a single zero that is shown at every place, so a
model of 20 billion weights takes no memory. diffusers drops keys that it does not know without an error; this finds
them.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pxs.editing.adapters.choice import SUFFIX
from pxs.editing.adapters.notes import adapter_notes
from pxs.editing.adapters.patterns import PLAIN
from pxs.editing.adapters.reading import Reading, is_main, read_adapter
from pxs.errors import one_line

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel

NAME = "stock"
EXPRESSIONS = ("target_modules", "exclude_modules", "layers_pattern", "alpha_pattern", "rank_pattern")
"""Entries of the notes that peft takes for regular expressions."""


@dataclass(frozen=True)
class Stock:
    """scalings: of each layer that stock diffusers changes, effective. refusal: why it refuses the file, else empty."""

    scalings: dict[str, float]
    refusal: str = ""


def stock_report(file: Path, config: Mapping[str, Any]) -> str:
    """What stock diffusers does with an adapter for a transformer of this configuration, in one line.

    Raises AdapterError for a file that `read_adapter` refuses.
    """
    reading = read_adapter(file, _without_weights(config))
    return _tell(stock_load(file, reading, config), reading)


def stock_load(file: Path, reading: Reading, config: Mapping[str, Any]) -> Stock:
    """What `QwenImageEditPlusPipeline.load_lora_weights` of the installed diffusers does with a file that was read.

    config: of the transformer. Nothing but a copy without weights is changed. Any failure of diffusers is a refusal.
    """
    if file.suffix != SUFFIX:
        return Stock({}, f"its name does not end in {SUFFIX}")
    if not _harmless(adapter_notes(file)):
        return Stock({}, "not tried: its notes hold expressions that peft would run, which can take very long")
    copy = _without_weights(config)
    with _quiet():
        try:
            _load(file, copy)
        except Exception as error:  # of any kind: this shows what foreign code does
            return Stock({}, one_line(error)[:80])
    return Stock(_scalings(copy, reading))


def _harmless(notes: Mapping[str, Any]) -> bool:
    """Whether peft may be given these notes: names in place of regular expressions, and nothing that is imported."""
    for entry in EXPRESSIONS:
        names = notes.get(entry) or []
        if isinstance(names, str) or not all(isinstance(n, str) and set(n) <= PLAIN | {"^", "$"} for n in names):
            return False
    return not (notes.get("megatron_config") or notes.get("layer_replication"))


def _load(file: Path, model: QwenImageTransformer2DModel) -> None:
    """The two steps of `load_lora_weights`, which itself needs a whole pipeline."""
    from diffusers import QwenImageEditPlusPipeline as Pipeline

    options = {"use_safetensors": True, "local_files_only": True, "return_lora_metadata": True}
    state, metadata = Pipeline.lora_state_dict(str(file.parent), weight_name=file.name, **options)
    if not all("lora" in key for key in state):
        raise ValueError("it holds keys without 'lora'")
    Pipeline.load_lora_into_transformer(state, model, adapter_name=NAME, metadata=metadata, low_cpu_mem_usage=True)


def _tell(stock: Stock, reading: Reading) -> str:
    """In one line: how many layers, which are dropped, and where the scaling differs."""
    if stock.refusal:
        return f"0 of {reading.of} layers ({stock.refusal})"
    loaded = sum(map(is_main, stock.scalings))
    lost = [n for n in reading.layers if n not in stock.scalings]
    rows = [f"{loaded} of {reading.of} layers"]
    if lost:
        rows.append(f"{len(lost)} dropped without an error ({', '.join(_kinds(lost))})")
    differ = {f"{s:.2g}" for n, s in stock.scalings.items() if abs(s / reading.layers[n].scaling - 1) > 0.02}
    if differ:
        rows.append(f"scaled by {'/'.join(sorted(differ)[:4])}")
    return ", ".join(rows)


def _without_weights(config: Mapping[str, Any]) -> QwenImageTransformer2DModel:
    """A transformer of this configuration whose weights are zeros that take no memory."""
    from accelerate import init_empty_weights
    from diffusers import QwenImageTransformer2DModel

    with init_empty_weights():
        model = QwenImageTransformer2DModel.from_config(config)
    zero = torch.zeros((), dtype=torch.bfloat16)
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(zero.expand(weight.shape), requires_grad=False))
    return model


def _scalings(model: nn.Module, reading: Reading) -> dict[str, float]:
    """The effective scaling of each layer that got both factors: against ours, since diffusers may put alpha into A."""
    from peft.tuners.lora import LoraLayer

    found = {}
    for name, layer in model.named_modules():
        if isinstance(layer, LoraLayer) and name in reading.layers:
            a, b = layer.lora_A[NAME].weight, layer.lora_B[NAME].weight
            if not (a.is_meta or b.is_meta):
                ours = reading.layers[name]
                size = _size(ours.a, ours.b)
                found[name] = layer.scaling[NAME] * (_size(a, b) / size if size else 1.0)
    return found


def _size(a: Tensor, b: Tensor) -> float:
    """The length of B A x for a fixed x."""
    x = torch.linspace(0.5, 1.5, a.shape[1])
    return float((b.detach().float() @ (a.detach().float() @ x)).norm())


def _kinds(layers: list[str]) -> list[str]:
    """Names without the number of the block: attn.to_q, ..."""
    return sorted({re.sub(r"^transformer_blocks\.\d+\.", "", name) for name in layers})


@contextmanager
def _quiet() -> Iterator[None]:
    """No warning and no log of the loader: what it drops is told in our words."""
    log = logging.getLogger("diffusers")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)
