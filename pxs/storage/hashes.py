"""Hashes of files and of model folders: what a model was when it was first loaded, it must be ever after.

    FOLDER/hashes.json      {"vae/config.json": SHA-256, ...}: what its maker says that it is; mini has one
    CACHE/models/*.json     what it was when it was first loaded, with size and times of each file

A file of SMALL bytes or more is read again only if its size or times differ from those of its record. CACHE is the
folder in PXS_CACHE, else pxs in the user's folder for caches; where it cannot be written, every load reads all files.

Files in the cache of huggingface_hub are links to blobs that are named by their hash: SHA-256, or git's SHA-1 where the
file is small. A name is not believed: it is compared with the content.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from pxs.errors import DataError, ModelError, OutputError, PxsError, one_line
from pxs.storage.files import replace_file
from pxs.storage.parsing import parse_json

HASHES = "hashes.json"
HASHED = (".safetensors", ".json", ".txt", ".jinja")
SMALL = 100_000_000  # bytes that are read in less time than it takes to load them
READERS = 4  # files that are read at the same time
HEX = frozenset("0123456789abcdef")


class Known(NamedTuple):
    """A file as it was: its SHA-256, and what changes when it is written: size, time of writing, time of change."""

    sha256: str
    stamp: tuple[int, ...]


def file_hash(file: Path) -> str:
    """SHA-256 of the content of a file."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def checked_hash(file: Path, error: type[PxsError]) -> str:
    """SHA-256 of a file; raises `error` if it cannot be read, or is a blob of the hub's cache with other content."""
    try:
        found, target = file_hash(file), file.resolve()
        named = target.name if target.parent.name == "blobs" and set(target.name) <= HEX else ""
        if len(named) == 64 and named != found or len(named) == 40 and named != _git_hash(target):
            raise error(f"{file} is not what was downloaded: delete {target} and download it again")
    except OSError as fault:
        raise error(f"{file} cannot be read ({one_line(fault)}): download it again") from None
    return found


def folder_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a model's parts by its name, such as "vae/config.json", in the order of names.

    Raises ModelError for a file that is not what hashes.json, or without it the record of an earlier load, says.
    """
    names = {f.relative_to(folder).as_posix(): f for f in sorted(folder.glob("*/**/*")) if f.suffix in HASHED}
    files = {name: Known("", _stamp(f)) for name, f in names.items() if f.is_file()}
    record = _record(folder)
    known = _read_record(record)
    due = [name for name, f in files.items() if f.stamp[0] < SMALL or name not in known or known[name].stamp != f.stamp]
    with ThreadPoolExecutor(READERS) as pool:
        read = dict(zip(due, pool.map(lambda name: checked_hash(names[name], ModelError), due), strict=True))
    found = {name: Known(read.get(name) or known[name].sha256, f.stamp) for name, f in files.items()}
    stated = _stated(folder)
    if stated is not None:
        _compare(found, stated, folder, f"what {HASHES} says: download it again")
    else:
        earlier = {name: k.sha256 for name, k in known.items() if name in found}
        _compare(found, earlier, folder, f"what it was before: download it again, or delete {record} if you changed it")
    if record is not None and found != known:
        with contextlib.suppress(OutputError):
            replace_file(record, json.dumps(found).encode())
    return {name: k.sha256 for name, k in found.items()}


def write_hashes(folder: Path) -> None:
    """Write hashes.json into a model folder."""
    files = sorted(f for f in folder.glob("*/**/*") if f.suffix in HASHED)
    hashes = {f.relative_to(folder).as_posix(): file_hash(f) for f in files}
    replace_file(folder / HASHES, f"{json.dumps(hashes, indent=1)}\n".encode())


def cache_folder() -> Path | None:
    """The package's folder for what can be made again; None without a home."""
    if own := os.environ.get("PXS_CACHE"):
        return Path(own)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pxs"
    except RuntimeError:
        return None


def _git_hash(file: Path) -> str:
    digest = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, lambda: digest).hexdigest()


def _stamp(file: Path) -> tuple[int, ...]:
    """Size, time of writing and time of change of a file, which may be gone; the last cannot be set by hand."""
    try:
        status = file.stat()
    except OSError:
        return (0,)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _record(folder: Path) -> Path | None:
    """Where the record of a folder lies."""
    cache = cache_folder()
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
    return None if cache is None else cache / "models" / f"{name}.json"


def _read_record(record: Path | None) -> dict[str, Known]:
    """A record; empty if there is none that can be read."""
    try:
        said = {} if record is None else parse_json(record.read_text(encoding="utf-8"))
        return {str(name): Known(str(sha256), tuple(map(int, stamp))) for name, (sha256, stamp) in said.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _stated(folder: Path) -> dict[str, str] | None:
    """What hashes.json says; None without it. Raises ModelError if it cannot be used."""
    file = folder / HASHES
    try:
        said = parse_json(file.read_text(encoding="utf-8"), "delete it") if file.is_file() else None
    except (OSError, UnicodeDecodeError, DataError) as error:
        raise ModelError(f"{file} cannot be read ({one_line(error)}): repair or delete it") from None
    if said is not None and not (isinstance(said, dict) and all(isinstance(sha, str) for sha in said.values())):
        raise ModelError(f"{file} is not a table of hashes: repair or delete it")
    return said


def _compare(found: Mapping[str, Known], stated: Mapping[str, str], folder: Path, what: str) -> None:
    """Raise ModelError for a file of `stated` that is not there, or whose hash is another."""
    for name, sha256 in stated.items():
        if name not in found:
            raise ModelError(f"{str(folder)!r} lacks {name}, which {HASHES} names: download it again")
        if found[name].sha256 != sha256:
            raise ModelError(f"{folder / name} is not {what}")
