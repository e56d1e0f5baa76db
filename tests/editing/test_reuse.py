"""Reuse: never at 0, only of steps that hardly change, one decision an edit, and never between sweeps."""

import pytest
import torch
from PIL import Image

import pxs
from pxs.cli import main
from pxs.editing.exact import DEFAULT, PLAIN
from pxs.editing.exact.transformer import Lean
from pxs.editing.reuse import Reuse
from pxs.errors import ScaleError
from pxs.expressions import sweep
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds
from pxs.images import psnr, to_array

MIXES = sweep("happy", (0, 0.5, 1.5))
STEPS = 12


@pytest.fixture(scope="module")
def face():
    return draw(Identity.sample(seeds("gallery", 1)[0]))


@pytest.fixture(scope="module")
def exact(editor, face):
    return [to_array(i) for i in editor.open(face).edit(MIXES, steps=STEPS, progress=False)]


def reusing(editor, reuse, savings=DEFAULT):
    return pxs.Editor(editor.checkpoint, savings, reuse=reuse)


def counted(editor):
    """How many edits go through the last block in each call of it."""
    calls = []
    last = editor.pipe.transformer.transformer_blocks[-1]
    hook = last.attn.to_q.register_forward_pre_hook(lambda _, given: calls.append(len(given[0])))
    return calls, hook


def test_steps_that_hardly_change_are_reused_and_the_pictures_stay_close(editor, face, exact):
    calls, hook = counted(editor)
    edits = reusing(editor, 0.1).open(face).edit(MIXES, steps=STEPS, progress=False)
    hook.remove()
    assert calls[0] == len(MIXES) and sum(calls) < 0.8 * STEPS * len(MIXES)
    quality = [psnr(to_array(a), b) for a, b in zip(edits, exact, strict=True)]
    assert min(quality) > 35 and max(quality) < 90  # close, but not the same


def test_a_smaller_threshold_costs_less_quality(editor, face, exact):
    def quality(reuse):
        edits = reusing(editor, reuse).open(face).edit(MIXES, steps=STEPS, progress=False)
        return min(psnr(to_array(a), b) for a, b in zip(edits, exact, strict=True))

    assert quality(0.1) > quality(0.3) + 3


def test_a_threshold_that_no_step_stays_below_changes_no_bit(editor, face, exact):
    edits = reusing(editor, 1e-9).open(face).edit(MIXES, steps=STEPS, progress=False)
    assert all((to_array(a) == b).all() for a, b in zip(edits, exact, strict=True))


def test_an_edit_decides_for_itself(editor, face):
    portrait = reusing(editor, 0.2).open(face)
    together = [s.latents for s in portrait.steps(MIXES, steps=STEPS)][-1]
    alone = torch.cat([[s.latents for s in portrait.steps([m], steps=STEPS)][-1] for m in MIXES])
    torch.testing.assert_close(together, alone, atol=2e-4, rtol=1e-3)


def test_nothing_is_remembered_from_one_sweep_to_the_next(editor, face):
    portrait = reusing(editor, 0.3).open(face)
    first = portrait.edit(MIXES, steps=STEPS, progress=False)
    portrait.edit(sweep("sad", (1, 1.5)), steps=STEPS, progress=False)
    again = portrait.edit(MIXES, steps=STEPS, progress=False)
    assert all((to_array(a) == to_array(b)).all() for a, b in zip(first, again, strict=True))


def test_reuse_works_without_any_other_saving(editor, face, exact):
    other = reusing(editor, 0.1, PLAIN)
    assert isinstance(other.prepare, Lean)
    edits = other.open(face).edit(MIXES, steps=STEPS, progress=False)
    assert min(psnr(to_array(a), b) for a, b in zip(edits, exact, strict=True)) > 40


def test_only_rows_that_are_due_run_and_the_others_get_what_was_added():
    """Two edits of one token and one channel: the first block adds 1 to both, then 1.05 and 2."""
    ran = []

    def others(image, text):
        ran.append(len(image))
        return image[:, :1] * 10

    before, text = torch.zeros(2, 1, 1), torch.zeros(2, 3, 1)
    reuse = Reuse(0.1)
    one = torch.ones(2, 2, 1)
    assert reuse(before, one, text, others).flatten().tolist() == [10, 10]
    next_rows = torch.tensor([1.05, 2.0])[:, None, None].expand(2, 2, 1)
    result = reuse(before, next_rows, text, others).flatten()
    assert result.tolist() == pytest.approx([1.05 + 9, 20]) and ran == [2, 1]
    assert reuse.first.flatten().tolist() == [1, 2]  # that of the last full step of each


@pytest.mark.parametrize("reuse", [-0.1, 1, float("nan")])
def test_an_impossible_threshold_is_refused(reuse):
    with pytest.raises(ScaleError, match="a share of change; 0 is never"):
        pxs.load("mini", reuse=reuse)


def test_the_command_line_takes_it_and_pictures_tell_of_it(face, tmp_path, capsys):
    face.save(tmp_path / "face.png")
    flags = ["edit", "--image-path", str(tmp_path / "face.png"), "--expression", "happy", "--scales", "1"]
    flags += ["--steps", "2", "--output-dir", str(tmp_path / "out")]
    assert main([*flags, "--reuse", "some"]) == 2 and "some" in capsys.readouterr().err
    assert main([*flags, "--reuse", "0.3"]) == 0
    (path,) = (tmp_path / "out").glob("*.png")
    with Image.open(path) as image:
        assert image.info["reuse"] == "0.3"
