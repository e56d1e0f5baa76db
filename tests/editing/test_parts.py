"""Model folders: loaded as the stock pipeline loads them, to the bit, or refused in one line."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
import torch
from diffusers import QwenImageEditPlusPipeline
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from pxs.editing.bundled import BUNDLED
from pxs.editing.folders import check_folder
from pxs.editing.parts import load_pipeline
from pxs.errors import ModelError

MINI = BUNDLED["mini"]
FILE = "text_encoder/model.safetensors"
PARTS = ("transformer", "vae", "text_encoder")


def state(pipe, part):
    return getattr(pipe, part).state_dict()


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a)


@pytest.fixture
def model(tmp_path):
    return shutil.copytree(MINI, tmp_path / "model", ignore=shutil.ignore_patterns("hashes.json"))


def rewrite(model, change):
    """Changes the tensors of the text encoder."""
    save_file(change(load_file(MINI / FILE)), model / FILE, metadata={"format": "pt"})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_weights_are_those_of_the_stock_loader(dtype):
    ours = load_pipeline(MINI, dtype)
    stock = QwenImageEditPlusPipeline.from_pretrained(MINI, dtype=dtype, processor=ours.processor)
    assert all(equal(state(ours, part), state(stock, part)) for part in PARTS)
    assert not any(getattr(ours, part).training for part in PARTS)
    assert ours.scheduler.config == stock.scheduler.config


def test_a_head_that_is_tied_may_be_there_or_not(model):
    before = state(load_pipeline(MINI, torch.float32), "text_encoder")
    assert "lm_head.weight" not in load_file(MINI / FILE)
    rewrite(model, lambda t: {**t, "lm_head.weight": t["model.embed_tokens.weight"].clone()})
    assert equal(state(load_pipeline(model, torch.float32), "text_encoder"), before)


def test_names_of_newer_and_older_checkpoints_are_both_read(model):
    before = state(load_pipeline(MINI, torch.float32), "text_encoder")
    assert not any(name.startswith("model.language_model.") for name in load_file(MINI / FILE))

    def newer(name):
        for old, new in (("visual.", "model.visual."), ("model.", "model.language_model.")):
            if name.startswith(old):
                return new + name.removeprefix(old)
        return name

    rewrite(model, lambda t: {newer(k): v for k, v in t.items()})
    assert equal(state(load_pipeline(model, torch.float32), "text_encoder"), before)


def test_shards_are_read_as_the_whole(model):
    tensors, places = load_file(MINI / FILE), {}
    (model / FILE).unlink()
    for i, names in enumerate((sorted(tensors)[::2], sorted(tensors)[1::2])):
        shard = f"model-0000{i + 1}-of-00002.safetensors"
        save_file({n: tensors[n] for n in names}, model / "text_encoder" / shard, metadata={"format": "pt"})
        places |= dict.fromkeys(names, shard)
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (model / f"{FILE}.index.json").write_text(json.dumps(index))
    before = state(load_pipeline(MINI, torch.float32), "text_encoder")
    assert equal(state(load_pipeline(model, torch.float32), "text_encoder"), before)


def test_parts_may_be_replaced_or_left_out():
    pipe = load_pipeline(MINI, torch.float32, transformer=None, vae=None)
    assert pipe.transformer is None and pipe.vae is None and pipe.text_encoder is not None


def test_up_to_three_missing_weights_are_named_and_the_others_counted(model):
    rewrite(model, lambda t: {k: v for k, v in t.items() if ".layers.0.self_attn" not in k})
    with pytest.raises(ModelError) as error:
        load_pipeline(model, torch.float32)
    assert "lacks model.language_model.layers.0.self_attn.k_proj.bias, " in str(error.value)
    assert " and 4 more: download" in str(error.value) and "\n" not in str(error.value)


def test_the_loaders_keep_their_bars_and_logs(capsys):
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    before = [(m.is_progress_bar_enabled(), m.get_verbosity()) for m in (diffusers_logging, transformers_logging)]
    load_pipeline(MINI, torch.float32)
    now = [(m.is_progress_bar_enabled(), m.get_verbosity()) for m in (diffusers_logging, transformers_logging)]
    assert now == before and capsys.readouterr() == ("", "")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from(("F16", "F32", "I8", "x")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(("F16", "F32", "F64", "BF16", "I8", "F8_E4M3", "C64", "x")) | JSON,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | JSON,
        "data_offsets": st.tuples(st.integers(0, 9), st.integers(0, 9)).map(list) | JSON,
    },
)
HEADERS = st.dictionaries(st.sampled_from(("__metadata__", "proj_out.weight", "a", "\0")), TENSORS | JSON, max_size=3)


@pytest.fixture(scope="module")
def linked(tmp_path_factory):
    """A copy of mini whose transformer's weights may be written."""
    folder = shutil.copytree(MINI, tmp_path_factory.mktemp("linked") / "model")
    return folder, folder / "transformer" / "diffusion_pytorch_model.safetensors"


@given(HEADERS | JSON, st.binary(max_size=16), st.integers(-2, 2))
def test_any_header_of_weights_is_read_or_refused_in_one_line(linked, header, data, shift):
    folder, file = linked
    head = json.dumps(header).encode()
    file.write_bytes(max(0, len(head) + shift).to_bytes(8, "little") + head + data)
    try:
        check_folder(folder)
    except ModelError as error:
        assert str(error).isprintable()


@given(st.dictionaries(st.sampled_from(("num_layers", "patch_size", "_class_name", "x")), JSON, max_size=3) | JSON)
def test_any_configuration_is_read_or_refused_in_one_line(document):
    with tempfile.TemporaryDirectory() as place:
        for part in (*PARTS, "scheduler", "tokenizer", "processor"):
            (Path(place) / part).mkdir()
        (Path(place) / "transformer" / "config.json").write_text(json.dumps(document))
        with pytest.raises(ModelError) as error:
            check_folder(Path(place))
        assert str(error.value).isprintable()
