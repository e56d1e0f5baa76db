"""Names for screen readers (`names`): a widget without looks, whose script (names.js) names sliders and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pxs.errors import PxsError
from pxs.optional import require

SCRIPT = Path(__file__).with_name("names.js")


def names(alternatives: Mapping[str, str]) -> Any:
    """The widget. alternatives: for pictures by their class, "source" for .pxs-source, the text that stands for them.

    A new mapping may be assigned to its trait of this name. Raises PxsError without anywidget.
    """
    return _kind()(alternatives=dict(alternatives))


@lru_cache(maxsize=1)
def _kind() -> Any:
    anywidget, traitlets = (require(module, "notebooks", PxsError) for module in ("anywidget", "traitlets"))
    synced = traitlets.Dict().tag(sync=True)
    return type("Names", (anywidget.AnyWidget,), {"_esm": SCRIPT.read_text("utf-8"), "alternatives": synced})
