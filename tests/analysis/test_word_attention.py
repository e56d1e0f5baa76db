"""Attention to the word: the stock outputs, weights that sum to 1, a map that is known, and a rank correlation."""

import numpy as np
import pytest
import torch
from diffusers.models.transformers.transformer_qwenimage import QwenDoubleStreamAttnProcessor2_0

from analysis.faces import drawn_faces
from analysis.word_attention import Watched, measure_attention, rank_correlation, to_word, watching, word_maps
from pxs.expressions import Mix

MIXES = [Mix(), Mix(fear=1), Mix(surprised=1)]
STEPS = 2


@pytest.fixture(scope="module")
def portrait(editor):
    return editor.open(drawn_faces([400000])[0].picture)


@pytest.fixture
def attention(editor):
    return editor.pipe.transformer.transformer_blocks[2].attn


@pytest.fixture
def inputs(attention):
    """A picture of 8 tokens and a text of 5, with rotary factors, for the attention of a block."""
    draw = torch.Generator().manual_seed(0)
    picture, text = torch.randn(2, 8, 192, generator=draw), torch.randn(2, 5, 192, generator=draw)
    angles = torch.rand(13, 16, generator=draw)
    rope = torch.polar(torch.ones_like(angles), angles)
    return {"hidden_states": picture, "encoder_hidden_states": text, "image_rotary_emb": (rope[5:], rope[:5])}


@torch.inference_mode()
def test_outputs_are_those_of_the_stock_processor(attention, inputs):
    seen = []
    watched = Watched(seen.append)(attention, **inputs)
    for mine, stock in zip(watched, QwenDoubleStreamAttnProcessor2_0()(attention, **inputs), strict=True):
        torch.testing.assert_close(mine, stock, atol=1e-5, rtol=1e-5)
        assert stock.std() > 0.01
    assert seen[0].shape == (2, 6, 13, 13)
    torch.testing.assert_close(seen[0].sum(dim=-1), torch.ones(2, 6, 13))


@torch.inference_mode()
def test_a_token_with_the_key_that_queries_look_for_gets_the_weight(attention, inputs, monkeypatch):
    """All queries and one key are one long vector, all other keys zero: its weight is a softmax of one logit."""
    unit = torch.nn.functional.normalize(torch.ones(32), dim=0)
    place = torch.arange(5)[:, None, None] == 3
    monkeypatch.setattr(attention.norm_q, "forward", lambda x: (4 * unit).expand_as(x))
    monkeypatch.setattr(attention.norm_added_q, "forward", lambda x: (4 * unit).expand_as(x))
    monkeypatch.setattr(attention.norm_k, "forward", torch.zeros_like)
    monkeypatch.setattr(attention.norm_added_k, "forward", lambda x: (4 * unit).expand_as(x) * place)
    still = torch.ones(13, 16, dtype=torch.complex64)
    seen = []
    Watched(seen.append)(attention, **{**inputs, "image_rotary_emb": (still[5:], still[:5])})
    logit = 16 / 32**0.5
    share = np.exp(logit) / (np.exp(logit) + 12)
    torch.testing.assert_close(seen[0][..., 3], torch.full((2, 6, 13), float(share)), atol=1e-5, rtol=0)
    torch.testing.assert_close(to_word(seen[0], 4, -2), torch.full((2, 4), float(13 * share)), atol=1e-4, rtol=0)


def test_the_map_takes_the_edited_picture_to_the_word():
    """3 words, then 2 tokens each of the edited picture and of the source: weights that tell where they came from."""
    weights = torch.arange(49.0).view(1, 1, 7, 7)
    assert to_word(weights, 2, -1).tolist() == [[7 * (3 * 7 + 2), 7 * (4 * 7 + 2)]]
    assert to_word(torch.cat([weights, 0 * weights], dim=1), 2, -3).tolist() == [[7 * 3 * 7 / 2, 7 * 4 * 7 / 2]]


def test_watching_changes_no_edit_and_puts_the_processors_back(portrait, editor):
    *_, stock = portrait.steps(MIXES, 42, STEPS)
    blocks = editor.pipe.transformer.transformer_blocks
    processors = [block.attn.processor for block in blocks]
    seen = []
    with watching(editor.pipe.transformer, lambda block, weights: seen.append(block)):
        *_, watched = portrait.steps(MIXES, 42, STEPS)
    torch.testing.assert_close(watched.latents, stock.latents, atol=1e-4, rtol=0)
    assert seen == [*range(6)] * STEPS
    with pytest.raises(RuntimeError, match="mid-way"), watching(editor.pipe.transformer, print):
        raise RuntimeError("mid-way")
    assert [block.attn.processor for block in blocks] == processors


@pytest.fixture(scope="module")
def found(portrait):
    return word_maps(portrait, MIXES, 42, STEPS)


def test_maps_are_those_of_the_blocks_and_changes_those_of_the_edits(portrait, found):
    maps, changes = found
    assert maps.shape == (3, 6, STEPS, 8, 8) and changes.shape == (3, STEPS, 8, 8)
    assert (maps > 0).all() and maps[1].std() > 0.01
    assert not np.allclose(maps[1, 0, 0], maps[2, 0, 0], atol=1e-3)  # another word
    *_, last = portrait.steps(MIXES, 42, STEPS)
    expected = (last.latents[2] - last.latents[0]).abs().mean(dim=1).view(8, 8)
    np.testing.assert_allclose(changes[2, -1], expected, atol=1e-4)
    assert (changes[0] == 0).all()


def test_the_table_compares_every_map_with_the_change(editor, found):
    faces = drawn_faces([400000])
    table = measure_attention({"base": editor}, faces, ["fear", "surprised"], 42, STEPS)
    assert len(table) == 2 * 6 * STEPS
    maps, changes = found
    row = table[(table.expression == "surprised") & (table.block == 4) & (table.step == 1)].iloc[0]
    ranks = [np.argsort(np.argsort(values.ravel())) for values in (maps[2, 4, 1], changes[2, -1], maps[0, 4, 1])]
    assert row.agreement == pytest.approx(np.corrcoef(ranks[0], ranks[1])[0, 1], abs=1e-3)
    assert row.neutral == pytest.approx(np.corrcoef(ranks[2], ranks[1])[0, 1], abs=1e-3)
    assert row.weight == pytest.approx(maps[2, 4, 1].mean(), abs=1e-4)


def test_rank_correlation_sees_order_only():
    rising = np.arange(6.0).reshape(2, 3)
    assert rank_correlation(rising, np.exp(rising)) == pytest.approx(1)
    assert rank_correlation(rising, -rising) == pytest.approx(-1)
    assert rank_correlation(rising, np.ones((2, 3))) == 0
