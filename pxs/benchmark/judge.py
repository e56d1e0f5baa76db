"""Judging edits that lie on disk: pictures -> records, one file a judge.

    FOLDER/records/JUDGE.jsonl      one line a method and task: {"key", "method", "task", "values", "error"}

Judging edits nothing again: a new judge reads the pictures that are there and adds a file of its own. A key is the hash
of what the values depend on (edits, face box, judge), so what changed is judged anew. The values of all judges together
are a `Record` of each method and task, which table.py turns into figures.

What fails counts as 0, a picture at a time: a picture that a method did not make, or in which a judge finds no face,
has the scores 0 and the similarity 0. A task that no method can do (its picture is missing, shows no face or has no
box) is told and left out for all.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from pxs.benchmark.edit import TaskEdits, mixes_of
from pxs.data.levels import STANDARD, Levels
from pxs.data.tasks import Task
from pxs.errors import JudgeError, JudgeSetupError, OutputError, PxsError, UnjudgedError, one_line
from pxs.expressions import EXPRESSIONS
from pxs.images import psnr, to_array
from pxs.judging.each import values_or_reasons
from pxs.storage.files import append_line, output_folder, replace_file
from pxs.storage.locks import locked
from pxs.storage.paths import check_path, exists

if TYPE_CHECKING:
    from pxs.judging.expression import ExpressionJudge
    from pxs.judging.identity import IdentityJudge

MAX_PSNR = 60.0  # dB: what an edit that equals the truth counts as

Values: TypeAlias = tuple[list[Any], dict[int, str]]
"""One value a picture, None where it is missing, and the reasons of the missing ones by their number, from 0."""


@dataclass(frozen=True)
class Judges:
    """Who scores a run: expression in 0..1 and identity as unit vectors. Raises JudgeError for an encoder of losses.

    others: further recognisers; the similarity of a picture is the mean of the cosines of all.
    """

    expression: ExpressionJudge
    identity: IdentityJudge
    others: tuple[IdentityJudge, ...] = ()

    @property
    def recognisers(self) -> tuple[IdentityJudge, ...]:
        """All judges of identity."""
        return (self.identity, *self.others)

    def __post_init__(self) -> None:
        judges: tuple[ExpressionJudge | IdentityJudge, ...] = (self.expression, *self.recognisers)
        for judge in judges:
            if judge.role != "score":
                raise JudgeError(
                    f"{judge.name} serves training losses (role {judge.role!r}): choose a judge that does not"
                )

    @property
    def raters(self) -> dict[str, Rater]:
        """The parts of a `Record` and who gives them."""
        similar = {f"similarity {i}": Similarity(judge) for i, judge in enumerate(self.recognisers)}
        return {"scores": Scores(self.expression), **similar, "psnr": TruthPsnr()}


class Shown:
    """What a rater looks at: a task and its edits."""

    def __init__(self, task: Task, edits: TaskEdits) -> None:
        self.task, self.edits = task, edits

    @cached_property
    def fault(self) -> str:
        """Why no method can do this task, empty if one can."""
        try:
            self.task.face(self.source, self.source.size)
        except PxsError as error:
            return one_line(error)
        return ""

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

    def __call__(self, shown: Shown) -> Values:
        """The values, and the reasons of those that are missing by their numbers, from 0.

        Raises JudgeError for an answer that makes no sense, JudgeSetupError for a judge that can judge nothing.
        """
        ...


def _values(judge: Callable[[Sequence[Image.Image]], Any], images: Sequence[Image.Image], name: str) -> Values:
    """What a judge gives for each image, with the reasons where it fails; raises JudgeError if it gives too few."""
    values, reasons = values_or_reasons(judge, images)
    if len(values) != len(images):
        raise JudgeError(f"{name} gave {len(values)} values for {len(images)} images: it must give one each")
    return values, reasons


class Scores:
    """The judged mix of each edit: rows of 12 intensities in 0..1."""

    def __init__(self, judge: ExpressionJudge) -> None:
        self.judge, self.name = judge, judge.name

    def __call__(self, shown: Shown) -> Values:
        mixes, reasons = _values(self.judge.judge, shown.faces[1:], self.name)
        rows = [None if mix is None else np.array(mix.vector()) for mix in mixes]
        for number, row in enumerate(rows):
            if row is not None and not (row.min() >= 0 and row.max() <= 1):
                raise JudgeError(f"{self.name} gave scores outside 0..1 for picture {number}: {mixes[number]}")
        return [None if row is None else row.round(5).tolist() for row in rows], reasons


class Similarity:
    """The cosine of identity vectors, source against each edit, in -1..1."""

    def __init__(self, judge: IdentityJudge) -> None:
        self.judge, self.name = judge, judge.name

    def __call__(self, shown: Shown) -> Values:
        vectors, reasons = _values(self.judge.embed, shown.faces, self.name)
        if vectors[0] is None:
            raise _FaultError(f"the source: {reasons[0].removeprefix('picture 0: ')}")
        found = [None if vector is None else np.asarray(vector, dtype=np.float64) for vector in vectors]
        for vector in found:
            if vector is not None and (vector.ndim != 1 or not abs(np.linalg.norm(vector) - 1) <= 1e-3):
                raise JudgeError(f"{self.name} gave an array of shape {vector.shape} that is no unit vector")
        source = np.asarray(vectors[0], dtype=np.float64)
        cosines = [None if vector is None else round(float(vector @ source), 5) for vector in found[1:]]
        return cosines, {number - 1: reason for number, reason in reasons.items()}


class TruthPsnr:
    """PSNR of each edit against the ground truth, in dB, at most MAX_PSNR; empty where there is no truth."""

    name = "psnr against truth"

    def __call__(self, shown: Shown) -> Values:
        truth = shown.task.truth
        if truth is None:
            return [], {}
        pairs = zip(shown.images, mixes_of(shown.task), strict=True)
        values = [psnr(to_array(image), to_array(truth(mix, image.width))) for image, mix in pairs]
        return [round(min(value, MAX_PSNR), 3) for value in values], {}


@dataclass(frozen=True)
class Record:
    """One method on one task as judged; lists run over the alphas of `levels`.

    scores: judged mixes as rows of 12; similarity: cosines of identity vectors, source against edit; psnr: against the
    ground truth in dB, empty where there is none. `failed` pictures are missing or were not judged, for the reason
    `error`, and count as 0 in these lists. fault: why no method can do the task, which is then left out; else empty.
    """

    task: str
    domain: str
    expression: str
    scores: list[list[float]]
    similarity: list[float]
    psnr: list[float]
    error: str = ""
    failed: int = 0
    fault: str = ""
    levels: Levels = STANDARD


@dataclass(frozen=True)
class Line:
    """One line of a judge's file: the values of one method's edits of one task, None for a picture that failed.

    error: why values are missing; fault: whether that lies in the task itself.
    """

    key: str
    method: str
    task: str
    values: list[Any]
    error: str = ""
    fault: bool = False


class _FaultError(PxsError):
    """Raised for a task that no method can do."""


def judge_edits(
    edits: Mapping[str, Sequence[TaskEdits]],
    tasks: Sequence[Task],
    judges: Judges,
    folder: str | Path,
    progress: bool = True,
) -> dict[str, list[Record]]:
    """Judge what is not judged yet; all records by method, in the order of the tasks.

    `edits` as `edit_tasks` gives them. One process judges at a time, others wait. A judge that fails on a picture is
    recorded with its reason and asked again by the next run. Raises JudgeSetupError for a judge that can judge nothing,
    OutputError if the folder cannot be written to or holds records of an earlier version; what was judged stays.
    """
    target = output_folder(check_path(folder) / "records")
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
        return Line("", method, shown.task.name, [], shown.edits.error, not shown.edits.supported)
    key = _key(rater, method, shown)
    if key in log.finished:
        return log.finished[key]
    line = _asked(rater, key, method, shown)
    log.add(line)
    return line


def _asked(rater: Rater, key: str, method: str, shown: Shown) -> Line:
    """The values of these edits, or why there are none."""
    try:
        values, reasons = rater(shown)
        files = shown.edits.files
        told = {i: f"{files[i]}: {re.sub(r'^picture [0-9]+: ', '', reason)}" for i, reason in reasons.items()}
        return Line(key, method, shown.task.name, values, str(UnjudgedError(values, told)) if told else "")
    except (JudgeSetupError, OutputError):
        raise
    except Exception as error:  # a foreign judge can raise anything: the run goes on without this task
        kind = "" if isinstance(error, PxsError) else f"{type(error).__name__}: "
        return Line(key, method, shown.task.name, [], kind + one_line(error), isinstance(error, _FaultError))


def _key(rater: Rater, method: str, shown: Shown) -> str:
    """The hash of what values depend on."""
    parts = [rater.name, method, shown.edits.key, shown.task.box]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def _record(shown: Shown, lines: Mapping[str, Line]) -> Record:
    """The lines of all raters on one task, put together."""
    task, bad = shown.task, [line for line in lines.values() if line.error]
    error = bad[0].error if bad else ""
    fault = next((line.error for line in bad if line.fault), "") or (shown.fault if bad else "")
    count = len(task.levels.alphas)
    missing = {i for line in bad for i in range(count) if not line.values or line.values[i] is None}
    return Record(
        task=task.name,
        domain=task.domain,
        expression=task.expression,
        scores=_filled(lines["scores"].values, [0.0] * len(EXPRESSIONS), count),
        similarity=_means([_filled(lines[part].values, 0.0, count) for part in lines if part.startswith("similarity")]),
        psnr=[] if task.truth is None else _filled(lines["psnr"].values, 0.0, count),
        error=error,
        failed=len(missing),
        fault=fault,
        levels=task.levels,
    )


def _filled(values: Sequence[Any], nothing: Any, count: int) -> list[Any]:
    """One value a mix: `nothing` for each of `count` that is missing."""
    return [nothing if value is None else value for value in values or [None] * count]


def _means(lists: Sequence[Sequence[float]]) -> list[float]:
    """The mean over recognisers of each picture's cosine."""
    return [round(sum(values) / len(values), 5) for values in zip(*lists, strict=True)]


class Log:
    """The lines of one judge in a JSONL file; reading drops failures and a line that was cut off by a kill."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.finished = {line.key: line for line in read_lines(path) if not line.error}
        content = "".join(f"{_text(line)}\n" for line in self.finished.values()).encode()
        if exists(path) and path.read_bytes() != content:
            replace_file(path, content)

    def add(self, line: Line) -> None:
        """Put a line on disk. Raises OutputError where it cannot be written."""
        append_line(self.path, _text(line))
        if not line.error:
            self.finished[line.key] = line


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a judge's file in order, without one that was cut off; none if there is no file."""
    content = path.read_bytes() if exists(path) else b""
    for text in content.splitlines():
        try:
            yield Line(**json.loads(text))
        except (ValueError, TypeError):
            continue


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
