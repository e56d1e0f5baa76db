"""The ArcFace encoder: landmarks of the largest face, embeddings, and gradients to the pixels."""

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper
from PIL import Image

from pxs.encoders.alignment import TEMPLATE, align
from pxs.encoders.arcface import ArcFaceEncoder
from pxs.encoders.onnx_network import OnnxNetwork
from pxs.errors import JudgeError
from pxs.training.cache import as_pixels

POINTS = np.float32(TEMPLATE)
LANDMARKS = torch.from_numpy(POINTS)[None]


def pictures(count=2, side=112):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def with_faces(analysis, *answers):
    """An encoder whose detector gives these faces, picture after picture; and the list of pictures it gets."""
    given, remaining = [], list(answers)

    def get(image):
        given.append(image)
        return remaining.pop(0)

    analysis.get = get
    return ArcFaceEncoder(analysis=analysis), given


def face(side, kps=POINTS):
    return SimpleNamespace(bbox=(5, 5, 5 + side, 5 + side), kps=kps)


def test_role_and_name(analysis):
    encoder = ArcFaceEncoder(analysis=analysis)
    assert encoder.role == "train"
    assert encoder.name == f"arcface-loss antelopev2 {encoder.network.version}"


def test_landmarks_are_those_of_the_largest_face(analysis):
    encoder, _ = with_faces(analysis, [face(20, POINTS + 9), face(40), face(30, POINTS - 9)], [face(10, POINTS + 1)])
    landmarks = encoder.landmarks(pictures().requires_grad_())
    assert (landmarks.dtype, landmarks.requires_grad) == (torch.float32, False)
    assert torch.equal(landmarks, torch.cat([LANDMARKS, LANDMARKS + 1]))


def test_the_detector_gets_bgr(analysis):
    values = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    encoder, given = with_faces(analysis, [face(9)])
    encoder.landmarks(as_pixels(Image.fromarray(values))[None])
    assert given[0].dtype == np.uint8 and given[0].flags.c_contiguous
    assert np.array_equal(given[0][:, :, ::-1], values)


def test_a_picture_without_a_face_is_named(analysis):
    with pytest.raises(JudgeError, match="^picture 1: no face is found"):
        with_faces(analysis, [face(9)], [])[0].landmarks(pictures())
    with pytest.raises(JudgeError, match="^'b.png': no face is found"):
        with_faces(analysis, [face(9)], [])[0].landmarks(pictures(), ["'a.png'", "'b.png'"])
    with pytest.raises(JudgeError, match="^picture 0: insightface failed"):
        with_faces(analysis)[0].landmarks(pictures())
    with pytest.raises(JudgeError, match="^picture 0: the model pack gives no landmarks"):
        with_faces(analysis, [face(9, None)])[0].landmarks(pictures())


def test_vectors_are_those_of_the_network_for_aligned_faces(analysis, recognition_file):
    encoder, network = ArcFaceEncoder(analysis=analysis), OnnxNetwork(recognition_file, (1, 3, 112, 112))
    pixels, landmarks = pictures(side=300), torch.cat([2 * LANDMARKS, LANDMARKS + 40])
    vectors = encoder.embed_pixels(pixels, landmarks)
    expected = torch.cat([network(a) for a in align(pixels, landmarks).split(1)])
    assert vectors.shape == (2, 16)
    torch.testing.assert_close(vectors, F.normalize(expected, dim=1))
    torch.testing.assert_close(
        encoder.embed_pixels(pictures(1), LANDMARKS), F.normalize(network(pictures(1)), dim=1), atol=1e-4, rtol=0
    )


def test_a_network_that_normalises_its_input_gets_bytes(analysis, recognition_file, tmp_path):
    plain = ArcFaceEncoder(analysis=analysis)
    model = onnx.load(recognition_file)
    model.graph.node[0].input[0] = "normal"
    model.graph.node.insert(0, helper.make_node("Mul", ["centred", "scale"], ["normal"]))
    model.graph.node.insert(0, helper.make_node("Sub", ["data", "mean"], ["centred"]))
    for name, value in (("mean", 127.5), ("scale", 1 / 127.5)):
        model.graph.initializer.append(numpy_helper.from_array(np.float32([value]), name))
    onnx.save(model, tmp_path / "bytes.onnx")
    analysis.models["recognition"].model_file = str(tmp_path / "bytes.onnx")
    own = ArcFaceEncoder(analysis=analysis)
    torch.testing.assert_close(own.embed_pixels(pictures(1), LANDMARKS), plain.embed_pixels(pictures(1), LANDMARKS))


def test_the_gradient_is_that_of_finite_differences(analysis):
    encoder, landmarks, start = ArcFaceEncoder(analysis=analysis), 2 * LANDMARKS + 5, pictures(1, 240)
    pixels = start.clone().requires_grad_()
    encoder.embed_pixels(pixels, landmarks)[0, 3].backward()
    direction = pixels.grad * torch.rand(
        start.shape, generator=torch.Generator().manual_seed(1)
    )  # a direction with a large change
    direction = 0.2 * direction / direction.norm()
    ends = [float(encoder.embed_pixels(start + side * direction, landmarks)[0, 3]) for side in (-1, 1)]
    assert ends[1] - ends[0] > 1e-3
    assert float(2 * (pixels.grad * direction).sum()) == pytest.approx(ends[1] - ends[0], rel=0.02)


def test_autocast_changes_nothing(analysis):
    encoder, outcomes = ArcFaceEncoder(analysis=analysis), []
    for on in (False, True):
        pixels = pictures(1, 240).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=on):
            vectors = encoder.embed_pixels(pixels, 2 * LANDMARKS)
        vectors[0, 0].backward()
        outcomes.append((vectors.detach(), pixels.grad))
    assert all(torch.equal(a, b) for a, b in zip(*outcomes, strict=True))


def test_a_pack_without_recognition_is_rejected(analysis, tmp_path):
    (tmp_path / "damaged.onnx").write_bytes(b"no network")
    analysis.models["recognition"].model_file = str(tmp_path / "damaged.onnx")
    with pytest.raises(JudgeError, match="damaged.onnx cannot be run"):
        ArcFaceEncoder(analysis=analysis)
    del analysis.models["recognition"]
    with pytest.raises(JudgeError, match="^antelopev2: the model pack gives no embedding"):
        ArcFaceEncoder(analysis=analysis)
