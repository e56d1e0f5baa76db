"""What does each part of the training do? python -m analysis.ablation --data out/ffe/train.jsonl --out out/ablation

    --plan factorial    {confused, clean labels} x {one-hot, scores} x {flow only, one-sided, symmetric contrast}
    --plan paper        the rows of the article's own ablation, with the identity loss: full, no contrast, hinge, ...

Each cell of a plan, and each of --seeds, is a training and its measurement on the dev split, in a folder of its own:

    DIR/plan.json                         what all cells share; another plan needs another folder
    DIR/cells/NAME/SEED/training/         as of pxs train; adapters/ for the learning curve
    DIR/cells/NAME/SEED/bench/            as of pxs bench
    DIR/cells/NAME/SEED/cell.json         figures and curve: written last
    DIR/table.md, results.json, curve.png

The same command goes on: a cell with a cell.json is done, and one that was killed continues where it was. `--workers N`
starts N processes that share the plan; commands on several machines can share a folder, too. Each locks its cell.

Confused labels are those of the base model: in SWAPPED of the rows the names of each confusable pair are exchanged.
One-hot labels have score 1 for the category alone, so each target is requested at full strength.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from analysis.ablation_report import write_report
from pxs.benchmark.judge import Judges
from pxs.benchmark.methods.context import Context
from pxs.benchmark.methods.interpolation import Interpolation
from pxs.benchmark.run import run
from pxs.benchmark.table import measured
from pxs.data.ffe import Row, Target, read
from pxs.data.levels import Levels
from pxs.data.synthetic_bench import mini_bench
from pxs.data.tasks import Task
from pxs.editing.options import LoadOptions
from pxs.errors import DataError, PxsError
from pxs.expressions import CONFUSABLE, Mix
from pxs.judging import expression_judge, identity_judge
from pxs.parsing import Parser, argument, parsed
from pxs.quantities import COUNT, SEED, WORKERS
from pxs.storage.files import output_folder
from pxs.storage.hashes import file_hash
from pxs.storage.locks import locked
from pxs.storage.paths import check_path, exists
from pxs.storage.provenance import versions, write_json
from pxs.training.settings import LIMITS, Settings, read_changes
from pxs.training.trainer import train

LABELS = ("confused", "clean")
KINDS = ("one-hot", "scores")
CONTRASTS: dict[str, dict[str, object]] = {
    "flow only": {"contrast": "none", "identity_weight": 0.0},
    "one-sided": {"contrast": "one_sided", "identity_weight": 0.0},
    "symmetric": {"contrast": "symmetric", "identity_weight": 0.0},
}
"""The losses of the factorial plan, by what they change in the settings."""
PAPER: dict[str, dict[str, object]] = {
    "full": {},
    "no contrast": {"contrast": "none"},
    "no identity loss": CONTRASTS["symmetric"],
    "not symmetric": {"contrast": "one_sided"},
    "log ratio": {"form": "log_ratio"},
    "hinge": {"form": "hinge"},
}
"""The rows of the article's ablation, all on clean scores; that without identity loss is a cell of the other plan."""
SWAPPED = 0.3
"""The share of confused rows, as in the labels of the base model (pxs/mini/data.py)."""
PLANS = ("factorial", "paper")
CURVED = (CONTRASTS["one-sided"], CONTRASTS["symmetric"])
"""Of the cells with clean scores those whose adapters are measured along the training."""
POINTS = 5
"""How many adapters along a training are measured."""
SWEEP = Levels((0.0, 0.25, 0.5, 0.75, 1.0))
ENDS = Levels((0.0, 1.0))
STEPS_OF_EDITS = 12
SAVED = 50  # a killed training loses fewer steps than these
PARTNER = {a: b for pair in CONFUSABLE for a, b in (pair, pair[::-1])}


@dataclass(frozen=True)
class Cell:
    """One training: the name of its group, its labels and their kind, the changed settings, and the seed."""

    name: str
    labels: str
    kind: str
    changes: Mapping[str, object]
    seed: int

    @property
    def curved(self) -> bool:
        """Whether its adapters are measured along the training."""
        return (self.labels, self.kind) == ("clean", "scores") and self.changes in CURVED


@dataclass(frozen=True)
class Work:
    """What all cells of a folder share. data: the FFE file. settings: those that no cell changes. tasks: how many."""

    data: Path
    settings: Settings
    tasks: int
    folder: Path

    @property
    def note(self) -> dict[str, Any]:
        """What makes cells comparable."""
        return {"data": file_hash(self.data), "settings": asdict(self.settings), "tasks": self.tasks}


