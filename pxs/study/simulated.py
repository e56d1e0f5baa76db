"""Raters of known taste: what a study would say if people judged by these numbers. To teach, and to plan a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pxs.study.key import BEST, HIGHEST, LOWEST, PAIR, SCALES, Item, Key

Taste = Mapping[str, Mapping[str, float]]
"""The mean answer of all people to each method, by scale, LOWEST to HIGHEST."""


@dataclass(frozen=True)
class People:
    """How people differ, as standard deviations of answers from 1 to 5.

    severity: of raters as a whole; faces: of faces, for everybody; noise: of single answers. careless: how many raters
    answer by chance.
    """

    severity: float = 0.4
    faces: float = 0.3
    noise: float = 0.6
    careless: int = 0


DEFAULT = People()


def simulate(key: Key, taste: Taste, people: People = DEFAULT, seed: int = 0) -> list[dict[str, Any]]:
    """The files that the raters of a study would send, as JSON values, in the order of the key; the last are careless.

    Whoever is asked to choose compares two such answers, and sees no difference below half a step.
    """
    generator = np.random.default_rng(seed)
    tasks = {item.task for item in key.items.values()}
    of_faces = {task: generator.normal(0, people.faces, len(SCALES)) for task in sorted(tasks)}
    files = []
    for number, (rater, asked) in enumerate(key.raters.items()):
        severity = generator.normal(0, people.severity, len(SCALES))
        careless = number >= len(key.raters) - people.careless
        answers = []
        for name in asked:
            item = key.items[name]
            felt = _felt(item, taste, severity + of_faces[item.task])
            felt = felt + generator.normal(0, people.noise, felt.shape)
            if careless:
                felt = generator.uniform(LOWEST - 0.5, HIGHEST + 0.5, felt.shape)
            values = {s: _choice(*f) if item.kind == PAIR else _rating(f[0]) for s, f in zip(SCALES, felt, strict=True)}
            answers.append({"item": name, **values, "seconds": round(float(generator.gamma(4, 3)), 1)})
        files.append({"study": key.study, "rater": rater, "answers": answers})
    return files


def _felt(item: Item, taste: Taste, shift: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean answer to each sweep of an item (2, 1 or 2), a row a scale; `shift` (2,) is of this rater and face."""
    if not item.methods:
        return np.full((len(SCALES), 1), float(HIGHEST if item.kind == BEST else LOWEST))
    return np.array([[taste[method][scale] for method in item.methods] for scale in SCALES]) + shift[:, None]


def _rating(felt: float) -> int:
    return int(np.clip(round(felt), LOWEST, HIGHEST))


def _choice(first: float, second: float) -> str:
    return "same" if abs(first - second) < 0.5 else "first" if first > second else "second"
