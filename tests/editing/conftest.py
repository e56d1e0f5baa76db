"""A transformer of the stock class with random weights, small but with every part at work, and a sweep for it."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import QwenImageTransformer2DModel

GRID = (6, 10)  # latent pixels, not square: 15 tokens each of target and control
EDITS, WORDS = 4, 9


def tiny_transformer(**config):
    """A transformer of random weights whose modulation is not near zero."""
    shape = {"num_layers": 3, "attention_head_dim": 16, "num_attention_heads": 2, "joint_attention_dim": 24}
    torch.manual_seed(0)
    model = QwenImageTransformer2DModel(
        in_channels=16, out_channels=4, axes_dims_rope=(4, 6, 6), **{**shape, "zero_cond_t": True, **config}
    )
    return model.eval().requires_grad_(False)


@pytest.fixture
def transformers():
    """The function that makes such transformers."""
    return tiny_transformer


@pytest.fixture
def transformer():
    """Three blocks, zero_cond_t; made anew for each test, so that adapters and hooks stay with it."""
    return tiny_transformer()


@pytest.fixture
def sweep():
    """The inputs of a sweep: noise levels, control, texts, grid; and latents of its edits."""
    draw = torch.Generator().manual_seed(1)
    tokens = GRID[0] * GRID[1] // 4
    return SimpleNamespace(
        times=torch.tensor([1.0, 0.61, 0.02]),
        control=torch.randn(1, tokens, 16, generator=draw),
        text=torch.randn(EDITS, WORDS, 24, generator=draw),
        grid=GRID,
        latents=torch.randn(EDITS, tokens, 16, generator=draw),
    )
