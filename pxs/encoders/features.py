"""Feature encoders: images -> unit vectors, near to each other for similar faces.

The contrastive loss and the maps use them. They never score a result: their `role` is "train".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from pxs.encoders.networks import Embedder
from pxs.errors import JudgeError, one_line
from pxs.expressions import EXPRESSIONS, Mix, check_domain


class FeatureEncoder(Protocol):
    """Images -> unit vectors. `role` is "train": an encoder of a loss never scores."""

    name: str
    role: str

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Unit vectors (N, D), one per image (any mode and size)."""
        ...

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Unit vectors (B, D) float32 from pixels (B, 3, H, W) floating in [-1, 1], differentiable."""
        ...


class MiniFeatures(Embedder):
    """The image tower of a small CLIP, trained with captions on drawn faces."""

    name = "mini-features"
    role = "train"
    weights = "features"


CLIP_MODELS = {"human": "openai/clip-vit-large-patch14", "anime": "OysterQAQ/DanbooruCLIP"}
"""The CLIP of PixelSmile's contrastive loss for each domain."""

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Mean and standard deviation of the RGB channels, in [0, 1], that CLIP normalises with."""


class ClipFeatures:
    """The image tower of a CLIP of transformers, by default the one for `domain` ("human" or "anime").

    `model` is the id of a downloaded hub model, or a folder; nothing is downloaded. `device` is by default "cuda" if
    available, else "cpu". Raises ExpressionError for an unknown domain, JudgeError for a model that is missing or is
    not a CLIP.
    """

    role = "train"

    def __init__(self, domain: str = "human", model: str | Path | None = None, device: str | None = None) -> None:
        source = CLIP_MODELS[check_domain(domain)] if model is None else str(model)
        self.name = f"clip {source}"
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        clip: Any = _load_clip(source).to(self.device)
        self.tower, self.projection = clip.vision_model, clip.visual_projection
        self.side: int = clip.config.vision_config.image_size
        self.width: int = self.projection.out_features
        self.mean, self.std = (torch.tensor(x, device=self.device)[:, None, None] for x in (CLIP_MEAN, CLIP_STD))

    @torch.inference_mode()
    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Unit vectors (N, D), one per image (any mode and size)."""
        vectors: list[NDArray[np.float32]] = [np.empty((0, self.width), np.float32)]
        for start in range(0, len(images), 32):
            prepared = [self.prepare(_pixels(image).to(self.device)) for image in images[start : start + 32]]
            vectors.append(self._project(torch.cat(prepared)).cpu().numpy())
        return np.concatenate(vectors)

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Unit vectors (B, D) float32 from pixels (B, 3, H, W) floating in [-1, 1], differentiable; on `device`."""
        return self._project(self.prepare(pixels.to(self.device, torch.float32)))

    def prepare(self, pixels: Tensor) -> Tensor:
        """The input of CLIP (B, 3, side, side) from pixels (B, 3, H, W) float32 in [-1, 1], differentiable.

        Like CLIP's image processor: resize the shorter side to `side` (bicubic, antialiased), crop the centre, and
        normalise each channel to mean 0 and standard deviation 1 over CLIP's training set.
        """
        height, width = pixels.shape[-2:]
        short = min(height, width)
        size = self.side * height // short, self.side * width // short
        small = F.interpolate(pixels, size, mode="bicubic", antialias=True).clamp(-1, 1)
        top, left = (size[0] - self.side) // 2, (size[1] - self.side) // 2
        return (small[..., top : top + self.side, left : left + self.side] / 2 + 0.5 - self.mean) / self.std

    def _project(self, prepared: Tensor) -> Tensor:
        """Unit vectors (B, D) from the input of CLIP (B, 3, side, side)."""
        return F.normalize(self.projection(self.tower(pixel_values=prepared).pooler_output), dim=1)


class PooledClipFeatures(ClipFeatures):
    """CLIP features as the public trainer of PixelSmile takes them: the pooled output of the tower, not projected.

    The whole picture is resized to `side` x `side`, whatever its shape: bilinear, without antialiasing.
    """

    def __init__(self, domain: str = "human", model: str | Path | None = None, device: str | None = None) -> None:
        super().__init__(domain, model, device)
        self.name = f"{self.name} pooled"
        self.width = self.projection.in_features

    def prepare(self, pixels: Tensor) -> Tensor:
        """The input of CLIP (B, 3, side, side) from pixels (B, 3, H, W) float32 in [-1, 1], differentiable."""
        unit = (pixels / 2 + 0.5).clamp(0, 1)
        small = F.interpolate(unit, (self.side, self.side), mode="bilinear", align_corners=False)
        return (small - self.mean) / self.std

    def _project(self, prepared: Tensor) -> Tensor:
        """Unit vectors (B, D) from the input of CLIP (B, 3, side, side); D is the width of the tower."""
        return F.normalize(self.tower(pixel_values=prepared).pooler_output, dim=1)


def _pixels(image: Image.Image) -> Tensor:
    """The pixels (1, 3, H, W) float32 in [-1, 1] of an image."""
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 127.5 - 1


def _load_clip(source: str) -> nn.Module:
    """A frozen CLIP in float32, from files on disk. Raises JudgeError if it is missing or is not a CLIP."""
    from transformers import CLIPModel

    loader: Any = CLIPModel
    try:
        network, report = loader.from_pretrained(
            source, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:
        if isinstance(error, OSError) and not Path(source).is_dir():
            hint = f"is not downloaded: run 'hf download {source}' first, or give a folder"
            raise JudgeError(f"CLIP {source!r} {hint}") from None
        raise JudgeError(f"{source!r} cannot be loaded as a CLIP ({one_line(error)}): give another model") from None
    if report["missing_keys"]:
        raise JudgeError(f"{source!r} is not a CLIP: give another model ({min(report['missing_keys'])} is missing)")
    frozen: nn.Module = network.eval().requires_grad_(False)
    return frozen


STRENGTHS = ((0.35, "slightly"), (0.75, "clearly"), (float("inf"), "very"))
WORDS = (
    *("person", "character", "cropped", "side", "bob", "long", "bun", "curly", "none", "round", "square", "neutral"),
    *(f"{strength} {expression}" for _, strength in STRENGTHS for expression in EXPRESSIONS),
)


def caption(subject: str, hairstyle: str, glasses: str, mix: Mix) -> str:
    """The caption of a drawn face: subject, hairstyle, glasses, and each expression with its strength."""
    expressions = [f"{next(word for top, word in STRENGTHS if a <= top)} {e}" for e, a in mix.items()]
    return ", ".join([subject, hairstyle, glasses, *(expressions or ["neutral"])])


class TextTower(nn.Module):
    """Captions as word counts (B, V) float32 -> unit vectors (B, size) float32; V is the number of WORDS."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.embed = nn.Linear(len(WORDS), 128, bias=False)
        self.project = nn.Sequential(nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, size))

    def forward(self, counts: Tensor) -> Tensor:
        """Unit vectors (B, size) float32 from word counts (B, V) float32."""
        return F.normalize(self.project(self.embed(counts)).float(), dim=1)

    @staticmethod
    def count(text: str) -> Tensor:
        """Word counts (V,) float32 of a caption in the form of `caption`; unknown words are ignored."""
        parts = re.split(r",\s*", text)
        return torch.tensor([float(parts.count(word)) for word in WORDS])
