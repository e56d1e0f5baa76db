"""The runner: every method on every task, judged; results land on disk as they come, and a re-run continues.

A record is one method on one task: the portrait edited at all ALPHAS of its expression, with the judged mix, identity
similarity and, where there is ground truth, PSNR of each edit. DIR/records/{method}.jsonl holds one record a line,
under a key of everything it depends on (task, method, judges, alphas): records of other settings are made anew. A task
that fails is recorded with its reason and tried again by the next run.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from pxs.benchmark.methods import Entry, Method
from pxs.benchmark.tasks import Task
from pxs.errors import AdapterError, DataError, JudgeError, ModelError, PxsError, ScaleError, one_line
from pxs.expressions import Mix, sweep
from pxs.images import output_folder, psnr, to_array
from pxs.judging.expression import ExpressionJudge
from pxs.judging.identity import IdentityJudge
from pxs.mini.faces import Identity, draw
from pxs.saving import replace_file

LINEAR = tuple(round(0.1 * i, 1) for i in range(11))
ALPHAS = (*LINEAR, 1.25, 1.5)
"""Intensities of linear control, and two beyond, which are reported apart."""


@dataclass(frozen=True)
class Judges:
    """What scores a run; refuses a judge that training losses look through."""

    expression: ExpressionJudge
    identity: IdentityJudge

    def __post_init__(self) -> None:
        for judge in (self.expression, self.identity):
            if judge.role != "score":
                raise JudgeError(f"{judge.name} is for training losses (role {judge.role!r}): it must not score")


@dataclass(frozen=True)
class Record:
    """One method on one task; lists run over ALPHAS. `error` is why it failed, else empty; then the lists are empty.

    scores: judged mixes as rows of 12; similarity: cosines of identity vectors, source against edit; psnr: against the
    ground-truth drawing in dB, empty where there is none.
    """

    key: str
    task: str
    domain: str
    expression: str
    scores: list[list[float]]
    similarity: list[float]
    psnr: list[float]
    error: str = ""


def run(
    methods: Mapping[str, Entry], tasks: Sequence[Task], judges: Judges, folder: str | Path, progress: bool = True
) -> dict[str, list[Record]]:
    """Run what is missing in `folder` and return all records by method, in the order of the tasks.

    A method is any object with `edit(image, mixes)`, or a function from a task to one. Raises OutputError if `folder`
    cannot be written to, ModelError, AdapterError or ScaleError if a method cannot be had at all; what goes wrong
    within a task is kept in its record.
    """
    target = output_folder(Path(folder) / "records")
    logs = {name: Log(target / f"{name}.jsonl") for name in methods}
    return {
        name: [
            run_task(entry, task, judges, logs[name])
            for task in tqdm(tasks, desc=name, leave=False, disable=not progress)
        ]
        for name, entry in methods.items()
    }


def run_task(entry: Entry, task: Task, judges: Judges, log: Log) -> Record:
    """The finished record of this task in the log, or a new one, which is on disk when this returns."""
    record = Record("", task.name, task.domain, task.expression, [], [], [])
    try:
        source, method = task.open(), _bound(entry, task)
        record = replace(record, key=_key(task, source, method, judges))
        if record.key in log.finished:
            return log.finished[record.key]
        record = replace(record, **measure(method, task, source, judges))
    except Exception as error:  # a foreign method or judge can raise anything: the run goes on without this task
        if not record.key and isinstance(error, (AdapterError, ModelError, ScaleError)):
            raise  # the method itself cannot be had, and could not for any other task
        kind = "" if isinstance(error, PxsError) else f"{type(error).__name__}: "
        record = replace(record, error=kind + one_line(error))
    log.add(record)
    return record


def _bound(entry: Entry, task: Task) -> Method:
    """The method itself, from an entry that may be a function from a task to one."""
    return entry if hasattr(entry, "edit") and not isinstance(entry, type) else entry(task)


def _key(task: Task, source: Image.Image, method: Method, judges: Judges) -> str:
    """A hash of what a record depends on."""
    picture = hashlib.sha256(source.tobytes()).hexdigest()
    provenance = getattr(method, "provenance", {"method": type(method).__qualname__})
    parts = [task.name, task.expression, task.box, picture, provenance, ALPHAS]
    parts += [judges.expression.name, judges.identity.name]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def measure(method: Method, task: Task, source: Image.Image, judges: Judges) -> dict[str, list]:
    """Edit and judge one task: the lists of its record. Raises DataError or JudgeError for nonsense."""
    mixes = sweep(task.expression, ALPHAS)
    images = list(method.edit(source, mixes))
    if len(images) != len(mixes):
        raise DataError(f"the method gave {len(images)} images for {len(mixes)} mixes: it must give one each")
    faces = [task.face(image, source.size) for image in (source, *images)]
    vectors = _vectors(judges.identity, faces)
    return {
        "scores": _scores(judges.expression, faces[1:]),
        "similarity": (vectors[1:] @ vectors[0]).round(5).tolist(),
        "psnr": _against_truth(task, mixes, images),
    }


def _scores(judge: ExpressionJudge, faces: Sequence[Image.Image]) -> list[list[float]]:
    judged = judge.judge(faces)
    scores = np.array([mix.vector() for mix in judged])
    if len(scores) != len(faces) or scores.min() < 0 or scores.max() > 1:
        raise JudgeError(f"{judge.name} gave {len(scores)} mixes for {len(faces)} images, or scores outside 0..1")
    return scores.round(5).tolist()


def _vectors(judge: IdentityJudge, faces: Sequence[Image.Image]) -> np.ndarray:
    vectors = np.asarray(judge.embed(faces), dtype=np.float64)
    if len(vectors) != len(faces) or not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
        raise JudgeError(f"{judge.name} gave {vectors.shape} for {len(faces)} images, not one unit vector each")
    return vectors


def _against_truth(task: Task, mixes: Sequence[Mix], images: Sequence[Image.Image]) -> list[float]:
    """PSNR of each edit against the drawing, at most 60 dB so that an exact one has a number; [] without a truth."""
    if task.identity is None:
        return []
    who = Identity.sample(task.identity)
    truths = [draw(who, mix, task.domain, image.width) for mix, image in zip(mixes, images, strict=True)]
    return [round(min(psnr(to_array(a), to_array(b)), 60.0), 3) for a, b in zip(images, truths, strict=True)]


class Log:
    """The records of one method in a JSONL file; reading drops failures and a line that was cut off by a kill."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.finished = {r.key: r for r in self._read() if not r.error}
        if path.exists():
            replace_file(path, "".join(map(_line, self.finished.values())).encode())

    def _read(self) -> Iterator[Record]:
        for line in self.path.read_text().splitlines() if self.path.exists() else ():
            try:
                yield Record(**json.loads(line))
            except (json.JSONDecodeError, TypeError):
                continue

    def add(self, record: Record) -> None:
        """Put a record on disk."""
        with open(self.path, "a") as file:
            file.write(_line(record))
            file.flush()
            os.fsync(file.fileno())
        if not record.error:
            self.finished[record.key] = record


def _line(record: Record) -> str:
    return json.dumps(asdict(record)) + "\n"
