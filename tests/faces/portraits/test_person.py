"""Tests of people as data: the same everywhere, varied, never twins, and kept apart by purpose."""

import dataclasses
import itertools
import subprocess
import sys

import numpy as np
import pytest

from pxs.errors import ScaleError
from pxs.faces.identity import SEED_RANGES
from pxs.faces.portraits import Person
from pxs.faces.portraits.chance import Chance
from pxs.faces.portraits.looks import BEARDS, GLASSES, HAIRS, tone
from pxs.faces.portraits.person import BLOCK, NEAREST, distance
from pxs.faces.portraits.shape import DETAILS

PEOPLE = [Person.sample(number) for number in range(600)]


def test_a_number_is_the_same_person_in_another_process():
    command = "from pxs.faces.portraits.person import Person; print(repr(Person.sample(205_000)))"
    run = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == repr(Person.sample(205_000))


def test_the_random_stream_is_that_of_pcg64_and_does_not_depend_on_the_distributions_of_numpy():
    luck = Chance(5)
    raw = np.random.PCG64(np.random.SeedSequence((5,)))
    assert [luck.uniform() for _ in range(3)] == [int(raw.random_raw() >> 11) / 2**53 for _ in range(3)]


def test_a_negative_number_is_refused_and_shown():
    with pytest.raises(ScaleError, match="-3 is too small"):
        Person.sample(-3)


def test_no_two_people_of_a_block_are_near_twins():
    for block in (PEOPLE[:BLOCK], PEOPLE[BLOCK : 2 * BLOCK]):
        assert min(distance(a, b) for a, b in itertools.combinations(block, 2)) >= NEAREST


def test_people_drawn_without_the_rule_would_have_been_nearer():
    from pxs.faces.portraits.person import _draw

    redrawn = [n for n in range(600) if _draw(n, 0) != PEOPLE[n]]
    assert redrawn, "the rule against twins never acted: NEAREST is too small to mean anything"


def test_blocks_lie_inside_the_ranges_of_the_purposes_so_that_held_out_people_depend_on_no_others():
    for numbers in SEED_RANGES.values():
        assert numbers.start % BLOCK == 0 and numbers.stop % BLOCK == 0
    people = {
        p: {dataclasses.replace(Person.sample(r.start + i), number=0) for i in range(50)}
        for p, r in SEED_RANGES.items()
    }
    for a, b in itertools.combinations(people.values(), 2):
        assert not a & b


def test_people_are_as_wide_as_documented():
    assert {p.sex for p in PEOPLE} == {"female", "male"}
    ages = [p.age for p in PEOPLE]
    assert 16 <= min(ages) < 18 and 85 < max(ages) <= 90
    for name, choices in (("hair", HAIRS), ("beard", BEARDS), ("glasses", GLASSES)):
        assert {getattr(p, name) for p in PEOPLE} == set(choices), name
    assert {p.background for p in PEOPLE} == {"plain", "gradient", "scene"}
    yaw, pitch, roll = np.abs([p.pose for p in PEOPLE]).max(axis=0)
    assert 12 < yaw <= 15 and 5 < pitch <= 8 and 5 < roll <= 8
    assert 0.1 < np.mean([p.mouth_open > 0 for p in PEOPLE]) < 0.45
    assert all(p.beard == "none" for p in PEOPLE if p.sex == "female")
    assert all(len(p.shape) == len(DETAILS) and max(map(abs, p.shape)) <= 1 for p in PEOPLE)
    assert all(abs(sum(p.origin) - 1) < 1e-9 for p in PEOPLE)


@pytest.mark.parametrize("melanin", [0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
@pytest.mark.parametrize("warmth", [-1.0, 0.0, 1.0])
def test_every_skin_tone_is_a_brown_of_natural_hue_and_not_red(melanin, warmth):
    red, green, blue = (255 * np.array(tone(melanin, warmth)) ** (1 / 2.2)).tolist()
    assert red > green > blue
    hue = (green - blue) / (red - blue) * 60
    assert 11 < hue < 32, hue  # photographs of skin lie between 12 and 30 degrees; 0 is red


def test_tones_run_from_very_light_to_very_dark():
    brightness = [sum(tone(m, 0)) for m in np.linspace(0, 1, 11)]
    assert brightness == sorted(brightness, reverse=True) and brightness[0] > 12 * brightness[-1]


def test_age_turns_hair_grey_and_glasses_more_common():
    def saturation(p: Person) -> float:
        return (max(p.hair_colour) - min(p.hair_colour)) / max(p.hair_colour)

    old, young = [p for p in PEOPLE if p.age > 78], [p for p in PEOPLE if p.age < 40]
    assert max(map(saturation, old)) < 0.45 < np.median([saturation(p) for p in young])
    assert np.mean([p.glasses != "none" for p in old]) > np.mean([p.glasses != "none" for p in young])
