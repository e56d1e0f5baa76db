"""ArcFace for photographs: a differentiable encoder of the identity loss, and the selection of a face in a picture.

Needs a model pack of insightface (optional extra `faces`) on disk; nothing is downloaded. The code of insightface has
the MIT licence; its model packs are for non-commercial research only. A training must not be scored with the pack of
its identity loss: by default the encoder uses antelopev2 and the judge buffalo_l.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pxs.encoders.alignment import SIDE, TEMPLATE, align
from pxs.encoders.onnx_network import OnnxNetwork
from pxs.errors import JudgeError, one_line
from pxs.images import Box
from pxs.optional import require

ROOT = "~/.insightface"

NO_RECOGNITION = "the model pack gives no embedding: use a pack with a recognition model, such as antelopev2"


class ArcFaceEncoder:
    """The encoder of the identity loss; by default glintr100 of antelopev2, as in PixelSmile. Its `role` is "train".

    `pack` is the name of a model pack under `root`/models, or a folder with one. `analysis` replaces the FaceAnalysis
    of insightface: its faces need `bbox` and `kps` (5, 2), and models["recognition"].model_file is the ONNX file of the
    network, which torch runs on the device of the pixels. `name` includes the first digits of the hash of that file.
    `template`: whether a picture without a face gets the landmarks of the ArcFace template, unscaled, as in the public
    trainer of PixelSmile, instead of an error. They lie in the upper left 112 x 112 pixels.
    Raises JudgeError if insightface, onnx or the pack is missing or damaged, or the pack has no recognition model.
    """

    role = "train"

    def __init__(
        self,
        pack: str = "antelopev2",
        root: str | Path = ROOT,
        analysis: Any | None = None,
        template: bool = False,
    ) -> None:
        self.template = template
        self.analysis = face_analysis(pack, Path(root).expanduser()) if analysis is None else analysis
        if "recognition" not in self.analysis.models:
            raise JudgeError(f"{Path(pack).name}: {NO_RECOGNITION}")
        self.network = OnnxNetwork(self.analysis.models["recognition"].model_file, (1, 3, SIDE, SIDE))
        self.name = f"arcface-loss {Path(pack).name} {self.network.version}"

    def landmarks(self, pixels: Tensor, names: Sequence[str] | None = None) -> Tensor:
        """Landmarks (B, 5, 2) of the largest face in each picture; pixels (B, 3, H, W) floating in [-1, 1].

        The landmarks are eyes, nose and mouth corners as (x, y) in pixels, float32, on the device of `pixels`, and not
        differentiable. Raises JudgeError for a picture without a face, unless `template` is set; the message contains
        its entry in `names`, by default its number.
        """
        names = names or [f"picture {n}" for n in range(len(pixels))]
        pictures = (pixels.detach().float() * 127.5 + 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu()
        points = [self._landmarks(picture.numpy(), name) for picture, name in zip(pictures, names, strict=True)]
        return torch.tensor(np.stack(points), dtype=torch.float32, device=pixels.device)

    def _landmarks(self, picture: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
        faces = detect(self.analysis, picture, name)
        if self.template and not len(faces):
            return np.array(TEMPLATE, np.float32)
        points: NDArray[np.float32] | None = _select(faces, None, name).kps
        if points is None:
            raise JudgeError(f"{name}: the model pack gives no landmarks: use a pack with them, such as antelopev2")
        return points

    def embed_pixels(self, pixels: Tensor, landmarks: Tensor) -> Tensor:
        """Unit vectors (B, 512) float32 of the faces at `landmarks` (B, 5, 2) in pixels (B, 3, H, W) in [-1, 1].

        Differentiable in `pixels`. Computes in float32, also under autocast.
        """
        with torch.autocast(pixels.device.type, enabled=False):
            faces = align(pixels.float(), landmarks)
            faces = (faces + 1) * 127.5 if self.network.takes_bytes else faces
            self.network.to(pixels.device)
            return F.normalize(torch.cat([self.network(face) for face in torch.split(faces, 1)]), dim=1)


def find_face(analysis: Any, picture: NDArray[np.uint8], box: Box | None, name: str) -> Any:
    """The largest face that insightface detects in a picture (H, W, 3) RGB, or the one that overlaps most with `box`.

    Raises JudgeError, which calls the picture `name`, if there is no such face or insightface fails.
    """
    return _select(detect(analysis, picture, name), box, name)


def detect(analysis: Any, picture: NDArray[np.uint8], name: str) -> Sequence[Any]:
    """The faces that insightface detects in a picture (H, W, 3) RGB, none or more; JudgeError if insightface fails."""
    try:
        faces: Sequence[Any] = analysis.get(np.ascontiguousarray(picture[:, :, ::-1]))
    except Exception as error:
        raise JudgeError(f"{name}: insightface failed ({one_line(error)}): check the picture and the pack") from None
    return faces


def face_analysis(pack: str, root: Path) -> Any:
    """The FaceAnalysis of insightface with detection and recognition; `pack` and `root` as for `ArcFaceEncoder`.

    Raises JudgeError if insightface or the pack is missing, or the pack is damaged.
    """
    app = require("insightface.app", "faces")
    folder = _pack_folder(pack, root)
    try:
        analysis = app.FaceAnalysis(name=str(folder), allowed_modules=["detection", "recognition"])
        analysis.prepare(ctx_id=0)
    except Exception as error:
        raise JudgeError(f"the model pack {folder} cannot be loaded ({one_line(error)}): download it again") from None
    return analysis


def _pack_folder(pack: str, root: Path) -> Path:
    """The folder with the .onnx files of a pack. The archive of antelopev2 has one folder more than others."""
    folder = Path(pack) if Path(pack).is_dir() else root / "models" / pack
    for candidate in (folder, folder / folder.name):
        if any(candidate.glob("*.onnx")):
            return candidate
    url = f"https://github.com/deepinsight/insightface/releases/download/model-zoo/{folder.name}.zip"
    raise JudgeError(f"no .onnx files in {folder}: unpack {url} there (for non-commercial research only)")


def _select(faces: Sequence[Any], box: Box | None, name: str) -> Any:
    """The largest face, or the one that overlaps most with the box."""
    if not len(faces):
        raise JudgeError(f"{name}: no face is found in it: leave it out, or give a larger face")
    if box is None:
        return max(faces, key=lambda face: _area(face.bbox))
    face = max(faces, key=lambda face: _overlap(face.bbox, box))
    if _overlap(face.bbox, box) == 0:
        raise JudgeError(f"{name}: no face is found in the box {tuple(box)}: check that it is left, top, right, bottom")
    return face


def _area(box: Sequence[float]) -> float:
    return max(0.0, float(box[2] - box[0])) * max(0.0, float(box[3] - box[1]))


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    shared = _area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    return shared / (_area(a) + _area(b) - shared) if shared else 0.0
