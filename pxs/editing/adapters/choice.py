"""Which files a choice of adapters means: a file, a folder with one, a downloaded hub repository, or "default"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pxs.errors import AdapterError, PxsError, one_line, shown
from pxs.quantities import SCALE
from pxs.storage.hub import ADAPTER, downloaded, is_hub_id

DEFAULT_ADAPTER = "default"  # the one that comes with the checkpoint
SUFFIX = ".safetensors"  # in any case: .SAFETENSORS is read too

Choice = str | Path | Mapping[str, float] | Mapping[Path, float] | Mapping[str | Path, float] | None
"""Which adapters: one, several by their weights, or none. Each is a file, a folder with one, or a hub id."""


def find_adapters(choice: Choice, own: Path | None) -> dict[Path, float]:
    """The files that a choice means, with their weights; `own` is the checkpoint's, for "default".

    Raises AdapterError for one that is missing, ScaleError for a weight that is not a number.
    """
    if choice is None or choice == DEFAULT_ADAPTER and own is None:
        return {}
    wanted: Iterable[tuple[str | Path, float]] = choice.items() if isinstance(choice, Mapping) else [(choice, 1.0)]
    files: dict[Path, float] = {}
    for name, weight in wanted:
        if name != DEFAULT_ADAPTER:
            file = find_adapter(name)
        elif own is not None:
            file = own
        else:
            raise AdapterError("this model comes without an adapter of its own: name one instead of 'default'")
        if file in files:
            raise AdapterError(f"adapter {str(name)!r} is named twice: name each once")
        files[file] = SCALE.named(f"weight of {shown(str(name))}")(weight)
    return files


def find_adapter(adapter: str | Path) -> Path:
    """The safetensors file of an adapter: the file itself, the only one of a folder or of a downloaded hub repository.

    ORG/NAME/FILE names one of several files of a repository. Raises AdapterError.
    """
    try:
        return _find(adapter)
    except (OSError, ValueError) as error:  # a name too long, a folder that may not be read, a null byte
        if isinstance(error, PxsError):
            raise
        raise AdapterError(f"{str(adapter)[:200]!r} cannot be read ({one_line(error)}): give another file") from None


def _find(adapter: str | Path) -> Path:
    path = Path(adapter).expanduser()
    repository, _, inside = _split(str(adapter))
    if not path.exists() and is_hub_id(repository):
        path = downloaded(repository, ADAPTER) / inside
    found = sorted(f for f in path.iterdir() if f.suffix.lower() == SUFFIX) if path.is_dir() else [path]
    if len(found) != 1:
        names = f" ({', '.join(f.name for f in found[:3])})" if found else ""
        raise AdapterError(f"{str(adapter)!r} holds {len(found)} safetensors files{names}: give the adapter's file")
    if found[0].suffix.lower() != SUFFIX:
        raise AdapterError(f"{str(adapter)!r} is not a .safetensors file: other formats can run code and are refused")
    if not found[0].is_file():
        raise AdapterError(f"no adapter {str(adapter)!r}: give a .safetensors file, a folder with one, or a hub id")
    return found[0]


def _split(name: str) -> tuple[str, str, str]:
    """ORG/NAME/FILE as (ORG/NAME, /, FILE)."""
    organisation, slash, rest = name.partition("/")
    repository, second, inside = rest.partition("/")
    return f"{organisation}{slash}{repository}", second, inside
