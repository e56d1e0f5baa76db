"""Which rows a training takes when: held back or trained on, and in what order; all derives from the seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from pxs.errors import TrainingError
from pxs.ffe import Row
from pxs.training.objective import hash_of
from pxs.training.settings import Settings


def split(rows: Sequence[Row], settings: Settings) -> tuple[list[Row], list[Row]]:
    """Rows to train on and rows held back, chosen by the seed; raises TrainingError if too few are left."""
    count = round(settings.validation * len(rows))
    shuffled = np.random.default_rng(hash_of(settings.seed, 1)).permutation(len(rows))
    training, held_back = sorted(shuffled[count:]), sorted(shuffled[:count])
    if len(training) < settings.batch:
        raise TrainingError(f"{len(training)} rows are fewer than a batch of {settings.batch}: give more data")
    return [rows[i] for i in training], [rows[i] for i in held_back]


def order(count: int, settings: Settings, step: int) -> list[int]:
    """Which of `count` rows a step trains on: every epoch is a permutation of its own."""
    first = step * settings.batch
    epochs: dict[int, np.ndarray] = {}
    chosen = []
    for position in range(first, first + settings.batch):
        epoch, place = divmod(position, count)
        if epoch not in epochs:
            epochs[epoch] = np.random.default_rng(hash_of(settings.seed, 2, epoch)).permutation(count)
        chosen.append(int(epochs[epoch][place]))
    return chosen


def data_hash(rows: Sequence[Row]) -> str:
    """A hash of all pictures, categories, scores and domains, in order."""
    digest = hashlib.sha256()
    for row in rows:
        for path in (row.source, *(t.image for t in row.targets)):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        digest.update(json.dumps([row.domain, *([t.category, t.scores.vector()] for t in row.targets)]).encode())
    return digest.hexdigest()


def coming(count: int, settings: Settings, first: int) -> list[int]:
    """Which of `count` rows the steps from `first` on will take, sorted."""
    if (settings.steps - first) * settings.batch >= 2 * count:  # one of these epochs is whole
        return list(range(count))
    return sorted({row for step in range(first, settings.steps) for row in order(count, settings, step)})
