"""`pxs download`: fetch a model and adapters from the hub, after showing revision, licence, size and free space."""

from __future__ import annotations

import argparse

from pxs.commands.arguments import Commands
from pxs.errors import DownloadError

FULL_MODEL = "Qwen/Qwen-Image-Edit-2511"
PUBLISHED_ADAPTER = "PixelSmile/PixelSmile"


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "download",
        help="fetch the full model",
        description=f"Fetch a model ({FULL_MODEL}) and an adapter ({PUBLISHED_ADAPTER}).",
    )
    command.add_argument("--model", metavar="ORG/NAME", help="a model; with neither this nor --adapter, both defaults")
    command.add_argument("--adapter", metavar="ORG/NAME", help="a LoRA adapter")
    command.add_argument("--revision", help="commit, tag or branch, of one repository (default main)")
    command.add_argument("--dry-run", action="store_true", help="only show what would be downloaded")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Plan all downloads before the first is fetched; then fetch them and print their folders."""
    from pxs.storage.hub import ADAPTER, MODEL, check_space, fetch, plan_download

    chosen = {MODEL: args.model, ADAPTER: args.adapter}
    if not any(chosen.values()):
        chosen = {MODEL: FULL_MODEL, ADAPTER: PUBLISHED_ADAPTER}
    wanted = [(name, kind) for kind, name in chosen.items() if name]
    if args.revision and len(wanted) > 1:
        raise DownloadError(f"revision {args.revision!r} is of one repository: name it by --model or --adapter")
    plans = [plan_download(name, kind, args.revision) for name, kind in wanted]
    for plan in plans:
        print(plan, flush=True)
    check_space(plans)
    for plan in plans if not args.dry_run else ():
        print(fetch(plan))
