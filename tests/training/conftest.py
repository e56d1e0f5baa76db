"""A small drawn set and untrained encoders, for trainings that take seconds."""

import shutil

import pytest
import torch
import torch.nn.functional as F

from pxs.data.ffe import read
from pxs.data.synthetic_ffe import write_synthetic_set
from pxs.editing.bundled import BUNDLED
from pxs.encoders.networks import FaceNet


class RandomEncoder:
    """A feature and identity encoder with fixed random weights."""

    role = "train"

    def __init__(self, name):
        self.name = name
        with torch.random.fork_rng():
            torch.manual_seed(len(name))
            self.network = FaceNet(8, width=8).eval().requires_grad_(False)

    def landmarks(self, pixels, names=None):
        return pixels.new_empty(len(pixels), 0, 2)

    def embed_pixels(self, pixels, landmarks=None):
        return F.normalize(self.network(pixels.float()), dim=1)


@pytest.fixture(scope="session")
def encoders():
    """An encoder of features and one of identity."""
    return RandomEncoder("features"), RandomEncoder("identity")


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """The path of a drawn set of 6 rows."""
    return write_synthetic_set(tmp_path_factory.mktemp("ffe"), 6)


@pytest.fixture(scope="session")
def rows(data):
    return read(data)


@pytest.fixture(scope="session")
def photo_model(tmp_path_factory):
    """The folder of `mini` as a model of photographs: without the entry `styles` in workbench.json."""
    copy = tmp_path_factory.mktemp("photographs") / "model"
    shutil.copytree(BUNDLED["mini"], copy)
    (copy / "workbench.json").write_text('{"resolution": 128}')
    return copy
