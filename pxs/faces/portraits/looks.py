"""What people look like: skin tones, hair, brows, beards, glasses, clothes, surroundings, and how often each occurs."""

from __future__ import annotations

from typing import Any

import numpy as np

from pxs.faces.portraits.chance import Chance

Colour = tuple[float, float, float]

TONES = ("#f3d6c6", "#e6bfa5", "#d3a27f", "#b07b57", "#84583c", "#634330", "#493128")
"""Skin from very light to very dark, sRGB: hue and chroma follow photographs of skin (dark skin is brown, not red)."""

HAIR_COLOURS = {
    "black": "#1c1718", "dark brown": "#35241b", "brown": "#583b27", "light brown": "#80593a", "dark blond": "#a07b50",
    "blond": "#c9a673", "red": "#8a4423", "auburn": "#5f2e1e", "grey": "#8d8a88", "white": "#d6d2cc",
}  # fmt: skip
IRISES = ("#2f1c10", "#3f2714", "#54371c", "#6b5a32", "#5f6f4d", "#64798a", "#587089", "#77828a")

HAIRS: dict[str, str | None] = {
    "bald": None, "shaved": None, "short 1": "hair/short01", "short 2": "hair/short02", "short 3": "hair/short03",
    "short 4": "hair/short04", "afro": "hair/afro01", "bob 1": "hair/bob01", "bob 2": "hair/bob02",
    "long": "hair/long01", "ponytail": "hair/ponytail01", "braid": "hair/Braid01",
}  # fmt: skip
"""Hair styles and the mesh of each; "shaved" is painted on the scalp."""

BEARDS = ("none", "stubble", "moustache", "goatee", "full")
GLASSES = ("none", "round", "square", "wide")
GLASSES_COLOURS = ("#17181b", "#3b2416", "#6b4a2b", "#8a8d92", "#1f2f4a", "#5c1f22", "#b08d57")
CLOTHES = ("clothes/male_casualsuit01", "clothes/male_casualsuit02", "clothes/male_casualsuit04",
           "clothes/female_casualsuit01")  # fmt: skip
FABRICS = ("#2b3444", "#5b2f33", "#33493c", "#6d6254", "#40364f", "#8f959d", "#1f2024", "#a47d4c", "#d8d5cf", "#7f9ab3")
BACKDROPS = ("#8fa3b5", "#b5a28d", "#8f9f86", "#a394ab", "#c7bfae", "#7d8f93", "#b89a98", "#a5a8b1", "#5f6b78",
             "#d9d8d4", "#4a4f58", "#6f7f6a")  # fmt: skip


def linear(colour: str) -> np.ndarray:
    """A colour "#rrggbb" as linear light (3,), 0..1."""
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.asarray(values**2.2)


def _tuple(values: np.ndarray) -> Colour:
    red, green, blue = (float(min(max(v, 0.0), 1.0)) for v in values)
    return (red, green, blue)


def _varied(luck: Chance, colour: str, spread: float) -> Colour:
    """A colour with its brightness and its channels varied by a share of about `spread`."""
    light = luck.bell(1, spread)
    return _tuple(linear(colour) * light * np.array([luck.bell(1, spread / 3) for _ in range(3)]))


def tone(melanin: float, warmth: float) -> Colour:
    """Skin colour: melanin 0 (very light) to 1 (very dark); warmth -1 (rosy) to 1 (olive) shifts the hue a little."""
    position = melanin * (len(TONES) - 1)
    index = min(int(position), len(TONES) - 2)
    low, high = linear(TONES[index]) ** 0.5, linear(TONES[index + 1]) ** 0.5
    mixed = (low + (high - low) * (position - index)) ** 2
    return _tuple(mixed * np.array([1 - 0.02 * warmth, 1 + 0.025 * warmth, 1 - 0.06 * warmth]))


def skin(luck: Chance, sex: str, age: float, origin: tuple[float, float, float]) -> dict[str, Any]:
    """Skin map, tone and redness, and what goes with them: iris and freckles."""
    main = max(range(3), key=origin.__getitem__)
    name = ("african", "asian", "caucasian")[main]
    group = "young" if age < 38 else "middleage" if age < 62 else "old"
    low, high = ((0.5, 1.0), (0.1, 0.5), (0.0, 0.42))[main]
    melanin = luck.uniform(low, high)
    copies = 2 if (group, name) == ("young", "caucasian") else 1
    light_eyes = (0.0, 0.02, 0.6)[main] * (melanin < 0.3)
    iris = luck.pick(IRISES[3:]) if luck.chance(light_eyes) else luck.pick(IRISES[:3])
    freckles = luck.uniform(0.4, 1.0) if melanin < 0.4 and luck.chance(0.2) else 0.0
    return {
        "skin": f"{group}_{name}_{sex}_{luck.pick(range(copies))}",
        "tone": tone(melanin, luck.uniform(-1, 1)),
        "redness": luck.uniform(0.85, 1.15),
        "iris": _varied(luck, iris, 0.12),
        "freckles": freckles,
    }


