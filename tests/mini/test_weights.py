"""Tests of the shipped model on identities that it was not trained on."""

import numpy as np
import pytest

from analysis.intensity import measured_intensity
from pxs.editing.adapters import adapter_notes
from pxs.editing.bundled import BUNDLED
from pxs.expressions import DOMAINS, EXPRESSIONS, PAIRS, Mix, weigh
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds
from pxs.images import psnr, to_array
from pxs.judging import expression_judge, identity_judge
from pxs.judging.blends import judge_blends
from pxs.mini import report
from pxs.mini.accuracy import Face

SEED = seeds("held_out", 1, 5_000)[0]


@pytest.fixture(scope="module", params=DOMAINS)
def style(request):
    return request.param


@pytest.fixture(scope="module")
def edits(editor, style):
    """All expressions at full intensity, and neutral, of one held-out face."""
    source = draw(Identity.sample(SEED), style=style)
    return editor.open(source, style).edit([Mix(), *(Mix({e: 1}) for e in EXPRESSIONS)], steps=12)


def nearest(image, style):
    """The expression whose drawing at full intensity is nearest to an image."""
    identity = Identity.sample(SEED)
    errors = [np.square(to_array(draw(identity, Mix({e: 1}), style)) - to_array(image)).mean() for e in EXPRESSIONS]
    return EXPRESSIONS[int(np.argmin(errors))]


def test_a_neutral_edit_keeps_the_face(edits):
    assert psnr(to_array(edits[0]), to_array(edits.source)) > 28


def test_most_edits_are_nearest_to_the_drawing_of_their_own_expression(edits, style):
    right = [nearest(image, style) == e for e, image in zip(EXPRESSIONS, edits.images[1:], strict=True)]
    assert sum(right) >= 8


def test_the_background_does_not_change(edits, style):
    mask = Face.sample(SEED, style, 128).unchanged()
    assert mask.mean() > 0.2
    assert min(psnr(to_array(image), to_array(edits.source), mask) for image in edits) > 28


@pytest.fixture(scope="module")
def adapted():
    """The editor of `pxs.load("mini")`: the base model with its adapter."""
    import pxs

    return pxs.load("mini")


def test_measured_intensity_rises_with_the_intensity_of_the_mix(adapted, style):
    source = draw(Identity.sample(SEED), style=style)
    edits = adapted.open(source, style).sweep("surprised", [0, 0.5, 1.5], steps=12)
    measured = measured_intensity(list(edits), Identity.sample(SEED), "surprised", style)
    assert measured[0] < 0.15
    assert measured[0] < measured[1] < measured[2]
    assert measured[2] > 0.5


def test_the_model_loads_its_adapter_by_default(adapted, editor):
    assert adapted.provenance["adapter"] == "adapter.safetensors" and editor.provenance["adapter"] == ""
    assert adapted.provenance["model_hash"] == editor.provenance["model_hash"]
    assert adapter_notes(BUNDLED["mini"] / "adapter.safetensors")["pxs.base"] == editor.checkpoint.fingerprint


def test_the_adapter_makes_intensity_nearly_linear_and_the_base_does_not(adapted, editor, style):
    source = draw(Identity.sample(SEED), style=style)
    errors = []
    for one in (editor, adapted):
        edits = one.open(source, style).sweep("happy", [0.25, 0.5, 0.75], steps=12)
        measured = measured_intensity(list(edits), Identity.sample(SEED), "happy", style)
        errors.append(np.abs(measured - [0.25, 0.5, 0.75]).mean())
    assert errors[1] < 0.12 < errors[0]


def coherent(editor, style):
    """The number of the 15 pairs, both at intensity 1, that the judges find coherent on a held-out face."""
    portrait = editor.open(draw(Identity.sample(SEED), style=style), style)
    edits = portrait.edit([weigh("sum", a, b, 1.0, 1.0) for a, b in PAIRS], steps=12, progress=False)
    judged = judge_blends(portrait.source, list(edits), PAIRS, expression_judge(), identity_judge())
    return sum(one.verdict.kind == "coherent" for one in judged)


def test_the_adapter_blends_most_pairs_and_the_base_few(adapted, editor, style):
    assert coherent(adapted, style) > 7 > coherent(editor, style)


def test_weights_are_small_and_safetensors_only():
    files = [f for f in BUNDLED["mini"].rglob("*") if f.is_file()]
    assert sum(f.stat().st_size for f in files) < 40e6
    assert {f.suffix for f in files} <= {".safetensors", ".json", ".jinja", ".md", ".jsonl"}


def test_the_report_prints_and_writes_every_figure(tmp_path, capsys, monkeypatch):
    import json
    import sys

    monkeypatch.setattr(sys, "argv", ["report", "--identities", "1", "--out", str(tmp_path)])
    monkeypatch.setattr(report, "STEPS", 2)
    report.main()
    printed = capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text())
    for key in report.FIGURES:
        assert key in printed
        assert np.isfinite(results[key])
    assert results["batch_difference"] <= 1e-4
    assert results["edit_psnr"] == min(results["styles"][s]["edit_psnr"] for s in DOMAINS)
