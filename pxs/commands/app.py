"""`pxs app`: the panel as a page in the browser, for people who write no Python."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from pxs.commands.arguments import DEFAULT_ADAPTER, Commands, add_model, add_recipe, load_editor
from pxs.errors import PxsError
from pxs.optional import require
from pxs.parsing import argument
from pxs.quantities import Real, Whole

if TYPE_CHECKING:
    from pxs.app.lines import Model

PORT = Whole("port", 1, 65535)
MEGABYTES = Real("upload limit", 0.1, 200, "in megabytes")
OPTIONS = {"memory": "auto", "schedule": "own", "attention": "native", "reuse": 0.0, "recipe": "auto"}
"""Flags of the model that a command of the page repeats, and their defaults."""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "app", help="open the page in the browser", description="Edit faces on a page in the browser."
    )
    command.add_argument("--port", type=argument(PORT), help="of the page (default the first free one from 8860)")
    command.add_argument(
        "--host", default="127.0.0.1", help="0.0.0.0 lets other machines in that have the token (default 127.0.0.1)"
    )
    command.add_argument("--token", help="what lets a browser in, 16 characters or more (default a random one)")
    command.add_argument("--no-browser", action="store_true", help="only print the address")
    command.add_argument(
        "--upload-limit",
        type=argument(MEGABYTES),
        default=20.0,
        metavar="MB",
        help="largest picture that is taken (default 20)",
    )
    add_model(command)
    add_recipe(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs app`: take a port, load the model, print the address and open it; serve until it is stopped."""
    require("tornado", "app", PxsError)
    from pxs.app.start import check_token, open_browser, serve, take_place

    token = None if args.token is None else check_token(args.token)
    place = take_place(args.host, args.port, token)
    try:
        editor = load_editor(args)
    except BaseException:
        for each in place.sockets:
            each.close()
        raise

    def ready() -> None:
        print(place.address, place.notice, sep="\n", flush=True)
        if not args.no_browser:
            open_browser(place.address)

    serve(place, editor, _model(args), round(args.upload_limit * 1_000_000), ready)


def _model(args: argparse.Namespace) -> Model:
    """How the page says that its model is loaded."""
    from pxs.app.lines import Model
    from pxs.commands.arguments import adapter_of

    changed = {name: getattr(args, name) for name, usual in OPTIONS.items() if getattr(args, name) != usual}
    own_adapter = args.lora_path == [DEFAULT_ADAPTER]
    words = [json.dumps(args.model_path)] + ([] if own_adapter else [f"adapter={adapter_of(args)!r}"])
    call = f"pxs.load({', '.join([*words, *(f'{name}={value!r}' for name, value in changed.items())])})"
    flags = [] if args.model_path == "mini" else ["--model-path", args.model_path]
    flags += [] if own_adapter else ["--lora-path", *args.lora_path]
    flags += [word for name, value in changed.items() for word in (f"--{name}", str(value))]
    return Model(args.model_path, call, tuple(flags))
