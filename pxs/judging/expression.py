"""Expression: images -> one `Mix` each, the 12 intensities in [0, 1] that a judge sees in a face.

`MiniExpression` knows drawn faces of this project. For photographs there are judges that are models of their own:
vision_language.py (behind an endpoint, or the local Qwen2.5-VL) and pyfeat.py (action units and seven emotions).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from PIL import Image

from pxs.encoders.networks import load_network, to_batch
from pxs.expressions import EXPRESSIONS, Mix
from pxs.judging.weights import WEIGHTS


class ExpressionJudge(Protocol):
    """Images -> mixes. `role` is "score": never part of a training loss."""

    name: str
    role: str

    def judge(self, images: Sequence[Image.Image]) -> list[Mix]:
        """One mix an image (RGB, any size), intensities in [0, 1]; raises JudgeError if the judge fails."""
        ...


class MiniExpression:
    """A small network trained on drawn faces that the editor never saw; its scores are expected intensities."""

    name = "mini-expression"
    role = "score"

    def __init__(self) -> None:
        self.network, version = load_network("expression", len(EXPRESSIONS), WEIGHTS)
        self.name = f"{self.name} {version}"

    @torch.inference_mode()
    def judge(self, images: Sequence[Image.Image]) -> list[Mix]:
        """One mix an image (RGB, any size), intensities in [0, 1]."""
        scores = torch.cat([self.network(part) for part in to_batch(list(images)).split(64)])
        return [Mix.from_vector(row) for row in scores.clamp(0, 1).tolist()]
