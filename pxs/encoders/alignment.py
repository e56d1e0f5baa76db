"""Alignment of faces for ArcFace: rotation, scale and shift by landmarks, differentiable in the pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 112
TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""Positions (x, y) of eyes, nose and mouth corners in an aligned face, in pixels (arXiv 1801.07698)."""


def align(pixels: Tensor, landmarks: Tensor) -> Tensor:
    """Aligned faces (B, 3, 112, 112) from pictures (B, 3, H, W), both floating in [-1, 1].

    `landmarks` (B, 5, 2) are (x, y) in pixels; integers are pixel centres. The similarity transform (rotation, scale,
    shift) is the least-squares fit of the landmarks to the template (Umeyama 1991). Sampling is bilinear without
    antialiasing, as in insightface; positions outside the picture are black. Differentiable in `pixels`.
    """
    scale, shift = _similarity(landmarks.to(pixels))
    steps = torch.arange(SIDE, device=pixels.device, dtype=pixels.dtype)
    row, column = torch.meshgrid(steps, steps, indexing="ij")
    source = (torch.complex(column, row) - shift) / scale
    size = pixels.new_tensor([pixels.shape[3], pixels.shape[2]])
    grid = (2 * torch.view_as_real(source) + 1) / size - 1
    return F.grid_sample(pixels + 1, grid, align_corners=False) - 1


def _similarity(landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """Complex `scale` and `shift`, each (B, 1, 1), such that scale * point + shift fits the template best.

    A point (x, y) is the complex number x + iy. In the plane, Umeyama's fit is a linear fit in complex numbers, and
    `scale` includes the rotation.
    """
    points = torch.view_as_complex(landmarks.contiguous())
    template = torch.view_as_complex(landmarks.new_tensor(TEMPLATE))
    centre, template_centre = points.mean(1, keepdim=True), template.mean()
    offsets = points - centre
    products = offsets.conj() * (template - template_centre)
    scale = products.sum(1, keepdim=True) / offsets.abs().square().sum(1, keepdim=True)
    return scale[..., None], (template_centre - scale * centre)[..., None]
