"""The painted surfaces of a person: skin with freckles, beard and hair roots, irises, and the background."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

from pxs.faces.portraits.asset import Fitted, Floats, asset, floats
from pxs.faces.portraits.chance import Chance
from pxs.faces.portraits.maps import SIDE, blurred, creases, masks, noise, scalp, smooth
from pxs.faces.portraits.person import Person

EYE_SIDE = 128
IRIS, PUPIL = 0.150, 0.052
"""Radii on the eye map, where 0.5 is 90 degrees from straight ahead."""

STATIC = {"forehead": 0.35, "crow": 0.5, "cheek": 0.75, "corner": 0.4, "furrow": 0.25}
"""Wrinkles that stay at rest in a person of 90."""


def skin(person: Person) -> tuple[Floats, Floats]:
    """Albedo (512, 512, 3) in linear light, and relief (512, 512, 3): slope right, slope down, darkness of creases."""
    luck = Chance(person.number, 77)
    shift = (int(luck.uniform(0, SIDE)), int(luck.uniform(0, SIDE)))
    fine, middle, coarse = (_shifted(noise(blur), shift) * np.float32(person.blemishes) for blur in (0, 2, 14))
    regions = masks()
    tone = np.array(person.tone, np.float32)
    albedo = asset().skin(person.skin) * tone
    light = 1 + 0.035 * middle + 0.03 * coarse
    red = (person.redness - 1) * (regions["redness"] + regions["lips"]) + 0.05 * coarse * (1 - regions["lips"])
    flush = 0.16 * regions["redness"] + red
    albedo[..., 0] *= light * (1 + 0.35 * flush)
    albedo[..., 1] *= light * (1 - 0.5 * flush)
    albedo[..., 2] *= light * (1 - 0.4 * flush)
    _freckles(albedo, person, luck)
    _moles(albedo, person, luck)
    _hair_roots(albedo, person, fine)
    _beard(albedo, person, fine)
    slopes = _pores(person, fine, middle)
    return np.clip(albedo, 0.004, 0.95).astype(np.float32), slopes


def _shifted(field: Floats, shift: tuple[int, int]) -> Floats:
    return np.roll(field, shift, axis=(0, 1))


def _freckles(albedo: Floats, person: Person, luck: Chance) -> None:
    if person.freckles <= 0:
        return
    shift = (int(luck.uniform(0, SIDE)), int(luck.uniform(0, SIDE)))
    dots = smooth(1.0, 2.0, _shifted(noise(1.4), shift)) * masks()["freckles"] * np.float32(0.75 * person.freckles)
    albedo *= 1 - dots[..., None] * floats([0.28, 0.45, 0.55])


def _moles(albedo: Floats, person: Person, luck: Chance) -> None:
    """Up to four dark spots on the face."""
    for _ in range(int(luck.uniform(0, 4.5) * (person.blemishes > 0))):
        x, y, radius = luck.uniform(110, 400), luck.uniform(120, 370), luck.uniform(1.2, 2.4)
        top, left = int(y) - 6, int(x) - 6
        rows, columns = np.mgrid[top : top + 13, left : left + 13]
        spot = np.exp(-((((columns - x) ** 2 + (rows - y) ** 2) / radius**2) ** 1.5))[..., None].astype(np.float32)
        albedo[top : top + 13, left : left + 13] *= 1 - spot * floats([0.45, 0.55, 0.6])


def _hair_roots(albedo: Floats, person: Person, fine: Floats) -> None:
    """The scalp takes the colour of the hair where hair grows; a bald head keeps a faint ring of stubble."""
    lift = {"bald": 78, "shaved": 6}.get(person.hair, 45) + 40 * person.hair_line
    cover = {"bald": 0.22, "shaved": 0.78}.get(person.hair, 0.85)
    if person.hair == "bald" and person.blemishes == 0:
        return
    grown = scalp(soft=9 if person.hair == "shaved" else 18, lift=float(round(lift))) * np.float32(cover)
    _mix(albedo, grown * np.clip(0.92 + 0.16 * fine, 0, 1), np.array(person.hair_colour, np.float32) * 1.1 + 0.004)


def _beard(albedo: Floats, person: Person, fine: Floats) -> None:
    if person.beard == "none":
        return
    regions = masks()
    where = {
        "stubble": blurred_full() * np.float32(0.22 + 0.2 * person.beard_density),
        "moustache": regions["moustache"] * np.float32(0.75),
        "goatee": np.maximum(regions["goatee"], regions["moustache"]) * np.float32(0.85),
        "full": regions["full"] * np.float32(0.72 + 0.2 * person.beard_density),
    }[person.beard]
    strands = noise_strands() if person.beard != "stubble" else fine * np.float32(0.6)
    density = floats(np.clip(where * (1 + 0.3 * strands), 0, 0.95))
    _mix(albedo, density, floats(floats(person.brow_colour) * (1 + 0.3 * strands[..., None]) + 0.004))


@cache
def blurred_full() -> Floats:
    """The region of a full beard with soft edges, for stubble."""
    return blurred(masks()["full"], 9) * (1 - masks()["lips"])


@cache
def noise_strands() -> Floats:
    """Noise (512, 512) that is drawn out downwards, like hair."""
    field = sum((np.roll(noise(0), (k, k // 3), axis=(0, 1)) for k in range(7)), np.zeros((SIDE, SIDE), np.float32))
    return (field / np.float32(7**0.5)).astype(np.float32)


def _mix(albedo: Floats, share: Floats, colour: Floats) -> None:
    albedo += share[..., None] * (colour - albedo)


def _pores(person: Person, fine: Floats, middle: Floats) -> Floats:
    """Fine relief of the skin, and the wrinkles that age leaves at rest."""
    age = min(max((person.age - 35) / 55, 0.0), 1.0)
    height = (0.035 + 0.05 * age) * middle + 0.02 * _shifted(noise(1), (3, 5)) * np.float32(person.blemishes)
    relief = np.zeros((SIDE, SIDE, 3), np.float32)
    relief[:, :-1, 0] = np.diff(height, axis=1)
    relief[:-1, :, 1] = np.diff(height, axis=0)
    if person.beard in ("goatee", "full"):
        rough = masks()["full" if person.beard == "full" else "goatee"] * np.float32(0.25)
        relief[:, :, 0] += rough * noise_strands()
    add_creases(relief, {f"{name}{side}": w * age for name, w in STATIC.items() for side in "LR"})
    return relief


def add_creases(relief: Floats, weights: dict[str, float]) -> None:
    """Add wrinkles to a relief in place; keys are a name of maps.CREASES and L or R, the side of the picture."""
    table = creases()
    for key, weight in weights.items():
        if weight > 0:
            part = table[key[:-1]][0 if key[-1] == "L" else 1]
            (top, left), (height, width) = part.corner, part.values.shape[:2]
            relief[top : top + height, left : left + width] += np.float32(weight) * part.values


def iris(person: Person) -> Floats:
    """Albedo of an eyeball (128, 128, 3) in linear light, on the map of the eyes."""
    y, x = (np.mgrid[0:EYE_SIDE, 0:EYE_SIDE].astype(np.float32) + 0.5) / EYE_SIDE - np.float32(0.5)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    luck = Chance(person.details, 5)
    rays = sum(
        np.sin(angle * (8 + 5 * k) + np.float32(luck.uniform(0, 6.28))) * np.float32(0.13 / (1 + 0.3 * k))
        for k in range(6)
    )
    t = radius / np.float32(IRIS)
    shade = (0.75 + 0.75 * t) * (1 + rays * smooth(0.3, 0.8, t)) * (1 - 0.72 * smooth(0.8, 1.0, t))
    colour = np.array(person.iris, np.float32) * shade[..., None]
    white = floats([0.66, 0.62, 0.58]) * (1 - 0.3 * smooth(0.2, 0.5, radius))[..., None]
    blood = floats([1.0, 0.93, 0.92])
    white = white * (blood + (1 - blood) * (1 - smooth(0.2, 0.42, radius))[..., None])
    edge = smooth(IRIS + 0.012, IRIS - 0.006, radius)[..., None]
    hole = smooth(PUPIL + 0.01, PUPIL - 0.006, radius)[..., None]
    eye: Floats = (white * (1 - edge) + colour * edge) * (1 - hole) + np.float32(0.006) * hole
    return eye.astype(np.float32)


def background(person: Person, side: int) -> Floats:
    """The scene behind the person (side, side, 3) in linear light, without sharp detail."""
    first, second = (np.array(c, np.float32) for c in person.backdrop)
    if person.background == "plain":
        return np.broadcast_to(first, (side, side, 3)).astype(np.float32)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    luck = Chance(person.details, 9)
    if person.background == "gradient":
        slope = luck.uniform(-0.6, 0.6)
        t = smooth(0.0, 1.1, (y + slope * (x - 0.5)).astype(np.float32))[..., None]
        return (first * (1 - t) + second * 0.7 * t).astype(np.float32)
    return _scene(first, second, luck, side)


def _scene(first: Floats, second: Floats, luck: Chance, side: int) -> Floats:
    """Blurred upright and flat shapes of related colours, as a room or a street out of focus."""
    small = 48
    y, x = np.mgrid[0:small, 0:small].astype(np.float32) / small
    picture = np.broadcast_to(first, (small, small, 3)).copy()
    horizon = luck.uniform(0.5, 0.95)
    picture += smooth(horizon - 0.03, horizon + 0.03, y)[..., None] * (second * np.float32(0.6) - picture)
    for _ in range(9):
        colour = (first if luck.chance(0.5) else second) * np.float32(luck.uniform(0.35, 1.7))
        colour = colour * np.array([luck.uniform(0.85, 1.15) for _ in range(3)], np.float32)
        px, py, w, h = luck.uniform(0, 1), luck.uniform(0, 1), luck.uniform(0.05, 0.22), luck.uniform(0.05, 0.5)
        soft = luck.uniform(0.04, 0.14)
        inside = smooth(w + soft, w - soft, np.abs(x - px)) * smooth(h + soft, h - soft, np.abs(y - py))
        picture += inside[..., None] * np.float32(luck.uniform(0.4, 0.9)) * (colour - picture)
    channels = [Image.fromarray(picture[..., k]).resize((side, side), Image.Resampling.BICUBIC) for k in range(3)]
    return floats(np.clip(np.stack([np.asarray(c) for c in channels], axis=-1), 0.005, 1.2))


def blushed(albedo: Floats, blush: float) -> Floats:
    """The skin with reddened cheeks; blush 1 is strong."""
    share = masks()["blush"][..., None] * np.float32(min(blush, 1.6))
    red: Floats = albedo * (1 - share * floats([0.0, 0.26, 0.21]))
    return red


@cache
def squared(key: str) -> Floats:
    """A fitted mesh's texture (h, w, 4) in linear light."""
    texture = asset().fitted(key).texture
    assert texture is not None
    return floats(texture**2)


def fabric(mesh: Fitted) -> Floats:
    """The folds of a piece of clothing (h, w, 4): the brightness of its texture around 1, without its colours."""
    assert mesh.texture is not None
    grey = mesh.texture[..., :3].mean(axis=-1, keepdims=True)
    level = np.clip(0.45 + 0.55 * grey / max(float(grey.mean()), 0.05), 0.2, 1.8) ** 2
    return floats(np.repeat(level, 4, axis=-1))
