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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from pxs.benchmark.edit import TaskEdits
from pxs.benchmark.raters import PIXELS, FaultError, Pixels, Rater, Scores, Shown, Similarity
from pxs.data.levels import STANDARD, Levels
from pxs.data.tasks import Task
from pxs.errors import JudgeError, JudgeSetupError, OutputError, PxsError, UnjudgedError, one_line
from pxs.expressions import EXPRESSIONS
from pxs.storage.files import append_line, output_folder, replace_file
from pxs.storage.locks import locked
from pxs.storage.paths import check_path, exists

if TYPE_CHECKING:
    from pxs.judging.expression import ExpressionJudge
    from pxs.judging.identity import IdentityJudge


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
        return {"scores": Scores(self.expression), **similar, "pixels": Pixels()}


@dataclass(frozen=True)
class Record:
    """One method on one task as judged; lists run over the alphas of `levels`.

    scores: judged mixes as rows of 12; similarity: cosines of identity vectors, source against edit; pixels: rows of
    PIXELS, empty where there is no ground truth. `failed` pictures are missing or were not judged, for the reason
    `error`, and count as 0 in these lists. fault: why no method can do the task, which is then left out; else empty.
    part: that of the benchmark.
    """

    task: str
    domain: str
    expression: str
    scores: list[list[float]]
    similarity: list[float]
    pixels: list[list[float | None]]
    error: str = ""
    failed: int = 0
    fault: str = ""
    levels: Levels = STANDARD
    part: str = ""


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
    """The lines of one rater, by method and in the order of the tasks; all methods of a task follow each other."""
    with tqdm(total=sum(map(len, shown.values())), desc=rater.name, leave=False, disable=not progress) as bar:
        found: dict[str, list[Line]] = {name: [] for name in shown}
        for of_task in zip(*shown.values(), strict=True):
            for name, one in zip(shown, of_task, strict=True):
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
        return Line(key, method, shown.task.name, [], kind + one_line(error), isinstance(error, FaultError))


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
        pixels=[] if task.truth is None else _filled(lines["pixels"].values, [0.0] * len(PIXELS), count),
        error=error,
        failed=len(missing),
        fault=fault,
        levels=task.levels,
        part=task.part,
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
