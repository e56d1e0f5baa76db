"""The py-feat judge, with a stand-in for its detector: the emotions of the largest face, or an error of one line."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image

from pxs.errors import JudgeError
from pxs.expressions import BASIC, EXPRESSIONS, Mix
from pxs.judging.pyfeat import PyFeatJudge

NAN = float("nan")


class Detector:
    """Stands in for a py-feat detector: its answer to each picture is a table with these rows, one per face."""

    def __init__(self, *answers):
        self.answers, self.given = list(answers), []

    def detect(self, inputs, data_type, batch_size, progress_bar):
        assert (data_type, batch_size, progress_bar) == ("tensor", 1, False)
        torch.set_grad_enabled(False)  # as py-feat does
        self.given.append(inputs)
        rows = self.answers.pop(0)
        return SimpleNamespace(to_dict=lambda orient: rows if orient == "records" else None)


def face(side=50.0, score=0.99, **emotions):
    return {"FaceRectX": 3.0, "FaceRectY": 4.0, "FaceRectWidth": side, "FaceRectHeight": side, "FaceScore": score} | {
        "AU01": 0.5,
        "Pitch": 0.1,
        **emotions,
    }


FIRST = {"anger": 0.1, "disgust": 0.2, "fear": 0.05, "happiness": 0.3, "sadness": 0.15, "surprise": 0.12}

SECOND = {"Anger": 0.1, "Disgust": 0.2, "Fear": 0.05, "Happy": 0.3, "Sad": 0.15, "Surprise": 0.12}

EXPECTED = Mix(angry=0.1, disgust=0.2, fear=0.05, happy=0.3, sad=0.15, surprised=0.12)

NO_FACE = face(NAN, 0.0, **SECOND, Neutral=0.08)  # Detectorv2 still answers for the black crop

NO_FACE_FIRST = face(NAN, NAN, **dict.fromkeys(FIRST, NAN), neutral=NAN)


@pytest.mark.parametrize("emotions", [{**FIRST, "neutral": 0.08}, {**SECOND, "Neutral": 0.08}])
def test_pyfeat_emotions_are_the_basic_six(picture, emotions):
    (mix,) = PyFeatJudge(Detector([face(**emotions)])).judge([picture()])
    assert mix == EXPECTED
    assert set(mix) == set(BASIC)
    assert all(mix[name] == 0 for name in EXPRESSIONS if name not in BASIC)


def test_pyfeat_gets_one_rgb_picture_at_a_time(picture):
    detector = Detector([face(**FIRST)], [face(**FIRST)])
    assert len(PyFeatJudge(detector).judge([picture(), Image.new("L", (6, 9), 7)])) == 2
    first, second = detector.given
    assert first.dtype == torch.uint8
    assert np.array_equal(first[0].permute(1, 2, 0), np.asarray(picture()))
    assert second.shape == (1, 3, 9, 6)
    assert PyFeatJudge(Detector()).judge([]) == []


def test_pyfeat_judges_the_largest_face(picture):
    other = dict.fromkeys(FIRST, 0.0)
    faces = [face(20, **other), face(60, **FIRST), face(90, 0.0, **other), NO_FACE_FIRST, face(59, **other)]
    assert PyFeatJudge(Detector(faces)).judge([picture()]) == [EXPECTED]


def test_pyfeat_rounding_stays_in_range(picture):
    (mix,) = PyFeatJudge(Detector([face(**{**FIRST, "happiness": 1.0000001, "fear": -1e-9})])).judge([picture()])
    assert (mix["happy"], mix["fear"]) == (1, 0)


@pytest.mark.parametrize("rows", [[], [NO_FACE], [NO_FACE_FIRST]])
def test_pyfeat_names_the_picture_without_a_face(picture, rows):
    with pytest.raises(JudgeError, match="^picture 1: py-feat finds no face"):
        PyFeatJudge(Detector([face(**FIRST)], rows)).judge([picture(), picture()])


@pytest.mark.parametrize("emotions", [{}, {**FIRST, "fear": NAN}, {"happiness": 1.0}])
def test_pyfeat_without_emotions_is_an_error(picture, emotions):
    with pytest.raises(JudgeError, match="^picture 0: py-feat gives no emotions"):
        PyFeatJudge(Detector([face(**emotions)])).judge([picture()])


def test_pyfeat_failures_are_one_line(picture):
    with pytest.raises(JudgeError, match=r"^picture 0: py-feat failed \(pop from empty list\)"):
        PyFeatJudge(Detector()).judge([picture()])


def test_pyfeat_does_not_turn_gradients_off(picture):
    PyFeatJudge(Detector([face(**FIRST)])).judge([picture()])
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("download", [False, True])
def test_pyfeat_downloads_weights_only_if_requested(monkeypatch, picture, download):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    created = []

    def make(**settings):
        torch.set_grad_enabled(False)
        created.append((settings, constants.is_offline_mode()))
        return Detector([face(**FIRST)])

    monkeypatch.setitem(sys.modules, "feat", SimpleNamespace(Detectorv2=make))
    assert PyFeatJudge(download=download).judge([picture()]) == [EXPECTED]
    assert created == [({"device": "cpu", "identity_model": None}, not download)]
    assert not constants.is_offline_mode()
    assert torch.is_grad_enabled()


def test_pyfeat_without_weights_says_how_to_get_them(monkeypatch):
    def make(**_settings):
        raise OSError("not in the cache")

    monkeypatch.setitem(sys.modules, "feat", SimpleNamespace(Detectorv2=make))
    with pytest.raises(JudgeError, match=r"not in the cache\): PyFeatJudge\(download=True\)"):
        PyFeatJudge()
