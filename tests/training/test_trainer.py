"""The trainer: its adapter has the same effect everywhere; every interruption, damage or change is handled."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import pxs
from pxs.editing.adapters import adapter_notes
from pxs.editing.bundled import BUNDLED
from pxs.editing.parts import load_pipeline
from pxs.errors import AdapterError, TrainingError
from pxs.storage.states import TrainingStates
from pxs.training.settings import TARGETS, Settings
from pxs.training.trainer import train

TINY = {"batch": 1, "rank": 2, "save_every": 1, "precision": "no", "warmup": 0}
SETTINGS = Settings(**TINY, steps=3, alpha=6, lr=1e-2, validation=0.34, validate_every=2)


def finished(rows, folder, encoders, settings=SETTINGS):
    return list(train(rows, settings, folder, *encoders))


@pytest.fixture(scope="module")
def trained(rows, encoders, tmp_path_factory):
    """The folder of a finished training, and its steps."""
    folder = tmp_path_factory.mktemp("trained")
    return folder, finished(rows, folder, encoders, SETTINGS.updated({"sample_every": 3}))


def sha(folder):
    return hashlib.sha256((Path(folder) / "adapter.safetensors").read_bytes()).hexdigest()


def test_every_step_is_yielded_and_logged(trained):
    folder, steps = trained
    assert [s.index for s in steps] == [0, 1, 2]
    assert all(s.losses.keys() == {"loss", "flow", "contrast", "identity"} for s in steps)
    assert [s.validation is not None for s in steps] == [False, True, True]
    assert [s.sample and s.sample.name for s in steps] == [None, None, "step-0000003.png"]
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == [1, 2, 3]
    assert [row["loss"] for row in log] == [s.losses["loss"] for s in steps]
    results = json.loads((folder / "results.json").read_text())
    assert results["adapter_sha256"] == sha(folder)
    assert results["validation"] == steps[-1].validation
    assert (results["rows"], results["held_back"]) == (4, 2)


def test_the_adapter_file_names_its_rank_alpha_layers_and_base(trained):
    notes = adapter_notes(trained[0] / "adapter.safetensors")
    assert notes["r"] == 2 and notes["lora_alpha"] == 6
    assert notes["pxs.base"] == pxs.load("mini", adapter=None).checkpoint.fingerprint
    assert set(notes["target_modules"]) == set(TARGETS)


def test_the_adapter_has_the_same_effect_here_and_in_stock_diffusers(trained):
    path = trained[0] / "adapter.safetensors"
    ours = pxs.load("mini", adapter=path).pipe.transformer
    stock = load_pipeline(BUNDLED["mini"], torch.float32)
    stock.load_lora_weights(str(path.parent), weight_name=path.name, local_files_only=True)
    base = load_pipeline(BUNDLED["mini"], torch.float32).transformer
    layer = "transformer_blocks.2.attn.to_q"
    loaded, plain = ours.get_submodule(layer), base.get_submodule(layer)
    tensors = load_file(path)
    a, b = (tensors[f"transformer.{layer}.lora_{side}.weight"] for side in "AB")
    assert b.abs().max() > 0
    x = torch.randn(3, 192, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = plain(x) + 3.0 * x @ a.T @ b.T  # alpha / rank
        torch.testing.assert_close(loaded(x), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(stock.transformer.get_submodule(layer)(x), expected)


def test_only_the_adapter_is_trained(rows, encoders, tmp_path):
    finished(rows, tmp_path, encoders)
    base = pxs.load("mini", adapter=None).checkpoint.fingerprint
    assert base == adapter_notes(tmp_path / "adapter.safetensors")["pxs.base"]
    assert (tmp_path / "adapter.safetensors").stat().st_size < 1_000_000


def test_a_finished_training_does_nothing(trained, rows, encoders):
    before = sha(trained[0])
    assert finished(rows, trained[0], encoders, SETTINGS.updated({"sample_every": 3})) == []
    assert sha(trained[0]) == before


def test_an_interrupted_training_ends_with_the_same_adapter(trained, rows, encoders, tmp_path):
    for _ in train(rows, SETTINGS.updated({"sample_every": 3}), tmp_path, *encoders):
        break
    (newest,) = (tmp_path / "checkpoints").glob("*.safetensors")
    newest.write_bytes(newest.read_bytes()[:-1])  # a damaged state: the training starts again
    finished(rows, tmp_path, encoders, SETTINGS.updated({"sample_every": 3}))
    assert sha(tmp_path) == sha(trained[0])


def test_other_settings_or_data_are_rejected_on_resume(trained, rows, encoders):
    with pytest.raises(TrainingError, match=r"with lr 0\.01, not 0\.5"):
        finished(rows, trained[0], encoders, SETTINGS.updated({"sample_every": 3, "lr": 0.5}))
    with pytest.raises(TrainingError, match="on other data"):
        finished(rows[:5], trained[0], encoders, SETTINGS.updated({"sample_every": 3}))


def test_losses_that_stay_not_finite_end_the_training_and_keep_the_state(rows, encoders, tmp_path):
    class NotFinite(type(encoders[0])):
        def embed_pixels(self, pixels):
            return super().embed_pixels(pixels) * (1 if len(steps) < 2 or not torch.is_grad_enabled() else float("nan"))

    steps = []
    settings = SETTINGS.updated({"steps": 20})
    with pytest.raises(TrainingError, match=r"not finite for 3 steps up to 5 \(last samples: .*_source\.png\)"):
        for step in train(rows, settings, tmp_path, NotFinite("broken"), encoders[1]):
            steps.append(step)
    assert not (tmp_path / "adapter.safetensors").exists()
    assert len(list((tmp_path / "checkpoints").glob("*.json"))) == 2
    log = [json.loads(line, parse_constant=pytest.fail) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["moved"] for row in log] == [True, True, False, False, False]
    assert log[-1]["loss"] is None


def test_one_step_that_is_not_finite_is_skipped_and_counted(rows, encoders, tmp_path):
    class OnceNotFinite(type(encoders[0])):
        def embed_pixels(self, pixels):
            return super().embed_pixels(pixels) * (float("nan") if len(steps) == 1 and torch.is_grad_enabled() else 1)

    steps = []
    for step in train(rows, SETTINGS, tmp_path, OnceNotFinite("broken once"), encoders[1]):
        steps.append(step)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["steps_left_out"] == 1 and np.isfinite(results["loss"])
    assert all(bool(v.isfinite().all()) for v in load_file(tmp_path / "adapter.safetensors").values())


def test_a_gradient_that_is_not_finite_does_not_change_the_weights(rows, encoders, tmp_path):
    class InfiniteGradient(torch.autograd.Function):
        @staticmethod
        def forward(_, x):
            return x.clone()

        @staticmethod
        def backward(_, gradient):
            return gradient * float("inf")

    class Unbounded(type(encoders[0])):
        def embed_pixels(self, pixels):
            return super().embed_pixels(InfiniteGradient.apply(pixels))

    with pytest.raises(TrainingError, match="gradient are not finite for 3 steps up to 3"):
        finished(rows, tmp_path, (Unbounded("unbounded"), encoders[1]))
    _, groups, _ = TrainingStates(tmp_path / "checkpoints").newest()
    assert all(bool(v.isfinite().all()) for v in groups["weights"].values())


def test_too_few_rows_are_rejected_before_anything_is_written(rows, encoders, tmp_path):
    with pytest.raises(TrainingError, match="4 rows are fewer than a batch of 9"):
        finished(rows, tmp_path / "new", encoders, SETTINGS.updated({"batch": 9}))
    assert not (tmp_path / "new").exists()


def test_an_adapter_of_another_base_is_rejected(trained, tmp_path):
    tensors = load_file(trained[0] / "adapter.safetensors")
    wide = {k: torch.cat([v, v], dim=1) if ".lora_A." in k else v for k, v in tensors.items()}
    save_file(wide, tmp_path / "other.safetensors")
    with pytest.raises(AdapterError, match="does not fit this model"):
        pxs.load("mini", adapter=tmp_path / "other.safetensors")
