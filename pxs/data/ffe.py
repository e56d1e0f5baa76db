"""The FFE file format: one JSON object a line, with a source picture and two targets with their 12 scores.

    {"src": {"image": "images/7_source.png"}, "domain": "human",
     "dst": [{"image": "images/7_fear.png", "category": "fear", "scores": {"fear": 0.8, "anxious": 0.2}},
             {"image": "images/7_surprised.png", "category": "surprised", "scores": {"surprised": 0.55}}]}

It is the layout that PixelSmile (arXiv 2603.25728) was trained from; `domain` is an addition and may be left out.
A picture may have "boxes" (or "box"): the face as [left, top, right, bottom] in pixels, or a list of such boxes.
Pictures are named relative to the folder of the file, and must lie in it unless another folder is stated that holds
them. Reading checks every row, so that a mistake is found before a training starts; each mistake is one `DataError`
that names the file and the row.
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pxs.errors import DataError, OutputError, PathError, PxsError, one_line, shown
from pxs.expressions import EXPRESSIONS, Mix, check_domain, check_expression
from pxs.images import Box, PathName
from pxs.quantities import PIXEL, SHARE
from pxs.storage.files import output_folder, replace_file
from pxs.storage.parsing import parse_json
from pxs.storage.paths import check_path, exists, kind_of, picture_path

RESCALE = ((0.0, 0.0), (0.6, 0.3), (0.8, 0.5), (0.9, 0.8), (1.0, 1.0))
"""Corners (score, rescaled score) of the piecewise linear rescale."""


@dataclass(frozen=True)
class Target:
    """A target picture: the expression that it is an example of, and its score for each expression, 0..1."""

    image: Path
    category: str
    scores: Mix
    boxes: tuple[Box, ...] = ()

    @property
    def score(self) -> float:
        """The score of its own category, 0..1: the intensity that conditions its training."""
        return self.scores[self.category]


@dataclass(frozen=True)
class Row:
    """One sample: a source picture and two targets of different categories; `boxes` are the faces in the source."""

    source: Path
    targets: tuple[Target, Target]
    domain: str = "human"
    boxes: tuple[Box, ...] = ()


def rescale_score(score: float) -> float:
    """Spread scores that are mostly high: 0.5x up to 0.6, x - 0.3 up to 0.8, 3x - 1.9 up to 0.9, 2x - 1 above.

    Continuous and increasing from 0..1 onto 0..1. Raises ScaleError for a score outside 0..1.
    """
    return float(np.interp(SHARE.named("score")(score), *np.transpose(RESCALE)))


def rescale_scores(scores: Mix) -> Mix:
    """`rescale_score` of every score of a mix."""
    return Mix({name: rescale_score(score) for name, score in scores.items()})


def read(path: PathName, rescale: bool = False, domain: str = "human", pictures: PathName | None = None) -> list[Row]:
    """The rows of an FFE file, checked; pictures as absolute paths. Blank lines are skipped.

    `rescale` applies `rescale_scores` to the targets; `domain` is that of the rows which do not name theirs. A score
    that is missing or null is 0, but that of the target's own category must be there. `boxes` or `box` is one box
    or a list of boxes. `pictures` is the folder that all pictures must lie in, by default that of the file.

    Raises DataError, which names the file and the row (the line number, from 1), for a file that cannot be read or has
    no rows, a line that is not JSON, missing or mistyped entries, other than two targets, unknown or equal categories,
    unknown expressions, scores outside 0..1, boxes without area, `box` and `boxes` at once, and pictures that are not
    readable files or lie elsewhere.
    """
    check_domain(domain)
    place = _Place.of(path, pictures)
    rows = []
    for number, line in enumerate(_lines(path), 1):
        if line.strip():
            try:
                rows.append(_row(parse_json(line, "write one whole JSON object a line"), place, domain))
            except PxsError as error:
                raise DataError(f"{str(path)!r}, row {number}: {error}") from None
    if not rows:
        raise DataError(f"{str(path)!r} has no rows: give a file with one JSON object a line")
    return [_rescaled(row) for row in rows] if rescale else rows


def write(path: PathName, rows: Sequence[Row], overwrite: bool = False, pictures: PathName | None = None) -> Path:
    """Write rows so that `read` with the same `pictures` gives them back, whole or not at all; return the path.

    Pictures in the folder of the file or below it are named relative to it, others by their absolute path. Raises
    DataError for no rows and for a row that `read` would refuse, OutputError when the file exists (unless `overwrite`)
    or cannot be written.
    """
    target = Path(path).absolute()
    if not overwrite and exists(target):
        raise OutputError(f"{str(path)!r} exists already: choose another name or allow overwriting")
    content = encoded(path, rows, pictures)
    output_folder(target.parent)
    replace_file(target, content)
    return Path(path)


def encoded(path: PathName, rows: Sequence[Row], pictures: PathName | None = None) -> bytes:
    """The content of the file that `write` writes. Raises DataError as it does."""
    if not rows:
        raise DataError(f"there are no rows to write to {str(path)!r}: give at least one")
    place, lines = _Place.of(path, pictures), []
    for number, row in enumerate(rows, 1):
        document = _document(row, place.folder)
        try:
            _row(document, place, row.domain)
        except PxsError as error:
            raise DataError(f"row {number} cannot be written to {str(path)!r}: {error}") from None
        lines.append(json.dumps(document) + "\n")
    return "".join(lines).encode()


class _Place(NamedTuple):
    """Where the pictures of a file lie: `folder` is that of the file, `root` the one that must hold them."""

    folder: Path
    root: PathName

    @classmethod
    def of(cls, path: PathName, pictures: PathName | None) -> _Place:
        folder = check_path(path).absolute().parent
        return cls(folder, folder if pictures is None else pictures)


def _lines(path: PathName) -> Iterator[str]:
    """The lines of a text file in UTF-8, with or without a byte order mark, without their ends; raises DataError."""
    try:
        if kind_of(path) != "file":
            raise DataError(f"{str(path)!r} is not a file: give the path of a file of JSON lines")
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                yield _decoded(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line, path, number)
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read ({one_line(error)}): give a file of JSON lines") from None


def _decoded(line: bytes, path: PathName, number: int) -> str:
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise DataError(f"{str(path)!r}, row {number}: not UTF-8 text: save the file as UTF-8") from None


def _row(document: Any, place: _Place, domain: str) -> Row:
    """A checked row from its JSON object; the caller adds the row number to messages."""
    top = _object(document, "the row")
    source, targets = _object(top.get("src"), "src"), top.get("dst")
    if not isinstance(targets, list) or len(targets) != 2:
        found = f"has {len(targets)} targets" if isinstance(targets, list) else f"is {_shown(targets)}"
        raise DataError(f"dst {found}: give a list of exactly two targets")
    first, second = (_target(_object(t, f"dst[{i}]"), f"dst[{i}]", place) for i, t in enumerate(targets))
    if first.category == second.category:
        raise DataError(f"both targets have the category {first.category!r}: give two different expressions")
    own = top.get("domain")
    return Row(
        source=_image(source.get("image"), "src.image", place),
        targets=(first, second),
        domain=check_domain(domain if own is None else _text(own, "domain")),
        boxes=_boxes(source, "src"),
    )


def _target(entry: dict[str, Any], where: str, place: _Place) -> Target:
    category = check_expression(_text(entry.get("category"), f"{where}.category"))
    given = {k: v for k, v in _object(entry.get("scores"), f"{where}.scores").items() if v is not None}
    if category not in given:
        raise DataError(f"{where}.scores lacks {category!r}, the category of the target: give its score")
    scores = Mix({check_expression(k): SHARE.named(f"{where}.scores.{k}")(v) for k, v in given.items()})
    image = _image(entry.get("image"), f"{where}.image", place)
    return Target(image, category, scores, _boxes(entry, where))


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{where} is {_shown(value)}: give a JSON object")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise DataError(f"{where} is {_shown(value)}: give a text")
    return value


def _image(value: Any, where: str, place: _Place) -> Path:
    try:
        file = picture_path(_text(value, where), *place)
    except PathError as error:
        raise DataError(f"{where}: {error}") from None
    if kind_of(file) != "file":
        raise DataError(f"{where} {_shown(value)} is not a file in {str(place.folder)!r}: correct the path")
    if not os.access(file, os.R_OK):
        raise DataError(f"{where} {_shown(value)} cannot be read by you: ask for permission to read it")
    return file


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _boxes(entry: dict[str, Any], where: str) -> tuple[Box, ...]:
    """The boxes of a picture's entry, under "boxes" or "box": null, one box, or a list of boxes."""
    given = [name for name in ("boxes", "box") if entry.get(name) is not None]
    if len(given) > 1:
        raise DataError(f"{where} has box and boxes: give one of the two")
    where, value = (f"{where}.{given[0]}", entry[given[0]]) if given else (where, None)
    if value is None:
        return ()
    listed = [value] if isinstance(value, list) and value and all(map(_number, value)) else value
    if not isinstance(listed, list):
        raise DataError(f"{where} is {_shown(value)}: give a list of boxes")
    return tuple(_box(box, where) for box in listed)


