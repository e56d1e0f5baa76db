"""The records of one method as arrays, and the value of each task in every measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pxs.benchmark.judge import Record
from pxs.benchmark.raters import MAX_PSNR, PIXELS
from pxs.data.levels import STANDARD
from pxs.expressions import BASIC, CONFUSABLE, EXPRESSIONS, Mix
from pxs.judging import measures
from pxs.judging.nearest import RUNGS

COLUMNS = {
    "acc_6": "Acc-6 ↑",
    "acc_12": "Acc-12 ↑",
    "mscr": "mSCR ↓",
    "mscr_within": "mSCR within pair ↓",
    "separability": "pair AUC ↑",
    "cls_6": "CLS-6 ↑",
    "cls_12": "CLS-12 ↑",
    "id_sim": "ID Sim ↑",
    "hes": "HES ↑",
    "intensity_error": "error ↓",
    "leakage": "leakage ↓",
    "changed_psnr": "PSNR changed ↑",
    "kept_psnr": "PSNR kept ↑",
    "measured": "measured at 1",
    "measured_error": "measured error ↓",
}
"""The measures of a table and their heads."""

LIMITS = {
    **dict.fromkeys(("cls_6", "cls_12", "id_sim"), (-1, 1)),
    "leakage": (0, len(EXPRESSIONS) - 1),
    **dict.fromkeys(("changed_psnr", "kept_psnr"), (0, MAX_PSNR)),
    **dict.fromkeys(("measured", "measured_error"), (0, RUNGS[-1])),
}
"""Ends of the range of a measure, where they are not 0 and 1."""


class Outcome:
    """The records of one method as arrays of T tasks: what the measures are taken of. What failed counts as 0.

    A task with a fault, which no method can do, is left out. names (T,); targets (T,); scores (T, A, 12);
    asked (T, A, 12); similarity (T, A); pixels (T, A, 3), PIXELS, NaN where there is none. A runs over the alphas of
    `levels`, `full` is the place of 1 in them.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        sound = [r for r in records if not r.fault]
        self.levels = sound[0].levels if sound else STANDARD
        self.alphas, self.full = self.levels.alphas, self.levels.full
        self.names = [r.task for r in sound]
        self.targets = np.array([EXPRESSIONS.index(r.expression) for r in sound], dtype=int)
        self.scores = np.array([r.scores for r in sound]).reshape(len(sound), len(self.alphas), len(EXPRESSIONS))
        self.similarity = np.array([r.similarity for r in sound]).reshape(len(sound), len(self.alphas))
        mixes = [[Mix({r.expression: a}).vector() for a in self.alphas] for r in sound]
        self.asked = np.array(mixes).reshape(self.scores.shape)
        nothing = [[None] * len(PIXELS)] * len(self.alphas)
        pixels = np.array([r.pixels or nothing for r in sound], dtype=np.float64)
        self.pixels = pixels.reshape(len(sound), len(self.alphas), len(PIXELS))

    @property
    def target_scores(self) -> np.ndarray:
        """The judged intensity of the target, (T, A)."""
        return np.take_along_axis(self.scores, self.targets[:, None, None], axis=2)[..., 0]

    def values(self) -> dict[str, np.ndarray]:
        """One value a task (T,) of each measure that is their mean; NaN where a task has nothing to say about it.

        That of mSCR is the share of the other expression of its pair in the prediction.
        """
        full, line = self.scores[:, self.full], self.levels.sweep
        basic = self.targets < len(BASIC)
        hit, kept = self.target_scores[:, self.full], self.similarity[:, self.full]
        r = np.atleast_1d(measures.linearity(self.levels.linear, self.target_scores[:, line]))
        pairs = list(zip(self.asked[:, line], self.scores[:, line], strict=True))
        predicted, other = measures.predictions(full), _partners(self.targets)
        return {
            "acc_6": _where(basic, measures.hits(full, self.targets, 6) if basic.any() else np.empty(0)),
            "acc_12": measures.hits(full, self.targets),
            "mscr": np.where(other < 0, np.nan, np.take_along_axis(predicted, other[:, None], axis=1)[:, 0]),
            "cls_6": _where(basic, r[basic]),
            "cls_12": r,
            "id_sim": kept,
            "hes": measures.harmonic(hit, kept),
            "intensity_error": np.array([measures.intensity_error(a, s) for a, s in pairs]),
            "leakage": np.array([measures.leakage(a, s) for a, s in pairs]),
            "changed_psnr": self.pixels[:, self.full, 0],
            "kept_psnr": self.pixels[:, self.full, 1],
            "measured": self.pixels[:, self.full, 2],
            "measured_error": np.abs(self.pixels[:, line, 2] - self.levels.linear).mean(axis=1),
        }

    @property
    def leaks(self) -> np.ndarray:
        """The judged intensity of all expressions but the target, (T, A)."""
        return self.scores.sum(axis=2) - self.target_scores


def _partners(targets: np.ndarray) -> np.ndarray:
    """The index of the expression that each target is confused with, -1 for targets without one."""
    pairs = {EXPRESSIONS.index(a): EXPRESSIONS.index(b) for one in CONFUSABLE for a, b in (one, one[::-1])}
    return np.array([pairs.get(int(t), -1) for t in targets], dtype=int)


def _where(chosen: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The values at the places that are chosen, NaN elsewhere."""
    found = np.full(len(chosen), np.nan)
    found[chosen] = values
    return found
