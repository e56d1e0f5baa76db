"""`pxs train`: adapter, results and TensorBoard events, and one line for every error."""

import json

import pytest
from tensorboardX.proto import event_pb2

import pxs
from pxs.cli import main


def test_the_command_trains_and_the_adapter_edits(data, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["train", "--data", str(data), "--out", str(out), "--steps", "2", "--seed", "3"]
    assert main([*arguments, "--set", "batch=2", "rank=4", "contrast=none", "identity_weight=0"]) == 0
    assert capsys.readouterr().out.split() == [str(out / "adapter.safetensors"), str(out / "results.json")]
    results = json.loads((out / "results.json").read_text())
    assert results["steps"] == 2 and results["settings"]["seed"] == 3 and results["settings"]["rank"] == 4
    editor = pxs.load("mini", adapter=out / "adapter.safetensors")
    assert editor.provenance["adapter_hash"] == results["adapter_sha256"]


def test_tensorboard_gets_the_values_of_the_log(data, tmp_path):
    out = tmp_path / "out"
    arguments = ["train", "--data", str(data), "--out", str(out), "--steps", "2", "--tensorboard"]
    changes = ["batch=2", "rank=2", "contrast=none", "identity_weight=0", "validation=0.2", "validate_every=2"]
    assert main([*arguments, "--set", *changes]) == 0
    (file,) = (out / "tensorboard").iterdir()
    written = {(value.tag, event.step): value.simple_value for event in events(file) for value in event.summary.value}
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    expected = {(k, row["step"]): row[k] for row in log for k in ("loss", "flow", "rate", "validation") if k in row}
    assert written == pytest.approx(expected)


def events(file):
    """The events of a TensorBoard file: each has its length (8 bytes) and two checksums (4 bytes) around it."""
    content = file.read_bytes()
    while content:
        size = int.from_bytes(content[:8], "little")
        yield event_pb2.Event.FromString(content[12 : 12 + size])
        content = content[16 + size :]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--steps", "0"], "steps 0 is too small"),
        (["--set", "rank"], "not NAME=VALUE"),
        (["--set", "rang=3"], "unknown settings ['rang']"),
        (["--config", "none.json"], "cannot be read"),
    ],
)
def test_errors_are_one_line_with_status_2(data, tmp_path, capsys, arguments, expected):
    assert main(["train", "--data", str(data), "--out", str(tmp_path / "out"), *arguments]) == 2
    message = capsys.readouterr().err
    assert expected in message and message.count("\n") == 1 and not (tmp_path / "out").exists()
