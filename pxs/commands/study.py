"""`pxs study`: people rate the pictures of a bench blindly: make the pages, serve them, score the answers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pxs.commands.arguments import Commands, path
from pxs.errors import UsageError
from pxs.parsing import argument
from pxs.quantities import COUNT, PORT, RATERS, SEED, Whole

QUESTIONS = Whole("questions", 1, 1000, "for each rater")
PAIRS = Whole("pairs", 0, 1000, "for each rater")


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "study", help="let people rate edits", description="A blind rating study from the pictures of a bench."
    )
    steps = command.add_subparsers(dest="step", required=True)
    _add_make(steps)
    _add_serve(steps)
    _add_score(steps)


def _add_make(steps: Commands) -> None:
    make = steps.add_parser("make", help="make a page for each rater")
    make.add_argument("bench", type=path, metavar="BENCH_FOLDER", help="the folder of pxs bench --out")
    make.add_argument("--out", type=path, required=True, help="folder for the pages, and the key, which you keep")
    make.add_argument("--raters", type=argument(RATERS), required=True, help="how many people, a page each")
    make.add_argument("--methods", nargs="+", default=[], metavar="NAME", help="to compare (default all in the folder)")
    make.add_argument("--faces", type=argument(COUNT.named("faces")), help="how many, evenly spaced (default all)")
    make.add_argument("--questions", type=argument(QUESTIONS), default=40, help="ratings a rater, about (default 40)")
    make.add_argument("--pairs", type=argument(PAIRS), default=0, help="choices between two a rater (default none)")
    make.add_argument("--contact", default="", metavar="TEXT", help="whom raters can ask, for the page")
    make.add_argument("--seed", type=argument(SEED), default=42, help="of order and sides (default 42)")
    make.set_defaults(run=run_make)


def _add_serve(steps: Commands) -> None:
    serve = steps.add_parser("serve", help="serve the pages to several raters at once")
    serve.add_argument("folder", type=path, metavar="FOLDER", help="of pxs study make --out")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine)")
    serve.add_argument("--port", type=argument(PORT), default=8765, help="default 8765; 0 for any that is free")
    serve.set_defaults(run=run_serve)


def _add_score(steps: Commands) -> None:
    score = steps.add_parser("score", help="means, choices, agreement, and what the judges are worth")
    score.add_argument("folder", type=path, metavar="FOLDER", help="of pxs study make --out")
    score.add_argument("answers", nargs="*", type=path, metavar="ANSWERS", help="files of raters, beside what was sent")
    score.add_argument("--bench", type=path, help="folder of the bench, to compare its judges with people")
    score.add_argument("--out", type=path, help="folder for the results (default FOLDER)")
    score.set_defaults(run=run_score)


def run_make(args: argparse.Namespace) -> None:
    """`pxs study make`: choose, hide and write; print what was left out and where the pages are."""
    from pxs.storage.locks import writing
    from pxs.study.bench import read_bench
    from pxs.study.key import refuse_existing
    from pxs.study.page import PAGES, write_study
    from pxs.study.plan import Size, plan_study, seen_by

    refuse_existing(args.out)
    bench = read_bench(args.bench, args.methods)
    plan = plan_study(bench, Size(args.raters, args.faces or 0, args.questions, args.pairs), args.seed)
    with writing(args.out) as folder:
        refuse_existing(folder)
        pages = write_study(plan, folder, args.contact, sys.stderr.isatty())
    counts = seen_by(plan.key)
    asked = {len(ids) for ids in plan.key.raters.values()}
    print(f"{len(bench.methods)} methods on {len({task for _, task in counts})} faces, {bench.left_out} left out")
    print(f"{len(pages)} raters, {min(asked)} to {max(asked)} questions each; every sweep is rated by {_range(counts)}")
    print(f"give away: {Path(args.out) / PAGES}")
    print(f"keep: {Path(args.out) / 'key.json'}")
    if min(counts.values()) < 2:
        print("pxs: warning: some sweeps have one rater: take more raters or fewer faces", file=sys.stderr)


def _range(counts: dict[tuple[str, str], int]) -> str:
    low, high = min(counts.values()), max(counts.values())
    return str(low) if low == high else f"{low} to {high}"


def run_serve(args: argparse.Namespace) -> None:
    """`pxs study serve`: until it is stopped."""
    from pxs.optional import require

    require("tornado", "study", UsageError)
    from pxs.serving import announce
    from pxs.study.serve import serve, study_of

    serve(study_of(args.folder), args.folder, args.host, args.port, announce)


def run_score(args: argparse.Namespace) -> None:
    """`pxs study score`: write the results and print the table."""
    from pxs.optional import require

    require("matplotlib", "study", UsageError)
    from pxs.study.report import markdown, write_results

    results, files = write_results(args.folder, args.answers, args.bench, args.out or args.folder)
    print(markdown(results), end="")
    print(*files, sep="\n")
