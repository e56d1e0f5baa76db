"""`pxs bench`: edits a benchmark with several methods, judges the edits and writes the table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pxs.commands.arguments import (
    Commands,
    adapter_of,
    add_expression_judge,
    add_model,
    add_styles,
    by_name,
    load_editor,
    load_options,
    path,
)
from pxs.commands.editor_flags import GENERAL, REMOTE, add_editors, cannot_run, general_settings, tell_costs
from pxs.data.levels import MOST
from pxs.editing.sliders import NAMES
from pxs.errors import DataError, UsageError
from pxs.expressions import DOMAINS
from pxs.parsing import argument
from pxs.quantities import COUNT, PRICE, SEED, STEPS, WORKERS
from pxs.storage.paths import check_path

if TYPE_CHECKING:
    from pxs.benchmark.judge import Judges, Record
    from pxs.benchmark.methods import Method
    from pxs.data.tasks import Task

PROTOCOLS = ("own", "paper")
SPLITS = ("dev", "test")
PARALLEL = WORKERS.named("judge-parallel")
CONTROLLED = ("base", "pixelsmile", *NAMES, "attributecontrol_naive", "flowslider")
CALIBRATED = tuple(f"{name}_calibrated" for name in CONTROLLED)
WEIGHED = (*CALIBRATED, *NAMES)  # methods with a file of their own
OWN = ("truth", "source", "words", *CONTROLLED, *CALIBRATED)
ALL = ("truth", "source", "base", "pixelsmile", "pixelsmile_calibrated", *CONTROLLED[2:])
"""Those of the published table; words mean nothing to the text encoder of mini."""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("bench", help="compare methods", description="Run and judge methods on a benchmark.")
    command.add_argument(
        "--methods",
        nargs="+",
        required=True,
        metavar="NAME",
        help=f"{', '.join(ALL)}; all: these; words; NAME_calibrated; NAME=FOLDER; general: {', '.join(GENERAL)}",
    )
    command.add_argument(
        "--weights",
        nargs="+",
        default=[],
        metavar="NAME=FILE",
        help="weights of methods, by pxs train --method",
    )
    add_editors(command)
    command.add_argument("--out", type=path, required=True, help="folder for results; a second run continues there")
    command.add_argument(
        "--tasks", type=argument(COUNT.named("tasks")), help="how many tasks, from the first (default all)"
    )
    command.add_argument(
        "--bench", type=path, help="folder or hub id in the layout of FFE-Bench (default mini-FFE-Bench 2)"
    )
    command.add_argument(
        "--split",
        choices=SPLITS,
        default="dev",
        help="dev, to choose settings, or test, to report: it refuses people who served a choice or a training",
    )
    command.add_argument("--pictures", type=path, metavar="FOLDER", help="that holds all its pictures")
    add_styles(command)
    command.add_argument(
        "--domain", "--data-type", default="human", choices=tuple(DOMAINS), help="for rows that do not say"
    )
    command.add_argument("--seed", type=argument(SEED), default=42, help="one seed is one image (default 42)")
    command.add_argument("--dtype", choices=("float32", "bfloat16"), help="of the model (default by device)")
    command.add_argument("--steps", type=argument(STEPS), default=12, help="denoising steps (default 12)")
    _add_protocol(command)
    add_expression_judge(command)
    command.add_argument(
        "--identity-judge", nargs="+", metavar="NAME", help="see pxs judges; several: the mean of their cosines"
    )
    add_model(command)
    command.set_defaults(run=run)


def _add_protocol(command: argparse.ArgumentParser) -> None:
    """Flags that say what is measured, and what judging may cost."""
    command.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="own",
        help="own, or paper: that of the article, with the recognisers that are installed (default own)",
    )
    command.add_argument(
        "--alpha-max", type=argument(MOST), metavar="A", help="of --protocol paper: sweeps end there (default 3)"
    )
    command.add_argument(
        "--judge-parallel", type=argument(PARALLEL), default=4, metavar="N", help="requests at once (default 4)"
    )
    command.add_argument(
        "--judge-prices",
        type=argument(PRICE.named("judge-prices")),
        nargs=2,
        metavar=("IN", "OUT"),
        help="of the endpoint, per million tokens in and out",
    )
    command.add_argument("--estimate", action="store_true", help="print what endpoints would cost, and do nothing")


def run(args: argparse.Namespace) -> None:
    """`pxs bench`: edit and judge what is missing, write the results, print the table."""
    from pxs.benchmark.methods import choose
    from pxs.benchmark.run import run as compare
    from pxs.data.people import refuse_people_but_of_tests, refuse_trained_people

    tasks = _tasks(args)
    people = [task.identity for task in tasks if isinstance(task.identity, int)]
    judges = _judges(args)
    names = [name for given in args.methods for name in (ALL if given == "all" else [given])]
    adapters = args.lora_path if any(name.startswith("pixelsmile") for name in names) else ()
    weights = by_name("--weights", "NAME=FILE", args.weights, WEIGHED, check_path)
    if args.split == "test":
        refuse_people_but_of_tests(people)
    for file in weights.values():
        refuse_trained_people(people, file)
    _refuse_trained(adapters, people, [judges.expression.name, *(judge.name for judge in judges.recognisers)])
    methods = choose(
        names,
        weights=weights,
        model=args.model_path,
        adapter=adapter_of(args),
        steps=args.steps,
        seed=args.seed,
        options=load_options(args),
        general=general_settings(args),
    )
    absent = cannot_run(methods, tasks, args.out) if not args.estimate else {}
    ready = {name: method for name, method in methods.items() if name not in absent}
    tell_costs(ready, tasks, args.out, args.estimate)
    if args.expression_judge == "endpoint":
        _print_estimate(args, judges, list(ready), tasks)
    if args.estimate:
        return
    records = compare(ready, tasks, judges, args.out, sys.stderr.isatty())
    _refuse_failed(records)
    _report(args, records, judges, methods, absent)


def _tasks(args: argparse.Namespace) -> list[Task]:
    """The tasks that the flags name, at the intensities of the protocol."""
    from pxs.data.levels import STANDARD, paper_levels
    from pxs.data.synthetic_bench import SyntheticTruth, mini_bench
    from pxs.data.tasks import load_bench

    paper = args.protocol == "paper"
    if args.alpha_max is not None and not paper:
        raise UsageError("--alpha-max is for --protocol paper: leave it out, or add that")
    levels = paper_levels(3.0 if args.alpha_max is None else args.alpha_max) if paper else STANDARD
    given = (args.bench, args.domain, SyntheticTruth, args.pictures)
    tasks = load_bench(*given) if args.bench else mini_bench(args.split, args.style)
    return [replace(task, levels=levels) for task in tasks[: args.tasks]]


def _judges(args: argparse.Namespace) -> Judges:
    """The judges that the flags name; for the article's protocol by default all recognisers that are installed."""
    from pxs.benchmark.judge import Judges
    from pxs.judging import expression_judge, identity_judge, recognisers

    if args.estimate and args.expression_judge != "endpoint" and not set(REMOTE) & set(args.methods):
        raise UsageError(
            f"--estimate is for --expression-judge endpoint and remote editors: {args.expression_judge} costs nothing"
        )
    named = args.identity_judge or ([] if args.protocol == "paper" else ["mini"])
    for name in named:
        if named.count(name) > 1:
            raise UsageError(f"--identity-judge names {name!r} twice: name each once")
    expression = expression_judge(
        args.expression_judge,
        editor=lambda: load_editor(args),
        url=args.judge_url,
        model=args.judge_model,
        cache=Path(args.out) / "judged",
        prices=tuple(args.judge_prices) if args.judge_prices else None,
        parallel=args.judge_parallel,
    )
    first, *others = [identity_judge(name) for name in named] if named else recognisers()
    return Judges(expression, first, tuple(others))


