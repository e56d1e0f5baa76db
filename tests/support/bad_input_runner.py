"""Runs bad inputs of the command line: one process imports all that is heavy, and forks a child for each.

    outcomes = run_all(["an unknown command"], folder)

`run_all` starts that process, which never runs torch itself. As many cases run at once as there are cores; each in a
folder of its own with face.png in it, with a home and a folder for temporary files elsewhere, and without a network.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import pkgutil
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from bad_input import Case

from pxs.faces.draw import draw
from pxs.faces.identity import Identity

ROOT = Path(__file__).parents[2]
MEMORY = 2**30  # bytes that a command may take beyond what the imports took
CPU_SECONDS, SECONDS = 20, 120  # of the processor; by the clock, on a busy machine
ROOMS = (
    "app",
    "batch",
    "benchmark",
    "commands",
    "data",
    "editing",
    "encoders",
    "faces",
    "ffe",
    "images",
    "judging",
    "storage",
    "study",
    "training",
    "video",
)

SOUND = Case(
    "a sound command", ("edit", "--image-path", "face.png", "--mix", "happy=1", "--steps", "1", "--output-dir", "out")
)
"""No bad input: it shows that the runner notices what a command writes."""


class Outcome(NamedTuple):
    """What a command did. status: below 0 it was killed by this signal. written: what changed in its folders."""

    status: int
    out: str
    err: str
    grown: int  # bytes
    written: list[str]


def collect() -> list[Case]:
    """The CASES of every tests/bad_input/cases_*.py."""
    cases: list[Case] = []
    for file in sorted((ROOT / "tests" / "bad_input").glob("cases_*.py")):
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        cases += module.CASES
    return cases


def run_all(names: Sequence[str], folder: Path) -> dict[str, Outcome]:
    """The outcomes of the cases of these names; `folder` is for what they need meanwhile."""
    home = folder / "home"
    home.mkdir()
    caches = ("HOME", "HF_HOME", "XDG_CACHE_HOME", "TORCH_HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR")
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    environment = {
        **os.environ,
        **dict.fromkeys(caches, str(home)),
        **dict.fromkeys(threads, "1"),
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}",
        "PYTHONUTF8": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    (folder / "names.json").write_text(json.dumps(list(names)))
    command = [sys.executable, __file__, str(folder)]
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: Outcome(*json.loads(_record(folder, i).read_text())) for i, name in enumerate(names)}


def _record(folder: Path, number: int) -> Path:
    return folder / f"{number}.json"


# From here on in the process of `run_all`.


def _main(folder: Path) -> None:
    """Run the cases that names.json names, and write a record of each."""
    by_name = {case.name: case for case in (SOUND, *collect())}
    _import_all()
    _cut_network()
    draw(Identity.sample(1)).save(folder / "face.png")
    running = 0
    for number, name in enumerate(json.loads((folder / "names.json").read_text())):
        if running == len(os.sched_getaffinity(0)):
            os.wait()
            running -= 1
        running += 1
        if os.fork() == 0:
            _supervise(by_name[name], folder, number)
    while running:
        os.wait()
        running -= 1


def _import_all() -> None:
    for room in ROOMS:
        package = importlib.import_module(f"pxs.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for module in ("pxs.cli", "datasets", "openai", "peft"):
        importlib.import_module(module)
    from diffusers import AutoencoderKLQwenImage, QwenImageEditPlusPipeline, QwenImageTransformer2DModel  # noqa: F401
    from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2VLProcessor  # noqa: F401


def _cut_network() -> None:
    """Only this machine can be reached."""
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def is_here(host: Any) -> bool:
        return host in (None, "localhost", "::1") or str(host).startswith("127.")

    def only_here(host: Any, *rest: Any, **more: Any) -> Any:
        if not is_here(host):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return look_up(host, *rest, **more)

    def connected(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_here(address[0]):
            raise OSError("Network is unreachable")
        connect(self, address)

    socket.getaddrinfo, socket.socket.connect = only_here, connected


def _supervise(case: Case, folder: Path, number: int) -> NoReturn:
    """In a child: run the case in a child again and write its record."""
    status = 1
    try:
        place = folder / str(number)
        outcome = _outcome(case, place)
        _record(folder, number).write_text(json.dumps(outcome))
        _remove(place)
        status = 0
    except BaseException:
        said = traceback.format_exc()
        _record(folder, number).write_text(json.dumps(Outcome(1, "", f"the case could not be run\n{said}", 0, [])))
    finally:
        os._exit(status)


def _outcome(case: Case, place: Path) -> Outcome:
    work, temporary = place / "work", place / "tmp"
    for made in (place, work, temporary):
        made.mkdir()
    shutil.copyfile(place.parent / "face.png", work / "face.png")
    case.make(work)
    before = {**_tree(work), **_tree(temporary)}
    child = os.fork()
    if child == 0:
        _become(case.argv, work, temporary)
    ended, grown = _end_of(child)
    after = {**_tree(work), **_tree(temporary)}
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    said = [(place / stream).read_text(errors="backslashreplace") for stream in ("out", "err")]
    return Outcome(ended, said[0], said[1], grown, [os.path.relpath(name, place) for name in changed])


def _become(argv: Sequence[str], work: Path, temporary: Path) -> NoReturn:
    """Turn this process into the command, under limits."""
    os.setsid()
    os.chdir(work)
    os.environ["TMPDIR"], tempfile.tempdir = str(temporary), None
    for number, target, mode in ((0, os.devnull, os.O_RDONLY), (1, "../out", os.O_WRONLY), (2, "../err", os.O_WRONLY)):
        os.dup2(os.open(target, mode | (os.O_CREAT if number else 0)), number)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    status = 1
    try:
        from pxs.cli import main

        sys.argv = ["pxs", *argv]
        status = main(argv)
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _end_of(child: int) -> tuple[int, int]:
    """The exit status of a child, and the bytes by which it grew; one that takes too long is killed with its own."""
    begun = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    latest = time.monotonic() + SECONDS
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status), 1024 * usage.ru_maxrss - begun
        if time.monotonic() > latest:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.01)


def _tree(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Everything in a folder: kind and permissions, and the content of files or the target of links."""
    found: dict[str, tuple[Any, ...]] = {}
    for at, folders, files in os.walk(folder):
        for name in (os.path.join(at, n) for n in (*folders, *files)):
            mode = os.lstat(name).st_mode
            content = ""
            if stat.S_ISLNK(mode):
                content = os.readlink(name)
            elif stat.S_ISREG(mode) and os.access(name, os.R_OK):
                with open(name, "rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
            found[name] = (mode, content)
    return found


def _remove(place: Path) -> None:
    for at, folders, _ in os.walk(place):
        for name in folders:
            if not os.path.islink(os.path.join(at, name)):
                os.chmod(os.path.join(at, name), 0o700)
    shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
