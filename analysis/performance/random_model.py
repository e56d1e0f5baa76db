"""A model with the shapes of Qwen-Image-Edit-2511 and random weights: speed does not depend on their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import AutoencoderKLQwenImage, QwenImageEditPlusPipeline, QwenImageTransformer2DModel
from torch import nn
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from pxs.editing.bundled import BUNDLED
from pxs.editing.parts import load_pipeline

FULL_TEXT = {
    "vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
    "num_attention_heads": 28, "num_key_value_heads": 4, "max_position_embeddings": 32768,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
}  # fmt: skip
FULL_VISION = {"hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584}


def random_pipeline(
    device: str,
    transformer: Mapping[str, Any] | None = None,
    vae: Mapping[str, Any] | None = None,
    text: Mapping[str, Any] = FULL_TEXT,
    vision: Mapping[str, Any] = FULL_VISION,
) -> QwenImageEditPlusPipeline:
    """A pipeline with random bfloat16 weights, created on the device, and the tokenizer of the embedded model.

    `transformer`, `vae`, `text` and `vision` change the configuration of a part. The default shapes are those of
    Qwen-Image-Edit-2511; for transformer and VAE these are the defaults of their classes.
    """
    folder = BUNDLED["mini"]
    small = Qwen2_5_VLConfig.from_pretrained(folder / "text_encoder")
    ids = {name: getattr(small, name) for name in ("image_token_id", "video_token_id", "vision_start_token_id")}
    config = Qwen2_5_VLConfig(text_config=dict(text), vision_config=dict(vision), **ids)
    with torch.device(device), _default_dtype(torch.bfloat16):
        parts: dict[str, nn.Module] = {
            "transformer": QwenImageTransformer2DModel(zero_cond_t=True, **(transformer or {})),
            "vae": AutoencoderKLQwenImage(**(vae or {})),
            "text_encoder": Qwen2_5_VLForConditionalGeneration(config),
        }
    frozen = {name: part.eval().requires_grad_(False) for name, part in parts.items()}
    pipe: Any = load_pipeline(folder, torch.bfloat16, **frozen)
    pipe.processor.image_processor = Qwen2VLImageProcessorPil()  # as many image tokens as the full model takes
    return pipe


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """While open, new tensors have this dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
