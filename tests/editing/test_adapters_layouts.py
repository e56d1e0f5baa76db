"""Adapters as public tools write them: every layer is applied, with the effect of peft's own merged weights.

The files come from the save functions of diffusers and peft where these exist. Tools that cannot be installed here
(kohya, musubi-tuner, ai-toolkit, Lightning, LightX2V, DiffSynth) only rename the same tensors, which is written out
below. The reference is peft's `merge`; nothing of pxs takes part in it.
"""

import copy
import json
import warnings

import pytest
import torch
from diffusers import QwenImageEditPlusPipeline, QwenImageTransformer2DModel
from diffusers.training_utils import _collate_lora_metadata
from diffusers.utils import convert_state_dict_to_diffusers, convert_state_dict_to_kohya
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from pxs.editing.adapters import find_adapter, load_adapters, read_adapter
from pxs.editing.adapters.stock import stock_load, stock_report
from pxs.editing.checkpoints import BUNDLED

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
TEXT = ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
MLP = ("img_mlp.net.0.proj", "img_mlp.net.2", "txt_mlp.net.0.proj", "txt_mlp.net.2")
RANK, ALPHA = 4, 8.0
SETTINGS = {"r": RANK, "lora_alpha": ALPHA, "target_modules": [*ATTENTION, *TEXT, *MLP]}
PREFIX = "transformer_blocks."


def base():
    """The random model of two blocks, 24 layers of attention and MLP."""
    torch.manual_seed(0)
    shape = {"num_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2, "joint_attention_dim": 24}
    return QwenImageTransformer2DModel(in_channels=16, out_channels=4, axes_dims_rope=(4, 6, 6), **shape)


def trained(**changes):
    """The same with a LoRA whose B is not zero. Values are few bits long, so that fp8 holds them exactly."""
    model = base().requires_grad_(False)
    model.add_adapter(LoraConfig(**{**SETTINGS, **changes}))
    draw = torch.Generator().manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_" in name:
            weight.data = torch.randint(-7, 8, weight.shape, generator=draw) / 64
    return model


def merged(model, scaling=None):
    """The weights that peft makes of it, by layer; scaling: other than the one it was trained with."""
    model = copy.deepcopy(model)
    found = {}
    for name, layer in model.named_modules():
        if isinstance(layer, LoraLayer):
            if scaling is not None:
                layer.scaling["default"] = scaling
            layer.merge()
            found[name] = layer.get_base_layer().weight
    return found


def save(folder, tensors, metadata=None):
    file = folder / "adapter.safetensors"
    save_file({k: v.contiguous() for k, v in tensors.items()}, file, metadata)
    return file


def state(model, ending_a="lora_A.weight", ending_b="lora_B.weight", prefix="", flat=False, alpha=None):
    """peft's state dict with other names, as the tools that are not installed write it."""
    found = {}
    for key, tensor in get_peft_model_state_dict(model).items():
        layer, _, side = key.removesuffix(".weight").rpartition(".")
        layer = prefix + (layer.replace(".", "_") if flat else layer)
        found[f"{layer}.{ending_a if side == 'lora_A' else ending_b}"] = tensor
        if alpha is not None:
            found[f"{layer}.alpha"] = torch.tensor(alpha)
    return found


# By diffusers


def by_diffusers(model, folder):
    QwenImageEditPlusPipeline.save_lora_weights(folder, transformer_lora_layers=get_peft_model_state_dict(model))
    return folder / "pytorch_lora_weights.safetensors"


def by_diffusers_with_metadata(model, folder):
    states = get_peft_model_state_dict(model)
    said = _collate_lora_metadata({"transformer": model})
    QwenImageEditPlusPipeline.save_lora_weights(folder, transformer_lora_layers=states, **said)
    return folder / "pytorch_lora_weights.safetensors"


def by_save_lora_adapter(model, folder):
    model.save_lora_adapter(folder)
    return folder / "pytorch_lora_weights.safetensors"


def by_the_public_trainer(model, folder):
    states = convert_state_dict_to_diffusers(get_peft_model_state_dict(model))
    QwenImageEditPlusPipeline.save_lora_weights(folder, states, safe_serialization=True)
    return folder / "pytorch_lora_weights.safetensors"


def by_old_processors(model, folder):
    """The names that diffusers' UNET_TO_DIFFUSERS still reads: processor.to_q_lora.down, and to_out for to_out.0."""
    renamed = {}
    for key, tensor in convert_state_dict_to_diffusers(get_peft_model_state_dict(model)).items():
        for layer in ATTENTION:
            old = f".processor.{layer.removesuffix('.0')}_lora."
            key = key.replace(f".{layer}.lora.", old)
        renamed[f"transformer.{key}"] = tensor
    return save(folder, renamed)


def by_kohya(model, folder):
    states = {f"unet.{k}": v for k, v in get_peft_model_state_dict(model).items()}
    return save(folder, convert_state_dict_to_kohya(states))


# By peft


def by_peft(model, folder):
    config = model.peft_config["default"]
    wrapped = get_peft_model(base(), config)
    with torch.no_grad():
        wrapped.base_model.model.load_state_dict(model.state_dict())
    wrapped.save_pretrained(folder)
    return folder


def by_state_dict(model, folder):
    """A training loop that saves model.state_dict(), with peft's name of the adapter in each key."""
    return save(folder, {k: v for k, v in model.state_dict().items() if "lora_" in k})


# By tools that are not installed here: names as in their public code

DOWN_UP = ("lora_down.weight", "lora_up.weight")


def by_musubi(model, folder):
    said = {"ss_network_dim": str(RANK), "ss_network_alpha": str(ALPHA)}
    return save(folder, state(model, *DOWN_UP, prefix="lora_unet_", flat=True, alpha=ALPHA), said)


def by_ai_toolkit(model, folder):
    return save(folder, state(model, prefix="diffusion_model."), {"format": "pt", "software": '{"name": "ai-toolkit"}'})


def for_comfyui(model, folder):
    return save(folder, state(model, *DOWN_UP, prefix="diffusion_model.", alpha=ALPHA))


def by_lightning(model, folder):
    return save(folder, state(model, *DOWN_UP, alpha=ALPHA))


def by_lightx2v(model, folder):
    return save(folder, state(model, "lora_A.default.weight", "lora_B.default.weight"))


def by_diffsynth(model, folder):
    return save(folder, state(model, "lora_A.default.weight", "lora_B.default.weight", prefix="pipe.dit."))


def with_alpha_in_the_header(model, folder):
    return save(folder, state(model, prefix="transformer."), {"lora_alpha": str(ALPHA), "r": str(RANK)})


def with_kohya_alpha_in_the_header(model, folder):
    return save(folder, state(model, prefix="transformer."), {"ss_network_alpha": str(ALPHA)})


def with_network_alpha_in_the_header(model, folder):
    return save(folder, state(model, prefix="diffusion_model."), {"network_alpha": str(ALPHA)})


# writer: (the scaling that its file states, layers of 24 that stock diffusers changes)
WRITERS = {
    by_diffusers: (1, 24),
    by_diffusers_with_metadata: (2, 24),
    by_save_lora_adapter: (2, 0),
    by_the_public_trainer: (1, 16),
    by_old_processors: (1, 16),
    by_kohya: (1, 24),
    by_peft: (2, 0),
    by_state_dict: (1, 24),
    by_musubi: (2, 24),
    by_ai_toolkit: (1, 24),
    for_comfyui: (2, 24),
    by_lightning: (2, 24),
    by_lightx2v: (1, 24),
    by_diffsynth: (1, 0),
    with_alpha_in_the_header: (2, 24),
    with_kohya_alpha_in_the_header: (2, 24),
    with_network_alpha_in_the_header: (2, 24),
}


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float8_e4m3fn])
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


