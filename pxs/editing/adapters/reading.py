"""From the tensors and notes of a file to {layer: Factors}. Every check is here, before anything is added.

Ranks may differ from layer to layer, as peft's rank_pattern and kohya's resizing make them. Alpha is the layer's own
tensor, else what the notes state, else the rank (scaling 1, as in diffusers). fp8 without scales is read as the numbers
it holds. fp8 with scales is refused: tools disagree on what the scale means, and none documents it for a LoRA.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pxs.editing.adapters.layouts import Key, Layers, of_text_encoder, other_method, parse_key
from pxs.editing.adapters.notes import Notes, adapter_notes, opened, read_notes
from pxs.editing.quantised import modulates
from pxs.errors import AdapterError

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel

FP8 = (torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz)
FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
LARGEST_SCALING = 1000  # published adapters have 0.1 to 8


@dataclass(frozen=True)
class Factors:
    """What an adapter adds to one linear layer: scaling * B A. a: (rank, in); b: (out, rank); scaling: alpha / rank."""

    a: Tensor
    b: Tensor
    scaling: float


@dataclass(frozen=True)
class Reading:
    """An adapter as read. layers: by name; of: how many layers of attention and MLP the model has.

    layouts: of its keys; text_encoder: how many keys were left out as they are of the text encoder; remarks: what a
    user should know, a sentence each.
    """

    layers: dict[str, Factors]
    of: int
    layouts: tuple[str, ...] = ()
    text_encoder: int = 0
    remarks: tuple[str, ...] = ()


@dataclass
class _Parts:
    """The tensors of one layer by side, and the key that each had."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    layouts: dict[str, str] = field(default_factory=dict)

    def put(self, key: Key, name: str, tensor: Tensor) -> None:
        """Keep a tensor, whose name in the file is `name`; raises AdapterError if there is one of this side already."""
        if key.side in self.tensors:
            both = f"{_short(self.keys[key.side])} and {_short(name)}"
            raise AdapterError(f"holds {key.layer} twice ({both}): keep one of them")
        self.tensors[key.side], self.keys[key.side], self.layouts[key.side] = tensor, name, key.layout


def facts(layers: Mapping[str, Factors], of: int | None = None) -> str:
    """Rank, alpha, effective scaling and number of layers, for people to read; `of`: how many the model has.

    Layers outside attention and MLP, such as modulation, are counted apart.
    """
    found = layers.values()
    rows: dict[str, set[float]] = {
        "rank": {len(f.a) for f in found},
        "alpha": {f.scaling * len(f.a) for f in found},
        "scaling": {f.scaling for f in found},
    }
    main = sum(is_main(name) for name in layers)
    count = f"{len(layers)} layers" if of is None else f"{main} of {of} layers"
    if of is not None and len(layers) > main:
        count += f" and {len(layers) - main} outside attention and MLP"
    return ", ".join([*(f"{name} {_values(values)}" for name, values in rows.items()), count])


def is_main(layer: str) -> bool:
    """Whether a linear layer is of the attention or the MLP of a block: the ones that PixelSmile trains."""
    return layer.startswith("transformer_blocks.") and not modulates(layer)


def read_factors(file: Path, transformer: QwenImageTransformer2DModel) -> dict[str, Factors]:
    """What an adapter adds to each layer; see `read_adapter`."""
    return read_adapter(file, transformer).layers


def read_adapter(file: Path, transformer: QwenImageTransformer2DModel, weight: float = 1.0) -> Reading:
    """Read and check an adapter for a transformer, whose weights are not changed; `weight`: how much will be added.

    Factors keep the file's dtype, float32, bfloat16, float16 or float64; fp8 becomes float32. Raises AdapterError, one
    line, for a file that is damaged, no LoRA, incomplete, not finite, or made for a model of other layers or shapes.
    """
    try:
        tensors, header = _load(file)
        shapes = {n: m.weight.shape for n, m in transformer.named_modules() if isinstance(m, nn.Linear)}
        reading = interpret(tensors, read_notes(adapter_notes(file, header)), shapes)
        check_values(reading.layers, torch.finfo(transformer.dtype).max / max(1.0, abs(weight)))
    except AdapterError as error:
        raise AdapterError(f"{_short(str(file), 300)} {error}") from None
    return reading


