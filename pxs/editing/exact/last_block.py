"""The last block, computed for the target tokens only.

After the last block only the target tokens are used. Their queries need the keys and values of all tokens. But the
queries of the control and text tokens, and what the block computes for these tokens after attention, are not used; nor
do other tokens pass through the final norm and projection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from pxs.editing.exact.blocks import attend, bounded, heads, modulate, rotate, run_block

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_qwenimage import QwenImageTransformerBlock


def target_rows(
    block: QwenImageTransformerBlock,
    image: Tensor,
    text: Tensor,
    of_image: Tensor,
    of_text: Tensor,
    rope: Tensor,
    target: int,
) -> Tensor:
    """The first `target` image tokens (B, target, d) after the block; the rest as in `run_block`."""
    attn, words = block.attn, text.shape[1]
    grouped = image.unflatten(1, (of_image.shape[1], -1))
    img_mod = modulate(block.img_norm1(grouped), of_image[:3]).flatten(1, 2)
    txt_mod = modulate(block.txt_norm1(text), of_text[:3])
    query = rotate(attn.norm_q(heads(attn, attn.to_q(img_mod[:, :target]))), rope[words : words + target])
    own = of_image[:, 0, :target]
    rows = image[:, :target] + own[2] * attn.to_out[0](attend(attn, query, txt_mod, img_mod, rope))
    return bounded(rows + own[5] * block.img_mlp(modulate(block.img_norm2(rows), own[3:])))


def every_row(
    block: QwenImageTransformerBlock,
    image: Tensor,
    text: Tensor,
    of_image: Tensor,
    of_text: Tensor,
    rope: Tensor,
    target: int,
) -> Tensor:
    """Without the saving: all image tokens (B, T, d) after the block."""
    return run_block(block, image, text, of_image, of_text, rope)[0]
