"""Tests of rendered pictures: exact, monotone, symmetric where the person is, framed as stated, eyes never covered."""

import functools
import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pxs.errors import ScaleError
from pxs.expressions import EXPRESSIONS, Mix
from pxs.faces import RENDERED
from pxs.faces.action_units import NAMES, actions
from pxs.faces.portraits import Person, Sitter, render, styling
from pxs.faces.portraits.asset import asset
from pxs.faces.portraits.geometry import face_vertices
from pxs.faces.portraits.looks import GLASSES, HAIRS
from pxs.faces.portraits.units import TABLE, motion
from pxs.faces.render import Drawing
from pxs.faces.render import render as render_many

expressions = pytest.mark.parametrize("expression", EXPRESSIONS)

DIGEST = """
import hashlib
from pxs.expressions import Mix
from pxs.faces.portraits import Person, render
parts = [render(Person.sample(n), Mix(happy=0.7, fear=0.4), 96).tobytes() for n in (3, 4)]
print(hashlib.sha256(b"".join(parts)).hexdigest())
"""


@functools.cache
def sitter(number: int) -> Sitter:
    """A person in front of the camera."""
    return Sitter(Person.sample(number))


def pixels(person: Person, mix: Mix, size: int = 128, **options) -> np.ndarray:
    """The picture as floats (size, size, 3)."""
    return np.asarray(render(person, mix, size, **options)).astype(float)


def test_other_processes_with_other_thread_counts_make_the_same_bits():
    parts = [render(Person.sample(n), Mix(happy=0.7, fear=0.4), 96).tobytes() for n in (3, 4)]
    here = hashlib.sha256(b"".join(parts)).hexdigest()
    for threads in ("2",):
        environment = {
            **os.environ,
            "NUMBA_NUM_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            "PYTHONHASHSEED": threads,
        }
        command = [sys.executable, "-W", "error", "-c", DIGEST]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert run.stdout.strip() == here


@expressions
def test_intensity_zero_is_the_neutral_picture_to_the_bit(expression):
    person = Person.sample(11)
    neutral = render(person, Mix(), 64).tobytes()
    assert render(person, Mix({expression: 0.0}), 64).tobytes() == neutral
    assert render(person, Mix({expression: 1.0}), 64).tobytes() != neutral
    assert render(person, Mix(), 64).tobytes() == neutral  # and nothing of an expression stays behind


@expressions
@pytest.mark.parametrize("number", [1, 12])
def test_the_driven_vertices_move_further_the_stronger_the_expression(expression, number):
    person = sitter(number)
    rest = person.face(motion(actions(Mix())))
    moved = [
        np.linalg.norm(person.face(motion(actions(Mix({expression: x})))) - rest, axis=1) for x in (0.3, 0.6, 1, 1.5)
    ]
    heads = [np.linalg.norm(motion(actions(Mix({expression: x}))).head) for x in (0.3, 0.6, 1, 1.5)]
    driven = moved[-1] > 0.01
    assert driven.any() or heads[-1] > 0
    for less, more in zip(moved, moved[1:], strict=False):
        assert (more[driven] > less[driven]).all()
    assert heads == sorted(heads)


@expressions
def test_half_the_intensity_moves_every_vertex_half_as_far(expression):
    rest, half, full = (sitter(2).face(motion(actions(Mix({expression: x})))) for x in (0, 0.5, 1))
    np.testing.assert_allclose(half - rest, (full - rest) / 2, atol=2e-6)


@pytest.mark.parametrize("mix", [Mix(), Mix(happy=1), Mix(surprised=0.8, fear=0.4)], ids=str)
def test_a_symmetric_person_gives_a_mirrored_picture(mix):
    symmetric, usual = (
        np.abs(picture - picture[:, ::-1]).max(axis=2)
        for picture in (pixels(Person.sample(21).symmetric(), mix), pixels(Person.sample(21), mix))
    )
    # single hairs of the brows and the reflections in the eyes are not mirrored
    assert np.median(symmetric) <= 1 and (symmetric > 40).mean() < 0.003 < 0.05 < (usual > 40).mean()


def test_contempt_of_a_symmetric_person_is_on_one_side_only():
    person = Person.sample(21).symmetric()
    change = np.abs(pixels(person, Mix(contempt=1)) - pixels(person, Mix())).sum(axis=2)
    assert change[:, 64:].sum() > 3 * change[:, :64].sum()


def test_the_face_is_framed_as_documented():
    for number in range(200_000, 200_040):
        person = sitter(number)
        still = motion(actions(Mix()))
        points = person.neck.turn(person.face(still), person.pose(still))
        x, y, _ = person.camera.project(points[face_vertices()], 256).T / 256
        assert 0.60 <= np.ptp(x) <= 0.75
        assert abs((x.max() + x.min()) / 2 - 0.5) <= 0.08 and abs((y.max() + y.min()) / 2 - 0.5) <= 0.08


