"""`pxs faces`: writes drawn or rendered portraits as sample input, or a drawn training set with exact scores."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pxs.commands.arguments import Commands, path, real_number, whole_number
from pxs.errors import ExpressionError, ScaleError
from pxs.expressions import DOMAINS, Mix
from pxs.faces import RENDERED

if TYPE_CHECKING:
    from PIL import Image

STYLES = {"drawn": tuple(DOMAINS), "rendered": (RENDERED,)}
SIDES = {"drawn": 128, "rendered": 256}  # pixels, unless --size is given


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("faces", help="make sample portraits", description="Write portraits as PNGs.")
    command.add_argument("--out", type=path, required=True, help="folder for the portraits")
    command.add_argument("--count", type=whole_number("count", 1), help="how many, of each style (default 6)")
    command.add_argument("--kind", choices=tuple(SIDES), default="drawn", help="drawn faces or rendered people")
    command.add_argument(
        "--seed",
        type=whole_number("seed", 0),
        default=0,
        help="number of the first identity, with --ffe of the set (default 0)",
    )
    command.add_argument("--mix", nargs="+", metavar="NAME=A", help="expression of the faces (default neutral)")
    command.add_argument(
        "--ffe",
        type=whole_number("number of rows", 1),
        metavar="N",
        help="instead, a training set in FFE layout, of N rows",
    )
    command.add_argument(
        "--blends",
        type=real_number("blends"),
        default=0.0,
        metavar="SHARE",
        help="of these rows, that show two strong ones",
    )
    command.add_argument("--size", type=whole_number("size", 16), help="pixels a side (default 128, rendered 256)")
    command.add_argument("--overwrite", action="store_true", help="replace files that exist")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs faces`: write drawn portraits in both styles, rendered ones, or with --ffe a drawn training set.

    Portraits that are there already are not made again.
    """
    if args.ffe is not None:
        return _write_ffe(args)
    count, first = 6 if args.count is None else args.count, args.seed
    size, mix = args.size or SIDES[args.kind], Mix.parse(args.mix or [])
    from pxs.faces.identity import seeds
    from pxs.images import finished, save_png
    from pxs.storage.locks import writing
    from pxs.storage.provenance import versions

    try:
        numbers = seeds("gallery", count, first)
    except ValueError as error:
        raise ScaleError(str(error)) from None
    folder, common = Path(args.out), {"mix": str(mix), "pxs": versions()["pxs"]}
    plan = {
        folder / f"{style}_{n - numbers[0] + first:03d}_{mix.slug}.png": (n, style)
        for style in STYLES[args.kind]
        for n in numbers
    }
    texts = {file: {"identity": str(n), "style": style, **common} for file, (n, style) in plan.items()}
    sized = {file: {**text, "size": f"{size} x {size}"} for file, text in texts.items()}
    there = set() if args.overwrite else finished(sized)
    with writing(folder):
        for file, (number, style) in plan.items():
            if file not in there:
                save_png(_picture(number, style, mix, size), file, texts[file], overwrite=True)
    print(*plan, sep="\n")


def _picture(number: int, style: str, mix: Mix, size: int) -> Image.Image:
    """The portrait of the person with this number: drawn in a style, or rendered."""
    if style == RENDERED:
        from pxs.faces.portraits import Person, render

        return render(Person.sample(number), mix, size)
    from pxs.faces.draw import draw
    from pxs.faces.identity import Identity

    return draw(Identity.sample(number), mix, style, size)


def _write_ffe(args: argparse.Namespace) -> None:
    if args.kind != "drawn":
        raise ExpressionError("--ffe makes drawn sets only: leave out --kind")
    if args.mix or args.count is not None:
        raise ExpressionError("--ffe chooses mixes and the number of faces itself: leave out --mix and --count")
    from pxs.data.synthetic_ffe import write_drawn_set

    progress = sys.stderr.isatty()
    print(
        write_drawn_set(
            args.out,
            args.ffe,
            args.seed,
            size=args.size or SIDES["drawn"],
            overwrite=args.overwrite,
            progress=progress,
            blends=args.blends,
        )
    )
