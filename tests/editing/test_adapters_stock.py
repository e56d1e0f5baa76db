"""What stock diffusers makes of adapter files: the report of `pxs info` equals what a stock pipeline does."""

import json
import warnings

import pytest
import torch
from adapter_writers import (
    WRITERS,
    base,
    by_musubi,
    by_the_public_trainer,
    save,
    state,
    trained,
    with_alpha_in_the_header,
)
from diffusers import QwenImageEditPlusPipeline
from diffusers.utils import convert_state_dict_to_diffusers
from safetensors.torch import load_file

from pxs.editing.adapters import find_adapter, read_adapter
from pxs.editing.adapters.stock import stock_load, stock_report
from pxs.editing.bundled import BUNDLED


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