def eye_mask(person: Sitter, size: int) -> np.ndarray:
    """True where the eyeballs are seen in the neutral picture: their projected middle, 70% of the opening."""
    still = motion(actions(Mix()))
    points = person.neck.turn(person.face(still), person.pose(still))
    y, x = np.mgrid[0:size, 0:size] + 0.5
    mask = np.zeros((size, size), bool)
    for eye in asset().eyes:
        cx, cy, _ = person.camera.project(points[eye], size).mean(axis=0)
        radius = 0.085 * person.camera.focal * size / 11
        mask |= (x - cx) ** 2 + ((y - cy) / 0.6) ** 2 < radius**2
    return mask


@pytest.mark.parametrize("style", [name for name, mesh in HAIRS.items() if mesh])
def test_hair_never_covers_an_eye(style):
    for number, yaw in ((31, -14.0), (32, 0.0), (33, 14.0)):
        person = replace(Person.sample(number), hair=style, glasses="none", pose=(yaw, 0.0, 0.0), hair_mirrored=yaw > 0)
        bald = replace(person, hair="bald")
        change = np.abs(pixels(person, Mix()) - pixels(bald, Mix())).max(axis=2)
        inside = eye_mask(Sitter(person), 128)
        assert inside.sum() > 20
        assert (change[inside] > 40).mean() < 0.02  # a lock over an eye changes 27% and more of its pixels so much
    assert (change > 40).mean() > 0.04  # and hair is there at all


def test_a_fringe_that_is_not_lifted_would_be_noticed(monkeypatch):
    monkeypatch.setattr(styling, "FRINGES", ())
    person = replace(Person.sample(31), hair="bob 1", glasses="none", pose=(0.0, 0.0, 0.0))
    change = np.abs(Sitter(person).picture(Mix(), 128) - Sitter(replace(person, hair="bald")).picture(Mix(), 128))
    assert (change.max(axis=2)[eye_mask(Sitter(person), 128)] > 0.05).mean() > 0.1


def test_blinking_closes_the_eye():
    person = Person.sample(6)
    open_, shut = (sitter(6).face(motion(actions(m))) for m in (Mix(), Mix(sleepy=1)))
    assert np.linalg.norm(shut - open_, axis=1).max() > 0.08
    mask = eye_mask(sitter(6), 128)
    assert np.abs(pixels(person, Mix(sleepy=1)) - pixels(person, Mix()))[mask].mean() > 10


@pytest.mark.parametrize("kind", GLASSES[1:])
def test_glasses_are_seen_and_leave_the_middle_of_the_eyes_free(kind):
    person = replace(Person.sample(31), pose=(0.0, 0.0, 0.0), hair="bald")
    change = np.abs(pixels(replace(person, glasses=kind), Mix()) - pixels(replace(person, glasses="none"), Mix())).max(
        axis=2
    )
    assert (change > 25).mean() > 0.01
    assert (change[eye_mask(Sitter(person), 128)] > 25).mean() < 0.05


def test_blush_reddens_the_cheeks():
    person = replace(Person.sample(21).symmetric(), tone=(0.6, 0.4, 0.3))
    shy, calm = (pixels(person, m) for m in (Mix(shy=1), Mix()))
    red = (shy[..., 0] - shy[..., 1]) - (calm[..., 0] - calm[..., 1])
    assert np.quantile(red, 0.97) > 12 and abs(np.median(red)) < 4


def test_the_head_moves_a_few_degrees_at_most():
    for expression in EXPRESSIONS:
        assert np.abs(motion(actions(Mix({expression: 1.0}))).head).max() <= 5


def test_every_action_unit_has_an_effect():
    known = set(TABLE) | {"53", "54", "55", "61", "skew", "blush"}
    assert known == set(NAMES)
    for row in TABLE.values():
        for unit in row:
            names = [unit[:-1] + side for side in ("Left", "Right")] if unit.endswith("*") else [unit]
            assert all(name in asset().units for name in names)


def test_many_pictures_are_those_made_one_by_one():
    pictures = render_many([Drawing(number, Mix(sad=0.5), RENDERED) for number in (5, 6)], 64, workers=1)
    assert pictures.shape == (2, 64, 64, 3)
    for picture, number in zip(pictures, (5, 6), strict=True):
        assert picture.tobytes() == render(Person.sample(number), Mix(sad=0.5), 64).tobytes()


def test_pictures_are_rgb_of_the_asked_size_and_tiny_ones_are_refused():
    picture = render(Person.sample(0), size=96)
    assert isinstance(picture, Image.Image) and picture.size == (96, 96) and picture.mode == "RGB"
    with pytest.raises(ScaleError, match="size 31 "):
        render(Person.sample(0), size=31)
