"""`View`: the widgets of a panel. It uses no model; the thread of `Worker` (worker.py) edits.

That thread only assigns traits of widgets and updates what is displayed already: Jupyter loses what else a thread
prints or displays.
"""

from __future__ import annotations

import html
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from PIL import Image

from pxs import quantities
from pxs.editing.edits import Edits
from pxs.editing.request import MAX_INTENSITY, MAX_SEED, Request
from pxs.errors import PxsError, one_line
from pxs.expressions import BASIC, EXPRESSIONS, Mix
from pxs.images.screen import jpeg, scaled
from pxs.optional import require
from pxs.panel.names import names
from pxs.panel.still import still
from pxs.panel.style import style

DATA_SIDE = 512  # longest side of a picture that is sent to the browser, in pixels of the picture
CSS_SIDES = (256, 320)  # range of the longest side of a displayed picture, in CSS pixels


class View:
    """The widgets of a panel; it implements the `Events` of a worker. Raises PxsError without ipywidgets."""

    def __init__(self, source: Image.Image) -> None:
        w = require("ipywidgets", "notebooks", PxsError)
        self._quiet = self._calibrated = False
        self._size = scaled(source.size, min(DATA_SIDE, max(source.size)))
        self._source = jpeg(source, self._size)
        width, height = scaled(source.size, min(max(CSS_SIDES[0], *source.size), CSS_SIDES[1]))
        plain, frame = w.Layout(), w.Layout(width=f"{width}px", height=f"{height}px", object_fit="contain")
        style = w.SliderStyle(description_width="72px")
        slider = partial(
            w.FloatSlider, max=MAX_INTENSITY, step=0.05, continuous_update=False, layout=plain, style=style
        )
        number = partial(w.BoundedIntText, layout=plain, style={"description_width": "auto"})
        button = partial(w.Button, layout=plain)
        picture = partial(w.Image, value=self._source, format="jpeg", layout=frame)
        self.name = f"pxs-panel-{secrets.token_hex(4)}"
        text = partial(w.HTML, layout=plain)
        self.sliders = {n: _classed(slider(description=n, tooltip=f"intensity of {n}"), n) for n in EXPRESSIONS}
        self.seed = number(description="seed", tooltip="the same seed gives the same image", max=MAX_SEED)
        self.steps = number(description="steps", tooltip="denoising steps", min=1, max=quantities.STEPS.most)
        self.reset = button(description="Reset", tooltip="All sliders to 0")
        self.cancel = button(description="Cancel", tooltip="Stop, and show the last finished edit", disabled=True)
        self.keep = button(description="Keep", tooltip="Add this edit to the strip and to panel.kept", disabled=True)
        self.preset = button(description="Save", tooltip="Write a preset for pxs edit --preset into this folder")
        self.source, self.edit = _classed(picture(), "source"), _classed(picture(), "edit")
        self.names = _classed(names({"source": "the source", "edit": "the source"}), "names")
        self.progress = w.IntProgress(layout=w.Layout(visibility="hidden"))
        self.caption, self.line = text("edit"), _classed(text(_code("portrait.source")), "line")
        self.message, self.warning = _classed(text(), "message"), _classed(text(), "warning")
        self._still: Any = None
        self.box = self._arranged(w, text, plain)

    def _arranged(self, w: Any, text: Callable[..., Any], plain: Any) -> Any:
        """All widgets in nested boxes; style.py defines the rest of the layout."""

        def row(name: str, *children: Any) -> Any:
            return _classed(w.HBox(children, layout=plain), name)

        def column(name: str, *children: Any) -> Any:
            return _classed(w.VBox(children, layout=plain), name)

        halves = [column("half", *(self.sliders[n] for n in part)) for part in (BASIC, EXPRESSIONS[len(BASIC) :])]
        fields, buttons = (
            row("fields", self.seed, self.steps),
            row("fields", self.reset, self.cancel, self.keep, self.preset),
        )
        before = column("picture", self.source, text("source"))
        after = column("picture", self.edit, self.caption, self.progress)
        top = row("top", before, after, row("controls", *halves, fields, buttons))
        rules = _classed(text(style(self.name)), "style")
        parts = (rules, self.names, top, self.warning, self.line, self.message)
        return column("panel", *parts).add_class(self.name)

    @property
    def request(self) -> Request:
        """The request that sliders and fields are set to."""
        mix = Mix({name: round(slider.value, 2) for name, slider in self.sliders.items()})
        return Request(mix, self.seed.value, self.steps.value, self._calibrated)

    def set(self, request: Request) -> None:
        """Set sliders and fields without calling the function given to `listen`."""
        self._quiet = True
        for name, slider in self.sliders.items():
            slider.value = request.mix[name]
        self.seed.value, self.steps.value, self._calibrated = request.seed, request.steps, request.calibrated
        self._quiet = False

    def listen(self, changed: Callable[[], None]) -> None:
        """Call `changed` after every change of a slider or field by the user."""
        for widget in (*self.sliders.values(), self.seed, self.steps):
            widget.observe(lambda _: None if self._quiet else changed(), "value")

    def add(self, widget: Any) -> None:
        """Add a widget below the others."""
        self.box.children = (*self.box.children, widget)

    def display(self) -> None:
        """Display the widgets, and a picture of them, which is seen where they do not live (see still.py)."""
        shell = require("IPython.display", "notebooks", PxsError)
        shell.display(self.box)
        self._still = shell.display(shell.HTML(self._picture()), display_id=self.name)

    def _picture(self) -> str:
        """The panel without its widgets, as HTML."""
        return still(self.name, self._source, self.edit.value, self.names.alternatives["edit"], self.line.value)

    def warn(self, remarks: Sequence[str]) -> None:
        """Show these remarks, and no others, below the pictures."""
        lines = "".join(f"<p>{html.escape(remark)}</p>" for remark in remarks)
        self.warning.value = f'<div role="status">{lines}</div>' if lines else ""

    def started(self, request: Request) -> None:
        """Show an empty progress bar."""
        self.message.value = ""
        self.progress.max, self.progress.value = request.steps, 0
        self._set_running(True)

    def stepped(self, count: int, preview: Image.Image | None) -> None:
        """Show the number of finished steps, and the preview if there is one."""
        self.progress.value = count
        self.caption.value = f"step {count} of {self.progress.max}"
        if preview:
            self.edit.value = jpeg(preview, self._size)

    def finished(self, edits: Edits) -> None:
        """Show the edit and its line of Python."""
        self._show_edit(edits)
        self.line.value = _code(Request.of(edits).line)
        self._set_running(False)
        if self._still:
            self._still.update(require("IPython.display", "notebooks", PxsError).HTML(self._picture()))

    def failed(self, error: Exception, last: Edits | None) -> None:
        """Show the error and the last finished edit."""
        self._show_last(last)
        self.say(one_line(error), error=True)

    def cancelled(self, last: Edits | None) -> None:
        """Show the last finished edit, and set sliders and fields to its request."""
        self._show_last(last)
        if last:
            self.set(Request.of(last))

    def say(self, text: str, error: bool = False) -> None:
        """Show a line below the pictures."""
        kind = ' class="pxs-error" role="alert"' if error else ' role="status"'
        self.message.value = f"<span{kind}>{html.escape(text)}</span>"

    def _show_last(self, last: Edits | None) -> None:
        """Show the last finished edit; without one, the source."""
        if last:
            self._show_edit(last)
        else:
            self.edit.value = self._source
        self._set_running(False)
        self.keep.disabled = last is None

    def _show_edit(self, edits: Edits) -> None:
        self.edit.value = jpeg(edits[0], self._size)
        self.names.alternatives = {"source": "the source", "edit": f"edited: {edits.mixes[0]}"}

    def _set_running(self, running: bool) -> None:
        """Enable and disable buttons, and show or hide the progress bar."""
        self.cancel.disabled, self.keep.disabled = not running, running
        self.progress.layout.visibility = "visible" if running else "hidden"
        self.caption.value = "edit"


def _classed(widget: Any, name: str) -> Any:
    """The widget, with a CSS class."""
    return widget.add_class(f"pxs-{name}")


def _code(line: str) -> str:
    return f"<code>{html.escape(line)}</code>"
