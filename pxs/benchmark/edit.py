"""Editing for a benchmark: every method edits every task, and the pictures stay on disk for whoever looks at them.

    FOLDER/edits/METHOD/TASK/neutral.png, happy_0.1.png, ...     a picture a mix, with its provenance in text chunks
    FOLDER/edits/METHOD/TASK/edits.json                          the manifest, written last: it makes the edits valid

A second run edits only what is missing. Several processes, also on several machines, can share FOLDER: each task is
locked while it is edited, and a process that ends releases its lock. A manifest holds a key, the hash of everything
that the edits depend on (source, method with its settings, mixes), so edits under other settings are made anew. A task
that fails is recorded with its reason, and the next run tries it again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from tqdm.auto import tqdm

from pxs.data.tasks import Task
from pxs.errors import DataError, OutputError, PxsError, ScaleError, ServiceSetupError, one_line
from pxs.expressions import Mix, sweep
from pxs.images import open_image, save_png
from pxs.storage.files import output_folder
from pxs.storage.locks import locked, remove_locked
from pxs.storage.paths import NAME_BYTES, check_path
from pxs.storage.provenance import write_json

if TYPE_CHECKING:
    from pxs.benchmark.methods import Method

MANIFEST = "edits.json"


@dataclass(frozen=True)
class TaskEdits:
    """The edits of one task by one method, as they lie on disk.

    key: the hash of what they depend on. files: names of the pictures, in the order of `mixes_of`; empty after a
    failure, of which `error` is the reason, and for a task that the method does not support.
    """

    folder: Path
    key: str
    files: tuple[str, ...] = ()
    error: str = ""
    supported: bool = True

    def open(self) -> list[Image.Image]:
        """The pictures, RGB, one a mix. Raises ImageError for a file that is missing or damaged."""
        return [open_image(self.folder / name) for name in self.files]


def mixes_of(task: Task) -> list[Mix]:
    """The mixes that a task is edited with: its expression at all of its levels."""
    return sweep(task.expression, task.levels.alphas)


def edit_tasks(
    methods: Mapping[str, Method],
    tasks: Sequence[Task],
    folder: str | Path,
    claims: ExitStack,
    progress: bool = True,
) -> dict[str, list[TaskEdits]]:
    """Edit what is missing in `folder`; the edits of all methods by name, in the order of the tasks.

    Tasks that another process is editing are left to it and waited for at the end. Until `claims` ends, no other
    process edits by the same method under other settings. Raises OutputError if one does already, or if `folder` cannot
    be written to, and ModelError, AdapterError, ScaleError or ServiceSetupError if a method cannot run at all. What
    goes wrong within a task is recorded in its manifest.
    """
    _check_names(tasks)
    root = output_folder(check_path(folder) / "edits")
    return {name: _edit_all(method, tasks, root / name, claims, progress) for name, method in methods.items()}


def _check_names(tasks: Sequence[Task]) -> None:
    """Raise DataError unless every task's name can be that of a folder of its own."""
    known: set[str] = set()
    for task in tasks:
        if not re.fullmatch(r"\w[^/\\\0]*", task.name) or len(os.fsencode(f"{task.name}.lock")) > NAME_BYTES:
            raise DataError(f"task name {task.name!r} cannot be the name of a folder: rename its picture")
        if task.name in known:
            raise DataError(f"task name {task.name!r} is there twice: give each task a name of its own")
        known.add(task.name)


def _edit_all(
    method: Method, tasks: Sequence[Task], folder: Path, claims: ExitStack, progress: bool
) -> list[TaskEdits]:
    """All tasks by one method: first those that are free, then those that another process had locked."""
    locks = output_folder(folder / ".locks")
    provenance = _provenance(method)
    _claim(locks, provenance, claims)
    done: dict[str, TaskEdits] = {}
    with tqdm(total=len(tasks), desc=f"edit {folder.name}", leave=False, disable=not progress) as bar:
        for wait in (False, True):
            for task in tasks:
                if task.name in done:
                    continue
                with locked(locks / f"{task.name}.lock", -1 if wait else 0) as own:
                    if own:
                        done[task.name] = _edit_task(method, task, folder / task.name, provenance)
                        bar.update()
    return [done[task.name] for task in tasks]


