"""mini-FFE-Bench 2: 192 tasks on synthetic faces that no model was trained on, each with its ground truth.

All settings are chosen on the split "dev", and figures are reported on "test": the people of the two are others. Each
confusable expression has 24 tasks, each of the others 12, a third of them in each of PARTS:

- plain: the face shows nothing before the edit;
- mixed: it shows another expression, in half of the tasks of a confusable expression the other one of the pair;
- unusual: hair, pose, glasses or light that no training has (faces/unusual.py); the face shows nothing.

A task asks for an expression, whatever the source shows: the truth at intensity 0 is the neutral face, also in "mixed".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pxs.data.tasks import Task
from pxs.errors import DataError, shown
from pxs.expressions import CONFUSABLE, DOMAINS, EXPRESSIONS, Mix, prompt
from pxs.faces import domain, side
from pxs.faces.identity import seeds
from pxs.faces.render import Drawing, render_one
from pxs.faces.unusual import unusual

SPLITS = ("dev", "test")
PARTS = ("plain", "mixed", "unusual")
PLAIN, MIXED, UNUSUAL = PARTS
ROUND = (*EXPRESSIONS, *(name for pair in CONFUSABLE for name in pair))
"""The expressions of one round of tasks: those that are confused twice."""
ROUNDS = 12
"""So that every expression meets each part in each style equally often."""
BEFORE = (0.3, 0.7)
"""The intensity of what a source of "mixed" shows."""
SALT = 7_302


def mini_bench(split: str = "dev", styles: Sequence[str] = tuple(DOMAINS)) -> list[Task]:
    """mini-FFE-Bench 2: the tasks of one split, each on a face of its own; any beginning has all parts in turn.

    `styles` are those of the faces, one for each domain or for one of them. Raises DataError for another split.
    """
    if split not in SPLITS:
        raise DataError(f"unknown split {shown(split)}: choose from {', '.join(SPLITS)}")
    numbers = seeds(split, ROUNDS * len(ROUND))
    return [_task(split, styles, index, number) for index, number in enumerate(numbers)]


def _task(split: str, styles: Sequence[str], index: int, number: int) -> Task:
    """A synthetic portrait is framed on its face, so its box is the whole picture."""
    turn, place = divmod(index, len(ROUND))
    word, style, part = ROUND[place], styles[(turn + place) % len(styles)], PARTS[(turn + place) % len(PARTS)]
    kind, edge = domain(style), float(side(style))
    return Task(
        name=f"{split}_{style}_{index:03d}",
        domain=kind,
        expression=word,
        prompt=prompt(word, kind),
        box=(0.0, 0.0, edge, edge),
        identity=number,
        style=style,
        part=part,
        before=_before(word, number) if part == MIXED else Mix(),
        truth=SyntheticTruth(number, style, part),
    )


def _before(expression: str, number: int) -> Mix:
    """What a source of "mixed" shows before it is edited towards an expression."""
    rng = np.random.Generator(np.random.PCG64((SALT, number)))
    partners = [b for pair in CONFUSABLE for a, b in (pair, pair[::-1]) if a == expression]
    others = [name for name in EXPRESSIONS if name != expression]
    choices = partners if rng.random() < 0.5 and partners else others
    return Mix({choices[int(rng.integers(len(choices)))]: round(float(rng.uniform(*BEFORE)), 2)})


@dataclass(frozen=True)
class SyntheticTruth:
    """The ground truth of a synthetic person: the person with this number in one style, with any mix.

    part: that of the bench; in "unusual" the person has other looks.
    """

    number: int
    style: str
    part: str = PLAIN

    def __call__(self, mix: Mix, size: int | None = None) -> Image.Image:
        """The picture, RGB, `size` x `size` pixels, by default the usual side of the style."""
        edge = size or side(self.style)
        if self.part == UNUSUAL:
            return unusual(self.number, mix, self.style, edge)
        return render_one(Drawing(self.number, mix, self.style), edge)
