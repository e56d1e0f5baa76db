"""pxs: edit a face to any intensity of 12 expressions, and measure what the model does.

    import pxs
    editor = pxs.load("mini")
    edits = editor.open("face.png").sweep("happy", [0, 0.5, 1, 1.5])
    edits.save("out")

Names are imported on first use, so that `import pxs` takes no time and only what runs needs torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pxs.expressions import BASIC, COLOURS, CONFUSABLE, DOMAINS, EXPRESSIONS, PAIRS, Mix, sweep

if TYPE_CHECKING:
    from pxs.editing.editor import Editor, load
    from pxs.editing.edits import Edits
    from pxs.editing.exact import Savings
    from pxs.editing.portrait import Portrait
    from pxs.faces.draw import draw
    from pxs.faces.identity import Identity
    from pxs.faces.portraits import Person, render
    from pxs.panel.panel import Panel
    from pxs.storage.provenance import versions, write_json

import_module("pxs.threads")  # chooses how threads wait, before anything loads torch

__version__ = "0.1.0"

_LAZY = {
    "load": "pxs.editing.editor",
    "Editor": "pxs.editing.editor",
    "Portrait": "pxs.editing.portrait",
    "Edits": "pxs.editing.edits",
    "Savings": "pxs.editing.exact",
    "Panel": "pxs.panel.panel",
    "Identity": "pxs.faces.identity",
    "draw": "pxs.faces.draw",
    "Person": "pxs.faces.portraits",
    "render": "pxs.faces.portraits",
    "versions": "pxs.storage.provenance",
    "write_json": "pxs.storage.provenance",
}

__all__ = [
    "BASIC",
    "COLOURS",
    "CONFUSABLE",
    "DOMAINS",
    "EXPRESSIONS",
    "PAIRS",
    "Edits",
    "Editor",
    "Identity",
    "Mix",
    "Panel",
    "Person",
    "Portrait",
    "Savings",
    "draw",
    "load",
    "render",
    "sweep",
    "versions",
    "write_json",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'pxs' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
