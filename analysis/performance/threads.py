"""How threads wait, on an idle and on a busy machine: a sweep of mini alone and beside processes that only compute.

    python -m analysis.performance.threads --beside 3 --out out/threads

Each way is a process of its own, since threads are set up once: one thread; as many as cores, which spin while they
wait; as many, which sleep; and what `import pxs` chooses. The ways run forwards and then backwards, alone and beside
others in turn. `alone` means nothing if something else runs on the machine: then compare the ways in one column.

DIR/results.json: {"beside": N, "machine", "ways": {name: {"alone_s", "beside_s", "ratio"}}}, each the median of runs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pxs.parsing import Parser, argument, parsed
from pxs.quantities import Whole
from pxs.storage.paths import check_path
from pxs.storage.provenance import write_json
from pxs.threads import COUNT, WAITING, look

WAYS: dict[str, dict[str, str]] = {
    "one thread": {COUNT: "1"},
    "spinning": {WAITING[1]: "300000"},  # as libgomp does by itself
    "sleeping": {WAITING[0]: "passive"},
    "as chosen": {},
}
SETTLE = 15  # seconds until the kernel's figures of the last ten seconds show who runs
SWEEPS = 3  # in a process

Measure = Callable[[Mapping[str, str]], float]


def main() -> int:
    """The command line."""
    parser = Parser(prog="python -m analysis.performance.threads", description=__doc__.splitlines()[0])
    parser.add_argument("--beside", type=argument(Whole("busy processes", 1, 64)), default=3, help="default 3")
    parser.add_argument("--out", type=parsed(check_path), default=Path("out/threads"), help="folder for results.json")
    return parser.run(run)


def run(args: argparse.Namespace) -> None:
    """Measure, write results.json and print the table."""
    found = measured(args.beside)
    write_json(args.out / "results.json", {"beside": args.beside, "machine": str(look()), "ways": found})
    print(f"{'':12} {'alone':>8} {'beside ' + str(args.beside):>10} {'ratio':>6}")
    for way, row in found.items():
        print(f"{way:12} {row['alone_s']:6.2f} s {row['beside_s']:8.2f} s {row['ratio']:6.2f}")


def measured(beside: int, measure: Measure | None = None, settle: float = SETTLE) -> dict[str, dict[str, float]]:
    """Seconds of each way, alone and beside so many busy processes. measure: of a way's variables, the seconds."""
    measure = measure or sweep_seconds
    alone: dict[str, list[float]] = {way: [] for way in WAYS}
    among: dict[str, list[float]] = {way: [] for way in WAYS}
    for order in (list(WAYS), list(WAYS)[::-1]):
        for way in order:
            alone[way].append(measure(WAYS[way]))
        with busy(beside):
            time.sleep(settle)
            for way in order:
                among[way].append(measure(WAYS[way]))
        time.sleep(settle)
    return {way: _row(statistics.median(alone[way]), statistics.median(among[way])) for way in WAYS}


def _row(alone: float, beside: float) -> dict[str, float]:
    return {"alone_s": round(alone, 3), "beside_s": round(beside, 3), "ratio": round(beside / alone, 2)}


def sweep_seconds(variables: Mapping[str, str]) -> float:
    """The median seconds of a sweep in a process of its own, with these variables and none of the others."""
    environment = {k: v for k, v in os.environ.items() if k not in (COUNT, *WAITING)} | dict(variables)
    code = f"from analysis.performance.threads import sweep; sweep({SWEEPS})"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def sweep(times: int) -> None:
    """Print the median seconds of a sweep by mini at 4 intensities and 20 steps, after one that is not counted."""
    import pxs

    portrait = pxs.load("mini").open(pxs.draw(pxs.Identity.sample(400003)))
    seconds = []
    for _ in range(times + 1):
        begun = time.perf_counter()
        portrait.sweep("happy", steps=20, progress=False)
        seconds.append(time.perf_counter() - begun)
    print(statistics.median(seconds[1:]))


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that only compute, until the block ends."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
