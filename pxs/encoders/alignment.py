"""Faces turned, scaled and shifted so that their landmarks lie where ArcFace expects them, with gradients to pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 112
TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""Where the eyes, the nose and the corners of the mouth lie in an aligned face, (x, y) (arXiv 1801.07698)."""


def align(pixels: Tensor, landmarks: Tensor) -> Tensor:
    """Faces (B, 3, 112, 112) from pictures (B, 3, H, W), both in [-1, 1] and floating, black beyond the edges.

    `landmarks` (B, 5, 2) are (x, y) in pixels, whole numbers at their centres. Of all rotations with a scale and a
    shift, the one is taken that brings them nearest to the template by least squares (Umeyama 1991). Bilinear, as
    insightface samples, and so without antialiasing.
    """
    scale, shift = _similarity(landmarks.to(pixels))
    steps = torch.arange(SIDE, device=pixels.device, dtype=pixels.dtype)
    row, column = torch.meshgrid(steps, steps, indexing="ij")
    source = (torch.complex(column, row) - shift) / scale
    size = pixels.new_tensor([pixels.shape[3], pixels.shape[2]])
    grid = (2 * torch.view_as_real(source) + 1) / size - 1
    return F.grid_sample(pixels + 1, grid, align_corners=False) - 1


def _similarity(landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """Complex numbers (B, 1, 1), by which points x + iy lie nearest to the template's as scale * point + shift.

    In the plane Umeyama's fit is a linear one in complex numbers, and `scale` holds the rotation too.
    """
    points = torch.view_as_complex(landmarks.contiguous())
    goals = torch.view_as_complex(landmarks.new_tensor(TEMPLATE))
    centre, goal = points.mean(1, keepdim=True), goals.mean()
    around = points - centre
    scale = (around.conj() * (goals - goal)).sum(1, keepdim=True) / around.abs().square().sum(1, keepdim=True)
    return scale[..., None], (goal - scale * centre)[..., None]
