"""`pxs ffe`: builds a data set of faces with continuous scores, stage by stage in one folder."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pxs.commands import ffe_flags
from pxs.commands.arguments import Commands, adapter_of, load_editor, load_options
from pxs.errors import DataError, JudgeError, UsageError, one_line

if TYPE_CHECKING:
    from pxs.ffe.annotate import Judges
    from pxs.ffe.collect import Terms
    from pxs.ffe.describe import Model
    from pxs.ffe.engines import Engine
    from pxs.ffe.generate import Generator, Makers
    from pxs.ffe.judges import Pass
    from pxs.judging.identity import IdentityJudge


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "ffe", help="build a data set with continuous scores", description="Build a data set as FFE was, in stages."
    )
    steps = command.add_subparsers(dest="step", required=True)
    for name, (flags, run, what) in STEPS.items():
        step = steps.add_parser(name, help=what)
        flags(step)
        step.set_defaults(run=run)


def run_collect(args: argparse.Namespace) -> None:
    """`pxs ffe collect`: print how many are kept, why others are not, and where the sheet is."""
    from pxs.batch.finding import find_pictures
    from pxs.editing.photographs import finder
    from pxs.ffe.collect import SHEET, Criteria, collect
    from pxs.ffe.faces import Limits
    from pxs.ffe.grouping import same_person

    found = find_pictures(args.pictures, Path(args.out))
    terms = _terms(args)
    recogniser = _recogniser(args.identity_judge)
    same = same_person(recogniser) if args.same is None else args.same
    criteria = Criteria(Limits(args.size, args.sharpness, args.turn), same, args.domain)
    done = collect(found, Path(args.out), finder(), recogniser, terms, criteria, args.reject, sys.stderr.isatty())
    kept = [subject for subject in done if not subject.dropped]
    print(f"{len(done)} pictures, {len(kept)} kept, of {len({s.person for s in kept})} people")
    _print_reasons([subject.dropped for subject in done])
    if recogniser is None:
        print("pxs: warning: no recogniser looked: each picture counts as a person of its own", file=sys.stderr)
    unknown = sum(subject.licence == "not stated" for subject in kept)
    if unknown:
        print(
            f"pxs: warning: the licence of {unknown} pictures is not stated: give --licence or --terms", file=sys.stderr
        )
    print(Path(args.out) / SHEET)


def run_compose(args: argparse.Namespace) -> None:
    """`pxs ffe compose`: print how many prompts there are, and why others were left out."""
    from pxs.ffe.compose import ATTRIBUTES, compose

    done = compose(Path(args.folder), args.most, _asked_in_words(args) if args.judge else None)
    print(f"{len(done)} combinations, {sum(not prompt.dropped for prompt in done)} kept")
    _print_reasons([prompt.dropped for prompt in done])
    print(Path(args.folder) / ATTRIBUTES)


def run_generate(args: argparse.Namespace) -> int:
    """`pxs ffe generate`: print how many pictures were made, and why others were not; status 1 if some failed."""
    from pxs.ffe.generate import generate
    from pxs.ffe.planning import Amount

    amount = Amount(args.pairs, args.each, args.per_person)
    engine = _engine(args, partial(_makers, args))
    generator, by = _makers(args)
    done = generate(Path(args.folder), generator, amount, by, args.attempts, sys.stderr.isatty(), engine)
    made = [one for one in done if not one.error]
    again = sum(one.attempts > 1 for one in made)
    print(f"{len(done)} pictures asked for, {len(made)} made, {again} of them at a later attempt")
    _print_reasons([one.error for one in done])
    return int(len(made) < len(done))


def run_annotate(args: argparse.Namespace) -> int:
    """`pxs ffe annotate`: print how many labels are sure, what is in doubt; status 1 if some have no scores."""
    from pxs.ffe.annotate import annotate
    from pxs.ffe.doubts import Rules
    from pxs.ffe.grouping import same_person

    engine = _engine(args, partial(_judges, args))
    passes, recogniser = _judges(args)
    rules = Rules(apart=args.apart, alike=same_person(recogniser) if args.alike is None else args.alike)
    done = annotate(Path(args.folder), passes, recogniser, rules, sys.stderr.isatty(), engine)
    scored = [label for label in done if not label.error]
    print(f"{len(done)} pictures, {len(scored)} scored, {sum(not label.doubts for label in scored)} without doubt")
    _print_reasons([label.error for label in done])
    _print_reasons([reason for label in scored for reason in label.doubts])
    return int(len(scored) < len(done))


def run_describe(args: argparse.Namespace) -> int:
    """`pxs ffe describe`: print how many people could be described; status 1 if some could not."""
    from pxs.ffe.describe import CHOICES, describe

    done = describe(Path(args.folder), _asked_in_words(args), sys.stderr.isatty())
    good = [one for one in done if not one.error]
    print(f"{len(done)} people, {len(good)} described")
    for name in CHOICES:
        print(f"  {name}")
        _print_reasons([one.words[name] for one in good])
    return int(len(good) < len(done))


def _asked_in_words(args: argparse.Namespace) -> Model:
    """The model of --judge, --judge-url and --judge-model. Raises UsageError for a judge that reads pictures alone."""
    from pxs.judging import expression_judge

    if args.judge not in ("endpoint", "vlm"):
        raise UsageError(f"--judge {args.judge!r} cannot be asked in words: give endpoint or vlm")
    cache, given = Path(args.folder) / "judged", (args.judge_url, args.judge_model)
    judge = expression_judge(args.judge, None, *given, cache=cache, parallel=args.judge_parallel)
    return judge  # type: ignore[return-value]


def run_statistics(args: argparse.Namespace) -> None:
    """`pxs ffe statistics`: print the numbers, write them and a figure."""
    from pxs.ffe.statistics import markdown, write_statistics

    found, files = write_statistics(Path(args.folder))
    print(markdown(found), end="")
    print(*files, sep="\n")


def run_ask(args: argparse.Namespace) -> None:
    """`pxs ffe ask`: write the pages; print how much each person is asked."""
    from pxs.ffe.annotate import STAGE, Label
    from pxs.ffe.asking import FOLDER, PAGES, Effort, plan_questions, refuse_asked
    from pxs.ffe.manifest import read
    from pxs.ffe.pages import write_pages
    from pxs.storage.locks import writing

    folder = Path(args.folder)
    labels = read(folder, STAGE, Label)
    refuse_asked(folder)
    asked = plan_questions(labels, Effort(args.raters, args.share, args.overlap), args.seed)
    with writing(folder):
        pages = write_pages(asked, folder, sys.stderr.isatty())
    many = [len(own) for own in asked.raters.values()]
    print(f"{len(asked.items)} of {len(labels)} pictures, {sum(many) - len(asked.items)} of them for two people")
    print(f"{len(pages)} people, {min(many)} to {max(many)} pictures each")
    print(f"give away, or serve: {folder / FOLDER / PAGES}")


def run_serve(args: argparse.Namespace) -> None:
    """`pxs ffe serve`: until it is stopped."""
    from pxs.optional import require

    require("tornado", "study", UsageError)
    from pxs.ffe.asking import FOLDER, labels_asked, read_asked
    from pxs.ffe.pages import served
    from pxs.serving import announce
    from pxs.study.serve import serve

    folder = Path(args.folder)
    asked = read_asked(folder)
    labels_asked(folder, asked)

    serve(served(asked, folder), folder / FOLDER, args.host, args.port, announce)


def run_verify(args: argparse.Namespace) -> None:
    """`pxs ffe verify`: print what became of the labels, and the agreement."""
    from pxs.ffe.manifest import counted
    from pxs.ffe.verify import AGREEMENT, markdown, verify

    done, agreed = verify(Path(args.folder), args.answers)
    print(", ".join(f"{status} {count}" for status, count in counted(one.status for one in done).items()))
    print(markdown(agreed), end="")
    if "why_empty" in agreed:
        print(f"pxs: warning: {agreed['why_empty']}", file=sys.stderr)
    print(Path(args.folder) / AGREEMENT)


def run_build(args: argparse.Namespace) -> None:
    """`pxs ffe build`: write the data set; print how many rows each split has, and the files."""
    from pxs.ffe.build import build

    built = build(Path(args.folder), args.use, args.test, args.seed)
    print(", ".join(f"{name}: {len(rows)} rows" for name, rows in built.rows.items()))
    print(*built.files, sep="\n")


def _print_reasons(reasons: Sequence[str]) -> None:
    from pxs.ffe.manifest import counted

    for reason, count in counted(reasons).items():
        print(f"  {count:6d}  {reason}")


def _terms(args: argparse.Namespace) -> Mapping[str, Terms]:
    """What is stated about all pictures by "", and about those in the table by their names."""
    from pxs.ffe.collect import Terms

    found = {"": Terms(args.licence, args.origin)}
    if not args.terms:
        return found
    try:
        with open(args.terms, encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{args.terms!r} cannot be read ({one_line(error)}): give a CSV file") from None
    for number, row in enumerate(rows, 2):
        if not all(isinstance(row.get(name), str) and row[name] for name in ("file", "licence", "origin")):
            raise DataError(f"{args.terms!r}, line {number}: give file, licence and origin")
        found[str(Path(row["file"]))] = Terms(row["licence"], row["origin"])
    return found


def _recogniser(name: str) -> IdentityJudge | None:
    """The recogniser of this name; for "auto" the first that is installed, or none."""
    from pxs.judging import identity_judge, recognisers

    if name == "none":
        return None
    if name != "auto":
        return identity_judge(name)
    try:
        return recognisers(1)[0]
    except JudgeError:
        return None


def _engine(args: argparse.Namespace, load: Callable[[], Any]) -> Engine:
    """Who does the work of a stage; `load` gives each actor what it works with. Raises UsageError for workers that
    nobody would be."""
    from pxs.ffe.engines import OnRay, here

    if args.engine == "ray":
        return OnRay(load, args.workers)
    if args.workers > 1:
        raise UsageError(f"--workers {args.workers} are actors of Ray: give --engine ray, too")
    return here


def _makers(args: argparse.Namespace) -> Makers:
    from pxs.editing.photographs import finder
    from pxs.ffe.generate import Makers

    return Makers(_generator(args), None if args.any_face else finder())


def _judges(args: argparse.Namespace) -> Judges:
    from pxs.ffe.annotate import Judges

    recogniser = _recogniser(args.identity_judge)
    return Judges(_passes(args), recogniser)


def _generator(args: argparse.Namespace) -> Generator:
    from pxs.benchmark.methods import METHODS, choose
    from pxs.benchmark.methods.context import Context
    from pxs.ffe.generate import Generator

    settings = {
        "model": args.model_path,
        "adapter": adapter_of(args),
        "steps": args.steps,
        "seed": args.seed,
        "options": load_options(args),
    }
    if args.method not in METHODS:
        return Generator(
            args.method.partition("=")[0], choose([args.method], **settings).popitem()[1], Context(**settings)
        )
    context = Context(**settings)
    return Generator(args.method, METHODS[args.method](context), context)


def _passes(args: argparse.Namespace) -> list[Pass]:
    """The passes of the judges that are named; a judge that is asked in words is asked twice, the second time with the
    labels in another order."""
    from pxs.ffe.judges import passes_of

    return passes_of(
        args.judges,
        editor=lambda: load_editor(args),
        url=args.judge_url,
        model=args.judge_model,
        cache=Path(args.folder) / "judged",
        parallel=args.judge_parallel,
    )


STEPS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int | None], str]] = {
    "collect": (ffe_flags.add_collect, run_collect, "folders of pictures -> identities"),
    "compose": (ffe_flags.add_compose, run_compose, "the table of parts -> prompts"),
    "generate": (ffe_flags.add_generate, run_generate, "any method of pxs bench -> pictures"),
    "annotate": (ffe_flags.add_annotate, run_annotate, "judges -> 12 scores a picture"),
    "describe": (ffe_flags.add_describe, run_describe, "a model describes the people, for the statistics"),
    "statistics": (ffe_flags.add_folder, run_statistics, "numbers and a figure of what is there"),
    "ask": (ffe_flags.add_ask, run_ask, "make the pages on which people check scores"),
    "serve": (ffe_flags.add_serve, run_serve, "serve these pages"),
    "verify": (ffe_flags.add_verify, run_verify, "what people said -> verified scores, and their agreement"),
    "build": (ffe_flags.add_build, run_build, "rows for a trainer, Parquet tables and a data card"),
}
"""The steps in their order: their flags, what runs, and what it does."""
