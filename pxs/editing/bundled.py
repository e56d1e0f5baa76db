"""The models that ship with the package, by name: folders, or differences from `mini` that are unpacked once."""

from __future__ import annotations

from pathlib import Path

from pxs.storage.differences import assembled

_MINI = Path(__file__).parents[1] / "mini"
BUNDLED = {"mini": _MINI / "weights", "mini-portrait": _MINI / "portrait"}


def bundled(name: str) -> Path:
    """The folder of a bundled model, one of BUNDLED. Raises OutputError if it must be unpacked and cannot be."""
    folder = BUNDLED[name]
    return folder if (folder / "model_index.json").is_file() else assembled(BUNDLED["mini"], folder)
