"""What the methods of linear control share: a portrait, the prompts about it, and a batch for the intensities.

An edit of a task is one expression at several intensities. `Linear.edit` opens the portrait with the base model and
takes the embeddings of the neutral prompt and of the expression's; a method's own part is `steps_of`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from PIL import Image
from torch import Tensor

from pxs.benchmark.methods.context import Context
from pxs.data.tasks import Task
from pxs.editing.portrait import Portrait
from pxs.editing.sampling import DenoisingStep
from pxs.errors import DataError
from pxs.expressions import EXPRESSIONS, NEUTRAL, Mix


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
        c, editor = self.context, self.context.editor(None)
        if wrong := [m for m in mixes if set(m) - {task.expression}]:
            raise DataError(f"{self.name} edits one expression at a time, here {task.expression}: not {wrong[0]}")
        portrait, images = editor.open(task.open(), task.domain), []
        for first in range(0, len(mixes), editor.batch):
            part = mixes[first : first + editor.batch]
            weights = torch.tensor([m.vector() for m in part], device=portrait.latents.device)
            *_, last = self.steps_of(portrait, task.expression, weights)
            images += list(portrait.finish(last, part, c.seed))
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
