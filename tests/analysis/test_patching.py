"""Patching: nothing gives the receiver, everything the donor, and where one block reads the text the map shows it."""

import numpy as np
import pandas as pd
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, QwenImageTransformer2DModel

from analysis.faces import drawn_faces
from analysis.patching import (
    ALL,
    BATCH,
    STREAMS,
    Outcome,
    Patch,
    PatchPlan,
    by_block,
    measure_patches,
    patch_portrait,
    patch_table,
    patching,
    run_patches,
)
from pxs.editing.sampling import denoise
from pxs.errors import DataError, ExpressionError, ModelError, ScaleError
from pxs.expressions import Mix

STEPS, BLOCKS = 3, 6
EVERYWHERE = Patch(STREAMS, tuple(range(BLOCKS)), tuple(range(STEPS)))
FEAR, SURPRISE = Mix(fear=1), Mix(surprised=1)


@pytest.fixture(scope="module")
def portrait(editor):
    return editor.open(drawn_faces([400000])[0].picture)


@pytest.fixture(scope="module")
def edits(portrait):
    """The latents of both edits after every step, made by the portrait itself: (2, STEPS, tokens, C)."""
    return torch.stack([step.latents for step in portrait.steps([FEAR, SURPRISE], 42, STEPS)], dim=1)


@pytest.fixture(scope="module")
def outcome(portrait):
    late = Patch(STREAMS, tuple(range(BLOCKS)), tuple(range(1, STEPS)))
    nothing = [Patch((), (0,), (0,)), Patch(("text",), (), ()), Patch(("text",), (BLOCKS - 1,), (0, 1, 2))]
    return patch_portrait(portrait, FEAR, SURPRISE, [EVERYWHERE, late, *nothing], 42, STEPS)


def test_the_two_ends_are_the_edits_themselves(outcome, edits):
    torch.testing.assert_close(outcome.receiver, edits[0, -1], atol=1e-4, rtol=0)
    torch.testing.assert_close(outcome.donor, edits[1, -1], atol=1e-4, rtol=0)


def test_patching_nothing_gives_the_receiver(outcome):
    """Also after the last block, whose text nobody reads."""
    torch.testing.assert_close(outcome.patched[2:], outcome.receiver.expand(3, -1, -1), atol=1e-5, rtol=0)


def test_patching_everything_gives_the_donor(outcome):
    torch.testing.assert_close(outcome.patched[0], outcome.donor, atol=1e-5, rtol=0)


def test_patching_everything_from_a_step_on_adds_what_the_donor_adds_from_there(outcome, edits):
    expected = edits[0, 0] + edits[1, -1] - edits[1, 0]
    torch.testing.assert_close(outcome.patched[1], expected, atol=1e-4, rtol=0)
    assert (expected - edits[1, -1]).abs().max() > 0.01


def test_outcomes_stay_in_the_order_of_the_patches_over_several_batches(portrait):
    cells = [Patch(("image",), (5,), (step,)) for step in (2, 0, 1)]
    many = [cells[i % 3] for i in range(BATCH + 2)]
    together = patch_portrait(portrait, FEAR, SURPRISE, many, 42, STEPS).position
    alone = torch.cat([patch_portrait(portrait, FEAR, SURPRISE, [c], 42, STEPS).position for c in cells])
    torch.testing.assert_close(together, alone.repeat(BATCH)[: BATCH + 2], atol=1e-4, rtol=0)
    assert alone.diff().abs().min() > 0.01


def reads_text_in(block, blocks=4):
    """A transformer of the stock class; only in this block does the picture depend on the text.

    Elsewhere the text's keys and values are the same whatever it says. Nowhere does the text depend on the picture.
    """
    torch.manual_seed(0)
    model = QwenImageTransformer2DModel(
        in_channels=16, out_channels=4, num_layers=blocks, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=24, axes_dims_rope=(4, 6, 6), zero_cond_t=True,
    )  # fmt: skip
    for index, layer in enumerate(model.transformer_blocks):
        silent = [layer.attn.to_add_out]
        if index != block:
            silent += [layer.attn.add_k_proj, layer.attn.add_v_proj]
        for parameter in (p for projection in silent for p in projection.parameters()):
            torch.nn.init.zeros_(parameter)
    return model.eval().requires_grad_(False)


def patched_positions(model, patches, steps):
    draw = torch.Generator().manual_seed(1)
    noise, control = torch.randn(2, 1, 15, 16, generator=draw)
    prompts = torch.randn(2, 9, 24, generator=draw)
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)

    def edit(rows, prepare):
        *_, last = denoise(model, scheduler, noise, control, prompts[list(rows)], (6, 10), steps, prepare)
        return last.latents

    return run_patches(edit, patches, steps).position.numpy()


@pytest.mark.parametrize("reader", [0, 2, 3])
def test_the_map_shows_the_one_block_that_reads_the_text(reader):
    """With one step: the text decides all before that block, the image all from it on."""
    patches = [Patch((stream,), (block,), (0,)) for stream in STREAMS for block in range(4)]
    text, image = patched_positions(reads_text_in(reader), patches, 1).reshape(2, 4)
    after = np.arange(4) >= reader
    np.testing.assert_allclose(text, np.where(after, 0, 1), atol=1e-4)
    np.testing.assert_allclose(image, np.where(after, 1, 0), atol=1e-4)


