"""The trainer: what it writes loads anywhere with the same effect; no kill, damage or change goes unnoticed."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tensorboardX.proto import event_pb2

import pxs
from pxs.cli import main
from pxs.data.ffe import Target, read, write
from pxs.editing.adapters import adapter_notes
from pxs.editing.checkpoints import BUNDLED, load_pipeline
from pxs.encoders.arcface import ArcFaceEncoder
from pxs.encoders.features import MiniFeatures
from pxs.encoders.identity import MiniIdentityEncoder
from pxs.errors import AdapterError, JudgeError, TrainingError
from pxs.storage.states import TrainingStates
from pxs.training import encoders as choosing
from pxs.training.order import data_hash, order, remaining_rows, split
from pxs.training.settings import TARGETS, Settings
from pxs.training.trainer import train

TINY = {"batch": 1, "rank": 2, "save_every": 1, "precision": "no", "warmup": 0}
SETTINGS = Settings(**TINY, steps=3, alpha=6, lr=1e-2, validation=0.34, validate_every=2)
FLOW_ONLY = {"contrast": "none", "identity_weight": 0.0}


def finished(rows, folder, eyes, settings=SETTINGS):
    return list(train(rows, settings, folder, *eyes))


@pytest.fixture(scope="module")
def trained(rows, eyes, tmp_path_factory):
    """The folder of a finished training, and its steps."""
    folder = tmp_path_factory.mktemp("trained")
    return folder, finished(rows, folder, eyes, SETTINGS.updated({"sample_every": 3}))


def sha(folder):
    return hashlib.sha256((Path(folder) / "adapter.safetensors").read_bytes()).hexdigest()


def test_every_step_is_told_and_logged(trained):
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


def test_the_adapter_says_what_it_is(trained):
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


def test_only_the_adapter_is_trained(rows, eyes, tmp_path):
    finished(rows, tmp_path, eyes)
    base = pxs.load("mini", adapter=None).checkpoint.fingerprint
    assert base == adapter_notes(tmp_path / "adapter.safetensors")["pxs.base"]
    assert (tmp_path / "adapter.safetensors").stat().st_size < 1_000_000


def test_a_finished_training_is_not_run_again(trained, rows, eyes):
    before = sha(trained[0])
    assert finished(rows, trained[0], eyes, SETTINGS.updated({"sample_every": 3})) == []
    assert sha(trained[0]) == before


def test_a_training_cut_short_ends_as_if_it_had_not_been(trained, rows, eyes, tmp_path):
    for _ in train(rows, SETTINGS.updated({"sample_every": 3}), tmp_path, *eyes):
        break
    (newest,) = (tmp_path / "checkpoints").glob("*.safetensors")
    newest.write_bytes(newest.read_bytes()[:-1])  # and the state damaged: it begins again
    finished(rows, tmp_path, eyes, SETTINGS.updated({"sample_every": 3}))
    assert sha(tmp_path) == sha(trained[0])


def test_other_settings_or_data_are_refused_on_resume(trained, rows, eyes):
    with pytest.raises(TrainingError, match=r"with lr 0\.01, not 0\.5"):
        finished(rows, trained[0], eyes, SETTINGS.updated({"sample_every": 3, "lr": 0.5}))
    with pytest.raises(TrainingError, match="on other data"):
        finished(rows[:5], trained[0], eyes, SETTINGS.updated({"sample_every": 3}))


def test_a_judge_that_scores_is_refused(rows, eyes, tmp_path):
    scorer = type(eyes[0])("scorer")
    scorer.role = "score"
    with pytest.raises(TrainingError, match="must not be trained against"):
        finished(rows, tmp_path, (scorer, eyes[1]))
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_stays_not_finite_ends_the_training_and_keeps_the_state(rows, eyes, tmp_path):
    class Sick(type(eyes[0])):
        def embed_pixels(self, pixels):
            return super().embed_pixels(pixels) * (1 if len(steps) < 2 or not torch.is_grad_enabled() else float("nan"))

    steps = []
    settings = SETTINGS.updated({"steps": 20})
    with pytest.raises(TrainingError, match=r"not finite for 3 steps up to 5 \(last samples: .*_source\.png\)"):
        for step in train(rows, settings, tmp_path, Sick("sick"), eyes[1]):
            steps.append(step)
    assert not (tmp_path / "adapter.safetensors").exists()
    assert len(list((tmp_path / "checkpoints").glob("*.json"))) == 2
    log = [json.loads(line, parse_constant=pytest.fail) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["moved"] for row in log] == [True, True, False, False, False]
    assert log[-1]["loss"] is None


def test_one_step_that_is_not_finite_is_left_out_and_told(rows, eyes, tmp_path):
    class Dizzy(type(eyes[0])):
        def embed_pixels(self, pixels):
            return super().embed_pixels(pixels) * (float("nan") if len(steps) == 1 and torch.is_grad_enabled() else 1)

    steps = []
    for step in train(rows, SETTINGS, tmp_path, Dizzy("dizzy"), eyes[1]):
        steps.append(step)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["steps_left_out"] == 1 and np.isfinite(results["loss"])
    assert all(bool(v.isfinite().all()) for v in load_file(tmp_path / "adapter.safetensors").values())


def test_a_finite_loss_with_a_gradient_that_is_not_leaves_the_weights_alone(rows, eyes, tmp_path):
    class Steep(torch.autograd.Function):
        @staticmethod
        def forward(_, x):
            return x.clone()

        @staticmethod
        def backward(_, gradient):
            return gradient * float("inf")

    class Cliff(type(eyes[0])):
        def embed_pixels(self, pixels):
            return super().embed_pixels(Steep.apply(pixels))

    with pytest.raises(TrainingError, match="gradient are not finite for 3 steps up to 3"):
        finished(rows, tmp_path, (Cliff("cliff"), eyes[1]))
    _, groups, _ = TrainingStates(tmp_path / "checkpoints").newest()
    assert all(bool(v.isfinite().all()) for v in groups["weights"].values())


@pytest.fixture(scope="module")
def photographer(tmp_path_factory):
    """The folder of a model that passes for one of photographs: it does not say that it knows drawn faces only."""
    copy = tmp_path_factory.mktemp("photographs") / "model"
    shutil.copytree(BUNDLED["mini"], copy)
    (copy / "workbench.json").write_text('{"resolution": 128}')
    return copy


@pytest.mark.parametrize("eyes_for_drawings", [{"features": MiniFeatures}, {"identity": MiniIdentityEncoder}])
def test_a_model_of_photographs_is_not_trained_through_eyes_for_drawings(
    rows, photographer, tmp_path, eyes_for_drawings
):
    given = {name: judge() for name, judge in eyes_for_drawings.items()}
    with pytest.raises(TrainingError, match="is no model of drawn faces, but mini-"):
        list(train(rows, SETTINGS.updated({"model": str(photographer)}), tmp_path / "out", **given))


def test_the_command_trains_a_model_of_photographs_through_clip_and_arcface(
    data, eyes, analysis, photographer, tmp_path, monkeypatch
):
    domains, loss = [], ArcFaceEncoder(analysis=analysis)
    monkeypatch.setattr(choosing, "ClipFeatures", lambda domain, device: domains.append(domain) or eyes[0])
    monkeypatch.setattr(choosing, "ArcFaceEncoder", lambda: loss)
    human = [row for row in read(data) if row.domain == "human"]
    write(tmp_path / "photos.jsonl", human)
    changes = [f"model={photographer}", "batch=2", "rank=2", "precision=no", "validation=0", "gate=1000"]
    command = ["train", "--data", str(tmp_path / "photos.jsonl"), "--out", str(tmp_path / "out"), "--steps", "2"]
    assert main([*command, "--set", *changes]) == 0
    assert domains == ["human"]
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["identity"] > 0 and results["contrast"] > 0 and results["steps_left_out"] == 0


def test_the_identity_loss_of_photographs_moves_the_adapter(rows, analysis, photographer, tmp_path):
    hashes = []
    for weight in (0.0, 1.0):
        given = {"model": str(photographer), "contrast": "none", "identity_weight": weight, "gate": 1000.0}
        folder = tmp_path / str(weight)
        list(train(rows, SETTINGS.updated(given), folder, identity=ArcFaceEncoder(analysis=analysis)))
        hashes.append(sha(folder))
    assert hashes[0] != hashes[1]


def test_judges_of_photographs_that_no_loss_needs_are_not_required(rows, photographer, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(choosing, "ClipFeatures", lambda *_, **__: made.append("clip"))
    monkeypatch.setattr(choosing, "ArcFaceEncoder", lambda: made.append("arcface"))
    settings = SETTINGS.updated({"model": str(photographer), **FLOW_ONLY})
    assert len(list(train(rows, settings, tmp_path / "out"))) == 3
    assert made == []


def test_a_face_that_is_not_found_names_the_file(rows, analysis, photographer, tmp_path):
    analysis.get = lambda image: []
    settings = SETTINGS.updated({"model": str(photographer), "contrast": "none"})
    with pytest.raises(JudgeError, match=r"images/.*\.png': no face is found in it: leave it out") as caught:
        list(train(rows, settings, tmp_path / "out", identity=ArcFaceEncoder(analysis=analysis)))
    assert any(str(t.image) in str(caught.value) for row in rows for t in row.targets)
    assert "\n" not in str(caught.value)


def test_photographs_of_both_domains_need_two_trainings(rows, photographer, tmp_path):
    settings = SETTINGS.updated({"model": str(photographer)})
    assert {row.domain for row in rows} == {"anime", "human"}
    with pytest.raises(TrainingError, match="domains anime and human, each with a CLIP of its own") as caught:
        list(train(rows, settings, tmp_path / "out"))
    assert "\n" not in str(caught.value)


def test_too_few_rows_are_refused_before_anything_is_written(rows, eyes, tmp_path):
    with pytest.raises(TrainingError, match="4 rows are fewer than a batch of 9"):
        finished(rows, tmp_path / "new", eyes, SETTINGS.updated({"batch": 9}))
    assert not (tmp_path / "new").exists()


def test_every_epoch_takes_every_row_once():
    settings = replace(SETTINGS, batch=4)
    seen = [i for step in range(30) for i in order(10, settings, step)]
    epochs = np.array(seen).reshape(12, 10)
    assert all(sorted(e) == list(range(10)) for e in epochs.tolist())
    assert not np.array_equal(epochs[0], epochs[1])
    assert order(10, settings, 7) != order(10, settings.updated({"seed": 1}), 7)


@pytest.mark.parametrize("steps", [3, 7, 20])
def test_the_rows_of_the_coming_steps_are_those_that_they_take(steps):
    settings = replace(SETTINGS, batch=4, steps=steps)
    for first in (0, 1, steps):
        taken = {i for step in range(first, steps) for i in order(10, settings, step)}
        assert remaining_rows(10, settings, first) == sorted(taken)


def test_rows_are_held_back_by_the_seed(rows):
    training, held_back = split(rows, SETTINGS)
    assert len(held_back) == 2 and len(training) == 4
    assert {r.source for r in training}.isdisjoint(r.source for r in held_back)
    assert split(rows, SETTINGS) == (training, held_back)


def test_the_data_hash_sees_scores_and_pictures(rows, tmp_path):
    target = rows[0].targets[0]
    other = Target(target.image, target.category, target.scores * 0.5)
    changed = [replace(rows[0], targets=(other, rows[0].targets[1])), *rows[1:]]
    swapped = [replace(rows[0], source=rows[1].source), *rows[1:]]
    assert len({data_hash(rows), data_hash(changed), data_hash(swapped)}) == 3
    assert data_hash(rows) == data_hash(list(rows))


KILLS = 20
SCRIPT = """
import os, random, signal, sys, time
sys.path.insert(0, {here!r})
import torch
torch.set_num_threads(1)
from conftest import Encoders
from pxs.data.ffe import read
from pxs.training.settings import Settings
from pxs.training.trainer import train
import diffusers, transformers, peft

