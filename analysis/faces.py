"""Whose faces an experiment runs over, and which editors: the two things that every question here starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

import pxs
from pxs.errors import ScaleError
from pxs.expressions import check_domain
from pxs.images import open_image

NO_ADAPTER = ("", "none")


@dataclass(frozen=True)
class Face:
    """A picture to edit: RGB, with a name for tables, its style ("human" or "anime"), and who it is if it was drawn."""

    name: str
    picture: Image.Image
    style: str
    identity: pxs.Identity | None = None


def drawn_faces(numbers: Sequence[int], style: str = "human", size: int = 128) -> list[Face]:
    """Neutral drawings of the identities with these numbers; raises ScaleError for none, twice the same, or below 0."""
    numbers = list(numbers)
    if not numbers or min(numbers) < 0 or len(set(numbers)) < len(numbers):
        raise ScaleError(f"face numbers {numbers} cannot be used: give at least one, 0 or more, each once")
    people = [pxs.Identity.sample(n) for n in numbers]
    return [Face(str(p.seed), pxs.draw(p, style=style, size=size), style, p) for p in people]


def own_face(path: str | Path, style: str = "human") -> Face:
    """A picture of one's own; raises ImageError if it cannot be used."""
    return Face(Path(path).stem, open_image(path), check_domain(style))


def load_editors(model: str = "mini", adapter: str = "default") -> dict[str, pxs.Editor]:
    """The base model under "base" and, unless `adapter` is "none" or empty, the same with it under "adapter".

    `adapter` is a LoRA file or "default", the one that comes with the model; where none does, there is the base alone.
    Both are in memory together. Raises ModelError or AdapterError.
    """
    editors = {"base": pxs.load(model, adapter=None)}
    if adapter not in NO_ADAPTER:
        adapted = pxs.load(model, adapter=adapter)
        if adapted.provenance["adapter"]:
            editors["adapter"] = adapted
    return editors
