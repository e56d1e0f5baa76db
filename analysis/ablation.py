"""What does each loss do? python -m analysis.ablation --data out/ffe/train.jsonl --out out/ablation

Trains an adapter for each variant and seed, measures it on tasks of mini-FFE-Bench, and writes table.md and
results.json: mean and standard deviation over seeds. Finished trainings and tasks are not repeated, so it can be
stopped at any time. It takes about an hour on two cores. The variants are those of PixelSmile (arXiv 2603.25728): each
loss added in turn, one-sided against symmetric contrast, and discrete labels instead of scores. Below the measured rows
the table has the published ones, of other pictures and judges.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from pxs.benchmark.judge import Judges
from pxs.benchmark.methods.context import Context
from pxs.benchmark.methods.interpolation import Interpolation
from pxs.benchmark.outcome import COLUMNS
from pxs.benchmark.published import ABLATION
from pxs.benchmark.run import run
from pxs.benchmark.table import measured
from pxs.data.ffe import Row, read
from pxs.data.synthetic_bench import mini_bench
from pxs.data.tasks import spaced
from pxs.editing.options import LoadOptions
from pxs.expressions import Mix
from pxs.judging import expression_judge, identity_judge
from pxs.parsing import Parser, argument
from pxs.quantities import COUNT, SEED
from pxs.storage.files import output_folder, replace_file
from pxs.storage.provenance import versions, write_json
from pxs.training.settings import LIMITS, Settings
from pxs.training.trainer import train

FLOW = {"contrast": "none", "identity_weight": 0.0}
VARIANTS: dict[str, dict[str, object]] = {
    "flow only": FLOW,
    "one-sided contrast": {"contrast": "one_sided", "identity_weight": 0.0},
    "symmetric contrast": {"contrast": "symmetric", "identity_weight": 0.0},
    "symmetric + identity": {"contrast": "symmetric"},
    "discrete labels": {"contrast": "symmetric"},
}
"""The settings that each variant changes; "discrete labels" also changes the data."""


def discrete(rows: Sequence[Row]) -> list[Row]:
    """The rows with discrete labels instead of scores: each target has score 1 for its category, 0 for the others."""
    found = []
    for row in rows:
        first, second = (replace(t, scores=Mix({t.category: 1.0})) for t in row.targets)
        found.append(replace(row, targets=(first, second)))
    return found


def adapters(
    rows: Sequence[Row], settings: Settings, variants: Sequence[str], seeds: Sequence[int], folder: Path
) -> dict[tuple[str, int], Path]:
    """Run the trainings that are not finished; returns the adapter file of each variant and seed."""
    made = {}
    for name in variants:
        data = discrete(rows) if name == "discrete labels" else rows
        for seed in seeds:
            target = folder / slug(name) / str(seed)
            changed = settings.updated({**VARIANTS[name], "seed": seed})
            steps = train(data, changed, target, cache=folder / "cache")
            for _ in tqdm(steps, total=changed.steps, desc=f"{name} {seed}", leave=False):
                pass
            made[name, seed] = target / "adapter.safetensors"
    return made


def slug(name: str) -> str:
    """The name of a variant as the name of a folder."""
    return name.replace(" ", "_").replace("+", "and")


def spread(rows: Mapping[tuple[str, int], Mapping[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """For each variant and measure, mean and standard deviation over seeds (0 for one seed)."""
    table: dict[str, dict[str, list[float]]] = {}
    for name in dict.fromkeys(variant for variant, _ in rows):
        chosen = [row for (variant, _), row in rows.items() if variant == name]
        columns = {c: [float(row[c]) for row in chosen if row[c] is not None] for c in COLUMNS}
        table[name] = {
            c: [float(np.mean(v)), float(np.std(v, ddof=1)) if len(v) > 1 else 0.0] for c, v in columns.items() if v
        }
    return table


def markdown(table: Mapping[str, Mapping[str, Sequence[float]]], seeds: int, tasks: int) -> str:
    """The table: mean ± standard deviation over seeds; below, the published ablation, marked as such."""
    lines = [f"| {seeds} seeds, {tasks} tasks | {' | '.join(COLUMNS.values())} |", "|---|" + "---|" * len(COLUMNS)]
    for name, row in table.items():
        cells = [f"{row[c][0]:.3f} ± {row[c][1]:.3f}" if c in row else "–" for c in COLUMNS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines.append(f"| *published: other pictures, other judges* |{' |' * len(COLUMNS)}")
    for name, known in ABLATION.items():
        lines.append(f"| *{name}* | {' | '.join(f'{known[c]:.3f}' if c in known else '–' for c in COLUMNS)} |")
    return "\n".join(lines) + "\n"


def ablate(
    rows: Sequence[Row], settings: Settings, variants: Sequence[str], seeds: Sequence[int], tasks: int, folder: Path
) -> dict[str, dict[str, list[float]]]:
    """Train and measure every variant and seed, write the results, and return the table of `spread`."""
    made = adapters(rows, settings, variants, seeds, output_folder(folder))
    judges, chosen = Judges(expression_judge(), identity_judge()), spaced(mini_bench(), tasks)
    figures = {}
    for (name, seed), adapter in made.items():
        context = Context(model=settings.model, steps=12, options=LoadOptions(dtype=torch.bfloat16))
        method = Interpolation(context, adapter=str(adapter))
        records = run({f"{slug(name)}_{seed}": method}, chosen, judges, folder)
        figures[name, seed] = measured(next(iter(records.values())))
    table = spread(figures)
    replace_file(folder / "table.md", markdown(table, len(seeds), len(chosen)).encode())
    write_json(folder / "results.json", {"table": table, "settings": vars(settings), "versions": versions()})
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status."""
    parser = Parser(prog="python -m analysis.ablation", description="Measure what each loss does.")
    parser.add_argument("--data", required=True, help="an FFE file; pxs faces --ffe 400 --out out/ffe makes one")
    parser.add_argument("--out", type=Path, required=True, help="folder for trainings, records and the table")
    parser.add_argument("--config", help="settings as JSON, for all variants")
    parser.add_argument(
        "--steps", type=argument(LIMITS["steps"]), default=120, help="steps of each training (default 120)"
    )
    parser.add_argument("--seeds", type=argument(SEED), nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument(
        "--tasks",
        type=argument(COUNT.named("tasks")),
        default=20,
        help="tasks of mini-FFE-Bench, evenly spaced (default 20)",
    )
    return parser.run(_report, arguments)


def _report(args: argparse.Namespace) -> None:
    settings = (Settings.load(args.config) if args.config else Settings()).updated({"steps": args.steps})
    table = ablate(read(args.data), settings, args.variants, args.seeds, args.tasks, args.out)
    print(markdown(table, len(args.seeds), args.tasks), end="")


if __name__ == "__main__":
    sys.exit(main())
