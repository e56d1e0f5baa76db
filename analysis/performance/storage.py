"""Storage speed: does preparing a large FFE set grow linearly with its rows?

    python -m analysis.performance.storage --rows 1000 10000 60000 [--out DIR]

For each number of rows it times three steps of preparing a training:

    pictures    writing three PNGs a row, 16 x 16 pixels, with `pxs.images.save_png`
    read        reading and checking the JSONL file with `pxs.data.ffe.read`
    constants   writing each row's constants with `pxs.training.cache.Cache`, one safetensors file a row

A stand-in takes the place of the model and there are no encoders, so the times are those of storage alone. The data
goes to a temporary folder, which is removed at the end; the environment variable TMPDIR chooses the disk.

DIR/results.json: {"machine", "sizes": {rows: {"pictures_s", "read_s", "constants_s"}}, "versions"}.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import torch
from PIL import Image
from torch import Tensor

from pxs.data.ffe import Row, Target, read, write
from pxs.expressions import Mix
from pxs.images import save_png
from pxs.parsing import Parser, argument
from pxs.quantities import Whole
from pxs.storage.files import output_folder
from pxs.storage.provenance import versions, write_json
from pxs.training.cache import Cache

if TYPE_CHECKING:
    from pxs.editing.editor import Editor

SIDE = 16  # pixels
CATEGORIES = ("fear", "surprised")


@dataclass(frozen=True)
class Seconds:
    """How long each step took for one number of rows, in seconds."""

    pictures_s: float
    read_s: float
    constants_s: float


class StandIn:
    """An editor without a model: its latents and embeddings are small tensors of zeros."""

    def __init__(self) -> None:
        self.checkpoint = SimpleNamespace(fingerprint="stand-in", resolution=SIDE)
        self.pipe = SimpleNamespace(dtype=torch.float32)
        self.vae_device = torch.device("cpu")

    def encode(self, image: Image.Image) -> Tensor:
        """Latents (1, 16, 2, 2), float32."""
        return torch.zeros(1, 16, SIDE // 8, SIDE // 8)

    def encode_prompts(self, pipe: object, image: Image.Image, prompts: Sequence[str]) -> Tensor:
        """Embeddings (number of prompts, 4, 8), float32."""
        return torch.zeros(len(prompts), 4, 8)


def make_row(index: int, folder: Path) -> Row:
    """Row `index` of the set in `folder`; its pictures need not exist yet."""
    source, *images = (folder / f"{index:06d}_{word}.png" for word in ("source", *CATEGORIES))
    first, second = (Target(p, name, Mix({name: 0.8})) for p, name in zip(images, CATEGORIES, strict=True))
    return Row(source, (first, second))


def make_picture(index: int, place: int) -> Image.Image:
    """Picture `place` (0 to 2) of row `index`: RGB, 16 x 16, of a colour that no other picture has."""
    high, middle, low = index >> 16, index >> 8 & 255, index & 255
    return Image.new("RGB", (SIDE, SIDE), (low, middle, 3 * high + place))


def measure(rows: int, folder: Path) -> Seconds:
    """Prepare a set of this many rows, from 1 to 5,000,000, in an empty `folder`. Raises OutputError."""
    made = [make_row(index, folder / "images") for index in range(rows)]
    began = time.perf_counter()
    output_folder(folder / "images")
    for index, row in enumerate(made):
        for place, path in enumerate((row.source, *(t.image for t in row.targets))):
            save_png(make_picture(index, place), path, {})
    pictures = time.perf_counter() - began

    table = write(folder / "train.jsonl", made)
    began = time.perf_counter()
    found = read(table)
    reading = time.perf_counter() - began

    cache = Cache(folder / "cache", cast("Editor", StandIn()), None, None)
    began = time.perf_counter()
    for row in found:
        cache.keep(row)
    return Seconds(pictures, reading, time.perf_counter() - began)


ROWS = Whole("rows", 1, 5_000_000, "in a set")
HEADER = (
    "| rows | pictures, s | µs a row | read, s | µs a row | constants, s | µs a row |\n|---|---|---|---|---|---|---|"
)


def line(rows: int, found: Seconds) -> str:
    """One line of the table."""
    cells = (f"{seconds:.2f} | {1e6 * seconds / rows:.0f}" for seconds in asdict(found).values())
    return f"| {rows} | {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table as it grows, write results.json; 2 after a mistake, which is printed as one line."""
    parser = Parser(prog="python -m analysis.performance.storage", description="Measure storage speed.")
    parser.add_argument("--rows", type=argument(ROWS), nargs="+", default=[1000, 10_000], help="sizes of the set")
    parser.add_argument("--out", type=Path, help="folder for results.json")
    return parser.run(_report, arguments)


def _report(args: argparse.Namespace) -> None:
    print(HEADER)
    sizes = {}
    for rows in args.rows:
        with tempfile.TemporaryDirectory(prefix="pxs-storage-") as folder:
            found = measure(rows, Path(folder))
        sizes[str(rows)] = {name: round(seconds, 4) for name, seconds in asdict(found).items()}
        print(line(rows, found), flush=True)
    if args.out:
        machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
        print(write_json(args.out / "results.json", {"machine": machine, "sizes": sizes, "versions": versions()}))


if __name__ == "__main__":
    sys.exit(main())
