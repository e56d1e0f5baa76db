"""Adapters that cannot be used: one line that names the file and the reason, and no weight of the model changed."""

import json
import struct
import time

import pytest
import torch
from peft import AdaLoraConfig, IA3Config, LoHaConfig, LoKrConfig, LoraConfig, OFTConfig, get_peft_model
from safetensors.torch import load_file, save_file

from pxs.cli import main
from pxs.editing.adapters import find_adapter, load_adapters, read_adapter, read_factors
from pxs.errors import AdapterError

LAYERS = [
    f"transformer_blocks.{block}.{layer}"
    for block in range(3)
    for layer in ("attn.to_q", "attn.to_k", "attn.to_out.0", "attn.add_q_proj", "img_mlp.net.0.proj", "img_mlp.net.2")
]
Q = "transformer_blocks.0.attn.to_q"
RANK = 4


@pytest.fixture
def tensors(transformer):
    """A sound adapter in diffusers' layout."""
    draw, found = torch.Generator().manual_seed(0), {}
    for layer in LAYERS:
        out, into = transformer.get_submodule(layer).weight.shape
        found[f"transformer.{layer}.lora_A.weight"] = torch.randn(RANK, into, generator=draw)
        found[f"transformer.{layer}.lora_B.weight"] = torch.randn(out, RANK, generator=draw)
    return found


@pytest.fixture
def refused(transformer, tmp_path):
    """A function that loads a file beside a sound one, and returns the one line that refuses it."""

    def line(tensors, header=None, config=None, sound=None):
        file = tmp_path / "bad" / "bad.safetensors"
        file.parent.mkdir(exist_ok=True)
        if isinstance(tensors, bytes):
            file.write_bytes(tensors)
        else:
            save_file({k: v.clone().contiguous() for k, v in tensors.items()}, file, header)
        if config is not None:
            (file.parent / "adapter_config.json").write_text(config if isinstance(config, str) else json.dumps(config))
        files = {file: 1.0}
        if sound is not None:
            save_file(sound, tmp_path / "sound.safetensors")
            files = {tmp_path / "sound.safetensors": 1.0, file: 1.0}
        before = {name: weight.clone() for name, weight in transformer.state_dict().items()}
        with pytest.raises(AdapterError) as error:
            load_adapters(transformer, files)
        assert all(torch.equal(weight, before[name]) for name, weight in transformer.state_dict().items())
        text = str(error.value)
        assert text.isprintable() and len(text) < 900 and str(file) in text
        return text

    return line


def without(tensors, *parts):
    return {k: v for k, v in tensors.items() if not any(p in k for p in parts)}


