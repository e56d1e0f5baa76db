"""ArcFace for photographs, as an encoder with gradients; and finding the face that counts in a picture.

It takes a model pack of insightface (optional extra `faces`) that is on disk; nothing is downloaded. insightface's code
is under the MIT licence, but its model packs are for non-commercial research only. A training must be scored with
another pack than its identity loss uses, so the encoder takes antelopev2 and the judge buffalo_l by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pxs.encoders.alignment import SIDE, align
from pxs.encoders.onnx_network import OnnxNetwork
from pxs.errors import JudgeError, one_line
from pxs.images import Box
from pxs.optional import require

ROOT = "~/.insightface"

NO_RECOGNITION = "the model pack gives no embedding: use one that recognises, such as antelopev2"


class ArcFaceEncoder:
    """Trains: the same networks with gradients, antelopev2's glintr100 by default, as PixelSmile's identity loss.

    `pack`, `root` and `analysis` as for ArcFaceIdentity; the faces of `analysis` need `bbox` and `kps` (5, 2), and its
    models["recognition"].model_file is the network, which torch runs on the device of the pixels. `name` gets the first
    digits of that file's hash. Raises JudgeError if insightface, onnx or the pack is missing, damaged, or does not
    recognise.
    """

    role = "train"

    def __init__(self, pack: str = "antelopev2", root: str | Path = ROOT, analysis: Any | None = None) -> None:
        self.analysis = face_analysis(pack, Path(root).expanduser()) if analysis is None else analysis
        if "recognition" not in self.analysis.models:
            raise JudgeError(f"{Path(pack).name}: {NO_RECOGNITION}")
        self.network = OnnxNetwork(self.analysis.models["recognition"].model_file, (1, 3, SIDE, SIDE))
        self.name = f"arcface-loss {Path(pack).name} {self.network.version}"

    def landmarks(self, pixels: Tensor, names: Sequence[str] | None = None) -> Tensor:
        """Eyes, nose and corners of the mouth (B, 5, 2) of the largest face in each of pixels (B, 3, H, W) in [-1, 1].

        They are (x, y) in pixels, float32, on the device of `pixels`, and not differentiable. Raises JudgeError for a
        picture without a face; it calls it what `names` does, else by its number.
        """
        names = names or [f"picture {n}" for n in range(len(pixels))]
        pictures = (pixels.detach().float() * 127.5 + 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu()
        points = [self._landmarks(p.numpy(), name) for p, name in zip(pictures, names, strict=True)]
        return torch.tensor(np.stack(points), dtype=torch.float32, device=pixels.device)

    def _landmarks(self, picture: np.ndarray, what: str) -> np.ndarray:
        points = find_face(self.analysis, picture, None, what).kps
        if points is None:
            raise JudgeError(f"{what}: the model pack gives no landmarks: use one that does, such as antelopev2")
        return points

    def embed_pixels(self, pixels: Tensor, landmarks: Tensor) -> Tensor:
        """Unit vectors (B, 512) float32 of the faces at `landmarks` (B, 5, 2) in pixels (B, 3, H, W) in [-1, 1].

        Differentiable in `pixels`, and in float32 under autocast too.
        """
        with torch.autocast(pixels.device.type, enabled=False):
            faces = align(pixels.float(), landmarks)
            faces = (faces + 1) * 127.5 if self.network.takes_bytes else faces
            self.network.to(pixels.device)
            return F.normalize(torch.cat([self.network(face) for face in faces.split(1)]), dim=1)


def find_face(analysis: Any, picture: np.ndarray, box: Box | None, what: str) -> Any:
    """The face that counts in a picture (H, W, 3) RGB uint8."""
    try:
        faces = analysis.get(np.ascontiguousarray(picture[:, :, ::-1]))
    except Exception as error:
        raise JudgeError(f"{what}: insightface failed ({one_line(error)})") from None
    return _chosen(faces, box, what)


def face_analysis(pack: str, root: Path) -> Any:
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
