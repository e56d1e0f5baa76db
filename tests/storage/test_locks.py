"""One writer at a time: a second process is refused in one line, and a writer that ended leaves no lock."""

import subprocess
import sys

import pytest

from pxs.cli import main
from pxs.errors import OutputError
from pxs.storage.files import append_line
from pxs.storage.locks import locked, writing

HOLD = """
import sys
from pathlib import Path
from pxs.storage.locks import writing
with writing(sys.argv[1]) as folder:
    (folder / "mine").touch()
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def busy(tmp_path):
    """A folder that another process is writing in, and that process."""
    folder = tmp_path / "out"
    command = [sys.executable, "-c", HOLD, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    yield folder, process
    process.communicate()


COMMANDS = {
    "faces": ["faces", "--count", "1", "--size", "16", "--out"],
    "set": ["faces", "--ffe", "1", "--size", "16", "--out"],
    "edit": ["edit", "--image-path", "face.png", "--mix", "happy=1", "--steps", "1", "--output-dir"],
    "blend": ["blend", "--image-path", "face.png", "--steps", "1", "--out"],
    "train": ["train", "--data", "set/train.jsonl", "--steps", "1", "--set", "batch=1", "--out"],
}


def test_every_command_refuses_a_folder_that_another_process_writes_in(busy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["faces", "--count", "1", "--out", "."]) == 0
    (tmp_path / "human_000_neutral.png").rename("face.png")
    assert main(["faces", "--ffe", "4", "--size", "16", "--out", "set"]) == 0
    capsys.readouterr()
    folder, process = busy
    for words in COMMANDS.values():
        assert main([*words, str(folder)]) == 2
        said = capsys.readouterr()
        assert said.out == "" and "another process is writing in" in said.err.splitlines()[-1]
        assert sorted(p.name for p in folder.iterdir()) == [".writing.lock", "mine"]
    process.communicate()
    assert [p.name for p in folder.iterdir()] == ["mine"]
    assert main([*COMMANDS["faces"], str(folder)]) == 0


def test_a_killed_writer_locks_nobody_out(busy):
    folder, process = busy
    process.kill()
    process.wait()
    with writing(folder):
        pass
    assert [p.name for p in folder.iterdir()] == ["mine"]


def test_a_folder_that_nothing_was_written_in_is_removed_again(tmp_path):
    with pytest.raises(KeyError), writing(tmp_path / "a" / "b"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    with writing(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine").is_dir()


def test_a_lock_is_held_by_one_and_told_to_others(tmp_path):
    with locked(tmp_path / "a.lock") as first, locked(tmp_path / "b.lock") as other:
        assert first and other
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"), locked(tmp_path / "file" / "a.lock"):
        pass


def test_a_line_is_added_whole_or_not_at_all(tmp_path):
    log = tmp_path / "log.jsonl"
    for line in ("one", "zwei ü"):
        append_line(log, line)
    assert log.read_text(encoding="utf-8") == "one\nzwei ü\n"
    with pytest.raises(OutputError, match="No space left"):
        append_line("/dev/full", "three")
    with pytest.raises(OutputError, match="cannot be written"):
        append_line(tmp_path, "three")
