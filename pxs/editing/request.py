"""`Request`: one edit that a person asks for with sliders and fields, in a notebook or on the page of `pxs app`."""

from __future__ import annotations

from typing import NamedTuple

from pxs.editing.edits import Edits
from pxs.expressions import Mix, as_mixes
from pxs.quantities import STEPS, Real, Whole

MAX_INTENSITY = 1.5
STRONG, TOGETHER = 0.5, 2  # intensity of a strong expression, and the most of them that training sets show together
MAX_SEED = 2**31 - 1  # of a field
PREVIEWS = 4  # the steps are divided into so many parts; a preview follows each part but the last


class Request(NamedTuple):
    """The mix, seed and number of denoising steps of one edit, and whether its intensities are calibrated."""

    mix: Mix
    seed: int
    steps: int
    calibrated: bool = False

    @property
    def line(self) -> str:
        """The line of Python that makes the edit."""
        calibrated = ", calibrated=True" if self.calibrated else ""
        return f"portrait.edit(pxs.{self.mix!r}, seed={self.seed}, steps={self.steps}{calibrated})"

    @classmethod
    def of(cls, edits: Edits) -> Request:
        """The request of an edit."""
        return cls(edits.mixes[0], edits.seed, edits.steps, edits.calibration is not None)

    @property
    def remarks(self) -> list[str]:
        """What a user should know about the mix."""
        strong = [name for name, value in self.mix.items() if value >= STRONG]
        if len(strong) <= TOGETHER:
            return []
        return [
            f"{', '.join(strong)}: models are trained on {TOGETHER} strong expressions at most; more distort the face"
        ]

    def check(self) -> Request:
        """The request with numbers of Python. Raises ExpressionError for what is not a mix, ScaleError for values
        outside the ranges of sliders and fields."""
        [mix] = as_mixes([self.mix])
        for name, value in mix.items():
            Real(name, 0, MAX_INTENSITY, "the range of its slider")(value)
        return Request(mix, Whole("seed", 0, MAX_SEED)(self.seed), STEPS(self.steps), self.calibrated)


def previewed(index: int, total: int) -> bool:
    """Whether a preview follows step `index` (counted from 0) of `total`: at most every second, and not the last."""
    return (index + 1) % max(2, total // PREVIEWS) == 0 and index + 1 < total
