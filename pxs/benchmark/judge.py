"""Judging edits that lie on disk: pictures -> records, one file a judge.

    FOLDER/records/JUDGE.jsonl      one line a method and task: {"key", "method", "task", "values", "error"}

Judging edits nothing again: a new judge reads the pictures that are there and adds a file of its own. A key is the hash
of what the values depend on (edits, face box, judge), so what changed is judged anew. `join` puts the values of all
judges together as a `Record` of each method and task, which table.py turns into figures.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from pxs.benchmark.edit import TaskEdits, mixes_of
from pxs.data.tasks import Task
from pxs.errors import JudgeError, OutputError, PxsError, one_line
from pxs.images import psnr, to_array
from pxs.judging.expression import ExpressionJudge
from pxs.judging.identity import IdentityJudge
from pxs.storage.files import append_line, output_folder, replace_file
from pxs.storage.locks import locked
from pxs.storage.paths import exists

MAX_PSNR = 60.0  # dB: what an edit that equals the truth counts as


@dataclass(frozen=True)
class Judges:
    """Who scores a run: expression in 0..1 and identity as unit vectors. Raises JudgeError for an encoder of losses."""

    expression: ExpressionJudge
    identity: IdentityJudge

    def __post_init__(self) -> None:
        for judge in (self.expression, self.identity):
            if judge.role != "score":
                raise JudgeError(
                    f"{judge.name} serves training losses (role {judge.role!r}): choose a judge that does not"
                )

    @property
    def raters(self) -> dict[str, Rater]:
        """The parts of a `Record` and who gives them."""
        return {"scores": Scores(self.expression), "similarity": Similarity(self.identity), "psnr": TruthPsnr()}


class Shown:
    """What a rater looks at: a task and its edits."""

    def __init__(self, task: Task, edits: TaskEdits) -> None:
        self.task, self.edits = task, edits

    @cached_property
    def source(self) -> Image.Image:
        """The portrait before editing, RGB."""
        return self.task.open()

    @cached_property
    def images(self) -> list[Image.Image]:
        """The edits, RGB, one a mix."""
        return self.edits.open()

    @cached_property
    def faces(self) -> list[Image.Image]:
        """The face in the source and in each edit, cut out by the task's box."""
        return [self.task.face(image, self.source.size) for image in (self.source, *self.images)]


class Rater(Protocol):
    """Gives the values of one task: one a mix, as JSON. `name` tells apart values by other judges or weights."""

    name: str

    def __call__(self, shown: Shown) -> list[Any]:
        """The values; raises JudgeError if the judge fails."""
        ...


class Scores:
    """The judged mix of each edit: rows of 12 intensities in 0..1."""

    def __init__(self, judge: ExpressionJudge) -> None:
        self.judge, self.name = judge, judge.name

    def __call__(self, shown: Shown) -> list[Any]:
        faces = shown.faces[1:]
        scores = np.array([mix.vector() for mix in self.judge.judge(faces)])
        if len(scores) != len(faces) or scores.min() < 0 or scores.max() > 1:
            raise JudgeError(f"{self.name} gave {len(scores)} mixes for {len(faces)} images, or scores outside 0..1")
        return scores.round(5).tolist()


class Similarity:
    """The cosine of identity vectors, source against each edit, in -1..1."""

    def __init__(self, judge: IdentityJudge) -> None:
        self.judge, self.name = judge, judge.name

    def __call__(self, shown: Shown) -> list[Any]:
        vectors = np.asarray(self.judge.embed(shown.faces), dtype=np.float64)
        if len(vectors) != len(shown.faces) or not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
            raise JudgeError(
                f"{self.name} gave {vectors.shape} for {len(shown.faces)} images, not one unit vector each"
            )
        return (vectors[1:] @ vectors[0]).round(5).tolist()


class TruthPsnr:
    """PSNR of each edit against the ground truth, in dB, at most MAX_PSNR; empty where there is no truth."""

    name = "psnr against truth"

    def __call__(self, shown: Shown) -> list[Any]:
        truth = shown.task.truth
        if truth is None:
            return []
        pairs = zip(shown.images, mixes_of(shown.task), strict=True)
        values = [psnr(to_array(image), to_array(truth(mix, image.width))) for image, mix in pairs]
        return [round(min(value, MAX_PSNR), 3) for value in values]


@dataclass(frozen=True)
class Record:
    """One method on one task as judged; lists run over ALPHAS and are empty after a failure, of which `error` tells.

    scores: judged mixes as rows of 12; similarity: cosines of identity vectors, source against edit; psnr: against the
    ground truth in dB, empty where there is none.
    """

    task: str
    domain: str
    expression: str
    scores: list[list[float]]
    similarity: list[float]
    psnr: list[float]
    error: str = ""


