"""py-feat as an expression judge for photographs: seven emotions, six of which are expressions of ours.

py-feat (optional extra `faces`) finds the face by itself. Its code is under the MIT licence, but its weights are for
non-commercial research only.
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
"""What py-feat's emotion columns are called, in lower case (Detectorv1 and Detectorv2 differ), and our names."""


class PyFeatJudge:
    """py-feat's emotions as a mix: angry, disgust, fear, happy, sad and surprised are its probabilities of them.

    Its seventh, neutral, is dropped. The other six expressions (anxious, contempt, confident, shy, sleepy, confused)
    have no counterpart and stay 0, so only measures over the basic six may be taken with this judge. Probabilities
    that sum to 1 are no intensities: a blend of two expressions comes out as about 0.5 each.

    `detector` is a py-feat detector (`feat.Detectorv2()` or `feat.Detectorv1()`); without one a Detectorv2 is made on
    `device` ("cpu", "cuda", "mps" or "auto"), whose weights are fetched only with `download=True`. Raises JudgeError
    if py-feat is missing, or its weights are and may not be fetched.
    """

    role = "score"
    name = "py-feat"

    def __init__(self, detector: Any = None, device: str = "cpu", download: bool = False) -> None:
        self.detector = _detector(device, download) if detector is None else detector

    def judge(self, images: Sequence[Image.Image]) -> list[Mix]:
        """One mix an image (RGB, any size) of its largest face, intensities in [0, 1].

        Raises JudgeError that names the picture, counted from 0, in which no face is found.
        """
        return [self._judge(image, f"picture {i}") for i, image in enumerate(images)]

    def _judge(self, image: Image.Image, what: str) -> Mix:
        try:
            with torch.no_grad():  # py-feat switches gradients off for good; leaving the block restores them
                found = self.detector.detect(_pixels(image), data_type="tensor", batch_size=1, progress_bar=False)
        except Exception as error:
            raise JudgeError(f"{what}: py-feat failed ({one_line(error)})") from None
        faces = [row for row in found.to_dict("records") if _area(row) > 0]
        if not faces:
            raise JudgeError(f"{what}: py-feat finds no face in it: leave it out, or give a larger face")
        return _mix(max(faces, key=_area), what)


def _detector(device: str, download: bool) -> Any:
    feat = require("feat", "faces")
    try:
        with torch.no_grad(), _hub(online=download):
            return feat.Detectorv2(device=device, identity_model=None)
    except Exception as error:
        hint = "check its installation" if download else "PyFeatJudge(download=True) fetches weights that are missing"
        raise JudgeError(f"py-feat's detector cannot be made ({one_line(error)}): {hint}") from None


@contextmanager
def _hub(online: bool) -> Iterator[None]:
    """While inside, the hub's client answers from what is on disk, unless `online`."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not online
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _pixels(image: Image.Image) -> Tensor:
    """An image as py-feat takes it: (1, 3, H, W) uint8."""
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].contiguous()


def _area(row: Mapping[str, Any]) -> float:
    """The area of a detected face in pixels; 0 for the row that py-feat gives where it found none."""
    area = float(row["FaceRectWidth"]) * float(row["FaceRectHeight"])
    found = math.isfinite(area) and float(row["FaceScore"]) > 0
    return area if found else 0.0


def _mix(row: Mapping[str, Any], what: str) -> Mix:
    values = {EMOTIONS[column.lower()]: float(v) for column, v in row.items() if column.lower() in EMOTIONS}
    if set(values) != set(BASIC) or not all(map(math.isfinite, values.values())):
        raise JudgeError(f"{what}: py-feat gives no emotions: make the detector with its emotion model")
    return Mix({name: min(1.0, max(0.0, value)) for name, value in values.items()})
