"""LoRA adapters: found, read in any common layout, checked against the model, and added to its weights.

    W' = W + sum_i weight_i * scaling_i * B_i A_i,    scaling = alpha / rank

summed in float32 and rounded to the model's dtype once. The intensity of an edit does not depend on an adapter, so once
added it costs nothing. Layouts: diffusers (transformer.LAYER.lora_A.weight, as PixelSmile is published), peft
(base_model.model.LAYER.lora_A.weight beside adapter_config.json) and kohya (lora_unet_LAYER.lora_down.weight). A file
that does not state its alpha is scaled by 1, as diffusers does.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from pxs.errors import AdapterError, one_line
from pxs.expressions import check_scale
from pxs.hub import ADAPTER, downloaded, file_hash, is_hub_id

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel

DEFAULT_ADAPTER = "default"  # the one that comes with the checkpoint

Choice = str | Path | Mapping[str | Path, float] | None
"""Which adapters: one, several by their weights, or none. Each is a file, a folder with one, or a hub id."""

KEY = re.compile(
    r"(?:base_model\.model\.|transformer\.|diffusion_model\.|lora_unet_)*(?P<layer>.+)"
    r"\.(?:lora_(?P<side>A|B|down|up)(?:\.default)?\.weight|alpha)"
)
SIDES = {"A": "A", "down": "A", "B": "B", "up": "B", None: "alpha"}


@dataclass(frozen=True)
class Adapter:
    """An adapter that fits a model.

    factors: of each linear layer, by name, A (rank, in) and B (out, rank). scaling: of each, alpha / rank. weight: how
    much of the adapter is added, 1 as a rule. sha256: of the file.
    """

    file: Path
    sha256: str
    weight: float
    factors: dict[str, tuple[Tensor, Tensor]]
    scaling: dict[str, float]

    def __str__(self) -> str:
        return self.file.name if self.weight == 1 else f"{self.file.name}={self.weight:g}"

    @property
    def facts(self) -> str:
        """Rank, alpha and effective scaling, for people to read."""
        ranks = {layer: len(a) for layer, (a, _) in self.factors.items()}
        alphas = {self.scaling[layer] * rank for layer, rank in ranks.items()}
        rows = {"rank": set(ranks.values()), "alpha": alphas, "scaling": set(self.scaling.values())}
        shown = [f"{name} {'/'.join(f'{v:g}' for v in sorted(values))}" for name, values in rows.items()]
        return ", ".join([*shown, f"weight {self.weight:g}", f"{len(ranks)} layers"])


def find_adapters(choice: Choice, own: Path | None) -> dict[Path, float]:
    """The files that a choice means, with their weights; `own` is the checkpoint's, for "default".

    Raises AdapterError for one that is missing, ScaleError for a weight that is no number.
    """
    if choice is None or choice == DEFAULT_ADAPTER and own is None:
        return {}
    wanted = choice if isinstance(choice, Mapping) else {choice: 1.0}
    files: dict[Path, float] = {}
    for name, weight in wanted.items():
        if name == DEFAULT_ADAPTER and own is None:
            raise AdapterError("this model comes without an adapter of its own: name one instead of 'default'")
        files[own if name == DEFAULT_ADAPTER else find_adapter(name)] = check_scale(weight, f"weight of {name}")
    return files


def find_adapter(adapter: str | Path) -> Path:
    """The safetensors file of an adapter: the file itself, the only one of a folder or of a downloaded hub repository.

    ORG/NAME/FILE names one of several files of a repository. Raises AdapterError.
    """
    path = Path(adapter)
    repository, _, inside = _split(str(adapter))
    if not path.exists() and is_hub_id(repository):
        path = downloaded(repository, ADAPTER) / inside
    found = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(found) != 1:
        names = f" ({', '.join(f.name for f in found[:3])})" if found else ""
        raise AdapterError(f"{str(adapter)!r} holds {len(found)} safetensors files{names}: give the adapter's file")
    if found[0].suffix != ".safetensors":
        raise AdapterError(f"{str(adapter)!r} is not a .safetensors file: other formats can run code and are refused")
    if not found[0].is_file():
        raise AdapterError(f"no adapter {str(adapter)!r}: give a .safetensors file, a folder with one, or a hub id")
    return found[0]


def _split(name: str) -> tuple[str, str, str]:
    """ORG/NAME/FILE as (ORG/NAME, /, FILE)."""
    organisation, slash, rest = name.partition("/")
    repository, second, inside = rest.partition("/")
    return f"{organisation}{slash}{repository}", second, inside


def read_adapter(file: Path, weight: float, transformer: QwenImageTransformer2DModel) -> Adapter:
    """Read an adapter for a transformer; every key must match a layer in name and shape. Raises AdapterError."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors, notes = load_file(file), adapter_notes(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise AdapterError(f"{file} is damaged ({one_line(error)}): copy or download the adapter again") from None
    if notes.get("use_dora"):
        raise AdapterError(f"{file} is a DoRA, which cannot be added to the weights: give a LoRA")
    parts = _parts(file, tensors, transformer)
    factors = {layer: (found["A"], found["B"]) for layer, found in parts.items()}
    scaling = {layer: _scaling(layer, found, notes) for layer, found in parts.items()}
    return Adapter(file, file_hash(file), weight, factors, scaling)


