"""Adapters: they have the effect that stock diffusers gives them, several add up, and a choice finds the files."""

import json
import math
import warnings

import pytest
import torch
from diffusers import QwenImageEditPlusPipeline
from safetensors.torch import save_file

import pxs
from pxs.commands.arguments import adapter_of
from pxs.editing.adapters import find_adapter, find_adapters, load_adapters, read_factors
from pxs.editing.adapters.notes import Notes
from pxs.editing.adapters.reading import interpret
from pxs.errors import AdapterError, ScaleError

LAYERS = ("transformer_blocks.0.attn.to_q", "transformer_blocks.1.attn.to_out.0", "transformer_blocks.2.img_mlp.net.2")
RANK = 4


def factors(transformer, seed=0):
    """A and B of some layers, random."""
    draw = torch.Generator().manual_seed(seed)
    found = {}
    for layer in LAYERS:
        out, into = transformer.get_submodule(layer).weight.shape
        found[layer] = (torch.randn(RANK, into, generator=draw), torch.randn(out, RANK, generator=draw))
    return found


def diffusers_layout(parts, names=("lora_A.weight", "lora_B.weight"), prefix="transformer."):
    return {f"{prefix}{layer}.{n}": t for layer, pair in parts.items() for n, t in zip(names, pair, strict=True)}


def kohya(parts):
    """lora_unet_ and underscores, with an alpha a layer."""
    names = {layer: "lora_unet_" + layer.replace(".", "_") for layer in parts}
    tensors = {f"{names[n]}.lora_down.weight": a for n, (a, _) in parts.items()}
    tensors |= {f"{names[n]}.lora_up.weight": b for n, (_, b) in parts.items()}
    return tensors | {f"{names[n]}.alpha": torch.tensor(6.0) for n in parts}


def said(**notes):
    """The metadata entry that diffusers writes."""
    own = {"transformer.r": RANK, "transformer.target_modules": list(LAYERS)}
    notes = {f"transformer.{key}": value for key, value in notes.items()}
    return {"lora_adapter_metadata": json.dumps(own | notes)}


FILES = {
    "diffusers": (diffusers_layout, None),
    "with alpha": (diffusers_layout, said(lora_alpha=10)),
    "alpha pattern": (diffusers_layout, said(lora_alpha=10, alpha_pattern={"to_q": 2})),
    "rank stabilised": (diffusers_layout, said(lora_alpha=10, use_rslora=True)),
    "default": (lambda p: diffusers_layout(p, ("lora_A.default.weight", "lora_B.default.weight"), ""), None),
    "diffusion_model": (lambda p: diffusers_layout(p, prefix="diffusion_model."), None),
    "kohya": (kohya, None),
}


def stock(transformer, files):
    """What diffusers makes of the same files: a copy of the model with {file: weight} fused."""
    pipe = QwenImageEditPlusPipeline(*[None] * 5, transformer)
    for i, file in enumerate(files):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # of the second
            pipe.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=f"a{i}", local_files_only=True)
    pipe.set_adapters([f"a{i}" for i in range(len(files))], list(files.values()))
    pipe.fuse_lora(components=["transformer"])
    pipe.unload_lora_weights()
    return transformer


def added(transformer, files):
    load_adapters(transformer, files)
    return transformer


@pytest.fixture
def write(tmp_path, transformer):
    """A function that writes an adapter in a layout of FILES."""

    def written(kind, seed=0):
        layout, metadata = FILES[kind]
        file = tmp_path / f"{kind.replace(' ', '_')}_{seed}.safetensors"
        save_file(layout(factors(transformer, seed)), file, metadata)
        return file

    return written


@pytest.mark.parametrize("kind", FILES)
def test_every_layout_has_the_effect_that_diffusers_gives_it(write, transformers, kind):
    files = {write(kind): 1.0}
    ours, theirs = added(transformers(), files), stock(transformers(), files)
    plain = transformers()
    for name, weight in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], weight)
    for layer in LAYERS:
        assert not torch.allclose(ours.get_submodule(layer).weight, plain.get_submodule(layer).weight)


def test_several_add_up_by_their_weights_as_in_diffusers(write, transformers):
    files = {write("with alpha"): 0.7, write("diffusers", seed=1): -0.4}
    ours, theirs = added(transformers(), files), stock(transformers(), files)
    for layer in LAYERS:
        torch.testing.assert_close(ours.get_submodule(layer).weight, theirs.get_submodule(layer).weight)


def test_bfloat16_weights_are_rounded_once(write, transformers):
    files = {write("diffusers"): 0.01, write("diffusers", seed=1): 0.01}
    ours = added(transformers().to(torch.bfloat16), files)
    exact = added(transformers().to(torch.bfloat16).float(), files)
    for layer in LAYERS:
        assert torch.equal(ours.get_submodule(layer).weight, exact.get_submodule(layer).weight.bfloat16())


