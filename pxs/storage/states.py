"""Training states on disk: each is written whole or not at all, with its SHA-256; the two newest are kept.

step-0000500.safetensors    the tensors, as "group/name"
step-0000500.json           step, SHA-256 of the file, and notes; written last, so it makes the state valid
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pxs.errors import one_line
from pxs.storage.files import replace_file

if TYPE_CHECKING:
    from torch import Tensor

Groups = dict[str, dict[str, "Tensor"]]
KEPT = 2


class TrainingStates:
    """The states of one training in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, step: int, groups: Mapping[str, Mapping[str, Tensor]], notes: Mapping[str, Any]) -> None:
        """Write a state and flush it to disk; then delete all states but the newest KEPT.

        Raises OutputError if the disk is full or cannot be written to; earlier states are kept.
        """
        from safetensors.torch import save

        flat = {f"{g}/{k}": v.detach().contiguous().cpu() for g, group in groups.items() for k, v in group.items()}
        content = save(flat)
        target = self.folder / f"step-{step:07d}.safetensors"
        manifest = {"step": step, "sha256": hashlib.sha256(content).hexdigest(), "notes": dict(notes)}
        replace_file(target, content)
        replace_file(target.with_suffix(".json"), json.dumps(manifest, indent=2).encode())
        for old in self.files()[:-KEPT]:
            old.with_suffix(".json").unlink(missing_ok=True)
            old.unlink()

    def files(self) -> list[Path]:
        """The files of all states, oldest first."""
        return sorted(self.folder.glob("step-*.safetensors"))

    def newest(self) -> tuple[int, Groups, dict[str, Any]] | None:
        """Step, tensor groups and notes of the newest state that can be read; None without one."""
        for file in reversed(self.files()):
            try:
                return _read(file)
            except (OSError, ValueError, KeyError) as error:  # killed while saving, or damaged since
                print(f"{file} cannot be used ({one_line(error)}); trying the one before", flush=True)
        return None


def _read(file: Path) -> tuple[int, Groups, dict[str, Any]]:
    from safetensors.torch import load

    manifest = json.loads(file.with_suffix(".json").read_text())
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
        raise ValueError("its SHA-256 differs from the recorded one")
    groups: Groups = {}
    for name, tensor in load(content).items():
        group, key = name.split("/", 1)
        groups.setdefault(group, {})[key] = tensor.clone()  # aligned: elsewhere in memory, products round differently
    return manifest["step"], groups, manifest["notes"]
