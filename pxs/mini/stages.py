"""The command line of a model that is built stage by stage."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pxs.parsing import Parser


def run_stages(
    module: str,
    about: str,
    stages: Mapping[str, Callable[[Path], None]],
    work: Path,
    arguments: Sequence[str] | None = None,
) -> int:
    """Run the stage that `arguments` name, or all in their order; return the exit status.

    module: the name that `python -m` takes. about: its docstring, whose first line is shown as help. work: the default
    of --work.
    """
    parser = Parser(prog=f"python -m {module}", description=about.split("\n")[0])
    parser.add_argument("stage", choices=[*stages, "all"])
    parser.add_argument("--work", type=Path, default=work, help="folder for intermediate results")

    def run(args: argparse.Namespace) -> None:
        for name in stages if args.stage == "all" else [args.stage]:
            stages[name](args.work)

    return parser.run(run, arguments)
