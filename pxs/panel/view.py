"""`Panel`: sliders in a notebook, and the face that follows them.

    panel = pxs.Panel(portrait)
    panel

`View` is the widgets and knows no model; the edits are made by live.py. Its thread assigns traits of the widgets and
nothing else: what a thread prints or displays gets lost.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable
from functools import partial
from typing import Any

from PIL import Image

from pxs.editing.editor import SEED, Portrait
from pxs.editing.edits import Edits
from pxs.errors import PxsError, one_line
from pxs.expressions import BASIC, COLOURS, EXPRESSIONS, Mix
from pxs.optional import require
from pxs.panel.worker import MAX_SEED, MAX_STEPS, STRONGEST, Request, Worker

DATA_SIDE = 512  # longest side of a picture that is sent to the browser, in its pixels
CSS_SIDES = (256, 320)  # a picture is shown with a longest side between these, in CSS pixels
THUMBNAIL = 112  # longest side of a kept edit


def jpeg(image: Image.Image, size: tuple[int, int]) -> bytes:
    """The image at this size, as a JPEG."""
    buffer = io.BytesIO()
    shown = image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
    shown.save(buffer, format="JPEG", quality=92, subsampling=0)
    return buffer.getvalue()


def scaled(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """The size that is proportional to `size` and `longest` pixels long."""
    return tuple(max(1, round(side * longest / max(size))) for side in size)


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
    """The widgets of a panel, and what they show at each of a worker's `Events`."""

    def __init__(self, source: Image.Image) -> None:
        w = require("ipywidgets", "notebooks", PxsError)
        self._quiet = False
        self._size = scaled(source.size, min(DATA_SIDE, max(source.size)))
        self._source = jpeg(source, self._size)
        width, height = scaled(source.size, min(max(CSS_SIDES[0], *source.size), CSS_SIDES[1]))
        plain, frame = w.Layout(), w.Layout(width=f"{width}px", height=f"{height}px", object_fit="contain")
        style = w.SliderStyle(description_width="72px")
        slider = partial(w.FloatSlider, max=STRONGEST, step=0.05, continuous_update=False, layout=plain, style=style)
        number = partial(w.BoundedIntText, layout=plain, style={"description_width": "auto"})
        button = partial(w.Button, layout=plain)
        picture = partial(w.Image, value=self._source, format="jpeg", layout=frame)
        text = partial(w.HTML, layout=plain)
        self.sliders = {n: _of(slider(description=n, tooltip=f"intensity of {n}"), n) for n in EXPRESSIONS}
        self.seed = number(description="seed", tooltip="one seed is one image", max=MAX_SEED)
        self.steps = number(description="steps", tooltip="denoising steps", min=1, max=MAX_STEPS)
        self.reset = button(description="Reset", tooltip="All sliders to 0")
        self.cancel = button(description="Cancel", tooltip="Stop, and go back to the last finished edit", disabled=True)
        self.keep = button(description="Keep", tooltip="Add this edit to the strip and to panel.kept", disabled=True)
        self.source, self.edit = picture(), picture()
        self.progress = w.IntProgress(layout=w.Layout(visibility="hidden"))
        self.caption, self.line = text("edit"), _of(text(_code("portrait.source")), "line")
        self.message, self.kept = _of(text(), "message"), _of(text(), "kept")
        self.box = self._arranged(w, text, plain)

    def _arranged(self, w: Any, text: Callable[..., Any], plain: Any) -> Any:
        """All widgets in their places; the rest is up to STYLE."""

        def row(name: str, *children: Any) -> Any:
            return _of(w.HBox(children, layout=plain), name)

        def column(name: str, *children: Any) -> Any:
            return _of(w.VBox(children, layout=plain), name)

        halves = [column("half", *(self.sliders[n] for n in part)) for part in (BASIC, EXPRESSIONS[len(BASIC) :])]
        fields, buttons = row("fields", self.seed, self.steps), row("fields", self.reset, self.cancel, self.keep)
        before = column("picture", self.source, text("source"))
        after = column("picture", self.edit, self.caption, self.progress)
        top = row("top", before, after, row("controls", *halves, fields, buttons))
        return column("panel", _of(text(_style()), "style"), top, self.line, self.message, self.kept)

    @property
    def request(self) -> Request:
        """What sliders and fields say."""
        mix = Mix({name: round(slider.value, 2) for name, slider in self.sliders.items()})
        return Request(mix, self.seed.value, self.steps.value)

    def set(self, request: Request) -> None:
        """Set sliders and fields, without a word to those who `listen`."""
        self._quiet = True
        for name, slider in self.sliders.items():
            slider.value = request.mix[name]
        self.seed.value, self.steps.value = request.seed, request.steps
        self._quiet = False

    def listen(self, moved: Callable[[], None]) -> None:
        """Call `moved` at every change of a slider or field."""
        for each in (*self.sliders.values(), self.seed, self.steps):
            each.observe(lambda _: None if self._quiet else moved(), "value")

    def show_kept(self, kept: list[Edits]) -> None:
        """The strip: a thumbnail an edit, under it the mix."""
        self.kept.value = "".join(map(_figure, kept))

    def started(self, request: Request) -> None:
        self.message.value = ""
        self.progress.max, self.progress.value = request.steps, 0
        self._run(True)

    def stepped(self, count: int, preview: Image.Image | None) -> None:
        self.progress.value = count
        self.caption.value = f"step {count} of {self.progress.max}"
        if preview:
            self.edit.value = jpeg(preview, self._size)

    def finished(self, edits: Edits) -> None:
        self.edit.value = jpeg(edits[0], self._size)
        self.line.value = _code(_made(edits).line)
        self._run(False)

    def failed(self, error: Exception, last: Edits | None) -> None:
        self._back(last)
        self.message.value = f'<span class="pxs-error" role="alert">{html.escape(one_line(error))}</span>'

    def cancelled(self, last: Edits | None) -> None:
        self._back(last)
        if last:
            self.set(_made(last))

    def _back(self, last: Edits | None) -> None:
        self.edit.value = jpeg(last[0], self._size) if last else self._source
        self._run(False)
        self.keep.disabled = last is None

    def _run(self, running: bool) -> None:
        self.cancel.disabled, self.keep.disabled = not running, running
        self.progress.layout.visibility = "visible" if running else "hidden"
        self.caption.value = "edit"


