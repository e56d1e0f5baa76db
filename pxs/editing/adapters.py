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
from pxs.storage.hub import ADAPTER, downloaded, file_hash, is_hub_id

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
    """What was added to a model. weight: how much of it, 1 as a rule. facts: rank, alpha and effective scaling."""

    file: Path
    sha256: str
    weight: float
    facts: str

    def __str__(self) -> str:
        return self.file.name if self.weight == 1 else f"{self.file.name}={self.weight:g}"


@dataclass(frozen=True)
class Factors:
    """What an adapter adds to one linear layer: scaling * B A. a: (rank, in); b: (out, rank); scaling: alpha / rank."""

    a: Tensor
    b: Tensor
    scaling: float


def facts(layers: Mapping[str, Factors]) -> str:
    """Rank, alpha and effective scaling of an adapter, for people to read."""
    found = layers.values()
    rows = {
        "rank": {len(f.a) for f in found},
        "alpha": {f.scaling * len(f.a) for f in found},
        "scaling": {f.scaling for f in found},
    }
    shown = [f"{name} {'/'.join(f'{v:g}' for v in sorted(values))}" for name, values in rows.items()]
    return ", ".join([*shown, f"{len(layers)} layers"])


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
        file = own if name == DEFAULT_ADAPTER else find_adapter(name)
        if file in files:
            raise AdapterError(f"adapter {str(name)!r} is named twice: name each once")
        files[file] = check_scale(weight, f"weight of {name}")
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


def load_adapters(transformer: QwenImageTransformer2DModel, files: Mapping[Path, float]) -> tuple[Adapter, ...]:
    """Read adapters, by their weights, and add them to a transformer. Raises AdapterError before anything is added."""
    read = [(file, weight, read_factors(file, transformer)) for file, weight in files.items()]
    add_factors(transformer, [(weight, layers) for _, weight, layers in read])
    return tuple(Adapter(file, file_hash(file), weight, facts(layers)) for file, weight, layers in read)


def read_factors(file: Path, transformer: QwenImageTransformer2DModel) -> dict[str, Factors]:
    """What an adapter adds to each layer; every key must match a layer in name and shape. Raises AdapterError."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors, notes = load_file(file), adapter_notes(file)
    except (SafetensorError, OSError, ValueError, AttributeError) as error:
        raise AdapterError(f"{file} is damaged ({one_line(error)}): copy or download the adapter again") from None
    if notes.get("use_dora"):
        raise AdapterError(f"{file} is a DoRA, which cannot be added to the weights: give a LoRA")
    parts = _parts(file, tensors, transformer)
    try:
        layers = {n: Factors(found["A"], found["B"], _scaling(n, found, notes)) for n, found in parts.items()}
    except (TypeError, ValueError, AttributeError, RuntimeError, ZeroDivisionError, re.error) as error:
        raise AdapterError(
            f"{file} states an alpha that cannot be used ({one_line(error)}): repair its notes"
        ) from None
    for name, f in layers.items():
        if not (f.a.isfinite().all() and f.b.isfinite().all() and math.isfinite(f.scaling)):
            raise AdapterError(f"{file}: the factors of {name} are not finite: copy or download the adapter again")
    return layers


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
