"""A model stored as its difference from another: as near as its int8 steps allow, the same for all, never half."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pxs.errors import ModelError, OutputError
from pxs.storage import differences
from pxs.storage.differences import assembled, write_difference
from pxs.storage.hashes import file_hash

WEIGHTS = Path("transformer") / "weights.safetensors"


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A base, a model trained from it, and the folder for the difference; the cache is a folder of its own."""
    monkeypatch.setenv("PXS_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    base, model = tmp_path / "base", tmp_path / "model"
    weights = {
        "matrix": rng.normal(size=(6, 40)).astype(np.float16),
        "kernel": rng.normal(size=(3, 2, 3, 3)).astype(np.float32),
        "bias": rng.normal(size=9).astype(np.float16),
        "number": np.array(2.0, np.float16),
        "frozen": rng.normal(size=(4, 4)).astype(np.float16),
    }
    trained = {k: np.asarray(v + rng.normal(size=v.shape) * 0.05, v.dtype) for k, v in weights.items()}
    trained["frozen"] = weights["frozen"]
    trained["matrix"][2] = weights["matrix"][2]  # a row that training did not change
    for folder, held in ((base, weights), (model, trained)):
        (folder / "transformer").mkdir(parents=True)
        save_file(held, folder / WEIGHTS)
        (folder / "transformer" / "config.json").write_text('{"layers": 1}')
        (folder / "model_index.json").write_text("{}")
    (base / "adapter.safetensors").write_bytes((base / WEIGHTS).read_bytes())
    (model / "workbench.json").write_text('{"resolution": 64}')
    save_file({"other": np.zeros(3, np.float16)}, model / "adapter.safetensors")
    return base, model, tmp_path / "difference"


def test_every_weight_is_within_half_a_step_of_the_trained_one(folders):
    base, model, target = folders
    write_difference(*folders)
    before, trained = load_file(base / WEIGHTS), load_file(model / WEIGHTS)
    found = load_file(assembled(base, target) / WEIGHTS)
    for key, value in trained.items():
        assert found[key].dtype == value.dtype and found[key].shape == value.shape
        change = value.astype(np.float64) - before[key]
        step = np.abs(change).reshape(len(value) if value.ndim else 1, -1).max(axis=1) / 127
        step = step.reshape(-1, *[1] * (value.ndim - 1)) if value.ndim else step[0]
        rounding = 1e-6 if value.dtype == np.float32 else np.spacing(np.abs(value)).astype(np.float64)
        assert (np.abs(found[key].astype(np.float64) - value) <= 0.51 * step + rounding).all()
    assert np.array_equal(found["matrix"][2], before["matrix"][2])


def test_only_what_changed_is_stored_and_a_quarter_of_its_float32_size(folders):
    base, _, target = folders
    write_difference(*folders)
    stored = {f.relative_to(target).as_posix() for f in target.rglob("*") if f.is_file()}
    assert stored == {
        "transformer/weights.difference.safetensors",
        "workbench.json",
        "adapter.safetensors",
        "hashes.json",
    }
    assert all(
        v.dtype == np.int8
        for k, v in load_file(target / "transformer" / "weights.difference.safetensors").items()
        if not k.endswith(".scale")
    )
    whole = assembled(base, target)
    assert (whole / "transformer" / "config.json").read_text() == '{"layers": 1}'
    assert load_file(whole / "adapter.safetensors").keys() == {"other"}  # its own, not that of the base


def test_it_is_made_once_and_is_what_its_hashes_say(folders):
    base, _, target = folders
    write_difference(*folders)
    whole = assembled(base, target)
    made = {f: (f.stat().st_mtime_ns, file_hash(f)) for f in whole.rglob("*") if f.is_file()}
    assert assembled(base, target) == whole
    assert {f: (f.stat().st_mtime_ns, file_hash(f)) for f in whole.rglob("*") if f.is_file()} == made
    stated = (whole / "hashes.json").read_text()
    assert made[whole / WEIGHTS][1] in stated and stated == (target / "hashes.json").read_text()


def test_another_adapter_is_unpacked_anew(folders):
    base, _, target = folders
    write_difference(*folders)
    first = assembled(base, target)
    save_file({"newer": np.zeros(3, np.float16)}, target / "adapter.safetensors")
    second = assembled(base, target)
    assert first != second and load_file(second / "adapter.safetensors").keys() == {"newer"}


def test_a_folder_that_cannot_be_written_sends_it_to_the_temporary_files(folders, tmp_path, monkeypatch):
    base, _, target = folders
    write_difference(*folders)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("PXS_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(differences.tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    assert assembled(base, target).is_relative_to(tmp_path / "scratch")
    monkeypatch.setattr(differences.tempfile, "tempdir", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="difference must be unpacked first, and cannot be: .*: set PXS_CACHE"):
        assembled(base, target)


def test_processes_that_unpack_at_the_same_time_get_the_same_folder(folders, tmp_path):
    base, _, target = folders
    write_difference(*folders)
    code = "import sys; from pathlib import Path; from pxs.storage.differences import assembled; "
    code += "print(assembled(*map(Path, sys.argv[1:])))"
    environment = {**os.environ, "PXS_CACHE": str(tmp_path / "cache")}
    started = [
        subprocess.Popen([sys.executable, "-c", code, base, target], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(4)
    ]
    said = {process.communicate()[0] for process in started}
    assert [process.returncode for process in started] == [0] * 4 and len(said) == 1
    assert [f.name for f in (tmp_path / "cache" / "assembled").iterdir()] == [Path(said.pop().strip()).name]


def test_a_difference_of_another_model_is_refused(folders):
    base, model, target = folders
    write_difference(*folders)
    save_file({"matrix": np.zeros((6, 41), np.float16)}, base / WEIGHTS)
    with pytest.raises(ModelError, match="does not fit the model it belongs to: install the package again"):
        assembled(base, target)
    with pytest.raises(ModelError, match="only their values may differ"):
        write_difference(base, model, target)
