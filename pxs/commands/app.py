"""`pxs app`: a page in the browser, for people who write no Python."""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
from typing import TYPE_CHECKING

from pxs.commands.arguments import DEFAULT_ADAPTER, Commands, add_model, add_recipe, load_editor
from pxs.errors import UsageError
from pxs.optional import require
from pxs.parsing import argument
from pxs.quantities import PORT, Real

if TYPE_CHECKING:
    from pxs.app.lines import Model

MEGABYTES = Real("upload limit", 0.1, 200, "in megabytes")
MEGAPIXELS = Real("pixel limit", 0.01, 50, "in megapixels")
OPTIONS = {"memory": "auto", "schedule": "own", "attention": "native", "reuse": 0.0, "recipe": "auto"}
"""Flags of the model that a command of the page repeats, and their defaults."""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "app", help="edit faces on a page in the browser", description="Edit faces on a page in the browser."
    )
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine)")
    command.add_argument(
        "--port", type=argument(PORT), help="default the first free one from 8860; 0 for any that is free"
    )
    command.add_argument("--token", help="the secret part of the address (default a new one at each start)")
    command.add_argument("--no-browser", action="store_true", help="only print the address")
    command.add_argument(
        "--upload-limit", type=argument(MEGABYTES), default=20.0, metavar="MB", help="largest file (default 20)"
    )
    command.add_argument(
        "--pixel-limit", type=argument(MEGAPIXELS), default=16.0, metavar="MP", help="largest picture (default 16)"
    )
    add_model(command)
    add_recipe(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs app`: take a port, load the model, print the address and open it; serve until it is stopped."""
    require("tornado", "app", UsageError)
    from pxs.serving import ALL, announce, check_token, link, new_token

    token = new_token() if args.token is None else check_token(args.token)
    from pxs.app.desk import Desk, Limits
    from pxs.app.engine import Engine
    from pxs.app.start import open_browser, own_folder, serve, take_port

    limits = Limits(round(args.upload_limit * 1e6), round(args.pixel_limit * 1e6))
    with contextlib.ExitStack() as ends:
        sockets = [ends.enter_context(one) for one in take_port(args.host, args.port)]
        desk = Desk(Engine(load_editor(args)), _model(args), ends.enter_context(own_folder()), limits)
        address = link(args.host, sockets, token)

        def ready() -> None:
            announce(args.host, address)
            if args.host in ALL:
                print("from other machines:", link(socket.gethostname(), sockets, token), flush=True)
            if not args.no_browser:
                open_browser(address)

        serve(desk, token, sockets, ready)


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
