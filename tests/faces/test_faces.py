"""Tests of the drawn faces: pictures are reproducible, and expressions change them in proportion to intensity."""

import functools
import hashlib
import itertools
import math
import os
import re
import subprocess
import sys
from dataclasses import asdict
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pxs.errors import ExpressionError
from pxs.expressions import CONFUSABLE, DOMAINS, EXPRESSIONS, PAIRS, Mix
from pxs.faces.action_units import actions
from pxs.faces.draw import draw, svg
from pxs.faces.drawing.mouth import lips
from pxs.faces.drawing.style import STYLES
from pxs.faces.drawing.svg import blend, rgb, shade
from pxs.faces.identity import HAIRSTYLES, SEED_RANGES, Identity, seeds

styles = pytest.mark.parametrize("style", sorted(DOMAINS))
expressions = pytest.mark.parametrize("expression", EXPRESSIONS)
faces = st.tuples(
    st.integers(0, 10**6).map(Identity.sample),
    st.dictionaries(st.sampled_from(EXPRESSIONS), st.floats(-3, 3), max_size=4).map(Mix),
    st.sampled_from(sorted(DOMAINS)),
)

DIGEST = """
import hashlib
from pxs import Identity, Mix, draw
mix = Mix(happy=0.7, fear=0.4)
parts = [draw(Identity.sample(s), mix, k, 64).tobytes() for s in (3, 4) for k in ("anime", "human")]
print(hashlib.sha256(b"".join(parts)).hexdigest())
"""


@functools.cache
def pixels(seed: int, mix: Mix, style: str, size: int = 64) -> np.ndarray:
    """The picture as floats (size, size, 3)."""
    return np.asarray(draw(Identity.sample(seed), mix, style, size)).astype(float)


def distance(seed: int, mix: Mix, style: str) -> float:
    """The mean absolute difference between a face and its neutral version, over all pixels."""
    return float(np.abs(pixels(seed, mix, style) - pixels(seed, Mix(), style)).mean())


def change(expression: str, style: str) -> np.ndarray:
    """The change of four faces by an expression, as one vector of length 1."""
    parts = [pixels(s, Mix({expression: 1}), style) - pixels(s, Mix(), style) for s in range(4)]
    vector = np.concatenate(parts).ravel()
    return vector / np.linalg.norm(vector)


