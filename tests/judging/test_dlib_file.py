"""dlib's file and network without its weights: a file of random ones written here, and a network of torch's modules."""

import numpy as np
import pytest
import torch
from torch import nn

from pxs.errors import JudgeSetupError
from pxs.judging.outside.dlib import DlibIdentity, read_network

WIDTHS = [32] * 7 + [64] * 8 + [128] * 6 + [256] * 8


def whole(number):
    count = max(1, (number.bit_length() + 7) // 8)
    return bytes([count]) + number.to_bytes(count, "little")


def layer(name, *parts, before=b""):
    values = np.concatenate([part.ravel() for part in parts]).astype("<f4")
    sizes = (2, 256, 128, 1, 1) if name == b"fc_2" else (2, len(values), 1, 1, 1)
    rest = whole(3) + whole(0) + b"110" + whole(5) + b"relu_" + whole(2)
    return whole(len(name)) + name + before + b"".join(map(whole, sizes)) + values.tobytes() + rest


class Scaled(nn.Module):
    """A convolution of random weights with a scale and shift after it."""

    def __init__(self, before, width, side, stride, padding):
        super().__init__()
        self.convolution = nn.Conv2d(before, width, side, stride, padding)
        self.scale, self.shift = torch.rand(width) + 0.5, torch.randn(width) / 10

    def forward(self, x):
        return self.convolution(x) * self.scale[:, None, None] + self.shift[:, None, None]

    def file(self):
        weights = (self.convolution.weight.detach().numpy(), self.convolution.bias.detach().numpy())
        return layer(b"con_4", *weights) + layer(b"affine_", self.scale.numpy(), self.shift.numpy())


class Reference(nn.Module):
    """The residual network as its paper and dlib's examples describe it."""

    def __init__(self):
        super().__init__()
        self.first = Scaled(3, 32, 7, 2, 0)
        self.blocks = nn.ModuleList()
        before = 32
        blocks = [(32, 0)] * 3
        for width, count in ((64, 3), (128, 2), (256, 2)):
            blocks += [(width, 1), *[(width, 0)] * count]
        for width, halving in [*blocks, (256, 1)]:
            pair = Scaled(before, width, 3, 1 + halving, 1 - halving), Scaled(width, width, 3, 1, 1)
            self.blocks.append(nn.ModuleList(pair))
            before = width
        self.matrix = torch.randn(256, 128) / 16

    def forward(self, pixels):
        mean = torch.tensor([122.782, 117.001, 104.298]).reshape(1, 3, 1, 1)
        x = nn.MaxPool2d(3, 2)(torch.relu(self.first((pixels - mean) / 256)))
        for first, second in self.blocks:
            y = second(torch.relu(first(x)))
            if first.convolution.stride == (2, 2):
                x = nn.AvgPool2d(2, 2)(x)
            whole = torch.zeros(len(x), y.shape[1], max(x.shape[2], y.shape[2]), max(x.shape[3], y.shape[3]))
            whole[:, : x.shape[1], : x.shape[2], : x.shape[3]] += x
            whole[:, :, : y.shape[2], : y.shape[3]] += y
            x = torch.relu(whole)
        return x.mean(dim=3).mean(dim=2) @ self.matrix

    def file(self):
        layers = [self.first, *(part for block in self.blocks for part in block)]
        last = layer(b"fc_2", self.matrix.numpy(), before=whole(128) + whole(256))
        return b"\x01\x01\x01\rloss_metric_2" + b"".join(part.file() for part in layers) + last


@pytest.fixture(scope="module")
def reference():
    torch.manual_seed(0)
    return Reference().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def content(reference):
    return reference.file()


def test_the_file_is_read_and_the_network_is_that_of_the_reference(reference, content):
    layers, last = read_network(content)
    assert [len(part[1]) for part in layers] == WIDTHS and torch.equal(last, reference.matrix)
    judge = object.__new__(DlibIdentity)
    judge.layers, judge.last = layers, last
    pixels = torch.rand(2, 3, 150, 150, generator=torch.Generator().manual_seed(1)) * 255
    expected = reference(pixels)
    assert expected.std() > 1e-3
    assert torch.allclose(judge.descriptors(pixels), expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("cut", ["end", "start", "hole", "huge", "nothing", "nan"])
def test_a_damaged_file_is_one_line(content, cut):
    place = content.index(b"con_4") + 5
    damaged = {
        "end": content[:-200],
        "start": content[5000:],
        "hole": content.replace(b"affine_", b"affin__", 1),
        "huge": content[:place] + whole(2) + whole(2**60) + content[place + 5 :],
        "nothing": b"",
        "nan": content[: place + 91] + np.full(9, np.nan, "<f4").tobytes() + content[place + 127 :],
    }[cut]
    with pytest.raises(JudgeSetupError, match="is damaged or of another network: install it again"):
        read_network(damaged)