def interpret(tensors: Mapping[str, Tensor], notes: Notes, shapes: Mapping[str, torch.Size]) -> Reading:
    """Pure: from tensors by key, notes, and the shape (out, in) of each linear layer, to factors. Raises AdapterError.

    Checks method, dtype, names, shapes and alpha, not the values.
    """
    own = [name for name in tensors if not of_text_encoder(name)]
    left_out = len(tensors) - len(own)
    if not own:
        held = f"nothing but {left_out} keys of the text encoder" if left_out else "no tensors"
        raise AdapterError(f"holds {held}: give an adapter with layers of the transformer")
    parts = _collect({name: tensors[name] for name in own}, Layers(shapes))
    _check_shapes(parts, shapes)
    _check_targets(parts, notes.targets, shapes)
    _check_ranks(parts, notes)
    found = {n: _factors(n, p.tensors, notes) for n, p in parts.items()}
    layouts = tuple(sorted({p.layouts[side] for p in parts.values() for side in "AB"}))
    return Reading(found, sum(map(is_main, shapes)), layouts, left_out, _remarks(parts, notes))


def _collect(tensors: Mapping[str, Tensor], layers: Layers) -> dict[str, _Parts]:
    """The tensors by layer. Each key must be of a plain LoRA, of a layer of the model, and there once."""
    parts: dict[str, _Parts] = {}
    unknown = []
    for name, tensor in tensors.items():
        if method := other_method(name):
            raise AdapterError(f"is of another method, {method} (it holds {_short(name)}): give a plain LoRA")
        if key := parse_key(name, layers):
            parts.setdefault(key.layer, _Parts()).put(key, name, tensor)
        else:
            unknown.append(f"{_short(name)} {list(tensor.shape)}")
    if unknown:
        raise _misfit(unknown)
    return parts


def check_values(layers: Mapping[str, Factors], largest: float) -> None:
    """Raise AdapterError unless all factors are finite and what they add stays below the model's largest number."""
    for name, f in layers.items():
        a, b = (float(t.float().abs().max()) for t in (f.a, f.b))
        if not (math.isfinite(a) and math.isfinite(b)):
            raise AdapterError(f"has factors of {name} that are not finite: copy or download the adapter again")
        if a * b * len(f.a) * abs(f.scaling) > largest:
            raise AdapterError(f"has factors of {name} up to {max(a, b):.1e}, too large to add: give another adapter")


