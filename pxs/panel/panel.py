"""`Panel`: sliders in a notebook, and the edit of a face that they control.

panel = pxs.Panel(portrait)
panel
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pxs.batch.presets import Preset, write_preset
from pxs.editing.edits import Edits
from pxs.editing.portrait import SEED, STEPS, Portrait
from pxs.editing.request import Request
from pxs.errors import OutputError, one_line
from pxs.expressions import Mix
from pxs.panel.strip import Strip, close
from pxs.panel.view import View
from pxs.panel.worker import Worker
from pxs.storage.paths import PathName


class Panel:
    """Sliders for the 12 expressions of a portrait, and the edit that they control; displays itself in a notebook.

    portrait: opened by an editor. mix, seed, steps: first values of the sliders, 0 to 1.5 in steps of 0.05, and of the
    fields. calibrated: as in `Portrait.edit`. kept: the edits that were kept with the button "Keep", each an `Edits` of
    one image. Every edit equals `portrait.edit(mix, seed, steps)`, with calibrated=True where set; the line below
    the pictures is the call. Raises ScaleError for values outside the ranges of sliders and fields, AdapterError for an
    adapter without a calibration, PxsError without ipywidgets.
    """

    def __init__(
        self,
        portrait: Portrait,
        mix: Mix | None = None,
        seed: int = SEED,
        steps: int = STEPS,
        calibrated: bool = False,
    ) -> None:
        start = Request(Mix() if mix is None else mix, seed, steps, calibrated).check()
        if calibrated:
            _ = portrait.editor.calibration  # raises here, not in the thread
        self.kept: list[Edits] = []
        self.view = View(portrait.source)
        self._worker = Worker(portrait, self.view)
        self.view.set(start)
        self.view.listen(self._submit)
        self.view.reset.on_click(lambda _: self.reset())
        self.view.cancel.on_click(lambda _: self._worker.cancel())
        self.view.keep.on_click(lambda _: self.keep())
        self.view.preset.on_click(lambda _: self._written(self._write_preset))
        self.strip = Strip(lambda edits: self._written(lambda: self._write_edit(edits)), self.remove)
        self.view.add(self.strip.box)
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
            self.strip.show(self.kept)

    def remove(self, edits: Edits) -> None:
        """Take an edit off `kept`."""
        self.kept = [kept for kept in self.kept if kept is not edits]
        self.strip.show(self.kept)

    def save_preset(self, path: PathName | None = None, overwrite: bool = False) -> Path:
        """Write mix, seed and steps of sliders and fields as a preset for `pxs edit --preset`; return its path.

        By default a file in the current folder that is named after the mix. Raises OutputError if it exists.
        """
        mix, seed, steps, calibrated = self.view.request
        portrait = self._worker.portrait
        preset = Preset((mix,), seed, steps, portrait.domain, calibrated=calibrated, zero=portrait.editor.zero)
        return write_preset(preset, f"{mix.slug}.json" if path is None else path, overwrite)

    def _write_preset(self) -> str:
        return f"pxs edit PICTURES --preset {self.save_preset()} --output-dir FOLDER"

    def _write_edit(self, edits: Edits) -> str:
        return str(edits.save(f"{edits.mixes[0].slug}_seed{edits.seed}.png")[0])

    def _written(self, write: Callable[[], str]) -> None:
        """Write something into the current folder, and say what, or why it cannot be written."""
        try:
            self.view.say(f"written: {write()}")
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
        close(self.view.box)

    def _submit(self) -> None:
        """Edit with the current sliders and fields."""
        request = self.view.request
        self.view.warn([*self._worker.portrait.remarks, *request.remarks])
        self._worker.submit(request)

    def _ipython_display_(self) -> None:
        self.view.display()
