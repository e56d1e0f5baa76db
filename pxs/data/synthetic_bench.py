"""mini-FFE-Bench: 198 tasks on synthetic faces that no model was trained on, each with its ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from PIL import Image

from pxs.data.tasks import Task
from pxs.expressions import EXPRESSIONS, Mix, prompt
from pxs.faces import domain, side
from pxs.faces.identity import seeds
from pxs.faces.render import Drawing, render_one

COUNTS = {"human": 98, "anime": 100}  # tasks of FFE-Bench


def mini_bench(styles: Sequence[str] = tuple(COUNTS)) -> list[Task]:
    """mini-FFE-Bench: 98 human and 100 anime tasks in turn; 12 expressions in turn, each on a face of its own.

    `styles` are those of the faces, one for each domain or for one of them.
    """
    sets = [[(style, i) for i in range(COUNTS[domain(style)])] for style in styles]
    order = [entry for entry in chain.from_iterable(zip_longest(*sets)) if entry]
    numbers = seeds("bench", len(order))
    return [_task(style, i, number) for (style, i), number in zip(order, numbers, strict=True)]


def _task(style: str, index: int, number: int) -> Task:
    """A synthetic portrait is framed on its face, so its box is the whole picture."""
    word, kind = EXPRESSIONS[index % len(EXPRESSIONS)], domain(style)
    box = (0.0, 0.0, float(side(style)), float(side(style)))
    truth = SyntheticTruth(number, style)
    text = prompt(word, kind)
    return Task(f"{style}_{index:03d}", kind, word, text, box=box, identity=number, style=style, truth=truth)


@dataclass(frozen=True)
class SyntheticTruth:
    """The ground truth of a synthetic person: the person with this number in one style, with any mix."""

    number: int
    style: str

    def __call__(self, mix: Mix, size: int | None = None) -> Image.Image:
        """The picture, RGB, `size` x `size` pixels, by default the usual side of the style."""
        return render_one(Drawing(self.number, mix, self.style), size or side(self.style))
