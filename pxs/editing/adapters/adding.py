"""Adapters added to the weights of a transformer, in float32 and rounded to the dtype of the model once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pxs.editing.adapters.reading import Factors, facts, read_adapter
from pxs.errors import AdapterError
from pxs.storage.hashes import checked_hash

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel


@dataclass(frozen=True)
class Adapter:
    """What was added to a model. weight: how much of it, 1 as a rule.

    facts: rank, alpha, effective scaling and layers; layouts: of the file's keys; remarks: what a user should know,
    such as keys that were left out.
    """

    file: Path
    sha256: str
    weight: float
    facts: str
    layouts: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.file.name if self.weight == 1 else f"{self.file.name}={self.weight:g}"


def load_adapters(transformer: QwenImageTransformer2DModel, files: Mapping[Path, float]) -> tuple[Adapter, ...]:
    """Read adapters, by their weights, and add them to a transformer. Raises AdapterError before anything is added."""
    read = {file: read_adapter(file, transformer, weight) for file, weight in files.items()}
    hashes = {file: checked_hash(file, AdapterError) for file in files}
    add_factors(transformer, [(weight, read[file].layers) for file, weight in files.items()])
    return tuple(
        Adapter(file, hashes[file], weight, facts(r.layers, r.of), r.layouts, _remarks(r.text_encoder, r.remarks))
        for (file, weight), r in zip(files.items(), read.values(), strict=True)
    )


def add_factors(
    transformer: QwenImageTransformer2DModel, adapters: Sequence[tuple[float, Mapping[str, Factors]]]
) -> None:
    """Add adapters, each with its weight, to a transformer's weights, in float32 and rounded once."""
    for name in dict.fromkeys(name for _, layers in adapters for name in layers):
        weight = transformer.get_submodule(name).weight
        total = weight.data.float()
        for share, layers in adapters:
            if name in layers:
                f = layers[name]
                total.addmm_(f.b.to(total), f.a.to(total), alpha=share * f.scaling)
        weight.data.copy_(total)


def _remarks(text_encoder: int, remarks: Sequence[str]) -> tuple[str, ...]:
    left_out = [f"{text_encoder} keys of the text encoder are left out: only the transformer is changed"]
    return (*(left_out if text_encoder else []), *remarks)
