"""Many pictures from first to last: plan, edit, index, page (`edit_many`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm.auto import tqdm

from pxs.batch.finding import Found
from pxs.batch.gallery import check_page, write_page
from pxs.batch.index import Index
from pxs.batch.on_ray import edit_on_ray
from pxs.batch.plan import NameFiles, Plan, plan
from pxs.batch.processes import edit_here, edit_in_processes
from pxs.batch.work import Job, Record, Settings, failed, record_of
from pxs.errors import OutputError
from pxs.storage.files import replace_file
from pxs.storage.locks import writing

Engine = Callable[[Settings, Sequence[Job], int], Iterator[Record]]


def _local(settings: Settings, jobs: Sequence[Job], workers: int) -> Iterator[Record]:
    return edit_here(settings, jobs) if workers == 1 else edit_in_processes(settings, jobs, workers)


ENGINES: dict[str, Engine] = {"local": _local, "ray": edit_on_ray}
"""Who edits: processes of this machine, or the actors of a Ray cluster."""


@dataclass
class Summary:
    """What a run did: numbers of pictures, the failed by their errors, what was warned of, and the files written."""

    edited: int = 0
    known: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    warned: dict[str, list[str]] = field(default_factory=dict)
    files: tuple[Path, Path] = (Path(), Path())


def edit_many(
    pictures: Sequence[Found],
    settings: Settings,
    identity: Mapping[str, str],
    name_files: NameFiles,
    engine: str = "local",
    workers: int = 1,
    overwrite: bool = False,
    progress: bool = True,
) -> Summary:
    """Edit all pictures that are not done; a picture that fails is recorded and the others go on.

    Raises OutputError for results in the way (unless `overwrite`), where nothing can be written, and while another
    process edits into the same folder; what loading the model raises; ModelError without Ray.
    """
    folder = settings.folder
    if os.path.lexists(folder) and not folder.is_dir():
        raise OutputError(f"{str(folder)!r} is a file, not a folder: choose another folder for the results")
    check_page(folder, overwrite)
    with writing(folder):
        return _edit(pictures, settings, identity, name_files, engine, workers, overwrite, progress)


def _edit(
    pictures: Sequence[Found],
    settings: Settings,
    identity: Mapping[str, str],
    name_files: NameFiles,
    engine: str,
    workers: int,
    overwrite: bool,
    progress: bool,
) -> Summary:
    """What `edit_many` does, in a folder that is this process's own."""
    index = Index(settings.folder)
    todo = plan(pictures, settings.preset, identity, name_files, index, overwrite, progress)
    summary = Summary(known=len(todo.done))
    bar = tqdm(total=len(todo.todo), desc="edit", unit="picture", leave=False, disable=not progress)
    with bar:
        for record in ENGINES[engine](settings, todo.todo, workers) if todo.todo else ():
            index.add(record)
            _count(summary, record)
            bar.update()
            bar.set_postfix(failed=len(summary.failed), refresh=False)
    for record in _copied(todo, settings, index):
        index.add(record)
        _count(summary, record)
    known = _by_key(index)
    for job in todo.done:  # under the name that it has now
        index.records[job.name] = {**known[job.key], "source": job.name, "path": str(job.path)}
    summary.files = index.finish(), write_page(index, progress)
    return summary


def _count(summary: Summary, record: Record) -> None:
    if record["error"]:
        summary.failed[record["source"]] = record["error"]
    else:
        summary.edited += 1
    for text in record.get("warnings", ()):
        summary.warned.setdefault(text, []).append(record["source"])


def _by_key(index: Index) -> dict[str, Record]:
    """Records by their keys; of several, one that is no failure."""
    ranked = sorted(index.records.values(), key=lambda record: not record["error"])
    return {record["key"]: record for record in ranked}


def _copied(todo: Plan, settings: Settings, index: Index) -> Iterator[Record]:
    """Give pictures of equal content the results of the one that was edited, under their own names."""
    known = _by_key(index)
    for job in todo.copies:
        first = known[job.key]
        if first["error"]:
            yield failed(job, first["error"])
            continue
        for one, file in zip(first["files"], job.files, strict=True):
            if one["file"] != file:
                replace_file(settings.folder / file, (settings.folder / one["file"]).read_bytes())
        yield record_of(settings, job, 0.0, list(first["warnings"]))
