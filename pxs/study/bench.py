"""What a study takes out of a bench: sweeps of each method on each task, the portraits, and what judges said of them.

Only pictures and manifests are read, no task and no model: the folder may come from another machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pxs.benchmark.edit import TaskEdits, read_edits
from pxs.benchmark.judge import Line, read_lines
from pxs.data.levels import STANDARD
from pxs.errors import DataError
from pxs.expressions import EXPRESSIONS
from pxs.judging.measures import linearity
from pxs.storage.paths import PathName, check_path, kind_of

ALPHAS, LINEAR = STANDARD.alphas, STANDARD.linear
"""The intensities of the bench: all, and those of linear control."""
SHOWN = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""The intensities of a sweep that raters see."""
Sweep = tuple[str, str]
"""A method and a task."""
TRUTH, SOURCE = "truth", "source"
REFERENCES = (SOURCE, TRUTH)
"""Methods of a bench that show what is right; the portrait is their picture at intensity 0."""


@dataclass(frozen=True)
class Bench:
    """The pictures of a bench. methods: to compare. expressions: of the tasks that all of them have edited, by name.

    left_out: how many tasks are not usable, since a method lacks them or there is no portrait.
    """

    edits: Mapping[str, Mapping[str, TaskEdits]]
    methods: tuple[str, ...]
    expressions: Mapping[str, str]
    left_out: int

    def sweep(self, method: str, task: str) -> list[Path]:
        """The pictures of one sweep, one an intensity of SHOWN."""
        one = self.edits[method][task]
        return [one.folder / one.files[ALPHAS.index(alpha)] for alpha in SHOWN]

    def portrait(self, task: str) -> Path:
        """The picture before any edit."""
        return next(self.sweep(name, task)[0] for name in REFERENCES if task in self.edits.get(name, {}))

    def has_truth(self, task: str) -> bool:
        """Whether the right pictures of a task are known."""
        return task in self.edits.get(TRUTH, {})


def read_bench(folder: PathName, methods: Sequence[str] = ()) -> Bench:
    """The bench in a folder; `methods` are those to compare, by default all but truth and source.

    Raises DataError for a folder without edits, a method that it lacks, and if no task has been edited by all methods.
    """
    root = check_path(folder) / "edits"
    if kind_of(root) != "folder":
        raise DataError(f"{str(folder)!r} holds no edits of a bench: run 'pxs bench --out FOLDER' first")
    found = {one.name: _of_method(one) for one in sorted(root.iterdir()) if one.is_dir()}
    chosen = tuple(dict.fromkeys(methods)) or tuple(name for name in found if name not in REFERENCES)
    for name in chosen:
        if name not in found:
            raise DataError(f"{str(folder)!r} has no method {name!r}: choose from {', '.join(found) or 'none'}")
    if not chosen:
        raise DataError(f"{str(folder)!r} has no methods to compare: name them (--methods)")
    references = set().union(*(found.get(name, {}) for name in REFERENCES))
    tasks = sorted(references.intersection(*(found[name] for name in chosen)))
    expressions = {task: _expression(found[chosen[0]][task]) for task in tasks}
    usable = {task: word for task, word in expressions.items() if word}
    if not usable:
        lack = "no task that all methods have edited" if references else "no portraits"
        raise DataError(f"{str(folder)!r} has {lack}: run 'pxs bench --methods source {' '.join(chosen)}' there")
    every = set().union(*(found[name] for name in chosen))
    return Bench(found, chosen, usable, len(every | references) - len(usable))


def _of_method(folder: Path) -> dict[str, TaskEdits]:
    """The tasks of one method whose manifest can be read and whose pictures are all there."""
    read = {one.name: read_edits(one) for one in sorted(folder.iterdir()) if one.is_dir()}
    return {name: one for name, one in read.items() if one is not None and _is_whole(one)}


def _is_whole(edits: TaskEdits) -> bool:
    return len(edits.files) == len(ALPHAS) and all((edits.folder / file).is_file() for file in edits.files)


def _expression(edits: TaskEdits) -> str:
    """The expression of a task, out of the names of its pictures (happy_0.5.png); empty for other names."""
    word = edits.files[-1].rpartition("_")[0]
    return word if word in EXPRESSIONS else ""


@dataclass(frozen=True)
class Verdicts:
    """What one judge says of sweeps. scale: that it speaks to. values: a number a sweep, by method and task."""

    scale: str
    values: Mapping[Sweep, float]


def judged(folder: PathName, edits: Mapping[Sweep, str], expressions: Mapping[str, str]) -> dict[str, Verdicts]:
    """What each judge of a bench says, by its name.

    An expression judge speaks to continuity, by the correlation of intensity and score (CLS); an identity judge to
    identity, by the mean cosine over intensities 0 to 1. edits: the key of each sweep, which those in the folder must
    still have; expressions: by task. Raises DataError for a folder that holds no records.
    """
    root = check_path(folder)
    if kind_of(root / "records") != "folder":
        raise DataError(f"{str(folder)!r} holds no records of judges: give the folder of 'pxs bench --out'")
    now = {sweep: read_edits(root / "edits" / sweep[0] / sweep[1]) for sweep in edits}
    same = {sweep for sweep, one in now.items() if one is not None and one.key == edits[sweep]}
    found = {}
    for file in sorted((root / "records").glob("*.jsonl")):
        lines = [line for line in read_lines(file) if (line.method, line.task) in same]
        scale = next(filter(None, map(_scale, lines)), "")
        if scale:
            own = [line for line in lines if _scale(line) == scale]
            numbers = {(line.method, line.task): _number(line, scale, expressions[line.task]) for line in own}
            found[file.stem] = Verdicts(scale, numbers)
    return found


def _scale(line: Line) -> str:
    """The scale that a line of a judge's file speaks to; empty for one that failed, or of another kind."""
    values = line.values
    if len(values) != len(ALPHAS):
        return ""
    if all(isinstance(value, list) and len(value) == len(EXPRESSIONS) for value in values):
        return "continuity"
    return "identity" if all(isinstance(value, float | int) and abs(value) <= 1.001 for value in values) else ""


def _number(line: Line, scale: str, expression: str) -> float:
    part = np.array(line.values[: len(LINEAR)], dtype=np.float64)
    if scale == "identity":
        return float(part.mean())
    return float(linearity(LINEAR, part[:, EXPRESSIONS.index(expression)]))
