"""Textual latent interpolation (PixelSmile, arXiv 2603.25728), with an adapter or without: `Portrait.edit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image

from pxs.benchmark.methods.context import Context
from pxs.benchmark.tasks import Task
from pxs.editing.adapters import Choice
from pxs.expressions import Mix


class Interpolation:
    """An editor that interpolates prompt embeddings, in one domain."""

    def __init__(self, context: Context, adapter: Choice, domain: str) -> None:
        self.context, self.domain = context, domain
        self.editor = context.editor(adapter)
        self.provenance = context.provenance(self.editor)

    def edit(self, image: Image.Image, mixes: Sequence[Mix]) -> list[Image.Image]:
        """One edit a mix."""
        c = self.context
        return list(self.editor.open(image, self.domain).edit(mixes, c.seed, c.steps, progress=False))


def entry(context: Context, adapter: Choice) -> Callable[[Task], Interpolation]:
    """The method for each task's domain."""
    return lambda task: Interpolation(context, adapter, task.domain)
