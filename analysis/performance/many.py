"""Many pictures: pictures a second for several numbers of worker processes, and the memory of all processes.

    python -m analysis.performance.many --out out/many                      # 1,000 drawn faces, 1 and 2 workers
    python -m analysis.performance.many --pictures 200 --steps 4

Each number of workers edits the same new folder of faces by the command's own code, model loading and gallery
included. A second is counted from the first finished picture to the last, so that loading is left out of "pictures a
second"; "whole, s" has all. Memory is the sum of the unique memory (USS) of this process and its children, sampled
twice a second: its peak in the first and in the last half of the pictures, which are equal where it is flat.

DIR/results.json: {"workers": {"1": {"pictures_a_second", "whole_s", "first_half_gb", "last_half_gb"}}}.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from pxs.batch.finding import find_pictures
from pxs.batch.index import NAME
from pxs.batch.presets import Preset
from pxs.batch.run import edit_many
from pxs.batch.work import Settings
from pxs.editing.checkpoints import identity_of
from pxs.editing.options import LoadOptions
from pxs.errors import PxsError, ScaleError
from pxs.expressions import Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds
from pxs.images import save_png
from pxs.parsing import Parser
from pxs.storage.provenance import versions, write_json

SAMPLE_S = 0.5
SIZES = (2, 100_000)


@dataclass(frozen=True)
class Result:
    """Of one number of workers; memory in gigabytes."""

    pictures_a_second: float
    whole_s: float
    first_half_gb: float
    last_half_gb: float


@dataclass(frozen=True)
class Sample:
    """At one time, in seconds: finished pictures, and memory in bytes."""

    at: float
    done: int
    memory: int


def draw_faces(count: int, folder: Path) -> None:
    """Write this many drawn faces into an empty folder."""
    for index, seed in enumerate(seeds("gallery", count)):
        save_png(draw(Identity.sample(seed)), folder / f"{index:06d}.png", {})


def measure(folder: Path, out: Path, workers: int, steps: int) -> Result:
    """Edit all pictures of a folder with mini. Raises what editing raises."""
    settings = Settings(Preset((Mix(happy=1),), steps=steps), out, "mini", "default", LoadOptions())
    pictures = find_pictures([str(folder)], out)
    identity = identity_of(settings.model, settings.adapter, settings.options)
    began = time.perf_counter()
    with sampling(out / NAME) as samples:
        summary = edit_many(pictures, settings, identity, lambda stem: [f"{stem}.png"], workers=workers, progress=False)
    whole = time.perf_counter() - began
    if summary.failed:
        raise PxsError(f"{len(summary.failed)} pictures failed: {next(iter(summary.failed.values()))}")
    return summed(samples, len(pictures), whole)


def summed(samples: Sequence[Sample], count: int, whole: float) -> Result:
    """The result of a run of `count` pictures that took `whole` seconds. Raises PxsError for too few samples."""
    at_work = [s for s in samples if s.done > 0]
    end = next((s for s in at_work if s.done == count), None)
    first, last = ([s.memory for s in at_work if (s.done * 2 <= count) == half] for half in (True, False))
    if end is None or end.done == at_work[0].done or not first or not last:
        raise PxsError(f"{count} pictures are finished too fast to be measured: give more")
    speed = (end.done - at_work[0].done) / (end.at - at_work[0].at)
    return Result(speed, whole, max(first) / 1e9, max(last) / 1e9)


@contextmanager
def sampling(index: Path) -> Iterator[list[Sample]]:
    """A list that gets a sample twice a second while the block runs."""
    samples: list[Sample] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(SAMPLE_S):
            done = index.read_bytes().count(b"\n") if index.exists() else 0
            samples.append(Sample(time.perf_counter(), done, memory()))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def memory() -> int:
    """Bytes of memory that this process and its children have for themselves."""
    this = psutil.Process()
    total = 0
    for process in (this, *this.children(recursive=True)):
        try:
            total += process.memory_full_info().uss
        except psutil.Error:  # it has just ended
            continue
    return total


HEADER = "| workers | pictures a second | to one worker | whole, s | memory of the first half, GB | of the last |\n"
HEADER += "|---|---|---|---|---|---|"


def line(workers: int, found: Result, one: Result) -> str:
    """One line of the table; `one` is the result to compare with."""
    ratio = found.pictures_a_second / one.pictures_a_second
    numbers = f"{found.whole_s:.0f} | {found.first_half_gb:.2f} | {found.last_half_gb:.2f}"
    return f"| {workers} | {found.pictures_a_second:.2f} | {ratio:.2f} | {numbers} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table as it grows, write results.json; 2 after a mistake, which is printed as one line."""
    parser = Parser(prog="python -m analysis.performance.many", description="Measure batch speed.")
    parser.add_argument("--pictures", type=int, default=1000, help="drawn faces (default 1000)")
    parser.add_argument("--steps", type=int, default=20, help="denoising steps (default 20)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="numbers of processes (default 1 2)")
    parser.add_argument("--out", type=Path, help="folder for results.json")
    return parser.run(_report, arguments)


def _report(args: argparse.Namespace) -> None:
    if not SIZES[0] <= args.pictures <= SIZES[1]:
        raise ScaleError(f"{args.pictures} pictures cannot be measured: give {SIZES[0]} to {SIZES[1]}")
    if min(*args.workers, args.steps, 1) < 1:
        raise ScaleError("workers and steps must be 1 or more")
    print(HEADER)
    found: dict[int, Result] = {}
    with tempfile.TemporaryDirectory(prefix="pxs-many-") as folder:
        draw_faces(args.pictures, Path(folder) / "faces")
        for workers in args.workers:
            out = Path(folder) / f"out{workers}"
            found[workers] = measure(Path(folder) / "faces", out, workers, args.steps)
            print(line(workers, found[workers], found[args.workers[0]]), flush=True)
    if args.out:
        rounded = {str(w): {k: round(v, 4) for k, v in asdict(r).items()} for w, r in found.items()}
        content = {"pictures": args.pictures, "steps": args.steps, "workers": rounded, "versions": versions()}
        print(write_json(args.out / "results.json", content))


if __name__ == "__main__":
    sys.exit(main())
