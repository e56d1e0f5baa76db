"""What an adapter states of itself: its method, alpha and rank, from the header of the file or adapter_config.json.

    lora_adapter_metadata           JSON in the header, by diffusers and by `pxs train`: transformer.lora_alpha, ...
    lora_alpha, ss_network_alpha,   plain entries of the header, by kohya, musubi-tuner and others
    network_alpha
    adapter_config.json             beside the file, by peft

The first of these that is there counts. Stock diffusers reads lora_adapter_metadata alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pxs.editing.adapters.patterns import Pattern, read_patterns, value_of
from pxs.errors import AdapterError, one_line

JSON_ENTRY = "lora_adapter_metadata"
ALPHA_ENTRIES = ("lora_alpha", "ss_network_alpha", "network_alpha")
RANK_ENTRIES = ("r", "rank", "ss_network_dim", "network_dim")
CONFIG = "adapter_config.json"
PEFT_FILE = "adapter_model.safetensors"
LARGEST_NOTES = 1_000_000  # bytes
NOT_STATED = ("none", "null", "dynamic", "")  # what kohya's tools write in place of a number
NARROWING = ("exclude_modules", "layers_to_transform", "layers_pattern", "layer_replication")
CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")  # initialisations that also change the base weights


@dataclass(frozen=True)
class Notes:
    """What is used of the notes. alpha, rank: None if not stated; stabilised: alpha is divided by sqrt(rank).

    targets: names of layers, or their ends after a dot, that the adapter must have; empty if not stated.
    """

    alpha: float | None = None
    rank: float | None = None
    alphas: tuple[Pattern, ...] = ()
    ranks: tuple[Pattern, ...] = ()
    stabilised: bool = False
    targets: tuple[str, ...] = ()

    def alpha_of(self, layer: str) -> float | None:
        """The alpha of a layer; None if not stated."""
        own = value_of(layer, self.alphas)
        return self.alpha if own is None else own

    def rank_of(self, layer: str) -> float | None:
        """The rank of a layer; None if not stated."""
        own = value_of(layer, self.ranks)
        return self.rank if own is None else own


@contextmanager
def opened(file: Path) -> Iterator[Any]:
    """A safetensors file, open for reading. Raises AdapterError if it, or what is read of it, is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as stream:
            yield stream
    except (SafetensorError, OSError, ValueError, AttributeError, KeyError, RuntimeError) as error:
        raise AdapterError(f"is damaged ({one_line(error)}): copy or download the adapter again") from None


def adapter_notes(file: Path, header: Mapping[str, str] | None = None) -> dict[str, Any]:
    """All that an adapter states: "r", "lora_alpha", "target_modules", ...; empty for one that states nothing.

    header: the metadata of the file, read here if not given. The prefix "transformer." is taken off the names; entries
    of the text encoder are left out. Raises AdapterError if the file is damaged, or the notes too large or no JSON
    object.
    """
    if header is None:
        with opened(file) as stream:
            header = stream.metadata() or {}
    if header.get(JSON_ENTRY):
        return _of_transformer(_json(header[JSON_ENTRY], JSON_ENTRY))
    plain = _of_transformer({k: v for k, v in header.items() if v.strip().lower() not in NOT_STATED})
    if plain.keys() & set(ALPHA_ENTRIES):
        return plain
    beside = file.parent / CONFIG
    if beside.is_file() and (file.name == PEFT_FILE or not (file.parent / PEFT_FILE).is_file()):
        return _of_transformer(_json(_text(beside), CONFIG))
    return plain


