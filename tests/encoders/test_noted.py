"""A judge must not score an adapter whose training looked at its weights."""

import json

import pytest

from pxs.encoders.noted import ENCODERS, refuse_encoders
from pxs.errors import JudgeError


def noted(folder, *encoders):
    (folder / ENCODERS).write_text(json.dumps({"encoders": encoders}))
    (folder / "adapter.safetensors").write_bytes(b"")
    return folder / "adapter.safetensors"


def test_the_same_weights_under_another_name_are_refused(tmp_path):
    adapter = noted(tmp_path, "arcface-loss antelopev2 0123abcd", "clip openai/clip-vit-large-patch14")
    refuse_encoders(["arcface buffalo_l 99999999", "mini-expression 11111111", "seer"], adapter)
    for place in (adapter, tmp_path):
        with pytest.raises(JudgeError, match=r"judge arcface glintr100 0123abcd has the weights .* choose another"):
            refuse_encoders(["units 22222222", "arcface glintr100 0123abcd"], place)


def test_an_adapter_without_a_note_or_on_a_hub_is_not_refused(tmp_path):
    refuse_encoders(["arcface x 0123abcd"], tmp_path)
    refuse_encoders(["arcface x 0123abcd"], tmp_path / "PixelSmile" / "PixelSmile")


@pytest.mark.parametrize("content", ["[", "{}", "[1]", '{"encoders": 3}'])
def test_a_broken_note_is_one_line(tmp_path, content):
    (tmp_path / ENCODERS).write_text(content)
    with pytest.raises(JudgeError, match="cannot be read"):
        refuse_encoders(["seer"], tmp_path)