def _claim(locks: Path, provenance: Mapping[str, str], claims: ExitStack) -> None:
    """Hold the folder of a method for these settings until `claims` ends; others may, too, for the same settings."""
    key = hashlib.sha256(json.dumps(dict(provenance), sort_keys=True).encode()).hexdigest()[:24]
    own = locks / f".settings-{key}-{secrets.token_hex(8)}.lock"
    with locked(locks / ".settings.lock", -1):
        for other in locks.glob(".settings-*.lock"):
            with locked(other) as ended:
                if ended:
                    remove_locked(other)
                elif key not in other.name:
                    raise OutputError(
                        f"another process edits in {str(locks.parent)!r} with other settings: wait for it, or give "
                        "another folder"
                    )
        claims.enter_context(locked(own))
    claims.callback(remove_locked, own)


def _provenance(method: Method) -> dict[str, str]:
    """What identifies a method and its settings."""
    return getattr(method, "provenance", None) or {"method": type(method).__qualname__}


def _edit_task(method: Method, task: Task, folder: Path, provenance: Mapping[str, str]) -> TaskEdits:
    """The finished edits in `folder`, or new ones, which are on disk when this returns."""
    key = ""
    try:
        if not _supports(method, task.expression):
            reason = f"{folder.parent.name} does not support {task.expression}"
            return TaskEdits(folder, "", error=reason, supported=False)
        key = _key(task, task.open(), provenance, is_general(method))
        known = _finished(folder, key)
        if known:
            return known
        return _write(folder, key, task, _images(method, task), provenance)
    except (ScaleError, OutputError, ServiceSetupError):  # a number, a disk, a service: no other task would fare better
        raise
    except Exception as error:  # a foreign method can raise anything: the run goes on without this task
        kind = "" if isinstance(error, PxsError) else f"{type(error).__name__}: "
        return _write_failure(folder, key, kind + one_line(error))


def _supports(method: Method, expression: str) -> bool:
    """Whether a method can edit towards an expression: what its own `supports(expression)` says, if it has one."""
    own = getattr(method, "supports", None)
    return own is None or bool(own(expression))


def is_general(method: Method) -> bool:
    """Whether a method reads the task's prompt and has no intensity, see methods/general.py."""
    return bool(getattr(method, "general", False))


def has_edits(method: Method, task: Task, folder: str | Path, name: str) -> bool:
    """Whether the edits of a task by the method `name` are finished in a results `folder`."""
    key = _key(task, task.open(), _provenance(method), is_general(method))
    return _finished(Path(folder) / "edits" / name / task.name, key) is not None


def _finished(folder: Path, key: str) -> TaskEdits | None:
    """The edits in a task's folder, if they are those of a key and nothing failed."""
    known = read_edits(folder)
    return known if known and known.key == key and not known.error else None


def _key(task: Task, source: Image.Image, provenance: Mapping[str, str], by_prompt: bool) -> str:
    """The hash of what the edits of a task depend on; by_prompt: with the task's own prompt."""
    picture = hashlib.sha256(source.tobytes()).hexdigest()
    parts = [task.name, task.expression, source.size, picture, dict(provenance), task.levels.alphas]
    parts += [task.prompt] if by_prompt else []
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def _images(method: Method, task: Task) -> list[Image.Image]:
    """The pictures that a method makes of a task; raises DataError unless there is one a mix."""
    mixes = mixes_of(task)
    images = list(method.edit(task, mixes))
    if len(images) != len(mixes):
        raise DataError(f"the method gave {len(images)} images for {len(mixes)} mixes: it must give one each")
    return images


def _write(
    folder: Path, key: str, task: Task, images: Sequence[Image.Image], provenance: Mapping[str, str]
) -> TaskEdits:
    (folder / MANIFEST).unlink(missing_ok=True)  # from here on the pictures that it names are replaced
    mixes = mixes_of(task)
    files = [f"{mix.slug}.png" for mix in mixes]
    for image, mix, file in zip(images, mixes, files, strict=True):
        save_png(image, folder / file, {**provenance, "task": task.name, "mix": json.dumps(dict(mix))}, overwrite=True)
    return _write_manifest(folder, TaskEdits(folder, key, tuple(files)), provenance)


def _write_failure(folder: Path, key: str, error: str) -> TaskEdits:
    return _write_manifest(folder, TaskEdits(folder, key, error=error), {})


def _write_manifest(folder: Path, edits: TaskEdits, provenance: Mapping[str, str]) -> TaskEdits:
    content: dict[str, Any] = {"key": edits.key, "files": list(edits.files), "error": edits.error}
    write_json(folder / MANIFEST, {**content, "provenance": dict(provenance)})
    return edits


def read_edits(folder: Path) -> TaskEdits | None:
    """The edits that the manifest in a task's folder names; None without a manifest that can be read."""
    try:
        content = json.loads((folder / MANIFEST).read_text())
        return TaskEdits(folder, str(content["key"]), tuple(map(str, content["files"])), str(content["error"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
