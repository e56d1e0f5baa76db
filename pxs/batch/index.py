"""The index of the results: index.jsonl, a line a picture, written as the pictures are finished (`Index`)."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pxs.batch.work import Record, file_hash
from pxs.errors import OutputError, one_line
from pxs.expressions import Mix
from pxs.storage.files import output_folder, replace_file

NAME = "index.jsonl"
_BEGINNING = b'{"source": '


class Index:
    """The records in a folder, by the name of their picture.

    A killed process loses at most the line that it was writing; `finish` puts the lines in order. Raises OutputError
    for a file of this name that is something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / NAME
        self.records: dict[str, Record] = {}
        self._begun = False
        try:
            lines = self.path.read_bytes().split(b"\n") if self.path.exists() else []
        except OSError as error:
            raise OutputError(f"{str(self.path)!r} cannot be read ({one_line(error)}): choose another folder") from None
        if lines and lines[0] and not lines[0].startswith(_BEGINNING[: len(lines[0])]):
            raise OutputError(f"{str(self.path)!r} is not an index of results: choose another folder for them")
        for line in lines:
            record = _read(line)
            if record:
                self.records[record["source"]] = record

    def add(self, record: Record) -> None:
        """Append a record and flush it to the disk."""
        try:
            if not self._begun:
                output_folder(self.folder)
                self._end_line()
                self._begun = True
            with open(self.path, "ab") as file:
                file.write(_line(record))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"{str(self.path)!r} cannot be written ({one_line(error)}): check its space") from None
        self.records[record["source"]] = record

    def finish(self) -> Path:
        """Write all records anew, in the order of their names; those whose files are gone are left out."""
        self.records = {n: r for n, r in sorted(self.records.items()) if r["error"] or self.is_there(r)}
        replace_file(self.path, b"".join(map(_line, self.records.values())))
        return self.path

    def is_there(self, record: Record) -> bool:
        """Whether the files of a record exist."""
        return all((self.folder / one["file"]).is_file() for one in record["files"])

    def is_whole(self, record: Record) -> bool:
        """Whether the files of a record are those that were written."""
        found = [one["sha256"] == file_hash(self.folder / one["file"]) for one in record["files"]]
        return bool(found) and all(found)

    def _end_line(self) -> None:
        """End the line that a killed process left open."""
        if self.path.exists() and not self.path.read_bytes().endswith(b"\n"):
            with open(self.path, "ab") as file:
                file.write(b"\n")


def _line(record: Record) -> bytes:
    return json.dumps(record).encode() + b"\n"


def _read(line: bytes) -> Record | None:
    """A record, or None for a line that was cut short or damaged."""
    try:
        found = json.loads(line)
        sound = all(isinstance(found[key], str) for key in ("source", "path", "sha256", "key", "error"))
        for one in found["files"]:
            sound = sound and isinstance(one["sha256"], str) and isinstance(Mix(one["mix"]), Mix)
            sound = sound and not Path(one["file"]).is_absolute() and ".." not in Path(one["file"]).parts
        if found["files"]:
            sound = sound and isinstance(found["seed"], int) and isinstance(found["steps"], int)
            sound = sound and isinstance(found["warnings"], list)
        return found if sound and bool(found["files"]) != bool(found["error"]) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
