"""mini-FFE-Bench: 198 tasks on synthetic faces that no model was trained on, each with its ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, zip_longest

from PIL import Image

from pxs.data.tasks import Task
from pxs.expressions import EXPRESSIONS, Mix, prompt
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds

COUNTS = {"human": 98, "anime": 100}  # tasks of FFE-Bench

SIDE = 128  # pixels of a drawn portrait


def mini_bench() -> list[Task]:
    """mini-FFE-Bench: 98 human and 100 anime tasks in turn; 12 expressions in turn, each on a face of its own."""
    numbers = iter(seeds("bench", sum(COUNTS.values())))
    sets = [[(domain, i) for i in range(count)] for domain, count in COUNTS.items()]
    order = [entry for entry in chain.from_iterable(zip_longest(*sets)) if entry]
    return [_drawn(domain, i, number) for (domain, i), number in zip(order, numbers, strict=True)]


def _drawn(domain: str, index: int, number: int) -> Task:
    """A drawn portrait is framed on its face, so its box is the whole picture."""
    word = EXPRESSIONS[index % len(EXPRESSIONS)]
    box = (0.0, 0.0, float(SIDE), float(SIDE))
    truth = DrawnTruth(number, domain)
    return Task(f"{domain}_{index:03d}", domain, word, prompt(word, domain), box=box, identity=number, truth=truth)


@dataclass(frozen=True)
class DrawnTruth:
    """The ground truth of a drawn person: the person with this number, drawn with any mix."""

    number: int
    style: str

    def __call__(self, mix: Mix, size: int | None = None) -> Image.Image:
        """The drawing, RGB, `size` x `size` pixels, by default SIDE."""
        return draw(Identity.sample(self.number), mix, self.style, size or SIDE)
