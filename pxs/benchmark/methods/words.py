"""Intensity by words, as one does without a slider: "slightly happy" or "very happy" in the base model's prompt.

For models whose text encoder knows such adverbs. That of `mini` is a random projection, in which they mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from pxs.benchmark.methods.context import Context
from pxs.data.tasks import Task
from pxs.expressions import DOMAINS, NEUTRAL, Mix

STEPS = ((0.5, "slightly {}"), (1.0, "{}"), (float("inf"), "very {}"))
"""Up to which intensity which words are used."""


def instruction(mix: Mix, domain: str) -> str:
    """The edit prompt that says a mix in words."""
    parts = [next(text for top, text in STEPS if a <= top).format(e) for e, a in mix.items() if a > 0]
    return f"Edit the {DOMAINS[domain]} to show a {' and '.join(parts) or NEUTRAL} expression"


class Words:
    """The base model, prompted in words; loaded at the first use."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @property
    def provenance(self) -> dict[str, str]:
        """What an edit depends on."""
        return {"method": "words", **self.context.provenance(self.context.editor(None))}

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """One edit a mix; mixes that are said in the same words get the same picture."""
        c = self.context
        texts = [instruction(mix, task.domain) for mix in mixes]
        portrait = c.editor(None).open(task.open(), task.domain)
        pictures = {text: portrait.edit_with_prompt(text, c.seed, c.steps) for text in dict.fromkeys(texts)}
        return [pictures[text] for text in texts]
