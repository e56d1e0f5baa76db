"""`Strip`: the kept edits of a panel, each with its mix and with buttons that save and remove it."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

from pxs.editing.edits import Edits
from pxs.editing.request import Request
from pxs.errors import PxsError
from pxs.images.screen import jpeg, scaled
from pxs.images.showing import element
from pxs.optional import require

THUMBNAIL = 112  # longest side, in pixels


class Strip:
    """Widgets for kept edits. save and remove: called with the edits whose button was pressed."""

    def __init__(self, save: Callable[[Edits], None], remove: Callable[[Edits], None]) -> None:
        self._w = require("ipywidgets", "notebooks", PxsError)
        self._save, self._remove = save, remove
        self._cells: dict[int, Any] = {}  # by the id of their edits
        self.box = self._w.HBox(layout=self._w.Layout()).add_class("pxs-kept")

    def show(self, kept: Sequence[Edits]) -> None:
        """Show these edits, and no others."""
        cells = {id(edits): self._cells.get(id(edits)) or self._cell(edits) for edits in kept}
        gone = [cell for key, cell in self._cells.items() if key not in cells]
        self._cells, self.box.children = cells, tuple(cells.values())
        for cell in gone:
            close(cell)

    def _cell(self, edits: Edits) -> Any:
        w, mix = self._w, edits.mixes[0]
        save = w.Button(description="Save", tooltip=f"write {mix}, seed {edits.seed}, as a picture into this folder")
        remove = w.Button(description="Remove", tooltip=f"take {mix}, seed {edits.seed}, off the strip")
        save.on_click(lambda _: self._save(edits))
        remove.on_click(lambda _: self._remove(edits))
        return w.VBox([w.HTML(_figure(edits)), w.HBox([save, remove])]).add_class("pxs-one")


def close(widget: Any) -> None:
    """Close a widget and all widgets in it."""
    for child in getattr(widget, "children", ()):
        close(child)
    widget.close()


def _figure(edits: Edits) -> str:
    request = Request.of(edits)
    content = jpeg(edits[0], scaled(edits[0].size, THUMBNAIL))
    image = element(content, f"edited: {request.mix}", "jpeg", f'title="{html.escape(request.line)}"')
    return f"<figure>{image}<figcaption>{str(request.mix).replace(' + ', '<br>')}</figcaption></figure>"
