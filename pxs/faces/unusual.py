"""People with looks that no training has: hair, pose, glasses and light outside the ranges of `sample`.

    picture = unusual(300004, Mix(happy=1), "human")        # the person 300004 with unusual looks

A person has one of TRAITS for certain (they take turns by number) and each of the others with probability OTHERS. The
looks depend on the number alone, so every picture stays exact ground truth for any mix.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from pxs.expressions import Mix
from pxs.faces import RENDERED
from pxs.faces.draw import draw
from pxs.faces.identity import Identity
from pxs.images import from_array, to_array

TRAITS = ("hair", "pose", "glasses", "light")
OTHERS = 0.3
"""The probability of each trait besides the one that is certain."""
SALT = 7_301  # keeps these random numbers apart from those of `sample`

DYES = ("#12c9b4", "#e8308f", "#8fd81c", "#f2e52b", "#3146e0")
"""Colours of hair that neither style nor rendered people have otherwise."""


def traits(number: int) -> tuple[str, ...]:
    """The unusual traits of the person with this number, in the order of TRAITS, at least one."""
    drawn = _random(number, 0).random(len(TRAITS)) < OTHERS
    return tuple(name for i, name in enumerate(TRAITS) if drawn[i] or i == number % len(TRAITS))


def unusual(number: int, mix: Mix, style: str, size: int) -> Image.Image:
    """The picture of a person with unusual looks, RGB, `size` x `size` pixels; raises as `render_one` does."""
    chosen, rng = traits(number), _random(number, 1)
    if style == RENDERED:
        return _rendered(number, mix, size, chosen, rng)
    picture = draw(unusual_identity(number, chosen, rng), mix, style, size)
    return _lit(picture, rng) if "light" in chosen else picture


def _random(number: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64((SALT, number, stream)))


def unusual_identity(number: int, chosen: tuple[str, ...], rng: np.random.Generator) -> Identity:
    """The drawn face: dyed hair with a low or high hairline; tilted, moved and scaled; tinted glasses."""
    dye, fringe = DYES[int(rng.integers(len(DYES)))], float(rng.choice((-1.6, 2.0)))
    sizes = rng.uniform((3.5, 2, 6, 0.09), (6, 4, 12, 0.14)) * rng.choice((-1, 1), 4)
    right, down, turn, larger = (float(size) for size in sizes)
    looks: dict[str, dict[str, Any]] = {
        "hair": {"hair": dye, "fantasy_hair": dye, "fringe": fringe},
        "pose": {"pose": (right, down, turn, 1 + larger)},
        "glasses": {"glasses": "tinted"},
        "light": {},
    }
    return replace(Identity.sample(number), **{k: v for name in chosen for k, v in looks[name].items()})


def _lit(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The picture in coloured light from one side: in linear light, a ramp across the picture times a colour."""
    angle, warmth = rng.uniform(0, 2 * math.pi), float(rng.choice((-1, 1)) * rng.uniform(0.5, 1.0))
    y, x = np.mgrid[-1 : 1 : picture.height * 1j, -1 : 1 : picture.width * 1j]
    ramp = 0.62 + 0.38 * np.clip(x * math.cos(angle) + y * math.sin(angle), -1, 1)
    colour = np.array([1 + 0.25 * warmth, 1.0, 1 - 0.25 * warmth])
    light = to_array(picture) ** 2.2 * ramp[..., None] * colour
    return from_array((light.clip(0, 1) ** (1 / 2.2)).astype(np.float32))


def _rendered(number: int, mix: Mix, size: int, chosen: tuple[str, ...], rng: np.random.Generator) -> Image.Image:
    """The rendered person: dyed hair and brows; a turned head; red glasses; light from far to the side."""
    from pxs.faces.portraits import Person, render
    from pxs.faces.portraits.looks import GLASSES, linear

    dye = tuple(linear(DYES[int(rng.integers(len(DYES)))]).tolist())
    frame = GLASSES[1 + int(rng.integers(len(GLASSES) - 1))]
    pose = tuple((rng.uniform((19, 4, 9), (27, 9, 13)) * rng.choice((-1, 1), 3)).tolist())
    azimuth, elevation = float(rng.uniform(65, 85) * rng.choice((-1, 1))), float(rng.uniform(4, 12))
    looks: dict[str, dict[str, Any]] = {
        "hair": {"hair_colour": dye, "brow_colour": dye},
        "pose": {"pose": pose},
        "glasses": {"glasses": frame, "glasses_colour": (0.75, 0.02, 0.05)},
        "light": {"light": (azimuth, elevation, float(rng.uniform(0.7, 0.85)), float(rng.choice((-2.0, 2.2))))},
    }
    return render(
        replace(Person.sample(number), **{k: v for name in chosen for k, v in looks[name].items()}), mix, size
    )
