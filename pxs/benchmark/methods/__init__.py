"""Methods: whatever edits a task's portrait to a list of mixes.

    class Method(Protocol):
        def edit(self, task, mixes) -> as many images as mixes

`METHODS` names those that `pxs bench` can run, one file each; a folder of pictures made elsewhere is one too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from PIL import Image

from pxs.benchmark.methods import (
    attributecontrol,
    calibrated,
    flowslider,
    folder,
    interpolation,
    local,
    reference,
    remote,
    slideredit_st,
    sliders,
    words,
)
from pxs.benchmark.methods.context import Context
from pxs.benchmark.methods.services import SERVICES
from pxs.data.tasks import Task
from pxs.editing.sliders import NAMES, ST
from pxs.errors import DataError
from pxs.expressions import Mix


class Method(Protocol):
    """What edits. Optional attributes: `provenance`, strings, tells apart edits made under other settings;
    `supports(expression)` says whether it can edit towards one; `general` is true for an editor that reads the task's
    prompt and has no intensity, see general.py."""

    def edit(self, task: Task, mixes: Sequence[Mix]) -> Sequence[Image.Image]:
        """One RGB image a mix, edited from `task.open()`."""
        ...


CONTROLLED: dict[str, Callable[[Context], Method]] = {
    "base": lambda context: interpolation.Interpolation(context, adapter=None),
    "pixelsmile": lambda context: interpolation.Interpolation(context, adapter=context.adapter),
    "flowslider": flowslider.FlowSlider,
    "attributecontrol_naive": attributecontrol.NaiveAttributeControl,
    **{name: partial(sliders.Trained, name=name) for name in NAMES},
    ST: slideredit_st.Selective,
}
"""Methods with a number for the intensity; each runs with calibrated intensities too, as NAME_calibrated."""

METHODS: dict[str, Callable[[Context], Method]] = {
    "truth": lambda context: reference.Truth(),
    "source": lambda context: reference.Source(),
    "words": words.Words,
    **CONTROLLED,
    **{
        name + calibrated.SUFFIX: partial(calibrated.Calibrated, name=name, make=make)
        for name, make in CONTROLLED.items()
    },
    **{name: partial(local.Local, name=name) for name in local.EDITORS},
    **{name: partial(remote.Remote, name=name) for name in SERVICES},
}


def choose(names: Sequence[str], **settings: Any) -> dict[str, Method]:
    """Methods by name, sharing loaded models; NAME=FOLDER is a folder of pictures, see folder.py.

    `settings` are those of `Context`. Raises DataError for an unknown or repeated name or a folder that is not there.
    """
    context = Context(**settings)
    chosen: dict[str, Method] = {}
    for text in names:
        name, equals, path = text.partition("=")
        if name in chosen:
            raise DataError(f"method {name!r} is named twice in {' '.join(names)}: name each once")
        if not equals and name not in METHODS:
            raise DataError(f"unknown method {name!r}: choose from {', '.join(METHODS)}, or give NAME=FOLDER")
        chosen[name] = folder.Folder(name, path) if equals else METHODS[name](context)
    return chosen