data, folder, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
rows, settings = read(data), Settings(**{settings!r})

def run():
    for _ in train(rows, settings, folder, Encoders("features"), Encoders("identity")):
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
        while not (os.path.exists(log) and os.path.getsize(log) != before):  # until it is at work again
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


def test_killed_at_20_random_instants_it_ends_with_the_same_adapter(data, tmp_path):
    settings = {**TINY, **FLOW_ONLY, "steps": 60, "validation": 0}
    code = SCRIPT.format(here=os.path.dirname(__file__), settings=settings)
    hashes = []
    for kills in (0, KILLS):
        folder = tmp_path / str(kills)
        command = [sys.executable, "-c", code, str(data), str(folder), str(kills)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        hashes.append(sha(folder))
    assert int(done.stdout) >= KILLS // 2  # it may come to its end before the last one
    assert hashes[0] == hashes[1]


def test_sigterm_saves_and_ends_with_its_own_status(data, tmp_path):
    command = [sys.executable, "-m", "pxs.cli", "train", "--data", str(data), "--out", str(tmp_path / "out")]
    command += ["--steps", "300", "--set", "batch=1", "rank=2", "save_every=0", "contrast=none", "identity_weight=0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "out" / "log.jsonl"
    while not (log.exists() and log.read_text().count("\n") >= 2):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 143 and "stopped and saved" in said
    (state,) = (tmp_path / "out" / "checkpoints").glob("*.json")
    assert json.loads(state.read_text())["step"] == log.read_text().count("\n") < 300


def test_the_command_trains_and_the_adapter_edits(data, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["train", "--data", str(data), "--out", str(out), "--steps", "2", "--seed", "3"]
    assert main([*arguments, "--set", "batch=2", "rank=4", "contrast=none", "identity_weight=0"]) == 0
    assert capsys.readouterr().out.split() == [str(out / "adapter.safetensors"), str(out / "results.json")]
    results = json.loads((out / "results.json").read_text())
    assert results["steps"] == 2 and results["settings"]["seed"] == 3 and results["settings"]["rank"] == 4
    editor = pxs.load("mini", adapter=out / "adapter.safetensors")
    assert editor.provenance["adapter_hash"] == results["adapter_sha256"]


def test_tensorboard_is_shown_what_the_log_says(data, tmp_path):
    out = tmp_path / "out"
    arguments = ["train", "--data", str(data), "--out", str(out), "--steps", "2", "--tensorboard"]
    changes = ["batch=2", "rank=2", "contrast=none", "identity_weight=0", "validation=0.2", "validate_every=2"]
    assert main([*arguments, "--set", *changes]) == 0
    (file,) = (out / "tensorboard").iterdir()
    shown = {(value.tag, event.step): value.simple_value for event in events(file) for value in event.summary.value}
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    expected = {(k, row["step"]): row[k] for row in log for k in ("loss", "flow", "rate", "validation") if k in row}
    assert shown == pytest.approx(expected)


def events(file):
    """The events of a TensorBoard file: each has its length (8 bytes) and two checksums (4 bytes) around it."""
    content = file.read_bytes()
    while content:
        size = int.from_bytes(content[:8], "little")
        yield event_pb2.Event.FromString(content[12 : 12 + size])
        content = content[16 + size :]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--steps", "0"], "steps 0 is too small"),
        (["--set", "rank"], "not NAME=VALUE"),
        (["--set", "rang=3"], "unknown settings ['rang']"),
        (["--config", "none.json"], "cannot be read"),
    ],
)
def test_mistakes_end_in_one_line_with_status_2(data, tmp_path, capsys, arguments, says):
    assert main(["train", "--data", str(data), "--out", str(tmp_path / "out"), *arguments]) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1 and not (tmp_path / "out").exists()


def test_an_adapter_of_another_base_is_refused(trained, tmp_path):
    tensors = load_file(trained[0] / "adapter.safetensors")
    wide = {k: torch.cat([v, v], dim=1) if ".lora_A." in k else v for k, v in tensors.items()}
    save_file(wide, tmp_path / "other.safetensors")
    with pytest.raises(AdapterError, match="does not fit this model"):
        pxs.load("mini", adapter=tmp_path / "other.safetensors")
