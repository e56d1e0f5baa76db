"""The intensities at which a task of a benchmark is edited (`Levels`): those of this project, and the article's."""

from __future__ import annotations

from dataclasses import dataclass

from pxs.quantities import Real

FULL = 1.0
"""The intensity of general editing: the whole expression."""
MOST = Real("alpha_max", 0.1, 100, "such as 3")
STEPS = 7  # intensities of a sweep in the article's protocol


@dataclass(frozen=True)
class Levels:
    """linear: intensities of linear control, rising from 0. beyond: others at which edits are judged too."""

    linear: tuple[float, ...]
    beyond: tuple[float, ...] = ()

    @property
    def alphas(self) -> tuple[float, ...]:
        """All of them, rising."""
        return tuple(sorted({*self.linear, *self.beyond}))

    @property
    def sweep(self) -> list[int]:
        """The places of the linear ones among `alphas`."""
        return [i for i, alpha in enumerate(self.alphas) if alpha in self.linear]

    @property
    def full(self) -> int:
        """The place of FULL among `alphas`."""
        return self.alphas.index(FULL)


STANDARD = Levels(tuple(round(0.1 * i, 1) for i in range(11)), (1.5, 3.0))
"""Linear control over the range of the scores that editors are trained on, and two intensities beyond it; the last is
the highest of the article."""


def paper_levels(most: float = 3.0) -> Levels:
    """The article's: STEPS uniform intensities over [0, most], and 1 and 3.

    The article states neither `most`, its alpha_max, nor how many there are; its figure 4 shows 0 to 3. Raises
    ScaleError for a `most` that is not a MOST.
    """
    most = MOST(most)
    uniform = tuple(round(most * i / (STEPS - 1), 4) for i in range(STEPS))
    return Levels(uniform, (FULL, 3.0))
