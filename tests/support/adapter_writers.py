"""LoRA files of a small random model, written as public tools write them, and peft's own merged weights.

Nothing of pxs takes part. Tools that cannot be installed here (kohya, musubi-tuner, ai-toolkit, Lightning, LightX2V,
DiffSynth) rename the same tensors, which is written out below.
"""

import copy

import torch
from diffusers import QwenImageEditPlusPipeline, QwenImageTransformer2DModel
from diffusers.training_utils import _collate_lora_metadata
from diffusers.utils import convert_state_dict_to_diffusers, convert_state_dict_to_kohya
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

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
