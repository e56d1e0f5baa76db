"""The networks behind the embedded judges: one small residual network, whose head decides what it judges.

Pictures are (B, 3, 128, 128) float in [-1, 1]. Four by four pixels become one position of 32 x 32; two halvings later
the 8 x 8 map is flattened, not averaged, since where a brow or a lip lies is what an expression is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load
from torch import Tensor, nn

from pxs.errors import JudgeError, one_line

SIDE = 128
WEIGHTS = Path(__file__).parent / "weights"  # of the encoders; those of the judges lie in pxs/judging


class Residual(nn.Module):
    """norm, SiLU, 3x3, twice, added to its input; (B, C, H, W) -> same. Its branch starts at zero."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, dim), nn.GroupNorm(8, dim)
        self.conv1, self.conv2 = nn.Conv2d(dim, dim, 3, padding=1), nn.Conv2d(dim, dim, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(F.silu(self.norm2(h)))


class FaceNet(nn.Module):
    """Pictures (B, 3, 128, 128) in [-1, 1] -> (B, outputs)."""

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
        return self.head(self.trunk(x).flatten(1))


def load_network(name: str, outputs: int, folder: Path = WEIGHTS) -> tuple[FaceNet, str]:
    """The network `name` in `folder`, in float32 on the CPU, and the first 8 digits of its file's SHA-256.

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
    """A shipped network whose output, made unit length, tells what lies near; `weights` names its file.

    `name` gets the first digits of the file's hash, so that results of other weights are told apart.
    """

    name: str
    weights: str
    folder = WEIGHTS
    size = 64

    def __init__(self) -> None:
        self.network, version = load_network(self.weights, self.size, self.folder)
        self.name = f"{self.name} {version}"

    @torch.inference_mode()
    def embed(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Unit vectors (N, 64) float32, one an image (RGB, any size)."""
        return self.embed_pixels(to_batch(list(images))).numpy()

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Unit vectors (B, 64) from pixels (B, 3, 128, 128) in [-1, 1], differentiable; on the pixels' device."""
        self.network.to(pixels.device)
        return F.normalize(self.network(pixels.float()).float(), dim=1)


def to_batch(images: list[Image.Image]) -> Tensor:
    """Images of any size as the networks take them: (B, 3, 128, 128) float32 in [-1, 1]."""
    small = [i.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC) for i in images]
    pixels = torch.from_numpy(np.stack([np.asarray(i) for i in small]))
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
