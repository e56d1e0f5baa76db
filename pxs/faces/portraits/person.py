"""`Person`: everything about a rendered person that no expression changes. Data only; `picture.render` shows it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

from pxs.faces.portraits import looks
from pxs.faces.portraits.chance import Chance
from pxs.faces.portraits.looks import Colour
from pxs.faces.portraits.shape import AGEING, ASYMMETRIC, DETAILS, SYMMETRIC
from pxs.quantities import SEED

BLOCK = 100
"""People are drawn in blocks of so many consecutive numbers, within which no two may look too much alike."""

NEAREST = 9.0
"""The least distance between two people of a block in shape space, in standard deviations over all axes."""


RESTING = {
    "eyebrows-trans": 0.7,
    "eyebrows-angle": 0.5,
    "mouth-angles": 0.45,
    "eye-scale": 0.12,
    "eye-height2": 0.45,
    "head-outline-1": -0.3,
    "head-outline-2": 0.12,
    "chin-width": -0.3,
    "chin-bones": -0.15,
    "nose-scale-horiz": -0.1,
}
"""Means of shape axes that are not 0: its brows lie low, which strangers read as anger."""


@dataclass(frozen=True)
class Person:
    """A person, the clothes, the light and the camera. Colours are (red, green, blue) in linear light, 0..1.

    number       identity number; the same number is the same person on every machine
    sex          "female" or "male"; `age` in years, 16..90; `weight` 0..1
    origin       shares (African, Asian, European) of MakeHuman's head shapes, sum 1
    shape        the values of shape.DETAILS, -1..1
    skin         name of a skin map; `tone` its colour at the cheeks; `redness` of lips and cheeks around 1
    hair         a key of looks.HAIRS, `hair_colour`, `hair_mirrored`; `hair_line` 0..1 is how far it has receded
    brows        name of a brow; `brow_colour`; `lashes`; `iris` colour
    beard        a key of looks.BEARDS with `beard_density` 0..1; `freckles` 0..1
    glasses      a key of looks.GLASSES with `glasses_colour`
    details      seed of pores, moles, freckles and the iris pattern; `blemishes` 0..1 is how strong they are
    background   "plain", "gradient" or "scene" with `backdrop` (two colours)
    light        azimuth (degrees, 0 is the camera, positive from the right side of the picture), elevation (degrees),
                 strength around 1, and warmth -1..1
    pose         yaw, pitch and roll of the resting head in degrees
    face_share   width of the face as a share of the width of the picture
    offset       shift of the face from the centre as shares of the width, right and down
    mouth_open   how far the resting jaw hangs, 0..1 of the face unit jawOpen
    """

    number: int
    sex: str
    age: float
    weight: float
    origin: tuple[float, float, float]
    shape: tuple[float, ...]
    skin: str
    tone: Colour
    redness: float
    hair: str
    hair_colour: Colour
    hair_mirrored: bool
    hair_line: float
    brows: str
    brow_colour: Colour
    lashes: str
    iris: Colour
    beard: str
    beard_density: float
    freckles: float
    glasses: str
    glasses_colour: Colour
    details: int
    blemishes: float
    clothes: str
    clothes_colour: Colour
    background: str
    backdrop: tuple[Colour, Colour]
    light: tuple[float, float, float, float]
    pose: tuple[float, float, float]
    face_share: float
    offset: tuple[float, float]
    mouth_open: float

    @classmethod
    def sample(cls, number: int) -> Person:
        """The person with this number; raises ScaleError for another than a SEED."""
        number = SEED.named("person number")(number)
        return _block(number // BLOCK)[number % BLOCK]

    def symmetric(self) -> Person:
        """The same person with equal halves: for tests. Frontal, bald, lit from the camera, without blemishes."""
        shape = tuple(0.0 if d in ASYMMETRIC else x for d, x in zip(DETAILS, self.shape, strict=True))
        return replace(
            self, shape=shape, hair="bald", blemishes=0.0, background="plain", light=(0.0, 30.0, 1.0, 0.0),
            pose=(0.0, self.pose[1], 0.0), offset=(0.0, self.offset[1]), freckles=0.0, beard="none", clothes="none",
            glasses="none",
        )  # fmt: skip


def distance(a: Person, b: Person) -> float:
    """How different two heads are: the Euclidean distance over sex, age, origin and all details, in their spreads."""
    total = sum(((x - y) / d.spread) ** 2 for d, x, y in zip(DETAILS, a.shape, b.shape, strict=True) if d.spread)
    total += sum(((x - y) / 0.25) ** 2 for x, y in zip(a.origin, b.origin, strict=True))
    total += ((a.age - b.age) / 12) ** 2 + (3.0 * (a.sex != b.sex)) ** 2
    return math.sqrt(total)


@lru_cache(maxsize=16)
def _block(block: int) -> tuple[Person, ...]:
    """BLOCK people, each drawn again while it is a near twin of one before it."""
    people: list[Person] = []
    for number in range(block * BLOCK, (block + 1) * BLOCK):
        for attempt in range(20):
            person = _draw(number, attempt)
            if all(distance(person, other) >= NEAREST for other in people):
                break
        people.append(person)
    return tuple(people)


def _draw(number: int, attempt: int) -> Person:
    luck = Chance(number, attempt)
    sex = luck.pick(("female", "male"))
    age = luck.pick((luck.uniform(16, 30), luck.uniform(25, 55), luck.uniform(50, 90)), (0.4, 0.35, 0.25))
    origin = _origin(luck)
    skin = looks.skin(luck, sex, age, origin)
    hair = looks.hair(luck, sex, age, origin)
    return Person(
        number=number,
        sex=sex,
        age=age,
        weight=min(max(luck.bell(0.5, 0.17), 0.05), 0.95),
        origin=origin,
        shape=_shape(luck, age),
        **skin,
        **hair,
        **looks.beard(luck, sex, age),
        **looks.glasses(luck, age),
        **looks.clothes(luck),
        **looks.surroundings(luck),
        details=number,
        blemishes=luck.uniform(0.6, 1.0),
        pose=_pose(luck),
        face_share=luck.uniform(0.605, 0.68),
        offset=(luck.uniform(-0.06, 0.06), luck.uniform(0.02, 0.07)),
        mouth_open=luck.uniform(0.02, 0.08) if luck.chance(0.25) else 0.0,
    )


def _origin(luck: Chance) -> tuple[float, float, float]:
    """One main origin with 65 to 100%, the rest from the others."""
    main = luck.pick((0, 1, 2))
    share = luck.uniform(0.65, 1.0)
    rest = luck.uniform(0, 1 - share)
    parts = [rest, 1 - share - rest]
    parts.insert(main, share)
    return (parts[0], parts[1], parts[2])


def _shape(luck: Chance, age: float) -> tuple[float, ...]:
    drawn = [min(max(luck.bell(RESTING.get(d.name, 0.0), d.spread), -1.0), 1.0) for d in (*SYMMETRIC, *ASYMMETRIC)]
    ageing = -0.25 if age < 22 else 0.0 if age < 60 else 0.25
    values = dict(zip((*SYMMETRIC, *ASYMMETRIC), drawn, strict=True)) | {AGEING: ageing}
    return tuple(values[d] for d in DETAILS)


def _pose(luck: Chance) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees, mostly small, never beyond 15, 8 and 8."""
    yaw, pitch, roll = luck.bell(0, 6.5), luck.bell(0, 3), luck.bell(0, 3)
    return (min(max(yaw, -15.0), 15.0), min(max(pitch, -8.0), 8.0), min(max(roll, -8.0), 8.0))
