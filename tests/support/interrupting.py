"""Commands that are killed, or whose disk is full, and then run again: one process imports pxs, and forks each run.

    python interrupting.py FOLDER     prints a line of JSON for every interruption of every command

A run can be killed at each flush of a file to the disk and at each renaming, just before it is done. A disk is a tmpfs
in a namespace of its own (`unshare -rm`); without that right it is a limit to the size of files.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, NamedTuple

FAST = ["batch=1", "rank=2", "save_every=1", "contrast=none", "identity_weight=0", "precision=no", "validation=0"]
COMMANDS = {
    "faces": ["faces", "--out", "{out}", "--count", "3", "--size", "32"],
    "set": ["faces", "--out", "{out}", "--ffe", "4", "--size", "16"],
    "bench": ["bench", "--out", "{out}", "--methods", "source", "--tasks", "2"],
    "edit": ["edit", "--output-dir", "{out}", "--image-path", "face.png", "--mix", "happy=1", "--steps", "1"],
    "train": ["train", "--out", "{out}", "--data", "set/train.jsonl", "--steps", "3", "--set", *FAST],
}
"""What is run, in a folder with face.png and a set of six rows in it."""

KILLS = {"faces": 5, "set": 6, "bench": 7, "edit": 2}
"""How many times each is killed, evenly spread from its first write to its last."""


class Ended(NamedTuple):
    """A run: its exit status, below 0 for a signal; standard error; how many flushes and renamings it made."""

    status: int
    err: str
    events: int


def run(command: str, out: Path, killed_at: int = 0, largest: int = 0) -> Ended:
    """Run a command in a child, which kills itself at this event (counted from 1), or writes no larger file."""
    record, errors = Path("events.txt"), Path("errors.txt")  # elsewhere than on the disk that fills up
    child = os.fork()
    if child == 0:
        _run(COMMANDS[command], out, killed_at, largest, record, errors)
    _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), errors.read_text(), int(record.read_text() or 0))


def _run(words: list[str], out: Path, killed_at: int, largest: int, record: Path, errors: Path) -> None:
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        record.write_text("0")
        if largest:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
        _count_events(killed_at, record)
        from pxs.cli import main

        status = main([word.format(out=out) for word in words])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _count_events(killed_at: int, record: Path) -> None:
    descriptor, seen = os.open(record, os.O_WRONLY), 0

    def counted(function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            nonlocal seen
            seen += 1
            os.pwrite(descriptor, str(seen).encode(), 0)
            if seen == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments)

        return call

    os.fsync, os.replace = counted(os.fsync), counted(os.replace)


def contents(command: str, folder: Path) -> dict[str, bytes]:
    """The files in a folder, by path; of a training, which logs its times, the adapter alone. No hidden ones."""
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    seen = {name: file for name, file in files.items() if not name.startswith(".") and "/." not in name}
    chosen = {n: f for n, f in seen.items() if command != "train" or n == "adapter.safetensors"}
    return {name: file.read_bytes() for name, file in chosen.items()}


def left_over(folder: Path) -> list[str]:
    """Temporary files, and the lock of a writer."""
    return [p.name for p in folder.rglob(".*") if p.name.endswith(".partial") or p.name == ".writing.lock"]


def compared(command: str, out: Path, whole: dict[str, bytes]) -> dict[str, Any]:
    """How a folder after an interruption differs from a whole one: files that are not whole, and then, run again."""
    found = contents(command, out)
    torn = [name for name, content in found.items() if not _is_part(name, content, whole.get(name))]
    return {"torn": torn, "missing": len(whole) - len(found)}


def _is_part(name: str, content: bytes, whole: bytes | None) -> bool:
    """Whether a file is whole; records, which grow line by line, may end early, but for half a line."""
    if name.startswith("records/") and whole:
        return whole.startswith(content) and content.endswith(b"\n") or not content
    return content == whole


def again(command: str, out: Path, whole: dict[str, bytes]) -> dict[str, Any]:
    """The same command once more: it goes on, and its folder is then like any other."""
    ended = run(command, out)
    return {"again": ended.status, "said": ended.err, "equal": contents(command, out) == whole, "left": left_over(out)}


def kill(command: str, folder: Path) -> None:
    """Kill a command at points spread over its writes, once a first run has written what is kept for later runs."""
    run(command, folder / "earlier")
    whole = folder / "whole"
    first = run(command, whole)
    assert first.status == 0, first
    expected, count = contents(command, whole), KILLS[command]
    for number in range(count):
        point = 1 + round(number * (first.events - 1) / (count - 1))
        out = folder / f"killed-{point}"
        status = run(command, out, killed_at=point).status
        found = compared(command, out, expected) | again(command, out, expected)
        print(json.dumps({"kind": "kill", "command": command, "status": status, **found}), flush=True)


def fill(command: str, folder: Path) -> None:
    """Run a command on a disk that holds half of what it writes, and again with room."""
    whole = folder / "whole"
    first = run(command, whole)
    assert first.status == 0, first
    expected = contents(command, whole)
    sizes = [p.stat().st_blocks * 512 for p in whole.rglob("*") if p.is_file()]
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={sum(sizes) // 2048}k,nr_inodes=10000", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True).returncode == 0
    largest = 0 if mounted else max(p.stat().st_size for p in whole.rglob("*") if p.is_file()) - 1
    ended = run(command, disk / "out", largest=largest)
    found = compared(command, disk / "out", expected)
    if mounted:
        subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
    found |= again(command, disk / "out", expected)
    print(json.dumps({"kind": "full", "command": command, "status": ended.status, "err": ended.err, **found}))


def interrupted(folder: Path) -> list[dict[str, Any]]:
    """What this file prints as a program; `folder` holds what the commands need."""
    mount = 'mount -t tmpfs tmpfs runs && exec "$@"'  # what is flushed there waits for no disk
    space = ["unshare", "-rm", "sh", "-c", mount, "sh"] if _may_mount() else []
    (folder / "runs").mkdir()
    words = [*space, sys.executable, __file__, str(folder / "runs")]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(root)}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _may_mount() -> bool:
    try:
        with tempfile.TemporaryDirectory() as folder:
            mount = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", folder]
            return subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def _import_all() -> None:
    """What the commands import, so that the children need not."""
    for name in (
        "cli",
        "benchmark.run",
        "data.synthetic_ffe",
        "editing.keeping",
        "judging.expression",
        "training.trainer",
    ):
        importlib.import_module(f"pxs.{name}")


if __name__ == "__main__":
    _import_all()
    for mode, commands in ((kill, KILLS), (fill, COMMANDS)):
        for command in commands:
            place = Path(sys.argv[1]) / f"{mode.__name__}-{command}"
            place.mkdir()
            mode(command, place)
