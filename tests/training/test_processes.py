"""Training by several processes equals that by one, with copied weights (DDP) and with sharded weights (FSDP2)."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from pxs.training.settings import Settings
from pxs.training.trainer import train

WORKER = Path(__file__).with_name("sharding_worker.py")
COPIED, SHARDED = ["-m", "pxs", "train"], [str(WORKER)]
GIVEN = {"batch": 2, "rank": 2, "precision": "no", "save_every": 1, "validation": 0.34, "validate_every": 2}
GIVEN |= {"steps": 3, "lr": 1e-2, "warmup": 0, "identity_weight": 0.0, "sample_every": 3}


def command(script, data, out, **changes):
    """Two processes on CPUs."""
    settings = [f"{name}={value}" for name, value in {**GIVEN, **changes}.items()]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    launch += ["--local-addr", "127.0.0.1"]  # independent of the host name
    return [*launch, *script, "--data", str(data), "--out", str(out), "--set", *settings]


def environment():
    return {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}


def launched(script, data, out, **changes):
    """The words on standard output of two processes, which must succeed."""
    done = subprocess.run(
        command(script, data, out, **changes), capture_output=True, text=True, env=environment(), timeout=240
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split()


@pytest.fixture(scope="module")
def alone(rows, tmp_path_factory):
    """The folder of the same training by one process."""
    folder = tmp_path_factory.mktemp("alone")
    list(train(rows, Settings(**GIVEN), folder))
    return folder


def weights(folder):
    tensors = load_file(folder / "adapter.safetensors")
    return torch.cat([tensors[name].flatten() for name in sorted(tensors) if "lora_B" in name])


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def assert_same_training(folder, alone):
    assert weights(alone).abs().max() > 0.01
    assert (weights(folder) - weights(alone)).norm() < 0.02 * weights(alone).norm()  # Adam amplifies rounding errors
    assert [row["step"] for row in log(folder)] == [1, 2, 3]
    for own, theirs in zip(log(folder), log(alone), strict=True):
        assert own["flow"] == pytest.approx(theirs["flow"], rel=1e-2)
        assert own["contrast"] == pytest.approx(theirs["contrast"], rel=2e-2)
    assert log(folder)[1]["validation"] == pytest.approx(log(alone)[1]["validation"], rel=1e-2)


@pytest.fixture(scope="module", params=[COPIED, SHARDED], ids=["copied", "sharded"])
def together(request, data, tmp_path_factory):
    """The script of the processes, and the folder of their training."""
    out = tmp_path_factory.mktemp("together") / "out"
    printed = launched(request.param, data, out)
    assert printed == [str(out / "adapter.safetensors"), str(out / "results.json")]  # by only one of them
    return request.param, out


def before_the_last_step(folder, target):
    """A copy of a training in its state before the last step."""
    shutil.copytree(folder, target)
    for file in (*target.glob("adapter*"), *target.glob("results*"), *(target / "checkpoints").glob("step-0000003.*")):
        file.unlink()
    return target


def test_two_processes_train_as_one(together, alone):
    _, out = together
    assert_same_training(out, alone)
    assert (out / "samples" / "step-0000003.png").exists()
    one, two = ({p.name for p in (folder / "cache").iterdir()} for folder in (alone, out))
    assert one == two  # every row once


def test_two_processes_resume_a_training_of_one(together, data, alone, tmp_path):
    out = before_the_last_step(alone, tmp_path / "out")
    launched(together[0], data, out)
    assert log(out)[:2] == log(alone)[:2]  # these steps were not repeated
    assert_same_training(out, alone)


def test_one_process_resumes_a_training_of_two(together, rows, alone, tmp_path):
    out = before_the_last_step(together[1], tmp_path / "out")
    assert [step.index for step in train(rows, Settings(**GIVEN), out)] == [2]
    assert_same_training(out, alone)


def test_sigterm_to_one_process_stops_both_with_a_state(data, tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(
        command(COPIED, data, out, steps=500, sample_every=0, contrast="none"),
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    while not (out / "log.jsonl").exists() or len(log(out)) < 2:
        assert process.poll() is None, process.communicate()[1][-3000:]
        time.sleep(0.05)
    *_, last = psutil.Process(process.pid).children()
    last.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    steps = len(log(out))
    assert 2 <= steps < 500 and (out / "checkpoints" / f"step-{steps:07d}.json").exists(), errors[-3000:]
    assert not (out / "adapter.safetensors").exists() and process.returncode != 0