def read_notes(said: Mapping[str, Any]) -> Notes:
    """The notes, checked. Raises AdapterError for another method than LoRA and for numbers that cannot be used."""
    method = (_word(said, "peft_type") or "lora").upper()
    if method != "LORA":
        raise AdapterError(f"is of another method, {ascii(method[:20])[1:-1]}: give a plain LoRA")
    if _true(said, "use_dora"):
        raise AdapterError("is of another method, DoRA: give a plain LoRA")
    start = _word(said, "init_lora_weights")
    if start.startswith(CHANGES_BASE):
        raise AdapterError(
            f"begins with {ascii(start[:20])[1:-1]}, which changes the base weights too: save it converted to a LoRA"
        )
    return Notes(
        _first(said, ALPHA_ENTRIES, "alpha"),
        _first(said, RANK_ENTRIES, "rank"),
        _patterns(said, "alpha_pattern"),
        _patterns(said, "rank_pattern"),
        _true(said, "use_rslora"),
        _targets(said),
    )


def _targets(said: Mapping[str, Any]) -> tuple[str, ...]:
    """target_modules, unless it is a regular expression or other entries leave out some of its layers."""
    names = said.get("target_modules")
    if not isinstance(names, list) or any(said.get(entry) for entry in NARROWING):
        return ()
    return tuple(name for name in names if isinstance(name, str) and name)


def _word(said: Mapping[str, Any], name: str) -> str:
    """An entry that is text, in small letters; empty for any other."""
    value = said.get(name)
    return value.lower() if isinstance(value, str) else ""


def _true(said: Mapping[str, Any], name: str) -> bool:
    """A yes or no, which a plain header writes as text."""
    return said.get(name) is True or _word(said, name) in ("true", "1")


def _first(said: Mapping[str, Any], names: tuple[str, ...], what: str) -> float | None:
    """The first of several entries that is there."""
    value = next((said[name] for name in names if said.get(name) is not None), None)
    if value is None or isinstance(value, str) and value.strip().lower() in NOT_STATED:
        return None
    return _number(value, what)


def _patterns(said: Mapping[str, Any], what: str) -> tuple[Pattern, ...]:
    entries = said.get(what) or {}
    if isinstance(entries, str):  # in a plain header
        entries = _json(entries, what)
    if not isinstance(entries, Mapping):
        raise AdapterError(f"states a {what} that is not a table: repair its notes")
    return read_patterns({name: _number(value, what) for name, value in entries.items()}, what)


def _number(value: Any, what: str) -> float:
    """A number of the notes, which may be written as text."""
    try:
        number = math.nan if isinstance(value, bool) or len(str(value)) > 40 else float(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        number = math.nan
    if not math.isfinite(number):
        raise AdapterError(f"states {what} {_shown(value)}, which cannot be used as a number: repair its notes")
    return number


def _shown(value: Any) -> str:
    """A value of unknown size, short."""
    try:
        text = ascii(value)
    except (ValueError, RecursionError):  # a whole number of thousands of digits
        return "(too large to show)"
    return text if len(text) <= 40 else f"{text[:40]}..."


def _json(text: str, where: str) -> dict[str, Any]:
    if len(text) > LARGEST_NOTES:
        raise AdapterError(f"has {len(text)} characters of notes in {where}: give at most {LARGEST_NOTES}")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else "no JSON that can be read"
        raise AdapterError(f"has notes that cannot be read ({where}: {reason}): repair or remove them") from None
    if not isinstance(said, dict):
        raise AdapterError(f"has notes that cannot be used ({where} is a {type(said).__name__}): repair or remove them")
    return said


def _text(file: Path) -> str:
    try:
        with open(file, encoding="utf-8") as stream:
            return stream.read(LARGEST_NOTES + 1)
    except (OSError, UnicodeDecodeError):
        raise AdapterError(f"has an {file.name} beside it that cannot be read: repair or remove it") from None


def _of_transformer(said: Mapping[str, Any]) -> dict[str, Any]:
    """Without the prefix transformer., which wins over the same name without it, and without the text encoder."""
    common = {k: v for k, v in said.items() if not k.startswith(("transformer.", "text_encoder"))}
    return common | {k.removeprefix("transformer."): v for k, v in said.items() if k.startswith("transformer.")}
