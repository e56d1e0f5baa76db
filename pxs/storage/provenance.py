"""Provenance of results: versions of the software, and results files as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pxs.errors import OutputError
from pxs.storage.files import output_folder, replace_file
from pxs.storage.paths import check_path

PACKAGES = ("pxs", "torch", "diffusers", "transformers", "peft")


@lru_cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return tuple(found.items())


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that influence the pictures."""
    return dict(_versions())


def write_json(path: str | Path, content: Mapping[str, Any]) -> Path:
    """Write `content` as a JSON file, whole or not at all. Raises OutputError for a number that is not finite."""
    target = check_path(path)
    output_folder(target.parent)
    try:
        text = json.dumps(content, indent=2, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise OutputError(f"{target} cannot be written ({error}): check the values") from None
    replace_file(target, f"{text}\n".encode())
    return target
