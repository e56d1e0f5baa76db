"""Tests of the judges that are models of others: py-feat and insightface by stand-ins for their detectors, CLIP by a
tiny random one, and of the rule that nothing both trains and scores.
"""

import importlib
import inspect
import pkgutil
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image

import pxs.judging
from pxs.errors import ExpressionError, JudgeError
from pxs.expressions import BASIC, EXPRESSIONS, Mix
from pxs.judging.arcface import ArcFaceIdentity, ArcFaceLoss
from pxs.judging.features import CLIP_MODELS, ClipFeatures
from pxs.judging.pyfeat import PyFeatJudge

NAN = float("nan")


def picture(seed=0, size=(40, 30)):
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values)


def smooth(size):
    """A picture without fine detail, in full contrast."""
    x, y = np.meshgrid(np.linspace(0, 9, size[0]), np.linspace(0, 7, size[1]))
    planes = [np.sin(x + y), np.cos(x * y / 9), np.sin(3 * x) * np.cos(y)]
    return Image.fromarray(((np.stack(planes, axis=-1) + 1) * 127.5).astype(np.uint8))


# py-feat.


class Detector:
    """Stands in for a py-feat detector: its answer to each picture is a table with these rows, one a face."""

    def __init__(self, *answers):
        self.answers, self.seen = list(answers), []

    def detect(self, inputs, data_type, batch_size, progress_bar):
        assert (data_type, batch_size, progress_bar) == ("tensor", 1, False)
        torch.set_grad_enabled(False)  # as py-feat does, for good
        self.seen.append(inputs)
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
FELT = Mix(angry=0.1, disgust=0.2, fear=0.05, happy=0.3, sad=0.15, surprised=0.12)
NO_FACE = face(NAN, 0.0, **SECOND, Neutral=0.08)  # Detectorv2 still answers for the black crop
NO_FACE_FIRST = face(NAN, NAN, **dict.fromkeys(FIRST, NAN), neutral=NAN)


@pytest.mark.parametrize("emotions", [{**FIRST, "neutral": 0.08}, {**SECOND, "Neutral": 0.08}])
def test_pyfeat_emotions_are_our_basic_six(emotions):
    (mix,) = PyFeatJudge(Detector([face(**emotions)])).judge([picture()])
    assert mix == FELT
    assert set(mix) == set(BASIC)
    assert all(mix[name] == 0 for name in EXPRESSIONS if name not in BASIC)


def test_pyfeat_sees_each_picture_by_itself_in_rgb():
    detector = Detector([face(**FIRST)], [face(**FIRST)])
    assert len(PyFeatJudge(detector).judge([picture(), Image.new("L", (6, 9), 7)])) == 2
    first, second = detector.seen
    assert first.dtype == torch.uint8
    assert np.array_equal(first[0].permute(1, 2, 0), np.asarray(picture()))
    assert second.shape == (1, 3, 9, 6)
    assert PyFeatJudge(Detector()).judge([]) == []


def test_pyfeat_judges_the_largest_face():
    other = dict.fromkeys(FIRST, 0.0)
    faces = [face(20, **other), face(60, **FIRST), face(90, 0.0, **other), NO_FACE_FIRST, face(59, **other)]
    assert PyFeatJudge(Detector(faces)).judge([picture()]) == [FELT]


def test_pyfeat_rounding_stays_in_range():
    (mix,) = PyFeatJudge(Detector([face(**{**FIRST, "happiness": 1.0000001, "fear": -1e-9})])).judge([picture()])
    assert (mix["happy"], mix["fear"]) == (1, 0)


@pytest.mark.parametrize("rows", [[], [NO_FACE], [NO_FACE_FIRST]])
def test_pyfeat_names_the_picture_without_a_face(rows):
    with pytest.raises(JudgeError, match="^picture 1: py-feat finds no face"):
        PyFeatJudge(Detector([face(**FIRST)], rows)).judge([picture(), picture()])


@pytest.mark.parametrize("emotions", [{}, {**FIRST, "fear": NAN}, {"happiness": 1.0}])
def test_pyfeat_without_emotions_is_an_error(emotions):
    with pytest.raises(JudgeError, match="^picture 0: py-feat gives no emotions"):
        PyFeatJudge(Detector([face(**emotions)])).judge([picture()])


def test_pyfeat_failures_are_one_line():
    with pytest.raises(JudgeError, match=r"^picture 0: py-feat failed \(pop from empty list\)"):
        PyFeatJudge(Detector()).judge([picture()])


