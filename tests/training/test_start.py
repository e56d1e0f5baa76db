"""Training that starts from an adapter, which must have the same layers, rank and alpha, and be unchanged on resume."""

import pytest
import torch
from safetensors.torch import load_file

import pxs
from pxs.cli import main
from pxs.errors import AdapterError, TrainingError
from pxs.training.settings import Settings
from pxs.training.trainer import train

KIND = {"batch": 1, "rank": 2, "alpha": 6.0, "precision": "no", "warmup": 0, "validation": 0, "save_every": 1}
FIRST = Settings(**KIND, steps=2, lr=1e-2)


@pytest.fixture(scope="module")
def first(rows, encoders, tmp_path_factory):
    """An adapter of two steps."""
    folder = tmp_path_factory.mktemp("first")
    list(train(rows, FIRST, folder, *encoders))
    return folder / "adapter.safetensors"


def started_from(first, **changes):
    return FIRST.updated({"start": str(first), "steps": 1, **changes})


def test_it_starts_with_the_weights_of_the_adapter(rows, encoders, first, tmp_path):
    (step,) = train(rows, started_from(first, lr=0, weight_decay=0), tmp_path / "still", *encoders)
    before, after = load_file(first), load_file(tmp_path / "still" / "adapter.safetensors")
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    (fresh,) = train(rows, FIRST.updated({"steps": 1}), tmp_path / "fresh", *encoders)
    assert step.losses["flow"] != fresh.losses["flow"]
    (moved,) = train(rows, started_from(first), tmp_path / "moved", *encoders)
    assert moved.losses == step.losses
    after = load_file(tmp_path / "moved" / "adapter.safetensors")
    assert any(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("changes", [{"rank": 4, "alpha": 12.0}, {"alpha": 2.0}])
def test_an_adapter_of_another_rank_or_alpha_is_rejected(rows, encoders, first, tmp_path, changes):
    with pytest.raises(TrainingError, match="has rank 2 and alpha 6: set rank=2 alpha=6"):
        list(train(rows, started_from(first, **changes), tmp_path / "out", *encoders))


def test_an_adapter_of_other_layers_is_rejected(rows, encoders, adapter_file, tmp_path):
    with pytest.raises(TrainingError, match="acts on .* layers, a training on 72: start from another"):
        list(train(rows, started_from(adapter_file), tmp_path / "out", *encoders))


def test_a_changed_start_file_is_rejected_on_resume(rows, encoders, first, tmp_path):
    start = tmp_path / "start.safetensors"
    start.write_bytes(first.read_bytes())
    settings = started_from(start, steps=2)
    next(train(rows, settings, tmp_path / "out", *encoders))
    assert pxs.load("mini", adapter=start).checkpoint.adapter_hash
    list(train(rows, FIRST.updated({"seed": 1}), tmp_path / "other", *encoders))
    start.write_bytes((tmp_path / "other" / "adapter.safetensors").read_bytes())
    with pytest.raises(TrainingError, match="started from another file"):
        list(train(rows, settings, tmp_path / "out", *encoders))


def test_a_missing_start_file_is_reported_before_anything_is_written(rows, encoders, tmp_path, data, capsys):
    with pytest.raises(AdapterError, match="nowhere"):
        list(train(rows, started_from("nowhere.safetensors"), tmp_path / "out", *encoders))
    assert not (tmp_path / "out").exists()
    command = ["train", "--data", str(data), "--out", str(tmp_path / "cli"), "--steps", "1"]
    assert main([*command, "--set", "start=default", "rank=3"]) == 2
    assert "set rank=32 alpha=64" in capsys.readouterr().err