@dataclass(frozen=True)
class Line:
    """One line of a judge's file: the values of one method's edits of one task."""

    key: str
    method: str
    task: str
    values: list[Any]
    error: str = ""


def judge_edits(
    edits: Mapping[str, Sequence[TaskEdits]],
    tasks: Sequence[Task],
    judges: Judges,
    folder: str | Path,
    progress: bool = True,
) -> dict[str, list[Record]]:
    """Judge what is not judged yet; all records by method, in the order of the tasks.

    `edits` as `edit_tasks` gives them. One process judges at a time, others wait. A judge that fails on a task is
    recorded with its reason and asked again by the next run. Raises OutputError if the folder cannot be written to or
    holds records of an earlier version.
    """
    target = output_folder(Path(folder) / "records")
    _refuse_earlier_version(target)
    shown = {name: [Shown(t, e) for t, e in zip(tasks, of_method, strict=True)] for name, of_method in edits.items()}
    values = {}
    with ExitStack() as stack:
        if not stack.enter_context(locked(target / ".lock")):
            warnings.warn(f"another process judges in {str(target)!r}: waiting for it", stacklevel=2)
            stack.enter_context(locked(target / ".lock", -1))
        for part, rater in judges.raters.items():
            values[part] = _rate(rater, shown, Log(target / f"{_slug(rater.name)}.jsonl"), progress)
    return {
        name: [_record(s, {part: found[name][i] for part, found in values.items()}) for i, s in enumerate(of_method)]
        for name, of_method in shown.items()
    }


def _rate(rater: Rater, shown: Mapping[str, Sequence[Shown]], log: Log, progress: bool) -> dict[str, list[Line]]:
    """The lines of one rater, by method and in the order of the tasks."""
    with tqdm(total=sum(map(len, shown.values())), desc=rater.name, leave=False, disable=not progress) as bar:
        found: dict[str, list[Line]] = {}
        for name, of_method in shown.items():
            found[name] = []
            for one in of_method:
                found[name].append(_line(rater, name, one, log))
                bar.update()
        return found


def _line(rater: Rater, method: str, shown: Shown, log: Log) -> Line:
    """The values that the log has for these edits, or new ones, which are on disk when this returns."""
    if shown.edits.error:
        return Line("", method, shown.task.name, [], shown.edits.error)
    key = _key(rater, method, shown)
    if key in log.finished:
        return log.finished[key]
    try:
        line = Line(key, method, shown.task.name, rater(shown))
    except OutputError:  # the disk is full: no judge's doing
        raise
    except Exception as error:  # a foreign judge can raise anything: the run goes on without this task
        kind = "" if isinstance(error, PxsError) else f"{type(error).__name__}: "
        line = Line(key, method, shown.task.name, [], kind + one_line(error))
    log.add(line)
    return line


def _key(rater: Rater, method: str, shown: Shown) -> str:
    """The hash of what values depend on."""
    parts = [rater.name, method, shown.edits.key, shown.task.box]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def _record(shown: Shown, lines: Mapping[str, Line]) -> Record:
    """The lines of all raters on one task, put together."""
    task, errors = shown.task, [line.error for line in lines.values() if line.error]
    values = {part: [] if errors else line.values for part, line in lines.items()}
    return Record(task.name, task.domain, task.expression, **values, error=errors[0] if errors else "")


class Log:
    """The lines of one judge in a JSONL file; reading drops failures and a line that was cut off by a kill."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.finished = {line.key: line for line in self._read() if not line.error}
        content = "".join(f"{_text(line)}\n" for line in self.finished.values()).encode()
        if exists(path) and path.read_bytes() != content:
            replace_file(path, content)

    def _read(self) -> Iterator[Line]:
        content = self.path.read_bytes() if exists(self.path) else b""
        for text in content.splitlines():
            try:
                yield Line(**json.loads(text))
            except (ValueError, TypeError):
                continue

    def add(self, line: Line) -> None:
        """Put a line on disk. Raises OutputError where it cannot be written."""
        append_line(self.path, _text(line))
        if not line.error:
            self.finished[line.key] = line


def _text(line: Line) -> str:
    return json.dumps(asdict(line))


def _slug(name: str) -> str:
    """A judge's name as a file name."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:100] or "judge"


def _refuse_earlier_version(folder: Path) -> None:
    """Earlier versions kept one file a method, whose lines hold all values at once."""
    for file in folder.glob("*.jsonl"):
        with open(file, encoding="utf-8", errors="replace") as lines:
            if '"similarity"' in lines.readline():
                raise OutputError(f"{file} is of an earlier version, without pictures: choose another folder")
