"""The tokenizer and the text encoder of `mini`: a byte-level BPE and a small Qwen2.5-VL, both of the stock classes.

The tokenizer is trained on the edit prompts inside the template of the pipeline, so every word is one token. Then the
system prefix has exactly the 64 tokens that the pipeline drops, and all edit prompts have the same number of tokens.
Other text is split into smaller parts, down to single bytes. The text encoder keeps its random weights, as in
random-feature models; the transformer learns what the embeddings mean.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pxs.expressions import DOMAINS, EXPRESSIONS, NEUTRAL, prompt

if TYPE_CHECKING:
    from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
INTENSITY_WORDS = ("slightly", "moderately", "very", "extremely")
CONDITION_PIXELS = 56 * 56
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def template() -> tuple[str, int]:
    """The prompt template of the stock pipeline, and the number of leading tokens that the pipeline drops."""
    from diffusers import QwenImageEditPlusPipeline

    empty = dict.fromkeys(("scheduler", "vae", "text_encoder", "tokenizer", "processor", "transformer"))
    pipe = QwenImageEditPlusPipeline(**empty)
    return pipe.prompt_template_encode, pipe.prompt_template_encode_start_idx


def prompts() -> list[str]:
    """The 26 edit prompts: 12 expressions and neutral, in both domains."""
    return [prompt(e, d) for d in DOMAINS for e in (NEUTRAL, *EXPRESSIONS)]


def train_tokenizer() -> Qwen2Tokenizer:
    """The tokenizer, trained on the prompts inside the template until every word is one token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import Qwen2Tokenizer

    stock = Qwen2Tokenizer()._tokenizer  # has the normaliser and pre-tokeniser of Qwen
    learner = Tokenizer(models.BPE())
    learner.normalizer, learner.pre_tokenizer = stock.normalizer, stock.pre_tokenizer
    text, _ = template()
    corpus = [text.format("Picture 1: " + p) for p in prompts()]
    corpus += [f"Edit the person to show a {word} {e} expression" for word in INTENSITY_WORDS for e in EXPRESSIONS]
    trainer = trainers.BpeTrainer(
        vocab_size=4096,
        min_frequency=1,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=list(SPECIAL),
    )
    learner.train_from_iterator(corpus, trainer)
    model = json.loads(learner.to_str())["model"]
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]]
    return Qwen2Tokenizer(
        vocab=model["vocab"], merges=merges, additional_special_tokens=list(SPECIAL[1:]), chat_template=CHAT_TEMPLATE
    )


def new_text_encoder(tokenizer: Qwen2Tokenizer, seed: int = 0) -> Qwen2_5_VLForConditionalGeneration:
    """The small Qwen2.5-VL (2 layers of width 128, vision depth 2) with fixed random weights."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "initializer_range": 0.08,
        "tie_word_embeddings": True,
        "rope_theta": 1_000_000.0,
        "rope_scaling": {"type": "mrope", "mrope_section": [4, 6, 6], "rope_type": "default"},
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
    }
    vision = {
        "depth": 2,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_heads": 4,
        "out_hidden_size": 128,
        "fullatt_block_indexes": [1],
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 56,
        "in_channels": 3,
        "initializer_range": 0.05,
    }
    config = Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        tie_word_embeddings=True,
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    torch.manual_seed(seed)
    encoder = Qwen2_5_VLForConditionalGeneration(config)
    return encoder.eval().requires_grad_(False)


def save_text(folder: Path, seed: int = 0) -> None:
    """Write the parts tokenizer/, processor/ and text_encoder/ of the checkpoint `folder`."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    tokenizer = train_tokenizer()
    tokenizer.save_pretrained(folder / "tokenizer")
    tokenizer.save_pretrained(folder / "processor")
    images = Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=CONDITION_PIXELS)
    images.save_pretrained(folder / "processor")
    # transformers loads weights in their stored dtype, and all parts of the pipeline need the same one: float32
    encoder = new_text_encoder(tokenizer, seed)
    encoder.half().float().save_pretrained(folder / "text_encoder")
