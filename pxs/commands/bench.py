"""`pxs bench`: edits a benchmark with several methods, judges the edits and writes the table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pxs.commands.arguments import (
    Commands,
    adapter_of,
    add_judges,
    add_model,
    add_styles,
    load_editor,
    load_options,
    path,
)
from pxs.errors import DataError
from pxs.expressions import DOMAINS
from pxs.parsing import argument
from pxs.quantities import COUNT, SEED, STEPS

if TYPE_CHECKING:
    from pxs.benchmark.judge import Record

METHODS = ("truth", "source", "base", "words", "pixelsmile")


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("bench", help="compare methods", description="Run and judge methods on a benchmark.")
    command.add_argument(
        "--methods", nargs="+", required=True, metavar="NAME", help=f"{', '.join(METHODS)}, or NAME=FOLDER"
    )
    command.add_argument("--out", type=path, required=True, help="folder for results; a second run continues there")
    command.add_argument(
        "--tasks", type=argument(COUNT.named("tasks")), help="how many tasks, from the first (default all)"
    )
    command.add_argument(
        "--bench", type=path, help="folder or hub id in the layout of FFE-Bench (default mini-FFE-Bench)"
    )
    command.add_argument("--pictures", type=path, metavar="FOLDER", help="that holds all its pictures")
    add_styles(command)
    command.add_argument(
        "--domain", "--data-type", default="human", choices=tuple(DOMAINS), help="for rows that do not say"
    )
    command.add_argument("--seed", type=argument(SEED), default=42, help="one seed is one image (default 42)")
    command.add_argument("--dtype", choices=("float32", "bfloat16"), help="of the model (default by device)")
    command.add_argument("--steps", type=argument(STEPS), default=12, help="denoising steps (default 12)")
    add_judges(command)
    add_model(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs bench`: edit and judge what is missing, write the results, print the table."""
    from pxs.benchmark.judge import Judges
    from pxs.benchmark.methods import choose
    from pxs.benchmark.run import run as compare
    from pxs.benchmark.table import markdown, write_results
    from pxs.data.people import refuse_trained_people
    from pxs.data.synthetic_bench import SyntheticTruth, mini_bench
    from pxs.data.tasks import load_bench
    from pxs.judging import expression_judge, identity_judge

    given = (args.bench, args.domain, SyntheticTruth, args.pictures)
    tasks = load_bench(*given) if args.bench else mini_bench(args.style)
    tasks = tasks[: args.tasks]
    people = [task.identity for task in tasks if isinstance(task.identity, int)]
    for adapter in args.lora_path if "pixelsmile" in args.methods else ():
        refuse_trained_people(people, Path(adapter.partition("=")[0]))
    methods = choose(
        args.methods,
        model=args.model_path,
        adapter=adapter_of(args),
        steps=args.steps,
        seed=args.seed,
        options=load_options(args),
    )
    expression = expression_judge(
        args.expression_judge,
        editor=lambda: load_editor(args),
        url=args.judge_url,
        model=args.judge_model,
        cache=Path(args.out) / "judged",
    )
    judges = Judges(expression, identity_judge(args.identity_judge))
    records = compare(methods, tasks, judges, args.out, sys.stderr.isatty())
    _refuse_failed(records)
    rows = write_results(records, args.out)
    print(markdown(rows, published=False), end="")
    for name, row in rows.items():
        for task, reason in row["failures"].items():
            print(f"pxs: {name} failed on {task}: {reason}", file=sys.stderr)
    print(Path(args.out) / "results.json")


def _refuse_failed(records: Mapping[str, Sequence[Record]]) -> None:
    """Raise DataError for a method that fails on all of several tasks for one reason, such as an impossible setting."""
    for name, of_method in records.items():
        reasons = {record.error for record in of_method}
        if len(of_method) > 1 and len(reasons) == 1 and "" not in reasons:
            raise DataError(f"{name} failed on all {len(of_method)} tasks ({reasons.pop()}): correct it, and run again")
