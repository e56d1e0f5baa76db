"""States on disk: whole or not at all, checked by hash, the two newest kept, and a full disk loses nothing."""

import errno
import os
import platform
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from pxs.errors import OutputError
from pxs.storage.files import replace_file
from pxs.storage.states import TrainingStates

GROUPS = {"weights": {"a.b/c": torch.arange(6.0).view(2, 3)}, "optimiser": {"0.step": torch.tensor(3.0)}}


@pytest.fixture
def checkpoints(tmp_path):
    return TrainingStates(tmp_path / "deep" / "folder")


def test_an_empty_folder_has_no_newest_state(checkpoints):
    assert checkpoints.newest() is None and checkpoints.files() == []


def test_a_saved_state_comes_back_whole(checkpoints):
    checkpoints.save(12, GROUPS, {"lr": 0.1})
    step, groups, notes = checkpoints.newest()
    assert (step, notes, groups.keys()) == (12, {"lr": 0.1}, GROUPS.keys())
    assert all(torch.equal(groups[g][k], v) for g, group in GROUPS.items() for k, v in group.items())


def test_the_two_newest_are_kept(checkpoints):
    for step in (1, 2, 3, 10):
        checkpoints.save(step, GROUPS, {})
    assert [f.stem for f in checkpoints.files()] == ["step-0000003", "step-0000010"]
    assert len(list(checkpoints.folder.iterdir())) == 4


def flip_a_bit(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_bit,
        lambda f: os.truncate(f, f.stat().st_size - 1),
        lambda f: f.with_suffix(".json").unlink(),
        lambda f: f.with_suffix(".json").write_text("{"),
        lambda f: f.with_suffix(".json").write_text("{}"),
    ],
    ids=["a bit flipped", "a byte missing", "no manifest", "half a manifest", "an empty manifest"],
)
def test_a_damaged_state_falls_back_to_the_one_before(checkpoints, damage, capsys):
    for step in (1, 2):
        checkpoints.save(step, GROUPS, {})
    damage(checkpoints.files()[-1])
    assert checkpoints.newest()[0] == 1
    assert "step-0000002.safetensors cannot be used" in capsys.readouterr().out


def test_a_disk_that_fills_up_while_writing_leaves_the_old_file(tmp_path, checkpoints, monkeypatch):
    checkpoints.save(1, GROUPS, {})
    target = tmp_path / "file"
    replace_file(target, b"old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        replace_file(target, b"new")
    with pytest.raises(OutputError, match="No space left"):
        checkpoints.save(2, GROUPS, {})
    assert target.read_bytes() == b"old" and checkpoints.newest()[0] == 1
    assert not list(tmp_path.rglob("*.partial")) and len(list(checkpoints.folder.iterdir())) == 2


def test_a_state_is_read_to_where_torch_puts_tensors(tmp_path):
    """The order within a file is random, and some products depend on the alignment of what they read."""
    checkpoints = TrainingStates(tmp_path)
    tensors = {f"t{n}": torch.full((n, 3), float(n)) for n in range(1, 20)}
    checkpoints.save(1, {"weights": tensors}, {})
    _, groups, _ = checkpoints.newest()
    assert all(tensor.data_ptr() % 64 == 0 for tensor in groups["weights"].values())
    assert all(torch.equal(groups["weights"][name], tensor) for name, tensor in tensors.items())


KILLED = """
import os, signal, sys
from pathlib import Path
from pxs.storage import files
files.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
files.replace_file(Path(sys.argv[1]), b"half")
"""


def test_what_a_killed_writer_left_is_removed_by_the_next_but_not_that_of_a_living_one(tmp_path):
    target = tmp_path / "file"
    assert subprocess.run([sys.executable, "-c", KILLED, str(target)]).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    living = tmp_path / f".{platform.node()}-{os.getpid()}-1a.partial"
    living.write_bytes(b"")
    replace_file(tmp_path / "another", b"whole")
    assert {f.name for f in tmp_path.iterdir()} == {"another", living.name} and left.name.endswith(".partial")


def test_two_threads_may_write_the_same_file(tmp_path):
    target, contents = tmp_path / "file", [bytes([i]) * 10_000 for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: [replace_file(target, content) for _ in range(20)], contents))
    assert target.read_bytes() in contents and list(tmp_path.iterdir()) == [target]