def _made(edits: Edits) -> Request:
    return Request(edits.mixes[0], edits.seed, edits.steps)


def _of(widget: Any, name: str) -> Any:
    return widget.add_class(f"pxs-{name}")


def _style() -> str:
    colours = (f".pxs-{name} .noUi-handle {{ background: {colour} !important; }}" for name, colour in COLOURS.items())
    return f"<style>{STYLE}{''.join(colours)}</style>"


def _code(line: str) -> str:
    return f"<code>{html.escape(line)}</code>"


def _figure(edits: Edits) -> str:
    made = _made(edits)
    data = base64.b64encode(jpeg(edits[0], scaled(edits[0].size, THUMBNAIL))).decode()
    image = f'<img src="data:image/jpeg;base64,{data}" alt="{made.mix}" title="{html.escape(made.line)}">'
    return f"<figure>{image}<figcaption>{str(made.mix).replace(' + ', '<br>')}</figcaption></figure>"


class Panel:
    """Sliders for the 12 expressions of a portrait, and its edit, which follows them; displays itself in a notebook.

    portrait: opened by an editor. mix, seed and steps: where the sliders, 0 to 1.5 in two decimals, and fields start.
    kept: the edits that "Keep" was pressed for, each an `Edits` of one image. Every edit is the one that
    `portrait.edit(mix, seed, steps)` makes; the line under the pictures says which.
    Raises ScaleError for what the sliders cannot show, PxsError without ipywidgets.
    """

    def __init__(self, portrait: Portrait, mix: Mix | None = None, seed: int = SEED, steps: int = 20) -> None:
        start = Request(mix or Mix(), seed, steps).check()
        self.kept: list[Edits] = []
        self.view = View(portrait.source)
        self._worker = Worker(portrait, self.view)
        self.view.set(start)
        self.view.listen(self._moved)
        self.view.reset.on_click(lambda _: self.reset())
        self.view.cancel.on_click(lambda _: self._worker.cancel())
        self.view.keep.on_click(lambda _: self.keep())
        self._moved()

    @property
    def edits(self) -> Edits | None:
        """What was finished last; None before the first."""
        return self._worker.edits

    def reset(self) -> None:
        """All sliders to 0; seed and steps stay."""
        self.view.set(self.view.request._replace(mix=Mix()))
        self._moved()

    def keep(self) -> None:
        """Add the edit that was finished last to `kept` and to the strip, once."""
        if self.edits and not any(self.edits is other for other in self.kept):
            self.kept.append(self.edits)
            self.view.show_kept(self.kept)

    def wait(self, timeout: float | None = None) -> Edits:
        """Wait until the newest request is edited and return it; after "Cancel", what was finished before.

        Raises the error that the edit ended in, TimeoutError after `timeout` seconds, or PxsError if there is no edit.
        """
        return self._worker.wait(timeout)

    def close(self, patience: float = 5.0) -> None:
        """Take the panel off the page, and wait at most `patience` seconds for the running edit to stop."""
        self._worker.close(patience)
        _close(self.view.box)

    def _moved(self) -> None:
        self._worker.submit(self.view.request)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        return self.view.box._repr_mimebundle_(**options)


def _close(widget: Any) -> None:
    for child in getattr(widget, "children", ()):
        _close(child)
    widget.close()
