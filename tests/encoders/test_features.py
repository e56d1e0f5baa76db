"""CLIP features of a tiny random CLIP: equal to those of transformers, differentiable, with errors of one line."""

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image

from pxs.encoders.features import CLIP_MODELS, ClipFeatures, PooledClipFeatures
from pxs.errors import ExpressionError, JudgeError


def smooth(size):
    """A picture without fine detail, in full contrast."""
    x, y = np.meshgrid(np.linspace(0, 9, size[0]), np.linspace(0, 7, size[1]))
    planes = [np.sin(x + y), np.cos(x * y / 9), np.sin(3 * x) * np.cos(y)]
    return Image.fromarray(((np.stack(planes, axis=-1) + 1) * 127.5).astype(np.uint8))


def noise(size):
    """A picture of independent random pixels."""
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


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
    """A function that applies the processor and model of transformers: images -> pixel values and unit vectors."""
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
@pytest.mark.parametrize("make", [smooth, noise])
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


def test_clip_similarities_equal_those_of_transformers(clip, stock, picture):
    images = [smooth((120, 90)), picture(1, (70, 70)), smooth((90, 120)), Image.new("RGB", (60, 60), "teal")]
    ours, theirs = clip.embed(images), np.concatenate([stock([image])[1] for image in images])
    assert np.allclose(ours @ ours.T, theirs @ theirs.T, atol=2e-3)


def test_clip_embeds_any_number_of_pictures_as_unit_vectors(clip, picture):
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
    direction = torch.randn(start.shape, generator=torch.Generator().manual_seed(2))
    direction, pixels = direction / direction.norm(), start.clone().requires_grad_()
    target = torch.nn.functional.normalize(torch.ones(24), dim=0)
    (clip.embed_pixels(pixels)[0] @ target).backward()
    with torch.no_grad():
        ends = [float(clip.embed_pixels(start + side * 0.05 * direction)[0] @ target) for side in (-1, 1)]
    assert float((pixels.grad * direction).sum()) == pytest.approx((ends[1] - ends[0]) / 0.1, rel=0.02, abs=1e-4)


@pytest.mark.parametrize("domain", CLIP_MODELS)
def test_a_missing_clip_names_the_download_command(domain, monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(JudgeError, match=f"run 'hf download {CLIP_MODELS[domain]}' first") as caught:
        ClipFeatures(domain)
    assert "\n" not in str(caught.value)


def test_a_model_that_is_not_a_clip_is_rejected(clip_folder, tmp_path):
    with pytest.raises(ExpressionError, match="unknown domain"):
        ClipFeatures("cat")
    with pytest.raises(JudgeError, match="cannot be loaded as a CLIP") as caught:
        ClipFeatures(model=tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "config.json").write_bytes((clip_folder / "config.json").read_bytes())
    torch.save({}, tmp_path / "unrelated.bin")
    with pytest.raises(JudgeError, match="cannot be loaded as a CLIP"):
        ClipFeatures(model=tmp_path)


def test_a_clip_with_missing_weights_is_rejected(clip_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(clip_folder / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_bytes((clip_folder / "config.json").read_bytes())
    with pytest.raises(JudgeError, match="visual_projection"):
        ClipFeatures(model=tmp_path)


def test_pooled_features_are_those_of_the_public_trainer(clip_folder):
    from transformers import CLIPVisionModel

    pooled = PooledClipFeatures(model=clip_folder, device="cpu")
    tower = CLIPVisionModel.from_pretrained(clip_folder).eval()
    pixels = (torch.rand(2, 3, 90, 130, generator=torch.Generator().manual_seed(0)) * 2.4 - 1.2).requires_grad_()
    unit = ((pixels + 1) * 0.5).clamp(0, 1)
    small = torch.nn.functional.interpolate(unit, size=56, mode="bilinear", align_corners=False)
    mean, std = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (mean, std))
    expected = tower(pixel_values=(small - mean) / std).pooler_output
    expected = expected / expected.norm(dim=1, keepdim=True)
    ours = pooled.embed_pixels(pixels)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)
    gradients = [torch.autograd.grad(v[:, 0].sum(), pixels)[0] for v in (ours, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)
    assert pooled.name.endswith("pooled") and pooled.embed([]).shape == (0, 32)
    assert pooled.embed([smooth((80, 60))]).shape == (1, 32)
