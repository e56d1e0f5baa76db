"""The training of SliderEdit's ST: prompts of two instructions, and a loss for what is left when one is taken back."""

import pytest
import torch

from pxs.editing.sampling import pack, unpack
from pxs.editing.sliders.registry import SLIDERS
from pxs.expressions import EXPRESSIONS
from pxs.images import open_image
from pxs.training.cache import Cache, square
from pxs.training.rivals import LOSSES, rows_of, taken_back, taken_back_of_two


@pytest.fixture(scope="module")
def cache(editor, tmp_path_factory):
    return Cache(tmp_path_factory.mktemp("cache"), editor, None, None, joint=True)


@pytest.fixture(scope="module")
def example(cache, rows):
    """A batch of two rows, noise whose first number is above 0, and noise levels."""
    batch = cache.batch(rows[:2])
    noise = torch.randn(batch.source.shape, generator=torch.Generator().manual_seed(5))
    noise[0, 0, 0, 0] = 0.5
    return batch, noise, torch.tensor([0.3, 0.8])


def filled(editor):
    """A slider whose weights are random."""
    slider = SLIDERS["slideredit_st"](editor.pipe.transformer)
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in slider.parameters():
            p.copy_(0.1 * torch.randn(p.shape, generator=g))
    return slider


def test_a_row_has_the_prompt_of_both_instructions_in_the_order_of_a_mix(cache, editor, rows):
    batch = cache.batch(rows[:2])
    for row, joint, shares in zip(rows[:2], batch.joint, batch.shares, strict=True):
        first, second = sorted((t.category for t in row.targets), key=EXPRESSIONS.index)
        subject = {"human": "person", "anime": "character"}[row.domain]
        text = " and ".join(f"Edit the {subject} to show a {word} expression" for word in (first, second))
        picture = square(open_image(row.source), editor.checkpoint.resolution)
        expected, _ = editor.pipe.encode_prompt(text, image=[editor.recipe.see(editor.pipe, picture)])
        assert torch.allclose(joint, expected[0], atol=1e-5)
        assert set(shares.any(dim=0).nonzero().flatten().tolist()) == {*map(EXPRESSIONS.index, (first, second))}


def test_rows_without_that_prompt_keep_their_constants(cache, editor, rows):
    plain = Cache(cache.folder, editor, None, None)
    assert plain.key(rows[0]) != cache.key(rows[0])
    batch = plain.batch(rows[:1])
    assert batch.joint is None and batch.shares is None
    assert torch.equal(batch.text, cache.batch(rows[:1]).text)


class StandIn:
    """In place of the transformer: latents, plus the mean of the text, plus every token's strength times its number."""

    def __init__(self, slider):
        self.slider, self.calls = slider, 0

    def __call__(self, hidden_states, encoder_hidden_states, timestep, img_shapes, return_dict):
        self.calls += 1
        shift = encoder_hidden_states.mean(dim=(1, 2))
        if self.slider.lora.gates is not None:
            strength = self.slider.lora.gates[:, :, 0]
            shift = shift + (strength * torch.arange(strength.shape[1])).sum(dim=1)
        return (hidden_states * (1 + timestep[:, None, None]) + shift[:, None, None],)


def of_two_by_hand(batch, noise, sigma):
    """The loss, row by row, with the stand-in's formula written out."""
    errors = []
    for i, s in enumerate(sigma):
        z = (1 - s) * batch.source[i][None] + s * noise[i][None]
        neutral, first, second = batch.text[i]
        joint, share = batch.joint[i], batch.shares[i]
        numbers = torch.arange(len(joint) - len(share), len(joint))
        own = [(share[:, category] * numbers).sum() for category in batch.categories[i]]

        def v(text, strength=0.0, z=z, s=s):
            return unpack(pack(z) * (1 + s) + text.mean() + strength, (z.shape[2], z.shape[3]))

        for strength, left in ((own[0], second), (own[1], first), (own[0] + own[1], neutral)):
            errors.append((v(joint, strength) - v(left)) ** 2)
    return torch.stack(errors).mean()


def test_with_one_of_two_taken_back_the_model_must_do_the_other(editor, example):
    slider = filled(editor)
    transformer = StandIn(slider)
    loss = taken_back_of_two(slider, transformer, rows_of(*example))
    assert torch.allclose(loss, of_two_by_hand(*example), rtol=1e-4)
    assert transformer.calls == 2


def test_the_noise_decides_between_prompts_of_one_and_of_two(editor, example):
    slider = filled(editor)
    batch, noise, sigma = example
    for given, loss in ((noise, taken_back_of_two), (-noise, taken_back)):
        rows = rows_of(batch, given, sigma)
        found = LOSSES["slideredit_st"](slider, StandIn(slider), rows)
        assert torch.equal(found, loss(slider, StandIn(slider), rows))


@pytest.mark.parametrize("sign", [1, -1], ids=["two instructions", "one instruction"])
def test_checkpointing_keeps_the_gradients(sign, editor, example):
    batch, noise, sigma = example
    transformer = editor.pipe.transformer
    gradients = []
    try:
        transformer.train()
        for checkpointing in (False, True):
            slider = filled(editor)
            handles = slider.hook(transformer)
            if checkpointing:
                transformer.enable_gradient_checkpointing()
            LOSSES["slideredit_st"](slider, transformer, rows_of(batch, sign * noise, sigma)).backward()
            for handle in handles:
                handle.remove()
            gradients.append({key: p.grad for key, p in slider.named_parameters() if p.grad is not None})
    finally:
        transformer.disable_gradient_checkpointing()
        transformer.eval()
        transformer.zero_grad()
    plain, checkpointed = gradients
    assert plain.keys() == checkpointed.keys() and any("add_k_proj" in key for key in plain)
    assert all(g.abs().max() > 0 for key, g in plain.items() if "add_k_proj" in key)
    assert all(torch.allclose(plain[key], checkpointed[key], rtol=1e-3, atol=1e-6) for key in plain)
