"""The faces and the editors of an experiment."""

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
    """A picture to edit: RGB, its name in tables, its style ("human" or "anime"), and the identity of a drawn face."""

    name: str
    picture: Image.Image
    style: str
    identity: pxs.Identity | None = None


def drawn_faces(numbers: Sequence[int], style: str = "human", size: int = 128) -> list[Face]:
    """Neutral drawings, RGB, `size` pixels square, of the identities with these numbers.

    Raises ScaleError without numbers, for a repeated number, and for one below 0.
    """
    numbers = list(numbers)
    if not numbers or min(numbers) < 0 or len(set(numbers)) < len(numbers):
        raise ScaleError(f"face numbers {numbers} cannot be used: give at least one, 0 or more, each once")
    people = [pxs.Identity.sample(n) for n in numbers]
    return [Face(str(p.seed), pxs.draw(p, style=style, size=size), style, p) for p in people]


def own_face(path: str | Path, style: str = "human") -> Face:
    """The face in a picture file; raises ImageError for a file that is not a usable picture."""
    return Face(Path(path).stem, open_image(path), check_domain(style))


def load_editors(model: str = "mini", adapter: str = "default") -> dict[str, pxs.Editor]:
    """The base model as "base", and the model with its adapter as "adapter"; both are in memory.

    `adapter` is a LoRA file, or "default" for the one that comes with the model. There is only "base" if `adapter` is
    "none" or empty, or if no adapter comes with the model. Raises ModelError or AdapterError.
    """
    editors = {"base": pxs.load(model, adapter=None)}
    if adapter not in NO_ADAPTER:
        adapted = pxs.load(model, adapter=adapter)
        if adapted.provenance["adapter"]:
            editors["adapter"] = adapted
    return editors
