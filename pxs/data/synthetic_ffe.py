"""A synthetic FFE set: neutral sources and pairs of targets whose scores are exactly the mixes shown.

Where the base model learns from discrete, partly confused labels (mini/data.py), an adapter learns from continuous
scores, and both expressions of a confusable pair on the same face. The layout is that of the FFE data set (pxs/data):

    DIR/train.jsonl    DIR/images/00000_source.png, 00000_fear.png, 00000_surprised.png, 00001_source.png, ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from pxs.data.ffe import Row, Target, encoded, write
from pxs.errors import OutputError, one_line
from pxs.expressions import BASIC, CONFUSABLE, DOMAINS, EXPRESSIONS, Mix
from pxs.faces import domain, size_of
from pxs.faces.identity import seeds
from pxs.faces.render import Drawing, render
from pxs.images import finished, save_png
from pxs.quantities import SEED, SHARE
from pxs.storage.files import sync_folder
from pxs.storage.locks import writing
from pxs.storage.paths import check_path, exists, kind_of
from pxs.storage.provenance import versions

FIRST_IDENTITY = 50_000
"""The default first identity of a set: the base model was trained on identities below it."""

SCORES = (0.1, 1.0)
"""Range of the score of a target's own category."""

SECOND_SHARE = 0.15
"""Share of targets that also show a second expression."""

SECOND_SCORES = (0.1, 0.4)
"""Range of the second expression's score, as a fraction of the category's score, which stays the highest."""

BLEND_SCORES = (0.3, 1.0)
"""Range of both scores in a blend; its category is the stronger one."""

CHUNK = 1024 * 128 * 128  # pixels of each of the three pictures of the rows that are drawn at once; 150 MB in all


class Triple(NamedTuple):
    """One row: the person's number, the style, and two targets of different categories with their mixes."""

    seed: int
    style: str
    categories: tuple[str, str]
    mixes: tuple[Mix, Mix]

    def drawings(self) -> list[Drawing]:
        """Its three pictures: the neutral source, then the two targets."""
        return [Drawing(self.seed, mix, self.style) for mix in (Mix(), *self.mixes)]

    def files(self, index: int) -> list[str]:
        """The names of its three pictures as row `index` (from 0) of a set."""
        return [f"images/{index:05d}_{word}.png" for word in ("source", *self.categories)]


def triples(
    count: int,
    seed: int = 0,
    start: int = FIRST_IDENTITY,
    blends: float = 0.0,
    styles: Sequence[str] = tuple(DOMAINS),
) -> list[Triple]:
    """The rows of a set: one identity each, from the editor's number `start` on.

    The styles take turns. Of 4 rows of a style, one shows each confusable pair and two show any two expressions.
    In a share `blends` of the rows both targets show the same two expressions strongly, each its own more than the
    other; half of these are two of the basic six. A row depends on `seed` and its place alone, so a longer set begins
    with the shorter one. Raises ScaleError for an impossible number, also for more identities than there are.
    """
    blends, seed, numbers = SHARE.named("blends")(blends), SEED(seed), seeds("editor", count, start)
    rows = [_triple(n, i, styles, np.random.default_rng((seed, i))) for i, n in enumerate(numbers)]
    return [_blended(row, np.random.default_rng((seed, index, 1)), blends) for index, row in enumerate(rows)]


def _blended(row: Triple, rng: np.random.Generator, share: float) -> Triple:
    """The row, or with probability `share` a row of blends."""
    if rng.random() >= share:
        return row
    first, second = (str(e) for e in rng.choice(BASIC if rng.random() < 0.5 else EXPRESSIONS, 2, replace=False))
    (less, more), (weaker, stronger) = np.sort(rng.uniform(*BLEND_SCORES, (2, 2)), axis=1).round(4).tolist()
    mixes = Mix({first: more, second: less}), Mix({second: stronger, first: weaker})
    return row._replace(categories=(first, second), mixes=mixes)


