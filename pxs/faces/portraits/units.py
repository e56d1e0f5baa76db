"""From action units to the face units of the head: one linear table, then head motion, blush and wrinkles.

Face units are the 52 blend shapes of Apple's ARKit. Which of them an action unit moves follows the descriptions of both
in FACS (Ekman, Friesen & Hager 2002), as tabulated by Ozel, "ARKit to FACS" (2020, melindaozel.com); the strengths were
set on people 420000 to 420039 so that networks trained on photographs name the basic six (analysis/judges.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from pxs.faces.action_units import Action

# "*" stands for Left and Right, which in ARKit are the person's; units without it move both sides at once.
TABLE: dict[str, dict[str, float]] = {
    "1": {"browInnerUp": 1.9},
    "2": {"browOuterUp*": 1.7, "browInnerUp": 0.3},
    "4": {"browDown*": 1.5, "noseSneer*": 0.3},
    "5": {"eyeWide*": 2.2},
    "6": {"cheekSquint*": 0.8, "eyeSquint*": 0.65},
    "7": {"eyeSquint*": 0.9},
    "9": {"noseSneer*": 1.8, "browInnerUp": 0.3, "mouthUpperUp*": 0.3, "eyeSquint*": 1.3, "cheekSquint*": 0.4},
    "10": {"mouthUpperUp*": 1.3, "cheekSquint*": 0.3, "mouthShrugLower": 0.5, "mouthPucker": 0.25},
    "12": {"mouthSmile*": 0.9, "mouthUpperUp*": 0.6, "mouthLowerDown*": 0.6, "mouthStretch*": 0.2, "jawOpen": 0.13},
    "14": {"mouthDimple*": 1.0},
    "15": {"mouthFrown*": 1.5, "mouthShrugLower": 0.6},
    "20": {"mouthStretch*": 1.2, "mouthLowerDown*": 0.4, "mouthFrown*": 0.3},
    "23": {
        "mouthPress*": 0.1,
        "mouthRollLower": 0.4,
        "mouthRollUpper": 0.4,
        "mouthShrugLower": 0.35,
        "noseSneer*": 0.5,
        "mouthClose": 0.12,
    },
    "24": {"mouthPress*": 1.0, "mouthShrugLower": 0.3},
    "26": {"jawOpen": 0.78},
    "43": {"eyeBlink*": 0.75},
    "64": {"eyeLookDown*": 0.7},
}
"""Action unit -> face units and their strengths at contraction 1."""

GAZE = {"61": (("eyeLookOutLeft", "eyeLookInRight"), ("eyeLookInLeft", "eyeLookOutRight"), 0.8)}
SKEW = (("mouthLeft", "mouthRight"), 0.8)

WRINKLES: dict[str, dict[str, float]] = {
    "1": {"forehead": 0.35},
    "2": {"forehead": 0.5},
    "4": {"furrow": 0.9},
    "6": {"crow": 0.7},
    "9": {"nose": 0.8, "furrow": 0.4, "cheek": 0.4},
    "10": {"cheek": 0.5},
    "12": {"cheek": 0.75, "corner": 0.35},
    "14": {"corner": 0.6},
    "15": {"chin": 0.7},
    "24": {"chin": 0.3},
}
"""Action unit -> wrinkles (maps.CREASES) and their strengths at contraction 1, in a person of 45."""

HEAD = {"53": (0.0, 4.0, 0.0), "54": (0.0, -4.5, 0.0), "55": (0.0, 0.0, 4.0)}
"""Action unit -> yaw, pitch and roll in degrees at contraction 1."""


@dataclass(frozen=True)
class Motion:
    """What an expression does: face units by name, degrees of yaw, pitch and roll, wrinkles and blush (0..1.6)."""

    units: dict[str, float]
    head: tuple[float, float, float]
    wrinkles: dict[str, float]
    blush: float


def motion(action: Action) -> Motion:
    """The motion of the head for a contraction of action units."""
    units: dict[str, float] = {}
    wrinkles: dict[str, float] = {}
    for number, row in TABLE.items():
        for unit, weight in row.items():
            _add_unit(units, unit, weight, action, number)
    for number, row in WRINKLES.items():
        for name, weight in row.items():
            for side in ("left", "right"):
                key = name + side[0].upper()
                wrinkles[key] = wrinkles.get(key, 0.0) + weight * max(action.side(side)[number], 0.0)
    _add_sideways(units, action)
    turns = [sum(action.both(n) * HEAD[n][k] for n in HEAD) for k in range(3)]
    moved = {name: x for name, x in units.items() if x}
    creased = {name: x for name, x in wrinkles.items() if x}
    return Motion(moved, (turns[0], turns[1], turns[2]), creased, action.both("blush"))


def _add_unit(units: dict[str, float], unit: str, weight: float, action: Action, number: str) -> None:
    """The left of the picture is the person's right."""
    if unit.endswith("*"):
        for name, side in (("Right", "left"), ("Left", "right")):
            key = unit[:-1] + name
            units[key] = units.get(key, 0.0) + weight * action.side(side)[number]
    else:
        units[unit] = units.get(unit, 0.0) + weight * action.both(number)


def _add_sideways(units: dict[str, float], action: Action) -> None:
    """The eyes and the mouth move to the right of the picture for positive contractions, to the left for negative."""
    right, left, strength = GAZE["61"]
    turn = action.both("61")
    for name in right if turn > 0 else left:
        units[name] = units.get(name, 0.0) + strength * abs(turn)
    skew = action.both("skew")
    name = SKEW[0][0 if skew > 0 else 1]
    units[name] = units.get(name, 0.0) + SKEW[1] * abs(skew)
