"""Intensity by words, as one does without a slider: "slightly happy" or "very happy" in the base model's prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image

from pxs.benchmark.methods.context import Context
from pxs.benchmark.tasks import Task
from pxs.expressions import DOMAINS, NEUTRAL, Mix

STEPS = ((0.5, "slightly {}"), (1.0, "{}"), (float("inf"), "very {}"))
"""Up to which intensity which words are used."""


def instruction(mix: Mix, domain: str) -> str:
    """The edit prompt that says a mix in words."""
    parts = [next(text for top, text in STEPS if a <= top).format(e) for e, a in mix.items() if a > 0]
    return f"Edit the {DOMAINS[domain]} to show a {' and '.join(parts) or NEUTRAL} expression"


class Words:
    """The base model, prompted in words."""

    def __init__(self, context: Context, domain: str) -> None:
        self.context, self.domain = context, domain
        self.editor = context.editor(None)
        self.provenance = context.provenance(self.editor)

    def edit(self, image: Image.Image, mixes: Sequence[Mix]) -> list[Image.Image]:
        """One edit a mix; mixes that are said in the same words get the same picture."""
        c = self.context
        texts = [instruction(mix, self.domain) for mix in mixes]
        portrait = self.editor.open(image, self.domain)
        pictures = {text: portrait.follow(text, c.seed, c.steps) for text in dict.fromkeys(texts)}
        return [pictures[text] for text in texts]


def entry(context: Context) -> Callable[[Task], Words]:
    """The method for each task's domain."""
    return lambda task: Words(context, task.domain)
