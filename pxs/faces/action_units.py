"""Converts a `Mix` of expressions to facial action units.

Action units (AU) are the muscle movements of the Facial Action Coding System (Ekman, Friesen & Hager 2002, FACS). The
prototypes of the six basic emotions follow EMFACS (Friesen & Ekman 1983). Contempt follows Ekman & Friesen (1986). The
other five have no published prototype; we chose their units. The confusable pairs look similar, as on real faces: fear
shares the units 1, 2, 5 and 26 with surprise. Anger and disgust share no unit, but the nose wrinkler (9) lowers the
brows as the brow lowerer (4) does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pxs.expressions import Mix

NAMES = {
    "1": "inner brow raiser",
    "2": "outer brow raiser",
    "4": "brow lowerer",
    "5": "upper lid raiser",
    "6": "cheek raiser",
    "7": "lid tightener",
    "9": "nose wrinkler",
    "10": "upper lip raiser",
    "12": "lip corner puller",
    "14": "dimpler",
    "15": "lip corner depressor",
    "20": "lip stretcher",
    "23": "lip tightener",
    "24": "lip pressor",
    "26": "jaw drop",
    "43": "eyes closed",
    "53": "head up",
    "54": "head down",
    "55": "head tilt",
    "61": "eyes turned to the side",
    "64": "eyes down",
    "skew": "mouth pulled to one side",
    "blush": "blush (not FACS)",
}
"""Names of the action units by number, and two movements that are not in FACS."""

PROTOTYPES: dict[str, dict[str, float]] = {
    "happy": {"6": 1.0, "12": 1.0},
    "sad": {"1": 1.0, "4": 0.6, "15": 1.0},
    "angry": {"4": 1.0, "5": 0.5, "7": 0.8, "23": 1.0},
    "surprised": {"1": 1.0, "2": 1.0, "5": 0.9, "26": 1.0},
    "fear": {"1": 1.0, "2": 0.6, "4": 0.7, "5": 1.0, "7": 0.4, "20": 1.0, "26": 0.45},
    "disgust": {"9": 1.0, "10": 1.0, "15": 0.4},
    "anxious": {"1": 0.9, "4": 0.7, "20": 0.5, "24": 0.9, "61": 0.9},
    "contempt": {"12R": 0.8, "14R": 1.0},
    "confident": {"12": 0.45, "7": 0.6, "53": 1.0},
    "shy": {"12": 0.4, "54": 0.8, "55": 1.0, "61": -0.7, "64": 0.9, "blush": 1.0},
    "sleepy": {"43": 0.8, "26": 0.3},
    "confused": {"4L": 0.9, "1R": 0.8, "2R": 1.0, "skew": 1.0},
}
"""Contraction of the units at intensity 1. "L" or "R" limits a unit to the left or right side of the picture."""

CEILING = 1.6
"""Upper limit for the contraction of an action unit, however many expressions are added."""


def saturate(x: float) -> float:
    """Limit a contraction: x for |x| <= 1, else sign(x) * (1 + 0.6 tanh((|x| - 1) / 0.6)), always within +-CEILING."""
    if abs(x) <= 1:
        return x
    margin = CEILING - 1
    return math.copysign(1 + margin * math.tanh((abs(x) - 1) / margin), x)


@dataclass(frozen=True)
class Action:
    """Contraction of every action unit on the left and the right side of the picture; 0 is relaxed, 1 is full.

    Negative values move the face the opposite way. The keys are those of NAMES.
    """

    left: dict[str, float]
    right: dict[str, float]

    def side(self, name: str) -> dict[str, float]:
        """The contractions of one side of the picture, "left" or "right"."""
        return self.left if name == "left" else self.right

    def both(self, unit: str) -> float:
        """The mean contraction of a unit over both sides."""
        return (self.left[unit] + self.right[unit]) / 2


def actions(mix: Mix) -> Action:
    """The action units of a mix: the prototypes weighted by intensity, summed for each unit, then saturated."""
    sums = {"L": dict.fromkeys(NAMES, 0.0), "R": dict.fromkeys(NAMES, 0.0)}
    for expression, intensity in mix.items():
        for unit, weight in PROTOTYPES[expression].items():
            number, sides = (unit[:-1], unit[-1]) if unit[-1] in "LR" else (unit, "LR")
            for side in sides:
                sums[side][number] += intensity * weight
    left, right = ({unit: saturate(x) for unit, x in sums[s].items()} for s in "LR")
    return Action(left, right)
