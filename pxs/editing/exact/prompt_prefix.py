"""Prompts about one picture, encoded as one shared prefix and short suffixes.

The text encoder is causal: what it computes for a token depends on the tokens before it only. All prompts of a portrait
begin with the same system text, the same picture and the same words up to the expression. So that prefix goes through
the encoder once, its keys and values are kept, and a batch of suffixes (7 tokens each) continues from them. Of
the logits, which are not used, one row a prompt is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from pxs.editing.conditioning import See, condition_image, encode_prompts, picture_tokens

if TYPE_CHECKING:
    from diffusers import QwenImageEditPlusPipeline
    from transformers import Qwen2_5_VLForConditionalGeneration

PICTURE = "Picture 1: <|vision_start|><|image_pad|><|vision_end|>"  # how the stock pipeline announces the image


@torch.inference_mode()
def encode_shared(
    pipe: QwenImageEditPlusPipeline, image: Image.Image, prompts: Sequence[str], see: See = condition_image
) -> Tensor:
    """Embeddings (N, L, C) of N prompts about one RGB image, equal to those of `encode_prompts`; `see` as there.

    Prompts of different lengths, and those that share no more than the part that the pipeline drops, are left to
    `encode_prompts`, which raises ModelError for the former.
    """
    inputs = _inputs(pipe, see(pipe, image), prompts)
    ids, drop = inputs["input_ids"], pipe.prompt_template_encode_start_idx
    shared = shared_length(ids)
    if not bool(inputs["attention_mask"].all()) or not drop < shared < ids.shape[1]:
        return encode_prompts(pipe, image, prompts, see)
    prefix, suffixes = _encode(pipe.text_encoder, inputs, shared)
    whole = torch.cat([prefix[:, drop:].expand(len(ids), -1, -1), suffixes], dim=1)
    return whole.to(pipe.text_encoder.dtype)


def shared_length(ids: Tensor) -> int:
    """How many leading tokens all rows of ids (N, L) have in common."""
    return int((ids == ids[0]).all(dim=0).long().cumprod(dim=0).sum())


def _inputs(pipe: QwenImageEditPlusPipeline, image: Image.Image, prompts: Sequence[str]) -> dict[str, Tensor]:
    """What the encoder gets: tokens and mask of all prompts (N, L), and the picture, as its processor gets it, once."""
    texts = [pipe.prompt_template_encode.format(PICTURE + prompt) for prompt in prompts]
    given = pipe.processor(text=texts, images=[image], padding=True, return_tensors="pt")
    grid = given["image_grid_thw"][:1]
    once = {"image_grid_thw": grid, "pixel_values": given["pixel_values"][: int(grid.prod())]}
    words = {name: given[name] for name in ("input_ids", "attention_mask")}
    return {name: value.to(pipe._execution_device) for name, value in {**words, **once}.items()}


def _encode(
    encoder: Qwen2_5_VLForConditionalGeneration, inputs: dict[str, Tensor], shared: int
) -> tuple[Tensor, Tensor]:
    """Hidden states of the shared tokens (1, shared, C) and of the others (N, L - shared, C)."""
    ids, grid = inputs["input_ids"], inputs["image_grid_thw"]
    positions = _positions(encoder, ids[:1], grid)
    options = {"use_cache": True, "output_hidden_states": True, "logits_to_keep": 1}
    first = encoder(
        input_ids=ids[:1, :shared],
        pixel_values=inputs["pixel_values"],
        image_grid_thw=grid,
        position_ids=positions[:, :, :shared],
        **options,
    )
    first.past_key_values.batch_repeat_interleave(len(ids))
    rest = encoder(
        input_ids=ids[:, shared:],
        position_ids=positions[:, :, shared:].expand(-1, len(ids), -1),
        past_key_values=first.past_key_values,
        **options,
    )
    return first.hidden_states[-1], rest.hidden_states[-1]


def _positions(encoder: Qwen2_5_VLForConditionalGeneration, ids: Tensor, grid: Tensor) -> Tensor:
    """Rotary positions (3, 1, L) of a whole prompt: time, row and column, which differ for tokens of the picture."""
    types = picture_tokens(encoder, ids)
    return encoder.model.get_rope_index(ids, types, grid, attention_mask=torch.ones_like(ids))[0]
