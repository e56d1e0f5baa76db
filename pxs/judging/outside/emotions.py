"""Classifiers of emotion: a network of seven emotions, six of which are the basic expressions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.editing.photographs import Face
from pxs.editing.photographs.lite import LiteNetwork
from pxs.errors import JudgeError, JudgeSetupError
from pxs.expressions import BASIC, Mix
from pxs.judging.each import judge_each
from pxs.judging.outside.faces import check_finder, largest_face
from pxs.judging.outside.packages import packaged


class Emotions:
    """The probabilities of a packaged network as a mix: intensities of the six basic expressions.

    The seventh emotion, neutral, is dropped; the other six expressions have no counterpart and stay 0. Probabilities
    sum to 1, so they are not intensities: a blend of two expressions gets about 0.5 for each. Subclasses say which
    file, in which order its answers are, and what it sees. Raises JudgeSetupError without its package or the extra
    `photos`.
    """

    name: str
    role = "score"
    file: str
    labels: Sequence[str]

    def __init__(self) -> None:
        check_finder()
        content = packaged(self.file, self.name)
        self._network = LiteNetwork(content, JudgeSetupError)
        self.name = f"{self.name} {hashlib.sha256(content).hexdigest()[:8]}"

    def pixels(self, grey: Image.Image) -> NDArray[np.float32]:
        """What the network sees of a grey picture of the face, (H, W, C)."""
        raise NotImplementedError

    def judge(self, images: Sequence[Image.Image]) -> list[Mix]:
        """One mix per image (any mode and size), of its largest face, intensities in [0, 1].

        Raises UnjudgedError for images without a face; the message contains the number of the picture, counted from 0.
        """
        return judge_each(lambda i, image: self._mix(image, f"picture {i}"), images)

    def probabilities(self, image: Image.Image, name: str = "picture") -> dict[str, float]:
        """The probability of each basic expression and of neutral; raises JudgeError for an image without a face."""
        picture = image.convert("RGB")
        cut = _around(picture, largest_face(picture, name))
        values = self._network(self.pixels(cut))[0].ravel()
        if len(values) != len(self.labels) or not np.isfinite(values).all():
            raise JudgeError(f"{name}: {self.name} gives no probabilities: install its package again")
        return dict(zip(self.labels, map(float, values.clip(0, 1)), strict=True))

    def _mix(self, image: Image.Image, name: str) -> Mix:
        found = self.probabilities(image, name)
        return Mix({expression: found[expression] for expression in BASIC})


def _around(picture: Image.Image, face: Face) -> Image.Image:
    """The square around a face as a detector of faces would cut it, in grey."""
    left, top, right, bottom = face.box
    x, y, half = (left + right) / 2, (top + bottom) / 2, face.size / 2
    box = (x - 1.05 * half, y - 1.1 * half, x + 1.05 * half, y + half)
    return picture.crop((round(box[0]), round(box[1]), round(box[2]), round(box[3]))).convert("L")
