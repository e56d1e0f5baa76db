"""The state of a training as it is saved and restored: LoRA weights, optimiser, settings, data and log.

A state holds full tensors, so a training resumes with any number of processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pxs.errors import TrainingError
from pxs.storage.states import Groups, TrainingStates
from pxs.training.settings import Settings
from pxs.training.sharding import full_tensor, sharded_like

State = tuple[int, Groups, dict[str, Any]]
"""The number of finished steps, the tensors by group ("weights", "optimiser") and name, and the notes."""


def find_state(states: TrainingStates, folder: Path, notes: Mapping[str, Any]) -> State | None:
    """The newest state, or None. Raises TrainingError if its settings, data or start differ from those in `notes`."""
    state = states.newest()
    if state is None:
        return None
    saved = state[2]
    for name, value in notes["settings"].items():
        before = saved["settings"].get(name, getattr(Settings, name))  # older states lack newer settings
        if before != value:
            raise TrainingError(
                f"{folder} holds a training with {name} {before!r}, not {value!r}: "
                "repeat its settings to resume it, or give another folder"
            )
    if saved.get("start") != notes.get("start"):
        raise TrainingError(f"{folder} holds a training that started from another file: give another folder")
    if saved["data"] != notes["data"]:
        raise TrainingError(f"{folder} holds a training on other data: repeat its data, or give another folder")
    return state


def gather(weights: Mapping[str, Tensor], optimiser: torch.optim.Optimizer) -> Groups:
    """The full tensors of a state. Every process must call this at the same time."""
    states = optimiser.state_dict()["state"]
    entries = {f"{i}.{key}": value for i, entry in states.items() for key, value in entry.items()}
    return {
        name: {key: full_tensor(group[key]) for key in sorted(group)}  # in the same order in every process
        for name, group in (("weights", weights), ("optimiser", entries))
    }


def restore(groups: Groups, weights: Mapping[str, Tensor], optimiser: torch.optim.Optimizer) -> None:
    """Copy a state into the weights and the optimiser, sharded as they are."""
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(sharded_like(groups["weights"][name], weight))
    states: dict[int, dict[str, Tensor]] = {}
    parameters = list(weights.values())
    for name, value in groups["optimiser"].items():
        number, key = name.split(".", 1)
        own = parameters[int(number)]
        states.setdefault(int(number), {})[key] = sharded_like(value, own) if value.shape == own.shape else value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": states})
