"""Judges that measure colours instead of faces: exact, instant, and of no model's making."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pxs.benchmark.judge import Judges
from pxs.expressions import EXPRESSIONS, Mix


class Brightness:
    """Reads the intensity of the expression whose index is the red value, out of the green one."""

    name, role = "brightness", "score"

    def judge(self, images):
        pixels = [np.asarray(i)[0, 0] for i in images]
        return [Mix({EXPRESSIONS[p[0]]: round(p[1] / 200, 4)}) for p in pixels]


class Blue:
    """A unit vector whose cosine with that of a picture without blue is 1 - blue / 255."""

    name, role = "blue", "score"

    def embed(self, images):
        cosine = 1 - np.array([np.asarray(i)[0, 0, 2] / 255 for i in images])
        return np.stack([cosine, np.sqrt(1 - cosine**2)], axis=1)


class Painter:
    """Paints what was asked: the expression as red, the intensity (up to 1) as green, a little blue."""

    def __init__(self, blue=51, confuse=lambda e: e):
        self.blue, self.confuse, self.calls = blue, confuse, 0

    def edit(self, task, mixes):
        self.calls += 1
        return [self.paint(mix) for mix in mixes]

    def paint(self, mix):
        name, value = next(iter(mix.items()), ("happy", 0))
        red = EXPRESSIONS.index(self.confuse(name))
        return Image.new("RGB", (128, 128), (red, round(200 * min(value, 1)), self.blue))


@pytest.fixture
def judges():
    return Judges(Brightness(), Blue())


@pytest.fixture
def fakes():
    return SimpleNamespace(Brightness=Brightness, Blue=Blue, Painter=Painter)


@pytest.fixture
def tasks():
    """24 tasks, each expression in both domains, on black pictures."""
    from pxs.data.tasks import Task

    black = Image.new("RGB", (128, 128))
    return [
        Task(f"{domain}_{e}", domain, e, "p", black, (0, 0, 128, 128))
        for domain in ("human", "anime")
        for e in EXPRESSIONS
    ]
