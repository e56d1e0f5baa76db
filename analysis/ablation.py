"""Which loss does what? python -m analysis.ablation --data out/ffe/train.jsonl --out out/ablation

Trains an adapter for each variant and seed, benches it on tasks of mini-FFE-Bench, writes table.md and results.json:
mean and spread over seeds. Trainings and tasks that are finished are not done again, so it can be stopped at any time;
on two cores it takes the better part of an hour. The variants are PixelSmile's (arXiv 2603.25728): what each loss adds,
one side against both, and labels of yes or no in the place of scores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from pxs.benchmark.judge import Judges
from pxs.benchmark.methods.context import Context
from pxs.benchmark.methods.interpolation import Interpolation
from pxs.benchmark.run import run
from pxs.benchmark.table import COLUMNS, summary
from pxs.data.ffe import Row, read
from pxs.data.synthetic_bench import mini_bench
from pxs.data.tasks import spaced
from pxs.editing.options import LoadOptions
from pxs.errors import PxsError
from pxs.expressions import Mix
from pxs.judging import expression_judge, identity_judge
from pxs.storage.files import output_folder, replace_file
from pxs.storage.provenance import versions, write_json
from pxs.training.settings import Settings
from pxs.training.trainer import train

FLOW = {"contrast": "none", "identity_weight": 0.0}
VARIANTS: dict[str, dict[str, object]] = {
    "flow only": FLOW,
    "one-sided contrast": {"contrast": "one_sided", "identity_weight": 0.0},
    "symmetric contrast": {"contrast": "symmetric", "identity_weight": 0.0},
    "symmetric + identity": {"contrast": "symmetric"},
    "discrete labels": {"contrast": "symmetric"},
}
"""What each variant changes in the settings; "discrete labels" changes the data."""


def discrete(rows: Sequence[Row]) -> list[Row]:
    """The rows with labels in the place of scores: each target shows its category fully and nothing else."""
    return [replace(row, targets=tuple(replace(t, scores=Mix({t.category: 1.0})) for t in row.targets)) for row in rows]


def adapters(
    rows: Sequence[Row], settings: Settings, variants: Sequence[str], seeds: Sequence[int], folder: Path
) -> dict[tuple[str, int], Path]:
    """Train what is missing; the adapter's file of each variant and seed."""
    made = {}
    for name in variants:
        data = discrete(rows) if name == "discrete labels" else rows
        for seed in seeds:
            place = folder / slug(name) / str(seed)
            wanted = settings.updated({**VARIANTS[name], "seed": seed})
            steps = train(data, wanted, place, cache=folder / "cache")
            for _ in tqdm(steps, total=wanted.steps, desc=f"{name} {seed}", leave=False):
                pass
            made[name, seed] = place / "adapter.safetensors"
    return made


def slug(name: str) -> str:
    """A variant's name as a folder."""
    return name.replace(" ", "_").replace("+", "and")


def spread(rows: Mapping[tuple[str, int], Mapping[str, object]]) -> dict[str, dict[str, list[float]]]:
    """Of each variant and measure, mean and standard deviation over seeds (0 for one seed)."""
    table: dict[str, dict[str, list[float]]] = {}
    for name in dict.fromkeys(variant for variant, _ in rows):
        chosen = [row for (variant, _), row in rows.items() if variant == name]
        columns = {c: [float(row[c]) for row in chosen if row[c] is not None] for c in COLUMNS}
        table[name] = {
            c: [float(np.mean(v)), float(np.std(v, ddof=1)) if len(v) > 1 else 0.0] for c, v in columns.items() if v
        }
    return table


def markdown(table: Mapping[str, Mapping[str, Sequence[float]]], seeds: int, tasks: int) -> str:
    """The table: mean ± standard deviation over seeds."""
    lines = [f"| {seeds} seeds, {tasks} tasks | {' | '.join(COLUMNS.values())} |", "|---|" + "---|" * len(COLUMNS)]
    for name, row in table.items():
        cells = [f"{row[c][0]:.3f} ± {row[c][1]:.3f}" if c in row else "–" for c in COLUMNS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def ablate(
    rows: Sequence[Row], settings: Settings, variants: Sequence[str], seeds: Sequence[int], tasks: int, folder: Path
) -> dict[str, dict[str, list[float]]]:
    """Train, bench and write; returns the table."""
    made = adapters(rows, settings, variants, seeds, output_folder(folder))
    judges, chosen = Judges(expression_judge(), identity_judge()), spaced(mini_bench(), tasks)
    figures = {}
    for (name, seed), adapter in made.items():
        context = Context(model=settings.model, steps=12, options=LoadOptions(dtype=torch.bfloat16))
        method = Interpolation(context, adapter=str(adapter))
        records = run({f"{slug(name)}_{seed}": method}, chosen, judges, folder)
        figures[name, seed] = summary(next(iter(records.values())), resamples=1)
    table = spread(figures)
    replace_file(folder / "table.md", markdown(table, len(seeds), len(chosen)).encode())
    write_json(folder / "results.json", {"table": table, "settings": vars(settings), "versions": versions()})
    return table


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m analysis.ablation", description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="FFE rows; pxs faces --ffe 400 --out out/ffe makes some")
    parser.add_argument("--out", type=Path, required=True, help="folder for trainings, records and the table")
    parser.add_argument("--config", help="settings as JSON, for all variants")
    parser.add_argument("--steps", type=int, default=120, help="of each training (default 120)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--tasks", type=int, default=20, help="tasks of mini-FFE-Bench, evenly spaced (default 20)")
    args = parser.parse_args()
    try:
        settings = (Settings.load(args.config) if args.config else Settings()).updated({"steps": args.steps})
        table = ablate(read(args.data), settings, args.variants, args.seeds, args.tasks, args.out)
    except PxsError as error:
        print(f"ablation: {error}", file=sys.stderr)
        sys.exit(2)
    print(markdown(table, len(args.seeds), args.tasks), end="")


if __name__ == "__main__":
    main()
