"""Presets: files and names."""

import json

import pytest
from PIL import Image

from pxs.batch.presets import Preset, read_preset, write_preset
from pxs.errors import OutputError, UsageError
from pxs.expressions import BASIC, Mix
from pxs.images import save_png


@pytest.mark.parametrize(
    "preset",
    [
        Preset((Mix(happy=0.7, sad=0.25),), 7, 12, "anime"),
        Preset((Mix(), Mix(fear=1.5))),
        Preset((Mix(),), calibrated=True, zero="source"),
    ],
)
def test_round_trip(tmp_path, preset):
    assert read_preset(write_preset(preset, tmp_path / "p.json")) == preset
    with pytest.raises(OutputError, match="exists"):
        write_preset(preset, tmp_path / "p.json")


def test_names_and_defaults(tmp_path):
    assert read_preset("happy").mixes == (Mix(happy=1),)
    assert read_preset("neutral").mixes == (Mix(),)
    assert read_preset("basic").mixes == tuple(Mix({e: 1}) for e in BASIC)
    (tmp_path / "p.json").write_text('{"mix": {"shy": 1}}')
    assert read_preset(tmp_path / "p.json") == Preset((Mix(shy=1),), 42, 50, "human")


BAD = [
    *({}, [], {"mix": {}, "mixes": []}, {"mixes": []}, {"mix": {"hapy": 1}}, {"mix": {"happy": "1"}}),
    *(
        {"mix": {"happy": True}},
        {"mix": [1]},
        {"mix": {}, "seed": -1},
        {"mix": {}, "seed": 1.5},
        {"mix": {}, "steps": 0},
    ),
    *({"mix": {}, "seed": 2**63}, {"mix": {}, "domain": 3}, {"mix": {}, "domain": "dog"}, {"mix": {}, "more": 1}),
    {"mixes": [{"happy": 1}, {"happy": 1.0, "sad": 0}]},
    *({"mix": {}, "calibrated": 1}, {"mix": {}, "zero": "face"}, {"mix": {}, "zero": ["source"]}),
]


@pytest.mark.parametrize("content", [json.dumps(one) for one in BAD])
def test_sound_json_that_is_no_preset(tmp_path, content):
    refuse(tmp_path, content.encode())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[" * 100_000, b'{"mix": {"happy": NaN}}', b'{"mix": {"happy": ' + b"9" * 5000 + b"}}", b"\xff\xfe"],
    ids=["empty", "cut", "nested", "nan", "huge", "bytes"],
)
def test_broken_json(tmp_path, content):
    refuse(tmp_path, content)


def refuse(tmp_path, content):
    (tmp_path / "p.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"p\.json") as caught:
        read_preset(tmp_path / "p.json")
    assert "\n" not in str(caught.value)


def test_missing(tmp_path):
    for name in ("hapy", tmp_path, tmp_path / "no.json"):
        with pytest.raises(UsageError, match="no preset"):
            read_preset(name)


@pytest.mark.parametrize(
    "text",
    [
        {},
        {"mix": "{}", "seed": "1"},
        {"mix": "[{}, {}]", "seed": "1", "steps": "2"},
        {"mix": "{", "seed": "1", "steps": "2"},
        {"mix": "{}", "seed": "x", "steps": "2"},
        {"mix": "{}", "seed": "1", "steps": "2", "zero": "face"},
    ],
    ids=str,
)
def test_a_picture_that_states_no_usable_edit_is_refused(tmp_path, text):
    file = save_png(Image.new("RGB", (16, 16)), tmp_path / "p.png", text)
    with pytest.raises(UsageError, match=r"p\.png"):
        read_preset(file)
