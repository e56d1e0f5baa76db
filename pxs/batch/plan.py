"""What is to do: the name and the key of every result, and which of them are there already (`plan`)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm.auto import tqdm

from pxs.batch.finding import Found, is_regular
from pxs.batch.index import Index
from pxs.batch.presets import Preset
from pxs.batch.work import Job, Record, file_hash, is_written, key_of
from pxs.errors import OutputError

NameFiles = Callable[[str], Sequence[str]]
"""From the stem of a picture's file to the names of its results."""


@dataclass
class Plan:
    """todo: pictures to edit. done: whose results are there. copies: whose results are those of another, by its key."""

    todo: list[Job] = field(default_factory=list)
    done: list[Job] = field(default_factory=list)
    copies: list[Job] = field(default_factory=list)


def plan(
    pictures: Sequence[Found],
    preset: Preset,
    identity: Mapping[str, str],
    name_files: NameFiles,
    index: Index,
    overwrite: bool = False,
    progress: bool = False,
) -> Plan:
    """Sort the pictures by what is to do. identity: of the model, as strings.

    What is done is known by its key and by the hashes of its files, whatever the picture was called then. Raises
    OutputError, before anything is written, if a result would replace another file (unless `overwrite`).
    """
    made_before = [record for record in index.records.values() if not record["error"]]
    by_key = {record["key"]: record for record in made_before}
    by_files = {(record["key"], *_files(record)): record for record in made_before}
    owned = {file: record["key"] for record in made_before for file in _files(record)}
    made: set[str] = set()
    sorted_out = Plan()
    for found, stem in zip(tqdm(pictures, "look", leave=False, disable=not progress), _stems(pictures), strict=True):
        job = _job(found, stem, preset, identity, name_files)
        if job.sha256 and (own := by_files.get((job.key, *job.files))) and index.is_whole(own):
            sorted_out.done.append(job)
            made.add(job.key)
            continue
        if not overwrite:
            _refuse_others(job, index.folder, owned)
        first = by_key.get(job.key)
        copied = job.sha256 and (job.key in made or (first is not None and index.is_whole(first)))
        (sorted_out.copies if copied else sorted_out.todo).append(job)
        made.add(job.key)
    return sorted_out


def _files(record: Record) -> list[str]:
    return [one["file"] for one in record["files"]]


def _stems(pictures: Sequence[Found]) -> list[str]:
    """The names of the pictures without suffix, but with it where two in a folder differ by it alone."""
    bare = [os.path.splitext(found.name)[0] for found in pictures]
    count = Counter(name.casefold() for name in bare)
    return [found.name if count[name.casefold()] > 1 else name for found, name in zip(pictures, bare, strict=True)]


def _job(found: Found, stem: str, preset: Preset, identity: Mapping[str, str], name_files: NameFiles) -> Job:
    folder, name = os.path.split(stem)
    files = tuple(os.path.join(folder, file) for file in name_files(name))
    sha256 = file_hash(found.path) if is_regular(found.path) else ""
    return Job(found.path, found.name, sha256, key_of(sha256, identity, preset, Path(files[0]).suffix), files)


def _refuse_others(job: Job, folder: Path, owned: Mapping[str, str]) -> None:
    """Raise OutputError if another file than a result of this key, be it damaged since, is in the place of one."""
    for file in job.files:
        target = folder / file
        if os.path.lexists(target) and owned.get(file) != job.key and not is_written(target, job.key):
            raise OutputError(f"{target} exists, with other settings: choose another folder or add --overwrite")
