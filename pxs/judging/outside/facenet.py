"""FaceNet by the package facenet-pytorch, for whoever has its weights on disk: nothing is downloaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from pxs.errors import JudgeSetupError, one_line
from pxs.images import Box
from pxs.judging.outside.faces import check_finder, largest_face, vectors
from pxs.storage.hashes import file_hash

FILE = "20180402-114759-vggface2.pt"
SIDE = 160
MARGIN = 0.1  # of the face, on each side


class FacenetIdentity:
    """InceptionResnetV1, trained on VGGFace2, as an identity judge.

    Raises JudgeSetupError without the package, its weights in torch's cache, or the extra `photos`.
    """

    name = "facenet"
    role = "score"

    def __init__(self) -> None:
        check_finder()
        try:
            package = import_module("facenet_pytorch")
        except ImportError as error:
            raise JudgeSetupError(
                f"facenet_pytorch cannot be imported ({one_line(error)}): pip install --no-deps facenet-pytorch"
            ) from None
        weights = weights_file()
        if not weights.is_file():
            raise JudgeSetupError(
                f"the weights of FaceNet are not in {str(weights)!r}: put {FILE} of facenet-pytorch there"
            )
        try:
            self.network: Any = package.InceptionResnetV1().eval().requires_grad_(False)
            tensors = torch.load(weights, map_location="cpu", weights_only=True)  # nothing in the file is run
            self.network.load_state_dict({k: v for k, v in tensors.items() if not k.startswith("logits.")})
        except Exception as error:
            raise JudgeSetupError(f"FaceNet cannot be loaded ({one_line(error)}): download {FILE} again") from None
        self.name = f"{self.name} {file_hash(weights)[:8]}"

    @torch.inference_mode()
    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Unit vectors (N, 512), one per image (any mode and size), of its largest face.

        Raises UnjudgedError for images without a face; the message contains the number of the picture, counted from 0.
        """
        return vectors(self._embed, images, 512)

    def _embed(self, picture: Image.Image, name: str) -> NDArray[np.float32]:
        cut = picture.crop(_square(largest_face(picture, name).box)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        pixels = torch.tensor(np.asarray(cut, np.float32)).permute(2, 0, 1)[None]
        return np.asarray(F.normalize(self.network((pixels - 127.5) / 128)[0], dim=0), np.float32)


def weights_file() -> Path:
    """Where facenet-pytorch looks for its weights."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
    return Path(os.environ.get("TORCH_HOME", cache)).expanduser() / "checkpoints" / FILE


def _square(box: Box) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    x, y, half = (left + right) / 2, (top + bottom) / 2, (0.5 + MARGIN) * max(right - left, bottom - top)
    return round(x - half), round(y - half), round(x + half), round(y + half)
