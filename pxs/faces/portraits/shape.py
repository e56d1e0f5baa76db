"""The shape space of heads: which targets of MakeHuman span it, and how sex, age and origin weigh them."""

from __future__ import annotations

from typing import NamedTuple

ORIGINS = ("african", "asian", "caucasian")
SEXES = ("female", "male")
AGES = ("young", "old")
WEIGHTS = ("minweight", "averageweight", "maxweight")

MACROS = (
    *(f"{origin}-{sex}-{age}" for origin in ORIGINS for sex in SEXES for age in AGES),
    *(f"universal-{sex}-{age}-averagemuscle-{weight}" for sex in SEXES for age in AGES for weight in WEIGHTS),
)
"""MakeHuman's macro targets that are used, by file name."""


class Detail(NamedTuple):
    """One axis of the shape space: at -1 the targets `low` hold in full, at +1 the targets `high`; `spread` is the
    standard deviation over people."""

    name: str
    low: tuple[str, ...]
    high: tuple[str, ...]
    spread: float


def _pair(stem: str, spread: float, low: str = "decr", high: str = "incr") -> Detail:
    return Detail(stem.split("/")[1], (f"{stem}-{low}",), (f"{stem}-{high}",), spread)


def _both(stem: str, spread: float, low: str = "decr", high: str = "incr") -> Detail:
    folder, name = stem.split("/")
    sides = [tuple(f"{folder}/{side}-{name}-{end}" for side in "lr") for end in (low, high)]
    return Detail(name, sides[0], sides[1], spread)


def _versus(name: str, low: str, high: str, spread: float) -> Detail:
    return Detail(name, (low,), (high,), spread)


SYMMETRIC = (
    _versus("head-outline-1", "head/head-oval", "head/head-square", 0.22),
    _versus("head-outline-2", "head/head-triangular", "head/head-invertedtriangular", 0.22),
    _versus("head-outline-3", "head/head-round", "head/head-rectangular", 0.22),
    _pair("head/head-fat", 0.22),
    _pair("head/head-scale-horiz", 0.22),
    _pair("head/head-scale-vert", 0.22),
    _pair("nose/nose-base", 0.29, "down", "up"),
    _pair("nose/nose-curve", 0.29, "concave", "convex"),
    _pair("nose/nose-flaring", 0.25),
    _pair("nose/nose-greek", 0.25),
    _pair("nose/nose-hump", 0.29),
    _pair("nose/nose-nostrils-width", 0.29),
    _pair("nose/nose-point", 0.29, "down", "up"),
    _pair("nose/nose-point-width", 0.32),
    _pair("nose/nose-scale-depth", 0.25),
    _pair("nose/nose-scale-horiz", 0.25),
    _pair("nose/nose-scale-vert", 0.25),
    _pair("nose/nose-volume", 0.25),
    _pair("nose/nose-width1", 0.29),
    _pair("nose/nose-width2", 0.29),
    _pair("mouth/mouth-cupidsbow", 0.36),
    _pair("mouth/mouth-lowerlip-height", 0.29),
    _pair("mouth/mouth-lowerlip-volume", 0.32),
    _pair("mouth/mouth-upperlip-height", 0.29),
    _pair("mouth/mouth-upperlip-volume", 0.32),
    _pair("mouth/mouth-scale-horiz", 0.29),
    _pair("mouth/mouth-trans", 0.18, "down", "up"),
    _pair("mouth/mouth-angles", 0.15, "down", "up"),
    _pair("chin/chin-bones", 0.29),
    _pair("chin/chin-height", 0.25),
    _pair("chin/chin-prominent", 0.29),
    _pair("chin/chin-width", 0.32),
    _pair("chin/chin-prognathism", 0.18),
    _pair("forehead/forehead-nubian", 0.22),
    _pair("forehead/forehead-scale-vert", 0.25),
    _pair("forehead/forehead-temple", 0.25),
    _pair("eyebrows/eyebrows-angle", 0.18, "down", "up"),
    _pair("eyebrows/eyebrows-trans", 0.18, "down", "up"),
    _both("eyes/eye-scale", 0.24),
    _both("eyes/eye-trans", 0.2, "in", "out"),
    _both("eyes/eye-corner1", 0.28, "down", "up"),
    _both("eyes/eye-corner2", 0.28, "down", "up"),
    _both("eyes/eye-height2", 0.24),
    _both("eyes/eye-bag", 0.24),
    _both("eyes/eye-eyefold", 0.28, "down", "up"),
    _both("cheek/cheek-bones", 0.36),
    _both("cheek/cheek-volume", 0.32),
    _both("cheek/cheek-inner", 0.28),
    _both("ears/ear-scale", 0.28),
    _both("ears/ear-wing", 0.24),
    _both("ears/ear-lobe", 0.32),
)


def _asym(name: str, spread: float) -> Detail:
    return Detail(f"asym-{name}", (f"asym/asym-{name}-l",), (f"asym/asym-{name}-r",), spread)


ASYMMETRIC = (
    _asym("brown-1", 0.2), _asym("cheek-1", 0.25), _asym("eye-2", 0.15), _asym("jaw-1", 0.25),
    _asym("mouth-1", 0.15), _asym("nose-1", 0.25), _asym("nose-3", 0.25),
)  # fmt: skip
"""Small differences between the halves of a face. In each, low is the person's left and high the right side."""

AGEING = Detail("head-age", ("head/head-age-decr",), ("head/head-age-incr",), 0.0)
DETAILS = (*SYMMETRIC, *ASYMMETRIC, AGEING)
"""All axes; the last follows from the age and is not drawn."""


def macro_weights(sex: str, age: float, origin: tuple[float, float, float], weight: float) -> list[float]:
    """The weight of each of MACROS: age in years (25 and below: young, 90: old), origin shares, weight 0..1."""
    old = min(max((age - 25) / 65, 0.0), 1.0)
    by_age = {"young": 1 - old, "old": old}
    by_weight = {
        "minweight": max(0.0, 1 - 2 * weight),
        "averageweight": 1 - abs(2 * weight - 1),
        "maxweight": max(0.0, 2 * weight - 1),
    }
    shares = dict(zip(ORIGINS, origin, strict=True))
    faces = [shares[o] * by_age[a] * (s == sex) for o in ORIGINS for s in SEXES for a in AGES]
    bodies = [by_age[a] * by_weight[w] * (s == sex) for s in SEXES for a in AGES for w in WEIGHTS]
    return [*faces, *bodies]


def detail_weights(values: tuple[float, ...]) -> list[float]:
    """Weights of the low and the high side of each of DETAILS for values (len(DETAILS),)."""
    return [side for x in values for side in (max(-x, 0.0), max(x, 0.0))]
