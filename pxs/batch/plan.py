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
from pxs.batch.work import Job, file_hash, is_written, key_of
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
    by_key = {record["key"]: record for record in index.records.values() if not record["error"]}
    owned = {one["file"]: key for key, record in by_key.items() for one in record["files"]}
    whole: dict[str, bool] = {}
    made: set[str] = set()
    sorted_out = Plan()
    for found, stem in zip(tqdm(pictures, "look", leave=False, disable=not progress), _stems(pictures), strict=True):
        job = _job(found, stem, preset, identity, name_files)
        known = by_key.get(job.key) if job.sha256 else None
        if known and job.key not in whole:
            whole[job.key] = index.is_whole(known)
        if known and whole[job.key] and [one["file"] for one in known["files"]] == list(job.files):
            sorted_out.done.append(job)
            made.add(job.key)
            continue
        if not overwrite:
            _refuse_others(job, index.folder, owned)
        copied = job.sha256 and (job.key in made or whole.get(job.key))
        (sorted_out.copies if copied else sorted_out.todo).append(job)
        made.add(job.key)
    return sorted_out


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
