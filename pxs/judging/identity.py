"""Identity: images -> unit vectors whose cosine tells whether two pictures show the same face.

`MiniIdentity` knows drawn faces of this project; for photographs there is `ArcFaceIdentity`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from pxs.errors import JudgeError, one_line
from pxs.judging.networks import Embedder
from pxs.optional import require

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a face, in pixels."""


class IdentityJudge(Protocol):
    """Images -> unit vectors. `role` is "score" or "train", never both: what a loss looks through must not score."""

    name: str
    role: str

    def embed(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Unit vectors (N, D) float32, one an image (RGB, any size); raises JudgeError if the judge fails."""
        ...


class MiniIdentity(Embedder):
    """A small margin-softmax (ArcFace) network, trained on drawn faces to look past their expression."""

    name = "mini-identity"
    role = "score"
    weights = "identity"


class MiniIdentityLoss(MiniIdentity):
    """The same architecture, trained on other people: the one that training losses look through."""

    name = "mini-identity-loss"
    role = "train"
    weights = "identity_loss"


class ArcFaceIdentity:
    """ArcFace of insightface (optional extra `faces`), on faces that it finds and aligns by five points itself.

    `pack` is the name of a model pack under `root`, or a folder with one; nothing is downloaded. insightface's code is
    under the MIT licence, but its model packs are for non-commercial research only. A training whose identity loss
    looks through a pack, as PixelSmile's does through antelopev2, must be scored with another, such as buffalo_l.

    `analysis` replaces insightface's FaceAnalysis: its `get` takes a BGR uint8 array (H, W, 3) and returns faces with
    `bbox` and `normed_embedding`. Raises JudgeError if insightface or the pack is missing or damaged.
    """

    role = "score"

    def __init__(
        self, pack: str = "antelopev2", root: str | Path = "~/.insightface", analysis: Any | None = None
    ) -> None:
        self.name = f"arcface {Path(pack).name}"
        self.analysis = _face_analysis(pack, Path(root).expanduser()) if analysis is None else analysis

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
        bgr = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
        try:
            faces = self.analysis.get(bgr)
        except Exception as error:
            raise JudgeError(f"{what}: insightface failed ({one_line(error)})") from None
        vector = _chosen(faces, box, what).normed_embedding
        if vector is None:
            raise JudgeError(f"{what}: the model pack gives no embedding: use one that recognises, such as antelopev2")
        return np.asarray(vector, np.float32)


def _face_analysis(pack: str, root: Path) -> Any:
    """insightface's analysis with detection and recognition, from a pack that is on disk."""
    app = require("insightface.app", "faces")
    folder = _pack_folder(pack, root)
    try:
        analysis = app.FaceAnalysis(name=str(folder), allowed_modules=["detection", "recognition"])
        analysis.prepare(ctx_id=0)
    except Exception as error:
        raise JudgeError(f"the model pack {folder} cannot be loaded ({one_line(error)}): download it again") from None
    return analysis


def _pack_folder(pack: str, root: Path) -> Path:
    """The folder with the pack's .onnx files; the archive of antelopev2 holds them one folder deeper than others."""
    folder = Path(pack) if Path(pack).is_dir() else root / "models" / pack
    for candidate in (folder, folder / folder.name):
        if any(candidate.glob("*.onnx")):
            return candidate
    url = f"https://github.com/deepinsight/insightface/releases/download/model-zoo/{folder.name}.zip"
    raise JudgeError(f"no .onnx files in {folder}: unpack {url} there (for non-commercial research only)")


def _chosen(faces: Sequence[Any], box: Box | None, what: str) -> Any:
    """The face that counts: of all the largest, or the one nearest to the box."""
    if not len(faces):
        raise JudgeError(f"{what}: no face is found in it: leave it out, or give a larger face")
    if box is None:
        return max(faces, key=lambda face: _area(face.bbox))
    face = max(faces, key=lambda face: _overlap(face.bbox, box))
    if _overlap(face.bbox, box) == 0:
        raise JudgeError(f"{what}: no face is found in the box {tuple(box)}: check that it is left, top, right, bottom")
    return face


def _area(box: Sequence[float]) -> float:
    return max(0.0, float(box[2] - box[0])) * max(0.0, float(box[3] - box[1]))


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    shared = _area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    return shared / (_area(a) + _area(b) - shared) if shared else 0.0
