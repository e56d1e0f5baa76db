"""Memory: streaming changes no bit, fewer bits change little, estimates count, and what does not fit is told."""

import sys

import pytest
import torch

import pxs
from pxs.cli import main
from pxs.editing.bundled import BUNDLED
from pxs.editing.memory import MODES, USABLE_SHARE, Sizes, choose, estimate, sizes
from pxs.editing.quantised import Float8Linear, scaled
from pxs.errors import ModelError
from pxs.expressions import sweep
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds
from pxs.images import psnr, to_array

FULL = Sizes(  # Qwen-Image-Edit-2511, shared/reference/performance.md
    blocks=13_590_000_000,
    modulation=6_795_000_000,
    rest=45_000_000,
    text_encoder=8_292_000_000,
    vae=127_000_000,
    leaf=545_000_000,
    width=3072,
)
MIXES = sweep("happy", (0, 0.5, 1))


@pytest.fixture(scope="module")
def face():
    return draw(Identity.sample(seeds("gallery", 1)[0]))


def edited(editor, face):
    return [to_array(image) for image in editor.open(face).edit(MIXES, steps=4, progress=False)]


def test_streaming_changes_no_bit(editor, face):
    streaming = pxs.load("mini", adapter=None, memory="offload")
    assert streaming.provenance["memory"] == "offload"
    assert all((a == b).all() for a, b in zip(edited(editor, face), edited(streaming, face), strict=True))


def test_what_is_streamed_is_the_text_encoder_and_modulation():
    pipe = pxs.load("mini", adapter=None, memory="offload").pipe
    hooked = {n for n, m in pipe.transformer.named_modules() if getattr(m, "_diffusers_hook", None) is not None}
    assert hooked and all(".img_mod" in name or ".txt_mod" in name for name in hooked)
    assert any(getattr(m, "_diffusers_hook", None) is not None for m in pipe.text_encoder.modules())


def size_of_block(block):
    """Bytes of the weights that are quantised."""
    layers = [m for name, m in block.named_modules() if hasattr(m, "in_features") and "_mod" not in name]
    return sum(m.weight.numel() * m.weight.element_size() for m in layers)


@pytest.mark.parametrize(("mode", "share", "least"), [("fp8", 0.25, 42), ("int8", 0.26, 45), ("nf4", 0.16, 32)])
def test_fewer_bits_change_little(editor, face, mode, share, least):
    if mode != "fp8":
        pytest.importorskip("bitsandbytes")
    small = pxs.load("mini", adapter=None, memory=mode)
    before, after = (size_of_block(e.pipe.transformer.transformer_blocks[0]) for e in (editor, small))
    assert after <= share * before
    assert not any(m.training for m in small.pipe.transformer.modules())  # or bitsandbytes takes another path
    quality = [psnr(a, b) for a, b in zip(edited(editor, face), edited(small, face), strict=True)]
    assert least < min(quality) < 90


def test_float8_is_the_layer_rounded_to_three_bits_of_mantissa():
    draws = torch.Generator().manual_seed(0)
    layer = torch.nn.Linear(64, 48)
    x = torch.randn(2, 5, 64, generator=draws) * torch.logspace(-6, 6, 5)[:, None]  # tokens of very unequal size
    with torch.no_grad():
        exact, small = layer(x) - layer.bias, Float8Linear(layer)(x)
    assert small.dtype == x.dtype and Float8Linear(layer)(x.bfloat16()).dtype == torch.bfloat16
    error = (small - exact).norm(dim=-1) / exact.norm(dim=-1)
    assert error.min() > 0.001 and error.max() < 0.06
    rows, scale = scaled(layer.weight.data)
    assert rows.float().abs().max() == 448 and not scaled(torch.zeros(2, 16))[0].float().any()
    torch.testing.assert_close(rows.float() * scale, layer.weight.data, rtol=2**-4, atol=2**-10 * float(scale.max()))


