"""What is made of one picture (`Settings`, `Job`), and the making (`edit_job`)."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pxs.batch.presets import Preset
from pxs.errors import OutputError, PxsError, one_line
from pxs.images import open_picture, read_text
from pxs.threads import share

if TYPE_CHECKING:
    from pxs.editing.adapters import Choice
    from pxs.editing.editor import Editor
    from pxs.editing.options import LoadOptions

Record = dict[str, Any]
"""A line of the index: source, sha256 of its file, key, files with mix and sha256, seed, steps, seconds, warnings,
error (empty, or why there are no files)."""


@dataclass(frozen=True)
class Settings:
    """What is made of every picture. folder: of the results. The model is loaded where it is needed, in any process."""

    preset: Preset
    folder: Path
    model: str
    adapter: Choice
    options: LoadOptions

    def load(self, number: int = 0, workers: int = 1) -> Editor:
        """The model for process `number` of `workers` on this machine, which share its processors and GPUs."""
        import torch

        from pxs.editing.editor import load

        options = self.options
        if workers > 1:
            torch.set_num_threads(share(workers))
        if workers > 1 and options.device is None and torch.cuda.device_count() > 1:
            options = replace(options, device=f"cuda:{number % torch.cuda.device_count()}")
        return load(self.model, self.adapter, options)


@dataclass(frozen=True)
class Job:
    """One picture. name: below the folder of all pictures. files: of its results, below that of the results.

    sha256: of its file, empty where it cannot be read. key: of all that the results depend on.
    """

    path: Path
    name: str
    sha256: str
    key: str
    files: tuple[str, ...]

    def to_json(self) -> str:
        """The job as text, for `from_json` on another machine."""
        return json.dumps([str(self.path), self.name, self.sha256, self.key, self.files])

    @classmethod
    def from_json(cls, text: str) -> Job:
        """A job from what `to_json` returned."""
        path, name, sha256, key, files = json.loads(text)
        return cls(Path(path), name, sha256, key, tuple(files))


def key_of(sha256: str, identity: Mapping[str, str], preset: Preset, suffix: str) -> str:
    """The hash of what the results of a picture depend on: its content, the settings and the model."""
    mixes = [dict(mix) for mix in preset.mixes]
    parts: list[Any] = [sha256, dict(identity), mixes, preset.seed, preset.steps, preset.domain, suffix]
    if preset.faces is not None:
        parts.append(asdict(preset.faces))
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def edit_job(editor: Editor, settings: Settings, job: Job) -> Record:
    """Edit one picture and write its results; the record of it. Raises OutputError where nothing can be written."""
    began = time.monotonic()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        try:
            _write(editor, settings, job)
            return record_of(settings, job, time.monotonic() - began, sorted({str(w.message) for w in said}))
        except OutputError:
            raise
        except Exception as error:  # a picture can fail in any way: the others go on
            kind = "" if isinstance(error, PxsError) else f"{type(error).__name__}: "
            return failed(job, kind + one_line(error))


def _write(editor: Editor, settings: Settings, job: Job) -> None:
    preset = settings.preset
    picture, faces = open_picture(job.path), preset.faces
    opened = editor.open(picture, preset.domain) if faces is None else faces.open(editor, picture, preset.domain)
    edits = opened.edit(preset.mixes, preset.seed, preset.steps, False, preset.calibrated)
    kept = replace(edits, provenance={**edits.provenance, "key": job.key})
    first = (settings.folder / job.files[0]).parent
    kept.save(first, overwrite=True, names=[Path(file).name for file in job.files])


def is_written(file: Path, key: str) -> bool:
    """Whether a file is a result with this key."""
    try:
        return file.is_file() and read_text(file).get("key") == key
    except PxsError:
        return False


def record_of(settings: Settings, job: Job, seconds: float, said: list[str]) -> Record:
    """The record of a picture whose results are written."""
    preset = settings.preset
    files = [
        {"file": file, "mix": dict(mix), "sha256": file_hash(settings.folder / file)}
        for file, mix in zip(job.files, preset.mixes, strict=True)
    ]
    return {
        "source": job.name,
        "path": str(job.path),
        "sha256": job.sha256,
        "key": job.key,
        "files": files,
        "seed": preset.seed,
        "steps": preset.steps,
        "seconds": round(seconds, 3),
        "warnings": said,
        "error": "",
    }


def failed(job: Job, error: str) -> Record:
    """The record of a picture that could not be edited."""
    named = {"source": job.name, "path": str(job.path), "sha256": job.sha256, "key": job.key}
    return {**named, "files": [], "error": error}


def file_hash(file: Path) -> str:
    """SHA-256 of a file's content; empty for one that cannot be read."""
    try:
        with open(file, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""
