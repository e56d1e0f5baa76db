"""`pxs faces`: drawn portraits to start from, or a drawn training set with exact scores."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pxs import __version__
from pxs.commands.arguments import refuse_existing, whole_number
from pxs.errors import ExpressionError, ScaleError
from pxs.expressions import DOMAINS, Mix, check_scale


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    command = commands.add_parser("faces", help="draw sample portraits", description="Write drawn portraits as PNGs.")
    command.add_argument("--out", required=True, help="folder for the portraits")
    command.add_argument("--count", help="how many, of each style (default 6)")
    command.add_argument("--seed", default="0", help="number of the first identity, with --ffe of the set (default 0)")
    command.add_argument("--mix", nargs="+", metavar="NAME=A", help="expression of the faces (default neutral)")
    command.add_argument("--ffe", metavar="N", help="instead, a training set in FFE layout, of N rows")
    command.add_argument("--blends", default="0", metavar="SHARE", help="of these rows, that show two strong ones")
    command.add_argument("--size", default="128", help="pixels a side (default 128)")
    command.add_argument("--overwrite", action="store_true", help="replace files that exist")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs faces`: drawn portraits of the gallery's identities, in both styles; or a drawn FFE set."""
    if args.ffe is not None:
        return _write_ffe(args)
    count, first = (
        whole_number("6" if args.count is None else args.count, "count", 1),
        whole_number(args.seed, "seed", 0),
    )
    size, mix = whole_number(args.size, "size", 16), Mix.parse(args.mix or [])
    from pxs.faces.draw import draw
    from pxs.faces.identity import Identity, seeds
    from pxs.images import save_png
    from pxs.storage.files import output_folder

    try:
        numbers = seeds("gallery", count, first)
    except ValueError as error:
        raise ScaleError(str(error)) from None
    plan = [(n, style) for style in DOMAINS for n in numbers]
    folder = Path(args.out)
    paths = [folder / f"{style}_{n - numbers[0] + first:03d}_{mix.slug}.png" for n, style in plan]
    refuse_existing(paths, args.overwrite)
    output_folder(folder)
    for (number, style), path in zip(plan, paths, strict=True):
        text = {"identity": str(number), "style": style, "mix": str(mix), "pxs": __version__}
        save_png(draw(Identity.sample(number), mix, style, size), path, text, overwrite=args.overwrite)
    print(*paths, sep="\n")


def _write_ffe(args: argparse.Namespace) -> None:
    if args.mix or args.count is not None:
        raise ExpressionError("--ffe draws mixes and a number of its own: leave out --mix and --count")
    count, seed = whole_number(args.ffe, "number of rows", 1), whole_number(args.seed, "seed", 0)
    size, blends = whole_number(args.size, "size", 16), check_scale(args.blends, "blends")
    from pxs.data.synthetic_ffe import write_drawn_set

    options = {"size": size, "overwrite": args.overwrite, "progress": sys.stderr.isatty(), "blends": blends}
    print(write_drawn_set(args.out, count, seed, **options))
