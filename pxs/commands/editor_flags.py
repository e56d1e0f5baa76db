"""Flags of `pxs bench` for general editors, and what is done with them before the first edit."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pxs.commands.arguments import by_name
from pxs.errors import DataError
from pxs.parsing import argument
from pxs.quantities import PRICE, STEPS, TIMEOUT

if TYPE_CHECKING:
    from pxs.benchmark.methods import Method
    from pxs.benchmark.methods.context import GeneralSettings
    from pxs.data.tasks import Task

LOCAL = ("qwen_edit", "flux2_klein", "flux2_klein_base", "longcat_edit", "joyimage_edit", "qwen_image_21")
REMOTE = ("nano_banana_pro", "gpt_image", "seedream")
GENERAL = (*LOCAL, *REMOTE)


def add_editors(command: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    command.add_argument(
        "--editors",
        nargs="+",
        default=[],
        metavar="NAME=MODEL",
        help="other models of general editors: a hub id, a folder, or the model's id at a service",
    )
    command.add_argument(
        "--editor-steps",
        type=argument(STEPS.named("editor-steps")),
        metavar="N",
        help="of local general editors (default their own)",
    )
    command.add_argument(
        "--editor-urls", nargs="+", default=[], metavar="NAME=URL", help="other addresses of remote editors"
    )
    command.add_argument(
        "--editor-prices", nargs="+", default=[], metavar="NAME=PRICE", help="of remote editors, for one picture"
    )
    command.add_argument(
        "--editor-timeout",
        type=argument(TIMEOUT.named("editor-timeout")),
        default=300.0,
        metavar="S",
        help="seconds that a remote editor may take for one request (default 300)",
    )


def general_settings(args: argparse.Namespace) -> GeneralSettings:
    """The settings in the flags. Raises DataError for an entry that is not NAME=VALUE, ScaleError for a price."""
    from pxs.benchmark.methods.context import GeneralSettings

    price = PRICE.named("editor-prices")
    return GeneralSettings(
        models=by_name("--editors", "NAME=MODEL", args.editors, GENERAL, str),
        urls=by_name("--editor-urls", "NAME=URL", args.editor_urls, REMOTE, str),
        prices=by_name("--editor-prices", "NAME=PRICE", args.editor_prices, REMOTE, price.parse),
        steps=args.editor_steps,
        timeout=args.editor_timeout,
        cache=Path(args.out) / "edited",
    )


def cannot_run(methods: Mapping[str, Method], tasks: Sequence[Task], out: str) -> dict[str, str]:
    """Why methods cannot run here, by name, such as a key that is missing; none whose edits are all there already.

    Raises DataError if no method is left.
    """
    from pxs.benchmark.estimate import lacking

    reasons = {name: getattr(method, "lacks", "") for name, method in methods.items()}
    found = {
        name: reason
        for name, reason in reasons.items()
        if reason and (name not in REMOTE or lacking(methods[name], name, tasks, out))  # type: ignore[arg-type]
    }
    if len(found) == len(methods):
        raise DataError(f"no method can run: {'; '.join(f'{name}: {reason}' for name, reason in found.items())}")
    return found


def tell_costs(methods: Mapping[str, Method], tasks: Sequence[Task], out: str, alone: bool) -> None:
    """Print what remote editors would cost: as the result where that was all that was asked for, else beside it.

    Else their services are tried first. Raises ServiceSetupError for one that refuses the key, fails or hangs.
    """
    from pxs.benchmark.estimate import edit_estimate
    from pxs.benchmark.methods.remote import Remote

    remote = {name: method for name, method in methods.items() if isinstance(method, Remote)}
    found = {name: edit_estimate(method, name, tasks, out) for name, method in remote.items()}
    for name, method in remote.items():
        if found[name].requests and not alone:
            method.check()
    for one in found.values():
        print(one if alone else f"pxs: editing: {one}", file=sys.stdout if alone else sys.stderr)
