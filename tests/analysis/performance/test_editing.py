"""The speed benchmark: both sides make the same edits, the order of runs, the results file. No test checks a time."""

import json

import diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus as stock
import numpy as np
import pytest
import torch

from analysis.performance import editing, random_model
from analysis.performance.memory import CpuMemory
from analysis.performance.public import Public
from pxs.editing.checkpoints import Checkpoint
from pxs.editing.editor import Editor
from pxs.expressions import Mix, sweep

STEPS = 2

importing_inductor = pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")

TINY = {
    "transformer": {
        "num_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2, "joint_attention_dim": 32,
        "axes_dims_rope": (4, 6, 6),
    },
    "vae": {"base_dim": 8, "num_res_blocks": 1},
    "text": {
        "vocab_size": 1024, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]},
    },
    "vision": {
        "depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32,
        "fullatt_block_indexes": [1],
    },
}  # fmt: skip


@pytest.fixture
def public(editor):
    return Public(editor.pipe, editing._face(128))


def test_both_sides_make_the_same_edits(editor, public):
    mixes = [Mix(), Mix(happy=0.5), Mix(fear=1.5)]
    ours = editor.open(public.image).edit(mixes, steps=STEPS)
    for a, b in zip(ours, public.edits(mixes, STEPS), strict=True):
        assert np.abs(np.asarray(a, int) - np.asarray(b, int)).max() <= 1
    assert stock.VAE_IMAGE_SIZE == 1024 * 1024


def test_the_public_algorithm_encodes_twice_for_each_intensity(public, monkeypatch):
    prompts = []
    monkeypatch.setattr(public.pipe, "_get_qwen_prompt_embeds", watched(public.pipe._get_qwen_prompt_embeds, prompts))
    public.edits(sweep("happy", (0, 1)), STEPS)
    assert len(prompts) == 4
    public.open()
    assert len(prompts) == 4 + 13


def watched(function, seen):
    """The function; the arguments of every call are appended to `seen`."""

    def call(*args, **kwargs):
        seen.append(args)
        return function(*args, **kwargs)

    return call


def test_the_order_is_ours_public_public_ours_after_a_warm_up():
    done = []
    case = editing.Case("x", lambda steps: done.append(("ours", steps)), lambda steps: done.append(("public", steps)))
    result = editing.measure(case, 7, "cpu")
    assert done == [("ours", 2), ("public", 2), ("ours", 7), ("public", 7), ("public", 7), ("ours", 7)]
    assert result.ours_s > 0 and result.ratio == pytest.approx(result.public_s / result.ours_s)


@importing_inductor
def test_the_cases_cover_every_saving_and_every_task():
    names = [case.name for case in editing.mini_cases("cpu")]
    assert names[:5] == ["load", "open 128", "slider 128", "sweep 128", "gallery 128"]
    for switch in ("prefix", "modulation", "contiguous", "last_block", "vae2d"):
        assert f"sweep 128 without {switch}" in names
    assert {"sweep 128 compiled", "sweep 128 bfloat16", "sweep 128 bfloat16 compiled"} < set(names)
    assert len(names) == len(set(names))


@importing_inductor
def test_the_command_writes_what_it_prints(tmp_path, capsys):
    words = ["load", "slider", "without last_block"]
    assert editing.main(["--steps", "2", "--only", *words, "--out", str(tmp_path / "new")]) == 0
    written = json.loads((tmp_path / "new" / "results.json").read_text())
    assert written.keys() == {"device", "cases"} and "CPU" in written["device"] or "GPU" in written["device"]
    assert list(written["cases"]) == ["load", "slider 128", "sweep 128 without last_block"]
    for figures in written["cases"].values():
        assert list(figures) == ["ours_s", "public_s", "ratio", "peak_gb"]
        assert all(figure > 0 for figure in figures.values())
    printed = capsys.readouterr().out
    assert all(f"| {name} |" in printed for name in written["cases"]) and str(tmp_path / "new") in printed


@pytest.mark.parametrize(("arguments", "message"), [(["--size", "full"], "needs a GPU"), (["--steps", "1"], "steps 1")])
def test_wrong_arguments_are_refused_in_one_line(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert editing.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_random_weights_of_any_shape_make_edits():
    pipe = random_model.random_pipeline("cpu", **TINY)
    assert {p.dtype for p in pipe.transformer.parameters()} == {torch.bfloat16}
    editor = Editor(Checkpoint(pipe, "random", "", 64))
    portrait = editor.open(editing._face(64))
    assert len(portrait.embeddings["happy"]) > 196  # 14 x 14 tokens of the image, as the full model takes them
    assert portrait.edit([Mix(happy=1)], steps=STEPS)[0].size == (64, 64)
    assert torch.get_default_dtype() == torch.float32


def test_the_shapes_of_the_true_size_are_those_of_the_published_model():
    with torch.device("meta"):
        transformer = random_model.QwenImageTransformer2DModel(zero_cond_t=True)
        encoder = random_model.Qwen2_5_VLForConditionalGeneration(
            random_model.Qwen2_5_VLConfig(
                text_config=dict(random_model.FULL_TEXT), vision_config=dict(random_model.FULL_VISION)
            )
        )
    assert sum(p.numel() for p in transformer.parameters()) / 1e9 == pytest.approx(20.43, abs=0.01)
    assert sum(p.numel() for p in encoder.parameters()) / 1e9 == pytest.approx(8.29, abs=0.01)


def test_memory_is_the_peak_since_the_object_was_created():
    held = torch.ones(60_000_000)
    memory = CpuMemory()
    del held
    before = memory.peak()
    extra = torch.ones(100_000_000)
    memory.wait()
    assert memory.peak() - before > 100_000_000 and extra[0] == 1
