"""The two ends of the scale: ground-truth drawings, which no method can beat, and the source, which does nothing."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from pxs.benchmark.tasks import Task
from pxs.errors import DataError
from pxs.expressions import Mix
from pxs.mini.faces import Identity, draw


class Truth:
    """The drawing of each mix: the ceiling. For drawn faces only; raises DataError for others."""

    def __init__(self, task: Task) -> None:
        if task.identity is None:
            raise DataError(f"{task.name} is no drawn face, so it has no ground truth")
        self.identity, self.style = Identity.sample(task.identity), task.domain

    def edit(self, image: Image.Image, mixes: Sequence[Mix]) -> list[Image.Image]:
        """The identity drawn with each mix, at the size of `image`."""
        return [draw(self.identity, mix, self.style, image.width) for mix in mixes]


class Source:
    """The picture unchanged: the floor of expression, the ceiling of identity."""

    def edit(self, image: Image.Image, mixes: Sequence[Mix]) -> list[Image.Image]:
        """As many copies of `image` as there are mixes."""
        return [image for _ in mixes]
