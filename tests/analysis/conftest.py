"""Shared by the tests of analysis: judges and encoders without a network."""

import numpy as np
import pytest

import pxs


class PixelFeatures:
    """A feature encoder: 8 x 8 grey pixels."""

    name, role = "pixels", "train"

    def embed(self, images):
        rows = np.stack([np.asarray(i.convert("L").resize((8, 8)), np.float32).ravel() + 1 for i in images])
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class EveryoneAlike:
    """An identity judge for which all faces are the same person."""

    name, role = "alike", "score"

    def embed(self, images):
        return np.ones((len(images), 2), np.float32)


class Brightness:
    """An expression judge that reads two intensities from the corner pixel's red and green."""

    name, role = "brightness", "score"

    def judge(self, images):
        corners = [i.convert("RGB").getpixel((0, 0)) for i in images]
        return [pxs.Mix(happy=red / 255, sad=green / 255) for red, green, _ in corners]


@pytest.fixture(scope="session")
def features():
    return PixelFeatures()


@pytest.fixture(scope="session")
def alike():
    return EveryoneAlike()


@pytest.fixture(scope="session")
def brightness():
    return Brightness()
