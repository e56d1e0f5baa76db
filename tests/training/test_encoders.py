"""The selection of encoders: by model and rows, with one line for every combination that is rejected."""

import hashlib
import json
from pathlib import Path

import pytest
from photo_rows import train_command

from pxs.cli import main
from pxs.data.ffe import read
from pxs.encoders.arcface import ArcFaceEncoder
from pxs.encoders.features import MiniFeatures
from pxs.encoders.identity import MiniIdentityEncoder
from pxs.errors import JudgeError, TrainingError
from pxs.training import encoders as selection
from pxs.training.settings import Settings
from pxs.training.trainer import train

TINY = {"batch": 1, "rank": 2, "save_every": 1, "precision": "no", "warmup": 0}
SETTINGS = Settings(**TINY, steps=3, alpha=6, lr=1e-2, validation=0.34, validate_every=2)
FLOW_ONLY = {"contrast": "none", "identity_weight": 0.0}


def sha(folder):
    return hashlib.sha256((Path(folder) / "adapter.safetensors").read_bytes()).hexdigest()


def test_a_judge_is_rejected_as_an_encoder(rows, encoders, tmp_path):
    judge = type(encoders[0])("judge")
    judge.role = "score"
    with pytest.raises(TrainingError, match="no loss may use it"):
        list(train(rows, SETTINGS, tmp_path, judge, encoders[1]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("of_drawings", [{"features": MiniFeatures}, {"identity": MiniIdentityEncoder}])
def test_a_model_of_photographs_rejects_encoders_of_drawn_faces(rows, photo_model, tmp_path, of_drawings):
    given = {name: encoder() for name, encoder in of_drawings.items()}
    with pytest.raises(TrainingError, match="is not a model of made faces, but mini-"):
        list(train(rows, SETTINGS.updated({"model": str(photo_model)}), tmp_path / "out", **given))


def test_the_command_trains_a_model_of_photographs_with_clip_and_arcface(
    data, encoders, analysis, photo_model, tmp_path, monkeypatch
):
    domains, loss = [], ArcFaceEncoder(analysis=analysis)
    pooled = "PooledClipFeatures"  # the recipe that suits such a model
    monkeypatch.setattr(selection, pooled, lambda domain, device: domains.append(domain) or encoders[0])
    monkeypatch.setattr(selection, "ArcFaceEncoder", lambda: loss)
    human = [row for row in read(data) if row.domain == "human"]
    changes = [f"model={photo_model}", "batch=2", "rank=2", "precision=no", "validation=0", "gate=1000"]
    command = train_command(human, tmp_path, 2)
    assert main([*command, "--set", *changes]) == 0
    assert domains == ["human"]
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["settings"]["recipe"] == "pixelsmile" and results["targets_without_face"] == 0
    assert results["identity"] > 0 and results["contrast"] > 0 and results["steps_left_out"] == 0


def test_the_identity_loss_of_photographs_changes_the_adapter(rows, analysis, photo_model, tmp_path):
    hashes = []
    for weight in (0.0, 1.0):
        given = {"model": str(photo_model), "contrast": "none", "identity_weight": weight, "gate": 1000.0}
        folder = tmp_path / str(weight)
        list(train(rows, SETTINGS.updated(given), folder, identity=ArcFaceEncoder(analysis=analysis)))
        hashes.append(sha(folder))
    assert hashes[0] != hashes[1]


def test_encoders_that_no_loss_needs_are_not_loaded(rows, photo_model, tmp_path, monkeypatch):
    created = []
    monkeypatch.setattr(selection, "ClipFeatures", lambda *_, **__: created.append("clip"))
    monkeypatch.setattr(selection, "ArcFaceEncoder", lambda: created.append("arcface"))
    settings = SETTINGS.updated({"model": str(photo_model), **FLOW_ONLY})
    assert len(list(train(rows, settings, tmp_path / "out"))) == 3
    assert created == []


def test_a_target_without_a_face_is_named(rows, analysis, photo_model, tmp_path):
    analysis.get = lambda image: []
    settings = SETTINGS.updated({"model": str(photo_model), "contrast": "none"})
    with pytest.raises(JudgeError, match=r"images/.*\.png': no face is found in it: leave it out") as caught:
        list(train(rows, settings, tmp_path / "out", identity=ArcFaceEncoder(analysis=analysis)))
    assert any(str(t.image) in str(caught.value) for row in rows for t in row.targets)
    assert "\n" not in str(caught.value)


def test_photographs_of_two_domains_are_rejected(rows, photo_model, tmp_path):
    settings = SETTINGS.updated({"model": str(photo_model)})
    assert {row.domain for row in rows} == {"anime", "human"}
    with pytest.raises(TrainingError, match="domains anime and human, which need different CLIPs") as caught:
        list(train(rows, settings, tmp_path / "out"))
    assert "\n" not in str(caught.value)
