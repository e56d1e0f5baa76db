"""The two ends of the scale: the ground truth, which no method can beat, and the source, which changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from pxs.data.tasks import Task
from pxs.errors import DataError
from pxs.expressions import Mix


class Truth:
    """The ground truth of each mix: the ceiling. For synthetic faces only; raises DataError for others."""

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """The same person with each mix, at the size of the portrait."""
        if task.truth is None:
            raise DataError(f"{task.name} has no ground truth: method 'truth' needs synthetic faces")
        size = task.open().width
        return [task.truth(mix, size) for mix in mixes]


class Source:
    """The picture unchanged: the floor of expression, the ceiling of identity."""

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """As many copies of the portrait as there are mixes."""
        return [task.open() for _ in mixes]
