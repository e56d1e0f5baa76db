"""What the methods of linear control share: a portrait, the prompts about it, and a batch for the intensities.

An edit of a task is one expression at several intensities. `Linear.edit` opens the portrait with the base model and
takes the embeddings of the neutral prompt and of the expression's; a method's own part is `steps_of`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from PIL import Image
from torch import Tensor

from pxs.benchmark.methods.context import Context
from pxs.data.tasks import Task
from pxs.editing.portrait import Portrait
from pxs.editing.sampling import DenoisingStep
from pxs.errors import DataError
from pxs.expressions import EXPRESSIONS, NEUTRAL, Mix

Steps = Callable[[Tensor], Iterator[DenoisingStep]]
"""From the intensities (N, 12) of N edits of one portrait to the steps that denoise them."""


class Linear(ABC):
    """A method that edits one expression at a time with the base model, loaded at the first use.

    `name` is its own; subclasses give `steps_of`.
    """

    name: str

    def __init__(self, context: Context) -> None:
        self.context = context

    @property
    def provenance(self) -> dict[str, str]:
        """What an edit depends on."""
        return {"method": self.name, **self.context.provenance(self.context.editor(None))}

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """One edit a mix. Raises DataError for a mix of another expression than the task's."""
        if wrong := [m for m in mixes if set(m) - {task.expression}]:
            raise DataError(f"{self.name} edits one expression at a time, here {task.expression}: not {wrong[0]}")
        portrait = self.context.editor(None).open(task.open(), task.domain)
        return self.edited(portrait, mixes, partial(self.steps_of, portrait, task.expression))

    def edited(self, portrait: Portrait, mixes: Sequence[Mix], steps: Steps) -> list[Image.Image]:
        """One edit a mix, in batches of the editor's size."""
        images: list[Image.Image] = []
        batch = portrait.editor.batch
        for first in range(0, len(mixes), batch):
            part = mixes[first : first + batch]
            *_, last = steps(torch.tensor([m.vector() for m in part], device=portrait.latents.device))
            images += list(portrait.finish(last, part, self.context.seed))
        return images

    @abstractmethod
    def steps_of(self, portrait: Portrait, expression: str, weights: Tensor) -> Iterator[DenoisingStep]:
        """Denoise a portrait towards an expression, with intensities weights (N, 12)."""


def prompts(portrait: Portrait, expression: str, count: int) -> tuple[Tensor, Tensor]:
    """Embeddings (count, L, D) of the neutral prompt and of the expression's, the same in every row."""
    e = portrait.embeddings
    return e[NEUTRAL].expand(count, -1, -1), e[expression].expand(count, -1, -1)


def intensities(weights: Tensor, expression: str) -> Tensor:
    """The intensity (N,) of the expression in weights (N, 12)."""
    return weights[:, EXPRESSIONS.index(expression)]
