"""Methods: whatever edits a picture to a list of mixes. An entry of a run is one, or a function from a task to one.

    class Method(Protocol):
        def edit(self, image, mixes) -> list of as many images

`METHODS` names those that `pxs bench` can run: each takes a `Context` and returns such an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from PIL import Image

from pxs.benchmark.methods import interpolation, reference, words
from pxs.benchmark.methods.context import Context
from pxs.benchmark.tasks import Task
from pxs.errors import DataError
from pxs.expressions import Mix


class Method(Protocol):
    """What edits. An optional attribute `provenance`, strings, tells apart results made under other settings."""

    def edit(self, image: Image.Image, mixes: Sequence[Mix]) -> Sequence[Image.Image]:
        """One image a mix; `image` is RGB."""
        ...


Entry = Method | Callable[[Task], Method]

METHODS: dict[str, Callable[[Context], Entry]] = {
    "truth": lambda context: reference.Truth,
    "source": lambda context: reference.Source(),
    "base": lambda context: interpolation.entry(context, adapter=None),
    "pixelsmile": lambda context: interpolation.entry(context, adapter=context.adapter),
    "words": words.entry,
}


def choose(names: Sequence[str], **settings: Any) -> dict[str, Entry]:
    """Entries by name, sharing loaded models; raises DataError for an unknown or repeated name."""
    unknown = [n for n in names if n not in METHODS]
    if unknown:
        raise DataError(f"unknown method {unknown[0]!r}: choose from {', '.join(METHODS)}")
    if len(set(names)) < len(names):
        raise DataError(f"a method is named twice in {' '.join(names)}: name each once")
    context = Context(**settings)
    return {name: METHODS[name](context) for name in names}
