"""The recipe "published" against the steps of the public script on stock diffusers, kept apart from the package."""

import ast
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import pxs
from pxs.editing import conditioning
from pxs.editing.bundled import BUNDLED
from pxs.editing.editor import Editor
from pxs.editing.exact import PLAIN
from pxs.editing.sampling import schedule
from pxs.images import crop_square

STEPS, SEED = 2, 11
SCRIPT = Path(__file__).with_name("published_script.py")
WAYS = {
    "score_one_all": conditioning.all_tokens,
    "score_one": conditioning.last_seven,
    "score_one_exp": conditioning.last_six,
    "score_one_tgt": conditioning.word_alone,
    "score_scale": conditioning.scaled_word,
}


@pytest.fixture(scope="module")
def script():
    return SimpleNamespace(**runpy.run_path(str(SCRIPT)))


@pytest.fixture(scope="module")
def folder(script, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    script.save_tiny_checkpoint(folder, BUNDLED["mini"])
    return folder


@pytest.fixture(scope="module")
def source():
    """A picture that is neither square nor of the model's size."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 44, 3), dtype=np.uint8)).resize((613, 830))


@pytest.fixture(scope="module")
def plain(folder, source):
    """A portrait of an editor without savings, which runs the stock modules."""
    return pxs.load(folder, recipe="published", savings=PLAIN).open(source)


@pytest.fixture(scope="module")
def reference(script, folder, source):
    """What the script computes: the crop, its embeddings, and the latents and picture of one edit."""
    pipe = script.load_pipe(folder)
    crop = script.crop(source)
    embeddings = {word: script.encode(pipe, crop, word) for word in ("neutral", "happy")}
    text = script.interpolated(*embeddings.values(), 0.7, "score_one_all")
    picture = script.run_edit(pipe, crop, text, SEED, STEPS)
    return SimpleNamespace(pipe=pipe, crop=crop, embeddings=embeddings, picture=picture)


def test_the_reference_imports_nothing_of_the_package():
    names = [
        name
        for node in ast.walk(ast.parse(SCRIPT.read_text()))
        for name in (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]
    assert "diffusers" in names and not any(name.split(".")[0] in ("pxs", "tests", "analysis") for name in names)


BOXES = {
    "no box": None,
    "a face at the top": (200.5, 20, 330, 200),
    "a face in a corner": (0, 700, 90.25, 830),
    "a face taller than the crop": (10, 0, 600, 830),
}


@pytest.mark.parametrize("size", [(613, 830), (830, 613), (300, 200), (512, 512), (1030, 1030), (40, 41)], ids=str)
@pytest.mark.parametrize("box", BOXES)
def test_the_crop_is_that_of_the_script(script, source, size, box):
    sides = BOXES[box] and tuple(side * s / o for side, s, o in zip(BOXES[box], 2 * size, (613, 830) * 2, strict=True))
    image = source.resize(size)
    crop = crop_square(image, 512, sides)
    assert crop.size == (512, 512) and crop == script.crop(image, sides)


def test_the_embeddings_are_those_of_the_script_bit_for_bit(plain, reference):
    for word, expected in reference.embeddings.items():
        assert torch.equal(plain.embeddings[word], expected[0])
    assert plain.prepared.described == reference.crop
    assert len(plain.embeddings["happy"]) == 324 + 20  # 18 x 18 tokens of the picture; 384 x 384 pixels take 14 x 14


def test_the_fitted_recipe_shows_the_text_encoder_fewer_tokens(folder, source):
    embeddings = pxs.load(folder, recipe="fitted").open(source.resize((512, 512))).embeddings
    assert len(embeddings["happy"]) == 196 + 20


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("score", [0.0, 0.7, 1.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_five_ways_of_interpolation_are_those_of_the_script(script, way, score, dtype):
    draw = torch.Generator().manual_seed(3)
    neutral, target = torch.randn(2, 1, 12, 8, generator=draw).to(dtype)
    before = neutral.clone(), target.clone()
    ours = WAYS[way](neutral, target, score)
    assert ours.dtype == dtype and torch.equal(ours, script.interpolated(neutral, target, score, way))
    assert torch.equal(neutral, before[0]) and torch.equal(target, before[1])
    mixed = conditioning.interpolate_by(WAYS[way], {"neutral": neutral[0], "happy": target[0]}, [pxs.Mix(happy=score)])
    assert torch.equal(mixed, ours if score else neutral)


def test_expressions_of_a_mix_add_their_changes():
    rows = dict(zip(("neutral", "happy", "sad"), torch.randn(3, 12, 8), strict=True))
    mixed = conditioning.interpolate_by(conditioning.all_tokens, rows, [pxs.Mix(happy=0.5, sad=2)])[0]
    wanted = rows["neutral"] + 0.5 * (rows["happy"] - rows["neutral"]) + 2 * (rows["sad"] - rows["neutral"])
    torch.testing.assert_close(mixed, wanted)


def test_the_picture_is_that_of_the_script_bit_for_bit(plain, reference):
    edits = plain.edit(pxs.Mix(happy=0.7), SEED, STEPS, progress=False)
    assert edits[0].size == edits.source.size == (1024, 1024)
    assert edits[0] == reference.picture and edits.raw == edits.images
    assert np.asarray(edits[0]).std() > 5  # not one colour


def test_the_noise_levels_are_those_of_the_script(plain, reference):
    ours = schedule(plain.editor.pipe.scheduler, STEPS, 4096).sigmas
    assert torch.equal(ours, reference.pipe.scheduler.sigmas)


def test_the_savings_change_no_more_than_rounding(plain, source, reference):
    """Batches of another size, 2-D convolutions and the table of modulations add up in another order."""
    portrait = Editor(plain.editor.checkpoint).open(source)
    for word, expected in reference.embeddings.items():
        torch.testing.assert_close(portrait.embeddings[word], expected[0], atol=2e-5, rtol=1e-5)
    edits = portrait.edit([pxs.Mix(happy=0.7), pxs.Mix()], SEED, STEPS, progress=False)
    assert np.abs(np.asarray(edits[0], int) - np.asarray(reference.picture, int)).max() <= 1


def test_noise_is_drawn_in_the_dtype_of_the_model():
    like = torch.zeros(1, dtype=torch.bfloat16)
    noise = pxs.editing.sampling.pipeline_noise(5, 4, (6, 10), like)
    drawn = torch.randn(1, 1, 4, 6, 10, generator=torch.Generator().manual_seed(5), dtype=torch.bfloat16)
    assert torch.equal(noise, pxs.editing.sampling.pack(drawn[0]))
    assert not torch.equal(noise.float(), pxs.editing.sampling.seeded_noise(5, 4, (6, 10)))