def test_peft_says_its_alpha_in_a_file_beside(transformers, tmp_path):
    parts = factors(transformers())
    file = tmp_path / "adapter_model.safetensors"
    save_file(diffusers_layout(parts, prefix="base_model.model."), file)
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": RANK, "lora_alpha": 8, "use_dora": False}))
    ours, plain = added(transformers(), {find_adapter(tmp_path): 1.0}), transformers()
    for layer, (a, b) in parts.items():
        expected = plain.get_submodule(layer).weight + 8 / RANK * b @ a
        torch.testing.assert_close(ours.get_submodule(layer).weight, expected)


def test_an_adapter_tells_its_rank_alpha_and_scaling(write, transformer):
    (adapter,) = load_adapters(transformer, {write("alpha pattern"): 0.5})
    assert adapter.facts == "rank 4, alpha 2/10, scaling 0.5/2.5, 3 of 36 layers"
    assert str(adapter) == "alpha_pattern_0.safetensors=0.5"
    stabilised = read_factors(write("rank stabilised"), transformer)
    assert {f.scaling for f in stabilised.values()} == {10 / math.sqrt(RANK)}


def test_the_published_layout_fits_the_full_model():
    from accelerate import init_empty_weights
    from diffusers import QwenImageTransformer2DModel

    from pxs.training.settings import TARGETS

    with init_empty_weights():
        full = QwenImageTransformer2DModel(num_layers=60, zero_cond_t=True)
    names = [
        n for n, m in full.named_modules() if isinstance(m, torch.nn.Linear) and n.startswith("transformer_blocks")
    ]
    layers = [n for n in names if any(n.endswith(f".{target}") for target in TARGETS)]
    tensors = {}
    for layer in layers:
        out, into = full.get_submodule(layer).weight.shape
        for side, shape in (("A", (64, into)), ("B", (out, 64))):
            tensors[f"transformer.{layer}.lora_{side}.weight"] = torch.empty(shape, device="meta")
    assert len(tensors) == 1440
    shapes = {n: m.weight.shape for n, m in full.named_modules() if isinstance(m, torch.nn.Linear)}
    reading = interpret(tensors, Notes(), shapes)
    assert reading.layers.keys() == set(layers)
    assert reading.of == len(layers) == 720


def test_a_folder_with_several_adapters_asks_for_one(write, tmp_path):
    write("diffusers"), write("diffusers", seed=1)
    with pytest.raises(AdapterError, match="holds 2 safetensors files .diffusers_0.safetensors, diffusers_1"):
        find_adapter(tmp_path)


def test_a_hub_id_that_was_not_downloaded_says_how_to_get_it():
    with pytest.raises(AdapterError, match="'pxs download --adapter PixelSmile/PixelSmile' first"):
        find_adapter("PixelSmile/PixelSmile")


def test_choices(write, tmp_path):
    own, other = tmp_path / "own", write("diffusers")
    assert find_adapters(None, own) == {} == find_adapters("default", None)
    assert find_adapters("default", own) == {own: 1.0}
    assert find_adapters({"default": 0.5, other: 2}, own) == {own: 0.5, other: 2.0}
    with pytest.raises(AdapterError, match="without an adapter of its own"):
        find_adapters({"default": 0.5}, None)
    with pytest.raises(ScaleError, match="weight of"):
        find_adapters({other: float("nan")}, own)


def test_the_command_takes_several(write):
    from pxs.cli import parser

    a, b = write("diffusers"), write("with alpha")
    line = ["info", "--lora-path", str(a), f"{b}=0.5"]
    assert adapter_of(parser().parse_args(line)) == {str(a): 1.0, str(b): 0.5}
    assert adapter_of(parser().parse_args(["info", "--lora-path", "none"])) is None
    assert adapter_of(parser().parse_args(["info"])) == "default"  # which may be none, if the model has none
    with pytest.raises(AdapterError, match="named twice"):
        adapter_of(parser().parse_args(["info", "--lora-path", str(a), f"{a}=0.5"]))
    with pytest.raises(ScaleError, match="'much'"):
        adapter_of(parser().parse_args(["info", "--lora-path", f"{a}=much"]))


def test_half_of_an_adapter_is_half_of_its_change(editor, adapter_file):
    half = pxs.load("mini", adapter={adapter_file: 0.5})
    whole, name = pxs.load("mini", adapter=adapter_file), "transformer_blocks.0.attn.to_q.weight"
    base, middle, full = (e.pipe.transformer.get_parameter(name) for e in (editor, half, whole))
    torch.testing.assert_close(middle, (base + full) / 2)
    assert half.provenance["adapter"] == "random.safetensors=0.5"
