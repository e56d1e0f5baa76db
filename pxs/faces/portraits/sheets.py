"""Contact sheets of rendered people: `python -m pxs.faces.portraits.sheets --out docs`.

Writes portraits.webp (people x neutral and the 12 expressions, for the documentation) and, with --all, sweeps.webp
(one person, every expression at 0 to 1.5) and crowd.webp (72 people with random mixes).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from pxs.errors import OutputError, one_line
from pxs.expressions import EXPRESSIONS, Mix
from pxs.faces.portraits.chance import Chance
from pxs.faces.portraits.person import Person
from pxs.faces.portraits.picture import render
from pxs.parsing import Parser

FIRST = 440_000
"""The people on the sheets have numbers from here on (range "gallery")."""

SCALES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)


def sheet(rows: Sequence[Sequence[tuple[Person, Mix]]], titles: Sequence[str], cell: int) -> Image.Image:
    """Pictures in a grid with a title above each column; `cell` is their width and height in pixels."""
    head = 16 if titles else 0
    page = Image.new("RGB", (len(rows[0]) * cell, len(rows) * cell + head), "white")
    draw = ImageDraw.Draw(page)
    for column, title in enumerate(titles):
        draw.text((column * cell + cell / 2, 8), title, fill="black", anchor="mm")
    for y, row in enumerate(rows):
        for x, (person, mix) in enumerate(row):
            picture = render(person, mix).resize((cell - 2, cell - 2), Image.Resampling.LANCZOS)
            page.paste(picture, (x * cell, y * cell + head))
    return page


def expressions(people: Sequence[int], cell: int = 128, scale: float = 1.0) -> Image.Image:
    """One row a person: neutral and every expression at one intensity."""
    mixes = [Mix(), *(Mix({name: scale}) for name in EXPRESSIONS)]
    rows = [[(Person.sample(number), mix) for mix in mixes] for number in people]
    return sheet(rows, ("neutral", *EXPRESSIONS), cell)


def sweeps(number: int, cell: int = 160) -> Image.Image:
    """One row an expression, one column an intensity of SCALES."""
    person = Person.sample(number)
    rows = [[(person, Mix({name: scale})) for scale in SCALES] for name in EXPRESSIONS]
    return sheet(rows, [f"{scale:g}" for scale in SCALES], cell)


def crowd(cell: int = 128, count: int = 72, columns: int = 12) -> Image.Image:
    """Different people, half of them neutral, the others with a random expression."""
    luck = Chance(1)
    shots = []
    for number in range(FIRST, FIRST + count):
        mix = Mix() if luck.chance(0.5) else Mix({luck.pick(EXPRESSIONS): luck.uniform(0.3, 1.2)})
        shots.append((Person.sample(number), mix))
    return sheet([shots[i : i + columns] for i in range(0, count, columns)], (), cell)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status is 0, or 2 when the pictures cannot be written."""
    parser = Parser(prog="python -m pxs.faces.portraits.sheets", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--all", action="store_true", help="also write sweeps.webp and crowd.webp")

    def action(options: argparse.Namespace) -> None:
        pages: dict[str, Callable[[], Image.Image]] = {
            "portraits.webp": lambda: expressions(range(FIRST, FIRST + 8), cell=104)
        }
        if options.all:
            pages |= {"sweeps.webp": lambda: sweeps(FIRST + 3), "crowd.webp": crowd}
        for name, make in pages.items():
            try:
                options.out.mkdir(parents=True, exist_ok=True)
                make().save(options.out / name, quality=80, method=6)
            except OSError as error:
                raise OutputError(f"cannot write {options.out / name}: {one_line(error)}") from None
            print(options.out / name)

    return parser.run(action, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