def add_adapters(transformer: QwenImageTransformer2DModel, adapters: Sequence[Adapter]) -> None:
    """Add adapters to the weights, in float32; what each adds does not depend on the others."""
    for layer in dict.fromkeys(layer for adapter in adapters for layer in adapter.factors):
        weight = transformer.get_submodule(layer).weight
        total = weight.data.float()
        for adapter in adapters:
            if layer in adapter.factors:
                a, b = (factor.to(total) for factor in adapter.factors[layer])
                total.addmm_(b, a, alpha=adapter.weight * adapter.scaling[layer])
        weight.data.copy_(total)


def adapter_notes(file: Path) -> dict[str, Any]:
    """What an adapter says of itself: "r", "lora_alpha", "target_modules", ...; empty for one that says nothing."""
    from safetensors import safe_open

    beside = file.parent / "adapter_config.json"
    with safe_open(file, "pt") as stream:
        said = (stream.metadata() or {}).get("lora_adapter_metadata")
    if said is None and beside.is_file():
        said = beside.read_text()
    return {key.removeprefix("transformer."): value for key, value in json.loads(said or "{}").items()}


def _parts(file: Path, tensors: Mapping[str, Tensor], transformer: nn.Module) -> dict[str, dict[str, Tensor]]:
    """The tensors of each layer by side: A, B and, where there is one, alpha."""
    layers = {name: m.weight.shape for name, m in transformer.named_modules() if isinstance(m, nn.Linear)}
    flat = {name.replace(".", "_"): name for name in layers}
    parts: dict[str, dict[str, Tensor]] = {}
    bad = []
    for key, tensor in tensors.items():
        match = KEY.fullmatch(key)
        layer = match and (match["layer"] if match["layer"] in layers else flat.get(match["layer"].replace(".", "_")))
        if layer:
            parts.setdefault(layer, {})[SIDES[match["side"]]] = tensor
        else:
            bad.append(f"{key} {list(tensor.shape)}")
    for layer, found in parts.items():
        rank = len(found["A"]) if "A" in found else 0
        wanted = {"A": (rank, layers[layer][1]), "B": (layers[layer][0], rank)}
        bad += [f"{layer}.lora_{s} is missing" for s in wanted if s not in found]
        bad += [f"{layer}.lora_{s} {list(t.shape)}" for s, t in found.items() if s in wanted and t.shape != wanted[s]]
    if bad or not tensors:
        shown = "; ".join(bad[:3]) + (f"; and {len(bad) - 3} more" if len(bad) > 3 else "") or "it holds no tensors"
        raise AdapterError(f"{file} does not fit this model ({shown}): give an adapter trained on it")
    return parts


def _scaling(layer: str, found: Mapping[str, Tensor], notes: Mapping[str, Any]) -> float:
    """alpha / rank as tensor or notes say; 1 where they say nothing. Patterns match the end of a name, as in peft."""
    rank, alpha = len(found["A"]), notes.get("lora_alpha")
    if "alpha" in found:
        return float(found["alpha"]) / rank
    for pattern, value in (notes.get("alpha_pattern") or {}).items():
        if re.fullmatch(rf"(.*\.)?({pattern})", layer):
            alpha = value
            break
    if alpha is None:
        return 1.0
    return float(alpha) / (math.sqrt(rank) if notes.get("use_rslora") else rank)
