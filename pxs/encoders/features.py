"""Features: images -> vectors in which pictures of like faces lie together, for the contrastive loss and for maps.

A `FeatureEncoder` only looks through the eyes of a training or of a map: it never scores (its `role` is "train").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from pxs.encoders.networks import Embedder
from pxs.errors import JudgeError, one_line
from pxs.expressions import EXPRESSIONS, Mix, check_domain


class FeatureEncoder(Protocol):
    """Images -> vectors. `role` is "train": what losses look through must never score."""

    name: str
    role: str

    def embed(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Unit vectors (N, D) float32, one an image (RGB, any size)."""
        ...

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Unit vectors (B, D) from pixels (B, 3, H, W) in [-1, 1], differentiable."""
        ...


class MiniFeatures(Embedder):
    """The image tower of a small CLIP, trained with captions on drawn faces."""

    name = "mini-features"
    role = "train"
    weights = "features"


CLIP_MODELS = {"human": "openai/clip-vit-large-patch14", "anime": "OysterQAQ/DanbooruCLIP"}
"""The CLIP that PixelSmile's contrastive loss looks through, one a domain."""


class ClipFeatures:
    """The image tower of a CLIP of transformers, by default the one for `domain` ("human" or "anime").

    `model` is the id of a downloaded hub model or a folder; nothing is fetched. `device` is "cuda" where there is one,
    else "cpu". Raises ExpressionError for an unknown domain, JudgeError for a model that is missing or is no CLIP.
    """

    role = "train"

    def __init__(self, domain: str = "human", model: str | Path | None = None, device: str | None = None) -> None:
        from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

        source = CLIP_MODELS[check_domain(domain)] if model is None else str(model)
        self.name = f"clip {source}"
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        clip = _load_clip(source).to(self.device)
        self.tower, self.projection = clip.vision_model, clip.visual_projection
        self.side: int = clip.config.vision_config.image_size
        self.mean, self.std = (
            torch.tensor(x, device=self.device)[:, None, None] for x in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD)
        )

    @torch.inference_mode()
    def embed(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Unit vectors (N, D) float32, one an image (RGB, any size)."""
        vectors = [np.empty((0, self.projection.out_features), np.float32)]
        for start in range(0, len(images), 32):
            prepared = [self.prepare(_pixels(image).to(self.device)) for image in images[start : start + 32]]
            vectors.append(self._project(torch.cat(prepared)).cpu().numpy())
        return np.concatenate(vectors)

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Unit vectors (B, D) from pixels (B, 3, H, W) in [-1, 1], differentiable."""
        return self._project(self.prepare(pixels.to(self.device, torch.float32)))

    def prepare(self, pixels: Tensor) -> Tensor:
        """What CLIP's processor makes of pixels (B, 3, H, W) in [-1, 1]: (B, 3, side, side), differentiable.

        The shorter side is brought to `side` by antialiased bicubic interpolation, the centre cut out and normalised.
        """
        height, width = pixels.shape[-2:]
        short = min(height, width)
        size = self.side * height // short, self.side * width // short
        small = F.interpolate(pixels, size, mode="bicubic", antialias=True).clamp(-1, 1)
        top, left = (size[0] - self.side) // 2, (size[1] - self.side) // 2
        return (small[..., top : top + self.side, left : left + self.side] / 2 + 0.5 - self.mean) / self.std

    def _project(self, prepared: Tensor) -> Tensor:
        return F.normalize(self.projection(self.tower(pixel_values=prepared).pooler_output), dim=1)


def _pixels(image: Image.Image) -> Tensor:
    """An image as pixels (1, 3, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 127.5 - 1


def _load_clip(source: str) -> nn.Module:
    """A CLIP, frozen, in float32, from files that are on disk."""
    from transformers import CLIPModel

    try:
        network, report = CLIPModel.from_pretrained(
            source, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:
        if isinstance(error, OSError) and not Path(source).is_dir():
            hint = f"is not downloaded: run 'hf download {source}' first, or give a folder"
            raise JudgeError(f"CLIP {source!r} {hint}") from None
        raise JudgeError(f"{source!r} cannot be loaded as a CLIP ({one_line(error)}): give another model") from None
    if report["missing_keys"]:
        raise JudgeError(f"{source!r} is no CLIP: give another model ({min(report['missing_keys'])} is missing)")
    return network.eval().requires_grad_(False)


STRENGTHS = ((0.35, "slightly"), (0.75, "clearly"), (float("inf"), "very"))
WORDS = (
    *("person", "character", "cropped", "side", "bob", "long", "bun", "curly", "none", "round", "square", "neutral"),
    *(f"{strength} {expression}" for _, strength in STRENGTHS for expression in EXPRESSIONS),
)


def caption(subject: str, hairstyle: str, glasses: str, mix: Mix) -> str:
    """What a caption says of a drawn face: subject, hair, glasses, and each expression with its strength."""
    shown = [f"{next(word for top, word in STRENGTHS if a <= top)} {e}" for e, a in mix.items()] or ["neutral"]
    return ", ".join([subject, hairstyle, glasses, *shown])


class TextTower(nn.Module):
    """Captions as word counts (B, V) -> unit vectors (B, size)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.embed = nn.Linear(len(WORDS), 128, bias=False)
        self.project = nn.Sequential(nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, size))

    def forward(self, counts: Tensor) -> Tensor:
        return F.normalize(self.project(self.embed(counts)).float(), dim=1)

    @staticmethod
    def count(text: str) -> Tensor:
        """Word counts (V,) float32 of a caption as `caption` writes it; unknown words are left out."""
        parts = re.split(r",\s*", text)
        return torch.tensor([float(parts.count(word)) for word in WORDS])
