"""Makes many faces into one array, in several processes: drawn ones and rendered people."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.expressions import Mix
from pxs.faces import RENDERED, size_of
from pxs.quantities import WORKERS

CHUNK = 64  # pictures that a process makes at once


class Drawing(NamedTuple):
    """One picture to make: the number of a person, the expression, and the style (one of STYLES)."""

    seed: int
    mix: Mix
    style: str


def render_one(drawing: Drawing, size: int) -> Image.Image:
    """The picture, RGB, `size` x `size` pixels; raises as `draw` and the `render` of portraits."""
    if drawing.style == RENDERED:
        from pxs.faces.portraits import Person
        from pxs.faces.portraits import render as portrait

        return portrait(Person.sample(drawing.seed), drawing.mix, size)
    from pxs.faces.draw import draw
    from pxs.faces.identity import Identity

    return draw(Identity.sample(drawing.seed), drawing.mix, drawing.style, size)


def render(drawings: Sequence[Drawing], size: int = 128, workers: int | None = None) -> NDArray[np.uint8]:
    """Pictures (N, size, size, 3) uint8, RGB, in the order of `drawings`.

    Fewer than CHUNK pictures, and any number with `workers` 1, are made in this process; else `workers` processes make
    them, by default one for each core. It is fastest if the pictures of one person follow each other. Raises as
    `render_one`, and ScaleError for other `workers`.
    """
    workers = None if workers is None else WORKERS(workers)
    for style in {d.style for d in drawings}:
        size_of(style)(size)
    if len(drawings) < CHUNK or workers == 1:
        return _render_chunk(drawings, size)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        chunks = [drawings[i : i + CHUNK] for i in range(0, len(drawings), CHUNK)]
        return np.concatenate(list(pool.map(_render_chunk, chunks, [size] * len(chunks))))


def _render_chunk(drawings: Sequence[Drawing], size: int) -> NDArray[np.uint8]:
    return np.stack([np.asarray(render_one(d, size)) for d in drawings])
