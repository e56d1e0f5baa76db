"""The transformer in the denoising loop: the stock modules and weights, put together with the savings of an editor.

What a sweep fixes is computed once: the projected text, the projected control tokens, the rotary factors and, if so
chosen, the modulation of all steps. For inference only; training goes through the stock forward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from diffusers.models.transformers.transformer_qwenimage import QwenDoubleStreamAttnProcessor2_0
from torch import Tensor, nn

from pxs.editing.exact import Savings
from pxs.editing.exact.blocks import run_block
from pxs.editing.exact.contiguous import by_group, by_token
from pxs.editing.exact.last_block import every_row, target_rows
from pxs.editing.exact.modulation import Table, each_step
from pxs.editing.sampling import Grid, Velocity, stock_velocity

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel


class Lean:
    """The choices of an editor, made once; `lean(transformer, times, control, text, grid)` prepares a sweep.

    `compile` has the blocks compiled by torch at their first use, which takes half a minute for each new shape of a
    batch. A transformer that is watched or driven from outside (see `plain`) is run by its own forward.
    """

    def __init__(self, savings: Savings, compile: bool = False) -> None:
        self.modulate = Table if savings.modulation else each_step
        self.spread = by_group if savings.contiguous else by_token
        self.block, self.last = run_block, target_rows if savings.last_block else every_row
        self.rope = torch.view_as_real if compile else nn.Identity()
        if compile:
            self.block, self.last = torch.compile(self.block), torch.compile(self.last)

    def __call__(
        self, transformer: QwenImageTransformer2DModel, times: Tensor, control: Tensor, text: Tensor, grid: Grid
    ) -> Velocity:
        """See `sampling.Prepare`."""
        if not plain(transformer):
            return stock_velocity(transformer, times, control, text, grid)
        return Sweep(self, transformer, times, control, text, grid)


class Sweep:
    """One sweep over a batch: `sweep(index, latents)` is the velocity (B, tokens, C) at step `index`."""

    def __init__(
        self,
        lean: Lean,
        transformer: QwenImageTransformer2DModel,
        times: Tensor,
        control: Tensor,
        text: Tensor,
        grid: Grid,
    ) -> None:
        self.lean, self.transformer = lean, transformer
        self.modulation = lean.modulate(transformer, times)
        self.control = transformer.img_in(control).expand(len(text), -1, -1)
        self.text = transformer.txt_in(transformer.txt_norm(text))
        cell = (1, grid[0] // 2, grid[1] // 2)
        image, words = transformer.pos_embed([[cell, cell]], max_txt_seq_len=text.shape[1], device=text.device)
        self.rope = lean.rope(torch.cat([words, image]))

    def __call__(self, index: int, latents: Tensor) -> Tensor:
        t, lean, modulation = self.transformer, self.lean, self.modulation(index)
        image, text = torch.cat([t.img_in(latents), self.control], dim=1), self.text
        tokens, target = image.shape[1], latents.shape[1]
        *blocks, last = zip(t.transformer_blocks, modulation.image, modulation.text, strict=True)
        for block, of_image, of_text in blocks:
            image, text = lean.block(block, image, text, lean.spread(of_image, tokens), of_text, self.rope)
        block, of_image, of_text = last
        rows = lean.last(block, image, text, lean.spread(of_image, tokens), of_text, self.rope, target)
        scale, shift = modulation.out
        return t.proj_out(t.norm_out.norm(rows) * (1 + scale) + shift)[:, :target]


def plain(transformer: QwenImageTransformer2DModel) -> bool:
    """Whether nothing needs the stock forward: no hook on a module that `Sweep` goes past, no other attention."""
    blocks = transformer.transformer_blocks
    passed = [transformer, transformer.norm_out, *blocks, *(block.attn for block in blocks)]
    stock = all(type(block.attn.processor) is QwenDoubleStreamAttnProcessor2_0 for block in blocks)
    return stock and not any(map(_taken, passed))


def _taken(module: nn.Module) -> bool:
    """Whether PyTorch, accelerate or diffusers do something around this module's forward, or in its place."""
    registry = getattr(module, "_diffusers_hook", None)  # empty after any call of the stock pipeline
    hooks = module._forward_hooks, module._forward_pre_hooks, registry and registry.hooks
    return any(hooks) or hasattr(module, "_hf_hook") or module._compiled_call_impl is not None