def test_a_step_without_text_decides_nothing():
    """A text of which step 1 sees the same in both edits: patching there leaves the receiver as it is."""
    model = reads_text_in(2)
    model.register_forward_pre_hook(same_text_in_second_step(), with_kwargs=True)
    patches = [Patch(("text",), (0,), (step,)) for step in (0, 1)]
    positions = patched_positions(model, patches, 2)
    assert positions[0] > 0.9 and abs(positions[1]) < 1e-4


def same_text_in_second_step():
    noise_levels = []

    def hook(module, args, given):
        noise_levels.append(float(given["timestep"][0]))
        if given["timestep"][0] < max(noise_levels):
            text = given["encoder_hidden_states"]
            given = {**given, "encoder_hidden_states": text[:1].expand_as(text)}
        return args, given

    return hook


def test_position_and_distance_in_closed_form():
    receiver, donor = torch.zeros(1, 2), torch.tensor([[2.0, 0]])
    found = Outcome(receiver, donor, torch.tensor([[[0.0, 0]], [[2, 0]], [[1, 1]], [[-1, 0]]]))
    assert found.position.tolist() == [0, 1, 0.5, -0.5]
    assert found.off_line.tolist() == [0, 0, 0.5, 0]
    assert found.distance == pytest.approx(2**0.5)


def test_hooks_are_removed_after_an_exception(editor):
    transformer = editor.pipe.transformer
    hooks = [len(block._forward_hooks) for block in transformer.transformer_blocks]
    with pytest.raises(RuntimeError, match="mid-way"), patching(transformer, [EVERYWHERE], 0):
        assert [len(b._forward_hooks) for b in transformer.transformer_blocks] == [n + 1 for n in hooks]
        raise RuntimeError("mid-way")
    assert [len(b._forward_hooks) for b in transformer.transformer_blocks] == hooks


@pytest.fixture(scope="module")
def table(editor, brightness):
    plan = PatchPlan([("fear", "surprised")], steps=2, blocks=(0, 5))
    return measure_patches({"base": editor}, drawn_faces([400000, 400001]), plan, brightness)


def test_every_patch_has_a_row(table):
    assert len(table) == 2 * 2 * 2 * 3
    assert table.step.unique().tolist() == [0, 1, ALL]
    assert table[table.step == ALL][["a", "b"]].notna().all(axis=None)
    assert table[table.step != ALL][["a", "b"]].isna().all(axis=None)
    image = table[(table.stream == "image") & (table.block == 5)].pivot(index="face", columns="step", values="position")
    np.testing.assert_allclose(image[ALL], 1, atol=1e-4)
    assert (table[(table.stream == "text") & (table.block == 5)].position.abs() < 1e-4).all()


def test_tables_are_means_over_faces(table):
    found = patch_table(table, "base", ("fear", "surprised"), "image")
    assert found.index.tolist() == [0, 5] and found.columns.tolist() == [0, 1]
    rows = table[(table.stream == "image") & (table.block == 5) & (table.step == 1)]
    assert found.loc[5, 1] == pytest.approx(rows.position.mean())
    whole = by_block(table, "base", ("fear", "surprised"), "image")
    rows = table[(table.stream == "image") & (table.block == 0) & (table.step == ALL)]
    assert whole.position[0] == pytest.approx(rows.position.mean())
    assert whole.sd[0] == pytest.approx(rows.position.std())
    assert whole.faces.tolist() == [2, 2]
    one = by_block(table[table.face == "400000"], "base", ("fear", "surprised"), "image")
    assert one.sd.tolist() == [0, 0]


def test_equal_ends_are_refused(portrait):
    with pytest.raises(DataError, match="edits that differ"):
        patch_portrait(portrait, FEAR, FEAR, [EVERYWHERE], 42, 1 + max(EVERYWHERE.steps))


WRONG = {
    "block": (Patch(("text",), (6,), (0,)), ModelError, "block 6 is out of range"),
    "stream": (Patch(("sound",), (0,), (0,)), DataError, "unknown stream 'sound': choose from text, image"),
    "step": (Patch(("text",), (0,), (3,)), ScaleError, "step 3 is out of range: give 0 to 2"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_patch_that_is_not_there_is_refused(portrait, mistake):
    patch, error, message = WRONG[mistake]
    with pytest.raises(error, match=message):
        patch_portrait(portrait, FEAR, SURPRISE, [patch], 42, STEPS)


PLANS = {
    "none": ({"pairs": []}, ScaleError, "no pairs"),
    "name": ({"pairs": [("fear", "joy")]}, ExpressionError, "unknown expression 'joy'"),
    "steps": ({"pairs": [("fear", "sad")], "steps": 0}, ScaleError, "steps"),
    "strength": ({"pairs": [("fear", "sad")], "strength": 0}, ScaleError, "strength 0"),
}


@pytest.mark.parametrize("mistake", PLANS)
def test_a_wrong_plan_is_refused(mistake):
    given, error, message = PLANS[mistake]
    with pytest.raises(error, match=message):
        PatchPlan(**given)


def test_a_table_needs_no_order():
    rows = pd.DataFrame(
        [("base", "fear", "sad", "text", b, s, 10 * b + s) for b in (1, 0) for s in (1, 0)],
        columns=["editor", "first", "second", "stream", "block", "step", "position"],
    )
    assert patch_table(rows, "base", ("fear", "sad"), "text").to_numpy().tolist() == [[0, 1], [10, 11]]
