"""From prompts to the embeddings that steer the transformer: encoding, interpolation and blends.

Textual latent interpolation (PixelSmile, arXiv 2603.25728): the neutral prompt and the prompts of the expressions are
encoded together with the source image, and a mix of intensities a_i becomes

    e = e_neutral + sum_i a_i * (e_i - e_neutral)        over all tokens.

Intensity 0 is the neutral prompt, 1 the prompt itself, above 1 extrapolates. `interpolate` computes this in float32.

The public code has five ways, for one expression at a time and in the dtype of the embeddings: `all_tokens` (its
default), `last_seven`, `last_six`, `word_alone` and `scaled_word`. The end of a prompt is always the word of the
expression, the word "expression" and five tokens of the template. So the word is the seventh token from the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from pxs.errors import ModelError
from pxs.expressions import EXPRESSIONS, NEUTRAL, Mix, prompt

if TYPE_CHECKING:
    from diffusers import QwenImageEditPlusPipeline
    from transformers import Qwen2_5_VLForConditionalGeneration

Encode = Callable[["QwenImageEditPlusPipeline", Image.Image, Sequence[str]], Tensor]
"""From N prompts about one RGB image to embeddings (N, L, C), as `encode_prompts`."""

See = Callable[["QwenImageEditPlusPipeline", Image.Image], Image.Image]
"""From an RGB image to the one that the text encoder's processor gets: `condition_image` or `same_image`."""

CONDITION_AREA = 384 * 384  # pixels of the image that the text encoder sees, before its own processor
WORD = -7  # row of the expression's word in the embeddings of a prompt, counted from the end


def condition_image(pipe: QwenImageEditPlusPipeline, image: Image.Image) -> Image.Image:
    """The image as the pipeline itself shows it to the text encoder: CONDITION_AREA pixels, sides multiples of 32."""
    from diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus import calculate_dimensions

    width, height = calculate_dimensions(CONDITION_AREA, image.width / image.height)
    return pipe.image_processor.resize(image, height, width)


def same_image(pipe: QwenImageEditPlusPipeline, image: Image.Image) -> Image.Image:
    """The image itself, as the public script shows it to the text encoder."""
    return image


@torch.inference_mode()
def encode_prompts(
    pipe: QwenImageEditPlusPipeline, image: Image.Image, prompts: Sequence[str], see: See = condition_image
) -> Tensor:
    """Embeddings (N, L, C) of N prompts about one RGB image, in one batch; `see` prepares the image.

    Raises ModelError if the prompts do not take equally many tokens: then they cannot be subtracted token by token.
    """
    embeddings, mask = pipe.encode_prompt(list(prompts), image=[see(pipe, image)])
    if mask is not None and not bool(mask.all()):
        lengths = ", ".join(f"{p!r}: {int(n)}" for p, n in zip(prompts, mask.sum(dim=1), strict=True))
        raise ModelError(f"the prompts take different numbers of tokens and cannot be interpolated ({lengths})")
    return embeddings


def encode_singly(
    pipe: QwenImageEditPlusPipeline, image: Image.Image, prompts: Sequence[str], see: See = condition_image
) -> Tensor:
    """What `encode_prompts` returns, but each prompt is a batch of one: batches of different sizes round differently.

    Raises ModelError if the prompts do not take equally many tokens.
    """
    rows = [encode_prompts(pipe, image, [prompt], see) for prompt in prompts]
    lengths = {len(row[0]): prompt for row, prompt in zip(rows, prompts, strict=True)}
    if len(lengths) > 1:
        found = ", ".join(f"{p!r}: {n}" for n, p in lengths.items())
        raise ModelError(f"the prompts take different numbers of tokens and cannot be interpolated ({found})")
    return torch.cat(rows)


def picture_tokens(encoder: Qwen2_5_VLForConditionalGeneration, ids: Tensor) -> Tensor:
    """1 where a token (N, L) stands for a part of the picture, else 0, as transformers 5 asks for it."""
    return (ids == encoder.config.image_token_id).int()


