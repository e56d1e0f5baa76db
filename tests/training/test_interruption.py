"""Interruptions: killed at any time a training resumes to the same adapter; SIGTERM saves its state first."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from pxs.training.interruption import sigterm_event

SETTINGS = {"batch": 1, "rank": 2, "save_every": 1, "precision": "no", "warmup": 0}
SETTINGS |= {"contrast": "none", "identity_weight": 0.0, "steps": 60, "validation": 0}


def sha(folder):
    return hashlib.sha256((Path(folder) / "adapter.safetensors").read_bytes()).hexdigest()


KILLS = 20


SCRIPT = """
import os, random, signal, sys, time
sys.path.insert(0, {here!r})
import torch
torch.set_num_threads(1)
from conftest import RandomEncoder
from pxs.data.ffe import read
from pxs.training.settings import Settings
from pxs.training.trainer import train
import diffusers, transformers, peft

data, folder, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
rows, settings = read(data), Settings(**{settings!r})

def run():
    for _ in train(rows, settings, folder, RandomEncoder("features"), RandomEncoder("identity")):
        pass

random.seed(kills)
killed = 0
while True:
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        run()
        os._exit(0)
    if killed < kills:
        log = os.path.join(folder, "log.jsonl")
        before = os.path.getsize(log) if os.path.exists(log) else 0
        while not (os.path.exists(log) and os.path.getsize(log) != before):  # until it trains again
            time.sleep(0.005)
        deadline = time.monotonic() + random.uniform(0, 0.5)
        while time.monotonic() < deadline:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            time.sleep(0.002)
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            killed += 1
            continue
    else:
        _, status = os.waitpid(child, 0)
    assert status == 0, status
    break
print(killed)
"""


def test_a_training_killed_20_times_ends_with_the_same_adapter(data, tmp_path):
    code = SCRIPT.format(here=os.path.dirname(__file__), settings=SETTINGS)
    hashes = []
    for kills in (0, KILLS):
        folder = tmp_path / str(kills)
        command = [sys.executable, "-c", code, str(data), str(folder), str(kills)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        hashes.append(sha(folder))
    assert int(done.stdout) >= KILLS // 2  # it may finish before the last kill
    assert hashes[0] == hashes[1]


def test_sigterm_saves_the_state_and_sets_the_exit_status(data, tmp_path):
    command = [sys.executable, "-m", "pxs.cli", "train", "--data", str(data), "--out", str(tmp_path / "out")]
    command += ["--steps", "300", "--set", "batch=1", "rank=2", "save_every=0", "contrast=none", "identity_weight=0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "out" / "log.jsonl"
    while not (log.exists() and log.read_text().count("\n") >= 2):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, message = process.communicate()
    assert process.returncode == 143 and "stopped and saved" in message
    (state,) = (tmp_path / "out" / "checkpoints").glob("*.json")
    assert json.loads(state.read_text())["step"] == log.read_text().count("\n") < 300


def test_the_event_is_set_by_sigterm_and_the_handler_is_restored():
    before = signal.getsignal(signal.SIGTERM)
    with sigterm_event() as event:
        assert not event.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert event.wait(10)
    assert signal.getsignal(signal.SIGTERM) is before


def test_another_thread_leaves_the_handler_alone():
    before, during = signal.getsignal(signal.SIGTERM), []

    def work():
        with sigterm_event() as event:
            during.append((signal.getsignal(signal.SIGTERM), event.is_set()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert during == [(before, False)]
