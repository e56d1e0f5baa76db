"""Which rows a training holds back, and the order in which it uses the others. Both depend only on the seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pxs.data.ffe import Row
from pxs.data.people import person_of
from pxs.errors import TrainingError
from pxs.training.objective import hash_of
from pxs.training.settings import Settings


def split(rows: Sequence[Row], settings: Settings) -> tuple[list[Row], list[Row]]:
    """Rows to train on and rows held back for validation, chosen by the seed: a person is on one side only.

    People are held back until their rows reach the fraction `validation`, but never the last person. Raises
    TrainingError if fewer rows than one batch are left to train on.
    """
    count = round(settings.validation * len(rows))
    people: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        people.setdefault(person_of(row.source) if count else str(index), []).append(index)
    groups = list(people.values())
    shuffled = [groups[i] for i in np.random.default_rng(hash_of(settings.seed, 1)).permutation(len(groups))]
    held_back: list[int] = []
    while len(held_back) < count and len(shuffled) > 1:
        held_back += shuffled.pop(0)
    training, held_back = sorted(i for group in shuffled for i in group), sorted(held_back)
    if len(training) < settings.batch:
        raise TrainingError(f"{len(training)} rows are fewer than a batch of {settings.batch}: give more data")
    return [rows[i] for i in training], [rows[i] for i in held_back]


def order(count: int, settings: Settings, step: int) -> list[int]:
    """The indices of the rows, of `count`, in the batch of a step; every epoch is another permutation."""
    first = step * settings.batch
    epochs: dict[int, NDArray[np.int64]] = {}
    chosen = []
    for position in range(first, first + settings.batch):
        epoch, place = divmod(position, count)
        if epoch not in epochs:
            epochs[epoch] = np.random.default_rng(hash_of(settings.seed, 2, epoch)).permutation(count)
        chosen.append(int(epochs[epoch][place]))
    return chosen


def data_hash(rows: Sequence[Row], boxes: bool = False) -> str:
    """A hash of all pictures, categories, scores and domains, in order, and of the face boxes if `boxes`."""
    digest = hashlib.sha256()
    for row in rows:
        for path in (row.source, *(t.image for t in row.targets)):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        digest.update(json.dumps([row.domain, *([t.category, t.scores.vector()] for t in row.targets)]).encode())
        if boxes:
            digest.update(json.dumps([row.boxes, *(t.boxes for t in row.targets)]).encode())
    return digest.hexdigest()


def remaining_rows(count: int, settings: Settings, first: int) -> list[int]:
    """The indices of the rows, of `count`, that the steps from `first` on use, sorted."""
    if (settings.steps - first) * settings.batch >= 2 * count:  # they cover a complete epoch
        return list(range(count))
    return sorted({row for step in range(first, settings.steps) for row in order(count, settings, step)})
