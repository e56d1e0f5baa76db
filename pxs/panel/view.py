"""`Panel`: sliders in a notebook, and the edit of a face that they control.

    panel = pxs.Panel(portrait)
    panel

`View` contains the widgets and uses no model; the thread of `Worker` (worker.py) edits. This thread only assigns traits
of widgets, because Jupyter loses what a thread prints or displays.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from pxs import quantities
from pxs.batch.presets import Preset, write_preset
from pxs.editing.edits import Edits
from pxs.editing.portrait import SEED, STEPS, Portrait
from pxs.errors import OutputError, PxsError, one_line
from pxs.expressions import BASIC, COLOURS, EXPRESSIONS, Mix
from pxs.optional import require
from pxs.panel.worker import MAX_INTENSITY, MAX_SEED, Request, Worker
from pxs.storage.paths import PathName

DATA_SIDE = 512  # longest side of a picture that is sent to the browser, in pixels of the picture
CSS_SIDES = (256, 320)  # range of the longest side of a displayed picture, in CSS pixels
THUMBNAIL = 112  # longest side of the thumbnail of a kept edit, in pixels


def jpeg(image: Image.Image, size: tuple[int, int]) -> bytes:
    """The image (RGB) resized to `size` (width, height), as a JPEG file."""
    buffer = io.BytesIO()
    resized = image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
    resized.save(buffer, format="JPEG", quality=92, subsampling=0)
    return buffer.getvalue()


def scaled(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """The size (width, height) proportional to `size` with a longest side of `longest` pixels; each side at least 1."""
    width, height = (max(1, round(side * longest / max(size))) for side in size)
    return width, height


STYLE = """
.pxs-panel, .pxs-panel .widget-box { overflow: visible; }
.pxs-panel { font-variant-numeric: tabular-nums; max-width: 1120px; padding: 4px 0; }
.pxs-panel .jupyter-widgets { margin: 0; }
.pxs-panel .widget-html, .pxs-panel .widget-html-content { height: auto; line-height: 20px; }
.pxs-panel .pxs-style { display: none; }
.pxs-top, .pxs-controls, .pxs-controls > .widget-box, .pxs-fields { flex-flow: row wrap; gap: 12px; }
.pxs-controls { flex: 1 1 440px; align-content: flex-start; row-gap: 20px; }
.pxs-controls > .widget-box { flex: 1 1 max(200px, 50% - 6px); align-items: center; }
.pxs-controls > .pxs-half { flex-flow: column; align-items: stretch; gap: 8px; }
.pxs-picture .widget-hprogress, .pxs-picture .widget-hprogress .progress { width: auto; height: 4px; margin: 0; }
.pxs-picture .widget-image { border-radius: 4px; margin-bottom: 4px; }
.pxs-half .widget-hslider { width: auto; }
.pxs-half .widget-readout { min-width: 40px; text-align: right; }
.pxs-fields .widget-text { flex: 1 1 80px; width: auto; }
.pxs-fields .jupyter-button { flex: 1 1 60px; width: auto; }
.pxs-panel .pxs-line, .pxs-panel .pxs-message { min-height: 20px; }
.pxs-panel .pxs-line { margin-top: 8px; }
.pxs-line code { user-select: all; overflow-wrap: anywhere; }
.pxs-message .pxs-error { color: var(--jp-error-color1, #d32f2f); }
body[data-jp-theme-light="false"] .pxs-message .pxs-error { color: #ef9a9a; }
.pxs-kept .widget-html-content { display: flex; flex-wrap: wrap; gap: 12px; }
.pxs-kept figure { margin: 8px 0 0; width: 112px; }
.pxs-kept img { display: block; max-width: 100%; border-radius: 4px; }
.pxs-kept figcaption { font-size: 12px; line-height: 16px; margin-top: 4px; }
"""


class View:
    """The widgets of a panel; it implements the `Events` of a worker. Raises PxsError without ipywidgets."""

    def __init__(self, source: Image.Image) -> None:
        w = require("ipywidgets", "notebooks", PxsError)
        self._quiet = False
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
        text = partial(w.HTML, layout=plain)
        self.sliders = {n: _classed(slider(description=n, tooltip=f"intensity of {n}"), n) for n in EXPRESSIONS}
        self.seed = number(description="seed", tooltip="the same seed gives the same image", max=MAX_SEED)
        self.steps = number(description="steps", tooltip="denoising steps", min=1, max=quantities.STEPS.most)
        self.reset = button(description="Reset", tooltip="All sliders to 0")
        self.cancel = button(description="Cancel", tooltip="Stop, and show the last finished edit", disabled=True)
        self.keep = button(description="Keep", tooltip="Add this edit to the strip and to panel.kept", disabled=True)
        self.preset = button(description="Save", tooltip="Write a preset for pxs edit --preset into this folder")
        self.source, self.edit = picture(), picture()
        self.progress = w.IntProgress(layout=w.Layout(visibility="hidden"))
        self.caption, self.line = text("edit"), _classed(text(_code("portrait.source")), "line")
        self.message, self.kept = _classed(text(), "message"), _classed(text(), "kept")
        self.box = self._arranged(w, text, plain)

    def _arranged(self, w: Any, text: Callable[..., Any], plain: Any) -> Any:
        """All widgets in nested boxes; STYLE defines the rest of the layout."""

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
        return column("panel", _classed(text(_style()), "style"), top, self.line, self.message, self.kept)

    @property
    def request(self) -> Request:
        """The request that sliders and fields are set to."""
        mix = Mix({name: round(slider.value, 2) for name, slider in self.sliders.items()})
        return Request(mix, self.seed.value, self.steps.value)

    def set(self, request: Request) -> None:
        """Set sliders and fields without calling the function given to `listen`."""
        self._quiet = True
        for name, slider in self.sliders.items():
            slider.value = request.mix[name]
        self.seed.value, self.steps.value = request.seed, request.steps
        self._quiet = False

    def listen(self, changed: Callable[[], None]) -> None:
        """Call `changed` after every change of a slider or field by the user."""
        for widget in (*self.sliders.values(), self.seed, self.steps):
            widget.observe(lambda _: None if self._quiet else changed(), "value")

    def show_kept(self, kept: list[Edits]) -> None:
        """Show one thumbnail per kept edit, with its mix below."""
        self.kept.value = "".join(map(_figure, kept))

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
        self.edit.value = jpeg(edits[0], self._size)
        self.line.value = _code(_request(edits).line)
        self._set_running(False)

    def failed(self, error: Exception, last: Edits | None) -> None:
        """Show the error and the last finished edit."""
        self._show_last(last)
        self.say(one_line(error), error=True)

    def cancelled(self, last: Edits | None) -> None:
        """Show the last finished edit, and set sliders and fields to its request."""
        self._show_last(last)
        if last:
            self.set(_request(last))

    def say(self, text: str, error: bool = False) -> None:
        """Show a line below the pictures."""
        kind = ' class="pxs-error" role="alert"' if error else ""
        self.message.value = f"<span{kind}>{html.escape(text)}</span>"

    def _show_last(self, last: Edits | None) -> None:
        """Show the last finished edit; without one, the source."""
        self.edit.value = jpeg(last[0], self._size) if last else self._source
        self._set_running(False)
        self.keep.disabled = last is None

    def _set_running(self, running: bool) -> None:
        """Enable and disable buttons, and show or hide the progress bar."""
        self.cancel.disabled, self.keep.disabled = not running, running
        self.progress.layout.visibility = "visible" if running else "hidden"
        self.caption.value = "edit"


def _request(edits: Edits) -> Request:
    """The request of an edit."""
    return Request(edits.mixes[0], edits.seed, edits.steps)


def _classed(widget: Any, name: str) -> Any:
    """The widget, with a CSS class."""
    return widget.add_class(f"pxs-{name}")


def _style() -> str:
    colours = (f".pxs-{name} .noUi-handle {{ background: {colour} !important; }}" for name, colour in COLOURS.items())
    return f"<style>{STYLE}{''.join(colours)}</style>"


def _code(line: str) -> str:
    return f"<code>{html.escape(line)}</code>"


def _figure(edits: Edits) -> str:
    request = _request(edits)
    data = base64.b64encode(jpeg(edits[0], scaled(edits[0].size, THUMBNAIL))).decode()
    image = f'<img src="data:image/jpeg;base64,{data}" alt="{request.mix}" title="{html.escape(request.line)}">'
    return f"<figure>{image}<figcaption>{str(request.mix).replace(' + ', '<br>')}</figcaption></figure>"


class Panel:
    """Sliders for the 12 expressions of a portrait, and the edit that they control; displays itself in a notebook.

    portrait: opened by an editor. mix, seed, steps: first values of the sliders, 0 to 1.5 in steps of 0.05, and of the
    fields. kept: the edits that were kept with the button "Keep", each an `Edits` of one image. Every edit equals
    `portrait.edit(mix, seed, steps)`; the line below the pictures is the call. Raises ScaleError for values outside the
    ranges of sliders and fields, PxsError without ipywidgets.
    """

    def __init__(self, portrait: Portrait, mix: Mix | None = None, seed: int = SEED, steps: int = STEPS) -> None:
        start = Request(Mix() if mix is None else mix, seed, steps).check()
        self.kept: list[Edits] = []
        self.view = View(portrait.source)
        self._worker = Worker(portrait, self.view)
        self.view.set(start)
        self.view.listen(self._submit)
        self.view.reset.on_click(lambda _: self.reset())
        self.view.cancel.on_click(lambda _: self._worker.cancel())
        self.view.keep.on_click(lambda _: self.keep())
        self.view.preset.on_click(lambda _: self._save_preset())
        self._submit()

    @property
    def edits(self) -> Edits | None:
        """The last finished edit; None before the first."""
        return self._worker.edits

    def reset(self) -> None:
        """Set all sliders to 0; seed and steps keep their values."""
        self.view.set(self.view.request._replace(mix=Mix()))
        self._submit()

    def keep(self) -> None:
        """Add the last finished edit to `kept` and show its thumbnail, once."""
        if self.edits and not any(self.edits is kept for kept in self.kept):
            self.kept.append(self.edits)
            self.view.show_kept(self.kept)

    def save_preset(self, path: PathName | None = None, overwrite: bool = False) -> Path:
        """Write mix, seed and steps of sliders and fields as a preset for `pxs edit --preset`; return its path.

        By default a file in the current folder that is named after the mix. Raises OutputError if it exists.
        """
        mix, seed, steps = self.view.request
        preset = Preset((mix,), seed, steps, self._worker.portrait.domain)
        return write_preset(preset, f"{mix.slug}.json" if path is None else path, overwrite)

    def _save_preset(self) -> None:
        try:
            self.view.say(f"written: pxs edit PICTURES --preset {self.save_preset()} --output-dir FOLDER")
        except OutputError as error:
            self.view.say(one_line(error), error=True)

    def wait(self, timeout: float | None = None) -> Edits:
        """Wait for the edit of the newest request and return it; after "Cancel", return the last finished edit.

        Raises the error of a failed edit, TimeoutError after `timeout` seconds, PxsError if there is no finished edit.
        """
        return self._worker.wait(timeout)

    def close(self, patience: float = 5.0) -> None:
        """Remove the panel from the page, and wait at most `patience` seconds for the running edit to stop."""
        self._worker.close(patience)
        _close(self.view.box)

    def _submit(self) -> None:
        """Edit with the current sliders and fields."""
        self._worker.submit(self.view.request)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = self.view.box._repr_mimebundle_(**options)
        return bundle


def _close(widget: Any) -> None:
    """Close a widget and all widgets in it."""
    for child in getattr(widget, "children", ()):
        _close(child)
    widget.close()
