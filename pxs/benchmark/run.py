"""A whole comparison: edit what is missing, judge what is missing, return the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from pxs.benchmark.edit import edit_tasks
from pxs.benchmark.judge import Judges, Record, judge_edits
from pxs.benchmark.methods import Method
from pxs.data.tasks import Task


def run(
    methods: Mapping[str, Method], tasks: Sequence[Task], judges: Judges, folder: str | Path, progress: bool = True
) -> dict[str, list[Record]]:
    """All records by method, in the order of the tasks; pictures and records stay in `folder`.

    A method is any object with `edit(task, mixes)`. Raises as `edit_tasks` and `judge_edits` do.
    """
    with ExitStack() as claims:
        edits = edit_tasks(methods, tasks, folder, claims, progress)
        return judge_edits(edits, tasks, judges, folder, progress)
