"""Many pictures at once, in several processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pxs.expressions import Mix
from pxs.faces.portraits.person import Person
from pxs.faces.portraits.picture import render
from pxs.quantities import PORTRAIT_SIZE, WORKERS

CHUNK = 64


class Shot(NamedTuple):
    """One picture to make: the number of a person, and the mix."""

    number: int
    mix: Mix


def render_many(shots: Sequence[Shot], size: int = 256, workers: int | None = None) -> NDArray[np.uint8]:
    """Pictures (N, size, size, 3) in the order of `shots`; fastest if shots of one person follow each other.

    Raises ScaleError for a size that is not a PORTRAIT_SIZE, and `workers` that are neither WORKERS nor None.
    """
    size, workers = PORTRAIT_SIZE(size), None if workers is None else WORKERS(workers)
    if len(shots) <= CHUNK or workers == 1:
        return _chunk(shots, size)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        chunks = [shots[i : i + CHUNK] for i in range(0, len(shots), CHUNK)]
        return np.concatenate(list(pool.map(_chunk, chunks, [size] * len(chunks))))


def _chunk(shots: Sequence[Shot], size: int) -> NDArray[np.uint8]:
    pictures = np.empty((len(shots), size, size, 3), np.uint8)
    for i, shot in enumerate(shots):
        pictures[i] = np.asarray(render(Person.sample(shot.number), shot.mix, size))
    return pictures
