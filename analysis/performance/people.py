"""Rendered people: pictures a second on one core, the time to open a head, and the time to compile at first use.

    python -m analysis.performance.people --out out/people                  # 40 people in 13 pictures each

A process of one thread opens each person, which computes all that no expression changes, and then renders it neutral
and in each expression at 1, 256 x 256 with 4 samples a pixel. "Pictures a second" leaves the opening out, "with
opening" has it; textures, which are read when the first person needs them, are in both. Then two new processes render
one picture: the first with an empty folder for compiled code, the second with what the first has compiled, so that
their difference is the time to compile. "Core" is the process's time of computing by the time that passed: where it is
below about 0.95, others had the core, and the speed is not that of the machine.

DIR/results.json: {"people", "pictures", "side", "samples", "machine", "pictures_a_second", "with_opening_a_second",
"open_median_ms", "open_slowest_ms", "core", "first_picture_s", "first_picture_compiled_s", "versions"}.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pxs.expressions import EXPRESSIONS, Mix
from pxs.faces import RENDERED, side
from pxs.faces.portraits import Person, Sitter, render
from pxs.faces.portraits.picture import SAMPLES, develop
from pxs.parsing import Parser, argument, parsed
from pxs.quantities import Whole
from pxs.storage.paths import check_path
from pxs.storage.provenance import versions, write_json
from pxs.threads import COUNT, look

FIRST = 432_000  # number of the first person
MIXES = (Mix(), *(Mix({name: 1}) for name in EXPRESSIONS))
SIDE = side(RENDERED)
ONE_THREAD = {COUNT: "1", "NUMBA_NUM_THREADS": "1"}
PEOPLE = Whole("people", 1, 10_000, "13 pictures each")


@dataclass(frozen=True)
class Speed:
    """What was measured; see the top of the file."""

    pictures_a_second: float
    with_opening_a_second: float
    open_median_ms: float
    open_slowest_ms: float
    core: float
    first_picture_s: float
    first_picture_compiled_s: float


def measure(people: int) -> Speed:
    """The speed with this many people, each in len(MIXES) pictures. Raises CalledProcessError if a process fails."""
    found = _in_process(f"render_people({people})", {})
    opening, rendering = found["open_s"], found["pictures_s"]
    pictures = people * len(MIXES)
    first, second = first_pictures()
    return Speed(
        round(pictures / rendering, 2),
        round(pictures / (rendering + sum(opening)), 2),
        round(1e3 * statistics.median(opening), 1),
        round(1e3 * max(opening), 1),
        round(found["computing_s"] / (rendering + sum(opening)), 2),
        round(first, 2),
        round(second, 2),
    )


def first_pictures() -> tuple[float, float]:
    """Seconds of the first picture in a process that finds no compiled code, and in one that finds all of it."""
    with tempfile.TemporaryDirectory(prefix="pxs-compiled-") as folder:
        first, second = (_in_process("render_first()", {"NUMBA_CACHE_DIR": folder}) for _ in range(2))
    return first["picture_s"], second["picture_s"]


def _in_process(call: str, variables: dict[str, str]) -> dict[str, Any]:
    """What a function of this file prints in a process of its own, with one thread and these variables."""
    code = f"from analysis.performance import people; people.{call}"
    environment = {**os.environ, **ONE_THREAD, **variables}
    done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def render_people(people: int) -> None:
    """Print the seconds of opening each person, of all pictures together, and of computing in both.

    A picture of another person comes before, and is not counted.
    """
    render(Person.sample(FIRST + people), MIXES[-1], SIDE)
    opening, rendering, computing = [], 0.0, 0.0
    for number in range(FIRST, FIRST + people):
        person = Person.sample(number)
        begun, computed = time.perf_counter(), time.process_time()
        sitter = Sitter(person)
        opened = time.perf_counter()
        for mix in MIXES:
            develop(sitter.picture(mix, SIDE))
        opening.append(opened - begun)
        rendering += time.perf_counter() - opened
        computing += time.process_time() - computed
    print(json.dumps({"open_s": opening, "pictures_s": rendering, "computing_s": computing}))


def render_first() -> None:
    """Print the seconds of the first picture in a process."""
    begun = time.perf_counter()
    render(Person.sample(FIRST), MIXES[-1], SIDE)
    print(json.dumps({"picture_s": time.perf_counter() - begun}))


HEADER = (
    "| people | pictures a second | with opening | open a head, ms: median | slowest | core "
    "| first picture, s: nothing compiled | compiled before |\n|---|---|---|---|---|---|---|---|"
)


def line(people: int, found: Speed) -> str:
    """The line of the table."""
    speeds = f"{found.pictures_a_second:.1f} | {found.with_opening_a_second:.1f}"
    opening = f"{found.open_median_ms:.0f} | {found.open_slowest_ms:.0f}"
    first = f"{found.first_picture_s:.2f} | {found.first_picture_compiled_s:.2f}"
    return f"| {people} | {speeds} | {opening} | {found.core:.2f} | {first} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write results.json; 2 after a mistake, which is printed as one line."""
    parser = Parser(prog="python -m analysis.performance.people", description="Measure how fast people are rendered.")
    parser.add_argument("--people", type=argument(PEOPLE), default=40, help="how many (default 40)")
    parser.add_argument("--out", type=parsed(check_path), help="folder for results.json")
    return parser.run(_report, arguments)


def _report(args: argparse.Namespace) -> None:
    facts: dict[str, Any] = {
        "people": args.people,
        "pictures": args.people * len(MIXES),
        "side": SIDE,
        "samples": SAMPLES**2,
    }
    facts["machine"] = str(look())
    found = measure(args.people)
    print(HEADER)
    print(line(args.people, found))
    if args.out:
        print(write_json(args.out / "results.json", {**facts, **asdict(found), "versions": versions()}))


if __name__ == "__main__":
    sys.exit(main())