def stock_changes(file):
    """The layers that a whole stock pipeline changes with a file, and their weights afterwards; None if it refuses."""
    model, plain = base(), base().state_dict()
    pipe = QwenImageEditPlusPipeline(*[None] * 5, model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe.load_lora_weights(str(file.parent), weight_name=file.name, local_files_only=True)
        pipe.fuse_lora(components=["transformer"])
        pipe.unload_lora_weights()
    return {n.removesuffix(".weight"): w for n, w in model.state_dict().items() if not torch.equal(w, plain[n])}


@pytest.mark.parametrize("writer", WRITERS)
def test_what_stock_diffusers_would_load_is_what_it_does_load(writer, tmp_path):
    file = find_adapter(writer(trained(), tmp_path))
    try:
        changed = stock_changes(file)
    except Exception:  # by_save_lora_adapter: the metadata has no entry with its prefix
        changed = {}
    reading = read_adapter(file, base())
    found = stock_load(file, reading, base().config)
    assert found.scalings.keys() == changed.keys()
    assert len(changed) == WRITERS[writer][1]
    plain = base().state_dict()
    for layer, scaling in found.scalings.items():
        f = reading.layers[layer]
        expected = plain[f"{layer}.weight"] + scaling * f.b @ f.a
        torch.testing.assert_close(changed[layer], expected, atol=1e-4, rtol=0)


def test_what_stock_diffusers_drops_is_named(tmp_path):
    config = base().config
    says = stock_report(by_the_public_trainer(trained(), tmp_path), config)
    assert says == ("16 of 24 layers, 8 dropped without an error (attn.to_k, attn.to_out.0, attn.to_q, attn.to_v)")
    assert stock_report(with_alpha_in_the_header(trained(), tmp_path), config) == "24 of 24 layers, scaled by 1"
    assert stock_report(by_musubi(trained(), tmp_path), config) == "24 of 24 layers"


@pytest.mark.parametrize(
    "entry",
    [
        {"alpha_pattern": {".*.to_q": 4}},
        {"target_modules": "((a*)*)*to_q"},
        {"exclude_modules": "((a*)*)*!"},
        {"layers_pattern": ["((a*)*)*!"]},
        {"megatron_config": {"a": 1}, "megatron_core": "antigravity"},
    ],
)
def test_stock_diffusers_is_not_given_notes_that_it_would_run(entry, tmp_path):
    said = {f"transformer.{k}": v for k, v in ({"lora_alpha": 8} | entry).items()}
    tensors = state(trained(), prefix="transformer.")
    file = save(tmp_path, tensors, {"lora_adapter_metadata": json.dumps(said)})
    assert stock_report(file, base().config).startswith("0 of 24 layers (not tried: its notes hold expressions")


def test_the_public_trainers_file_for_mini_is_read_whole(editor, tmp_path):
    tensors = load_file(BUNDLED["mini"] / "adapter.safetensors")
    states = convert_state_dict_to_diffusers({k.removeprefix("transformer."): v for k, v in tensors.items()})
    QwenImageEditPlusPipeline.save_lora_weights(tmp_path, states)
    reading = read_adapter(find_adapter(tmp_path), editor.pipe.transformer)
    assert len(reading.layers) == reading.of == 72
    report = stock_report(find_adapter(tmp_path), editor.pipe.transformer.config)
    assert report.startswith("48 of 72 layers, 24 dropped without an error")
