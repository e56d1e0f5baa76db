"""What each expression is made of, as a readable table: actions of mouth, brows, eyes and head, with their FACS units.

Units are those of the Facial Action Coding System (Ekman, Friesen and Hager 2002). The basic six follow EMFACS (Friesen
and Ekman 1983), contempt follows Ekman and Friesen (1986); anxious, confident, shy, sleepy and confused have no agreed
prototype, and theirs are our reading, as in pxs/faces/action_units.py. Actions are said so that an adverb fits before
them: "slightly raised corners of the mouth".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pxs.expressions import EXPRESSIONS
from pxs.ffe.tables import markdown_table

PARTS = ("mouth", "brows", "eyes", "head")


class Action(NamedTuple):
    """One movement, in words that follow an adverb, and its FACS units; "12L" is on the left side alone."""

    words: str
    units: tuple[str, ...]


class Strength(NamedTuple):
    """A band of intensities, low <= a < high (the last one includes 1), its adverb, and the FACS letters it stands
    for."""

    name: str
    adverb: str
    low: float
    high: float
    letters: str


STRENGTHS = (
    Strength("weak", "slightly", 0.1, 0.4, "A to B"),
    Strength("medium", "clearly", 0.4, 0.7, "C to D"),
    Strength("strong", "very strongly", 0.7, 1.0, "E"),
)
"""The three strengths; below the first there is hardly anything to see or to score."""

TABLE: dict[str, dict[str, tuple[Action, ...]]] = {
    "happy": {
        "mouth": (Action("raised corners of the mouth", ("12",)), Action("parted lips", ("25",))),
        "eyes": (Action("raised cheeks", ("6",)),),
    },
    "sad": {
        "mouth": (Action("lowered corners of the mouth", ("15",)), Action("raised chin", ("17",))),
        "brows": (Action("raised inner brows", ("1",)), Action("drawn together brows", ("4",))),
        "eyes": (Action("lowered gaze", ("64",)),),
    },
    "angry": {
        "mouth": (
            Action("tightened lips", ("23",)),
            Action("pressed lips", ("24",)),
            Action("bared teeth", ("10", "25")),
        ),
        "brows": (Action("lowered and drawn together brows", ("4",)),),
        "eyes": (Action("raised upper lids", ("5",)), Action("tightened lids", ("7",))),
    },
    "surprised": {
        "mouth": (Action("dropped jaw", ("26",)), Action("stretched open mouth", ("27",))),
        "brows": (Action("raised brows", ("1", "2")),),
        "eyes": (Action("widened eyes", ("5",)),),
    },
    "fear": {
        "mouth": (Action("sideways stretched lips", ("20",)), Action("dropped jaw", ("26",))),
        "brows": (Action("raised and drawn together brows", ("1", "2", "4")),),
        "eyes": (Action("widened eyes", ("5",)), Action("tightened lower lids", ("7",))),
    },
    "disgust": {
        "mouth": (
            Action("raised upper lip", ("10",)),
            Action("lowered corners of the mouth", ("15",)),
            Action("parted lips", ("25",)),
        ),
        "brows": (Action("wrinkled nose", ("9",)),),
        "eyes": (Action("narrowed eyes", ("7",)),),
    },
    "anxious": {
        "mouth": (Action("pressed lips", ("24",)), Action("sideways stretched lips", ("20",))),
        "brows": (Action("raised and drawn together inner brows", ("1", "4")),),
        "eyes": (Action("averted gaze", ("61",)),),
        "head": (Action("lowered head", ("54",)),),
    },
    "contempt": {
        "mouth": (
            Action("raised corner of the mouth on one side", ("12R",)),
            Action("tightened corner of the mouth on one side", ("14R",)),
        ),
        "eyes": (Action("lowered gaze", ("64",)),),
        "head": (Action("raised head", ("53",)),),
    },
    "confident": {
        "mouth": (Action("raised corners of the mouth in a closed smile", ("12",)),),
        "eyes": (Action("tightened lids and a firm gaze", ("7",)),),
        "head": (Action("raised head", ("53",)),),
    },
    "shy": {
        "mouth": (Action("raised corners of the mouth in a closed smile", ("12",)),),
        "eyes": (
            Action("lowered gaze", ("64",)),
            Action("averted gaze", ("62",)),
            Action("closed eyes", ("43",)),
        ),
        "head": (Action("tilted head", ("55",)), Action("lowered head", ("54",))),
    },
    "sleepy": {
        "mouth": (Action("yawning mouth", ("27",)), Action("parted lips", ("25",))),
        "brows": (Action("raised brows", ("1", "2")),),
        "eyes": (Action("drooping lids", ("43",)), Action("lowered gaze", ("64",))),
        "head": (Action("tilted head", ("55",)),),
    },
    "confused": {
        "mouth": (Action("mouth pulled to one side", ("skew",)), Action("parted lips", ("25",))),
        "brows": (Action("one raised and one lowered brow", ("1R", "2R", "4L")),),
        "eyes": (Action("narrowed eyes", ("7",)),),
        "head": (Action("tilted head", ("55",)),),
    },
}
"""Actions of each expression by part of the face; a part that is not named stays relaxed."""

ANTAGONISTS = (
    ("12", "15", "the corners of the mouth go up, or down"),
    ("24", "25", "the lips are pressed together, or parted"),
    ("24", "26", "the lips are pressed together, or parted by the jaw"),
    ("24", "27", "the lips are pressed together, or the mouth is stretched open"),
    ("18", "20", "the lips are puckered, or stretched to the sides"),
    ("20", "27", "the mouth is stretched to the sides, or downwards"),
    ("26", "27", "the jaw drops, or is stretched open: one contains the other"),
    ("5", "43", "the upper lids are raised, or lowered"),
    ("43", "61", "closed eyes show no gaze"),
    ("43", "62", "closed eyes show no gaze"),
    ("43", "64", "closed eyes show no gaze"),
    ("61", "62", "the eyes look to the left, or to the right"),
    ("63", "64", "the eyes look up, or down"),
    ("53", "54", "the head is raised, or lowered"),
    ("55", "56", "the head is tilted to the left, or to the right"),
)
"""Units that no face shows at once, and why."""


def contradiction(units: Iterable[str]) -> str:
    """Why these units cannot be shown at once; empty where they can. Sides are taken into account."""
    present = set(units)
    for first, second, why in ANTAGONISTS:
        for side in ("", "L", "R"):
            mine, other = {first, first + side}, {second, second + side}
            if present & mine and present & other:
                return f"{first} against {second}: {why}"
    return ""


def markdown() -> str:
    """The table for people: a row a part of an expression, then the strengths and the antagonists."""
    parts = [
        (expression, part, action.words, " + ".join(action.units))
        for expression in EXPRESSIONS
        for part in PARTS
        for action in TABLE[expression].get(part, ())
    ]
    strengths = [(s.name, s.adverb, f"{s.low:g} to {s.high:g}", s.letters) for s in STRENGTHS]
    tables = (
        markdown_table(("expression", "part", "actions", "FACS units"), parts),
        markdown_table(("strength", "said as", "intensities", "FACS letters"), strengths),
        markdown_table(("unit", "never with", "because"), ANTAGONISTS),
    )
    return "\n".join(("# Expressions and their parts\n", *tables))