def test_another_process_draws_the_same_pictures():
    command = [sys.executable, "-W", "error", "-c", DIGEST]
    environment = {**os.environ, "PYTHONHASHSEED": "12"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    mix = Mix(happy=0.7, fear=0.4)
    parts = [draw(Identity.sample(s), mix, k, 64).tobytes() for s in (3, 4) for k in ("anime", "human")]
    assert run.stdout.strip() == hashlib.sha256(b"".join(parts)).hexdigest()


@pytest.mark.parametrize("size", [16, 65, 128])
@styles
def test_pictures_are_rgb_of_the_requested_size(style, size):
    picture = draw(Identity.sample(1), Mix(sad=1), style, size)
    assert picture.mode == "RGB" and picture.size == (size, size)


@styles
def test_a_larger_picture_shows_the_same_face(style):
    mix = Mix(happy=1, fear=0.5)
    for seed in range(4):
        large = draw(Identity.sample(seed), mix, style, 256).resize((128, 128), Image.Resampling.BOX)
        small = pixels(seed, mix, style, 128)
        difference = np.abs(np.asarray(large) - small).mean()
        assert difference < 1.5 and difference < 0.6 * np.abs(pixels(seed, Mix(), style, 128) - small).mean()


def test_the_two_styles_are_different_pictures():
    for seed in range(4):
        assert np.abs(pixels(seed, Mix(), "human") - pixels(seed, Mix(), "anime")).mean() > 5


@styles
@expressions
def test_intensity_zero_is_the_neutral_picture(expression, style):
    assert (
        draw(Identity.sample(2), Mix({expression: 0}), style, 64).tobytes()
        == draw(Identity.sample(2), style=style, size=64).tobytes()
    )


@styles
@expressions
def test_the_difference_from_neutral_grows_with_intensity(expression, style):
    for seed in range(3):
        distances = [distance(seed, Mix({expression: step / 4}), style) for step in range(7)]
        assert all(a < b for a, b in itertools.pairwise(distances)), distances


@styles
def test_any_two_expressions_give_different_pictures(style):
    for a, b in itertools.combinations((Mix(), *(Mix({name: 1}) for name in EXPRESSIONS)), 2):
        assert np.abs(pixels(0, a, style) - pixels(0, b, style)).max() > 30, f"{a} / {b}"


@styles
def test_the_confusable_pairs_are_the_most_similar_basic_pairs(style):
    similarity = {pair: float(change(pair[0], style) @ change(pair[1], style)) for pair in PAIRS}
    nearest = sorted(similarity, key=similarity.get)[-2:]
    assert set(map(frozenset, nearest)) == set(map(frozenset, CONFUSABLE))


@styles
def test_no_expression_changes_the_upper_corners(style):
    for seed, expression in itertools.product(range(2), EXPRESSIONS):
        changed = np.abs(pixels(seed, Mix({expression: 1.5}), style) - pixels(seed, Mix(), style))[:6]
        assert changed[:, :6].max() == changed[:, -6:].max() == 0, (seed, expression)


@styles
def test_the_same_expression_on_another_face_is_another_picture(style):
    pictures = {draw(Identity.sample(seed), Mix(happy=1), style, 32).tobytes() for seed in range(20)}
    assert len(pictures) == 20


@styles
def test_contempt_moves_one_corner_of_the_mouth_only(style):
    identity = Identity.sample(5)
    rest, moved = (lips(identity, actions(mix), STYLES[style]) for mix in (Mix(), Mix(contempt=1)))
    assert moved.left == rest.left and moved.right[1] < rest.right[1] - 3


@styles
def test_a_smile_raises_both_corners_of_the_mouth_and_sadness_lowers_them(style):
    identity = Identity.sample(5)
    rest, smile, frown = (lips(identity, actions(m), STYLES[style]) for m in (Mix(), Mix(happy=1), Mix(sad=1)))
    for corner in ("left", "right"):
        assert getattr(smile, corner)[1] < getattr(rest, corner)[1] < getattr(frown, corner)[1]


@styles
def test_surprise_opens_the_mouth(style):
    rest, open_ = (lips(Identity.sample(5), actions(m), STYLES[style]) for m in (Mix(), Mix(surprised=1)))
    assert open_.bottom - open_.top > rest.bottom - rest.top + 8


@settings(max_examples=60, deadline=None)
@given(faces)
def test_every_face_is_well_formed_svg_of_finite_numbers_and_valid_colours(face):
    document = svg(*face)
    root = ElementTree.fromstring(document)
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("viewBox") == "0 0 128 128"
    assert not re.search(r"\b(nan|inf)\b", document, re.IGNORECASE)
    for element in root.iter():
        for name, value in element.items():
            if name.endswith("opacity"):
                assert 0 <= float(value) <= 1, (element.tag, name, value)
            if name in ("fill", "stroke", "stop-color"):
                assert re.fullmatch(r"#[0-9a-f]{6}|none|url\(#\w+\)", value)


@settings(max_examples=30, deadline=None)
@given(faces)
def test_every_reference_in_the_svg_has_exactly_one_target(face):
    document = svg(*face)
    targets = re.findall(r' id="(\w+)"', document)
    assert len(targets) == len(set(targets)) and set(re.findall(r"url\(#(\w+)\)", document)) <= set(targets)


@settings(max_examples=15, deadline=None)
@given(faces)
def test_every_face_can_be_rasterised(face):
    assert np.asarray(draw(*face, 32)).std() > 5


@given(st.integers(0, 10**9))
@settings(max_examples=60, deadline=None)
def test_a_seed_is_always_the_same_identity_within_the_documented_ranges(seed):
    identity = Identity.sample(seed)
    assert identity == Identity.sample(seed) and identity.seed == seed
    assert all(re.fullmatch("#[0-9a-f]{6}", v) for v in asdict(identity).values() if str(v).startswith("#"))
    assert all(0 <= getattr(identity, name) <= 1 for name in ("jaw", "lips", "brow_arch", "age", "fringe"))
    assert identity.hairstyle in HAIRSTYLES and identity.glasses in ("none", "round", "square")


def test_the_identity_of_a_seed_has_not_changed_since_the_models_were_trained():
    identity = Identity.sample(7)
    features = (identity.skin, identity.hair, identity.hairstyle, identity.glasses, identity.iris)
    assert features == ("#9f6444", "#8a8791", "bob", "none", "#678eab")
    assert identity.half_width == pytest.approx(36.267487)


def test_neighbouring_seeds_are_different_people():
    people = [tuple(v for k, v in asdict(Identity.sample(s)).items() if k != "seed") for s in range(200)]
    assert len(set(people)) == 200


def test_different_purposes_share_no_seeds():
    for a, b in itertools.combinations(SEED_RANGES.values(), 2):
        assert a.stop <= b.start or b.stop <= a.start
    assert all(len(numbers) >= 1000 for numbers in SEED_RANGES.values())


@pytest.mark.parametrize("purpose", SEED_RANGES)
def test_seeds_are_distinct_and_start_continues_the_sequence(purpose):
    assert seeds(purpose, 7) == seeds(purpose, 3) + seeds(purpose, 4, start=3)
    assert set(seeds(purpose, 7)) <= set(SEED_RANGES[purpose]) and len(set(seeds(purpose, 7))) == 7


def test_the_last_seeds_of_a_purpose_are_valid_and_one_more_is_refused():
    end = len(SEED_RANGES["test"])
    assert seeds("test", 2, end - 2) == [SEED_RANGES["test"].stop - 2, SEED_RANGES["test"].stop - 1]
    with pytest.raises(ValueError, match=f"3 from {end - 2} are too many"):
        seeds("test", 3, end - 2)


@pytest.mark.parametrize("size", [15, 0, -128])
def test_a_size_that_is_too_small_is_refused(size):
    with pytest.raises(ValueError, match=f"size {size} "):
        draw(Identity.sample(0), size=size)


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="seed -1 "):
        Identity.sample(-1)


def test_an_unknown_style_is_refused_and_the_known_ones_are_named():
    with pytest.raises(ExpressionError, match="'cartoon'.*human, anime"):
        draw(Identity.sample(0), Mix(), "cartoon")


@given(st.tuples(*[st.integers(0, 255)] * 6), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_blended_colours_lie_between_the_two(channels, share):
    a, b = ("#{:02x}{:02x}{:02x}".format(*channels[i : i + 3]) for i in (0, 3))
    assert (blend(a, b, 0), blend(a, b, 1)) == (a, b)
    for x, y, z in zip(rgb(a), rgb(blend(a, b, share)), rgb(b), strict=True):
        assert min(x, z) - 0.5 / 255 <= y + 1e-9 and y - 1e-9 <= max(x, z) + 0.5 / 255


def test_shading_darkens_below_one_and_lightens_above_one():
    def brightness(colour: str) -> float:
        return math.fsum(rgb(colour))

    assert shade("#b47a52", 1) == "#b47a52"
    assert (
        brightness(shade("#b47a52", 0.5))
        < brightness(shade("#b47a52", 0.8))
        < brightness("#b47a52")
        < brightness(shade("#b47a52", 1.3))
    )