def cells_of(plans: Sequence[str], seeds: Sequence[int]) -> list[Cell]:
    """All cells of some plans, seed by seed, so that an unfinished run has whole replicates."""
    groups = []
    if "factorial" in plans:
        groups += [(f"{a}, {k}, {c}", a, k, CONTRASTS[c]) for a, k, c in product(LABELS, KINDS, CONTRASTS)]
    if "paper" in plans:
        groups += [(name, "clean", "scores", changes) for name, changes in PAPER.items()]
    return [Cell(*group, seed) for seed in seeds for group in groups]


def confused(rows: Sequence[Row], seed: int) -> list[Row]:
    """The rows, a share SWAPPED of them with the names of each confusable pair exchanged in category and scores."""
    swapped = np.random.default_rng((seed, 17)).random(len(rows)) < SWAPPED
    return [_relabelled(row, _exchanged) if swap else row for row, swap in zip(rows, swapped, strict=True)]


def one_hot(rows: Sequence[Row]) -> list[Row]:
    """The rows with score 1 for the category of each target, and 0 for all else."""
    return [_relabelled(row, lambda t: replace(t, scores=Mix({t.category: 1.0}))) for row in rows]


def _exchanged(target: Target) -> Target:
    scores = {PARTNER.get(name, name): value for name, value in target.scores.items()}
    return replace(target, category=PARTNER.get(target.category, target.category), scores=Mix(scores))


def _relabelled(row: Row, change: Any) -> Row:
    first, second = map(change, row.targets)
    return replace(row, targets=(first, second))


def dev_tasks(count: int, levels: Levels) -> list[Task]:
    """`count` tasks of the dev split, three of four of them of confusable expressions, as far as there are."""
    tasks = [replace(task, levels=levels) for task in mini_bench("dev")]
    most = round(0.75 * count)
    rich = [task for task in tasks if task.expression in PARTNER][:most]
    return rich + [task for task in tasks if task.expression not in PARTNER][: count - most]


def place(work: Work, cell: Cell) -> Path:
    """The folder of a cell, named by what is trained: two plans share a cell."""
    s = work.settings.updated(cell.changes)
    parts = [cell.labels, cell.kind, s.contrast]
    parts += [s.form] if s.contrasts else []
    parts += ["identity"] if s.identifies else []
    return work.folder / "cells" / "_".join(parts) / str(cell.seed)


