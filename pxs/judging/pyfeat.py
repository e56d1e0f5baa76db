"""py-feat as an expression judge for photographs: it reports seven emotions, six of which are our basic expressions.

py-feat (optional extra `faces`) also detects the face. Its code has the MIT licence; its weights are for non-commercial
research only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pxs.errors import JudgeError, one_line
from pxs.expressions import BASIC, Mix
from pxs.judging.each import judge_each
from pxs.optional import require

EMOTIONS = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "happiness": "happy",
    "happy": "happy",
    "sadness": "sad",
    "sad": "sad",
    "surprise": "surprised",
}
"""The emotion columns of py-feat, in lower case (Detectorv1 and Detectorv2 differ), and our names for them."""


class PyFeatJudge:
    """The emotions of py-feat as a mix: their probabilities are the intensities of the six basic expressions.

    The seventh emotion, neutral, is dropped. The other six expressions (anxious, contempt, confident, shy, sleepy,
    confused) have no counterpart and stay 0: use this judge only for measures over the basic six. Probabilities sum to
    1, so they are not intensities: a blend of two expressions gets about 0.5 for each.

    `detector` is a py-feat detector (`feat.Detectorv2()` or `feat.Detectorv1()`). Without one, a Detectorv2 is created
    on `device` ("cpu", "cuda", "mps" or "auto"); its weights are downloaded only with `download=True`. Raises
    JudgeError if py-feat is missing, or its weights are missing and `download` is False.
    """

    role = "score"
    name = "py-feat"

    def __init__(self, detector: Any = None, device: str = "cpu", download: bool = False) -> None:
        self.detector = _detector(device, download) if detector is None else detector

    def judge(self, images: Sequence[Image.Image]) -> list[Mix]:
        """One mix per image (any mode and size), of its largest face, intensities in [0, 1].

        Raises UnjudgedError for images without a face; the message contains the number of the picture, counted from 0.
        """
        return judge_each(lambda i, image: self._judge(image, f"picture {i}"), images)

    def _judge(self, image: Image.Image, name: str) -> Mix:
        try:
            with torch.no_grad():  # py-feat turns gradients off globally; the end of the block restores them
                table = self.detector.detect(_pixels(image), data_type="tensor", batch_size=1, progress_bar=False)
        except Exception as error:
            raise JudgeError(f"{name}: py-feat failed ({one_line(error)}): check the picture") from None
        faces = [row for row in table.to_dict("records") if _area(row) > 0]
        if not faces:
            raise JudgeError(f"{name}: py-feat finds no face in it: leave it out, or give a larger face")
        return _mix(max(faces, key=_area), name)


def _detector(device: str, download: bool) -> Any:
    feat = require("feat", "faces")
    try:
        with torch.no_grad(), _hub(online=download):
            return feat.Detectorv2(device=device, identity_model=None)
    except Exception as error:
        hint = "check its installation" if download else "PyFeatJudge(download=True) downloads missing weights"
        raise JudgeError(f"py-feat's detector cannot be created ({one_line(error)}): {hint}") from None


@contextmanager
def _hub(online: bool) -> Iterator[None]:
    """Inside this context the hub client uses only files on disk, unless `online`."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not online
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _pixels(image: Image.Image) -> Tensor:
    """The input of py-feat, (1, 3, H, W) uint8, from an image."""
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].contiguous()


def _area(row: Mapping[str, Any]) -> float:
    """The area of a detected face in pixels; 0 for the row that py-feat adds for an image without a face."""
    area = float(row["FaceRectWidth"]) * float(row["FaceRectHeight"])
    detected = math.isfinite(area) and float(row["FaceScore"]) > 0
    return area if detected else 0.0


def _mix(row: Mapping[str, Any], name: str) -> Mix:
    """The mix of a detected face. Raises JudgeError if the detector gives no emotions."""
    values = {EMOTIONS[column.lower()]: float(v) for column, v in row.items() if column.lower() in EMOTIONS}
    if set(values) != set(BASIC) or not all(map(math.isfinite, values.values())):
        raise JudgeError(f"{name}: py-feat gives no emotions: create the detector with its emotion model")
    return Mix({emotion: min(1.0, max(0.0, value)) for emotion, value in values.items()})