def _triple(number: int, index: int, styles: Sequence[str], rng: np.random.Generator) -> Triple:
    turn, style = divmod(index, len(styles))
    pool = CONFUSABLE[turn // 2 % len(CONFUSABLE)] if turn % 2 == 0 else EXPRESSIONS
    first, second = (str(name) for name in rng.choice(pool, size=2, replace=False))
    return Triple(number, styles[style], (first, second), (_mix(first, rng), _mix(second, rng)))


def _mix(category: str, rng: np.random.Generator) -> Mix:
    """A mix to draw, with intensities rounded to 4 digits, as the file stores them."""
    score = round(float(rng.uniform(*SCORES)), 4)
    if rng.random() >= SECOND_SHARE:
        return Mix({category: score})
    other = str(rng.choice([name for name in EXPRESSIONS if name != category]))
    return Mix({category: score, other: round(score * float(rng.uniform(*SECOND_SCORES)), 4)})


def write_synthetic_set(
    folder: str | Path,
    count: int,
    seed: int = 0,
    start: int = FIRST_IDENTITY,
    size: int = 128,
    overwrite: bool = False,
    progress: bool = False,
    blends: float = 0.0,
    styles: Sequence[str] = tuple(DOMAINS),
) -> Path:
    """Make `count` rows of `size` x `size` pixels (32 or more) in `folder`; return the path of its train.jsonl.

    The same arguments give the same bytes. train.jsonl comes last, so a set that has it is whole. What an interrupted
    call has drawn is kept. Raises ScaleError as `triples` does; OutputError when a file exists that is not of this set
    (unless `overwrite`), cannot be written, or another process writes in the folder.
    """
    rows = triples(count, seed, start, blends, styles)
    size = max((size_of(style) for style in styles), key=lambda kind: kind.least)(size)
    place = check_path(folder)
    table = place / "train.jsonl"
    drawn = [(name, d) for i, row in enumerate(rows) for name, d in zip(row.files(i), row.drawings(), strict=True)]
    plan = {place / name: drawing for name, drawing in drawn}
    wanted = {file: {**_text(drawing), "size": f"{size} x {size}"} for file, drawing in plan.items()}
    there = set() if overwrite else finished(wanted)
    files, lines = list(plan), [_row(place, row, index) for index, row in enumerate(rows)]
    if not overwrite and exists(table):
        _check_table(table, lines, there.issuperset(plan))
    with writing(place), tqdm(total=len(rows), unit="row", disable=not progress) as bar:
        if not there.issuperset(plan):
            _remove(table)  # from here on the pictures that it names are replaced
        together = 3 * max(1, CHUNK // size**2)
        for first in range(0, len(files), together):
            part = files[first : first + together]
            _save_pictures({file: plan[file] for file in part if file not in there}, size)
            bar.update(len(part) // 3)
        sync_folder(place / "images")
        return write(table, lines, overwrite=True)


def _check_table(table: Path, lines: Sequence[Row], whole: bool) -> None:
    """Raise OutputError for a table that is not the one of this set, whose pictures are there as a `whole` or not."""
    if not whole or kind_of(table) != "file" or table.read_bytes() != encoded(table, lines):
        raise OutputError(f"{str(table)!r} exists: choose another folder or allow overwriting (--overwrite)")


def _remove(table: Path) -> None:
    try:
        table.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{str(table)!r} cannot be replaced ({one_line(error)}): choose another folder") from None


def _save_pictures(plan: Mapping[Path, Drawing], size: int) -> None:
    if plan:
        for picture, (file, drawing) in zip(render(list(plan.values()), size), plan.items(), strict=True):
            save_png(Image.fromarray(picture), file, _text(drawing), overwrite=True)


def _text(drawing: Drawing) -> dict[str, str]:
    mix, version = str(drawing.mix), versions()["pxs"]
    return {"identity": str(drawing.seed), "style": drawing.style, "mix": mix, "pxs": version}


def _row(folder: Path, triple: Triple, index: int) -> Row:
    source, *images = (folder / name for name in triple.files(index))
    first, second = (Target(*entry) for entry in zip(images, triple.categories, triple.mixes, strict=True))
    return Row(source, (first, second), domain(triple.style))
