"""Who is in a picture: synthetic pictures carry the number of their person, so that tests can be kept apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from pxs.data.ffe import Row
from pxs.errors import DataError, one_line
from pxs.faces.identity import SEED_RANGES

PEOPLE = "people.json"
"""The file beside a trained adapter with the numbers of the people in its training set."""

TEST_PURPOSES = ("dev", "test", "held_out")
"""Purposes of people that no model may be trained on."""


def number_of(picture: Path) -> int | None:
    """The number of the person in a synthetic PNG (text chunk "identity" before the pixels), else None.

    Pixels are not decoded. None also for a file that cannot be read: whoever opens the picture says what is wrong.
    """
    try:
        with Image.open(picture, formats=("PNG",)) as image:
            text = str(image.info.get("identity", ""))
    except Exception:  # a damaged header: the reader raises many classes of errors
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def person_of(picture: Path) -> str:
    """What tells people apart: the number of a synthetic person, else the hash of the picture.

    Raises DataError for a picture that cannot be read.
    """
    number = number_of(picture)
    if number is not None:
        return f"person {number}"
    try:
        return hashlib.sha256(picture.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"{str(picture)!r} cannot be read ({one_line(error)}): correct the path") from None


def people_of(rows: Iterable[Row]) -> set[int]:
    """The numbers of the synthetic people in sources and targets."""
    pictures = {path for row in rows for path in (row.source, *(target.image for target in row.targets))}
    return {number for path in pictures if (number := number_of(path)) is not None}


def refuse_test_people(people: Iterable[int]) -> None:
    """Raise DataError if one of these people is kept for a benchmark or for checks."""
    for purpose in TEST_PURPOSES:
        taken = sorted(number for number in people if number in SEED_RANGES[purpose])
        if taken:
            raise DataError(
                f"person {taken[0]} ({len(taken)} in all) is kept for testing ({purpose}): leave these rows out, or a "
                "benchmark would measure what was trained on"
            )


def refuse_people_but_of_tests(people: Iterable[int]) -> None:
    """Raise DataError if one of these people served a training or the choice of a setting: all but those of "test"."""
    for purpose, numbers in SEED_RANGES.items():
        known = sorted(number for number in people if purpose != "test" and number in numbers)
        if known:
            raise DataError(
                f"person {known[0]} ({len(known)} in all) is one of {purpose!r}: a test needs people whom neither a "
                "training nor the choice of a setting has seen, so take --split dev, or other people"
            )


def refuse_trained_people(people: Iterable[int], adapter: Path) -> None:
    """Raise DataError if the file PEOPLE beside an adapter (a file, or a folder with one) names one of these people."""
    if not adapter.exists():
        return
    note = (adapter if adapter.is_dir() else adapter.parent) / PEOPLE
    try:
        trained = set(json.loads(note.read_text())["people"]) if note.is_file() else set()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{str(note)!r} cannot be read ({one_line(error)}): remove it, or train again") from None
    shared = sorted(trained & set(people))
    if shared:
        raise DataError(
            f"person {shared[0]} of the benchmark ({len(shared)} in all) is in the training set of {str(adapter)!r}: "
            "take other tasks, or an adapter of other people"
        )
