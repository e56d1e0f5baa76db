"""Expression judges: images -> one `Mix` each, the 12 judged intensities in [0, 1] of a face.

`MiniExpression` judges the drawn faces of this project. The judges of photographs are in endpoint.py (a vision-language
model behind an endpoint), local_qwen.py (Qwen2.5-VL) and pyfeat.py (the emotions of py-feat).
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
    """Images -> mixes. `role` is "score": a judge is never part of a training loss."""

    name: str
    role: str

    def judge(self, images: Sequence[Image.Image]) -> list[Mix]:
        """One mix per image (any mode and size), intensities in [0, 1].

        Raises UnjudgedError if it fails on some images, JudgeSetupError if it can judge none, both of them JudgeErrors.
        """
        ...


class MiniExpression:
    """A small network, trained on drawn faces of people that are not in the training data of the editor.

    Its scores are expected intensities. Raises JudgeError if its weights are missing or damaged.
    """

    name = "mini-expression"
    role = "score"

    def __init__(self) -> None:
        self.network, version = load_network("expression", len(EXPRESSIONS), WEIGHTS)
        self.name = f"{self.name} {version}"

    @torch.inference_mode()
    def judge(self, images: Sequence[Image.Image]) -> list[Mix]:
        """One mix per image (at least one; any mode and size), intensities in [0, 1]."""
        scores = torch.cat([self.network(part) for part in torch.split(to_batch(list(images)), 64)])
        return [Mix.from_vector(row) for row in scores.clamp(0, 1).tolist()]
