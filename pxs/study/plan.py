"""Who is asked what: a share of the faces for each rater, every method on them, attention checks, and choices.

Each rater sees the next faces of one shuffled circle, so that every face is seen equally often to within one, and sees
all methods on a face. The order of the questions and which of two sweeps comes first are random for each rater.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from pxs.errors import DataError
from pxs.study.bench import SHOWN, TRUTH, Bench
from pxs.study.key import BEST, HIGHEST, LOWEST, PAIR, RATING, SCALES, WORST, Item, Key

CHECKS = 3  # of each kind, for each rater
Expects = Mapping[str, tuple[int, int]]
NOTHING: Expects = {}
HIGH, LOW = (HIGHEST - 1, HIGHEST), (LOWEST, LOWEST + 1)


class Shown(NamedTuple):
    """The pictures of an item: the portrait, and one or two sweeps."""

    portrait: Path
    rows: Sequence[Sequence[Path]]


@dataclass(frozen=True)
class Plan:
    """A key, and what is shown of each item."""

    key: Key
    shown: Mapping[str, Shown]


@dataclass(frozen=True)
class Size:
    """raters; faces: at most so many, evenly spaced, 0 for all; questions and pairs: for each rater, about."""

    raters: int
    faces: int = 0
    questions: int = 40
    pairs: int = 0


@dataclass
class _Draft:
    """Items as they are added, each known by what it is."""

    bench: Bench
    items: dict[str, Item] = field(default_factory=dict)
    shown: dict[str, Shown] = field(default_factory=dict)
    known: dict[tuple[str, ...], str] = field(default_factory=dict)

    def question(self, kind: str, task: str, *methods: str) -> str:
        """The id of a rating or a choice."""
        return self._id(kind, task, methods, [self.bench.sweep(method, task) for method in methods])

    def best(self, task: str) -> str:
        """The truth, which is best on both scales; without one the portrait again and again, which is the person."""
        if self.bench.has_truth(task):
            return self._id(BEST, task, (), [self.bench.sweep(TRUTH, task)], dict.fromkeys(SCALES, HIGH))
        return self._id(BEST, task, (), [[self.bench.portrait(task)] * len(SHOWN)], {"identity": HIGH})

    def worst(self, task: str, chance: random.Random) -> str:
        """Other people, with no order in their expressions: worst on both scales."""
        return self._id(WORST, task, (), [self._others(task, chance)], dict.fromkeys(SCALES, LOW))

    def _id(
        self, kind: str, task: str, methods: Sequence[str], rows: Sequence[Sequence[Path]], expects: Expects = NOTHING
    ) -> str:
        """The id of an item, which is made if it is new."""
        known = (kind, task, *methods)
        if known not in self.known:
            name = self.known[known] = secrets.token_hex(5)
            edits = tuple(self.bench.edits[method][task].key for method in methods)
            self.items[name] = Item(kind, task, self.bench.expressions[task], tuple(methods), edits, expects)
            self.shown[name] = Shown(self.bench.portrait(task), rows)
        return self.known[known]

    def _others(self, task: str, chance: random.Random) -> list[Path]:
        people = [other for other in self.bench.expressions if other != task]
        chosen = chance.sample(people, min(len(people), len(SHOWN)))
        shown = [chosen[i % len(chosen)] for i in range(len(SHOWN))]
        steps = chance.sample(range(len(SHOWN)), len(SHOWN))
        methods = chance.choices(self.bench.methods, k=len(SHOWN))
        return [self.bench.sweep(method, p)[i] for method, p, i in zip(methods, shown, steps, strict=True)]


def plan_study(bench: Bench, size: Size, seed: int) -> Plan:
    """What each rater is asked. The same seed gives the same order; ids and codes of raters are new each time.

    Raises DataError if there are fewer than two faces, from which no check can be made, or one method for choices.
    """
    chance = random.Random(seed)
    faces = _faces(bench, size.faces)
    if size.pairs and len(bench.methods) < 2:
        raise DataError(f"{bench.methods[0]!r} is the only method: a choice between two needs another")
    chance.shuffle(faces)
    share = max(1, min(len(faces), size.questions // len(bench.methods)))
    draft = _Draft(bench)
    raters = {}
    for number in range(size.raters):
        own = [faces[(number * share + i) % len(faces)] for i in range(share)]
        code = f"{number + 1:03d}-{secrets.token_hex(8)}"
        raters[code] = tuple(_asked(draft, own, faces, size.pairs, chance))
    return Plan(Key(draft.items, raters, SHOWN), draft.shown)


def _faces(bench: Bench, most: int) -> list[str]:
    """Evenly spaced tasks."""
    tasks = list(bench.expressions)
    if len(tasks) < 2:
        raise DataError("a study needs at least 2 faces that all methods have edited, for its checks: edit more tasks")
    count = min(most or len(tasks), len(tasks))
    return [tasks[i * len(tasks) // count] for i in range(count)]


def _asked(draft: _Draft, own: list[str], faces: list[str], pairs: int, chance: random.Random) -> list[str]:
    """The ids of one rater: ratings and checks in random order, then choices."""
    methods = draft.bench.methods
    ratings = [draft.question(RATING, task, method) for task in own for method in methods]
    unseen = [task for task in draft.bench.expressions if task not in own]
    spare = chance.sample(unseen, min(len(unseen), CHECKS)) + chance.sample(own, min(len(own), CHECKS))
    checks = [draft.best(task) for task in spare[:CHECKS]] + [draft.worst(task, chance) for task in spare[:CHECKS]]
    first = list(dict.fromkeys(ratings + checks))
    chance.shuffle(first)
    possible = [(task, *both) for task in own for both in combinations(methods, 2)]
    chosen = chance.sample(possible, min(pairs, len(possible)))
    return first + [draft.question(PAIR, task, *chance.sample(both, 2)) for task, *both in chosen]


def seen_by(key: Key) -> dict[tuple[str, str], int]:
    """How many raters are asked to rate each sweep, by method and task."""
    counts: dict[tuple[str, str], int] = {}
    for asked in key.raters.values():
        for item in (key.items[name] for name in asked):
            if item.kind == RATING:
                sweep = item.methods[0], item.task
                counts[sweep] = counts.get(sweep, 0) + 1
    return counts
