"""Any method with calibrated intensities (pxs/editing/calibration.py): happy 0.5 asks for what shows happy 0.5.

`python -m analysis.calibration --method NAME` measures the curves. That of the adapter lies beside it, those of other
methods for `mini` beside their weights; `--weights NAME_calibrated=FILE` names another file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from pxs.benchmark.methods.context import BUNDLED, Context
from pxs.data.tasks import Task
from pxs.editing.calibration import Calibration
from pxs.editing.checkpoints import calibration_of
from pxs.errors import DataError, ModelError
from pxs.expressions import Mix

SUFFIX = "_calibrated"


class Calibrated:
    """`method` by another name, asked for the intensities that its calibration says.

    Raises DataError for a method that has no calibration and for a file that is none, AdapterError for an adapter
    without one.
    """

    def __init__(self, context: Context, name: str, make: Callable[[Context], Any]) -> None:
        self.name, self.method = name + SUFFIX, make(context)
        given = context.weights.get(self.name)
        if given is None and name == "pixelsmile":
            self.calibration = calibration_of(context.model, context.adapter)
            return
        path = Path(given or BUNDLED / f"{name}.calibration.json")
        if given is None and not path.is_file():
            raise DataError(
                f"method {name!r} has no calibration: measure one with python -m analysis.calibration --method {name} "
                f"--out FILE, and give --weights {self.name}=FILE"
            )
        self.calibration = Calibration.load(path)

    @property
    def provenance(self) -> dict[str, str]:
        """What an edit depends on, with the hash of the calibration; raises ModelError for that of other weights."""
        own = dict(self.method.provenance)
        if self.calibration.adapter != measured(own):
            raise ModelError(
                f"the calibration of {self.name!r} is that of other weights: measure these with python -m "
                f"analysis.calibration, and give --weights {self.name}=FILE"
            )
        return {**own, "method": self.name, "calibration_hash": self.calibration.sha256}

    def supports(self, expression: str) -> bool:
        """Whether the method can edit towards an expression."""
        own = getattr(self.method, "supports", None)
        return own is None or bool(own(expression))

    def edit(self, task: Task, mixes: Sequence[Mix]) -> Sequence[Image.Image]:
        """One edit a mix, asked for as the calibration says."""
        edits: Sequence[Image.Image] = self.method.edit(task, list(map(self.calibration, mixes)))
        return edits


def measured(provenance: dict[str, str]) -> str:
    """The hash that a calibration of a method notes: of its weights, of its adapter, or of its model."""
    return provenance.get("weights_hash") or provenance["adapter_hash"] or provenance["model_hash"]