def test_pyfeat_leaves_gradients_on():
    PyFeatJudge(Detector([face(**FIRST)])).judge([picture()])
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("download", [False, True])
def test_pyfeat_fetches_weights_only_when_asked(monkeypatch, download):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    made = []

    def make(**settings):
        torch.set_grad_enabled(False)
        made.append((settings, constants.is_offline_mode()))
        return Detector([face(**FIRST)])

    monkeypatch.setitem(sys.modules, "feat", SimpleNamespace(Detectorv2=make))
    assert PyFeatJudge(download=download).judge([picture()]) == [FELT]
    assert made == [({"device": "cpu", "identity_model": None}, not download)]
    assert not constants.is_offline_mode()
    assert torch.is_grad_enabled()


def test_pyfeat_without_weights_says_how_to_get_them(monkeypatch):
    def make(**_settings):
        raise OSError("not in the cache")

    monkeypatch.setitem(sys.modules, "feat", SimpleNamespace(Detectorv2=make))
    with pytest.raises(JudgeError, match=r"not in the cache\): PyFeatJudge\(download=True\)"):
        PyFeatJudge()


@pytest.mark.parametrize(
    ("judge", "module"), [(PyFeatJudge, "feat"), (ArcFaceIdentity, "insightface"), (ArcFaceLoss, "insightface")]
)
def test_missing_packages_say_how_to_install_them(monkeypatch, judge, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(JudgeError, match=r'pip install "pxs\[faces\]"') as caught:
        judge()
    assert "\n" not in str(caught.value)


# ArcFace.


def found(left, top, right, bottom, *vector):
    """A face as insightface gives it."""
    unit = np.array(vector, float) / np.linalg.norm(vector) if vector else None
    return SimpleNamespace(bbox=np.array([left, top, right, bottom], np.float32), normed_embedding=unit)


class Analysis:
    """Stands in for insightface's FaceAnalysis."""

    def __init__(self, *answers):
        self.answers, self.seen = list(answers), []

    def get(self, image):
        self.seen.append(image)
        return self.answers.pop(0)


SMALL, LARGE, EDGE = found(0, 0, 10, 10, 1, 0), found(20, 0, 60, 40, 0, 2), found(0, 0, 9, 39, 3, 4)


def test_arcface_embeds_the_largest_face_as_a_unit_vector():
    judge = ArcFaceIdentity(analysis=Analysis([SMALL, LARGE], [EDGE]))
    vectors = judge.embed([picture(), picture(1)])
    assert vectors.dtype == np.float32
    assert vectors == pytest.approx(np.array([[0, 1], [0.6, 0.8]]))
    assert (judge.role, judge.name) == ("score", "arcface buffalo_l")
    assert ArcFaceIdentity(analysis=Analysis()).embed([]).shape == (0, 512)


def test_arcface_hands_over_bgr():
    analysis = Analysis([SMALL])
    ArcFaceIdentity(analysis=analysis).embed([picture()])
    (seen,) = analysis.seen
    assert seen.dtype == np.uint8
    assert seen.flags.c_contiguous
    assert np.array_equal(seen[:, :, ::-1], np.asarray(picture()))


@pytest.mark.parametrize(
    ("box", "expected"),
    [(None, LARGE), ((1, 1, 12, 12), SMALL), ((15, 0, 50, 50), LARGE), ((0, 0, 60, 40), LARGE), ((0, 0, 9, 30), EDGE)],
)
def test_arcface_takes_the_face_of_the_box(box, expected):
    judge = ArcFaceIdentity(analysis=Analysis([SMALL, EDGE, LARGE]))
    assert judge.embed([picture()], [box])[0] == pytest.approx(expected.normed_embedding)


def test_arcface_names_the_picture_without_a_face():
    with pytest.raises(JudgeError, match="^picture 1: no face is found in it"):
        ArcFaceIdentity(analysis=Analysis([SMALL], [])).embed([picture(), picture()])
    with pytest.raises(JudgeError, match="^picture 0: no face is found in the box"):
        ArcFaceIdentity(analysis=Analysis([SMALL])).embed([picture()], [(30, 30, 40, 40)])


def test_arcface_refuses_what_cannot_be_meant():
    with pytest.raises(JudgeError, match="1 boxes were given for 2 pictures"):
        ArcFaceIdentity(analysis=Analysis()).embed([picture(), picture()], [None])
    with pytest.raises(JudgeError, match="^picture 0: the model pack gives no embedding"):
        ArcFaceIdentity(analysis=Analysis([found(0, 0, 9, 9)])).embed([picture()])
    with pytest.raises(JudgeError, match="^picture 0: insightface failed"):
        ArcFaceIdentity(analysis=Analysis()).embed([picture()])


class FaceAnalysis(Analysis):
    """Stands in for the class of insightface, which needs a folder with .onnx files."""

    made = ()

    def __init__(self, name, allowed_modules):
        super().__init__([SMALL])
        FaceAnalysis.made = (name, allowed_modules)

    def prepare(self, ctx_id):
        assert "broken" not in self.made[0], "detection"


@pytest.fixture
def insightface(monkeypatch):
    package, app = ModuleType("insightface"), ModuleType("insightface.app")
    package.app, app.FaceAnalysis = app, FaceAnalysis
    monkeypatch.setitem(sys.modules, "insightface", package)
    monkeypatch.setitem(sys.modules, "insightface.app", app)


@pytest.mark.parametrize("inside", ["models/buffalo_l", "models/buffalo_l/buffalo_l"])
def test_arcface_finds_a_pack_also_one_folder_deeper(insightface, tmp_path, inside):
    folder = tmp_path / inside
    folder.mkdir(parents=True)
    (folder / "w600k_r50.onnx").touch()
    assert ArcFaceIdentity(root=tmp_path).embed([picture()]).shape == (1, 2)
    assert FaceAnalysis.made == (str(folder), ["detection", "recognition"])
    judge = ArcFaceIdentity(str(tmp_path / "models" / "buffalo_l"), root=tmp_path / "elsewhere")
    assert judge.name == "arcface buffalo_l"


def test_arcface_downloads_nothing_and_says_where_the_pack_belongs(insightface, tmp_path):
    FaceAnalysis.made = ()
    with pytest.raises(JudgeError, match=r"buffalo_l\.zip there \(for non-commercial research only\)") as caught:
        ArcFaceIdentity(root=tmp_path)
    assert str(tmp_path / "models" / "buffalo_l") in str(caught.value)
    assert FaceAnalysis.made == ()


def test_arcface_with_a_broken_pack_is_one_line(insightface, tmp_path):
    folder = tmp_path / "models" / "broken"
    folder.mkdir(parents=True)
    (folder / "a.onnx").touch()
    with pytest.raises(JudgeError, match="cannot be loaded"):
        ArcFaceIdentity("broken", root=tmp_path)


# CLIP.


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    """A tiny random CLIP of the stock classes, with the processor's settings beside it."""
    from transformers import CLIPConfig, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    layers = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    tokens = {"vocab_size": 32, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config={**layers, **tokens}, vision_config={**layers, "image_size": 56, "patch_size": 8}, projection_dim=24
    )
    folder = tmp_path_factory.mktemp("clip")
    CLIPModel(config).save_pretrained(folder)
    size = {"shortest_edge": 56}, {"height": 56, "width": 56}
    CLIPImageProcessorPil(size=size[0], crop_size=size[1]).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clip(clip_folder):
    return ClipFeatures(model=clip_folder, device="cpu")


@pytest.fixture(scope="module")
def stock(clip_folder):
    """What transformers' own processor and model make of pictures: prepared pixels, and unit vectors."""
    from transformers import CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    processor, model = CLIPImageProcessorPil.from_pretrained(clip_folder), CLIPModel.from_pretrained(clip_folder).eval()

    @torch.inference_mode()
    def pipeline(images):
        pixels = processor(images=images, return_tensors="pt")["pixel_values"]
        features = model.get_image_features(pixel_values=pixels).pooler_output
        return pixels, (features / features.norm(dim=1, keepdim=True)).numpy()

    return pipeline


SIZES = [(56, 56), (200, 200), (640, 333), (333, 640), (90, 57), (30, 41), (57, 300)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("make", [smooth, lambda size: picture(3, size)], ids=["smooth", "noise"])
def test_clip_agrees_with_the_processor_and_model_of_transformers(clip, stock, size, make):
    image = make(size)
    pixels, expected = stock([image])
    prepared = clip.prepare(torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 127.5 - 1)
    step = 1 / 255 / 0.26  # one of eight bits: the processor rounds, after each direction
    difference = (prepared - pixels).abs()
    assert prepared.shape == pixels.shape
    assert difference.mean() < 0.5 * step
    assert make is not smooth or difference.max() < 1.25 * step
    vector = clip.embed([image])
    assert (vector * expected).sum() > 0.9999


def test_clip_tells_pictures_apart_as_transformers_does(clip, stock):
    images = [smooth((120, 90)), picture(1, (70, 70)), smooth((90, 120)), Image.new("RGB", (60, 60), "teal")]
    ours, theirs = clip.embed(images), np.concatenate([stock([image])[1] for image in images])
    assert np.allclose(ours @ ours.T, theirs @ theirs.T, atol=2e-3)


def test_clip_embeds_any_number_of_pictures_as_unit_vectors(clip):
    images = [picture(seed, (60 + seed, 58)) for seed in range(35)]
    vectors = clip.embed(images)
    assert (vectors.shape, vectors.dtype) == ((35, 24), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(35), abs=1e-5)
    assert np.allclose(vectors[33], clip.embed([images[33]])[0], atol=1e-5)
    assert clip.embed([]).shape == (0, 24)


def test_clip_embeds_pixels_as_it_does_images(clip):
    image = smooth((128, 128))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 127.5 - 1
    assert np.allclose(clip.embed_pixels(pixels).numpy(), clip.embed([image]), atol=1e-6)


def test_clip_passes_gradients_to_every_pixel_of_the_crop_and_to_no_weight(clip):
    pixels = (torch.rand(2, 3, 80, 80, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8).requires_grad_()
    clip.embed_pixels(pixels)[:, 0].sum().backward()
    assert bool(pixels.grad.isfinite().all())
    assert (pixels.grad != 0).float().mean() > 0.99
    assert not any(weight.requires_grad for weight in [*clip.tower.parameters(), *clip.projection.parameters()])


def test_the_gradient_of_clip_is_that_of_finite_differences(clip):
    start = torch.rand(1, 3, 60, 70, generator=torch.Generator().manual_seed(1)) - 0.5
    way = torch.randn(start.shape, generator=torch.Generator().manual_seed(2))
    way, pixels = way / way.norm(), start.clone().requires_grad_()
    goal = torch.nn.functional.normalize(torch.ones(24), dim=0)
    (clip.embed_pixels(pixels)[0] @ goal).backward()
    with torch.no_grad():
        ends = [float(clip.embed_pixels(start + side * 0.05 * way)[0] @ goal) for side in (-1, 1)]
    assert float((pixels.grad * way).sum()) == pytest.approx((ends[1] - ends[0]) / 0.1, rel=0.02, abs=1e-4)


@pytest.mark.parametrize("domain", CLIP_MODELS)
def test_a_clip_that_is_not_downloaded_says_how_to_get_it(domain, monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(JudgeError, match=f"run 'hf download {CLIP_MODELS[domain]}' first") as caught:
        ClipFeatures(domain)
    assert "\n" not in str(caught.value)


def test_a_clip_that_is_none_is_refused(clip_folder, tmp_path):
    with pytest.raises(ExpressionError, match="unknown domain"):
        ClipFeatures("cat")
    with pytest.raises(JudgeError, match="cannot be loaded as a CLIP") as caught:
        ClipFeatures(model=tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "config.json").write_bytes((clip_folder / "config.json").read_bytes())
    torch.save({}, tmp_path / "unrelated.bin")
    with pytest.raises(JudgeError, match="cannot be loaded as a CLIP"):
        ClipFeatures(model=tmp_path)


def test_a_clip_without_some_of_its_weights_is_refused(clip_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(clip_folder / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_bytes((clip_folder / "config.json").read_bytes())
    with pytest.raises(JudgeError, match="visual_projection"):
        ClipFeatures(model=tmp_path)


# What trains and what scores.


def judges():
    """Every class in pxs.judging that has a role."""
    modules = [importlib.import_module(f"pxs.judging.{m.name}") for m in pkgutil.iter_modules(pxs.judging.__path__)]
    classes = {c for module in modules for _, c in inspect.getmembers(module, inspect.isclass)}
    return {c for c in classes if c.__module__.startswith("pxs.judging.") and hasattr(c, "role")}


def role(which):
    return {c for c in judges() if c.role == which}


def mini_weights(classes, monkeypatch):
    """The names of the weights that the judges of these classes load, of those that ship with the package."""
    names = []

    def load_network(name, *_):
        names.append(name)
        return None, "version"

    for module in ("expression", "networks"):
        monkeypatch.setattr(f"pxs.judging.{module}.load_network", load_network)
    for judge in classes:
        if judge.__name__.startswith("Mini"):
            judge()
    return set(names)


def test_every_judge_either_trains_or_scores():
    assert {c.__name__ for c in role("train")} == {"MiniFeatures", "MiniIdentityLoss", "ClipFeatures", "ArcFaceLoss"}
    assert {c.__name__ for c in role("score")} >= {
        *("MiniExpression", "MiniIdentity", "EndpointJudge", "LocalQwenJudge", "PyFeatJudge", "ArcFaceIdentity")
    }
    assert judges() == role("train") | role("score")


def test_what_trains_shares_no_weights_with_what_scores(monkeypatch):
    trains, scores = (mini_weights(role(which), monkeypatch) for which in ("train", "score"))
    assert trains and scores
    assert not trains & scores
    scorer, trainer = (inspect.signature(c).parameters["pack"].default for c in (ArcFaceIdentity, ArcFaceLoss))
    assert scorer != trainer
    assert not {scorer, trainer} & set(CLIP_MODELS.values())
