"""The kernel of attention: chosen for one model, by name, with one line for those that are not installed."""

import pytest
import torch
from diffusers.models.attention_dispatch import AttentionBackendName, _AttentionBackendRegistry

import pxs
from pxs.cli import main
from pxs.errors import ModelError
from pxs.expressions import sweep
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds


def test_another_kernel_computes_the_same_and_is_the_one_that_runs(editor, monkeypatch):
    face = draw(Identity.sample(seeds("gallery", 1)[0]))
    other = pxs.load("mini", adapter=None, attention="_native_math")
    assert other.provenance["attention"] == "_native_math"
    kernels = _AttentionBackendRegistry._backends
    stock, seen = kernels[AttentionBackendName._NATIVE_MATH], []
    monkeypatch.setitem(
        kernels, AttentionBackendName._NATIVE_MATH, lambda **given: seen.append(given["attn_mask"]) or stock(**given)
    )
    ends = [list(e.open(face).steps(sweep("happy", (0, 1)), steps=2))[-1].latents for e in (editor, other)]
    torch.testing.assert_close(*ends, atol=1e-4, rtol=1e-4)
    blocks = len(editor.pipe.transformer.transformer_blocks)
    assert seen == [None] * 2 * blocks  # two steps, without a mask


def test_other_models_keep_their_kernel(editor):
    pxs.load("mini", adapter=None, attention="_native_math")
    assert _AttentionBackendRegistry._active_backend == AttentionBackendName.NATIVE
    assert all(b.attn.processor._attention_backend is None for b in editor.pipe.transformer.transformer_blocks)


@pytest.mark.parametrize(
    ("name", "says"),
    [("flsh", "unknown attention 'flsh': choose from flash"), ("sage_hub", "unknown"), ("sage", "missing package")],
)
def test_a_kernel_that_cannot_be_had_is_told_in_one_line(name, says, capsys):
    with pytest.raises(ModelError, match=says):
        pxs.load("mini", attention=name)
    assert main(["info", "--attention", name]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("device", ["cuda", "gpu", "cuda:9"])
def test_a_device_that_is_not_there_is_told_in_one_line(device):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ModelError, match=f"device '{device}' cannot be used .*: give cpu"):
        pxs.load("mini", device=device)
