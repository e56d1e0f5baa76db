"""The small residual network of the embedded encoders and judges for drawn faces; they differ in its outputs.

Pictures are (B, 3, 128, 128) float32 in [-1, 1]. Each 4 x 4 block of pixels becomes one position of a 32 x 32 map,
which is halved twice. The 8 x 8 map is flattened, not averaged: the positions of brows and lips show an expression.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load
from torch import Tensor, nn

from pxs.errors import JudgeError, one_line

SIDE = 128
WEIGHTS = Path(__file__).parent / "weights"  # of the encoders; the weights of the judges are in pxs/judging


class Residual(nn.Module):
    """A residual block of two (norm, SiLU, 3x3 convolution), which starts as the identity; C is a multiple of 8."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, dim), nn.GroupNorm(8, dim)
        self.conv1, self.conv2 = nn.Conv2d(dim, dim, 3, padding=1), nn.Conv2d(dim, dim, 3, padding=1)
        for parameter in self.conv2.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) floating -> the same shape and dtype."""
        h = self.conv1(F.silu(self.norm1(x)))
        return torch.add(x, self.conv2(F.silu(self.norm2(h))))


class FaceNet(nn.Module):
    """Pictures -> `outputs` numbers each; `width` is the number of channels of the first map."""

    def __init__(self, outputs: int, width: int = 32) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, width, 3, padding=1),
            Residual(width),
            nn.Conv2d(width, 2 * width, 2, stride=2),
            Residual(2 * width),
            Residual(2 * width),
            nn.Conv2d(2 * width, 4 * width, 2, stride=2),
            Residual(4 * width),
            Residual(4 * width),
            nn.GroupNorm(8, 4 * width),
            nn.SiLU(),
            nn.Conv2d(4 * width, 32, 1),
        )
        self.head = nn.Linear(32 * 8 * 8, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, 128, 128) float32 in [-1, 1] -> (B, outputs) float32, unbounded."""
        outputs: Tensor = self.head(self.trunk(x).flatten(1))
        return outputs


def load_network(name: str, outputs: int, folder: Path = WEIGHTS) -> tuple[FaceNet, str]:
    """The frozen network `name` in `folder`, float32 on the CPU, and the first 8 digits of the SHA-256 of its file.

    Raises JudgeError if the file is missing or damaged.
    """
    path = folder / f"{name}.safetensors"
    try:
        content = path.read_bytes()
        weights = load(content)
    except Exception as error:
        raise JudgeError(f"the weights {path} cannot be read ({one_line(error)}): install the package again") from None
    network = FaceNet(outputs)
    network.load_state_dict({k: v.float() for k, v in weights.items()})
    return network.eval().requires_grad_(False), hashlib.sha256(content).hexdigest()[:8]


class Embedder:
    """A shipped network whose output, scaled to unit length, is an embedding; `weights` is the name of its file.

    `name` includes the first digits of the hash of the file, so results of different weights have different names.
    Raises JudgeError if the file is missing or damaged.
    """

    name: str
    weights: str
    folder = WEIGHTS
    size = 64

    def __init__(self) -> None:
        self.network, version = load_network(self.weights, self.size, self.folder)
        self.name = f"{self.name} {version}"

    @torch.inference_mode()
    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Unit vectors (N, 64), one per image (any mode and size)."""
        vectors: NDArray[np.float32] = self.embed_pixels(to_batch(list(images))).numpy()
        return vectors

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Unit vectors (B, 64) float32 from pixels (B, 3, 128, 128) floating in [-1, 1].

        Differentiable in `pixels`, and on their device.
        """
        self.network.to(pixels.device)
        return F.normalize(self.network(pixels.float()).float(), dim=1)


def to_batch(images: list[Image.Image]) -> Tensor:
    """The input of the networks, (N, 3, 128, 128) float32 in [-1, 1], from N images (at least 1, any mode and size)."""
    small = [i.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC) for i in images]
    pixels = torch.from_numpy(np.stack([np.asarray(i) for i in small]))
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
