"""The ArcFace judge, with a stand-in for insightface: the selection of a face, and the folder of a model pack."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from pxs.encoders.arcface import ArcFaceEncoder
from pxs.errors import JudgeError
from pxs.judging.arcface import ArcFaceIdentity
from pxs.judging.pyfeat import PyFeatJudge


def detected(left, top, right, bottom, *vector):
    """A face as insightface gives it."""
    unit = np.array(vector, float) / np.linalg.norm(vector) if vector else None
    return SimpleNamespace(bbox=np.array([left, top, right, bottom], np.float32), normed_embedding=unit)


class Analysis:
    """Stands in for insightface's FaceAnalysis."""

    def __init__(self, *answers):
        self.answers, self.given = list(answers), []

    def get(self, image):
        self.given.append(image)
        return self.answers.pop(0)


SMALL, LARGE, EDGE = detected(0, 0, 10, 10, 1, 0), detected(20, 0, 60, 40, 0, 2), detected(0, 0, 9, 39, 3, 4)


def test_arcface_embeds_the_largest_face_as_a_unit_vector(picture):
    judge = ArcFaceIdentity(analysis=Analysis([SMALL, LARGE], [EDGE]))
    vectors = judge.embed([picture(), picture(1)])
    assert vectors.dtype == np.float32
    assert vectors == pytest.approx(np.array([[0, 1], [0.6, 0.8]]))
    assert (judge.role, judge.name) == ("score", "arcface buffalo_l")
    assert ArcFaceIdentity(analysis=Analysis()).embed([]).shape == (0, 512)


def test_insightface_gets_bgr(picture):
    analysis = Analysis([SMALL])
    ArcFaceIdentity(analysis=analysis).embed([picture()])
    (array,) = analysis.given
    assert array.dtype == np.uint8
    assert array.flags.c_contiguous
    assert np.array_equal(array[:, :, ::-1], np.asarray(picture()))


@pytest.mark.parametrize(
    ("box", "expected"),
    [(None, LARGE), ((1, 1, 12, 12), SMALL), ((15, 0, 50, 50), LARGE), ((0, 0, 60, 40), LARGE), ((0, 0, 9, 30), EDGE)],
)
def test_arcface_selects_the_face_of_the_box(picture, box, expected):
    judge = ArcFaceIdentity(analysis=Analysis([SMALL, EDGE, LARGE]))
    assert judge.embed([picture()], [box])[0] == pytest.approx(expected.normed_embedding)


def test_arcface_names_the_picture_without_a_face(picture):
    with pytest.raises(JudgeError, match="^picture 1: no face is found in it"):
        ArcFaceIdentity(analysis=Analysis([SMALL], [])).embed([picture(), picture()])
    with pytest.raises(JudgeError, match="^picture 0: no face is found in the box"):
        ArcFaceIdentity(analysis=Analysis([SMALL])).embed([picture()], [(30, 30, 40, 40)])


def test_arcface_rejects_invalid_input(picture):
    with pytest.raises(JudgeError, match="1 boxes were given for 2 pictures"):
        ArcFaceIdentity(analysis=Analysis()).embed([picture(), picture()], [None])
    with pytest.raises(JudgeError, match="^picture 0: the model pack gives no embedding"):
        ArcFaceIdentity(analysis=Analysis([detected(0, 0, 9, 9)])).embed([picture()])
    with pytest.raises(JudgeError, match="^picture 0: insightface failed"):
        ArcFaceIdentity(analysis=Analysis()).embed([picture()])


class FaceAnalysis(Analysis):
    """Stands in for the class of insightface, which needs a folder with .onnx files."""

    arguments = ()

    def __init__(self, name, allowed_modules):
        super().__init__([SMALL])
        FaceAnalysis.arguments = (name, allowed_modules)

    def prepare(self, ctx_id):
        assert "broken" not in self.arguments[0], "detection"


@pytest.fixture
def insightface(monkeypatch):
    package, app = ModuleType("insightface"), ModuleType("insightface.app")
    package.app, app.FaceAnalysis = app, FaceAnalysis
    monkeypatch.setitem(sys.modules, "insightface", package)
    monkeypatch.setitem(sys.modules, "insightface.app", app)


@pytest.mark.parametrize("inside", ["models/buffalo_l", "models/buffalo_l/buffalo_l"])
def test_arcface_finds_a_pack_also_one_folder_deeper(insightface, tmp_path, picture, inside):
    folder = tmp_path / inside
    folder.mkdir(parents=True)
    (folder / "w600k_r50.onnx").touch()
    assert ArcFaceIdentity(root=tmp_path).embed([picture()]).shape == (1, 2)
    assert FaceAnalysis.arguments == (str(folder), ["detection", "recognition"])
    judge = ArcFaceIdentity(str(tmp_path / "models" / "buffalo_l"), root=tmp_path / "elsewhere")
    assert judge.name == "arcface buffalo_l"


def test_a_missing_pack_is_not_downloaded_and_its_folder_is_named(insightface, tmp_path):
    FaceAnalysis.arguments = ()
    with pytest.raises(JudgeError, match=r"buffalo_l\.zip there \(for non-commercial research only\)") as caught:
        ArcFaceIdentity(root=tmp_path)
    assert str(tmp_path / "models" / "buffalo_l") in str(caught.value)
    assert FaceAnalysis.arguments == ()


def test_arcface_with_a_broken_pack_is_one_line(insightface, tmp_path):
    folder = tmp_path / "models" / "broken"
    folder.mkdir(parents=True)
    (folder / "a.onnx").touch()
    with pytest.raises(JudgeError, match="cannot be loaded"):
        ArcFaceIdentity("broken", root=tmp_path)


@pytest.mark.parametrize(
    ("judge", "module"), [(PyFeatJudge, "feat"), (ArcFaceIdentity, "insightface"), (ArcFaceEncoder, "insightface")]
)
def test_missing_packages_say_how_to_install_them(monkeypatch, judge, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(JudgeError, match=r'pip install "pxs\[faces\]"') as caught:
        judge()
    assert "\n" not in str(caught.value)
