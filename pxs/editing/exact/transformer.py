"""The transformer in the denoising loop: the stock modules and weights, put together with the savings of an editor.

What a sweep fixes is computed once: the projected text, the projected control tokens, the rotary factors and, if so
chosen, the modulation of all steps. For inference only; training goes through the stock forward.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from diffusers.models.transformers.transformer_qwenimage import QwenDoubleStreamAttnProcessor2_0
from torch import Tensor, nn

from pxs.editing.exact import Savings
from pxs.editing.exact.blocks import run_block
from pxs.editing.exact.contiguous import by_group, by_token
from pxs.editing.exact.graphs import Replayed, check_device
from pxs.editing.exact.last_block import every_row, target_rows
from pxs.editing.exact.modulation import Modulation, Table, each_step
from pxs.editing.reuse import Always, Reuse
from pxs.editing.sampling import Grid, Velocity, stock_velocity

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel

T = TypeVar("T")


class Lean:
    """The choices of an editor, made once; `lean(transformer, times, control, text, grid)` prepares a sweep.

    `compile` has the blocks compiled by torch at their first use, which takes half a minute for each new shape of a
    batch; `reuse` as in reuse.py. A transformer that is watched or driven from outside (see `plain`) is run by its own
    forward.
    """

    def __init__(self, savings: Savings, compile: bool = False, reuse: float = 0.0) -> None:
        self.modulate = Table if savings.modulation else each_step
        self.spread = by_group if savings.contiguous else by_token
        self.block, self.last = run_block, target_rows if savings.last_block else every_row
        self.rope = torch.view_as_real if compile else _same
        self.check: Callable[[Tensor], Tensor] = check_device if savings.graphs else _same
        self.record: Callable[[Any], Any] = Replayed if savings.graphs else _same
        self.finish = partial(Reuse, reuse) if reuse else Always
        if compile:
            self.block, self.last = torch.compile(self.block), torch.compile(self.last)

    def __call__(
        self, transformer: QwenImageTransformer2DModel, times: Tensor, control: Tensor, text: Tensor, grid: Grid
    ) -> Velocity:
        """See `sampling.Prepare`."""
        if not plain(transformer):
            return stock_velocity(transformer, times, control, text, grid)
        return Sweep(self, transformer, times, self.check(control), text, grid)

    def first_block(
        self,
        transformer: QwenImageTransformer2DModel,
        latents: Tensor,
        control: Tensor,
        text: Tensor,
        rope: Tensor,
        of_image: Tensor,
        of_text: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Image (B, 2 tokens, d) and text (B, L, d) after the first block.

        latents: (B, tokens, C); control (1, tokens, d) and text (B, L, d), both projected; rope: (L + 2 tokens,
        head / 2), complex, or (L + 2 tokens, head / 2, 2) when compiled; of_image (6, K, d) and of_text
        (6, d) as in `Modulation`.
        """
        image = torch.cat([transformer.img_in(latents), control.expand(len(latents), -1, -1)], dim=1)
        block = transformer.transformer_blocks[0]
        return self.block(block, image, text, self.spread(of_image, image.shape[1]), of_text, rope)

    def other_blocks(
        self,
        transformer: QwenImageTransformer2DModel,
        image: Tensor,
        text: Tensor,
        rope: Tensor,
        of_image: Tensor,
        of_text: Tensor,
    ) -> Tensor:
        """The target's tokens (B, tokens, d) after all blocks but the first.

        image (B, 2 tokens, d) and text (B, L, d); rope as in `first_block`; of_image (blocks - 1, 6, K, d) and of_text
        (blocks - 1, 6, d) hold a row for each of these blocks.
        """
        tokens = image.shape[1]
        *blocks, last = zip(transformer.transformer_blocks[1:], of_image, of_text, strict=True)
        for block, vectors, of_words in blocks:
            image, text = self.block(block, image, text, self.spread(vectors, tokens), of_words, rope)
        block, vectors, of_words = last
        return self.last(block, image, text, self.spread(vectors, tokens), of_words, rope, tokens // 2)[
            :, : tokens // 2
        ]


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
        self.transformer = transformer
        self.modulation = lean.modulate(transformer, times)
        self.control = transformer.img_in(control)
        self.text = transformer.txt_in(transformer.txt_norm(text))
        cell = (1, grid[0] // 2, grid[1] // 2)
        image, words = transformer.pos_embed([[cell, cell]], max_txt_seq_len=text.shape[1], device=text.device)
        self.rope = lean.rope(torch.cat([words, image]))
        self.first_block, self.other_blocks = (
            lean.record(partial(part, transformer)) for part in (lean.first_block, lean.other_blocks)
        )
        self.finish = lean.finish()

    def __call__(self, index: int, latents: Tensor) -> Tensor:
        """The velocity (B, tokens, C) of latents (B, tokens, C) at step `index`, in their dtype."""
        t, m = self.transformer, self.modulation(index)
        image, text = self.first_block(latents, self.control, self.text, self.rope, m.image[0], m.text[0])
        rows = self.finish(t.img_in(latents), image, text, self._others(m))
        scale, shift = m.out
        return t.proj_out(t.norm_out.norm(rows) * (1 + scale) + shift)

    def _others(self, m: Modulation) -> Callable[[Tensor, Tensor], Tensor]:
        """The other blocks of a step, for some of the edits."""
        return lambda image, text: self.other_blocks(image, text, self.rope, m.image[1:], m.text[1:])


def plain(transformer: QwenImageTransformer2DModel) -> bool:
    """Whether nothing needs the stock forward: no hook on a module that `Sweep` goes past, no other attention."""
    blocks = transformer.transformer_blocks
    passed = [transformer, transformer.norm_out, *blocks, *(block.attn for block in blocks)]
    stock = all(type(block.attn.processor) is QwenDoubleStreamAttnProcessor2_0 for block in blocks)
    return stock and len(blocks) > 1 and not any(map(_taken, passed))


def _taken(module: nn.Module) -> bool:
    """Whether PyTorch, accelerate or diffusers do something around this module's forward, or in its place."""
    registry = getattr(module, "_diffusers_hook", None)  # empty after any call of the stock pipeline
    hooks = module._forward_hooks, module._forward_pre_hooks, registry and registry.hooks
    return any(hooks) or hasattr(module, "_hf_hook") or module._compiled_call_impl is not None


def _same(value: T) -> T:
    return value
