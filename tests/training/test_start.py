"""Training on from an adapter: it is the one that was there, of the same kind, and stays the same on resume."""

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
def first(rows, eyes, tmp_path_factory):
    """An adapter of two steps."""
    folder = tmp_path_factory.mktemp("first")
    list(train(rows, FIRST, folder, *eyes))
    return folder / "adapter.safetensors"


def going_on(first, **changes):
    return FIRST.updated({"start": str(first), "steps": 1, **changes})


def test_it_begins_where_the_other_ended(rows, eyes, first, tmp_path):
    (step,) = train(rows, going_on(first, lr=0, weight_decay=0), tmp_path / "still", *eyes)
    before, after = load_file(first), load_file(tmp_path / "still" / "adapter.safetensors")
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    (fresh,) = train(rows, FIRST.updated({"steps": 1}), tmp_path / "fresh", *eyes)
    assert step.losses["flow"] != fresh.losses["flow"]
    (moved,) = train(rows, going_on(first), tmp_path / "moved", *eyes)
    assert moved.losses == step.losses
    after = load_file(tmp_path / "moved" / "adapter.safetensors")
    assert any(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("changes", [{"rank": 4, "alpha": 12.0}, {"alpha": 2.0}])
def test_one_of_another_rank_or_alpha_is_refused(rows, eyes, first, tmp_path, changes):
    with pytest.raises(TrainingError, match="has rank 2 and alpha 6: set rank=2 alpha=6"):
        list(train(rows, going_on(first, **changes), tmp_path / "out", *eyes))


def test_one_that_acts_on_other_layers_is_refused(rows, eyes, adapter_file, tmp_path):
    with pytest.raises(TrainingError, match="acts on .* layers, a training on 72: start from another"):
        list(train(rows, going_on(adapter_file), tmp_path / "out", *eyes))


def test_another_file_under_the_same_name_is_noticed_on_resume(rows, eyes, first, tmp_path):
    start = tmp_path / "start.safetensors"
    start.write_bytes(first.read_bytes())
    settings = going_on(start, steps=2)
    next(train(rows, settings, tmp_path / "out", *eyes))
    assert pxs.load("mini", adapter=start).checkpoint.adapter_hash
    list(train(rows, FIRST.updated({"seed": 1}), tmp_path / "other", *eyes))
    start.write_bytes((tmp_path / "other" / "adapter.safetensors").read_bytes())
    with pytest.raises(TrainingError, match="started from another file"):
        list(train(rows, settings, tmp_path / "out", *eyes))


def test_one_that_is_not_there_is_told_before_anything_is_written(rows, eyes, tmp_path, data, capsys):
    with pytest.raises(AdapterError, match="nowhere"):
        list(train(rows, going_on("nowhere.safetensors"), tmp_path / "out", *eyes))
    assert not (tmp_path / "out").exists()
    command = ["train", "--data", str(data), "--out", str(tmp_path / "cli"), "--steps", "1"]
    assert main([*command, "--set", "start=default", "rank=3"]) == 2
    assert "set rank=32 alpha=64" in capsys.readouterr().err
