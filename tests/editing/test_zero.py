"""Intensity 0 as the source: exact at 0, the model's own bits from FULL on, and the formula between."""

import numpy as np
import pytest
import torch

import pxs
from pxs.cli import main
from pxs.editing.sampling import pack, stock_velocity
from pxs.editing.zero import FULL, from_source, model_share, with_detail
from pxs.errors import ModelError
from pxs.expressions import Mix
from pxs.images import from_array, open_image, read_text

STEPS = 3


@pytest.fixture(scope="module")
def face():
    return pxs.draw(pxs.Identity.sample(400003), Mix(happy=0.6))


@pytest.fixture(scope="module")
def anchored(editor):
    return pxs.Editor(editor.checkpoint, zero="source")


def test_the_share_of_the_model_rises_with_the_largest_intensity():
    shares = [model_share(Mix(happy=a, sad=-a / 2)) for a in np.linspace(-2, 2, 41)]
    assert shares[20] == 0 and np.allclose(shares, shares[::-1])
    assert (np.diff(shares[20:]) >= 0).all() and (np.diff(shares[20:31]) > 0).all()
    assert {model_share(Mix(fear=a)) for a in (FULL, 1.5, -3)} == {1.0}


def test_at_0_the_latents_are_those_of_the_source_and_the_picture_is_it(anchored, face):
    portrait = anchored.open(face)
    for mixes in ([Mix()], [Mix(), Mix(sad=0.5)]):
        *_, last = portrait.steps(mixes, steps=STEPS)
        torch.testing.assert_close(last.latents[:1], pack(portrait.latents), atol=1e-5, rtol=0)
    assert portrait.edit(Mix(), steps=STEPS, progress=False)[0] == face


@pytest.mark.parametrize("size", [128, 200])
def test_larger_pictures_come_back_to_the_byte_at_0(anchored, size):
    face = pxs.draw(pxs.Identity.sample(7), Mix(sad=0.5), "anime", size=size)
    assert anchored.open(face, "anime").edit(Mix(), steps=2, progress=False)[0] == face


def test_from_full_on_edits_keep_their_bits(editor, anchored, face):
    mixes = [Mix(), Mix(happy=0.4), Mix(sad=FULL), Mix(fear=1.5, sad=-0.2)]
    ours, plain = (e.open(face).edit(mixes, steps=STEPS, progress=False) for e in (anchored, editor))
    assert [a == b for a, b in zip(ours, plain, strict=True)] == [False, False, True, True]


def test_between_the_models_loss_on_the_way_of_the_source_is_added(transformer, sweep):
    """Against the formula, written out with the transformer's own velocities."""
    draw = torch.Generator().manual_seed(3)
    source, noise = (torch.randn(1, len(sweep.latents[0]), 16, generator=draw) for _ in range(2))
    shares, neutral = [0.0, 0.25, 0.9, 1.0], sweep.text[:1] * 0.5
    prepare = from_source(stock_velocity, source, neutral, shares)
    velocity = prepare(transformer, sweep.times, sweep.control, sweep.text, sweep.grid)
    own = stock_velocity(transformer, sweep.times, sweep.control, sweep.text, sweep.grid)
    alone = stock_velocity(transformer, sweep.times, sweep.control, neutral, sweep.grid)
    velocity(0, noise.expand_as(sweep.latents))
    for index, level in enumerate(sweep.times[1:], start=1):
        loss = noise - source - alone(index, (1 - level) * source + level * noise)
        expected = own(index, sweep.latents) + (1 - torch.tensor(shares))[:, None, None] * loss
        found = velocity(index, sweep.latents)
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)
        assert torch.equal(found[3], own(index, sweep.latents)[3])


def test_detail_that_the_vae_loses_comes_back_by_the_share():
    draw = np.random.default_rng(0)
    raw, fitted, decoded = (draw.uniform(0.4, 0.6, (4, 6, 3)) for _ in range(3))
    pictures = [from_array(x.astype(np.float32)) for x in (raw, fitted, decoded)]
    found = np.asarray(with_detail(*pictures, 0.25), float)
    r, f, d = (np.asarray(p, float) for p in pictures)
    assert np.abs(found - (r + 0.75 * (f - d))).max() <= 0.51
    assert with_detail(*pictures, 0) == pictures[1] and with_detail(*pictures, 1) == pictures[0]


def test_an_unknown_zero_is_refused():
    with pytest.raises(ModelError, match="neutral, source"):
        pxs.load("mini", zero="face")


def test_the_flag_is_in_the_file_and_comes_back_with_it(face, tmp_path):
    face.save(tmp_path / "face.png")
    common = ["edit", str(tmp_path / "face.png"), "--steps", "2", "--output-dir"]
    assert main([*common, str(tmp_path / "a"), "--expression", "neutral", "--zero", "source"]) == 0
    [first] = (tmp_path / "a").glob("*.png")
    assert read_text(first)["zero"] == "source" and open_image(first) == face
    assert main([*common, str(tmp_path / "b"), "--preset", str(first)]) == 0
    [second] = (tmp_path / "b").glob("*.png")
    assert read_text(second)["zero"] == "source" and open_image(second) == face
