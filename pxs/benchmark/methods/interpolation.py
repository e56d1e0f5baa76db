"""Textual latent interpolation (PixelSmile, arXiv 2603.25728), with an adapter or without: `Portrait.edit`."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from pxs.benchmark.methods.context import Context
from pxs.data.tasks import Task
from pxs.editing.adapters import Choice
from pxs.expressions import Mix


class Interpolation:
    """An editor that interpolates prompt embeddings; the model is loaded at the first use."""

    def __init__(self, context: Context, adapter: Choice) -> None:
        self.context, self.adapter = context, adapter

    @property
    def provenance(self) -> dict[str, str]:
        """What an edit depends on."""
        return self.context.provenance(self.context.editor(self.adapter))

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """One edit a mix."""
        c = self.context
        portrait = c.editor(self.adapter).open(task.open(), task.domain)
        return list(portrait.edit(mixes, c.seed, c.steps, progress=False))