@pytest.mark.parametrize(("capability", "mode"), [((9, 0), "fp8"), ((8, 0), "int8")])
def test_auto_takes_float8_where_the_gpu_multiplies_in_it(monkeypatch, capability, mode):
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (24 * 10**9, 0))
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: capability)
    monkeypatch.setattr("pxs.editing.memory.sizes", lambda _: FULL)
    monkeypatch.setattr("pxs.editing.quantised.require", lambda *_: None)
    assert choose("auto", BUNDLED["mini"], torch.bfloat16, 512, "cuda") == mode
    if mode == "int8":
        with pytest.raises(ModelError, match="'fp8' needs a GPU of compute capability 8.9, which cuda is not"):
            choose("fp8", BUNDLED["mini"], torch.bfloat16, 512, "cuda")


def test_without_bitsandbytes_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ModelError, match="pxs.quantised."):
        pxs.load("mini", memory="int8")


def test_sizes_count_every_weight_once(editor):
    s, pipe = sizes(BUNDLED["mini"]), editor.pipe
    count = {part: sum(p.numel() for p in getattr(pipe, part).parameters()) for part in ("transformer", "vae")}
    assert s.blocks + s.modulation + s.rest == count["transformer"] and s.vae == count["vae"]
    modulation = [b.img_mod for b in pipe.transformer.transformer_blocks]
    assert s.modulation == 2 * sum(p.numel() for m in modulation for p in m.parameters())


def test_the_full_model_fits_the_cards_that_it_should():
    needs = estimate(FULL, torch.bfloat16, 512)
    assert list(needs) == list(MODES) and sorted(needs.values(), reverse=True) == list(needs.values())
    assert 57.7 < needs["full"] <= USABLE_SHARE * 80
    assert 27.3 < needs["offload"] < 31
    assert needs["int8"] <= USABLE_SHARE * 24 and needs["nf4"] <= USABLE_SHARE * 16


@pytest.mark.parametrize(("free", "mode"), [(80, "full"), (48, "offload"), (24, "fp8"), (12, "nf4")])
def test_auto_takes_the_first_mode_that_fits(monkeypatch, free, mode):
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (free * 10**9, 0))
    monkeypatch.setattr("pxs.editing.memory.sizes", lambda _: FULL)
    monkeypatch.setattr("pxs.editing.quantised.require", lambda *_: None)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (9, 0))
    assert choose("auto", BUNDLED["mini"], torch.bfloat16, 512, "cuda") == mode
    assert choose("full", BUNDLED["mini"], torch.bfloat16, 512, "cuda") == "full"


def test_a_device_that_is_too_small_is_told_before_anything_is_loaded(monkeypatch):
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (4 * 10**9, 0))
    monkeypatch.setattr("pxs.editing.memory.sizes", lambda _: FULL)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr("pxs.editing.checkpoints.check_device", lambda name: name)
    with pytest.raises(ModelError, match=r"cuda has 4.0 GB free and the smallest mode needs 8.6"):
        pxs.load("mini", device="cuda")


def test_an_unknown_mode_is_refused(capsys):
    assert main(["info", "--memory", "tiny"]) == 2
    assert "unknown memory mode 'tiny': choose from auto, full, offload, fp8, int8, nf4" in capsys.readouterr().err


def test_the_estimate_is_printed(capsys):
    assert main(["info", "--estimate"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said[1:]] == list(MODES) and "24 GB" in said[1]


def limited(editor, most):
    """An editor on the same weights whose memory suffices for `most` edits together."""
    own = pxs.Editor(editor.checkpoint)
    prepare = own.prepare

    def scarce(transformer, times, control, text, grid):
        if len(text) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot")
        return prepare(transformer, times, control, text, grid)

    own.prepare = scarce
    return own


def test_out_of_memory_halves_the_batch_and_goes_on(editor, face):
    scarce = limited(editor, 1)
    assert all(psnr(a, b) > 60 for a, b in zip(edited(editor, face), edited(scarce, face), strict=True))
    assert scarce.batch == 1
    with pytest.raises(ModelError, match="does not suffice for 1 edits at once in mode 'full': free some"):
        edited(limited(editor, 0), face)
