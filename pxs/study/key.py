"""The key of a study: which item is what, who was asked what, and which answers attention checks expect.

Raters see ids alone. The key is written last, so a folder without one holds no study.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pxs.errors import DataError, OutputError, one_line
from pxs.storage.parsing import parse_json
from pxs.storage.paths import PathName, check_path, exists, kind_of
from pxs.storage.provenance import write_json

KEY = "key.json"
SCALES = ("continuity", "identity")
LOWEST, HIGHEST = 1, 5
CHOICES = {"first": 1.0, "same": 0.5, "second": 0.0}
"""Answers to a choice between two sweeps, and what they are worth for the first one."""
RATING, PAIR, BEST, WORST = "rating", "pair", "best", "worst"
KINDS = (RATING, PAIR, BEST, WORST)
VERSION = 1


@dataclass(frozen=True)
class Item:
    """What one question is about.

    kind: RATING of one sweep, PAIR of two in the order shown, or an attention check: BEST or WORST. methods: of the
    sweeps, none for a check. edits: the hash of what these sweeps depend on, one a method. expects: for a check, the
    lowest and the highest answer on a scale that are right.
    """

    kind: str
    task: str
    expression: str
    methods: tuple[str, ...] = ()
    edits: tuple[str, ...] = ()
    expects: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Key:
    """A study. items by id; raters: the ids that each was asked, in order, by the rater's code; intensities: shown."""

    items: Mapping[str, Item]
    raters: Mapping[str, tuple[str, ...]]
    intensities: tuple[float, ...]

    @property
    def study(self) -> str:
        """What tells this study from others: a hash of items and raters."""
        content = json.dumps([sorted(self.items), sorted(self.raters.items())])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def methods(self) -> list[str]:
        """The methods that are compared, in the order of their names."""
        return sorted({method for item in self.items.values() for method in item.methods})


def refuse_existing(folder: PathName) -> None:
    """Raise OutputError for a folder that holds a study: answers to it would lose their meaning."""
    if exists(check_path(folder) / KEY):
        raise OutputError(f"{str(folder)!r} holds a study already: choose another folder")


def write_key(key: Key, folder: PathName) -> Path:
    """Write the key. Raises OutputError where it cannot be written."""
    items = {name: asdict(item) for name, item in key.items.items()}
    content = {"version": VERSION, "study": key.study, "intensities": key.intensities, "items": items}
    return write_json(Path(folder) / KEY, {**content, "raters": key.raters})


def read_key(folder: PathName) -> Key:
    """The key of the study in a folder. Raises DataError where there is none, or one that is cut or was changed."""
    path = check_path(folder) / KEY
    if kind_of(path) != "file":
        raise DataError(f"{str(folder)!r} holds no study: make one with 'pxs study make BENCH_FOLDER --out FOLDER'")
    try:
        said = parse_json(path.read_text(encoding="utf-8"), "take it from a copy, or make the study anew")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({one_line(error)}): take it from a copy") from None
    except DataError as error:
        raise DataError(f"{path} is {error}") from None
    try:
        key = _key(said)
        whole = said["study"] == key.study
    except (AttributeError, KeyError, TypeError, ValueError):
        whole = False
    if not whole:
        raise DataError(f"{path} is not the key that was written: take it from a copy, or make the study anew")
    return key


def _key(said: Mapping[str, Any]) -> Key:
    items = {str(name): _item(one) for name, one in said["items"].items()}
    raters = {str(code): tuple(map(str, asked)) for code, asked in said["raters"].items()}
    if not all(name in items for asked in raters.values() for name in asked):
        raise ValueError
    return Key(items, raters, tuple(map(float, said["intensities"])))


def _item(said: Mapping[str, Any]) -> Item:
    if said["kind"] not in KINDS:
        raise ValueError
    expects = {scale: _ends(ends) for scale, ends in said["expects"].items()}
    methods, edits = (tuple(map(str, said[name])) for name in ("methods", "edits"))
    return Item(said["kind"], str(said["task"]), str(said["expression"]), methods, edits, expects)


def _ends(said: Sequence[int]) -> tuple[int, int]:
    low, high = map(int, said)
    return low, high
