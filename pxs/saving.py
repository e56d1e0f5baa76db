"""States of a training on disk: each appears whole or not at all, carries its SHA-256, and the two newest are kept.

step-0000500.safetensors    the tensors, as "group/name"
step-0000500.json           step, SHA-256 of the file, and notes; written last, so it makes the state valid
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from pxs.errors import OutputError, one_line

if TYPE_CHECKING:
    from torch import Tensor

Groups = dict[str, dict[str, "Tensor"]]
KEPT = 2


class Checkpoints:
    """The states of one training in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, step: int, groups: Mapping[str, Mapping[str, Tensor]], notes: Mapping[str, Any]) -> None:
        """Write a state, flush it to disk, make it valid; then drop all but the newest KEPT.

        Raises OutputError, keeping what was there, if the disk is full or cannot be written to.
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
        """Files of states, oldest first."""
        return sorted(self.folder.glob("step-*.safetensors"))

    def newest(self) -> tuple[int, Groups, dict[str, Any]] | None:
        """Step, tensor groups and notes of the newest state that is whole; None if there is none."""
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
        raise ValueError("its SHA-256 is not the one that was written")
    groups: Groups = {}
    for name, tensor in load(content).items():
        group, key = name.split("/", 1)
        groups.setdefault(group, {})[key] = tensor.clone()  # aligned: elsewhere in memory, products round differently
    return manifest["step"], groups, manifest["notes"]


def replace_file(target: Path, content: bytes) -> None:
    """Write a file beside its place, flush it to disk, then put it there; raises OutputError and leaves nothing.

    Two may write the same file at once: one of them wins. What a killed writer left in the folder is removed.
    """
    beside = target.with_name(f"{target.name}.{platform.node()}-{os.getpid()}-{threading.get_ident()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_behind(target.parent)
        free = shutil.disk_usage(target.parent).free
        if free < len(content):
            raise OutputError(
                f"{target} needs {len(content) / 1e6:.1f} MB and the disk has {free / 1e6:.1f} MB: free some space"
            )
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OutputError(f"{target} cannot be written ({one_line(error)}): check the folder and its space") from None


def _remove_left_behind(folder: Path) -> None:
    """Remove what `replace_file` had not finished in processes of this machine that are gone."""
    for file in folder.glob(f"*.{platform.node()}-*.partial"):
        writer = re.search(r"-(\d+)-\d+\.partial$", file.name)
        if writer and not psutil.pid_exists(int(writer[1])):
            file.unlink(missing_ok=True)
