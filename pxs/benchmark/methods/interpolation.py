"""Textual latent interpolation (PixelSmile, arXiv 2603.25728), with an adapter or without: `Portrait.edit`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from pxs.benchmark.methods.context import BUNDLED, Context
from pxs.data.tasks import Task
from pxs.editing.adapters import Choice
from pxs.editing.calibration import Calibration
from pxs.errors import ModelError
from pxs.expressions import Mix
from pxs.storage.hashes import file_hash


class Interpolation:
    """An editor that interpolates prompt embeddings; the model is loaded at the first use."""

    def __init__(self, context: Context, adapter: Choice) -> None:
        self.context, self.adapter = context, adapter

    @property
    def provenance(self) -> dict[str, str]:
        """What an edit depends on."""
        return self.context.provenance(self.context.editor(self.adapter))

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """One edit a mix."""
        c = self.context
        portrait = c.editor(self.adapter).open(task.open(), task.domain)
        return list(portrait.edit(mixes, c.seed, c.steps, progress=False))


class Calibrated(Interpolation):
    """The same with calibrated intensities (pxs/editing/calibration.py); that of mini's adapter comes with the package.

    `python -m analysis.calibration` measures it; another file is named as a method's weights. Raises DataError
    for a file that is no calibration.
    """

    name = "pixelsmile_calibrated"

    def __init__(self, context: Context, adapter: Choice) -> None:
        super().__init__(context, adapter)
        self.path = Path(context.weights.get(self.name, BUNDLED / "calibration.json"))
        self.calibration = Calibration.load(self.path)

    @property
    def provenance(self) -> dict[str, str]:
        """What an edit depends on, with the hash of the calibration; raises ModelError for that of another adapter."""
        if self.calibration.adapter != self.context.editor(self.adapter).checkpoint.adapter_hash:
            raise ModelError(
                f"the calibration {self.path.name!r} is that of another adapter: measure this one, and give --weights "
                f"{self.name}=FILE"
            )
        return {**super().provenance, "method": self.name, "calibration_hash": file_hash(self.path)}

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """One edit a mix, asked for as the calibration says."""
        return super().edit(task, list(map(self.calibration, mixes)))