def _box(value: Any, where: str) -> Box:
    try:
        left, top, right, bottom = PIXEL.several(value)
        if left < right and top < bottom:
            return left, top, right, bottom
    except ValueError:  # also ScaleError
        pass
    raise DataError(f"{where} has {_shown(value)}: give [left, top, right, bottom] in pixels")


def _shown(value: Any) -> str:
    """A value as text for a message."""
    return "missing or null" if value is None else shown(value)


def _rescaled(row: Row) -> Row:
    first, second = (Target(t.image, t.category, rescale_scores(t.scores), t.boxes) for t in row.targets)
    return Row(row.source, (first, second), row.domain, row.boxes)


def _document(row: Row, folder: Path) -> dict[str, Any]:
    """The JSON object of a row, with all 12 scores of each target; a single box is flat, for the public trainer."""

    def entry(image: Path, boxes: tuple[Box, ...], more: dict[str, Any]) -> dict[str, Any]:
        listed = {"boxes": list(boxes[0]) if len(boxes) == 1 else [list(box) for box in boxes]} if boxes else {}
        return {"image": _relative(image, folder), **more, **listed}

    targets = [
        entry(t.image, t.boxes, {"category": t.category, "scores": {e: t.scores[e] for e in EXPRESSIONS}})
        for t in row.targets
    ]
    return {"src": entry(row.source, row.boxes, {}), "dst": targets, "domain": row.domain}


def _relative(image: Path, folder: Path) -> str:
    whole = Path(image).absolute()
    return (whole.relative_to(folder) if whole.is_relative_to(folder) else whole).as_posix()
