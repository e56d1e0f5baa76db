"""Adapters as public tools write them: every layer is applied, with the effect of peft's own merged weights.

The files come from the save functions of diffusers and peft where these exist. Tools that cannot be installed here
(kohya, musubi-tuner, ai-toolkit, Lightning, LightX2V, DiffSynth) only rename the same tensors, which is written out
below. The reference is peft's `merge`; nothing of pxs takes part in it.
"""

import warnings

import pytest
import torch
from adapter_writers import (
    ATTENTION,
    MLP,
    WRITERS,
    base,
    by_diffusers,
    by_diffusers_with_metadata,
    by_kohya,
    by_musubi,
    by_peft,
    by_the_public_trainer,
    merged,
    save,
    trained,
)
from safetensors.torch import load_file

from pxs.editing.adapters import find_adapter, load_adapters
from pxs.editing.adapters.stock import stock_report


def equal(model, reference):
    """Assert that these layers are those of the reference, and all others of the model as they were."""
    plain = base().state_dict()
    for name, weight in model.state_dict().items():
        layer = name.removesuffix(".weight")
        expected = reference[layer] if layer in reference else plain[name]
        torch.testing.assert_close(weight, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("writer", WRITERS)
def test_every_layer_of_every_layout_is_that_of_pefts_merged_weights(writer, tmp_path):
    scaling, _ = WRITERS[writer]
    lora, model = trained(), base()
    (adapter,) = load_adapters(model, {find_adapter(writer(lora, tmp_path)): 1.0})
    reference = merged(lora, scaling)
    assert len(reference) == 24
    equal(model, reference)
    assert adapter.facts == f"rank 4, alpha {4 * scaling}, scaling {scaling}, 24 of 24 layers"
    assert any("alpha is not stated" in remark for remark in adapter.remarks) == (
        scaling == 1 and writer is not by_kohya
    )


FP8 = (torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, *FP8])
@pytest.mark.parametrize("writer", [by_diffusers, by_the_public_trainer, by_musubi])
def test_every_dtype(writer, dtype, tmp_path):
    lora, model, file = trained(), base(), writer(trained(), tmp_path)
    tensors = {k: v if k.endswith(".alpha") else v.to(dtype) for k, v in load_file(file).items()}
    load_adapters(model, {save(tmp_path, tensors): 1.0})
    equal(model, merged(lora, WRITERS[writer][0]))


@pytest.mark.parametrize("writer", [by_peft, by_diffusers_with_metadata])
@pytest.mark.parametrize(
    "changes",
    [
        {"alpha_pattern": {"to_q": 2, "1.img_mlp.net.2": 20}},
        {"rank_pattern": {"to_k": 2, "^transformer_blocks.0.attn.to_v": 8}, "alpha_pattern": {".*.net.2": 1}},
        {"use_rslora": True},
        {"use_rslora": True, "rank_pattern": {"add_q_proj": 3}},
    ],
)
def test_own_alphas_and_ranks_of_layers_have_pefts_effect(writer, changes, tmp_path):
    lora, model = trained(**changes), base()
    load_adapters(model, {find_adapter(writer(lora, tmp_path)): 1.0})
    equal(model, merged(lora))


def test_ranks_that_differ_without_notes_are_read(tmp_path):
    lora, model = trained(rank_pattern={"to_k": 2}), base()
    (adapter,) = load_adapters(model, {by_diffusers(lora, tmp_path): 1.0})
    equal(model, merged(lora, 1))
    assert adapter.facts.startswith("rank 2/4, alpha 2/4, scaling 1, 24 of 24")


@pytest.mark.parametrize(("targets", "count"), [(ATTENTION, 8), (MLP, 8), (("to_q",), 2)])
def test_a_part_of_the_layers_is_an_adapter_too_and_says_how_many(targets, count, tmp_path):
    lora, model = trained(target_modules=list(targets)), base()
    (adapter,) = load_adapters(model, {by_the_public_trainer(lora, tmp_path): 1.0})
    equal(model, merged(lora, 1))
    assert adapter.facts.endswith(f", {count} of 24 layers")


def test_layers_outside_attention_and_mlp_are_counted_apart(tmp_path):
    lora, model = trained(target_modules=["to_q", "img_mod.1", "proj_out"]), base()
    (adapter,) = load_adapters(model, {by_musubi(lora, tmp_path): 1.0})
    equal(model, merged(lora))
    assert adapter.facts.endswith("2 of 24 layers and 3 outside attention and MLP")


TEXT_KEYS = (
    "text_encoder.model.layers.0.self_attn.q_proj.lora_A.weight",
    "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
    "lora_te_x.alpha",
    "base_model.model.text_encoder.a.lora_B.weight",
)


def test_keys_of_the_text_encoder_are_told_and_left_out(tmp_path):
    lora, model = trained(), base()
    tensors = load_file(by_diffusers(lora, tmp_path)) | {key: torch.ones(2, 2) for key in TEXT_KEYS}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (adapter,) = load_adapters(model, {save(tmp_path, tensors): 1.0})
    equal(model, merged(lora, 1))
    assert adapter.remarks[0] == "4 keys of the text encoder are left out: only the transformer is changed"


def test_the_suffix_may_be_in_capitals(tmp_path):
    file = by_diffusers(trained(), tmp_path).rename(tmp_path / "A.SAFETENSORS")
    model = base()
    load_adapters(model, {find_adapter(tmp_path): 1.0})
    equal(model, merged(trained(), 1))
    assert "0 of 24 layers (its name does not end in .safetensors)" in stock_report(file, model.config)
