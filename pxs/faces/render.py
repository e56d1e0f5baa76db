"""Draws many faces into one array, in several processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pxs.expressions import Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity
from pxs.quantities import SIZE, WORKERS


class Drawing(NamedTuple):
    """One picture to draw: the seed of its identity, its expression, and the style ("human" or "anime")."""

    seed: int
    mix: Mix
    style: str


def render(drawings: Sequence[Drawing], size: int = 128, workers: int | None = None) -> NDArray[np.uint8]:
    """Pictures (N, size, size, 3) uint8, RGB, in the order of `drawings`.

    Fewer than 64 drawings, and any number with `workers` 1, are drawn in this process; else `workers` processes draw
    them, by default one for each core. Raises as `Identity.sample` and `draw`, and ScaleError for other
    `workers`.
    """
    size, workers = SIZE(size), None if workers is None else WORKERS(workers)
    if len(drawings) < 64 or workers == 1:
        return np.stack([_render_one(d, size) for d in drawings])
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        chunks = [drawings[i : i + 64] for i in range(0, len(drawings), 64)]
        return np.concatenate(list(pool.map(_render_chunk, chunks, [size] * len(chunks))))


def _render_chunk(drawings: Sequence[Drawing], size: int) -> NDArray[np.uint8]:
    return np.stack([_render_one(d, size) for d in drawings])


def _render_one(drawing: Drawing, size: int) -> NDArray[np.uint8]:
    return np.asarray(draw(Identity.sample(drawing.seed), drawing.mix, drawing.style, size))
