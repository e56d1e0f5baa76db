"""Edits say in the words of IPTC that a trained model has changed them, in every format; what is drawn does not."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from pxs.editing.edits import Edits
from pxs.expressions import Mix
from pxs.images import read_text, save_picture

COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
FIELD = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"


def source_types(path):
    """What the XMP packet in the bytes of a file says, read as other software does: by its XML."""
    packet = re.search(rb"<x:xmpmeta.*?</x:xmpmeta>", path.read_bytes(), re.DOTALL)
    return [one.text for one in ElementTree.fromstring(packet[0]).iter(FIELD)] if packet else []


@pytest.fixture
def edits():
    images = tuple(Image.effect_noise((32, 24), 40 + 9 * n).convert("RGB") for n in range(2))
    mixes = Mix(happy=0.5), Mix(happy=1)
    return Edits(images[0], images, mixes, 7, 4, {"model": "mini <&> \u00fc", "model_hash": "0" * 64})


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_saved_edit_says_that_a_model_changed_it(edits, tmp_path, suffix):
    names = [f"{n}.{suffix}" for n in range(2)]
    for path, mix in zip(edits.save(tmp_path, names=names), edits.mixes, strict=True):
        assert source_types(path) == [COMPOSITE]
        assert read_text(path) == edits.text(mix)
        with Image.open(path) as image:
            assert image.format == {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}[suffix]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_what_no_model_made_says_nothing(tmp_path, suffix):
    path = save_picture(Image.new("RGB", (32, 24)), tmp_path / f"drawn.{suffix}", {"seed": "1", "method": "truth"})
    assert source_types(path) == []


@pytest.mark.parametrize("suffix", ["png", "webp", "gif"])
def test_an_animation_of_edits_says_it_too(edits, tmp_path, suffix):
    path = edits.animate(tmp_path / f"moving.{suffix}")
    assert COMPOSITE.encode() in path.read_bytes()
    assert source_types(path) == ([] if suffix == "gif" else [COMPOSITE])
    with Image.open(path) as image:
        assert image.n_frames == 2


def test_the_pixels_are_those_of_the_edit(edits, tmp_path):
    (path, _) = edits.save(tmp_path)
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), np.asarray(edits[0]))
