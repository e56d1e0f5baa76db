"""Tests of `mini-portrait` on rendered people that it was not trained on."""

import numpy as np
import pytest

import pxs
from pxs.editing.bundled import BUNDLED, bundled
from pxs.editing.editor import load
from pxs.errors import ModelError
from pxs.expressions import EXPRESSIONS, Mix
from pxs.faces.identity import seeds
from pxs.images import psnr, to_array
from pxs.mini.accuracy import Face
from pxs.storage.hashes import folder_hashes

PEOPLE = seeds("held_out", 2, 6_000)
SHOWN = ("happy", "surprised", "sleepy", "shy")


@pytest.fixture(scope="module")
def base():
    """The model without its adapter."""
    return load("mini-portrait", adapter=None)


@pytest.fixture(scope="module")
def gains(base):
    """Expression -> gain of each person in the pixels that change, dB over the unedited source."""
    found = {e: [] for e in SHOWN}
    for number in PEOPLE:
        face = Face.sample(number, "person", base.checkpoint.resolution)
        images = base.open(face.source).edit([Mix({e: 1}) for e in SHOWN], seed=number, steps=12)
        for expression, image in zip(SHOWN, images, strict=True):
            index = 1 + EXPRESSIONS.index(expression)
            truth, changed = face.truth[index], face.changed(index)
            gain = psnr(to_array(image), truth, changed) - psnr(face.truth[0], truth, changed)
            found[expression].append(gain)
    return found


def test_edits_come_nearer_to_the_truth_than_the_source_is(gains):
    means = {e: float(np.mean(values)) for e, values in gains.items()}
    assert min(means.values()) > 0.5 and np.mean(list(means.values())) > 2, means


def test_mini_does_not_edit_these_people(editor, gains):
    with pytest.warns(UserWarning, match="drawn people and drawn characters only"):
        face = Face.sample(PEOPLE[0], "person", 256)
        image = editor.open(face.source).edit(Mix(happy=1), seed=PEOPLE[0], steps=12)[0]
    index = 1 + EXPRESSIONS.index("happy")
    small = Face.sample(PEOPLE[0], "person", editor.checkpoint.resolution)
    changed = small.changed(index)
    truth = small.truth[index]
    side = small.source.size
    gain = psnr(to_array(image.resize(side)), truth, changed) - psnr(small.truth[0], truth, changed)
    assert gain < gains["happy"][0]


def test_it_is_unpacked_whole_and_known_by_its_hashes(base):
    folder = bundled("mini-portrait")
    assert folder != BUNDLED["mini-portrait"] and bundled("mini-portrait") == folder
    assert folder_hashes(folder) != folder_hashes(BUNDLED["mini"])
    assert base.checkpoint.styles == ("person", "anime")
    assert (folder / "tokenizer" / "tokenizer.json").read_bytes() == (
        BUNDLED["mini"] / "tokenizer" / "tokenizer.json"
    ).read_bytes()


def test_it_still_edits_drawn_characters(base):
    face = Face.sample(PEOPLE[0], "anime", base.checkpoint.resolution)
    image = base.open(face.source, "anime").edit(Mix(sleepy=1), seed=1, steps=12)[0]
    index = 1 + EXPRESSIONS.index("sleepy")
    changed = face.changed(index)
    assert psnr(to_array(image), face.truth[index], changed) > psnr(face.truth[0], face.truth[index], changed) + 3


def test_an_unknown_model_is_told_the_bundled_ones():
    with pytest.raises(ModelError, match="give mini, mini-portrait, a checkpoint folder"):
        pxs.load("mini-portraits")
