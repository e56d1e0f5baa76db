"""Files of the weights of a method: safetensors, with its name, its model and what its training cost in the header."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pxs.errors import AdapterError, one_line

if TYPE_CHECKING:
    from torch import nn

NOTES = "pxs.method"


@dataclass(frozen=True)
class Cost:
    """What the training of a method cost: steps, seconds of computing, and how many numbers it trained."""

    steps: int = 0
    seconds: float = 0.0
    parameters: int = 0


def content(module: nn.Module, method: str, base: str, expressions: Sequence[str], cost: Cost) -> bytes:
    """The weights of a module as a safetensors file, float16; `base` is the fingerprint of their model.

    `expressions` are those that it was trained for.

    All notes are one entry: several entries have no fixed order, which would change the hash of the file.
    """
    from safetensors.torch import save

    tensors = {
        name: value.detach().to("cpu", torch.float16).contiguous() for name, value in module.state_dict().items()
    }
    notes = {"method": method, "base": base, "expressions": list(expressions), "cost": asdict(cost)}
    return save(tensors, metadata={NOTES: json.dumps(notes, sort_keys=True)})


def load_into(module: nn.Module, path: Path, method: str, base: str) -> Cost:
    """Load weights in float32 and return what they cost; the module may build itself from the notes before.

    Raises AdapterError for a file that cannot be read, of another method, of another model, or of other shapes.
    """
    from safetensors.torch import load_file

    notes = read_notes(path, method)
    if notes.get("base") != base:
        raise AdapterError(
            f"{str(path)!r} was trained on another model: train it anew with pxs train --method {method}"
        )
    try:
        module.load_state_dict({name: value.float() for name, value in load_file(path).items()})
        return Cost(**notes["cost"])
    except Exception as error:
        raise AdapterError(f"{str(path)!r} does not fit {method!r} ({one_line(error)}): train it anew") from None


def read_notes(path: Path, method: str) -> Mapping[str, Any]:
    """The notes in the header of a file of a method's weights; raises AdapterError for any other file."""
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            notes = dict(json.loads((file.metadata() or {})[NOTES]))
    except Exception as error:
        raise AdapterError(f"{str(path)!r} is no file of a method's weights ({one_line(error)}): give one") from None
    if notes.get("method") != method:
        raise AdapterError(f"{str(path)!r} holds weights of {notes.get('method')!r}, not of {method!r}: give its own")
    return notes
