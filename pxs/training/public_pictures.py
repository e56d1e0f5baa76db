"""Pictures, latents and embeddings as the public trainer of PixelSmile prepares them: the recipe "pixelsmile"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from pxs.data.ffe import Row
from pxs.errors import DataError, ModelError
from pxs.images import Box, upright_size
from pxs.images.cropping import crop_square

if TYPE_CHECKING:
    from pxs.editing.editor import Editor


def check_boxes(rows: Sequence[Row]) -> None:
    """Raise DataError, which names the picture, for a face box that lies outside of it; reads headers only."""
    for row in rows:
        for path, boxes in ((row.source, row.boxes), *((t.image, t.boxes) for t in row.targets)):
            if boxes and _inside(boxes[0], size := upright_size(path)) is None:
                shown = ", ".join(f"{c:g}" for c in boxes[0])
                raise DataError(f"the box [{shown}] lies outside of {str(path)!r}, {size[0]} x {size[1]}: correct it")


def crop(image: Image.Image, side: int, boxes: Sequence[Box]) -> Image.Image:
    """A square of `side` pixels from an RGB image, around the first face box, which is clipped to the image."""
    return crop_square(image, side, _inside(boxes[0], image.size) if boxes else None)


@torch.no_grad()
def sample_latents(editor: Editor, pixels: Tensor, seed: int) -> Tensor:
    """Normalised latents (B, z, H / 8, W / 8) drawn from the VAE's posterior of pixels (B, 3, H, W) in [-1, 1]."""
    mean, logvar = editor.vae.encode(pixels.to(editor.vae.quant_conv.weight))
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed)).to(mean)
    drawn = mean + (0.5 * logvar.clamp(-30, 20)).exp() * noise
    normalised: Tensor = (drawn - editor.mean.to(drawn)) / editor.std.to(drawn)
    return normalised.contiguous()


@torch.no_grad()
def decode_latents(editor: Editor, latents: Tensor) -> Tensor:
    """Pixels (B, 3, H, W) float32 in [-1, 1] from normalised latents (B, z, h, w)."""
    pixels: Tensor = editor.vae.decode(latents * editor.std.to(latents) + editor.mean.to(latents))
    return pixels.float().clamp(-1, 1)


@torch.no_grad()
def embed_prompts(editor: Editor, image: Image.Image, prompts: Sequence[str]) -> Tensor:
    """Embeddings (N, L, C) of N prompts, one at a time, about an RGB image that the text encoder sees as it is given.

    Raises ModelError if the prompts take different numbers of tokens.
    """
    pipe: Any = editor.pipe
    rows: list[Tensor] = [pipe.encode_prompt([prompt], image=[image])[0] for prompt in prompts]
    if len({row.shape[1] for row in rows}) > 1:
        found = ", ".join(f"{p!r}: {row.shape[1]}" for p, row in zip(prompts, rows, strict=True))
        raise ModelError(f"the prompts take different numbers of tokens and cannot be interpolated ({found})")
    return torch.cat(rows)


def _inside(box: Box, size: tuple[int, int]) -> Box | None:
    """The part of a box inside of a picture of `size`; None if there is none."""
    left, top, right, bottom = max(0.0, box[0]), max(0.0, box[1]), min(size[0], box[2]), min(size[1], box[3])
    return (left, top, right, bottom) if left < right and top < bottom else None
