"""The editor with savings left out: the same pictures; with a fixed batch: the same bits alone and among others."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import pxs
from pxs.editing.editor import Editor
from pxs.editing.exact import DEFAULT, PLAIN, Savings
from pxs.editing.exact.fixed_batch import full
from pxs.editing.exact.prompt_prefix import encode_shared
from pxs.editing.exact.transformer import Lean
from pxs.editing.exact.vae2d import StockVae
from pxs.editing.sampling import stock_velocity
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds

STEPS = 3
FACE = draw(Identity.sample(seeds("gallery", 1)[0])).resize((160, 96))
MIXES = pxs.sweep("surprised", [0, 0.7, 1.5])
SWITCHES = ("prefix", "modulation", "contiguous", "last_block", "vae2d")


@pytest.fixture(scope="module")
def plain(editor):
    """The edits of the stock modules, without any saving."""
    return Editor(editor.checkpoint, PLAIN).open(FACE).edit(MIXES, steps=STEPS)


@pytest.mark.parametrize(
    "savings",
    [DEFAULT, *(replace(DEFAULT, **{name: False}) for name in SWITCHES), replace(DEFAULT, fixed_batch=2)],
    ids=["all", *(f"without {name}" for name in SWITCHES), "fixed batch"],
)
def test_an_editor_makes_the_same_pictures_with_any_saving_left_out(editor, plain, savings):
    edits = Editor(editor.checkpoint, savings).open(FACE).edit(MIXES, steps=STEPS)
    for ours, theirs in zip(edits, plain, strict=True):
        assert np.abs(np.asarray(ours, int) - np.asarray(theirs, int)).max() <= 1


def test_without_savings_the_stock_modules_run(editor):
    other = Editor(editor.checkpoint, PLAIN)
    assert other.prepare is stock_velocity and isinstance(other.vae, StockVae) and other.vae.vae is editor.pipe.vae
    assert other.encode_prompts is not encode_shared


def test_savings_are_made_unless_told_otherwise():
    loaded = pxs.load("mini", adapter=None)
    assert loaded.savings == Savings() == DEFAULT and isinstance(loaded.prepare, Lean)
    assert pxs.load("mini", adapter=None, savings=PLAIN).prepare is stock_velocity


def final(portrait, mixes):
    return list(portrait.steps(mixes, steps=STEPS))[-1].latents


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_fixed_batch_gives_an_edit_the_same_bits_alone_and_among_others(dtype):
    portrait = pxs.load("mini", adapter=None, dtype=dtype, savings=Savings(fixed_batch=2)).open(FACE)
    together = final(portrait, MIXES)
    assert torch.equal(together, torch.cat([final(portrait, [mix]) for mix in MIXES]))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_fixed_batch_gives_a_picture_the_same_bits_alone_and_among_others(editor, size):
    portrait = Editor(editor.checkpoint, Savings(fixed_batch=size)).open(FACE)
    together = portrait.edit(MIXES, steps=STEPS)
    alone = [portrait.edit(mix, steps=STEPS) for mix in MIXES]
    assert [image.tobytes() for image in together] == [edits[0].tobytes() for edits in alone]
    assert [image.tobytes() for image in together.raw] == [edits.raw[0].tobytes() for edits in alone]


def test_batches_are_filled_with_copies_of_the_last_row():
    rows = torch.arange(10).view(5, 2)
    parts = full(rows, 3)
    assert [p.shape for p in parts] == [(3, 2), (3, 2)] and torch.equal(torch.cat(parts)[:5], rows)
    assert torch.equal(parts[1][2], rows[4]) and full(rows, 5)[0].shape == (5, 2)


def test_compiled_blocks_make_the_same_pictures(editor, plain, monkeypatch):
    compiled = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function: compiled(function, backend="eager"))
    edits = Editor(editor.checkpoint, compile=True).open(FACE).edit(MIXES, steps=STEPS)
    assert np.abs(np.asarray(edits[1], int) - np.asarray(plain[1], int)).max() <= 1
