"""Adapters: rules that hold for any key, note, pattern and header, tried on drawn ones."""

import json
import tempfile
import time
from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st
from peft.utils.other import get_pattern_key
from safetensors.torch import save

from pxs.editing.adapters import read_factors
from pxs.editing.adapters.layouts import Layers, of_text_encoder, other_method, parse_key
from pxs.editing.adapters.notes import read_notes
from pxs.editing.adapters.patterns import read_patterns, value_of
from pxs.errors import AdapterError

LAYERS = [
    f"transformer_blocks.{block}.{layer}"
    for block in range(3)
    for layer in ("attn.to_q", "attn.to_k", "attn.to_out.0", "attn.add_q_proj", "img_mlp.net.0.proj", "img_mlp.net.2")
]
NAMES = st.sampled_from(LAYERS)
PLAIN = st.builds(lambda name, n: ".".join(name.split(".")[n:]), NAMES, st.integers(0, 4))
PLACE = st.integers(0, 30)
WILD = st.builds(lambda name, i, j: name[: min(i, j)] + ".*" + name[max(i, j) :], PLAIN, PLACE, PLACE)
PATTERN = st.builds(
    lambda start, text, end: start + text + end, st.sampled_from(["", "^"]), PLAIN | WILD, st.sampled_from(["", "$"])
)


@given(st.lists(PATTERN, max_size=4, unique=True), NAMES)
def test_patterns_match_as_in_peft(patterns, layer):
    theirs = get_pattern_key(patterns, layer)
    said = {pattern: float(i) for i, pattern in enumerate(patterns)}
    assert value_of(layer, read_patterns(said, "alpha_pattern")) == said.get(theirs)


@given(st.text(alphabet="a.*^$\\()+[]|?{}0_q", max_size=40))
def test_any_pattern_is_read_or_refused_at_once(text):
    begun = time.monotonic()
    try:
        value_of("a" * 100 + ".to_q", read_patterns({text: 1.0}, "alpha_pattern"))
    except AdapterError as error:
        assert "\n" not in str(error)
    assert time.monotonic() - begun < 1


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
ENTRIES = st.sampled_from(
    (
        "r",
        "lora_alpha",
        "alpha_pattern",
        "rank_pattern",
        "use_dora",
        "use_rslora",
        "peft_type",
        "init_lora_weights",
        "ss_network_alpha",
    )
)


@given(st.dictionaries(ENTRIES, JSON, max_size=5))
def test_any_notes_are_read_or_refused(said):
    try:
        read_notes(said)
    except AdapterError as error:
        assert str(error).isprintable()


@given(st.integers(0, 200), st.binary(min_size=1, max_size=4), st.booleans())
def test_any_broken_header_is_read_or_refused(place, data, shorter):
    model = torch.nn.ModuleDict({"to_q": torch.nn.Linear(3, 3)})
    model.dtype = torch.float32
    header = {"lora_adapter_metadata": '{"r": 1, "lora_alpha": 2, "alpha_pattern": {"to_q": 1}}'}
    raw = save({"transformer.to_q.lora_A.weight": torch.ones(1, 3), "to_q.lora_B.weight": torch.ones(3, 1)}, header)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.safetensors"
        file.write_bytes(raw[:place] + data + raw[place if not shorter else place + len(data) :])
        try:
            read_factors(file, model)
        except AdapterError as error:
            assert str(error).isprintable()


ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(("F16", "F32", "F64", "BF16", "I8", "F8_E4M3", "C64", "x")) | JSON,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | JSON,
        "data_offsets": st.tuples(st.integers(0, 16), st.integers(0, 16)).map(list) | JSON,
    },
)
KEYS = ("__metadata__", "to_q.lora_A.weight", "to_q.lora_B.weight", "to_q.alpha", "lora_unet_to_q.lora_down.weight")


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), ENTRY | JSON, max_size=4), st.binary(max_size=24))
def test_any_header_of_an_adapter_is_read_or_refused(header, data):
    model = torch.nn.ModuleDict({"to_q": torch.nn.Linear(3, 3)})
    model.dtype = torch.float32
    head = json.dumps(header).encode()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.safetensors"
        file.write_bytes(len(head).to_bytes(8, "little") + head + data)
        try:
            read_factors(file, model)
        except AdapterError as error:
            assert str(error).isprintable()


WORDS = st.lists(
    st.sampled_from(
        (
            "transformer",
            "transformer_blocks",
            "0",
            "attn",
            "to_q",
            "lora_A",
            "lora",
            "down",
            "weight",
            "alpha",
            "lora_te1_",
            "default",
        )
    )
    | st.text(max_size=4),
    max_size=8,
).map(".".join)


@given(WORDS)
def test_any_key_is_parsed_or_not(key):
    found = parse_key(key, Layers(LAYERS))
    assert found is None or found.layer in LAYERS and found.side in ("A", "B", "alpha")
    assert of_text_encoder(key) in (True, False) and other_method(key) != ""
