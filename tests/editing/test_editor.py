"""The editor on the embedded model: equal to the stock pipeline, one seed one image, sizes, provenance, errors."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import pxs
from pxs.editing import conditioning
from pxs.editing.bundled import BUNDLED
from pxs.editing.checkpoints import fingerprint
from pxs.errors import AdapterError, ExpressionError, ImageError, ModelError, OutputError, ScaleError
from pxs.expressions import EXPRESSIONS, Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds
from pxs.images import open_image, read_text

STEPS = 3
FACE = seeds("gallery", 1)[0]


@pytest.fixture(scope="module")
def portrait(editor):
    return editor.open(draw(Identity.sample(FACE)))


def final(portrait, mixes, **options):
    return list(portrait.steps(mixes, steps=STEPS, **options))[-1].latents


@pytest.mark.parametrize("mix", [Mix(), Mix(happy=1), Mix(fear=0.5, sad=0.7), Mix(angry=1.5)], ids=str)
def test_the_loop_equals_the_stock_pipeline(editor, portrait, mix, monkeypatch):
    stock = "diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus.VAE_IMAGE_SIZE"
    monkeypatch.setattr(stock, 128 * 128)  # it forces 1024 x 1024 otherwise
    noise = pxs.editing.sampling.seeded_noise(7, 16, portrait.grid)
    text = conditioning.interpolate(portrait.embeddings, [mix])
    expected = editor.pipe(
        image=portrait.fitted,
        prompt_embeds=text,
        prompt_embeds_mask=torch.ones(text.shape[:2], dtype=torch.long),
        latents=noise,
        height=128,
        width=128,
        num_inference_steps=STEPS,
        true_cfg_scale=1.0,
        output_type="latent",
    ).images
    torch.testing.assert_close(final(portrait, [mix], seed=7), expected, atol=1e-4, rtol=0)


def test_the_picture_equals_that_of_the_stock_pipeline(editor, portrait, monkeypatch):
    monkeypatch.setattr("diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus.VAE_IMAGE_SIZE", 128 * 128)
    words = "Edit the person to show a happy expression"
    noise = pxs.editing.sampling.seeded_noise(7, 16, portrait.grid)
    expected = editor.pipe(
        image=portrait.fitted,
        prompt=words,
        latents=noise,
        height=128,
        width=128,
        num_inference_steps=STEPS,
        true_cfg_scale=1.0,
    ).images[0]
    ours = portrait.edit(Mix(happy=1), seed=7, steps=STEPS)[0]
    assert np.abs(np.asarray(ours, int) - np.asarray(expected, int)).max() <= 1


def test_a_batch_equals_its_edits_one_by_one(portrait):
    mixes = pxs.sweep("fear", [0, 0.5, 1, 1.5])
    alone = torch.cat([final(portrait, [mix]) for mix in mixes])
    torch.testing.assert_close(final(portrait, mixes), alone, atol=1e-4, rtol=0)


def test_one_seed_is_one_image_and_another_seed_another(portrait):
    first, again, other = (portrait.edit(Mix(happy=1), seed=s, steps=STEPS)[0] for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_more_mixes_than_a_batch_come_out_in_order(portrait, monkeypatch):
    mixes = pxs.sweep("sad", [0, 0.4, 0.8, 1.2, 1.6])
    whole = portrait.edit(mixes, steps=2)
    monkeypatch.setattr("pxs.editing.editor.BATCH", 2)
    for a, b in zip(whole, portrait.edit(mixes, steps=2), strict=True):
        assert np.abs(np.asarray(a, int) - np.asarray(b, int)).max() <= 1


def test_steps_count_down_from_noise_and_end_in_the_edit(portrait):
    steps = list(portrait.steps([Mix(happy=1)], seed=3, steps=4))
    assert [s.index for s in steps] == [0, 1, 2, 3]
    assert steps[0].sigma == 1
    assert all(a.sigma > b.sigma for a, b in zip(steps, steps[1:], strict=False))
    assert portrait.preview(steps[-1].latents)[0] == portrait.edit(Mix(happy=1), seed=3, steps=4)[0]


def test_steps_can_be_left_at_any_point(portrait):
    for step in portrait.steps([Mix(happy=1)], steps=50):
        if step.index == 1:
            break
    assert portrait.preview(step.clean)[0].size == portrait.fitted.size


def test_interpolation_is_linear_from_the_neutral_prompt(portrait):
    e = portrait.embeddings
    made = conditioning.interpolate(e, [Mix(), Mix(happy=1), Mix(happy=0.5, sad=-2)])
    torch.testing.assert_close(made[0], e["neutral"])
    torch.testing.assert_close(made[1], e["happy"])
    torch.testing.assert_close(
        made[2], e["neutral"] + 0.5 * (e["happy"] - e["neutral"]) - 2 * (e["sad"] - e["neutral"])
    )


def test_prompts_differ_from_neutral_only_from_the_expression_on(portrait):
    change = (torch.stack([portrait.embeddings[e] for e in EXPRESSIONS]) - portrait.embeddings["neutral"]).abs()
    assert change[:, :-7].max() < 1e-5
    assert change[:, -7].amax(dim=1).min() > 0.1


def test_prompts_of_unequal_length_are_refused_with_both_lengths(editor, portrait):
    with pytest.raises(ModelError, match=r"different numbers of tokens.*happy.*21.*gleeful.*\d+"):
        conditioning.encode_prompts(
            editor.pipe,
            portrait.fitted,
            ["Edit the person to show a happy expression", "Edit the person to show a gleeful expression"],
        )


@pytest.mark.parametrize("size", [(200, 150), (97, 131), (128, 128), (512, 512)])
def test_edits_come_out_at_the_size_of_the_source(editor, size):
    source = draw(Identity.sample(FACE), size=512).resize(size)
    edits = editor.open(source).edit(Mix(happy=1), steps=1)
    assert edits[0].size == edits.source.size == size


@pytest.mark.parametrize("style", ["human", "anime"])
def test_drawn_faces_give_no_warning(editor, style):
    for number in seeds("held_out", 6):
        editor.open(draw(Identity.sample(number), style=style), style)  # warnings are errors


def test_another_kind_of_picture_warns(editor):
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).resize((160, 120))
    with pytest.warns(UserWarning, match="was trained on drawn people and drawn characters only"):
        editor.open(picture)


def test_saved_files_carry_what_made_them(portrait, tmp_path):
    edits = portrait.sweep("happy", [0, 1.5], seed=5, steps=2)
    paths = edits.save(tmp_path / "new" / "folder", stem="face")
    assert [p.name for p in paths] == ["face_neutral.png", "face_happy_1.5.png"]
    text = read_text(paths[1])
    assert (text["seed"], text["steps"], json.loads(text["mix"])) == ("5", "2", {"happy": 1.5})
    assert text["model"] == "mini"
    assert text["model_hash"] == fingerprint(BUNDLED["mini"])
    assert open_image(paths[1]) == edits[1]


def test_saving_overwrites_only_when_told_to_and_then_all(portrait, tmp_path):
    edits = portrait.sweep("happy", [0, 1], steps=1)
    paths = edits.save(tmp_path)
    paths[0].unlink()
    with pytest.raises(OutputError, match="exists"):
        edits.save(tmp_path)
    assert not paths[0].exists()
    assert edits.save(tmp_path, overwrite=True) == paths


def test_the_same_mix_twice_cannot_be_saved(portrait, tmp_path):
    with pytest.raises(OutputError, match="two edits"):
        portrait.sweep("happy", [1, 1], steps=1).save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_edits_show_themselves_and_move(portrait, tmp_path):
    edits = portrait.sweep("happy", [0, 0.5, 1], steps=1)
    assert edits._repr_png_().startswith(b"\x89PNG")
    assert edits.sheet().width >= 4 * 128
    with Image.open(edits.animate(tmp_path / "sweep.gif")) as animation:
        assert animation.n_frames > 1


def test_blend_covers_every_pair_of_scales(portrait):
    edits = portrait.blend("happy", "surprised", [0, 1], steps=1)
    assert list(edits.mixes) == [Mix(), Mix(surprised=1), Mix(happy=1), Mix(happy=1, surprised=1)]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda p: p.sweep("hapy"), ExpressionError, "did you mean 'happy'"),
        (lambda p: p.sweep("happy", []), ScaleError, "no scales"),
        (lambda p: p.sweep("happy", [float("nan")]), ScaleError, "nan"),
        (lambda p: p.edit([]), ScaleError, "no mixes"),
        (lambda p: p.edit(Mix(happy=1), steps=0), ScaleError, "steps 0"),
        (lambda p: p.blend("happy", "happy"), ExpressionError, "one expression"),
    ],
)
def test_requests_that_make_no_sense_are_refused(portrait, call, error, message):
    with pytest.raises(error, match=message):
        call(portrait)


def test_an_unknown_domain_and_a_missing_file_are_refused(editor):
    with pytest.raises(ExpressionError, match="unknown domain 'manga'"):
        editor.open(draw(Identity.sample(FACE)), "manga")
    with pytest.raises(ImageError, match="does not exist"):
        editor.open("nowhere.png")


@pytest.fixture
def copied(tmp_path):
    """A copy of mini without the list of its hashes, so that it may be changed."""
    return shutil.copytree(BUNDLED["mini"], tmp_path / "model", ignore=shutil.ignore_patterns("hashes.json"))


def test_a_local_folder_loads_like_the_bundled_model(copied, editor):
    assert pxs.load(copied).checkpoint.fingerprint == editor.checkpoint.fingerprint


def test_wrong_models_are_refused(tmp_path, copied):
    for model, message in [
        ("nowhere", "no model"),
        (tmp_path, "model_index.json is missing"),
        ("Nobody/Nothing", "pxs download --model Nobody/Nothing"),
    ]:
        with pytest.raises(ModelError, match=message):
            pxs.load(model)
    (copied / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    with pytest.raises(ModelError, match="StableDiffusionPipeline"):
        pxs.load(copied)
    (copied / "model_index.json").write_text("{")
    with pytest.raises(ModelError, match="not JSON"):
        pxs.load(copied)


def test_a_truncated_or_absent_part_is_refused(copied):
    weights = copied / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(ModelError, match="is damaged"):
        pxs.load(copied)
    shutil.rmtree(copied / "vae")
    with pytest.raises(ModelError, match="lacks vae"):
        pxs.load(copied)


def test_weights_that_are_not_finite_are_refused(copied):
    file = copied / "transformer" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    weights["proj_out.weight"][0, 0] = float("nan")
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"transformer.*proj_out\.weight.*not finite"):
        pxs.load(copied)


def test_one_changed_bit_is_refused_after_the_first_load_and_changes_the_fingerprint(copied, tmp_path):
    before = fingerprint(copied)
    file = copied / "vae" / "diffusion_pytorch_model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(ModelError, match=r"vae/diffusion_pytorch_model\.safetensors is not what it was before"):
        pxs.load(copied)
    assert fingerprint(copied.rename(tmp_path / "another")) != before


def write_adapter(path, editor, layer="transformer_blocks.0.attn.to_q", width=None, scale=1.0):
    width = width or editor.pipe.transformer.inner_dim
    generator = torch.Generator().manual_seed(0)
    a, b = (scale * torch.randn(s, generator=generator) for s in ((4, width), (width, 4)))
    save_file({f"transformer.{layer}.lora_A.weight": a, f"transformer.{layer}.lora_B.weight": b}, path)
    return path


def test_an_adapter_that_fits_changes_the_picture_and_is_named(editor, portrait, tmp_path):
    file = write_adapter(tmp_path / "mine.safetensors", editor, scale=0.3)
    adapted = pxs.load("mini", adapter=file)
    assert adapted.provenance["adapter"] == "mine.safetensors"
    assert len(adapted.provenance["adapter_hash"]) == 64
    edited = adapted.open(portrait.source).edit(Mix(happy=1), steps=STEPS)
    assert edited[0] != portrait.edit(Mix(happy=1), steps=STEPS)[0]


@pytest.mark.parametrize("change", [{"layer": "blocks.0.to_q"}, {"width": 64}])
def test_an_adapter_for_another_model_is_refused_by_its_keys(editor, tmp_path, change):
    file = write_adapter(tmp_path / "other.safetensors", editor, **change)
    with pytest.raises(AdapterError, match=r"does not fit this model.*lora_A"):
        pxs.load("mini", adapter=file)


def test_files_that_are_no_adapter_are_refused(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"x")
    (tmp_path / "cut.safetensors").write_bytes(b"\x00" * 20)
    for name, message in [
        ("a.bin", "not a .safetensors"),
        ("cut.safetensors", "damaged"),
        ("none.safetensors", "no adapter"),
    ]:
        with pytest.raises(AdapterError, match=message):
            pxs.load("mini", adapter=tmp_path / name)


def test_stock_diffusers_loads_the_folder(editor, portrait):
    from diffusers import QwenImageEditPlusPipeline

    from pxs.editing.processor import Processor

    folder = BUNDLED["mini"]
    processor = Processor.from_pretrained(folder / "processor")  # the stock one needs torchvision
    stock = QwenImageEditPlusPipeline.from_pretrained(folder, processor=processor, local_files_only=True)
    for part in ("transformer", "vae", "text_encoder"):
        ours, theirs = (getattr(pipe, part).state_dict() for pipe in (editor.pipe, stock))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    stock.set_progress_bar_config(disable=True)
    image = stock(
        image=portrait.source,
        prompt="Edit the person to show a happy expression",
        height=128,
        width=128,
        num_inference_steps=1,
        true_cfg_scale=1.0,
        sigmas=[1.0, 0.5],
    ).images[0]
    assert image.size == (128, 128)