def hair(luck: Chance, sex: str, age: float, origin: tuple[float, float, float]) -> dict[str, Any]:
    """Hair style and colour, brows and lashes."""
    main = max(range(3), key=origin.__getitem__)
    style = luck.pick(*_styles(sex, age, main))
    young, grey, share = _hair_colours(luck, age, main)
    colour = _tuple(young * (1 - share) + grey * share)
    brow_colour = _tuple(0.95 * (young * (1 - 0.45 * share) + 0.5 * grey * 0.45 * share))
    return {
        "hair": style,
        "hair_colour": colour,
        "hair_mirrored": luck.chance(0.5),
        "hair_line": luck.uniform(0.3, 1.0) if sex == "male" and luck.chance((age - 25) / 70) else luck.uniform(0, 0.2),
        "brows": luck.pick(_brows(sex)),
        "brow_colour": brow_colour,
        "lashes": luck.pick(("eyelashes02", "eyelashes04") if sex == "female" else ("Eyelashes01",)),
    }


def _styles(sex: str, age: float, main: int) -> tuple[list[str], list[float]]:
    male = {
        "bald": 0.3 + age / 60,
        "shaved": 1.5,
        "short 1": 2,
        "short 2": 2,
        "short 3": 1.5,
        "short 4": 2,
        "afro": 0.1,
    }
    female = {"short 2": 0.7, "short 3": 0.5, "bob 1": 1, "bob 2": 2, "long": 2, "ponytail": 2, "braid": 1.5,
              "afro": 0.1, "shaved": 0.1, "short 1": 0.3}  # fmt: skip
    weights = dict(male if sex == "male" else female)
    if main == 0:
        weights |= {"afro": 2.5, "shaved": weights["shaved"] * 2, "short 3": 0.2}
    return list(weights), list(weights.values())


def _hair_colours(luck: Chance, age: float, main: int) -> tuple[np.ndarray, np.ndarray, float]:
    """The colour of youth, the grey of age, and the share 0..1 of the grey."""
    names = ("black", "dark brown", "brown", "light brown", "dark blond", "blond", "red", "auburn")
    weights = ((5, 2, 0.4, 0, 0, 0.1, 0, 0.2), (5, 2, 0.5, 0.1, 0, 0, 0, 0.2), (1, 2, 2, 2, 1.5, 1.5, 0.9, 0.8))[main]
    young = np.array(_varied(luck, HAIR_COLOURS[luck.pick(names, weights)], 0.12))
    grey = np.array(_varied(luck, HAIR_COLOURS[luck.pick(("grey", "white"))], 0.1))
    share = min(max((age - luck.uniform(40, 65)) / 18, 0.0), 1.0)
    return young, grey, share


def _brows(sex: str) -> tuple[str, ...]:
    thin = (1, 2, 3, 4, 5, 10, 11) if sex == "female" else (1, 4, 8, 9, 12, 2)
    return tuple(f"eyebrow{i:03d}" for i in thin)


def beard(luck: Chance, sex: str, age: float) -> dict[str, Any]:
    """Beard and its density."""
    style = "none"
    if sex == "male" and age > 18:
        style = luck.pick(BEARDS, (4, 2.5, 0.8, 0.9, 1.8))
    return {"beard": style, "beard_density": luck.uniform(0.5, 1.0)}


def glasses(luck: Chance, age: float) -> dict[str, Any]:
    """Glasses: more often with age."""
    worn = luck.chance(0.13 + 0.25 * (age > 50))
    return {
        "glasses": luck.pick(GLASSES[1:]) if worn else "none",
        "glasses_colour": _varied(luck, luck.pick(GLASSES_COLOURS), 0.1),
    }


def clothes(luck: Chance) -> dict[str, Any]:
    """A piece of clothing and its colour."""
    return {"clothes": luck.pick(CLOTHES), "clothes_colour": _varied(luck, luck.pick(FABRICS), 0.2)}


def surroundings(luck: Chance) -> dict[str, Any]:
    """Background and light."""
    first, second = _varied(luck, luck.pick(BACKDROPS), 0.15), _varied(luck, luck.pick(BACKDROPS), 0.15)
    side = luck.pick((-1.0, 1.0))
    return {
        "background": luck.pick(("plain", "gradient", "scene"), (1, 2, 3)),
        "backdrop": (first, second),
        "light": (side * luck.uniform(8, 55), luck.uniform(18, 45), luck.uniform(0.9, 1.12), luck.uniform(-0.8, 1)),
    }
