"""Stage 5, first part: which labels people look at, and who looks at which (`ask`).

    FOLDER/verify/key.json          what was asked of whom; a label that changes afterwards is asked anew
    FOLDER/verify/pages/CODE.html   a page for each person, with everything in it
    FOLDER/verify/answers.sqlite    what came in from pages that are served, and from notebooks

All labels in doubt are asked, and a share of the others. Each goes to one person, and a share to two, from which their
agreement is known.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pxs.errors import DataError, OutputError, shown
from pxs.expressions import EXPRESSIONS
from pxs.ffe.annotate import STAGE, Label
from pxs.ffe.manifest import read
from pxs.quantities import RATERS, SHARE, Real
from pxs.storage.parsing import parse_json
from pxs.storage.paths import kind_of
from pxs.storage.provenance import write_json

FOLDER, KEY, PAGES = "verify", "key.json", "pages"
ACCEPTED, CORRECTED, REJECTED = "accepted", "corrected", "rejected"
VERDICTS = (ACCEPTED, CORRECTED, REJECTED)
SECONDS = Real("seconds", 0, 365 * 24 * 3600, "that a picture took")


@dataclass(frozen=True)
class Item:
    """One question: a picture by its name, the key of its label, and the scores that are shown, by expression."""

    picture: str
    key: str
    scores: dict[str, float]


@dataclass(frozen=True)
class Asked:
    """What is asked. items by id; raters: the ids that each person is asked, in order, by the person's code."""

    items: Mapping[str, Item]
    raters: Mapping[str, tuple[str, ...]]

    @property
    def study(self) -> str:
        """What tells these questions from others."""
        content = json.dumps(
            [sorted((name, asdict(item)) for name, item in self.items.items()), sorted(self.raters.items())]
        )
        return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Effort:
    """How much people look at: raters; share of the labels that are not in doubt; overlap: of all that are asked, the
    share that two people see, with two or more raters. Raters are 1..1000, shares 0..1; raises ScaleError for others.
    """

    raters: int = 2
    share: float = 0.2
    overlap: float = 0.2

    def __post_init__(self) -> None:
        RATERS(self.raters)
        SHARE.named("share")(self.share)
        SHARE.named("overlap")(self.overlap)


def plan_questions(labels: Sequence[Label], effort: Effort, seed: int) -> Asked:
    """Who is asked what. The same seed gives the same choice and order; codes are new each time.

    Raises DataError if nothing is to be asked.
    """
    chance = random.Random(seed)
    scored = [label for label in labels if not label.error]
    sure = [label for label in scored if not label.doubts]
    chosen = {label.name for label in chance.sample(sure, math.ceil(effort.share * len(sure)))}
    asked = [label for label in scored if label.doubts or label.name in chosen]
    if not asked:
        raise DataError("no label is in doubt, and a share of 0 of the others is asked: give a larger --share")
    chance.shuffle(asked)
    items = {secrets.token_hex(5): Item(label.name, label.key, label.scores) for label in asked}
    codes = [f"{number + 1:03d}-{secrets.token_hex(8)}" for number in range(effort.raters)]
    given: dict[str, list[str]] = {code: [] for code in codes}
    twice = round(effort.overlap * len(items)) if effort.raters > 1 else 0
    for number, name in enumerate(items):
        given[codes[number % len(codes)]].append(name)
        if number < twice:
            given[codes[(number + 1) % len(codes)]].append(name)
    for own in given.values():
        chance.shuffle(own)
    return Asked(items, {code: tuple(own) for code, own in given.items()})


def refuse_asked(folder: Path) -> None:
    """Raise OutputError if people were asked already: their answers would lose their meaning."""
    if kind_of(folder / FOLDER / KEY):
        raise OutputError(f"{folder / FOLDER} holds questions already: delete it to ask anew, with all answers")


def write_asked(asked: Asked, folder: Path) -> Path:
    """Write the key, last of all."""
    items = {name: asdict(item) for name, item in asked.items.items()}
    return write_json(folder / FOLDER / KEY, {"study": asked.study, "items": items, "raters": dict(asked.raters)})


def read_asked(folder: Path) -> Asked:
    """What was asked. Raises DataError where nothing was, for a key that was changed, and if labels changed since."""
    path = folder / FOLDER / KEY
    if kind_of(path) != "file":
        raise DataError(f"{str(folder)!r} has no questions for people: run 'pxs ffe ask' first")
    try:
        said = parse_json(path.read_text(encoding="utf-8"))
        items = {
            str(name): Item(str(i["picture"]), str(i["key"]), dict(i["scores"])) for name, i in said["items"].items()
        }
        asked = Asked(items, {str(code): tuple(map(str, own)) for code, own in said["raters"].items()})
        whole = said["study"] == asked.study
    except (OSError, UnicodeDecodeError, DataError, AttributeError, KeyError, TypeError):
        whole = False
    if not whole:
        raise DataError(
            f"{path} is not the key that was written: take it from a copy, or delete the folder and ask anew"
        )
    return asked


def labels_asked(folder: Path, asked: Asked) -> dict[str, Label]:
    """All labels by name. Raises DataError if one that people were asked about has changed since."""
    labels = {label.name: label for label in read(folder, STAGE, Label)}
    for item in asked.items.values():
        if item.picture not in labels or labels[item.picture].key != item.key:
            raise DataError(
                f"the label of {item.picture} has changed since people were asked about it: delete {folder / FOLDER} "
                "and ask anew"
            )
    return labels


def check_verdict(asked: Asked, rater: str, said: object) -> tuple[str, dict[str, Any]]:
    """The item that a JSON value answers, and what is kept of it. Raises DataError for what is no answer."""
    if rater not in asked.raters:
        raise DataError(f"{shown(rater)} is nobody who was asked here: check to which data set the answers belong")
    item = said.get("item") if isinstance(said, Mapping) else None
    if not isinstance(said, Mapping) or not isinstance(item, str) or item not in asked.raters[rater]:
        raise DataError(f"{shown(item)} was not asked of {shown(rater)}: check whose answers these are")
    verdict = said.get("verdict")
    if verdict not in VERDICTS:
        raise DataError(f"verdict {shown(verdict)} is unknown: choose from {', '.join(VERDICTS)}")
    scores = _scores(said.get("scores")) if verdict == CORRECTED else asked.items[item].scores
    seconds = SECONDS(said.get("seconds", 0))
    return item, {"item": item, "verdict": verdict, "scores": scores, "at": _moment(said.get("at")), "seconds": seconds}


def _scores(said: object) -> dict[str, float]:
    if not isinstance(said, Mapping) or set(said) != set(EXPRESSIONS):
        raise DataError(f"scores {shown(said)} are not complete: give one number for each of the 12 expressions")
    return {name: SHARE.named(name)(said[name]) for name in EXPRESSIONS}


def _moment(said: object) -> str:
    """A moment as ISO 8601 with its zone. Raises DataError for another text."""
    try:
        moment = datetime.fromisoformat(str(said))
        if moment.tzinfo is None:
            raise ValueError
    except ValueError:
        raise DataError(
            f"at {shown(said)} is no moment: give one with its zone, such as 2026-05-01T10:00:00Z"
        ) from None
    return moment.isoformat()