def train_cell(work: Work, cell: Cell) -> Path:
    """Train a cell, from where it was; the folder of the training. Ends the process if it was asked to stop."""
    rows = read(work.data)
    rows = confused(rows, cell.seed) if cell.labels == "confused" else rows
    rows = one_hot(rows) if cell.kind == "one-hot" else rows
    kept = max(1, work.settings.steps // POINTS) if cell.curved else 0
    settings = work.settings.updated({**cell.changes, "seed": cell.seed, "keep_every": kept})
    folder = place(work, cell) / "training"
    if not exists(folder / "results.json"):
        steps = train(rows, settings, folder, cache=work.folder / "cache")
        for step in tqdm(steps, total=settings.steps, desc=cell.name, leave=False, disable=not sys.stderr.isatty()):
            if step.stopped:
                sys.exit(143)
    return folder


def measure(work: Work, cell: Cell, adapter: Path, tasks: Sequence[Task], name: str) -> dict[str, Any]:
    """The figures of an adapter on some tasks; pictures and records stay in the cell's folder."""
    context = Context(model=work.settings.model, steps=STEPS_OF_EDITS, options=LoadOptions(dtype=torch.float32))
    method = Interpolation(context, adapter=str(adapter))
    judges = Judges(expression_judge(), identity_judge())
    return measured(run({name: method}, tasks, judges, place(work, cell) / "bench", progress=False)[name])


def do_cell(work: Work, cell: Cell) -> None:
    """Train and measure a cell, and write its cell.json."""
    start = time.monotonic()
    trained = train_cell(work, cell)
    figures = measure(work, cell, trained / "adapter.safetensors", dev_tasks(work.tasks, SWEEP), "adapter")
    curve = {}
    confusable = [t for t in dev_tasks(work.tasks, ENDS) if t.expression in PARTNER]
    for file in sorted((trained / "adapters").glob("step-*.safetensors")):
        found = measure(work, cell, file, confusable, file.stem)
        curve[int(file.stem.removeprefix("step-"))] = {m: found[m] for m in ("mscr", "mscr_within", "separability")}
    write_json(
        place(work, cell) / "cell.json",
        {
            "cell": asdict(cell),
            "figures": figures,
            "curve": curve,
            "seconds": round(time.monotonic() - start, 1),
            "versions": versions(),
        },
    )


def share(work: Work, cells: Sequence[Cell]) -> None:
    """Do the cells that are free, then those that others had locked, unless they are done by then."""
    left = list(cells)
    for wait in (False, True):
        for cell in list(left):
            folder = output_folder(place(work, cell))
            with locked(folder / ".cell.lock", -1 if wait else 0) as own:
                if own:
                    if not exists(folder / "cell.json"):
                        do_cell(work, cell)
                    left.remove(cell)


def _helper(work: Work, cells: Sequence[Cell]) -> None:
    """A further process: its mistakes are those that the first process meets, too."""
    try:
        share(work, cells)
    except PxsError as error:
        sys.exit(f"a worker ended: {error}")


def ablate(work: Work, cells: Sequence[Cell], workers: int) -> dict[str, Any]:
    """Do all cells that are not done, with `workers` processes, and write the report; its content.

    Raises DataError for a folder with cells of other data, settings or tasks.
    """
    output_folder(work.folder)
    _claim(work)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // workers)))
    context = multiprocessing.get_context("spawn")
    helpers = [context.Process(target=_helper, args=(work, cells)) for _ in range(workers - 1)]
    for helper in helpers:
        helper.start()
    try:
        share(work, cells)
    except BaseException:
        for helper in helpers:
            helper.terminate()  # a training saves its state first
        raise
    finally:
        for helper in helpers:
            helper.join()
    return write_report(list(finished(work, cells)), work.folder)


def _claim(work: Work) -> None:
    """Write plan.json, or check that it says the same."""
    with locked(work.folder / ".plan.lock", -1):
        file = work.folder / "plan.json"
        if not exists(file):
            write_json(file, work.note)
        elif json.loads(file.read_text()) != json.loads(json.dumps(work.note)):
            raise DataError(
                f"{str(work.folder)!r} holds cells of other data, settings or tasks: repeat these, or give another one"
            )


def finished(work: Work, cells: Sequence[Cell]) -> Iterator[dict[str, Any]]:
    """The content of each cell.json, under the name that the plan gives it."""
    for cell in cells:
        yield {**json.loads((place(work, cell) / "cell.json").read_text()), "cell": asdict(cell)}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status."""
    parser = Parser(prog="python -m analysis.ablation", description="Measure what each part of the training does.")
    parser.add_argument(
        "--data",
        type=parsed(check_path),
        required=True,
        help="an FFE file, such as of pxs faces --ffe 400 --out out/ffe",
    )
    parser.add_argument("--out", type=parsed(check_path), required=True, help="folder for cells and tables")
    parser.add_argument("--plan", nargs="+", choices=PLANS, default=list(PLANS), help="which cells (default both)")
    parser.add_argument("--seeds", type=argument(SEED), nargs="+", default=[0, 1, 2, 3, 4], help="(default 0 1 2 3 4)")
    parser.add_argument("--workers", type=argument(WORKERS), default=1, help="processes (default 1)")
    parser.add_argument("--config", type=parsed(check_path), help="settings of all trainings as JSON")
    parser.add_argument("--steps", type=argument(LIMITS["steps"]), default=300, help="of each training (default 300)")
    parser.add_argument(
        "--tasks", type=argument(COUNT.named("tasks")), default=48, help="of the dev split, 4 or more (default 48)"
    )
    return parser.run(_report, arguments)


def _report(args: argparse.Namespace) -> None:
    changes = read_changes(args.config) if args.config else {}
    settings = Settings(save_every=SAVED).updated({**changes, "steps": args.steps})
    if args.tasks < 4:
        raise DataError(f"tasks {args.tasks} hold no confusable pairs: give 4 or more")
    read(args.data)  # a mistake in it ends the command before anything is written
    work = Work(args.data, settings, args.tasks, args.out)
    cells = cells_of(args.plan, list(dict.fromkeys(args.seeds)))
    ablate(work, cells, args.workers)
    print((args.out / "table.md").read_text(), end="")


if __name__ == "__main__":
    sys.exit(main())
