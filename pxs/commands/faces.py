"""`pxs faces`: writes drawn or rendered portraits as sample input, or a training set of them with exact scores."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pxs.commands.arguments import Commands, add_styles, path
from pxs.errors import ExpressionError
from pxs.expressions import Mix
from pxs.faces import side, size_of
from pxs.parsing import argument
from pxs.quantities import COUNT, SEED, SHARE, SIZE


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("faces", help="make sample portraits", description="Write portraits as PNGs.")
    command.add_argument("--out", type=path, required=True, help="folder for the portraits")
    command.add_argument("--count", type=argument(COUNT), help="how many, of each style (default 6)")
    add_styles(command)
    command.add_argument(
        "--seed",
        type=argument(SEED),
        default=0,
        help="number of the first identity, with --ffe of the set (default 0)",
    )
    command.add_argument("--mix", nargs="+", metavar="NAME=A", help="expression of the faces (default neutral)")
    command.add_argument(
        "--ffe",
        type=argument(COUNT.named("number of rows")),
        metavar="N",
        help="instead, a training set in FFE layout, of N rows",
    )
    command.add_argument(
        "--blends",
        type=argument(SHARE.named("blends")),
        default=0.0,
        metavar="SHARE",
        help="of these rows, that show two strong ones",
    )
    command.add_argument("--size", type=argument(SIZE), help="pixels a side (default 128, of person 256)")
    command.add_argument("--overwrite", action="store_true", help="replace files that exist")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs faces`: write portraits of the styles, or with --ffe a training set.

    Portraits that are there already are not made again.
    """
    if args.ffe is not None:
        return _write_ffe(args)
    count, first = 6 if args.count is None else args.count, args.seed
    mix = Mix.parse(args.mix or [])
    sizes = {style: size_of(style)(args.size or side(style)) for style in args.style}
    from pxs.faces.identity import seeds
    from pxs.faces.render import Drawing, render_one
    from pxs.images import finished, save_png
    from pxs.storage.locks import writing
    from pxs.storage.provenance import versions

    numbers = seeds("gallery", count, first)
    folder, common = Path(args.out), {"mix": str(mix), "pxs": versions()["pxs"]}
    plan = {
        folder / f"{style}_{n - numbers[0] + first:03d}_{mix.slug}.png": (n, style)
        for style in args.style
        for n in numbers
    }
    texts = {file: {"identity": str(n), "style": style, **common} for file, (n, style) in plan.items()}
    sized = {file: {**text, "size": f"{sizes[text['style']]} x {sizes[text['style']]}"} for file, text in texts.items()}
    there = set() if args.overwrite else finished(sized)
    with writing(folder):
        for file, (number, style) in plan.items():
            if file not in there:
                save_png(render_one(Drawing(number, mix, style), sizes[style]), file, texts[file], overwrite=True)
    print(*plan, sep="\n")


def _write_ffe(args: argparse.Namespace) -> None:
    if args.mix or args.count is not None:
        raise ExpressionError("--ffe chooses mixes and the number of faces itself: leave out --mix and --count")
    from pxs.data.synthetic_ffe import write_synthetic_set

    progress = sys.stderr.isatty()
    print(
        write_synthetic_set(
            args.out,
            args.ffe,
            args.seed,
            size=args.size or max(map(side, args.style)),
            overwrite=args.overwrite,
            progress=progress,
            blends=args.blends,
            styles=args.style,
        )
    )
