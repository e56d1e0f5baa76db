"""The transformer with savings against its own stock forward: each saving alone and all together."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from accelerate.hooks import ModelHook, add_hook_to_module
from diffusers import FirstBlockCacheConfig
from peft import LoraConfig

from pxs.editing.exact import DEFAULT, PLAIN, Savings
from pxs.editing.exact.blocks import bounded, rotate, run_block
from pxs.editing.exact.contiguous import by_group, by_token
from pxs.editing.exact.last_block import every_row, target_rows
from pxs.editing.exact.modulation import Table, each_step
from pxs.editing.exact.transformer import Lean, plain
from pxs.editing.sampling import stock_velocity

LORA_LAYERS = [
    "to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out",
    "img_mod.1", "txt_mod.1", "net.0.proj", "net.2", "norm_out.linear", "proj_out", "img_in", "txt_in",
]  # fmt: skip
ALONE = {name: replace(PLAIN, **{name: True}) for name in ("modulation", "contiguous", "last_block")}
WITHOUT = {f"all but {name}": replace(DEFAULT, **{name: False}) for name in ALONE}
CHOICES = {**ALONE, **WITHOUT, "all": DEFAULT, "none": PLAIN}

STEPS = 3

pytestmark = pytest.mark.usefixtures("no_gradients")


@pytest.fixture
def no_gradients():
    with torch.inference_mode():
        yield


def velocities(prepare, transformer, sweep, edits=slice(None)):
    """The velocities of all steps, (STEPS, B, tokens, C)."""
    velocity = prepare(transformer, sweep.times, sweep.control, sweep.text[edits], sweep.grid)
    return torch.stack([velocity(step, sweep.latents[edits]) for step in range(STEPS)])


def assert_equal_to_stock(prepare, transformer, sweep, edits=slice(None)):
    expected = velocities(stock_velocity, transformer, sweep, edits)
    assert expected.std() > 0.1 and expected.diff(dim=0).abs().max() > 0.01
    torch.testing.assert_close(velocities(prepare, transformer, sweep, edits), expected, atol=1e-5, rtol=1e-5)


def add_lora(transformer):
    """A random adapter on every kind of layer, those of modulation included."""
    transformer.add_adapter(LoraConfig(r=4, lora_alpha=8, target_modules=LORA_LAYERS, init_lora_weights=False))


@pytest.mark.parametrize("savings", CHOICES.values(), ids=CHOICES.keys())
@pytest.mark.parametrize("edits", [slice(None), slice(1, 2)], ids=["four edits", "one edit"])
def test_savings_change_no_velocity(transformer, sweep, savings, edits):
    assert_equal_to_stock(Lean(savings), transformer, sweep, edits)


@pytest.mark.parametrize("savings", CHOICES.values(), ids=CHOICES.keys())
def test_savings_change_no_velocity_under_an_adapter_on_every_layer(transformer, sweep, savings):
    base = velocities(stock_velocity, transformer, sweep)
    add_lora(transformer)
    assert (velocities(stock_velocity, transformer, sweep) - base).abs().max() > 0.01
    assert_equal_to_stock(Lean(savings), transformer, sweep)


def test_savings_change_no_velocity_under_a_fused_adapter(transformer, sweep):
    add_lora(transformer)
    apart = velocities(Lean(DEFAULT), transformer, sweep)
    transformer.fuse_lora()
    assert_equal_to_stock(Lean(DEFAULT), transformer, sweep)
    torch.testing.assert_close(velocities(Lean(DEFAULT), transformer, sweep), apart, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("savings", CHOICES.values(), ids=CHOICES.keys())
def test_savings_change_no_velocity_of_a_model_without_zero_cond_t(transformers, sweep, savings):
    assert_equal_to_stock(Lean(savings), transformers(zero_cond_t=False), sweep)


def test_an_adapter_that_comes_between_two_sweeps_counts_in_the_second(transformer, sweep):
    lean = Lean(DEFAULT)
    velocities(lean, transformer, sweep)
    add_lora(transformer)
    assert_equal_to_stock(lean, transformer, sweep)


def calls(module):
    """A list that grows with every call of the module."""
    seen = []
    module.register_forward_hook(lambda *_: seen.append(1))
    return seen


def test_what_a_sweep_fixes_is_computed_once(transformer, sweep):
    block = transformer.transformer_blocks[0]
    once = [calls(m) for m in (block.img_mod, block.txt_mod, transformer.time_text_embed, transformer.txt_in)]
    every = calls(block.img_mlp)
    velocities(Lean(DEFAULT), transformer, sweep)
    assert [len(c) for c in once] == [1] * 4 and len(every) == STEPS


def test_the_last_block_leaves_out_what_is_not_read(transformer, sweep):
    block = transformer.transformer_blocks[-1]
    unread = [calls(m) for m in (block.txt_mlp, block.attn.add_q_proj, block.attn.to_add_out, block.txt_norm2)]
    rows = []
    block.attn.to_q.register_forward_hook(lambda _, given, __: rows.append(given[0].shape[1]))
    velocities(Lean(DEFAULT), transformer, sweep)
    assert not any(unread) and rows == [sweep.latents.shape[1]] * STEPS


def test_hooks_on_blocks_are_called_as_by_the_stock_forward(transformer, sweep):
    seen = calls(transformer.transformer_blocks[1])
    assert_equal_to_stock(Lean(DEFAULT), transformer, sweep)
    assert len(seen) == 2 * STEPS


def test_a_call_of_the_stock_pipeline_leaves_the_savings_at_work(transformer):
    with transformer.cache_context("cond"):
        pass
    assert plain(transformer)


@pytest.mark.parametrize("drive", ["offload", "cache", "compile"])
def test_a_transformer_that_a_library_drives_keeps_its_own_forward(transformer, drive):
    if drive == "offload":
        add_hook_to_module(transformer, ModelHook())
    elif drive == "cache":
        transformer.enable_cache(FirstBlockCacheConfig())
    else:
        transformer.transformer_blocks[0].compile(backend="eager")
    assert not plain(transformer)


def test_another_attention_is_run_as_by_the_stock_forward(transformer, sweep):
    attention = transformer.transformer_blocks[1].attn
    stock, seen = attention.processor, []

    def watched(*args, **kwargs):
        seen.append(1)
        return stock(*args, **kwargs)

    attention.processor = watched
    assert_equal_to_stock(Lean(DEFAULT), transformer, sweep)
    assert len(seen) == 2 * STEPS


def test_compiled_blocks_give_the_same_velocity(transformer, sweep, monkeypatch):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager", fullgraph=True))
    lean = Lean(DEFAULT, compile=True)
    assert_equal_to_stock(lean, transformer, sweep)
    assert lean.block is not run_block


@pytest.fixture
def block(transformer, sweep):
    """The arguments of a block: itself, image, text; and its modulation at the second step, of image and text."""
    draw = torch.Generator().manual_seed(2)
    (edits, target, _), words = sweep.latents.shape, sweep.text.shape[1]
    image, text = (torch.randn(edits, n, transformer.inner_dim, generator=draw) for n in (2 * target, words))
    modulation = Table(transformer, sweep.times)(1)
    angles = torch.rand(words + 2 * target, 8, generator=draw) * 6
    rope = torch.polar(torch.ones_like(angles), angles)
    return (transformer.transformer_blocks[0], image, text), (modulation.image[0], modulation.text[0]), rope


def test_vectors_of_groups_give_the_bits_of_vectors_of_tokens(block):
    given, (of_image, of_text), rope = block
    by_groups, by_tokens = (
        run_block(*given, spread(of_image, given[1].shape[1]), of_text, rope) for spread in (by_group, by_token)
    )
    assert all(map(torch.equal, by_groups, by_tokens))


def test_target_rows_are_those_of_the_whole_block(block):
    given, (of_image, of_text), rope = block
    target = given[1].shape[1] // 2
    args = *given, by_group(of_image, 2 * target), of_text, rope, target
    assert target_rows(*args).shape[1] == target
    torch.testing.assert_close(target_rows(*args), every_row(*args)[:, :target], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("zero_cond_t", [True, False])
def test_the_table_holds_what_the_modules_give_at_each_step(transformers, sweep, zero_cond_t):
    transformer = transformers(zero_cond_t=zero_cond_t)
    table, live = Table(transformer, sweep.times), each_step(transformer, sweep.times)
    for step in range(STEPS):
        for name in ("image", "text", "out"):
            ours, theirs = (getattr(modulation, name) for modulation in (table(step), live(step)))
            torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)
    groups = 2 if zero_cond_t else 1
    assert table(0).image.shape == (3, 6, groups, 32) and table(0).text.shape == (3, 6, 32)


def test_rotation_in_real_numbers_is_that_in_complex_ones():
    draw = torch.Generator().manual_seed(3)
    x, angles = torch.randn(2, 7, 3, 8, generator=draw), torch.rand(7, 4, generator=draw)
    factors = torch.polar(torch.ones_like(angles), angles)
    torch.testing.assert_close(rotate(x, torch.view_as_real(factors)), rotate(x, factors), atol=1e-6, rtol=0)


def test_float16_stays_within_its_range_and_other_types_as_they_are():
    large = torch.tensor([1e30, -1e30])
    assert bounded(large.half()).tolist() == [65504, -65504]
    assert torch.equal(bounded(large), large)


def test_an_impossible_fixed_batch_is_refused():
    with pytest.raises(ValueError, match="fixed_batch -1 is too small"):
        Savings(fixed_batch=-1)