def _load(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file, on the CPU, and its header's metadata."""
    with opened(file) as stream:
        return {key: stream.get_tensor(key) for key in stream.keys()}, stream.metadata() or {}  # noqa: SIM118


def _check_shapes(parts: Mapping[str, _Parts], shapes: Mapping[str, torch.Size]) -> None:
    """Each layer must have A (rank, in) and B (out, rank), both of one layout and of floating-point numbers."""
    bad, incomplete = [], []
    for layer, p in parts.items():
        for side, tensor in p.tensors.items():
            _check_dtype(side, tensor, p.keys[side])
        if missing := [f"lora_{side}" for side in "AB" if side not in p.tensors]:
            incomplete.append(f"{layer} lacks {' and '.join(missing)}")
        elif p.layouts["A"] != p.layouts["B"]:
            raise AdapterError(f"holds {layer} in two layouts ({p.layouts['A']}; {p.layouts['B']}): keep one of them")
        elif not _fits(a := p.tensors["A"], b := p.tensors["B"], shapes[layer]):
            bad.append(f"{layer}: lora_A {list(a.shape)}, lora_B {list(b.shape)}, weight {list(shapes[layer])}")
    if incomplete:
        raise AdapterError(f"is incomplete ({_first(incomplete)}): copy or download the adapter again")
    if bad:
        raise _misfit(bad)


def _fits(a: Tensor, b: Tensor, shape: torch.Size) -> bool:
    """Whether B A has the shape (out, in) of a weight, with a rank of 1 or more."""
    out, into = shape
    rank = a.shape[0] if a.ndim == 2 else 0
    return rank > 0 and a.shape == (rank, into) and b.shape == (out, rank)


def _check_dtype(side: str, tensor: Tensor, key: str) -> None:
    """Factors must be floating-point numbers; alpha one real number, which may be a whole one."""
    kind = str(tensor.dtype).removeprefix("torch.")
    if side == "alpha":
        if tensor.numel() != 1 or tensor.is_complex() or tensor.dtype == torch.bool:
            raise AdapterError(
                f"has an alpha that is not a number ({_short(key)}, {kind} {list(tensor.shape)}): repair it"
            )
    elif tensor.dtype not in (*FLOATS, *FP8):
        raise AdapterError(f"holds {kind} numbers ({_short(key)}): give a LoRA in float32, bfloat16 or float16")


def _check_targets(parts: Mapping[str, _Parts], targets: tuple[str, ...], shapes: Mapping[str, torch.Size]) -> None:
    """All layers that the notes name must be there, if they name any."""
    ends = tuple(f".{name}" for name in targets)
    wanted = [name for name in shapes if f".{name}".endswith(ends)] if ends else []
    if missing := [name for name in wanted if name not in parts]:
        raise AdapterError(
            f"is incomplete: {len(missing)} of {len(wanted)} layers that its notes name in target_modules are missing "
            f"({_first(missing)}): copy or download the adapter again"
        )


def _check_ranks(parts: Mapping[str, _Parts], notes: Notes) -> None:
    """Different ranks must be those that the notes state, if they state any."""
    ranks = {layer: len(p.tensors["A"]) for layer, p in parts.items()}
    if len(set(ranks.values())) == 1:
        return
    for layer, rank in ranks.items():
        if notes.rank_of(layer) not in (None, rank):
            raise AdapterError(
                f"has rank {rank} in {layer}, its notes state {notes.rank_of(layer):g}: repair rank or rank_pattern"
            )


def _factors(layer: str, tensors: Mapping[str, Tensor], notes: Notes) -> Factors:
    """The factors of a layer, and its scaling from its own alpha, else from the notes, else 1."""
    a, b = (t.float() if t.dtype in FP8 else t for t in (tensors["A"], tensors["B"]))
    rank, alpha = len(a), notes.alpha_of(layer)
    divisor = math.sqrt(rank) if notes.stabilised else rank
    if "alpha" in tensors:
        alpha, divisor = float(tensors["alpha"].float().item()), rank
    scaling = 1.0 if alpha is None else alpha / divisor
    if not 0 < abs(scaling) <= LARGEST_SCALING:  # also not a number
        raise AdapterError(
            f"states alpha {alpha:g} for {layer}, which at rank {rank} scales by {scaling:g}: give an alpha that is "
            f"not 0 and scales by at most {LARGEST_SCALING}"
        )
    return Factors(a, b, scaling)


def _remarks(parts: Mapping[str, _Parts], notes: Notes) -> tuple[str, ...]:
    """What a user should know of alpha and rank."""
    remarks = []
    silent = [n for n, p in parts.items() if "alpha" not in p.tensors and notes.alpha_of(n) is None]
    if silent:
        where = "" if len(silent) == len(parts) else f" for {len(silent)} layers"
        remarks.append(f"alpha is not stated{where}: scaled by 1, as diffusers does; write FILE=2 to scale by 2")
    ranks = {rank for n in parts if (rank := notes.rank_of(n)) is not None}
    if stated := ranks - {len(p.tensors["A"]) for p in parts.values()}:
        remarks.append(f"the notes state rank {_values(stated)}, which no layer has: the rank of the tensors is used")
    return tuple(remarks)


def _misfit(bad: list[str]) -> AdapterError:
    return AdapterError(f"does not fit this model ({_first(bad)}): give an adapter trained on it")


def _first(problems: list[str]) -> str:
    """The first three of several problems, and how many more there are."""
    return "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")


def _values(values: set[float]) -> str:
    """Up to four values, or the least and the greatest."""
    found = sorted(values)
    return "/".join(f"{v:g}" for v in found) if len(found) <= 4 else f"{found[0]:g} to {found[-1]:g}"


def _short(text: str, length: int = 100) -> str:
    """A text out of a file or a path, on one line and short."""
    plain = text if text.isprintable() else ascii(text)[1:-1]
    return plain if len(plain) <= length else f"{plain[:length]}..."
