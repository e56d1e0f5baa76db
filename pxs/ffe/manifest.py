"""The manifests of the stages: FOLDER/STAGE.jsonl, first a line about the stage, then one record a line.

    {"stage": "pictures", "count": 480, "settings": {...}}
    {"name": ..., "key": ..., ...}

The first line says how many records follow, so that a manifest that was cut is noticed. Records are appended as they
are made; each has a key, the hash of what it depends on, by which a later run knows what is done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, get_origin, get_type_hints

from pxs.errors import DataError, one_line, shown
from pxs.storage.files import append_line, replace_file
from pxs.storage.parsing import parse_json
from pxs.storage.paths import PathName, check_path, kind_of

COMMANDS = {
    "identities": "collect",
    "prompts": "compose",
    "pictures": "generate",
    "labels": "annotate",
    "verified": "verify",
    "descriptions": "describe",
}
"""The command of `pxs ffe` that writes each manifest."""


class Record(Protocol):
    """A line of a manifest: a frozen dataclass with a name that no other has, and a key."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str: ...

    @property
    def key(self) -> str: ...


R = TypeVar("R", bound=Record)


def key_of(*parts: Any) -> str:
    """The hash of what a record depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def file_of(folder: PathName, stage: str) -> Path:
    """Where the manifest of a stage lies."""
    return check_path(folder) / f"{stage}.jsonl"


def read(folder: PathName, stage: str, kind: type[R]) -> list[R]:
    """The records of a finished stage.

    Raises DataError where there is no such manifest, for one that is cut or of another stage, and for a line that is no
    record, with its number.
    """
    path, again = file_of(folder, stage), f"run 'pxs ffe {COMMANDS[stage]}' again"
    if kind_of(path) != "file":
        raise DataError(f"{str(folder)!r} has no {path.name}: run 'pxs ffe {COMMANDS[stage]}' first")
    lines = _lines(path)
    head = _head(lines, path, stage)
    records = []
    for number, line in enumerate(lines[1:], 2):
        try:
            records.append(decoded(kind, parse_json(line, again)))
        except DataError as error:
            raise DataError(f"{path}, line {number}: {error}") from None
    if len(records) != head["count"]:
        raise DataError(f"{path} has {len(records)} of {head['count']} records: {again}, which goes on with the rest")
    return records


def settings_of(folder: PathName, stage: str) -> dict[str, Any]:
    """What the first line of a manifest says about its stage. Raises DataError as `read` does."""
    path = file_of(folder, stage)
    return dict(_head(_lines(path), path, stage)["settings"])


def recover(folder: PathName, stage: str, kind: type[R]) -> dict[str, R]:
    """The records by name that are sound, in whatever state the manifest is; none where there is none.

    Raises DataError for a file that is no manifest of this stage: it is never overwritten.
    """
    path = file_of(folder, stage)
    if kind_of(path) != "file":
        return {}
    lines = _lines(path)
    if lines:
        _head(lines, path, stage)
    found = {}
    for line in lines[1:]:
        try:
            record = decoded(kind, parse_json(line))
        except DataError:  # cut when the process was killed: it is made again
            continue
        found[record.name] = record
    return found


def write(folder: PathName, stage: str, count: int, settings: Mapping[str, Any], records: Iterable[Record]) -> Path:
    """Write the records that there are of a stage with `count` in the end, whole or not at all; the path."""
    head = {"stage": stage, "count": count, "settings": dict(settings)}
    lines = [json.dumps(head), *(json.dumps(asdict(record)) for record in records)]
    path = file_of(folder, stage)
    replace_file(path, "".join(f"{line}\n" for line in lines).encode())
    return path


def add(folder: PathName, stage: str, record: Record) -> None:
    """Append a record, flushed to the disk. Raises OutputError where it cannot be written."""
    append_line(file_of(folder, stage), json.dumps(asdict(record)))


@contextmanager
def unless_empty(folder: PathName, stage: str, kind: type[R]) -> Iterator[None]:
    """When the block ends with an error, remove a manifest that it began and that holds no success."""
    begun = not file_of(folder, stage).exists()
    try:
        yield
    except BaseException:
        if begun and all(failure(record) for record in recover(folder, stage, kind).values()):
            file_of(folder, stage).unlink(missing_ok=True)
        raise


def failure(record: Record) -> str:
    """Why a record is that of something which failed or was left out; empty for a success."""
    return str(getattr(record, "error", "") or getattr(record, "dropped", ""))


def counted(reasons: Iterable[str]) -> dict[str, int]:
    """How often each reason is there, the most frequent first; what follows a colon, and empty ones, do not count."""
    counts: dict[str, int] = {}
    for reason in reasons:
        if reason:
            head = reason.partition(":")[0]
            counts[head] = counts.get(head, 0) + 1
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def decoded(kind: type[R], entry: Any) -> R:
    """A record from its JSON object; raises DataError for a field that is missing, unknown or of another type."""
    hints = {name: hint for name, hint in get_type_hints(kind).items() if name in kind.__dataclass_fields__}
    if not isinstance(entry, dict) or set(entry) != set(hints):
        raise DataError(f"{shown(entry)} is no record of this stage: take the manifest as it was written")
    for name, hint in hints.items():
        if not _fits(entry[name], get_origin(hint) or hint):
            raise DataError(f"{name} is {shown(entry[name])}: take the manifest as it was written")
    return kind(**entry)


def _fits(value: Any, kind: Any) -> bool:
    if kind in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def _lines(path: Path) -> Sequence[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({one_line(error)}): take it from a copy, or move it away") from None


def _head(lines: Sequence[str], path: Path, stage: str) -> dict[str, Any]:
    """The first line of a manifest, checked."""
    try:
        head = parse_json(lines[0]) if lines else None
    except DataError:
        head = None
    head = head if isinstance(head, dict) else {}
    sound = head.get("stage") == stage and isinstance(head.get("settings"), dict)
    if not sound or not isinstance(head.get("count"), int):
        raise DataError(f"{path} is no manifest of 'pxs ffe {COMMANDS[stage]}': move it away")
    return head