def tell_pictures(
    encoder: Qwen2_5_VLForConditionalGeneration, args: tuple[Any, ...], given: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A forward pre-hook of the text encoder: tells which tokens are the picture's, so that they have two dimensions.

    transformers 5 must be told so, and the pipelines of diffusers 0.42 do not tell it: the tokens of a picture are then
    counted in one line, as the model was not trained (diffusers issue 14194).
    """
    if given.get("image_grid_thw") is not None and given.get("mm_token_type_ids") is None:
        given = {**given, "mm_token_type_ids": picture_tokens(encoder, given["input_ids"])}
    return args, given


def embed_expressions(
    pipe: QwenImageEditPlusPipeline,
    image: Image.Image,
    domain: str,
    encode: Encode = encode_prompts,
) -> dict[str, Tensor]:
    """Embeddings (L, C) of the neutral prompt and of all 12 expressions about one RGB image."""
    words = (NEUTRAL, *EXPRESSIONS)
    rows = encode(pipe, image, [prompt(word, domain) for word in words])
    return dict(zip(words, rows, strict=True))


def interpolate(embeddings: dict[str, Tensor], mixes: Sequence[Mix]) -> Tensor:
    """Embeddings (N, L, C) of N mixes: e_neutral + sum_i a_i (e_i - e_neutral), computed in float32."""
    neutral = embeddings[NEUTRAL]
    return torch.stack([weighted_sum(neutral, [embeddings[e] for e in mix], list(mix.values())) for mix in mixes])


def weighted_sum(neutral: Tensor, others: Sequence[Tensor], weights: Sequence[Tensor | float]) -> Tensor:
    """e_neutral + sum_k w_k (e_k - e_neutral), computed in float32, in the shape and dtype of `neutral` (..., L, C).

    `others`: K embeddings of that shape; `weights`: K numbers, or tensors that broadcast to it.
    """
    base = neutral.float()
    total = torch.zeros_like(base)
    for other, weight in zip(others, weights, strict=True):
        total = total + weight * (other.float() - base)
    return (base + total).to(neutral.dtype)


Way = Callable[[Tensor, Tensor, float], Tensor]
"""From embeddings (..., L, C) of the neutral prompt and of an expression's prompt, and an intensity, to an edit's.

The result has the shape and dtype of both, and is computed in this dtype."""


def all_tokens(neutral: Tensor, target: Tensor, intensity: float) -> Tensor:
    """Interpolates every token. See `Way`."""
    return neutral + intensity * (target - neutral)


def last_seven(neutral: Tensor, target: Tensor, intensity: float) -> Tensor:
    """Interpolates the expression's word and all after it; the tokens before are those of `target`. See `Way`."""
    return _from(WORD, neutral, target, intensity)


def last_six(neutral: Tensor, target: Tensor, intensity: float) -> Tensor:
    """Interpolates what follows the expression's word; the word and what is before are those of `target`. See `Way`."""
    return _from(WORD + 1, neutral, target, intensity)


def word_alone(neutral: Tensor, target: Tensor, intensity: float) -> Tensor:
    """Interpolates the expression's word; all other tokens are those of `target`. See `Way`."""
    result = target.clone()
    result[..., WORD, :] = all_tokens(neutral[..., WORD, :], target[..., WORD, :], intensity)
    return result


def scaled_word(neutral: Tensor, target: Tensor, intensity: float) -> Tensor:
    """Multiplies the expression's word by the intensity; all other tokens are those of `target`. See `Way`."""
    result = target.clone()
    result[..., WORD, :] *= intensity
    return result


def _from(start: int, neutral: Tensor, target: Tensor, intensity: float) -> Tensor:
    """`target` before row `start` (counted from the end), interpolated from there on."""
    end = all_tokens(neutral[..., start:, :], target[..., start:, :], intensity)
    return torch.cat([target[..., :start, :], end], dim=-2)


def interpolate_by(way: Way, embeddings: dict[str, Tensor], mixes: Sequence[Mix]) -> Tensor:
    """Embeddings (N, L, C) of N mixes by a `way`, in the dtype of the embeddings (L, C).

    The changes of several expressions are added. A mix without expressions is the neutral prompt.
    """
    return torch.stack([_mixed(way, embeddings, mix) for mix in mixes])


def _mixed(way: Way, embeddings: dict[str, Tensor], mix: Mix) -> Tensor:
    neutral = embeddings[NEUTRAL]
    first, *others = [way(neutral, embeddings[word], a) for word, a in mix.items()] or [neutral]
    for other in others:
        first = first + (other - neutral)
    return first