def _refuse_trained(adapters: Sequence[str], people: Sequence[int], judges: Sequence[str]) -> None:
    """Raise DataError or JudgeError if the training of an adapter saw a person of the tasks or a judge's network."""
    from pxs.data.people import refuse_trained_people
    from pxs.encoders.noted import refuse_encoders

    for adapter in adapters:
        file = Path(adapter.partition("=")[0])
        refuse_trained_people(people, file)
        refuse_encoders(judges, file)


def _print_estimate(args: argparse.Namespace, judges: Judges, methods: Sequence[str], tasks: Sequence[Task]) -> None:
    """Print what judging would cost: as the result where it was asked for, else beside it."""
    from pxs.benchmark.estimate import estimate

    found = estimate(judges.expression, methods, tasks, args.out)  # type: ignore[arg-type]
    print(found if args.estimate else f"pxs: judging: {found}", file=sys.stdout if args.estimate else sys.stderr)


def _report(
    args: argparse.Namespace,
    records: Mapping[str, Sequence[Record]],
    judges: Judges,
    methods: Mapping[str, Method],
    absent: Mapping[str, str],
) -> None:
    """Write the results and print the table, what failed or could not run, and what was paid."""
    from pxs.benchmark.edit import is_general
    from pxs.benchmark.paper import write_paper
    from pxs.benchmark.strength import by_strength
    from pxs.benchmark.table import by_part, markdown, write_results

    general = {name for name, method in methods.items() if is_general(method)}
    rows = write_results(records, args.out, general, absent)
    who = {"expression": judges.expression.name, "identity": [judge.name for judge in judges.recognisers]}
    paper = write_paper(records, args.out, who, general, absent) if args.protocol == "paper" else ""
    own = filter(None, (markdown(rows, published=False), by_strength(rows), by_part(rows)))
    print(paper or "\n".join(own), end="")
    if paper:
        print(f"expression: {who['expression']}; identity: the mean of {', '.join(who['identity'])}")
    for name, reason in absent.items():
        print(f"pxs: {name} was not run: {reason}", file=sys.stderr)
    for name, row in rows.items():
        for task, reason in row["failures"].items():
            print(f"pxs: {name} failed on {task}: {reason}", file=sys.stderr)
    for payee in (judges.expression, *(method for name, method in methods.items() if name not in absent)):
        if usage := getattr(payee, "usage", None):
            print(f"pxs: {usage}", file=sys.stderr)
    print(Path(args.out) / ("paper.json" if paper else "results.json"))


def _refuse_failed(records: Mapping[str, Sequence[Record]]) -> None:
    """Raise DataError for a method that fails on all of several tasks for one reason, such as an impossible setting.

    A service may refuse all of them: that is a result, and what is wrong with its settings has ended the run before.
    """
    for name, of_method in records.items():
        reasons = {record.error for record in of_method} if name not in REMOTE else set()
        if len(of_method) > 1 and len(reasons) == 1 and "" not in reasons:
            raise DataError(f"{name} failed on all {len(of_method)} tasks ({reasons.pop()}): correct it, and run again")
