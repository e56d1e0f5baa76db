"""The ArcFace identity judge, for photographs; its model pack must differ from the pack of the identity loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.encoders.arcface import NO_RECOGNITION, ROOT, face_analysis, find_face
from pxs.errors import JudgeError
from pxs.images import Box
from pxs.judging.each import judge_each
from pxs.storage.hashes import file_hash


class ArcFaceIdentity:
    """ArcFace of insightface, which also detects the faces and aligns them by five points. Its `role` is "score".

    `pack` is the name of a model pack under `root`/models, or a folder with one. `analysis` replaces the FaceAnalysis
    of insightface: its `get` takes a BGR uint8 array (H, W, 3) and returns faces with `bbox` and `normed_embedding`.
    Raises JudgeError if insightface or the pack is missing or damaged.
    """

    role = "score"

    def __init__(self, pack: str = "buffalo_l", root: str | Path = ROOT, analysis: Any | None = None) -> None:
        self.analysis = face_analysis(pack, Path(root).expanduser()) if analysis is None else analysis
        network = getattr(self.analysis, "models", {}).get("recognition")
        version = f" {file_hash(Path(network.model_file))[:8]}" if network else ""
        self.name = f"arcface {Path(pack).name}{version}"

    def embed(self, images: Sequence[Image.Image], boxes: Sequence[Box | None] | None = None) -> NDArray[np.float32]:
        """Unit vectors (N, 512), one per image (any mode and size).

        If an image has several faces, the largest is used. With a box (left, top, right, bottom) in pixels, the face
        with the largest overlap (intersection over union) is used. Raises UnjudgedError for images without such a
        face; the message contains the number of the picture, counted from 0.
        """
        boxes = [None] * len(images) if boxes is None else boxes
        if len(boxes) != len(images):
            raise JudgeError(f"{len(boxes)} boxes were given for {len(images)} pictures: give one each, or None")
        rows = judge_each(lambda n, image: self._embed(image, boxes[n], f"picture {n}"), images)
        return np.stack(rows) if rows else np.empty((0, 512), np.float32)

    def _embed(self, image: Image.Image, box: Box | None, name: str) -> NDArray[np.float32]:
        vector = find_face(self.analysis, np.asarray(image.convert("RGB")), box, name).normed_embedding
        if vector is None:
            raise JudgeError(f"{name}: {NO_RECOGNITION}")
        return np.asarray(vector, np.float32)
