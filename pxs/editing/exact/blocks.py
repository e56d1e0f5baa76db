"""One block of the transformer, over the stock block's own modules, so that adapters on them keep working.

Shapes: image (B, T, d) and text (B, L, d) tokens; `of_image` (6, G, n, d), see `contiguous.Spread`, and `of_text`
(6, d); `rope` the rotary factors (L + T, head / 2) of text and image in this order, complex, or as real pairs
(L + T, head / 2, 2), which compilers prefer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.transformers.transformer_qwenimage import apply_rotary_emb_qwen
from torch import Tensor

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention
    from diffusers.models.transformers.transformer_qwenimage import QwenImageTransformerBlock

HALF_LIMIT = 65504  # the largest float16


def run_block(
    block: QwenImageTransformerBlock, image: Tensor, text: Tensor, of_image: Tensor, of_text: Tensor, rope: Tensor
) -> tuple[Tensor, Tensor]:
    """Image (B, T, d) and text (B, L, d) tokens after the block, in the dtype of the given ones."""
    grouped = image.unflatten(1, (of_image.shape[1], -1))
    img_mod = modulate(block.img_norm1(grouped), of_image[:3]).flatten(1, 2)
    txt_mod = modulate(block.txt_norm1(text), of_text[:3])
    query = rotate(queries(block.attn, txt_mod, img_mod), rope)
    txt_attn, img_attn = attend(block.attn, query, txt_mod, img_mod, rope).split([text.shape[1], image.shape[1]], dim=1)
    grouped = grouped + of_image[2] * block.attn.to_out[0](img_attn).view_as(grouped)
    text = text + of_text[2] * block.attn.to_add_out(txt_attn)
    inside = modulate(block.img_norm2(grouped), of_image[3:]).flatten(1, 2)  # layers of 8 bits take three axes
    grouped = grouped + of_image[5] * block.img_mlp(inside).view_as(grouped)
    text = text + of_text[5] * block.txt_mlp(modulate(block.txt_norm2(text), of_text[3:]))
    return bounded(grouped.flatten(1, 2)), bounded(text)


def modulate(x: Tensor, vectors: Tensor) -> Tensor:
    """x (..., d) * (1 + scale) + shift; `vectors` (2 or more, ..., d) begin with shift and scale and broadcast to x."""
    return x * (1 + vectors[1]) + vectors[0]


def bounded(x: Tensor) -> Tensor:
    """`x`, of any shape, clipped to the range of float16 if that is its dtype, as the stock block does."""
    return x.clip(-HALF_LIMIT, HALF_LIMIT) if x.dtype == torch.float16 else x


def heads(attn: Attention, x: Tensor) -> Tensor:
    """(B, tokens, d) -> (B, tokens, heads, d / heads)."""
    return x.unflatten(-1, (attn.heads, -1))


def queries(attn: Attention, text: Tensor, image: Tensor) -> Tensor:
    """Normalised queries (B, L + T, heads, d / heads) of text (B, L, d) and image (B, T, d) tokens."""
    words = attn.norm_added_q(heads(attn, attn.add_q_proj(text)))
    return torch.cat([words, attn.norm_q(heads(attn, attn.to_q(image)))], dim=1)


def attend(attn: Attention, query: Tensor, text: Tensor, image: Tensor, rope: Tensor) -> Tensor:
    """Attention (B, Q, d) of rotated queries (B, Q, heads, d / heads) to text (B, L, d) and image (B, T, d) tokens."""
    words = attn.norm_added_k(heads(attn, attn.add_k_proj(text)))
    key = rotate(torch.cat([words, attn.norm_k(heads(attn, attn.to_k(image)))], dim=1), rope)
    value = torch.cat([heads(attn, attn.add_v_proj(text)), heads(attn, attn.to_v(image))], dim=1)
    backend = attn.processor._attention_backend  # the one that was chosen for the stock model
    return dispatch_attention_fn(query, key, value, backend=backend).flatten(2, 3).to(query.dtype)


def rotate(x: Tensor, rope: Tensor) -> Tensor:
    """Rotary embedding of x (B, tokens, heads, d / heads), in its shape and dtype; `rope` has a row for each token."""
    if rope.is_complex():
        return apply_rotary_emb_qwen(x, rope, use_real=False)
    real, imaginary = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = rope[:, None].unbind(-1)
    return torch.stack([real * cos - imaginary * sin, real * sin + imaginary * cos], dim=-1).flatten(-2).type_as(x)
