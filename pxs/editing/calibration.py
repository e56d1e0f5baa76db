"""Calibration of intensities: from the intensity that is wanted to the one to ask an editor for.

    f(a): the intensity that an edit shows when a is asked for, a rising curve of each expression
    calibrated(a) = f^-1(a);  beyond the end of the curve, its last point

`analysis.calibration` measures the curves. A JSON file beside an adapter holds them: that of adapter.safetensors is
adapter.calibration.json.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pxs.errors import AdapterError, DataError, one_line
from pxs.expressions import Mix, check_expression
from pxs.quantities import SCALE
from pxs.storage.parsing import parse_json

AGAIN = "measure it again with python -m analysis.calibration"


@dataclass(frozen=True)
class Calibration:
    """The curve of each expression: `asked`, intensities from 0 on, and what edits have `shown` then, both rising.

    `adapter` is the hash of the adapter that was measured, as in the provenance of an edit; that of a method's weights
    where another method was measured, or of the model where it has none.

    Raises DataError for a curve that does not start at 0 or does not rise, ExpressionError for an unknown expression.
    """

    adapter: str
    asked: Mapping[str, Sequence[float]]
    shown: Mapping[str, Sequence[float]]

    def __post_init__(self) -> None:
        if self.asked.keys() != self.shown.keys():
            raise DataError(f"a calibration needs as many curves of what is asked as of what is shown: {AGAIN}")
        for name in self.asked:
            check_expression(name)
            for curve in (self.asked[name], self.shown[name]):
                values = np.array(SCALE.several(curve))
                if len(values) < 2 or values[0] != 0 or not (np.diff(values) > 0).all():
                    raise DataError(f"the curve of {name} does not rise from 0: {AGAIN}")
            if len(self.asked[name]) != len(self.shown[name]):
                raise DataError(f"the two curves of {name} differ in length: {AGAIN}")

    def __call__(self, mix: Mix) -> Mix:
        """The mix to ask for; expressions without a curve stay as they are."""
        return Mix({name: self._asked(name, value) for name, value in mix.items()})

    def _asked(self, name: str, value: float) -> float:
        if name not in self.asked:
            return value
        return float(np.interp(value, self.shown[name], self.asked[name]))

    @property
    def sha256(self) -> str:
        """The hash of its content."""
        return hashlib.sha256(self.content()).hexdigest()

    def content(self) -> bytes:
        """The calibration as JSON."""
        curves = {n: {"asked": list(self.asked[n]), "shown": list(self.shown[n])} for n in self.asked}
        return (json.dumps({"adapter": self.adapter, "curves": curves}, indent=1) + "\n").encode()

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """A calibration from a JSON file; raises DataError for a file that cannot be read or is none."""
        try:
            found = parse_json(Path(path).read_text(encoding="utf-8"), AGAIN)
            curves = found["curves"].items()
            sides = ({name: curve[side] for name, curve in curves} for side in ("asked", "shown"))
            return cls(str(found["adapter"]), *sides)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"{str(path)!r} is no calibration ({one_line(error)}): {AGAIN}") from None


def calibration_path(adapter: Path) -> Path:
    """Where the calibration of an adapter's file lies."""
    return adapter.with_suffix(".calibration.json")


def find_calibration(adapters: Sequence[tuple[Path, str, float]]) -> Calibration:
    """The calibration of adapters, each a file, its hash and its weight: there must be one, at weight 1.

    Raises AdapterError, which names the command that measures one, if there is none or it is that of another adapter;
    DataError for a file that is no calibration.
    """
    if len(adapters) != 1 or adapters[0][2] != 1:
        found = ", ".join(f"{file.name}={weight:g}" for file, _, weight in adapters) or "none"
        raise AdapterError(f"calibrated intensities are those of one adapter at weight 1, here {found}: load one alone")
    [(file, sha256, _)] = adapters
    path, measure = calibration_path(file), f"measure one with python -m analysis.calibration --lora-path {file}"
    if not path.is_file():
        raise AdapterError(f"adapter {file.name!r} has no calibration ({path.name} beside it): {measure}")
    calibration = Calibration.load(path)
    if calibration.adapter != sha256:
        raise AdapterError(f"{path.name!r} is the calibration of another adapter than {file.name!r}: {measure}")
    return calibration
