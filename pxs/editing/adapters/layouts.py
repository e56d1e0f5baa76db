"""What the keys of an adapter mean. A key is PREFIX LAYER ENDING; two tables name the prefixes and the endings.

    transformer.transformer_blocks.0.attn.to_q.lora_A.weight           diffusers
    transformer.transformer_blocks.0.attn.to_q.lora.down.weight        diffusers, attention processor
    base_model.model.transformer_blocks.0.attn.to_q.lora_A.weight      peft
    lora_unet_transformer_blocks_0_attn_to_q.lora_down.weight          kohya, musubi-tuner: dots written as underscores
    diffusion_model.transformer_blocks.0.attn.to_q.lora_A.weight       ai-toolkit, ComfyUI
    transformer_blocks.0.attn.to_q.lora_down.weight                    Lightning, LightX2V

The trainer of PixelSmile passes peft's state through diffusers' convert_state_dict_to_diffusers, which renames four
layers of twelve to the attention processor's layout: such files hold the first two forms side by side.
A is the matrix (rank, in), also called down; B is the matrix (out, rank), also called up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

PREFIXES = {
    "transformer.": "diffusers",
    "base_model.model.": "peft",
    "lora_unet_": "kohya / musubi-tuner",
    "lora_transformer_": "kohya",
    "lycoris_": "LyCORIS",
    "model.diffusion_model.": "ComfyUI",
    "diffusion_model.": "ai-toolkit / ComfyUI",
    "pipe.dit.": "DiffSynth",
    "unet.": "diffusers (unet)",
    "module.": "",  # added by data-parallel training
    "_orig_mod.": "",  # added by torch.compile
}
"""Prefix of a key -> the tool that writes it. A key may have several, one after the other."""

NO_PREFIX = "no prefix, as in Lightning / LightX2V"

ENDINGS = {
    ".lora_A": ("A", "lora_A/lora_B"),
    ".lora_B": ("B", "lora_A/lora_B"),
    ".lora_down": ("A", "lora_down/lora_up"),
    ".lora_up": ("B", "lora_down/lora_up"),
    ".lora.down": ("A", "lora.down/lora.up, attention processor"),
    ".lora.up": ("B", "lora.down/lora.up, attention processor"),
    "_lora.down": ("A", "_lora.down/_lora.up, old attention processor"),
    "_lora.up": ("B", "_lora.down/_lora.up, old attention processor"),
    ".lora_linear_layer.down": ("A", "lora_linear_layer"),
    ".lora_linear_layer.up": ("B", "lora_linear_layer"),
}
"""What follows the layer -> side and form. After it may come the name of the adapter, and .weight."""

ALPHAS = (".alpha", ".lora_alpha")

TEXT_ENCODER = (
    "text_encoder.",
    "text_encoder_2.",
    "text_encoders.",
    "text_model.",
    "lora_te_",
    "lora_te1_",
    "lora_te2_",
    "te1.",
    "te.",
)

OTHER_METHODS = {
    "dora_scale": "DoRA",
    "lora_magnitude_vector": "DoRA",
    "lokr_": "LoKr",
    "hada_": "LoHa",
    "ia3_": "(IA)3",
    "on_input": "(IA)3",
    "oft_": "OFT",
    "boft_": "BOFT",
    "vera_": "VeRA",
    "lora_E": "AdaLoRA",
    "lora_mid": "LoCon with a Tucker core",
    "lora_embedding_": "LoRA of an embedding",
    "diff": "full difference of the weights",
    "diff_b": "difference of the biases",
    "diff_m": "difference of the modulation",
    "weight_scale": "LoRA in fp8 with scales",
    "weight_scale_inv": "LoRA in fp8 with scales",
    "scale_weight": "LoRA in fp8 with scales",
    "scaled_fp8": "LoRA in fp8 with scales",
}
"""Part of a key between dots, or its beginning if it ends in an underscore -> the method, which is refused."""


@dataclass(frozen=True)
class Key:
    """A key taken apart. side: "A", "B" or "alpha"; layout: the tool and the form, for people to read."""

    layer: str
    side: str
    layout: str


class Layers:
    """The linear layers of a model by name, and how to find one from the name that a tool gave it."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._flat: Mapping[str, str] = {name.replace(".", "_"): name for name in names}

    def find(self, name: str) -> str | None:
        """The layer of this name; dots may be written as underscores. None if the model has no such layer."""
        return name if name in self._names else self._flat.get(name.replace(".", "_"))


def parse_key(key: str, layers: Layers) -> Key | None:
    """Take a key apart: None if its form is not known, or if the model has no such layer."""
    tools, rest = _without_prefixes(key)
    split = _split_ending(rest)
    if split is None:
        return None
    name, side, form = split
    layer = layers.find(name)
    tool = " ".join(tools) or NO_PREFIX
    return Key(layer, side, f"{tool} ({form})" if form else tool) if layer else None


def of_text_encoder(key: str) -> bool:
    """Whether a key belongs to the text encoder, which an adapter here leaves as it is."""
    return _without_prefixes(key)[1].startswith(TEXT_ENCODER) or key.startswith(TEXT_ENCODER)


def other_method(key: str) -> str | None:
    """The name of the method, if a key is not of a plain LoRA: DoRA, LoKr, ...; None for a LoRA."""
    *_, before, last = ["", *key.split(".")]
    if last == "bias" and before.startswith(("lora", "up", "down")):
        return "LoRA with biases"
    parts = key.split(".")[-3:]
    for mark, method in OTHER_METHODS.items():
        if any(part.startswith(mark) if mark.endswith("_") else part == mark for part in parts):
            return method
    return None


def _without_prefixes(key: str) -> tuple[list[str], str]:
    """The tools that the prefixes of a key name, and the rest of the key."""
    tools: list[str] = []
    while prefix := next((p for p in PREFIXES if key.startswith(p)), None):
        key = key.removeprefix(prefix)
        if PREFIXES[prefix] and PREFIXES[prefix] not in tools:
            tools.append(PREFIXES[prefix])
    return tools, key


def _split_ending(rest: str) -> tuple[str, str, str] | None:
    """LAYER ENDING as (layer, side, form); None if the ending is not known."""
    for ending in ALPHAS:
        if rest.endswith(ending):
            return rest.removesuffix(ending), "alpha", ""
    for ending, (side, form) in ENDINGS.items():
        name, found, tail = rest.rpartition(ending)
        if found and (not tail or tail.startswith(".") and tail.endswith(".weight")):
            return _layer_name(name, ending), side, form
    return None


def _layer_name(name: str, ending: str) -> str:
    """The layer of an attention processor: processor.to_q is to_q, and to_out is the list to_out.0."""
    name = name.replace(".processor.", ".")
    return f"{name}.0" if ending.startswith("_lora") and name.endswith(".to_out") else name
