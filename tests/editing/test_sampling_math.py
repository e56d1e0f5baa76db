"""Tests of the arithmetic of sampling against the stock pipeline: packing, noise and schedule."""

import copy

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus import (
    QwenImageEditPlusPipeline,
    calculate_shift,
    retrieve_timesteps,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pxs.editing.sampling import pack, reschedule, schedule, seeded_noise, unpack
from pxs.errors import ModelError

QWEN = {
    "base_image_seq_len": 256, "base_shift": 0.5, "invert_sigmas": False, "max_image_seq_len": 8192, "max_shift": 0.9,
    "num_train_timesteps": 1000, "shift": 1.0, "shift_terminal": 0.02, "stochastic_sampling": False,
    "time_shift_type": "exponential", "use_dynamic_shifting": True,
}  # fmt: skip

shapes = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))


def latents(batch: int, channels: int, rows: int, columns: int) -> torch.Tensor:
    """Latents of twice as many rows and columns, in which every number is another."""
    return torch.arange(float(batch * channels * rows * columns * 4)).view(batch, channels, 2 * rows, 2 * columns)


@settings(max_examples=60, deadline=None)
@given(shapes)
def test_packing_is_that_of_the_stock_pipeline(shape):
    x = latents(*shape)
    assert torch.equal(pack(x), QwenImageEditPlusPipeline._pack_latents(x, *x.shape))


@settings(max_examples=60, deadline=None)
@given(shapes)
def test_unpacking_reverses_packing_and_is_that_of_the_stock_pipeline(shape):
    x = latents(*shape)
    h, w = x.shape[2:]
    assert torch.equal(unpack(pack(x), (h, w)), x)
    stock = QwenImageEditPlusPipeline._unpack_latents(pack(x), 8 * h, 8 * w, 8)[:, :, 0]
    assert torch.equal(unpack(pack(x), (h, w)), stock)


def test_a_token_holds_one_square_of_two_by_two_latent_pixels():
    x = torch.zeros(1, 3, 4, 6)
    x[:, :, 2:4, 2:4] = 1
    assert pack(x)[0].sum(dim=1).tolist() == [0, 0, 0, 0, 12, 0]


def test_noise_depends_on_the_seed_and_on_no_other_randomness():
    torch.manual_seed(1)
    first = seeded_noise(7, 4, (6, 10))
    torch.manual_seed(2)
    assert torch.equal(seeded_noise(7, 4, (6, 10)), first)
    assert not torch.equal(seeded_noise(8, 4, (6, 10)), first)


def test_drawing_noise_leaves_the_random_state_of_the_caller_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    seeded_noise(7, 4, (6, 10))
    assert torch.equal(torch.rand(3), expected)


def test_noise_is_the_packed_noise_that_the_stock_pipeline_draws():
    stock = torch.randn(1, 1, 4, 6, 10, generator=torch.Generator().manual_seed(7))
    expected = QwenImageEditPlusPipeline._pack_latents(stock, 1, 4, 6, 10)
    noise = seeded_noise(7, 4, (6, 10))
    assert noise.dtype == torch.float32 and noise.shape == (1, 15, 16) and torch.equal(noise, expected)


def test_noise_is_standard_normal():
    noise = seeded_noise(3, 16, (32, 32))
    assert noise.mean().abs() < 0.03 and (noise.std() - 1).abs() < 0.03


def stock_schedule(config: dict, steps: int, tokens: int) -> FlowMatchEulerDiscreteScheduler:
    """A scheduler set as the stock pipeline sets its own."""
    scheduler = FlowMatchEulerDiscreteScheduler(**config)
    c = scheduler.config
    mu = calculate_shift(tokens, c.base_image_seq_len, c.max_image_seq_len, c.base_shift, c.max_shift)
    retrieve_timesteps(scheduler, steps, "cpu", sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)
    scheduler.set_begin_index(0)
    return scheduler


def settings_of(scheduler: FlowMatchEulerDiscreteScheduler) -> dict:
    """The configuration without the library's private notes."""
    return {name: value for name, value in scheduler.config.items() if not name.startswith("_")}


@pytest.mark.parametrize("config", [QWEN, {"use_dynamic_shifting": True}], ids=["Qwen", "defaults"])
@pytest.mark.parametrize("tokens", [16, 1024, 4096])
@pytest.mark.parametrize("steps", [2, 4, 50])
def test_the_schedule_is_that_of_the_stock_pipeline(config, steps, tokens):
    ours = schedule(FlowMatchEulerDiscreteScheduler(**config), steps, tokens)
    theirs = stock_schedule(config, steps, tokens)
    assert torch.equal(ours.sigmas, theirs.sigmas) and torch.equal(ours.timesteps, theirs.timesteps)
    assert settings_of(ours) == settings_of(theirs) and ours.begin_index == theirs.begin_index == 0


def test_a_single_step_leads_from_noise_to_the_picture():
    sigmas = schedule(FlowMatchEulerDiscreteScheduler(**QWEN), 1, 1024).sigmas
    assert sigmas.tolist() == [1, 0]


@pytest.mark.parametrize("steps", [2, 8, 50])
def test_noise_levels_fall_from_one_through_the_terminal_one_to_zero(steps):
    sigmas = schedule(FlowMatchEulerDiscreteScheduler(**QWEN), steps, 1024).sigmas
    assert len(sigmas) == steps + 1 and (sigmas.diff() < 0).all()
    assert sigmas[[0, -2, -1]].tolist() == pytest.approx([1, 0.02, 0], abs=1e-6)


def test_larger_pictures_stay_noisy_for_longer():
    small, large = (schedule(FlowMatchEulerDiscreteScheduler(**QWEN), 8, tokens).sigmas for tokens in (64, 4096))
    assert (large[1:-2] > small[1:-2]).all()


def test_the_shared_scheduler_is_left_as_it_was():
    shared = FlowMatchEulerDiscreteScheduler(**QWEN)
    shared.set_timesteps(5, mu=0.7)
    before = copy.deepcopy(vars(shared))
    own = schedule(shared, 8, 1024)
    own.step(torch.ones(1), own.timesteps[0], torch.ones(1))
    for name, value in vars(shared).items():
        same = torch.equal(value, before[name]) if isinstance(value, torch.Tensor) else value == before[name]
        assert same, name
    assert own is not shared and len(own.timesteps) == 8 and len(shared.timesteps) == 5


def test_a_step_of_the_schedule_is_an_euler_step():
    own = schedule(FlowMatchEulerDiscreteScheduler(**QWEN), 4, 1024)
    x, v = torch.randn(1, 4, 8), torch.randn(1, 4, 8)
    for index, time in enumerate(own.timesteps):
        after = own.step(v, time, x, return_dict=False)[0]
        torch.testing.assert_close(after, x + (own.sigmas[index + 1] - own.sigmas[index]) * v)
        x = after


def test_the_schedule_of_few_steps_is_a_shift_of_three_at_every_size(editor):
    few = reschedule(editor.pipe.scheduler, "few")
    for tokens in (64, 1024, 4096):
        sigmas = schedule(few, 4, tokens).sigmas
        uniform = torch.linspace(1, 1 / 4, 4)
        torch.testing.assert_close(sigmas[:-1], 3 * uniform / (1 + 2 * uniform))
    own, same = (schedule(s, 4, 64).sigmas for s in (editor.pipe.scheduler, reschedule(editor.pipe.scheduler, "own")))
    assert torch.equal(own, same) and not torch.allclose(own, sigmas)
    with pytest.raises(ModelError, match="unknown schedule 'fast': choose from own, few"):
        reschedule(editor.pipe.scheduler, "fast")
