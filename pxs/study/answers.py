"""The answers of raters: checked one by one, read from files, and put together.

    {"study": ..., "rater": ..., "answers": [{"item": ..., "continuity": 4, "identity": 5, "seconds": 6.1}, ...]}

A choice between two sweeps has "first", "same" or "second" in place of the numbers. Answers that are missing are
missing; what was not asked of a rater, and two different answers to one question, are refused.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pxs.errors import DataError, one_line, shown
from pxs.storage.parsing import parse_json
from pxs.storage.paths import PathName, check_path, kind_of
from pxs.study.key import CHOICES, HIGHEST, LOWEST, PAIR, SCALES, Key

DATABASE = "answers.sqlite"
MOST_BYTES = 5_000_000  # of a file of answers
DAY = 24 * 3600.0


@dataclass(frozen=True)
class Answer:
    """One answered question. values: by scale, LOWEST to HIGHEST, or of a choice what it is worth for the first."""

    item: str
    values: Mapping[str, float]
    seconds: float = 0.0


Given = dict[str, dict[str, Answer]]
"""Answers by rater and item."""


def check_answer(key: Key, rater: str, said: object) -> Answer:
    """The answer in a JSON value. Raises DataError for what is none, or was not asked of this rater."""
    if rater not in key.raters:
        raise DataError(f"rater {shown(rater)} is none of this study: check to which study it belongs")
    name = said.get("item") if isinstance(said, Mapping) else None
    if not isinstance(said, Mapping) or not isinstance(name, str):
        raise DataError(f"{shown(said)} is no answer: it names no item")
    if name not in key.items:
        raise DataError(f"item {shown(name)} is none of this study: check to which study the answers belong")
    if name not in key.raters[rater]:
        raise DataError(f"item {shown(name)} was not asked of rater {shown(rater)}: check whose answers these are")
    choice = key.items[name].kind == PAIR
    values = {scale: _choice(said, scale) if choice else _rating(said, scale) for scale in SCALES}
    return Answer(name, values, _seconds(said.get("seconds", 0)))


def _rating(said: Mapping[str, Any], scale: str) -> float:
    value = said.get(scale)
    if not isinstance(value, int) or isinstance(value, bool) or not LOWEST <= value <= HIGHEST:
        raise DataError(f"{scale} {shown(value)} of {said['item']} is no whole number from {LOWEST} to {HIGHEST}")
    return float(value)


def _choice(said: Mapping[str, Any], scale: str) -> float:
    value = said.get(scale)
    if not isinstance(value, str) or value not in CHOICES:
        raise DataError(f"{scale} {shown(value)} of {said['item']} is none of {', '.join(CHOICES)}")
    return CHOICES[value]


def _seconds(value: object) -> float:
    sound = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not sound or not 0 <= value <= 365 * DAY:  # type: ignore[operator]
        raise DataError(f"seconds {shown(value)} is no time that a question takes: leave it out")
    return float(value)  # type: ignore[arg-type]


def read_answers(key: Key, files: Sequence[PathName], folder: PathName) -> Given:
    """All answers: those of the files, and those that `serve` has put into the folder of the study.

    The same file twice, or an early and a late file of one rater, count once. Raises DataError for a file that cannot
    be read or belongs to another study, for foreign items, two different answers of a rater to one question, and if
    there is no answer at all.
    """
    found: Given = {}
    origins: dict[tuple[str, str], str] = {}
    sent = Path(folder) / DATABASE
    sources = [(str(file), *file_of_answers(file, key.study)) for file in files]
    sources += [(str(sent), rater, said) for rater, said in stored(sent).items()] if kind_of(sent) == "file" else []
    for origin, rater, said in sources:
        for answer in _checked(key, rater, said, origin):
            known = found.setdefault(rater, {}).setdefault(answer.item, answer)
            first = origins.setdefault((rater, answer.item), origin)
            if known.values != answer.values:
                raise DataError(
                    f"{first} and {origin} answer item {answer.item} of rater {rater} differently: keep one"
                )
    if not any(found.values()):
        raise DataError(f"there are no answers, neither in {str(folder)!r} nor in files: name the files of the raters")
    return found


def _checked(key: Key, rater: str, said: Iterable[object], origin: str) -> list[Answer]:
    try:
        answers = [check_answer(key, rater, one) for one in said]
    except DataError as error:
        raise DataError(f"{origin}: {error}") from None
    names = [answer.item for answer in answers]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise DataError(f"{origin}: item {twice} is answered twice: take the file as it was saved")
    return answers


def file_of_answers(file: PathName, study: str) -> tuple[str, list[object]]:
    """The rater of a file that a page saved, and what it holds as answers.

    Raises DataError for a file that cannot be read, is none, or belongs to another study than this hash.
    """
    path = check_path(file)
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read(MOST_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({one_line(error)}): check the file") from None
    if len(text) > MOST_BYTES:
        raise DataError(f"{path} has more than {MOST_BYTES} characters: it is no file of answers")
    try:
        said = parse_json(text, "ask the rater to send it again")
    except DataError as error:
        raise DataError(f"{path} is {error}") from None
    if not isinstance(said, Mapping) or not isinstance(said.get("answers"), list):
        raise DataError(f"{path} is no file of answers: take the file as it was saved")
    if said.get("study") != study:
        raise DataError(f"{path} belongs to another study ({shown(said.get('study'))}, not {study}): leave it out")
    return str(said.get("rater")), said["answers"]


def stored(path: Path) -> dict[str, list[object]]:
    """What `serve` took, by rater, from its database; nothing is written. Raises DataError if it cannot be read."""
    found: dict[str, list[object]] = {}
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            for rater, answer in database.execute("SELECT rater, answer FROM answers ORDER BY rater, item"):
                found.setdefault(rater, []).append(parse_json(answer))
    except (sqlite3.Error, DataError) as error:
        raise DataError(f"{path} cannot be read ({one_line(error)}): take it from a copy") from None
    return found
