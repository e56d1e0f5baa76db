"""Which scores a data set takes (`scores_of`): of the first pass, of all passes, of those in no doubt, or verified."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pxs.errors import DataError, shown
from pxs.expressions import EXPRESSIONS
from pxs.ffe import annotate, manifest, verify
from pxs.ffe.annotate import Label
from pxs.ffe.asking import REJECTED
from pxs.ffe.verify import Verified

Scores = dict[str, float]
FIRST, ALL, SURE, VERIFIED = "first", "all", "sure", "verified"


def _first(labels: Mapping[str, Label], folder: Path) -> dict[str, Scores]:
    return {name: dict(zip(EXPRESSIONS, one.passes[0], strict=True)) for name, one in labels.items()}


def _all(labels: Mapping[str, Label], folder: Path) -> dict[str, Scores]:
    return {name: one.scores for name, one in labels.items()}


def _sure(labels: Mapping[str, Label], folder: Path) -> dict[str, Scores]:
    return {name: one.scores for name, one in labels.items() if not one.doubts}


def _verified(labels: Mapping[str, Label], folder: Path) -> dict[str, Scores]:
    found = {}
    for one in manifest.read(folder, verify.STAGE, Verified):
        label = labels.get(one.name)
        if label is None:
            continue
        if label.key != one.key:
            raise DataError(f"the label of {one.name} has changed since it was verified: run 'pxs ffe verify' again")
        seen = bool(one.verdicts)
        if one.status != REJECTED and (seen or not label.doubts):
            found[one.name] = one.scores
    return found


KINDS: dict[str, Callable[[Mapping[str, Label], Path], dict[str, Scores]]] = {
    FIRST: _first,
    ALL: _all,
    SURE: _sure,
    VERIFIED: _verified,
}
"""first: the first pass alone. all: the mean of the passes. sure: the same, without labels in doubt. verified: the
same, with those in doubt that people accepted or corrected, as they corrected them, and without what they rejected."""


def scores_of(folder: Path, use: str) -> dict[str, Scores]:
    """The 12 scores of each picture that is used, by its name.

    Raises DataError for another word than KINDS, for missing manifests, and for labels that changed after people looked
    at them.
    """
    if use not in KINDS:
        raise DataError(f"unknown scores {shown(use)}: choose from {', '.join(KINDS)}")
    labels = {one.name: one for one in manifest.read(folder, annotate.STAGE, Label) if not one.error}
    return KINDS[use](labels, folder)


def best(folder: Path) -> str:
    """The best scores that there are: verified, or without people those in no doubt."""
    return VERIFIED if manifest.file_of(folder, verify.STAGE).is_file() else SURE
