"""`pxs download`: fetch a model and adapters from the hub, after showing revision, licence, size and free space."""

from __future__ import annotations

import argparse

from pxs.errors import DownloadError

DEFAULT_MODEL = "Qwen/Qwen-Image-Edit-2511"
DEFAULT_ADAPTER = "PixelSmile/PixelSmile"


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "download",
        help="fetch the full model",
        description=f"Fetch a model ({DEFAULT_MODEL}) and an adapter ({DEFAULT_ADAPTER}).",
    )
    command.add_argument("--model", metavar="ORG/NAME", help="a model; with neither this nor --adapter, both defaults")
    command.add_argument("--adapter", metavar="ORG/NAME", help="a LoRA adapter")
    command.add_argument("--revision", help="commit, tag or branch, of one repository (default main)")
    command.add_argument("--dry-run", action="store_true", help="only show what would be downloaded")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Plan everything first, so that nothing is fetched if something cannot be; then fetch, and print the folders."""
    from pxs.hub import ADAPTER, MODEL, fetch, plan_download

    chosen = {MODEL: args.model, ADAPTER: args.adapter}
    if not any(chosen.values()):
        chosen = {MODEL: DEFAULT_MODEL, ADAPTER: DEFAULT_ADAPTER}
    wanted = [(name, kind) for kind, name in chosen.items() if name]
    if args.revision and len(wanted) > 1:
        raise DownloadError(f"revision {args.revision!r} is of one repository: give --model or --adapter, not both")
    plans = [plan_download(name, kind, args.revision) for name, kind in wanted]
    for plan in plans:
        print(plan)
    for plan in plans if not args.dry_run else ():
        print(fetch(plan))
