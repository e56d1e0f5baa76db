"""The ArcFace judge of identity, for photographs; its model pack must differ from that of the training loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pxs.encoders.arcface import NO_RECOGNITION, ROOT, face_analysis, find_face
from pxs.errors import JudgeError
from pxs.images import Box


class ArcFaceIdentity:
    """Scores: ArcFace of insightface, on faces that it finds and aligns by five points itself.

    `pack` is the name of a model pack under `root`, or a folder with one. `analysis` replaces insightface's
    FaceAnalysis: its `get` takes a BGR uint8 array (H, W, 3) and returns faces with `bbox` and `normed_embedding`.
    Raises JudgeError if insightface or the pack is missing or damaged.
    """

    role = "score"

    def __init__(self, pack: str = "buffalo_l", root: str | Path = ROOT, analysis: Any | None = None) -> None:
        self.name = f"arcface {Path(pack).name}"
        self.analysis = face_analysis(pack, Path(root).expanduser()) if analysis is None else analysis

    def embed(self, images: Sequence[Image.Image], boxes: Sequence[Box | None] | None = None) -> np.ndarray:
        """Unit vectors (N, 512) float32, one an image (RGB, any size).

        Of several faces the largest counts, or, where `boxes` has a box for the image, the one that overlaps most with
        it (intersection over union). Raises JudgeError that names the picture, counted from 0, without such a face.
        """
        boxes = [None] * len(images) if boxes is None else boxes
        if len(boxes) != len(images):
            raise JudgeError(f"{len(boxes)} boxes were given for {len(images)} pictures: give one each, or None")
        rows = [self._embed(i, b, f"picture {n}") for n, (i, b) in enumerate(zip(images, boxes, strict=True))]
        return np.stack(rows) if rows else np.empty((0, 512), np.float32)

    def _embed(self, image: Image.Image, box: Box | None, what: str) -> np.ndarray:
        vector = find_face(self.analysis, np.asarray(image.convert("RGB")), box, what).normed_embedding
        if vector is None:
            raise JudgeError(f"{what}: {NO_RECOGNITION}")
        return np.asarray(vector, np.float32)
