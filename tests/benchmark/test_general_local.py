"""General editors that run here: the real classes of diffusers at a small size, with random weights."""

import json
from dataclasses import replace

import diffusers
import numpy as np
import pytest
import torch
from diffusers.pipelines.joyimage import image_processor as joyimage
from diffusers.pipelines.longcat_image import pipeline_longcat_image_edit as longcat
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as qwen_edit
from diffusers.pipelines.qwenimage21 import pipeline_qwenimage21 as qwen21
from PIL import Image
from tiny_pipelines import BUILDERS, MINI, build, save
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer

from pxs.benchmark.methods.context import Context, GeneralSettings
from pxs.benchmark.methods.general import inside, restored
from pxs.benchmark.methods.local import EDITORS, Local, find, load, opaque, prepared
from pxs.data.tasks import Task
from pxs.editing.options import LoadOptions
from pxs.editing.processor import Processor
from pxs.errors import ModelError
from pxs.expressions import EXPRESSIONS, Mix

SIDE = 64
TEXT = "Edit the person to show a happy expression"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The pipelines generate at 64 x 64 in place of 1024 x 1024."""
    for module in (longcat, qwen21):
        whole = module.calculate_dimensions
        monkeypatch.setattr(module, "calculate_dimensions", lambda area, ratio, f=whole: f(SIDE * SIDE, ratio))
    monkeypatch.setattr(qwen_edit, "VAE_IMAGE_SIZE", 128 * 128)
    monkeypatch.setitem(joyimage.BUCKETS, 1024, [(SIDE, SIDE), (SIDE, 96), (96, SIDE)])


@pytest.fixture
def source():
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 70, 3), dtype=np.uint8))


def task(source, text=TEXT, **more):
    return Task("t", "human", "happy", text, source, (0, 0, *source.size), **more)


def method(monkeypatch, name, steps=2, seed=42):
    """A method of the table on the small pipeline of its class."""
    monkeypatch.setattr("pxs.benchmark.methods.local.find", lambda model, spec: MINI)
    made = Local(Context(seed=seed, general=GeneralSettings(steps=steps)), name)
    made.context._editors[name] = prepared(build(name))
    return made


def said(pipe, run):
    """What the text encoder reads while `run` runs, as texts."""
    found = []
    words = Qwen2Tokenizer.from_pretrained(MINI / "tokenizer")
    hook = pipe.text_encoder.register_forward_pre_hook(
        lambda module, args, given: found.append(words.decode(given["input_ids"][0])), with_kwargs=True
    )
    run()
    hook.remove()
    return found


@pytest.mark.parametrize("name", BUILDERS)
def test_each_reads_the_tasks_own_prompt_and_one_seed_is_one_picture(name, monkeypatch, source):
    editor = method(monkeypatch, name)
    edits = []
    texts = said(editor.pipe(), lambda: edits.extend(editor.edit(task(source, "Make a dog blue"), [Mix(happy=1)])))
    assert any("Make a dog blue" in text for text in texts)
    torch.manual_seed(7)  # what happens elsewhere has no part in it
    assert editor.edit(task(source, "Make a dog blue"), [Mix(happy=1)])[0].tobytes() == edits[0].tobytes()
    assert edits[0].size == source.size and edits[0].mode == "RGB"
    editor.context.seed = 43
    assert editor.edit(task(source, "Make a dog blue"), [Mix(happy=1)])[0].tobytes() != edits[0].tobytes()


@pytest.mark.parametrize("name", BUILDERS)
def test_each_is_called_as_the_table_says(name, monkeypatch, source):
    editor = method(monkeypatch, name, steps=None)
    given = {}

    class Pipe:
        def __call__(self, **more):
            given.update(more)
            return type("Out", (), {"images": [source]})

    monkeypatch.setattr(editor, "pipe", Pipe)
    editor.picture(source, TEXT)
    expected = {**EDITORS[name].call, "num_inference_steps": EDITORS[name].steps, "image": source, "prompt": TEXT}
    assert {key: value for key, value in given.items() if key != "generator"} == expected
    assert given["generator"].initial_seed() == 42


def test_the_guidance_of_each_is_the_published_one():
    assert EDITORS["qwen_edit"].call == {"true_cfg_scale": 4.0, "negative_prompt": " "}
    steps = {name: spec.steps for name, spec in EDITORS.items()}
    assert steps["qwen_edit"] == steps["longcat_edit"] == 50 and steps["flux2_klein"] == 4
    assert all(hasattr(diffusers, spec.kind) for spec in EDITORS.values())


def stock():
    """The stock pipeline on mini, put together by hand: the loader of its processor needs torchvision."""
    folder = MINI
    encoder = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder / "text_encoder")

    def tell(module, args, given):
        if given.get("pixel_values") is not None:
            given["mm_token_type_ids"] = (given["input_ids"] == module.config.image_token_id).int()
        return args, given

    encoder.register_forward_pre_hook(tell, with_kwargs=True)
    pipe = diffusers.QwenImageEditPlusPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler"),
        vae=diffusers.AutoencoderKLQwenImage.from_pretrained(folder / "vae"),
        text_encoder=encoder,
        tokenizer=Qwen2Tokenizer.from_pretrained(folder / "tokenizer"),
        processor=Processor.from_pretrained(folder / "processor"),
        transformer=diffusers.QwenImageTransformer2DModel.from_pretrained(folder / "transformer"),
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_mini_by_qwen_edit_is_the_stock_pipelines_picture_to_the_bit():
    face = Image.fromarray(np.random.default_rng(1).integers(0, 255, (128, 128, 3), dtype=np.uint8))
    call = {"true_cfg_scale": 4.0, "negative_prompt": " ", "num_inference_steps": 3, "height": 128, "width": 128}
    expected = stock()(image=face, prompt=TEXT, generator=torch.Generator().manual_seed(5), **call).images[0]
    editor = Local(Context(seed=5, general=GeneralSettings(models={"qwen_edit": "mini"}, steps=3)), "qwen_edit")
    editor.spec = replace(editor.spec, call={**editor.spec.call, "height": 128, "width": 128})
    (edit,) = editor.edit(task(face), [Mix(happy=1)])
    assert edit.tobytes() == expected.tobytes()
    assert editor.provenance["model"] == "mini" and json.loads(editor.provenance["call"])["true_cfg_scale"] == 4


def test_there_is_no_intensity_above_0_and_the_source_at_0(monkeypatch, source):
    editor = method(monkeypatch, "joyimage_edit")
    calls = []
    monkeypatch.setattr(editor, "picture", lambda image, text: calls.append(text) or image.transpose(0))
    zero, half, most = editor.edit(task(source), [Mix(), Mix(happy=0.5), Mix(happy=3)])
    assert zero.tobytes() == source.tobytes() != half.tobytes() and half.tobytes() == most.tobytes()
    assert calls == [TEXT]
    assert all(editor.supports(e) for e in EXPRESSIONS) and not editor.supports("bored")
    editor.edit(task(source, ""), [Mix(happy=1)])
    assert calls[-1] == TEXT


@pytest.mark.parametrize("size", [(70, 96), (96, 70), (301, 64), (1500, 1100)])
@pytest.mark.parametrize("name", ["flux2_klein", "joyimage_edit"])
def test_what_a_pipeline_would_cut_off_is_cut_before_and_put_back(name, size, monkeypatch):
    ramp = np.linspace(0, 255, size[0])[None, :, None] * np.ones((size[1], 1, 3))
    source = Image.fromarray(ramp.astype(np.uint8))
    editor = method(monkeypatch, name)
    monkeypatch.setattr(editor, "picture", lambda image, text: image)
    frame = editor.frame(size)
    assert editor.frame(frame) == frame  # the pipeline itself cuts nothing
    (edit,) = editor.edit(task(source), [Mix(happy=1)])
    difference = np.abs(np.asarray(edit, dtype=float) - np.asarray(source, dtype=float))
    assert edit.size == size and difference.max() <= 6  # every pixel is at its place


def test_the_box_of_an_aspect_is_the_largest_in_the_centre(source):
    assert inside((100, 50), (1, 1)) == (25, 0, 75, 50)
    assert inside((100, 50), (4, 2)) == (0, 0, 100, 50)
    edit = restored(Image.new("RGB", (100, 50), "red"), Image.new("RGB", (8, 8), "blue"), (1, 1))
    assert edit.getpixel((24, 0)) == (255, 0, 0) and edit.getpixel((25, 0)) == edit.getpixel((74, 49)) == (0, 0, 255)


def test_a_picture_with_opacity_lies_on_white():
    half = opaque(Image.new("RGBA", (2, 2), (0, 0, 0, 128)))
    assert half.mode == "RGB" and half.getpixel((0, 0)) == (127, 127, 127)


def test_a_pipeline_is_loaded_from_its_folder_and_one_of_another_kind_is_refused(tmp_path, monkeypatch, source):
    build("flux2_klein").save_pretrained(tmp_path)
    editor = Local(Context(general=GeneralSettings(models={"flux2_klein": str(tmp_path)}, steps=1)), "flux2_klein")
    (loaded,) = editor.edit(task(source), [Mix(happy=1)])
    assert (
        loaded.tobytes() == method(monkeypatch, "flux2_klein", steps=1).edit(task(source), [Mix(happy=1)])[0].tobytes()
    )
    assert editor.pipe() is editor.pipe()
    monkeypatch.undo()
    with pytest.raises(ModelError, match="has is_distilled True, not False: give a model of FLUX.2 Klein, base"):
        find(str(tmp_path), EDITORS["flux2_klein_base"])
    with pytest.raises(ModelError, match="has _class_name 'Flux2KleinPipeline', not 'LongCatImageEditPipeline'"):
        find(str(tmp_path), EDITORS["longcat_edit"])
    with pytest.raises(ModelError, match="no memory mode 'nf4': choose from auto, full, offload"):
        load(EDITORS["flux2_klein"], tmp_path, LoadOptions(memory="nf4"))
    (tmp_path / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"cut")
    with pytest.raises(ModelError, match="cannot be loaded .*: install what is missing, or download the model again"):
        load(EDITORS["flux2_klein"], tmp_path, LoadOptions())


def test_longcat_is_loaded_without_torchvision(tmp_path, monkeypatch, source):
    save(build("longcat_edit"), tmp_path)
    editor = Local(Context(general=GeneralSettings(models={"longcat_edit": str(tmp_path)}, steps=1)), "longcat_edit")
    (loaded,) = editor.edit(task(source), [Mix(happy=1)])
    (built,) = method(monkeypatch, "longcat_edit", steps=1).edit(task(source), [Mix(happy=1)])
    assert editor.lacks == "" and loaded.tobytes() == built.tobytes()


def test_a_package_that_is_missing_is_told(monkeypatch):
    monkeypatch.setattr("pxs.benchmark.methods.local.find", lambda model, spec: MINI)
    monkeypatch.setattr("pxs.benchmark.methods.local.find_spec", lambda name: None)
    assert Local(Context(), "joyimage_edit").lacks == "not installed: pip install torchvision"
    assert Local(Context(), "flux2_klein").lacks == ""


def test_a_class_that_diffusers_lacks_and_a_model_that_is_not_there_are_told(monkeypatch):
    with pytest.raises(ModelError, match="run 'pxs download --model Qwen/Qwen-Image-2.1' first"):
        Local(Context(), "qwen_image_21")
    with pytest.raises(ModelError, match="no model 'nowhere': give a folder"):
        Local(Context(general=GeneralSettings(models={"longcat_edit": "nowhere"})), "longcat_edit")
    monkeypatch.setitem(EDITORS, "qwen_image_21", replace(EDITORS["qwen_image_21"], kind="LaterPipeline"))
    assert Local(Context(), "qwen_image_21").lacks.endswith("has no LaterPipeline: install a newer one")