A, B = f"transformer.{Q}.lora_A.weight", f"transformer.{Q}.lora_B.weight"
FLAT = Q.replace(".", "_")
CHANGES = {
    "a pair without B": (lambda t: without(t, B), "is incomplete (transformer_blocks.0.attn.to_q lacks lora_B)"),
    "half of all pairs": (lambda t: without(t, "lora_B"), "lacks lora_B; transformer_blocks.0.attn.to_k lacks"),
    "alpha without a pair": (lambda t: without(t, A, B) | {f"{A[:-14]}.alpha": torch.tensor(1.0)}, "lora_A and lora_B"),
    "another base": (lambda t: {k: v.repeat(2, 2) for k, v in t.items()}, "does not fit this model"),
    "another shape": (lambda t: t | {A: torch.ones(RANK, 5)}, "lora_A [4, 5], lora_B [32, 4], weight [32, 32]"),
    "ranks that differ in a pair": (lambda t: t | {A: torch.ones(2, 32)}, "lora_A [2, 32], lora_B [32, 4]"),
    "swapped": (lambda t: t | {A: t[B], B: t[A]}, "lora_A [32, 4], lora_B [4, 32]"),
    "rank 0": (lambda t: t | {A: torch.ones(0, 32), B: torch.ones(32, 0)}, "lora_A [0, 32]"),
    "no dimension": (lambda t: t | {A: torch.tensor(1.0)}, "lora_A []"),
    "four dimensions": (lambda t: t | {A: t[A][:, :, None, None]}, "lora_A [4, 32, 1, 1]"),
    "an unknown layer": (lambda t: t | {"transformer.x.to_q.lora_A.weight": t[A]}, "transformer.x.to_q.lora_A.weight"),
    "an unknown ending": (lambda t: t | {f"transformer.{Q}.lora_C.weight": t[A]}, "lora_C.weight"),
    "weights of a model": (lambda t: {f"{Q}.weight": torch.ones(32, 32)}, "attn.to_q.weight [32, 32]"),
    "a key of many lines": (lambda t: t | {"x\ny\x1b[2J" * 200: t[A]}, "x\\ny\\x1b[2J"),
    "no tensors": (lambda t: {}, "holds no tensors"),
    "only the text encoder": (lambda t: {"text_encoder.x.lora_A.weight": t[A]}, "nothing but 1 keys of the text"),
    "two layouts": (lambda t: t | {f"diffusion_model.{Q}.lora_A.weight": t[A]}, "attn.to_q twice"),
    "two forms": (lambda t: t | {f"transformer.{Q}.lora.down.weight": t[A]}, "attn.to_q twice"),
    "two adapters": (lambda t: t | {f"transformer.{Q}.lora_A.other.weight": t[A]}, "attn.to_q twice"),
    "a pair of two layouts": (
        lambda t: without(t, A) | {f"lora_unet_{FLAT}.lora_down.weight": t[A]},
        "in two layouts",
    ),
    "int8": (lambda t: {k: v.to(torch.int8) for k, v in t.items()}, "holds int8 numbers"),
    "int64": (lambda t: {k: v.to(torch.int64) for k, v in t.items()}, "holds int64 numbers"),
    "bool": (lambda t: t | {A: t[A] > 0}, "holds bool numbers"),
    "complex": (lambda t: t | {A: t[A].to(torch.complex64)}, "holds complex64 numbers"),
    "fp8 without a sign": (lambda t: t | {A: t[A].abs().to(torch.float8_e8m0fnu)}, "holds float8_e8m0fnu numbers"),
    "fp8 with scales": (lambda t: t | {f"transformer.{Q}.lora_A.weight_scale": torch.ones(1)}, "fp8 with scales"),
    "not a number": (lambda t: t | {A: t[A] * float("nan")}, "not finite"),
    "infinite": (lambda t: t | {B: t[B] / 0}, "not finite"),
    "float64 beyond float32": (lambda t: t | {B: t[B].double() * 1e300}, "not finite"),
    "a product beyond float32": (lambda t: t | {A: t[A] * 1e30, B: t[B] * 1e30}, "too large to add"),
    "alpha 0": (lambda t: t | {f"transformer.{Q}.alpha": torch.tensor(0.0)}, "states alpha 0 for"),
    "alpha nan": (lambda t: t | {f"transformer.{Q}.alpha": torch.tensor(float("nan"))}, "states alpha nan for"),
    "alpha huge": (lambda t: t | {f"transformer.{Q}.alpha": torch.tensor(1e30)}, "at most 1000"),
    "alpha of two": (lambda t: t | {f"transformer.{Q}.alpha": torch.ones(2)}, "an alpha that is not a number"),
    "alpha complex": (lambda t: t | {f"transformer.{Q}.alpha": torch.tensor(1j)}, "an alpha that is not a number"),
    "DoRA": (lambda t: t | {f"transformer.{Q}.dora_scale": torch.ones(32, 1)}, "another method, DoRA"),
    "DoRA, peft": (lambda t: {f"base_model.model.{Q}.lora_magnitude_vector": torch.ones(32)}, "another method, DoRA"),
    "DoRA, named": (lambda t: {f"{Q}.lora_magnitude_vector.default.weight": torch.ones(32)}, "another method, DoRA"),
    "LoKr": (lambda t: {f"diffusion_model.{Q}.lokr_w1": torch.ones(4, 4)}, "another method, LoKr"),
    "LoKr of LyCORIS": (lambda t: {f"lycoris_{FLAT}.lokr_w2_a": torch.ones(4, 4)}, "another method, LoKr"),
    "LoHa": (lambda t: {f"lora_unet_{FLAT}.hada_w1_a": torch.ones(4, 4)}, "another method, LoHa"),
    "(IA)3": (lambda t: {f"base_model.model.{Q}.ia3_l": torch.ones(32, 1)}, "another method, (IA)3"),
    "OFT": (lambda t: {f"base_model.model.{Q}.oft_R.weight": torch.ones(4, 4)}, "another method, OFT"),
    "biases": (lambda t: t | {f"transformer.{Q}.lora_B.bias": torch.ones(32)}, "another method, LoRA with biases"),
    "differences": (lambda t: t | {f"diffusion_model.{Q}.diff": torch.ones(32, 32)}, "full difference of the weights"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHANGES)
def test_a_file_that_cannot_be_used_is_one_line_and_nothing_is_added(kind, tensors, refused):
    change, says = CHANGES[kind]
    assert says in refused(change(tensors), sound=tensors)


HEADERS = {
    "no JSON": ("{", "no JSON that can be read"),
    "a list": ("[]", "is a list"),
    "nested": ("[" * 100_000, "nested too deep"),
    "nested objects": ('{"a":' * 100_000, "nested too deep"),
    "many digits": ('{"lora_alpha": ' + "9" * 100_000 + "}", "no JSON that can be read"),
    "digits": ('{"lora_alpha": ' + "9" * 400 + "}", "states alpha 9999"),
    "not a number": ('{"lora_alpha": NaN}', "states alpha nan"),
    "infinite": ('{"lora_alpha": -Infinity}', "states alpha -inf"),
    "zero": ('{"lora_alpha": 0}', "states alpha 0 for"),
    "huge": ('{"lora_alpha": 1e300}', "states alpha 1e+300 for"),
    "a word": ('{"lora_alpha": "x"}', "states alpha 'x'"),
    "yes": ('{"lora_alpha": true}', "states alpha True"),
    "a list of one": ('{"transformer.lora_alpha": [8]}', "states alpha [8]"),
    "deep list": ('{"lora_alpha": ' + "[" * 500 + "]" * 500 + "}", "states alpha [[[["),
    "megabytes": ('{"x": "' + "y" * 2_000_000 + '"}', "characters of notes"),
    "pattern list": ('{"alpha_pattern": ["to_q"]}', "not a table"),
    "pattern value": ('{"alpha_pattern": {"to_q": "much"}}', "states alpha_pattern 'much'"),
    "endless pattern": ('{"alpha_pattern": {"(([a-z0-9_.]*)*)*!": 3}}', "a regular expression that is not read"),
    "endless rank pattern": ('{"rank_pattern": {"(a+)+$": 3}}', "a regular expression that is not read"),
    "choice in a pattern": ('{"alpha_pattern": {"to_q|to_k": 3}}', "a regular expression that is not read"),
    "many wildcards": (json.dumps({"alpha_pattern": {f"a{i}.*": 3 for i in range(65)}}), "over 64 patterns"),
    "many patterns": (json.dumps({"alpha_pattern": {f"a{i}": 3 for i in range(10_001)}}), "states 10001 patterns"),
    "DoRA": ('{"use_dora": true}', "another method, DoRA"),
    "LoHa": ('{"peft_type": "LOHA"}', "another method, LOHA"),
    "IA3": ('{"peft_type": "IA3"}', "another method, IA3"),
    "PiSSA": ('{"init_lora_weights": "pissa_niter_4"}', "changes the base weights"),
    "many lines": ('{"peft_type": "a\\nb"}', "another method, A\\nB"),
}


@pytest.mark.parametrize("kind", HEADERS)
@pytest.mark.parametrize("where", ["header", "adapter_config.json"])
def test_notes_that_cannot_be_used_are_one_line(kind, where, tensors, refused):
    text, says = HEADERS[kind]
    begun = time.monotonic()
    if where == "header":
        assert says in refused(tensors, {"lora_adapter_metadata": text})
    else:
        assert says in refused(tensors, config=text)
    assert time.monotonic() - begun < 5


def test_a_config_that_is_no_text_is_one_line(tensors, refused, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "adapter_config.json").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in refused(tensors)


@pytest.mark.parametrize("entry", ["lora_alpha", "transformer.lora_alpha", "ss_network_alpha", "network_alpha"])
def test_alpha_of_a_plain_header_is_checked_too(entry, tensors, refused):
    assert "states alpha '1e999'" in refused(tensors, {entry: "1e999"})
    assert "states alpha 0 for" in refused(tensors, {entry: "0"})


@pytest.mark.parametrize("word", ["Dynamic", "None", ""])
def test_words_that_kohya_writes_for_no_number_mean_not_stated(word, tensors, transformer, tmp_path):
    save_file(tensors, tmp_path / "a.safetensors", {"ss_network_alpha": word, "ss_network_dim": word})
    assert {f.scaling for f in read_factors(tmp_path / "a.safetensors", transformer).values()} == {1.0}


def test_layers_that_the_notes_name_must_be_there(tensors, refused, transformer, tmp_path):
    def notes(**entries):
        return {"lora_adapter_metadata": json.dumps({"transformer.target_modules": ["to_q", "attn.to_k"]} | entries)}

    half = without(tensors, "blocks.2", "to_out", "add_q", "mlp")
    says = refused(half, notes())
    assert "is incomplete: 2 of 6 layers that its notes name in target_modules are missing" in says
    file = tmp_path / "sound.safetensors"
    save_file(half, file, notes(layers_to_transform=[0, 1]))
    assert len(read_factors(file, transformer)) == 4
    save_file(half, file)
    assert len(read_factors(file, transformer)) == 4


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (LoraConfig(r=2, use_dora=True, target_modules=["to_q"]), "DoRA"),
        (LoraConfig(r=2, lora_bias=True, target_modules=["to_q"]), "LoRA with biases"),
        (LoKrConfig(r=2, target_modules=["to_q"]), "LoKr"),
        (LoHaConfig(r=2, target_modules=["to_q"]), "LoHa"),
        (IA3Config(target_modules=["to_q"], feedforward_modules=[]), "(IA)3"),
        (AdaLoraConfig(target_modules=["to_q"], total_step=9), "ADALORA"),
        (OFTConfig(target_modules=["to_q"], oft_block_size=4), "OFT"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.filterwarnings("ignore:Adapter 'default'")  # peft takes biases for broken factors
def test_other_methods_as_peft_saves_them_are_refused_by_name(config, name, beside, transformers, tmp_path):
    get_peft_model(transformers(), config).save_pretrained(tmp_path)
    if not beside:
        (tmp_path / "adapter_config.json").unlink()
    with pytest.raises(AdapterError) as error:
        read_factors(find_adapter(tmp_path), transformers())
    assert f"another method, {name}".lower().replace("(ia)3", "ia3") in str(error.value).lower().replace("(ia)3", "ia3")


def test_mixed_ranks_must_be_those_of_the_notes(tensors, refused, transformer, tmp_path):
    mixed = tensors | {A: torch.ones(2, 32), B: torch.ones(32, 2)}
    says = refused(mixed, {"lora_adapter_metadata": '{"r": 4, "lora_alpha": 8}'})
    assert "has rank 2 in transformer_blocks.0.attn.to_q, its notes state 4" in says
    notes = {"r": 4, "lora_alpha": 8, "rank_pattern": {Q: 2}}
    file = tmp_path / "sound.safetensors"
    save_file(mixed, file, {"lora_adapter_metadata": json.dumps(notes)})
    assert {f.scaling for f in read_factors(file, transformer).values()} == {2.0, 4.0}


def test_a_rank_in_the_notes_that_no_layer_has_is_told(tensors, transformer, tmp_path):
    file = tmp_path / "a.safetensors"
    save_file(tensors, file, {"lora_adapter_metadata": '{"r": 16, "lora_alpha": 8}'})
    reading = read_adapter(file, transformer)
    assert reading.layers[Q].scaling == 2
    assert reading.remarks == ("the notes state rank 16, which no layer has: the rank of the tensors is used",)


def test_a_weight_that_is_too_large_is_refused(tensors, transformer, tmp_path):
    save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(AdapterError, match="too large to add"):
        load_adapters(transformer, {tmp_path / "a.safetensors": 1e38})


def damaged(raw):
    """A file of safetensors, broken in several ways."""
    length = struct.unpack("<Q", raw[:8])[0]
    header = raw[8 : 8 + length]
    return {
        "empty": b"",
        "cut": raw[: len(raw) // 2],
        "cut in the header": raw[:20],
        "longer": raw + b"\0" * 16,
        "a header of 2^64 bytes": b"\xff" * 8 + raw[8:],
        "a header that is no JSON": raw[:8] + header[:-4] + b"xxxx" + raw[8 + length :],
        "a header nested deep": struct.pack("<Q", 100_000) + b"[" * 100_000,
        "a page": b"<!DOCTYPE html><html>" + b" " * 500,
        "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n",
        "another kind of numbers": raw.replace(b'"F32"', b'"F99"', 1),
        "fp4": raw.replace(b'"F32"', b'"F4" ', 1),
    }


@pytest.mark.parametrize("kind", damaged(struct.pack("<Q", 2) + b"{}"))
def test_a_damaged_file_is_one_line(kind, tensors, refused, tmp_path):
    save_file(tensors, tmp_path / "whole.safetensors")
    assert "is damaged" in refused(damaged((tmp_path / "whole.safetensors").read_bytes())[kind])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("x" * 300 + ".safetensors", "cannot be read"),
        ("a\0b.safetensors", "no adapter"),
        ("nowhere.safetensors", "no adapter"),
        ("adapter.bin", "not a .safetensors file"),
    ],
)
def test_names_that_cannot_be_files_are_one_line(name, says, tmp_path):
    with pytest.raises(AdapterError, match=says) as error:
        find_adapter(tmp_path / name)
    assert "\n" not in str(error.value)


def test_the_command_ends_in_one_line(tmp_path, capsys):
    file = tmp_path / "a.safetensors"
    for data in (b"", struct.pack("<Q", 2) + b"{}"):
        file.write_bytes(data)
        assert main(["info", "--lora-path", str(file)]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1


def test_the_command_tells_what_an_adapter_is(adapter_file, capsys):
    assert main(["info", "--lora-path", str(adapter_file)]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert ["random.safetensors", "rank 2, alpha 2, scaling 1, 18 of 72 layers"] in lines
    assert ["layout", "diffusers (lora_A/lora_B)"] in lines
    assert ["remark", "alpha is not stated: scaled by 1, as diffusers does; write FILE=2 to scale by 2"] in lines
    assert ["stock", "diffusers    18 of 72 layers"] in lines


def test_a_sound_file_is_read(tensors, transformer, tmp_path):
    """The file that all changes above start from."""
    save_file(tensors, tmp_path / "a.safetensors")
    assert read_factors(tmp_path / "a.safetensors", transformer).keys() == set(LAYERS)
    assert load_file(tmp_path / "a.safetensors").keys() == tensors.keys()
